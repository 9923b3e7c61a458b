"""A connection, and the transactions in which calls are done.  Every statement goes through here."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from mobstore.backends._base import Clock
from mobstore.backends.sqlite._codec import Texts
from mobstore.backends.sqlite._errors import OutcomeUnknown, explain, is_busy
from mobstore.backends.sqlite._shapes import Shape
from mobstore.model import WriteFailed

Trace: TypeAlias = Callable[[str], None]
"""Is told each statement before it is sent; what it raises ends the call as if the statement had failed."""

Body: TypeAlias = Callable[["Session", Any], Any]
"""Does a call with the statements of a session, and returns its answer."""

BEGIN_WRITE: Final = "BEGIN IMMEDIATE"
BEGIN_READ: Final = "BEGIN"
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"


class Shared:
    """What this process's connections to one file share: the turn to write, and the news of appends.

    Args:
        turn: makes the lock that is the turn to write.
    """

    def __init__(self, turn: Callable[[], Any] = threading.RLock) -> None:
        self._turn = turn
        self.renew()

    def renew(self) -> None:
        """Start anew, in the child of a fork: no other thread of the parent came along."""
        # SQLite makes writers sleep and look again; those of one process take turns without that.  A reentrant
        # lock knows its owner, so that it can be given back even where an interrupt came with the lock.
        self.writer = self._turn()
        self.news = threading.Condition(threading.Lock())
        self.appends = 0

    def tell(self) -> None:
        """Let whoever waits for an append look again."""
        with self.news:
            self.appends += 1
            self.news.notify_all()


class Session:
    """One connection.  Whoever uses it holds ``lock``.

    Attributes:
        closed: it takes no more calls, and its connection is closed, or being closed.
        released: its connection is closed.
        log: which file its write-ahead log is; see `Location.log_identity`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        shown: str,
        shared: Shared,
        clock: Clock,
        wait: float,
        trace: Trace | None,
    ) -> None:
        self.lock = threading.RLock()
        self.shown = shown
        self.clock = clock
        self.texts = Texts()
        self.closed = False
        self.released = False
        self.log: Hashable = None
        self._connection = connection
        self._cursor = connection.cursor()
        self._shared = shared
        self._wait = wait
        self._trace = trace
        self._wrote = False

    # --- statements -----------------------------------------------------------------------------------------

    def _send(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        if self._trace is not None:
            self._trace(sql)
        return self._cursor.execute(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[Any], shape: Shape) -> list[tuple[Any, ...]]:
        """Return all rows of a query.

        Raises:
            ReadFailed: one has another shape.
        """
        rows: list[tuple[Any, ...]] = self._send(sql, parameters).fetchall()
        for row in rows:
            shape.check(row, self.shown)
        return rows

    def row(self, sql: str, parameters: Sequence[Any] = (), shape: Shape | None = None) -> tuple[Any, ...] | None:
        """Return the only row of a query, or None; what reads no column of the file needs no shape.

        Raises:
            ReadFailed: it has another shape.
        """
        row: tuple[Any, ...] | None = self._send(sql, parameters).fetchone()
        if row is not None and shape is not None:
            shape.check(row, self.shown)
        return row

    def change(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Send a statement that writes."""
        self._wrote = True
        self._send(sql, parameters)

    def remove(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Send a DELETE; return how many rows it removed."""
        self.change(sql, parameters)
        return self._cursor.rowcount

    def change_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Send a statement that writes, once for each set of parameters."""
        for each in parameters:
            self.change(sql, each)

    # --- transactions ---------------------------------------------------------------------------------------

    def write(self, body: Body, operation: Any) -> Any:
        """Do a call that may write, in one transaction; it is rolled back unless the body wrote and returned."""
        connection = self._connection
        try:
            self._begin_write()
            self._wrote = False
            answer = body(self, operation)
            if self._wrote:
                self._commit()
            return answer
        finally:
            # Whatever happened, an interrupt between these lines included: no transaction stays open, and the
            # turn to write is given back.
            try:
                if connection.in_transaction:
                    self._roll_back()
            finally:
                if connection.in_transaction:
                    self._cursor.execute(ROLLBACK)
                with suppress(RuntimeError):
                    self._shared.writer.release()

    def _begin_write(self) -> None:
        if self._trace is not None:
            self._trace(BEGIN_WRITE)
        if not self._shared.writer.acquire(timeout=self._wait):
            raise WriteFailed(f"{self.shown}: locked by another thread for longer than {self._wait:g} s")
        self._cursor.execute(BEGIN_WRITE)

    def _commit(self) -> None:
        try:
            self._send(COMMIT)
        except sqlite3.Error as error:
            if is_busy(error):
                raise
            # The frames may have reached the log even so: a recovery would find them.
            raise OutcomeUnknown(
                f"{self.shown}: the outcome is unknown: {explain(error, self._wait)} while committing"
            ) from error

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself where it says that there is nothing to roll back.
        with suppress(sqlite3.OperationalError):
            self._send(ROLLBACK)

    def snapshot(self, body: Body, operation: Any) -> Any:
        """Do a call of several queries on one snapshot of the file."""
        connection = self._connection
        try:
            self._send(BEGIN_READ)
            answer = body(self, operation)
            self._send(COMMIT)
            return answer
        finally:
            if connection.in_transaction:
                self._cursor.execute(ROLLBACK)

    def read(self, body: Body, operation: Any) -> Any:
        """Do a call of one query, which is a snapshot by itself."""
        return body(self, operation)

    # --- the connection -------------------------------------------------------------------------------------

    @property
    def stuck(self) -> bool:
        """Whether a transaction could not be ended."""
        return self._connection.in_transaction

    def close(self) -> None:
        """Give the connection back; waits for a call under way."""
        with self.lock:
            self._release()

    def _release(self) -> None:
        # Said before, because the log may go with its last connection.
        self.closed = True
        self._connection.close()
        self.released = True

    def __del__(self) -> None:
        # The thread that the session belonged to is gone.
        with suppress(AttributeError, sqlite3.Error):
            self._release()
