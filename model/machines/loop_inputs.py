"""The inputs of the loop machine; their fields are the parameters of its transitions."""

from mobstore.model._records import U32, record
from mobstore.model.machines.machine import Input
from mobstore.model.values import FlowNodeId, FrameId, LoopId, LoopInstanceId


@record
class LoopInput(Input):
    """An input of the loop machine: it names the loop instance that it is meant for."""

    loop_instance_id: LoopInstanceId


@record
class _OfIteration(LoopInput):
    iteration: U32


@record
class StartLoop(LoopInput):
    """Begin, and ask for the first body frame."""

    max_iterations: U32
    parent_frame_id: FrameId
    parent_node_id: FlowNodeId
    loop_id: LoopId
    depth: U32


@record
class BodyFrameStarted(LoopInput):
    """The body frame of the present iteration was started."""

    frame_id: FrameId
    iteration: U32


class BodyFrameCompleted(_OfIteration):
    """The body frame of the present iteration completed."""


class BodyFrameFailed(_OfIteration):
    """The body frame of the present iteration failed, and the loop with it."""


class BodyFrameCanceled(_OfIteration):
    """The body frame of the present iteration was canceled, and the loop with it."""


class UntilConditionMet(_OfIteration):
    """The until-condition held after the last completed iteration: the loop is done."""


class UntilConditionFailed(_OfIteration):
    """The until-condition did not hold: another iteration, or exhaustion."""


class CancelLoop(LoopInput):
    """The loop is canceled."""
