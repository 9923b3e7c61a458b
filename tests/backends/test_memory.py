"""The memory backend: snapshots, threads, subscriptions, closing."""

import os
import threading
import time

import pytest

from mobstore.backends import memory
from mobstore.model import FEED_CAPACITY, Internal, MobRunStatus, NewMobEvent, ReadFailed, WriteFailed, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.subject import outcome_of

RUN = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING})
EVENT = NewMobEvent("mob", {"type": "mob_reset"})


def test_a_read_is_a_snapshot():
    """What was read stays as it was, whatever is changed afterwards, on either side."""
    stores = memory.open()
    stores.runs.create_run(RUN)
    before = stores.runs.get_run(RUN.run_id)
    assert stores.runs.cas_run_status(RUN.run_id, "running", "completed")
    assert before == RUN
    assert stores.runs.get_run(RUN.run_id).status is MobRunStatus.COMPLETED


def test_the_clock_is_the_caller_s():
    """The store's times come from nowhere else."""
    stores = memory.open(clock=lambda: 1_000_000_007)
    assert str(stores.events.append(EVENT).timestamp) == "1970-01-01T00:00:01.000000007Z"
    assert str(stores.profiles.create("p", {}).created_at) == "1970-01-01T00:00:01.000000007Z"


def test_increments_by_many_threads_are_all_there():
    """Compare-and-swap loops lose no update."""
    stores, each = memory.open(), 200
    stores.runs.create_run(RUN)

    def work():
        done = 0
        while done < each:
            seen = stores.runs.get_run(RUN.run_id).flow_state
            following = evolve(seen, {"failure_count": seen.failure_count + 1})
            done += stores.runs.cas_flow_state(RUN.run_id, seen, following)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores.runs.get_run(RUN.run_id).flow_state.failure_count == 8 * each


def test_concurrent_appends_are_delivered_once_in_cursor_order():
    """To a subscriber that reads while they are made."""
    stores, each = memory.open(), 300
    subscription = stores.events.subscribe()
    threads = [
        threading.Thread(target=lambda: [stores.events.append(EVENT) for _ in range(each)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    cursors = []
    while len(cursors) < 4 * each:
        delivery = subscription.drain(10)
        assert delivery.events
        assert delivery.lagged == 0
        cursors += [event.cursor for event in delivery.events]
    for thread in threads:
        thread.join()
    assert cursors == list(range(1, 4 * each + 1))


def test_a_waiting_subscriber_is_woken_by_an_append():
    """Long before its time is up."""
    stores = memory.open()
    subscription = stores.events.subscribe()
    threading.Timer(0.05, stores.events.append, [EVENT]).start()
    begun = time.monotonic()
    assert len(subscription.drain(60).events) == 1
    assert time.monotonic() - begun < 30


def test_waiting_ends_when_the_time_is_up():
    """With nothing."""
    assert memory.open().events.subscribe().drain(0.01).events == ()


def test_lag_is_counted_and_told():
    """A subscriber 10 events too far behind misses the 10 oldest."""
    stores = memory.open()
    subscription = stores.events.subscribe()
    stores.events.append_batch([EVENT] * (FEED_CAPACITY + 10))
    delivery = subscription.drain()
    assert delivery.lagged == 10
    assert [event.cursor for event in delivery.events] == list(range(11, FEED_CAPACITY + 11))


def test_closing_a_subscription_wakes_and_ends_its_readers():
    """A drain raises, an iteration ends."""
    subscription = memory.open().events.subscribe()
    threading.Timer(0.05, subscription.close).start()
    with pytest.raises(Internal, match="closed"):
        subscription.drain(None)
    assert list(subscription) == []
    assert subscription.closed


def test_a_closed_store_refuses_calls_and_reopens_with_everything():
    """Closing gives up the handle, not the storage."""
    stores = memory.open()
    stores.runs.create_run(RUN)
    stores.close()
    with pytest.raises(ReadFailed, match="closed"):
        stores.runs.get_run(RUN.run_id)
    with pytest.raises(WriteFailed, match="closed"):
        stores.specs.put_spec("mob", {})
    with pytest.raises(ReadFailed, match="closed"):
        stores.events.subscribe()
    stores.reopen()
    assert stores.runs.get_run(RUN.run_id) == RUN


def test_a_bundle_closes_itself_as_a_context_manager():
    """Leaving it closes it."""
    with memory.open() as stores:
        stores.specs.put_spec("mob", {})
    with pytest.raises(ReadFailed):
        stores.specs.get_spec("mob")


def test_another_bundle_is_on_the_same_storage():
    """Two handles, one storage."""
    stores = memory.open()
    stores.another().specs.put_spec("mob", {"a": 1})
    assert stores.specs.get_spec("mob")[1] == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_is_refused_its_parent_s_storage():
    """Nobody would see what it writes; and it waits for no lock that a thread of the parent held."""
    stores = memory.open()
    subscription = stores.events.subscribe()
    engine = stores.engine
    with engine._calls[ops.Append][0].lock:
        child = os.fork()
        if not child:
            leave_refused(stores, subscription)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert stores.events.append(EVENT).cursor == 1
    assert len(subscription.drain(0).events) == 1


def leave_refused(stores, subscription):
    """Exit with 0 when all is refused that uses the storage, and a new one works."""
    rule = "the storage is in the memory of the process that forked this one"
    calls = (
        lambda: stores.events.append(EVENT),
        stores.events.latest_cursor,
        stores.events.subscribe,
        lambda: subscription.drain(5),
        stores.reopen,
    )
    code = 2
    try:
        refused = [outcome_of(call).message.endswith(rule) for call in calls]
        stores.close()
        refused.append(outcome_of(stores.events.latest_cursor).message.endswith(rule))
        code = int(not all(refused) or memory.open().events.append(EVENT).cursor != 1)
    finally:
        os._exit(code)
