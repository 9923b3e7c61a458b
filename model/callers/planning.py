"""A commit computed: a row of the table applied to copies of the cells of a run.

Nothing is changed here: the plan has the call that would commit it, and only a store that answers ``True`` makes
the copies the cells.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model._json import Payload
from mobstore.model.callers import authority
from mobstore.model.callers.authority import MACHINE_OF, Addressed
from mobstore.model.callers.commits import VARIABLE_OF, VARIABLES, Apply, Commit, Parameters
from mobstore.model.machines import Effect, Input, Machine, Refusal, Transitioned
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.operations import RunOperation
from mobstore.model.values import (
    FlowAuthorityInput,
    FlowFrameState,
    FlowNodeId,
    FrameScope,
    FrameSnapshot,
    LoopIterationLedgerEntry,
    LoopIterationState,
    LoopSnapshot,
    MobRun,
    MobRunStatus,
    RunPhase,
)
from mobstore.model.wrappers import Append, Cell, Equals, Put

STATUS_OF: Final[Mapping[RunPhase, MobRunStatus]] = {
    RunPhase.PENDING: MobRunStatus.PENDING,
    RunPhase.RUNNING: MobRunStatus.RUNNING,
    RunPhase.COMPLETED: MobRunStatus.COMPLETED,
    RunPhase.FAILED: MobRunStatus.FAILED,
    RunPhase.CANCELED: MobRunStatus.CANCELED,
}
"""The status of a run whose flow state is in a phase; Absent has none."""

Machines: TypeAlias = Mapping[Cell, Machine[Any]]
"""The machine of each cell."""


class NotDue(Exception):
    """What a commit requires does not hold: the plan was made for another state."""

    def __init__(self, commit: str, requirement: str) -> None:
        super().__init__(f"{commit}: not so: {requirement}")
        self.commit = commit
        self.requirement = requirement


class Refused(Exception):
    """A machine refused an input of a commit, so nothing is committed."""

    def __init__(self, commit: str, input: Input, refusal: Refusal) -> None:
        super().__init__(f"{commit}: {input} was refused: {refusal}")
        self.commit = commit
        self.refusal = refusal


@attrs.frozen
class Plan:
    """A commit that was computed, and the call that makes it."""

    commit: Commit
    operation: RunOperation[bool]
    effects: tuple[Effect, ...]


def plan(
    commit: Commit,
    run: MobRun,
    parameters: Parameters,
    output: Payload | None = None,
    machines: Machines = MACHINE_OF,
) -> Plan:
    """Return a commit of a run, computed on copies of its cells.

    Args:
        commit: the row of the table.
        run: the run as it was read.
        parameters: what the commit is about.
        output: the output of a step that the commit completes.
        machines: what takes the inputs.

    Raises:
        NotDue: the row's requirements do not hold in this state.
        Refused: a machine refused an input.
    """
    work = _Work(commit, run, parameters, machines)
    for requirement, holds in _compiled(commit).requires:
        if not work.evaluate(holds):
            raise NotDue(commit.name, requirement)
    for apply in _compiled(commit).inputs:
        for input in work.inputs_of(apply):
            work.take(apply.cell, input)
    return Plan(commit, work.operation(output), tuple(work.effects))


_Evaluate: TypeAlias = Callable[..., Any]


@attrs.frozen
class _Applying:
    """An `Apply` whose terms are functions."""

    cell: Cell
    input: type[Input]
    arguments: tuple[_Evaluate, ...]
    when: _Evaluate | None
    each: _Evaluate | None


@attrs.frozen
class _Compiled:
    requires: tuple[tuple[str, _Evaluate], ...]
    inputs: tuple[_Applying, ...]


_PARAMETERS: Final = (*VARIABLES.values(), t.var("node", FlowNodeId))


def _function(term: t.Term | None) -> Any:
    return None if term is None else function_of(_PARAMETERS, term)


@functools.cache
def _compiled(commit: Commit) -> _Compiled:
    return _Compiled(
        tuple((guard.name, _function(guard.condition)) for guard in commit.requires),
        tuple(_applying(apply) for apply in commit.inputs),
    )


def _applying(apply: Apply) -> _Applying:
    arguments = tuple(_function(term) for term in apply.arguments)
    return _Applying(apply.cell, apply.input, arguments, _function(apply.when), _function(apply.each))


class _Work:
    """The copies of the cells, while a commit is computed."""

    def __init__(self, commit: Commit, run: MobRun, parameters: Parameters, machines: Machines) -> None:
        self._commit, self._run, self._parameters = commit, run, parameters
        self._machines = machines
        self._keys = {
            Cell.FLOW_STATE: run.run_id,
            Cell.FRAME: parameters.frame_id,
            Cell.LOOP: parameters.loop_instance_id,
        }
        self._held: dict[Cell, Any] = {
            Cell.FLOW_STATE: run.flow_state,
            Cell.FRAME: run.frames.get(parameters.frame_id),
            Cell.LOOP: run.loops.get(parameters.loop_instance_id),
        }
        body = run.frames.get(parameters.body_frame_id)
        self._states: dict[str, Any] = {
            "flow": run.flow_state,
            "frame": _state(self._held[Cell.FRAME], FlowFrameState),
            "loop": _state(self._held[Cell.LOOP], LoopIterationState),
            "body": _state(body, FlowFrameState),
            "p": parameters,
        }
        self.effects: list[Effect] = []
        self._authority: list[FlowAuthorityInput] = []

    def evaluate(self, function: _Evaluate, node: FlowNodeId = "") -> Any:
        return function(*self._states.values(), node)

    def inputs_of(self, apply: _Applying) -> Iterator[Input]:
        nodes = ("",) if apply.each is None else self.evaluate(apply.each)
        for node in nodes:
            if apply.when is None or self.evaluate(apply.when, node):
                yield apply.input(*(self.evaluate(argument, node) for argument in apply.arguments))

    def take(self, cell: Cell, input: Input) -> None:
        """Apply an input to the copy of a cell, and note it for the log."""
        machine, variable = self._machines[cell], VARIABLE_OF[cell]
        before = self._states[variable]
        result = machine.step(before, input)
        if not isinstance(result, Transitioned):
            raise Refused(self._commit.name, input, result)
        self._states[variable] = result.next_state
        self.effects += result.effects
        to = Addressed(cell, self._keys[cell], input)
        record = authority.written(self._run.run_id, to, before, result.next_state, vars(self._parameters))
        if record is not None:
            self._authority.append(record)

    def operation(self, output: Payload | None) -> RunOperation[bool]:
        """Return the call: the cells as they were where its row compares, as they came to be where it writes."""
        row, given = self._commit.row, self._identities(output)
        for comparison in row.comparisons:
            if isinstance(comparison, Equals):
                given[comparison.argument] = self._before(comparison.cell)
        for write in row.writes:
            if isinstance(write, Put) and write.cell is not Cell.OUTPUT:
                given[write.argument] = self._after(write.cell)
            elif isinstance(write, Append):
                given[write.argument] = self._appended(write.cell)
        return row.operation(**{name: given[name] for name in row.operation.parameters()})

    def _identities(self, output: Payload | None) -> dict[str, Any]:
        frame: FlowFrameState = self._states["frame"]
        of_body = frame.frame_scope is FrameScope.BODY
        return {
            "run_id": self._run.run_id,
            "frame_id": self._parameters.frame_id,
            "loop_instance_id": self._parameters.loop_instance_id,
            "step_output_key": self._parameters.node_id,
            "step_output": output,
            # The original files the outputs of all instances of a loop under the loop's id, where those of an
            # inner loop that begins again overwrite each other; under the instance's none is lost.
            "loop_context": (frame.loop_instance_id, frame.iteration) if of_body else None,
        }

    def _before(self, cell: Cell) -> Any:
        return self._run.status if cell is Cell.STATUS else self._held[cell]

    def _after(self, cell: Cell) -> Any:
        if cell is Cell.STATUS:
            return STATUS_OF[self._states["flow"].phase]
        state, held = self._states[VARIABLE_OF[cell]], self._held[cell]
        if cell is Cell.FLOW_STATE:
            return state
        # What did not change is handed back as it was read, for then a comparison is one of identities.
        if held is not None and held.kernel_state is state:
            return held
        return (FrameSnapshot if cell is Cell.FRAME else LoopSnapshot)(state)

    def _appended(self, cell: Cell) -> Any:
        if cell is Cell.AUTHORITY_LOG:
            return tuple(self._authority)
        assert cell is Cell.ITERATION_LEDGER, "commits append to no other ledger"
        parameters = self._parameters
        return LoopIterationLedgerEntry(parameters.loop_instance_id, parameters.iteration, parameters.body_frame_id)


def _state(snapshot: Any, kind: type) -> Any:
    return kind() if snapshot is None else snapshot.kernel_state
