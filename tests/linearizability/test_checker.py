"""The checker: verdicts on histories drawn by hand, agreement with brute force, and limits that bind."""

import pytest

from mobstore.properties.linearizability import (
    Answer,
    CasRegister,
    CellStore,
    History,
    KeyValue,
    Limit,
    Model,
    check,
    recheck,
)
from mobstore.properties.linearizability.checker import CheckerDefect

LINEARIZABLE, NOT_LINEARIZABLE, UNKNOWN = Answer.LINEARIZABLE, Answer.NOT_LINEARIZABLE, Answer.UNKNOWN


def verdict_on(history, model=None, **limit):
    model = CasRegister() if model is None else model
    found = check(history, model, Limit(**limit))
    parts = model.parts(history)
    for each in found.objects:
        assert recheck(history, model, each, parts.get(each.key, ())) is None
    return found


def test_nothing_is_linearizable():
    assert verdict_on(History()).answer is LINEARIZABLE


def test_calls_that_overlap_have_any_order_and_others_have_theirs(drawn):
    overlapping = drawn((0, "write", 1, None, 0, 3), (1, "read", None, None, 1, 2))
    apart = drawn((0, "write", 1, None, 0, 1), (1, "read", None, None, 2, 3))
    assert verdict_on(overlapping).answer is LINEARIZABLE
    found = verdict_on(apart)
    assert found.answer is NOT_LINEARIZABLE
    assert found.first_failure.proof.kind == "answer"
    assert found.first_failure.proof.before == (1,)


@pytest.mark.parametrize(
    ("kind", "decided_by", "calls"),
    [
        ("phantom", "chain", [(0, "read", None, 7, 0, 3), (1, "cas", (None, 1), True, 1, 2)]),
        ("double success", "chain", [(0, "cas", (None, 1), True, 0, 3), (1, "cas", (None, 2), True, 1, 2)]),
        ("cycle", "chain", [(0, "cas", (1, 2), True, 0, 3), (1, "cas", (2, 1), True, 1, 2)]),
        ("never legal", "chain", [(0, "cas", (None, 1), False, 0, 3), (1, "read", None, None, 1, 2)]),
        (
            "window",
            "chain",
            [
                (0, "cas", (None, 1), True, 0, 7),
                (1, "cas", (1, 2), True, 1, 8),
                (2, "read", None, 2, 2, 3),
                (2, "read", None, 1, 4, 5),
            ],
        ),
        (
            "overlap",
            "blocks",
            [
                (0, "write", 1, None, 0, 9),
                (1, "write", 2, None, 1, 10),
                (2, "read", None, 1, 2, 3),
                (2, "read", None, 2, 4, 5),
                (2, "read", None, 1, 6, 7),
            ],
        ),
        (
            "search",
            "search",
            [(0, "write", 1, None, 0, 5), (1, "write", 1, None, 1, 6), (2, "read", None, 2, 2, 3)],
        ),
    ],
)
def test_a_proof_says_what_is_wrong_with_which_calls(drawn, kind, decided_by, calls):
    found = verdict_on(drawn(*calls)).first_failure
    assert (found.proof.kind, found.decided_by) == (kind, decided_by)


def test_changes_without_a_common_cell_are_sorted_by_their_edges(drawn):
    """Two compare-and-sets swap two cells, and two readers see them in opposite orders."""
    swap_a, swap_b = ((("a", 0),), (("a", 1),)), ((("b", 0),), (("b", 1),))
    calls = [
        (0, "cas", swap_a, True, 0, 8),
        (1, "cas", swap_b, True, 1, 9),
        (2, "read", ("a", "b"), (1, 0), 2, 4),
        (3, "read", ("a", "b"), (0, 1), 3, 5),
    ]
    model = CellStore({"a": 0, "b": 0})
    found = verdict_on(drawn(*calls), model).first_failure
    assert (found.proof.kind, found.decided_by) == ("order", "graph")
    assert len(found.proof.edges) == 4, "the shortest cycle goes through both readers"
    assert verdict_on(drawn(*calls[:3]), model).answer is LINEARIZABLE


def test_a_failed_cas_is_evidence(drawn):
    """The value that it expected stood all the time."""
    calls = [
        (0, "cas", (None, 1), True, 0, 1),
        (0, "cas", (1, 2), True, 2, 9),
        (1, "cas", (1, 3), False, 3, 4),
        (1, "read", None, 1, 5, 6),
    ]
    found = verdict_on(drawn(*calls)).first_failure
    assert set(found.proof.rows) >= {2, 3}
    assert verdict_on(drawn(*calls[:3])).answer is LINEARIZABLE


