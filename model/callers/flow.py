"""Flow definitions: what a workflow is made of.

A flow is a graph of nodes.  A node is a step, which an agent does, or a loop, whose body, again a graph, is done
until its until-condition holds.  What a step is, and what a condition says, is the environment's business: a
definition only says that there is one.

The ids of what a flow becomes in a run are made of its nodes' ids: the root frame is ``{run}-root``, a loop
instance ``{frame}::{node}``, the body of an iteration ``{loop instance}::iter-{n}``.  So that no two come to the
same, a node's id has no ``::`` in it, and no ``:`` at its ends.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

import attrs

from mobstore.model._collections import FrozenMap
from mobstore.model._errors import Serialization
from mobstore.model._records import U32, converter
from mobstore.model.callers.commits import Parameters
from mobstore.model.machines import run_inputs
from mobstore.model.operations import MAX_LOOP_OUTPUT_INDEX
from mobstore.model.values import (
    AgentIdentity,
    BranchId,
    DependencyMode,
    FlowId,
    FlowNodeId,
    FrameId,
    LoopId,
    LoopInstanceId,
    NodeKind,
    RunId,
)

SEPARATOR: Final = "::"
"""Stands between the ids that an id is made of."""

_COUNT: Final = converter(U32)
_TEXT: Final = converter(str)


class InvalidFlow(ValueError):
    """A flow definition breaks a rule; the message names the node, by the path to it, and the rule."""


def _ids(value: Iterable[FlowNodeId]) -> tuple[FlowNodeId, ...]:
    if isinstance(value, str):
        msg = f"depends_on={value!r:.80}: a string is one id, and not a collection of ids"
        raise InvalidFlow(msg)
    return tuple(value)


def _nodes(value: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(value)


@attrs.frozen
class Step:
    """A node that an agent does.

    Attributes:
        id: unlike that of any other node of the graph.
        depends_on: nodes of the same graph.
        mode: whether all or any of them must have completed.
        branch: of the nodes of a branch at most one completes; the others are skipped.
        has_condition: whether a condition decides, when its turn has come, if it is done or skipped.
        agent: who does it.
    """

    id: FlowNodeId
    depends_on: tuple[FlowNodeId, ...] = attrs.field(default=(), converter=_ids)
    mode: DependencyMode = attrs.field(default=DependencyMode.ALL, converter=DependencyMode)
    branch: BranchId | None = None
    has_condition: bool = False
    agent: AgentIdentity = "worker"

    kind: ClassVar = NodeKind.STEP


@attrs.frozen
class Loop:
    """A node whose body is done, at most ``max_iterations`` times, until its until-condition holds."""

    id: FlowNodeId
    body: tuple[Node, ...] = attrs.field(converter=_nodes)
    max_iterations: int = 1
    depends_on: tuple[FlowNodeId, ...] = attrs.field(default=(), converter=_ids)
    mode: DependencyMode = attrs.field(default=DependencyMode.ALL, converter=DependencyMode)
    branch: BranchId | None = None
    loop_id: LoopId = attrs.field()

    kind: ClassVar = NodeKind.LOOP

    @loop_id.default
    def _named_as_the_node(self) -> LoopId:
        return self.id

    @functools.cached_property
    def height(self) -> int:
        """How many body frames may be open inside one another, its own included."""
        return 1 + nesting(self.body)

    @functools.cached_property
    def graph(self) -> Graph:
        """The graph of the body."""
        return Graph(self.body)


Node: TypeAlias = Step | Loop


def nesting(nodes: Sequence[Node]) -> int:
    """Return how deep loops are nested in a graph; 0 when it has none."""
    return max((node.height for node in nodes if isinstance(node, Loop)), default=0)


@attrs.frozen
class Flow:
    """A workflow: its root graph and its limits (0: no limit, and no escalation).

    Attributes:
        id: the flow's id.
        nodes: the root graph, in the order in which nodes that are ready begin.
        max_active_nodes: steps that may run at a time.
        max_active_frames: body frames that may be open at a time.
        max_frame_depth: how deep loops may be nested.
        max_step_retries: how often a step that failed is tried again.
        escalation_threshold: failures in a row after which the supervisor is told.
        supervisor: who is told.

    Raises:
        InvalidFlow: the definition breaks a rule.
    """

    id: FlowId
    nodes: tuple[Node, ...] = attrs.field(converter=_nodes)
    max_active_nodes: int = 0
    max_active_frames: int = 0
    max_frame_depth: int = 0
    max_step_retries: int = 0
    escalation_threshold: int = 0
    supervisor: AgentIdentity = "supervisor"

    def __attrs_post_init__(self) -> None:
        for name in ("id", "supervisor"):
            _check_text(f"{name} of a flow", getattr(self, name))
        for name in _LIMITS:
            _check_count(f"{name} of flow {self.id!r}", getattr(self, name))
        _check_graph(self.nodes, f"flow {self.id!r}")
        self._check_depth()

    def _check_depth(self) -> None:
        deep = nesting(self.nodes)
        if 0 < self.max_frame_depth < deep:
            msg = f"flow {self.id!r}: loops are nested {deep} deep, and max_frame_depth is {self.max_frame_depth}"
            raise InvalidFlow(msg)
        if 0 < self.max_active_frames < deep:
            msg = (
                f"flow {self.id!r}: loops are nested {deep} deep, and max_active_frames is "
                f"{self.max_active_frames}: the innermost body could never start"
            )
            raise InvalidFlow(msg)

    @functools.cached_property
    def graph(self) -> Graph:
        """The root graph."""
        return Graph(self.nodes)

    @functools.cached_property
    def loops(self) -> Mapping[tuple[FlowNodeId, ...], Loop]:
        """Every loop by the path of node ids to it."""
        return dict(_loops(self.nodes, ()))

    def loop_of(self, run_id: RunId, instance: LoopInstanceId) -> Loop:
        """Return the loop that a loop instance of a run is one of.

        Raises:
            InvalidFlow: it is of another flow, or another run.
        """
        found = self.loops.get(path_of(run_id, instance))
        if found is None:
            msg = f"flow {self.id!r} has no loop with an instance {instance!r}"
            raise InvalidFlow(msg)
        return found

    @property
    def steps(self) -> int:
        """How many steps the definition has, in all of its graphs."""
        return _count_steps(self.nodes)

    @functools.cached_property
    def definition(self) -> Mapping[str, object]:
        """The fields of a run's flow state that say what it was created from."""
        given = vars(self.create_input())
        return {name: given[name] for name in (*_OF_STEPS, *_LIMITS)}

    def create_input(self) -> run_inputs.CreateRun:
        """Return the machine input that creates a run of it: the nodes of the root graph are the tracked steps."""
        graph = self.graph.parameters
        return run_inputs.CreateRun(
            step_ids=graph.ordered_nodes,
            ordered_steps=graph.ordered_nodes,
            step_has_conditions=FrozenMap(
                {node.id: isinstance(node, Step) and node.has_condition for node in self.nodes}
            ),
            step_dependencies=graph.node_dependencies,
            step_dependency_modes=graph.node_dependency_modes,
            step_branches=graph.node_branches,
            step_collection_policies=FrozenMap(),
            step_quorum_thresholds=FrozenMap(),
            **{name: getattr(self, name) for name in _LIMITS},
        )


