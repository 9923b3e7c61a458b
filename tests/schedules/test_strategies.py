"""Random priorities and drawn schedules find races, too; and a race shrinks and is made again."""

import itertools

import pytest
from hypothesis import strategies as st

from mobstore.model import operations as ops
from mobstore.properties import cli
from mobstore.properties.schedules import BACKENDS, RACES, Explorer, Pct, explore, replay, rivals
from mobstore.properties.schedules.drawing import draw_priorities, draw_schedules, scenarios


@pytest.mark.parametrize("name", ["double-winner", "cursor-gap", "dirty-read", "event-out-of-order"])
def test_a_drawn_schedule_shrinks_to_few_preemptions_and_is_made_again(name, monkeypatch):
    """Shrinking the calls is tried elsewhere."""
    monkeypatch.setattr("mobstore.properties.schedules.drawing.simplest", lambda _, failure: failure)
    race = RACES[name]
    with race.system() as system:
        failure = draw_schedules(system, st.just(race.scenario), 300, 1).failure
        assert failure is not None
        choices = failure.observed.execution.choices
        assert replay(system, race.scenario, choices).table() == failure.table()
    assert sum(left != right for left, right in itertools.pairwise(choices)) <= 3


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
def test_random_priorities_find_every_race(race):
    with race.system() as system:
        exploration = explore(system, race.scenario, Pct(3, 300, seed=1))
    assert exploration.failure is not None


def test_a_race_is_found_in_drawn_calls():
    race = RACES["double-winner"]
    with race.system() as system:
        drawn = draw_priorities(system, scenarios("run-frames", 2), 5000, 1)
    assert drawn.failure is not None
    assert len(drawn.failure.observed.scenario.calls) == 2


@pytest.mark.parametrize("make", BACKENDS.values(), ids=BACKENDS)
def test_drawn_calls_of_three_clients_are_linearizable(make):
    with make(3) as system:
        for group in ("run", "event"):
            drawn = draw_schedules(system, scenarios(group, 3), 15, 1)
            assert drawn.failure is None, drawn.failure.table()
            assert drawn.overlapping


def test_priorities_find_a_race_as_often_as_they_promise():
    """Of depth 2: two clients and k steps, at least one execution in 2 k."""
    race, found = RACES["lost-update"], 0
    with race.system() as system:
        explorer, strategy = Explorer(system, race.scenario), Pct(2, 400, seed=1)
        while strategy.begin():
            observed, failure = explorer.take(strategy.choose)
            strategy.ended(observed.execution)
            found += failure is not None
    assert strategy.clients == 2
    assert found >= 400 * strategy.bound


def test_priorities_are_their_seed():
    with BACKENDS["memory"](2) as system:
        explorer = Explorer(system, rivals(ops.CasFlowState, 2))
        first, second = (
            [explorer.take(strategy.choose)[0].execution.choices for _ in range(5) if strategy.begin()]
            for strategy in (Pct(3, 5, 7), Pct(3, 5, 7))
        )
    assert first == second


def test_what_is_drawn_is_printed(capsys, monkeypatch):
    monkeypatch.setattr("mobstore.properties.schedules.command.GROUPS", {"spec": ()})
    assert cli.main(["schedules", "--drawn", "20", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert "20 executions" in lines[0]
    assert lines[-1] == "0 wrong schedules found (2 clients, seed 1)"
