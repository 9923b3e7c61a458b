"""Workers: drivers at work at once on a real backend, in threads and in processes, some of which are killed.

A worker makes its driver's calls and answers its requests.  Which worker admitted a step nobody can read in the
store, so a step of others that has not moved for a while is taken over: then what is left of a worker that was
killed goes on, and where the worker only was slow the first line of the ledger counts.

Each worker writes down what it does, before it does it: so what was done twice is known, whoever was killed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends import memory, sqlite
from mobstore.backends._stores import Stores
from mobstore.model import MobRun, Operation, Timestamp
from mobstore.model import operations as ops
from mobstore.model.callers.driver import Contention, Driver, start
from mobstore.model.callers.replaying import partings
from mobstore.model.callers.requests import (
    EvaluateCondition,
    EvaluateUntil,
    Idle,
    Place,
    ReadClock,
    Request,
)
from mobstore.properties.invariants import Scope, of_scope
from mobstore.properties.workflows.large import large
from mobstore.properties.workflows.scenarios import MOB_ID, PARAMS, RUN_ID, Scenario, end_of

PATIENCE: Final = 2.0
"""Seconds that a step of others must not have moved before it is taken over."""
_PAUSE: Final = 0.01
"""Seconds that a worker waits when others do what is due, and at most that it waits after contention."""
_LONGEST: Final = 0.5
_SLOW: Final = 0.05
"""How likely a step takes long, at most `_LONGEST`; the others take no time."""
_READS_APART: Final = 6
"""How many times as long as reading the run takes a worker waits, at most, before it reads after a ``False``.

While it reads, whoever is fastest goes on, so that what it read is old; else all would only read.
"""

Note = Callable[[str], None]


class Worker:
    """One driver on a real backend.

    Args:
        stores: the backend.
        scenario: what is done.
        seed: of the waits, and of which steps take long.
        note: is told each attempt at a step before it is made.
        slow: how likely a step takes long.
    """

    def __init__(
        self,
        stores: Stores,
        scenario: Scenario,
        seed: int,
        note: Note = lambda _: None,
        slow: float = _SLOW,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Calls, ``reads`` of the run, commits answered ``false``, ``contention``, and ``takeovers``."""
        self._stores, self._scenario, self._note, self._slow = stores, scenario, note, slow
        self._rng = random.Random(seed)  # noqa: S311 - no secret
        self._driver = Driver(scenario.flow, RUN_ID)
        self._others: dict[Place, float] = {}
        self._reading = 0.0
        self._was_beaten = False

    def run(self) -> None:
        """Create the run, unless it exists, and drive it to its end."""
        self._follow(start(self._scenario.flow, RUN_ID, MOB_ID, PARAMS))
        while True:
            try:
                return self._follow(self._driver.drive())
            except Contention:
                self.counts["contention"] += 1
                time.sleep(self._rng.uniform(0, _LONGEST))

    def _follow(self, work: Generator[Request, Any, Any]) -> None:
        """Do what a generator asks for, until it ends."""
        send, answer = work.send, None
        while True:
            try:
                asked = send(answer)
            except StopIteration:
                return
            try:
                send, answer = work.send, self._done(asked)
            except Exception as error:  # noqa: BLE001 - the driver is told, and lets it pass or ends
                send, answer = work.throw, error

    def _done(self, asked: Request) -> Any:
        if isinstance(asked, Operation):
            return self._called(asked)
        if isinstance(asked, ReadClock):
            return Timestamp.from_nanos(time.time_ns())
        if isinstance(asked, EvaluateCondition):
            return self._scenario.condition(asked)
        if isinstance(asked, EvaluateUntil):
            return self._scenario.until(asked)
        if isinstance(asked, Idle):
            return self._are_gone(asked.others)
        self._note(f"{asked.place.address} {asked.attempt}")
        if self._rng.random() < self._slow:
            time.sleep(self._rng.uniform(0, _LONGEST))
        return self._scenario.perform(asked)

    def _called(self, operation: Operation[Any]) -> Any:
        reads = isinstance(operation, ops.GetRun)
        if reads and self._was_beaten:
            time.sleep(self._rng.uniform(0, _READS_APART * self._reading))
        begun = time.monotonic()
        answer = self._stores.execute(operation)
        if reads:
            self._reading = time.monotonic() - begun
        self._was_beaten = answer is False
        self.counts["calls"] += 1
        self.counts["reads"] += reads
        self.counts["false"] += self._was_beaten
        return answer

    def _are_gone(self, others: Sequence[Place]) -> bool:
        """Whether all of others' steps stand where they stood a while ago; else wait a little."""
        now = time.monotonic()
        self._others = {place: self._others.get(place, now) for place in others}
        if now - max(self._others.values()) < PATIENCE:
            time.sleep(_PAUSE)
            return False
        self.counts["takeovers"] += 1
        self._others = {}
        return True


@attrs.frozen
class Outcome:
    """What workers came to.

    Attributes:
        workers: what they were.
        seconds: how long they took.
        counts: their counts together; of processes, of those that lived to the end.
        shares: how many attempts at steps each worker made, the most first; of processes, those killed included.
        repeated: how many attempts were made again.
        killed: how many processes were killed.
        problems: how the end is another than that of a single worker, or breaks an invariant.
    """

    workers: str
    seconds: float
    counts: Counter[str]
    shares: tuple[int, ...]
    repeated: int
    killed: int
    problems: tuple[str, ...]


