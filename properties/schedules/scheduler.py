"""The scheduler: it owns every step of its clients, and lets one of them go on at a time.

Clients are threads, and no two of them ever run at once.  A client that comes to a *point* stops before its next
step; the strategy says whose step is the next, and only that client goes on, to its next point or to its end.
What a client does between two points is a *step*.  So an execution is decided by the list of the choices, and the
same list makes the same execution again, as long as nothing else decides: a clock, a random number, a lock that is
not ours.  Whatever else decides is an error (`NotUnderControl`), and is looked for: see `Explorer`.

A client may be *blocked* at its point (a lock is held, SQLite said that it is busy): then it has no step to
choose.  When every client that has not ended is blocked, the execution is a deadlock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeAlias

import attrs

from mobstore.properties.schedules.footprint import Footprint

Choose: TypeAlias = Callable[[tuple[int, ...], "int | None", Footprint], "int | None"]
"""Is told the clients that can go on, whose step was the last (None: there was none), and what that step read and
wrote; says who goes on, or None to stop here."""

Job: TypeAlias = Callable[[], None]
"""What a client does."""

_PATIENCE: Final = 20.0


class NotUnderControl(AssertionError):
    """Something but the scheduler decided what a client did: the same choices did not come to the same."""


class Abandoned(BaseException):
    """Ends the call of a client whose execution is over.  Not an `Exception`: nobody shall answer with it."""


@attrs.frozen
class Taken:
    """A step that was taken.

    Attributes:
        client: who took it.
        label: what it did.
        runnable: the clients that could have gone on instead, this one included.
        footprint: what it read and wrote.
    """

    client: int
    label: str
    runnable: tuple[int, ...]
    footprint: Footprint


@attrs.frozen
class Execution:
    """One execution: its steps in the order of time, and the clients that were blocked for ever."""

    steps: tuple[Taken, ...]
    deadlocked: tuple[int, ...] = ()
    stopped: bool = False

    @property
    def choices(self) -> tuple[int, ...]:
        """The list of choices that makes it again."""
        return tuple(step.client for step in self.steps)


class _Client:
    __slots__ = ("blocked", "ended", "gate", "job", "label")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.job: Job | None = None
        self.label = ""
        self.blocked: Callable[[], bool] | None = None
        self.ended = True


class Scheduler:
    """Owns the steps of ``clients`` clients, for any number of executions; a context manager.

    Args:
        clients: how many.
        patience: how many seconds a client may run from one point to the next before that counts as not being
            under control: it waits for something that is not ours.
    """

    def __init__(self, clients: int, *, patience: float = _PATIENCE) -> None:
        self._clients = [_Client() for _ in range(clients)]
        self._patience = patience
        self._done = threading.Lock()
        self._done.acquire()
        self._error: BaseException | None = None
        self._abandoned = False
        self._closed = False
        self._current: int | None = None
        self._steps: list[list[Any]] = []
        self._footprint = Footprint.EMPTY
        self._choose: Choose = lambda runnable, *_: runnable[0]
        self._stopped = False
        self.executions = 0
        self._threads = [
            threading.Thread(target=self._work, args=(client, number), name=f"client {number}", daemon=True)
            for number, client in enumerate(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    # --- what clients call ----------------------------------------------------------------------------------

    @property
    def clients(self) -> int:
        """How many clients there are."""
        return len(self._clients)

    @property
    def current(self) -> int | None:
        """Whose step is being taken; None between executions, and while an execution is given up."""
        return None if self._abandoned else self._current

    @property
    def place(self) -> int:
        """The place of the step that is being taken, from 0."""
        return len(self._steps) - 1

    def point(self, label: str, blocked: Callable[[], bool] | None = None) -> None:
        """Stop before a step.  Outside an execution there is nobody to wait for, and nothing happens.

        Args:
            label: what the step is going to do.
            blocked: whether the client cannot go on as things stand; asked before every choice.
        """
        me = self.current
        if me is None:
            return
        client = self._clients[me]
        client.label, client.blocked = label, blocked
        self._close_step()
        chosen = self._decide(me)
        if chosen != me:
            if chosen is None:
                self._done.release()
            else:
                self._hand_over(chosen)
            client.gate.acquire()
        if self._abandoned:
            raise Abandoned
        self._footprint = Footprint.EMPTY

    def touch(self, footprint: Footprint) -> None:
        """Note what the step that is being taken reads and writes."""
        if self._current is not None:
            self._footprint = self._footprint | footprint

    def relabel(self, suffix: str) -> None:
        """Note how the step that is being taken came out."""
        if self.current is not None:
            self._steps[-1][1] += suffix

    # --- executions -----------------------------------------------------------------------------------------

    def run(self, jobs: Sequence[tuple[str, Job]], choose: Choose) -> Execution:
        """Let every client do its job, one step at a time, as ``choose`` says.

        Args:
            jobs: what each client's first step does, and its job.
            choose: the strategy.

        Raises:
            NotUnderControl: a client neither came to a point nor to its end.
            Exception: what a job or ``choose`` raised.
        """
        self.executions += 1
        self._steps, self._choose = [], choose
        self._error, self._abandoned, self._stopped = None, False, False
        for client, (label, job) in zip(self._clients, jobs, strict=True):
            client.job, client.label, client.blocked, client.ended = job, label, None, False
        self._footprint = Footprint.EMPTY
        first = self._decide(None)
        if first is not None:
            self._hand_over(first)
            self._wait()
        deadlocked = () if self._stopped or self._error else self._left()
        self._give_up()
        if self._error is not None:
            raise self._error
        return Execution(tuple(Taken(*step) for step in self._steps), deadlocked, self._stopped)

    def close(self) -> None:
        """End the threads."""
        self._closed = True
        for client, thread in zip(self._clients, self._threads, strict=True):
            client.gate.release()
            # One that waits for something that is not ours may never end.
            thread.join(self._patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self, client: _Client, number: int) -> None:
        while True:
            client.gate.acquire()
            if self._closed:
                return
            try:
                if not self._abandoned:
                    self._footprint = Footprint.EMPTY
                    assert client.job is not None
                    client.job()
            except Abandoned:
                pass
            except BaseException as error:  # noqa: BLE001 - raised again by `run`
                self._error = self._error or error
            client.ended = True
            self._next_after(number)

    def _next_after(self, number: int) -> None:
        """Go on after a client's end."""
        if self._abandoned or self._error is not None:
            self._done.release()
            return
        self._close_step()
        chosen = self._decide(number)
        if chosen is None:
            self._done.release()
        else:
            self._hand_over(chosen)

    def _close_step(self) -> None:
        """The step that was being taken is complete: note it."""
        if self._steps:
            self._steps[-1][3] = self._footprint

    def _decide(self, last: int | None) -> int | None:
        """Choose who goes on, and note the step as far as it is known; None when nobody does."""
        runnable = tuple(
            number
            for number, client in enumerate(self._clients)
            if not client.ended and (client.blocked is None or not client.blocked())
        )
        if not runnable:
            self._current = None
            return None
        try:
            chosen = self._choose(runnable, last, self._footprint)
            if chosen is not None and chosen not in runnable:
                msg = f"step {len(self._steps)}: client {chosen} cannot go on, only {list(runnable)}"
                raise NotUnderControl(msg)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error, chosen = error, None
        if chosen is None:
            self._stopped, self._current = True, None
            return None
        self._current = chosen
        self._steps.append([chosen, self._clients[chosen].label, runnable, Footprint.EMPTY])
        return chosen

    def _hand_over(self, chosen: int) -> None:
        self._clients[chosen].gate.release()

    def _wait(self) -> None:
        while not self._done.acquire(timeout=self._patience):
            taken = len(self._steps)
            if self._done.acquire(timeout=self._patience):
                return
            if taken == len(self._steps):
                self._abandoned = True
                client, label, *_ = self._steps[-1]
                msg = (
                    f"client {client} came to no point within {2 * self._patience:g} s after {label!r}: "
                    "it waits for something that the scheduler does not control"
                )
                raise NotUnderControl(msg)

    def _left(self) -> tuple[int, ...]:
        return tuple(number for number, client in enumerate(self._clients) if not client.ended)

    def _give_up(self) -> None:
        """End the clients that are left at their points, one after the other."""
        self._abandoned = True
        for number in self._left():
            self._current = number
            self._hand_over(number)
            self._wait()
        self._current, self._abandoned = None, False


