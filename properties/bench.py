"""``mobstore bench``: how fast our own backends are, as ratios taken in one run, and the linearizability checker.

Machines are noisy, so what is compared is measured in turn, round by round, and the ratio is taken within each
round; the median counts.  A figure leaves nothing out: a call is the port's method, from its arguments to its
answer, and on SQLite to the commit on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.backends import aio, memory, sqlite, wire
from mobstore.backends._stores import Stores
from mobstore.model import FrameSnapshot, MobRun, MobRunStatus, RunId, Timestamp, evolve, from_json, to_text
from mobstore.model import operations as ops
from mobstore.model.values import FlowRunState
from mobstore.properties import report
from mobstore.properties.faults.disk import Disk
from mobstore.properties.faults.power import LEVELS, cut_calls, sqlite_storages
from mobstore.properties.faults.vfs import Unreachable
from mobstore.properties.linearizability import measure as checker
from mobstore.properties.schedules import Exhaustive, Explorer, SqliteSystem, exhaust, rivals
from mobstore.properties.subject import ManualClock, call_port

Work: TypeAlias = Callable[[int], None]
"""Does its call ``n`` times."""
AsyncWork: TypeAlias = Callable[[aio.AsyncStores, int], Coroutine[Any, Any, None]]

_STEPS: Final = tuple(f"step-{number}" for number in range(5))
_RUN_ID: Final = RunId("11111111-0000-4000-8000-000000000001")


def _flow_state(granted: int) -> FlowRunState:
    """A running flow of five steps, as its machine keeps it; ``granted`` makes it one of two."""
    each = dict.fromkeys
    return from_json(
        FlowRunState,
        {
            "phase": "Running",
            "tracked_steps": _STEPS,
            "ordered_steps": _STEPS,
            "step_status": each(_STEPS, "Dispatched"),
            "output_recorded": each(_STEPS, False),  # noqa: FBT003
            "step_condition_results": each(_STEPS),
            "step_dependencies": each(_STEPS, _STEPS[:2]),
            "step_dependency_modes": each(_STEPS, "All"),
            "step_branches": each(_STEPS, "branch"),
            "step_collection_policies": each(_STEPS, "All"),
            "step_quorum_thresholds": each(_STEPS, 1),
            "step_target_counts": each(_STEPS, 1),
            "step_target_success_counts": each(_STEPS, 0),
            "step_target_terminal_failure_counts": each(_STEPS, 0),
            "ready_frames": ["root"],
            "ready_frame_membership": ["root"],
            "active_node_count": granted,
            "max_active_nodes": 4,
        },
    )


def _frame(granted: int) -> FrameSnapshot:
    each = dict.fromkeys
    return from_json(
        FrameSnapshot,
        {
            "kernel_state": {
                "phase": "Running",
                "frame_id": "root",
                "last_admitted_node": _STEPS[granted],
                "tracked_nodes": _STEPS,
                "ordered_nodes": _STEPS,
                "node_kind": each(_STEPS, "Step"),
                "node_dependencies": each(_STEPS, ()),
                "node_dependency_modes": each(_STEPS, "All"),
                "node_branches": each(_STEPS),
                "node_status": each(_STEPS, "Ready"),
                "ready_queue": _STEPS[granted:],
                "output_recorded": each(_STEPS, False),  # noqa: FBT003
                "node_condition_results": each(_STEPS),
            }
        },
    )


_FLOWS: Final = (_flow_state(0), _flow_state(1))
_FRAMES: Final = (_frame(0), _frame(1))


def _create_run(stores: Stores, frames: int, run_id: RunId = _RUN_ID) -> None:
    stores.runs.create_run(
        MobRun(
            run_id,
            "mob",
            "flow",
            MobRunStatus.RUNNING,
            _FLOWS[0],
            None,  # type: ignore[arg-type]
            Timestamp(0),
            frames={f"frame-{number}": _FRAMES[0] for number in range(frames)},  # type: ignore[arg-type]
        )
    )


def _grant(stores: Stores, n: int) -> None:
    """Grant a node slot and take it back, in turn."""
    grant = stores.runs.cas_grant_node_slot
    done = 0
    for _ in range(n // 2):
        done += grant(_RUN_ID, _FLOWS[0], _FLOWS[1], "frame-1", _FRAMES[0], _FRAMES[1])
        done += grant(_RUN_ID, _FLOWS[1], _FLOWS[0], "frame-1", _FRAMES[1], _FRAMES[0])
    assert done == n // 2 * 2, "every grant must succeed"


async def _grant_async(stores: aio.AsyncStores, n: int, run_id: RunId = _RUN_ID) -> None:
    grant = stores.runs.cas_grant_node_slot
    done = 0
    for _ in range(n // 2):
        done += await grant(run_id, _FLOWS[0], _FLOWS[1], "frame-1", _FRAMES[0], _FRAMES[1])
        done += await grant(run_id, _FLOWS[1], _FLOWS[0], "frame-1", _FRAMES[1], _FRAMES[0])
    assert done == n // 2 * 2, "every grant must succeed"


_TASKS: Final = tuple(RunId(f"22222222-0000-4000-8000-{number:012}") for number in range(8))


async def _grant_in_tasks(stores: aio.AsyncStores, n: int) -> None:
    """The same calls by tasks that run at once, each on a run of its own."""
    await asyncio.gather(*(_grant_async(stores, n // len(_TASKS), run_id) for run_id in _TASKS))


@contextmanager
def _bare_loop(path: Path) -> Iterator[Work]:
    """What SQLite itself can do: one row of the size of the states that a grant compares and writes."""
    text = (to_text(_FLOWS[0]) + to_text(_FRAMES[0]))[:3000].ljust(3000)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE cell (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO cell VALUES ('a', ?)", (text,))

        def work(n: int) -> None:
            execute = connection.execute
            for number in range(n):
                execute("BEGIN IMMEDIATE")
                execute("SELECT value FROM cell WHERE key = ?", ("a",)).fetchone()
                execute("UPDATE cell SET value = ? WHERE key = ?", (text[:-1] + str(number % 10), "a"))
                execute("COMMIT")

        yield work


@attrs.frozen
class Figure:
    """A benchmark's result: calls a second of what is measured and of what it is held against."""

    name: str
    per_second: float
    against: str
    against_per_second: float
    ratio: float
    target: str
    met: bool


