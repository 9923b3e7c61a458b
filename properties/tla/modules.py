"""A machine with a small scope, as a TLA+ module and its configuration."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs

from mobstore.model.machines import Input, Machine, Transition
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.machine import STATE
from mobstore.model.machines.sorts import Record
from mobstore.properties.exploration import Check, Exploration, explore, steps_of
from mobstore.properties.tla.expressions import PRELUDE, Writer, function_of_pairs, ids_in, literal

BEFORE: Final = "before"
AFTER: Final = "after"
EVERYWHERE: Final = t.And(())
"""No bound but that of the inputs."""


@attrs.frozen
class Law:
    """What must hold of every state (a term over ``s``), or of every step (over ``before`` and ``after``)."""

    name: str
    sentence: str
    term: t.Term
    is_step: bool = False

    @property
    def operator(self) -> str:
        """Its name in TLA+."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of its term."""
        return (BEFORE, AFTER) if self.is_step else (STATE,)


@attrs.frozen(eq=False)
class Scope:
    """A machine, where it starts, the inputs that it gets, and the laws that it must keep.

    Attributes:
        name: the name of the module.
        sentence: what is explored, with its bounds.
        machine: the machine.
        start: the state at first.
        inputs: the inputs, all of them.
        laws: what must hold.
        within: a term over ``s``; a step that leads out of it is not taken.
    """

    name: str
    sentence: str
    machine: Machine[Any]
    start: Any
    inputs: tuple[Input, ...]
    laws: tuple[Law, ...]
    within: t.Term = EVERYWHERE

    @property
    def sort(self) -> Record:
        """The sort of the states."""
        return Record(self.machine.state)

    def explore(self) -> Exploration[Any]:
        """Visit every state with our own explorer."""
        inside = self._function(self.within, STATE)
        checks = [Check[Any](law.name, self._function(law.term, *law.variables), law.is_step) for law in self.laws]
        return explore([self.start], steps_of(self.machine, self.inputs, inside), checks)

    def _function(self, term: t.Term, *names: str) -> Callable[..., bool]:
        return function_of(tuple(t.Var(name, self.sort) for name in names), term)

    @functools.cached_property
    def module(self) -> str:
        """The text of the module."""
        return "\n".join(_module(self)) + "\n"

    @functools.cached_property
    def configuration(self) -> str:
        """The text of TLC's configuration."""
        lines = ["SPECIFICATION Spec"]
        lines += [f"PROPERTY {law.operator}" if law.is_step else f"INVARIANT {law.operator}" for law in self.laws]
        return "\n".join(lines) + "\n"


def _module(scope: Scope) -> Iterator[str]:
    yield f"---- MODULE {scope.name} ----"
    yield "\\* Made from the machine's own data by `mobstore.properties.generate`: do not edit."
    yield f"\\* {scope.sentence}"
    yield "EXTENDS Integers, Sequences, FiniteSets, TLC"
    yield "VARIABLE State"
    yield PRELUDE
    yield from _ranks(scope)
    writer = Writer()
    steps: list[_Step] = []
    for transition in scope.machine.transitions:
        inputs = [input for input in scope.inputs if type(input) is transition.input]
        if inputs:
            steps.append(_Step(scope, transition, tuple(inputs), tuple(each.transition for each in steps)))
            yield from steps[-1].lines(writer)
    bounded = scope.within != EVERYWHERE
    if bounded:
        yield f"Within(s) == {writer.write(scope.within)}"
        yield ""
    yield f"Init == State = {literal(scope.sort, scope.start)}"
    yield ""
    yield "\\* Guards as values: of an action, TLC would look at both sides of every disjunction."
    yield "Next =="
    for step in steps:
        yield from step.disjunct(bounded=bounded)
    yield ""
    yield "Spec == Init /\\ [][Next]_State"
    yield ""
    for law in scope.laws:
        yield from _law(law, writer)
    yield "===="


def _ranks(scope: Scope) -> Iterator[str]:
    """Write the order of ids and times, which TLC's strings have not."""
    ids = set(ids_in(scope.sort, scope.start))
    for input in scope.inputs:
        ids.update(ids_in(Record(type(input)), input))
    yield f"Rank == {function_of_pairs((name, str(place)) for place, name in enumerate(sorted(ids)))}"
    yield ""


@attrs.frozen
class _Step:
    """A transition with the inputs that it gets in a scope, and the transitions that come before it."""

    scope: Scope
    transition: Transition
    inputs: tuple[Input, ...]
    before: tuple[Transition, ...]

    @property
    def name(self) -> str:
        return self.transition.id

    @property
    def rivals(self) -> list[str]:
        """The earlier transitions of the same input that may be taken in its place."""
        return [each.id for each in self.before if each.input is self.transition.input and self._overlaps(each)]

    def _overlaps(self, other: Transition) -> bool:
        here, there = self.transition.sources, other.sources
        return here is None or there is None or bool(here & there)

    def lines(self, writer: Writer) -> Iterator[str]:
        sort = Record(self.transition.input)
        listed = ",\n  ".join(dict.fromkeys(literal(sort, input) for input in self.inputs))
        yield f"{self.name}Inputs == {{\n  {listed}}}" if sort.fields else f"{self.name}Inputs == {{<<>>}}"
        names = {item.var.name: f"Def{item.var.name.capitalize()}" for item in self.transition.definitions}
        named = attrs.evolve(writer, names=names)
        yield f"{self.name}Enabled(s, i) =="
        yield from self._definitions(named)
        yield from self._guards(named)
        yield f"{self.name}Next(s, i) =="
        yield from self._definitions(named)
        updates = [f"!.{field} = {named.write(term)}" for field, term in self.transition.updates.items()]
        yield "  [s EXCEPT\n    " + ",\n    ".join(updates) + "]" if updates else "  s"
        yield ""

    def _definitions(self, named: Writer) -> Iterator[str]:
        """Write what the transition names; TLC looks at it only where it is needed, as the machines do."""
        for item in self.transition.definitions:
            yield f"  LET {named.names[item.var.name]} == {named.write(item.term)} IN"

    def _guards(self, named: Writer) -> Iterator[str]:
        if self.transition.sources is not None:
            phase = t.fields_of(STATE, self.scope.machine.state).phase
            yield f"  /\\ {named.write(phase.one_of(*sorted(self.transition.sources)))}"
        for guard in self.transition.guards:
            yield f"  /\\ {named.write(guard.condition)} \\* {guard.name}"
        if self.transition.sources is None and not self.transition.guards:
            yield "  TRUE"

    def disjunct(self, *, bounded: bool) -> Iterator[str]:
        yield f"  \\/ \\E i \\in {self.name}Inputs :"
        yield f"       /\\ {self.name}Enabled(State, i) = TRUE"
        yield from (f"       /\\ {rival}Enabled(State, i) = FALSE" for rival in self.rivals)
        yield from (f"       /\\ Within({self.name}Next(State, i)) = TRUE" for _ in range(bounded))
        yield f"       /\\ State' = {self.name}Next(State, i)"


def _law(law: Law, writer: Writer) -> Iterator[str]:
    yield f"\\* {law.sentence}"
    if law.is_step:
        yield f"{law.operator}Holds(before, after) == {writer.write(law.term)}"
        yield f"{law.operator} == [][{law.operator}Holds(State, State')]_State"
    else:
        yield f"{law.operator} == LET s == State IN {writer.write(law.term)}"
    yield ""
