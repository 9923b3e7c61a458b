"""What is looked at after every call of a workflow: all that must stay true, and what was reached.

After each call the new records of the authority log are taken again by the machines; they must lead to exactly
what is stored.  Every state on the way must keep the invariants of its machine, every step those of two states,
and the run those of a whole run with their companions, and the rules of `RULES`, which only our own callers keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model import MobRun, MobRunStatus, State, evolve
from mobstore.model.callers.authority import MACHINE_OF, Addressed, read
from mobstore.model.callers.deciding import can_admit
from mobstore.model.callers.flow import root_frame
from mobstore.model.machines import Input, Machine, Transitioned
from mobstore.model.machines.sorts import Record
from mobstore.model.step import terminal_identity
from mobstore.model.values import (
    FlowFrameState,
    FramePhase,
    FrameTerminalStatus,
    LoopPhase,
    LoopStage,
    NodeKind,
    NodeStatus,
    StepStatus,
)
from mobstore.model.wrappers import Cell
from mobstore.properties.companions import COMPANIONS
from mobstore.properties.invariants import Invariant, Scope, of_scope
from mobstore.properties.workflows.coverage import Coverage

_OF_MACHINE: Final[Mapping[Cell, str]] = {Cell.FLOW_STATE: "RUN", Cell.FRAME: "FRAME", Cell.LOOP: "LOOP"}


_STATE: Final = {cell: of_scope(Scope[name]) for cell, name in _OF_MACHINE.items()}
_STEP: Final = {cell: of_scope(Scope[f"{name}_STEP"]) for cell, name in _OF_MACHINE.items()}
_RUN: Final = (*of_scope(Scope.COMPOSITION), *COMPANIONS)


class Violation(AssertionError):
    """Something that must stay true did not."""


@attrs.frozen
class Rule:
    """What our callers keep, beyond what every caller must and what the companions of the invariants say."""

    name: str
    sentence: str
    holds: Callable[[MobRun, State], bool]
    unless_suspected: bool = False
    """Whether it may break where a driver that lives was thought dead, and taken over."""


def _frames(run: MobRun) -> Iterator[FlowFrameState]:
    return (snapshot.kernel_state for snapshot in run.frames.values())


def _steps_in(state: FlowFrameState, status: NodeStatus) -> Iterator[str]:
    for node, held in state.node_status.items():
        if held is status and state.node_kind[node] is NodeKind.STEP:
            yield node


def _is_unreleased(state: FlowFrameState, node: str) -> bool:
    return not state.output_recorded[node]


def _outputs_of(run: MobRun, state: FlowFrameState) -> Mapping[str, Any]:
    if state.frame_id == root_frame(run.run_id):
        return run.root_step_outputs
    iterations = run.loop_iteration_outputs.get(state.loop_instance_id, ())
    return iterations[state.iteration] if state.iteration < len(iterations) else {}


def _outputs_are_those_of_completed_nodes(run: MobRun, _state: State) -> bool:
    return all(
        set(_outputs_of(run, state)) == set(_steps_in(state, NodeStatus.COMPLETED)) for state in _frames(run)
    )


def _lines_stand_once(run: MobRun, _state: State) -> bool:
    lines = [(entry.step_id, entry.agent_identity, entry.status) for entry in run.step_ledger]
    return len(lines) == len(set(lines))


def _one_failure_a_step(run: MobRun, _state: State) -> bool:
    failed = [entry.step_id for entry in run.failure_ledger]
    return len(failed) == len(set(failed))


def _ends_empty(run: MobRun, _state: State) -> bool:
    flow = run.flow_state
    left = (*flow.ready_frames, *flow.pending_body_frame_loops, flow.active_node_count, flow.active_frame_count)
    return run.status not in (MobRunStatus.COMPLETED, MobRunStatus.FAILED) or left == (0, 0)


def _one_terminal_event(run: MobRun, state: State) -> bool:
    events = [event for event in state.event.events if terminal_identity(event) is not None]
    return len(events) <= 1 and all(event.kind.value["type"] == f"flow_{run.status.value}" for event in events)


RULES: Final = (
    Rule(
        "outputs-are-those-of-completed-nodes",
        "exactly the completed steps of a frame have an output",
        _outputs_are_those_of_completed_nodes,
    ),
    Rule("ends-empty", "in a run that completed or failed nothing waits, and no slot is taken", _ends_empty),
    Rule("lines-stand-once", "no line of the step ledger twice", _lines_stand_once),
    Rule("one-failure-a-step", "one line of the failure ledger a step", _one_failure_a_step, unless_suspected=True),
    Rule("one-terminal-event", "at most one terminal event, of the kind of the status", _one_terminal_event),
)
"""What our callers keep, besides `COMPANIONS`; `invariants` has what every caller must."""


class Watch:
    """Looks at one run after every call.

    Args:
        coverage: where what was reached is counted.
    """

    def __init__(self, coverage: Coverage) -> None:
        self._coverage = coverage
        self._before: MobRun | None = None
        self._states: dict[tuple[Cell, str], Any] = {}
        self._read = 0

    def copy(self) -> Watch:
        """Return one that has seen the same."""
        new = Watch(self._coverage)
        new._before, new._states, new._read = self._before, dict(self._states), self._read
        return new

    def look(self, run: MobRun | None, state: State, *, suspected: bool) -> None:
        """Look at the run as it is after a call, and at the whole state of the stores.

        Args:
            run: the run.
            state: all stores.
            suspected: whether a driver that lives was thought dead.

        Raises:
            Violation: something that must stay true does not.
        """
        if run is None:
            return
        for rule in RULES:
            if not (suspected and rule.unless_suspected) and not rule.holds(run, state):
                raise Violation(f"{rule.name}: {rule.sentence}: not so")
        if run is self._before:
            return
        for record in run.flow_authority_inputs[self._read :]:
            for addressed in read(record):
                self._take(addressed)
        self._read = len(run.flow_authority_inputs)
        self._compare(run)
        _must_hold(_RUN, run)
        self._stays(run)
        self._before = run

    def _take(self, addressed: Addressed) -> None:
        cell, machine = addressed.cell, MACHINE_OF[addressed.cell]
        place = (cell, addressed.key)
        before = self._states.get(place)
        if before is None:
            before = machine.state()
        result = machine.step(before, addressed.input)
        if not isinstance(result, Transitioned):
            raise Violation(f"log: {addressed} is refused: {result}")
        after = self._states[place] = result.next_state
        self._coverage.transitions[machine.name, result.transition_id] += 1
        _must_hold(_STATE[cell], after)
        _must_hold(_STEP[cell], before, after)
        for state, stray in ((before, _elsewhere(addressed.input)), (after, _again(machine, addressed.input))):
            for input in stray:
                self._try(cell, state, input)

    def _try(self, cell: Cell, state: Any, input: Input) -> None:
        """What a caller does that is mistaken, or late, is refused, or keeps the invariants, too."""
        machine = MACHINE_OF[cell]
        result = machine.step(state, input)
        if isinstance(result, Transitioned):
            _must_hold(_STATE[cell], result.next_state)
            _must_hold(_STEP[cell], state, result.next_state)
        else:
            self._coverage.refusal(machine.name, result)

    def _compare(self, run: MobRun) -> None:
        """The log leads to exactly what is stored."""
        stored: dict[tuple[Cell, str], Any] = {(Cell.FLOW_STATE, run.run_id): run.flow_state}
        stored |= {(Cell.FRAME, key): frame.kernel_state for key, frame in run.frames.items()}
        stored |= {(Cell.LOOP, key): loop.kernel_state for key, loop in run.loops.items()}
        for place in stored.keys() | self._states.keys():
            if stored.get(place) != self._states.get(place):
                cell, key = place
                raise Violation(f"log: replayed, it leads to another {cell.value} {key!r}")

    def _stays(self, run: MobRun) -> None:
        before = self._before
        if before is None or not before.status.is_terminal:
            return
        if (before.status, before.completed_at) != (run.status, run.completed_at):
            raise Violation(f"a run that was {before.status.value} is {run.status.value}, or ended at another time")


def _again(machine: Machine[Any], input: Input) -> Iterator[Input]:
    """Iterate over the same input, and every other that is given the same."""
    given = vars(input)
    yield from (kind(**given) for kind in machine.inputs if _names(kind) == _names(type(input)))


_STRAY: Final[Mapping[str, Callable[[Any], Any]]] = {
    "step_id": lambda _: "nowhere",
    "node_id": lambda _: "nowhere",
    "loop_instance_id": lambda _: "nowhere",
    "iteration": lambda iteration: iteration + 1,
    "terminal_status": lambda status: next(other for other in FrameTerminalStatus if other is not status),
}
"""What a caller means that is mistaken in one argument."""


def _elsewhere(input: Input) -> Iterator[Input]:
    """Iterate over the input with one argument mistaken."""
    for name, value in vars(input).items():
        if name in _STRAY:
            yield evolve(input, {name: _STRAY[name](value)})


def _names(kind: type[Input]) -> tuple[str, ...]:
    return _NAMES[kind]


_NAMES: Final = {kind: tuple(Record(kind).fields) for machine in MACHINE_OF.values() for kind in machine.inputs}


def _must_hold(invariants: tuple[Invariant, ...], *states: Any) -> None:
    for invariant in invariants:
        if not invariant.holds(*states):
            raise Violation(f"{invariant.name}: {invariant.sentence}: not so")


# --- windows ----------------------------------------------------------------------------------------------------


def _root(run: MobRun) -> FlowFrameState | None:
    snapshot = run.frames.get(root_frame(run.run_id))
    return None if snapshot is None else snapshot.kernel_state


def _not_registered(run: MobRun) -> Iterator[FlowFrameState]:
    for state in _frames(run):
        is_open = state.phase is FramePhase.RUNNING and can_admit(state)
        if is_open and state.frame_id not in run.flow_state.ready_frame_membership:
            yield state


def _frame_not_registered(run: MobRun, _state: State) -> bool:
    return any(not state.last_admitted_node for state in _not_registered(run))


def _slot_not_released(run: MobRun, _state: State) -> bool:
    return any(
        _is_unreleased(state, node) for state in _frames(run) for node in _steps_in(state, NodeStatus.COMPLETED)
    )


def _nodes_became_ready(run: MobRun, _state: State) -> bool:
    return any(state.last_admitted_node for state in _not_registered(run))


def _until_not_evaluated(run: MobRun, _state: State) -> bool:
    return any(
        loop.kernel_state.phase is LoopPhase.RUNNING
        and loop.kernel_state.stage is LoopStage.AWAITING_UNTIL_EVALUATION
        for loop in run.loops.values()
    )


def _run_not_ended(run: MobRun, _state: State) -> bool:
    statuses = run.flow_state.step_status.values()
    return run.status is MobRunStatus.RUNNING and not {None, StepStatus.DISPATCHED}.intersection(statuses)


def _no_terminal_event(run: MobRun, state: State) -> bool:
    return run.status.is_terminal and not len(state.event.terminal)


WINDOWS: Final[Mapping[str, Callable[[MobRun, State], bool]]] = {
    "frame inserted, not yet registered ready": _frame_not_registered,
    "node ended, slot not yet released": _slot_not_released,
    "nodes became ready, frame not yet registered": _nodes_became_ready,
    "body frame completed, until-condition not yet evaluated": _until_not_evaluated,
    "all steps ended, run not yet terminal": _run_not_ended,
    "run terminal, terminal event not yet there": _no_terminal_event,
}
"""The points between calls at which a caller may leave something half done; those of a rotation are elsewhere."""


def windows_of(run: MobRun | None, state: State) -> Iterator[str]:
    """Iterate over the windows that are open."""
    for name, is_open in WINDOWS.items():
        if run is not None and is_open(run, state):
            yield name
