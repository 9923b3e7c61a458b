"""What must stay true: named predicates of one state, or of two (before, after), in the machines' language.

Each invariant says when it has something to say (the antecedent) and what must hold then.  It comes with a
witness, a reachable state or pair in which its antecedent is true, and with a broken machine, a change of the
machines' data that it catches; so none of them is empty.  They run on Python values, and as terms they can be
handed to a solver.

Invariants of one machine hold after every step of it, whoever the caller is.  Those of a whole run
(`Scope.COMPOSITION`) are kept by callers that commit in the right order (contract, sections 4 and 8): what one
of them says of several cells is written to these cells at once.  So the commit that starts a loop also gives the
node slot back, which its body needs; and the commit that ends a run also cancels the steps that are out.  Two
are weaker than one would like:

- *A node slot for every running step* is an inequality: a step's node is completed by one commit, and its slot
  is released by the next, for no wrapper writes an output and the flow state together.
- *A branch has at most one winner* is true of the set of winners only: siblings that already run when one of
  them completes go on running, and may complete, too.
"""

import enum
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import FrozenMap, MobRun, MobRunStatus, Payload, RunId, Timestamp, TrieMap, evolve, from_json
from mobstore.model.machines import (
    AUTHORITY,
    FRAME,
    LOOP,
    RUN,
    Input,
    Machine,
    Transition,
    Transitioned,
    authority_inputs,
    frame_inputs,
    loop_inputs,
    run_inputs,
)
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.frame import (
    has_ended,
    is_blocked,
    is_open,
    is_ready,
    ready_nodes,
    sealing_status,
    status_of,
)
from mobstore.model.machines.sorts import Record
from mobstore.model.values import (
    FlowFrameState,
    FlowRunState,
    FramePhase,
    FrameScope,
    FrameSnapshot,
    FrameTerminalStatus,
    LoopIterationLedger,
    LoopIterationLedgerEntry,
    LoopIterationState,
    LoopPhase,
    LoopSnapshot,
    LoopStage,
    NodeKind,
    NodeStatus,
    RunPhase,
    StepStatus,
    SupervisorAuthorityRecord,
)


class Scope(enum.Enum):
    """What an invariant is about; its value says the variables of its terms."""

    RUN = "a state of the run machine"
    RUN_STEP = "two states of the run machine, before and after a step"
    FRAME = "a state of the frame machine"
    FRAME_STEP = "two states of the frame machine, before and after a step"
    LOOP = "a state of the loop machine"
    LOOP_STEP = "two states of the loop machine, before and after a step"
    AUTHORITY = "a stored authority record"
    AUTHORITY_STEP = "two stored authority records, before and after a compare-and-put"
    COMPOSITION = "a run as the store keeps it"
    COMMITS = "a run as our callers leave it"

    @property
    def is_step(self) -> bool:
        """Whether it is about two states."""
        return self.name.endswith("_STEP")

    @property
    def machine(self) -> Machine[Any] | None:
        """The machine whose states it is about; None of a whole run."""
        return _MACHINES.get(self.name.removesuffix("_STEP"))

    @property
    def variables(self) -> tuple[t.Var, ...]:
        """The variables of the terms: ``s``, or ``before`` and ``after``."""
        record = Record(MobRun if self.machine is None else self.machine.state)
        return tuple(t.Var(name, record) for name in (("before", "after") if self.is_step else ("s",)))


_MACHINES: Final[Mapping[str, Machine[Any]]] = {"RUN": RUN, "FRAME": FRAME, "LOOP": LOOP, "AUTHORITY": AUTHORITY}


@attrs.frozen
class Broken:
    """A machine that was changed in one place; ``what`` says where."""

    what: str
    machine: Machine[Any]


Witness: TypeAlias = MobRun | tuple[Input, ...]
"""A run; or the inputs that lead a machine from its first state to the one meant, or (the last step) the two."""


@attrs.frozen(eq=False)
class Invariant:
    """One thing that must stay true.

    Attributes:
        name: a short name.
        sentence: what it says.
        scope: what it is about.
        antecedent: when it has something to say.
        consequent: what must hold then.
        witness: where its antecedent is true.
        broken: a broken machine that it catches.
    """

    name: str
    sentence: str
    scope: Scope
    antecedent: t.Term
    consequent: t.Term
    witness: Witness
    broken: Broken

    @property
    def term(self) -> t.Term:
        """The whole predicate."""
        return t.implies(self.antecedent, self.consequent)

    @functools.cached_property
    def _holds(self) -> Callable[..., Any]:
        return function_of(self.scope.variables, self.term)

    def holds(self, *states: Any) -> bool:
        """Whether it holds in the state, or in the two states."""
        return bool(self._holds(*states))

    def applies(self, *states: Any) -> bool:
        """Whether it has something to say there."""
        return bool(function_of(self.scope.variables, self.antecedent)(*states))


def _changed(machine: Machine[Any], id: str, change: Callable[[Transition], Transition], what: str) -> Broken:
    transitions = tuple(change(item) if item.id == id else item for item in machine.transitions)
    assert transitions != machine.transitions, what
    return Broken(f"{id} {what}", attrs.evolve(machine, transitions=transitions))


def without_guard(machine: Machine[Any], id: str, guard: str) -> Broken:
    """Return the machine whose transition has no guard of this id or name."""

    def change(transition: Transition) -> Transition:
        kept = tuple(item for item in transition.guards if guard not in (item.id, item.name))
        return attrs.evolve(transition, guards=kept)

    return _changed(machine, id, change, f"without the guard {guard!r}")


def without_update(machine: Machine[Any], id: str, field: str) -> Broken:
    """Return the machine whose transition does not write the field."""

    def change(transition: Transition) -> Transition:
        kept = {name: term for name, term in transition.updates.items() if name != field}
        return attrs.evolve(transition, updates=kept)

    return _changed(machine, id, change, f"without writing {field}")


def writing(machine: Machine[Any], id: str, field: str, value: t.Like) -> Broken:
    """Return the machine whose transition writes another value."""
    term = t.as_sort(value, Record(machine.state).fields[field])

    def change(transition: Transition) -> Transition:
        return attrs.evolve(transition, updates={**transition.updates, field: term})

    return _changed(machine, id, change, f"with another {field}")


def defining(machine: Machine[Any], id: str, name: str, term: t.Term) -> Broken:
    """Return the machine in whose transition a definition stands for another term."""

    def change(transition: Transition) -> Transition:
        changed = tuple(
            attrs.evolve(item, term=term) if item.var.name == name else item for item in transition.definitions
        )
        return attrs.evolve(transition, definitions=changed)

    return _changed(machine, id, change, f"with another {name}")


def also_from(machine: Machine[Any], id: str, phase: enum.Enum) -> Broken:
    """Return the machine whose transition may start in one phase more."""

    def change(transition: Transition) -> Transition:
        assert transition.sources is not None
        return attrs.evolve(transition, sources=transition.sources | {phase})

    return _changed(machine, id, change, f"from {phase.value}, too")


class _Pair:
    """The two states of a step, by the fields of one machine."""

    def __init__(self, kind: type) -> None:
        self.before, self.after = t.fields_of("before", kind), t.fields_of("after", kind)
        self.kind = kind

    def same(self, *fields: str) -> t.Term:
        """Return that these fields (all, if none are named) did not change."""
        names = fields or tuple(Record(self.kind).fields)
        return t.every(getattr(self.before, name).eq(getattr(self.after, name)) for name in names)

    def kept(self, field: str) -> t.Term:
        """Return that what is true in a map of truths stays true."""
        before, after = getattr(self.before, field), getattr(self.after, field)
        return t.for_all(before, lambda key: ~t.at(before, key) | t.at(after, key, False))  # noqa: FBT003 - a default


# --- Witnesses: inputs that lead from the first state of a machine -------------------------------------------

