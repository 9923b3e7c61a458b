"""``mobstore durability``: what is kept when the power fails, and what a failing disk leaves behind.

The real SQLite runs on a simulated disk.  Every journal mode is tried with every setting of ``synchronous``; the
settings that the SQLite backend insists on must be among those that kept everything.  The power is cut at every
operation of the disk in every changing call of the backend, in the calls of a driver, whose authority log is then
replayed, and in calls that overlap; the disk fails in every call.  On the real disk processes are killed, files
moved, replaced and locked, descriptors and room used up, pages overwritten.  Calls on the memory backend are
interrupted at every point.  Every broken store must be found out.

The parts know nothing of each other and run in processes of their own; what they find depends on the seed alone.
"""

from __future__ import annotations

import argparse
import functools
import os
import sqlite3
import sys
import tempfile
import textwrap
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties import generate, report
from mobstore.properties.faults.broken import EVERY_BROKEN
from mobstore.properties.faults.certificate import (
    COLUMNS,
    PAIRS,
    Certificate,
    Entry,
    examine,
    examine_lied_to,
)
from mobstore.properties.faults.damage import Damage, damage_pages
from mobstore.properties.faults.failures import Failures, fail_calls
from mobstore.properties.faults.interrupts import Interruptions, interrupt_calls
from mobstore.properties.faults.kills import Kills, kill_processes
from mobstore.properties.faults.overlap import cut_schedules
from mobstore.properties.faults.power import LEVELS, Level, Tally, by_name, cut_calls, sqlite_storages
from mobstore.properties.faults.surroundings import spoil_surroundings
from mobstore.properties.faults.vfs import Unreachable, library
from mobstore.properties.faults.workflow import cut_workflow
from mobstore.properties.parallel import as_done


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore durability``."""
    parser.add_argument("--profile", choices=LEVELS, default="quick", help="how much is tried (default: quick)")
    parser.add_argument("--seed", type=int, help="what is drawn (default: drawn itself, and printed)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="processes at a time (default: as many as cores)"
    )
    parser.add_argument(
        "--certificate",
        action="store_true",
        help="print only the certificate, as the page that is published",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--page", type=Path, help="write what was tried of each call as a page in Markdown, too")


def run(arguments: argparse.Namespace) -> int:
    """Try it and return the exit code.

    1 when something was lost or torn, 2 when there is no simulated disk, or not all was tried in its time.
    """
    try:
        library()
    except Unreachable as error:
        print(f"mobstore durability: {error}", file=sys.stderr)
        return 2
    if arguments.certificate:
        print(_made(arguments.jobs).page(), end="")
        return 0
    seed = report.seed_of(arguments.seed)
    level = LEVELS[arguments.profile]
    findings = Findings(level.name, seed)
    todo, begun = parts(level, seed), time.monotonic()
    for number, part in enumerate(as_done(todo, arguments.jobs), 1):
        line = findings.take(part)
        if not arguments.json:
            print(f"[{number}/{len(todo)}, {time.monotonic() - begun:.0f} s] {line}", flush=True)
    harms, unknown = findings.harms(), findings.unknown()
    if arguments.page is not None:
        arguments.page.write_text(page(findings, harms), "utf-8")
    if arguments.json:
        report.print_json(findings.to_json())
    else:
        _tell(findings, harms)
    return 1 if harms else 2 if unknown else 0


# --- the parts ----------------------------------------------------------------------------------------------


@attrs.frozen
class Exposed:
    """A broken store, and what gave it away; an empty ``by_what`` says that nothing did."""

    name: str
    mistake: str
    by_what: str


Part = Callable[[], Any]
"""Tries something; can be sent to another process."""

_SCHEDULES_EACH: Final = 15
"""How many schedules of overlapping calls are a part."""


def parts(level: Level, seed: int) -> list[Part]:
    """Return everything that is to be tried, what takes longest first."""
    found: list[Part] = [functools.partial(_failures, level, seed)]
    storages = range(len(sqlite_storages()))
    found += [functools.partial(_power, which, level, seed) for which in storages]
    found += [functools.partial(_workflow, level, seed), _interrupts]
    found += certificate_parts(level, seed)
    found += [
        functools.partial(_overlap, which, level, seed, first)
        for which in storages
        for first in range(0, level.schedules, _SCHEDULES_EACH)
    ]
    found += [functools.partial(_exposed, name, seed) for name in EVERY_BROKEN]
    found += [functools.partial(_kills, level, seed), functools.partial(_surroundings, level, seed)]
    return [*found, functools.partial(_damage, level, seed)]


def certificate_parts(level: Level, seed: int) -> list[Part]:
    """Return the parts that make the certificate."""
    kept = [functools.partial(_kept, *pair, level, seed) for pair in PAIRS]
    return [functools.partial(_lied_to, level, seed), *kept]


def _made(jobs: int) -> Certificate:
    """Make the certificate that is published, in the way in which it always is."""
    level, seed = LEVELS["quick"], 1
    findings = Findings(level.name, seed)
    for part in as_done(certificate_parts(level, seed), jobs):
        findings.take(part)
    return findings.certificate


PAGE: Final = generate.ROOT / "specs" / "durability.md"
"""Where the certificate is published; an installation has none."""


@attrs.frozen
class Overlap:
    """The schedules of a part."""

    tallies: tuple[Tally, ...]


@attrs.frozen
class LiedTo:
    """What a lying disk kept."""

    entry: Entry


def _kept(mode: str, synchronous: str, level: Level, seed: int) -> Entry:
    return examine(mode, synchronous, level, seed)


def _lied_to(level: Level, seed: int) -> LiedTo:
    return LiedTo(examine_lied_to(level, seed))


def _power(which: int, level: Level, seed: int) -> list[Tally]:
    return cut_calls(sqlite_storages()[which], level, seed)


def _workflow(level: Level, seed: int) -> list[Tally]:
    return cut_workflow(level, seed)


def _failures(level: Level, seed: int) -> list[Failures]:
    return list(fail_calls(sqlite_storages()[0], level, seed))


def _overlap(which: int, level: Level, seed: int, first: int) -> Overlap:
    numbers = range(first, min(first + _SCHEDULES_EACH, level.schedules))
    return Overlap(tuple(cut_schedules(sqlite_storages()[which], level, seed, numbers)))


def _interrupts() -> list[Interruptions]:
    return list(interrupt_calls(1))


def _kills(level: Level, seed: int) -> Kills:
    with tempfile.TemporaryDirectory(prefix="mobstore-kills-") as directory:
        return kill_processes(Path(directory), level.kills, seed)


def _surroundings(level: Level, seed: int) -> list[Failures]:
    with tempfile.TemporaryDirectory(prefix="mobstore-surroundings-") as directory:
        return spoil_surroundings(Path(directory), level.faults, seed)


def _damage(level: Level, seed: int) -> list[Damage]:
    return list(damage_pages(seed, level.drawn))


def _exposed(name: str, seed: int) -> Exposed:
    broken = EVERY_BROKEN[name]
    return Exposed(name, broken.mistake, broken.given_away(LEVELS["quick"], seed))


# --- what was found -----------------------------------------------------------------------------------------


@attrs.define
class Tried:
    """What was tried of a call, and what came of it.

    ``images`` of power cuts, ``recoveries`` that were cut off, ``schedules`` in which it overlapped with others
    and the power was cut, ``faults`` of a disk, a statement or the
    surroundings, ``interrupts`` of the memory backend; and
    ``harmed``: in how many of all these something was lost, torn or harmed.
    """

    name: str
    images: int = 0
    recoveries: int = 0
    schedules: int = 0
    faults: int = 0
    interrupts: int = 0
    harmed: int = 0


@attrs.define
class Findings:
    """What all parts found."""

    level: str
    seed: int
    entries: list[Entry] = attrs.field(factory=list)
    lied_to: Entry | None = None
    tallies: list[Tally] = attrs.field(factory=list)
    schedules: list[Tally] = attrs.field(factory=list)
    failures: list[Failures] = attrs.field(factory=list)
    surroundings: list[Failures] = attrs.field(factory=list)
    interrupted: list[Interruptions] = attrs.field(factory=list)
    killed: Kills | None = None
    damaged: list[Damage] = attrs.field(factory=list)
    exposed: list[Exposed] = attrs.field(factory=list)

    def take(self, part: Any) -> str:
        """Take what a part found in; return a line about it."""
        if isinstance(part, list):
            return self._take_calls(part)
        if isinstance(part, Overlap):
            self.schedules += part.tallies
            images = sum(tally.images for tally in part.tallies)
            return f"the power cut in {len(part.tallies)} schedules of overlapping calls, {images:,} images"
        if isinstance(part, Exposed):
            self.exposed.append(part)
            return f"broken store {part.name}: {'found out' if part.by_what else 'NOT FOUND OUT'}"
        if isinstance(part, Kills):
            self.killed = part
            return f"{part.killed} processes killed, {part.answered:,} calls of theirs answered"
        if isinstance(part, LiedTo):
            self.lied_to = part.entry
            return f"SQLite with {part.entry.name} on a disk that lies: {part.entry.images:,} images"
        self.entries.append(part)
        return f"SQLite with {part.name}: {part.images:,} images"

    def _take_calls(self, part: list[Any]) -> str:
        if isinstance(part[0], Tally):
            self.tallies = by_name([*self.tallies, *part])
            return f"the power cut in {len(part)} calls, {sum(tally.images for tally in part):,} images"
        if isinstance(part[0], Failures) and part[0].cause:
            self.surroundings = part
            return f"calls made in spoiled surroundings {len(part):,} times"
        if isinstance(part[0], Failures):
            self.failures = part
            return f"the disk, or a statement, failed {sum(each.tried for each in part):,} times"
        if isinstance(part[0], Interruptions):
            self.interrupted = part
            return f"calls on the memory backend interrupted at {sum(each.points for each in part):,} points"
        self.damaged = part
        files = sum(each.files for each in part)
        return f"pages overwritten in {files:,} files"

    @property
    def certificate(self) -> Certificate:
        """The certificate, when all its parts are there."""
        assert self.lied_to is not None, "the lying disk was tried"
        order = {pair: number for number, pair in enumerate(PAIRS)}
        entries = sorted(self.entries, key=lambda entry: order[entry.mode, entry.synchronous])
        return Certificate(sqlite3.sqlite_version, self.level, self.seed, tuple(entries), self.lied_to)

    def calls(self) -> list[Tried]:
        """Return what was tried of each call."""
        found: dict[str, Tried] = {}

        def of(name: str) -> Tried:
            return found.setdefault(name, Tried(name))

        for failures in (*self.failures, *self.surroundings):
            name = failures.name.partition(" (")[0]
            of(name).faults += failures.tried
            of(name).harmed += len(failures.harms)
        for tally in self.tallies:
            of(tally.name).images += tally.images
            of(tally.name).recoveries += tally.recoveries
            of(tally.name).harmed += len(tally.losses)
        for tally in self.schedules:
            for name in tally.calls:
                of(name).schedules += 1
                of(name).harmed += len(tally.losses)
        for interrupted in self.interrupted:
            of(interrupted.name).interrupts += interrupted.points
            of(interrupted.name).harmed += len(interrupted.harms)
        return list(found.values())

    def by_surroundings(self) -> dict[str, list[Failures]]:
        """Return the failures in spoiled surroundings by what was spoiled."""
        found: defaultdict[str, list[Failures]] = defaultdict(list)
        for each in self.surroundings:
            found[each.cause].append(each)
        return dict(sorted(found.items()))

    def harms(self) -> list[str]:
        """Return everything that should not have happened."""
        told = [loss.story() for tally in (*self.tallies, *self.schedules) for loss in tally.losses]
        told += [harm.story() for each in (*self.failures, *self.surroundings) for harm in each.harms]
        told += [harm for each in self.interrupted for harm in each.harms]
        told += self.killed.problems if self.killed else ()
        told += [wrong for each in self.damaged for wrong in each.wrong]
        told += [
            f"{each.name}: {each.mistake}, and nothing gave it away" for each in self.exposed if not each.by_what
        ]
        if not self.certificate.covers_backend:
            told.append("the settings that the SQLite backend insists on did not keep everything")
        if self.certificate.lied_to.is_safe:
            told.append("a disk that lies about synchronising was not told from one that does not")
        drift = self.certificate.drift(PAGE.read_text("utf-8")) if PAGE.exists() else ""
        if drift:
            told.append(f"the certificate {PAGE.name} {drift}: make certificate")
        return told

    def unknown(self) -> list[str]:
        """Return what was not tried, and should have been."""
        killed = self.killed
        if killed is None or killed.killed == killed.asked:
            return []
        return [f"{killed.killed} of {killed.asked} processes were killed in the time that there was"]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "certificate": self.certificate.to_json(),
            "calls": [attrs.asdict(tried) for tried in self.calls()],
            "power": [_counts(tally, "losses", "calls") for tally in self.tallies],
            "schedules": _total(self.schedules, "points", "images", "recoveries", "losses"),
            "failures": [_counts(each, "harms") for each in self.failures],
            "surroundings": {cause: _total(found, *_FAILURES) for cause, found in self.by_surroundings().items()},
            "interrupts": _total(self.interrupted, "points", "unchanged", "changed", "harms"),
            "kills": None if self.killed is None else attrs.asdict(self.killed),
            "damage": [{**attrs.asdict(each), "wrong": len(each.wrong)} for each in self.damaged],
            "broken": [attrs.asdict(each) for each in self.exposed],
            "harms": self.harms(),
            "unknown": self.unknown(),
        }


_FAILURES: Final = ("tried", "answered", "erred", "unknown", "harms")


def _counts(tally: Any, listed: str, *without: str) -> dict[str, Any]:
    """The counts of a tally, the length of a list among them."""
    counts = {name: value for name, value in attrs.asdict(tally, recurse=False).items() if name not in without}
    return {**counts, listed: len(getattr(tally, listed))}


def _total(tallies: Sequence[Any], *names: str) -> dict[str, int]:
    """The sums over tallies; of what is listed, how much there is."""

    def count(value: Any) -> int:
        return value if isinstance(value, int) else len(value)

    sums = {name: sum(count(getattr(tally, name)) for tally in tallies) for name in names}
    return {"count": len(tallies), **sums}


# --- telling ------------------------------------------------------------------------------------------------


def _tell(findings: Findings, harms: Sequence[str]) -> None:
    certificate = findings.certificate
    report.print_table(
        f"What SQLite {certificate.sqlite} keeps (profile {certificate.level}, seed {certificate.seed})",
        COLUMNS,
        certificate.rows(),
    )
    report.print_table("What was tried of each call", _CALL_COLUMNS, _call_rows(findings))
    report.print_table("What became of damaged pages", _DAMAGE_COLUMNS, _damage_rows(findings))
    _tell_sums(findings)
    print("\nBroken stores, and what gave each away:")
    for name, mistake, by_what in _exposed_rows(findings):
        print(f"  {name}: {mistake}\n    -> {by_what}")
    for harm in harms[:5]:
        print(f"\n{harm}")
    for what in findings.unknown():
        print(f"\ncould not tell: {what}")
    print(f"\n{len(harms)} lost, torn or harmed")


_CALL_COLUMNS: Final = ("call", "images", "recoveries", "schedules", "faults", "interrupts", "harmed")
_DAMAGE_COLUMNS: Final = (
    "in the place of a page",
    "files",
    "refused",
    "calls told",
    "right",
    "out of date",
    "wrong",
)
_EXPOSED_COLUMNS: Final = ("broken store", "its mistake", "crash point, or failure, that gave it away")

Rows: TypeAlias = Sequence[tuple[str, ...]]


def _call_rows(findings: Findings) -> Rows:
    return [(tried.name, *(f"{count:,}" for count in attrs.astuple(tried)[1:])) for tried in findings.calls()]


def _damage_rows(findings: Findings) -> Rows:
    return [
        (name, *(f"{count:,}" for count in counts), f"{len(wrong):,}")
        for name, *counts, wrong in map(attrs.astuple, findings.damaged)
    ]


def _exposed_rows(findings: Findings) -> Rows:
    return [
        (each.name, each.mistake, textwrap.shorten(each.by_what or "NOTHING", _SHOWN))
        for each in sorted(findings.exposed, key=lambda each: each.name)
    ]


def page(findings: Findings, harms: Sequence[str]) -> str:
    """Return what was tried, and what came of it, as a page in Markdown."""
    made = f"Made on SQLite {sqlite3.sqlite_version}, profile {findings.level}, seed {findings.seed}."
    lines = [_INTRODUCTION, made, "", f"{len(harms)} lost, torn or harmed.", "", "## Calls", ""]
    lines += [*_markdown(_CALL_COLUMNS, _call_rows(findings)), "", "## Damaged pages", ""]
    lines += [*_markdown(_DAMAGE_COLUMNS, _damage_rows(findings)), "", "## Broken stores", ""]
    return "\n".join([*lines, *_markdown(_EXPOSED_COLUMNS, _exposed_rows(findings))]) + "\n"


def _markdown(columns: tuple[str, ...], rows: Rows) -> list[str]:
    escaped = (tuple(cell.replace("|", "\\|") for cell in row) for row in rows)
    return [f"| {' | '.join(row)} |" for row in (columns, ("---",) * len(columns), *escaped)]


_INTRODUCTION: Final = """# What was tried when things break

