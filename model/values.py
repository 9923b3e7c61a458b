"""The records of the five stores, field for field in the order of their JSON forms (contract, section 2).

Every record is immutable and checked on construction; `mobstore.model.to_json` and `from_json` convert.
"""

import enum
import uuid
from collections.abc import Hashable, Mapping
from typing import Annotated, Any, Final, Self, TypeAlias

import attrs

from mobstore.model._collections import FrozenMap, Log, OrderedTrieMap, SparseList, TrieMap
from mobstore.model._errors import Serialization
from mobstore.model._json import Document, Payload, check_text
from mobstore.model._records import REQUIRED, SKIP_NONE, U32, U64, fields_to_json, from_json, record
from mobstore.model._time import Timestamp

MobId: TypeAlias = str
FlowId: TypeAlias = str
StepId: TypeAlias = str
BranchId: TypeAlias = str
FrameId: TypeAlias = str
FlowNodeId: TypeAlias = str
LoopId: TypeAlias = str
LoopInstanceId: TypeAlias = str
AgentIdentity: TypeAlias = str
ProfileName: TypeAlias = str
PeerId: TypeAlias = str

KEY_BYTES: Final = 32
PROTOCOL_VERSION: Final = 2


class RunId(str):
    """A UUID, in its hyphenated lower-case form; any text form of a UUID, or a `uuid.UUID`, makes one."""

    __slots__ = ()

    def __new__(cls, value: object) -> Self:
        """Raise `Serialization` when ``value`` is no UUID."""
        return cls.of(value)

    @classmethod
    def of(cls, value: object) -> Self:
        """Return ``value`` as a run id."""
        if type(value) is cls:
            return value
        try:
            return str.__new__(cls, value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))
        except ValueError:
            raise Serialization(f": {str(value)[:80]!r} is not a UUID") from None


class MobRunStatus(enum.StrEnum):
    """The status of a run as the store keeps it."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """Whether no status may follow."""
        return self in _TERMINAL_STATUSES


_TERMINAL_STATUSES: Final = frozenset({MobRunStatus.COMPLETED, MobRunStatus.FAILED, MobRunStatus.CANCELED})


class StepRunStatus(enum.StrEnum):
    """The status of a step in the step ledger."""

    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELED = "canceled"


class RunPhase(enum.StrEnum):
    """The phase of the run machine."""

    ABSENT = "Absent"
    PENDING = "Pending"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


class StepStatus(enum.StrEnum):
    """The status of a step in the run machine."""

    DISPATCHED = "Dispatched"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELED = "Canceled"


class DependencyMode(enum.StrEnum):
    """Whether all or any of the dependencies must have completed."""

    ALL = "All"
    ANY = "Any"


class CollectionPolicy(enum.StrEnum):
    """How many of a step's targets must succeed."""

    ALL = "All"
    ANY = "Any"
    QUORUM = "Quorum"


class FramePhase(enum.StrEnum):
    """The phase of the frame machine."""

    ABSENT = "Absent"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


class FrameScope(enum.StrEnum):
    """Whether a frame is a run's root frame or the body of a loop iteration."""

    ROOT = "Root"
    BODY = "Body"


class NodeKind(enum.StrEnum):
    """What a node of a frame is."""

    STEP = "Step"
    LOOP = "Loop"


class NodeStatus(enum.StrEnum):
    """The status of a node in the frame machine."""

    PENDING = "Pending"
    READY = "Ready"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    CANCELED = "Canceled"


