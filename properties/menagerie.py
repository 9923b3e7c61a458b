"""``mobstore zoo``: show which chapter of the suite rejects which broken backend, and by how few calls.

For every broken backend the smoke chapter is run, which most of them pass, and the chapter that is there for its
mistake, which must reject it; with ``--every`` all chapters that draw nothing, too.  Those that show only when
calls overlap, the power fails or a call is interrupted are found out by other means than chapters.  At the end each
chapter meets its twin, which it must reject at a named step.  With ``--correct N`` our own backends go through the
suite with N seeds, and nothing may reject them.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any, Final

import attrs
from rich.console import Console

from mobstore.properties import alarms, report
from mobstore.properties.alarms import DRAW_NOTHING
from mobstore.properties.chapter import Chapter, Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.parallel import in_order
from mobstore.properties.refinement import PROFILES
from mobstore.properties.subject import declared_by
from mobstore.properties.zoo import BY_HAND, ZOO, Kind
from mobstore.properties.zoo.elsewhere import EXHIBITS
from mobstore.properties.zoo.twins import TWINS, name_of

ATTEMPTS: Final = 6
"""Seeds that are tried before a broken backend counts as not rejected."""

LONGEST: Final = 6
"""Calls that a counterexample may take."""

SMOKE: Final = "smoke"
_CHAPTERS: Final = {chapter.name: chapter for chapter in CHAPTERS}
_ROWS: Final = (Kind.MEMORY_ROW, Kind.SQLITE_ROW)


@attrs.frozen
class Rejection:
    """What became of a broken backend.

    ``kind`` says where it comes from, ``group`` what it is summed up with, if anything; ``own`` is the result of
    what is there for it, ``others`` are those of more chapters; ``is_rejected`` says whether it was found out as it
    must be: by few enough calls, and a twin at its step.
    """

    name: str
    mistake: str
    kind: str
    group: str
    own: Result
    is_rejected: bool
    others: tuple[Result, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether it passed the smoke chapter: a mistake that an author may not notice."""
        return any(result.chapter == SMOKE and result.verdict is Verdict.PASSED for result in self.others)


def _in_few_calls(result: Result) -> bool:
    return result.verdict is Verdict.FAILED and 0 < result.length <= LONGEST


def reject(name: str, seed: int, others: Sequence[str] = (SMOKE,), *, shrinks: bool = True) -> Rejection:
    """Hold a broken backend to its chapter, with one seed after another until it is rejected, and to others once.

    Args:
        name: a key of `ZOO` or `EXHIBITS`, or the name of a chapter's twin.
        seed: the first seed.
        others: the names of other chapters.
        shrinks: whether to look for the simplest counterexample where a short one is known.
    """
    if name in EXHIBITS:
        return _expose(name, seed)
    if name in _TWINS:
        return _confront(name, seed)
    backend = ZOO[name]
    context = Context(backend, name, f"ZOO[{name!r}]()", PROFILES["ci"], seed, shrinks=shrinks)
    own = _again_and_again(_CHAPTERS[backend.chapter], context)
    tried = (_CHAPTERS[other] for other in others if other != own.chapter)
    context = attrs.evolve(context, shrinks=False)
    results = tuple(other.run(context) for other in tried)
    return Rejection(name, backend.mistake, backend.kind, backend.group, own, _in_few_calls(own), results)


def _again_and_again(chapter: Chapter, context: Context) -> Result:
    """Return the result of the first seed that rejects a backend, or of the last, with what all of them took."""
    seconds, calls = 0.0, 0
    for attempt in range(ATTEMPTS):
        result = chapter.run(attrs.evolve(context, seed=context.seed + attempt))
        seconds, calls = seconds + result.seconds, calls + result.calls
        if result.verdict is Verdict.FAILED:
            break
    return attrs.evolve(result, seconds=seconds, calls=calls)


def _confront(name: str, seed: int) -> Rejection:
    """Let a chapter meet its twin."""
    chapter = _TWINS[name]
    twin = TWINS[chapter]
    backend, source = twin.backend, f"TWINS[{chapter!r}].backend()"
    context = Context(backend, name, source, PROFILES["ci"], seed, declared_by(backend), shrinks=False)
    own = _again_and_again(_CHAPTERS[chapter], context)
    return Rejection(name, backend.mistake, _TWIN, "", own, twin.is_found_by(own))


