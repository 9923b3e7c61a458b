"""Where each cell lives in the file, and the statements that its rows of the wrapper table come to.

A row of the table becomes a `Program`: one SELECT that finds the run, reads every compared cell and locates
every written one; a check for each comparison; a statement for each write.  No call has code of its own.
"""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends.sqlite._agreement import agreed, confirm_absence, sound
from mobstore.backends.sqlite._checks import SCOPES
from mobstore.backends.sqlite._codec import decode, encode
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import Kinds, Shape, kinds
from mobstore.model import Cell, MobRunStatus, NotFound, Row, Timestamp, to_text
from mobstore.model.step import refuse_inputs
from mobstore.model.values import FlowRunState, FrameSnapshot, LoopSnapshot
from mobstore.model.wrappers import Absent, Append, Comparison, Equals, NotTerminal, Present, Put, Unknown, Write

Found: TypeAlias = tuple[Any, ...]
"""The row that a program's SELECT answers; the run's number comes first."""

Arguments: TypeAlias = Callable[[Any], Sequence[Any]]
Check: TypeAlias = Callable[[Session, Found, Any], bool]
Change: TypeAlias = Callable[[Session, Found, Any], None]

TERMINAL: Final = tuple(status.value for status in MobRunStatus if status.is_terminal)


# --- places -------------------------------------------------------------------------------------------------


@attrs.frozen
class Column:
    """A cell that is a column of the run's own row."""

    column: str
    kind: Any


@attrs.frozen
class Part:
    """A cell that is a row of its own: the part of the run that an argument names."""

    table: str
    key: str
    kind: Any
    scope: str


@attrs.frozen
class Ledger:
    """A cell that is a list of rows.  ``row`` makes the columns of an entry, and the first ``keys`` are its key."""

    table: str
    columns: tuple[str, ...]
    row: Callable[[Any], tuple[Any, ...]]
    keys: int = 0

    @property
    def insert(self) -> str:
        """The statement that appends an entry: the run twice, then the entry's columns."""
        return insert_at_end(self.table, self.columns)


def insert_at_end(table: str, columns: tuple[str, ...]) -> str:
    """Return the INSERT of a row at the end of a run's list; it takes the run twice, then the columns."""
    marks = ", ".join("?" for _ in columns)
    end = f"(SELECT coalesce(max(place) + 1, 0) FROM {table} WHERE run = ?)"
    return f"INSERT INTO {table} (run, place, {', '.join(columns)}) VALUES (?, {end}, {marks})"


def _step_row(entry: Any) -> tuple[Any, ...]:
    return entry.step_id, entry.agent_identity, entry.status.value, entry.output.text, str(entry.timestamp)


def _iteration_row(entry: Any) -> tuple[Any, ...]:
    return entry.loop_instance_id, str(entry.iteration), entry.frame_id


STEP_LEDGER: Final = Ledger(
    "step_ledger", ("step_id", "agent_identity", "status", "output", "timestamp"), _step_row, keys=3
)
LEDGERS: Final[dict[Cell, Ledger]] = {
    Cell.STEP_LEDGER: STEP_LEDGER,
    Cell.FAILURE_LEDGER: Ledger("failure_ledger", ("entry",), lambda entry: (to_text(entry),)),
    Cell.ITERATION_LEDGER: Ledger(
        "iteration_ledger", ("loop_instance_id", "iteration", "frame_id"), _iteration_row, keys=3
    ),
    Cell.AUTHORITY_LOG: Ledger("authority_inputs", ("input",), lambda entry: (to_text(entry),)),
}
PLACES: Final[dict[Cell, Column | Part | Ledger]] = {
    Cell.STATUS: Column("status", MobRunStatus),
    Cell.FLOW_STATE: Column("flow_state", FlowRunState),
    Cell.FRAME: Part("frames", "frame_id", FrameSnapshot, "frame"),
    Cell.LOOP: Part("loops", "loop_instance_id", LoopSnapshot, "loop"),
    **LEDGERS,
}

