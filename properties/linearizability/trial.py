"""The checker on trial: on small random histories all algorithms must agree with brute force.

Every algorithm whose class a history is of decides it, the search does, and so does `verify.brute_force`, which
tries every order.  Witnesses and proofs go through the second program.  One history in eight is larger: the
algorithms must agree on it with each other, and with how it was drawn when nothing was told otherwise.
"""

from __future__ import annotations

import functools
import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.properties.linearizability import search, verify
from mobstore.properties.linearizability.chain import Refuted
from mobstore.properties.linearizability.checker import (
    ALGORITHMS,
    CheckerDefect,
    ModelJudge,
    check,
    relevant_rows,
)
from mobstore.properties.linearizability.history import History
from mobstore.properties.linearizability.models import Model
from mobstore.properties.linearizability.random_histories import KINDS, Shape, draw_history
from mobstore.properties.linearizability.verdict import Answer, Limit, LimitReached, Watch
from mobstore.properties.parallel import in_order

Part: TypeAlias = tuple[int, str, range]
"""A seed, a kind of histories, and which of them."""

_TOGETHER: Final = 250
"""Histories that a process is given at once."""
_LARGER: Final = 8
_LIMIT: Final = Limit(seconds=1.0, configurations=5000)
"""For larger histories: what is not decided within it is not compared."""


@attrs.frozen
class Disagreement:
    """A history that was not decided alike.

    Attributes:
        kind: of history.
        number: which of the drawn ones.
        said: what was found: by each algorithm whether it is linearizable, or what the second program rejects.
        history: the calls.
    """

    kind: str
    number: int
    said: Mapping[str, Any]
    history: History

    def __str__(self) -> str:
        calls = "\n".join(f"  {call}  [{call.inv}, {call.res}]" for call in self.history)
        return f"{self.kind}, history {self.number}: {dict(self.said)}\n{calls}"


@attrs.define
class Trial:
    """What a trial came to.

    Attributes:
        histories: that were decided alike, by kind.
        larger: how many of them are too large for brute force.
        decided: how many objects each algorithm decided, by its name and whether they are linearizable.
        disagreement: the first history that was not.
    """

    histories: Counter[str] = attrs.field(factory=Counter)
    larger: int = 0
    decided: Counter[tuple[str, bool]] = attrs.field(factory=Counter)
    disagreement: Disagreement | None = None

    def take(self, other: Trial) -> None:
        """Count what another part of the trial came to."""
        self.histories.update(other.histories)
        self.larger += other.larger
        self.decided.update(other.decided)
        self.disagreement = self.disagreement or other.disagreement


def shape(rng: random.Random, *, larger: bool = False) -> Shape:
    """Return the shape of a small history, which brute force can decide, or of one that is larger."""
    if larger:
        unknown, lies, lucky = rng.choice((0.0, 0.05)), rng.choice((0.0, 1.0)), rng.choice((0.0, 0.8))
        return Shape(40, rng.choice((4, 7, 10)), unknown, lies, lucky=lucky)
    return Shape(
        calls=rng.randint(1, 9),
        clients=rng.randint(1, 4),
        unknown=rng.choice((0.0, 0.1, 0.3)),
        lies=0.6,
        failed=rng.choice((0.0, 0.1)),
        lucky=rng.choice((0.0, 0.8)),
    )


def drawn(kind: str, seed: int, number: int, *, larger: bool = False) -> tuple[Model, History]:
    """Return the model, and a random history of a kind."""
    model, history, _ = _drawn(kind, seed, number, larger=larger)
    return model, history


def _drawn(kind: str, seed: int, number: int, *, larger: bool) -> tuple[Model, History, Shape]:
    make, draw = KINDS[kind]
    rng, model = random.Random(f"{seed} {kind} {number}"), make()  # noqa: S311 - nothing secret
    chosen = shape(rng, larger=larger)
    return model, draw_history(rng, model, draw, chosen), chosen


