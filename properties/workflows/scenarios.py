"""Scenarios: a flow, and what becomes of its steps, conditions and loops.

What the environment answers depends on nothing but what is asked: a step's attempt comes to the same whoever makes
it, and when.  So every order of the same decisions comes to one end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from mobstore.model import MobRun, Payload, RunId, evolve, to_json
from mobstore.model.callers.flow import Flow, Loop, Node, path_of
from mobstore.model.callers.requests import (
    Canceled,
    Completed,
    EvaluateCondition,
    EvaluateUntil,
    Failed,
    PerformStep,
    Place,
    Result,
    Until,
)

RUN_ID: Final = RunId("11111111-0000-4000-8000-000000000001")
MOB_ID: Final = "mob"
PARAMS: Final = Payload.of({"topic": "x"})


@attrs.frozen
class StepScript:
    """What becomes of a step: whether its condition holds, how many attempts fail, and whether it is canceled."""

    condition: bool = True
    failures: int = 0
    canceled: bool = False


@attrs.frozen
class LoopScript:
    """What becomes of a loop: after which iteration the until-condition holds (None: never), or it is canceled."""

    met_after: int | None = 0
    canceled: bool = False


_AS_USUAL: Final = StepScript()
_ONCE: Final = LoopScript()


@attrs.frozen
class Scenario:
    """A flow with its scripts; what has none goes well, and a loop has one iteration.

    Attributes:
        flow: the definition.
        steps: by the path of node ids to the step, joined by ``/``.
        loops: likewise.
    """

    flow: Flow
    steps: Mapping[str, StepScript] = {}
    loops: Mapping[str, LoopScript] = {}

    def condition(self, asked: EvaluateCondition) -> bool:
        """Whether the condition of a step holds."""
        return self._step(asked.place).condition

    def perform(self, asked: PerformStep) -> Result:
        """What an attempt at a step comes to; the output says which step of which iteration it is."""
        script = self._step(asked.place)
        if asked.attempt < script.failures:
            return Failed(f"attempt {asked.attempt} failed")
        address = asked.place.address.removeprefix(asked.place.run_id)
        return Canceled() if script.canceled else Completed(Payload.of({"did": address}))

    def until(self, asked: EvaluateUntil) -> Until:
        """What the until-condition of a loop says."""
        script = self.loops.get("/".join(path_of(asked.run_id, asked.loop_instance_id)), _ONCE)
        if script.canceled:
            return Until.CANCELED
        is_met = script.met_after is not None and asked.iteration >= script.met_after
        return Until.MET if is_met else Until.NOT_MET

    def _step(self, place: Place) -> StepScript:
        path = (*path_of(place.run_id, place.frame_id), place.node_id)
        return self.steps.get("/".join(path), _AS_USUAL)

    @property
    def has_one_end(self) -> bool:
        """Whether every order of decisions comes to the same end.

        So it is when the nodes of each branch become ready together: then they are tried in the graph's order.
        """
        return all(_is_fair(graph) for graph in _graphs(self.flow.nodes))


def _graphs(nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
    yield nodes
    for node in nodes:
        if isinstance(node, Loop):
            yield from _graphs(node.body)


def _is_fair(nodes: Sequence[Node]) -> bool:
    ways: dict[str, set[Any]] = {}
    for node in nodes:
        if node.branch is not None:
            ways.setdefault(node.branch, set()).add((frozenset(node.depends_on), node.mode))
    return all(len(way) == 1 for way in ways.values())


def end_of(run: MobRun) -> dict[str, Any]:
    """Return what a run came to, without what depends on who was faster.

    That is: times, the order of lines, what was granted last, and the failures in a row (a step that completes
    between two that fail sets them to 0).
    """
    state = evolve(run.flow_state, dict.fromkeys(("last_granted_frame", "last_granted_loop"), ""))
    state = evolve(state, {"consecutive_failure_count": 0})
    frames = {key: evolve(frame.kernel_state, {"last_admitted_node": ""}) for key, frame in run.frames.items()}
    return {
        "status": run.status.value,
        "flow_state": to_json(state),
        "frames": to_json(frames),
        "loops": to_json({key: loop.kernel_state for key, loop in run.loops.items()}),
        "outputs": dict(sorted(to_json(run.root_step_outputs).items())),
        "loop_outputs": to_json(run.loop_iteration_outputs),
        "iterations": _sorted(run.loop_iteration_ledger),
        "steps": _sorted(_without_time(entry) for entry in run.step_ledger if entry.agent_identity != SUPERVISOR),
        "failures": sorted({str(_without_time(entry)) for entry in run.failure_ledger}),
    }


def _without_time(entry: Any) -> dict[str, Any]:
    return {name: item for name, item in to_json(entry).items() if name != "timestamp"}


def _sorted(entries: Any) -> list[str]:
    return sorted(map(str, map(to_json, entries)))


SUPERVISOR: Final = "supervisor"
"""Who the flows of scenarios escalate to; whether that is needed depends on who was faster."""
