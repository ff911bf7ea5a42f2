"""Verifiers that break one rule each. The wallet names it, and nothing about the citizen leaves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    Expired,
    MalformedInput,
    NotYetValid,
    PeerError,
    UntrustedIssuer,
    WrongType,
)
from byoid.jose import encrypt, x5c_header
from byoid.keys import PrivateKey
from byoid.presentation.verifier_attestation import prepare_verifier_attestation
from byoid.service.trust_files import load_signer
from byoid.signing import SoftwareSigner, sign_now
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_der
from byoid.wire_errors import (
    InvalidRequest,
    InvalidRequestUriMethod,
    InvalidScope,
    InvalidTransactionData,
    VpFormatsNotSupported,
)
from tests.peers.dishonest_verifier import URL, VerifierPeer, mdoc, sd_jwt, sign_request
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound
from wallet.history import Reason, load_history
from wallet.refusals import RequestRefused, tell

pytestmark = pytest.mark.hostile
Defect = Callable[[VerifierPeer], None]
PAYMENT = {
    "type": "urn:eudi:sca:payment:1",
    "credential_ids": ["pid"],
    "payload": {
        "transaction_id": "8D8AC610",
        "payee": {"name": "Moorladen", "id": "DE-1"},
        "currency": "EUR",
        "amount": 12.5,
    },
}


def claim(name: str, value: Any) -> Defect:
    """Change a claim of the request object; None leaves it out."""

    def change(verifier: VerifierPeer) -> None:
        if value is None:
            verifier.claims.pop(name)
        else:
            verifier.claims[name] = value

    return change


def link(**parameters: str | None) -> Defect:
    """Change the parameters of the link; None leaves one out."""

    def change(verifier: VerifierPeer) -> None:
        merged = {**verifier.parameters, **parameters}
        verifier.parameters = {name: value for name, value in merged.items() if value is not None}

    return change


def text(make: Callable[[VerifierPeer], str]) -> Defect:
    """Replace the whole link."""

    def change(verifier: VerifierPeer) -> None:
        verifier.link_text = make(verifier)

    return change


def jwt(make: Callable[[VerifierPeer, dict[str, Any]], str]) -> Defect:
    """Replace how the request object is made."""

    def change(verifier: VerifierPeer) -> None:
        verifier.make_jwt = make

    return change


def answer(make: Callable[[httpx2.Request, str], httpx2.Response]) -> Defect:
    """Replace the answer at the request URI."""

    def change(verifier: VerifierPeer) -> None:
        verifier.answer_request = make

    return change


def post(change: Defect | None = None, *, echo: bool = True) -> Defect:
    """Have the request fetched by POST."""

    def changed(verifier: VerifierPeer) -> None:
        verifier.parameters["request_uri_method"] = "post"
        verifier.echo_nonce = echo
        if change is not None:
            change(verifier)

    return changed


def client_id(value: str) -> Defect:
    """Use another client identifier, in the link and in the request object."""

    def change(verifier: VerifierPeer) -> None:
        verifier.claims["client_id"] = verifier.parameters["client_id"] = value

    return change


def both(*changes: Defect) -> Defect:
    def change(verifier: VerifierPeer) -> None:
        for each in changes:
            each(verifier)

    return change


def signed_by(signer: SoftwareSigner) -> Defect:
    """Sign with another certificate, and use its hash."""

    def change(verifier: VerifierPeer) -> None:
        verifier.signer = signer
        verifier.header = {"x5c": x5c_header(signer.x5c)}
        client_id(f"x509_hash:{b64u_encode(sha256(signer.x5c[0]))}")(verifier)

    return change


def other_certificate(**leaf: Any) -> Defect:
    """Sign with a certificate of an authority that nobody trusts."""

    def change(verifier: VerifierPeer) -> None:
        root = make_root(SubjectName("Nobody", "Nobody"), key=PrivateKey.generate(), now=verifier.clock())
        signed_by(_leaf(root, verifier, **leaf))(verifier)

    return change


def expired_certificate(verifier: VerifierPeer) -> None:
    """Sign with a trusted certificate whose time is over."""
    begin = verifier.clock() - timedelta(days=3)
    root = make_root(SubjectName("Access", "Registrar"), key=PrivateKey.generate(), now=begin)
    verifier.extra_root = root  # type: ignore[attr-defined]  # the test trusts it
    signed_by(_leaf(root, verifier, now=begin, lifetime=timedelta(days=1)))(verifier)


def _leaf(root: Authority, verifier: VerifierPeer, **leaf: Any) -> SoftwareSigner:
    key = PrivateKey.generate()
    options: dict[str, Any] = {
        "purpose": Purpose.ACCESS,
        "now": verifier.clock(),
        "names": dns("verifier.test"),
        **leaf,
    }
    certificate = make_leaf(root, SubjectName("Shop", "Shop", "NTRDE-X", "DE"), key=key.public, **options)
    return SoftwareSigner(key, to_der(certificate))


def of_pki(name: str) -> Defect:
    """Sign with another certificate of the demo, one that is for something else."""

    def change(verifier: VerifierPeer) -> None:
        signed_by(load_signer(verifier.keys / f"{name}.key", verifier.keys / f"{name}.pem"))(verifier)

    return change


def without_signature(verifier: VerifierPeer, claims: dict[str, Any]) -> str:
    header = b64u_encode(json_dumps({"alg": "none", "typ": "oauth-authz-req+jwt", **verifier.header}))
    return f"{header}.{b64u_encode(json_dumps(claims))}."


def with_changed_payload(verifier: VerifierPeer, claims: dict[str, Any]) -> str:
    header, _, signature = sign_request(claims, verifier.signer, verifier.header).split(".")
    return f"{header}.{b64u_encode(json_dumps({**claims, 'nonce': 'another-nonce-of-the-attacker'}))}.{signature}"


def encrypted_to_somebody_else(_: httpx2.Request, request_object: str) -> httpx2.Response:
    jwk = {**PrivateKey.generate().public.jwk, "kid": "other", "use": "enc", "alg": "ECDH-ES"}
    content = encrypt(request_object.encode(), jwk, enc="A256GCM", header={"cty": "oauth-authz-req+jwt"})
    return httpx2.Response(200, content=content, headers={"Content-Type": "application/oauth-authz-req+jwt"})


def attested_by_stranger(verifier: VerifierPeer) -> None:
    attester, now = PrivateKey.generate(), verifier.clock()
    unsigned = prepare_verifier_attestation(
        issuer="https://attester.example", client_id="shop", key=verifier.signer.public_jwk,
        algorithm=attester.algorithm, issued_at=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    client_id("verifier_attestation:shop")(verifier)
    verifier.header = {"jwt": sign_now(unsigned, attester)}


def transaction(**changes: Any) -> Defect:
    """Send transaction data with a defect; a `payload` is merged."""
    payload = {**PAYMENT["payload"], **changes.pop("payload", {})}
    value = b64u_encode(json_dumps({**PAYMENT, "payload": payload, **changes}))
    return claim("transaction_data", [value])


def metadata(**changes: Any) -> Defect:
    """Change the verifier's metadata."""

    def change(verifier: VerifierPeer) -> None:
        verifier.claims["client_metadata"] = {**verifier.claims["client_metadata"], **changes}

    return change


