"""``mobstore explore``: every state of the machines and the commit protocols, in small scopes.

Our own explorer runs the machines' Python functions; with ``--tlc``, TLC explores the TLA+ that is made of the same
data.  Both check the same laws in every state and step, and must count the same states.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import attrs

from mobstore.properties import report
from mobstore.properties.chapter import Verdict
from mobstore.properties.exploration import Exploration, Violation
from mobstore.properties.tla import tlc
from mobstore.properties.tla.modules import Scope
from mobstore.properties.tla.scopes import SCOPES


@attrs.frozen
class Explored:
    """A scope, what our explorer found in it and in how many seconds, and what TLC did, where it was asked."""

    scope: Scope
    found: Exploration[Any]
    seconds: float
    by_tlc: tlc.Run | None

    @property
    def verdict(self) -> Verdict:
        """Passed: complete, without a violation, and as TLC says."""
        if self.found.violation is not None or (self.by_tlc is not None and self.by_tlc.violated is not None):
            return Verdict.FAILED
        if not self.found.complete or (self.by_tlc is not None and self.by_tlc.error is not None):
            return Verdict.UNKNOWN
        agreed = self.by_tlc is None or self.by_tlc.states == self.found.states
        return Verdict.PASSED if agreed else Verdict.FAILED

    @property
    def problem(self) -> str:
        """What is wrong, in words; nothing when it passed."""
        lines = []
        if self.found.violation is not None:
            lines += [f"{self.found.violation.check} does not hold:", *way(self.found.violation)]
        elif not self.found.complete:
            lines.append(f"not every state was visited: there are more than {self.found.states:,}")
        if self.by_tlc is not None:
            lines += [part for part in (self.by_tlc.error,) if part]
            lines += [f"TLC: {self.by_tlc.violated} does not hold"] if self.by_tlc.violated else []
            if self.verdict is Verdict.FAILED and self.by_tlc.states != self.found.states:
                lines.append(f"our explorer counts {self.found.states:,} states, TLC {self.by_tlc.states:,}")
        return "\n".join(lines)


def way(violation: Violation[Any]) -> Iterator[str]:
    """Iterate over the lines that tell the way to a violation: each input, and what it changed."""
    before = violation.start
    for number, ((name, input), after) in enumerate(violation.steps, 1):
        values = attrs.asdict(after, recurse=False)
        changed = (f"{key} := {value}" for key, value in values.items() if value != getattr(before, key))
        yield f"  {number}. {name} {input}"
        yield f"       {', '.join(changed) or 'changes nothing'}"
        before = after


def explored(scopes: Sequence[Scope], *, with_tlc: bool) -> Iterator[Explored]:
    """Explore scopes in order, TLC beside us.

    Raises:
        NoTlc: it cannot be run here.
    """
    if with_tlc:
        tlc.find()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running: list[Future[tlc.Run]] = [
            pool.submit(tlc.check, scope.name, scope.module, scope.configuration) for scope in scopes if with_tlc
        ]
        for number, scope in enumerate(scopes):
            begun = time.perf_counter()
            found = scope.explore()
            seconds = time.perf_counter() - begun
            yield Explored(scope, found, seconds, running[number].result() if with_tlc else None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore explore``."""
    parser.add_argument("names", nargs="*", metavar="SCOPE", help=f"scopes (default: all): {', '.join(SCOPES)}")
    parser.add_argument("--tlc", action="store_true", help="let TLC explore them, too (needs Java)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Explore and return the exit code: 1 when a law does not hold or the counts differ, 2 when it is unknown."""
    unknown = set(arguments.names) - set(SCOPES)
    if unknown:
        print(f"mobstore explore: there is no scope {min(unknown)!r}: {', '.join(SCOPES)}", file=sys.stderr)
        return 2
    results = []
    try:
        for result in explored([SCOPES[name] for name in arguments.names or SCOPES], with_tlc=arguments.tlc):
            results.append(result)
            if not arguments.json:
                print(f"{result.scope.name}: {result.found.states:,} states, {result.verdict.value}", flush=True)
    except tlc.NoTlc as error:
        print(f"mobstore explore: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        report.print_json([_row(result) for result in results])
    else:
        _tell(results)
    return report.EXIT_CODES[report.joined(result.verdict for result in results)]


def _tell(results: Sequence[Explored]) -> None:
    for result in results:
        if result.problem:
            print(f"\n--- {result.scope.name}: {result.scope.sentence}\n{result.problem}")
    rows = [
        (
            result.scope.name,
            f"{len(result.found.taken)} of {len(result.scope.machine.transitions)}",
            f"{len(result.scope.laws)}",
            f"{result.found.states:,}",
            "not asked" if result.by_tlc is None else f"{result.by_tlc.states:,}",
            f"{result.seconds:.1f} s",
            result.verdict.value,
        )
        for result in results
    ]
    print()
    columns = ("scope", "transitions", "laws", "our states", "TLC's states", "our time", "verdict")
    report.print_table("Every state of small scopes", columns, rows)


def _row(result: Explored) -> dict[str, Any]:
    return {
        "scope": result.scope.name,
        "sentence": result.scope.sentence,
        "laws": [law.name for law in result.scope.laws],
        "transitions_taken": dict(result.found.taken),
        "states": result.found.states,
        "complete": result.found.complete,
        "tlc_states": result.by_tlc and result.by_tlc.states,
        "verdict": result.verdict.value,
        "problem": result.problem or None,
    }
