"""Broken backends in memory: errors, time, retries, secrets, subscriptions and handles that are wrong."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from mobstore.backends._base import Clock, Engine, Subscription
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.model import MobEvent, MobStoreError, Operation, Serialization, WriteFailed, to_text
from mobstore.model import operations as ops
from mobstore.properties.zoo.backend import BrokenBackend, BrokenInMemory, ErrorsFlattened, Kind, in_memory

BACKENDS: Final[list[BrokenBackend]] = []
"""The broken backends."""


def _add(name: str, mistake: str, chapter: str, engine: Callable[..., Any]) -> None:
    BACKENDS.append(in_memory(name, mistake, chapter, engine=engine))


# --- time, errors, retries and secrets --------------------------------------------------------------------------


class _TimeReadOnce(MemoryEngine):
    """The time is a default argument, which Python evaluates once."""

    def __init__(self, clock: Clock, handlers: Any) -> None:
        now = clock()
        super().__init__(lambda: now, handlers)


class _ErrorsFlattened(ErrorsFlattened, MemoryEngine):
    """In memory."""


class _ErrorsSwallowed(MemoryEngine):
    def execute(self, operation: Operation[Any]) -> Any:
        """Answer an error with nothing."""
        try:
            return super().execute(operation)
        except MobStoreError:
            return None


_SLOW: Final = 150
"""Characters of an entry from which on its commit takes longer than the caller waits."""


class _SlowCallsRetried(MemoryEngine):
    def execute(self, operation: Operation[Any]) -> Any:
        """Make a call again that was not answered in time."""
        answer = super().execute(operation)
        if isinstance(operation, ops.AppendStepEntry) and len(to_text(operation.entry)) > _SLOW:
            answer = super().execute(operation)
        return answer


class _Logged(MemoryEngine):
    def execute(self, operation: Operation[Any]) -> Any:
        """Log what is written, for debugging."""
        if isinstance(operation, ops.PutSupervisorAuthority):
            logging.getLogger(__name__).debug("put %s: %s", operation.mob_id, to_text(operation.record))
        return super().execute(operation)


class _ToldInError(MemoryEngine):
    def execute(self, operation: Operation[Any]) -> Any:
        """Tell what could not be written."""
        try:
            return super().execute(operation)
        except WriteFailed as error:
            record = getattr(operation, "record", None)
            raise WriteFailed(f"{error.detail}: {record and to_text(record)}") from error


_add("time-read-once", "the store's time is read when it is opened, and never again", "comparisons", _TimeReadOnce)
_add("errors-flattened", "every error is an Internal with a text", "comparisons", _ErrorsFlattened)
_add("errors-as-nothing", "an error is answered as if there were nothing", "comparisons", _ErrorsSwallowed)
_add("slow-call-retried", "an append that takes too long is made again, and both stay", "rows", _SlowCallsRetried)
_add("key-logged", "a supervisor's key is written to the log", "secrets", _Logged)
_add("key-in-error", "the error of a write shows what was to be written", "secrets", _ToldInError)


# --- subscriptions ----------------------------------------------------------------------------------------------

Read: TypeAlias = tuple[tuple[MobEvent, ...], int, int]


class _FollowsCursors(MemoryEngine):
    """A subscriber remembers the last cursor it saw."""

    def subscribe(self) -> Subscription:
        """Begin after the newest event."""
        return Subscription(self, self._events.state.next_cursor - 1)

    def read(self, place: int) -> Read:
        """Read the events with a larger cursor."""
        events = tuple(event for event in self._events.state.events if event.cursor > place)
        return events, 0, max((event.cursor for event in events), default=place)

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:
        """Wait for a larger cursor."""
        with self._events.lock:
            if not over() and self._events.state.next_cursor - 1 <= place:
                self._events.changed.wait(timeout)


class _BeginsAtTheBeginning(MemoryEngine):
    def subscribe(self) -> Subscription:
        """Begin with the first event there ever was."""
        return Subscription(self, 0)


class _NewestFirst(MemoryEngine):
    def read(self, place: int) -> Read:
        """Read the newest event first."""
        events, lagged, place = super().read(place)
        return events[::-1], lagged, place


class _ByTime(MemoryEngine):
    def read(self, place: int) -> Read:
        """Read in the order of the events' times."""
        events, lagged, place = super().read(place)
        return tuple(sorted(events, key=lambda event: event.timestamp)), lagged, place


class _LastTwice(MemoryEngine):
    def read(self, place: int) -> Read:
        """Go on from the event that was read last, and not after it."""
        events, lagged, place = super().read(place)
        return events, lagged, place - 1 if events else place


class _LagNotTold(MemoryEngine):
    def read(self, place: int) -> Read:
        """Say nothing of what was missed."""
        events, _, place = super().read(place)
        return events, 0, place


class _LagLosesAll(MemoryEngine):
    def read(self, place: int) -> Read:
        """Begin anew where it fell behind."""
        events, lagged, place = super().read(place)
        return ((), lagged + len(events), place) if lagged else (events, lagged, place)


