"""The SQLite backend: one file, cells as rows, safe for threads and processes."""

from __future__ import annotations

import os
import sqlite3

from mobstore.backends._base import Clock, system_clock
from mobstore.backends._stores import Stores
from mobstore.backends.sqlite._engine import HANDLERS, Handler, SqliteEngine
from mobstore.backends.sqlite._errors import OutcomeUnknown
from mobstore.backends.sqlite._files import REQUIRED_SETTINGS, Connect
from mobstore.backends.sqlite._session import Trace

__all__ = ["HANDLERS", "REQUIRED_SETTINGS", "Handler", "OutcomeUnknown", "SqliteEngine", "Trace", "open"]


def open(
    path: str | os.PathLike[str],
    *,
    clock: Clock = system_clock,
    busy_timeout: float = 5.0,
    connect: Connect = sqlite3.connect,
    trace: Trace | None = None,
) -> Stores:
    """Return the five stores over the file ``path``, which is created (mode 0600) where there is none.

    Args:
        path: the file, or a ``file:`` URI.
        clock: tells the store's time in nanoseconds since 1970; the default is the system's.
        busy_timeout: how many seconds a call waits for its turn to write before it fails.
        connect: opens a connection; called as ``sqlite3.connect`` is, with ``uri=True``.
        trace: is told each statement before it is sent, without its values.

    Raises:
        ReadFailed: the path names no file of ours, which stays as it is.
        WriteFailed: the file or its directory cannot be written.
    """
    return Stores(SqliteEngine(path, clock=clock, busy_timeout=busy_timeout, connect=connect, trace=trace))
