"""Scenarios: a beginning, and what each client calls from there; and what came of it in one execution."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from mobstore.model import Operation, State
from mobstore.model import operations as ops
from mobstore.properties import smoke
from mobstore.properties.linearizability.stores import outcome_in
from mobstore.properties.refinement import observations
from mobstore.properties.schedules.scheduler import Execution
from mobstore.properties.subject import ManualClock, Outcome

Operations = tuple[Operation[Any], ...]

NOW: Final = ManualClock().nanos
"""The time of every execution: it stands still."""


@attrs.frozen
class Scenario:
    """Calls that make the beginning, and the calls of each client, one after the other."""

    prefix: Operations
    clients: tuple[Operations, ...]

    @classmethod
    def of(cls, prefix: Iterable[Operation[Any]], clients: Iterable[Iterable[Operation[Any]]]) -> Scenario:
        """Return the scenario of any collections of calls."""
        return cls(tuple(prefix), tuple(map(tuple, clients)))

    @property
    def calls(self) -> Operations:
        """The calls of all clients."""
        return tuple(call for calls in self.clients for call in calls)

    def without(self, lacks: Callable[[Operation[Any]], bool]) -> Scenario:
        """Return the scenario without some calls."""
        return Scenario.of(
            (call for call in self.prefix if not lacks(call)),
            ((call for call in calls if not lacks(call)) for calls in self.clients),
        )

    def initial(self) -> State:
        """Return the model's state at the beginning."""
        return state_after(self.prefix)

    def observations(self) -> Operations:
        """Return the reading calls that show what the clients may have changed."""
        stores = sorted({call.store for call in self.calls} - {"run"})
        runs = sorted({run_of(call) for call in self.calls if call.store == "run"} - {None})
        mobs = sorted({call.run.mob_id for call in self.calls if isinstance(call, ops.CreateRun)})
        return (
            *(ops.GetRun(run_id) for run_id in runs),
            *(ops.ListRuns(mob_id) for mob_id in mobs),
            *(call for store in stores for call in observations(store)),
        )


def run_of(operation: Any) -> Any:
    """Return the id of the run that a call is about, None if it is about none."""
    return operation.run.run_id if isinstance(operation, ops.CreateRun) else getattr(operation, "run_id", None)


def state_after(prefix: Iterable[Operation[Any]]) -> State:
    """Return the model's state after some calls on an empty one; a call that fails changes nothing."""
    state = State()
    for operation in prefix:
        state, _ = outcome_in(state, operation, NOW)
    return state


def beginning_of(kind: type[Operation[Any]]) -> tuple[Operations, Operation[Any]]:
    """Return calls after which a call of this kind succeeds, and that call."""
    place = next(place for place, call in enumerate(smoke.CALLS) if type(call) is kind)
    before = (call for call in smoke.CALLS[:place] if call.store == kind.store and not call.reads)
    return tuple(call for call in before if not isinstance(call, ops.Subscribe)), smoke.CALLS[place]


CHANGING: Final = tuple(type(call) for call in smoke.EXECUTED if not call.reads)
"""Every call that may change something: the eight wrappers, their twins, and the others."""


def rivals(kind: type[Operation[Any]], clients: int) -> Scenario:
    """Return the scenario in which every client makes the same call with the same expectation."""
    prefix, call = beginning_of(kind)
    return Scenario(prefix, ((call,),) * clients)


@attrs.frozen
class Recorded:
    """A call in an execution: what it came to, and the places of its first and its last step.

    ``outcome`` is None, and ``end`` beyond all steps, when the call was not answered.
    """

    client: int
    operation: Operation[Any]
    begin: int
    end: int
    outcome: Outcome | None


@attrs.frozen
class Observed:
    """One execution of a scenario: its steps, its calls, and what the storage shows afterwards."""

    scenario: Scenario
    execution: Execution
    calls: tuple[Recorded, ...]
    finals: tuple[tuple[Operation[Any], Outcome], ...] = ()

    @property
    def overlaps(self) -> bool:
        """Whether any calls overlapped."""
        last = -1
        for call in self.calls:
            if call.begin < last:
                return True
            last = max(last, call.end)
        return False