PUT_ROOT_OUTPUT: Final = (
    f"{insert_at_end('root_outputs', ('key', 'output'))} "
    "ON CONFLICT (run, key) DO UPDATE SET output = excluded.output"
)
PUT_LOOP_OUTPUT: Final = (
    f"{insert_at_end('loop_outputs', ('loop_id', 'iteration', 'key', 'output'))} "
    "ON CONFLICT (run, loop_id, iteration, key) DO UPDATE SET output = excluded.output"
)
GROW_LOOP: Final = (
    "INSERT INTO loop_iterations (run, loop_id, iterations) VALUES (?, ?, ?) "
    "ON CONFLICT (run, loop_id) DO UPDATE SET iterations = max(iterations, excluded.iterations)"
)


# --- programs -----------------------------------------------------------------------------------------------


class Program:
    """A row of the wrapper table as SQL."""

    def __init__(self, row: Row) -> None:
        reading = _Reading()
        self._checks = [_check(comparison, reading) for comparison in row.comparisons]
        self._changes = [_change(write, reading) for write in row.writes]
        self._select, self._arguments, self._shape = reading.select(), reading.arguments, reading.shape
        self._unknown = row.unknown
        self._authority = row.authority
        self._answer = True if row.answers else None

    def __call__(self, session: Session, operation: Any) -> bool | None:
        """Do the call inside a transaction; the order of its steps is that of `mobstore.model.step`."""
        parameters: list[Any] = []
        for arguments in self._arguments:
            parameters += arguments(operation)
        found = session.row(self._select, parameters, self._shape)
        if found is None:
            confirm_absence(session, SCOPES["run_id"], (operation.run_id,))
            if self._unknown is Unknown.FALSE:
                return False
            raise NotFound(f"run not found: {operation.run_id}")
        for check in self._checks:
            if not check(session, found, operation):
                return False
        if self._authority is not None:
            refuse_inputs(getattr(operation, self._authority))
        for change in self._changes:
            change(session, found, operation)
        return self._answer


class _Reading:
    """The SELECT of a program, while it is put together; each thing is read once."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {"r.seq": 0}
        self._kinds: list[Kinds] = [kinds("runs", "seq")]
        self._column_arguments: list[Arguments] = []
        self._joins: dict[str, Arguments] = {}
        self._agreements: dict[str, Arguments] = {}
        self._agree(f"r.run_id = ? AND {sound('runs', 'r')}", lambda operation: (operation.run_id,))

    def _agree(self, term: str, arguments: Arguments) -> None:
        """Ask that what is read agrees with its check."""
        self._agreements[term] = arguments

    def column(self, expression: str, holds: Kinds, arguments: Arguments | None = None) -> int:
        """Read an expression that ``holds`` so much; return its place in `Found`."""
        if expression not in self._columns:
            self._columns[expression] = len(self._columns)
            self._kinds.append(holds)
            if arguments is not None:
                self._column_arguments.append(arguments)
        return self._columns[expression]

    def part(self, part: Part) -> tuple[int, int]:
        """Read the row of a part; return the places of its id and of its snapshot, None where it is absent."""
        table, argument = part.table, operator.attrgetter(part.key)
        join = f"LEFT JOIN {table} ON {table}.run = r.seq AND {table}.{part.key} = ?"
        self._joins[join] = lambda operation: (argument(operation),)
        absent = f"{SCOPES[part.scope].total('r.seq')} = 0"
        held = f"{table}.run = r.seq AND {table}.{part.key} = ? AND {sound(table, table)}"
        self._agree(
            f"CASE WHEN {table}.id IS NULL THEN {absent} ELSE {held} END",
            lambda operation: (argument(operation),) * 2,
        )
        return self._joined(table, "id"), self._joined(table, "snapshot")

    def _joined(self, table: str, column: str) -> int:
        return self.column(f"{table}.{column}", kinds(table, column, optional=True))

    def of_run(self, column: Column) -> int:
        """Read a column of the run's own row."""
        return self.column(f"r.{column.column}", kinds("runs", column.column))

    def last(self, ledger: Ledger, keys: int, arguments: Arguments) -> int:
        """Find the last entry of a ledger that agrees in its first ``keys`` columns."""
        same = " AND ".join(f"{column} = ?" for column in ledger.columns[:keys])
        query = f"(SELECT max(place) FROM {ledger.table} WHERE run = r.seq AND {same})"
        scope = SCOPES[f"{ledger.table} by {keys}"]
        self._agree(
            f"coalesce({query} + 1, 0) = {scope.total('r.seq')}",
            lambda operation: (*arguments(operation), *arguments(operation)),
        )
        return self.column(query, kinds(ledger.table, "place", optional=True), arguments)

    @property
    def arguments(self) -> tuple[Arguments, ...]:
        """The parameters of the SELECT, in their order."""
        return (
            *self._column_arguments,
            *self._agreements.values(),
            *self._joins.values(),
            lambda operation: (operation.run_id,),
        )

    @property
    def shape(self) -> Shape:
        """What `Found` is made of."""
        return Shape.made("runs", *self._kinds, checked=True)

    def select(self) -> str:
        """Return the SELECT."""
        joins = "".join(f" {join}" for join in self._joins)
        columns = ", ".join((*self._columns, agreed(*self._agreements)))
        return f"SELECT {columns} FROM runs AS r{joins} WHERE r.run_id = ?"


