"""The language itself: sorts are checked, binders do not capture, numbers saturate, order does not matter."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobstore.model import FrozenMap
from mobstore.model.machines import run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.frame import is_blocked, is_open
from mobstore.model.machines.machine import transition
from mobstore.model.machines.sorts import Natural, Optional, Record, sort_of
from mobstore.model.values import (
    U32,
    DependencyMode,
    FlowFrameState,
    FlowRunState,
    NodeStatus,
    RunPhase,
    StepStatus,
)

NUMBERS = t.var("numbers", tuple[U32, ...])
A, B = t.var("a", U32), t.var("b", U32)
STATE = t.Var("s", Record(FlowFrameState))


def evaluate(term, *pairs):
    return function_of(tuple(var for var, _ in pairs), term)(*(held for _, held in pairs))


def test_sorts_are_read_from_annotations():
    fields = Record(FlowRunState).fields
    assert fields["failure_count"] == Natural(32)
    assert fields["step_status"].item == Optional(sort_of(StepStatus))
    assert fields["step_dependency_modes"].item == sort_of(DependencyMode)
    with pytest.raises(TypeError, match="no sort"):
        sort_of(dict[str, int])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: NUMBERS.eq(A),
        lambda: A & A,
        lambda: t.member(NUMBERS, NUMBERS),
        lambda: t.at(NUMBERS, A),
        lambda: t.if_(A.eq(B), A, NUMBERS),
        lambda: t.The(A).sort,
        lambda: transition(
            run_inputs.StartRun, {RunPhase.PENDING}, updates={"failure_count": NUMBERS}, state=FlowRunState
        ),
    ],
)
def test_terms_of_another_sort_are_refused(wrong):
    with pytest.raises(TypeError, match="is wanted"):
        wrong()


def is_greatest(item):
    outer = item
    return t.for_all(NUMBERS, lambda item: item <= outer)


def test_an_inner_variable_does_not_hide_an_outer_one():
    term = t.exists(NUMBERS, is_greatest)
    assert {term.var.name, term.condition.var.name} == {"item", "item2"}
    assert evaluate(term, (NUMBERS, (1, 3, 2)))
    assert not evaluate(t.for_all(NUMBERS, is_greatest), (NUMBERS, (1, 3, 2)))


@pytest.mark.parametrize(("a", "b"), list(itertools.product((0, 1, 5, 2**32 - 1), repeat=2)))
def test_numbers_saturate(a, b):
    assert evaluate(A + B, (A, a), (B, b)) == min(a + b, 2**32 - 1)
    assert evaluate(A - B, (A, a), (B, b)) == max(a - b, 0)
    assert evaluate(A < B, (A, a), (B, b)) == (a < b)
    assert evaluate(A <= B, (A, a), (B, b)) == (a <= b)
    assert evaluate(A >= B, (A, a), (B, b)) == (a >= b)


@given(st.lists(st.integers(0, 4)))
def test_sequences_sets_and_sums(items):
    held = tuple(items)

    def get(term):
        return evaluate(term, (NUMBERS, held))

    assert get(t.filtered(NUMBERS, lambda item: item < 2)) == tuple(item for item in items if item < 2)
    assert get(t.count(NUMBERS, lambda item: item.eq(1))) == items.count(1)
    assert get(t.Elements(NUMBERS)) == frozenset(items)
    assert get(t.Increasing(NUMBERS)) == (items == sorted(set(items)))
    assert get(t.append(NUMBERS, 7)) == (*items, 7)
    assert get(t.is_empty(NUMBERS)) == (not items)
    if items:
        assert get(t.append(t.Tail(NUMBERS), t.Head(NUMBERS))) == (*items[1:], items[0])


@st.composite
def graphs(draw):
    """A frame state of a few nodes, circular dependencies and unknown nodes included."""
    nodes = [f"n{place}" for place in range(draw(st.integers(1, 6)))]
    some = st.lists(st.sampled_from([*nodes, "ghost"]), max_size=3).map(tuple)
    return FlowFrameState(
        ordered_nodes=tuple(draw(st.permutations(nodes))),
        node_dependencies=FrozenMap({node: draw(some) for node in nodes}),
        node_dependency_modes=FrozenMap({node: draw(st.sampled_from(DependencyMode)) for node in nodes}),
        node_status=FrozenMap({node: draw(st.sampled_from(NodeStatus)) for node in nodes}),
    )


FIELDS = t.fields_of("s", FlowFrameState)
SETTLED = t.fixpoint(
    FIELDS.node_status,
    FIELDS.ordered_nodes,
    lambda now, key: is_open(now, key) & is_blocked(FIELDS, now, key),
    NodeStatus.SKIPPED,
)


@given(graphs())
def test_the_fixpoint_does_not_depend_on_the_order(state):
    """Rounds that look at all keys at once, as a solver unrolls them, come to the same end."""
    condition = function_of((STATE, SETTLED.map_var, SETTLED.key_var), SETTLED.condition)
    now = state.node_status
    for _ in state.ordered_nodes:
        now = FrozenMap(
            {key: NodeStatus.SKIPPED if condition(state, now, key) else held for key, held in now.items()}
        )
    assert evaluate(SETTLED, (STATE, state)) == now


@given(graphs())
def test_maps_that_a_term_makes_count_as_checked(state):
    made = evaluate(t.map_to(FIELDS.ordered_nodes, FIELDS.node_status, lambda _: NodeStatus.READY), (STATE, state))
    assert FlowFrameState(node_status=made).node_status is made
    assert list(made) == sorted(state.ordered_nodes)
