"""Broken drivers: each has one mistake, and the simulation finds it out; ours makes none of them."""

import random
from collections.abc import Mapping

import attrs
import pytest
from rpds import HashTrieMap

from mobstore.model import MobRunStatus, Timestamp, evolve
from mobstore.model import operations as ops
from mobstore.model.callers import deciding
from mobstore.model.callers.commits import CAN_ADMIT, COMMITS, Parameters, frame
from mobstore.model.callers.deciding import Decisions, Make
from mobstore.model.callers.driver import Driver, Stuck
from mobstore.model.callers.flow import Flow, Loop, Step
from mobstore.model.callers.requests import ReadClock
from mobstore.model.machines import run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.step import HANDLERS, RunStoreState
from mobstore.model.values import FailureLedgerEntry, StepLedgerEntry, StepRunStatus
from mobstore.properties.workflows.coverage import Coverage
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript
from mobstore.properties.workflows.simulation import MOST_CHOICE, Model, Schedule, Simulation, simulate
from mobstore.properties.workflows.watching import Violation, Watch
from mobstore.properties.workflows.workload import PASSED_OVER, SHORT_OF_FRAMES

BRANCHING = Scenario(
    Flow("flow", (Step("a"), Step("b", branch="x"), Step("c", branch="x"), Step("d", ("a",))), max_active_nodes=2)
)
LOOPING = Scenario(
    Flow("flow", (Loop("l", (Step("x"),), 2), Step("z", ("l",))), max_active_nodes=1), loops={"l": LoopScript(1)}
)
FAILING = Scenario(Flow("flow", (Step("a"), Step("b"))), {"a": StepScript(failures=9)})
SEEDS = 15


def schedules(seed):
    rng = random.Random(seed)
    choices = [rng.randrange(MOST_CHOICE + 1) for _ in range(150)]
    return Schedule(rng.randint(2, 3), choices, rng.random() < 0.5, rng.choice((None, None, 25)))


def fault_of(scenario, make):
    """What is found: by one driver, by several with deaths by chance, by one's deaths at every point."""
    try:
        simulate(scenario, Schedule(), Model(), make=make)
        for seed in range(SEEDS):
            simulate(scenario, schedules(seed), Model(), make=make)
        for _ in Simulation(scenario, Schedule(), Model(), Coverage(), make).every_crash():
            pass
    except (Violation, Stuck) as fault:
        return f"{type(fault).__name__}: {fault}"
    return None


def changed(name, **changes):
    """The table with one commit changed."""
    return {**COMMITS, name: attrs.evolve(COMMITS[name], **changes)}


def without(name, input):
    """The table in which a commit does without a machine input."""
    kept = tuple(item for item in COMMITS[name].inputs if item.input is not input)
    assert kept != COMMITS[name].inputs
    return changed(name, inputs=kept)


def replaced(term, old, new):
    """A term in which a part is another."""
    if term == old or not isinstance(term, t.Term):
        return new if term == old else term
    changes = {}
    for field in attrs.fields(type(term)):
        part = getattr(term, field.name)
        if isinstance(part, t.Term):
            changes[field.name] = replaced(part, old, new)
        elif isinstance(part, tuple):
            changes[field.name] = tuple(
                replaced(item, old, new) if isinstance(item, t.Term) else item for item in part
            )
    return attrs.evolve(term, **changes) if changes else term


def with_table(commits: Mapping):
    def make(*args, **named):
        return Driver(*args, commits=commits, **named)

    return make


class WithoutPassOver(Decisions):
    def _of_nodes(self, run):
        return (decision for decision in super()._of_nodes(run) if decision.commit != "pass-over")


class WithoutRegistration(Decisions):
    """Trusts that whoever inserted the root frame registers it."""

    def _of_frame(self, run, scan):
        later = bool(run.flow_state.last_granted_frame)
        for decision in super()._of_frame(run, scan):
            if later or getattr(decision, "commit", "") != "register-ready":
                yield decision


