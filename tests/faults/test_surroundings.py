"""Without descriptors, room, or the file, calls err clearly and change nothing; a clock may jump."""

import pytest

from mobstore.backends._stores import Stores
from mobstore.backends.sqlite import SqliteEngine
from mobstore.model import MobRunStatus, Timestamp, evolve
from mobstore.properties import smoke
from mobstore.properties.faults.clock import disturb_clock
from mobstore.properties.faults.surroundings import (
    HAZARDS,
    locked,
    log_moved,
    replaced,
    spoil_surroundings,
    try_surroundings,
)
from mobstore.properties.refinement import Mismatch
from mobstore.properties.subject import MemoryFactory, SqliteFactory


def test_calls_in_spoiled_surroundings_err_and_change_nothing(tmp_path):
    """In a process of its own; every kind of surroundings comes up, and some calls err in each."""
    found = spoil_surroundings(tmp_path, 7, 1)
    assert [harm.story() for each in found for harm in each.harms] == []
    causes = {each.cause for each in found}
    assert causes == {*HAZARDS, "process forked"}
    erring = {each.cause for each in found if each.erred or each.unknown}
    assert erring >= {"0 descriptors left", "room for 0 bytes", "file moved away", "file replaced", "file locked"}
    assert {each.cause for each in found if each.answered} >= {"2 descriptors left", "process forked"}


class Trusting(SqliteEngine):
    """Does not look whether the path still names its file."""

    def _check_identity(self, error_kind):
        pass


class Logless(SqliteEngine):
    """Does not look whether its write-ahead log still has its name."""

    def _check_log(self, session, error_kind):
        pass


class Untyped(SqliteEngine):
    """Lets SQLite's own errors through."""

    def perform(self, perform, body, argument, error_kind):
        return perform(self._session(error_kind), body, argument)


class Optimistic(SqliteEngine):
    """Takes an error for a success."""

    def execute(self, operation):
        try:
            return super().execute(operation)
        except Exception:
            if operation.call == "create_run":
                return None
            raise


@pytest.mark.parametrize(
    ("kind", "hazard", "rule"),
    [
        (Trusting, replaced, "the other file was changed"),
        (Logless, log_moved, "a log was made where none was"),
        (Untyped, locked, "the call raised OperationalError"),
        (Optimistic, locked, "(answered) another handle sees another state"),
    ],
)
def test_broken_backends_are_found_out(tmp_path, kind, hazard, rule):
    """By what they do to another's file, by what they raise, by what they say."""

    def opened(path, **options):
        return Stores(kind(path, **options))

    found = try_surroundings(tmp_path, 2 * len(smoke.EXECUTED), 0, {"spoiled": hazard}, opened)
    (harm,) = (harm for each in found for harm in each.harms)
    assert harm.where == "create_run: spoiled"
    assert rule in harm.verdict


# --- the clock ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factory", [MemoryFactory, SqliteFactory], ids=lambda factory: factory.name)
def test_a_clock_that_jumps_back_does_no_harm(factory):
    """Beside the model."""
    assert disturb_clock(factory, "FACTORY()") > 60


class Spoiled(MemoryFactory):
    """A memory backend that spoils the answers of one call."""

    def __init__(self, port, call, spoil):
        super().__init__()
        self._port, self._call, self._spoil = port, call, spoil

    def open(self, clock):
        stores = super().open(clock)
        port = getattr(stores, self._port)

        def execute(operation):
            answer = stores.execute(operation)
            return self._spoil(stores, answer) if operation.call == self._call else answer

        port._execute = execute
        return stores


def _completed_now(stores, run):
    """Let a run be completed at the time of the last call."""
    if run is None or run.status is not MobRunStatus.COMPLETED:
        return run
    return evolve(run, {"completed_at": Timestamp.from_nanos(stores.engine._clock())})


@pytest.mark.parametrize(
    ("factory", "step"),
    [
        (Spoiled("events", "poll", lambda _, events: events[::-1]), "seen by poll"),
        (Spoiled("runs", "get_run", _completed_now), "seen by get_run"),
        (
            Spoiled("runs", "list_runs", lambda _, runs: tuple(sorted(runs, key=lambda run: run.created_at))),
            "create_run, seen by list_runs",
        ),
    ],
)
def test_a_backend_that_goes_by_the_clock_is_found_out(factory, step):
    """By a call that shows something else than the model."""
    with pytest.raises(Mismatch) as caught:
        disturb_clock(lambda: factory, "FACTORY()")
    assert step in caught.value.counterexample.step
