"""Taking the wallet elsewhere: an encrypted file with the history and a list of the cards, and reading such a file.

ARF TS10 1.2 (Transaction Log Object, Migration Object; section 5: JWE with PBES2-HS256+A128KW and A128GCM, RFC 7518
4.8), Mig_01 to 11, DASH_07. Holder keys never leave, so a card that is bound to one is listed, to be asked for again
from its issuer; a card without one goes along whole, and is verified like any other when it is read.
"""

import asyncio
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from pydantic import Field

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_object
from byoid.errors import BadSignature, HolderBindingError, MalformedInput, VerificationError
from byoid.formats.holder_binding import NoHolderBinding
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, verify_sd_jwt_vc
from byoid.message import Array, Message, parse_message
from byoid.presentation.issuer_trust import X509Trust, establish_issuer, require_right
from byoid.trust.signers import purposes_of_signers
from wallet.cards import (
    SD_JWT_VC,
    Card,
    CardContent,
    CopyContent,
    StatusEntry,
    add_card,
    load_all_copies,
    load_cards,
)
from wallet.context import Visit, Wallet
from wallet.history import Entry, from_ts10, load_history, record, to_ts10
from wallet.limits import Limited

ALGORITHM: Final = "PBES2-HS256+A128KW"
ENCRYPTION: Final = "A128GCM"
ROUNDS: Final = 600_000
MAX_ROUNDS: Final = 5_000_000  # until it is decrypted, the number is the sender's choice
MIN_ROUNDS: Final = 1_000
MIN_PASSPHRASE: Final = 12
MAX_FILE: Final = 16 << 20
_KEY_BYTES: Final = 16
_SALT_BYTES: Final = 16
_IV_BYTES: Final = 12
_TAG_BYTES: Final = 16


class NotAWalletFile(MalformedInput):
    """What was given is no file that a wallet has made, or a damaged one."""


class WrongPassphrase(BadSignature):
    """The passphrase is another one than the file's, or the file was changed."""


class IssuerIdentifier(Message):
    """An identifier of an issuer."""

    type: str
    identifier: str


class CredentialInfo(Message):
    """A card to be asked for again."""

    credential_identifier: str = Field(alias="credentialIdentifier")
    format: str
    issuer_identifier: Array[IssuerIdentifier] = Field(default=(), alias="issuerIdentifier")
    issuer_name: str | None = Field(default=None, alias="issuerName")
    supply_point_url: str | None = Field(default=None, alias="supplyPointURL")
    configuration_id: str | None = Field(default=None, alias="configurationId")  # ours


class NonDeviceBoundCredential(Message):
    """A card that is bound to no key, whole."""

    format: Literal["dc+sd-jwt", "mso_mdoc"]
    credential: str


class MigrationData(Message):
    """The content of a file (TS10)."""

    transaction_log: Array[dict[str, Any]] = Field(default=(), alias="transactionLog")
    credentials: Array[CredentialInfo] = Field(default=(), alias="listOfCredentials")
    non_device_bound: Array[NonDeviceBoundCredential] = Field(default=(), alias="nonDeviceBoundCredentials")


@dataclass(frozen=True)
class Imported:
    """What came out of a file: new entries, new cards, what was skipped, and the cards to ask for again, from whom."""

    history: int
    cards: int
    skipped: int
    to_request: tuple[CredentialInfo, ...]


async def export_wallet(wallet: Wallet, visit: Visit, passphrase: str) -> str:
    """Return the wallet as an encrypted file (TS10 Migration Object).

    Raises:
        MalformedInput: the passphrase is too short.
        TooManyRequests: it is asked for again and again.
    """
    await wallet.limits.spend(Limited.EXPORT, visit.person)
    copies = await load_all_copies(visit.contents)
    cards = await load_cards(visit.contents)
    unbound = [card for card in cards if copies.get(card.id) and copies[card.id][0].content.key_id is None]
    content = MigrationData(
        transaction_log=tuple(to_ts10(item.entry) for item in await load_history(visit.contents)),
        credentials=tuple(_info(card) for card in cards if card not in unbound),
        non_device_bound=tuple(
            NonDeviceBoundCredential(format=card.content.format, credential=copies[card.id][0].content.text)
            for card in unbound
        ),
    )
    return await encrypt(json_dumps(content.to_wire()), passphrase)