def try_checker(seed: int, number: int, jobs: int = 1, *, progress: bool = False) -> Trial:
    """Let everything decide ``number`` random histories of each kind, until two disagree.

    Args:
        seed: of the histories; which they are does not depend on ``jobs``.
        number: of each kind.
        jobs: processes.
        progress: whether a terminal is told how far it is.
    """
    parts = [
        (seed, kind, range(start, min(start + _TOGETHER, number)))
        for kind in KINDS
        for start in range(0, number, _TOGETHER)
    ]
    trial = Trial()
    tried = in_order([functools.partial(_try_part, part) for part in parts], jobs)
    for each, (_, kind, numbers) in zip(tried, parts, strict=False):
        trial.take(each)
        if progress and sys.stderr.isatty():
            print(f"\r{kind}: {numbers.stop:,} of {number:,}\033[K", end="", file=sys.stderr, flush=True)
        if trial.disagreement is not None:
            break
    if progress and sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    return trial


def _try_part(part: Part) -> Trial:
    seed, kind, numbers = part
    trial = Trial()
    for each in numbers:
        larger = each % _LARGER == _LARGER - 1
        model, history, drawn_as = _drawn(kind, seed, each, larger=larger)
        wrong = compare(model, history, trial.decided, good=larger and not drawn_as.lies, brute=not larger)
        if wrong is not None:
            trial.disagreement = Disagreement(kind, each, wrong, history)
            break
        trial.histories[kind] += 1
        trial.larger += larger
    return trial


def compare(
    model: Model, history: History, decided: Counter[tuple[str, bool]], *, good: bool = False, brute: bool = True
) -> dict[str, Any] | None:
    """Let everything decide a history; return what was said when not all said the same.

    Args:
        good: whether it was drawn as linearizable.
        brute: whether it is small enough for brute force.
    """
    limit = Limit() if brute else _LIMIT
    try:
        verdict = check(history, model, limit)
    except CheckerDefect as defect:
        return {"witness": str(defect)}
    parts = model.parts(history)
    for each in verdict.objects:
        rows = parts.get(each.key, ())
        wrong = verify.recheck(history, model, each, rows)
        if wrong is not None and (brute or not wrong.startswith(verify.NOT_CHECKED)):
            return {"second program": wrong}
        said = dict(_each_algorithm(model, history, rows, limit))
        if each.answer is not Answer.UNKNOWN:
            said["check"] = each.answer is Answer.LINEARIZABLE
        if good:
            said["how it was drawn"] = True
        if brute:
            said["brute force"] = verify.brute_force(model, history, rows, (model.initial(),))
        if len(set(said.values())) > 1:
            return said
        decided.update(said.items())
    return None


def _each_algorithm(model: Model, history: History, rows: Any, limit: Limit) -> Iterator[tuple[str, bool]]:
    """Yield what each algorithm says of the calls of one object, by itself, as long as the limit allows."""
    rows, state, watch = relevant_rows(history, model, rows), model.initial(), Watch(limit)
    facts = model.facts(history, rows, state) if len(rows) else None
    if facts is not None and not model.exact:
        facts = attrs.evolve(facts, judge=ModelJudge(model, history, rows, state))
    inv, res = [history.inv[row] for row in rows], [history.res[row] for row in rows]
    for name, algorithm in ALGORITHMS:
        if facts is None:
            break
        try:
            found = algorithm(facts, inv, res, watch)
        except Refuted:
            yield name, False
            continue
        except LimitReached:
            return
        if found is None:
            continue
        witness = [rows[pos] for pos in found]
        wrong = verify.replay(model, history, rows, witness, state)
        if wrong is None:
            yield name, True
        elif model.exact:
            yield f"{name}: {wrong}", False
    try:
        search.decide(model, history, rows, state, watch)
    except Refuted:
        yield "search", False
    except LimitReached:
        return
    else:
        yield "search", True
