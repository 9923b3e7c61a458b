"""Machines: transitions as data, and one step of them."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

import attrs

from mobstore.model._errors import Serialization
from mobstore.model._records import evolve, fields_to_json, from_json, to_json
from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import Writer
from mobstore.model.machines.sorts import Record, sort_of

S = TypeVar("S")


class Tagged:
    """The JSON form of inputs and effects: ``{NAME: {FIELD: VALUE, ...}}``."""

    @property
    def name(self) -> str:
        """The name of the input or effect."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """Return the externally tagged form."""
        return {self.name: fields_to_json(self)}

    @classmethod
    def matches_json(cls, value: Any) -> bool:
        """Whether the JSON value is of this name."""
        return isinstance(value, Mapping) and set(value) == {cls.__name__}

    @classmethod
    def read_json(cls, value: Mapping[str, Any]) -> Self:
        """Read JSON that matches."""
        return from_json(cls, value[cls.__name__])


class Input(Tagged):
    """What a machine is given; a subclass's fields are the parameters of its transitions."""


class Effect(Tagged):
    """What a transition tells the one who took it to do."""


@attrs.frozen
class Guard:
    """One conjunct of what must hold before a transition; several may go by one id."""

    id: str
    name: str
    condition: t.Term


@attrs.frozen
class Definition:
    """A term that a transition's guards, updates and effects (and later definitions) call by a name."""

    var: t.Var
    term: t.Term


@attrs.frozen
class Emit:
    """An effect of a transition, with its arguments in order, and when it comes about."""

    kind: type[Effect]
    arguments: tuple[t.Term, ...]
    when: t.Term | None = None


@attrs.frozen
class Transition:
    """One transition.

    Its terms may use the variables ``s`` (the state), ``i`` (the input), and the definitions before them.
    ``sources`` are the phases it may start from; None where the state has no phase.  ``updates`` are the fields
    that it writes; all others stay.  The guards are looked at in order, and the first that fails is named.
    """

    id: str
    input: type[Input]
    sources: frozenset[Any] | None
    definitions: tuple[Definition, ...]
    guards: tuple[Guard, ...]
    updates: Mapping[str, t.Term]
    effects: tuple[Emit, ...]