_STEPS: Final = ("one", "two")
_CREATE: Final = run_inputs.CreateRun(
    step_ids=_STEPS,
    ordered_steps=_STEPS,
    step_has_conditions=FrozenMap(),
    step_dependencies=FrozenMap({"two": ("one",)}),
    step_dependency_modes=FrozenMap(),
    step_branches=FrozenMap(),
    step_collection_policies=FrozenMap(),
    step_quorum_thresholds=FrozenMap(),
    escalation_threshold=1,
    max_step_retries=1,
    max_active_nodes=1,
    max_active_frames=1,
    max_frame_depth=2,
)
STARTED: Final = (_CREATE, run_inputs.StartRun())
_QUEUED: Final = (*STARTED, run_inputs.RegisterReadyFrame("f"))
_PUMPED: Final = (*_QUEUED, run_inputs.PumpNodeScheduler("f"))
_LOOP_QUEUED: Final = (*STARTED, run_inputs.RegisterPendingBodyFrame("l", 1))
_LOOP_PUMPED: Final = (*_LOOP_QUEUED, run_inputs.PumpFrameScheduler("l"))
_FAILED: Final = (*STARTED, run_inputs.FailStep("one"))
_STEP_DONE: Final = (*STARTED, run_inputs.CompleteStep("one"))
_OUTPUT: Final = (*_STEP_DONE, run_inputs.RecordStepOutput("one"))

_GRAPH: Final[Mapping[str, Any]] = {
    "tracked_nodes": ("a", "b", "c", "d"),
    "ordered_nodes": ("a", "b", "c", "d"),
    "node_kind": {"a": "Step", "b": "Step", "c": "Step", "d": "Loop"},
    "node_dependencies": {"c": ("a",)},
    "node_dependency_modes": {"c": "All"},
    "node_branches": {"a": "left-or-right", "b": "left-or-right"},
}
_ROOT: Final = (frame_inputs.StartRootFrame(frame_id="r", **_GRAPH),)
_BODY: Final = (frame_inputs.StartBodyFrame(frame_id="f", loop_instance_id="l", iteration=1, **_GRAPH),)
_ADMIT: Final = frame_inputs.AdmitNextReadyNode("", ())
_ADMITTED: Final = (*_ROOT, _ADMIT)
_NODE_DONE: Final = (*_ADMITTED, frame_inputs.CompleteNode("a"))
_NODE_FAILED: Final = (*_ADMITTED, frame_inputs.FailNode("a"))
_ALL_DONE: Final = (
    *(*_NODE_DONE, _ADMIT, _ADMIT),
    *(frame_inputs.CompleteNode("c"), frame_inputs.CompleteNode("d")),
)
SEALED: Final = (*_ALL_DONE, frame_inputs.SealFrame(FrameTerminalStatus.COMPLETED))

_LOOPING: Final = (loop_inputs.StartLoop("l", 2, "r", "d", "loop", 1),)
_IN_BODY: Final = (*_LOOPING, loop_inputs.BodyFrameStarted("l", "f0", 0))
_BODY_DONE: Final = (*_IN_BODY, loop_inputs.BodyFrameCompleted("l", 0))
_SECOND_DONE: Final = (
    *(*_BODY_DONE, loop_inputs.UntilConditionFailed("l", 0)),
    *(loop_inputs.BodyFrameStarted("l", "f1", 1), loop_inputs.BodyFrameCompleted("l", 1)),
)
_LOOPED: Final = (*_BODY_DONE, loop_inputs.UntilConditionMet("l", 0))

FIRST_AUTHORITY: Final = from_json(
    SupervisorAuthorityRecord,
    {"secret_key": [1] * 32, "public_peer_id": "peer-1", "epoch": 1, "protocol_version": 2},
)
"""The record that the witnesses of authority invariants start from."""


def _attempt(*peers: str) -> dict[str, Any]:
    return {"secret_key": [2] * 32, "public_peer_id": "peer-2", "epoch": 2, "accepted_peer_ids": peers}


_ACCEPTED: Final = (from_json(authority_inputs.RecordAcceptance, {"attempt": _attempt("x")}),)
_MORE_ACCEPTED: Final = (*_ACCEPTED, from_json(authority_inputs.RecordAcceptance, {"attempt": _attempt("x", "y")}))
_COMMITTED: Final = (
    *_ACCEPTED,
    from_json(authority_inputs.CommitRotation, {"attempt": _attempt("x"), "remote_peers": ["x"]}),
)


def first_state(machine: Machine[Any]) -> Any:
    """Return the state that a machine's witnesses start from."""
    return FIRST_AUTHORITY if machine.state is SupervisorAuthorityRecord else machine.state()


def last_step(machine: Machine[Any], inputs: tuple[Input, ...]) -> tuple[Any, Any]:
    """Return the states before and after the last of some inputs, all of which must be taken."""
    before = after = first_state(machine)
    for input in inputs:
        result = machine.step(after, input)
        assert isinstance(result, Transitioned), (input, result)
        before, after = after, result.next_state
    return before, after


# --- The run machine -----------------------------------------------------------------------------------------

_ENDED: Final = (StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELED)
_s: Final = t.fields_of("s", FlowRunState)
_run: Final = _Pair(FlowRunState)
_in: Final = t.fields_of("i", run_inputs.RegisterReadyFrame)
_old: Final = t.fields_of("s", FlowRunState)


def _is_blank(fields: t.Fields, kind: type) -> t.Term:
    """Return that the fields are as in the first state of the machine."""
    blank = kind()
    return t.every(getattr(fields, name).eq(getattr(blank, name)) for name in Record(kind).fields)


def _same_ids(queue: t.Term, membership: t.Term) -> t.Term:
    return t.Elements(queue).eq(membership) & t.each_once(queue)


def _head_was_taken(queue: str, last: str, count: str) -> t.Term:
    before: t.Term = getattr(_run.before, queue)
    after: t.Term = getattr(_run.after, queue)
    granted: t.Term = getattr(_run.after, last)
    counted: t.Term = getattr(_run.after, count).eq(getattr(_run.before, count) + 1)
    return after.eq(t.Tail(before)) & granted.eq(t.Head(before)) & counted


def _one_appended(queue: str) -> t.Term:
    before: t.Term = getattr(_run.before, queue)
    after: t.Term = getattr(_run.after, queue)
    return t.exists(after, lambda item: after.eq(t.append(before, item)) & ~t.member(item, before))


def _status(fields: t.Fields, step: t.Term) -> t.Term:
    return t.at(fields.step_status, step, None)


def _has_failed(step: t.Term) -> t.Term:
    return _status(_s, step).eq(StepStatus.FAILED)


_FAILED_STEPS: Final = t.count(_s.step_status, _has_failed)


def _some_step_became(status: StepStatus) -> t.Term:
    return t.exists(
        _run.after.step_status,
        lambda step: _status(_run.after, step).eq(status) & ~_status(_run.before, step).eq(status),
    )


def _step_moved_on(step: t.Term) -> t.Term:
    before, after = _status(_run.before, step), _status(_run.after, step)
    return before.eq(after) | before.eq(None) | (before.eq(StepStatus.DISPATCHED) & after.one_of(*_ENDED))


_DEFINITION: Final = (
    "tracked_steps",
    "ordered_steps",
    "step_has_conditions",
    "step_dependencies",
    "step_dependency_modes",
    "step_branches",
    "step_collection_policies",
    "step_quorum_thresholds",
    "escalation_threshold",
    "max_step_retries",
    "max_active_nodes",
    "max_active_frames",
    "max_frame_depth",
)
_PER_STEP: Final = (
    "output_recorded",
    "step_condition_results",
    "step_dependencies",
    "step_target_counts",
    "step_target_success_counts",
    "step_target_terminal_failure_counts",
)