def _step_key(operation: Any) -> tuple[Any, ...]:
    return (operation.step_id,)


def _entry_key(ledger: Ledger, argument: str) -> Arguments:
    """The key of the entry in an argument; of no entry, what no row agrees with."""
    none = (None,) * ledger.keys

    def key(operation: Any) -> tuple[Any, ...]:
        entry = getattr(operation, argument)
        return none if entry is None else ledger.row(entry)[: ledger.keys]

    return key


def _locate(cell: Cell, argument: str | None, reading: _Reading) -> int:
    """Read whether a cell is there; return where `Found` has it, None when it is absent."""
    if cell is Cell.STEP_OUTPUT:
        return reading.last(STEP_LEDGER, 1, _step_key)
    place = PLACES[cell]
    if isinstance(place, Column):
        return reading.of_run(place)
    if isinstance(place, Part):
        return reading.part(place)[0]
    assert argument is not None, "of a ledger, an entry is located"
    return reading.last(place, place.keys, _entry_key(place, argument))


# --- comparisons --------------------------------------------------------------------------------------------


def _check(comparison: Comparison, reading: _Reading) -> Check:
    if isinstance(comparison, Equals):
        return _equals(comparison, reading)
    if isinstance(comparison, NotTerminal):
        status = _locate(comparison.cell, None, reading)
        return lambda _session, found, _operation: found[status] not in TERMINAL
    at = _locate(comparison.cell, comparison.argument if isinstance(comparison, Absent) else None, reading)
    if isinstance(comparison, Absent):
        return lambda _session, found, _operation: found[at] is None
    return _present(comparison, at)


def _present(comparison: Present, at: int) -> Check:
    def check(_session: Session, found: Found, operation: Any) -> bool:
        if found[at] is None:
            raise comparison.error(operation)
        return True

    return check


def _equals(comparison: Equals, reading: _Reading) -> Check:
    place = PLACES[comparison.cell]
    assert not isinstance(place, Ledger), "ledgers are not compared as a whole"
    at = reading.part(place)[1] if isinstance(place, Part) else reading.of_run(place)
    expected, kind, name = operator.attrgetter(comparison.argument), place.kind, comparison.cell.value

    def check(session: Session, found: Found, operation: Any) -> bool:
        held, wanted = found[at], expected(operation)
        if held is None or wanted is None:
            return held is wanted
        if held == _text(session, wanted):
            return True
        # Equal values have equal texts of ours; a text that somebody else wrote is compared as a value.
        return bool(decode(kind, _quoted(kind, held), session.shown, f"{name} of run {operation.run_id}") == wanted)

    return check


