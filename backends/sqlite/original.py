"""Import of the original implementation's file, and export to it, record for record.

Its tables hold one JSON text a record; ours hold cells as rows.  A conversion makes a new file or none.
"""

# ruff: noqa: S608 - names of known tables and columns are put into statements; values never are

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends._base import system_clock
from mobstore.backends.sqlite import _documents as documents
from mobstore.backends.sqlite import _events as events
from mobstore.backends.sqlite import _runs as runs
from mobstore.backends.sqlite._codec import read_secret, unreadable
from mobstore.backends.sqlite._engine import SqliteEngine
from mobstore.backends.sqlite._schema import NEXT_CURSOR
from mobstore.backends.sqlite._session import Session, Shared
from mobstore.backends.sqlite._shapes import shape
from mobstore.backends.sqlite.reading import ORIGINAL_TABLES, Detection, Stored, detect, owner, unchanged
from mobstore.model import (
    ExternalBindingOverlayRecord,
    MobEvent,
    MobRun,
    ReadFailed,
    Serialization,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
    WriteFailed,
    from_json,
    from_text,
    to_json,
    to_text,
)
from mobstore.model import operations as ops
from mobstore.model._json import Document, dump_json, load_json, sort_keys
from mobstore.model._records import U64, record

__all__ = [
    "NEXT_CURSOR",
    "Content",
    "Detection",
    "Stored",
    "convert",
    "detect",
    "export_original",
    "import_original",
    "stored",
]

EVENT_SCHEMA_VERSION: Final = 6
"""The version in the envelope of a stored event."""


# --- the records of the original's file ---------------------------------------------------------------------


@record
class _Envelope:
    event: MobEvent
    schema_version: U64


@record
class _Spec:
    definition: Document
    revision: U64


def stored(connection: sqlite3.Connection, table: str) -> Iterator[Stored]:
    """Iterate over the rows of one of the original's tables: runs in the order of their creation, others by key."""
    keys, read = _READERS[table]
    columns = ORIGINAL_TABLES[table]
    order = "rowid" if table == "mob_runs" else ", ".join(columns[:keys])
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}"):
        yield Stored(table, row[:keys], lambda row=row: read(*row))  # type: ignore[misc]


