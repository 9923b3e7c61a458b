"""The workflow driver: it decides from what the store holds, and makes what is due.

The rules:

1. A driver is a generator.  It yields a call of the store, or a request (`requests`), and is sent the answer; an
   error of the store is thrown into it, and ends it.  Whoever runs it does the calling, so one driver serves
   threads, asyncio and simulations.
2. It knows nothing that the store does not.  A driver that dies is replaced by a new one, which reads the run and
   goes on; several at a time come to the same end as one.
3. It keeps a copy of the run.  A call that is answered as expected is made on the copy, too, with the
   specification's own meaning; after any other answer the run is read again, and decided again: at most six times
   in a row (five for commits of the run alone), then `Contention` is raised.
4. The result of a step is written to the step ledger before the machines hear of it.  Whoever resumes finds it
   there, and does not do the step again.  The ledger takes each line once, and where two did one step the first
   line counts.
5. A step that another driver admitted is left to it until `Idle` is answered with True.
6. A line of the failure ledger, and an event, have no such guard: they stand twice where a driver that lives was
   thought dead, and both wrote it.
7. The supervisor is told before the commit that makes it necessary: after it nobody would know that it was not
   told.  It may be told twice where a driver dies, or is thought dead, in between; and of a failure that then
   comes to be counted differently because others were faster.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rpds import HashTrieMap

from mobstore.model import operations as ops
from mobstore.model._errors import Internal
from mobstore.model._json import Document, Payload
from mobstore.model.callers import authority
from mobstore.model.callers.authority import MACHINE_OF, Addressed
from mobstore.model.callers.commits import COMMITS, Commit, Parameters
from mobstore.model.callers.deciding import Admit, Attend, Decision, Decisions, Judge
from mobstore.model.callers.flow import Flow
from mobstore.model.callers.planning import STATUS_OF, Machines, NotDue, Plan, Refused, plan
from mobstore.model.callers.requests import (
    Completed,
    EvaluateCondition,
    EvaluateUntil,
    Failed,
    Idle,
    PerformStep,
    Place,
    ReadClock,
    Request,
    Result,
    Until,
)
from mobstore.model.machines import Transitioned, run_effects
from mobstore.model.step import HANDLERS, RunStoreState
from mobstore.model.values import (
    FailureLedgerEntry,
    FlowRunState,
    FramePhase,
    LoopInstanceId,
    MobId,
    MobRun,
    MobRunStatus,
    NewMobEvent,
    NodeStatus,
    RunId,
    StepId,
    StepLedgerEntry,
    StepRunStatus,
    StepStatus,
)
from mobstore.model.wrappers import Cell

ATTEMPTS: Final = 6
RUN_ATTEMPTS: Final = 5
"""Commits in a row that may be answered ``False``, and those of the run alone, before it is called contention."""

_RUN_COMMITS: Final = (ops.CasRunSnapshotWithAuthority, ops.CasFlowStateWithAuthority)

Work: TypeAlias = Generator[Request, Any, Any]
Driving: TypeAlias = Generator[Request, Any, MobRunStatus]
Choose: TypeAlias = Callable[[Sequence[Decision]], Decision]
"""Chooses one of several things that are due."""


class Contention(Exception):
    """Others kept changing what a driver wanted to change; a new driver may go on."""

    def __init__(self, commit: str, attempts: int) -> None:
        super().__init__(f"contention: {commit} was answered false, the {attempts}th time in a row")
        self.commit = commit
        self.attempts = attempts


class UnknownRun(LookupError):
    """There is no such run."""


class OtherFlow(ValueError):
    """The run was created from another definition; the message names the first field that differs."""


class Stuck(Exception):
    """A run has not ended, nothing is due in it, and no step runs: its snapshots were not written by drivers."""


def start(
    flow: Flow, run_id: RunId, mob_id: MobId, activation_params: Payload, machines: Machines = MACHINE_OF
) -> Work:
    """Create a run of a flow, unless it exists; then `drive` it.  Yields requests, and answers None."""
    create = flow.create_input()
    created = machines[Cell.FLOW_STATE].step(FlowRunState(), create)
    if not isinstance(created, Transitioned):
        raise Refused("create-run", create, created)
    to = Addressed(Cell.FLOW_STATE, run_id, create)
    seed = authority.written(run_id, to, FlowRunState(), created.next_state, {})
    now = yield ReadClock()
    run = MobRun(
        run_id,
        mob_id,
        flow.id,
        STATUS_OF[created.next_state.phase],
        created.next_state,
        activation_params,
        now,
        flow_authority_inputs=(seed,),  # type: ignore[arg-type]
    )
    try:
        yield ops.CreateRun(run)
    except Internal:
        # Another created it, or this one before it died; any other reason shows again at the next call.
        if (yield ops.GetRun(run_id)) is None:
            raise


def drive(flow: Flow, run_id: RunId, *, choose: Choose | None = None) -> Driving:
    """Drive a run to its end, whatever state it is in.

    Args:
        flow: the definition that the run was created from.
        run_id: the run.
        choose: chooses among all that is due; the default takes the first, and looks for no others.

    Returns:
        The status that the run ended with.

    Raises:
        UnknownRun: there is no such run.
        OtherFlow: it is one of another definition.
        Contention: others were faster, again and again; a new driver may go on.
        Stuck: nothing is due, and nothing runs.
        MobStoreError: as the store's calls raise.
    """
    return Driver(flow, run_id, choose=choose).drive()


def cancel(flow: Flow, run_id: RunId) -> Driving:
    """Cancel a run, and see to its terminal event; a run that has ended stays as it is.  As `drive` else."""
    return Driver(flow, run_id).cancel()


class Driver:
    """One caller at work on one run.

    Args:
        flow: the definition that the run was created from.
        run_id: the run.
        choose: chooses among all that is due.
        commits: the table of commits.
        machines: what takes the machine inputs.
    """

    def __init__(
        self,
        flow: Flow,
        run_id: RunId,
        *,
        choose: Choose | None = None,
        commits: Mapping[str, Commit] = COMMITS,
        machines: Machines = MACHINE_OF,
    ) -> None:
        self.planned: Plan | None = None
        """The commit that was computed last; its call is the one that is, or was, yielded."""
        self._flow, self._run_id, self._choose = flow, run_id, choose
        self._commits, self._machines = commits, machines
        self._decisions = Decisions(flow, run_id)
        self._run: MobRun | None = None
        self._is_fresh = False
        self._misses = 0
        self._mine: dict[Place, None] = {}
        self._answers: dict[LoopInstanceId | Place, tuple[Request, Any]] = {}

    # --- the loop -----------------------------------------------------------------------------------------------

    def drive(self) -> Driving:
        """Drive the run to its end; see `mobstore.model.callers.driver.drive`.

        After `Contention` it may be called again: then the driver goes on with the steps that it admitted.
        """
        self._misses = 0
        while not (run := (yield from self._present())).status.is_terminal:
            decision = self._next(run)
            if decision is not None:
                yield from self._act(decision)
            elif self._is_fresh:
                yield from self._wait(run)
            else:
                self._run = None
        yield from self._close(run)
        return run.status

    def cancel(self) -> Driving:
        """Cancel the run; see `mobstore.model.callers.driver.cancel`."""
        while not (run := (yield from self._present())).status.is_terminal:
            yield from self._commit("cancel-run", Parameters())
        yield from self._close(run)
        return run.status

    def _present(self) -> Generator[Request, Any, MobRun]:
        """Return the run as it is known; read it where it is not."""
        if self._run is None:
            self._run = yield ops.GetRun(self._run_id)
            self._is_fresh = True
            if self._run is None:
                raise UnknownRun(f"there is no run {self._run_id}")
            _check_flow(self._flow, self._run)
        return self._run

    def _next(self, run: MobRun) -> Decision | None:
        due = self._due(run)
        if self._choose is None:
            return next(due, None)
        decisions = list(due)
        return self._choose(decisions) if decisions else None

    def _due(self, run: MobRun) -> Iterator[Decision]:
        """Iterate over one's own steps, then over what is due for every driver."""
        for place in list(self._mine):
            if _runs(run, place):
                yield Attend(place)
            else:
                del self._mine[place]
                self._answers.pop(place, None)
        yield from self._decisions.due(run)

    def _act(self, decision: Decision) -> Work:
        if isinstance(decision, Attend):
            yield from self._attend(decision.place)
        elif isinstance(decision, Judge):
            yield from self._judge(decision)
        elif (yield from self._commit(decision.commit, decision.about)) and isinstance(decision, Admit):
            self._mine[decision.place] = None

    def _wait(self, run: MobRun) -> Work:
        others = tuple(place for place in self._decisions.running(run) if place not in self._mine)
        if not others:
            msg = f"run {self._run_id} is {run.status.value}, nothing is due in it, and no step runs"
            raise Stuck(msg)
        if (yield Idle(others)):
            self._mine |= dict.fromkeys(others)
        self._run = None

    def _close(self, run: MobRun) -> Work:
        """See to the terminal event, which follows the status that is stored."""
        kind = {"type": f"flow_{run.status.value}", "run_id": str(run.run_id), "flow_id": run.flow_id}
        if run.status is MobRunStatus.FAILED:
            kind["reason"] = "a node of the root frame failed"
        yield ops.AppendTerminalEventIfAbsent(NewMobEvent(run.mob_id, kind=Document.of(kind)))

    # --- calls --------------------------------------------------------------------------------------------------

    def _call(self, operation: ops.RunOperation[Any]) -> Work:
        """Make a changing call, and make it on the copy, too; where they differ the copy is dropped."""
        answer = yield operation
        run, self._is_fresh = self._run, False
        if run is not None:
            held = RunStoreState(HashTrieMap({run.run_id: run}))
            # The time matters to a run that ends, and of such a one the copy is asked for no time.
            changed, expected = HANDLERS[type(operation)](held, operation, 0)
            self._run = changed.runs[run.run_id] if expected == answer else None
        return answer

    def _commit(self, name: str, about: Parameters, output: Payload | None = None) -> Work:
        """Compute a commit and make it; answer whether it was made."""
        run = yield from self._present()
        commit = self._commits[name]
        try:
            planned = plan(commit, run, about, output, self._machines)
        except NotDue:
            # It was decided on for a state that is no more.
            return self._missed(commit)
        yield from self._escalate(run, planned)
        self.planned = planned
        if (yield from self._call(planned.operation)):
            self._misses = 0
            return True
        return self._missed(commit)

    def _missed(self, commit: Commit) -> bool:
        """Note that a commit was not made; the run is read again.

        Raises:
            Contention: that happened too often in a row.
        """
        self._run = None
        self._misses += 1
        if self._misses >= (RUN_ATTEMPTS if issubclass(commit.operation, _RUN_COMMITS) else ATTEMPTS):
            raise Contention(commit.name, self._misses)
        return False

    # --- loops --------------------------------------------------------------------------------------------------

    def _judge(self, due: Judge) -> Work:
        asked = EvaluateUntil(self._run_id, due.loop_instance_id, due.iteration)
        answer = yield from self._ask(due.loop_instance_id, asked)
        name = {
            Until.MET: "complete-loop",
            Until.CANCELED: "cancel-loop",
            Until.NOT_MET: "exhaust-loop" if due.is_last else "request-body",
        }[answer]
        if (yield from self._commit(name, due.about)):
            del self._answers[due.loop_instance_id]

    def _ask(self, about: LoopInstanceId | Place, request: Request) -> Work:
        """Ask once: where a commit is answered ``False``, and decided again, the answer is at hand."""
        held = self._answers.get(about)
        if held is None or held[0] != request:
            self._answers[about] = held = (request, (yield request))
        return held[1]

    # --- steps --------------------------------------------------------------------------------------------------

    def _attend(self, place: Place) -> Work:
        """Go on with a step that runs, from where the ledger says it is."""
        run = yield from self._present()
        entry = _first_end(run, place)
        if entry is None:
            entry = yield from self._perform(run, place)
        if entry is None or self._run is None:
            return
        if entry.status is StepRunStatus.FAILED:
            yield from self._note_failure(place, entry)
        output = entry.output if entry.status is StepRunStatus.COMPLETED else None
        yield from self._of_step(_ENDS[entry.status], place, output)

    def _perform(self, run: MobRun, place: Place) -> Work:
        """Do a step whose end is not in the ledger; answer the entry, or None where there is more to decide."""
        if place.step.has_condition and not _was_dispatched(run, place):
            if not (yield from self._ask(place, EvaluateCondition(place))):
                return (yield from self._record(place, StepRunStatus.SKIPPED, Payload.of(None)))
            if place.at_root and not (yield from self._of_step("dispatch-step", place)):
                return None
        yield from self._record(place, StepRunStatus.DISPATCHED, Payload.of(None))
        if self._run is None:
            return None
        flow = self._run.flow_state
        attempt = flow.target_retry_counts.get(place.address, 0)
        result: Result = yield from self._ask(place, PerformStep(place, attempt))
        if isinstance(result, Failed) and attempt < flow.max_step_retries:
            yield from self._of_step("count-retry", place, retry_key=place.address, attempt=attempt)
            return None
        status, output = _recorded_as(result)
        return (yield from self._record(place, status, output))

    def _record(self, place: Place, status: StepRunStatus, output: Payload) -> Work:
        """Write a line of the step ledger, once; answer it, or None where there was one already."""
        now = yield ReadClock()
        entry = StepLedgerEntry(place.address, place.step.agent, status, output, now)
        added = yield from self._call(ops.AppendStepEntryIfAbsent(self._run_id, entry))
        return entry if added else None

    def _note_failure(self, place: Place, entry: StepLedgerEntry) -> Work:
        """Write the entry of the failure ledger, where it is not there."""
        run = yield from self._present()
        if any(held.step_id == place.address for held in run.failure_ledger):
            return
        failure = FailureLedgerEntry(place.address, str(entry.output.value), timestamp=entry.timestamp)
        yield from self._call(ops.AppendFailureEntry(self._run_id, failure))

    def _of_step(self, name: str, place: Place, output: Payload | None = None, **about: Any) -> Work:
        """Make a commit about a step."""
        parameters = Parameters(
            frame_id=place.frame_id,
            node_id=place.node_id,
            step_id=place.tracked,
            target_id=place.step.agent,
            has_condition=place.step.has_condition,
            **about,
        )
        return (yield from self._commit(name, parameters, output=output))

    # --- escalation ---------------------------------------------------------------------------------------------

    def _escalate(self, run: MobRun, planned: Plan) -> Work:
        for effect in planned.effects:
            if isinstance(effect, run_effects.EscalateSupervisor):
                yield from self._tell_supervisor(run, effect.step_id)

    def _tell_supervisor(self, run: MobRun, step_id: StepId) -> Work:
        told = Document.of(
            {
                "type": "supervisor_escalation",
                "run_id": str(run.run_id),
                "step_id": step_id,
                "escalated_to": self._flow.supervisor,
            }
        )
        now = yield ReadClock()
        entry = StepLedgerEntry(step_id, self._flow.supervisor, StepRunStatus.DISPATCHED, Payload.of(None), now)
        first = yield from self._call(ops.AppendStepEntryIfAbsent(self._run_id, entry))
        if first or not (yield from self._is_told(run.mob_id, told)):
            yield ops.Append(NewMobEvent(run.mob_id, kind=told))

    def _is_told(self, mob_id: MobId, told: Document) -> Work:
        events = yield ops.ReplayAll()
        return any(event.mob_id == mob_id and event.kind == told for event in events)


