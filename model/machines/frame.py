"""The frame machine (contract, section 8): which nodes of a graph are ready, run, and came to what.

Absent → Running (`StartRootFrame`, `StartBodyFrame`) → Completed, Failed or Canceled (`SealFrame`).
"""

from typing import Final

from mobstore.model.machines import frame_effects as effects
from mobstore.model.machines import frame_inputs as inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import (
    INPUT,
    Definition,
    Emit,
    Guard,
    Input,
    Machine,
    Transition,
    define,
    emit,
    state_fields,
    transition,
)
from mobstore.model.values import (
    DependencyMode,
    FlowFrameState,
    FramePhase,
    FrameScope,
    FrameTerminalStatus,
    NodeKind,
    NodeStatus,
)

s: Final = state_fields(FlowFrameState)


def _make(
    input: type[Input],
    *parts: Guard | Emit | Definition,
    source: FramePhase = FramePhase.RUNNING,
    **updates: t.Like,
) -> Transition:
    return transition(input, (source,), *parts, updates=updates, state=FlowFrameState)


def status_of(statuses: t.Term, node: t.Term) -> t.Term:
    """Return the status of a node; a node that the frame does not have never leaves Pending."""
    return t.at(statuses, node, NodeStatus.PENDING)


def is_open(statuses: t.Term, node: t.Term) -> t.Term:
    """Return that a node neither runs nor has ended."""
    return status_of(statuses, node).one_of(NodeStatus.PENDING, NodeStatus.READY)


def has_ended(statuses: t.Term, node: t.Term) -> t.Term:
    """Return that a node came to its end."""
    return status_of(statuses, node).one_of(
        NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELED
    )


def _dependencies(graph: t.Fields, node: t.Term) -> t.Term:
    return t.at(graph.node_dependencies, node, ())


def _needs_any(graph: t.Fields, node: t.Term) -> t.Term:
    """Return that one completed dependency is enough; of no dependencies, all have completed."""
    mode = t.at(graph.node_dependency_modes, node, DependencyMode.ALL)
    return mode.eq(DependencyMode.ANY) & ~t.is_empty(_dependencies(graph, node))


def is_ready(graph: t.Fields, statuses: t.Term, winners: t.Term, node: t.Term) -> t.Term:
    """Return that a node's dependencies are Completed and that its branch has no winner yet."""
    branch = t.at(graph.node_branches, node, None)

    def completed(dependency: t.Term) -> t.Term:
        return status_of(statuses, dependency).eq(NodeStatus.COMPLETED)

    satisfied = t.if_(
        _needs_any(graph, node),
        t.exists(_dependencies(graph, node), completed),
        t.for_all(_dependencies(graph, node), completed),
    )
    return satisfied & ~(t.Present(branch) & t.member(t.The(branch), winners))


def is_blocked(graph: t.Fields, statuses: t.Term, node: t.Term) -> t.Term:
    """Return that a node's dependencies can no longer be satisfied."""

    def lost(dependency: t.Term) -> t.Term:
        return status_of(statuses, dependency).one_of(NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELED)

    return t.if_(
        _needs_any(graph, node),
        t.for_all(_dependencies(graph, node), lost),
        t.exists(_dependencies(graph, node), lost),
    )


def with_readiness(graph: t.Fields, statuses: t.Term, winners: t.Term) -> t.Term:
    """Return the statuses in which exactly the open nodes that are ready are Ready, the other open ones Pending."""
    return t.map_to(
        statuses,
        statuses,
        lambda node: t.if_(
            is_open(statuses, node),
            t.if_(
                is_ready(graph, statuses, winners, node),
                NodeStatus.READY,
                NodeStatus.PENDING,
            ),
            status_of(statuses, node),
        ),
    )


def ready_nodes(ordered: t.Term, statuses: t.Term) -> t.Term:
    """Return the nodes that are Ready, in the frame's order."""
    return t.filtered(ordered, lambda node: status_of(statuses, node).eq(NodeStatus.READY))


def _start(input: type[Input], **of_body: t.Like) -> Transition:
    i = t.fields_of(INPUT, input)
    fresh = define("fresh", t.map_to(i.ordered_nodes, s.node_status, lambda _node: NodeStatus.PENDING))
    status = define("status", with_readiness(i, fresh.var, t.Const(frozenset(), s.branch_winners.sort)))
    return _make(
        input,
        fresh,
        status,
        source=FramePhase.ABSENT,
        phase=FramePhase.RUNNING,
        frame_id=i.frame_id,
        tracked_nodes=t.Elements(i.tracked_nodes),
        ordered_nodes=i.ordered_nodes,
        node_kind=i.node_kind,
        node_dependencies=i.node_dependencies,
        node_dependency_modes=i.node_dependency_modes,
        node_branches=i.node_branches,
        node_status=status.var,
        ready_queue=ready_nodes(i.ordered_nodes, status.var),
        output_recorded=t.map_to(i.ordered_nodes, s.output_recorded, lambda _node: False),
        node_condition_results=t.map_to(i.ordered_nodes, s.node_condition_results, lambda _node: None),
        **of_body,
    )


def _admit() -> Transition:
    status = define("status", with_readiness(s, s.node_status, s.branch_winners))
    queue = define("queue", ready_nodes(s.ordered_nodes, status.var))
    head = t.Head(queue.var)
    kind = t.at(s.node_kind, head, NodeKind.STEP)
    return _make(
        inputs.AdmitNextReadyNode,
        status,
        queue,
        Guard("ReadyFrontier", "a node is ready", ~t.is_empty(queue.var)),
        Guard("NodeExists", "the node's kind is known", t.member(head, s.node_kind)),
        emit(effects.AdmitStepWork, s.frame_id, head, when=kind.eq(NodeKind.STEP)),
        emit(effects.StartLoopNode, s.frame_id, head, when=kind.eq(NodeKind.LOOP)),
        last_admitted_node=head,
        node_status=t.store(status.var, head, NodeStatus.RUNNING),
        ready_queue=t.filtered(queue.var, lambda node: node.ne(head)),
    )


