"""``mobstore history``: is a recorded history linearizable?

Exit codes: 0 linearizable, 1 not linearizable, 2 unknown (a limit was reached, or the history breaks a rule).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import attrs
from rich.console import Console

from mobstore.properties import report
from mobstore.properties.linearizability import trial, verify
from mobstore.properties.linearizability.checker import CheckerDefect, check
from mobstore.properties.linearizability.history import Call, History, MalformedHistory, Outcome
from mobstore.properties.linearizability.jsonl import read_history
from mobstore.properties.linearizability.models import CasRegister, KeyValue, Model
from mobstore.properties.linearizability.page import page
from mobstore.properties.linearizability.stores import StoreModel
from mobstore.properties.linearizability.verdict import Answer, Limit, ObjectVerdict, Proof, Verdict
from mobstore.properties.linearizability.words import compact, reason, short, told

MODELS: Final[Mapping[str, Callable[[], Model]]] = {
    StoreModel.name: StoreModel,
    CasRegister.name: CasRegister,
    KeyValue.name: KeyValue,
}
"""The models by name."""

EXIT_CODES: Final = {Answer.LINEARIZABLE: 0, Answer.NOT_LINEARIZABLE: 1, Answer.UNKNOWN: 2}
_STYLES: Final = {Answer.LINEARIZABLE: "green", Answer.NOT_LINEARIZABLE: "bold red", Answer.UNKNOWN: "yellow"}
_SHOWN_CALLS: Final = 40


@attrs.frozen
class Checked:
    """A history with its verdict, and what the second program says of each object's."""

    history: History
    model: Model
    verdict: Verdict
    again: tuple[str | None, ...]
    seconds: float

    @property
    def rejected(self) -> str | None:
        """What the second program found wrong, if anything: then nothing of the verdict counts."""
        return next((each for each in self.again if each and not each.startswith(verify.NOT_CHECKED)), None)


