"""What a file holds, which of its records do not parse, and which of its references lead nowhere.

Reads a file of ours or of the original implementation, and changes neither it nor anything beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

from mobstore.backends.sqlite import original, rows
from mobstore.backends.sqlite.reading import ORIGINAL_TABLES, Stored, owner, unchanged
from mobstore.model import (
    FEED_CAPACITY,
    FrameSnapshot,
    LoopSnapshot,
    MobEvent,
    MobRun,
    ReadFailed,
    Serialization,
    SupervisorAuthorityRecord,
    TrieMap,
    evolve,
)
from mobstore.model.callers.replaying import begins_with_creation, partings
from mobstore.model.step import terminal_identity
from mobstore.model.values import (
    AuthorityLog,
    FailureLedger,
    FramePhase,
    FrameScope,
    LoopIterationLedger,
    LoopPhase,
    RunPhase,
    StepLedger,
)
from mobstore.properties.invariants import Scope, of_scope

Severity: TypeAlias = Literal["violation", "note"]


@attrs.frozen
class Finding:
    """Something at a place in the file: a rule that is broken, or what is worth knowing."""

    severity: Severity
    place: str
    rule: str

    def to_json(self) -> dict[str, str]:
        """Return the finding's fields."""
        return attrs.asdict(self)


@attrs.frozen
class AuditReport:
    """What an audit came to: violations first, each kind in the order of the file.

    ``problem`` says why the audit could not tell; there are no findings then.
    """

    path: str
    owner: str | None
    counts: dict[str, int]
    findings: tuple[Finding, ...] = ()
    problem: str | None = None

    @property
    def exit_code(self) -> int:
        """0 when the file holds, 1 when it has violations, 2 when nobody could tell."""
        if self.problem is not None:
            return 2
        return int(any(finding.severity == "violation" for finding in self.findings))

    @property
    def verdict(self) -> str:
        """The exit code, in words."""
        return ("holds", "violations", "could not tell")[self.exit_code]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "path": self.path,
            "verdict": self.verdict,
            "owner": self.owner,
            "problem": self.problem,
            "counts": self.counts,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def render(self) -> str:
        """Return the report as lines of text."""
        lines = [f"{self.path}: {self.verdict}"]
        if self.problem is not None:
            return f"{lines[0]}: {self.problem}"
        lines.append("  " + ", ".join(f"{count} {name}" for name, count in self.counts.items()))
        lines += [f"  {finding.severity}: {finding.place}: {finding.rule}" for finding in self.findings]
        return "\n".join(lines)


@attrs.define
class Holdings:
    """What the file holds as far as it parses, whoever wrote it; ``run_ids`` also names runs that do not."""

    run_ids: set[str] = attrs.field(factory=set)
    runs: list[MobRun] = attrs.field(factory=list)
    events: list[MobEvent] = attrs.field(factory=list)
    next_cursor: int | None = None
    supervisors: dict[str, SupervisorAuthorityRecord] = attrs.field(factory=dict)


Check: TypeAlias = Callable[[Holdings], Iterable[Finding]]


def audit(path: str | os.PathLike[str]) -> AuditReport:
    """Audit a file of ours or of the original; never raises for what is in it."""
    shown = os.fspath(path)
    try:
        with unchanged(path) as connection:
            found = owner(connection)
            if found.owner is None:
                return AuditReport(shown, None, {}, problem=found.reason)
            return _audit(shown, connection, _Ours() if found.owner == "ours" else _Original())
    except ReadFailed as error:
        return AuditReport(shown, None, {}, problem=error.detail.removeprefix(f"{shown}: "))


def _audit(shown: str, connection: sqlite3.Connection, reader: _Ours | _Original) -> AuditReport:
    findings = sorted(_findings(connection, reader), key=lambda finding: finding.severity != "violation")
    return AuditReport(shown, reader.owner, dict(reader.counts), tuple(findings))


def _findings(connection: sqlite3.Connection, reader: _Ours | _Original) -> Iterator[Finding]:
    yield from _integrity(connection)
    yield from reader.read(connection)
    for check in CHECKS:
        yield from check(reader.holdings)


def violations(connection: sqlite3.Connection) -> list[Finding]:
    """Return what is broken in a file of ours, what its records say of each other included."""
    return [finding for finding in _findings(connection, _Ours()) if finding.severity == "violation"]


def structure(connection: sqlite3.Connection) -> list[Finding]:
    """Return what is broken in a file of ours as a file: SQLite's own check, and rows that no call could show."""
    return [*_integrity(connection), *_Ours().read(connection)]


def _violation(place: str, rule: str) -> Finding:
    return Finding("violation", place, rule)


