"""Credential configurations: what one type of credential is, how it is bound, and how it is shown.

OpenID4VCI 1.0 12.2.4 and Appendix A.2, A.3 and D; `credential_reuse_policy` is read by `byoid.issuance.reuse_policy`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Tag, model_validator

from byoid.message import Message, NonEmptyArray
from byoid.oauth.claims_description import ClaimsDescriptions, require_one_per_locale

_MDOC_PATH_LENGTH: Final = 2


class Image(Message):
    """A logo or background; the URI may be `https:` or `data:` (HAIP: a wallet renders PNG and SVG from both)."""

    uri: str
    alt_text: str | None = None


class CredentialDisplay(Message):
    """How a credential is shown in one language."""

    name: str
    locale: str | None = None
    logo: Image | None = None
    description: str | None = None
    background_color: str | None = None
    background_image: Image | None = None
    text_color: str | None = None


class CredentialMetadata(Message):
    """Use and display of issued credentials; what the credential's format says about itself comes first."""

    display: Annotated[NonEmptyArray[CredentialDisplay], AfterValidator(require_one_per_locale)] | None = None
    claims: ClaimsDescriptions | None = None
    credential_reuse_policy: dict[str, Any] | None = None
    embedded_disclosure_policy: dict[str, Any] | None = None  # ETSI TS 119 472-3 4.2.5


class KeyAttestationsRequired(Message):
    """The levels of keys that the issuer accepts; empty: any attestation will do (TS3: the period is in seconds)."""

    key_storage: NonEmptyArray[str] | None = None
    user_authentication: NonEmptyArray[str] | None = None
    preferred_key_storage_status_period: int | None = None


class ProofType(Message):
    """What the issuer accepts of one proof type."""

    proof_signing_alg_values_supported: NonEmptyArray[str]
    key_attestations_required: KeyAttestationsRequired | None = None


class CredentialConfiguration(Message):
    """What all formats have in common. Of a format that byoid does not know, nothing more is read."""

    format: str
    scope: str | None = None
    cryptographic_binding_methods_supported: NonEmptyArray[str] | None = None
    proof_types_supported: dict[str, ProofType] | None = None
    credential_metadata: CredentialMetadata | None = None

    @property
    def needs_key(self) -> bool:
        """Whether credentials are bound to a key of the wallet."""
        return bool(self.cryptographic_binding_methods_supported)


class SdJwtVcConfiguration(CredentialConfiguration):
    """A configuration of format `dc+sd-jwt` (A.3.2)."""

    format: Literal["dc+sd-jwt"] = "dc+sd-jwt"
    vct: str
    credential_signing_alg_values_supported: NonEmptyArray[str] | None = None


class MdocConfiguration(CredentialConfiguration):
    """A configuration of format `mso_mdoc` (A.2.2); algorithms are COSE numbers, -7 and -9 both mean ES256 on P-256."""

    format: Literal["mso_mdoc"] = "mso_mdoc"
    doctype: str
    credential_signing_alg_values_supported: NonEmptyArray[int] | None = None

    @model_validator(mode="after")
    def _paths_name_namespace_and_element(self) -> Self:
        for description in (self.credential_metadata and self.credential_metadata.claims) or ():
            head = description.path[:_MDOC_PATH_LENGTH]
            if len(head) < _MDOC_PATH_LENGTH or not all(isinstance(component, str) for component in head):
                raise ValueError("a path into an mdoc begins with a namespace and an element")
        return self


def _format_tag(value: Any) -> str:
    found = value.get("format") if isinstance(value, Mapping) else getattr(value, "format", None)
    return found if found in ("dc+sd-jwt", "mso_mdoc") else "other"


AnyCredentialConfiguration: TypeAlias = Annotated[
    Annotated[SdJwtVcConfiguration, Tag("dc+sd-jwt")]
    | Annotated[MdocConfiguration, Tag("mso_mdoc")]
    | Annotated[CredentialConfiguration, Tag("other")],
    Discriminator(_format_tag),
]
