"""Refinement testing passes what is right, and rejects every broken backend with a short program."""

import subprocess
import sys
from contextlib import nullcontext

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from mobstore.model import OPERATIONS
from mobstore.model import operations as ops
from mobstore.properties import refinement
from mobstore.properties.refinement import GROUPS, PROFILES, Profile, refine, unreached
from mobstore.properties.subject import MemoryFactory, SqliteFactory
from mobstore.properties.zoo import ZOO

SMALL = Profile("small", 12, 15)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("factory", [MemoryFactory, SqliteFactory], ids=lambda factory: factory.name)
def test_our_backends_refine_the_model(group, factory):
    """With the developer's own example database, so that a failure is found again at once."""
    machine = refinement.refinement(group, factory, factory.name, f"{factory.__name__}()")
    run_state_machine_as_test(machine, settings=SMALL.settings(database=True))


def test_the_groups_hold_every_call_that_can_change_something():
    """Nothing is left out of all groups."""
    changing = {kind for kind in OPERATIONS.values() if not kind.reads} - {ops.Subscribe}
    assert set().union(*GROUPS.values()) == changing


def test_a_seed_reproduces():
    """The same calls are made again."""
    first, again, other = (
        refine("spec", MemoryFactory, SMALL, seed, name="memory", source="MemoryFactory()") for seed in (7, 7, 8)
    )
    assert first.reached == again.reached
    assert first.reached != other.reached


def test_a_run_that_reached_too_little_is_told():
    """What never succeeded is named."""
    tiny = refine("run-loops", MemoryFactory, Profile("tiny", 1, 1), 0, name="memory", source="MemoryFactory()")
    assert "cas_start_loop" in unreached([tiny])


PASTED = {
    "cursor-reused-after-prune": "event",
    "cas-run-snapshot-terminal-not-compared": "run-lifecycle",
    "completion-time-moves": "run-lifecycle",
    "integers-as-doubles": "spec",
    "microsecond-times": "event",
    "output-moved-to-the-end": "run-frames",
    "compare-inserts": "metadata-supervisor",
    "generation-sorted-as-text": "metadata-overlay",
}


def program_about(name):
    """Return the program that shows what is wrong with a broken backend; ``FACTORY`` stands for its factory."""
    result = refine(PASTED[name], ZOO[name], PROFILES["ci"], 1, name=name, source="FACTORY()")
    assert result.counterexample is not None
    return result.counterexample.program()


@pytest.mark.parametrize("name", PASTED)
def test_a_counterexample_fails_on_the_broken_backend_alone(name):
    """And passes on a right one."""
    program = program_about(name)
    for factory, fails in ((f"ZOO[{name!r}]", True), ("MemoryFactory", False)):
        scope = {"ZOO": ZOO}
        exec(compile(program.replace("FACTORY", factory), name, "exec"), scope)
        with pytest.raises((AssertionError, pytest.fail.Exception)) if fails else nullcontext():
            scope["test_counterexample"]()


def test_a_counterexample_is_a_test_to_paste(tmp_path):
    """Into a file of its own, which needs nothing else."""
    program = program_about("compare-inserts")
    for factory, place in (("ZOO['compare-inserts']", "broken"), ("MemoryFactory", "right")):
        text = f"from mobstore.properties.zoo import ZOO\n{program}".replace("FACTORY", factory)
        (tmp_path / f"test_{place}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "1 failed, 1 passed" in done.stdout
    assert "FAILED test_broken.py::test_counterexample - " in done.stdout


def test_profiles_go_from_quick_to_long():
    """Each tries more than the one before."""
    sizes = [profile.examples * profile.steps for profile in PROFILES.values()]
    assert list(PROFILES) == ["quick", "ci", "long"]
    assert sizes == sorted(sizes)
    assert isinstance(PROFILES["ci"].settings(), hypothesis.settings)
