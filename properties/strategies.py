"""Hypothesis strategies for operations, drawn beside a state of the model.

What a call compares is mostly what the state holds, so that calls succeed; now and then it is something else
of the same kind, so that they do not.  Which argument is which follows from the wrapper table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from mobstore.model import MobRun, MobRunStatus, Operation, State
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT, RunStoreState
from mobstore.model.wrappers import ROWS, Absent, Append, Cell, Equals, Row
from mobstore.properties import pools

Draw: TypeAlias = Callable[[st.SearchStrategy[Any]], Any]

CELL_VALUES: Final[Mapping[Cell, tuple[Any, ...]]] = {
    Cell.STATUS: tuple(MobRunStatus),
    Cell.FLOW_STATE: pools.FLOW_STATES,
    Cell.FRAME: pools.FRAMES,
    Cell.LOOP: pools.LOOP_SNAPSHOTS,
    Cell.STEP_OUTPUT: pools.PAYLOADS,
    Cell.OUTPUT: pools.PAYLOADS,
    Cell.STEP_LEDGER: pools.STEP_ENTRIES,
    Cell.FAILURE_LEDGER: pools.FAILURE_ENTRIES,
    Cell.ITERATION_LEDGER: pools.ITERATION_ENTRIES,
}
"""What may be put into each cell."""

_ARGUMENTS: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    name: st.sampled_from(values)
    for name, values in {
        "run": pools.RUNS,
        "run_id": pools.RUN_IDS,
        "mob_id": pools.MOB_IDS,
        "step_id": pools.STEP_IDS,
        "frame_id": pools.FRAME_IDS,
        "loop_instance_id": pools.LOOP_IDS,
        "step_output_key": pools.OUTPUT_KEYS,
        "event": pools.EVENTS,
        "older_than": pools.TIMES,
        "agent_identity": pools.AGENTS,
        "generation": pools.GENERATIONS,
        "definition": pools.DOCUMENTS,
        "profile": pools.DOCUMENTS,
        "name": pools.PROFILE_NAMES,
        "expected_revision": pools.REVISIONS,
        "after_cursor": (0, 1, 2, 3, 5, 2**63 - 1, 2**63, 2**64 - 1),
        "limit": (100, 1, 2, 0, 2**63 - 1, 2**63),
    }.items()
} | {
    "flow_id": st.sampled_from((None, *pools.FLOW_IDS)),
    "loop_context": st.none() | st.tuples(st.sampled_from(pools.LOOPS), st.sampled_from(pools.ITERATIONS)),
    "revision": st.sampled_from((None, *pools.REVISIONS)),
    "events": st.lists(st.sampled_from(pools.EVENTS), max_size=4),
    "authority_inputs": st.lists(st.sampled_from(pools.ACCEPTED_INPUTS), max_size=2)
    | st.lists(st.sampled_from(pools.ACCEPTED_INPUTS + pools.REFUSED_INPUTS), max_size=3),
}
"""What an argument may be, by its name, where the state has no say."""

_ROWS: Final[dict[type[Operation[Any]], Row]] = {row.operation: row for row in ROWS}


def draw_operation(draw: Draw, kind: type[Operation[Any]], state: State) -> Operation[Any]:
    """Draw a call of one kind, to be made in ``state``."""
    row = _ROWS.get(kind)
    drawn: dict[str, Any] = {}
    for name in kind.parameters():
        if row is None:
            drawn[name] = _draw_plain(draw, kind, name, drawn, state)
        else:
            drawn[name] = _draw_of_row(draw, row, name, drawn, state.run)
    return kind(**drawn)


def _draw_of_row(draw: Draw, row: Row, name: str, drawn: dict[str, Any], state: RunStoreState) -> Any:
    if name == "run_id":
        return _draw_mostly(draw, sorted(state.runs), pools.RUN_IDS)
    if name in _KEYS:
        return _draw_key(draw, row, name, state.runs.get(drawn["run_id"]))
    compared = {item.argument: item.cell for item in row.comparisons if isinstance(item, Equals)}
    if name in compared:
        return _draw_expected(draw, row, compared[name], SimpleNamespace(**drawn), state)
    written = {item.argument: item for item in row.writes}
    if name in written and name != row.authority:
        values = st.sampled_from(CELL_VALUES[written[name].cell])
        optional = isinstance(written[name], Append) and row.operation is ops.UpsertLoopSnapshot
        return draw(st.none() | values) if optional else draw(values)
    return draw(_ARGUMENTS[name])


_KEYS: Final = {
    "frame_id": (Cell.FRAME, "frames", pools.FRAME_IDS),
    "loop_instance_id": (Cell.LOOP, "loops", pools.LOOP_IDS),
    "step_id": (Cell.STEP_OUTPUT, "step_ledger", pools.STEP_IDS),
}
"""The arguments that name a part of the run: its cell, the field that holds such parts, the pool of names."""


def _draw_key(draw: Draw, row: Row, name: str, run: MobRun | None) -> Any:
    cell, field, pool = _KEYS[name]
    held: set[Any] = set()
    if run is not None:
        parts = getattr(run, field)
        held = {entry.step_id for entry in parts} if cell is Cell.STEP_OUTPUT else set(parts)
    if Absent(cell) in row.comparisons and draw(st.booleans()):
        held = set(pool) - held
    return _draw_mostly(draw, sorted(held), pool)


def _draw_mostly(draw: Draw, usual: Sequence[Any], pool: Sequence[Any]) -> Any:
    """Draw what makes the call succeed, or once in a while anything."""
    if usual and draw(_MOSTLY):
        return draw(st.sampled_from(usual))
    return draw(st.sampled_from(pool))


_MOSTLY: Final = st.sampled_from((True,) * 9 + (False,))


def _draw_expected(draw: Draw, row: Row, cell: Cell, drawn: Any, state: RunStoreState) -> Any:
    run = state.runs.get(drawn.run_id)
    held = None if run is None else CURRENT[cell](run, drawn)
    others = st.sampled_from(CELL_VALUES[cell])
    optional = issubclass(row.operation, ops.CasFrameState)
    if held is not None and draw(_MOSTLY):
        return held
    return draw(st.none() | others) if optional else draw(others)


def _draw_plain(draw: Draw, kind: type[Operation[Any]], name: str, drawn: dict[str, Any], state: State) -> Any:
    if name == "expected":
        held = state.metadata.authorities.get(drawn["mob_id"])
        if held is not None and draw(_MOSTLY):
            return held
    if name in ("record", "expected"):
        overlay = "overlay" in kind.call
        return draw(st.sampled_from(pools.OVERLAYS if overlay else pools.AUTHORITIES))
    if name in ("revision", "expected_revision") and draw(st.booleans()):
        return _held_revision(kind, drawn, state)
    return draw(_ARGUMENTS[name])


def _held_revision(kind: type[Operation[Any]], drawn: dict[str, Any], state: State) -> int:
    if kind.store == "spec":
        revision: int = state.spec.specs.get(drawn["mob_id"], (None, 0))[1]
        return revision
    held = state.profile.profiles.get(drawn["name"])
    return 0 if held is None else held.revision
