"""Replay: recorded sequences of calls, made on a backend, must be answered as they were recorded.

Files of vectors, transitions of the original's reducers, are replayed on the machines of the model.  Where the
two original backends answered differently, and where the contract overrules both, the model says what is
right.  A sequence begins with empty stores.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import itertools
import json
import lzma
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends._base import Subscription
from mobstore.model import (
    OPERATIONS,
    ExternalBindingOverlayRecord,
    Operation,
    SecretKey,
    Serialization,
    SupervisorAuthorityRecord,
    SupervisorPendingRotationRecord,
    Timestamp,
    converter,
    drain,
    from_json,
    to_json,
)
from mobstore.model.values import BootstrapToken
from mobstore.properties import vectors
from mobstore.properties.source import Aside, ClockSays, Step
from mobstore.properties.subject import (
    Factory,
    ManualClock,
    Outcome,
    Reference,
    UnknownBackend,
    call_port,
    factory_of,
    normal_message,
    outcome_of,
    same_outcome,
    same_value,
)

_GENERATED: Final = "<generated-ts:"
_RECORDED_AT: Final = Timestamp.parse("2026-11-23T12:00:00Z")
"""About when the recordings were made: pruning compares the times that callers gave with those of the store."""
_OPENERS: Final[Mapping[str, Callable[..., Any]]] = {".gz": gzip.open, ".xz": lzma.open}
_VECTORS: Final = "vectors-"
_ALL: Final = slice(None)
SHOWN: Final = 5
"""Mismatches that a report shows in full."""


class NotARecording(Exception):
    """A file that holds neither recorded sequences nor vectors; the message says where and why."""


@attrs.frozen
class Mismatch:
    """What was not answered as it should be; ``differences`` are lines ``path: expected -> answered``.

    ``sequence`` is the number of a vector's line, and ``step`` then None.
    """

    file: str
    sequence: int
    step: int | None
    call: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        place = f"line {self.sequence}" if self.step is None else f"sequence {self.sequence}, step {self.step}"
        head = f"{self.file}: {place}, {self.call}"
        return "\n".join([head, *(f"    {line}" for line in self.differences)])


@attrs.frozen
class Report:
    """What a replay came to; ``overruled`` counts the recorded answers that the contract overrules."""

    sequences: int = 0
    calls: int = 0
    vectors: int = 0
    overruled: int = 0
    mismatches: tuple[Mismatch, ...] = ()

    def __add__(self, other: Report) -> Report:
        return Report(
            self.sequences + other.sequences,
            self.calls + other.calls,
            self.vectors + other.vectors,
            self.overruled + other.overruled,
            self.mismatches + other.mismatches,
        )

    def summary(self) -> str:
        """Return the line ``N sequences, M calls, K mismatches``, with the vectors where there are some."""
        transitions = f"{self.vectors} vectors, " if self.vectors else ""
        return f"{self.sequences} sequences, {self.calls} calls, {transitions}{len(self.mismatches)} mismatches"

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON."""
        return attrs.asdict(self)


def bundled() -> list[Path]:
    """Return the recorded sequences of the original implementation that come with the package."""
    return [path for path in _recordings() if not path.name.startswith(_VECTORS)]


def bundled_vectors() -> list[Path]:
    """Return the vectors of the original's reducers that come with the package."""
    return [path for path in _recordings() if path.name.startswith(_VECTORS)]


def _recordings() -> list[Path]:
    folder = resources.files("mobstore.properties") / "recordings"
    return [Path(str(folder / name)) for name in sorted(item.name for item in folder.iterdir())]


def read_lines(path: Path) -> Iterator[Any]:
    """Read a file of JSON lines, plain or compressed (``.gz``, ``.xz``).

    Raises:
        NotARecording: the file cannot be read, or a line is not JSON.
    """
    opener = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    msg = f"{path}:{number}: not JSON: {error}"
                    raise NotARecording(msg) from None
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        msg = f"{path}: {error}"
        raise NotARecording(msg) from None


def replay_file(
    path: Path, make: Callable[[], Factory], lacking: frozenset[str] = frozenset(), chosen: slice = _ALL
) -> Report:
    """Replay every sequence of a file, each on a storage of its own, and every vector on its machine.

    Args:
        path: the file.
        make: makes a factory.
        lacking: calls (``"event.prune"``) that the backend is declared to refuse: sequences with one are left out.
        chosen: which lines to replay.

    Raises:
        NotARecording: a line is neither a sequence of calls nor a vector.
    """
    report = Report()
    numbered = enumerate(read_lines(path), 1)
    for number, line in itertools.islice(numbered, chosen.start, chosen.stop, chosen.step):
        if vectors.is_vector(line):
            report += _replay_vector(path, number, line)
        elif isinstance(line, dict) and isinstance(line.get("steps"), list):
            if lacking.isdisjoint(f"{step['store']}.{step['op']}" for step in line["steps"] if lacking):
                report += _Replay(path.name, line, make()).run()
        else:
            msg = f"{path}:{number}: not a sequence (an object with a list of steps), and not a vector"
            raise NotARecording(msg)
    return report


