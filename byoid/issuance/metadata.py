"""Credential issuer metadata: what an issuer offers, where its endpoints are, and how it encrypts.

OpenID4VCI 1.0 12.2; EUDI additions `issuer_info` and `preferred_client_status_period`. The signed form is
`byoid.issuance.signed_metadata`; HAIP's demands are a separate function, since an issuer may serve others too.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from byoid.errors import ClaimMismatch, PeerError
from byoid.issuance.configuration import AnyCredentialConfiguration, Image
from byoid.keys import PRIVATE_MEMBERS
from byoid.message import Array, Message, NonEmptyArray
from byoid.oauth.claims_description import require_one_per_locale
from byoid.oauth.url import Identifier, Url, well_known_url

WELL_KNOWN: Final = "openid-credential-issuer"


def _encryption_keys(keys: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
    """Demand what 12.2.4 and 10 demand: a `kid` that no other key has, an `alg`, and no private members."""
    key_ids = [key.get("kid") for key in keys]
    if not all(isinstance(key_id, str) for key_id in key_ids) or len(set(map(str, key_ids))) != len(keys):
        raise ValueError("every key needs a kid of its own")
    if not all(isinstance(key.get("alg"), str) for key in keys):
        raise ValueError("every key needs an alg")
    if any(not PRIVATE_MEMBERS.isdisjoint(key) for key in keys):
        raise ValueError("a key has private members")
    return keys


class EncryptionKeySet(Message):
    """Public keys to encrypt to."""

    keys: Annotated[NonEmptyArray[dict[str, Any]], AfterValidator(_encryption_keys)]


class CredentialRequestEncryption(Message):
    """How requests can, or must, be encrypted to the issuer."""

    jwks: EncryptionKeySet
    enc_values_supported: NonEmptyArray[str]
    zip_values_supported: NonEmptyArray[str] | None = None
    encryption_required: bool


class CredentialResponseEncryptionSupport(Message):
    """How responses can, or must, be encrypted to the wallet (member `credential_response_encryption`)."""

    alg_values_supported: NonEmptyArray[str]
    enc_values_supported: NonEmptyArray[str]
    zip_values_supported: NonEmptyArray[str] | None = None
    encryption_required: bool


class BatchCredentialIssuance(Message):
    """The most proofs that one request may have."""

    batch_size: Annotated[int, Field(ge=2)]


class IssuerDisplay(Message):
    """How the issuer is shown in one language."""

    name: str | None = None
    locale: str | None = None
    logo: Image | None = None


class IssuerInfo(Message):
    """Something about the issuer that its registrar says: a registration certificate (ETSI TS 119 472-3)."""

    format: str
    data: Any


class CredentialIssuerMetadata(Message):
    """The metadata of a credential issuer (12.2.4)."""

    credential_issuer: Identifier
    authorization_servers: NonEmptyArray[Identifier] | None = None
    credential_endpoint: Url
    nonce_endpoint: Url | None = None
    deferred_credential_endpoint: Url | None = None
    notification_endpoint: Url | None = None
    credential_request_encryption: CredentialRequestEncryption | None = None
    credential_response_encryption: CredentialResponseEncryptionSupport | None = None
    batch_credential_issuance: BatchCredentialIssuance | None = None
    display: Annotated[NonEmptyArray[IssuerDisplay], AfterValidator(require_one_per_locale)] | None = None
    credential_configurations_supported: dict[str, AnyCredentialConfiguration]
    issuer_info: Array[IssuerInfo] | None = None
    preferred_client_status_period: int | None = None

    @property
    def max_proofs(self) -> int:
        """The most proofs, or attested keys, that one credential request may have."""
        return self.batch_credential_issuance.batch_size if self.batch_credential_issuance else 1


def metadata_url(credential_issuer: str) -> str:
    """Return where the metadata of a credential issuer are (12.2.2).

    Raises:
        MalformedInput: it is no identifier.
    """
    return well_known_url(credential_issuer, WELL_KNOWN, keeps_slash=True)


def require_credential_issuer(
    metadata: CredentialIssuerMetadata, *, credential_issuer: str
) -> CredentialIssuerMetadata:
    """Demand that the metadata are those of the issuer that was asked, compared character by character (12.2.4).

    Raises:
        ClaimMismatch: they are another issuer's, and must not be used.
    """
    if metadata.credential_issuer != credential_issuer:
        raise ClaimMismatch(f"expected the metadata of {credential_issuer}, got those of another issuer")
    return metadata


def require_haip(metadata: CredentialIssuerMetadata) -> CredentialIssuerMetadata:
    """Demand what HAIP 4.1 demands, and that proofs are asked for exactly where keys are bound (12.2.4).

    Raises:
        PeerError: a scope is missing, the nonce endpoint is missing, or binding and proof types do not agree.
    """
    for configuration in metadata.credential_configurations_supported.values():
        if configuration.scope is None:
            raise PeerError("HAIP needs a scope for every credential configuration")
        if configuration.needs_key != bool(configuration.proof_types_supported):
            raise PeerError("expected proof types exactly where credentials are bound to keys")
        if configuration.needs_key and metadata.nonce_endpoint is None:
            raise PeerError("HAIP needs a nonce endpoint where credentials are bound to keys")
    return metadata
