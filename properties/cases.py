"""Cases: short sequences of calls that are made as they stand, none of them drawn.

What a case shows, it shows in every run, with any seed, and in the calls of the case alone.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model import Operation, State
from mobstore.model import operations as ops
from mobstore.properties.refinement import Comparison, Counterexample, Mismatch, shrunk
from mobstore.properties.source import Between
from mobstore.properties.subject import Factory


@attrs.frozen
class Case:
    """A few calls, and what they are about; ``name`` completes the sentence "when ..."."""

    name: str
    calls: tuple[Operation[Any] | Between, ...]


_TOGETHER: Final = 64
"""Cases of one storage: making one takes a server longer than a case, and one that holds too much may be slow."""
_SHORT: Final = 4
"""Calls of a counterexample that need not be made fewer."""
_LARGE: Final = 20_000
"""Characters of a program whose values would take minutes to simplify."""


@attrs.frozen
class CasesResult:
    """How many calls were made, and what they came to; the case that failed, and its proof."""

    calls: int
    reached: Mapping[tuple[str, str], int]
    failed: Case | None = None
    counterexample: Counterexample | None = None


def try_cases(
    cases: Iterable[Case], make: Callable[[], Factory], source: str, *, simplify: bool = True
) -> CasesResult:
    """Make the calls of each case on a backend and on the model; stop at the first that differs.

    The clock goes on before each call; after one that may change something, what is near it is read.  `_TOGETHER`
    cases share a storage, from which all but runs is removed in between; runs are each case's own.

    Args:
        cases: what is tried.
        make: makes a factory.
        source: the expression that makes the factory, for the programs that are printed.
        simplify: whether to look for a simpler counterexample than the calls of the case that fails.
    """
    remaining, calls, reached = iter(cases), 0, Counter[tuple[str, str]]()
    while together := tuple(itertools.islice(remaining, _TOGETHER)):
        comparison = Comparison(make(), source, reached)
        try:
            for case in together:
                calls += len(case.calls)
                _make(comparison, case)
                for call in _removing(comparison.state):
                    comparison.call(call)
        except Mismatch as mismatch:
            alone = _alone(case, make, source)
            if alone is None or alone.calls > _SHORT or (simplify and len(alone.program()) < _LARGE):
                alone = shrunk(alone or mismatch.counterexample, make)
            return CasesResult(calls, reached, case, alone)
        finally:
            comparison.close()
    return CasesResult(calls, reached)


def _make(comparison: Comparison, case: Case) -> None:
    for call in case.calls:
        comparison.tick()
        if isinstance(call, Between):
            comparison.happens(call)
            continue
        comparison.call(call)
        if not call.reads:
            comparison.observe_near(call)


def _removing(state: State) -> Iterator[Operation[Any]]:
    """The calls that remove everything but runs."""
    if state.event.next_cursor > 1:
        yield ops.Clear()
    yield from (ops.DeleteSupervisorAuthority(mob_id) for mob_id in state.metadata.authorities)
    yield from (ops.DeleteExternalBindingOverlays(mob_id) for mob_id in state.metadata.overlays)
    yield from (ops.DeleteSpec(mob_id) for mob_id in state.spec.specs)
    yield from (ops.DeleteProfile(name, held.revision) for name, held in state.profile.profiles.items())


def _alone(case: Case, make: Callable[[], Factory], source: str) -> Counterexample | None:
    """What the case comes to on a storage of its own."""
    comparison = Comparison(make(), source)
    try:
        _make(comparison, case)
    except Mismatch as mismatch:
        return mismatch.counterexample
    finally:
        comparison.close()
    return None
