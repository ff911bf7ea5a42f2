"""Nonces that need no row until they are used: a time and randomness under a MAC, so that any worker can judge them.

For key proofs (OpenID4VCI 7), DPoP (RFC 9449 8) and client attestation challenges. A key proof's nonce is spent with
the proof (`issuer/once.py`); the others may be used until they expire, since every proof has a `jti` as well.
"""

import secrets
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Final

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import MalformedInput
from byoid.oauth.jwt import LEEWAY, MAX_PROOF_AGE
from issuer.context import Issuer

_RANDOM_BYTES: Final = 16
_TIME_BYTES: Final = 5
_TAG_BYTES: Final = 16


class NonceKind(StrEnum):
    """What a nonce is for; one kind is never taken for another."""

    PROOF = "c_nonce"
    DPOP = "dpop"
    ATTESTATION = "attestation"


def create_nonce(issuer: Issuer, kind: NonceKind) -> str:
    """Create a nonce that is good for `nonce_lifetime`."""
    body = int(issuer.clock().timestamp()).to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_RANDOM_BYTES)
    return b64u_encode(body + _tag(issuer, kind, body))


def is_current(issuer: Issuer, kind: NonceKind, nonce: str) -> bool:
    """Tell whether this server made the nonce, for this purpose, and not too long ago."""
    try:
        raw = b64u_decode(nonce)
    except MalformedInput:
        return False
    body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    if len(body) != _TIME_BYTES + _RANDOM_BYTES or not compare_digest(tag, _tag(issuer, kind, body)):
        return False
    age = issuer.clock().timestamp() - int.from_bytes(body[:_TIME_BYTES], "big")
    return age <= issuer.settings.nonce_lifetime.total_seconds()


def spent_until(issuer: Issuer) -> datetime:
    """Return until when a value that was used must be remembered: longer than it could still be judged current."""
    # A proof may come from the near future, and then stays good for its whole age.
    return issuer.until(max(issuer.settings.nonce_lifetime, MAX_PROOF_AGE + 2 * LEEWAY) + timedelta(minutes=1))


class CurrentNonces(Collection[str]):
    """The nonces that this server would accept now, for a verification that asks `in`."""

    def __init__(self, issuer: Issuer, kind: NonceKind) -> None:
        self._issuer = issuer
        self._kind = kind

    def __contains__(self, nonce: object) -> bool:
        return isinstance(nonce, str) and is_current(self._issuer, self._kind, nonce)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("current nonces cannot be listed")

    def __len__(self) -> int:
        raise TypeError("current nonces cannot be counted")


def _tag(issuer: Issuer, kind: NonceKind, body: bytes) -> bytes:
    return issuer.hash(f"nonce {kind}", body)[:_TAG_BYTES]
