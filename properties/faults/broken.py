"""Broken backends, each with one of the mistakes that lose data when things break, and each rejected.

Some are our SQLite backend with a setting or a statement wrong; others keep a file of their own on the simulated
disk, and differ in one step from `careful`, which is right, and which the same checks must pass; the last are our
memory backend with a lock or a state handled carelessly.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite import HANDLERS, Handler, Trace
from mobstore.backends.sqlite._session import Session
from mobstore.model import Operation, ReadFailed, State, WriteFailed, evolve
from mobstore.model.step import RunStoreState
from mobstore.properties.faults.disk import SECTOR, Disk, DiskFailure, Event, Image
from mobstore.properties.faults.failures import fail_calls
from mobstore.properties.faults.interrupts import WithState, interrupt_calls
from mobstore.properties.faults.power import CHANGING, Level, cut_calls
from mobstore.properties.faults.storage import Contents, SqliteStorage, Storage, tuned

# --- a store that keeps its state in files of its own -------------------------------------------------------

_versions: Final[list[State]] = []
"""Every state that was ever saved; a file holds its number, in every sector, so that a torn file is noticed."""

_SECTORS: Final = 3
_STATE, _LOG, _NEW = "state", "log", "state.new"


def _saved(number: int) -> bytes:
    return (number.to_bytes(8, "big") * (SECTOR // 8)) * _SECTORS


def _loaded(content: bytes | bytearray | None) -> State:
    if content is None:
        return State()
    numbers = {bytes(content[place : place + 8]) for place in range(0, len(content), 8)}
    if len(numbers) != 1 or len(content) != _SECTORS * SECTOR:
        raise ReadFailed(f"the file is torn: {len(content)} bytes of {len(numbers)} versions")
    return _versions[int.from_bytes(numbers.pop(), "big")]


Save = Callable[["_FileEngine", bytes], None]


class _FileEngine(MemoryEngine):
    """Keeps the stores in memory, and saves them after every call with ``save``."""

    def __init__(self, disk: Disk, clock: Clock, save: Save) -> None:
        super().__init__(clock)
        self.disk = disk
        self.unsaved = 0
        self._save = save
        self._stores = {kind.store: store for kind, (store, _) in self._calls.items()}
        for name, value in attrs.asdict(self._load(), recurse=False).items():
            self._stores[name].state = value

    def _load(self) -> State:
        state = _content(self.disk, _STATE)
        logs = _content(self.disk, _LOG)
        return _loaded(state) if logs is None else _joined(_loaded(state), _loaded(logs))

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call and save what it changed."""
        before = self._stores[operation.store].state
        answer = super().execute(operation)
        if self._stores[operation.store].state is not before:
            _versions.append(State(**{name: store.state for name, store in self._stores.items()}))
            try:
                self._save(self, _saved(len(_versions) - 1))
            except DiskFailure as failure:
                self._stores[operation.store].state = before
                raise WriteFailed(str(failure)) from None
        return answer

    # --- steps of a save ------------------------------------------------------------------------------------

    def write(self, name: str, content: bytes, *, sync: bool = True) -> None:
        """Write a whole file."""
        file = self.disk.open(name)
        assert file is not None
        self.disk.write(file, 0, content)
        if sync:
            self.disk.sync(file)

    def replace(self) -> None:
        """Give the new file the name of the old one."""
        self.disk.rename(_NEW, _STATE)


def _content(disk: Disk, name: str) -> bytes | None:
    file = disk.find(name)
    return None if file is None else bytes(file.content)


def _joined(state: State, logs: State) -> State:
    """Take the runs from one file and their authority logs from another."""
    runs = state.run.runs
    for run_id, run in state.run.runs.items():
        held = logs.run.runs.get(run_id)
        if held is not None:
            runs = runs.insert(run_id, evolve(run, {"flow_authority_inputs": held.flow_authority_inputs}))
    return attrs.evolve(state, run=RunStoreState(runs, state.run.of_mob))


def careful(engine: _FileEngine, content: bytes) -> None:
    """Write a new file, make it durable, give it the name, make the name durable."""
    engine.write(_NEW, content)
    engine.replace()
    engine.disk.sync_directory()


def _overwriting(engine: _FileEngine, content: bytes) -> None:
    engine.write(_STATE, content)
    engine.disk.sync_directory()


def _rename_before_sync(engine: _FileEngine, content: bytes) -> None:
    engine.write(_NEW, content, sync=False)
    engine.replace()
    engine.disk.sync_directory()


