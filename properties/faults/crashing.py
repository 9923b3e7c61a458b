"""A backend that dies in the middle of its calls: what it answered is there, of what it did not, all or nothing.

A thread makes the changing calls one after another; in the middle of one the backend is killed, through ``kill`` of
its factory, at a moment that nobody chose.  What is opened then is in the state before or after the call that was
under way.  The calls go on from there, until the backend is killed again.
"""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from typing import Any, Final, Protocol, TypeAlias

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.model import Operation, State, step
from mobstore.properties.faults.disk import Disk, Fault, Platter, survivals
from mobstore.properties.faults.power import CHANGING
from mobstore.properties.faults.storage import Storage
from mobstore.properties.refinement import READINGS
from mobstore.properties.source import as_python
from mobstore.properties.subject import Factory, ManualClock, Outcome, call_port, outcome_of, same_outcome

Calls: TypeAlias = tuple[Operation[Any], ...]


class Mortal(Factory, Protocol):
    """A factory whose backend can be killed."""

    def kill(self) -> None:
        """Let the backend die at once, calls under way included, which err or never end; closes nothing.

        The next `open` finds what is durable.
        """


class SimulatedFactory:
    """A backend on a simulated disk, whose power fails when it is killed; a seed decides what survives."""

    def __init__(self, storage: Storage, seed: int) -> None:
        self.name = storage.name
        self._storage = storage
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._disk = Disk()
        self._opened = ExitStack()

    def open(self, clock: Clock) -> Stores:
        """Return a new handle."""
        return self._opened.enter_context(self._storage.open(self._disk, clock))

    def kill(self) -> None:
        """Cut the power: nothing reaches the old disk any more, and another has what survived."""
        with self._disk.lock:
            platter: Platter = self._disk.platter()
            platter.advance(self._disk.log)
            self._disk.arm(Fault(0, lasting=True))
        survived = self._rng.choice(list(survivals(platter.pending, self._rng, 2)))
        self._opened.pop_all().close()
        self._disk = Disk(platter.surviving(survived.changes))

    def destroy(self) -> None:
        """Close what is open, and forget the disk."""
        self._opened.pop_all().close()
        self._disk = Disk()


@attrs.frozen
class Crashed:
    """What came of it: calls that answered, deaths, deaths with a call under way, and what is wrong, or nothing.

    ``made`` are the calls that had happened on the last storage, ``under_way`` the one amid which it died.
    """

    answered: int
    deaths: int
    amid: int
    wrong: str = ""
    made: Calls = ()
    under_way: Operation[Any] | None = None

    @property
    def more(self) -> int:
        """How many calls more than one to make while it is killed, if it takes longer to die than to answer."""
        return min(_MOST_MORE, (1 << (self.deaths - self.amid) // _LEAST) - 1)

    def story(self) -> str:
        """Return what was done on the last storage, call by call."""
        told = [*(f"{as_python(call)} answered" for call in self.made), "the backend was killed"]
        if self.under_way is not None:
            told[-1] += f" while {as_python(self.under_way)} was under way"
        return "\n".join([*told, self.wrong]) + "\n"


_LONGEST: Final = 6
"""How many calls the backend answers, at most, before it is killed."""
_LIVES: Final = 10
"""How often one storage is found again, at most."""
_AT_ONCE: Final = 0.5
"""How many backends are killed as soon as their last call may begin."""
_LEAST: Final = 3
_MOST_MORE: Final = 31
_MOST: Final = 8
_PATIENCE: Final = 60.0


def crash_amid_calls(factory: Mortal, deaths: int, seed: int, capabilities: Capabilities = FULL) -> Crashed:
    """Kill the backend so many times while it is called; when all calls were made, they begin on a new storage.

    It goes on, for so many times more, while hardly a call was under way when the backend was killed.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    calls, readings = (
        tuple(call for call in some if not capabilities.lacks(call)) for some in (CHANGING, READINGS)
    )
    found = Crashed(0, 0, 0)
    while (found.deaths < deaths or (found.amid < _LEAST and found.deaths < _MOST * deaths)) and not found.wrong:
        found = _one_storage(factory, found, rng, calls, readings)
    return found


def _one_storage(factory: Mortal, found: Crashed, rng: random.Random, calls: Calls, readings: Calls) -> Crashed:
    clock, state, place = ManualClock(), State(), 0
    try:
        for _ in range(_LIVES):
            if place == len(calls) or found.wrong:
                break
            life = _Life(factory.open(clock), calls[place:], rng.randint(0, _LONGEST), found.more)
            life.end(factory, rng)
            found = Crashed(
                found.answered + life.answered,
                found.deaths + 1,
                found.amid + (life.under_way is not None),
                life.failure,
                calls[: place + life.answered],
                life.under_way,
            )
            if found.wrong:
                continue
            for call in calls[place : place + life.answered]:
                state, _ = step(state, call, clock())
            place += life.answered
            state, happened, wrong = _state_found(factory.open(clock), readings, state, life.under_way, clock())
            place += happened
            found = attrs.evolve(found, wrong=wrong)
    finally:
        factory.destroy()
    return found


class _Life:
    """A backend from its opening to its death: a thread makes so many calls, and one or more while it is killed."""

    def __init__(self, stores: Stores, calls: Calls, length: int, more: int) -> None:
        self.answered = 0
        self.under_way: Operation[Any] | None = None
        self.failure = ""
        self._stores = stores
        self._calls = calls[: length + 1 + more]
        self._last_before = min(length, len(self._calls) - 1)
        self._killed = False
        self._last = 0.0
        self._at_last = threading.Event()
        self._go = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        try:
            for number, call in enumerate(self._calls):
                if number == self._last_before:
                    self._at_last.set()
                    self._go.wait()
                self._call(call)
        except BaseException as error:  # noqa: BLE001 - whatever a backend that dies raises
            if not self._killed:
                self.failure = f"{self.under_way} ended with {type(error).__name__}: {error}"
            self._at_last.set()

    def _call(self, call: Operation[Any]) -> None:
        self.under_way = call
        begun = time.monotonic()
        call_port(self._stores, call)
        self._last = time.monotonic() - begun
        self.answered, self.under_way = self.answered + 1, None

    def end(self, factory: Mortal, rng: random.Random) -> None:
        """Let the calls be made, and kill the backend in the last one, or soon after."""
        self._thread.start()
        self._at_last.wait(_PATIENCE)
        self._go.set()
        # Where others are busy, any sleep lasts longer than a call.
        if rng.random() > _AT_ONCE:
            time.sleep(rng.random() * self._last)
        self._killed = True
        factory.kill()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self.failure = "a call did not end when the backend was killed"


def _state_found(
    stores: Stores, readings: Calls, state: State, under_way: Operation[Any] | None, now: int
) -> tuple[State, bool, str]:
    """Return the state that is there, whether the call under way happened, and what is wrong, or nothing."""
    seen = [outcome_of(lambda: call_port(stores, reading)) for reading in readings]  # noqa: B023
    wrong = _wrong(seen, readings, state)
    if wrong is None:
        return state, False, ""
    if under_way is not None:
        after, _ = step(state, under_way, now)
        if _wrong(seen, readings, after) is None:
            return after, True, ""
    amid = f", while {under_way.call} was under way" if under_way else ""
    return state, False, f"killed{amid}: {wrong} shows something else than was answered"


def _wrong(seen: list[Outcome], readings: Calls, state: State) -> Operation[Any] | None:
    """Return the first reading that shows something else than the state."""
    for found, reading in zip(seen, readings, strict=True):
        if not same_outcome(found, Outcome(step(state, reading, 0)[1])):
            return reading
    return None
