"""Credentials as an issuer sent them: verified before anything is kept. Pure.

RFC 9901 7.1 and SD-JWT VC 2.4, ISO/IEC 18013-5 9.3.1, OpenID4VCI 1.0 8.3 and 3.3.2 (a batch: one dataset, each
credential with another key), draft-ietf-oauth-status-list 12 (no two credentials share a place).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from byoid.claims import ClaimPath, select
from byoid.encoding import b64u_decode
from byoid.errors import ByoidError, ClaimMismatch, HolderBindingError, MalformedInput, WrongType
from byoid.formats.holder_binding import NoHolderBinding
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.verify import verify_issuer_signed
from byoid.formats.sd_jwt import numeric_date
from byoid.formats.sd_jwt_vc import parse_sd_jwt_vc, verify_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.issuance.configuration import MdocConfiguration, SdJwtVcConfiguration
from byoid.issuance.credential import IssuedCredential
from byoid.keys import PublicKey
from byoid.oauth.jwt import Trust
from byoid.oauth.url import require_url
from byoid.trust.signers import purposes_of_signers, require_pid_provider
from byoid.trust.x509 import TrustedChain, verify_chain
from wallet.cards import CopyContent, StatusEntry
from wallet.vault.contract import HolderKeyView

MAX_CREDENTIAL_BYTES: Final = 1 << 20
# Claims in which honest copies of one credential differ; everything else must be the same.
_OF_THE_COPY: Final = frozenset({"cnf", "status", "iat", "exp", "nbf", "jti"})
_COSE_NAMES: Final = {-7: "ES256", -9: "ES256", -35: "ES384", -51: "ES384", -36: "ES512", -52: "ES512", -8: "Ed25519",
                      -19: "Ed25519"}  # fmt: skip


@dataclass(frozen=True)
class ReceivedCopy:
    """One verified credential: what is kept of it, and what the others of its batch are compared with."""

    content: CopyContent
    values: Mapping[str, Any]
    signer: str
    begins_at: datetime | None
    expires_at: datetime | None
    issued_at: datetime | None


def verify_received(
    credentials: Sequence[IssuedCredential],
    *,
    configuration: SdJwtVcConfiguration | MdocConfiguration,
    keys: Sequence[HolderKeyView],
    trust: Trust,
    now: datetime,
) -> list[ReceivedCopy]:
    """Verify everything that came for one request, or refuse all of it.

    Args:
        credentials: of the response.
        configuration: what was asked for.
        keys: the holder keys that were proved; the order of the credentials means nothing, they are matched by content.
        trust: the issuers of credentials.
        now: the time.

    Raises:
        MalformedInput: not a credential of the format.
        WrongType: of another type, or signed with an algorithm that the issuer did not announce.
        UntrustedIssuer, BadSignature, DigestMismatch: not signed by a trusted issuer of such credentials, or altered.
        Expired, NotYetValid: outside its dates.
        HolderBindingError: bound to no key, a key that is not ours, or a key that another credential is bound to.
        ClaimMismatch: a claim that was promised is missing, or the credentials of the batch are not the same.
    """
    ours = {PublicKey.from_jwk(key.public_jwk): key.id for key in keys} if configuration.needs_key else {}
    received = [_verify(each, configuration, ours, trust, now) for each in credentials]
    _require_distinct_keys(received)
    _require_one_dataset(received)
    _require_distinct_places(received)
    return received


def comparable(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims that all copies of a credential have alike."""
    return {name: value for name, value in claims.items() if name not in _OF_THE_COPY}


def _verify(
    issued: IssuedCredential,
    configuration: SdJwtVcConfiguration | MdocConfiguration,
    ours: Mapping[PublicKey, str],
    trust: Trust,
    now: datetime,
) -> ReceivedCopy:
    text = issued.credential
    if not isinstance(text, str):
        raise MalformedInput("expected a credential as text")
    if len(text) > MAX_CREDENTIAL_BYTES:
        raise MalformedInput(f"expected a credential of at most {MAX_CREDENTIAL_BYTES} bytes, got {len(text)}")
    if isinstance(configuration, MdocConfiguration):
        copy = _verify_mdoc(text, configuration, ours, trust, now)
    else:
        copy = _verify_sd_jwt_vc(text, configuration, ours, trust, now)
    described = configuration.credential_metadata
    for claim in (described and described.claims) or ():
        if claim.mandatory:
            _require_claim(copy.values, claim.path)
    return copy


