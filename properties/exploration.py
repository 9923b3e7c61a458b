"""Our own explorer: every state that a machine can come to from some inputs, breadth first.

It runs the machines' own Python functions.  What is found is shown by the shortest sequence of inputs that leads
to it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import attrs

from mobstore.model.machines import Input, Machine, Transitioned
from mobstore.model.machines.machine import Attempt

S = TypeVar("S", bound=Hashable)

Move: TypeAlias = tuple[str, Any]
"""The transition that was taken, and its input."""

Graph: TypeAlias = Mapping[S, Sequence[tuple[Move, S]]]
"""Every state, with the moves that lead on from it."""


@attrs.frozen(eq=False)
class Check(Generic[S]):
    """What must hold of every state, or with ``is_step`` of every step (before, after)."""

    name: str
    holds: Callable[..., bool]
    is_step: bool = False


@attrs.frozen(eq=False)
class Violation(Generic[S]):
    """A check that failed, and the shortest way there."""

    check: str
    start: S
    steps: tuple[tuple[Move, S], ...]


@attrs.frozen(eq=False)
class Exploration(Generic[S]):
    """What was found: how many states, how often each transition led on, and the first violation.

    ``complete`` tells that no state was left out; without it, the numbers are lower bounds.
    """

    states: int
    taken: Mapping[str, int]
    violation: Violation[S] | None
    complete: bool


def explore(
    starts: Iterable[S],
    successors: Callable[[S], Iterable[tuple[Move, S]]],
    checks: Iterable[Check[S]] = (),
    limit: int = 1_000_000,
) -> Exploration[S]:
    """Visit every state once, nearest first, until a check fails or ``limit`` states were seen."""
    listed = tuple(checks)
    of_state = [check for check in listed if not check.is_step]
    of_step = [check for check in listed if check.is_step]
    parents: dict[S, tuple[S, Move] | None] = dict.fromkeys(starts)
    taken: dict[str, int] = {}

    def found(violation: Violation[S] | None, *, complete: bool) -> Exploration[S]:
        return Exploration(len(parents), taken, violation, complete)

    for state in parents:
        failed = _first_failing(of_state, state)
        if failed is not None:
            return found(Violation(failed, state, ()), complete=False)
    waiting = list(parents)
    while waiting:
        reached: list[S] = []
        for state in waiting:
            for move, after in successors(state):
                taken[move[0]] = taken.get(move[0], 0) + 1
                failed = _first_failing(of_step, state, after)
                if after not in parents:
                    parents[after] = state, move
                    reached.append(after)
                    failed = failed or _first_failing(of_state, after)
                if failed is not None:
                    start, steps = _way_to(parents, state)
                    return found(Violation(failed, start, (*steps, (move, after))), complete=False)
            if len(parents) > limit:
                return found(None, complete=False)
        waiting = reached
    return found(None, complete=True)


def _first_failing(checks: Iterable[Check[S]], *states: S) -> str | None:
    return next((check.name for check in checks if not check.holds(*states)), None)


def _way_to(parents: Mapping[S, tuple[S, Move] | None], state: S) -> tuple[S, tuple[tuple[Move, S], ...]]:
    steps: list[tuple[Move, S]] = []
    while (parent := parents[state]) is not None:
        steps.append((parent[1], state))
        state = parent[0]
    return state, tuple(reversed(steps))


def steps_of(
    machine: Machine[Any], inputs: Iterable[Input], within: Callable[[Any], bool] = lambda _state: True
) -> Callable[[Any], Iterator[tuple[Move, Any]]]:
    """Return the successors of a state: what each input leads to, as far as that is ``within`` the scope."""
    given = tuple(inputs)

    @functools.cache
    def attempts(phase: Any) -> tuple[tuple[Input, Sequence[Attempt]], ...]:
        pairs = ((input, machine.attempts(type(input), phase)) for input in given)
        return tuple((input, tried) for input, tried in pairs if tried)

    def successors(state: Any) -> Iterator[tuple[Move, Any]]:
        for input, tried in attempts(getattr(state, "phase", None)):
            for attempt in tried:
                result = attempt(state, input)
                if type(result) is Transitioned:
                    if within(result.next_state):
                        yield (result.transition_id, input), result.next_state
                    break

    return successors


def graph_of(starts: Iterable[S], successors: Callable[[S], Iterable[tuple[Move, S]]]) -> Graph[S]:
    """Return every state that can be come to, with its moves."""
    graph: dict[S, list[tuple[Move, S]]] = {}
    waiting = list(starts)
    while waiting:
        state = waiting.pop()
        if state not in graph:
            graph[state] = list(successors(state))
            waiting += [after for _, after in graph[state]]
    return graph


def leading_to(graph: Graph[S], goals: Iterable[S], may: Callable[[Move], bool]) -> Collection[S]:
    """Return the states from which moves that may be made lead to a goal, the goals among them."""
    before: dict[S, list[S]] = {}
    for state, steps in graph.items():
        for move, after in steps:
            if may(move):
                before.setdefault(after, []).append(state)
    found = set(goals)
    waiting = list(found)
    while waiting:
        new = [state for state in before.get(waiting.pop(), ()) if state not in found]
        found.update(new)
        waiting += new
    return found
