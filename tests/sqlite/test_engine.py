"""Each call does what ``step`` says, in one transaction, and touches only the rows that it names."""

import sqlite3
from contextlib import closing, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobstore.backends.sqlite import HANDLERS, OutcomeUnknown, SqliteEngine
from mobstore.backends.sqlite._checks import install
from mobstore.backends.sqlite._codec import _encode_plain, _encoder, encode
from mobstore.backends.sqlite._schema import SCHEMA
from mobstore.model import (
    FEED_CAPACITY,
    OPERATIONS,
    ROWS,
    FlowFrameState,
    FrameSnapshot,
    MobRun,
    MobStoreError,
    NewMobEvent,
    OrderedTrieMap,
    ReadFailed,
    RunId,
    Timestamp,
    TrieMap,
    evolve,
    to_text,
)
from mobstore.model import operations as ops
from mobstore.model._json import Payload
from mobstore.model.values import AuthorityLog, IterationOutputs, StepLedger
from mobstore.properties import pools, smoke, strategies
from mobstore.properties.subject import ManualClock, Reference, outcome_of, same_outcome

EVENT = NewMobEvent("mob", {"type": "mob_reset"})
READS = (
    *map(ops.GetRun, pools.RUN_IDS),
    *map(ops.ListRuns, pools.MOB_IDS),
    *map(ops.ListExternalBindingOverlays, pools.MOB_IDS),
    *map(ops.LoadSupervisorAuthority, pools.MOB_IDS),
    *map(ops.GetSpec, pools.MOB_IDS),
    ops.ReplayAll(),
    ops.LatestCursor(),
    ops.ListSpecs(),
    ops.ListProfiles(),
)


def check_alike(reference, engine, operation):
    """Make a call on both, and compare what it comes to."""
    expected = outcome_of(lambda: reference.execute(operation))
    actual = outcome_of(lambda: engine.execute(operation))
    assert same_outcome(expected, actual), (operation, expected, actual)
    return expected


# --- meaning ------------------------------------------------------------------------------------------------


def test_every_call_succeeds_as_in_the_model(path):
    """All 57 calls, each with success, then everything read from another handle."""
    assert {type(operation) for operation in smoke.CALLS} == set(OPERATIONS.values()) == set(HANDLERS)
    clock = ManualClock()
    reference = Reference(clock)
    with closing(SqliteEngine(path, clock=clock)) as engine, closing(SqliteEngine(path)) as other:
        for operation in smoke.CALLS:
            assert check_alike(reference, engine, operation).kind is None, operation
            clock.tick()
        for operation in READS:
            check_alike(reference, other, operation)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_drawn_calls_answer_as_in_the_model(tmp_path_factory, data):
    """Calls of every kind, valid and not, with a reopening now and then; nothing differs at any point."""
    clock = ManualClock()
    reference = Reference(clock)
    kinds = st.sampled_from(list(OPERATIONS.values()))
    with closing(SqliteEngine(tmp_path_factory.mktemp("drawn") / "stores.db", clock=clock)) as engine:
        for run in data.draw(st.lists(st.sampled_from(pools.RUNS), max_size=3)):
            check_alike(reference, engine, ops.CreateRun(run))
        for number in range(30):
            check_alike(reference, engine, strategies.draw_operation(data.draw, data.draw(kinds), reference.state))
            clock.tick()
            if number % 13 == 12:
                engine.reopen()
        for operation in READS:
            check_alike(reference, engine, operation)


def test_a_run_is_read_back_as_it_was_given(make):
    """Each run of the pool is equal to what was stored, and the runs of a mob come in the order of creation."""
    engine = make()
    stored = [
        evolve(run, {"run_id": RunId(f"22222222-0000-4000-8000-{99 - number:012d}"), "mob_id": "mob"})
        for number, run in enumerate(pools.RUNS)
    ]
    for run in stored:
        engine.execute(ops.CreateRun(run))
        assert engine.execute(ops.GetRun(run.run_id)) == run
    assert engine.execute(ops.ListRuns("mob")) == tuple(stored)
    assert engine.execute(ops.ListRuns("mob", "Flow")) == tuple(run for run in stored if run.flow_id == "Flow")


