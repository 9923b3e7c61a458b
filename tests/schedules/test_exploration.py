"""Real backends are taken through every interleaving, and what sleep sets leave out comes to nothing new."""

import functools
import sqlite3

import attrs
import pytest

from mobstore.backends.memory import MemoryEngine
from mobstore.model import ROWS
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.linearizability.stores import outcome_in
from mobstore.properties.schedules import (
    BACKENDS,
    CHANGING,
    Control,
    Exhaustive,
    Explorer,
    Footprint,
    MemorySystem,
    NotUnderControl,
    Replay,
    Scenario,
    Scheduler,
    SqliteSystem,
    beginning_of,
    bound_of,
    exhaust,
    explore,
    rivals,
    row_footprint,
)
from mobstore.properties.schedules.bounds import with_reader
from mobstore.properties.schedules.connections import Restorer
from mobstore.properties.schedules.scenario import NOW, state_after


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [ops.CasGrantNodeSlot, ops.CreateRun, ops.CompareAndPutSupervisorAuthority])
def test_rivals_have_one_winner_in_every_interleaving(backend, kind):
    bound = bound_of(kind, "rivals", backend, 2, every=kind is not ops.CreateRun, limit=2000)
    assert bound.holds
    assert bound.outcomes == 4  # who wins, and whether the calls overlap
    if bound.interleavings is not None:
        assert bound.interleavings > bound.different


def test_every_changing_call_has_a_beginning_and_a_reader():
    for kind in CHANGING:
        prefix, call = beginning_of(kind)
        state = state_after(prefix)
        after, outcome = outcome_in(state, call, NOW)
        assert (after is not state, outcome.kind) == (True, None), kind.call
        assert len(with_reader(kind, 2).clients) == 2


def test_readers_of_a_run_see_it_whole_on_sqlite():
    """Two snapshots of many statements, in every order with a commit that matters."""
    bound = bound_of(ops.CasStartLoopWithAuthority, "reader", "sqlite", 3, every=False, limit=500)
    assert bound.holds
    assert bound.different > 40


@pytest.mark.parametrize("make", BACKENDS.values(), ids=BACKENDS)
def test_sleep_sets_lose_no_outcome(make):
    """Also where calls are not alike, read each other's cells, and follow one another."""
    call = ops.AppendFailureEntry(pools.RUNS[0].run_id, pools.FAILURE_ENTRIES[0])
    status = ops.CasRunStatus(pools.RUNS[0].run_id, pools.RUNS[0].status, pools.RUNS[4].status)
    put = ops.PutSpec("mob", pools.DOCUMENTS[0], 0)
    scenario = Scenario.of([ops.CreateRun(pools.RUNS[0])], [[status, put], [call]])
    with make(2) as system:
        explorer = Explorer(system, scenario)
        reduced = exhaust(explorer, Exhaustive())
        known = explorer.outcomes
        every = exhaust(explorer, Exhaustive(sleep=False))
    assert reduced.exhausted
    assert every.exhausted
    assert reduced.schedules < every.schedules
    assert explorer.outcomes == known


def test_a_footprint_that_forgets_writes_loses_outcomes(monkeypatch):
    """So the comparison of the two would notice."""
    monkeypatch.setattr(Footprint, "conflicts", lambda *_: False)
    bound = bound_of(ops.CasGrantNodeSlot, "rivals", "sqlite", 2, every=True, limit=500)
    assert bound.lost
    assert not bound.holds


def test_a_bound_that_is_not_exhausted_does_not_hold():
    bound = bound_of(ops.CasGrantNodeSlot, "rivals", "sqlite", 2, every=True, limit=5)
    assert not bound.exhausted
    assert not bound.holds


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_statements_touch_the_cells_of_their_row(row):
    """What SQLite says that a transaction wrote and read is what the wrapper table says."""
    prefix, call = beginning_of(row.operation)
    if hasattr(call, "ledger_entry"):
        # One that does not stand in the ledger, or nothing would be written there.
        call = attrs.evolve(call, ledger_entry=pools.ITERATION_ENTRIES[3])
    with SqliteSystem(2) as system:
        observed, failure = Explorer(system, Scenario.of(prefix, [[call], []])).take(Replay([]).choose)
        effects = [system.effects[step.label] for step in observed.execution.steps if step.label in system.effects]
    assert failure is None
    expected = row_footprint(row)
    assert {name for effect in effects for name in effect.writes} == expected.writes
    assert expected.reads <= {name for effect in effects for name in effect.reads}


