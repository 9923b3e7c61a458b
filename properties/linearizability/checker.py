"""The checker: is there a sequential order of a history's calls that respects real time and explains every answer?

    verdict = check(history, CasRegister())
    verdict.answer, verdict.decided_by, verdict.first_failure

A history is linearizable iff the calls of each object are (Herlihy and Wing, 1990), so objects are decided one by
one, each by the first algorithm that fits: `chain`, `graph` and `blocks` are polynomial, `search` is for the rest.
A witness is replayed by a program of its own (`verify`) before it is believed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability import blocks, chain, graph, search, verify
from mobstore.properties.linearizability.chain import Refuted
from mobstore.properties.linearizability.history import NEVER, History, Outcome
from mobstore.properties.linearizability.models import Facts, Model
from mobstore.properties.linearizability.verdict import (
    Answer,
    Limit,
    LimitReached,
    ObjectVerdict,
    Proof,
    Verdict,
    Watch,
)

Algorithm: TypeAlias = Callable[[Facts, Sequence[int], Sequence[int], Watch], Sequence[int] | None]
"""Returns a witness in positions, raises `Refuted`, or returns None for calls that are not of its class."""


def _decide_chain(facts: Facts, inv: Sequence[int], res: Sequence[int], watch: Watch) -> Sequence[int] | None:
    for cell in chain.chain_cells(facts):
        order = chain.find_order(facts, cell)
        if order is not None:
            found = chain.decide(facts, order, inv, res, watch)
            if found is not None:
                return found
    return None


ALGORITHMS: Final[tuple[tuple[str, Algorithm], ...]] = (
    ("chain", _decide_chain),
    ("graph", graph.decide),
    ("blocks", blocks.decide),
)
"""The polynomial algorithms by name, in the order in which they are tried."""

_LOOK_EVERY: Final = 4096
_SHRINKING: Final = 2.0
"""Seconds for removing observers from the proof of a search."""


class CheckerDefect(AssertionError):
    """The second program does not accept what the checker found."""


class _Decided(Exception):
    """An algorithm found that the calls are not linearizable."""

    def __init__(self, proof: Proof) -> None:
        super().__init__(proof.message)
        self.proof = proof


def check(history: History, model: Model, limit: Limit | None = None) -> Verdict:
    """Decide whether a history is linearizable.

    Args:
        history: the calls; arguments, answers and keys are immutable and hashable.
        model: what they mean.
        limit: of time and memory; reaching it makes the verdict unknown.
    """
    watch = Watch(limit or Limit())
    parts = model.parts(history) if len(history) else {None: ()}
    return Verdict(tuple(_ObjectCheck(history, model, key, rows, watch).verdict() for key, rows in parts.items()))


def relevant_rows(history: History, model: Model, rows: Sequence[int]) -> Sequence[int]:
    """Return the rows without calls that did not happen and without observers that were not answered."""
    outcome, known = history.outcome, Outcome.OK
    others = [row for row in rows if outcome[row] is not known]
    drop = {
        row for row in others if outcome[row] is Outcome.FAIL or model.reads(history.f[row], history.value[row])
    }
    return array("q", (row for row in rows if row not in drop)) if drop else rows


class ModelJudge:
    """Judges by the model what an order of changes allows.

    Args:
        model: what the calls mean.
        history: has them.
        rows: of the object.
        state: before the first of them.
    """

    def __init__(self, model: Model, history: History, rows: Sequence[int], state: Any) -> None:
        self._model, self._history, self._rows, self._state = model, history, rows, state

    def states(self, order: Sequence[int]) -> Sequence[Any] | int:
        """Return the states around changes in their order, or the place in it of one that is answered otherwise."""
        history, states = self._history, [self._state]
        for place, pos in enumerate(order):
            row = self._rows[pos]
            after, answer = self._model.step(states[-1], history.f[row], history.value[row])
            known = history.outcome[row] is Outcome.OK
            if known and not self._model.agrees(answer, history.answer[row]):
                return place
            states.append(after)
        return states

    def allows(self, state: Any, pos: int) -> bool:
        """Whether a call may be answered so in a state."""
        history, row = self._history, self._rows[pos]
        answer = self._model.step(state, history.f[row], history.value[row])[1]
        return self._model.agrees(answer, history.answer[row])


class _ObjectCheck:
    """Decides one object."""

    def __init__(self, history: History, model: Model, key: Hashable, rows: Sequence[int], watch: Watch) -> None:
        self._history, self._model, self._key, self._watch = history, model, key, watch
        self._rows = relevant_rows(history, model, rows)
        self._calls = len(rows)
        self._decided_by = "sequential"

    def verdict(self) -> ObjectVerdict:
        """Return the verdict; every witness has been replayed."""
        try:
            witness = self._decide()
        except _Decided as decided:
            return self._made(Answer.NOT_LINEARIZABLE, proof=decided.proof)
        except LimitReached as reached:
            return self._made(Answer.UNKNOWN, bound=reached.bound)
        return self._made(Answer.LINEARIZABLE, witness=witness)

    def _made(self, answer: Answer, **found: Any) -> ObjectVerdict:
        return ObjectVerdict(self._key, answer, self._decided_by, self._calls, **found)

    def _decide(self) -> Sequence[int]:
        prefix, state = self._sequential_prefix()
        rest = self._rows[prefix:] if prefix else self._rows
        if not len(rest):
            return self._rows
        before = self._rows[:prefix]
        for witness in self._attempts(rest, state):
            whole = _joined(before, witness) if prefix else witness
            wrong = self._wrong(whole)
            if wrong is None:
                return whole
            if self._model.exact:
                raise CheckerDefect(wrong)
            # The model sees more in the answers than its cells say: the search decides by the model alone.
        self._decided_by = "search"
        whole = _joined(before, self._search(rest, state))
        wrong = self._wrong(whole)
        if wrong is not None:
            raise CheckerDefect(wrong)
        return whole

    def _wrong(self, witness: Sequence[int]) -> str | None:
        told = "calls of a witness are replayed"
        return verify.replay(
            self._model, self._history, self._rows, self._watched(witness, told), self._model.initial()
        )

    def _watched(self, rows: Iterable[int], told: str) -> Iterator[int]:
        """Yield the rows, and look at the limit now and then."""
        for number, row in enumerate(rows):
            if not number % _LOOK_EVERY:
                self._watch.look(f"{number:,} {told}")
            yield row

    def _sequential_prefix(self) -> tuple[int, Any]:
        """Step through the calls that nothing overlaps; return how many they are, and the state behind them."""
        history, rows, state = self._history, self._rows, self._model.initial()
        for place, row in enumerate(self._watched(rows, "calls one after the other are decided")):
            if history.res[row] == NEVER or (
                place + 1 < len(rows) and history.inv[rows[place + 1]] < history.res[row]
            ):
                return place, state
            after, answer = self._model.step(state, history.f[row], history.value[row])
            if not self._model.agrees(answer, history.answer[row]):
                message = f"nothing overlaps this call, and it must be answered {self._model.plain(answer)!r}"
                raise _Decided(Proof("answer", message, (row,), (state,)))
            state = after
        return len(rows), state

    def _attempts(self, rows: Sequence[int], state: Any) -> Iterator[Sequence[int]]:
        """Yield the witness of each polynomial algorithm whose class the calls are of."""
        history = self._history
        facts = self._model.facts(history, rows, state)
        if facts is None:
            return
        if not self._model.exact:
            facts = attrs.evolve(facts, judge=ModelJudge(self._model, history, rows, state))
        whole = len(rows) == len(history)
        inv = history.inv if whole else [history.inv[row] for row in rows]
        res = history.res if whole else [history.res[row] for row in rows]
        for self._decided_by, algorithm in ALGORITHMS:
            self._watch.look(f"{len(self._rows):,} calls are read, their order is not found")
            try:
                found = algorithm(facts, inv, res, self._watch)
            except Refuted as refuted:
                raise _Decided(_in_rows(refuted.proof, rows)) from None
            if found is not None:
                yield found if whole else array("q", map(rows.__getitem__, found))

    def _search(self, rows: Sequence[int], state: Any) -> list[int]:
        try:
            found = search.decide(self._model, self._history, rows, state, self._watch)
        except Refuted as refuted:
            raise _Decided(self._shrunk(_in_rows(refuted.proof, rows))) from None
        return [rows[pos] for pos in found]

    def _shrunk(self, proof: Proof) -> Proof:
        """Remove observers, many at once and then fewer, while every order of what is left fails."""
        kept, watch = list(proof.rows), Watch(attrs.evolve(self._watch.limit, seconds=_SHRINKING))
        observers = [row for row in proof.rows if self._is_observer(row)]
        size = len(observers)
        try:
            while size:
                for start in range(0, len(observers), size):
                    chunk = frozenset(observers[start : start + size])
                    fewer = [row for row in kept if row not in chunk]
                    if len(fewer) < len(kept) and all(self._fails(fewer, state, watch) for state in proof.before):
                        kept = fewer
                size //= 2
        except LimitReached:
            pass
        return attrs.evolve(proof, rows=tuple(kept))

    def _is_observer(self, row: int) -> bool:
        history = self._history
        known = history.outcome[row] is Outcome.OK
        return known and self._model.observes(history.f[row], history.value[row], history.answer[row])

    def _fails(self, rows: Sequence[int], state: Any, watch: Watch) -> bool:
        watch.look("shrinking")
        try:
            search.decide(self._model, self._history, rows, state, watch)
        except Refuted:
            return True
        return False


def _joined(before: Sequence[int], witness: Sequence[int]) -> Sequence[int]:
    whole = array("q", before)
    whole.extend(witness)
    return whole


def _in_rows(proof: Proof, rows: Sequence[int]) -> Proof:
    """Return a proof about positions as one about rows of the history."""
    edges = tuple(
        attrs.evolve(
            edge,
            earlier=rows[edge.earlier],
            later=rows[edge.later],
            until=None if edge.until is None else rows[edge.until],
        )
        for edge in proof.edges
    )
    return attrs.evolve(proof, rows=tuple(rows[pos] for pos in proof.rows), edges=edges)
