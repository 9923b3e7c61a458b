"""Backends with an async face, driven by calls that wait: each is run to its end on an event loop in a thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any, Final

from mobstore.backends._base import Clock
from mobstore.backends.capabilities import Capabilities

_PORTS: Final = ("runs", "events", "metadata", "specs", "profiles")


def is_async(factory: Any) -> bool:
    """Whether a factory has an async face: its `open` is a coroutine function."""
    return inspect.iscoroutinefunction(getattr(factory, "open", None))


class BlockingFactory:
    """A factory over one whose ``open``, ``destroy`` and ``crash``, and the calls of its stores, are awaited.

    Args:
        factory: as `mobstore.properties.subject.Factory`, but async; its bundles have the five ports.
    """

    def __init__(self, factory: Any) -> None:
        self._factory = factory
        self._loop: asyncio.AbstractEventLoop | None = None
        self.name: str = factory.name

    @property
    def capabilities(self) -> Capabilities:
        """What the factory declares."""
        declared: Capabilities = getattr(self._factory, "capabilities", Capabilities())
        return declared

    @property
    def can_crash(self) -> bool:
        """Whether the factory can let its backend die."""
        return hasattr(self._factory, "crash")

    def open(self, *clock: Clock) -> Any:
        """Return a new handle; a backend that keeps its own time takes no clock."""
        return _BlockingStores(lambda: self._run(self._factory.open(*clock)), self._run)

    def crash(self) -> None:
        """Let the backend die where it stands."""
        self._run(self._factory.crash())

    def destroy(self) -> None:
        """Remove the storage, and end the loop."""
        self._run(self._factory.destroy())
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = None

    def _run(self, result: Any) -> Any:
        if not inspect.isawaitable(result):
            return result
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="mobstore-blocking", daemon=True)
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(_awaited(result), self._loop).result()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


class _BlockingStores:
    """A bundle whose calls wait."""

    def __init__(self, make: Callable[[], Any], run: Callable[[Any], Any]) -> None:
        self._make = make
        self._run = run
        self._use(make())

    def _use(self, stores: Any) -> None:
        self._stores = stores
        for name in _PORTS:
            setattr(self, name, _Blocking(getattr(stores, name), self._run))

    def reopen(self) -> None:
        """Open the storage again: as the bundle does it, or through another handle."""
        if hasattr(self._stores, "reopen"):
            self._run(self._stores.reopen())
        else:
            self._use(self._make())

    def close(self) -> None:
        """Give back the handle."""
        self._run(self._stores.close())


class _Blocking:
    """An object whose methods wait; a subscription that one answers does so, too."""

    def __init__(self, awaited: Any, run: Callable[[Any], Any]) -> None:
        self._awaited = awaited
        self._run = run

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._awaited, name)

        def call(*arguments: Any, **named: Any) -> Any:
            answer = self._run(method(*arguments, **named))
            return _Blocking(answer, self._run) if hasattr(answer, "drain") else answer

        return call
