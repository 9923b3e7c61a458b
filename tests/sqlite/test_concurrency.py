"""Threads, processes and forks: no update is lost, no part of a call is seen, nobody waits for ever."""

import functools
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from mobstore.backends import sqlite
from mobstore.backends.sqlite import SqliteEngine
from mobstore.model import (
    FEED_CAPACITY,
    Internal,
    NewMobEvent,
    ReadFailed,
    WriteFailed,
    evolve,
)
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.subject import outcome_of

EVENT = NewMobEvent("mob", {"type": "mob_reset"})


def with_count(run, count):
    """Return the run's flow state and root frame as of so many increments."""
    frame = run.frames["root"]
    kernel = evolve(frame.kernel_state, {"iteration": count})
    return evolve(run.flow_state, {"failure_count": count}), evolve(frame, {"kernel_state": kernel})


def increment(engine, run_id):
    """Add one to both counts, in one wrapper; again until it is taken."""
    while True:
        run = engine.execute(ops.GetRun(run_id))
        flow_state, frame = with_count(run, run.flow_state.failure_count + 1)
        grant = (run_id, run.flow_state, flow_state, "root", run.frames["root"], frame)
        if engine.execute(ops.CasGrantNodeSlotWithAuthority(*grant, pools.ACCEPTED_INPUTS[:1])):
            return