def test_outputs_keep_their_place_and_their_gaps(make):
    """Overwriting keeps the place of a key; iterations without output, at the end too, are still there."""
    outputs = OrderedTrieMap({"b": pools.PAYLOADS[1], "a": pools.PAYLOADS[2]})
    iterations = IterationOutputs([OrderedTrieMap(), outputs, OrderedTrieMap()])
    run = evolve(
        pools.RUNS[0],
        {
            "root_step_outputs": outputs,
            "loop_iteration_outputs": TrieMap({"empty": IterationOutputs(), "loop": iterations}),
            "frames": TrieMap({"root": pools.FRAMES[0]}),
        },
    )
    reference, engine = Reference(ManualClock()), make()
    check_alike(reference, engine, ops.CreateRun(run))
    assert len(check_alike(reference, engine, ops.GetRun(run.run_id)).value.loop_iteration_outputs["loop"]) == 3
    frame = pools.FRAMES[0]
    for context in (None, ("loop", 1), ("loop", 4), ("new", 0)):
        for key in ("b", "c"):
            output = (run.run_id, "root", frame, frame, key, pools.PAYLOADS[3], context)
            check_alike(reference, engine, ops.CasCompleteStepAndRecordOutput(*output))
    answer = check_alike(reference, engine, ops.GetRun(run.run_id)).value
    assert list(answer.root_step_outputs) == ["b", "a", "c"]
    assert len(answer.loop_iteration_outputs["loop"]) == 5
    assert len(answer.loop_iteration_outputs["empty"]) == 0


def test_a_snapshot_s_text_is_that_of_the_model():
    """The fast encoder prints what `to_text` prints, and is used where it can be."""
    for value in (*pools.FLOW_STATES, *pools.FRAMES, *pools.LOOP_SNAPSHOTS):
        assert encode(value) == to_text(value)
        assert _encoder(type(value)) is _encode_plain
    for value in (*pools.AUTHORITIES, *pools.OVERLAYS, *pools.ACCEPTED_INPUTS, *pools.STEP_ENTRIES, *pools.RUNS):
        assert encode(value) == to_text(value)
        assert _encoder(type(value)) is not _encode_plain


def test_equal_records_in_another_encoding_compare_equal(engine, run, sql):
    """A state whose text somebody else wrote, with other blanks and another order of keys, is still the state."""
    sql(
        "UPDATE runs SET flow_state = (SELECT json_group_object(key, json(value)) FROM "
        "(SELECT key, CASE type WHEN 'text' THEN json_quote(value) ELSE value END AS value "
        "FROM json_each(flow_state) WHERE type NOT IN ('null', 'true', 'false') ORDER BY key DESC))"
    )
    assert sql("SELECT flow_state FROM runs")[0][0] != encode(run.flow_state)
    assert engine.execute(ops.GetRun(run.run_id)) == run
    assert engine.execute(ops.CasFlowState(run.run_id, pools.FLOW_STATES[0], pools.FLOW_STATES[1])) is False
    assert engine.execute(ops.CasFlowState(run.run_id, run.flow_state, pools.FLOW_STATES[1])) is True


def test_a_corrupt_row_is_told_and_keeps_no_other_from_being_read(engine, run, sql):
    """The error names the file, the place and the rule; other runs, and other cells of this one, work on."""
    other = evolve(pools.RUNS[0], {"run_id": pools.RUN_IDS[1], "mob_id": "other"})
    engine.execute(ops.CreateRun(other))
    sql('UPDATE frames SET snapshot = \'{"kernel_state":{"phase":"Flying"}}\' WHERE frame_id = \'root \'')
    with pytest.raises(
        ReadFailed, match=r"stores\.db: run .*: frames\['root '\]\.kernel_state\.phase: 'Flying' is not"
    ):
        engine.execute(ops.GetRun(run.run_id))
    assert engine.execute(ops.GetRun(other.run_id)) == other
    assert engine.execute(ops.ListRuns("other")) == (other,)
    assert engine.execute(ops.CasFrameState(run.run_id, "root", run.frames["root"], pools.FRAMES[2]))


