"""A run and its machines together: a random caller, one commit after another, keeps every invariant of a run.

The caller does what the store's wrappers can write at once, in the order that keeps the invariants; with a
broken machine in place of one of the three, the invariant that names it notices.
"""

import collections
import functools
import random

import pytest

from mobstore.model import (
    FrozenMap,
    LoopIterationLedgerEntry,
    MobRun,
    MobRunStatus,
    Payload,
    RunId,
    Timestamp,
    TrieMap,
    evolve,
)
from mobstore.model.callers.authority import CELL_OF, Addressed, written
from mobstore.model.callers.replaying import partings, replay
from mobstore.model.machines import FRAME, LOOP, RUN, Transitioned, frame_inputs, loop_inputs, run_inputs
from mobstore.model.values import (
    AuthorityLog,
    FlowFrameState,
    FlowRunState,
    FrameSnapshot,
    LoopIterationState,
    LoopSnapshot,
    NodeStatus,
    RunPhase,
    StepStatus,
)
from mobstore.properties.invariants import Scope, of_scope

ROOT = "root"
GRAPH = {
    "tracked_nodes": ("a", "loop", "other", "z"),
    "ordered_nodes": ("a", "loop", "other", "z"),
    "node_kind": {"a": "Step", "loop": "Loop", "other": "Loop", "z": "Step"},
    "node_dependencies": {"loop": ("a",), "z": ("loop", "other")},
    "node_dependency_modes": {},
    "node_branches": {},
}
BODY = {
    "tracked_nodes": ("x", "y"),
    "ordered_nodes": ("x", "y"),
    "node_kind": {"x": "Step", "y": "Step"},
    "node_dependencies": {"y": ("x",)},
    "node_dependency_modes": {},
    "node_branches": {},
}
KEYS = {"frame": "frame_id", "loop": "loop_instance_id"}
NAMES = {"node_step_ids": FrozenMap(), "node_loop_ids": FrozenMap()}
RUN_ID = RunId("11111111-0000-4000-8000-000000000001")
ENDED = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELED)


class Refused(Exception):
    """A machine refused an input, and the caller commits nothing."""


