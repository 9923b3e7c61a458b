"""The driver alone: every kind of flow comes to the end that its scripts call for."""

import attrs
import pytest

from mobstore.model import MobRunStatus, Payload, Timestamp, evolve
from mobstore.model import operations as ops
from mobstore.model.callers.driver import Contention, OtherFlow, Stuck, UnknownRun, drive, start
from mobstore.model.callers.flow import Flow, Loop, Step, body_frame, instance_of, root_frame
from mobstore.properties.refinement import Comparison
from mobstore.properties.subject import MemoryFactory
from mobstore.properties.workflows.coverage import Coverage
from mobstore.properties.workflows.scenarios import RUN_ID, LoopScript, Scenario, StepScript
from mobstore.properties.workflows.simulation import Schedule, Simulation

ROOT = root_frame(RUN_ID)
FLOW = Flow("flow", (Step("a"),))


@pytest.fixture
def ended():
    """A function that runs a flow with its scripts to the end: the run, its steps' statuses, and the events."""

    def run(flow, steps=(), loops=()):
        comparison = Comparison(MemoryFactory(), "MemoryFactory()")
        scenario = Scenario(flow, dict(steps), dict(loops))
        simulation = Simulation(scenario, Schedule(), comparison, Coverage())
        held = simulation.run()
        statuses = {step: status and status.value for step, status in held.flow_state.step_status.items()}
        return held, statuses, [event.kind.value for event in comparison.state.event.events]

    return run


def test_a_step_after_the_other(ended):
    run, statuses, events = ended(Flow("flow", (Step("b", ("a",)), Step("a"))))
    assert run.status is MobRunStatus.COMPLETED
    assert list(run.root_step_outputs) == ["a", "b"]
    assert statuses == {"a": "Completed", "b": "Completed"}
    assert events == [{"type": "flow_completed", "run_id": str(RUN_ID), "flow_id": "flow"}]


def test_a_failed_step_blocks_those_that_need_it_and_no_others(ended):
    nodes = (Step("a"), Step("b"), Step("all", ("a", "b")), Step("any", ("a", "b"), "Any"), Step("later", ("all",)))
    run, statuses, events = ended(Flow("flow", nodes), {"a": StepScript(failures=9)})
    assert statuses == {
        "a": "Failed",
        "b": "Completed",
        "all": "Skipped",
        "any": "Completed",
        "later": "Skipped",
    }
    assert run.status is MobRunStatus.FAILED
    assert [(entry.step_id, entry.reason) for entry in run.failure_ledger] == [("a", "attempt 0 failed")]
    assert events[-1]["type"] == "flow_failed"


def test_a_step_is_tried_again_as_often_as_is_allowed(ended):
    flow = Flow("flow", (Step("a"), Step("b")), max_step_retries=2)
    run, statuses, _ = ended(flow, {"a": StepScript(failures=2), "b": StepScript(failures=3)})
    assert statuses == {"a": "Completed", "b": "Failed"}
    assert dict(run.flow_state.target_retry_counts) == {"a": 2, "b": 2}


def test_a_step_whose_condition_does_not_hold_is_skipped(ended):
    flow = Flow("flow", (Step("a", has_condition=True), Step("b", has_condition=True), Step("c", ("b",))))
    run, statuses, _ = ended(flow, {"b": StepScript(condition=False)})
    assert statuses == {"a": "Completed", "b": "Skipped", "c": "Skipped"}
    assert dict(run.flow_state.step_condition_results) == {"a": True, "b": False, "c": None}
    assert run.status is MobRunStatus.COMPLETED


def test_of_a_branch_the_first_that_completes_wins(ended):
    nodes = (Step("a", branch="x"), Step("b", branch="x"), Step("c", branch="x"), Step("d", ("b", "c"), "Any"))
    _, statuses, _ = ended(Flow("flow", nodes), {"a": StepScript(failures=9)})
    assert statuses == {"a": "Failed", "b": "Completed", "c": "Skipped", "d": "Completed"}


def test_a_canceled_step_cancels_the_run(ended):
    run, statuses, events = ended(Flow("flow", (Step("a"), Step("b"))), {"a": StepScript(canceled=True)})
    assert statuses == {"a": "Canceled", "b": "Completed"}
    assert (run.status, events[-1]["type"]) == (MobRunStatus.CANCELED, "flow_canceled")


def test_failures_in_a_row_are_told_to_the_supervisor_once_each(ended):
    flow = Flow("flow", (Step("a"), Step("b"), Step("c"), Step("d")), escalation_threshold=2)
    _, _, events = ended(flow, {name: StepScript(failures=1) for name in ("a", "b", "d")})
    assert [event["step_id"] for event in events if event["type"] == "supervisor_escalation"] == ["b"]


NESTED = Flow(
    "flow",
    (Loop("l", (Step("x"), Loop("m", (Step("y"),), 3, ("x",))), 2), Step("z", ("l",))),
    max_active_nodes=1,
    max_active_frames=2,
    max_frame_depth=2,
)


