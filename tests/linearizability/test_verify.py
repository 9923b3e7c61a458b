"""The second program rejects what is wrong with a witness or a proof."""

import attrs
import pytest

from mobstore.properties.linearizability import Answer, CasRegister, ObjectVerdict, check, recheck, verify
from mobstore.properties.linearizability.verdict import Edge, Proof, Relation

CALLS = [
    (0, "cas", (None, 1), True, 0, 3),
    (1, "read", None, 1, 1, 4),
    (0, "cas", (1, 2), True, 5, 8),
    (1, "cas", (1, 3), False, 6, 9),
    (2, "write", 5, None, 7),
]


def on(drawn, witness):
    verdict = ObjectVerdict(None, Answer.LINEARIZABLE, "chain", 5, witness)
    history = drawn(*CALLS)
    return recheck(history, CasRegister(), verdict, range(len(history)))


def test_a_right_witness_is_accepted(drawn):
    assert on(drawn, [0, 1, 2, 3]) is None
    assert on(drawn, [0, 1, 2, 3, 4]) is None, "a call of unknown outcome may stand anywhere"


@pytest.mark.parametrize(
    ("witness", "wrong"),
    [
        ([0, 1, 2], "call 3 was answered and is missing"),
        ([0, 1, 2, 3, 3], "call 3 stands twice"),
        ([1, 0, 2, 3], "call 1 is answered None there"),
        ([0, 1, 3, 2], "call 3 is answered True there"),
        ([0, 2, 1, 3], "call 1 ended before one began"),
    ],
)
def test_a_wrong_witness_is_rejected(drawn, witness, wrong):
    assert on(drawn, witness).startswith(wrong)


BAD = [
    (0, "cas", (None, 1), True, 0, 7),
    (1, "cas", (1, 2), True, 1, 8),
    (2, "read", None, 2, 2, 3),
    (2, "read", None, 1, 4, 5),
]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "phantom", "rows": (2,)},
        {"kind": "double success", "rows": (0, 1)},
        {"kind": "cycle", "rows": (0, 1)},
        {"kind": "never legal", "rows": (3,)},
        {"kind": "expectation", "rows": (0, 1)},
        {"kind": "answer", "rows": (0,)},
        {"kind": "search", "rows": (0, 1, 2), "before": (None,)},
        {"edges": ()},
        {"edges": (Edge(3, 2, Relation.REAL_TIME),)},
        {"edges": (Edge(1, 0, Relation.ORDER), Edge(0, 1, Relation.ORDER))},
        {"rows": (0, 99)},
    ],
)
def test_a_wrong_proof_is_rejected(drawn, change):
    history = drawn(*BAD)
    verdict = check(history, CasRegister()).objects[0]
    assert recheck(history, CasRegister(), verdict, range(4)) is None
    proof = attrs.evolve(verdict.proof, **change)
    assert recheck(history, CasRegister(), attrs.evolve(verdict, proof=proof), range(4)) is not None


def test_no_edge_of_a_proof_is_superfluous(drawn):
    history = drawn(*BAD)
    verdict = check(history, CasRegister()).objects[0]
    edges = verdict.proof.edges
    assert len(edges) >= 2
    for place in range(len(edges)):
        proof = attrs.evolve(verdict.proof, edges=edges[:place] + edges[place + 1 :])
        assert recheck(history, CasRegister(), attrs.evolve(verdict, proof=proof), range(4)) is not None


def test_a_verdict_must_carry_something(drawn):
    empty = ObjectVerdict(None, Answer.NOT_LINEARIZABLE, "chain", 4)
    assert recheck(drawn(*BAD), CasRegister(), empty, range(4)) == "neither witness nor proof nor bound"


def test_a_proof_that_is_too_large_to_try_is_not_called_checked(drawn):
    calls = drawn(*((number, "write", number, None, number, 100 + number) for number in range(20)))
    proof = Proof("search", "", tuple(range(20)), (None,))
    verdict = ObjectVerdict(None, Answer.NOT_LINEARIZABLE, "search", 20, proof=proof)
    found = recheck(calls, CasRegister(), verdict, range(20))
    assert found == "an order explains the calls" or found.startswith(verify.NOT_CHECKED)
