"""The small pools that generated calls draw from: few ids, so that calls meet; awkward values, so that it hurts.

The ids include pairs that differ in case, in trailing blanks, or only after a NUL; the payloads include what
JSON libraries like to change.
"""

from __future__ import annotations

from typing import Any, Final

from mobstore.model import (
    Document,
    ExternalBindingOverlayRecord,
    FailureLedgerEntry,
    FrameSnapshot,
    LoopIterationLedgerEntry,
    LoopSnapshot,
    MobMachineInput,
    MobRun,
    MobRunStatus,
    NewMobEvent,
    OrderedTrieMap,
    OtherMachineInput,
    OverlayFailed,
    OverlayNormalized,
    Payload,
    RunId,
    SecretKey,
    StepLedgerEntry,
    SupervisorAuthorityRecord,
    SupervisorPendingRotationRecord,
    Timestamp,
    TrieMap,
    evolve,
    from_json,
)
from mobstore.model.values import (
    AuthorityLog,
    AuthorizeFlowFrameReducerCommand,
    BootstrapToken,
    CreateLoopSeed,
    FailureLedger,
    FlowAuthorityInput,
    FlowFrameCommand,
    FlowRunState,
    IterationOutputs,
    LoopIterationLedger,
    RecordLoopBodyFrameCompleted,
    RecordLoopUntilConditionMet,
    StepLedger,
)

RUN_IDS: Final = tuple(RunId(f"11111111-0000-4000-8000-00000000000{number}") for number in (1, 2, 3))
MOB_IDS: Final = ("mob", "Mob", "mob ", "", "m\x00b", 'it\'s "é"')
FLOW_IDS: Final = ("flow", "Flow", "")
STEP_IDS: Final = ("s1", "S1", "s1 ", "")
FRAME_IDS: Final = ("root", "root ", "l::iter-0", "")
LOOP_IDS: Final = ("root::n", "Root::n", "")
LOOPS: Final = ("loop", "loop\x00", "")
OUTPUT_KEYS: Final = ("s2", "s1", "S1", "")
AGENTS: Final = ("worker", "Worker", "é")
PROFILE_NAMES: Final = ("base", "Base", "base ", "é", "")
ITERATIONS: Final = (0, 1, 2, 3, 1_000_000, 1_000_001)
GENERATIONS: Final = (0, 1, 10, 2, 2**63 - 1, 2**63, 2**64 - 1)
REVISIONS: Final = (1, 2, 0, 3, 2**64 - 1)

TIMES: Final = tuple(
    map(
        Timestamp.parse,
        (
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000000001Z",
            "2026-01-01T00:00:00.5Z",
            "2026-12-31T23:59:60.25Z",
            "2025-12-31T23:59:59.999999999Z",
            "+10000-01-01T00:00:00Z",
            "-0001-06-15T12:00:00Z",
        ),
    )
)


