"""The table of commits: what a caller of the store writes at once, and with which machine inputs.

The rules:

1. A commit is a call of one wrapper.  It takes copies of the cells that the wrapper compares, applies its machine
   inputs to them in the order of its row, and hands the wrapper the cells as they were and as they came to be,
   with the same inputs as authority inputs (`authority` says in what form).  A machine that refuses an input
   refuses the commit.
2. A row says when it may be made (`requires`), in terms of the cells and of what the commit is about
   (`Parameters`).  Everything is a term over ``flow``, ``frame``, ``loop`` and ``body`` (the states of the
   machines, as the inputs before have left them) and ``p`` (the parameters), so that a solver reads what the
   driver runs.  ``node`` is the node at hand where an input is repeated for the nodes of a frame.
3. What the wrapper does not compare must not matter, or must be unable to change back.  So a commit that relies
   on a frame compares that frame even where it leaves it as it is: a flow state alone may come back to what it
   was while its frames went on.  `Commit.relies` says why a cell that is only looked at is good enough.

Where the original's order of commits breaks an invariant, or leaves a window for nothing, ours is another:

- *Starting a loop gives the node slot back* in the same commit.  The original keeps it, and with one slot the
  loop's body can never start.
- *A node that failed, was skipped or was canceled gives its slot back, and its step ends, in the same commit*
  (flow state and frame, with the wrapper that grants slots).  Only a completed node needs two, for no wrapper
  writes an output and the flow state; the second notes in the frame that the output is there, so that it is made
  once: counting the slots that are taken cannot tell, while others take and release them.
- *A body frame is sealed in the commit that completes it*; in the original it is sealed first, and a caller that
  dies in between leaves a sealed body whose loop waits.
- *A frame that waits for a slot and has nothing to admit any more is passed over.*  A branch that was won takes the
  ready nodes of its siblings away; in the original their frame then stands at the head of the queue for ever.
- *The nodes of a branch run one after the other*, so that at most one completes.  A sibling of a node that runs is
  not admitted: its frame is passed over, and waits again when that node has ended.
- *A loop whose body needs more frames than are free goes back to the end of the queue*, so that the loops inside
  the bodies that are open get theirs.  In the original two nested loops can wait for each other's frames.
- *Ending a run cancels what is dispatched* in the same commit.
- *Outputs of a loop are filed under its instance.*  The original files those of all instances of a loop under the
  loop's id, where an inner loop that begins again overwrites what it did before.

One thing no order of commits can keep apart: a step that completes while its run is canceled.  The wrapper that
writes outputs compares the frame alone, so the output may come after the end of the run; nothing follows from it.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from mobstore.model import operations as ops
from mobstore.model._collections import FrozenMap
from mobstore.model._records import U32, record
from mobstore.model.callers.authority import CELL_OF
from mobstore.model.machines import Guard, Input, frame_inputs, loop_inputs, run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.frame import has_ended, sealing_status, status_of
from mobstore.model.machines.sorts import Record
from mobstore.model.values import (
    BranchId,
    DependencyMode,
    FlowFrameState,
    FlowNodeId,
    FlowRunState,
    FrameId,
    FramePhase,
    FrameScope,
    FrameTerminalStatus,
    LoopId,
    LoopInstanceId,
    LoopIterationState,
    LoopPhase,
    LoopStage,
    NodeKind,
    NodeStatus,
    RunPhase,
    StepId,
    StepStatus,
)
from mobstore.model.wrappers import ROWS, Cell, Row


@record
class Parameters:
    """What a commit is about; each kind of commit uses some of it.

    ``step_id`` is the tracked step: of a node of the root frame its id, of any other the root frame's loop it is
    in.  The last seven are the graph of a frame that is started.
    """

    frame_id: FrameId = ""
    node_id: FlowNodeId = ""
    step_id: StepId = ""
    loop_instance_id: LoopInstanceId = ""
    loop_id: LoopId = ""
    body_frame_id: FrameId = ""
    iteration: U32 = 0
    depth: U32 = 0
    max_iterations: U32 = 0
    has_condition: bool = False
    target_id: str = ""
    retry_key: str = ""
    attempt: U32 = 0
    ordered_nodes: tuple[FlowNodeId, ...] = ()
    node_kind: FrozenMap[FlowNodeId, NodeKind] = FrozenMap()
    node_dependencies: FrozenMap[FlowNodeId, tuple[FlowNodeId, ...]] = FrozenMap()
    node_dependency_modes: FrozenMap[FlowNodeId, DependencyMode] = FrozenMap()
    node_branches: FrozenMap[FlowNodeId, BranchId | None] = FrozenMap()
    node_step_ids: FrozenMap[FlowNodeId, StepId] = FrozenMap()
    node_loop_ids: FrozenMap[FlowNodeId, LoopId] = FrozenMap()


VARIABLES: Final[Mapping[str, t.Var]] = {
    name: t.Var(name, Record(kind))
    for name, kind in {
        "flow": FlowRunState,
        "frame": FlowFrameState,
        "loop": LoopIterationState,
        "body": FlowFrameState,
        "p": Parameters,
    }.items()
}
"""The variables of the terms, in the order in which their values are handed over; ``node`` may follow."""

VARIABLE_OF: Final[Mapping[Cell, str]] = {Cell.FLOW_STATE: "flow", Cell.FRAME: "frame", Cell.LOOP: "loop"}
"""The variable that stands for a cell."""

flow: Final = t.Fields(VARIABLES["flow"])
frame: Final = t.Fields(VARIABLES["frame"])
loop: Final = t.Fields(VARIABLES["loop"])
body: Final = t.Fields(VARIABLES["body"])
p: Final = t.Fields(VARIABLES["p"])
_NODE: Final = t.var("node", FlowNodeId)


@attrs.frozen
class Apply:
    """One machine input of a commit: it is applied to the copy of its cell, where ``when`` holds.

    With ``each`` it is repeated for every item of that sequence (as it was before the first), called ``node``.
    """

    input: type[Input]
    arguments: tuple[t.Term, ...]
    when: t.Term | None = None
    each: t.Term | None = None

    @property
    def cell(self) -> Cell:
        """The cell whose machine takes it."""
        return CELL_OF[self.input]


@attrs.frozen(eq=False)
class Commit:
    """A kind of commit.

    Attributes:
        name: a short name.
        sentence: what it does.
        operation: the call that makes it, with authority inputs.
        requires: what must hold of the cells before.
        inputs: the machine inputs, in order.
        relies: why what is looked at, but not compared, may be relied on; empty where all of it is compared.
    """

    name: str
    sentence: str
    operation: type[ops.RunOperation[bool]]
    requires: tuple[Guard, ...]
    inputs: tuple[Apply, ...]
    relies: str = ""

    @functools.cached_property
    def row(self) -> Row:
        """The wrapper's row: what it compares and writes."""
        return _ROW_OF[self.operation]


