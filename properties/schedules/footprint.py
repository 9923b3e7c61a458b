"""What a step reads and writes, and when the order of two steps matters.

Two steps of different clients are *independent* when, wherever both can be taken, neither makes the other
impossible, and both orders lead to the same state and show the clients the same.  Exploration then needs only one
of the two orders (sleep sets; Godefroid, 1996).  Here a step has a footprint, the objects that it reads and that it
writes, and two steps are independent unless one writes what the other reads or writes.

The objects are the cells of the wrapper table, as the backend lays them out, and a few that every storage has: its
lock, and the committed state as a whole.  A history is judged by real time too: when the first step of a call
comes after the last step of another, the order of the calls is given.  So a step that ends a call and a step that
begins one are never independent, although no cell knows of it.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from mobstore.model import Row
from mobstore.model.wrappers import Cell

COMMITTED: Final = "the committed state"
"""What a snapshot of a storage reads, and every commit writes."""

LOCK: Final = "the lock"
"""The turn to write."""


@attrs.frozen
class Footprint:
    """The objects that a step reads and writes, and whether it begins or ends a call."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    begins: bool = False
    ends: bool = False

    EMPTY: ClassVar[Footprint]
    BEGINS: ClassVar[Footprint]
    ENDS: ClassVar[Footprint]

    def __or__(self, other: Footprint) -> Footprint:
        if self is Footprint.EMPTY:
            return other
        return Footprint(
            self.reads | other.reads,
            self.writes | other.writes,
            self.begins or other.begins,
            self.ends or other.ends,
        )

    def conflicts(self, other: Footprint) -> bool:
        """Whether the order of two steps of different clients may matter."""
        return bool(
            not self.writes.isdisjoint(other.writes)
            or not self.writes.isdisjoint(other.reads)
            or not self.reads.isdisjoint(other.writes)
            or (self.begins and other.ends)
            or (self.ends and other.begins)
        )


Footprint.EMPTY = Footprint()
Footprint.BEGINS = Footprint(begins=True)
Footprint.ENDS = Footprint(ends=True)


def row_footprint(row: Row) -> Footprint:
    """Return the cells that a row of the wrapper table compares and writes, as a footprint."""
    compared = {item.cell for item in row.comparisons}
    written = {item.cell for item in row.writes}
    if Cell.STEP_OUTPUT in compared | written:
        # The output of an entry is a part of the ledger's entry.
        compared, written = {Cell.STEP_LEDGER}, {Cell.STEP_LEDGER}
    return Footprint(frozenset(map(str, compared)), frozenset(map(str, written)))
