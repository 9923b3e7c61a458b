"""Refinement: Hypothesis drives a backend and the model with the same calls and compares all that can be seen.

There is one state machine for each store and rule group.  A rule is one call; after each call the two
outcomes, and what every reading call shows, must be the same.  A small group finds what a big one hides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

import attrs
import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.model import OPERATIONS, STORES, MobRun, Operation, State
from mobstore.model import operations as ops
from mobstore.model.wrappers import ROWS, Cell
from mobstore.properties import pools
from mobstore.properties.seeds import decided_by_seed
from mobstore.properties.shrinking import Steps, shrink
from mobstore.properties.source import Aside, Between, ClockSays, Line, Step, lines, program
from mobstore.properties.strategies import draw_operation
from mobstore.properties.subject import (
    ANY_ERROR,
    Factory,
    ManualClock,
    Outcome,
    Reference,
    call_port,
    capabilities_of,
    outcome_of,
    same_outcome,
)

Kind = type[Operation[Any]]


def _writing(*cells: Cell) -> tuple[Kind, ...]:
    """The calls that write only these cells (and perhaps the authority log)."""
    allowed = {*cells, Cell.AUTHORITY_LOG}
    return tuple(row.operation for row in ROWS if {write.cell for write in row.writes} <= allowed)


def _of_store(store: str) -> tuple[Kind, ...]:
    return tuple(kind for kind in OPERATIONS.values() if kind.store == store and not kind.reads)


GROUPS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "run-lifecycle": (ops.CreateRun, *_writing(Cell.STATUS, Cell.FLOW_STATE)),
    "run-ledgers": (
        ops.CreateRun,
        *_writing(Cell.STEP_LEDGER, Cell.STEP_OUTPUT, Cell.FAILURE_LEDGER, Cell.ITERATION_LEDGER),
    ),
    "run-frames": (ops.CreateRun, *_writing(Cell.FLOW_STATE, Cell.FRAME, Cell.OUTPUT)),
    "run-loops": (ops.CreateRun, *_writing(Cell.FLOW_STATE, Cell.LOOP, Cell.FRAME, Cell.ITERATION_LEDGER)),
    "run": _of_store("run"),
    "event": tuple(kind for kind in _of_store("event") if kind is not ops.Subscribe),
    "metadata-supervisor": tuple(kind for kind in _of_store("metadata") if "authority" in kind.call),
    "metadata-overlay": tuple(kind for kind in _of_store("metadata") if "overlay" in kind.call),
    "spec": _of_store("spec"),
    "profile": _of_store("profile"),
}
"""The rule groups by name; together they hold every call that can change something."""

_OBSERVATIONS: Final[Mapping[str, tuple[Operation[Any], ...]]] = {
    "run": (
        *(ops.GetRun(run_id) for run_id in pools.RUN_IDS),
        *(ops.ListRuns(mob_id) for mob_id in ("mob", "Mob", "mob ")),
        ops.ListRuns("mob", "flow"),
        ops.ListRuns("mob", "Flow"),
    ),
    "event": (ops.ReplayAll(), ops.LatestCursor(), ops.Poll(1, 2), ops.Poll(2, 1000)),
    "metadata": tuple(
        kind(mob_id)
        for mob_id in pools.MOB_IDS
        for kind in (ops.LoadSupervisorAuthority, ops.ListExternalBindingOverlays)
    ),
    "spec": (ops.ListSpecs(), *(ops.GetSpec(mob_id) for mob_id in pools.MOB_IDS)),
    "profile": (ops.ListProfiles(), *(ops.GetProfile(name) for name in pools.PROFILE_NAMES)),
}
"""The reading calls that together show the whole visible state over the pools of ids."""


READINGS: Final = tuple(reading for store in STORES for reading in _OBSERVATIONS[store])
"""Those of all stores."""


def near(operation: Operation[Any]) -> tuple[Operation[Any], ...]:
    """Return the reading calls that show what one call may have changed: all of a small store, or one run."""
    if operation.store != "run":
        return _OBSERVATIONS[operation.store]
    run_id = operation.run.run_id if isinstance(operation, ops.CreateRun) else operation.run_id  # type: ignore[attr-defined]
    return (ops.GetRun(run_id),)


def visible_state(stores: Stores) -> list[Outcome]:
    """Return what all the reading calls show, over the pools of ids."""
    return [outcome_of(lambda: call_port(stores, reading)) for reading in READINGS]  # noqa: B023


def observations(store: str) -> tuple[Operation[Any], ...]:
    """Return the reading calls that together show all of a store, over the pools of ids."""
    return _OBSERVATIONS[store]


@attrs.frozen
class Counterexample:
    """A sequence of calls whose last one did not come to what the contract says."""

    steps: tuple[Step, ...]
    answered: Outcome
    factory: str
    step: str = ""
    """The call that went wrong, and the reading call that showed it, if its own answer did not."""

    @property
    def calls(self) -> int:
        """How many calls it takes."""
        return sum(not isinstance(step, Between) for step in self.steps)

    def lines(self) -> tuple[Line, ...]:
        """Return its steps in words."""
        return lines(self.steps, self.answered)

    def program(self) -> str:
        """Return it as a test to paste."""
        return program(self.steps, self.answered, self.factory)


class Mismatch(AssertionError):
    """The backend and the model came apart."""

    def __init__(self, counterexample: Counterexample, calls: int = 0) -> None:
        super().__init__(counterexample.program())
        self.counterexample = counterexample
        self.calls = calls


class Comparison:
    """A backend and the model, given the same calls; raises `Mismatch` at the first difference."""

    def __init__(self, factory: Factory, source: str, reached: Counter[tuple[str, str]] | None = None) -> None:
        self.reached: Counter[tuple[str, str]] = Counter() if reached is None else reached
        self.clock = ManualClock()
        self.calls = 0
        self.factory = factory
        self._source = source
        self._stores = factory.open(self.clock)
        self._other: Stores | None = None
        self.capabilities = capabilities_of(factory)
        self._reference = Reference(self.clock, self.capabilities)
        self._steps: list[Step] = []
        self._last = ""

    @property
    def state(self) -> State:
        """The model's state."""
        return self._reference.state

    def tick(self) -> None:
        """Let the clock go on."""
        self.clock.tick()
        self._steps.append(Aside.TICK)

    def call(self, operation: Operation[Any]) -> Outcome:
        """Make a call on both and compare."""
        before = self.state
        step = operation.call
        if operation.reads:
            step = f"{self._last}, seen by {step}" if self._last else step
        else:
            self._last = operation.call
        expected, answered = self._both(operation)
        changed = "answered" if self.state is before else "changed"
        self.reached[operation.call, expected.kind or changed] += 1
        self._steps.append((operation, expected))
        self._compare(expected, answered, step)
        return expected

    def _both(self, operation: Operation[Any]) -> tuple[Outcome, Outcome]:
        """What a call must come to, and what it came to; of a call that is not there yet, any error will do."""
        self.calls += 1
        answered = outcome_of(lambda: call_port(self._stores, operation))
        if self.capabilities.is_not_yet(operation):
            return (ANY_ERROR if answered.kind is None else answered), answered
        return outcome_of(lambda: self._reference.execute(operation)), answered

    def observe_near(self, operation: Operation[Any]) -> None:
        """Compare what the reading calls show of the things that a call is about."""
        self._observe(near(operation))

    def observe(self, store: str) -> None:
        """Compare all that the store's reading calls show."""
        self._observe(_OBSERVATIONS[store])

    def _observe(self, readings: Iterable[Operation[Any]]) -> None:
        for operation in readings:
            expected, answered = self._both(operation)
            if not same_outcome(expected, answered):
                self._steps.append((operation, expected))
                self._compare(expected, answered, f"{self._last or 'opening'}, seen by {operation.call}")

    def reopen(self) -> None:
        """Drop the backend's handles and open the storage again."""
        self._steps.append(Aside.REOPEN)
        self._stores.reopen()

    def switch(self) -> None:
        """Go on through the other handle on the same storage, which is opened when it is first used."""
        self._steps.append(Aside.SWITCH)
        other = self.factory.open(self.clock) if self._other is None else self._other
        self._stores, self._other = other, self._stores

    def crash(self) -> None:
        """Let the backend die, and open what is there afterwards."""
        self._dies(Aside.CRASH, self.factory.crash)  # type: ignore[attr-defined]

    def kill(self) -> None:
        """Let the backend be killed, and open what is there afterwards."""
        self._dies(Aside.KILL, self.factory.kill)  # type: ignore[attr-defined]

    def _dies(self, aside: Aside, how: Callable[[], None]) -> None:
        self._steps.append(aside)
        self._last = aside.name.lower()
        how()
        self._stores, self._other = self.factory.open(self.clock), None

    def happens(self, step: Between) -> None:
        """Let happen what happens between calls."""
        if isinstance(step, ClockSays):
            self._steps.append(step)
            self.clock.nanos = step.nanos
        else:
            {
                Aside.TICK: self.tick,
                Aside.REOPEN: self.reopen,
                Aside.SWITCH: self.switch,
                Aside.CRASH: self.crash,
                Aside.KILL: self.kill,
            }[step]()

    def repeat(self, step: Step) -> None:
        """Do again what another comparison did."""
        if isinstance(step, Between):
            self.happens(step)
        else:
            self.call(step[0])

    def _compare(self, expected: Outcome, answered: Outcome, step: str) -> None:
        if not same_outcome(expected, answered):
            raise Mismatch(Counterexample(tuple(self._steps), answered, self._source, step), self.calls)

    def close(self) -> None:
        """Remove the storage."""
        self.factory.destroy()


