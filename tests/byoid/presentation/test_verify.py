"""Judging responses as a whole: OpenID4VP 1.0 section 8.6. Each hostile case breaks one rule."""

from typing import Any

import pytest

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import (
    BadSignature,
    MalformedInput,
    ResponseRejected,
    Revoked,
)
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.keys import PrivateKey
from byoid.presentation.authentication import MAX_PRESENTATIONS, authenticate
from byoid.presentation.status import StatusVerdict
from byoid.presentation.verify import (
    PresentationRequest,
)
from byoid.trust.x509 import ChainCache
from tests.byoid.presentation.world import (
    DOCTYPE,
    LIST_URI,
    MDL_QUERY,
    NAMESPACE,
    NOW,
    PID_QUERY,
    STATUS,
    VCT,
    Asking,
    World,
    authorization_request,
    verify,
)


def test_an_honest_sd_jwt_vc_is_accepted_with_claims_and_verdicts_only(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}

    response = verify(world, json_dumps(token), asking(), statuses={LIST_URI: world.status_list()})

    (pid,) = response.credentials["pid"]
    assert pid.claims == {"given_name": "Erika", "family_name": "Mustermann"}
    assert (pid.format, pid.type, pid.issuer) == ("dc+sd-jwt", VCT, "Issuer Ltd")
    assert pid.holder_bound
    assert pid.status is StatusVerdict.VALID
    assert response.discarded == ()


def test_an_honest_mdoc_is_accepted(world: World, asking: Asking) -> None:
    request = asking(MDL_QUERY, encryption_key=world.verifier.public.jwk)

    response = verify(world, {"mdl": (world.show_mdoc(world.mdoc(), request),)}, request)

    assert response.credentials["mdl"][0].claims == {NAMESPACE: {"given_name": "Erika"}}
    assert response.credentials["mdl"][0].type == DOCTYPE


def test_a_device_mac_is_accepted_with_the_key_of_the_response(world: World, asking: Asking) -> None:
    request = asking(MDL_QUERY, encryption_key=world.verifier.public.jwk)
    held = HeldMdoc.from_bytes(world.mdoc())
    device_response = held.respond_with_mac(
        [(NAMESPACE, "given_name")],
        session_transcript=request.session_transcript,
        device_key=world.holder,
        reader_key=world.verifier.public,
    )

    response = verify(world, {"mdl": [b64u_encode(device_response)]}, request, mac_key=world.verifier)

    assert response.credentials["mdl"][0].holder_bound


def test_over_the_dc_api_the_origin_is_the_audience(world: World, asking: Asking) -> None:
    request = asking(PID_QUERY, MDL_QUERY, origin="https://verifier.example", response_uri=None)
    token = {
        "pid": [world.show(world.sd_jwt_vc(), audience="origin:https://verifier.example")],
        "mdl": [world.show_mdoc(world.mdoc(), request)],
    }

    assert set(verify(world, token, request).credentials) == {"pid", "mdl"}


def test_a_request_is_taken_over_from_the_message_that_was_sent() -> None:
    message = authorization_request()

    request = PresentationRequest.of(message)

    assert (request.client_id, request.nonce, request.response_uri) == (
        message.client_id,
        message.nonce,
        message.response_uri,
    )


def test_a_credential_without_holder_binding_is_accepted_where_none_is_required(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "require_cryptographic_holder_binding": False}
    shown = HeldSdJwtVc.from_text(world.sd_jwt_vc(holder_key=None)).present([("given_name",), ("family_name",)])

    (pid,) = verify(world, {"pid": [shown]}, asking(query)).credentials["pid"]

    assert not pid.holder_bound


def test_an_index_is_found_although_withheld_elements_leave_no_gap(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "claims": [{"path": ["nationalities", 1], "values": ["FR"]}]}
    shown = world.show(world.sd_jwt_vc(), [("nationalities", 1)])

    assert verify(world, {"pid": [shown]}, asking(query)).credentials["pid"][0].claims == {"nationalities": ["FR"]}


def test_with_multiple_each_presentation_stands_for_itself(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "multiple": True}
    good, bad = world.show(world.sd_jwt_vc()), world.show(world.sd_jwt_vc(), key=PrivateKey.generate())

    response = verify(world, {"pid": [good, bad]}, asking(query))

    assert len(response.credentials["pid"]) == 1
    assert [(each.query_id, each.index, type(each.error)) for each in response.discarded] == [("pid", 1, BadSignature)]


@pytest.mark.hostile
def test_a_presentation_that_its_issuer_revoked_is_named(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "multiple": True}
    token = {"pid": [world.show(world.sd_jwt_vc()), world.show(world.sd_jwt_vc(status=STATUS))]}

    response = verify(world, token, asking(query), statuses={LIST_URI: world.status_list(1)})

    assert len(response.credentials["pid"]) == 1
    assert [(each.query_id, each.index, type(each.error)) for each in response.discarded] == [("pid", 1, Revoked)]


def test_an_optional_set_may_stay_unanswered(world: World, asking: Asking) -> None:
    sets = [{"options": [["pid"]]}, {"options": [["mdl"]], "required": False}]
    request = asking(PID_QUERY, MDL_QUERY, credential_sets=sets)

    assert set(verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, request).credentials) == {"pid"}


