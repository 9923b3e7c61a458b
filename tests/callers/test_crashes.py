"""A driver that dies at any point, before or after any call, is replaced, and nothing is lost or done twice."""

import pytest

from mobstore.model.callers.flow import Flow, Loop, Step
from mobstore.properties.workflows.coverage import Coverage
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript, end_of
from mobstore.properties.workflows.simulation import Model, Schedule, Simulation, simulate
from mobstore.properties.workflows.watching import WINDOWS

STRAIGHT = Scenario(
    Flow(
        "flow",
        (
            Step("a", has_condition=True),
            Step("b", ("a",), branch="x"),
            Step("c", ("a",), branch="x"),
            Step("d", ("b", "c"), "Any"),
        ),
        max_active_nodes=1,
        max_step_retries=1,
        escalation_threshold=1,
    ),
    {"b": StepScript(failures=9), "d": StepScript(failures=1)},
)
LOOPING = Scenario(
    Flow("flow", (Loop("l", (Loop("m", (Step("x"),), 2),), 2), Step("z", ("l",))), max_active_frames=2),
    loops={"l": LoopScript(1), "l/m": LoopScript(None)},
)
COMPLETING = Scenario(
    Flow("flow", (Loop("l", (Step("x"),)), Step("y", ("l",)), Step("z", ("y",))), max_active_nodes=1)
)
LOST = Scenario(Flow("flow", (Loop("l", (Step("x"), Step("y"))),)), {"l/x": StepScript(canceled=True)})
SCENARIOS = {"straight": STRAIGHT, "looping": LOOPING, "completing": COMPLETING, "lost": LOST}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_death_at_any_point_changes_nothing_of_the_end(scenario):
    expected = end_of(simulate(scenario, Schedule(), Model()))
    coverage = Coverage()
    ends = [end_of(run) for run in Simulation(scenario, Schedule(), Model(), coverage).every_crash()]
    assert len(ends) > 40
    assert all(end == expected for end in ends)
    if scenario is COMPLETING:
        assert set(coverage.windows) == set(WINDOWS)


def test_two_deaths_at_any_two_points_change_nothing_of_the_end():
    scenario = Scenario(Flow("flow", (Step("a"),)))
    expected = end_of(simulate(scenario, Schedule(), Model()))
    ends = [end_of(run) for run in Simulation(scenario, Schedule(), Model(), Coverage()).every_crash(2)]
    assert len(ends) > 500
    assert all(end == expected for end in ends)