def checked(history: History, model: Model, limit: Limit | None = None) -> Checked:
    """Check a history, and let the second program check what was found."""
    begun = time.perf_counter()
    verdict = check(history, model, limit)
    parts = model.parts(history)
    again = tuple(verify.recheck(history, model, each, parts.get(each.key, ())) for each in verdict.objects)
    return Checked(history, model, verdict, again, time.perf_counter() - begun)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore history``."""
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="JSON lines (specs/histories.md); several files are parts of one history and have times",
    )
    parser.add_argument("--model", choices=MODELS, default="store", help="what the calls mean (default: store)")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with timelines, in one file")
    parser.add_argument(
        "--self-check",
        type=_positive(int),
        metavar="N",
        help="hold the checker to brute force on N random histories of each kind instead",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random histories (default: 0)")
    parser.add_argument(
        "--jobs",
        type=_positive(int),
        default=os.cpu_count() or 1,
        help="processes that decide random histories (default: one a core)",
    )
    default = Limit()
    parser.add_argument(
        "--seconds",
        type=_positive(float),
        default=default.seconds,
        help=f"after which the verdict is unknown (default: {default.seconds:g})",
    )
    parser.add_argument(
        "--configurations",
        type=_positive(int),
        default=default.configurations,
        help=f"that a search may hold at once (default: {default.configurations})",
    )
    parser.add_argument(
        "--megabytes",
        type=_positive(int),
        default=default.memory >> 20,
        help=f"by which the check may grow (default: {default.memory >> 20})",
    )


def _positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            msg = f"{text} is not above 0"
            raise argparse.ArgumentTypeError(msg)
        return value

    return number


def run(arguments: argparse.Namespace) -> int:
    """Check the history of the files, or the checker, and return the exit code."""
    if bool(arguments.files) is bool(arguments.self_check):
        print("mobstore history: give either files or --self-check", file=sys.stderr)
        return 2
    if arguments.self_check:
        return _self_check(arguments.self_check, arguments.seed, arguments.jobs, as_json=arguments.json)
    model = MODELS[arguments.model]()
    limit = Limit(arguments.seconds, arguments.configurations, arguments.megabytes << 20)
    try:
        history = read_history(*arguments.files, rules=model.admit)
    except MalformedHistory as error:
        print(f"mobstore history: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"mobstore history: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    try:
        with _status(f"checking {len(history):,} calls"):
            found = checked(history, model, limit)
    except CheckerDefect as defect:
        print(f"mobstore history: the second program rejects the witness: {defect}", file=sys.stderr)
        return 2
    if found.rejected is not None:
        print(f"mobstore history: the second program rejects the verdict: {found.rejected}", file=sys.stderr)
        return 2
    name = " ".join(path.name for path in arguments.files)
    if arguments.html is not None:
        made = page(name, history, model, found.verdict, _summary(found))
        try:
            arguments.html.write_text(made, encoding="utf-8")
        except OSError as error:
            print(f"mobstore history: {error.filename}: {error.strerror}", file=sys.stderr)
            return 2
    if arguments.json:
        report.print_json(as_json(found))
    else:
        _print(found, name)
    return EXIT_CODES[found.verdict.answer]


def _self_check(number: int, seed: int, jobs: int, *, as_json: bool) -> int:
    found = trial.try_checker(seed, number, jobs, progress=True)
    agreed = sum(found.histories.values())
    if as_json:
        told = {
            "seed": seed,
            "histories": dict(found.histories),
            "larger": found.larger,
            "decided": {f"{name}: {linearizable}": count for (name, linearizable), count in found.decided.items()},
            "disagreement": None if found.disagreement is None else str(found.disagreement),
        }
        report.print_json(told)
        return 0 if found.disagreement is None else 1
    names = sorted({name for name, _ in found.decided})
    rows = [(name, *(f"{found.decided[name, verdict]:,}" for verdict in (True, False))) for name in names]
    report.print_table(f"objects decided, seed {seed}", ("by", "linearizable", "not"), rows)
    if found.disagreement is None:
        small = f"{agreed - found.larger:,} random histories of {len(found.histories)} kinds"
        print(f"{small}: everything agrees with brute force; on {found.larger:,} larger ones with each other")
        return 0
    print(f"after {agreed:,} histories two disagree:\n{found.disagreement}")
    return 1


def _status(text: str) -> AbstractContextManager[object]:
    """Tell on a terminal what takes its time."""
    console = Console(stderr=True)
    return console.status(text) if console.is_terminal else nullcontext()


# --- for people -------------------------------------------------------------------------------------------------


def _print(found: Checked, name: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    answer = found.verdict.answer
    console.print(f"{name}: {answer.value.upper()}", style=_STYLES[answer], markup=False)
    for line in _summary(found):
        console.print(f"  {line}", markup=False)
    for each, again in zip(found.verdict.objects, found.again, strict=True):
        if each.answer is not Answer.LINEARIZABLE:
            console.print()
            for line in described(found.history, found.model, each):
                console.print(line, markup=False)
            if again is not None:
                console.print(again, markup=False)


def _summary(found: Checked) -> Iterator[str]:
    history, objects = found.history, found.verdict.objects
    unknown = sum(outcome in (Outcome.INFO, Outcome.PENDING) for outcome in history.outcome)
    yield (
        f"model {found.model.name}: {_count(len(history), 'call')} of "
        f"{_count(len(set(history.process)), 'process')}, {unknown:,} of unknown outcome, "
        f"{_count(len(objects), 'object')}"
    )
    unsure = sum(each is not None for each in found.again)
    again = "checked again by the second program" if not unsure else f"{unsure:,} not checked again"
    yield f"decided by {', '.join(found.verdict.decided_by)} in {found.seconds:.3f} s; {again}"


def _count(number: int, noun: str) -> str:
    plural = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{plural}"


def described(history: History, model: Model, verdict: ObjectVerdict) -> Iterator[str]:
    """Yield lines that say why an object is not linearizable, or how far the check got."""
    where = "" if verdict.key is None else f"object {short(compact(model.plain(verdict.key)))}: "
    if verdict.bound is not None:
        yield f"{where}unknown: {verdict.bound}"
    if verdict.proof is None:
        return
    proof = verdict.proof
    yield f"{where}{proof.kind}: {short(proof.message)}"
    for state in proof.before[:_SHOWN_CALLS]:
        yield f"  before: {short(compact(model.shown(state)))}"
    if len(proof.rows) > _SHOWN_CALLS:
        yield f"  {len(proof.rows) - _SHOWN_CALLS:,} calls, and then"
    for row in proof.rows[-_SHOWN_CALLS:]:
        yield f"  {_span(history, row)}  {short(told(history.call(row), model))}"
    for edge in proof.edges[:_SHOWN_CALLS]:
        yield f"  {reason(edge)}"


def _span(history: History, row: int) -> str:
    began, ended = history.began[row], history.ended[row]
    if began is not None:
        return f"call {row} [{began} .. {'' if ended is None else ended}]"
    ends = f"{history.res[row]}" if history.outcome[row] is Outcome.OK else ""
    return f"call {row} [event {history.inv[row]} .. {ends}]"


# --- for programs -----------------------------------------------------------------------------------------------


def as_json(found: Checked) -> dict[str, Any]:
    """Return a verdict as plain JSON; calls are numbered in the order of their invocations, from 0."""
    objects = [
        _object_json(found.history, found.model, each, again)
        for each, again in zip(found.verdict.objects, found.again, strict=True)
    ]
    return {
        "model": found.model.name,
        "verdict": found.verdict.answer.value,
        "calls": len(found.history),
        "processes": len(set(found.history.process)),
        "seconds": round(found.seconds, 6),
        "objects": objects,
    }


def _object_json(history: History, model: Model, verdict: ObjectVerdict, again: str | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": model.plain(verdict.key),
        "verdict": verdict.answer.value,
        "decided_by": verdict.decided_by,
        "calls": verdict.calls,
        "checked_again": again is None if verdict.bound is None else False,
    }
    if verdict.witness is not None:
        shown["witness"] = list(verdict.witness)
    if verdict.bound is not None:
        shown["bound"] = attrs.asdict(verdict.bound)
    if verdict.proof is not None:
        shown["proof"] = _proof_json(history, model, verdict.proof)
    return shown


def _proof_json(history: History, model: Model, proof: Proof) -> dict[str, Any]:
    return {
        "kind": proof.kind,
        "message": proof.message,
        "calls": [call_json(history.call(row), model) for row in proof.rows],
        "before": [model.shown(state) for state in proof.before],
        "steps": [
            {"earlier": edge.earlier, "later": edge.later, "because": edge.relation.value, "until": edge.until}
            for edge in proof.edges
        ],
    }


def call_json(call: Call, model: Model) -> dict[str, Any]:
    """Return a call as plain JSON."""
    return {
        "call": call.row,
        "process": call.process,
        "f": call.f,
        "key": model.plain(call.key),
        "value": model.plain(call.value),
        "outcome": call.outcome.name.lower(),
        "answer": model.plain(call.answer),
        "invoked": call.inv,
        "responded": call.res if call.outcome is Outcome.OK else None,
    }
