"""The commits of a real caller, cut: wherever the power fails, the authority log tells how the run came to be so.

A driver does a flow with a loop in a loop, a step that fails once, and a choice; its commits are made on the
simulated disk, and the power is cut at every operation of it.  Each state that is left is audited: its authority
log is replayed through the machines and must come to the very states that are stored, and every invariant holds.
"""

from __future__ import annotations

from typing import Any, Final

from mobstore.model import Operation
from mobstore.model.callers.flow import Flow, Loop, Step
from mobstore.properties.faults.power import Level, Tally, cut_calls
from mobstore.properties.faults.storage import SqliteStorage, tuned
from mobstore.properties.subject import Outcome
from mobstore.properties.workflows.scenarios import LoopScript, Scenario, StepScript
from mobstore.properties.workflows.simulation import Model, Schedule, simulate

SCENARIO: Final = Scenario(
    Flow(
        "flow",
        (
            Step("a", has_condition=True),
            Step("b", ("a",), branch="x"),
            Step("c", ("a",), branch="x"),
            Loop("l", (Loop("m", (Step("x"),), 2),), 2),
            Step("z", ("b", "c", "l"), "Any"),
        ),
        max_active_nodes=2,
        max_active_frames=3,
        max_step_retries=1,
    ),
    {"b": StepScript(failures=1)},
    {"l": LoopScript(1), "l/m": LoopScript(None)},
)


class _Recorder(Model):
    """The model, and the calls that changed it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Operation[Any]] = []

    def call(self, operation: Operation[Any]) -> Outcome:
        """Make a call."""
        before = self.state
        outcome = super().call(operation)
        if self.state != before:
            self.calls.append(operation)
        return outcome


def workflow_calls() -> tuple[Operation[Any], ...]:
    """Return the calls by which a driver does the flow, from the creation of the run to its terminal event."""
    recorder = _Recorder()
    simulate(SCENARIO, Schedule(), recorder)
    return tuple(recorder.calls)


AUDITED: Final = SqliteStorage("sqlite, audited", tuned(("PRAGMA wal_autocheckpoint = 24",)), audited=True)


def cut_workflow(level: Level, seed: int, storage: SqliteStorage = AUDITED) -> list[Tally]:
    """Cut the power at every operation of the disk in the calls of a driver."""
    return cut_calls(storage, level, seed, workflow_calls())
