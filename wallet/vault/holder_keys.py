"""Holder keys: one for each copy of a credential, made in the vault, sealed to the person's signing key.

The server can make keys while a session lives, and use none: opening one needs the signing key, which only an approval
unwraps (`wallet.vault.gate`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives import serialization

from byoid.encoding import b64u_decode, b64u_encode, json_object
from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from wallet import store
from wallet.tables import HolderKey
from wallet.vault.context import Vault
from wallet.vault.contract import HolderKeyView, KeyProofs, NotApproved, NotSignedIn
from wallet.vault.kek import Protection
from wallet.vault.keys import PersonId, SigningKey, holder_key_place, seal_to
from wallet.vault.sessions import open_session, random_id

_CURVES: Final = ("P-256", "P-384", "P-521", "Ed25519")
_PROOF_TYPE: Final = "openid4vci-proof+jwt"
_PROOF_WINDOW: Final = timedelta(minutes=5)
_MAX_HEADER_BYTES: Final = 1 << 16


async def create_holder_keys(vault: Vault, cookie: str, *, count: int, curve: str = "P-256") -> list[HolderKeyView]:
    """Make holder keys for copies of a credential that is about to be received.

    Raises:
        NotSignedIn: the cookie has no live session.
        MalformedInput: no or too many keys, or a curve that we don't have.
    """
    if not 0 < count <= vault.policy.max_keys_per_call or curve not in _CURVES:
        raise MalformedInput(f"expected 1 to {vault.policy.max_keys_per_call} keys on one of {', '.join(_CURVES)}")
    session, now = await open_session(vault, cookie), vault.clock()
    person = await vault.store.database.fetch(store.PERSON_BY_ID, {"of_id": session.person})
    if (row := person.first()) is None:
        raise NotSignedIn("the wallet was deleted")
    made = [(random_id(), PrivateKey.generate(curve)) for _ in range(count)]
    rows = [
        HolderKey(
            id=key_id,
            person_id=session.person,
            sealed=seal_to(row.signing_public, _to_der(key), at=holder_key_place(session.person, key_id)),
            created_at=now,
        )
        for key_id, key in made
    ]
    async with vault.store.transaction() as tx:
        if await tx.first(store.PERSON_FOR_CHANGE, id=session.person) is None:
            raise NotSignedIn("the wallet was deleted")
        await tx.insert_many(rows)
        passkeys = await tx.all(store.PASSKEYS_OF, person_id=session.person)
    protection = Protection.weakest(Protection(row.protection) for row in passkeys)
    return [HolderKeyView(id=key_id, public_jwk=key.public.jwk, protection=protection) for key_id, key in made]


async def delete_holder_keys(vault: Vault, cookie: str, key_ids: Sequence[str]) -> int:
    """Delete keys that are spent, or whose credential was deleted; return how many there were.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session = await open_session(vault, cookie)
    async with vault.store.transaction() as tx:
        return sum([await tx.change(store.DELETE_HOLDER_KEY, id=each, person_id=session.person) for each in key_ids])


async def sweep_holder_keys(vault: Vault, cookie: str, *, keep: Sequence[str], created_before: datetime) -> int:
    """Delete keys that were made before then and that nothing needs but `keep`; return how many there were.

    Raises:
        NotSignedIn: the cookie has no live session.
    """
    session, kept = await open_session(vault, cookie), set(keep)
    async with vault.store.transaction() as tx:
        old = await tx.all(store.OLD_HOLDER_KEYS, person_id=session.person, created_before=created_before)
        unneeded = [row.id for row in old if row.id not in kept]
        return sum([await tx.change(store.DELETE_HOLDER_KEY, id=each, person_id=session.person) for each in unneeded])


async def open_holder_keys(
    vault: Vault, signing: SigningKey, *, person: PersonId, key_ids: Sequence[str]
) -> dict[str, PrivateKey]:
    """Open keys for an approval that was just verified.

    Raises:
        NotApproved: a key that this person doesn't have.
    """
    async with vault.store.transaction() as tx:
        rows = [await tx.first(store.HOLDER_KEY_BY_ID, id=each, person_id=person) for each in dict.fromkeys(key_ids)]
    if None in rows:
        raise NotApproved("the approval names a holder key that this person doesn't have")
    return {row.id: from_der(signing.open_holder_key(row.sealed, person=person, key_id=row.id)) for row in rows if row}


def require_key_proof(data: bytes, *, key: PrivateKey, terms: KeyProofs, now: datetime) -> None:
    """Check that bytes to sign are a key proof of this key for the approved issuer (OpenID4VCI F.1), nothing else.

    Raises:
        NotApproved: they are something else.
        MalformedInput: they are no JWS signing input.
    """
    header, claims = _signing_input(data)
    if header.get("typ") != _PROOF_TYPE or header.get("alg") not in key.public.algorithms or "x5c" in header:
        raise NotApproved(f"expected a signing input of type {_PROOF_TYPE}")
    if "jwk" in header and header["jwk"] != key.public.jwk:
        raise NotApproved("the key proof names another key")
    if claims.get("aud") != terms.audience:
        raise NotApproved("the key proof is for another credential issuer than the approved one")
    issued_at = claims.get("iat")
    if not isinstance(issued_at, int) or abs(issued_at - now.timestamp()) > _PROOF_WINDOW.total_seconds():
        raise NotApproved("the key proof is not of now")


def require_presentation(data: bytes) -> None:
    """Check that bytes to sign are a key binding JWT (RFC 9901 §4.3) or a device authentication (ISO 18013-5 §9.1.3).

    Raises:
        NotApproved: they are something else: a key proof signed as a presentation would bind a key unasked.
        MalformedInput: they are neither.
    """
    if data[:12] == b"\x84\x6aSignature1":
        if b"\x74DeviceAuthentication" not in data:
            raise NotApproved("expected a device authentication")
        return
    header, claims = _signing_input(data)
    if header.get("typ") != "kb+jwt" or not {"aud", "nonce", "sd_hash", "iat"} <= claims.keys():
        raise NotApproved("expected a key binding JWT")


def to_grant(keys: Mapping[str, PrivateKey]) -> dict[str, str]:
    """Serialise opened keys for a grant, which seals them to the session."""
    return {key_id: b64u_encode(_to_der(key)) for key_id, key in keys.items()}


def from_grant(key: str) -> PrivateKey:
    """Read a key of a grant."""
    return from_der(b64u_decode(key))


def _signing_input(data: bytes) -> tuple[dict[str, object], dict[str, object]]:
    header, dot, payload = data.partition(b".")
    if not dot or len(data) > _MAX_HEADER_BYTES:
        raise MalformedInput("expected the signing input of a JWS")
    return json_object(b64u_decode(header)), json_object(b64u_decode(payload))


def _to_der(key: PrivateKey) -> bytes:
    return key.native.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def from_der(der: bytes) -> PrivateKey:
    """Load a key of our own."""
    native = serialization.load_der_private_key(der, None)
    return PrivateKey(native)  # type: ignore[arg-type]  # we wrote it: one of the curves above
