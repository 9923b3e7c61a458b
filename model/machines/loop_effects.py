"""The effects of the loop machine."""

from mobstore.model._records import U32, record
from mobstore.model.machines.machine import Effect
from mobstore.model.values import FlowNodeId, FrameId, LoopId, LoopInstanceId


@record
class RequestBodyFrameStart(Effect):
    """Ask the run for a body frame."""

    loop_instance_id: LoopInstanceId
    depth: U32


@record
class EvaluateUntilCondition(Effect):
    """See whether the until-condition holds after an iteration."""

    loop_instance_id: LoopInstanceId
    iteration: U32
    parent_frame_id: FrameId
    parent_node_id: FlowNodeId
    loop_id: LoopId


@record
class _OfParent(Effect):
    loop_instance_id: LoopInstanceId
    parent_frame_id: FrameId
    parent_node_id: FlowNodeId


class LoopCompleted(_OfParent):
    """Complete the parent node."""


class LoopExhausted(_OfParent):
    """The loop ran out of iterations."""


class LoopFailed(_OfParent):
    """Fail the parent node."""


class LoopCanceled(_OfParent):
    """Cancel the parent node."""
