"""``step`` does what the table says, row by row: exactly, atomically, and nothing else."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobstore.model import (
    OPERATIONS,
    ROWS,
    Internal,
    MobRunStatus,
    MobStoreError,
    NotFound,
    State,
    drain,
    evolve,
    step,
)
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT, FEED_CAPACITY, HANDLERS, LEDGERS
from mobstore.model.wrappers import Absent, Append, Cell, Equals, NotTerminal, Put, Unknown
from mobstore.properties import pools, smoke
from mobstore.properties.strategies import draw_operation

NOW = 1_800_000_000_000_000_001
FIELDS = {
    Cell.STATUS: {"status", "completed_at"},
    Cell.FLOW_STATE: {"flow_state"},
    Cell.FRAME: {"frames"},
    Cell.LOOP: {"loops"},
    Cell.STEP_OUTPUT: {"step_ledger"},
    Cell.OUTPUT: {"root_step_outputs", "loop_iteration_outputs"},
    **{cell: {field} for cell, field in LEDGERS.items()},
}
WITH_RUN = step(State(), ops.CreateRun(pools.RUNS[3]), NOW)[0]
rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def successful(row):
    """A state in which the smoke call of the row succeeds, and the call."""
    state = State()
    for operation in smoke.CALLS:
        if isinstance(operation, row.operation) and type(operation) is row.operation:
            return state, operation
        if operation.store == "run":
            state, _ = step(state, operation, NOW)
    raise AssertionError(row.name)


def test_there_are_fifty_seven_calls_and_every_one_has_a_meaning():
    """29 run, 9 event, 10 metadata, 4 spec, 5 profile; the table holds 26 of the run store's."""
    counts = {store: sum(key[0] == store for key in OPERATIONS) for store in ("run", "event", "metadata", "spec")}
    assert counts == {"run": 29, "event": 9, "metadata": 10, "spec": 4}
    assert len(OPERATIONS) == len(HANDLERS) == 57
    assert len(ROWS) == len({row.operation for row in ROWS}) == 26


def test_the_smoke_calls_all_succeed():
    """Each of the 57 changes something, or reads something that is there."""
    state = State()
    for operation in smoke.CALLS:
        before = state
        state, answer = step(state, operation, NOW)
        assert answer is not False, operation.call
        assert (state is not before) != (operation.reads or isinstance(operation, ops.Subscribe)), operation.call
        assert answer not in ((), 0) or isinstance(operation, ops.Subscribe), operation.call
    assert {type(operation) for operation in smoke.CALLS} == set(OPERATIONS.values())


@rows
def test_success_writes_exactly_the_cells_of_the_row(row):
    """Every written cell holds its argument, and no other field of the run moves."""
    state, operation = successful(row)
    before = state.run.runs[operation.run_id]
    changed, answer = step(state, operation, NOW)
    after = changed.run.runs[operation.run_id]
    assert answer is (True if row.answers else None)
    may_move = set().union(*(FIELDS[write.cell] for write in row.writes))
    moved = {
        field.name
        for field in attrs.fields(type(before))
        if getattr(before, field.name) != getattr(after, field.name)
    }
    assert moved <= may_move
    for write in row.writes:
        argument = getattr(operation, write.argument)
        if isinstance(write, Put) and write.cell in (Cell.STATUS, Cell.FLOW_STATE, Cell.FRAME, Cell.LOOP):
            assert CURRENT[write.cell](after, operation) == argument
        if isinstance(write, Append):
            ledger = getattr(after, LEDGERS[write.cell])
            assert (ledger[-len(argument) :] == tuple(argument)) if write.many else (argument in ledger)


@rows
def test_each_comparison_alone_refuses_the_call(row):
    """Whatever one of them sees otherwise, the call does nothing."""
    state, operation = successful(row)
    for comparison in row.comparisons:
        spoiled_state, spoiled = spoil(comparison, state, operation)
        try:
            changed, answer = step(spoiled_state, spoiled, NOW)
        except Internal:
            assert not row.answers
            continue
        assert answer is False, comparison
        assert changed is spoiled_state


def spoil(comparison, state, operation):
    """Make one comparison fail, in the operation or in the state."""
    run = state.run.runs[operation.run_id]
    if isinstance(comparison, Equals):
        pool = {
            Cell.STATUS: tuple(MobRunStatus),
            Cell.FLOW_STATE: pools.FLOW_STATES,
            Cell.FRAME: pools.FRAMES,
            Cell.LOOP: pools.LOOP_SNAPSHOTS,
        }[comparison.cell]
        other = next(value for value in pool if value != getattr(operation, comparison.argument))
        return state, evolve(operation, {comparison.argument: other})
    if isinstance(comparison, NotTerminal):
        expected = [name for name in ("expected", "expected_status") if hasattr(operation, name)]
        failed = dict.fromkeys(expected, MobRunStatus.FAILED)
        return with_run(state, run, status=MobRunStatus.FAILED), evolve(operation, failed)
    if comparison == Absent(Cell.LOOP):
        loops = run.loops.set(operation.loop_instance_id, pools.LOOP_SNAPSHOTS[0])
        return with_run(state, run, loops=loops), operation
    if comparison == Absent(Cell.FRAME):
        return with_run(state, run, frames=run.frames.set(operation.frame_id, pools.FRAMES[0])), operation
    if isinstance(comparison, Absent):
        return with_run(state, run, step_ledger=run.step_ledger.append(operation.entry)), operation
    return state, evolve(operation, {"step_id": "no such step"})


