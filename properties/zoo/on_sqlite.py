"""Broken backends on SQLite: a statement, a value on its way, a transaction or the engine around them is wrong."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

from mobstore.backends._base import Subscription
from mobstore.backends.sqlite import HANDLERS, SqliteEngine
from mobstore.backends.sqlite import _documents as documents
from mobstore.backends.sqlite import _events as events
from mobstore.backends.sqlite._errors import is_busy
from mobstore.backends.sqlite._session import BEGIN_WRITE, COMMIT, Body, Session
from mobstore.model import MobEvent, MobStoreError, Operation, ReadFailed, WriteFailed, to_text
from mobstore.model import operations as ops
from mobstore.properties.zoo.backend import BrokenBackend, ErrorsFlattened, SqliteHandlers, on_sqlite

BACKENDS: Final[list[BrokenBackend]] = []
"""The broken backends."""


def _add(name: str, mistake: str, chapter: str, changed: SqliteHandlers | None = None, **options: Any) -> None:
    BACKENDS.append(on_sqlite(f"sqlite-{name}", mistake, chapter, changed, **options))


# --- statements -------------------------------------------------------------------------------------------------

Values: TypeAlias = Callable[[str, Sequence[Any]], Sequence[Any]]


class _Cursor(sqlite3.Cursor):
    """Sends other statements than it is given, or other values."""

    swaps: tuple[tuple[str, str], ...] = ()
    values: Values | None = None

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        """Send a statement."""
        values = type(self).values
        given = parameters if values is None else values(sql, parameters)
        for pattern, instead in self.swaps:
            sql = re.sub(pattern, instead, sql)
        return super().execute(sql, given)


def _connecting(swaps: Mapping[str, str] | None = None, values: Values | None = None) -> Callable[..., Any]:
    """Return what opens connections whose calls send other statements (by regular expression) or values."""
    attributes = {
        "swaps": tuple((swaps or {}).items()),
        "values": None if values is None else staticmethod(values),
    }
    cursors = type("Cursor", (_Cursor,), attributes)

    class Connection(sqlite3.Connection):
        def cursor(self, *_: Any) -> Any:
            return super().cursor(cursors)

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = sqlite3.connect(*arguments, factory=Connection, **options)
        return connection

    return connect


def _text(sql: str) -> str:
    """A pattern that a statement, or a part of it, matches as it stands."""
    return re.escape(sql)


for _name, _mistake, _chapter, _old, _new in (
    (
        "names-ignore-case",
        "the name of a profile is compared without case (COLLATE NOCASE)",
        "comparisons",
        _text("FROM profiles WHERE name = ?"),
        "FROM profiles WHERE name = ? COLLATE NOCASE",
    ),
    (
        "frames-ignore-blanks",
        "the id of a frame is compared without trailing blanks (COLLATE RTRIM)",
        "rows",
        _text("frames.frame_id = ?"),
        "frames.frame_id = ? COLLATE RTRIM",
    ),
    (
        "loops-ignore-case",
        "the id of a loop is compared without case (COLLATE NOCASE)",
        "rows",
        _text("loops.loop_instance_id = ?"),
        "loops.loop_instance_id = ? COLLATE NOCASE",
    ),
    (
        "mobs-are-patterns",
        "list_runs looks for its mob with LIKE",
        "comparisons",
        _text("WHERE r.mob_id = ? ORDER BY r.seq"),
        "WHERE r.mob_id LIKE ? ORDER BY r.seq",
    ),
    (
        "overlays-deleted-by-prefix",
        "the overlays of every mob are deleted whose id begins with the given one",
        "comparisons",
        f"^{_text('DELETE FROM overlays WHERE mob_id = ?')}$",  # noqa: S608 - no value is put into it
        "DELETE FROM overlays WHERE mob_id LIKE ? || '%'",
    ),
    (
        "older-generations-deleted",
        "with an overlay those of older generations are deleted",
        "comparisons",
        _text("DELETE FROM overlays WHERE mob_id = ? AND agent_identity = ? AND generation = ?"),
        "DELETE FROM overlays WHERE mob_id = ? AND agent_identity = ? AND generation <= ?",
    ),
    (
        "put-keeps-what-is-there",
        "put_supervisor_authority does nothing when there is a record (ON CONFLICT DO NOTHING)",
        "comparisons",
        _text("ON CONFLICT (mob_id) DO UPDATE SET record = excluded.record"),
        "ON CONFLICT (mob_id) DO NOTHING",
    ),
    (
        "output-replaced",
        "an output is put with INSERT OR REPLACE, which moves it to the end",
        "rows",
        r"INSERT INTO root_outputs (.*) ON CONFLICT \(run, key\) DO UPDATE SET output = excluded.output",
        r"INSERT OR REPLACE INTO root_outputs \1",
    ),
    (
        "completion-time-overwritten",
        "completed_at is set with every change of the status",
        "rows",
        _text("completed_at = coalesce(completed_at, ?)"),
        "completed_at = ?",
    ),
    (
        "updated-at-stays",
        "update does not move updated_at",
        "comparisons",
        _text(", updated_at = excluded.updated_at"),
        "",
    ),
    (
        "runs-by-time",
        "list_runs answers in the order of created_at, which is the caller's",
        "comparisons",
        _text("WHERE r.mob_id = ? ORDER BY r.seq"),
        "WHERE r.mob_id = ? ORDER BY r.created_at",
    ),
    (
        "ledger-by-time",
        "the step ledger is read in the order of its times",
        "rows",
        "(FROM step_ledger AS t WHERE t.run = .) ORDER BY t.place",
        r"\1 ORDER BY t.timestamp",
    ),
    (
        "events-by-time",
        "events are polled in the order of their times",
        "cursors",
        _text("ORDER BY t.cursor LIMIT ?"),
        "ORDER BY t.seconds, t.nanos LIMIT ?",
    ),
    (
        "specs-as-inserted",
        "list_specs answers in the order of insertion",
        "comparisons",
        _text("FROM specs AS t WHERE true ORDER BY t.mob_id"),
        "FROM specs AS t WHERE true ORDER BY t.rowid",
    ),
    (
        "overlays-by-generation",
        "overlays are listed by generation first",
        "comparisons",
        _text("ORDER BY t.agent_identity, t.generation"),
        "ORDER BY t.generation, t.agent_identity",
    ),
    (
        "pruned-by-second",
        "prune compares whole seconds",
        "cursors",
        _text("(seconds, nanos) < (?, ?)"),
        "seconds < ? AND ? IS NOT NULL",
    ),
    (
        "pruned-part-by-part",
        "prune compares the seconds and the fraction each by itself",
        "cursors",
        _text("(seconds, nanos) < (?, ?)"),
        "seconds <= ? AND nanos < ?",
    ),
    (
        "cursor-from-the-table",
        "the next cursor is one above the largest in the table",
        "cursors",
        _text("SELECT t.value, "),
        "SELECT (SELECT coalesce(max(cursor), 0) + 1 FROM events), ",
    ),
    (
        "replay-of-one-page",
        "replay_all answers the first 1,000 events",
        "cursors",
        "(FROM events AS t .*) LIMIT .$",
        r"\1 LIMIT min(?, 1000)",
    ),
    (
        "polled-by-offset",
        "poll takes a cursor for the number of events to leave out",
        "cursors",
        _text("WHERE t.cursor >= ? ORDER BY t.cursor LIMIT ?"),
        "ORDER BY t.cursor LIMIT ?2 OFFSET ?1",
    ),
    (
        "output-of-every-run",
        "put_step_output forgets the run in its WHERE",
        "rows",
        _text("WHERE run = ? AND place = ?"),
        "WHERE ? IS NOT NULL AND place = ?",
    ),
    (
        "output-on-first-entry",
        "put_step_output takes the first entry of the step (min where max belongs)",
        "rows",
        _text("SELECT max(place) FROM step_ledger WHERE run = r.seq AND step_id = ?)"),
        "SELECT min(place) FROM step_ledger WHERE run = r.seq AND step_id = ?)",
    ),
    (
        "feed-trimmed-early",
        "a subscriber may be 96 events behind, and no more",
        "subscriptions",
        _text("DELETE FROM feed WHERE place <= ?"),
        "DELETE FROM feed WHERE place <= ? + 4000",
    ),
):
    _add(_name, _mistake, _chapter, connect=_connecting({_old: _new}))


# --- values on their way ----------------------------------------------------------------------------------------


def _texts(change: Callable[[str], Any], *, documents: bool = False) -> Values:
    """Change every text that is no JSON, or with ``documents`` every text that is."""

    def values(_sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
        return [
            change(value) if isinstance(value, str) and (value[:1] in "{[" and value != "") is documents else value
            for value in parameters
        ]

    return values


def _numbers(table: str, change: Callable[[int], int]) -> Values:
    """Change every number in the statements about a table."""

    def values(sql: str, parameters: Sequence[Any]) -> Sequence[Any]:
        if table not in sql:
            return parameters
        return [change(value) if isinstance(value, int) else value for value in parameters]

    return values


def _doubles(text: str) -> str:
    return json.dumps(json.loads(text, parse_int=_double), ensure_ascii=False, separators=(",", ":"))


def _double(digits: str) -> int:
    return int(float(digits))


def _short_floats(text: str) -> str:
    numbers = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.15g}"))
    return json.dumps(numbers, ensure_ascii=False, separators=(",", ":"))


for _name, _mistake, _chapter, _values in (
    (
        "ids-cut-at-nul",
        "a text ends at its first NUL, as in C",
        "awkward-ids",
        _texts(lambda text: text.partition("\0")[0]),
    ),
    (
        "ids-cut-at-255",
        "a text is cut at 255 characters (VARCHAR)",
        "awkward-ids",
        _texts(lambda text: text[:255]),
    ),
    (
        "ids-normalised",
        "letters that look alike are made one (NFC)",
        "awkward-ids",
        _texts(lambda text: unicodedata.normalize("NFC", text)),
    ),
    ("ids-stripped", "blanks around an id are taken away", "awkward-ids", _texts(str.strip)),
    (
        "text-without-astral",
        "letters beyond 16 bits become question marks (utf8mb3)",
        "awkward-ids",
        _texts(lambda text: re.sub("[^\0-\uffff]", "?", text)),
    ),
    ("empty-is-null", "an empty text is NULL", "awkward-ids", _texts(lambda text: text or None)),
    (
        "integers-as-doubles",
        "integers in documents lose their last digits above 2^53",
        "values",
        _texts(_doubles, documents=True),
    ),
    (
        "floats-of-15-digits",
        "floats in documents are printed with 15 digits",
        "values",
        _texts(_short_floats, documents=True),
    ),
    (
        "generations-of-32-bits",
        "the generation of an overlay is an INT of 32 bits",
        "comparisons",
        _numbers("overlays", lambda number: number & 0xFFFF_FFFF),
    ),
    (
        "times-in-milliseconds",
        "times of events are cut to milliseconds",
        "values",
        lambda sql, given: (
            [*given[:2], given[2] // 10**6 * 10**6, *given[3:]] if sql.startswith("INSERT INTO events") else given
        ),
    ),
):
    _add(_name, _mistake, _chapter, connect=_connecting(values=_values))


# --- transactions -----------------------------------------------------------------------------------------------


def _everywhere(perform: Callable[[Session, Body, Any], Any]) -> SqliteHandlers:
    """Do every call that writes in another kind of transaction."""
    return {kind: (perform, body) for kind, (how, body) in HANDLERS.items() if how is Session.write}


def _left_open(session: Session, body: Body, operation: Any) -> Any:
    """End the transaction of a call that wrote, and forget that of one that was refused."""
    connection = session._connection  # noqa: SLF001
    if not connection.in_transaction:
        session._cursor.execute(BEGIN_WRITE)  # noqa: SLF001
    session._wrote = False  # noqa: SLF001
    answer = body(session, operation)
    if session._wrote:  # noqa: SLF001
        session._cursor.execute(COMMIT)  # noqa: SLF001
    return answer


class _LeavesTransactionsOpen(SqliteEngine):
    @staticmethod
    def _use(session: Session, perform: Any, body: Body, argument: Any) -> Any:
        return perform(session, body, argument)


_THINKING: Final = 0.001
"""Seconds between what a call reads first and what it writes."""


def _deferred(session: Session, body: Body, operation: Any) -> Any:
    """Begin without a lock, and ask for it when something is written."""
    connection = session._connection  # noqa: SLF001
    try:
        session._cursor.execute("BEGIN DEFERRED")  # noqa: SLF001
        session.row("SELECT value FROM meta")
        time.sleep(_THINKING)
        answer = body(session, operation)
        session._cursor.execute(COMMIT)  # noqa: SLF001
        return answer
    finally:
        if connection.in_transaction:
            session._roll_back()  # noqa: SLF001


def _busy_is_false(session: Session, body: Body, operation: Any) -> Any:
    """Answer what another one's lock keeps from being done as if it had been compared."""
    try:
        return _deferred(session, body, operation)
    except sqlite3.OperationalError as error:
        if is_busy(error):
            return False
        raise


