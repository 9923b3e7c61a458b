"""Processes are killed while others write, pages are overwritten: no answer is lost, and none is wrong."""

from mobstore.model import MobEvent
from mobstore.properties.faults import kills
from mobstore.properties.faults.damage import damage_pages


def test_what_killed_processes_answered_is_there(tmp_path):
    """And every call is there as a whole."""
    found = kills.kill_processes(tmp_path, 20, 1)
    assert found.killed == 20
    assert found.answered > 0
    assert found.problems == ()


def _events(*batches):
    kinds = [(batch, half) for batch in batches for half in (0, 1)]
    return [
        MobEvent(cursor, "2026-01-01T00:00:00Z", "mob", {"worker": batch[0], "number": batch[1], "half": half})
        for cursor, (batch, half) in enumerate(kinds, 1)
    ]


def test_the_examination_can_fail():
    """A lost batch, half of one, one that comes twice, a gap."""
    notes = {0: "e!i!e!i", 1: "e"}
    assert kills._examine_events(notes, _events((0, 0), (0, 2))) == []
    assert kills._examine_events(notes, _events((0, 0), (1, 0), (0, 2))) == []
    assert "are not there: [(0, 2)]" in kills._examine_events(notes, _events((0, 0)))[0]
    assert "half a batch" in kills._examine_events(notes, _events((0, 0), (0, 2), (1, 0))[:-1])[0]
    assert "twice" in kills._examine_events(notes, _events((0, 0), (0, 2), (0, 2)))[0]
    assert "gap" in kills._examine_events(notes, _events((1, 0), (0, 0), (0, 2))[2:])[0]


def test_a_damaged_page_is_told_or_does_no_harm():
    """With zeros, ones and noise; another page is not always noticed, but never raises an error of Python's own."""
    for found in damage_pages(1):
        assert found.files > 30
        assert found.refused
        assert found.told
        if found.is_claimed:
            assert found.wrong == []
        assert not [wrong for wrong in found.wrong if "not a MobStoreError" in wrong]