_RUN_INVARIANTS: Final = (
    Invariant(
        "absent-run-is-blank",
        "A run that was not created has nothing in it.",
        Scope.RUN,
        _s.phase.eq(RunPhase.ABSENT),
        _is_blank(_s, FlowRunState),
        (),
        also_from(RUN, "RegisterReadyFrame", RunPhase.ABSENT),
    ),
    Invariant(
        "pending-run-has-not-begun",
        "Before the start no step has a status, nothing waits and no slot is taken.",
        Scope.RUN,
        _s.phase.eq(RunPhase.PENDING),
        t.for_all(_s.step_status, lambda step: t.at(_s.step_status, step).eq(None))
        & t.is_empty(_s.ready_frames)
        & t.is_empty(_s.pending_body_frame_loops)
        & (_s.active_node_count + _s.active_frame_count + _s.failure_count).eq(0),
        (_CREATE,),
        also_from(RUN, "DispatchStep", RunPhase.PENDING),
    ),
    Invariant(
        "only-tracked-steps",
        "Exactly the tracked steps have a status, outputs, conditions, dependencies and counts.",
        Scope.RUN,
        ~_s.phase.eq(RunPhase.ABSENT),
        t.every(t.Elements(getattr(_s, name)).eq(_s.tracked_steps) for name in ("step_status", *_PER_STEP)),
        STARTED,
        without_guard(RUN, "RecordStepOutput", "StepExists"),
    ),
    Invariant(
        "ready-queue-and-membership",
        "The queue of ready frames and its membership hold the same ids, each once.",
        Scope.RUN,
        ~t.is_empty(_s.ready_frames) | ~t.is_empty(_s.ready_frame_membership),
        _same_ids(_s.ready_frames, _s.ready_frame_membership),
        _QUEUED,
        without_update(RUN, "PumpNodeScheduler", "ready_frame_membership"),
    ),
    Invariant(
        "pending-loops-and-membership",
        "The queue of loops that want a body frame and its membership hold the same ids, each once.",
        Scope.RUN,
        ~t.is_empty(_s.pending_body_frame_loops) | ~t.is_empty(_s.pending_body_frame_loop_membership),
        _same_ids(_s.pending_body_frame_loops, _s.pending_body_frame_loop_membership),
        _LOOP_QUEUED,
        without_update(RUN, "RegisterPendingBodyFrame", "pending_body_frame_loop_membership"),
    ),
    Invariant(
        "node-count-within-maximum",
        "The number of active nodes never passes its maximum.",
        Scope.RUN,
        _s.max_active_nodes > 0,
        _s.active_node_count <= _s.max_active_nodes,
        _PUMPED,
        without_guard(RUN, "PumpNodeScheduler", "there is room (0: no maximum)"),
    ),
    Invariant(
        "frame-count-within-maximum",
        "The number of active body frames never passes its maximum.",
        Scope.RUN,
        _s.max_active_frames > 0,
        _s.active_frame_count <= _s.max_active_frames,
        _LOOP_PUMPED,
        without_guard(RUN, "PumpFrameScheduler", "there is room (0: no maximum)"),
    ),
    Invariant(
        "failures-are-counted",
        "As many failures were counted as steps failed.",
        Scope.RUN,
        (_s.failure_count > 0) | (_FAILED_STEPS > 0),
        _s.failure_count.eq(_FAILED_STEPS),
        _FAILED,
        without_update(RUN, "FailStep", "failure_count"),
    ),
    Invariant(
        "every-failure-is-counted",
        "The number of failures rises by one when a step fails, and not otherwise; one step fails at a time.",
        Scope.RUN_STEP,
        _some_step_became(StepStatus.FAILED) | ~_run.same("failure_count"),
        _run.after.failure_count.eq(_run.before.failure_count + 1)
        & t.exists(
            _run.after.step_status,
            lambda step: (
                _status(_run.after, step).eq(StepStatus.FAILED)
                & t.for_all(
                    _run.after.step_status,
                    lambda other: other.eq(step) | _status(_run.after, other).eq(_status(_run.before, other)),
                )
            ),
        ),
        _FAILED,
        writing(RUN, "FailStep", "failure_count", _old.failure_count + 2),
    ),
    Invariant(
        "failures-in-a-row-are-failures",
        "No more failures in a row than failures.",
        Scope.RUN,
        _s.consecutive_failure_count > 0,
        _s.consecutive_failure_count <= _s.failure_count,
        _FAILED,
        writing(RUN, "FailStep", "consecutive_failure_count", _old.consecutive_failure_count + 2),
    ),
    Invariant(
        "ended-run-stays",
        "An ended run does not change, but that a failed one may be canceled.",
        Scope.RUN_STEP,
        _run.before.phase.one_of(RunPhase.COMPLETED, RunPhase.FAILED, RunPhase.CANCELED),
        _run.same(*(name for name in Record(FlowRunState).fields if name != "phase"))
        & (_run.same("phase") | (_run.before.phase.eq(RunPhase.FAILED) & _run.after.phase.eq(RunPhase.CANCELED))),
        (*STARTED, run_inputs.TerminalizeFailed(), run_inputs.TerminalizeCanceled()),
        also_from(RUN, "TerminalizeCanceled", RunPhase.COMPLETED),
    ),
    Invariant(
        "run-is-created-once",
        "The definition of a run never changes.",
        Scope.RUN_STEP,
        ~_run.before.phase.eq(RunPhase.ABSENT),
        _run.same(*_DEFINITION) & ~_run.after.phase.eq(RunPhase.ABSENT),
        STARTED,
        also_from(RUN, "CreateRun", RunPhase.PENDING),
    ),
    Invariant(
        "run-does-not-go-back",
        "What is running was never pending again.",
        Scope.RUN_STEP,
        _run.before.phase.eq(RunPhase.RUNNING),
        ~_run.after.phase.eq(RunPhase.PENDING),
        _QUEUED,
        also_from(RUN, "CreateRun", RunPhase.RUNNING),
    ),
    Invariant(
        "steps-move-on",
        "A step that ended keeps its status, and none that was dispatched goes back.",
        Scope.RUN_STEP,
        ~_run.same("step_status") & ~_run.before.phase.eq(RunPhase.ABSENT),
        t.for_all(_run.before.step_status, _step_moved_on),
        _STEP_DONE,
        without_guard(RUN, "CompleteStep", "StepStatus"),
    ),
    Invariant(
        "failures-in-a-row-end-with-success",
        "A step that completes sets the failures in a row to 0; one that fails adds one.",
        Scope.RUN_STEP,
        _some_step_became(StepStatus.COMPLETED) | _some_step_became(StepStatus.FAILED),
        _run.after.consecutive_failure_count.eq(
            t.if_(
                _some_step_became(StepStatus.FAILED),
                _run.before.consecutive_failure_count + 1,
                0,
            )
        ),
        _STEP_DONE,
        without_update(RUN, "CompleteStep", "consecutive_failure_count"),
    ),
    Invariant(
        "outputs-are-not-forgotten",
        "An output that was recorded stays recorded.",
        Scope.RUN_STEP,
        t.exists(_run.before.output_recorded, lambda step: t.at(_run.before.output_recorded, step)),
        _run.kept("output_recorded"),
        (*_OUTPUT, run_inputs.SkipStep("two")),
        writing(
            RUN, "SkipStep", "output_recorded", t.map_to(_old.tracked_steps, _old.output_recorded, lambda _: False)
        ),
    ),
    Invariant(
        "node-grant-takes-the-head",
        "What leaves the queue of ready frames is its head; it is noted as the last granted, and counted.",
        Scope.RUN_STEP,
        t.Size(_run.after.ready_frames) < t.Size(_run.before.ready_frames),
        _head_was_taken("ready_frames", "last_granted_frame", "active_node_count"),
        _PUMPED,
        without_update(RUN, "PumpNodeScheduler", "last_granted_frame"),
    ),
    Invariant(
        "frame-grant-takes-the-head",
        "What leaves the queue of loops is its head; it is noted as the last granted, and counted.",
        Scope.RUN_STEP,
        t.Size(_run.after.pending_body_frame_loops) < t.Size(_run.before.pending_body_frame_loops),
        _head_was_taken("pending_body_frame_loops", "last_granted_loop", "active_frame_count"),
        _LOOP_PUMPED,
        without_update(RUN, "PumpFrameScheduler", "last_granted_loop"),
    ),
    Invariant(
        "ready-queue-grows-at-its-end",
        "What joins the queue of ready frames was not in it, and joins at its end.",
        Scope.RUN_STEP,
        t.Size(_run.after.ready_frames) > t.Size(_run.before.ready_frames),
        _one_appended("ready_frames"),
        _QUEUED,
        writing(RUN, "RegisterReadyFrame", "ready_frames", t.append(_old.ready_frames, _in.frame_id)),
    ),
    Invariant(
        "node-count-rises-by-a-grant",
        "The number of active nodes rises only by one, and only when a frame leaves the queue.",
        Scope.RUN_STEP,
        _run.after.active_node_count > _run.before.active_node_count,
        _run.after.active_node_count.eq(_run.before.active_node_count + 1)
        & (t.Size(_run.after.ready_frames) < t.Size(_run.before.ready_frames)),
        _PUMPED,
        writing(RUN, "NodeExecutionReleased", "active_node_count", _old.active_node_count + 1),
    ),
    Invariant(
        "frame-count-rises-by-a-grant",
        "The number of active body frames rises only by one, and only when a loop leaves the queue.",
        Scope.RUN_STEP,
        _run.after.active_frame_count > _run.before.active_frame_count,
        _run.after.active_frame_count.eq(_run.before.active_frame_count + 1)
        & (t.Size(_run.after.pending_body_frame_loops) < t.Size(_run.before.pending_body_frame_loops)),
        _LOOP_PUMPED,
        writing(RUN, "FrameTerminated", "active_frame_count", _old.active_frame_count + 1),
    ),
)


