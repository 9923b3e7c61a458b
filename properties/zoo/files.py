"""Broken backends on SQLite that treat their file wrongly, and the scenarios that find them out.

What a backend does when its file was deleted, comes from a newer version, or has a corrupt row, no call shows: each
scenario opens a file, changes it behind the backend's back, and says what must be then.
"""

from __future__ import annotations

import functools
import inspect
import sqlite3
import tempfile
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends._stores import Stores
from mobstore.backends.sqlite import HANDLERS, SqliteEngine
from mobstore.backends.sqlite import _documents as documents
from mobstore.backends.sqlite._checks import FUNCTION, install
from mobstore.backends.sqlite._codec import decode
from mobstore.backends.sqlite._files import Opener
from mobstore.backends.sqlite._session import Session
from mobstore.model import Document, MobStoreError, ReadFailed
from mobstore.model import operations as ops
from mobstore.properties.scenarios import Unexpected, expect, refusal

Open: TypeAlias = Callable[[Path], Any]

ONE: Final = Document.of({"id": "one"})
TWO: Final = Document.of({"id": "two"})


def deleted(path: Path, opened: Open) -> None:
    """A file that was deleted is missed, and not made again by a read"""
    stores = opened(path)
    stores.specs.put_spec("mob", ONE)
    for file in path.parent.iterdir():
        file.unlink()
    expect(refusal(lambda: stores.specs.get_spec("mob")), "ReadFailed")
    expect(path.exists(), wanted=False)


def written_after_deletion(path: Path, opened: Open) -> None:
    """A file that was deleted takes no write that nobody will find"""
    stores = opened(path)
    stores.specs.put_spec("mob", ONE)
    for file in path.parent.iterdir():
        file.unlink()
    expect(refusal(lambda: stores.specs.put_spec("mob", TWO)), "WriteFailed")


def newer(path: Path, opened: Open) -> None:
    """A file of a newer version is refused, and stays as it is"""
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    expect(refusal(lambda: opened(path)), "ReadFailed")
    with closing(sqlite3.connect(path)) as connection:
        expect(connection.execute("PRAGMA user_version").fetchone()[0], 1000)


def corrupt(path: Path, opened: Open) -> None:
    """A row that cannot be read is told, and keeps no other from being read"""
    stores = opened(path)
    stores.specs.put_spec("a", ONE)
    stores.specs.put_spec("b", TWO)
    stores.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        install(connection)
        connection.execute("UPDATE specs SET definition = '{' WHERE mob_id = 'a'")
    stores = opened(path)
    expect(refusal(lambda: stores.specs.get_spec("a")), "ReadFailed")
    expect(stores.specs.get_spec("b"), (TWO, 1))


def altered(path: Path, opened: Open) -> None:
    """A row that is not what was written is told, and keeps no other from being read"""
    stores = opened(path)
    stores.specs.put_spec("a", ONE)
    stores.specs.put_spec("b", TWO)
    stores.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function(FUNCTION, -1, lambda *_: 0, deterministic=True)
        connection.execute("UPDATE specs SET definition = '{}' WHERE mob_id = 'a'")
    stores = opened(path)
    expect(refusal(lambda: stores.specs.get_spec("a")), "ReadFailed")
    expect(stores.specs.get_spec("b"), (TWO, 1))


def private(path: Path, opened: Open) -> None:
    """A file is for its owner alone: it holds keys"""
    opened(path)
    expect(path.stat().st_mode & 0o077, 0)


SCENARIOS: Final = (deleted, written_after_deletion, newer, corrupt, altered, private)
"""What is tried, in this order."""


