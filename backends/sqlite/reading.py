"""Looking into a file of ours, or of the original, without changing it or anything beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote

import attrs

from mobstore.backends.sqlite._checks import install
from mobstore.backends.sqlite._engine import is_open_here
from mobstore.backends.sqlite._errors import explain
from mobstore.backends.sqlite._files import HANDLES
from mobstore.backends.sqlite._schema import APPLICATION_ID, UNCHECKED, VERSION
from mobstore.model import ReadFailed

Owner: TypeAlias = Literal["ours", "original"]

ORIGINAL_TABLES: Final = {
    "mob_events": ("cursor", "event_json"),
    "mob_event_meta": ("key", "value"),
    "mob_runs": ("run_id", "run_json"),
    "mob_specs": ("mob_id", "spec_json"),
    "mob_runtime_supervisors": ("mob_id", "record_json"),
    "mob_runtime_binding_overlays": ("mob_id", "agent_identity", "generation", "record_json"),
    "realm_profiles": ("name", "profile_json", "revision", "created_at", "updated_at"),
}
"""The tables of the original's file, and their columns."""

_ATTEMPTS: Final = 5


@attrs.frozen
class Detection:
    """Whose file it is, or None; ``reason`` says what it is, as the rest of a sentence about it."""

    owner: Owner | None
    reason: str


@attrs.frozen
class Stored:
    """A row of a file: its table, its key, and ``read``, which returns its value or raises `Serialization`.

    ``fits`` says whether its columns hold what the schema lets them, where the schema says so.
    """

    table: str
    key: tuple[Any, ...]
    read: Callable[[], Any]
    fits: bool = True

    @property
    def place(self) -> str:
        """The row's table and key, for people."""
        shown = (text if len(text) <= 80 else f"{text[:77]}..." for text in map(repr, self.key))
        return f"{self.table}[{', '.join(shown)}]"


@contextmanager
def unchanged(path: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    """Open the file for queries, on one snapshot.

    A write-ahead log beside it is read from a private copy of both, because SQLite would write beside the file
    to read it in place; only a file that this process has open anyway is read there.

    Raises:
        ReadFailed: there is no such file, or it cannot be read.
    """
    place = Path(path)
    try:
        held = place.stat()
        if not stat.S_ISREG(held.st_mode):
            raise ReadFailed(f"{place}: is a directory" if place.is_dir() else f"{place}: is not a regular file")
        with ExitStack() as stack:
            # Closing a copied file would drop the locks of a connection of this process: none may begin meanwhile.
            with HANDLES:
                source, options = place, "mode=ro"
                if not is_open_here((held.st_dev, held.st_ino)):
                    options = "mode=ro&immutable=1"
                    if _has_content(_log_of(place)):
                        source, options = stack.enter_context(_copied(place)), "mode=rw"
            yield stack.enter_context(_connection(source, options))
    except OSError as error:
        raise ReadFailed(f"{place}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise ReadFailed(f"{place}: {explain(error, 0)}") from None


@contextmanager
def _connection(path: Path, options: str) -> Iterator[sqlite3.Connection]:
    uri = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    install(connection)
    # A text that is not UTF-8 must not hide the other rows; what reads it refuses the surrogates.
    connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
    try:
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """Copy the file and its log to a directory that nobody else can read."""
    with tempfile.TemporaryDirectory(prefix="mobstore-") as directory:
        copy = Path(directory) / "copy.db"
        for _ in range(_ATTEMPTS):
            before = _state(path)
            shutil.copyfile(path, copy)
            shutil.copyfile(_log_of(path), _log_of(copy))
            if _state(path) == before:
                break
        else:
            raise ReadFailed(f"{path}: changes while it is being read; stop what writes to it")
        yield copy


def _state(path: Path) -> tuple[int, ...]:
    file, log = path.stat(), _log_of(path).stat()
    return file.st_ino, file.st_size, file.st_mtime_ns, log.st_ino, log.st_size, log.st_mtime_ns


def detect(path: str | os.PathLike[str]) -> Detection:
    """Return whose file it is; nothing is changed, and no error raised."""
    try:
        with unchanged(path) as connection:
            return owner(connection)
    except ReadFailed as error:
        return Detection(None, error.detail.removeprefix(f"{Path(path)}: "))


def owner(connection: sqlite3.Connection) -> Detection:
    """Return whose file a connection has open."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application == APPLICATION_ID:
        if version not in (UNCHECKED, VERSION):
            return Detection(None, f"is a file of schema version {version}, where {VERSION} is known")
        return Detection("ours", f"is a file of schema version {version}")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if {"mob_runs", "mob_events"} & names:
        return Detection("original", "is a file of the original implementation")
    return Detection(None, f"is a SQLite file of another program (application_id {application})")