def _deep(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


JSON: Final[tuple[Any, ...]] = (
    None,
    {"a": 1, "b": 2},
    {"b": 2, "a": 1},
    0,
    0.0,
    -0.0,
    1.0,
    True,
    0.1,
    1e300,
    5e-324,
    1e16,
    0.00001,
    2**64 - 1,
    -(2**63),
    9007199254740993,
    "",
    'q"\\\n\x01\x7f é \U0001f600',
    [],
    0.30000000000000004,
    {"": {"z": [], "y": [None, False]}},
    _deep(100),
)
PAYLOADS: Final = tuple(map(Payload.of, JSON))
DOCUMENTS: Final = tuple(Document.of({"id": "x", "value": value}) for value in JSON[:-1])

FLOW_STATES: Final = tuple(
    from_json(FlowRunState, fields)
    for fields in (
        {},
        {"phase": "Running", "tracked_steps": ["s1"], "step_status": {"s1": None}},
        {"phase": "Running", "tracked_steps": ["s1"], "step_status": {"s1": "Dispatched"}},
        {"phase": "Running", "ready_frames": ["b", "a"], "ready_frame_membership": ["a", "b"]},
        {"phase": "Running", "ready_frames": ["a", "b"], "ready_frame_membership": ["a", "b"]},
        {"phase": "Completed", "failure_count": 2**32 - 1, "step_branches": {"s1": "é", "S1": None}},
    )
)
FRAMES: Final = tuple(
    from_json(FrameSnapshot, {"kernel_state": fields})
    for fields in (
        {"phase": "Running", "frame_id": "root", "ready_queue": ["n"]},
        {"phase": "Running", "frame_id": "root", "ready_queue": []},
        {"phase": "Completed", "frame_id": "root", "node_status": {"n": "Completed"}},
        {"phase": "Running", "frame_scope": "Body", "loop_instance_id": "root::n", "iteration": 2**32 - 1},
    )
)
LOOP_SNAPSHOTS: Final = tuple(
    from_json(LoopSnapshot, {"kernel_state": fields})
    for fields in (
        {"phase": "Running", "loop_instance_id": "root::n", "max_iterations": 3},
        {"phase": "Running", "loop_instance_id": "root::n", "active_body_frame_id": ""},
        {"phase": "Running", "loop_instance_id": "root::n", "active_body_frame_id": None, "depth": 1},
    )
)
STEP_ENTRIES: Final = tuple(
    StepLedgerEntry(step, agent, status, output, time)  # type: ignore[arg-type]
    for step, agent, status, output, time in (
        ("s1", "worker", "dispatched", PAYLOADS[0], TIMES[0]),
        ("s1", "worker", "completed", PAYLOADS[1], TIMES[1]),
        ("s1", "Worker", "dispatched", PAYLOADS[0], TIMES[2]),
        ("S1", "worker", "dispatched", PAYLOADS[5], TIMES[3]),
        ("s1", "worker", "dispatched", PAYLOADS[3], TIMES[4]),
        ("", "", "failed", PAYLOADS[-1], TIMES[5]),
    )
)
FAILURE_ENTRIES: Final = (
    FailureLedgerEntry("s1", "boom", TIMES[0]),
    FailureLedgerEntry("s1", "boom", TIMES[0], error=DOCUMENTS[1]),
    FailureLedgerEntry("", "\x00", TIMES[3], error_report=DOCUMENTS[2], error=DOCUMENTS[5]),
)
ITERATION_ENTRIES: Final = (
    LoopIterationLedgerEntry("root::n", 0, "l::iter-0"),
    LoopIterationLedgerEntry("root::n", 1, "l::iter-0"),
    LoopIterationLedgerEntry("Root::n", 0, "l::iter-0"),
    LoopIterationLedgerEntry("root::n", 2**64 - 1, ""),
)
ACCEPTED_INPUTS: Final[tuple[FlowAuthorityInput, ...]] = (
    RecordLoopUntilConditionMet("root::n", 0),
    RecordLoopBodyFrameCompleted("root::n", 2**64 - 1),
    CreateLoopSeed("root::n", "root", "n", "loop", 0, 3),
    AuthorizeFlowFrameReducerCommand("root", FlowFrameCommand.SealFrame, None, None, None, None),
)
REFUSED_INPUTS: Final[tuple[MobMachineInput, ...]] = (
    OtherMachineInput("Stop"),
    OtherMachineInput("CancelFlow", Document.of({"run_id": str(RUN_IDS[0])})),
)
_KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "mob_reset"},
    {"type": "flow_completed", "run_id": str(RUN_IDS[0]), "flow_id": "flow", "structured_output": 1.0},
    {"type": "flow_failed", "run_id": str(RUN_IDS[0]), "flow_id": "flow", "reason": "boom"},
    {"type": "flow_canceled", "run_id": str(RUN_IDS[0]), "flow_id": "Flow"},
    {"type": "flow_canceled", "run_id": str(RUN_IDS[1]), "flow_id": "flow"},
    {"type": "flow_started", "run_id": str(RUN_IDS[0]), "flow_id": "flow", "params": JSON[-2]},
    {"type": "operator_action_recorded", "z": JSON[16], "a": {"y": 0.1, "x": 2**64 - 1}},
)
KINDS: Final = tuple(Document.of(kind) for kind in _KINDS)
EVENTS: Final = tuple(
    NewMobEvent(mob, kind, timestamp=time)
    for mob, kind, time in zip(MOB_IDS * 3, KINDS * 3, (None, *TIMES, None, *TIMES, None), strict=False)
)
TOKEN: Final = BootstrapToken.of("token")


