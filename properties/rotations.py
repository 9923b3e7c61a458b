"""Supervisors that rotate their key, carried out: against a store and remote peers, and through every interleaving.

The protocols are the model's (`mobstore.model.callers.rotation`).  Here they meet real Ed25519 keys, peers that
check signatures, and whatever can come between two of their requests: another rotator, a crash, an answer that is
lost.  `explore` takes them through all of it, within the bounds of a `Setting`, on the model of the store.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from random import Random
from typing import Any, Final, Protocol, TypeAlias

import attrs

from mobstore.model import FrozenMap, Operation, State, step
from mobstore.model.callers.rotation import (
    UNCLEAR,
    Ask,
    FreshKey,
    Incomplete,
    Key,
    Outcome,
    PeerAnswer,
    Remember,
    Request,
    Rotated,
    abandon,
    authority_of_key,
    initialize,
    rotate,
)
from mobstore.model.machines import AUTHORITY, Input, Transitioned, authority_inputs
from mobstore.model.machines.rotation import from_authority
from mobstore.model.operations import (
    CompareAndPutSupervisorAuthority,
    LoadSupervisorAuthority,
    PutSupervisorAuthority,
)
from mobstore.model.values import MobId, PeerId, SupervisorAuthorityRecord, SupervisorPendingRotationRecord
from mobstore.properties.invariants import Scope, of_scope
from mobstore.properties.keys import SignedRequest, fresh_key, obeys, public_key_of, signed

MOB: Final = "mob"
_NOW: Final = 1_767_225_600_000_000_000


class Network(Protocol):
    """How remote peers are reached."""

    def ask(self, request: SignedRequest) -> PeerAnswer:
        """Send a request and return the peer's answer, or that there was none."""


class Peers:
    """Remote peers in this process: each trusts one public key, and checks what it is asked.

    Args:
        trusted: the public key, 32 bytes, that each peer trusts.
    """

    def __init__(self, trusted: Mapping[PeerId, bytes]) -> None:
        self.trusted = dict(trusted)

    def ask(self, request: SignedRequest) -> PeerAnswer:
        """Let the peer decide; one that is not known does not answer."""
        if request.receiver not in self.trusted:
            return PeerAnswer.UNREACHABLE
        if not obeys(self.trusted[request.receiver], request):
            return PeerAnswer.REFUSED
        self.trusted[request.receiver] = request.public_key
        return PeerAnswer.ACCEPTED


@attrs.frozen
class _End:
    """What a protocol came to."""

    outcome: Any


def _advanced(protocol: Generator[Request, Any, Any], answer: Any) -> Request | _End:
    try:
        return protocol.send(answer)
    except StopIteration as end:
        return _End(end.value)


@attrs.define
class Process:
    """What carries protocols out, and what it remembers between them.

    Attributes:
        execute: does a store call and returns its answer.
        network: the remote peers.
        random_bytes: the random source, such as `secrets.token_bytes`.
        remembered: to be given to the next protocol.
    """

    execute: Callable[[Operation[Any]], Any]
    network: Network
    random_bytes: Callable[[int], bytes]
    remembered: SupervisorPendingRotationRecord | None = None

    def initialize(self, mob_id: MobId) -> SupervisorAuthorityRecord | Incomplete:
        """Give the mob its first authority unless it has one; return the one that it has."""
        outcome: SupervisorAuthorityRecord | Incomplete = self.carry_out(initialize(mob_id))
        return outcome

    def rotate(self, mob_id: MobId, peers: Iterable[PeerId]) -> Outcome:
        """Begin a rotation of all remote peers, or go on with the one that stands."""
        outcome: Outcome = self.carry_out(rotate(mob_id, peers, self.remembered))
        return outcome

    def abandon(self, mob_id: MobId, peers: Iterable[PeerId]) -> Outcome:
        """Give up the attempt that stands; only where nobody else rotates."""
        outcome: Outcome = self.carry_out(abandon(mob_id, peers, self.remembered))
        return outcome

    def carry_out(self, protocol: Generator[Request, Any, Any]) -> Any:
        """Do what the protocol asks for, to its end; return what it came to.

        Raises:
            MobStoreError: what the store raised; the protocol may be begun again and goes on.
        """
        requests = self.requests(protocol)
        while True:
            try:
                next(requests)
            except StopIteration as end:
                return end.value

    def requests(self, protocol: Generator[Request, Any, Any]) -> Generator[Request, None, Any]:
        """Do one request after the other: yield each that was done, and return what the protocol came to."""
        request = _advanced(protocol, None)
        while not isinstance(request, _End):
            answer = self._answer(request)
            yield request
            request = _advanced(protocol, answer)
        return request.outcome

    def _answer(self, request: Request) -> Any:
        if isinstance(request, Ask):
            return self.network.ask(signed(request))
        if isinstance(request, FreshKey):
            return fresh_key(self.random_bytes)
        if isinstance(request, Remember):
            self.remembered = request.pending
            return None
        return self.execute(request)


