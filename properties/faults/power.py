"""The power fails at every operation of the disk, and any part of what was pending survives.

A call is made once; the disk's log says what it did.  After every event of the log the power is cut, under every
pattern of `survivals`, and what survived is recovered: the store must be in the state before or after the call, and
in the state after it once the call has answered, and so must a recovery be that is cut off itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import Operation, State, step
from mobstore.properties import smoke
from mobstore.properties.faults.disk import (
    Change,
    Disk,
    Event,
    Image,
    Link,
    Platter,
    Survival,
    SyncDirectory,
    Truncate,
    Unlink,
    Write,
    survivals,
)
from mobstore.properties.faults.storage import (
    Judge,
    Look,
    SqliteStorage,
    Storage,
    Unusable,
    difference,
    expected_look,
    tuned,
)
from mobstore.properties.subject import ManualClock, call_port


@attrs.frozen
class Level:
    """How much is tried.

    ``drawn``: subsets, and torn survivals, at each crash point, and how often each drawn damage of a page comes;
    ``recoveries``: of every how many images one has its own recovery cut off; ``faults``: of every how many
    operations one fails; ``schedules`` of overlapping calls, and ``kills`` of processes, are so many.
    """

    name: str
    drawn: int
    recoveries: int
    faults: int
    schedules: int
    kills: int


LEVELS: Final = {
    level.name: level
    for level in (
        Level("quick", drawn=1, recoveries=40, faults=7, schedules=4, kills=5),
        Level("ci", drawn=2, recoveries=60, faults=6, schedules=20, kills=30),
        Level("long", drawn=12, recoveries=60, faults=1, schedules=300, kills=400),
    )
}


@attrs.frozen
class Loss:
    """A power cut after which the store was in no state that it may be in: the proof.

    ``doing`` is the call that was cut off or had answered, ``log`` what it did to the disk, ``point`` how much of
    that was done, ``pending`` what was then not durable, ``survived`` which of it there was afterwards.
    """

    doing: str
    answered: bool
    log: tuple[Event, ...]
    point: int
    pending: tuple[Change, ...]
    survived: Survival
    names: Mapping[int, str]
    verdict: str

    @property
    def size(self) -> int:
        """How long its story is."""
        return self.point + len(self.pending)

    @property
    def crash_point(self) -> str:
        """When the power failed, and what came of it, in a line."""
        after = f"after {self.shown(self.log[self.point - 1])}" if self.point else "before any change"
        answered = "which had answered" if self.answered else "which had not answered"
        survived = f"survived of {len(self.pending)} pending changes: {self.survived.pattern}"
        return (
            f"{self.doing}, {answered}, cut {after} ({self.point} of {len(self.log)}); {survived}; {self.verdict}"
        )

    def shown(self, event: Event) -> str:
        """Return an event in words."""
        if isinstance(event, (Link, Unlink)):
            return f"{'create' if isinstance(event, Link) else 'delete'} {event.name}"
        if isinstance(event, SyncDirectory):
            return "sync of the directory"
        name = self.names.get(event.inode, f"file {event.inode}")
        if isinstance(event, Write):
            return f"write of {len(event.data)} bytes at {event.offset} of {name}"
        if isinstance(event, Truncate):
            return f"truncate {name} to {event.size}"
        return f"sync of {name}{' and the directory' if event.directory else ''}"

    def story(self) -> str:
        """Return what happened, line by line."""
        kept = set(map(id, self.survived.changes))
        lines = [f"{self.doing}:"]
        lines += [f"  {number + 1:3}. {self.shown(event)}" for number, event in enumerate(self.log[: self.point])]
        lines.append("  the call has answered" if self.answered else "  the call has not answered")
        lines.append(f"  power cut; survived of what was pending: {self.survived.pattern}")
        whole = "torn" not in self.survived.pattern
        for change in self.pending:
            fate = ("kept" if id(change) in kept else "lost") if whole else "torn"
            lines.append(f"    {fate}: {self.shown(change)}")
        lines.append(f"  then {self.verdict}")
        return "\n".join(lines)


@attrs.define
class Tally:
    """What was tried of a call: changes of the disk, points at which the power failed, and what came of it.

    ``images`` counts what was recovered, equal ones of one crash point once; ``recoveries`` those that came out of
    a recovery that was cut off; ``unchanged`` and ``changed`` say in which state the store was then.  ``calls``
    names the calls of a schedule, each once.
    """

    name: str
    calls: tuple[str, ...] = ()
    changes: int = 0
    points: int = 0
    images: int = 0
    recoveries: int = 0
    unchanged: int = 0
    changed: int = 0
    losses: list[Loss] = attrs.field(factory=list)

    def add(self, other: Tally) -> None:
        """Take another tally of the same thing in."""
        self.changes += other.changes
        self.points += other.points
        self.images += other.images
        self.recoveries += other.recoveries
        self.unchanged += other.unchanged
        self.changed += other.changed
        self.losses += other.losses


Allowed: TypeAlias = Callable[[int], Sequence[Look]]
"""The looks that are right when the power fails after so many changes; the last of them is the newest state."""


class Cutter:
    """Cuts the power at every point of a log, and judges what survives."""

    def __init__(self, judge: Judge, level: Level, seed: int) -> None:
        self.judge = judge
        self._level = level
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._until_recovery = level.recoveries
        self._places: dict[tuple[int, ...], int | None] = {}

    def cut(
        self,
        tally: Tally,
        platter: Platter,
        log: Sequence[Event],
        answered_at: int,
        allowed: Allowed,
        names: Mapping[int, str],
    ) -> None:
        """Cut the power before the first, and after every event of ``log``, from the platter's state on.

        ``answered_at`` is the first point at which the call has answered.
        """
        seen: set[Any] = set()
        self._places.clear()
        tally.changes += len(log)
        for point in range(len(log) + 1):
            if point:
                platter.advance(log[point - 1 : point])
            tally.points += 1
            looks = allowed(point)
            for survival in survivals(platter.pending, self._rng, self._level.drawn):
                key = (platter.version, survival.key, id(looks))
                if key in seen:
                    continue
                seen.add(key)
                verdict = self._verdict(tally, platter.surviving(survival.changes), looks)
                if verdict:
                    answered = point >= answered_at
                    pending = tuple(platter.pending)
                    tally.losses.append(
                        Loss(tally.name, answered, tuple(log), point, pending, survival, names, verdict)
                    )

    def _verdict(self, tally: Tally, image: Image, looks: Sequence[Look]) -> str:
        """Recover an image; return what is wrong with it, or nothing."""
        tally.images += 1
        try:
            found, recovery = self.judge.judge(image)
        except Unusable as error:
            return f"the store is unusable: {error}"
        which = self._place(found, looks)
        if which is None:
            return difference(found, looks[-1])
        tally.changed += which == len(looks) - 1
        tally.unchanged += which != len(looks) - 1
        return self._recover(tally, image, recovery, found)

    def _recover(self, tally: Tally, image: Image, recovery: Sequence[Event], found: Look) -> str:
        """Cut the recovery itself off, now and then: what it was doing is done again."""
        self._until_recovery -= 1
        if self._until_recovery > 0 or not recovery:
            return ""
        self._until_recovery = self._level.recoveries
        platter = Disk(image).platter()
        for event in recovery[:-1]:
            platter.advance((event,))
            for survival in survivals(platter.pending[-_DEPTH:], self._rng, 1):
                tally.recoveries += 1
                kept = (*platter.pending[:-_DEPTH], *survival.changes)
                try:
                    again, _ = self.judge.judge(platter.surviving(kept))
                except Unusable as error:
                    return f"a recovery was cut off, and then the store is unusable: {error}"
                if again is not found and difference(again, found):
                    return f"a recovery was cut off, and then {difference(again, found)}"
        return ""

    def _place(self, found: Look, looks: Sequence[Look]) -> int | None:
        """Which of the looks it is; looks live as long as a log is cut, and so do their ids."""
        key = (id(found), *map(id, looks))
        if key not in self._places:
            same = (place for place in reversed(range(len(looks))) if not difference(found, looks[place]))
            self._places[key] = next(same, None)
        return self._places[key]


_DEPTH: Final = 3
"""How many of a recovery's pending changes may be lost by themselves; those before them are there."""


