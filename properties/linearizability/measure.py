"""How fast the checker is, on random histories: what ``mobstore bench`` prints of it.

A time is that of the processor from a `History` to a `Verdict`, replayed witness included; drawing the history is
not in it.  Memory is what a check holds at most beyond the history.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

import attrs

from mobstore.properties.linearizability.checker import check
from mobstore.properties.linearizability.history import History
from mobstore.properties.linearizability.models import CasRegister, Model
from mobstore.properties.linearizability.random_histories import KINDS, Shape, draw_history, register_cas
from mobstore.properties.linearizability.verdict import Answer


@attrs.frozen
class Measured:
    """One line of the table.

    Attributes:
        name: what was checked.
        found: the verdict, and what decided.
        value: what was measured, in ``unit``.
        target: what is to be reached.
        met: whether it was.
    """

    name: str
    found: str
    value: float
    unit: str
    target: str
    met: bool


_MEMORY_CALLS: Final = 100_000


def measure(rounds: int) -> Iterator[Measured]:
    """Measure everything; the median of ``rounds`` counts, and of the largest histories that of three."""
    times: dict[tuple[int, float, bool], float] = {}
    for clients in (4, 16, 64):
        for unknown in (0.0, 0.01):
            for bad in (False, True):
                times[clients, unknown, bad], found = _median(_drawn(10_000, clients, unknown, bad=bad), rounds)
                name = f"10,000 calls, {clients} clients, {unknown:.0%} unknown, {'bad' if bad else 'good'}"
                seconds = times[clients, unknown, bad]
                yield Measured(name, found, seconds * 1000, "ms", "at most 30 ms", seconds <= 0.03)
    for bad in (False, True):
        those = [seconds for key, seconds in times.items() if key[2] is bad]
        name = f"largest by smallest of the {'bad' if bad else 'good'} ones above"
        spread = max(those) / min(those)
        yield Measured(name, "", spread, "", "at most 2", spread <= 2)
    yield from _unknown(rounds)
    yield from _growth(rounds)
    yield from _hard(rounds)


def _unknown(rounds: int) -> Iterator[Measured]:
    few, many = (_drawn(10_000, 16, unknown, bad=False) for unknown in (0.0, 0.1))
    ratios = [_seconds(many)[0] / _seconds(few)[0] for _ in range(rounds)]
    ratio, found = statistics.median(ratios), _seconds(many)[1]
    yield Measured("1,000 unknown outcomes among 10,000 calls, to none", found, ratio, "", "at most 2", ratio <= 2)


def _growth(rounds: int) -> Iterator[Measured]:
    before = _median(_drawn(10_000, 16, 0.01, bad=False), rounds)[0]
    for calls, target in ((100_000, 0.4), (1_000_000, 4.0)):
        history = _drawn(calls, 16, 0.01, bad=False)
        seconds, found = _median(history, min(3, rounds))
        name = f"{calls:,} calls, 16 clients, 1% unknown, good"
        yield Measured(name, found, seconds, "s", f"at most {target} s", seconds <= target)
        growth, before = seconds / before, seconds
        yield Measured(f"{calls:,} calls to a tenth of them", "", growth, "", "at most 15", growth <= 15)
        if calls == _MEMORY_CALLS:
            held = _bytes_a_call(history)
            yield Measured("memory of that check, a call", found, held, "bytes", "at most 150", held <= 150)


_SMALL: Final = "register, three values"
_HARD: Final = ("register, blind writes of fresh values", "map, fresh texts", _SMALL)


def _hard(rounds: int) -> Iterator[Measured]:
    """Histories of other kinds, whose calls are in flight fifty at a time."""
    for kind in _HARD:
        for bad in (False, True):
            model, history = _of_kind(kind, 4_000, 50, bad=bad)
            seconds, found = _median(history, min(3, rounds), model)
            name = f"{kind}: 4,000 calls, 50 clients, {'bad' if bad else 'good'}"
            yield Measured(name, found, seconds, "s", "at most 5 s", seconds <= 5)


def _of_kind(kind: str, calls: int, clients: int, *, bad: bool) -> tuple[Model, History]:
    """Return a history of a kind; a bad one of three values has a read in its middle of a fourth.

    With so few values and so many calls in flight there is an order for nearly any other answer.
    """
    make, draw = KINDS[kind]
    tells = bad and kind == _SMALL
    for seed in itertools.count():
        rng, model = random.Random(f"{kind} {bad} {seed}"), make()  # noqa: S311 - nothing secret
        history = draw_history(rng, model, draw, Shape(calls, clients, lies=float(bad and not tells)))
        if tells:
            history.answer[history.f.index("read", calls // 2)] = 3
        if not bad or check(history, model).answer is Answer.NOT_LINEARIZABLE:
            return model, history
    raise AssertionError


def _drawn(calls: int, clients: int, unknown: float, *, bad: bool) -> History:
    """Return a history of reads and compare-and-sets, of which nine in ten compare with what stands there.

    A bad one is refuted by the last step of the algorithm; those in which a value alone is wrong are faster.
    """
    shape = Shape(calls, clients, unknown, float(bad), lucky=0.9)
    for seed in itertools.count():
        rng = random.Random(f"{calls} {clients} {unknown} {bad} {seed}")  # noqa: S311 - nothing secret
        history = draw_history(rng, CasRegister(), register_cas, shape)
        if not bad or _is_refuted_last(history):
            return history
    raise AssertionError


def _is_refuted_last(history: History) -> bool:
    failure = check(history, CasRegister()).first_failure
    return failure is not None and failure.proof is not None and failure.proof.kind == "window"


def _median(history: History, rounds: int, model: Model | None = None) -> tuple[float, str]:
    measured = [_seconds(history, model) for _ in range(rounds)]
    return statistics.median(seconds for seconds, _ in measured), measured[0][1]


def _seconds(history: History, model: Model | None = None) -> tuple[float, str]:
    begun = time.process_time()
    verdict = check(history, CasRegister() if model is None else model)
    seconds = time.process_time() - begun
    assert verdict.answer is not Answer.UNKNOWN, "a verdict that is none is not fast"
    return seconds, f"{verdict.answer.value} ({', '.join(verdict.decided_by)})"


def _bytes_a_call(history: History) -> float:
    tracemalloc.start()
    try:
        check(history, CasRegister())
        return tracemalloc.get_traced_memory()[1] / len(history)
    finally:
        tracemalloc.stop()
