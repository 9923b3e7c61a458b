"""Mutants of the protocols: every guard, update and image left out, one at a time; each must break a proof.

A mutant that breaks none does the same as the protocol, and stands in `EQUIVALENT` with the reason.  An entry that
a proof does notice is stale, and fails as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import attrs

from mobstore.properties.protocols.protocol import Move, Protocol

T = TypeVar("T")


@attrs.frozen(eq=False)
class Mutant:
    """A protocol in which something of one move was left out."""

    name: str
    move: str
    protocol: Protocol


def mutants(protocol: Protocol) -> Iterator[Mutant]:
    """Iterate over the mutants of a protocol."""
    for move in protocol.moves:
        for what, changed in _changed(move):
            moves = tuple(changed if each is move else each for each in protocol.moves)
            name = f"{protocol.name}/{move.name}/{what}"
            yield Mutant(name, move.name, attrs.evolve(protocol, moves=moves))


def _changed(move: Move) -> Iterator[tuple[str, Move]]:
    for place, guard in enumerate(move.guards):
        yield f"without guard {guard.name}", attrs.evolve(move, guards=_without(move.guards, place))
    if move.sources is not None:
        yield "from any place", attrs.evolve(move, sources=None)
    if move.target is not None:
        yield "staying in place", attrs.evolve(move, target=None)
    for field in move.updates:
        kept = {name: value for name, value in move.updates.items() if name != field}
        yield f"without writing {field}", attrs.evolve(move, updates=kept)
    for place, image in enumerate(move.images):
        yield f"not being {image.step.__name__}", attrs.evolve(move, images=_without(move.images, place))


def _without(items: tuple[T, ...], place: int) -> tuple[T, ...]:
    return (*items[:place], *items[place + 1 :])
