"""What each of SQLite's journal modes keeps, with each setting of ``synchronous``: the durability certificate.

A few transactions that write several pages, spill, grow and shrink the file are made on a simulated disk, and the
power is cut, or the process killed, at every change of the disk.  Three questions are asked of what survives:

- *intact*: can SQLite read it, and does it find nothing broken?
- *atomic*: is every transaction there as a whole or not at all?
- *durable*: is every transaction there that had been committed?

A "no" comes with the shortest counterexample found.  A "yes" says what was tried, and is no proof.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

import attrs

from mobstore.backends.sqlite import REQUIRED_SETTINGS
from mobstore.properties.faults.disk import Disk, Event, Image, Platter, survivals
from mobstore.properties.faults.power import Level, Loss
from mobstore.properties.faults.storage import Unusable, settle
from mobstore.properties.faults.vfs import FILE, mounted, seed_randomness

MODES: Final = ("delete", "truncate", "persist", "wal", "memory", "off")
SYNCHRONOUS: Final = ("OFF", "NORMAL", "FULL", "EXTRA")
"""The settings in the order of their numbers."""

PROMISES: Final = ("intact", "atomic", "durable")
CAUSES: Final = ("process killed", "power cut")

_ROWS: Final = 24
_TRANSACTIONS: Final[tuple[tuple[str, ...], ...]] = (
    ("UPDATE t SET v = 1, pad = zeroblob(900)",),
    ("UPDATE t SET v = 2", "INSERT INTO big VALUES (2, zeroblob(20000))"),
    ("DELETE FROM big", "UPDATE t SET v = 3, pad = zeroblob(300)"),
    ("UPDATE t SET v = 4",),
)
"""Each sets every row to its number; the cache has room for few pages, so they also write before they commit."""


@attrs.frozen
class Keeping:
    """What one pair of settings kept when the process was killed, or the power cut.

    ``broken`` has a counterexample for each of `PROMISES` that does not hold.
    """

    images: int
    broken: Mapping[str, str]

    def keeps(self, promise: str) -> bool:
        """Whether the promise held for every image."""
        return promise not in self.broken

    @property
    def is_safe(self) -> bool:
        """Whether everything was kept."""
        return not self.broken


@attrs.frozen
class Entry:
    """A journal mode with a setting of ``synchronous``, and what it kept by cause."""

    mode: str
    synchronous: str
    kept: Mapping[str, Keeping]

    @property
    def is_safe(self) -> bool:
        """Whether everything was kept whatever happened."""
        return all(keeping.is_safe for keeping in self.kept.values())

    @property
    def name(self) -> str:
        """The settings, for people."""
        return f"{self.mode}, {self.synchronous}"

    @property
    def images(self) -> int:
        """How many images were recovered."""
        return sum(kept.images for kept in self.kept.values())

    def lost(self, cause: str) -> str | None:
        """Return the first of `PROMISES` that did not hold, if there is one."""
        return next((promise for promise in PROMISES if not self.kept[cause].keeps(promise)), None)

    def fate(self, cause: str) -> str:
        """Return what was kept, in words."""
        lost = self.lost(cause)
        return "everything" if lost is None else f"not {lost}"


@attrs.frozen
class Certificate:
    """What was found of every pair of settings, by which SQLite, and how much was tried.

    ``lied_to`` is what the settings of the backend kept on a disk that only says that it has synchronised.
    """

    sqlite: str
    level: str
    seed: int
    entries: tuple[Entry, ...]
    lied_to: Entry

    @property
    def safe(self) -> frozenset[tuple[str, int]]:
        """The settings that kept everything, as ``PRAGMA journal_mode`` and ``PRAGMA synchronous`` answer them."""
        return frozenset(
            (entry.mode, SYNCHRONOUS.index(entry.synchronous)) for entry in self.entries if entry.is_safe
        )

    @property
    def covers_backend(self) -> bool:
        """Whether the settings that the SQLite backend insists on kept everything."""
        return REQUIRED_SETTINGS in self.safe

    def rows(self) -> list[tuple[str, ...]]:
        """Return the rows of its table: settings, what was kept by cause, and images; the lying disk last."""
        entries = [(entry.name, entry) for entry in self.entries]
        entries.append((f"{self.lied_to.name}, the disk lies", self.lied_to))
        return [(name, *(entry.fate(cause) for cause in CAUSES), f"{entry.images:,}") for name, entry in entries]

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain JSON."""
        return attrs.asdict(self) | {"safe": sorted(map(list, self.safe)), "backend": list(REQUIRED_SETTINGS)}

    # --- the page -------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """What it was made on, and how."""
        return f"Made on SQLite {self.sqlite}, profile {self.level}, seed {self.seed}."

    @property
    def safe_line(self) -> str:
        """The settings that kept everything, in a line."""
        names = (f"{mode}, {SYNCHRONOUS[number]}" for mode, number in sorted(self.safe))
        return f"Safe: {'; '.join(names)}."

    def page(self) -> str:
        """Return it as the page that is published."""
        table = [COLUMNS, ("---",) * len(COLUMNS), *self.rows()]
        lines = [_INTRODUCTION, self.origin, "", self.safe_line, ""]
        lines += [f"| {' | '.join(row)} |" for row in table]
        for entry in (*self.entries, self.lied_to):
            lies = ", on a disk that lies" if entry is self.lied_to else ""
            for cause in CAUSES:
                lost = entry.lost(cause)
                if lost is not None:
                    story = entry.kept[cause].broken[lost]
                    lines += ["", f"## {entry.name}{lies}: {cause}, not {lost}", "", "```", story, "```"]
        return "\n".join(lines) + "\n"

    def drift(self, page: str) -> str:
        """Return how a stored page differs: all of it when made in the same way, else the safe settings."""
        if self.origin in page:
            return "" if page == self.page() else f"is stale, though made on SQLite {self.sqlite} too"
        return "" if self.safe_line in page else f"names other safe settings than were found now ({self.safe_line})"