# --- The frame machine ---------------------------------------------------------------------------------------

_f: Final = t.fields_of("s", FlowFrameState)
_frame: Final = _Pair(FlowFrameState)
_BEGUN: Final = (NodeStatus.RUNNING, NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.CANCELED)
_LOST: Final = (NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELED)
_branches: Final = t.fields_of("i", frame_inputs.CompleteNode)
_FRAME_DEFINITION: Final = (
    "frame_id",
    "frame_scope",
    "loop_instance_id",
    "iteration",
    "tracked_nodes",
    "ordered_nodes",
    "node_kind",
    "node_dependencies",
    "node_dependency_modes",
    "node_branches",
)
_NO_WINNERS: Final = t.Const(frozenset(), _f.branch_winners.sort)


def _started(fields: t.Fields) -> t.Term:
    return ~fields.phase.eq(FramePhase.ABSENT)


def _is_won(node: t.Term) -> t.Term:
    branch = t.at(_f.node_branches, node, None)
    return t.Present(branch) & t.member(t.The(branch), _f.branch_winners)


def _is_completed(node: t.Term) -> t.Term:
    return status_of(_f.node_status, node).eq(NodeStatus.COMPLETED)


def _completed_in(branch: t.Term) -> t.Term:
    return t.exists(
        _f.node_status, lambda node: _is_completed(node) & t.at(_f.node_branches, node, None).eq(branch)
    )


def _sealed_as(status: FrameTerminalStatus, phase: FramePhase) -> t.Term:
    return _f.phase.eq(phase) & sealing_status(_f.node_status).eq(status)


def _node_moved_on(node: t.Term) -> t.Term:
    before, after = _frame.before.node_status, _frame.after.node_status
    begins = is_open(before, node) & status_of(after, node).one_of(NodeStatus.RUNNING, NodeStatus.SKIPPED)
    ends = status_of(before, node).eq(NodeStatus.RUNNING) & has_ended(after, node)
    stays = status_of(before, node).eq(status_of(after, node)) | (is_open(before, node) & is_open(after, node))
    return begins | ends | stays


def _newly_running(node: t.Term) -> t.Term:
    was = status_of(_frame.before.node_status, node).eq(NodeStatus.RUNNING)
    return status_of(_frame.after.node_status, node).eq(NodeStatus.RUNNING) & ~was


def _begins_or_ends(node: t.Term) -> t.Term:
    before, after = (status_of(each.node_status, node) for each in (_frame.before, _frame.after))
    return before.eq(NodeStatus.RUNNING).ne(after.eq(NodeStatus.RUNNING))


def _is_passed_over(node: t.Term) -> t.Term:
    skipped = status_of(_frame.after.node_status, node).eq(NodeStatus.SKIPPED)
    return is_open(_frame.before.node_status, node) & skipped


def _could_not_run(node: t.Term) -> t.Term:
    """Return that a node's dependencies cannot be satisfied any more, or that its branch was won."""
    branch = t.at(_frame.after.node_branches, node, None)
    won = t.Present(branch) & t.member(t.The(branch), _frame.after.branch_winners)
    return is_blocked(_frame.after, _frame.after.node_status, node) | won


def _becoming(status: NodeStatus, *before: NodeStatus) -> t.Term:
    """Return the statuses in which every node that has one of some has another."""
    statuses = _f.node_status
    return t.map_to(
        statuses,
        statuses,
        lambda node: t.if_(status_of(statuses, node).one_of(*before), status, status_of(statuses, node)),
    )


def _without_fixpoint(id: str) -> Broken:
    return defining(FRAME, id, "settled", t.Var("raced", _f.node_status.sort))


