"""A damaged file: whatever becomes of a page of it, a call tells so or answers what is right.

SQLite keeps no checksum of its pages, the backend one of what its calls ask for
(`mobstore.backends.sqlite._checks`).  One page at a time is overwritten with zeros, ones or noise; has a bit that
flipped; holds another page of the file, as when a disk puts a write in the wrong place; or what it held earlier, as
when a disk loses a write.  Then everything is read, and a call is made that changes something.

An earlier state of rows that calls replace all the time is the one damage that no check tells
(`mobstore.backends.sqlite._checks.REPLACED`): what is answered from it is counted apart.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends import sqlite
from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.sqlite._checks import REPLACED
from mobstore.model import Operation, ReadFailed, State, WriteFailed, step
from mobstore.properties import smoke
from mobstore.properties.faults.storage import READINGS
from mobstore.properties.subject import ManualClock, Outcome, outcome_of, same_outcome

_PAGE: Final = 4096

Spoil: TypeAlias = Callable[[Sequence[bytes], int, random.Random], bytes]
"""Returns what is found in the place of a page: of the file at all its times, the page's number, and chance."""


def _page(content: bytes, number: int) -> bytes:
    return content[number * _PAGE : (number + 1) * _PAGE]


def _flipped(times: Sequence[bytes], number: int, rng: random.Random) -> bytes:
    """A bit of what the page holds: most of a page is often free, and nothing is read from there."""
    page = bytearray(_page(times[-1], number))
    held = [place for place, byte in enumerate(page) if byte]
    page[rng.choice(held)] ^= 1 << rng.randrange(8)
    return bytes(page)


def _misplaced(times: Sequence[bytes], number: int, rng: random.Random) -> bytes:
    others = {_page(times[-1], other) for other in range(1, len(times[-1]) // _PAGE)}
    return rng.choice(sorted(others - {_page(times[-1], number)}))


def _stale(times: Sequence[bytes], number: int, rng: random.Random) -> bytes:
    """What the page was once; the page itself, if it never was anything else."""
    present = _page(times[-1], number)
    earlier = {_page(content, number) for content in times if len(content) > number * _PAGE} - {present}
    return rng.choice(sorted(earlier)) if earlier else present


SPOILS: Final[Mapping[str, tuple[int, Spoil]]] = {
    "zeros": (1, lambda _times, _number, _rng: bytes(_PAGE)),
    "ones": (1, lambda _times, _number, _rng: b"\xff" * _PAGE),
    "noise": (1, lambda _times, _number, rng: rng.randbytes(_PAGE)),
    "one bit": (4, _flipped),
    "another page": (2, _misplaced),
    "an earlier state": (2, _stale),
}
"""What is found in the place of a page, and how often it is tried."""

Opener: TypeAlias = Callable[[Path, Clock], Stores]


def _opened(path: Path, clock: Clock) -> Stores:
    return sqlite.open(path, clock=clock)


@attrs.define
class Damage:
    """What was found with pages overwritten in one way.

    Files tried, and refused; readings and changing calls that told, were right, out of date as is known, or wrong.
    """

    name: str
    files: int = 0
    refused: int = 0
    told: int = 0
    right: int = 0
    outdated: int = 0
    wrong: list[str] = attrs.field(factory=list)


def damage_pages(
    seed: int, often: int = 1, opener: Opener = _opened, spoils: Collection[str] = SPOILS
) -> Iterator[Damage]:
    """Overwrite every page of a file in these ways, so many times as often, one at a time, and make calls."""
    rng, clock = random.Random(seed), ManualClock()  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory(prefix="mobstore-damage-") as directory:
        path, state, times = Path(directory) / "stores.db", State(), []
        for call in _CALLS:
            with opener(path, clock) as stores:
                stores.execute(call)
            state, _ = step(state, call, clock())
            times.append(path.read_bytes())
        trial = _Trial(path, times, state, opener)
        for name in spoils:
            found, (tries, spoil) = Damage(name), SPOILS[name]
            for number in range(len(times[-1]) // _PAGE):
                for _ in range(tries * (often if tries > 1 else 1)):
                    page = spoil(times, number, rng)
                    if page != _page(times[-1], number):
                        trial.run(found, number, page, rng.choice(_CHANGING))
            yield found


_CHANGING: Final = tuple(call for call in smoke.EXECUTED if not call.reads)
_CALLS: Final = tuple(
    call for call in smoke.CALLS if not call.reads and not call.call.startswith(("clear", "delete"))
)


def _pages_of(path: Path, tables: Sequence[str]) -> frozenset[int]:
    """The first page of each of some tables, numbered from 0."""
    with closing(sqlite3.connect(path)) as connection:
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
    return frozenset(roots[table] - 1 for table in tables)


class _Trial:
    """A file, what its calls answer, and one damage after the other."""

    def __init__(self, path: Path, times: Sequence[bytes], state: State, opener: Opener) -> None:
        self._path = path
        self._content = times[-1]
        self._opener = opener
        self._replaced = _pages_of(path, REPLACED)
        self._expected = {call: self._answer(state, call) for call in (*READINGS, *_CHANGING)}

    @staticmethod
    def _answer(state: State, call: Operation[Any]) -> Outcome:
        return outcome_of(lambda: step(state, call, ManualClock()())[1])

    def run(self, found: Damage, number: int, page: bytes, change: Operation[Any]) -> None:
        """Put something in the place of a page, and make the calls."""
        before, after = self._content[: number * _PAGE], self._content[(number + 1) * _PAGE :]
        self._path.write_bytes(before + page + after)
        found.files += 1
        try:
            stores = self._opener(self._path, ManualClock())
        except (ReadFailed, WriteFailed):
            found.refused += 1
        else:
            with stores:
                for call in (*READINGS, change):
                    self._judge(found, number, call, outcome_of(lambda: stores.execute(call)))  # noqa: B023
        for beside in self._path.parent.glob("stores.db-*"):
            beside.unlink()

    def _judge(self, found: Damage, number: int, call: Operation[Any], outcome: Outcome) -> None:
        if same_outcome(outcome, self._expected[call]):
            found.right += 1
        elif outcome.kind in (ReadFailed.__name__, WriteFailed.__name__):
            found.told += 1
        elif SPOILS[found.name][1] is _stale and number in self._replaced:
            found.outdated += 1
        else:
            found.wrong.append(f"page {number + 1} is {found.name}: {call} came to {outcome!r:.200}")