def _replay_vector(path: Path, number: int, row: Mapping[str, Any]) -> Report:
    try:
        expected, actual = vectors.reproduce(row)
    except (KeyError, Serialization) as error:
        msg = f"{path}:{number}: not a vector: {error}"
        raise NotARecording(msg) from None
    found = differences(expected, actual)
    name = row["op"] if "op" in row else next(iter(row["input"]))
    mismatches = (Mismatch(path.name, number, None, name, tuple(found)),) if found else ()
    return Report(vectors=1, overruled=int(vectors.is_overruled(row)), mismatches=mismatches)


def steps_to(mismatch: Mismatch) -> Iterator[Step]:
    """Yield the calls of a sequence that comes with the package, up to one that was answered wrongly.

    What the model answers is left open; so are the subscriptions, which are no calls of it.
    """
    (path,) = (path for path in bundled() if path.name == mismatch.file)
    (sequence,) = (line for line in read_lines(path) if line["sequence"] == mismatch.sequence)
    yield ClockSays(_RECORDED_AT.seconds * 1_000_000_000)
    for step in itertools.islice(sequence["steps"], None if mismatch.step is None else mismatch.step + 1):
        yield Aside.TICK
        if step["op"] == "reopen":
            yield Aside.REOPEN
        elif f"{step['store']} {step['op']}" not in _SPECIAL:
            with contextlib.suppress(Serialization):
                yield from_json(OPERATIONS[step["store"], step["op"]], step["args"]), Outcome()


class _Replay:
    """One sequence on one backend, with the model beside it."""

    def __init__(self, file: str, sequence: Mapping[str, Any], factory: Factory) -> None:
        self._file = file
        self._sequence = sequence
        self._factory = factory
        self._clock = ManualClock(_RECORDED_AT.seconds * 1_000_000_000)
        self._stores = factory.open(self._clock)
        self._reference = Reference(self._clock)
        self._times: dict[str, str] = {}
        self._chosen_at: dict[str, int] = {}
        self._subscriptions: list[tuple[Subscription, int]] = []
        self._overruled = 0
        self._diverged = False
        """Whether the recorded storage holds what the contract would have refused: the model decides from here."""

    def run(self) -> Report:
        """Make every call."""
        steps = self._sequence["steps"]
        try:
            found = [found for place, step in enumerate(steps) if (found := self._step(place, step))]
        finally:
            self._factory.destroy()
        return Report(1, len(steps), overruled=self._overruled, mismatches=tuple(found))

    def _step(self, place: int, step: Mapping[str, Any]) -> Mismatch | None:
        self._clock.tick()
        call = f"{step['store']} {step['op']}"
        try:
            differences = self._special(step) if call in _SPECIAL else self._call(step)
        except KeyError as error:
            msg = f"{self._file}: sequence {self._number}, step {place}, {call}: there is no {error}"
            raise NotARecording(msg) from None
        return Mismatch(self._file, self._number, place, call, tuple(differences)) if differences else None

    @property
    def _number(self) -> int:
        number: int = self._sequence.get("sequence", 0)
        return number

    def _call(self, step: Mapping[str, Any]) -> list[str]:
        kind = OPERATIONS[step["store"], step["op"]]
        try:
            operation = from_json(kind, step["args"])
        except Serialization as error:
            return self._refused(step, error)
        model = outcome_of(lambda: self._reference.execute(operation))
        answered = outcome_of(lambda: call_port(self._stores, operation))
        if "answers" in step or self._diverged:
            self._overruled += "answers" not in step
            return [] if same_outcome(model, answered) else differences(model.to_json(), answered.to_json())
        return self._against_record(kind, step["answer"], answered)

    def _refused(self, step: Mapping[str, Any], error: Serialization) -> list[str]:
        """The contract refuses the arguments: the recording must have refused them too, or is overruled.

        No operation with these arguments exists, so that no backend can be given them.
        """
        recorded = step["answer"]
        self._overruled += 1
        if "ok" in recorded:
            self._diverged = True
        elif recorded["err"]["kind"] not in ("BadRequest", "Serialization"):
            return [f"the recording answers {recorded['err']}, the arguments are refused: {error}"]
        return []

    def _against_record(self, kind: type[Operation[Any]], recorded: Any, answered: Outcome) -> list[str]:
        actual = answered.to_json()
        if "err" in recorded:
            recorded = {"err": {**recorded["err"], "message": normal_message(recorded["err"]["message"])}}
            return [] if recorded == actual else differences(recorded, actual)
        expected = self._with_times(recorded, actual)
        found = differences(expected, actual)
        if not found and not same_value(converter(kind.answer)(expected["ok"]), answered.value):
            return ["the values are equal but for the order of the outputs, which counts"]
        return found

    def _special(self, step: Mapping[str, Any]) -> list[str]:
        if step["op"] == "reopen":
            self._stores.reopen()
            return []
        if step["op"] == "subscribe":
            self._subscriptions.append((self._stores.events.subscribe(), self._reference.state.event.appended))
            return []
        number = step["args"]["subscription"] - 1
        subscription, position = self._subscriptions[number]
        events, lagged, position = drain(self._reference.state.event, position)
        self._subscriptions[number] = (subscription, position)
        expected = {"events": to_json(events), "lagged": lagged}
        delivery = subscription.drain(0.0 if expected["events"] else step["args"]["wait_ms"] / 1000)
        actual = {"events": to_json(delivery.events), "lagged": delivery.lagged}
        if "answer" in step:
            expected = self._with_times(step["answer"], {"ok": actual})["ok"]
        return differences(expected, actual)

    def _with_times(self, recorded: Any, actual: Any) -> Any:
        """Return the recorded answer with the times that the backend chose in place of their marks.

        A mark stands for one time throughout a sequence.  Two marks stand for two times, but for those of one
        batch: the store may read its clock once for all of it.
        """
        if isinstance(recorded, str) and recorded.startswith(_GENERATED):
            now = self._clock.nanos
            if isinstance(actual, str) and self._chosen_at.setdefault(actual, now) == now:
                self._times.setdefault(recorded, actual)
            return self._times.get(recorded, recorded)
        if isinstance(recorded, dict) and isinstance(actual, dict):
            return {key: self._with_times(item, actual.get(key)) for key, item in recorded.items()}
        if isinstance(recorded, list) and isinstance(actual, list):
            padded = actual + [None] * len(recorded)
            return [self._with_times(item, other) for item, other in zip(recorded, padded, strict=False)]
        return recorded