def _text(value: object) -> str:
    """The text of a column that the original declares as a BLOB, and fills with UTF-8."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Serialization(f": not UTF-8 at byte {error.start}") from None
    if not isinstance(value, str):
        raise Serialization(f": a {type(value).__name__} is not a text")
    return value


def _agree(what: str, column: object, value: object) -> None:
    if column != value:
        raise Serialization(f"{what}: the record says {value!r}, its key {column!r}")


def _read_event(cursor: int, text: object) -> MobEvent:
    envelope = from_text(_Envelope, _text(text))
    _agree("schema_version", EVENT_SCHEMA_VERSION, envelope.schema_version)
    _agree("cursor", cursor, envelope.event.cursor)
    event: MobEvent = envelope.event
    return event


def _read_meta(key: object, value: object) -> int:
    _agree("key", key, NEXT_CURSOR)
    number: int = from_json(_Cursor, {"value": value}).value
    return number


@record
class _Cursor:
    value: U64


def _read_run(run_id: object, text: object) -> MobRun:
    run: MobRun = from_text(MobRun, _text(text))
    _agree("run_id", run_id, run.run_id)
    return run


def _read_spec(mob_id: str, text: object) -> tuple[str, Document, int]:
    spec: _Spec = from_text(_Spec, _text(text))
    return mob_id, spec.definition, spec.revision


def _read_authority(mob_id: str, text: object) -> tuple[str, SupervisorAuthorityRecord]:
    return mob_id, read_secret(SupervisorAuthorityRecord, _text(text))


def _read_overlay(
    mob_id: str, agent: object, generation: object, text: object
) -> tuple[str, ExternalBindingOverlayRecord]:
    overlay: ExternalBindingOverlayRecord = read_secret(ExternalBindingOverlayRecord, _text(text))
    _agree("agent_identity", agent, overlay.agent_identity)
    _agree("generation", generation, overlay.generation)
    return mob_id, overlay


def _read_profile(name: str, text: object, revision: int, created: str, updated: str) -> StoredRealmProfile:
    fields = {"profile": load_json(_text(text)), "revision": revision, "created_at": created, "updated_at": updated}
    return from_json(StoredRealmProfile, {"name": name, **fields})


_READERS: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "mob_events": (1, _read_event),
    "mob_event_meta": (1, _read_meta),
    "mob_runs": (1, _read_run),
    "mob_specs": (1, _read_spec),
    "mob_runtime_supervisors": (1, _read_authority),
    "mob_runtime_binding_overlays": (3, _read_overlay),
    "realm_profiles": (1, _read_profile),
}
"""Of each table: how many columns are its key, and what reads a row."""


# --- what a file holds --------------------------------------------------------------------------------------


@attrs.frozen
class Content:
    """Everything that either file holds: runs in the order of their creation, all else by key."""

    runs: tuple[MobRun, ...]
    events: tuple[MobEvent, ...]
    next_cursor: int
    specs: tuple[tuple[str, Document, int], ...]
    supervisors: tuple[tuple[str, SupervisorAuthorityRecord], ...]
    overlays: tuple[tuple[str, ExternalBindingOverlayRecord], ...]
    profiles: tuple[StoredRealmProfile, ...]

    def counts(self) -> dict[str, int]:
        """Return how many records of each kind there are."""
        return {
            name: len(value)
            for name, value in attrs.asdict(self, recurse=False).items()
            if value is not self.next_cursor
        }


def read_original(path: str | os.PathLike[str]) -> Content:
    """Read the original's file, which stays as it is.

    Raises:
        ReadFailed: it is another file, has a table or column too many or too few, or holds a record that breaks
            a rule; names the table, the key and the rule.
    """
    with unchanged(path) as connection:
        _refuse_other(path, owner(connection), "original")
        _refuse_unknown_schema(path, connection)
        held = {table: tuple(_read_all(path, connection, table)) for table in ORIGINAL_TABLES}
    last = max((event.cursor for event in held["mob_events"]), default=0)
    next_cursor = held["mob_event_meta"][0] if held["mob_event_meta"] else 1
    if next_cursor <= last:
        raise ReadFailed(f"{path}: mob_event_meta: next_cursor {next_cursor} is not above the last cursor {last}")
    return Content(
        held["mob_runs"],
        held["mob_events"],
        next_cursor,
        held["mob_specs"],
        held["mob_runtime_supervisors"],
        held["mob_runtime_binding_overlays"],
        held["realm_profiles"],
    )


def _refuse_other(path: object, detection: Detection, wanted: str) -> None:
    if detection.owner != wanted:
        raise ReadFailed(f"{path}: {detection.reason}")


def _refuse_unknown_schema(path: object, connection: sqlite3.Connection) -> None:
    tables = _tables(connection)
    for name in sorted(tables ^ set(ORIGINAL_TABLES)):
        raise ReadFailed(f"{path}: {'unknown table' if name in tables else 'no table'} {name!r}")
    for table, known in ORIGINAL_TABLES.items():
        columns = tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
        if columns != known:
            raise ReadFailed(f"{path}: {table}: the columns are {', '.join(columns)}, not {', '.join(known)}")


def _tables(connection: sqlite3.Connection) -> set[str]:
    query = (
        "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    return {name for (name,) in connection.execute(query)}


def _read_all(path: str | os.PathLike[str], connection: sqlite3.Connection, table: str) -> Iterator[Any]:
    for row in stored(connection, table):
        try:
            yield row.read()
        except Serialization as error:
            raise unreadable(os.fspath(path), row.place, error) from None


def read_ours(path: str | os.PathLike[str]) -> Content:
    """Read a file of ours, which stays as it is.

    Raises:
        ReadFailed: it is another file, or a record breaks a rule.
    """
    with unchanged(path) as connection:
        _refuse_other(path, owner(connection), "ours")
        session = Session(connection, os.fspath(path), Shared(), system_clock, 0, None)
        query = "SELECT DISTINCT mob_id FROM overlays ORDER BY mob_id"
        mobs = [mob_id for (mob_id,) in session.rows(query, (), shape("overlays", "mob_id"))]
        return Content(
            tuple(runs.every_run(session)),
            events.replay_all(session, ops.ReplayAll()),
            events.next_cursor(session),
            tuple(_spec(session, mob_id) for mob_id in documents.list_specs(session, ops.ListSpecs())),
            tuple(documents.every_authority(session)),
            tuple(
                (mob_id, overlay)
                for mob_id in mobs
                for overlay in documents.list_overlays(session, ops.ListExternalBindingOverlays(mob_id))
            ),
            documents.list_profiles(session, ops.ListProfiles()),
        )


def _spec(session: Session, mob_id: str) -> tuple[str, Document, int]:
    held = documents.get_spec(session, ops.GetSpec(mob_id))
    if held is None:
        raise ReadFailed(f"{session.shown}: spec of mob {mob_id!r}: was just listed, and is not found")
    return mob_id, *held


# --- conversion ---------------------------------------------------------------------------------------------


def convert(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Content:
    """Make the new file ``target`` from ``source``: ours from the original's, the original's from ours.

    ``source`` stays as it is.  A subscription's place in the feed does not survive: the original has none.

    Returns:
        What was converted.

    Raises:
        ReadFailed: ``source`` is neither, or holds what cannot be read; nothing is written.
        WriteFailed: ``target`` exists, or cannot be written; nothing of it stays behind.
    """
    found = detect(source)
    if found.owner is None:
        raise ReadFailed(f"{source}: {found.reason}")
    return import_original(source, target) if found.owner == "original" else export_original(source, target)


def import_original(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Content:
    """Make a file of ours from one of the original's; see `convert`."""
    content = read_original(source)
    _make(Path(target), lambda path: _write_ours(path, content))
    return content


