"""Backends that keep their own time are held to the contract as those that take the suite's."""

import shlex
import sys
import time

import attrs
import pytest

from mobstore.backends import memory
from mobstore.model import MobRunStatus, NewMobEvent, Timestamp, evolve
from mobstore.properties import cli, pools, subject
from mobstore.properties.chapter import Context, Profile
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.own_time import RESOLUTION, OwnTimeFactory, stamps
from mobstore.properties.subject import (
    ManualClock,
    MemoryFactory,
    SqliteFactory,
    adapted,
    factory_of,
    factory_source,
)
from mobstore.properties.zoo import ZOO

CHAPTER = {chapter.name: chapter for chapter in CHAPTERS}


class Own:
    """A factory whose ``open`` takes no clock."""

    def __init__(self, factory, clock=time.time_ns):
        self._factory, self._clock = factory, clock
        self.name = f"own-{factory.name}"

    def open(self):
        return self._factory.open(self._clock)

    def __getattr__(self, name):
        return getattr(self.__dict__["_factory"], name)


def coarse():
    """A clock as coarse as one may be."""
    return time.time_ns() // RESOLUTION * RESOLUTION


def verdict(make, name):
    """Return the result of a chapter."""
    return CHAPTER[name].run(Context(lambda: adapted(make()), "own", "X()", Profile("small", 15, 12), 3))


SOME = ("smoke", "rows", "values", "refines-profile", "refines-event", "refines-run-lifecycle", "clock", "threads")


@pytest.mark.parametrize(
    ("make", "name"),
    [*((MemoryFactory, name) for name in SOME), (SqliteFactory, "handles"), (SqliteFactory, "crashes")],
)
def test_a_correct_backend_passes(make, name):
    """With the clock of the machine."""
    found = verdict(lambda: Own(make()), name)
    assert found.verdict.name == "PASSED", found
    assert found.calls


@pytest.mark.parametrize("name", ["rows", "refines-profile", "clock"])
def test_a_coarse_clock_is_fine_enough(name):
    """Times that are the same are not told apart."""
    assert verdict(lambda: Own(MemoryFactory(), coarse), name).verdict.name == "PASSED"


@pytest.mark.parametrize(
    "name",
    [
        "creation-time-moves",
        "completion-time-moves",
        "sqlite-updated-at-stays",
        "sqlite-completion-time-overwritten",
        "prune-takes-equal-times",
    ],
)
def test_a_broken_backend_is_rejected(name):
    """By what is wrong with its times, which are its own."""
    found = verdict(lambda: Own(ZOO[name].make()), ZOO[name].chapter)
    assert found.verdict.name == "FAILED", found


@pytest.mark.parametrize("clock", [lambda: 0, lambda: time.time_ns() // 1000, lambda: time.time_ns() + 10**13])
def test_a_clock_that_goes_wrong_is_told(clock):
    """Not set, in another unit, or of another day."""
    calls, wrong = stamps(OwnTimeFactory(Own(MemoryFactory(), clock)))
    assert calls == 1
    assert "an event without a time was given" in wrong
    assert verdict(lambda: Own(MemoryFactory(), clock), "rows").verdict.name == "FAILED"


def test_a_time_that_its_creator_gave_is_left():
    """It is no time of the store's."""
    when = Timestamp.from_nanos(time.time_ns())
    with OwnTimeFactory(Own(MemoryFactory())).open(ManualClock()) as stores:
        run = evolve(pools.RUNS[0], {"status": MobRunStatus.RUNNING, "completed_at": when})
        stores.runs.create_run(run)
        assert stores.runs.get_run(run.run_id).completed_at == when


def test_the_stamp_that_is_answered_is_held():
    """One that is made anew when it is read is not."""

    class Restamped:
        def __init__(self, events):
            self._events = events
            self.append = events.append

        def replay_all(self):
            later = Timestamp.from_nanos(time.time_ns())
            return tuple(attrs.evolve(event, timestamp=later) for event in self._events.replay_all())

    class Factory:
        name = "restamped"

        def open_as_it_is(self):
            stores = memory.open(time.time_ns)
            stores.events = Restamped(stores.events)
            return stores

        def destroy(self):
            pass

    calls, wrong = stamps(Factory())
    assert calls == 2
    assert "is held with" in wrong


def own():
    """A factory with nothing to tell it."""
    return Own(MemoryFactory())


def test_a_printed_program_opens_it():
    """As the suite does."""
    factory = eval(factory_source(f"{__name__}:own"), vars(subject))
    with factory.open(ManualClock()) as stores:
        created = stores.profiles.create("p", {"tools": []})
        assert created.created_at == Timestamp.from_nanos(ManualClock().nanos)


PROGRAM = """
import sys, time
from mobstore.backends import memory
from mobstore.backends.wire.protocol import Greeting
from mobstore.backends.wire.server import Server

class Storage:
    greeting = Greeting(1, "own")

    def __init__(self):
        self.stores = None

    def open(self, clock):
        self.stores = memory.open(time.time_ns) if self.stores is None else self.stores.another()
        return self.stores

    def destroy(self):
        self.stores = None

def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()

Server(Storage(), write).serve(sys.stdin.buffer)
"""


def test_a_program_that_takes_no_time_is_checked(tmp_path, capsys):
    """By its own."""
    program = tmp_path / "own.py"
    program.write_text(PROGRAM, "utf-8")
    command = f"exec:{shlex.join((sys.executable, str(program)))}"
    backend = factory_of(command)
    factory = backend()
    try:
        with factory.open(ManualClock()) as stores:
            event = stores.events.append(NewMobEvent("mob", {"type": "x"}))
            assert event.timestamp == Timestamp.from_nanos(ManualClock().nanos)
        assert stamps(factory) == (2, "")
    finally:
        factory.destroy()
        backend.close()
    chapters = [part for name in ("smoke", "clock") for part in ("--chapter", name)]
    assert cli.main(["check", command, "--profile", "quick", "--seed", "1", *chapters]) == 0, capsys.readouterr()


def test_a_clock_that_is_too_coarse_is_refused(capsys, monkeypatch):
    """With the reason: each time that did not change would look like a failure of the store."""

    def seconds():
        return time.time_ns() // 10**9 * 10**9

    def make():
        return adapted(Own(MemoryFactory(), seconds))

    # Two events may lie on both sides of a second, but not twice in turn.
    with pytest.raises(TypeError, match="must be finer than 2 ms, and stamped two events that far apart with"):
        _ = [subject.declared_by(make) for _ in range(2)]
    assert subject.declared_by(lambda: adapted(Own(MemoryFactory(), coarse))) is not None
    monkeypatch.setattr("mobstore.properties.check.factory_of", lambda _: make)
    while cli.main(["check", "shop:Shop", "--chapter", "smoke"]) != 2:
        capsys.readouterr()
    assert "mobstore check: own-memory keeps its own time" in capsys.readouterr().err


def test_whether_a_broken_clock_is_coarse_is_not_asked():
    """What is wrong with it, chapters tell."""

    class Broken(Own):
        def open(self):
            raise OSError

    assert subject.declared_by(lambda: adapted(Broken(MemoryFactory()))) is not None
    assert subject.declared_by(lambda: adapted(Own(MemoryFactory(), lambda: 0))) is not None