def _busy_is_nothing(session: Session, body: Body, operation: Any) -> Any:
    """Leave out what another one's lock keeps from being done."""
    answer = _busy_is_false(session, body, operation)
    return None if answer is False and isinstance(operation, ops.AppendStepEntry) else answer


_add(
    "transaction-left-open",
    "a call that is refused leaves its transaction open, and every other handle waits in vain",
    "handles",
    _everywhere(_left_open),
    engine=_LeavesTransactionsOpen,
)
_add(
    "deferred",
    "transactions begin as readers (BEGIN DEFERRED), and fail when they come to write",
    "threads",
    _everywhere(_deferred),
)
_add(
    "busy-is-false",
    "a call that finds the file locked answers that the comparison failed",
    "threads",
    _everywhere(_busy_is_nothing),
)


# --- engines ----------------------------------------------------------------------------------------------------


class _ErrorsFlattened(ErrorsFlattened, SqliteEngine):
    """On SQLite."""


class _UncheckedNumbers(SqliteEngine):
    def execute(self, operation: Operation[Any]) -> Any:
        """Leave it to SQLite to say that a number is too large."""
        perform, body = self._handlers[type(operation)]
        answer = self.perform(perform, body, operation, ReadFailed if operation.reads else WriteFailed)
        self._shared.tell()
        return answer


