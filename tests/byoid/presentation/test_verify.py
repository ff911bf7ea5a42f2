"""Judging responses: OpenID4VP 1.0 section 8.6, with 14.1, B.2 and B.3. Each hostile case breaks one rule."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import b64u_decode, b64u_encode, json_dumps
from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    DigestMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    ResponseRejected,
    Revoked,
    StatusUnavailable,
    Suspended,
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.jwt_vc_issuer import JwkSet
from byoid.formats.mdoc.present import HeldMdoc, encode_device_response
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.keys import PrivateKey
from byoid.presentation.authentication import MAX_PRESENTATIONS, authenticate
from byoid.presentation.same_person import SameClaims, SameHolderKey
from byoid.presentation.status import StatusPolicy, StatusVerdict, verify_statuses
from byoid.presentation.verify import (
    MetadataTrust,
    PresentationRequest,
    UnsafeTrustAnyIssuer,
    VerifiedResponse,
    X509Trust,
    accept,
    verify_vp_token,
)
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from byoid.trust.x509 import ChainCache
from tests.byoid.presentation.world import (
    CLAIMS,
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
)


def verify(world: World, vp_token: Any, request: PresentationRequest, **changes: Any) -> VerifiedResponse:
    arguments: dict[str, Any] = {"trust": world.trust, "statuses": {}, "now": NOW, **changes}
    return verify_vp_token(vp_token, request=request, **arguments)


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


# --- a presentation that is discarded, and with it the response


Make = Callable[[World, PresentationRequest], str]


def _foreign_chain(purpose: Purpose) -> tuple[PrivateKey, tuple[bytes, ...]]:
    root = make_root(SubjectName("Other root"), key=PrivateKey.generate(), now=NOW)
    key = PrivateKey.generate()
    leaf = make_leaf(root, SubjectName("Issuer", "Issuer Ltd"), key=key.public, purpose=purpose, now=NOW)
    return key, to_der(leaf)


def _from_another_root(world: World, _: PresentationRequest) -> str:
    key, chain = _foreign_chain(Purpose.PID)
    return world.show(world.sd_jwt_vc(key=key, x5c=chain))


def _signed_by_another(world: World, _: PresentationRequest) -> str:
    return world.show(world.sd_jwt_vc(key=PrivateKey.generate()))


def _flip_issuer_signature(world: World, _: PresentationRequest) -> str:
    jwt, tilde, rest = world.show(world.sd_jwt_vc()).partition("~")
    head, _dot, signature = jwt.rpartition(".")
    raw = bytearray(b64u_decode(signature))
    raw[0] ^= 1
    return f"{head}.{b64u_encode(bytes(raw))}{tilde}{rest}"


def _invent_disclosure(world: World, _: PresentationRequest) -> str:
    shown = world.show(world.sd_jwt_vc())
    jwt, disclosure, *rest = shown.split("~")
    invented = b64u_encode(json_dumps(["saltsaltsaltsaltsalt", "given_name", "Max"]))
    assert disclosure
    return "~".join((jwt, invented, *rest))


def _drop_disclosure(world: World, _: PresentationRequest) -> str:
    jwt, _dropped, *rest = world.show(world.sd_jwt_vc()).split("~")
    return "~".join((jwt, *rest))


def _without_key_binding(world: World, _: PresentationRequest) -> str:
    return HeldSdJwtVc.from_text(world.sd_jwt_vc()).present([("given_name",), ("family_name",)])


def _swap_key_binding(world: World, _: PresentationRequest) -> str:
    credential = world.sd_jwt_vc()
    other = world.show(credential, [("given_name",)])
    return HeldSdJwtVc.from_text(credential).present([("given_name",), ("family_name",)]) + other.rpartition("~")[2]


PRESENTATIONS: list[tuple[str, Make, type[ByoidError]]] = [
    ("issuer under another root", _from_another_root, UntrustedIssuer),
    ("no certificate at all", lambda w, _: w.show(w.sd_jwt_vc(x5c=())), UntrustedIssuer),
    ("no certificate but an issuer URL", lambda w, _: w.show(w.sd_jwt_vc(x5c=(), issuer="https://a")), UntrustedIssuer),
    ("anchor inside the chain", lambda w, _: w.show(w.sd_jwt_vc(x5c=(*w.pid_chain, w.root.der))), UntrustedIssuer),
    ("signed by another key", _signed_by_another, BadSignature),
    ("issuer signature flipped", _flip_issuer_signature, BadSignature),
    ("invented disclosure", _invent_disclosure, DigestMismatch),
    ("dropped disclosure", _drop_disclosure, HolderBindingError),
    ("expired", lambda w, _: w.show(w.sd_jwt_vc(expires_at=NOW - timedelta(hours=1))), Expired),
    ("not yet issued", lambda w, _: w.show(w.sd_jwt_vc(issued_at=NOW + timedelta(hours=1))), NotYetValid),
    ("no key binding", _without_key_binding, HolderBindingError),
    ("key binding of another presentation", _swap_key_binding, HolderBindingError),
    ("another audience", lambda w, _: w.show(w.sd_jwt_vc(), audience="x509_hash:other"), HolderBindingError),
    (
        "client id without its prefix",
        lambda w, _: w.show(w.sd_jwt_vc(), audience="verifier.example"),
        HolderBindingError,
    ),
    ("another holder key", lambda w, _: w.show(w.sd_jwt_vc(), key=PrivateKey.generate()), BadSignature),
    ("old key binding", lambda w, _: w.show(w.sd_jwt_vc(), issued_at=NOW - timedelta(hours=1)), HolderBindingError),
    (
        "key binding from the future",
        lambda w, _: w.show(w.sd_jwt_vc(), issued_at=NOW + timedelta(hours=1)),
        HolderBindingError,
    ),
    ("credential without a holder key", lambda w, _: w.show(w.sd_jwt_vc(holder_key=None)), HolderBindingError),
    ("another type", lambda w, _: w.show(w.sd_jwt_vc(vct="urn:other")), WrongType),
    ("a claim is missing", lambda w, _: w.show(w.sd_jwt_vc(), [("given_name",)]), ClaimMismatch),
    ("not an SD-JWT", lambda w, _: "junk", MalformedInput),
    ("junk as key binding", lambda w, _: _without_key_binding(w, _) + "a.b.c", MalformedInput),
    ("too long", lambda w, _: "a" * ((1 << 20) + 1), MalformedInput),
    ("an mdoc for an SD-JWT VC", lambda w, r: w.show_mdoc(w.mdoc(), r), MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in PRESENTATIONS])
def test_a_faulty_sd_jwt_vc_is_discarded(world: World, asking: Asking, make: Make, error: type[ByoidError]) -> None:
    request = asking()

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"pid": [make(world, request)]}, request)

    assert [type(each.error) for each in rejected.value.discarded] == [error]


def _other_session(request: PresentationRequest, **changes: Any) -> PresentationRequest:
    return replace(request, **changes)


def _two_documents(world: World, request: PresentationRequest) -> str:
    held = HeldMdoc.from_bytes(world.mdoc())
    unsigned = held.prepare_document(
        [(NAMESPACE, "given_name")], session_transcript=request.session_transcript, algorithm="ES256"
    )
    document = sign_now(unsigned, world.holder)
    return b64u_encode(encode_device_response([document, document]))


def _mac(world: World, request: PresentationRequest) -> str:
    held = HeldMdoc.from_bytes(world.mdoc())
    return b64u_encode(
        held.respond_with_mac(
            [(NAMESPACE, "given_name")],
            session_transcript=request.session_transcript,
            device_key=world.holder,
            reader_key=world.verifier.public,
        )
    )


def _mdoc_from_another_root(world: World, request: PresentationRequest) -> str:
    key, chain = _foreign_chain(Purpose.MDOC)
    return world.show_mdoc(world.mdoc(x5chain=chain, key=key), request)


MDOCS: list[tuple[str, Make, type[ByoidError]]] = [
    ("another nonce", lambda w, r: w.show_mdoc(w.mdoc(), _other_session(r, nonce="x" * 22)), HolderBindingError),
    ("another client", lambda w, r: w.show_mdoc(w.mdoc(), _other_session(r, client_id="x")), HolderBindingError),
    (
        "another response URI",
        lambda w, r: w.show_mdoc(w.mdoc(), _other_session(r, response_uri="x")),
        HolderBindingError,
    ),
    (
        "re-encrypted by a third party",
        lambda w, r: w.show_mdoc(w.mdoc(), _other_session(r, encryption_key=w.holder.public.jwk)),
        HolderBindingError,
    ),
    (
        "over the DC API",
        lambda w, r: w.show_mdoc(w.mdoc(), _other_session(r, origin="https://verifier.example")),
        HolderBindingError,
    ),
    ("another device key", lambda w, r: w.show_mdoc(w.mdoc(), r, key=PrivateKey.generate()), HolderBindingError),
    ("a MAC that nobody can check", _mac, HolderBindingError),
    ("issuer under another root", _mdoc_from_another_root, UntrustedIssuer),
    ("chain of another purpose", lambda w, r: w.show_mdoc(w.mdoc(x5chain=w.pid_chain), r), UntrustedIssuer),
    ("signed by another key", lambda w, r: w.show_mdoc(w.mdoc(key=PrivateKey.generate()), r), BadSignature),
    ("expired", lambda w, r: w.show_mdoc(w.mdoc(valid_until=NOW + timedelta(seconds=1), signed=NOW), r), Expired),
    ("another document type", lambda w, r: w.show_mdoc(w.mdoc(doctype="org.other"), r), WrongType),
    ("an element is missing", lambda w, r: w.show_mdoc(w.mdoc(), r, [(NAMESPACE, "age_over_18")]), ClaimMismatch),
    ("two documents", _two_documents, MalformedInput),
    ("not base64url", lambda w, r: "%%%", MalformedInput),
    ("not CBOR", lambda w, r: b64u_encode(b"junk"), MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in MDOCS])
def test_a_faulty_mdoc_is_discarded(world: World, asking: Asking, make: Make, error: type[ByoidError]) -> None:
    request = asking(MDL_QUERY)
    later = NOW + timedelta(minutes=5)

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"mdl": [make(world, request)]}, request, now=later)

    assert [type(each.error) for each in rejected.value.discarded] == [error]


CONDITIONS: list[tuple[str, dict[str, Any], type[ByoidError]]] = [
    ("a value that was not asked for", {"claims": [{"path": ["given_name"], "values": ["Max"]}]}, ClaimMismatch),
    ("a value of another type", {"claims": [{"path": ["address", "country"], "values": [1]}]}, ClaimMismatch),
    (
        "another authority key identifier",
        {"trusted_authorities": [{"type": "aki", "values": ["AAAA"]}]},
        UntrustedIssuer,
    ),
    ("another trusted list", {"trusted_authorities": [{"type": "etsi_tl", "values": ["https://x"]}]}, UntrustedIssuer),
    (
        "a federation",
        {"trusted_authorities": [{"type": "openid_federation", "values": ["https://x"]}]},
        UntrustedIssuer,
    ),
    ("an authority of an unknown type", {"trusted_authorities": [{"type": "x", "values": ["x"]}]}, UntrustedIssuer),
    (
        "no claim set in full",
        {
            "claims": [{"id": "a", "path": ["given_name"]}, {"id": "b", "path": ["age"]}],
            "claim_sets": [["a", "b"], ["b"]],
        },
        ClaimMismatch,
    ),
    ("a format that nobody can verify", {"format": "jwt_vc_json", "meta": {}}, WrongType),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("changes", "error"), [pytest.param(*case[1:], id=case[0]) for case in CONDITIONS])
def test_the_verifier_does_not_rely_on_the_wallets_filtering(
    world: World, asking: Asking, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(), [("given_name",), ("address",)])]}

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking({**PID_QUERY, **changes}))

    assert [type(each.error) for each in rejected.value.discarded] == [error]


# --- a response that is refused as a whole


SHAPES: list[tuple[str, Any]] = [
    ("not JSON", "{"),
    ("an array", "[]"),
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


# --- whose signature counts


def test_issuer_metadata_count_only_for_the_issuers_that_policy_names(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=({**world.issuer.public.jwk, "kid": "1"},))
    credential = world.sd_jwt_vc(x5c=(), issuer="https://issuer.example", kid="1")
    token = {"pid": [world.show(credential)]}

    named = MetadataTrust({"https://issuer.example": keys})
    assert verify(world, token, asking(), trust={"pid": named}).credentials["pid"][0].issuer == "https://issuer.example"
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), trust={"pid": MetadataTrust({"https://other.example": keys})})
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_metadata_are_used_as_policy_says_although_a_chain_came_along(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=(world.issuer.public.jwk,))
    token = {"pid": [world.show(world.sd_jwt_vc(issuer="https://issuer.example"))]}

    assert verify(world, token, asking(), trust={"pid": MetadataTrust({"https://issuer.example": keys})}).credentials


def test_trusting_anyone_has_to_be_typed_by_name(world: World, asking: Asking) -> None:
    key, chain = _foreign_chain(Purpose.PID)
    token = {"pid": [world.show(world.sd_jwt_vc(key=key, x5c=chain))]}

    (pid,) = verify(world, token, asking(), trust={"pid": UnsafeTrustAnyIssuer()}).credentials["pid"]

    assert pid.issuer == "unproven"


@pytest.mark.hostile
def test_trusting_anyone_still_needs_a_certificate(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(x5c=()))]}
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), trust={"pid": UnsafeTrustAnyIssuer()})
    assert isinstance(rejected.value.discarded[0].error, MalformedInput)


# --- statuses


STATUSES: list[tuple[str, dict[str, Any], type[ByoidError]]] = [
    ("revoked", {"value": 1}, Revoked),
    ("suspended", {"value": 2}, Suspended),
    ("a value without a meaning", {"value": 3}, StatusUnavailable),
    ("list for another URI", {"uri": "https://issuer.example/status/2"}, StatusUnavailable),
    ("list signed by another", {"key": PrivateKey.generate()}, StatusUnavailable),
    ("list without a chain", {"x5c": ()}, StatusUnavailable),
    ("expired list", {"expires_at": NOW - timedelta(hours=1)}, StatusUnavailable),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("changes", "error"), [pytest.param(*case[1:], id=case[0]) for case in STATUSES])
def test_a_credential_without_a_good_status_is_discarded(
    world: World, asking: Asking, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), statuses={LIST_URI: world.status_list(**changes)})

    assert [type(each.error) for each in rejected.value.discarded] == [error]


@pytest.mark.hostile
def test_a_place_outside_the_list_is_never_tolerated(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=replace(STATUS, index=4711)))]}
    with pytest.raises(ResponseRejected):
        verify(
            world,
            token,
            asking(),
            statuses={LIST_URI: world.status_list()},
            policy=StatusPolicy(accept_unavailable=frozenset({"pid"})),
        )


def test_an_unknown_status_is_refused_unless_policy_accepts_it(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}

    with pytest.raises(ResponseRejected):
        verify(world, token, asking())
    tolerant = StatusPolicy(accept_unavailable=frozenset({"pid"}))
    assert verify(world, token, asking(), policy=tolerant).credentials["pid"][0].status is StatusVerdict.UNAVAILABLE
    junk = verify(world, token, asking(), policy=tolerant, statuses={LIST_URI: "junk"})
    assert junk.credentials["pid"][0].status is StatusVerdict.UNAVAILABLE


def test_a_status_can_be_demanded(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc())]}

    assert verify(world, token, asking()).credentials["pid"][0].status is StatusVerdict.NONE
    with pytest.raises(ResponseRejected):
        verify(world, token, asking(), policy=StatusPolicy(require_status=frozenset({"pid"})))


def test_only_authentic_presentations_are_asked_for_status_uris(world: World, asking: Asking) -> None:
    forged = world.show(world.sd_jwt_vc(status=STATUS, key=PrivateKey.generate()))
    arguments: dict[str, Any] = {"request": asking(), "trust": world.trust, "now": NOW}

    assert authenticate({"pid": (forged,)}, **arguments).status_uris == frozenset()
    honest = authenticate({"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}, **arguments)
    assert honest.status_uris == {LIST_URI}


def test_statuses_are_fetched_between_two_pure_calls(world: World, asking: Asking) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}
    authenticated = authenticate(token, request=asking(), trust=world.trust, now=NOW)
    lists = verify_statuses({LIST_URI: world.status_list()}, authenticated=authenticated, now=NOW)
    again = verify_statuses(lists, authenticated=authenticated, now=NOW)  # type: ignore[arg-type]  # they are lists

    assert accept(authenticated, request=asking(), statuses=again, now=NOW).credentials
    with pytest.raises(ResponseRejected):  # the copy has expired meanwhile
        accept(authenticated, request=asking(), statuses=again, now=NOW + timedelta(hours=2))


def test_an_issuer_without_a_chain_signs_its_own_list(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=(world.issuer.public.jwk,))
    credential = world.sd_jwt_vc(x5c=(), issuer="https://issuer.example", status=STATUS)
    trust = {"pid": MetadataTrust({"https://issuer.example": keys})}
    statuses = {LIST_URI: world.status_list(x5c=())}

    response = verify(world, {"pid": [world.show(credential)]}, asking(), trust=trust, statuses=statuses)

    assert response.credentials["pid"][0].status is StatusVerdict.VALID


def test_a_status_signer_under_its_own_anchor_is_trusted_if_the_caller_says_so(world: World, asking: Asking) -> None:
    root = make_root(SubjectName("Status root"), key=PrivateKey.generate(), now=NOW)
    key = PrivateKey.generate()
    chain = to_der(make_leaf(root, SubjectName("Status"), key=key.public, purpose=Purpose.STATUS, now=NOW))
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}
    statuses = {LIST_URI: world.status_list(key=key, x5c=chain)}

    with pytest.raises(ResponseRejected):
        verify(world, token, asking(), statuses=statuses)
    assert verify(world, token, asking(), statuses=statuses, status_anchors=root.anchor(Purpose.STATUS)).credentials


# --- credentials that belong together


def _two(world: World, asking: Asking, *, other_holder: bool, name: str = "Erika") -> tuple[Any, PresentationRequest]:
    holder = PrivateKey.generate() if other_holder else world.holder
    second = world.sd_jwt_vc({**CLAIMS, "given_name": name}, holder_key=holder.public.jwk)
    token = {"pid": [world.show(world.sd_jwt_vc())], "second": [world.show(second, key=holder)]}
    return token, asking(PID_QUERY, {**PID_QUERY, "id": "second"})


def test_one_holder_key_proves_one_person(world: World, asking: Asking) -> None:
    rule = SameHolderKey(frozenset({"pid", "second"}))
    token, request = _two(world, asking, other_holder=False)
    assert verify(world, token, request, same_person=[rule]).credentials

    token, request = _two(world, asking, other_holder=True)
    with pytest.raises(ResponseRejected, match="same key"):
        verify(world, token, request, same_person=[rule])


def test_equal_claims_prove_one_person_if_the_verifier_says_so(world: World, asking: Asking) -> None:
    rule = SameClaims(({"pid": ("given_name",), "second": ("given_name",)},))
    token, request = _two(world, asking, other_holder=True)
    assert verify(world, token, request, same_person=[rule]).credentials

    token, request = _two(world, asking, other_holder=True, name="Max")
    with pytest.raises(ResponseRejected, match="must be the same"):
        verify(world, token, request, same_person=[rule])


def test_a_holder_who_proved_no_key_is_not_the_same_person(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "require_cryptographic_holder_binding": False}
    shown = HeldSdJwtVc.from_text(world.sd_jwt_vc()).present([("given_name",), ("family_name",)])
    with pytest.raises(ResponseRejected, match="same key"):
        verify(world, {"pid": [shown]}, asking(query), same_person=[SameHolderKey(frozenset({"pid"}))])


@pytest.mark.hostile
def test_an_anchor_for_another_purpose_does_not_count(world: World, asking: Asking) -> None:
    attestations_only = X509Trust(world.root.anchor(Purpose.ATTESTATION), Purpose.PID)
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(), trust={"pid": attestations_only})
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_pinned_issuers_are_anchors_too(world: World, asking: Asking) -> None:
    key, chain = _foreign_chain(Purpose.PID)
    pinned = type(world.anchors).from_pem(_pem(chain[0]), [Purpose.PID], "pinned", pinned=True)
    token = {"pid": [world.show(world.sd_jwt_vc(key=key, x5c=chain))]}

    assert verify(world, token, asking(), trust={"pid": X509Trust(pinned, Purpose.PID)}).credentials


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def test_the_transcripts_of_the_spec(asking: Asking) -> None:
    vector = json.loads(Path("tests/vectors/openid4vp/session_transcript.json").read_bytes())
    redirect, dc_api = vector["redirect"], vector["dc_api"]
    common = {"nonce": vector["nonce"], "encryption_key": vector["encryption_jwk"]}

    by_redirect = asking(client_id=redirect["client_id"], response_uri=redirect["response_uri"], **common)
    by_dc_api = asking(client_id=redirect["client_id"], origin=dc_api["origin"], **common)

    assert by_redirect.session_transcript.hex() == redirect["session_transcript_hex"]
    assert by_dc_api.session_transcript.hex() == dc_api["session_transcript_hex"]