class GrantsToWhoeverIsNext(Decisions):
    """Does not ask whether the bodies inside find a frame."""

    def _of_bodies(self, run):
        flow = run.flow_state
        if flow.pending_body_frame_loops and not 0 < flow.max_active_frames <= flow.active_frame_count:
            yield self._grant(run.loops[flow.pending_body_frame_loops[0]].kernel_state)


def deciding_by(kind):
    class Broken(Driver):
        def __init__(self, flow, run_id, **named):
            super().__init__(flow, run_id, **named)
            self._decisions = kind(flow, run_id)

    return Broken


class IgnoresFalse(Driver):
    """Takes its own copy for the truth."""

    def _call(self, operation):
        yield operation
        self._is_fresh = False
        if self._run is not None:
            changed, _ = HANDLERS[type(operation)](
                RunStoreState(HashTrieMap({self._run_id: self._run})), operation, 0
            )
            self._run = changed.runs[self._run_id]
        return True


ENDS = {StepRunStatus.COMPLETED: "complete-step", StepRunStatus.FAILED: "fail-step"}


class DoesItAgain(Driver):
    """Does not look into the ledger for what was done."""

    def _attend(self, place):
        run = yield from self._present()
        entry = yield from self._perform(run, place)
        if entry is None:
            yield from super()._attend(place)
        elif self._run is not None:
            output = entry.output if entry.status is StepRunStatus.COMPLETED else None
            yield from self._of_step(ENDS[entry.status], place, output)


class ForgetsTheEvent(Driver):
    """Leaves the terminal event to whoever ended the run."""

    def drive(self):
        run = yield from self._present()
        return run.status if run.status.is_terminal else (yield from super().drive())


class TellsItsOwnStatus(Driver):
    """Tells of a cancellation, and not of the status that is stored."""

    def _close(self, run):
        return super()._close(evolve(run, {"status": MobRunStatus.CANCELED}))


class WritesLinesAgain(Driver):
    """Appends to the step ledger without asking whether the line is there."""

    def _record(self, place, status, output):
        now = yield ReadClock()
        entry = StepLedgerEntry(place.address, place.step.agent, status, output, now)
        yield from self._call(ops.AppendStepEntry(self._run_id, entry))
        return entry


class NotesFailuresAgain(Driver):
    """Appends to the failure ledger without looking into it."""

    def _note_failure(self, place, entry):
        failure = FailureLedgerEntry(place.address, "again", timestamp=entry.timestamp)
        yield from self._call(ops.AppendFailureEntry(self._run_id, failure))


class LogsLess(Driver):
    """Leaves the last machine input of a commit out of the log."""

    def _call(self, operation):
        inputs = getattr(operation, "authority_inputs", ())
        return super()._call(evolve(operation, {"authority_inputs": inputs[:-1]}) if inputs else operation)


class EndsWithWaitingFrames(Decisions):
    """Ends the run as soon as the root frame is sealed, whatever waits."""

    def due(self, run):
        for decision in super().due(run):
            is_sealed = self._root in run.frames and run.frames[self._root].kernel_state.phase != "Running"
            yield Make("end-run", Parameters(frame_id=self._root)) if is_sealed else decision


def registers_always(*args, **named):
    inputs = tuple(
        attrs.evolve(item, when=None) if item.input is run_inputs.RegisterReadyFrame else item
        for item in COMMITS["release-slot"].inputs
    )
    requires = tuple(guard for guard in COMMITS["end-run"].requires if guard.name != "nothing waits")
    commits = changed("release-slot", inputs=inputs) | {
        "end-run": attrs.evolve(COMMITS["end-run"], requires=requires)
    }
    return deciding_by(EndsWithWaitingFrames)(*args, commits=commits, **named)


class FilesByLoop(Driver):
    """Files the outputs of all instances of a loop under the loop's id."""

    def _call(self, operation):
        if isinstance(operation, ops.CasCompleteStepAndRecordOutput) and operation.loop_context:
            loop = self._run.loops[operation.loop_context[0]].kernel_state.loop_id
            operation = evolve(operation, {"loop_context": (loop, operation.loop_context[1])})
        return super()._call(operation)


