"""The commit protocols refine the atomic store, for any number of clients; the wrong ones do not."""

import collections
import functools

import pytest
import z3

from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.machine import STATE
from mobstore.model.machines.sorts import Record
from mobstore.properties.exploration import Check, explore, steps_of
from mobstore.properties.protocols import histories
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OPTIMISTIC
from mobstore.properties.protocols.settings import SETTINGS, inputs_of
from mobstore.properties.protocols.simulation import obligations
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.protocols.wrong import WRONG

PROTOCOLS = {protocol.name: protocol for protocol in (MEMORY, SQLITE, OPTIMISTIC)}


@functools.cache
def obligations_of(protocol):
    return list(obligations(protocol))


def verdict(parts):
    solver = z3.Solver()
    solver.set("timeout", 10_000)
    solver.add(*parts)
    return solver.check()


@functools.cache
def trace_of(wrong):
    return histories.search(wrong.protocol, wrong.setting)


def is_refuted(found, without=None):
    """Whether an obligation has a countermodel, of those not about the invariant; none of them assumes it."""
    of_move = collections.defaultdict(list)
    for each in found:
        if each.invariant is None or each.invariant != without:
            of_move[each.move].append(each)
    return any(verdict(formula(group, without)) == z3.sat for group in of_move.values())


def formula(group, without):
    """The obligations of one move together: it has a model when one of them has."""
    assumed = [holds for name, holds in group[0].assumed.items() if name != without]
    return (*assumed, z3.Or([z3.Not(each.claim) for each in group]), *group[-1].axioms)


def function(protocol, term):
    return function_of((t.Var(STATE, Record(protocol.state)),), term)


def of_small_versions(state):
    return getattr(state, "version", 0) <= 3


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_obligation_is_proved(protocol):
    """Any number of clients, calls and values: unsatisfiable, not unknown."""
    open_ones = {each.name: verdict(each.refuting) for each in obligations_of(protocol)}
    assert {name: found for name, found in open_ones.items() if found != z3.unsat} == {}
    assert len(open_ones) == len(protocol.invariants) * (len(protocol.moves) + 1) + len(protocol.moves)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_what_is_assumed_of_a_move_can_be_so(protocol):
    """No proof is empty: without the negated claim, the formula has a model."""
    assumed = {each.move: each.premises for each in obligations_of(protocol)}
    assert {move: verdict(parts) for move, parts in assumed.items()} == dict.fromkeys(assumed, z3.sat)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_no_invariant_is_idle(protocol):
    """Without any one of them, some proof does not go through."""
    found = obligations_of(protocol)
    assert [name for name, _, _ in protocol.invariants if not is_refuted(found, without=name)] == []


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_every_move_is_made_and_no_invariant_broken(protocol):
    """In small settings, every interleaving; together they take every move."""
    missing = {move.name for move in protocol.moves}
    checks = [Check(name, function(protocol, term)) for name, _, term in protocol.invariants]
    for name in ("refused", "same"):
        chosen = SETTINGS[name]
        start = protocol.start(chosen.calls, chosen.start)
        assert function(protocol, protocol.initial)(start)
        successors = steps_of(protocol.machine, inputs_of(protocol, chosen), of_small_versions)
        found = explore([start], successors, checks)
        assert found.complete
        assert found.violation is None
        missing -= set(found.taken)
    assert missing == set()


@pytest.mark.parametrize("protocol", [MEMORY, SQLITE], ids=["memory", "sqlite"])
def test_every_small_history_is_linearizable(protocol):
    """Judged by what clients see, without the protocol's own linearization points."""
    found = histories.search(protocol, SETTINGS["torn"])
    assert found.complete
    assert found.violation is None


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_protocol_is_refuted_and_shown(wrong):
    """A proof fails with a model, and a trace ends in an answer that no order of the calls explains."""
    assert is_refuted(obligations(wrong.protocol))
    found = trace_of(wrong)
    assert found.violation is not None
    states = histories.replay(wrong.protocol, found.violation)
    assert len(states) == len(found.violation.steps) + 1
    table = histories.trace_table(wrong.protocol, found.violation)
    assert len(table) == len(found.violation.steps) + 2
    assert "Respond" in table[-1]


def test_a_trace_of_another_protocol_is_not_replayed():
    found = trace_of(WRONG["lock-released-early"])
    with pytest.raises(AssertionError):
        histories.replay(SQLITE, found.violation)
