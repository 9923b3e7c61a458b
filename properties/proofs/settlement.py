"""Settling obligations: each question goes to both solvers, in processes beside one another.

An obligation holds when both solvers say so.  One that is refuted gets a countermodel, if there is one in its small
universe: values, and what Python makes of them.
"""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

import attrs

from mobstore.properties.parallel import processes
from mobstore.properties.proofs.obligation import Aim, Obligation, Replay, Scope
from mobstore.properties.proofs.registry import obligations
from mobstore.properties.proofs.solvers import (
    DEFAULT_LIMIT,
    SOLVERS,
    Finding,
    Verdict,
    model_of,
    question_of,
    smtlib,
    verdict_of_text,
)
from mobstore.properties.symbolic import Unbounded


@attrs.frozen
class Result:
    """What became of one obligation.

    Attributes:
        name: the obligation's.
        scope: how far it reaches.
        aim: what was to be found.
        findings: what each solver found, and in how many seconds.
        detail: why there is no finding, or no countermodel; "" where nothing is to be said.
        countermodel: before, call and after, where it was refuted.
    """

    name: str
    scope: Scope
    aim: Aim
    findings: tuple[Finding, ...]
    detail: str = ""
    countermodel: Replay | None = None

    @property
    def verdict(self) -> Verdict:
        """It holds if every solver says so; it is refuted by a countermodel, or a solver that none contradicts."""
        verdicts = {finding.verdict for finding in self.findings}
        if verdicts == {Verdict.HOLDS}:
            return Verdict.HOLDS
        refuted = self.countermodel is not None or Verdict.REFUTED in verdicts
        return Verdict.REFUTED if refuted and Verdict.HOLDS not in verdicts else Verdict.UNKNOWN

    @property
    def is_unbounded(self) -> bool:
        """Whether it was settled without any bound."""
        return self.scope.is_unbounded

    @property
    def group(self) -> str:
        """The general part of its name."""
        return group_of(self.name)

    @property
    def seconds(self) -> float:
        """How long the solvers took."""
        return sum(finding.seconds for finding in self.findings)


_BRIEF: Final = 1.0
"""Seconds that a solver has for what another one refuted."""


def group_of(name: str) -> str:
    """Return the first two parts of an obligation's name."""
    return "/".join(name.split("/")[:2])


def settle(obligation: Obligation, limit: float = DEFAULT_LIMIT, export: Path | None = None) -> Result:
    """Return what both solvers find about an obligation; with ``export``, about its file in that directory."""
    try:
        _, assertions = question_of(obligation, obligation.scope)
    except Unbounded as error:
        return Result(obligation.name, obligation.scope, obligation.aim, (), f"it has no formula: {error}")
    text = smtlib(obligation, assertions)
    if export is not None:
        text = _written(export / f"{obligation.name}.smt2", text)
    findings: tuple[Finding, ...] = ()
    for solver in SOLVERS:
        # What one solver refutes is not proved, whatever the other one may find out in the end.
        refuted = any(finding.verdict is Verdict.REFUTED for finding in findings)
        findings += (verdict_of_text(obligation.aim, text, solver, min(limit, _BRIEF) if refuted else limit),)
    result = Result(obligation.name, obligation.scope, obligation.aim, findings)
    if result.verdict is Verdict.HOLDS or obligation.aim is Aim.POSSIBLE:
        return result
    countermodel = countermodel_of(obligation, limit)
    detail = "" if countermodel is not None else "no case was found that shows it"
    return attrs.evolve(result, countermodel=countermodel, detail=detail)


def _written(path: Path, text: str) -> str:
    """Write a file, and return what stands in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path.read_text("utf-8")


def countermodel_of(obligation: Obligation, limit: float = DEFAULT_LIMIT) -> Replay | None:
    """Return a case, in the obligation's small universe, in which it does not hold; None where none is found."""
    if obligation.small is None:
        return obligation.search()
    question, assertions = question_of(obligation, obligation.small)
    if question.replay is None:
        return None
    told = (*assertions, *question.readable())
    model = model_of((*told, *question.tidy()), limit) or model_of(told, limit)
    return None if model is None else question.replay(model)


@functools.cache
def _by_name() -> dict[str, Obligation]:
    return {obligation.name: obligation for obligation in obligations()}


def _settle_named(name: str, limit: float, export: Path | None) -> Result:
    return settle(_by_name()[name], limit, export)


_PATIENCE: Final = 3
"""How many time limits may pass before what gives no sign is given up."""


def settle_all(
    chosen: Sequence[Obligation], jobs: int, limit: float = DEFAULT_LIMIT, export: Path | None = None
) -> Iterator[Result]:
    """Iterate over the results, in the order in which they come in.

    With one job everything happens in this process.  An obligation whose process died, or gave no sign for far
    longer than its limit, is unknown.
    """
    if jobs == 1:
        yield from (settle(obligation, limit, export) for obligation in chosen)
        return
    with processes(jobs) as pool:
        open_ones = {pool.submit(_settle_named, each.name, limit, export): each for each in chosen}
        while open_ones:
            done, _ = wait(open_ones, _PATIENCE * limit, FIRST_COMPLETED)
            for future in done:
                yield _outcome(future, open_ones.pop(future))
            if not done:
                yield from (_silent(each, "no answer, and no time-out either") for each in open_ones.values())
                open_ones.clear()
                _stop(pool)


def _outcome(future: Future[Result], obligation: Obligation) -> Result:
    try:
        return future.result()
    except BrokenProcessPool:
        return _silent(obligation, "the solver's process died")


def _silent(obligation: Obligation, detail: str) -> Result:
    return Result(obligation.name, obligation.scope, obligation.aim, (), detail)


def _stop(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for process in multiprocessing.active_children():
        process.terminate()


def in_order(results: Iterable[Result], chosen: Sequence[Obligation]) -> list[Result]:
    """Return results in the order of their obligations."""
    place = {obligation.name: number for number, obligation in enumerate(chosen)}
    return sorted(results, key=lambda result: place[result.name])
