"""Two handles on one storage, as cases: what one of them did the other sees at once, and reopening loses nothing.

Both handles read before anything is written, so that what either remembers is out of date afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mobstore.model import STORES, Operation
from mobstore.model import operations as ops
from mobstore.properties import pools, smoke
from mobstore.properties.cases import Case
from mobstore.properties.refinement import observations
from mobstore.properties.source import Aside

COVERED: Final = tuple(type(call) for call in smoke.EXECUTED if not call.reads)
"""The calls that these cases are about."""


def cases() -> Iterator[Case]:
    """Iterate over the cases."""
    for store in STORES:
        calls = [call for call in smoke.EXECUTED if call.store == store]
        readings = observations(store)
        in_turn = (*readings, Aside.SWITCH, *readings, *_in_turn(calls))
        yield Case(f"two handles do calls of the {store} store in turn", in_turn)
    written = ops.PutSpec("mob", _SPEC)
    for refused in _refused():
        yield Case("one handle is refused, and the other writes", (written, refused, Aside.SWITCH, written))
    ended = ops.AppendTerminalEventIfAbsent(pools.EVENTS[1])
    yield Case("a flow run has ended, and the storage is opened again", (ended, Aside.REOPEN, ended))
    yield Case("a flow run has ended through one handle", (ended, Aside.SWITCH, ended))
    old, new = (ops.PutSupervisorAuthority("mob", record) for record in pools.AUTHORITIES[:2])
    compared = ops.CompareAndPutSupervisorAuthority("mob", old.record, pools.AUTHORITIES[2])
    replaced = (old, Aside.SWITCH, new, Aside.SWITCH, compared)
    yield Case("a handle expects the record that it put, and the other put one since", replaced)
    first, second = ops.Append(pools.EVENTS[0]), ops.Append(pools.EVENTS[1])
    yield Case("both handles append", (first, Aside.SWITCH, second, Aside.SWITCH, first, Aside.SWITCH, second))


_SPEC: Final = pools.DOCUMENTS[1]


def _in_turn(calls: list[Operation[Any]]) -> Iterator[Operation[Any] | Aside]:
    """The calls, each through the other handle than the one before; then everything, and again when reopened."""
    for call in calls:
        yield Aside.SWITCH
        yield call
    for aside in (Aside.SWITCH, Aside.REOPEN):
        yield aside
        yield from observations(calls[0].store)


def _refused() -> Iterator[Operation[Any]]:
    """Calls that answer ``False`` or an error, and must leave nothing open behind them."""
    yield ops.CasRunStatus(pools.RUN_IDS[1], pools.RUNS[0].status, pools.RUNS[0].status)
    yield ops.DeleteSpec("mob", 3)
    yield ops.PutSpec("mob", _SPEC, 3)
