"""Exhausted bounds: every schedule of a few calls of one kind, on each of our backends.

There are two kinds of scenario.  *Rivals* make the same call with the same expectation; a *reader* looks at what
the others change.  With ``every`` a scenario is taken through every interleaving of its steps, and again with sleep
sets: what they left out must have come to nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model import Operation
from mobstore.properties.linearizability.stores import outcome_in
from mobstore.properties.refinement import near
from mobstore.properties.schedules.exploration import Explorer, Failure, exhaust
from mobstore.properties.schedules.scenario import NOW, Scenario, beginning_of, rivals, state_after
from mobstore.properties.schedules.strategies import Exhaustive
from mobstore.properties.schedules.systems import MemorySystem, SqliteSystem, System

BACKENDS: Final[Mapping[str, Callable[[int], System]]] = {
    "sqlite": SqliteSystem,
    "sqlite, threads": lambda clients: SqliteSystem(clients, threads=True, name="sqlite, threads"),
    "memory": MemorySystem,
}
"""Our backends under control, for a number of clients; "sqlite" stands for clients in processes of their own."""


def with_reader(kind: type[Operation[Any]], clients: int) -> Scenario:
    """Return the scenario in which one client reads what the others change by the same call."""
    prefix, call = beginning_of(kind)
    before = state_after(prefix)
    after, _ = outcome_in(before, call, NOW)
    reading = next(
        read for read in near(call) if outcome_in(before, read, NOW)[1] != outcome_in(after, read, NOW)[1]
    )
    return Scenario(prefix, (*((call,),) * (clients - 1), (reading,)))


SHAPES: Final[Mapping[str, Callable[[type[Operation[Any]], int], Scenario]]] = {
    "rivals": rivals,
    "reader": with_reader,
}


@attrs.frozen
class Bound:
    """What was exhausted, or the failure that was found on the way.

    Attributes:
        unit: what the steps are.
        interleavings: every interleaving of the steps; None when only those that differ were taken.
        different: those that were taken with sleep sets.
        outcomes: how many different ones there were (answers, order in real time, state afterwards).
        lost: outcomes that the sleep sets left out; any is a defect of the table of independence.
    """

    call: str
    shape: str
    backend: str
    unit: str
    clients: int
    interleavings: int | None
    different: int
    outcomes: int
    lost: int
    exhausted: bool
    failure: Failure | None

    @property
    def taken(self) -> int:
        """How many schedules were taken to their end."""
        return self.different + (self.interleavings or 0)

    @property
    def holds(self) -> bool:
        """Whether all was taken, and nothing was wrong."""
        return self.exhausted and self.failure is None and not self.lost

    def __str__(self) -> str:
        if self.interleavings is None:
            return f"{self.different:,}"
        return f"{self.different:,} of {self.interleavings:,}"


def bound_of(
    kind: type[Operation[Any]], shape: str, backend: str, clients: int, *, every: bool, limit: int
) -> Bound:
    """Take one kind of call through its schedules, at most ``limit`` of them."""
    scenario = SHAPES[shape](kind, clients)
    with BACKENDS[backend](clients) as system:
        explorer = Explorer(system, scenario)
        reduced = exhaust(explorer, Exhaustive(), limit=limit)
        found, lost = reduced, 0
        if every and reduced.exhausted:
            known = explorer.outcomes
            found = exhaust(explorer, Exhaustive(sleep=False), limit=limit)
            lost = len(explorer.outcomes - known)
    return Bound(
        kind.call,
        shape,
        backend,
        system.unit,
        clients,
        found.schedules if every else None,
        reduced.schedules,
        found.outcomes,
        lost,
        found.exhausted,
        reduced.failure or found.failure,
    )


def bounds(kinds: Iterable[type[Operation[Any]]], clients: int, *, limit: int) -> Iterator[Bound]:
    """Exhaust the schedules of each of these calls, in both kinds of scenario, on every backend.

    Every interleaving of two rivals is taken; of more clients, and of readers, those that differ.
    """
    for kind in kinds:
        for shape in SHAPES:
            for backend in BACKENDS:
                every = shape == "rivals" and clients == 2
                yield bound_of(kind, shape, backend, clients, every=every, limit=limit)
