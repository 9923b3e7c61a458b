"""Small settings: a few clients, and calls that are real rows of the wrapper table on a small run.

What the calls mean is not written here: a value stands for a run, and `mobstore.model.step` says what a row, a
row without its comparisons, and the first of its writes alone, make of it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model import (
    FlowRunState,
    FrameSnapshot,
    FrozenMap,
    Internal,
    MobRun,
    MobRunStatus,
    Payload,
    RunId,
    Timestamp,
    TrieMap,
)
from mobstore.model import operations as ops
from mobstore.model.machines import Input
from mobstore.model.step import Handler, RunStoreState, row_handler
from mobstore.model.values import FlowFrameState, OtherMachineInput
from mobstore.model.wrappers import ROWS, Row
from mobstore.properties.protocols.protocol import Call, Called, Calls, Client, OfClient, Protocol, Value

RUN: Final = RunId("11111111-0000-4000-8000-000000000001")
FRAME: Final = "f"
_ROWS: Final[Mapping[type, Row]] = {row.operation: row for row in ROWS}


def flow_state(number: int) -> FlowRunState:
    """Return a flow state, one for each number."""
    return FlowRunState(failure_count=number)


def frame(number: int) -> FrameSnapshot:
    """Return a snapshot of the frame, one for each number."""
    return FrameSnapshot(FlowFrameState(frame_id=FRAME, iteration=number))


def run_with(flow: int, in_frame: int) -> MobRun:
    """Return the run with a flow state and a frame."""
    return MobRun(
        RUN,
        "mob",
        "flow",
        MobRunStatus.RUNNING,
        flow_state(flow),
        Payload.of(None),
        Timestamp(0),
        frames=TrieMap({FRAME: frame(in_frame)}),
    )


def grant(before: tuple[int, int], after: tuple[int, int]) -> ops.CasGrantNodeSlot:
    """Return the call that compares flow state and frame, and writes both."""
    return ops.CasGrantNodeSlot(
        run_id=RUN,
        frame_id=FRAME,
        expected_run_state=flow_state(before[0]),
        next_run_state=flow_state(after[0]),
        expected_frame=frame(before[1]),
        next_frame=frame(after[1]),
    )


def set_frame(before: int, after: int) -> ops.CasFrameState:
    """Return the call that compares and writes the frame alone."""
    return ops.CasFrameState(run_id=RUN, frame_id=FRAME, expected=frame(before), next=frame(after))


def refused(before: tuple[int, int], after: tuple[int, int]) -> ops.CasGrantNodeSlotWithAuthority:
    """Return the twin with an authority input that may not be appended."""
    plain = grant(before, after)
    arguments = {name: getattr(plain, name) for name in plain.parameters()}
    return ops.CasGrantNodeSlotWithAuthority(**arguments, authority_inputs=(OtherMachineInput("NotOne", None),))


def name_of(run: MobRun) -> Value:
    """Return the name of the value that stands for a run."""
    return Value(f"flow {run.flow_state.failure_count}, frame {run.frames[FRAME].kernel_state.iteration}")


@functools.cache
def _handlers(row: Row) -> tuple[Handler, tuple[Handler, ...]]:
    """Return a row's meaning without its comparisons, and that of its first writes alone."""
    blind = attrs.evolve(row, comparisons=())
    fewer = (attrs.evolve(blind, writes=row.writes[:number]) for number in range(1, len(row.writes)))
    return row_handler(blind), tuple(map(row_handler, fewer))


def _result(handle: Handler, run: MobRun, operation: Any) -> MobRun | None:
    """Return the run after a call; None when it is refused."""
    state = RunStoreState(RunStoreState().runs.insert(RUN, run))
    try:
        return handle(state, operation, 0)[0].runs[RUN]  # type: ignore[no-any-return]
    except Internal:
        return None


