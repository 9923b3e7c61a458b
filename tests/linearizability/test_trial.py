"""Everything agrees with brute force; a checker with a broken rule is caught; laws that hold of all histories."""

import random
from collections import Counter
from itertools import accumulate

import attrs
import pytest

from mobstore.model import operations as ops
from mobstore.properties.linearizability import (
    Answer,
    Call,
    History,
    Outcome,
    blocks,
    chain,
    check,
    graph,
    search,
)
from mobstore.properties.linearizability import trial as trials
from mobstore.properties.linearizability.history import NEVER
from mobstore.properties.linearizability.models import CasRegister, KeyValue
from mobstore.properties.linearizability.random_histories import KINDS, draw_history
from mobstore.properties.linearizability.stores import StoreModel
from mobstore.properties.linearizability.trial import compare, drawn, shape, try_checker
from mobstore.properties.pools import DOCUMENTS
from mobstore.properties.subject import Outcome as Answered

LINEARIZABLE = Answer.LINEARIZABLE


def test_all_algorithms_agree_with_brute_force():
    """Each by itself, and none of them about nothing."""
    trial = try_checker(1, 200)
    assert trial.disagreement is None, str(trial.disagreement)
    assert sum(trial.histories.values()) == 200 * len(KINDS)
    assert trial.larger == 25 * len(KINDS)
    for name in ("chain", "graph", "blocks", "search", "brute force", "check"):
        for linearizable in (True, False):
            assert trial.decided[name, linearizable] > 10, (name, linearizable)


def test_several_processes_try_the_same_histories(monkeypatch):
    monkeypatch.setattr(trials, "_TOGETHER", 3)
    assert try_checker(4, 8, jobs=2) == try_checker(4, 8)


def test_the_first_disagreement_ends_a_trial_of_several_parts(monkeypatch):
    monkeypatch.setattr(trials, "_TOGETHER", 3)
    monkeypatch.setattr(trials.verify, "brute_force", lambda *_: False)
    trial = try_checker(4, 8)
    assert trial.disagreement is not None
    assert trial.disagreement.number < 8
    assert list(trial.histories) in ([], [trial.disagreement.kind])


# --- mutants ------------------------------------------------------------------------------------------------------


def no_implications(bounds, _inv, _res):
    return list(accumulate(bounds.lo, max))


def surviving_too_few(bounds, points, inv, res):
    """Forgets the runs that end late."""
    return [run for run in bounds.runs if points[run[0]] < inv[run[2]] and bounds.hi[run[1] + 1] < res[run[2]]]


def without_tails(place_unknown):
    def place(*arguments):
        known = place_unknown(*arguments)
        arguments[-2].clear()
        return known

    return place


def unknown_never_happened(_place_unknown):
    def place(*_arguments):
        return True

    return place


def bounds_one_off(of):
    def wrong(*arguments):
        bounds = of(*arguments)
        bounds.hi = [each if each == NEVER else each + 1 for each in bounds.hi]
        return bounds

    return wrong


def no_lower_bounds(of):
    def wrong(*arguments):
        bounds = of(*arguments)
        bounds.lo = [-1] * len(bounds.lo)
        return bounds

    return wrong


def reads_only(observe):
    """Forgets failed comparisons."""

    def wrong(facts, *arguments):
        kinds = [chain.Kind.MAYBE if kind is chain.Kind.FAILED else kind for kind in facts.kinds]
        return observe(attrs.evolve(facts, kinds=kinds), *arguments)

    return wrong


def no_time(draw_time):
    def wrong(self, _responses, size):
        draw_time(self, [], size)

    return wrong


def no_reads_before_writes(edge):
    def wrong(self, earlier, later, cell):
        if earlier is None or self._facts.kinds[earlier] is not graph.Kind.READ:
            edge(self, earlier, later, cell)

    return wrong


def anywhere(initial, others, _inv, _res):
    return list(others)


def unsettled(_facts, block, inv, res):
    """Finds zones, and does not ask whether the calls of a block are in order."""
    calls = block.calls()
    if calls:
        block.first, block.last = min(calls, key=res.__getitem__), max(calls, key=inv.__getitem__)


def one_gap_short(_illegal):
    def wrong(self, pos, states):
        return _illegal(self, pos, [*states[:-1], states[max(0, len(states) - 2)]])

    return wrong


