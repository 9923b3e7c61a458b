"""Forward simulation: every move of a protocol is a step of the atomic store, or none, for any number of clients.

Two kinds of obligations, as formulas that must be unsatisfiable.  *Induction*: the invariants hold at first, and
a move from where they all hold leads to where each of them does.  *Simulation*: from where they hold, the view of
the state after a move is what its image makes of the view before it, and the image's own guard holds there.
Clients, calls and values are uninterpreted sorts, so nothing bounds their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model.machines import Transition
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import Record
from mobstore.properties._symbols import Expr, Structure, Symbol
from mobstore.properties.protocols.protocol import ATOMIC, STEPS, Atomic, Image, Move, Protocol
from mobstore.properties.symbolic import Step, Translation, conj, implies, neg

BEGINNING: Final = "the beginning"
MADE: Final = "the move is made"


@attrs.frozen(eq=False)
class Obligation:
    """A formula that must have no model, and what it says.

    Attributes:
        name: a stable name: the protocol, the kind, the invariant or image, the move.
        sentence: what is proved.
        move: the move it is about; None at the start.
        invariant: the invariant that it is about; None of a simulation.
        assumed: what is given: that the move is made (or the beginning), and each invariant, by name.
        claim: what follows.
        axioms: what the symbols mean.
    """

    name: str
    sentence: str
    move: str | None
    invariant: str | None
    assumed: Mapping[str, Expr]
    claim: Expr
    axioms: tuple[Expr, ...]

    @property
    def refuting(self) -> tuple[Expr, ...]:
        """The conjuncts of the formula."""
        return (*self.assumed.values(), neg(self.claim), *self.axioms)

    @property
    def premises(self) -> tuple[Expr, ...]:
        """The conjuncts that must have a model, or nothing is proved."""
        return (*self.assumed.values(), *self.axioms)


def obligations(protocol: Protocol) -> Iterator[Obligation]:
    """Return everything that must be proved of a protocol."""
    yield from _initial(protocol)
    for move, transition in zip(protocol.moves, protocol.machine.transitions, strict=True):
        yield from _of_move(protocol, move, transition)


class _Moment:
    """A translation with a state of a protocol, about which nothing is known but that it is well formed."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.translation = Translation()
        sort = Record(protocol.state)
        self.state: Structure = self.translation.fresh(STATE, sort)
        self.given = self.translation.well_formed(self.state, sort)

    def of(self, term: t.Term, state: Structure) -> Symbol:
        return self.translation.translate(term, {STATE: state})

    def invariants(self, state: Structure) -> Mapping[str, Expr]:
        return {name: self.of(term, state) for name, _, term in self.protocol.invariants}

    def view(self, state: Structure) -> Structure:
        return Structure({name: self.of(term, state) for name, term in self.protocol.view.items()})

    def taken(self, transition: Transition) -> tuple[Expr, Step, Structure]:
        sort = Record(transition.input)
        given: Structure = self.translation.fresh(INPUT, sort)
        step = self.translation.step(self.protocol.machine, transition, self.state, given)
        enabled = conj(self.given, self.translation.well_formed(given, sort), step.enabled)
        return enabled, step, given

    def obligation(
        self, sentence: str, move: str | None, invariant: str | None, assumed: Mapping[str, Expr], claim: Expr
    ) -> Obligation:
        kind = "initial" if move is None else "simulation" if invariant is None else "inductive"
        name = "/".join(part for part in ("protocol", self.protocol.name, kind, invariant, move) if part)
        return Obligation(name, sentence, move, invariant, assumed, claim, tuple(self.translation.axioms))


def _initial(protocol: Protocol) -> Iterator[Obligation]:
    moment = _Moment(protocol)
    assumed = {BEGINNING: conj(moment.given, moment.of(protocol.initial, moment.state))}
    for name, sentence, term in protocol.invariants:
        claim = moment.of(term, moment.state)
        yield moment.obligation(f"At first: {sentence}", None, name, assumed, claim)


def _of_move(protocol: Protocol, move: Move, transition: Transition) -> Iterator[Obligation]:
    moment = _Moment(protocol)
    enabled, step, given = moment.taken(transition)
    assumed = {MADE: enabled, **moment.invariants(moment.state)}
    for name, sentence, term in protocol.invariants:
        claim = moment.of(term, step.next_state)
        yield moment.obligation(f"{move.name} keeps: {sentence}", move.name, name, assumed, claim)
    before, after = moment.view(moment.state), moment.view(step.next_state)
    claim, names = moment.translation.equal(before, after, Record(Atomic)), {STATE: moment.state, INPUT: given}
    for image in reversed(move.images):
        when = moment.translation.translate(image.when, names)
        claim = conj(implies(when, _matches(moment, image, names, before, after)), implies(neg(when), claim))
    shown = " or ".join(image.step.__name__ for image in move.images) or "no step"
    yield moment.obligation(f"{move.name} is {shown} of the atomic store.", move.name, None, assumed, claim)


def _matches(
    moment: _Moment, image: Image, names: Mapping[str, Symbol], before: Structure, after: Structure
) -> Expr:
    """Return that the image may happen before, and leads to what is after."""
    fields = Record(image.step).fields
    arguments: Mapping[str, Any] = {
        name: moment.translation.translate(term, names) for name, term in zip(fields, image.arguments, strict=True)
    }
    step = moment.translation.step(ATOMIC, STEPS[image.step], before, Structure(arguments))
    return conj(step.enabled, moment.translation.equal(step.next_state, after, Record(Atomic)))
