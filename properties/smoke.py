"""Every one of the 57 calls once, with success, in an order in which each finds what it needs."""

from __future__ import annotations

from typing import Any, Final

from mobstore.model import MobRunStatus, Operation, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools

_RUN: Final = pools.RUNS[3]
_ID: Final = _RUN.run_id
_A, _B, _C = pools.FLOW_STATES[2], pools.FLOW_STATES[3], pools.FLOW_STATES[4]
_F, _G, _H = pools.FRAMES[0], pools.FRAMES[1], pools.FRAMES[2]
_L, _M = pools.LOOP_SNAPSHOTS[0], pools.LOOP_SNAPSHOTS[1]
_INPUTS: Final = pools.ACCEPTED_INPUTS[:2]
_PENDING, _RUNNING, _FAILED = MobRunStatus.PENDING, MobRunStatus.RUNNING, MobRunStatus.FAILED
_OLD, _NEW = pools.AUTHORITIES[0], pools.AUTHORITIES[4]
_ENTRY: Final = pools.ITERATION_ENTRIES[2]

CALLS: Final[tuple[Operation[Any], ...]] = (
    ops.CreateRun(_RUN),
    ops.GetRun(_ID),
    ops.ListRuns("mob", "flow"),
    ops.CasRunStatus(_ID, _PENDING, _RUNNING),
    ops.CasFlowState(_ID, _A, _B),
    ops.CasFlowStateWithAuthority(_ID, _B, _A, _INPUTS),
    ops.CasRunSnapshot(_ID, _RUNNING, _A, _PENDING, _B),
    ops.CasRunSnapshotWithAuthority(_ID, _PENDING, _B, _RUNNING, _A, _INPUTS),
    ops.AppendStepEntry(_ID, pools.STEP_ENTRIES[4]),
    ops.AppendStepEntryIfAbsent(_ID, pools.STEP_ENTRIES[3]),
    ops.PutStepOutput(_ID, "s1", pools.PAYLOADS[1]),
    ops.AppendFailureEntry(_ID, pools.FAILURE_ENTRIES[2]),
    ops.UpsertLoopSnapshot(_ID, "root::n", _L, _ENTRY),
    ops.CasFrameState(_ID, "root", _F, _G),
    ops.CasFrameStateWithAuthority(_ID, "", None, _F, _INPUTS),
    ops.CasGrantNodeSlot(_ID, _A, _B, "root", _G, _F),
    ops.CasGrantNodeSlotWithAuthority(_ID, _B, _A, "root", _F, _G, _INPUTS),
    ops.CasCompleteStepAndRecordOutput(_ID, "root", _G, _F, "s1", pools.PAYLOADS[3], ("loop", 1)),
    ops.CasCompleteStepAndRecordOutputWithAuthority(_ID, "root", _F, _G, "s3", pools.PAYLOADS[4], None, _INPUTS),
    ops.CasStartLoop(_ID, "", _A, _B, "root", _G, _F, _L),
    ops.CasStartLoopWithAuthority(_ID, "Root::n", _B, _A, "root", _F, _G, _M, _INPUTS),
    ops.CasLoopRequestBodyFrame(_ID, "root::n", _L, _M, _A, _B),
    ops.CasLoopRequestBodyFrameWithAuthority(_ID, "root::n", _M, _L, _B, _A, _INPUTS),
    ops.CasGrantBodyFrameStart(_ID, "root::n", _L, _M, "b0", _F, _ENTRY, _A, _B),
    ops.CasGrantBodyFrameStartWithAuthority(_ID, "root::n", _M, _L, "b1", _F, _ENTRY, _B, _A, _INPUTS),
    ops.CasCompleteBodyFrame(_ID, "root::n", _L, _M, "b0", _F, _H, _A, _B),
    ops.CasCompleteBodyFrameWithAuthority(_ID, "root::n", _M, _L, "b1", _F, _H, _B, _A, _INPUTS),
    ops.CasCompleteLoop(_ID, "root::n", _L, _M, "root", _G, _F, _A, _B),
    ops.CasCompleteLoopWithAuthority(_ID, "root::n", _M, _L, "root", _F, _G, _B, _C, _INPUTS),
    ops.Append(pools.EVENTS[0]),
    ops.AppendTerminalEventIfAbsent(pools.EVENTS[1]),
    ops.AppendBatch(pools.EVENTS[2:5]),
    ops.Poll(1, 2),
    ops.ReplayAll(),
    ops.LatestCursor(),
    ops.Prune(pools.TIMES[1]),
    ops.Clear(),
    ops.Subscribe(),
    ops.PutSupervisorAuthority("mob", _NEW),
    ops.DeleteSupervisorAuthority("mob"),
    ops.PutSupervisorAuthorityIfAbsent("mob", _OLD),
    ops.CompareAndPutSupervisorAuthority("mob", evolve(_OLD, {}), _NEW),
    ops.LoadSupervisorAuthority("mob"),
    ops.UpsertExternalBindingOverlay("mob", pools.OVERLAYS[1]),
    ops.PutExternalBindingOverlayIfAbsent("mob", pools.OVERLAYS[2]),
    ops.ListExternalBindingOverlays("mob"),
    ops.DeleteExternalBindingOverlay("mob", "worker", 0),
    ops.DeleteExternalBindingOverlays("mob"),
    ops.PutSpec("mob", pools.DOCUMENTS[1], 0),
    ops.GetSpec("mob"),
    ops.ListSpecs(),
    ops.DeleteSpec("mob", 1),
    ops.CreateProfile("base", pools.DOCUMENTS[2]),
    ops.UpdateProfile("base", pools.DOCUMENTS[1], 1),
    ops.GetProfile("base"),
    ops.ListProfiles(),
    ops.DeleteProfile("base", 2),
)
"""The calls; `ops.Subscribe` stands for the port's ``subscribe``, which answers a subscription."""

EXECUTED: Final = tuple(call for call in CALLS if not isinstance(call, ops.Subscribe))
"""The calls that are made by executing their operation."""
