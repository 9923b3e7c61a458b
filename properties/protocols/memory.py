"""The memory backend's protocol: lock, read, compare, swap, unlock.

The linearization point of a call is the swap of the one pointer, under the lock; of a refused one, the refusal.
A reading call, which changes nothing, reads the pointer once, without the lock, and happens then.  A changing call
that does not match swaps in what it read; an append takes the lock once more, to wake who waits for it.
Nothing survives the process, so only threads are cut off here: the lock is given back when one leaves it,
however it does.
"""

from __future__ import annotations

from typing import Final

import attrs

from mobstore.model.machines import Guard
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import STATE
from mobstore.properties.protocols._parts import Clients, Own, client, each, fails, invoking, responding
from mobstore.properties.protocols.protocol import (
    Client,
    Move,
    Place,
    Protocol,
    Statement,
    Value,
    Verdict,
    applied_to,
    performs,
    verdict_on,
    view_of,
)


@attrs.frozen(slots=False, kw_only=True)
class MemoryState(Clients):
    """The pointer, and who has the lock."""

    value: Value
    lock: Client | None = None


s: Final = t.fields_of(STATE, MemoryState)
own: Final = Own(s)

LOCKED: Final = (Place.HOLDING, Place.READ, Place.WRITTEN, Place.UNDOING, Place.TELLING)
FREE: Final = Guard("Turn", "nobody has the lock", ~t.Present(s.lock))
RELEASED: Final = {"lock": None}
_GIVEN_BACK: Final = {"lock": t.If(s.lock.eq(client), t.nothing(s.lock.sort.item), s.lock)}  # type: ignore[attr-defined]
_SWAPPED: Final = {"value": own.buffer, **own.verdict(own.seen)}

_MOVES: Final = (
    invoking(s),
    Move(
        "Look",
        (Place.CALLED,),
        Place.ANSWERED,
        (own.changes_nothing(s.value),),
        own.verdict(s.value),
        (performs(client),),
        Statement.READ,
    ),
    Move(
        "Acquire",
        (Place.CALLED,),
        Place.HOLDING,
        (FREE,),
        {"lock": t.Some(client)},
        statement=Statement.ACQUIRE,
    ),
    Move("Read", (Place.HOLDING,), Place.READ, (), own.set("seen", s.value), statement=Statement.READ),
    Move(
        "Match",
        (Place.READ,),
        Place.WRITTEN,
        (own.holds(own.seen), own.accepted),
        own.set("buffer", applied_to(s.calls, own.call, own.seen)),
    ),
    Move("Mismatch", (Place.READ,), Place.WRITTEN, (own.differs(own.seen),), own.set("buffer", own.seen)),
    Move(
        "Refuse",
        (Place.READ,),
        Place.UNDOING,
        (own.holds(own.seen), own.refused),
        own.answer(Verdict.REFUSED),
        (performs(client),),
    ),
    Move(
        "Break",
        (Place.HOLDING, Place.READ, Place.WRITTEN),
        Place.UNDOING,
        (),
        own.answer(Verdict.FAILED),
        (fails(),),
    ),
    Move("Swap", (Place.WRITTEN,), Place.UNDOING, (), _SWAPPED, (performs(client),), Statement.SWAP),
    Move("Release", (Place.UNDOING,), Place.ANSWERED, (), RELEASED, statement=Statement.RELEASE),
    Move("Tell", (Place.ANSWERED,), Place.TELLING, (FREE,), {"lock": t.Some(client)}, statement=Statement.ACQUIRE),
    Move("Told", (Place.TELLING,), Place.ANSWERED, (), RELEASED, statement=Statement.RELEASE),
    responding(s),
    Move("CutOff", (Place.CALLED, Place.HOLDING, Place.READ, Place.WRITTEN), Place.CUT, (), _GIVEN_BACK),
    Move("CutOffLate", (Place.UNDOING, Place.ANSWERED, Place.TELLING), Place.GONE, (), _GIVEN_BACK),
)


def _has_lock(holder: Own) -> t.Term:
    return s.lock.eq(holder.who)


MEMORY: Final = Protocol(
    name="memory",
    sentence="lock, read, compare, swap, unlock; a call happens when the pointer is swapped",
    state=MemoryState,
    initial=t.is_empty(s.place) & ~t.Present(s.lock),
    moves=_MOVES,
    view=view_of(s, s.value, (Place.UNDOING, Place.ANSWERED, Place.TELLING, Place.GONE)),
    invariants=(
        (
            "who-works-has-the-lock",
            "Only who has the lock is between lock and unlock.",
            each(s, *LOCKED)(_has_lock),
        ),
        (
            "what-was-read-is-still-there",
            "What the holder of the lock read is what the pointer shows.",
            each(s, Place.READ, Place.WRITTEN)(lambda holder: holder.seen.eq(s.value)),
        ),
        (
            "swapped-in-is-the-result",
            "What is about to be swapped in is what the call makes of what the pointer shows.",
            each(s, Place.WRITTEN)(
                lambda holder: (
                    holder.buffer.eq(
                        t.If(holder.goes_through(s.value), applied_to(s.calls, holder.call, s.value), s.value)
                    )
                    & verdict_on(s.calls, holder.call, s.value).ne(Verdict.REFUSED)
                )
            ),
        ),
    ),
    start=lambda calls, value: MemoryState(calls=calls, value=value),
)
