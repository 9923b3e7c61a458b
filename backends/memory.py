"""The verified in-memory backend: the specification itself, behind one lock a store.

Correct by construction: a changing call computes the next state with ``step``'s own functions and swaps one
pointer while it holds the lock, which is its linearization point; a reading call takes the pointer.  States
are persistent values, so that a read is a snapshot and a call's cost does not grow with its run.

The storage is in the memory of one process.  A child that is forked from it has a copy that nobody else would see,
and perhaps a lock that nobody gives back: every call of it is refused.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeVar

import attrs

from mobstore.backends._base import Clock, Subscription, system_clock
from mobstore.backends._stores import Stores
from mobstore.model import MobEvent, Operation, ReadFailed, State, WriteFailed, drain
from mobstore.model.step import HANDLERS, Handler

A = TypeVar("A")


class Store:
    """One store's state and the lock that its changes take.

    Whoever looks on, or makes threads take turns, hands in a lock and overrides ``state``.
    """

    __slots__ = ("changed", "lock", "state")

    def __init__(self, state: Any, lock: Any = None) -> None:
        self.state = state
        self.renew(threading.Lock() if lock is None else lock)

    def renew(self, lock: Any) -> None:
        """Take a lock: a new one in the child of a fork, where nobody gives the old one back."""
        self.lock = lock
        self.changed = threading.Condition(self.lock)


class MemoryEngine:
    """A storage in memory; every handle on it is this one object.

    ``handlers`` is what it serves: the meaning of each call, by default the specification's.  The suite proves
    itself by serving others.  ``store`` makes what keeps the state of one store and its lock.
    """

    blocks: ClassVar[bool] = False

    def __init__(
        self,
        clock: Clock = system_clock,
        handlers: Mapping[type[Operation[Any]], Handler] = HANDLERS,
        store: Callable[[Any], Store] = Store,
    ) -> None:
        self._clock = clock
        stores = {name: store(value) for name, value in attrs.asdict(State(), recurse=False).items()}
        self._events = stores["event"]
        self._calls: Final = {kind: (stores[kind.store], handle) for kind, handle in handlers.items()}
        self._refusal = ""
        _engines.add(self)

    def execute(self, operation: Operation[A]) -> A:
        """Do the call; see `Engine.execute`."""
        store, handle = self._calls[type(operation)]
        if self._refusal:
            raise (ReadFailed if operation.reads else WriteFailed)(self._refusal)
        answer: A
        if operation.reads:
            _, answer = handle(store.state, operation, 0)
            return answer
        with store.lock:
            state, answer = handle(store.state, operation, self._clock())
            if store is self._events:
                # Before the swap: an interrupt between the two wakes in vain, and leaves nobody asleep.
                store.changed.notify_all()
            store.state = state
        return answer

    def subscribe(self) -> Subscription:
        """Begin to deliver the events appended from now on."""
        if self._refusal:
            raise ReadFailed(self._refusal)
        return Subscription(self, self._events.state.appended)

    def read(self, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
        """Read the feed; see `Feed.read`."""
        if self._refusal == _FORKED:
            raise ReadFailed(_FORKED)
        return drain(self._events.state, place)

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:
        """Wait for the feed to grow; see `Feed.wait`."""
        # Not ``with changed``: that enters in Python, where an interrupt would leave the lock held.
        with self._events.lock:
            if not over() and self._events.state.appended <= place:
                self._events.changed.wait(timeout)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._events.lock:
            self._events.changed.notify_all()

    def reopen(self) -> None:
        """Use the storage again: what is in memory was never away.

        Raises:
            ReadFailed: it is that of the process that forked this one.
        """
        if self._refusal == _FORKED:
            raise ReadFailed(_FORKED)
        self._refusal = ""

    def close(self) -> None:
        """Refuse every later call; the storage goes when nobody refers to it."""
        self._refusal = self._refusal or "the store is closed"

    def leave_to_parent(self) -> None:
        """Refuse every call from now on, in the child of a fork; no lock is waited for."""
        self._refusal = _FORKED
        self._events.renew(threading.Lock())


_FORKED: Final = "the storage is in the memory of the process that forked this one"

_engines: Final[weakref.WeakSet[MemoryEngine]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.leave_to_parent()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)


def open(clock: Clock = system_clock) -> Stores:
    """Return the five stores over a new, empty storage.

    Args:
        clock: tells the store's time in nanoseconds since 1970; the default is the system's.
    """
    return Stores(MemoryEngine(clock))
