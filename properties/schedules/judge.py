"""The verdict on one execution: the linearizability checker's, on the history of its calls.

The calls that look at the storage afterwards are a part of the history, made by a client of their own when all
others have ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mobstore.properties.linearizability import Answer, Event, History, Limit, Verdict, check
from mobstore.properties.linearizability import Outcome as Known
from mobstore.properties.linearizability.history import history_of
from mobstore.properties.linearizability.stores import StoreModel
from mobstore.properties.schedules.scenario import NOW, Observed

LIMIT: Final = Limit(seconds=20.0)
"""Far more than the few calls of an execution take; one that reaches it is a failure, and never a pass."""

_LOOKS_ON: Final = "looks on"


def history_of_execution(observed: Observed) -> History:
    """Return the history of an execution; steps are its time."""
    return history_of(sorted(_events(observed), key=lambda event: event.time or 0))


def _events(observed: Observed) -> Iterator[Event]:
    for call in observed.calls:
        f, client = call.operation.call, call.client
        yield Event(client, None, f, call.operation, time=2 * call.begin)
        if call.outcome is not None:
            yield Event(client, Known.OK, f, call.operation, answered=call.outcome, time=2 * call.end + 1)
    for place, (operation, outcome) in enumerate(observed.finals, len(observed.execution.steps)):
        yield Event(_LOOKS_ON, None, operation.call, operation, time=2 * place)
        yield Event(_LOOKS_ON, Known.OK, operation.call, operation, answered=outcome, time=2 * place + 1)


def verdict_on(observed: Observed) -> Verdict:
    """Return whether an execution is linearizable from where its scenario begins."""
    return check(history_of_execution(observed), StoreModel(observed.scenario.initial(), NOW), LIMIT)


def is_explained(observed: Observed) -> bool:
    """Whether some sequential order of its calls explains an execution."""
    return verdict_on(observed).answer is Answer.LINEARIZABLE
