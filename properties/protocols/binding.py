"""Binding: what a backend really does, recorded, must be a path of the proved protocol.

A recording is the statements that one call sent (or, of the memory backend, what it did with its lock and its
state), and what the call came to.  It is accepted when the machine of the protocol, the very one that is proved,
can do the same with one client: the moves that have a statement in the order recorded, any others in between,
and at the end the same answer.  A statement that failed did nothing, but for a COMMIT, of which
nobody can tell.  Nothing is said here of which orders are right.
"""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine, Store
from mobstore.backends.sqlite import HANDLERS, Handler, OutcomeUnknown
from mobstore.model import FrozenMap, MobStoreError, Operation, OtherMachineInput, evolve
from mobstore.model import operations as ops
from mobstore.model.machines import Input, Transitioned
from mobstore.properties import smoke
from mobstore.properties.faults.disk import Disk, Fault
from mobstore.properties.faults.storage import SqliteStorage
from mobstore.properties.protocols.protocol import (
    Call,
    Called,
    Calls,
    Client,
    Move,
    OfClient,
    Place,
    Protocol,
    Statement,
    Value,
    Verdict,
)
from mobstore.properties.protocols.sqlite import Wrote
from mobstore.properties.subject import ManualClock, Reference

Deed: TypeAlias = Statement | str
"""A statement of the protocols, or the text of one that no protocol has."""

Ending: TypeAlias = Verdict | None
"""What a call answered; None when it said that nobody can tell."""

_KINDS: Final[Mapping[str, Statement]] = {
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE"), Statement.CHANGE),
    **{word.value: word for word in (Statement.SELECT, Statement.COMMIT, Statement.ROLLBACK)},
}
_BEGINS: Final[Mapping[str, Statement]] = {
    word.value: word for word in (Statement.BEGIN, Statement.BEGIN_IMMEDIATE)
}


def statement_of(sql: str) -> Deed:
    """Return the kind of a statement, or its text where no protocol has such a one."""
    text = " ".join(sql.split())
    begin = _BEGINS.get(text)
    return _KINDS.get(text.partition(" ")[0], text) if begin is None else begin


@attrs.frozen
class Recording:
    """One call.

    Attributes:
        call: its name.
        deeds: what it did, in order.
        failed: the place of the deed that failed; None when all went well.
        answer: what it answered.
        error: what it raised instead.
        changes: whether the model says that it changes something.
    """

    call: str
    deeds: tuple[Deed, ...]
    failed: int | None
    answer: Any
    error: MobStoreError | None
    changes: bool

    @property
    def endings(self) -> tuple[Ending, ...]:
        """Where the client may be then; an error changed nothing, whether a call or a storage made it."""
        if isinstance(self.error, OutcomeUnknown):
            return (None,)
        if self.error is not None:
            return (Verdict.FAILED,) if self.failed is not None else (Verdict.REFUSED, Verdict.FAILED)
        return (Verdict.MISMATCH,) if self.answer is False else (Verdict.DONE,)


# --- the protocol's side --------------------------------------------------------------------------------------

_CLIENT: Final = Client("c")
_CALL: Final = Call("call")
_OLD, _NEW, _MIDWAY, _OTHER = Value("old"), Value("new"), Value("midway"), Value("other")


def _tables(ending: Ending, *, changes: bool) -> tuple[Calls, Value]:
    """Return what a call means that comes to an ending, and what the storage held."""
    return (
        Calls(
            FrozenMap({_CALL: frozenset([_OLD])}),
            FrozenMap({_CALL: frozenset([_MIDWAY])}),
            FrozenMap({_CALL: FrozenMap({_OLD: _NEW if changes else _OLD})}),
            frozenset([_CALL] if ending is Verdict.REFUSED else []),
        ),
        _OTHER if ending is Verdict.MISMATCH else _OLD,
    )


