"""The calls that compare and are no rows of the wrapper table, as cases.

Creating, comparing and putting, putting if absent, expected revisions, terminal events: each with success, and with
whatever it compares wrong, one thing at a time; among the wrong keys are those that differ in case, in a trailing
blank, or only after a NUL.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

from mobstore.model import Document, MobRun, NewMobEvent, Operation, RunId, evolve
from mobstore.model import operations as ops
from mobstore.model.values import ExternalBindingOverlayRecord, OverlayNormalized
from mobstore.properties import pools
from mobstore.properties.cases import Case

COVERED: Final = (
    ops.CreateRun,
    ops.AppendTerminalEventIfAbsent,
    ops.CompareAndPutSupervisorAuthority,
    ops.PutSupervisorAuthorityIfAbsent,
    ops.PutExternalBindingOverlayIfAbsent,
    ops.PutSpec,
    ops.DeleteSpec,
    ops.CreateProfile,
    ops.UpdateProfile,
    ops.DeleteProfile,
)
"""The calls that these cases are about."""


def cases() -> Iterator[Case]:
    """Iterate over the cases."""
    for about, calls in itertools.chain(
        _runs(), _terminal_events(), _authorities(), _overlays(), _specs(), _profiles()
    ):
        yield Case(about, calls)


_Cases = Iterator[tuple[str, tuple[Operation[Any], ...]]]
_MOBS: Final = pools.MOB_IDS
_ONE, _TWO = pools.DOCUMENTS[1], pools.DOCUMENTS[3]


def _run(number: int, place: int) -> MobRun:
    return evolve(pools.RUNS[place], {"run_id": RunId(f"33333333-0000-4000-8000-{number:012}")})


def _runs() -> _Cases:
    yield "a run is created twice", (ops.CreateRun(_run(1, 0)), ops.CreateRun(_run(1, 0)))
    created, other = ops.CreateRun(_run(2, 0)), ops.CreateRun(evolve(_run(2, 3), {"mob_id": "Mob"}))
    yield "another run is created with its id", (created, other, ops.ListRuns("Mob"))
    of_no_flow = ops.CreateRun(evolve(_run(7, 0), {"flow_id": ""}))
    yield "a flow has an empty id", (of_no_flow, ops.ListRuns("mob", ""), ops.ListRuns("mob"))
    for number, place in ((4, 1), (6, 2)):
        first, second = _run(number, place), _run(number - 1, 0)
        yield "a run is created beside another", (ops.CreateRun(first), ops.CreateRun(second), ops.ListRuns("mob"))


def _terminal(mob: str, run: int, flow: str, kind: str = "flow_completed") -> NewMobEvent:
    fields = {"type": kind, "run_id": str(pools.RUN_IDS[run]), "flow_id": flow}
    return NewMobEvent(mob, Document.of(fields), timestamp=pools.TIMES[0])


def _terminal_events() -> _Cases:
    append, event = ops.AppendTerminalEventIfAbsent, _terminal("mob", 0, "flow")
    ended = append(event)
    yield "the flow run has ended", (ended, ended)
    for kind in ("flow_failed", "flow_canceled"):
        yield f"the flow run has ended, and {kind} is appended", (ended, append(_terminal("mob", 0, "flow", kind)))
    similar = (("mob", 1, "flow"), ("mob", 0, "Flow"), ("mob", 0, ""), *((mob, 0, "flow") for mob in _MOBS[1:]))
    for mob, run, flow in similar:
        yield "a flow run with a similar key has ended", (ended, append(_terminal(mob, run, flow)))
    yield "its end was appended plainly", (ops.Append(event), ended)
    yield "its end was appended in a batch", (ops.AppendBatch((pools.EVENTS[0], event)), ended)
    yield "its end was pruned", (ended, ops.Prune(pools.TIMES[2]), ended)
    yield "its end was cleared", (ended, ops.Clear(), ended)
    yield "its end is appended plainly again", (ended, ops.Append(event), ops.AppendBatch((event, event)))
    yield "its end stands behind many others", (ops.AppendBatch((*(pools.EVENTS[:1] * 300), event)), ended)
    yield "the event is not terminal", (append(pools.EVENTS[0]), ops.Append(pools.EVENTS[0]))


def _authorities() -> _Cases:
    put, compare = ops.PutSupervisorAuthority, ops.CompareAndPutSupervisorAuthority
    absent, records = ops.PutSupervisorAuthorityIfAbsent, pools.AUTHORITIES
    for held, expected in itertools.product(records, records):
        new = next(record for record in records if record not in (held, expected))
        yield "a record is expected where another or the same is", (put("mob", held), compare("mob", expected, new))
    equal = evolve(records[3], {"pending_rotation": evolve(records[3].pending_rotation, {})})
    yield "an equal record is expected", (put("mob", records[3]), compare("mob", equal, records[0]))
    yield "a record is put over another", (put("mob", records[0]), put("mob", records[1]))
    yield "a record is expected where none is", (compare("mob", records[0], records[1]),)
    deleted = ops.DeleteSupervisorAuthority("mob")
    yield "a deleted record is expected", (put("mob", records[0]), deleted, compare("mob", records[0], records[1]))
    for mob in _MOBS[1:]:
        wrong = compare(mob, records[0], records[1])
        yield "the record of a similar mob is expected", (put("mob", records[0]), wrong)
        yield "a similar mob has a record", (put("mob", records[0]), absent(mob, records[1]))
    yield "there is a record", (put("mob", records[0]), absent("mob", records[1]))
    yield "the record is the same", (absent("mob", records[0]), absent("mob", records[0]))
    yield "the record was deleted", (put("mob", records[0]), deleted, absent("mob", records[1]))


def _overlay(agent: str, generation: int) -> ExternalBindingOverlayRecord:
    return ExternalBindingOverlayRecord(agent, generation, None, None, OverlayNormalized(), pools.TIMES[0])


def _overlays() -> _Cases:
    absent, held = ops.PutExternalBindingOverlayIfAbsent, _overlay("worker", 2)
    first = absent("mob", held)
    yield "there is an overlay", (first, absent("mob", evolve(held, {"normalized_at": pools.TIMES[3]})))
    keys = (
        ("worker", 10),
        ("worker", 2**63 - 1),
        ("worker", 2**32 + 2),
        ("Worker", 2),
        ("Worker", 10),
        ("worker ", 2),
        ("worker2", 2),
        ("", 2),
    )
    for agent, generation in keys:
        similar = absent("mob", _overlay(agent, generation))
        removed = ops.DeleteExternalBindingOverlay("mob", agent, generation)
        yield "there is an overlay of a similar key", (first, similar, removed)
    for mob in _MOBS[1:]:
        yield "a similar mob has the overlay", (first, absent(mob, held), ops.DeleteExternalBindingOverlays(mob))
    yield "the overlay was deleted", (first, ops.DeleteExternalBindingOverlay("mob", "worker", 2), first)
    yield "all overlays were deleted", (first, ops.DeleteExternalBindingOverlays("mob"), first)


def _specs() -> _Cases:
    put, delete = ops.PutSpec, ops.DeleteSpec
    for revision in (None, 0, 1, 2, 2**64 - 1):
        yield f"there is none, and {revision} is expected", (put("mob", _ONE, revision),)
        yield f"there is revision 1, and {revision} is expected", (put("mob", _ONE), put("mob", _TWO, revision))
        yield f"there is none to delete, and {revision} is expected", (delete("mob", revision),)
        second = (put("mob", _ONE), put("mob", _TWO))
        yield f"there is revision 2, and {revision} is to be deleted", (*second, delete("mob", revision))
    yield "the definition is the same", (put("mob", _ONE), put("mob", _ONE, 1))
    yield "it was deleted", (put("mob", _ONE), put("mob", _ONE), delete("mob", 2), put("mob", _TWO, 0))
    for mob in _MOBS[1:]:
        yield "a similar mob has one", (put("mob", _ONE), put(mob, _TWO, 0), delete(mob, 1))


def _profiles() -> _Cases:
    create, update, delete = ops.CreateProfile("base", _ONE), ops.UpdateProfile, ops.DeleteProfile
    yield "a profile has the name", (create, ops.CreateProfile("base", _TWO))
    for revision in (0, 1, 2, 2**64 - 1):
        yield f"there is none, and {revision} is expected", (update("base", _ONE, revision),)
        yield f"there is revision 1, and {revision} is expected", (create, update("base", _TWO, revision))
        yield f"there is none to delete, and {revision} is expected", (delete("base", revision),)
        second = (create, update("base", _TWO, 1))
        yield f"there is revision 2, and {revision} is to be deleted", (*second, delete("base", revision))
    yield "it was deleted", (create, update("base", _TWO, 1), delete("base", 2), create)
    for name in pools.PROFILE_NAMES[1:]:
        yield "a similar name is taken", (create, ops.CreateProfile(name, _TWO), delete(name, 1))
