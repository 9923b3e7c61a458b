"""Mutants of the protocols: every guard, place, update and image left out, one at a time.

A mutant is noticed by a proof that has a countermodel then; else by the explorer, in small settings: a client can
no longer come to an answer (no proof is about that), or something that a protocol has never happens.  One that
nothing notices does the same as the protocol, or less, and stands in `HARMLESS` with the reason; an entry that is
noticed after all is stale.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from mobstore.properties.exploration import Graph, graph_of, leading_to, steps_of
from mobstore.properties.proofs.solvers import model_of
from mobstore.properties.protocols.protocol import Client, Move, Place, Protocol
from mobstore.properties.protocols.settings import SETTINGS, Setting, inputs_of
from mobstore.properties.protocols.simulation import PROTOCOLS, Case
from mobstore.properties.symbolic import Translation

T = TypeVar("T")


class Notice(enum.StrEnum):
    """What notices a mutant."""

    PROOF = "a proof has a countermodel"
    DEAD_END = "a client can come to no answer"
    NEVER = "something never happens"


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
            yield Mutant(f"{protocol.name}/{move.name}/{what}", move.name, attrs.evolve(protocol, moves=moves))


def _changed(move: Move) -> Iterator[tuple[str, Move]]:
    for place, guard in enumerate(move.guards):
        yield f"without the guard {guard.name}", attrs.evolve(move, guards=_without(move.guards, place))
    if move.sources is not None:
        yield "from any place", attrs.evolve(move, sources=None)
    if move.target is not None and move.sources != (move.target,):
        yield "staying in place", attrs.evolve(move, target=None)
    for field in move.updates:
        kept = {name: value for name, value in move.updates.items() if name != field}
        yield f"without writing {field}", attrs.evolve(move, updates=kept)
    for place, image in enumerate(move.images):
        yield f"without the image {image.step.__name__}", attrs.evolve(move, images=_without(move.images, place))


def _without(items: tuple[T, ...], place: int) -> tuple[T, ...]:
    return (*items[:place], *items[place + 1 :])


def notice(mutant: Mutant) -> Notice | None:
    """Return what notices a mutant first; None when nothing does."""
    if is_disproved(mutant.protocol, mutant.move):
        return Notice.PROOF
    happened: Events = frozenset()
    for name in _SETTINGS:
        has_dead_end, events = _explored(mutant.protocol, SETTINGS[name])
        if has_dead_end:
            return Notice.DEAD_END
        happened |= events
    return None if happened == _events(mutant.protocol.name) else Notice.NEVER


def is_disproved(protocol: Protocol, move: str) -> bool:
    """Whether Z3 has a countermodel to something that must be proved of a move."""
    return model_of(Case.of(protocol, move, Translation()).counterexamples()) is not None


_FORGOTTEN: Final = "forgetting keeps the number of states down: what was read is read anew before it is used"
_MIDWAY: Final = "what a transaction shows before its end, nobody else sees"
_LEFTOVER: Final = "what is left behind the end of the log is a whole call still, and may happen as before"
_DOWN: Final = "the log could as well be copied before it is recovered"

HARMLESS: Final[Mapping[str, str]] = {
    **{f"{name}/Respond/without writing {field}": _FORGOTTEN for name in PROTOCOLS for field in ("seen", "buffer")},
    "sqlite/SelectMore/from any place": "a SELECT whose answer is not used changes nothing, wherever it is sent",
    "sqlite/MatchUnseen/staying in place": "the client can still select and match",
    "sqlite/Write/without the guard the call may show this midway": _MIDWAY,
    "sqlite/Write/without writing buffer": _MIDWAY,
    "sqlite/Crash/without writing disk": "a crash that keeps the cache is then one that does not: a case less",
    "sqlite/Checkpoint/without the guard the file is open": _DOWN,
    "sqlite/RestartLog/without the guard the file is open": _DOWN,
    "sqlite/Checkpoint/without writing main": "then no log is begun anew but one that says what the main file says",
    "sqlite/RestartLog/without writing log": "a log that says what the main file says may as well stay",
    "sqlite/RestartLog/without writing tail": _LEFTOVER,
    "sqlite/RestartLog/without writing disk": _LEFTOVER,
    "optimistic/UpdateNothing/without the guard the version is another": "who finds nothing only tries again",
}
"""The mutants that nothing notices, and why."""

# --- by exploring ---------------------------------------------------------------------------------------------

_SETTINGS: Final = ("alone", "alone, unchanged", "alone, refused", "refused", "same")
"""From the smallest; one client shows most of it."""
_FAILING: Final = frozenset({"Break", "Decline", "GiveUp", "CutOff", "CutOffLate", "Crash"})
"""The moves that are no way to an answer: nobody waits for a failure."""
_LOST: Final = (Place.CUT, Place.GONE)
_VERSIONS: Final = 2

Events: TypeAlias = frozenset[Any]


def _explored(protocol: Protocol, chosen: Setting) -> tuple[bool, Events]:
    """Return whether there is a dead end in a setting, and which moves are made and places reached."""
    start = protocol.start(chosen.calls, chosen.start)
    graph = graph_of([start], steps_of(protocol.machine, inputs_of(protocol, chosen), _is_early))
    moves = {move for steps in graph.values() for (move, _), _ in steps}
    places = {place for state in graph for place in state.place.values()}
    return any(_has_dead_end(graph, client) for client in chosen.clients), frozenset(moves | places)


def _version(state: Any) -> int:
    return getattr(state, "version", 0)


def _is_early(state: Any) -> bool:
    """Whether a state is within the scope: versions would go on for ever."""
    return _version(state) <= _VERSIONS


def _has_dead_end(graph: Graph[Any], client: Client) -> bool:
    """Whether there is a state from which a client that is not lost can come to no answer."""
    answered = (
        state
        for state in graph
        if state.place.get(client) in (Place.ANSWERED, *_LOST) or _version(state) == _VERSIONS
    )
    return len(leading_to(graph, answered, lambda move: move[0] not in _FAILING)) < len(graph)


@functools.cache
def _events(name: str) -> Events:
    """Return everything that happens in a protocol."""
    return frozenset().union(*(_explored(PROTOCOLS[name], SETTINGS[each])[1] for each in _SETTINGS))
