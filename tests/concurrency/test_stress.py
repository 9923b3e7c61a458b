"""Long runs are decided in polynomial time, and reach every call that compares."""

import itertools

import pytest

from mobstore.backends._stores import Stores
from mobstore.model import ReadFailed, State
from mobstore.model.wrappers import ROWS, Cell, Equals
from mobstore.properties.concurrency import Face, faces_of
from mobstore.properties.concurrency.driving import ProcessFailed
from mobstore.properties.concurrency.stress import KINDS, POLYNOMIAL, caller, stress
from mobstore.properties.linearizability.history import Process
from mobstore.properties.linearizability.stores import outcome_in
from mobstore.properties.schedules import RACES
from mobstore.properties.schedules.scenario import NOW
from mobstore.properties.subject import MemoryFactory, SqliteFactory


def test_every_wrapper_that_compares_a_state_is_made():
    compared = {
        row.name
        for row in ROWS
        for item in row.comparisons
        if isinstance(item, Equals) and item.cell is not Cell.STATUS
    }
    assert compared == KINDS
    assert len(compared) == 20


@pytest.mark.parametrize("face", faces_of(MemoryFactory()))
def test_long_runs_in_memory_are_a_chain(face):
    found = stress(MemoryFactory, face, 900, 1)
    assert (found.failure, found.doubt) == ("", "")
    assert found.decided_by <= POLYNOMIAL
    assert found.overlapping > 100


def no_read_fails(_process):
    """Stands for noting that a read failed, which a history leaves out."""
    msg = "a read failed"
    raise AssertionError(msg)


@pytest.mark.parametrize("face", faces_of(SqliteFactory()))
def test_long_runs_on_sqlite_are_a_chain(face, monkeypatch):
    """Nobody is refused what is there, either."""
    monkeypatch.setattr(Process, "fail", no_read_fails)
    found = stress(SqliteFactory, face, 240, 1)
    assert found.failure == ""
    assert found.decided_by <= POLYNOMIAL
    assert found.overlapping > 100
    assert (found.unknown > 0) == (face is Face.TASKS)


class RefusingEngine:
    """Its reads fail now and then."""

    def __init__(self, engine):
        self._engine, self._reads = engine, itertools.count(1)

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def execute(self, operation):
        if operation.reads and next(self._reads) % 9 == 0:
            raise ReadFailed("the file is gone")
        return self._engine.execute(operation)


class Refusing(SqliteFactory):
    def connect(self, path, clock):
        return Stores(RefusingEngine(super().connect(path, clock).engine))


@pytest.mark.parametrize("face", [Face.THREADS, Face.PROCESSES])
def test_a_read_that_fails_is_not_passed_over(face, monkeypatch):
    """Where it must not."""
    monkeypatch.setattr(Process, "fail", no_read_fails)
    with pytest.raises((AssertionError, ProcessFailed), match="a read failed"):
        stress(Refusing, face, 240, 1)


def test_a_caller_alone_always_succeeds():
    """Its calls compare what it read and nobody else changes."""
    from mobstore.properties.concurrency import stress as module

    state, made = State(), caller(0, 300, 1)
    for operation in module._BEGINNING:
        state, _ = outcome_in(state, operation, NOW)
    operation, seen = next(made), set()
    while True:
        state, outcome = outcome_in(state, operation, NOW)
        assert outcome.kind is None
        assert outcome.value is not False
        seen.add(operation.call)
        try:
            operation = made.send(outcome)
        except StopIteration:
            break
    assert seen == KINDS | {"get_run"}


def first_failure(name, face):
    """Threads and processes decide for themselves who comes first, so that several runs may be needed."""
    runs = (stress(RACES[name], face, 300, seed) for seed in range(20))
    return next(found.failure for found in runs if found.failure)


@pytest.mark.parametrize("face", [Face.THREADS, Face.PROCESSES])
def test_a_double_winner_is_found_out(face):
    failure = first_failure("double-winner", face)
    assert failure.startswith("not linearizable (double success): two calls replaced the value")
    assert failure.count("-> True") == 2


def test_a_torn_write_is_found_out_by_tasks():
    assert first_failure("torn-write", Face.TASKS).startswith("not linearizable (never legal)")