def find_out(engine: Callable[..., Any]) -> tuple[str, int]:
    """Go through the scenarios until one fails; return its program, and how many calls it makes at most."""
    for scenario in SCENARIOS:
        opened: list[Stores] = []

        def opening(path: Path, opened: list[Stores] = opened) -> Stores:
            opened.append(Stores(engine(path)))
            return opened[-1]

        with tempfile.TemporaryDirectory(prefix="mobstore-zoo-") as directory:
            try:
                scenario(Path(directory) / "stores.db", opening)
            except (Unexpected, MobStoreError) as problem:
                text = textwrap.dedent(inspect.getsource(scenario))
                return f"{text}\n# {type(problem).__name__}: {problem}\n", text.count(".specs.") + text.count(
                    "opened(path)"
                )
            finally:
                for stores in opened:
                    stores.close()
    return "", 0


# --- broken engines ---------------------------------------------------------------------------------------------


class _MakesItAgain(SqliteEngine):
    """Opens its file where it is needed, and makes it where there is none."""

    def _check_identity(self, error_kind: Any) -> None:
        if not Path(str(self._location.path)).exists():
            self._close_sessions()
            self._start(create=True)
        super()._check_identity(error_kind)


class _NeverLooks(SqliteEngine):
    """Goes on with the file and the log that it has open, whatever became of them."""

    def _check_identity(self, error_kind: Any) -> None:
        del error_kind

    def _check_log(self, session: Session, error_kind: Any) -> None:
        del session, error_kind


class _AnyVersion(Opener):
    def _refuse_version(self, version: int) -> None:
        del version


class _TakesAnyVersion(SqliteEngine):
    """Opens files of versions that it does not know."""

    def _start(self, create: bool) -> None:
        held = attrs.asdict(self._opener, recurse=False)
        self._opener = _AnyVersion(**held)
        super()._start(create)


class _ForEveryone(SqliteEngine):
    """Leaves the mode of a new file to others."""

    def _start(self, create: bool) -> None:
        super()._start(create)
        Path(str(self._location.path)).chmod(0o644)


def _nothing_there(session: Session, operation: ops.GetSpec) -> Any:
    try:
        return documents.get_spec(session, operation)
    except ReadFailed:
        return None


def _all_at_once(session: Session, operation: ops.GetSpec) -> Any:
    mobs = documents.list_specs(session, ops.ListSpecs())
    return {mob_id: documents.get_spec(session, ops.GetSpec(mob_id)) for mob_id in mobs}.get(operation.mob_id)


def _not_compared(session: Session, operation: ops.GetSpec) -> Any:
    row = session.row("SELECT definition, revision FROM specs WHERE mob_id = ?", (operation.mob_id,))
    return None if row is None else (decode(Document, row[0], session.shown, "a spec"), row[1])


class _SumsOfNothing(sqlite3.Connection):
    def create_function(self, name: str, narg: int, func: Any, /, *, deterministic: bool = False) -> None:
        del func
        super().create_function(name, narg, lambda *_: 0, deterministic=deterministic)


def _sums_of_nothing(path: Path) -> SqliteEngine:
    return SqliteEngine(path, connect=functools.partial(sqlite3.connect, factory=_SumsOfNothing))


def _reading_specs(body: Callable[[Session, Any], Any]) -> Callable[[Path], SqliteEngine]:
    handlers = {**HANDLERS, ops.GetSpec: (Session.read, body)}
    return lambda path: SqliteEngine(path, handlers=handlers)


BROKEN: Final[dict[str, tuple[str, Callable[[Path], Any]]]] = {
    "file-made-again": ("a read makes a file again that was deleted", _MakesItAgain),
    "deleted-file-used": ("a file that was deleted goes on being written", _NeverLooks),
    "newer-file-opened": ("a file of a newer version is opened by older code", _TakesAnyVersion),
    "file-for-everyone": ("everyone may read the file, which holds keys", _ForEveryone),
    "corrupt-row-is-nothing": ("a row that cannot be read counts as absent", _reading_specs(_nothing_there)),
    "corrupt-row-blocks-all": ("a row that cannot be read blocks every other", _reading_specs(_all_at_once)),
    "check-not-compared": ("a row is answered that does not agree with its check", _reading_specs(_not_compared)),
    "sums-of-nothing": ("what the rows are compared with says nothing of them", _sums_of_nothing),
}
"""The broken engines by name, with their mistakes."""