_ROW_OF: Final = {row.operation: row for row in ROWS}

Condition: TypeAlias = t.Term


def _apply(input: type[Input], when: Condition | None = None, each: t.Term | None = None, **given: t.Like) -> Apply:
    """Return the application of an input whose parameters are those of the commit, but for those ``given``."""
    sorts = Record(input).fields
    arguments = tuple(t.as_sort(given.get(name, getattr(p, name)), sort) for name, sort in sorts.items())
    return Apply(input, arguments, when, each)


def _needs(name: str, condition: Condition) -> Guard:
    return Guard(name, name, condition)


# --- what rows have in common -----------------------------------------------------------------------------------

_AT_ROOT: Final = frame.frame_scope.eq(FrameScope.ROOT)
_HAS_READY: Final = ~t.is_empty(frame.ready_queue)


def _holds_back(node: t.Term) -> t.Term:
    """A node that runs, in the branch of the node that is next."""
    branch = t.at(frame.node_branches, t.Head(frame.ready_queue), None)
    same = t.Present(branch) & t.at(frame.node_branches, node, None).eq(branch)
    return same & status_of(frame.node_status, node).eq(NodeStatus.RUNNING)


CAN_ADMIT: Final = _HAS_READY & ~t.exists(frame.ordered_nodes, _holds_back)
"""A node is ready, and none of its branch runs: what runs may win the branch."""
_NODE_STATUS: Final = status_of(frame.node_status, p.node_id)
_NODE_KIND: Final = t.at(frame.node_kind, p.node_id, NodeKind.STEP)
_STEP_STATUS: Final = t.at(flow.step_status, p.step_id, None)

