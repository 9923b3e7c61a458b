"""The chapters of calls at once reject what has a race, and take part in ``mobstore check``."""

import time

import pytest

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import Capabilities
from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite import HANDLERS, SqliteEngine
from mobstore.backends.sqlite._session import Session
from mobstore.properties import cli
from mobstore.properties.chapters import Context, Verdict
from mobstore.properties.concurrency.chapters import AT_ONCE
from mobstore.properties.refinement import PROFILES, Profile
from mobstore.properties.schedules import RACES
from mobstore.properties.subject import MemoryFactory, SqliteFactory

CHAPTERS = {chapter.name: chapter for chapter in AT_ONCE}


class Blinking(MemoryEngine):
    """A change takes the state away for a moment; reads go beside it."""

    blocks = True

    def execute(self, operation):
        store, _ = self._calls[type(operation)]
        if operation.reads:
            return super().execute(operation)
        held = store.state
        store.state = type(held)()
        time.sleep(0.001)
        store.state = held
        return super().execute(operation)


class BlinkingFactory(MemoryFactory):
    def open(self, clock):
        self._stores = self._stores or Stores(Blinking(clock))
        return self._stores


class Untransacted(SqliteFactory):
    """Every statement is a transaction of its own."""

    def connect(self, path, clock):
        handlers = {kind: (Session.read, body) for kind, (_, body) in HANDLERS.items()}
        return Stores(SqliteEngine(path, clock=clock, handlers=handlers))


BROKEN_TWINS = {
    "branches-threads": RACES["lost-update"],
    "branches-handles": RACES["event-out-of-order"],
    "branches-tasks": BlinkingFactory,
    "branches-processes": Untransacted,
    "stress-threads": RACES["double-winner"],
    "stress-handles": Untransacted,
    "stress-tasks": RACES["torn-write"],
    "stress-processes": RACES["double-winner"],
}


@pytest.mark.parametrize("name", BROKEN_TWINS)
def test_every_chapter_rejects_its_broken_twin(name, monkeypatch):
    monkeypatch.setattr("mobstore.properties.concurrency.branches._SHRINKING", 1.0)
    profile = Profile("test", 100 if name.startswith("branches") else 30, 30)
    runs = (CHAPTERS[name].run(Context(BROKEN_TWINS[name], name, "X()", profile, seed)) for seed in range(10))
    failed = next(result for result in runs if result.verdict is Verdict.FAILED)
    assert failed.detail.startswith("not linearizable")
    assert "-> " in failed.counterexample


def test_every_chapter_has_a_broken_twin():
    assert set(BROKEN_TWINS) == set(CHAPTERS)


def test_a_backend_in_memory_has_no_processes():
    """And need have none for its level."""
    context = Context(MemoryFactory, "memory", "MemoryFactory()", Profile("test", 4, 30), 1)
    for name in ("branches-processes", "stress-processes"):
        result = CHAPTERS[name].run(context)
        assert (result.verdict, result.excused) == (Verdict.NOT_APPLICABLE, True)


class Refusing(MemoryFactory):
    """Refuses two wrappers and is yet to delete specs."""

    capabilities = Capabilities(refused={"cas_start_loop", "cas_frame_state"}, not_yet={"spec.delete_spec"})

    def open(self, clock):
        if self._stores is None:
            self._stores = Stores(RefusingEngine(clock))
        return super().open(clock)


class RefusingEngine(MemoryEngine):
    def execute(self, operation):
        assert not Refusing.capabilities.lacks(operation), f"{operation.call} must not be made"
        return super().execute(operation)


@pytest.mark.parametrize("name", ["branches-threads", "stress-threads"])
def test_what_a_backend_refuses_is_not_asked_of_it(name):
    context = Context(Refusing, "r", "X()", Profile("test", 40, 30), 1, Refusing.capabilities)
    assert CHAPTERS[name].run(context).verdict is Verdict.PASSED


def test_what_reached_too_little_is_unknown(monkeypatch):
    monkeypatch.setattr("mobstore.properties.concurrency.branches.ROUNDS", 1)
    monkeypatch.setattr("mobstore.properties.concurrency.stress.ROUNDS", 1)
    context = Context(MemoryFactory, "memory", "MemoryFactory()", Profile("test", 4, 30), 1)
    for name in ("branches-threads", "stress-threads"):
        result = CHAPTERS[name].run(context)
        assert result.verdict is Verdict.UNKNOWN
        assert result.detail.startswith("never ")


def test_check_has_the_chapters(capsys):
    assert cli.main(["check", "memory", "--profile", "quick", "--seed", "1", "--chapter", "stress-tasks"]) == 0
    assert "passed   stress-tasks" in capsys.readouterr().out
    assert PROFILES["quick"].examples == 25
