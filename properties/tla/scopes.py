"""The small scopes that both explorers visit, and that are published in ``specs/tla``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mobstore.model import from_json
from mobstore.model.machines import (
    AUTHORITY,
    FRAME,
    LOOP,
    ROTATION,
    RUN,
    Input,
    Machine,
    authority_inputs,
    frame_inputs,
    loop_inputs,
    rotation_inputs,
    run_inputs,
)
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import STATE
from mobstore.model.values import FrameTerminalStatus, SupervisorPendingRotationRecord
from mobstore.properties.invariants import FIRST_AUTHORITY, INVARIANTS
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OPTIMISTIC, OptimisticState
from mobstore.properties.protocols.protocol import Protocol
from mobstore.properties.protocols.settings import SETTINGS, inputs_of
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.tla.modules import EVERYWHERE, Law, Scope


def _laws(machine: Machine[Any]) -> tuple[Law, ...]:
    return tuple(
        Law(each.name, each.sentence, each.term, each.scope.is_step)
        for each in INVARIANTS
        if each.scope.machine is machine
    )


def _all(kind: type[Input], **choices: Sequence[Any]) -> Iterator[Input]:
    """Iterate over the inputs of a kind with each choice of each field."""
    for chosen in itertools.product(*choices.values()):
        yield kind(**dict(zip(choices, chosen, strict=True)))


# --- the loop machine -----------------------------------------------------------------------------------------

_ITERATIONS: Final = (0, 1, 2)


def _loop() -> Scope:
    inputs: list[Input] = [loop_inputs.StartLoop("l", most, "r", "n", "loop", 1) for most in (1, 2)]
    inputs += _all(
        loop_inputs.BodyFrameStarted, loop_instance_id=("l", "m"), frame_id=("f", "g"), iteration=_ITERATIONS
    )
    for kind in (
        loop_inputs.BodyFrameCompleted,
        loop_inputs.BodyFrameFailed,
        loop_inputs.BodyFrameCanceled,
        loop_inputs.UntilConditionMet,
        loop_inputs.UntilConditionFailed,
    ):
        inputs += _all(kind, loop_instance_id=("l", "m"), iteration=_ITERATIONS)
    inputs += _all(loop_inputs.CancelLoop, loop_instance_id=("l", "m"))
    return Scope(
        "Loop",
        "The loop machine: one instance of one or two iterations, two body frames; inputs for another, too.",
        LOOP,
        LOOP.state(),
        tuple(inputs),
        _laws(LOOP),
    )


# --- the frame machine ----------------------------------------------------------------------------------------

_NODES: Final = ("a", "b", "c", "d")
_GRAPH: Final[Mapping[str, Any]] = {
    "tracked_nodes": _NODES,
    "ordered_nodes": _NODES,
    "node_kind": {"a": "Step", "b": "Step", "c": "Step", "d": "Loop"},
    "node_dependencies": {"c": ("a",), "d": ("a", "b")},
    "node_dependency_modes": {"c": "All", "d": "Any"},
    "node_branches": {"a": "left-or-right", "b": "left-or-right"},
}


def _frame() -> Scope:
    inputs: list[Input] = [
        frame_inputs.StartRootFrame(frame_id="r", **_GRAPH),
        frame_inputs.StartBodyFrame(frame_id="f", loop_instance_id="l", iteration=1, **_GRAPH),
        frame_inputs.AdmitNextReadyNode("", ()),
    ]
    for kind in (
        frame_inputs.CompleteNode,
        frame_inputs.FailNode,
        frame_inputs.SkipNode,
        frame_inputs.CancelNode,
        frame_inputs.RecordNodeOutput,
    ):
        # With the outputs of all nodes there would be 2^4 times as many states.
        nodes = ("a", "x") if kind is frame_inputs.RecordNodeOutput else (*_NODES, "x")
        inputs += _all(kind, node_id=nodes)
    inputs += _all(frame_inputs.SealFrame, terminal_status=tuple(FrameTerminalStatus))
    return Scope(
        "Frame",
        "The frame machine: a graph of four nodes with a branch of two, one dependency of all, one of any.",
        FRAME,
        FRAME.state(),
        tuple(inputs),
        _laws(FRAME),
    )


# --- the run machine ------------------------------------------------------------------------------------------


_PER_STEP: Final = (
    "step_has_conditions",
    "step_dependencies",
    "step_dependency_modes",
    "step_branches",
    "step_collection_policies",
    "step_quorum_thresholds",
)


def _create(steps: tuple[str, ...]) -> Input:
    return from_json(
        run_inputs.CreateRun,
        {
            "step_ids": steps,
            "ordered_steps": steps,
            **{name: {} for name in _PER_STEP},
            "escalation_threshold": 1,
            "max_step_retries": 1,
            "max_active_nodes": 1,
            "max_active_frames": 1,
            "max_frame_depth": 2,
        },
    )


def _scheduling() -> Scope:
    inputs: list[Input] = [_create(()), run_inputs.StartRun()]
    for kind in (
        run_inputs.RegisterReadyFrame,
        run_inputs.PumpNodeScheduler,
        run_inputs.NodeExecutionReleased,
        run_inputs.FrameTerminated,
    ):
        inputs += _all(kind, frame_id=("f", "g"))
    inputs += _all(run_inputs.RegisterPendingBodyFrame, loop_instance_id=("l", "m"), depth=(1,))
    inputs += _all(run_inputs.PumpFrameScheduler, loop_instance_id=("l",))
    inputs += [
        run_inputs.TerminalizeCompleted(),
        run_inputs.TerminalizeFailed(),
        run_inputs.TerminalizeCanceled(),
    ]
    return Scope(
        "Scheduling",
        "The run machine's queues: two frames and two loops, one slot for nodes and one for body frames.",
        RUN,
        RUN.state(),
        tuple(inputs),
        _laws(RUN),
    )


def _steps() -> Scope:
    steps = ("one", "two")
    inputs: list[Input] = [_create(steps), run_inputs.StartRun()]
    for kind in (
        run_inputs.DispatchStep,
        run_inputs.CompleteStep,
        run_inputs.FailStep,
        run_inputs.SkipStep,
        run_inputs.CancelStep,
    ):
        inputs += _all(kind, step_id=(*steps, "three"))
    inputs += _all(run_inputs.RecordStepOutput, step_id=("one", "three"))
    inputs += _all(run_inputs.ConditionPassed, step_id=("two",))
    inputs += _all(run_inputs.ConditionRejected, step_id=("two",))
    inputs += [run_inputs.TerminalizeCompleted(), run_inputs.TerminalizeCanceled()]
    return Scope(
        "Steps",
        "The run machine's steps: two of them, in every status; inputs for another, too.",
        RUN,
        RUN.state(),
        tuple(inputs),
        _laws(RUN),
    )


def _targets() -> Scope:
    inputs: list[Input] = [_create(("one",)), _create(("one", "two")), run_inputs.StartRun()]
    inputs += _all(run_inputs.RegisterTargets, step_id=("one",), target_count=(1, 2))
    inputs += _all(run_inputs.RecordTargetTerminalFailure, step_id=("one",))
    for kind in (run_inputs.RecordTargetSuccess, run_inputs.RecordTargetCanceled):
        inputs += _all(kind, step_id=("one",), target_id=("x",))
    inputs += _all(run_inputs.RecordTargetFailure, step_id=("one",), target_id=("x",), retry_key=("k",))
    state = t.fields_of(STATE, RUN.state)
    counted = (
        state.step_target_success_counts,
        state.step_target_terminal_failure_counts,
        state.target_retry_counts,
    )
    return Scope(
        "Targets",
        "The run machine's targets: one of one or two steps; successes, failures and tries are counted up to two.",
        RUN,
        RUN.state(),
        tuple(inputs),
        _laws(RUN),
        t.every([_at_most(counts, 2) for counts in counted]),
    )


def _at_most(counts: t.Term, most: int) -> t.Term:
    return t.for_all(counts, lambda key: t.at(counts, key) <= most)


# --- key rotation ---------------------------------------------------------------------------------------------


def _attempts(epochs: Iterable[int], peers: Iterable[tuple[str, ...]]) -> tuple[Any, ...]:
    return tuple(
        from_json(
            SupervisorPendingRotationRecord,
            {
                "secret_key": [key] * 32,
                "public_peer_id": f"peer-{key}",
                "epoch": epoch,
                "accepted_peer_ids": accepted,
            },
        )
        for key, epoch, accepted in itertools.product((1, 2), epochs, peers)
    )


def _authority() -> Scope:
    attempts = _attempts((1, 2, 3), ((), ("x",), ("y",), ("x", "y"), ("y", "x")))
    inputs = [
        *_all(authority_inputs.RecordAcceptance, attempt=attempts),
        *_all(authority_inputs.CommitRotation, attempt=attempts, remote_peers=((), ("x", "y"))),
        *_all(authority_inputs.AbandonRotation, restored=((), ("x",), ("x", "y"))),
    ]
    return Scope(
        "Authority",
        "The durable authority record: two keys, epochs up to three, two remote peers.",
        AUTHORITY,
        FIRST_AUTHORITY,
        tuple(inputs),
        _laws(AUTHORITY),
    )


def _rotation() -> Scope:
    attempts = _attempts((1, 2, 3), ((), ("x",), ("x", "y")))
    return Scope(
        "Rotation",
        "What a process lays over the record: two keys, epochs up to three, up to two peers that accepted.",
        ROTATION,
        FIRST_AUTHORITY,
        tuple(_all(rotation_inputs.ApplyProcessLocalPendingRotation, pending=attempts)),
        (),
    )


# --- protocols ------------------------------------------------------------------------------------------------


def of_protocol(name: str, protocol: Protocol, setting: str, within: t.Term = EVERYWHERE) -> Scope:
    """Return the scope of a protocol in a setting; its laws are its invariants."""
    chosen = SETTINGS[setting]
    calls = ", ".join(f"{client} calls {call}" for client, call in chosen.invocations)
    return Scope(
        name,
        f"The commit protocol {protocol.name}: {calls}, each as often as it likes.".replace("→", " to "),
        protocol.machine,
        protocol.start(chosen.calls, chosen.start),
        tuple(inputs_of(protocol, chosen)),
        tuple(Law(*named) for named in protocol.invariants),
        within,
    )


_TWO_VERSIONS: Final = t.fields_of(STATE, OptimisticState).version <= 2

SCOPES: Final[Mapping[str, Scope]] = {
    scope.name: scope
    for scope in (
        _loop(),
        _frame(),
        _scheduling(),
        _steps(),
        _targets(),
        _authority(),
        _rotation(),
        of_protocol("CommitMemory", MEMORY, "refused"),
        of_protocol("CommitSqlite", SQLITE, "same"),
        of_protocol("CommitSqliteRefused", SQLITE, "refused"),
        of_protocol("CommitOptimistic", OPTIMISTIC, "two", _TWO_VERSIONS),
        of_protocol("CommitOptimisticRefused", OPTIMISTIC, "refused", _TWO_VERSIONS),
    )
}
"""The scopes by name."""
