"""The zoo: broken backends, each one a plausible mistake, each of which the suite must reject.

A check is believed as far as it has caught something.  Most are made by turning a row of the wrapper table, or
one function of the specification; the rest serve a specification of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.model import CasConflict, Document, Internal, Operation, Payload, TrieMap, evolve
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS, EventStoreState, Handler, RunStoreState, row_handler
from mobstore.model.values import LoopIterationLedger, MobRun, StepLedger
from mobstore.model.wrappers import ROWS, Append, Cell, Comparison, NotTerminal, Row, Unknown, Write

Handlers: TypeAlias = Mapping[type[Operation[Any]], Handler]
_ROWS: Final[Mapping[type[Operation[Any]], Row]] = {row.operation: row for row in ROWS}


@attrs.frozen
class BrokenBackend:
    """A backend with one mistake.

    ``group`` is the rule group that must catch it, ``handlers`` what it serves.
    """

    name: str
    mistake: str
    group: str
    handlers: Handlers

    def __call__(self) -> BrokenFactory:
        """Return a factory of it, as `Context.make` does."""
        return BrokenFactory(self)


class BrokenFactory:
    """Opens a broken backend in memory."""

    def __init__(self, backend: BrokenBackend) -> None:
        self.name = backend.name
        self._backend = backend
        self._stores: Stores | None = None

    def open(self, clock: Clock) -> Stores:
        """Return a handle on the one storage."""
        if self._stores is None:
            self._stores = Stores(MemoryEngine(clock, self._backend.handlers))
        return self._stores

    def destroy(self) -> None:
        """Forget the storage."""
        self._stores = None


ZOO: Final[dict[str, BrokenBackend]] = {}
"""The broken backends by name."""


def _add(name: str, mistake: str, group: str, changed: Handlers) -> None:
    ZOO[name] = BrokenBackend(name, mistake, group, {**HANDLERS, **changed})


# --- rows turned ------------------------------------------------------------------------------------------------


def without_comparison(row: Row, dropped: Comparison) -> Row:
    """Return the row without one comparison."""
    return attrs.evolve(row, comparisons=tuple(item for item in row.comparisons if item != dropped))


def without_write(row: Row, dropped: Write) -> Row:
    """Return the row without one write."""
    return attrs.evolve(row, writes=tuple(item for item in row.writes if item != dropped))


def _row(operation: type[Operation[Any]], turn: Callable[[Row], Row]) -> Handlers:
    return {operation: row_handler(turn(_ROWS[operation]))}


def _forget_comparison(cell: Cell) -> Callable[[Row], Row]:
    def turn(row: Row) -> Row:
        return without_comparison(row, next(item for item in row.comparisons if item.cell is cell))

    return turn


def _forget_write(cell: Cell) -> Callable[[Row], Row]:
    def turn(row: Row) -> Row:
        return without_write(row, next(item for item in row.writes if item.cell is cell))

    return turn


_add(
    "loop-completion-ignores-parent-frame",
    "cas_complete_loop compares the loop and the flow state, but not the parent frame",
    "run-loops",
    _row(ops.CasCompleteLoop, _forget_comparison(Cell.FRAME)),
)
_add(
    "loop-started-twice",
    "cas_start_loop does not compare that the loop is absent",
    "run-loops",
    _row(ops.CasStartLoop, _forget_comparison(Cell.LOOP)),
)
_add(
    "body-frame-without-ledger-entry",
    "cas_grant_body_frame_start commits without its iteration ledger entry",
    "run-loops",
    _row(ops.CasGrantBodyFrameStart, _forget_write(Cell.ITERATION_LEDGER)),
)
_add(
    "slot-granted-without-flow-state",
    "cas_grant_node_slot writes the frame and forgets the flow state",
    "run-frames",
    _row(ops.CasGrantNodeSlot, _forget_write(Cell.FLOW_STATE)),
)
_add(
    "authority-log-forgotten",
    "cas_frame_state_with_authority commits the frame and drops the authority inputs",
    "run-frames",
    _row(ops.CasFrameStateWithAuthority, _forget_write(Cell.AUTHORITY_LOG)),
)
_add(
    "terminal-run-revived",
    "cas_run_snapshot does not look whether the present status is terminal",
    "run-lifecycle",
    _row(ops.CasRunSnapshot, lambda row: without_comparison(row, NotTerminal())),
)
_add(
    "flow-state-frozen-by-terminal-status",
    "cas_flow_state is refused once the run is terminal",
    "run-lifecycle",
    _row(ops.CasFlowState, lambda row: attrs.evolve(row, comparisons=(*row.comparisons, NotTerminal()))),
)
_add(
    "unknown-run-answers-false",
    "cas_frame_state answers false for a run that does not exist",
    "run-frames",
    _row(ops.CasFrameState, lambda row: attrs.evolve(row, unknown=Unknown.FALSE)),
)


def _append_always(row: Row) -> Row:
    writes = (attrs.evolve(item, once=False) if isinstance(item, Append) else item for item in row.writes)
    return attrs.evolve(row, writes=tuple(writes))


_add(
    "iteration-recorded-twice",
    "a replayed body frame start appends its ledger entry again",
    "run-loops",
    _row(ops.CasGrantBodyFrameStart, _append_always),
)


# --- the specification with one function wrong ------------------------------------------------------------------


def _first_entry_output(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    if run is None or run.step_ledger.last(op.step_id) is None:
        return HANDLERS[ops.PutStepOutput](state, op, now)
    entries = list(run.step_ledger)
    place = next(place for place, entry in enumerate(entries) if entry.step_id == op.step_id)
    entries[place] = evolve(entries[place], {"output": op.output})
    return _with_run(state, run, {"step_ledger": StepLedger(entries)}), None


def _with_run(state: RunStoreState, run: MobRun, changes: Mapping[str, Any]) -> RunStoreState:
    return RunStoreState(state.runs.insert(run.run_id, evolve(run, changes)), state.of_mob)


def _absent_by_step_and_agent(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    entry = op.entry
    if run is not None and any(
        (held.step_id, held.agent_identity) == (entry.step_id, entry.agent_identity) for held in run.step_ledger
    ):
        return state, False
    return HANDLERS[ops.AppendStepEntryIfAbsent](state, op, now)


def _output_moves_to_the_end(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    changed, answer = HANDLERS[ops.CasCompleteStepAndRecordOutput](state, op, now)
    if not answer or op.loop_context is not None:
        return changed, answer
    run = changed.runs[op.run_id]
    outputs = {key: value for key, value in run.root_step_outputs.items() if key != op.step_output_key}
    moved = type(run.root_step_outputs)({**outputs, op.step_output_key: op.step_output})
    return _with_run(changed, run, {"root_step_outputs": moved}), answer


def _completed_at_moves(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    changed, answer = HANDLERS[ops.CasRunStatus](state, op, now)
    run = changed.runs.get(op.run_id)
    if not answer or run is None or not op.next.is_terminal:
        return changed, answer
    return HANDLERS[ops.CasRunStatus](_with_run(state, state.runs[op.run_id], {"completed_at": None}), op, now)


def _list_by_id(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    _, listed = HANDLERS[ops.ListRuns](state, op, now)
    return state, tuple(sorted(listed, key=lambda run: run.run_id))


_add(
    "output-on-first-entry",
    "put_step_output sets the first ledger entry of the step, not the last",
    "run-ledgers",
    {ops.PutStepOutput: _first_entry_output},
)
_add(
    "ledger-key-without-status",
    "append_step_entry_if_absent takes (step, agent) for the key, without the status",
    "run-ledgers",
    {ops.AppendStepEntryIfAbsent: _absent_by_step_and_agent},
)
_add(
    "output-moved-to-the-end",
    "overwriting an output moves its key to the end of the list",
    "run-frames",
    {ops.CasCompleteStepAndRecordOutput: _output_moves_to_the_end},
)
_add(
    "completion-time-moves",
    "turning terminal sets completed_at even when the run has one",
    "run-lifecycle",
    {ops.CasRunStatus: _completed_at_moves},
)
_add(
    "runs-listed-by-id",
    "list_runs answers in the order of the ids, not of creation",
    "run-lifecycle",
    {ops.ListRuns: _list_by_id},
)


def _cursor_from_length(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    latest = state.events[-1].cursor if state.events else 0
    return HANDLERS[ops.Append](attrs.evolve(state, next_cursor=latest + 1), op, now)


def _batch_stops_half_way(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    added: list[Any] = []
    for event in op.events:
        try:
            state, one = HANDLERS[ops.AppendTerminalEventIfAbsent](
                state, ops.AppendTerminalEventIfAbsent(event), now
            )
        except Internal:
            state, one = HANDLERS[ops.Append](state, ops.Append(event), now)
        if one is None:
            break
        added.append(one)
    return state, tuple(added)


def _clear_keeps_counting(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    changed, answer = HANDLERS[ops.Clear](state, op, now)
    return attrs.evolve(changed, next_cursor=state.next_cursor), answer


def _prune_equal_times(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    equal = [event for event in state.events if event.timestamp == op.older_than]
    changed, removed = HANDLERS[ops.Prune](state, op, now)
    kept = [event for event in changed.events if event.timestamp != op.older_than]
    return attrs.evolve(changed, events=type(state.events)(kept)), removed + len(equal)


def _one_terminal_event_a_run(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    mob_id, run_id, _ = ops.terminal_key(op.event)
    if any((mob_id, run_id) == key[:2] for key in state.terminal):
        return state, None
    return HANDLERS[ops.AppendTerminalEventIfAbsent](state, op, now)


_add(
    "cursor-reused-after-prune",
    "the next cursor is one above the last event that is left",
    "event",
    {ops.Append: _cursor_from_length},
)
_add(
    "batch-stops-half-way",
    "append_batch appends one by one, and stops at a terminal event that exists already",
    "event",
    {ops.AppendBatch: _batch_stops_half_way},
)
_add(
    "clear-keeps-cursors",
    "clear does not start the cursors again at 1",
    "event",
    {ops.Clear: _clear_keeps_counting},
)
_add(
    "prune-takes-equal-times",
    "prune removes events of the very time given",
    "event",
    {ops.Prune: _prune_equal_times},
)
_add(
    "terminal-key-without-flow",
    "a second flow of a run cannot end: the terminal key is (mob, run)",
    "event",
    {ops.AppendTerminalEventIfAbsent: _one_terminal_event_a_run},
)


def _insert_on_compare(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    if op.mob_id not in state.authorities:
        return HANDLERS[ops.PutSupervisorAuthorityIfAbsent](
            state, ops.PutSupervisorAuthorityIfAbsent(op.mob_id, op.record), now
        )
    return HANDLERS[ops.CompareAndPutSupervisorAuthority](state, op, now)


def _overlay_key_without_generation(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    held = state.overlays.get(op.mob_id, TrieMap())
    if any(agent == op.record.agent_identity for agent, _ in held):
        return state, False
    return HANDLERS[ops.PutExternalBindingOverlayIfAbsent](state, op, now)


def _overlay_generation_as_text(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    _, listed = HANDLERS[ops.ListExternalBindingOverlays](state, op, now)
    return state, tuple(sorted(listed, key=lambda item: (item.agent_identity, str(item.generation))))


def _delete_ignores_revision(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    return HANDLERS[ops.DeleteSpec](state, ops.DeleteSpec(op.mob_id), now)


def _revision_goes_on(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    changed, answer = HANDLERS[ops.DeleteSpec](state, op, now)
    if not answer:
        return changed, answer
    definition, revision = state.specs[op.mob_id]
    return attrs.evolve(changed, specs=changed.specs.set(op.mob_id, (definition, revision + 1))), answer


def _created_at_moves(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    changed, profile = HANDLERS[ops.UpdateProfile](state, op, now)
    moved = evolve(profile, {"created_at": profile.updated_at})
    return attrs.evolve(changed, profiles=changed.profiles.set(op.name, moved)), moved


def _names_ignore_case(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    if any(name.casefold().strip() == op.name.casefold().strip() for name in state.profiles):
        raise CasConflict(f"realm profile already exists: {op.name}")
    return HANDLERS[ops.CreateProfile](state, op, now)


def _doubles(value: Any) -> Any:
    """What a JSON library does that has nothing but doubles."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(float(value)) if abs(value) < 2**63 else float(value)
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    return [_doubles(item) for item in value] if isinstance(value, list) else value


