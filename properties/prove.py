"""``mobstore prove``: settle every obligation in two solvers, and say what holds, how far, and what does not.

An obligation holds when Z3 and cvc5 both say so.  ``unknown`` and a time-out are failures, and so are two solvers
that differ.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.status import Status

from mobstore.properties import report
from mobstore.properties.proofs import claims
from mobstore.properties.proofs.mutation import trials
from mobstore.properties.proofs.obligation import ASSUMPTIONS, Aim, Obligation
from mobstore.properties.proofs.registry import chosen
from mobstore.properties.proofs.scoring import EQUIVALENT, Score, by_kind, score, try_all
from mobstore.properties.proofs.settlement import Result, group_of, in_order, settle_all
from mobstore.properties.proofs.solvers import DEFAULT_LIMIT, SOLVERS, Verdict

_STYLES: Final = {Verdict.HOLDS: "green", Verdict.REFUTED: "bold red", Verdict.UNKNOWN: "yellow"}
_CODES: Final = {Verdict.HOLDS: 0, Verdict.REFUTED: 1, Verdict.UNKNOWN: 2}
_FEW: Final = 40
"""So many obligations are shown a line each without being asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore prove``."""
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PATTERN",
        help="only these obligations (call/cas_*; repeated)",
    )
    parser.add_argument("--full", action="store_true", help="show a line an obligation, with what it says")
    parser.add_argument(
        "--export", type=Path, metavar="DIR", help="write each question as SMT-LIB 2 there, and settle the files"
    )
    parser.add_argument(
        "--mutants",
        action="store_true",
        help="change the tables in one place at a time: each change must be refuted",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument(
        "--limit", type=float, default=DEFAULT_LIMIT, help=f"seconds a solver has for one ({DEFAULT_LIMIT:.0f})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Settle the obligations and return the exit code: 0 all hold, 1 one is refuted, 2 one is not known."""
    if arguments.jobs < 1 or arguments.limit <= 0:
        print("mobstore prove: --jobs is at least 1, and --limit above 0", file=sys.stderr)
        return 2
    if arguments.mutants:
        return _score(arguments)
    try:
        wanted = chosen(arguments.only)
    except LookupError as error:
        print(f"mobstore prove: {error.args[0]}", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    told = _told(
        settle_all(wanted, arguments.jobs, arguments.limit, arguments.export), wanted, quiet=arguments.json
    )
    results = in_order(told, wanted)
    if arguments.export is not None:
        (arguments.export / "index.md").write_text(claims.index(wanted), "utf-8")
        (arguments.export / "check.sh").write_text(claims.CHECK, "utf-8")
    seconds = time.perf_counter() - begun
    if arguments.json:
        report.print_json(results_json(wanted, results, seconds))
    else:
        _print(wanted, results, seconds, full=arguments.full or len(results) <= _FEW)
    return _CODES[overall(results)]


def _score(arguments: argparse.Namespace) -> int:
    """Try every mutant, and return the exit code: 0 all are refuted or listed with a reason, 1 not."""
    names = [trial.name for trial in trials()]
    names = [name for name in names if not arguments.only or any(fnmatchcase(name, p) for p in arguments.only)]
    if not names:
        print("mobstore prove: there is no such mutant", file=sys.stderr)
        return 2
    begun = time.perf_counter()
    deaths = []
    console = Console(stderr=arguments.json, highlight=False, soft_wrap=True)
    for death in try_all(names, arguments.jobs):
        deaths.append(death)
        if len(deaths) % _OFTEN == 0:
            console.print(f"{len(deaths)} of {len(names)} mutants tried")
    place = {name: number for number, name in enumerate(names)}
    found = score(sorted(deaths, key=lambda death: place[death.mutant]), EQUIVALENT)
    seconds = time.perf_counter() - begun
    if arguments.json:
        report.print_json(_score_json(found, seconds))
    else:
        _print_score(found, seconds, full=arguments.full)
    return 0 if found.is_full else 1


_OFTEN: Final = 50


def _print_score(found: Score, seconds: float, *, full: bool) -> None:
    rows = [
        (kind, f"{tried}", f"{killed}", f"{tried - killed}")
        for kind, (tried, killed) in by_kind(found.deaths).items()
    ]
    report.print_table("Mutants", ("changed in", "tried", "refuted", "equivalent, or alive"), rows)
    console = Console(highlight=False, soft_wrap=True)
    for death in found.deaths:
        if full and death.killed_by:
            console.print(f"{death.mutant}: refutes {death.killed_by}\n{death.countermodel}", markup=False)
    for name, reason in EQUIVALENT.items():
        if name in {death.mutant for death in found.deaths}:
            console.print(f"equivalent: {name}: {reason}", markup=False)
    for what, listed in (("alive", found.survivors), ("stale", found.stale), ("NOT confirmed", found.unconfirmed)):
        for name in listed:
            console.print(f"{what}: {name}", style="bold red", markup=False)
    killed = sum(bool(death.killed_by) for death in found.deaths)
    console.print(
        f"\n{len(found.deaths)} mutants: {killed} refuted, each by a case that Python confirms; "
        f"{len(found.deaths) - killed - len(found.survivors)} equivalent; {len(found.survivors)} alive; "
        f"{len(found.stale)} stale reasons, in {seconds:.1f} s",
        style="green" if found.is_full else "bold red",
        markup=False,
    )


def _score_json(found: Score, seconds: float) -> dict[str, Any]:
    return {
        "verdict": "full" if found.is_full else "not full",
        "seconds": round(seconds, 3),
        "by_kind": {
            kind: {"tried": tried, "refuted": killed} for kind, (tried, killed) in by_kind(found.deaths).items()
        },
        "equivalent": EQUIVALENT,
        "alive": found.survivors,
        "stale": found.stale,
        "unconfirmed": found.unconfirmed,
        "mutants": {death.mutant: death.killed_by for death in found.deaths},
    }


def overall(results: Sequence[Result]) -> Verdict:
    """Return the verdict of all: refuted if one is, else unknown if one is, or if there is none."""
    verdicts = {result.verdict for result in results}
    if Verdict.REFUTED in verdicts:
        return Verdict.REFUTED
    return Verdict.HOLDS if verdicts == {Verdict.HOLDS} else Verdict.UNKNOWN


def _told(results: Iterator[Result], wanted: Sequence[Obligation], *, quiet: bool) -> Iterator[Result]:
    """Pass results on: a terminal sees which came last, a log a line for each group that is through."""
    console = Console(stderr=quiet, highlight=False, soft_wrap=True)
    left = Counter(group_of(obligation.name) for obligation in wanted)
    found: dict[str, list[Result]] = {group: [] for group in left}
    live = console.is_terminal and not quiet
    status: Status | None = console.status("the solvers begin") if live else None
    with status or _Nothing():
        for number, result in enumerate(results, start=1):
            group = found[result.group]
            group.append(result)
            if status is not None:
                status.update(f"{number} of {len(wanted)}: {result.name}")
            elif not quiet and len(group) == left[result.group]:
                verdict = overall(group)
                seconds = sum(each.seconds for each in group)
                console.print(f"{verdict.value:<8} {result.group:<56} {len(group):4} in {seconds:6.1f} s")
            yield result


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def _print(wanted: Sequence[Obligation], results: Sequence[Result], seconds: float, *, full: bool) -> None:
    columns = ("obligation", "scope", *SOLVERS, "seconds")
    rows = list(map(_row, results)) if full else list(_rows_by_group(results))
    report.print_table("Obligations", columns, rows)
    console = Console(highlight=False, soft_wrap=True)
    sentences = {obligation.name: obligation.sentence for obligation in wanted}
    for result in results:
        if full or result.verdict is not Verdict.HOLDS:
            style = None if result.verdict is Verdict.HOLDS else _STYLES[result.verdict]
            console.print(
                f"{result.verdict.value}: {result.name}: {sentences[result.name]}", style=style, markup=False
            )
        if result.detail:
            console.print(f"  ({result.detail})", markup=False)
        if result.countermodel is not None:
            console.print(str(result.countermodel), markup=False)
    verdict = overall(results)
    console.print(f"\n{_closing(results)}, in {seconds:.1f} s", style=_STYLES[verdict], markup=False)


def _closing(results: Sequence[Result]) -> str:
    counts = Counter(result.verdict for result in results)
    parts = [f"{counts[verdict]} {_WORDS[verdict]}" for verdict in Verdict if counts[verdict]]
    unbounded = sum(result.verdict is Verdict.HOLDS and result.is_unbounded for result in results)
    return f"{len(results)} obligations: {', '.join(parts)} ({unbounded} proved without any bound)"


_WORDS: Final = {Verdict.HOLDS: "hold", Verdict.REFUTED: "refuted", Verdict.UNKNOWN: "unknown"}


def _row(result: Result) -> tuple[str, ...]:
    by_solver = {finding.solver: finding.verdict.value for finding in result.findings}
    verdicts = (by_solver.get(solver, "–") for solver in SOLVERS)
    return (result.name, _short(result), *verdicts, f"{result.seconds:.2f}")


def _rows_by_group(results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.group, _short(result)), []).append(result)
    for (group, scope), members in groups.items():
        verdicts = (_counted(members, solver) for solver in SOLVERS)
        yield f"{group} ({len(members)})", scope, *verdicts, f"{sum(each.seconds for each in members):.2f}"


