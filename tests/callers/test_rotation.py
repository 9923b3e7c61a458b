"""Supervisors change their key: alone, together, and dying anywhere."""

import itertools
import secrets

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mobstore.model import SecretKey, evolve
from mobstore.model.callers import rotation
from mobstore.model.callers.rotation import (
    Abandoned,
    AskToAccept,
    Incomplete,
    PeerAnswer,
    Rotated,
    Rotator,
    Why,
    authority_of_key,
    initialize,
)
from mobstore.model.machines.rotation import from_authority
from mobstore.model.operations import (
    CompareAndPutSupervisorAuthority,
    LoadSupervisorAuthority,
    PutSupervisorAuthority,
)
from mobstore.properties import keys
from mobstore.properties.rotations import MOB, Peers, Process, Setting, Violation, explore, first_authority
from mobstore.properties.subject import ManualClock, MemoryFactory, SqliteFactory, call_port, opened

PEERS = ("p", "q")


def rotator(kind=Rotator, peers=PEERS):
    """What begins a rotation of a class of rotators."""
    return lambda life: kind(MOB, peers, None).rotate()


def abandoning(kind=Rotator, peers=PEERS):
    """What begins an abandonment."""
    return lambda life: kind(MOB, peers, None).abandon()


def found(setting, record=None):
    """What an exploration found against a setting."""
    with pytest.raises(Violation) as violation:
        explore(setting, record or first_authority())
    return str(violation.value)


# --- Every interleaving --------------------------------------------------------------------------------------

