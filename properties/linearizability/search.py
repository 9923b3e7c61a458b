"""Just-in-time linearization: the search for histories whose order the values do not force.

A configuration is a state with the changes done among those in flight, the observers done, and the changes of
unknown outcome used.  Events are walked in their order; calls are linearized only when a response demands its call.
Six rules keep the configurations few:

- *Observers greedily*: a call that changes nothing is placed as soon as it is legal.
- *Unknown outcomes as classes*: identical ones are interchangeable and are counted.  One that would change nothing
  is not used.
- *Identical changes by deadline*: of two in flight that do the same the one that responds first goes first.
- *Blind changes hide*: one that was in flight when an overwrite was linearized may stand right before that, where
  nobody sees it.  It is *free*: done when its response demands it, and until then still to be linearized where it
  is seen.  So nothing has to be decided about changes that nobody sees.
- *Dominance*: of two configurations with the same state and the same comparing changes done, one that has placed
  more observers, used fewer unknown changes, and has blind changes free that the other has done or not, makes the
  other superfluous; antichains are kept.
- *Laziness*: a configuration in which the call that responds is done, and not only free, is not taken further.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability.chain import Refuted
from mobstore.properties.linearizability.history import NEVER, History, Outcome
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.verdict import Proof, Watch

_LOOK_EVERY: Final = 4096
_ILLEGAL: Final = -1
_HIDDEN: Final = -1

Trace: TypeAlias = tuple[Any, ...] | None
"""The changes of a configuration, the last one first: (class, position or None, place in time, trace before).

