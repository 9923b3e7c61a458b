"""The disk fails, or is full, or a statement fails: the call errs, nothing changed, and the next call works.

For every call the disk is armed to fail at each of the operations that the call makes, once or from then on, with
an error or for want of room; and an error is raised at each of its statements, one of SQLite's, or one of Python's
that comes from anywhere (``KeyboardInterrupt``, ``MemoryError``).  Then:

- the call has answered as in the model, or raised the store's error for reads or writes, and nothing else;
- an error says that nothing changed, unless it is the one that says that nobody can tell (contract, section 10);
- another connection finds no lock in its way, another process no half-done change;
- the same handle shows the right state, and takes the next call.

So it is, too, while the disk is read-only, for a connection that was open before and for one that opens then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any, Final

import attrs

from mobstore.backends._stores import Stores
from mobstore.backends.sqlite import OutcomeUnknown
from mobstore.model import MobStoreError, Operation, ReadFailed, State, WriteFailed, step
from mobstore.properties import smoke
from mobstore.properties.faults.disk import Disk, Fault, Image
from mobstore.properties.faults.power import Level
from mobstore.properties.faults.storage import Judge, Look, Storage, Unusable, difference, expected_look, look
from mobstore.properties.faults.vfs import FILE, mounted
from mobstore.properties.subject import ManualClock

KINDS: Final = tuple((full, lasting) for full in (False, True) for lasting in (False, True))

ERRORS: Final = (sqlite3.OperationalError("a statement failed"), KeyboardInterrupt(), MemoryError())


@attrs.frozen
class Harm:
    """A failure that did harm: the proof.  ``where`` says what failed in which call."""

    where: str
    verdict: str

    def story(self) -> str:
        """Return what happened."""
        return f"{self.where}\n  then {self.verdict}"


def _disk_failure(call: str, fault: Fault, operation: str) -> str:
    what = "found no room" if fault.full else "failed"
    lasting = ", and every one after it" if fault.lasting else ""
    return f"{call}: operation {fault.at} of the disk ({operation}) {what}{lasting}"


@attrs.define
class Failures:
    """What was tried of a call, and what it came to: calls that answered, erred, or could not tell.

    ``cause`` is what failed, where that is always the same.
    """

    name: str
    cause: str = ""
    tried: int = 0
    answered: int = 0
    erred: int = 0
    unknown: int = 0
    harms: list[Harm] = attrs.field(factory=list)

    def note(self, where: str, error: BaseException | str | None, verdict: str) -> None:
        """Count a call that answered (no error) or erred, and what is wrong with that, if anything."""
        self.tried += 1
        self.answered += error is None
        self.unknown += isinstance(error, OutcomeUnknown)
        self.erred += error is not None and not isinstance(error, OutcomeUnknown)
        if verdict:
            self.harms.append(Harm(where, verdict))


def fail_calls(storage: Storage, level: Level, seed: int, every: int = 1) -> Iterator[Failures]:
    """Let the disk fail in every ``every``-th call: each is made on the state in which it succeeds."""
    clock = ManualClock()
    judge = Judge(storage, clock)
    yield _fail_opening(storage, judge, {}, level, seed)
    disk, state = Disk(), State()
    with storage.open(disk, clock):
        pass
    image: Image = disk.image()
    for place, call in enumerate(smoke.EXECUTED):
        trial = _Trial(storage, judge, clock, image, state, call)
        if (seed + place) % every == 0:
            yield trial.run(level, seed + place)
        disk = Disk(image)
        with storage.open(disk, clock) as stores:
            stores.execute(call)
        state, image = trial.after, disk.image()
    yield _fail_opening(storage, judge, image, level, seed, state)


class _Trial:
    """One call, made in one state again and again, while the disk fails at another operation each time."""

    def __init__(
        self, storage: Storage, judge: Judge, clock: ManualClock, image: Image, state: State, call: Operation[Any]
    ) -> None:
        self._storage = storage
        self._judge = judge
        self._clock = clock
        self._image = image
        self._call = call
        self.after, self._answer = step(state, call, clock())
        self._looks = (expected_look(state, clock()), expected_look(self.after, clock()))
        self._error = ReadFailed if call.reads else WriteFailed

    def run(self, level: Level, seed: int) -> Failures:
        """Fail at every ``level.faults``-th operation of the disk, and at every statement.

        A level that leaves operations out raises only one of `ERRORS` at each statement, in turn.
        """
        found = Failures(self._call.call)
        for number, (full, lasting) in enumerate(KINDS):
            at = (seed + number) % level.faults
            while self._fail(found, Fault(at, full, lasting)):
                at += level.faults
        for handles in _DENIED:
            self._deny(found, handles)
        stride = min(level.faults, len(ERRORS))
        for number, error in enumerate(ERRORS):
            at = (seed + number) % stride
            while self._interrupt(found, at, error):
                at += stride
        return found

    def _fail(self, found: Failures, fault: Fault) -> bool:
        """Make the call; return whether it came to the operation of the disk that fails."""
        disk = Disk(self._image)
        with self._storage.open(disk, self._clock) as stores:
            # A connection in use has its caches full; one that is new reads what it needs during the call.
            if not (self._call.reads or fault.lasting):
                stores.execute(_WARM)
            disk.arm(fault)
            error = self._make(stores)
            reached, failed = disk.operations > fault.at, disk.failed
            disk.arm(None)
            if failed:
                where = _disk_failure(found.name, fault, failed[0])
                found.note(where, error, self._verdict(disk, stores, error, self._error))
        return reached

    def _deny(self, found: Failures, handles: str) -> None:
        """Make the call while the disk is read-only."""
        disk = Disk(self._image)
        with self._storage.open(disk, self._clock) as stores, self._storage.open(disk, self._clock) as others:
            if handles == _OPEN:
                stores.execute(_WARM)
            if handles == _BESIDE:
                others.execute(_WARM)
            disk.arm(None)
            disk.read_only = True
            error = self._make(stores)
            disk.read_only = False
            where = f"{found.name}: the disk was read-only, the connection {handles}"
            found.note(where, error, self._verdict(disk, stores, error, self._error))

    def _interrupt(self, found: Failures, at: int, raised: BaseException) -> bool:
        """Make the call; return whether it came to the statement that fails."""
        disk, sent = Disk(self._image), []
        armed = False

        def trace(sql: str) -> None:
            if armed:
                sent.append(sql)
                if len(sent) == at + 1:
                    raise raised

        with self._storage.open(disk, self._clock, trace) as stores:
            stores.execute(_WARM)
            armed = True
            error = self._make(stores)
            armed = False
            reached = len(sent) > at
            if reached:
                where = f"{found.name}: {type(raised).__name__} at statement {at} ({sent[at].split(chr(10))[0]})"
                kinds = self._error if isinstance(raised, sqlite3.Error) else (self._error, type(raised))
                found.note(where, error, self._verdict(disk, stores, error, kinds))
        return reached

    def _make(self, stores: Stores) -> BaseException | str | None:
        """Make the call; return its error, or what is wrong with its answer."""
        try:
            answer = stores.execute(self._call)
        except BaseException as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            return error
        return None if answer == self._answer else f"it answered {answer!r:.200}"

    def _verdict(self, disk: Disk, stores: Stores, error: BaseException | str | None, kinds: Any) -> str:
        if isinstance(error, str):
            return error
        if error is not None and not isinstance(error, kinds):
            return f"the call raised {type(error).__name__}: {error}"
        unknown = isinstance(error, OutcomeUnknown)
        allowed = self._looks if unknown else self._looks[error is None :][:1]
        try:
            seen, _ = self._judge.judge(disk.image())
        except Unusable as problem:
            return f"another process finds the store unusable: {problem}"
        wrong = _wrong(seen, allowed)
        if wrong:
            return f"({error or 'answered'}) for another process {wrong}"
        locked = _lock_in_the_way(disk)
        if locked:
            return locked
        wrong = _wrong(look(stores), allowed)
        return f"({error or 'answered'}) through the same handle {wrong}" if wrong else ""


_OPEN: Final = "open"
_BESIDE: Final = "new, beside one that was open"
_DENIED: Final = (_OPEN, "new", _BESIDE)
_WARM: Final = smoke.CALLS[1]


def _wrong(seen: Look, allowed: Iterable[Look]) -> str:
    found = ""
    for expected in allowed:
        found = difference(seen, expected)
        if not found:
            return ""
    return found


def _lock_in_the_way(disk: Disk) -> str:
    if disk.find(FILE) is None:
        return ""
    with mounted(disk) as uri, closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as other:
        return left_in_transaction(other)


def left_in_transaction(other: sqlite3.Connection) -> str:
    """Return that a handle keeps ``other`` from writing, if it does; ``other`` waits for nobody, in autocommit."""
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return f"a handle was left in a transaction: {error}"
    return ""


def _fail_opening(
    storage: Storage, judge: Judge, image: Image, level: Level, seed: int, state: State | None = None
) -> Failures:
    """Let the disk fail while the storage is opened: it errs, and opens when the disk works again."""
    clock = ManualClock()
    found = Failures("open" if image else "open (a new file)")
    expected = (expected_look(State() if state is None else state, clock()),)
    for number, (full, lasting) in enumerate(KINDS):
        at = (seed + number) % level.faults
        reached = True
        while reached:
            disk, fault = Disk(image), Fault(at, full, lasting)
            disk.arm(fault)
            problem = _open(storage, disk, clock)
            reached, failed = disk.operations > at, disk.failed
            disk.arm(None)
            at += level.faults
            if not failed:
                continue
            found.tried += 1
            found.answered += problem is None
            found.erred += problem is not None
            verdict = _opening_verdict(judge, disk, problem, expected)
            if verdict:
                found.harms.append(Harm(_disk_failure(found.name, fault, failed[0]), verdict))
    return found


def _open(storage: Storage, disk: Disk, clock: ManualClock) -> BaseException | None:
    with ExitStack() as stack:
        try:
            stack.enter_context(storage.open(disk, clock))
        except Exception as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            return error
    return None


def _opening_verdict(judge: Judge, disk: Disk, problem: BaseException | None, expected: Iterable[Look]) -> str:
    if problem is not None and not isinstance(problem, MobStoreError):
        return f"opening raised {type(problem).__name__}: {problem}"
    try:
        seen, _ = judge.judge(disk.image())
    except Unusable as error:
        return f"the store stays unusable: {error}"
    return _wrong(seen, expected)
