"""Obligations about the commit protocols: `mobstore.properties.protocols.simulation`, asked of both solvers."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Final

from mobstore.properties.proofs.obligation import UNBOUNDED, Obligation, Question
from mobstore.properties.proofs.registry import Subject
from mobstore.properties.protocols import simulation
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OPTIMISTIC
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.symbolic import Translation

PROTOCOLS: Final = (MEMORY, SQLITE, OPTIMISTIC)
"""The protocols that are proved."""


def _question(obligation: simulation.Obligation, _translation: Translation) -> Question:
    return Question((*obligation.assumed.values(), *obligation.axioms), obligation.claim)


@functools.cache
def _all() -> tuple[Obligation, ...]:
    return tuple(
        Obligation(
            each.name, each.sentence, UNBOUNDED, functools.partial(_question, each), ("translation", "finite")
        )
        for protocol in PROTOCOLS
        for each in simulation.obligations(protocol)
    )


def obligations(_subject: Subject) -> Iterator[Obligation]:
    """Iterate over the obligations about every protocol; no change of the tables changes them."""
    yield from _all()
