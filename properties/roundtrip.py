"""Values that are awkward to keep, as cases: what is stored is read back as it was, also when opened again.

The values of the pools: numbers at the edges of 53, 63 and 64 bits, floats that print badly, text with quotes, NUL
and letters beyond ASCII, times between microseconds and outside of four-digit years, documents nested 100 deep.
What the rows of the wrapper table write is tried with them, too (`rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mobstore.model import NewMobEvent, RunId, evolve
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.cases import Case
from mobstore.properties.source import Aside

COVERED: Final = (
    ops.CreateRun,
    ops.Append,
    ops.AppendBatch,
    ops.PutSupervisorAuthority,
    ops.UpsertExternalBindingOverlay,
    ops.PutSpec,
    ops.CreateProfile,
    ops.UpdateProfile,
)
"""The calls that these cases are about."""


def cases() -> Iterator[Case]:
    """Iterate over the cases."""
    yield from _runs()
    yield from _events()
    yield from _documents()
    for record in pools.AUTHORITIES:
        put = ops.PutSupervisorAuthority("mob", record)
        yield Case("an authority record is put", (put, Aside.REOPEN, ops.LoadSupervisorAuthority("mob")))
    for overlay in pools.OVERLAYS:
        put_overlay = ops.UpsertExternalBindingOverlay("mob", overlay)
        yield Case("an overlay is put", (put_overlay, Aside.REOPEN, ops.ListExternalBindingOverlays("mob")))


def _runs() -> Iterator[Case]:
    changes: tuple[dict[str, Any], ...] = (
        *({"activation_params": payload} for payload in pools.PAYLOADS),
        *({"created_at": time, "completed_at": time} for time in pools.TIMES),
        *({"flow_state": flow_state} for flow_state in pools.FLOW_STATES),
    )
    for number, change in enumerate(changes, 1):
        run_id = RunId(f"44444444-0000-4000-8000-{number:012}")
        created = ops.CreateRun(evolve(pools.RUNS[0], {**change, "run_id": run_id}))
        yield Case(f"a run with {' and '.join(change)} is created", (created, Aside.REOPEN, ops.GetRun(run_id)))


def _events() -> Iterator[Case]:
    kinds = (*pools.KINDS, *pools.DOCUMENTS)
    for kind in kinds:
        event = NewMobEvent("mob", kind, timestamp=pools.TIMES[0])
        yield Case("an event is appended", (ops.Append(event), Aside.REOPEN, ops.ReplayAll()))
    for time in pools.TIMES:
        event = NewMobEvent("mob", kinds[0], timestamp=time)
        yield Case("an event of some time is appended", (ops.Append(event), Aside.REOPEN, ops.ReplayAll()))
    events = tuple(NewMobEvent("mob", kind) for kind in kinds)
    yield Case("events are appended in a batch", (ops.AppendBatch(events), Aside.REOPEN, ops.ReplayAll()))


def _documents() -> Iterator[Case]:
    for document in pools.DOCUMENTS:
        yield Case("a spec is put", (ops.PutSpec("mob", document), Aside.REOPEN, ops.GetSpec("mob")))
        update = ops.UpdateProfile("base", document, 1)
        created = ops.CreateProfile("base", document)
        yield Case("a profile is created and updated", (created, update, Aside.REOPEN, ops.GetProfile("base")))
