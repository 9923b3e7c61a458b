"""The authority log: every machine input has a record, and the record reads back as the input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobstore.model import FrozenMap, RunId, from_json
from mobstore.model.callers.authority import CELL_OF, MACHINE_OF, Addressed, Unreadable, read, written
from mobstore.model.machines import Transitioned, frame_inputs, loop_inputs, run_inputs
from mobstore.model.values import (
    AuthorizeFlowRunReducerCommand,
    AuthorizeLoopIterationReducerCommand,
    CreateRunSeed,
    FlowRunState,
    RunFlow,
    StepStatus,
)
from mobstore.model.wrappers import Cell

RUN_ID = RunId("11111111-0000-4000-8000-000000000001")
GRAPH = {"node_step_ids": FrozenMap({"a": "a"}), "node_loop_ids": FrozenMap()}
MACHINES = {Cell.FLOW_STATE: "run", Cell.FRAME: "frame", Cell.LOOP: "loop"}


def key_of(cell, state, input):
    if cell is Cell.FLOW_STATE:
        return str(RUN_ID)
    name = "frame_id" if cell is Cell.FRAME else "loop_instance_id"
    return getattr(state, name) or getattr(input, name, "")


@pytest.mark.parametrize("cell", MACHINES, ids=MACHINES.get)
def test_every_recorded_transition_is_taken_again_from_its_record(cell, vectors):
    """What is read from the record leads to the state that the input led to, also where arguments are not kept."""
    seen = set()
    for state, input, _ in vectors(MACHINES[cell]):
        result = MACHINE_OF[cell].step(state, input)
        if not isinstance(result, Transitioned):
            continue
        to = Addressed(cell, key_of(cell, result.next_state, input), input)
        record = written(RUN_ID, to, state, result.next_state, GRAPH)
        seen.add(type(input))
        if record is None:
            assert type(input) is loop_inputs.BodyFrameStarted
            continue
        first, *implied = read(record)
        assert [type(more.input) for more in implied] == (
            [loop_inputs.BodyFrameStarted] if type(input) is frame_inputs.StartBodyFrame else []
        )
        assert (first.cell, first.key, type(first.input)) == (cell, to.key, type(input))
        assert MACHINE_OF[cell].step(state, first.input).next_state == result.next_state
    never = {run_inputs.ProjectFrameStepStatus}  # it is always refused
    assert seen == {kind for kind, of in CELL_OF.items() if of is cell} - never


def test_a_command_says_what_the_step_came_to():
    before = FlowRunState(step_status={"s": "Dispatched"})
    after = FlowRunState(step_status={"s": "Completed"})
    to = Addressed(Cell.FLOW_STATE, RUN_ID, run_inputs.CompleteStep("s"))
    record = written(RUN_ID, to, before, after, {})
    assert record == AuthorizeFlowRunReducerCommand(
        RUN_ID, "CompleteStep", "s", f"{RUN_ID}\0s", StepStatus.COMPLETED, None, None, None, None, None
    )
    assert written(RUN_ID, to, after, after, {}).step_status is None


def test_a_body_seed_also_begins_the_loops_body():
    seed = from_json(
        frame_inputs.StartBodyFrame,
        {
            "frame_id": "f",
            "loop_instance_id": "l",
            "iteration": 3,
            "tracked_nodes": ["a"],
            "ordered_nodes": ["a"],
            "node_kind": {"a": "Step"},
            "node_dependencies": {"a": []},
            "node_dependency_modes": {"a": "All"},
            "node_branches": {"a": None},
        },
    )
    frame = MACHINE_OF[Cell.FRAME]
    result = frame.step(frame.state(), seed)
    record = written(RUN_ID, Addressed(Cell.FRAME, "f", seed), frame.state(), result.next_state, GRAPH)
    assert (record.ready_queue, dict(record.node_step_ids), record.iteration) == (("a",), {"a": "a"}, 3)
    assert read(record) == (
        Addressed(Cell.FRAME, "f", seed),
        Addressed(Cell.LOOP, "l", loop_inputs.BodyFrameStarted("l", "f", 3)),
    )


def test_a_started_flow_reads_as_the_run_that_it_became():
    fields = {
        "run_id": RUN_ID,
        **{name: ["s"] for name in ("step_ids", "ordered_steps")},
        "step_has_conditions": {"s": False},
        "step_dependencies": {"s": []},
        "step_dependency_modes": {"s": "All"},
        "step_branches": {"s": None},
        "step_collection_policies": {"s": "All"},
        "step_quorum_thresholds": {"s": 0},
        **dict.fromkeys(("escalation_threshold", "max_step_retries"), 1),
        **dict.fromkeys(("max_active_nodes", "max_active_frames", "max_frame_depth"), 0),
    }
    assert read(from_json(RunFlow, fields)) == read(from_json(CreateRunSeed, fields))


@given(st.sampled_from(["StartLoop", "BodyFrameFailed", "BodyFrameStarted"]))
def test_a_record_without_what_the_machine_looks_at_is_unreadable(command):
    record = AuthorizeLoopIterationReducerCommand("l", command, None, None)
    with pytest.raises(Unreadable, match=f"{command} needs "):
        read(record)


def test_a_record_with_what_no_machine_takes_is_unreadable():
    record = AuthorizeLoopIterationReducerCommand("l", "BodyFrameFailed", None, 2**40)
    with pytest.raises(Unreadable, match="iteration: 1099511627776 is not an unsigned 32-bit integer"):
        read(record)