# --- Every interleaving --------------------------------------------------------------------------------------

Begin: TypeAlias = Callable[[int], Generator[Request, Any, Any]]
"""Begins a protocol, told how often its process has crashed."""


@attrs.frozen
class Setting:
    """What is explored.

    Attributes:
        begin: a protocol for each process.
        peers: the remote peers.
        crashes: how many crashes there may be; a process that crashed begins again, remembering nothing.
        losses: how many answers may be lost, of what was done and of what was not.
        recover: the protocol that has to bring everything to its end from every world that was reached.
    """

    begin: tuple[Begin, ...]
    peers: tuple[PeerId, ...]
    crashes: int = 0
    losses: int = 0
    recover: Begin | None = None


@attrs.frozen
class Place:
    """How far a process is: its life, counted by crashes, and the answers that it got in it."""

    number: int
    life: int = 0
    answers: tuple[Any, ...] = ()


@attrs.frozen
class World:
    """What is stored, what the peers trust, and how far the processes are; ``crashes`` and ``losses`` are left."""

    state: State
    trusted: FrozenMap[PeerId, bytes]
    places: tuple[Place, ...]
    crashes: int = 0
    losses: int = 0

    @property
    def record(self) -> SupervisorAuthorityRecord | None:
        """The authority record of the mob."""
        return step(self.state, LoadSupervisorAuthority(MOB), _NOW)[1]

    def knows(self, peer: PeerId) -> bool:
        """Whether the record has the key that the peer trusts, and names the peer if the key is only attempted."""
        record, trusted = self.record, self.trusted[peer]
        if record is None:
            return trusted == b""
        pending = record.pending_rotation
        if (
            pending is not None
            and peer in pending.accepted_peer_ids
            and trusted == public_key_of(pending.secret_key)
        ):
            return True
        return trusted == public_key_of(record.secret_key)

    def is_settled(self) -> bool:
        """Whether there is one key, and every peer trusts it."""
        record = self.record
        if record is None or record.pending_rotation is not None:
            return False
        return all(key == public_key_of(record.secret_key) for key in self.trusted.values())


class Violation(Exception):
    """A property does not hold; the text says which, after what."""


@attrs.frozen
class Explored:
    """How much was explored: distinct worlds, moves between them, and the inputs of the authority machine met."""

    worlds: int
    moves: int
    inputs: frozenset[str]


def first_authority() -> SupervisorAuthorityRecord:
    """Return the authority that an exploration begins with."""
    return authority_of_key(_key("first", 0, 0), 0)


@functools.cache
def _key(process: object, life: int, number: int) -> Key:
    """Return a key for each occasion, the same one in every exploration."""
    return fresh_key(lambda size: hashlib.sha256(repr((process, life, number)).encode()).digest()[:size])


@functools.cache
def _asked(trusted: bytes, ask: Ask) -> tuple[PeerAnswer, bytes]:
    peers = Peers({ask.peer_id: trusted})
    return peers.ask(signed(ask)), peers.trusted[ask.peer_id]


def _done(world: World, place: Place, request: Request) -> tuple[Any, World]:
    """Do what a process asks for; return the answer, and the world after it."""
    if isinstance(request, Ask):
        answer, trusted = _asked(world.trusted[request.peer_id], request)
        return answer, attrs.evolve(world, trusted=FrozenMap({**world.trusted, request.peer_id: trusted}))
    if isinstance(request, FreshKey):
        return _key(place.number, place.life, len(place.answers)), world
    if isinstance(request, Remember):
        return None, world
    state, answer = step(world.state, request, _NOW)
    return answer, attrs.evolve(world, state=state)


def _lost(request: Request) -> Any:
    """Return what stands for the answer to a request when it is lost; None of what cannot be lost."""
    if isinstance(request, Ask):
        return PeerAnswer.UNREACHABLE
    return UNCLEAR if isinstance(request, Operation) else None