ALL_AT_ONCE = {
    name: attrs.evolve(
        commit,
        requires=tuple(
            attrs.evolve(guard, condition=replaced(guard.condition, CAN_ADMIT, ~t.is_empty(frame.ready_queue)))
            for guard in commit.requires
        ),
        inputs=tuple(
            attrs.evolve(item, when=replaced(item.when, CAN_ADMIT, ~t.is_empty(frame.ready_queue)))
            if item.when is not None
            else item
            for item in commit.inputs
        ),
    )
    for name, commit in COMMITS.items()
}

BROKEN = {
    "never returns the slot of a completed step": (
        with_table(without("release-slot", run_inputs.NodeExecutionReleased)),
        LOOPING,
        "slots-are-exact",
    ),
    "keeps the slot of a loop's node": (
        with_table(without("start-loop", run_inputs.NodeExecutionReleased)),
        LOOPING,
        "slots-are-exact",
    ),
    "leaves the slot of a failed step to another commit": (
        with_table(without("fail-step", run_inputs.NodeExecutionReleased)),
        FAILING,
        "slots-are-exact",
    ),
    "leaves steps out in a canceled run": (
        with_table(without("cancel-run", run_inputs.CancelStep)),
        FAILING,
        "ended-run-has-no-work-out",
    ),
    "seals a body whose slot is out": (
        with_table(without("complete-body", run_inputs.FrameTerminated)),
        LOOPING,
        "frame",
    ),
    "never passes a frame over": (deciding_by(WithoutPassOver), PASSED_OVER, "Stuck"),
    "leaves a new frame unregistered": (deciding_by(WithoutRegistration), FAILING, "Stuck"),
    "lets nested loops wait for each other's frames": (
        deciding_by(GrantsToWhoeverIsNext),
        SHORT_OF_FRAMES,
        "Stuck",
    ),
    "ignores a false": (IgnoresFalse, FAILING, ""),
    "does a step again after a death": (DoesItAgain, FAILING, "done twice"),
    "forgets the terminal event": (ForgetsTheEvent, FAILING, "no event says so"),
    "tells another status than the one that is stored": (TellsItsOwnStatus, FAILING, "one-terminal-event"),
    "writes a line of the ledger again": (WritesLinesAgain, FAILING, "lines-stand-once"),
    "notes a failure again": (NotesFailuresAgain, FAILING, "one-failure-a-step"),
    "leaves an input out of the log": (LogsLess, FAILING, "log: replayed, it leads to another"),
    "leaves frames in the queue of a run that ended": (registers_always, FAILING, "ends-empty"),
    "files the outputs of nested loops under one name": (
        FilesByLoop,
        SHORT_OF_FRAMES,
        "outputs-are-those-of-completed-nodes",
    ),
}


@pytest.mark.parametrize(("make", "scenario", "found"), BROKEN.values(), ids=BROKEN)
def test_is_found_out(make, scenario, found):
    fault = fault_of(scenario, make)
    print(f"\n{fault}")
    assert fault is not None
    assert found in fault


def test_a_driver_that_admits_all_siblings_of_a_branch_at_once_is_found_out(monkeypatch):
    monkeypatch.setattr(deciding, "can_admit", lambda state: bool(state.ready_queue))
    fault = fault_of(BRANCHING, with_table(ALL_AT_ONCE))
    assert "one-node-a-branch" in fault


@pytest.mark.parametrize("scenario", [BRANCHING, PASSED_OVER, LOOPING, FAILING, SHORT_OF_FRAMES])
def test_nothing_is_found_in_ours(scenario):
    assert fault_of(scenario, Driver) is None


def test_a_run_that_ended_ends_only_once():
    model, watch = Model(), Watch(Coverage())
    run = simulate(FAILING, Schedule(), model)
    watch.look(run, model.state, suspected=False)
    with pytest.raises(Violation, match="a run that was failed is failed, or ended at another time"):
        watch.look(evolve(run, {"completed_at": Timestamp(1)}), model.state, suspected=False)
