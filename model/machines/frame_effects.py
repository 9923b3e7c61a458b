"""The effects of the frame machine."""

from mobstore.model._records import U32, record
from mobstore.model.machines.machine import Effect
from mobstore.model.values import FlowNodeId, FrameId, LoopInstanceId


@record
class _OfNode(Effect):
    frame_id: FrameId
    node_id: FlowNodeId


class AdmitStepWork(_OfNode):
    """Let the step of a node be done."""


class StartLoopNode(_OfNode):
    """Start the loop of a node."""


class PersistStepOutput(_OfNode):
    """Keep the output of a node."""


class NodeExecutionReleased(_OfNode):
    """A node ended, and its slot is free."""


@record
class _OfRoot(Effect):
    frame_id: FrameId


class RootFrameCompleted(_OfRoot):
    """The root frame completed."""


class RootFrameFailed(_OfRoot):
    """The root frame failed."""


class RootFrameCanceled(_OfRoot):
    """The root frame was canceled."""


@record
class _OfBody(Effect):
    frame_id: FrameId
    loop_instance_id: LoopInstanceId
    iteration: U32


class BodyFrameCompleted(_OfBody):
    """The body frame of an iteration completed."""


class BodyFrameFailed(_OfBody):
    """The body frame of an iteration failed."""


class BodyFrameCanceled(_OfBody):
    """The body frame of an iteration was canceled."""
