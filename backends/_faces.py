"""The ports' methods, each of which makes its operation and executes it.

Made from the operations by `mobstore.properties.generate`: do not edit.
"""

# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from mobstore.backends._base import AsyncExecute, AsyncSubscription, Execute, Subscription
from mobstore.model import operations as ops
from mobstore.model._json import Document, JsonValue, Payload
from mobstore.model._time import Timestamp
from mobstore.model.values import (
    AgentIdentity,
    ExternalBindingOverlayRecord,
    FailureLedgerEntry,
    FlowId,
    FlowRunState,
    FrameId,
    FrameSnapshot,
    LoopId,
    LoopInstanceId,
    LoopIterationLedgerEntry,
    LoopSnapshot,
    MobEvent,
    MobId,
    MobMachineInput,
    MobRun,
    MobRunStatus,
    NewMobEvent,
    ProfileName,
    RunId,
    StepId,
    StepLedgerEntry,
    StoredRealmProfile,
    SupervisorAuthorityRecord,
)


class RunStoreFace:
    """The run store (contract, section 4)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def create_run(self, run: MobRun) -> None:
        """Store a new run; `Internal` when one with its id exists."""
        return self._execute(ops.CreateRun(run))

    def get_run(self, run_id: RunId | UUID | str) -> MobRun | None:
        """Answer the run as it is now, or None."""
        return self._execute(ops.GetRun(run_id))

    def list_runs(self, mob_id: MobId, flow_id: FlowId | None = None) -> tuple[MobRun, ...]:
        """Answer the runs of a mob, and of a flow if one is named, in the order of their creation."""
        return self._execute(ops.ListRuns(mob_id, flow_id))

    def cas_run_status(self, run_id: RunId | UUID | str, expected: MobRunStatus, next: MobRunStatus) -> bool:
        """Replace an expected status that is not terminal."""
        return self._execute(ops.CasRunStatus(run_id, expected, next))

    def cas_flow_state(self, run_id: RunId | UUID | str, expected: FlowRunState, next: FlowRunState) -> bool:
        """Replace an expected flow state, whatever the status."""
        return self._execute(ops.CasFlowState(run_id, expected, next))

    def cas_flow_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected: FlowRunState,
        next: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFlowState`, and append the authority inputs in the same step."""
        return self._execute(ops.CasFlowStateWithAuthority(run_id, expected, next, authority_inputs))

    def cas_run_snapshot(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
    ) -> bool:
        """Replace an expected status and flow state together; the status must not be terminal."""
        return self._execute(
            ops.CasRunSnapshot(run_id, expected_status, expected_flow_state, next_status, next_flow_state)
        )

    def cas_run_snapshot_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasRunSnapshot`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasRunSnapshotWithAuthority(
                run_id, expected_status, expected_flow_state, next_status, next_flow_state, authority_inputs
            )
        )

    def append_step_entry(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> None:
        """Append to the step ledger."""
        return self._execute(ops.AppendStepEntry(run_id, entry))

    def append_step_entry_if_absent(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> bool:
        """Append to the step ledger unless it has an entry of the same step, agent and status."""
        return self._execute(ops.AppendStepEntryIfAbsent(run_id, entry))

    def put_step_output(self, run_id: RunId | UUID | str, step_id: StepId, output: Payload | JsonValue) -> None:
        """Set the output of the last ledger entry of a step; `Internal` when the step has none."""
        return self._execute(ops.PutStepOutput(run_id, step_id, output))

    def append_failure_entry(self, run_id: RunId | UUID | str, entry: FailureLedgerEntry) -> None:
        """Append to the failure ledger."""
        return self._execute(ops.AppendFailureEntry(run_id, entry))

    def upsert_loop_snapshot(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        snapshot: LoopSnapshot,
        ledger_entry: LoopIterationLedgerEntry | None = None,
    ) -> None:
        """Set a loop, whatever it was, and record its iteration once."""
        return self._execute(ops.UpsertLoopSnapshot(run_id, loop_instance_id, snapshot, ledger_entry))

    def cas_frame_state(
        self, run_id: RunId | UUID | str, frame_id: FrameId, expected: FrameSnapshot | None, next: FrameSnapshot
    ) -> bool:
        """Wrapper 1: replace an expected frame, or insert one that is expected to be absent."""
        return self._execute(ops.CasFrameState(run_id, frame_id, expected, next))

    def cas_frame_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected: FrameSnapshot | None,
        next: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFrameState`, and append the authority inputs in the same step."""
        return self._execute(ops.CasFrameStateWithAuthority(run_id, frame_id, expected, next, authority_inputs))

    def cas_grant_node_slot(
        self,
        run_id: RunId | UUID | str,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
    ) -> bool:
        """Wrapper 2: replace an expected flow state and frame together."""
        return self._execute(
            ops.CasGrantNodeSlot(run_id, expected_run_state, next_run_state, frame_id, expected_frame, next_frame)
        )

    def cas_grant_node_slot_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasGrantNodeSlot`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasGrantNodeSlotWithAuthority(
                run_id, expected_run_state, next_run_state, frame_id, expected_frame, next_frame, authority_inputs
            )
        )

    def cas_complete_step_and_record_output(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        step_output_key: str,
        step_output: Payload | JsonValue,
        loop_context: tuple[LoopId, int] | None = None,
    ) -> bool:
        """Wrapper 3: replace an expected frame and record an output, at the root or of a loop's iteration."""
        return self._execute(
            ops.CasCompleteStepAndRecordOutput(
                run_id, frame_id, expected_frame, next_frame, step_output_key, step_output, loop_context
            )
        )

    def cas_complete_step_and_record_output_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        step_output_key: str,
        step_output: Payload | JsonValue,
        loop_context: tuple[LoopId, int] | None,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteStepAndRecordOutput`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasCompleteStepAndRecordOutputWithAuthority(
                run_id,
                frame_id,
                expected_frame,
                next_frame,
                step_output_key,
                step_output,
                loop_context,
                authority_inputs,
            )
        )

    def cas_start_loop(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        initial_loop: LoopSnapshot,
    ) -> bool:
        """Wrapper 4: replace an expected flow state and frame, and insert a loop that must be absent."""
        return self._execute(
            ops.CasStartLoop(
                run_id,
                loop_instance_id,
                expected_run_state,
                next_run_state,
                frame_id,
                expected_frame,
                next_frame,
                initial_loop,
            )
        )

    def cas_start_loop_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        initial_loop: LoopSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasStartLoop`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasStartLoopWithAuthority(
                run_id,
                loop_instance_id,
                expected_run_state,
                next_run_state,
                frame_id,
                expected_frame,
                next_frame,
                initial_loop,
                authority_inputs,
            )
        )

    def cas_loop_request_body_frame(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 5: replace an expected flow state and loop together."""
        return self._execute(
            ops.CasLoopRequestBodyFrame(
                run_id, loop_instance_id, expected_loop, next_loop, expected_run_state, next_run_state
            )
        )

    def cas_loop_request_body_frame_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasLoopRequestBodyFrame`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasLoopRequestBodyFrameWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    def cas_grant_body_frame_start(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        initial_frame: FrameSnapshot,
        ledger_entry: LoopIterationLedgerEntry,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 6: replace an expected flow state and loop, insert an absent frame, record the iteration once."""
        return self._execute(
            ops.CasGrantBodyFrameStart(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                initial_frame,
                ledger_entry,
                expected_run_state,
                next_run_state,
            )
        )

    def cas_grant_body_frame_start_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        initial_frame: FrameSnapshot,
        ledger_entry: LoopIterationLedgerEntry,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasGrantBodyFrameStart`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasGrantBodyFrameStartWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                initial_frame,
                ledger_entry,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    def cas_complete_body_frame(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 7: replace an expected flow state, loop and body frame together."""
        return self._execute(
            ops.CasCompleteBodyFrame(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
            )
        )

    def cas_complete_body_frame_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteBodyFrame`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasCompleteBodyFrameWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    def cas_complete_loop(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 8: replace an expected flow state, loop and parent frame together."""
        return self._execute(
            ops.CasCompleteLoop(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
            )
        )

    def cas_complete_loop_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteLoop`, and append the authority inputs in the same step."""
        return self._execute(
            ops.CasCompleteLoopWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )


class EventStoreFace:
    """The event store (contract, section 5)."""

    __slots__ = ("_execute", "_subscribe")

    def __init__(self, execute: Execute, subscribe: Callable[[], Subscription]) -> None:
        self._execute = execute
        self._subscribe = subscribe

    def append(self, event: NewMobEvent) -> MobEvent:
        """Append an event; answer it with its cursor, and with the store's time where it had none."""
        return self._execute(ops.Append(event))

    def append_terminal_event_if_absent(self, event: NewMobEvent) -> MobEvent | None:
        """Append a terminal event of a flow run unless one exists for its (mob, run, flow); then answer None."""
        return self._execute(ops.AppendTerminalEventIfAbsent(event))

    def append_batch(self, events: Sequence[NewMobEvent]) -> tuple[MobEvent, ...]:
        """Append all events with consecutive cursors, or none."""
        return self._execute(ops.AppendBatch(events))

    def poll(self, after_cursor: int, limit: int) -> tuple[MobEvent, ...]:
        """Answer at most ``limit`` events with a larger cursor, in order."""
        return self._execute(ops.Poll(after_cursor, limit))

    def replay_all(self) -> tuple[MobEvent, ...]:
        """Answer every event, in order."""
        return self._execute(ops.ReplayAll())

    def latest_cursor(self) -> int:
        """Answer the cursor of the last event, or 0 when there is none."""
        return self._execute(ops.LatestCursor())

    def subscribe(self) -> Subscription:
        """Begin to deliver every event appended from now on, through any handle on the same storage."""
        return self._subscribe()

    def clear(self) -> None:
        """Remove every event; cursors start again at 1."""
        return self._execute(ops.Clear())

    def prune(self, older_than: Timestamp | datetime) -> int:
        """Remove the events with an earlier time; answer how many.  Cursors go on from where they were."""
        return self._execute(ops.Prune(older_than))


class RuntimeMetadataStoreFace:
    """The metadata store (contract, section 6)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def load_supervisor_authority(self, mob_id: MobId) -> SupervisorAuthorityRecord | None:
        """Answer the authority record of a mob, or None."""
        return self._execute(ops.LoadSupervisorAuthority(mob_id))

    def put_supervisor_authority(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> None:
        """Set the authority record of a mob, whatever it was."""
        return self._execute(ops.PutSupervisorAuthority(mob_id, record))

    def compare_and_put_supervisor_authority(
        self, mob_id: MobId, expected: SupervisorAuthorityRecord, record: SupervisorAuthorityRecord
    ) -> bool:
        """Replace an authority record that equals the expected one."""
        return self._execute(ops.CompareAndPutSupervisorAuthority(mob_id, expected, record))

    def put_supervisor_authority_if_absent(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> bool:
        """Set the authority record of a mob that has none."""
        return self._execute(ops.PutSupervisorAuthorityIfAbsent(mob_id, record))

    def delete_supervisor_authority(self, mob_id: MobId) -> None:
        """Remove the authority record of a mob, if it has one."""
        return self._execute(ops.DeleteSupervisorAuthority(mob_id))

    def list_external_binding_overlays(self, mob_id: MobId) -> tuple[ExternalBindingOverlayRecord, ...]:
        """Answer the overlays of a mob in the order of (agent identity, generation)."""
        return self._execute(ops.ListExternalBindingOverlays(mob_id))

    def put_external_binding_overlay_if_absent(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> bool:
        """Set an overlay unless one exists for its (mob, agent identity, generation)."""
        return self._execute(ops.PutExternalBindingOverlayIfAbsent(mob_id, record))

    def upsert_external_binding_overlay(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> None:
        """Set an overlay, whatever it was."""
        return self._execute(ops.UpsertExternalBindingOverlay(mob_id, record))

    def delete_external_binding_overlay(
        self, mob_id: MobId, agent_identity: AgentIdentity, generation: int
    ) -> None:
        """Remove one overlay, if it exists."""
        return self._execute(ops.DeleteExternalBindingOverlay(mob_id, agent_identity, generation))

    def delete_external_binding_overlays(self, mob_id: MobId) -> None:
        """Remove every overlay of a mob."""
        return self._execute(ops.DeleteExternalBindingOverlays(mob_id))


class SpecStoreFace:
    """The spec store (contract, section 7)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def put_spec(self, mob_id: MobId, definition: Document | JsonValue, revision: int | None = None) -> int:
        """Set the definition of a mob and answer its new revision; `SpecRevisionConflict` on a wrong one."""
        return self._execute(ops.PutSpec(mob_id, definition, revision))

    def get_spec(self, mob_id: MobId) -> tuple[Document, int] | None:
        """Answer the definition of a mob and its revision, or None."""
        return self._execute(ops.GetSpec(mob_id))

    def list_specs(self) -> tuple[MobId, ...]:
        """Answer the mobs that have a definition, in order."""
        return self._execute(ops.ListSpecs())

    def delete_spec(self, mob_id: MobId, revision: int | None = None) -> bool:
        """Remove a definition; ``False`` when there is none, or on a wrong revision."""
        return self._execute(ops.DeleteSpec(mob_id, revision))


class RealmProfileStoreFace:
    """The profile store (contract, section 7)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def create(self, name: ProfileName, profile: Document | JsonValue) -> StoredRealmProfile:
        """Create a realm profile with revision 1; `CasConflict` when its name exists."""
        return self._execute(ops.CreateProfile(name, profile))

    def get(self, name: ProfileName) -> StoredRealmProfile | None:
        """Answer a realm profile, or None."""
        return self._execute(ops.GetProfile(name))

    def list(self) -> tuple[StoredRealmProfile, ...]:
        """Answer the realm profiles in the order of their names."""
        return self._execute(ops.ListProfiles())

    def update(
        self, name: ProfileName, profile: Document | JsonValue, expected_revision: int
    ) -> StoredRealmProfile:
        """Replace a realm profile of the expected revision; `NotFound`, or `CasConflict` on another revision."""
        return self._execute(ops.UpdateProfile(name, profile, expected_revision))

    def delete(self, name: ProfileName, expected_revision: int) -> StoredRealmProfile:
        """Remove a realm profile of the expected revision and answer it; errors as of `UpdateProfile`."""
        return self._execute(ops.DeleteProfile(name, expected_revision))


class AsyncRunStoreFace:
    """The run store (contract, section 4)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: AsyncExecute) -> None:
        self._execute = execute

    async def create_run(self, run: MobRun) -> None:
        """Store a new run; `Internal` when one with its id exists."""
        return await self._execute(ops.CreateRun(run))

    async def get_run(self, run_id: RunId | UUID | str) -> MobRun | None:
        """Answer the run as it is now, or None."""
        return await self._execute(ops.GetRun(run_id))

    async def list_runs(self, mob_id: MobId, flow_id: FlowId | None = None) -> tuple[MobRun, ...]:
        """Answer the runs of a mob, and of a flow if one is named, in the order of their creation."""
        return await self._execute(ops.ListRuns(mob_id, flow_id))

    async def cas_run_status(self, run_id: RunId | UUID | str, expected: MobRunStatus, next: MobRunStatus) -> bool:
        """Replace an expected status that is not terminal."""
        return await self._execute(ops.CasRunStatus(run_id, expected, next))

    async def cas_flow_state(self, run_id: RunId | UUID | str, expected: FlowRunState, next: FlowRunState) -> bool:
        """Replace an expected flow state, whatever the status."""
        return await self._execute(ops.CasFlowState(run_id, expected, next))

    async def cas_flow_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected: FlowRunState,
        next: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFlowState`, and append the authority inputs in the same step."""
        return await self._execute(ops.CasFlowStateWithAuthority(run_id, expected, next, authority_inputs))

    async def cas_run_snapshot(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
    ) -> bool:
        """Replace an expected status and flow state together; the status must not be terminal."""
        return await self._execute(
            ops.CasRunSnapshot(run_id, expected_status, expected_flow_state, next_status, next_flow_state)
        )

    async def cas_run_snapshot_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasRunSnapshot`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasRunSnapshotWithAuthority(
                run_id, expected_status, expected_flow_state, next_status, next_flow_state, authority_inputs
            )
        )

    async def append_step_entry(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> None:
        """Append to the step ledger."""
        return await self._execute(ops.AppendStepEntry(run_id, entry))

    async def append_step_entry_if_absent(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> bool:
        """Append to the step ledger unless it has an entry of the same step, agent and status."""
        return await self._execute(ops.AppendStepEntryIfAbsent(run_id, entry))

    async def put_step_output(
        self, run_id: RunId | UUID | str, step_id: StepId, output: Payload | JsonValue
    ) -> None:
        """Set the output of the last ledger entry of a step; `Internal` when the step has none."""
        return await self._execute(ops.PutStepOutput(run_id, step_id, output))

    async def append_failure_entry(self, run_id: RunId | UUID | str, entry: FailureLedgerEntry) -> None:
        """Append to the failure ledger."""
        return await self._execute(ops.AppendFailureEntry(run_id, entry))

    async def upsert_loop_snapshot(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        snapshot: LoopSnapshot,
        ledger_entry: LoopIterationLedgerEntry | None = None,
    ) -> None:
        """Set a loop, whatever it was, and record its iteration once."""
        return await self._execute(ops.UpsertLoopSnapshot(run_id, loop_instance_id, snapshot, ledger_entry))

    async def cas_frame_state(
        self, run_id: RunId | UUID | str, frame_id: FrameId, expected: FrameSnapshot | None, next: FrameSnapshot
    ) -> bool:
        """Wrapper 1: replace an expected frame, or insert one that is expected to be absent."""
        return await self._execute(ops.CasFrameState(run_id, frame_id, expected, next))

    async def cas_frame_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected: FrameSnapshot | None,
        next: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFrameState`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasFrameStateWithAuthority(run_id, frame_id, expected, next, authority_inputs)
        )

    async def cas_grant_node_slot(
        self,
        run_id: RunId | UUID | str,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
    ) -> bool:
        """Wrapper 2: replace an expected flow state and frame together."""
        return await self._execute(
            ops.CasGrantNodeSlot(run_id, expected_run_state, next_run_state, frame_id, expected_frame, next_frame)
        )

    async def cas_grant_node_slot_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasGrantNodeSlot`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasGrantNodeSlotWithAuthority(
                run_id, expected_run_state, next_run_state, frame_id, expected_frame, next_frame, authority_inputs
            )
        )

    async def cas_complete_step_and_record_output(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        step_output_key: str,
        step_output: Payload | JsonValue,
        loop_context: tuple[LoopId, int] | None = None,
    ) -> bool:
        """Wrapper 3: replace an expected frame and record an output, at the root or of a loop's iteration."""
        return await self._execute(
            ops.CasCompleteStepAndRecordOutput(
                run_id, frame_id, expected_frame, next_frame, step_output_key, step_output, loop_context
            )
        )

    async def cas_complete_step_and_record_output_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        step_output_key: str,
        step_output: Payload | JsonValue,
        loop_context: tuple[LoopId, int] | None,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteStepAndRecordOutput`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasCompleteStepAndRecordOutputWithAuthority(
                run_id,
                frame_id,
                expected_frame,
                next_frame,
                step_output_key,
                step_output,
                loop_context,
                authority_inputs,
            )
        )

    async def cas_start_loop(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        initial_loop: LoopSnapshot,
    ) -> bool:
        """Wrapper 4: replace an expected flow state and frame, and insert a loop that must be absent."""
        return await self._execute(
            ops.CasStartLoop(
                run_id,
                loop_instance_id,
                expected_run_state,
                next_run_state,
                frame_id,
                expected_frame,
                next_frame,
                initial_loop,
            )
        )

    async def cas_start_loop_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        initial_loop: LoopSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasStartLoop`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasStartLoopWithAuthority(
                run_id,
                loop_instance_id,
                expected_run_state,
                next_run_state,
                frame_id,
                expected_frame,
                next_frame,
                initial_loop,
                authority_inputs,
            )
        )

    async def cas_loop_request_body_frame(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 5: replace an expected flow state and loop together."""
        return await self._execute(
            ops.CasLoopRequestBodyFrame(
                run_id, loop_instance_id, expected_loop, next_loop, expected_run_state, next_run_state
            )
        )

    async def cas_loop_request_body_frame_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasLoopRequestBodyFrame`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasLoopRequestBodyFrameWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    async def cas_grant_body_frame_start(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        initial_frame: FrameSnapshot,
        ledger_entry: LoopIterationLedgerEntry,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 6: replace an expected flow state and loop, insert an absent frame, record the iteration once."""
        return await self._execute(
            ops.CasGrantBodyFrameStart(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                initial_frame,
                ledger_entry,
                expected_run_state,
                next_run_state,
            )
        )

    async def cas_grant_body_frame_start_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        initial_frame: FrameSnapshot,
        ledger_entry: LoopIterationLedgerEntry,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasGrantBodyFrameStart`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasGrantBodyFrameStartWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                initial_frame,
                ledger_entry,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    async def cas_complete_body_frame(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 7: replace an expected flow state, loop and body frame together."""
        return await self._execute(
            ops.CasCompleteBodyFrame(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
            )
        )

    async def cas_complete_body_frame_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteBodyFrame`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasCompleteBodyFrameWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )

    async def cas_complete_loop(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
    ) -> bool:
        """Wrapper 8: replace an expected flow state, loop and parent frame together."""
        return await self._execute(
            ops.CasCompleteLoop(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
            )
        )

    async def cas_complete_loop_with_authority(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        expected_loop: LoopSnapshot,
        next_loop: LoopSnapshot,
        frame_id: FrameId,
        expected_frame: FrameSnapshot,
        next_frame: FrameSnapshot,
        expected_run_state: FlowRunState,
        next_run_state: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasCompleteLoop`, and append the authority inputs in the same step."""
        return await self._execute(
            ops.CasCompleteLoopWithAuthority(
                run_id,
                loop_instance_id,
                expected_loop,
                next_loop,
                frame_id,
                expected_frame,
                next_frame,
                expected_run_state,
                next_run_state,
                authority_inputs,
            )
        )


class AsyncEventStoreFace:
    """The event store (contract, section 5)."""

    __slots__ = ("_execute", "_subscribe")

    def __init__(self, execute: AsyncExecute, subscribe: Callable[[], AsyncSubscription]) -> None:
        self._execute = execute
        self._subscribe = subscribe

    async def append(self, event: NewMobEvent) -> MobEvent:
        """Append an event; answer it with its cursor, and with the store's time where it had none."""
        return await self._execute(ops.Append(event))

    async def append_terminal_event_if_absent(self, event: NewMobEvent) -> MobEvent | None:
        """Append a terminal event of a flow run unless one exists for its (mob, run, flow); then answer None."""
        return await self._execute(ops.AppendTerminalEventIfAbsent(event))

    async def append_batch(self, events: Sequence[NewMobEvent]) -> tuple[MobEvent, ...]:
        """Append all events with consecutive cursors, or none."""
        return await self._execute(ops.AppendBatch(events))

    async def poll(self, after_cursor: int, limit: int) -> tuple[MobEvent, ...]:
        """Answer at most ``limit`` events with a larger cursor, in order."""
        return await self._execute(ops.Poll(after_cursor, limit))

    async def replay_all(self) -> tuple[MobEvent, ...]:
        """Answer every event, in order."""
        return await self._execute(ops.ReplayAll())

    async def latest_cursor(self) -> int:
        """Answer the cursor of the last event, or 0 when there is none."""
        return await self._execute(ops.LatestCursor())

    def subscribe(self) -> AsyncSubscription:
        """Begin to deliver every event appended from now on, through any handle on the same storage."""
        return self._subscribe()

    async def clear(self) -> None:
        """Remove every event; cursors start again at 1."""
        return await self._execute(ops.Clear())

    async def prune(self, older_than: Timestamp | datetime) -> int:
        """Remove the events with an earlier time; answer how many.  Cursors go on from where they were."""
        return await self._execute(ops.Prune(older_than))


class AsyncRuntimeMetadataStoreFace:
    """The metadata store (contract, section 6)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: AsyncExecute) -> None:
        self._execute = execute

    async def load_supervisor_authority(self, mob_id: MobId) -> SupervisorAuthorityRecord | None:
        """Answer the authority record of a mob, or None."""
        return await self._execute(ops.LoadSupervisorAuthority(mob_id))

    async def put_supervisor_authority(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> None:
        """Set the authority record of a mob, whatever it was."""
        return await self._execute(ops.PutSupervisorAuthority(mob_id, record))

    async def compare_and_put_supervisor_authority(
        self, mob_id: MobId, expected: SupervisorAuthorityRecord, record: SupervisorAuthorityRecord
    ) -> bool:
        """Replace an authority record that equals the expected one."""
        return await self._execute(ops.CompareAndPutSupervisorAuthority(mob_id, expected, record))

    async def put_supervisor_authority_if_absent(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> bool:
        """Set the authority record of a mob that has none."""
        return await self._execute(ops.PutSupervisorAuthorityIfAbsent(mob_id, record))

    async def delete_supervisor_authority(self, mob_id: MobId) -> None:
        """Remove the authority record of a mob, if it has one."""
        return await self._execute(ops.DeleteSupervisorAuthority(mob_id))

    async def list_external_binding_overlays(self, mob_id: MobId) -> tuple[ExternalBindingOverlayRecord, ...]:
        """Answer the overlays of a mob in the order of (agent identity, generation)."""
        return await self._execute(ops.ListExternalBindingOverlays(mob_id))

    async def put_external_binding_overlay_if_absent(
        self, mob_id: MobId, record: ExternalBindingOverlayRecord
    ) -> bool:
        """Set an overlay unless one exists for its (mob, agent identity, generation)."""
        return await self._execute(ops.PutExternalBindingOverlayIfAbsent(mob_id, record))

    async def upsert_external_binding_overlay(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> None:
        """Set an overlay, whatever it was."""
        return await self._execute(ops.UpsertExternalBindingOverlay(mob_id, record))

    async def delete_external_binding_overlay(
        self, mob_id: MobId, agent_identity: AgentIdentity, generation: int
    ) -> None:
        """Remove one overlay, if it exists."""
        return await self._execute(ops.DeleteExternalBindingOverlay(mob_id, agent_identity, generation))

    async def delete_external_binding_overlays(self, mob_id: MobId) -> None:
        """Remove every overlay of a mob."""
        return await self._execute(ops.DeleteExternalBindingOverlays(mob_id))


class AsyncSpecStoreFace:
    """The spec store (contract, section 7)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: AsyncExecute) -> None:
        self._execute = execute

    async def put_spec(self, mob_id: MobId, definition: Document | JsonValue, revision: int | None = None) -> int:
        """Set the definition of a mob and answer its new revision; `SpecRevisionConflict` on a wrong one."""
        return await self._execute(ops.PutSpec(mob_id, definition, revision))

    async def get_spec(self, mob_id: MobId) -> tuple[Document, int] | None:
        """Answer the definition of a mob and its revision, or None."""
        return await self._execute(ops.GetSpec(mob_id))

    async def list_specs(self) -> tuple[MobId, ...]:
        """Answer the mobs that have a definition, in order."""
        return await self._execute(ops.ListSpecs())

    async def delete_spec(self, mob_id: MobId, revision: int | None = None) -> bool:
        """Remove a definition; ``False`` when there is none, or on a wrong revision."""
        return await self._execute(ops.DeleteSpec(mob_id, revision))


class AsyncRealmProfileStoreFace:
    """The profile store (contract, section 7)."""

    __slots__ = ("_execute",)

    def __init__(self, execute: AsyncExecute) -> None:
        self._execute = execute

    async def create(self, name: ProfileName, profile: Document | JsonValue) -> StoredRealmProfile:
        """Create a realm profile with revision 1; `CasConflict` when its name exists."""
        return await self._execute(ops.CreateProfile(name, profile))

    async def get(self, name: ProfileName) -> StoredRealmProfile | None:
        """Answer a realm profile, or None."""
        return await self._execute(ops.GetProfile(name))

    async def list(self) -> tuple[StoredRealmProfile, ...]:
        """Answer the realm profiles in the order of their names."""
        return await self._execute(ops.ListProfiles())

    async def update(
        self, name: ProfileName, profile: Document | JsonValue, expected_revision: int
    ) -> StoredRealmProfile:
        """Replace a realm profile of the expected revision; `NotFound`, or `CasConflict` on another revision."""
        return await self._execute(ops.UpdateProfile(name, profile, expected_revision))

    async def delete(self, name: ProfileName, expected_revision: int) -> StoredRealmProfile:
        """Remove a realm profile of the expected revision and answer it; errors as of `UpdateProfile`."""
        return await self._execute(ops.DeleteProfile(name, expected_revision))