@pytest.mark.parametrize("broken", ['\'{"secret_key":"hunter2"}\'', "CAST(x'7b2268756e74657232ff' AS TEXT)"])
def test_a_corrupt_secret_is_not_shown(engine, sql, broken):
    """Neither the message nor its cause has what stands in the row."""
    engine.execute(ops.PutSupervisorAuthority("mob", pools.AUTHORITIES[0]))
    sql(f"UPDATE supervisors SET record = {broken}")
    with pytest.raises(ReadFailed) as caught:
        engine.execute(ops.LoadSupervisorAuthority("mob"))
    error = caught.value
    assert "hunter2" not in f"{error!r}{error.__cause__!r}"
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_times_come_from_the_injected_clock(make):
    """And from nowhere else."""
    engine = make(clock=lambda: 7)
    assert engine.execute(ops.Append(EVENT)).timestamp == Timestamp(0, 7)
    assert engine.execute(ops.CreateProfile("p", {})).created_at == Timestamp(0, 7)


@pytest.mark.parametrize("completed_at", [None, pools.TIMES[2]])
def test_the_time_of_completion_is_set_once(make, run, completed_at):
    """By the status that turns terminal, of either call, unless it is there already."""
    for number, status in enumerate(("completed", "failed")):
        reference, engine = Reference(lambda: 7), make(clock=lambda: 7)
        held = evolve(run, {"run_id": pools.RUN_IDS[number], "completed_at": completed_at})
        calls = (
            ops.CasRunStatus(held.run_id, "running", "pending"),
            ops.CasRunSnapshot(held.run_id, "pending", held.flow_state, status, pools.FLOW_STATES[1]),
            ops.CasRunStatus(held.run_id, status, "running"),
        )
        for operation in (ops.CreateRun(held), *calls):
            check_alike(reference, engine, operation)
        after = check_alike(reference, engine, ops.GetRun(held.run_id)).value
        assert after.completed_at == (completed_at or Timestamp(0, 7))


# --- statements ---------------------------------------------------------------------------------------------

EVERYTHING = ("DELETE FROM events", "FROM specs AS t WHERE true", "FROM profiles AS t WHERE true")
"""The tables that a call answers as a whole, and by what its statement is known."""


def statements(make):
    """Return every statement that the calls send, reads of the feed included."""
    sent = {}
    engine = make(trace=sent.setdefault)
    for operation in smoke.CALLS:
        engine.execute(operation)
    engine.subscribe().drain()
    return [statement for statement in sent if statement.split()[0] in ("SELECT", "INSERT", "UPDATE", "DELETE")]


def test_no_statement_scans_a_table_or_sorts(make, path):
    """Every statement goes through an index, but those whose answer is the whole table."""
    found = [statement for statement in statements(make) if "sqlite_schema" not in statement]
    assert len(found) > 60
    with closing(sqlite3.connect(path)) as connection:
        install(connection)
        for statement in found:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?")).fetchall()
            for _, _, _, step in plan:
                scans = step.startswith("SCAN") and step not in ("SCAN CONSTANT ROW", "SCAN c")
                assert not scans or any(whole in statement for whole in EVERYTHING), (statement, step)
                assert "TEMP B-TREE" not in step, (statement, step)
        # The check itself can fail: a plan without an index says so.
        plan = connection.execute("EXPLAIN QUERY PLAN SELECT 1 FROM runs WHERE flow_id = 'f'").fetchall()
        assert plan[0][3].startswith("SCAN")


class Counting(sqlite3.Connection):
    """Counts the steps of SQLite's virtual machine."""

    steps = 0

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.set_progress_handler(self.count, 1)

    def count(self):
        Counting.steps += 1


def steps_of(engine, operation, answer=True):
    """Return how many steps a call takes."""
    before = Counting.steps
    assert engine.execute(operation) is answer
    return Counting.steps - before