_RUN_RUNS: Final = _needs("the run runs", flow.phase.eq(RunPhase.RUNNING))
_FRAME_RUNS: Final = _needs("the frame runs", frame.phase.eq(FramePhase.RUNNING))
_NODE_RUNS: Final = _needs("the node runs", _NODE_STATUS.eq(NodeStatus.RUNNING))
_NODE_IS_STEP: Final = _needs("the node is a step", _NODE_KIND.eq(NodeKind.STEP))
_FRAME_IS_NEXT: Final = _needs(
    "the frame is next",
    ~t.is_empty(flow.ready_frames) & p.frame_id.eq(t.Head(flow.ready_frames)),
)
_LOOP_IS_NEXT: Final = _needs(
    "the loop is next",
    ~t.is_empty(flow.pending_body_frame_loops) & p.loop_instance_id.eq(t.Head(flow.pending_body_frame_loops)),
)
_PARENT_RUNS: Final = _needs(
    "the parent node runs",
    p.frame_id.eq(loop.parent_frame_id) & p.node_id.eq(loop.parent_node_id) & _NODE_STATUS.eq(NodeStatus.RUNNING),
)


def _next_node_is(kind: NodeKind) -> tuple[Guard, ...]:
    head = t.Head(frame.ready_queue)
    return (
        _FRAME_IS_NEXT,
        _needs(
            "the node is next",
            CAN_ADMIT & p.node_id.eq(head) & t.at(frame.node_kind, head, NodeKind.STEP).eq(kind),
        ),
    )


def _step_is(*statuses: StepStatus | None) -> Guard:
    """Of the root frame, the node's step is tracked, and has one of these statuses."""
    tracked = t.member(p.step_id, flow.tracked_steps) & p.step_id.eq(p.node_id)
    return _needs("the step may go on", ~_AT_ROOT | (tracked & _STEP_STATUS.one_of(*statuses)))


def _loop_stage(stage: LoopStage) -> Guard:
    at_stage = loop.phase.eq(LoopPhase.RUNNING) & loop.stage.eq(stage)
    return _needs("the loop is there", at_stage & p.loop_instance_id.eq(loop.loop_instance_id))


_IS_OUT: Final = _step_is(StepStatus.DISPATCHED)
_IS_OPEN: Final = _step_is(None, StepStatus.DISPATCHED)


def _all_settled() -> Guard:
    """Every node has ended, and the output of every completed step is noted, so that no slot is out."""

    def settled(node: t.Term) -> t.Term:
        noted = t.at(frame.output_recorded, node, False)  # noqa: FBT003 - a default
        completes = status_of(frame.node_status, node).eq(NodeStatus.COMPLETED)
        is_step = t.at(frame.node_kind, node, NodeKind.STEP).eq(NodeKind.STEP)
        return has_ended(frame.node_status, node) & (noted | ~completes | ~is_step)

    return _needs("every node is done with", t.for_all(frame.node_status, settled))


def _open_steps(input: type[Input], when: Callable[[t.Term], Condition], of: t.Term) -> Apply:
    """Return the input for each of some steps that have not ended."""
    is_open = t.at(flow.step_status, _NODE, StepStatus.COMPLETED).one_of(None, StepStatus.DISPATCHED)
    return _apply(input, step_id=_NODE, each=of, when=when(_NODE) & is_open)


