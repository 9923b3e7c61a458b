"""Levels: how far a backend may be trusted, by the chapters that it passed.

A level is awarded when every chapter of it, and of the levels below it, has passed.  A chapter that was left out,
is unknown or failed counts against its level; one that does not apply does too, unless the backend lacks by its
nature what the contract lets it lack.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Final

from mobstore.properties.chapter import Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.concurrency import chapters as concurrency


class Level(enum.IntEnum):
    """How far a backend may be trusted; each level holds those below it."""

    ANSWERS = 1
    REFINES = 2
    CONCURRENT = 3
    DURABLE = 4

    @property
    def promise(self) -> str:
        """What a backend of this level has been tried for, as far as the bounds say."""
        return _PROMISES[self]

    def __str__(self) -> str:
        return f"{self.name.lower()} ({self.value} of {len(Level)}): {self.promise}"


_PROMISES: Final = {
    Level.ANSWERS: "answers single calls as the contract says",
    Level.REFINES: "answers sequences of calls as the model does",
    Level.CONCURRENT: "answers calls that overlap as if they came one by one",
    Level.DURABLE: "keeps what it answered when its process dies",
}

_ANSWERS: Final = (
    *("smoke", "capabilities", "rows", "comparisons", "values", "cursors"),
    *("awkward-ids", "bad-input", "requests", "recordings"),
)
_OTHERS: Final = {
    **dict.fromkeys(_ANSWERS, Level.ANSWERS),
    "end": Level.ANSWERS,
    **dict.fromkeys(("threads", *(chapter.name for chapter in concurrency.CHAPTERS)), Level.CONCURRENT),
    **dict.fromkeys(("crashes", "kills", "power-cuts"), Level.DURABLE),
}


def level_of(chapter: str) -> Level:
    """Return the level that hangs on a chapter."""
    return _OTHERS.get(chapter, Level.REFINES)


_CHAPTERS: Final = tuple(chapter.name for chapter in CHAPTERS)


def awarded(results: Sequence[Result], chapters: Iterable[str] = _CHAPTERS) -> Level | None:
    """Return the highest level that the results of a run earn, or None.

    Args:
        chapters: the names of all chapters that there are.
    """
    reached = None
    for level in Level:
        if wanting(level, results, chapters):
            break
        reached = level
    return reached


def wanting(level: Level, results: Sequence[Result], chapters: Iterable[str] = _CHAPTERS) -> dict[str, str]:
    """Return the chapters that count against a level, whatever the levels below it, with what became of each.

    What a backend lacks by its nature does not, as long as a chapter of the level has passed.
    """
    by_name = {result.chapter: result for result in results}
    found = {name: by_name.get(name) for name in (*chapters, *by_name) if level_of(name) is level}
    passed = {name for name, result in found.items() if result is not None and result.verdict is Verdict.PASSED}
    return {
        name: "left out" if result is None else result.verdict.value
        for name, result in found.items()
        if name not in passed and (not passed or result is None or not result.excused)
    }