def grown(size):
    """Return a run with so many frames, entries of the step ledger and authority inputs."""
    return MobRun(
        pools.RUN_IDS[0],
        "mob",
        "flow",
        "running",
        pools.FLOW_STATES[1],
        Payload.of(None),
        pools.TIMES[0],
        frames=TrieMap(
            {f"f{number}": FrameSnapshot(FlowFrameState(frame_id=f"f{number}")) for number in range(size)}
        ),
        step_ledger=StepLedger(evolve(pools.STEP_ENTRIES[0], {"step_id": f"s{number}"}) for number in range(size)),
        flow_authority_inputs=AuthorityLog(pools.ACCEPTED_INPUTS[0] for _ in range(size)),
    )


def test_the_cost_of_a_call_does_not_grow_with_its_run(make, tmp_path):
    """A run a thousand times larger costs the same steps: a wrapper, its authority log, the step ledger."""
    costs = {}
    for size in (10, 10_000):
        engine = make(path=tmp_path / f"{size}.db", connect=Counting)
        run = grown(size)
        engine.execute(ops.CreateRun(run))
        frame = run.frames["f5"]
        grant = (run.run_id, run.flow_state, pools.FLOW_STATES[2], "f5", frame, pools.FRAMES[0])
        entry = evolve(pools.STEP_ENTRIES[1], {"step_id": "s5"})
        costs[size] = [
            steps_of(engine, ops.CasGrantNodeSlotWithAuthority(*grant, pools.ACCEPTED_INPUTS)),
            steps_of(engine, ops.AppendStepEntryIfAbsent(run.run_id, entry)),
            steps_of(engine, ops.PutStepOutput(run.run_id, "s5", Payload.of(1)), None),
            steps_of(engine, ops.CasFrameState(run.run_id, "new", None, frame)),
        ]
    assert all(cost > 10 for cost in costs[10])
    assert all(large <= 1.5 * small for small, large in zip(costs[10], costs[10_000], strict=True)), costs


def test_the_cost_of_an_append_does_not_grow_with_the_log(make):
    """Neither that of an event nor that of a terminal one, once the feed is full."""
    engine = make(connect=Counting)
    terminal = pools.KINDS[1].value
    kinds = [{**terminal, "flow_id": f"flow-{number}"} for number in range(FEED_CAPACITY + 10)]
    costs = []
    for kind in kinds:
        before = Counting.steps
        engine.execute(ops.AppendTerminalEventIfAbsent(NewMobEvent("mob", kind)))
        costs.append(Counting.steps - before)
        if len(costs) == 20:
            engine.execute(ops.AppendBatch([NewMobEvent("mob", kind) for kind in kinds[20 : FEED_CAPACITY - 10]]))
            del kinds[20 : FEED_CAPACITY - 10]
    assert engine.execute(ops.LatestCursor()) == FEED_CAPACITY + 10
    warm = costs[1:]
    assert 10 < max(warm) <= 1.5 * min(warm), (min(warm), max(warm))


def test_every_table_and_index_is_used(make):
    """The schema has nothing that no statement needs."""
    text = " ".join(statements(make))
    for name, definition in SCHEMA.items():
        if definition.startswith("CREATE TABLE"):
            assert f" {name} " in text, name


# --- all or nothing -----------------------------------------------------------------------------------------

AUTHORITY = pools.ACCEPTED_INPUTS[:2]


def everything(engine):
    """Return all that the engine answers."""
    return [outcome_of(lambda operation=operation: engine.execute(operation)) for operation in READS]


def grant(run, flow_state=None):
    """Return a wrapper that writes flow state, loop, frame, iteration ledger and authority log."""
    return ops.CasGrantBodyFrameStartWithAuthority(
        run.run_id,
        "root::n",
        run.loops["root::n"],
        pools.LOOP_SNAPSHOTS[1],
        "l::iter-0",
        pools.FRAMES[3],
        pools.ITERATION_ENTRIES[3],
        run.flow_state if flow_state is None else flow_state,
        pools.FLOW_STATES[4],
        AUTHORITY,
    )


CHANGING = {
    "a wrapper": grant,
    "a wrapper that does not match": lambda run: grant(run, pools.FLOW_STATES[0]),
    "a wrapper with a refused input": lambda run: evolve(
        grant(run), {"authority_inputs": pools.REFUSED_INPUTS[:1]}
    ),
    "a batch of events": lambda run: ops.AppendBatch([EVENT] * 3),
    "a new run": lambda run: ops.CreateRun(evolve(run, {"run_id": pools.RUN_IDS[1]})),
    "clear": lambda run: ops.Clear(),
}


