"""Two explorers visit the same states, keep the same laws, and find the same mistakes."""

import json

import attrs
import pytest

from mobstore.properties import cli, explore
from mobstore.properties.chapter import Verdict
from mobstore.properties.invariants import INVARIANTS
from mobstore.properties.protocols.wrong import WRONG
from mobstore.properties.tla import scopes, tlc
from mobstore.properties.tla.scopes import SCOPES

ON_MACHINES = {each.name: each for each in INVARIANTS if each.scope.machine is not None}


@pytest.mark.parametrize("name", SCOPES)
@pytest.mark.usefixtures("with_tlc")
def test_both_explorers_count_the_same_states(name):
    (result,) = explore.explored([SCOPES[name]], with_tlc=True)
    assert result.problem == ""
    assert result.verdict is Verdict.PASSED
    assert result.by_tlc.states == result.found.states > 1


def test_every_transition_of_the_machines_is_taken():
    """But one, which the contract always refuses."""
    left = set()
    taken = set()
    for scope in SCOPES.values():
        if not scope.name.startswith("Commit"):
            left |= {each.id for each in scope.machine.transitions}
            taken |= set(scope.explore().taken)
    assert left - taken == {"ProjectFrameStepStatus"}


def broken(name):
    """The scopes of the broken machine that an invariant is there for, with that invariant as the only law."""
    invariant = ON_MACHINES[name]
    for scope in SCOPES.values():
        if scope.machine is invariant.scope.machine:
            laws = tuple(law for law in scope.laws if law.name == name)
            yield attrs.evolve(scope, machine=invariant.broken.machine, laws=laws)


@pytest.mark.parametrize("name", ON_MACHINES)
def test_the_scopes_show_every_broken_machine(name):
    """They are large enough for each invariant to have something to say."""
    found = [scope.explore().violation for scope in broken(name)]
    assert any(violation is not None and violation.check == name for violation in found)


@pytest.mark.usefixtures("with_tlc")
def test_both_explorers_find_a_wrong_protocol():
    """By the same law."""
    scope = scopes.of_protocol("NoLock", WRONG["no-lock"].protocol, "two")
    (result,) = explore.explored([scope], with_tlc=True)
    assert result.found.violation.check == "who-works-has-the-lock"
    assert result.by_tlc.violated == "WhoWorksHasTheLock"


@pytest.mark.parametrize("name", ["iterations-within-maximum", "ended-loop-stays"])
@pytest.mark.usefixtures("with_tlc")
def test_tlc_finds_a_broken_machine(name):
    """Of a law of one state, and of one of two."""
    (result,) = explore.explored(list(broken(name)), with_tlc=True)
    assert result.by_tlc.violated == result.scope.laws[0].operator
    assert result.verdict is Verdict.FAILED
    assert "TLC: " in result.problem


@pytest.mark.usefixtures("with_tlc")
def test_another_count_is_a_failure():
    """A module that is not the machine's is found out by its states."""

    class Other(type(SCOPES["Loop"])):
        module = SCOPES["Loop"].module.replace("s.current_iteration < s.max_iterations", "TRUE")

    loop = SCOPES["Loop"]
    other = Other(**{field.name: getattr(loop, field.name) for field in attrs.fields(type(loop))})
    (result,) = explore.explored([attrs.evolve(other, laws=())], with_tlc=True)
    assert result.by_tlc.violated is None
    assert result.verdict is Verdict.FAILED
    assert "our explorer counts 31 states, TLC " in result.problem


@pytest.mark.usefixtures("with_tlc")
def test_what_tlc_cannot_read_is_no_pass():
    run = tlc.check("Odd", "---- MODULE Odd ----\nInit == Nothing\n====\n", "SPECIFICATION Spec\n")
    assert run.violated is None
    assert run.error


def test_without_java_there_is_a_message(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main(["explore", "Loop", "--tlc"]) == 2
    assert "apt-get install default-jre-headless" in capsys.readouterr().err


def test_the_command_counts(capsys):
    assert cli.main(["explore", "Loop", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["scope"], row["states"], row["tlc_states"], row["verdict"]) == ("Loop", 31, None, "passed")
    assert cli.main(["explore", "Nowhere"]) == 2
    assert "there is no scope 'Nowhere'" in capsys.readouterr().err


def test_the_command_shows_the_way_to_a_violation(monkeypatch, capsys):
    (scope,) = broken("ended-loop-stays")
    monkeypatch.setattr(explore, "SCOPES", {"Loop": scope})
    assert cli.main(["explore"]) == 1
    shown = capsys.readouterr().out
    assert "ended-loop-stays does not hold:" in shown
    assert "1. StartLoop StartLoop(" in shown
    assert "phase := Running" in shown


def test_what_was_not_visited_is_unknown():
    found = attrs.evolve(SCOPES["Loop"].explore(), complete=False)
    result = explore.Explored(SCOPES["Loop"], found, 0.0, None)
    assert result.verdict is Verdict.UNKNOWN
    assert "not every state was visited" in result.problem