_OF_STEPS: Final = (
    "ordered_steps",
    "step_has_conditions",
    "step_dependencies",
    "step_dependency_modes",
    "step_branches",
)
_LIMITS: Final = (
    "escalation_threshold",
    "max_step_retries",
    "max_active_nodes",
    "max_active_frames",
    "max_frame_depth",
)


class Graph:
    """The nodes of one graph by id, and as parameters of the commit that starts a frame of it."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes: Final[Mapping[FlowNodeId, Node]] = {node.id: node for node in nodes}
        self.parameters: Final = Parameters(
            ordered_nodes=tuple(self.nodes),
            node_kind=FrozenMap({node.id: node.kind for node in nodes}),
            node_dependencies=FrozenMap({node.id: node.depends_on for node in nodes}),
            node_dependency_modes=FrozenMap({node.id: node.mode for node in nodes}),
            node_branches=FrozenMap({node.id: node.branch for node in nodes}),
            node_step_ids=FrozenMap({node.id: node.id for node in nodes if isinstance(node, Step)}),
            node_loop_ids=FrozenMap({node.id: node.loop_id for node in nodes if isinstance(node, Loop)}),
        )


def root_frame(run_id: RunId) -> FrameId:
    """Return the id of a run's root frame."""
    return f"{run_id}-root"


def path_of(run_id: RunId, id: LoopInstanceId) -> tuple[FlowNodeId, ...]:
    """Return the ids of the nodes that lead to a loop instance (or a step in a frame); empty for another run's."""
    head, *parts = id.removeprefix(root_frame(run_id)).split(SEPARATOR)
    return () if head else tuple(parts[::2])


