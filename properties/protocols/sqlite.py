"""The SQLite backend's protocol: begin immediate, select, compare, write, commit or roll back; WAL; crashes.

The commit happens in three steps: its frames are appended to the log (in the cache of the operating system), the
log is synced to the disk, and the new end of the log is published to the other connections.  The linearization
point of a call that changes something is that publication, when nothing cuts the client off before it; else the
recovery that finds its commit on the disk.  Of every other call it is the decision, under the write lock; of a
reading call, its first SELECT, which is all of it, or opens the snapshot that the others read, too.  (That one of
the others fails is not looked at.)

A COMMIT that fails leaves open what happened: the client rolls back and says so (``GiveUp``), and its call stays
pending.  A process may die at any point (``CutOff``: its locks go, what it appended stays behind the end of the
log, until another writer overwrites it), all processes may (``Crash`` with the cache kept), and the machine may
(``Crash`` without it: what was not synced is lost, or was written back in time after all).  Recovery takes what
it finds behind the end of the log for committed; it may crash itself.  A checkpoint copies the log into the main
file; the log is begun anew only when all of it was copied.

Assumed of SQLite: a transaction reads one snapshot and its own writes; BEGIN IMMEDIATE excludes every other
writer; a commit in the log is found whole or not at all (its checksums), and a sync is one (file system).
"""

from __future__ import annotations

from typing import Final

import attrs

from mobstore.model.machines import Guard, Input
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.properties.protocols._parts import Clients, Own, client, each, fails, invoking, responding
from mobstore.properties.protocols.protocol import (
    Client,
    Move,
    OfClient,
    Place,
    Protocol,
    Statement,
    Value,
    Verdict,
    applied_to,
    performs,
    view_of,
)


@attrs.frozen
class Commit:
    """A commit in the log: what the storage holds then, and whose it is."""

    value: Value
    client: Client


@attrs.frozen(slots=False, kw_only=True)
class SqliteState(Clients):
    """The file, its log, and who has the write lock.

    Attributes:
        main: what the main file holds.
        log: what the last commit in the published part of the log made of it; None in an empty log.
        tail: a commit behind the published end of the log, in the cache.
        disk: the same as the disk has it.
        published: what a transaction that begins now sees.
        writer: who has the write lock.
        is_down: nobody has opened the file since the crash.
    """

    main: Value
    published: Value
    log: Value | None = None
    tail: Commit | None = None
    disk: Commit | None = None
    writer: Client | None = None
    is_down: bool = False


@attrs.frozen(slots=False)
class OfStorage(Input):
    """A step of the storage itself."""


@attrs.frozen(slots=False)
class Crash(Input):
    """Every process dies; with ``keeps_cache`` what was written reaches the disk all the same."""

    keeps_cache: bool


@attrs.frozen(slots=False)
class Wrote(OfClient):
    """A client writes; ``value`` is what its transaction shows it then."""

    value: Value


s: Final = t.fields_of(STATE, SqliteState)
own: Final = Own(s)

UNDECIDED: Final = (Place.HOLDING, Place.READ, Place.WRITING, Place.WRITTEN)
COMMITTING: Final = (Place.APPENDED, Place.SYNCED)
WORKING: Final = (*UNDECIDED, *COMMITTING, Place.UNDOING)
"""Where a client has the write lock."""
PENDING: Final = (Place.CALLED, Place.LOOKING, *UNDECIDED, *COMMITTING)
PERFORMED: Final = (Place.UNDOING, Place.LOOKED, Place.ANSWERED)

UP: Final = Guard("Up", "the file is open", ~s.is_down)
FREE: Final = Guard("Turn", "nobody has the write lock", ~t.Present(s.writer))
TAKEN: Final = {"writer": t.Some(client)}
RELEASED: Final = {"writer": None}
GIVEN_BACK: Final = {"writer": t.If(s.writer.eq(client), t.nothing(s.writer.sort.item), s.writer)}  # type: ignore[attr-defined]
WRITTEN: Final = own.set("buffer", applied_to(s.calls, own.call, own.seen))


def _commit_of(committer: Own) -> t.Term:
    return t.Some(t.Make(Commit, (committer.buffer, committer.who)))


APPENDED: Final = {"tail": _commit_of(own)}
_SETTLED: Final = {"tail": None, "disk": None}
_recovered: Final = t.If(t.Present(s.disk), t.Some(t.The(s.disk).get("value")), s.log)
"""The last commit of the log, as the disk has it."""
PUBLISHED: Final = {**_SETTLED, "log": _recovered, "published": own.buffer, **own.answer(Verdict.DONE)}
_MIDWAY: Final = Guard(
    "Midway",
    "the call may show this midway",
    t.member(t.fields_of(INPUT, Wrote).value, t.at(s.calls.get("midway"), own.call, frozenset())),
)
_LOOK: Final = Statement.SELECT

