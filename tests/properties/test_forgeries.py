"""Whatever is signed by who may sign it, and odd in one place: it is accepted, or refused with an error of byoid's."""

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byoid.cbor import EncodedCbor, cbor_dumps, cbor_loads, encode_bytes, encode_tag24
from byoid.encoding import b64u_decode, b64u_encode, json_dumps
from byoid.errors import ByoidError
from byoid.formats.mdoc.verify import verify_issuer_signed
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import verify_status_list_token
from byoid.issuance.configuration import SdJwtVcConfiguration
from byoid.issuance.proofs import ProofPolicy, Proofs, verify_proofs
from byoid.issuance.signed_metadata import verify_signed_metadata
from byoid.jose import x5c_header
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.client_attestation import verify_client_attestation
from byoid.oauth.jwt import Trust
from byoid.presentation.client_id import VerifierTrust
from byoid.presentation.request_object import WalletAbilities, verify_request
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, dns, make_leaf, make_root, to_der
from byoid.trust.registration import verify_registration
from byoid.trust.trusted_list import verify_trusted_list
from byoid.trust.x509 import authority_key_identifiers, verify_chain
from tests.byoid.presentation.world import (
    CLIENT_ID,
    DOCTYPE,
    LIST_URI,
    NOW,
    PID_QUERY,
    STATUS,
    VCT,
    Asking,
    World,
    authorization_request,
    verify,
)

SECONDS = int(NOW.timestamp())
ROOT = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=NOW - timedelta(days=1))
KEY = PrivateKey.generate()
JWK = dict(KEY.public.jwk)
ANCHORS = ROOT.anchor(*Purpose, source="https://lists.example")


def chain(purpose: Purpose) -> tuple[bytes, ...]:
    subject = SubjectName("Party", "Party Ltd", "NTRUT-1")
    leaf = make_leaf(ROOT, subject, key=KEY.public, purpose=purpose, now=NOW, names=dns("verifier.example"))
    return to_der(leaf)


PID_CHAIN, MDOC_CHAIN, ACCESS_CHAIN = (chain(purpose) for purpose in (Purpose.PID, Purpose.MDOC, Purpose.ACCESS))
WORLD = World(ROOT, KEY, KEY, KEY, PID_CHAIN, MDOC_CHAIN, ACCESS_CHAIN, chain(Purpose.STATUS), chain(Purpose.STATUS))
ACCESS = verify_chain(ACCESS_CHAIN, anchors=ANCHORS, purpose=Purpose.ACCESS, now=NOW)
UNBOUND = Asking()({**PID_QUERY, "require_cryptographic_holder_binding": False})
STATUS_CLAIM = STATUS.to_claim()
PROOF_TYPE = {"proof_signing_alg_values_supported": ["ES256"]}
CONFIGURATION = parse_message(
    SdJwtVcConfiguration,
    {"format": "dc+sd-jwt", "vct": VCT, "proof_types_supported": {"jwt": PROOF_TYPE, "attestation": PROOF_TYPE}},
)
Judge = Callable[[str], object]
Artefact = tuple[str, Purpose | None, dict[str, Any], Judge]


def text(value: str) -> list[dict[str, str]]:
    return [{"lang": "en", "value": value}]


def prove(**proofs: str) -> object:
    every = Proofs(**{name: (jwt,) for name, jwt in proofs.items()})
    policy = ProofPolicy(Trust(ANCHORS), max_keys=2)
    return verify_proofs(
        every, issuer="https://issuer.example", configuration=CONFIGURATION, client_id=None, policy=policy, now=NOW
    )


def ask(jwt: str) -> object:
    trust, abilities = VerifierTrust(ANCHORS), WalletAbilities(frozenset({"dc+sd-jwt"}))
    return verify_request(jwt, client_id=CLIENT_ID, trust=trust, abilities=abilities, now=NOW)


