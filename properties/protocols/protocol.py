"""The language of commit protocols, and the atomic store that each of them must come to.  The rules:

1. A protocol is a machine (`mobstore.model.machines`): its state is the storage and what each client is about;
   its transitions are the *moves*, one step of one client each (or of the storage itself).  Clients are ids, of
   which there may be any number; what one is about stands in maps from clients, in which a client that never
   called is missing.
2. What calls mean is a parameter, the tables of `Calls`: in which values of the storage a call's comparisons
   hold, what its writes make of a value, what may stand there midway, and whether its arguments are refused.  So
   whatever is shown of a protocol is shown of every row of the wrapper table, and of every other changing call.
3. A move says what it comes to in the atomic store (its *image*): a step of it, or nothing.  `ATOMIC` is that
   store: a call is pending, is performed in one step, and answers.  The move whose image is ``Perform`` is the
   linearization point.
4. A client that dies, or is told that the outcome is unknown, never moves again; its call stays pending, and may
   happen later, once, or never (contract, section 10).  A thread that goes on after that is a new client.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import FrozenMap
from mobstore.model.machines import Guard, Input, Machine, Transition
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import Record


class Client(str):
    """The id of a client: whatever makes one call at a time."""

    __slots__ = ()


class Call(str):
    """The id of a call with its arguments; `Calls` says what it means."""

    __slots__ = ()


class Value(str):
    """What the storage holds: of a run, all its cells together."""

    __slots__ = ()


NOBODY: Final = Client("")
NO_CALL: Final = Call("")
NOTHING: Final = Value("")
"""What a client holds that has not read yet."""


class Verdict(enum.StrEnum):
    """What a call answers."""

    DONE = "done"
    MISMATCH = "mismatch"
    REFUSED = "refused"
    FAILED = "failed"


class Place(enum.StrEnum):
    """Where a client is in its call."""

    IDLE = "idle"
    CALLED = "called"
    HOLDING = "holding the lock"
    READ = "has read"
    WRITING = "writing"
    WRITTEN = "has written"
    APPENDED = "commit appended"
    SYNCED = "commit on the disk"
    UNDOING = "answer known"
    BETWEEN = "between two transactions"
    COMMITTED = "has committed"
    ANSWERED = "answered"
    TELLING = "telling who waits"
    LOOKING = "in a snapshot"
    LOOKED = "has looked"
    CUT = "cut off, pending"
    GONE = "cut off, performed"


class Status(enum.StrEnum):
    """Where a client is in the atomic store."""

    IDLE = "idle"
    PENDING = "pending"
    ANSWERED = "answered"


class Statement(enum.StrEnum):
    """What can be seen of a move from outside: a statement sent, or something done with a lock."""

    BEGIN_IMMEDIATE = "BEGIN IMMEDIATE"
    BEGIN = "BEGIN"
    SELECT = "SELECT"
    CHANGE = "INSERT, UPDATE or DELETE"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    ACQUIRE = "acquire the lock"
    READ = "read the state"
    SWAP = "swap the state"
    RELEASE = "release the lock"


@attrs.frozen(slots=False, cache_hash=True)
class Calls:
    """What calls mean: the comparisons, what may stand there midway, the writes, and who is refused.

    A call that stands in no table matches nowhere.  ``applied`` is what the writes make of a value whether or not
    the comparisons hold in it: a right protocol never asks about the others.
    """

    holds: FrozenMap[Call, frozenset[Value]]
    midway: FrozenMap[Call, frozenset[Value]]
    applied: FrozenMap[Call, FrozenMap[Value, Value]]
    refused: frozenset[Call]


def does_hold(calls: t.Term, call: t.Term, value: t.Term) -> t.Term:
    """Return that a call's comparisons hold in a value."""
    return t.member(value, t.at(calls.get("holds"), call, frozenset()))


def is_refused(calls: t.Term, call: t.Term) -> t.Term:
    """Return that the arguments of a call are refused, once its comparisons held."""
    return t.member(call, calls.get("refused"))


def goes_through(calls: t.Term, call: t.Term, value: t.Term) -> t.Term:
    """Return that a call changes the storage."""
    return does_hold(calls, call, value) & ~is_refused(calls, call)


