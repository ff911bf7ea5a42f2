"""Attestations about verifiers: OpenID4VP 1.0 section 5.11, ETSI TS 119 475."""

from typing import Any

import pytest

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, ByoidError, ClaimMismatch, Expired, MalformedInput
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.request import VerifierInfo
from byoid.presentation.verifier_info import VerifierRegistration, verify_verifier_info
from byoid.trust.anchors import Purpose
from byoid.trust.registration import Excess
from byoid.trust.x509 import ChainCache, verify_chain
from tests.byoid.presentation.world import MDL_QUERY, NOW, PID_QUERY, VCT, World, query_of, registration


def verify(world: World, *infos: dict[str, Any], access: bool = True, **changes: Any) -> VerifierRegistration:
    chain = verify_chain(world.access_chain, anchors=world.anchors, purpose=Purpose.ACCESS, now=NOW)
    return verify_verifier_info(
        [parse_message(VerifierInfo, info) for info in infos],
        query=query_of(PID_QUERY, MDL_QUERY),
        access=chain if access else None,
        anchors=world.anchors,
        now=NOW,
        **changes,
    )


def info(data: Any, **changes: Any) -> dict[str, Any]:
    return {"format": "registration_cert", "data": data, **changes}


EVERYTHING = {("pid", None), ("pid", ("given_name",)), ("pid", ("family_name",)), ("mdl", None)}


def beyond(found: VerifierRegistration) -> set[tuple[str, Any]]:
    return {(each.query_id, each.path) for each in found.beyond if each.query_id == "pid" or each.path is None}


def test_what_is_asked_beyond_the_registration_is_listed(world: World) -> None:
    found = verify(world, info(registration(world)))

    assert [each.name for each in found.registrations] == ["Shop"]
    assert Excess("pid", ("family_name",)) in found.beyond
    assert beyond(found) == {("pid", ("family_name",)), ("mdl", None)}


def test_a_registration_may_be_encoded_once_more(world: World) -> None:
    assert verify(world, info(b64u_encode(registration(world).encode()))).registrations


def test_several_registrations_add_up(world: World) -> None:
    more = [{"format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claim": [{"path": ["family_name"]}]}]
    found = verify(world, info(registration(world)), info(registration(world, credentials=more)))
    assert beyond(found) == {("mdl", None)}


def test_a_registration_counts_only_for_the_credentials_that_it_is_for(world: World) -> None:
    assert beyond(verify(world, info(registration(world), credential_ids=["mdl"]))) == EVERYTHING


def test_attestations_of_another_format_are_passed_over(world: World) -> None:
    found = verify(world, {"format": "unknown", "data": {}}, info(registration(world)))

    assert [each.name for each in found.registrations] == ["Shop"]
    assert found.refused == ()


def test_without_a_registration_everything_is_beyond(world: World) -> None:
    assert beyond(verify(world)) == EVERYTHING
    assert beyond(verify(world, {"format": "unknown", "data": {}})) == EVERYTHING
    assert beyond(verify(world, info(registration(world)), access=False)) == EVERYTHING


DEFECTS: list[tuple[str, Any, type[ByoidError]]] = [
    ("of another party", lambda w: registration(w, sub="NTRUT-Other"), ClaimMismatch),
    ("expired", lambda w: registration(w, exp=int(NOW.timestamp()) - 3600), Expired),
    ("signed by another", lambda w: registration(w, key=PrivateKey.generate()), BadSignature),
    ("an object", lambda w: {"jwt": registration(w)}, MalformedInput),
    ("not base64url", lambda _: "%", MalformedInput),
    ("not text inside", lambda _: b64u_encode(b"\xff"), MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in DEFECTS])
def test_a_registration_that_does_not_verify_counts_as_none(world: World, make: Any, error: type[ByoidError]) -> None:
    found = verify(world, info(make(world)))

    assert found.registrations == ()
    assert [type(each) for each in found.refused] == [error]
    assert beyond(found) == EVERYTHING


def test_the_registrars_chain_is_remembered(world: World) -> None:
    cache = ChainCache()
    verify(world, info(registration(world)), cache=cache)

    assert len(cache) == 1
