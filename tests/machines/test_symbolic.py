"""What the solver is told about a transition is what Python does."""

import itertools
import random

import attrs
import pytest
import z3

from mobstore.model import FrozenMap, SupervisorAuthorityRecord, from_json
from mobstore.model._records import U32
from mobstore.model.machines import (
    AUTHORITY,
    FRAME,
    LOOP,
    ROTATION,
    RUN,
    GuardRejected,
    NoMatchingTransition,
    Transitioned,
    rotation_inputs,
)
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import Function
from mobstore.model.machines.rotation import (
    AUTHORITY_RECORD,
    FROM_AUTHORITY,
    REMOVE_ACCEPTED_PEER_IDS,
    SAME_ATTEMPTED_AUTHORITY,
)
from mobstore.model.machines.sorts import (
    Boolean,
    Enumeration,
    MapOf,
    Natural,
    Opaque,
    Optional,
    Record,
    SequenceOf,
    SetOf,
)
from mobstore.model.values import PROTOCOL_VERSION, SecretKey
from mobstore.properties import symbolic
from mobstore.properties.symbolic import Translation, Unbounded, conj, neg
from mobstore.properties.tla import tlc
from mobstore.properties.tla.expressions import GREATEST, PRELUDE, Writer, function_of_pairs, literal, text


def opaque_values(value, sort):
    """The values of opaque sorts in a value, each with the name of its sort."""
    if isinstance(sort, Opaque):
        yield sort.name, value
    elif isinstance(sort, Optional):
        yield from () if value is None else opaque_values(value, sort.item)
    elif isinstance(sort, Record):
        for name, of in sort.fields.items():
            yield from opaque_values(getattr(value, name), of)
    elif isinstance(sort, (SequenceOf, SetOf)):
        for item in value:
            yield from opaque_values(item, sort.item)
    elif isinstance(sort, MapOf):
        for key, item in value.items():
            yield from opaque_values(key, sort.key)
            yield from opaque_values(item, sort.item)


def bounded(*pairs, spare=("~1", "~2")):
    """A translation whose universe is what stands in some values, and ids that stand nowhere."""
    universe = {"str": ["", *spare]}
    for name, value in itertools.chain.from_iterable(opaque_values(value, sort) for value, sort in pairs):
        universe.setdefault(name, []).append(value)
    return Translation(universe)


def symbolic_steps(translation, machine, state, input):
    state_symbol = translation.value(state, Record(machine.state))
    input_symbol = translation.value(input, Record(type(input)))
    for transition in machine.transitions_of(type(input)):
        yield translation.step(machine, transition, state_symbol, input_symbol)


def is_so(formula):
    return z3.is_true(z3.simplify(formula))


def verdict(step):
    """The id of the first guard that fails, "source" for the phase, or None."""
    if not is_so(step.source):
        return "source"
    return next((guard.id for guard, holds in step.guards if not is_so(holds)), None)


def emitted(translation, step):
    for emit, when, arguments in step.effects:
        if is_so(when):
            sorts = Record(emit.kind).fields.values()
            yield emit.kind(*(translation.read(item, sort) for item, sort in zip(arguments, sorts, strict=True)))


def assert_same(machine, state, input):
    """A known state and input fold to exactly what `step` answers."""
    translation = bounded((state, Record(machine.state)), (input, Record(type(input))))
    steps = list(symbolic_steps(translation, machine, state, input))
    match machine.step(state, input):
        case NoMatchingTransition():
            assert {verdict(step) for step in steps} == {"source"}
        case GuardRejected(rejections):
            assert [verdict(step) for step in steps] == [rejection.guard_id for rejection in rejections]
        case Transitioned(id, after, effects):
            taken = next(step for step in steps if verdict(step) is None)
            assert taken.transition.id == id
            assert translation.read(taken.next_state, Record(machine.state)) == after
            assert tuple(emitted(translation, taken)) == effects


def assert_all_same(machine, rows):
    for state, input in rows:
        assert_same(machine, state, input)


def chosen(rows, number):
    """So many rows, and as many of each input as can be, the same ones each time."""
    kinds = {}
    for row in random.Random(7).sample(rows, len(rows)):
        kinds.setdefault(type(row[1]), []).append(row)
    turns = itertools.zip_longest(*kinds.values())
    return list(itertools.islice((row for turn in turns for row in turn if row is not None), number))


def rotation_vectors(rows):
    for row in rows("rotation"):
        if row["op"] == "authority.apply_process_local_pending_rotation":
            record = from_json(SupervisorAuthorityRecord, row["args"]["record"])
            yield record, rotation_inputs.ApplyProcessLocalPendingRotation(row["args"]["pending"])


