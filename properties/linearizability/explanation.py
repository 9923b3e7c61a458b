"""What stands around a failure: how far the calls of an object can be explained, and the states on the way.

Linearizability is prefix-closed: if a history is linearizable, so is what had happened of it by any moment.  So
there is a first response with which it is not, found by bisection; what had happened before has a witness.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from mobstore.properties.linearizability.checker import check
from mobstore.properties.linearizability.history import NEVER, History, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.verdict import Answer, Limit, ObjectVerdict

_LARGEST: Final = 50_000
"""Calls of an object that are still looked through by bisection."""
_LIMIT: Final = Limit(seconds=5.0, configurations=100_000)


@attrs.frozen
class Explanation:
    """One order of calls that explains their answers.

    Attributes:
        order: the calls, by their rows.
        points: of each, the place at which it takes effect: behind the event of that number, before the next.
        offending: the call whose answer cannot be explained any more, None if all can.
    """

    order: Sequence[int]
    points: Mapping[int, float]
    offending: int | None = None


def explain(history: History, model: Model, rows: Sequence[int], verdict: ObjectVerdict) -> Explanation | None:
    """Return how far the calls of an object can be explained; None where finding it takes too long."""
    if verdict.witness is not None:
        return Explanation(verdict.witness, _points(history, verdict.witness))
    if verdict.answer is Answer.UNKNOWN or len(rows) > _LARGEST:
        return None
    alone = _Alone(model)
    part = history.take(rows)
    ends = sorted(end for end in part.res if end != NEVER)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        answer = check(_until(part, ends[middle]), alone, _LIMIT).answer
        if answer is Answer.UNKNOWN:
            return None
        low, high = (middle + 1, high) if answer is Answer.LINEARIZABLE else (low, middle)
    before = check(_until(part, ends[low] - 1), alone, _LIMIT).objects[0].witness
    if before is None:
        return None
    order = [rows[pos] for pos in before]
    return Explanation(order, _points(history, order), rows[part.res.index(ends[low])])


def states_around(
    history: History, model: Model, order: Sequence[int], wanted: Collection[int]
) -> tuple[dict[int, tuple[Any, Any]], Any]:
    """Return the states before and behind the wanted calls, and the last one, as they are taken in an order."""
    states: dict[int, tuple[Any, Any]] = {}
    state = model.initial()
    for row in order:
        after, _ = model.step(state, history.f[row], history.value[row])
        if row in wanted:
            states[row] = state, after
        state = after
    return states, state


class _Alone(Model):
    """A model for the calls of one object."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.exact = model.exact  # type: ignore[misc]
        for name in (
            "initial",
            "step",
            "agrees",
            "observes",
            "reads",
            "blind",
            "overwrites",
            "facts",
            "plain",
            "shown",
        ):
            setattr(self, name, getattr(model, name))

    def parts(self, history: History) -> Mapping[Any, Sequence[int]]:
        return {None: range(len(history))}


def _until(history: History, end: int) -> History:
    """Return what had happened at an event: calls that had not been answered are pending."""
    return History.of(
        call if call.res <= end else attrs.evolve(call, res=NEVER, outcome=_pending(call.outcome), answer=None)
        for call in history
        if call.inv <= end
    )


def _pending(outcome: Outcome) -> Outcome:
    return Outcome.PENDING if outcome is Outcome.OK else outcome


def _points(history: History, order: Sequence[int]) -> dict[int, float]:
    """Return the earliest points of an order: between two events ever closer to the second one."""
    points: dict[int, float] = {}
    latest, count = -1, 0
    for row in order:
        if history.inv[row] > latest:
            latest, count = history.inv[row], 0
        count += 1
        points[row] = latest + 1 - 1 / (count + 1)
    return points
