"""The chapters of calls at once: drawn branches and long runs, by whoever can call a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mobstore.properties.chapter import Chapter, Context, Finding
from mobstore.properties.concurrency import branches, drivers, stress
from mobstore.properties.concurrency.branches import faces_of, try_branches
from mobstore.properties.concurrency.driving import Face
from mobstore.properties.refinement import Profile

_EXAMPLES: Final = 4
"""One round of branches for so many of a profile's examples."""
_CALLS: Final = 12
"""Calls of a long run for each of a profile's examples."""
_NOT_SHARED: Final = Finding(
    0, not_applicable="the factory does not say that processes share its storage", excused=True
)


def _examples(profile: Profile) -> int:
    return profile.examples // _EXAMPLES


def _branches(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        if face not in faces_of(context.make()):
            return _NOT_SHARED
        tried = try_branches(context.make, face, _examples(context.profile), context.seed, context.capabilities)
        if tried.failure is not None:
            failure = tried.failure
            calls = len(failure.scenario.calls)
            shown = failure.program(context.source)
            return Finding(tried.calls, failure.reason, "", shown, calls, failure.step, trace=failure.lines())
        met = len(tried.there) - len(tried.missed)
        told = f"{tried.runs} runs; {met} of {len(tried.there)} changing calls overlapped another"
        return Finding(tried.calls, doubt="" if met else "no two calls overlapped", tried=told)

    return check


def _stress(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        if face not in faces_of(context.make()):
            return _NOT_SHARED
        calls = _CALLS * context.profile.examples
        found = stress.stress(context.make, face, calls, context.seed, context.capabilities)
        if not (found.failure or found.doubt or drivers.lacks_any(context.capabilities)):
            return _driven(context, face, found)
        if not found.failure:
            return Finding(found.calls, doubt=found.doubt)
        declared = f", declared_by(lambda: {context.source})" if context.capabilities.lacking else ""
        again = f"stress.stress(lambda: {context.source}, Face.{face.name}, {calls}, {context.seed}{declared})"
        return _failed(found, found.calls, again)

    return check


def _driven(context: Context, face: Face, found: stress.Stressed) -> Finding:
    """Let workflow drivers call, too."""
    count = _workflows(context.profile)
    driven = drivers.drive_workflows(context.make, face, count)
    calls = found.calls + driven.calls
    if driven.failure:
        again = f"drivers.drive_workflows(lambda: {context.source}, Face.{face.name}, {count})"
        return _failed(driven, calls, again)
    overlapped = f"{found.overlapping:,} of {found.calls:,} calls overlapped another"
    told = (
        f"{stress.CALLERS} {face.shown}: {overlapped}; workflows by {drivers.DRIVERS} drivers: {driven.workflows}"
    )
    return Finding(calls, doubt=driven.doubt, tried=told)


def _failed(found: branches.Judged, calls: int, again: str) -> Finding:
    """Tell a failure by a test to paste, which does it ``again``, and by the calls that no order explains."""
    failure, _, table = found.failure.partition("\n")
    lines = [
        "from mobstore.properties.concurrency import Face, drivers, stress",
        "from mobstore.properties.subject import *",
        "",
        "",
        "def test_counterexample() -> None:",
        f"    found = {again}",
        "    assert not found.failure, found.failure",
        *(f"    # {line}".rstrip() for line in table.splitlines()),
    ]
    return Finding(calls, failure, "", "\n".join(lines) + "\n", found.length, found.step, trace=found.lines)


def _workflows(profile: Profile) -> int:
    return max(1, profile.examples // 50)


def _branches_chapter(face: Face) -> Chapter:
    return Chapter(
        f"branches-{face}",
        f"calls of {face.shown} are as if they came one after the other",
        lambda profile: f"{branches.CALLERS} {face.shown}, rounds of {_examples(profile)} drawn beginnings",
        _branches(face),
    )


def _stress_chapter(face: Face) -> Chapter:
    return Chapter(
        f"stress-{face}",
        f"so is a long run of {face.shown}",
        lambda profile: f"{stress.CALLERS} {face.shown}, {_CALLS * profile.examples:,} calls on two runs",
        _stress(face),
    )


CHAPTERS: Final = tuple(chapter for face in Face for chapter in (_branches_chapter(face), _stress_chapter(face)))
"""Of every face; one that a backend does not have is not applicable to it."""