@attrs.frozen(eq=False)
class Setting:
    """What few clients call: the tables of calls, the value at first, and who makes which call."""

    calls: Calls
    start: Value
    clients: tuple[Client, ...]
    invocations: tuple[tuple[Client, Call], ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """Every value that the storage, or a transaction, may show."""
        shown = itertools.chain(
            (self.start,),
            itertools.chain.from_iterable(self.calls.midway.values()),
            itertools.chain.from_iterable(self.calls.applied.values()),
        )
        return tuple(sorted(set(shown)))


def setting(start: MobRun, calls: Iterable[tuple[str, str, Any]]) -> Setting:
    """Return the setting in which clients make calls, (client, name of the call, operation) each."""
    listed = [(Client(client), Call(name), operation) for client, name, operation in calls]
    operations = {name: operation for _, name, operation in listed}
    runs = _closure(start, operations.values())
    holds, midway, applied, turned_away = {}, {}, {}, set()
    for name, operation in operations.items():
        row = _ROWS[type(operation)]
        meant, (blind, parts) = row_handler(row), _handlers(row)
        states = {value: RunStoreState(RunStoreState().runs.insert(RUN, run)) for value, run in runs.items()}
        holds[name] = frozenset(value for value, state in states.items() if _goes_on(meant, state, operation))
        midway[name] = frozenset(_names(_result(part, run, operation) for part in parts for run in runs.values()))
        results = {value: _result(blind, run, operation) for value, run in runs.items()}
        applied[name] = FrozenMap({v: name_of(after) for v, after in results.items() if after is not None})
        turned_away |= {name} if None in results.values() else set()
    tables = Calls(FrozenMap(holds), FrozenMap(midway), FrozenMap(applied), frozenset(turned_away))
    clients = tuple(dict.fromkeys(client for client, _, _ in listed))
    return Setting(tables, name_of(start), clients, tuple((client, name) for client, name, _ in listed))


def _goes_on(handle: Handler, state: RunStoreState, operation: Any) -> bool:
    try:
        return bool(handle(state, operation, 0)[1])
    except Internal:
        # A refusal comes after the comparisons.
        return True


def _names(runs: Iterable[MobRun | None]) -> Iterator[Value]:
    return (name_of(run) for run in runs if run is not None)


def _closure(start: MobRun, operations: Iterable[Any]) -> dict[Value, MobRun]:
    """Return every run that the calls' writes, or the first of them, can lead to."""
    known, waiting, given = {name_of(start): start}, [start], list(operations)
    while waiting:
        run = waiting.pop()
        for operation in given:
            blind, parts = _handlers(_ROWS[type(operation)])
            for handle in (blind, *parts):
                after = _result(handle, run, operation)
                if after is not None and name_of(after) not in known:
                    known[name_of(after)] = after
                    waiting.append(after)
    return known


def inputs_of(protocol: Protocol, chosen: Setting) -> Iterator[Input]:
    """Iterate over the inputs that the protocol's moves have in a setting."""
    of_field: Mapping[str, tuple[Any, ...]] = {
        "client": chosen.clients,
        "value": chosen.values,
        "keeps_cache": (False, True),
    }
    for kind in protocol.machine.inputs:
        if issubclass(kind, Called):
            yield from (kind(*pair) for pair in chosen.invocations)
            continue
        names = [field.name for field in attrs.fields(kind)]  # type: ignore[arg-type]
        yield from (kind(*given) for given in itertools.product(*(of_field[name] for name in names)))


def client_of(input: Input) -> Client | None:
    """Return the client that moves; None of a move of the storage."""
    return input.client if isinstance(input, OfClient) else None


_GRANT: Final = ("a", "grant 0→1", grant((0, 0), (1, 1)))
_REFUSED: Final = ("b", "refused 0→2", refused((0, 0), (2, 2)))
_SAME: Final = ("b", "frame 0→0", set_frame(0, 0))

SETTINGS: Final[Mapping[str, Setting]] = {
    name: setting(run_with(0, 0), calls)
    for name, calls in {
        # Two clients that want the same slot.
        "two": (_GRANT, ("b", "grant 0→2", grant((0, 0), (2, 2)))),
        # A client that writes two cells, and one that compares one of them.
        "torn": (_GRANT, ("b", "frame 0→3", set_frame(0, 3))),
        # A client whose arguments are refused, once its comparisons held.
        "refused": (_GRANT, _REFUSED),
        # A client whose call changes nothing.
        "same": (_GRANT, _SAME),
        # A client whose comparisons never hold.
        "never": (_GRANT, ("b", "grant 5→2", grant((5, 5), (2, 2)))),
        # One client.
        "alone": (_GRANT,),
        "alone, refused": (_REFUSED,),
        "alone, unchanged": (_SAME,),
    }.items()
}
"""The settings by name."""