def without_judge(place_unknown):
    def wrong(facts, *arguments):
        return place_unknown(attrs.evolve(facts, judge=None), *arguments)

    return wrong


STORES = "stores, one run and more"
TWINS = "two puts of unknown outcome give one revision, and the second was seen"
CHAINED = "one implication raises what another looks at"
CAS, WRITES, SMALL = (
    "register, cas of fresh values",
    "register, blind writes of fresh values",
    "register, three values",
)
MUTANTS = {
    "no implication pass": (CAS, chain, "solve", lambda _: no_implications),
    "ascending order": (CHAINED, chain, "_until", lambda _: lambda run: -run[1]),
    "a wrong filter of runs": (CAS, chain, "_surviving", lambda _: surviving_too_few),
    "no tail": (CAS, chain, "_place_unknown", without_tails),
    "unknown outcomes never happened": (CAS, chain, "_place_unknown", unknown_never_happened),
    "a tail that comes at any time": (CAS, chain, "_rescue", lambda _: lambda *_: 0),
    "a tail that never comes": (CAS, chain, "_rescue", lambda _: lambda *_: NEVER),
    "nothing binds the last change": (CAS, chain, "_bind_last", lambda _: lambda *_: None),
    "a wrong window": (CAS, chain.Bounds, "of", bounds_one_off),
    "no lower bounds": (CAS, chain.Bounds, "of", no_lower_bounds),
    "upper bounds are not looked at": (CAS, chain, "_first_failing", lambda _: lambda *_: 0),
    "failed comparisons are no evidence": (CAS, chain, "_observe_one", reads_only),
    "a proof of another kind": (
        CAS,
        chain,
        "double_success",
        lambda _: lambda *_: chain.Proof("phantom", "", (0,)),
    ),
    "no order in real time": ("cells, none in common", graph._Graph, "_draw_time", no_time),
    "readers do not come before writers": ("cells, none in common", graph._Graph, "_edge", no_reads_before_writes),
    "blocks may mix": (WRITES, blocks, "_placed", lambda _: anywhere),
    "blocks need no order": (WRITES, blocks, "_settle", lambda _: unsettled),
    "gaps are judged one short": (STORES, chain._Judged, "_illegal", one_gap_short),
    "unknown changes are taken for each other": (TWINS, chain, "_place_unknown", without_judge),
    "greedy on writes": (SMALL, CasRegister, "observes", lambda _: lambda *_: True),
    "observers never placed after a change": (SMALL, search.Search, "_placeable", lambda _: lambda *_: 0),
    "dominance turned round": (SMALL, search, "dominates", lambda old: lambda left, right: old(right, left)),
    "dominance of everything": (SMALL, search, "dominates", lambda _: lambda *_: True),
    "appends overwrite": ("map, two texts", KeyValue, "overwrites", lambda _: KeyValue.blind),
    "compare-and-sets hide": (SMALL, CasRegister, "blind", lambda _: lambda *_: True),
    "the last deadline first": (SMALL, search, "_ends", lambda _: lambda flight: -flight.ends),
}
"""Of each: a kind of history that shows it, where the rule is, and what is put in its place."""

CHAINED_HISTORY = History.of(
    Call(0, process, "cas", None, value, answer, Outcome.OK, inv, res)
    for process, value, answer, inv, res in (
        (0, (None, 1), True, 0, 20),
        (1, (1, 2), True, 1, 21),
        (2, (1, 8), False, 2, 3),
        (2, (2, 9), False, 4, 5),
        (2, (2, 3), True, 6, 7),
    )
)
"""The second failure keeps the second change back, and with it the first failure the first change."""
TWIN_HISTORY = History.of(
    [
        Call(0, 0, "put_spec", None, ops.PutSpec("mob", DOCUMENTS[1], 0), None, Outcome.INFO, 0, NEVER),
        Call(0, 1, "put_spec", None, ops.PutSpec("mob", DOCUMENTS[7], 0), None, Outcome.INFO, 1, NEVER),
        Call(0, 2, "get_spec", None, ops.GetSpec("mob"), Answered((DOCUMENTS[7], 1)), Outcome.OK, 2, 3),
    ]
)
FIXED = {CHAINED: (CasRegister(), CHAINED_HISTORY), TWINS: (StoreModel(), TWIN_HISTORY)}