async def export_history(wallet: Wallet, visit: Visit, passphrase: str, *, only: Collection[str] = ()) -> str:
    """Return the history, or some entries of it, as an encrypted file (TS10 Transaction Log Object).

    Raises:
        MalformedInput: the passphrase is too short.
        TooManyRequests: it is asked for again and again.
    """
    await wallet.limits.spend(Limited.EXPORT, visit.person)
    chosen = [item for item in await load_history(visit.contents) if not only or item.id in only]
    log = {"transactionLog": [to_ts10(item.entry) for item in chosen]}
    return await encrypt(json_dumps(log), passphrase)


async def import_wallet(wallet: Wallet, visit: Visit, file: str, passphrase: str) -> Imported:
    """Read a file of this or another wallet: keep its history, and say which cards to ask for again.

    Entries that are known already, and those that can't be read, are skipped.

    Raises:
        MalformedInput: not such a file.
        BadSignature: another passphrase, or the file was changed.
        TooManyRequests: passphrases are tried, or files are tried out.
    """
    await wallet.limits.spend(Limited.IMPORT, visit.person)
    content = parse_message(MigrationData, await decrypt(file, passphrase))
    entries = await _fresh_entries(visit, content)
    cards = await _fresh_cards(wallet, visit, content)
    async with wallet.contents.transaction() as tx:
        for entry in entries:
            await record(visit.contents, tx, entry)
        for card, copy in cards:
            await add_card(visit.contents, tx, card, [copy])
    skipped = len(content.transaction_log) + len(content.non_device_bound) - len(entries) - len(cards)
    return Imported(len(entries), len(cards), skipped, content.credentials)


async def _fresh_entries(visit: Visit, content: MigrationData) -> list[Entry]:
    known = {_identity(item.entry) for item in await load_history(visit.contents)}
    fresh = []
    for value in content.transaction_log:
        with suppress(MalformedInput):
            entry = from_ts10(value)
            if _identity(entry) not in known:
                fresh.append(entry)
    return fresh


async def _fresh_cards(wallet: Wallet, visit: Visit, content: MigrationData) -> list[tuple[CardContent, CopyContent]]:
    known = {copy.content.text for copies in (await load_all_copies(visit.contents)).values() for copy in copies}
    fresh = []
    for each in content.non_device_bound:
        with suppress(MalformedInput, VerificationError):
            if each.credential not in known:
                fresh.append(_verified(wallet, each))
    return fresh


def _verified(wallet: Wallet, found: NonDeviceBoundCredential) -> tuple[CardContent, CopyContent]:
    """Verify a card that came whole, as at receipt: by an issuer that is trusted, valid, and bound to no key."""
    now, trust = wallet.clock(), wallet.trust
    policy = X509Trust(trust.anchors, purposes_of_signers(mdoc=False))
    held = HeldSdJwtVc.from_text(found.credential)  # an mdoc is always bound to a device
    issuer = establish_issuer(policy, x5c=held.x5c, iss=None, kid=None, now=now, cache=trust.cache)
    verified = verify_sd_jwt_vc(found.credential, issuer_key=issuer.key, binding=NoHolderBinding(), now=now)
    if verified.holder_key is not None:
        raise HolderBindingError("the card is bound to a key of another wallet")
    require_right(policy, issuer, verified.types)
    card = CardContent(
        format=SD_JWT_VC,
        type=verified.vct,
        credential_issuer=verified.issuer or "",
        configuration_id="",
        signer=issuer.name,
        received_at=now,
        issued_at=verified.issued_at,
        expires_at=verified.expires_at,
    )
    status = StatusEntry.of(verified.status)
    return card, CopyContent(key_id=None, text=found.credential, expires_at=verified.expires_at, status=status)


