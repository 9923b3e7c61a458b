"""A clock that jumps back: what was set stays set, and what has an order keeps it.

The store's time stands in events, in the times of profiles and in ``completed_at``, and orders nothing: not the
events, which have cursors, nor the runs, which are listed as they were created.  The model, which is held beside
the store, knows of time only what it is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from mobstore.model import STORES, MobRunStatus, NewMobEvent, Operation, Timestamp, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools, smoke
from mobstore.properties.refinement import Comparison
from mobstore.properties.source import Between, ClockSays
from mobstore.properties.subject import Factory, ManualClock

_Steps: TypeAlias = Iterable[Operation[Any] | Between]

_DAY: Final = 86_400 * 10**9
_NOW: Final = ManualClock().nanos
TIMES: Final = (_NOW, _NOW - 1, _NOW + 400 * _DAY, _NOW - _DAY, 0, _NOW - 60 * 10**9, -_DAY)
"""What the clock says, call after call: mostly less than before, and once a time before 1970."""

_EVENT: Final = NewMobEvent("mob", {"type": "mob_reset"})  # type: ignore[arg-type]
_RUN: Final = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING, "completed_at": None})
_RUN_ID: Final = _RUN.run_id
_EARLIER: Final = evolve(pools.RUNS[1], {"mob_id": _RUN.mob_id, "created_at": Timestamp(0)})


def disturb_clock(make: Callable[[], Factory], source: str) -> int:
    """Let the clock jump before every call; return how many calls were made.

    Raises:
        Mismatch: the backend goes by the clock where it must not.
    """
    return sum(_made(steps, make, source) for steps in (_every_call(), _events(), _completions()))


def _made(steps: _Steps, make: Callable[[], Factory], source: str) -> int:
    comparison = Comparison(make(), source)
    try:
        for step in steps:
            if isinstance(step, Between):
                comparison.happens(step)
                continue
            comparison.call(step)
            if not step.reads:
                for store in STORES:
                    comparison.observe(store)
    finally:
        comparison.close()
    return comparison.calls


def _every_call() -> Iterator[Operation[Any] | Between]:
    for call, now in zip(smoke.EXECUTED, itertools.cycle(TIMES), strict=False):
        yield ClockSays(now)
        yield call


def _events() -> Iterator[Operation[Any] | Between]:
    """Events are ordered by cursors, and pruned by their times."""
    for now in (_NOW, _NOW - _DAY, _NOW + _DAY, _NOW - 2 * _DAY):
        yield ClockSays(now)
        yield ops.Append(_EVENT)
    yield from (ops.ReplayAll(), ops.Poll(0, 9))
    yield from (ops.Prune(Timestamp.from_nanos(_NOW)), ops.LatestCursor(), ops.Append(_EVENT), ops.ReplayAll())


def _completions() -> Iterator[Operation[Any] | Between]:
    """The time at which a run was completed stays, and runs are listed as they were created."""
    yield ClockSays(_NOW)
    yield ops.CreateRun(_RUN)
    yield ops.CasRunStatus(_RUN_ID, MobRunStatus.RUNNING, MobRunStatus.COMPLETED)
    for now in (_NOW - _DAY, _NOW + _DAY):
        yield ClockSays(now)
        yield ops.CasRunStatus(_RUN_ID, MobRunStatus.COMPLETED, MobRunStatus.FAILED)
        yield ops.CasFlowState(_RUN_ID, _RUN.flow_state, _RUN.flow_state)
        yield ops.AppendStepEntry(_RUN_ID, pools.STEP_ENTRIES[0])
        yield ops.GetRun(_RUN_ID)
    yield from (ops.CreateRun(_EARLIER), ops.ListRuns(_RUN.mob_id))
