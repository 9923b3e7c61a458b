"""What a broken backend is, and how one is opened."""

from __future__ import annotations

import enum
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite import HANDLERS as SQLITE_HANDLERS
from mobstore.backends.sqlite import Handler as SqliteHandler
from mobstore.backends.sqlite import SqliteEngine
from mobstore.model import Internal, MobStoreError, Operation
from mobstore.model.step import HANDLERS, Handler
from mobstore.properties.subject import IN_MEMORY, Factory, removed

Handlers: TypeAlias = Mapping[type[Operation[Any]], Handler]
SqliteHandlers: TypeAlias = Mapping[type[Operation[Any]], SqliteHandler]

BUSY_TIMEOUT: Final = 0.2
"""How many seconds a broken backend on SQLite waits for its turn: some of them leave a lock behind."""


class Kind(enum.StrEnum):
    """Where a broken backend comes from, and where it keeps its data."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    MEMORY_ROW = "a row, in memory"
    SQLITE_ROW = "a row, on SQLite"


@attrs.frozen
class BrokenBackend:
    """A backend with one mistake, a plausible one.

    ``chapter`` is the one that must reject it, ``group`` what it is summed up with, if anything; calling it makes a
    factory, as `Context.make` does.
    """

    name: str
    mistake: str
    chapter: str
    kind: Kind
    make: Callable[[], Factory]
    group: str = ""

    def __call__(self) -> Factory:
        """Return a factory of it."""
        return self.make()


class BrokenInMemory:
    """Opens a broken backend in memory: every handle is on one storage."""

    def __init__(self, name: str, storage: Callable[[Clock], Stores]) -> None:
        self.name = name
        self._storage = storage
        self._stores: Stores | None = None

    def open(self, clock: Clock) -> Stores:
        """Return a handle on the one storage."""
        if self._stores is None:
            self._stores = self._storage(clock)
        return self._stores

    def destroy(self) -> None:
        """Forget the storage."""
        self._stores = None


class BrokenOnSqlite:
    """Opens a broken backend on a new file: every handle is an engine of its own."""

    def __init__(self, name: str, engine: Callable[..., Any]) -> None:
        self.name = name
        self._engine = engine
        self._scratch: Path | None = None
        self._open: list[Stores] = []

    def open(self, clock: Clock) -> Stores:
        """Return a handle with connections of its own."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="mobstore-zoo-", dir=IN_MEMORY))
        stores = Stores(self._engine(self._scratch / "stores.db", clock=clock, busy_timeout=BUSY_TIMEOUT))
        self._open.append(stores)
        return stores

    def destroy(self) -> None:
        """Close the handles and delete the file."""
        while self._open:
            self._open.pop().close()
        if self._scratch is not None:
            removed(self._scratch)
            self._scratch = None


class ErrorsFlattened:
    """Stands before an engine in the order of its classes: every error is one of one kind."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call."""
        try:
            return super().execute(operation)  # type: ignore[misc]
        except MobStoreError as error:
            raise Internal(str(error)) from error


def in_memory(
    name: str,
    mistake: str,
    chapter: str,
    changed: Handlers | None = None,
    *,
    kind: Kind = Kind.MEMORY,
    engine: Callable[..., Any] = MemoryEngine,
) -> BrokenBackend:
    """Return the memory backend with some calls done otherwise, or with another engine."""
    handlers = {**HANDLERS, **(changed or {})}

    def make() -> Factory:
        return BrokenInMemory(name, lambda clock: Stores(engine(clock, handlers)))

    return BrokenBackend(name, mistake, chapter, kind, make)


def on_sqlite(
    name: str,
    mistake: str,
    chapter: str,
    changed: SqliteHandlers | None = None,
    *,
    kind: Kind = Kind.SQLITE,
    engine: Callable[..., Any] = SqliteEngine,
    **options: Any,
) -> BrokenBackend:
    """Return the SQLite backend with some calls done otherwise, with another engine or other options of it."""
    handlers = {**SQLITE_HANDLERS, **(changed or {})}

    def open_engine(path: Path, **given: Any) -> Any:
        return engine(path, handlers=handlers, **given, **options)

    return BrokenBackend(name, mistake, chapter, kind, lambda: BrokenOnSqlite(name, open_engine))
