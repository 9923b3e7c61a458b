"""Processes that are killed while they write, and others that go on: what was answered is there, each call whole.

Several processes work on one file on the real disk: one call adds one to two cells of a run and to its authority
log, the next appends a batch of two events.  One after another is killed with SIGKILL, after any number of calls
and anywhere in the next, and another takes its place.  Each notes a call before it and after it has answered, in a
file of its own, which outlives it.

The processes are forked by one that does nothing else (``python -m mobstore.properties.faults.kills``), so that
neither threads nor handles of the caller come along.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends import sqlite
from mobstore.backends._stores import Stores
from mobstore.model import MobEvent, MobRun, MobRunStatus, NewMobEvent, evolve
from mobstore.properties import pools

WORKERS: Final = 4
_RUN: Final = evolve(pools.RUNS[3], {"status": MobRunStatus.RUNNING, "completed_at": None})
_MOST_NOTES: Final = 40
"""How many notes a process has made, at most, when its time has come."""
_LONGEST_PAUSE: Final = 0.004
"""How many seconds after that it is killed, at most."""
_PATIENCE: Final = 30.0
_ALLOWANCE: Final = 60.0
"""How many seconds it may take, and one more for each kill, on a machine that is busy otherwise."""
_FOREVER: Final = 24 * 3600.0
"""Seconds that a call waits for its turn: how long the others take is no mistake of the backend."""


@attrs.frozen
class Kills:
    """What became of the processes.

    How many were to be killed, and were in the time that there was; the calls that answered or did not; what is
    wrong.
    """

    asked: int
    killed: int
    answered: int
    in_flight: int
    problems: tuple[str, ...]


def kill_processes(directory: Path, kills: int, seed: int, allowance: float = _ALLOWANCE) -> Kills:
    """Kill so many processes that work on a new file in a directory, or fewer, when the time is over.

    Raises:
        RuntimeError: the processes could not be run.
    """
    seconds = allowance + kills
    command = [sys.executable, "-m", __name__, str(directory), str(kills), str(seed), str(seconds)]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        try:
            told, errors = driver.communicate(timeout=2 * seconds + _PATIENCE)
        except subprocess.TimeoutExpired:
            # Nobody can tell what is there; the workers are of the driver's own session.
            os.killpg(driver.pid, signal.SIGKILL)
            return Kills(kills, 0, 0, 0, ())
    if driver.returncode:
        raise RuntimeError(f"the processes ended with {driver.returncode}: {errors}")
    found = json.loads(told)
    return Kills(kills, found["killed"], found["answered"], found["in_flight"], tuple(found["problems"]))


# --- a worker -----------------------------------------------------------------------------------------------


def _counted(run: MobRun, count: int) -> tuple[Any, Any]:
    """Return the run's flow state and root frame with a count."""
    frame = run.frames["root"]
    return (
        evolve(run.flow_state, {"failure_count": count}),
        evolve(frame, {"kernel_state": evolve(frame.kernel_state, {"iteration": count})}),
    )


def _increment(stores: Stores) -> None:
    while True:
        run = stores.runs.get_run(_RUN.run_id)
        assert run is not None
        states = (run.flow_state, _counted(run, run.flow_state.failure_count + 1)[0])
        frames = (run.frames["root"], _counted(run, run.flow_state.failure_count + 1)[1])
        if stores.runs.cas_grant_node_slot_with_authority(
            run.run_id, *states, "root", *frames, pools.ACCEPTED_INPUTS[:1]
        ):
            return


def _event(worker: int, number: int, half: int) -> NewMobEvent:
    return NewMobEvent("mob", {"type": "x", "worker": worker, "number": number, "half": half})  # type: ignore[arg-type]


