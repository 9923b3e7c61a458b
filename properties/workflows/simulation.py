"""Simulation: drivers that take turns at one run, call by call, and die between calls.

A schedule is a list of numbers.  Each says whose turn it is, and what happens then: its request is answered; or it
dies before, or after the store has done the call; or those who seem to be gone are taken over.  When the numbers
have run out, the first driver that can goes on.  So a schedule is always complete, shorter ones are simpler, and
the same one does the same again.
"""

# ruff: noqa: SLF001 - a simulation makes another of itself

from __future__ import annotations

import copy
import enum
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import Internal, MobRun, Operation, State, Timestamp, step
from mobstore.model import operations as ops
from mobstore.model.callers.deciding import Decision
from mobstore.model.callers.driver import Choose, Contention, Driver, start
from mobstore.model.callers.flow import Flow
from mobstore.model.callers.requests import (
    EvaluateCondition,
    EvaluateUntil,
    Idle,
    PerformStep,
    ReadClock,
    Request,
)
from mobstore.properties.refinement import Comparison
from mobstore.properties.rotations import Mob
from mobstore.properties.source import laid_out
from mobstore.properties.subject import ManualClock, Outcome, outcome_of
from mobstore.properties.workflows.coverage import Coverage
from mobstore.properties.workflows.scenarios import MOB_ID, PARAMS, RUN_ID, Scenario
from mobstore.properties.workflows.watching import Violation, Watch, windows_of

_REMOTE_PEERS: Final = ("peer-a", "peer-b")
MOST_TURNS: Final = 20_000
"""Turns after which a run that has not ended is said to have no end."""


class Turn(enum.Enum):
    """What happens in a turn; the first ones are the likeliest."""

    GO_ON = 0
    DIE_BEFORE = 1
    DIE_AFTER = 2
    SUSPECT = 3


_TURNS: Final[Sequence[Turn]] = (*[Turn.GO_ON] * 21, Turn.DIE_BEFORE, Turn.DIE_AFTER, Turn.SUSPECT)

MOST_CHOICE: Final = 3 * len(_TURNS) - 1
"""The greatest number with a meaning of its own while three drivers are at work."""


@attrs.frozen
class Schedule:
    """Who does what when.

    Attributes:
        drivers: how many drivers are at work at once.
        choices: whose turn it is, and what happens in it, turn by turn.
        chooses: whether a driver chooses among what is due, by such a number too, or does the first.
        cancel_after: the turn in which another begins to cancel the run; None: nobody does.
        rotates: whether two supervisors rotate their key beside it, a request a turn, and die now and then.
    """

    drivers: int = 1
    choices: Sequence[int] = ()
    chooses: bool = False
    cancel_after: int | None = None
    rotates: bool = False


def dying_at(turn: int) -> Schedule:
    """Return the schedule of one driver that dies in a turn, and is replaced."""
    return Schedule(1, (0,) * turn + (_TURNS.index(Turn.DIE_BEFORE),))


MakeDriver: TypeAlias = Callable[..., Driver]


class _Worker:
    """A driver that takes turns: it has asked for something, and waits for the answer."""

    def __init__(self, flow: Flow, driver: Driver, *, cancels: bool) -> None:
        self.driver = driver
        self.cancels = cancels
        self.asks: Request | None = None
        self.is_parked = False
        self.undone: tuple[str, int] | None = None
        self._work: Any = self._working(flow, driver)
        self.answer(None)

    def _working(self, flow: Flow, driver: Driver) -> Any:
        yield from start(flow, RUN_ID, MOB_ID, PARAMS)
        yield from (driver.cancel() if self.cancels else driver.drive())

    def answer(self, answer: Any) -> None:
        """Let it go on until it asks again; then `asks` is that, or None at its end."""
        try:
            self.asks = self._work.throw(answer) if isinstance(answer, Internal) else self._work.send(answer)
        except StopIteration:
            self.asks = None

    def close(self) -> None:
        """Let it die."""
        if self._work is not None:
            self._work.close()

    def dying(self) -> _Worker:
        """Return one that asks for the same, and only dies."""
        new = copy.copy(self)
        new._work = None
        return new


