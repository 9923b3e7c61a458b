"""The log of events, as cases: cursors, polling, pruning and clearing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from mobstore.model import Document, NewMobEvent
from mobstore.model import operations as ops
from mobstore.properties import pools
from mobstore.properties.cases import Case
from mobstore.properties.source import Aside

COVERED: Final = (ops.Append, ops.AppendBatch, ops.Clear, ops.Prune)
"""The calls that these cases are about."""

_KIND: Final = Document.of({"type": "mob_reset"})
_TIMES: Final = pools.TIMES[:3]
_EVENTS: Final = tuple(NewMobEvent("mob", _KIND, timestamp=time) for time in _TIMES)
_THREE: Final = ops.AppendBatch(_EVENTS)
_ONE: Final = ops.Append(_EVENTS[0])
_ALL: Final = ops.Prune(pools.TIMES[5])
"""Removes every event of these."""


def cases() -> Iterator[Case]:
    """Iterate over the cases."""
    yield Case("a batch is empty", (ops.AppendBatch(()), _ONE))
    yield Case("events are appended one by one and in batches", (_ONE, _THREE, _ONE))
    yield Case("an event has no time", (ops.Append(NewMobEvent("mob", _KIND)),))
    yield Case("a batch has times and none", (ops.AppendBatch((_EVENTS[1], NewMobEvent("mob", _KIND))),))
    for name, removal in (("pruned", _ALL), ("cleared", ops.Clear())):
        yield Case(f"all events were {name}", (_ONE, removal, _ONE))
        yield Case(f"all events were {name}, and the storage was opened again", (_ONE, removal, Aside.REOPEN, _ONE))
        yield Case(f"events are {name} twice", (_THREE, removal, removal, ops.LatestCursor()))
    yield Case("events are cleared after some were pruned", (_THREE, ops.Prune(_TIMES[1]), ops.Clear(), _ONE))
    for time in pools.TIMES:
        yield Case("older events are pruned", (_THREE, ops.Prune(time)))
    yield Case("events of a mob are pruned with all", (ops.AppendBatch(pools.EVENTS), ops.Prune(pools.TIMES[2])))
    for after, limit in itertools.product((0, 1, 2, 3, 4, 2**63 - 1), (0, 1, 2, 2**63 - 1)):
        yield Case("events are polled", (_THREE, ops.Poll(after, limit)))
    for after, limit in ((2**63, 1), (0, 2**63), (2**64 - 1, 2**64 - 1)):
        yield Case("events are polled with a number that is too large", (ops.Poll(after, limit),))
    yield Case("events are polled after some were pruned", (_THREE, ops.Prune(_TIMES[1]), ops.Poll(1, 2)))
    yield Case(
        "there are many events", (ops.AppendBatch((_EVENTS * 400)[:1100]), ops.ReplayAll(), ops.Poll(0, 1100))
    )
    yield Case("events are not in the order of their times", (ops.AppendBatch(_EVENTS[::-1]), ops.Poll(0, 2)))
