"""Callers at once: threads on one handle or on several, processes, or asyncio tasks make calls and record them.

A caller is a generator: it yields a call and is sent what that came to.  So whoever calls is written once, and
threads, tasks and processes drive it.  The history says what was called and answered, and when:

- an answer, an error of the contract included, is what the specification must answer;
- a change that ends with ``WriteFailed``, or that was cancelled, may have happened or not;
- a read that ends with ``ReadFailed`` has shown nothing.
"""

from __future__ import annotations

import asyncio
import enum
import functools
import multiprocessing
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Final, TypeAlias

from mobstore.backends._stores import Stores
from mobstore.backends.aio import AsyncStores
from mobstore.model import Operation, ReadFailed, WriteFailed
from mobstore.properties.linearizability.history import Event, Process, Recorder
from mobstore.properties.subject import Factory, ManualClock, Outcome, call_port, outcome_of

Caller: TypeAlias = Generator[Operation[Any], Outcome | None, None]
"""Yields calls and is sent what they came to, None where nobody knows."""

GIVES_UP: Final = 5
_SWITCH: Final = 1e-6
"""Seconds until a thread that wants to go on gets its turn: a call in memory takes a few microseconds."""


class Face(enum.StrEnum):
    """Who calls."""

    THREADS = "threads"
    HANDLES = "handles"
    TASKS = "tasks"
    PROCESSES = "processes"

    @property
    def shown(self) -> str:
        """In words."""
        return _SHOWN[self]


_SHOWN: Final = {
    Face.THREADS: "threads on one handle",
    Face.HANDLES: "threads with a handle each",
    Face.TASKS: "tasks on the asyncio face",
    Face.PROCESSES: "processes with a handle each",
}


def can_fork() -> bool:
    """Whether this system has processes that share what was opened before."""
    return "fork" in multiprocessing.get_all_start_methods()


def script(operations: Sequence[Operation[Any]]) -> Caller:
    """Return the caller that makes these calls, whatever they come to."""
    for operation in operations:  # noqa: UP028 - what is sent would go to an iterator, which has no `send`
        yield operation


def drive(
    face: Face,
    factory: Factory,
    clock: ManualClock,
    callers: Sequence[Caller],
    stores: Stores,
    *,
    gives_up: int = GIVES_UP,
) -> list[Event]:
    """Let callers call at once; return the events of each, one caller after the other.

    Args:
        face: who calls.
        factory: the storage, already open.
        clock: the store's.
        callers: what each does.
        stores: a handle on it.
        gives_up: a task cancels every so many of its calls.
    """
    if face is Face.TASKS:
        return asyncio.run(_drive_tasks(stores, callers, gives_up))
    if face is Face.PROCESSES:
        return _drive_processes(factory, clock, callers)
    handles = [stores if face is Face.THREADS else factory.open(clock) for _ in callers]
    return _drive_threads(handles, callers)


def record(stores: Any, caller: Caller, process: Process) -> None:
    """Make a caller's calls through the ports, and record them."""
    try:
        operation = next(caller)
        while True:
            process.invoke(operation.call, operation)
            operation = caller.send(_note(process, operation, outcome_of(lambda: call_port(stores, operation))))  # noqa: B023
    except StopIteration:
        return


def _note(process: Process, operation: Operation[Any], outcome: Outcome) -> Outcome | None:
    """Note a response; return what the caller is sent."""
    if outcome.kind == WriteFailed.kind:
        process.info()
        return None
    if outcome.kind == ReadFailed.kind and operation.reads:
        process.fail()
        return None
    process.ok(outcome)
    return outcome


# --- threads ----------------------------------------------------------------------------------------------------


def _drive_threads(handles: Sequence[Stores], callers: Sequence[Caller]) -> list[Event]:
    recorder, ready = Recorder(), []

    def work(stores: Stores, caller: Caller, process: Process) -> None:
        # A barrier wakes its threads one by one; those that look for themselves begin at once.
        ready.append(process)
        while len(ready) < len(callers):
            pass
        record(stores, caller, process)

    for error in at_once(
        [
            functools.partial(work, stores, caller, recorder.process(number))
            for number, (stores, caller) in enumerate(zip(handles, callers, strict=True))
        ]
    ):
        raise error
    return recorder.events()


