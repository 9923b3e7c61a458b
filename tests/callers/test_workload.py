"""The workload of the check: it reaches everything, says what it did not, and proves what it found."""

import pytest
from hypothesis import strategies as st

from mobstore.model.callers.driver import Driver
from mobstore.properties.chapter import Context, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.refinement import Profile
from mobstore.properties.subject import MemoryFactory
from mobstore.properties.workflows import workload
from mobstore.properties.workflows.coverage import REFUSALS, UNREACHABLE, WRAPPERS, Coverage
from mobstore.properties.workflows.watching import WINDOWS
from mobstore.properties.workflows.workload import IN_TURN, Workload
from mobstore.properties.zoo import ZOO

FEW = Profile("few", 5, 1)
(CHAPTER,) = (chapter for chapter in CHAPTERS if chapter.name == "workflows")


def test_reaches_every_transition_refusal_commit_call_and_window():
    found = Workload(MemoryFactory, "MemoryFactory()").run(FEW, 1)
    assert (found.failure, found.missing) == ("", ())
    assert len(WRAPPERS) == 10
    assert {key for key in found.coverage.refusals if not key[2].startswith("phase ")} == REFUSALS
    assert not UNREACHABLE & set(found.coverage.refusals)


def test_everything_is_missing_where_nothing_was_done():
    missing = Coverage().missing(WINDOWS)
    assert {"run StartRun", "commit pass-over", "cas_start_loop_with_authority: False"} <= set(missing)
    assert "a crash when: all steps ended, run not yet terminal" in missing
    assert "refused: loop UntilConditionMet Iteration" in missing


@pytest.mark.parametrize("rounds", [1, 2])
def test_what_was_never_reached_makes_the_chapter_unknown(monkeypatch, rounds):
    """A workload of one simple flow fails nothing, and is no pass."""
    monkeypatch.setattr(workload, "CORNERS", (IN_TURN,))
    monkeypatch.setattr(workload, "scenarios", lambda: st.just(IN_TURN))
    monkeypatch.setattr(workload, "_ROUNDS", rounds)
    result = CHAPTER.run(Context(MemoryFactory, "memory", "MemoryFactory()", FEW, 1))
    assert result.verdict is Verdict.UNKNOWN
    assert "loop CancelLoop" in result.detail


class Forgetful(Driver):
    """Leaves the terminal event to nobody."""

    def _close(self, run):
        yield from ()


def test_a_broken_driver_is_told_with_the_program_that_does_it_again():
    found = Workload(MemoryFactory, "MemoryFactory()", Forgetful).run(FEW, 1)
    assert found.failure == "the run has ended, and no event says so"
    assert "def test_counterexample() -> None:" in found.counterexample
    assert "simulate(scenario, Schedule(), Model())" in found.counterexample
    exec(compile(found.counterexample, "counterexample", "exec"), namespace := {})
    namespace["test_counterexample"]()  # it is the driver that is broken, and not the scenario


def test_a_broken_backend_is_told_with_the_calls_that_prove_it():
    broken = ZOO["cas-run-snapshot-with-authority-flow-state-not-written"]
    result = CHAPTER.run(Context(broken, "broken", "X()", FEW, 1))
    assert result.verdict is Verdict.FAILED
    assert "a counterexample of" in result.detail
    assert "cas_run_snapshot_with_authority" in result.counterexample