def _counted(results: Sequence[Result], solver: str) -> str:
    """Return what a solver found of some obligations: one word where it is the same of all."""
    found = Counter(
        next((each.verdict.value for each in result.findings if each.solver == solver), "–") for result in results
    )
    return next(iter(found)) if len(found) == 1 else ", ".join(f"{count} {word}" for word, count in found.items())


def _short(result: Result) -> str:
    """Return the scope in a word: what can happen is shown by an example, which needs no more."""
    if result.aim is Aim.POSSIBLE:
        return "an example"
    return "unbounded" if result.is_unbounded else "bounded"


def results_json(wanted: Sequence[Obligation], results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """Return the results as plain JSON."""
    by_name = {obligation.name: obligation for obligation in wanted}
    return {
        "verdict": overall(results).value,
        "seconds": round(seconds, 3),
        "assumptions": ASSUMPTIONS,
        "obligations": [_result_json(by_name[result.name], result) for result in results],
    }


def _result_json(obligation: Obligation, result: Result) -> dict[str, Any]:
    counter = result.countermodel
    return {
        "name": result.name,
        "sentence": obligation.sentence,
        "scope": obligation.scope.text,
        "aim": obligation.aim.value,
        "assumptions": list(obligation.assumptions),
        "verdict": result.verdict.value,
        "findings": {
            each.solver: {"verdict": each.verdict.value, "seconds": round(each.seconds, 4)}
            for each in result.findings
        },
        "detail": result.detail,
        "countermodel": None
        if counter is None
        else {
            "before": counter.before,
            "call": counter.call,
            "after": counter.after,
            "confirmed": counter.confirmed,
        },
    }
