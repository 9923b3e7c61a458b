"""Our stores as a model: the specification itself, `step`, answers the calls; runs, mobs and names are the objects.

In a history of our stores ``f`` is the name of the call, ``value`` the operation, and ``answer`` the `Outcome`: an
error is an answer, too.  In a file ``value`` is the JSON object of the arguments, and ``result`` is
``{"ok": ANSWER}`` or ``{"err": {"kind", "message", ...}}``.

Secret keys and tokens stand in files as digests of themselves: equal ones stay equal, and nobody can use them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import attrs

from mobstore.model import (
    OPERATIONS,
    ROWS,
    MobRun,
    MobStoreError,
    Operation,
    SecretKey,
    Serialization,
    State,
    Timestamp,
    converter,
    evolve,
    from_json,
    step,
    to_json,
)
from mobstore.model import operations as ops
from mobstore.model.step import CURRENT
from mobstore.model.values import BootstrapToken
from mobstore.model.wrappers import Absent, Cell, Equals, NotTerminal, Put, Row
from mobstore.properties.linearizability import history as histories
from mobstore.properties.linearizability.history import Event, History
from mobstore.properties.linearizability.jsonl import thawed
from mobstore.properties.linearizability.models import Facts, Kind, Model, change_or_read, refuse
from mobstore.properties.subject import Outcome, normal_message, same_outcome, same_value

ANY_TIME: Final = Timestamp.parse("9999-12-31T23:59:59.999999999Z")
"""Stands in the model's answers for a time that the store gave, when nobody knows what its clock said."""

_CALLS: Final = {kind.call: kind for kind in OPERATIONS.values()}
_ROWS: Final[Mapping[type[Operation[Any]], Row]] = {row.operation: row for row in ROWS}
_CELLS: Final = (Cell.STATUS, Cell.FLOW_STATE, Cell.FRAME, Cell.LOOP)
"""The cells whose whole contents a call compares or a run shows; of the others the model alone decides."""
_WHOLE_STORE: Final = (ops.ListRuns, ops.ListSpecs, ops.ListProfiles)
_OBJECTS: Final = {"spec": "mob_id", "profile": "name"}


def outcome_in(state: State, operation: Operation[Any], now: int) -> tuple[State, Outcome]:
    """Return the state after a call, and what it comes to."""
    try:
        state, answer = step(state, operation, now)
    except MobStoreError as error:
        return state, Outcome(None, error.kind, normal_message(str(error)), error.fields())
    return state, Outcome(answer)


