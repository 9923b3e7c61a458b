"""What the contract (section 8) asks of single transitions: what an input must name, and what is noted of it.

Invariants see states, and no state shows which input came.  A requirement is a term of the state before (``s``),
the input (``i``) and the state after (``after``), of each transition that has what it speaks of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model.machines import AUTHORITY, FRAME, LOOP, RUN, Machine, Transition
from mobstore.model.machines import terms as t
from mobstore.model.machines.frame import is_open
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import MapOf, Natural, Record, SequenceOf, SetOf
from mobstore.model.values import (
    FramePhase,
    FrameTerminalStatus,
    LoopPhase,
    LoopStage,
    NodeStatus,
    RunPhase,
    StepStatus,
)

AFTER: Final = "after"


@attrs.frozen
class Moment:
    """A transition as requirements see it."""

    machine: Machine[Any]
    transition: Transition

    @property
    def s(self) -> t.Fields:
        """The state before."""
        return t.fields_of(STATE, self.machine.state)

    @property
    def i(self) -> t.Fields:
        """The input."""
        return t.fields_of(INPUT, self.transition.input)

    @property
    def after(self) -> t.Fields:
        """The state after."""
        return t.fields_of(AFTER, self.machine.state)

    def takes(self, name: str) -> bool:
        """Whether the input has a field."""
        return name in Record(self.transition.input).fields


Says: TypeAlias = Callable[[Moment], t.Term | None]


@attrs.frozen
class Requirement:
    """One thing that is asked; ``says`` is None of a transition of which it asks nothing."""

    name: str
    sentence: str
    machine: Machine[Any]
    says: Says


REQUIREMENTS: Final[list[Requirement]] = []
"""All of them."""


def _requires(machine: Machine[Any], name: str, sentence: str) -> Callable[[Says], Says]:
    def add(says: Says) -> Says:
        REQUIREMENTS.append(Requirement(name, sentence, machine, says))
        return says

    return add


# --- what is created is what was asked for ----------------------------------------------------------------------


def _as_asked(moment: Moment) -> t.Term | None:
    """Return that each field of a new state that the input has, too, holds that; a set, what the list holds."""
    if moment.transition.id not in ("CreateRun", "StartRootFrame", "StartBodyFrame", "StartLoop"):
        return None
    wanted, held = Record(moment.transition.input).fields, Record(moment.machine.state).fields
    names = [name for name in ("step_ids", "ordered_nodes", "loop_instance_id") if moment.takes(name)]
    ids: t.Term = getattr(moment.i, names[0])
    parts = [_holds(getattr(moment.after, name), getattr(moment.i, name), ids) for name in wanted if name in held]
    if moment.takes("step_ids"):
        parts.append(moment.after.tracked_steps.eq(t.Elements(moment.i.step_ids)))
    return t.every(parts)


def _holds(held: t.Term, given: t.Term, ids: t.Term) -> t.Term:
    if isinstance(held.sort, SetOf) and isinstance(given.sort, SequenceOf):
        return held.eq(t.Elements(given))
    if isinstance(held.sort, MapOf):
        # Of other ids than those of the steps, or nodes, nothing need be kept.
        return t.for_all(
            ids, lambda key: ~t.member(key, given) | (t.member(key, held) & t.at(held, key).eq(t.at(given, key)))
        )
    return held.eq(given)


def _from_the_right_phase(moment: Moment) -> t.Term:
    """Return that a machine begins once, and does all else while it runs (a run is canceled before, too)."""
    phase, phases = moment.s.phase, _PHASES[moment.machine.name]
    if moment.transition.id in ("CreateRun", "StartRootFrame", "StartBodyFrame", "StartLoop"):
        return phase.eq(phases.ABSENT)
    if moment.transition.id == "StartRun":
        return phase.eq(RunPhase.PENDING)
    if moment.transition.id == "TerminalizeCanceled":
        return ~phase.one_of(RunPhase.COMPLETED, RunPhase.CANCELED)
    return phase.eq(phases.RUNNING)


_PHASES: Final[dict[str, Any]] = {"run": RunPhase, "frame": FramePhase, "loop": LoopPhase}

for _machine in (RUN, FRAME, LOOP):
    _requires(_machine, "from-the-right-phase", "What the phase does not allow is refused.")(_from_the_right_phase)
    _requires(_machine, "as-asked", "What is created has what the input says.")(_as_asked)


@_requires(
    RUN, "phase-as-told", "A run that is created is pending, one that is started runs, one that ends has its end."
)
def _phase(moment: Moment) -> t.Term | None:
    phases = {
        "CreateRun": RunPhase.PENDING,
        "StartRun": RunPhase.RUNNING,
        "TerminalizeCompleted": RunPhase.COMPLETED,
        "TerminalizeFailed": RunPhase.FAILED,
        "TerminalizeCanceled": RunPhase.CANCELED,
    }
    wanted = phases.get(moment.transition.id)
    return None if wanted is None else moment.after.phase.eq(wanted)


# --- the run machine --------------------------------------------------------------------------------------------


@_requires(RUN, "only-tracked-steps-are-named", "An input about a step that the run does not track is refused.")
def _tracked(moment: Moment) -> t.Term | None:
    return t.member(moment.i.step_id, moment.s.tracked_steps) if moment.takes("step_id") else None


@_requires(RUN, "steps-come-to-what-is-told", "A step comes to what the input says of it.")
def _step_status(moment: Moment) -> t.Term | None:
    statuses = {
        "DispatchStep": StepStatus.DISPATCHED,
        "CompleteStep": StepStatus.COMPLETED,
        "FailStep": StepStatus.FAILED,
        "SkipStep": StepStatus.SKIPPED,
        "CancelStep": StepStatus.CANCELED,
    }
    wanted = statuses.get(moment.transition.id)
    return None if wanted is None else t.at(moment.after.step_status, moment.i.step_id, None).eq(wanted)


@_requires(RUN, "what-is-told-is-noted", "Outputs, conditions and targets are noted, as the input says.")
def _noted(moment: Moment) -> t.Term | None:
    if moment.transition.id in ("RecordStepOutput", "ConditionPassed", "ConditionRejected"):
        field = "output_recorded" if moment.transition.id == "RecordStepOutput" else "step_condition_results"
        held = getattr(moment.after, field)
        wanted = moment.transition.id != "ConditionRejected"
        return t.member(moment.i.step_id, held) & t.at(held, moment.i.step_id).eq(wanted)
    if moment.transition.id == "RegisterTargets":
        held = moment.after.step_target_counts
        return t.member(moment.i.step_id, held) & t.at(held, moment.i.step_id).eq(moment.i.target_count)
    counted = {
        "RecordTargetSuccess": ("step_target_success_counts", "step_id"),
        "RecordTargetTerminalFailure": ("step_target_terminal_failure_counts", "step_id"),
        "RecordTargetFailure": ("target_retry_counts", "retry_key"),
    }
    if moment.transition.id not in counted:
        return None
    field, name = counted[moment.transition.id]
    key, before, after = getattr(moment.i, name), getattr(moment.s, field), getattr(moment.after, field)
    return t.at(after, key, 0).eq(t.at(before, key, 0) + 1)


@_requires(RUN, "what-is-registered-waits", "A frame, or a loop, that is registered waits afterwards.")
def _registered(moment: Moment) -> t.Term | None:
    waits = {
        "RegisterReadyFrame": ("ready_frames", "frame_id"),
        "RegisterPendingBodyFrame": ("pending_body_frame_loops", "loop_instance_id"),
    }
    if moment.transition.id not in waits:
        return None
    queue, name = waits[moment.transition.id]
    return t.member(getattr(moment.i, name), getattr(moment.after, queue))


@_requires(RUN, "slots-are-released", "What is released, or ended, is counted no more.")
def _released(moment: Moment) -> t.Term | None:
    counts = {"NodeExecutionReleased": "active_node_count", "FrameTerminated": "active_frame_count"}
    field = counts.get(moment.transition.id)
    if field is None:
        return None
    before: t.Term = getattr(moment.s, field)
    after: t.Term = getattr(moment.after, field)
    return after.eq(before - 1)


@_requires(RUN, "a-grant-takes-the-head", "A pump takes the head of what waits, if there is room.")
def _grant(moment: Moment) -> t.Term | None:
    pumps = {
        "PumpNodeScheduler": ("ready_frames", "active_node_count", "max_active_nodes"),
        "PumpFrameScheduler": ("pending_body_frame_loops", "active_frame_count", "max_active_frames"),
    }
    if moment.transition.id not in pumps:
        return None
    queue, count, maximum = pumps[moment.transition.id]
    waits: t.Term = getattr(moment.s, queue)
    most: t.Term = getattr(moment.s, maximum)
    active: t.Term = getattr(moment.s, count)
    left: t.Term = getattr(moment.after, queue)
    return ~t.is_empty(waits) & left.eq(t.Tail(waits)) & (most.eq(0) | (active < most))


# --- the frame machine ------------------------------------------------------------------------------------------


@_requires(FRAME, "a-node-comes-to-what-is-told", "A node that runs comes to what the input says.")
def _node_status(moment: Moment) -> t.Term | None:
    statuses = {
        "CompleteNode": NodeStatus.COMPLETED,
        "FailNode": NodeStatus.FAILED,
        "SkipNode": NodeStatus.SKIPPED,
        "CancelNode": NodeStatus.CANCELED,
    }
    wanted, node = statuses.get(moment.transition.id), moment.i
    if wanted is None:
        return None
    before = t.at(moment.s.node_status, node.node_id, NodeStatus.PENDING).eq(NodeStatus.RUNNING)
    return before & t.at(moment.after.node_status, node.node_id, NodeStatus.PENDING).eq(wanted)


@_requires(FRAME, "outputs-are-noted", "The output of a node that the frame has is noted.")
def _node_output(moment: Moment) -> t.Term | None:
    if moment.transition.id != "RecordNodeOutput":
        return None
    held, node = moment.after.output_recorded, moment.i.node_id
    return t.member(node, moment.s.node_status) & t.member(node, held) & t.at(held, node)


@_requires(FRAME, "what-is-admitted-runs", "A node that is admitted was open, runs, and its kind is known.")
def _admitted(moment: Moment) -> t.Term | None:
    if moment.transition.id != "AdmitNextReadyNode":
        return None
    node = moment.after.last_admitted_node
    runs = t.at(moment.after.node_status, node, NodeStatus.PENDING).eq(NodeStatus.RUNNING)
    return t.member(node, moment.s.node_kind) & is_open(moment.s.node_status, node) & runs


@_requires(FRAME, "a-frame-is-sealed-as-told", "A frame that is sealed has the end that the input says.")
def _sealed(moment: Moment) -> t.Term | None:
    if moment.transition.id != "SealFrame":
        return None
    return t.every(
        t.implies(moment.i.terminal_status.eq(status), moment.after.phase.eq(FramePhase(status.value)))
        for status in FrameTerminalStatus
    )


# --- the loop machine -------------------------------------------------------------------------------------------


@_requires(LOOP, "this-instance-is-named", "An input that means another instance is refused.")
def _instance(moment: Moment) -> t.Term | None:
    starts = moment.transition.id == "StartLoop"
    return None if starts else moment.i.loop_instance_id.eq(moment.s.loop_instance_id)


@_requires(LOOP, "this-iteration-is-named", "An input that means another iteration is refused.")
def _iteration(moment: Moment) -> t.Term | None:
    if not moment.takes("iteration"):
        return None
    evaluates = moment.transition.id.startswith("Until")
    return moment.i.iteration.eq(moment.s.last_completed_iteration if evaluates else moment.s.current_iteration)


@_requires(
    LOOP,
    "a-body-that-ends-was-active",
    "Only an active body frame ends; it is noted as the last, and no more active.",
)
def _body_ended(moment: Moment) -> t.Term | None:
    if moment.transition.id not in ("BodyFrameCompleted", "BodyFrameFailed", "BodyFrameCanceled"):
        return None
    was = moment.s.stage.eq(LoopStage.BODY_FRAME_ACTIVE)
    noted = moment.after.last_completed_iteration.eq(moment.i.iteration)
    return was & noted & ~t.Present(moment.after.active_body_frame_id)


@_requires(LOOP, "a-body-that-begins-is-active", "A body frame that begins is the active one.")
def _body_began(moment: Moment) -> t.Term | None:
    if moment.transition.id != "BodyFrameStarted":
        return None
    return moment.after.active_body_frame_id.eq(moment.i.frame_id)


@_requires(
    LOOP, "no-iteration-is-lost", "A completed body counts the iteration, or is refused where no number is left."
)
def _counted(moment: Moment) -> t.Term | None:
    if moment.transition.id != "BodyFrameCompleted":
        return None
    return (moment.s.current_iteration < Natural(32).maximum) & moment.after.stage.eq(
        LoopStage.AWAITING_UNTIL_EVALUATION
    )


@_requires(
    LOOP,
    "the-until-condition-decides",
    "Met, it completes the loop; else the next body is awaited, if one is left.",
)
def _until(moment: Moment) -> t.Term | None:
    if moment.transition.id == "UntilConditionMet":
        return moment.after.phase.eq(LoopPhase.COMPLETED)
    if moment.transition.id != "UntilConditionFailed":
        return None
    goes_on = moment.after.phase.eq(LoopPhase.RUNNING) & moment.after.stage.eq(LoopStage.AWAITING_BODY_FRAME)
    is_left = moment.s.current_iteration < moment.s.max_iterations
    ends = moment.after.phase.eq(LoopPhase.EXHAUSTED) & moment.after.stage.eq(moment.s.stage)
    return t.if_(is_left, goes_on, ends)


# --- the authority record ---------------------------------------------------------------------------------------


@_requires(AUTHORITY, "an-attempt-is-recorded", "An attempt that was accepted stands as it was told.")
def _recorded(moment: Moment) -> t.Term | None:
    if moment.transition.id != "RecordAcceptance":
        return None
    return moment.after.pending_rotation.eq(t.Some(moment.i.attempt))


@_requires(AUTHORITY, "every-peer-accepted", "An attempt becomes the authority when every remote peer accepted it.")
def _accepted(moment: Moment) -> t.Term | None:
    if moment.transition.id != "CommitRotation":
        return None
    accepted = t.The(moment.s.pending_rotation).get("accepted_peer_ids")
    every = t.for_all(moment.i.remote_peers, lambda peer: t.member(peer, accepted))
    became = [
        getattr(moment.after, name).eq(moment.i.attempt.get(name))
        for name in ("secret_key", "public_peer_id", "epoch", "protocol_version")
    ]
    known = t.is_empty(moment.i.remote_peers) | t.Present(moment.s.pending_rotation)
    return known & (t.is_empty(moment.i.remote_peers) | every) & t.every(became)


@_requires(
    AUTHORITY, "every-peer-is-brought-back", "An attempt is given up when every peer that accepted it is back."
)
def _restored(moment: Moment) -> t.Term | None:
    if moment.transition.id != "AbandonRotation":
        return None
    accepted = t.The(moment.s.pending_rotation).get("accepted_peer_ids")
    back = t.for_all(accepted, lambda peer: t.member(peer, moment.i.restored))
    return t.Present(moment.s.pending_rotation) & back & ~t.Present(moment.after.pending_rotation)


def requirements_of(machine: Machine[Any], transition: Transition) -> Iterator[tuple[Requirement, t.Term]]:
    """Iterate over what is asked of a transition, each with its term."""
    for requirement in REQUIREMENTS:
        if requirement.machine.name == machine.name:
            term = requirement.says(Moment(machine, transition))
            if term is not None:
                yield requirement, term