def secret_key(byte: int) -> SecretKey:
    """Return one of the suite's own keys, which guard nothing."""
    return SecretKey.of([byte] * 32)


AUTHORITIES: Final = (
    SupervisorAuthorityRecord(secret_key(1), "peer-1", 0),
    SupervisorAuthorityRecord(secret_key(2), "peer-1", 0),
    SupervisorAuthorityRecord(secret_key(1), "peer-1", 2**64 - 1),
    SupervisorAuthorityRecord(
        secret_key(1),
        "peer-1",
        0,
        pending_rotation=SupervisorPendingRotationRecord(secret_key(3), "peer-3", 1, accepted_peer_ids=("b", "a")),
    ),
    SupervisorAuthorityRecord(
        secret_key(1),
        "peer-1",
        0,
        pending_rotation=SupervisorPendingRotationRecord(secret_key(3), "peer-3", 1, accepted_peer_ids=("a", "b")),
    ),
)
OVERLAYS: Final = tuple(
    ExternalBindingOverlayRecord(agent, generation, reference, token, status, time)
    for agent, generation, reference, token, status, time in (
        ("worker", 0, None, None, OverlayNormalized(), TIMES[0]),
        ("worker", 0, DOCUMENTS[1], TOKEN, OverlayFailed("bad"), TIMES[1]),
        ("worker", 10, DOCUMENTS[2], None, OverlayNormalized(), TIMES[2]),
        ("worker", 2, None, None, OverlayFailed(""), TIMES[3]),
        ("Worker", 2, DOCUMENTS[15], TOKEN, OverlayNormalized(), TIMES[4]),
        ("é", 2**63 - 1, None, None, OverlayNormalized(), TIMES[5]),
        ("é", 2**63, None, None, OverlayNormalized(), TIMES[6]),
    )
)


def runs() -> tuple[MobRun, ...]:
    """Return runs of several mobs and flows, empty ones and one that has something of everything."""
    empty = tuple(
        MobRun(run_id, mob, flow, MobRunStatus.RUNNING, FLOW_STATES[number], PAYLOADS[number], TIMES[number])
        for number, (run_id, mob, flow) in enumerate(zip(RUN_IDS, ("mob", "mob", "Mob"), FLOW_IDS, strict=True))
    )
    full = MobRun(
        RUN_IDS[0],
        "mob",
        "flow",
        MobRunStatus.PENDING,
        FLOW_STATES[2],
        PAYLOADS[-1],
        TIMES[1],
        TIMES[2],
        step_ledger=StepLedger(STEP_ENTRIES[:3]),
        failure_ledger=FailureLedger(FAILURE_ENTRIES[:2]),
        frames=TrieMap({"root": FRAMES[0], "root ": FRAMES[1]}),
        loops=TrieMap({"root::n": LOOP_SNAPSHOTS[0]}),
        loop_iteration_ledger=LoopIterationLedger(ITERATION_ENTRIES[:2]),
        schema_version=6,
        root_step_outputs=OrderedTrieMap({"s2": PAYLOADS[1], "s1": PAYLOADS[2]}),
        loop_iteration_outputs=TrieMap({"loop": IterationOutputs({2: OrderedTrieMap({"s1": PAYLOADS[4]})})}),
        flow_authority_inputs=AuthorityLog(ACCEPTED_INPUTS[:2]),
    )
    return (*empty, full, evolve(full, {"run_id": RUN_IDS[2], "status": MobRunStatus.FAILED, "completed_at": None}))


RUNS: Final = runs()