A change that hides has the place `_HIDDEN`.
"""
Item: TypeAlias = tuple[int, int, int, tuple[int, ...], Trace]
"""Observers placed, blind changes free, blind changes done (bits), unknown changes used by their class, trace."""
Key: TypeAlias = tuple[int, int]
"""State, and other changes done among those in flight (bits)."""


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

    def holds(self, key: Key, item: Item) -> bool:
        """Whether a configuration that was added is still there."""
        return any(other is item for other in self.items[key])

    def __iter__(self) -> Iterator[tuple[Key, Item]]:
        for key, held in self.items.items():
            for item in held:
                yield key, item


def dominates(left: Item, right: Item) -> bool:
    """Whether whatever can follow on ``right`` can follow on ``left``.

    It has placed what ``right`` has, has free what that has free, has done no blind change that it has not done,
    and has free what it has not done of those; and has used no more unknown changes of any class.
    """
    return (
        not right[0] & ~left[0]
        and not right[1] & ~left[1]
        and not left[2] & ~right[2]
        and not right[2] & ~left[2] & ~left[1]
        and all(map(int.__le__, left[3], right[3]))
    )


class _Role(enum.IntEnum):
    """What a call is to the search: an observer, a blind change, or a change that compares."""

    OBSERVER = 0
    BLIND = 1
    OTHER = 2


@attrs.define
class _Flight:
    """A call between its invocation and its response: its bit, among those of its role."""

    pos: int
    bit: int
    kind: int
    ends: int
    role: _Role


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
        self._overwrites: list[bool] = []  # whether the calls of each class overwrite
        self._classify()
        self._start = self._number(state)
        self._flying: tuple[dict[int, _Flight], ...] = ({}, {}, {})  # of each role
        self._unused: tuple[list[int], ...] = ([], [], [])  # bits, of each role
        self._slots = [0, 0, 0]
        self._blind = 0  # the bits of the blind changes in flight
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
                self._overwrites.append(self._model.overwrites(f, value))
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
        configurations.add((self._start, 0), (0, 0, 0, (0,) * len(self._unknown), None))
        invoked = 0
        for walked, (place, pos, is_response) in enumerate(self._events()):
            self._meter.place, self._meter.before = walked, configurations.count
            invoked += not is_response
            if is_response:
                configurations = self._respond(configurations, pos, place)
            else:
                configurations = self._invoke(configurations, pos)
            if not (any(self._flying) or self._unknown):
                self._cut = (invoked, tuple({key[0] for key, _ in configurations}))
        _, item = next(iter(configurations))
        return self._witness(item[4])

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

    def _role(self, pos: int) -> _Role:
        if self._observes(pos):
            return _Role.OBSERVER
        row = self._rows[pos]
        blind = self._model.blind(self._history.f[row], self._history.value[row])
        return _Role.BLIND if blind else _Role.OTHER

    def _invoke(self, configurations: Configurations, pos: int) -> Configurations:
        kind = self._kind_of[pos]
        if kind in self._unknown:
            self._arrived[self._unknown[kind]].append(pos)
            return configurations
        role = self._role(pos)
        bit = self._take(role)
        self._flying[role][pos] = _Flight(pos, bit, kind, self._history.res[self._rows[pos]], role)
        if role is _Role.BLIND:
            self._blind |= bit
        if role is not _Role.OBSERVER:
            return configurations
        self._legal.clear()
        placed = Configurations(self._meter)
        for key, item in configurations:
            legal = self._move(key[0], kind) != _ILLEGAL
            placed.add(key, (item[0] | bit, *item[1:]) if legal else item)
        return placed

    def _take(self, role: _Role) -> int:
        if self._unused[role]:
            return self._unused[role].pop()
        self._slots[role] += 1
        return 1 << (self._slots[role] - 1)

    def _respond(self, configurations: Configurations, pos: int, place: int) -> Configurations:
        flight = next(flying[pos] for flying in self._flying if pos in flying)
        done = Configurations(self._meter)
        pending: list[tuple[Key, Item]] = []
        for key, item in configurations:
            if not self._settle(done, key, item, flight):
                pending.append((key, item))
        self._expand(pending, done, flight, place)
        if not done.count:
            raise Refuted(self._proof(pos))
        del self._flying[flight.role][pos]
        self._unused[flight.role].append(flight.bit)
        self._legal.clear()
        if flight.role is _Role.BLIND:
            self._blind &= ~flight.bit
        return self._without(done, flight)

    def _settle(self, done: Configurations, key: Key, item: Item, flight: _Flight) -> bool:
        """Note a configuration in which a call is done, or hides; return whether it is not taken further."""
        seen, free, blind, used, trace = item
        bit = flight.bit
        if flight.role is not _Role.BLIND:
            if not (key[1] if flight.role is _Role.OTHER else seen) & bit:
                return False
            done.add(key, item)
            return True
        if blind & bit:
            done.add(key, item)
            return True
        if free & bit:
            done.add(key, (seen, free & ~bit, blind | bit, used, (flight.kind, flight.pos, _HIDDEN, trace)))
        return False

    def _without(self, done: Configurations, flight: _Flight) -> Configurations:
        """The configurations without the bit of a call that has responded."""
        after, keep = Configurations(self._meter), ~flight.bit
        for (state, changes), (seen, free, blind, used, trace) in done:
            if flight.role is _Role.OBSERVER:
                after.add((state, changes), (seen & keep, free, blind, used, trace))
            elif flight.role is _Role.BLIND:
                after.add((state, changes), (seen, free & keep, blind & keep, used, trace))
            else:
                after.add((state, changes & keep), (seen, free, blind, used, trace))
        return after

    def _expand(self, pending: list[tuple[Key, Item]], done: Configurations, flight: _Flight, place: int) -> None:
        """Linearize changes, in every order, until a call is done: the shortest sequences first."""
        reached = Configurations(self._meter)
        for key, item in pending:
            reached.add(key, item)
        queue = deque(pending)
        changes = sorted((*self._flying[_Role.BLIND].values(), *self._flying[_Role.OTHER].values()), key=_ends)
        while queue:
            key, item = queue.popleft()
            if not reached.holds(key, item):
                continue
            for next_key, next_item in self._next(key, item, changes, place):
                if not self._settle(done, next_key, next_item, flight) and reached.add(next_key, next_item):
                    queue.append((next_key, next_item))

    def _next(self, key: Key, item: Item, changes: Sequence[_Flight], place: int) -> Iterator[tuple[Key, Item]]:
        state, compared = key
        seen, free, blind, used, trace = item
        tried: set[tuple[int, bool]] = set()
        for flight in changes:
            is_blind = flight.role is _Role.BLIND
            # Of identical changes the one that ends first; but one that is free is not worth one that must be done.
            same = (flight.kind, bool(free & flight.bit) and not self._overwrites[flight.kind])
            if (blind if is_blind else compared) & flight.bit or same in tried:
                continue
            tried.add(same)
            after = self._move(state, flight.kind)
            if after == _ILLEGAL:
                continue
            step = (flight.kind, flight.pos, place, trace)
            more = seen | self._placeable(after)
            if not is_blind:
                yield (after, compared | flight.bit), (more, free, blind, used, step)
                continue
            after_blind = blind | flight.bit
            after_free = self._blind & ~after_blind if self._overwrites[flight.kind] else free & ~flight.bit
            yield (after, compared), (more, after_free, after_blind, used, step)
        for kind, number in self._unknown.items():
            if used[number] < len(self._arrived[number]):
                after = self._move(state, kind)
                after_free = self._blind & ~blind if self._overwrites[kind] else free
                if after != state or after_free != free:
                    counts = (*used[:number], used[number] + 1, *used[number + 1 :])
                    more = seen | self._placeable(after)
                    yield (after, compared), (more, after_free, blind, counts, (kind, None, place, trace))

    def _placeable(self, state: int) -> int:
        """The observers in flight that are legal in a state."""
        found = self._legal.get(state)
        if found is None:
            found = 0
            for flight in self._flying[_Role.OBSERVER].values():
                if self._move(state, flight.kind) != _ILLEGAL:
                    found |= flight.bit
            self._legal[state] = found
        return found

    def _witness(self, trace: Trace) -> list[int]:
        """Return the changes in their order, with every observer in a legal gap that its span meets."""
        order, points = self._order(trace)
        states = [self._start]
        for pos in order:
            states.append(self._move(states[-1], self._kind_of[pos]))
        gaps: list[list[int]] = [[] for _ in states]
        for pos, row in enumerate(self._rows):
            kind = self._kind_of[pos]
            if kind not in self._unknown and self._observes(pos):
                gap = bisect_left(points, self._history.inv[row])
                while self._move(states[gap], kind) == _ILLEGAL:
                    gap += 1
                gaps[gap].append(pos)
        witness = list(gaps[0])
        for pos, observers in zip(order, gaps[1:], strict=True):
            witness.append(pos)
            witness.extend(observers)
        return witness

    def _order(self, trace: Trace) -> tuple[list[int], list[int]]:
        """Return the changes in their order, and behind which events they stand.

        One that hides stands right before the last overwrite.
        """
        steps: list[tuple[int, int | None, int]] = []
        while trace is not None:
            kind, chosen, place, trace = trace
            steps.append((kind, chosen, place))
        arrived = [iter(positions) for positions in self._arrived]
        order: list[int] = []
        points: list[int] = []
        last = 0
        for kind, chosen, place in reversed(steps):
            pos = next(arrived[self._unknown[kind]]) if chosen is None else chosen
            if place == _HIDDEN:
                order.insert(last, pos)
                points.insert(last, points[last])
                last += 1
                continue
            if self._overwrites[kind]:
                last = len(order)
            order.append(pos)
            points.append(place - 1)
        return order, points

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


def decide(model: Model, history: History, rows: Sequence[int], state: Any, watch: Watch) -> list[int]:
    """Search an order; see `Search`."""
    return Search(model, history, rows, state, watch).run()
