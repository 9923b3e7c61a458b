"""Just-in-time linearization: the search for histories whose order the values do not force.

A configuration is a state with the changes done among those in flight, the observers done, and the changes of
unknown outcome used.  Events are walked in their order; calls are linearized only when a response demands its call.
Five rules keep the configurations few:

- *Observers greedily*: a call that changes nothing is placed as soon as it is legal.
- *Unknown outcomes as classes*: identical ones are interchangeable and are counted.  One that would change nothing
  is not used.
- *Identical changes by deadline*: of two in flight that do the same the one that responds first goes first.
- *Dominance*: of two configurations with the same state and changes done, one that has placed more observers and
  used fewer unknown changes makes the other superfluous; antichains are kept.
- *Laziness*: a configuration in which the call that responds is done is not taken further.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability.chain import Refuted
from mobstore.properties.linearizability.history import NEVER, History, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.verdict import Proof, Watch

_LOOK_EVERY: Final = 4096
_ILLEGAL: Final = -1

Trace: TypeAlias = tuple[Any, ...] | None
"""The changes of a configuration, the last one first: (class, position or None, place in time, trace before)."""
Item: TypeAlias = tuple[int, tuple[int, ...], Trace]
"""Observers placed (bits), unknown changes used by their class, trace."""
Key: TypeAlias = tuple[int, int]
"""State, and changes done among those in flight (bits)."""


class _Meter:
    """Counts comparisons of configurations, and looks at the limit every few milliseconds.

    ``place`` is how many events were walked, ``before`` how many configurations are held elsewhere.
    """

    __slots__ = ("_left", "_watch", "before", "place")

    def __init__(self, watch: Watch) -> None:
        self._watch, self._left = watch, _LOOK_EVERY
        self.place = self.before = 0

    def spend(self, work: int, count: int) -> None:
        self._left -= work
        if self._left < 0:
            self._left = _LOOK_EVERY
            held = self.before + count
            self._watch.look(f"{self.place:,} events walked, {held:,} configurations held", held)


class Configurations:
    """Configurations by state and changes done, each with an antichain of what dominance leaves."""

    __slots__ = ("_meter", "count", "items")

    def __init__(self, meter: _Meter) -> None:
        self.items: dict[Key, list[Item]] = {}
        self.count = 0
        self._meter = meter

    def add(self, key: Key, item: Item) -> bool:
        """Add a configuration unless another dominates it; return whether it was added."""
        held = self.items.get(key)
        self._meter.spend(1 if held is None else 1 + len(held), self.count)
        if held is None:
            self.items[key] = [item]
            self.count += 1
            return True
        for other in held:
            if dominates(other, item):
                return False
        left = [other for other in held if not dominates(item, other)]
        self.count += 1 + len(left) - len(held)
        left.append(item)
        self.items[key] = left
        return True

    def __iter__(self) -> Iterator[tuple[Key, Item]]:
        for key, held in self.items.items():
            for item in held:
                yield key, item


def dominates(left: Item, right: Item) -> bool:
    """Whether ``left`` has placed what ``right`` has, and used no more unknown changes of any class."""
    return not right[0] & ~left[0] and all(map(int.__le__, left[1], right[1]))


@attrs.define
class _Flight:
    """A call between its invocation and its response: its bit, among changes or among observers."""

    pos: int
    bit: int
    kind: int
    ends: int


class Search:
    """Decides the calls of one object by just-in-time linearization.

    Args:
        model: what the operations mean.
        history: has the calls.
        rows: of the object, without those that did not happen and without observers of unknown outcome.
        state: at the beginning.
        watch: binds the search to its limits.
    """

    def __init__(self, model: Model, history: History, rows: Sequence[int], state: Any, watch: Watch) -> None:
        self._model, self._history, self._rows, self._meter = model, history, rows, _Meter(watch)
        self._states: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._moves: dict[tuple[int, int], int] = {}
        self._kinds: dict[Hashable, int] = {}
        self._kind_of: list[int] = []
        self._example: list[int] = []  # a position of each class of calls
        self._unknown: dict[int, int] = {}  # the place of a class of unknown changes in the counts
        self._arrived: list[list[int]] = []  # the positions of each class of unknown changes, as they are invoked
        self._classify()
        self._start = self._number(state)
        self._changes: dict[int, _Flight] = {}
        self._observers: dict[int, _Flight] = {}
        self._free: tuple[list[int], list[int]] = ([], [])
        self._slots = [0, 0]
        self._legal: dict[int, int] = {}
        self._cut: tuple[int, tuple[int, ...]] = (0, (self._start,))

    def _classify(self) -> None:
        history = self._history
        for pos, row in enumerate(self._rows):
            known = history.outcome[row] is Outcome.OK
            f, value = history.f[row], history.value[row]
            key: Hashable = (f, value, history.answer[row] if known else None, known)
            try:
                kind = self._kinds.setdefault(key, len(self._kinds))
            except TypeError:  # unhashable: no other call is known to do the same
                kind = self._kinds.setdefault(("row", row), len(self._kinds))
            if kind == len(self._example):
                self._example.append(pos)
            self._kind_of.append(kind)
            if not known and kind not in self._unknown:
                self._unknown[kind] = len(self._unknown)
                self._arrived.append([])

    def _number(self, state: Any) -> int:
        number = self._numbers.setdefault(state, len(self._states))
        if number == len(self._states):
            self._states.append(state)
        return number

    def _move(self, state: int, kind: int) -> int:
        """The state after a call of a class, or `_ILLEGAL` when it is answered otherwise there."""
        found = self._moves.get((state, kind))
        if found is None:
            row, history = self._rows[self._example[kind]], self._history
            after, answer = self._model.step(self._states[state], history.f[row], history.value[row])
            legal = kind in self._unknown or self._model.agrees(answer, history.answer[row])
            found = self._moves[state, kind] = self._number(after) if legal else _ILLEGAL
        return found

    def run(self) -> list[int]:
        """Return positions in an order that explains every answer.

        Raises:
            Refuted: there is none.
            LimitReached: a limit was reached first.
        """
        configurations = Configurations(self._meter)
        configurations.add((self._start, 0), (0, (0,) * len(self._unknown), None))
        invoked = 0
        for walked, (place, pos, is_response) in enumerate(self._events()):
            self._meter.place, self._meter.before = walked, configurations.count
            invoked += not is_response
            if is_response:
                configurations = self._respond(configurations, pos, place)
            else:
                configurations = self._invoke(configurations, pos)
            if not (self._changes or self._observers or self._unknown):
                self._cut = (invoked, tuple({key[0] for key, _ in configurations}))
        _, (_, _, trace) = next(iter(configurations))
        return self._witness(trace)

    def _events(self) -> Iterator[tuple[int, int, bool]]:
        """Places of events with the position of their call; unknown responses never come."""
        inv, res = self._history.inv, self._history.res
        events = [(inv[row], pos, False) for pos, row in enumerate(self._rows)]
        events.extend((res[row], pos, True) for pos, row in enumerate(self._rows) if res[row] != NEVER)
        events.sort()
        return iter(events)

    def _observes(self, pos: int) -> bool:
        row, history = self._rows[pos], self._history
        return self._model.observes(history.f[row], history.value[row], history.answer[row])

    def _invoke(self, configurations: Configurations, pos: int) -> Configurations:
        kind = self._kind_of[pos]
        if kind in self._unknown:
            self._arrived[self._unknown[kind]].append(pos)
            return configurations
        observes = self._observes(pos)
        bit = self._take(observes)
        flight = _Flight(pos, bit, kind, self._history.res[self._rows[pos]])
        if not observes:
            self._changes[pos] = flight
            return configurations
        self._observers[pos] = flight
        self._legal.clear()
        placed = Configurations(self._meter)
        for key, (seen, used, trace) in configurations:
            legal = self._move(key[0], kind) != _ILLEGAL
            placed.add(key, (seen | bit if legal else seen, used, trace))
        return placed

    def _take(self, observes: bool) -> int:
        free = self._free[observes]
        if free:
            return free.pop()
        self._slots[observes] += 1
        return 1 << (self._slots[observes] - 1)

    def _respond(self, configurations: Configurations, pos: int, place: int) -> Configurations:
        observes = pos in self._observers
        bit = (self._observers if observes else self._changes)[pos].bit
        done = Configurations(self._meter)
        pending: list[tuple[Key, Item]] = []
        for key, item in configurations:
            if (item[0] if observes else key[1]) & bit:
                done.add(key, item)
            else:
                pending.append((key, item))
        self._expand(pending, done, bit, observes, place)
        if not done.count:
            raise Refuted(self._proof(pos))
        del (self._observers if observes else self._changes)[pos]
        self._free[observes].append(bit)
        self._legal.clear()
        after = Configurations(self._meter)
        for (state, changes), (seen, used, trace) in done:
            if observes:
                after.add((state, changes), (seen & ~bit, used, trace))
            else:
                after.add((state, changes & ~bit), (seen, used, trace))
        return after

    def _expand(
        self, pending: list[tuple[Key, Item]], done: Configurations, bit: int, observes: bool, place: int
    ) -> None:
        """Linearize changes, in every order, until the call with the bit is done."""
        reached = Configurations(self._meter)
        for key, item in pending:
            reached.add(key, item)
        changes = sorted(self._changes.values(), key=_ends)
        while pending:
            key, item = pending.pop()
            for next_key, next_item in self._next(key, item, changes, place):
                if (next_item[0] if observes else next_key[1]) & bit:
                    done.add(next_key, next_item)
                elif reached.add(next_key, next_item):
                    pending.append((next_key, next_item))

    def _next(self, key: Key, item: Item, changes: Sequence[_Flight], place: int) -> Iterator[tuple[Key, Item]]:
        state, done = key
        seen, used, trace = item
        tried: set[int] = set()
        for flight in changes:
            if done & flight.bit or flight.kind in tried:
                continue
            tried.add(flight.kind)  # of identical changes the one that ends first
            after = self._move(state, flight.kind)
            if after != _ILLEGAL:
                more = seen | self._placeable(after)
                yield (after, done | flight.bit), (more, used, (flight.kind, flight.pos, place, trace))
        for kind, number in self._unknown.items():
            if used[number] < len(self._arrived[number]):
                after = self._move(state, kind)
                if after != state:
                    counts = (*used[:number], used[number] + 1, *used[number + 1 :])
                    more = seen | self._placeable(after)
                    yield (after, done), (more, counts, (kind, None, place, trace))

    def _placeable(self, state: int) -> int:
        """The observers in flight that are legal in a state."""
        found = self._legal.get(state)
        if found is None:
            found = 0
            for flight in self._observers.values():
                if self._move(state, flight.kind) != _ILLEGAL:
                    found |= flight.bit
            self._legal[state] = found
        return found

    def _witness(self, trace: Trace) -> list[int]:
        """Return the changes in their order, with every observer in a legal gap that its span meets."""
        steps: list[tuple[int, int | None, int]] = []
        while trace is not None:
            kind, chosen, place, trace = trace
            steps.append((kind, chosen, place))
        steps.reverse()
        arrived = [iter(positions) for positions in self._arrived]
        order: list[int] = []
        points: list[int] = []
        states = [self._start]
        for kind, chosen, place in steps:
            order.append(next(arrived[self._unknown[kind]]) if chosen is None else chosen)
            points.append(place - 1)
            states.append(self._move(states[-1], kind))
        gaps: list[list[int]] = [[] for _ in states]
        done = set(order)
        for pos, row in enumerate(self._rows):
            kind = self._kind_of[pos]
            if pos not in done and kind not in self._unknown:
                if self._observes(pos):
                    gap = bisect_left(points, self._history.inv[row])
                    while self._move(states[gap], kind) == _ILLEGAL:
                        gap += 1
                    gaps[gap].append(pos)
                else:
                    gaps[-1].append(pos)  # a change without response in the search: never
        witness = list(gaps[0])
        for pos, observers in zip(order, gaps[1:], strict=True):
            witness.append(pos)
            witness.extend(observers)
        return witness

    def _proof(self, pos: int) -> Proof:
        """The calls since the last moment at which nothing was in flight; every order of them was tried."""
        since, states = self._cut
        end = self._history.res[self._rows[pos]]
        rows = tuple(each for each in range(since, len(self._rows)) if self._history.inv[self._rows[each]] < end)
        call = self._history.call(self._rows[pos])
        message = f"no order of the calls so far explains the answer of {call}"
        return Proof("search", message, rows, tuple(self._states[state] for state in states))


def _ends(flight: _Flight) -> int:
    return flight.ends


Decide: TypeAlias = Callable[[Model, History, Sequence[int], Any, Watch], list[int]]


def decide(model: Model, history: History, rows: Sequence[int], state: Any, watch: Watch) -> list[int]:
    """Search an order; see `Search`."""
    return Search(model, history, rows, state, watch).run()
