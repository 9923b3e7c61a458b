"""What SQLite's errors come to."""

import sqlite3
from typing import Final

from mobstore.model import MobStoreError, WriteFailed

_MEANING: Final = {
    sqlite3.SQLITE_READONLY: "the file or its directory is read-only",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: "the file is corrupt",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite takes",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}


class OutcomeUnknown(WriteFailed):
    """The commit itself failed: the call happened entirely or not at all, and nobody can tell which.

    Read before trying again (contract, section 10).
    """


def is_busy(error: BaseException) -> bool:
    """Whether another connection held the lock for too long."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_read_only(error: BaseException) -> bool:
    """Whether the connection may not write."""
    return _code(error) == sqlite3.SQLITE_READONLY


def explain(error: BaseException, wait: float) -> str:
    """Return what went wrong, in words, with SQLite's own name of it."""
    if is_busy(error):
        return f"locked by another connection for longer than {wait:g} s"
    if isinstance(error, UnicodeDecodeError):
        return "the file is corrupt: a text is not UTF-8"
    meaning = _MEANING.get(_code(error))
    if meaning is None:
        # Python's message for a text that is not UTF-8 goes on with the text, which may be a secret.
        return str(error).partition(" with text ")[0]
    return f"{meaning} ({getattr(error, 'sqlite_errorname', '')}: {error})"


def failure(kind: type[MobStoreError], shown: str, error: BaseException, wait: float) -> MobStoreError:
    """Return the store's error for one of SQLite's: it names the file ``shown``, never a value."""
    return kind(f"{shown}: {explain(error, wait)}")


def _code(error: BaseException) -> int:
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF
