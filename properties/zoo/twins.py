"""The broken twin of each chapter: a backend that it must reject, and the step at which it does.

Most twins are of the zoo.  The others stand here: what they do wrong is of no interest to any chapter but theirs.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from mobstore.backends._base import Clock
from mobstore.backends._stores import Stores
from mobstore.backends.capabilities import Capabilities
from mobstore.backends.memory import MemoryEngine
from mobstore.backends.sqlite import HANDLERS as SQLITE_HANDLERS
from mobstore.backends.sqlite import SqliteEngine
from mobstore.backends.sqlite._session import Session
from mobstore.model import Operation
from mobstore.model import operations as ops
from mobstore.model.step import HANDLERS, EventStoreState
from mobstore.properties.chapter import Result, Verdict
from mobstore.properties.faults.broken import BROKEN
from mobstore.properties.schedules.races import RACES, let_others_go_on
from mobstore.properties.subject import Factory, MemoryFactory, ProgramFactory, SqliteFactory
from mobstore.properties.zoo import ZOO
from mobstore.properties.zoo.backend import BrokenBackend, Kind


@attrs.frozen
class Twin:
    """A broken backend, and the step at which its chapter rejects it, or a part of the step's name.

    Where calls overlap, chance decides which call shows it: ``step`` is empty, and the chapter names one still.
    """

    backend: BrokenBackend
    step: str

    def is_found_by(self, result: Result) -> bool:
        """Whether the result of the chapter is that it rejects the twin, where it must."""
        return result.verdict is Verdict.FAILED and bool(result.step) and self.step in result.step


# --- what is not in the zoo -------------------------------------------------------------------------------------


class _Declares(MemoryFactory):
    """Declares to refuse what it does."""

    capabilities = Capabilities(refused=frozenset(("cas_start_loop",)))


class _Replaced(MemoryFactory):
    """A memory backend of which one call is done otherwise."""

    kind: type[Operation[Any]]
    handler: Callable[..., Any]

    def open(self, clock: Clock) -> Stores:
        """Return a handle on the one storage."""
        if self._stores is None:
            self._stores = Stores(MemoryEngine(clock, {**HANDLERS, self.kind: type(self).handler}))
        return self._stores


class _RepliesByTime(_Replaced):
    kind = ops.ReplayAll

    @staticmethod
    def handler(state: EventStoreState, op: Any, now: int) -> Any:
        """Answer the events in the order of their times, and not of their cursors."""
        _, events = HANDLERS[ops.ReplayAll](state, op, now)
        return state, tuple(sorted(events, key=lambda event: event.timestamp))


class _PutsWithoutComparing(_Replaced):
    kind = ops.CompareAndPutSupervisorAuthority

    @staticmethod
    def handler(state: Any, op: Any, now: int) -> Any:
        """Put the record, whatever is there."""
        changed, _ = HANDLERS[ops.PutSupervisorAuthority](
            state, ops.PutSupervisorAuthority(op.mob_id, op.record), now
        )
        return changed, True


class _Forgets(MemoryFactory):
    """Says that it survives its death, and has nothing afterwards."""

    def crash(self) -> None:
        """Forget everything."""
        self._stores = None

    kill = crash


class _OnABadDisk(MemoryFactory):
    """Is put on a simulated disk as a store that answers before it has written."""

    storages = (BROKEN["write-behind"].storage,)


class _Blinks(MemoryEngine):
    """A change takes the state away for a moment; reads go beside it."""

    blocks = True

    def execute(self, operation: Operation[Any]) -> Any:
        """Do the call."""
        store, _ = self._calls[type(operation)]
        if not operation.reads:
            held = store.state
            store.state = type(held)()
            time.sleep(0.001)
            store.state = held
        return super().execute(operation)


class _BlinkingFactory(MemoryFactory):
    def open(self, clock: Clock) -> Stores:
        """Return a handle on the one storage."""
        self._stores = self._stores or Stores(_Blinks(clock))
        return self._stores


class _Untransacted(SqliteFactory):
    """Every statement is a transaction of its own."""

    def connect(self, path: Path, clock: Clock) -> Stores:
        """Return the backend on this file."""
        handlers = {kind: (Session.read, body) for kind, (_, body) in SQLITE_HANDLERS.items()}
        return Stores(SqliteEngine(path, clock=clock, handlers=handlers, trace=let_others_go_on))


def _accepting() -> Factory:
    return ProgramFactory(f"{shlex.quote(sys.executable)} -m mobstore.properties.zoo.accepting")


def _alone(
    chapter: str, mistake: str, make: Callable[[], Factory], step: str = "", kind: Kind = Kind.MEMORY
) -> Twin:
    return Twin(BrokenBackend(name_of(chapter), mistake, chapter, kind, make), step)


def name_of(chapter: str) -> str:
    """Return what the pair of a chapter and its twin is called."""
    return f"twin-of-{chapter}"


def _race(chapter: str, name: str) -> Twin:
    return _alone(chapter, RACES[name].mistake, RACES[name])


_NO_TRANSACTION: Final = "every statement of a call is a transaction of its own"
_BLINK: Final = "a change takes the state away for a moment"
_COMPARED: Final = "compare_and_put_supervisor_authority"
_ALONE: Final = (
    _alone("capabilities", "a call that is declared to be refused is done", _Declares, "cas_start_loop"),
    _alone("requests", "what cannot be read is answered as if it had been done", _accepting, "run.create_run"),
    _alone("clock", "all events are replayed in the order of their times", _RepliesByTime, "replay_all"),
    _alone("rotation", "a record is put whatever it is compared with", _PutsWithoutComparing, _COMPARED),
    _race("branches-threads", "lost-update"),
    _race("stress-threads", "double-winner"),
    _race("branches-handles", "event-out-of-order"),
    _alone("stress-handles", _NO_TRANSACTION, _Untransacted, kind=Kind.SQLITE),
    _alone("branches-tasks", _BLINK, _BlinkingFactory),
    _alone("stress-tasks", _BLINK, _BlinkingFactory, "get_run"),
    _alone("branches-processes", _NO_TRANSACTION, _Untransacted, kind=Kind.SQLITE),
    _race("stress-processes", "double-winner"),
    _alone("kills", "nothing is left of what was answered when it is killed", _Forgets, "kill"),
    _alone("power-cuts", "a call is answered before it is written", _OnABadDisk, "create_run"),
)

_OF_THE_ZOO: Final = {
    "smoke": (
        "cas-frame-state-with-authority-authority-log-not-written",
        "cas_frame_state_with_authority, seen by get_run",
    ),
    "rows": ("cas-start-loop-loop-not-compared", "cas_start_loop"),
    "comparisons": ("compare-inserts", _COMPARED),
    "values": ("integers-as-doubles", "put_spec, seen by get_spec"),
    "cursors": ("cursor-reused-after-prune", "append"),
    "awkward-ids": ("names-ignore-case-and-blanks", "create"),
    "bad-input": ("bad-output-swallowed", "as an output"),
    "recordings": ("cursor-reused-after-prune", "append"),
    "handles": ("storage-of-its-own", "create_run, seen by get_run"),
    "refines-run-lifecycle": ("completion-time-moves", "cas_run_status, seen by get_run"),
    "refines-run-ledgers": ("output-on-first-entry", "put_step_output, seen by get_run"),
    "refines-run-frames": ("output-moved-to-the-end", "cas_complete_step_and_record_output, seen by get_run"),
    "refines-run-loops": ("one-ledger-for-every-loop", "upsert_loop_snapshot, seen by get_run"),
    "refines-run": ("cas-frame-state-unknown-run-misjudged", "cas_frame_state"),
    "refines-event": ("clear-keeps-cursors", "append"),
    "refines-metadata-supervisor": ("compare-inserts", _COMPARED),
    "refines-metadata-overlay": ("overlay-key-without-generation", "put_external_binding_overlay_if_absent"),
    "refines-spec": ("delete-ignores-revision", "delete_spec"),
    "refines-profile": ("creation-time-moves", "update"),
    "subscriptions": ("last-delivered-twice", "once"),
    "secrets": ("key-logged", "a_key_that_is_put"),
    "workflows": (
        "cas-frame-state-with-authority-frame-not-written",
        "cas_frame_state_with_authority, seen by get_run",
    ),
    "threads": ("checked-then-done", "cas_flow_state"),
    "crashes": ("saved-now-and-then", "crash, seen by get_run"),
}

TWINS: Final[Mapping[str, Twin]] = {twin.backend.chapter: twin for twin in _ALONE} | {
    chapter: Twin(ZOO[name], step) for chapter, (name, step) in _OF_THE_ZOO.items()
}
"""The twin of every chapter, by the chapter's name."""