_FRAME_INVARIANTS: Final = (
    Invariant(
        "absent-frame-is-blank",
        "A frame that was not started has nothing in it.",
        Scope.FRAME,
        _f.phase.eq(FramePhase.ABSENT),
        _is_blank(_f, FlowFrameState),
        (),
        without_update(FRAME, "StartBodyFrame", "phase"),
    ),
    Invariant(
        "only-ordered-nodes",
        "Exactly the nodes of the frame have a status, an output and a condition.",
        Scope.FRAME,
        _started(_f),
        t.every(
            t.Elements(getattr(_f, name)).eq(t.Elements(_f.ordered_nodes))
            for name in ("node_status", "output_recorded", "node_condition_results")
        ),
        _ROOT,
        without_guard(FRAME, "RecordNodeOutput", "NodeExists"),
    ),
    Invariant(
        "ready-queue-is-what-is-ready",
        "The ready queue holds the nodes that are Ready, in the frame's order.",
        Scope.FRAME,
        _f.phase.eq(FramePhase.RUNNING),
        _f.ready_queue.eq(ready_nodes(_f.ordered_nodes, _f.node_status)),
        _ROOT,
        without_update(FRAME, "AdmitNextReadyNode", "ready_queue"),
    ),
    Invariant(
        "ready-means-ready",
        "An open node is Ready exactly when its dependencies are completed and its branch has no winner.",
        Scope.FRAME,
        _f.phase.eq(FramePhase.RUNNING) & t.exists(_f.node_status, lambda node: is_open(_f.node_status, node)),
        t.for_all(
            _f.node_status,
            lambda node: (
                ~is_open(_f.node_status, node)
                | t.iff(
                    status_of(_f.node_status, node).eq(NodeStatus.READY),
                    is_ready(_f, _f.node_status, _f.branch_winners, node),
                )
            ),
        ),
        _ROOT,
        defining(FRAME, "CompleteNode", "status", t.Var("settled", _f.node_status.sort)),
    ),
    Invariant(
        "nothing-blocked-waits",
        "No node waits for dependencies that can no longer be satisfied.",
        Scope.FRAME,
        _f.phase.eq(FramePhase.RUNNING)
        & t.exists(_f.node_status, lambda node: status_of(_f.node_status, node).one_of(*_LOST)),
        t.for_all(
            _f.node_status, lambda node: ~(is_open(_f.node_status, node) & is_blocked(_f, _f.node_status, node))
        ),
        _NODE_FAILED,
        _without_fixpoint("FailNode"),
    ),
    Invariant(
        "begun-nodes-were-ready",
        "What runs, or ran, had its dependencies completed.",
        Scope.FRAME,
        t.exists(_f.node_status, lambda node: status_of(_f.node_status, node).one_of(*_BEGUN)),
        t.for_all(
            _f.node_status,
            lambda node: (
                ~status_of(_f.node_status, node).one_of(*_BEGUN) | is_ready(_f, _f.node_status, _NO_WINNERS, node)
            ),
        ),
        _ADMITTED,
        defining(
            FRAME,
            "AdmitNextReadyNode",
            "queue",
            t.filtered(_f.ordered_nodes, lambda node: is_open(_f.node_status, node)),
        ),
    ),
    Invariant(
        "winners-are-the-branches-of-completed-nodes",
        "A branch has won exactly when one of its nodes completed.",
        Scope.FRAME,
        t.exists(_f.node_status, _is_completed) | ~t.is_empty(_f.branch_winners),
        t.for_all(_f.branch_winners, lambda branch: _completed_in(t.Some(branch)))
        & t.for_all(
            _f.node_status,
            lambda node: ~_is_completed(node) | ~t.Present(t.at(_f.node_branches, node, None)) | _is_won(node),
        ),
        _NODE_DONE,
        without_update(FRAME, "CompleteNode", "branch_winners"),
    ),
    Invariant(
        "won-branch-is-closed",
        "In a branch that was won no node waits.",
        Scope.FRAME,
        ~t.is_empty(_f.branch_winners),
        t.for_all(_f.node_status, lambda node: ~_is_won(node) | ~is_open(_f.node_status, node)),
        _NODE_DONE,
        defining(FRAME, "CompleteNode", "raced", t.Var("ended", _f.node_status.sort)),
    ),
    Invariant(
        "sealed-frame-follows-its-nodes",
        "In a sealed frame every node has ended, and its class follows from them.",
        Scope.FRAME,
        _f.phase.one_of(FramePhase.COMPLETED, FramePhase.FAILED, FramePhase.CANCELED),
        t.for_all(_f.node_status, lambda node: has_ended(_f.node_status, node))
        & (
            _sealed_as(FrameTerminalStatus.COMPLETED, FramePhase.COMPLETED)
            | _sealed_as(FrameTerminalStatus.FAILED, FramePhase.FAILED)
            | _sealed_as(FrameTerminalStatus.CANCELED, FramePhase.CANCELED)
        ),
        SEALED,
        without_guard(FRAME, "SealFrame", "the status follows the nodes"),
    ),
    Invariant(
        "only-bodies-have-loops",
        "A root frame belongs to no loop.",
        Scope.FRAME,
        _f.frame_scope.eq(FrameScope.ROOT),
        _f.loop_instance_id.eq("") & _f.iteration.eq(0),
        _ROOT,
        without_update(FRAME, "StartBodyFrame", "frame_scope"),
    ),
    Invariant(
        "frame-is-created-once",
        "What a frame is made of, and the iteration it belongs to, never changes.",
        Scope.FRAME_STEP,
        _started(_frame.before),
        _frame.same(*_FRAME_DEFINITION) & _started(_frame.after),
        _ADMITTED,
        also_from(FRAME, "StartBodyFrame", FramePhase.RUNNING),
    ),
    Invariant(
        "sealed-frame-stays",
        "A running frame that ends as sealed leaves its nodes as they are, and a sealed frame does not change.",
        Scope.FRAME_STEP,
        _started(_frame.before) & ~_frame.after.phase.eq(FramePhase.RUNNING),
        _frame.same(*(name for name in Record(FlowFrameState).fields if name != "phase"))
        & (_frame.before.phase.eq(FramePhase.RUNNING) | _frame.same("phase")),
        SEALED,
        also_from(FRAME, "RecordNodeOutput", FramePhase.COMPLETED),
    ),
    Invariant(
        "nodes-move-on",
        "A node runs at most once, and one that ended keeps its status.",
        Scope.FRAME_STEP,
        _started(_frame.before) & ~_frame.same("node_status"),
        t.for_all(_frame.before.node_status, _node_moved_on),
        _ADMITTED,
        without_guard(FRAME, "CompleteNode", "NodeRunning"),
    ),
    Invariant(
        "admission-takes-the-head",
        "A node that begins to run is the head of the ready queue, and noted as the last admitted.",
        Scope.FRAME_STEP,
        _started(_frame.before) & t.exists(_frame.after.node_status, _newly_running),
        t.for_all(
            _frame.after.node_status,
            lambda node: (
                ~_newly_running(node)
                | (node.eq(t.Head(_frame.before.ready_queue)) & node.eq(_frame.after.last_admitted_node))
            ),
        ),
        _ADMITTED,
        without_update(FRAME, "AdmitNextReadyNode", "last_admitted_node"),
    ),
    Invariant(
        "one-node-at-a-time",
        "In one step at most one node begins to run, or ends.",
        Scope.FRAME_STEP,
        _started(_frame.before) & t.exists(_frame.after.node_status, _begins_or_ends),
        t.for_all(
            _frame.after.node_status,
            lambda node: (
                ~_begins_or_ends(node)
                | t.for_all(_frame.after.node_status, lambda other: other.eq(node) | ~_begins_or_ends(other))
            ),
        ),
        _ADMITTED,
        defining(FRAME, "CompleteNode", "ended", _becoming(NodeStatus.COMPLETED, NodeStatus.RUNNING)),
    ),
    Invariant(
        "what-is-passed-over-could-not-run",
        "A node is skipped before it runs only where its dependencies are lost, or its branch.",
        Scope.FRAME_STEP,
        _started(_frame.before) & t.exists(_frame.after.node_status, _is_passed_over),
        t.for_all(_frame.after.node_status, lambda node: ~_is_passed_over(node) | _could_not_run(node)),
        _NODE_FAILED,
        defining(FRAME, "FailNode", "ended", _becoming(NodeStatus.SKIPPED, NodeStatus.PENDING, NodeStatus.READY)),
    ),
    Invariant(
        "node-outputs-are-not-forgotten",
        "An output that was recorded stays recorded.",
        Scope.FRAME_STEP,
        t.exists(_frame.before.output_recorded, lambda node: t.at(_frame.before.output_recorded, node)),
        _frame.kept("output_recorded"),
        (*_NODE_DONE, frame_inputs.RecordNodeOutput("a"), _ADMIT),
        writing(
            FRAME, "FailNode", "output_recorded", t.map_to(_f.ordered_nodes, _f.output_recorded, lambda _: False)
        ),
    ),
)


# --- The loop machine ----------------------------------------------------------------------------------------

_l: Final = t.fields_of("s", LoopIterationState)
_loop: Final = _Pair(LoopIterationState)
_LOOP_TERMINAL: Final = (LoopPhase.COMPLETED, LoopPhase.EXHAUSTED, LoopPhase.FAILED, LoopPhase.CANCELED)
_IDENTITY: Final = ("loop_instance_id", "parent_frame_id", "parent_node_id", "loop_id", "depth", "max_iterations")


def _is_active(fields: t.Fields) -> t.Term:
    return fields.phase.eq(LoopPhase.RUNNING) & fields.stage.eq(LoopStage.BODY_FRAME_ACTIVE)


