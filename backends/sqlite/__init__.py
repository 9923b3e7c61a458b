"""The SQLite backend: one file, cells as rows, safe for threads and processes."""

from mobstore.backends.sqlite._engine import HANDLERS, Handler, SqliteEngine
from mobstore.backends.sqlite._errors import OutcomeUnknown
from mobstore.backends.sqlite._session import Trace

__all__ = ["HANDLERS", "Handler", "OutcomeUnknown", "SqliteEngine", "Trace"]