class FrameTerminalStatus(enum.StrEnum):
    """What a frame can be sealed as."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"


class LoopPhase(enum.StrEnum):
    """The phase of the loop machine."""

    ABSENT = "Absent"
    RUNNING = "Running"
    COMPLETED = "Completed"
    EXHAUSTED = "Exhausted"
    FAILED = "Failed"
    CANCELED = "Canceled"


class LoopStage(enum.StrEnum):
    """Where a running loop stands in its present iteration."""

    AWAITING_BODY_FRAME = "AwaitingBodyFrame"
    BODY_FRAME_ACTIVE = "BodyFrameActive"
    AWAITING_UNTIL_EVALUATION = "AwaitingUntilEvaluation"


@record
class FlowRunState:
    """The state of the run machine; the default is its Absent state."""

    phase: RunPhase = RunPhase.ABSENT
    tracked_steps: frozenset[StepId] = frozenset()
    ordered_steps: tuple[StepId, ...] = ()
    step_status: FrozenMap[StepId, StepStatus | None] = FrozenMap()
    output_recorded: FrozenMap[StepId, bool] = FrozenMap()
    step_condition_results: FrozenMap[StepId, bool | None] = FrozenMap()
    step_has_conditions: FrozenMap[StepId, bool] = FrozenMap()
    step_dependencies: FrozenMap[StepId, tuple[StepId, ...]] = FrozenMap()
    step_dependency_modes: FrozenMap[StepId, DependencyMode] = FrozenMap()
    step_branches: FrozenMap[StepId, BranchId | None] = FrozenMap()
    step_collection_policies: FrozenMap[StepId, CollectionPolicy] = FrozenMap()
    step_quorum_thresholds: FrozenMap[StepId, U32] = FrozenMap()
    step_target_counts: FrozenMap[StepId, U32] = FrozenMap()
    step_target_success_counts: FrozenMap[StepId, U32] = FrozenMap()
    step_target_terminal_failure_counts: FrozenMap[StepId, U32] = FrozenMap()
    target_retry_counts: FrozenMap[str, U32] = FrozenMap()
    failure_count: U32 = 0
    consecutive_failure_count: U32 = 0
    escalation_threshold: U32 = 0
    max_step_retries: U32 = 0
    ready_frames: tuple[FrameId, ...] = ()
    ready_frame_membership: frozenset[FrameId] = frozenset()
    pending_body_frame_loops: tuple[LoopInstanceId, ...] = ()
    pending_body_frame_loop_membership: frozenset[LoopInstanceId] = frozenset()
    active_node_count: U32 = 0
    active_frame_count: U32 = 0
    max_active_nodes: U32 = 0
    max_active_frames: U32 = 0
    max_frame_depth: U32 = 0
    last_granted_frame: FrameId = ""
    last_granted_loop: LoopInstanceId = ""


@record
class FlowFrameState:
    """The state of the frame machine; the default is its Absent state."""

    phase: FramePhase = FramePhase.ABSENT
    frame_id: FrameId = ""
    frame_scope: FrameScope = FrameScope.ROOT
    loop_instance_id: LoopInstanceId = ""
    iteration: U32 = 0
    last_admitted_node: FlowNodeId = ""
    tracked_nodes: frozenset[FlowNodeId] = frozenset()
    ordered_nodes: tuple[FlowNodeId, ...] = ()
    node_kind: FrozenMap[FlowNodeId, NodeKind] = FrozenMap()
    node_dependencies: FrozenMap[FlowNodeId, tuple[FlowNodeId, ...]] = FrozenMap()
    node_dependency_modes: FrozenMap[FlowNodeId, DependencyMode] = FrozenMap()
    node_branches: FrozenMap[FlowNodeId, BranchId | None] = FrozenMap()
    branch_winners: frozenset[BranchId] = frozenset()
    node_status: FrozenMap[FlowNodeId, NodeStatus] = FrozenMap()
    ready_queue: tuple[FlowNodeId, ...] = ()
    output_recorded: FrozenMap[FlowNodeId, bool] = FrozenMap()
    node_condition_results: FrozenMap[FlowNodeId, bool | None] = FrozenMap()


@record
class LoopIterationState:
    """The state of the loop machine; the default is its Absent state."""

    phase: LoopPhase = LoopPhase.ABSENT
    loop_instance_id: LoopInstanceId = ""
    parent_frame_id: FrameId = ""
    parent_node_id: FlowNodeId = ""
    loop_id: LoopId = ""
    depth: U32 = 0
    stage: LoopStage = LoopStage.AWAITING_BODY_FRAME
    current_iteration: U32 = 0
    last_completed_iteration: U32 = 0
    max_iterations: U32 = 0
    active_body_frame_id: FrameId | None = None


@record
class FrameSnapshot:
    """A frame as the store keeps it: opaque to the store, compared by value."""

    kernel_state: FlowFrameState


@record
class LoopSnapshot:
    """A loop instance as the store keeps it: opaque to the store, compared by value."""

    kernel_state: LoopIterationState


@record
class StepLedgerEntry:
    """One line of the step ledger: a step, the agent that did it, what became of it (``null``: no output)."""

    step_id: StepId
    agent_identity: AgentIdentity
    status: StepRunStatus
    output: Payload
    timestamp: Timestamp


@record
class FailureLedgerEntry:
    """One line of the failure ledger."""

    step_id: StepId
    reason: str
    error_report: Document | None = attrs.field(default=None, metadata={SKIP_NONE: True}, kw_only=True)
    error: Document | None = attrs.field(default=None, metadata={SKIP_NONE: True}, kw_only=True)
    timestamp: Timestamp


@record
class LoopIterationLedgerEntry:
    """One line of the loop iteration ledger: the body frame of one iteration of one loop instance."""

    loop_instance_id: LoopInstanceId
    iteration: U64
    frame_id: FrameId


class StepLedger(Log[StepLedgerEntry]):
    """The step ledger; found by (step, agent, status), and by step."""

    __slots__ = ()
    item = StepLedgerEntry

    @staticmethod
    def keys(entry: StepLedgerEntry) -> tuple[Hashable, ...]:
        """Return (step, agent, status), which `append_step_entry_if_absent` compares, and the step."""
        return (entry.step_id, entry.agent_identity, entry.status), entry.step_id


class FailureLedger(Log[FailureLedgerEntry]):
    """The failure ledger."""

    __slots__ = ()
    item = FailureLedgerEntry


class LoopIterationLedger(Log[LoopIterationLedgerEntry]):
    """The loop iteration ledger; found by the entry, which stands in it once."""

    __slots__ = ()
    item = LoopIterationLedgerEntry

    @staticmethod
    def keys(entry: LoopIterationLedgerEntry) -> tuple[Hashable, ...]:
        """Return (instance, iteration, frame), which is all that an entry has."""
        # Not the entry: rpds cannot bear an exception, an interrupt's among them, in the middle of a comparison.
        return ((entry.loop_instance_id, entry.iteration, entry.frame_id),)


class IterationOutputs(SparseList[OrderedTrieMap[str, Payload]]):
    """The outputs of a loop, by iteration; an iteration without output has none."""

    __slots__ = ()
    item = OrderedTrieMap[str, Payload]

    @staticmethod
    def empty() -> OrderedTrieMap[str, Payload]:
        """Return the outputs of an iteration that recorded none."""
        return _NO_OUTPUTS


_NO_OUTPUTS: Final[OrderedTrieMap[str, Payload]] = OrderedTrieMap()


class _AuthorityInput:
    """The JSON form of an accepted machine input: ``{"input": NAME, "payload": {...}}``."""

    @property
    def input(self) -> str:
        """The name of the machine input."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """Return the adjacently tagged form."""
        return {"input": self.input, "payload": fields_to_json(self)}

    @classmethod
    def matches_json(cls, value: Any) -> bool:
        """Whether the JSON value names this input."""
        return isinstance(value, Mapping) and value.get("input") == cls.__name__

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Self:
        """Read the payload of JSON that matches."""
        if unknown := set(value) - {"input", "payload"}:
            raise Serialization(f": a machine input has no field {min(unknown)!r}")
        return from_json(cls, value.get("payload", {}))


@record
class _RunSeed(_AuthorityInput):
    run_id: RunId
    step_ids: tuple[StepId, ...]
    ordered_steps: tuple[StepId, ...]
    step_has_conditions: FrozenMap[StepId, bool]
    step_dependencies: FrozenMap[StepId, tuple[StepId, ...]]
    step_dependency_modes: FrozenMap[StepId, DependencyMode]
    step_branches: FrozenMap[StepId, BranchId | None]
    step_collection_policies: FrozenMap[StepId, CollectionPolicy]
    step_quorum_thresholds: FrozenMap[StepId, U32]
    escalation_threshold: U32
    max_step_retries: U32
    max_active_nodes: U32
    max_active_frames: U32
    max_frame_depth: U32


class RunFlow(_RunSeed):
    """A flow was started: the run that it became."""


class CreateRunSeed(_RunSeed):
    """A run was created."""


@record
class CreateFrameSeed(_AuthorityInput):
    """A frame was created, with the node statuses and the ready queue that it started with."""

    run_id: RunId
    frame_id: FrameId
    frame_scope: FrameScope
    loop_instance_id: LoopInstanceId | None
    iteration: U64
    tracked_nodes: tuple[FlowNodeId, ...]
    ordered_nodes: tuple[FlowNodeId, ...]
    node_kind: FrozenMap[FlowNodeId, NodeKind]
    node_dependencies: FrozenMap[FlowNodeId, tuple[FlowNodeId, ...]]
    node_dependency_modes: FrozenMap[FlowNodeId, DependencyMode]
    node_branches: FrozenMap[FlowNodeId, BranchId | None]
    node_step_ids: FrozenMap[FlowNodeId, StepId]
    node_loop_ids: FrozenMap[FlowNodeId, LoopId]
    node_status: FrozenMap[FlowNodeId, NodeStatus]
    ready_queue: tuple[FlowNodeId, ...]


@record
class CreateLoopSeed(_AuthorityInput):
    """A loop instance was created."""

    loop_instance_id: LoopInstanceId
    parent_frame_id: FrameId
    parent_node_id: FlowNodeId
    loop_id: LoopId
    depth: U32
    max_iterations: U32


class _Command(enum.StrEnum):
    @staticmethod
    def _generate_next_value_(name: str, *_: Any) -> str:
        return name


class FlowRunCommand(_Command):
    """The inputs of the run machine, as the authority log names them."""

    CreateRun = enum.auto()
    StartRun = enum.auto()
    DispatchStep = enum.auto()
    CompleteStep = enum.auto()
    RecordStepOutput = enum.auto()
    ConditionPassed = enum.auto()
    ConditionRejected = enum.auto()
    FailStep = enum.auto()
    SkipStep = enum.auto()
    ProjectFrameStepStatus = enum.auto()
    CancelStep = enum.auto()
    RegisterTargets = enum.auto()
    RecordTargetSuccess = enum.auto()
    RecordTargetTerminalFailure = enum.auto()
    RecordTargetCanceled = enum.auto()
    RecordTargetFailure = enum.auto()
    RegisterReadyFrame = enum.auto()
    PumpNodeScheduler = enum.auto()
    RegisterPendingBodyFrame = enum.auto()
    PumpFrameScheduler = enum.auto()
    NodeExecutionReleased = enum.auto()
    FrameTerminated = enum.auto()
    TerminalizeCompleted = enum.auto()
    TerminalizeFailed = enum.auto()
    TerminalizeCanceled = enum.auto()


class FlowFrameCommand(_Command):
    """The inputs of the frame machine, as the authority log names them."""

    StartRootFrame = enum.auto()
    StartBodyFrame = enum.auto()
    AdmitNextReadyNode = enum.auto()
    CompleteNode = enum.auto()
    RecordNodeOutput = enum.auto()
    FailNode = enum.auto()
    SkipNode = enum.auto()
    CancelNode = enum.auto()
    SealFrame = enum.auto()


class LoopIterationCommand(_Command):
    """The inputs of the loop machine, as the authority log names them."""

    StartLoop = enum.auto()
    BodyFrameStarted = enum.auto()
    BodyFrameCompleted = enum.auto()
    BodyFrameFailed = enum.auto()
    BodyFrameCanceled = enum.auto()
    UntilConditionMet = enum.auto()
    UntilConditionFailed = enum.auto()
    CancelLoop = enum.auto()


@record
class AuthorizeFlowRunReducerCommand(_AuthorityInput):
    """The run machine took an input."""

    run_id: RunId
    command: FlowRunCommand
    step_id: StepId | None
    run_step_key: str | None
    step_status: StepStatus | None
    target_count: U32 | None
    frame_id: FrameId | None
    node_id: FlowNodeId | None
    loop_instance_id: LoopInstanceId | None
    retry_key: str | None


@record
class AuthorizeFlowFrameReducerCommand(_AuthorityInput):
    """The frame machine took an input."""

    frame_id: FrameId
    command: FlowFrameCommand
    node_id: FlowNodeId | None
    frame_node_key: str | None
    node_status: NodeStatus | None
    terminal_status: FrameTerminalStatus | None


@record
class AuthorizeLoopIterationReducerCommand(_AuthorityInput):
    """The loop machine took an input."""

    loop_instance_id: LoopInstanceId
    command: LoopIterationCommand
    body_frame_id: FrameId | None
    body_frame_iteration: U64 | None


@record
class _LoopRecord(_AuthorityInput):
    loop_instance_id: LoopInstanceId
    iteration: U64


class RecordLoopBodyFrameCompleted(_LoopRecord):
    """The body frame of an iteration completed."""


class RecordLoopUntilConditionMet(_LoopRecord):
    """The until-condition held after an iteration."""


class RecordLoopUntilConditionFailed(_LoopRecord):
    """The until-condition did not hold after an iteration."""


@record
class OtherMachineInput:
    """A machine input that is no flow authority: a call that carries it fails (contract, section 4)."""

    input: str
    payload: Document | None = attrs.field(default=None, metadata={SKIP_NONE: True})

    @classmethod
    def matches_json(cls, value: Any) -> bool:
        """Whether the JSON value names any input; the known ones are tried before."""
        return isinstance(value, Mapping) and isinstance(value.get("input"), str)

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Self:
        """Read JSON that matches."""
        return from_json(cls, value)


FlowAuthorityInput: TypeAlias = (
    RunFlow
    | CreateRunSeed
    | CreateFrameSeed
    | CreateLoopSeed
    | AuthorizeFlowRunReducerCommand
    | AuthorizeFlowFrameReducerCommand
    | AuthorizeLoopIterationReducerCommand
    | RecordLoopBodyFrameCompleted
    | RecordLoopUntilConditionMet
    | RecordLoopUntilConditionFailed
)
"""The accepted machine inputs that a run keeps."""

MobMachineInput: TypeAlias = (
    RunFlow
    | CreateRunSeed
    | CreateFrameSeed
    | CreateLoopSeed
    | AuthorizeFlowRunReducerCommand
    | AuthorizeFlowFrameReducerCommand
    | AuthorizeLoopIterationReducerCommand
    | RecordLoopBodyFrameCompleted
    | RecordLoopUntilConditionMet
    | RecordLoopUntilConditionFailed
    | OtherMachineInput
)
"""Any machine input that a ``_with_authority`` call may carry."""


class AuthorityLog(Log[FlowAuthorityInput]):
    """The flow authority inputs of a run, in the order of their commits."""

    __slots__ = ()
    item = FlowAuthorityInput


@record
class MobRun:
    """A run: the unit of consistency of the run store."""

    run_id: RunId
    mob_id: MobId
    flow_id: FlowId
    status: MobRunStatus
    flow_state: FlowRunState
    activation_params: Payload
    created_at: Timestamp
    completed_at: Timestamp | None = None
    step_ledger: StepLedger = attrs.field(default=StepLedger(), metadata={REQUIRED: True})
    failure_ledger: FailureLedger = attrs.field(default=FailureLedger(), metadata={REQUIRED: True})
    frames: TrieMap[FrameId, FrameSnapshot] = TrieMap()
    loops: TrieMap[LoopInstanceId, LoopSnapshot] = TrieMap()
    loop_iteration_ledger: LoopIterationLedger = LoopIterationLedger()
    schema_version: U32 = 0
    root_step_outputs: OrderedTrieMap[str, Payload] = OrderedTrieMap()
    loop_iteration_outputs: TrieMap[LoopId, IterationOutputs] = TrieMap()
    flow_authority_inputs: AuthorityLog = AuthorityLog()


@record
class NewMobEvent:
    """An event that is to be appended; without a time it gets the store's."""

    mob_id: MobId
    timestamp: Timestamp | None = attrs.field(default=None, kw_only=True)
    kind: Document


