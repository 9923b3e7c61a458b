"""False alarms: our own backends, which are right, go through the suite with many seeds, and nothing rejects them.

The chapters that make the same calls whatever the seed are run with the first seed only.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any, Final

import attrs

from mobstore.properties import report
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.parallel import in_order
from mobstore.properties.refinement import PROFILES
from mobstore.properties.subject import factory_of, factory_source

BACKENDS: Final = ("memory", "sqlite")
PROFILE: Final = PROFILES["quick"]

DRAW_NOTHING: Final = (
    "smoke",
    "rows",
    "comparisons",
    "values",
    "cursors",
    "awkward-ids",
    "bad-input",
    "handles",
    "subscriptions",
    "secrets",
)
"""The chapters that make the same calls whatever the seed, in the order of the suite."""

_ONCE: Final = {*DRAW_NOTHING, "capabilities", "clock", "crashes"}


@attrs.frozen
class Trial:
    """What became of a backend with one seed: how many chapters were run, and those that did not pass."""

    backend: str
    seed: int
    chapters: int
    calls: int
    seconds: float
    exceptions: tuple[Result, ...]


def try_backend(backend: str, seed: int, *, everything: bool) -> Trial:
    """Hold a backend to the suite with one seed; without ``everything`` to the chapters that it decides about."""
    make = factory_of(backend)
    context = Context(make, backend, factory_source(backend), PROFILE, seed)
    results = [chapter.run(context) for chapter in CHAPTERS if everything or chapter.name not in _ONCE]
    return Trial(
        backend,
        seed,
        len(results),
        sum(result.calls for result in results),
        sum(result.seconds for result in results),
        tuple(result for result in results if result.verdict in (Verdict.FAILED, Verdict.UNKNOWN)),
    )


def run(seeds: int, first: int, jobs: int, *, quiet: bool) -> int:
    """Try our backends and return the exit code: 1 when one was rejected, 2 when something could not be told."""
    trials = [(backend, seed) for seed in range(first, first + seeds) for backend in BACKENDS]
    found = []
    tasks = [functools.partial(try_backend, backend, seed, everything=seed == first) for backend, seed in trials]
    for trial in in_order(tasks, jobs):
        found.append(trial)
        _tell(trial, quiet)
    rejected = [result for trial in found for result in trial.exceptions if result.verdict is Verdict.FAILED]
    unknown = [result for trial in found for result in trial.exceptions if result.verdict is Verdict.UNKNOWN]
    if quiet:
        report.print_json([attrs.asdict(trial) for trial in found])
    else:
        _sum_up(found)
    return 1 if rejected else 2 if unknown else 0


def _tell(trial: Trial, quiet: bool) -> None:
    if quiet:
        return
    print(
        f"{trial.backend:<8} seed {trial.seed:<6} {trial.chapters:3} chapters {trial.calls:7,} calls "
        f"{trial.seconds:6.1f} s",
        flush=True,
    )
    for result in trial.exceptions:
        print(f"  {result.verdict.value} {result.chapter}: {result.detail:.100}")
        if result.counterexample:
            print(result.counterexample, file=sys.stderr)


def _sum_up(found: Sequence[Trial]) -> None:
    rows: list[tuple[str, ...]] = []
    for backend in BACKENDS:
        trials = [trial for trial in found if trial.backend == backend]
        verdicts = [result.verdict for trial in trials for result in trial.exceptions]
        counts: tuple[Any, ...] = (
            len(trials),
            sum(trial.chapters for trial in trials),
            sum(trial.calls for trial in trials),
            verdicts.count(Verdict.FAILED),
            verdicts.count(Verdict.UNKNOWN),
        )
        rows.append((backend, *(f"{count:,}" for count in counts)))
    columns = ("backend", "seeds", "chapters", "calls", "rejected", "unknown")
    report.print_table(f"False alarms (profile {PROFILE.name})", columns, rows)
