"""Counterexamples are shrunk call by call and value by value, and stay counterexamples."""

import attrs
import pytest

from mobstore.model import Document, FlowRunState, MobRun, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.refinement import Comparison, Mismatch, shrunk
from mobstore.properties.shrinking import ATTEMPTS, shrink
from mobstore.properties.source import Aside, as_python
from mobstore.properties.subject import MemoryFactory, Outcome
from mobstore.properties.zoo import ZOO

LARGE = pools.RUNS[3]
RUN_ID = LARGE.run_id


def counterexample(make, calls):
    """What comes of making these calls, the last of which must be answered wrongly."""
    comparison = Comparison(make(), "FACTORY()")
    try:
        for call in calls:
            comparison.repeat(call if isinstance(call, Aside) else (call, Outcome()))
    except Mismatch as mismatch:
        return mismatch.counterexample
    finally:
        comparison.close()
    return pytest.fail("every call was answered rightly")


def noisy():
    """Four calls that count, among others, on values that are larger than they need to be."""
    status = LARGE.status
    return [
        ops.PutSpec("mob", Document.of({"a": [1, 2]})),
        ops.CreateRun(LARGE),
        Aside.TICK,
        ops.AppendFailureEntry(RUN_ID, pools.FAILURE_ENTRIES[0]),
        ops.CreateRun(evolve(LARGE, {"run_id": pools.RUN_IDS[1]})),
        ops.CasRunSnapshot(RUN_ID, status, LARGE.flow_state, "failed", LARGE.flow_state),
        Aside.TICK,
        ops.CasRunSnapshot(RUN_ID, "failed", LARGE.flow_state, "running", LARGE.flow_state),
    ]


def test_calls_that_do_not_matter_are_left_out_and_values_simplified():
    found = counterexample(ZOO["cas-run-snapshot-terminal-not-compared"], noisy())
    small = shrunk(found, ZOO["cas-run-snapshot-terminal-not-compared"])
    (created, _), (ended, _), (revived, _) = small.steps
    assert (type(created), type(ended), type(revived)) == (ops.CreateRun, ops.CasRunSnapshot, ops.CasRunSnapshot)
    required = {field.name for field in attrs.fields(MobRun) if field.default is attrs.NOTHING}
    for field in attrs.fields(MobRun):
        assert field.name in required or getattr(created.run, field.name) == field.default
    assert ended.next_flow_state == revived.expected_flow_state == FlowRunState()


def test_no_call_can_be_left_out_of_what_is_shrunk():
    make = ZOO["cas-run-snapshot-terminal-not-compared"]
    steps = shrunk(counterexample(make, noisy()), make).steps
    for place in range(len(steps)):
        comparison = Comparison(make(), "")
        for step in steps[:place] + steps[place + 1 :]:
            comparison.repeat(step)


def test_what_does_not_fail_again_stays_as_it_is():
    found = counterexample(ZOO["cas-run-snapshot-terminal-not-compared"], noisy())
    assert shrunk(found, MemoryFactory) is found


def test_attempts_are_bounded():
    calls = []

    def fails(steps):
        calls.append(steps)
        return steps if len(steps) == len(found.steps) else None

    found = counterexample(ZOO["cas-run-snapshot-terminal-not-compared"], noisy())
    shrink(found.steps, fails, attempts=7)
    assert len(calls) == 7
    assert ATTEMPTS > 100


class ForgetsOnReopen(MemoryFactory):
    """A backend that is not durable."""

    def open(self, clock):
        stores = super().open(clock)
        parts = [store for store, _ in stores.engine._calls.values()]
        empty = [store.state for store in parts]

        def reopen():
            for store, state in zip(parts, empty, strict=True):
                store.state = state

        stores.reopen = reopen
        return stores


def test_a_reopening_is_part_of_the_program():
    """What is lost by it is not lost without it."""
    calls = [ops.PutSpec("mob", Document.of({})), Aside.REOPEN, ops.GetSpec("mob")]
    found = shrunk(counterexample(ForgetsOnReopen, calls), ForgetsOnReopen)
    assert found.steps[1] is Aside.REOPEN
    assert "    stores.reopen()\n" in found.program()
    scope = {}
    exec(compile(found.program().replace("FACTORY", "MemoryFactory"), "program", "exec"), scope)
    scope["test_counterexample"]()


def test_long_values_are_laid_out_an_item_a_line():
    found = counterexample(ZOO["cas-run-snapshot-terminal-not-compared"], noisy())
    assert max(map(len, found.program().splitlines())) > 200
    program = shrunk(found, ZOO["cas-run-snapshot-terminal-not-compared"]).program()
    assert max(map(len, program.splitlines())) <= 100
    flat = as_python(shrunk(found, ZOO["cas-run-snapshot-terminal-not-compared"]).steps[0][0].run)
    assert "\n" not in flat
