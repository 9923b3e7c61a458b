"""The SQLite backend: one file, cells as rows, safe for threads and processes."""

import os

from mobstore.backends._base import Clock, system_clock
from mobstore.backends._stores import Stores
from mobstore.backends.sqlite._engine import HANDLERS, Handler, SqliteEngine
from mobstore.backends.sqlite._errors import OutcomeUnknown
from mobstore.backends.sqlite._session import Trace

__all__ = ["HANDLERS", "Handler", "OutcomeUnknown", "SqliteEngine", "Trace", "open"]


def open(path: str | os.PathLike[str], *, clock: Clock = system_clock, busy_timeout: float = 5.0) -> Stores:
    """Return the five stores over a file, which is created (mode 0600) where there is none.

    Args:
        path: the file.
        clock: tells the store's time in nanoseconds since 1970; the default is the system's.
        busy_timeout: how many seconds a call waits for its turn to write before it fails.

    Raises:
        ReadFailed: the path names no file of ours, which stays as it is.
        WriteFailed: the file or its directory cannot be written.
    """
    return Stores(SqliteEngine(path, clock=clock, busy_timeout=busy_timeout))
