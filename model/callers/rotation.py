"""How supervisors change their key (contract, section 8): pure protocols, which other code carries out.

A protocol is a generator.  It yields requests - store operations, `FreshKey`, `AskToAccept`, `AskToGoBack`,
`Remember` - is sent the answer of each, and returns what it came to.  It may end anywhere (its process dies, or an
error is thrown into it); `rotate` begun again goes on from the durable record.  The rules:

1. *A key is durable before anybody is asked to trust it.*  The pending rotation that is stored names the peers
   that may trust the attempted key: those that accepted it, and the one that is asked next.
2. *What is stored is no acceptance.*  A rotation commits only what every remote peer accepted when this rotation
   itself asked; so a peer that was named early costs a question, where one named late would cost the peer.
3. *One attempt stands.*  Whoever finds a pending rotation goes on with it, whoever began it.
4. *What is compared is the stored record*, never the one with the process's memory laid over it.
5. *No answer is not the answer no.*  A compare-and-put or a peer whose answer is lost may have done it: the record
   is read again, and the peer counts as one that may trust the key.
6. *Nothing is given up while it can still be finished.*  Peers are asked to go back only from an attempt that the
   record no longer has, or has passed; the process remembers each of them until it is back.

Rules 1 and 2 are a better order than the original's, which asks first and records the acceptance afterwards: dying
in between, it leaves a peer trusting a key that no record knows, and with two rotators nothing can mend that.

What is taken for granted of remote peers: a peer trusts one authority; it changes to the one that it is asked to
trust when the one that speaks proves to be the one that it trusts, and says that it accepted when it trusts it
already; it does no such thing otherwise.  ``peers`` are all of them: none joins the mob while it rotates.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model._records import evolve
from mobstore.model.machines.rotation import (
    apply_process_local_pending_rotation,
    authority_record,
    from_authority,
    remove_accepted_peer_ids,
    same_attempted_authority,
    without_pending_rotation,
)
from mobstore.model.machines.sorts import Natural
from mobstore.model.operations import (
    CompareAndPutSupervisorAuthority,
    LoadSupervisorAuthority,
    Operation,
    PutSupervisorAuthorityIfAbsent,
)
from mobstore.model.values import (
    MobId,
    PeerId,
    SecretKey,
    SupervisorAuthorityRecord,
    SupervisorPendingRotationRecord,
)

TRIES: Final = 6
"""How often a compare-and-put is decided again before contention is reported (contract: callers)."""

_GREATEST_EPOCH: Final = Natural(64).maximum


class Unclear(enum.Enum):
    """The answer to a request that was cut off: it may have happened, or not."""

    UNCLEAR = "unclear"


UNCLEAR: Final = Unclear.UNCLEAR


class PeerAnswer(enum.StrEnum):
    """What a peer says, or that nobody knows (`UNREACHABLE`: it may trust the authority now, or not)."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@attrs.frozen
class Key:
    """The answer to `FreshKey`: a secret key, and the peer id that its public key gives."""

    secret_key: SecretKey
    public_peer_id: PeerId


@attrs.frozen
class FreshKey:
    """Make a key that nobody has; the answer is a `Key`."""


@attrs.frozen
class Ask:
    """Ask a peer to trust ``authority`` from now on, as the ``speaker`` whom it is thought to trust.

    The answer is a `PeerAnswer`.  Both records have no pending rotation; who asks proves to have both keys.
    """

    peer_id: PeerId
    speaker: SupervisorAuthorityRecord
    authority: SupervisorAuthorityRecord


class AskToAccept(Ask):
    """Ask a peer to trust the next authority."""


class AskToGoBack(Ask):
    """Ask a peer that may trust an attempted authority to trust the present one."""


@attrs.frozen
class Remember:
    """Keep this in the process: an authority that is not to be, and peers that may trust it (None: forget it).

    There is no answer.  What is kept is given to the next protocol that the process runs.
    """

    pending: SupervisorPendingRotationRecord | None


Request: TypeAlias = Operation[Any] | FreshKey | Ask | Remember


class Why(enum.StrEnum):
    """Why a rotation is incomplete; whatever it is, doing it again goes on."""

    ABSENT = "the mob has no authority record"
    LAST_EPOCH = "there is no epoch after the record's"
    PEERS = "peers did not accept the next authority"
    NOT_BACK = "peers are not back from an attempt that came to nothing"
    OVERTAKEN = "other processes went on without this attempt; its peers are back"
    CONTENTION = "the record changed, or the store did not answer, too often"