def _told(request: Request) -> str:
    """Return a request in a few words; keys are told by their peer ids."""
    if isinstance(request, Ask):
        return f"{type(request).__name__}({request.peer_id}, {_short(request.authority)})"
    if isinstance(request, CompareAndPutSupervisorAuthority):
        return f"compare_and_put({_short(request.expected)} -> {_short(request.record)})"
    if isinstance(request, Operation):
        return request.call
    return type(request).__name__


def _short(record: SupervisorAuthorityRecord) -> str:
    pending = record.pending_rotation
    name = f"{record.public_peer_id[:4]}@{record.epoch}"
    if pending is None:
        return name
    return f"{name}, pending {pending.public_peer_id[:4]}@{pending.epoch} of {', '.join(pending.accepted_peer_ids)}"


def _moved(world: World, place: Place) -> World:
    places = tuple(place if place.number == other.number else other for other in world.places)
    return attrs.evolve(world, places=places)


def _answered(place: Place, answer: Any) -> Place:
    return attrs.evolve(place, answers=(*place.answers, answer))


class Exploration:
    """A search of all worlds that a setting leads to, breadth first: what it finds is found in the fewest moves."""

    def __init__(self, setting: Setting, record: SupervisorAuthorityRecord | None) -> None:
        self.setting = setting
        known, state = b"", State()
        if record is not None:
            known = public_key_of(record.secret_key)
            state, _ = step(state, PutSupervisorAuthority(MOB, record), _NOW)
        places = tuple(map(Place, range(len(setting.begin))))
        trusted = FrozenMap(dict.fromkeys(setting.peers, known))
        self._first = World(state, trusted, places, setting.crashes, setting.losses)
        self._came_from: dict[World, tuple[World, str] | None] = {self._first: None}
        self._next: dict[Place, Request | _End] = {}
        self._recovered: set[tuple[State, FrozenMap[PeerId, bytes]]] = set()
        self._inputs: set[str] = set()

    def run(self) -> Explored:
        """Explore.

        Raises:
            Violation: in some world a peer trusts a key that no record knows; a write of the record is no step of
                the authority machine, or breaks one of its invariants; a process alone cannot bring it to its end.
        """
        moves = 0
        waiting = deque([self._first])
        while waiting:
            world = waiting.popleft()
            for what, after in self._moves(world):
                moves += 1
                if after not in self._came_from:
                    self._came_from[after] = (world, what)
                    self._judge(world, after)
                    waiting.append(after)
        return Explored(len(self._came_from), moves, frozenset(self._inputs))

    def _moves(self, world: World) -> Iterator[tuple[str, World]]:
        for place in world.places:
            request = self._request(place)
            if isinstance(request, _End):
                continue
            yield from self._answers(world, place, request)
            if world.crashes:
                crashed = attrs.evolve(world, crashes=world.crashes - 1)
                yield f"{place.number}: crashes", _moved(crashed, Place(place.number, place.life + 1))

    def _answers(self, world: World, place: Place, request: Request) -> Iterator[tuple[str, World]]:
        answer, after = _done(world, place, request)
        name = f"{place.number}: {_told(request)}"
        yield (
            name if answer is None else f"{name} -> {_answer_told(answer)}",
            _moved(after, _answered(place, answer)),
        )
        lost = _lost(request)
        if not world.losses or lost is None:
            return
        place = _answered(place, lost)
        for what, state in (("done, answer lost", after), ("not done, no answer", world)):
            yield f"{name} -> {what}", _moved(attrs.evolve(state, losses=world.losses - 1), place)

    def _request(self, place: Place) -> Request | _End:
        """Return what the process asks for next, or its end.  Protocols are deterministic: they are run again."""
        if place not in self._next:
            protocol = self.setting.begin[place.number](place.life)
            request = _advanced(protocol, None)
            for answer in place.answers:
                request = _advanced(protocol, answer)
            self._next[place] = request
        return self._next[place]

    def _judge(self, before: World, after: World) -> None:
        if after.record != before.record:
            self._judge_write(before.record, after)
        if (after.state, after.trusted) in self._recovered:
            return
        self._recovered.add((after.state, after.trusted))
        for peer in self.setting.peers:
            self._require(after.knows(peer), f"{peer} trusts a key that no record knows", after)
        if self.setting.recover is not None:
            self._judge_recovery(after, self.setting.recover)

    def _judge_write(self, before: SupervisorAuthorityRecord | None, world: World) -> None:
        assert world.record is not None
        for invariant in of_scope(Scope.AUTHORITY):
            self._require(invariant.holds(world.record), f"the record breaks: {invariant.sentence}", world)
        if before is None:
            return
        for invariant in of_scope(Scope.AUTHORITY_STEP):
            self._require(invariant.holds(before, world.record), f"the write breaks: {invariant.sentence}", world)
        steps = [input for input in self._candidates(before, world.record) if _leads(before, input, world.record)]
        self._require(bool(steps), "the write is no step of the authority machine", world)
        self._inputs.update(type(input).__name__ for input in steps)

    def _candidates(self, before: SupervisorAuthorityRecord, after: SupervisorAuthorityRecord) -> Iterator[Input]:
        """Yield the inputs of the authority machine that the write may stand for."""
        if after.pending_rotation is not None:
            yield authority_inputs.RecordAcceptance(after.pending_rotation)
        yield authority_inputs.CommitRotation(from_authority(after, ()), self.setting.peers)
        if before.pending_rotation is not None:
            yield authority_inputs.AbandonRotation(before.pending_rotation.accepted_peer_ids)

    def _judge_recovery(self, world: World, recover: Begin) -> None:
        """Let everybody die here, and one process begin; it has to bring everything to its end."""
        alone = world
        place = Place(len(world.places))
        protocol = recover(world.places[0].life)
        request = _advanced(protocol, None)
        while not isinstance(request, _End):
            answer, alone = _done(alone, place, request)
            place = _answered(place, answer)
            request = _advanced(protocol, answer)
        what = f"a process that goes on alone does not settle it, but says {request.outcome}"
        self._require(alone.is_settled(), what, world)

    def _require(self, holds: bool, what: str, world: World) -> None:
        if not holds:
            raise Violation("\n".join([*self._trace(world), f"=> {what}"]))

    def _trace(self, world: World) -> list[str]:
        lines = []
        came = self._came_from[world]
        while came is not None:
            lines.append(came[1])
            came = self._came_from[came[0]]
        return lines[::-1]