@record
class MobEvent:
    """An event with its place in the log."""

    cursor: U64
    timestamp: Timestamp
    mob_id: MobId
    kind: Document


@attrs.frozen(repr=False)
class SecretKey:
    """The 32 bytes of a supervisor's key, which no repr shows."""

    _raw: bytes

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return a key of 32 bytes, or of a list of 32 numbers below 256."""
        if isinstance(value, cls):
            return value
        raw = value
        if isinstance(value, list | tuple) and all(type(item) is int and 0 <= item <= 255 for item in value):
            raw = bytes(value)
        if not isinstance(raw, bytes):
            raise Serialization(": a secret key is 32 bytes (the value is not shown)")
        if len(raw) != KEY_BYTES:
            raise Serialization(f": a secret key is 32 bytes, not {len(raw)} (the value is not shown)")
        return cls(raw)

    def reveal(self) -> bytes:
        """Return the bytes, for the one place that signs or stores."""
        return self._raw

    def to_json(self) -> list[int]:
        """Return the list of numbers that the record's JSON form has."""
        return list(self._raw)

    def __repr__(self) -> str:
        return "SecretKey(<hidden>)"


@attrs.frozen(repr=False)
class BootstrapToken:
    """A proof for getting control of a member back; a secret, which no repr shows."""

    _text: str

    @classmethod
    def of(cls, value: Any) -> Self:
        """Return a token of a string."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str):
            raise Serialization(": a bootstrap token is a string (the value is not shown)")
        check_text(value)
        return cls(value)

    def reveal(self) -> str:
        """Return the token itself."""
        return self._text

    def to_json(self) -> str:
        """Return the string that the record's JSON form has."""
        return self._text

    def __repr__(self) -> str:
        return "BootstrapToken(<hidden>)"


