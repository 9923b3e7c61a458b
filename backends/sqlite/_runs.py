"""Runs as a whole: creating one, and reading it back from the rows of its cells."""

# ruff: noqa: S608 - names of our own tables and columns are put into statements; values never are

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from mobstore.backends.sqlite._agreement import (
    TOTAL,
    agreed,
    agreeing,
    confirm_absence,
    disagreement,
    present,
    sound,
    sum_of,
)
from mobstore.backends.sqlite._cells import GROW_LOOP, LEDGERS, PUT_LOOP_OUTPUT, PUT_ROOT_OUTPUT
from mobstore.backends.sqlite._checks import REPLACED, SCOPES
from mobstore.backends.sqlite._codec import decode, unreadable
from mobstore.backends.sqlite._session import Session
from mobstore.backends.sqlite._shapes import COLUMNS, COUNT, Shape, kinds, shape
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
    if present(session, "run_id", (run.run_id,)):
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
_RUN: Final = Shape.made(
    "runs",
    *(kinds("runs", name) for name in _COLUMNS),
    kinds("run_params", "activation_params", optional=True),
    checked=True,
)


def _select_run(name: str, rest: str) -> str:
    """Return the SELECT of runs; ``name`` is the run's id, as SQL, where the query asks for one."""
    params = SCOPES["run_params"]
    check = agreed(
        *([f"r.run_id = {name}"] if name else []),
        sound("runs", "r"),
        f"{sum_of(params, 'p')} = {params.total('r.seq')}",
        value=sum_of(SCOPES["runs_of_mob"], "r"),
    )
    columns = ", ".join(f"r.{column}" for column in _COLUMNS)
    joined = "runs AS r LEFT JOIN run_params AS p ON p.run = r.seq"
    return f"SELECT {columns}, p.activation_params, {check} FROM {joined} {rest}"


_SELECT_RUN: Final = _select_run("?", "WHERE r.run_id = ?")
_SELECT_RUNS: Final = {
    "runs_of_mob": _select_run("", "WHERE r.mob_id = ? ORDER BY r.seq"),
    "runs_of_flow": _select_run("", "WHERE r.mob_id = ? AND r.flow_id = ? ORDER BY r.seq"),
}
_EVERY_RUN: Final = _select_run("", "ORDER BY r.seq")


def get_run(session: Session, operation: ops.GetRun) -> MobRun | None:
    """Answer a run."""
    row = session.row(_SELECT_RUN, (operation.run_id, operation.run_id), _RUN)
    if row is None:
        confirm_absence(session, SCOPES["run_id"], (operation.run_id,))
        return None
    return _run(session, row[:-1])


def list_runs(session: Session, operation: ops.ListRuns) -> tuple[MobRun, ...]:
    """Answer the runs of a mob, or of a flow of it, in the order of their creation."""
    if operation.flow_id is None:
        return _runs(session, "runs_of_mob", operation.mob_id)
    return _runs(session, "runs_of_flow", operation.mob_id, operation.flow_id)


def _runs(session: Session, name: str, *key: str) -> tuple[MobRun, ...]:
    scope = SCOPES[name]
    rows = session.rows(_SELECT_RUNS[name], key, _RUN)
    found = session.row(f"SELECT {scope.total()}", key, TOTAL)
    assert found is not None, "an expression answers one row"
    return tuple(_run(session, row) for row in agreeing(session, scope, rows, found[0]))


def every_run(session: Session) -> Iterator[MobRun]:
    """Iterate over all runs in the order of their creation."""
    for row in session.rows(_EVERY_RUN, (), _RUN):
        yield _run(session, row[:-1])


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


