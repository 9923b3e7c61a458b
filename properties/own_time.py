"""Backends that keep their own time: what their clocks put into answers is taken for what the suite's clock says.

A backend whose factory hands it no clock cannot be told the suite's time, with which the model goes.  So:

- An event without a time is sent with the suite's, since `prune` compares events' times with the caller's; that the
  store stamps events by itself is checked apart (`stamps`).
- ``completed_at`` of a run, and the times of a profile, are compared with nothing by the store.  Each one that is
  answered stands for the suite's time of the call that set it, and has to stay.
- A time that is further than `SKEW` from this machine's is none that the store's clock has told, and is left.
"""

from __future__ import annotations

import inspect
import time
from typing import Any, ClassVar, Final, TypeVar

import attrs

from mobstore.backends._base import Clock, Subscription
from mobstore.backends._stores import Stores
from mobstore.model import ROWS, Cell, MobRun, NewMobEvent, Operation, StoredRealmProfile, Timestamp, evolve
from mobstore.model import operations as ops
from mobstore.properties.subject import Abandoned, call_port

A = TypeVar("A")

SKEW: Final = 3_600 * 10**9
"""How far the clocks of the store and of this machine may be apart, in nanoseconds."""

RESOLUTION: Final = 2_000_000
"""How coarse the store's clock may be, in nanoseconds."""


def keeps_time(factory: Any) -> bool:
    """Whether a factory's ``open`` takes no clock."""
    return not inspect.signature(factory.open).parameters


def is_told(when: Timestamp) -> bool:
    """Whether a time can be of a clock that goes about right."""
    return abs(when.seconds * 10**9 + when.nanos - time.time_ns()) <= SKEW


@attrs.define
class Times:
    """Which of the suite's times the times of one storage stand for."""

    tried: dict[str, int] = attrs.field(factory=dict)
    ended: dict[str, int] = attrs.field(factory=dict)
    completions: dict[str, Timestamp] = attrs.field(factory=dict)
    given: dict[str, Timestamp] = attrs.field(factory=dict)
    created: dict[tuple[str, Timestamp], int] = attrs.field(factory=dict)
    updated: dict[tuple[str, Timestamp], int] = attrs.field(factory=dict)

    # --- runs -----------------------------------------------------------------------------------------------

    def run(self, run: MobRun, now: int) -> MobRun:
        """Return a run with the suite's time in ``completed_at``, unless its creator has set that."""
        name, when = run.run_id, run.completed_at
        if when is None or self.given.get(name) == when or not is_told(when):
            return run
        if self.completions.setdefault(name, when) != when:
            return run
        meant = self.ended.get(name, self.tried.get(name, now))
        return evolve(run, {"completed_at": Timestamp.from_nanos(meant)})

    # --- profiles -------------------------------------------------------------------------------------------

    def profile(self, held: StoredRealmProfile, now: int) -> StoredRealmProfile:
        """Return a profile with the suite's times."""
        return evolve(
            held,
            {
                "created_at": _meant(self.created, held.name, held.created_at, now),
                "updated_at": _meant(self.updated, held.name, held.updated_at, now),
            },
        )


def _meant(known: dict[tuple[str, Timestamp], int], name: str, when: Timestamp, now: int) -> Timestamp:
    if not is_told(when):
        return when
    return Timestamp.from_nanos(known.setdefault((name, when), now))


_STATUS_OF: Final[dict[type[Operation[Any]], str]] = {
    row.operation: write.argument for row in ROWS for write in row.writes if write.cell is Cell.STATUS
}
"""Of each call that sets a run's status, the argument with it."""


