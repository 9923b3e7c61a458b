"""Each backend with a race is right call by call, and found out by some schedule."""

import pytest

from mobstore.properties.schedules import RACES, Explorer, Preferences, replay


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
def test_a_race_is_found_and_shrunk_and_made_again(race):
    failure = race.explore(limit=200).failure
    assert failure is not None, race.mistake
    assert failure.reason.startswith("not linearizable")
    simple = race.simplest(failure)
    scenario = simple.observed.scenario
    assert len(scenario.prefix) <= 2
    assert 1 < len(scenario.calls) <= 3
    with race.system() as system:
        assert replay(system, scenario, simple.observed.execution.choices).table() == simple.table()


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
def test_a_race_is_none_as_long_as_nobody_is_preempted(race):
    with race.system() as system:
        explorer = Explorer(system, race.scenario)
        for first in range(len(race.scenario.clients)):
            assert explorer.take(Preferences([first]).choose)[1] is None


def test_a_failure_is_a_table_with_a_column_for_each_client():
    race = RACES["double-winner"]
    table = race.simplest(race.explore().failure).table()
    lines = table.splitlines()
    assert lines[0].startswith("not linearizable: no order of the calls explains their answers (")
    assert [cell.strip() for cell in lines[1].split("|")] == ["", "client 0", "client 1"]
    assert max(map(len, lines)) <= 116
    assert table.count("-> True") == 2
    assert "| BEGIN IMMEDIATE " in table
    assert "A = RunId(" in table


def test_a_failure_is_a_program_to_paste():
    race = RACES["cursor-gap"]
    program = race.simplest(race.explore().failure).program(race.source)
    scope = {}
    exec(program, scope)
    with pytest.raises(AssertionError, match="not linearizable"):
        scope["test_counterexample"]()
