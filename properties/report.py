"""Reports: progress while chapters run, a table at the end, or JSON."""

from __future__ import annotations

import json
import random
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mobstore.model import to_json
from mobstore.properties.chapter import Chapter, Context, Result, Verdict
from mobstore.properties.known import stale, unknown_failures
from mobstore.properties.levels import Level, awarded, level_of, wanting
from mobstore.properties.subject import MADE

_STYLES: Final = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.UNKNOWN: "yellow",
    Verdict.NOT_APPLICABLE: "dim",
}
EXIT_CODES: Final = {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNKNOWN: 2}
"""What a command returns: 0 it holds, 1 a violation, 2 it could not tell."""


_NOTHING: Final[Mapping[str, str]] = {}
WORDS: Final = {**{verdict: verdict.value for verdict in Verdict}, Verdict.NOT_APPLICABLE: "n/a"}


def overall(results: Sequence[Result], known: Mapping[str, str] = _NOTHING) -> Verdict:
    """Return the verdict of a run: any failure is a failure, and so is a run in which nothing was tested.

    Anything unknown is unknown; so is what does not apply only because it is not there yet.

    Args:
        known: the reasons of known failures by chapter; those do not count, and one that did not fail is a failure.
    """
    counted = unknown_failures(results, known)
    verdicts = [result.verdict for result in counted if result.verdict is not Verdict.NOT_APPLICABLE]
    if not verdicts or stale(results, known):
        return Verdict.FAILED
    missing = [Verdict.UNKNOWN for result in results if result.missing]
    return joined([*verdicts, *missing])


