"""The run machine (contract, section 8): what a run's steps came to, and who may go on next.

Absent → Pending (`CreateRun`) → Running (`StartRun`) → Completed, Failed or Canceled.
"""

from typing import Final

from mobstore.model.machines import run_effects as effects
from mobstore.model.machines import run_inputs as inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import (
    INPUT,
    Effect,
    Emit,
    Guard,
    Input,
    Machine,
    Transition,
    emit,
    state_fields,
    transition,
)
from mobstore.model.values import CollectionPolicy, DependencyMode, FlowRunState, RunPhase, StepStatus

s: Final = state_fields(FlowRunState)


def _make(
    input: type[Input], *parts: Guard | Emit, sources: tuple[RunPhase, ...] = (), **updates: t.Like
) -> Transition:
    """Return a transition that starts in Running unless said otherwise."""
    return transition(input, sources or (RunPhase.RUNNING,), *parts, updates=updates, state=FlowRunState)


def _create() -> Transition:
    i = t.fields_of(INPUT, inputs.CreateRun)

    def of_steps(field: t.Term, default: t.Like) -> t.Term:
        return t.map_to(i.step_ids, field, lambda _step: default)

    def given(field: t.Term, default: t.Like) -> t.Term:
        return t.map_to(i.step_ids, field, lambda step: t.at(field, step, default))

    return _make(
        inputs.CreateRun,
        emit(effects.EmitFlowRunNotice, RunPhase.PENDING),
        sources=(RunPhase.ABSENT,),
        phase=RunPhase.PENDING,
        tracked_steps=t.Elements(i.step_ids),
        ordered_steps=i.ordered_steps,
        step_status=of_steps(s.step_status, None),
        output_recorded=of_steps(s.output_recorded, False),  # noqa: FBT003 - what each step starts with
        step_condition_results=of_steps(s.step_condition_results, None),
        # The only field that is kept as it came: whether a step has conditions is not filled in.
        step_has_conditions=i.step_has_conditions,
        step_dependencies=given(i.step_dependencies, ()),
        step_dependency_modes=given(i.step_dependency_modes, DependencyMode.ALL),
        step_branches=given(i.step_branches, None),
        step_collection_policies=given(i.step_collection_policies, CollectionPolicy.ALL),
        step_quorum_thresholds=given(i.step_quorum_thresholds, 0),
        step_target_counts=of_steps(s.step_target_counts, 0),
        step_target_success_counts=of_steps(s.step_target_success_counts, 0),
        step_target_terminal_failure_counts=of_steps(s.step_target_terminal_failure_counts, 0),
        escalation_threshold=i.escalation_threshold,
        max_step_retries=i.max_step_retries,
        max_active_nodes=i.max_active_nodes,
        max_active_frames=i.max_active_frames,
        max_frame_depth=i.max_frame_depth,
    )


def _step_of(input: type[Input]) -> t.Term:
    return t.fields_of(INPUT, input).step_id


def _exists(input: type[Input]) -> Guard:
    return Guard("StepExists", "the step is tracked", t.member(_step_of(input), s.tracked_steps))


def _status_among(input: type[Input], *statuses: StepStatus | None) -> Guard:
    status = t.at(s.step_status, _step_of(input), None)
    return Guard("StepStatus", "the step may come to this status", status.one_of(*statuses))


def _becomes(
    input: type[Input], status: StepStatus, *more: Emit, before: tuple[StepStatus | None, ...], **updates: t.Like
) -> Transition:
    step = _step_of(input)
    return _make(
        input,
        _exists(input),
        _status_among(input, *before),
        emit(effects.EmitStepNotice, step, status),
        *more,
        step_status=t.store(s.step_status, step, status),
        **updates,
    )


_OPEN: Final = (None, StepStatus.DISPATCHED)


def _fail() -> Transition:
    step = _step_of(inputs.FailStep)
    in_a_row = s.consecutive_failure_count + 1
    return _becomes(
        inputs.FailStep,
        StepStatus.FAILED,
        emit(effects.AppendFailureLedger, step),
        emit(
            effects.EscalateSupervisor,
            step,
            when=(s.escalation_threshold > 0) & (in_a_row >= s.escalation_threshold),
        ),
        before=_OPEN,
        failure_count=s.failure_count + 1,
        consecutive_failure_count=in_a_row,
    )


def _noted(input: type[Input], *more: Emit, **updates: t.Like) -> Transition:
    """Return a transition that notes something about a tracked step, whatever its status."""
    return _make(input, _exists(input), *more, **updates)


def _counted(counts: t.Term, key: t.Term) -> t.Term:
    return t.store(counts, key, t.at(counts, key, 0) + 1)


def _targets() -> tuple[Transition, ...]:
    registered = t.fields_of(INPUT, inputs.RegisterTargets)
    success = t.fields_of(INPUT, inputs.RecordTargetSuccess)
    terminal = t.fields_of(INPUT, inputs.RecordTargetTerminalFailure)
    canceled = t.fields_of(INPUT, inputs.RecordTargetCanceled)
    failure = t.fields_of(INPUT, inputs.RecordTargetFailure)
    return (
        _noted(
            inputs.RegisterTargets,
            step_target_counts=t.store(s.step_target_counts, registered.step_id, registered.target_count),
        ),
        _noted(
            inputs.RecordTargetSuccess,
            emit(effects.ProjectTargetSuccess, success.step_id, success.target_id),
            step_target_success_counts=_counted(s.step_target_success_counts, success.step_id),
        ),
        _noted(
            inputs.RecordTargetTerminalFailure,
            step_target_terminal_failure_counts=_counted(s.step_target_terminal_failure_counts, terminal.step_id),
        ),
        _noted(
            inputs.RecordTargetCanceled, emit(effects.ProjectTargetCanceled, canceled.step_id, canceled.target_id)
        ),
        _noted(
            inputs.RecordTargetFailure,
            emit(effects.ProjectTargetFailure, failure.step_id, failure.target_id),
            target_retry_counts=_counted(s.target_retry_counts, failure.retry_key),
        ),
    )