class Caller:
    """A caller that draws its next commit among those that are due."""

    def __init__(self, seed, run=RUN, frame=FRAME, loop=LOOP):
        self.rng = random.Random(seed)
        self.machines = {machine.name: machine for machine in (run, frame, loop)}
        self.taken = []
        self.now = MobRun(
            RUN_ID,
            "mob",
            "flow",
            MobRunStatus.PENDING,
            self.after("run", FlowRunState(), self.create()),
            Payload.of(None),
            Timestamp(0),
            flow_authority_inputs=self.taken,
        )

    def create(self):
        return run_inputs.CreateRun(
            step_ids=("a", "z"),
            ordered_steps=("a", "z"),
            step_has_conditions=FrozenMap(),
            step_dependencies=FrozenMap({"z": ("a",)}),
            step_dependency_modes=FrozenMap(),
            step_branches=FrozenMap(),
            step_collection_policies=FrozenMap(),
            step_quorum_thresholds=FrozenMap(),
            escalation_threshold=2,
            max_step_retries=1,
            max_active_nodes=self.rng.choice((0, 1, 2)),
            max_active_frames=self.rng.choice((0, 1)),
            max_frame_depth=1,
        )

    def after(self, machine, state, *inputs):
        for input in inputs:
            result = self.machines[machine].step(state, input)
            if not isinstance(result, Transitioned):
                raise Refused
            self.note(machine, state, input, result.next_state)
            state = result.next_state
        return state

    def note(self, machine, before, input, after):
        """Note an input as the authority log keeps it, until the commit that it belongs to."""
        cell = CELL_OF[type(input)]
        key = (
            RUN_ID
            if machine == "run"
            else getattr(after, f"{'frame' if machine == 'frame' else 'loop_instance'}_id")
        )
        record = written(RUN_ID, Addressed(cell, key, input), before, after, NAMES)
        if record is not None:
            self.taken.append(record)

    def flow(self, *inputs):
        return self.after("run", self.now.flow_state, *inputs)

    def frame(self, key, *inputs):
        return self.after("frame", self.now.frames[key].kernel_state, *inputs)

    def loop(self, key, *inputs):
        return self.after("loop", self.now.loops[key].kernel_state, *inputs)

    def commit(self, flow=None, frames=(), loops=(), **others):
        """Write all cells at once."""
        changes = dict(others)
        if flow is not None:
            changes["flow_state"] = flow
        changes["frames"] = functools.reduce(
            lambda held, item: held.set(item[0], FrameSnapshot(item[1])), frames, self.now.frames
        )
        changes["loops"] = functools.reduce(
            lambda held, item: held.set(item[0], LoopSnapshot(item[1])), loops, self.now.loops
        )
        log = self.now.flow_authority_inputs
        changes["flow_authority_inputs"] = functools.reduce(AuthorityLog.append, self.taken, log)
        self.now = evolve(self.now, changes)

    def due(self):
        """Every commit that the state of the store calls for."""
        if self.now.status is MobRunStatus.PENDING:
            yield "start", self.start
        if self.now.status is not MobRunStatus.RUNNING:
            return
        yield from self.due_of_run()
        for key, snapshot in self.now.frames.items():
            yield from self.due_of_frame(key, snapshot.kernel_state)
        for key, snapshot in self.now.loops.items():
            yield from self.due_of_loop(key, snapshot.kernel_state)

    def due_of_run(self):
        flow = self.now.flow_state
        if ROOT not in self.now.frames:
            yield "insert root", self.insert_root
        elif self.now.frames[ROOT].kernel_state.phase != "Running":
            yield "settle steps", self.settle_steps
            yield "end", self.end
        if flow.ready_frames:
            yield "grant node", self.grant_node
        if flow.pending_body_frame_loops:
            yield "grant body", self.grant_body
        if flow.active_node_count > self.running_steps():
            yield "release", self.release
        if self.rng.random() < 0.02:
            yield "cancel", self.cancel

    def due_of_frame(self, key, state):
        if state.phase != "Running":
            return
        if state.ready_queue and key not in self.now.flow_state.ready_frame_membership:
            yield "register ready", lambda: self.commit(self.flow(run_inputs.RegisterReadyFrame(key)))
        for node, status in state.node_status.items():
            if status is NodeStatus.RUNNING and state.node_kind[node] == "Step":
                yield "end node", lambda node=node: self.end_node(key, node)
        if all(status not in ("Pending", "Ready", "Running") for status in state.node_status.values()):
            yield "seal", lambda: self.seal(key, state)

    def due_of_loop(self, key, state):
        if state.phase != "Running":
            return
        if state.stage == "AwaitingUntilEvaluation":
            yield "until", lambda: self.until(key, state)
        if state.stage == "BodyFrameActive" and state.active_body_frame_id in self.now.frames:
            body = self.now.frames[state.active_body_frame_id].kernel_state
            if body.phase not in ("Running", "Absent"):
                yield "end body", lambda: self.end_body(key, state, body)

    def running_steps(self):
        return sum(
            status is NodeStatus.RUNNING and state.kernel_state.node_kind[node] == "Step"
            for state in self.now.frames.values()
            for node, status in state.kernel_state.node_status.items()
        )

    def start(self):
        self.commit(self.flow(run_inputs.StartRun()), status=MobRunStatus.RUNNING)

    def insert_root(self):
        started = self.after("frame", FlowFrameState(), frame_inputs.StartRootFrame(frame_id=ROOT, **GRAPH))
        self.commit(frames=[(ROOT, started)])

    def grant_node(self):
        """Admit the head of the frame at the head of the queue.

        A loop's node gives its slot back in the same commit: its body needs it.
        """
        key = self.now.flow_state.ready_frames[0]
        admitted = self.frame(key, frame_inputs.AdmitNextReadyNode("", ()))
        node = admitted.last_admitted_node
        more = [run_inputs.RegisterReadyFrame(key)] if admitted.ready_queue else []
        inputs = [run_inputs.PumpNodeScheduler(key), *more]
        if admitted.node_kind[node] == "Loop":
            self.start_loop(key, node, admitted, inputs)
            return
        if self.now.flow_state.step_status.get(node, StepStatus.DISPATCHED) is None:
            inputs.append(run_inputs.DispatchStep(node))
        self.commit(self.flow(*inputs), frames=[(key, admitted)])

    def start_loop(self, key, node, admitted, inputs):
        instance = f"{key}::{node}"
        start = loop_inputs.StartLoop(instance, self.rng.choice((1, 2, 3)), key, node, "loop", 1)
        inputs += [run_inputs.NodeExecutionReleased(key), run_inputs.RegisterPendingBodyFrame(instance, 1)]
        loop = self.after("loop", LoopIterationState(), start)
        self.commit(self.flow(*inputs), frames=[(key, admitted)], loops=[(instance, loop)])

    def end_node(self, key, node):
        kind = self.rng.choice((frame_inputs.CompleteNode,) * 6 + (frame_inputs.FailNode, frame_inputs.CancelNode))
        self.commit(frames=[(key, self.frame(key, kind(node)))])

    def release(self):
        """Give the slot of an ended node back, and let its step come to the same end."""
        self.commit(self.flow(run_inputs.NodeExecutionReleased(ROOT), *self.ended_steps()))

    def settle_steps(self):
        self.commit(self.flow(*self.ended_steps()))

    def ended_steps(self):
        inputs_of = {
            NodeStatus.COMPLETED: (run_inputs.CompleteStep, run_inputs.RecordStepOutput),
            NodeStatus.FAILED: (run_inputs.FailStep,),
            NodeStatus.SKIPPED: (run_inputs.SkipStep,),
            NodeStatus.CANCELED: (run_inputs.CancelStep,),
        }
        for step, status in self.now.flow_state.step_status.items():
            if status not in ENDED:
                node = self.now.frames[ROOT].kernel_state.node_status[step]
                yield from (kind(step) for kind in inputs_of.get(node, ()))

    def grant_body(self):
        key = self.now.flow_state.pending_body_frame_loops[0]
        number = self.now.loops[key].kernel_state.current_iteration
        frame = f"{key}::iter-{number}"
        if frame in self.now.frames:
            raise Refused
        loop = self.loop(key, loop_inputs.BodyFrameStarted(key, frame, number))
        start = frame_inputs.StartBodyFrame(frame_id=frame, loop_instance_id=key, iteration=number, **BODY)
        body = self.after("frame", FlowFrameState(), start)
        flow = self.flow(run_inputs.PumpFrameScheduler(key), run_inputs.RegisterReadyFrame(frame))
        ledger = self.now.loop_iteration_ledger.append(LoopIterationLedgerEntry(key, number, frame))
        self.commit(flow, [(frame, body)], [(key, loop)], loop_iteration_ledger=ledger)

    def seal(self, key, state):
        statuses = set(state.node_status.values())
        wanted = next((status for status in ("Failed", "Canceled") if status in statuses), "Completed")
        self.commit(frames=[(key, self.frame(key, frame_inputs.SealFrame(wanted)))])

    def end_body(self, key, state, body):
        flow = self.flow(run_inputs.FrameTerminated(state.active_body_frame_id))
        number, parent = state.current_iteration, state.parent_frame_id
        if body.phase == "Completed":
            self.commit(flow, loops=[(key, self.loop(key, loop_inputs.BodyFrameCompleted(key, number)))])
            return
        failed = body.phase == "Failed"
        of_loop = (loop_inputs.BodyFrameFailed if failed else loop_inputs.BodyFrameCanceled)(key, number)
        of_node = (frame_inputs.FailNode if failed else frame_inputs.CancelNode)(state.parent_node_id)
        self.commit(flow, [(parent, self.frame(parent, of_node))], [(key, self.loop(key, of_loop))])

    def until(self, key, state):
        number, parent, node = state.last_completed_iteration, state.parent_frame_id, state.parent_node_id
        if self.rng.random() < 0.3:
            loop = self.loop(key, loop_inputs.UntilConditionMet(key, number))
            self.commit(frames=[(parent, self.frame(parent, frame_inputs.CompleteNode(node)))], loops=[(key, loop)])
            return
        loop = self.loop(key, loop_inputs.UntilConditionFailed(key, number))
        if loop.phase == "Running":
            self.commit(self.flow(run_inputs.RegisterPendingBodyFrame(key, 1)), loops=[(key, loop)])
        else:
            self.commit(frames=[(parent, self.frame(parent, frame_inputs.FailNode(node)))], loops=[(key, loop)])

    def end(self):
        statuses = set(self.now.flow_state.step_status.values())
        if not statuses <= set(ENDED):
            raise Refused
        if StepStatus.FAILED in statuses:
            self.finish(MobRunStatus.FAILED, run_inputs.TerminalizeFailed())
        elif StepStatus.CANCELED in statuses:
            self.finish(MobRunStatus.CANCELED, run_inputs.TerminalizeCanceled())
        else:
            self.finish(MobRunStatus.COMPLETED, run_inputs.TerminalizeCompleted())

    def cancel(self):
        out = [step for step, status in self.now.flow_state.step_status.items() if status == "Dispatched"]
        cancels = [run_inputs.CancelStep(step) for step in out]
        self.finish(MobRunStatus.CANCELED, *cancels, run_inputs.TerminalizeCanceled())

    def finish(self, status, *inputs):
        self.commit(self.flow(*inputs), status=status, completed_at=Timestamp(1))

    def runs(self, commits=150):
        """The run after each commit, and the name of the commit."""
        yield "create", self.now
        for _ in range(commits):
            due = list(self.due())
            if not due:
                return
            name, act = self.rng.choice(due)
            self.taken = []
            try:
                act()
            except Refused:
                continue
            yield name, self.now