def _expose(name: str, seed: int) -> Rejection:
    exhibit, begun = EXHIBITS[name], time.perf_counter()
    given = exhibit.give_away(seed)
    seconds = time.perf_counter() - begun
    verdict = Verdict.FAILED if given.proof else Verdict.PASSED
    own = Result(exhibit.by, verdict, seconds, given.calls, given.how, given.proof, given.calls)
    others = []
    if exhibit.make is not None:
        context = Context(exhibit.make, name, "", PROFILES["quick"], seed, shrinks=False)
        others.append(_CHAPTERS[SMOKE].run(context))
    return Rejection(name, exhibit.mistake, _ELSEWHERE, "", own, _in_few_calls(own), tuple(others))


_ELSEWHERE: Final = "elsewhere"
_TWIN: Final = "twin"
_TWINS: Final = {name_of(chapter.name): chapter.name for chapter in CHAPTERS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore zoo``."""
    parser.add_argument(
        "--only", action="append", metavar="NAME", help="broken backends: names or patterns (may be repeated)"
    )
    parser.add_argument("--every", action="store_true", help="run every chapter that draws nothing, too")
    parser.add_argument("--seed", type=int, default=0, help="what is generated (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="how many are tried at a time (default: 1)")
    parser.add_argument("--rows", action="store_true", help="list every mutant of a row")
    parser.add_argument("--programs", action="store_true", help="print each counterexample as a test to paste")
    parser.add_argument(
        "--correct", type=int, metavar="N", help="hold our own backends to the suite with N seeds instead"
    )
    parser.add_argument("--json", action="store_true", help="print the matrix as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Reject the broken backends and return the exit code: 1 when one was not rejected."""
    if arguments.correct is not None:
        return alarms.run(arguments.correct, arguments.seed, arguments.jobs, quiet=arguments.json)
    names = _chosen(arguments.only)
    if not names:
        known = ", ".join((*BY_HAND, *EXHIBITS))
        print(f"mobstore zoo: there is no broken backend {arguments.only[0]!r}: {known}, ...", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    rejections = []
    for rejection in _rejected(names, arguments):
        rejections.append(rejection)
        if not arguments.json:
            _tell(rejection, arguments)
    missed = [found for found in rejections if not found.is_rejected]
    if arguments.json:
        report.print_json([_row(found) for found in rejections])
    else:
        zoo = [found for found in rejections if found.kind != _TWIN]
        _tell_rows(zoo)
        _tell_chapters(zoo)
        _sum_up(zoo, [found for found in rejections if found.kind == _TWIN], time.perf_counter() - begun)
    return int(bool(missed))


def _sum_up(zoo: Sequence[Rejection], twins: Sequence[Rejection], seconds: float) -> None:
    longest = max(found.own.seconds for found in (*zoo, *twins))
    caught, valid = sum(found.is_rejected for found in zoo), sum(found.is_valid for found in zoo)
    print(f"{caught} of {len(zoo)} broken backends rejected by at most {LONGEST} calls; {valid} pass smoke")
    if twins:
        caught = sum(found.is_rejected for found in twins)
        print(f"{caught} of {len(twins)} chapters reject their broken twin at the step that they must")
    print(f"{seconds:.0f} s, each in {longest:.1f} s or less")


def _chosen(patterns: Sequence[str] | None) -> list[str]:
    names = (*EXHIBITS, *ZOO, *_TWINS)
    if not patterns:
        return list(names)
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _rejected(names: Sequence[str], arguments: argparse.Namespace) -> Iterator[Rejection]:
    """Iterate over what becomes of them, in their order; a line on a terminal says how far it is."""
    others = DRAW_NOTHING if arguments.every else (SMOKE,)
    console = Console(stderr=True, highlight=False)
    tasks = [
        functools.partial(reject, name, arguments.seed, others, shrinks=_shrinks(name, arguments)) for name in names
    ]
    status = console.status("the zoo") if console.is_terminal else None
    found = in_order(tasks, arguments.jobs)
    with status or nullcontext():
        for number, name in enumerate(names, 1):
            if status is not None:
                status.update(f"{number} of {len(names)}: {name}")
            yield next(found)


def _shrinks(name: str, arguments: argparse.Namespace) -> bool:
    """The cases of the rows are short as they are: to simplify their values is for readers of programs."""
    return arguments.programs or name in BY_HAND


def _row(found: Rejection) -> dict[str, Any]:
    own = found.own
    return {
        "name": found.name,
        "mistake": found.mistake,
        "kind": found.kind,
        "chapter": own.chapter,
        "rejected": found.is_rejected,
        "seconds": round(own.seconds, 2),
        "calls": own.calls,
        "counterexample_calls": own.length,
        "step": own.step,
        "program": own.counterexample,
        "others": {result.chapter: result.verdict.value for result in found.others},
    }


def _tell(found: Rejection, arguments: argparse.Namespace) -> None:
    if found.kind == _TWIN:
        _tell_twin(found)
    elif arguments.rows or found.kind not in _ROWS:
        _tell_one(found, programs=arguments.programs)


def _tell_one(found: Rejection, *, programs: bool) -> None:
    own = found.own
    verdict = f"by {own.length} calls" if found.is_rejected else f"NOT rejected ({own.verdict.value})"
    if found.kind == _ELSEWHERE:
        verdict += f", {own.detail}"
    also = [result.chapter for result in found.others if result.verdict is Verdict.FAILED]
    print(
        f"{found.name:<40} {own.chapter:<20} {own.seconds:5.1f} s {own.calls:6,} calls  {verdict}"
        f"{'; also by ' if also else ''}{', '.join(also)}",
        flush=True,
    )
    if programs and own.counterexample:
        print(f"\n# {found.mistake}\n{own.counterexample}")


def _tell_chapters(rejections: Sequence[Rejection]) -> None:
    """Sum up what each chapter rejected: of the backends that it is there for, and of all that it was tried on."""
    of_chapter: defaultdict[str, list[Result]] = defaultdict(list)
    also: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    for found in rejections:
        of_chapter[found.own.chapter].append(found.own)
        for result in found.others:
            tried[result.chapter] += 1
            also[result.chapter] += result.verdict is Verdict.FAILED
    report.print_table(
        "What rejected them",
        ("chapter, or other means", "there for", "rejected", "seconds", "calls", "counterexample", "of others"),
        [
            (
                chapter,
                f"{len(of_chapter[chapter])}",
                f"{sum(own.verdict is Verdict.FAILED for own in of_chapter[chapter])}",
                _most([own.seconds for own in of_chapter[chapter]], ".1f"),
                _most([own.calls for own in of_chapter[chapter]]),
                _most([own.length for own in of_chapter[chapter]]),
                f"{also[chapter]} of {tried[chapter]}" if tried[chapter] else "",
            )
            for chapter in dict.fromkeys((*of_chapter, *tried))
        ],
    )


def _tell_twin(found: Rejection) -> None:
    own = found.own
    where = f"at {own.step}" if found.is_rejected else f"NOT rejected at its step ({own.verdict.value} {own.step})"
    print(f"{own.chapter:<28} {own.seconds:5.1f} s  {where}\n{'':>10}{found.mistake}", flush=True)


def _most(numbers: Sequence[float], form: str = ",") -> str:
    """The largest of some numbers, as a bound."""
    return f"≤ {max(numbers):{form}}" if numbers else ""


def _tell_rows(rejections: Sequence[Rejection]) -> None:
    """Sum the mutants of rows up, by storage and by what is wrong with the row."""
    of_kind: defaultdict[str, list[Rejection]] = defaultdict(list)
    for found in rejections:
        if found.kind in _ROWS:
            where = "memory" if found.kind is Kind.MEMORY_ROW else "sqlite"
            of_kind[f"{where}: {found.group}"].append(found)
    if of_kind:
        report.print_table(
            "Mutants of the wrapper table, rejected by the chapter rows",
            ("what is wrong with a row", "mutants", "rejected", "seconds", "calls", "counterexample", "pass smoke"),
            [
                (
                    kind,
                    f"{len(group)}",
                    f"{sum(found.is_rejected for found in group)}",
                    _most([found.own.seconds for found in group], ".1f"),
                    _most([found.own.calls for found in group]),
                    _most([found.own.length for found in group]),
                    f"{sum(found.is_valid for found in group)}",
                )
                for kind, group in of_kind.items()
            ],
        )
