"""Registration certificates: ETSI TS 119 475 5.2."""

import json
from datetime import timedelta
from functools import partial

import pytest

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, ClaimMismatch, Expired, MalformedInput, NotYetValid, UntrustedIssuer, WrongType
from byoid.jose import prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.crl import Crls
from byoid.trust.pki import SubjectName, make_leaf, to_der
from byoid.trust.registration import (
    ENTITLEMENT,
    MAX_BYTES,
    POLICY_ID,
    TYPE,
    Excess,
    RegistrationClaims,
    prepare_registration,
    verify_registration,
)
from byoid.trust.x509 import ChainCache, verify_chain

PID = "urn:eudi:pid:1"
MDL, MDL_CLAIMS = "org.iso.18013.5.1.mDL", "org.iso.18013.5.1"


def members(now, **changes):
    claims = {
        "name": "Shop",
        "sub_ln": "Shop Ltd",
        "sub": "NTRUT-12345",
        "country": "UT",
        "registry_uri": "https://registry.example",
        "srv_description": [[{"lang": "en", "value": "Sells wine"}]],
        "entitlements": [f"{ENTITLEMENT}Service_Provider"],
        "privacy_policy": "https://shop.example/privacy",
        "support_uri": "https://shop.example/support",
        "supervisory_authority": {"email": "dpa@ut.example"},
        "policy_id": POLICY_ID,
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(days=300)).timestamp()),
        "status": {"status_list": {"idx": 7, "uri": "https://registry.example/status"}},
        "purpose": [{"lang": "en", "value": "Age check"}],
        "credentials": [
            {
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [PID, "urn:other"]},
                "claim": [{"path": ["age_over_18"]}, {"path": ["address"]}, {"path": ["nationalities", None]}],
            },
            {
                "format": "mso_mdoc",
                "meta": {"doctype_value": MDL},
                "claim": [{"path": [MDL_CLAIMS, "age_over_18"]}],
            },
        ],
    }
    return {**claims, **changes}


@pytest.fixture
def registrar(pki, now):
    key = PrivateKey.generate()
    leaf = make_leaf(pki.root, SubjectName("Registrar"), key=key.public, purpose=Purpose.REGISTRATION, now=now)
    return key, to_der(leaf)


@pytest.fixture
def access(pki, now):
    return verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)


@pytest.fixture
def certify(registrar, now):
    def build(*, typ=TYPE, key=None, x5c=None, **changes):
        own, chain = registrar
        claims = {name: value for name, value in members(now, **changes).items() if value is not ...}
        header = {"x5c": x5c_header(chain if x5c is None else x5c)}
        return sign_now(prepare_jws(claims, algorithm="ES256", typ=typ, header=header), key or own)

    return build


@pytest.fixture
def registration(certify, access, pki, now):
    return verify_registration(certify(), access=access, anchors=pki.anchors, now=now)


def test_a_registration_belongs_to_the_party_that_asks(registration, pki):
    assert registration.name == "Shop"
    assert registration.claims.privacy_policy == "https://shop.example/privacy"
    assert registration.claims.purpose[0].value == "Age check"
    assert registration.status == {"status_list": {"idx": 7, "uri": "https://registry.example/status"}}
    assert registration.chain.subject_name == "Registrar"


def test_what_a_registrar_prepares_is_verified(registrar, access, pki, now):
    key, chain = registrar
    claims = parse_message(RegistrationClaims, members(now))
    jwt = sign_now(prepare_registration(claims, algorithm="ES256", x5c=chain), key)
    assert verify_registration(jwt, access=access, anchors=pki.anchors, now=now).claims == claims


def test_an_intermediary_asks_with_its_own_access_certificate(certify, access, pki, now):
    jwt = certify(sub="NTRUT-999", intermediary={"sub": "NTRUT-12345", "sname": "Middle"})
    assert verify_registration(jwt, access=access, anchors=pki.anchors, now=now).claims.sub == "NTRUT-999"


@pytest.mark.parametrize(
    ("changes", "name"),
    [({}, "Shop"), ({"name": ...}, "Shop Ltd"), ({"name": ..., "sub_ln": ...}, "NTRUT-12345")],
)
def test_a_party_has_a_name_in_any_case(certify, access, pki, now, changes, name):
    assert verify_registration(certify(**changes), access=access, anchors=pki.anchors, now=now).name == name


def test_a_registration_need_not_expire(certify, access, pki, now):
    assert verify_registration(certify(exp=...), access=access, anchors=pki.anchors, now=now).claims.exp is None


def ask(credential_format, meta, *paths):
    return {"id": "q", "format": credential_format, "meta": meta, "claims": [{"path": list(path)} for path in paths]}