def unsigned_to(response_uri: str) -> Defect:
    """Ask without a signature, for an answer to somewhere else than the client identifier says."""

    def change(verifier: VerifierPeer) -> None:
        verifier.unsigned()
        verifier.claims["response_uri"] = response_uri
        verifier.link_text = verifier.by_value()

    return change


def x509_san_dns(name: str, response_uri: str = f"{URL}/responses/1") -> Defect:
    return both(client_id(f"x509_san_dns:{name}"), claim("response_uri", response_uri))


def respond(content: bytes | str, status: int = 200, media_type: str = "application/oauth-authz-req+jwt") -> Defect:
    return answer(lambda *_: httpx2.Response(status, content=content, headers={"Content-Type": media_type}))


# Nobody knows who asks: nobody is told anything.
UNTOLD: list[tuple[str, Defect, type[ByoidError]]] = [
    # the link
    ("link_is_too_long", text(lambda v: v.link + "&x=" + "a" * 140_000), MalformedInput),
    ("link_has_another_scheme", text(lambda v: v.link.replace("openid4vp:", "javascript:")), MalformedInput),
    ("link_is_http", text(lambda v: v.link.replace("openid4vp://", "http://wallet.test/")), MalformedInput),
    ("link_repeats_a_parameter", text(lambda v: v.link + "&client_id=redirect_uri:https://evil.test"), MalformedInput),
    ("link_is_no_link", text(lambda _: "hello"), MalformedInput),
    ("link_has_request_and_request_uri", link(request="e30.e30.e30"), InvalidRequest),
    ("link_has_no_client_id", link(client_id=None), InvalidRequest),
    ("request_uri_method_is_unknown", link(request_uri_method="put"), InvalidRequestUriMethod),
    ("request_uri_method_in_capitals", link(request_uri_method="POST"), InvalidRequestUriMethod),
    ("request_uri_method_stands_alone", link(request_uri=None, request_uri_method="post"), InvalidRequest),
    ("request_uri_is_http", link(request_uri="http://verifier.test/requests/1"), MalformedInput),
    ("request_uri_is_a_file", link(request_uri="file:///etc/passwd"), MalformedInput),
    ("request_uri_has_a_user", link(request_uri="https://library@evil.test/requests/1"), MalformedInput),
    ("request_uri_has_a_fragment", link(request_uri=f"{URL}/requests/1#x"), MalformedInput),
    ("request_uri_is_this_machine", link(request_uri="https://127.0.0.1/requests/1"), PeerError),
    ("request_uri_is_an_internal_network", link(request_uri="https://10.0.0.7/requests/1"), PeerError),
    ("request_uri_is_the_cloud_metadata", link(request_uri="https://169.254.169.254/latest/meta-data"), PeerError),
    # fetching
    ("request_is_redirected", answer(lambda *_: httpx2.Response(302, headers={"Location": URL})), PeerError),
    ("request_is_an_error", respond("{}", 500), PeerError),
    ("request_has_another_media_type", answer(lambda _, jwt: httpx2.Response(200, text=jwt)), PeerError),
    ("request_is_a_page", respond("<html>", media_type="text/html"), PeerError),
    ("request_is_too_large", respond("a" * (2 << 20)), PeerError),
    ("request_is_not_ascii", respond("ä.ö.ü"), PeerError),
    ("request_is_no_jwt", respond("e30"), MalformedInput),
    ("post_leaves_out_the_wallet_nonce", post(echo=False), ClaimMismatch),
    ("post_repeats_another_wallet_nonce", post(claim("wallet_nonce", "another")), ClaimMismatch),
    ("post_is_encrypted_to_somebody_else", post(answer(encrypted_to_somebody_else)), MalformedInput),
    # who asks
    ("request_has_no_signature", jwt(without_signature), WrongType),
    ("request_was_changed", jwt(with_changed_payload), BadSignature),
    ("request_is_signed_by_another_key",
     jwt(lambda v, c: sign_request(c, v.signer, v.header, key=PrivateKey.generate())), BadSignature),
    ("request_has_another_type", jwt(lambda v, c: sign_request(c, v.signer, v.header, typ="JWT")), WrongType),
    ("certificate_is_missing", jwt(lambda v, c: sign_request(c, v.signer, {})), WrongType),
    ("certificate_is_of_nobody", other_certificate(), UntrustedIssuer),
    ("certificate_is_expired", expired_certificate, Expired),
    ("certificate_is_an_issuers", of_pki("credential"), UntrustedIssuer),
    ("certificate_is_a_registrars", of_pki("registrar"), UntrustedIssuer),
    ("hash_is_of_another_certificate", client_id(f"x509_hash:{b64u_encode(sha256(b'another'))}"), ClaimMismatch),
    ("name_is_not_in_the_certificate", x509_san_dns("library.example"), ClaimMismatch),
    ("client_id_differs_inside", claim("client_id", "x509_hash:other"), ClaimMismatch),
    ("client_id_is_missing_inside", claim("client_id", None), ClaimMismatch),
    ("audience_is_another_wallet", claim("aud", "https://other-wallet.test"), ClaimMismatch),
    ("audience_is_missing", claim("aud", None), ClaimMismatch),
    ("request_is_expired", claim("exp", 1_000_000_000), Expired),
    ("request_is_from_the_future", claim("iat", 4_000_000_000), NotYetValid),
    ("prefix_is_openid_federation", client_id("openid_federation:https://verifier.test"), UntrustedIssuer),
    ("prefix_is_a_did", client_id("decentralized_identifier:did:web:verifier.test"), UntrustedIssuer),
    ("prefix_is_origin", client_id("origin:https://verifier.test"), UntrustedIssuer),
    ("prefix_is_unknown", client_id("trustme:https://verifier.test"), UntrustedIssuer),
    ("client_is_not_registered", client_id("library"), UntrustedIssuer),
    ("redirect_uri_client_signs", client_id(f"redirect_uri:{URL}/responses/1"), UntrustedIssuer),
    ("certified_client_does_not_sign", text(lambda v: v.by_value()), UntrustedIssuer),
    ("attestation_is_missing", client_id("verifier_attestation:shop"), MalformedInput),
    ("attestation_is_a_strangers", attested_by_stranger, UntrustedIssuer),
    # what is asked, where the request is not even one
    ("response_type_is_code", claim("response_type", "code"), MalformedInput),
    ("nonce_is_missing", claim("nonce", None), MalformedInput),
    ("nonce_is_not_url_safe", claim("nonce", "a b"), MalformedInput),
    ("query_is_empty", claim("dcql_query", {"credentials": []}), MalformedInput),
    ("query_and_scope", claim("scope", "pid"), MalformedInput),
    ("query_names_an_id_twice",
     lambda v: v.ask(sd_jwt("pid", "given_name"), sd_jwt("pid", "family_name")) and None, MalformedInput),
    ("query_has_no_type", claim("dcql_query", {"credentials": [{"id": "a", "format": "dc+sd-jwt"}]}), MalformedInput),
    ("set_names_an_unknown_query",
     lambda v: v.ask(sd_jwt("pid"), credential_sets=[{"options": [["other"]]}]) and None, MalformedInput),
    # where the answer would go
    ("answer_goes_by_redirect", claim("response_mode", "fragment"), InvalidRequest),
    ("answer_goes_by_the_browser_api", claim("response_mode", "dc_api.jwt"), InvalidRequest),
    ("response_uri_is_missing", claim("response_uri", None), InvalidRequest),
    ("response_uri_is_http", claim("response_uri", "http://verifier.test/responses/1"), InvalidRequest),
    ("response_uri_is_another_host", x509_san_dns("verifier.test", "https://evil.test/responses/1"), InvalidRequest),
    ("response_uri_is_not_the_client", unsigned_to("https://evil.test/responses/1"), InvalidRequest),
]  # fmt: skip
# The verifier is known and at its own address: it may be told the code, and nothing else.
TOLD: list[tuple[str, Defect, type[Any]]] = [
    ("query_by_scope", both(claim("dcql_query", None), claim("scope", "pid")), InvalidScope),
    ("redirect_uri_beside_response_uri", claim("redirect_uri", f"{URL}/done"), InvalidRequest),
    ("state_is_missing_without_holder_binding",
     both(claim("state", None), lambda v: v.ask(sd_jwt("pid", require_cryptographic_holder_binding=False)) and None),
     InvalidRequest),
    ("no_key_to_encrypt_to", metadata(jwks={"keys": [{"kid": "1", "kty": "oct", "k": "AA"}]}), InvalidRequest),
    ("no_metadata", claim("client_metadata", None), InvalidRequest),
    ("key_is_for_signing",
     lambda v: metadata(jwks={"keys": [{**v.response_jwk(), "use": "sig"}]})(v), InvalidRequest),
    ("key_is_off_the_curve",
     lambda v: metadata(jwks={"keys": [{**v.response_jwk(), "y": v.response_jwk()["x"]}]})(v), InvalidRequest),
    ("content_encryption_is_weak",
     metadata(encrypted_response_enc_values_supported=["A128CBC-HS256"]), InvalidRequest),
    ("format_is_unknown",
     claim("dcql_query", {"credentials": [{"id": "pid", "format": "jwt_vc_json", "meta": {}}]}), VpFormatsNotSupported),
    ("transaction_is_of_unknown_type", transaction(type="urn:example:blank-cheque"), InvalidTransactionData),
    ("transaction_has_an_unknown_member", transaction(fine_print="and my house"), InvalidTransactionData),
    ("payment_has_an_unknown_member", transaction(payload={"fee": 1000}), InvalidTransactionData),
    ("payment_is_negative", transaction(payload={"amount": -1}), InvalidTransactionData),
    ("payment_is_beyond_all_money", transaction(payload={"amount": 1e30}), InvalidTransactionData),
    ("payment_is_less_than_any_coin", transaction(payload={"amount": 5e-324}), InvalidTransactionData),
    ("payment_has_no_payee", transaction(payload={"payee": None}), InvalidTransactionData),
    ("payment_has_no_currency", transaction(payload={"currency": "euros"}), InvalidTransactionData),
    ("transaction_is_for_nothing_asked", transaction(credential_ids=["other"]), InvalidTransactionData),
    ("transaction_is_for_an_mdoc",
     both(transaction(), lambda v: v.ask(mdoc("pid", "family_name")) and None), InvalidTransactionData),
    ("transaction_hash_is_unknown", transaction(transaction_data_hashes_alg=["md5"]), InvalidTransactionData),
    ("transaction_is_not_base64", claim("transaction_data", ["{}"]), InvalidTransactionData),
]  # fmt: skip


