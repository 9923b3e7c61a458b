"""What is printed where no sequence of calls shows a failure again; what chapters print, `test_zoo` runs."""

import attrs
import pytest

from mobstore.properties import replay
from mobstore.properties.chapter import Context, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.menagerie import ATTEMPTS
from mobstore.properties.own_time import stamps_program
from mobstore.properties.refinement import PROFILES
from mobstore.properties.replay import replay_file, steps_to
from mobstore.properties.source import Between
from mobstore.properties.subject import MemoryFactory, declared_by, factory_source
from mobstore.properties.zoo import ZOO
from mobstore.properties.zoo.twins import TWINS

CHAPTER = {chapter.name: chapter for chapter in CHAPTERS}


def failure(chapter, make, source):
    """Return the result of a chapter that must fail."""
    for seed in range(ATTEMPTS):
        context = Context(make, "broken", source, PROFILES["ci"], seed, declared_by(make))
        result = CHAPTER[chapter].run(context)
        if result.verdict is Verdict.FAILED:
            break
    assert result.verdict is Verdict.FAILED, result
    assert result.length > 0
    return result


def run(program, **scope):
    exec(compile(program, "program", "exec"), scope)
    scope["test_counterexample"]()


def test_what_a_power_cut_loses_is_told():
    """As a story: no program brings the moment back."""
    result = CHAPTER["power-cuts"].run(
        Context(TWINS["power-cuts"].backend, "broken", "BACKEND()", PROFILES["ci"], 1)
    )
    assert result.verdict is Verdict.FAILED
    assert "power cut" in result.counterexample


def test_winners_that_one_round_does_not_show_are_shown_by_many(monkeypatch):
    """Where the history of a round cannot be found again."""
    monkeypatch.setattr("mobstore.properties.concurrency.racing.one_round", lambda *_, **__: None)
    broken = TWINS["threads"].backend
    program = failure("threads", broken, "BACKEND()").counterexample
    assert "racing import" in program
    with pytest.raises(AssertionError, match="threads with one expectation"):
        run(program, BACKEND=broken)


class Refusing(MemoryFactory):
    """Answers a kill with a state that only the moment explains."""

    killed = 0

    def kill(self):
        self.killed += 1

    def open(self, clock):
        stores = super().open(clock)
        if self.killed == 2:
            stores.events.clear()
            stores.events._execute = None
        return stores


def test_a_death_that_does_not_come_again_is_told_call_by_call():
    """With what had answered, and what was under way."""
    result = failure("kills", Refusing, "BACKEND()")
    assert "the backend was killed" in result.counterexample
    assert " answered\n" in result.counterexample


def test_the_time_that_a_backend_stamps_is_shown():
    """As a program, too."""

    class Late(MemoryFactory):
        open_as_it_is = None

        def __init__(self):
            super().__init__()
            self.open_as_it_is = lambda: self.open(lambda: 0)

    with pytest.raises(AssertionError, match="was given 1970"):
        run(stamps_program("BACKEND()"), BACKEND=Late)
    run(stamps_program("MemoryFactory()"))


def test_the_calls_of_a_recording_are_made_again():
    """Up to the one that was answered wrongly, which the model answers otherwise, too."""
    broken = ZOO["cursor-reused-after-prune"]
    (path,) = (path for path in replay.bundled() if path.name.startswith("events-prune"))
    first = replay_file(path, broken).mismatches[0]
    steps = list(steps_to(first))
    assert steps[-1][0].call == first.call.split()[1]
    assert sum(not isinstance(step, Between) for step in steps) <= first.step + 1


def test_a_part_of_the_recordings_is_drawn_by_the_seed():
    """Each sequence by one of the seeds."""
    path = replay.bundled()[0]
    whole = replay_file(path, MemoryFactory)
    parts = [replay_file(path, MemoryFactory, chosen=slice(first, None, 8)) for first in range(8)]
    assert sum(part.sequences for part in parts) == whole.sequences
    assert sum(part.calls for part in parts) == whole.calls
    quick = attrs.evolve(PROFILES["ci"], recordings=8)
    results = [
        CHAPTER["recordings"].run(Context(MemoryFactory, "memory", factory_source("memory"), quick, seed))
        for seed in (1, 9)
    ]
    assert results[0].calls == results[1].calls
    assert 0 < results[0].calls < 26_415 / 4
