"""Drivers by turns: random flows, schedules and crashes keep all that must stay true, and come to one end."""

import pytest
from hypothesis import HealthCheck, given, settings

from mobstore.properties.refinement import Comparison
from mobstore.properties.rotations import MOB
from mobstore.properties.subject import MemoryFactory, SqliteFactory
from mobstore.properties.workflows.drawing import scenarios, schedules
from mobstore.properties.workflows.scenarios import end_of
from mobstore.properties.workflows.simulation import Model, Schedule, simulate
from mobstore.properties.workflows.workload import IN_TURN


def simulated(scenario, schedule, make=MemoryFactory):
    comparison = Comparison(make(), f"{make.__name__}()")
    try:
        return simulate(scenario, schedule, comparison)
    finally:
        comparison.close()


@pytest.mark.parametrize(("make", "examples"), [(MemoryFactory, 60), (SqliteFactory, 15)])
def test_every_schedule_keeps_the_invariants_and_comes_to_the_end_of_a_single_driver(make, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(scenarios(), schedules())
    def check(scenario, schedule):
        run = simulated(scenario, schedule, make)
        if schedule.cancel_after is None and scenario.has_one_end:
            assert end_of(run) == end_of(simulated(scenario, Schedule()))

    check()


def test_the_key_rotates_beside_a_workflow():
    model = Model()
    simulate(IN_TURN, Schedule(2, [1, 0] * 200, rotates=True), model)
    assert model.state.metadata.authorities[MOB].epoch > 1


@pytest.mark.parametrize("choices", [[21], [0, 0, 22, 1, 45], [7] * 60])
def test_the_same_schedule_does_the_same_again(choices):
    first, second = (simulated(IN_TURN, Schedule(2, choices, chooses=True)) for _ in range(2))
    assert first == second
