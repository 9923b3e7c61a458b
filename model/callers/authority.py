"""Machine inputs as the authority log keeps them (contract, section 4), and back.

The rules:

1. The inputs that create a run, a frame or a loop are kept as seeds, with all that they were given; three of the
   loop machine have forms of their own; every other is the command of its machine, with the ids that it names.
2. A field of a record that goes by the name of an input's parameter is that parameter, but for the two that
   `_RENAMED` has.  So both directions are read from the two classes, and nothing is listed here.
3. The seed of a body frame stands for two inputs: the frame's start, and that the loop's body has begun.  Nothing
   else is recorded of the second.
4. What no guard and no update looks at may be missing in the log (a target, a depth); reading gives it a blank.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model._errors import Serialization
from mobstore.model._records import fields_to_json
from mobstore.model.machines import FRAME, LOOP, RUN, Input, Machine, frame_inputs, loop_inputs, run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT
from mobstore.model.machines.sorts import Natural, Record, SequenceOf, Sort
from mobstore.model.values import (
    AuthorizeFlowFrameReducerCommand,
    AuthorizeFlowRunReducerCommand,
    AuthorizeLoopIterationReducerCommand,
    CreateFrameSeed,
    CreateLoopSeed,
    CreateRunSeed,
    FlowAuthorityInput,
    FrameScope,
    RecordLoopBodyFrameCompleted,
    RecordLoopUntilConditionFailed,
    RecordLoopUntilConditionMet,
    RunFlow,
    RunId,
)
from mobstore.model.wrappers import Cell

MACHINE_OF: Final[Mapping[Cell, Machine[Any]]] = {Cell.FLOW_STATE: RUN, Cell.FRAME: FRAME, Cell.LOOP: LOOP}
"""The machine whose state a cell holds."""

CELL_OF: Final[Mapping[type[Input], Cell]] = {
    kind: cell for cell, machine in MACHINE_OF.items() for kind in machine.inputs
}
"""The cell whose machine takes an input."""

_COMMANDS: Final[Mapping[type, Cell]] = {
    AuthorizeFlowRunReducerCommand: Cell.FLOW_STATE,
    AuthorizeFlowFrameReducerCommand: Cell.FRAME,
    AuthorizeLoopIterationReducerCommand: Cell.LOOP,
}
_COMMAND_OF: Final = {cell: kind for kind, cell in _COMMANDS.items()}

_OWN_FORMS: Final[Mapping[type[Input], type]] = {
    run_inputs.CreateRun: CreateRunSeed,
    frame_inputs.StartRootFrame: CreateFrameSeed,
    frame_inputs.StartBodyFrame: CreateFrameSeed,
    loop_inputs.StartLoop: CreateLoopSeed,
    loop_inputs.BodyFrameCompleted: RecordLoopBodyFrameCompleted,
    loop_inputs.UntilConditionMet: RecordLoopUntilConditionMet,
    loop_inputs.UntilConditionFailed: RecordLoopUntilConditionFailed,
}
"""The inputs that are not kept as commands."""

_RENAMED: Final[Mapping[type, Mapping[str, str]]] = {
    AuthorizeLoopIterationReducerCommand: {"frame_id": "body_frame_id", "iteration": "body_frame_iteration"},
}
"""The parameters that a record has under another name."""

_IMPLIED: Final = loop_inputs.BodyFrameStarted
_KEY: Final = "\0"
"""Stands in a key of the log between the ids that it is made of."""

State: TypeAlias = Any
"""A state of one of the three machines."""


@attrs.frozen
class Addressed:
    """A machine input, and whose: ``key`` is the id of the run, the frame or the loop instance."""

    cell: Cell
    key: str
    input: Input


class Unreadable(ValueError):
    """A record of the log that stands for no machine input; the message names the record and what it lacks."""


def written(
    run_id: RunId, to: Addressed, before: State, after: State, graph: Mapping[str, Any]
) -> FlowAuthorityInput | None:
    """Return the record of an input that a machine took; None where another record stands for it.

    Args:
        run_id: the run.
        to: the input.
        before: the machine's state before it.
        after: its state after it.
        graph: of a frame that was started: ``node_step_ids`` and ``node_loop_ids``.
    """
    if type(to.input) is _IMPLIED:
        return None
    kind = _OWN_FORMS.get(type(to.input)) or _COMMAND_OF[to.cell]
    renamed = _RENAMED.get(kind, {})
    known: dict[str, Any] = {"run_id": run_id, "command": to.input.name}
    if to.cell is Cell.FRAME:
        known["frame_id"] = to.key
    if kind is CreateFrameSeed:
        known |= {name: getattr(after, name) for name in ("frame_scope", "iteration", "node_status", "ready_queue")}
        known |= {name: graph[name] for name in ("node_step_ids", "node_loop_ids")}
    known |= {renamed.get(name, name): value for name, value in vars(to.input).items()}
    known |= _derived(to, before, after)
    record: FlowAuthorityInput = kind(**{field.name: known.get(field.name) for field in attrs.fields(kind)})
    return record


def _derived(to: Addressed, before: State, after: State) -> dict[str, Any]:
    """Return the composed key of a step or a node that a command names, and the status it came to by it."""
    if to.cell is Cell.FLOW_STATE and hasattr(to.input, "step_id"):
        key, status, of = "run_step_key", "step_status", to.input.step_id
    elif to.cell is Cell.FRAME and hasattr(to.input, "node_id"):
        key, status, of = "frame_node_key", "node_status", to.input.node_id
    else:
        return {}
    came_to = getattr(after, status).get(of)
    changed = came_to is not getattr(before, status).get(of)
    return {key: f"{to.key}{_KEY}{of}", status: came_to if changed else None}


def read(record: FlowAuthorityInput) -> tuple[Addressed, ...]:
    """Return the machine inputs that a record of the log stands for, in the order in which they were taken.

    Raises:
        Unreadable: the record lacks what the machine would look at.
    """
    kind = type(record)
    if kind in _COMMANDS:
        cell = _COMMANDS[kind]
        return (_addressed(cell, _input_of(cell, record), record),)
    if isinstance(record, RunFlow):
        return (_addressed(Cell.FLOW_STATE, run_inputs.CreateRun, record),)
    if isinstance(record, CreateFrameSeed):
        if record.frame_scope is FrameScope.ROOT:
            return (_addressed(Cell.FRAME, frame_inputs.StartRootFrame, record),)
        started = _addressed(Cell.FRAME, frame_inputs.StartBodyFrame, record)
        return started, _addressed(Cell.LOOP, _IMPLIED, record)
    of_own = next(input for input, form in _OWN_FORMS.items() if form is kind)
    return (_addressed(CELL_OF[of_own], of_own, record),)


def _input_of(cell: Cell, record: Any) -> type[Input]:
    return next(input for input in MACHINE_OF[cell].inputs if input.__name__ == record.command)


_KEY_FIELD: Final = {Cell.FLOW_STATE: "run_id", Cell.FRAME: "frame_id", Cell.LOOP: "loop_instance_id"}


def _addressed(cell: Cell, input: type[Input], record: Any) -> Addressed:
    renamed = _RENAMED.get(type(record), {})
    arguments = {}
    for name, sort in Record(input).fields.items():
        value = getattr(record, renamed.get(name, name), None)
        if value is None and name in _LOOKED_AT[input]:
            msg = f"{record.input} {fields_to_json(record)!s:.200}: {input.__name__} needs {name}"
            raise Unreadable(msg)
        arguments[name] = _blank(sort) if value is None else value
    try:
        made = input(**arguments)
    except Serialization as error:
        msg = f"{record.input} {fields_to_json(record)!s:.200}: {input.__name__}{error.detail}"
        raise Unreadable(msg) from None
    return Addressed(cell, getattr(record, _KEY_FIELD[cell]), made)


def _looked_at(input: type[Input]) -> frozenset[str]:
    """Return the parameters that a guard or an update looks at: what a machine's next state depends on."""
    found: set[str] = set()
    for transition in MACHINE_OF[CELL_OF[input]].transitions_of(input):
        terms = [*transition.updates.values(), *(guard.condition for guard in transition.guards)]
        for term in (*terms, *(definition.term for definition in transition.definitions)):
            found |= _parameters_in(term)
    return frozenset(found)


def _parameters_in(term: t.Term) -> set[str]:
    if isinstance(term, t.Get) and isinstance(term.record, t.Var) and term.record.name == INPUT:
        return {term.field}
    return set().union(*map(_parameters_in, t.parts_of(term)))


def _blank(sort: Sort) -> Any:
    if isinstance(sort, SequenceOf):
        return ()
    return 0 if isinstance(sort, Natural) else ""


_LOOKED_AT: Final = {input: _looked_at(input) for input in CELL_OF}
