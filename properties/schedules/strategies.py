"""Strategies: who goes on next.

- `Exhaustive` takes every schedule, once; with sleep sets (Godefroid, 1996) only one of those that differ in the
  order of independent steps.  When it is over, nothing else can happen to this scenario.
- `Pct` is probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, 2010): every client has a
  random priority, the highest goes on, and at ``depth`` - 1 random places the one that runs falls to the end.  With
  n clients and k steps, one execution finds a bug of that depth with a probability of at least
  1 / (n * k ** (depth - 1)).
- `Preferences` is a list of small numbers, of which a shorter and smaller one is a simpler schedule: what
  Hypothesis draws, and shrinks.
- `Replay` makes a printed list of choices again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from mobstore.properties.schedules.footprint import Footprint
from mobstore.properties.schedules.scheduler import Execution, NotUnderControl


class Strategy(Protocol):
    """Decides any number of executions, one after the other.

    ``over`` is whether every schedule that can come to anything new was taken.
    """

    @property
    def over(self) -> bool:
        """Whether nothing else can happen."""

    def begin(self) -> bool:
        """Begin the next execution; False when there is none left."""

    def choose(self, runnable: tuple[int, ...], last: int | None, footprint: Footprint, /) -> int | None:
        """Say who goes on; see `Choose`."""

    def ended(self, execution: Execution) -> None:
        """Be told what came of it."""


@attrs.define
class _Node:
    """A place where somebody was chosen: who could be, who sleeps, who was chosen before and what that touched."""

    runnable: tuple[int, ...]
    sleep: dict[int, Footprint]
    chosen: int
    done: dict[int, Footprint] = attrs.field(factory=dict)


class Exhaustive:
    """Every schedule, depth first; ``sleep`` leaves out what differs in the order of independent steps only."""

    def __init__(self, *, sleep: bool = True) -> None:
        self._sleep = sleep
        self._path: list[_Node] = []
        self._depth = 0
        self._begun = False
        self.over = False
        """Whether every schedule was taken."""

    def begin(self) -> bool:
        """Begin the next schedule."""
        if self._begun and not self._advance():
            self.over = True
            return False
        self._begun, self._depth = True, 0
        return True

    def _advance(self) -> bool:
        """Turn the last place at which something else can be chosen, and forget those after it."""
        while self._path:
            node = self._path[-1]
            left = [one for one in node.runnable if one not in node.done and one not in node.sleep]
            if left:
                node.chosen = left[0]
                return True
            self._path.pop()
        return False

    def choose(self, runnable: tuple[int, ...], last: int | None, footprint: Footprint) -> int | None:
        """Say who goes on; None when all who could sleep: whatever follows was seen in another order."""
        if self._depth:
            before = self._path[self._depth - 1]
            before.done[before.chosen] = footprint
        if self._depth < len(self._path):
            node = self._path[self._depth]
            if node.runnable != runnable:
                msg = f"step {self._depth}: {list(runnable)} can go on, and it was {list(node.runnable)} before"
                raise NotUnderControl(msg)
        else:
            sleep = self._sleepers(footprint)
            awake = [one for one in runnable if one not in sleep]
            if not awake:
                return None
            node = _Node(runnable, sleep, last if last in awake and last is not None else awake[0])
            self._path.append(node)
        self._depth += 1
        return node.chosen

    def _sleepers(self, footprint: Footprint) -> dict[int, Footprint]:
        if not self._sleep or not self._depth:
            return {}
        before = self._path[self._depth - 1]
        asleep = {**before.sleep, **before.done}
        return {
            one: touched
            for one, touched in asleep.items()
            if one != before.chosen and not touched.conflicts(footprint)
        }

    def ended(self, execution: Execution) -> None:
        """Note what the last step touched."""
        if execution.stopped:
            return
        node = self._path[self._depth - 1]
        node.done[node.chosen] = execution.steps[-1].footprint


class Pct:
    """Random priorities with ``depth`` - 1 places of change, ``executions`` times."""

    over: Final = False

    def __init__(self, depth: int, executions: int, seed: int, *, steps: int = 1) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed makes it again
        self._depth = depth
        self._limit = executions
        self._priorities: dict[int, float] = {}
        self._changes: list[int] = []
        self._taken = 0
        self.executions = 0
        self.steps = steps
        """The steps of the longest execution so far: k of the bound."""
        self.clients = 1
        """The clients seen so far: n of the bound."""

    def begin(self) -> bool:
        """Draw priorities and places."""
        if self.executions >= self._limit:
            return False
        self.executions += 1
        self._priorities, self._taken = {}, 0
        self._changes = [self._random.randrange(1, self.steps + 1) for _ in range(self._depth - 1)]
        return True

    def choose(self, runnable: tuple[int, ...], last: int | None, _: Footprint) -> int:
        """Say who goes on: the highest priority; at a place of change it falls below all others first."""
        for client in runnable:
            if client not in self._priorities:
                self._priorities[client] = 1 + self._random.random()
        if last is not None and self._taken in self._changes:
            self._priorities[last] = -self._taken
        self._taken += 1
        return max(runnable, key=self._priorities.__getitem__)

    def ended(self, execution: Execution) -> None:
        """Learn how long executions are."""
        self.steps = max(self.steps, len(execution.steps))
        self.clients = max(self.clients, len(self._priorities))

    @property
    def bound(self) -> float:
        """The least probability with which one execution finds a bug of this depth."""
        return 1.0 / (self.clients * int(self.steps ** (self._depth - 1)))


class _Listed:
    """One schedule, decided by a list of numbers."""

    over: Final = False

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = tuple(numbers)
        self._place = 0
        self._begun = False

    def begin(self) -> bool:
        """Begin the one execution."""
        begun, self._begun, self._place = self._begun, True, 0
        return not begun

    def _next(self) -> int | None:
        """The next number, None when the list is over."""
        place, self._place = self._place, self._place + 1
        return self._numbers[place] if place < len(self._numbers) else None

    def ended(self, execution: Execution) -> None:
        """Learn nothing."""


class Preferences(_Listed):
    """One schedule: each number says who goes on of those that can, the last one first and the others after.

    Where the list is over, and at 0, whoever went on goes on; so no numbers are no preemption.
    """

    def choose(self, runnable: tuple[int, ...], last: int | None, _: Footprint) -> int:
        """Say who goes on."""
        number = (self._next() or 0) % len(runnable)
        if last not in runnable:
            return runnable[number]
        return [last, *(client for client in runnable if client != last)][number]


class Replay(_Listed):
    """One schedule: the choices that were printed; when they are over, the last client goes on."""

    def choose(self, runnable: tuple[int, ...], last: int | None, _: Footprint) -> int:
        """Say who goes on."""
        chosen = self._next()
        if chosen is not None:
            return chosen
        return last if last in runnable and last is not None else runnable[0]