class _Parts:
    """The lists of a run, each of which has to agree with its check."""

    def __init__(self, session: Session, seq: int) -> None:
        self._session = session
        self._seq = seq
        self._totals: dict[int, int] = dict(session.rows(_TOTALS, (seq,), _TOTAL_OF))

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return columns of a list in its order."""
        scope = SCOPES[name]
        query, rule = _list_of_run(name, columns)
        rows = self._session.rows(query, (self._seq,), rule)
        return agreeing(self._session, scope, rows, self._totals.get(scope.key(), 0))


_LISTS: Final = (
    "frames",
    "loops",
    "root_outputs",
    "loop_outputs",
    "loop_iterations",
    *(ledger.table for ledger in LEDGERS.values()),
)
_TOTALS: Final = (
    "SELECT scope, total FROM checks WHERE owner = ? AND scope IN "
    f"({', '.join(str(SCOPES[name].key()) for name in _LISTS)})"
)
_TOTAL_OF: Final = Shape.made("checks", COUNT, COUNT)


@functools.cache
def _list_of_run(name: str, columns: tuple[str, ...]) -> tuple[str, Shape]:
    scope = SCOPES[name]
    check = sum_of(scope, "t")
    if scope.table in REPLACED:
        check = agreed(sound(scope.table, "t"), value=check)
    order = " ORDER BY t.place" if "place" in COLUMNS[scope.table] else ""
    shown = ", ".join(f"t.{column}" for column in columns)
    query = f"SELECT {shown}, {check} FROM {scope.table} AS t WHERE t.run = ?{order}"
    return query, shape(scope.table, *columns, checked=True)


def _parts(session: Session, seq: int, place: str) -> dict[str, Any]:
    parts = _Parts(session, seq)
    return {
        "step_ledger": StepLedger(_entries(session, Cell.STEP_LEDGER, parts, place, step_entry)),
        "failure_ledger": FailureLedger(
            _entries(session, Cell.FAILURE_LEDGER, parts, place, lambda text: from_text(FailureLedgerEntry, text))
        ),
        "loop_iteration_ledger": LoopIterationLedger(
            _entries(session, Cell.ITERATION_LEDGER, parts, place, iteration_entry)
        ),
        "flow_authority_inputs": AuthorityLog(
            _entries(session, Cell.AUTHORITY_LOG, parts, place, _authority_input)
        ),
        "frames": _snapshots(session, "frames", "frame_id", FrameSnapshot, parts, place),
        "loops": _snapshots(session, "loops", "loop_instance_id", LoopSnapshot, parts, place),
        "root_step_outputs": _root_outputs(session, parts, place),
        "loop_iteration_outputs": _loop_outputs(session, parts, place),
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


def _entries(session: Session, cell: Cell, parts: _Parts, place: str, entry: Callable[..., Any]) -> Iterable[Any]:
    ledger = LEDGERS[cell]
    for number, row in enumerate(parts.rows(ledger.table, *ledger.columns)):
        try:
            yield entry(*row)
        except Serialization as error:
            raise unreadable(session.shown, f"{place}: {ledger.table}[{number}]", error) from None


def _snapshots(session: Session, table: str, key: str, kind: type, parts: _Parts, place: str) -> TrieMap[str, Any]:
    rows = parts.rows(table, key, "snapshot")
    return TrieMap({name: snapshot(session, kind, text, f"{place}: {table}[{name!r}]") for name, text in rows})


def _payload(session: Session, text: str, place: str) -> Payload:
    payload: Payload = decode(Payload, text, session.shown, place)
    return payload


def _root_outputs(session: Session, parts: _Parts, place: str) -> OrderedTrieMap[str, Payload]:
    rows = parts.rows("root_outputs", "key", "output")
    if len({key for key, _ in rows}) != len(rows):
        raise disagreement(session, "root_outputs")
    return OrderedTrieMap({key: _payload(session, text, f"{place}: root_outputs[{key!r}]") for key, text in rows})


def _loop_outputs(session: Session, parts: _Parts, place: str) -> TrieMap[str, IterationOutputs]:
    lengths = parts.rows("loop_iterations", "loop_id", "iterations")
    written: defaultdict[str, defaultdict[int, dict[str, Payload]]] = defaultdict(lambda: defaultdict(dict))
    for loop_id, iteration, key, text in parts.rows("loop_outputs", "loop_id", "iteration", "key", "output"):
        if key in written[loop_id][iteration]:
            raise disagreement(session, "loop_outputs")
        written[loop_id][iteration][key] = _payload(
            session, text, f"{place}: loop_outputs[{loop_id!r}][{iteration}][{key!r}]"
        )
    return TrieMap({loop_id: _iterations(written[loop_id], length) for loop_id, length in lengths})


def _iterations(written: dict[int, dict[str, Payload]], length: int) -> IterationOutputs:
    outputs = {iteration: OrderedTrieMap(items) for iteration, items in written.items()}
    if length:
        outputs.setdefault(length - 1, IterationOutputs.empty())
    return IterationOutputs(outputs)
