"""The inputs of the frame machine; their fields are the parameters of its transitions."""

from mobstore.model._collections import FrozenMap
from mobstore.model._records import U32, record
from mobstore.model.machines.machine import Input
from mobstore.model.values import (
    BranchId,
    DependencyMode,
    FlowNodeId,
    FrameId,
    FrameTerminalStatus,
    LoopInstanceId,
    NodeKind,
)


class FrameInput(Input):
    """An input of the frame machine."""


@record
class StartRootFrame(FrameInput):
    """Begin as a run's root frame."""

    frame_id: FrameId
    tracked_nodes: tuple[FlowNodeId, ...]
    ordered_nodes: tuple[FlowNodeId, ...]
    node_kind: FrozenMap[FlowNodeId, NodeKind]
    node_dependencies: FrozenMap[FlowNodeId, tuple[FlowNodeId, ...]]
    node_dependency_modes: FrozenMap[FlowNodeId, DependencyMode]
    node_branches: FrozenMap[FlowNodeId, BranchId | None]


@record
class StartBodyFrame(FrameInput):
    """Begin as the body of an iteration of a loop instance."""

    frame_id: FrameId
    loop_instance_id: LoopInstanceId
    iteration: U32
    tracked_nodes: tuple[FlowNodeId, ...]
    ordered_nodes: tuple[FlowNodeId, ...]
    node_kind: FrozenMap[FlowNodeId, NodeKind]
    node_dependencies: FrozenMap[FlowNodeId, tuple[FlowNodeId, ...]]
    node_dependency_modes: FrozenMap[FlowNodeId, DependencyMode]
    node_branches: FrozenMap[FlowNodeId, BranchId | None]


@record
class AdmitNextReadyNode(FrameInput):
    """Let the first node that is ready run; both arguments are ignored."""

    node_id: FlowNodeId
    ready_queue: tuple[FlowNodeId, ...]


@record
class _OfNode(FrameInput):
    node_id: FlowNodeId


class CompleteNode(_OfNode):
    """A running node completed."""


class RecordNodeOutput(_OfNode):
    """The output of a node is there."""


class FailNode(_OfNode):
    """A running node failed."""


class SkipNode(_OfNode):
    """A running node is given up as skipped."""


class CancelNode(_OfNode):
    """A running node was canceled."""


@record
class SealFrame(FrameInput):
    """End the frame; the status must be the one that its nodes give."""

    terminal_status: FrameTerminalStatus
