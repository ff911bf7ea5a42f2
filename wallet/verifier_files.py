"""Verifiers that the wallet knows without a certificate: registered beforehand, or attested by somebody it believes.

A TOML file of the operator (OpenID4VP 1.0 5.9.2 pre-registered clients, 12 verifier attestations):

    [[registered]]
    client_id = "library"
    name = "Public library"
    redirect_uris = ["https://library.example/responses"]
    key = "library.pem"                 # beside this file: certificate; without it requests are unsigned
    metadata = { vp_formats_supported = {…}, jwks = {…} }   # without it, requests may bring their own

    [[attestation_issuer]]
    iss = "https://attester.example"
    key = "attester.pem"
"""

import tomllib
from pathlib import Path
from typing import Any

from cryptography import x509
from pydantic import BaseModel, ConfigDict, ValidationError

from byoid.errors import MalformedInput
from byoid.keys import PublicKey
from byoid.message import parse_message
from byoid.presentation.client_id import RegisteredClient, VerifierTrust
from byoid.presentation.request import ClientMetadata
from byoid.trust.anchors import TrustAnchors


class _Registered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    client_id: str
    name: str
    redirect_uris: frozenset[str]
    key: str | None = None
    metadata: dict[str, Any] | None = None


class _AttestationIssuer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    iss: str
    key: str


class _VerifierFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    registered: tuple[_Registered, ...] = ()
    attestation_issuer: tuple[_AttestationIssuer, ...] = ()
    trusted_clients: tuple[str, ...] = ()


def load_verifiers(anchors: TrustAnchors, path: Path | None = None) -> VerifierTrust:
    """Read whom the wallet believes to be a verifier; without a file, only holders of access certificates.

    Raises:
        MalformedInput: the file, or a key that it names, cannot be read.
    """
    if path is None:
        return VerifierTrust(anchors)
    try:
        parsed = _VerifierFile.model_validate(tomllib.loads(path.read_text("utf-8")))
        return VerifierTrust(
            anchors,
            registered={each.client_id: _registered(each, path.parent) for each in parsed.registered},
            attestation_issuers={each.iss: _key(path.parent / each.key) for each in parsed.attestation_issuer},
            trusted_clients=parsed.trusted_clients,
        )
    except (OSError, ValueError, tomllib.TOMLDecodeError, ValidationError, MalformedInput) as error:
        raise MalformedInput(f"verifiers file {path.name}: {error}") from error


def _registered(each: _Registered, folder: Path) -> RegisteredClient:
    key = _key(folder / each.key) if each.key else None
    metadata = None if each.metadata is None else parse_message(ClientMetadata, each.metadata)
    return RegisteredClient(each.name, metadata, each.redirect_uris, key)


def _key(path: Path) -> PublicKey:
    return PublicKey.from_certificate(x509.load_pem_x509_certificate(path.read_bytes()))