class StoreModel(Model):
    """The five stores.

    Args:
        start: what they hold at the beginning.
        now: where the store's clock stood still, in nanoseconds since 1970; None when it ran: times that the store
            gave are then not compared, and ``prune``, which compares with them, is no operation of the model.
    """

    name = "store"
    exact = False

    def __init__(self, start: State | None = None, now: int | None = None) -> None:
        self._start = State() if start is None else start
        self._runs = now is None
        self._now = ANY_TIME.seconds * 1_000_000_000 + ANY_TIME.nanos if now is None else now

    def initial(self) -> State:
        """Return what the stores hold at the beginning."""
        return self._start

    def step(self, state: Any, f: str, value: Any) -> tuple[Any, Any]:
        """Return the state after a call, and its outcome."""
        return outcome_in(state, value, self._now)

    def agrees(self, answer: Any, answered: Any) -> bool:
        """Whether the outcomes are the same, but for times that only the store knew."""
        if same_outcome(answer, answered):
            return True
        known = self._runs and answer.kind is None and answered.kind is None
        return known and _same_but_times(answer.value, answered.value)

    def observes(self, f: str, value: Any, answer: Any) -> bool:
        """Whether the call reads, was refused, or answered ``False``."""
        return bool(value.reads) or answer.kind is not None or answer.value is False

    def reads(self, f: str, value: Any) -> bool:
        """Whether the call reads."""
        return bool(value.reads)

    def parts(self, history: History) -> Mapping[Hashable, Sequence[int]]:
        """Return the rows of each run, mob and name; a call that lists a whole store makes it one object."""
        whole = {operation.store for operation in history.value if isinstance(operation, _WHOLE_STORE)}
        rows: dict[Hashable, list[int]] = {}
        for row, operation in enumerate(history.value):
            key = (operation.store,) if operation.store in whole else object_of(operation)
            rows.setdefault(key, []).append(row)
        return rows

    def facts(self, history: History, rows: Sequence[int], state: Any) -> Facts | None:
        """Return the cells of a run that its calls compared, saw and wrote; None for calls of another kind.

        They say only what must hold: a witness is still replayed on the whole model.
        """
        run_ids = {getattr(history.value[row], "run_id", None) for row in rows}
        run = state.run.runs.get(next(iter(run_ids))) if len(run_ids) == 1 else None
        if run is None or any(type(history.value[row]) not in (ops.GetRun, *_ROWS) for row in rows):
            return None
        return _RunFacts(history, rows, run).facts()

    def admit(self, event: Event) -> Event:
        """Return the event with an operation and an outcome in place of their JSON."""
        kind = _CALLS.get(event.f)
        if kind is None or kind is ops.Subscribe or (self._runs and kind is ops.Prune):
            raise refuse(event, f"no call of a history of the stores: {event.f!r}")
        if event.key is not None:
            raise refuse(event, "the objects of the stores are named by the arguments: their events have no key")
        try:
            operation = from_json(kind, thawed(event.value))
            answered = None if event.outcome is not histories.Outcome.OK else _outcome(kind, thawed(event.answered))
        except Serialization as error:
            raise refuse(event, f"{event.f}: {error}") from None
        return attrs.evolve(event, value=operation, answered=answered)

    def plain(self, value: Any) -> Any:
        """Return an operation or an outcome as JSON, secrets as digests."""
        if isinstance(value, Outcome):
            return attrs.evolve(value, value=_veiled(value.value)).to_json()
        return to_json(_veiled(value)) if isinstance(value, Operation) else thawed(value)

    def shown(self, state: Any) -> Any:
        """Return what the stores hold as JSON: the runs, and of the others what is not empty."""
        held = {
            "runs": tuple(state.run.runs.values()),
            "events": tuple(state.event.events),
            "authorities": state.metadata.authorities,
            "overlays": {mob: tuple(overlays.values()) for mob, overlays in state.metadata.overlays.items()},
            "specs": state.spec.specs,
            "profiles": tuple(state.profile.profiles.values()),
        }
        return {name: to_json(_veiled(value)) for name, value in held.items() if value}


def object_of(operation: Operation[Any]) -> tuple[Hashable, ...]:
    """Return the object that a call is about: the store, and the run, mob, kind of record or name in it."""
    store = operation.store
    if isinstance(operation, ops.CreateRun):
        return store, operation.run.run_id
    if store == "run":
        return store, getattr(operation, "run_id", None)
    if store == "metadata":
        return store, "authority" if "authority" in operation.call else "overlays", operation.mob_id  # type: ignore[attr-defined]
    name = _OBJECTS.get(store)
    return (store,) if name is None else (store, getattr(operation, name))


def _outcome(kind: type[Operation[Any]], told: Any) -> Outcome:
    """Return the outcome that a file tells.

    Raises:
        Serialization: it is none of this call.
    """
    if isinstance(told, dict) and set(told) == {"ok"}:
        return Outcome(converter(kind.answer)(told["ok"]))
    error = told.get("err") if isinstance(told, dict) and set(told) == {"err"} else None
    if not isinstance(error, dict) or not isinstance(error.get("kind"), str):
        msg = ': an ok response carries "result": {"ok": ANSWER} or {"err": {"kind", "message", ...}}'
        raise Serialization(msg)
    fields = {name: value for name, value in error.items() if name not in ("kind", "message")}
    return Outcome(None, error["kind"], normal_message(str(error.get("message", ""))), fields)


def _same_but_times(expected: Any, told: Any) -> bool:
    """Whether two answers are the same where the model knows the time."""
    if expected is told or (expected == ANY_TIME and isinstance(told, Timestamp)):
        return True
    if type(expected) is not type(told):
        return False
    if attrs.has(type(expected)):
        names = [field.name for field in attrs.fields(type(expected))]
        return all(_same_but_times(getattr(expected, name), getattr(told, name)) for name in names)
    if isinstance(expected, (tuple, list)):
        return len(expected) == len(told) and all(map(_same_but_times, expected, told))
    return same_value(expected, told)


