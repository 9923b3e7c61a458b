"""``mobstore serve``: one of our backends, or of yours in Python, as a program that speaks the wire's protocol."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path

from mobstore.backends import sqlite
from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.wire import protocol
from mobstore.backends.wire.server import Server, Storage
from mobstore.model import Internal, MobStoreError
from mobstore.properties.subject import Factory, UnknownBackend, factory_of


class Made:
    """What a factory opens."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self.greeting = protocol.Greeting(protocol.VERSION, factory.name, clock=True, handles=True)
        self.open = factory.open
        self.destroy = factory.destroy

    def crash(self) -> None:
        """Do nothing; the greeting says so."""


class _File:
    """A file of the SQLite backend, which outlives the program.

    Args:
        scratch: whether the file may be emptied though it was there before.
    """

    def __init__(self, path: Path, scratch: bool) -> None:
        self._path = path
        self._open: list[Stores] = []
        self._ours = scratch or not path.exists()
        self.greeting = protocol.Greeting(protocol.VERSION, "sqlite", clock=True, crash=scratch, handles=True)

    def open(self, clock: Clock) -> Stores:
        """Return a handle with connections of its own."""
        self._open.append(sqlite.open(self._path, clock=clock))
        return self._open[-1]

    def destroy(self) -> None:
        """Close the handles and remove the file, unless it was there before."""
        if not self._ours:
            raise Internal(f"{self._path} was there before: it is emptied only with --scratch")
        while self._open:
            self._open.pop().close()
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def crash(self) -> None:
        """End as a process ends that is killed; started again, the program finds the file."""
        os.kill(os.getpid(), signal.SIGKILL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore serve``."""
    parser.add_argument("backend", help="memory, sqlite:PATH (a file that is kept), or package.module:factory")
    parser.add_argument("--scratch", action="store_true", help="the file may be emptied though it was there before")


def run(arguments: argparse.Namespace) -> int:
    """Serve until the input ends, and return the exit code."""
    try:
        storage = _storage(arguments.backend, arguments.scratch)
    except (UnknownBackend, MobStoreError) as error:
        print(f"mobstore serve: {error}", file=sys.stderr)
        return 2
    # Only answers may go to where the client reads: whatever else is printed goes where people look.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    with answers, contextlib.redirect_stdout(sys.stderr):
        Server(storage, answers.write).serve(sys.stdin.buffer)  # type: ignore[arg-type]
    return 0


def _storage(name: str, scratch: bool) -> Storage:
    kind, _, where = name.partition(":")
    if kind == "sqlite" and where:
        path = Path(where)
        if not path.absolute().parent.is_dir():
            msg = f"sqlite:{where}: no directory"
            raise UnknownBackend(msg)
        storage = _File(path, scratch)
        sqlite.open(path).close()
        return storage
    return Made(factory_of(name)())
