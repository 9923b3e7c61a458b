"""The cells of our stores: what the calls of one run, mob or name compared, saw and wrote, for the checker.

A run has the cells of the wrapper table; specs and profiles have their revision, the event store has its last
cursor, and a supervisor authority is a cell of its own.  Cells order the changes.  They need not say all that an
answer says: what an order allows is judged on whole states.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from mobstore.model import ROWS, MobRun, Operation
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT
from mobstore.model.wrappers import Absent, Cell, Equals, NotTerminal, Put, Row
from mobstore.properties.linearizability import history as histories
from mobstore.properties.linearizability.history import History
from mobstore.properties.linearizability.models import BLIND, Facts, Kind, change_or_read

_ROWS: Final[Mapping[type[Operation[Any]], Row]] = {row.operation: row for row in ROWS}
_CELLS: Final = (Cell.STATUS, Cell.FLOW_STATE, Cell.FRAME, Cell.LOOP)
"""The cells whose whole contents a call compares or a run shows."""

Fact: TypeAlias = tuple[Kind, Any, Any]
"""What a call is, what it expects, and what it writes."""
_NOTHING: Final[Fact] = (Kind.READ, {}, {})
"""An observer of which the cells say nothing."""


def facts(history: History, rows: Sequence[int], state: Any) -> Facts | None:
    """Return the facts of the calls of one object of the stores; None where no cell orders its changes."""
    operations = [history.value[row] for row in rows]
    if operations[0].store == "run":
        return _run_facts(history, rows, operations, state)
    if operations[0].store == "metadata":
        return _authority_facts(history, rows, operations, state)
    return _number_facts(history, rows, operations, state)


def _told(history: History, row: int) -> Any:
    """The outcome of a call, None where nobody knows it."""
    return history.answer[row] if history.outcome[row] is histories.Outcome.OK else None


# --- numbers that a store gives ---------------------------------------------------------------------------------


def _number_facts(
    history: History, rows: Sequence[int], operations: Sequence[Operation[Any]], state: Any
) -> Facts | None:
    """The revision of a spec or profile, or the last cursor of the events, is a cell that every change moves."""
    noted: list[Fact] = []
    for row, operation in zip(rows, operations, strict=True):
        note = _NUMBERS.get(type(operation))
        fact = None if note is None else note(operation, _told(history, row))
        if fact is None:
            return None
        noted.append(fact)
    first = operations[0]
    number, events = state.event.next_cursor - 1, state.event.events
    if first.store == "event" and len(events) and events[-1].cursor != number:
        return None  # the last event was pruned: what is listed last does not say how many there were
    if first.store == "spec":
        number = (state.spec.specs.get(first.mob_id) or (None, 0))[1]  # type: ignore[attr-defined]
    elif first.store == "profile":
        number = getattr(state.profile.profiles.get(first.name), "revision", 0)  # type: ignore[attr-defined]
    kinds, expects, writes = zip(*noted, strict=True)
    return Facts(kinds, expects, writes, {_NUMBER: number}, frozenset({_NUMBER}))


_NUMBER: Final = "number"


def _moved(before: int, after: int, kind: Kind = Kind.CHANGE) -> Fact:
    return kind, {_NUMBER: before}, {_NUMBER: after}


def _saw(number: int) -> Fact:
    return Kind.READ, {_NUMBER: number}, {}


def _put_spec(operation: ops.PutSpec, told: Any) -> Fact | None:
    if told is None:
        given = operation.revision
        return None if given is None else _moved(given, given + 1, Kind.MAYBE)
    return _NOTHING if told.kind is not None else _moved(told.value - 1, told.value)


def _delete(_operation: Any, told: Any) -> Fact | None:
    """Behind a deletion revisions start again."""
    refused = told is not None and (told.kind is not None or told.value is False)
    return _NOTHING if refused else None


def _get(_operation: Any, told: Any) -> Fact:
    held = told.value
    return _saw(0 if held is None else held[1] if isinstance(held, tuple) else held.revision)


def _update(operation: Any, told: Any) -> Fact:
    before = getattr(operation, "expected_revision", 0)
    if told is None:
        return _moved(before, before + 1, Kind.MAYBE)
    return _NOTHING if told.kind is not None else _moved(told.value.revision - 1, told.value.revision)


def _append(_operation: Any, told: Any) -> Fact | None:
    if told is None:
        return None
    events = told.value if isinstance(told.value, tuple) else (told.value,)
    if told.kind is not None or told.value is None or not events:
        return _NOTHING
    return _moved(events[0].cursor - 1, events[-1].cursor)


def _replay(_operation: Any, told: Any) -> Fact:
    return _saw(told.value[-1].cursor) if told.kind is None and told.value else _NOTHING


def _poll(operation: ops.Poll, told: Any) -> Fact:
    return _replay(operation, told) if told.kind is None and len(told.value) < operation.limit else _NOTHING


def _latest(_operation: Any, told: Any) -> Fact:
    return _saw(told.value) if told.kind is None and told.value else _NOTHING


_NUMBERS: Final[Mapping[type[Operation[Any]], Callable[[Any, Any], Fact | None]]] = {
    ops.PutSpec: _put_spec,
    ops.GetSpec: _get,
    ops.DeleteSpec: _delete,
    ops.CreateProfile: _update,
    ops.UpdateProfile: _update,
    ops.GetProfile: _get,
    ops.DeleteProfile: _delete,
    ops.Append: _append,
    ops.AppendTerminalEventIfAbsent: _append,
    ops.AppendBatch: _append,
    ops.ReplayAll: _replay,
    ops.Poll: _poll,
    ops.LatestCursor: _latest,
}


# --- supervisor authorities -------------------------------------------------------------------------------------


def _authority_facts(
    history: History, rows: Sequence[int], operations: Sequence[Operation[Any]], state: Any
) -> Facts | None:
    """The record is the one cell, None where there is none."""
    noted: list[Fact] = []
    for row, operation in zip(rows, operations, strict=True):
        fact = _authority_fact(operation, _told(history, row))
        if fact is None:
            return None
        noted.append(fact)
    kinds, expects, writes = zip(*noted, strict=True)
    held = state.metadata.authorities.get(operations[0].mob_id)  # type: ignore[attr-defined]
    return Facts(kinds, expects, writes, held)


def _authority_fact(operation: Operation[Any], told: Any) -> Fact | None:
    if told is not None and told.kind is not None:
        return None
    if isinstance(operation, ops.LoadSupervisorAuthority):
        return Kind.READ, told.value, None
    changes = Kind.MAYBE if told is None else Kind.CHANGE
    if isinstance(operation, ops.PutSupervisorAuthority):
        return changes, BLIND, operation.record
    if isinstance(operation, ops.DeleteSupervisorAuthority):
        return changes, BLIND, None
    if not isinstance(operation, (ops.CompareAndPutSupervisorAuthority, ops.PutSupervisorAuthorityIfAbsent)):
        return None
    expected = getattr(operation, "expected", None)
    if told is not None and told.value is False:
        return Kind.FAILED, expected, None
    same = told is not None and expected == operation.record
    return Kind.READ if same else changes, expected, operation.record


# --- runs -------------------------------------------------------------------------------------------------------


def _run_facts(
    history: History, rows: Sequence[int], operations: Sequence[Operation[Any]], state: Any
) -> Facts | None:
    run_ids = {getattr(operation, "run_id", None) for operation in operations}
    run = state.run.runs.get(next(iter(run_ids))) if len(run_ids) == 1 else None
    if run is None or any(type(operation) not in (ops.GetRun, *_ROWS) for operation in operations):
        return None
    return _RunFacts(history, rows, run).facts()


_Cell = tuple[Cell, Hashable]


class _RunFacts:
    """What the calls of one run compared, saw and wrote, read from their rows of the wrapper table."""

    def __init__(self, history: History, rows: Sequence[int], run: MobRun) -> None:
        self._history, self._rows, self._run = history, rows, run
        self._operations: dict[_Cell, Operation[Any]] = {}  # of each cell, a call that is about it
        self._kinds: list[Kind] = []
        self._expects: list[Mapping[_Cell, Any]] = []
        self._writes: list[Mapping[_Cell, Any]] = []

    def facts(self) -> Facts:
        """Return the facts; of what is no whole cell they say nothing."""
        operations = [self._history.value[row] for row in self._rows]
        for operation in operations:
            table = _ROWS.get(type(operation))
            for part in () if table is None else (*table.comparisons, *table.writes):
                if part.cell in _CELLS:
                    self._operations[_cell(part.cell, operation)] = operation
        for row, operation in zip(self._rows, operations, strict=True):
            kind, expected, written = self._fact(row, operation)
            self._kinds.append(kind)
            self._expects.append(expected)
            self._writes.append(written)
        initial = {cell: CURRENT[cell[0]](self._run, operation) for cell, operation in self._operations.items()}
        return Facts(self._kinds, self._expects, self._writes, initial, frozenset(initial))

    def _fact(self, row: int, operation: Operation[Any]) -> Fact:
        told = _told(self._history, row)
        if told is not None and told.kind is not None:
            return _NOTHING
        if isinstance(operation, ops.GetRun):
            run: MobRun | None = None if told is None else told.value
            if run is None:
                return _NOTHING
            return Kind.READ, {cell: CURRENT[cell[0]](run, each) for cell, each in self._operations.items()}, {}
        table = _ROWS[type(operation)]
        expected, written = _expected(table, operation), _written(table, operation)
        if told is None:
            return Kind.MAYBE, expected, written
        if told.value is False:
            whole = all(isinstance(part, NotTerminal) or part.cell in _CELLS for part in table.comparisons)
            return (Kind.FAILED, expected, {}) if whole else _NOTHING
        whole = all(isinstance(part, Put) and part.cell in _CELLS for part in table.writes)
        return change_or_read(expected, written) if whole else Kind.CHANGE, expected, written


def _cell(cell: Cell, operation: Any) -> _Cell:
    if cell is Cell.FRAME:
        return cell, operation.frame_id
    return cell, operation.loop_instance_id if cell is Cell.LOOP else None


def _expected(table: Row, operation: Any) -> dict[_Cell, Any]:
    """What a call compares; a status that is compared as terminal, and may not be, is one that never stands."""
    expected: dict[_Cell, Any] = {}
    for part in table.comparisons:
        if isinstance(part, (Equals, Absent)) and part.cell in _CELLS:
            argument = getattr(operation, part.argument) if isinstance(part, Equals) else None
            expected[_cell(part.cell, operation)] = argument
    status = expected.get((Cell.STATUS, None))
    if status is not None and status.is_terminal and NotTerminal() in table.comparisons:
        expected[Cell.STATUS, None] = _NEVER
    return expected


_NEVER: Final = object()


def _written(table: Row, operation: Any) -> dict[_Cell, Any]:
    puts = (part for part in table.writes if isinstance(part, Put) and part.cell in _CELLS)
    return {_cell(part.cell, operation): getattr(operation, part.argument) for part in puts}