_ENDS: Final = {
    StepRunStatus.COMPLETED: "complete-step",
    StepRunStatus.FAILED: "fail-step",
    StepRunStatus.SKIPPED: "skip-step",
    StepRunStatus.CANCELED: "cancel-step",
}
"""The commit for each line of the ledger that says how a step ended."""


def _check_flow(flow: Flow, run: MobRun) -> None:
    if run.flow_id != flow.id:
        msg = f"run {run.run_id} is one of flow {run.flow_id!r:.80}, and not of {flow.id!r:.80}"
        raise OtherFlow(msg)
    for name in flow.definition:
        held, given = getattr(run.flow_state, name), flow.definition[name]
        if held is not given and held != given:
            msg = f"run {run.run_id} was created from another definition of flow {flow.id!r:.80}: {name} differs"
            raise OtherFlow(msg)


def _runs(run: MobRun, place: Place) -> bool:
    state = run.frames[place.frame_id].kernel_state
    return state.phase is FramePhase.RUNNING and state.node_status[place.node_id] is NodeStatus.RUNNING


def _lines(run: MobRun, place: Place, statuses: Iterable[StepRunStatus]) -> Iterator[int]:
    for status in statuses:
        line = run.step_ledger.last((place.address, place.step.agent, status))
        if line is not None:
            yield line


def _first_end(run: MobRun, place: Place) -> StepLedgerEntry | None:
    """Return the line that says how a step ended; the first, where two who did it disagreed.

    That a step is skipped does not count where its condition was found to hold by another, whose commit says so.
    """
    ruled_out = place.at_root and _was_dispatched(run, place)
    ends = (status for status in _ENDS if not (ruled_out and status is StepRunStatus.SKIPPED))
    line = min(_lines(run, place, ends), default=None)
    return None if line is None else run.step_ledger[line]


def _was_dispatched(run: MobRun, place: Place) -> bool:
    """Whether the condition of a step was found to hold: the run says it at the root, elsewhere the ledger."""
    if place.at_root:
        return run.flow_state.step_status[place.node_id] is StepStatus.DISPATCHED
    return any(True for _ in _lines(run, place, (StepRunStatus.DISPATCHED,)))


def _recorded_as(result: Result) -> tuple[StepRunStatus, Payload]:
    if isinstance(result, Completed):
        return StepRunStatus.COMPLETED, result.output
    if isinstance(result, Failed):
        return StepRunStatus.FAILED, Payload.of(result.reason)
    return StepRunStatus.CANCELED, Payload.of(None)
