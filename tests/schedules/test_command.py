"""``mobstore schedules`` prints what it exhausted, and what it found."""

import json

import pytest

from mobstore.properties import cli
from mobstore.properties.schedules import RACES
from mobstore.properties.schedules import command as schedules


def test_the_bounds_are_printed(capsys):
    assert cli.main(["schedules", "cas_grant_node_slot"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 clients, one call each; schedules that differ, of all interleavings of the steps"
    assert lines[3].split("  ")[0] == "cas_grant_node_slot"
    assert "6 of 50" in lines[3]
    assert lines[4].startswith("6 bounds exhausted: ")
    bound = "2 clients, 1 call each, every interleaving of statements: 50 schedules of rivals; 10 differ"
    assert lines[5] == f"sqlite: {bound}"


def test_a_bound_that_was_not_exhausted_is_unknown(capsys):
    assert cli.main(["schedules", "cas_grant_node_slot", "--limit", "3"]) == 2
    assert "not exhausted" in capsys.readouterr().out


def test_json_has_every_bound(capsys):
    assert cli.main(["schedules", "put_spec", "--clients", "3", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {(row["shape"], row["backend"]) for row in rows} == set(schedules._COLUMNS)
    assert all(row["exhausted"] and row["clients"] == 3 for row in rows)


def test_a_wrong_schedule_is_a_failure(capsys, monkeypatch):
    race = RACES["double-winner"]
    monkeypatch.setitem(schedules.BACKENDS, "sqlite", race.open)
    assert cli.main(["schedules", "cas_grant_node_slot"]) == 1
    assert "cas_grant_node_slot on sqlite, rivals: not linearizable" in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
def test_the_races_are_shown(capsys, monkeypatch, as_json):
    monkeypatch.setattr(schedules, "RACES", {"lost-update": RACES["lost-update"]})
    assert cli.main(["schedules", "--races", *["--json"] * as_json]) == 0
    out = capsys.readouterr().out
    assert "lost-update" in out
    if as_json:
        assert "def test_counterexample()" in json.loads(out)[0]["program"]


def test_an_unknown_call_is_an_error(capsys):
    assert cli.main(["schedules", "get_run"]) == 2
    assert "no changing call 'get_run'" in capsys.readouterr().err
