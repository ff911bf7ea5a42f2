"""Presentations that are not authentic: OpenID4VP 1.0 sections 8.6, 14.1, B.2 and B.3. Each case breaks one rule."""

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
    UntrustedIssuer,
    WrongType,
)
from byoid.formats.mdoc.present import HeldMdoc, encode_device_response
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.jose import prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.presentation import authentication as module
from byoid.presentation.authentication import PresentationRequest, authenticate
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import ChainCache
from tests.byoid.presentation.world import (
    DOCTYPE,
    MDL_QUERY,
    NAMESPACE,
    NOW,
    PID_QUERY,
    STATUS,
    Asking,
    Payment,
    World,
    authorization_request,
    foreign_chain,
    verify,
)

Make = Callable[[World, PresentationRequest], str]


def _from_another_root(world: World, _: PresentationRequest) -> str:
    key, chain = foreign_chain(Purpose.PID)
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
    key, chain = foreign_chain(Purpose.MDOC)
    return world.show_mdoc(world.mdoc(x5chain=chain, key=key), request)


def _signed_too_early(world: World, request: PresentationRequest) -> str:
    return world.show_mdoc(world.mdoc(signed=NOW - timedelta(days=2)), request)


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
    ("signed before its signer was certified", _signed_too_early, UntrustedIssuer),
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


def test_the_transcripts_of_the_spec(asking: Asking) -> None:
    vector = json.loads(Path("tests/vectors/openid4vp/session_transcript.json").read_bytes())
    redirect, dc_api = vector["redirect"], vector["dc_api"]
    common = {"nonce": vector["nonce"], "encryption_key": vector["encryption_jwk"]}

    by_redirect = asking(client_id=redirect["client_id"], response_uri=redirect["response_uri"], **common)
    by_dc_api = asking(client_id=redirect["client_id"], origin=dc_api["origin"], **common)

    assert by_redirect.session_transcript.hex() == redirect["session_transcript_hex"]
    assert by_dc_api.session_transcript.hex() == dc_api["session_transcript_hex"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("counts", "multiple"),
    [
        pytest.param({}, False, id="no query answered"),
        pytest.param({"pid": 0}, False, id="a query answered with nothing"),
        pytest.param({"pid": 2}, False, id="two where one was asked for"),
        pytest.param({"pid": 65}, True, id="more than anybody presents"),
        pytest.param({"pid": 1, "other": 1}, False, id="a query that was not asked"),
    ],
)
def test_a_response_of_another_shape_is_refused_as_a_whole(
    world: World, asking: Asking, counts: dict[str, int], multiple: bool
) -> None:
    shown = world.show(world.sd_jwt_vc())
    token = {query_id: (shown,) * count for query_id, count in counts.items()}

    with pytest.raises(ResponseRejected):
        authenticate(token, request=asking({**PID_QUERY, "multiple": multiple}), trust=world.trust, now=NOW)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "answers",
    [pytest.param("ab", id="a text"), pytest.param((7,), id="a number"), pytest.param({"a": 1}, id="an object")],
)
def test_what_is_no_array_of_texts_or_objects_is_refused_before_anything_is_judged(
    world: World, asking: Asking, answers: Any
) -> None:
    with pytest.raises(ResponseRejected):
        authenticate({"pid": answers}, request=asking({**PID_QUERY, "multiple": True}), trust=world.trust, now=NOW)


def test_a_presentation_may_be_as_long_as_the_limit(
    world: World, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc()),)}
    monkeypatch.setattr(module, "MAX_PRESENTATION_CHARACTERS", len(token["pid"][0]))
    assert authenticate(token, request=asking(), trust=world.trust, now=NOW).presentations

    monkeypatch.setattr(module, "MAX_PRESENTATION_CHARACTERS", len(token["pid"][0]) - 1)
    (found,) = authenticate(token, request=asking(), trust=world.trust, now=NOW).discarded
    assert isinstance(found.error, MalformedInput)


