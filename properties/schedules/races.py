"""Backends with a race: each is right as long as its calls come one after the other.

Each is a plausible mistake in one of our own backends, with a scenario in which it shows.  Every one of them passes
whatever makes one call at a time; some schedule of its scenario has no sequential order.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine, Store
from mobstore.backends.sqlite import HANDLERS, Handler, SqliteEngine
from mobstore.backends.sqlite._events import insert_event, set_next_cursor
from mobstore.backends.sqlite._schema import NEXT_CURSOR
from mobstore.backends.sqlite._session import Body, Session
from mobstore.model import MobEvent, Operation, State, Timestamp
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS as MEANINGS
from mobstore.model.step import refuse_inputs
from mobstore.properties import pools
from mobstore.properties.schedules.exploration import Exploration, Failure, explore, simplest
from mobstore.properties.schedules.scenario import Scenario, beginning_of, rivals
from mobstore.properties.schedules.strategies import Exhaustive
from mobstore.properties.schedules.systems import MemorySystem, SqliteSystem, System
from mobstore.properties.subject import Factory, MemoryFactory, SqliteFactory

Kind = type[Operation[Any]]


@attrs.frozen
class Race:
    """A backend with a race, and a scenario in which it shows.

    Attributes:
        name: what goes wrong, as the field calls it.
        mistake: what the backend does.
        scenario: the beginning, and what each client calls.
        handlers: how the calls of the SQLite backend are done, if it is one.
        engine: makes the engine of the memory backend, if it is one.
    """

    name: str
    mistake: str
    scenario: Scenario
    handlers: Mapping[Kind, Handler] | None = None
    engine: Callable[[Clock, Callable[[Any], Store]], MemoryEngine] | None = None

    @property
    def backend(self) -> str:
        """Which of our backends has it."""
        return "memory" if self.handlers is None else "sqlite"

    def open(self, clients: int) -> System:
        """Return the backend with so many clients under control."""
        if self.handlers is None:
            return MemorySystem(clients, engine=self.engine, name=self.name)
        return SqliteSystem(clients, handlers=self.handlers, name=self.name)

    def system(self) -> System:
        """Return the backend with the clients of its scenario."""
        return self.open(len(self.scenario.clients))

    def __call__(self) -> Factory:
        """Return a factory of the backend, out of control, as `Context.make` does."""
        return _MemoryRace(self) if self.handlers is None else _SqliteRace(self)

    @property
    def source(self) -> str:
        """The expression that makes the system, for programs that are printed."""
        return f"RACES[{self.name!r}].system()"

    def explore(self, limit: int | None = None) -> Exploration:
        """Take it through every schedule, until one is wrong."""
        with self.system() as system:
            return explore(system, self.scenario, Exhaustive(), limit=limit)

    def simplest(self, failure: Failure) -> Failure:
        """Return a failure with fewer calls and preemptions."""
        with self.system() as system:
            return simplest(system, failure)


@attrs.frozen
class Discovery:
    """What every interleaving of a race's scenario came to: after how many schedules, and the simplest failure."""

    race: Race
    schedules: int
    seconds: float
    failure: Failure | None

    def story(self) -> str:
        """Return it for people."""
        race = self.race
        head = f"{race.name} ({race.backend}: {race.mistake})"
        if self.failure is None:
            return f"{head}: NOT found in {self.schedules:,} schedules"
        return f"{head}: found in schedule {self.schedules:,}\n{self.failure.table()}"

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        failure = self.failure
        return {
            "name": self.race.name,
            "mistake": self.race.mistake,
            "kind": f"a race, {self.race.backend}",
            "chapter": "schedules",
            "rejected": failure is not None,
            "seconds": round(self.seconds, 2),
            "calls": 0 if failure is None else len(failure.observed.scenario.calls),
            "schedules": self.schedules,
            "table": failure and failure.table(),
            "program": failure and failure.program(self.race.source),
        }


def discover(race: Race) -> Discovery:
    """Take a race's scenario through its schedules until one is wrong, and make that simpler."""
    begun = time.perf_counter()
    exploration = race.explore()
    failure = exploration.failure and race.simplest(exploration.failure)
    return Discovery(race, exploration.schedules, time.perf_counter() - begun, failure)