def _without_exhaustion() -> Broken:
    runs_on = writing(LOOP, "UntilConditionFailed", "phase", LoopPhase.RUNNING).machine
    return writing(runs_on, "UntilConditionFailed", "stage", LoopStage.AWAITING_BODY_FRAME)


_LOOP_INVARIANTS: Final = (
    Invariant(
        "absent-loop-is-blank",
        "A loop that was not started has nothing in it.",
        Scope.LOOP,
        _l.phase.eq(LoopPhase.ABSENT),
        _is_blank(_l, LoopIterationState),
        (),
        without_update(LOOP, "StartLoop", "phase"),
    ),
    Invariant(
        "body-frame-while-active",
        "A loop has an active body frame exactly while it runs and is in its body.",
        Scope.LOOP,
        ~_l.phase.eq(LoopPhase.ABSENT),
        t.iff(t.Present(_l.active_body_frame_id), _is_active(_l)),
        _IN_BODY,
        without_update(LOOP, "CancelLoop", "active_body_frame_id"),
    ),
    Invariant(
        "iterations-within-maximum",
        "No more iterations than the maximum (but one, where that is 0).",
        Scope.LOOP,
        _l.current_iteration > 1,
        _l.current_iteration <= _l.max_iterations,
        _SECOND_DONE,
        _without_exhaustion(),
    ),
    Invariant(
        "iterations-left-for-a-body",
        "A loop whose body is awaited or active is in its first iteration, or has not had all that it may have.",
        Scope.LOOP,
        _l.phase.eq(LoopPhase.RUNNING)
        & _l.stage.one_of(LoopStage.AWAITING_BODY_FRAME, LoopStage.BODY_FRAME_ACTIVE),
        _l.current_iteration.eq(0) | (_l.current_iteration < _l.max_iterations),
        _LOOPING,
        _without_exhaustion(),
    ),
    Invariant(
        "last-completed-is-the-one-before",
        "While the until-condition is awaited, the iteration completed last is the one before the present.",
        Scope.LOOP,
        _l.phase.eq(LoopPhase.RUNNING) & _l.stage.eq(LoopStage.AWAITING_UNTIL_EVALUATION),
        (_l.current_iteration > 0) & _l.last_completed_iteration.eq(_l.current_iteration - 1),
        _BODY_DONE,
        without_update(LOOP, "BodyFrameCompleted", "last_completed_iteration"),
    ),
    Invariant(
        "loop-is-created-once",
        "What a loop instance belongs to, and its maximum, never change.",
        Scope.LOOP_STEP,
        ~_loop.before.phase.eq(LoopPhase.ABSENT),
        _loop.same(*_IDENTITY) & ~_loop.after.phase.eq(LoopPhase.ABSENT),
        _IN_BODY,
        also_from(LOOP, "StartLoop", LoopPhase.RUNNING),
    ),
    Invariant(
        "ended-loop-stays",
        "A loop that ends counts no iteration by that, and one that ended does not change.",
        Scope.LOOP_STEP,
        _loop.after.phase.one_of(*_LOOP_TERMINAL),
        _loop.same("current_iteration") & (_loop.before.phase.eq(LoopPhase.RUNNING) | _loop.same()),
        _LOOPED,
        also_from(LOOP, "CancelLoop", LoopPhase.COMPLETED),
    ),
    Invariant(
        "loop-ends-where-it-may",
        "A loop fails in its body; it completes, or is exhausted, when the until-condition was evaluated.",
        Scope.LOOP_STEP,
        _loop.before.phase.eq(LoopPhase.RUNNING)
        & _loop.after.phase.one_of(LoopPhase.FAILED, LoopPhase.COMPLETED, LoopPhase.EXHAUSTED),
        t.if_(
            _loop.after.phase.eq(LoopPhase.FAILED),
            _is_active(_loop.before),
            _loop.before.stage.eq(LoopStage.AWAITING_UNTIL_EVALUATION),
        ),
        _LOOPED,
        without_guard(LOOP, "BodyFrameFailed", "Stage"),
    ),
    Invariant(
        "exhausted-means-exhausted",
        "A loop that is exhausted had as many iterations as it may have, and one that goes on had fewer.",
        Scope.LOOP_STEP,
        _loop.before.stage.eq(LoopStage.AWAITING_UNTIL_EVALUATION)
        & (_loop.after.phase.eq(LoopPhase.EXHAUSTED) | _loop.after.stage.eq(LoopStage.AWAITING_BODY_FRAME)),
        t.iff(
            _loop.after.phase.eq(LoopPhase.EXHAUSTED), _loop.after.current_iteration >= _loop.after.max_iterations
        ),
        (*_BODY_DONE, loop_inputs.UntilConditionFailed("l", 0)),
        writing(LOOP, "UntilConditionFailed", "phase", LoopPhase.EXHAUSTED),
    ),
    Invariant(
        "iterations-count-up",
        "The iteration counts 0, 1, 2 without a gap, and only when an active body frame completes.",
        Scope.LOOP_STEP,
        ~_loop.same("current_iteration"),
        _loop.after.current_iteration.eq(_loop.before.current_iteration + 1)
        & _is_active(_loop.before)
        & _loop.after.stage.eq(LoopStage.AWAITING_UNTIL_EVALUATION),
        _BODY_DONE,
        without_guard(LOOP, "BodyFrameCompleted", "Stage"),
    ),
    Invariant(
        "body-frame-is-not-replaced",
        "A body frame begins only where none is active, and is awaited.",
        Scope.LOOP_STEP,
        t.Present(_loop.after.active_body_frame_id) & ~_loop.same("active_body_frame_id"),
        ~t.Present(_loop.before.active_body_frame_id) & _loop.before.stage.eq(LoopStage.AWAITING_BODY_FRAME),
        _IN_BODY,
        without_guard(LOOP, "BodyFrameStarted", "Stage"),
    ),
)


# --- The authority record ------------------------------------------------------------------------------------

_r: Final = t.fields_of("s", SupervisorAuthorityRecord)
_authority: Final = _Pair(SupervisorAuthorityRecord)
_before_pending: Final = t.The(_authority.before.pending_rotation)
_after_pending: Final = t.The(_authority.after.pending_rotation)
_KEY: Final = ("secret_key", "public_peer_id", "protocol_version")
_attempted: Final = t.fields_of("i", authority_inputs.CommitRotation).attempt


def _same_key(left: t.Term, right: t.Term) -> t.Term:
    return t.every(left.get(field).eq(right.get(field)) for field in (*_KEY, "epoch"))


_STEP_RECORDS: Final = Scope.AUTHORITY_STEP.variables

