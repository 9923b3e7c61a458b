"""The memory backend, interrupted: an exception at any point of a call leaves the old or the new state.

What a signal handler raises (``KeyboardInterrupt``) comes up where the interpreter looks for it: after a call, at
the beginning of a function, at the end of a loop's body.  A ``MemoryError`` comes up in any instruction that does
more than move a value, one that compares a caller's values included.  A trace function raises before each such
instruction of a call; then the store is in the state before or after, no lock is held, a subscriber that slept has
been woken if there is an event for it, and the next call works.

Two instructions that leave a ``with`` are no such points: nothing comes between the last instruction of its body
and the release of its lock, for which the interpreter allocates nothing and looks for nothing.
"""

from __future__ import annotations

import dis
import functools
import re
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

import attrs

from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine
from mobstore.model import Operation, State, step
from mobstore.properties import smoke
from mobstore.properties.faults.storage import difference, expected_look, look
from mobstore.properties.subject import ManualClock

ERRORS: Final = (KeyboardInterrupt, MemoryError)


@attrs.define
class Interruptions:
    """What was tried of a call: points at which it was interrupted, and the state that was left."""

    name: str
    points: int = 0
    unchanged: int = 0
    changed: int = 0
    harms: list[str] = attrs.field(factory=list)


class _Injector:
    """Raises an exception at the n-th point of a call at which one may come up; counts them when n is None."""

    def __init__(self, at: int | None, error: type[BaseException]) -> None:
        self.points = 0
        self.where = ""
        self._at = at
        self._error = error

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Trace; see `sys.settrace`."""
        del argument
        if not frame.f_globals.get("__name__", "").startswith(_TRACED):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_lasti in _points(frame.f_code):
            number, self.points = self.points, self.points + 1
            if number == self._at:
                self.where = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
                raise self._error
        return self


_TRACED: Final = ("mobstore.backends", "mobstore.model", "threading")
_LOOKS_FOR_SIGNALS: Final = {"CALL", "CALL_FUNCTION_EX", "CALL_KW", "RESUME", "JUMP_BACKWARD"}
_MOVES: Final = re.compile(
    r"LOAD_CONST|LOAD_SMALL_INT|(LOAD|STORE)_(FAST|DEREF|CLOSURE).*|POP_TOP|NOP|COPY|SWAP|PRECALL|KW_NAMES|PUSH_NULL|RESUME"
    r"|RETURN_.*|.*JUMP.*|CACHE|.*EXC.*|RERAISE|MAKE_CELL|COPY_FREE_VARS|EXTENDED_ARG|IS_OP|NOT_TAKEN"
)


@functools.cache
def _points(code: CodeType) -> frozenset[int]:
    """The offsets of the instructions before which an exception may come up."""
    found, before = set(), ""
    recent: list[tuple[str, Any]] = []
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        leaves_with = name == "CALL" and recent[-3:] == [("LOAD_CONST", None)] * 3
        if not leaves_with and (before in _LOOKS_FOR_SIGNALS or not _MOVES.fullmatch(name)):
            found.add(instruction.offset)
        before = name
        if name != "PRECALL":
            recent = [*recent[-2:], (name, instruction.argval)]
    return frozenset(found)


class WithState(MemoryEngine):
    """A memory engine that begins in a state."""

    def __init__(self, clock: ManualClock, state: State) -> None:
        super().__init__(clock)
        self.stores = {kind.store: store for kind, (store, _) in self._calls.items()}
        for name, value in attrs.asdict(state, recurse=False).items():
            self.stores[name].state = value

    def state(self) -> State:
        """Return the state of all stores."""
        return State(**{name: store.state for name, store in self.stores.items()})

    def held(self) -> list[str]:
        """Return the stores whose lock is held."""
        return [name for name, store in self.stores.items() if store.lock.locked()]


def interrupt_calls(every: int, *, engine: type[WithState] = WithState) -> Iterator[Interruptions]:
    """Interrupt every call at every ``every``-th point, with `ERRORS` in turn."""
    clock, state = ManualClock(), State()
    for call in smoke.EXECUTED:
        yield _interrupt(engine, clock, state, call, every)
        state, _ = step(state, call, clock())


def _interrupt(
    kind: type[WithState], clock: ManualClock, state: State, call: Operation[Any], every: int
) -> Interruptions:
    found = Interruptions(call.call)
    after, _ = step(state, call, clock())
    looks = (expected_look(state, clock()), expected_look(after, clock()))
    counter = _Injector(None, KeyboardInterrupt)
    backend = kind(clock, state)
    asleep(backend)
    _traced(Stores(backend), call, counter)
    for number, at in enumerate(range(0, counter.points, every)):
        injector = _Injector(at, ERRORS[number % len(ERRORS)])
        backend = kind(clock, state)
        stores = Stores(backend)
        sleeper = asleep(backend)
        raised = _traced(stores, call, injector)
        found.points += 1
        missed = sleeper.locked() and backend.stores["event"].state.appended != state.event.appended
        verdict = _verdict(backend, stores, (state, after), looks, raised, found)
        if missed and not verdict:
            verdict = "an event was appended, and a subscriber sleeps on"
        if verdict:
            found.harms.append(f"{call.call} interrupted in {injector.where}: {verdict}")
    return found


def asleep(engine: WithState) -> threading.Lock:
    """Let a subscriber sleep until the feed is told of news; the lock is released when it is woken.

    It stands for a thread in ``Condition.wait``, which waits for such a lock.
    """
    sleeper = threading.Lock()
    sleeper.acquire()
    changed: Any = engine.stores["event"].changed
    changed._waiters.append(sleeper)  # noqa: SLF001 - no thread has to be waited for
    return sleeper


def _traced(stores: Stores, call: Operation[Any], injector: _Injector) -> BaseException | None:
    before = sys.gettrace()
    sys.settrace(injector)
    try:
        stores.execute(call)
    except BaseException as error:  # noqa: BLE001 - what was raised is part of the verdict
        return error
    finally:
        sys.settrace(before)
    return None


def _verdict(
    engine: WithState,
    stores: Stores,
    states: tuple[State, State],
    looks: Any,
    raised: BaseException | None,
    found: Interruptions,
) -> str:
    held = engine.held()
    if held:
        return f"the lock of {', '.join(held)} is still held"
    now = engine.state()
    if _same(now, states[0]):
        found.unchanged += 1
        expected = looks[0]
    elif _same(now, states[1]):
        found.changed += 1
        expected = looks[1]
    else:
        return "the state is neither the old nor the new one"
    if raised is None and expected is not looks[1]:
        return "the call answered and did nothing"
    return difference(look(stores), expected)


def _same(left: State, right: State) -> bool:
    return all(
        ours is theirs or ours == theirs
        for ours, theirs in zip(
            attrs.asdict(left, recurse=False).values(), attrs.asdict(right, recurse=False).values(), strict=True
        )
    )