@attrs.frozen
class Rotated:
    """The authority is this one now: every remote peer accepted it."""

    authority: SupervisorAuthorityRecord


@attrs.frozen
class Abandoned:
    """No attempt stands: the authority is this one still, and every peer is back."""

    authority: SupervisorAuthorityRecord


@attrs.frozen
class Incomplete:
    """It is not done, and why; ``peers`` are those that it is about, sorted."""

    why: Why
    peers: tuple[PeerId, ...] = ()


Outcome: TypeAlias = Rotated | Abandoned | Incomplete
Initialization: TypeAlias = Generator[Request, Any, "SupervisorAuthorityRecord | Incomplete"]
Rotation: TypeAlias = Generator[Request, Any, Outcome]


def initialize(mob_id: MobId) -> Initialization:
    """Give the mob its first authority, of epoch 0, unless it has one; return the one that it has."""
    stored = None
    for _ in range(TRIES):
        stored = yield LoadSupervisorAuthority(mob_id)
        if isinstance(stored, SupervisorAuthorityRecord):
            return stored
        if stored is None:
            first = authority_of_key((yield FreshKey()), 0)
            if (yield PutSupervisorAuthorityIfAbsent(mob_id, first)) is True:
                return first
    return Incomplete(Why.CONTENTION)


def rotate(
    mob_id: MobId, peers: Iterable[PeerId], remembered: SupervisorPendingRotationRecord | None = None
) -> Rotation:
    """Begin a rotation, or go on with the one that stands.

    Args:
        mob_id: whose authority changes.
        peers: all remote peers of the mob.
        remembered: what the process remembers of a rotation before (`Remember`).
    """
    return Rotator(mob_id, peers, remembered).rotate()


def abandon(
    mob_id: MobId, peers: Iterable[PeerId], remembered: SupervisorPendingRotationRecord | None = None
) -> Rotation:
    """Give up the attempt that stands: bring its peers back, then clear it.

    ``peers`` and ``remembered`` are those of `rotate`.  Only for who knows that nobody else rotates: a peer that
    is back trusts the present authority, whose key a rotator still holds, so a late question of that rotator would
    take it to the attempt that is cleared here.  A process that finishes the attempt meanwhile is noticed, and the
    peers are asked to follow; but the record has no place that could tell the next process of it.
    """
    return Rotator(mob_id, peers, remembered).abandon()


def authority_of_key(key: Key, epoch: int) -> SupervisorAuthorityRecord:
    """Return the authority of a key, without a pending rotation."""
    return SupervisorAuthorityRecord(key.secret_key, key.public_peer_id, epoch)


def _is_authority(attempt: SupervisorPendingRotationRecord, record: SupervisorAuthorityRecord) -> bool:
    return authority_record(attempt) == without_pending_rotation(record)


def _is_next(attempt: SupervisorPendingRotationRecord, record: SupervisorAuthorityRecord) -> bool:
    return attempt.epoch == record.epoch + 1


def _stands(attempt: SupervisorPendingRotationRecord, record: SupervisorAuthorityRecord) -> bool:
    return record.pending_rotation is not None and same_attempted_authority(attempt, record.pending_rotation)


def _naming(attempt: SupervisorPendingRotationRecord, peers: Iterable[PeerId]) -> SupervisorPendingRotationRecord:
    """Return the attempt with more peers that may trust it."""
    return from_authority(authority_record(attempt), sorted({*attempt.accepted_peer_ids, *peers}))