def with_run(state, run, **changes):
    runs = state.run.runs.insert(run.run_id, evolve(run, changes))
    return attrs.evolve(state, run=attrs.evolve(state.run, runs=runs))


@rows
def test_an_unknown_run_is_answered_as_the_row_says(row):
    """False for the three oldest calls, NotFound for all others, and no run appears."""
    _, operation = successful(row)
    if row.unknown is Unknown.FALSE:
        assert step(State(), operation, NOW) == (State(), False)
    else:
        with pytest.raises(NotFound, match=f"run not found: {operation.run_id}"):
            step(State(), operation, NOW)


@pytest.mark.parametrize("row", [row for row in ROWS if row.authority], ids=lambda row: row.name)
def test_a_refused_input_fails_after_the_comparison_and_before_any_change(row):
    """A mismatch still answers false; a match raises and changes nothing."""
    state, operation = successful(row)
    refused = evolve(operation, {"authority_inputs": (*pools.ACCEPTED_INPUTS[:1], *pools.REFUSED_INPUTS[:1])})
    with pytest.raises(Internal, match="MobMachine input Stop is not a flow authority input"):
        step(state, refused, NOW)
    comparison = next(item for item in row.comparisons if isinstance(item, Equals))
    mismatched_state, mismatched = spoil(comparison, state, refused)
    assert step(mismatched_state, mismatched, NOW) == (mismatched_state, False)


@pytest.mark.parametrize("row", [row for row in ROWS if row.authority], ids=lambda row: row.name)
def test_the_twin_is_the_plain_call_plus_the_log(row):
    """Without inputs it does the same; with inputs they are appended, and nothing else differs."""
    state, operation = successful(row)
    plain_kind = type(operation).__mro__[1]
    plain = plain_kind(**{name: getattr(operation, name) for name in plain_kind.parameters()})
    with_log, _ = step(state, operation, NOW)
    without, _ = step(state, plain, NOW)
    run, other = with_log.run.runs[operation.run_id], without.run.runs[operation.run_id]
    assert run.flow_authority_inputs == (*other.flow_authority_inputs, *operation.authority_inputs)
    assert evolve(run, {"flow_authority_inputs": other.flow_authority_inputs}) == other


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_what_fails_or_answers_false_changes_nothing(data):
    """For any call in any state that calls can reach."""
    state = State()
    for _ in range(data.draw(st.integers(1, 8))):
        kind = data.draw(st.sampled_from(list(OPERATIONS.values())))
        operation = draw_operation(data.draw, kind, state) if kind is not ops.Subscribe else ops.Subscribe()
        try:
            changed, answer = step(state, operation, NOW)
        except MobStoreError:
            continue
        if answer is False or kind.reads:
            assert changed is state
        state = changed


def test_completion_time_is_set_once():
    """On turning terminal, unless the run has one."""
    run = evolve(pools.RUNS[3], {"completed_at": None})
    state, _ = step(State(), ops.CreateRun(run), NOW)
    state, _ = step(state, ops.CasRunStatus(run.run_id, run.status, "completed"), NOW)
    assert str(state.run.runs[run.run_id].completed_at) == "2027-01-15T08:00:00.000000001Z"
    state, _ = step(WITH_RUN, ops.CasRunStatus(run.run_id, run.status, "completed"), NOW)
    assert state.run.runs[run.run_id].completed_at == pools.RUNS[3].completed_at


def test_the_feed_outlives_clear_and_counts_what_was_missed():
    """A subscriber sees what was appended after it began, even if it was removed since."""
    state, _ = step(State(), ops.Append(pools.EVENTS[0]), NOW)
    _, place = step(state, ops.Subscribe(), NOW)
    state, _ = step(state, ops.Append(pools.EVENTS[1]), NOW)
    state, _ = step(state, ops.Clear(), NOW)
    state, _ = step(state, ops.Append(pools.EVENTS[2]), NOW)
    events, lagged, after = drain(state.event, place)
    assert [event.cursor for event in events] == [2, 1]
    assert (lagged, after) == (0, 3)
    state, _ = step(state, ops.AppendBatch([pools.EVENTS[0]] * (FEED_CAPACITY + 5)), NOW)
    events, lagged, _ = drain(state.event, after)
    assert (len(events), lagged) == (FEED_CAPACITY, 5)
    assert len(state.event.feed) == FEED_CAPACITY
