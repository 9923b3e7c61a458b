"""Branches: a short sequential beginning, then callers that overlap, drawn by Hypothesis and judged by the checker.

Real threads, tasks and processes decide for themselves who goes first, so a failure may come once in many times.
Whatever is tried again is therefore tried a number of times; what has failed stays a failure.
"""

from __future__ import annotations

import textwrap
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final

import attrs
import hypothesis
from hypothesis import strategies as st

from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.properties.concurrency.driving import Face, can_fork, drive, script
from mobstore.properties.linearizability import Answer, Event, History, Limit, Proof, Verdict, check
from mobstore.properties.linearizability import Outcome as Known
from mobstore.properties.linearizability.history import history_of
from mobstore.properties.linearizability.stores import StoreModel
from mobstore.properties.refinement import GROUPS, Kind
from mobstore.properties.schedules.drawing import scenarios, seeded
from mobstore.properties.schedules.exploration import scenario_of, steps_of
from mobstore.properties.schedules.scenario import NOW, Scenario
from mobstore.properties.schedules.table import Columns, scenario_lines
from mobstore.properties.shrinking import Steps, shrink
from mobstore.properties.source import Line
from mobstore.properties.subject import Factory, ManualClock, call_port, capabilities_of, outcome_of

CALLERS: Final = 3
ROUNDS: Final = 100
_AN_EXAMPLE: Final = 0.1
"""Seconds an example for which rounds go on though every call has overlapped another."""
_DRAWING: Final = 4.0
"""Seconds after which no further round begins, where some calls overlapped."""
_DRAWING_ON: Final = 30.0
"""Seconds after which none begins where no call has overlapped another: on a busy machine that may take long."""
LIMIT: Final = Limit(seconds=30.0)
LOOKS_ON: Final = "looks on"
_TIMES: Final = 30
"""How often smaller branches are made before they count as right."""
_SHRINKING: Final = 20.0
"""Seconds of shrinking."""


@attrs.frozen
class Failure:
    """Branches whose history no sequential order explains, or that could not be decided."""

    face: Face
    scenario: Scenario
    history: History
    verdict: Verdict

    @property
    def reason(self) -> str:
        """What is wrong, in a line."""
        if self._proof is None:
            return "unknown: " + ", ".join(str(each.bound) for each in self.verdict.objects if each.bound)
        return in_short(self._proof)

    @property
    def step(self) -> str:
        """The calls whose answers no order explains."""
        return "" if self._proof is None else called(self.history, self._proof)

    @property
    def _proof(self) -> Proof | None:
        found = self.verdict.first_failure
        return None if found is None else found.proof

    def lines(self) -> tuple[Line, ...]:
        """Return the calls, for a timeline."""
        return () if self._proof is None else lines_of(self.history, self._proof.rows)

    def table(self) -> str:
        """Return the history, a column for each caller, time from top to bottom."""
        return f"{self.reason}\n{timeline(self.history, () if self._proof is None else self._proof.rows)}"

    def program(self, factory: str) -> str:
        """Return a test that makes the calls again and again; ``factory`` makes a factory, in Python."""
        clients = [calls for calls in self.scenario.clients if calls]
        lines = [
            *scenario_lines(Scenario.of(self.scenario.prefix, clients)),
            f"    failure = repeat(lambda: {factory}, Face.{self.face.name}, scenario, times=1000)",
            "    assert failure is None, failure.table()",
        ]
        table = (f"    # {line}".rstrip() for line in self.table().splitlines())
        return "\n".join([*lines, *table]) + "\n"


def timeline(history: History, wrong: Collection[int] = ()) -> str:
    """Return a history of the stores as a table: a column for each caller; who looked on afterwards comes last.

    If what was seen then is among the rows ``wrong``, the rest of it is left out.
    """
    seen = [row for row in wrong if history.process[row] == LOOKS_ON]
    callers = sorted({process for process in history.process if process != LOOKS_ON})
    columns = Columns([f"caller {caller}" for caller in callers])
    places = [(inv, row, False) for row, inv in enumerate(history.inv)]
    places += [(res, row, True) for row, res in enumerate(history.res)]
    for _, row, ended in sorted(places):
        operation, known = history.value[row], history.outcome[row] is Known.OK
        if history.process[row] == LOOKS_ON:
            if ended and (not seen or row in seen):
                columns.look(operation, history.answer[row])
            continue
        column = callers.index(history.process[row])
        if not ended:
            columns.add(column, columns.call(operation), str(row))
        else:
            columns.add(column, f"-> {columns.answer(history.answer[row]) if known else 'nobody knows'}")
    return str(columns)


