"""What happens to a process and its file while a store is open: the call errs and says so, and nothing changed.

On the real disk, with the limits of a real process: no descriptor is left, a file may grow no further, the file is
moved away, another file takes its place, another connection holds the lock, the process forks.  Then, when all is
as it was again:

- the call has answered as in the model, or raised the store's error for reads or writes, which names the file;
- an error says that nothing changed, unless it is the one that says that nobody can tell (contract, section 10);
- another handle sees the right state and finds no lock in its way;
- the same handle shows the right state, and takes the next call.

A process of its own does it (``python -m mobstore.properties.faults.surroundings``): the limits are a process's.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends import sqlite
from mobstore.backends._stores import Stores
from mobstore.backends.sqlite import OutcomeUnknown
from mobstore.model import Operation, ReadFailed, State, WriteFailed, step
from mobstore.properties import smoke
from mobstore.properties.faults.failures import Failures, Harm, left_in_transaction
from mobstore.properties.faults.storage import READINGS, difference, expected_look, look
from mobstore.properties.subject import ManualClock, outcome_of, same_outcome

Hazard: TypeAlias = Callable[[Path], AbstractContextManager[None]]
"""Spoils the surroundings of an open store on a file, until it is left."""

Opener: TypeAlias = Callable[..., Stores]

_DESCRIPTORS: Final = 96
_PAGE: Final = 4096
_WAIT: Final = 0.02
"""Seconds that a call waits for a lock."""


@contextmanager
def _limited(what: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(what)
    resource.setrlimit(what, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(what, before)


def no_descriptors(left: int) -> Hazard:
    """So many more files can be opened, and no more."""

    @contextmanager
    def hazard(_path: Path) -> Iterator[None]:
        held: list[int] = []
        with _limited(resource.RLIMIT_NOFILE, _DESCRIPTORS):
            with suppress(OSError):
                while True:
                    held.append(os.open(os.devnull, os.O_RDONLY))
            for _ in range(left):
                os.close(held.pop())
            try:
                yield
            finally:
                for descriptor in held:
                    os.close(descriptor)

    return hazard


def no_room(left: int) -> Hazard:
    """The write-ahead log may grow by so many bytes, and no file beyond that."""

    @contextmanager
    def hazard(path: Path) -> Iterator[None]:
        log = path.with_name(f"{path.name}-wal")
        with _limited(resource.RLIMIT_FSIZE, (log.stat().st_size if log.exists() else 0) + left):
            yield

    return hazard


@contextmanager
def moved(path: Path) -> Iterator[None]:
    """The file, and what stands beside it, is elsewhere."""
    away = path.with_name("away")
    path.rename(away)
    try:
        yield
    finally:
        made = path.exists()
        away.replace(path)
        assert not made, "a file was made where none was"


@contextmanager
def replaced(path: Path) -> Iterator[None]:
    """Another store's file has the name of the open one."""
    other = path.with_name("other.db")
    sqlite.open(other).close()
    content = other.read_bytes()
    with moved(path):
        other.rename(path)
        try:
            yield
        finally:
            changed = path.read_bytes() != content
            path.unlink()
            assert not changed, "the other file was changed"


@contextmanager
def log_moved(path: Path) -> Iterator[None]:
    """The write-ahead log is elsewhere, as if somebody had removed what looked left over."""
    log, away = path.with_name(f"{path.name}-wal"), path.with_name("away")
    log.rename(away)
    try:
        yield
    finally:
        made = log.exists()
        away.replace(log)
        assert not made, "a log was made where none was"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection is in a transaction that writes."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


HAZARDS: Final[Mapping[str, Hazard]] = {
    **{f"{left} descriptors left": no_descriptors(left) for left in range(3)},
    **{f"room for {left} bytes": no_room(left) for left in (0, 2 * _PAGE, 5 * _PAGE)},
    "file moved away": moved,
    "file replaced": replaced,
    "log moved away": log_moved,
    "file locked": locked,
}


def try_surroundings(
    directory: Path,
    every: int,
    seed: int,
    hazards: Mapping[str, Hazard] = HAZARDS,
    open: Opener = sqlite.open,
) -> Iterator[Failures]:
    """Make calls in every kind of spoiled surroundings, with each kind every ``every``-th call, and fork."""
    clock, state = ManualClock(), State()
    path = directory / "stores.db"
    sqlite.open(path, clock=clock).close()
    for place, call in enumerate(smoke.EXECUTED):
        before = path.read_bytes()
        trial = _Trial(path, before, clock, state, call, open)
        for number, (name, hazard) in enumerate({**hazards, _FORKED: None}.items()):
            if (place + number + seed) % every == 0:
                yield trial.run(name, hazard)
        trial.restore()
        with sqlite.open(path, clock=clock) as stores:
            stores.execute(call)
        state = trial.after


