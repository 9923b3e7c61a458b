"""A large scenario: a flow of many steps with nested loops, limits, branches, conditions and retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mobstore.model.callers.flow import Flow, Loop, Node, Step
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript

GROUP: Final = 10
"""Steps of a group: three of the root graph, three in its loop, four in the loop inside."""
_LANES: Final = 8


class UnevenSteps(ValueError):
    """A number of steps that is no whole number of groups."""


def large(steps: int) -> Scenario:
    """Return a scenario whose flow has so many steps, in eight lanes of groups that follow each other.

    Raises:
        UnevenSteps: the number is no positive multiple of ten.
    """
    if steps <= 0 or steps % GROUP:
        msg = f"{steps} steps: a positive multiple of {GROUP} is wanted"
        raise UnevenSteps(msg)
    groups = range(steps // GROUP)
    flow = Flow(
        "large",
        [node for number in groups for node in _group(number)],
        max_active_nodes=6,
        max_active_frames=5,
        max_frame_depth=2,
        max_step_retries=1,
    )
    return Scenario(flow, _steps(groups), _loops(groups))


def _group(number: int) -> Iterator[Node]:
    before = [f"end-{number - _LANES}"] if number >= _LANES else []
    inner = Loop("inner", [Step("i"), Step("j", ["i"]), Step("k", ["i"]), Step("l", ["j", "k"], "Any")], 3, ["p"])
    yield Loop(f"loop-{number}", [Step("p"), inner, Step("q", ["inner"]), Step("r", ["p"])], 2, before)
    yield Step(f"left-{number}", [f"loop-{number}"], branch=f"way-{number}", has_condition=True)
    yield Step(f"right-{number}", [f"loop-{number}"], branch=f"way-{number}")
    yield Step(f"end-{number}", [f"left-{number}", f"right-{number}"], "Any")


def _steps(groups: range) -> dict[str, StepScript]:
    """Every third left way is skipped, so that the right one is taken; some steps fail once at first."""
    lost = {f"left-{number}": StepScript(condition=False) for number in groups if number % 3 == 0}
    again = {f"loop-{number}/q": StepScript(failures=1) for number in groups if number % 4 == 0}
    return lost | again


def _loops(groups: range) -> dict[str, LoopScript]:
    outer = {f"loop-{number}": LoopScript(number % 2) for number in groups}
    return outer | {f"loop-{number}/inner": LoopScript(number % 3) for number in groups}
