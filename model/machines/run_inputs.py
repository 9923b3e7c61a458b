"""The inputs of the run machine; their fields are the parameters of its transitions."""

from mobstore.model._collections import FrozenMap
from mobstore.model._records import U32, record
from mobstore.model.machines.machine import Input
from mobstore.model.values import (
    BranchId,
    CollectionPolicy,
    DependencyMode,
    FlowNodeId,
    FrameId,
    LoopInstanceId,
    StepId,
)


class RunInput(Input):
    """An input of the run machine."""


@record
class _OfStep(RunInput):
    step_id: StepId


@record
class _OfFrame(RunInput):
    frame_id: FrameId


@record
class CreateRun(RunInput):
    """Fill the run with a flow's steps and limits; what a step has no entry for gets its default."""

    step_ids: tuple[StepId, ...]
    ordered_steps: tuple[StepId, ...]
    step_has_conditions: FrozenMap[StepId, bool]
    step_dependencies: FrozenMap[StepId, tuple[StepId, ...]]
    step_dependency_modes: FrozenMap[StepId, DependencyMode]
    step_branches: FrozenMap[StepId, BranchId | None]
    step_collection_policies: FrozenMap[StepId, CollectionPolicy]
    step_quorum_thresholds: FrozenMap[StepId, U32]
    escalation_threshold: U32
    max_step_retries: U32
    max_active_nodes: U32
    max_active_frames: U32
    max_frame_depth: U32


@record
class StartRun(RunInput):
    """Begin."""


class DispatchStep(_OfStep):
    """A step was given to an agent."""


class CompleteStep(_OfStep):
    """A step completed."""


class RecordStepOutput(_OfStep):
    """The output of a step is there."""


class ConditionPassed(_OfStep):
    """The condition of a step held."""


class ConditionRejected(_OfStep):
    """The condition of a step did not hold."""


class FailStep(_OfStep):
    """A step failed."""


class SkipStep(_OfStep):
    """A step will not be done."""


@record
class ProjectFrameStepStatus(RunInput):
    """Copy the status of a frame's node to its step: always refused."""

    step_id: StepId
    frame_id: FrameId
    node_id: FlowNodeId
    append_failure_ledger: bool


class CancelStep(_OfStep):
    """A step was canceled."""


@record
class RegisterTargets(RunInput):
    """A step was sent to so many targets."""

    step_id: StepId
    target_count: U32


@record
class RecordTargetSuccess(RunInput):
    """A target of a step succeeded."""

    step_id: StepId
    target_id: str


class RecordTargetTerminalFailure(_OfStep):
    """A target of a step failed for good."""


@record
class RecordTargetCanceled(RunInput):
    """A target of a step was canceled."""

    step_id: StepId
    target_id: str


@record
class RecordTargetFailure(RunInput):
    """A target of a step failed, and may be tried again; ``retry_key`` names the tries that are counted."""

    step_id: StepId
    target_id: str
    retry_key: str


class RegisterReadyFrame(_OfFrame):
    """A frame has a node that is ready."""


class PumpNodeScheduler(_OfFrame):
    """Give a node slot to the frame at the head of the queue; ``frame_id`` is ignored."""


@record
class RegisterPendingBodyFrame(RunInput):
    """A loop wants its next body frame."""

    loop_instance_id: LoopInstanceId
    depth: U32


@record
class PumpFrameScheduler(RunInput):
    """Give a body frame to the loop at the head of the queue; ``loop_instance_id`` is ignored."""

    loop_instance_id: LoopInstanceId


class NodeExecutionReleased(_OfFrame):
    """A node of a frame gave its slot back."""


class FrameTerminated(_OfFrame):
    """A body frame came to its end."""


@record
class TerminalizeCompleted(RunInput):
    """The run is completed."""


@record
class TerminalizeFailed(RunInput):
    """The run failed."""


@record
class TerminalizeCanceled(RunInput):
    """The run is canceled."""
