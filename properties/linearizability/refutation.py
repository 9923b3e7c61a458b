"""The steps of a refutation, checked one by one: the part of the second program that is about values and time.

`Values` says what the calls expect of one cell and write into it, and checks proofs about values alone.  `Edges`
checks proofs that say of calls that one comes before the other, until they close a cycle.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from mobstore.properties.linearizability.history import History, Outcome
from mobstore.properties.linearizability.models import BLIND, Facts, Kind, Model
from mobstore.properties.linearizability.verdict import Edge, Proof, Relation


class Unsure(Exception):
    """The steps alone do not tell: every order must be tried."""


class Contradiction(Exception):
    """The calls that certainly happened have no order: one of them did not find what it expects."""


def outcome_differs(model: Model, history: History, row: int, state: Any) -> bool:
    """Whether the model answers the call in this state otherwise than the history says."""
    return not model.agrees(model.step(state, history.f[row], history.value[row])[1], history.answer[row])


def certain_rows(facts: Facts, rows: Sequence[int], *, exact: bool) -> set[int]:
    """Return the calls that certainly happened.

    They are those of known outcome, and those that alone can have written what one of them saw.  Of several that
    expect and write the same, the one that was invoked first stands for whichever it was: with ``exact``, where the
    cells are all that there is of a state, or nothing else is asked.
    """
    place = {row: number for number, row in enumerate(rows)}
    writers: dict[tuple[Hashable, Any], list[int]] = {}
    for row, kind in zip(rows, facts.kinds, strict=True):
        if kind >= Kind.CHANGE:
            for version in _versions(facts, facts.writes[place[row]]) - _versions(facts, facts.expects[place[row]]):
                writers.setdefault(version, []).append(row)
    certain = {row for row, kind in zip(rows, facts.kinds, strict=True) if kind is not Kind.MAYBE}
    pending = [row for row in certain if facts.kinds[place[row]] is not Kind.FAILED]
    while pending:
        for version in _versions(facts, facts.expects[place[pending.pop()]]):
            found = writers.get(version, [])
            twins = {repr((facts.expects[place[row]], facts.writes[place[row]])) for row in found}
            is_initial = version[1] == (facts.initial if facts.cells is None else facts.initial[version[0]])
            alone = len(twins) == 1 if exact else len(found) == 1
            if alone and not is_initial and certain.isdisjoint(found):
                certain.add(found[0])
                pending.append(found[0])
    return certain


def _versions(facts: Facts, held: Any) -> set[tuple[Hashable, Any]]:
    return {(None, held)} if facts.cells is None else set(held.items())


class Values:
    """What the calls expect of one cell and write into it."""

    def __init__(self, facts: Facts, rows: Sequence[int], cell: Hashable, *, exact: bool) -> None:
        self.certain = certain_rows(facts, rows, exact=exact)
        self._told = certain_rows(facts, rows, exact=True)
        several = facts.cells is not None
        self.kind = dict(zip(rows, facts.kinds, strict=True))
        self.expects: dict[int, Any] = {}
        self.writes: dict[int, Any] = {}
        for row, kind, expected, written in zip(rows, facts.kinds, facts.expects, facts.writes, strict=True):
            if not several or cell in expected:
                self.expects[row] = expected[cell] if several else expected
            if kind >= Kind.CHANGE and (not several or cell in written):
                self.writes[row] = written[cell] if several else written
        self.initial = facts.initial[cell] if several else facts.initial

    def told(self, *rows: int) -> bool:
        """Whether calls certainly happened, as far as cells tell."""
        return self._told.issuperset(rows)

    def before(self) -> dict[Any, Any]:
        """The one value that each written value replaces (`BLIND`: any).

        Raises:
            LookupError: it is not certain, so that a value may stand twice.
        """
        before: dict[Any, Any] = {}
        writers: dict[Any, int] = {}
        for row, written in self.writes.items():
            expected = self.expects.get(row, BLIND)
            if expected == written:
                continue
            if before.setdefault(written, expected) != expected:
                msg = f"{written!r} is written over several values"
                raise LookupError(msg)
            if expected is BLIND and writers.setdefault(written, row) != row:
                msg = f"{written!r} is written blindly by several calls"
                raise LookupError(msg)
        if self.initial in before:
            msg = f"the initial value {self.initial!r} is written again"
            raise LookupError(msg)
        return before

    def check(self, proof: Proof) -> str | None:
        """Return what is wrong with a phantom, a double success or a cycle."""
        if proof.kind == "double success":
            self.before()
        wanted = [self.expects[row] for row in proof.rows]
        if not self.told(*proof.rows):
            return "a call of the proof may not have happened"
        if proof.kind == "phantom":
            written = any(new == wanted[0] != self.expects.get(row, BLIND) for row, new in self.writes.items())
            return "the value was written" if written or wanted[0] == self.initial else None
        if proof.kind == "double success":
            changes = all(row in self.writes and self.writes[row] != self.expects[row] for row in proof.rows)
            held = len(set(wanted)) == 1 and changes and len(proof.rows) == 2
            return None if held else "the calls do not replace one value"
        if proof.kind == "cycle":
            sources = [self.expects.get(row, BLIND) for row, written in self.writes.items() if written in wanted]
            closed = set(sources) <= set(wanted) and self.initial not in wanted
            return None if closed else "the calls hang on others"
        return f"no such proof: {proof.kind}"


def _number(at: Mapping[Any, tuple[Any, int]], value: Any, values: Values) -> int:
    """The number of a value in the first block; 0 for one that is not in it."""
    head, number = at.get(value, (values.initial, 0))
    return number if head == values.initial else 0


class Edges:
    """Checks the steps of a proof, one after the other, and that they close a cycle."""

    def __init__(self, facts: Facts, model: Model, history: History, rows: Sequence[int], state: Any) -> None:
        self._facts, self._history, self._rows = facts, history, rows
        self._model, self._state = model, state
        self._place = {row: place for place, row in enumerate(rows)}
        self._known: set[tuple[int, int]] = set()
        self._cells: dict[Hashable, tuple[Values, dict[Any, tuple[Any, int]]]] = {}

    def check(self, proof: Proof) -> str | None:
        """Return what is wrong, None when nothing is."""
        if proof.kind == "never legal":
            (row,) = proof.rows
            values, at = self._path(proof.cell)
            legal = any(self._legal_gaps(row, values, at))
            return "a state allows the answer" if legal or not self._at_the_end(row, values, at) else None
        if proof.kind == "expectation":
            return (
                None
                if any(self._unexpected(row, proof.cell) for row in proof.rows)
                else "each call found what stood there"
            )
        for edge in proof.edges:
            if not self._holds(edge):
                return f"{edge} does not hold"
            self._known.add((edge.earlier, edge.later))
        if any(self._precedes(edge.later, edge.earlier) for edge in proof.edges):
            return None
        mixed = proof.kind == "overlap" and self._mixed(proof.edges)
        return None if mixed else "the edges close no cycle"

    def _unexpected(self, row: int, cell: Hashable) -> bool:
        """Whether the state before a change of the chain has not all that it expects."""
        values, at = self._path(cell)
        found = at.get(values.writes[row])
        if found is None or row not in values.certain:
            return False
        if not self._model.exact:
            self._whole_states(values, at)
        if self._facts.cells is None:
            return False
        state, wanted = self._states(values, at)[found[1] - 1], self._facts.expects[self._place[row]]
        return any(state.get(each, self._facts.initial[each]) != value for each, value in wanted.items())

    def _precedes(self, earlier: int, later: int) -> bool:
        """Whether the edges so far say so (a call precedes itself)."""
        reached, pending = {earlier}, [earlier]
        while pending:
            here = pending.pop()
            for one, other in self._known:
                if one == here and other not in reached:
                    reached.add(other)
                    pending.append(other)
        return later in reached

    def _holds(self, edge: Edge) -> bool:
        if edge.relation is Relation.REAL_TIME:
            return self._history.res[edge.earlier] < self._history.inv[edge.later]
        found = self._path(edge.cell)
        if edge.relation is Relation.ORDER:
            return self._ordered(edge, *found)
        legal = self._legal_gaps(edge.later if edge.relation is Relation.FIRST else edge.earlier, *found)
        values, at = found
        if edge.relation is Relation.FIRST:
            gap = at[values.writes[edge.earlier]][1]
            return at[values.writes[edge.earlier]][0] == values.initial and not any(legal[:gap])
        gap = at[values.writes[edge.later]][1]
        if edge.relation is Relation.LAST:
            return not any(legal[gap:]) and self._at_the_end(edge.earlier, *found)
        assert edge.until is not None
        until = at[values.writes[edge.until]][1]
        return gap < until and not any(legal[gap:until]) and self._precedes(edge.earlier, edge.until)

    def _path(self, cell: Hashable) -> tuple[Values, dict[Any, tuple[Any, int]]]:
        """The values of a cell; each with the one that its block begins with, and its number in the block."""
        if cell not in self._cells:
            values = Values(self._facts, self._rows, cell, exact=self._model.exact)
            before = values.before()
            at: dict[Any, tuple[Any, int]] = {values.initial: (values.initial, 0)}
            for written in values.writes.values():
                trail: list[Any] = []
                value = written
                while value not in at and value in before and value not in trail:
                    if before[value] is BLIND:
                        at[value] = (value, 1)
                        break
                    trail.append(value)
                    value = before[value]
                if value in at:
                    head, number = at[value]
                    at.update({each: (head, number + place) for place, each in enumerate(reversed(trail), 1)})
            self._cells[cell] = (values, at)
        return self._cells[cell]

    def _ordered(self, edge: Edge, values: Values, at: dict[Any, tuple[Any, int]]) -> bool:
        """A writer comes before the readers and writers of later values, a reader before the writers."""
        if not values.told(edge.earlier, edge.later):
            return False
        changes = edge.later in values.writes and values.writes[edge.later] != values.expects.get(edge.later, BLIND)
        wrote = edge.earlier in values.writes and values.writes[edge.earlier] != values.expects.get(
            edge.earlier, BLIND
        )
        if Kind.FAILED in (values.kind[edge.earlier], values.kind[edge.later]):
            return False
        head, earlier = at[values.writes[edge.earlier] if wrote else values.expects[edge.earlier]]
        other, later = at[values.writes[edge.later] if changes else values.expects[edge.later]]
        return head == other and (earlier <= later if wrote and not changes else earlier < later)

    def _states(self, values: Values, at: dict[Any, tuple[Any, int]]) -> list[dict[Hashable, Any]]:
        """The cells that the calls of the first block wrote, gap by gap."""
        facts = self._facts
        writer: dict[Any, int] = {}
        for row in sorted(values.writes, key=lambda row: values.kind[row] is not Kind.MAYBE):  # the known ones win
            if row in values.certain:
                writer[values.writes[row]] = row
        states: list[dict[Hashable, Any]] = [{}]
        inside = sorted((number, row) for value, row in writer.items() if (number := _number(at, value, values)))
        for _, row in inside:
            if _number(at, values.writes[row], values) != len(states):
                raise Contradiction
            expected, written = facts.expects[self._place[row]], facts.writes[self._place[row]]
            if facts.cells is None:
                states.append({None: written})
                continue
            if any(states[-1].get(cell, facts.initial[cell]) != value for cell, value in expected.items()):
                raise Contradiction
            states.append({**states[-1], **written})
        return states

    def _legal_gaps(self, row: int, values: Values, at: dict[Any, tuple[Any, int]]) -> list[bool]:
        """In which gaps of the first block an observer is legal."""
        if not self._model.exact:
            return self._allowing_gaps(row, values, at)
        facts, place, states = self._facts, self._place[row], self._states(values, at)
        wanted, failed = facts.expects[place], facts.kinds[place] is Kind.FAILED
        if facts.cells is None:
            return [(state.get(None, facts.initial) == wanted) != failed for state in states]
        return [
            all(state.get(cell, facts.initial[cell]) == value for cell, value in wanted.items()) != failed
            for state in states
        ]

    def _inside(self, values: Values, at: dict[Any, tuple[Any, int]]) -> list[int]:
        """The changes of the first block in their order."""
        self._states(values, at)
        writer = {values.writes[row]: row for row in values.writes if values.kind[row] is Kind.MAYBE}
        writer.update({values.writes[row]: row for row in values.writes if values.kind[row] is Kind.CHANGE})
        numbers = ((_number(at, value, values), row) for value, row in writer.items() if row in values.certain)
        return [row for number, row in sorted(numbers) if number]

    def _whole_states(self, values: Values, at: dict[Any, tuple[Any, int]]) -> list[Any]:
        """The states of the model, gap by gap."""
        history, states = self._history, [self._state]
        for row in self._inside(values, at):
            after, answer = self._model.step(states[-1], history.f[row], history.value[row])
            if history.outcome[row] is Outcome.OK and not self._model.agrees(answer, history.answer[row]):
                raise Contradiction
            states.append(after)
        return states

    def _allowing_gaps(self, row: int, values: Values, at: dict[Any, tuple[Any, int]]) -> list[bool]:
        """In which gaps a call can stand by its span, and is answered so by the model."""
        inv, res, inside = self._history.inv, self._history.res, self._inside(values, at)
        allowed = []
        for gap, state in enumerate(self._whole_states(values, at)):
            began = all(inv[each] < res[row] for each in inside[:gap])
            ended = all(res[each] > inv[row] for each in inside[gap:])
            allowed.append(began and ended and not outcome_differs(self._model, self._history, row, state))
        return allowed

    def _at_the_end(self, row: int, values: Values, at: dict[Any, tuple[Any, int]]) -> bool:
        """Return True: what is illegal in the last gap stays so.

        Raises:
            Unsure: the call is a failed comparison, and a change of unknown outcome, which began before it ended,
                might follow the last value.
        """
        if values.kind[row] is Kind.FAILED or not self._model.exact:
            ends = self._history.res[row]
            happened = (written for each, written in values.writes.items() if each in values.certain)
            last = max((_number(at, written, values) for written in happened), default=0)
            for each, written in values.writes.items():
                expected = values.expects.get(each, BLIND)
                unseen = values.kind[each] is Kind.MAYBE and each not in values.certain and written in at
                if unseen and expected in at and at[expected][1] >= last and self._history.inv[each] < ends:
                    raise Unsure
        return True

    def _mixed(self, edges: Sequence[Edge]) -> bool:
        """Whether two blocks would each have to come before the other, or one before the first block."""
        values, at = self._path(None)
        head = {}
        for edge in edges:
            for row in (edge.earlier, edge.later):
                if row not in values.certain or values.kind[row] is Kind.FAILED:
                    return False
                value = values.writes.get(row, values.expects.get(row))
                value = values.expects[row] if values.kind[row] is Kind.READ else value
                head[row] = at[value][0]
        pairs = {(head[edge.earlier], head[edge.later]) for edge in edges}
        return any(left != right and ((right, left) in pairs or right == values.initial) for left, right in pairs)
