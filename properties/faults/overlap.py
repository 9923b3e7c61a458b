"""Power cuts in the middle of calls that overlap: durable linearizability.

Several handles, each with a connection of its own as if it were another process, make a few calls each at the same
time, one statement at a time in an order that a seed decides.  Wherever the power is cut, the store must come back
in a state that some sequential order of the calls leads to: an order that respects real time, has every call that
had answered, with its answer, and any of those that had not.  (Izraelevitz, Mendes and Scott, *Linearizability of
persistent memory objects under a full-system-crash failure model*, DISC 2016.)  The orders are tried one by one.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Final

import attrs

from mobstore.backends._stores import Stores
from mobstore.backends.sqlite._session import BEGIN_WRITE
from mobstore.model import Operation, State, step
from mobstore.properties import smoke
from mobstore.properties.faults.disk import Disk
from mobstore.properties.faults.power import Cutter, Level, Tally
from mobstore.properties.faults.storage import Judge, Look, Storage, expected_look
from mobstore.properties.subject import ManualClock, Outcome, outcome_of, same_outcome

HANDLES: Final = 3
CALLS_EACH: Final = 2

_BEGINNING: Final = smoke.CALLS[:1]
_POOL: Final = tuple(call for call in smoke.EXECUTED[2:] if call.store in ("run", "event", "spec", "metadata"))


@attrs.define
class Call:
    """A call of a history: its places in the order of everything, and in the log of the disk."""

    operation: Operation[Any]
    invoked: int
    answered: int | None = None
    log_invoked: int = 0
    log_answered: int | None = None
    outcome: Outcome = attrs.field(factory=Outcome)


class Scheduler:
    """Lets one of several threads go on at a time, statement by statement; a seed decides which.

    A thread waits for its turn before every statement (`pause`).  One that is about to begin a transaction that
    writes cannot go on while another is in one.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._turn = threading.Condition()
        self._waiting: dict[int, str] = {}
        self._running: int | None = None
        self._writer: int | None = None
        self._alive: set[int] = set()
        self._me = threading.local()
        self.order: list[int] = []

    def pause(self, what: str) -> None:
        """Wait for this thread's turn; a thread that is not scheduled goes on."""
        me: int | None = getattr(self._me, "number", None)
        if me is None:
            return
        with self._turn:
            if what == _BETWEEN and self._writer == me:
                self._writer = None
            self._waiting[me] = what
            self._running = None
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._running == me)
            if what == BEGIN_WRITE:
                self._writer = me

    def run(self, prepare: Callable[[int], Any], works: Sequence[Callable[[], None]]) -> None:
        """Do all works, each in a thread that prepares itself unscheduled; raise what one of them raises."""
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                # A thread opens its connection under a lock, where it must not wait for its turn.
                prepare(number)
                self._me.number = number
                self.pause(_BETWEEN)
                works[number]()
            except BaseException as error:  # noqa: BLE001 - raised again below
                failures.append(error)
            finally:
                with self._turn:
                    self._alive.discard(number)
                    self._writer = None if self._writer == number else self._writer
                    self._running = None
                    self._turn.notify_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(works))]
        self._alive = set(range(len(works)))
        for thread in threads:
            thread.start()
        self._direct()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _direct(self) -> None:
        with self._turn:
            while True:
                self._turn.wait_for(lambda: self._running is None and self._alive <= self._waiting.keys())
                if not self._alive:
                    return
                able = [
                    number
                    for number in sorted(self._alive)
                    if self._waiting[number] != BEGIN_WRITE or self._writer in (None, number)
                ]
                chosen = self._rng.choice(able)
                del self._waiting[chosen]
                self.order.append(chosen)
                self._running = chosen
                self._turn.notify_all()


_BETWEEN: Final = "between two calls"


