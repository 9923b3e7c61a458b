"""The mutation score: what is changed is refuted, and no reason in the list of equivalents is stale."""

import json

import pytest

from mobstore.properties import cli
from mobstore.properties.proofs.mutation import Death, kill, trials
from mobstore.properties.proofs.obligation import Replay
from mobstore.properties.proofs.scoring import EQUIVALENT, score, try_all

BY_NAME = {trial.name: trial for trial in trials()}
SOME = [name for name in BY_NAME if name.startswith(("loop/", "authority/"))]
"""``mobstore prove --mutants`` tries all."""
SHOWN = Replay("before", "call", "after", confirmed=True)


def test_names_are_unique():
    assert len(BY_NAME) == len(list(trials()))


def test_every_reason_is_about_a_mutant():
    assert set(EQUIVALENT) <= set(BY_NAME)
    assert all(EQUIVALENT.values())


def test_every_change_of_a_loop_and_of_the_authority_is_refuted_or_listed():
    """By a case that Python confirms; and what is listed is not refuted."""
    found = score(list(try_all(SOME, 1)), EQUIVALENT)
    assert found.is_full, (found.survivors, found.stale, found.unconfirmed)
    assert sum(bool(death.killed_by) for death in found.deaths) > 80


@pytest.mark.parametrize(
    "name",
    [
        "run/PumpNodeScheduler/guard dropped: there is room (0: no maximum)",
        "run/FailStep/update dropped: failure_count",
        "run/CreateRun/update dropped: step_branches",
        "frame/AdmitNextReadyNode/update dropped: ready_queue",
        "frame/SealFrame/guard dropped: every node has ended",
        "row/cas_start_loop/loop not compared",
        "row/cas_grant_node_slot/flow state written back",
    ],
)
def test_a_change_is_refuted(name):
    """One of each kind."""
    death = kill(BY_NAME[name])
    assert death.killed_by
    assert death.countermodel.confirmed, str(death.countermodel)


def test_what_lives_without_a_reason_is_told():
    found = score([Death("a"), Death("b", "obligation", SHOWN)], {})
    assert found.survivors == ("a",)
    assert not found.is_full


def test_a_stale_reason_fails():
    assert score([Death("a", "obligation", SHOWN)], {"a": "it does nothing"}).stale == ("a",)
    assert score([Death("a")], {"a": "it does nothing"}).is_full


def test_a_case_that_python_does_not_confirm_counts_for_nothing():
    doubtful = Replay("before", "call", "after", confirmed=False)
    assert score([Death("a", "obligation", doubtful)], {}).unconfirmed == ("a",)


def test_nothing_tried_is_no_score():
    assert not score([], {}).is_full


def test_the_command_scores_what_it_is_told_to(capsys):
    assert cli.main(["prove", "--mutants", "--only", "loop/CancelLoop/*", "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert "each by a case that Python confirms" in shown
    assert cli.main(["prove", "--mutants", "--only", "loop/CancelLoop/*", "--jobs", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "full"
    assert cli.main(["prove", "--mutants", "--only", "nothing"]) == 2
