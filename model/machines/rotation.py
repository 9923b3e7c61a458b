"""The supervisor's rotation (contract, section 8): what a process remembers, laid over what is durable.

`ROTATION` is a machine whose states are authority records and which has no phases: one input, and three
transitions whose guards exclude one another.  The other functions are single terms.
"""

from collections.abc import Iterable
from typing import Final

from mobstore.model.machines import terms as t
from mobstore.model.machines.evaluation import Function
from mobstore.model.machines.machine import (
    INPUT,
    Guard,
    Machine,
    Transition,
    Transitioned,
    state_fields,
    transition,
)
from mobstore.model.machines.rotation_inputs import ApplyProcessLocalPendingRotation
from mobstore.model.machines.sorts import Record
from mobstore.model.values import PeerId, SupervisorAuthorityRecord, SupervisorPendingRotationRecord

s: Final = state_fields(SupervisorAuthorityRecord)
_pending: Final = t.fields_of(INPUT, ApplyProcessLocalPendingRotation).pending

_IDENTITY: Final = ("secret_key", "public_peer_id", "epoch", "protocol_version")


def same_attempt(left: t.Term, right: t.Term) -> t.Term:
    """Return that two records attempt the same authority, whoever accepted it so far."""
    return t.every(left.get(field).eq(right.get(field)) for field in _IDENTITY)


def is_next_epoch(epoch: t.Term, attempt: t.Term) -> t.Term:
    """Return that an attempt's epoch is ``epoch`` and one more; there is none after the greatest."""
    return (attempt.get("epoch") > epoch) & (attempt.get("epoch") - 1).eq(epoch)


_STANDING_IS_THE_SAME: Final = t.Present(s.pending_rotation) & same_attempt(t.The(s.pending_rotation), _pending)
_HAS_ACCEPTED: Final = ~t.is_empty(_pending.get("accepted_peer_ids"))
_ACCEPTED: Final = Guard("AcceptedPeers", "a peer accepted it", _HAS_ACCEPTED)
_NO_OTHER_STANDS: Final = Guard(
    "PendingRotation", "no other attempt stands", ~t.Present(s.pending_rotation) | _STANDING_IS_THE_SAME
)
_NEXT_EPOCH: Final = Guard(
    "Epoch",
    "its epoch is the record's and one more",
    is_next_epoch(s.epoch, _pending),
)


def _apply(id: str, *guards: Guard, stored: t.Term | None) -> Transition:
    return transition(
        ApplyProcessLocalPendingRotation,
        None,
        *guards,
        updates={"pending_rotation": stored},
        state=SupervisorAuthorityRecord,
        id=id,
    )


ROTATION: Final[Machine[SupervisorAuthorityRecord]] = Machine(
    name="rotation",
    state=SupervisorAuthorityRecord,
    inputs=(ApplyProcessLocalPendingRotation,),
    transitions=(
        # Remote peers trust an attempt that came to nothing: it has to be seen, so that they are brought back.
        _apply(
            "StoreOvertaken",
            _ACCEPTED,
            Guard("Epoch", "its epoch is not above the record's", _pending.get("epoch") <= s.epoch),
            Guard("PeerId", "it is not the record's own", _pending.get("public_peer_id").ne(s.public_peer_id)),
            _NO_OTHER_STANDS,
            stored=_pending,
        ),
        _apply(
            "Clear",
            _NEXT_EPOCH,
            Guard("AcceptedPeers", "no peer accepted it", ~_HAS_ACCEPTED),
            Guard("PendingRotation", "the same attempt stands", _STANDING_IS_THE_SAME),
            stored=None,
        ),
        _apply("StoreNext", _NEXT_EPOCH, _ACCEPTED, _NO_OTHER_STANDS, stored=_pending),
    ),
)
"""What `apply_process_local_pending_rotation` does, as data."""

_PENDING: Final = t.Var("pending", Record(SupervisorPendingRotationRecord))
_OTHER: Final = t.Var("other", Record(SupervisorPendingRotationRecord))
_AUTHORITY: Final = t.Var("authority", Record(SupervisorAuthorityRecord))
_PEERS: Final = t.var("peers", tuple[PeerId, ...])


def _identity(record: t.Term) -> tuple[t.Term, ...]:
    return tuple(record.get(field) for field in _IDENTITY)


def _authority_of(record: t.Term) -> t.Term:
    none = t.nothing(Record(SupervisorPendingRotationRecord))
    return t.Make(SupervisorAuthorityRecord, (*_identity(record), none))


SAME_ATTEMPTED_AUTHORITY: Final = Function(
    "same_attempted_authority", (_PENDING, _OTHER), same_attempt(_PENDING, _OTHER)
)
FROM_AUTHORITY: Final = Function(
    "from_authority",
    (_AUTHORITY, _PEERS),
    t.Make(SupervisorPendingRotationRecord, (*_identity(_AUTHORITY), _PEERS)),
)
AUTHORITY_RECORD: Final = Function("authority_record", (_PENDING,), _authority_of(_PENDING))
WITHOUT_PENDING_ROTATION: Final = Function("without_pending_rotation", (_AUTHORITY,), _authority_of(_AUTHORITY))
REMOVE_ACCEPTED_PEER_IDS: Final = Function(
    "remove_accepted_peer_ids",
    (_PENDING, _PEERS),
    t.Make(
        SupervisorPendingRotationRecord,
        (
            *_identity(_PENDING),
            t.filtered(_PENDING.get("accepted_peer_ids"), lambda peer: ~t.member(peer, _PEERS)),
        ),
    ),
)


def apply_process_local_pending_rotation(
    record: SupervisorAuthorityRecord, pending: SupervisorPendingRotationRecord
) -> tuple[bool, SupervisorAuthorityRecord]:
    """Return whether ``record`` took what the process remembers, and the record after it (the same if not)."""
    result = ROTATION.step(record, ApplyProcessLocalPendingRotation(pending))
    return (True, result.next_state) if isinstance(result, Transitioned) else (False, record)


def same_attempted_authority(
    pending: SupervisorPendingRotationRecord, other: SupervisorPendingRotationRecord
) -> bool:
    """Return whether both attempt the same key, peer id, epoch and protocol."""
    return bool(SAME_ATTEMPTED_AUTHORITY(pending, other))


def from_authority(
    authority: SupervisorAuthorityRecord, accepted_peer_ids: Iterable[PeerId]
) -> SupervisorPendingRotationRecord:
    """Return the attempt of this authority, with the peers that accepted it, in their order."""
    result: SupervisorPendingRotationRecord = FROM_AUTHORITY(authority, tuple(accepted_peer_ids))
    return result


def authority_record(pending: SupervisorPendingRotationRecord) -> SupervisorAuthorityRecord:
    """Return the attempted authority as the record that commits it, without a pending rotation."""
    result: SupervisorAuthorityRecord = AUTHORITY_RECORD(pending)
    return result


def without_pending_rotation(record: SupervisorAuthorityRecord) -> SupervisorAuthorityRecord:
    """Return the record without its pending rotation."""
    result: SupervisorAuthorityRecord = WITHOUT_PENDING_ROTATION(record)
    return result


def remove_accepted_peer_ids(
    pending: SupervisorPendingRotationRecord, peer_ids: Iterable[PeerId]
) -> tuple[bool, SupervisorPendingRotationRecord]:
    """Return whether a peer was removed from those that accepted, and the record without them."""
    result: SupervisorPendingRotationRecord = REMOVE_ACCEPTED_PEER_IDS(pending, tuple(peer_ids))
    return len(result.accepted_peer_ids) < len(pending.accepted_peer_ids), result