def test_nested_loops_go_on_until_their_conditions_hold(ended):
    """One node slot, and just the body frames that the nesting needs."""
    run, statuses, _ = ended(NESTED, loops={"l": LoopScript(1), "l/m": LoopScript(2)})
    assert statuses == {"l": "Completed", "z": "Completed"}
    outer = instance_of(ROOT, "l")
    assert len(run.loop_iteration_ledger) == 2 + 2 * 3
    assert [set(outputs) for outputs in run.loop_iteration_outputs[outer]] == [{"x"}, {"x"}]
    inner = [run.loop_iteration_outputs[instance_of(body_frame(outer, number), "m")] for number in (0, 1)]
    assert [[outputs["y"].value["did"] for outputs in iterations] for iterations in inner] == [
        [f"-root::l::iter-{outer}::m::iter-{number}::y" for number in range(3)] for outer in (0, 1)
    ]


@pytest.mark.parametrize(
    ("scripts", "phase", "status"),
    [
        ({"loops": {"l": LoopScript(None)}}, "Exhausted", "Failed"),
        ({"loops": {"l": LoopScript(canceled=True)}}, "Canceled", "Canceled"),
        ({"steps": {"l/x": StepScript(failures=9)}}, "Failed", "Failed"),
        ({"steps": {"l/m/y": StepScript(canceled=True)}}, "Canceled", "Canceled"),
    ],
)
def test_a_loop_that_does_not_complete_ends_its_node_alike(ended, scripts, phase, status):
    run, statuses, _ = ended(NESTED, **scripts)
    assert run.loops[instance_of(ROOT, "l")].kernel_state.phase == phase
    assert statuses == {"l": status, "z": "Skipped"}


def test_loops_that_need_more_frames_than_are_free_let_others_pass(ended):
    """Three deep and one deep, and three frames: whoever holds some gets the rest before new ones begin."""
    deep = Loop("a", (Loop("b", (Loop("c", (Step("x"),)),), 2),), 2)
    flow = Flow(
        "flow", (deep, attrs.evolve(deep, id="d", loop_id="d"), Loop("e", (Step("y"),))), max_active_frames=3
    )
    run, _, _ = ended(flow, loops={"a": LoopScript(1), "d": LoopScript(1)})
    assert run.status is MobRunStatus.COMPLETED


# --- errors -----------------------------------------------------------------------------------------------------


def answered(work, *answers):
    """What a driver asks for after these answers."""
    asks = next(work)
    for answer in answers:
        asks = work.send(answer)
    return asks


@pytest.fixture
def created():
    """A run that has just been created."""
    creates = start(FLOW, RUN_ID, "mob", Payload.of(None))
    next(creates)
    return creates.send(Timestamp(0)).run


def test_an_unknown_run_is_told():
    with pytest.raises(UnknownRun, match=f"there is no run {RUN_ID}"):
        answered(drive(Flow("flow", (Step("a"),)), RUN_ID), None)


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (Flow("other", (Step("a"),)), "is one of flow 'flow', and not of 'other'"),
        (Flow("flow", (Step("b"),)), "ordered_steps differs"),
        (Flow("flow", (Step("a"),), max_active_nodes=1), "max_active_nodes differs"),
    ],
)
def test_another_definition_is_told(created, flow, message):
    with pytest.raises(OtherFlow, match=message):
        answered(drive(flow, RUN_ID), created)


def test_a_commit_that_is_answered_false_again_and_again_is_contention(created):
    work = drive(FLOW, RUN_ID)
    asked = []
    with pytest.raises(Contention, match="contention: start-run was answered false, the 5th time in a row"):
        refuse(work, created, asked)
    assert [type(request).__name__ for request in asked] == ["GetRun", "CasRunSnapshotWithAuthority"] * 5


def refuse(work, run, asked):
    """Answer false to every commit."""
    asked.append(next(work))
    while True:
        asked.append(work.send(run if isinstance(asked[-1], ops.GetRun) else REFUSED))


REFUSED = False


def test_a_run_in_which_nothing_can_go_on_is_told(created):
    """Somebody else's snapshot: the root frame waits, and no node of it is ready."""
    flow_state = evolve(created.flow_state, {"phase": "Running"})
    running = evolve(created, {"status": MobRunStatus.RUNNING, "flow_state": flow_state})
    work = drive(FLOW, RUN_ID)
    next(work)
    insert = work.send(running)
    stranger = evolve(insert.next.kernel_state, {"node_status": {"a": "Pending"}, "ready_queue": ()})
    held = evolve(running, {"frames": {ROOT: evolve(insert.next, {"kernel_state": stranger})}})
    work.send(REFUSED)
    with pytest.raises(Stuck, match="nothing is due in it, and no step runs"):
        work.send(held)
