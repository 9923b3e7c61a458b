"""Decisions: from a run as the store holds it, what is due.

Everything that is due is due for every driver alike, but for the steps that run: those are attended to by the one
who admitted them.  The order is that of urgency: first what follows from what was done, which lets others go on;
then body frames; then new nodes.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model._records import evolve
from mobstore.model.callers.commits import CAN_ADMIT, VARIABLES, Parameters
from mobstore.model.callers.flow import Flow, Graph, Loop, Step, body_frame, instance_of, root_frame
from mobstore.model.callers.requests import Place
from mobstore.model.machines.evaluation import function_of
from mobstore.model.values import (
    FlowFrameState,
    FlowNodeId,
    FrameId,
    FramePhase,
    FrameScope,
    LoopInstanceId,
    LoopIterationState,
    LoopStage,
    MobRun,
    MobRunStatus,
    NodeKind,
    NodeStatus,
    RunId,
)


@attrs.frozen
class Make:
    """A commit is due: its name in `COMMITS`, and what it is about."""

    commit: str
    about: Parameters


@attrs.frozen
class Admit:
    """A step is due to be admitted by a commit; whoever makes it attends to the step."""

    commit: str
    about: Parameters
    place: Place


@attrs.frozen
class Judge:
    """The until-condition of a loop is due to be evaluated after an iteration."""

    loop_instance_id: LoopInstanceId
    iteration: int
    is_last: bool
    about: Parameters


@attrs.frozen
class Attend:
    """A step that runs is due to go on, from where the ledgers say it is."""

    place: Place


Decision: TypeAlias = Make | Admit | Judge | Attend

_OPEN: Final = (NodeStatus.PENDING, NodeStatus.READY)
_LOST_BODY: Final = {FramePhase.FAILED: "fail-body", FramePhase.CANCELED: "cancel-body"}
_NOTHING: Final = Parameters()
can_admit: Final = function_of((VARIABLES["frame"],), CAN_ADMIT)
"""Whether a node of a frame may be admitted."""


@attrs.frozen
class _Scan:
    """What one state of a frame says about it; kept as long as the frame does not change."""

    state: FlowFrameState
    graph: Graph
    running_steps: tuple[FlowNodeId, ...]
    running_loops: tuple[FlowNodeId, ...]
    unreleased: tuple[FlowNodeId, ...]
    is_done: bool
    can_admit: bool


def _scan(state: FlowFrameState, graph: Graph) -> _Scan:
    running: dict[NodeKind, list[FlowNodeId]] = {NodeKind.STEP: [], NodeKind.LOOP: []}
    unreleased, is_open = [], False
    for node, status in state.node_status.items():
        if status is NodeStatus.RUNNING:
            running[state.node_kind[node]].append(node)
        elif status is NodeStatus.COMPLETED:
            if state.node_kind[node] is NodeKind.STEP and not state.output_recorded[node]:
                unreleased.append(node)
        elif status in _OPEN:
            is_open = True
    steps, loops = tuple(running[NodeKind.STEP]), tuple(running[NodeKind.LOOP])
    is_done = not (steps or loops or unreleased or is_open)
    return _Scan(state, graph, steps, loops, tuple(unreleased), is_done, can_admit(state))


def _make(commit: str, given: Parameters = _NOTHING, **about: Any) -> Make:
    return Make(commit, evolve(given, about))


class Decisions:
    """What is due in a run of a flow, as a function of the run's state; only what was looked at is remembered."""

    def __init__(self, flow: Flow, run_id: RunId) -> None:
        self._flow, self._run_id = flow, run_id
        self._root = root_frame(run_id)
        self._scans: dict[FrameId, _Scan] = {}

    def due(self, run: MobRun) -> Iterator[Decision]:
        """Iterate over all that is due for every driver, the most urgent first."""
        if run.status is not MobRunStatus.RUNNING:
            yield from (_make("start-run"),) if run.status is MobRunStatus.PENDING else ()
            return
        if self._root not in run.frames:
            yield _make("insert-root", self._flow.graph.parameters, frame_id=self._root)
            return
        for scan in self._live(run):
            yield from self._of_frame(run, scan)
        waiting = run.flow_state.ready_frames
        if run.frames[self._root].kernel_state.phase is not FramePhase.RUNNING:
            yield _make("pass-over", frame_id=waiting[0]) if waiting else _make("end-run", frame_id=self._root)
            return
        yield from self._of_bodies(run)
        yield from self._of_nodes(run)

    def running(self, run: MobRun) -> Iterator[Place]:
        """Iterate over the steps that run, whoever attends to them."""
        if run.status is MobRunStatus.RUNNING and self._root in run.frames:
            for scan in self._live(run):
                for node in scan.running_steps:
                    yield self._place(scan, node)

    def _place(self, scan: _Scan, node: FlowNodeId) -> Place:
        step = scan.graph.nodes[node]
        assert isinstance(step, Step), "the frame was started from this graph"
        return Place(self._run_id, scan.state.frame_id, step)

    # --- frames -------------------------------------------------------------------------------------------------

    def _scan_of(self, run: MobRun, frame_id: FrameId) -> _Scan:
        state = run.frames[frame_id].kernel_state
        held = self._scans.get(frame_id)
        if held is None or held.state is not state:
            graph = self._graph_of(state) if held is None else held.graph
            held = self._scans[frame_id] = _scan(state, graph)
        return held

    def _graph_of(self, state: FlowFrameState) -> Graph:
        if state.frame_scope is FrameScope.ROOT:
            return self._flow.graph
        return self._flow.loop_of(self._run_id, state.loop_instance_id).graph

    def _live(self, run: MobRun) -> Iterator[_Scan]:
        """Iterate over the frames that may call for something: the root, and the bodies of loops that run."""
        waiting = [self._root]
        while waiting:
            scan = self._scan_of(run, waiting.pop())
            yield scan
            for node in scan.running_loops:
                loop = run.loops[instance_of(scan.state.frame_id, node)].kernel_state
                if loop.active_body_frame_id is not None:
                    waiting.append(loop.active_body_frame_id)

    def _of_frame(self, run: MobRun, scan: _Scan) -> Iterator[Decision]:
        state, frame_id = scan.state, scan.state.frame_id
        if state.phase is not FramePhase.RUNNING:
            return
        for node in scan.unreleased:
            place = self._place(scan, node)
            yield _make(
                "release-slot", frame_id=frame_id, node_id=node, step_id=place.tracked, target_id=place.step.agent
            )
        for node in scan.running_loops:
            yield from self._of_loop(run, run.loops[instance_of(frame_id, node)].kernel_state)
        if scan.is_done:
            yield self._end_of_frame(scan)
        elif scan.can_admit and frame_id not in run.flow_state.ready_frame_membership:
            yield _make("register-ready", frame_id=frame_id)

    def _end_of_frame(self, scan: _Scan) -> Make:
        state, statuses = scan.state, scan.state.node_status.values()
        is_lost = NodeStatus.FAILED in statuses or NodeStatus.CANCELED in statuses
        if is_lost or state.frame_scope is FrameScope.ROOT:
            return _make("seal-frame", frame_id=state.frame_id)
        return _make(
            "complete-body",
            frame_id=state.frame_id,
            body_frame_id=state.frame_id,
            loop_instance_id=state.loop_instance_id,
            iteration=state.iteration,
        )

    # --- loops --------------------------------------------------------------------------------------------------

    def _of_loop(self, run: MobRun, loop: LoopIterationState) -> Iterator[Decision]:
        instance = loop.loop_instance_id
        if loop.stage is LoopStage.AWAITING_UNTIL_EVALUATION:
            number, is_last = loop.last_completed_iteration, loop.current_iteration >= loop.max_iterations
            yield Judge(instance, number, is_last, evolve(_of_parent(loop), {"iteration": number}))
        elif loop.stage is LoopStage.BODY_FRAME_ACTIVE:
            assert loop.active_body_frame_id is not None, "a loop in its body has a body frame"
            body = run.frames[loop.active_body_frame_id].kernel_state
            if body.phase in _LOST_BODY:
                name = _LOST_BODY[body.phase]
                yield _make(name, _of_parent(loop), iteration=body.iteration, body_frame_id=body.frame_id)

    def _of_bodies(self, run: MobRun) -> Iterator[Make]:
        """The loop that is next gets a frame, if those that its body may need are free, too.

        So the loop that was granted last always finds what it needs: the bodies that are open come to their end,
        whatever waits.  A loop that must wait lets those behind it pass.
        """
        flow = run.flow_state
        waiting = flow.pending_body_frame_loops
        free = flow.max_active_frames - flow.active_frame_count if flow.max_active_frames else math.inf
        if not waiting or free <= 0:
            return
        loop = run.loops[waiting[0]].kernel_state
        if self._loop(waiting[0]).height <= free:
            yield self._grant(loop)
        elif any(self._loop(instance).height <= free for instance in waiting[1:]):
            yield _make("requeue-loop", loop_instance_id=loop.loop_instance_id, depth=loop.depth)

    def _loop(self, instance: LoopInstanceId) -> Loop:
        return self._flow.loop_of(self._run_id, instance)

    def _grant(self, loop: LoopIterationState) -> Make:
        instance, number = loop.loop_instance_id, loop.current_iteration
        body = body_frame(instance, number)
        return _make(
            "grant-body",
            self._loop(instance).graph.parameters,
            loop_instance_id=instance,
            iteration=number,
            frame_id=body,
            body_frame_id=body,
        )

    # --- nodes --------------------------------------------------------------------------------------------------

    def _of_nodes(self, run: MobRun) -> Iterator[Make | Admit]:
        """The frame that is next has its first ready node admitted."""
        flow = run.flow_state
        if not flow.ready_frames or 0 < flow.max_active_nodes <= flow.active_node_count:
            return
        scan = self._scan_of(run, flow.ready_frames[0])
        if scan.can_admit:
            yield self._admit(run, scan)
        else:
            yield _make("pass-over", frame_id=scan.state.frame_id)

    def _admit(self, run: MobRun, scan: _Scan) -> Make | Admit:
        frame_id, node = scan.state.frame_id, scan.graph.nodes[scan.state.ready_queue[0]]
        if isinstance(node, Loop):
            return self._start(run, scan, node)
        place = self._place(scan, node.id)
        about = _make(
            "admit-step",
            frame_id=frame_id,
            node_id=node.id,
            step_id=place.tracked,
            has_condition=node.has_condition,
        )
        return Admit(about.commit, about.about, place)

    def _start(self, run: MobRun, scan: _Scan, node: Loop) -> Make:
        state = scan.state
        outer = run.loops.get(state.loop_instance_id) if state.frame_scope is FrameScope.BODY else None
        return _make(
            "start-loop",
            frame_id=state.frame_id,
            node_id=node.id,
            step_id=node.id,
            loop_instance_id=instance_of(state.frame_id, node.id),
            loop_id=node.loop_id,
            depth=1 if outer is None else outer.kernel_state.depth + 1,
            max_iterations=node.max_iterations,
        )


def _of_parent(loop: LoopIterationState) -> Parameters:
    """Return what a commit that ends a loop is about."""
    about: Mapping[str, Any] = {
        "loop_instance_id": loop.loop_instance_id,
        "frame_id": loop.parent_frame_id,
        "node_id": loop.parent_node_id,
        "step_id": loop.parent_node_id,
    }
    return evolve(_NOTHING, about)