@pytest.mark.parametrize(
    "asked",
    [
        ask("dc+sd-jwt", {"vct_values": [PID]}, ["age_over_18"]),
        ask("dc+sd-jwt", {"vct_values": [PID, "urn:other"]}, ["age_over_18"], ["address", "locality"]),
        ask("dc+sd-jwt", {"vct_values": [PID]}, ["nationalities", 0], ["nationalities", None]),
        ask("mso_mdoc", {"doctype_value": MDL}, [MDL_CLAIMS, "age_over_18"]),
        {"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": [PID]}},
    ],
)
def test_what_is_registered_may_be_asked_for(registration, asked):
    assert registration.excess({"credentials": [asked]}) == ()


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("asked", "path"),
    [
        (ask("dc+sd-jwt", {"vct_values": [PID]}, ["family_name"]), ("family_name",)),
        (ask("dc+sd-jwt", {"vct_values": [PID]}, ["age_over_18"], ["nationalities"]), ("nationalities",)),
        (ask("dc+sd-jwt", {"vct_values": [PID, "urn:third"]}, ["age_over_18"]), None),
        (ask("dc+sd-jwt", {"vct_values": []}, ["age_over_18"]), None),
        (ask("dc+sd-jwt", {}, ["age_over_18"]), None),
        (ask("mso_mdoc", {"doctype_value": PID}, ["age_over_18"]), None),
        (ask("mso_mdoc", {}, ["age_over_18"]), None),
        (ask("mso_mdoc", {"doctype_value": MDL}, [MDL_CLAIMS, "portrait"]), (MDL_CLAIMS, "portrait")),
    ],
)  # fmt: skip
def test_what_is_not_registered_is_told(registration, asked, path):
    assert registration.excess({"credentials": [asked]}) == (Excess("q", path),)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"typ": "JWT"}, WrongType),
        ({"typ": "rc-wrp+cwt"}, WrongType),
        ({"key": PrivateKey.generate()}, BadSignature),
        ({"x5c": ()}, MalformedInput),
        ({"sub": "NTRUT-999"}, ClaimMismatch),
        ({"sub": "NTRUT-999", "intermediary": {"sub": "NTRUT-998", "sname": "x"}}, ClaimMismatch),
        ({"exp": 1}, Expired),
        ({"iat": 4_000_000_000}, NotYetValid),
        ({"iat": ...}, MalformedInput),
        ({"sub": ...}, MalformedInput),
        ({"entitlements": []}, MalformedInput),
        ({"entitlements": "all"}, MalformedInput),
        ({"exp": "never"}, MalformedInput),
        ({"exp": 1 << 60}, MalformedInput),
        ({"credentials": [{"meta": {}}]}, MalformedInput),
    ],
)
def test_a_bad_registration_is_refused(certify, access, pki, now, changes, error):
    with pytest.raises(error):
        verify_registration(certify(**changes), access=access, anchors=pki.anchors, now=now)


@pytest.mark.hostile
def test_only_a_registrar_registers(certify, access, pki, now):
    with pytest.raises(UntrustedIssuer):
        verify_registration(certify(), access=access, anchors=pki.root.anchor(Purpose.ACCESS), now=now)


@pytest.mark.hostile
def test_an_access_certificate_without_identifier_belongs_to_nobody(certify, forge, pki, now):
    nameless = verify_chain([forge()], anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)
    with pytest.raises(ClaimMismatch):
        verify_registration(certify(), access=nameless, anchors=pki.anchors, now=now)


@pytest.mark.hostile
def test_changed_claims_are_found_out(certify, access, pki, now):
    header, _, signature = certify().split(".")
    payload = b64u_encode(json.dumps(members(now, name="Bank")).encode())
    with pytest.raises(BadSignature):
        verify_registration(f"{header}.{payload}.{signature}", access=access, anchors=pki.anchors, now=now)


@pytest.mark.hostile
def test_registered_types_must_be_text(certify, access, pki, now):
    jwt = certify(credentials=[{"format": "dc+sd-jwt", "meta": {"vct_values": "urn:all"}}])
    registration = verify_registration(jwt, access=access, anchors=pki.anchors, now=now)
    with pytest.raises(MalformedInput):
        registration.excess({"credentials": [ask("dc+sd-jwt", {"vct_values": [PID]})]})


def test_a_registration_is_valid_within_the_leeway_to_the_second(certify, access, pki, now):
    leeway = timedelta(seconds=60)
    check = partial(verify_registration, access=access, anchors=pki.anchors, leeway=leeway)
    ahead = certify(iat=int((now + leeway).timestamp()))
    over = certify(exp=int((now - leeway).timestamp()))

    assert check(ahead, now=now)
    assert check(over, now=now - timedelta(seconds=1))
    with pytest.raises(NotYetValid):
        check(ahead, now=now - timedelta(seconds=1))
    with pytest.raises(Expired):
        check(over, now=now)


def test_a_registrar_can_be_revoked(certify, access, pki, now):
    with pytest.raises(UntrustedIssuer):
        verify_registration(certify(), access=access, anchors=pki.anchors, now=now, crls=Crls())


def test_a_registrars_chain_is_remembered(certify, access, pki, now):
    cache = ChainCache()
    verify_registration(certify(), access=access, anchors=pki.anchors, now=now, cache=cache)

    assert len(cache) == 1


def test_a_registered_element_of_an_array_is_that_element_only(registration):
    wildcard = ask("dc+sd-jwt", {"vct_values": [PID]}, ["nationalities", 0], ["nationalities", "x"])

    assert [excess.path for excess in registration.excess({"credentials": [wildcard]})] == [("nationalities", "x")]


def test_excess_is_found_in_every_query(registration):
    asked = [
        {**ask("dc+sd-jwt", {"vct_values": [PID]}, ["age_over_18"]), "id": "fine"},
        {**ask("dc+sd-jwt", {"vct_values": [PID]}, ["given_name"]), "id": "first"},
        {**ask("dc+sd-jwt", {"vct_values": ["urn:third"]}, ["given_name"]), "id": "whole"},
        {**ask("dc+sd-jwt", {"vct_values": [PID]}, ["family_name"]), "id": "second"},
    ]
    found = registration.excess({"credentials": asked})

    assert [(excess.query_id, excess.path) for excess in found] == [
        ("first", ("given_name",)),
        ("whole", None),
        ("second", ("family_name",)),
    ]


@pytest.mark.hostile
def test_the_size_of_a_registration_is_bounded(certify, access, pki, now):
    jwt = certify(srv_description=[[{"lang": "en", "value": "x" * MAX_BYTES}]])
    with pytest.raises(MalformedInput, match=f"at most {MAX_BYTES}"):
        verify_registration(jwt, access=access, anchors=pki.anchors, now=now)
