"""Ed25519 keys: how a supervisor gets one, what its peer id is, and how it proves to a peer that it has it.

The random source is injected: 32 bytes make a key.  A secret key is revealed only where something is signed with
it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Final

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mobstore.model import SecretKey, to_text
from mobstore.model.callers.rotation import Ask, Key
from mobstore.model.values import KEY_BYTES, PeerId

_NAMESPACE: Final = uuid.UUID("6d656572-6b61-7450-6565-724964300001")


def peer_id_of(public_key: bytes) -> PeerId:
    """Return the peer id of a public key of 32 bytes: a UUID of version 5 over them, as the original has it."""
    digest = hashlib.sha1(_NAMESPACE.bytes + public_key, usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def fresh_key(random_bytes: Callable[[int], bytes]) -> Key:
    """Return a key made of 32 bytes of a random source, such as `secrets.token_bytes`."""
    secret_key = SecretKey.of(random_bytes(KEY_BYTES))
    return Key(secret_key, peer_id_of(public_key_of(secret_key)))


def public_key_of(secret_key: SecretKey) -> bytes:
    """Return the 32 bytes of the public key."""
    return _private(secret_key).public_key().public_bytes_raw()


def _private(secret_key: SecretKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(secret_key.reveal())


@attrs.frozen
class SignedRequest:
    """What is sent to a peer: whom it is to trust, signed by that one and by the one that speaks."""

    text: bytes
    by_speaker: bytes
    by_authority: bytes

    @property
    def receiver(self) -> PeerId:
        """The peer that it is meant for."""
        return str(json.loads(self.text)["receiver"])

    @property
    def public_key(self) -> bytes:
        """The key of the authority that the peer is to trust."""
        return bytes.fromhex(json.loads(self.text)["public_key"])


def signed(ask: Ask) -> SignedRequest:
    """Return the request as it is sent; it holds no secret."""
    authority = ask.authority
    fields = {
        "receiver": ask.peer_id,
        "public_key": public_key_of(authority.secret_key).hex(),
        "epoch": authority.epoch,
        "protocol_version": authority.protocol_version,
    }
    text = to_text(fields).encode()
    return SignedRequest(
        text, _private(ask.speaker.secret_key).sign(text), _private(authority.secret_key).sign(text)
    )


def obeys(trusted: bytes, request: SignedRequest) -> bool:
    """Whether a peer that trusts a public key does what a request asks for.

    The authority must have signed, and the peer must trust the one that speaks, or that authority already.
    """
    if not _verified(request.public_key, request.by_authority, request.text):
        return False
    return request.public_key == trusted or _verified(trusted, request.by_speaker, request.text)


def _verified(public_key: bytes, signature: bytes, text: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except InvalidSignature:
        return False
    return True