async def encrypt(plaintext: bytes, passphrase: str) -> str:
    """Encrypt with a passphrase, as compact JWE.

    Raises:
        MalformedInput: the passphrase is too short.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise MalformedInput(f"expected a passphrase of at least {MIN_PASSPHRASE} characters")
    salt, key, iv = os.urandom(_SALT_BYTES), os.urandom(_KEY_BYTES), os.urandom(_IV_BYTES)
    header = {"alg": ALGORITHM, "enc": ENCRYPTION, "p2s": b64u_encode(salt), "p2c": ROUNDS, "cty": "json"}
    wrapping = await asyncio.to_thread(_derive, passphrase, salt, ROUNDS)
    protected = b64u_encode(json_dumps(header))
    sealed = AESGCM(key).encrypt(iv, plaintext, protected.encode("ascii"))
    parts = (aes_key_wrap(wrapping, key), iv, sealed[:-_TAG_BYTES], sealed[-_TAG_BYTES:])
    return ".".join((protected, *map(b64u_encode, parts)))


async def decrypt(jwe: str, passphrase: str) -> dict[str, Any]:
    """Decrypt what `encrypt`, or another wallet, has made.

    Raises:
        NotAWalletFile: not such a JWE.
        WrongPassphrase: another passphrase, or it was changed.
        MalformedInput: its content is no JSON object.
    """
    if len(jwe) > MAX_FILE or jwe.count(".") != 4:  # noqa: PLR2004 (a JWE has five parts)
        raise NotAWalletFile(f"expected an encrypted wallet of at most {MAX_FILE} characters")
    protected, *rest = jwe.strip().split(".")
    try:
        wrapped, iv, ciphertext, tag = (b64u_decode(part) for part in rest)
        salt, rounds = _parameters(json_object(b64u_decode(protected)))
    except MalformedInput as error:
        raise NotAWalletFile(str(error)) from error
    wrapping = await asyncio.to_thread(_derive, passphrase, salt, rounds)
    try:
        key = aes_key_unwrap(wrapping, wrapped)
        plaintext = AESGCM(key).decrypt(iv, ciphertext + tag, protected.encode("ascii"))
    except (InvalidUnwrap, InvalidTag, ValueError):
        raise WrongPassphrase("the passphrase is another one, or the file was changed") from None
    return json_object(plaintext, max_bytes=MAX_FILE)


def _parameters(header: Mapping[str, Any]) -> tuple[bytes, int]:
    if header.get("alg") != ALGORITHM or header.get("enc") != ENCRYPTION or "crit" in header or "zip" in header:
        raise MalformedInput(f"expected a file encrypted with {ALGORITHM} and {ENCRYPTION}")
    rounds, salt = header.get("p2c"), header.get("p2s")
    if type(rounds) is not int or not MIN_ROUNDS <= rounds <= MAX_ROUNDS or not isinstance(salt, str):
        raise MalformedInput(f"expected p2s, and p2c between {MIN_ROUNDS} and {MAX_ROUNDS}")
    return b64u_decode(salt), rounds


def _derive(passphrase: str, salt: bytes, rounds: int) -> bytes:
    """Derive the wrapping key (RFC 7518 4.8.1.1: the algorithm's name goes before the salt)."""
    salted = ALGORITHM.encode("ascii") + b"\x00" + salt
    derivation = PBKDF2HMAC(algorithm=hashes.SHA256(), length=_KEY_BYTES, salt=salted, iterations=rounds)
    return derivation.derive(passphrase.encode("utf-8"))


def _info(card: Card) -> CredentialInfo:
    content = card.content
    return CredentialInfo(
        credential_identifier=content.type,
        format=content.format,
        issuer_identifier=(IssuerIdentifier(type="credential_issuer", identifier=content.credential_issuer),),
        issuer_name=content.signer,
        supply_point_url=content.credential_issuer,
        configuration_id=content.configuration_id,
    )


def _identity(entry: Entry) -> tuple[datetime, str, str]:
    return entry.time.astimezone(UTC), entry.transaction_type, entry.party.name