@pytest.mark.hostile
def test_what_nobody_trusted_has_signed_is_not_read(world: World, asking: Asking) -> None:
    key, chain = foreign_chain(Purpose.PID)
    junk = prepare_jws(b"junk", algorithm="ES256", typ="dc+sd-jwt", header={"x5c": x5c_header(chain)})
    (found,) = authenticate(
        {"pid": (f"{sign_now(junk, key)}~",)}, request=asking(), trust=world.trust, now=NOW
    ).discarded
    assert isinstance(found.error, UntrustedIssuer)


def test_as_many_presentations_as_the_limit_are_judged_one_by_one(world: World, asking: Asking) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc()), "broken") * 32}

    found = authenticate(token, request=asking({**PID_QUERY, "multiple": True}), trust=world.trust, now=NOW)

    assert [each.index for each in found.presentations] == list(range(0, 64, 2))
    assert [each.index for each in found.discarded] == list(range(1, 64, 2))


def test_a_request_is_taken_over_as_it_was_sent() -> None:
    data = (b64u_encode(b'{"type":"t","credential_ids":["pid"]}'),)
    sent = authorization_request(transaction_data=data)
    jwk = PrivateKey.generate().public.jwk
    expected = PresentationRequest(
        client_id=sent.client_id or "", nonce=sent.nonce, dcql_query=sent.query, response_uri=sent.response_uri,
        encryption_key=jwk, transaction_data=data,
    )  # fmt: skip

    assert PresentationRequest.of(sent, encryption_key=jwk) == expected
    assert PresentationRequest.from_json(json_dumps(sent.to_wire()), encryption_key=jwk) == expected
    assert PresentationRequest.of(sent, origin="https://a.example").origin == "https://a.example"
    assert PresentationRequest.of(authorization_request(client_id=None), origin="https://a.example").client_id == ""
    assert PresentationRequest.of(authorization_request()).transaction_data == ()


def test_an_authentic_mdoc_says_all_that_its_issuer_and_its_device_proved(world: World, asking: Asking) -> None:
    query = {**MDL_QUERY, "multiple": True}
    request = asking(query)
    token = {"mdl": (world.show_mdoc(world.mdoc(), request), world.show_mdoc(world.mdoc(status=STATUS), request))}

    bare, stated = authenticate(token, request=request, trust=world.trust, now=NOW).presentations

    assert (stated.query_id, stated.index, stated.format, stated.types) == ("mdl", 1, "mso_mdoc", (DOCTYPE,))
    assert stated.claims == {NAMESPACE: {"given_name": "Erika"}}
    assert (stated.holder_bound, stated.holder_key) == (True, world.holder.public)
    assert stated.issuer.name == "Issuer Ltd"
    assert (stated.status, stated.other_status) == (STATUS, False)
    assert (bare.status, bare.other_status) == (None, False)


def test_the_chains_of_mdocs_are_remembered_too(world: World, asking: Asking) -> None:
    cache, request = ChainCache(), asking(MDL_QUERY)
    verify(world, {"mdl": [world.show_mdoc(world.mdoc(), request)]}, request, cache=cache)

    assert len(cache) == 1


def test_what_is_shown_without_holder_binding_authorises_nothing(world: World, asking: Asking) -> None:
    """Beside a presentation that authorises the transaction, one without a key binding JWT is accepted all the same."""
    value = Payment(type="payment", credential_ids=("pid",), amount="10 EUR").encode()
    second = {**PID_QUERY, "id": "second", "require_cryptographic_holder_binding": False}
    request = asking(PID_QUERY, second, transaction_data=(value,))
    token = {
        "pid": (world.show(world.sd_jwt_vc(), transaction_data=[value]),),
        "second": (_without_key_binding(world, request),),
    }

    found = authenticate(token, request=request, trust=world.trust, now=NOW)

    assert [(each.query_id, each.transactions) for each in found.presentations] == [("pid", (value,)), ("second", ())]
