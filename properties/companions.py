"""Companions: what must stay true of a run so that its invariants can be shown to.

An invariant of a whole run that is not inductive by itself rests on these, which every commit of the table keeps as
well.  They are said of our callers only: what others commit need not keep them, so an audit does not ask for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from mobstore.model import MobRun, MobRunStatus, TrieMap, evolve
from mobstore.model.callers.commits import VARIABLES
from mobstore.model.machines import FRAME, LOOP, RUN, run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.frame import is_open, status_of
from mobstore.model.machines.sorts import Natural
from mobstore.model.values import (
    FramePhase,
    FrameScope,
    FrameSnapshot,
    LoopIterationLedger,
    LoopPhase,
    LoopStage,
    NodeKind,
    NodeStatus,
    RunPhase,
    StepStatus,
)
from mobstore.properties.invariants import (
    EXAMPLE,
    RUNNING_STEPS,
    SEALED,
    STARTED,
    Broken,
    Invariant,
    Scope,
    also_from,
    frame_of,
    last_step,
    loop_of,
    without_update,
    writing,
)

_m: Final = t.fields_of("s", MobRun)
_flow: Final = t.Fields(_m.flow_state)
_p: Final = t.Fields(VARIABLES["p"])
_create: Final = t.fields_of("i", run_inputs.CreateRun)
_GREATEST: Final = Natural(32).maximum


def _ended_example() -> MobRun:
    """Return a run that completed, of which only the root frame was started."""
    _, root = last_step(FRAME, SEALED)
    _, flow = last_step(RUN, (*STARTED, run_inputs.TerminalizeCompleted()))
    ended = {"flow_state": flow, "status": MobRunStatus.COMPLETED, "frames": TrieMap({"r": FrameSnapshot(root)})}
    return evolve(EXAMPLE, {**ended, "loops": TrieMap(), "loop_iteration_ledger": LoopIterationLedger()})


ENDED_EXAMPLE: Final = _ended_example()


def _is_unreleased(frame: t.Fields) -> Callable[[t.Term], t.Term]:
    def unreleased(node: t.Term) -> t.Term:
        is_step = t.at(frame.node_kind, node, NodeKind.STEP).eq(NodeKind.STEP)
        noted = t.at(frame.output_recorded, node, False)  # noqa: FBT003 - a default
        return is_step & status_of(frame.node_status, node).eq(NodeStatus.COMPLETED) & ~noted

    return unreleased


_UNRELEASED: Final = t.total(
    _m.frames, lambda key: t.count(frame_of(key).node_status, _is_unreleased(frame_of(key)))
)


def _notes_only_completed(frame: t.Fields) -> t.Term:
    return t.for_all(
        frame.output_recorded,
        lambda node: (
            ~t.at(frame.output_recorded, node) | status_of(frame.node_status, node).eq(NodeStatus.COMPLETED)
        ),
    )


def _same_parent(one: t.Term, other: t.Term) -> t.Term:
    first, second = loop_of(one), loop_of(other)
    return first.parent_frame_id.eq(second.parent_frame_id) & first.parent_node_id.eq(second.parent_node_id)


def _is_root(key: t.Term) -> t.Term:
    return frame_of(key).frame_scope.eq(FrameScope.ROOT)


def _follows_its_node(step: t.Term) -> t.Term:
    """Return that a step that failed, or was canceled, is a node of the root frame that came to the same."""

    def some_node(status: NodeStatus) -> t.Term:
        return t.exists(
            _m.frames, lambda key: _is_root(key) & status_of(frame_of(key).node_status, step).eq(status)
        )

    status = t.at(_flow.step_status, step, None)
    return t.implies(status.eq(StepStatus.FAILED), some_node(NodeStatus.FAILED)) & t.implies(
        status.eq(StepStatus.CANCELED), some_node(NodeStatus.CANCELED)
    )


def _has_line(loop: t.Term, iteration: t.Term) -> t.Term:
    return t.exists(
        _m.loop_iteration_ledger,
        lambda entry: entry.get("loop_instance_id").eq(loop) & entry.get("iteration").eq(iteration),
    )


def _is_in_body(loop: t.Term) -> t.Term:
    return loop_of(loop).stage.eq(LoopStage.BODY_FRAME_ACTIVE)


def _line_was_due(entry: t.Term) -> t.Term:
    loop, iteration = entry.get("loop_instance_id"), entry.get("iteration")
    current = loop_of(loop).current_iteration
    return t.member(loop, _m.loops) & ((iteration < current) | (iteration.eq(current) & _is_in_body(loop)))


def _lines_are_there(loop: t.Term) -> t.Term:
    current = loop_of(loop).current_iteration
    before = current.eq(0) | _has_line(loop, current - 1)
    return before & (~_is_in_body(loop) | _has_line(loop, current))


def _takes_its_branch(frame: t.Fields, node: t.Term) -> t.Term:
    return status_of(frame.node_status, node).one_of(NodeStatus.RUNNING, NodeStatus.COMPLETED)


def _one_node_a_branch(frame: t.Fields) -> t.Term:
    def same(one: t.Term, other: t.Term) -> t.Term:
        branch = t.at(frame.node_branches, one, None)
        return t.Present(branch) & branch.eq(t.at(frame.node_branches, other, None))

    return t.for_all(
        frame.node_status,
        lambda one: (
            ~_takes_its_branch(frame, one)
            | t.for_all(
                frame.node_status,
                lambda other: other.eq(one) | ~same(one, other) | ~_takes_its_branch(frame, other),
            )
        ),
    )


def _root_is(phase: FramePhase) -> t.Term:
    return t.exists(_m.frames, lambda key: _is_root(key) & frame_of(key).phase.eq(phase))


def _two_roots() -> Broken:
    return writing(FRAME, "StartBodyFrame", "frame_scope", FrameScope.ROOT)


COMPANIONS: Final = (
    Invariant(
        "what-is-stored-was-started",
        "Every stored frame and loop was started.",
        Scope.COMMITS,
        ~t.is_empty(_m.frames) | ~t.is_empty(_m.loops),
        t.for_all(_m.frames, lambda key: ~frame_of(key).phase.eq(FramePhase.ABSENT))
        & t.for_all(_m.loops, lambda key: ~loop_of(key).phase.eq(LoopPhase.ABSENT)),
        EXAMPLE,
        without_update(LOOP, "StartLoop", "phase"),
    ),
    Invariant(
        "tracked-steps-are-ordered",
        "Every step of a run stands in its order.",
        Scope.COMMITS,
        ~_flow.phase.eq(RunPhase.ABSENT),
        t.for_all(_flow.tracked_steps, lambda step: t.member(step, _flow.ordered_steps)),
        EXAMPLE,
        writing(RUN, "CreateRun", "ordered_steps", ()),
    ),
    Invariant(
        "slots-are-exact",
        "A node slot is taken for each step's node that runs, or completed without its output noted; and no other.",
        Scope.COMMITS,
        (_flow.active_node_count > 0) | (RUNNING_STEPS > 0) | (_UNRELEASED > 0),
        _flow.active_node_count.eq(RUNNING_STEPS + _UNRELEASED),
        EXAMPLE,
        without_update(RUN, "NodeExecutionReleased", "active_node_count"),
    ),
    Invariant(
        "outputs-are-noted-of-completed-nodes",
        "A frame notes the outputs of completed nodes only.",
        Scope.COMMITS,
        t.exists(_m.frames, lambda key: ~t.is_empty(frame_of(key).output_recorded)),
        t.for_all(_m.frames, lambda key: _notes_only_completed(frame_of(key))),
        EXAMPLE,
        without_update(FRAME, "CompleteNode", "node_status"),
    ),
    Invariant(
        "a-node-has-one-loop",
        "No two loops have the same parent node.",
        Scope.COMMITS,
        ~t.is_empty(_m.loops),
        t.for_all(
            _m.loops,
            lambda one: t.for_all(_m.loops, lambda other: one.eq(other) | ~_same_parent(one, other)),
        ),
        EXAMPLE,
        without_update(LOOP, "StartLoop", "parent_node_id"),
    ),
    Invariant(
        "parent-node-has-begun",
        "The parent node of a loop has begun to run.",
        Scope.COMMITS,
        ~t.is_empty(_m.loops),
        t.for_all(
            _m.loops,
            lambda key: ~is_open(frame_of(loop_of(key).parent_frame_id).node_status, loop_of(key).parent_node_id),
        ),
        EXAMPLE,
        without_update(FRAME, "AdmitNextReadyNode", "node_status"),
    ),
    Invariant(
        "one-root-frame",
        "A run has one root frame at most.",
        Scope.COMMITS,
        t.exists(_m.frames, _is_root),
        t.for_all(
            _m.frames,
            lambda one: ~_is_root(one) | t.for_all(_m.frames, lambda other: other.eq(one) | ~_is_root(other)),
        ),
        EXAMPLE,
        _two_roots(),
    ),
    Invariant(
        "lost-steps-follow-their-nodes",
        "While a run is not canceled, its steps that failed or were canceled are nodes that came to the same.",
        Scope.COMMITS,
        ~_flow.phase.eq(RunPhase.CANCELED),
        t.for_all(_flow.step_status, _follows_its_node),
        EXAMPLE,
        writing(
            RUN,
            "CompleteStep",
            "step_status",
            t.map_to(_flow.step_status, _flow.step_status, lambda _: StepStatus.FAILED),
        ),
    ),
    Invariant(
        "one-node-a-branch",
        "Of the nodes of a branch at most one runs, or completed.",
        Scope.COMMITS,
        ~t.is_empty(_m.frames),
        t.for_all(_m.frames, lambda key: _one_node_a_branch(frame_of(key))),
        EXAMPLE,
        without_update(FRAME, "CompleteNode", "branch_winners"),
    ),
    Invariant(
        "run-ends-as-its-root-frame",
        "A run that completed, or failed, has a root frame that did.",
        Scope.COMMITS,
        _flow.phase.one_of(RunPhase.COMPLETED, RunPhase.FAILED),
        t.implies(_flow.phase.eq(RunPhase.COMPLETED), _root_is(FramePhase.COMPLETED))
        & t.implies(_flow.phase.eq(RunPhase.FAILED), _root_is(FramePhase.FAILED)),
        ENDED_EXAMPLE,
        writing(RUN, "TerminalizeFailed", "phase", RunPhase.COMPLETED),
    ),
    Invariant(
        "nothing-waits-in-the-end",
        "In a run that completed, or failed, nothing waits.",
        Scope.COMMITS,
        _flow.phase.one_of(RunPhase.COMPLETED, RunPhase.FAILED),
        t.is_empty(_flow.ready_frames) & t.is_empty(_flow.pending_body_frame_loops),
        ENDED_EXAMPLE,
        also_from(RUN, "RegisterReadyFrame", RunPhase.COMPLETED),
    ),
    Invariant(
        "ledger-follows-the-loops",
        "The iteration ledger has a line of each iteration that a loop began, and of no other.",
        Scope.COMMITS,
        ~t.is_empty(_m.loop_iteration_ledger) | ~t.is_empty(_m.loops),
        t.for_all(_m.loop_iteration_ledger, _line_was_due) & t.for_all(_m.loops, _lines_are_there),
        EXAMPLE,
        without_update(LOOP, "BodyFrameStarted", "stage"),
    ),
)
"""All of them; every commit of the table keeps each."""

# --- what callers see to ----------------------------------------------------------------------------------------

CREATION: Final = "create-run"
"""Creating a run is no commit, for it compares nothing; what callers see to there is a term of its input ``i``."""


@attrs.frozen
class Assumed:
    """What callers see to, of a commit (None: of each), as a term of the run ``s`` and the parameters ``p``."""

    name: str
    sentence: str
    commit: str | None
    term: t.Term


ASSUMED_OF_CALLERS: Final = (
    Assumed(
        "slots-have-numbers",
        "Fewer slots are taken than the greatest number of 32 bits.",
        None,
        (_flow.active_node_count < _GREATEST) & (_flow.active_frame_count < _GREATEST),
    ),
    Assumed(
        "one-root-id",
        "The root frame of a run has one id, which follows from the run's.",
        "insert-root",
        t.for_all(_m.frames, lambda key: ~_is_root(key) | key.eq(_p.frame_id)),
    ),
    Assumed(
        "steps-are-ordered",
        "A run is created with each of its steps in its order (and, as a flow is checked, without circles).",
        CREATION,
        t.for_all(_create.step_ids, lambda step: t.member(step, _create.ordered_steps)),
    ),
)
"""What is taken for granted of whoever makes a commit, besides that it is made as its row says."""
