"""The asyncio face has the same names, answers alike, and never blocks the loop."""

import asyncio
import inspect
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobstore.backends import aio, memory, ports, sqlite
from mobstore.model import Internal, MobRunStatus, NewMobEvent, NotFound, ReadFailed, WriteFailed, evolve
from mobstore.properties import pools, smoke
from mobstore.properties.subject import PORTS, call_port, outcome_of, same_outcome

RUN = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING})
EVENT = NewMobEvent("mob", {"type": "mob_reset"})


@pytest.fixture(params=["memory", "sqlite"])
def stores(request, tmp_path):
    """A bundle of either backend, with a clock that stands still."""
    clock = lambda: 1_800_000_000_000_000_000  # noqa: E731
    return memory.open(clock) if request.param == "memory" else sqlite.open(tmp_path / "stores.db", clock=clock)


def test_every_call_answers_as_the_synchronous_one(stores):
    """All 57 calls, awaited, beside the same calls on the memory backend."""

    async def main():
        reference = memory.open(lambda: 1_800_000_000_000_000_000)
        async with aio.AsyncStores(stores) as face:
            for operation in smoke.CALLS[:-1]:
                if operation.call == "subscribe":
                    continue
                port = getattr(face, PORTS[operation.store])
                arguments = {name: getattr(operation, name) for name in operation.parameters()}
                answer = await getattr(port, operation.call)(**arguments)
                expected = outcome_of(lambda op=operation: call_port(reference, op))
                assert same_outcome(outcome_of(lambda answer=answer: answer), expected), operation.call

    asyncio.run(main())


def test_errors_reach_the_caller(stores):
    """As they would without the face."""

    async def main():
        async with aio.AsyncStores(stores) as face:
            with pytest.raises(NotFound):
                await face.runs.append_step_entry(RUN.run_id, pools.STEP_ENTRIES[0])

    asyncio.run(main())


def test_many_tasks_lose_no_update(stores):
    """Compare-and-swap loops of concurrent tasks."""

    async def add(face, each):
        done = 0
        while done < each:
            seen = (await face.runs.get_run(RUN.run_id)).flow_state
            following = evolve(seen, {"failure_count": seen.failure_count + 1})
            done += await face.runs.cas_flow_state(RUN.run_id, seen, following)
            await asyncio.sleep(0)

    async def main():
        async with aio.AsyncStores(stores) as face:
            await face.runs.create_run(RUN)
            await asyncio.gather(*(add(face, 10) for _ in range(5)))
            assert (await face.runs.get_run(RUN.run_id)).flow_state.failure_count == 50

    asyncio.run(main())


def test_a_subscription_is_awaited_and_loses_nothing_when_cancelled(stores):
    """What a cancelled drain would have got comes with the next one."""

    async def main():
        async with aio.AsyncStores(stores) as face:
            subscription = face.events.subscribe()
            waiting = asyncio.create_task(subscription.drain(30))
            await asyncio.sleep(0.05)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            first = await face.events.append(EVENT)
            assert (await subscription.drain(30)).events == (first,)
            second = await face.events.append(EVENT)
            async for event in subscription:
                assert event == second
                break
            subscription.close()
            with pytest.raises(Internal):
                await subscription.drain()

    asyncio.run(main())


def test_a_cancelled_call_leaves_the_face_usable(tmp_path):
    """The call may have happened or not; later ones are answered."""

    async def main():
        async with aio.AsyncStores(sqlite.open(tmp_path / "stores.db")) as face:
            call = asyncio.create_task(face.specs.put_spec("mob", {}))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert await face.specs.put_spec("mob", {}) in (1, 2)

    asyncio.run(main())


def test_a_slow_disk_does_not_block_the_loop(tmp_path):
    """While a call waits for its disk, the loop goes on."""

    class SlowEngine:
        blocks = True

        def execute(self, _operation):
            time.sleep(0.3)

        def subscribe(self):
            raise NotImplementedError

        def reopen(self):
            raise NotImplementedError

        def close(self):
            pass

    async def main():
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.005)

        async with aio.AsyncStores(memory.Stores(SlowEngine())) as face:
            counting = asyncio.create_task(count())
            await face.runs.get_run(RUN.run_id)
            counting.cancel()
        assert turns > 5

    asyncio.run(main())


