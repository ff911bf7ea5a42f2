"""The wallet provider: vouches for wallets and for the keys that the vault makes.

Spec: EUDI TS3 1.5 (wallet instance attestation, key attestation; names), OpenID4VCI 1.0 Appendix D and E,
draft-ietf-oauth-attestation-based-client-auth, HAIP 1.0 4.4.1 and 4.5.1, draft-ietf-oauth-status-list.

A client attestation is for one issuance with a key of its own, so that two issuers can't recognise a wallet. Every
attestation has a place in a status list of its month; the lists are served by the wallet.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from sqlalchemy import Table, bindparam, select, update

from byoid.errors import ByoidError
from byoid.formats.status_array import INVALID, StatusArray
from byoid.formats.status_list import StatusReference, prepare_status_list_token
from byoid.keys import PrivateKey, PublicKey
from byoid.oauth.client_attestation import (
    AttestedStatus,
    ClientAttestationClaims,
    Confirmation,
    prepare_client_attestation,
    prepare_client_attestation_pop,
)
from byoid.oauth.jwt import numeric_date
from byoid.oauth.key_attestation import KeyAttestationClaims, prepare_key_attestation
from byoid.oauth.private_key_jwt import prepare_client_assertion
from byoid.service.database import Database, Expiry, insert
from byoid.signing import Signer, sign, sign_now
from wallet.attestation_tables import Attestation
from wallet.issuer_client import Assert, Attest
from wallet.settings import WalletSettings
from wallet.vault.contract import HolderKeyView
from wallet.vault.kek import Protection
from wallet.vault.keys import PersonId

ATTESTATION: Final[Table] = vars(Attestation)["__table__"]
CLIENT: Final = "client"
KEYS: Final = "keys"
ATTESTATION_LIFETIME: Final = timedelta(hours=23)  # TS3: less than 24 hours
STATUS_MAINTAINED: Final = timedelta(days=400)  # longer than any credential that rests on it (TS3: at least 31 days)
CLIENT_KEY: Final = "wallet-client.key"  # a file beside the provider's; it may be missing
STATUS_PATH: Final = "/attestations/status"
WALLET_VERSION: Final = "1"
LIST_SIZE: Final = 1 << 17
LIST_TTL: Final = timedelta(minutes=5)
LIST_LIFETIME: Final = timedelta(hours=24)
_TRIES: Final = 8  # a list is given up for the next when this many random places are taken
_TAKE = insert(ATTESTATION).on_conflict_do_nothing()
_REVOKED = select(ATTESTATION.c.place).where(
    ATTESTATION.c.list_id == bindparam("of_list"), ATTESTATION.c.revoked == True  # noqa: E712
)  # fmt: skip
_KNOWN = select(ATTESTATION.c.id).where(ATTESTATION.c.list_id == bindparam("of_list")).limit(1)
_REVOKE = (
    update(ATTESTATION)
    .where(ATTESTATION.c.person_id == bindparam("of_person"), ATTESTATION.c.revoked.is_(False))
    .values(revoked=True)
)


class NoSuchList(ByoidError):
    """The wallet provider has no status list of this name."""


@dataclass(frozen=True)
class _Token:
    jwt: str
    until: datetime


@dataclass
class WalletProvider:
    """The provider: its keys, and the status lists of what it has attested."""

    settings: WalletSettings
    signer: Signer
    status_signer: Signer
    database: Database
    clock: Callable[[], datetime]
    client_signer: Signer | None = None  # authenticates the wallet where a server has registered its key
    _tokens: dict[str, _Token] = field(default_factory=dict, repr=False)

    def attest_client(self, person: PersonId, key: PrivateKey) -> Attest:
        """Return what attests a wallet instance with this fresh key to one authorization server, once it is asked."""
        made: list[str] = []

        async def attest(audience: str, challenge: str | None) -> tuple[str, str]:
            if not made:
                made.append(await self.create_client_attestation(person, key))
            proof = prepare_client_attestation_pop(
                client_id=self.settings.client_id, audience=audience, jti=secrets.token_urlsafe(16),
                now=self.clock(), algorithm=key.algorithm, challenge=challenge,
            )  # fmt: skip
            return made[0], sign_now(proof, key)

        return attest

    def assert_client(self) -> Assert | None:
        """Return what authenticates the wallet by `private_key_jwt` to one authorization server, if it has a key.

        All installations have the same key, so an issuer can't tell them apart by it.
        """
        signer, client_id = self.client_signer, self.settings.client_id
        if signer is None:
            return None

        async def assertion(audience: str) -> str:
            unsigned = prepare_client_assertion(
                client_id=client_id, audience=audience, jti=secrets.token_urlsafe(16), now=self.clock(),
                algorithm=signer.algorithm, key_id=PublicKey.from_jwk(signer.public_jwk).thumbprint_b64u,
            )  # fmt: skip
            return await sign(unsigned, signer)

        return assertion

    async def create_client_attestation(self, person: PersonId, key: PrivateKey) -> str:
        """Attest a wallet instance by its key; nothing in it is about the person (TS3)."""
        now = self.clock()
        claims = ClientAttestationClaims(
            iss=self.settings.public_url,  # TS3 has none, draft -07, which OpenID4VCI 1.0 pins, demands one
            sub=self.settings.client_id,
            exp=numeric_date(now + ATTESTATION_LIFETIME),
            cnf=Confirmation(jwk=key.public.jwk),
            iat=numeric_date(now),
            wallet_name=self.settings.wallet_name,
            wallet_link=self.settings.public_url,
            wallet_version=WALLET_VERSION,
            wallet_solution_certification_information="not certified",
            client_status=await self._take_place(person, CLIENT, now),
        )
        return await sign(
            prepare_client_attestation(claims, algorithm=self.signer.algorithm, x5c=self.signer.x5c), self.signer
        )

    async def create_key_attestation(
        self, person: PersonId, keys: Sequence[HolderKeyView], *, nonce: str | None
    ) -> str:
        """Attest holder keys, as the vault returned them when it made them; each key in one attestation only."""
        now = self.clock()
        storage, authentication = self._levels(Protection.weakest(key.protection for key in keys))
        claims = KeyAttestationClaims(
            iat=numeric_date(now),
            exp=numeric_date(now + ATTESTATION_LIFETIME),
            attested_keys=tuple(key.public_jwk for key in keys),
            key_storage=storage,
            user_authentication=authentication,
            nonce=nonce,
            key_storage_status=await self._take_place(person, KEYS, now),
        )
        return await sign(
            prepare_key_attestation(claims, algorithm=self.signer.algorithm, x5c=self.signer.x5c), self.signer
        )

    def _levels(self, protection: Protection) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """Return the levels of key storage and user authentication (OpenID4VCI D.2) as the operator states them.

        None where whoever runs the server could open the keys without their owner: nobody can vouch for those.
        """
        if protection is Protection.KEY_FILE:
            return None, None
        settings = self.settings
        storage = settings.passkey_storage_level if protection is Protection.PASSKEY else settings.hsm_storage_level
        return (storage,), (settings.user_authentication_level,)

    async def revoke(self, person: PersonId) -> int:
        """Revoke every attestation of a wallet that was lost, locked for good or deleted."""
        self._tokens.clear()
        return (await self.database.execute(_REVOKE, {"of_person": person})).rowcount

    async def status_list_token(self, list_id: str) -> str:
        """Return a status list as a signed token.

        Raises:
            NoSuchList: there is none.
        """
        now, token = self.clock(), self._tokens.get(list_id)
        if token is not None and now < token.until:
            return token.jwt
        if (await self.database.fetch(_KNOWN, {"of_list": list_id})).first() is None:
            raise NoSuchList("the wallet provider has no such status list")
        array = StatusArray.of_size(LIST_SIZE)
        for row in (await self.database.fetch(_REVOKED, {"of_list": list_id})).rows:
            array.set_status(row.place, INVALID)
        unsigned = prepare_status_list_token(
            array, uri=self.list_uri(list_id), issued_at=now, expires_at=now + LIST_LIFETIME, ttl=LIST_TTL,
            algorithm=self.status_signer.algorithm, x5c=self.status_signer.x5c,
        )  # fmt: skip
        jwt = await sign(unsigned, self.status_signer)
        self._tokens[list_id] = _Token(jwt, now + LIST_TTL)
        return jwt

    async def expire(self) -> int:
        """Forget attestations whose status is no longer maintained."""
        return await Expiry(ATTESTATION, expires_at=ATTESTATION.c.expires_at).run(self.database, now=self.clock())

    def list_uri(self, list_id: str) -> str:
        """Return where a list is."""
        return f"{self.settings.public_url}{STATUS_PATH}/{list_id}"

    async def _take_place(self, person: PersonId, kind: str, now: datetime) -> AttestedStatus:
        """Take a random free place in the list of this month; places are never given twice."""
        ends = now + STATUS_MAINTAINED
        for attempt in count():
            list_id, place = f"{kind}-{now:%Y-%m}-{1 + attempt // _TRIES}", secrets.randbelow(LIST_SIZE)
            row = {
                "id": secrets.token_urlsafe(16), "person_id": person, "list_id": list_id, "place": place,
                "revoked": False, "expires_at": ends,
            }  # fmt: skip
            if (await self.database.execute(_TAKE, row)).rowcount == 1:
                break
        reference = StatusReference(self.list_uri(list_id), place)
        return AttestedStatus(status=reference.to_claim(), exp=numeric_date(ends))
