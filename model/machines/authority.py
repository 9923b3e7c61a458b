"""The authority machine: the durable authority record, as rotating supervisors change it (contract, section 8).

The states are what is stored; what a process remembers, and lays over it, is `rotation`.  Each transition is one
compare-and-put against the record last seen.
"""

from typing import Final

from mobstore.model.machines import authority_inputs as inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, Guard, Input, Machine, Transition, state_fields, transition
from mobstore.model.machines.rotation import is_next_epoch, same_attempt
from mobstore.model.values import SupervisorAuthorityRecord

s: Final = state_fields(SupervisorAuthorityRecord)
_STANDING: Final = t.The(s.pending_rotation)


def _next_epoch(attempt: t.Term) -> Guard:
    return Guard("Epoch", "its epoch is the record's and one more", is_next_epoch(s.epoch, attempt))


def _transition(input: type[Input], *guards: Guard, **updates: t.Like) -> Transition:
    return transition(input, None, *guards, updates=updates, state=SupervisorAuthorityRecord)


def _record_acceptance() -> Transition:
    attempt = t.fields_of(INPUT, inputs.RecordAcceptance).attempt
    accepted = attempt.get("accepted_peer_ids")
    kept = t.for_all(_STANDING.get("accepted_peer_ids"), lambda peer: t.member(peer, accepted))
    return _transition(
        inputs.RecordAcceptance,
        _next_epoch(attempt),
        Guard("AcceptedPeers", "a peer accepted it", ~t.is_empty(accepted)),
        Guard("AcceptedPeers", "the peers are sorted, each once", t.Increasing(accepted)),
        Guard(
            "PendingRotation",
            "no other attempt stands",
            ~t.Present(s.pending_rotation) | same_attempt(_STANDING, attempt),
        ),
        Guard("AcceptedPeers", "no peer that accepted is forgotten", ~t.Present(s.pending_rotation) | kept),
        pending_rotation=attempt,
    )


def _commit() -> Transition:
    i = t.fields_of(INPUT, inputs.CommitRotation)
    stands = t.Present(s.pending_rotation)
    accepted = t.for_all(i.remote_peers, lambda peer: t.member(peer, _STANDING.get("accepted_peer_ids")))
    return _transition(
        inputs.CommitRotation,
        _next_epoch(i.attempt),
        Guard("PendingRotation", "no other attempt stands", ~stands | same_attempt(_STANDING, i.attempt)),
        Guard("AcceptedPeers", "every remote peer accepted it", t.is_empty(i.remote_peers) | (stands & accepted)),
        secret_key=i.attempt.get("secret_key"),
        public_peer_id=i.attempt.get("public_peer_id"),
        epoch=i.attempt.get("epoch"),
        protocol_version=i.attempt.get("protocol_version"),
        pending_rotation=None,
    )


def _abandon() -> Transition:
    restored = t.fields_of(INPUT, inputs.AbandonRotation).restored
    return _transition(
        inputs.AbandonRotation,
        Guard("PendingRotation", "an attempt stands", t.Present(s.pending_rotation)),
        Guard(
            "AcceptedPeers",
            "every peer that accepted it was brought back",
            t.for_all(_STANDING.get("accepted_peer_ids"), lambda peer: t.member(peer, restored)),
        ),
        pending_rotation=None,
    )


_TRANSITIONS: Final = (_record_acceptance(), _commit(), _abandon())

AUTHORITY: Final[Machine[SupervisorAuthorityRecord]] = Machine(
    name="authority",
    state=SupervisorAuthorityRecord,
    inputs=tuple(transition.input for transition in _TRANSITIONS),
    transitions=_TRANSITIONS,
)
"""The moves of the durable record."""