for _name, _mistake, _engine in (
    ("subscriber-follows-cursors", "a subscriber misses what comes after a clear", _FollowsCursors),
    ("subscriber-begins-at-first", "a subscriber gets what was appended before it", _BeginsAtTheBeginning),
    ("newest-first", "a subscriber gets what it has not seen yet in reverse", _NewestFirst),
    ("delivered-by-time", "a subscriber gets events in the order of their times", _ByTime),
    ("last-delivered-twice", "a subscriber gets the last event again and again", _LastTwice),
    ("lag-not-told", "a subscriber that fell behind is not told", _LagNotTold),
    ("lag-loses-all", "a subscriber that fell behind loses what is still there", _LagLosesAll),
):
    _add(_name, _mistake, "subscriptions", _engine)


# --- handles ----------------------------------------------------------------------------------------------------


class _Cached(Stores):
    """A handle that remembers what it read, until it writes itself."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        held: dict[Operation[Any], Any] = {}

        def execute(operation: Operation[Any]) -> Any:
            if not operation.reads:
                held.clear()
                return engine.execute(operation)
            if operation not in held:
                held[operation] = engine.execute(operation)
            return held[operation]

        for port in (self.runs, self.events, self.metadata, self.specs, self.profiles):
            port._execute = execute  # noqa: SLF001 - the mistake


class _HandlesThatCache(BrokenInMemory):
    def open(self, clock: Clock) -> Stores:
        """Return a handle with a memory of its own."""
        return _Cached(super().open(clock).engine)


class _StoragesApart(BrokenInMemory):
    def open(self, clock: Clock) -> Stores:
        """Return a handle on a storage of its own."""
        self._stores = None
        return super().open(clock)


class _Volatile(MemoryEngine):
    def reopen(self) -> None:
        """Begin with nothing."""
        MemoryEngine.__init__(self, self._clock)


class _ChecksThenActs(MemoryEngine):
    """Compares with what a read gave, and writes a moment later without comparing again."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do a compare-and-swap of the flow state in two steps."""
        if type(operation) is not ops.CasFlowState:
            return super().execute(operation)
        run: Any = super().execute(ops.GetRun(operation.run_id))
        time.sleep(_THINKING)
        if run is None or run.flow_state != operation.expected:
            return False
        run = super().execute(ops.GetRun(operation.run_id))
        return super().execute(ops.CasFlowState(operation.run_id, run.flow_state, operation.next))


_THINKING: Final = 0.001
"""Seconds between what a call reads and what it writes."""


class _SavesNowAndThen(BrokenInMemory):
    """Makes durable what it has answered with every third change."""

    def __init__(self, name: str, storage: Callable[[Clock], Stores]) -> None:
        super().__init__(name, storage)
        self._saved: dict[str, Any] = {}
        self._changes = 0

    def open(self, clock: Clock) -> Stores:
        """Return a handle on what there is, or on what was saved before the backend died."""
        fresh = self._stores is None
        stores = super().open(clock)
        parts = {kind.store: part for kind, (part, _) in stores.engine._calls.items()}  # type: ignore[attr-defined]  # noqa: SLF001
        if fresh:
            for name, state in self._saved.items():
                parts[name].state = state
            self._watch(stores, parts)
        return stores

    def _watch(self, stores: Stores, parts: dict[str, Any]) -> None:
        execute = stores.engine.execute

        def saving(operation: Operation[Any]) -> Any:
            answer = execute(operation)
            self._changes += not operation.reads
            if self._changes % 3 == 0:
                self._saved = {name: part.state for name, part in parts.items()}
            return answer

        for port in (stores.runs, stores.events, stores.metadata, stores.specs, stores.profiles):
            port._execute = saving  # noqa: SLF001 - the mistake

    def crash(self) -> None:
        """Die, and forget what was not saved."""
        self._stores = None


class _TakesAnything(BrokenInMemory):
    """Answers an output that has no JSON form as if it had been stored."""

    def open(self, clock: Clock) -> Stores:
        """Return a handle that looks at no output."""
        stores = super().open(clock)
        runs: Any = stores.runs
        put = runs.put_step_output

        def put_step_output(*arguments: Any, **named: Any) -> None:
            with suppress(Serialization):
                put(*arguments, **named)

        stores.runs = _Instead(runs, put_step_output)  # type: ignore[assignment]
        return stores


class _Instead:
    def __init__(self, port: Any, put_step_output: Callable[..., None]) -> None:
        self._port = port
        self.put_step_output = put_step_output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def _storage(clock: Clock) -> Stores:
    return Stores(MemoryEngine(clock))


for _name, _mistake, _chapter, _opens in (
    ("cached-reads", "a handle remembers what it read, whatever others write", "handles", _HandlesThatCache),
    ("storage-of-its-own", "every handle has a storage of its own", "handles", _StoragesApart),
    (
        "saved-now-and-then",
        "only every third change is made durable",
        "crashes",
        _SavesNowAndThen,
    ),
    ("bad-output-swallowed", "an output that has no JSON form is taken, and lost", "bad-input", _TakesAnything),
):
    _make = functools.partial(_opens, _name, _storage)
    BACKENDS.append(BrokenBackend(_name, _mistake, _chapter, Kind.MEMORY, _make))
_add("checked-then-done", "cas_flow_state compares, and writes without comparing again", "threads", _ChecksThenActs)
_add("forgotten-when-reopened", "nothing is left when the storage is opened again", "handles", _Volatile)
