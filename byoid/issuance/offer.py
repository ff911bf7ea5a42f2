"""Credential offers: what an issuer offers a wallet, and the link that carries it by value or by reference.

OpenID4VCI 1.0 4.1 and 12.1, HAIP 1.0 4.2. An offer is unauthenticated: whoever receives one looks the issuer up as if
the person had named it, and asks before fetching (13.5). Fetching is the caller's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field

from byoid.encoding import json_dumps
from byoid.errors import ClaimMismatch, MalformedInput
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.message import Message, NonEmptyArray, parse_message
from byoid.oauth.form import parse_form
from byoid.oauth.url import Identifier, require_url

CUSTOM_SCHEME: Final = "openid-credential-offer://"
HAIP_SCHEME: Final = "haip-vci://"
MAX_OFFER_BYTES: Final = 64 << 10


def _unique(ids: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(ids)) != len(ids):
        raise ValueError("an id comes twice")
    return ids


class TransactionCode(Message):
    """What transaction code the person has to type; its presence alone means that one is needed (4.1.1)."""

    input_mode: Literal["numeric", "text"] = "numeric"
    length: Annotated[int, Field(gt=0, le=1024)] | None = None
    description: Annotated[str, Field(max_length=300)] | None = None


class AuthorizationCodeGrant(Message):
    """The person authorises in the browser; `issuer_state` goes into the authorization request."""

    issuer_state: str | None = None
    authorization_server: str | None = None


class PreAuthorizedCodeGrant(Message):
    """The issuer has authorised already; the code is short-lived and for once."""

    pre_authorized_code: Annotated[str, Field(alias="pre-authorized_code", min_length=1)]
    tx_code: TransactionCode | None = None
    authorization_server: str | None = None


class Grants(Message):
    """The grants that the authorization server is ready for; if empty, its metadata say which (4.1.1)."""

    authorization_code: AuthorizationCodeGrant | None = None
    pre_authorized_code: PreAuthorizedCodeGrant | None = Field(
        default=None, alias="urn:ietf:params:oauth:grant-type:pre-authorized_code"
    )


class CredentialOffer(Message):
    """Credentials that one issuer offers (4.1.1)."""

    credential_issuer: Identifier
    credential_configuration_ids: Annotated[NonEmptyArray[str], AfterValidator(_unique)]
    grants: Grants | None = None


@dataclass(frozen=True, slots=True)
class OfferReference:
    """An offer that is still to be fetched, by GET, as `application/json` and nothing else (4.1.3)."""

    uri: str


Offer: TypeAlias = CredentialOffer | OfferReference


def parse_credential_offer(data: bytes | str) -> CredentialOffer:
    """Parse an offer object.

    Raises:
        MalformedInput: it is too large, or breaks a rule of 4.1.1.
    """
    if len(data) > MAX_OFFER_BYTES:
        raise MalformedInput(f"credential offer of {len(data)} bytes, at most {MAX_OFFER_BYTES} are accepted")
    return parse_message(CredentialOffer, data)


def parse_credential_offer_link(link: str) -> Offer:
    """Parse a link from a QR code, a click or the wallet's own credential offer endpoint (4.1).

    The scheme is not judged: whoever holds the link knows how it came.

    Raises:
        MalformedInput: not exactly one of `credential_offer` and `credential_offer_uri`, or one that is malformed.
    """
    try:
        query = urlsplit(link).query
    except ValueError:
        raise MalformedInput("expected a link") from None
    return parse_credential_offer_parameters(parse_form(query))


def parse_credential_offer_parameters(parameters: Mapping[str, str | list[str]]) -> Offer:
    """Parse the query parameters of the wallet's credential offer endpoint (4.1).

    Raises:
        MalformedInput: not exactly one of `credential_offer` and `credential_offer_uri`, or one that is malformed.
    """
    by_value, by_reference = parameters.get("credential_offer"), parameters.get("credential_offer_uri")
    if isinstance(by_value, str) and by_reference is None:
        return parse_credential_offer(by_value)
    if isinstance(by_reference, str) and by_value is None:
        try:
            return OfferReference(require_url(by_reference))
        except ValueError as error:
            raise MalformedInput(f"credential_offer_uri: {error}") from None
    raise MalformedInput("expected either credential_offer or credential_offer_uri")


def credential_offer_link(offer: Offer, *, endpoint: str = CUSTOM_SCHEME) -> str:
    """Return the link that carries an offer.

    Args:
        offer: by value, or by reference, which makes a QR code that is easier to read.
        endpoint: `openid-credential-offer://`, `haip-vci://`, or a wallet's https `credential_offer_endpoint` (12.1).
    """
    if isinstance(offer, OfferReference):
        parameter = "credential_offer_uri=" + quote(offer.uri, safe="")
    else:
        parameter = "credential_offer=" + quote(json_dumps(offer.to_wire()), safe="")
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{parameter}"


def require_offered(offer: CredentialOffer, *, metadata: CredentialIssuerMetadata) -> CredentialOffer:
    """Demand that the offer fits its issuer's metadata (4.1.1).

    Raises:
        ClaimMismatch: another issuer's metadata, a credential configuration that the issuer does not have, or an
            authorization server that it does not rely on.
    """
    if offer.credential_issuer != metadata.credential_issuer:
        raise ClaimMismatch("the metadata are of another issuer than the offer")
    for configuration_id in offer.credential_configuration_ids:
        if configuration_id not in metadata.credential_configurations_supported:
            raise ClaimMismatch("the offer names a credential configuration that its issuer does not have")
    grants = offer.grants or Grants()
    for grant in (grants.authorization_code, grants.pre_authorized_code):
        select_authorization_servers(metadata, hint=grant.authorization_server if grant else None)
    return offer


def select_authorization_servers(metadata: CredentialIssuerMetadata, *, hint: str | None) -> tuple[str, ...]:
    """Return the authorization servers to choose from: the one that the offer's grant names, else all (12.2.4).

    Raises:
        ClaimMismatch: the offer names a server that the issuer does not rely on: the wallet must not go on.
    """
    servers = metadata.authorization_servers or (metadata.credential_issuer,)
    if hint is None:
        return servers
    if hint not in servers:
        raise ClaimMismatch("the offer names an authorization server that its issuer does not rely on")
    return (hint,)