def _name_not_synced(engine: _FileEngine, content: bytes) -> None:
    engine.write(_NEW, content)
    engine.replace()


def _never_renamed(engine: _FileEngine, content: bytes) -> None:
    engine.write(_NEW, content)
    engine.disk.sync_directory()


def _two_files(engine: _FileEngine, content: bytes) -> None:
    careful(engine, content)
    engine.write(f"{_LOG}.new", content)
    engine.disk.rename(f"{_LOG}.new", _LOG)
    engine.disk.sync_directory()


_BEHIND: Final = 3


def _write_behind(engine: _FileEngine, content: bytes) -> None:
    engine.unsaved += 1
    if engine.unsaved % _BEHIND == 0:
        careful(engine, content)


@attrs.frozen(eq=False)
class FileStorage:
    """A store in files of its own, saved in one way or another."""

    name: str
    save: Save

    @contextmanager
    def open(self, disk: Disk, clock: Clock, trace: Trace | None = None) -> Iterator[Stores]:
        """Open the stores; see `Storage.open`."""
        del trace
        yield Stores(_FileEngine(disk, clock, self.save))

    def settle(self, image: Image) -> tuple[Contents, Sequence[Event]]:
        """Nothing recovers; see `Storage.settle`."""
        return tuple(sorted(image.items())), ()

    def damage(self, disk: Disk) -> str:
        """The files have been read as a whole; see `Storage.damage`."""
        del disk
        return ""


CAREFUL: Final = FileStorage("careful", careful)
"""A store in a file of its own that loses nothing: the checks reject no store for being no SQLite."""


# --- our SQLite backend with a mistake ----------------------------------------------------------------------


def _two_transactions(session: Session, body: Any, operation: Any) -> Any:
    """Commit after every statement that writes."""
    change = session.change

    def committed(sql: str, parameters: Sequence[Any] = ()) -> None:
        change(sql, parameters)
        session._send("COMMIT")  # noqa: SLF001 - the mistake
        session._send("BEGIN IMMEDIATE")  # noqa: SLF001

    session.change = committed  # type: ignore[method-assign]
    try:
        return Session.write(session, body, operation)
    finally:
        del session.change


def _swallowing(session: Session, body: Any, operation: Any) -> Any:
    """Answer that all is well when a statement failed in the middle of a call."""

    def lenient(session: Session, operation: Any) -> Any:
        begun = session._connection.total_changes  # noqa: SLF001
        try:
            return body(session, operation)
        except sqlite3.Error:
            if session._connection.total_changes == begun:  # noqa: SLF001
                raise
            return True

    return Session.write(session, lenient, operation)


def _writing_with(perform: Callable[[Session, Any, Any], Any]) -> Mapping[type[Operation[Any]], Handler]:
    return {kind: (perform if how is Session.write else how, body) for kind, (how, body) in HANDLERS.items()}


def _with_settings(mode: str, synchronous: str) -> Callable[..., sqlite3.Connection]:
    """Use other settings for the calls than the backend asks for, and answer its questions as it likes it."""
    swapped: dict[str, tuple[str, ...]] = {
        "PRAGMA synchronous": (f"PRAGMA synchronous = {synchronous}", "SELECT 2")
    }
    if mode != "wal":
        swapped |= {
            "PRAGMA journal_mode = WAL": ("SELECT 'wal'",),
            "PRAGMA journal_mode": (f"PRAGMA journal_mode = {mode}", "SELECT 'wal'"),
        }
    return tuned(("PRAGMA wal_autocheckpoint = 4",), swapped)


# --- all of them --------------------------------------------------------------------------------------------


_SMALLEST: Final = next(call for call in CHANGING if call.call == "put_supervisor_authority")
"""Writes the least of all calls that need no other before them."""


@attrs.frozen
class BrokenStorage:
    """A store with one mistake, and what must reject it: ``power`` cuts, or ``failures`` of the disk."""

    storage: Storage
    mistake: str
    by: str = "power"

    def given_away(self, level: Level, seed: int) -> str:
        """Return the crash point, or the failure, that gives the mistake away, or nothing."""
        if self.by == "failures":
            harms = (harm for found in fail_calls(self.storage, level, seed) for harm in found.harms)
            return next((harm.story() for harm in harms), "")
        tallies = cut_calls(self.storage, level, seed, (_SMALLEST, *CHANGING), until_loss=True)
        losses = (loss for tally in tallies for loss in tally.losses)
        return min(losses, key=lambda loss: loss.size).crash_point if tallies[-1].losses else ""