_survivor: Final = t.The(s.disk).get("client")
"""Whose commit recovery finds."""
_keeps: Final = t.fields_of(INPUT, Crash).keeps_cache & t.Present(s.tail)


def _after_crash(place: t.Term) -> t.Term:
    """A client without a call may come back; of the others, some have their answer, and some wait for ever."""
    performed = place.one_of(*PERFORMED, Place.GONE)
    return t.if_(place.eq(Place.IDLE), Place.IDLE, t.if_(performed, Place.GONE, Place.CUT))


_DEATHS: Final = (
    Move("CutOff", PENDING, Place.CUT, (), GIVEN_BACK),
    Move("CutOffLate", PERFORMED, Place.GONE, (), GIVEN_BACK),
    Move(
        "Crash",
        None,
        None,
        (),
        {
            "place": t.map_to(s.place, s.place, lambda dying: _after_crash(t.at(s.place, dying))),
            "disk": t.If(_keeps, s.tail, s.disk),
            "tail": None,
            "writer": None,
            "is_down": True,
        },
        kind=Crash,
    ),
    Move(
        "Recover",
        None,
        None,
        (Guard("Up", "the file is not open", s.is_down),),
        {
            "log": _recovered,
            "published": t.If(t.Present(_recovered), t.The(_recovered), s.main),
            "disk": None,
            "place": t.If(t.Present(s.disk), t.store(s.place, _survivor, Place.GONE), s.place),
            "answer": t.If(t.Present(s.disk), t.store(s.answer, _survivor, Verdict.DONE), s.answer),
            "is_down": False,
        },
        (performs(_survivor, t.Present(s.disk)),),
        kind=OfStorage,
    ),
)

_CHECKPOINTS: Final = (
    Move(
        "Checkpoint",
        None,
        None,
        (UP, Guard("Log", "there is something in the log", t.Present(s.log))),
        {"main": t.The(s.log)},
        kind=OfStorage,
    ),
    Move(
        "RestartLog",
        None,
        None,
        (UP, FREE, Guard("Copied", "there is a log, and all of it is in the main file", s.log.eq(s.main))),
        {"log": None, **_SETTLED},
        kind=OfStorage,
    ),
)


def _looking(name: str, source: Place, target: Place) -> Move:
    """Return the move in which a call that changes nothing sees what is published."""
    guards, updates = (own.changes_nothing(s.published),), own.verdict(s.published)
    return Move(name, (source,), target, guards, updates, (performs(client),), _LOOK)


_MOVES: Final = (
    invoking(s, guards=(UP,)),
    Move("Decline", (Place.CALLED, Place.LOOKING), Place.ANSWERED, (), own.answer(Verdict.FAILED), (fails(),)),
    Move(
        "Begin",
        (Place.CALLED,),
        Place.HOLDING,
        (FREE,),
        TAKEN,
        statement=Statement.BEGIN_IMMEDIATE,
    ),
    Move("Select", (Place.HOLDING,), Place.READ, (), own.set("seen", s.published), statement=_LOOK),
    Move("SelectMore", (Place.READ, Place.WRITING, Place.WRITTEN, Place.LOOKED), None, statement=_LOOK),
    _looking("Look", Place.CALLED, Place.ANSWERED),
    Move("OpenSnapshot", (Place.CALLED,), Place.LOOKING, statement=Statement.BEGIN),
    _looking("LookInside", Place.LOOKING, Place.LOOKED),
    Move("CloseSnapshot", (Place.LOOKED,), Place.ANSWERED, statement=Statement.COMMIT),
    Move("LeaveSnapshot", (Place.LOOKING,), Place.CALLED, statement=Statement.ROLLBACK),
    Move("Match", (Place.READ,), Place.WRITING, (own.holds(own.seen), own.accepted)),
    Move(
        "MatchUnseen",
        (Place.HOLDING,),
        Place.WRITING,
        (own.holds(s.published), own.accepted),
        own.set("seen", s.published),
    ),
    Move(
        "Mismatch",
        (Place.READ,),
        Place.UNDOING,
        (own.differs(own.seen),),
        own.answer(Verdict.MISMATCH),
        (performs(client),),
    ),
    Move(
        "Refuse",
        (Place.READ,),
        Place.UNDOING,
        (own.holds(own.seen), own.refused),
        own.answer(Verdict.REFUSED),
        (performs(client),),
    ),
    Move(
        "ChangeNothing",
        (Place.WRITING,),
        Place.UNDOING,
        (Guard("Same", "the writes change nothing", applied_to(s.calls, own.call, own.seen).eq(own.seen)),),
        own.answer(Verdict.DONE),
        (performs(client),),
    ),
    Move(
        "Write",
        (Place.WRITING,),
        Place.WRITING,
        (_MIDWAY,),
        own.set("buffer", t.fields_of(INPUT, Wrote).value),
        statement=Statement.CHANGE,
        kind=Wrote,
    ),
    Move("WriteLast", (Place.WRITING,), Place.WRITTEN, (), WRITTEN, statement=Statement.CHANGE),
    Move("Break", UNDECIDED, Place.UNDOING, (), own.answer(Verdict.FAILED), (fails(),)),
    Move("RollBack", (Place.UNDOING,), Place.ANSWERED, (), RELEASED, statement=Statement.ROLLBACK),
    Move("GiveUp", (Place.WRITTEN, *COMMITTING), Place.CUT, (), RELEASED, statement=Statement.ROLLBACK),
    Move("Append", (Place.WRITTEN,), Place.APPENDED, (), APPENDED, statement=Statement.COMMIT),
    Move("Sync", (Place.APPENDED,), Place.SYNCED, (), {"disk": s.tail}),
    Move("Publish", (Place.SYNCED,), Place.ANSWERED, (), {**PUBLISHED, **RELEASED}, (performs(client),)),
    responding(s),
    *_DEATHS,
    *_CHECKPOINTS,
)