_RELEASE: Final = _apply(run_inputs.NodeExecutionReleased)
_PUMP: Final = _apply(run_inputs.PumpNodeScheduler)
_ADMIT: Final = _apply(frame_inputs.AdmitNextReadyNode, ready_queue=())
_READY_AGAIN: Final = _apply(run_inputs.RegisterReadyFrame, when=frame.phase.eq(FramePhase.RUNNING) & CAN_ADMIT)
_SKIPPED: Final = _open_steps(
    run_inputs.SkipStep,
    lambda node: _AT_ROOT & status_of(frame.node_status, node).eq(NodeStatus.SKIPPED),
    frame.ordered_nodes,
)
"""What a node's end made impossible, or its branch has won, is skipped."""
_AFTERMATH: Final = (_SKIPPED, _READY_AGAIN)
_SEAL: Final = _apply(frame_inputs.SealFrame, terminal_status=sealing_status(frame.node_status))
_BODY_ENDED: Final = _apply(run_inputs.FrameTerminated, frame_id=p.body_frame_id)
_PENDING_BODY: Final = _apply(run_inputs.RegisterPendingBodyFrame, depth=loop.depth)


def _dispatch(when: Condition | None = None) -> tuple[Apply, ...]:
    return (
        _apply(run_inputs.DispatchStep, when=when),
        _apply(run_inputs.RegisterTargets, when=when, target_count=1),
    )


def _at_root(input: type[Input]) -> Apply:
    return _apply(input, when=_AT_ROOT)


_ENDS_ARE_FINAL: Final = "a sealed frame does not change"

# --- the table --------------------------------------------------------------------------------------------------

_OF_RUN: Final = (
    Commit(
        "start-run",
        "A run that was created begins.",
        ops.CasRunSnapshotWithAuthority,
        (_needs("the run has not begun", flow.phase.eq(RunPhase.PENDING)),),
        (_apply(run_inputs.StartRun),),
    ),
    Commit(
        "end-run",
        "A run whose root frame is sealed, and whose steps have ended, ends as the frame did.",
        ops.CasRunSnapshotWithAuthority,
        (
            _RUN_RUNS,
            _needs(
                "the root frame is sealed",
                _AT_ROOT & frame.phase.one_of(FramePhase.COMPLETED, FramePhase.FAILED, FramePhase.CANCELED),
            ),
            _needs(
                "every step has ended",
                t.for_all(
                    flow.step_status,
                    lambda step: ~t.at(flow.step_status, step).one_of(None, StepStatus.DISPATCHED),
                ),
            ),
            _needs("nothing waits", t.is_empty(flow.ready_frames) & t.is_empty(flow.pending_body_frame_loops)),
        ),
        (
            _apply(run_inputs.TerminalizeCompleted, when=frame.phase.eq(FramePhase.COMPLETED)),
            _apply(run_inputs.TerminalizeFailed, when=frame.phase.eq(FramePhase.FAILED)),
            _apply(run_inputs.TerminalizeCanceled, when=frame.phase.eq(FramePhase.CANCELED)),
        ),
        relies=_ENDS_ARE_FINAL,
    ),
    Commit(
        "cancel-run",
        "A run that has not ended is canceled, and with it every step that has not.",
        ops.CasRunSnapshotWithAuthority,
        (_needs("the run has not ended", flow.phase.one_of(RunPhase.PENDING, RunPhase.RUNNING)),),
        (
            _open_steps(
                run_inputs.CancelStep,
                lambda _step: flow.phase.eq(RunPhase.RUNNING),
                flow.ordered_steps,
            ),
            _apply(run_inputs.TerminalizeCanceled),
        ),
    ),
)

_OF_FRAME: Final = (
    Commit(
        "insert-root",
        "The root frame is started.",
        ops.CasFrameStateWithAuthority,
        (_RUN_RUNS, _needs("the frame is not there", frame.phase.eq(FramePhase.ABSENT))),
        (_apply(frame_inputs.StartRootFrame, tracked_nodes=p.ordered_nodes),),
        relies="a run that ends meanwhile gets a root frame in which nothing runs",
    ),
    Commit(
        "register-ready",
        "A frame in which a node may be admitted waits for a slot.",
        ops.CasGrantNodeSlotWithAuthority,
        (
            _RUN_RUNS,
            _FRAME_RUNS,
            _needs("a node may be admitted", CAN_ADMIT),
            _needs("the frame does not wait", ~t.member(p.frame_id, flow.ready_frame_membership)),
        ),
        (_apply(run_inputs.RegisterReadyFrame),),
    ),
    Commit(
        "pass-over",
        "A frame that waits for a slot, but in which no node may be admitted, leaves the queue.",
        ops.CasGrantNodeSlotWithAuthority,
        (_RUN_RUNS, _FRAME_IS_NEXT, _needs("no node may be admitted", ~CAN_ADMIT)),
        (_PUMP, _RELEASE),
    ),
    Commit(
        "seal-frame",
        "A frame whose nodes are all done with is sealed; a body that completes is sealed by complete-body.",
        ops.CasFrameStateWithAuthority,
        (
            _FRAME_RUNS,
            _all_settled(),
            _needs(
                "no completed body",
                _AT_ROOT | ~sealing_status(frame.node_status).eq(FrameTerminalStatus.COMPLETED),
            ),
        ),
        (_SEAL,),
    ),
)

