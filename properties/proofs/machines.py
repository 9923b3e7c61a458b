"""Obligations about the machines: every invariant is inductive for every transition.

- *inductive*: an invariant of one state that holds before a transition holds after it; one of two states holds of
  the states before and after.
- *required*: a transition does what the contract asks of it (`requirements`), whatever state it starts from.
- *first*: an invariant of one state holds in the first state of its machine.
- *taken*: every transition can be taken in a state in which all invariants hold.
- *applies*: every antecedent can be true in such a state, or of the transition of its witness.
- *own*: no invariant follows from the others: only it fails of some state, or of some two.

What is given before a transition is the invariant itself and those that `RESTS_ON` names, no more: a solver that is
told what it does not need does not find what it does.  All that is given is itself proved here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs

from mobstore.model import Serialization
from mobstore.model.machines import Machine, Transition, Transitioned
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import Opaque, Optional, Record, Sort
from mobstore.model.values import PROTOCOL_VERSION
from mobstore.properties._symbols import Expr, Structure, Symbol, conj, neg
from mobstore.properties.invariants import INVARIANTS, Invariant, first_state
from mobstore.properties.proofs.goals import Goal, neighbourhood
from mobstore.properties.proofs.obligation import UNBOUNDED, Aim, Obligation, Question, Replay, Scope, bounded
from mobstore.properties.proofs.registry import Subject
from mobstore.properties.proofs.requirements import AFTER, requirements_of
from mobstore.properties.source import as_python
from mobstore.properties.symbolic import Step, Translation

SMALL: Final = bounded("3 ids, 2 keys, sequences of 2", length=2, str=3, SecretKey=2)
"""Where an example, or a countermodel, is searched for; and what counts sets is proved."""

WIDE: Final = bounded("3 ids, 2 keys, sequences of 3", length=3, str=3, SecretKey=2)
"""Where a change is tried that shows in no smaller one."""

_BLANK: Final = {name: (f"absent-{name}-is-blank",) for name in ("run", "frame", "loop")}
RESTS_ON: Final[dict[str, tuple[str, ...]]] = {
    "pending-run-has-not-begun": _BLANK["run"],
    "only-tracked-steps": _BLANK["run"],
    "node-count-within-maximum": _BLANK["run"],
    "frame-count-within-maximum": _BLANK["run"],
    "failures-are-counted": _BLANK["run"],
    "every-failure-is-counted": ("only-tracked-steps", *_BLANK["run"]),
    "outputs-are-not-forgotten": _BLANK["run"],
    "ready-queue-grows-at-its-end": ("ready-queue-and-membership",),
    **{f"ready-means-ready/{start}": _BLANK["frame"] for start in ("StartRootFrame", "StartBodyFrame")},
    # These find out anew what is ready, whatever was said to be before.
    **{f"ready-means-ready/{end}": () for end in ("CompleteNode", "FailNode", "SkipNode", "CancelNode")},
    "winners-are-the-branches-of-completed-nodes": _BLANK["frame"],
    "nothing-blocked-waits": ("only-ordered-nodes",),
    # An admission changes one node, and needs no more; told of all, a solver may take a minute.
    "nothing-blocked-waits/AdmitNextReadyNode": ("nothing-blocked-waits",),
    "won-branch-is-closed": _BLANK["frame"],
    "admission-takes-the-head": ("ready-queue-is-what-is-ready", "ready-means-ready"),
    "node-outputs-are-not-forgotten": _BLANK["frame"],
    "body-frame-while-active": _BLANK["loop"],
    "iterations-within-maximum": ("iterations-left-for-a-body", *_BLANK["loop"]),
    "iterations-left-for-a-body": _BLANK["loop"],
    "last-completed-is-the-one-before": _BLANK["loop"],
    "body-frame-is-not-replaced": ("body-frame-while-active",),
    "what-is-registered-waits": ("ready-queue-and-membership", "pending-loops-and-membership"),
}
"""The invariants of one state that an invariant, or a requirement, needs besides itself; of one transition, all."""

_ASSUMED: Final = ("translation", "values", "finite")


def about(machine: Machine[Any], transition: Transition) -> frozenset[str]:
    """Return what an obligation about a transition depends on."""
    return frozenset({f"transition:{machine.name}.{transition.id}"})


def of_machine(machine: Machine[Any], *, steps: bool) -> list[Invariant]:
    """Return the invariants of one state of a machine, or those of two; of a broken one, those of what it was."""
    return [
        each
        for each in INVARIANTS
        if each.scope.machine is not None
        and each.scope.machine.name == machine.name
        and each.scope.is_step == steps
    ]


def given_for(machine: Machine[Any], transition: Transition, invariant: Invariant) -> list[Invariant]:
    """Return the invariants of one state that are given where one is proved of a transition."""
    usual = (invariant.name, *RESTS_ON.get(invariant.name, ()))
    wanted = RESTS_ON.get(f"{invariant.name}/{transition.id}", usual)
    return [each for each in of_machine(machine, steps=False) if each.name in wanted]


@attrs.frozen(eq=False)
class _Moment:
    """A transition in symbols, in a state of which some invariants are known."""

    translation: Translation
    machine: Machine[Any]
    state: Structure
    input: Structure
    step: Step

    @classmethod
    def of(cls, translation: Translation, machine: Machine[Any], transition: Transition) -> _Moment:
        state = translation.fresh("s", Record(machine.state))
        input = translation.fresh("i", Record(transition.input))
        return cls(translation, machine, state, input, translation.step(machine, transition, state, input))

    @property
    def records(self) -> list[tuple[Structure, Record]]:
        """The state before and the input, with their sorts."""
        return [(self.state, Record(self.machine.state)), (self.input, Record(self.step.transition.input))]

    def given(self, invariants: Iterable[Invariant]) -> tuple[Expr, ...]:
        """Return that the values are well formed, the transition is taken, and invariants hold before."""
        formed = [self.translation.well_formed(symbol, sort) for symbol, sort in self.records]
        standing = [self.translation.translate(each.term, {"s": self.state}) for each in invariants]
        return (*formed, self.step.enabled, *standing)

    def names(self, invariant: Invariant) -> dict[str, Structure]:
        """Return what the variables of an invariant stand for, after the transition."""
        after = self.step.next_state
        return {"before": self.state, "after": after} if invariant.scope.is_step else {"s": after}


def _is_bounded(translation: Translation) -> bool:
    return translation.elements(Opaque("str")) is not None


def inductive(
    machine: Machine[Any], transition: Transition, invariant: Invariant, translation: Translation
) -> Question:
    """Return the question whether a transition keeps an invariant.

    In a small universe everything is given that is known: a countermodel is a state in which all invariants hold.
    """
    small = _is_bounded(translation)
    given = of_machine(machine, steps=False) if small else given_for(machine, transition, invariant)
    with translation.guarding():
        moment = _Moment.of(translation, machine, transition)
        known = moment.given(given)
    goal = Goal(translation, moment.names(invariant))
    claim = goal.of(invariant.term)
    near = () if small else neighbourhood(translation, goal.named, moment.records)
    readable = functools.partial(_readable, moment.records)
    return Question((*known, *near), claim, functools.partial(_replay, moment, invariant), readable)


def _readable(parts: Iterable[tuple[Symbol, Sort]]) -> Iterator[Expr]:
    """Iterate over what records check besides the size of numbers: there is one protocol version."""
    for symbol, sort in parts:
        if isinstance(sort, Optional):
            yield from _readable([(symbol.item, sort.item)])
        elif isinstance(sort, Record):
            yield from _readable((symbol.fields[name], of) for name, of in sort.fields.items())
            if "protocol_version" in sort.fields:
                yield symbol.fields["protocol_version"] == PROTOCOL_VERSION


def _replay(moment: _Moment, broken: Invariant | t.Term, model: Any) -> Replay:
    """Return a countermodel in values, after taking the transition in Python."""
    (state, kind), (input, input_kind) = moment.records
    before = moment.translation.read(state, kind, model)
    given = moment.translation.read(input, input_kind, model)
    stands = all(each.holds(before) for each in of_machine(moment.machine, steps=False))
    try:
        result = moment.machine.step(before, given)
        if isinstance(result, Transitioned):
            _check(result.next_state)
    except (AttributeError, IndexError, KeyError, Serialization) as error:
        # A guard, or a choice, kept a partial term from being looked at.
        return Replay(as_python(before), as_python(given), f"it fails with {type(error).__name__}", stands)
    if not isinstance(result, Transitioned):
        return Replay(as_python(before), as_python(given), repr(result), confirmed=False)
    after = result.next_state
    taken = result.transition_id == moment.step.transition.id
    fails = not _holds(moment, broken, before, given, after)
    return Replay(as_python(before), as_python(given), _changes(before, after), stands and fails and taken)


def _check(state: Any) -> None:
    """Raise `Serialization` where a state is no value of its record."""
    type(state)(**{name: getattr(state, name) for name in Record(type(state)).fields})


def _holds(moment: _Moment, stated: Invariant | t.Term, before: Any, input: Any, after: Any) -> bool:
    if isinstance(stated, Invariant):
        return stated.holds(*((before, after) if stated.scope.is_step else (after,)))
    (_, kind), (_, input_kind) = moment.records
    parameters = (t.Var(STATE, kind), t.Var(INPUT, input_kind), t.Var(AFTER, kind))
    return bool(function_of(parameters, stated)(before, input, after))


def _changes(before: Any, after: Any) -> str:
    """Return the fields that a transition changed, as people read them."""
    names = Record(type(before)).fields
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return "; ".join(f"{name} becomes {as_python(getattr(after, name))}" for name in changed) or "nothing changes"


def _first(machine: Machine[Any], invariant: Invariant, translation: Translation) -> Question:
    state = translation.value(first_state(machine), Record(machine.state))
    return Question((), Goal(translation, {"s": state}).of(invariant.term))


def _taken(machine: Machine[Any], transition: Transition, translation: Translation) -> Question:
    moment = _Moment.of(translation, machine, transition)
    *known, enabled = (*moment.given(of_machine(machine, steps=False)), moment.step.enabled)
    return Question(tuple(known), enabled)


def _applies(machine: Machine[Any], invariant: Invariant, translation: Translation) -> Question:
    standing = of_machine(machine, steps=False)
    if not invariant.scope.is_step:
        state = translation.fresh("s", Record(machine.state))
        known = [translation.translate(each.term, {"s": state}) for each in standing]
        formed = translation.well_formed(state, Record(machine.state))
        return Question((formed, *known), translation.translate(invariant.antecedent, {"s": state}))
    assert isinstance(invariant.witness, tuple), "an invariant of a machine has inputs as its witness"
    (transition,) = machine.transitions_of(type(invariant.witness[-1]))
    moment = _Moment.of(translation, machine, transition)
    claim = translation.translate(invariant.antecedent, moment.names(invariant))
    return Question(moment.given(standing), claim)


def _own(machine: Machine[Any], invariant: Invariant, translation: Translation) -> Question:
    """Return the question for two states (of which the first may be any) of which only this invariant fails."""
    sort = Record(machine.state)
    before, after = translation.fresh("before", sort), translation.fresh("after", sort)
    names = {"before": before, "after": after}
    steps = invariant.scope.is_step
    others = [each for each in of_machine(machine, steps=False) if each is not invariant]
    known = [translation.translate(each.term, {"s": after}) for each in others]
    known += [translation.translate(each.term, {"s": before}) for each in (others if steps else [])]
    if steps:
        pairs = [each for each in of_machine(machine, steps=True) if each is not invariant]
        known += [translation.translate(each.term, names) for each in pairs]
    formed = [translation.well_formed(each, sort) for each in (before, after)]
    fails = neg(translation.translate(invariant.term, names if steps else {"s": after}))
    return Question((*formed, *known), fails)


def required(
    machine: Machine[Any], transition: Transition, name: str, term: t.Term, translation: Translation
) -> Question:
    """Return the question whether a transition does what is asked of it; in a small universe, as in `inductive`."""
    small = _is_bounded(translation)
    with translation.guarding():
        moment = _Moment.of(translation, machine, transition)
        states, wanted = of_machine(machine, steps=False), RESTS_ON.get(name, ())
        known = moment.given(states if small else [each for each in states if each.name in wanted])
    names = {STATE: moment.state, INPUT: moment.input, AFTER: moment.step.next_state}
    goal = Goal(translation, names)
    claim = goal.of(term)
    near = () if small else neighbourhood(translation, goal.named, moment.records)
    readable = functools.partial(_readable, moment.records)
    return Question((*known, *near), claim, functools.partial(_replay, moment, term), readable)


def whole(machine: Machine[Any], transition: Transition, scope: Scope = SMALL) -> Obligation:
    """Return all obligations about a transition as one, in a small universe."""
    asked: list[Invariant | t.Term] = [term for _, term in requirements_of(machine, transition)]
    asked += [*of_machine(machine, steps=False), *of_machine(machine, steps=True)]

    def build(translation: Translation) -> Question:
        moment = _Moment.of(translation, machine, transition)
        after = {STATE: moment.state, INPUT: moment.input, AFTER: moment.step.next_state}
        claims = [
            translation.translate(each.term, moment.names(each))
            if isinstance(each, Invariant)
            else translation.translate(each, after)
            for each in asked
        ]
        readable = functools.partial(_readable, moment.records)
        known = moment.given(of_machine(machine, steps=False))
        return Question(known, conj(*claims), functools.partial(_replay_first, moment, asked), readable)

    name = f"whole/{machine.name}/{transition.id}"
    return Obligation(name, f"{transition.id} does all that is asked of it.", scope, build, small=scope)


def _replay_first(moment: _Moment, asked: list[Invariant | t.Term], model: Any) -> Replay:
    """Return the countermodel of the first statement that fails in Python, or of the last."""
    replays = (_replay(moment, each, model) for each in asked)
    return next((each for each in replays if each.confirmed), _replay(moment, asked[-1], model))


def of_transition(machine: Machine[Any], transition: Transition) -> Iterator[Obligation]:
    """Iterate over the obligations that a transition does what is asked of it, and keeps every invariant."""
    for requirement, term in requirements_of(machine, transition):
        yield Obligation(
            f"required/{machine.name}.{requirement.name}/{transition.id}",
            f"{requirement.sentence} {transition.id} does as it says.",
            UNBOUNDED,
            functools.partial(required, machine, transition, requirement.name, term),
            assumptions=_ASSUMED,
            about=about(machine, transition),
            small=SMALL,
        )
    for invariant in [*of_machine(machine, steps=False), *of_machine(machine, steps=True)]:
        yield Obligation(
            f"inductive/{machine.name}.{invariant.name}/{transition.id}",
            f"{invariant.sentence} {transition.id} keeps that so.",
            UNBOUNDED,
            functools.partial(inductive, machine, transition, invariant),
            assumptions=_ASSUMED,
            about=about(machine, transition),
            small=SMALL,
        )


def _possible(name: str, sentence: str, build: Any) -> Obligation:
    return Obligation(name, sentence, SMALL, build, assumptions=_ASSUMED, aim=Aim.POSSIBLE)


def _of_machine(machine: Machine[Any]) -> Iterator[Obligation]:
    states, steps = of_machine(machine, steps=False), of_machine(machine, steps=True)
    for invariant in states:
        yield Obligation(
            f"first/{machine.name}/{invariant.name}",
            f"{invariant.sentence} It is so at first.",
            UNBOUNDED,
            functools.partial(_first, machine, invariant),
            assumptions=_ASSUMED,
        )
    for transition in machine.transitions:
        yield from of_transition(machine, transition)
        if _NEVER not in [guard.condition for guard in transition.guards]:
            sentence = f"{transition.id} can be taken in a state in which every invariant holds."
            build = functools.partial(_taken, machine, transition)
            yield _possible(f"taken/{machine.name}/{transition.id}", sentence, build)
    for invariant in [*states, *steps]:
        place, said = f"{machine.name}/{invariant.name}", invariant.sentence
        build = functools.partial(_applies, machine, invariant)
        yield _possible(f"applies/{place}", f"There is something of which this is said: {said}", build)
        build = functools.partial(_own, machine, invariant)
        yield _possible(f"own/{place}", f"This does not follow from the other invariants: {said}", build)


_NEVER: Final = t.Or(())
"""The guard of a transition that exists only to be refused."""


def obligations(subject: Subject) -> Iterator[Obligation]:
    """Iterate over the obligations about every machine."""
    for machine in subject.machines:
        yield from _of_machine(machine)