def shrunk(counterexample: Counterexample, make: Callable[[], Factory]) -> Counterexample:
    """Return a shorter and simpler counterexample, if one is found on new storages; see `shrinking`."""
    best = counterexample

    def fails(steps: Steps) -> Steps | None:
        nonlocal best
        found = repeated(steps, make, counterexample.factory)
        best = best if found is None else found
        return None if found is None else found.steps

    shrink(counterexample.steps, fails)
    return best


def repeated(steps: Steps, make: Callable[[], Factory], source: str) -> Counterexample | None:
    """Go through steps on a new storage; return the counterexample that they are, if they are one."""
    comparison = Comparison(make(), source)
    try:
        for step in steps:
            comparison.repeat(step)
    except Mismatch as mismatch:
        return mismatch.counterexample
    except Exception:  # noqa: BLE001 - whatever a backend raises on reopening, it is not this failure
        return None
    finally:
        comparison.close()
    return None


_EMPTY, _FULL = pools.RUNS[0], pools.RUNS[3]
_BEGINNINGS: Final = ((), (_FULL,), (_EMPTY,), (_FULL, pools.RUNS[1]), (_FULL, pools.RUNS[1], pools.RUNS[4]))
"""Runs to begin with; the simplest beginning first, for that is what shrinking moves to."""


