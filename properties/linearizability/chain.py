"""Forced order and observers: the polynomial algorithm for compare-and-swaps.

When every change compares and writes one cell, and no value comes back, the changes stand in a forced order
w1 ... wn at points in time t1 <= ... <= tn.  Gap i lies between ti and t(i+1); t0 is before everything, t(n+1)
after.  A call that changes nothing, an *observer*, is legal exactly in a set of gaps.

1. An observer can be placed iff its span is not inside one maximal run p..q of gaps in which it is illegal:
   tp > inv or t(q+1) < res.
2. Read as "t(q+1) >= res implies tp > inv" these conditions have a least solution, and it decides.
3. Raising tp to just after inv leaves tk alone for k > q, because inv < res <= t(q+1): handled by decreasing q+1,
   one pass is enough.
4. With L the prefix maximum of lower bounds and U the suffix minimum of upper bounds, a run matters only if
   Lp < inv and U(q+1) >= res.

Times are places in the order of events; a point t means "just after event t", so it is after an invocation at
place a iff t >= a, and before a response at place b iff t < b.

A change of unknown outcome whose value was seen later is in the order, with no upper bound.  An unseen one can only
stand behind the last change, where it matters to failed comparisons alone; these tails are a forest, on which the
least feasible time is computed from the leaves.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability.history import NEVER
from mobstore.properties.linearizability.models import BLIND, Facts, Judge, Kind
from mobstore.properties.linearizability.verdict import Edge, Proof, Relation, Watch

_ABSENT: Final = object()
_LOOK_EVERY: Final = 1024

Gaps: TypeAlias = tuple[int, int]
"""First and last gap of some that stand together."""
Run: TypeAlias = tuple[int, int, int]
"""First and last gap of a maximal run in which an observer is illegal, and the observer."""


class Refuted(Exception):
    """The calls are not linearizable; carries the proof, whose rows are positions."""

    def __init__(self, proof: Proof) -> None:
        super().__init__(proof.message)
        self.proof = proof


@attrs.define
class Chain:
    """The changes in their forced order.

    Attributes:
        order: positions of the changes.
        at: the gap in which each value of the cell stands.
        tails: positions of unseen changes of unknown outcome, by the value that they expect.
        expects: what each call expects of the cell.
        writes: what each call writes into it.
        cell: the cell, None when there is one.
    """

    order: list[int]
    at: dict[Any, int]
    tails: dict[Any, list[int]]
    expects: Sequence[Any]
    writes: Sequence[Any]
    cell: Hashable

    @property
    def end(self) -> Any:
        """The value of the cell behind the last change."""
        return self.writes[self.order[-1]] if self.order else next(iter(self.at))


def chain_cells(facts: Facts) -> Iterator[Hashable]:
    """Yield the cells that every change compares and writes; None for objects of one cell."""
    changes = [pos for pos, kind in enumerate(facts.kinds) if kind >= Kind.CHANGE]
    if facts.cells is None:
        if all(facts.expects[pos] is not BLIND for pos in changes):
            yield None
        return
    common: set[Hashable] | None = None
    for pos in changes:
        both = facts.expects[pos].keys() & facts.writes[pos].keys()
        common = set(both) if common is None else common & both
        if not common:
            return
    yield from sorted(facts.cells if common is None else common, key=repr)


def column(facts: Facts, cell: Hashable) -> tuple[Sequence[Any], Sequence[Any], Any]:
    """Return what the calls expect of a cell and write into it, and what it holds at the beginning."""
    if facts.cells is None:
        return facts.expects, facts.writes, facts.initial
    expects = [expected.get(cell, _ABSENT) for expected in facts.expects]
    return expects, [written.get(cell, _ABSENT) for written in facts.writes], facts.initial[cell]


def find_order(facts: Facts, cell: Hashable) -> Chain | None:
    """Return the forced order that the values of a cell say, or None when they do not force one.

    They do when no call writes the initial value and all that write a value expect the same one: then no value
    stands twice.

    Raises:
        Refuted: a phantom, a double success or a cycle.
    """
    kinds = facts.kinds
    expects, writes, initial = column(facts, cell)
    change, maybe = Kind.CHANGE, Kind.MAYBE
    before: dict[Any, Any] = {}
    consumer: dict[Any, int] = {}
    maybes: list[int] = []
    double: tuple[int, int] | None = None
    for pos, (kind, expected, written) in enumerate(zip(kinds, expects, writes, strict=True)):
        if kind is change:
            if before.setdefault(written, expected) != expected or written == expected:
                return None
            if consumer.setdefault(expected, pos) != pos and double is None:
                double = (consumer[expected], pos)
        elif kind is maybe:
            if before.setdefault(written, expected) != expected:
                return None
            maybes.append(pos)
    if initial in before:
        return None
    if double is not None:
        raise Refuted(_double(double, expects, cell))
    tails: dict[Any, list[int]] = {}
    if maybes and not _place_unknown(facts, expects, writes, before, consumer, maybes, tails, cell):
        return None
    del before  # the largest part of a check's memory at its peak
    order: list[int] = []
    at = {initial: 0}
    value, get = initial, consumer.get
    while (found := get(value)) is not None:
        order.append(found)
        value = writes[found]
        at[value] = len(order)
    if len(order) != len(consumer):
        raise Refuted(_astray(set(consumer.values()) - set(order), expects, writes, cell))
    return Chain(order, at, tails, expects, writes, cell)


def _place_unknown(
    facts: Facts,
    expects: Sequence[Any],
    writes: Sequence[Any],
    before: Mapping[Any, Any],
    consumer: dict[Any, int],
    maybes: Sequence[int],
    tails: dict[Any, list[int]],
    cell: Hashable,
) -> bool:
    """Put the changes of unknown outcome that were seen into the order, the others into the tails.

    Returns:
        Whether it is certain who wrote what: of several calls that differ, none is.
    """
    known = {writes[pos] for pos in consumer.values()}
    first: dict[Any, int] = {}
    for pos in maybes:
        written = writes[pos]
        if written in known or written == expects[pos]:  # nobody else wrote what it leaves: it cannot happen
            continue
        twin = first.setdefault(written, pos)
        same = (facts.writes[twin], facts.expects[twin]) == (facts.writes[pos], facts.expects[pos])
        if twin != pos and (facts.judge is not None or not same):
            return False
    needed: set[int] = set()
    read, change = Kind.READ, Kind.CHANGE
    for kind, value in zip(facts.kinds, expects, strict=True):
        if value in first and (kind is read or kind is change):
            while (writer := first.get(value, -1)) >= 0 and writer not in needed:
                needed.add(writer)
                value = before[value]  # noqa: PLW2901 - walks to the writer that this one needs
    for pos in sorted(needed):
        if consumer.setdefault(expects[pos], pos) != pos:
            raise Refuted(_double((consumer[expects[pos]], pos), expects, cell))
    for pos in first.values():
        if pos not in needed:
            tails.setdefault(expects[pos], []).append(pos)
    return True


def _double(calls: tuple[int, int], expects: Sequence[Any], cell: Hashable) -> Proof:
    where = "" if cell is None else f" in {cell}"
    message = f"two calls replaced the value {expects[calls[0]]!r}{where}, which stood once"
    return Proof("double success", message, tuple(sorted(calls)), cell=cell)


def _astray(
    lost: set[int],
    expects: Sequence[Any],
    writes: Sequence[Any],
    cell: Hashable,
) -> Proof:
    """Say why changes do not hang on the path from the initial value."""
    writer = {writes[pos]: pos for pos in lost}
    pos = min(lost)
    path: list[int] = []
    while pos not in path:
        path.append(pos)
        value = expects[pos]
        if value not in writer:
            return _phantom(pos, value, cell)
        pos = writer[value]
    calls = tuple(sorted(path[path.index(pos) :]))
    return Proof("cycle", "each of these calls found what another of them wrote", calls, cell=cell)


def _phantom(pos: int, value: Any, cell: Hashable) -> Proof:
    where = "" if cell is None else f" in {cell}"
    return Proof(
        "phantom", f"the value {value!r}{where}, which no call can have written, was seen", (pos,), cell=cell
    )


@attrs.define
class Bounds:
    """Lower and upper bounds of the points in time, by index 0 ... n+1, and the runs that are left.

    Index 0 and n+1 stand for the ends of time; but while observers are placed, the lower bound n+1 is that of a
    change behind the last one.
    """

    lo: list[int]
    hi: list[int]
    runs: list[Run]

    @classmethod
    def of(cls, order: Sequence[int], inv: Sequence[int], res: Sequence[int]) -> Bounds:
        """Return the bounds that the spans of the changes give."""
        lo = [-1, *[inv[pos] for pos in order], -1]
        hi = [NEVER, *[res[pos] - 1 for pos in order], NEVER]
        return cls(lo, hi, [])


def decide(
    facts: Facts, chain: Chain, inv: Sequence[int], res: Sequence[int], watch: Watch
) -> Sequence[int] | None:
    """Return positions in an order that explains every answer; None when the tails are no forest to decide on.

    Raises:
        Refuted: there is none.
    """
    bounds = Bounds.of(chain.order, inv, res)
    illegal: dict[int, list[int]] = {}
    best: dict[int, int] = {}
    rescue = NEVER
    runs_of: dict[int, list[Gaps]] | None = None
    if facts.judge is not None and not chain.tails.get(chain.end):
        chain.tails = {}
        runs_of = _Judged(facts.judge, facts, chain, inv, res, bounds).observe(watch)
    elif facts.cells is None:
        illegal = _observe_one(facts, chain, inv, res, bounds)
        rescue = _rescue(chain, inv, res, illegal, best) if chain.tails else NEVER
    else:
        several = _Several(facts, chain, inv, res, bounds)
        if not several.observe():
            return None
        illegal, best, rescue, runs_of = several.last, several.best, several.rescue, several.runs_of
    final = illegal.get(len(chain.order), [])
    rescue = rescue if rescue == NEVER else max(rescue, bounds.lo[-1])
    bounds.lo[-1] = NEVER
    _bind_last(chain, inv, res, bounds, final, rescue)
    watch.look(f"the order of {len(chain.order)} changes is found, their points in time are not")
    points = place(chain, inv, res, bounds)
    _append_tail(chain, inv, points, illegal, best, rescue, runs_of)
    watch.look("the points in time are found, the witness is not written")
    return _witness(facts, chain, inv, points, runs_of)


def _observe_one(
    facts: Facts, chain: Chain, inv: Sequence[int], res: Sequence[int], bounds: Bounds
) -> dict[int, list[int]]:
    """Bound the points by the observers of an object of one cell.

    Returns:
        The failed comparisons that are illegal in the last gap, and of each unseen value, by the gap (values that
        are not in the order by the position of their writer, negated, less one).
    """
    lo, hi, runs, at = bounds.lo, bounds.hi, bounds.runs, chain.at
    read, failed, last = Kind.READ, Kind.FAILED, len(chain.order)
    unseen = {chain.writes[pos]: -1 - pos for tail in chain.tails.values() for pos in tail}
    illegal: dict[int, list[int]] = {}
    get = at.get
    for pos, (kind, expected, begun, ended) in enumerate(zip(facts.kinds, facts.expects, inv, res, strict=True)):
        if kind is read:
            gap = get(expected)
            if gap is None:
                raise Refuted(_phantom(pos, expected, None))
            if ended <= hi[gap]:
                hi[gap] = ended - 1
            if begun > lo[gap + 1]:
                lo[gap + 1] = begun
        elif kind is failed:
            gap = get(expected)
            if gap is None:
                gap = unseen.get(expected)
                if gap is not None:
                    illegal.setdefault(gap, []).append(pos)
            elif gap == last:
                illegal.setdefault(gap, []).append(pos)
            elif gap == 0:
                if ended <= hi[1]:
                    hi[1] = ended - 1
            elif begun > lo[gap] and ended <= hi[gap + 1]:
                runs.append((gap, gap, pos))
    hi[0] = NEVER
    return illegal


def _rescue(
    chain: Chain, inv: Sequence[int], res: Sequence[int], illegal: Mapping[int, list[int]], best: dict[int, int]
) -> int:
    """Return the least feasible time of a change behind the last one, `NEVER` when there is none.

    The tails are a forest; ``best`` is filled with the least time of each of them, from the leaves up.
    """
    end = chain.end
    nodes = list(chain.tails.get(end, ()))
    for pos in nodes:  # grows while it is walked: parents before children
        nodes.extend(chain.tails.get(chain.writes[pos], ()))
    for pos in reversed(nodes):
        after = min((best[child] for child in chain.tails.get(chain.writes[pos], ())), default=NEVER)
        late = [inv[failed] for failed in illegal.get(-1 - pos, ()) if res[failed] <= after]
        best[pos] = max(inv[pos], *late) if late else inv[pos]
    return min((best[pos] for pos in chain.tails.get(end, ())), default=NEVER)


def _bind_last(
    chain: Chain, inv: Sequence[int], res: Sequence[int], bounds: Bounds, final: Sequence[int], rescue: int
) -> None:
    """A comparison that fails against the last state comes before it, unless a tail can come in time."""
    last = len(chain.order)
    for pos in final:
        if res[pos] > rescue:
            continue
        if not last:
            raise Refuted(_never(pos, chain.cell))
        bounds.lo[last] = max(bounds.lo[last], inv[pos])


def _never(pos: int, cell: Hashable) -> Proof:
    return Proof("never legal", "no state that ever stood allows this answer", (pos,), cell=cell)


def place(chain: Chain, inv: Sequence[int], res: Sequence[int], bounds: Bounds) -> list[int]:
    """Return the least points of the changes.

    Raises:
        Refuted: a point has no room.
    """
    points = solve(bounds, inv, res)
    failing = _first_failing(points, bounds.hi)
    if failing:
        raise Refuted(_window(chain, inv, res, bounds, points, failing))
    return points


def solve(bounds: Bounds, inv: Sequence[int], res: Sequence[int]) -> list[int]:
    """Return the least points that satisfy the lower bounds and the runs, by index 0 ... n+1.

    ``bounds.runs`` is left with those that raised a point, in the order in which they did.
    """
    points = list(accumulate(bounds.lo, max))
    runs = _surviving(bounds, points, inv, res)
    if not runs:
        bounds.runs = []
        return points
    raises = _Raises(len(points))
    done: list[Run] = []
    for run in sorted(runs, key=_until, reverse=True):
        first, last, pos = run
        until = max(points[last + 1], raises.up_to(last + 1))
        if until >= res[pos] and max(points[first], raises.up_to(first)) < inv[pos]:
            raises.raise_to(first, inv[pos])
            done.append(run)
    bounds.runs = done
    for first, _, pos in done:
        bounds.lo[first] = max(bounds.lo[first], inv[pos])
    return list(accumulate(bounds.lo, max))


def _until(run: Run) -> int:
    return run[1]


def _surviving(bounds: Bounds, points: Sequence[int], inv: Sequence[int], res: Sequence[int]) -> list[Run]:
    """The runs that matter (Lemma 4)."""
    if not bounds.runs:
        return []
    upper = suffix_minimum(bounds.hi)
    return [
        (first, last, pos)
        for first, last, pos in bounds.runs
        if points[first] < inv[pos] and upper[last + 1] >= res[pos]
    ]


def suffix_minimum(values: Sequence[int]) -> list[int]:
    """Return the minimum of the values from each place on."""
    minimum = list(accumulate(reversed(values), min))
    minimum.reverse()
    return minimum


class _Raises:
    """Raised points: a Fenwick tree of prefix maxima."""

    def __init__(self, size: int) -> None:
        self._tree = [-1] * (size + 1)

    def up_to(self, index: int) -> int:
        """Return the highest raise of the points 0 ... ``index``."""
        tree, highest, place = self._tree, -1, index + 1
        while place:
            highest = max(highest, tree[place])
            place &= place - 1
        return highest

    def raise_to(self, index: int, value: int) -> None:
        """Raise the point ``index``, and with it those behind it."""
        tree, place = self._tree, index + 1
        while place < len(tree):
            tree[place] = max(tree[place], value)
            place += place & -place


def _first_failing(points: Sequence[int], hi: Sequence[int]) -> int:
    for index, (point, upper) in enumerate(zip(points, hi, strict=True)):
        if point > upper:
            return index
    return 0


def _append_tail(
    chain: Chain,
    inv: Sequence[int],
    points: list[int],
    illegal: Mapping[int, list[int]],
    best: Mapping[int, int],
    rescue: int,
    runs_of: dict[int, list[Gaps]] | None,
) -> None:
    """Let the unseen changes happen that comparisons at the end need, and no others."""
    points.pop()
    gap, least = len(chain.order), rescue
    while any(inv[pos] > points[-1] for pos in illegal.get(gap, ())) and least < NEVER:
        pos = min(chain.tails[chain.end], key=best.__getitem__)
        chain.order.append(pos)
        points.append(max(points[-1], least))
        gap = len(chain.order)
        chain.at[chain.writes[pos]] = gap
        if runs_of is not None:
            for failed in illegal.get(-1 - pos, ()):
                runs_of.setdefault(failed, []).append((gap, gap))
        gap = -1 - pos
        least = min((best[child] for child in chain.tails.get(chain.writes[pos], ())), default=NEVER)


def _witness(
    facts: Facts,
    chain: Chain,
    inv: Sequence[int],
    points: list[int],
    runs_of: Mapping[int, list[Gaps]] | None,
) -> Sequence[int]:
    """Return the positions in order: changes by their points, each observer in a legal gap that its span meets.

    Within a gap observers stand in the order of their invocations.  They are chained gap by gap in arrays: lists of
    lists would be most of the memory of a check.
    """
    kinds, get = facts.kinds, chain.at.get
    failed, change = Kind.FAILED, Kind.CHANGE
    first = array("q", [-1]) * (len(chain.order) + 1)
    after = array("q", [-1]) * len(kinds)
    backwards = zip(range(len(kinds) - 1, -1, -1), reversed(kinds), reversed(facts.expects), strict=True)
    for pos, kind, expected in backwards:
        if kind >= change:
            continue
        if runs_of is not None:
            gap = bisect_left(points, inv[pos]) - 1
            for start, end in runs_of.get(pos, ()):
                if start <= gap <= end:
                    gap = end + 1
        elif kind is failed:
            gap = bisect_left(points, inv[pos]) - 1
            if get(expected) == gap:
                gap += 1
        else:
            gap = chain.at[expected]
        after[pos] = first[gap]
        first[gap] = pos
    witness = array("q")
    add = witness.append
    for gap, pos in enumerate(first):
        if gap:
            add(chain.order[gap - 1])
        while pos >= 0:
            add(pos)
            pos = after[pos]  # noqa: PLW2901
    return witness


# --- the proof of a window --------------------------------------------------------------------------------------


def _window(
    chain: Chain, inv: Sequence[int], res: Sequence[int], bounds: Bounds, points: Sequence[int], failing: int
) -> Proof:
    """Follow the bounds of a point that has no room back to the spans that they come from."""
    order, cell = chain.order, chain.cell
    early = bounds.hi[failing] + 1
    upper = next(pos for pos, ended in enumerate(res) if ended == early)
    until_of = {(pos, first): last + 1 for first, last, pos in bounds.runs}
    trail: list[tuple[int, int, int]] = []  # a call, the index that its invocation bounds, and the one it bears on
    target = failing
    while True:
        pos, source = bisect_left(inv, points[target]), _source(bounds.lo, points, target)
        trail.append((pos, source, target))
        if (pos, source) not in until_of:
            break
        target = until_of[pos, source]
    edges: list[Edge] = []
    previous = -1
    for pos, source, target in reversed(trail):
        change = order[source - 1]
        if previous >= 0:
            until = order[until_of[pos, source] - 1]
            edges.append(Edge(pos, previous, Relation.REAL_TIME))
            edges.append(Edge(pos, change, Relation.SQUEEZED, cell, until))
        elif pos != change:
            edges.append(Edge(pos, change, _pinned(chain, pos, source), cell))
        if target != source:
            edges.append(Edge(change, order[target - 1], Relation.ORDER, cell))
        previous = pos
    end = order[failing - 1]
    if upper != end:
        seen = chain.at.get(chain.expects[upper], -1)
        edges.append(Edge(end, upper, Relation.ORDER if seen == failing else Relation.FIRST, cell))
    edges.append(Edge(upper, previous, Relation.REAL_TIME))
    rows = sorted({row for edge in edges for row in (edge.earlier, edge.later, edge.until) if row is not None})
    message = "these calls have no points in time in the order that the values force"
    return Proof("window", message, tuple(rows), edges=tuple(edges), cell=cell)


def _source(lo: Sequence[int], points: Sequence[int], index: int) -> int:
    """The highest index up to ``index`` whose own bound is the point."""
    while lo[index] != points[index]:
        index -= 1
    return index


def _pinned(chain: Chain, pos: int, source: int) -> Relation:
    """Why an observer comes before the change ``source``: it read what that replaced, or is illegal ever after."""
    gap = chain.at.get(chain.expects[pos], -1)
    return Relation.ORDER if gap == source - 1 else Relation.LAST


# --- whole states -----------------------------------------------------------------------------------------------


class _Judged:
    """Observers of whole states: each is judged in the gaps in which it can stand; it cannot in the others."""

    def __init__(
        self,
        judge: Judge,
        facts: Facts,
        chain: Chain,
        inv: Sequence[int],
        res: Sequence[int],
        bounds: Bounds,
    ) -> None:
        self._judge, self._facts, self._chain, self._bounds = judge, facts, chain, bounds
        self._inv, self._res = inv, res
        self._lower = list(accumulate(bounds.lo, max))
        self._upper = suffix_minimum(bounds.hi)

    def observe(self, watch: Watch) -> dict[int, list[Gaps]]:
        """Replay the changes, and bound their points by the observers; return where each of these is illegal."""
        states = self._judge.states(self._chain.order)
        if isinstance(states, int):
            calls = self._chain.order[max(0, states - 1) : states + 1]
            message = "behind the calls before it, which have a forced order, this call is answered otherwise"
            raise Refuted(Proof("expectation", message, tuple(sorted(calls)), cell=self._chain.cell))
        runs_of: dict[int, list[Gaps]] = {}
        for pos, kind in enumerate(self._facts.kinds):
            if kind < Kind.CHANGE:
                if not pos % _LOOK_EVERY:
                    watch.look(f"{pos:,} calls are placed")
                runs = self._illegal(pos, states)
                if runs:
                    runs_of[pos] = runs
                    self._bind(pos, runs)
        return runs_of

    def _illegal(self, pos: int, states: Sequence[Any]) -> list[Gaps]:
        last = len(self._chain.order)
        start = bisect_left(self._upper, self._inv[pos], 1, last + 1) - 1
        end = bisect_left(self._lower, self._res[pos], 0, last + 1) - 1
        legal = [(gap, gap) for gap in range(start, end + 1) if self._judge.allows(states[gap], pos)]
        return _complement(legal, last)

    def _bind(self, pos: int, runs: Sequence[Gaps]) -> None:
        bounds, last, begun, ended = self._bounds, len(self._chain.order), self._inv[pos], self._res[pos]
        for first, until in runs:
            if first == 0 and until == last:
                raise Refuted(_never(pos, self._chain.cell))
            if first == 0:
                bounds.hi[until + 1] = min(bounds.hi[until + 1], ended - 1)
            elif until == last:
                bounds.lo[first] = max(bounds.lo[first], begun)
            elif self._lower[first] < begun and self._upper[until + 1] >= ended:
                bounds.runs.append((first, until, pos))


# --- several cells ----------------------------------------------------------------------------------------------


class _Several:
    """Observers of an object of several cells: full and partial reads, comparisons of any cells."""

    def __init__(self, facts: Facts, chain: Chain, inv: Sequence[int], res: Sequence[int], bounds: Bounds) -> None:
        self._facts, self._chain, self._inv, self._res, self._bounds = facts, chain, inv, res, bounds
        self.last: dict[int, list[int]] = {}
        self.best: dict[int, int] = {}
        self.rescue = NEVER
        self.runs_of: dict[int, list[Gaps]] = {}
        self._starts: dict[Hashable, list[int]] = {}
        self._values: dict[Hashable, list[Any]] = {}
        self._intervals: dict[tuple[Hashable, Any], list[Gaps]] = {}
        self._tail_states: dict[Any, dict[Hashable, Any]] = {}
        self._tail_writer: dict[Any, int] = {}
        self._lower: list[int] = []
        self._upper: list[int] = []

    def observe(self) -> bool:
        """Replay the changes, and bound their points by the observers; return whether the tails can be decided."""
        self._replay()
        self._lower = list(accumulate(self._bounds.lo, max))
        self._upper = suffix_minimum(self._bounds.hi)
        touched = self._grow_tails()
        for pos, kind in enumerate(self._facts.kinds):
            if kind >= Kind.CHANGE:
                continue
            expected = self._facts.expects[pos]
            if touched and self._chain.cell not in expected and not touched.isdisjoint(expected):
                return False
            self._observer(pos, kind, expected)
        if self._chain.tails:
            self.rescue = _rescue(self._chain, self._inv, self._res, self.last, self.best)
        return True

    def _replay(self) -> None:
        facts = self._facts
        state: dict[Hashable, Any] = {}
        since: dict[Hashable, int] = {}

        def held(cell: Hashable) -> Any:
            if cell not in state:
                state[cell], since[cell] = facts.initial[cell], 0
                self._starts[cell], self._values[cell] = [0], [state[cell]]
            return state[cell]

        for gap, pos in enumerate(self._chain.order, 1):
            for cell, value in facts.expects[pos].items():
                if held(cell) != value:
                    before = self._chain.order[gap - 2] if gap > 1 else pos
                    message = f"this call found {value!r} in {cell}, where {state[cell]!r} stood"
                    rows = tuple(sorted({before, pos}))
                    raise Refuted(Proof("expectation", message, rows, cell=self._chain.cell))
            for cell, value in facts.writes[pos].items():
                if held(cell) != value:
                    self._intervals.setdefault((cell, state[cell]), []).append((since[cell], gap - 1))
                    state[cell], since[cell] = value, gap
                    self._starts[cell].append(gap)
                    self._values[cell].append(value)
        for cell, value in state.items():
            self._intervals.setdefault((cell, value), []).append((since[cell], len(self._chain.order)))

    def _grow_tails(self) -> set[Hashable]:
        """Keep the tails whose expectations hold; return the cells that they write, but for the chain's."""
        facts, chain, touched = self._facts, self._chain, set[Hashable]()
        gap = len(chain.order)
        pending = [(chain.end, dict[Hashable, Any]())]
        grown: dict[Any, list[int]] = {}
        for value, changes in pending:
            for pos in chain.tails.get(value, ()):
                if all(
                    changes.get(cell, self._held(cell, gap)) == each for cell, each in facts.expects[pos].items()
                ):
                    grown.setdefault(value, []).append(pos)
                    after = {**changes, **facts.writes[pos]}
                    self._tail_states[chain.writes[pos]] = after
                    self._tail_writer[chain.writes[pos]] = pos
                    pending.append((chain.writes[pos], after))
                    touched |= facts.writes[pos].keys()
        chain.tails = grown
        touched.discard(chain.cell)
        return touched

    def _held(self, cell: Hashable, gap: int) -> Any:
        starts = self._starts.get(cell)
        if starts is None:
            return self._facts.initial[cell]
        place = bisect_left(starts, gap + 1) - 1
        return self._values[cell][place]

    def _matching(self, expected: Mapping[Hashable, Any]) -> list[Gaps]:
        """The maximal runs of gaps whose state has all that is expected."""
        last = len(self._chain.order)
        runs = [(0, last)]
        if self._chain.cell in expected:
            gap = self._chain.at.get(expected[self._chain.cell])
            matches = gap is not None and all(self._held(cell, gap) == each for cell, each in expected.items())
            return [(gap, gap)] if matches and gap is not None else []
        for cell, value in expected.items():
            if cell in self._starts:
                runs = _intersection(runs, self._intervals.get((cell, value), []))
            elif self._facts.initial[cell] != value:
                return []
        return runs

    def _observer(self, pos: int, kind: Kind, expected: Mapping[Hashable, Any]) -> None:
        runs, last = self._matching(expected), len(self._chain.order)
        if kind is Kind.READ:
            runs = _complement(runs, last)
        elif self._chain.tails and self._chain.cell in expected:
            self._note_tail(pos, expected)
        if not runs:
            if kind is Kind.READ and self._chain.cell in expected:
                self._bounds.lo[-1] = max(self._bounds.lo[-1], self._inv[pos])
            return
        self.runs_of[pos] = runs
        if runs == [(0, last)] and (kind is Kind.READ or not self._chain.tails or self._chain.cell not in expected):
            raise Refuted(_never(pos, self._chain.cell))
        bounds, begun, ended = self._bounds, self._inv[pos], self._res[pos]
        if kind is Kind.READ and runs[-1][1] < last and self._chain.cell in expected:
            bounds.lo[-1] = max(bounds.lo[-1], begun)
        if runs[-1][1] == last:
            if kind is Kind.FAILED and self._chain.cell in expected:
                self.last.setdefault(last, []).append(pos)
            else:
                bounds.lo[runs[-1][0]] = max(bounds.lo[runs[-1][0]], begun)
        if runs[0][0] == 0 and runs[0][1] < last:
            until = runs[0][1] + 1
            bounds.hi[until] = min(bounds.hi[until], ended - 1)
        # Of the others those matter that begin before the span and end behind it (Lemma 4); they stand together.
        place = bisect_left(runs, bisect_left(self._upper, ended) - 1, key=_until_gap)
        for first, until in runs[place:]:
            if self._lower[first] >= begun:
                break
            if first > 0 and until < last and self._upper[until + 1] >= ended:
                bounds.runs.append((first, until, pos))

    def _note_tail(self, pos: int, expected: Mapping[Hashable, Any]) -> None:
        value, gap = expected[self._chain.cell], len(self._chain.order)
        changes = self._tail_states.get(value)
        if changes is None:
            return
        if all(changes.get(cell, self._held(cell, gap)) == each for cell, each in expected.items()):
            self.last.setdefault(-1 - self._tail_writer[value], []).append(pos)


def _until_gap(run: tuple[int, int]) -> int:
    return run[1]


def _intersection(left: Sequence[Gaps], right: Sequence[Gaps]) -> list[Gaps]:
    if len(left) > len(right):
        left, right = right, left
    both: list[Gaps] = []
    for first, last in left:
        place = bisect_left(right, first, key=lambda run: run[1])
        while place < len(right) and right[place][0] <= last:
            both.append((max(first, right[place][0]), min(last, right[place][1])))
            place += 1
    return both


def _complement(runs: Sequence[Gaps], last: int) -> list[Gaps]:
    gaps: list[Gaps] = []
    start = 0
    for first, until in runs:
        if first > start:
            gaps.append((start, first - 1))
        start = until + 1
    if start <= last:
        gaps.append((start, last))
    return gaps