class Rotator:
    """One run of `rotate` or `abandon`, and what it knows.

    Attributes:
        mob_id: whose authority changes.
        peers: the remote peers, sorted, each once.
        remembered: what the process remembers.
        stored: the record last seen in the store.
        attempt: the authority that is worked towards, with the peers that may trust it.
        announced: whether the attempt was seen in the store.
        accepted: the peers that accepted the attempt when this run asked them.
    """

    def __init__(
        self, mob_id: MobId, peers: Iterable[PeerId], remembered: SupervisorPendingRotationRecord | None
    ) -> None:
        self.mob_id = mob_id
        self.peers = tuple(sorted(set(peers)))
        self.remembered = remembered if remembered is not None and remembered.accepted_peer_ids else None
        self.stored: SupervisorAuthorityRecord
        self.attempt: SupervisorPendingRotationRecord | None = None
        self.announced = False
        self.accepted: set[PeerId] = set()

    # --- rotate ---------------------------------------------------------------------------------------------

    def rotate(self) -> Rotation:
        """Rotate."""
        return (yield from self._until_decided(self._go_on))

    def _go_on(self) -> Generator[Request, Any, Outcome | None]:
        """Decide by what is stored now; None says that it has to be read again."""
        if self.attempt is not None:
            outcome = yield from self._go_on_with(self.attempt)
            if outcome is not None:
                return outcome
        if self.attempt is None:
            outcome = yield from self._choose()
            if outcome is not None or self.attempt is None:
                return outcome
        outcome = yield from self._ask_all()
        if outcome is not None or set(self.peers) - self.accepted:
            return outcome
        return (yield from self._commit())

    def _go_on_with(self, attempt: SupervisorPendingRotationRecord) -> Generator[Request, Any, Outcome | None]:
        """Look what became of the attempt, which is dropped when nobody may trust it."""
        if _is_authority(attempt, self.stored):
            yield from self._remember(None)
            return Rotated(authority_record(attempt))
        if _stands(attempt, self.stored):
            self.attempt, self.announced = _naming(attempt, self._named()), True
            return None
        if not self.announced and self.stored.pending_rotation is None and _is_next(attempt, self.stored):
            return None
        self.attempt = None
        if not attempt.accepted_peer_ids:
            return None
        left = yield from self._bring_back(attempt)
        return Incomplete(Why.NOT_BACK, left) if left else Incomplete(Why.OVERTAKEN)

    def _choose(self) -> Generator[Request, Any, Outcome | None]:
        """Choose the next authority: the one that is pending, or a fresh key.

        What is pending but cannot be the next is undone.
        """
        standing, remembered = self.stored.pending_rotation, self.remembered
        if remembered is not None and not _is_authority(remembered, self.stored):
            took, seen = apply_process_local_pending_rotation(self.stored, remembered)
            if not took or not _is_next(remembered, self.stored):
                left = yield from self._bring_back(remembered)
                if left:
                    return Incomplete(Why.NOT_BACK, left)
            else:
                standing = seen.pending_rotation
        if standing is None:
            return (yield from self._begin())
        if _is_next(standing, self.stored):
            self._begin_with(_naming(standing, self._named()))
            return None
        left = yield from self._bring_back(standing)
        if left:
            return Incomplete(Why.NOT_BACK, left)
        yield self._replacing(without_pending_rotation(self.stored))
        return None

    def _begin(self) -> Generator[Request, Any, Outcome | None]:
        if self.stored.epoch == _GREATEST_EPOCH:
            return Incomplete(Why.LAST_EPOCH)
        self._begin_with(from_authority(authority_of_key((yield FreshKey()), self.stored.epoch + 1), ()))
        return None

    def _begin_with(self, attempt: SupervisorPendingRotationRecord) -> None:
        self.attempt, self.announced = attempt, _stands(attempt, self.stored)
        self.accepted = set()

    def _ask_all(self) -> Generator[Request, Any, Outcome | None]:
        """Ask every peer that did not accept yet; stop at the first that does not."""
        for peer in self.peers:
            if peer in self.accepted:
                continue
            if not (yield from self._announce(peer)):
                return None
            answer = yield from self._ask(peer)
            if answer is not PeerAnswer.ACCEPTED:
                return Incomplete(Why.PEERS, (peer,))
            self.accepted.add(peer)
        return None

    def _announce(self, peer: PeerId) -> Generator[Request, Any, bool]:
        """Store that the peer may trust the attempt; answer whether that is stored."""
        assert self.attempt is not None
        announced = _naming(self.attempt, (peer,))
        changed = announced != self.stored.pending_rotation
        if changed and not (yield from self._replace(evolve(self.stored, {"pending_rotation": announced}))):
            return False
        self.attempt, self.announced = announced, True
        return True

    def _ask(self, peer: PeerId) -> Generator[Request, Any, PeerAnswer]:
        assert self.attempt is not None
        answer: PeerAnswer = yield AskToAccept(
            peer, without_pending_rotation(self.stored), authority_record(self.attempt)
        )
        return answer

    def _commit(self) -> Generator[Request, Any, Outcome | None]:
        assert self.attempt is not None
        authority = authority_record(self.attempt)
        if not (yield from self._replace(authority)):
            return None
        yield from self._remember(None)
        return Rotated(authority)

    # --- abandon --------------------------------------------------------------------------------------------

    def abandon(self) -> Rotation:
        """Abandon."""
        return (yield from self._until_decided(self._give_up))

    def _give_up(self) -> Generator[Request, Any, Outcome | None]:
        if self.remembered is not None and not _is_authority(self.remembered, self.stored):
            left = yield from self._bring_back(self.remembered)
            if left:
                return Incomplete(Why.NOT_BACK, left)
        standing = self.stored.pending_rotation
        if standing is not None:
            left = yield from self._return_all(standing)
            if left:
                return Incomplete(Why.NOT_BACK, left)
            if not (yield from self._replace(without_pending_rotation(self.stored))):
                return None
        yield from self._remember(None)
        return Abandoned(self.stored)

    def _return_all(self, standing: SupervisorPendingRotationRecord) -> Generator[Request, Any, tuple[PeerId, ...]]:
        """Bring the peers of an attempt back that somebody may still finish.

        So what has to be remembered is who trusts the *present* authority: it may be the one that is gone.
        """
        present = from_authority(without_pending_rotation(self.stored), self._remembered_peers())
        left = []
        for peer in self._those_here(standing):
            present = _naming(present, (peer,))
            yield from self._remember(present)
            if (yield from self._go_back(peer, standing)) is not PeerAnswer.ACCEPTED:
                left.append(peer)
        return tuple(left)

    # --- both -----------------------------------------------------------------------------------------------

    def _until_decided(self, decide: Callable[[], Generator[Request, Any, Outcome | None]]) -> Rotation:
        """Read the record and decide, again and again until there is an outcome.

        Beside the usual tries there is one a peer, for each that another process may announce.
        """
        for _ in range(TRIES + len(self.peers)):
            stored = yield LoadSupervisorAuthority(self.mob_id)
            if stored is None:
                return Incomplete(Why.ABSENT)
            if stored is UNCLEAR:
                continue
            self.stored = stored
            outcome = yield from decide()
            if outcome is not None:
                return outcome
        return Incomplete(Why.CONTENTION)

    def _bring_back(self, attempt: SupervisorPendingRotationRecord) -> Generator[Request, Any, tuple[PeerId, ...]]:
        """Bring the peers of an attempt that is not to be to the present authority; return those that are left.

        What is left is remembered, unless it is stored.
        """
        stored = _stands(attempt, self.stored)
        left = attempt
        for peer in self._those_here(attempt):
            if not stored:
                yield from self._remember(left)
            if (yield from self._go_back(peer, attempt)) is PeerAnswer.ACCEPTED:
                _, left = remove_accepted_peer_ids(left, (peer,))
        here = self._those_here(left)
        if not stored:
            yield from self._remember(left if here else None)
        return here

    def _go_back(
        self, peer: PeerId, attempt: SupervisorPendingRotationRecord
    ) -> Generator[Request, Any, PeerAnswer]:
        answer: PeerAnswer = yield AskToGoBack(
            peer, authority_record(attempt), without_pending_rotation(self.stored)
        )
        return answer

    def _those_here(self, attempt: SupervisorPendingRotationRecord) -> tuple[PeerId, ...]:
        """Return the peers that may trust an attempt and are still in the mob."""
        return tuple(peer for peer in attempt.accepted_peer_ids if peer in self.peers)

    def _named(self) -> tuple[PeerId, ...]:
        """Return the peers that the stored attempt names."""
        standing = self.stored.pending_rotation
        return standing.accepted_peer_ids if standing is not None else ()

    def _remembered_peers(self) -> tuple[PeerId, ...]:
        return self.remembered.accepted_peer_ids if self.remembered is not None else ()

    def _remember(self, pending: SupervisorPendingRotationRecord | None) -> Generator[Request, Any, None]:
        if pending != self.remembered:
            self.remembered = pending
            yield Remember(pending)

    def _replacing(self, record: SupervisorAuthorityRecord) -> CompareAndPutSupervisorAuthority:
        return CompareAndPutSupervisorAuthority(self.mob_id, self.stored, record)

    def _replace(self, record: SupervisorAuthorityRecord) -> Generator[Request, Any, bool]:
        """Compare and put against the record last seen; answer whether it is known to have happened."""
        if (yield self._replacing(record)) is not True:
            return False
        self.stored = record
        return True