@attrs.frozen
class Transitioned(Generic[S]):
    """A transition was taken."""

    transition_id: str
    next_state: S
    effects: tuple[Effect, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object of the three fields."""
        return {
            "transition_id": self.transition_id,
            "next_state": to_json(self.next_state),
            "effects": [effect.to_json() for effect in self.effects],
        }


@attrs.frozen
class Rejection:
    """The guard that kept a transition from being taken."""

    transition_id: str
    guard_id: str


@attrs.frozen
class GuardRejected:
    """The phase was right, but a guard did not hold; the state stays."""

    rejections: tuple[Rejection, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the externally tagged form."""
        return {"Refusal": {"GuardRejected": {"rejections": [fields_to_json(item) for item in self.rejections]}}}


@attrs.frozen
class NoMatchingTransition:
    """No transition takes this input in this phase; the state stays."""

    phase: str
    input: str

    def to_json(self) -> dict[str, Any]:
        """Return the externally tagged form."""
        return {"Refusal": {"NoMatchingTransition": {"phase": self.phase, "trigger": {"Input": self.input}}}}


Refusal: TypeAlias = GuardRejected | NoMatchingTransition
Attempt: TypeAlias = Callable[[Any, Any], Any]
"""A transition, compiled: of a state and an input, it makes `Transitioned`, or the `Rejection` of a guard."""

STATE: Final = "s"
INPUT: Final = "i"


@attrs.frozen(eq=False)
class Machine(Generic[S]):
    """A machine: its states, its inputs, and what it does with them, as data that `step` carries out."""

    name: str
    state: type[S]
    inputs: tuple[type[Input], ...]
    transitions: tuple[Transition, ...]

    def __attrs_post_init__(self) -> None:
        for transition in self.transitions:
            _check(transition, self)

    @functools.cached_property
    def _tries(self) -> dict[tuple[type, Any], list[Attempt]]:
        """The compiled transitions, by input and phase."""
        tries: dict[tuple[type, Any], list[Attempt]] = {}
        for transition in self.transitions:
            attempt = _compiled(transition)
            for phase in transition.sources or (None,):
                tries.setdefault((transition.input, phase), []).append(attempt)
        return tries

    def attempts(self, input: type[Input], phase: Any) -> Sequence[Attempt]:
        """Return what is tried of an input in a phase, in this order; a machine without phases has None for one.

        `step` tells why it refuses; who asks for many inputs, and only for what they lead to, need not be told.
        """
        return self._tries.get((input, phase), ())

    def step(self, state: S, input: Input) -> Transitioned[S] | Refusal:
        """Return what the machine does with an input in a state; a refusal changes nothing.

        Of several transitions for one input and phase, the first is taken whose guards hold.
        """
        phase = getattr(state, "phase", None)
        rejections = []
        for attempt in self.attempts(type(input), phase):
            result = attempt(state, input)
            if type(result) is Transitioned:
                return result
            rejections.append(result)
        if rejections:
            return GuardRejected(tuple(rejections))
        return NoMatchingTransition(str(phase), input.name)

    def read_input(self, value: Any) -> Input:
        """Read an input of its JSON form.

        Raises:
            Serialization: the machine has no such input, or a parameter is missing, unknown or wrong.
        """
        for kind in self.inputs:
            if kind.matches_json(value):
                return kind.read_json(value)
        raise Serialization(f": the {self.name} machine has no such input")

    def transitions_of(self, input: type[Input]) -> Iterator[Transition]:
        """Iterate over the transitions that take an input."""
        return (transition for transition in self.transitions if transition.input is input)


def _compiled(transition: Transition) -> Attempt:
    """Return the function that answers `Transitioned`, or the `Rejection` of the first guard that fails."""
    writer = Writer()
    waiting = list(transition.definitions)
    lines: list[str] = []
    for guard in transition.guards:
        lines += _defined(writer, waiting, [guard.condition])
        rejection = writer.constant(Rejection(transition.id, guard.id))
        lines.append(f"if not {writer.write(guard.condition)}: return {rejection}")
    lines += _defined(writer, waiting, None)
    changes = ", ".join(f"{field!r}: {writer.write(term)}" for field, term in transition.updates.items())
    effects = ", ".join(_effect(writer, emit) for emit in transition.effects)
    made, evolved = writer.constant(Transitioned), writer.constant(evolve)
    lines.append(
        f"return {made}({transition.id!r}, {evolved}({STATE}, {{{changes}}}), ({effects}{effects and ','}))"
    )
    return writer.define("transition", (STATE, INPUT), lines)


def _defined(writer: Writer, waiting: list[Definition], needed_by: Iterable[t.Term] | None) -> Iterator[str]:
    """Write the definitions that terms need (or all that wait) where they are first needed, and no earlier."""
    if needed_by is None:
        last = len(waiting)
    else:
        names = set().union(*map(t.names_in, needed_by))
        last = max((place + 1 for place, item in enumerate(waiting) if item.var.name in names), default=0)
    for item in waiting[:last]:
        yield f"{item.var.name} = {writer.write(item.term)}"
    del waiting[:last]


def _effect(writer: Writer, emit: Emit) -> str:
    made = f"{writer.constant(emit.kind)}({', '.join(writer.writes(emit.arguments))})"
    return made if emit.when is None else f"*(({made},) if {writer.write(emit.when)} else ())"


def _check(transition: Transition, machine: Machine[Any]) -> None:
    """Raise `TypeError` when a transition writes, or an effect is given, what is of another sort."""
    fields = Record(machine.state).fields
    wanted = [(term, fields[name]) for name, term in transition.updates.items()]
    for emit in transition.effects:
        wanted += zip(emit.arguments, Record(emit.kind).fields.values(), strict=True)
        wanted += [] if emit.when is None else [(emit.when, sort_of(bool))]
    wanted += [(guard.condition, sort_of(bool)) for guard in transition.guards]
    wanted += [(item.term, item.var.sort) for item in transition.definitions]
    for term, sort in wanted:
        if term.sort != sort:
            msg = f"{transition.id}: a term of {term.sort} where one of {sort} is wanted"
            raise TypeError(msg)
    _check_names(transition)


def _check_names(transition: Transition) -> None:
    """Raise `TypeError` when two definitions share a name, or one hides the state or the input."""
    names = [STATE, INPUT, *(item.var.name for item in transition.definitions)]
    if len(set(names)) < len(names):
        msg = f"{transition.id}: a name is defined twice"
        raise TypeError(msg)


def state_fields(kind: type) -> t.Fields:
    """Return the fields of a machine's state as terms."""
    return t.fields_of(STATE, kind)


def transition(
    input: type[Input],
    sources: Iterable[Any] | None,
    *parts: Guard | Emit | Definition,
    updates: Mapping[str, t.Like] | None = None,
    state: type,
    id: str | None = None,
) -> Transition:
    """Return a transition of its parts, the guards and effects in order; its id is the input's name."""
    fields = Record(state).fields
    return Transition(
        id=id or input.__name__,
        input=input,
        sources=None if sources is None else frozenset(sources),
        definitions=tuple(part for part in parts if isinstance(part, Definition)),
        guards=tuple(part for part in parts if isinstance(part, Guard)),
        updates={name: t.as_sort(value, fields[name]) for name, value in (updates or {}).items()},
        effects=tuple(part for part in parts if isinstance(part, Emit)),
    )


def emit(kind: type[Effect], *arguments: t.Like, when: t.Term | None = None) -> Emit:
    """Return an effect of its arguments, in the order of its fields."""
    sorts = Record(kind).fields.values()
    terms = tuple(t.as_sort(value, sort) for value, sort in zip(arguments, sorts, strict=True))
    return Emit(kind, terms, when)


def define(name: str, term: t.Term) -> Definition:
    """Return the definition of a term; its ``var`` stands for it."""
    return Definition(t.Var(name, term.sort), term)
