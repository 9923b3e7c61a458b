"""Calls of threads, tasks and processes at once are judged, and races are found and shown."""

import pytest

from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.model import MobRunStatus, WriteFailed
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.concurrency import Face, ProcessFailed, faces_of, repeat, run_once, try_branches
from mobstore.properties.concurrency.branches import LOOKS_ON, lines_of, simpler, timeline
from mobstore.properties.linearizability import Answer, Event, Outcome
from mobstore.properties.linearizability.history import history_of
from mobstore.properties.refinement import GROUPS
from mobstore.properties.schedules import RACES, Scenario, beginning_of, rivals
from mobstore.properties.subject import MemoryFactory, SqliteFactory
from mobstore.properties.subject import Outcome as Answered

FACES = [(make, face) for make in (MemoryFactory, SqliteFactory) for face in faces_of(make())]
RUN_ID = pools.RUNS[0].run_id


def test_who_can_call_follows_from_the_factory():
    """Processes only where they share the storage."""
    assert faces_of(MemoryFactory()) == [Face.THREADS, Face.HANDLES, Face.TASKS]
    assert Face.PROCESSES in faces_of(SqliteFactory())


@pytest.mark.parametrize(("make", "face"), FACES, ids=lambda value: getattr(value, "name", str(value)))
def test_drawn_branches_are_linearizable(make, face):
    """Of every rule group; calls overlap, which of them is up to the machine."""
    if face is Face.PROCESSES:
        run = run_once(make(), face, rivals(ops.CasStartLoop, 3))
        assert run.verdict.answer is Answer.LINEARIZABLE
        assert sum(answer.value is True for answer in run.history.answer) == 1
        return
    tried = try_branches(make, face, 4, 1)
    assert tried.failure is None, tried.failure.table()
    assert set(tried.overlapped) | set(tried.missed) >= {kind.call for kinds in GROUPS.values() for kind in kinds}
    assert tried.overlapped


def test_a_race_is_shrunk_to_two_calls_and_shown():
    """In threads, which decide for themselves."""
    race = RACES["lost-update"]
    prefix, call = beginning_of(ops.AppendFailureEntry)
    scenario = Scenario.of(prefix, [[call, ops.GetRun(call.run_id)], [ops.GetRun(call.run_id), call], [call]])
    failure = repeat(race, Face.THREADS, scenario, times=500)
    assert failure is not None
    simple = simpler(race, failure)
    assert len(simple.scenario.calls) == 2
    assert len(simple.scenario.prefix) == 1
    lines = simple.table().splitlines()
    assert lines[0].startswith("not linearizable (")
    assert "append_failure_entry(run_id=A" in simple.table()
    assert max(map(len, lines)) <= 120


def test_a_failure_is_a_program_to_paste():
    """It makes the calls until they fail again."""
    failure = repeat(RACES["lost-update"], Face.THREADS, rivals(ops.AppendFailureEntry, 2), times=500)
    program = failure.program("RACES['lost-update']()")
    scope = {}
    exec(program, scope)
    with pytest.raises(AssertionError, match="not linearizable"):
        scope["test_counterexample"]()


def test_a_failure_has_a_line_of_time_for_each_caller():
    """Calls that overlap do so there, and what no order explains is marked, who looked on included."""
    swap = ops.CasFlowState(RUN_ID, pools.RUNS[0].flow_state, pools.FLOW_STATES[1])
    read = ops.GetRun(RUN_ID)
    events = [
        Event(0, None, swap.call, swap),
        Event(1, None, swap.call, swap),
        Event(2, None, swap.call, swap),
        Event(1, Outcome.OK, swap.call, swap, answered=Answered(True)),  # noqa: FBT003 - what a call answers
        Event(0, Outcome.OK, swap.call, swap, answered=Answered(True)),  # noqa: FBT003 - what a call answers
        Event(LOOKS_ON, None, read.call, read),
        Event(LOOKS_ON, Outcome.OK, read.call, read, answered=Answered(None)),
    ]
    history = history_of(events)
    looks = list(history.process).index(LOOKS_ON)
    lines = lines_of(history, [looks])
    assert [(line.lane, line.wrong) for line in lines] == [
        ("caller 0", False),
        ("caller 1", False),
        ("caller 2", False),
        (LOOKS_ON, True),
    ]
    first, second, open_one, last = lines
    assert first.begins < second.begins < second.ends < first.ends < last.begins
    assert open_one.ends is None
    assert (first.answered, open_one.answered) == ("True", "")
    assert len(lines_of(history, [])) == 3