class _RunsCached(SqliteEngine):
    """Remembers the runs that it read, until it writes itself."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Answer from memory what was read before."""
        held = self.__dict__.setdefault("held", {})
        if not operation.reads:
            held.clear()
        elif isinstance(operation, ops.GetRun):
            if operation.run_id not in held:
                held[operation.run_id] = super().execute(operation)
            return held[operation.run_id]
        return super().execute(operation)


class _ComparedWithMemory(SqliteEngine):
    """Compares an authority record with the one that this process put last."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Remember the record that is put, and compare with that."""
        held = self.__dict__.setdefault("held", {})
        if isinstance(operation, ops.CompareAndPutSupervisorAuthority) and operation.mob_id in held:
            if held[operation.mob_id] != operation.expected:
                return False
            operation = ops.PutSupervisorAuthority(operation.mob_id, operation.record)
            super().execute(operation)
            answer: Any = True
        else:
            answer = super().execute(operation)
        if answer is not False and hasattr(operation, "record") and "supervisor" in operation.call:
            held[operation.mob_id] = operation.record  # type: ignore[attr-defined]
        elif isinstance(operation, ops.DeleteSupervisorAuthority):
            held.pop(operation.mob_id, None)
        return answer


class _EndedInMemory(SqliteEngine):
    """Remembers which flow runs have ended, instead of looking."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Look into the memory of this process."""
        held = self.__dict__.setdefault("held", set())
        if not isinstance(operation, ops.AppendTerminalEventIfAbsent):
            return super().execute(operation)
        key = ops.terminal_key(operation.event)
        if key in held:
            return None
        held.add(key)
        return super().execute(ops.Append(operation.event))