CREDENTIAL = {
    "vct": VCT, "iss": "https://issuer.example", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 60,
    "given_name": "Erika", "family_name": "Mustermann", "_sd": ["x"], "_sd_alg": "sha-256", "aka_vcts": ["urn:x"],
    "nationalities": ["DE", {"...": "y"}], "cnf": {"jwk": JWK}, "status": STATUS_CLAIM,
}  # fmt: skip
REGISTRATION = {
    "name": "Party", "sub": "NTRUT-1", "iat": SECONDS, "exp": SECONDS + 60, "entitlements": ["https://x"],
    "purpose": text("x"), "intermediary": {"sub": "NTRUT-1"}, "status": STATUS_CLAIM,
    "credentials": [{"format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claim": [{"path": ["given_name", None]}]}],
}  # fmt: skip
LIST = {
    "ListAndSchemeInformation": {
        "LoTEVersionIdentifier": 1, "LoTESequenceNumber": 1, "SchemeOperatorName": text("Party Ltd"),
        "ListIssueDateTime": "2026-05-01T00:00:00Z", "NextUpdate": "2026-07-01T00:00:00Z",
    },
    "TrustedEntitiesList": [{
        "TrustedEntityInformation": {"TEName": text("x")},
        "TrustedEntityServices": [{"ServiceInformation": {
            "ServiceTypeIdentifier": "http://uri.etsi.org/19602/SvcType/PID/Issuance", "ServiceName": text("x"),
            "ServiceDigitalIdentity": {"X509Certificates": [{"val": x5c_header(PID_CHAIN)[0]}]},
            "StatusStartingTime": "2026-01-01T00:00:00Z",
        }}],
    }],
}  # fmt: skip
ATTESTATION = {
    "sub": "wallet", "iss": "https://provider.example", "iat": SECONDS, "exp": SECONDS + 60, "cnf": {"jwk": JWK},
    "client_status": {"status": STATUS_CLAIM, "exp": SECONDS + 60},
}  # fmt: skip
KEY_ATTESTATION = {
    "iat": SECONDS, "exp": SECONDS + 60, "attested_keys": [{**JWK, "kid": "0"}], "key_storage": ["x"], "nonce": "n",
    "key_storage_status": {"status": STATUS_CLAIM, "exp": SECONDS + 60},
}  # fmt: skip
METADATA = {
    "sub": "https://issuer.example", "iat": SECONDS, "credential_issuer": "https://issuer.example",
    "credential_endpoint": "https://issuer.example/credential", "display": [{"name": "x", "locale": "de"}],
    "credential_configurations_supported": {
        "x": {"format": "dc+sd-jwt", "vct": VCT, "credential_metadata": {"claims": [{"path": ["a", None]}]}}
    },
}  # fmt: skip
STATUS_LIST = {
    "sub": LIST_URI, "iat": SECONDS, "exp": SECONDS + 60, "ttl": 60,
    "status_list": {"bits": 2, "lst": b64u_encode(StatusArray.of_size(64, bits=2).compress())},
}  # fmt: skip
ARTEFACTS: dict[str, Artefact] = {
    "credential": (
        "dc+sd-jwt", Purpose.PID, CREDENTIAL,
        lambda jwt: verify(WORLD, {"pid": [f"{jwt}~"]}, UNBOUND, statuses={LIST_URI: WORLD.status_list()}),
    ),
    "status list": (
        "statuslist+jwt", Purpose.STATUS, STATUS_LIST,
        lambda jwt: verify_status_list_token(jwt, uri=LIST_URI, key=KEY.public, now=NOW).status_at(7),
    ),
    "request": (
        "oauth-authz-req+jwt", Purpose.ACCESS,
        {**authorization_request().to_wire(), "aud": "https://self-issued.me/v2", "exp": SECONDS + 60}, ask,
    ),
    "registration": (
        "rc-wrp+jwt", Purpose.REGISTRATION, REGISTRATION,
        lambda jwt: verify_registration(jwt, access=ACCESS, anchors=ANCHORS, now=NOW).excess(
            {"credentials": [PID_QUERY]}
        ),
    ),
    "trusted list": (
        "trustlist+jwt", Purpose.TRUSTED_LIST, LIST,
        lambda jwt: verify_trusted_list(jwt, source="x", anchors=ANCHORS, now=NOW).anchors.identity,
    ),
    "client attestation": (
        "oauth-client-attestation+jwt", Purpose.WALLET_PROVIDER, ATTESTATION,
        lambda jwt: verify_client_attestation(jwt, trust=Trust(ANCHORS), now=NOW),
    ),
    "key attestation": (
        "key-attestation+jwt", Purpose.WALLET_PROVIDER, KEY_ATTESTATION, lambda jwt: prove(attestation=jwt)
    ),
    "key proof": (
        "openid4vci-proof+jwt", Purpose.PID, {"aud": "https://issuer.example", "iat": SECONDS, "nonce": "n"},
        lambda jwt: prove(jwt=jwt),
    ),
    "issuer metadata": (
        "openidvci-issuer-metadata+jwt", Purpose.ISSUER_METADATA, METADATA,
        lambda jwt: verify_signed_metadata(
            jwt, credential_issuer="https://issuer.example", trust=Trust(ANCHORS), now=NOW
        ),
    ),
}  # fmt: skip