_OF_STEP: Final = (
    Commit(
        "admit-step",
        "The first ready node of the frame that is next, a step, gets a slot and runs.",
        ops.CasGrantNodeSlotWithAuthority,
        (_RUN_RUNS, *_next_node_is(NodeKind.STEP), _step_is(None)),
        (_PUMP, _ADMIT, _READY_AGAIN, *_dispatch(when=_AT_ROOT & ~p.has_condition)),
    ),
    Commit(
        "dispatch-step",
        "The condition of a step of the root frame held: it is dispatched.",
        ops.CasFlowStateWithAuthority,
        (_RUN_RUNS, _needs("the frame is the root", _AT_ROOT), _NODE_RUNS, _NODE_IS_STEP, _step_is(None)),
        (_apply(run_inputs.ConditionPassed), *_dispatch()),
        relies="a node that runs ends only together with its step, or after it was dispatched",
    ),
    Commit(
        "skip-step",
        "The condition of a step did not hold: its node is skipped.",
        ops.CasGrantNodeSlotWithAuthority,
        (_RUN_RUNS, _FRAME_RUNS, _NODE_RUNS, _NODE_IS_STEP, _step_is(None)),
        (
            _at_root(run_inputs.ConditionRejected),
            _apply(frame_inputs.SkipNode),
            _RELEASE,
            *_AFTERMATH,
        ),
    ),
    Commit(
        "count-retry",
        "An attempt at a step failed, and there will be another.",
        ops.CasFlowStateWithAuthority,
        (
            _RUN_RUNS,
            _NODE_RUNS,
            _NODE_IS_STEP,
            _IS_OUT,
            _needs("this attempt was not counted", t.at(flow.target_retry_counts, p.retry_key, 0).eq(p.attempt)),
            _needs("another attempt is allowed", p.attempt < flow.max_step_retries),
        ),
        (_apply(run_inputs.RecordTargetFailure),),
        relies="the count of attempts rises, and one that comes after the node's end counts nothing else",
    ),
    Commit(
        "complete-step",
        "The node of a step completes, and its output is kept; its slot is given back by release-slot.",
        ops.CasCompleteStepAndRecordOutputWithAuthority,
        (_RUN_RUNS, _FRAME_RUNS, _NODE_RUNS, _NODE_IS_STEP, _IS_OUT),
        (_apply(frame_inputs.CompleteNode),),
        relies="a dispatched step stays so while its node runs; in a run that is canceled meanwhile the output "
        "comes late, and the flow state knows nothing of it",
    ),
    Commit(
        "release-slot",
        "The node of a step completed: the output is noted, its slot given back, its step completed.",
        ops.CasGrantNodeSlotWithAuthority,
        (
            _RUN_RUNS,
            _FRAME_RUNS,
            _needs("the node completed", _NODE_STATUS.eq(NodeStatus.COMPLETED)),
            _NODE_IS_STEP,
            _needs("the output is not noted", ~t.at(frame.output_recorded, p.node_id, False)),  # noqa: FBT003
            _IS_OUT,
        ),
        (
            _apply(frame_inputs.RecordNodeOutput),
            _RELEASE,
            _at_root(run_inputs.RecordTargetSuccess),
            _at_root(run_inputs.CompleteStep),
            _at_root(run_inputs.RecordStepOutput),
            *_AFTERMATH,
        ),
    ),
    Commit(
        "fail-step",
        "A step failed for good: its node fails, and the slot is given back.",
        ops.CasGrantNodeSlotWithAuthority,
        (_RUN_RUNS, _FRAME_RUNS, _NODE_RUNS, _NODE_IS_STEP, _IS_OUT),
        (
            _at_root(run_inputs.RecordTargetTerminalFailure),
            _apply(frame_inputs.FailNode),
            _RELEASE,
            _at_root(run_inputs.FailStep),
            *_AFTERMATH,
        ),
    ),
    Commit(
        "cancel-step",
        "A step was canceled: its node is, and the slot is given back.",
        ops.CasGrantNodeSlotWithAuthority,
        (_RUN_RUNS, _FRAME_RUNS, _NODE_RUNS, _NODE_IS_STEP, _IS_OUT),
        (
            _at_root(run_inputs.RecordTargetCanceled),
            _apply(frame_inputs.CancelNode),
            _RELEASE,
            _at_root(run_inputs.CancelStep),
            *_AFTERMATH,
        ),
    ),
)


