"""A clock that jumps back: what was set stays set, and what has an order keeps it.

The store's time stands in events, in the times of profiles and in ``completed_at``, and orders nothing: not the
events, which have cursors, nor the runs, which are listed as they were created.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import Capabilities
from mobstore.model import STORES, MobRunStatus, NewMobEvent, Timestamp, evolve
from mobstore.properties import pools, smoke
from mobstore.properties.refinement import observations
from mobstore.properties.subject import (
    Factory,
    ManualClock,
    Reference,
    call_port,
    capabilities_of,
    opened,
    outcome_of,
    same_outcome,
)

_DAY: Final = 86_400 * 10**9
_NOW: Final = ManualClock().nanos
TIMES: Final = (_NOW, _NOW - 1, _NOW + 400 * _DAY, _NOW - _DAY, 0, _NOW - 60 * 10**9, -_DAY)
"""What the clock says, call after call: mostly less than before, and once a time before 1970."""


_READINGS: Final = tuple(reading for store in STORES for reading in observations(store))


def disturb_clock(factory: Factory) -> tuple[int, str, str]:
    """Let the clock jump before every call.

    Return how many calls were made, and what is wrong and the call that shows it, or nothing.
    """
    clock = ManualClock()
    with opened(factory, clock) as stores:
        calls, wrong, step = _beside_model(stores, clock, capabilities_of(factory))
    if wrong:
        return calls, wrong, step
    clock = ManualClock()
    with opened(factory, clock) as stores:
        return calls + _ORDER_CALLS, *_order(stores, clock)


def _beside_model(stores: Stores, clock: ManualClock, capabilities: Capabilities) -> tuple[int, str, str]:
    """Make every call beside the model, which knows of time only what it is told."""
    reference = Reference(clock, capabilities)
    for number, (call, now) in enumerate(zip(smoke.EXECUTED, itertools.cycle(TIMES), strict=False), 1):
        clock.nanos = now
        if capabilities.is_not_yet(call):
            continue
        answered = outcome_of(lambda: call_port(stores, call))  # noqa: B023
        if not same_outcome(answered, outcome_of(lambda: reference.execute(call))):  # noqa: B023
            return number, f"{call.call} at {Timestamp.from_nanos(now)} came to {answered.to_json()}", call.call
        for reading in _READINGS:
            seen = outcome_of(lambda: call_port(stores, reading))  # noqa: B023
            expected = outcome_of(lambda: reference.execute(reading))  # noqa: B023
            if not (capabilities.is_not_yet(reading) or same_outcome(seen, expected)):
                told = f"after {call.call} at {Timestamp.from_nanos(now)}, {reading} shows something else"
                return number, told, f"{call.call}, seen by {reading.call}"
    return len(smoke.EXECUTED), "", ""


_EVENT: Final = NewMobEvent("mob", {"type": "mob_reset"})  # type: ignore[arg-type]
_ORDER_CALLS: Final = 16


_NOTHING: Final = ("", "")


def _order(stores: Stores, clock: ManualClock) -> tuple[str, str]:
    """Append, create and complete while the clock goes back and forth; return what is wrong, and where."""
    subscription = stores.events.subscribe()
    appended = []
    for now in (_NOW, _NOW - _DAY, _NOW + _DAY, _NOW - 2 * _DAY):
        clock.nanos = now
        appended.append(stores.events.append(_EVENT))
    if [event.cursor for event in appended] != [1, 2, 3, 4]:
        return f"cursors do not follow the order of the appends: {[event.cursor for event in appended]}", "append"
    for what, events in (
        ("replay_all", stores.events.replay_all()),
        ("poll", stores.events.poll(0, 9)),
        ("a subscription", subscription.drain(5.0).events),
    ):
        if list(events) != appended:
            return f"{what} gives events in another order than they were appended in", what
    if stores.events.prune(Timestamp.from_nanos(_NOW)) != 2 or stores.events.latest_cursor() != 3:
        return "prune went by something else than the events' times", "prune"
    if stores.events.append(_EVENT).cursor != 5:
        return "a cursor was used again", "append"
    wrong = _completion(stores, clock)
    return wrong if any(wrong) else _listing(stores)


def _completion(stores: Stores, clock: ManualClock) -> tuple[str, str]:
    run = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING, "completed_at": None})
    clock.nanos = _NOW
    stores.runs.create_run(run)
    stores.runs.cas_run_status(run.run_id, MobRunStatus.RUNNING, MobRunStatus.COMPLETED)
    for now in (_NOW - _DAY, _NOW + _DAY):
        clock.nanos = now
        again: Any = stores.runs.cas_run_status(run.run_id, MobRunStatus.COMPLETED, MobRunStatus.FAILED)
        stores.runs.cas_flow_state(run.run_id, run.flow_state, run.flow_state)
        stores.runs.append_step_entry(run.run_id, pools.STEP_ENTRIES[0])
        held = stores.runs.get_run(run.run_id)
        if again or held is None or held.completed_at != Timestamp.from_nanos(_NOW):
            told = f"completed_at was {Timestamp.from_nanos(_NOW)}, and is {held and held.completed_at}"
            return told, "cas_run_status"
    return _NOTHING


def _listing(stores: Stores) -> tuple[str, str]:
    """A run that says that it was created earlier is listed after those that were there."""
    earlier = evolve(pools.RUNS[1], {"mob_id": pools.RUNS[0].mob_id, "created_at": Timestamp(0)})
    stores.runs.create_run(earlier)
    listed = [run.run_id for run in stores.runs.list_runs(earlier.mob_id)]
    right = [pools.RUNS[0].run_id, earlier.run_id]
    return _NOTHING if listed == right else (f"runs created as {right} are listed as {listed}", "list_runs")