def joined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict of several: none, or anything unknown, is unknown; any failure is a failure."""
    found = set(verdicts)
    if Verdict.FAILED in found:
        return Verdict.FAILED
    return Verdict.PASSED if found == {Verdict.PASSED} else Verdict.UNKNOWN


def seed_of(given: int | None) -> int:
    """Return the seed that a command was given, or draw one."""
    return random.SystemRandom().randrange(_SEEDS) if given is None else given


_SEEDS: Final = 1_000_000


_LIVE: Final = 1.0
"""Seconds after which a line on a terminal is brought up to date."""


class Progress:
    """Tells which chapter is running, since when and by how many calls, and what each one came to.

    On a terminal that is a line that changes; elsewhere one now and then, so that a log shows that it goes on.

    Args:
        quiet: whether to tell nothing.
        every: seconds after which a log is told that a chapter is still running.
    """

    def __init__(self, *, quiet: bool = False, every: float = 30.0) -> None:
        self._console = Console(stderr=quiet, highlight=False, emoji=False, soft_wrap=True)
        self._quiet = quiet
        self._every = every
        self._over = threading.Event()
        self._watch: threading.Thread | None = None

    def begin(self, chapter: Chapter) -> None:
        """Say that a chapter begins."""
        if self._quiet:
            return
        self._over.clear()
        live = self._console.is_terminal
        watch = self._live if live else self._log
        self._watch = threading.Thread(target=watch, args=(chapter, MADE.calls, time.monotonic()), daemon=True)
        self._watch.start()

    def _live(self, chapter: Chapter, made: int, begun: float) -> None:
        told = f"{chapter.name}: {chapter.promise}"
        with self._console.status(told) as status:
            while not self._over.wait(_LIVE):
                status.update(f"{told} ({_so_far(made, begun)})")

    def _log(self, chapter: Chapter, made: int, begun: float) -> None:
        while not self._over.wait(self._every):
            self._console.print(f"{'...':<8} {chapter.name:<28} {_so_far(made, begun)}", style="dim")

    def end(self, result: Result) -> None:
        """Say what a chapter came to."""
        if self._quiet:
            return
        if self._watch is not None:
            self._over.set()
            self._watch.join()
        line = Text(f"{WORDS[result.verdict]:<8}", style=_STYLES[result.verdict])
        line.append(f" {result.chapter:<28} {result.seconds:6.1f} s {result.calls:7,} calls  {result.detail}", "")
        self._console.print(line)


def _so_far(made: int, begun: float) -> str:
    """How long, and by how many calls, where they are made in this process."""
    calls = MADE.calls - made
    return f"{time.monotonic() - begun:6.1f} s" + (f" {calls:7,} calls so far" if calls else " so far")


def print_results(context: Context, results: Sequence[Result], known: Mapping[str, str] = _NOTHING) -> None:
    """Print the counterexamples and the closing lines."""
    console = Console(highlight=False, emoji=False, soft_wrap=True)
    for result in results:
        if result.counterexample:
            console.print(f"\n--- {result.chapter}: {result.detail}", style="bold", markup=False)
            console.print(result.counterexample, markup=False)
            console.print(f"again: {command(context, result.chapter)}", markup=False)
    no_longer = stale(results, known)
    for result in results:
        if result.chapter in no_longer:
            told = f"no longer fails, so that its line must go: {result.chapter}: {known[result.chapter]}"
        elif result.chapter in known:
            told = f"known to fail: {result.chapter}: {known[result.chapter]}"
        else:
            continue
        console.print(told, markup=False)
    verdict = overall(results, known)
    seconds, calls = sum(result.seconds for result in results), sum(result.calls for result in results)
    console.print(
        f"\n{context.name}: {verdict.value.upper()} ({counted(results)}; {calls:,} calls; {seconds:.1f} s of work; "
        f"profile {context.profile.name}, seed {context.seed})",
        style=_STYLES[verdict],
        markup=False,
    )
    for kind in (Verdict.FAILED, Verdict.UNKNOWN):
        if names := [result.chapter for result in results if result.verdict is kind]:
            console.print(f"{kind.value}: {', '.join(names)}", style=_STYLES[kind], markup=False)
    if verdicts := {result.verdict for result in results}:
        if verdicts == {Verdict.NOT_APPLICABLE}:
            console.print("vacuous: nothing was tested", markup=False)
        console.print(f"level: {awarded(results) or 'none'}", markup=False)
        if above := next_level(results):
            console.print(f"next level: {above}", markup=False)
    if verdict is not Verdict.PASSED:
        console.print(f"again: {command(context)}", markup=False)


def next_level(results: Sequence[Result]) -> str:
    """Return which level is above the one that was earned, and what it wants; nothing if none is."""
    for level in Level:
        if wanted := [f"{name} ({what})" for name, what in wanting(level, results).items()]:
            more = f" and {len(wanted) - _WANTED} more" if len(wanted) > _WANTED else ""
            return f"{level.name.lower()}, which wants {', '.join(wanted[:_WANTED])}{more}"
    return ""


_WANTED: Final = 4
"""Chapters that are named; a run of a few leaves out many."""


def counted(results: Sequence[Result]) -> str:
    """Return how many chapters came to what, in words."""
    counts = {kind: sum(result.verdict is kind for result in results) for kind in Verdict}
    return ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)


def command(context: Context, chapter: str = "") -> str:
    """Return the command that does a run, or one chapter of it, again."""
    only = f" --chapter {chapter}" if chapter else ""
    backend = shlex.quote(context.name)
    return f"mobstore check {backend} --profile {context.profile.name} --seed {context.seed}{only}"


def results_json(
    context: Context, results: Sequence[Result], known: Mapping[str, str] = _NOTHING
) -> dict[str, Any]:
    """Return a run as plain JSON."""
    return {
        "backend": context.name,
        "profile": context.profile.name,
        "seed": context.seed,
        "capabilities": to_json(context.capabilities),
        "verdict": overall(results, known).value,
        "level": None if (level := awarded(results)) is None else level.name.lower(),
        "chapters": [
            {
                **attrs.asdict(result),
                "level": level_of(result.chapter).name.lower(),
                "again": command(context, result.chapter),
            }
            for result in results
        ],
        "known": dict(known),
        "no_longer_failing": stale(results, known),
    }


def print_json(value: Any) -> None:
    """Print JSON for other programs."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    print()


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the first column is text, the others are figures."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 120).print(table)
