"""The asyncio face of any bundle: the same names, awaited.

A backend that may wait (for a disk, for another process) is called in threads of the face's own; one that
cannot is called at once.  A cancelled call may or may not have happened: its outcome is indefinite, as that of
any call whose answer is lost.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from typing import Any, Self, TypeVar

from mobstore.backends._base import AsyncSubscription
from mobstore.backends._faces import (
    AsyncEventStoreFace,
    AsyncRealmProfileStoreFace,
    AsyncRunStoreFace,
    AsyncRuntimeMetadataStoreFace,
    AsyncSpecStoreFace,
)
from mobstore.backends._stores import Stores
from mobstore.model import Operation

A = TypeVar("A")


class AsyncStores:
    """The five stores of a bundle, for asyncio; an async context manager that closes the bundle."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        # Changes wait for one another anyway, so one thread does them all; reads go beside them.
        self._changes = _Worker(stores) if stores.engine.blocks else None
        self._reads = _Worker(stores) if stores.engine.blocks else None
        self.runs = AsyncRunStoreFace(self.execute)
        self.events = AsyncEventStoreFace(self.execute, self._subscribe)
        self.metadata = AsyncRuntimeMetadataStoreFace(self.execute)
        self.specs = AsyncSpecStoreFace(self.execute)
        self.profiles = AsyncRealmProfileStoreFace(self.execute)

    async def execute(self, operation: Operation[A], /) -> A:
        """Do the call: return what it answers, or raise the `MobStoreError` that it ends with."""
        worker = self._reads if operation.reads else self._changes
        if worker is None:
            return self._stores.execute(operation)
        answer: A = await worker.submit(operation)
        return answer

    def _subscribe(self) -> AsyncSubscription:
        return AsyncSubscription(self._stores.events.subscribe())

    async def close(self) -> None:
        """Finish the calls under way, then give back every handle."""
        for worker in (self._changes, self._reads):
            if worker is not None:
                await asyncio.to_thread(worker.stop)
        self._stores.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Worker:
    """A thread that does operations in the order in which they came, for any number of event loops.

    Finished calls wait in a deque until their loop runs once more: while a loop is busy, many answers cost it
    one wake-up.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._queue: queue.SimpleQueue[tuple[Operation[Any], _Inbox, asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._inboxes: dict[asyncio.AbstractEventLoop, _Inbox] = {}
        self._thread = threading.Thread(target=self._work, name="mobstore-worker", daemon=True)
        self._thread.start()

    def submit(self, operation: Operation[Any]) -> asyncio.Future[Any]:
        """Queue the operation and return the future of its answer."""
        loop = asyncio.get_running_loop()
        inbox = self._inboxes.get(loop)
        if inbox is None:
            inbox = self._inboxes[loop] = _Inbox(loop)
        future = loop.create_future()
        self._queue.put((operation, inbox, future))
        return future

    def stop(self) -> None:
        """Do what is queued, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            operation, inbox, future = item
            try:
                answer, error = self._stores.execute(operation), None
            except BaseException as raised:  # noqa: BLE001 - whatever it is belongs to the caller
                answer, error = None, raised
            inbox.put(future, answer, error)


class _Inbox:
    """The answers on their way to one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._scheduled = False

    def put(self, future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
        """Hand an answer over, from the worker's thread."""
        self._done.append((future, answer, error))
        # `_deliver` lowers the flag before it looks: an answer put since then wakes the loop again.
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                # The loop was closed while the call was under way: nobody waits for the answer any more.
                self._done.clear()

    def _deliver(self) -> None:
        self._scheduled = False
        while self._done:
            future, answer, error = self._done.popleft()
            if future.cancelled():
                continue
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)
