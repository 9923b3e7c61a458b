"""Cases: commits tried in runs that drivers come to.  A commit that is broken is refuted by one that Python makes.

The runs are those after every call of a few workflows under a few schedules, so all that must stay true holds in
them.  In each a commit is tried for the frames, nodes, loops and iterations that are there, and some that are not;
where its row and the machines allow it, the wrapper's call is made by `step`, and what is stored then is looked at.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from rpds import HashTrieMap

from mobstore.model import MobRun, Operation, Payload, Timestamp, evolve
from mobstore.model.callers.commits import VARIABLES, Commit, Parameters
from mobstore.model.callers.deciding import Decisions
from mobstore.model.callers.flow import Flow, Loop, Step, body_frame, instance_of, root_frame
from mobstore.model.callers.planning import NotDue, Plan, Refused, plan
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.sorts import Record
from mobstore.model.step import HANDLERS, RunStoreState
from mobstore.properties.companions import ASSUMED_OF_CALLERS, COMPANIONS, Assumed
from mobstore.properties.invariants import Invariant, Scope, of_scope
from mobstore.properties.proofs.obligation import Replay
from mobstore.properties.source import as_python
from mobstore.properties.subject import Outcome
from mobstore.properties.workflows.scenarios import RUN_ID, LoopScript, Scenario, StepScript
from mobstore.properties.workflows.simulation import MOST_CHOICE, Model, Schedule, simulate
from mobstore.properties.workflows.workload import CORNERS, IN_TURN

_DEEP: Final = Scenario(
    Flow(
        "flow",
        (Loop("l", (Step("x"), Step("y", ("x",))), 2), Step("a", branch="b"), Step("z", branch="b")),
        max_active_nodes=2,
        max_active_frames=1,
        max_frame_depth=1,
    ),
    loops={"l": LoopScript(1)},
)
"""A loop as deep as may be, beside a branch."""
_SKIPPED: Final = Scenario(
    Flow(
        "flow",
        (
            *(Step("a"), Step("after-a", ("a",)), Step("c"), Step("after-c", ("c",))),
            *(Step("s", has_condition=True), Step("after-s", ("s",))),
            *(Step("o", branch="b"), Step("p", branch="b"), Loop("l", (Step("x"),)), Step("after-l", ("l",))),
        ),
        max_active_nodes=1,
    ),
    {"a": StepScript(failures=1), "c": StepScript(canceled=True), "s": StepScript(condition=False)},
    {"l": LoopScript(None)},
)
"""Whatever an end makes impossible: after a step that fails, is canceled or is skipped, and after a lost loop."""
_SCENARIOS: Final = (*CORNERS, IN_TURN, _DEEP, _SKIPPED)
_SEEDS: Final = 4
_OUTPUT: Final = Payload.of({"did": "it"})
_AT_END: Final = Timestamp(9)


class _Recorder(Model):
    """The model, which notes the run after every call."""

    def __init__(self, seen: dict[int, MobRun]) -> None:
        super().__init__()
        self._seen = seen

    def call(self, operation: Operation[Any]) -> Outcome:
        outcome = super().call(operation)
        run = self.state.run.runs.get(RUN_ID)
        if run is not None:
            self._seen[id(run)] = run
        return outcome


def _schedules() -> Iterator[Schedule]:
    yield Schedule()
    for seed in range(_SEEDS):
        rng = random.Random(seed)  # noqa: S311 - the same runs every time
        choices = [rng.randrange(MOST_CHOICE + 1) for _ in range(120)]
        yield Schedule(2, choices, chooses=True, cancel_after=None if seed % 2 else 15 + 10 * seed)


@functools.cache
def reached() -> tuple[tuple[Scenario, MobRun], ...]:
    """Return runs that drivers come to, each with its scenario."""
    found: list[tuple[Scenario, MobRun]] = []
    for scenario in _SCENARIOS:
        seen: dict[int, MobRun] = {}
        for schedule in _schedules():
            simulate(scenario, schedule, _Recorder(seen))
        distinct = {_what_matters(run): run for run in seen.values()}
        found += [(scenario, run) for run in distinct.values()]
    return tuple(found)


def _what_matters(run: MobRun) -> Any:
    return run.status, run.flow_state, tuple(run.frames.items()), tuple(run.loops.items())


# --- what a commit may be about ---------------------------------------------------------------------------------

_MANY: Final = 12
"""For so many things at most a commit is tried in one run."""


def _tries(scenario: Scenario, run: MobRun) -> Iterator[Parameters]:
    """Iterate over what commits may be about in a run: what is due, then whatever may be named."""
    decisions = Decisions(scenario.flow, RUN_ID)
    yield from (due.about for due in decisions.due(run) if hasattr(due, "about"))
    graph = scenario.flow.graph.parameters
    root = root_frame(RUN_ID)
    frames = {root: None, **dict(run.frames)}
    for frame_id, snapshot in frames.items():
        nodes = scenario.flow.graph.nodes if snapshot is None else snapshot.kernel_state.node_status
        for node in nodes:
            step = {"node_id": node, "step_id": node, "frame_id": frame_id}
            yield evolve(graph, step)
            yield evolve(
                graph, {**step, "has_condition": True, "step_id": next(iter(run.flow_state.tracked_steps))}
            )
            yield evolve(
                graph, {**step, "loop_instance_id": instance_of(frame_id, node), "loop_id": "l", "depth": 9}
            )
    for key, loop in run.loops.items():
        state = loop.kernel_state
        ends = {state.current_iteration, state.last_completed_iteration, state.current_iteration + 1}
        for iteration in sorted(ends):
            about = {"loop_instance_id": key, "iteration": iteration, "step_id": state.parent_node_id}
            parent = {"frame_id": state.parent_frame_id, "node_id": state.parent_node_id}
            body = {"body_frame_id": body_frame(key, iteration)}
            yield evolve(graph, about | parent | body)
            yield evolve(graph, about | body | {"frame_id": body["body_frame_id"]})
            yield evolve(graph, about | body | {"frame_id": f"{body['body_frame_id']}-again"})


@functools.cache
def _all_tries() -> tuple[tuple[MobRun, tuple[Parameters, ...]], ...]:
    rng = random.Random(0)  # noqa: S311 - the same tries every time
    found = []
    for scenario, run in reached():
        tries = list(dict.fromkeys(_tries(scenario, run)))
        found.append((run, tuple(rng.sample(tries, min(_MANY, len(tries))))))
    rng.shuffle(found)
    return tuple(found)


# --- trying -----------------------------------------------------------------------------------------------------


def made(commit: Commit) -> Iterator[tuple[MobRun, Parameters, Plan, MobRun]]:
    """Iterate over the runs in which a commit can be made: what it is about, its plan, and the run afterwards."""
    for run, tries in _all_tries():
        for about in tries:
            if not _is_assumed(commit, run, about):
                continue
            try:
                planned = plan(commit, run, about, _OUTPUT)
            except (NotDue, Refused, AttributeError, IndexError, KeyError):
                # Without a guard a partial term may be looked at: then nothing is committed, either.
                continue
            state = RunStoreState(HashTrieMap({run.run_id: run}))
            changed, answer = HANDLERS[type(planned.operation)](state, planned.operation, _AT_END.seconds)
            if answer:
                yield run, about, planned, changed.runs[run.run_id]


def _is_assumed(commit: Commit, run: MobRun, about: Parameters) -> bool:
    return all(_function(each)(run, about) for each in ASSUMED_OF_CALLERS if each.commit in (None, commit.name))


@functools.cache
def _function(assumed: Assumed) -> Callable[..., bool]:
    return function_of((Scope.COMPOSITION.variables[0], VARIABLES["p"]), assumed.term)


_LOOKED_AT: Final = 250
"""After so many cases in which it can be made, a commit is believed to keep what holds."""


def broken_by(commit: Commit, invariants: Sequence[Invariant] | None = None) -> tuple[Invariant, Replay] | None:
    """Return an invariant that does not hold after a commit, with the case; None where no case is found."""
    asked = (*of_scope(Scope.COMPOSITION), *COMPANIONS) if invariants is None else invariants
    for run, about, planned, after in itertools.islice(made(commit), _LOOKED_AT):
        for invariant in asked:
            if not invariant.holds(after):
                return invariant, _replay(commit, run, about, planned, after)
    return None


def _replay(commit: Commit, run: MobRun, about: Parameters, planned: Plan, after: MobRun) -> Replay:
    stands = all(each.holds(run) for each in (*of_scope(Scope.COMPOSITION), *COMPANIONS))
    return Replay(
        _shown(run), f"{commit.name}: {_given(about)}, by {planned.operation.call}", _changes(run, after), stands
    )


def _given(about: Parameters) -> str:
    blank = Parameters()
    named = {name: value for name, value in vars_of(about).items() if value != getattr(blank, name)}
    return ", ".join(f"{name}={as_python(value)}" for name, value in named.items() if name in _IDS)


def vars_of(record: Any) -> dict[str, Any]:
    """Return the fields of a record."""
    return {name: getattr(record, name) for name in Record(type(record)).fields}


_IDS: Final = ("frame_id", "node_id", "step_id", "loop_instance_id", "body_frame_id", "iteration")


def _shown(run: MobRun) -> str:
    flow = run.flow_state
    steps = ", ".join(f"{step} {_word(status)}" for step, status in flow.step_status.items())
    parts = [
        f"the run {run.status.value}",
        f"steps: {steps}",
        f"{flow.active_node_count} node slots and {flow.active_frame_count} frames taken",
        f"waiting: {list(flow.ready_frames)} and {list(flow.pending_body_frame_loops)}",
    ]
    parts += [_frame(key, snapshot.kernel_state) for key, snapshot in run.frames.items()]
    parts += [_loop(key, snapshot.kernel_state) for key, snapshot in run.loops.items()]
    return "\n    ".join(parts)


def _word(status: Any) -> str:
    return "–" if status is None else str(status.value)


def _frame(key: str, state: Any) -> str:
    nodes = (f"{node} {_word(status)}{_noted(state, node)}" for node, status in state.node_status.items())
    return f"frame {key} {_word(state.phase)}: {', '.join(nodes)}"


def _noted(state: Any, node: str) -> str:
    return " (noted)" if state.output_recorded[node] else ""


def _loop(key: str, state: Any) -> str:
    body = f", in {state.active_body_frame_id}" if state.active_body_frame_id is not None else ""
    return (
        f"loop {key} {_word(state.phase)} {_word(state.stage)}: iteration {state.current_iteration} of "
        f"{state.max_iterations}{body}"
    )


def _changes(before: MobRun, after: MobRun) -> str:
    """Return what is another than before, line by line."""
    old, new = _shown(before).split("\n    "), _shown(after).split("\n    ")
    lines = [line for line in new if line not in old]
    return "\n    ".join(lines) or "nothing of that changes"