def _node_exists(node: t.Term) -> Guard:
    return Guard("NodeExists", "the node has a status", t.member(node, s.node_status))


def _lost_the_branch(statuses: t.Term, branch: t.Term) -> t.Term:
    """Return the statuses in which the open nodes of a branch that was won are Skipped."""
    return t.map_to(
        statuses,
        statuses,
        lambda node: t.if_(
            t.Present(branch) & t.at(s.node_branches, node, None).eq(branch) & is_open(statuses, node),
            NodeStatus.SKIPPED,
            status_of(statuses, node),
        ),
    )


def _end(input: type[Input], status: NodeStatus) -> Transition:
    """Return the transition that ends a running node, and draws the consequences for the others."""
    node = t.fields_of(INPUT, input).node_id
    branch = t.at(s.node_branches, node, None)
    wins = status is NodeStatus.COMPLETED
    ended = define("ended", t.store(s.node_status, node, status))
    raced = define("raced", _lost_the_branch(ended.var, branch) if wins else ended.var)
    settled = define(
        "settled",
        t.fixpoint(
            raced.var,
            s.ordered_nodes,
            lambda now, key: is_open(now, key) & is_blocked(s, now, key),
            NodeStatus.SKIPPED,
        ),
    )
    winners = t.if_(t.Present(branch), t.insert(s.branch_winners, t.The(branch)), s.branch_winners)
    won = define("winners", winners if wins else s.branch_winners)
    final = define("status", with_readiness(s, settled.var, won.var))
    updates = {"node_status": final.var, "ready_queue": ready_nodes(s.ordered_nodes, final.var)}
    return transition(
        input,
        (FramePhase.RUNNING,),
        *(ended, raced, settled, won, final),
        _node_exists(node),
        Guard("NodeRunning", "the node runs", status_of(s.node_status, node).eq(NodeStatus.RUNNING)),
        emit(effects.NodeExecutionReleased, s.frame_id, node),
        state=FlowFrameState,
        updates=updates | ({"branch_winners": won.var} if wins else {}),
    )


def sealing_status(statuses: t.Term) -> t.Term:
    """Return what a frame is sealed as: Failed if a node failed, else Canceled if one was, else Completed."""

    def some(status: NodeStatus) -> t.Term:
        return t.exists(statuses, lambda node: status_of(statuses, node).eq(status))

    return t.if_(
        some(NodeStatus.FAILED),
        FrameTerminalStatus.FAILED,
        t.if_(
            some(NodeStatus.CANCELED),
            FrameTerminalStatus.CANCELED,
            FrameTerminalStatus.COMPLETED,
        ),
    )


_SEALS: Final = {
    FrameTerminalStatus.COMPLETED: (
        FramePhase.COMPLETED,
        effects.RootFrameCompleted,
        effects.BodyFrameCompleted,
    ),
    FrameTerminalStatus.FAILED: (FramePhase.FAILED, effects.RootFrameFailed, effects.BodyFrameFailed),
    FrameTerminalStatus.CANCELED: (FramePhase.CANCELED, effects.RootFrameCanceled, effects.BodyFrameCanceled),
}


def _seal() -> Transition:
    wanted = t.fields_of(INPUT, inputs.SealFrame).terminal_status
    phase: t.Term = s.phase
    emits = []
    for status, (sealed, root, body) in _SEALS.items():
        phase = t.if_(wanted.eq(status), sealed, phase)
        at_root = s.frame_scope.eq(FrameScope.ROOT)
        emits += [
            emit(root, s.frame_id, when=wanted.eq(status) & at_root),
            emit(body, s.frame_id, s.loop_instance_id, s.iteration, when=wanted.eq(status) & ~at_root),
        ]
    return _make(
        inputs.SealFrame,
        Guard(
            "Sealable",
            "every node has ended",
            t.for_all(s.node_status, lambda node: has_ended(s.node_status, node)),
        ),
        Guard("Sealable", "the status follows the nodes", wanted.eq(sealing_status(s.node_status))),
        *emits,
        phase=phase,
    )


def _record_output() -> Transition:
    node = t.fields_of(INPUT, inputs.RecordNodeOutput).node_id
    return _make(
        inputs.RecordNodeOutput,
        _node_exists(node),
        emit(effects.PersistStepOutput, s.frame_id, node),
        output_recorded=t.store(s.output_recorded, node, True),  # noqa: FBT003 - the value of the map
    )


_body: Final = t.fields_of(INPUT, inputs.StartBodyFrame)

_TRANSITIONS: Final = (
    _start(inputs.StartRootFrame),
    _start(
        inputs.StartBodyFrame,
        frame_scope=FrameScope.BODY,
        loop_instance_id=_body.loop_instance_id,
        iteration=_body.iteration,
    ),
    _admit(),
    _end(inputs.CompleteNode, NodeStatus.COMPLETED),
    _record_output(),
    _end(inputs.FailNode, NodeStatus.FAILED),
    _end(inputs.SkipNode, NodeStatus.SKIPPED),
    _end(inputs.CancelNode, NodeStatus.CANCELED),
    _seal(),
)

FRAME: Final[Machine[FlowFrameState]] = Machine(
    name="frame",
    state=FlowFrameState,
    inputs=tuple(transition.input for transition in _TRANSITIONS),
    transitions=_TRANSITIONS,
)
"""The frame machine."""
