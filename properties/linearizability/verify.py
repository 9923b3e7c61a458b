"""A second, tiny program that believes nothing the checker says; it shares no code with it.

`replay` walks a witness: every answer must be what the model answers, and real time must be respected.  `recheck`
re-decides a proof: few calls by trying every order, a proof by edges step by step (`refutation`).  `brute_force`
decides a small history by trying every order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from mobstore.properties.linearizability.history import History, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.refutation import (
    Contradiction,
    Edges,
    Unsure,
    Values,
    outcome_differs,
)
from mobstore.properties.linearizability.verdict import ObjectVerdict, Proof

NOT_CHECKED: Final = "not checked again"
"""How a reason begins that says that a proof is too large for this program, not that it is wrong."""


def replay(model: Model, history: History, rows: Iterable[int], witness: Iterable[int], state: Any) -> str | None:
    """Return what is wrong with a witness of the calls in ``rows``, None when nothing is."""
    f, value, answer, outcome = history.f, history.value, history.answer, history.outcome
    inv, res, step, agrees = history.inv, history.res, model.step, model.agrees
    known, latest, done = Outcome.OK, -1, bytearray(len(history))
    for row in witness:
        if done[row]:
            return f"call {row} stands twice"
        done[row] = 1
        if inv[row] > latest:
            latest = inv[row]
        if res[row] < latest:
            return f"call {row} ended before one began that stands before it"
        state, answered = step(state, f[row], value[row])
        if outcome[row] is known:
            if not agrees(answered, answer[row]):
                return f"call {row} is answered {answered!r} there, the history says {answer[row]!r}"
        elif outcome[row] is Outcome.FAIL:
            return f"call {row} did not happen"
    for row in rows:
        if not done[row] and outcome[row] is known:
            return f"call {row} was answered and is missing"
    return None


_MOST_CELLS: Final = 10_000_000


class TooMany(Exception):
    """Too many orders to try them all."""


def brute_force(
    model: Model, history: History, rows: Sequence[int], states: Iterable[Any], limit: int = 200_000
) -> bool:
    """Whether some order explains the calls from one of the states: every order is tried.

    Raises:
        TooMany: there are more than ``limit`` pairs of a set of calls and a state.
    """
    rows = [row for row in rows if history.outcome[row] is not Outcome.FAIL]
    seen: set[tuple[int, Any]] = set()
    if len(rows) > 10 * limit:
        msg = f"{len(rows):,} calls"
        raise TooMany(msg)
    known = sum(1 << place for place, row in enumerate(rows) if history.outcome[row] is Outcome.OK)
    stack = [(0, state) for state in states]
    while stack:
        done, state = stack.pop()
        if not known & ~done:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        if len(seen) > limit:
            msg = f"more than {limit:,} ways to order {len(rows):,} calls"
            raise TooMany(msg)
        left = [place for place in range(len(rows)) if not done >> place & 1]
        first = min(history.res[rows[place]] for place in left)
        for place in left:
            row = rows[place]
            if history.inv[row] < first:
                after, answer = model.step(state, history.f[row], history.value[row])
                if history.outcome[row] is not Outcome.OK or model.agrees(answer, history.answer[row]):
                    stack.append((done | 1 << place, after))
    return False


def recheck(history: History, model: Model, verdict: ObjectVerdict, rows: Iterable[int]) -> str | None:
    """Return what is wrong with a witness or a proof about one object, None when nothing is.

    Args:
        rows: the calls of the object.
    """
    outcome = history.outcome
    left = [
        row
        for row in rows
        if outcome[row] is Outcome.OK
        or (outcome[row] is not Outcome.FAIL and not model.reads(history.f[row], history.value[row]))
    ]
    if verdict.witness is not None:
        return replay(model, history, left, verdict.witness, model.initial())
    if verdict.proof is None:
        return None if verdict.bound is not None else "neither witness nor proof nor bound"
    if not set(verdict.proof.rows) <= set(left):
        return "the proof names calls that are not of this object, or that count for nothing"
    return _refutes(history, model, left, verdict.proof)


def _refutes(history: History, model: Model, rows: list[int], proof: Proof) -> str | None:
    state, place = model.initial(), 0
    for place, row in enumerate(rows):  # calls that nothing overlaps
        if history.res[row] > min(
            [history.inv[after] for after in rows[place + 1 : place + 2]], default=history.res[row]
        ):
            break
        if outcome_differs(model, history, row, state):
            return None if proof.kind == "answer" and proof.rows == (row,) else "another call fails before"
        state = model.step(state, history.f[row], history.value[row])[0]
    if proof.kind == "answer":
        return "the call is answered as it must be"
    if proof.kind == "search":
        return _tried(model, history, proof.rows, proof.before)
    rows = rows[place:]
    facts = model.facts(history, rows, state)
    if facts is None:
        return "the proof is about cells, and the model has none"
    if facts.cells is not None and len(rows) * len(facts.cells) > _MOST_CELLS:
        return f"{NOT_CHECKED}: {len(rows):,} calls of {len(facts.cells):,} cells"
    try:
        if proof.kind in ("phantom", "double success", "cycle"):
            return Values(facts, rows, proof.cell, exact=model.exact).check(proof)
        return Edges(facts, model, history, rows, state).check(proof)
    except Contradiction:
        return None
    except Unsure:
        return _tried(model, history, rows, (state,))
    except LookupError as error:
        return f"a step names what is not there, or is not certain: {error}"


def _tried(model: Model, history: History, rows: Sequence[int], states: Sequence[Any]) -> str | None:
    try:
        return "an order explains the calls" if brute_force(model, history, rows, states) else None
    except TooMany as many:
        return f"{NOT_CHECKED}: {many}"
