"""The authority log replayed: what the accepted machine inputs of a run come to (contract, section 4).

The log is the write-ahead log of a run's machines.  Replaying it gives the flow state and exactly the frames and
loops that are stored, or the log and the snapshots part, and one of them is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from mobstore.model._collections import FrozenMap
from mobstore.model.callers.authority import MACHINE_OF, Addressed, Unreadable, read
from mobstore.model.machines import Transitioned
from mobstore.model.machines.machine import NoMatchingTransition, Refusal
from mobstore.model.values import (
    CreateRunSeed,
    FlowAuthorityInput,
    FlowFrameState,
    FlowRunState,
    FrameId,
    LoopInstanceId,
    LoopIterationState,
    MobRun,
    RunFlow,
    RunId,
)
from mobstore.model.wrappers import Cell


@attrs.frozen
class Stop:
    """Where a replay ended before the log did: the place in the log, from 0, and why."""

    place: int
    reason: str


@attrs.frozen
class Replayed:
    """What a log comes to; ``stop`` says where the replay ended early, and the states are those before it."""

    flow_state: FlowRunState
    frames: Mapping[FrameId, FlowFrameState]
    loops: Mapping[LoopInstanceId, LoopIterationState]
    stop: Stop | None = None


def replay(run_id: RunId, log: Iterable[FlowAuthorityInput]) -> Replayed:
    """Replay a run's authority inputs through the machines, from nothing.

    It ends at the first record that is of another run, that stands for no input, or that its machine refuses: what
    comes after it was decided on a state that nobody knows.
    """
    states: dict[Cell, dict[str, Any]] = {cell: {} for cell in MACHINE_OF}
    stop = None
    for place, record in enumerate(log):
        reason = _take(states, run_id, record)
        if reason:
            stop = Stop(place, reason)
            break
    flow_state = states[Cell.FLOW_STATE].get(run_id, FlowRunState())
    return Replayed(flow_state, FrozenMap(states[Cell.FRAME]), FrozenMap(states[Cell.LOOP]), stop)


def _take(states: dict[Cell, dict[str, Any]], run_id: RunId, record: FlowAuthorityInput) -> str:
    """Let the machines take what a record stands for; return why they do not, or nothing."""
    of = getattr(record, "run_id", run_id)
    if of != run_id:
        return f"{record.input} is of run {of}"
    try:
        inputs = read(record)
    except Unreadable as error:
        return str(error)
    return next(filter(None, (_step(states[to.cell], to) for to in inputs)), "")


def _step(held: dict[str, Any], to: Addressed) -> str:
    machine = MACHINE_OF[to.cell]
    result = machine.step(held.get(to.key, machine.state()), to.input)
    if isinstance(result, Transitioned):
        held[to.key] = result.next_state
        return ""
    return f"the {machine.name} machine refuses {to.input.name} of {to.key!r}: {_why(result)}"


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, NoMatchingTransition):
        return f"there is no such transition in phase {refusal.phase}"
    return "guard " + ", ".join(f"{item.guard_id} of {item.transition_id}" for item in refusal.rejections)


def begins_with_creation(log: Sequence[FlowAuthorityInput]) -> bool:
    """Whether a log can be held to anything: it is kept from the run's beginning."""
    return bool(log) and isinstance(log[0], RunFlow | CreateRunSeed)


def partings(run: MobRun) -> list[str]:
    """Return where a run's snapshots and its authority log part, in words; nothing where they agree."""
    replayed = replay(run.run_id, run.flow_authority_inputs)
    if replayed.stop is not None:
        return [f"flow_authority_inputs[{replayed.stop.place}]: {replayed.stop.reason}"]
    found = _differences("flow_state", run.flow_state, replayed.flow_state)
    for name, kind in (("frames", "frame"), ("loops", "loop")):
        stored = {key: snapshot.kernel_state for key, snapshot in getattr(run, name).items()}
        expected = getattr(replayed, name)
        for key in sorted(stored.keys() | expected.keys()):
            if key not in expected:
                found.append(f"{kind} {key!r} is stored, and the log does not create it")
            elif key not in stored:
                found.append(f"{kind} {key!r} is created by the log, and not stored")
            else:
                found += _differences(f"{kind} {key!r}", stored[key], expected[key])
    return found


def _differences(place: str, stored: Any, expected: Any) -> list[str]:
    """Return one line for each field that is not what the log gives."""
    names = [field.name for field in attrs.fields(type(stored))]
    differing = [name for name in names if getattr(stored, name) != getattr(expected, name)]
    return [
        f"{place}: {name} is {getattr(stored, name)!r:.120}, and {getattr(expected, name)!r:.120} by the log"
        for name in differing
    ]
