"""Ids, as cases: any string is an id like any other, and is taken for no other.

Strings that differ in blanks, after a NUL, in how a letter is composed; empty and very long ones; and pairs of keys
that become one when their parts are joined with a separator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mobstore.model import (
    Document,
    ExternalBindingOverlayRecord,
    LoopIterationLedgerEntry,
    OverlayNormalized,
    RunId,
    evolve,
)
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.cases import Case

AWKWARD: Final = ("", " ", "'", '"; DROP TABLE runs; --', "a\x00b", "a", "é", "e\u0301", "\U0001f600", "m" * 2**20)
"""Strings that are ids like any other: each must come back as it is, and none be taken for another."""

SEPARATORS: Final = (":", "::", "/", "|", "-", ".", ",", " ", "\x00", "\x1f")
"""What authors join the parts of a key with."""

COVERED: Final = (
    ops.PutSpec,
    ops.CreateProfile,
    ops.PutExternalBindingOverlayIfAbsent,
    ops.UpsertLoopSnapshot,
    ops.AppendStepEntryIfAbsent,
)
"""The calls that these cases are about."""

_RUN: Final = pools.RUNS[0]


def cases() -> Iterator[Case]:
    """Iterate over the cases."""
    numbered = [(name, Document.of({"number": number})) for number, name in enumerate(AWKWARD)]
    puts = (ops.PutSpec(name, document) for name, document in numbered)
    yield Case("mobs have awkward ids", (*puts, *map(ops.GetSpec, AWKWARD), ops.ListSpecs()))
    creates = (ops.CreateProfile(name, document) for name, document in numbered)
    yield Case("profiles have awkward names", (*creates, *map(ops.GetProfile, AWKWARD), ops.ListProfiles()))
    absent = ops.PutExternalBindingOverlayIfAbsent
    overlays = (absent("mob", _overlay(name)) for name in AWKWARD)
    yield Case("agents have awkward ids", (*overlays, ops.ListExternalBindingOverlays("mob")))
    for name in AWKWARD:
        overlay = absent(name, _overlay("worker"))
        removed = ops.DeleteExternalBindingOverlays(name)
        yield Case(
            "a mob with an awkward id has an overlay", (overlay, ops.ListExternalBindingOverlays(name), removed)
        )
    for number, separator in enumerate(SEPARATORS):
        yield from _joined(separator, number)


def _joined(separator: str, number: int) -> Iterator[Case]:
    """Two keys of several parts each, which become one when the parts are joined."""
    left, right = (f"a{separator}b", "c"), ("a", f"b{separator}c")
    overlays = (ops.PutExternalBindingOverlayIfAbsent(mob, _overlay(agent)) for mob, agent in (left, right))
    removed = ops.DeleteExternalBindingOverlays(right[0])
    yield Case("the keys of two overlays become one when joined", (*overlays, removed))
    run_id = RunId(f"55555555-0000-4000-8000-{number:012}")
    created = ops.CreateRun(evolve(_RUN, {"run_id": run_id}))
    entries = (
        ops.AppendStepEntryIfAbsent(
            run_id, evolve(pools.STEP_ENTRIES[0], {"step_id": step, "agent_identity": agent})
        )
        for step, agent in (left, right)
    )
    iterations = (
        ops.UpsertLoopSnapshot(run_id, loop, pools.LOOP_SNAPSHOTS[0], LoopIterationLedgerEntry(loop, 0, frame))
        for loop, frame in ((f"a{separator}0", "b"), ("a", f"0{separator}b"))
    )
    yield Case("the keys of two ledger entries become one when joined", (created, *entries, *iterations))


def _overlay(agent: str) -> ExternalBindingOverlayRecord:
    return ExternalBindingOverlayRecord(agent, 0, None, None, OverlayNormalized(), pools.TIMES[0])
