"""Credential offers: made by the agency, fetched by a wallet, taken once (OpenID4VCI 4.1).

An offer's id is a secret that only its link carries; the pre-authorized code is derived from it, so neither is stored.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hmac import compare_digest
from typing import Any, Final, Literal

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError
from byoid.issuance.offer import (
    AuthorizationCodeGrant,
    CredentialOffer,
    Grants,
    OfferReference,
    PreAuthorizedCodeGrant,
    TransactionCode,
    credential_offer_link,
)
from byoid.wire_errors import InvalidRequest
from issuer.context import Issuer
from issuer.tables import OfferState

_ID_BYTES: Final = 24
PRE_AUTHORIZED: Final = "pre-authorized"
AUTHORIZATION: Final = "authorization"


class OfferNotFound(ByoidError):
    """No such offer, or it is taken, withdrawn or expired."""


@dataclass(frozen=True)
class CreatedOffer:
    """An offer just made. The transaction code is shown here once and must go another way than the link."""

    id: str
    uri: str
    tx_code: str | None

    def link(self, endpoint: str = "openid-credential-offer://") -> str:
        """Return the link that opens the offer in a wallet."""
        return credential_offer_link(OfferReference(self.uri), endpoint=endpoint)


async def create_offer(
    issuer: Issuer,
    *,
    configuration_ids: Sequence[str],
    person: str | None,
    tx_code: bool = True,
    grant: Literal["pre-authorized", "authorization"] = PRE_AUTHORIZED,
    lifetime: timedelta | None = None,
    job_id: str | None = None,
) -> CreatedOffer:
    """Make an offer.

    Args:
        issuer: whose.
        configuration_ids: what is offered.
        person: the register's key of the person; None where the person is to sign in.
        tx_code: whether the wallet must send a transaction code; only for pre-authorized offers.
        grant: whether the agency has authorised already, or the person will at the authorization endpoint.
        lifetime: how long the offer stands; the setting if not given.
        job_id: the bulk job that makes it.

    Raises:
        InvalidRequest: an unknown configuration, or no person for a pre-authorized offer.
    """
    row, created = prepare_offer(
        issuer,
        configuration_ids=configuration_ids,
        person=person,
        tx_code=tx_code,
        grant=grant,
        lifetime=lifetime,
        job_id=job_id,
    )
    await issuer.store.add_offer(row)
    return created


def prepare_offer(
    issuer: Issuer,
    *,
    configuration_ids: Sequence[str],
    person: str | None,
    tx_code: bool = True,
    grant: Literal["pre-authorized", "authorization"] = PRE_AUTHORIZED,
    lifetime: timedelta | None = None,
    job_id: str | None = None,
) -> tuple[dict[str, Any], CreatedOffer]:
    """Make an offer and its row, which the caller keeps; see `create_offer`.

    Raises:
        InvalidRequest: an unknown configuration, or no person for a pre-authorized offer.
    """
    require_configurations(issuer, configuration_ids)
    if grant == PRE_AUTHORIZED and person is None:
        raise InvalidRequest("a pre-authorized offer is for a person")
    offer_id = b64u_encode(secrets.token_bytes(_ID_BYTES))
    id_hash = _id_hash(issuer, offer_id)
    code = _transaction_code(issuer) if tx_code and grant == PRE_AUTHORIZED else None
    row = {
        "id_hash": id_hash,
        "agency_id": issuer.settings.agency_id,
        "state": OfferState.OFFERED,
        "configuration_ids": list(dict.fromkeys(configuration_ids)),
        "person": None if person is None else issuer.seal(person.encode(), column="offer.person", row=id_hash),
        "person_hash": None if person is None else person_hash(issuer, person),
        "tx_code_hash": None if code is None else _tx_code_hash(issuer, id_hash, code),
        "tx_code": None if code is None else _announce(code),
        "tx_failures": 0,
        "grant": grant,
        "job_id": job_id,
        "created_at": issuer.clock(),
        "expires_at": issuer.until(lifetime or issuer.settings.offer_lifetime),
    }
    return row, CreatedOffer(offer_id, f"{issuer.url}/offers/{offer_id}", code)


def require_configurations(issuer: Issuer, configuration_ids: Sequence[str]) -> None:
    """Refuse what this issuer does not offer.

    Raises:
        InvalidRequest: an unknown configuration, or none.
    """
    if not configuration_ids or any(each not in issuer.configurations for each in configuration_ids):
        known = f"this issuer has {', '.join(issuer.configurations)}"
        raise InvalidRequest("expected ids of credential configurations of this issuer", detail=known)


async def cancel_offer(issuer: Issuer, offer_id: str) -> bool:
    """Withdraw an offer that nobody has taken; False if there is no such offer."""
    return await issuer.store.cancel_offer(_id_hash(issuer, offer_id))


async def offer_message(issuer: Issuer, offer_id: str) -> CredentialOffer:
    """Return the offer as a wallet gets it (4.1.3).

    Raises:
        OfferNotFound: unknown, taken, withdrawn, locked or expired.
    """
    offer = await issuer.store.offer(_id_hash(issuer, offer_id), now=issuer.clock())
    if offer is None or offer.state != OfferState.OFFERED:
        raise OfferNotFound("there is no such offer, or it was taken, withdrawn or has expired")
    if offer.grant == AUTHORIZATION:
        grants = Grants(authorization_code=AuthorizationCodeGrant(issuer_state=offer_id))
    else:
        announced = TransactionCode.model_validate(offer.tx_code) if offer.tx_code is not None else None
        code = pre_authorized_code(issuer, offer_id)
        grants = Grants(pre_authorized_code=PreAuthorizedCodeGrant(pre_authorized_code=code, tx_code=announced))
    return CredentialOffer(
        credential_issuer=issuer.url, credential_configuration_ids=tuple(offer.configuration_ids), grants=grants
    )


async def offer_for_code(issuer: Issuer, code: str) -> Any | None:
    """Return the row of the offer that a pre-authorized code belongs to, if it is still there, whatever its state."""
    offer_id, _, _ = code.partition(".")
    if not compare_digest(pre_authorized_code(issuer, offer_id).encode(), code.encode()):
        return None
    return await issuer.store.offer(_id_hash(issuer, offer_id), now=issuer.clock())


async def offer_for_state(issuer: Issuer, issuer_state: str) -> Any | None:
    """Return the row of the offer that an `issuer_state` belongs to; a stranger's state belongs to none (5.1.3)."""
    offer = await issuer.store.offer(_id_hash(issuer, issuer_state), now=issuer.clock())
    return offer if offer is not None and offer.grant == AUTHORIZATION else None


def pre_authorized_code(issuer: Issuer, offer_id: str) -> str:
    """Return the code of an offer."""
    return f"{offer_id}.{b64u_encode(issuer.hash('pre-authorized code', offer_id.encode()))}"


def is_transaction_code(issuer: Issuer, offer: Any, code: str) -> bool:
    """Tell whether a transaction code is the offer's."""
    return compare_digest(offer.tx_code_hash, _tx_code_hash(issuer, offer.id_hash, code))


def person_hash(issuer: Issuer, person: str) -> bytes:
    """Return the keyed hash under which a person is looked up."""
    return issuer.hash("person", person.encode())


def _id_hash(issuer: Issuer, offer_id: str) -> bytes:
    return issuer.hash("offer", offer_id.encode())


def _tx_code_hash(issuer: Issuer, id_hash: bytes, code: str) -> bytes:
    return issuer.hash("transaction code", id_hash + code.encode())


def _transaction_code(issuer: Issuer) -> str:
    length = issuer.settings.tx_code_length
    return f"{secrets.randbelow(10**length):0{length}d}"


def _announce(code: str) -> dict[str, Any]:
    # No description: it has one language, whatever the citizen's is, and wallets have words of their own.
    return TransactionCode(length=len(code)).to_wire()