@pytest.mark.parametrize(("defect", "error"), [pytest.param(*case[1:], id=case[0]) for case in UNTOLD])
async def test_nothing_is_sent_to_somebody_unknown(
    holder: Any, verifier: VerifierPeer, defect: Defect, error: type[ByoidError]
) -> None:
    defect(verifier)
    _trust_extra_root(holder, verifier)

    with pytest.raises((error, RequestRefused)) as raised:
        await holder.propose(verifier.link)

    found = raised.value
    assert type(found.error if isinstance(found, RequestRefused) else found) is error
    assert getattr(found, "refusal_id", None) is None
    assert verifier.posted == []
    contents = (await holder.visit()).contents
    assert await contents.all(Kind.CONSENT) == await contents.all(Kind.REFUSAL) == []


@pytest.mark.parametrize(("defect", "error"), [pytest.param(*case[1:], id=case[0]) for case in TOLD])
async def test_a_known_verifier_is_told_the_code_and_nothing_else_if_the_citizen_wants_it(
    holder: Any, verifier: VerifierPeer, defect: Defect, error: type[Any]
) -> None:
    defect(verifier)

    with pytest.raises(RequestRefused) as raised:
        await holder.propose(verifier.link)

    assert type(raised.value.error) is error
    assert verifier.posted == []  # 15.1: no error without consent
    visit, refusal_id = await holder.visit(), raised.value.refusal_id or ""
    assert await tell(holder.wallet, visit, refusal_id) == "https://verifier.test/done#response_code=1"
    with pytest.raises(ItemNotFound):
        await tell(holder.wallet, visit, refusal_id)
    assert len(verifier.posted) == 1
    told = {"error": error.code}
    if "state" in verifier.claims:
        told["state"] = verifier.claims["state"]
    assert verifier.opened() == told
    contents = (await holder.visit()).contents
    assert await contents.all(Kind.CONSENT) == await contents.all(Kind.REFUSAL) == []
    (item,) = await load_history(contents)
    assert item.entry.reason_of_noncompletion is Reason.BAD_REQUEST
    assert item.entry.error == error.code


