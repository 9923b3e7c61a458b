"""How a store lives on a simulated disk, and what it shows after a power cut.

A *storage* opens the five stores on a disk, and *settles* an image: it recovers what survived, and returns the
contents that are left.  Equal contents are the same state, so that the state behind each is read once, through the
backend itself, and every other image with these contents costs one recovery and one comparison of bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Final, Protocol, TypeAlias

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.sqlite import HANDLERS, Handler, SqliteEngine, Trace
from mobstore.backends.sqlite._checks import install
from mobstore.model import MobStoreError, Operation, State, step
from mobstore.model import operations as ops
from mobstore.properties import pools, refinement
from mobstore.properties.audit import structure, violations
from mobstore.properties.faults.disk import Disk, Event, Image
from mobstore.properties.faults.vfs import FILE, mounted
from mobstore.properties.replay import differences
from mobstore.properties.subject import Outcome, outcome_of, same_outcome

Contents: TypeAlias = Any
"""What an image comes to when it is recovered; equal contents show the same state."""

Look: TypeAlias = tuple[Outcome, ...]
"""What the reading calls show, and what an append and a subscription would answer then."""


class Unusable(Exception):
    """What survived cannot be opened or recovered."""


class Storage(Protocol):
    """A backend that keeps its data on a simulated disk."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def open(self, disk: Disk, clock: Clock, trace: Trace | None = None) -> AbstractContextManager[Stores]:
        """Open the stores on the disk; leaving gives the handles back.

        ``trace`` is told each statement before it is sent, where there are statements.
        """

    def settle(self, image: Image) -> tuple[Contents, Sequence[Event]]:
        """Recover what survived; return its contents, and what that did to the disk.

        Raises:
            Unusable: it cannot be recovered.
        """

    def damage(self, disk: Disk) -> str:
        """Return what is broken in the files though the calls may not show it, or nothing."""


class _Tuned(sqlite3.Connection):
    """Has settings of its own, and shows those that the backend looks for."""

    swapped: Mapping[str, tuple[str, ...]]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        *first, last = self.swapped.get(sql, (sql,))
        for statement in first:
            super().execute(statement)
        return super().execute(last, *parameters)


def tuned(
    first: Sequence[str] = (), swapped: Mapping[str, tuple[str, ...]] | None = None
) -> Callable[..., sqlite3.Connection]:
    """Return what opens a connection with statements sent ``first``, and others ``swapped`` (the last answers)."""
    kind = type("Tuned", (_Tuned,), {"swapped": swapped or {}})

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(*arguments, factory=kind, **options)
        for statement in first:
            connection.execute(statement)
        return connection

    return connect


@attrs.frozen(eq=False)
class SqliteStorage:
    """The SQLite backend on a disk.

    ``connect`` and ``handlers`` are the engine's.  ``audited``: what the records say of each other is looked at,
    too, as only those of real callers can stand it.
    """

    name: str = "sqlite"
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect
    handlers: Mapping[type[Operation[Any]], Handler] = HANDLERS
    audited: bool = False

    @contextmanager
    def open(self, disk: Disk, clock: Clock, trace: Trace | None = None) -> Iterator[Stores]:
        """Open the stores; see `Storage.open`."""
        with mounted(disk) as uri:
            engine = SqliteEngine(
                uri, clock=clock, busy_timeout=0.2, connect=self.connect, trace=trace, handlers=self.handlers
            )
            try:
                yield Stores(engine)
            finally:
                engine.close()

    def settle(self, image: Image) -> tuple[Contents, Sequence[Event]]:
        """Let SQLite recover, and write the log back into the file as the last to close it does."""
        disk = Disk(image)
        settle(disk)
        left = disk.image()
        if left.keys() == {FILE}:
            return left[FILE], disk.log
        return tuple(sorted(left.items())), disk.log

    def damage(self, disk: Disk) -> str:
        """Audit the file: SQLite's own check, and every row."""
        with mounted(disk) as uri, closing(sqlite3.connect(uri, uri=True)) as connection:
            install(connection)
            findings = (violations if self.audited else structure)(connection)
        return "; ".join(f"{finding.place}: {finding.rule}" for finding in findings)


def settle(disk: Disk) -> None:
    """Open the disk's file with SQLite and close it.

    Raises:
        Unusable: SQLite cannot.
    """
    with mounted(disk) as uri:
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                # Takes a lock and thus recovers, and needs no table.
                connection.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            raise Unusable(f"{type(error).__name__}: {error}") from None


# --- looking ------------------------------------------------------------------------------------------------

READINGS: Final = (*refinement.READINGS, ops.Subscribe())
"""The calls that together show the whole state."""

_PROBE: Final = ops.Append(pools.EVENTS[1])


def look(stores: Stores) -> Look:
    """Read everything, and append an event: what is seen says the state, hidden counters included."""
    return tuple(outcome_of(lambda: stores.execute(call)) for call in (*READINGS, _PROBE))  # noqa: B023


def expected_look(state: State, now: int) -> Look:
    """Return what the contract says that is seen in a state."""
    return tuple(outcome_of(lambda: step(state, call, now)[1]) for call in (*READINGS, _PROBE))  # noqa: B023


def difference(seen: Look, expected: Look) -> str:
    """Return where two looks differ, in words, or nothing."""
    for call, left, right in zip((*READINGS, _PROBE), seen, expected, strict=True):
        if not same_outcome(left, right):
            places = differences(right.to_json(), left.to_json())
            return f"{call.call} differs (expected -> found) at {places[0] if places else 'its type'}"
    return ""


class Judge:
    """Says which state an image came to, reading the state behind equal contents once."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self.storage = storage
        self._clock = clock
        self._looks: dict[Contents, Look] = {}
        self._last: Contents = None
        self._last_look: Look = ()

    def judge(self, image: Image) -> tuple[Look, Sequence[Event]]:
        """Recover an image; return what is seen then, and what the recovery did to the disk.

        Raises:
            Unusable: the image cannot be recovered or opened, or is damaged.
        """
        contents, recovery = self.storage.settle(image)
        # Comparing with the last contents is cheaper than a hash.
        if contents == self._last and self._last is not None:
            return self._last_look, recovery
        found = self._looks.get(contents)
        if found is None:
            found = self._looks[contents] = self._read(image)
        self._last, self._last_look = contents, found
        return found, recovery

    def _read(self, image: Image) -> Look:
        """Open the survivors themselves, as the backend does, and read everything."""
        disk = Disk(image)
        try:
            with self.storage.open(disk, self._clock) as stores:
                found = look(stores)
        except MobStoreError as error:
            raise Unusable(str(error)) from None
        damage = self.storage.damage(disk)
        if damage:
            raise Unusable(damage)
        return found
