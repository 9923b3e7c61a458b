"""The event store, and the feed from which subscriptions read (contract, section 5)."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import attrs

from mobstore.backends.sqlite._agreement import TOTAL, agreeing, disagreement, find, present, sum_of
from mobstore.backends.sqlite._checks import CHUNK, EVENTS, SCOPES
from mobstore.backends.sqlite._codec import decode, unreadable
from mobstore.backends.sqlite._schema import NEXT_CURSOR
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import COUNT, Shape, shape
from mobstore.model import FEED_CAPACITY, MobEvent, NewMobEvent, ReadFailed, Serialization, Timestamp
from mobstore.model import operations as ops
from mobstore.model._json import Document
from mobstore.model.step import terminal_identity

_ADVANCE: Final = "UPDATE meta SET value = ? WHERE key = ?"
_INSERT_EVENT: Final = (
    "INSERT INTO events (cursor, seconds, nanos, mob_id, kind, terminal_run, terminal_flow) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_FEED: Final = "INSERT INTO feed (place, cursor, seconds, nanos, mob_id, kind) VALUES (?, ?, ?, ?, ?, ?)"
_TRIM_FEED: Final = "DELETE FROM feed WHERE place <= ?"
_COLUMNS: Final = ("cursor", "seconds", "nanos", "mob_id", "kind")
_PLACE_APPENDED: Final = f"SELECT coalesce(max(place) + 1, 0), {SCOPES['fed'].total()} FROM feed"
_COUNT: Final = Shape.made("feed", COUNT, COUNT)
_LAST_CHUNK: Final = "SELECT coalesce(max(scope), 0) FROM checks WHERE owner = ?"
_MOST: Final = 2**63 - 1


# --- appending ----------------------------------------------------------------------------------------------


def append(session: Session, operation: ops.Append) -> MobEvent:
    """Append an event."""
    return _append(session, (operation.event,))[0]


def append_batch(session: Session, operation: ops.AppendBatch) -> tuple[MobEvent, ...]:
    """Append events with consecutive cursors."""
    return _append(session, operation.events)


def append_terminal(session: Session, operation: ops.AppendTerminalEventIfAbsent) -> MobEvent | None:
    """Append a terminal event unless there is one for its (mob, run, flow)."""
    if present(session, "terminal", ops.terminal_key(operation.event)):
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
    row = find(session, "meta", ("value",), (NEXT_CURSOR,))
    if row is None:
        raise ReadFailed(f"{session.shown}: meta has no {NEXT_CURSOR}")
    return row[0], appended(session)


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
    return _events(session, _EVENTS.read(session, operation.after_cursor + 1, operation.limit))


def replay_all(session: Session, _operation: ops.ReplayAll) -> tuple[MobEvent, ...]:
    """Answer every event."""
    return _events(session, _EVENTS.read(session, 0))


def latest_cursor(session: Session, _operation: ops.LatestCursor) -> int:
    """Answer the last event's cursor, or 0."""
    row = session.row(_LAST_CHUNK, (EVENTS,), TOTAL)
    assert row is not None, "an aggregate answers one row"
    last = _EVENTS.read(session, row[0] * CHUNK)[-1:]
    return last[0][0] if last else 0


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


def appended(session: Session, _operation: object = None) -> int:
    """Answer the place in the feed that the next append gets."""
    row = session.row(_PLACE_APPENDED, (), _COUNT)
    assert row is not None, "an aggregate answers one row"
    place: int
    place, check = row
    if place != check:
        raise disagreement(session, "feed")
    return place


def read_feed(session: Session, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
    """Return what a subscriber at ``place`` gets next; see `mobstore.model.drain`."""
    rows = _FEED.read(session, place)
    if not rows:
        return (), 0, place
    return _events(session, [row[1:] for row in rows]), rows[0][0] - place, rows[-1][0] + 1


# --- what has an order without an end -------------------------------------------------------------------------


@attrs.frozen
class _Series:
    """Rows in the order of a number; so many neighbours have a check together, but for those that are gone."""

    scope: str
    by: str
    columns: tuple[str, ...]

    def read(self, session: Session, first: int, limit: int = _MOST) -> list[tuple[Any, ...]]:
        """Return rows from ``first`` on, at most so many.

        Raises:
            ReadFailed: there are rows that do not agree with their check, or checks without rows.
        """
        if first > _MOST:
            return []
        scope, chunk = SCOPES[self.scope], first // CHUNK
        shown = ", ".join(f"t.{column}" for column in self.columns)
        query = (
            f"SELECT {shown}, {sum_of(scope, 't')} FROM {scope.table} AS t "
            f"WHERE t.{self.by} >= ? ORDER BY t.{self.by} LIMIT ?"
        )
        # Of the chunks of the first and the last row all is read; what is cut off by the limit is not needed.
        most = min(limit + 2 * CHUNK, _MOST)
        rule = shape(scope.table, *self.columns, checked=True)
        rows = session.rows(query, (chunk * CHUNK, most), rule)
        chunks = [(number, list(some)) for number, some in groupby(rows, lambda row: row[0] // CHUNK)]
        if len(rows) == most:
            chunks.pop()
        query = "SELECT scope, total FROM checks WHERE owner = ? AND scope >= ? ORDER BY scope LIMIT ?"
        wanted = len(chunks) + (len(rows) < most)
        checks = session.rows(query, (int(scope.owner), chunk, wanted), _CHECKS)
        if [number for number, _ in chunks] != [number for number, _ in checks]:
            raise disagreement(session, scope.table)
        whole = [
            row
            for (_, some), (_, total) in zip(chunks, checks, strict=True)
            for row in agreeing(session, scope, some, total)
        ]
        return [row for row in whole if row[0] >= first][:limit]


_CHECKS: Final = Shape.made("checks", COUNT, COUNT)
_EVENTS: Final = _Series("events", "cursor", _COLUMNS)
_FEED: Final = _Series("feed", "place", ("place", *_COLUMNS))
