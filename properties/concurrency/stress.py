"""Long runs: thousands of calls by many callers, judged by the polynomial algorithms.

Each caller does what real ones do: it reads, computes, and compares what it read with what is there, so that most
comparisons fail when many call.  Whatever is written is unique.  On the first run every call compares the flow
state, so that its history is a chain however many cells it touches; on the second every call compares one frame.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any, Final

import attrs

from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.model import (
    FrameSnapshot,
    LoopIterationLedgerEntry,
    LoopSnapshot,
    MobRun,
    MobRunStatus,
    Operation,
    Payload,
    RunId,
    State,
    evolve,
)
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT, RunStoreState
from mobstore.model.values import FlowFrameState, LoopIterationState
from mobstore.model.wrappers import ROWS, Absent, Cell, Equals, Row
from mobstore.properties import pools
from mobstore.properties.concurrency.branches import Judged, overlapping
from mobstore.properties.concurrency.driving import Caller, Face, drive
from mobstore.properties.linearizability import History, Limit, check
from mobstore.properties.linearizability import Outcome as Known
from mobstore.properties.linearizability.history import history_of
from mobstore.properties.linearizability.stores import StoreModel, outcome_in
from mobstore.properties.schedules.scenario import NOW, state_after
from mobstore.properties.subject import Factory, ManualClock, call_port, outcome_of

CALLERS: Final = 6
LIMIT: Final = Limit(seconds=60.0)
POLYNOMIAL: Final = frozenset(("sequential", "chain", "graph", "blocks"))

_FLOW_RUN: Final = evolve(pools.RUNS[3], {"status": MobRunStatus.RUNNING, "completed_at": None})
_FRAME_RUN: Final = evolve(pools.RUNS[1], {"frames": _FLOW_RUN.frames})
_BEGINNING: Final = (ops.CreateRun(_FLOW_RUN), ops.CreateRun(_FRAME_RUN))
_INPUTS: Final = pools.ACCEPTED_INPUTS[:1]


# --- calls ------------------------------------------------------------------------------------------------------


@attrs.frozen
class _Kind:
    """A row of the wrapper table that callers use, and how often."""

    row: Row
    weight: int


def _kinds(cells: Callable[[set[Cell]], bool]) -> tuple[_Kind, ...]:
    """The rows whose compared cells are such; those that make the run grow come less often."""
    return tuple(
        _Kind(row, 2 if row.authority or any(isinstance(item, Absent) for item in row.comparisons) else 8)
        for row in ROWS
        if cells({item.cell for item in row.comparisons if isinstance(item, Equals)})
    )


_WORK: Final[Mapping[RunId, tuple[_Kind, ...]]] = {
    _FLOW_RUN.run_id: _kinds(lambda cells: Cell.FLOW_STATE in cells),
    _FRAME_RUN.run_id: _kinds(lambda cells: cells == {Cell.FRAME}),
}
KINDS: Final = frozenset(kind.row.name for kinds in _WORK.values() for kind in kinds)
"""The calls that are made, beside reading the run."""

_FRAME_ID: Final = "root"
_LOOP_ID: Final = "root::n"
_UNIQUE: Final[Mapping[Cell, Callable[[int], Any]]] = {
    Cell.FLOW_STATE: lambda number: evolve(_FLOW_RUN.flow_state, {"failure_count": number}),
    Cell.FRAME: lambda number: FrameSnapshot(FlowFrameState(frame_id=_FRAME_ID, iteration=number)),
    Cell.LOOP: lambda number: LoopSnapshot(LoopIterationState(loop_instance_id=_LOOP_ID, depth=number)),
    Cell.OUTPUT: Payload.of,
    Cell.ITERATION_LEDGER: lambda number: LoopIterationLedgerEntry(_LOOP_ID, number, _FRAME_ID),
    Cell.STATUS: lambda _: MobRunStatus.RUNNING,
    Cell.AUTHORITY_LOG: lambda _: _INPUTS,
}
"""What is put into each cell; of those that calls compare, but for the status, never the same twice."""


def call_of(row: Row, run: MobRun, number: int) -> Operation[Any]:
    """Return a call that succeeds if the run is still as it was read, and writes what nobody else writes."""
    absent = {item.cell for item in row.comparisons if isinstance(item, Absent)}
    arguments: dict[str, Any] = {
        "run_id": run.run_id,
        "frame_id": f"frame-{number}" if Cell.FRAME in absent else _FRAME_ID,
        "loop_instance_id": f"loop-{number}" if Cell.LOOP in absent else _LOOP_ID,
        "step_output_key": "s1",
        "loop_context": None,
    }
    named = SimpleNamespace(**arguments)
    arguments |= {
        item.argument: CURRENT[item.cell](run, named) for item in row.comparisons if isinstance(item, Equals)
    }
    arguments |= {item.argument: _UNIQUE[item.cell](number) for item in row.writes}
    return row.operation(**{name: arguments[name] for name in row.operation.parameters()})


def caller(number: int, calls: int, seed: int, there: Collection[str] = KINDS) -> Caller:
    """Return a caller that reads runs and changes them, again and again, by the kinds of calls that are there.

    Its number makes unique what it writes.
    """
    rng = random.Random(seed * 1000 + number)  # noqa: S311 - a seed makes it again
    state = state_after(_BEGINNING)
    read: set[RunId] = set()
    for made in range(calls):
        run_id = rng.choices((_FLOW_RUN.run_id, _FRAME_RUN.run_id), (3, 1))[0]
        if run_id not in read or rng.random() < _READS:
            outcome = yield ops.GetRun(run_id)
            if outcome is not None and outcome.value is not None:
                state = _with_run(state, outcome.value)
                read.add(run_id)
            continue
        kinds = [kind for kind in _WORK[run_id] if kind.row.name in there]
        if not kinds:
            read.discard(run_id)
            continue
        (kind,) = rng.choices(kinds, [kind.weight for kind in kinds])
        operation = call_of(kind.row, state.run.runs[run_id], number * _MOST_CALLS + made + 1)
        if (outcome := (yield operation)) is not None and outcome.value is True:
            # A caller's copy becomes the state only when the store has said so.
            state, _ = outcome_in(state, operation, NOW)
        else:
            read.discard(run_id)


_READS: Final = 0.1
_MOST_CALLS: Final = 1_000_000


def _with_run(state: State, run: MobRun) -> State:
    return attrs.evolve(state, run=RunStoreState(state.run.runs.insert(run.run_id, run), state.run.of_mob))


# --- runs -------------------------------------------------------------------------------------------------------


@attrs.define
class Stressed(Judged):
    """What long runs came to.

    Attributes:
        there: the kinds of calls that the backend has.
        calls: those that were made.
        overlapping: those that overlapped a call of another caller.
        unknown: those of which nobody knows whether they happened.
        succeeded: how often each kind of call answered ``True``.
        decided_by: the classes that the histories fell in.
        seconds: what the checker took.
        undecided: the bound that the checker reached.
    """

    there: frozenset[str] = attrs.field(default=frozenset(), kw_only=True)
    calls: int = 0
    overlapping: int = 0
    unknown: int = 0
    succeeded: Counter[str] = attrs.field(factory=Counter)
    decided_by: set[str] = attrs.field(factory=set)
    seconds: float = 0.0
    undecided: str = ""

    def add(self, history: History) -> None:
        """Judge a history, and count what is in it."""
        begun = time.perf_counter()
        verdict = check(history, StoreModel(state_after(_BEGINNING), NOW), LIMIT)
        self.seconds += time.perf_counter() - begun
        self.calls += len(history)
        self.overlapping += len(overlapping(history))
        self.unknown += sum(known is not Known.OK for known in history.outcome)
        rows = zip(history.f, history.answer, history.outcome, strict=True)
        self.succeeded.update(f for f, answer, known in rows if known is Known.OK and answer.value is True)
        self.decided_by |= set(verdict.decided_by)
        proof = None if verdict.first_failure is None else verdict.first_failure.proof
        if proof is not None:
            self.refute(history, proof)
        self.undecided = ", ".join(str(each.bound) for each in verdict.objects if each.bound is not None)

    @property
    def missed(self) -> list[str]:
        """The calls that never succeeded."""
        return sorted(self.there - set(self.succeeded))

    @property
    def doubt(self) -> str:
        """Why it says too little, if it does."""
        if self.undecided:
            return self.undecided
        if self.missed:
            return f"never made with success: {', '.join(self.missed)}"
        if not self.overlapping:
            return "no two calls overlapped"
        searched = sorted(self.decided_by - POLYNOMIAL)
        return f"decided by {', '.join(searched)}, not in polynomial time" if searched else ""


def stress(
    make: Callable[[], Factory], face: Face, calls: int, seed: int, capabilities: Capabilities = FULL
) -> Stressed:
    """Let `CALLERS` callers make so many calls together on a new storage, and judge.

    Where some kind of call never succeeded, or no two overlapped, it is done again with twice as many calls, up to
    `ROUNDS` times: on a busy machine a caller may be done before the next one begins.
    What ``capabilities`` lack is not called.
    """
    found = Stressed(there=frozenset(kind for kind in KINDS if f"run.{kind}" not in capabilities.lacking))
    for attempt in range(ROUNDS):
        found.add(_history(make(), face, calls, seed + attempt, found.there))
        if found.failure or found.undecided or (found.overlapping and not found.missed):
            break
        calls *= 2
    return found


ROUNDS: Final = 6


def _history(factory: Factory, face: Face, calls: int, seed: int, there: Collection[str]) -> History:
    clock = ManualClock()
    try:
        stores = factory.open(clock)
        for operation in _BEGINNING:
            outcome_of(lambda: call_port(stores, operation))  # noqa: B023
        callers = [caller(number, calls // CALLERS, seed, there) for number in range(CALLERS)]
        return history_of(drive(face, factory, clock, callers, stores))
    finally:
        factory.destroy()
