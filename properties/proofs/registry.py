"""The families of obligations, and what they are about."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from mobstore.model.callers.commits import COMMITS, Commit
from mobstore.model.machines import AUTHORITY, FRAME, LOOP, RUN, Machine
from mobstore.model.wrappers import ROWS, Row
from mobstore.properties.proofs.obligation import Obligation


@attrs.frozen(eq=False)
class Subject:
    """What is proved something about; a mutant is a subject that was changed in one place.

    ``source`` is the text of `mobstore.model.step`, where a mutant changes it.
    """

    rows: tuple[Row, ...] = ROWS
    machines: tuple[Machine[Any], ...] = (RUN, FRAME, LOOP, AUTHORITY)
    source: str | None = None
    commits: tuple[Commit, ...] = tuple(COMMITS.values())


SUBJECT: Final = Subject()
"""The tables as they are."""

FAMILIES: Final = (
    "mobstore.properties.proofs.calls",
    "mobstore.properties.proofs.machines",
    "mobstore.properties.proofs.compositions",
    "mobstore.properties.protocols.simulation",
)
"""Modules; each has ``obligations(subject)``."""


def obligations(subject: Subject = SUBJECT) -> Iterator[Obligation]:
    """Iterate over the obligations about a subject.

    Building one is cheap: its formula is made when it is asked for.
    """
    for module in FAMILIES:
        yield from importlib.import_module(module).obligations(subject)


def chosen(patterns: Iterable[str]) -> list[Obligation]:
    """Return the obligations whose names match one of some patterns (or stand below one); all without a pattern.

    Raises:
        LookupError: a pattern matches nothing.
    """
    every = list(obligations())
    wanted = list(patterns)
    for pattern in wanted:
        if not any(_matches(item.name, pattern) for item in every):
            msg = f"there is no obligation {pattern!r}"
            raise LookupError(msg)
    return [item for item in every if not wanted or any(_matches(item.name, pattern) for pattern in wanted)]


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}/*")