def _end_of_parent(*of_loop: Apply, node: type[Input], step: type[Input]) -> tuple[Apply, ...]:
    """Return the inputs that end a loop, its parent node, and at the root its step."""
    return (*of_loop, _apply(node), _at_root(step), *_AFTERMATH)


def _body_ended_as(phase: FramePhase) -> Guard:
    of_loop = body.frame_scope.eq(FrameScope.BODY) & body.loop_instance_id.eq(loop.loop_instance_id)
    this = of_loop & body.iteration.eq(loop.current_iteration) & p.iteration.eq(loop.current_iteration)
    return _needs("the body ended so", body.phase.eq(phase) & this)


_UNTIL_IS_DUE: Final = (
    _loop_stage(LoopStage.AWAITING_UNTIL_EVALUATION),
    _needs("the iteration is the last", p.iteration.eq(loop.last_completed_iteration)),
)

_OF_LOOP: Final = (
    Commit(
        "start-loop",
        "The first ready node of the frame that is next, a loop, starts its loop, which waits for a body frame.",
        ops.CasStartLoopWithAuthority,
        (
            _RUN_RUNS,
            *_next_node_is(NodeKind.LOOP),
            _step_is(None),
            _needs("the loop is not there", loop.phase.eq(LoopPhase.ABSENT)),
            _needs("it may be nested so deep", flow.max_frame_depth.eq(0) | (p.depth <= flow.max_frame_depth)),
        ),
        (
            _PUMP,
            _ADMIT,
            _RELEASE,
            _READY_AGAIN,
            _at_root(run_inputs.DispatchStep),
            _apply(loop_inputs.StartLoop, parent_frame_id=p.frame_id, parent_node_id=p.node_id),
            _PENDING_BODY,
        ),
    ),
    Commit(
        "requeue-loop",
        "The loop that is next needs more frames than are free, while one behind it does not: it waits again.",
        ops.CasFlowStateWithAuthority,
        (_RUN_RUNS, _LOOP_IS_NEXT, _needs("others wait, too", t.Size(flow.pending_body_frame_loops) > 1)),
        (
            _apply(run_inputs.PumpFrameScheduler),
            _BODY_ENDED,
            _apply(run_inputs.RegisterPendingBodyFrame),
        ),
    ),
    Commit(
        "grant-body",
        "The loop that is next gets a frame for the body of its present iteration.",
        ops.CasGrantBodyFrameStartWithAuthority,
        (
            _RUN_RUNS,
            _LOOP_IS_NEXT,
            _loop_stage(LoopStage.AWAITING_BODY_FRAME),
            _needs("the iteration is the present one", p.iteration.eq(loop.current_iteration)),
            _needs("the frame is the body", p.frame_id.eq(p.body_frame_id)),
        ),
        (
            _apply(run_inputs.PumpFrameScheduler),
            _apply(frame_inputs.StartBodyFrame, tracked_nodes=p.ordered_nodes),
            _apply(loop_inputs.BodyFrameStarted),
            _READY_AGAIN,
        ),
    ),
    Commit(
        "complete-body",
        "The nodes of a body frame are all done with, and it completes: it is sealed, and its slot given back.",
        ops.CasCompleteBodyFrameWithAuthority,
        (
            _RUN_RUNS,
            _FRAME_RUNS,
            _all_settled(),
            _needs("it completes", sealing_status(frame.node_status).eq(FrameTerminalStatus.COMPLETED)),
            _loop_stage(LoopStage.BODY_FRAME_ACTIVE),
            _needs(
                "the frame is the body",
                loop.active_body_frame_id.eq(p.frame_id)
                & p.frame_id.eq(p.body_frame_id)
                & p.iteration.eq(loop.current_iteration),
            ),
        ),
        (_SEAL, _BODY_ENDED, _apply(loop_inputs.BodyFrameCompleted)),
    ),
    Commit(
        "fail-body",
        "The body frame was sealed as failed: the loop fails, and its parent node.",
        ops.CasCompleteLoopWithAuthority,
        (
            _RUN_RUNS,
            _PARENT_RUNS,
            _IS_OPEN,
            _loop_stage(LoopStage.BODY_FRAME_ACTIVE),
            _body_ended_as(FramePhase.FAILED),
        ),
        _end_of_parent(
            _BODY_ENDED,
            _apply(loop_inputs.BodyFrameFailed),
            node=frame_inputs.FailNode,
            step=run_inputs.FailStep,
        ),
        relies=_ENDS_ARE_FINAL,
    ),
    Commit(
        "cancel-body",
        "The body frame was sealed as canceled: the loop is canceled, and its parent node.",
        ops.CasCompleteLoopWithAuthority,
        (
            _RUN_RUNS,
            _PARENT_RUNS,
            _IS_OPEN,
            _loop_stage(LoopStage.BODY_FRAME_ACTIVE),
            _body_ended_as(FramePhase.CANCELED),
        ),
        _end_of_parent(
            _BODY_ENDED,
            _apply(loop_inputs.BodyFrameCanceled),
            node=frame_inputs.CancelNode,
            step=run_inputs.CancelStep,
        ),
        relies=_ENDS_ARE_FINAL,
    ),
    Commit(
        "request-body",
        "The until-condition did not hold: the loop waits for its next body frame.",
        ops.CasLoopRequestBodyFrameWithAuthority,
        (
            _RUN_RUNS,
            *_UNTIL_IS_DUE,
            _needs("an iteration is left", loop.current_iteration < loop.max_iterations),
        ),
        (_apply(loop_inputs.UntilConditionFailed), _PENDING_BODY),
    ),
    Commit(
        "complete-loop",
        "The until-condition held: the loop completes, and its parent node.",
        ops.CasCompleteLoopWithAuthority,
        (_RUN_RUNS, _PARENT_RUNS, _IS_OPEN, *_UNTIL_IS_DUE),
        _end_of_parent(
            _apply(loop_inputs.UntilConditionMet),
            node=frame_inputs.CompleteNode,
            step=run_inputs.CompleteStep,
        ),
    ),
    Commit(
        "exhaust-loop",
        "The until-condition did not hold, and no iteration is left: the loop is exhausted, its parent node fails.",
        ops.CasCompleteLoopWithAuthority,
        (
            _RUN_RUNS,
            _PARENT_RUNS,
            _IS_OPEN,
            *_UNTIL_IS_DUE,
            _needs("no iteration is left", loop.current_iteration >= loop.max_iterations),
        ),
        _end_of_parent(
            _apply(loop_inputs.UntilConditionFailed),
            node=frame_inputs.FailNode,
            step=run_inputs.FailStep,
        ),
    ),
    Commit(
        "cancel-loop",
        "Whoever evaluates the until-condition cancels the loop: its parent node is canceled.",
        ops.CasCompleteLoopWithAuthority,
        (_RUN_RUNS, _PARENT_RUNS, _IS_OPEN, *_UNTIL_IS_DUE),
        _end_of_parent(
            _apply(loop_inputs.CancelLoop),
            node=frame_inputs.CancelNode,
            step=run_inputs.CancelStep,
        ),
    ),
)

COMMITS: Final[Mapping[str, Commit]] = {
    commit.name: commit for commit in (*_OF_RUN, *_OF_FRAME, *_OF_STEP, *_OF_LOOP)
}
"""Every kind of commit by its name.  Creating a run is none: it compares nothing."""
