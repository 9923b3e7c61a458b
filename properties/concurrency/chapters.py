"""The chapters of calls at once: drawn branches and long runs, by whoever can call a backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mobstore.properties.chapters import Chapter, Context, Finding
from mobstore.properties.concurrency import branches, stress
from mobstore.properties.concurrency.branches import faces_of, try_branches
from mobstore.properties.concurrency.driving import Face
from mobstore.properties.refinement import Profile
from mobstore.properties.subject import Factory

_EXAMPLES: Final = 4
"""One round of branches for so many of a profile's examples."""
_CALLS: Final = 12
"""Calls of a long run for each of a profile's examples."""


def _examples(profile: Profile) -> int:
    return profile.examples // _EXAMPLES


def _branches(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        tried = try_branches(context.make, face, _examples(context.profile), context.seed)
        if tried.failure is not None:
            return Finding(tried.calls, tried.failure.reason, "", tried.failure.program(context.source))
        doubt = f"never overlapped another call: {', '.join(tried.missed)}" if tried.missed else ""
        return Finding(tried.calls, doubt=doubt)

    return check


def _stress(face: Face) -> Callable[[Context], Finding]:
    def check(context: Context) -> Finding:
        found = stress.stress(context.make, face, _CALLS * context.profile.examples, context.seed)
        failure, _, table = found.failure.partition("\n")
        return Finding(found.calls, failure, found.doubt, table)

    return check


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


_CHAPTERS: Final = {face: (_branches_chapter(face), _stress_chapter(face)) for face in Face}


EVERY: Final = tuple(chapter for chapters in _CHAPTERS.values() for chapter in chapters)
"""The chapters for every kind of caller."""


def chapters_of(factory: Factory) -> Sequence[Chapter]:
    """Return the chapters that a backend has; those of processes only if it says that they share its storage."""
    return [chapter for face in faces_of(factory) for chapter in _CHAPTERS[face]]
