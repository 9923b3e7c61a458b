"""Runs as a whole: creating one, and reading it back from the rows of its cells."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mobstore.backends.sqlite._cells import GROW_LOOP, LEDGERS, PUT_LOOP_OUTPUT, PUT_ROOT_OUTPUT
from mobstore.backends.sqlite._codec import decode, unreadable
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import Shape, kinds, shape
from mobstore.model import (
    Cell,
    FrameSnapshot,
    Internal,
    LoopIterationLedgerEntry,
    LoopSnapshot,
    MobRun,
    OrderedTrieMap,
    ReadFailed,
    Serialization,
    StepLedgerEntry,
    TrieMap,
    from_text,
)
from mobstore.model import operations as ops
from mobstore.model._json import Payload
from mobstore.model._records import U64
from mobstore.model.step import LEDGERS as LEDGER_FIELDS
from mobstore.model.values import (
    AuthorityLog,
    FailureLedger,
    FailureLedgerEntry,
    FlowAuthorityInput,
    FlowRunState,
    IterationOutputs,
    LoopIterationLedger,
    StepLedger,
)

_INSERT_RUN: Final = (
    "INSERT INTO runs (run_id, mob_id, flow_id, schema_version, created_at, completed_at, status, flow_state) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_SEQ: Final = shape("runs", "seq")
_INSERT_PARAMS: Final = "INSERT INTO run_params (run, activation_params) VALUES (?, ?)"
_INSERT_FRAME: Final = "INSERT INTO frames (run, frame_id, snapshot) VALUES (?, ?, ?)"
_INSERT_LOOP: Final = "INSERT INTO loops (run, loop_instance_id, snapshot) VALUES (?, ?, ?)"


def create_run(session: Session, operation: ops.CreateRun) -> None:
    """Store a new run, with whatever it already has."""
    run = operation.run
    if session.row("SELECT 1 FROM runs WHERE run_id = ?", (run.run_id,)) is not None:
        raise Internal(f"run already exists: {run.run_id}")
    insert_run(session, run)


def insert_run(session: Session, run: MobRun) -> None:
    """Insert the rows of a run that does not exist."""
    completed = None if run.completed_at is None else str(run.completed_at)
    text = session.texts.of
    session.change(
        _INSERT_RUN,
        (
            run.run_id,
            run.mob_id,
            run.flow_id,
            run.schema_version,
            str(run.created_at),
            completed,
            run.status.value,
            text(run.flow_state),
        ),
    )
    found = session.row("SELECT seq FROM runs WHERE run_id = ?", (run.run_id,), _SEQ)
    if found is None:
        raise ReadFailed(f"{session.shown}: runs: the run that was just inserted is not found")
    seq = found[0]
    session.change(_INSERT_PARAMS, (seq, run.activation_params.text))
    session.change_many(_INSERT_FRAME, ((seq, key, text(frame)) for key, frame in run.frames.items()))
    session.change_many(_INSERT_LOOP, ((seq, key, text(loop)) for key, loop in run.loops.items()))
    for cell, field in LEDGER_FIELDS.items():
        ledger = LEDGERS[cell]
        session.change_many(ledger.insert, ((seq, seq, *ledger.row(entry)) for entry in getattr(run, field)))
    _insert_outputs(session, seq, run)


def _insert_outputs(session: Session, seq: int, run: MobRun) -> None:
    for key, output in run.root_step_outputs.items():
        session.change(PUT_ROOT_OUTPUT, (seq, seq, key, output.text))
    for loop_id, iterations in run.loop_iteration_outputs.items():
        session.change(GROW_LOOP, (seq, loop_id, len(iterations)))
        for iteration, outputs in iterations.written():
            for key, output in outputs.items():
                session.change(PUT_LOOP_OUTPUT, (seq, seq, loop_id, iteration, key, output.text))


# --- reading ------------------------------------------------------------------------------------------------

_COLUMNS: Final = (
    *("seq", "run_id", "mob_id", "flow_id", "status", "flow_state", "created_at", "completed_at", "schema_version"),
)
_SELECT_RUN: Final = (
    f"SELECT {', '.join(_COLUMNS)}, activation_params FROM runs LEFT JOIN run_params ON run_params.run = seq"
)
_RUN: Final = Shape.made(
    "runs", *(kinds("runs", name) for name in _COLUMNS), kinds("run_params", "activation_params", optional=True)
)


def get_run(session: Session, operation: ops.GetRun) -> MobRun | None:
    """Answer a run."""
    row = session.row(f"{_SELECT_RUN} WHERE run_id = ?", (operation.run_id,), _RUN)
    return None if row is None else _run(session, row)


def list_runs(session: Session, operation: ops.ListRuns) -> tuple[MobRun, ...]:
    """Answer the runs of a mob, or of a flow of it, in the order of their creation."""
    if operation.flow_id is None:
        rows = session.rows(f"{_SELECT_RUN} WHERE mob_id = ? ORDER BY seq", (operation.mob_id,), _RUN)
    else:
        rows = session.rows(
            f"{_SELECT_RUN} WHERE mob_id = ? AND flow_id = ? ORDER BY seq",
            (operation.mob_id, operation.flow_id),
            _RUN,
        )
    return tuple(_run(session, row) for row in rows)


def every_run(session: Session) -> Iterator[MobRun]:
    """Iterate over all runs in the order of their creation."""
    for row in session.rows(f"{_SELECT_RUN} ORDER BY seq", (), _RUN):
        yield _run(session, row)


def _run(session: Session, row: tuple[Any, ...]) -> MobRun:
    seq, run_id, mob_id, flow_id, status, flow_state, created_at, completed_at, version, params = row
    place = f"run {run_id}"
    try:
        return MobRun(
            run_id,
            mob_id,
            flow_id,
            status,
            snapshot(session, FlowRunState, flow_state, f"{place}: flow_state"),
            decode(Payload, params or "", session.shown, f"{place}: activation_params"),
            created_at,
            completed_at,
            schema_version=version,
            **_parts(session, seq, place),
        )
    except Serialization as error:
        raise unreadable(session.shown, f"{place}: ", error) from None


def snapshot(session: Session, kind: type, text: str, place: str) -> Any:
    """Read the text of a snapshot, and remember it: the caller will hand it back as what it expects."""
    value = decode(kind, text, session.shown, place)
    session.texts.remember(value, text)
    return value


def _parts(session: Session, seq: int, place: str) -> dict[str, Any]:
    return {
        "step_ledger": StepLedger(_entries(session, Cell.STEP_LEDGER, seq, place, step_entry)),
        "failure_ledger": FailureLedger(
            _entries(session, Cell.FAILURE_LEDGER, seq, place, lambda text: from_text(FailureLedgerEntry, text))
        ),
        "loop_iteration_ledger": LoopIterationLedger(
            _entries(session, Cell.ITERATION_LEDGER, seq, place, iteration_entry)
        ),
        "flow_authority_inputs": AuthorityLog(_entries(session, Cell.AUTHORITY_LOG, seq, place, _authority_input)),
        "frames": _snapshots(session, "frames", "frame_id", FrameSnapshot, seq, place),
        "loops": _snapshots(session, "loops", "loop_instance_id", LoopSnapshot, seq, place),
        "root_step_outputs": _root_outputs(session, seq, place),
        "loop_iteration_outputs": _loop_outputs(session, seq, place),
    }


@functools.lru_cache(maxsize=1 << 15)
def _authority_input(text: str) -> Any:
    """Read a record of the authority log.

    Two thirds of reading a long run are its log, of which callers that race read the same again and again.
    """
    return from_text(FlowAuthorityInput, text)


def step_entry(step_id: str, agent: str, status: str, output: str, timestamp: str) -> StepLedgerEntry:
    """Read a row of the step ledger."""
    return StepLedgerEntry(step_id, agent, status, Payload.parse(output), timestamp)  # type: ignore[arg-type]


def iteration_entry(instance: str, iteration: str, frame_id: str) -> LoopIterationLedgerEntry:
    """Read a row of the iteration ledger."""
    return LoopIterationLedgerEntry(instance, from_text(U64, iteration), frame_id)


def _entries(session: Session, cell: Cell, seq: int, place: str, entry: Callable[..., Any]) -> Iterable[Any]:
    ledger = LEDGERS[cell]
    query = f"SELECT {', '.join(ledger.columns)} FROM {ledger.table} WHERE run = ? ORDER BY place"
    for number, row in enumerate(session.rows(query, (seq,), shape(ledger.table, *ledger.columns))):
        try:
            yield entry(*row)
        except Serialization as error:
            raise unreadable(session.shown, f"{place}: {ledger.table}[{number}]", error) from None


def _snapshots(session: Session, table: str, key: str, kind: type, seq: int, place: str) -> TrieMap[str, Any]:
    query = f"SELECT {key}, snapshot FROM {table} WHERE run = ?"
    rows = session.rows(query, (seq,), shape(table, key, "snapshot"))
    return TrieMap({name: snapshot(session, kind, text, f"{place}: {table}[{name!r}]") for name, text in rows})


def _payload(session: Session, text: str, place: str) -> Payload:
    payload: Payload = decode(Payload, text, session.shown, place)
    return payload


def _root_outputs(session: Session, seq: int, place: str) -> OrderedTrieMap[str, Payload]:
    query = "SELECT key, output FROM root_outputs WHERE run = ? ORDER BY place"
    rows = session.rows(query, (seq,), shape("root_outputs", "key", "output"))
    return OrderedTrieMap({key: _payload(session, text, f"{place}: root_outputs[{key!r}]") for key, text in rows})


def _loop_outputs(session: Session, seq: int, place: str) -> TrieMap[str, IterationOutputs]:
    query = "SELECT loop_id, iterations FROM loop_iterations WHERE run = ?"
    lengths = session.rows(query, (seq,), shape("loop_iterations", "loop_id", "iterations"))
    written: defaultdict[str, defaultdict[int, dict[str, Payload]]] = defaultdict(lambda: defaultdict(dict))
    query = "SELECT loop_id, iteration, key, output FROM loop_outputs WHERE run = ? ORDER BY place"
    for loop_id, iteration, key, text in session.rows(
        query, (seq,), shape("loop_outputs", "loop_id", "iteration", "key", "output")
    ):
        written[loop_id][iteration][key] = _payload(
            session, text, f"{place}: loop_outputs[{loop_id!r}][{iteration}][{key!r}]"
        )
    return TrieMap({loop_id: _iterations(written[loop_id], length) for loop_id, length in lengths})


def _iterations(written: dict[int, dict[str, Payload]], length: int) -> IterationOutputs:
    outputs = {iteration: OrderedTrieMap(items) for iteration, items in written.items()}
    if length:
        outputs.setdefault(length - 1, IterationOutputs.empty())
    return IterationOutputs(outputs)
