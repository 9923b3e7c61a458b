"""Real SQLite connections whose every statement is a step.

A connection made here stops before each statement that a client sends, and says afterwards what the statement read
and wrote.  SQLite does not wait: where it says that the file is busy, and would have waited with a time-out, the
client is blocked until some transaction ends, and then sends the statement again.

What a statement reads and writes is what SQLite's authorizer was told when it compiled it, table by table and
column by column, named by the cells of the wrapper table where it is one of ours.  Whether that concerns anybody
else follows from the transaction, on a file with a write-ahead log:

- ``BEGIN IMMEDIATE`` takes the lock; within that transaction reads and writes are nobody else's concern, for no
  other can commit before it ends and none sees what it has not committed; ``COMMIT`` publishes what was written.
- The first read of another transaction takes its snapshot, and so reads the committed state as a whole; its other
  reads see that snapshot, whatever happens.
- A statement outside a transaction is a transaction of its own.

With any other journal mode readers and writers lock each other out, and every statement counts as reading and
writing everything.
"""

from __future__ import annotations

import functools
import sqlite3
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends.sqlite._cells import PLACES, Column, Part
from mobstore.backends.sqlite._checks import install
from mobstore.model import Cell
from mobstore.properties.schedules.footprint import COMMITTED, LOCK, Footprint
from mobstore.properties.schedules.scheduler import Scheduler

_INSERT, _UPDATE, _DELETE, _READ = (
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_UPDATE,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_READ,
)
_EVERYTHING: Final = Footprint(frozenset((COMMITTED, LOCK)), frozenset((COMMITTED, LOCK)))
_TAKES_LOCK: Final = Footprint(frozenset((COMMITTED,)), frozenset((LOCK,)))
_RETURNS_LOCK: Final = Footprint(writes=frozenset((LOCK,)))
_FINDS_LOCK: Final = Footprint(frozenset((LOCK,)))
_SNAPSHOT: Final = Footprint(frozenset((COMMITTED,)))
_PUBLISHED: Final = frozenset((COMMITTED, LOCK))


def _cells() -> Mapping[str, Mapping[str, str]]:
    """The cells by table and column; the column "" stands for the table's rows."""
    cells: dict[str, dict[str, str]] = {}
    for cell, place in PLACES.items():
        if isinstance(place, Column):
            cells.setdefault("runs", {})[place.column] = str(cell)
        else:
            columns = cells.setdefault(place.table, {})
            columns[""] = str(cell)
            if not isinstance(place, Part):
                columns.update(dict.fromkeys(place.columns, str(cell)))
    cells["runs"]["completed_at"] = cells["runs"]["status"]
    return cells | {table: {"": str(Cell.OUTPUT)} for table in ("root_outputs", "loop_outputs", "loop_iterations")}


_CELLS: Final = _cells()


@attrs.frozen
class Effect:
    """What a statement reads and writes, by the names of cells, and the tables that it writes."""

    reads: frozenset[str]
    writes: frozenset[str]
    tables: frozenset[str]


def _object(table: str, column: str) -> str:
    columns = _CELLS.get(table, {})
    return columns.get(column) or columns.get("") or table


class Control:
    """What the connections to one file have in common."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.ended = 0
        self.written: set[str] = set()
        self.by_log = True
        self.effects: dict[str, Effect] = {}
        self._connections: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def connect(self, database: str, **options: Any) -> sqlite3.Connection:
        """Open a connection under control; to be called as ``sqlite3.connect`` is."""
        options |= {"timeout": 0.0, "factory": functools.partial(_Connection, self)}
        connection: _Connection = sqlite3.connect(database, **options)
        self._connections.add(connection)
        return connection

    def settle(self) -> None:
        """Roll back what an execution that was given up has left open."""
        for connection in self._connections:
            if connection.transaction and connection.in_transaction:
                connection.execute("ROLLBACK")


class _Connection(sqlite3.Connection):
    """A connection whose cursors stop before every statement."""

    def __init__(self, control: Control, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.control = control
        self.transaction = ""
        self.pending = Effect(frozenset(), frozenset(), frozenset())
        self._told: list[tuple[int, str | None, str | None]] = []
        self.set_authorizer(self._tell)

    def _tell(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        self._told.append((action, first, second))
        return sqlite3.SQLITE_OK

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor under control."""
        return super().cursor(_Cursor if factory is None else factory)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Send a statement with a cursor of its own, which is under control, too."""
        return self.cursor().execute(sql, parameters)

    def effect(self, sql: str) -> Effect:
        """Return what a statement that was just compiled for the first time reads and writes."""
        reads, writes, tables = set(), set(), set()
        for action, table, column in self._told:
            # What is in the checks follows from the other tables, beside which alone it is read and written.
            if table is None or table.startswith("sqlite_") or table == _CHECKS:
                continue
            if action == _READ:
                reads.add(_object(table, column or ""))
            elif action in (_INSERT, _DELETE):
                # A row that comes or goes is a change of each of its columns.
                tables.add(table)
                writes |= {table, *_CELLS.get(table, {}).values()} if table == "runs" else {_object(table, "")}
            elif action == _UPDATE:
                tables.add(table)
                writes.add(_object(table, column or ""))
        effect = Effect(frozenset(reads), frozenset(writes), frozenset(tables))
        self.control.effects[sql] = effect
        return effect

    def forget(self) -> None:
        """Forget what the authorizer was told so far."""
        self._told.clear()


class _Cursor(sqlite3.Cursor):
    """A cursor that stops before every statement."""

    connection: _Connection

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Send a statement, as a step of the client whose turn it is."""
        connection = self.connection
        control = connection.control
        scheduler = control.scheduler
        if scheduler.current is None:
            # Nobody's step: the storage is opened, looked at, or an execution is given up.
            connection.transaction = ""
            connection.forget()
            super().execute(sql, parameters)
            control.written |= (control.effects.get(sql) or connection.effect(sql)).tables
            return self
        label = shown(sql)
        scheduler.point(label)
        while True:
            waits = connection.transaction in ("", "deferred")
            connection.forget()
            try:
                super().execute(sql, parameters)
            except sqlite3.OperationalError as error:
                if not waits or error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    scheduler.touch(_EVERYTHING)
                    raise
            else:
                break
            seen = control.ended
            scheduler.relabel(": busy")
            scheduler.touch(_FINDS_LOCK)
            scheduler.point(label, lambda: control.ended == seen)  # noqa: B023
        scheduler.touch(_account(connection, sql, control.effects.get(sql) or connection.effect(sql)))
        return self


