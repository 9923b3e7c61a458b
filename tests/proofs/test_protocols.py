"""The commit protocols refine the atomic store, for any number of clients; the wrong ones do not."""

import functools
import json

import attrs
import pytest
import z3

from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.machine import STATE
from mobstore.model.machines.sorts import Record
from mobstore.properties import cli
from mobstore.properties.exploration import Check, explore, steps_of
from mobstore.properties.proofs.settlement import settle
from mobstore.properties.proofs.solvers import Verdict
from mobstore.properties.protocols import command, histories, mutation
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.mutation import HARMLESS, Notice, is_disproved, mutants, notice
from mobstore.properties.protocols.settings import SETTINGS, inputs_of
from mobstore.properties.protocols.simulation import PROTOCOLS, Case, of_protocol
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.protocols.wrong import WRONG
from mobstore.properties.symbolic import Translation


@functools.cache
def cases(protocol):
    """The beginning, and every move."""
    return [Case.of(protocol, name, Translation()) for name in (None, *(move.name for move in protocol.moves))]


def answer(formulas):
    solver = z3.Solver()
    solver.set("timeout", 10_000)
    solver.add(*formulas)
    return solver.check()


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_everything_is_proved(protocol):
    """Any number of clients, calls and values: unsatisfiable, not unknown."""
    assert {str(answer(case.counterexamples())) for case in cases(protocol)} == {"unsat"}


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_no_invariant_is_idle(protocol):
    """Without any one of them, some proof does not go through."""

    def is_idle(name):
        return not any(answer(case.counterexamples(without=name)) == z3.sat for case in cases(protocol))

    assert [name for name, _, _ in protocol.invariants if is_idle(name)] == []


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_the_obligations_are_all_there(protocol):
    found = [each.name.split("/")[2] for each in of_protocol(protocol)]
    moves, invariants = len(protocol.moves), len(protocol.invariants)
    counts = {"initial": invariants, "inductive": invariants * moves, "simulation": moves, "happens": moves}
    assert {kind: found.count(kind) for kind in counts} == counts
    assert len(found) == sum(counts.values())


@pytest.mark.parametrize("kind", ["simulation", "happens"])
def test_both_solvers_agree(kind):
    """Of the longest formulas; ``mobstore prove`` asks them about all."""
    chosen = [each for each in of_protocol(MEMORY) if f"/{kind}/" in each.name]
    assert {settle(each).verdict for each in chosen} == {Verdict.HOLDS}


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_move_is_made_and_no_invariant_broken(protocol):
    """In the settings of one client, and of two where one overtakes the other."""
    missing = {move.name for move in protocol.moves}
    checks = [Check(name, function(protocol, term)) for name, _, term in protocol.invariants]
    for name in ("alone", "alone, refused", "alone, unchanged", "two")[: 4 if protocol.name == "optimistic" else 3]:
        chosen = SETTINGS[name]
        start = protocol.start(chosen.calls, chosen.start)
        assert function(protocol, protocol.initial)(start)
        successors = steps_of(protocol.machine, inputs_of(protocol, chosen), mutation._is_early)
        found = explore([start], successors, checks)
        assert found.complete
        assert found.violation is None
        missing -= set(found.taken)
    assert missing == set()


def function(protocol, term):
    return function_of((t.Var(STATE, Record(protocol.state)),), term)


@pytest.mark.parametrize("protocol", [MEMORY, SQLITE], ids=["memory", "sqlite"])
def test_every_small_history_is_linearizable(protocol):
    """Judged by what clients see, without the protocol's own linearization points."""
    found = histories.search(protocol, SETTINGS["torn"])
    assert found.complete
    assert found.violation is None


# --- wrong protocols ------------------------------------------------------------------------------------------


@functools.cache
def refutation(name):
    return command.refute(WRONG[name])


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_protocol_is_refuted_and_shown(name):
    """By a countermodel that Python confirms, and by a trace, replayed, that no order of the calls explains."""
    found = refutation(name)
    assert found.is_refuted
    assert found.countermodel.confirmed
    assert "Respond" in found.trace[-1]


def test_a_trace_of_another_protocol_is_not_replayed():
    found = histories.search(WRONG["no-lock"].protocol, SETTINGS["two"])
    assert len(histories.replay(WRONG["no-lock"].protocol, found.violation)) == len(found.violation.steps) + 1
    with pytest.raises(AssertionError):
        histories.replay(MEMORY, found.violation)


def test_a_right_protocol_is_not_refuted():
    """The search for what is wrong has to end empty-handed."""
    found = command.refute(attrs.evolve(WRONG["no-lock"], protocol=MEMORY, setting=SETTINGS["alone"]))
    assert not found.is_refuted
    assert found.trace is found.obligation is None


def test_the_command_tells_right_and_wrong(capsys):
    assert cli.main(["protocols", "memory", "no-lock"]) == 0
    shown = capsys.readouterr().out
    assert "lock, read, compare, swap, unlock" in shown
    assert "nobody takes the lock" in shown
    assert "confirmed in Python" in shown
    assert "Swap: swap the state" in shown
    assert cli.main(["protocols", "no-lock", "--json"]) == 0
    (wrong,) = json.loads(capsys.readouterr().out)["wrong"]
    assert wrong["refuted"] is True
    assert cli.main(["protocols", "nothing"]) == 2
    assert "there is no protocol 'nothing'" in capsys.readouterr().err


def test_the_command_fails_when_nothing_is_wrong(monkeypatch, capsys):
    monkeypatch.setitem(
        WRONG, "no-lock", attrs.evolve(WRONG["no-lock"], protocol=MEMORY, setting=SETTINGS["alone"])
    )
    assert cli.main(["protocols", "no-lock"]) == 1
    assert "NOT refuted" in capsys.readouterr().out


# --- mutants --------------------------------------------------------------------------------------------------


def test_what_is_listed_as_harmless_breaks_no_proof():
    """And most of what is not listed does; ``mobstore protocols --mutants`` lets the explorer look for the rest."""
    known = {mutant.name: mutant for mutant in mutants(SQLITE)}
    listed = {name for name in HARMLESS if name.startswith("sqlite/")}
    unproved = {name for name, mutant in known.items() if not is_disproved(mutant.protocol, mutant.move)}
    assert listed <= unproved
    assert len(unproved) < len(known) / 3


def test_every_mutant_is_noticed_or_listed(capsys):
    """Of the shortest protocol; ``mobstore protocols --mutants`` tries those of all, as `make thorough` does."""
    assert cli.main(["protocols", "optimistic", "--mutants"]) == 0
    assert "NOT noticed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("sqlite/Begin/without the guard nobody has the write lock", Notice.PROOF),
        ("sqlite/RollBack/without writing writer", Notice.DEAD_END),
        ("sqlite/Recover/without writing is_down", Notice.DEAD_END),
    ],
)
def test_a_mutant_is_noticed_by_what_it_breaks(name, by):
    (mutant,) = (each for each in mutants(SQLITE) if each.name == name)
    assert notice(mutant) is by


def test_a_list_with_another_mutant_fails(monkeypatch, capsys):
    first = next(iter(mutants(PROTOCOLS["optimistic"])))
    monkeypatch.setattr(command, "mutants", lambda _protocol: [first])
    assert cli.main(["protocols", "optimistic", "--mutants"]) == 0
    assert "1 mutants: 1 noticed" in capsys.readouterr().out
    stale = first.name
    monkeypatch.setattr(command, "HARMLESS", {**HARMLESS, stale: "no reason"})
    assert cli.main(["protocols", "optimistic", "--mutants", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["wrong"] == [stale]