class Acceptor:
    """A protocol with one client that made a call, as an automaton on what can be seen of its moves."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._moves: dict[Deed | None, list[Any]] = {}
        for move, transition in zip(protocol.moves, protocol.machine.transitions, strict=True):
            kind: Any = transition.input
            if issubclass(kind, Called):
                self._invoke = kind
            elif issubclass(kind, OfClient) and _goes_on(move):
                self._moves.setdefault(move.statement, []).append(kind)
        self._refusals: dict[Any, str | None] = {}

    def refusal(self, recording: Recording) -> str | None:
        """Return why a recording is no path of the protocol; None when it is one."""
        refusals = [self._known(recording, ending) for ending in recording.endings]
        return None if None in refusals else f"{recording.call}: {refusals[0]}"

    def _known(self, recording: Recording, ending: Ending) -> str | None:
        case = recording.deeds, recording.failed, ending, recording.changes
        if case not in self._refusals:
            self._refusals[case] = self._refusal(*case)
        return self._refusals[case]

    def _refusal(self, deeds: tuple[Deed, ...], failed: int | None, ending: Ending, changes: bool) -> str | None:
        start = self._protocol.start(*_tables(ending, changes=changes))
        states = self._silently(self._after({start}, self._invoke(_CLIENT, _CALL)))
        for number, deed in enumerate(deeds):
            states = self._failing(states, deed) if number == failed else self._by(states, deed)
            if not states:
                return f"{_listed(deeds[:number])}, the protocol {self._protocol.name} has no {deed!s}"
            states = self._silently(states)
        if not any(_is_at(state, ending) for state in states):
            shown = "gives no answer" if ending is None else f"does not answer {ending}"
            return f"{_listed(deeds)}, the protocol {self._protocol.name} {shown}"
        return None

    def _failing(self, states: set[Any], deed: Deed) -> set[Any]:
        """A statement that failed did nothing, but of a COMMIT nobody can tell: its frames may be in the log."""
        reached = self._by(states, deed)
        return reached if deed is Statement.COMMIT or not reached else states

    def _by(self, states: set[Any], deed: Deed | None) -> set[Any]:
        inputs = [
            kind(_CLIENT, _MIDWAY) if issubclass(kind, Wrote) else kind(_CLIENT)
            for kind in self._moves.get(deed, ())
        ]
        return {after for input in inputs for after in self._after(states, input)}

    def _after(self, states: set[Any], input: Input) -> set[Any]:
        results = (self._protocol.machine.step(state, input) for state in states)
        return {result.next_state for result in results if isinstance(result, Transitioned)}

    def _silently(self, states: set[Any]) -> set[Any]:
        """Return the states, and those that moves lead to of which nothing can be seen."""
        known, new = set(states), states
        while new:
            new = self._by(new, None) - known
            known |= new
        return known


def _goes_on(move: Move) -> bool:
    """Whether a client that makes the move is neither dead then nor done with its call."""
    return move.target not in (Place.CUT, Place.GONE, Place.IDLE) or move.statement is not None


def _is_at(state: Any, ending: Ending) -> bool:
    place = state.place[_CLIENT]
    if ending is None:
        return place is Place.CUT
    return place is Place.ANSWERED and state.answer[_CLIENT] is ending


def _listed(deeds: Sequence[Deed]) -> str:
    return f"after {', '.join(deeds) or 'nothing'}"


# --- the backend's side ---------------------------------------------------------------------------------------


class Recorder:
    """Hears what a backend does; the deed of the number ``fail_at`` fails, once."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.connections: list[sqlite3.Connection] = []
        self.fail_at: int | None = None

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        """Open a connection, and remember it; see `mobstore.backends.sqlite.Connect`."""
        connection: sqlite3.Connection = sqlite3.connect(*arguments, **options)
        self.connections.append(connection)
        return connection

    def trace(self, sql: str) -> None:
        """Hear of a statement; see `mobstore.backends.sqlite.Trace`.

        Raises:
            sqlite3.OperationalError: this one is to fail.
        """
        deed = statement_of(sql)
        self.deeds.append(deed)
        if len(self.deeds) - 1 == self.fail_at and deed is not Statement.ROLLBACK:
            self.fail_at = None
            msg = "a statement failed"
            raise sqlite3.OperationalError(msg)

    def store(self, state: Any) -> Store:
        """Return a store of the memory backend that is heard; see `MemoryEngine`."""
        return _HeardStore(state, self.deeds)

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open in a connection."""
        return any(map(_is_in_transaction, self.connections))


def _is_in_transaction(connection: sqlite3.Connection) -> bool:
    try:
        return connection.in_transaction
    except sqlite3.ProgrammingError:
        # It was closed, which ends its transaction.
        return False


class _HeardLock:
    """A lock that tells when it is taken and given back."""

    def __init__(self, deeds: list[Deed]) -> None:
        self._lock, self._deeds = threading.Lock(), deeds

    def acquire(self, *arguments: Any) -> bool:
        taken = self._lock.acquire(*arguments)
        self._deeds += [Statement.ACQUIRE] if taken else []
        return taken

    def release(self) -> None:
        self._deeds.append(Statement.RELEASE)
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _HeardStore(Store):
    """A store that tells when its state is read and swapped."""

    def __init__(self, state: Any, deeds: list[Deed]) -> None:
        self._state, self._deeds = state, deeds
        super().__init__(state, _HeardLock(deeds))
        deeds.clear()

    @property
    def state(self) -> Any:
        self._deeds.append(Statement.READ)
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        self._deeds.append(Statement.SWAP)
        self._state = state


def record_memory(engine: Callable[..., MemoryEngine] = MemoryEngine) -> Iterator[Recording]:
    """Make every call on the memory backend, and hear what it does with its locks and states.

    Each call is made where its run is unknown; then, in an order in which each finds what it needs, with an
    authority input that is refused, with success, and again, which does not match.
    """

    @contextmanager
    def benches() -> Iterator[_Bench]:
        recorder, clock = Recorder(), ManualClock()
        yield _Bench(recorder, Stores(engine(clock, store=recorder.store)), clock)

    return _recorded(benches, lambda bench, call: iter((bench.make(call),)))


def record_sqlite(handlers: Mapping[Any, Handler] = HANDLERS, *, failing: bool = False) -> Iterator[Recording]:
    """Make every call on the SQLite backend as `record_memory` does, and hear the statements.

    With ``failing``, each statement of a changing call fails in turn before it succeeds, and each operation of the
    disk.
    """
    disks: list[Disk] = []

    @contextmanager
    def benches() -> Iterator[_Bench]:
        recorder, clock, disk = Recorder(), ManualClock(), Disk()
        disks.append(disk)
        with SqliteStorage(connect=recorder.connect, handlers=handlers).open(disk, clock, recorder.trace) as stores:
            yield _Bench(recorder, stores, clock)

    def make(bench: _Bench, call: Operation[Any]) -> Iterator[Recording]:
        if failing and not call.reads:
            yield from bench.with_failing_statements(call)
            yield from bench.with_failing_disk(call, disks[-1])
        yield bench.make(call)

    return _recorded(benches, make)


@attrs.frozen
class Holding:
    """A backend held to a protocol: how many recordings of it there are, and why some are no paths."""

    backend: str
    protocol: Protocol
    recordings: int
    refusals: tuple[str, ...]


def hold(backend: str, protocol: Protocol, recordings: Iterable[Recording]) -> Holding:
    """Hold what a backend does to a protocol."""
    acceptor = Acceptor(protocol)
    answers = [acceptor.refusal(recording) for recording in recordings]
    return Holding(backend, protocol, len(answers), tuple(answer for answer in answers if answer is not None))


def _recorded(
    benches: Callable[[], AbstractContextManager[_Bench]],
    make: Callable[[_Bench, Operation[Any]], Iterator[Recording]],
) -> Iterator[Recording]:
    with benches() as bench:
        yield from (bench.make(call) for call in smoke.EXECUTED[1:] if call.store == "run")
    with benches() as bench:
        for call in smoke.EXECUTED:
            if hasattr(call, "authority_inputs"):
                yield bench.make(evolve(call, {"authority_inputs": (OtherMachineInput("NoSuchInput"),)}))
            yield from make(bench, call)
            yield bench.make(call)


def _result(stores: Stores | Reference, call: Operation[Any]) -> tuple[Any, MobStoreError | None]:
    try:
        return stores.execute(call), None
    except MobStoreError as error:
        return None, error


class _Bench:
    """A backend that is recorded, beside the model."""

    def __init__(self, recorder: Recorder, stores: Stores, clock: Clock) -> None:
        self._recorder = recorder
        self._stores = stores
        self._model = Reference(clock)
        stores.execute(ops.LatestCursor())

    def make(self, call: Operation[Any], fail_at: int | None = None, disk: Disk | None = None) -> Recording:
        """Make a call, on the model too unless the storage failed."""
        before = self._model.state
        recorder = self._recorder
        recorder.deeds.clear()
        recorder.fail_at = fail_at
        answer, error = _result(self._stores, call)
        broke = recorder.fail_at != fail_at or (disk is not None and bool(disk.failed))
        failed = self._failed() if broke and error is not None else None
        if failed is None:
            _result(self._model, call)
        changes = self._model.state != before
        return Recording(call.call, tuple(recorder.deeds), failed, answer, error, changes)

    def _failed(self) -> int:
        """Return which deed failed: the last, but for what cleans up after it."""
        deeds = self._recorder.deeds
        last = max(place for place, deed in enumerate(deeds) if deed is not Statement.ROLLBACK)
        if last == len(deeds) - 1 > 0 and not self._recorder.is_in_transaction:
            # SQLite has ended the transaction by itself.
            deeds.append(Statement.ROLLBACK)
        return last

    def with_failing_statements(self, call: Operation[Any]) -> Iterator[Recording]:
        """Let each statement of a call fail, in turn; the last is its COMMIT."""
        for number in itertools.count():
            recording = self.make(call, number)
            yield recording
            if recording.failed is None or recording.deeds[recording.failed] is Statement.COMMIT:
                return

    def with_failing_disk(self, call: Operation[Any], disk: Disk) -> Iterator[Recording]:
        """Let each operation of the disk fail that a call makes, in turn."""
        for number in itertools.count():
            disk.arm(Fault(number))
            yield self.make(call, disk=disk)
            reached = bool(disk.failed)
            disk.arm(None)
            if not reached:
                return