class _SupportedProtocol:
    @staticmethod
    def convert(value: Any) -> int:
        if type(value) is not int or value != PROTOCOL_VERSION:
            shown = repr(value)[:40]
            raise Serialization(
                f": unsupported supervisor bridge protocol version {shown} "
                f"(supported [{PROTOCOL_VERSION}]; default {PROTOCOL_VERSION})"
            )
        return value


BridgeProtocolVersion: TypeAlias = Annotated[int, _SupportedProtocol]


@record
class SupervisorPendingRotationRecord:
    """An attempted supervisor authority, and the remote peers that accepted it so far."""

    secret_key: SecretKey
    public_peer_id: PeerId
    epoch: U64
    protocol_version: BridgeProtocolVersion = PROTOCOL_VERSION
    accepted_peer_ids: tuple[PeerId, ...] = ()


@record
class SupervisorAuthorityRecord:
    """A mob's supervisor authority."""

    secret_key: SecretKey
    public_peer_id: PeerId
    epoch: U64
    protocol_version: BridgeProtocolVersion = attrs.field(default=PROTOCOL_VERSION, metadata={REQUIRED: True})
    pending_rotation: SupervisorPendingRotationRecord | None = attrs.field(default=None, metadata={SKIP_NONE: True})


@record
class OverlayNormalized:
    """A legacy binding became a peer-only member reference."""

    @classmethod
    def matches_json(cls, value: Any) -> bool:
        """Whether the JSON value is this status."""
        return bool(value == "Normalized")

    @classmethod
    def read_json(cls, _value: str) -> Self:
        """Read JSON that matches."""
        return cls()

    def to_json(self) -> str:
        """Return the tag alone."""
        return "Normalized"


@record
class OverlayFailed:
    """A legacy binding could not be normalized."""

    reason: str

    @classmethod
    def matches_json(cls, value: Any) -> bool:
        """Whether the JSON value is this status."""
        return isinstance(value, Mapping) and set(value) == {"Failed"}

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Self:
        """Read JSON that matches."""
        return from_json(cls, value["Failed"])

    def to_json(self) -> dict[str, Any]:
        """Return the externally tagged form."""
        return {"Failed": fields_to_json(self)}


@record
class ExternalBindingOverlayRecord:
    """What became of a legacy external binding of one generation of an agent."""

    agent_identity: AgentIdentity
    generation: U64
    normalized_member_ref: Document | None
    bootstrap_token: BootstrapToken | None
    status: OverlayNormalized | OverlayFailed
    updated_at: Timestamp


@record
class StoredRealmProfile:
    """A realm profile with its revision (from 1) and its times."""

    name: ProfileName
    profile: Document
    revision: U64
    created_at: Timestamp
    updated_at: Timestamp
