"""Known failures: chapters that are known to fail, each with its reason, so that a run fails only by new ones.

    # known-failures.txt
    refines-event: prune removes events of the very time, see ticket 17

An entry is a promise, too: a chapter that no longer fails must leave the file, and fails the run until it does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mobstore.properties.chapter import Result, Verdict


class NotAList(Exception):
    """A file of known failures that cannot be read, or a line that is no entry."""


def read_known(path: Path, chapters: Collection[str]) -> dict[str, str]:
    """Return the reasons by chapter; empty lines, and what follows a ``#`` at a line's begin, are read over.

    Raises:
        NotAList: the file cannot be read; or a line names no chapter, one that is named already, or no reason.
    """
    known: dict[str, str] = {}
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}"
        raise NotAList(msg) from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        chapter, _, reason = (part.strip() for part in line.partition(":"))
        rule = (
            f"there is no chapter {chapter!r}"
            if chapter not in chapters
            else "an entry is CHAPTER: REASON"
            if not reason
            else f"{chapter} is there already"
            if chapter in known
            else ""
        )
        if rule:
            msg = f"{path}:{number}: {rule}"
            raise NotAList(msg)
        known[chapter] = reason
    return known


def stale(results: Sequence[Result], known: Mapping[str, str]) -> list[str]:
    """Return the chapters that were run and are known to fail, but did not."""
    return [each.chapter for each in results if each.chapter in known and each.verdict is not Verdict.FAILED]


def unknown_failures(results: Sequence[Result], known: Mapping[str, str]) -> list[Result]:
    """Return the results without the failures that are known."""
    return [each for each in results if not (each.chapter in known and each.verdict is Verdict.FAILED)]