@attrs.frozen
class BrokenEngine:
    """A memory backend with one mistake, which an interruption must reject."""

    engine: type[WithState]
    mistake: str
    by: ClassVar[str] = "interrupts"

    def given_away(self, level: Level, seed: int) -> str:
        """Return the interruption that gives the mistake away, or nothing."""
        del level, seed
        harms = (harm for found in interrupt_calls(1, engine=self.engine) for harm in found.harms)
        return next(harms, "")


# --- our memory backend with a mistake ----------------------------------------------------------------------


class _EntersInPython(WithState):
    """Wakes subscribers under the condition, whose ``__enter__`` is a function of Python."""

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._events.changed:
            self._events.changed.notify_all()

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call, and wake whoever waits."""
        answer = super().execute(operation)
        self.wake()
        return answer


class _ReleasesByHand(WithState):
    """Takes the lock without a ``with``."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call."""
        store, handle = self._calls[type(operation)]
        store.lock.acquire()
        store.state, answer = handle(store.state, operation, self._clock())
        store.lock.release()
        return answer


class _InTwoSteps(WithState):
    """Writes the runs, and a moment later their authority logs."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call."""
        store, _ = self._calls[type(operation)]
        before = store.state
        answer = super().execute(operation)
        if operation.call.endswith("_with_authority"):
            after, store.state = store.state, before
            plain: Any = type(operation).__mro__[1]
            super().execute(plain(**{name: getattr(operation, name) for name in plain.parameters()}))
            store.state = after
        return answer


class _WakesAfterwards(WithState):
    """Wakes subscribers when it has given the lock back."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call, and wake whoever waits."""
        store, handle = self._calls[type(operation)]
        if operation.reads:
            return super().execute(operation)
        with store.lock:
            store.state, answer = handle(store.state, operation, self._clock())
        self.wake()
        return answer


def _sqlite(name: str, mistake: str, by: str = "power", **options: Any) -> BrokenStorage:
    return BrokenStorage(SqliteStorage(name, **options), mistake, by)


def _files(name: str, mistake: str, save: Save) -> BrokenStorage:
    return BrokenStorage(FileStorage(name, save), mistake)


BROKEN: Final = {
    broken.storage.name: broken
    for broken in (
        _sqlite(
            "answered-before-sync",
            "a commit is acknowledged before the log is synchronised (synchronous=NORMAL)",
            connect=_with_settings("wal", "NORMAL"),
        ),
        _sqlite(
            "sync-forgotten",
            "nothing is ever synchronised (synchronous=OFF)",
            connect=_with_settings("wal", "OFF"),
        ),
        _sqlite(
            "journal-deletion-not-durable",
            "a rollback journal whose deletion is not made durable brings an old state back (DELETE and FULL)",
            connect=_with_settings("delete", "FULL"),
        ),
        _sqlite("journal-off", "there is no journal at all", connect=_with_settings("off", "FULL")),
        _sqlite(
            "statement-by-statement",
            "every statement of a call is a transaction of its own",
            handlers=_writing_with(_two_transactions),
        ),
        _sqlite(
            "failure-swallowed",
            "an error in the middle of a call is swallowed, and what was written before it is committed",
            "failures",
            handlers=_writing_with(_swallowing),
        ),
        _files("overwritten-in-place", "the file is overwritten where it stands", _overwriting),
        _files("two-files", "the authority log is in a second file, which is written after the first", _two_files),
        _files("write-behind", "of every three changes two are only in memory", _write_behind),
        _files("never-renamed", "the temporary file is written, and never given its name", _never_renamed),
        _files(
            "renamed-before-sync",
            "a temporary file gets its name before its bytes are durable",
            _rename_before_sync,
        ),
        _files("name-not-durable", "the directory is not synchronised after a file was renamed", _name_not_synced),
    )
}
"""The broken stores on a disk by name."""

BROKEN_ENGINES: Final = {
    "lock-taken-in-python": BrokenEngine(_EntersInPython, "subscribers are woken under a lock that Python takes"),
    "lock-released-by-hand": BrokenEngine(_ReleasesByHand, "a lock is taken and given back without a with"),
    "log-in-a-second-step": BrokenEngine(_InTwoSteps, "the authority log is written a moment after the run"),
    "woken-afterwards": BrokenEngine(_WakesAfterwards, "an append lets the lock go before it wakes subscribers"),
}
"""The broken memory backends by name."""

EVERY_BROKEN: Final[Mapping[str, BrokenStorage | BrokenEngine]] = {**BROKEN, **BROKEN_ENGINES}
