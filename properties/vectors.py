"""Vectors: recorded transitions of the original's reducers, which the machines must reproduce exactly.

A line is ``{"state", "input", "ok" or "err"}`` of the run, frame or loop machine, or ``{"op", "args", "ok" or
"err"}`` of a function on supervisor records.  The state's fields say whose machine it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mobstore.model import Serialization, SupervisorAuthorityRecord, from_json, to_json
from mobstore.model.machines import (
    FRAME,
    LOOP,
    RUN,
    GuardRejected,
    Machine,
    Rejection,
    apply_process_local_pending_rotation,
    authority_record,
    from_authority,
    remove_accepted_peer_ids,
    same_attempted_authority,
    without_pending_rotation,
)
from mobstore.model.machines.sorts import Record
from mobstore.model.values import SupervisorPendingRotationRecord

MACHINES: Final = (RUN, FRAME, LOOP)
_FIELDS: Final[Mapping[frozenset[str], Machine[Any]]] = {
    frozenset(Record(machine.state).fields): machine for machine in MACHINES
}
_REFUSED: Final = {"err": "the arguments are refused"}
_GREATEST: Final = 2**32 - 1


def machine_of(row: Any) -> Machine[Any] | None:
    """Return the machine that a line is a vector of; None of any other line."""
    if not isinstance(row, Mapping) or not isinstance(row.get("state"), Mapping) or "input" not in row:
        return None
    return _FIELDS.get(frozenset(row["state"]))


def is_vector(row: Any) -> bool:
    """Whether a line is a vector."""
    return machine_of(row) is not None or (isinstance(row, Mapping) and row.get("op") in FUNCTIONS)


def is_overruled(row: Mapping[str, Any]) -> bool:
    """Whether the original wraps its loop counter around, which the contract (section 9) has refused."""
    if "input" not in row or "ok" not in row:
        return False
    ended: Mapping[str, Any] = row["input"].get("BodyFrameCompleted", {})
    return ended.get("iteration") == _GREATEST


def reproduce(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what a vector must come to, and what it comes to, both as JSON.

    Raises:
        Serialization: the state or the input of a vector cannot be read.
    """
    machine = machine_of(row)
    if machine is None:
        return _reproduce_function(row)
    state = from_json(machine.state, row["state"])
    result = machine.step(state, machine.read_input(row["input"])).to_json()
    if is_overruled(row):
        return GuardRejected((Rejection("BodyFrameCompleted", "Iteration"),)).to_json(), result
    return row.get("ok") or row["err"], result


def _reproduce_function(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Of an error only that it is one is compared: the original's text is that of its JSON parser."""
    try:
        answer = FUNCTIONS[row["op"]](row["args"])
    except Serialization:
        answer = _REFUSED
    return row.get("ok", _REFUSED), answer


def _pending(value: Any) -> SupervisorPendingRotationRecord:
    return from_json(SupervisorPendingRotationRecord, value)


def _authority(value: Any) -> SupervisorAuthorityRecord:
    return from_json(SupervisorAuthorityRecord, value)


def _apply(args: Mapping[str, Any]) -> Any:
    took, record = apply_process_local_pending_rotation(_authority(args["record"]), _pending(args["pending"]))
    return {"result": took, "record": to_json(record)}


def _remove(args: Mapping[str, Any]) -> Any:
    removed, pending = remove_accepted_peer_ids(_pending(args["pending"]), args["peer_ids"])
    return {"result": removed, "pending": to_json(pending)}


FUNCTIONS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "authority.apply_process_local_pending_rotation": _apply,
    "authority.without_pending_rotation": lambda args: to_json(
        without_pending_rotation(_authority(args["record"]))
    ),
    "pending.authority_record": lambda args: to_json(authority_record(_pending(args["pending"]))),
    "pending.from_authority": lambda args: to_json(
        from_authority(_authority(args["authority"]), args["accepted_peer_ids"])
    ),
    "pending.remove_accepted_peer_ids": _remove,
    "pending.same_attempted_authority": lambda args: same_attempted_authority(
        _pending(args["pending"]), _pending(args["other"])
    ),
}
"""The recorded functions on supervisor records, on the JSON of their arguments."""
