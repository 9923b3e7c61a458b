"""What clients see of a protocol: is every history linearizable?  With few clients, and every interleaving.

This asks nothing of a protocol's own view and linearization points.  Beside the state of the protocol goes the
set of all states that the atomic store may be in after the same invocations and responses; each pending call may
have happened or not.  An answer that none of these gives empties the set: the history so far has no witness.  The
explorer looks at every interleaving, nearest first, so the trace that is shown is one of the shortest.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model.machines import Input, Transitioned
from mobstore.properties.exploration import Check, Exploration, Move, Violation, explore, steps_of
from mobstore.properties.protocols.protocol import (
    ATOMIC,
    Atomic,
    Called,
    Client,
    Fail,
    Invoke,
    Perform,
    Protocol,
    Respond,
    Status,
    Verdict,
)
from mobstore.properties.protocols.settings import Setting, client_of, inputs_of

Possible: TypeAlias = frozenset[Atomic]
"""The states that the atomic store may be in."""

NO_WITNESS: Final = "linearizable"
"""The name of the check that a history has a witness."""


def _after(state: Atomic, input: Input) -> Iterator[Atomic]:
    result = ATOMIC.step(state, input)
    if isinstance(result, Transitioned):
        yield result.next_state


@functools.lru_cache(maxsize=200_000)
def closed(possible: Possible) -> Possible:
    """Return the states, and those in which pending calls happened meanwhile."""
    known, waiting = set(possible), list(possible)
    while waiting:
        state = waiting.pop()
        pending = (client for client, status in state.status.items() if status is Status.PENDING)
        for client in pending:
            for after in _after(state, Perform(client)):
                if after not in known:
                    known.add(after)
                    waiting.append(after)
    return frozenset(known)


@functools.lru_cache(maxsize=200_000)
def invoked(possible: Possible, client: Client, call: Any) -> Possible:
    """Return the states after a client's invocation."""
    return closed(frozenset(after for state in possible for after in _after(state, Invoke(client, call))))


@functools.lru_cache(maxsize=200_000)
def responded(possible: Possible, client: Client, answer: Verdict) -> Possible:
    """Return the states in which the client may get this answer, after it did."""
    given = {after for state in possible for after in _answering(state, client, answer)}
    return frozenset(after for state in given for after in _after(state, Respond(client)))


def _answering(state: Atomic, client: Client, answer: Verdict) -> Iterator[Atomic]:
    if answer is Verdict.FAILED:
        yield from _after(state, Fail(client))
    elif state.status.get(client) is Status.ANSWERED and state.answer[client] is answer:
        yield state


@attrs.frozen
class Watched:
    """A state of a protocol, and the states that the atomic store may be in."""

    state: Any
    possible: Possible


def watched(protocol: Protocol, chosen: Setting) -> Callable[[Watched], Iterator[tuple[Move, Watched]]]:
    """Return the successors of a state together with what the atomic store may be in then."""
    successors = steps_of(protocol.machine, inputs_of(protocol, chosen))

    def follow(before: Watched) -> Iterator[tuple[Move, Watched]]:
        for move, state in successors(before.state):
            possible = before.possible
            if isinstance(move[1], Called):
                possible = invoked(possible, move[1].client, move[1].call)
            elif move[0] == Respond.__name__:
                client = move[1].client
                possible = responded(possible, client, before.state.answer[client])
            yield move, Watched(state, possible)

    return follow


def search(protocol: Protocol, chosen: Setting, limit: int = 400_000) -> Exploration[Watched]:
    """Explore every history of a protocol in a setting, until one has no witness."""
    first = protocol.start(chosen.calls, chosen.start)
    start = Watched(first, frozenset([Atomic(chosen.calls, chosen.start)]))
    check: Check[Watched] = Check(NO_WITNESS, lambda state: bool(state.possible))
    return explore([start], watched(protocol, chosen), [check], limit)


def replay(protocol: Protocol, violation: Violation[Watched]) -> list[Any]:
    """Make the moves of a trace again, one by one, and return the states of the protocol on the way.

    Raises:
        AssertionError: the protocol refuses a move, or comes to another state: the trace is none of this protocol.
    """
    states = [violation.start.state]
    for (name, input), expected in violation.steps:
        result = protocol.machine.step(states[-1], input)
        assert isinstance(result, Transitioned), f"{name} is refused"
        assert result.transition_id == name
        assert result.next_state == expected.state, name
        states.append(result.next_state)
    return states


# --- traces as tables -----------------------------------------------------------------------------------------

_HIDDEN: Final = ("calls", "place", "call", "answer", "seen", "buffer")


def trace_table(protocol: Protocol, violation: Violation[Watched]) -> list[str]:
    """Return the lines of a table: a column for each client, a row for each move, and what the storage then is."""
    states = replay(protocol, violation)
    clients = sorted({client for state in states for client in state.place})
    columns = [*clients, "storage"]
    rows = []
    for ((name, input), _), before, after in zip(violation.steps, states, states[1:], strict=False):
        row = dict.fromkeys(columns, "")
        mover = client_of(input)
        row["storage" if mover is None else mover] = _told(protocol, name, input, before, after)
        changed = _changes(before, after)
        row["storage"] = " ".join(part for part in (row["storage"], changed) if part)
        rows.append([row[column] for column in columns])
    return _laid_out([*clients, "storage"], rows)


def _told(protocol: Protocol, name: str, input: Input, before: Any, after: Any) -> str:
    move = protocol.move(name)
    shown = name if move.statement is None else f"{name}: {move.statement}"
    client = client_of(input)
    if isinstance(input, Called):
        return f"{name} {input.call}"
    if client is None:
        return f"{name}{' (cache kept)' if getattr(input, 'keeps_cache', False) else ''}:"
    if name == Respond.__name__:
        return f"{name} {before.answer[client]}"
    learned = after.seen.get(client)
    if learned and learned != before.seen.get(client):
        shown += f" ({learned})"
    return shown


def _changes(before: Any, after: Any) -> str:
    names: Mapping[str, Any] = attrs.asdict(after, recurse=False)
    return ", ".join(
        f"{name} := {value}"
        for name, value in names.items()
        if name not in _HIDDEN and value != getattr(before, name) and not isinstance(value, dict)
    )


def _laid_out(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    ]