def test_what_the_scheduler_does_not_own_is_told():
    flips = iter(range(100))

    class Flipping(MemoryEngine):
        def execute(self, operation):
            if next(flips) % 3 == 0:
                self._calls[ops.PutSpec][0].lock.acquire()
                self._calls[ops.PutSpec][0].lock.release()
            return super().execute(operation)

    with (
        MemorySystem(2, engine=lambda clock, store: Flipping(clock, store=store)) as system,
        pytest.raises(NotUnderControl, match=r"something is not under control: in step|can go on, and it was"),
    ):
        explore(system, rivals(ops.CasFlowState, 2), Exhaustive())


def test_a_clock_that_runs_is_told():
    times = iter(range(1000))

    def clock():
        return 10**18 + next(times)

    with (
        MemorySystem(2, engine=lambda _, store: MemoryEngine(clock, store=store)) as system,
        pytest.raises(NotUnderControl, match="the same choices came to"),
    ):
        explore(system, rivals(ops.Append, 2), Exhaustive())


def test_a_storage_is_put_back_before_every_execution():
    with SqliteSystem(2) as system:
        explorer = Explorer(system, rivals(ops.AppendStepEntry, 2))
        before = system.handles[-1].runs.get_run(pools.RUNS[3].run_id)
        for choices in ([0] * 5 + [1] * 5, [1] * 5 + [0] * 5):
            observed, failure = explorer.take(Replay(choices).choose)
            assert failure is None
            assert [call.outcome.kind for call in observed.calls] == [None, None]
            assert system.handles[-1].runs.get_run(pools.RUNS[3].run_id) == before


def test_a_writer_waits_for_the_lock_of_another_and_goes_on_after_it():
    """SQLite says busy; the client is blocked until the transaction has ended."""
    with SqliteSystem(2) as system:
        explorer = Explorer(system, rivals(ops.CasFlowState, 2))
        observed, failure = explorer.take(Replay([0, 0, 1, 1, 0, 0, 0, 1, 1, 1]).choose)
    assert failure is None
    labels = [step.label for step in observed.execution.steps if step.client == 1]
    assert labels[1:3] == ["BEGIN IMMEDIATE: busy", "BEGIN IMMEDIATE"]
    assert [step.runnable for step in observed.execution.steps[4:6]] == [(0,), (0,)]


def raw(mode, sleep, tmp_path):
    """Two clients that read a number and then write one more, in a file of their own."""
    path = str(tmp_path / f"{mode}-{sleep}.db")
    with Scheduler(2) as scheduler:
        control = Control(scheduler)
        connections = [
            control.connect(path, isolation_level=None, check_same_thread=False, cached_statements=0) for _ in "ab"
        ]
        connections[0].execute(f"PRAGMA journal_mode = {mode}")
        for connection in connections:
            connection.execute("PRAGMA synchronous = OFF")
        connections[0].execute("CREATE TABLE t (v)")
        connections[0].execute("INSERT INTO t VALUES (0)")
        restorer, strategy, found = Restorer(path, control), Exhaustive(sleep=sleep), set()

        def job(connection, answers):
            try:
                connection.execute("BEGIN")
                (value,) = connection.execute("SELECT v FROM t").fetchone()
                connection.execute("UPDATE t SET v = ?", (value + 1,))
                connection.execute("COMMIT")
                answers.append(value)
            except sqlite3.OperationalError as error:
                answers.append(str(error))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

        while strategy.begin():
            answers = [[], []]
            jobs = [("begin", functools.partial(job, *each)) for each in zip(connections, answers, strict=True)]
            execution = scheduler.run(jobs, strategy.choose)
            strategy.ended(execution)
            if not execution.stopped:
                found.add((str(answers), restorer.found()))
            restorer.restore()
        for each in (*connections, restorer):
            each.close()
    return found


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_transactions_that_begin_by_reading_fail_rather_than_lose_an_update(mode, tmp_path):
    """SQLite refuses the second writer at once, waiting is of no use; sleep sets find the same outcomes."""
    found = raw(mode, sleep=True, tmp_path=tmp_path)
    assert found == raw(mode, sleep=False, tmp_path=tmp_path)
    assert ("[[0], ['database is locked']]", (("t", (1,)),)) in found
    assert ("[[0], [1]]", (("t", (2,)),)) in found
    assert not any(answers == "[[0], [0]]" for answers, _ in found)
