"""The chapters of calls at once reject what has a race, and take part in ``mobstore check``."""

import pytest

from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import Capabilities
from mobstore.backends.memory import MemoryEngine
from mobstore.properties import cli
from mobstore.properties.chapter import Context, Verdict
from mobstore.properties.concurrency import chapters
from mobstore.properties.refinement import PROFILES, Profile
from mobstore.properties.subject import MemoryFactory

CHAPTERS = {chapter.name: chapter for chapter in chapters.CHAPTERS}


@pytest.mark.parametrize("name", ["branches-processes", "stress-processes"])
def test_processes_do_not_apply_to_a_backend_in_memory(name):
    """It says by its nature that they do not share it, and loses no level by that."""
    result = CHAPTERS[name].run(Context(MemoryFactory, "memory", "MemoryFactory()", PROFILES["quick"], 1))
    assert (result.verdict, result.excused) == (Verdict.NOT_APPLICABLE, True)


class RefusingEngine(MemoryEngine):
    capabilities = Capabilities(
        refused={"cas_start_loop", "cas_frame_state"},
        not_yet={"run.list_runs", "spec.delete_spec", "event.replay_all"},
    )

    def execute(self, operation):
        assert not self.capabilities.lacks(operation), f"{operation.call} must not be made"
        return super().execute(operation)


class Refusing(MemoryFactory):
    capabilities = RefusingEngine.capabilities

    def open(self, clock):
        if self._stores is None:
            self._stores = Stores(RefusingEngine(clock))
        return super().open(clock)


@pytest.mark.parametrize("name", ["branches-threads", "stress-threads"])
def test_what_a_backend_refuses_is_not_asked_of_it(name):
    """Neither by callers, nor by who looks on afterwards."""
    context = Context(Refusing, "refusing", "X()", Profile("test", 60, 30), 1, Refusing.capabilities)
    assert CHAPTERS[name].run(context).verdict is Verdict.PASSED


@pytest.mark.parametrize("part", ["branches", "stress"])
def test_what_reached_too_little_is_unknown(part, monkeypatch):
    """Calls of which no two overlapped show nothing."""
    monkeypatch.setattr(f"mobstore.properties.concurrency.{part}.ROUNDS", 1)
    monkeypatch.setattr(f"mobstore.properties.concurrency.{part}.overlapping", lambda _history: ())
    context = Context(MemoryFactory, "memory", "MemoryFactory()", Profile("test", 8, 30), 1)
    result = CHAPTERS[f"{part}-threads"].run(context)
    assert result.verdict is Verdict.UNKNOWN
    assert result.detail.startswith(("never ", "no two "))


def test_check_has_the_chapters(capsys):
    assert cli.main(["check", "memory", "--profile", "quick", "--seed", "1", "--chapter", "stress-tasks"]) == 0
    assert "passed   stress-tasks" in capsys.readouterr().out
    assert PROFILES["quick"].examples == 25
