"""The credential endpoint: keys are proven, facts fetched, credentials signed, recorded, and only then delivered.

OpenID4VCI 8. Status indices are taken before anything is signed; if the process dies after that, some stay unused, and
nothing else. What may be used once is spent in the write that records the credentials, or keeps their promise.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.errors import ByoidError, OAuthError, StatusUnavailable
from byoid.formats.status_list import StatusReference
from byoid.issuance.credential import CredentialRequest, CredentialResponse, IssuedCredential, select_configuration_id
from byoid.issuance.proofs import ProofPolicy, Proofs, VerifiedKeyProof, verify_proofs
from byoid.keys import PublicKey
from byoid.service.database import Write
from byoid.signing import sign
from byoid.wire_errors import CredentialRequestDenied, InvalidNonce, InvalidProof, TemporarilyUnavailable, ascii_text
from issuer import writes
from issuer.access import Access, grant_person
from issuer.attested_status import require_valid_status
from issuer.attributes import NotReady, PersonUnknown, Record, Refused, SourceUnavailable
from issuer.configurations import Configuration
from issuer.context import Issuer
from issuer.credential_types import AttributeMissing, CredentialType
from issuer.events import Issued
from issuer.nonces import NonceKind, is_current, spent_until
from issuer.once import Once, spend_and_write
from issuer.orders import Order
from issuer.tables import CredentialStatus, DeferredState

_ID_BYTES: Final = 16
_OWN_ATTRIBUTES: Final = frozenset({"date_of_issuance", "date_of_expiry", "issuing_authority", "issuing_country"})


async def issue(issuer: Issuer, access: Access, request: CredentialRequest) -> CredentialResponse:
    """Answer a credential request (8.2, 8.3).

    Raises:
        InvalidProof: a proof is missing or does not verify.
        InvalidNonce: a proof's nonce is not current, or was used.
        InvalidResourceDpopProof: the token's proof was used before.
        UnknownCredentialConfiguration: the token does not reach it.
        UnknownCredentialIdentifier: the token does not reach it.
        CredentialRequestDenied: this person does not get this credential.
        TemporarilyUnavailable: the source or the signer does not answer; nothing was issued.
    """
    grant = access.grant
    reach = grant.configuration_ids
    configuration_id = select_configuration_id(
        request, identifiers=_identifiers(grant, request), configuration_ids=reach
    )
    configuration = issuer.configurations[configuration_id]
    proofs = _verify(issuer, grant, configuration, request.proofs)
    await _require_valid_keys(issuer, proofs)
    order = _order(grant, configuration, proofs)
    once = [*access.once, *_nonces(issuer, proofs)]
    try:
        record = await fetch_record(issuer, order)
    except NotReady:
        return await defer(issuer, order, once=once)
    return await fulfil(issuer, order, record, once=once)


def _identifiers(grant: Any, request: CredentialRequest) -> dict[str, str]:
    """Return the identifiers by which the request must name a credential (8.2): none if it may name a configuration.

    Whoever redeemed an offer without `authorization_details` was given some all the same, and may use them.
    """
    offered = grant.code_hash is None and request.credential_identifier is not None
    return {each: each for each in grant.configuration_ids} if grant.by_details or offered else {}


async def defer(issuer: Issuer, order: Order, *, once: Sequence[Once]) -> CredentialResponse:
    """Promise the credentials: keep the proven keys until the source is ready (9)."""
    transaction_id = b64u_encode(secrets.token_bytes(24))
    transaction_hash = issuer.hash("transaction", transaction_id.encode())
    keys = json_dumps([key.jwk for key in order.keys])
    row = {
        "transaction_hash": transaction_hash,
        "agency_id": issuer.settings.agency_id,
        "grant_id": order.grant.id,
        "state": DeferredState.WAITING,
        "configuration_id": order.configuration.id,
        "keys": issuer.seal(keys, column="deferred.keys", row=transaction_hash),
        "wallet_status": list(order.wallet_status) or None,
        "maintained_until": order.maintained_until,
        "created_at": issuer.clock(),
        "expires_at": issuer.until(issuer.settings.deferred_lifetime),
    }
    await spend_and_write(issuer, once, [writes.add_deferred(row)], refusal=_not_recorded())
    return CredentialResponse(transaction_id=transaction_id, interval=issuer.settings.deferred_interval.total_seconds())


async def fetch_record(issuer: Issuer, order: Order) -> Record:
    """Ask the authentic source, and add what the agency itself says.

    Raises:
        NotReady: not yet.
        CredentialRequestDenied: not for this person.
        TemporarilyUnavailable: the source does not answer.
    """
    try:
        async with asyncio.timeout(issuer.settings.source_timeout.total_seconds()):
            found = await issuer.source.record(grant_person(issuer, order.grant), order.configuration.type.id)
    except TimeoutError as error:
        raise TemporarilyUnavailable("the register does not answer in time, try again later") from error
    except (Refused, PersonUnknown) as error:
        raise CredentialRequestDenied(ascii_text(str(error)), detail=str(error)) from error
    except SourceUnavailable as error:
        raise TemporarilyUnavailable("the register does not answer, try again later", detail=str(error)) from error
    issued_at, expires_at = validity(issuer, order)
    dates = {"date_of_issuance": issued_at.date(), "date_of_expiry": expires_at.date()}
    agency = {"issuing_authority": issuer.settings.agency_name, "issuing_country": issuer.settings.agency_country}
    return {**agency, **dates, **found}


async def fulfil(
    issuer: Issuer, order: Order, record: Record, *,
    once: Sequence[Once] = (), steps: Sequence[Write] = (), refusal: OAuthError | None = None,
) -> CredentialResponse:  # fmt: skip
    """Sign, record together with spending `once` and with other `steps`, and return the response.

    Raises:
        OAuthError: the refusal of one of `once` that was used before, or `refusal` where one of `steps` changes
            nothing; nothing was recorded.
        CredentialRequestDenied: the register lacks something that the credential must state.
        TemporarilyUnavailable: the signer does not answer in time, or no status list has places left; nothing was
            recorded.
    """
    count = len(order.keys)
    places = await issuer.open_lists.take(issuer, count=count) if order.configuration.type.status else [None] * count
    issued_at, expires_at = validity(issuer, order)
    try:
        claims = order.configuration.claims(record, today=issued_at.date())
        async with asyncio.timeout(issuer.settings.signer_timeout.total_seconds()):
            signed = await _signed(issuer, order, claims, places, issued_at=issued_at, expires_at=expires_at)
    except TimeoutError as error:
        raise TemporarilyUnavailable("the credentials cannot be signed now, try again later") from error
    except AttributeMissing as error:
        raise CredentialRequestDenied(
            ascii_text(f"the register cannot give what this credential must state: {error.attribute}"),
            detail=str(error),
        ) from error
    batch = _Batch(issuer, order, record, places, issued_at=issued_at, expires_at=expires_at)
    told = await issuer.events.issued(batch.issued())
    everything = [*steps, *writes.add_issuances(batch.row(), batch.issuances()), *told]
    await spend_and_write(issuer, once, everything, refusal=refusal or _not_recorded())
    credentials = tuple(IssuedCredential(credential=each) for each in signed)
    return CredentialResponse(credentials=credentials, notification_id=batch.notification_id)


def validity(issuer: Issuer, order: Order) -> tuple[datetime, datetime]:
    """Return when credentials made now begin and end: whole days, so that the times tell no copy from another.

    A credential must not be older than its signer's certificate (ISO 18013-5 9.3.1), hence the later of the two, and
    must not outlive the status that the wallet provider keeps (TS3), hence the earlier of the two.

    Raises:
        InvalidProof: the wallet provider keeps the status for less than a day.
    """
    today = datetime.combine(issuer.clock().astimezone(UTC).date(), time(), UTC)
    begin = max(today, issuer.signers.begin.get(order.configuration.format, today))
    end = today + timedelta(days=order.configuration.type.validity_days + 1)
    if order.maintained_until is not None:
        end = min(end, datetime.combine(order.maintained_until.astimezone(UTC).date(), time(), UTC))
    if end <= issuer.clock():
        raise InvalidProof("the wallet provider does not maintain the status of the wallet or its keys long enough")
    return begin, end


def _verify(issuer: Issuer, grant: Any, configuration: Configuration, proofs: Proofs | None) -> list[VerifiedKeyProof]:
    if proofs is None:
        raise InvalidProof("proofs are missing")
    policy = ProofPolicy(trust=issuer.trust, max_keys=issuer.metadata.max_proofs, attestation_nonce=False)
    try:
        verified = verify_proofs(
            proofs, issuer=issuer.url, configuration=configuration.metadata, client_id=grant.client_id,
            policy=policy, now=issuer.clock(),
        )  # fmt: skip
    except OAuthError:
        raise
    except ByoidError as error:
        raise InvalidProof("a key proof does not verify", detail=str(error)) from error
    if not all(nonce and is_current(issuer, NonceKind.PROOF, nonce) for nonce in {proof.nonce for proof in verified}):
        raise InvalidNonce("the nonce is not current, fetch another")
    return verified


async def _require_valid_keys(issuer: Issuer, proofs: Sequence[VerifiedKeyProof]) -> None:
    """Demand that no attestation of the keys was revoked (TS3 WUA_36: before every issuance, and no answer is a no)."""
    try:
        await require_valid_status(issuer, [proof.attestation.status for proof in proofs if proof.attestation])
    except StatusUnavailable as error:
        raise TemporarilyUnavailable("the wallet provider does not answer", detail=str(error)) from error
    except ByoidError as error:
        raise InvalidProof("the attestation of the keys was revoked", detail=str(error)) from error


def _not_recorded() -> OAuthError:
    return TemporarilyUnavailable("what was issued cannot be recorded now, try again later")


def _order(grant: Any, configuration: Configuration, proofs: Sequence[VerifiedKeyProof]) -> Order:
    attestations = {proof.attestation for proof in proofs if proof.attestation}
    statuses = [each.status.to_claim() for each in attestations if each.status]
    ends = [grant.wallet_until, *(each.status_maintained_until for each in attestations)]
    return Order(
        grant,
        configuration,
        [proof.key for proof in proofs],
        [*([grant.wallet_status] if grant.wallet_status else []), *statuses],
        min((each for each in ends if each is not None), default=None),
    )


def _nonces(issuer: Issuer, proofs: Sequence[VerifiedKeyProof]) -> list[Once]:
    """Return the nonces of key proofs, which are still to be spent."""
    used, until = InvalidNonce("the nonce was used before, fetch another"), spent_until(issuer)
    values = {proof.nonce for proof in proofs if proof.nonce}
    return [Once(issuer.hash("c_nonce", each.encode()), until, used) for each in values]


async def _signed(
    issuer: Issuer, order: Order, claims: Mapping[str, Any], places: Sequence[StatusReference | None],
    *, issued_at: datetime, expires_at: datetime,
) -> list[str]:  # fmt: skip
    signer = issuer.signer_for(order.configuration)
    prepare = order.configuration.batch(claims, signer=signer, issued_at=issued_at, expires_at=expires_at)

    async def one(key: PublicKey, place: StatusReference | None) -> str:
        signed: str | bytes = await sign(prepare(key, place), signer)
        return b64u_encode(signed) if isinstance(signed, bytes) else signed

    if len(order.keys) == 1:  # a task of its own costs as much as the signature
        return [await one(order.keys[0], places[0])]
    return await asyncio.gather(*map(one, order.keys, places))


class _Batch:
    """The credentials of one answer, as they are recorded: no claims, no keys."""

    def __init__(
        self, issuer: Issuer, order: Order, record: Record, places: Sequence[StatusReference | None],
        *, issued_at: datetime, expires_at: datetime,
    ) -> None:  # fmt: skip
        self._issuer, self._order, self._record, self._places = issuer, order, record, places
        self._issued_at, self._expires_at = issued_at, expires_at
        self._id, self.notification_id = (b64u_encode(secrets.token_bytes(_ID_BYTES)) for _ in range(2))
        self._ids = [f"{self._id}.{number}" for number in range(len(places))]

    def row(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "agency_id": self._issuer.settings.agency_id,
            "notification_hash": self._issuer.hash("notification", self.notification_id.encode()),
            "grant_id": self._order.grant.id,
            "event": None,
            "created_at": self._issuer.clock(),
            "expires_at": self._expires_at,
        }

    def issuances(self) -> list[dict[str, Any]]:
        issuer, grant, configuration = self._issuer, self._order.grant, self._order.configuration
        common = {
            "agency_id": issuer.settings.agency_id,
            "batch_id": self._id,
            "grant_id": grant.id,
            "credential_type": configuration.type.id,
            "configuration_id": configuration.id,
            "person_hash": grant.person_hash,
            "status": CredentialStatus.VALID,
            "record_hash": record_hash(issuer, configuration.type, self._record),
            "client_id": grant.client_id,
            "wallet_status": list(self._order.wallet_status) or None,
            "issued_on": self._issued_at,
            "expires_at": self._expires_at,
        }
        return [
            {
                **common,
                "id": each,
                "status_list_id": place.uri.rpartition("/")[2] if place else None,
                "status_index": place.index if place else None,
            }
            for each, place in zip(self._ids, self._places, strict=True)
        ]

    def issued(self) -> Issued:
        return Issued(self._id, self._order.configuration.type.id, self._ids, self._order.grant, self._expires_at)


def record_hash(issuer: Issuer, credential_type: CredentialType, record: Record) -> bytes:
    """Return a keyed hash of the facts that a type states: it tells whether the source has changed, and nothing else.

    What the agency itself adds (dates, its name) is no fact of the source.
    """
    facts = {name: record[name] for name in credential_type.attributes - _OWN_ATTRIBUTES if name in record}
    return issuer.hash("record", _FACTS.encode(facts).encode())


def _digestible(value: object) -> str:
    return sha256(value).hex() if isinstance(value, bytes) else str(value)


_FACTS: Final = json.JSONEncoder(sort_keys=True, default=_digestible)