def at_once(works: Sequence[Callable[[], None]]) -> list[BaseException]:
    """Let threads that take turns often do something each; return what was raised, in its order."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is for who waits to raise it
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    with switching_often():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return errors


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads take turns every few bytecodes: by default a whole call fits between two turns."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


# --- tasks ------------------------------------------------------------------------------------------------------


class _Ports:
    """What the asyncio face wants of a bundle, of the ports alone."""

    def __init__(self, stores: Any) -> None:
        self.events = stores.events
        self.engine = self
        self.blocks = getattr(getattr(stores, "engine", None), "blocks", True)
        self._stores = stores

    def execute(self, operation: Operation[Any]) -> Any:
        """Make the call through its port."""
        return call_port(self._stores, operation)

    def close(self) -> None:
        """Leave the bundle open: others look at it."""


async def _drive_tasks(stores: Stores, callers: Sequence[Caller], gives_up: int) -> list[Event]:
    recorder = Recorder()
    ports: Any = _Ports(stores)
    async with AsyncStores(ports) as face, asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(_record_task(face, caller, recorder.process(number), number, gives_up))
    return recorder.events()


async def _record_task(face: AsyncStores, caller: Caller, process: Process, number: int, gives_up: int) -> None:
    """Make a caller's calls through the asyncio face, and give up every so many."""
    made = number
    try:
        operation = next(caller)
        while True:
            made += 1
            process.invoke(operation.call, operation)
            outcome = await _awaited(face, operation, give_up=made % gives_up == 0)
            if outcome is None:
                process.info()
            else:
                outcome = _note(process, operation, outcome)
            operation = caller.send(outcome)
    except StopIteration:
        return


async def _awaited(face: AsyncStores, operation: Operation[Any], *, give_up: bool) -> Outcome | None:
    """Await a call; None when it was cancelled before its answer was there."""
    task = asyncio.ensure_future(call_port(face, operation))
    await asyncio.sleep(0)
    if give_up:
        task.cancel()
    try:
        answer = await task
    except asyncio.CancelledError:
        return None
    except Exception as error:  # noqa: BLE001 - `outcome_of` tells what it is
        raised = error
        return outcome_of(lambda: _raise(raised))
    return Outcome(answer)


def _raise(error: Exception) -> None:
    raise error


# --- processes --------------------------------------------------------------------------------------------------


def _drive_processes(factory: Factory, clock: ManualClock, callers: Sequence[Caller]) -> list[Event]:
    """Each process opens a handle of its own on the storage that its parent has opened."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(callers))
    children = []
    for number, caller in enumerate(callers):
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(factory, clock, caller, number, barrier, there), daemon=True)
        child.start()
        there.close()
        children.append((child, here))
    try:
        found = [_received(number, here) for number, (_, here) in enumerate(children)]
    finally:
        for child, here in children:
            here.close()
            child.join(_PATIENCE)
            child.kill()
    return [event for events in found for event in events]


_PATIENCE: Final = 60.0


def _child(
    factory: Factory, clock: ManualClock, caller: Caller, number: int, barrier: Any, there: Connection
) -> None:
    process = Recorder().process(number)
    try:
        stores = factory.open(clock)
        outcome_of(stores.events.latest_cursor)
        barrier.wait(_PATIENCE)
        record(stores, caller, process)
        there.send(list(process.events()))
    except BaseException as error:  # noqa: BLE001 - told to the parent
        barrier.abort()
        there.send(f"{type(error).__name__}: {error}")
    finally:
        there.close()


class ProcessFailed(Exception):
    """A process that called the store did not come to its end."""


def _received(number: int, here: Connection) -> list[Event]:
    if not here.poll(2 * _PATIENCE):
        raise ProcessFailed(f"process {number} did not end")
    try:
        found: list[Event] | str = here.recv()
    except EOFError:
        raise ProcessFailed(f"process {number} ended without a word") from None
    if isinstance(found, str):
        raise ProcessFailed(f"process {number}: {found}")
    return found