SETTINGS = {
    "one, dying twice, two answers lost": Setting((rotator(),), PEERS, 2, 2, rotator()),
    "two, one peer, dying twice": Setting((rotator(peers="p"),) * 2, ("p",), 2, 0, rotator(peers="p")),
    "two, two peers, one dying, an answer lost": Setting((rotator(), rotator()), PEERS, 1, 1, rotator()),
    "two, nobody to ask, one dying, an answer lost": Setting(
        (rotator(peers=()), rotator(peers=())), (), 1, 1, rotator(peers=())
    ),
    "three, one peer": Setting((rotator(peers="p"),) * 3, ("p",), 0, 0, rotator(peers="p")),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_no_interleaving_leaves_a_peer_trusting_a_key_that_no_record_knows(name):
    """Whatever dies or is lost, the peers' keys are in the record, and a process alone can finish."""
    explored = explore(SETTINGS[name], first_authority())
    assert explored.worlds > 40
    assert "CommitRotation" in explored.inputs


def test_an_attempt_may_be_abandoned_by_who_is_alone():
    """Rotating, dying, and giving up instead, with deaths and losses: every peer is back, or the attempt stands."""

    def begin(life):
        return rotator()(life) if life == 0 else abandoning()(life)

    explored = explore(Setting((begin,), PEERS, 2, 1, rotator()), first_authority())
    assert explored.inputs == {"RecordAcceptance", "CommitRotation", "AbandonRotation"}


def test_abandoning_beside_a_rotator_is_what_one_must_not_do():
    """The precondition of `abandon` is needed: a late question takes a peer to the attempt that was cleared."""
    trace = found(Setting((rotator(), abandoning()), PEERS, 0, 0))
    assert trace.endswith("trusts a key that no record knows")


def test_of_two_that_initialize_one_is_believed():
    """Both come to the record that is stored, dying and losing answers; it is never replaced."""

    def begin(life):
        return initialize(MOB)

    explored = explore(Setting((begin, begin), (), 1, 1, begin), None)
    assert explored.worlds > 40


# --- Broken rotators -----------------------------------------------------------------------------------------


class AsksFirst(Rotator):
    """Records a peer after it accepted, as the original does."""

    def _announce(self, peer):
        return True
        yield

    def _ask(self, peer):
        answer = yield from super()._ask(peer)
        if answer is PeerAnswer.ACCEPTED:
            yield from super()._announce(peer)
        return answer


class BelievesTheList(Rotator):
    """Takes the stored peers for those that accepted."""

    def _begin_with(self, attempt):
        super()._begin_with(attempt)
        self.accepted = set(attempt.accepted_peer_ids)


class OwnKey(Rotator):
    """Begins an attempt of its own where another stands."""

    def _choose(self):
        return (yield from self._begin())


class IgnoresFalse(Rotator):
    """Takes every compare-and-put for done."""

    def _replace(self, record):
        yield self._replacing(record)
        self.stored = record
        return True


class ForgetsTheUnreachable(Rotator):
    """Takes no answer for a refusal, and clears the attempt when nobody accepted it."""

    def _ask(self, peer):
        answer = yield from super()._ask(peer)
        if answer is PeerAnswer.UNREACHABLE and not self.accepted:
            yield from self._replace(evolve(self.stored, {"pending_rotation": None}))
        return answer


class ComparesItsMemory(Rotator):
    """Compares with what it would like to see stored."""

    def _replacing(self, record):
        return CompareAndPutSupervisorAuthority(self.mob_id, authority_of_key_in(record), record)


def authority_of_key_in(record):
    """The record that is to be, without what is pending."""
    return evolve(record, {"pending_rotation": None})


class CommitsEarly(Rotator):
    """Commits when one peer accepted."""

    def _ask_all(self):
        peers, self.peers = self.peers, self.peers[:1]
        outcome = yield from super()._ask_all()
        self.peers = peers
        self.accepted |= set(peers)
        return outcome


class Blind(Rotator):
    """Clears an attempt without bringing its peers back."""

    def _return_all(self, standing):
        return ()
        yield


BROKEN = {
    AsksFirst: Setting((rotator(AsksFirst),), PEERS, 1, 0),
    BelievesTheList: Setting((rotator(BelievesTheList),), PEERS, 1, 0),
    OwnKey: Setting((rotator(OwnKey), rotator(OwnKey)), PEERS, 0, 0),
    IgnoresFalse: Setting((rotator(IgnoresFalse), rotator(IgnoresFalse)), PEERS, 0, 0),
    ForgetsTheUnreachable: Setting((rotator(ForgetsTheUnreachable),), PEERS, 0, 1),
    ComparesItsMemory: Setting((rotator(ComparesItsMemory),), PEERS, 0, 0, rotator(ComparesItsMemory)),
    CommitsEarly: Setting((rotator(CommitsEarly),), PEERS, 0, 0),
    Blind: Setting((lambda life: (abandoning(Blind) if life else rotator())(life),), PEERS, 1, 0),
}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_rotator_is_caught(kind):
    """Each mistake shows, with the moves that led to it."""
    trace = found(BROKEN[kind])
    assert trace.splitlines()[-1].startswith("=> ")


def test_a_trace_shows_no_secret():
    """Keys are told by their peer ids."""
    trace = found(BROKEN[AsksFirst])
    assert first_authority().public_peer_id[:4] in trace
    assert first_authority().secret_key.reveal().hex() not in trace
    assert str(list(first_authority().secret_key.reveal())) not in trace


# --- On the stores -------------------------------------------------------------------------------------------


@pytest.fixture(params=[MemoryFactory, SqliteFactory], ids=["memory", "sqlite"])
def execute(request):
    """A function that makes a call on a backend."""
    with opened(request.param(), ManualClock()) as stores:
        yield lambda operation: call_port(stores, operation)


def begun(execute, peers=PEERS):
    """A process and its peers, after the first authority was made."""
    process = Process(execute, Peers({}), secrets.token_bytes)
    first = process.initialize(MOB)
    process.network = Peers(dict.fromkeys(peers, keys.public_key_of(first.secret_key)))
    return process, first


def stored(execute):
    """The record that is stored."""
    return execute(LoadSupervisorAuthority(MOB))


def test_a_rotation_ends_with_every_peer_trusting_the_new_key(execute):
    """Epoch by epoch, on a real store, with real keys."""
    process, first = begun(execute)
    for epoch in (1, 2, 3):
        outcome = process.rotate(MOB, PEERS)
        assert outcome == Rotated(stored(execute))
        assert stored(execute).epoch == epoch
        assert set(process.network.trusted.values()) == {keys.public_key_of(stored(execute).secret_key)}
    assert stored(execute).public_peer_id != first.public_peer_id


def test_initializing_again_changes_nothing(execute):
    """Who comes second gets the record that is there."""
    process, first = begun(execute)
    assert process.initialize(MOB) == first
    assert stored(execute) == first


class Unreachable(Peers):
    """Peers that decide and whose answer from one of them is lost, until they are mended."""

    lost = "q"

    def ask(self, request):
        answer = super().ask(request)
        return PeerAnswer.UNREACHABLE if request.receiver == self.lost else answer


def test_a_rotation_that_lost_an_answer_is_gone_on_with(execute):
    """It reports itself incomplete; the attempt stands, and the next rotation finishes that very attempt."""
    process, _ = begun(execute)
    process.network = Unreachable(process.network.trusted)
    assert process.rotate(MOB, PEERS) == Incomplete(Why.PEERS, ("q",))
    attempted = stored(execute).pending_rotation.public_peer_id
    process.network = Peers(process.network.trusted)
    outcome = process.rotate(MOB, PEERS)
    assert outcome.authority.public_peer_id == attempted
    assert stored(execute) == outcome.authority


def test_an_attempt_is_given_up(execute):
    """Every peer is back, and the record is what it was."""
    process, first = begun(execute)
    process.network = Unreachable(process.network.trusted)
    process.rotate(MOB, PEERS)
    process.network = Peers(process.network.trusted)
    assert process.abandon(MOB, PEERS) == Abandoned(first)
    assert stored(execute) == first
    assert set(process.network.trusted.values()) == {keys.public_key_of(first.secret_key)}


def test_nobody_rotates_a_mob_without_authority(execute):
    """There is nothing to compare with."""
    process = Process(execute, Peers({}), secrets.token_bytes)
    assert process.rotate(MOB, PEERS) == Incomplete(Why.ABSENT)


def attempt_of(record, number, accepted):
    """An attempt by a key of its own, and the public key."""
    key = keys.fresh_key(lambda size: bytes([number] * size))
    return from_authority(authority_of_key(key, record.epoch), accepted), keys.public_key_of(key.secret_key)


@pytest.mark.parametrize("durable", [True, False], ids=["stored", "remembered"])
def test_peers_of_an_attempt_that_was_overtaken_are_brought_back(execute, durable):
    """Where a peer trusts an attempt whose epoch is gone, it comes back to the authority, then all go on."""
    process, first = begun(execute)
    attempt, public_key = attempt_of(first, 7, ("p",))
    process.network.trusted["p"] = public_key
    if durable:
        execute(PutSupervisorAuthority(MOB, evolve(first, {"pending_rotation": attempt})))
    else:
        process.remembered = attempt
    outcome = process.rotate(MOB, PEERS)
    assert outcome == Rotated(stored(execute))
    assert stored(execute).epoch == first.epoch + 1
    assert set(process.network.trusted.values()) == {keys.public_key_of(stored(execute).secret_key)}
    assert process.remembered is None


def test_what_cannot_be_brought_back_is_remembered(execute):
    """A peer that is away while its attempt has come to nothing stays in the process's memory."""
    process, first = begun(execute)
    attempt, public_key = attempt_of(first, 7, ("q",))
    process.network.trusted["q"] = public_key
    process.network = Unreachable(process.network.trusted)
    process.remembered = attempt
    assert process.rotate(MOB, PEERS) == Incomplete(Why.NOT_BACK, ("q",))
    assert process.remembered == attempt
    process.network = Peers(process.network.trusted)
    assert process.rotate(MOB, PEERS) == Rotated(stored(execute))
    assert process.remembered is None


def test_the_last_epoch_is_not_passed(execute):
    """There is no number after it."""
    process, first = begun(execute)
    last = evolve(first, {"epoch": 2**64 - 1})
    execute(PutSupervisorAuthority(MOB, last))
    assert process.rotate(MOB, PEERS) == Incomplete(Why.LAST_EPOCH)
    assert stored(execute) == last


def test_contention_ends_in_an_answer():
    """A store that always says false is not asked for ever."""
    first = first_authority()

    def execute(operation):
        return first if isinstance(operation, LoadSupervisorAuthority) else False

    process = Process(execute, Peers({}), secrets.token_bytes)
    assert process.rotate(MOB, PEERS) == Incomplete(Why.CONTENTION)


# --- Keys ----------------------------------------------------------------------------------------------------


def test_the_random_source_is_injected():
    """The same bytes make the same key, whose peer id follows from its public key."""
    first, second = (keys.fresh_key(lambda size: bytes(range(size))) for _ in range(2))
    assert first == second
    public_key = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
    assert keys.public_key_of(first.secret_key) == public_key
    assert first.public_peer_id == keys.peer_id_of(public_key)


def test_a_peer_id_is_a_uuid_of_version_5():
    """Of the public key's bytes, in a name space of its own."""
    assert keys.peer_id_of(bytes(32)).split("-")[2][0] == "5"
    assert keys.peer_id_of(bytes(32)) != keys.peer_id_of(bytes(31) + b"\1")


def asking(speaker, authority, peer="p"):
    """A request to trust the authority of a key, spoken by another."""
    speaker, authority = (
        authority_of_key(keys.fresh_key(lambda n, b=b: bytes([b] * n)), 1) for b in (speaker, authority)
    )
    return keys.signed(AskToAccept(peer, speaker, authority))


def public(number):
    """The public key made of one byte, again and again."""
    return keys.public_key_of(SecretKey.of(bytes([number] * 32)))


@pytest.mark.parametrize(("trusted", "obeyed"), [(1, True), (2, True), (3, False)])
def test_a_peer_obeys_whom_it_trusts(trusted, obeyed):
    """The speaker that it trusts, or the authority that it trusts already; nobody else."""
    assert keys.obeys(public(trusted), asking(1, 2)) is obeyed


@pytest.mark.parametrize("forged", ["by_speaker", "by_authority", "text"])
def test_a_forged_request_is_refused(forged):
    """Each signature counts, and so does what was signed."""
    request, other = asking(1, 2), asking(3, 4)
    assert not keys.obeys(public(1), attrs.evolve(request, **{forged: getattr(other, forged)}))


def test_a_signed_request_holds_no_secret():
    """Neither its text nor its repr."""
    request = asking(1, 2)
    for number, form in itertools.product((1, 2), (repr(request), str(request.text))):
        assert bytes([number] * 32).hex() not in form


def test_a_request_is_for_its_receiver():
    """The receiver is part of what is signed, so one peer's request cannot be played to another."""
    assert asking(1, 2, "q").receiver == "q"
    peers = Peers({"p": public(1)})
    assert peers.ask(asking(1, 2, "q")) is PeerAnswer.UNREACHABLE
    assert peers.trusted == {"p": public(1)}


def test_the_reprs_of_requests_hide_the_keys():
    """What a protocol yields may be logged."""
    request = AskToAccept("p", first_authority(), first_authority())
    secret = first_authority().secret_key.reveal()
    for told in (repr(request), repr(rotation.Key(first_authority().secret_key, "id"))):
        assert secret.hex() not in told
        assert repr(secret) not in told
