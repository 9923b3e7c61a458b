"""A backend under test, and what its calls come to.

A factory opens the backend; a `Subject` makes calls through the ports and turns what happens into an
`Outcome`, so that the model's and the backend's outcomes can be compared value for value.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from mobstore.backends import memory, sqlite, wire
from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.backends.wire import protocol
from mobstore.model import MobStoreError, Operation, State, step, to_json
from mobstore.properties.blocking import BlockingFactory, is_async

_REFUSED_INPUT: Final = re.compile(r"(MobMachine input \w+) .*(is not a flow authority input)", re.DOTALL)

PORTS: Final = {"run": "runs", "event": "events", "metadata": "metadata", "spec": "specs", "profile": "profiles"}
"""The attribute of a bundle that holds each store's port."""


class Factory(Protocol):
    """Opens a backend: each `open` gives a new handle on the same storage, until `destroy` removes it.

    Where a backend keeps its own time, ``open`` takes no clock (`mobstore.properties.own_time`).
    A factory may have more, all of it optional: ``capabilities``, a `Capabilities` that says what the backend
    does not do; ``crash()``, which lets the backend die where it stands: no handle is closed, and the next
    `open` finds what is durable; and ``kill()``, which does so at once, from another thread than that of a call
    under way, which errs then.
    Where a factory also has ``processes = True``, a fork of it opens the same storage in its own process.
    """

    name: str

    def open(self, clock: Clock) -> Stores:
        """Return a new handle."""

    def destroy(self) -> None:
        """Close what is open and remove the storage."""


class MemoryFactory:
    """The memory backend."""

    name = "memory"

    def __init__(self) -> None:
        self._stores: Stores | None = None

    def open(self, clock: Clock) -> Stores:
        """Return a handle on the one storage in memory."""
        self._stores = memory.open(clock) if self._stores is None else self._stores.another()
        return self._stores

    def destroy(self) -> None:
        """Forget the storage."""
        self._stores = None


_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - directories below it are made by `mkdtemp`
IN_MEMORY: Final = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
"""Where files cost least, if there is such a place: none has to outlive the machine, and no disk is waited for."""


def removed(directory: Path) -> None:
    """Remove a directory with all that is in it.

    A thread that ends closes its connection, even after the engine was closed, and SQLite removes files as it does.
    """
    while directory.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(directory)


@functools.cache
def _empty_file() -> bytes:
    """What the SQLite backend makes of a file that is not there."""
    with tempfile.TemporaryDirectory(prefix="mobstore-") as directory:
        path = Path(directory) / "stores.db"
        sqlite.open(path).close()
        return path.read_bytes()


