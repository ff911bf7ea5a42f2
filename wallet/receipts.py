"""Receipts: what is on its way into a wallet, from the offer until it is kept; sealed like everything of a citizen.

    asked        an offer by reference that the citizen has not let us fetch yet
    offered      metadata are here, the citizen looks at the preview
    proposed     holder keys are made, the vault waits for the passkey
    approved     key proofs may be signed; the issuer's answer to the transaction code is still to come
    authorizing  the citizen's browser is at the authorization server
    redeeming    one request of ours is at work; whoever comes second is refused

`Wallet.contents` ends a receipt that nobody goes on with, by its `expires_at`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import Field

from byoid.errors import ByoidError, PeerError
from byoid.issuance.configuration import CredentialConfiguration, MdocConfiguration, SdJwtVcConfiguration
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.offer import CredentialOffer, Grants
from byoid.keys import PrivateKey
from byoid.oauth.client_attestation import AUTH_METHOD, AUTH_METHOD_DPOP
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.service.connection import Connection
from wallet.cards import SealedValue
from wallet.content_tables import Kind
from wallet.contents import Contents, Kept
from wallet.context import Visit, Wallet
from wallet.issuer_client import Assert, Issuance, KnownIssuer
from wallet.vault.contract import HolderKeyView

Supported = SdJwtVcConfiguration | MdocConfiguration
_ATTESTED: Final = frozenset({AUTH_METHOD, AUTH_METHOD_DPOP})
_PRIVATE_KEY_JWT: Final = "private_key_jwt"


class OutOfTurn(ByoidError):
    """The receipt is not at this stage: it was finished, declined, or another browser goes on with it."""


class UnsupportedCredential(PeerError):
    """The issuer offers nothing in a format, or with keys, that this wallet has."""


class Stage(StrEnum):
    """How far a receipt has come."""

    ASKED = "asked"
    OFFERED = "offered"
    PROPOSED = "proposed"
    APPROVED = "approved"
    AUTHORIZING = "authorizing"
    REDEEMING = "redeeming"


class IssuerContent(SealedValue):
    """What the issuer and its authorization server said about themselves when the citizen looked."""

    metadata: CredentialIssuerMetadata
    server: AuthorizationServerMetadata
    signed: bool

    @classmethod
    def of(cls, known: KnownIssuer, *, configuration_ids: tuple[str, ...]) -> "IssuerContent":
        """Keep what is needed: of the configurations only those that are meant."""
        every = known.metadata.credential_configurations_supported
        meant = {each: every[each] for each in configuration_ids if each in every}
        metadata = known.metadata.model_copy(update={"credential_configurations_supported": meant})
        return cls(metadata=metadata, server=known.server, signed=known.signed)

    @property
    def known(self) -> KnownIssuer:
        """The issuer, for a conversation."""
        return KnownIssuer(self.metadata, self.server, self.signed)


class Wanted(SealedValue):
    """A credential that is to be received, and the holder keys that the vault made for its copies."""

    configuration_id: str
    keys: tuple[HolderKeyView, ...] = ()


class Conversation(SealedValue):
    """The secrets of one conversation with an issuer: keys that no other issuance has, and what binds the redirect."""

    dpop_key: dict[str, str] = Field(repr=False)
    attestation_key: dict[str, str] | None = Field(default=None, repr=False)
    state: str | None = Field(default=None, repr=False)
    code_verifier: str | None = Field(default=None, repr=False)
    access_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)


class ReceiptContent(SealedValue):
    """A receipt. `reissue_of` is the card that is to be replaced."""

    stage: Stage
    reference: str | None = None
    offer: CredentialOffer | None = None
    issuer: IssuerContent | None = None
    wanted: tuple[Wanted, ...] = ()
    grant: str | None = Field(default=None, repr=False)
    conversation: Conversation | None = None
    reissue_of: str | None = None
    credential_identifier: str | None = None


@dataclass(frozen=True)
class Receipt:
    """A receipt as it was read."""

    content: ReceiptContent
    kept: Kept

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.id

    @property
    def offer(self) -> CredentialOffer:
        """The offer.

        Raises:
            OutOfTurn: it was not fetched yet.
        """
        if self.content.offer is None:
            raise OutOfTurn("the offer was not fetched yet")
        return self.content.offer

    @property
    def issuer(self) -> IssuerContent:
        """The issuer.

        Raises:
            OutOfTurn: it was not asked yet.
        """
        if self.content.issuer is None:
            raise OutOfTurn("the issuer was not asked yet")
        return self.content.issuer

    @property
    def grants(self) -> Grants:
        """The offer's grants; where it names none, what the server's metadata allow (OpenID4VCI 4.1.1)."""
        return self.offer.grants or Grants()

    @property
    def keys(self) -> tuple[HolderKeyView, ...]:
        """All holder keys that were made."""
        return tuple(key for wanted in self.content.wanted for key in wanted.keys)

    def configuration(self, configuration_id: str) -> Supported:
        """Return a credential configuration.

        Raises:
            UnsupportedCredential: of a format that the wallet does not have.
        """
        return supported(self.issuer.metadata.credential_configurations_supported[configuration_id])

    def require(self, *stages: Stage) -> None:
        """Demand one of the stages.

        Raises:
            OutOfTurn: it is at another.
        """
        if self.content.stage not in stages:
            raise OutOfTurn(f"expected a receipt that is {' or '.join(stages)}, it is {self.content.stage}")


def supported(configuration: CredentialConfiguration) -> Supported:
    """Return the configuration if its format is one of ours.

    Raises:
        UnsupportedCredential: it is not.
    """
    if not isinstance(configuration, SdJwtVcConfiguration | MdocConfiguration):
        raise UnsupportedCredential("the issuer offers a credential in a format that this wallet does not have")
    return configuration


async def add_receipt(wallet: Wallet, visit: Visit, content: ReceiptContent) -> Receipt:
    """Keep a new receipt for a short while."""
    expires_at = wallet.clock() + wallet.settings.receipt_lifetime
    async with visit.contents.store.transaction() as tx:
        receipt_id = await visit.contents.add_pending(tx, Kind.RECEIPT, content.to_value(), expires_at=expires_at)
    return await load_receipt(wallet, visit, receipt_id)


async def load_receipt(wallet: Wallet, visit: Visit, receipt_id: str) -> Receipt:
    """Return a receipt.

    Raises:
        ItemNotFound: there is none, or its time is over.
    """
    kept = await visit.contents.get(Kind.RECEIPT, receipt_id, now=wallet.clock())
    return Receipt(ReceiptContent.model_validate(kept.value), kept)


async def change_receipt(visit: Visit, receipt: Receipt, **changes: object) -> Receipt:
    """Bring a receipt further.

    Raises:
        ItemChanged: another browser was faster.
    """
    content = receipt.content.model_copy(update=changes)
    async with visit.contents.store.transaction() as tx:
        await visit.contents.change(tx, receipt.kept, content.to_value())
    kept = receipt.kept
    return Receipt(
        content, Kept(kept.id, kept.kind, kept.parent_id, kept.version + 1, content.to_value(), kept.expires_at)
    )


async def end_receipt(contents: Contents, tx: Connection, receipt: Receipt) -> None:
    """Forget a receipt that is finished."""
    await contents.delete(tx, Kind.RECEIPT, receipt.id)


def start_conversation(issuer: IssuerContent) -> Conversation:
    """Make fresh keys for one conversation; one to attest only where the server authenticates wallets."""
    methods = issuer.server.token_endpoint_auth_methods_supported or ()
    attested = not _ATTESTED.isdisjoint(methods)
    return Conversation(
        dpop_key=PrivateKey.generate().to_jwk(),
        attestation_key=PrivateKey.generate().to_jwk() if attested else None,
    )


def client_assertion(wallet: Wallet, issuer: IssuerContent) -> Assert | None:
    """Return what authenticates the wallet by its own key, where the server takes that and no attestations."""
    methods = issuer.server.token_endpoint_auth_methods_supported or ()
    asserting = _PRIVATE_KEY_JWT in methods and _ATTESTED.isdisjoint(methods)
    return wallet.provider.assert_client() if asserting else None


def resume(wallet: Wallet, visit: Visit, issuer: IssuerContent, conversation: Conversation) -> Issuance:
    """Take up a conversation."""
    key = PrivateKey.from_jwk(conversation.attestation_key) if conversation.attestation_key else None
    return Issuance(
        client=wallet.issuers,
        issuer=issuer.known,
        dpop_key=PrivateKey.from_jwk(conversation.dpop_key),
        attest=wallet.provider.attest_client(visit.person, key) if key else None,
        assert_client=None if key else client_assertion(wallet, issuer),
        access_token=conversation.access_token,
    )
