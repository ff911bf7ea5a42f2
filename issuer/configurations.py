"""Credential configurations: each type of the catalogue in each of its formats, as metadata and as a credential.

OpenID4VCI 1.0 12.2.4 and appendix A; credential_reuse_policy of ETSI TS 119 472-3 4.2.4.2.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final, Literal

from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.sd_jwt_issue import ALL
from byoid.formats.sd_jwt_vc_batch import SdJwtVcBatch
from byoid.formats.status_list import StatusReference
from byoid.issuance.configuration import (
    AnyCredentialConfiguration,
    CredentialDisplay,
    CredentialMetadata,
    Image,
    KeyAttestationsRequired,
    MdocConfiguration,
    ProofType,
    SdJwtVcConfiguration,
)
from byoid.keys import PublicKey
from byoid.oauth.claims_description import ClaimDisplay, ClaimsDescription
from byoid.signing import Signer, Unsigned
from issuer.attributes import Record
from issuer.credential_types import ClaimDefinition, CredentialType, mdoc_elements, sd_jwt_claims
from issuer.type_documents import TypeDocument, type_url, vct_of

PROOF_ALGORITHMS: Final = ("ES256",)
_COSE_ES256: Final = (-7, -9)  # both mean ECDSA on P-256 with SHA-256 (HAIP 7)


@dataclass(frozen=True)
class Configuration:
    """One type in one format. Its id is also its scope, and the credential identifier of its only dataset."""

    id: str
    type: CredentialType
    format: Literal["dc+sd-jwt", "mso_mdoc"]
    metadata: AnyCredentialConfiguration
    vct: str = ""
    integrity: str | None = None  # of the type metadata, where `vct` is where we serve them

    def claims(self, record: Record, *, today: date) -> dict[str, Any]:
        """Return what credentials of this configuration say of a person: claims, or data elements by namespace.

        Raises:
            AttributeMissing: the record lacks something that the type demands.
        """
        if self.format == "mso_mdoc":
            return mdoc_elements(self.type, record, today=today)
        bound = {"vct#integrity": self.integrity} if self.integrity else {}
        return {**sd_jwt_claims(self.type, record, today=today), **bound}

    def batch(
        self, claims: Mapping[str, Any], *, signer: Signer, issued_at: datetime, expires_at: datetime
    ) -> Callable[[PublicKey, StatusReference | None], Unsigned[str] | Unsigned[bytes]]:
        """Return what prepares credentials with these claims for their signature, each for a key and a status."""
        if self.format == "mso_mdoc":
            return lambda key, status: prepare_mdoc(
                claims,
                doctype=self.type.mdoc.doctype if self.type.mdoc else "",
                device_key=key, x5chain=signer.x5c, algorithm=signer.algorithm,
                signed=issued_at, valid_from=issued_at, valid_until=expires_at, status=status,
            )  # fmt: skip
        batch = SdJwtVcBatch(
            claims,
            vct=self.vct,
            disclosable=ALL if self._all_disclosable else self.type.disclosable,
            x5c=signer.x5c, algorithm=signer.algorithm, issued_at=issued_at, expires_at=expires_at,
        )  # fmt: skip
        return lambda key, status: batch.prepare(holder_key=key.jwk, status=status)

    @cached_property
    def _all_disclosable(self) -> bool:
        return all(claim.disclosure == "always" for claim in self.type.claims if claim.sd_jwt)


def configurations(
    types: Iterable[CredentialType], *, public_url: str, documents: Mapping[str, TypeDocument]
) -> dict[str, Configuration]:
    """Return every configuration of these types, by id; `documents` are their type metadata."""
    found = {}
    for kind in types:
        if kind.sd_jwt_vc is not None:
            vct = vct_of(kind, public_url=public_url)
            metadata: AnyCredentialConfiguration = SdJwtVcConfiguration(
                vct=vct,
                scope=kind.sd_jwt_vc.configuration_id,
                credential_signing_alg_values_supported=("ES256",),
                cryptographic_binding_methods_supported=("jwk",),
                **_common(kind, [claim for claim in kind.claims if claim.sd_jwt], mdoc=False),
            )
            served = vct == type_url(kind, public_url=public_url)
            found[kind.sd_jwt_vc.configuration_id] = Configuration(
                kind.sd_jwt_vc.configuration_id, kind, "dc+sd-jwt", metadata, vct,
                documents[kind.id].integrity if served else None,
            )  # fmt: skip
        if kind.mdoc is not None:
            metadata = MdocConfiguration(
                doctype=kind.mdoc.doctype,
                scope=kind.mdoc.configuration_id,
                credential_signing_alg_values_supported=_COSE_ES256,
                cryptographic_binding_methods_supported=("cose_key",),
                **_common(kind, [claim for claim in kind.claims if claim.mdoc], mdoc=True),
            )
            found[kind.mdoc.configuration_id] = Configuration(kind.mdoc.configuration_id, kind, "mso_mdoc", metadata)
    return found


def _common(kind: CredentialType, claims: list[ClaimDefinition], *, mdoc: bool) -> dict[str, Any]:
    demands = None
    if kind.keys is not None:
        demands = KeyAttestationsRequired(
            key_storage=kind.keys.key_storage or None, user_authentication=kind.keys.user_authentication or None
        )
    proof_type = ProofType(proof_signing_alg_values_supported=PROOF_ALGORITHMS, key_attestations_required=demands)
    attestation = ProofType(
        proof_signing_alg_values_supported=PROOF_ALGORITHMS,
        key_attestations_required=demands or KeyAttestationsRequired(),
    )
    display = tuple(
        CredentialDisplay(
            name=name, locale=language, logo=_logo(kind, name), description=kind.description[language],
            background_color=kind.colours.background, text_color=kind.colours.text,
        )
        for language, name in kind.name.items()
    )  # fmt: skip
    return {
        "proof_types_supported": {"jwt": proof_type, "attestation": attestation},
        "credential_metadata": CredentialMetadata(
            display=display,
            claims=tuple(_description(kind, claim, mdoc=mdoc) for claim in claims),
            credential_reuse_policy=_reuse_policy(kind),
        ),
    }


def _logo(kind: CredentialType, name: str) -> Image | None:
    return Image(uri=kind.logo, alt_text=name) if kind.logo else None


def _description(kind: CredentialType, claim: ClaimDefinition, *, mdoc: bool) -> ClaimsDescription:
    display = tuple(ClaimDisplay(name=text, locale=language) for language, text in claim.label.items())
    path = (kind.mdoc.namespace, claim.mdoc) if mdoc and kind.mdoc else claim.path
    return ClaimsDescription(path=path, mandatory=claim.required, display=display)


def _reuse_policy(kind: CredentialType) -> dict[str, Any]:
    members = kind.reuse.model_dump(exclude_none=True, exclude={"methods"})
    return {"id": "arf_annex_ii", "options": [{"details": list(kind.reuse.methods), **members}]}