COLUMNS: Final = ("journal mode, synchronous", *CAUSES, "images")
"""The heads of the columns of `Certificate.rows`."""

_INTRODUCTION: Final = """# Durability certificate

What each journal mode of SQLite keeps, with each setting of `synchronous`, when a process is killed and when the
power is cut. Made by `make certificate`, and not edited. A simulated disk under the real SQLite forgets any part of
what was not synchronised; after every change that a few transactions make to it, images of what may survive are
recovered. *Intact*: SQLite can read the file and finds nothing broken. *Atomic*: every transaction is there as a
whole or not at all. *Durable*: every transaction is there that had been committed. A "not" has its counterexample
below; "everything" says that none was found in so many images, and is no proof.

The SQLite backend uses, and insists on, `journal_mode=WAL` with `synchronous=FULL`. No setting helps on a disk that
only says that it has synchronised (last row).
"""


class _Reader:
    """Recovers images of the workload; equal ones are read once."""

    def __init__(self) -> None:
        self._found: dict[bytes, tuple[str, str, int]] = {}

    def read(self, image: Image) -> tuple[str, str, int]:
        """Return the broken promise or "", what was found, and the number of the transaction that is there."""
        disk = Disk(image)
        try:
            settle(disk)
        except Unusable as error:
            return "intact", f"SQLite cannot open it ({error})", 0
        # Whatever the mode, the file has everything now.
        left = disk.image().get(FILE, b"")
        found = self._found.get(left)
        if found is None:
            found = self._found[left] = self._examine(left)
        return found

    @staticmethod
    def _examine(content: bytes) -> tuple[str, str, int]:
        with mounted(Disk({FILE: content})) as uri, closing(sqlite3.connect(uri, uri=True)) as connection:
            # An error of Python's own in the middle of a statement would meet the callbacks of the VFS.
            connection.text_factory = bytes
            try:
                rows = connection.execute("SELECT v, count(*) FROM t GROUP BY v").fetchall()
                big = [n for (n,) in connection.execute("SELECT n FROM big")]
                checked = connection.execute("PRAGMA integrity_check").fetchone()[0]
            except sqlite3.DatabaseError as error:
                return "intact", f"SQLite says: {error}", 0
        if checked != b"ok":
            return "intact", f"SQLite's check says: {' '.join(checked.decode(errors='replace').split())}", 0
        number = rows[0][0] if rows else 0
        if len(rows) != 1 or rows[0][1] != _ROWS or big != ([2] if number == 2 else []):
            return "atomic", f"of {_ROWS} rows there are (transaction, rows) {rows}", 0
        return "", f"transaction {number} is the last one there", number


