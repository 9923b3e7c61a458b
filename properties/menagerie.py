"""``mobstore zoo``: show that the suite rejects every broken backend, and by which calls."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import attrs

from mobstore.properties import report
from mobstore.properties.refinement import PROFILES, Counterexample, refine
from mobstore.properties.zoo import ZOO, BrokenBackend

ATTEMPTS = 6
"""Seeds that are tried before a broken backend counts as not rejected."""


@attrs.frozen
class Rejection:
    """What became of a broken backend; ``counterexample`` is None when nothing was found."""

    backend: BrokenBackend
    seconds: float
    calls: int
    counterexample: Counterexample | None


def reject(backend: BrokenBackend, seed: int) -> Rejection:
    """Drive a broken backend through the rule group that is there for it, until it is rejected."""
    begun, calls = time.perf_counter(), 0
    for attempt in range(ATTEMPTS):
        source = f"ZOO[{backend.name!r}]()"
        result = refine(backend.group, backend, PROFILES["ci"], seed + attempt, name=backend.name, source=source)
        calls += result.calls
        if result.counterexample is not None:
            break
    return Rejection(backend, time.perf_counter() - begun, calls, result.counterexample)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore zoo``."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="broken backends (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="what is generated (default: 0)")
    parser.add_argument("--programs", action="store_true", help="print each counterexample as a test to paste")
    parser.add_argument("--json", action="store_true", help="print the matrix as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Reject the broken backends and return the exit code: 1 when one was not rejected."""
    unknown = set(arguments.names) - set(ZOO)
    if unknown:
        print(f"mobstore zoo: there is no broken backend {min(unknown)!r}: {', '.join(ZOO)}", file=sys.stderr)
        return 2
    rejections = []
    for name in arguments.names or ZOO:
        rejections.append(reject(ZOO[name], arguments.seed))
        if not arguments.json:
            _tell(rejections[-1], arguments.programs)
    missed = [found.backend.name for found in rejections if found.counterexample is None]
    if arguments.json:
        report.print_json([_row(found) for found in rejections])
    else:
        print(f"{len(rejections) - len(missed)} of {len(rejections)} broken backends rejected")
    return int(bool(missed))


def _row(found: Rejection) -> dict[str, Any]:
    example = found.counterexample
    return {
        "name": found.backend.name,
        "mistake": found.backend.mistake,
        "group": found.backend.group,
        "seconds": round(found.seconds, 2),
        "calls": found.calls,
        "counterexample_calls": example and example.calls,
        "program": example and example.program(),
    }


def _tell(found: Rejection, programs: bool) -> None:
    example = found.counterexample
    verdict = "NOT rejected" if example is None else f"by {example.calls} calls"
    print(
        f"{found.backend.name:<36} {found.backend.group:<20} "
        f"{found.seconds:5.1f} s {found.calls:6,} calls  {verdict}"
    )
    if programs and example is not None:
        print(f"\n# {found.backend.mistake}\n{example.program()}")
