"""Calls that overlap are durably linearizable, wherever the power is cut."""

import pytest

from mobstore.properties.faults.broken import BROKEN
from mobstore.properties.faults.overlap import Schedule, cut_schedules, overlapping
from mobstore.properties.faults.power import LEVELS, sqlite_storages

QUICK = LEVELS["quick"]


def test_overlapping_calls_survive_power_cuts():
    """Under both lengths of the log; no image is in a state that no order of the calls leads to."""
    for storage in sqlite_storages():
        tallies = list(cut_schedules(storage, QUICK, 1))
        assert sum(tally.images for tally in tallies) > 100
        assert [loss.story() for tally in tallies for loss in tally.losses] == []


def test_a_schedule_is_its_seed():
    """The same turns, answers and changes of the disk each time; and calls do overlap."""
    first, second = (Schedule(sqlite_storages()[0], 3) for _ in range(2))
    first.run()
    second.run()
    assert first.name == second.name
    assert [call.outcome for call in first.history] == [call.outcome for call in second.history]
    assert list(map(type, first.disk.log)) == list(map(type, second.disk.log))
    assert overlapping(first.history) > 0


@pytest.mark.parametrize("name", ["answered-before-sync", "statement-by-statement"])
def test_a_broken_store_is_found_out(name):
    """By some power cut."""
    assert any(tally.losses for tally in cut_schedules(BROKEN[name].storage, QUICK, 1))