def test_what_was_seen_afterwards_is_told_where_it_matters():
    """All of it where it is not what is wrong."""
    swap, reads = ops.CasFlowState(RUN_ID, pools.RUNS[0].flow_state, pools.FLOW_STATES[1]), pools.RUN_IDS[:2]
    events = [Event(0, None, swap.call, swap), Event(0, Outcome.OK, swap.call, swap, answered=Answered(None))]
    for read in map(ops.GetRun, reads):
        events.append(Event(LOOKS_ON, None, read.call, read))
        events.append(Event(LOOKS_ON, Outcome.OK, read.call, read, answered=Answered(None)))
    history = history_of(events)
    told = [line for line in timeline(history, [0]).splitlines() if line.startswith("then")]
    assert len(told) == 2
    assert [line for line in timeline(history, [2]).splitlines() if line.startswith("then")] == told[1:]


class Failing(MemoryEngine):
    """Writes fail, and have happened every other time."""

    failures = 0

    def execute(self, operation):
        if isinstance(operation, ops.CasFlowState):
            type(self).failures += 1
            if self.failures % 2:
                super().execute(operation)
            raise WriteFailed("the disk is gone")
        return super().execute(operation)


class FailingFactory(MemoryFactory):
    def open(self, clock):
        self._stores = self._stores or Stores(Failing(clock))
        return self._stores


def test_a_write_that_failed_may_have_happened_or_not():
    """Both are legal; the answer of the next read says which it was."""
    states = pools.FLOW_STATES
    calls = [ops.CasFlowState(RUN_ID, states[0], states[1]), ops.GetRun(RUN_ID)]
    scenario = Scenario.of([ops.CreateRun(pools.RUNS[0])], [calls, calls])
    for _ in range(4):
        run = run_once(FailingFactory(), Face.THREADS, scenario)
        assert run.history.outcome.count(Outcome.INFO) == 2
        assert run.verdict.answer is Answer.LINEARIZABLE


def test_a_cancelled_call_may_have_happened_or_not():
    """On the asyncio face of a backend that waits."""
    states = [MobRunStatus.RUNNING, MobRunStatus.PENDING]
    calls = [ops.CasRunStatus(RUN_ID, states[n % 2], states[(n + 1) % 2]) for n in range(10)]
    scenario = Scenario.of([ops.CreateRun(pools.RUNS[0])], [calls, calls])
    run = run_once(SqliteFactory(), Face.TASKS, scenario)
    assert run.history.outcome.count(Outcome.INFO) >= 2
    assert run.verdict.answer is Answer.LINEARIZABLE


def test_a_bundle_needs_its_ports_only():
    """Also for the asyncio face."""

    class Ports:
        def __init__(self, stores):
            for name in ("runs", "events", "metadata", "specs", "profiles"):
                setattr(self, name, getattr(stores, name))

    class PortsFactory(MemoryFactory):
        def open(self, clock):
            return Ports(super().open(clock))

    for face in (Face.THREADS, Face.TASKS):
        run = run_once(PortsFactory(), face, rivals(ops.CasGrantNodeSlot, 2))
        assert run.verdict.answer is Answer.LINEARIZABLE


def test_a_process_that_dies_is_told():
    class Dying(SqliteFactory):
        opened = 0

        def open(self, clock):
            self.opened += 1
            if self.opened > 1:
                raise OSError("no such disk")
            return super().open(clock)

    with pytest.raises(ProcessFailed, match="process 0: OSError: no such disk"):
        run_once(Dying(), Face.PROCESSES, rivals(ops.CasFlowState, 2))


def test_what_a_thread_raises_is_raised():
    class Exiting(MemoryEngine):
        def execute(self, operation):
            if isinstance(operation, ops.CasFlowState):
                raise SystemExit(3)
            return super().execute(operation)

    class ExitingFactory(MemoryFactory):
        def open(self, clock):
            return Stores(Exiting(clock))

    with pytest.raises(SystemExit):
        run_once(ExitingFactory(), Face.THREADS, rivals(ops.CasFlowState, 2))
