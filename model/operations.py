"""The 57 calls of the five stores as values, in the order of the trait (contract, sections 4 to 7).

An operation's class says its store, its name, its arguments in their order, and what it answers.  The ports,
the asyncio face, the wire and the test generators are made from these classes.
"""

import re
import typing
from typing import Any, ClassVar, Final, Generic, TypeVar

import attrs

from mobstore.model._errors import Internal, Serialization
from mobstore.model._json import Document, Payload
from mobstore.model._records import U64, record
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

A = TypeVar("A")

STORES: Final = ("run", "event", "metadata", "spec", "profile")
MAX_I64: Final = 2**63 - 1
MAX_LOOP_OUTPUT_INDEX: Final = 1_000_000
TERMINAL_EVENT_TYPES: Final = ("flow_completed", "flow_failed", "flow_canceled")

OPERATIONS: Final[dict[tuple[str, str], "type[Operation[Any]]"]] = {}
"""Every call by (store, name), in the order of the trait."""


class Operation(Generic[A]):
    """A call with its arguments; ``A`` is what it answers when it succeeds."""

    store: ClassVar[str]
    call: ClassVar[str]
    answer: ClassVar[Any]
    reads: ClassVar[bool] = False
    """Whether the call can change nothing."""

    def __init_subclass__(cls, reads: bool = False, call: str | None = None) -> None:
        if "store" in cls.__dict__:
            return
        if "__orig_bases__" in cls.__dict__:
            cls.answer = typing.get_args(cls.__dict__["__orig_bases__"][0])[0]
        cls.reads = reads
        cls.call = call or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        OPERATIONS[cls.store, cls.call] = cls

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Return the names of the arguments, in the order of the trait."""
        fields: Any = attrs.fields(cls)  # type: ignore[arg-type]
        return tuple(field.name for field in fields)

    def refuse_arguments(self) -> None:
        """Raise what the contract says of the arguments alone, whatever the state is."""


class RunOperation(Operation[A]):
    """A call of the run store."""

    store = "run"


class EventOperation(Operation[A]):
    """A call of the event store."""

    store = "event"


class MetadataOperation(Operation[A]):
    """A call of the runtime metadata store."""

    store = "metadata"


class SpecOperation(Operation[A]):
    """A call of the spec store."""

    store = "spec"


class ProfileOperation(Operation[A]):
    """A call of the realm profile store."""

    store = "profile"


@record
class CreateRun(RunOperation[None]):
    """Store a new run; `Internal` when one with its id exists."""

    run: MobRun


@record
class GetRun(RunOperation[MobRun | None], reads=True):
    """Answer the run as it is now, or None."""

    run_id: RunId


@record
class ListRuns(RunOperation[tuple[MobRun, ...]], reads=True):
    """Answer the runs of a mob, and of a flow if one is named, in the order of their creation."""

    mob_id: MobId
    flow_id: FlowId | None = None


@record
class CasRunStatus(RunOperation[bool]):
    """Replace an expected status that is not terminal."""

    run_id: RunId
    expected: MobRunStatus
    next: MobRunStatus


@record
class CasFlowState(RunOperation[bool]):
    """Replace an expected flow state, whatever the status."""

    run_id: RunId
    expected: FlowRunState
    next: FlowRunState


@record
class CasFlowStateWithAuthority(CasFlowState):
    """`CasFlowState`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasRunSnapshot(RunOperation[bool]):
    """Replace an expected status and flow state together; the status must not be terminal."""

    run_id: RunId
    expected_status: MobRunStatus
    expected_flow_state: FlowRunState
    next_status: MobRunStatus
    next_flow_state: FlowRunState


