"""Workloads: fixed scenarios in which what is rare happens; then drawn ones, until all is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import attrs
import hypothesis
from hypothesis import given

from mobstore.model import MobRun
from mobstore.model.callers.driver import Driver
from mobstore.model.callers.flow import Flow, Loop, Step
from mobstore.properties.refinement import Comparison, Profile
from mobstore.properties.seeds import decided_by_seed
from mobstore.properties.subject import Factory
from mobstore.properties.workflows.coverage import Coverage
from mobstore.properties.workflows.drawing import scenarios, schedules
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript, end_of
from mobstore.properties.workflows.simulation import (
    MakeDriver,
    Model,
    Schedule,
    Simulation,
    dying_at,
    program,
    simulate,
)
from mobstore.properties.workflows.watching import WINDOWS, Violation

PASSED_OVER: Final = Scenario(
    Flow(
        "flow",
        (Step("b", ("q",), branch="x"), Loop("l", (Step("x"),), 2, branch="x"), Step("q"), Step("p")),
        max_active_nodes=1,
    ),
    loops={"l": LoopScript(1)},
)
"""While the loop of a branch runs, its sibling becomes ready, and is the head of a frame that waits."""

SHORT_OF_FRAMES: Final = Scenario(
    Flow("flow", tuple(Loop(name, (Loop("m", (Step("x"),)),)) for name in ("l", "k")), max_active_frames=2)
)
"""Two loops, each of which needs both frames: one must wait, and let the other's inner loop pass."""

LOST: Final = Scenario(
    Flow("flow", (Loop("l", (Step("x"), Step("y"))), Loop("k", (Step("x"),)), Loop("j", (Step("x"),), 2))),
    {"l/x": StepScript(canceled=True), "k/x": StepScript(failures=1)},
    {"j": LoopScript(None)},
)
"""A body that is canceled, one that fails, and a loop that is exhausted."""

CANCELED: Final = Scenario(
    Flow(
        "flow",
        (
            *(Loop("l", (Step("x"),)), Step("a", has_condition=True), Step("b", has_condition=True)),
            *(Step("c"), Step("d")),
        ),
        max_step_retries=1,
        escalation_threshold=1,
    ),
    {"b": StepScript(condition=False), "c": StepScript(failures=2), "d": StepScript(canceled=True)},
    {"l": LoopScript(canceled=True)},
)
"""A loop that is canceled where its until-condition would be evaluated; steps that end in every way."""

IN_TURN: Final = Scenario(
    Flow("flow", (Loop("l", (Step("x"),)), Step("y", ("l",)), Step("z", ("y",))), max_active_nodes=1)
)
"""A short flow in which every window is open at some time."""

CORNERS: Final = (PASSED_OVER, SHORT_OF_FRAMES, LOST, CANCELED)
_LOCKSTEP: Final = 400
SCHEDULES: Final = (
    Schedule(),
    Schedule(2, (0, 1) * _LOCKSTEP, rotates=True),
    Schedule(2, (0, 1, *(1, 0) * _LOCKSTEP), cancel_after=30),
    Schedule(3, (0, *(0, 1, 2) * _LOCKSTEP)),
)
"""One driver, and two and three that ask for the same in turn, so that all but one are answered false."""

FIXED: Final = len(SCHEDULES) * len(CORNERS) + len(WINDOWS)
"""How many fixed workflows there are: every corner under every schedule, and a death in every window."""

_ROUNDS: Final = 20
"""How often drawing goes on with another seed before what was not reached makes the result a doubt."""


@attrs.frozen
class Found:
    """What a workload came to: the calls it made, what it reached, what it missed, what proves a failure."""

    calls: int
    coverage: Coverage
    missing: tuple[str, ...] = ()
    failure: str = ""
    counterexample: str = ""


class Workload:
    """Drives workflows on a backend beside the model.

    Args:
        make: makes a factory of the backend; each scenario gets a storage of its own.
        source: the expression that makes the factory, for programs that are printed.
        make_driver: makes a driver.
    """

    def __init__(self, make: Callable[[], Factory], source: str, make_driver: MakeDriver = Driver) -> None:
        self.calls = 0
        self.coverage = Coverage()
        self._make, self._source, self._make_driver = make, source, make_driver

    def run(self, profile: Profile, seed: int) -> Found:
        """Do the fixed scenarios, then as many drawn ones as the profile says, and more while something is missing.

        Raises:
            Mismatch: the backend answered otherwise than the model.
        """
        try:
            for scenario, schedule in _fixed():
                self._do(scenario, schedule)
            for number in range(_ROUNDS):
                self._drawn(profile, seed + number * 1_000_003)
                missing = tuple(self.coverage.missing(WINDOWS))
                if not missing:
                    break
        except Violation as violation:
            notes = "\n".join(getattr(violation, "__notes__", ()))
            return Found(self.calls, self.coverage, (), str(violation), notes)
        return Found(self.calls, self.coverage, missing)

    def _drawn(self, profile: Profile, seed: int) -> None:
        chosen = hypothesis.settings(profile.settings(), max_examples=profile.examples, report_multiple_bugs=False)

        @decided_by_seed()
        @hypothesis.seed(seed)
        @chosen
        @given(scenarios(), schedules())
        def do(scenario: Scenario, schedule: Schedule) -> None:
            self._do(scenario, schedule)

        do()

    def _do(self, scenario: Scenario, schedule: Schedule) -> None:
        run = self._simulated(scenario, schedule)
        if schedule.cancel_after is not None or not scenario.has_one_end:
            return
        end, alone = end_of(run), end_of(simulate(scenario, Schedule(), Model()))
        for part, value in end.items():
            if value != alone[part]:
                violation = Violation(f"the {part} of the run are others than with a single driver")
                violation.add_note(program(scenario, schedule))
                raise violation

    def _simulated(self, scenario: Scenario, schedule: Schedule) -> MobRun:
        comparison = Comparison(self._make(), self._source)
        try:
            return simulate(scenario, schedule, comparison, self.coverage, self._make_driver)
        finally:
            self.calls += comparison.reached.total()
            comparison.close()


def _fixed() -> Iterator[tuple[Scenario, Schedule]]:
    yield from ((scenario, schedule) for schedule in SCHEDULES for scenario in CORNERS)
    yield from ((IN_TURN, dying_at(turn)) for turn in _turns_in_windows(IN_TURN))


def _turns_in_windows(scenario: Scenario) -> list[int]:
    """Return for each window the first turn in which it is open."""
    first: dict[str, int] = {}
    for turn, windows in enumerate(Simulation(scenario, Schedule(), Model(), Coverage()).windows()):
        for window in windows:
            first.setdefault(window, turn)
    return sorted(set(first.values()))
