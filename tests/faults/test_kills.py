"""Processes are killed while others write, pages are overwritten: no answer is lost, and none is wrong."""

import attrs

from mobstore.backends.sqlite._session import Session
from mobstore.model import MobEvent
from mobstore.properties.faults import kills
from mobstore.properties.faults.damage import damage_pages


def test_what_killed_processes_answered_is_there(tmp_path):
    """And every call is there as a whole."""
    found = kills.kill_processes(tmp_path, 20, 1)
    assert found.killed == 20
    assert found.answered > 0
    assert found.problems == ()


def test_a_machine_that_is_too_busy_is_no_mistake_and_no_pass(tmp_path):
    """When the time is over, what was tried is looked at, and the rest is not known."""
    found = kills.kill_processes(tmp_path, 20, 1, allowance=-20.0)
    assert (found.asked, found.killed) == (20, kills.WORKERS)
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
    """Whatever is in its place: no call answers what is wrong, or raises an error of Python's own."""
    for found in damage_pages(1):
        assert found.files > 30
        assert found.told
        assert found.wrong == []


class Credulous(Session):
    """Takes every row for one that agrees with its check."""

    def rows(self, sql, parameters, shape):
        return [
            self._agreeing(row, shape) for row in super().rows(sql, parameters, attrs.evolve(shape, checked=False))
        ]

    def row(self, sql, parameters=(), shape=None):
        row = super().row(sql, parameters, shape and attrs.evolve(shape, checked=False))
        return row and self._agreeing(row, shape)

    @staticmethod
    def _agreeing(row, shape):
        return row if shape is None or not shape.checked or row[-1] is not None else (*row[:-1], 1)


def test_a_backend_that_does_not_compare_its_checks_is_found_out(monkeypatch):
    """By rows in which a bit flipped, that are another's, or not there."""
    monkeypatch.setattr("mobstore.backends.sqlite._engine.Session", Credulous)
    for module in ("_runs", "_events", "_agreement"):
        monkeypatch.setattr(
            f"mobstore.backends.sqlite.{module}.agreeing",
            lambda _session, _scope, rows, _total: [row[:-1] for row in rows],
        )
    spoils = ("one bit", "another page", "an earlier state")
    wrong = {found.name: len(found.wrong) for found in damage_pages(1, spoils=spoils)}
    assert [*wrong] == [*spoils]
    assert all(wrong.values()), wrong
