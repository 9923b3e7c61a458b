"""Backends changed to wrong protocols: they do the calls right one at a time, and commit them wrong.

They serve as broken backends wherever one is wanted; `binding` rejects each by what it sends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite import HANDLERS, Handler
from mobstore.backends.sqlite._cells import Program
from mobstore.backends.sqlite._session import Body, Session
from mobstore.model import ROWS, Operation, Row
from mobstore.properties.protocols.binding import Holding, hold, record_memory, record_sqlite
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.sqlite import SQLITE

A = TypeVar("A")
Handlers: TypeAlias = Mapping[type[Operation[Any]], Handler]


def _transaction(session: Session, begin: str, work: Callable[[], Any]) -> Any:
    session.row(begin)
    try:
        answer = work()
    except BaseException:
        session.row("ROLLBACK")
        raise
    session.row("COMMIT")
    return answer


def _deferred(session: Session, body: Body, operation: Any) -> Any:
    return _transaction(session, "BEGIN", lambda: body(session, operation))


class _BeforeWriting:
    """A session that does something before the first statement that writes."""

    def __init__(self, session: Session, first: Callable[[], None]) -> None:
        self._session = session
        self._first = first
        self.wrote = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _begin(self) -> None:
        if not self.wrote:
            self.wrote = True
            self._first()

    def change(self, sql: str, parameters: Any = ()) -> None:
        self._begin()
        self._session.change(sql, parameters)

    def remove(self, sql: str, parameters: Any = ()) -> int:
        self._begin()
        return self._session.remove(sql, parameters)

    def change_many(self, sql: str, parameters: Any) -> None:
        for each in parameters:
            self.change(sql, each)


def _read_outside(session: Session, body: Body, operation: Any) -> Any:
    late = _BeforeWriting(session, lambda: session.change("BEGIN IMMEDIATE"))
    answer = body(late, operation)  # type: ignore[arg-type]
    if late.wrote:
        session.row("COMMIT")
    return answer


def _two_transactions(session: Session, body: Body, operation: Any) -> Any:
    def again() -> None:
        session.row("COMMIT")
        session.row("BEGIN IMMEDIATE")

    twice = _BeforeWriting(session, again)
    return _transaction(session, "BEGIN IMMEDIATE", lambda: body(twice, operation))  # type: ignore[arg-type]


def _unlocked_early(session: Session, body: Body, operation: Any) -> Any:
    early = _BeforeWriting(session, lambda: session.change("COMMIT"))
    session.row("BEGIN IMMEDIATE")
    try:
        return body(early, operation)  # type: ignore[arg-type]
    finally:
        if not early.wrote:
            session.row("ROLLBACK")


@attrs.frozen
class _Halves:
    """A row in two: its writes without its comparisons, and its comparisons without its writes."""

    writes: Program
    compares: Program


def _halves(row: Row) -> _Halves:
    return _Halves(Program(attrs.evolve(row, comparisons=())), Program(attrs.evolve(row, writes=())))


def _compare_after_write(session: Session, halves: Any, operation: Any) -> Any:
    def work() -> Any:
        halves.writes(session, operation)
        return halves.compares(session, operation)

    return _transaction(session, "BEGIN IMMEDIATE", work)


def _commit_before_compare(session: Session, halves: Any, operation: Any) -> Any:
    _transaction(session, "BEGIN IMMEDIATE", lambda: halves.writes(session, operation))
    return halves.compares(session, operation)


def _performed_by(perform: Callable[[Session, Body, Any], Any]) -> Handlers:
    """Return the handlers in which every changing call is done in another way."""
    return {
        kind: (perform, body) if done is Session.write else (done, body) for kind, (done, body) in HANDLERS.items()
    }


def _in_pieces() -> Handlers:
    """Return the handlers in which no reading call opens a snapshot."""
    return {
        kind: (Session.read, body) if done is Session.snapshot else (done, body)
        for kind, (done, body) in HANDLERS.items()
    }


def _halved_by(perform: Callable[[Session, Any, Any], Any]) -> Handlers:
    halved: dict[type[Operation[Any]], Any] = {
        row.operation: (perform, _halves(row)) for row in ROWS if row.answers
    }
    return {**HANDLERS, **halved}


SQLITE_HANDLERS: Final[Mapping[str, Handlers]] = {
    "deferred-begin": _performed_by(_deferred),
    "read-outside-the-transaction": _performed_by(_read_outside),
    "two-transactions": _performed_by(_two_transactions),
    "a-transaction-a-statement": _performed_by(Session.read),
    "lock-released-early": _performed_by(_unlocked_early),
    "compare-after-write": _halved_by(_compare_after_write),
    "commit-before-compare": _halved_by(_commit_before_compare),
    "reads-in-pieces": _in_pieces(),
}
"""How a changed SQLite engine does its calls, by the name of what is wrong: `SqliteEngine`'s ``handlers``."""


class ReadBeforeLock(MemoryEngine):
    """Computes the next state from what it read before it took the lock."""

    def execute(self, operation: Operation[A]) -> A:
        """Do the call."""
        store, handle = self._calls[type(operation)]
        state, answer = handle(store.state, operation, self._clock())
        with store.lock:
            store.state = state
        return answer  # type: ignore[no-any-return]


class UnlockBeforeSwap(MemoryEngine):
    """Gives the lock back before it swaps the state."""

    def execute(self, operation: Operation[A]) -> A:
        """Do the call."""
        store, handle = self._calls[type(operation)]
        with store.lock:
            state, answer = handle(store.state, operation, self._clock())
        store.state = state
        return answer  # type: ignore[no-any-return]


class NoLock(MemoryEngine):
    """Takes no lock at all."""

    def execute(self, operation: Operation[A]) -> A:
        """Do the call."""
        store, handle = self._calls[type(operation)]
        store.state, answer = handle(store.state, operation, self._clock())
        return answer  # type: ignore[no-any-return]


class ReadsInPieces(MemoryEngine):
    """Looks at the state twice in a reading call."""

    def execute(self, operation: Operation[A]) -> A:
        """Do the call."""
        store, handle = self._calls[type(operation)]
        if operation.reads:
            handle(store.state, operation, 0)
        return super().execute(operation)


MEMORY_ENGINES: Final[Mapping[str, type[MemoryEngine]]] = {
    "read-before-lock": ReadBeforeLock,
    "unlock-before-swap": UnlockBeforeSwap,
    "no-lock": NoLock,
    "reads-in-pieces": ReadsInPieces,
}
"""Changed memory engines, by the name of what is wrong."""


def holdings() -> Iterator[Holding]:
    """Hold our own backends to their protocols."""
    yield hold("sqlite", SQLITE, record_sqlite(failing=True))
    yield hold("memory", MEMORY, record_memory())


def wrong_holdings() -> Iterator[Holding]:
    """Hold the changed ones to them, by calls in which nothing fails."""
    for name, handlers in SQLITE_HANDLERS.items():
        yield hold(name, SQLITE, (each for each in record_sqlite(handlers) if each.error is None))
    for name, engine in MEMORY_ENGINES.items():
        yield hold(name, MEMORY, record_memory(engine))
