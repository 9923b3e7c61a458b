"""Hypothesis strategies for scenarios and schedules: small flows in which everything may happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from mobstore.model.callers.flow import Flow, Loop, Node, Step, nesting
from mobstore.model.values import DependencyMode
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript
from mobstore.properties.workflows.simulation import MOST_CHOICE, Schedule

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]

_NAMES: Final = ("a", "b", "c", "d")
_DEPTH: Final = 2
_LENGTHS: Final = (0, 30, 100, 200)
"""How many choices a schedule has: left to itself, Hypothesis draws five."""
_MODES: Final = st.sampled_from(tuple(DependencyMode))
_SCRIPTS: Final = st.builds(
    StepScript,
    condition=st.sampled_from((True, True, True, False)),
    failures=st.sampled_from((0, 0, 0, 0, 1, 2)),
    canceled=st.sampled_from((False, False, False, False, False, True)),
)
_LOOP_SCRIPTS: Final = st.builds(
    LoopScript,
    met_after=st.sampled_from((0, 0, 1, 1, None)),
    canceled=st.sampled_from((False, False, False, False, False, True)),
)


@st.composite
def scenarios(draw: Draw) -> Scenario:
    """Draw a flow of up to four nodes a graph, loops nested up to two deep, and what becomes of them."""
    steps: dict[str, StepScript] = {}
    loops: dict[str, LoopScript] = {}
    nodes = _graph(draw, "", _DEPTH, steps, loops)
    height = nesting(nodes)
    flow = Flow(
        "flow",
        nodes,
        max_active_nodes=draw(st.integers(0, 2)),
        max_active_frames=draw(st.sampled_from((0, height, height + 1))),
        max_frame_depth=draw(st.sampled_from((0, height))),
        max_step_retries=draw(st.integers(0, 1)),
        escalation_threshold=draw(st.integers(0, 2)),
    )
    return Scenario(flow, steps, loops)


def _graph(
    draw: Draw, path: str, depth: int, steps: dict[str, StepScript], loops: dict[str, LoopScript]
) -> tuple[Node, ...]:
    names = _NAMES[: draw(st.integers(1, len(_NAMES) if depth == _DEPTH else 2))]
    raced = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
    nodes = []
    for place, name in enumerate(names):
        way = {
            "depends_on": draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else [],
            "mode": draw(_MODES),
            "branch": "x" if name in raced else None,
        }
        nodes.append(_node(draw, name, path, depth, way, steps, loops))
    return tuple(reversed(nodes) if draw(st.booleans()) else nodes)


def _node(
    draw: Draw,
    name: str,
    path: str,
    depth: int,
    way: dict[str, Any],
    steps: dict[str, StepScript],
    loops: dict[str, LoopScript],
) -> Node:
    where = f"{path}{name}"
    if depth and draw(st.sampled_from((False, False, True))):
        loops[where] = draw(_LOOP_SCRIPTS)
        body = _graph(draw, f"{where}/", depth - 1, steps, loops)
        return Loop(name, body, draw(st.integers(1, 2)), **way)
    steps[where] = draw(_SCRIPTS)
    return Step(name, has_condition=draw(st.booleans()), **way)


def _choices(length: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, MOST_CHOICE), min_size=length, max_size=length)


def schedules(*, cancels: bool = True) -> st.SearchStrategy[Schedule]:
    """Return schedules of up to three drivers; with ``cancels`` the run is canceled in some."""
    return st.builds(
        Schedule,
        drivers=st.integers(1, 3),
        choices=st.sampled_from(_LENGTHS).flatmap(_choices),
        chooses=st.booleans(),
        cancel_after=st.sampled_from((None, None, None, 5, 20, 60)) if cancels else st.none(),
        rotates=st.sampled_from((False, False, False, True)),
    )
