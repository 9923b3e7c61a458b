"""Acyclic graphs: the polynomial algorithm for changes of several cells that have none in common.

When every written cell is compared, no value of a cell comes back, and no comparison failed, the values say for
each cell which change replaced which, and which reads came between.  The calls are linearizable iff these edges and
the order in real time have no cycle; the shortest cycle is the counterexample.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability.chain import Refuted
from mobstore.properties.linearizability.models import Facts, Kind
from mobstore.properties.linearizability.verdict import Edge, Proof, Relation, Watch, double_success, phantom

_CYCLES_FROM: Final = 256
"""Calls from which a shortest cycle is searched."""

Version: TypeAlias = tuple[Hashable, Any]
"""A cell and a value of it."""


def decide(facts: Facts, inv: Sequence[int], res: Sequence[int], watch: Watch) -> list[int] | None:
    """Return positions in an order that explains every answer; None when the calls are not of this class.

    Raises:
        Refuted: there is none.
    """
    if facts.cells is None or any(kind is Kind.FAILED for kind in facts.kinds):
        return None
    writers = _writers(facts)
    if writers is None:
        return None
    graph = _Graph(facts, writers, inv, res)
    watch.look("the edges are drawn, the graph is not sorted")
    return graph.sorted()


def _writers(facts: Facts) -> dict[Version, int] | None:
    """Who wrote each value, if that is certain."""
    writers: dict[Version, int] = {}
    for pos, kind in enumerate(facts.kinds):
        if kind < Kind.CHANGE:
            continue
        expected, written = facts.expects[pos], facts.writes[pos]
        if not written.keys() <= expected.keys():
            return None
        for cell, value in written.items():
            if value == expected[cell]:
                continue
            other = writers.setdefault((cell, value), pos)
            if value == facts.initial[cell]:
                return None
            if other != pos:
                same = (facts.expects[other], facts.writes[other]) == (expected, written)
                both = kind is Kind.CHANGE and facts.kinds[other] is Kind.CHANGE
                if not same or both:
                    return None
                if kind is Kind.CHANGE:
                    writers[cell, value] = pos
    return writers


@attrs.define
class _Node:
    after: list[int]
    waits: int = 0


class _Graph:
    """The calls that happened, their edges, and a barrier for each response that carries the order in real time."""

    def __init__(self, facts: Facts, writers: dict[Version, int], inv: Sequence[int], res: Sequence[int]) -> None:
        self._facts, self._writers, self._inv, self._res = facts, writers, inv, res
        self._calls = self._happened()
        self._labels: dict[tuple[int, int], Edge] = {}
        size = len(facts.kinds)
        responses = sorted((res[pos], pos) for pos in self._calls if facts.kinds[pos] is not Kind.MAYBE)
        self._nodes = [_Node([]) for _ in range(size + len(responses))]
        self._draw_versions()
        self._draw_time(responses, size)

    def _happened(self) -> list[int]:
        """The calls of known outcome, and those of unknown outcome of which something was seen."""
        facts = self._facts
        happened = [pos for pos, kind in enumerate(facts.kinds) if kind is not Kind.MAYBE]
        inside = set(happened)
        for pos in happened:  # grows while it is walked
            for cell, value in facts.expects[pos].items():
                writer = self._writers.get((cell, value))
                if writer is None and facts.initial[cell] != value:
                    raise Refuted(phantom(pos, value, cell))
                if writer is not None and writer not in inside:
                    inside.add(writer)
                    happened.append(writer)
        return sorted(happened)

    def _draw_versions(self) -> None:
        facts, consumers = self._facts, dict[Version, int]()
        readers: dict[Version, list[int]] = {}
        for pos in self._calls:
            written = facts.writes[pos]
            for cell, value in facts.expects[pos].items():
                version = (cell, value)
                if cell not in written or written[cell] == value:
                    readers.setdefault(version, []).append(pos)
                elif consumers.setdefault(version, pos) != pos:
                    raise Refuted(double_success((consumers[version], pos), value, cell))
        for (cell, value), consumer in consumers.items():
            self._edge(self._writers.get((cell, value)), consumer, cell)
        for (cell, value), those in readers.items():
            for pos in those:
                self._edge(self._writers.get((cell, value)), pos, cell)
                self._edge(pos, consumers.get((cell, value)), cell)

    def _edge(self, earlier: int | None, later: int | None, cell: Hashable) -> None:
        if earlier is not None and later is not None and earlier != later and (earlier, later) not in self._labels:
            self._labels[earlier, later] = Edge(earlier, later, Relation.ORDER, cell)
            self._link(earlier, later)

    def _link(self, earlier: int, later: int) -> None:
        self._nodes[earlier].after.append(later)
        self._nodes[later].waits += 1

    def _draw_time(self, responses: Sequence[tuple[int, int]], size: int) -> None:
        """Barrier k stands behind the first k+1 responses; a call waits for the last barrier before it began."""
        self._size = size
        passed = 0
        for pos in self._calls:
            while passed < len(responses) and responses[passed][0] < self._inv[pos]:
                passed += 1
            if passed:
                self._link(size + passed - 1, pos)
        for place, (_, pos) in enumerate(responses):
            self._link(pos, size + place)
            if place:
                self._link(size + place - 1, size + place)

    def sorted(self) -> list[int]:
        """Return the calls in an order that respects every edge."""
        nodes, size = self._nodes, self._size
        waits = [node.waits for node in nodes]
        ready = deque([*self._calls, *range(size, len(nodes))])
        ready = deque(node for node in ready if not waits[node])
        order: list[int] = []
        while ready:
            node = ready.popleft()
            if node < size:
                order.append(node)
            for after in nodes[node].after:
                waits[after] -= 1
                if not waits[after]:
                    ready.append(after)
        if len(order) < len(self._calls):
            raise Refuted(self._cycle([node for node, count in enumerate(waits) if count]))
        return order

    def _cycle(self, left: Iterable[int]) -> Proof:
        inside = self._core(set(left))
        shortest: list[int] | None = None
        for start in sorted(node for node in inside if node < self._size)[:_CYCLES_FROM]:
            found = self._cycle_through(start, inside)
            if found and (shortest is None or len(found) < len(shortest)):
                shortest = found
        assert shortest, "what cannot be sorted has a cycle"
        edges = tuple(
            self._labels.get((here, there)) or Edge(here, there, Relation.REAL_TIME)
            for here, there in zip(shortest, [*shortest[1:], shortest[0]], strict=True)
        )
        message = "each of these calls comes before the next, and the last before the first"
        return Proof("order", message, tuple(sorted(shortest)), edges=edges)

    def _core(self, inside: set[int]) -> set[int]:
        """Without what no cycle can go through: nodes with nothing behind them."""
        before: dict[int, list[int]] = {}
        count: dict[int, int] = {}
        for node in inside:
            after = [other for other in self._nodes[node].after if other in inside]
            count[node] = len(after)
            for other in after:
                before.setdefault(other, []).append(node)
        ends = [node for node in inside if not count[node]]
        while ends:
            node = ends.pop()
            inside.discard(node)
            for other in before.get(node, ()):
                count[other] -= 1
                if not count[other]:
                    ends.append(other)
        return inside

    def _cycle_through(self, start: int, inside: set[int]) -> list[int] | None:
        """The calls of a shortest cycle through ``start``: barriers cost nothing on the way."""
        came: dict[int, int] = {}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            for after in self._nodes[node].after:
                if after == start:
                    path = [node]
                    while path[-1] != start:
                        path.append(came[path[-1]])
                    return [each for each in reversed(path) if each < self._size]
                if after in inside and after not in came:
                    came[after] = node
                    if after < self._size:
                        queue.append(after)
                    else:
                        queue.appendleft(after)
        return None
