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
from typing import Any, Self, TypeAlias, TypeVar

from mobstore.backends._base import AsyncSubscription
from mobstore.backends._faces import (
    AsyncEventStoreFace,
    AsyncRealmProfileStoreFace,
    AsyncRunStoreFace,
    AsyncRuntimeMetadataStoreFace,
    AsyncSpecStoreFace,
)
from mobstore.backends._stores import Stores
from mobstore.model import Internal, Operation, ReadFailed, WriteFailed

A = TypeVar("A")

_Item: TypeAlias = "tuple[Operation[Any] | None, _Inbox, asyncio.Future[Any]]"
"""A call and where its answer goes; no call is answered when all before it are."""


class AsyncStores:
    """The five stores of a bundle, for asyncio; an async context manager that closes the bundle.

    Raises:
        Internal: no thread can be started.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        workers = _workers(stores) if stores.engine.blocks else (None, None)
        self._changes: _Worker | None = workers[0]
        self._reads: _Worker | None = workers[1]
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
                await worker.stop()
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
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._inboxes: dict[asyncio.AbstractEventLoop, _Inbox] = {}
        self._ending = threading.Lock()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="mobstore-worker", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise Internal(f"the asyncio face needs threads of its own: {error}") from None

    def submit(self, operation: Operation[Any]) -> asyncio.Future[Any]:
        """Queue the operation and return the future of its answer.

        Raises:
            ReadFailed: for a call that reads; the worker has ended, or is that of the process that forked this one.
            WriteFailed: for any other.
        """
        with self._ending:
            if self._ended or not self._thread.is_alive():
                whose = "is closed" if self._ended else "belongs to the process that forked this one"
                raise (ReadFailed if operation.reads else WriteFailed)(f"the asyncio face {whose}")
            return self._put(operation)

    def _put(self, operation: Operation[Any] | None) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        inbox = self._inboxes.get(loop)
        if inbox is None:
            inbox = self._inboxes[loop] = _Inbox(loop)
        future = loop.create_future()
        self._queue.put((operation, inbox, future))
        return future

    async def stop(self) -> None:
        """Do what is queued, then end the thread."""
        with self._ending:
            if self._ended or not self._thread.is_alive():
                return
            done = self._put(None)
            self.end()
        await done

    def end(self) -> None:
        """Take no more, and end the thread when it has done what is queued."""
        self._ended = True
        self._queue.put(None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            operation, inbox, future = item
            answer, error = None, None
            try:
                if operation is not None:
                    answer = self._stores.execute(operation)
            except BaseException as raised:  # noqa: BLE001 - whatever it is belongs to the caller
                error = raised
            inbox.put(future, answer, error)


def _workers(stores: Stores) -> tuple[_Worker, _Worker]:
    """Return one for changes, which wait for one another anyway, and one for the reads beside them."""
    changes = _Worker(stores)
    try:
        return changes, _Worker(stores)
    except Internal:
        changes.end()
        raise


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