@pytest.fixture
def protocols(make, run, tmp_path):
    """The statements of each changing call, recorded on another file."""
    recorded = {}
    for number, (name, operation) in enumerate(CHANGING.items()):
        sent = []
        engine = make(path=tmp_path / f"{number}.db", trace=sent.append)
        engine.execute(ops.CreateRun(run))
        sent.clear()
        outcome_of(lambda engine=engine, operation=operation: engine.execute(operation(run)))
        recorded[name] = list(sent)
    return recorded


@pytest.mark.parametrize("failure", [KeyboardInterrupt, sqlite3.OperationalError, MemoryError])
@pytest.mark.parametrize("name", CHANGING)
def test_a_call_cut_off_at_any_statement_changes_nothing(make, run, protocols, name, failure):
    """Cut off before each of its statements in turn: nothing is half done, and nothing stays locked."""
    sent, cut = [], 0

    def trace(statement):
        sent.append(statement)
        if len(sent) == cut:
            raise failure("cut off")

    other = make(busy_timeout=0)
    other.execute(ops.CreateRun(run))
    other.execute(ops.Append(EVENT))
    engine = make(trace=trace)
    engine.execute(ops.LatestCursor())
    before = everything(other)
    protocol = protocols[name]
    assert protocol[0] == "BEGIN IMMEDIATE"
    for cut in range(1, len(protocol) + 1):
        sent.clear()
        with suppress(failure, MobStoreError):
            engine.execute(CHANGING[name](run))
        assert sent[: len(protocol)][:cut] == protocol[:cut]
        assert everything(other) == before, protocol[cut - 1]
        other.execute(ops.PutSpec("unlocked", {}))
        other.execute(ops.DeleteSpec("unlocked"))
    cut = 0
    outcome_of(lambda: engine.execute(CHANGING[name](run)))
    assert (everything(other) != before) is (protocol[-1] == "COMMIT")


def test_a_commit_that_fails_is_told_as_unknown(make, run):
    """Nobody knows then what a recovery would find."""

    def trace(statement):
        if statement == "COMMIT" and armed:
            raise sqlite3.OperationalError("disk I/O error")

    armed = False
    engine = make(trace=trace)
    engine.execute(ops.CreateRun(run))
    armed = True
    with pytest.raises(OutcomeUnknown, match="the outcome is unknown: disk I/O error while committing"):
        engine.execute(ops.Append(EVENT))
    armed = False
    assert engine.execute(ops.Append(EVENT)).cursor == 1


def test_a_false_answer_and_an_error_roll_back(make, run):
    """The transaction of a call that changes nothing is not committed."""
    sent = []
    engine = make(trace=sent.append)
    engine.execute(ops.CreateRun(run))
    sent.clear()
    assert engine.execute(grant(run, pools.FLOW_STATES[0])) is False
    assert (sent[0], sent[-1], len(sent)) == ("BEGIN IMMEDIATE", "ROLLBACK", 3)
    sent.clear()
    assert engine.execute(grant(run)) is True
    assert (sent[0], sent[-1]) == ("BEGIN IMMEDIATE", "COMMIT")
    assert sum(statement.startswith("SELECT") for statement in sent) == 1


def test_every_wrapper_is_one_select_and_its_writes(make):
    """The protocol of each row: begin, one SELECT, the writes, commit."""
    sent = []
    engine = make(trace=sent.append)
    rows = {row.operation: row for row in ROWS}
    seen = set()
    for operation in smoke.CALLS:
        sent.clear()
        engine.execute(operation)
        if type(operation) in rows:
            seen.add(type(operation))
            kinds = [statement.split()[0] for statement in sent if not statement.startswith("PRAGMA")]
            assert kinds[:2] == ["BEGIN", "SELECT"]
            assert kinds[-1] == "COMMIT"
            assert set(kinds[2:-1]) <= {"INSERT", "UPDATE"}
    assert seen == set(rows)