@record
class CasRunSnapshotWithAuthority(CasRunSnapshot):
    """`CasRunSnapshot`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class AppendStepEntry(RunOperation[None]):
    """Append to the step ledger."""

    run_id: RunId
    entry: StepLedgerEntry


@record
class AppendStepEntryIfAbsent(RunOperation[bool]):
    """Append to the step ledger unless it has an entry of the same step, agent and status."""

    run_id: RunId
    entry: StepLedgerEntry


@record
class PutStepOutput(RunOperation[None]):
    """Set the output of the last ledger entry of a step; `Internal` when the step has none."""

    run_id: RunId
    step_id: StepId
    output: Payload


@record
class AppendFailureEntry(RunOperation[None]):
    """Append to the failure ledger."""

    run_id: RunId
    entry: FailureLedgerEntry


@record
class UpsertLoopSnapshot(RunOperation[None]):
    """Set a loop, whatever it was, and record its iteration once."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    snapshot: LoopSnapshot
    ledger_entry: LoopIterationLedgerEntry | None = None


@record
class CasFrameState(RunOperation[bool]):
    """Wrapper 1: replace an expected frame, or insert one that is expected to be absent."""

    run_id: RunId
    frame_id: FrameId
    expected: FrameSnapshot | None
    next: FrameSnapshot


@record
class CasFrameStateWithAuthority(CasFrameState):
    """`CasFrameState`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasGrantNodeSlot(RunOperation[bool]):
    """Wrapper 2: replace an expected flow state and frame together."""

    run_id: RunId
    expected_run_state: FlowRunState
    next_run_state: FlowRunState
    frame_id: FrameId
    expected_frame: FrameSnapshot
    next_frame: FrameSnapshot


@record
class CasGrantNodeSlotWithAuthority(CasGrantNodeSlot):
    """`CasGrantNodeSlot`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasCompleteStepAndRecordOutput(RunOperation[bool]):
    """Wrapper 3: replace an expected frame and record an output, at the root or of a loop's iteration."""

    run_id: RunId
    frame_id: FrameId
    expected_frame: FrameSnapshot
    next_frame: FrameSnapshot
    step_output_key: str
    step_output: Payload
    loop_context: tuple[LoopId, U64] | None = None

    def refuse_arguments(self) -> None:
        """Raise `Internal` for an iteration above 1,000,000 (contract, section 9)."""
        if self.loop_context is not None and self.loop_context[1] > MAX_LOOP_OUTPUT_INDEX:
            raise Internal(f"loop iteration {self.loop_context[1]} exceeds {MAX_LOOP_OUTPUT_INDEX}")


@record
class CasCompleteStepAndRecordOutputWithAuthority(CasCompleteStepAndRecordOutput):
    """`CasCompleteStepAndRecordOutput`, and append the authority inputs in the same step."""

    loop_context: tuple[LoopId, U64] | None
    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasStartLoop(RunOperation[bool]):
    """Wrapper 4: replace an expected flow state and frame, and insert a loop that must be absent."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    expected_run_state: FlowRunState
    next_run_state: FlowRunState
    frame_id: FrameId
    expected_frame: FrameSnapshot
    next_frame: FrameSnapshot
    initial_loop: LoopSnapshot


@record
class CasStartLoopWithAuthority(CasStartLoop):
    """`CasStartLoop`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasLoopRequestBodyFrame(RunOperation[bool]):
    """Wrapper 5: replace an expected flow state and loop together."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    expected_loop: LoopSnapshot
    next_loop: LoopSnapshot
    expected_run_state: FlowRunState
    next_run_state: FlowRunState


@record
class CasLoopRequestBodyFrameWithAuthority(CasLoopRequestBodyFrame):
    """`CasLoopRequestBodyFrame`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasGrantBodyFrameStart(RunOperation[bool]):
    """Wrapper 6: replace an expected flow state and loop, insert an absent frame, record the iteration once."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    expected_loop: LoopSnapshot
    next_loop: LoopSnapshot
    frame_id: FrameId
    initial_frame: FrameSnapshot
    ledger_entry: LoopIterationLedgerEntry
    expected_run_state: FlowRunState
    next_run_state: FlowRunState


@record
class CasGrantBodyFrameStartWithAuthority(CasGrantBodyFrameStart):
    """`CasGrantBodyFrameStart`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasCompleteBodyFrame(RunOperation[bool]):
    """Wrapper 7: replace an expected flow state, loop and body frame together."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    expected_loop: LoopSnapshot
    next_loop: LoopSnapshot
    frame_id: FrameId
    expected_frame: FrameSnapshot
    next_frame: FrameSnapshot
    expected_run_state: FlowRunState
    next_run_state: FlowRunState


@record
class CasCompleteBodyFrameWithAuthority(CasCompleteBodyFrame):
    """`CasCompleteBodyFrame`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class CasCompleteLoop(RunOperation[bool]):
    """Wrapper 8: replace an expected flow state, loop and parent frame together."""

    run_id: RunId
    loop_instance_id: LoopInstanceId
    expected_loop: LoopSnapshot
    next_loop: LoopSnapshot
    frame_id: FrameId
    expected_frame: FrameSnapshot
    next_frame: FrameSnapshot
    expected_run_state: FlowRunState
    next_run_state: FlowRunState