def _integrity(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        for (text,) in connection.execute("PRAGMA integrity_check"):
            if text != "ok":
                yield _violation("the file", f"SQLite: {text}")
    except sqlite3.DatabaseError as error:
        yield _violation("the file", f"SQLite: {error}")


@attrs.define
class _Table:
    """The rows of a table: how many, the keys of all that fit the schema, and the values of those that parse."""

    count: int = 0
    keys: list[tuple[Any, ...]] = attrs.field(factory=list)
    parsed: list[tuple[tuple[Any, ...], Any]] = attrs.field(factory=list)

    def read(self, name: str, source: Iterator[Stored]) -> Iterator[Finding]:
        """Take the rows in; yield a finding for each that does not parse."""
        try:
            for row in source:
                self.count += 1
                if not row.fits:
                    yield _violation(row.place, rows.WRONG_TYPE)
                    continue
                self.keys.append(row.key)
                try:
                    self.parsed.append((row.key, row.read()))
                except Serialization as error:
                    yield _violation(row.place, error.detail.removeprefix(": "))
                except (TypeError, ValueError):
                    yield _violation(row.place, rows.WRONG_TYPE)
        except sqlite3.DatabaseError as error:
            yield _violation(name, f"cannot be read: {error}")


# --- a file of ours -----------------------------------------------------------------------------------------

_LEDGERS: Final = {
    "step_ledger": ("step_ledger", StepLedger),
    "failure_ledger": ("failure_ledger", FailureLedger),
    "iteration_ledger": ("loop_iteration_ledger", LoopIterationLedger),
    "authority_inputs": ("flow_authority_inputs", AuthorityLog),
}
_ORDERED: Final = (*_LEDGERS, "root_outputs", "loop_outputs")
_PARTS: Final = ("run_params", "frames", "loops", "loop_iterations", *_ORDERED)


class _Ours:
    owner: Final = "ours"

    def __init__(self) -> None:
        self.holdings = Holdings()
        self.counts: Counter[str] = Counter()
        self._tables = {table: _Table() for table in rows.NAMES}

    def read(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        """Read every row, and check what only a file of ours can get wrong."""
        missing = rows.missing(connection)
        for name in missing:
            yield _violation(name, "is missing from the file")
        yield from self._checks(connection, missing)
        for name, table in self._tables.items():
            if name not in missing:
                yield from table.read(name, rows.stored(connection, name))
            self.counts[name] = table.count
        yield from self._orphans()
        yield from self._places()
        yield from self._params()
        yield from self._iterations()
        yield from self._feed()
        self._gather()

    @staticmethod
    def _checks(connection: sqlite3.Connection, missing: Sequence[str]) -> Iterator[Finding]:
        if missing:
            return
        try:
            for problem in rows.disagreements(connection):
                yield _violation("checks", problem)
        except sqlite3.Error as error:
            yield _violation("checks", f"cannot be compared: {error}")

    def _orphans(self) -> Iterator[Finding]:
        for name in _PARTS:
            for key in self._tables[name].keys:
                if key[0] is None:
                    yield _violation(_place(name, key), "belongs to no run")

    def _places(self) -> Iterator[Finding]:
        """Rows of an order have the places 0, 1, 2, …"""
        for name in _ORDERED:
            places: defaultdict[Any, list[int]] = defaultdict(list)
            for key in self._tables[name].keys:
                places[key[0]].append(key[1])
            for run_id, held in places.items():
                if held[-1] != len(held) - 1:
                    yield _violation(f"{name}[{run_id!r}]", f"{held[-1] + 1 - len(held)} of its places are empty")

    def _params(self) -> Iterator[Finding]:
        held = {key[0] for key in self._tables["run_params"].keys}
        for (run_id,) in self._tables["runs"].keys:
            if run_id not in held:
                yield _violation(f"run_params[{run_id!r}]", "is missing")

    def _iterations(self) -> Iterator[Finding]:
        lengths = dict(self._tables["loop_iterations"].parsed)
        for key in self._tables["loop_outputs"].keys:
            run_id, _, loop_id, iteration, _ = key
            if iteration >= lengths.get((run_id, loop_id), 0):
                yield _violation(_place("loop_outputs", key), "is of an iteration beyond those that its loop has")

    def _feed(self) -> Iterator[Finding]:
        places = [key[0] for key in self._tables["feed"].keys]
        if len(places) > FEED_CAPACITY:
            yield _violation("feed", f"has {len(places)} rows, more than {FEED_CAPACITY}")
        if places and places[-1] - places[0] + 1 != len(places):
            yield _violation("feed", "its places are not consecutive")

    def _gather(self) -> None:
        parts = self._parts()
        values = {name: table.parsed for name, table in self._tables.items()}
        self.holdings.run_ids = {key[0] for key in self._tables["runs"].keys}
        self.holdings.runs = [evolve(run, parts[key[0]]) for key, run in values["runs"]]
        self.holdings.events = [event for _, event in values["events"]]
        self.holdings.next_cursor = dict(values["meta"]).get((original.NEXT_CURSOR,))
        self.holdings.supervisors = {key[0]: record for key, record in values["supervisors"]}

    def _parts(self) -> defaultdict[str, dict[str, Any]]:
        parts: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for name in ("frames", "loops"):
            for (run_id, part), value in self._tables[name].parsed:
                parts[run_id][name] = parts[run_id].get(name, TrieMap()).set(part, value)
        for name, (field, kind) in _LEDGERS.items():
            for (run_id, _), entry in self._tables[name].parsed:
                parts[run_id][field] = parts[run_id].get(field, kind()).append(entry)
        return parts


def _place(table: str, key: tuple[Any, ...]) -> str:
    return Stored(table, key, lambda: None).place


# --- the original's file ------------------------------------------------------------------------------------


class _Original:
    owner: Final = "original"

    def __init__(self) -> None:
        self.holdings = Holdings()
        self.counts: Counter[str] = Counter()

    def read(self, connection: sqlite3.Connection) -> Iterator[Finding]:
        """Read every row."""
        yield from self._schema(connection)
        present = _columns(connection)
        tables = {name: _Table() for name in ORIGINAL_TABLES}
        for name, table in tables.items():
            if set(ORIGINAL_TABLES[name]) <= present.get(name, set()):
                yield from table.read(name, original.stored(connection, name))
            self.counts[name] = table.count
        self._gather({name: table.parsed for name, table in tables.items()})
        self.holdings.run_ids = {key[0] for key in tables["mob_runs"].keys}

    def _gather(self, values: dict[str, list[tuple[tuple[Any, ...], Any]]]) -> None:
        self.holdings.runs = [run for _, run in values["mob_runs"]]
        self.holdings.events = [event for _, event in values["mob_events"]]
        self.holdings.next_cursor = next((value for _, value in values["mob_event_meta"]), None)
        self.holdings.supervisors = dict(record for _, record in values["mob_runtime_supervisors"])

    @staticmethod
    def _schema(connection: sqlite3.Connection) -> Iterator[Finding]:
        present = _columns(connection)
        for table, columns in ORIGINAL_TABLES.items():
            for column in columns:
                if column not in present.get(table, set()):
                    yield _violation(table, f"has no column {column}")
        for table in sorted(present.keys() - ORIGINAL_TABLES.keys()):
            yield Finding("note", table, "is not known, and was not read")


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    query = """SELECT t.name, c.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!'"""
    columns: defaultdict[str, set[str]] = defaultdict(set)
    for table, column in connection.execute(query):
        columns[table].add(column)
    return dict(columns)


# --- references ---------------------------------------------------------------------------------------------


def _check_frames(holdings: Holdings) -> Iterator[Finding]:
    for run in holdings.runs:
        for frame_id, frame in run.frames.items():
            yield from _check_frame(run, frame_id, frame)


def _check_frame(run: MobRun, frame_id: str, frame: FrameSnapshot) -> Iterator[Finding]:
    state = frame.kernel_state
    place = f"run {run.run_id}: frame {frame_id!r}"
    if state.phase is FramePhase.ABSENT:
        return
    if state.frame_id != frame_id:
        yield _violation(place, f"its snapshot is of frame {state.frame_id!r}")
    if state.frame_scope is FrameScope.BODY and state.loop_instance_id not in run.loops:
        yield _violation(place, f"its loop {state.loop_instance_id!r} is absent")


def _check_loops(holdings: Holdings) -> Iterator[Finding]:
    for run in holdings.runs:
        for instance, loop in run.loops.items():
            yield from _check_loop(run, instance, loop)


def _check_loop(run: MobRun, instance: str, loop: LoopSnapshot) -> Iterator[Finding]:
    state = loop.kernel_state
    place = f"run {run.run_id}: loop {instance!r}"
    if state.phase is LoopPhase.ABSENT:
        return
    if state.loop_instance_id != instance:
        yield _violation(place, f"its snapshot is of loop {state.loop_instance_id!r}")
    if state.parent_frame_id not in run.frames:
        yield _violation(place, f"its parent frame {state.parent_frame_id!r} is absent")
    if state.active_body_frame_id is not None and state.active_body_frame_id not in run.frames:
        yield _violation(place, f"its active body frame {state.active_body_frame_id!r} is absent")


def _check_iteration_ledger(holdings: Holdings) -> Iterator[Finding]:
    for run in holdings.runs:
        for number, entry in enumerate(run.loop_iteration_ledger):
            place = f"run {run.run_id}: loop_iteration_ledger[{number}]"
            if entry.loop_instance_id not in run.loops:
                yield _violation(place, f"its loop {entry.loop_instance_id!r} is absent")
            if entry.frame_id not in run.frames:
                yield _violation(place, f"its frame {entry.frame_id!r} is absent")
        for entry, count in Counter(run.loop_iteration_ledger).items():
            if count > 1:
                place = f"run {run.run_id}: loop_iteration_ledger"
                shown = f"({entry.loop_instance_id!r}, {entry.iteration}, {entry.frame_id!r})"
                yield _violation(place, f"{shown} stands in it {count} times")


def _check_cursors(holdings: Holdings) -> Iterator[Finding]:
    limit = holdings.next_cursor
    if limit is None:
        if holdings.events:
            yield _violation("next_cursor", "is missing, or does not parse")
        return
    for event in holdings.events:
        if not 1 <= event.cursor < limit:
            yield _violation(f"event {event.cursor}", f"its cursor is not between 1 and next_cursor, {limit}")


def _check_terminal_events(holdings: Holdings) -> Iterator[Finding]:
    cursors: defaultdict[Any, list[int]] = defaultdict(list)
    for event in holdings.events:
        key = terminal_identity(event)
        if key is not None:
            cursors[key].append(event.cursor)
    for (mob_id, run_id, flow_id), held in cursors.items():
        place = f"events {', '.join(map(str, held))}" if len(held) > 1 else f"event {held[0]}"
        if len(held) > 1:
            yield _violation(place, f"all end run {run_id} of flow {flow_id!r} of mob {mob_id!r}")
        if run_id not in holdings.run_ids:
            yield Finding("note", place, f"its run {run_id} is not in the file")


def _check_rotations(holdings: Holdings) -> Iterator[Finding]:
    for mob_id, record in holdings.supervisors.items():
        place, pending = f"supervisor of mob {mob_id!r}", record.pending_rotation
        if pending is None or pending.epoch > record.epoch:
            yield from _broken(Scope.AUTHORITY, place, record)
            continue
        reached = (
            f"its pending rotation's epoch {pending.epoch} is reached by the record's, {record.epoch}: undo it"
        )
        yield Finding("note", place, reached)


# --- invariants ---------------------------------------------------------------------------------------------


def _check_machines(holdings: Holdings) -> Iterator[Finding]:
    """What every step of a machine keeps holds of a machine's state in any file."""
    for run in holdings.runs:
        place = f"run {run.run_id}"
        yield from _broken(Scope.RUN, place, run.flow_state)
        for frame_id, frame in run.frames.items():
            yield from _broken(Scope.FRAME, f"{place}: frame {frame_id!r}", frame.kernel_state)
        for instance, loop in run.loops.items():
            yield from _broken(Scope.LOOP, f"{place}: loop {instance!r}", loop.kernel_state)


def _check_callers(holdings: Holdings) -> Iterator[Finding]:
    """What only callers keep is owed by those that log what they do; the store itself asks for no log."""
    unlogged = 0
    for run in holdings.runs:
        if run.flow_state.phase is RunPhase.ABSENT:
            continue
        place = f"run {run.run_id}"
        if not begins_with_creation(run.flow_authority_inputs):
            unlogged += 1
            yield from _broken(Scope.COMPOSITION, place, run, "note")
            continue
        yield from _broken(Scope.COMPOSITION, place, run)
        for parting in partings(run):
            yield _violation(place, f"parts from its authority log: {parting}")
    if unlogged:
        rule = f"{unlogged} have no authority log that begins with their creation: held to their machines only"
        yield Finding("note", "runs", rule)


def _broken(scope: Scope, place: str, value: Any, severity: Severity = "violation") -> Iterator[Finding]:
    for invariant in of_scope(scope):
        if not invariant.holds(value):
            yield Finding(severity, place, f"{invariant.name}: {invariant.sentence}")


CHECKS: Final[tuple[Check, ...]] = (
    _check_frames,
    _check_loops,
    _check_iteration_ledger,
    _check_cursors,
    _check_terminal_events,
    _check_rotations,
    _check_machines,
    _check_callers,
)
"""What is checked of whatever parsed."""


# --- command ------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``mobstore audit``."""
    parser.add_argument("file", metavar="FILE.db", help="a file of ours, or of the original implementation")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Audit the file, print the report, and return the exit code."""
    report = audit(args.file)
    text = json.dumps(report.to_json(), indent=2) if args.json else report.render()
    sys.stdout.write(f"{text}\n")
    return report.exit_code