@attrs.frozen
class _Benchmark:
    name: str
    against: str
    target: str
    calls: int
    met: Callable[[float, float], bool]
    """Whether the target is met, of calls a second and of the ratio to what it is held against."""


def _compare(benchmark: _Benchmark, work: Work, against: Work, rounds: int) -> Figure:
    speeds = [(_speed(work, benchmark.calls), _speed(against, benchmark.calls)) for _ in range(rounds)]
    return _figure(benchmark, speeds)


def _figure(benchmark: _Benchmark, speeds: Sequence[tuple[float, float]]) -> Figure:
    """Return the medians of what was measured in each round, of both sides."""
    ratio = statistics.median(left / right for left, right in speeds)
    per_second = statistics.median(left for left, _ in speeds)
    other = statistics.median(right for _, right in speeds)
    met = benchmark.met(per_second, ratio)
    return Figure(benchmark.name, per_second, benchmark.against, other, ratio, benchmark.target, met)


def _speed(work: Work, calls: int) -> float:
    begun = time.perf_counter()
    work(calls)
    return calls / (time.perf_counter() - begun)


_FLAT_MEMORY: Final = _Benchmark(
    "memory: cas_grant_node_slot, 10 frames",
    "with 10,000 frames",
    "at least 150,000 a second; at most 1.6 times as fast",
    40_000,
    lambda speed, ratio: speed >= 150_000 and ratio <= 1.6,
)
_BARE_SQLITE: Final = _Benchmark(
    "sqlite: cas_grant_node_slot, 10 frames",
    "bare BEGIN IMMEDIATE, SELECT, UPDATE, COMMIT",
    "at least 0.5",
    1_000,
    lambda _, ratio: ratio >= 0.5,
)
_FLAT_SQLITE: Final = _Benchmark(
    "sqlite: cas_grant_node_slot, 10 frames",
    "with 10,000 frames",
    "at most 1.5 times as fast",
    1_000,
    lambda _, ratio: ratio <= 1.5,
)
_ASYNC_TASKS: Final = _Benchmark(
    "sqlite: cas_grant_node_slot, asyncio, 8 tasks",
    "synchronous, one thread",
    "at least 0.7",
    1_000,
    lambda _, ratio: ratio >= 0.7,
)
_WIRE_SMALL: Final = _Benchmark(
    "wire: cas_run_status, which answers false",
    "memory, without the wire",
    "costs less than 150 us a call",
    2_000,
    lambda speed, ratio: 1 / speed - ratio / speed < 150e-6,
)
_WIRE_LARGE: Final = _Benchmark(
    "wire: cas_grant_node_slot, 5.5 KB of states, new each time",
    "memory, without the wire",
    "none: told for its size",
    400,
    lambda _, ratio: ratio > 0,
)
# One task alone waits twice for a thread to wake up, which on an idle machine takes as long as half a commit.
_ASYNC_ALONE: Final = _Benchmark(
    "sqlite: cas_grant_node_slot, asyncio, 1 task",
    "synchronous, one thread",
    "none: told for latency",
    1_000,
    lambda _, ratio: ratio > 0,
)


