"""The effects of the run machine."""

from mobstore.model._records import record
from mobstore.model.machines.machine import Effect
from mobstore.model.values import FrameId, LoopInstanceId, RunPhase, StepId, StepStatus


@record
class _OfStep(Effect):
    step_id: StepId


@record
class EmitFlowRunNotice(Effect):
    """Tell that the run came to this phase."""

    run_status: RunPhase


@record
class EmitStepNotice(Effect):
    """Tell that a step came to this status."""

    step_id: StepId
    step_status: StepStatus


class AdmitStepWork(_OfStep):
    """Let a step be done."""


class PersistStepOutput(_OfStep):
    """Keep the output of a step."""


class AppendFailureLedger(_OfStep):
    """Write a step's failure to the failure ledger."""


class EscalateSupervisor(_OfStep):
    """Tell the supervisor: too many steps failed in a row."""


@record
class _OfTarget(Effect):
    step_id: StepId
    target_id: str


class ProjectTargetSuccess(_OfTarget):
    """Note the success of a target."""


class ProjectTargetFailure(_OfTarget):
    """Note the failure of a target."""


class ProjectTargetCanceled(_OfTarget):
    """Note that a target was canceled."""


@record
class GrantNodeSlot(Effect):
    """A frame may admit a node."""

    frame_id: FrameId


@record
class GrantBodyFrameStart(Effect):
    """A loop may start a body frame."""

    loop_instance_id: LoopInstanceId


@record
class FlowTerminalized(Effect):
    """The run came to its end."""

    run_status: RunPhase
