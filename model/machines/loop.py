"""The loop machine (contract, section 8): the iterations of one instance of a repeat-until loop.

Absent → Running (`StartLoop`) → Completed, Exhausted, Failed or Canceled.  While it runs, its stages go round:
AwaitingBodyFrame → BodyFrameActive → AwaitingUntilEvaluation → AwaitingBodyFrame.
"""

from typing import Final

from mobstore.model.machines import loop_effects as effects
from mobstore.model.machines import loop_inputs as inputs
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
from mobstore.model.machines.sorts import Natural
from mobstore.model.values import LoopIterationState, LoopPhase, LoopStage

s: Final = state_fields(LoopIterationState)

_GREATEST: Final = Natural(32).maximum


def _make(
    input: type[Input], *parts: Guard | Emit, source: LoopPhase = LoopPhase.RUNNING, **updates: t.Like
) -> Transition:
    return transition(input, (source,), *parts, updates=updates, state=LoopIterationState)


def _this_instance(input: type[Input]) -> Guard:
    named = t.fields_of(INPUT, input).loop_instance_id
    return Guard("LoopInstanceId", "the input means this instance", named.eq(s.loop_instance_id))


def _stage(stage: LoopStage) -> Guard:
    return Guard("Stage", f"the stage is {stage}", s.stage.eq(stage))


def _iteration(input: type[Input], of: t.Term) -> Guard:
    return Guard("Iteration", "the input means this iteration", t.fields_of(INPUT, input).iteration.eq(of))


def _to_parent(effect: type[Effect], when: t.Term | None = None) -> Emit:
    return emit(effect, s.loop_instance_id, s.parent_frame_id, s.parent_node_id, when=when)


def _start() -> Transition:
    i = t.fields_of(INPUT, inputs.StartLoop)
    return _make(
        inputs.StartLoop,
        emit(effects.RequestBodyFrameStart, i.loop_instance_id, i.depth),
        source=LoopPhase.ABSENT,
        phase=LoopPhase.RUNNING,
        loop_instance_id=i.loop_instance_id,
        parent_frame_id=i.parent_frame_id,
        parent_node_id=i.parent_node_id,
        loop_id=i.loop_id,
        depth=i.depth,
        max_iterations=i.max_iterations,
    )


def _body_started() -> Transition:
    return _make(
        inputs.BodyFrameStarted,
        _this_instance(inputs.BodyFrameStarted),
        _stage(LoopStage.AWAITING_BODY_FRAME),
        _iteration(inputs.BodyFrameStarted, s.current_iteration),
        stage=LoopStage.BODY_FRAME_ACTIVE,
        active_body_frame_id=t.fields_of(INPUT, inputs.BodyFrameStarted).frame_id,
    )


def _body_ended(input: type[Input], *parts: Guard | Emit, **updates: t.Like) -> Transition:
    return _make(
        input,
        _this_instance(input),
        _stage(LoopStage.BODY_FRAME_ACTIVE),
        _iteration(input, s.current_iteration),
        *parts,
        last_completed_iteration=t.fields_of(INPUT, input).iteration,
        active_body_frame_id=None,
        **updates,
    )


def _body_completed() -> Transition:
    i = t.fields_of(INPUT, inputs.BodyFrameCompleted)
    return _body_ended(
        inputs.BodyFrameCompleted,
        # The original wraps to 0 here, and would count the iterations again (contract, section 9).
        Guard("Iteration", "there is a number for the next iteration", s.current_iteration < _GREATEST),
        emit(
            effects.EvaluateUntilCondition,
            s.loop_instance_id,
            i.iteration,
            s.parent_frame_id,
            s.parent_node_id,
            s.loop_id,
        ),
        stage=LoopStage.AWAITING_UNTIL_EVALUATION,
        current_iteration=s.current_iteration + 1,
    )


def _until(input: type[Input], *parts: Emit, **updates: t.Like) -> Transition:
    return _make(
        input,
        _this_instance(input),
        _stage(LoopStage.AWAITING_UNTIL_EVALUATION),
        _iteration(input, s.last_completed_iteration),
        *parts,
        **updates,
    )


def _until_failed() -> Transition:
    exhausted = s.current_iteration >= s.max_iterations
    return _until(
        inputs.UntilConditionFailed,
        _to_parent(effects.LoopExhausted, when=exhausted),
        emit(effects.RequestBodyFrameStart, s.loop_instance_id, s.depth, when=~exhausted),
        phase=t.if_(exhausted, LoopPhase.EXHAUSTED, s.phase),
        stage=t.if_(exhausted, s.stage, LoopStage.AWAITING_BODY_FRAME),
    )


_TRANSITIONS: Final = (
    _start(),
    _body_started(),
    _body_completed(),
    _body_ended(inputs.BodyFrameFailed, _to_parent(effects.LoopFailed), phase=LoopPhase.FAILED),
    _body_ended(inputs.BodyFrameCanceled, _to_parent(effects.LoopCanceled), phase=LoopPhase.CANCELED),
    _until(inputs.UntilConditionMet, _to_parent(effects.LoopCompleted), phase=LoopPhase.COMPLETED),
    _until_failed(),
    _make(
        inputs.CancelLoop,
        _this_instance(inputs.CancelLoop),
        _to_parent(effects.LoopCanceled),
        phase=LoopPhase.CANCELED,
        active_body_frame_id=None,
    ),
)

LOOP: Final[Machine[LoopIterationState]] = Machine(
    name="loop",
    state=LoopIterationState,
    inputs=tuple(transition.input for transition in _TRANSITIONS),
    transitions=_TRANSITIONS,
)
"""The loop machine."""
