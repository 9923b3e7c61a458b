"""Queries that answer only what agrees with its check: a row by its key, its absence, a list.

The rows of a list and their check have to be of one snapshot: whoever asks for one is in a transaction.
"""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any, Final

from mobstore.backends.sqlite._checks import SCOPES, Scope, sum_within
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import COLUMNS, COUNT, DISAGREES, Shape, kinds, shape
from mobstore.model import ReadFailed

TOTAL: Final = Shape.made("checks", COUNT)
_NOBODY: Final = "0"


def sum_of(scope: Scope, row: str) -> str:
    """Return what a row adds to a check, as SQL."""
    return scope.sum_of(row, tuple(COLUMNS[scope.table]))


def sound(table: str, row: str) -> str:
    """Return whether a row agrees with the sum in it, as SQL."""
    return f"{row}.row_sum = {sum_within(table, tuple(COLUMNS[table]), row)}"


def agreed(*terms: str, value: str = "1") -> str:
    """Return the last column of a checked shape: a value where all terms are true."""
    return f"CASE WHEN {' AND '.join(terms)} THEN {value} END"


def disagreement(session: Session, table: str) -> ReadFailed:
    """Return the error for rows that do not agree with their check."""
    return ReadFailed(f"{session.shown}: {table}: {DISAGREES}")


# --- a row by its key ---------------------------------------------------------------------------------------


def find(session: Session, name: str, columns: Sequence[str], key: Sequence[Any]) -> tuple[Any, ...] | None:
    """Return columns of the row that has the key of a scope, or None where there is none.

    Raises:
        ReadFailed: the row, or its absence, does not agree with the check.
    """
    query, rule = _finding(name, tuple(columns))
    row = session.row(query, (*key, *key), rule)
    assert row is not None, "the check is there where the row is not"
    return row[:-1] if row[-1] else None


@functools.cache
def _finding(name: str, columns: tuple[str, ...]) -> tuple[str, Shape]:
    """One statement tells both, so that it needs no transaction."""
    scope = SCOPES[name]
    same = " AND ".join(f"t.{column} = ?" for column in scope.by)
    check = (
        f"CASE WHEN t.{scope.by[0]} IS NULL THEN CASE WHEN c.total = 0 THEN 0 END "
        f"WHEN {sum_of(scope, 't')} = c.total THEN 1 END"
    )
    query = (
        f"SELECT {_shown(columns)}, {check} FROM (SELECT {scope.total()} AS total) AS c "
        f"LEFT JOIN {scope.table} AS t ON {same}"
    )
    held = (kinds(scope.table, column, optional=True) for column in columns)
    return query, Shape.made(scope.table, *held, checked=True)


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(f"t.{column}" for column in columns)


def confirm_absence(session: Session, scope: Scope, key: Sequence[Any]) -> None:
    """Confirm that there is no row of a scope.

    Raises:
        ReadFailed: the check says that there is one.
    """
    if _total(session, scope, key):
        raise disagreement(session, scope.table)


def _total(session: Session, scope: Scope, key: Sequence[Any]) -> int:
    row = session.row(f"SELECT {scope.total()}", key, TOTAL)
    assert row is not None, "an expression answers one row"
    total: int = row[0]
    return total


def present(session: Session, name: str, key: Sequence[Any]) -> bool:
    """Return whether there is a row of a scope, of which there may be several.

    Raises:
        ReadFailed: the check says otherwise.
    """
    scope = SCOPES[name]
    where = " AND ".join(f"t.{column} = ?" for column in scope.by)
    found = session.row(f"SELECT 1 FROM {scope.table} AS t WHERE {where} LIMIT 1", key) is not None
    if found != bool(_total(session, scope, key)):
        raise disagreement(session, scope.table)
    return found


# --- lists --------------------------------------------------------------------------------------------------


def listed(
    session: Session, name: str, columns: Sequence[str], key: Sequence[Any], order: str
) -> list[tuple[Any, ...]]:
    """Return columns of all rows of a scope.

    Raises:
        ReadFailed: the rows do not agree with their check.
    """
    scope = SCOPES[name]
    query, rule = _listing(name, tuple(columns), order)
    rows = session.rows(query, key, rule)
    return agreeing(session, scope, rows, _total(session, scope, key))


@functools.cache
def _listing(name: str, columns: tuple[str, ...], order: str) -> tuple[str, Shape]:
    scope = SCOPES[name]
    where = " AND ".join(f"t.{column} = ?" for column in scope.by) or "true"
    query = f"SELECT {_shown(columns)}, {sum_of(scope, 't')} FROM {scope.table} AS t WHERE {where} ORDER BY {order}"
    return query, shape(scope.table, *columns, checked=True)


def agreeing(session: Session, scope: Scope, rows: Sequence[tuple[Any, ...]], total: int) -> list[tuple[Any, ...]]:
    """Return rows without their sums, which come last.

    Raises:
        ReadFailed: the sums do not come to the total.
    """
    if functools.reduce(operator.xor, (row[-1] for row in rows), 0) != total:
        raise disagreement(session, scope.table)
    return [row[:-1] for row in rows]