def lines_of(history: History, wrong: Collection[int]) -> tuple[Line, ...]:
    """Return the calls of a history, of which no order explains the rows ``wrong``, for a timeline.

    Who looked on afterwards is left out where that is not among them.
    """
    rows = [row for row, process in enumerate(history.process) if process != LOOKS_ON or row in wrong]
    moments = sorted({moment for row in rows for moment in (history.inv[row], history.res[row])})
    places = {moment: 4 * place for place, moment in enumerate(moments)}
    told = []
    for row in sorted(rows, key=history.inv.__getitem__):
        process, known = history.process[row], history.outcome[row] is Known.OK
        line = Line.of(history.value[row], answered=history.answer[row] if known else None)
        lane = LOOKS_ON if process == LOOKS_ON else f"caller {process}"
        begins, ends = places[history.inv[row]], places[history.res[row]] + 1 if known else None
        told.append(attrs.evolve(line, lane=lane, begins=begins, ends=ends, wrong=row in wrong))
    return tuple(told)


def called(history: History, proof: Proof) -> str:
    """Return the names of the calls that a proof is about."""
    return ", ".join(dict.fromkeys(history.f[row] for row in proof.rows))


def in_short(proof: Proof) -> str:
    """Return what a proof says, in a line."""
    return f"not linearizable ({proof.kind}): {textwrap.shorten(proof.message, 100, placeholder=' ...')}"


@attrs.define(kw_only=True)
class Judged:
    """What is wrong with a long history, by how many and which calls that shows, and those calls for a timeline."""

    failure: str = ""
    length: int = 0
    step: str = ""
    lines: tuple[Line, ...] = ()

    def refute(self, history: History, proof: Proof) -> None:
        """Tell what a proof says; of its calls at most `_SHOWN` are shown."""
        shown = history.take(proof.rows[:_SHOWN])
        self.length, self.step = len(proof.rows), called(history, proof)
        self.failure = f"{in_short(proof)}\n{timeline(shown)}"
        self.lines = lines_of(shown, range(len(shown)))


_SHOWN: Final = 12


@attrs.frozen
class Run:
    """Branches made once: their history, and which of its calls overlapped those of others."""

    history: History
    verdict: Verdict
    overlapping: tuple[str, ...]


def run_once(factory: Factory, face: Face, scenario: Scenario) -> Run:
    """Make branches on a new storage, look at it afterwards, and judge."""
    clock = ManualClock()
    try:
        stores = factory.open(clock)
        for operation in scenario.prefix:
            outcome_of(lambda: call_port(stores, operation))  # noqa: B023
        events = drive(face, factory, clock, [script(calls) for calls in scenario.clients], stores)
        after = max((event.time or 0 for event in events), default=0)
        looks = [read for read in scenario.observations() if not capabilities_of(factory).lacks(read)]
        for place, operation in enumerate(looks, 1):
            outcome = outcome_of(lambda: call_port(stores, operation))  # noqa: B023
            events.append(Event(LOOKS_ON, None, operation.call, operation, time=after + 2 * place))
            answered = Event(LOOKS_ON, Known.OK, operation.call, operation, None, outcome, after + 2 * place + 1)
            events.append(answered)
    finally:
        factory.destroy()
    history = history_of(events)
    return Run(history, check(history, StoreModel(scenario.initial(), NOW), LIMIT), overlapping(history))


def overlapping(history: History) -> tuple[str, ...]:
    """Return the names of the calls that overlapped a call of another process."""
    spans = sorted(zip(history.inv, history.res, history.f, strict=True))
    found, last = [], -1
    for place, (inv, res, name) in enumerate(spans):
        following = spans[place + 1][0] if place + 1 < len(spans) else res
        if inv < last or following < res:
            found.append(name)
        last = max(last, res)
    return tuple(found)


