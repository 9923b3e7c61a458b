"""Mutants: the tables, changed in one place; each change must refute an obligation.

- Of a *row*: those of `mobstore.properties.mutants`, which the zoo serves as backends, too.
- Of a *transition*: a guard's conjunct or an update is dropped, a phase is added to those it starts from, a
  comparison takes in its limit (or leaves it out), a choice is always or never made.

A mutant is killed by a case in a small universe in which everything holds that is proved of the state before, and
something that is proved of the call or the transition does not; the case is made in Python.  One that nothing kills
must stand in `EQUIVALENT` with the reason, and one that stands there must not be killed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import attrs

from mobstore.model.machines import Guard, Machine, Transition
from mobstore.model.machines import terms as t
from mobstore.properties.mutants import MUTANTS
from mobstore.properties.proofs import calls, machines
from mobstore.properties.proofs.obligation import Aim, Obligation, Replay
from mobstore.properties.proofs.registry import SUBJECT, Subject
from mobstore.properties.proofs.settlement import countermodel_of


@attrs.frozen(eq=False)
class Trial:
    """One change, and what must be refuted by it.

    Attributes:
        name: stable; where it is, and what was changed.
        obligations: what must be refuted by it, what most likely is first.
    """

    name: str
    obligations: Callable[[], Iterator[Obligation]]


@attrs.frozen
class Death:
    """What became of a mutant: the obligation that was refuted, and how; or nothing."""

    mutant: str
    killed_by: str = ""
    countermodel: Replay | None = None


def kill(mutant: Trial) -> Death:
    """Return the first obligation that a mutant refutes by a case that Python confirms; else by any."""
    doubtful = Death(mutant.name)
    for obligation in mutant.obligations():
        found = countermodel_of(obligation)
        if found is not None and found.confirmed:
            return Death(mutant.name, obligation.name, found)
        if found is not None and not doubtful.killed_by:
            doubtful = Death(mutant.name, obligation.name, found)
    return doubtful


# --- rows -------------------------------------------------------------------------------------------------------


def _of_rows() -> Iterator[Trial]:
    for mutant in MUTANTS:
        rows = tuple(mutant.row if each is mutant.original else each for each in SUBJECT.rows)
        subject, name = Subject(rows=rows), mutant.original.name
        what = f"{mutant.about} {mutant.kind}"
        yield Trial(f"row/{name}/{what}", functools.partial(_of_calls, subject, (name,)))


def _of_calls(subject: Subject, names: Sequence[str]) -> Iterator[Obligation]:
    for name in names:
        for obligation in calls.of_call(subject, name):
            if obligation.aim is Aim.VALID:
                yield obligation


# --- transitions ------------------------------------------------------------------------------------------------


def _conjuncts(term: t.Term) -> tuple[t.Term, ...]:
    return tuple(part for each in term.parts for part in _conjuncts(each)) if isinstance(term, t.And) else (term,)


def _of_conditions(guards: tuple[Guard, ...]) -> Iterator[tuple[str, tuple[Guard, ...]]]:
    """Iterate over some guards with one conjunct dropped, or one comparison or choice another."""
    for place, guard in enumerate(guards):
        parts = _conjuncts(guard.condition)
        for number, part in enumerate(parts):
            left = tuple(each for each in parts if each is not part)
            changed = (attrs.evolve(guard, condition=t.And(left)),) if left else ()
            named = f"{guard.name} ({number + 1})" if len(parts) > 1 else guard.name
            yield f"guard dropped: {named}", (*guards[:place], *changed, *guards[place + 1 :])
        for number, (what, term) in enumerate(_turned(guard.condition)):
            turned = attrs.evolve(guard, condition=term)
            yield f"guard {what} {number + 1}: {guard.name}", _with(guards, place, turned)


def _of_guards(transition: Transition) -> Iterator[tuple[str, Transition]]:
    for what, guards in _of_conditions(transition.guards):
        yield what, attrs.evolve(transition, guards=guards)


def _of_updates(transition: Transition) -> Iterator[tuple[str, Transition]]:
    for field in transition.updates:
        kept = {name: term for name, term in transition.updates.items() if name != field}
        yield f"update dropped: {field}", attrs.evolve(transition, updates=kept)


def _of_sources(transition: Transition) -> Iterator[tuple[str, Transition]]:
    if transition.sources is None:
        return
    phases = type(next(iter(transition.sources)))
    for phase in phases:
        if phase not in transition.sources:
            yield f"from {phase.value}, too", attrs.evolve(transition, sources=transition.sources | {phase})


def _turned(term: t.Term) -> Iterator[tuple[str, t.Term]]:
    """Iterate over what a term becomes when one comparison or one choice in it is another."""
    if isinstance(term, t.Less):
        yield "limit", t.Not(t.Less(term.right, term.left))
    if isinstance(term, t.If):
        yield "always chosen", term.then
        yield "never chosen", term.otherwise
    node: Any = term
    for field in attrs.fields(type(node)):
        part = getattr(node, field.name)
        if isinstance(part, t.Term) and not isinstance(part, t.Var):
            for what, changed in _turned(part):
                yield what, attrs.evolve(node, **{field.name: changed})
        elif isinstance(part, tuple):
            for place, item in enumerate(part):
                for what, changed in _turned(item) if isinstance(item, t.Term) else ():
                    yield what, attrs.evolve(node, **{field.name: _with(part, place, changed)})


def _of_terms(transition: Transition) -> Iterator[tuple[str, Transition]]:
    for place, definition in enumerate(transition.definitions):
        for number, (what, term) in enumerate(_turned(definition.term)):
            changed = _with(transition.definitions, place, attrs.evolve(definition, term=term))
            yield f"{definition.var.name} {what} {number + 1}", attrs.evolve(transition, definitions=changed)
    for field, update in transition.updates.items():
        for number, (what, term) in enumerate(_turned(update)):
            updates = {**transition.updates, field: term}
            yield f"{field} {what} {number + 1}", attrs.evolve(transition, updates=updates)


def _with(items: tuple[Any, ...], place: int, item: Any) -> tuple[Any, ...]:
    return (*items[:place], item, *items[place + 1 :])


def changes_of(transition: Transition) -> Iterator[tuple[str, Transition]]:
    """Iterate over the changes of a transition, each with what was changed."""
    yield from _of_guards(transition)
    yield from _of_updates(transition)
    yield from _of_sources(transition)
    yield from _of_terms(transition)


_NEEDS_THREE: Final = frozenset({"settled never chosen 2", "status never chosen 6"})
"""What shows only in a frame of three nodes: one that ends, and one that depends on any of two."""


def _transition_mutants() -> Iterator[Trial]:
    for machine in SUBJECT.machines:
        for transition in machine.transitions:
            for what, changed in changes_of(transition):
                # What it decides between is only itself: a machine of one transition.
                broken = attrs.evolve(machine, transitions=(changed,))
                build = functools.partial(_whole, broken, changed, wide=what in _NEEDS_THREE)
                yield Trial(f"{machine.name}/{transition.id}/{what}", build)


def _whole(machine: Machine[Any], transition: Transition, *, wide: bool) -> Iterator[Obligation]:
    yield machines.whole(machine, transition)
    if wide:
        yield machines.whole(machine, transition, machines.WIDE)


def trials() -> Iterator[Trial]:
    """Iterate over every mutant; its obligations are made when it is asked for them."""
    yield from _of_rows()
    yield from _transition_mutants()
