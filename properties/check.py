"""``mobstore check``: hold a backend to the contract, chapter by chapter."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from mobstore.backends.wire import ProgramFailure
from mobstore.properties import report
from mobstore.properties.chapter import Chapter, Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.check_page import page
from mobstore.properties.junit import write_junit
from mobstore.properties.known import NotAList, read_known
from mobstore.properties.parallel import in_order
from mobstore.properties.refinement import PROFILES, Profile
from mobstore.properties.subject import (
    Factory,
    ProgramBackend,
    UnknownBackend,
    declared_by,
    factory_of,
    factory_source,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore check``."""
    parser.add_argument(
        "backend",
        help="memory, sqlite (in memory, if files can be), sqlite:PATH (where its files are made), "
        "package.module:factory, or exec:COMMAND",
    )
    parser.add_argument("--profile", choices=PROFILES, default="ci", help="how much is tried (default: ci)")
    parser.add_argument("--seed", type=int, help="what is generated (default: drawn, and printed)")
    parser.add_argument("--chapter", action="append", metavar="NAME", help="only this chapter (may be repeated)")
    parser.add_argument("-x", "--exitfirst", action="store_true", help="stop at the first chapter that fails")
    parser.add_argument(
        "--known", type=Path, metavar="FILE", help="known failures, CHAPTER: REASON a line; one that passes fails"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        help="how many chapters are tried at a time, each in a process and on storages of its own (default: 2 for "
        "the whole of memory or sqlite, else 1)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the report as one self-contained page, too"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the report as JUnit's XML, too")


def run(arguments: argparse.Namespace) -> int:
    """Check the backend and return the exit code."""
    try:
        make = factory_of(arguments.backend)
        chapters = _chosen(arguments.chapter)
        known = {} if arguments.known is None else read_known(arguments.known, [each.name for each in CHAPTERS])
        capabilities = declared_by(make)
        jobs = _jobs(arguments)
        if jobs > 1 and isinstance(make, ProgramBackend):
            raise UnknownBackend("a program has one storage, on which one chapter is tried after the other")
        for path in _written(arguments):
            path.touch()
    except (UnknownBackend, NotAList, LookupError, TypeError, OSError, ProgramFailure) as error:
        print(f"mobstore check: {error}", file=sys.stderr)
        return 2
    seed = report.seed_of(arguments.seed)
    source = factory_source(arguments.backend)
    context = Context(make, arguments.backend, source, PROFILES[arguments.profile], seed, capabilities)
    progress = report.Progress(quiet=arguments.json)
    results: list[Result] = []
    with closing(_results(context, chapters, jobs)) as coming:
        for chapter in chapters:
            progress.begin(chapter)
            results.append(_next(chapter, coming))
            progress.end(results[-1])
            failed = results[-1].verdict is Verdict.FAILED and chapter.name not in known
            if results[-1].detail == _INTERRUPTED or (failed and arguments.exitfirst):
                break
    if (end := _ended(make)) is not None:
        results.append(end)
        progress.end(end)
    if arguments.json:
        report.print_json(report.results_json(context, results, known))
    else:
        report.print_results(context, results, known)
    if arguments.html is not None:
        arguments.html.write_text(page(context, results, known), "utf-8")
    if arguments.junit is not None:
        write_junit(arguments.junit, context, results, known)
    return report.EXIT_CODES[report.overall(results, known)]


def _jobs(arguments: argparse.Namespace) -> int:
    """How many chapters are tried at a time; backends of others may share something, and one chapter is one."""
    jobs: int | None = arguments.jobs
    if jobs is None:
        ours = arguments.backend.partition(":")[0] in ("memory", "sqlite")
        return min(2, os.cpu_count() or 1) if ours and not arguments.chapter else 1
    if jobs < 1:
        raise LookupError(f"--jobs {jobs}: at least one chapter is tried at a time")
    return jobs


_INTERRUPTED: Final = "interrupted"


def _next(chapter: Chapter, coming: Iterator[Result]) -> Result:
    """Return the result of a chapter, or that somebody did not wait for it: what was found so far is told still."""
    begun = time.perf_counter()
    try:
        return next(coming)
    except KeyboardInterrupt:
        seconds = time.perf_counter() - begun
        return Result(chapter.name, Verdict.UNKNOWN, seconds, 0, _INTERRUPTED)


def _results(context: Context, chapters: Sequence[Chapter], jobs: int) -> Generator[Result, None, None]:
    """Iterate over the results of the chapters, in their order."""
    shown = (context.name, context.profile, context.seed)
    here = [functools.partial(chapter.run, context) for chapter in chapters]
    # What makes a factory need not be anything that another process can be sent: it is named, and made there.
    elsewhere = [functools.partial(_run, chapter.name, *shown) for chapter in chapters]
    return in_order(here if jobs == 1 else elsewhere, jobs)


def _run(chapter: str, backend: str, profile: Profile, seed: int) -> Result:
    make = factory_of(backend)
    (found,) = _chosen([chapter])
    return found.run(Context(make, backend, factory_source(backend), profile, seed, declared_by(make)))


def _written(arguments: argparse.Namespace) -> list[Path]:
    """The files that will be written: a path that cannot be written is told before the work, not after it."""
    return [path for path in (arguments.html, arguments.junit) if path is not None]


def _ended(make: Callable[[], Factory]) -> Result | None:
    """Return what is wrong with how a program ended, if it is a program and something is."""
    begun = time.perf_counter()
    try:
        if isinstance(make, ProgramBackend):
            make.close()
    except ProgramFailure as failure:
        detail = f"{type(failure).__name__}: the program {failure}"
        return Result("end", Verdict.FAILED, time.perf_counter() - begun, 0, detail)
    return None


def _chosen(names: list[str] | None) -> Sequence[Chapter]:
    if not names:
        return CHAPTERS
    known = {chapter.name: chapter for chapter in CHAPTERS}
    for name in names:
        if name not in known:
            msg = f"there is no chapter {name!r}: {', '.join(known)}"
            raise LookupError(msg)
    return [known[name] for name in names]