def _is_commit(commit: t.Term, *places: Place) -> t.Term:
    """Return that a commit behind the end of the log is that of a client which stands at one of the places."""
    committer = Own(s, t.The(commit).get("client"))
    return ~t.Present(commit) | (
        t.member(committer.who, s.place)
        & committer.place.one_of(*places)
        & committer.goes_through(s.published)
        & t.The(commit).get("value").eq(applied_to(s.calls, committer.call, s.published))
    )


SQLITE: Final = Protocol(
    name="sqlite",
    sentence=(
        "begin immediate, select, compare, write, commit (append, sync, publish) or roll back; a call happens when "
        "its commit is published, or found by recovery"
    ),
    state=SqliteState,
    initial=t.every(
        (
            t.is_empty(s.place),
            s.main.eq(s.published),
            *(~t.Present(getattr(s, name)) for name in ("log", "tail", "disk", "writer")),
            ~s.is_down,
        )
    ),
    moves=_MOVES,
    view=view_of(s, s.published, (*PERFORMED, Place.GONE)),
    invariants=(
        (
            "who-works-has-the-lock",
            "Only who has the write lock is inside a transaction.",
            each(s, *WORKING)(lambda holder: s.writer.eq(holder.who)),
        ),
        (
            "nobody-works-while-down",
            "After a crash nobody works, and nothing is cached, until the file was recovered.",
            ~s.is_down
            | (
                ~t.Present(s.writer)
                & ~t.Present(s.tail)
                & t.for_all(s.place, lambda holder: t.at(s.place, holder).one_of(Place.IDLE, Place.CUT, Place.GONE))
            ),
        ),
        (
            "snapshot-is-the-newest",
            "What a transaction read is what is published.",
            each(s, Place.READ, Place.WRITING, Place.WRITTEN, *COMMITTING)(
                lambda holder: holder.seen.eq(s.published)
            ),
        ),
        (
            "only-matches-write",
            "Who writes was allowed to by what is published.",
            each(s, Place.WRITING, Place.WRITTEN, *COMMITTING)(lambda holder: holder.goes_through(s.published)),
        ),
        (
            "commits-the-result",
            "What is about to be committed is what the call makes of what is published.",
            each(s, Place.WRITTEN, *COMMITTING)(
                lambda holder: holder.buffer.eq(applied_to(s.calls, holder.call, s.published))
            ),
        ),
        (
            "appended-is-in-the-log",
            "Who has appended its commit finds it behind the end of the log.",
            each(s, *COMMITTING)(lambda holder: s.tail.eq(_commit_of(holder))),
        ),
        (
            "synced-is-on-the-disk",
            "Who has synced its commit finds it on the disk.",
            each(s, Place.SYNCED)(lambda holder: s.disk.eq(_commit_of(holder))),
        ),
        (
            "tail-is-a-whole-call",
            "A commit behind the end of the log is a whole call, of what is published.",
            _is_commit(s.tail, *COMMITTING, Place.CUT),
        ),
        (
            "disk-is-a-whole-call",
            "So is one that the disk has there.",
            _is_commit(s.disk, Place.SYNCED, Place.CUT),
        ),
        (
            "published-is-durable",
            "What is published is what the disk has: the last commit of the log, or the main file.",
            s.published.eq(t.If(t.Present(s.log), t.The(s.log), s.main)),
        ),
    ),
    start=lambda calls, value: SqliteState(calls=calls, main=value, published=value),
)