class _CountsByItself(SqliteEngine):
    """Reads the cursor once, and counts by itself from then on."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Set the counter of the file to what this process takes for the next cursor."""
        if isinstance(operation, ops.Append):
            held = self.__dict__.get("next")
            if held is not None:
                set_cursor = (Session.write, lambda session, _: events.set_next_cursor(session, held))
                self.perform(*set_cursor, None, WriteFailed)
            event = super().execute(operation)
            self.__dict__["next"] = event.cursor + 1
            return event
        if not operation.reads:
            self.__dict__.pop("next", None)
        return super().execute(operation)


class _CountsAgainWhenOpened(SqliteEngine):
    """Takes the largest cursor in the table for the last one when it is opened."""

    def _start(self, create: bool) -> None:
        super()._start(create)
        self.perform(Session.write, _count_again, None, WriteFailed)


def _count_again(session: Session, _: Any) -> None:
    events.set_next_cursor(session, events.latest_cursor(session, ops.LatestCursor()) + 1)


class _LogsStatements(SqliteEngine):
    """Logs every statement with its values, for debugging."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        def connect(*given: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = sqlite3.connect(*given, **more)
            connection.set_trace_callback(logging.getLogger(__name__).debug)
            return connection

        super().__init__(*arguments, **options, connect=connect)


class _FollowsOwnAppends(SqliteEngine):
    """Tells subscribers of what this process has appended."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Remember what is appended."""
        answer = super().execute(operation)
        if operation.store == "event" and not operation.reads:
            appended = self.__dict__.setdefault("appended", [])
            appended += answer if isinstance(answer, tuple) else [answer] if isinstance(answer, MobEvent) else []
        return answer

    def subscribe(self) -> Subscription:
        """Begin with what this process appends next."""
        return Subscription(self, len(self.__dict__.setdefault("appended", [])))

    def read(self, place: int) -> Any:
        """Read what this process has appended."""
        appended = self.__dict__["appended"]
        return tuple(appended[place:]), 0, len(appended)

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:
        """Wait for this process to append."""
        with self._shared.news:
            if not over() and len(self.__dict__["appended"]) <= place:
                self._shared.news.wait(timeout)