class SqliteFactory:
    """The SQLite backend on a new file, in a new directory below ``place``.

    Args:
        place: a directory, or the path of a file that does not exist, whose name is then used (the default: a file
            system in memory where there is one, else the system's temporary directory).
    """

    name = "sqlite"
    processes = True

    def __init__(self, place: Path | None = None) -> None:
        directory = place is None or place.is_dir()
        self._directory = IN_MEMORY if place is None else place if directory else place.parent
        self._file = "stores.db" if directory or place is None else place.name
        self._scratch: Path | None = None
        self._open: list[Stores] = []

    def open(self, clock: Clock) -> Stores:
        """Return a handle with connections of its own."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="mobstore-", dir=self._directory))
            self._prepare(self._scratch / self._file)
        stores = self.connect(self._scratch / self._file, clock)
        self._open.append(stores)
        return stores

    def _prepare(self, path: Path) -> None:
        """Put an empty storage at a path: a copy is made in half the time that SQLite needs to create one."""
        path.touch(0o600)
        path.write_bytes(_empty_file())

    def crash(self) -> None:
        """Go on with a copy of the files as they stand: what is left of a process that was killed."""
        if self._scratch is not None:
            left, self._scratch = self._scratch, Path(tempfile.mkdtemp(prefix="mobstore-", dir=self._directory))
            for suffix in ("", "-wal"):
                if (file := left / f"{self._file}{suffix}").exists():
                    shutil.copy(file, self._scratch)
            self._close()
            removed(left)

    @property
    def storages(self) -> tuple[Any, ...]:
        """The backend as it is put on a simulated disk: see `mobstore.properties.faults.storage.Storage`."""
        from mobstore.properties.faults.power import sqlite_storages  # noqa: PLC0415 - it needs a factory's clock

        return sqlite_storages()

    def connect(self, path: Path, clock: Clock) -> Stores:
        """Return the backend on this file."""
        return sqlite.open(path, clock=clock)

    def destroy(self) -> None:
        """Close the handles and delete the file."""
        self._close()
        if self._scratch is not None:
            removed(self._scratch)
            self._scratch = None

    def _close(self) -> None:
        while self._open:
            self._open.pop().close()


class ProgramFactory:
    """A program that speaks the protocol of the wire (``specs/wire.md``).

    A running program serves one factory after the other, and is told to empty its storage between them.

    Args:
        command: the program and its arguments, as a shell would be given them.
        idle: programs that wait for the next factory.
    """

    def __init__(self, command: str, idle: list[wire.Program] | None = None) -> None:
        self.name = command
        self._idle = [] if idle is None else idle
        self._keeps = idle is not None
        self._program: wire.Program | None = None
        self._handles = 0
        self._times: Any = None
        self._killed = False

    def open(self, clock: Clock) -> Stores:
        """Return a handle of its own, or the only one where the program has but one."""
        program = self._program = self._program or self._started()
        if self._killed:
            program.revive()
            self._killed = False
        handle = self._handles if program.greeting.handles else 0
        self._handles += 1
        return self._in_time(Stores(wire.ProgramEngine(program, clock, handle)), clock)

    def _in_time(self, stores: Stores, clock: Clock) -> Stores:
        from mobstore.properties.own_time import Times, over  # noqa: PLC0415 - it makes calls

        if self.program.greeting.clock:
            return stores
        self._times = self._times or Times()
        return over(stores, clock, self._times)

    @property
    def open_as_it_is(self) -> Callable[[], Stores] | None:
        """Where the program keeps its own time, what returns a new handle that shows it."""
        self._program = self._program or self._started()
        return None if self._program.greeting.clock else self._open_as_it_is

    def _open_as_it_is(self) -> Stores:
        return Stores(wire.ProgramEngine(self.program))

    @property
    def program(self) -> wire.Program:
        """The running program of an open factory."""
        assert self._program is not None, "the factory is not open"
        return self._program

    @property
    def capabilities(self) -> Capabilities:
        """What the program says of itself."""
        self._program = self._program or self._started()
        return self._program.greeting.capabilities

    @property
    def can_crash(self) -> bool:
        """Whether the program says that it can."""
        return self._program is not None and self._program.greeting.crash

    def crash(self) -> None:
        """Let the program die, or do as if; it is started again if it ends."""
        assert self._program is not None, "only what was opened can crash"
        self._program.crash()

    def kill(self) -> None:
        """Kill the program amid a call; it is started again when it is opened."""
        assert self._program is not None, "only what was opened can be killed"
        self._killed = True
        self._program.die()

    def _started(self) -> wire.Program:
        if self._idle:
            return self._idle.pop()
        program = wire.Program(shlex.split(self.name))
        try:
            program.call(protocol.Reset())
        except BaseException:
            program.kill()
            raise
        return program

    def destroy(self) -> None:
        """Empty the storage; a program that failed is ended.

        Raises:
            ProgramFailure: the program wrote something that nobody asked for, or cannot be emptied.
        """
        program, self._program, self._handles, self._times = self._program, None, 0, None
        if program is None:
            return
        if program.failed or self._killed:
            program.kill()
            self._killed = False
            return
        try:
            program.call(protocol.Reset())
        except BaseException:
            program.kill()
            raise
        if self._keeps:
            self._idle.append(program)
        else:
            program.close()


class ProgramBackend:
    """Makes the factories of one program, and ends what it has started when it is closed."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._idle: list[wire.Program] = []

    def __call__(self) -> ProgramFactory:
        """Return a factory."""
        return ProgramFactory(self._command, self._idle)

    def close(self) -> None:
        """End the programs.

        Raises:
            ProgramFailure: one said something more, or did not end when its input did.
        """
        while self._idle:
            self._idle.pop().close()


class ManualClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, nanos: int = 1_767_225_600_000_000_001) -> None:
        self.nanos = nanos

    def __call__(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return self.nanos

    def tick(self, nanos: int = 1_000_000_007) -> None:
        """Go on by ``nanos`` nanoseconds."""
        self.nanos += nanos


@attrs.frozen
class Outcome:
    """What a call came to: the value that it answered, or the kind and text of its error."""

    value: Any = None
    kind: str | None = None
    message: str = ""
    fields: Mapping[str, object] = {}

    def to_json(self) -> Any:
        """Return the form of the recordings: ``{"ok": VALUE}`` or ``{"err": {"kind", "message", ...}}``."""
        if self.kind is None:
            return {"ok": to_json(self.value)}
        return {"err": {"kind": self.kind, "message": self.message, **self.fields}}


def normal_message(message: str) -> str:
    """Return an error's text without the part that the contract does not pin."""
    return _REFUSED_INPUT.sub(r"\1 \2", message)


def outcome_of(call: Callable[[], Any]) -> Outcome:
    """Make the call.  Anything but a `MobStoreError` is a defect of the backend, told as such."""
    try:
        return Outcome(call())
    except MobStoreError as error:
        return Outcome(None, error.kind, normal_message(str(error)), error.fields())
    except wire.ProgramHung as error:
        raise Abandoned(error) from error
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
        return Outcome(None, f"not a MobStoreError: {type(error).__name__}", str(error))


class Abandoned(BaseException):
    """A call never came back.  Nothing that tries again may catch it: each further try would hang as long."""


def can_crash(factory: Factory) -> bool:
    """Whether the backend of a factory, which is open, can be let die."""
    return hasattr(factory, "crash") and getattr(factory, "can_crash", True)


ANY_ERROR: Final = Outcome(kind="Exception")
"""What a call that is not there yet must come to."""


def capabilities_of(factory: Factory) -> Capabilities:
    """Return what a factory declares in its attribute ``capabilities``; one without declares nothing.

    Raises:
        TypeError: the attribute is no `Capabilities`.
    """
    declared = getattr(factory, "capabilities", FULL)
    if not isinstance(declared, Capabilities):
        msg = f"{factory.name}: capabilities is a {type(declared).__name__}, and no Capabilities"
        raise TypeError(msg)
    return declared


def declared_by(make: Callable[[], Factory]) -> Capabilities:
    """Return what the factories that are made declare.

    Raises:
        TypeError: as `capabilities_of` says, or the time that the backend keeps itself is too coarse.
    """
    from mobstore.properties.own_time import too_coarse  # noqa: PLC0415 - it makes calls

    factory = make()
    try:
        declared = capabilities_of(factory)
        if reason := too_coarse(factory):
            raise TypeError(reason)
        return declared
    finally:
        factory.destroy()


def same_value(left: Any, right: Any) -> bool:
    """Whether two answers are the same value of the same type: ``1`` is neither ``True`` nor ``1.0``."""
    if isinstance(left, (tuple, list)) and isinstance(right, (tuple, list)):
        return len(left) == len(right) and all(map(same_value, left, right))
    return type(left) is type(right) and bool(left == right)


def same_outcome(left: Outcome, right: Outcome) -> bool:
    """Whether two calls came to the same."""
    if left.kind is None and right.kind is None:
        return same_value(left.value, right.value)
    return (left.kind, left.message, left.fields) == (right.kind, right.message, right.fields)


@attrs.define
class Counted:
    """How many calls this process has made; threads may miss some."""

    calls: int = 0


MADE: Final = Counted()
"""For people who wait: what a chapter says of its calls, it counts itself."""


def call_port(stores: Any, operation: Operation[Any]) -> Any:
    """Make a call through the port's method, as an application does."""
    MADE.calls += 1
    method = getattr(getattr(stores, PORTS[operation.store]), operation.call)
    return method(**{name: getattr(operation, name) for name in operation.parameters()})


class Reference:
    """The model as a thing with a state, for comparison with a backend of these capabilities."""

    def __init__(self, clock: Clock, capabilities: Capabilities = FULL) -> None:
        self.state = State()
        self._clock = clock
        self._capabilities = capabilities

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call on the model; raises what the contract says."""
        if (refusal := self._capabilities.refusal(operation)) is not None:
            raise refusal
        if self._capabilities.ignores(operation):
            return 0
        self.state, answer = step(self.state, operation, self._clock())
        return answer


@contextmanager
def opened(factory: Factory, clock: Clock) -> Iterator[Stores]:
    """Open a backend on a new storage, and remove it afterwards."""
    try:
        yield factory.open(clock)
    finally:
        factory.destroy()


def factory_of(name: str) -> Callable[[], Factory]:
    """Return what makes the factory of a named backend.

    Args:
        name: ``memory``, ``sqlite``, ``sqlite:PATH`` (where its files are made: a directory, or a file that does
            not exist), ``package.module:factory``, a callable that returns a `Factory`, of a module that is
            installed or in the working directory, or ``exec:COMMAND``, a program that speaks the protocol of the
            wire.

    Raises:
        UnknownBackend: there is no such backend.
    """
    kind, _, where = name.partition(":")
    if name == "memory":
        return MemoryFactory
    if kind == "sqlite":
        return functools.partial(SqliteFactory, _place(Path(where))) if where else SqliteFactory
    if kind == "exec":
        return _program(where)
    here = str(Path.cwd())
    if here not in sys.path:
        # A program that pip installs looks for modules beside itself, and not where its user is.
        sys.path.insert(0, here)
    try:
        made: Callable[[], Factory] = getattr(importlib.import_module(kind), where)
    except (ImportError, AttributeError, ValueError) as error:
        known = "memory, sqlite, sqlite:PATH, exec:COMMAND or package.module:factory"
        msg = f"{name!r} is no backend: {known} ({error})"
        raise UnknownBackend(msg) from None

    def make() -> Factory:
        return adapted(made())

    return make


def adapted(factory: Any) -> Factory:
    """Return a factory whose calls wait, for one whose calls do, or are awaited."""
    from mobstore.properties.own_time import OwnTimeFactory, keeps_time  # noqa: PLC0415 - it makes calls

    waiting: Factory = BlockingFactory(factory) if is_async(factory) else factory
    return OwnTimeFactory(waiting) if keeps_time(factory) else waiting


def _program(command: str) -> ProgramBackend:
    try:
        program = shlex.split(command)[0]
    except (ValueError, IndexError) as error:
        msg = f"exec:{command}: no command ({error})"
        raise UnknownBackend(msg) from None
    if shutil.which(program) is None:
        msg = f"exec:{command}: there is no program {program!r}"
        raise UnknownBackend(msg)
    return ProgramBackend(command)


def _place(path: Path) -> Path:
    if path.is_dir() or (not path.exists() and path.parent.is_dir()):
        return path
    rule = (
        "a check makes files of its own and removes them, so it must not exist" if path.exists() else "no directory"
    )
    msg = f"sqlite:{path}: {rule}"
    raise UnknownBackend(msg)


def factory_source(name: str) -> str:
    """Return the expression that makes a factory of a named backend, for programs that are printed."""
    kind, _, where = name.partition(":")
    if name == "memory":
        return "MemoryFactory()"
    if kind == "sqlite":
        return f"SqliteFactory(Path({where!r}))" if where else "SqliteFactory()"
    if kind == "exec":
        return f"ProgramFactory({where!r})"
    return f"adapted(__import__({kind!r}, fromlist=['_']).{where}())"


class UnknownBackend(Exception):
    """A name that stands for no backend."""
