"""``mobstore durability``: what is kept when the power fails, and what a failing disk leaves behind.

The real SQLite runs on a simulated disk.  First every journal mode is tried with every setting of ``synchronous``;
the settings that the SQLite backend insists on must be among those that kept everything.  Then the power is cut at
every operation of the disk in every changing call of the backend, and in calls that overlap; the disk fails in
every call; processes are killed on the real disk, and pages of a file overwritten; and calls on the memory backend
are interrupted at every point.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

import attrs

from mobstore.properties import report
from mobstore.properties.faults.certificate import CAUSES, PROMISES, Certificate, Entry, certify
from mobstore.properties.faults.damage import damage_pages
from mobstore.properties.faults.failures import Failures, fail_calls
from mobstore.properties.faults.interrupts import interrupt_calls
from mobstore.properties.faults.kills import kill_processes
from mobstore.properties.faults.overlap import cut_schedules
from mobstore.properties.faults.power import LEVELS, Level, Tally, by_name, cut_calls, sqlite_storages
from mobstore.properties.faults.vfs import Unreachable, library


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore durability``."""
    parser.add_argument("--profile", choices=LEVELS, default="quick", help="how much is tried (default: quick)")
    parser.add_argument("--seed", type=int, help="what is drawn (default: drawn itself, and printed)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Try it and return the exit code: 1 when something was lost or torn, 2 when there is no simulated disk."""
    try:
        library()
    except Unreachable as error:
        print(f"mobstore durability: {error}", file=sys.stderr)
        return 2
    seed = report.seed_of(arguments.seed)
    level, quiet = LEVELS[arguments.profile], arguments.json
    certificate = _certificate(level, seed, quiet)
    tallies = _tallies(level, seed, quiet)
    failures = _failures(level, seed, quiet)
    harms = [loss.story() for tally in tallies for loss in tally.losses]
    harms += [harm.story() for found in failures for harm in found.harms]
    harms += _others(level, seed, quiet)
    if not certificate.covers_backend:
        harms.append("the settings that the SQLite backend insists on did not keep everything")
    if arguments.json:
        report.print_json(_json(certificate, tallies, failures, harms))
    else:
        _tell(certificate, tallies, failures, harms)
    return int(bool(harms))


def _progress(quiet: bool, line: str) -> None:
    if not quiet:
        print(line, flush=True)


def _certificate(level: Level, seed: int, quiet: bool) -> Certificate:
    entries = []
    for entry in certify(level, seed):
        entries.append(entry)
        images = sum(kept.images for kept in entry.kept.values())
        _progress(quiet, f"journal_mode={entry.mode} synchronous={entry.synchronous}: {images:,} images")
    return Certificate(sqlite3.sqlite_version, level.name, seed, tuple(entries))


def _tallies(level: Level, seed: int, quiet: bool) -> list[Tally]:
    found: list[Tally] = []
    for storage in sqlite_storages():
        tallies = cut_calls(storage, level, seed)
        found += tallies
        images = sum(tally.images for tally in tallies)
        _progress(quiet, f"{storage.name}: the power cut in {len(tallies)} calls, {images:,} images")
    return by_name(found)


def _failures(level: Level, seed: int, quiet: bool) -> list[Failures]:
    found = list(fail_calls(sqlite_storages()[0], level, seed))
    _progress(quiet, f"the disk, or a statement, failed {sum(each.tried for each in found):,} times")
    return found


def _others(level: Level, seed: int, quiet: bool) -> list[str]:
    """Try what needs no table; return the harms."""
    overlapping = [tally for storage in sqlite_storages() for tally in cut_schedules(storage, level, seed)]
    images = sum(tally.images for tally in overlapping)
    _progress(quiet, f"the power cut in {len(overlapping)} schedules of overlapping calls, {images:,} images")
    interrupted = list(interrupt_calls(1))
    points = sum(each.points for each in interrupted)
    _progress(quiet, f"calls on the memory backend interrupted at {points:,} points")
    with tempfile.TemporaryDirectory(prefix="mobstore-kills-") as directory:
        killed = kill_processes(Path(directory), level.kills, seed)
    _progress(quiet, f"{killed.killed} processes killed, {killed.answered:,} calls of theirs answered")
    damaged = list(damage_pages(seed))
    for each in damaged:
        shown = f"refused {each.refused}, told {each.told}, right {each.right}, not noticed {len(each.wrong)}"
        _progress(quiet, f"every page overwritten with {each.name}: {shown}")
    return [
        *(loss.story() for tally in overlapping for loss in tally.losses),
        *(harm for each in interrupted for harm in each.harms),
        *killed.problems,
        # SQLite keeps no checksums: that it notices another of its own pages is not claimed.
        *(wrong for each in damaged if each.name != "another page" for wrong in each.wrong),
    ]


def _kept(entry: Entry, cause: str) -> str:
    lost = [promise for promise in PROMISES if not entry.kept[cause].keeps(promise)]
    return f"not {lost[0]}" if lost else "everything"


def _tell(certificate: Certificate, tallies: list[Tally], failures: list[Failures], harms: list[str]) -> None:
    report.print_table(
        f"What SQLite {certificate.sqlite} keeps (profile {certificate.level}, seed {certificate.seed})",
        ("journal mode, synchronous", *CAUSES, "images"),
        [
            (
                f"{entry.mode}, {entry.synchronous}",
                *(_kept(entry, cause) for cause in CAUSES),
                f"{sum(kept.images for kept in entry.kept.values()):,}",
            )
            for entry in certificate.entries
        ],
    )
    report.print_table(
        "The power cut at every operation of the disk",
        ("call", "cuts", "images", "cut recoveries", "before", "after", "lost or torn"),
        [
            (
                tally.name,
                *(f"{count:,}" for count in (tally.points, tally.images, tally.recoveries)),
                *(f"{count:,}" for count in (tally.unchanged, tally.changed, len(tally.losses))),
            )
            for tally in tallies
        ],
    )
    tried, erred, unknown = (
        sum(getattr(each, name) for each in failures) for name in ("tried", "erred", "unknown")
    )
    print(f"{tried:,} failures of the disk or a statement: {erred:,} errors, {unknown:,} unknown outcomes")
    for harm in harms[:5]:
        print(f"\n{harm}")
    print(f"\n{len(harms)} lost, torn or harmed")


def _json(
    certificate: Certificate, tallies: list[Tally], failures: list[Failures], harms: list[str]
) -> dict[str, Any]:
    return {
        "certificate": certificate.to_json(),
        "calls": [{**attrs.asdict(tally), "losses": len(tally.losses)} for tally in tallies],
        "failures": [{**attrs.asdict(each), "harms": len(each.harms)} for each in failures],
        "harms": harms,
    }