def _verify_sd_jwt_vc(
    text: str, configuration: SdJwtVcConfiguration, ours: Mapping[PublicKey, str], trust: Trust, now: datetime
) -> ReceivedCopy:
    sd_jwt = parse_sd_jwt_vc(text)
    if sd_jwt.key_binding_jwt is not None:
        raise MalformedInput("an issuer sends an SD-JWT, got one with a key binding JWT")
    _require_algorithm(sd_jwt.jws.algorithm, configuration.credential_signing_alg_values_supported)
    chain = _signed_by(sd_jwt.x5c, trust, mdoc=False, now=now)
    verified = verify_sd_jwt_vc(sd_jwt, issuer_key=chain.public_key, binding=NoHolderBinding(), now=now)
    require_pid_provider(verified.types, chain.anchor, anchors=trust.anchors)
    if verified.vct != configuration.vct:
        raise WrongType("the credential is of another type (vct) than the one that was asked for")
    return ReceivedCopy(
        content=CopyContent(
            key_id=_key_id(verified.holder_key, ours, needed=configuration.needs_key),
            text=text,
            expires_at=verified.expires_at,
            status=_status(verified.status),
        ),
        values=comparable(verified.claims),
        signer=chain.subject_name,
        begins_at=numeric_date(verified.claims, "nbf"),
        expires_at=verified.expires_at,
        issued_at=verified.issued_at,
    )


def _verify_mdoc(
    text: str, configuration: MdocConfiguration, ours: Mapping[PublicKey, str], trust: Trust, now: datetime
) -> ReceivedCopy:
    held = HeldMdoc.from_bytes(b64u_decode(text))
    signature = held.issuer_signed.issuer_auth
    announced = configuration.credential_signing_alg_values_supported
    _require_algorithm(
        signature.algorithm, [_COSE_NAMES.get(each, "") for each in announced] if announced is not None else None
    )
    chain = _signed_by(signature.x5chain, trust, mdoc=True, now=now)
    require_pid_provider((configuration.doctype,), chain.anchor, anchors=trust.anchors)
    key_id = _key_id(held.device_key, ours, needed=True)  # not believed before the signature below covers it
    verified = verify_issuer_signed(
        held.issuer_signed, issuer_key=chain.public_key, doctype=configuration.doctype, device_key=held.device_key,
        now=now, issuer_certificate=chain.leaf,
    )  # fmt: skip
    return ReceivedCopy(
        content=CopyContent(key_id=key_id, text=text, expires_at=verified.valid_until, status=_status(verified.status)),
        values=verified.namespaces,
        signer=chain.subject_name,
        begins_at=verified.validity.valid_from,
        expires_at=verified.valid_until,
        issued_at=verified.validity.signed,
    )


def _signed_by(x5c: Sequence[bytes], trust: Trust, *, mdoc: bool, now: datetime) -> TrustedChain:
    purposes = purposes_of_signers(mdoc=mdoc)
    return verify_chain(x5c, anchors=trust.anchors, purpose=purposes, now=now, cache=trust.cache)


def _require_algorithm(algorithm: str, announced: Collection[str] | None) -> None:
    if announced is not None and algorithm not in announced:
        raise WrongType("the credential is signed with an algorithm that its issuer did not announce")


def _key_id(key: PublicKey | None, ours: Mapping[PublicKey, str], *, needed: bool) -> str | None:
    if key is None:
        if needed:
            raise HolderBindingError("expected a credential that is bound to a key, this one is not")
        return None
    if key not in ours:
        raise HolderBindingError("the credential is bound to a key that is not ours")
    return ours[key]


def _status(reference: StatusReference | None) -> StatusEntry | None:
    if reference is not None:
        try:
            require_url(reference.uri)
        except ValueError as error:
            raise MalformedInput(f"status list: {error}") from None
    return StatusEntry.of(reference)


def _require_claim(values: Mapping[str, Any], path: ClaimPath) -> None:
    try:
        found = select(values, path)
    except ByoidError:
        found = []
    if not found:
        raise ClaimMismatch("the credential lacks a claim that its issuer says every such credential has")


def _require_distinct_keys(received: Sequence[ReceivedCopy]) -> None:
    key_ids = [copy.content.key_id for copy in received if copy.content.key_id is not None]
    if len(set(key_ids)) != len(key_ids):
        raise HolderBindingError("two credentials are bound to one key")


def _require_one_dataset(received: Sequence[ReceivedCopy]) -> None:
    for one, other in pairwise(received):
        if one.values != other.values:
            raise ClaimMismatch("the credentials of one batch have different claims")
        if (one.begins_at, one.expires_at) != (other.begins_at, other.expires_at):
            raise ClaimMismatch("the credentials of one batch have different dates")
        if one.signer != other.signer:
            raise ClaimMismatch("the credentials of one batch have different signers")


def _require_distinct_places(received: Sequence[ReceivedCopy]) -> None:
    places = [(each.uri, each.index) for copy in received if (each := copy.content.status) is not None]
    if len(set(places)) != len(places):
        raise ClaimMismatch("two credentials share a place in a status list, which would link them")
    if places and len(places) != len(received):
        raise ClaimMismatch("in one batch, some credentials have a status and some have none")
