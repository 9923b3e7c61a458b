"""Broken backends in memory: the specification with one call done wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from mobstore.model import CasConflict, Document, Internal, Payload, TrieMap, evolve
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS, EventStoreState, RunStoreState
from mobstore.model.values import LoopIterationLedger, MobRun, StepLedger
from mobstore.properties.zoo.backend import BrokenBackend, Handlers, in_memory

BACKENDS: Final[list[BrokenBackend]] = []
"""The broken backends, in the order of the contract."""


def _add(name: str, mistake: str, chapter: str, changed: Handlers) -> None:
    BACKENDS.append(in_memory(name, mistake, chapter, changed))


def _first_entry_output(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    if run is None or run.step_ledger.last(op.step_id) is None:
        return HANDLERS[ops.PutStepOutput](state, op, now)
    entries = list(run.step_ledger)
    place = next(place for place, entry in enumerate(entries) if entry.step_id == op.step_id)
    entries[place] = evolve(entries[place], {"output": op.output})
    return with_run(state, run, {"step_ledger": StepLedger(entries)}), None


def with_run(state: RunStoreState, run: MobRun, changes: Mapping[str, Any]) -> RunStoreState:
    """Return the state with a run changed."""
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
    return with_run(changed, run, {"root_step_outputs": moved}), answer


def _completed_at_moves(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    changed, answer = HANDLERS[ops.CasRunStatus](state, op, now)
    run = changed.runs.get(op.run_id)
    if not answer or run is None or not op.next.is_terminal:
        return changed, answer
    return HANDLERS[ops.CasRunStatus](with_run(state, state.runs[op.run_id], {"completed_at": None}), op, now)


def _list_by_id(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    _, listed = HANDLERS[ops.ListRuns](state, op, now)
    return state, tuple(sorted(listed, key=lambda run: run.run_id))


_add(
    "output-on-first-entry",
    "put_step_output sets the first ledger entry of the step, not the last",
    "rows",
    {ops.PutStepOutput: _first_entry_output},
)
_add(
    "ledger-key-without-status",
    "append_step_entry_if_absent takes (step, agent) for the key, without the status",
    "rows",
    {ops.AppendStepEntryIfAbsent: _absent_by_step_and_agent},
)
_add(
    "output-moved-to-the-end",
    "overwriting an output moves its key to the end of the list",
    "rows",
    {ops.CasCompleteStepAndRecordOutput: _output_moves_to_the_end},
)
_add(
    "completion-time-moves",
    "turning terminal sets completed_at even when the run has one",
    "rows",
    {ops.CasRunStatus: _completed_at_moves},
)
_add(
    "runs-listed-by-id",
    "list_runs answers in the order of the ids, not of creation",
    "comparisons",
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
    "cursors",
    {ops.Append: _cursor_from_length},
)
_add(
    "batch-stops-half-way",
    "append_batch appends one by one, and stops at a terminal event that exists already",
    "cursors",
    {ops.AppendBatch: _batch_stops_half_way},
)
_add(
    "clear-keeps-cursors",
    "clear does not start the cursors again at 1",
    "cursors",
    {ops.Clear: _clear_keeps_counting},
)
_add(
    "prune-takes-equal-times",
    "prune removes events of the very time given",
    "cursors",
    {ops.Prune: _prune_equal_times},
)
_add(
    "terminal-key-without-flow",
    "a second flow of a run cannot end: the terminal key is (mob, run)",
    "comparisons",
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
    return with_run(changed, run, {"loop_iteration_ledger": ledger}), answer


_add(
    "compare-inserts",
    "compare_and_put_supervisor_authority stores the record when there is none",
    "comparisons",
    {ops.CompareAndPutSupervisorAuthority: _insert_on_compare},
)
_add(
    "overlay-key-without-generation",
    "a second generation of an agent cannot have an overlay",
    "comparisons",
    {ops.PutExternalBindingOverlayIfAbsent: _overlay_key_without_generation},
)
_add(
    "generation-sorted-as-text",
    "overlays are listed with generation 10 before 2",
    "comparisons",
    {ops.ListExternalBindingOverlays: _overlay_generation_as_text},
)
_add(
    "delete-ignores-revision",
    "delete_spec removes any revision",
    "comparisons",
    {ops.DeleteSpec: _delete_ignores_revision},
)
_add(
    "deleted-spec-stays",
    "delete_spec leaves the definition there",
    "comparisons",
    {ops.DeleteSpec: _revision_goes_on},
)
_add("creation-time-moves", "update moves created_at", "comparisons", {ops.UpdateProfile: _created_at_moves})
_add(
    "names-ignore-case-and-blanks",
    "profile names are compared without case and trailing blanks",
    "comparisons",
    {ops.CreateProfile: _names_ignore_case},
)
_add(
    "integers-as-doubles",
    "integers above 2^53 lose their last digits",
    "values",
    {ops.PutSpec: _integers_as_doubles},
)
_add(
    "negative-zero-lost",
    "the payload -0.0 comes back as 0.0",
    "rows",
    {ops.PutStepOutput: _negative_zero_lost},
)
_add("microsecond-times", "times of events are cut to microseconds", "values", {ops.Append: _microseconds})
_add(
    "one-ledger-for-every-loop",
    "the iteration ledger's key is (iteration, frame), without the loop instance",
    "rows",
    {ops.UpsertLoopSnapshot: _one_ledger_for_every_loop},
)
