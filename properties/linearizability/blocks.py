"""Blocks: the polynomial algorithm for blind writes, after Gibbons and Korach ("Testing shared memories", 1997).

When no value is written twice, each blind write begins a *block*: the write, the changes
that hang on it one by one, and the reads of what they wrote.  The calls of a block stand in a forced order and no
other call that was seen may come between.  The first block hangs on the initial value and comes before all others.

A block reaches at least from its first response f to its last invocation s.  If f < s it fills that zone; otherwise
all its calls were in flight at once and it may stand at any moment between s and f.  The calls are linearizable iff
each block is so by itself, no two filled zones overlap, and no other block lies inside a filled zone.

Comparisons that failed are no part of a block.  Where they have a place between the blocks in the order that was
found, all is well; where they have none the search decides, for there are other orders.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs

from mobstore.properties.linearizability import chain as chains
from mobstore.properties.linearizability.chain import Bounds, Chain, Refuted
from mobstore.properties.linearizability.history import NEVER
from mobstore.properties.linearizability.models import BLIND, Facts, Kind
from mobstore.properties.linearizability.verdict import Edge, Proof, Relation, Watch, double_success, phantom


@attrs.define
class _Block:
    """Calls that stand together.

    Attributes:
        order: positions of its changes.
        reads: positions of the reads, by the gap in which they stand.
        first: the position of the call with the first response, ``last`` of the one with the last invocation.
    """

    order: list[int]
    at: dict[Any, int]
    reads: dict[int, list[int]] = attrs.field(factory=dict)
    first: int = -1
    last: int = -1

    def calls(self) -> list[int]:
        """Return the positions of its calls in their order."""
        calls = list(self.reads.get(0, ()))
        for gap, pos in enumerate(self.order, 1):
            calls.append(pos)
            calls.extend(self.reads.get(gap, ()))
        return calls


def decide(facts: Facts, inv: Sequence[int], res: Sequence[int], watch: Watch) -> Sequence[int] | None:
    """Return positions in an order that explains every answer; None when the calls are not of this class.

    Raises:
        Refuted: there is none.
    """
    if facts.cells is not None:
        return None
    found = _find_blocks(facts)
    if found is None:
        return None
    initial, *others = found
    for block in found:
        _settle(facts, block, inv, res)
    watch.look(f"{len(found)} blocks are found, their places are not")
    placed = [initial, *_placed(initial, others, inv, res)]
    if any(kind is Kind.FAILED for kind in facts.kinds):
        return _with_failures(facts, placed, inv, res, watch)
    return [pos for block in placed for pos in block.calls()]


def _with_failures(
    facts: Facts, placed: Sequence[_Block], inv: Sequence[int], res: Sequence[int], watch: Watch
) -> Sequence[int] | None:
    """Place the failed comparisons into the order of the blocks; None when they have no place there.

    There are other orders of the blocks, so that nothing is refuted by that.
    """
    order = [pos for block in placed for pos in block.order]
    at = {facts.initial: 0, **{facts.writes[pos]: gap for gap, pos in enumerate(order, 1)}}
    chain = Chain(order, at, {}, facts.expects, facts.writes, None)
    try:
        return chains.decide(facts, chain, inv, res, watch)
    except Refuted:
        return None


def _find_blocks(facts: Facts) -> list[_Block] | None:
    """The block of the initial value, and then the others; None when it is not certain who wrote what."""
    writers = _writers(facts)
    if writers is None:
        return None
    expects, writes = facts.expects, facts.writes
    happened = _happened(facts, writers)
    consumers: dict[Any, int] = {}
    heads: list[int] = []
    for pos in happened:
        if expects[pos] is BLIND:
            heads.append(pos)
        elif consumers.setdefault(expects[pos], pos) != pos:
            raise Refuted(double_success((consumers[expects[pos]], pos), expects[pos]))
    blocks = [_Block([], {facts.initial: 0}), *(_Block([pos], {writes[pos]: 1}) for pos in heads)]
    for block in blocks:
        value = next(iter(block.at))
        while (pos := consumers.get(value, -1)) >= 0:
            block.order.append(pos)
            value = writes[pos]
            block.at[value] = len(block.order)
    lost = set(happened).difference(*(block.order for block in blocks))
    if lost:
        calls = tuple(sorted(lost))
        raise Refuted(Proof("cycle", "each of these calls found what another of them wrote", calls))
    home = {value: block for block in blocks for value in block.at}
    for pos, kind in enumerate(facts.kinds):
        if kind is Kind.READ:
            block = home[expects[pos]]
            block.reads.setdefault(block.at[expects[pos]], []).append(pos)
    return blocks


def _writers(facts: Facts) -> dict[Any, int] | None:
    writers: dict[Any, int] = {}
    for pos, kind in enumerate(facts.kinds):
        if kind < Kind.CHANGE:
            continue
        other = writers.setdefault(facts.writes[pos], pos)
        if other == pos:
            continue
        both = kind is Kind.CHANGE and facts.kinds[other] is Kind.CHANGE
        if both or facts.expects[pos] is BLIND or facts.expects[pos] != facts.expects[other]:
            return None
        if kind is Kind.CHANGE:
            writers[facts.writes[pos]] = pos
    return None if facts.initial in writers else writers


def _happened(facts: Facts, writers: dict[Any, int]) -> list[int]:
    """The changes of known outcome, and those of unknown outcome whose value was seen."""
    known = [pos for pos, kind in enumerate(facts.kinds) if kind is Kind.READ or kind is Kind.CHANGE]
    inside = set(known)
    for pos in known:  # grows while it is walked
        value = facts.expects[pos]
        if value is BLIND or value == facts.initial:
            continue
        writer = writers.get(value)
        if writer is None:
            raise Refuted(phantom(pos, value))
        if writer not in inside:
            inside.add(writer)
            known.append(writer)
    return sorted(pos for pos in inside if facts.kinds[pos] >= Kind.CHANGE)


def _settle(facts: Facts, block: _Block, inv: Sequence[int], res: Sequence[int]) -> None:
    """Decide the block by itself, and find its zone."""
    bounds = Bounds.of(block.order, inv, res)
    calls = list(block.order)
    for gap, reads in block.reads.items():
        calls.extend(reads)
        bounds.hi[gap] = min(bounds.hi[gap], min(res[pos] for pos in reads) - 1)
        bounds.lo[gap + 1] = max(bounds.lo[gap + 1], *(inv[pos] for pos in reads))
    bounds.hi[0] = bounds.lo[-1] = NEVER
    chain = Chain(block.order, block.at, {}, facts.expects, facts.writes, None)
    chains.place(chain, inv, res, bounds)
    if calls:
        block.first = min(calls, key=res.__getitem__)
        block.last = max(calls, key=inv.__getitem__)


def _placed(initial: _Block, others: Sequence[_Block], inv: Sequence[int], res: Sequence[int]) -> list[_Block]:
    """The blocks behind the initial one, in their order."""
    start = inv[initial.last] if initial.last >= 0 else -1
    for block in others:
        if res[block.first] < start:
            raise Refuted(_overlap(initial, block, inv, res))
    filled = sorted((block for block in others if res[block.first] < inv[block.last]), key=lambda b: res[b.first])
    for left, right in pairwise(filled):
        if res[right.first] < inv[left.last]:
            raise Refuted(_overlap(left, right, inv, res))
    begins = [res[block.first] for block in filled]
    keyed: list[tuple[int, int, _Block]] = [(res[block.first], 0, block) for block in filled]
    for block in others:
        since, until = inv[block.last], res[block.first]
        if until < since:
            continue
        moment = max(since, start)
        place = bisect_right(begins, moment) - 1
        if place >= 0 and moment < inv[filled[place].last]:
            end = inv[filled[place].last]
            if until < end:
                raise Refuted(_overlap(filled[place], block, inv, res))
            moment = end
        keyed.append((moment, 1, block))
    keyed.sort(key=lambda item: item[:2])
    return [block for _, _, block in keyed]


def _overlap(left: _Block, right: _Block, inv: Sequence[int], res: Sequence[int]) -> Proof:
    """Neither block can come before the other: ``left`` is the first one, or fills a zone."""
    edges = [Edge(right.first, left.last, Relation.REAL_TIME)]
    if left.first >= 0 and res[left.first] < inv[right.last]:
        edges.insert(0, Edge(left.first, right.last, Relation.REAL_TIME))
    rows = tuple(sorted({row for edge in edges for row in (edge.earlier, edge.later)}))
    message = "the values say that two groups of calls must not mix, and their times say that they do"
    return Proof("overlap", message, rows, edges=tuple(edges))