@pytest.fixture(scope="module", params=[RUN, FRAME, LOOP, ROTATION], ids=lambda machine: machine.name)
def machine_and_rows(request, vectors, rows):
    """A machine and its recorded (state, input)."""
    machine = request.param
    if machine is ROTATION:
        return machine, list(rotation_vectors(rows))
    return machine, [(state, input) for state, input, _ in vectors(machine.name)]


def test_a_formula_of_a_known_state_folds_to_what_python_answers(machine_and_rows):
    machine, rows = machine_and_rows
    assert_all_same(machine, chosen(rows, 150))


def answer(translation, machine, state, input):
    """What `step` answers, as a formula."""
    result = machine.step(state, input)
    steps = list(symbolic_steps(translation, machine, state, input))
    if isinstance(result, Transitioned):
        sort = Record(machine.state)
        taken = next(step for step in steps if step.transition.id == result.transition_id)
        after = translation.equal(taken.next_state, translation.value(result.next_state, sort), sort)
        return conj(taken.enabled, after)
    return conj(*(neg(step.enabled) for step in steps))


def decide(translation, *formulas):
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(*translation.axioms, *formulas)
    return solver.check(), solver


def test_with_any_number_of_ids_the_solver_proves_what_python_answers(machine_and_rows):
    """And the axioms do not prove everything: the answer can be true."""
    machine, rows = machine_and_rows
    for state, input in chosen(rows, 40):
        translation = Translation()
        claim = answer(translation, machine, state, input)
        assert decide(translation, neg(claim))[0] == z3.unsat, input
        assert decide(translation, claim)[0] != z3.unsat, input


RANDOM_IDS = ("", "a", "b", "c", "d")
RANDOM_NUMBERS = (0, 0, 1, 1, 2, 3, 2**32 - 2, 2**32 - 1)


def random_value(sort, rng):
    """Any value of a sort, whether a machine can come to it or not; ids from a small pool."""
    match sort:
        case Boolean():
            return rng.random() < 0.5
        case Natural():
            return rng.choice(RANDOM_NUMBERS)
        case Enumeration(kind):
            return rng.choice(list(kind))
        case Opaque(name):
            return SecretKey.of(bytes([rng.randrange(2)]) * 32) if name == "SecretKey" else rng.choice(RANDOM_IDS)
        case Optional(item):
            return rng.choice((None, random_value(item, rng)))
        case SequenceOf(item):
            return tuple(random_value(item, rng) for _ in range(rng.randrange(5)))
        case SetOf(item):
            return frozenset(random_value(item, rng) for _ in range(rng.randrange(5)))
        case MapOf(key, item):
            return FrozenMap({random_value(key, rng): random_value(item, rng) for _ in range(rng.randrange(6))})
        case Record(kind):
            return kind(**{name: random_field(name, of, rng) for name, of in sort.fields.items()})


def random_field(name, sort, rng):
    return PROTOCOL_VERSION if name == "protocol_version" else random_value(sort, rng)


def random_step(machine, transition, rng):
    """A state, more often than not in a phase that the transition starts from, and an input of the transition."""
    state = random_value(Record(machine.state), rng)
    if transition.sources and rng.random() < 0.9:
        state = attrs.evolve(state, phase=rng.choice(sorted(transition.sources)))
    return state, random_value(Record(transition.input), rng)


@pytest.mark.parametrize("machine", [RUN, FRAME, LOOP, ROTATION, AUTHORITY], ids=lambda machine: machine.name)
def test_a_formula_of_any_state_folds_to_what_python_answers(machine):
    rng, taken = random.Random(11), set()
    for transition in machine.transitions:
        for _ in range(8):
            state, input = random_step(machine, transition, rng)
            assert_same(machine, state, input)
            taken.add(type(machine.step(state, input)))
    assert Transitioned in taken
    assert GuardRejected in taken


def one_round_only(self, start, keys, condition, value, sort, elements):
    return self._fixed(start, lambda key: conj(self.contains(keys, key, sort), condition(start, key)), value)


def nothing_filtered(self, base, condition, sort, some):
    return attrs.evolve(base, some=some)


BROKEN_TRANSLATIONS = {
    "_unrolled_fixpoint": one_round_only,
    "_unrolled_filter": nothing_filtered,
    "_source": lambda self, machine, transition, state: symbolic.TRUE,
}


@pytest.mark.parametrize("name", BROKEN_TRANSLATIONS)
def test_a_wrong_translation_is_noticed(name, vectors, monkeypatch):
    monkeypatch.setattr(Translation, name, BROKEN_TRANSLATIONS[name])
    rows = chosen([(state, input) for state, input, _ in vectors("frame")], 400)
    with pytest.raises((AssertionError, StopIteration)):
        assert_all_same(FRAME, rows)


