"""On a simulated disk nothing that was answered is lost, and every broken store is found out."""

import json

import pytest

from mobstore.backends.sqlite import REQUIRED_SETTINGS
from mobstore.properties import cli
from mobstore.properties.faults import vfs
from mobstore.properties.faults.broken import BROKEN, CAREFUL
from mobstore.properties.faults.certificate import SYNCHRONOUS, examine
from mobstore.properties.faults.failures import fail_calls
from mobstore.properties.faults.power import CHANGING, LEVELS, cut_calls, sqlite_storages

QUICK = LEVELS["quick"]


@pytest.mark.parametrize(
    ("mode", "synchronous", "lost"),
    [
        ("wal", "FULL", set()),
        ("wal", "NORMAL", {"durable"}),
        ("delete", "FULL", {"durable"}),
        ("delete", "EXTRA", set()),
        ("off", "FULL", {"intact", "atomic", "durable"}),
    ],
)
def test_settings_keep_what_sqlite_says_they_keep(mode, synchronous, lost):
    entry = examine(mode, synchronous, QUICK, 1)
    power = entry.kept["power cut"]
    assert power.images > 100
    assert set(power.broken) <= lost
    assert bool(power.broken) == bool(lost)


def test_the_backend_insists_on_settings_that_keep_everything():
    mode, level = REQUIRED_SETTINGS
    assert examine(mode, SYNCHRONOUS[level], QUICK, 2).is_safe


@pytest.mark.parametrize("storage", sqlite_storages(), ids=lambda storage: storage.name)
def test_a_power_cut_in_any_call_loses_and_tears_nothing(storage):
    tallies = cut_calls(storage, QUICK, 1)
    assert [tally.name for tally in tallies] == ["open", *(call.call for call in CHANGING)]
    assert [tally.losses for tally in tallies] == [[]] * len(tallies)
    assert all(tally.images > 5 for tally in tallies)


def test_a_disk_that_fails_in_any_call_harms_nothing():
    found = list(fail_calls(sqlite_storages()[0], QUICK, 1))
    assert [harm.story() for each in found for harm in each.harms] == []
    assert sum(each.erred for each in found) > 500


@pytest.mark.parametrize("name", [name for name, broken in BROKEN.items() if broken.by == "power"])
def test_a_broken_store_loses_or_tears_something_and_is_found_out(name):
    tallies = cut_calls(BROKEN[name].storage, QUICK, 1, until_loss=True)
    losses = [loss for tally in tallies for loss in tally.losses]
    assert losses, BROKEN[name].mistake
    assert "power cut; survived of what was pending" in losses[0].story()


def test_a_careful_store_of_another_kind_passes():
    assert not [loss for tally in cut_calls(CAREFUL, QUICK, 1) for loss in tally.losses]


@pytest.mark.parametrize("name", [name for name, broken in BROKEN.items() if broken.by == "failures"])
def test_a_failure_that_is_swallowed_is_found_out(name):
    assert any(each.harms for each in fail_calls(BROKEN[name].storage, QUICK, 1))


def test_a_python_whose_sqlite_cannot_be_reached_is_told(monkeypatch, capsys):
    def unreachable():
        raise vfs.Unreachable("the library hides its functions")

    monkeypatch.setattr("mobstore.properties.durability.library", unreachable)
    assert cli.main(["durability"]) == 2
    assert "hides its functions" in capsys.readouterr().err


def test_the_command_reports_what_it_tried(monkeypatch, capsys):
    monkeypatch.setattr("mobstore.properties.durability.certify", lambda *_: [examine("wal", "FULL", QUICK, 3)])
    monkeypatch.setattr("mobstore.properties.durability.fail_calls", lambda *_: [])
    monkeypatch.setattr("mobstore.properties.durability._others", lambda *_: [])
    assert cli.main(["durability", "--seed", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["certificate"]["safe"] == [["wal", 2]]
    assert told["harms"] == []
    assert {call["name"] for call in told["calls"]} >= {"cas_grant_node_slot", "append"}
    monkeypatch.setattr("mobstore.properties.durability.certify", lambda *_: [examine("wal", "OFF", QUICK, 3)])
    assert cli.main(["durability", "--seed", "3"]) == 1
    assert "did not keep everything" in capsys.readouterr().out