def _work(path: Path, notes: Path, worker: int) -> None:
    """Make calls without end."""
    note = os.open(notes, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    stores = sqlite.open(path, busy_timeout=_FOREVER)
    number = 0
    while True:
        os.write(note, b"ei"[number % 2 :][:1])
        if number % 2:
            _increment(stores)
        else:
            stores.events.append_batch((_event(worker, number, 0), _event(worker, number, 1)))
        os.write(note, b"!")
        number += 1


# --- the one that kills -------------------------------------------------------------------------------------


def _begin(directory: Path, worker: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _work(directory / "stores.db", directory / f"notes-{worker}", worker)
    except BaseException:  # noqa: BLE001 - told, and a problem for whoever waits
        (directory / f"error-{worker}").write_text(traceback.format_exc())
    os._exit(70)


def _kill(directory: Path, kills: int, rng: random.Random, seconds: float) -> tuple[int, list[str]]:
    """Kill so many workers, or those that have begun when the time is over."""
    deadline = time.monotonic() + seconds
    problems: list[str] = []
    workers = {number: _begin(directory, number) for number in range(min(WORKERS, kills))}
    following, killed = len(workers), 0
    while workers:
        number = rng.choice(sorted(workers))
        process = workers.pop(number)
        _await_notes(directory / f"notes-{number}", rng.randrange(_MOST_NOTES))
        time.sleep(rng.random() * _LONGEST_PAUSE)
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status):
            problems.append(f"worker {number} ended by itself: {(directory / f'error-{number}').read_text()}")
        killed += 1
        if following < kills and time.monotonic() < deadline:
            workers[following] = _begin(directory, following)
            following += 1
    return killed, problems


def _await_notes(notes: Path, least: int) -> None:
    """Wait until a process has made so many notes; other processes may take long to let it."""
    deadline = time.monotonic() + _PATIENCE
    while (not notes.exists() or notes.stat().st_size < least) and time.monotonic() < deadline:
        time.sleep(0.001)


def _examine(directory: Path) -> tuple[int, int, list[str]]:
    """Compare the notes with what is there; return the calls answered, those in flight, and problems."""
    notes = {int(file.name.partition("-")[2]): file.read_text() for file in directory.glob("notes-*")}
    begun = Counter("".join(notes.values()).replace("!", ""))
    answered = Counter(
        text[place - 1] for text in notes.values() for place in range(len(text)) if text[place] == "!"
    )
    with sqlite.open(directory / "stores.db") as stores:
        run = stores.runs.get_run(_RUN.run_id)
        events = stores.events.replay_all()
    assert run is not None
    counts = (
        run.flow_state.failure_count,
        run.frames["root"].kernel_state.iteration,
        len(run.flow_authority_inputs) - len(_RUN.flow_authority_inputs),
    )
    problems = _examine_events(notes, events)
    if len(set(counts)) != 1:
        problems.append(f"half a call is there: state, frame and log count {counts}")
    if not answered["i"] <= max(counts) <= begun["i"]:
        problems.append(f"{answered['i']} increments answered, {begun['i']} were begun, {max(counts)} are there")
    return answered.total(), begun.total() - answered.total(), problems


def _examine_events(notes: dict[int, str], events: Sequence[MobEvent]) -> list[str]:
    problems = []
    if [event.cursor for event in events] != list(range(1, len(events) + 1)):
        problems.append("the cursors have a gap, or come twice")
    kinds = [(kind["worker"], kind["number"], kind["half"]) for kind in (event.kind.value for event in events)]
    batches = [kind[:2] for kind in kinds[::2]]
    if kinds != [(*batch, half) for batch in batches for half in (0, 1)]:
        problems.append("half a batch is there, or something is between its halves")
    if len(set(batches)) != len(batches):
        problems.append("a batch is there twice")
    answered = {(worker, 2 * number) for worker, text in notes.items() for number in range(text.count("e!"))}
    if not answered <= set(batches):
        problems.append(f"batches that were answered are not there: {sorted(answered - set(batches))}")
    return problems


def _main(directory: Path, kills: int, seed: int, seconds: float) -> None:
    with sqlite.open(directory / "stores.db") as stores:
        stores.runs.create_run(_RUN)
        state, frame = _counted(_RUN, 0)
        assert stores.runs.cas_grant_node_slot(
            _RUN.run_id, _RUN.flow_state, state, "root", _RUN.frames["root"], frame
        )
    killed, problems = _kill(directory, kills, random.Random(seed), seconds)  # noqa: S311 - no secret
    answered, in_flight, more = _examine(directory)
    found = {"killed": killed, "answered": answered, "in_flight": in_flight, "problems": problems + more}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
