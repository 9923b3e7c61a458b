"""A damaged file: whatever page of it is overwritten, a call tells so or answers what is right.

SQLite keeps no checksum of its pages: a bit that flips inside a stored value is not noticed by it, and only by us
where the value then has no form.  So whole pages are overwritten here, with zeros, ones, noise; and, which nobody
always notices, with another page of the file, as when a disk puts a write in the wrong place.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from mobstore.backends import sqlite
from mobstore.model import ReadFailed, State, WriteFailed, step
from mobstore.properties import smoke
from mobstore.properties.faults.storage import READINGS
from mobstore.properties.subject import ManualClock, Outcome, outcome_of, same_outcome

_PAGE: Final = 4096

Spoil: TypeAlias = Callable[[bytes, int, random.Random], bytes]
"""Returns what is found in the place of a page: of the whole file, the page's number, and chance."""


def _page(content: bytes, number: int) -> bytes:
    return content[number * _PAGE : (number + 1) * _PAGE]


def _misplaced(content: bytes, number: int, rng: random.Random) -> bytes:
    others = [other for other in range(1, len(content) // _PAGE) if _page(content, other) != _page(content, number)]
    return _page(content, rng.choice(others))


_MISPLACED: Final = "another page"

SPOILS: Final[Mapping[str, Spoil]] = {
    "zeros": lambda _content, _number, _rng: bytes(_PAGE),
    "ones": lambda _content, _number, _rng: b"\xff" * _PAGE,
    "noise": lambda _content, _number, rng: rng.randbytes(_PAGE),
    _MISPLACED: _misplaced,
}


@attrs.define
class Damage:
    """What was found with pages overwritten in one way: files tried, readings that told, were right, or wrong."""

    name: str
    files: int = 0
    refused: int = 0
    told: int = 0
    right: int = 0
    wrong: list[str] = attrs.field(factory=list)

    @property
    def is_claimed(self) -> bool:
        """Whether all of it must be noticed: of its own pages in a wrong place SQLite does not notice all."""
        return self.name != _MISPLACED


def damage_pages(seed: int) -> Iterator[Damage]:
    """Overwrite every page of a file in every way, one at a time, and read everything."""
    rng, clock = random.Random(seed), ManualClock()  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory(prefix="mobstore-damage-") as directory:
        path, state = Path(directory) / "stores.db", State()
        with sqlite.open(path, clock=clock) as stores:
            for call in _CALLS:
                stores.execute(call)
                state, _ = step(state, call, clock())
        content = path.read_bytes()
        expected = [outcome_of(lambda: step(state, call, clock())[1]) for call in READINGS]  # noqa: B023
        for name, spoil in SPOILS.items():
            found = Damage(name)
            for number in range(len(content) // _PAGE):
                page = spoil(content, number, rng)
                path.write_bytes(content[: number * _PAGE] + page + content[(number + 1) * _PAGE :])
                _examine(found, path, number, expected)
                for beside in path.parent.glob("stores.db-*"):
                    beside.unlink()
            yield found


_CALLS: Final = tuple(
    call for call in smoke.CALLS if not call.reads and not call.call.startswith(("clear", "delete"))
)


def _examine(found: Damage, path: Path, number: int, expected: list[Outcome]) -> None:
    found.files += 1
    try:
        stores = sqlite.open(path, clock=ManualClock())
    except (ReadFailed, WriteFailed):
        found.refused += 1
        return
    with stores:
        for call, right in zip(READINGS, expected, strict=True):
            outcome = outcome_of(lambda: stores.execute(call))  # noqa: B023
            if same_outcome(outcome, right):
                found.right += 1
            elif outcome.kind in (ReadFailed.__name__, WriteFailed.__name__):
                found.told += 1
            else:
                found.wrong.append(f"page {number + 1} is {found.name}: {call} came to {outcome!r:.200}")