class _Engine:
    """Makes the calls of one handle, and reads the store's times as the suite's."""

    blocks: ClassVar[bool] = True

    def __init__(self, stores: Any, clock: Clock, times: Times) -> None:
        self._stores = stores
        self._clock = clock
        self._times = times
        self.reopen = stores.reopen
        self.close = stores.close

    def execute(self, operation: Operation[A]) -> A:
        """Do the call; see `mobstore.backends._base.Engine`."""
        now = self._clock()
        ends = self._ends(operation)
        if ends:
            self._times.tried[operation.run_id] = now  # type: ignore[attr-defined]
        if isinstance(operation, ops.UpdateProfile):
            # A time that did not change is told from one that could not.
            time.sleep(RESOLUTION / 10**9)
        answer: Any = call_port(self._stores, _stamped(operation, now))
        if ends and answer:
            self._times.ended.setdefault(operation.run_id, now)  # type: ignore[attr-defined]
        if isinstance(operation, ops.CreateRun) and operation.run.completed_at is not None:
            self._times.given[operation.run.run_id] = operation.run.completed_at
        return self._read(answer, now)  # type: ignore[no-any-return]

    def _ends(self, operation: Operation[Any]) -> bool:
        argument = _STATUS_OF.get(type(operation))
        return argument is not None and getattr(operation, argument).is_terminal

    def _read(self, answer: Any, now: int) -> Any:
        if isinstance(answer, MobRun):
            return self._times.run(answer, now)
        if isinstance(answer, StoredRealmProfile):
            return self._times.profile(answer, now)
        if isinstance(answer, tuple):
            return tuple(self._read(each, now) for each in answer)
        return answer

    def subscribe(self) -> Subscription:
        """Begin to deliver the events appended from now on."""
        subscription: Subscription = self._stores.events.subscribe()
        return subscription


def _stamped(operation: Operation[Any], now: int) -> Operation[Any]:
    if isinstance(operation, ops.AppendBatch):
        return evolve(operation, {"events": tuple(_with_time(event, now) for event in operation.events)})
    if isinstance(operation, ops.Append | ops.AppendTerminalEventIfAbsent):
        return evolve(operation, {"event": _with_time(operation.event, now)})
    return operation


def _with_time(event: NewMobEvent, now: int) -> NewMobEvent:
    return event if event.timestamp is not None else evolve(event, {"timestamp": Timestamp.from_nanos(now)})


def over(stores: Any, clock: Clock, times: Times) -> Stores:
    """Return a handle whose times are the suite's, over one that keeps its own."""
    return Stores(_Engine(stores, clock, times))


class OwnTimeFactory:
    """A factory whose handles show the suite's time, over one whose ``open`` takes no clock, with all it has."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory
        self._times = Times()
        self.name: str = factory.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_factory"], name)

    def open(self, clock: Clock) -> Stores:
        """Return a new handle."""
        return over(self._factory.open(), clock, self._times)

    def open_as_it_is(self) -> Any:
        """Return a new handle that shows the store's own times."""
        return self._factory.open()

    def destroy(self) -> None:
        """Remove the storage."""
        self._factory.destroy()
        self._times = Times()


_EVENT: Final = NewMobEvent("mob", {"type": "mob_reset"})  # type: ignore[arg-type]


def too_coarse(factory: Any) -> str:
    """Return why the time that a backend keeps itself cannot be taken for the suite's, or nothing.

    Whatever else is wrong with it, chapters tell.
    """
    open_as_it_is = getattr(factory, "open_as_it_is", None)
    if open_as_it_is is None:
        return ""
    try:
        events = open_as_it_is().events
        first = events.append(_EVENT).timestamp
        time.sleep(RESOLUTION / 10**9)
        second = events.append(_EVENT).timestamp
    except (Exception, Abandoned):  # noqa: BLE001 - whatever a backend raises
        return ""
    if first != second or not is_told(first):
        return ""
    return (
        f"{factory.name} keeps its own time, which must be finer than {RESOLUTION // 10**6} ms, and stamped two "
        f"events that far apart with {first}: let it take the suite's clock, or a finer one"
    )


def stamps_program(source: str) -> str:
    """Return a test that lets a backend stamp an event; ``source`` makes a factory, in Python."""
    return (
        "from mobstore.properties.own_time import *\n"
        "from mobstore.properties.subject import *\n"
        "\n\n"
        "def test_counterexample() -> None:\n"
        f"    _, wrong = stamps({source})\n"
        "    assert not wrong, wrong\n"
    )


def stamps(factory: Any) -> tuple[int, str]:
    """Let a backend that keeps its own time stamp an event.

    Return how many calls were made, and what is wrong with the time, or nothing.
    """
    open_as_it_is = getattr(factory, "open_as_it_is", None)
    try:
        return (0, "") if open_as_it_is is None else _stamped_by(open_as_it_is())
    finally:
        factory.destroy()


def _stamped_by(stores: Any) -> tuple[int, str]:
    event = stores.events.append(_EVENT)
    if not is_told(event.timestamp):
        here = Timestamp.from_nanos(time.time_ns())
        return 1, f"an event without a time was given {event.timestamp}, while it was {here} here"
    held = stores.events.replay_all()[-1]
    told = f"an event was answered with {event.timestamp}, and is held with {held.timestamp}"
    return 2, "" if held == event else told
