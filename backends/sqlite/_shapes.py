"""What the rows that queries answer are made of, by the schema.

A page that is another's shows rows whose columns hold other types than the schema lets them, of which Python would
make errors of its own: every column is checked as it is read.  Whether the values are right, the checks say.
"""

from __future__ import annotations

import functools
import itertools
import re
from types import NoneType
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends.sqlite._checks import CHECKS
from mobstore.backends.sqlite._schema import TABLES
from mobstore.model import ReadFailed

Kinds: TypeAlias = tuple[type, ...]
"""The types that a column may hold."""

WRONG_TYPE: Final = "a column holds another type than it should"
DISAGREES: Final = "the rows do not agree with their check: the file is corrupt"

_COLUMN: Final = re.compile(r"^    (\w+) (TEXT|INTEGER)( NOT NULL| PRIMARY KEY)?", re.MULTILINE)
_TYPES: Final = {"TEXT": str, "INTEGER": int}

COLUMNS: Final[dict[str, dict[str, Kinds]]] = {
    table: {
        name: (_TYPES[kind],) if rule else (_TYPES[kind], NoneType) for name, kind, rule in _COLUMN.findall(sql)
    }
    for table, sql in {**TABLES, "checks": CHECKS}.items()
    if sql.startswith("CREATE TABLE")
}
"""Of every table, what each column may hold; without the sums in the rows, which are compared and not read."""

_CHECK: Final[Kinds] = (int, NoneType)
COUNT: Final[Kinds] = (int,)
"""What an aggregate of integers answers that is never absent."""


def kinds(table: str, column: str, *, optional: bool = False) -> Kinds:
    """Return what a column may hold; with ``optional`` nothing, too, as where there is no row to join."""
    held = COLUMNS[table][column]
    return (*held, NoneType) if optional and NoneType not in held else held


@attrs.frozen
class Shape:
    """What the rows of a query are made of; ``of`` says whose rows they are.

    ``checked``: a last column says more of a row's check, and nothing where the row does not agree with it.
    """

    of: str
    rows: frozenset[Kinds]
    checked: bool = False

    @classmethod
    def made(cls, of: str, *columns: Kinds, checked: bool = False) -> Shape:
        """Return the shape of rows with columns that may hold so much."""
        return cls(of, frozenset(itertools.product(*columns, *[_CHECK] * checked)), checked)

    def fits(self, row: tuple[Any, ...]) -> bool:
        """Whether a row is so."""
        return tuple(map(type, row)) in self.rows

    def check(self, row: tuple[Any, ...], shown: str) -> None:
        """Check a row of the file ``shown``.

        Raises:
            ReadFailed: it has another shape.
        """
        if tuple(map(type, row)) not in self.rows:
            raise ReadFailed(f"{shown}: {self.of}: {WRONG_TYPE}")
        if self.checked and row[-1] is None:
            raise ReadFailed(f"{shown}: {self.of}: {DISAGREES}")


@functools.cache
def shape(table: str, *columns: str, checked: bool = False) -> Shape:
    """Return the shape of columns of a table."""
    return Shape.made(table, *(kinds(table, column) for column in columns), checked=checked)