def examine(mode: str, synchronous: str, level: Level, seed: int, *, lies: bool = False) -> Entry:
    """Try one pair of settings; the disk ``lies`` from the first transaction on."""
    disk, trial = Disk(), _Trial(random.Random(f"{seed} {mode} {synchronous}"), level.drawn)  # noqa: S311 - no secret
    seed_randomness(seed + 1)
    with mounted(disk) as uri, closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        _set_up(connection, mode, synchronous)
        disk.flush()
        disk.lies = lies
        platter, read = disk.platter(), len(disk.log)
        platter.advance(disk.log)
        for number, statements in enumerate(_TRANSACTIONS, 1):
            for statement in ("BEGIN", *statements, "COMMIT"):
                connection.execute(statement)
            log = tuple(disk.log[read:])
            read = len(disk.log)
            for point in range(len(log) + 1):
                platter.advance(log[point - 1 : point] if point else ())
                trial.cut(platter, number, log, point, disk.names)
    return Entry(mode, synchronous, trial.kept())


class _Trial:
    """The power cuts of one pair of settings, and what came of them."""

    def __init__(self, rng: random.Random, drawn: int) -> None:
        self._reader = _Reader()
        self._images = dict.fromkeys(CAUSES, 0)
        self._broken: dict[str, dict[str, Loss]] = {cause: {} for cause in CAUSES}
        self._rng = rng
        self._drawn = drawn

    def cut(
        self, platter: Platter, number: int, log: tuple[Event, ...], point: int, names: Mapping[int, str]
    ) -> None:
        """Cut the power after ``point`` changes of a transaction, or after it was committed."""
        committed = point == len(log)
        for survival in survivals(platter.pending, self._rng, self._drawn):
            promise, verdict, found = self._reader.read(platter.surviving(survival.changes))
            if not promise and found < number - (not committed):
                promise, verdict = "durable", f"{verdict}, and {number - (not committed)} had been committed"
            # A killed process takes nothing along: all that it wrote is there.
            everything = survival.pattern == "all" or not platter.pending
            for cause in CAUSES if everything else CAUSES[1:]:
                self._images[cause] += 1
                if not promise:
                    continue
                loss = Loss(
                    f"transaction {number}",
                    committed,
                    log,
                    point,
                    tuple(platter.pending),
                    survival,
                    names,
                    f"the process starts again: {verdict}" if cause == CAUSES[0] else verdict,
                )
                # What cannot be read, or only half of it, has lost what was committed.
                for broken in {promise, "durable"}:
                    held = self._broken[cause].get(broken)
                    if held is None or loss.size < held.size:
                        self._broken[cause][broken] = loss

    def kept(self) -> dict[str, Keeping]:
        """Return what was kept, by cause."""
        return {
            cause: Keeping(
                self._images[cause],
                {name: broken[name].story() for name in PROMISES if name in broken},
            )
            for cause, broken in ((cause, self._broken[cause]) for cause in CAUSES)
        }


def _set_up(connection: sqlite3.Connection, mode: str, synchronous: str) -> None:
    answer = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0]
    assert answer == mode, f"asked for journal mode {mode}, SQLite uses {answer}"
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA cache_size = 4")
    connection.execute("PRAGMA wal_autocheckpoint = 12")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, pad BLOB)")
    connection.execute("CREATE TABLE big (n INTEGER, pad BLOB)")
    connection.execute("BEGIN")
    for _ in range(_ROWS):
        connection.execute("INSERT INTO t (v, pad) VALUES (0, randomblob(900))")
    connection.execute("COMMIT")
    connection.execute(f"PRAGMA synchronous = {synchronous}")


PAIRS: Final = tuple(itertools.product(MODES, SYNCHRONOUS))
"""Every journal mode with every setting of ``synchronous``."""


def examine_lied_to(level: Level, seed: int) -> Entry:
    """Try the settings of the backend on a disk that lies."""
    mode, number = REQUIRED_SETTINGS
    return examine(mode, SYNCHRONOUS[number], level, seed, lies=True)
