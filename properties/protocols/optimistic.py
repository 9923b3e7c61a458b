"""The optimistic protocol of one statement: ``UPDATE … SET value = ?, version = version + 1 WHERE version = ?``.

For backends whose transactions are only single statements.  A call reads the value with its version, decides,
and writes where the version is still the one it read; else it begins again.  The linearization point of a call
that changes something is the statement; of every other call, the reading that it was decided by.  The statement
is atomic and durable by itself: that is assumed of the storage.
"""

from __future__ import annotations

from typing import Final

import attrs

from mobstore.model import FrozenMap
from mobstore.model._records import U64
from mobstore.model.machines import Guard
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import STATE
from mobstore.model.machines.sorts import Natural
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
    view_of,
)


@attrs.frozen(slots=False, kw_only=True)
class OptimisticState(Clients):
    """The value with its version, and the version that each client read."""

    value: Value
    version: U64 = 0
    seen_version: FrozenMap[Client, U64] = FrozenMap()


s: Final = t.fields_of(STATE, OptimisticState)
own: Final = Own(s)
_GREATEST: Final = Natural(64).maximum


def _version_of(who: t.Term) -> t.Term:
    return t.at(s.seen_version, who, 0)


CURRENT: Final = Guard("Version", "the version is the one that was read", _version_of(client).eq(s.version))
_STALE: Final = Guard("Version", "the version is another", ~_version_of(client).eq(s.version))
_ROOM: Final = Guard("Room", "there is a next version", s.version < _GREATEST)
_SEEN: Final = {**own.set("seen", s.value), **own.set("seen_version", s.version)}

_MOVES: Final = (
    invoking(s),
    Move(
        "ReadMatch",
        (Place.CALLED,),
        Place.READ,
        (own.holds(s.value), own.accepted),
        _SEEN,
        statement=Statement.SELECT,
    ),
    Move(
        "ReadMismatch",
        (Place.CALLED,),
        Place.ANSWERED,
        (own.differs(s.value),),
        own.answer(Verdict.MISMATCH),
        (performs(client),),
        Statement.SELECT,
    ),
    Move(
        "ReadRefused",
        (Place.CALLED,),
        Place.ANSWERED,
        (own.holds(s.value), own.refused),
        own.answer(Verdict.REFUSED),
        (performs(client),),
        Statement.SELECT,
    ),
    Move(
        "Update",
        (Place.READ,),
        Place.ANSWERED,
        (CURRENT, _ROOM),
        {
            "value": applied_to(s.calls, own.call, own.seen),
            "version": s.version + 1,
            **own.answer(Verdict.DONE),
        },
        (performs(client),),
        Statement.CHANGE,
    ),
    Move("UpdateNothing", (Place.READ,), Place.CALLED, (_STALE,), statement=Statement.CHANGE),
    Move("Break", (Place.CALLED, Place.READ), Place.ANSWERED, (), own.answer(Verdict.FAILED), (fails(),)),
    responding(s),
    Move("CutOff", (Place.CALLED, Place.READ), Place.CUT),
    Move("CutOffLate", (Place.ANSWERED,), Place.GONE),
)

OPTIMISTIC: Final = Protocol(
    name="optimistic",
    sentence="read with the version, write where it is still the same; a call happens when its UPDATE finds it so",
    state=OptimisticState,
    initial=t.is_empty(s.place) & s.version.eq(0),
    moves=_MOVES,
    view=view_of(s, s.value, (Place.ANSWERED, Place.GONE)),
    invariants=(
        (
            "version-tells-the-value",
            "Who read the present version read the present value.",
            each(s, Place.READ)(lambda reader: ~_version_of(reader.who).eq(s.version) | reader.seen.eq(s.value)),
        ),
        (
            "versions-only-rise",
            "Nobody read a version that is still to come.",
            each(s, Place.READ)(lambda reader: _version_of(reader.who) <= s.version),
        ),
        (
            "only-matches-write",
            "Who is about to write was allowed to by what it read.",
            each(s, Place.READ)(lambda reader: reader.goes_through(reader.seen)),
        ),
    ),
    start=lambda calls, value: OptimisticState(calls=calls, value=value),
)
