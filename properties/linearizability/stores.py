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
from mobstore.model.values import BootstrapToken
from mobstore.properties.linearizability import cells
from mobstore.properties.linearizability import history as histories
from mobstore.properties.linearizability.history import Event, History
from mobstore.properties.linearizability.jsonl import thawed
from mobstore.properties.linearizability.models import Facts, Model, refuse
from mobstore.properties.subject import Outcome, normal_message, same_outcome, same_value

ANY_TIME: Final = Timestamp.parse("9999-12-31T23:59:59.999999999Z")
"""Stands in the model's answers for a time that the store gave, when nobody knows what its clock said."""

_CALLS: Final = {kind.call: kind for kind in OPERATIONS.values()}
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
        """Return the cells that the calls of one object compared, saw and wrote; None where none order them.

        They say only what must hold, and order the changes; what that allows is judged on whole states.
        """
        return cells.facts(history, rows, state)

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