ITEMS, OTHERS = t.var("items", tuple[str, ...]), t.var("others", tuple[str, ...])
MEMBERS = t.var("members", frozenset[str])
NUMBERS = t.var("numbers", FrozenMap[str, U32])
LINKS = t.var("links", FrozenMap[str, str | None])
QUEUES = t.var("queues", FrozenMap[str, tuple[str, ...]])


def is_member(item):
    return t.member(item, MEMBERS)


def follows(now, key):
    """A key that is not 2 is linked to one that is."""
    link = t.at(LINKS, key, None)
    return t.at(now, key, 0).ne(2) & t.Present(link) & t.at(now, t.The(link), 0).eq(2)


KEPT = t.filtered(ITEMS, is_member)
REACHED = t.fixpoint(NUMBERS, ITEMS, follows, 2)

TERMS = {
    "first kept": t.if_(~t.is_empty(KEPT), t.Head(KEPT), ""),
    "kept twice, shortened, extended": t.append(t.Tail(t.filtered(KEPT, lambda item: item.ne("a"))), "c"),
    "kept of a longer row": t.filtered(t.append(ITEMS, "b"), is_member),
    "kept of one of two": t.filtered(t.if_(is_member("a"), ITEMS, t.Tail(OTHERS)), is_member),
    "same kept": KEPT.eq(t.filtered(OTHERS, is_member)),
    "same rows": ITEMS.eq(OTHERS),
    "same sets": t.Elements(KEPT).eq(t.discard(t.insert(MEMBERS, "a"), "b")),
    "same keys": t.Elements(NUMBERS).eq(MEMBERS),
    "one of two sets": t.if_(is_member("b"), t.insert(MEMBERS, "c"), t.Elements(OTHERS)),
    "in order": t.Increasing(ITEMS) & t.Increasing(KEPT),
    "below": t.exists(ITEMS, lambda item: (item < "c") & (item > "a") & ~is_member(item)),
    "empty": t.is_empty(MEMBERS) | t.is_empty(NUMBERS) | t.is_empty(KEPT),
    "length": t.Size(ITEMS) + t.Size(KEPT),
    "one more and one less": t.map_to(NUMBERS, NUMBERS, lambda key: t.at(NUMBERS, key) + 2 - 1),
    "stored": t.store(
        t.map_to(ITEMS, NUMBERS, lambda key: t.if_(is_member(key), t.at(NUMBERS, key, 0) + 1, 0)), "a", 7
    ),
    "one of two maps": t.if_(is_member("b"), NUMBERS, t.map_to(MEMBERS, NUMBERS, lambda _key: 3)),
    "reached": REACHED,
    "all reached": t.for_all(REACHED, lambda key: t.at(REACHED, key).eq(2)),
    "kept in each": t.for_all(
        QUEUES,
        lambda key: t.at(QUEUES, key).eq(
            t.filtered(t.at(QUEUES, key), lambda item: item.ne(key) & is_member(item))
        ),
    ),
    "linked": t.exists(LINKS, lambda key: t.at(LINKS, key).eq(t.Some(key))),
}
COUNTS = {
    "sizes": t.Size(MEMBERS) + t.Size(NUMBERS),
    "counted": t.count(ITEMS, is_member) + t.count(MEMBERS, lambda item: t.member(item, ITEMS)),
    "summed": t.total(NUMBERS, lambda key: t.at(NUMBERS, key)),
}
VARIABLES = (ITEMS, OTHERS, MEMBERS, NUMBERS, LINKS, QUEUES)
FUNCTIONS = [Function(name, VARIABLES, term) for name, term in TERMS.items()]
COUNTING = [Function(name, VARIABLES, term) for name, term in COUNTS.items()]
OF_ROTATION = [AUTHORITY_RECORD, FROM_AUTHORITY, REMOVE_ACCEPTED_PEER_IDS, SAME_ATTEMPTED_AUTHORITY]


def kinds_in(term):
    return {type(term)}.union(*map(kinds_in, t.parts_of(term)))


def leaves_of(kind):
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*map(leaves_of, below))


def test_every_kind_of_term_is_tried():
    tried = set().union(*(kinds_in(function.body) for function in [*FUNCTIONS, *COUNTING, *OF_ROTATION]))
    assert tried == leaves_of(t.Term)


def draw(function, rng):
    """Arguments; now and then one of them again where another of its sort may stand."""
    arguments = []
    for variable in function.parameters:
        earlier = [
            value
            for value, other in zip(arguments, function.parameters, strict=False)
            if other.sort == variable.sort
        ]
        again = earlier and rng.random() < 0.3
        arguments.append(rng.choice(earlier) if again else random_value(variable.sort, rng))
    return arguments


def claims(translation, function, arguments):
    """The term as a symbol, and that it is what Python says."""
    pairs = zip(function.parameters, arguments, strict=True)
    names = {variable.name: translation.value(value, variable.sort) for variable, value in pairs}
    symbol = translation.translate(function.body, names)
    sort = function.body.sort
    return symbol, translation.equal(symbol, translation.value(function(*arguments), sort), sort)


