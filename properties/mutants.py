"""Mutants of the wrapper table: every row with one thing of it wrong, as somebody might write it by mistake.

They are made from the rows.  The zoo serves them, in memory and on SQLite, to the chapters of the suite, and the
proofs about rows are scored with them: whoever lets one pass does not look at what was changed in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from mobstore.model.wrappers import (
    ROWS,
    Absent,
    Append,
    Cell,
    Comparison,
    Equals,
    NotTerminal,
    Present,
    Put,
    Row,
    Unknown,
    Write,
)


@attrs.frozen
class Mutant:
    """A row with one mistake: ``kind`` says which mistake, ``about`` in which part of the row."""

    original: Row
    row: Row
    kind: str
    about: str
    mistake: str

    @property
    def name(self) -> str:
        """A name of its own, made of the call, the part and the kind."""
        parts = (self.original.name, self.about, self.kind)
        return "-".join(part.replace("_", "-").replace(" ", "-") for part in parts if part)


def without_comparison(row: Row, dropped: Comparison) -> Row:
    """Return the row without one comparison."""
    return attrs.evolve(row, comparisons=tuple(item for item in row.comparisons if item != dropped))


def without_write(row: Row, dropped: Write) -> Row:
    """Return the row without one write."""
    return attrs.evolve(row, writes=tuple(item for item in row.writes if item != dropped))


def _comparing(row: Row, old: Comparison, new: Comparison) -> Row:
    return attrs.evolve(row, comparisons=tuple(new if item == old else item for item in row.comparisons))


def _writing(row: Row, old: Write, new: Write) -> Row:
    return attrs.evolve(row, writes=tuple(new if item == old else item for item in row.writes))


_LOOK_AT: Final = {
    Equals: "compare the {} with what is expected",
    Absent: "look whether the {} is there already",
    NotTerminal: "look whether the {} is terminal",
    Present: "look whether there is the {}",
}


def _comparisons_dropped(row: Row) -> Iterator[Mutant]:
    for item in row.comparisons:
        about = "terminal" if isinstance(item, NotTerminal) else item.cell.value
        mistake = f"{row.name} does not {_LOOK_AT[type(item)].format(item.cell.value)}"
        yield Mutant(row, without_comparison(row, item), "not compared", about, mistake)


def _writes_dropped(row: Row) -> Iterator[Mutant]:
    for item in row.writes:
        mistake = f"{row.name} commits without writing the {item.cell.value}"
        yield Mutant(row, without_write(row, item), "not written", item.cell.value, mistake)


def _pairs(row: Row) -> Iterator[tuple[Equals, Put]]:
    """A comparison and a write of one cell, whose arguments are easily mixed up."""
    for item in row.comparisons:
        for write in row.writes:
            if isinstance(item, Equals) and isinstance(write, Put) and item.cell is write.cell:
                yield item, write


def _arguments_mixed_up(row: Row) -> Iterator[Mutant]:
    for item, write in _pairs(row):
        cell = item.cell.value
        yield Mutant(
            row,
            _comparing(row, item, attrs.evolve(item, argument=write.argument)),
            "compared with next",
            cell,
            f"{row.name} compares the {cell} with {write.argument}, and not with {item.argument}",
        )
        yield Mutant(
            row,
            _writing(row, write, attrs.evolve(write, argument=item.argument)),
            "written back",
            cell,
            f"{row.name} writes {item.argument}, and not {write.argument}",
        )


def _appends(row: Row) -> Iterator[Mutant]:
    for item in row.writes:
        if not isinstance(item, Append):
            continue
        if item.once:
            yield Mutant(
                row,
                _writing(row, item, attrs.evolve(item, once=False)),
                "appended always",
                item.cell.value,
                f"{row.name} appends to the {item.cell.value} whatever stands there, or is given",
            )
        if item.cell is Cell.STEP_LEDGER and not any(isinstance(other, Absent) for other in row.comparisons):
            yield Mutant(
                row,
                _writing(row, item, attrs.evolve(item, once=True)),
                "appended once",
                item.cell.value,
                f"{row.name} leaves out an entry that stands in the {item.cell.value} already",
            )


def _terminal_added(row: Row) -> Iterator[Mutant]:
    if not any(isinstance(item, NotTerminal) for item in row.comparisons):
        frozen = attrs.evolve(row, comparisons=(*row.comparisons, NotTerminal()))
        yield Mutant(row, frozen, "blocked", "terminal", f"{row.name} is refused once the run is terminal")


def _answers(row: Row) -> Iterator[Mutant]:
    other = Unknown.FALSE if row.unknown is Unknown.NOT_FOUND else Unknown.NOT_FOUND
    mistake = f"{row.name} answers {other.value} about a run that does not exist"
    yield Mutant(row, attrs.evolve(row, unknown=other), "misjudged", "unknown run", mistake)
    answer = "nothing" if row.answers else "true"
    mistake = f"{row.name} answers {answer} when it succeeds"
    yield Mutant(row, attrs.evolve(row, answers=not row.answers), "wrong", "answer", mistake)


_WAYS: Final = (_comparisons_dropped, _writes_dropped, _arguments_mixed_up, _appends, _terminal_added, _answers)

MUTANTS: Final[tuple[Mutant, ...]] = tuple(mutant for row in ROWS for way in _WAYS for mutant in way(row))
"""Every mutant of every row, in the order of the table."""
