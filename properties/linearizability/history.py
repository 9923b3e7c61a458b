"""Histories: what processes called, what they were answered, and when.

A history is a sequence of events, invocations and responses, in one total order; where times are known, at equal
times invocations come before responses.  A call spans the places of its two events in that order.  Its outcome is
*ok* (answered), *fail* (it did not happen), *info* (nobody knows whether it happened) or *pending* (no response
when the history ended, which is as good as info).

A history is kept in columns, so that a million calls are a few lists and no objects; `History.call` makes a row
readable.  The recorder costs a clock and an append for each event, and takes no lock.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import attrs

T = TypeVar("T")

NEVER: Final = 1 << 62
"""The place of a response that did not come: after all others."""


class Outcome(enum.IntEnum):
    """What is known of a call."""

    OK = 0
    FAIL = 1
    INFO = 2
    PENDING = 3

    @property
    def is_known(self) -> bool:
        """Whether the call was answered, so that it happened and its answer counts."""
        return self is Outcome.OK


class MalformedHistory(ValueError):
    """A history that breaks a rule.

    Attributes:
        place: where, such as ``"line 3"``.
        rule: the rule, in words.
    """

    def __init__(self, place: str, rule: str) -> None:
        super().__init__(f"{place}: {rule}" if place else rule)
        self.place, self.rule = place, rule


@attrs.frozen
class Call:
    """One call of a history, to be read by people.

    Attributes:
        row: its row in the history.
        process: who made it.
        f: the name of the operation.
        key: the object that it is about, where the history has several.
        value: its argument.
        answer: what it was answered, None unless the outcome is ok.
        outcome: what is known of it.
        inv: the place of its invocation in the order of events.
        res: the place of its response, `NEVER` if the outcome is not known.
    """

    row: int
    process: Hashable
    f: str
    key: Hashable
    value: Any
    answer: Any
    outcome: Outcome
    inv: int
    res: int

    def __str__(self) -> str:
        key = "" if self.key is None else f"{self.key!r}, "
        value = "" if self.value is None else f"{self.value!r}"
        answered = f"-> {self.answer!r}" if self.outcome is Outcome.OK else f"({self.outcome.name.lower()})"
        return f"{self.process}: {self.f}({(key + value).removesuffix(', ')}) {answered}"


class History:
    """Calls in the order of their invocations, in columns.

    The columns have one entry for each call, by its row: ``process``, ``f``, ``key``, ``value``, ``answer``,
    ``outcome``, and ``inv`` and ``res``, the places of its events in the order of all events (`NEVER` for a
    response that is not known).  ``inv`` increases.  ``began`` and ``ended`` are the times in nanoseconds, where
    they are known, else None.
    """

    __slots__ = ("answer", "began", "ended", "f", "inv", "key", "outcome", "process", "res", "value")

    def __init__(self) -> None:
        self.process: list[Any] = []
        self.f: list[str] = []
        self.key: list[Any] = []
        self.value: list[Any] = []
        self.answer: list[Any] = []
        self.outcome: list[Outcome] = []
        self.inv: list[int] = []
        self.res: list[int] = []
        self.began: list[int | None] = []
        self.ended: list[int | None] = []

    def __len__(self) -> int:
        return len(self.inv)

    def __iter__(self) -> Iterator[Call]:
        return map(self.call, range(len(self)))

    def call(self, row: int) -> Call:
        """Return the call of a row."""
        return Call(
            row,
            self.process[row],
            self.f[row],
            self.key[row],
            self.value[row],
            self.answer[row],
            self.outcome[row],
            self.inv[row],
            self.res[row],
        )

    def take(self, rows: Iterable[int]) -> History:
        """Return the history of some of the calls; their events keep their places."""
        chosen, taken = sorted(rows), History()
        for name in History.__slots__:
            column = getattr(self, name)
            setattr(taken, name, [column[row] for row in chosen])
        return taken

    @classmethod
    def of(cls, calls: Iterable[Call]) -> History:
        """Return the history of calls that say their places themselves; their rows are given anew."""
        history = cls()
        for call in sorted(calls, key=lambda call: call.inv):
            history.process.append(call.process)
            history.f.append(call.f)
            history.key.append(call.key)
            history.value.append(call.value)
            history.answer.append(call.answer)
            history.outcome.append(call.outcome)
            history.inv.append(call.inv)
            history.res.append(call.res if call.outcome.is_known else NEVER)
            history.began.append(None)
            history.ended.append(None)
        return history


@attrs.frozen
class Event:
    """An invocation (``outcome`` is None) or a response of a process.

    Attributes:
        answered: of a response: what was answered.
        time: in nanoseconds on any clock that all events of the history share; None when only the order is known.
        place: where it stands, for errors.
    """

    process: Hashable
    outcome: Outcome | None
    f: str
    value: Any = None
    key: Hashable = None
    answered: Any = None
    time: int | None = None
    place: str = ""


def history_of(events: Sequence[Event]) -> History:
    """Return the history of events.

    The events of each process stand in its own order, an invocation before its response.  Where all events have
    times, the times say the order of all events, and at equal times invocations come before responses; where none
    has, the order is that of the sequence.

    Raises:
        MalformedHistory: a response without invocation, a second invocation before the response of the first, a
            response before its invocation, or times at some events only.
    """
    order = _order(events)
    place_of = [0] * len(events)
    for place, number in enumerate(order):
        place_of[number] = place
    open_calls: dict[Hashable, int] = {}
    spans: list[tuple[int, int]] = []
    for number, event in enumerate(events):
        begun = open_calls.pop(event.process, None)
        if event.outcome is None:
            if begun is not None:
                rule = f"process {event.process!r} invokes {event.f!r} before the response to its call"
                raise MalformedHistory(event.place, f"{rule} at {events[begun].place or f'event {begun}'}")
            open_calls[event.process] = number
            continue
        if begun is None:
            rule = f"a response to {event.f!r} of process {event.process!r}, which has no call without response"
            raise MalformedHistory(event.place, rule)
        if place_of[number] < place_of[begun]:
            raise MalformedHistory(event.place, "the response has an earlier time than its invocation")
        if events[begun].f != event.f:
            rule = f"process {event.process!r} invoked {events[begun].f!r}, and this is a response to {event.f!r}"
            raise MalformedHistory(event.place, rule)
        spans.append((begun, number))
    spans.extend((begun, -1) for begun in open_calls.values())
    spans.sort(key=lambda span: place_of[span[0]])
    return _filled(events, spans, place_of)


def _order(events: Sequence[Event]) -> list[int]:
    timed = sum(event.time is not None for event in events)
    if timed == 0:
        return list(range(len(events)))
    if timed < len(events):
        bare = next(event for event in events if event.time is None)
        raise MalformedHistory(bare.place, "an event without a time, and others have one: all or none")
    keys: list[tuple[int, bool]] = [(event.time or 0, event.outcome is not None) for event in events]
    return sorted(range(len(events)), key=keys.__getitem__)


def _filled(events: Sequence[Event], spans: list[tuple[int, int]], place_of: list[int]) -> History:
    history = History()
    for begun, ended in spans:
        invocation = events[begun]
        response = events[ended] if ended >= 0 else None
        outcome = Outcome.PENDING if response is None or response.outcome is None else response.outcome
        known = outcome is Outcome.OK
        history.process.append(invocation.process)
        history.f.append(invocation.f)
        history.key.append(invocation.key)
        history.value.append(invocation.value)
        history.answer.append(response.answered if known and response is not None else None)
        history.outcome.append(outcome)
        history.inv.append(place_of[begun])
        history.res.append(place_of[ended] if known else NEVER)
        history.began.append(invocation.time)
        history.ended.append(None if response is None else response.time)
    return history


class Process:
    """What one process (a thread, a task, a client) records of its calls, one call after the other.

    ``invoke`` before the call, then one of ``ok``, ``fail``, ``info``.  An instance belongs to one thread or task.
    """

    __slots__ = ("_append", "_clock", "_entries", "name")

    def __init__(self, name: Hashable, clock: Callable[[], int]) -> None:
        self.name = name
        self._clock = clock
        self._entries: list[tuple[Any, ...]] = []
        self._append = self._entries.append

    def invoke(self, f: str, value: Any = None, key: Hashable = None) -> None:
        """Note that a call begins.  Arguments are kept as they are: do not change them afterwards."""
        self._append((self._clock(), f, value, key))

    def ok(self, answer: Any = None) -> None:
        """Note that the call ended with an answer."""
        now = self._clock()
        self._append((now, Outcome.OK, answer))

    def fail(self) -> None:
        """Note that the call ended and certainly did not happen."""
        now = self._clock()
        self._append((now, Outcome.FAIL, None))

    def info(self) -> None:
        """Note that the call ended and nobody knows whether it happened."""
        now = self._clock()
        self._append((now, Outcome.INFO, None))

    def call(self, f: str, function: Callable[[Any], T], value: Any = None, key: Hashable = None) -> T:
        """Record ``function(value)`` as a call; one that raises is of unknown outcome."""
        self.invoke(f, value, key)
        try:
            answer = function(value)
        except BaseException:
            self.info()
            raise
        self.ok(answer)
        return answer

    def events(self) -> Iterator[Event]:
        """Yield what was recorded, as events."""
        invoked: tuple[Any, ...] = (0, "", None, None)
        for entry in self._entries:
            if isinstance(entry[1], Outcome):
                now, outcome, answer = entry
                yield Event(self.name, outcome, invoked[1], invoked[2], invoked[3], answer, now)
            else:
                invoked = entry
                yield Event(self.name, None, entry[1], entry[2], entry[3], None, entry[0])


class Recorder:
    """Records the history of threads, of asyncio tasks, or of this process among several.

    Each thread or task asks for a `Process` of its own.  Several operating system processes write one file each
    (`jsonl.write_events`), which are merged by time: the clock is monotonic and the same for all of one machine.

    Args:
        clock: gives nanoseconds that never decrease, on one clock for everybody.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._processes: list[Process] = []

    def process(self, name: Hashable | None = None) -> Process:
        """Return a new process; without a name it gets the next number."""
        process = Process(len(self._processes) if name is None else name, self._clock)
        self._processes.append(process)
        return process

    def events(self) -> list[Event]:
        """Return what was recorded so far, process by process."""
        return [event for process in self._processes for event in process.events()]

    def history(self) -> History:
        """Return the history of what was recorded so far, merged by time."""
        return history_of(self.events())