def applied_to(calls: t.Term, call: t.Term, value: t.Term) -> t.Term:
    """Return what the writes of a call make of a value."""
    return t.at(t.at(calls.get("applied"), call, FrozenMap()), value, value)


def verdict_on(calls: t.Term, call: t.Term, value: t.Term) -> t.Term:
    """Return what a call answers where the storage holds a value."""
    return t.if_(
        does_hold(calls, call, value),
        t.if_(is_refused(calls, call), Verdict.REFUSED, Verdict.DONE),
        Verdict.MISMATCH,
    )


# --- the atomic store -----------------------------------------------------------------------------------------


@attrs.frozen(slots=False)
class OfClient(Input):
    """A step of a client."""

    client: Client


@attrs.frozen(slots=False)
class Called(OfClient):
    """A client makes a call."""

    call: Call


@attrs.frozen(slots=False)
class Atomic:
    """The atomic store: its value, and which call of each client is pending, or what it answers."""

    calls: Calls
    value: Value
    status: FrozenMap[Client, Status] = FrozenMap()
    call: FrozenMap[Client, Call] = FrozenMap()
    answer: FrozenMap[Client, Verdict] = FrozenMap()


class Invoke(Called):
    """The call is pending."""


class Perform(OfClient):
    """The pending call happens, all at once."""


class Fail(OfClient):
    """The pending call ends with an error, and changes nothing."""


class Respond(OfClient):
    """The call answers."""


_a: Final = t.fields_of(STATE, Atomic)
_client: Final = t.fields_of(INPUT, OfClient).client


def _step(input: type[Input], source: Status, **updates: t.Like) -> Transition:
    guard = Guard("Status", f"the client is {source}", t.at(_a.status, _client, Status.IDLE).eq(source))
    fields = Record(Atomic).fields
    terms = {name: t.as_sort(value, fields[name]) for name, value in updates.items()}
    return Transition(input.__name__, input, None, (), (guard,), terms, ())


def _perform() -> Transition:
    call = t.at(_a.call, _client, NO_CALL)
    return _step(
        Perform,
        Status.PENDING,
        value=t.If(
            goes_through(_a.calls, call, _a.value),
            applied_to(_a.calls, call, _a.value),
            _a.value,
        ),
        status=t.store(_a.status, _client, Status.ANSWERED),
        answer=t.store(_a.answer, _client, verdict_on(_a.calls, call, _a.value)),
    )


_STEPS: Final = (
    _step(
        Invoke,
        Status.IDLE,
        status=t.store(_a.status, _client, Status.PENDING),
        call=t.store(_a.call, _client, t.fields_of(INPUT, Called).call),
    ),
    _perform(),
    _step(
        Fail,
        Status.PENDING,
        status=t.store(_a.status, _client, Status.ANSWERED),
        answer=t.store(_a.answer, _client, Verdict.FAILED),
    ),
    _step(Respond, Status.ANSWERED, status=t.store(_a.status, _client, Status.IDLE)),
)

ATOMIC: Final[Machine[Atomic]] = Machine(
    name="atomic", state=Atomic, inputs=tuple(step.input for step in _STEPS), transitions=_STEPS
)
"""The store as the contract describes it: every call one step."""

STEPS: Final[Mapping[type[Input], Transition]] = {step.input: step for step in _STEPS}
"""The steps of the atomic store, by their inputs."""


ALWAYS: Final = t.And(())


# --- protocols ------------------------------------------------------------------------------------------------


@attrs.frozen
class Image:
    """What a move comes to in the atomic store, where ``when`` holds: the step with these arguments."""

    step: type[Input]
    arguments: tuple[t.Term, ...]
    when: t.Term = ALWAYS


@attrs.frozen(eq=False)
class Move:
    """One step of a client: from one of ``sources`` (None: wherever it is) to ``target`` (None: it stays).

    Attributes:
        name: its name; the statement, where it has one.
        sources: the places it starts from; None of a step of the storage itself.
        target: the place it leads to.
        guards: what must hold besides.
        updates: the fields of the state that it writes, but for the client's place.
        images: what it comes to in the atomic store: the first whose condition holds; if none does, nothing.
        statement: what can be seen of it from outside.
        kind: the input class with its parameters.
    """

    name: str
    sources: tuple[Place, ...] | None
    target: Place | None
    guards: tuple[Guard, ...] = ()
    updates: Mapping[str, t.Like] = attrs.field(factory=dict)
    images: tuple[Image, ...] = ()
    statement: Statement | None = None
    kind: type[Input] = OfClient