# --- calls one after another --------------------------------------------------------------------------------

_SHORT_LOG: Final = "PRAGMA wal_autocheckpoint = {}"


def sqlite_storages() -> tuple[Storage, ...]:
    """Return our SQLite backend with a log that is written back now and then, and after every commit.

    SQLite does so after 1,000 frames, of which an image would read all.
    """
    return tuple(
        SqliteStorage(f"sqlite, log of {frames} frame{'s' * (frames > 1)}", tuned((_SHORT_LOG.format(frames),)))
        for frames in (24, 1)
    )


CHANGING: Final = tuple(call for call in smoke.EXECUTED if not call.reads)


class _Session:
    """A storage on a new disk, the model beside it, and how far the log has been read."""

    def __init__(self, storage: Storage, level: Level, seed: int) -> None:
        self.disk = Disk()
        self.clock = ManualClock()
        self.judge = Judge(storage, self.clock)
        self.cutter = Cutter(self.judge, level, seed)
        self.state = State()
        self.platter = self.disk.platter()
        self.read = 0

    def cut(self, tally: Tally, before: Look | None, after: Look) -> None:
        """Cut the log that came since the last time, at every point."""
        log = self.disk.log[self.read :]
        self.read = len(self.disk.log)
        unanswered, answered = ((after,) if before is None else (before, after)), (after,)

        def allowed(point: int) -> Sequence[Look]:
            return answered if point == len(log) else unanswered

        self.cutter.cut(tally, self.platter, log, len(log), allowed, self.disk.names)


def cut_calls(
    storage: Storage,
    level: Level,
    seed: int,
    calls: Iterable[Operation[Any]] = CHANGING,
    *,
    until_loss: bool = False,
) -> list[Tally]:
    """Make the calls one after another, the creation of the storage first, and cut each at every point.

    Raises:
        AssertionError: a call comes to something else than in the model.
    """
    session = _Session(storage, level, seed)
    tallies = [Tally("open")]
    look = expected_look(session.state, session.clock())
    with storage.open(session.disk, session.clock) as stores:
        session.cut(tallies[0], None, look)
        for call in calls:
            session.state, answer = step(session.state, call, session.clock())
            answered = call_port(stores, call)
            assert answered == answer, f"{storage.name}: {call.call} answered {answered!r}"
            before, look = look, expected_look(session.state, session.clock())
            tallies.append(Tally(call.call))
            session.cut(tallies[-1], before, look)
            if until_loss and tallies[-1].losses:
                break
    return tallies


def by_name(tallies: Iterable[Tally]) -> list[Tally]:
    """Return one tally for each name."""
    found: dict[str, Tally] = {}
    for tally in tallies:
        found.setdefault(tally.name, Tally(tally.name)).add(tally)
    return list(found.values())
