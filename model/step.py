"""The specification: ``step(state, operation, now) -> (state, answer)``, pure.

A call that fails raises a `MobStoreError`; since a state is a value, the old one is then still the present one.
``now`` is the store's time in nanoseconds since 1970, for the calls that need one.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import attrs
from rpds import HashTrieMap, HashTrieSet

from mobstore.model import operations as ops
from mobstore.model._collections import Log, OrderedTrieMap, TrieMap
from mobstore.model._errors import CasConflict, Internal, NotFound, Serialization, SpecRevisionConflict
from mobstore.model._json import Document
from mobstore.model._records import evolve
from mobstore.model._time import Timestamp
from mobstore.model.values import (
    AgentIdentity,
    ExternalBindingOverlayRecord,
    FlowId,
    IterationOutputs,
    MobEvent,
    MobId,
    MobRun,
    MobRunStatus,
    NewMobEvent,
    OtherMachineInput,
    ProfileName,
    RunId,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
)
from mobstore.model.wrappers import (
    ROWS,
    Absent,
    Append,
    Cell,
    Comparison,
    Equals,
    NotTerminal,
    Put,
    Row,
    Unknown,
    Write,
)

FEED_CAPACITY: Final = 4096
"""Events that a subscriber may be behind before it misses the oldest ones (contract, section 5)."""

A = TypeVar("A")
S = TypeVar("S")


class _RunIds(Log[RunId]):
    __slots__ = ()
    item = RunId


class _Events(Log[MobEvent]):
    __slots__ = ()
    item = MobEvent


@attrs.frozen(slots=False)
class RunStoreState:
    """The runs by id, and the ids of each mob in the order of creation."""

    runs: "HashTrieMap[RunId, MobRun]" = HashTrieMap()
    of_mob: TrieMap[MobId, _RunIds] = TrieMap()


@attrs.frozen
class EventStoreState:
    """The events in cursor order, and the feed: the last 4,096 appends, whatever was removed since.

    ``appended`` counts every append ever made; it is the place in the feed at which a subscription begins.
    """

    events: _Events = _Events()
    next_cursor: int = 1
    terminal: "HashTrieSet[tuple[MobId, RunId, FlowId]]" = HashTrieSet()
    feed: TrieMap[int, MobEvent] = TrieMap()
    appended: int = 0


@attrs.frozen
class MetadataStoreState:
    """The supervisor authority of each mob, and its overlays by (agent identity, generation)."""

    authorities: TrieMap[MobId, SupervisorAuthorityRecord] = TrieMap()
    overlays: TrieMap[MobId, TrieMap[tuple[AgentIdentity, int], ExternalBindingOverlayRecord]] = TrieMap()


@attrs.frozen
class SpecStoreState:
    """The definition and revision of each mob."""

    specs: TrieMap[MobId, tuple[Document, int]] = TrieMap()


@attrs.frozen
class ProfileStoreState:
    """The realm profiles by name."""

    profiles: TrieMap[ProfileName, StoredRealmProfile] = TrieMap()


@attrs.frozen
class State:
    """All five stores, empty by default."""

    run: RunStoreState = RunStoreState()
    event: EventStoreState = EventStoreState()
    metadata: MetadataStoreState = MetadataStoreState()
    spec: SpecStoreState = SpecStoreState()
    profile: ProfileStoreState = ProfileStoreState()


Handler: TypeAlias = Callable[[Any, Any, int], tuple[Any, Any]]


def step(state: State, operation: ops.Operation[A], now: int) -> tuple[State, A]:
    """Return the state after the call, and what the call answers.

    Raises:
        MobStoreError: the call fails, and nothing changes.
    """
    part = getattr(state, operation.store)
    changed, answer = HANDLERS[type(operation)](part, operation, now)
    return state if changed is part else attrs.evolve(state, **{operation.store: changed}), answer


# --- rows ---------------------------------------------------------------------------------------------------

_TERMINAL: Final = frozenset(status for status in MobRunStatus if status.is_terminal)

CURRENT: Final[dict[Cell, Callable[[MobRun, Any], Any]]] = {
    Cell.STATUS: lambda run, _: run.status,
    Cell.FLOW_STATE: lambda run, _: run.flow_state,
    Cell.FRAME: lambda run, op: run.frames.get(op.frame_id),
    Cell.LOOP: lambda run, op: run.loops.get(op.loop_instance_id),
    Cell.STEP_OUTPUT: lambda run, op: run.step_ledger.last(op.step_id),
    Cell.STEP_LEDGER: lambda run, op: run.step_ledger.last(run.step_ledger.keys(op.entry)[0]),
}
"""What a cell holds; None when it is absent."""


Changes: TypeAlias = dict[str, Any]
"""The fields of a run that a call replaces."""


def _put_status(changes: Changes, run: MobRun, _op: Any, status: Any, now: int) -> None:
    changes["status"] = status
    if status in _TERMINAL and run.completed_at is None:
        changes["completed_at"] = Timestamp.from_nanos(now)


def _put_flow_state(changes: Changes, _run: MobRun, _op: Any, flow_state: Any, _now: int) -> None:
    changes["flow_state"] = flow_state


def _put_frame(changes: Changes, run: MobRun, op: Any, frame: Any, _now: int) -> None:
    changes["frames"] = run.frames.set(op.frame_id, frame)


def _put_loop(changes: Changes, run: MobRun, op: Any, loop: Any, _now: int) -> None:
    changes["loops"] = run.loops.set(op.loop_instance_id, loop)


def _put_step_output(changes: Changes, run: MobRun, op: Any, output: Any, _now: int) -> None:
    ledger = run.step_ledger
    place = ledger.last(op.step_id)
    assert place is not None, "the row compares that the step has an entry"
    changes["step_ledger"] = ledger.replace(place, evolve(ledger[place], {"output": output}))


def _put_output(changes: Changes, run: MobRun, op: Any, output: Any, _now: int) -> None:
    key = op.step_output_key
    if op.loop_context is None:
        changes["root_step_outputs"] = run.root_step_outputs.set(key, output)
        return
    loop_id, iteration = op.loop_context
    iterations = run.loop_iteration_outputs.get(loop_id, _NO_ITERATIONS)
    outputs: OrderedTrieMap[str, Any] = iterations[iteration] if iteration < len(iterations) else iterations.empty()
    iterations = iterations.set(iteration, outputs.set(key, output))
    changes["loop_iteration_outputs"] = run.loop_iteration_outputs.set(loop_id, iterations)


_NO_ITERATIONS: Final = IterationOutputs()

_PUT: Final[dict[Cell, Callable[[Changes, MobRun, Any, Any, int], None]]] = {
    Cell.STATUS: _put_status,
    Cell.FLOW_STATE: _put_flow_state,
    Cell.FRAME: _put_frame,
    Cell.LOOP: _put_loop,
    Cell.STEP_OUTPUT: _put_step_output,
    Cell.OUTPUT: _put_output,
}
"""What setting a cell changes in its run."""

LEDGERS: Final[dict[Cell, str]] = {
    Cell.STEP_LEDGER: "step_ledger",
    Cell.FAILURE_LEDGER: "failure_ledger",
    Cell.ITERATION_LEDGER: "loop_iteration_ledger",
    Cell.AUTHORITY_LOG: "flow_authority_inputs",
}
"""The field of the run that holds a ledger."""


def _equals(comparison: Equals) -> Callable[[MobRun, Any], bool]:
    """Whoever hands back what a read gave is answered by comparing two pointers."""
    current, expected = CURRENT[comparison.cell], operator.attrgetter(comparison.argument)

    def equals(run: MobRun, op: Any) -> bool:
        held, wanted = current(run, op), expected(op)
        return held is wanted or bool(held == wanted)

    return equals


def _comparison(comparison: Comparison) -> Callable[[MobRun, Any], bool]:
    current = CURRENT[comparison.cell]
    if isinstance(comparison, NotTerminal):
        return lambda run, _: run.status not in _TERMINAL
    if isinstance(comparison, Absent):
        return lambda run, op: current(run, op) is None
    if isinstance(comparison, Equals):
        return _equals(comparison)

    error = comparison.error

    def present(run: MobRun, op: Any) -> bool:
        if current(run, op) is None:
            raise error(op)
        return True

    return present


def _write(write: Write) -> Callable[[Changes, MobRun, Any, int], None]:
    """Return the function that adds to the changes of a run what a write comes to."""
    argument = operator.attrgetter(write.argument)
    if isinstance(write, Put):
        put = _PUT[write.cell]

        def set_cell(changes: Changes, run: MobRun, op: Any, now: int) -> None:
            put(changes, run, op, argument(op), now)

        return set_cell
    field = LEDGERS[write.cell]
    append = _appending(write)

    def append_to(changes: Changes, run: MobRun, op: Any, _now: int) -> None:
        changes[field] = append(getattr(run, field), argument(op))

    return append_to


def _appending(write: Append) -> Callable[[Any, Any], Any]:
    if write.many:
        return lambda ledger, entries: ledger.extend(entries)
    if write.once:
        return lambda ledger, entry: ledger if entry is None or _stands_in(ledger, entry) else ledger.append(entry)
    return lambda ledger, entry: ledger.append(entry)


def _stands_in(ledger: Any, entry: Any) -> bool:
    return ledger.last(ledger.keys(entry)[0]) is not None


def refuse_inputs(inputs: Sequence[Any]) -> None:
    """Raise `Internal` when one of the machine inputs may not be appended to the authority log."""
    for item in inputs:
        if type(item) is OtherMachineInput:
            raise Internal(f"internal error: MobMachine input {item.input} is not a flow authority input")


def row_handler(row: Row) -> Handler:
    """Return the meaning of a row, as a function of the run store's state."""
    comparisons = [_comparison(comparison) for comparison in row.comparisons]
    writes = [_write(write) for write in row.writes]
    unknown, answer, authority = row.unknown, True if row.answers else None, row.authority
    refuses = row.operation.refuse_arguments is not ops.Operation.refuse_arguments

    def handle(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
        if refuses:
            op.refuse_arguments()
        run = state.runs.get(op.run_id)
        if run is None:
            if unknown is Unknown.FALSE:
                return state, False
            raise NotFound(f"run not found: {op.run_id}")
        for holds in comparisons:
            if not holds(run, op):
                return state, False
        if authority is not None:
            refuse_inputs(getattr(op, authority))
        changes: Changes = {}
        for write in writes:
            write(changes, run, op, now)
        return evolve(state, {"runs": state.runs.insert(op.run_id, evolve(run, changes))}), answer

    return handle


# --- runs ---------------------------------------------------------------------------------------------------


def _create_run(state: RunStoreState, op: ops.CreateRun, _now: int) -> tuple[RunStoreState, None]:
    run = op.run
    if run.run_id in state.runs:
        raise Internal(f"run already exists: {run.run_id}")
    of_mob = state.of_mob.get(run.mob_id, _NO_RUNS).append(run.run_id)
    return RunStoreState(state.runs.insert(run.run_id, run), state.of_mob.set(run.mob_id, of_mob)), None


_NO_RUNS: Final = _RunIds()


def _get_run(state: RunStoreState, op: ops.GetRun, _now: int) -> tuple[RunStoreState, MobRun | None]:
    return state, state.runs.get(op.run_id)


def _list_runs(state: RunStoreState, op: ops.ListRuns, _now: int) -> tuple[RunStoreState, tuple[MobRun, ...]]:
    runs = (state.runs[run_id] for run_id in state.of_mob.get(op.mob_id, _NO_RUNS))
    return state, tuple(run for run in runs if op.flow_id is None or run.flow_id == op.flow_id)


# --- events -------------------------------------------------------------------------------------------------


def _append_events(
    state: EventStoreState, new: Sequence[NewMobEvent], now: int
) -> tuple[EventStoreState, tuple[MobEvent, ...]]:
    added = tuple(
        MobEvent(
            state.next_cursor + place,
            event.timestamp if event.timestamp is not None else Timestamp.from_nanos(now),
            event.mob_id,
            event.kind,
        )
        for place, event in enumerate(new)
    )
    terminal, feed, appended = state.terminal, state.feed, state.appended
    for event in added:
        key = terminal_identity(event)
        terminal = terminal if key is None else terminal.insert(key)
        feed = feed.set(appended, event).discard(appended - FEED_CAPACITY)
        appended += 1
    events = state.events.extend(added)
    return EventStoreState(events, state.next_cursor + len(added), terminal, feed, appended), added


def terminal_identity(event: NewMobEvent | MobEvent) -> tuple[MobId, RunId, FlowId] | None:
    """Return the (mob, run, flow) of a terminal event, or None for any other event."""
    try:
        return ops.terminal_key(event)
    except (Internal, Serialization):
        return None


def _append(state: EventStoreState, op: ops.Append, now: int) -> tuple[EventStoreState, MobEvent]:
    state, (event,) = _append_events(state, (op.event,), now)
    return state, event


def _append_terminal(
    state: EventStoreState, op: ops.AppendTerminalEventIfAbsent, now: int
) -> tuple[EventStoreState, MobEvent | None]:
    if ops.terminal_key(op.event) in state.terminal:
        return state, None
    state, (event,) = _append_events(state, (op.event,), now)
    return state, event


def _append_batch(
    state: EventStoreState, op: ops.AppendBatch, now: int
) -> tuple[EventStoreState, tuple[MobEvent, ...]]:
    return _append_events(state, op.events, now)


def _poll(state: EventStoreState, op: ops.Poll, _now: int) -> tuple[EventStoreState, tuple[MobEvent, ...]]:
    op.refuse_arguments()
    events = state.events
    low, high = 0, len(events)
    while low < high:
        middle = (low + high) // 2
        if events[middle].cursor <= op.after_cursor:
            low = middle + 1
        else:
            high = middle
    return state, events[low : low + op.limit]


def _replay_all(state: EventStoreState, _op: Any, _now: int) -> tuple[EventStoreState, tuple[MobEvent, ...]]:
    return state, tuple(state.events)


def _latest_cursor(state: EventStoreState, _op: Any, _now: int) -> tuple[EventStoreState, int]:
    return state, state.events[-1].cursor if state.events else 0


def _subscribe(state: EventStoreState, _op: Any, _now: int) -> tuple[EventStoreState, int]:
    return state, state.appended


def drain(state: EventStoreState, place: int) -> tuple[tuple[MobEvent, ...], int, int]:
    """Return what a subscriber at ``place`` in the feed gets next.

    Returns:
        The events, how many it missed before them, and its new place.
    """
    first = max(place, state.appended - FEED_CAPACITY)
    events = tuple(state.feed[position] for position in range(first, state.appended))
    return events, first - place, state.appended


def _clear(state: EventStoreState, _op: Any, _now: int) -> tuple[EventStoreState, None]:
    return EventStoreState(feed=state.feed, appended=state.appended), None


def _prune(state: EventStoreState, op: ops.Prune, _now: int) -> tuple[EventStoreState, int]:
    kept = [event for event in state.events if not event.timestamp < op.older_than]
    removed = len(state.events) - len(kept)
    if not removed:
        return state, 0
    keys = {key for event in kept if (key := terminal_identity(event)) is not None}
    return attrs.evolve(state, events=_Events(kept), terminal=HashTrieSet(keys)), removed


# --- metadata -----------------------------------------------------------------------------------------------


def _load_authority(
    state: MetadataStoreState, op: ops.LoadSupervisorAuthority, _now: int
) -> tuple[MetadataStoreState, SupervisorAuthorityRecord | None]:
    return state, state.authorities.get(op.mob_id)


def _with_authority(
    state: MetadataStoreState, mob_id: MobId, record: SupervisorAuthorityRecord
) -> MetadataStoreState:
    return attrs.evolve(state, authorities=state.authorities.set(mob_id, record))


def _put_authority(
    state: MetadataStoreState, op: ops.PutSupervisorAuthority, _now: int
) -> tuple[MetadataStoreState, None]:
    return _with_authority(state, op.mob_id, op.record), None


def _compare_and_put_authority(
    state: MetadataStoreState, op: ops.CompareAndPutSupervisorAuthority, _now: int
) -> tuple[MetadataStoreState, bool]:
    if state.authorities.get(op.mob_id) != op.expected:
        return state, False
    return _with_authority(state, op.mob_id, op.record), True


def _put_authority_if_absent(
    state: MetadataStoreState, op: ops.PutSupervisorAuthorityIfAbsent, _now: int
) -> tuple[MetadataStoreState, bool]:
    if op.mob_id in state.authorities:
        return state, False
    return _with_authority(state, op.mob_id, op.record), True


def _delete_authority(
    state: MetadataStoreState, op: ops.DeleteSupervisorAuthority, _now: int
) -> tuple[MetadataStoreState, None]:
    return attrs.evolve(state, authorities=state.authorities.discard(op.mob_id)), None


_Overlays: TypeAlias = TrieMap[tuple[AgentIdentity, int], ExternalBindingOverlayRecord]
_NO_OVERLAYS: Final[_Overlays] = TrieMap()


def _with_overlays(state: MetadataStoreState, mob_id: MobId, overlays: _Overlays) -> MetadataStoreState:
    return attrs.evolve(state, overlays=state.overlays.set(mob_id, overlays))


def _list_overlays(
    state: MetadataStoreState, op: ops.ListExternalBindingOverlays, _now: int
) -> tuple[MetadataStoreState, tuple[ExternalBindingOverlayRecord, ...]]:
    return state, tuple(state.overlays.get(op.mob_id, _NO_OVERLAYS).values())


def _upsert_overlay(
    state: MetadataStoreState, op: ops.UpsertExternalBindingOverlay, _now: int
) -> tuple[MetadataStoreState, None]:
    op.refuse_arguments()
    overlays = state.overlays.get(op.mob_id, _NO_OVERLAYS)
    key = (op.record.agent_identity, op.record.generation)
    return _with_overlays(state, op.mob_id, overlays.set(key, op.record)), None


def _put_overlay_if_absent(
    state: MetadataStoreState, op: ops.PutExternalBindingOverlayIfAbsent, _now: int
) -> tuple[MetadataStoreState, bool]:
    op.refuse_arguments()
    overlays = state.overlays.get(op.mob_id, _NO_OVERLAYS)
    key = (op.record.agent_identity, op.record.generation)
    if key in overlays:
        return state, False
    return _with_overlays(state, op.mob_id, overlays.set(key, op.record)), True


def _delete_overlay(
    state: MetadataStoreState, op: ops.DeleteExternalBindingOverlay, _now: int
) -> tuple[MetadataStoreState, None]:
    op.refuse_arguments()
    overlays = state.overlays.get(op.mob_id, _NO_OVERLAYS)
    return _with_overlays(state, op.mob_id, overlays.discard((op.agent_identity, op.generation))), None


def _delete_overlays(
    state: MetadataStoreState, op: ops.DeleteExternalBindingOverlays, _now: int
) -> tuple[MetadataStoreState, None]:
    return attrs.evolve(state, overlays=state.overlays.discard(op.mob_id)), None


# --- specs --------------------------------------------------------------------------------------------------


def _put_spec(state: SpecStoreState, op: ops.PutSpec, _now: int) -> tuple[SpecStoreState, int]:
    _, present = state.specs.get(op.mob_id, (None, 0))
    if op.revision is not None and op.revision != present:
        raise SpecRevisionConflict(op.mob_id, op.revision, present)
    return SpecStoreState(state.specs.set(op.mob_id, (op.definition, present + 1))), present + 1


def _get_spec(
    state: SpecStoreState, op: ops.GetSpec, _now: int
) -> tuple[SpecStoreState, tuple[Document, int] | None]:
    return state, state.specs.get(op.mob_id)


def _list_specs(state: SpecStoreState, _op: Any, _now: int) -> tuple[SpecStoreState, tuple[MobId, ...]]:
    return state, tuple(state.specs)


def _delete_spec(state: SpecStoreState, op: ops.DeleteSpec, _now: int) -> tuple[SpecStoreState, bool]:
    _, present = state.specs.get(op.mob_id, (None, 0))
    if not present or op.revision not in (None, present):
        return state, False
    return SpecStoreState(state.specs.discard(op.mob_id)), True


# --- realm profiles -----------------------------------------------------------------------------------------


def _create_profile(
    state: ProfileStoreState, op: ops.CreateProfile, now: int
) -> tuple[ProfileStoreState, StoredRealmProfile]:
    if op.name in state.profiles:
        raise CasConflict(f"realm profile already exists: {op.name}")
    created = Timestamp.from_nanos(now)
    profile = StoredRealmProfile(op.name, op.profile, 1, created, created)
    return ProfileStoreState(state.profiles.set(op.name, profile)), profile


def _get_profile(
    state: ProfileStoreState, op: ops.GetProfile, _now: int
) -> tuple[ProfileStoreState, StoredRealmProfile | None]:
    return state, state.profiles.get(op.name)


def _list_profiles(
    state: ProfileStoreState, _op: Any, _now: int
) -> tuple[ProfileStoreState, tuple[StoredRealmProfile, ...]]:
    return state, tuple(state.profiles.values())


def expected_profile(
    name: ProfileName, held: StoredRealmProfile | None, expected_revision: int
) -> StoredRealmProfile:
    """Return the profile when it has the expected revision.

    Raises:
        NotFound: there is none.
        CasConflict: it has another revision.
    """
    if held is None:
        raise NotFound(f"realm profile not found: {name}")
    if held.revision != expected_revision:
        raise CasConflict(
            f"realm profile '{name}' revision conflict: expected {expected_revision}, actual {held.revision}"
        )
    return held


def _update_profile(
    state: ProfileStoreState, op: ops.UpdateProfile, now: int
) -> tuple[ProfileStoreState, StoredRealmProfile]:
    held = expected_profile(op.name, state.profiles.get(op.name), op.expected_revision)
    profile = StoredRealmProfile(op.name, op.profile, held.revision + 1, held.created_at, Timestamp.from_nanos(now))
    return ProfileStoreState(state.profiles.set(op.name, profile)), profile


def _delete_profile(
    state: ProfileStoreState, op: ops.DeleteProfile, _now: int
) -> tuple[ProfileStoreState, StoredRealmProfile]:
    held = expected_profile(op.name, state.profiles.get(op.name), op.expected_revision)
    return ProfileStoreState(state.profiles.discard(op.name)), held


HANDLERS: Final[dict[type[ops.Operation[Any]], Handler]] = {
    **{row.operation: row_handler(row) for row in ROWS},
    ops.CreateRun: _create_run,
    ops.GetRun: _get_run,
    ops.ListRuns: _list_runs,
    ops.Append: _append,
    ops.AppendTerminalEventIfAbsent: _append_terminal,
    ops.AppendBatch: _append_batch,
    ops.Poll: _poll,
    ops.ReplayAll: _replay_all,
    ops.LatestCursor: _latest_cursor,
    ops.Subscribe: _subscribe,
    ops.Clear: _clear,
    ops.Prune: _prune,
    ops.LoadSupervisorAuthority: _load_authority,
    ops.PutSupervisorAuthority: _put_authority,
    ops.CompareAndPutSupervisorAuthority: _compare_and_put_authority,
    ops.PutSupervisorAuthorityIfAbsent: _put_authority_if_absent,
    ops.DeleteSupervisorAuthority: _delete_authority,
    ops.ListExternalBindingOverlays: _list_overlays,
    ops.PutExternalBindingOverlayIfAbsent: _put_overlay_if_absent,
    ops.UpsertExternalBindingOverlay: _upsert_overlay,
    ops.DeleteExternalBindingOverlay: _delete_overlay,
    ops.DeleteExternalBindingOverlays: _delete_overlays,
    ops.PutSpec: _put_spec,
    ops.GetSpec: _get_spec,
    ops.ListSpecs: _list_specs,
    ops.DeleteSpec: _delete_spec,
    ops.CreateProfile: _create_profile,
    ops.GetProfile: _get_profile,
    ops.ListProfiles: _list_profiles,
    ops.UpdateProfile: _update_profile,
    ops.DeleteProfile: _delete_profile,
}
"""The meaning of each call, as a function of its store's part of the state."""