def _account(connection: _Connection, sql: str, effect: Effect) -> Footprint:
    """Note what a statement made of the connection's transaction; return what it is to the others."""
    control, held = connection.control, connection.transaction
    if not connection.in_transaction:
        connection.transaction = ""
        return _ended(connection, held, sql) if held else _alone(control, effect)
    if not held:
        connection.pending = Effect(frozenset(), frozenset(), frozenset())
        connection.transaction = "deferred" if _word(sql, 1) in ("", "DEFERRED", "TRANSACTION") else "write"
        footprint = Footprint.EMPTY if connection.transaction == "deferred" else _TAKES_LOCK
    elif effect.tables:
        pending = connection.pending
        connection.pending = Effect(pending.reads, pending.writes | effect.writes, pending.tables | effect.tables)
        connection.transaction = "write"
        footprint = Footprint.EMPTY if held == "write" else _TAKES_LOCK
    elif held == "deferred" and effect.reads:
        connection.transaction = "snapshot"
        footprint = _SNAPSHOT
    else:
        footprint = Footprint.EMPTY
    return footprint if control.by_log else _EVERYTHING


def _ended(connection: _Connection, held: str, sql: str) -> Footprint:
    control, pending = connection.control, connection.pending
    if not control.by_log:
        control.ended += 1
        control.written |= pending.tables
        return _EVERYTHING
    if held != "write":
        return Footprint.EMPTY
    control.ended += 1
    if _word(sql, 0) == "ROLLBACK" or not pending.tables:
        return _RETURNS_LOCK
    control.written |= pending.tables
    return Footprint(writes=pending.writes | _PUBLISHED)


def _alone(control: Control, effect: Effect) -> Footprint:
    """A statement that is a transaction of its own."""
    if effect.tables:
        control.ended += 1
        control.written |= effect.tables
        footprint = Footprint(effect.reads | {COMMITTED}, effect.writes | _PUBLISHED)
    else:
        footprint = Footprint(effect.reads)
    return footprint if control.by_log else _EVERYTHING


@functools.lru_cache(4096)
def shown(sql: str) -> str:
    """Return a statement on one line."""
    return " ".join(sql.split())


def _word(sql: str, place: int) -> str:
    words = sql.split(None, place + 1)
    return words[place].upper() if len(words) > place else ""


_CHECKS: Final = "checks"

Rows: TypeAlias = Mapping[str, Sequence[tuple[Any, ...]]]
"""What a file holds, table by table."""


class Restorer:
    """Puts a file back to what it held when that was last remembered; reads only the tables that were written."""

    def __init__(self, path: str, control: Control) -> None:
        self._control = control
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = OFF")
        # The checks are put back as they were, whatever the triggers make of the rows that are put back.
        install(self._connection)
        control.by_log = self._connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        names = self._connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        # Without the columns that follow from others.
        self._columns = {name: self._columns_of(name) for (name,) in names}
        self._held: Rows = {}
        self.remember()

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(self._columns[table])} FROM {table}"  # noqa: S608 - names of the schema
        return self._connection.execute(query).fetchall()

    def _columns_of(self, table: str) -> Sequence[str]:
        return [name for (_, name, *_) in self._connection.execute(f"PRAGMA table_info({table})")]

    def _insert(self, table: str) -> str:
        columns = self._columns[table]
        marks = ", ".join("?" for _ in columns)
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of the schema

    def remember(self) -> Rows:
        """Remember what the file holds now, and return it."""
        self._held = {table: self._rows(table) for table in self._columns}
        self._control.written.clear()
        return self._held

    def found(self) -> tuple[Any, ...]:
        """Return what the tables hold that were written, by value."""
        return tuple((table, *self._rows(table)) for table in sorted(self._control.written))

    def restore(self) -> None:
        """Put back what was written since."""
        self._control.settle()
        if self._control.written:
            written = (*self._control.written, *self._held.keys() & {_CHECKS})
            self.put({table: self._held[table] for table in written})
            self._control.written.clear()

    def put(self, rows: Rows) -> None:
        """Let these tables hold just these rows."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for table, held in sorted(rows.items(), key=lambda item: item[0] == _CHECKS):
            execute(f"DELETE FROM {table}")  # noqa: S608 - a name of the schema
            self._connection.executemany(self._insert(table), held)
        execute("COMMIT")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
