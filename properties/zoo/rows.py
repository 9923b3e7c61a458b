"""Broken backends made from the wrapper table, each in memory and, by the same row, on SQLite.

The mutants of the rows (`mutants`), and rows that are done in the wrong order: in two calls instead of one, a
ledger beside the comparison instead of after it, authority inputs refused too early, too late or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite._cells import Program
from mobstore.backends.sqlite._session import COMMIT, Body, Session
from mobstore.model import Operation
from mobstore.model.step import HANDLERS, Handler, refuse_inputs, row_handler
from mobstore.model.values import OtherMachineInput
from mobstore.model.wrappers import ROWS, Append, Cell, Row
from mobstore.properties.mutants import MUTANTS, without_write
from mobstore.properties.zoo.backend import BrokenBackend, Handlers, Kind, SqliteHandlers, in_memory, on_sqlite

CHAPTER: Final = "rows"


def backends() -> Iterator[BrokenBackend]:
    """Iterate over the backends that serve one row wrongly each."""
    for mutant in MUTANTS:
        handler, program = row_handler(mutant.row), Program(mutant.row)
        yield from _both(mutant.name, mutant.mistake, mutant.kind, mutant.original, handler, program)
    for row in ROWS:
        yield from _in_two_calls(row)
        yield from _beside(row)
        if row.authority is not None:
            yield from _inputs(row, row.authority)


def _both(
    name: str,
    mistake: str,
    group: str,
    row: Row,
    handler: Handler,
    body: Body,
    *,
    perform: Callable[..., Any] = Session.write,
    engine: Callable[..., Any] = MemoryEngine,
) -> Iterator[BrokenBackend]:
    changed: Handlers = {row.operation: handler}
    found = in_memory(name, mistake, CHAPTER, changed, kind=Kind.MEMORY_ROW, engine=engine)
    yield attrs.evolve(found, group=group)
    changed_sql: SqliteHandlers = {row.operation: (perform, body)}
    found = on_sqlite(f"sqlite-{name}", mistake, CHAPTER, changed_sql, kind=Kind.SQLITE_ROW)
    yield attrs.evolve(found, group=group)


def _name(row: Row, what: str) -> str:
    return f"{row.name.replace('_', '-')}-{what}"


# --- one call made of two -----------------------------------------------------------------------------------


def _then(first: Row, second: Row) -> tuple[Handler, Body]:
    """What a row comes to that is done as two, one after the other, where the second is refused by itself."""
    handlers, programs = (row_handler(first), row_handler(second)), (Program(first), Program(second))

    def handle(state: Any, op: Any, now: int) -> tuple[Any, Any]:
        state, answer = handlers[0](state, op, now)
        return (state, answer) if answer is False else handlers[1](state, op, now)

    def perform(session: Session, op: Any) -> Any:
        answer = programs[0](session, op)
        return answer if answer is False else programs[1](session, op)

    return handle, perform


def _in_two_calls(row: Row) -> Iterator[BrokenBackend]:
    if len({item.cell for item in row.comparisons}) < 2:
        return
    cell = row.comparisons[0].cell
    first = attrs.evolve(
        row,
        comparisons=tuple(item for item in row.comparisons if item.cell is cell),
        writes=tuple(item for item in row.writes if item.cell is cell),
    )
    second = attrs.evolve(
        row,
        comparisons=tuple(item for item in row.comparisons if item.cell is not cell),
        writes=tuple(item for item in row.writes if item.cell is not cell),
    )
    mistake = f"{row.name} compares and writes the {cell.value} first, and then all else"
    yield from _both(_name(row, "in-two-calls"), mistake, "done in two calls", row, *_then(first, second))


def _beside(row: Row) -> Iterator[BrokenBackend]:
    """The ledger gets its entry whether or not the comparisons hold."""
    for item in row.writes:
        if row.comparisons and isinstance(item, Append) and item.cell is not Cell.STEP_LEDGER:
            first = attrs.evolve(row, comparisons=(), writes=(item,))
            name = _name(row, f"{item.cell.value.replace(' ', '-')}-beside-it")
            mistake = f"{row.name} appends to the {item.cell.value} before it compares"
            yield from _both(name, mistake, "ledger beside the call", row, *_then(first, without_write(row, item)))


# --- authority inputs ---------------------------------------------------------------------------------------


def _inputs(row: Row, authority: str) -> Iterator[BrokenBackend]:
    yield from _refused_early(row, authority)
    yield from _refused_late(row, authority)
    yield from _dropped(row, authority)


def _refused_early(row: Row, authority: str) -> Iterator[BrokenBackend]:
    def refusing(done: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any) -> Any:
            refuse_inputs(getattr(arguments[1], authority))
            return done(*arguments)

        return do

    mistake = f"{row.name} refuses an input before it has looked for the run and compared"
    handler, body = refusing(row_handler(row)), refusing(Program(row))
    yield from _both(_name(row, "inputs-refused-early"), mistake, "inputs refused too early", row, handler, body)


class _KeepsWhatErrs(MemoryEngine):
    """Writes into its state while it does a call, so that an error leaves there what was written before it."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call as if it had no inputs, and look at them afterwards."""
        store, handle = self._calls[type(operation)]
        inputs = getattr(operation, "authority_inputs", ())
        if handle is not HANDLERS[type(operation)] and any(type(item) is OtherMachineInput for item in inputs):
            with store.lock:
                plain = attrs.evolve(operation, authority_inputs=())  # type: ignore[misc]
                store.state, answer = HANDLERS[type(operation)](store.state, plain, self._clock())
            if answer:
                refuse_inputs(inputs)
            return answer
        return super().execute(operation)


def _commit_whatever_happens(session: Session, body: Body, operation: Any) -> Any:
    """Commit in a ``finally``, where a rollback belongs."""

    def doing(session: Session, operation: Any) -> Any:
        try:
            return body(session, operation)
        except Exception:
            session._send(COMMIT)  # noqa: SLF001 - the mistake
            raise

    return Session.write(session, doing, operation)


def _refused_late(row: Row, authority: str) -> Iterator[BrokenBackend]:
    plain = Program(without_write(row, next(item for item in row.writes if item.cell is Cell.AUTHORITY_LOG)))
    whole, handler = Program(row), row_handler(row)

    def body(session: Session, operation: Any) -> Any:
        inputs = getattr(operation, authority)
        if not any(type(item) is OtherMachineInput for item in inputs):
            return whole(session, operation)
        answer = plain(session, operation)
        if answer:
            refuse_inputs(inputs)
        return answer

    yield from _both(
        _name(row, "inputs-refused-late"),
        f"{row.name} refuses an input when it has written all else, which stays",
        "inputs refused too late",
        row,
        handler,
        body,
        perform=_commit_whatever_happens,
        engine=_KeepsWhatErrs,
    )


def _dropped(row: Row, authority: str) -> Iterator[BrokenBackend]:
    def dropping(done: Callable[..., Any]) -> Callable[..., Any]:
        def do(state: Any, operation: Any, *now: Any) -> Any:
            known = tuple(item for item in getattr(operation, authority) if type(item) is not OtherMachineInput)
            return done(state, attrs.evolve(operation, **{authority: known}), *now)

        return do

    mistake = f"{row.name} leaves out the inputs that it does not know"
    handler, body = dropping(row_handler(row)), dropping(Program(row))
    yield from _both(_name(row, "inputs-left-out"), mistake, "unknown inputs left out", row, handler, body)