def measure(directory: Path, rounds: int) -> Iterator[Figure]:
    """Measure everything, with files in ``directory``."""
    small, large = memory.open(), memory.open()
    _create_run(small, 10)
    _create_run(large, 10_000)
    yield _compare(_FLAT_MEMORY, functools.partial(_grant, small), functools.partial(_grant, large), rounds)
    with (
        sqlite.open(directory / "small.db") as few,
        sqlite.open(directory / "large.db") as many,
        _bare_loop(directory / "bare.db") as bare,
    ):
        _create_run(few, 10)
        _create_run(many, 10_000)
        grant = functools.partial(_grant, few)
        yield _compare(_BARE_SQLITE, grant, bare, rounds)
        yield _compare(_FLAT_SQLITE, grant, functools.partial(_grant, many), rounds)
        for run_id in _TASKS:
            _create_run(few, 10, run_id)
        with asyncio.Runner() as runner:
            face = aio.AsyncStores(few)
            for benchmark, calls in ((_ASYNC_TASKS, _grant_in_tasks), (_ASYNC_ALONE, _grant_async)):
                yield _compare(benchmark, functools.partial(_awaited, runner, calls, face), grant, rounds)
            runner.run(face.close())
    with _served() as served:
        _create_run(served, 10)
        for benchmark, work in ((_WIRE_SMALL, _lose), (_WIRE_LARGE, _grant_anew)):
            yield _compare(benchmark, functools.partial(work, served), functools.partial(work, small), rounds)


_IMAGES: Final = _Benchmark(
    "sqlite: crash images made, recovered and judged",
    "one recovered by SQLite, and not looked at",
    "at least 1,500 a second",
    1_000,
    lambda speed, _: speed >= 1_500,
)


def measure_crashes(rounds: int) -> Figure:
    """Measure how many images a second power cuts in every changing call come to, cut recoveries included.

    Raises:
        Unreachable: no simulated disk can be put under this Python's SQLite.
    """
    storage = sqlite_storages()[0]
    disk = Disk()
    with storage.open(disk, ManualClock()) as stores:
        _create_run(stores, 1)
        # As when the power fails now: with a log that has to be read.
        image = disk.image()

    def recover(n: int) -> None:
        for _ in range(n):
            storage.settle(image)

    speeds = []
    for seed in range(rounds):
        begun = time.perf_counter()
        tallies = cut_calls(storage, LEVELS["quick"], seed)
        images = sum(tally.images + tally.recoveries for tally in tallies)
        speeds.append((images / (time.perf_counter() - begun), _speed(recover, _IMAGES.calls)))
    return _figure(_IMAGES, speeds)


_SCHEDULES: Final = _Benchmark(
    "sqlite: schedules of two clients, taken and judged",
    "the same calls, without a scheduler",
    "at least 1,000 a second",
    1_000,
    lambda speed, _: speed >= 1_000,
)