_AUTHORITY_INVARIANTS: Final = (
    Invariant(
        "pending-rotation-was-accepted",
        "A stored pending rotation names the peers that accepted it, sorted, each once.",
        Scope.AUTHORITY,
        t.Present(_r.pending_rotation),
        ~t.is_empty(t.The(_r.pending_rotation).get("accepted_peer_ids"))
        & t.Increasing(t.The(_r.pending_rotation).get("accepted_peer_ids")),
        _ACCEPTED,
        without_guard(AUTHORITY, "RecordAcceptance", "AcceptedPeers"),
    ),
    Invariant(
        "pending-rotation-is-next",
        "A stored pending rotation has the epoch after the record's.",
        Scope.AUTHORITY,
        t.Present(_r.pending_rotation),
        (t.The(_r.pending_rotation).get("epoch") > _r.epoch)
        & (t.The(_r.pending_rotation).get("epoch") - 1).eq(_r.epoch),
        _ACCEPTED,
        without_guard(AUTHORITY, "RecordAcceptance", "Epoch"),
    ),
    Invariant(
        "epoch-and-key-move-together",
        "The key changes exactly when the epoch does, and the epoch only by one.",
        Scope.AUTHORITY_STEP,
        ~_authority.same(*_KEY, "epoch"),
        _authority.after.epoch.eq(_authority.before.epoch + 1),
        _COMMITTED,
        without_update(AUTHORITY, "CommitRotation", "epoch"),
    ),
    Invariant(
        "commit-leaves-nothing-pending",
        "A new authority has no pending rotation.",
        Scope.AUTHORITY_STEP,
        ~_authority.same("epoch"),
        ~t.Present(_authority.after.pending_rotation),
        _COMMITTED,
        without_update(AUTHORITY, "CommitRotation", "pending_rotation"),
    ),
    Invariant(
        "only-the-pending-attempt-is-committed",
        "Where an attempt stands, it is the one that becomes the authority.",
        Scope.AUTHORITY_STEP,
        t.Present(_authority.before.pending_rotation) & ~_authority.same("epoch"),
        _same_key(_before_pending, _STEP_RECORDS[1]),
        _COMMITTED,
        without_guard(AUTHORITY, "CommitRotation", "PendingRotation"),
    ),
    Invariant(
        "attempt-stays-while-accepted",
        "While an attempt stands it is not replaced by another, and no peer that accepted it is forgotten.",
        Scope.AUTHORITY_STEP,
        t.Present(_authority.before.pending_rotation) & t.Present(_authority.after.pending_rotation),
        _same_key(_before_pending, _after_pending)
        & t.for_all(
            _before_pending.get("accepted_peer_ids"),
            lambda peer: t.member(peer, _after_pending.get("accepted_peer_ids")),
        ),
        _MORE_ACCEPTED,
        without_guard(AUTHORITY, "RecordAcceptance", "PendingRotation"),
    ),
)


# --- A run and its machines ----------------------------------------------------------------------------------

_m: Final = t.fields_of("s", MobRun)
_flow: Final = t.Fields(_m.flow_state)
_STATUS_OF: Final = {
    MobRunStatus.PENDING: (RunPhase.ABSENT, RunPhase.PENDING),
    MobRunStatus.RUNNING: (RunPhase.RUNNING,),
    MobRunStatus.COMPLETED: (RunPhase.COMPLETED,),
    MobRunStatus.FAILED: (RunPhase.FAILED,),
    MobRunStatus.CANCELED: (RunPhase.CANCELED,),
}


def _kernel(snapshots: t.Term, key: t.Term) -> t.Fields:
    return t.Fields(t.at(snapshots, key).get("kernel_state"))


def frame_of(key: t.Term) -> t.Fields:
    """Return the fields of the frame that the run ``s`` has under an id."""
    return _kernel(_m.frames, key)


def loop_of(key: t.Term) -> t.Fields:
    """Return the fields of the loop that the run ``s`` has under an id."""
    return _kernel(_m.loops, key)


def _step_is(*statuses: StepStatus | None) -> Callable[[t.Term], t.Term]:
    def is_one(step: t.Term) -> t.Term:
        return _status(_flow, step).one_of(*statuses)

    return is_one


def _runs_a_step(frame: t.Fields) -> Callable[[t.Term], t.Term]:
    def runs(node: t.Term) -> t.Term:
        kind = t.at(frame.node_kind, node, NodeKind.STEP)
        return kind.eq(NodeKind.STEP) & status_of(frame.node_status, node).eq(NodeStatus.RUNNING)

    return runs


RUNNING_STEPS: Final = t.total(
    _m.frames, lambda key: t.count(frame_of(key).node_status, _runs_a_step(frame_of(key)))
)
_ACTIVE_LOOPS: Final = t.count(_m.loops, lambda key: _is_active(loop_of(key)))


def _is_body_of(frame: t.Term, loop: t.Term, iteration: t.Term) -> t.Term:
    """Return that a frame is in the store, as the body of this iteration of this loop instance."""
    state = frame_of(frame)
    of_iteration = state.loop_instance_id.eq(loop) & state.iteration.eq(iteration)
    return t.member(frame, _m.frames) & state.frame_scope.eq(FrameScope.BODY) & of_iteration


def _body_is_there(loop: t.Term) -> t.Term:
    state = loop_of(loop)
    return ~_is_active(state) | _is_body_of(t.The(state.active_body_frame_id), loop, state.current_iteration)


def _parent_waits(loop: t.Term) -> t.Term:
    state = loop_of(loop)
    parent = frame_of(state.parent_frame_id)
    node = state.parent_node_id
    return t.member(state.parent_frame_id, _m.frames) & t.iff(
        state.phase.eq(LoopPhase.RUNNING),
        status_of(parent.node_status, node).eq(NodeStatus.RUNNING)
        & t.at(parent.node_kind, node, NodeKind.STEP).eq(NodeKind.LOOP),
    )


def _is_in_order(entry: t.Term) -> t.Term:
    """Return that a line of the ledger is the only one of its iteration, and that the iteration before has one."""
    loop, iteration = entry.get("loop_instance_id"), entry.get("iteration")

    def of_iteration(other: t.Term, number: t.Term) -> t.Term:
        return other.get("loop_instance_id").eq(loop) & other.get("iteration").eq(number)

    once = t.for_all(
        _m.loop_iteration_ledger,
        lambda other: ~of_iteration(other, iteration) | other.get("frame_id").eq(entry.get("frame_id")),
    )
    follows = t.exists(_m.loop_iteration_ledger, lambda other: of_iteration(other, iteration - 1))
    return once & (iteration.eq(0) | follows)


def _circle_free() -> t.Term:
    """Return that the steps can be done one after the other, each after its dependencies."""
    none_done = t.map_to(_flow.tracked_steps, _flow.output_recorded, lambda _step: False)

    def can_be_done(done: t.Term, step: t.Term) -> t.Term:
        return t.for_all(
            t.at(_flow.step_dependencies, step, ()),
            lambda dependency: t.at(done, dependency, False),  # noqa: FBT003 - an unknown step is never done
        )

    done = t.fixpoint(none_done, _flow.tracked_steps, can_be_done, True)  # noqa: FBT003 - the value of the map
    return t.for_all(_flow.tracked_steps, lambda step: t.at(done, step))


def _all_in(ids: t.Term, snapshots: t.Term) -> t.Term:
    return t.for_all(ids, lambda key: t.member(key, snapshots))


def _example() -> MobRun:
    """Return a run of which one step is done, one runs, and a loop is in the body of its second iteration."""
    _, flow = last_step(
        RUN,
        (
            *(*_OUTPUT, run_inputs.DispatchStep("two")),
            *(run_inputs.RegisterReadyFrame("r"), run_inputs.PumpNodeScheduler("r")),
            *(run_inputs.RegisterPendingBodyFrame("l", 1), run_inputs.PumpFrameScheduler("l")),
            *(run_inputs.RegisterReadyFrame("f1"), run_inputs.RegisterPendingBodyFrame("l", 1)),
        ),
    )
    _, root = last_step(FRAME, (*_NODE_DONE, frame_inputs.RecordNodeOutput("a"), _ADMIT, _ADMIT))
    _, body = last_step(FRAME, _BODY)
    _, loop = last_step(LOOP, _SECOND_DONE[:-1])
    bodies = {f"f{number}": evolve(body, {"frame_id": f"f{number}", "iteration": number}) for number in (0, 1)}
    return MobRun(
        run_id=RunId("11111111-0000-4000-8000-000000000001"),
        mob_id="mob",
        flow_id="flow",
        status=MobRunStatus.RUNNING,
        flow_state=flow,
        activation_params=Payload.of(None),
        created_at=Timestamp(0),
        frames=TrieMap({id: FrameSnapshot(state) for id, state in {"r": root, **bodies}.items()}),
        loops=TrieMap({"l": LoopSnapshot(loop)}),
        loop_iteration_ledger=LoopIterationLedger(
            [LoopIterationLedgerEntry("l", 0, "f0"), LoopIterationLedgerEntry("l", 1, "f1")]
        ),
    )