def instance_of(frame_id: FrameId, node_id: FlowNodeId) -> LoopInstanceId:
    """Return the id of the loop instance of a node of a frame."""
    return f"{frame_id}{SEPARATOR}{node_id}"


def body_frame(instance: LoopInstanceId, iteration: int) -> FrameId:
    """Return the id of the body frame of an iteration of a loop instance."""
    return f"{instance}{SEPARATOR}iter-{iteration}"


# --- checks -----------------------------------------------------------------------------------------------------


def _check_count(what: str, count: int) -> None:
    try:
        _COUNT(count)
    except Serialization as error:
        msg = f"{what}{error.detail}"
        raise InvalidFlow(msg) from None


def _check_text(what: str, text: object) -> None:
    try:
        _TEXT(text)
    except Serialization as error:
        msg = f"{what}{error.detail}"
        raise InvalidFlow(msg) from None


def _check_graph(nodes: Sequence[Node], path: str) -> None:
    if not nodes:
        msg = f"{path}: a graph has at least one node"
        raise InvalidFlow(msg)
    seen: dict[FlowNodeId, Node] = {}
    for node in nodes:
        _check_node(node, path)
        if node.id in seen:
            msg = f"{path}: two nodes have the id {node.id!r}"
            raise InvalidFlow(msg)
        seen[node.id] = node
    for node in nodes:
        _check_dependencies(node, seen, path)
        if isinstance(node, Loop):
            _check_loop(node, f"{path}, loop {node.id!r}")
    _check_no_circle(seen, path)


def _check_node(node: object, path: str) -> None:
    if not isinstance(node, (Step, Loop)):
        msg = f"{path}: {node!r:.80} is neither a step nor a loop"
        raise InvalidFlow(msg)
    _check_text(f"{path}: the id of a node", node.id)
    if SEPARATOR in node.id or node.id != node.id.strip(":"):
        msg = f"{path}: the id {node.id!r:.80} has {SEPARATOR!r} in it, or ':' at an end, which separates ids"
        raise InvalidFlow(msg)
    if node.branch is not None:
        _check_text(f"{path}: the branch of node {node.id!r}", node.branch)
    _check_text(
        f"{path}: the {'agent' if isinstance(node, Step) else 'loop_id'} of node {node.id!r}",
        node.agent if isinstance(node, Step) else node.loop_id,
    )


def _check_dependencies(node: Node, known: Mapping[FlowNodeId, Node], path: str) -> None:
    for dependency in node.depends_on:
        if dependency not in known:
            msg = f"{path}: node {node.id!r} depends on {dependency!r}, which its graph does not have"
            raise InvalidFlow(msg)


def _check_loop(loop: Loop, path: str) -> None:
    most = MAX_LOOP_OUTPUT_INDEX + 1
    if type(loop.max_iterations) is not int or not 1 <= loop.max_iterations <= most:
        msg = f"{path}: max_iterations is {loop.max_iterations!r:.80}, and not from 1 to {most:,}"
        raise InvalidFlow(msg)
    _check_graph(loop.body, path)


def _check_no_circle(nodes: Mapping[FlowNodeId, Node], path: str) -> None:
    """Take away what depends on nothing that is left, until nothing is; what stays is, or waits for, a circle."""
    left = dict(nodes)
    while left:
        free = [id for id, node in left.items() if not any(dependency in left for dependency in node.depends_on)]
        if not free:
            msg = f"{path}: nodes depend on each other in a circle: {' -> '.join(_circle(left))}"
            raise InvalidFlow(msg)
        for id in free:
            del left[id]


def _circle(left: Mapping[FlowNodeId, Node]) -> list[str]:
    trail = [next(iter(left))]
    while True:
        following = next(dependency for dependency in left[trail[-1]].depends_on if dependency in left)
        if following in trail:
            return [*trail[trail.index(following) :], following]
        trail.append(following)


def _loops(nodes: Sequence[Node], path: tuple[FlowNodeId, ...]) -> Iterator[tuple[tuple[FlowNodeId, ...], Loop]]:
    for node in nodes:
        if isinstance(node, Loop):
            yield (*path, node.id), node
            yield from _loops(node.body, (*path, node.id))


def _count_steps(nodes: Sequence[Node]) -> int:
    return sum(_count_steps(node.body) if isinstance(node, Loop) else 1 for node in nodes)