COMPOSED = of_scope(Scope.COMPOSITION)
CALLERS = 60


@functools.cache
def commits():
    return [commit for seed in range(CALLERS) for commit in Caller(seed).runs()]


def test_the_caller_makes_every_commit_and_comes_to_every_end():
    names = collections.Counter(name for name, _ in commits())
    ends = collections.Counter(list(Caller(seed).runs())[-1][1].flow_state.phase for seed in range(CALLERS))
    print(f"\n{dict(names)}\n{dict(ends)}")
    assert set(names) >= {"grant node", "grant body", "release", "seal", "end node", "end body", "until", "end"}
    assert set(ends) == {RunPhase.COMPLETED, RunPhase.FAILED, RunPhase.CANCELED}


@pytest.mark.parametrize("invariant", COMPOSED, ids=lambda invariant: invariant.name)
def test_holds_at_its_witness_and_has_something_to_say_there(invariant):
    assert invariant.applies(invariant.witness)
    assert invariant.holds(invariant.witness)


@pytest.mark.parametrize("invariant", COMPOSED, ids=lambda invariant: invariant.name)
def test_holds_after_every_commit(invariant):
    for name, run in commits():
        assert invariant.holds(run), name
    assert any(invariant.applies(run) for _, run in commits())


@pytest.mark.parametrize("invariant", COMPOSED, ids=lambda invariant: invariant.name)
def test_catches_its_broken_machine(invariant):
    broken = {invariant.broken.machine.name: invariant.broken.machine}
    for seed in range(4 * CALLERS):
        if not all(invariant.holds(run) for _, run in Caller(seed, **broken).runs()):
            return
    pytest.fail(f"{invariant.name} does not notice: {invariant.broken.what}")