def _steps() -> tuple[Transition, ...]:
    output, passed = _step_of(inputs.RecordStepOutput), _step_of(inputs.ConditionPassed)
    rejected = _step_of(inputs.ConditionRejected)
    return (
        _becomes(
            inputs.DispatchStep,
            StepStatus.DISPATCHED,
            emit(effects.AdmitStepWork, _step_of(inputs.DispatchStep)),
            before=(None,),
        ),
        _becomes(inputs.CompleteStep, StepStatus.COMPLETED, before=_OPEN, consecutive_failure_count=0),
        _noted(
            inputs.RecordStepOutput,
            emit(effects.PersistStepOutput, output),
            output_recorded=t.store(s.output_recorded, output, True),  # noqa: FBT003 - the value of the map
        ),
        _noted(
            inputs.ConditionPassed,
            step_condition_results=t.store(s.step_condition_results, passed, True),  # noqa: FBT003 - as above
        ),
        _noted(
            inputs.ConditionRejected,
            step_condition_results=t.store(s.step_condition_results, rejected, False),  # noqa: FBT003 - as above
        ),
        _fail(),
        _becomes(inputs.SkipStep, StepStatus.SKIPPED, before=_OPEN),
        _make(
            inputs.ProjectFrameStepStatus,
            Guard("StepStatus", "never: frames do not write step statuses", t.Or(())),
            sources=tuple(RunPhase),
        ),
        _becomes(inputs.CancelStep, StepStatus.CANCELED, before=_OPEN),
    )


def _register(input: type[Input], item: t.Term, queue: str, membership: str) -> Transition:
    waiting, members = getattr(s, queue), getattr(s, membership)
    known = t.member(item, members)
    return transition(
        input,
        (RunPhase.RUNNING,),
        state=FlowRunState,
        updates={
            queue: t.if_(known, waiting, t.append(waiting, item)),
            membership: t.insert(members, item),
        },
    )


def _pump(
    input: type[Input],
    grant: type[Effect],
    names: tuple[str, str, str, str, str],
) -> Transition:
    """Return the transition that takes the head of a queue, if the active count leaves room for it."""
    queue, membership, count, maximum, last = names
    waiting, active, most = getattr(s, queue), getattr(s, count), getattr(s, maximum)
    head = t.Head(waiting)
    return transition(
        input,
        (RunPhase.RUNNING,),
        Guard("StepStatus", "something waits", ~t.is_empty(waiting)),
        Guard("StepStatus", "there is room (0: no maximum)", most.eq(0) | (active < most)),
        emit(grant, head),
        state=FlowRunState,
        updates={
            queue: t.Tail(waiting),
            membership: t.discard(getattr(s, membership), head),
            count: active + 1,
            last: head,
        },
    )


def _scheduling() -> tuple[Transition, ...]:
    ready = t.fields_of(INPUT, inputs.RegisterReadyFrame).frame_id
    loop = t.fields_of(INPUT, inputs.RegisterPendingBodyFrame).loop_instance_id
    return (
        _register(inputs.RegisterReadyFrame, ready, "ready_frames", "ready_frame_membership"),
        _pump(
            inputs.PumpNodeScheduler,
            effects.GrantNodeSlot,
            (
                "ready_frames",
                "ready_frame_membership",
                "active_node_count",
                "max_active_nodes",
                "last_granted_frame",
            ),
        ),
        _register(
            inputs.RegisterPendingBodyFrame, loop, "pending_body_frame_loops", "pending_body_frame_loop_membership"
        ),
        _pump(
            inputs.PumpFrameScheduler,
            effects.GrantBodyFrameStart,
            (
                "pending_body_frame_loops",
                "pending_body_frame_loop_membership",
                "active_frame_count",
                "max_active_frames",
                "last_granted_loop",
            ),
        ),
        _make(inputs.NodeExecutionReleased, active_node_count=s.active_node_count - 1),
        _make(inputs.FrameTerminated, active_frame_count=s.active_frame_count - 1),
    )


def _terminalize(input: type[Input], phase: RunPhase, *sources: RunPhase) -> Transition:
    return _make(
        input,
        emit(effects.EmitFlowRunNotice, phase),
        emit(effects.FlowTerminalized, phase),
        sources=sources,
        phase=phase,
    )


_TRANSITIONS: Final = (
    _create(),
    _make(
        inputs.StartRun,
        emit(effects.EmitFlowRunNotice, RunPhase.RUNNING),
        sources=(RunPhase.PENDING,),
        phase=RunPhase.RUNNING,
    ),
    *_steps(),
    *_targets(),
    *_scheduling(),
    _terminalize(inputs.TerminalizeCompleted, RunPhase.COMPLETED, RunPhase.RUNNING),
    _terminalize(inputs.TerminalizeFailed, RunPhase.FAILED, RunPhase.RUNNING),
    _terminalize(
        inputs.TerminalizeCanceled,
        RunPhase.CANCELED,
        RunPhase.ABSENT,
        RunPhase.PENDING,
        RunPhase.RUNNING,
        RunPhase.FAILED,
    ),
)

RUN: Final[Machine[FlowRunState]] = Machine(
    name="run",
    state=FlowRunState,
    inputs=tuple(transition.input for transition in _TRANSITIONS),
    transitions=_TRANSITIONS,
)
"""The run machine."""
