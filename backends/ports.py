"""The five store protocols (contract, sections 4 to 7), and their asyncio twins.

Made from the operations by `mobstore.properties.generate`: do not edit.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from mobstore.backends._base import AsyncSubscription, Subscription
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


class RunStore(Protocol):
    """The run store (contract, section 4)."""

    def create_run(self, run: MobRun) -> None:
        """Store a new run; `Internal` when one with its id exists."""

    def get_run(self, run_id: RunId | UUID | str) -> MobRun | None:
        """Answer the run as it is now, or None."""

    def list_runs(self, mob_id: MobId, flow_id: FlowId | None = None) -> tuple[MobRun, ...]:
        """Answer the runs of a mob, and of a flow if one is named, in the order of their creation."""

    def cas_run_status(self, run_id: RunId | UUID | str, expected: MobRunStatus, next: MobRunStatus) -> bool:
        """Replace an expected status that is not terminal."""

    def cas_flow_state(self, run_id: RunId | UUID | str, expected: FlowRunState, next: FlowRunState) -> bool:
        """Replace an expected flow state, whatever the status."""

    def cas_flow_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected: FlowRunState,
        next: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFlowState`, and append the authority inputs in the same step."""

    def cas_run_snapshot(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
    ) -> bool:
        """Replace an expected status and flow state together; the status must not be terminal."""

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

    def append_step_entry(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> None:
        """Append to the step ledger."""

    def append_step_entry_if_absent(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> bool:
        """Append to the step ledger unless it has an entry of the same step, agent and status."""

    def put_step_output(self, run_id: RunId | UUID | str, step_id: StepId, output: Payload | JsonValue) -> None:
        """Set the output of the last ledger entry of a step; `Internal` when the step has none."""

    def append_failure_entry(self, run_id: RunId | UUID | str, entry: FailureLedgerEntry) -> None:
        """Append to the failure ledger."""

    def upsert_loop_snapshot(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        snapshot: LoopSnapshot,
        ledger_entry: LoopIterationLedgerEntry | None = None,
    ) -> None:
        """Set a loop, whatever it was, and record its iteration once."""

    def cas_frame_state(
        self, run_id: RunId | UUID | str, frame_id: FrameId, expected: FrameSnapshot | None, next: FrameSnapshot
    ) -> bool:
        """Wrapper 1: replace an expected frame, or insert one that is expected to be absent."""

    def cas_frame_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected: FrameSnapshot | None,
        next: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFrameState`, and append the authority inputs in the same step."""

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


class EventStore(Protocol):
    """The event store (contract, section 5)."""

    def append(self, event: NewMobEvent) -> MobEvent:
        """Append an event; answer it with its cursor, and with the store's time where it had none."""

    def append_terminal_event_if_absent(self, event: NewMobEvent) -> MobEvent | None:
        """Append a terminal event of a flow run unless one exists for its (mob, run, flow); then answer None."""

    def append_batch(self, events: Sequence[NewMobEvent]) -> tuple[MobEvent, ...]:
        """Append all events with consecutive cursors, or none."""

    def poll(self, after_cursor: int, limit: int) -> tuple[MobEvent, ...]:
        """Answer at most ``limit`` events with a larger cursor, in order."""

    def replay_all(self) -> tuple[MobEvent, ...]:
        """Answer every event, in order."""

    def latest_cursor(self) -> int:
        """Answer the cursor of the last event, or 0 when there is none."""

    def subscribe(self) -> Subscription:
        """Begin to deliver every event appended from now on, through any handle on the same storage."""

    def clear(self) -> None:
        """Remove every event; cursors start again at 1."""

    def prune(self, older_than: Timestamp | datetime) -> int:
        """Remove the events with an earlier time; answer how many.  Cursors go on from where they were."""


class RuntimeMetadataStore(Protocol):
    """The metadata store (contract, section 6)."""

    def load_supervisor_authority(self, mob_id: MobId) -> SupervisorAuthorityRecord | None:
        """Answer the authority record of a mob, or None."""

    def put_supervisor_authority(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> None:
        """Set the authority record of a mob, whatever it was."""

    def compare_and_put_supervisor_authority(
        self, mob_id: MobId, expected: SupervisorAuthorityRecord, record: SupervisorAuthorityRecord
    ) -> bool:
        """Replace an authority record that equals the expected one."""

    def put_supervisor_authority_if_absent(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> bool:
        """Set the authority record of a mob that has none."""

    def delete_supervisor_authority(self, mob_id: MobId) -> None:
        """Remove the authority record of a mob, if it has one."""

    def list_external_binding_overlays(self, mob_id: MobId) -> tuple[ExternalBindingOverlayRecord, ...]:
        """Answer the overlays of a mob in the order of (agent identity, generation)."""

    def put_external_binding_overlay_if_absent(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> bool:
        """Set an overlay unless one exists for its (mob, agent identity, generation)."""

    def upsert_external_binding_overlay(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> None:
        """Set an overlay, whatever it was."""

    def delete_external_binding_overlay(
        self, mob_id: MobId, agent_identity: AgentIdentity, generation: int
    ) -> None:
        """Remove one overlay, if it exists."""

    def delete_external_binding_overlays(self, mob_id: MobId) -> None:
        """Remove every overlay of a mob."""


class SpecStore(Protocol):
    """The spec store (contract, section 7)."""

    def put_spec(self, mob_id: MobId, definition: Document | JsonValue, revision: int | None = None) -> int:
        """Set the definition of a mob and answer its new revision; `SpecRevisionConflict` on a wrong one."""

    def get_spec(self, mob_id: MobId) -> tuple[Document, int] | None:
        """Answer the definition of a mob and its revision, or None."""

    def list_specs(self) -> tuple[MobId, ...]:
        """Answer the mobs that have a definition, in order."""

    def delete_spec(self, mob_id: MobId, revision: int | None = None) -> bool:
        """Remove a definition; ``False`` when there is none, or on a wrong revision."""


class RealmProfileStore(Protocol):
    """The profile store (contract, section 7)."""

    def create(self, name: ProfileName, profile: Document | JsonValue) -> StoredRealmProfile:
        """Create a realm profile with revision 1; `CasConflict` when its name exists."""

    def get(self, name: ProfileName) -> StoredRealmProfile | None:
        """Answer a realm profile, or None."""

    def list(self) -> tuple[StoredRealmProfile, ...]:
        """Answer the realm profiles in the order of their names."""

    def update(
        self, name: ProfileName, profile: Document | JsonValue, expected_revision: int
    ) -> StoredRealmProfile:
        """Replace a realm profile of the expected revision; `NotFound`, or `CasConflict` on another revision."""

    def delete(self, name: ProfileName, expected_revision: int) -> StoredRealmProfile:
        """Remove a realm profile of the expected revision and answer it; errors as of `UpdateProfile`."""


class AsyncRunStore(Protocol):
    """The run store, for asyncio (contract, section 4)."""

    async def create_run(self, run: MobRun) -> None:
        """Store a new run; `Internal` when one with its id exists."""

    async def get_run(self, run_id: RunId | UUID | str) -> MobRun | None:
        """Answer the run as it is now, or None."""

    async def list_runs(self, mob_id: MobId, flow_id: FlowId | None = None) -> tuple[MobRun, ...]:
        """Answer the runs of a mob, and of a flow if one is named, in the order of their creation."""

    async def cas_run_status(self, run_id: RunId | UUID | str, expected: MobRunStatus, next: MobRunStatus) -> bool:
        """Replace an expected status that is not terminal."""

    async def cas_flow_state(self, run_id: RunId | UUID | str, expected: FlowRunState, next: FlowRunState) -> bool:
        """Replace an expected flow state, whatever the status."""

    async def cas_flow_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        expected: FlowRunState,
        next: FlowRunState,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFlowState`, and append the authority inputs in the same step."""

    async def cas_run_snapshot(
        self,
        run_id: RunId | UUID | str,
        expected_status: MobRunStatus,
        expected_flow_state: FlowRunState,
        next_status: MobRunStatus,
        next_flow_state: FlowRunState,
    ) -> bool:
        """Replace an expected status and flow state together; the status must not be terminal."""

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

    async def append_step_entry(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> None:
        """Append to the step ledger."""

    async def append_step_entry_if_absent(self, run_id: RunId | UUID | str, entry: StepLedgerEntry) -> bool:
        """Append to the step ledger unless it has an entry of the same step, agent and status."""

    async def put_step_output(
        self, run_id: RunId | UUID | str, step_id: StepId, output: Payload | JsonValue
    ) -> None:
        """Set the output of the last ledger entry of a step; `Internal` when the step has none."""

    async def append_failure_entry(self, run_id: RunId | UUID | str, entry: FailureLedgerEntry) -> None:
        """Append to the failure ledger."""

    async def upsert_loop_snapshot(
        self,
        run_id: RunId | UUID | str,
        loop_instance_id: LoopInstanceId,
        snapshot: LoopSnapshot,
        ledger_entry: LoopIterationLedgerEntry | None = None,
    ) -> None:
        """Set a loop, whatever it was, and record its iteration once."""

    async def cas_frame_state(
        self, run_id: RunId | UUID | str, frame_id: FrameId, expected: FrameSnapshot | None, next: FrameSnapshot
    ) -> bool:
        """Wrapper 1: replace an expected frame, or insert one that is expected to be absent."""

    async def cas_frame_state_with_authority(
        self,
        run_id: RunId | UUID | str,
        frame_id: FrameId,
        expected: FrameSnapshot | None,
        next: FrameSnapshot,
        authority_inputs: Sequence[MobMachineInput],
    ) -> bool:
        """`CasFrameState`, and append the authority inputs in the same step."""

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


class AsyncEventStore(Protocol):
    """The event store, for asyncio (contract, section 5)."""

    async def append(self, event: NewMobEvent) -> MobEvent:
        """Append an event; answer it with its cursor, and with the store's time where it had none."""

    async def append_terminal_event_if_absent(self, event: NewMobEvent) -> MobEvent | None:
        """Append a terminal event of a flow run unless one exists for its (mob, run, flow); then answer None."""

    async def append_batch(self, events: Sequence[NewMobEvent]) -> tuple[MobEvent, ...]:
        """Append all events with consecutive cursors, or none."""

    async def poll(self, after_cursor: int, limit: int) -> tuple[MobEvent, ...]:
        """Answer at most ``limit`` events with a larger cursor, in order."""

    async def replay_all(self) -> tuple[MobEvent, ...]:
        """Answer every event, in order."""

    async def latest_cursor(self) -> int:
        """Answer the cursor of the last event, or 0 when there is none."""

    def subscribe(self) -> AsyncSubscription:
        """Begin to deliver every event appended from now on, through any handle on the same storage."""

    async def clear(self) -> None:
        """Remove every event; cursors start again at 1."""

    async def prune(self, older_than: Timestamp | datetime) -> int:
        """Remove the events with an earlier time; answer how many.  Cursors go on from where they were."""


class AsyncRuntimeMetadataStore(Protocol):
    """The metadata store, for asyncio (contract, section 6)."""

    async def load_supervisor_authority(self, mob_id: MobId) -> SupervisorAuthorityRecord | None:
        """Answer the authority record of a mob, or None."""

    async def put_supervisor_authority(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> None:
        """Set the authority record of a mob, whatever it was."""

    async def compare_and_put_supervisor_authority(
        self, mob_id: MobId, expected: SupervisorAuthorityRecord, record: SupervisorAuthorityRecord
    ) -> bool:
        """Replace an authority record that equals the expected one."""

    async def put_supervisor_authority_if_absent(self, mob_id: MobId, record: SupervisorAuthorityRecord) -> bool:
        """Set the authority record of a mob that has none."""

    async def delete_supervisor_authority(self, mob_id: MobId) -> None:
        """Remove the authority record of a mob, if it has one."""

    async def list_external_binding_overlays(self, mob_id: MobId) -> tuple[ExternalBindingOverlayRecord, ...]:
        """Answer the overlays of a mob in the order of (agent identity, generation)."""

    async def put_external_binding_overlay_if_absent(
        self, mob_id: MobId, record: ExternalBindingOverlayRecord
    ) -> bool:
        """Set an overlay unless one exists for its (mob, agent identity, generation)."""

    async def upsert_external_binding_overlay(self, mob_id: MobId, record: ExternalBindingOverlayRecord) -> None:
        """Set an overlay, whatever it was."""

    async def delete_external_binding_overlay(
        self, mob_id: MobId, agent_identity: AgentIdentity, generation: int
    ) -> None:
        """Remove one overlay, if it exists."""

    async def delete_external_binding_overlays(self, mob_id: MobId) -> None:
        """Remove every overlay of a mob."""


class AsyncSpecStore(Protocol):
    """The spec store, for asyncio (contract, section 7)."""

    async def put_spec(self, mob_id: MobId, definition: Document | JsonValue, revision: int | None = None) -> int:
        """Set the definition of a mob and answer its new revision; `SpecRevisionConflict` on a wrong one."""

    async def get_spec(self, mob_id: MobId) -> tuple[Document, int] | None:
        """Answer the definition of a mob and its revision, or None."""

    async def list_specs(self) -> tuple[MobId, ...]:
        """Answer the mobs that have a definition, in order."""

    async def delete_spec(self, mob_id: MobId, revision: int | None = None) -> bool:
        """Remove a definition; ``False`` when there is none, or on a wrong revision."""


class AsyncRealmProfileStore(Protocol):
    """The profile store, for asyncio (contract, section 7)."""

    async def create(self, name: ProfileName, profile: Document | JsonValue) -> StoredRealmProfile:
        """Create a realm profile with revision 1; `CasConflict` when its name exists."""

    async def get(self, name: ProfileName) -> StoredRealmProfile | None:
        """Answer a realm profile, or None."""

    async def list(self) -> tuple[StoredRealmProfile, ...]:
        """Answer the realm profiles in the order of their names."""

    async def update(
        self, name: ProfileName, profile: Document | JsonValue, expected_revision: int
    ) -> StoredRealmProfile:
        """Replace a realm profile of the expected revision; `NotFound`, or `CasConflict` on another revision."""

    async def delete(self, name: ProfileName, expected_revision: int) -> StoredRealmProfile:
        """Remove a realm profile of the expected revision and answer it; errors as of `UpdateProfile`."""
