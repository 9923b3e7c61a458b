"""Forward simulation: every move of a protocol is a step of the atomic store, or none, for any number of clients.

For each protocol:

- *initial*: each invariant holds at first.
- *inductive*: a move from where all of them hold leads to where each of them does.
- *simulation*: from where they hold, the view of the state after a move is what its image makes of the view before
  it, and the image's own guard holds there.
- *happens*: each move can be made where they hold, so that nothing of this is empty.

Clients, calls and values are uninterpreted sorts, so nothing bounds their number; only what can happen is shown
by an example.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from mobstore.model.machines import Transition, Transitioned
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import function_of
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import Record
from mobstore.properties._symbols import TRUE, Expr, Structure, Symbol
from mobstore.properties.proofs.obligation import UNBOUNDED, Aim, Obligation, Question, Replay, bounded
from mobstore.properties.proofs.registry import Subject
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OPTIMISTIC
from mobstore.properties.protocols.protocol import ATOMIC, STEPS, Atomic, Image, Move, Protocol
from mobstore.properties.protocols.sqlite import SQLITE
from mobstore.properties.symbolic import Step, Translation, conj, implies, neg

PROTOCOLS: Final[Mapping[str, Protocol]] = {each.name: each for each in (MEMORY, SQLITE, OPTIMISTIC)}
"""The protocols by name."""
SMALL: Final = bounded("two clients, two calls, four values", Client=3, Call=3, Value=4)
"""Where examples are; of each kind, one is the empty name that stands for none."""
ASSUMED: Final[Mapping[str, tuple[str, ...]]] = {
    "memory": ("translation", "collections", "finite", "lock", "binding"),
    "sqlite": ("translation", "collections", "finite", "sqlite", "binding"),
    "optimistic": ("translation", "collections", "finite", "statement"),
}
"""What is taken for granted of each protocol."""

BEGINNING: Final = "the beginning"
MADE: Final = "the move is made"
SIMULATION: Final = "simulation"


def obligations(_subject: Subject) -> Iterator[Obligation]:
    """Iterate over the obligations about every protocol; what calls mean is a parameter of theirs."""
    for protocol in PROTOCOLS.values():
        yield from of_protocol(protocol)


def of_protocol(protocol: Protocol) -> Iterator[Obligation]:
    """Iterate over everything that must be proved of a protocol."""
    for name, sentence, _ in protocol.invariants:
        yield _obligation(protocol, f"initial/{name}", f"At first: {sentence}", None, name)
    for move in protocol.moves:
        yield from of_move(protocol, move)
        yield _obligation(protocol, f"happens/{move.name}", f"{move.name} can be made.", move, None)


def of_move(protocol: Protocol, move: Move) -> Iterator[Obligation]:
    """Iterate over everything that must follow from a move."""
    for name, sentence, _ in protocol.invariants:
        yield _obligation(protocol, f"inductive/{name}/{move.name}", f"{move.name} keeps: {sentence}", move, name)
    shown = " or ".join(image.step.__name__ for image in move.images) or "no step"
    sentence = f"{move.name} is {shown} of the atomic store."
    yield _obligation(protocol, f"simulation/{move.name}", sentence, move, SIMULATION)


def _obligation(protocol: Protocol, name: str, sentence: str, move: Move | None, claim: str | None) -> Obligation:
    happens = claim is None
    return Obligation(
        name=f"protocol/{protocol.name}/{name}",
        sentence=sentence,
        scope=SMALL if happens else UNBOUNDED,
        build=functools.partial(_question, protocol, None if move is None else move.name, claim),
        assumptions=ASSUMED.get(protocol.name, ()),
        about=frozenset({f"protocol:{protocol.name}"}),
        aim=Aim.POSSIBLE if happens else Aim.VALID,
        small=None if happens else SMALL,
    )


def _question(protocol: Protocol, move: str | None, claim: str | None, translation: Translation) -> Question:
    case = Case.of(protocol, move, translation)
    if claim is None:
        return Question(tuple(case.given.values()), TRUE)
    return Question(tuple(case.given.values()), case.claims[claim](), functools.partial(case.replay, claim))


@attrs.frozen(eq=False)
class Case:
    """A move in any state, or the beginning, as formulas.

    Attributes:
        protocol: the protocol.
        move: the move; None at the beginning.
        translation: what the formulas are made in.
        state: the state.
        input: the input of the move.
        given: that the move is made (or the beginning), and that each invariant holds, by its name.
        claims: what makes the formulas of what must follow, by the invariant's name or `SIMULATION`.
    """

    protocol: Protocol
    move: Move | None
    translation: Translation
    state: Structure
    input: Structure | None
    given: Mapping[str, Expr]
    claims: Mapping[str, Callable[[], Expr]]

    @classmethod
    def of(cls, protocol: Protocol, move: str | None, translation: Translation) -> Case:
        """Return the case of a move, or of the beginning."""
        moment = _Moment(protocol, translation)
        return _beginning(moment) if move is None else _making(moment, move)

    def counterexamples(self, without: str | None = None) -> tuple[Expr, ...]:
        """Return what has a model when something does not follow; without an invariant, it is given nor claimed."""
        given = [holds for name, holds in self.given.items() if name != without]
        claims = [make() for name, make in self.claims.items() if name != without]
        return (*given, neg(conj(*claims)), *self.translation.axioms)

    def replay(self, claim: str, model: Any) -> Replay:
        """Return what a model stands for, and whether Python says, too, that the claim does not hold there."""
        state = self.translation.read(self.state, Record(self.protocol.state), model)
        if self.move is None:
            return Replay(
                _shown(state), "none, at the beginning", _shown(state), _breaks(self.protocol, state, claim)
            )
        transition = _transition(self.protocol, self.move.name)
        input = self.translation.read(self.input, Record(transition.input), model)
        result = self.protocol.machine.step(state, input)
        if not isinstance(result, Transitioned):
            return Replay(_shown(state), _input(input), "refused", confirmed=False)
        after = result.next_state
        held = not any(_breaks(self.protocol, state, name) for name, _, _ in self.protocol.invariants)
        confirmed = held and (
            not _simulates(self.protocol, self.move, state, input, after)
            if claim == SIMULATION
            else _breaks(self.protocol, after, claim)
        )
        return Replay(_shown(state), _input(input), _shown(after), confirmed)


class _Moment:
    """A state of a protocol, about which nothing is known but that it is well formed."""

    def __init__(self, protocol: Protocol, translation: Translation) -> None:
        self.protocol = protocol
        self.translation = translation
        sort = Record(protocol.state)
        self.state: Structure = translation.fresh(STATE, sort)
        self.given = translation.well_formed(self.state, sort)

    def of(self, term: t.Term, state: Structure) -> Symbol:
        return self.translation.translate(term, {STATE: state})

    def view(self, state: Structure) -> Structure:
        return Structure({name: self.of(term, state) for name, term in self.protocol.view.items()})

    def invariants(self, state: Structure) -> Mapping[str, Callable[[], Expr]]:
        made = ((name, functools.partial(self.of, term, state)) for name, _, term in self.protocol.invariants)
        return {name: functools.cache(make) for name, make in made}


def _beginning(moment: _Moment) -> Case:
    given = {BEGINNING: conj(moment.given, moment.of(moment.protocol.initial, moment.state))}
    claims = moment.invariants(moment.state)
    return Case(moment.protocol, None, moment.translation, moment.state, None, given, claims)


def _making(moment: _Moment, name: str) -> Case:
    translation, protocol, move = moment.translation, moment.protocol, moment.protocol.move(name)
    transition = _transition(protocol, name)
    sort = Record(transition.input)
    input: Structure = translation.fresh(INPUT, sort)
    step = translation.step(protocol.machine, transition, moment.state, input)
    made = conj(moment.given, translation.well_formed(input, sort), step.enabled)
    held = {invariant: make() for invariant, make in moment.invariants(moment.state).items()}
    claims = dict(moment.invariants(step.next_state))
    claims[SIMULATION] = functools.cache(functools.partial(_simulation, moment, move, input, step))
    return Case(protocol, move, translation, moment.state, input, {MADE: made, **held}, claims)


def _transition(protocol: Protocol, name: str) -> Transition:
    return next(each for each in protocol.machine.transitions if each.id == name)


def _simulation(moment: _Moment, move: Move, input: Structure, step: Step) -> Expr:
    """Return that the first image whose condition holds leads from view to view; if none does, nothing changes."""
    before, after = moment.view(moment.state), moment.view(step.next_state)
    names = {STATE: moment.state, INPUT: input}
    claim = moment.translation.equal(before, after, Record(Atomic))
    for image in reversed(move.images):
        when = moment.translation.translate(image.when, names)
        claim = conj(implies(when, _matches(moment, image, names, before, after)), implies(neg(when), claim))
    return claim


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


# --- the same in Python ---------------------------------------------------------------------------------------


def _evaluated(term: t.Term, **values: Any) -> Any:
    variables = tuple(t.Var(name, Record(type(value))) for name, value in values.items())
    return function_of(variables, term)(*values.values())


def _breaks(protocol: Protocol, state: Any, invariant: str) -> bool:
    """Whether an invariant does not hold in a state."""
    term = next(term for name, _, term in protocol.invariants if name == invariant)
    return not _evaluated(term, **{STATE: state})


def _seen(protocol: Protocol, state: Any) -> Atomic:
    return Atomic(**{name: _evaluated(term, **{STATE: state}) for name, term in protocol.view.items()})


def _simulates(protocol: Protocol, move: Move, state: Any, input: Any, after: Any) -> bool:
    """Whether a step of a protocol is its image, in Python."""
    before, then = _seen(protocol, state), _seen(protocol, after)
    names = {STATE: state, INPUT: input}
    for image in move.images:
        if _evaluated(image.when, **names):
            result = ATOMIC.step(before, image.step(*(_evaluated(term, **names) for term in image.arguments)))
            return isinstance(result, Transitioned) and result.next_state == then
    return before == then


def _shown(value: Any) -> str:
    """Return a value in words: without what is empty, and without the solver's numbers in its names."""
    if attrs.has(type(value)):
        parts = [(name, _shown(part)) for name, part in attrs.asdict(value, recurse=False).items()]
        shown = ", ".join(f"{name} = {part}" for name, part in parts if part not in ("none", "{}", "False"))
        return f"({shown})" if shown else "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(_shown, value))) + "}"
    return "none" if value in (None, "") else _NUMBERED.sub(r"\1 \2", str(value))


def _input(value: Any) -> str:
    return f"{type(value).__name__} {_shown(value)}".removesuffix(" none")


_NUMBERED: Final = re.compile(r"(Client|Call|Value)\d+\.(\d+)")
"""What a solver calls the values of a small universe."""