def _text(session: Session, value: Any) -> str:
    return value if isinstance(value, str) else session.texts.of(value)


def _quoted(kind: Any, text: str) -> str:
    """The JSON of a column: a status stands in its column without quotes."""
    return encode(text) if kind is MobRunStatus else text


# --- writes -------------------------------------------------------------------------------------------------


def _change(write: Write, reading: _Reading) -> Change:
    argument = operator.attrgetter(write.argument)
    if isinstance(write, Append):
        return _append(write, argument, reading)
    if write.cell in _PUT:
        return _PUT[write.cell](write, argument, reading)
    place = PLACES[write.cell]
    assert isinstance(place, Part), "every other cell has a way of its own to be put"
    return _put_part(place, argument, reading)


def _append(write: Append, argument: Callable[[Any], Any], reading: _Reading) -> Change:
    ledger = LEDGERS[write.cell]
    insert, row = ledger.insert, ledger.row
    if write.many:
        return lambda session, found, operation: session.change_many(
            insert, ((found[0], found[0], *row(entry)) for entry in argument(operation))
        )
    stands = _locate(write.cell, write.argument, reading) if write.once else None

    def append(session: Session, found: Found, operation: Any) -> None:
        entry = argument(operation)
        if stands is None or (entry is not None and found[stands] is None):
            session.change(insert, (found[0], found[0], *row(entry)))

    return append


def _put_part(part: Part, argument: Callable[[Any], Any], reading: _Reading) -> Change:
    at = reading.part(part)[0]
    key = operator.attrgetter(part.key)
    update = f"UPDATE {part.table} SET snapshot = ? WHERE id = ?"
    insert = f"INSERT INTO {part.table} (run, {part.key}, snapshot) VALUES (?, ?, ?)"

    def put(session: Session, found: Found, operation: Any) -> None:
        text = session.texts.of(argument(operation))
        if found[at] is None:
            session.change(insert, (found[0], key(operation), text))
        else:
            session.change(update, (text, found[at]))

    return put


def _put_status(_write: Put, argument: Callable[[Any], Any], _reading: _Reading) -> Change:
    update = "UPDATE runs SET status = ?, completed_at = coalesce(completed_at, ?) WHERE seq = ?"

    def put(session: Session, found: Found, operation: Any) -> None:
        status = argument(operation)
        now = str(Timestamp.from_nanos(session.clock())) if status.is_terminal else None
        session.change(update, (status.value, now, found[0]))

    return put


def _put_flow_state(_write: Put, argument: Callable[[Any], Any], _reading: _Reading) -> Change:
    update = "UPDATE runs SET flow_state = ? WHERE seq = ?"
    return lambda session, found, operation: session.change(
        update, (session.texts.of(argument(operation)), found[0])
    )


def _put_step_output(write: Put, argument: Callable[[Any], Any], reading: _Reading) -> Change:
    at = _locate(write.cell, None, reading)
    update = "UPDATE step_ledger SET output = ? WHERE run = ? AND place = ?"
    return lambda session, found, operation: session.change(update, (argument(operation).text, found[0], found[at]))


def _put_output(_write: Put, argument: Callable[[Any], Any], _reading: _Reading) -> Change:
    def put(session: Session, found: Found, operation: Any) -> None:
        run, key, output = found[0], operation.step_output_key, argument(operation).text
        if operation.loop_context is None:
            session.change(PUT_ROOT_OUTPUT, (run, run, key, output))
            return
        loop_id, iteration = operation.loop_context
        session.change(GROW_LOOP, (run, loop_id, iteration + 1))
        session.change(PUT_LOOP_OUTPUT, (run, run, loop_id, iteration, key, output))

    return put


_PUT: Final[dict[Cell, Callable[[Put, Callable[[Any], Any], _Reading], Change]]] = {
    Cell.STATUS: _put_status,
    Cell.FLOW_STATE: _put_flow_state,
    Cell.STEP_OUTPUT: _put_step_output,
    Cell.OUTPUT: _put_output,
}