def test_an_unknown_change_happens_when_it_was_seen_and_only_then(drawn):
    pending = (0, "cas", (None, 1), None, 0)
    assert verdict_on(drawn(pending, (1, "read", None, 1, 1, 2))).answer is LINEARIZABLE
    assert verdict_on(drawn(pending, (1, "read", None, None, 1, 2))).answer is LINEARIZABLE
    went_back = drawn(pending, (1, "read", None, 1, 1, 2), (1, "read", None, None, 3, 4))
    assert verdict_on(went_back).answer is NOT_LINEARIZABLE


def test_an_unseen_change_may_explain_a_failed_cas_at_the_end(drawn):
    pending = (0, "cas", (None, 1), None, 0)
    assert verdict_on(drawn(pending, (1, "cas", (None, 2), False, 1, 2))).answer is LINEARIZABLE
    late = (1, "cas", (None, 2), False, 0, 2), (0, "cas", (None, 1), None, 3)
    assert verdict_on(drawn(*late)).answer is NOT_LINEARIZABLE


def test_each_object_is_decided_by_itself(drawn):
    history = drawn((0, "put", "x", None, 0, 1), (0, "get", None, "x", 2, 3), key="good")
    other = drawn((0, "put", "x", None, 4, 5), (0, "get", None, "", 6, 7), key="bad")
    found = verdict_on(History.of([*history, *other]), KeyValue())
    assert found.answer is NOT_LINEARIZABLE
    assert {each.key: each.answer for each in found.objects} == {"good": LINEARIZABLE, "bad": NOT_LINEARIZABLE}


class Opaque(Model):
    """Says nothing of cells and never comes back to a state: only the search is left, and it has much to do."""

    def initial(self):
        return ()

    def step(self, state, f, value):
        return (state, state) if f == "read" else ((*state, value), None)


def hopeless(drawn, clients):
    """Writes that all overlap, and an answer that nothing explains."""
    writes = [(number, "write", number, None, number, 200 + number) for number in range(clients)]
    return drawn(*writes, (clients, "read", None, "nothing", clients, clients + 1))


@pytest.mark.parametrize(
    ("limit", "name"),
    [
        ({"seconds": 0.05}, "time limit in seconds"),
        ({"configurations": 1000}, "limit of configurations"),
        ({"memory": 1 << 22}, "memory limit in bytes"),
    ],
)
def test_a_limit_that_is_reached_makes_the_verdict_unknown(drawn, limit, name):
    found = check(hopeless(drawn, 16), Opaque(), Limit(**limit))
    assert found.answer is UNKNOWN
    assert found.objects[0].bound.limit == name
    assert "events walked" in found.objects[0].bound.reached


def test_the_limit_of_time_binds_the_fast_algorithms_too(drawn):
    """Even where nothing overlaps."""
    apart = drawn(*((0, "write", place, None, 2 * place, 2 * place + 1) for place in range(9000)))
    overlapping = drawn(
        *((0, "cas", (place or None, place + 1), True, place, 9500 + place) for place in range(9000))
    )
    for history in (apart, overlapping):
        found = check(history, CasRegister(), Limit(seconds=1e-9))
        assert found.answer is UNKNOWN
        assert found.objects[0].bound.limit == "time limit in seconds"
        assert check(history, CasRegister()).answer is LINEARIZABLE


def test_what_the_limit_leaves_room_for_is_decided(drawn):
    assert check(hopeless(drawn, 4), Opaque(), Limit()).answer is NOT_LINEARIZABLE


def test_the_proof_of_a_search_is_without_observers_that_do_not_matter(drawn):
    useless = [(9, "read", None, None, 10 * place, 10 * place + 5) for place in range(1, 4)]
    writes = [(0, "write", 1, None, 0, 90), (1, "write", 1, None, 1, 91), (2, "read", None, 2, 92, 93)]
    found = verdict_on(drawn(*writes, *useless, (3, "read", None, 3, 60, 94))).first_failure
    assert found.decided_by == "search"
    assert len(found.proof.rows) == 3


def test_what_cells_do_not_say_is_judged_on_whole_states(drawn):
    """Unless the model says that cells say all: then a witness that is wrong is a defect."""

    class Superstitious(CasRegister):
        exact = False

        def agrees(self, answer, answered):
            return answered != 3 and super().agrees(answer, answered)

    class Lying(Superstitious):
        exact = True

    calls = drawn((0, "cas", (None, 3), True, 0, 3), (1, "read", None, 3, 1, 4))
    found = check(calls, Superstitious())
    assert (found.answer, found.decided_by) == (NOT_LINEARIZABLE, ("chain",))
    with pytest.raises(CheckerDefect):
        check(calls, Lying())