def export_original(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Content:
    """Make a file of the original's from one of ours; see `convert`."""
    content = read_ours(source)
    _make(Path(target), lambda path: _write_original(path, content))
    return content


def _make(target: Path, write: Callable[[Path], None]) -> None:
    """Write a file in a directory of its own, then let it appear under its name, complete and on the disk."""
    try:
        with tempfile.TemporaryDirectory(prefix=".mobstore-", dir=target.parent) as directory:
            path = Path(directory) / "new.db"
            write(path)
            _synchronise(path)
            # A link, unlike a renaming, never takes the place of another file.
            os.link(path, target)
            _synchronise(target.parent)
    except FileExistsError:
        raise WriteFailed(f"{target}: exists already, and stays as it is") from None
    except (OSError, sqlite3.Error) as error:
        raise WriteFailed(f"{target}: {getattr(error, 'strerror', None) or error}") from error


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_ours(path: Path, content: Content) -> None:
    with closing(SqliteEngine(path)) as engine:
        engine.perform(Session.write, _insert, content, WriteFailed)


def _insert(session: Session, content: Content) -> None:
    for run in content.runs:
        runs.insert_run(session, run)
    for event in content.events:
        events.insert_event(session, event)
    events.set_next_cursor(session, content.next_cursor)
    for spec in content.specs:
        documents.insert_spec(session, *spec)
    for authority in content.supervisors:
        documents.insert_authority(session, *authority)
    for overlay in content.overlays:
        documents.insert_overlay(session, *overlay)
    for profile in content.profiles:
        documents.put_profile(session, profile)


_ORIGINAL_SCHEMA: Final = """
CREATE TABLE mob_events (cursor INTEGER PRIMARY KEY, event_json BLOB NOT NULL);
CREATE TABLE mob_event_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE mob_runs (run_id TEXT PRIMARY KEY, run_json BLOB NOT NULL);
CREATE TABLE mob_specs (mob_id TEXT PRIMARY KEY, spec_json BLOB NOT NULL);
CREATE TABLE mob_runtime_supervisors (mob_id TEXT PRIMARY KEY, record_json BLOB NOT NULL);
CREATE TABLE mob_runtime_binding_overlays (mob_id TEXT NOT NULL, agent_identity TEXT NOT NULL,
    generation INTEGER NOT NULL, record_json BLOB NOT NULL, PRIMARY KEY (mob_id, agent_identity, generation));
CREATE TABLE realm_profiles (name TEXT PRIMARY KEY, profile_json BLOB NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
"""


def _write_original(path: Path, content: Content) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {_ORIGINAL_SCHEMA}")
        for table, rows in _original_rows(content).items():
            columns = ORIGINAL_TABLES[table]
            marks = ", ".join("?" for _ in columns)
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
        connection.execute("COMMIT")


def _original_rows(content: Content) -> dict[str, list[tuple[Any, ...]]]:
    return {
        "mob_runs": [(run.run_id, to_text(run).encode()) for run in content.runs],
        "mob_events": [(event.cursor, _envelope(event)) for event in content.events],
        "mob_event_meta": [(NEXT_CURSOR, content.next_cursor)],
        "mob_specs": [
            (mob_id, to_text(_Spec(definition, revision)).encode())
            for mob_id, definition, revision in content.specs
        ],
        "mob_runtime_supervisors": [(mob_id, to_text(held).encode()) for mob_id, held in content.supervisors],
        "mob_runtime_binding_overlays": [
            (mob_id, held.agent_identity, held.generation, to_text(held).encode())
            for mob_id, held in content.overlays
        ],
        "realm_profiles": [
            (
                held.name,
                held.profile.text.encode(),
                held.revision,
                held.created_at.rfc3339(),
                held.updated_at.rfc3339(),
            )
            for held in content.profiles
        ],
    }


def _envelope(event: MobEvent) -> bytes:
    """The original writes events through a JSON value whose keys are in order at every level."""
    return dump_json(sort_keys({"event": to_json(event), "schema_version": EVENT_SCHEMA_VERSION})).encode()