def _ended_example(phase: RunPhase, status: MobRunStatus) -> MobRun:
    """Return the example with its run at an end."""
    flow = EXAMPLE.flow_state
    ended = flow.step_status.set("two", StepStatus.COMPLETED)
    at_end = evolve(flow, {"phase": phase, "step_status": ended})
    return evolve(EXAMPLE, {"status": status, "completed_at": Timestamp(1), "flow_state": at_end})


EXAMPLE: Final = _example()
_COMPLETED: Final = _ended_example(RunPhase.COMPLETED, MobRunStatus.COMPLETED)
_i_create: Final = t.fields_of("i", run_inputs.CreateRun)
_i_loop: Final = t.fields_of("i", loop_inputs.StartLoop)

_COMPOSITION_INVARIANTS: Final = (
    Invariant(
        "status-follows-the-phase",
        "The status of a run is that of its flow state's phase.",
        Scope.COMPOSITION,
        ~_flow.phase.eq(RunPhase.ABSENT),
        t.every(
            t.implies(_m.status.eq(status), _flow.phase.one_of(*phases)) for status, phases in _STATUS_OF.items()
        ),
        EXAMPLE,
        writing(RUN, "TerminalizeCanceled", "phase", RunPhase.FAILED),
    ),
    Invariant(
        "completed-run-has-completed-steps",
        "In a completed run every step completed or was skipped.",
        Scope.COMPOSITION,
        _flow.phase.eq(RunPhase.COMPLETED),
        t.for_all(_flow.tracked_steps, _step_is(StepStatus.COMPLETED, StepStatus.SKIPPED)),
        _COMPLETED,
        writing(RUN, "TerminalizeFailed", "phase", RunPhase.COMPLETED),
    ),
    Invariant(
        "ended-run-has-no-work-out",
        "An ended run has no dispatched step.",
        Scope.COMPOSITION,
        _flow.phase.one_of(RunPhase.COMPLETED, RunPhase.FAILED, RunPhase.CANCELED),
        t.for_all(_flow.tracked_steps, lambda step: ~_step_is(StepStatus.DISPATCHED)(step)),
        _COMPLETED,
        without_update(RUN, "CancelStep", "step_status"),
    ),
    Invariant(
        "outputs-belong-to-completed-steps",
        "A step whose output was recorded is completed.",
        Scope.COMPOSITION,
        t.exists(_flow.output_recorded, lambda step: t.at(_flow.output_recorded, step)),
        t.for_all(
            _flow.output_recorded,
            lambda step: ~t.at(_flow.output_recorded, step) | _step_is(StepStatus.COMPLETED)(step),
        ),
        EXAMPLE,
        without_update(RUN, "CompleteStep", "step_status"),
    ),
    Invariant(
        "dependencies-are-known-and-not-circular",
        "The steps of a run can be done one after the other.",
        Scope.COMPOSITION,
        t.exists(_flow.step_dependencies, lambda step: ~t.is_empty(t.at(_flow.step_dependencies, step))),
        _circle_free(),
        EXAMPLE,
        writing(
            RUN,
            "CreateRun",
            "step_dependencies",
            t.map_to(
                _i_create.step_ids,
                _flow.step_dependencies,
                lambda step: t.append(t.at(_i_create.step_dependencies, step, ()), step),
            ),
        ),
    ),
    Invariant(
        "queues-hold-what-is-there",
        "What waits is a frame, or a loop, of this run.",
        Scope.COMPOSITION,
        ~t.is_empty(_flow.ready_frames) | ~t.is_empty(_flow.pending_body_frame_loops),
        _all_in(_flow.ready_frames, _m.frames) & _all_in(_flow.pending_body_frame_loops, _m.loops),
        EXAMPLE,
        writing(RUN, "RegisterReadyFrame", "ready_frames", t.append(_old.ready_frames, "nowhere")),
    ),
    Invariant(
        "running-steps-have-slots",
        "There are at least as many node slots taken as steps' nodes run.",
        Scope.COMPOSITION,
        RUNNING_STEPS > 0,
        _flow.active_node_count >= RUNNING_STEPS,
        EXAMPLE,
        without_update(RUN, "PumpNodeScheduler", "active_node_count"),
    ),
    Invariant(
        "frame-count-is-that-of-active-loops",
        "As many body frames count as active as loops are in their body.",
        Scope.COMPOSITION,
        (_ACTIVE_LOOPS > 0) | (_flow.active_frame_count > 0),
        _flow.active_frame_count.eq(_ACTIVE_LOOPS),
        EXAMPLE,
        without_update(RUN, "FrameTerminated", "active_frame_count"),
    ),
    Invariant(
        "keys-are-names",
        "Frames and loops stand under their own ids.",
        Scope.COMPOSITION,
        ~t.is_empty(_m.frames) | ~t.is_empty(_m.loops),
        t.for_all(_m.frames, lambda key: frame_of(key).frame_id.eq(key))
        & t.for_all(_m.loops, lambda key: loop_of(key).loop_instance_id.eq(key)),
        EXAMPLE,
        without_update(FRAME, "StartBodyFrame", "frame_id"),
    ),
    Invariant(
        "active-body-is-there",
        "The active body frame of a loop is stored, as the body of its present iteration.",
        Scope.COMPOSITION,
        t.exists(_m.loops, lambda key: _is_active(loop_of(key))),
        t.for_all(_m.loops, _body_is_there),
        EXAMPLE,
        without_update(FRAME, "StartBodyFrame", "iteration"),
    ),
    Invariant(
        "parent-node-waits-for-its-loop",
        "The parent node of a loop is a loop node of a stored frame, and runs exactly while the loop does.",
        Scope.COMPOSITION,
        ~t.is_empty(_m.loops),
        t.for_all(_m.loops, _parent_waits),
        EXAMPLE,
        without_update(LOOP, "UntilConditionMet", "phase"),
    ),
    Invariant(
        "depth-within-maximum",
        "No loop is nested deeper than its run allows (0: no maximum).",
        Scope.COMPOSITION,
        (_flow.max_frame_depth > 0) & ~t.is_empty(_m.loops),
        t.for_all(_m.loops, lambda key: loop_of(key).depth <= _flow.max_frame_depth),
        EXAMPLE,
        writing(LOOP, "StartLoop", "depth", _i_loop.depth + 9),
    ),
    Invariant(
        "ledger-names-stored-bodies",
        "What the iteration ledger names is stored, as the body of that iteration of that loop.",
        Scope.COMPOSITION,
        ~t.is_empty(_m.loop_iteration_ledger),
        t.for_all(
            _m.loop_iteration_ledger,
            lambda entry: _is_body_of(entry.get("frame_id"), entry.get("loop_instance_id"), entry.get("iteration")),
        ),
        EXAMPLE,
        without_update(FRAME, "StartBodyFrame", "loop_instance_id"),
    ),
    Invariant(
        "ledger-has-no-gap",
        "The iteration ledger has one frame an iteration, and no iteration without the one before.",
        Scope.COMPOSITION,
        ~t.is_empty(_m.loop_iteration_ledger),
        t.each_once(_m.loop_iteration_ledger) & t.for_all(_m.loop_iteration_ledger, _is_in_order),
        EXAMPLE,
        writing(LOOP, "BodyFrameCompleted", "current_iteration", _l.current_iteration + 2),
    ),
)


INVARIANTS: Final = (
    *_RUN_INVARIANTS,
    *_FRAME_INVARIANTS,
    *_LOOP_INVARIANTS,
    *_AUTHORITY_INVARIANTS,
    *_COMPOSITION_INVARIANTS,
)
"""All of them."""


@functools.cache
def of_scope(scope: Scope) -> tuple[Invariant, ...]:
    """Return the invariants that are about this."""
    return tuple(invariant for invariant in INVARIANTS if invariant.scope is scope)