def test_chains_are_remembered_by_the_cache_of_the_caller(world: World, asking: Asking) -> None:
    cache = ChainCache()
    credential = world.sd_jwt_vc(status=STATUS)
    for _ in range(2):
        token = {"pid": [world.show(credential)]}
        verify(world, token, asking(), cache=cache, statuses={LIST_URI: world.status_list()})

    assert len(cache) == 2


def test_trusted_authorities_are_looked_at_again(world: World, asking: Asking) -> None:
    chain = world.trust["pid"]
    (identifier,) = (
        authenticate({"pid": (world.show(world.sd_jwt_vc()),)}, request=asking(), trust={"pid": chain}, now=NOW)
        .presentations[0]
        .key_identifiers
    )
    for authority in (
        {"type": "aki", "values": [b64u_encode(identifier)]},
        {"type": "etsi_tl", "values": ["https://lists.example/pid"]},
    ):
        query = {**PID_QUERY, "trusted_authorities": [authority]}
        assert verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(query)).credentials


SHAPES: list[tuple[str, Any]] = [
    ("not JSON", "{"),
    ("an array", "[]"),
    ("an array that was parsed before", []),
    ("empty", {}),
    ("a text instead of an array", {"pid": "a~"}),
    ("an empty array", {"pid": []}),
    ("a number as presentation", {"pid": [7]}),
    ("an unknown query", {"other": ["a~"]}),
    ("two presentations without multiple", {"pid": ["a~", "b~"]}),
    ("an id outside the alphabet", {"p d": ["a~"]}),
]


@pytest.mark.hostile
@pytest.mark.parametrize("token", [pytest.param(case[1], id=case[0]) for case in SHAPES])
def test_a_vp_token_of_another_shape_is_rejected(world: World, asking: Asking, token: Any) -> None:
    with pytest.raises(ResponseRejected):
        verify(world, token, asking())


def test_a_vp_token_may_be_larger_than_other_messages(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "multiple": True}
    token = {"pid": [world.show(world.sd_jwt_vc()), "a" * (2 << 20)]}

    response = verify(world, json_dumps(token), asking(query))

    assert len(response.credentials["pid"]) == 1
    assert [each.index for each in response.discarded] == [1]


@pytest.mark.hostile
def test_too_many_presentations_are_rejected_unread(world: World, asking: Asking) -> None:
    token = {"pid": ("a~",) * (MAX_PRESENTATIONS + 1)}
    with pytest.raises(ResponseRejected, match="presentations"):
        authenticate(token, request=asking({**PID_QUERY, "multiple": True}), trust=world.trust, now=NOW)


@pytest.mark.hostile
@pytest.mark.parametrize("optional", [False, True])
def test_a_wrong_nonce_rejects_the_whole_response(world: World, asking: Asking, optional: bool) -> None:
    """Even where another presentation would do, and where the holder binding was not asked for."""
    sets = [{"options": [["pid"]]}, {"options": [["second"]], "required": not optional}]
    second = {**PID_QUERY, "id": "second", "require_cryptographic_holder_binding": False}
    credential = world.sd_jwt_vc()
    token = {"pid": [world.show(credential)], "second": [world.show(credential, nonce="x" * 22)]}

    with pytest.raises(ResponseRejected, match="another nonce"):
        verify(world, token, asking(PID_QUERY, second, credential_sets=sets))


@pytest.mark.hostile
def test_a_required_credential_that_is_missing_rejects_the_response(world: World, asking: Asking) -> None:
    with pytest.raises(ResponseRejected, match="credential set 0"):
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(PID_QUERY, MDL_QUERY))


@pytest.mark.hostile
def test_a_set_that_was_answered_in_part_does_not_count(world: World, asking: Asking) -> None:
    request = asking(PID_QUERY, MDL_QUERY, credential_sets=[{"options": [["pid", "mdl"]]}])
    with pytest.raises(ResponseRejected, match="credential set 0"):
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, request)


@pytest.mark.hostile
def test_a_response_of_which_nothing_is_left_is_rejected(world: World, asking: Asking) -> None:
    request = asking(credential_sets=[{"options": [["pid"]], "required": False}])
    with pytest.raises(ResponseRejected):
        verify(world, {"pid": ["junk"]}, request)


@pytest.mark.hostile
def test_an_object_as_presentation_is_discarded(world: World, asking: Asking) -> None:
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"pid": [{"proof": "x"}]}, asking())
    assert isinstance(rejected.value.discarded[0].error, MalformedInput)


def test_every_credential_query_needs_a_trust_policy(world: World, asking: Asking) -> None:
    with pytest.raises(ValueError, match="no trust policy"):
        verify(world, {"pid": ["a~"]}, asking(), trust={})


def test_a_time_without_a_zone_is_the_callers_mistake(world: World, asking: Asking) -> None:
    with pytest.raises(ValueError, match=r"datetime.now\(UTC\)"):
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(PID_QUERY), now=NOW.replace(tzinfo=None))