_SPECIAL: Final = ("control reopen", "event subscribe", "event drain")


_SECRETS: Final = frozenset(
    name
    for kind in (SupervisorAuthorityRecord, SupervisorPendingRotationRecord, ExternalBindingOverlayRecord)
    for name, hint in typing.get_type_hints(kind).items()
    if {SecretKey, BootstrapToken} & {hint, *typing.get_args(hint)}
)
"""The fields that hold a secret."""
_HIDDEN: Final = "<hidden>"


def differences(expected: Any, actual: Any, path: str = "$") -> list[str]:
    """Return the places at which two JSON values differ, as lines ``path: expected -> actual``, without secrets."""
    if path.rpartition(".")[2] in _SECRETS:
        return [] if expected == actual else [f"{path}: {_HIDDEN} -> {_HIDDEN}"]
    if type(expected) is not type(actual):
        return [f"{path}: {_brief(expected)} -> {_brief(actual)}"]
    if isinstance(expected, dict):
        keys = [*expected, *(key for key in actual if key not in expected)]
        return [
            line
            for key in keys
            for line in differences(expected.get(key, _ABSENT), actual.get(key, _ABSENT), f"{path}.{key}")
        ]
    if isinstance(expected, list) and len(expected) == len(actual):
        return [
            line
            for place, (left, right) in enumerate(zip(expected, actual, strict=True))
            for line in differences(left, right, f"{path}[{place}]")
        ]
    if isinstance(expected, float) and repr(expected) == repr(actual):
        return []
    return (
        []
        if expected == actual and not isinstance(expected, float)
        else [f"{path}: {_brief(expected)} -> {_brief(actual)}"]
    )


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


_ABSENT: Final = _Absent()


def _brief(value: Any) -> str:
    text = repr(value) if isinstance(value, _Absent) else json.dumps(_shown(value), ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _shown(value: Any) -> Any:
    """A JSON value with its secrets hidden."""
    if isinstance(value, dict):
        return {
            key: _HIDDEN if key in _SECRETS and item is not None else _shown(item) for key, item in value.items()
        }
    return [_shown(item) for item in value] if isinstance(value, list) else value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore replay``."""
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="recorded sequences or vectors (default: ours)"
    )
    parser.add_argument("--backend", default="memory", help="memory, sqlite, or package.module:factory")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Replay the files and return the exit code: 1 when an answer differs, 2 when a file cannot be replayed."""
    report = Report()
    try:
        make = factory_of(arguments.backend)
        for path in arguments.files or (*bundled(), *bundled_vectors()):
            report += replay_file(path, make)
    except (NotARecording, UnknownBackend) as error:
        print(f"mobstore replay: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        for mismatch in report.mismatches[:SHOWN]:
            print(mismatch)
        print(report.summary())
    if not report.sequences + report.vectors:
        print("mobstore replay: nothing was replayed", file=sys.stderr)
        return 2
    return int(bool(report.mismatches))
