"""Drivers at once on real backends: threads and processes come to the end of a single worker."""

from collections import Counter

import pytest

from mobstore.backends import memory, sqlite
from mobstore.model import MobRunStatus, evolve
from mobstore.properties import cli
from mobstore.properties.workflows import command
from mobstore.properties.workflows.large import UnevenSteps, large
from mobstore.properties.workflows.scenarios import RUN_ID
from mobstore.properties.workflows.workers import (
    Outcome,
    Worker,
    expected_end,
    in_processes,
    in_threads,
    problems_of,
)

STEPS = 20


@pytest.fixture(scope="module")
def scenario():
    return large(STEPS)


@pytest.fixture(scope="module")
def expected(scenario):
    return expected_end(scenario)


def test_the_large_flow_has_as_many_steps_as_it_says(scenario, expected):
    assert (scenario.flow.steps, large(1000).flow.steps) == (STEPS, 1000)
    assert expected["status"] == "completed"
    assert len(expected["loops"]) > 2


@pytest.mark.parametrize("steps", [0, -10, 15])
def test_an_uneven_number_of_steps_is_refused(steps):
    with pytest.raises(UnevenSteps, match=f"{steps} steps: a positive multiple of 10"):
        large(steps)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_threads_come_to_the_end_of_one(kind, scenario, expected, tmp_path):
    with memory.open() if kind == "memory" else sqlite.open(tmp_path / "stores.db") as stores:
        outcome = in_threads(stores, scenario, 3, 1, expected)
    assert outcome.problems == ()
    assert sum(outcome.shares) - outcome.repeated > STEPS


def test_processes_of_which_one_is_killed_come_to_the_end_of_one(expected, tmp_path):
    outcome = in_processes(tmp_path, STEPS, 2, 1, expected)
    assert outcome.problems == ()
    assert sum(outcome.shares) - outcome.repeated > STEPS


def test_another_end_is_told(scenario, expected):
    stores = memory.open()
    Worker(stores, scenario, 0).run()
    run = stores.runs.get_run(RUN_ID)
    assert problems_of(run, expected) == ()
    assert problems_of(None, expected) == ("there is no run",)
    other = evolve(run, {"status": MobRunStatus.FAILED, "root_step_outputs": {}})
    assert set(problems_of(other, expected)) == {"another status", "another outputs", "status-follows-the-phase"}


def test_the_command_prints_what_was_reached_and_what_the_workers_came_to(capsys):
    arguments = [
        "workflows",
        "--profile",
        "quick",
        "--seed",
        "1",
        "--steps",
        "10",
        "--threads",
        "2",
        "--kills",
        "0",
    ]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "transition loop UntilConditionMet" in shown
    assert "crash when run terminal, terminal event not yet there" in shown
    assert "each came to the status, states and outputs of a single worker" in shown


@pytest.mark.parametrize(
    ("problems", "killed", "code", "said"),
    [(("another outputs",), 1, 1, "2 processes: another outputs"), ((), 0, 2, "before a process was killed")],
)
def test_a_problem_is_a_failure_and_no_kill_is_no_pass(monkeypatch, capsys, problems, killed, code, said):
    outcome = Outcome("2 processes", 1.0, Counter(), (1,), 0, killed, problems)
    monkeypatch.setattr(command, "_outcomes", lambda *_: [outcome])
    monkeypatch.setattr(command, "_reach", lambda *_: 0)
    assert cli.main(["workflows", "--steps", "10"]) == code
    assert said in capsys.readouterr().out


def test_wrong_arguments_are_told(capsys):
    assert cli.main(["workflows", "--steps", "7"]) == 2
    assert cli.main(["workflows", "nothing:there"]) == 2
    assert "a positive multiple of 10" in capsys.readouterr().err
