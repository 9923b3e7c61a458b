"""Whose file it is, and what it takes to use it: found out before anything is written."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, quote, unquote, urlsplit

import attrs

from mobstore.backends.sqlite._checks import install
from mobstore.backends.sqlite._errors import explain, failure, is_busy
from mobstore.backends.sqlite._schema import APPLICATION_ID, CONTENT, SCHEMA, TABLES, UNCHECKED, VERSION, upgrade
from mobstore.backends.sqlite._session import BEGIN_WRITE, COMMIT, ROLLBACK, Trace
from mobstore.model import ReadFailed, WriteFailed

Connect: TypeAlias = Callable[..., sqlite3.Connection]
Identity: TypeAlias = tuple[int, int]
"""Device and inode: which file a path names."""

REQUIRED_SETTINGS: Final = ("wal", 2)
"""What ``PRAGMA journal_mode`` and ``synchronous`` must answer on every connection (`mobstore durability`)."""

_CACHED_STATEMENTS: Final = 256
_LOOKS: Final = 3
_SMALLEST_PAGE: Final = 512
"""SQLite takes a shorter file for an empty one."""
HANDLES: Final = threading.RLock()
"""Held while a file or a connection is opened, and during a fork.

Closing the descriptor of a new file would drop the locks of any other connection of this process to it.
"""


@attrs.frozen
class Location:
    """Where the storage is: what errors show, what SQLite opens, and the path, None for a VFS of its own."""

    shown: str
    uri: str
    path: str | None

    @classmethod
    def of(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> Location:
        """Return the location of a path, or of a ``file:`` URI.

        Raises:
            ReadFailed: it names no file.
        """
        text = os.fsdecode(path)
        if text.startswith("file:"):
            return cls._of_uri(text)
        if not text or text == ":memory:":
            raise ReadFailed(f"{text!r}: names no file, and what is in memory is not durable")
        if "\0" in text:
            raise ReadFailed(f"{text!r}: a path has no NUL")
        # Not normalised: "link/.." is not the directory that the link is in.
        absolute = os.path.join(os.getcwd(), text)  # noqa: PTH109, PTH118
        return cls(text, f"file:{quote(os.fsencode(absolute))}?mode=rw", absolute)

    @classmethod
    def _of_uri(cls, uri: str) -> Location:
        parts = urlsplit(uri)
        query = parse_qs(parts.query)
        if not parts.path or unquote(parts.path) == ":memory:" or query.get("mode") == ["memory"]:
            raise ReadFailed(f"{uri!r}: names no file, and what is in memory is not durable")
        if "vfs" in query:
            return cls(uri, uri, None)
        return attrs.evolve(cls.of(unquote(parts.path)), shown=uri)

    def identity(self) -> Identity | None:
        """Return which file the path names now; None where a VFS of its own knows.

        Raises:
            OSError: it names none.
        """
        if self.path is None:
            return None
        return _identity(self.path)

    def log_identity(self) -> Identity | None:
        """Return which file is the write-ahead log now; None where there is none, or a VFS of its own knows."""
        if self.path is None:
            return None
        try:
            return _identity(f"{self.path}-wal")
        except FileNotFoundError:
            return None


def _identity(path: str) -> Identity:
    held = os.stat(path)  # noqa: PTH116 - done for every call, and a Path takes three times as long
    return held.st_dev, held.st_ino


# --- opening ------------------------------------------------------------------------------------------------


@attrs.frozen
class Opener:
    """Makes connections to one location, each with the settings that durability needs."""

    location: Location
    wait: float
    connect: Connect
    trace: Trace | None

    def prepare(self, create: bool) -> Identity | None:
        """Make sure that the file is ours, and return which file it is; ``create`` it where there is none.

        To be called with `HANDLES` held.

        Raises:
            ReadFailed: it is no file of ours, or of a newer version; it stays as it is.
            WriteFailed: it, or its directory, cannot be written.
        """
        try:
            return self._prepare(create)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(ReadFailed, self.location.shown, error, self.wait) from error
        except OSError as error:
            raise WriteFailed(f"{self.location.shown}: {error.strerror}") from error

    def _prepare(self, create: bool) -> Identity | None:
        if self.location.path is not None:
            path = Path(self.location.path)
            if not (create and self._creates(path)):
                self._inspect(path)
        connection = self._connection()
        try:
            self._use_full_synchronisation(connection)
            self._initialise(connection)
            self._use_wal(connection)
        finally:
            connection.close()
        return self.location.identity()

    def open(self) -> sqlite3.Connection:
        """Return a connection to the prepared file.

        Raises:
            ReadFailed: its settings are not what durability needs.
        """
        connection = self._connection()
        try:
            self._use_full_synchronisation(connection)
            self._verify(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connection(self) -> sqlite3.Connection:
        connection = self.connect(
            self.location.uri,
            uri=True,
            timeout=self.wait,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        install(connection)
        return connection

    def _send(self, connection: sqlite3.Connection, sql: str) -> sqlite3.Cursor:
        if self.trace is not None:
            self.trace(sql)
        return connection.execute(sql)

    def _tell(self, connection: sqlite3.Connection, sql: str) -> Any:
        """Send a statement; return the first column of its first row."""
        row = self._send(connection, sql).fetchone()
        return None if row is None else row[0]

    def _refuse(self, rule: str) -> ReadFailed:
        return ReadFailed(f"{self.location.shown}: {rule}")

    # --- whose file it is -----------------------------------------------------------------------------------

    @staticmethod
    def _creates(path: Path) -> bool:
        """Create the file for its owner alone; False when there is one."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return False
        return True

    def _inspect(self, path: Path) -> None:
        """Refuse what is not ours, by means that change nothing and take no lock."""
        held = path.stat()
        if not stat.S_ISREG(held.st_mode):
            raise self._refuse("is a directory" if stat.S_ISDIR(held.st_mode) else "is not a regular file")
        if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
            raise WriteFailed(f"{self.location.shown}: the file or its directory is read-only")
        self._inspect_content(path)

    def _inspect_content(self, path: Path) -> None:
        for looks_left in reversed(range(_LOOKS)):
            try:
                self._refuse_foreign(path)
                break
            except sqlite3.DatabaseError as error:
                # From a journal SQLite undoes an interrupted creation.  Without its log a file may be half of what
                # it is, while the log is written back, and for as long as whoever did that was killed amid.  What
                # opens it next reads both, and refuses it then.
                if any(path.with_name(f"{path.name}{kind}").exists() for kind in ("-journal", "-wal")):
                    break
                # The log may have been written back, and removed, between the look and this.
                if not looks_left:
                    raise self._refuse(explain(error, self.wait)) from None

    def _refuse_foreign(self, path: Path) -> None:
        size = path.stat().st_size
        if not size:
            return
        if size < _SMALLEST_PAGE:
            raise sqlite3.DatabaseError("the file is not a SQLite database: it is too short")
        uri = f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True)
        try:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
            self._refuse_owner(connection.execute("PRAGMA application_id").fetchone()[0], names)
            self._refuse_version(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()

    def _refuse_owner(self, application: int, names: set[str]) -> None:
        if application == APPLICATION_ID:
            return
        if {"mob_runs", "mob_events"} <= names:
            raise self._refuse("is a file of the original implementation: `mobstore convert` makes it one of ours")
        raise self._refuse(f"is a SQLite file of another program (application_id {application})")

    def _refuse_version(self, version: int) -> None:
        if version > VERSION:
            raise self._refuse(f"has schema version {version}, newer than {VERSION}: use a newer mobstore")
        if version not in (UNCHECKED, VERSION):
            raise self._refuse(f"has the unknown schema version {version}")

    # --- making it usable -----------------------------------------------------------------------------------

    def _initialise(self, connection: sqlite3.Connection) -> None:
        """Create the tables in an empty file, and look at those of any other."""
        if self._is_empty(connection):
            self._create_tables(connection)
        if self._refuse_schema(connection) == UNCHECKED:
            self._add_checks(connection)
            self._refuse_schema(connection)

    def _refuse_schema(self, connection: sqlite3.Connection) -> int:
        """Refuse what is not ours, or not as it was made; return the version."""
        held = dict(self._send(connection, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
        self._refuse_owner(self._tell(connection, "PRAGMA application_id"), set(held))
        version: int = self._tell(connection, "PRAGMA user_version")
        self._refuse_version(version)
        for name, sql in (TABLES if version == UNCHECKED else SCHEMA).items():
            if held.get(name) != sql:
                raise self._refuse(f"{name} is not that of schema version {version}")
        return version

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        return not self._tell(connection, "PRAGMA application_id") and not self._tell(
            connection, "SELECT count(*) FROM sqlite_schema"
        )

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        with self._writing(connection):
            # Another process may have been first.
            if self._is_empty(connection):
                for sql in (*SCHEMA.values(), *CONTENT):
                    self._tell(connection, sql)
                self._tell(connection, f"PRAGMA application_id = {APPLICATION_ID}")
                self._tell(connection, f"PRAGMA user_version = {VERSION}")

    def _add_checks(self, connection: sqlite3.Connection) -> None:
        """Bring a file of the version without checks to the present one, as it stands."""
        with self._writing(connection):
            if self._tell(connection, "PRAGMA user_version") == UNCHECKED:
                for sql in (*upgrade(), f"PRAGMA user_version = {VERSION}"):
                    self._tell(connection, sql)

    @contextmanager
    def _writing(self, connection: sqlite3.Connection) -> Iterator[None]:
        self._tell(connection, BEGIN_WRITE)
        try:
            yield
            self._tell(connection, COMMIT)
        finally:
            if connection.in_transaction:
                connection.execute(ROLLBACK)

    def _use_full_synchronisation(self, connection: sqlite3.Connection) -> None:
        self._tell(connection, "PRAGMA synchronous = FULL")

    def _use_wal(self, connection: sqlite3.Connection) -> None:
        """Switch to the write-ahead log.  SQLite does not wait for other connections here, so this does."""
        deadline = time.monotonic() + self.wait
        while True:
            try:
                mode = self._tell(connection, "PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                if mode != "wal":
                    raise self._refuse(f"the file system allows no write-ahead log (journal mode {mode!r})")
                return

    def _verify(self, connection: sqlite3.Connection) -> None:
        mode = self._tell(connection, "PRAGMA journal_mode")
        level = self._tell(connection, "PRAGMA synchronous")
        if (mode, level) != REQUIRED_SETTINGS:
            raise self._refuse(f"journal mode {mode!r} and synchronous {level} are not durable")