Named: TypeAlias = tuple[str, str, t.Term]
"""A name, a sentence and a term over ``s``."""


@attrs.frozen(eq=False)
class Protocol:
    """A commit protocol.

    Attributes:
        name: a short name.
        sentence: what it is, and where its linearization points are.
        state: the record of its states; it has ``calls``, ``place``, ``call`` and ``answer``.
        initial: what holds at first.
        moves: what can happen.
        view: the state of the atomic store that a state stands for, field by field.
        invariants: what holds always; together with the initial condition they are inductive.
        start: makes the first state with these calls, of a storage that holds a value.
    """

    name: str
    sentence: str
    state: type
    initial: t.Term
    moves: tuple[Move, ...]
    view: Mapping[str, t.Term]
    invariants: tuple[Named, ...]
    start: Callable[[Calls, Value], Any]

    @functools.cached_property
    def machine(self) -> Machine[Any]:
        """The protocol as a machine: a move is a transition with an input of its own."""
        transitions = tuple(_transition(self, move) for move in self.moves)
        return Machine(self.name, self.state, tuple(each.input for each in transitions), transitions)

    def move(self, name: str) -> Move:
        """Return the move of this name."""
        return next(move for move in self.moves if move.name == name)


def place_of(protocol_state: t.Fields, client: t.Term) -> t.Term:
    """Return where a client is."""
    return t.at(protocol_state.place, client, Place.IDLE)


def _transition(protocol: Protocol, move: Move) -> Transition:
    state, fields = t.fields_of(STATE, protocol.state), Record(protocol.state).fields
    client = t.fields_of(INPUT, OfClient).client
    guards, updates = list(move.guards), dict(move.updates)
    if move.sources is not None:
        where = place_of(state, client).one_of(*move.sources)
        guards.insert(0, Guard("Place", f"the client's place: {' or '.join(move.sources)}", where))
    if move.target is not None:
        updates["place"] = t.store(state.place, client, move.target)
    return Transition(
        id=move.name,
        input=type(move.name, (move.kind,), {"__doc__": move.name, "__module__": __name__}),
        sources=None,
        definitions=(),
        guards=tuple(guards),
        updates={name: t.as_sort(value, fields[name]) for name, value in updates.items()},
        effects=(),
    )


# --- protocols changed ----------------------------------------------------------------------------------------


def varied(
    protocol: Protocol,
    changes: Mapping[str, Mapping[str, Any]],
    without: Iterable[str] = (),
    also: Iterable[Move] = (),
) -> Protocol:
    """Return the protocol in which moves are others; ``updates`` are added to those that a move has.

    Args:
        protocol: the protocol that is changed.
        changes: what is other, by the names of the moves.
        without: the moves that there are no more.
        also: the moves that are new.
    """
    unknown = {*changes, *without} - {move.name for move in protocol.moves}
    assert not unknown, unknown
    kept = (_changed(move, changes.get(move.name, {})) for move in protocol.moves if move.name not in without)
    return attrs.evolve(protocol, moves=(*kept, *also))


def _changed(move: Move, changes: Mapping[str, Any]) -> Move:
    if "updates" in changes:
        changes = {**changes, "updates": {**move.updates, **changes["updates"]}}
    return attrs.evolve(move, **changes)


def performs(client: t.Term, when: t.Term = ALWAYS) -> Image:
    """Return the image of a linearization point."""
    return Image(Perform, (client,), when)


def view_of(state: t.Fields, value: t.Term, answered: Iterable[Place]) -> Mapping[str, t.Term]:
    """Return the state of the atomic store in which the clients at the places ``answered`` have answers."""

    def status(client: t.Term) -> t.Term:
        place = t.at(state.place, client)
        return t.if_(
            place.eq(Place.IDLE),
            Status.IDLE,
            t.if_(place.one_of(*answered), Status.ANSWERED, Status.PENDING),
        )

    return {
        "calls": state.calls,
        "value": value,
        "status": t.map_to(state.place, _a.status, status),
        "call": state.call,
        "answer": state.answer,
    }
