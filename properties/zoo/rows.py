"""The mutants of the wrapper table as backends: each in memory and, by the same row, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from mobstore.backends.sqlite._cells import Program
from mobstore.backends.sqlite._session import Session
from mobstore.model.step import row_handler
from mobstore.properties.mutants import MUTANTS
from mobstore.properties.zoo.backend import BrokenBackend, Handlers, Kind, SqliteHandlers, in_memory, on_sqlite


def backends() -> Iterator[BrokenBackend]:
    """Iterate over the backends that serve one mutant each."""
    for mutant in MUTANTS:
        changed: Handlers = {mutant.original.operation: row_handler(mutant.row)}
        backend = in_memory(mutant.name, mutant.mistake, "rows", changed, Kind.MEMORY_ROW)
        yield attrs.evolve(backend, group=mutant.kind)
    for mutant in MUTANTS:
        name, program = f"sqlite-{mutant.name}", Program(mutant.row)
        changed_sql: SqliteHandlers = {mutant.original.operation: (Session.write, program)}
        backend = on_sqlite(name, mutant.mistake, "rows", changed_sql, kind=Kind.SQLITE_ROW)
        yield attrs.evolve(backend, group=mutant.kind)
