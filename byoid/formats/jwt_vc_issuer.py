"""JWT VC Issuer Metadata: the keys of an issuer that is found by its `iss` URL, without certificates.

Spec: draft-ietf-oauth-sd-jwt-vc-19 section 4. Whether this mechanism is permitted for an issuer is policy: an attacker
must not choose it by leaving `x5c` out. Fetching both documents is the caller's business (section 3).
"""

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import field_validator, model_validator

from byoid.errors import ClaimMismatch, MalformedInput, UntrustedIssuer
from byoid.keys import PublicKey
from byoid.message import Array, Message, parse_message

WELL_KNOWN = "/.well-known/jwt-vc-issuer"


class JwkSet(Message):
    """A JWK Set (RFC 7517 section 5). Keys of kinds that we don't know are kept, and never chosen."""

    keys: Array[dict[str, Any]]


class IssuerMetadata(Message):
    """The metadata document (section 4.2): keys by value, or where they are."""

    issuer: str
    jwks: JwkSet | None = None
    jwks_uri: str | None = None

    @field_validator("jwks_uri")
    @classmethod
    def _https(cls, value: str | None) -> str | None:
        if value is not None and _split(value).scheme != "https":
            raise ValueError("must be an https URL")
        return value

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.jwks is None) == (self.jwks_uri is None):
            raise ValueError("must have either jwks or jwks_uri, and not both")
        return self


def issuer_metadata_url(issuer: str) -> str:
    """Return where the metadata of an issuer is: the well-known path goes between host and path (section 4).

    Raises:
        MalformedInput: not an https URL, or one with a query or fragment.
    """
    parts = _split(issuer)
    if parts.scheme != "https" or not parts.hostname or "?" in issuer or "#" in issuer or "@" in parts.netloc:
        raise MalformedInput("expected an issuer identifier that is an https URL without query and fragment")
    return f"https://{parts.netloc}{WELL_KNOWN}{parts.path.rstrip('/')}"


def parse_issuer_metadata(document: bytes | Mapping[str, Any], *, issuer: str) -> IssuerMetadata:
    """Parse the metadata of the issuer that a credential names as `iss` (section 4.3).

    Raises:
        MalformedInput: not such a document; neither or both of `jwks` and `jwks_uri`.
        ClaimMismatch: the document is another issuer's; nothing in it may be used.
    """
    metadata = parse_message(IssuerMetadata, document)
    if metadata.issuer != issuer:
        raise ClaimMismatch("the issuer metadata are of another issuer than the credential's iss")
    return metadata


def issuer_key(keys: JwkSet, *, kid: str | None) -> PublicKey:
    """Choose the key that a credential's header names with `kid`; without one, the set must have a single key.

    Raises:
        UntrustedIssuer: no such key, or no telling which.
        MalformedInput: the key is of a kind that byoid does not use.
    """
    signing = [key for key in keys.keys if key.get("use", "sig") == "sig"]
    chosen = [key for key in signing if key.get("kid") == kid] if kid is not None else signing
    if len(chosen) != 1:
        raise UntrustedIssuer(f"expected one key of the issuer to fit the credential's kid, {len(chosen)} do")
    return PublicKey.from_jwk(chosen[0])


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise MalformedInput("expected a URL") from None