def _veiled(value: Any) -> Any:
    """Return a value with digests in place of secrets."""
    if isinstance(value, SecretKey):
        return SecretKey.of(hashlib.sha256(value.reveal()).digest())
    if isinstance(value, BootstrapToken):
        return BootstrapToken.of(hashlib.sha256(value.reveal().encode()).hexdigest())
    if isinstance(value, tuple):
        return tuple(map(_veiled, value))
    if isinstance(value, Mapping):
        return {key: _veiled(item) for key, item in value.items()} if _may_hold_secrets(value) else value
    if not attrs.has(type(value)):
        return value
    fields = ((field.name, getattr(value, field.name)) for field in attrs.fields(type(value)))
    changes = {name: veiled for name, held in fields if (veiled := _veiled(held)) is not held}
    return evolve(value, changes) if changes else value


def _may_hold_secrets(held: Mapping[Any, Any]) -> bool:
    return any(_veiled(value) is not value for value in held.values())


# --- the cells of a run -----------------------------------------------------------------------------------------

_Cell = tuple[Cell, Hashable]


class _RunFacts:
    """What the calls of one run compared, saw and wrote, read from their rows of the wrapper table."""

    def __init__(self, history: History, rows: Sequence[int], run: MobRun) -> None:
        self._history, self._rows, self._run = history, rows, run
        self._operations: dict[_Cell, Operation[Any]] = {}  # of each cell, a call that is about it
        self._kinds: list[Kind] = []
        self._expects: list[Mapping[_Cell, Any]] = []
        self._writes: list[Mapping[_Cell, Any]] = []

    def facts(self) -> Facts | None:
        """Return the facts, or None when a call compares what is no whole cell."""
        operations = [self._history.value[row] for row in self._rows]
        for operation in operations:
            table = _ROWS.get(type(operation))
            for part in () if table is None else (*table.comparisons, *table.writes):
                if part.cell in _CELLS:
                    self._operations[_cell(part.cell, operation)] = operation
        for row, operation in zip(self._rows, operations, strict=True):
            if not self._note(row, operation):
                return None
        initial = {cell: CURRENT[cell[0]](self._run, operation) for cell, operation in self._operations.items()}
        return Facts(self._kinds, self._expects, self._writes, initial, frozenset(initial))

    def _note(self, row: int, operation: Operation[Any]) -> bool:
        outcome = self._history.answer[row]
        if isinstance(operation, ops.GetRun):
            if outcome.kind is not None or outcome.value is None:
                return False
            seen = {cell: CURRENT[cell[0]](outcome.value, each) for cell, each in self._operations.items()}
            return self._add(Kind.READ, seen, {})
        table = _ROWS[type(operation)]
        if not all(isinstance(part, NotTerminal) or part.cell in _CELLS for part in table.comparisons):
            return False
        expected, written = _expected(table, operation), _written(table, operation)
        if self._history.outcome[row] is not histories.Outcome.OK:
            return self._add(Kind.MAYBE, expected, written)
        if outcome.kind is not None:
            return False
        if outcome.value is False:
            return self._add(Kind.FAILED, expected, {})
        whole = all(isinstance(part, Put) and part.cell in _CELLS for part in table.writes)
        return self._add(change_or_read(expected, written) if whole else Kind.CHANGE, expected, written)

    def _add(self, kind: Kind, expected: Mapping[_Cell, Any], written: Mapping[_Cell, Any]) -> bool:
        self._kinds.append(kind)
        self._expects.append(expected)
        self._writes.append(written)
        return True


def _cell(cell: Cell, operation: Any) -> _Cell:
    if cell is Cell.FRAME:
        return cell, operation.frame_id
    return cell, operation.loop_instance_id if cell is Cell.LOOP else None


def _expected(table: Row, operation: Any) -> dict[_Cell, Any]:
    """What a call compares; a status that is compared as terminal, and may not be, is one that never stands."""
    expected: dict[_Cell, Any] = {}
    for part in table.comparisons:
        if isinstance(part, Equals):
            expected[_cell(part.cell, operation)] = getattr(operation, part.argument)
        elif isinstance(part, Absent):
            expected[_cell(part.cell, operation)] = None
    status = expected.get((Cell.STATUS, None))
    if status is not None and status.is_terminal and NotTerminal() in table.comparisons:
        expected[Cell.STATUS, None] = _NEVER
    return expected


_NEVER: Final = object()


def _written(table: Row, operation: Any) -> dict[_Cell, Any]:
    puts = (part for part in table.writes if isinstance(part, Put) and part.cell in _CELLS)
    return {_cell(part.cell, operation): getattr(operation, part.argument) for part in puts}