class _FollowsCursors(SqliteEngine):
    """A subscriber remembers the last cursor it saw, and asks for larger ones."""

    def subscribe(self) -> Subscription:
        """Begin after the newest event."""
        return Subscription(self, self._newest())

    def _newest(self) -> int:
        found: int = self.perform(Session.read, events.latest_cursor, ops.LatestCursor(), ReadFailed)
        return found

    def read(self, place: int) -> Any:
        """Read the events with a larger cursor."""
        found = super().execute(ops.Poll(place, 10_000))
        return found, 0, max((event.cursor for event in found), default=place)


class _LagNotTold(SqliteEngine):
    def read(self, place: int) -> Any:
        """Say nothing of what was missed."""
        found, _, place = super().read(place)
        return found, 0, place


for _name, _mistake, _chapter, _engine in (
    ("errors-flattened", "every error is an Internal with a text", "comparisons", _ErrorsFlattened),
    (
        "numbers-unchecked",
        "a number above 2^63-1 is SQLite's error",
        "cursors",
        _UncheckedNumbers,
    ),
    ("runs-cached", "a run that was read is remembered, whatever other processes write", "handles", _RunsCached),
    (
        "compared-with-memory",
        "an authority record is compared with the one that this process put last",
        "handles",
        _ComparedWithMemory,
    ),
    ("ended-in-memory", "which flow runs have ended is remembered by each process", "handles", _EndedInMemory),
    ("cursor-counted-in-memory", "each process counts the cursors by itself", "handles", _CountsByItself),
    (
        "cursor-counted-when-opened",
        "the next cursor is found from the table when the file is opened",
        "cursors",
        _CountsAgainWhenOpened,
    ),
    ("statements-logged", "statements are logged with their values", "secrets", _LogsStatements),
    (
        "subscriber-of-one-process",
        "a subscriber misses what another handle appended",
        "subscriptions",
        _FollowsOwnAppends,
    ),
    (
        "subscriber-follows-cursors",
        "a subscriber misses what comes after a clear",
        "subscriptions",
        _FollowsCursors,
    ),
    ("lag-not-told", "a subscriber that fell behind is not told", "subscriptions", _LagNotTold),
):
    _add(_name, _mistake, _chapter, engine=_engine)


# --- calls ------------------------------------------------------------------------------------------------------


def _clear_and_count_on(session: Session, _operation: Any) -> None:
    session.change("DELETE FROM events")


def _clear_with_feed(session: Session, operation: Any) -> None:
    events.clear(session, operation)
    session.change("DELETE FROM feed")


def _no_expectation(session: Session, operation: Any) -> Any:
    if operation.expected is None:
        sql = (
            "INSERT INTO frames (run, frame_id, snapshot) SELECT seq, ?, ? FROM runs WHERE run_id = ? "
            "ON CONFLICT (run, frame_id) DO UPDATE SET snapshot = excluded.snapshot"
        )
        if session.remove(sql, (operation.frame_id, to_text(operation.next), operation.run_id)):
            return True
    return HANDLERS[ops.CasFrameState][1](session, operation)


def _upserted(session: Session, operation: ops.CreateProfile) -> Any:
    with suppress(MobStoreError):
        return documents.create_profile(session, operation)
    return documents.get_profile(session, operation)


def _deleted_by_name(session: Session, operation: ops.DeleteProfile) -> Any:
    held = documents.get_profile(session, operation)
    if held is None:
        return documents.delete_profile(session, operation)
    return documents.delete_profile(session, ops.DeleteProfile(operation.name, held.revision))


_WRITE: Final = Session.write
for _name, _mistake, _chapter, _kind, _body in (
    ("clear-counts-on", "clear does not start the cursors again at 1", "cursors", ops.Clear, _clear_and_count_on),
    (
        "clear-empties-the-feed",
        "subscribers miss what a clear removed before they had read it",
        "subscriptions",
        ops.Clear,
        _clear_with_feed,
    ),
    (
        "no-expectation-upserts",
        "cas_frame_state with no expectation is an upsert",
        "rows",
        ops.CasFrameState,
        _no_expectation,
    ),
    (
        "create-answers-what-is-there",
        "create answers the profile that has the name already",
        "comparisons",
        ops.CreateProfile,
        _upserted,
    ),
    (
        "deleted-whatever-the-revision",
        "delete of a profile ignores the expected revision",
        "comparisons",
        ops.DeleteProfile,
        _deleted_by_name,
    ),
):
    _add(_name, _mistake, _chapter, {_kind: (_WRITE, _body)})
