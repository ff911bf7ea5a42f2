"""Dishonest credentials: each case breaks one rule, and neither it nor its batch is kept."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    DigestMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey
from byoid.oauth.jwt import Trust
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from byoid.trust.x509 import ChainCache
from tests.peers.dishonest_issuer import (
    URL,
    DishonestIssuer,
    Making,
    offer,
)
from tests.wallet.receiving.defects import (
    by_stranger,
    of_second,
    require_nothing_kept,
    set_,
    to_stranger,
    with_pid,
)

pytestmark = pytest.mark.hostile


# --- the credentials themselves


def all_to_first(making: Making) -> Making:
    return replace(making, holder_key=making.keys[0])


def with_other_key(making: Making) -> Making:
    return replace(making, signing_key=PrivateKey.generate())


def from_the_future(making: Making) -> Making:
    return replace(making, issued_at=making.now + timedelta(days=1), expires_in=timedelta(days=14))


def expired(making: Making) -> Making:
    begin = timedelta(minutes=-30)
    return replace(making, issued_at=making.now + begin, begins_in=begin, expires_in=begin / 2)


def begins_tomorrow(making: Making) -> Making:
    nbf = int((making.now + timedelta(days=1)).timestamp())
    return replace(making, claims={**making.claims, "nbf": nbf})


def same_place(making: Making) -> Making:
    return replace(making, status=StatusReference(f"{URL}/status/1", 7))


def swap_signer(making: Making) -> Making:
    return replace(making, x5c=making.signer.x5c, signing_key=making.signer.key)


OTHER_NAME = {"family_name": "Nowak", "given_name": "Zoë"}
CREDENTIALS: dict[str, tuple[Callable[[Making], Making], type[ByoidError]]] = {
    "signed with another key": (with_other_key, BadSignature),
    "signed by a stranger": (by_stranger(Purpose.PID), UntrustedIssuer),
    "without certificate": (set_(x5c=()), MalformedInput),
    "of another type": (set_(vct="urn:eudi:pid:fr:1"), WrongType),
    "of another kind of token": (set_(header={"typ": "vc+ld+jwt"}), WrongType),
    "expired": (expired, Expired),
    "not yet valid": (begins_tomorrow, NotYetValid),
    "from the future": (from_the_future, NotYetValid),
    "bound to no key": (set_(holder_key=None), HolderBindingError),
    "bound to a stranger's key": (to_stranger, HolderBindingError),
    "all bound to one key": (all_to_first, HolderBindingError),
    "without a promised claim": (set_(claims={"given_name": "Zoë"}), ClaimMismatch),
    "the second has other claims": (of_second(claims=OTHER_NAME), ClaimMismatch),
    "the second has another end": (of_second(expires_in=timedelta(days=15)), ClaimMismatch),
    "the second has no status": (of_second(status=None), ClaimMismatch),
    "all at one place of the status list": (same_place, ClaimMismatch),
    "status over http": (set_(status=StatusReference("http://dishonest.test/status", 1)), MalformedInput),
    "the second is of another type": (of_second(vct="urn:eudi:pid:fr:1"), WrongType),
    "the second is bound to no key": (of_second(holder_key=None), HolderBindingError),
}


@pytest.mark.parametrize("defect", CREDENTIALS)
async def test_an_sd_jwt_vc_is_refused(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.make, expected = CREDENTIALS[defect]
    with pytest.raises(expected) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)
    assert issuer.notifications == [{"notification_id": "n-1", "event": "credential_failure"}]


def with_key_binding(credential: str) -> str:
    return credential + credential.partition("~")[0]


def with_altered_disclosure(credential: str) -> str:
    jwt, _, rest = credential.partition("~")
    forged = b64u_encode(json.dumps(["c2FsdHNhbHRzYWx0c2FsdA", "family_name", "Nobody"]).encode())
    return f"{jwt}~{forged}~{rest.partition('~')[2]}"


def with_altered_claims(credential: str) -> str:
    head, payload, rest = credential.split(".", 2)
    claims = json.loads(b64u_decode(payload)) | {"vct": "urn:eudi:pid:de:1", "given_name": "Nobody"}
    return f"{head}.{b64u_encode(json.dumps(claims).encode())}.{rest}"


TEXTS: dict[str, tuple[Callable[[str], str], type[ByoidError]]] = {
    "with a key binding JWT": (with_key_binding, MalformedInput),
    "with an altered disclosure": (with_altered_disclosure, DigestMismatch),
    "with altered claims": (with_altered_claims, BadSignature),
    "with a disclosure twice": (
        lambda text: text + text.split("~")[1] + "~",
        DigestMismatch,
    ),
    "cut off": (lambda text: text[:200], MalformedInput),
    "an mdoc's text": (lambda _: b64u_encode(b"\xa0"), MalformedInput),
}


@pytest.mark.parametrize("defect", TEXTS)
async def test_the_text_of_an_sd_jwt_vc_is_refused(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.finish, expected = TEXTS[defect]
    with pytest.raises(expected) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)


MDOCS: dict[str, tuple[Callable[[Making], Making], type[ByoidError]]] = {
    "signed with another key": (with_other_key, BadSignature),
    "signed by a stranger": (by_stranger(Purpose.MDOC), UntrustedIssuer),
    "signed by who signs SD-JWT VCs": (swap_signer, UntrustedIssuer),
    "of another type": (set_(doctype="org.iso.18013.5.1.mDL"), WrongType),
    "expired": (expired, Expired),
    "not yet valid": (set_(begins_in=timedelta(days=1)), NotYetValid),
    "bound to a stranger's key": (to_stranger, HolderBindingError),
    "all bound to one key": (all_to_first, HolderBindingError),
    "without a promised element": (set_(claims={"given_name": "Zoë"}), ClaimMismatch),
    "the second has other elements": (of_second(claims=OTHER_NAME), ClaimMismatch),
    "the second has another end": (of_second(expires_in=timedelta(days=15)), ClaimMismatch),
    "the second has no status": (of_second(status=None), ClaimMismatch),
    "all at one place of the status list": (same_place, ClaimMismatch),
    "status over http": (set_(status=StatusReference("http://dishonest.test/status", 1)), MalformedInput),
}


@pytest.mark.parametrize("defect", MDOCS)
async def test_an_mdoc_is_refused(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.make, expected = MDOCS[defect]
    with pytest.raises(expected) as caught:
        await citizen.receive(offer(credential_configuration_ids=["pid_mdoc"]))

    await require_nothing_kept(citizen, caught.value)
    assert issuer.notifications == [{"notification_id": "n-1", "event": "credential_failure"}]


def with_altered_element(credential: str) -> str:
    return b64u_encode(b64u_decode(credential).replace("Öztürk".encode(), "Ölmütz".encode()))


MDOC_TEXTS: dict[str, tuple[Callable[[str], str], type[ByoidError]]] = {
    "with an altered element": (with_altered_element, DigestMismatch),
    "not base64url": (lambda text: text + "!", MalformedInput),
    "cut off": (lambda text: text[:400], MalformedInput),
    "with something behind it": (lambda text: b64u_encode(b64u_decode(text) + b"\x00"), MalformedInput),
}


@pytest.mark.parametrize("defect", MDOC_TEXTS)
async def test_the_bytes_of_an_mdoc_are_refused(defect: str, citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.finish, expected = MDOC_TEXTS[defect]
    with pytest.raises(expected) as caught:
        await citizen.receive(offer(credential_configuration_ids=["pid_mdoc"]))

    await require_nothing_kept(citizen, caught.value)


async def test_person_identification_data_of_somebody_who_issues_attestations_only_are_refused(
    citizen: Any, issuer: DishonestIssuer
) -> None:
    key, begin = PrivateKey.generate(), issuer.clock() - timedelta(days=1)
    authority = make_root(SubjectName("University"), key=PrivateKey.generate(), now=begin)
    leaf = make_leaf(authority, SubjectName("U"), key=key.public, purpose=Purpose.ATTESTATION, now=begin)
    anchors = authority.anchor(Purpose.ATTESTATION, Purpose.MDOC, source="universities")
    trust = citizen.wallet.trust
    citizen.wallet = replace(citizen.wallet, trust=Trust(trust.anchors.union(anchors), ChainCache()))
    issuer.make = set_(signing_key=key, x5c=to_der(leaf))
    with pytest.raises(UntrustedIssuer) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)


async def test_an_algorithm_that_the_issuer_did_not_announce_is_refused(citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.tamper["metadata"] = with_pid(credential_signing_alg_values_supported=["ES384"])
    with pytest.raises(WrongType) as caught:
        await citizen.receive()

    await require_nothing_kept(citizen, caught.value)


async def test_where_one_of_two_credentials_is_wrong_neither_is_kept(citizen: Any, issuer: DishonestIssuer) -> None:
    issuer.make = set_(doctype="org.iso.18013.5.1.mDL")
    with pytest.raises(WrongType) as caught:
        await citizen.receive(offer(credential_configuration_ids=["pid", "pid_mdoc"]))

    await require_nothing_kept(citizen, caught.value)
    assert [each["event"] for each in issuer.notifications] == ["credential_failure"] * 2
