"""Workflow drivers at once: the callers of the model drive one run together, and their calls are judged.

What drivers must keep true is told elsewhere (`workflows`); here it is the store whose answers are judged.  A
driver that is not told what became of a call dies, and another takes its place; one that sees others' steps stand
still for long takes them over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final

import attrs

from mobstore.backends.capabilities import Capabilities
from mobstore.model import Internal, Operation, State, Timestamp
from mobstore.model import operations as ops
from mobstore.model.callers.driver import Contention, Driver, start
from mobstore.model.callers.requests import EvaluateCondition, EvaluateUntil, Idle, ReadClock, Request
from mobstore.properties.concurrency.branches import LIMIT, LOOKS_ON, Judged, overlapping
from mobstore.properties.concurrency.driving import Caller, Face, drive
from mobstore.properties.linearizability import Answer, Event, History, check
from mobstore.properties.linearizability import Outcome as Known
from mobstore.properties.linearizability.history import history_of
from mobstore.properties.linearizability.stores import StoreModel
from mobstore.properties.schedules.scenario import NOW
from mobstore.properties.subject import Factory, ManualClock, call_port, outcome_of
from mobstore.properties.workflows.scenarios import MOB_ID, PARAMS, RUN_ID, Scenario
from mobstore.properties.workflows.workload import CORNERS

DRIVERS: Final = 3
_PATIENCE: Final = 12
"""How often a driver looks again before it takes over what others do: sooner than it dies itself."""
_PAUSE: Final = 0.0005
"""Seconds between two looks."""
_MOST_CALLS: Final = 1_000
"""Calls of a driver at most."""
_GIVES_UP: Final = 31
"""A driver on the asyncio face is not told the answers of every so many of its calls."""


class _Died(Exception):
    """Nobody told a driver what became of its call."""


def driver(scenario: Scenario, failures: list[Exception] | None = None) -> Caller:
    """Return the caller that drives a workflow to its end.

    What a driver fails by, when it reads what no store may show, is put into ``failures`` or raised.
    """
    left = [_MOST_CALLS]
    while left[0] > 0:
        try:
            yield from _followed(start(scenario.flow, RUN_ID, MOB_ID, PARAMS), scenario, left)
            yield from _followed(Driver(scenario.flow, RUN_ID).drive(), scenario, left)
        except (Contention, _Died):
            continue
        except Exception as error:
            if failures is None:
                raise
            failures.append(error)
        return


def _followed(work: Generator[Request, Any, Any], scenario: Scenario, left: list[int]) -> Caller:
    """Do what a driver asks for, until it ends; its calls are the caller's."""
    send, answer, looks = work.send, None, 0
    while left[0] > 0:
        try:
            asked = send(answer)
        except StopIteration:
            return
        if not isinstance(asked, Operation):
            looks += isinstance(asked, Idle)
            send, answer = work.send, _answered(asked, scenario, takes_over=looks % _PATIENCE == 0)
            continue
        left[0] -= 1
        outcome = yield asked
        if outcome is None:
            work.close()
            raise _Died
        failed = outcome.kind is not None
        send, answer = (work.throw, Internal(outcome.message)) if failed else (work.send, outcome.value)


def _answered(asked: Request, scenario: Scenario, *, takes_over: bool) -> Any:
    if isinstance(asked, ReadClock):
        return Timestamp.from_nanos(NOW)
    if isinstance(asked, EvaluateCondition):
        return scenario.condition(asked)
    if isinstance(asked, EvaluateUntil):
        return scenario.until(asked)
    if isinstance(asked, Idle):
        time.sleep(_PAUSE)
        return takes_over
    assert not isinstance(asked, Operation), "calls are made by who calls"
    return scenario.perform(asked)


@attrs.define
class Driven(Judged):
    """What drivers came to, and why it says too little."""

    workflows: int = 0
    calls: int = 0
    overlapping: int = 0
    doubt: str = ""

    def add(self, history: History) -> None:
        """Judge the history of a workflow."""
        verdict = check(history, StoreModel(State(), NOW), LIMIT)
        self.workflows += 1
        self.calls += len(history)
        self.overlapping += len(overlapping(history))
        found = verdict.first_failure
        if found is not None and found.proof is not None:
            self.refute(history, found.proof)
        elif verdict.answer is Answer.UNKNOWN:
            self.doubt = ", ".join(str(each.bound) for each in verdict.objects if each.bound is not None)
        elif (run := history.answer[-1].value) is None or not run.status.is_terminal:
            self.doubt = "a workflow did not come to its end"


def lacks_any(capabilities: Capabilities) -> bool:
    """Whether a backend lacks what drivers call."""
    return any("run." in name or name == "event.append_terminal_event_if_absent" for name in capabilities.lacking)


def drive_workflows(make: Callable[[], Factory], face: Face, count: int) -> Driven:
    """Let `DRIVERS` drivers drive each of so many workflows at once, each on a new storage."""
    found = Driven()
    for number in range(count):
        failures: list[Exception] | None = None if face is Face.PROCESSES else []
        found.add(_history(make(), face, CORNERS[number % len(CORNERS)], failures))
        if found.failure:
            break
        for error in failures or ():
            # The store has shown nothing wrong.
            raise error
        if found.doubt:
            break
    return found


def _history(factory: Factory, face: Face, scenario: Scenario, failures: list[Exception] | None) -> History:
    clock = ManualClock(NOW)
    read = ops.GetRun(RUN_ID)
    try:
        stores = factory.open(clock)
        callers = [driver(scenario, failures) for _ in range(DRIVERS)]
        events = drive(face, factory, clock, callers, stores, gives_up=_GIVES_UP)
        after = max(event.time or 0 for event in events) + 1
        outcome = outcome_of(lambda: call_port(stores, read))
    finally:
        factory.destroy()
    looks = [
        Event(LOOKS_ON, None, read.call, read, time=after),
        Event(LOOKS_ON, Known.OK, read.call, read, answered=outcome, time=after + 1),
    ]
    return history_of([*events, *looks])