class Schedule:
    """Calls by several handles at the same time, on a disk, in an order that the seed decides."""

    def __init__(self, storage: Storage, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - no secret
        self.disk = Disk()
        self.clock = ManualClock()
        self.state = State()
        self.history: list[Call] = []
        self.begun = 0
        self._storage = storage
        self._moment = 0
        self._scheduler = Scheduler(self.rng)
        self.plans = [[self.rng.choice(_POOL) for _ in range(CALLS_EACH)] for _ in range(HANDLES)]

    @property
    def name(self) -> str:
        """Who calls what, and in which order the statements came."""
        plans = "; ".join(
            f"{number}: {', '.join(call.call for call in plan)}" for number, plan in enumerate(self.plans)
        )
        return f"handles {plans}; turns {''.join(map(str, self._scheduler.order))}"

    @property
    def calls(self) -> tuple[str, ...]:
        """The names of the calls, each once."""
        return tuple(sorted({call.call for plan in self.plans for call in plan}))

    def run(self) -> None:
        """Make the calls."""
        with ExitStack() as stack:
            handles = [
                stack.enter_context(self._storage.open(self.disk, self.clock, self._scheduler.pause))
                for _ in range(HANDLES)
            ]
            for operation in _BEGINNING:
                self.state, _ = step(self.state, operation, self.clock())
                handles[0].execute(operation)
            self.begun = len(self.disk.log)
            self._scheduler.run(
                lambda number: outcome_of(handles[number].events.latest_cursor).value,
                [
                    lambda stores=stores, plan=plan: self._work(stores, plan)  # type: ignore[misc]
                    for stores, plan in zip(handles, self.plans, strict=True)
                ],
            )
            self.disk_at_end = len(self.disk.log)

    def _work(self, stores: Stores, plan: Sequence[Operation[Any]]) -> None:
        for operation in plan:
            call = Call(operation, self._next_moment(), log_invoked=len(self.disk.log))
            self.history.append(call)
            call.outcome = outcome_of(lambda: stores.execute(operation))  # noqa: B023
            call.answered, call.log_answered = self._next_moment(), len(self.disk.log)
            self._scheduler.pause(_BETWEEN)

    def _next_moment(self) -> int:
        # One thread goes on at a time.
        self._moment += 1
        return self._moment

    # --- what may be there after a power cut ----------------------------------------------------------------

    def looks(self) -> Callable[[int], Sequence[Look]]:
        """Return what may be seen after a power cut at a point of the log since the calls began."""
        known: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Look, ...]] = {}

        def allowed(point: int) -> Sequence[Look]:
            at = self.begun + point
            answered = tuple(n for n, call in enumerate(self.history) if call.log_answered <= at)  # type: ignore[operator]
            begun = tuple(n for n, call in enumerate(self.history) if call.log_invoked <= at and n not in answered)
            if (answered, begun) not in known:
                known[answered, begun] = self._orders(answered, begun)
            return known[answered, begun]

        return allowed

    def _orders(self, answered: tuple[int, ...], begun: tuple[int, ...]) -> tuple[Look, ...]:
        """The looks of all states that a legal order leads to."""
        found: list[Look] = []
        seen: set[Any] = set()

        def extend(state: State, left: frozenset[int], path: tuple[int, ...]) -> None:
            if not left & set(answered):
                now = expected_look(state, self.clock())
                if now not in found:
                    found.append(now)
            for n in sorted(left):
                call = self.history[n]
                if any(self.history[m].answered < call.invoked for m in left & set(answered) if m != n):  # type: ignore[operator]
                    continue
                after, outcome = _make(state, call.operation, self.clock())
                if n in answered and not same_outcome(outcome, call.outcome):
                    continue
                key = (left - {n}, id(after) if after is state else (path, n))
                if key not in seen:
                    seen.add(key)
                    extend(after, left - {n}, (*path, n))

        extend(self.state, frozenset(answered) | frozenset(begun), ())
        return tuple(found)


def _make(state: State, operation: Operation[Any], now: int) -> tuple[State, Outcome]:
    after = state

    def call() -> Any:
        nonlocal after
        after, answer = step(state, operation, now)
        return answer

    outcome = outcome_of(call)
    return after, outcome


def cut_schedules(storage: Storage, level: Level, seed: int, numbers: range | None = None) -> Iterator[Tally]:
    """Cut the power at every point of schedules of overlapping calls; ``numbers`` says which of the level's.

    Raises:
        AssertionError: a schedule has no sequential order even without a power cut.
    """
    for number in range(level.schedules) if numbers is None else numbers:
        schedule = Schedule(storage, seed + number)
        schedule.run()
        tally = Tally(schedule.name, schedule.calls)
        cutter = Cutter(Judge(storage, schedule.clock), level, seed + number)
        platter = schedule.disk.platter()
        platter.advance(schedule.disk.log[: schedule.begun])
        log = schedule.disk.log[schedule.begun : schedule.disk_at_end]
        allowed = schedule.looks()
        assert allowed(len(log)), f"no sequential order explains the answers: {schedule.name}"
        cutter.cut(tally, platter, log, len(log), allowed, schedule.disk.names)
        yield tally


def overlapping(calls: Sequence[Call]) -> int:
    """Return how many pairs of calls overlapped."""
    return sum(left.invoked < right.invoked < (left.answered or 0) for left in calls for right in calls)
