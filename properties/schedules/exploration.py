"""Exploration: take a system through the schedules of a scenario, and judge each.

At first every schedule is taken twice: the same choices must find the same clients able to go on, doing the same
steps, and come to the same answers.  If not, something is not under control, and nothing that was found counts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final

import attrs

from mobstore.model import Operation
from mobstore.properties.linearizability import Answer, Verdict
from mobstore.properties.schedules.footprint import Footprint
from mobstore.properties.schedules.judge import is_explained, verdict_on
from mobstore.properties.schedules.scenario import Observed, Recorded, Scenario
from mobstore.properties.schedules.scheduler import Choose, Execution, NotUnderControl
from mobstore.properties.schedules.strategies import Exhaustive, Preferences, Replay, Strategy
from mobstore.properties.schedules.systems import System
from mobstore.properties.schedules.table import interleaving, program
from mobstore.properties.shrinking import Steps, shrink
from mobstore.properties.source import Between
from mobstore.properties.subject import Outcome, call_port, outcome_of

CONFIRMED: Final = 8
"""How many schedules of an exploration are taken twice."""

NEVER: Final = 1 << 62
"""The end of a call that was not answered."""


@attrs.frozen
class Failure:
    """An execution that no sequential order explains, or that stands still."""

    observed: Observed
    reason: str

    def table(self) -> str:
        """Return the interleaving, one column a client."""
        return f"{self.reason}\n{interleaving(self.observed)}"

    def program(self, system: str) -> str:
        """Return a test that makes the schedule again; ``system`` is the expression that makes the system."""
        return program(self.observed, system)


@attrs.frozen
class Exploration:
    """What an exploration came to.

    Attributes:
        schedules: executions that were taken to their end and judged.
        redundant: executions that were broken off, for what followed had been seen in another order.
        outcomes: how many different ones there were (answers, order in real time, state afterwards).
        longest: the steps of the longest execution.
        overlapping: executions in which calls overlapped.
        exhausted: whether nothing else can happen.
        failure: the first execution that is wrong.
    """

    schedules: int
    redundant: int
    outcomes: int
    longest: int
    overlapping: int
    exhausted: bool
    failure: Failure | None
    seconds: float


class Explorer:
    """Takes one system through the schedules of one scenario."""

    def __init__(self, system: System, scenario: Scenario) -> None:
        assert len(scenario.clients) == system.scheduler.clients, "as many lists of calls as clients"
        self._system = system
        self._scenario = scenario
        self._observations = scenario.observations()
        self._verdicts: dict[Hashable, bool] = {}
        system.begin(scenario.prefix)

    @property
    def outcomes(self) -> frozenset[Hashable]:
        """The different outcomes so far: answers, order in real time, and state."""
        return frozenset(self._verdicts)

    def take(self, choose: Choose) -> tuple[Observed, Failure | None]:
        """Take one schedule; an execution that ``choose`` stopped is not judged."""
        observed, state = self._execute(choose)
        try:
            return self._judged(observed, state)
        finally:
            self._system.restore()

    def take_twice(self, choose: Choose) -> tuple[Observed, Failure | None]:
        """Take one schedule, and the same again.

        Raises:
            NotUnderControl: they were not the same.
        """
        first, failure = self.take(choose)
        if not first.execution.stopped:
            second, _ = self.take(Replay(first.execution.choices).choose)
            _confirm(first, second)
        return first, failure

    def _execute(self, choose: Choose) -> tuple[Observed, Hashable | None]:
        scenario, scheduler = self._scenario, self._system.scheduler
        begun: dict[tuple[int, int], int] = {}
        ended: dict[tuple[int, int], tuple[int, Outcome]] = {}

        def job(client: int) -> Callable[[], None]:
            stores, calls = self._system.handles[client], scenario.clients[client]

            def work() -> None:
                for number, operation in enumerate(calls):
                    if number:
                        scheduler.point(f"invoke {operation.call}")
                    scheduler.touch(Footprint.BEGINS)
                    begun[client, number] = scheduler.place
                    outcome = outcome_of(lambda: call_port(stores, operation))  # noqa: B023
                    scheduler.touch(Footprint.ENDS)
                    ended[client, number] = scheduler.place, outcome

            return work

        jobs = [
            (f"invoke {calls[0].call}" if calls else "nothing", job(client))
            for client, calls in enumerate(scenario.clients)
        ]
        execution = scheduler.run(jobs, choose)
        recorded = []
        for (client, number), begin in sorted(begun.items(), key=lambda item: item[1]):
            end, outcome = ended.get((client, number), (NEVER, None))
            recorded.append(Recorded(client, scenario.clients[client][number], begin, end, outcome))
        return Observed(scenario, execution, tuple(recorded)), self._system.state()

    def _judged(self, observed: Observed, state: Hashable | None) -> tuple[Observed, Failure | None]:
        execution = observed.execution
        if execution.stopped:
            return observed, None
        if execution.deadlocked:
            stuck = ", ".join(f"client {client}" for client in execution.deadlocked)
            return observed, Failure(observed, f"deadlock: {stuck} can never go on")
        key: Hashable = None
        if state is not None:
            key = _key(observed, state)
            if self._verdicts.get(key):
                return observed, None
        looks_on = self._system.handles[-1]
        finals = tuple(
            (call, outcome_of(lambda: call_port(looks_on, call)))  # noqa: B023
            for call in self._observations
        )
        bare, observed = observed, attrs.evolve(observed, finals=finals)
        if key is None:
            key = _key(observed, tuple(_hashable(outcome) for _, outcome in finals))
        if key not in self._verdicts:
            self._verdicts[key] = is_explained(observed)
        if self._verdicts[key]:
            return observed, None
        return observed, _failure(bare, observed)


def _failure(bare: Observed, observed: Observed) -> Failure:
    """Say what is wrong with an execution, without and with what the storage shows afterwards."""
    verdict = verdict_on(bare)
    if verdict.answer is Answer.NOT_LINEARIZABLE:
        return Failure(bare, f"not linearizable: no order of the calls explains their answers{_why(verdict)}")
    verdict = verdict_on(observed)
    if verdict.answer is Answer.NOT_LINEARIZABLE:
        reason = "the answers have an order, but none leaves what the storage then shows"
        return Failure(observed, f"not linearizable: {reason}{_why(verdict)}")
    bounds = ", ".join(str(each.bound) for each in verdict.objects if each.bound is not None)
    return Failure(observed, f"unknown: {bounds}")


def _why(verdict: Verdict) -> str:
    failure = verdict.first_failure
    return "" if failure is None or failure.proof is None else f" ({failure.proof.kind})"


def _hashable(outcome: Outcome) -> Hashable:
    value = outcome.value
    try:
        hash(value)
    except TypeError:
        value = repr(value)
    return type(outcome.value), value, outcome.kind, outcome.message


def _key(observed: Observed, state: Hashable) -> Hashable:
    calls = tuple(
        (name, None if call.outcome is None else _hashable(call.outcome))
        for name, call in zip(_names(observed), observed.calls, strict=True)
    )
    return frozenset(zip(calls, _orders(observed), strict=True)), state


def _orders(observed: Observed) -> list[Hashable]:
    """For each call, the calls that had ended before it began."""
    calls, names = observed.calls, _names(observed)
    return [
        frozenset(name for name, other in zip(names, calls, strict=True) if other.end < call.begin)
        for call in calls
    ]


def _names(observed: Observed) -> list[tuple[int, int]]:
    """Each call by its client, and how many that client made before."""
    counts: dict[int, int] = {}
    names = []
    for call in observed.calls:
        counts[call.client] = counts.get(call.client, -1) + 1
        names.append((call.client, counts[call.client]))
    return names


def _confirm(first: Observed, second: Observed) -> None:
    """Raise `NotUnderControl` unless two executions of the same choices were the same."""
    for number, (left, right) in enumerate(zip(first.execution.steps, second.execution.steps, strict=False)):
        if (left.client, left.label, left.runnable) != (right.client, right.label, right.runnable):
            shown = [
                f"client {step.client} did {step.label!r} when {list(step.runnable)} could go on"
                for step in (left, right)
            ]
            msg = f"something is not under control: in step {number} {shown[0]}, and then {shown[1]}"
            raise NotUnderControl(msg)
    lengths = [len(each.execution.steps) for each in (first, second)]
    if lengths[0] != lengths[1]:
        msg = f"something is not under control: the same choices took {lengths[0]} steps, and then {lengths[1]}"
        raise NotUnderControl(msg)
    answers = [[(call.client, call.outcome) for call in each.calls] for each in (first, second)]
    if answers[0] != answers[1]:
        msg = f"something is not under control: the same choices came to {answers[0]}, and then to {answers[1]}"
        raise NotUnderControl(msg)


def explore(
    system: System,
    scenario: Scenario,
    strategy: Strategy,
    *,
    limit: int | None = None,
    confirmed: int = CONFIRMED,
) -> Exploration:
    """Take a system through the schedules that a strategy decides, until one is wrong or ``limit`` are taken.

    Raises:
        NotUnderControl: the same choices did not come to the same.
    """
    return exhaust(Explorer(system, scenario), strategy, limit=limit, confirmed=confirmed)


def exhaust(
    explorer: Explorer, strategy: Strategy, *, limit: int | None = None, confirmed: int = CONFIRMED
) -> Exploration:
    """Do what `explore` does with an explorer, which remembers the outcomes it has seen.

    Raises:
        NotUnderControl: the same choices did not come to the same.
    """
    began, schedules, redundant, longest, overlapping = time.perf_counter(), 0, 0, 0, 0
    exhausted, failure = False, None
    while failure is None and (limit is None or schedules + redundant < limit):
        if not strategy.begin():
            exhausted = strategy.over
            break
        take = explorer.take_twice if schedules < confirmed else explorer.take
        observed, failure = take(strategy.choose)
        execution: Execution = observed.execution
        strategy.ended(execution)
        longest = max(longest, len(execution.steps))
        redundant += execution.stopped
        schedules += not execution.stopped
        overlapping += not execution.stopped and observed.overlaps
    seconds = time.perf_counter() - began
    return Exploration(
        schedules, redundant, len(explorer.outcomes), longest, overlapping, exhausted, failure, seconds
    )


def replay(system: System, scenario: Scenario, choices: Sequence[int]) -> Failure | None:
    """Make a printed list of choices again; return the failure, if it is one."""
    return Explorer(system, scenario).take(Replay(choices).choose)[1]


# --- the simplest failure ---------------------------------------------------------------------------------------

_PREEMPTIONS: Final = 3
_ATTEMPTS: Final = 150
_SCHEDULES: Final = 200
_TRIALS: Final = 2000


def simplest(system: System, failure: Failure) -> Failure:
    """Return a failure of fewer calls, simpler values and fewer preemptions, as far as one is found.

    Calls and values are shrunk as those of any counterexample, as long as one of the first schedules of the rest
    is wrong; then the schedules are tried by the number of their preemptions.
    """
    best = failure

    def fails(steps: Steps) -> Steps | None:
        nonlocal best
        scenario = scenario_of(steps, len(failure.observed.scenario.clients))
        found = explore(system, scenario, Exhaustive(), limit=_SCHEDULES, confirmed=0).failure
        best = best if found is None else found
        return None if found is None else steps

    shrink(steps_of(failure.observed.scenario), fails, _ATTEMPTS)
    return _fewest_preemptions(system, best.observed.scenario) or best


_PREFIX: Final = -1


def steps_of(scenario: Scenario) -> Steps:
    """Return a scenario as calls, each with the number of who makes it in the place of its outcome."""
    prefix = ((call, Outcome(_PREFIX)) for call in scenario.prefix)
    return (
        *prefix,
        *((call, Outcome(client)) for client, calls in enumerate(scenario.clients) for call in calls),
    )


def scenario_of(steps: Steps, clients: int) -> Scenario:
    """Return the scenario of such calls."""
    calls: dict[int, list[Operation[Any]]] = {client: [] for client in range(_PREFIX, clients)}
    for step in steps:
        assert not isinstance(step, Between), "nothing happens between the calls"
        calls[step[1].value].append(step[0])
    return Scenario.of(calls[_PREFIX], [calls[client] for client in range(clients)])


def _fewest_preemptions(system: System, scenario: Scenario) -> Failure | None:
    explorer = Explorer(system, scenario)
    observed, failure = explorer.take(Preferences(()).choose)
    clients, steps = len(scenario.clients), len(observed.execution.steps)
    numbers = itertools.islice(_few(steps, clients), _TRIALS)
    while failure is None and (preferences := next(numbers, None)) is not None:
        _, failure = explorer.take(Preferences(preferences).choose)
    return failure


def _few(steps: int, clients: int) -> Iterator[list[int]]:
    """Preferences by the number of preemptions in them."""
    for preemptions in range(1, _PREEMPTIONS + 1):
        for places in itertools.combinations(range(steps), preemptions):
            for whom in itertools.product(range(1, clients), repeat=preemptions):
                numbers = [0] * (places[-1] + 1)
                for place, number in zip(places, whom, strict=True):
                    numbers[place] = number
                yield numbers