_FORKED: Final = "process forked"


class _Trial:
    """One call, made in one state again and again."""

    def __init__(
        self, path: Path, content: bytes, clock: ManualClock, state: State, call: Operation[Any], open: Opener
    ) -> None:
        self._path = path
        self._content = content
        self._clock = clock
        self._call = call
        self._open = open
        self.after, self._answer = step(state, call, clock())
        self._looks = (expected_look(state, clock()), expected_look(self.after, clock()))
        self._error = ReadFailed if call.reads else WriteFailed

    def restore(self) -> None:
        """Put the file back as it was before the call."""
        for file in self._path.parent.iterdir():
            file.unlink()
        self._path.write_bytes(self._content)

    def run(self, name: str, hazard: Hazard | None) -> Failures:
        """Make the call where ``hazard`` is; without one, in a child."""
        self.restore()
        found = Failures(self._call.call, cause=name)
        with self._open(self._path, clock=self._clock, busy_timeout=_WAIT) as stores:
            outcome_of(stores.events.latest_cursor)
            try:
                error = self._forked(stores) if hazard is None else self._spoiled(stores, hazard)
                verdict = self._verdict(stores, error)
            except AssertionError as broken:
                error, verdict = None, str(broken)
        found.note(f"{self._call.call}: {name}", error, verdict)
        return found

    def _spoiled(self, stores: Stores, hazard: Hazard) -> BaseException | None:
        """Make the call in a thread of its own, which needs a connection of its own."""
        errors: list[BaseException | None] = []
        # The thread has its stack before nothing can be opened any more.
        go = threading.Event()

        def work() -> None:
            go.wait()
            errors.append(self._make(stores))

        thread = threading.Thread(target=work)
        thread.start()
        with hazard(self._path):
            go.set()
            thread.join()
        return errors[0]

    def _forked(self, stores: Stores) -> BaseException | None:
        """Make the call in a child, with the handle that was open when it was forked."""
        child = os.fork()
        if not child:
            code = 1
            with suppress(BaseException):
                code = int(self._make(stores) is not None)
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return (
            AssertionError(f"in the child it did not answer as in the model (exit code {code})") if code else None
        )

    def _make(self, stores: Stores) -> BaseException | None:
        """Make the call; return its error."""
        try:
            answer = stores.execute(self._call)
        except BaseException as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            return error
        if answer == self._answer:
            return None
        return AssertionError(f"it answered {answer!r:.200}")

    def _verdict(self, stores: Stores, error: BaseException | None) -> str:
        if error is not None and not isinstance(error, self._error):
            return f"the call raised {type(error).__name__}: {error}"
        if error is not None and str(self._path) not in str(error):
            return f"the error does not name the file: {error}"
        looks = self._looks if isinstance(error, OutcomeUnknown) else self._looks[error is None :][:1]
        with self._open(self._path, clock=self._clock, busy_timeout=_WAIT) as other:
            seen = [outcome_of(lambda: other.execute(call)) for call in READINGS]  # noqa: B023
        if not any(all(map(same_outcome, seen, expected)) for expected in looks):
            return f"({error or 'answered'}) another handle sees another state"
        with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            locked = left_in_transaction(connection)
        if locked:
            return locked
        found = look(stores)
        wrong = [difference(found, expected) for expected in looks]
        return "" if not all(wrong) else f"({error or 'answered'}) through the same handle {wrong[0]}"


# --- a process of its own -----------------------------------------------------------------------------------


def spoil_surroundings(directory: Path, every: int, seed: int) -> list[Failures]:
    """Do it in a process of its own, with files in ``directory``; see `try_surroundings`.

    Raises:
        RuntimeError: the process could not be run.
    """
    command = [sys.executable, "-m", __name__, str(directory), str(every), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the process ended with {done.returncode}: {done.stderr}")
    return [
        Failures(**{**found, "harms": [Harm(**harm) for harm in found["harms"]]})
        for found in json.loads(done.stdout)
    ]


def _main(directory: Path, every: int, seed: int) -> None:
    # A file that may not grow is an error of the call, and not the end of the process.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    json.dump([attrs.asdict(found) for found in try_surroundings(directory, every, seed)], sys.stdout)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