_AGAIN: Final = 2
"""How often to look, and to open again, where no call was made in between."""


class Refinement(RuleBasedStateMachine):
    """A state machine over one rule group; `refinement` makes the subclasses."""

    store: ClassVar[str]
    make: ClassVar[Callable[[], Factory]]
    source: ClassVar[str]
    reached: ClassVar[Counter[tuple[str, str]]]

    def __init__(self) -> None:
        super().__init__()
        self.comparison = Comparison(type(self).make(), self.source, self.reached)
        self.since_call: Counter[str] = Counter()

    @initialize(runs=st.sampled_from(_BEGINNINGS))
    def begin(self, runs: tuple[MobRun, ...]) -> None:
        """Begin with nothing, or with runs to work on."""
        for run in runs if self.store == "run" else ():
            self.comparison.call(ops.CreateRun(run))
        self.comparison.observe(self.store)

    @rule()
    def tick(self) -> None:
        """Let the clock go on."""
        self.comparison.tick()

    @rule()
    def observe(self) -> None:
        """Look at everything: a call may have changed what it is not about."""
        if self._may_show("what is there"):
            self.comparison.observe(self.store)

    @rule()
    def reopen(self) -> None:
        """Open the storage again: what was answered is still there."""
        if self._may_show("what is there when it is opened again"):
            self.comparison.reopen()
            self.comparison.observe(self.store)

    def _may_show(self, what: str) -> bool:
        """Whether to do what was done at most once since the last call: Hypothesis may draw a rule many times."""
        self.since_call[what] += 1
        return self.since_call[what] <= _AGAIN

    def teardown(self) -> None:
        """Remove the storage."""
        self.comparison.close()