def test_the_parts_of_a_composed_run_keep_their_own_invariants():
    """What holds of one machine holds of its states in a run, too."""
    for _, run in commits()[::7]:
        parts = [(Scope.RUN, run.flow_state)]
        parts += [(Scope.FRAME, held.kernel_state) for held in run.frames.values()]
        parts += [(Scope.LOOP, held.kernel_state) for held in run.loops.values()]
        for scope, state in parts:
            assert all(item.holds(state) for item in of_scope(scope)), scope


# --- The authority log ---------------------------------------------------------------------------------------


def test_replaying_the_log_gives_what_is_stored_after_every_commit():
    """The flow state, and exactly the frames and loops."""
    for name, run in commits():
        assert partings(run) == [], name


def last_run(seed=1):
    """A run at its end, with frames and loops."""
    return list(Caller(seed).runs())[-1][1]


def logged(run, change):
    """The run with a changed log."""
    return evolve(run, {"flow_authority_inputs": change(list(run.flow_authority_inputs))})


def without_a_frame(run):
    return evolve(run, {"frames": TrieMap({key: frame for key, frame in run.frames.items() if key != ROOT})})


def with_another_frame(run):
    return evolve(run, {"frames": run.frames.set("other", run.frames[ROOT])})


def with_another_phase(run):
    return evolve(run, {"flow_state": evolve(run.flow_state, {"phase": RunPhase.RUNNING})})


def of_another_run(run):
    return evolve(run, {"run_id": RunId("11111111-0000-4000-8000-000000000002")})


PARTED = {
    "a frame is missing": (without_a_frame, "frame 'root' is created by the log, and not stored"),
    "a frame too many": (with_another_frame, "frame 'other' is stored, and the log does not create it"),
    "the flow state is older": (with_another_phase, "flow_state: phase is <RunPhase.RUNNING"),
    "the last record is missing": (lambda run: logged(run, lambda log: log[:-1]), "flow_state: "),
    "a record twice": (
        lambda run: logged(run, lambda log: [*log[:2], log[1], *log[2:]]),
        "flow_authority_inputs[2]: the run machine refuses StartRun",
    ),
    "a record in the middle is missing": (
        lambda run: logged(run, lambda log: [log[0], *log[2:]]),
        "there is no such transition in phase Pending",
    ),
    "records of another run": (of_another_run, "flow_authority_inputs[0]: CreateRunSeed is of run 11111111-"),
}


@pytest.mark.parametrize("name", PARTED)
def test_where_log_and_snapshots_part_is_told(name):
    """The first place of the log that cannot be, or each field that differs."""
    spoil, expected = PARTED[name]
    assert any(expected in parting for parting in partings(spoil(last_run()))), partings(spoil(last_run()))


def test_a_replay_ends_where_the_log_cannot_be():
    """With the states before that place."""
    run = last_run()
    log = [*list(run.flow_authority_inputs)[:2], run.flow_authority_inputs[0]]
    replayed = replay(run.run_id, log)
    assert replayed.stop.place == 2
    assert replayed.flow_state.phase is RunPhase.RUNNING
