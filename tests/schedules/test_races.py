"""Each backend with a race is right call by call, and found out by some schedule."""

import pytest

from mobstore.properties import cli
from mobstore.properties.chapter import Context, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.refinement import PROFILES
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


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
def test_a_backend_with_a_race_is_right_call_by_call(race):
    """Out of control, too: the zoo counts it among those that pass the smoke chapter."""
    (smoke,) = (chapter for chapter in CHAPTERS if chapter.name == "smoke")
    result = smoke.run(Context(race, race.name, "X()", PROFILES["quick"], 0))
    assert result.verdict is Verdict.PASSED


def test_the_zoo_shows_races(capsys):
    assert cli.main(["zoo", "--only", "lost-update", "--programs"]) == 0
    out = capsys.readouterr().out
    assert "by 3 calls, in schedule" in out
    assert "| replace the state" in out
    assert "def test_counterexample() -> None:" in out
    assert "1 of 1 broken backends rejected by at most 6 calls" in out
    assert "1 pass smoke" in out


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
