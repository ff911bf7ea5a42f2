"""Attestations about a verifier: its registration, and what it asks for beyond it.

Spec: OpenID4VP 1.0 section 5.11, ETSI TS 119 472-2 (format `registration_cert`), ETSI TS 119 475. Formats that byoid
does not know are ignored. A registration that does not verify, or is another party's, counts as none, and is reported.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from byoid.encoding import b64u_decode
from byoid.errors import ByoidError, MalformedInput
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.request import VerifierInfo
from byoid.trust.anchors import TrustAnchors
from byoid.trust.registration import Excess, Registration, verify_registration
from byoid.trust.x509 import ChainCache, TrustedChain

REGISTRATION_CERTIFICATE: Final = "registration_cert"


@dataclass(frozen=True)
class VerifierRegistration:
    """What the verifier's registrations say. `beyond` lists what it asks for that none of them covers.

    Without any valid registration `beyond` is everything that is asked for; `refused` says why some did not count.
    """

    registrations: tuple[Registration, ...]
    beyond: tuple[Excess, ...]
    refused: tuple[ByoidError, ...] = ()


def verify_verifier_info(
    infos: Iterable[VerifierInfo],
    *,
    query: DcqlQuery,
    access: TrustedChain | None,
    anchors: TrustAnchors,
    now: datetime,
    cache: ChainCache | None = None,
) -> VerifierRegistration:
    """Verify the registrations that came with a request, and compare them with its query.

    Args:
        infos: the request's `verifier_info`.
        query: what is asked.
        access: the chain of the access certificate that signed the request; without one, no registration counts.
        anchors: who may register (purpose REGISTRATION).
        now: the time.
        cache: certificate chains verified before.
    """
    registrations: list[tuple[Registration, frozenset[str]]] = []
    refused: list[ByoidError] = []
    for info in infos:
        if info.format != REGISTRATION_CERTIFICATE or access is None:
            continue
        try:
            found = verify_registration(_jwt(info), access=access, anchors=anchors, now=now, cache=cache)
        except ByoidError as error:
            refused.append(error)
        else:
            relevant = info.credential_ids or tuple(each.id for each in query.credentials)
            registrations.append((found, frozenset(relevant)))
    return VerifierRegistration(
        tuple(registration for registration, _ in registrations), _beyond(query, registrations), tuple(refused)
    )


def _beyond(query: DcqlQuery, registrations: Iterable[tuple[Registration, frozenset[str]]]) -> tuple[Excess, ...]:
    """Return what no registration covers that is relevant to the credential query."""
    plain = query.to_wire()
    beyond = _everything(query)
    for registration, relevant in registrations:
        excess = registration.excess(plain)
        whole = {each.query_id for each in excess if each.path is None}
        beyond = [each for each in beyond if each.query_id not in relevant or each.query_id in whole or each in excess]
    return tuple(beyond)


def _everything(query: DcqlQuery) -> list[Excess]:
    return [Excess(each.id, path) for each in query.credentials for path in (None, *each.paths)]


def _jwt(info: VerifierInfo) -> str:
    """Return the JWT, which may come encoded once more."""
    if not isinstance(info.data, str):
        raise MalformedInput("expected a registration certificate as text")
    if "." in info.data:
        return info.data
    decoded = b64u_decode(info.data)
    if not decoded.isascii():
        raise MalformedInput("expected a JWT as registration certificate")
    return decoded.decode("ascii")