def expected_end(scenario: Scenario) -> dict[str, Any]:
    """Return the end that a single driver comes to on the memory backend."""
    stores = memory.open()
    worker = Worker(stores, scenario, 0, slow=0)
    worker.run()
    run = stores.runs.get_run(RUN_ID)
    assert run is not None, "it was just driven to its end"
    return end_of(run)


def problems_of(run: MobRun | None, expected: dict[str, Any]) -> tuple[str, ...]:
    """Return the parts of a run's end that are not as expected, where its log parts, and what it does not keep."""
    if run is None:
        return ("there is no run",)
    other = (f"another {part}" for part, value in end_of(run).items() if value != expected[part])
    broken = (invariant.name for invariant in of_scope(Scope.COMPOSITION) if not invariant.holds(run))
    return (*other, *map(str, partings(run)), *broken)


def _outcome(
    workers: str,
    begun: float,
    counts: Counter[str],
    notes: Sequence[Counter[str]],
    run: MobRun | None,
    expected: dict[str, Any],
    killed: int = 0,
) -> Outcome:
    seconds = time.monotonic() - begun
    shares = tuple(sorted((noted.total() for noted in notes), reverse=True))
    repeated = sum(shares) - len(set().union(*notes))
    return Outcome(workers, seconds, counts, shares, repeated, killed, problems_of(run, expected))


def noter(notes: Counter[str]) -> Note:
    """Return what counts the attempts of one worker."""

    def note(attempt: str) -> None:
        notes[attempt] += 1

    return note


# --- threads ----------------------------------------------------------------------------------------------------


def in_threads(stores: Stores, scenario: Scenario, threads: int, seed: int, expected: dict[str, Any]) -> Outcome:
    """Let so many threads work on one run at once.

    Raises:
        Exception: what a worker raised.
    """
    notes = [Counter[str]() for _ in range(threads)]
    errors: list[BaseException] = []
    workers = [Worker(stores, scenario, seed + number, noter(noted)) for number, noted in enumerate(notes)]

    def work(worker: Worker) -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits
            errors.append(error)

    begun = time.monotonic()
    started = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]
    counts = sum((worker.counts for worker in workers), Counter[str]())
    what = "1 thread" if threads == 1 else f"{threads} threads"
    return _outcome(what, begun, counts, notes, stores.runs.get_run(RUN_ID), expected)


# --- processes --------------------------------------------------------------------------------------------------


class WorkerFailed(Exception):
    """A process ended, and not because it was killed; the message is what it wrote."""


def in_processes(directory: Path, steps: int, kills: int, seed: int, expected: dict[str, Any]) -> Outcome:
    """Let two processes work on one run in a file; the one that does more is killed again and again, and replaced.

    It is killed a drawn while after it has begun with a step, up to ``kills`` times, while the run goes on.

    Raises:
        WorkerFailed: a process ended otherwise.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    begun, killed = time.monotonic(), 0
    workers = {number: _begin(directory, steps, seed, number) for number in (0, 1)}
    while killed < kills and all(process.poll() is None for process in workers.values()):
        number = max(workers, key=lambda number: _written(directory, number))
        if _written(directory, number):
            time.sleep(rng.uniform(0, _LONGEST))
            killed += _killed(workers.pop(number))
            number = max(*workers, number) + 1
            workers[number] = _begin(directory, steps, seed, number)
        time.sleep(_PAUSE)
    counts = Counter[str]()
    for process in workers.values():
        out, error = process.communicate()
        if process.returncode:
            raise WorkerFailed(f"a worker ended with {process.returncode}: {error}")
        counts.update(json.loads(out))
    with sqlite.open(directory / "stores.db") as stores:
        run = stores.runs.get_run(RUN_ID)
    notes = [Counter(path.read_text().splitlines()) for path in directory.glob("notes-*")]
    return _outcome("2 processes", begun, counts, notes, run, expected, killed)


def _begin(directory: Path, steps: int, seed: int, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__, str(directory), str(steps), str(seed + number), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def _written(directory: Path, number: int) -> int:
    """Return how much a process has written down of what it does."""
    path = directory / f"notes-{number}"
    return path.stat().st_size if path.exists() else 0


def _killed(process: subprocess.Popen[str]) -> bool:
    """Kill a process; return whether it had not ended by itself."""
    process.kill()
    process.communicate()
    return process.returncode < 0


def main() -> None:
    """Be one of the processes: work on a file, and print the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    for name in ("steps", "seed", "number"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    with (
        (given.directory / f"notes-{given.number}").open("a") as notes,
        sqlite.open(given.directory / "stores.db", busy_timeout=60) as stores,
    ):

        def note(attempt: str) -> None:
            notes.write(f"{attempt}\n")
            notes.flush()

        worker = Worker(stores, large(given.steps), given.seed, note)
        worker.run()
    print(json.dumps(worker.counts))


if __name__ == "__main__":
    main()