def _integers_as_doubles(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    lossy = Document.of(_doubles(op.definition.value))
    return HANDLERS[ops.PutSpec](state, ops.PutSpec(op.mob_id, lossy, op.revision), now)


def _negative_zero_lost(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    value = op.output.value
    output = Payload.of(0.0 if value == 0 and isinstance(value, float) else value)
    return HANDLERS[ops.PutStepOutput](state, ops.PutStepOutput(op.run_id, op.step_id, output), now)


def _microseconds(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    time = op.event.timestamp
    cut = None if time is None else attrs.evolve(time, nanos=time.nanos // 1000 * 1000)
    return HANDLERS[ops.Append](state, ops.Append(evolve(op.event, {"timestamp": cut})), now)


def _one_ledger_for_every_loop(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    changed, answer = HANDLERS[ops.UpsertLoopSnapshot](state, op, now)
    run = changed.runs[op.run_id]
    if op.ledger_entry is None:
        return changed, answer
    kept = {(item.iteration, item.frame_id): item for item in reversed(run.loop_iteration_ledger)}
    ledger = LoopIterationLedger(reversed(kept.values()))
    return _with_run(changed, run, {"loop_iteration_ledger": ledger}), answer


_add(
    "compare-inserts",
    "compare_and_put_supervisor_authority stores the record when there is none",
    "metadata-supervisor",
    {ops.CompareAndPutSupervisorAuthority: _insert_on_compare},
)
_add(
    "overlay-key-without-generation",
    "a second generation of an agent cannot have an overlay",
    "metadata-overlay",
    {ops.PutExternalBindingOverlayIfAbsent: _overlay_key_without_generation},
)
_add(
    "generation-sorted-as-text",
    "overlays are listed with generation 10 before 2",
    "metadata-overlay",
    {ops.ListExternalBindingOverlays: _overlay_generation_as_text},
)
_add(
    "delete-ignores-revision",
    "delete_spec removes any revision",
    "spec",
    {ops.DeleteSpec: _delete_ignores_revision},
)
_add("deleted-spec-stays", "delete_spec leaves the definition there", "spec", {ops.DeleteSpec: _revision_goes_on})
_add("creation-time-moves", "update moves created_at", "profile", {ops.UpdateProfile: _created_at_moves})
_add(
    "names-ignore-case-and-blanks",
    "profile names are compared without case and trailing blanks",
    "profile",
    {ops.CreateProfile: _names_ignore_case},
)
_add(
    "integers-as-doubles", "integers above 2^53 lose their last digits", "spec", {ops.PutSpec: _integers_as_doubles}
)
_add(
    "negative-zero-lost",
    "the payload -0.0 comes back as 0.0",
    "run-ledgers",
    {ops.PutStepOutput: _negative_zero_lost},
)
_add("microsecond-times", "times of events are cut to microseconds", "event", {ops.Append: _microseconds})
_add(
    "one-ledger-for-every-loop",
    "the iteration ledger's key is (iteration, frame), without the loop instance",
    "run-loops",
    {ops.UpsertLoopSnapshot: _one_ledger_for_every_loop},
)