GONE = object()
odd_values: st.SearchStrategy[Any] = st.sampled_from([
    None, True, 0, -1, 1, 2**31, 2**64, 10**39, 0.5, 1e308, 253_402_300_799, 253_402_300_798.9999999, "", "x", "\x00",
    "\u202e", "https://x:99999", "https://[", "a.b.c", "AAAA", "9999-12-31T23:59:59Z", [], {}, [None], [[]], {"": None},
    {"_sd": 1}, {"...": "x"}, {"jwk": None}, {"status_list": {}}, [1, "a", None], "x" * 3000,
])  # fmt: skip
odd_in_cbor: st.SearchStrategy[Any] = st.sampled_from([
    b"", b"\xff" * 32, 1.5, float("inf"), EncodedCbor(b""), EncodedCbor(b"\xa0"), {1: 2, -1: 1}, {b"x": 1},
    datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
])  # fmt: skip


def changes(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[int, Any]]]:
    return st.lists(st.tuples(st.integers(0, 99), st.just(GONE) | values), min_size=1, max_size=3)


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    """Return each place within a value: what it is in, and its name or index there."""
    names = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for name in names:
        yield value, name
        yield from members(value[name])


def changed(value: dict[Any, Any], where: list[tuple[int, Any]]) -> dict[Any, Any]:
    result = copy.deepcopy(value)
    for place, odd in where:
        places = list(members(result))
        if places:
            parent, name = places[place % len(places)]
            if odd is GONE:
                del parent[name]
            else:
                parent[name] = copy.deepcopy(odd)
    return result


def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
    signing_input = f"{b64u_encode(json_dumps(header))}.{b64u_encode(json_dumps(claims))}"
    return f"{signing_input}.{b64u_encode(KEY.sign(signing_input.encode()))}"


CHAINS = {purpose: x5c_header(chain(purpose)) for purpose in Purpose}


def header_of(artefact: Artefact) -> dict[str, Any]:
    typ, purpose, _, _ = artefact
    return {"alg": "ES256", "typ": typ, **({"x5c": CHAINS[purpose]} if purpose else {})}


@pytest.mark.parametrize("name", ARTEFACTS)
def test_what_is_not_changed_is_accepted(name: str) -> None:
    _, _, claims, judge = ARTEFACTS[name]
    judge(sign(header_of(ARTEFACTS[name]), claims))


@pytest.mark.hostile
@pytest.mark.parametrize("name", ARTEFACTS)
@given(where=changes(odd_values))
def test_odd_claims_raise_only_errors_of_byoid(name: str, where: list[tuple[int, Any]]) -> None:
    _, _, claims, judge = ARTEFACTS[name]
    refused(judge, sign(header_of(ARTEFACTS[name]), changed(claims, where)))


@pytest.mark.hostile
@pytest.mark.parametrize("name", ARTEFACTS)
@given(where=changes(odd_values))
def test_odd_headers_raise_only_errors_of_byoid(name: str, where: list[tuple[int, Any]]) -> None:
    _, _, claims, judge = ARTEFACTS[name]
    refused(judge, sign(changed(header_of(ARTEFACTS[name]), where), claims))


ISSUER_SIGNED = cbor_loads(WORLD.mdoc(status=STATUS))
MSO = cbor_loads(cbor_loads(ISSUER_SIGNED["issuerAuth"][2]).raw)


@pytest.mark.hostile
@given(where=changes(odd_values.filter(lambda odd: not isinstance(odd, int) or odd <= 2**63) | odd_in_cbor))
def test_an_odd_mso_raises_only_errors_of_byoid(where: list[tuple[int, Any]]) -> None:
    issuer_signed = copy.deepcopy(ISSUER_SIGNED)
    auth = issuer_signed["issuerAuth"]
    auth[2] = encode_tag24(cbor_dumps(changed(MSO, where)))
    auth[3] = KEY.sign(b"\x84\x6aSignature1" + encode_bytes(auth[0]) + b"\x40" + encode_bytes(auth[2]))

    refused(
        lambda raw: verify_issuer_signed(
            b64u_decode(raw), issuer_key=KEY.public, doctype=DOCTYPE, device_key=KEY.public, now=NOW
        ),
        b64u_encode(cbor_dumps(issuer_signed)),
    )


@pytest.mark.hostile
@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of cryptography, which will refuse it one day
@given(st.lists(st.tuples(st.integers(0, 999), st.binary(max_size=4), st.integers(0, 4)), min_size=1, max_size=3))
def test_a_spoilt_certificate_raises_only_errors_of_byoid(splices: list[tuple[int, bytes, int]]) -> None:
    for der, purpose in ((MDOC_CHAIN[0], Purpose.MDOC), (ACCESS_CHAIN[0], Purpose.ACCESS)):
        for place, put, taken in splices:
            at = place % len(der)
            der = der[:at] + put + der[at + taken :]
        for judge in (partial(verify_chain, anchors=ANCHORS, purpose=purpose, now=NOW), authority_key_identifiers):
            refused(judge, [der])


def refused(judge: Callable[[Any], object], artefact: object) -> None:
    """Let it be judged; whether it is accepted is other tests' business."""
    try:
        judge(artefact)
    except ByoidError:
        pass
