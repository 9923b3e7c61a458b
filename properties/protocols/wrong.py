"""Wrong protocols: each looks right, and is a change of the data of a right one.

Each fails twice: a proof of `simulation` does not go through, and `histories` finds a trace that has no witness,
which is replayed step by step.
"""

from __future__ import annotations

from typing import Final

import attrs

from mobstore.model.machines import Guard
from mobstore.model.machines import terms as t
from mobstore.properties.protocols import optimistic, sqlite
from mobstore.properties.protocols._parts import client
from mobstore.properties.protocols.memory import MEMORY
from mobstore.properties.protocols.optimistic import OPTIMISTIC
from mobstore.properties.protocols.protocol import (
    Move,
    Place,
    Protocol,
    Statement,
    Verdict,
    applied_to,
    performs,
    varied,
)
from mobstore.properties.protocols.settings import SETTINGS, Setting
from mobstore.properties.protocols.sqlite import SQLITE


@attrs.frozen(eq=False)
class WrongProtocol:
    """A wrong protocol: what is wrong with it, and a setting in which it shows."""

    name: str
    mistake: str
    protocol: Protocol
    setting: Setting


WRONG: Final[dict[str, WrongProtocol]] = {}
"""The wrong protocols by name."""


def _add(name: str, mistake: str, setting: str, protocol: Protocol) -> None:
    WRONG[name] = WrongProtocol(name, mistake, attrs.evolve(protocol, name=name), SETTINGS[setting])


# --- SQLite ---------------------------------------------------------------------------------------------------

_s: Final = sqlite.s
_own: Final = sqlite.own
_UPGRADE: Final = Guard("Turn", "nobody else has the write lock", ~t.Present(_s.writer) | _s.writer.eq(client))
_KEPT: Final = {"writer": _s.writer}