Of each call: *images* of what may be left of the disk when the power is cut at each of its operations in the call,
*recoveries* that were cut off themselves, *schedules* in which the call overlapped with others while the power was
cut, *faults* of the disk, of a statement and of the surroundings, *interrupts* on the memory backend, and how many
of all these *harmed*: lost, tore or left something broken. Of damaged pages: calls that told of the damage, were
right all the same, answered what a run's own row, frame or loop once was (the one damage that nothing tells), or
were wrong. Every broken store must be given away. Made by `make faults`, and not edited; what is
drawn follows from the seed. What was tried is no proof.
"""
_SHOWN: Final = 300
"""How much of what gave a store away is printed; the JSON has it all."""


def _tell_sums(findings: Findings) -> None:
    failures = _total(findings.failures, "tried", "erred", "unknown")
    schedules = _total(findings.schedules, "images", "recoveries")
    interrupts = _total(findings.interrupted, "points", "changed")
    print(
        f"{failures['tried']:,} failures of the disk or a statement: {failures['erred']:,} errors, "
        f"{failures['unknown']:,} unknown outcomes\n"
        f"{schedules['count']:,} schedules of overlapping calls: {schedules['images']:,} images, "
        f"{schedules['recoveries']:,} recoveries cut off\n"
        f"{interrupts['points']:,} interruptions of the memory backend: "
        f"{interrupts['changed']:,} left the new state"
    )
    for cause, found in findings.by_surroundings().items():
        sums = _total(found, *_FAILURES)
        print(f"{sums['count']:,} calls, {cause}: {sums['erred']:,} errors, {sums['unknown']:,} unknown outcomes")
    if findings.killed is not None:
        print(
            f"{findings.killed.killed:,} processes killed: {findings.killed.answered:,} calls answered, "
            f"{findings.killed.in_flight:,} in flight"
        )
