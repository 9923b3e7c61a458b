"""Scenarios and schedules drawn by Hypothesis: a short sequential beginning, then clients that overlap.

What a call compares is mostly what its own client left there, so that calls of different clients want the same
cells.  A schedule is drawn as a list of preferences, of which no numbers are no preemption; so a race shrinks to
few calls and few preemptions, and is made again from the choices that are printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from mobstore.model import OPERATIONS, Operation
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.linearizability.stores import outcome_in
from mobstore.properties.refinement import GROUPS, Kind
from mobstore.properties.schedules.exploration import Explorer, Failure, explore, simplest
from mobstore.properties.schedules.scenario import NOW, Scenario, state_after
from mobstore.properties.schedules.strategies import Pct, Preferences
from mobstore.properties.schedules.systems import System
from mobstore.properties.seeds import decided_by_seed
from mobstore.properties.strategies import draw_operation

MOST_CALLS: Final = 3
"""Calls of a client at most: what more of them show, fewer show too, and every order must be tried."""

_LONGEST: Final = 60
_BEGINNINGS: Final = (pools.RUNS[3], pools.RUNS[0])


def kinds_of(group: str) -> tuple[Kind, ...]:
    """Return the calls that clients of a rule group make: the changing ones, and those that read."""
    changing = GROUPS[group]
    return (*changing, *_READERS[changing[0].store])


_READERS: Final[Mapping[str, tuple[Kind, ...]]] = {
    store: tuple(
        kind for kind in OPERATIONS.values() if kind.store == store and kind.reads and kind is not ops.Subscribe
    )
    for store in {kind.store for kind in OPERATIONS.values()}
}


@st.composite
def scenarios(
    draw: Callable[[st.SearchStrategy[Any]], Any], group: str, clients: int, wanted: Sequence[Kind] = ()
) -> Scenario:
    """Draw a beginning of at most three calls, and for each client at most `MOST_CALLS`: those wanted, or any."""
    changing, kinds = GROUPS[group], wanted or kinds_of(group)
    prefix: list[Operation[Any]] = []
    if changing[0].store == "run":
        prefix.append(ops.CreateRun(draw(st.sampled_from(_BEGINNINGS))))
    prefix += _calls(draw, changing, prefix, draw(st.integers(0, 2)))
    work = [_calls(draw, kinds, prefix, draw(st.integers(1, MOST_CALLS))) for _ in range(clients)]
    return Scenario.of(prefix, work)


def _calls(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    kinds: Sequence[Kind],
    before: Sequence[Operation[Any]],
    count: int,
) -> list[Operation[Any]]:
    """Draw calls, each as its caller would make it if nobody else called."""
    state, calls = state_after(before), []
    for _ in range(count):
        operation = draw_operation(draw, draw(st.sampled_from(kinds)), state)
        state, _ = outcome_in(state, operation, NOW)
        calls.append(operation)
    return calls


SCHEDULES: Final = st.sampled_from((0, 10, 30, 50)).flatmap(
    lambda length: st.lists(st.integers(0, 2), min_size=length, max_size=_LONGEST)
)
"""Preferences: who goes on at each step.  Left to itself, Hypothesis draws five numbers."""


@attrs.frozen
class Drawn:
    """What drawing came to.

    Attributes:
        executions: those that were judged.
        calls: that the clients made in them.
        overlapping: executions in which calls overlapped.
        failure: the simplest wrong one found.
    """

    executions: int
    calls: int
    overlapping: int
    failure: Failure | None


class _Found(AssertionError):
    """An execution is wrong."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def draw_schedules(system: System, drawn: st.SearchStrategy[Scenario], examples: int, seed: int) -> Drawn:
    """Let Hypothesis draw scenarios with a schedule each, and shrink a failure."""
    executions = calls = overlapping = 0
    explorers: dict[Scenario, Explorer] = {}

    @seeded(examples, seed, Phase.generate, Phase.shrink)
    @hypothesis.given(drawn, SCHEDULES)
    def take(scenario: Scenario, preferences: list[int]) -> None:
        nonlocal executions, calls, overlapping
        explorer = explorers.get(scenario)
        if explorer is None:
            # The system holds the beginning of one scenario at a time; shrinking mostly keeps to one.
            explorers.clear()
            explorer = explorers[scenario] = Explorer(system, scenario)
        observed, failure = explorer.take(Preferences(preferences).choose)
        executions += 1
        calls += len(observed.calls)
        overlapping += observed.overlaps
        if failure is not None:
            raise _Found(failure)

    try:
        take()
    except _Found as found:
        return Drawn(executions, calls, overlapping, simplest(system, found.failure))
    return Drawn(executions, calls, overlapping, None)


def draw_priorities(
    system: System, drawn: st.SearchStrategy[Scenario], examples: int, seed: int, *, depth: int = 3
) -> Drawn:
    """Take scenarios that Hypothesis draws through `EACH` schedules of random priorities, and shrink a failure."""
    executions = calls = overlapping = 0

    @seeded(max(1, examples // EACH), seed, Phase.generate)
    @hypothesis.given(drawn, st.integers(0, 2**32))
    def take(scenario: Scenario, priorities: int) -> None:
        nonlocal executions, calls, overlapping
        found = explore(system, scenario, Pct(depth, EACH, priorities), confirmed=1)
        executions += found.schedules
        calls += found.schedules * len(scenario.calls)
        overlapping += found.overlapping
        if found.failure is not None:
            raise _Found(found.failure)

    try:
        take()
    except _Found as found:
        return Drawn(executions, calls, overlapping, simplest(system, found.failure))
    return Drawn(executions, calls, overlapping, None)


EACH: Final = 10
"""Schedules of one scenario with random priorities."""


def seeded(examples: int, seed: int, *phases: Phase) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what makes a test draw so many examples; the seed alone decides which."""
    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        print_blob=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=phases,
    )
    return lambda test: decided_by_seed()(hypothesis.seed(seed)(settings(test)))
