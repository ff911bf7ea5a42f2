"""A person's two keys, wrapped for a passkey: under what its PRF gives, or under the HSM where it has none."""

from dataclasses import dataclass
from typing import Any, Final, Self

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import BadSignature, MalformedInput
from wallet.vault.contract import Secrets
from wallet.vault.kek import Kek, Protection
from wallet.vault.keys import KEY_BYTES, PersonId, ReadingKey, SigningKey, derive, place, seal, unseal

READING: Final = "reading"
SIGNING: Final = "signing"


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """Both keys of a person, in clear: only while a passkey or a recovery code is being added."""

    reading: ReadingKey
    signing: SigningKey

    @classmethod
    def generate(cls) -> Self:
        """Generate the keys of a new person."""
        return cls(ReadingKey.generate(), SigningKey.generate())

    def require(self, person: Any) -> Self:
        """Return the keys if they are those that the person's row announces.

        Raises:
            BadSignature: they aren't: somebody changed the row, and reads what is sealed to its public halves.
        """
        require_reading(self.reading, person)
        require_signing(self.signing, person)
        return self


def require_reading(key: ReadingKey, person: Any) -> ReadingKey:
    """Return the key if its public half is the one in the person's row."""
    if key.inbox_public != person.inbox_public:
        raise BadSignature("the inbox's public key is not that of the reading key")
    return key


def require_signing(key: SigningKey, person: Any) -> SigningKey:
    """Return the key if its public half is the one in the person's row."""
    if key.public != person.signing_public:
        raise BadSignature("the public key for holder keys is not that of the signing key")
    return key


@dataclass(frozen=True, slots=True)
class WrappedKeys:
    """Both keys wrapped for one passkey, and by what."""

    protection: Protection
    reading: bytes
    signing: bytes


async def wrap_keys(
    keys: Keys, *, secrets: Secrets, kek: Kek, person: PersonId, passkey_id: str, public_key: bytes
) -> WrappedKeys:
    """Wrap both keys for a passkey.

    Raises:
        MalformedInput: one secret of the two, which no browser gives.
    """
    reading, signing = _at(person, passkey_id, READING), _at(person, passkey_id, SIGNING)
    if secrets.reading and secrets.signing:
        return WrappedKeys(
            Protection.PASSKEY,
            seal(_wrapping_key(secrets.reading, READING), keys.reading.secret, at=reading),
            seal(_wrapping_key(secrets.signing, SIGNING), keys.signing.secret, at=signing),
        )
    if secrets.reading or secrets.signing:
        raise MalformedInput("expected two secrets from the passkey, or none")
    return WrappedKeys(
        kek.protection,
        await kek.wrap(keys.reading.secret, context=_for(reading, public_key)),
        await kek.wrap(keys.signing.secret, context=_for(signing, public_key)),
    )


async def unwrap_reading(passkey: Any, *, secrets: Secrets, kek: Kek) -> ReadingKey:
    """Unwrap the reading key of a passkey's row, after its assertion was verified.

    Raises:
        MalformedInput: the secret is missing.
        BadSignature: it is the wrong one, or the row was changed.
    """
    return ReadingKey(await _unwrap(passkey, READING, passkey.reading_wrapped, secret=secrets.reading, kek=kek))


async def unwrap_signing(passkey: Any, *, secrets: Secrets, kek: Kek) -> SigningKey:
    """Unwrap the signing key of a passkey's row, after its assertion for an approval was verified.

    Raises:
        MalformedInput: the secret is missing.
        BadSignature: it is the wrong one, or the row was changed.
    """
    return SigningKey(await _unwrap(passkey, SIGNING, passkey.signing_wrapped, secret=secrets.signing, kek=kek))


async def _unwrap(passkey: Any, name: str, wrapped: bytes, *, secret: str | None, kek: Kek) -> bytes:
    at = _at(passkey.person_id, passkey.id, name)
    if passkey.protection != Protection.PASSKEY:
        return await kek.unwrap(wrapped, context=_for(at, passkey.public_key))
    if secret is None:
        raise MalformedInput(f"expected the {name} secret of a passkey with PRF")
    return unseal(_wrapping_key(secret, name), wrapped, at=at)


def _wrapping_key(secret: str, name: str) -> bytes:
    if len(raw := b64u_decode(secret)) != KEY_BYTES:
        raise MalformedInput(f"expected a secret of {KEY_BYTES} bytes, got {len(raw)}")
    return derive(raw, f"wrap {name}")


def _at(person: PersonId, passkey_id: str, name: str) -> bytes:
    return place("vault_passkey", name, person, passkey_id)


def _for(at: bytes, public_key: bytes) -> bytes:
    """Return the context of a wrapping key, which opens for whoever asserts with this public key, and no other.

    A PRF opens for its own authenticator only. The HSM opens for any assertion that verifies; whoever writes into the
    database could put their own public key into somebody's row.
    """
    return at + place(b64u_encode(public_key))