class Model:
    """The model alone, in place of a `Comparison` with a backend: quicker, and it can be copied."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.state = State()

    def copy(self) -> Model:
        """Return another in the same state."""
        new = Model()
        new.clock.nanos, new.state = self.clock.nanos, self.state
        return new

    def tick(self) -> None:
        """Let the clock go on."""
        self.clock.tick()

    def call(self, operation: Operation[Any]) -> Outcome:
        """Make a call."""
        return outcome_of(lambda: self._execute(operation))

    def _execute(self, operation: Operation[Any]) -> Any:
        self.state, answer = step(self.state, operation, self.clock())
        return answer

    def observe_near(self, operation: Operation[Any]) -> None:
        """There is nothing to compare with."""


class Simulation:
    """One scenario under one schedule, on a backend beside the model.

    Args:
        scenario: what is done.
        schedule: by whom, and when.
        comparison: makes the calls on the backend and on the model.
        coverage: where what was reached is counted.
        make: makes a driver; the tests' broken drivers come in by it.
    """

    def __init__(
        self,
        scenario: Scenario,
        schedule: Schedule,
        comparison: Comparison | Model,
        coverage: Coverage,
        make: MakeDriver = Driver,
    ) -> None:
        self.performed: Counter[tuple[str, int]] = Counter()
        self.crashes = 0
        self._scenario, self._schedule = scenario, schedule
        self._comparison, self._coverage, self._make = comparison, coverage, make
        self._watch = Watch(coverage)
        self._choices: Iterator[int] = iter(schedule.choices)
        self._allowed: Counter[tuple[str, int]] = Counter()
        self._suspicions = 0
        self._workers: list[_Worker] = []

    @property
    def run_held(self) -> MobRun | None:
        """The run as the model holds it, and the backend showed it."""
        return self._comparison.state.run.runs.get(RUN_ID)

    def run(self) -> MobRun:
        """Do it all; return the run as it ended.

        Raises:
            Mismatch: the backend answered otherwise than the model.
            Violation: something that must stay true did not, or the run has no end.
        """
        self._workers = [self._new() for _ in range(self._schedule.drivers)]
        return self._finish()

    def _finish(self) -> MobRun:
        turns = 0
        mob = self._mob() if self._schedule.rotates else None
        while any(worker.asks is not None for worker in self._workers):
            if turns == self._schedule.cancel_after:
                self._workers.append(self._new(cancels=True))
            self._take_turn()
            if mob is not None:
                mob.advance()
            turns += 1
            if turns > MOST_TURNS:
                raise Violation(f"the run has not ended after {turns:,} turns")
        if mob is not None and not mob.settle():
            raise Violation("a supervisor that is left alone cannot finish the rotation")
        return self._ended()

    def _mob(self) -> Mob:
        """Return the supervisors of the mob; what they do depends on nothing but the turns."""
        chance = random.Random(0)  # noqa: S311 - no secret
        return Mob(lambda operation: self._comparison.call(operation).value, chance, 2, _REMOTE_PEERS)

    def _new(self, *, cancels: bool = False) -> _Worker:
        choose: Choose | None = self._choose if self._schedule.chooses else None
        return _Worker(self._scenario.flow, self._make(self._scenario.flow, RUN_ID, choose=choose), cancels=cancels)

    def _choose(self, due: Sequence[Decision]) -> Decision:
        return due[next(self._choices, 0) % len(due)]

    def _take_turn(self) -> None:
        live = [worker for worker in self._workers if worker.asks is not None]
        ready = [worker for worker in live if not worker.is_parked]
        number = next(self._choices, 0)
        if not ready:
            self._take_over(live[number % len(live)])
            return
        worker, turn = ready[number % len(ready)], _TURNS[number // len(ready) % len(_TURNS)]
        if turn is Turn.SUSPECT and isinstance(worker.asks, Idle):
            self._suspicions += 1
            self._take_over(worker)
        elif turn in (Turn.DIE_BEFORE, Turn.DIE_AFTER):
            self._die(worker, is_done=turn is Turn.DIE_AFTER)
        else:
            self._go_on(worker)

    def _take_over(self, worker: _Worker) -> None:
        worker.is_parked = False
        self._answer(worker, True)  # noqa: FBT003 - the answer to Idle

    def _go_on(self, worker: _Worker) -> None:
        if isinstance(worker.asks, Idle):
            worker.is_parked = True
            return
        self._answer(worker, self._done(worker))

    def _answer(self, worker: _Worker, answer: Any) -> None:
        try:
            worker.answer(answer)
        except Contention:
            self._replace(worker)

    def _die(self, worker: _Worker, *, is_done: bool) -> None:
        """A driver dies, before its request is answered, or when it was done."""
        if is_done and not isinstance(worker.asks, Idle):
            self._done(worker)
        self.crashes += 1
        self._coverage.windows.update(windows_of(self.run_held, self._comparison.state))
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        if worker.undone is not None:
            self._allowed[worker.undone] += 1
        worker.close()
        self._workers[self._workers.index(worker)] = self._new(cancels=worker.cancels)

    def windows(self) -> Iterator[tuple[str, ...]]:
        """Do it with one driver, and iterate over the windows that are open before each turn."""
        self._workers = [self._new()]
        while self._workers[0].asks is not None:
            yield tuple(windows_of(self.run_held, self._comparison.state))
            self._take_turn()

    # --- every crash --------------------------------------------------------------------------------------------

    def every_crash(self, deaths: int = 1) -> Iterator[MobRun]:
        """Do it with one driver that dies at every point, and iterate over the runs as they ended.

        A point is before or after each thing that it asks for.  The driver that replaces it dies at every point,
        too, until there were ``deaths``.

        Raises:
            Mismatch: the backend answered otherwise than the model.
            Violation: something that must stay true did not, or a run has no end.
        """
        self._workers = self._workers or [self._new()]
        while (worker := self._workers[0]).asks is not None:
            for is_done in (False, True):
                fork = self._fork(worker.dying())
                fork._die(fork._workers[0], is_done=is_done)
                yield from fork.every_crash(deaths - 1) if deaths > 1 else (fork._finish(),)
            if isinstance(worker.asks, Idle):
                self._take_over(worker)
            else:
                self._go_on(worker)
        self._ended()

    def _fork(self, worker: _Worker) -> Simulation:
        comparison = self._comparison
        assert isinstance(comparison, Model), "only the model can be in two states at once"
        new = Simulation(self._scenario, self._schedule, comparison.copy(), self._coverage, self._make)
        new._watch, new._workers, new.crashes = self._watch.copy(), [worker], self.crashes
        new.performed, new._allowed = Counter(self.performed), Counter(self._allowed)
        new._suspicions = self._suspicions
        return new

    # --- what is asked for --------------------------------------------------------------------------------------

    def _done(self, worker: _Worker) -> Any:
        """Do what a driver asks for; return the answer."""
        asked = worker.asks
        if isinstance(asked, Operation):
            return self._called(worker, asked)
        if isinstance(asked, ReadClock):
            self._comparison.tick()
            return Timestamp.from_nanos(self._comparison.clock())
        if isinstance(asked, EvaluateCondition):
            return self._scenario.condition(asked)
        if isinstance(asked, EvaluateUntil):
            return self._scenario.until(asked)
        assert isinstance(asked, PerformStep), "there are no other requests"
        return self._perform(worker, asked)

    def _perform(self, worker: _Worker, asked: PerformStep) -> Any:
        key = asked.place.address, asked.attempt
        self.performed[key] += 1
        worker.undone = key
        if self.performed[key] > 1 + self._allowed[key] + self._suspicions:
            raise Violation(f"{asked.place.address!r}, attempt {asked.attempt}, was done twice")
        return self._scenario.perform(asked)

    def _called(self, worker: _Worker, operation: Operation[Any]) -> Any:
        outcome = self._comparison.call(operation)
        if outcome.kind is not None:
            if outcome.kind != "Internal" or not isinstance(operation, ops.CreateRun):
                raise Violation(f"{operation.call} failed: {outcome.kind}: {outcome.message}")
            return Internal(outcome.message)
        planned = worker.driver.planned
        if planned is not None and planned.operation is operation:
            self._coverage.commit(planned.commit.name, type(planned.operation), made=outcome.value)
        if not operation.reads:
            worker.undone = worker.undone if outcome.value is False else None
            self._comparison.observe_near(operation)
            self._watch.look(self.run_held, self._comparison.state, suspected=self._suspicions > 0)
            for other in self._workers:
                other.is_parked = False
        return outcome.value

    # --- the end ------------------------------------------------------------------------------------------------

    def _ended(self) -> MobRun:
        run = self.run_held
        if run is None or not run.status.is_terminal:
            raise Violation("the drivers have ended, and the run has not")
        if len(self._comparison.state.event.terminal) != 1:
            raise Violation("the run has ended, and no event says so")
        return run


def simulate(
    scenario: Scenario,
    schedule: Schedule,
    comparison: Comparison | Model,
    coverage: Coverage | None = None,
    make: MakeDriver = Driver,
) -> MobRun:
    """Run a scenario under a schedule, and return the run as it ended; see `Simulation`.

    Raises:
        Mismatch: the backend answered otherwise than the model.
        Violation: something that must stay true did not.
        Exception: a driver failed.  Each has a note, the program that does it again.
    """
    simulation = Simulation(scenario, schedule, comparison, Coverage() if coverage is None else coverage, make)
    try:
        return simulation.run()
    except Exception as error:
        error.add_note(program(scenario, schedule))
        raise


_INDENT: Final = " " * 4


def program(scenario: Scenario, schedule: Schedule) -> str:
    """Return a test that runs a scenario under a schedule."""
    lines = [
        "from mobstore.model.callers.flow import *",
        "from mobstore.model.values import *",
        "from mobstore.properties.workflows.scenarios import *",
        "from mobstore.properties.workflows.simulation import *",
        "",
        "",
        "def test_counterexample() -> None:",
        f"    scenario = {laid_out(scenario, _INDENT)}",
        f"    simulate(scenario, {laid_out(schedule, _INDENT)}, Model())",
    ]
    return "\n".join(lines) + "\n"