@record
class CasCompleteLoopWithAuthority(CasCompleteLoop):
    """`CasCompleteLoop`, and append the authority inputs in the same step."""

    authority_inputs: tuple[MobMachineInput, ...]


@record
class Append(EventOperation[MobEvent]):
    """Append an event; answer it with its cursor, and with the store's time where it had none."""

    event: NewMobEvent


@record
class AppendTerminalEventIfAbsent(EventOperation[MobEvent | None]):
    """Append a terminal event of a flow run unless one exists for its (mob, run, flow); then answer None."""

    event: NewMobEvent

    def refuse_arguments(self) -> None:
        """Raise `Internal` for an event that is not terminal."""
        terminal_key(self.event)


@record
class AppendBatch(EventOperation[tuple[MobEvent, ...]]):
    """Append all events with consecutive cursors, or none."""

    events: tuple[NewMobEvent, ...]


@record
class Poll(EventOperation[tuple[MobEvent, ...]], reads=True):
    """Answer at most ``limit`` events with a larger cursor, in order."""

    after_cursor: U64
    limit: U64

    def refuse_arguments(self) -> None:
        """Raise `Internal` for a number above 2^63-1 (contract, section 9)."""
        _refuse_above_i64("cursor value {}", self.after_cursor)
        _refuse_above_i64("limit", self.limit)


@record
class ReplayAll(EventOperation[tuple[MobEvent, ...]], reads=True):
    """Answer every event, in order."""


@record
class LatestCursor(EventOperation[int], reads=True):
    """Answer the cursor of the last event, or 0 when there is none."""


@record
class Subscribe(EventOperation[int]):
    """Begin to deliver the events appended from now on; the answer says where in the feed that is."""


@record
class Clear(EventOperation[None]):
    """Remove every event; cursors start again at 1."""


@record
class Prune(EventOperation[int]):
    """Remove the events with an earlier time; answer how many.  Cursors go on from where they were."""

    older_than: Timestamp


@record
class LoadSupervisorAuthority(MetadataOperation[SupervisorAuthorityRecord | None], reads=True):
    """Answer the authority record of a mob, or None."""

    mob_id: MobId


@record
class PutSupervisorAuthority(MetadataOperation[None]):
    """Set the authority record of a mob, whatever it was."""

    mob_id: MobId
    record: SupervisorAuthorityRecord


@record
class CompareAndPutSupervisorAuthority(MetadataOperation[bool]):
    """Replace an authority record that equals the expected one."""

    mob_id: MobId
    expected: SupervisorAuthorityRecord
    record: SupervisorAuthorityRecord


@record
class PutSupervisorAuthorityIfAbsent(MetadataOperation[bool]):
    """Set the authority record of a mob that has none."""

    mob_id: MobId
    record: SupervisorAuthorityRecord


@record
class DeleteSupervisorAuthority(MetadataOperation[None]):
    """Remove the authority record of a mob, if it has one."""

    mob_id: MobId


@record
class ListExternalBindingOverlays(MetadataOperation[tuple[ExternalBindingOverlayRecord, ...]], reads=True):
    """Answer the overlays of a mob in the order of (agent identity, generation)."""

    mob_id: MobId


