"""Broken backends in memory: keys that are too wide or too narrow, falsy arguments, calls made of other calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from mobstore.model import CasConflict, evolve
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS, EventStoreState, Handler, RunStoreState, terminal_identity
from mobstore.properties.zoo.backend import BrokenBackend, Handlers, in_memory
from mobstore.properties.zoo.in_memory import with_run

BACKENDS: Final[list[BrokenBackend]] = []
"""The broken backends."""


def _add(name: str, mistake: str, chapter: str, changed: Handlers) -> None:
    BACKENDS.append(in_memory(name, mistake, chapter, changed))


# --- what is false in Python ------------------------------------------------------------------------------------


def _any_flow(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    return HANDLERS[ops.ListRuns](state, ops.ListRuns(op.mob_id, op.flow_id or None), now)


def _any_revision(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    return HANDLERS[ops.PutSpec](state, ops.PutSpec(op.mob_id, op.definition, op.revision or None), now)


def _no_limit(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    return HANDLERS[ops.Poll](state, ops.Poll(op.after_cursor, op.limit or 2**32), now)


def _no_expectation(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    if run is None or op.expected:
        return HANDLERS[ops.CasFrameState](state, op, now)
    return with_run(state, run, {"frames": run.frames.set(op.frame_id, op.next)}), True


_add(
    "empty-flow-means-any",
    'list_runs takes the flow "" for no flow',
    "comparisons",
    {ops.ListRuns: _any_flow},
)
_add(
    "revision-zero-means-any",
    "put_spec takes revision 0 for no revision",
    "comparisons",
    {ops.PutSpec: _any_revision},
)
_add("limit-zero-means-all", "poll takes the limit 0 for no limit", "cursors", {ops.Poll: _no_limit})
_add(
    "no-expectation-compares-nothing",
    "cas_frame_state writes over a frame where none is expected",
    "rows",
    {ops.CasFrameState: _no_expectation},
)


# --- terminal events --------------------------------------------------------------------------------------------


def _is_new_kind(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    ops.terminal_key(op.event)
    if any((event.mob_id, event.kind) == (op.event.mob_id, op.event.kind) for event in state.events):
        return state, None
    return HANDLERS[ops.Append](state, ops.Append(op.event), now)


_PAGE: Final = 256


def _ended_on_first_page(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    key = ops.terminal_key(op.event)
    if any(terminal_identity(event) == key for event in state.events[:_PAGE]):
        return state, None
    return HANDLERS[ops.Append](state, ops.Append(op.event), now)


def _terminal_kept(kind: Any) -> Handler:
    """The call, by which what has ended and what has not stays as it was."""

    def handle(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
        changed, answer = HANDLERS[kind](state, op, now)
        return attrs.evolve(changed, terminal=state.terminal), answer

    return handle


_add(
    "terminal-key-with-kind",
    "a flow run that has completed can fail afterwards: the kind is part of the key",
    "comparisons",
    {ops.AppendTerminalEventIfAbsent: _is_new_kind},
)
_add(
    "end-looked-for-on-first-page",
    "whether a flow run has ended is looked for among the first 256 events",
    "comparisons",
    {ops.AppendTerminalEventIfAbsent: _ended_on_first_page},
)
_add(
    "plain-end-forgotten",
    "a terminal event that was appended plainly does not count as the end",
    "comparisons",
    {ops.Append: _terminal_kept(ops.Append)},
)
_add(
    "ended-for-ever",
    "what has ended stays so when the events are cleared",
    "comparisons",
    {ops.Clear: _terminal_kept(ops.Clear)},
)
_add(
    "ended-beyond-pruning",
    "what has ended stays so when its event was pruned",
    "comparisons",
    {ops.Prune: _terminal_kept(ops.Prune)},
)


# --- keys of entries and records --------------------------------------------------------------------------------


def _absent_as_a_whole(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    if run is None or op.entry in list(run.step_ledger):
        return HANDLERS[ops.AppendStepEntryIfAbsent](state, op, now)
    return with_run(state, run, {"step_ledger": run.step_ledger.append(op.entry)}), True


def _same_failure_once(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    run = state.runs.get(op.run_id)
    if run is not None and op.entry in list(run.failure_ledger):
        return state, None
    return HANDLERS[ops.AppendFailureEntry](state, op, now)


def _same_event_once(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    for event in state.events:
        if (event.mob_id, event.kind, event.timestamp) == (op.event.mob_id, op.event.kind, op.event.timestamp):
            return state, event
    return HANDLERS[ops.Append](state, op, now)


def _overlay_keys_joined(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    def joined(mob_id: str, agent: str, generation: int) -> str:
        return f"{mob_id}:{agent}:{generation}"

    held = {joined(mob_id, *key) for mob_id, overlays in state.overlays.items() for key in overlays}
    if joined(op.mob_id, op.record.agent_identity, op.record.generation) in held:
        return state, False
    return HANDLERS[ops.PutExternalBindingOverlayIfAbsent](state, op, now)


def _step_keys_joined(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    def joined(entry: Any) -> str:
        return f"{entry.step_id}/{entry.agent_identity}/{entry.status.value}"

    run = state.runs.get(op.run_id)
    if run is not None and joined(op.entry) in map(joined, run.step_ledger):
        return state, False
    return HANDLERS[ops.AppendStepEntryIfAbsent](state, op, now)


def _iteration_keys_joined(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
    def joined(entry: Any) -> str:
        return f"{entry.loop_instance_id}::{entry.iteration}::{entry.frame_id}"

    run, entry = state.runs.get(op.run_id), op.ledger_entry
    if run is not None and entry is not None and joined(entry) in map(joined, run.loop_iteration_ledger):
        entry = None
    return HANDLERS[ops.UpsertLoopSnapshot](state, attrs.evolve(op, ledger_entry=entry), now)


_add(
    "step-key-is-everything",
    "append_step_entry_if_absent compares the whole entry, its time and output included",
    "rows",
    {ops.AppendStepEntryIfAbsent: _absent_as_a_whole},
)
_add(
    "same-failure-once",
    "append_failure_entry leaves out a failure that was recorded before",
    "rows",
    {ops.AppendFailureEntry: _same_failure_once},
)
_add(
    "same-event-once",
    "append answers the event that is there when it is given an equal one",
    "cursors",
    {ops.Append: _same_event_once},
)
_add(
    "overlay-keys-joined",
    "the key of an overlay is its parts joined with colons, which they may contain",
    "awkward-ids",
    {ops.PutExternalBindingOverlayIfAbsent: _overlay_keys_joined},
)
_add(
    "step-keys-joined",
    "the key of a step's entry is its parts joined with slashes, which they may contain",
    "awkward-ids",
    {ops.AppendStepEntryIfAbsent: _step_keys_joined},
)
_add(
    "iteration-keys-joined",
    "the key of an iteration is its parts joined with two colons, which they may contain",
    "awkward-ids",
    {ops.UpsertLoopSnapshot: _iteration_keys_joined},
)


# --- what is compared -------------------------------------------------------------------------------------------


def _put_if(equal: Callable[[Any, Any], bool]) -> Handler:
    """Replace the authority record when the present one is equal to the expected one in some way."""

    def handle(state: Any, op: Any, now: int) -> tuple[Any, Any]:
        held = state.authorities.get(op.mob_id)
        if held is None or not equal(held, op.expected):
            return state, False
        return HANDLERS[ops.PutSupervisorAuthority](state, ops.PutSupervisorAuthority(op.mob_id, op.record), now)[
            0
        ], True

    return handle


def _same_epoch(left: Any, right: Any) -> bool:
    return bool((left.public_peer_id, left.epoch) == (right.public_peer_id, right.epoch))


def _same_authority(left: Any, right: Any) -> bool:
    return bool(evolve(left, {"pending_rotation": right.pending_rotation}) == right)


_add(
    "compared-by-epoch",
    "compare_and_put_supervisor_authority compares peer and epoch, and not the key",
    "comparisons",
    {ops.CompareAndPutSupervisorAuthority: _put_if(_same_epoch)},
)
_add(
    "pending-rotation-not-compared",
    "compare_and_put_supervisor_authority compares all but the pending rotation",
    "comparisons",
    {ops.CompareAndPutSupervisorAuthority: _put_if(_same_authority)},
)


# --- a default method made of other calls -----------------------------------------------------------------------


def _deleted_and_created(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    state, _ = HANDLERS[ops.DeleteProfile](state, ops.DeleteProfile(op.name, op.expected_revision), now)
    return HANDLERS[ops.CreateProfile](state, ops.CreateProfile(op.name, op.profile), now)


def _deleted_anyway(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    changed, answer = HANDLERS[ops.DeleteSpec](state, op, now)
    return changed, answer or op.mob_id not in state.specs


def _delete_conflicts(state: Any, op: Any, now: int) -> tuple[Any, Any]:
    changed, answer = HANDLERS[ops.DeleteSpec](state, op, now)
    if not answer and op.mob_id in state.specs:
        raise CasConflict(f"spec {op.mob_id} has another revision")
    return changed, answer


_add(
    "update-deletes-and-creates",
    "update removes the profile and creates it again, with revision 1",
    "comparisons",
    {ops.UpdateProfile: _deleted_and_created},
)
_add(
    "absent-spec-deleted",
    "delete_spec answers true when there is nothing to delete",
    "comparisons",
    {ops.DeleteSpec: _deleted_anyway},
)
_add(
    "wrong-revision-is-an-error",
    "delete_spec of a wrong revision is an error, and not false",
    "comparisons",
    {ops.DeleteSpec: _delete_conflicts},
)


# --- counting ---------------------------------------------------------------------------------------------------


def _how_many(state: EventStoreState, _op: Any, _now: int) -> tuple[EventStoreState, Any]:
    return state, len(state.events)


def _from_cursor(state: EventStoreState, op: Any, now: int) -> tuple[EventStoreState, Any]:
    op.refuse_arguments()
    return HANDLERS[ops.Poll](state, ops.Poll(max(op.after_cursor, 1) - 1, op.limit), now)


def _of_iteration(shift: Callable[[int], int]) -> Handler:
    def complete(state: RunStoreState, op: Any, now: int) -> tuple[RunStoreState, Any]:
        op.refuse_arguments()
        if op.loop_context is not None:
            loop_id, iteration = op.loop_context
            op = attrs.evolve(op, loop_context=(loop_id, shift(iteration)))
        return HANDLERS[ops.CasCompleteStepAndRecordOutput](state, op, now)

    return complete


_add(
    "latest-cursor-counts",
    "latest_cursor answers how many events there are",
    "cursors",
    {ops.LatestCursor: _how_many},
)
_add("poll-repeats-its-cursor", "poll answers the event of the cursor, too", "cursors", {ops.Poll: _from_cursor})
_add(
    "iterations-from-one",
    "outputs of a loop are stored under the next iteration",
    "rows",
    {ops.CasCompleteStepAndRecordOutput: _of_iteration(lambda iteration: min(iteration + 1, 1_000_000))},
)
_add(
    "one-iteration-for-all",
    "an output of a loop overwrites that of the iteration before",
    "rows",
    {ops.CasCompleteStepAndRecordOutput: _of_iteration(lambda _: 0)},
)
