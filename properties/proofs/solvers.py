"""Solvers: an SMT-LIB 2 text in, a verdict out.  Each question is settled by Z3 and, independently, by cvc5."""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import cvc5  # type: ignore[import-untyped]
import z3  # type: ignore[import-untyped]

from mobstore.properties._symbols import Expr
from mobstore.properties.proofs.obligation import Aim, Obligation, Question, Scope

DEFAULT_LIMIT: Final = 120.0
"""Seconds that a solver has for one question: it needs two at most, but a busy machine gives it few of them."""


class Answer(enum.StrEnum):
    """What a solver answers."""

    UNSAT = "unsat"
    SAT = "sat"
    UNKNOWN = "unknown"


class Verdict(enum.StrEnum):
    """What a solver's answer means for an obligation."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


_WANTED: Final = {Aim.VALID: Answer.UNSAT, Aim.POSSIBLE: Answer.SAT}


def verdict_of(aim: Aim, answer: Answer) -> Verdict:
    """Return what an answer means for an obligation of this aim."""
    if answer is Answer.UNKNOWN:
        return Verdict.UNKNOWN
    return Verdict.HOLDS if answer is _WANTED[aim] else Verdict.REFUTED


@attrs.frozen
class Finding:
    """What one solver found, and how many seconds of a processor it took."""

    solver: str
    verdict: Verdict
    seconds: float


def smtlib(obligation: Obligation, assertions: Sequence[Expr]) -> str:
    """Return the question as SMT-LIB 2 that stands alone: who wrote it, what it means, what answer is expected."""
    solver = z3.Solver()
    solver.add(*assertions)
    body = str(solver.to_smt2()).partition("\n(set-info :status")[2].partition("\n")[2]
    lines = [
        f"; {obligation.name}",
        f"; {obligation.sentence}",
        f"; {obligation.aim.value}; scope: {obligation.scope.text}",
        "(set-logic ALL)",
        f"(set-info :status {_WANTED[obligation.aim].value})",
    ]
    return "\n".join(lines) + "\n" + body


def ask_z3(text: str, limit: float = DEFAULT_LIMIT) -> Answer:
    """Return what Z3 answers about SMT-LIB text."""
    solver = z3.Solver()
    solver.set("timeout", int(limit * 1000))
    solver.from_string(text)
    return Answer(str(solver.check()))


def ask_cvc5(text: str, limit: float = DEFAULT_LIMIT) -> Answer:
    """Return what cvc5 answers about SMT-LIB text."""
    manager = cvc5.TermManager()
    solver = cvc5.Solver(manager)
    solver.setOption("tlimit-per", str(int(limit * 1000)))
    # Without it, cvc5 gives up as soon as no pattern of a quantifier matches any more.
    solver.setOption("enum-inst", "true")
    solver.setOption("fresh-binders", "true")
    symbols = cvc5.SymbolManager(manager)
    parser = cvc5.InputParser(solver, symbols)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "obligation")
    said = ""
    while not (command := parser.nextCommand()).isNull():
        said += command.invoke(solver, symbols)
    # Where the answer is not the one that the text expects, cvc5 says so in these words.
    found = re.fullmatch(r"(?:\(error \"Expected result \w+ but got )?(sat|unsat)(?:\"\))?", said.strip())
    return Answer.UNKNOWN if found is None else Answer(found[1])


SOLVERS: Final[dict[str, Callable[[str, float], Answer]]] = {"z3": ask_z3, "cvc5": ask_cvc5}
"""The solvers by name."""


def model_of(assertions: Sequence[Expr], limit: float = DEFAULT_LIMIT) -> Any:
    """Return a model of Z3's, or None where it finds none."""
    solver = z3.Solver()
    solver.set("timeout", int(limit * 1000))
    solver.add(*assertions)
    return solver.model() if solver.check() == z3.sat else None


def question_of(obligation: Obligation, scope: Scope) -> tuple[Question, tuple[Expr, ...]]:
    """Return the question of an obligation in a scope, and all that a solver is told."""
    translation = scope.translation()
    question = obligation.build(translation)
    # The question is built before the axioms are read: building invents what they are about.
    return question, (*translation.axioms, *question.assertions(obligation.aim))


def verdict_of_text(aim: Aim, text: str, solver: str, limit: float = DEFAULT_LIMIT) -> Finding:
    """Return what a solver finds about an obligation of this aim whose question is ``text``."""
    begun = time.process_time()
    answer = SOLVERS[solver](text, limit)
    return Finding(solver, verdict_of(aim, answer), time.process_time() - begun)
