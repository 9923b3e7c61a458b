"""Threads that race with one expectation: every round has one winner, and all that was answered is there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from mobstore.model import MobRunStatus, Operation, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.concurrency.branches import Failure, repeat, simpler
from mobstore.properties.concurrency.driving import Face, at_once
from mobstore.properties.schedules.scenario import Scenario
from mobstore.properties.subject import Factory, ManualClock

WORKERS: Final = 4
_PATIENCE: Final = 60.0
_RUN: Final = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING})
_RUN_ID: Final = _RUN.run_id
_SWAP: Final = ops.CasFlowState(_RUN_ID, _RUN.flow_state, evolve(_RUN.flow_state, {"failure_count": 1}))
_APPEND: Final = ops.AppendStepEntry(_RUN_ID, pools.STEP_ENTRIES[0])
_ROUNDS: Final[tuple[tuple[Operation[Any], ...], ...]] = ((_SWAP,), (_APPEND,), (_SWAP, _APPEND))
_AGAIN: Final = 50
"""How often one round is made again, for a failure that is told call by call."""


def raced(factory: Factory, rounds: int) -> tuple[str, str]:
    """Let threads race, each through a handle of its own, for one cell in each round, and count the winners.

    Return what is wrong, and the call that shows it, or nothing.
    """
    clock = ManualClock()
    try:
        stores = factory.open(clock)
        stores.runs.create_run(_RUN)
        try:
            winners = _race(factory, clock, rounds)
        except Exception as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            return f"{type(error).__name__}: {error}", ""
        run = stores.runs.get_run(_RUN_ID)
    finally:
        factory.destroy()
    wrong = {number: count for number, count in winners.items() if count != 1}
    if wrong:
        number, count = next(iter(wrong.items()))
        told = f"{count} of {WORKERS} threads with one expectation won in round {number}"
        return f"{told}; {len(wrong)} of {rounds} rounds had other than one winner", "cas_flow_state"
    if run is None or run.flow_state.failure_count != rounds or len(run.step_ledger) != rounds * WORKERS:
        return "what was answered is not there", "get_run"
    return "", ""


def _race(factory: Factory, clock: ManualClock, rounds: int) -> Counter[int]:
    winners: Counter[int] = Counter(dict.fromkeys(range(rounds), 0))
    barrier, lock = threading.Barrier(WORKERS), threading.Lock()
    first = _RUN.flow_state
    states = [first, *(evolve(first, {"failure_count": number + 1}) for number in range(rounds))]

    def work() -> None:
        try:
            stores = factory.open(clock)
            for number in range(rounds):
                barrier.wait(_PATIENCE)
                won = stores.runs.cas_flow_state(_RUN_ID, states[number], states[number + 1])
                with lock:
                    winners[number] += won
                stores.runs.append_step_entry(_RUN_ID, pools.STEP_ENTRIES[0])
        except BaseException:
            barrier.abort()
            raise

    for error in at_once([work] * WORKERS):
        if not isinstance(error, threading.BrokenBarrierError):
            raise error
    return winners


def one_round(make: Callable[[], Factory], *, shrinks: bool) -> Failure | None:
    """Make the first round alone, again and again; return a history of it that no order explains, if one shows."""
    for calls in _ROUNDS:
        scenario = Scenario.of([ops.CreateRun(_RUN)], [calls] * WORKERS)
        failure = repeat(make, Face.HANDLES, scenario, times=_AGAIN)
        if failure is not None:
            return simpler(make, failure) if shrinks else failure
    return None


def program(factory: str, rounds: int) -> str:
    """Return a test that lets threads race again and again; ``factory`` makes a factory, in Python."""
    return (
        "from mobstore.properties.concurrency.racing import *\n"
        "from mobstore.properties.subject import *\n"
        "\n\n"
        "def test_counterexample() -> None:\n"
        "    for _ in range(100):\n"
        f"        wrong, _ = raced({factory}, rounds={rounds})\n"
        "        assert not wrong, wrong\n"
    )