class Turn:
    """A lock whose every acquisition is a point: stands in for ``threading.Lock`` and ``threading.RLock``.

    A client that wants it while another has it is blocked.  Between executions, and for whoever is no client, it
    locks nothing; every execution finds it free.
    """

    def __init__(self, scheduler: Scheduler, name: str = "the lock", *, reentrant: bool = False) -> None:
        self._scheduler = scheduler
        self._name = name
        self._reentrant = reentrant
        self._owner: int | None = None
        self._execution = 0
        self._depth = 0
        self._touch = Footprint(frozenset(), frozenset((name,)))

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; see ``threading.Lock``.  A wait with a time-out waits for ever."""
        del timeout
        scheduler = self._scheduler
        me = scheduler.current
        if me is None:
            return True
        if self._reentrant and self._holder == me:
            self._depth += 1
            return True
        scheduler.point(f"acquire {self._name}", self.locked if blocking else None)
        scheduler.touch(self._touch)
        if self.locked():
            return False
        self._owner, self._execution, self._depth = me, scheduler.executions, 1
        return True

    def release(self) -> None:
        """Give the lock back; see ``threading.Lock``."""
        me = self._scheduler.current
        if me is None:
            return
        if self._holder != me:
            msg = f"{self._name} is released by who does not hold it"
            raise RuntimeError(msg)
        self._depth -= 1
        if self._depth == 0:
            self._scheduler.point(f"release {self._name}")
            self._scheduler.touch(self._touch)
            self._owner = None

    @property
    def _holder(self) -> int | None:
        return self._owner if self._execution == self._scheduler.executions else None

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._holder is not None

    def _is_owned(self) -> bool:
        """What ``threading.Condition`` asks."""
        me = self._scheduler.current
        return me is None or self._holder == me

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