@pytest.mark.parametrize(
    "name", ["RunStore", "EventStore", "RuntimeMetadataStore", "SpecStore", "RealmProfileStore"]
)
def test_both_faces_have_the_names_and_parameters_of_the_trait(name):
    """The asyncio port is the synchronous one, awaited."""
    plain, awaited = getattr(ports, name), getattr(ports, f"Async{name}")
    methods = [key for key in vars(plain) if not key.startswith("_")]
    assert methods == [key for key in vars(awaited) if not key.startswith("_")]
    for method in methods:
        left, right = (inspect.signature(getattr(port, method)) for port in (plain, awaited))
        assert list(left.parameters) == list(right.parameters)
        assert inspect.iscoroutinefunction(getattr(awaited, method)) == (method != "subscribe")


def test_a_closed_face_refuses_calls(tmp_path):
    """And does not leave them waiting."""

    async def main():
        face = aio.AsyncStores(sqlite.open(tmp_path / "stores.db"))
        first = asyncio.gather(*(face.specs.put_spec("mob", {}) for _ in range(5)))
        await asyncio.sleep(0)
        await face.close()
        assert await first == [1, 2, 3, 4, 5]
        await face.close()
        with pytest.raises(ReadFailed, match="the asyncio face is closed"):
            await face.specs.list_specs()
        with pytest.raises(WriteFailed, match="the asyncio face is closed"):
            await face.specs.put_spec("mob", {})

    asyncio.run(main())


NO_THREADS = """
import asyncio, resource, sys, threading
from mobstore.backends import aio, sqlite
from mobstore.model import Internal, NewMobEvent

def refuse_threads():
    threading.stack_size(1 << 30)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), resource.RLIM_INFINITY))

def allow_threads():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    threading.stack_size(0)

def refused(call):
    try:
        call()
    except Internal as error:
        print(error)

async def main():
    stores = sqlite.open(sys.argv[1])
    refuse_threads()
    refused(lambda: aio.AsyncStores(stores))
    allow_threads()
    async with aio.AsyncStores(stores) as face:
        refuse_threads()
        refused(face.events.subscribe)
        event = await face.events.append(NewMobEvent("mob", {"type": "x"}))
        allow_threads()
        subscription = face.events.subscribe()
        event = await face.events.append(NewMobEvent("mob", {"type": "x"}))
        assert (await subscription.drain(30)).events == (event,)
        subscription.close()
    print(event.cursor)

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the size of a process as Linux shows it")
def test_where_no_thread_can_be_started_the_face_says_so(tmp_path):
    """What was opened goes on working, and nothing is left waiting for a thread."""
    command = [sys.executable, "-c", NO_THREADS, str(tmp_path / "stores.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "Internal error: the asyncio face needs threads of its own: can't start new thread",
        "Internal error: an awaited subscription needs a thread of its own: can't start new thread",
        "2",
    ], done.stderr


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_the_face_of_the_process_that_forked_this_one_is_refused(tmp_path):
    """Its threads did not come along, and nobody would answer."""
    runner = asyncio.Runner()
    face = aio.AsyncStores(sqlite.open(tmp_path / "stores.db"))
    runner.run(face.specs.put_spec("mob", {}))
    child = os.fork()
    if not child:
        code = 1
        try:
            with asyncio.Runner() as other, pytest.raises(WriteFailed, match="belongs to the process that forked"):
                other.run(face.specs.put_spec("mob", {}))
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert runner.run(face.specs.put_spec("mob", {})) == 2
    runner.run(face.close())
    runner.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("waits", [False, True], ids=["idle", "amid a drain"])
def test_a_subscription_of_the_process_that_forked_this_one_is_refused(tmp_path, waits):
    """Its thread did not come along, and nobody would drain; the parent's goes on."""
    face = aio.AsyncStores(sqlite.open(tmp_path / "stores.db"))

    async def iterated(subscription):
        return [event async for event in subscription]

    async def refused(subscription):
        for what in (subscription.drain(1), iterated(subscription)):
            with pytest.raises(Internal, match="belongs to the process that forked this one"):
                await asyncio.wait_for(what, 10)
        subscription.close()

    async def fork_and_drain():
        subscription = face.events.subscribe()
        waiting = asyncio.ensure_future(subscription.drain(30)) if waits else None
        await asyncio.sleep(0.05)
        child = os.fork()
        if not child:
            code = 1
            try:
                asyncio._set_running_loop(None)
                with asyncio.Runner() as other:
                    other.run(refused(subscription))
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        await face.events.append(NewMobEvent("mob", {"type": "mob_reset"}))
        delivery = await (waiting or subscription.drain(10))
        assert len(delivery.events) == 1
        subscription.close()
        await face.close()

    asyncio.run(fork_and_drain())