def caught(kind, number=3000):
    """Whether a history is decided otherwise than by brute force, or the second program rejects something."""
    for each in range(number):
        larger = each % 4 == 3
        model, history = FIXED[kind] if kind in FIXED else drawn(kind, 2, each, larger=larger)
        try:
            if compare(model, history, Counter(), brute=not larger) is not None:
                return True
        except (LookupError, RuntimeError, TypeError):
            return True
    return False


def test_the_checker_as_it_is_is_not_caught():
    assert not any(caught(kind, 60) for kind in {kind for kind, *_ in MUTANTS.values()})


@pytest.mark.parametrize("name", MUTANTS)
def test_a_checker_with_a_broken_rule_is_caught(monkeypatch, name):
    kind, where, attribute, change = MUTANTS[name]
    broken = change(getattr(where, attribute))
    monkeypatch.setattr(where, attribute, staticmethod(broken) if where is chain.Bounds else broken)
    assert caught(kind)


# --- laws ---------------------------------------------------------------------------------------------------------


def linearizable(model, history):
    return check(history, model).answer is LINEARIZABLE


def ranked(calls):
    """Return the history of calls whose places are any numbers, invocations first at equal ones."""
    places = sorted({(call.inv, 0) for call in calls} | {(call.res, 1) for call in calls if call.res != NEVER})
    rank = {place: number for number, place in enumerate(places)}
    return History.of(
        attrs.evolve(call, inv=rank[call.inv, 0], res=NEVER if call.res == NEVER else rank[call.res, 1])
        for call in calls
    )


def widened(rng, _model, history):
    """A span is longer."""
    calls = list(history)
    row = rng.randrange(len(calls))
    call = calls[row]
    res = call.res if call.res == NEVER else call.res + rng.random() * 6
    calls[row] = attrs.evolve(call, inv=call.inv - rng.random() * 6, res=res)
    return ranked(calls)


def without_an_observer(rng, model, history):
    observers = [
        call.row
        for call in history
        if call.outcome is Outcome.OK and model.observes(call.f, call.value, call.answer)
    ]
    row = rng.choice(observers) if observers else -1
    return History.of(call for call in history if call.row != row)


def cut(rng, _model, history):
    """The history ended earlier: what had not been answered is pending."""
    end = rng.randrange(2 * len(history) + 1)
    return History.of(
        call if call.res <= end else attrs.evolve(call, res=NEVER, outcome=Outcome.PENDING, answer=None)
        for call in history
        if call.inv <= end
    )


def forgotten(rng, _model, history):
    """Nobody knows any more what a call was answered, and whether it happened."""
    row = rng.randrange(len(history))
    return History.of(
        attrs.evolve(call, res=NEVER, outcome=Outcome.INFO, answer=None)
        if call.row == row and call.outcome is Outcome.OK
        else call
        for call in history
    )


@pytest.mark.parametrize("weaken", [widened, without_an_observer, cut, forgotten])
def test_what_says_less_is_still_linearizable(weaken):
    passed = changed = 0
    for number in range(90):
        for kind in KINDS:
            model, history = drawn(kind, 3, number)
            if not linearizable(model, history):
                continue
            passed += 1
            rng = random.Random(number)
            for _ in range(3):
                weaker = weaken(rng, model, history)
                changed += list(weaker) != list(history)
                assert linearizable(model, weaker), (kind, number, *map(str, history))
    assert passed > 200
    assert changed > 200


def renamed(value, new):
    if isinstance(value, tuple):
        return tuple(renamed(each, new) for each in value)
    return value if value is None or isinstance(value, bool) else new(value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith("register")])
def test_other_names_for_the_values_change_nothing(kind):
    make, draw = KINDS[kind]
    both = set()
    for number in range(150):
        rng = random.Random(f"{kind} {number}")
        history = draw_history(rng, make(), draw, shape(rng))
        other = History.of(
            attrs.evolve(
                call,
                value=renamed(call.value, lambda value: f"v{97 - value}"),
                answer=renamed(call.answer, lambda value: f"v{97 - value}"),
            )
            for call in history
        )
        found, again = check(history, make()), check(other, make())
        assert (found.answer, found.decided_by) == (again.answer, again.decided_by)
        both.add(found.answer)
    assert len(both) == 2
