"""The SQLite backend: executes operations on one file, for any number of threads and processes."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

from mobstore.backends._base import Clock, Subscription, system_clock
from mobstore.backends.sqlite import _documents as documents
from mobstore.backends.sqlite import _events as events
from mobstore.backends.sqlite import _runs as runs
from mobstore.backends.sqlite._cells import Program
from mobstore.backends.sqlite._errors import failure, is_read_only
from mobstore.backends.sqlite._files import HANDLES, Connect, Identity, Location, Opener
from mobstore.backends.sqlite._session import Body, Session, Shared, Trace
from mobstore.model import ROWS, MobEvent, MobStoreError, Operation, ReadFailed, WriteFailed
from mobstore.model import operations as ops

A = TypeVar("A")

Handler: TypeAlias = tuple[Callable[[Session, Body, Any], Any], Body]
"""How a call is done: the kind of transaction, and what happens in it."""

HANDLERS: Final[Mapping[type[Operation[Any]], Handler]] = {
    **{row.operation: (Session.write, Program(row)) for row in ROWS},
    ops.CreateRun: (Session.write, runs.create_run),
    ops.GetRun: (Session.snapshot, runs.get_run),
    ops.ListRuns: (Session.snapshot, runs.list_runs),
    ops.Append: (Session.write, events.append),
    ops.AppendTerminalEventIfAbsent: (Session.write, events.append_terminal),
    ops.AppendBatch: (Session.write, events.append_batch),
    ops.Poll: (Session.snapshot, events.poll),
    ops.ReplayAll: (Session.snapshot, events.replay_all),
    ops.LatestCursor: (Session.snapshot, events.latest_cursor),
    ops.Subscribe: (Session.read, events.appended),
    ops.Clear: (Session.write, events.clear),
    ops.Prune: (Session.write, events.prune),
    ops.LoadSupervisorAuthority: (Session.read, documents.load_authority),
    ops.PutSupervisorAuthority: (Session.write, documents.put_authority),
    ops.CompareAndPutSupervisorAuthority: (Session.write, documents.compare_and_put_authority),
    ops.PutSupervisorAuthorityIfAbsent: (Session.write, documents.put_authority_if_absent),
    ops.DeleteSupervisorAuthority: (Session.write, documents.delete_authority),
    ops.ListExternalBindingOverlays: (Session.snapshot, documents.list_overlays),
    ops.PutExternalBindingOverlayIfAbsent: (Session.write, documents.put_overlay_if_absent),
    ops.UpsertExternalBindingOverlay: (Session.write, documents.upsert_overlay),
    ops.DeleteExternalBindingOverlay: (Session.write, documents.delete_overlay),
    ops.DeleteExternalBindingOverlays: (Session.write, documents.delete_overlays),
    ops.PutSpec: (Session.write, documents.put_spec),
    ops.GetSpec: (Session.read, documents.get_spec),
    ops.ListSpecs: (Session.snapshot, documents.list_specs),
    ops.DeleteSpec: (Session.write, documents.delete_spec),
    ops.CreateProfile: (Session.write, documents.create_profile),
    ops.GetProfile: (Session.read, documents.get_profile),
    ops.ListProfiles: (Session.snapshot, documents.list_profiles),
    ops.UpdateProfile: (Session.write, documents.update_profile),
    ops.DeleteProfile: (Session.write, documents.delete_profile),
}
"""How each of the 57 calls is done."""

_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.05

_shared: Final[weakref.WeakValueDictionary[Hashable, Shared]] = weakref.WeakValueDictionary()
_engines: Final[weakref.WeakSet[SqliteEngine]] = weakref.WeakSet()


def is_open_here(identity: Identity) -> bool:
    """Whether a connection of this process has the file open; with `HANDLES` held it stays so, unless one ends."""
    return any(engine.has_open(identity) for engine in list(_engines))


def _open_sessions(identity: Identity | None) -> list[Session]:
    """Return the connections of this process to a file."""
    engines = [engine for engine in list(_engines) if engine._identity == identity]  # noqa: SLF001 - a part of it
    return [session for engine in engines for session in list(engine._sessions) if not session.closed]  # noqa: SLF001


class SqliteEngine:
    """A storage in one SQLite file, which is created (mode 0600) where there is none.

    Each thread has a connection of its own.  They are closed when the thread ends, when the engine is closed,
    and before the process forks: a child opens its own.

    Args:
        path: the file, or a ``file:`` URI; with ``vfs=NAME`` in it SQLite's VFS of that name keeps the storage.
        clock: tells the store's time in nanoseconds since 1970.
        busy_timeout: how many seconds a call waits for its turn to write before it fails.
        connect: opens a connection; called as ``sqlite3.connect`` is, with ``uri=True``.
        trace: is told each statement before it is sent, without its values.
        handlers: how each call is done.
        shared: what it shares with the other engines on the file (the default: with all those of this process); one
            that has its own meets the others only in SQLite, as another process's does.

    Raises:
        ReadFailed: the path names no file of ours, which stays as it is.
        WriteFailed: the file or its directory cannot be written.
    """

    blocks: ClassVar[bool] = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock = system_clock,
        busy_timeout: float = 5.0,
        connect: Connect = sqlite3.connect,
        trace: Trace | None = None,
        handlers: Mapping[type[Operation[Any]], Handler] = HANDLERS,
        shared: Shared | None = None,
    ) -> None:
        self._location = Location.of(path)
        self._opener = Opener(self._location, busy_timeout, connect, trace)
        self._clock = clock
        self._wait = busy_timeout
        self._trace = trace
        self._handlers = handlers
        self._given = shared
        self._local = threading.local()
        self._sessions: weakref.WeakSet[Session] = weakref.WeakSet()
        self._start(create=True)

    def _start(self, create: bool) -> None:
        with HANDLES:
            self._identity = self._opener.prepare(create)
            key: Hashable = self._location.uri if self._identity is None else self._identity
            self._shared = _shared.setdefault(key, Shared()) if self._given is None else self._given
            self._closed = False
            _engines.add(self)

    # --- calls ----------------------------------------------------------------------------------------------

    def execute(self, operation: Operation[A]) -> A:
        """Do the call; see `Engine.execute`.

        Raises:
            OutcomeUnknown: its commit failed, and it may have happened or not.
        """
        kind = type(operation)
        operation.refuse_arguments()
        perform, body = self._handlers[kind]
        answer: A = self.perform(perform, body, operation, ReadFailed if kind.reads else WriteFailed)
        if kind.store == "event" and not kind.reads:
            self._shared.tell()
        return answer

    def perform(
        self,
        perform: Callable[[Session, Body, Any], Any],
        body: Body,
        argument: Any,
        error_kind: type[MobStoreError],
    ) -> Any:
        """Let ``body`` work on ``argument`` in a transaction of the thread's connection.

        Raises:
            MobStoreError: of ``error_kind``, when the storage fails.
        """
        try:
            renewed = False
            while True:
                session = self._session(error_kind)
                with session.lock:
                    # A fork or a reopening in another thread may have come first.
                    if session.closed:
                        continue
                    try:
                        return self._use(session, perform, body, argument)
                    except sqlite3.OperationalError as error:
                        # A connection that was made while the disk was read-only stays so: once, a new one tries.
                        if renewed or not is_read_only(error):
                            raise
                        renewed = True
                        session.close()
        except (sqlite3.Error, OverflowError, UnicodeDecodeError) as error:
            # The cause is not shown: its message may hold what is stored.
            raise failure(error_kind, self._location.shown, error, self._wait) from None

    @staticmethod
    def _use(session: Session, perform: Callable[[Session, Body, Any], Any], body: Body, argument: Any) -> Any:
        try:
            return perform(session, body, argument)
        finally:
            if session.stuck:
                session.close()

    # --- connections ----------------------------------------------------------------------------------------

    def _session(self, error_kind: type[MobStoreError]) -> Session:
        """The thread's own connection, to the file that the path still names."""
        if self._closed:
            raise error_kind(f"{self._location.shown}: the store is closed")
        self._check_identity(error_kind)
        session: Session | None = getattr(self._local, "session", None)
        if session is None or session.closed:
            session = self._connect(error_kind)
        else:
            self._check_log(session, error_kind)
        return session

    def _check_log(self, session: Session, error_kind: type[MobStoreError]) -> None:
        # What goes into a log that has lost its name is kept only if the last connection to it is closed in peace.
        # A session that another thread closes meanwhile may take the log with it, and is used no more.
        if session.log != self._location.log_identity() and not session.closed:
            raise error_kind(f"{self._location.shown}: the log of the open file is gone: reopen every store on it")

    def _check_identity(self, error_kind: type[MobStoreError]) -> None:
        try:
            now = self._location.identity()
        except OSError as error:
            raise error_kind(f"{self._location.shown}: the open file is gone ({error.strerror})") from None
        if now != self._identity:
            raise error_kind(f"{self._location.shown}: another file has taken the place of the open one")

    def _connect(self, error_kind: type[MobStoreError]) -> Session:
        with HANDLES:
            if self._closed:
                raise error_kind(f"{self._location.shown}: the store is closed")
            for other in _open_sessions(self._identity):
                self._check_log(other, error_kind)
            session = Session(
                self._opener.open(), self._location.shown, self._shared, self._clock, self._wait, self._trace
            )
            session.log = self._location.log_identity()
            self._sessions.add(session)
            self._local.session = session
        self._check_identity(error_kind)
        return session

    def has_open(self, identity: Identity) -> bool:
        """Whether a connection of this engine has that file open."""
        return self._identity == identity and any(not session.released for session in list(self._sessions))

    def close(self) -> None:
        """Give back every handle, after the calls under way; see `Engine.close`."""
        with HANDLES:
            self._closed = True
        self._close_sessions()
        self._shared.tell()

    def reopen(self) -> None:
        """Drop every handle and open the file again, which must still be there; see `Engine.reopen`."""
        self._close_sessions()
        self._start(create=False)

    def _close_sessions(self) -> None:
        with HANDLES:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    # --- subscriptions --------------------------------------------------------------------------------------

    def subscribe(self) -> Subscription:
        """Begin to deliver the events appended from now on."""
        return Subscription(self, self._newest())

    def read(self, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
        """Read the feed; see `Feed.read`."""
        delivery: tuple[tuple[MobEvent, ...], int, int] = self.perform(
            Session.snapshot, events.read_feed, place, ReadFailed
        )
        return delivery

    def _newest(self) -> int:
        place: int = self.perform(Session.snapshot, events.appended, None, ReadFailed)
        return place

    def wait(self, place: int, timeout: float | None, over: Callable[[], bool]) -> None:
        """Wait for the feed to grow; see `Feed.wait`.

        This process's appends tell of themselves; those of others are looked for, ever more slowly.
        """
        shared = self._shared
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        seen = shared.appends
        while self._newest() <= place:
            left = pause if deadline is None else min(pause, deadline - time.monotonic())
            with shared.news:
                if over() or shared.appends != seen or left <= 0:
                    return
                shared.news.wait(left)
            pause = min(pause * 1.25, _LONGEST_PAUSE)

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._shared.tell()


# --- forks --------------------------------------------------------------------------------------------------

# SQLite's locks belong to a process, and its books of them do not survive a fork: a child of a process with an
# open connection would take its parent's locks for its own.  So no connection is open during a fork.


def _before_fork() -> None:
    HANDLES.acquire()
    for engine in list(_engines):
        engine._close_sessions()  # noqa: SLF001 - a part of the engine


def _after_fork_in_child() -> None:
    for shared in {*_shared.values(), *(engine._shared for engine in list(_engines))}:  # noqa: SLF001
        shared.renew()
    HANDLES.release()


if sys.platform != "win32":
    os.register_at_fork(before=_before_fork, after_in_parent=HANDLES.release, after_in_child=_after_fork_in_child)
