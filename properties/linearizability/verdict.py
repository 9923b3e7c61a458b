"""What a check came to: a witness, a proof, or the bound that was reached."""

from __future__ import annotations

import enum
import importlib
import os
import sys
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, Final

import attrs


class Answer(enum.Enum):
    """Whether a history is linearizable; unknown is never a pass."""

    LINEARIZABLE = "linearizable"
    NOT_LINEARIZABLE = "not linearizable"
    UNKNOWN = "unknown"


class Relation(enum.Enum):
    """Why one call comes before another."""

    REAL_TIME = "ended before it began"
    ORDER = "the values of a cell say so"
    SQUEEZED = "it is illegal from there until after a call that it precedes"
    LAST = "it is illegal from there to the end"
    FIRST = "it is illegal from the beginning to there"


@attrs.frozen
class Edge:
    """Row ``earlier`` comes before row ``later``.

    With `Relation.SQUEEZED`, ``until`` is the row of the call that ``earlier`` precedes by the edges before this
    one.  ``cell`` is the cell whose values say the order, None for objects of one cell.
    """

    earlier: int
    later: int
    relation: Relation
    cell: Hashable = None
    until: int | None = None


@attrs.frozen
class Proof:
    """Why a history is not linearizable.

    Attributes:
        kind: ``phantom`` (a value that nobody wrote), ``double success`` (two calls consumed one value), ``cycle``
            (writes that hang on each other and not on the initial value), ``expectation`` (a call found what was
            not there), ``never legal``, ``window`` (no points in time for the calls), ``order`` (a cycle of calls
            that precede each other), ``overlap`` (two blocks of calls that must not mix, and must), or ``search``
            (every order was tried).
        message: one sentence for people.
        rows: the few calls that prove it, in the order of their invocations.
        before: the states that are possible before them (one, but where a search could not tell).
        edges: the steps of the proof: they close a cycle.
        cell: the cell that the proof is about, where there are several.
    """

    kind: str
    message: str
    rows: tuple[int, ...]
    before: tuple[Any, ...] = ()
    edges: tuple[Edge, ...] = ()
    cell: Hashable = None


def double_success(calls: tuple[int, int], value: Any, cell: Hashable = None) -> Proof:
    """Return the proof that two calls replaced a value that stood once."""
    message = f"two calls replaced the value {brief(value)}{_inside(cell)}, which stood once"
    return Proof("double success", message, (min(calls), max(calls)), cell=cell)


def phantom(call: int, value: Any, cell: Hashable = None) -> Proof:
    """Return the proof that a call saw a value that nobody wrote."""
    message = f"the value {brief(value)}{_inside(cell)}, which no call can have written, was seen"
    return Proof("phantom", message, (call,), cell=cell)


def brief(value: Any) -> str:
    """Return a value for a message: no more of it than a line has room for."""
    text = repr(value)
    return text if len(text) <= _BRIEF else f"{text[: _BRIEF - 4]} ..."


def cell_name(cell: Hashable) -> str:
    """Return the name of a cell, as people say it."""
    parts = cell if isinstance(cell, tuple) else (cell,)
    return " ".join(str(part) for part in parts if part is not None)


def _inside(cell: Hashable) -> str:
    return "" if cell is None else f" in {cell_name(cell)}"


_BRIEF: Final = 60


@attrs.frozen
class Bound:
    """The bound that a check reached: which limit, what it was, and how far the check got."""

    limit: str
    value: float
    reached: str

    def __str__(self) -> str:
        return f"{self.limit} {self.value:g} reached: {self.reached}"


@attrs.frozen
class ObjectVerdict:
    """The verdict on one object.

    Attributes:
        key: the object.
        answer: whether its calls are linearizable.
        decided_by: the class that its calls fell in: ``chain``, ``graph``, ``blocks`` or ``search``; ``sequential``
            where no two calls overlap.
        calls: how many calls of the history are about it.
        witness: rows in an order that explains every answer, if it is linearizable.
        proof: why not, if it is not.
        bound: what stopped the check, if it is unknown.
    """

    key: Hashable
    answer: Answer
    decided_by: str
    calls: int
    witness: Sequence[int] | None = None
    proof: Proof | None = None
    bound: Bound | None = None


@attrs.frozen
class Verdict:
    """The verdict on a history: that of its objects together."""

    objects: tuple[ObjectVerdict, ...]

    @property
    def answer(self) -> Answer:
        """Not linearizable if any object is not, else unknown if any is."""
        answers = {verdict.answer for verdict in self.objects}
        for answer in (Answer.NOT_LINEARIZABLE, Answer.UNKNOWN):
            if answer in answers:
                return answer
        return Answer.LINEARIZABLE

    @property
    def decided_by(self) -> tuple[str, ...]:
        """The classes that the objects fell in, each once."""
        return tuple(sorted({verdict.decided_by for verdict in self.objects}))

    @property
    def first_failure(self) -> ObjectVerdict | None:
        """The verdict on the first object that is not linearizable."""
        return next((each for each in self.objects if each.answer is Answer.NOT_LINEARIZABLE), None)


@attrs.frozen
class Limit:
    """What a check may use; reaching any of it makes the verdict unknown.

    Attributes:
        seconds: of wall-clock time, for the whole history.
        configurations: that a search may hold at one time.
        memory: bytes by which the process may grow.
    """

    seconds: float = 60.0
    configurations: int = 1_000_000
    memory: int = 1 << 30


class LimitReached(Exception):
    """Ends a check; carries the bound."""

    def __init__(self, bound: Bound) -> None:
        super().__init__(str(bound))
        self.bound = bound


class Watch:
    """Binds a check to its limit: whoever works long asks it every few milliseconds."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._until = time.monotonic() + limit.seconds
        self._resident = _resident()

    def look(self, reached: str, configurations: int = 0) -> None:
        """Raise `LimitReached` when the limit is; ``reached`` says how far the check got."""
        limit = self.limit
        if time.monotonic() > self._until:
            raise LimitReached(Bound("time limit in seconds", limit.seconds, reached))
        if configurations > limit.configurations:
            raise LimitReached(Bound("limit of configurations", limit.configurations, reached))
        if _resident() - self._resident > limit.memory:
            raise LimitReached(Bound("memory limit in bytes", limit.memory, reached))


_STATM: Final = Path("/proc/self/statm")


def _resident() -> int:
    """The resident memory in bytes; where the system does not tell, the most that it ever was, or 0."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _peak()


def _peak() -> int:
    try:
        resource = importlib.import_module("resource")
    except ModuleNotFoundError:
        return 0
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