class _YieldingLock:
    """A lock that whoever gave it back does not take again before those who wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.acquire = self._lock.acquire

    def release(self) -> None:
        """Give it back, and let others have it."""
        self._lock.release()
        time.sleep(_TURN)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


_TURN: Final = 50e-6
"""Seconds in which a thread that waits for a lock wakes and takes it."""


class _YieldingStore(Store):
    """A store that lets other threads go on wherever its state is read or replaced, and its lock given back."""

    __slots__ = ("_held",)

    def __init__(self, state: Any) -> None:
        super().__init__(state, _YieldingLock())

    @property
    def state(self) -> Any:
        """The state."""
        time.sleep(0)
        return self._held

    @state.setter
    def state(self, state: Any) -> None:
        time.sleep(0)
        self._held = state


class _MemoryRace(MemoryFactory):
    def __init__(self, race: Race) -> None:
        super().__init__()
        self.name = race.name
        self._race = race

    def open(self, clock: Clock) -> Stores:
        if self._stores is None:
            assert self._race.engine is not None, "a backend in memory"
            self._stores = Stores(self._race.engine(clock, _YieldingStore))
        return super().open(clock)


class _SqliteRace(SqliteFactory):
    def __init__(self, race: Race) -> None:
        super().__init__()
        self.name = race.name
        self._race = race

    def connect(self, path: Path, clock: Clock) -> Stores:
        assert self._race.handlers is not None, "a backend on SQLite"
        return Stores(SqliteEngine(path, clock=clock, handlers=self._race.handlers, trace=let_others_go_on))


def let_others_go_on(_sql: str) -> None:
    """Give up the turn before a statement: other threads see what was committed before it, not by chance alone."""
    time.sleep(0)


RACES: Final[dict[str, Race]] = {}
"""The backends with a race, by what goes wrong."""


def _add(race: Race) -> None:
    RACES[race.name] = race


# --- SQLite -----------------------------------------------------------------------------------------------------


class _Noting:
    """A session whose changes are noted, and not made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.noted: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def change(self, sql: str, parameters: Any = ()) -> None:
        """Note a statement that writes."""
        self.noted.append((sql, parameters))

    def change_many(self, sql: str, parameters: Any) -> None:
        """Note a statement that writes, once for each set of parameters."""
        self.noted += [(sql, each) for each in parameters]


def decide_before_begin(session: Session, body: Body, operation: Any) -> Any:
    """Compare before the transaction begins, and write in it without looking again."""
    noting: Any = _Noting(session)
    answer = body(noting, operation)

    def write(session: Session, _: Any) -> Any:
        for sql, parameters in noting.noted:
            session.change(sql, parameters)
        return answer

    return session.write(write, operation) if noting.noted else answer


def _sqlite(kind: Kind, perform: Callable[[Session, Body, Any], Any]) -> Mapping[Kind, Handler]:
    return {**HANDLERS, kind: (perform, HANDLERS[kind][1])}


def _append_in_two_transactions(session: Session, _: Body, operation: ops.Append) -> MobEvent:
    """Take the cursor in one transaction, and insert the event in another."""

    def take(session: Session, _: Any) -> int:
        row = session.row("SELECT value FROM meta WHERE key = ?", (NEXT_CURSOR,))
        assert row is not None, "the file has its counters"
        cursor: int = row[0]
        set_next_cursor(session, cursor + 1)
        return cursor

    cursor = session.write(take, operation)
    time = operation.event.timestamp or Timestamp.from_nanos(session.clock())
    event = MobEvent(cursor, time, operation.event.mob_id, operation.event.kind)
    session.write(insert_event, event)
    return event


_GRANT: Final = beginning_of(ops.CasGrantNodeSlot)
_RUN_ID: Final = pools.RUNS[3].run_id
_EVENTS: Final = (ops.Append(pools.EVENTS[0]), ops.Append(pools.EVENTS[1]))

_add(
    Race(
        "double-winner",
        "cas_grant_node_slot compares before its transaction begins",
        rivals(ops.CasGrantNodeSlot, 2),
        handlers=_sqlite(ops.CasGrantNodeSlot, decide_before_begin),
    )
)
_add(
    Race(
        "torn-write",
        "cas_grant_node_slot has no transaction: each cell is committed by itself",
        Scenario.of(_GRANT[0], [[_GRANT[1]], [ops.GetRun(_RUN_ID)]]),
        handlers=_sqlite(ops.CasGrantNodeSlot, Session.read),
    )
)
_add(
    Race(
        "check-then-insert",
        "put_supervisor_authority_if_absent looks before its transaction begins",
        rivals(ops.PutSupervisorAuthorityIfAbsent, 2),
        handlers=_sqlite(ops.PutSupervisorAuthorityIfAbsent, decide_before_begin),
    )
)
_add(
    Race(
        "cursor-gap",
        "append takes its cursor in one transaction and inserts the event in another",
        Scenario.of([], [[_EVENTS[0]], [_EVENTS[1], ops.Poll(0, 10)]]),
        handlers=_sqlite(ops.Append, _append_in_two_transactions),
    )
)