_add(
    "deferred-begin",
    "BEGIN takes no lock: the first write does, after others may have written what was read",
    "two",
    varied(
        SQLITE,
        {
            "Begin": {"guards": (), "updates": _KEPT, "statement": Statement.BEGIN},
            "Write": {"guards": (*SQLITE.move("Write").guards, _UPGRADE), "updates": sqlite.TAKEN},
            "WriteLast": {"guards": (_UPGRADE,), "updates": sqlite.TAKEN},
            "RollBack": {"updates": sqlite.GIVEN_BACK},
        },
        without=("MatchUnseen",),
    ),
)
_add(
    "read-outside-the-transaction",
    "the SELECT is sent before BEGIN IMMEDIATE",
    "two",
    varied(
        SQLITE,
        {
            "Select": {"sources": (Place.CALLED,), "target": Place.BETWEEN},
            "Begin": {"sources": (Place.BETWEEN,), "target": Place.READ},
        },
        without=("MatchUnseen",),
    ),
)
_add(
    "two-transactions",
    "one transaction reads and compares, another one writes",
    "two",
    varied(
        SQLITE,
        {"Match": {"target": Place.BETWEEN, "updates": sqlite.RELEASED, "statement": Statement.COMMIT}},
        without=("MatchUnseen",),
        also=(
            Move(
                "BeginAgain",
                (Place.BETWEEN,),
                Place.WRITING,
                (sqlite.FREE,),
                sqlite.TAKEN,
                statement=Statement.BEGIN_IMMEDIATE,
            ),
        ),
    ),
)
_add(
    "a-transaction-a-statement",
    "no transaction at all: every statement is committed by itself",
    "torn",
    varied(
        SQLITE,
        {
            "Begin": {"sources": (Place.BETWEEN,)},
            "Select": {"sources": (Place.CALLED,)},
            "Write": {
                "guards": (*SQLITE.move("Write").guards, sqlite.FREE),
                "updates": {
                    "log": t.Some(t.fields_of("i", sqlite.Wrote).value),
                    "published": t.fields_of("i", sqlite.Wrote).value,
                },
            },
            "WriteLast": {"guards": (sqlite.FREE,), "updates": sqlite.TAKEN},
            "Append": {"statement": None},
            "RollBack": {"updates": sqlite.GIVEN_BACK, "statement": None},
        },
        without=("MatchUnseen",),
    ),
)
_add(
    "compare-after-write",
    "the comparison reads what the transaction itself has written",
    "two",
    varied(
        SQLITE,
        {
            "Select": {
                "target": Place.WRITTEN,
                "updates": {
                    **_own.set("seen", applied_to(_s.calls, _own.call, _s.published)),
                    **_own.set("buffer", applied_to(_s.calls, _own.call, _s.published)),
                },
                "statement": Statement.CHANGE,
            },
            "Match": {"sources": (Place.WRITTEN,), "target": Place.COMMITTED, "statement": Statement.SELECT},
            "Mismatch": {"sources": (Place.WRITTEN,), "statement": Statement.SELECT},
            "Refuse": {"sources": (Place.WRITTEN,), "statement": Statement.SELECT},
            "Append": {"sources": (Place.COMMITTED,)},
        },
        without=("MatchUnseen",),
    ),
)
_add(
    "commit-before-compare",
    "the writes are committed, and only then is it looked whether they were allowed",
    "never",
    varied(
        SQLITE,
        {
            "Select": {
                "target": Place.WRITTEN,
                "updates": _own.set("buffer", applied_to(_s.calls, _own.call, _s.published)),
                "statement": Statement.CHANGE,
            },
            "Publish": {"target": Place.COMMITTED},
            "Mismatch": {"sources": (Place.COMMITTED,), "target": Place.ANSWERED, "statement": Statement.SELECT},
            "Refuse": {"sources": (Place.COMMITTED,), "target": Place.ANSWERED, "statement": Statement.SELECT},
        },
        without=("MatchUnseen", "Match"),
        also=(
            Move(
                "MatchLate",
                (Place.COMMITTED,),
                Place.ANSWERED,
                (_own.holds(_own.seen), _own.accepted),
                _own.answer(Verdict.DONE),
                (performs(client),),
                Statement.SELECT,
            ),
        ),
    ),
)
_add(
    "lock-released-early",
    "the write lock is given back before the commit is published",
    "two",
    varied(SQLITE, {"WriteLast": {"updates": sqlite.RELEASED}, "Publish": {"updates": sqlite.GIVEN_BACK}}),
)
_add(
    "answer-before-sync",
    "the commit is published and answered before the log is on the disk",
    "same",
    varied(SQLITE, {"Publish": {"sources": (Place.APPENDED,)}}),
)
_add(
    "log-begun-anew-too-early",
    "the log is begun anew although not all of it was copied into the main file",
    "same",
    varied(SQLITE, {"RestartLog": {"guards": SQLITE.move("RestartLog").guards[:-1]}}),
)

# --- memory ---------------------------------------------------------------------------------------------------

_add(
    "read-before-lock",
    "the pointer is read before the lock is taken",
    "two",
    varied(
        MEMORY,
        {
            "Read": {"sources": (Place.CALLED,), "target": Place.BETWEEN},
            "Acquire": {"sources": (Place.BETWEEN,), "target": Place.READ},
        },
    ),
)
_add(
    "unlock-before-swap",
    "the lock is given back before the pointer is swapped",
    "two",
    varied(
        MEMORY,
        {
            "Release": {"sources": (Place.WRITTEN,), "target": Place.BETWEEN},
            "Swap": {"sources": (Place.BETWEEN,), "target": Place.ANSWERED},
        },
        also=(attrs.evolve(MEMORY.move("Release"), name="ReleaseRefused"),),
    ),
)
_add("no-lock", "nobody takes the lock", "two", varied(MEMORY, {"Acquire": {"guards": ()}}))

# --- optimistic -----------------------------------------------------------------------------------------------

_add(
    "version-not-compared",
    "the UPDATE writes whatever the version is",
    "two",
    varied(OPTIMISTIC, {"Update": {"guards": OPTIMISTIC.move("Update").guards[1:]}}),
)
_add(
    "version-not-raised",
    "the UPDATE leaves the version as it is",
    "two",
    varied(OPTIMISTIC, {"Update": {"updates": {"version": optimistic.s.version}}}),
)
_add(
    "zero-rows-are-success",
    "an UPDATE that found no row of the version is answered as if it had written",
    "two",
    varied(
        OPTIMISTIC,
        {"UpdateNothing": {"target": Place.ANSWERED, "updates": optimistic.own.answer(Verdict.DONE)}},
    ),
)
