"""Serves a backend over the wire: reads requests, a line each, and writes their answers as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from mobstore.backends._base import Clock, Subscription
from mobstore.backends._stores import Stores
from mobstore.backends.wire import protocol
from mobstore.backends.wire.protocol import Greeting, Refusal, Request
from mobstore.model import Internal, MobStoreError, Operation
from mobstore.model import operations as ops

_THREADS: Final = 32


class Storage(Protocol):
    """What is served: `open` gives a new handle on the one storage."""

    greeting: Greeting

    def open(self, clock: Clock) -> Stores:
        """Return a new handle."""

    def destroy(self) -> None:
        """Close what is open and empty the storage; may raise a `MobStoreError` when it may not be emptied."""

    def crash(self) -> None:
        """End this process where it stands."""


class _SettableClock:
    """The system's time, until it is told to stand still."""

    def __init__(self) -> None:
        self._now: int | None = None

    def __call__(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return time.time_ns() if self._now is None else self._now

    def set(self, now: int) -> None:
        """Stand still at ``now``."""
        self._now = now


class Server:
    """Answers the requests of one client.

    A call that cannot wait is done where its request was read; any other in a thread of its own, so that calls
    overlap, and answers come as they are ready.

    Args:
        storage: what is served.
        write: writes the line of an answer; called by one thread at a time.
    """

    def __init__(self, storage: Storage, write: Callable[[bytes], None]) -> None:
        self._storage = storage
        self._write = write
        self._writing = threading.Lock()
        self._clock = _SettableClock()
        self._handles: dict[int, Stores] = {}
        self._subscriptions: list[Subscription] = []
        self._subscribing = threading.Lock()
        self._failed: BaseException | None = None

    def serve(self, lines: Iterable[bytes]) -> None:
        """Answer every request, and close the storage at their end.

        Raises:
            Exception: what is no error of the contract ends the program; to answer it would hide it.
        """
        with ThreadPoolExecutor(_THREADS, "mobstore-serve") as pool:
            for line in lines:
                request = protocol.read_request(line)
                if isinstance(request, Refusal):
                    self._send(protocol.error_line(request.id, request.error))
                elif request.call.store != "control" and self._waits(request):
                    pool.submit(self._answer_apart, request)
                else:
                    self._answer(request)
                if self._failed is not None:
                    raise self._failed
            for subscription in self._subscriptions:
                subscription.close()
        for stores in self._handles.values():
            stores.close()
        if self._failed is not None:
            raise self._failed

    def _waits(self, request: Request) -> bool:
        if isinstance(request.arguments, protocol.Drain):
            return request.arguments.wait_ms > 0
        return self._stores(request.handle).engine.blocks

    def _stores(self, handle: int) -> Stores:
        stores = self._handles.get(handle)
        if stores is None:
            stores = self._handles[handle] = self._storage.open(self._clock)
        return stores

    def _send(self, line: bytes) -> None:
        with self._writing:
            self._write(line)

    def _answer_apart(self, request: Request) -> None:
        try:
            self._answer(request)
        except BaseException as error:  # noqa: BLE001 - it is raised again where requests are read
            self._failed = error

    def _answer(self, request: Request) -> None:
        try:
            line = protocol.answer_line(request.id, self._done(request.handle, request.arguments))
        except MobStoreError as error:
            line = protocol.error_line(request.id, error)
        self._send(line)

    def _done(self, handle: int, arguments: Any) -> Any:
        if isinstance(arguments, ops.Subscribe):
            subscription = self._stores(handle).events.subscribe()
            with self._subscribing:
                self._subscriptions.append(subscription)
                return len(self._subscriptions)
        if isinstance(arguments, Operation):
            return self._stores(handle).execute(arguments)
        if isinstance(arguments, protocol.Drain):
            return self._drained(arguments)
        return self._controlled(handle, arguments)

    def _drained(self, drain: protocol.Drain) -> protocol.Drained:
        if not 1 <= drain.subscription <= len(self._subscriptions):
            raise Internal(f"there is no subscription {drain.subscription}")
        delivery = self._subscriptions[drain.subscription - 1].drain(drain.wait_ms / 1000)
        return protocol.Drained(delivery.events, delivery.lagged)

    def _controlled(self, handle: int, arguments: Any) -> Any:
        if isinstance(arguments, protocol.Hello):
            return self._storage.greeting
        if isinstance(arguments, protocol.Reset):
            self._handles.clear()
            self._subscriptions.clear()
            self._storage.destroy()
        elif isinstance(arguments, protocol.Reopen):
            self._stores(handle).reopen()
        elif isinstance(arguments, protocol.Clock):
            self._clock.set(arguments.now.seconds * 1_000_000_000 + arguments.now.nanos)
        elif not self._storage.greeting.crash:
            raise Internal("this storage cannot crash: it would not be found again")
        else:
            self._storage.crash()
        return None
