"""What each row of a file of ours reads as, one row at a time: a corrupt one keeps no other from being read."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, Final

from mobstore.backends.sqlite._checks import disagreeing
from mobstore.backends.sqlite._codec import read_secret
from mobstore.backends.sqlite._runs import iteration_entry, step_entry
from mobstore.backends.sqlite._schema import SCHEMA, TABLES, UNCHECKED
from mobstore.backends.sqlite._shapes import WRONG_TYPE, shape
from mobstore.backends.sqlite.reading import Stored
from mobstore.model import (
    ExternalBindingOverlayRecord,
    FrameSnapshot,
    LoopSnapshot,
    MobEvent,
    MobRun,
    Serialization,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
    Timestamp,
    converter,
    from_text,
)
from mobstore.model._json import Document, Payload
from mobstore.model._records import U64
from mobstore.model.step import terminal_identity
from mobstore.model.values import FailureLedgerEntry, FlowAuthorityInput, FlowRunState

__all__ = ["NAMES", "WRONG_TYPE", "disagreements", "missing", "stored"]


def _run(
    run_id: Any, mob: Any, flow: Any, status: Any, state: str, created: Any, completed: Any, version: Any
) -> MobRun:
    no_params = Payload.of(None)
    flow_state = from_text(FlowRunState, state)
    return MobRun(run_id, mob, flow, status, flow_state, no_params, created, completed, schema_version=version)


def _text_of(hint: Any) -> Callable[[str], Any]:
    return functools.partial(from_text, hint)


def _iterations(number: int) -> int:
    length: int = converter(U64)(number)
    return length


def _event(cursor: int, seconds: int, nanos: int, mob_id: str, kind: str) -> MobEvent:
    return MobEvent(cursor, Timestamp(seconds, nanos), mob_id, Document.parse(kind))


def _indexed_event(
    cursor: int, seconds: int, nanos: int, mob_id: str, kind: str, *terminal: str | None
) -> MobEvent:
    event = _event(cursor, seconds, nanos, mob_id, kind)
    identity = terminal_identity(event)
    if terminal != ((None, None) if identity is None else identity[1:]):
        raise Serialization(": the columns of a terminal event disagree with its kind")
    return event


def _overlay(agent: str, generation: int, text: str) -> ExternalBindingOverlayRecord:
    overlay: ExternalBindingOverlayRecord = read_secret(ExternalBindingOverlayRecord, text)
    if (overlay.agent_identity, overlay.generation) != (agent, generation):
        raise Serialization(": the record is of another agent or generation than its key")
    return overlay


def _spec(definition: str, revision: int) -> tuple[Document, int]:
    return Document.parse(definition), converter(U64)(revision)


def _profile(name: Any, profile: str, revision: Any, created: Any, updated: Any) -> StoredRealmProfile:
    return StoredRealmProfile(name, Document.parse(profile), revision, created, updated)


_EVENT: Final = ("cursor", "seconds", "nanos", "mob_id", "kind")
_PROFILE: Final = ("name", "profile", "revision", "created_at", "updated_at")
_RUN: Final = (
    "run_id",
    "mob_id",
    "flow_id",
    "status",
    "flow_state",
    "created_at",
    "completed_at",
    "schema_version",
)

_RULES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., Any]]]] = {
    "runs": (("run_id",), _RUN, _run),
    "run_params": ((), ("activation_params",), _text_of(Payload)),
    "frames": (("frame_id",), ("snapshot",), _text_of(FrameSnapshot)),
    "loops": (("loop_instance_id",), ("snapshot",), _text_of(LoopSnapshot)),
    "root_outputs": (("place", "key"), ("output",), _text_of(Payload)),
    "loop_outputs": (("place", "loop_id", "iteration", "key"), ("output",), _text_of(Payload)),
    "loop_iterations": (("loop_id",), ("iterations",), _iterations),
    "step_ledger": (("place",), ("step_id", "agent_identity", "status", "output", "timestamp"), step_entry),
    "failure_ledger": (("place",), ("entry",), _text_of(FailureLedgerEntry)),
    "iteration_ledger": (("place",), ("loop_instance_id", "iteration", "frame_id"), iteration_entry),
    "authority_inputs": (("place",), ("input",), _text_of(FlowAuthorityInput)),
    "events": (("cursor",), (*_EVENT, "terminal_run", "terminal_flow"), _indexed_event),
    "feed": (("place",), _EVENT, _event),
    "meta": (("key",), ("value",), converter(U64)),
    "supervisors": (("mob_id",), ("record",), functools.partial(read_secret, SupervisorAuthorityRecord)),
    "overlays": (
        ("mob_id", "agent_identity", "generation"),
        ("agent_identity", "generation", "record"),
        _overlay,
    ),
    "specs": (("mob_id",), ("definition", "revision"), _spec),
    "profiles": (("name",), _PROFILE, _profile),
}
"""Of each table: the columns that name a row (after its run, if it is of one), those it is read from, and how."""

_OF_NO_RUN: Final = frozenset({"runs", "events", "feed", "meta", "supervisors", "overlays", "specs", "profiles"})

NAMES: Final = tuple(_RULES)
"""The tables with records, in the order in which they are best read."""


def stored(connection: sqlite3.Connection, table: str) -> Iterator[Stored]:
    """Iterate over the rows of a table in the order of their keys.

    The key of a part of a run begins with the run's id, which is None when there is no such run.
    """
    keys, columns, read = _RULES[table]
    shown = ", ".join(f"t.{column}" for column in (*keys, *columns))
    order = ", ".join(f"t.{key}" for key in keys)
    if table == "runs":
        query = f"SELECT {shown} FROM runs AS t ORDER BY t.seq"
    elif table in _OF_NO_RUN:
        query = f"SELECT {shown} FROM {table} AS t ORDER BY {order}"
    else:
        joined = f"{table} AS t LEFT JOIN runs AS r ON r.seq = t.run"
        query = f"SELECT r.run_id, {shown} FROM {joined} ORDER BY t.run{order and f', {order}'}"
    of_run = table not in _OF_NO_RUN
    rule = shape(table, *keys, *columns)
    for row in connection.execute(query):
        key, rest = row[: of_run + len(keys)], row[of_run + len(keys) :]
        yield Stored(table, key, functools.partial(read, *rest), rule.fits(row[of_run:]))


def _has_checks(connection: sqlite3.Connection) -> bool:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version != UNCHECKED


def missing(connection: sqlite3.Connection) -> list[str]:
    """Return the tables, indexes and triggers that the file lacks."""
    present = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    return [name for name in (SCHEMA if _has_checks(connection) else TABLES) if name not in present]


def disagreements(connection: sqlite3.Connection) -> list[str]:
    """Return how many checks of what do not agree with their rows, in words."""
    if not _has_checks(connection):
        return []
    return [
        f"{count} of the checks of {table} do not agree with the rows" if table else f"{count} checks have no rows"
        for table, count in disagreeing(connection, TABLES)
    ]
