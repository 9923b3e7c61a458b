"""The verdict on one execution, by trying every order of its few calls on the specification.

An execution is right when its calls, and then the calls that look at the storage, have a sequential order that
respects real time and in which ``step`` gives every answer.  With at most a dozen calls that is decided by trying;
the state and the calls done are remembered, so that nothing is tried twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mobstore.model import MobStoreError, Operation, State, step
from mobstore.properties.schedules.scenario import NOW, Observed, Recorded
from mobstore.properties.subject import Outcome, normal_message, same_outcome


def outcome_in(state: State, operation: Operation[Any]) -> tuple[State, Outcome]:
    """Return the state after a call, and what it comes to."""
    try:
        state, answer = step(state, operation, NOW)
    except MobStoreError as error:
        return state, Outcome(None, error.kind, normal_message(str(error)), error.fields())
    return state, Outcome(answer)


def explanation(observed: Observed) -> tuple[int, ...] | None:
    """Return an order of the calls that explains an execution, or None; unanswered calls may be left out."""
    return _Search(observed).order()


class _Search:
    def __init__(self, observed: Observed) -> None:
        self._calls: Sequence[Recorded] = observed.calls
        self._before = [sum(1 << place for place in places) for places in observed.order]
        self._finals = observed.finals
        self._initial = observed.scenario.initial()
        self._needed = sum(1 << place for place, call in enumerate(self._calls) if call.outcome is not None)
        self._seen: set[tuple[int, int]] = set()
        self._kept: list[State] = []

    def order(self) -> tuple[int, ...] | None:
        return self._from(self._initial, 0, ())

    def _from(self, state: State, done: int, taken: tuple[int, ...]) -> tuple[int, ...] | None:
        if self._needed & ~done == 0 and self._shows(state):
            return taken
        key = (id(state), done)
        if key in self._seen:
            return None
        self._seen.add(key)
        # Kept alive, so that no other state gets its identity.
        self._kept.append(state)
        for place, call in enumerate(self._calls):
            if done >> place & 1 or self._before[place] & ~done & self._needed:
                continue
            after, outcome = outcome_in(state, call.operation)
            if call.outcome is None or same_outcome(outcome, call.outcome):
                found = self._from(after, done | 1 << place, (*taken, place))
                if found is not None:
                    return found
        return None

    def _shows(self, state: State) -> bool:
        return all(same_outcome(outcome_in(state, call)[1], outcome) for call, outcome in self._finals)