def _rule_of(kind: Kind) -> Any:
    def call(self: Refinement, data: st.DataObject) -> None:
        operation = draw_operation(data.draw, kind, self.comparison.state)
        self.since_call.clear()
        self.comparison.call(operation)
        self.comparison.observe_near(operation)

    call.__name__ = kind.call
    return rule(data=st.data())(call)


def refinement(group: str, make: Callable[[], Factory], name: str, source: str) -> type[Refinement]:
    """Return the state machine of a rule group for one backend.

    Args:
        group: a key of `GROUPS`.
        make: makes a factory; each example gets one of its own.
        name: the backend's; part of the class name, so that example databases do not mix.
        source: the expression that makes the factory, for the programs that are printed.
    """
    kinds = GROUPS[group]
    rules = {kind.call: _rule_of(kind) for kind in kinds}
    attributes = {
        "store": kinds[0].store,
        "make": staticmethod(make),
        "source": source,
        "reached": Counter(),
        "__doc__": group,
    }
    class_name = f"Refinement_{name}_{group}".replace("-", "_").replace(".", "_").replace(":", "_")
    return type(class_name, (Refinement,), {**rules, **attributes})


@attrs.frozen
class Profile:
    """How much is tried: examples a rule group, calls an example at most, and one in so many recorded sequences."""

    name: str
    examples: int
    steps: int
    recordings: int = 1

    def settings(self, *, database: bool = False, shrinks: bool = True) -> hypothesis.settings:
        """Return the Hypothesis settings; without a database a seed alone decides what is tried."""
        chosen: dict[str, Any] = {} if database else {"database": None}
        phases = (Phase.explicit, Phase.reuse, Phase.generate, *((Phase.shrink,) if shrinks else ()))
        return hypothesis.settings(
            max_examples=self.examples,
            stateful_step_count=self.steps,
            deadline=None,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
            phases=phases,
            **chosen,
        )


PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (Profile("quick", 25, 20, recordings=8), Profile("ci", 100, 30), Profile("long", 5000, 50))
}


@attrs.frozen
class RefinementResult:
    """What the run of a rule group came to.

    ``reached`` counts the calls by (name, what they came to): ``"changed"``, ``"answered"`` or an error's kind.
    """

    group: str
    reached: Mapping[tuple[str, str], int]
    counterexample: Counterexample | None

    @property
    def calls(self) -> int:
        """How many calls were compared."""
        return sum(self.reached.values())


def unreached(results: Iterable[RefinementResult], capabilities: Capabilities = FULL) -> list[str]:
    """Return the calls that no run ever made with success: what was not reached was not tested.

    Of a call that is declared to be refused, a refusal is all there is to reach.
    """
    results = list(results)
    changed = {call for result in results for (call, outcome) in result.reached if outcome == "changed"}
    kinds = {kind for result in results for kind in GROUPS[result.group] if not capabilities.lacks(kind)}
    return sorted({kind.call for kind in kinds} - changed)


def refine(
    group: str,
    make: Callable[[], Factory],
    profile: Profile,
    seed: int,
    *,
    name: str,
    source: str,
    shrinks: bool = True,
) -> RefinementResult:
    """Drive a backend through one rule group and return the shortest counterexample found, if any.

    Without ``shrinks`` calls are left out and values simplified, but Hypothesis does not draw simpler ones first.
    """
    machine = hypothesis.seed(seed)(refinement(group, make, name, source))
    counterexample = None
    try:
        with decided_by_seed():
            run_state_machine_as_test(machine, settings=profile.settings(shrinks=shrinks))
    except Mismatch as mismatch:
        counterexample = shrunk(mismatch.counterexample, make)
    return RefinementResult(group, dict(machine.reached), counterexample)
