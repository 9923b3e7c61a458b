"""What the protocols share: the clients' part of a state, and the moves in which a call begins and ends."""

from __future__ import annotations

from typing import Any, Final

import attrs

from mobstore.model import FrozenMap
from mobstore.model.machines import Guard
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT
from mobstore.properties.protocols.protocol import (
    NO_CALL,
    NOTHING,
    Call,
    Called,
    Calls,
    Client,
    Fail,
    Image,
    Invoke,
    Move,
    Place,
    Respond,
    Value,
    Verdict,
    applied_to,
    does_hold,
    goes_through,
    is_refused,
    verdict_on,
)

client: Final = t.fields_of(INPUT, Called).client
"""The client that moves."""


@attrs.frozen(slots=False, kw_only=True)
class Clients:
    """What each client is about: its place, its call, what it read, what it will have written, its answer."""

    calls: Calls
    place: FrozenMap[Client, Place] = FrozenMap()
    call: FrozenMap[Client, Call] = FrozenMap()
    answer: FrozenMap[Client, Verdict] = FrozenMap()
    seen: FrozenMap[Client, Value] = FrozenMap()
    buffer: FrozenMap[Client, Value] = FrozenMap()


class Own:
    """The moving client's part of a state, as terms."""

    def __init__(self, state: t.Fields, who: t.Term = client) -> None:
        self.state = state
        self.who = who
        self.place = t.at(state.place, who, Place.IDLE)
        self.call = t.at(state.call, who, NO_CALL)
        self.seen = t.at(state.seen, who, NOTHING)
        self.buffer = t.at(state.buffer, who, NOTHING)

    def holds(self, value: t.Term) -> Guard:
        """Return the guard that the call's comparisons hold in a value."""
        return Guard("Compare", "the comparisons hold", does_hold(self.state.calls, self.call, value))

    def differs(self, value: t.Term) -> Guard:
        """Return the guard that they do not."""
        return Guard("Compare", "a comparison does not hold", ~does_hold(self.state.calls, self.call, value))

    @property
    def accepted(self) -> Guard:
        """The guard that the call's arguments are not refused."""
        return Guard("Refuse", "the arguments are accepted", ~is_refused(self.state.calls, self.call))

    @property
    def refused(self) -> Guard:
        """The guard that they are."""
        return Guard("Refuse", "the arguments are refused", is_refused(self.state.calls, self.call))

    def goes_through(self, value: t.Term) -> t.Term:
        """Return that the call changes a storage that holds a value."""
        return goes_through(self.state.calls, self.call, value)

    def changes_nothing(self, value: t.Term) -> Guard:
        """Return the guard that the call leaves a value as it is; a reading call does so everywhere."""
        stays = applied_to(self.state.calls, self.call, value).eq(value)
        return Guard("Quiet", "the call changes nothing", ~self.goes_through(value) | stays)

    def verdict(self, value: t.Term) -> dict[str, t.Term]:
        """Return the update that answers as the call does where the storage holds a value."""
        return self.answer(verdict_on(self.state.calls, self.call, value))

    def set(self, field: str, value: t.Like) -> dict[str, t.Term]:
        """Return the update of the client's entry in a map."""
        return {field: t.store(getattr(self.state, field), self.who, value)}

    def answer(self, verdict: t.Like) -> dict[str, t.Term]:
        """Return the update that settles the answer."""
        return self.set("answer", verdict)


def fails(who: t.Term = client) -> Image:
    """Return the image of an error that changes nothing."""
    return Image(Fail, (who,))


def invoking(state: t.Fields, *, guards: tuple[Guard, ...] = ()) -> Move:
    """Return the move in which a client makes a call."""
    call = t.fields_of(INPUT, Called).call
    return Move(
        "Invoke",
        (Place.IDLE,),
        Place.CALLED,
        guards,
        {"call": t.store(state.call, client, call)},
        (Image(Invoke, (client, call)),),
        kind=Called,
    )


def responding(state: t.Fields) -> Move:
    """Return the move in which a client gets its answer; it forgets what it read."""
    own = Own(state)
    return Move(
        "Respond",
        (Place.ANSWERED,),
        Place.IDLE,
        updates={**own.set("seen", NOTHING), **own.set("buffer", NOTHING)},
        images=(Image(Respond, (client,)),),
    )


def each(state: t.Fields, *places: Place) -> Any:
    """Return what says of every client at some of the places that a condition of its part holds."""

    def of(condition: Any) -> t.Term:
        return t.for_all(
            state.place,
            lambda holder: t.implies(t.at(state.place, holder).one_of(*places), condition(Own(state, holder))),
        )

    return of
