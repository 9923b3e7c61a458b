"""The chapters of calls at once: drawn branches and long runs, by whoever can call a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mobstore.properties.chapters import Chapter, Context, Finding
from mobstore.properties.concurrency import branches, stress
from mobstore.properties.concurrency.branches import can_call, try_branches
from mobstore.properties.concurrency.driving import Face
from mobstore.properties.refinement import Profile

_EXAMPLES: Final = 4
"""One round of branches for so many of a profile's examples."""
_CALLS: Final = 12
"""Calls of a long run for each of a profile's examples."""


def _examples(profile: Profile) -> int:
    return profile.examples // _EXAMPLES


def _only_if_possible(face: Face, check: Callable[[Context], Finding]) -> Callable[[Context], Finding]:
    def possible(context: Context) -> Finding:
        if can_call(context.make(), face):
            return check(context)
        return Finding(0, not_applicable="the factory does not say that processes share its storage", excused=True)

    return possible


def _branches(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        examples = _examples(context.profile)
        tried = try_branches(context.make, face, examples, context.seed, context.capabilities)
        failure = tried.failure
        if failure is not None:
            calls = len(failure.scenario.calls)
            return Finding(tried.calls, failure.reason, "", failure.program(context.source), calls)
        doubt = f"never overlapped another call: {', '.join(tried.missed)}" if tried.missed else ""
        return Finding(tried.calls, doubt=doubt)

    return check


def _stress(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        calls = _CALLS * context.profile.examples
        found = stress.stress(context.make, face, calls, context.seed, context.capabilities)
        failure, _, table = found.failure.partition("\n")
        return Finding(found.calls, failure, found.doubt, table, found.length)

    return check


def _branches_chapter(face: Face) -> Chapter:
    return Chapter(
        f"branches-{face}",
        f"calls of {face.shown} are as if they came one after the other",
        lambda profile: f"{branches.CALLERS} {face.shown}, rounds of {_examples(profile)} drawn beginnings",
        _only_if_possible(face, _branches(face)),
    )


def _stress_chapter(face: Face) -> Chapter:
    return Chapter(
        f"stress-{face}",
        f"so is a long run of {face.shown}",
        lambda profile: f"{stress.CALLERS} {face.shown}, {_CALLS * profile.examples:,} calls on two runs",
        _only_if_possible(face, _stress(face)),
        stress.NEEDS,
    )


AT_ONCE: Final = tuple(chapter(face) for face in Face for chapter in (_branches_chapter, _stress_chapter))
"""The chapters."""
