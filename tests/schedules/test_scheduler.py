"""The scheduler owns every step: the choices alone decide an execution."""

import threading

import pytest

from mobstore.properties.schedules import Exhaustive, NotUnderControl, Preferences, Replay, Scheduler, Turn


@pytest.fixture
def scheduler():
    with Scheduler(2) as scheduler:
        yield scheduler


def stepping(scheduler, log, name, steps):
    def job():
        for number in range(steps):
            if number:
                scheduler.point(f"{name}{number}")
            log.append(f"{name}{number}")

    return f"{name}0", job


def orders(scheduler, strategy, *steps):
    found = []
    while strategy.begin():
        log = []
        jobs = [stepping(scheduler, log, name, count) for name, count in zip("ab", steps, strict=True)]
        strategy.ended(scheduler.run(jobs, strategy.choose))
        found.append(" ".join(log))
    return found


def test_every_interleaving_is_taken_once(scheduler):
    """Three steps and two: 5! / (3! 2!) = 10."""
    strategy = Exhaustive(sleep=False)
    found = orders(scheduler, strategy, 3, 2)
    assert len(found) == len(set(found)) == 10
    assert strategy.over


def test_independent_steps_are_taken_in_one_order(scheduler):
    assert orders(scheduler, Exhaustive(), 3, 2)[0] == "a0 a1 a2 b0 b1"
    assert len([order for order in orders(scheduler, Exhaustive(), 3, 2) if order.count(" ") == 4]) == 1


def test_the_choices_make_an_execution_again(scheduler):
    log = []
    jobs = [stepping(scheduler, log, name, 3) for name in "ab"]
    execution = scheduler.run(jobs, Preferences([0, 1, 1, 0, 1]).choose)
    first = list(log)
    log.clear()
    again = scheduler.run(jobs, Replay(execution.choices).choose)
    assert (log, again) == (first, execution)
    assert first == ["a0", "b0", "a1", "a2", "b1", "b2"]


def test_no_preferences_are_no_preemption(scheduler):
    assert orders(scheduler, Preferences([]), 2, 2) == ["a0 a1 b0 b1"]


def locking(scheduler, *locks):
    def job():
        for lock in locks:
            lock.acquire()
        for lock in reversed(locks):
            lock.release()

    return "begin", job


def test_locks_in_two_orders_deadlock(scheduler):
    left, right = Turn(scheduler, "left"), Turn(scheduler, "right")
    strategy, deadlocks = Exhaustive(), 0
    while strategy.begin():
        jobs = [locking(scheduler, left, right), locking(scheduler, right, left)]
        execution = scheduler.run(jobs, strategy.choose)
        strategy.ended(execution)
        deadlocks += execution.deadlocked == (0, 1)
    assert deadlocks
    assert strategy.over


def test_every_execution_finds_its_locks_free(scheduler):
    """At whatever step the one before was stopped."""
    lock = Turn(scheduler, "the lock")
    for steps in range(4):
        choices = iter([0] * steps)
        execution = scheduler.run([locking(scheduler, lock)] * 2, lambda *_: next(choices, None))  # noqa: B023
        assert execution.stopped
        again = scheduler.run([locking(scheduler, lock)] * 2, Preferences([1]).choose)
        assert [step.client for step in again.steps] == [1, 1, 1, 0, 0, 0]


def test_a_lock_is_given_back_by_who_has_it(scheduler):
    lock = Turn(scheduler, "the lock")
    with pytest.raises(RuntimeError, match="the lock is released by who does not hold it"):
        scheduler.run([("release", lock.release), ("nothing", lambda: None)], Replay([]).choose)


def test_a_reentrant_lock_counts(scheduler):
    lock = Turn(scheduler, "the lock", reentrant=True)
    scheduler.run([locking(scheduler, lock, lock)] * 2, Preferences([0, 0, 1]).choose)
    assert not lock.locked()


def test_who_cannot_go_on_cannot_be_chosen(scheduler):
    lock = Turn(scheduler, "the lock")
    with pytest.raises(NotUnderControl, match=r"client 1 cannot go on, only \[0\]"):
        scheduler.run([locking(scheduler, lock)] * 2, Replay([0, 0, 1, 1]).choose)


def test_a_lock_that_is_not_ours_is_told():
    foreign = threading.Lock()
    foreign.acquire()
    with Scheduler(1, patience=0.05) as scheduler:
        with pytest.raises(NotUnderControl, match=r"client 0 came to no point within 0\.1 s after 'waits'"):
            scheduler.run([("waits", foreign.acquire)], Replay([]).choose)
        foreign.release()


def test_what_a_client_raises_is_raised(scheduler):
    def job():
        raise LookupError("a client's")

    with pytest.raises(LookupError, match="a client's"):
        scheduler.run([("raises", job), ("nothing", lambda: None)], Replay([]).choose)
    assert orders(scheduler, Preferences([]), 1, 1) == ["a0 b0"]
