"""What the solver is told about a transition is what Python does."""

import itertools
import random

import pytest
import z3

from mobstore.model import SupervisorAuthorityRecord, from_json
from mobstore.model.machines import (
    FRAME,
    LOOP,
    ROTATION,
    RUN,
    GuardRejected,
    NoMatchingTransition,
    Transitioned,
    rotation_inputs,
)
from mobstore.model.machines.sorts import MapOf, Opaque, Optional, Record, SequenceOf, SetOf
from mobstore.properties.symbolic import Translation, conj, neg


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
    for state, input in chosen(rows, 150):
        assert_same(machine, state, input)


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