def measure_schedules(rounds: int) -> Figure:
    """Measure how many schedules a second two clients are taken through that want the same node slot."""
    scenario = rivals(ops.CasGrantNodeSlot, 2)
    with SqliteSystem(2) as system:
        explorer = Explorer(system, scenario)

        def take(n: int) -> None:
            left = n
            while left:
                # Every interleaving, again and again.
                found = exhaust(explorer, Exhaustive(sleep=False), limit=left, confirmed=0)
                assert found.failure is None, "none is wrong"
                left -= found.schedules

        def call(n: int) -> None:
            for _ in range(n):
                for stores, calls in zip(system.handles, scenario.clients, strict=False):
                    for operation in calls:
                        call_port(stores, operation)
                system.restore()

        return _compare(_SCHEDULES, take, call, rounds)


@contextmanager
def _served() -> Iterator[Stores]:
    """The memory backend of another process."""
    command = [sys.executable, "-m", "mobstore.properties.cli", "serve", "memory"]
    with wire.open(command) as stores:
        yield stores


def _lose(stores: Stores, n: int) -> None:
    """Expect a status that the run does not have."""
    cas = stores.runs.cas_run_status
    assert not any(cas(_RUN_ID, MobRunStatus.PENDING, MobRunStatus.RUNNING) for _ in range(n))


def _grant_anew(stores: Stores, n: int) -> None:
    """Grant node slots; each state is expected once and put once, so that no text of one is of use again."""
    grant = stores.runs.cas_grant_node_slot
    run = stores.runs.get_run(_RUN_ID)
    assert run is not None
    flow, frame = run.flow_state, run.frames["frame-1"]
    for _ in range(n):
        flow_next = evolve(flow, {"failure_count": flow.failure_count + 1})
        kernel = evolve(frame.kernel_state, {"iteration": frame.kernel_state.iteration + 1})
        frame_next = FrameSnapshot(kernel)
        assert grant(_RUN_ID, flow, flow_next, "frame-1", frame, frame_next), "every grant must succeed"
        flow, frame = flow_next, frame_next


def _awaited(runner: asyncio.Runner, calls: AsyncWork, face: aio.AsyncStores, n: int) -> None:
    runner.run(calls(face, n))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore bench``."""
    parser.add_argument("--rounds", type=int, default=7, help="rounds of which the median counts (default: 7)")
    parser.add_argument("--directory", type=Path, help="where the database files are made (default: temporary)")
    parser.add_argument("--section", choices=SECTIONS, help="only this one")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


SECTIONS: Final = ("stores", "linearizability")


def run(arguments: argparse.Namespace) -> int:
    """Measure and print; the exit code is 0 whether the targets are met or not."""
    chosen = [arguments.section] if arguments.section else SECTIONS
    told: dict[str, Any] = {"machine": {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}}
    if "stores" in chosen:
        with tempfile.TemporaryDirectory(prefix="mobstore-bench-", dir=arguments.directory) as directory:
            figures = list(measure(Path(directory), arguments.rounds))
        figures.append(measure_schedules(arguments.rounds))
        try:
            figures.append(measure_crashes(arguments.rounds))
        except Unreachable as error:
            print(f"mobstore bench: crash images are not measured: {error}", file=sys.stderr)
        told["figures"] = [attrs.asdict(figure) for figure in figures]
        if not arguments.json:
            _print_figures(figures)
    if "linearizability" in chosen:
        measured = list(checker.measure(arguments.rounds))
        told["linearizability"] = [attrs.asdict(each) for each in measured]
        if not arguments.json:
            _print_measured(measured)
    if arguments.json:
        report.print_json(told)
    return 0


def _print_figures(figures: Sequence[Figure]) -> None:
    rows = [
        (
            figure.name,
            f"{figure.per_second:,.0f}/s",
            f"{figure.against}: {figure.against_per_second:,.0f}/s",
            f"{figure.ratio:.2f}",
            _reached(figure.target, met=figure.met),
        )
        for figure in figures
    ]
    columns = ("benchmark", "median", "held against", "ratio", "target")
    report.print_table(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}", columns, rows)


def _print_measured(measured: Sequence[checker.Measured]) -> None:
    rows = [
        (each.name, each.found, f"{each.value:.3g} {each.unit}".strip(), _reached(each.target, met=each.met))
        for each in measured
    ]
    report.print_table("linearizability checker", ("history", "found", "median", "target"), rows)


def _reached(target: str, *, met: bool) -> str:
    return f"{target}: {'met' if met else 'MISSED'}"
