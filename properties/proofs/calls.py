"""Obligations about the changing calls: what ``step`` does, path by path, is what the contract says.

The meaning of a call is taken from the code that runs (`_execution`), what it should be from the contract's
sentences (`sentences`).  For each call:

- *answer*: on every path it answers, or fails, as the first condition says that does not hold.
- *writes*: when all hold, each cell that the sentence names holds what it should, and nothing else.
- *rest*: and no other cell, and no other run, changes.
- *no-change*: in every other case nothing changes.
- *one-winner*: of two calls with one expectation the second cannot succeed, unless the first wrote what was
  expected.
- *twin*: the call with authority inputs does what the plain one does, but for the log.
- *happens*: each of its answers can come about.

Cells are values of uninterpreted sorts, and a run has any number of frames, loops, entries and outputs.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import attrs
import z3  # type: ignore[import-untyped]

from mobstore.model.values import MobRun
from mobstore.model.wrappers import Row
from mobstore.properties._symbols import (
    FALSE,
    TRUE,
    Expr,
    Structure,
    binding,
    conj,
    disj,
    for_all,
    implies,
    neg,
    same,
)
from mobstore.properties.proofs._execution import NUMBER, Call, Code, Outcome, Proxy, Shape
from mobstore.properties.proofs._replay import Made, module_of, readable, replay, tidy
from mobstore.properties.proofs.obligation import UNBOUNDED, Aim, Obligation, Question, bounded
from mobstore.properties.proofs.registry import Subject
from mobstore.properties.proofs.sentences import (
    CONDITIONS,
    SENTENCE_OF,
    TWIN,
    WRITES,
    Case,
    Sentence,
    small_iteration,
    stands,
)
from mobstore.properties.symbolic import Translation

SMALL: Final = bounded(
    "2 runs, 3 ids, 3 values of each kind, ledgers of 2 entries",
    length=2,
    str=3,
    RunId=2,
    FlowRunState=3,
    FrameSnapshot=3,
    LoopSnapshot=3,
    FailureLedgerEntry=2,
    SupervisorAuthorityRecord=3,
    Payload=2,
    Document=2,
    Timestamp=2,
    RunFlowUnion=2,
    OverlayKey=2,
    BootstrapToken=1,
    OverlayNormalizedUnion=1,
)
"""Where something that can happen, or a countermodel, is searched for."""

_ASSUMED: Final = ("collections", "values", "inputs-loop", "whole")

SUCCESS: Final = "success"


def about(call: str) -> frozenset[str]:
    """Return what obligations about a call depend on."""
    return frozenset({f"call:{call}"})


@functools.cache
def _code(source: str | None) -> Code:
    return Code(source)


@attrs.frozen(eq=False)
class Meaning:
    """A call as the code has it."""

    code: Code
    handler: Callable[..., Any]

    def outcomes(self, translation: Translation, call: Call) -> list[Outcome]:
        """Return what it does, path by path."""
        return self.code.outcomes(self.handler, translation, call)


def _row_of(subject: Subject, sentence: Sentence) -> Row | None:
    return next((row for row in subject.rows if row.operation is sentence.operation), None)


def meaning_of(subject: Subject, sentence: Sentence) -> Meaning:
    """Return what a subject makes of a call."""
    code = _code(subject.source)
    row = _row_of(subject, sentence)
    return Meaning(code, code.handler(sentence.operation) if row is None else code.row_handler(row))


def label(outcome: Outcome) -> str:
    """Return how an outcome is called in a sentence."""
    if outcome.error is not None:
        return outcome.error.__name__
    return "false" if outcome.answer is False else SUCCESS


def said(sentence: Sentence, case: Case) -> dict[str, Expr]:
    """Return when a sentence wants each answer."""
    stages = [(small_iteration(case), "Internal"), (case.known, sentence.unknown)]
    stages += [(CONDITIONS[condition](case), otherwise) for condition, otherwise in sentence.conditions]
    wanted: dict[str, list[Expr]] = {}
    passed: list[Expr] = []
    for holds, otherwise in stages:
        if not z3.is_true(holds):
            wanted.setdefault(otherwise, []).append(conj(*passed, neg(holds)))
            passed.append(holds)
    wanted[SUCCESS] = [conj(*passed)]
    return {name: disj(*cases) for name, cases in wanted.items()}


def _answers(sentence: Sentence, case: Case, outcome: Outcome) -> Expr:
    """That a call that succeeds answers what it should."""
    answer = outcome.answer
    if sentence.answers in ("true", "nothing"):
        return TRUE if answer is {"true": True, "nothing": None}[sentence.answers] else FALSE
    if sentence.answers == "next revision":
        number = answer.symbol if isinstance(answer, Proxy) else z3.IntVal(answer)
        specs, mob = outcome.after.fields["specs"], case.argument("mob_id")
        return conj(specs.has(mob), case.equal(number, specs.at(mob).fields["second"], NUMBER))
    state = outcome.after if sentence.answers == "profile written" else case.call.before
    return case.equal(answer.symbol, state.fields["profiles"].at(case.argument("name")), answer.sort)


# --- the obligations of one call --------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class _Family:
    """Makes the obligations of one call."""

    subject: Subject
    sentence: Sentence

    @functools.cached_property
    def meaning(self) -> Meaning:
        return meaning_of(self.subject, self.sentence)

    def obligation(self, part: str, sentence: str, build: Any, **more: Any) -> Obligation:
        name = f"call/{self.sentence.call}/{part}"
        return Obligation(
            name,
            sentence,
            more.pop("scope", UNBOUNDED),
            functools.partial(self._question, build),
            assumptions=_ASSUMED,
            about=about(self.sentence.call) | more.pop("about", frozenset()),
            small=SMALL,
            **more,
        )

    def _question(self, build: Any, translation: Translation) -> Question:
        call = Call.fresh(translation, self.sentence.operation)
        outcomes = self.meaning.outcomes(translation, call)
        case = Case(translation, call)
        built = build(case, outcomes)
        claim, *more = built if isinstance(built, tuple) else (built,)
        calls = [Made(call, outcomes, self._python(self.sentence)), *more]
        return Question(
            (*call.obeys(), stands(case, call.before)),
            claim,
            functools.partial(replay, translation, calls),
            functools.partial(readable, translation, calls),
            functools.partial(tidy, translation, calls),
        )

    def _python(self, sentence: Sentence) -> Callable[..., Any]:
        """Return the call as Python runs it."""
        module = module_of(self.subject.source)
        row = _row_of(self.subject, sentence)
        found: Callable[..., Any] = module.HANDLERS[sentence.operation] if row is None else module.row_handler(row)
        return found

    # The formulas.

    def answer(self, case: Case, outcomes: list[Outcome]) -> Expr:
        wanted = said(self.sentence, case)
        return conj(*(implies(each.condition, self._answer(case, each, wanted)) for each in outcomes))

    def _answer(self, case: Case, outcome: Outcome, wanted: dict[str, Expr]) -> Expr:
        holds = wanted.get(label(outcome), FALSE)
        return conj(holds, _answers(self.sentence, case, outcome)) if label(outcome) == SUCCESS else holds

    def writes(self, word: str, case: Case, outcomes: list[Outcome]) -> Expr:
        effect = WRITES[word].effect
        return conj(
            *(
                implies(each.condition, effect(case, case.part(each.after)))
                for each in outcomes
                if label(each) == SUCCESS
            )
        )

    def rest(self, case: Case, outcomes: list[Outcome]) -> Expr:
        written = {field for word in self.sentence.writes for field in WRITES[word].fields}
        succeeded = [each for each in outcomes if label(each) == SUCCESS]
        return conj(*(implies(each.condition, _rest_stays(case, each, written)) for each in succeeded))

    def no_change(self, case: Case, outcomes: list[Outcome]) -> Expr:
        kept = [each for each in outcomes if label(each) != SUCCESS]
        sort = Shape(case.call.store)
        return conj(*(implies(each.condition, case.equal(each.after, case.call.before, sort)) for each in kept))

    def keeps(self, case: Case, outcomes: list[Outcome]) -> Expr:
        return conj(*(implies(each.condition, stands(case, each.after)) for each in outcomes))

    def happens(self, wanted: str, _case: Case, outcomes: list[Outcome]) -> Expr:
        return disj(*(each.condition for each in outcomes if label(each) == wanted))

    def one_winner(self, case: Case, outcomes: list[Outcome]) -> tuple[Expr, Made]:
        """The second call has the expectation and the ids of the first, and new values of its own."""
        second = self._second(case)
        parts, paths = [], []
        for first in outcomes:
            if label(first) != SUCCESS:
                continue
            call = attrs.evolve(second, before=first.after)
            found = self.meaning.outcomes(case.translation, call)
            wins = [each.condition for each in found if label(each) == SUCCESS]
            parts.append(implies(conj(first.condition, disj(*wins)), self._restored(case, first)))
            paths += [attrs.evolve(each, condition=conj(first.condition, each.condition)) for each in found]
        return conj(*parts), Made(second, paths, self._python(self.sentence), after=True)

    def _second(self, case: Case) -> Call:
        other = Call.fresh(case.translation, self.sentence.operation, "second")
        shared = {name: case.argument(name) for name in case.call.arguments.fields if _is_expectation(name)}
        return attrs.evolve(other, arguments=Structure({**other.arguments.fields, **shared}))

    def _restored(self, case: Case, first: Outcome) -> Expr:
        """That each comparison of cells that the call writes holds again afterwards."""
        words = set(self.sentence.writes)
        after = attrs.evolve(case, call=attrs.evolve(case.call, before=first.after))
        return conj(*(CONDITIONS[word](after) for word, _ in self.sentence.conditions if word in words | _STAYS))

    def twin(self, case: Case, outcomes: list[Outcome]) -> tuple[Expr, Made]:
        """The plain call of the same arguments does the same."""
        plain = SENTENCE_OF[self.sentence.call.removesuffix(TWIN)]
        arguments = {name: case.argument(name) for name in Shape(plain.operation).fields}
        call = attrs.evolve(case.call, operation=plain.operation, arguments=Structure(arguments))
        others = meaning_of(self.subject, plain).outcomes(case.translation, call)
        fit = CONDITIONS[self.sentence.conditions[-1][0]](case)
        parts = []
        for own in outcomes:
            for other in others:
                agree = TRUE if label(own) == label(other) else FALSE
                alike = conj(agree, self._alike(case, own, other))
                parts.append(implies(conj(fit, own.condition, other.condition), alike))
        return conj(*parts), Made(call, others, self._python(plain))

    def _alike(self, case: Case, own: Outcome, other: Outcome) -> Expr:
        """That two outcomes leave the same, but for the log of the run, which only the twin writes."""
        if label(own) != SUCCESS:
            return TRUE
        log = WRITES[self.sentence.writes[-1]]
        there = case.part(other.after)
        appended = log.effect(
            attrs.evolve(case, call=attrs.evolve(case.call, before=other.after)), case.part(own.after)
        )
        fields = Shape(MobRun).fields
        mine = case.part(own.after).fields
        same_cells = [
            case.equal(mine[name], there.fields[name], fields[name]) for name in fields if name not in log.fields
        ]
        return conj(appended, *same_cells, _other_runs(case, own.after, other.after))

    def all(self) -> Iterator[Obligation]:
        call, said_of = self.sentence.call, self.sentence
        yield self.obligation(
            "answer",
            f"{call} answers what the contract says, and succeeds exactly when it holds that: {said_of.compares}.",
            self.answer,
        )
        for word in said_of.writes:
            yield self.obligation(
                f"writes/{slug(word)}",
                f"A {call} that succeeds leaves there what it should ({word}).",
                functools.partial(self.writes, word),
            )
        yield self.obligation(
            "rest",
            f"A {call} that succeeds changes nothing but this: {' and '.join(said_of.writes)}.",
            self.rest,
        )
        yield self.obligation(
            "no-change", f"A {call} that fails, or answers false, changes nothing.", self.no_change
        )
        if said_of.operation.store == "spec":
            yield self.obligation(
                "keeps/revisions",
                f"{call} leaves no spec with a revision below 1, where there was none.",
                self.keeps,
            )
        if any(word in _DECIDES for word, _ in said_of.conditions):
            yield self.obligation(
                "one-winner",
                f"Of two {call} with one expectation the second cannot succeed, unless the first wrote what was "
                "expected.",
                self.one_winner,
            )
        if said_of.is_twin:
            plain = call.removesuffix(TWIN)
            yield self.obligation(
                "twin",
                f"{call} does what {plain} does, but that it also appends its authority inputs to the log.",
                self.twin,
                about=about(plain),
            )
        for wanted in self._labels():
            yield self.obligation(
                f"happens/{slug(wanted)}",
                f"A {call} can come to this: {wanted}.",
                functools.partial(self.happens, wanted),
                scope=SMALL,
                aim=Aim.POSSIBLE,
            )

    def _labels(self) -> list[str]:
        found = [otherwise for _, otherwise in self.sentence.conditions] + [SUCCESS]
        return list(dict.fromkeys([self.sentence.unknown, *found] if self.sentence.unknown else found))


_DECIDES: Final = {
    "status",
    "flow state",
    "frame",
    "loop",
    "no loop",
    "no frame",
    "no entry of the same key",
    "run absent",
    "authority",
    "no authority",
    "no overlay",
    "no profile",
}
"""The conditions of which two calls can have the same expectation."""
_STAYS: Final = {
    "no loop",
    "no frame",
    "no entry of the same key",
    "run absent",
    "no authority",
    "no overlay",
    "no profile",
}
"""Those that no write of the call itself can make true again."""


def _is_expectation(name: str) -> bool:
    """Whether an argument says what a call expects, or of what (an id, or the key of an entry)."""
    return name.startswith("expected") or name.endswith("_id") or name in ("entry", "name", "run", "record")


def slug(words: str) -> str:
    """Return words as a part of an obligation's name."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def _rest_stays(case: Case, outcome: Outcome, written: Iterable[str]) -> Expr:
    sort = Shape(case.call.store if case.before is case.call.before else MobRun)
    before, after = case.before, case.part(outcome.after)
    kept = [
        case.equal(after.fields[name], before.fields[name], of)
        for name, of in sort.fields.items()
        if name not in written
    ]
    return conj(*kept, _other_runs(case, outcome.after, case.call.before))


def _other_runs(case: Case, after: Structure, before: Structure) -> Expr:
    """That the run is still there, and every other run, and what is listed, is as it was."""
    if "run_id" not in case.call.arguments.fields:
        return TRUE
    own, runs, now = case.argument("run_id"), before.fields["runs"], after.fields["runs"]
    with binding(own.sort()) as (other,):
        item = case.equal(now.at(other), runs.at(other), Shape(MobRun))
        stays = conj(same(now.has(other), runs.has(other)), implies(runs.has(other), item))
        elsewhere = for_all([other], disj(same(other, own), stays))
    sort = Shape(case.call.store).fields["of_mob"]
    return conj(now.has(own), elsewhere, case.equal(after.fields["of_mob"], before.fields["of_mob"], sort))


def obligations(subject: Subject) -> Iterator[Obligation]:
    """Iterate over the obligations about every changing call."""
    for call in SENTENCE_OF:
        yield from of_call(subject, call)


def of_call(subject: Subject, call: str) -> Iterator[Obligation]:
    """Iterate over the obligations about one changing call."""
    return _Family(subject, SENTENCE_OF[call]).all()
