"""``mobstore workflows``: what workflow drivers reach, and a large flow driven by many workers at once.

First workflows are driven by turns, with deaths, on a backend beside the model, and how often each transition,
refusal, commit, call and crash window was reached is printed; what was never reached makes the result unknown.
Then a flow of many steps with nested loops is driven on SQLite by one worker, by threads, and by two processes of
which one is killed again and again; all must come to the end of a single worker.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mobstore.backends import sqlite
from mobstore.properties import report
from mobstore.properties.refinement import PROFILES, Mismatch
from mobstore.properties.subject import UnknownBackend, factory_of, factory_source
from mobstore.properties.workflows.large import GROUP, UnevenSteps, large
from mobstore.properties.workflows.workers import Outcome, expected_end, in_processes, in_threads
from mobstore.properties.workflows.workload import Workload

_COLUMNS = (
    "workers",
    "seconds",
    "calls",
    "answered false",
    "reads",
    "gave up",
    "steps done by each",
    "repeated",
    "killed",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore workflows``."""
    parser.add_argument("backend", nargs="?", default="memory", help="as of mobstore check (default: memory)")
    parser.add_argument("--profile", choices=PROFILES, default="ci", help="how much is drawn (default: ci)")
    parser.add_argument("--seed", type=int, help="what is drawn (default: drawn itself, and printed)")
    parser.add_argument(
        "--steps",
        type=int,
        default=1000,
        help=f"steps of the large flow, a multiple of {GROUP}; 0: none (default: 1000)",
    )
    parser.add_argument("--threads", type=int, default=4, help="threads that drive it at once (default: 4)")
    parser.add_argument("--kills", type=int, default=10, help="how often a process is killed (default: 10)")


def run(arguments: argparse.Namespace) -> int:
    """Drive workflows and return the exit code."""
    try:
        make = factory_of(arguments.backend)
        scenario = large(arguments.steps) if arguments.steps else None
    except (UnknownBackend, UnevenSteps) as error:
        print(f"mobstore workflows: {error}", file=sys.stderr)
        return 2
    seed = report.seed_of(arguments.seed)
    print(f"seed {seed}", flush=True)
    code = _reach(Workload(make, factory_source(arguments.backend)), arguments, seed)
    if code or scenario is None:
        return code
    return _drive_large(arguments, seed)


def _reach(workload: Workload, arguments: argparse.Namespace, seed: int) -> int:
    """Drive small workflows by turns, and print what was reached."""
    try:
        found = workload.run(PROFILES[arguments.profile], seed)
    except Mismatch as mismatch:
        print(f"an answer differs\n{mismatch.counterexample.program()}")
        return 1
    if found.failure:
        print(f"{found.failure}\n{found.counterexample}")
        return 1
    rows = [(f"{what} {name}", f"{count:,}") for what, name, count in found.coverage.rows()]
    report.print_table(f"What was reached in {found.calls:,} calls", ("what", "times"), rows)
    for name in found.missing:
        print(f"never reached: {name}")
    return 2 if found.missing else 0


def _drive_large(arguments: argparse.Namespace, seed: int) -> int:
    """Drive the large flow by all kinds of workers, and print what they came to."""
    outcomes = []
    for outcome in _outcomes(arguments, seed):
        print(f"{outcome.workers}: {outcome.seconds:.1f} s", flush=True)
        outcomes.append(outcome)
    rows = [_row(outcome) for outcome in outcomes]
    report.print_table(f"A flow of {arguments.steps:,} steps on SQLite", _COLUMNS, rows)
    for outcome in outcomes:
        for problem in outcome.problems:
            print(f"{outcome.workers}: {textwrap.shorten(problem, 200, placeholder=' ...')}")
    if any(outcome.problems for outcome in outcomes):
        return 1
    if arguments.kills and not outcomes[-1].killed:
        print("the run ended before a process was killed")
        return 2
    print("each came to the status, states and outputs of a single worker, and to a log that replays to them")
    return 0


def _outcomes(arguments: argparse.Namespace, seed: int) -> Iterator[Outcome]:
    scenario = large(arguments.steps)
    expected = expected_end(scenario)

    def threads(count: int) -> Callable[[Path], Outcome]:
        def drive(directory: Path) -> Outcome:
            with sqlite.open(directory / "stores.db", busy_timeout=60) as stores:
                return in_threads(stores, scenario, count, seed, expected)

        return drive

    def processes(directory: Path) -> Outcome:
        return in_processes(directory, arguments.steps, arguments.kills, seed, expected)

    for drive in (threads(1), threads(arguments.threads), processes):
        with tempfile.TemporaryDirectory(prefix="mobstore-workflows-") as directory:
            yield drive(Path(directory))


def _row(outcome: Outcome) -> tuple[Any, ...]:
    counts = (outcome.counts[name] for name in ("calls", "false", "reads", "contention"))
    shares = " + ".join(f"{share:,}" for share in outcome.shares)
    figures = [f"{count:,}" for count in counts]
    return (outcome.workers, f"{outcome.seconds:.1f}", *figures, shares, f"{outcome.repeated}", f"{outcome.killed}")
