"""Systems: a real backend, opened so that a scheduler owns every step of its clients.

A system is put into a beginning (`System.begin`), and then runs any number of executions from there: each finds the
storage as the first found it.
"""

from __future__ import annotations

import abc
import shutil
import tempfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.memory import MemoryEngine, Store
from mobstore.backends.sqlite import HANDLERS, Handler, SqliteEngine
from mobstore.backends.sqlite._session import Shared
from mobstore.model import Operation
from mobstore.properties.schedules.connections import Control, Effect, Restorer, Rows, shown
from mobstore.properties.schedules.footprint import Footprint
from mobstore.properties.schedules.scheduler import Scheduler, Turn
from mobstore.properties.subject import IN_MEMORY, ManualClock, call_port, outcome_of


class System(abc.ABC):
    """A backend under control; a context manager.

    Attributes:
        name: what it is called.
        unit: what the steps are, for bounds: "statements".
        scheduler: owns the steps.
        handles: the handle of each client, and a last one for whoever looks on.
    """

    unit: ClassVar[str]

    def __init__(self, name: str, clients: int) -> None:
        self.name = name
        self.scheduler = Scheduler(clients)
        self.handles: list[Stores] = []

    @abc.abstractmethod
    def begin(self, prefix: Sequence[Operation[Any]]) -> None:
        """Open a new storage and make these calls on it: every execution begins there."""

    @abc.abstractmethod
    def restore(self) -> None:
        """Put the storage back to the beginning."""

    def state(self) -> Hashable | None:
        """Return the storage's state by value, if that costs less than the reading calls; else None."""
        return None

    def close(self) -> None:
        """Remove the storage."""
        self.scheduler.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SqliteSystem(System):
    """Clients of one SQLite file; a step is a statement, lock waits included.

    Args:
        clients: how many.
        threads: whether the clients are threads of one process, which take turns before they ask SQLite, or (the
            default) stand for processes: then only SQLite's own locks are between them.
        handlers: how each call is done.
    """

    unit = "statements"

    def __init__(
        self,
        clients: int,
        *,
        threads: bool = False,
        handlers: Mapping[type[Operation[Any]], Handler] = HANDLERS,
        name: str = "sqlite",
    ) -> None:
        super().__init__(name, clients)
        self._control = Control(self.scheduler)
        self._threads = threads
        self._handlers = handlers
        self._directory: Path | None = None
        self._restorer: Restorer | None = None
        self._empty: Rows = {}

    def begin(self, prefix: Sequence[Operation[Any]]) -> None:
        """Make these calls on an empty file."""
        if self._restorer is None:
            self._restorer = self._open()
            self._empty = self._restorer.remember()
        self._control.settle()
        self._restorer.put(self._empty)
        for operation in prefix:
            outcome_of(lambda: call_port(self.handles[-1], operation))  # noqa: B023
        self._restorer.remember()

    def _open(self) -> Restorer:
        self._directory = Path(tempfile.mkdtemp(prefix="mobstore-", dir=IN_MEMORY))
        path = self._directory / "stores.db"
        with_turns = Shared(lambda: Turn(self.scheduler, "the turn to write", reentrant=True))
        clock, clients = ManualClock(), self.scheduler.clients
        for number in range(clients + 1):
            shared = with_turns if self._threads and number < clients else Shared()
            engine = SqliteEngine(
                path, clock=clock, connect=self._control.connect, handlers=self._handlers, shared=shared
            )
            self.handles.append(Stores(engine))
        self._open_connections()
        return Restorer(str(path), self._control)

    @property
    def effects(self) -> Mapping[str, Effect]:
        """What each statement that was sent reads and writes."""
        return {shown(sql): effect for sql, effect in self._control.effects.items()}

    def _open_connections(self) -> None:
        """Let each client open its connection, which belongs to its thread, before anything is counted."""
        opens = [lambda handle=handle: handle.events.latest_cursor() for handle in self.handles[:-1]]
        self.scheduler.run([("open", call) for call in opens], lambda runnable, *_: runnable[0])

    def state(self) -> Hashable | None:
        """Return what the tables hold that were written."""
        assert self._restorer is not None
        return self._restorer.found()

    def restore(self) -> None:
        """Put back what was written."""
        assert self._restorer is not None
        self._restorer.restore()

    def close(self) -> None:
        """Remove the file."""
        super().close()
        if self._restorer is not None:
            self._restorer.close()
        while self.handles:
            self.handles.pop().close()
        if self._directory is not None:
            shutil.rmtree(self._directory)


class SteppedStore(Store):
    """One store of a memory backend: taking its lock, reading and replacing its state are steps.

    The state is one object: that two calls touch different cells of it does not make them independent, for each
    replaces it as a whole.
    """

    __slots__ = ("_held", "_scheduler", "_seen", "_written")

    def __init__(self, scheduler: Scheduler, lock: Any, state: Any) -> None:
        self._scheduler = scheduler
        name = type(state).__name__
        self._seen = Footprint(frozenset((name,)))
        self._written = Footprint(writes=frozenset((name,)))
        super().__init__(state, lock)

    @property
    def state(self) -> Any:
        """The state; reading it is a step."""
        self._scheduler.point("read the state")
        self._scheduler.touch(self._seen)
        return self._held

    @state.setter
    def state(self, state: Any) -> None:
        self._scheduler.point("replace the state")
        self._scheduler.touch(self._written)
        self._held = state


class MemorySystem(System):
    """Clients of one memory backend; a step ends at each lock, and at each reading and replacing of the state.

    Args:
        clients: how many.
        engine: makes the backend's engine, from what makes its stores.
        lock: makes the lock of a store.
    """

    unit = "locks, reads and replacements"

    def __init__(
        self,
        clients: int,
        *,
        engine: Callable[[Clock, Callable[[Any], Store]], Any] | None = None,
        lock: Callable[[Scheduler], Any] = Turn,
        name: str = "memory",
    ) -> None:
        super().__init__(name, clients)
        self._make = engine or (lambda clock, store: MemoryEngine(clock, store=store))
        self._lock = lock
        self._prefix: Sequence[Operation[Any]] = ()

    def begin(self, prefix: Sequence[Operation[Any]]) -> None:
        """Open a new storage and make these calls on it."""
        self._prefix = prefix
        self.restore()

    def _store(self, state: Any) -> Store:
        return SteppedStore(self.scheduler, self._lock(self.scheduler), state)

    def restore(self) -> None:
        """Begin again with a new storage."""
        stores = Stores(self._make(ManualClock(), self._store))
        for operation in self._prefix:
            outcome_of(lambda: call_port(stores, operation))  # noqa: B023
        self.handles = [stores] * (self.scheduler.clients + 1)
