"""Obligations: what is to be proved, what it assumes, how far it reaches, and the question for a solver."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties._symbols import Expr
from mobstore.properties.pools import secret_key
from mobstore.properties.symbolic import Translation, conj, neg


@attrs.frozen
class Scope:
    """How far an obligation reaches.

    Attributes:
        text: "unbounded", or the bound in words.
        ids: how many values each opaque sort has, by its name; None where there may be any number.
        length: how long the sequences of a bounded scope are at most.
    """

    text: str
    ids: Mapping[str, int] | None = None
    length: int = 0

    @property
    def is_unbounded(self) -> bool:
        """Whether nothing is bounded."""
        return self.ids is None

    def translation(self) -> Translation:
        """Return a fresh translation that sees ids as this scope does."""
        if self.ids is None:
            return Translation()
        universe = {name: _values(name, number) for name, number in self.ids.items()}
        return Translation(universe, self.length)


_NAMES: Final = frozenset({"str", "Client", "Call", "Value"})
"""The opaque sorts whose values are texts."""


def _values(name: str, number: int) -> list[Any]:
    """The values of an opaque sort; of texts, the empty one is the first."""
    if name in _NAMES:
        return ["", "a", "b", "c", "d", "e"][:number]
    return [secret_key(n) if name == "SecretKey" else f"{name}{n}" for n in range(number)]


UNBOUNDED: Final = Scope("unbounded")
"""Any number of everything."""


def bounded(text: str, length: int = 0, **ids: int) -> Scope:
    """Return a bounded scope; ``str`` is the sort of ids."""
    return Scope(text, ids, length)


class Aim(enum.Enum):
    """What a solver is to find."""

    VALID = "holds always"
    """No case fulfils what is given and not the claim (the solver answers ``unsat``)."""
    POSSIBLE = "can happen"
    """Some case fulfils what is given and the claim (the solver answers ``sat``)."""


@attrs.frozen
class Replay:
    """A countermodel in values of the model: before, the call, after; and whether Python confirms it."""

    before: str
    call: str
    after: str
    confirmed: bool

    def __str__(self) -> str:
        said = "confirmed in Python" if self.confirmed else "NOT confirmed in Python"
        return f"before: {self.before}\n  call: {self.call}\n after: {self.after}\n({said})"


@attrs.frozen(eq=False)
class Question:
    """What is given, and what is claimed of it.

    ``replay`` makes values of a solver's model, where what the obligation is about can be run in Python;
    ``readable`` says what such a model must obey besides, so that values stand for it, and ``tidy`` what it
    should obey where it can, so that it is easy to read.
    """

    given: tuple[Expr, ...]
    claim: Expr
    replay: Callable[[Any], Replay] | None = None
    readable: Callable[[], Iterable[Expr]] = tuple
    tidy: Callable[[], Iterable[Expr]] = tuple

    def assertions(self, aim: Aim) -> tuple[Expr, ...]:
        """Return what a solver is told."""
        return (*self.given, neg(self.claim) if aim is Aim.VALID else self.claim)

    def given_holds(self) -> Expr:
        """Return what is given, as one formula."""
        return conj(*self.given)


Build: TypeAlias = Callable[[Translation], Question]


@attrs.frozen(eq=False)
class Obligation:
    """One thing to prove.

    Attributes:
        name: stable; parts from the general to the particular, with ``/`` between them.
        sentence: what it says, in one sentence.
        scope: how far it reaches.
        build: makes the question in a translation of its scope (or of ``small``).
        assumptions: what it takes for granted, by the keys of `ASSUMPTIONS`.
        about: the parts of the tables that it depends on: ``call:NAME`` is a row, or a call that is none.
        aim: whether it says that something always holds, or that it can happen.
        small: where a solver searches for a countermodel; None if it does not.
        search: finds a countermodel without a solver.
    """

    name: str
    sentence: str
    scope: Scope
    build: Build
    assumptions: tuple[str, ...] = ()
    about: frozenset[str] = frozenset()
    aim: Aim = Aim.VALID
    small: Scope | None = None
    search: Callable[[], Replay | None] = lambda: None


ASSUMPTIONS: Final[dict[str, str]] = {
    "collections": (
        "The persistent maps and logs of the model mean what maps and sequences mean; "
        "tests/model/test_collections.py holds them to that."
    ),
    "translation": (
        "The translation of terms means what Python computes; tests/machines/test_symbolic.py compares the two on "
        "recorded vectors and random values."
    ),
    "inputs-loop": (
        "`refuse_inputs` is a loop over the inputs, which no symbol can go through: it is taken to fail exactly "
        "when one of them is no flow authority input; tests/model/test_step.py holds it to that."
    ),
    "whole": (
        "What the store never looks into (snapshots, documents, payloads, authority records) is any value that "
        "can be compared; code that looked inside would fail here, instead of being proved."
    ),
    "values": "Values are what their records' annotations say; every record checks that when it is made.",
    "sqlite": (
        "SQLite keeps its promises: BEGIN IMMEDIATE excludes other writers, a transaction reads one snapshot and "
        "its own writes, a commit in the log is found whole or not at all, a sync reaches the disk; "
        "`mobstore durability` tries the real one on a simulated disk."
    ),
    "lock": "A lock is held by one thread at a time, and reading or assigning an attribute is one step (CPython).",
    "statement": "One UPDATE is atomic and durable; that is up to the storage.",
    "binding": (
        "The backend does what its protocol says; every changing call is recorded, with each end that it can have, "
        "and tests/proofs/test_binding.py holds the recordings to the protocol."
    ),
    "callers": (
        "A run is changed by the commits of the table alone, and callers see to what no wrapper compares (below); "
        "workflows by turns and on real backends hold our drivers to it."
    ),
    "finite": (
        "Sets, maps and sequences are finite, and a counter of 32 bits has a number for all that it counts: a run "
        "has fewer than 2**32 steps, nodes and loops.  Only what counts needs it."
    ),
}
"""What proofs take for granted and why one may; a family of obligations may add its own."""