@record
class PutExternalBindingOverlayIfAbsent(MetadataOperation[bool]):
    """Set an overlay unless one exists for its (mob, agent identity, generation)."""

    mob_id: MobId
    record: ExternalBindingOverlayRecord

    def refuse_arguments(self) -> None:
        """Raise `Internal` for a generation above 2^63-1 (contract, section 9)."""
        _refuse_above_i64("generation {}", self.record.generation)


@record
class UpsertExternalBindingOverlay(MetadataOperation[None]):
    """Set an overlay, whatever it was."""

    mob_id: MobId
    record: ExternalBindingOverlayRecord

    def refuse_arguments(self) -> None:
        """Raise `Internal` for a generation above 2^63-1 (contract, section 9)."""
        _refuse_above_i64("generation {}", self.record.generation)


@record
class DeleteExternalBindingOverlay(MetadataOperation[None]):
    """Remove one overlay, if it exists."""

    mob_id: MobId
    agent_identity: AgentIdentity
    generation: U64

    def refuse_arguments(self) -> None:
        """Raise `Internal` for a generation above 2^63-1 (contract, section 9)."""
        _refuse_above_i64("generation {}", self.generation)


@record
class DeleteExternalBindingOverlays(MetadataOperation[None]):
    """Remove every overlay of a mob."""

    mob_id: MobId


@record
class PutSpec(SpecOperation[int]):
    """Set the definition of a mob and answer its new revision; `SpecRevisionConflict` on a wrong one."""

    mob_id: MobId
    definition: Document
    revision: U64 | None = None


@record
class GetSpec(SpecOperation[tuple[Document, int] | None], reads=True):
    """Answer the definition of a mob and its revision, or None."""

    mob_id: MobId


@record
class ListSpecs(SpecOperation[tuple[MobId, ...]], reads=True):
    """Answer the mobs that have a definition, in order."""


@record
class DeleteSpec(SpecOperation[bool]):
    """Remove a definition; ``False`` when there is none, or on a wrong revision."""

    mob_id: MobId
    revision: U64 | None = None


@record
class CreateProfile(ProfileOperation[StoredRealmProfile], call="create"):
    """Create a realm profile with revision 1; `CasConflict` when its name exists."""

    name: ProfileName
    profile: Document


@record
class GetProfile(ProfileOperation[StoredRealmProfile | None], reads=True, call="get"):
    """Answer a realm profile, or None."""

    name: ProfileName


@record
class ListProfiles(ProfileOperation[tuple[StoredRealmProfile, ...]], reads=True, call="list"):
    """Answer the realm profiles in the order of their names."""


@record
class UpdateProfile(ProfileOperation[StoredRealmProfile], call="update"):
    """Replace a realm profile of the expected revision; `NotFound`, or `CasConflict` on another revision."""

    name: ProfileName
    profile: Document
    expected_revision: U64


@record
class DeleteProfile(ProfileOperation[StoredRealmProfile], call="delete"):
    """Remove a realm profile of the expected revision and answer it; errors as of `UpdateProfile`."""

    name: ProfileName
    expected_revision: U64


def _refuse_above_i64(what: str, number: int) -> None:
    if number > MAX_I64:
        raise Internal(f"{what.format(number)} exceeds i64::MAX")


def terminal_key(event: NewMobEvent | MobEvent) -> tuple[MobId, RunId, FlowId]:
    """Return the (mob, run, flow) that has at most one terminal event added by `AppendTerminalEventIfAbsent`.

    Raises:
        Internal: the event is none of the three terminal kinds.
        Serialization: it is, but names no run or no flow.
    """
    kind = event.kind.value
    if not isinstance(kind, dict) or kind.get("type") not in TERMINAL_EVENT_TYPES:
        raise Internal("append_terminal_event_if_absent requires a terminal flow event")
    flow_id = kind.get("flow_id")
    if not isinstance(flow_id, str):
        raise Serialization("kind.flow_id: a terminal flow event names its flow")
    return event.mob_id, RunId(kind.get("run_id")), flow_id
