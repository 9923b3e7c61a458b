"""The event store, and the feed from which subscriptions read (contract, section 5)."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mobstore.backends.sqlite._codec import decode, unreadable
from mobstore.backends.sqlite._schema import NEXT_CURSOR
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import COUNT, Shape, kinds, shape
from mobstore.model import FEED_CAPACITY, MobEvent, NewMobEvent, ReadFailed, Serialization, Timestamp
from mobstore.model import operations as ops
from mobstore.model._json import Document
from mobstore.model.step import terminal_identity

_COUNTERS: Final = "SELECT value, (SELECT max(place) FROM feed) FROM meta WHERE key = ?"
_ADVANCE: Final = "UPDATE meta SET value = ? WHERE key = ?"
_INSERT_EVENT: Final = (
    "INSERT INTO events (cursor, seconds, nanos, mob_id, kind, terminal_run, terminal_flow) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_FEED: Final = "INSERT INTO feed (place, cursor, seconds, nanos, mob_id, kind) VALUES (?, ?, ?, ?, ?, ?)"
_TRIM_FEED: Final = "DELETE FROM feed WHERE place <= ?"
_FIND_TERMINAL: Final = "SELECT 1 FROM events WHERE mob_id = ? AND terminal_run = ? AND terminal_flow = ? LIMIT 1"
_COLUMNS: Final = ("cursor", "seconds", "nanos", "mob_id", "kind")
_EVENT_COLUMNS: Final = ", ".join(_COLUMNS)
_EVENT: Final = shape("events", *_COLUMNS)
_FED: Final = shape("feed", "place", *_COLUMNS)
_COUNTED: Final = Shape.made("meta", kinds("meta", "value"), kinds("feed", "place", optional=True))
_COUNT: Final = Shape.made("events", COUNT)
_POLL: Final = f"SELECT {_EVENT_COLUMNS} FROM events WHERE cursor > ? ORDER BY cursor LIMIT ?"
_REPLAY: Final = f"SELECT {_EVENT_COLUMNS} FROM events ORDER BY cursor"
_READ_FEED: Final = f"SELECT place, {_EVENT_COLUMNS} FROM feed WHERE place >= ? ORDER BY place"


# --- appending ----------------------------------------------------------------------------------------------


def append(session: Session, operation: ops.Append) -> MobEvent:
    """Append an event."""
    return _append(session, (operation.event,))[0]


def append_batch(session: Session, operation: ops.AppendBatch) -> tuple[MobEvent, ...]:
    """Append events with consecutive cursors."""
    return _append(session, operation.events)


def append_terminal(session: Session, operation: ops.AppendTerminalEventIfAbsent) -> MobEvent | None:
    """Append a terminal event unless there is one for its (mob, run, flow)."""
    if session.row(_FIND_TERMINAL, ops.terminal_key(operation.event)) is not None:
        return None
    return _append(session, (operation.event,))[0]


def _append(session: Session, new: Sequence[NewMobEvent]) -> tuple[MobEvent, ...]:
    if not new:
        return ()
    next_cursor, place = _counters(session)
    now = Timestamp.from_nanos(session.clock())
    events = tuple(
        MobEvent(next_cursor + number, event.timestamp or now, event.mob_id, event.kind)
        for number, event in enumerate(new)
    )
    for number, event in enumerate(events):
        insert_event(session, event)
        session.change(_INSERT_FEED, (place + number, *_columns(event)))
    session.change(_TRIM_FEED, (place + len(events) - 1 - FEED_CAPACITY,))
    set_next_cursor(session, next_cursor + len(events))
    return events


def _counters(session: Session) -> tuple[int, int]:
    """The cursor of the next event, and its place in the feed."""
    row = session.row(_COUNTERS, (NEXT_CURSOR,), _COUNTED)
    if row is None:
        raise ReadFailed(f"{session.shown}: meta has no {NEXT_CURSOR}")
    cursor, last = row
    return cursor, 0 if last is None else last + 1


def next_cursor(session: Session) -> int:
    """Return the cursor of the next event."""
    return _counters(session)[0]


def insert_event(session: Session, event: MobEvent) -> None:
    """Insert an event under its own cursor."""
    terminal = terminal_identity(event)
    _, run, flow = (None, None, None) if terminal is None else terminal
    session.change(_INSERT_EVENT, (*_columns(event), run, flow))


def set_next_cursor(session: Session, cursor: int) -> None:
    """Set the cursor that the next event gets."""
    session.change(_ADVANCE, (cursor, NEXT_CURSOR))


def _columns(event: MobEvent) -> tuple[Any, ...]:
    return event.cursor, event.timestamp.seconds, event.timestamp.nanos, event.mob_id, event.kind.text


# --- reading and removing -----------------------------------------------------------------------------------


def poll(session: Session, operation: ops.Poll) -> tuple[MobEvent, ...]:
    """Answer events with a larger cursor."""
    return _events(session, session.rows(_POLL, (operation.after_cursor, operation.limit), _EVENT))


def replay_all(session: Session, _operation: ops.ReplayAll) -> tuple[MobEvent, ...]:
    """Answer every event."""
    return _events(session, session.rows(_REPLAY, (), _EVENT))


def latest_cursor(session: Session, _operation: ops.LatestCursor) -> int:
    """Answer the last event's cursor, or 0."""
    row = session.row("SELECT coalesce(max(cursor), 0) FROM events", (), _COUNT)
    assert row is not None, "an aggregate answers one row"
    cursor: int = row[0]
    return cursor


def clear(session: Session, _operation: ops.Clear) -> None:
    """Remove every event; the feed keeps them."""
    session.change("DELETE FROM events")
    set_next_cursor(session, 1)


def prune(session: Session, operation: ops.Prune) -> int:
    """Remove the events with an earlier time."""
    time = operation.older_than
    return session.remove("DELETE FROM events WHERE (seconds, nanos) < (?, ?)", (time.seconds, time.nanos))


def _events(session: Session, rows: list[tuple[Any, ...]]) -> tuple[MobEvent, ...]:
    return tuple(_event(session, row) for row in rows)


def _event(session: Session, row: tuple[Any, ...]) -> MobEvent:
    cursor, seconds, nanos, mob_id, kind = row
    document = decode(Document, kind, session.shown, f"event {cursor}: kind")
    try:
        return MobEvent(cursor, Timestamp(seconds, nanos), mob_id, document)
    except Serialization as error:
        raise unreadable(session.shown, f"event {cursor}: ", error) from None


# --- the feed -----------------------------------------------------------------------------------------------


def appended(session: Session, _operation: object) -> int:
    """Answer the place in the feed that the next append gets."""
    row = session.row("SELECT coalesce(max(place) + 1, 0) FROM feed", (), _COUNT)
    assert row is not None, "an aggregate answers one row"
    place: int = row[0]
    return place


def read_feed(session: Session, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
    """Return what a subscriber at ``place`` gets next; see `mobstore.model.drain`."""
    rows = session.rows(_READ_FEED, (place,), _FED)
    if not rows:
        return (), 0, place
    return _events(session, [row[1:] for row in rows]), rows[0][0] - place, rows[-1][0] + 1
