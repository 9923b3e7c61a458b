"""What every bundle of our own stores is made of: one ``execute`` for all operations, and subscriptions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final, Protocol, Self, TypeAlias, TypeVar

import attrs

from mobstore.model import Internal, MobEvent, Operation

A = TypeVar("A")

Clock: TypeAlias = Callable[[], int]
"""Tells the time in nanoseconds since 1970-01-01T00:00:00Z; the only thing a backend may not know by itself."""

system_clock: Final[Clock] = time.time_ns


class Execute(Protocol):
    """Does a call: returns what it answers, or raises the `MobStoreError` that it ends with."""

    def __call__(self, operation: Operation[A], /) -> A: ...


class AsyncExecute(Protocol):
    """`Execute`, to be awaited."""

    async def __call__(self, operation: Operation[A], /) -> A: ...


class Engine(Protocol):
    """Executes operations on one storage; safe for threads and for several handles."""

    blocks: ClassVar[bool]
    """Whether a call may wait for a disk or another process, so that no event loop should do it itself."""

    def execute(self, operation: Operation[A]) -> A:
        """Do the call: return what it answers, or raise the `MobStoreError` that it ends with."""

    def subscribe(self) -> Subscription:
        """Begin to deliver the events appended from now on."""

    def reopen(self) -> None:
        """Drop every handle and open the same storage again."""

    def close(self) -> None:
        """Give back every handle; a later call raises `ReadFailed` or `WriteFailed`."""


@attrs.frozen
class Delivery:
    """What a subscriber got: the events in order, after ``lagged`` older ones that it missed."""

    events: tuple[MobEvent, ...] = ()
    lagged: int = 0


class Feed(Protocol):
    """Where a subscription reads: places in the sequence of all appends, and a way to wait for the next."""

    def read(self, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
        """Return the events from ``place`` on, how many were missed before them, and the next place."""

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:
        """Return when something was appended at or after ``place``, or ``timeout`` seconds have passed.

        None waits without bound; the feed may return early.  ``over`` tells that nobody wants to wait any more:
        the feed asks it under the lock that `wake` takes, so that no wake-up is lost.
        """

    def wake(self) -> None:
        """Let everybody who waits look again."""


class Subscription:
    """The events appended after the subscription began, once each, in order (contract, section 5).

    A subscriber that falls more than 4,096 events behind misses the oldest, and is told how many.  Safe for
    threads as far as each event goes to one of the readers.
    """

    def __init__(self, feed: Feed, place: int) -> None:
        self._feed = feed
        self._place = place
        self._closed = False

    def drain(self, timeout: float | None = 0.0) -> Delivery:
        """Return all that has come; wait at most ``timeout`` seconds (None: without bound) for the first event.

        Raises:
            Internal: the subscription is closed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if self._closed:
                raise Internal("the subscription is closed")
            events, lagged, self._place = self._feed.read(self._place)
            left = None if deadline is None else deadline - time.monotonic()
            if events or (left is not None and left <= 0):
                return Delivery(events, lagged)
            self._feed.wait(self._place, left, self._is_over)

    def __iter__(self) -> Iterator[MobEvent]:
        """Iterate over the events as they come, until the subscription is closed; lag is passed over."""
        while not self._closed:
            try:
                yield from self.drain(None).events
            except Internal:
                return

    def _is_over(self) -> bool:
        return self._closed

    @property
    def closed(self) -> bool:
        """Whether the subscription delivers nothing any more."""
        return self._closed

    def close(self) -> None:
        """Stop the delivery; whoever waits in `drain` gets `Internal`, an iteration ends."""
        self._closed = True
        self._feed.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncSubscription:
    """A `Subscription` that is awaited.  A cancelled `drain` loses nothing: the next one gets it.

    Raises:
        Internal: no thread can be started.
    """

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._process = os.getpid()
        self._pending: asyncio.Future[Delivery] | None = None
        self._thread = ThreadPoolExecutor(1, "mobstore-subscription")
        try:
            # An executor that can start no thread has queued the work all the same, and would drain for nobody.
            self._thread.submit(int)
        except RuntimeError as error:
            raise Internal(f"an awaited subscription needs a thread of its own: {error}") from None

    async def drain(self, timeout: float | None = 0.0) -> Delivery:
        """Return all that has come; wait at most ``timeout`` seconds (None: without bound) for the first event.

        Raises:
            Internal: the subscription is closed, or belongs to the process that forked this one.
        """
        if self._is_of_parent():
            raise Internal("the subscription belongs to the process that forked this one: subscribe again")
        if self._pending is None:
            if self._subscription.closed:
                raise Internal("the subscription is closed")
            loop = asyncio.get_running_loop()
            self._pending = loop.run_in_executor(self._thread, self._subscription.drain, timeout)
        # A thread that has begun to drain cannot be stopped: what it gets must outlive a cancellation.
        delivery = await asyncio.shield(self._pending)
        self._pending = None
        return delivery

    def _is_of_parent(self) -> bool:
        # Its thread did not come along, and nobody would drain.
        return os.getpid() != self._process

    def _is_over(self) -> bool:
        return self._subscription.closed

    async def __aiter__(self) -> AsyncIterator[MobEvent]:
        """Iterate over the events as they come, until the subscription is closed; lag is passed over.

        Raises:
            Internal: see `drain`.
        """
        while not self._is_over():
            try:
                delivery = await self.drain(None)
            except Internal:
                if self._is_over():
                    return
                raise
            for event in delivery.events:
                yield event

    def close(self) -> None:
        """Stop the delivery; whoever waits in `drain` gets `Internal`, an iteration ends."""
        self._subscription.close()
        if self._is_of_parent():
            return
        self._thread.shutdown(wait=False)