def _answer_told(answer: Any) -> str:
    if isinstance(answer, SupervisorAuthorityRecord):
        return _short(answer)
    return f"{answer.public_peer_id[:4]}" if isinstance(answer, Key) else str(answer)


def _leads(before: SupervisorAuthorityRecord, input: Input, after: SupervisorAuthorityRecord) -> bool:
    result = AUTHORITY.step(before, input)
    return isinstance(result, Transitioned) and result.next_state == after


def explore(setting: Setting, record: SupervisorAuthorityRecord | None) -> Explored:
    """Take the processes of a setting through every interleaving, from a stored record (or none).

    Raises:
        Violation: a property does not hold; the text has the fewest moves that show it.
    """
    return Exploration(setting, record).run()


# --- One interleaving, on a store ----------------------------------------------------------------------------

_CRASH_ONE_IN: Final = 12


class Mob:
    """Supervisors of one mob on one store, one request at a time, as chance decides; some of them die.

    Args:
        execute: does a store call and returns its answer.
        random: decides who goes on and who dies; the keys are the suite's own.
        supervisors: how many there are.
        peers: the remote peers.
    """

    def __init__(
        self, execute: Callable[[Operation[Any]], Any], random: Random, supervisors: int, peers: tuple[PeerId, ...]
    ) -> None:
        self._random = random
        self._peers = peers
        self._network = Peers({})
        keys = itertools.count(1)
        self._process = Process(execute, self._network, lambda size: bytes([next(keys) % 256]) * size)
        first = self._process.initialize(MOB)
        assert isinstance(first, SupervisorAuthorityRecord), first
        self._network.trusted.update(dict.fromkeys(peers, public_key_of(first.secret_key)))
        self._supervisors = [self._begin() for _ in range(supervisors)]

    def _begin(self) -> Iterator[Request]:
        """Return a supervisor that rotates again and again, as an iterator of what it has done."""
        process = attrs.evolve(self._process, remembered=None)
        while True:
            yield from process.requests(rotate(MOB, self._peers, process.remembered))

    def advance(self) -> Request:
        """Let one of them do its next request, or die in its place and do the first of a new life."""
        number = self._random.randrange(len(self._supervisors))
        if not self._random.randrange(_CRASH_ONE_IN):
            self._supervisors[number] = self._begin()
        return next(self._supervisors[number])

    def settle(self) -> bool:
        """Let all die and one rotate alone; return whether every peer trusts the authority that is stored then."""
        outcome = self._process.rotate(MOB, self._peers)
        if not isinstance(outcome, Rotated):
            return False
        return set(self._network.trusted.values()) <= {public_key_of(outcome.authority.secret_key)}