# --- memory -----------------------------------------------------------------------------------------------------


class _Racy(MemoryEngine):
    """A memory engine that does one kind of call in a way of its own."""

    kind: Kind

    def __init__(self, clock: Clock, store: Callable[[Any], Store]) -> None:
        super().__init__(clock, store=store)
        self._time = clock
        self.begin(store)

    def begin(self, store: Callable[[Any], Store]) -> None:
        """Make what else the engine keeps."""

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call."""
        if isinstance(operation, self.kind):
            return self.race(self._calls[type(operation)][0], operation, self._time())
        return super().execute(operation)

    def race(self, store: Store, operation: Any, now: int) -> Any:
        """Do a call of the kind."""
        raise NotImplementedError


class _ReadsBeforeLocking(_Racy):
    kind = ops.AppendFailureEntry

    def race(self, store: Store, operation: Any, now: int) -> Any:
        state, answer = MEANINGS[type(operation)](store.state, operation, now)
        with store.lock:
            store.state = state
        return answer


class _Undoes(_Racy):
    kind = ops.CasFrameStateWithAuthority

    def race(self, store: Store, operation: Any, now: int) -> Any:
        with store.lock:
            before = store.state
            plain = with_arguments(operation, authority_inputs=())
            store.state, answer = MEANINGS[type(operation)](before, plain, now)
            if not answer:
                return answer
            try:
                refuse_inputs(operation.authority_inputs)
            except Exception:
                store.state = before
                raise
            store.state, answer = MEANINGS[type(operation)](before, operation, now)
            return answer


class _CachesLate(_Racy):
    """Readers read a copy, which a writer brings up to date when it has given the lock back."""

    kind = Operation

    def begin(self, store: Callable[[Any], Store]) -> None:
        self._copies = {"run": store(State().run)}

    def race(self, store: Store, operation: Any, now: int) -> Any:
        copy = self._copies.get(operation.store)
        if copy is None:
            return MemoryEngine.execute(self, operation)
        if operation.reads:
            return MEANINGS[type(operation)](copy.state, operation, now)[1]
        with store.lock:
            state, answer = MEANINGS[type(operation)](store.state, operation, now)
            store.state = state
        copy.state = state
        return answer


class _AppendsLater(_Racy):
    kind = ops.Append

    def race(self, store: Store, operation: Any, now: int) -> Any:
        with store.lock:
            state = store.state
            cursor = state.next_cursor
            store.state = attrs.evolve(state, next_cursor=cursor + 1)
        with store.lock:
            held = store.state
            state, event = MEANINGS[ops.Append](attrs.evolve(held, next_cursor=cursor), operation, now)
            store.state = attrs.evolve(state, next_cursor=held.next_cursor)
            return event


def with_arguments(operation: Any, **arguments: Any) -> Any:
    """Return the call with other arguments."""
    return attrs.evolve(operation, **arguments)


_BEFORE_FRAME, _FRAME = beginning_of(ops.CasFrameStateWithAuthority)
_REFUSED: Final[Any] = with_arguments(_FRAME, authority_inputs=pools.REFUSED_INPUTS[:1])

_add(
    Race(
        "lost-update",
        "append_failure_entry reads the state before it takes the lock",
        rivals(ops.AppendFailureEntry, 2),
        engine=_ReadsBeforeLocking,
    )
)
_add(
    Race(
        "dirty-read",
        "cas_frame_state_with_authority writes, looks at its inputs, and takes the change back",
        Scenario.of(_BEFORE_FRAME, [[_REFUSED], [ops.GetRun(_RUN_ID)]]),
        engine=_Undoes,
    )
)
_add(
    Race(
        "stale-snapshot",
        "readers read a copy that each writer brings up to date after it gave the lock back",
        rivals(ops.AppendFailureEntry, 2),
        engine=_CachesLate,
    )
)
_add(
    Race(
        "event-out-of-order",
        "append takes its cursor, gives the lock back, and takes it again to append",
        Scenario.of([], [[_EVENTS[0]], [_EVENTS[1]]]),
        engine=_AppendsLater,
    )
)