def in_threads(*works):
    """Do all at once; raise what any of them raises."""
    failures = []

    def guarded(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def repeat(count, call, *arguments):
    """Return a work that makes a call many times."""
    return lambda: [call(*arguments) for _ in range(count)]


# --- updates ------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(engine, run):
    """The engine, on a run whose counts are 0."""
    flow_state, frame = with_count(run, 0)
    grant = (run.run_id, run.flow_state, flow_state, "root", run.frames["root"], frame)
    assert engine.execute(ops.CasGrantNodeSlot(*grant))
    return engine


def test_increments_by_threads_of_several_handles_are_all_there(counted, make, run):
    """In both cells, and in the authority log."""
    handles = [counted, make(), make()]
    in_threads(*(repeat(25, increment, handle, run.run_id) for handle in handles for _ in range(2)))
    after = make().execute(ops.GetRun(run.run_id))
    assert after.flow_state.failure_count == after.frames["root"].kernel_state.iteration == 150
    assert len(after.flow_authority_inputs) == len(run.flow_authority_inputs) + 150


INCREMENT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
with shared.closing(shared.SqliteEngine(sys.argv[2])) as engine:
    shared.repeat(int(sys.argv[4]), shared.increment, engine, sys.argv[3])()
"""


def test_increments_by_processes_are_all_there(counted, run, path):
    """Each of a fresh interpreter, beside this one's."""
    arguments = [sys.executable, "-c", INCREMENT, __file__, str(path), run.run_id, "40"]
    processes = [subprocess.Popen(arguments) for _ in range(3)]
    repeat(40, increment, counted, run.run_id)()
    assert [process.wait(60) for process in processes] == [0] * 3
    after = counted.execute(ops.GetRun(run.run_id))
    assert after.flow_state.failure_count == after.frames["root"].kernel_state.iteration == 160


def test_of_many_threads_with_one_expectation_one_succeeds(make, run):
    """For what must be absent, too."""
    engine = make()
    engine.execute(ops.CreateRun(run))
    answers = []
    together = threading.Barrier(6)

    def race():
        together.wait()
        frame = ops.CasFrameState(run.run_id, "new", None, pools.FRAMES[0])
        entry = ops.AppendStepEntryIfAbsent(run.run_id, evolve(pools.STEP_ENTRIES[0], {"step_id": "new"}))
        terminal = engine.execute(ops.AppendTerminalEventIfAbsent(NewMobEvent("mob", pools.KINDS[1])))
        answers.append((engine.execute(frame), engine.execute(entry), terminal is not None))

    in_threads(*[race] * 6)
    assert [sum(column) for column in zip(*answers, strict=True)] == [1, 1, 1]


def test_a_reader_sees_no_part_of_a_call(counted, make, run):
    """The two counts are always equal; batches of events are there as a whole."""
    done = threading.Event()
    seen = []

    def write():
        # The writer goes on until the reader has looked often enough.
        for _ in range(3000):
            increment(counted, run.run_id)
            counted.execute(ops.AppendBatch([EVENT] * 3))
            if len(set(seen)) > 10:
                break
        done.set()

    def read():
        reader = make()
        while not done.is_set():
            (held,) = reader.execute(ops.ListRuns("mob"))
            assert held.flow_state.failure_count == held.frames["root"].kernel_state.iteration
            assert len(held.flow_authority_inputs) == 2 + held.flow_state.failure_count
            assert reader.execute(ops.LatestCursor()) % 3 == 0
            seen.append(held.flow_state.failure_count)

    in_threads(write, read)
    assert seen == sorted(seen)
    assert len(set(seen)) > 10


# --- waiting ------------------------------------------------------------------------------------------------

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read(1)
connection.execute("ROLLBACK")
"""


@pytest.fixture
def held(path, make):
    """A process that holds the lock until it is told to let go."""
    make()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_lock_held_by_another_process_is_waited_for_and_then_told(held, make):
    """The error names the file and the wait; reads go on; threads behind one another do not wait in turn."""
    engine = make(busy_timeout=0.5)
    began = time.monotonic()

    def write():
        with pytest.raises(WriteFailed, match=r"stores\.db: locked by another .* for longer than 0\.5 s"):
            engine.execute(ops.Append(EVENT))

    in_threads(*[write] * 6)
    assert 0.5 <= time.monotonic() - began < 2.2
    assert engine.execute(ops.LatestCursor()) == 0
    held.stdin.write(b"x")
    held.stdin.close()
    held.wait(10)
    assert engine.execute(ops.Append(EVENT)).cursor == 1


def test_a_lock_given_back_in_time_is_got(held, make):
    """The call waits no longer than it must."""
    engine = make(busy_timeout=20)
    threading.Timer(0.3, held.communicate, [b"x"]).start()
    assert engine.execute(ops.Append(EVENT)).cursor == 1


# --- handles ------------------------------------------------------------------------------------------------


DESCRIPTORS = Path("/proc/self/fd")


def descriptors(path):
    """Return how many descriptors of a file this process has."""
    found = 0
    for link in DESCRIPTORS.iterdir():
        with suppress(FileNotFoundError):
            found += link.readlink() == path
    return found


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors as Linux shows them")
def test_a_connection_ends_with_its_thread_and_with_the_engine(make, path):
    """Of the log, every connection has a descriptor of its own; of the file, SQLite keeps some to use again."""
    engine = make()
    engine.execute(ops.Append(EVENT))
    log = path.with_name(f"{path.name}-wal")
    assert descriptors(log) == 1
    held = threading.Barrier(5)
    for _ in range(3):
        in_threads(*[lambda: (engine.execute(ops.LatestCursor()), held.wait(20))] * 5)
        assert descriptors(log) == 1
        assert descriptors(path) <= 6
    engine.close()
    assert descriptors(log) == descriptors(path) == 0


class Noticed(sqlite3.Connection):
    """Lets something be done as soon as it is closed, before anybody else can know."""

    done = None

    def close(self):
        super().close()
        if self.done is not None:
            self.done()


@pytest.mark.parametrize("operation", [ops.LatestCursor(), ops.Append(EVENT)])
def test_a_log_that_goes_with_its_last_connection_is_not_missed(make, operation, monkeypatch):
    """By whoever makes a connection while a thread that ends is closing its own."""
    engine, other = make(connect=functools.partial(sqlite3.connect, factory=Noticed)), make()
    outcomes = []

    def call():
        assert engine.has_open(engine._identity)
        outcomes.append(outcome_of(lambda: other.execute(operation)))

    monkeypatch.setattr(Noticed, "done", staticmethod(call))
    in_threads(lambda: engine.execute(ops.Append(EVENT)))
    monkeypatch.undo()
    assert [outcome.kind for outcome in outcomes] == [None]
    assert not engine.has_open(engine._identity)
    assert other.execute(ops.LatestCursor()) == 1 + (not operation.reads)


class Beaten(SqliteEngine):
    """Another thread forks, or reopens the store, just after a call has looked for its connection."""

    beaten = 0

    def _check_log(self, session, error_kind):
        self.beaten += 1
        self._close_sessions()
        super()._check_log(session, error_kind)


def test_a_connection_that_another_thread_closes_is_made_anew(path):
    """And nobody takes its log for lost."""
    with closing(Beaten(path)) as engine:
        for _ in range(3):
            engine.execute(ops.Append(EVENT))
        assert engine.execute(ops.LatestCursor()) == 3
        assert engine.beaten == 3


def test_closing_and_reopening_amid_calls(counted, run):
    """Every call is done as a whole, or refused because the store is closed."""
    done, refused = [], []

    def work():
        for _ in range(60):
            outcome = outcome_of(lambda: increment(counted, run.run_id))
            (done if outcome.kind is None else refused).append(outcome)

    def disturb():
        for _ in range(15):
            time.sleep(0.005)
            counted.reopen()
        counted.close()
        time.sleep(0.005)
        counted.reopen()

    in_threads(work, work, disturb)
    counted.reopen()
    assert counted.execute(ops.GetRun(run.run_id)).flow_state.failure_count == len(done)
    assert all("the store is closed" in outcome.message for outcome in refused)
    assert len(done) + len(refused) == 120


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_amid_calls_of_other_threads(counted, run):
    """Parent and children go on, each with connections of its own; nothing is lost, nothing blocks."""
    context = multiprocessing.get_context("fork")
    processes = []

    def fork():
        for _ in range(3):
            process = context.Process(target=repeat(10, increment, counted, run.run_id))
            process.start()
            processes.append(process)

    in_threads(fork, repeat(30, increment, counted, run.run_id), repeat(30, increment, counted, run.run_id))
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 3
    assert counted.execute(ops.GetRun(run.run_id)).flow_state.failure_count == 90


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_keeps_the_file_when_its_parent_lets_go(path):
    """The parent is not the last one to use the file, so it may not take the log away under the child."""
    engine = SqliteEngine(path)
    engine.execute(ops.Append(EVENT))
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            engine.execute(ops.Append(EVENT))
            os.write(to_parent[1], b"x")
            os.read(to_child[0], 1)
            code = int(engine.execute(ops.Append(EVENT)).cursor != 3)
        finally:
            os._exit(code)
    os.read(to_parent[0], 1)
    engine.close()
    os.write(to_child[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for descriptor in (*to_child, *to_parent):
        os.close(descriptor)
    with closing(SqliteEngine(path)) as again:
        assert again.execute(ops.LatestCursor()) == 3


KILLED = """
import sys
from mobstore.backends import sqlite
from mobstore.model import NewMobEvent
stores = sqlite.open(sys.argv[1])
while True:
    print(stores.events.append(NewMobEvent("mob", {"type": "mob_reset"})).cursor, flush=True)
"""


def test_what_was_answered_survives_a_kill(path):
    """Each acknowledged event is there, and at most one more."""
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as process:
        answered = [process.stdout.readline() for _ in range(50)]
        process.send_signal(signal.SIGKILL)
        answered += process.stdout.readlines()
    last = int(answered[-1])
    with sqlite.open(path) as stores:
        latest = stores.events.latest_cursor()
        assert [event.cursor for event in stores.events.replay_all()] == list(range(1, latest + 1))
    assert 50 <= last <= latest <= last + 1


# --- subscriptions ------------------------------------------------------------------------------------------


def test_a_subscriber_sees_every_append_once_in_order(make):
    """Of any handle, batches and terminal events included, after a prune and after a clear."""
    engine, other = make(), make()
    engine.execute(ops.Append(EVENT))
    subscription = engine.subscribe()
    appended = [other.execute(ops.Append(EVENT)), *engine.execute(ops.AppendBatch([EVENT, EVENT]))]
    other.execute(ops.Prune(pools.TIMES[5]))
    appended.append(other.execute(ops.AppendTerminalEventIfAbsent(NewMobEvent("mob", pools.KINDS[1]))))
    other.execute(ops.Clear())
    appended.append(other.execute(ops.Append(EVENT)))
    assert subscription.drain().events == tuple(appended)
    assert [event.cursor for event in appended] == [2, 3, 4, 5, 1]
    assert subscription.drain().events == ()


@pytest.mark.parametrize("behind", [FEED_CAPACITY - 1, FEED_CAPACITY, FEED_CAPACITY + 1, 2 * FEED_CAPACITY + 7])
def test_lag_is_counted_exactly(make, behind, sql):
    """A subscriber misses the oldest, and is told how many; the feed does not grow beyond what it keeps."""
    engine = make()
    engine.execute(ops.AppendBatch([EVENT] * 3))
    subscription = engine.subscribe()
    engine.execute(ops.AppendBatch([EVENT] * behind))
    delivery = subscription.drain()
    missed = max(0, behind - FEED_CAPACITY)
    assert delivery.lagged == missed
    assert [event.cursor for event in delivery.events] == list(range(4 + missed, 4 + behind))
    assert sql("SELECT count(*) FROM feed") == [(min(behind + 3, FEED_CAPACITY),)]


def test_an_append_of_this_process_wakes_at_once(make):
    """Whoever waits for it through another handle."""
    subscription, other = make().subscribe(), make()
    delays = []
    for _ in range(5):
        got = []
        thread = threading.Thread(target=lambda got=got: got.append((subscription.drain(20), time.monotonic())))
        thread.start()
        time.sleep(0.12)
        event = other.execute(ops.Append(EVENT))
        told = time.monotonic()
        thread.join(20)
        assert got[0][0].events == (event,)
        delays.append(got[0][1] - told)
    # The longest pause between two looks is 50 ms, and by now it would be that long.
    assert min(delays) < 0.02


def test_an_append_of_another_process_arrives(make, path):
    """All of it, in order."""
    subscription = make().subscribe()
    script = KILLED.replace("while True", "for _ in range(20)")
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.DEVNULL):
        cursors = []
        while len(cursors) < 20:
            events = subscription.drain(20).events
            assert events
            cursors += [event.cursor for event in events]
    assert cursors == list(range(1, 21))


def test_closing_wakes_whoever_waits(make):
    """The subscription's closing with `Internal`, the engine's with `ReadFailed`."""
    engine = make()
    subscriptions = [engine.subscribe(), engine.subscribe()]
    errors = []

    def wait(subscription):
        with pytest.raises((Internal, ReadFailed)) as caught:
            subscription.drain(None)
        errors.append(type(caught.value))

    threads = [threading.Thread(target=wait, args=(subscription,)) for subscription in subscriptions]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    subscriptions[0].close()
    threads[0].join(10)
    engine.close()
    threads[1].join(10)
    assert errors == [Internal, ReadFailed]


def test_a_subscriber_beside_writers_gets_everything(make):
    """Four writers on two handles; one reader; no event twice or out of order."""
    engine, other = make(), make()
    subscription = engine.subscribe()
    cursors = []

    def read():
        while len(cursors) < 200:
            cursors.extend(event.cursor for event in subscription.drain(20).events)

    writers = [repeat(50, handle.execute, ops.Append(EVENT)) for handle in (engine, other) for _ in range(2)]
    in_threads(read, *writers)
    assert cursors == list(range(1, 201))