@pytest.mark.parametrize("function", [*FUNCTIONS, *COUNTING, *OF_ROTATION], ids=lambda function: function.name)
def test_a_bounded_term_folds_to_its_value(function):
    rng, seen = random.Random(3), set()
    for turn in range(300):
        arguments = draw(function, rng)
        pairs = zip(arguments, (variable.sort for variable in function.parameters), strict=True)
        translation = bounded(*pairs, spare=RANDOM_IDS)
        symbol, _ = claims(translation, function, arguments)
        expected = function(*arguments)
        assert translation.read(symbol, function.body.sort) == expected, arguments
        seen.add(repr(expected))
        if turn > 20 and len(seen) > 1:
            break
    assert len(seen) > 1, "the values tell nothing apart"


@pytest.mark.parametrize("function", [*FUNCTIONS, *OF_ROTATION], ids=lambda function: function.name)
def test_an_unbounded_term_is_proved_to_be_its_value(function):
    rng = random.Random(5)
    for _ in range(10):
        arguments, translation = draw(function, rng), Translation()
        _, claim = claims(translation, function, arguments)
        assert decide(translation, neg(claim))[0] == z3.unsat, arguments
        assert decide(translation, claim)[0] != z3.unsat, arguments


@pytest.mark.parametrize("term", [t.Size(MEMBERS), t.count(ITEMS, is_member)])
def test_sizes_of_sets_and_sums_over_sequences_need_a_bound(term):
    translation = Translation()
    names = {each.name: translation.fresh(each.name, each.sort) for each in VARIABLES}
    with pytest.raises(Unbounded):
        translation.translate(term, names)


def above(key):
    return t.if_(t.at(NUMBERS, key) > 2, t.at(NUMBERS, key), 0)


SUM = Function("above", (NUMBERS,), t.total(NUMBERS, above))


@pytest.mark.parametrize("named", [True, False])
def test_sums_without_a_bound_are_told_apart_by_a_key_that_was_named(named):
    """What is known of them is true; it tells by how much they differ, but not where no key was named."""
    rng = random.Random(3)
    for _ in range(20):
        before, key = (
            FrozenMap({each: rng.randrange(6) for each in rng.sample(["a", "b", "c"], 2)}),
            rng.choice("abc"),
        )
        both, translation = (before, before.set(key, rng.randrange(6))), Translation()
        of = [translation.translate(SUM.body, {"numbers": translation.value(each, NUMBERS.sort)}) for each in both]
        if named:
            translation.name(translation.value(key, NUMBERS.sort.key), "numbers")
        first, second = (SUM(each) for each in both)
        assert decide(translation, of[0] == first, of[1] == second)[0] == z3.sat
        told = decide(translation, neg(of[1] - of[0] == second - first))[0]
        assert (told == z3.unsat) == (named or first == second)


def claim_of(function, rng):
    """What TLC is to find of a term with some values: that it is what Python says."""
    while True:
        arguments = draw(function, rng)
        wanted = function(*arguments)
        if not any(number >= GREATEST for value in (*arguments, wanted) for number in numbers_in(value)):
            break
    pairs = zip(function.parameters, arguments, strict=True)
    given = "".join(f"{var.name} == {literal(var.sort, value)} " for var, value in pairs)
    return f"LET {given}IN ({Writer().write(function.body)}) = {literal(function.body.sort, wanted)}"


def numbers_in(value):
    if isinstance(value, int):
        yield value
    elif isinstance(value, FrozenMap):
        yield from (number for item in value.values() for number in numbers_in(item))


def what_tlc_finds(*claims):
    ranks = function_of_pairs((text(id), str(rank)) for rank, id in enumerate(sorted(RANDOM_IDS)))
    assumed = "\n".join(f"ASSUME {claim}" for claim in claims)
    module = f"""---- MODULE Terms ----
EXTENDS Integers, Sequences, FiniteSets, TLC
VARIABLE State
{PRELUDE}
Rank == {ranks}
{assumed}
Spec == State = 0 /\\ [][UNCHANGED State]_State
====
"""
    return tlc.check("Terms", module, "SPECIFICATION Spec\n")


@pytest.mark.usefixtures("with_tlc")
def test_tlc_computes_what_python_answers():
    """Of every kind of term."""
    rng = random.Random(5)
    right = [claim_of(function, rng) for function in [*FUNCTIONS, *COUNTING] for _ in range(8)]
    assert what_tlc_finds(*right) == tlc.Run(1, None, None)


@pytest.mark.usefixtures("with_tlc")
def test_tlc_notices_another_value():
    found = what_tlc_finds(f"~({claim_of(FUNCTIONS[0], random.Random(5))})")
    assert "Assumption" in found.error
