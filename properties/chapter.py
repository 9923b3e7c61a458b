"""A chapter: one promise of the contract, how it is checked, and what that came to.

A chapter passes only when it has tested something: one that reached too little is unknown, and unknown is
never a pass.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

import attrs

from mobstore.backends.capabilities import FULL, Capabilities
from mobstore.properties.refinement import Counterexample, Mismatch, Profile, shrunk
from mobstore.properties.source import Line
from mobstore.properties.subject import Abandoned, Factory


class Verdict(enum.StrEnum):
    """What a chapter came to."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@attrs.frozen
class Result:
    """The result of a chapter: its verdict, what it tried, and what proves a failure, in ``length`` calls.

    ``step`` names where in the chapter it failed; ``trace`` has the counterexample step by step.  Of what is not
    applicable, ``excused`` says that it does not count against the backend's level, and ``missing`` that the calls
    that it needs are still to come.
    """

    chapter: str
    verdict: Verdict
    seconds: float
    calls: int
    detail: str = ""
    counterexample: str = ""
    length: int = 0
    step: str = ""
    excused: bool = False
    missing: bool = False
    trace: tuple[Line, ...] = ()


@attrs.frozen
class Context:
    """What a chapter tests, and how much of it; ``source`` is the expression that makes a factory.

    Without ``shrinks`` a chapter does not look for the simplest counterexample where it has a short one.
    """

    make: Callable[[], Factory]
    name: str
    source: str
    profile: Profile
    seed: int
    capabilities: Capabilities = FULL
    shrinks: bool = True


@attrs.frozen
class Finding:
    """What a chapter found: how many calls it made, and a failure or a doubt if there is one.

    ``length`` is how many calls the counterexample takes, and ``step`` where it failed; ``not_applicable`` says
    why there was nothing to try, ``excused`` that nothing is missing for it, and ``tried`` what was tried, where it
    is not the chapter's bound.
    """

    calls: int
    failure: str = ""
    doubt: str = ""
    counterexample: str = ""
    length: int = 0
    step: str = ""
    not_applicable: str = ""
    excused: bool = False
    tried: str = ""
    trace: tuple[Line, ...] = ()

    @classmethod
    def of(cls, calls: int, example: Counterexample) -> Finding:
        """Return the failure that a counterexample is, found by ``calls`` calls."""
        told = f"{example.step}: a counterexample of {example.calls} calls"
        return cls(calls, told, "", example.program(), example.calls, example.step, trace=example.lines())

    @property
    def verdict(self) -> Verdict:
        """What this comes to; who made no call has shown nothing."""
        if self.failure:
            return Verdict.FAILED
        if self.not_applicable:
            return Verdict.NOT_APPLICABLE
        return Verdict.UNKNOWN if self.doubt or not self.calls else Verdict.PASSED

    @property
    def reason(self) -> str:
        """Why it is not passed."""
        return self.failure or self.not_applicable or self.doubt or ("" if self.calls else "made no call")


@attrs.frozen
class Chapter:
    """A promise, and how it is checked; ``bound`` says what was tried when it passes.

    ``needs`` are the calls without which there is nothing to check (``"event.subscribe"``).
    """

    name: str
    promise: str
    bound: Callable[[Profile], str]
    check: Callable[[Context], Finding]
    needs: tuple[str, ...] = ()

    def run(self, context: Context) -> Result:
        """Check the promise; whatever goes wrong in the backend is a failure, and never an exception."""
        begun = time.perf_counter()
        try:
            finding = self._lacking(context.capabilities) or self._found(context)
        except Abandoned as abandoned:
            error = abandoned.args[0]
            finding = Finding(0, f"{type(error).__name__}: the program {error}")
        except Exception as error:  # noqa: BLE001 - whatever a backend raises is part of the verdict
            finding = Finding(0, f"{type(error).__name__}: {error}")
        lacking = set(self.needs) & context.capabilities.lacking
        return Result(
            self.name,
            finding.verdict,
            time.perf_counter() - begun,
            finding.calls,
            finding.reason or finding.tried or self.bound(context.profile),
            finding.counterexample,
            finding.length,
            finding.step,
            excused=finding.excused or (bool(lacking) and lacking <= context.capabilities.unsupported),
            missing=bool(lacking & context.capabilities.not_yet),
            trace=finding.trace,
        )

    def _lacking(self, capabilities: Capabilities) -> Finding | None:
        lacking = sorted(set(self.needs) & capabilities.lacking)
        return Finding(0, not_applicable=f"declared to be refused: {', '.join(lacking)}") if lacking else None

    def _found(self, context: Context) -> Finding:
        try:
            return self.check(context)
        except Mismatch as mismatch:
            example = shrunk(mismatch.counterexample, context.make)
            return Finding.of(mismatch.calls, example)