async def test_a_refusal_can_be_told_only_for_a_while_and_by_its_own_citizen(
    new_holder: Any, holder: Any, verifier: VerifierPeer, clock: Any
) -> None:
    claim("redirect_uri", f"{URL}/done")(verifier)
    with pytest.raises(RequestRefused) as raised:
        await holder.propose(verifier.link)
    refusal_id = raised.value.refusal_id or ""

    stranger = await new_holder()
    with pytest.raises(ItemNotFound):
        await tell(stranger.wallet, await stranger.visit(), refusal_id)
    clock.advance(minutes=9)
    visit = await holder.visit()
    clock.advance(minutes=2)
    with pytest.raises(ItemNotFound):
        await tell(holder.wallet, visit, refusal_id)
    assert verifier.posted == []


async def test_the_citizen_hears_that_the_verifier_did_not_take_it(holder: Any, verifier: VerifierPeer) -> None:
    claim("redirect_uri", f"{URL}/done")(verifier)
    verifier.answer_response = lambda _: httpx2.Response(500, text="oops")
    with pytest.raises(RequestRefused) as raised:
        await holder.propose(verifier.link)
    with pytest.raises(PeerError):
        await tell(holder.wallet, await holder.visit(), raised.value.refusal_id or "")


def test_there_are_many_cases() -> None:
    assert len(UNTOLD) + len(TOLD) >= 45


def _trust_extra_root(holder: Any, verifier: VerifierPeer) -> None:
    root: Authority | None = getattr(verifier, "extra_root", None)
    if root is None:
        return
    verifiers = holder.wallet.verifiers
    anchor = TrustAnchor(root.certificate, frozenset({Purpose.ACCESS}), "test")
    verifiers.trust = replace(verifiers.trust, anchors=verifiers.trust.anchors.union(TrustAnchors([anchor])))