def repeat(make: Callable[[], Factory], face: Face, scenario: Scenario, *, times: int) -> Failure | None:
    """Make branches a number of times; return the first failure."""
    for _ in range(times):
        run = run_once(make(), face, scenario)
        if run.verdict.answer is not Answer.LINEARIZABLE:
            return Failure(face, scenario, run.history, run.verdict)
    return None


@attrs.define
class Tried:
    """What trying came to: the runs, their calls, how often each call overlapped another, and a failure.

    ``there`` are the changing calls that the backend has.
    """

    runs: int
    calls: int
    overlapped: Counter[str]
    failure: Failure | None
    there: frozenset[str]

    @property
    def missed(self) -> list[str]:
        """The changing calls that are there and never overlapped another."""
        return sorted(self.there - set(self.overlapped))


def try_branches(
    make: Callable[[], Factory], face: Face, examples: int, seed: int, capabilities: Capabilities = FULL
) -> Tried:
    """Draw branches of every rule group, and shrink a failure.

    What ``capabilities`` lack is not called.  Calls that never overlapped another are drawn again among
    themselves, round by round, while there is time; then all of them, for `_AN_EXAMPLE` an example, since a race
    shows only now and then.
    """
    there = frozenset(kind.call for kinds in GROUPS.values() for kind in kinds if not capabilities.lacks(kind))
    tried, begun = Tried(0, 0, Counter(), None, there), time.monotonic()
    for attempt in range(ROUNDS):
        missed = set(tried.missed)
        enough = examples * _AN_EXAMPLE if not missed else _DRAWING if tried.overlapped else _DRAWING_ON
        if not there or time.monotonic() > begun + enough:
            break
        wanted = missed or there
        work = [(group, [kind for kind in kinds if kind.call in wanted]) for group, kinds in GROUPS.items()]
        work = [(group, kinds) for group, kinds in work if kinds]
        again = attempt > 0 and bool(missed)
        drawn = _scenarios(work, again=again).map(lambda scenario: scenario.without(capabilities.lacks))
        tried.failure = _draw(make, face, drawn, examples, seed + attempt, tried)
        if tried.failure is not None:
            tried.failure = simpler(make, tried.failure)
            break
    return tried


def _scenarios(work: Sequence[tuple[str, Sequence[Kind]]], *, again: bool) -> st.SearchStrategy[Scenario]:
    return st.sampled_from(work).flatmap(lambda part: scenarios(part[0], CALLERS, part[1] if again else ()))


def _draw(
    make: Callable[[], Factory],
    face: Face,
    drawn: st.SearchStrategy[Scenario],
    examples: int,
    seed: int,
    tried: Tried,
) -> Failure | None:
    """Make the branches that are drawn, and count them in ``tried``; raise what goes wrong beside the calls."""

    found: list[Failure] = []
    errors: list[Exception] = []

    @seeded(examples, seed, hypothesis.Phase.generate)
    @hypothesis.given(drawn)
    def take(scenario: Scenario) -> None:
        # What fails is kept and not raised: Hypothesis would make it again, and it need not fail again.
        if found or errors:
            return
        try:
            run = run_once(make(), face, scenario)
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)
            return
        tried.runs += 1
        tried.calls += sum(process != LOOKS_ON for process in run.history.process)
        tried.overlapped.update(run.overlapping)
        if run.verdict.answer is not Answer.LINEARIZABLE:
            found.append(Failure(face, scenario, run.history, run.verdict))

    take()
    for error in errors:
        raise error
    return found[0] if found else None


def simpler(make: Callable[[], Factory], failure: Failure) -> Failure:
    """Return a failure of fewer calls and simpler values, as far as one is found in time."""
    best, callers = failure, len(failure.scenario.clients)
    until = time.monotonic() + _SHRINKING

    def fails(steps: Steps) -> Steps | None:
        nonlocal best
        scenario = scenario_of(steps, callers)
        for _ in range(_TIMES):
            if time.monotonic() > until:
                return None
            found = repeat(make, failure.face, scenario, times=1)
            if found is not None:
                best = found
                return steps
        return None

    shrink(steps_of(failure.scenario), fails)
    return best


def faces_of(factory: Factory) -> Sequence[Face]:
    """Return who can call: processes only where the factory says that they share its storage."""
    processes = getattr(factory, "processes", False) and can_fork()
    return [face for face in Face if face is not Face.PROCESSES or processes]
