"""SD-JWT VC: claims that must be open, types, binding, dates; issuing, holding and presenting end to end."""

import json
from datetime import timedelta
from typing import Any

import pytest

from byoid.encoding import b64u_decode
from byoid.errors import (
    BadSignature,
    DigestMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    WrongType,
)
from byoid.formats.holder_binding import HolderBinding, NoHolderBinding
from byoid.formats.sd_jwt import parse_sd_jwt
from byoid.formats.sd_jwt_vc import (
    ALL,
    HeldSdJwtVc,
    parse_sd_jwt_vc,
    prepare_sd_jwt_vc,
    verify_sd_jwt_vc,
)
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey
from byoid.signing import SoftwareSigner, sign

REGISTERED = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"]


def verify(forge, credential: Any, **changes: Any):
    expected = {"issuer_key": forge.issuer.public, "binding": NoHolderBinding(), "now": forge.now} | changes
    return verify_sd_jwt_vc(credential, **expected)


@pytest.fixture
def binding(forge) -> HolderBinding:
    return HolderBinding(forge.audience, forge.nonce)


# --- issuing


def test_credential_is_issued_held_presented_and_verified(forge, person, binding):
    held = HeldSdJwtVc.from_text(forge.issue(person, status=StatusReference("https://s.example/1", 7)))

    presentation = forge.present(held.present([("given_name",), ("address", "country")]))
    verified = verify(forge, presentation, binding=binding)

    assert verified.claims == {
        "vct": "urn:example:card",
        "cnf": {"jwk": forge.holder.public.jwk},
        "iat": forge.seconds,
        "exp": forge.seconds + 30 * 86400,
        "status": {"status_list": {"idx": 7, "uri": "https://s.example/1"}},
        "given_name": "Erika",
        "address": {"country": "DE"},
    }
    assert verified.vct == "urn:example:card"
    assert verified.types == ("urn:example:card",)
    assert verified.status == StatusReference("https://s.example/1", 7)
    assert verified.holder_key == forge.holder.public
    assert verified.holder_proven
    assert verified.issued_at == forge.now
    assert verified.expires_at == forge.now + timedelta(days=30)
    assert verified.issuer is None
    assert verified.transaction_data_hashes == ()
    assert verified.disclosed_paths == {("given_name",), ("address",), ("address", "country")}


async def test_signing_takes_two_phases_so_that_keys_may_be_far_away(forge, person, binding):
    unsigned = prepare_sd_jwt_vc(
        person, vct="urn:x", disclosable=ALL, algorithm="ES256", holder_key=forge.holder.public.jwk
    )

    credential = await sign(unsigned, SoftwareSigner(forge.issuer))

    assert verify(forge, credential).vct == "urn:x"


def test_header_names_type_key_and_certificates(forge):
    credential = forge.issue({}, x5c=[b"leaf", b"ca"], kid="key-1", header={"x": 1}, issuer="https://issuer.example")

    parsed = parse_sd_jwt_vc(credential)
    assert parsed.jws.header == {
        "alg": "ES256",
        "typ": "dc+sd-jwt",
        "kid": "key-1",
        "x5c": ["bGVhZg==", "Y2E="],
        "x": 1,
    }
    assert parsed.x5c == (b"leaf", b"ca")
    assert verify(forge, credential).issuer == "https://issuer.example"


def test_credential_without_holder_dates_and_disclosures_has_no_digests(forge):
    credential = forge.issue({"name": "Erika"}, (), holder_key=None, issued_at=None, expires_at=None)

    assert parse_sd_jwt(credential).jws.claims() == {"vct": "urn:example:card", "name": "Erika"}
    verified = verify(forge, credential)
    assert verified.holder_key is None
    assert verified.expires_at is None
    assert not verified.holder_proven


def test_holder_key_is_embedded_without_anything_else(forge):
    jwk = forge.holder.public.jwk | {"kid": "wallet-key-7", "use": "sig"}

    payload = parse_sd_jwt(forge.issue({}, holder_key=jwk)).jws.claims()

    assert payload["cnf"] == {"jwk": forge.holder.public.jwk}


@pytest.mark.parametrize(("arguments", "digests"), [({}, 1), ({"decoys": 3}, 4)], ids=["none asked for", "three"])
def test_decoys_are_as_many_as_were_asked_for(arguments, digests, forge):
    issued = parse_sd_jwt(forge.issue({"name": "Erika"}, **arguments))

    assert (len(issued.jws.claims()["_sd"]), len(issued.disclosures)) == (digests, 1)


def test_all_leaves_registered_claims_open(forge):
    claims = {"nbf": 1, "vct#integrity": "sha256-x", "aka_vcts": ["urn:other"], "sub": "me"}

    payload = parse_sd_jwt(forge.issue(claims, issuer="https://i.example")).jws.claims()

    assert payload.keys() >= {"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts"}
    assert "sub" not in payload


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["iss", "iat", "exp", "cnf", "vct", "status"])
def test_claims_that_arguments_set_are_refused(name, forge):
    with pytest.raises(ValueError, match=name):
        forge.issue({name: 1})


@pytest.mark.hostile
@pytest.mark.parametrize("name", REGISTERED)
def test_registered_claims_cannot_be_made_disclosable(name, forge):
    with pytest.raises(ValueError, match="selectively disclosable"):
        forge.issue({}, [(name,)])
    with pytest.raises(ValueError, match="selectively disclosable"):
        forge.issue({}, [(name, "member")])


@pytest.mark.hostile
def test_a_private_holder_key_is_refused(forge):
    with pytest.raises(ValueError, match="private"):
        forge.issue({}, holder_key=PrivateKey.generate().to_jwk())


# --- verifying


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "Ed25519"])
def test_issuers_and_holders_may_have_keys_of_every_kind(curve, forge):
    issuer, holder = PrivateKey.generate(curve), PrivateKey.generate(curve)
    unsigned = prepare_sd_jwt_vc(
        {"name": 1}, vct="urn:x", disclosable=ALL, algorithm=issuer.algorithm, holder_key=holder.public.jwk
    )
    credential = unsigned.attach(issuer.sign(unsigned.signing_input))

    assert verify(forge, credential, issuer_key=issuer.public).holder_key == holder.public


def test_key_binding_that_was_not_demanded_is_neither_refused_nor_believed(forge, person):
    """RFC 9901 7.3 step 1: the decision "MUST NOT be based on whether a Key Binding JWT is provided by the Holder"."""
    presentation = forge.bind(forge.issue(person), nonce="stale", key=PrivateKey.generate())

    assert not verify(forge, presentation).holder_proven


def test_a_credential_may_be_parsed_before_it_is_verified(forge, person):
    verified = verify(forge, parse_sd_jwt_vc(forge.issue(person)))

    assert verified.vct == "urn:example:card"
    assert verified.transaction_data_hashes == ()


def test_other_types_are_accepted_only_where_asked_for(forge):
    former = forge.sign(forge.payload(), typ="vc+sd-jwt")

    assert verify(forge, former, typ=("dc+sd-jwt", "vc+sd-jwt")).vct == "urn:example:card"
    with pytest.raises(WrongType):
        verify(forge, former)


def test_other_types_of_a_credential_are_those_that_its_issuer_names(forge):
    verified = verify(forge, forge.issue({"aka_vcts": ["urn:eudi:pid", "urn:eudi:pid:de"]}))

    assert verified.types == ("urn:example:card", "urn:eudi:pid", "urn:eudi:pid:de")


def test_transaction_data_that_the_holder_signed_are_reported(forge, binding):
    data = ["eyJ0eXBlIjoicGF5In0"]
    presentation = forge.present(forge.issue({}), transaction_data=data)

    verified = verify(forge, presentation, binding=binding, transaction_data=data)

    assert verified.transaction_data_hashes == (forge.digest(data[0]),)
    with pytest.raises(HolderBindingError):
        verify(forge, forge.present(forge.issue({})), binding=binding, transaction_data=data)


@pytest.mark.hostile
def test_transaction_data_without_binding_are_the_callers_mistake(forge):
    with pytest.raises(ValueError, match="binding"):
        verify(forge, forge.issue({}), transaction_data=["eyJ0eXBlIjoicGF5In0"])


def _hidden(name: str, value: Any):
    def build(forge) -> str:
        disclosure = forge.disclosure("salt", name, value)
        return forge.sign(forge.payload(**{name: ..., "_sd": [forge.digest(disclosure)]}), disclosure)

    return build


def _open(**claims: Any):
    return lambda forge: forge.sign(forge.payload(**claims))


MALFORMED: dict[str, Any] = {
    **{f"{name} disclosed": _hidden(name, value) for name, value in [
        ("iss", "https://issuer.example"), ("nbf", 1), ("exp", 4_000_000_000), ("cnf", {}), ("vct", "urn:example:card"),
        ("vct#integrity", "sha256-x"), ("aka_vcts", ["urn:a"]), ("status", {}),
    ]},
    "digests within status": _open(status={"_sd": ["x"]}),
    "digests within status_list": _open(status={"status_list": {"idx": 1, "uri": "https://s.example", "_sd": []}}),
    "placeholder within aka_vcts": _open(aka_vcts=["urn:a", {"...": "x"}]),
    "digests within cnf": _open(cnf={"_sd": ["x"]}),
    "vct missing": _open(vct=...),
    "vct is a number": _open(vct=1),
    "vct is empty": _open(vct=""),
    "vct is null": _open(vct=None),
    "iss is a number": _open(iss=1),
    "aka_vcts is a string": _open(aka_vcts="urn:a"),
    "aka_vcts is empty": _open(aka_vcts=[]),
    "aka_vcts is null": _open(aka_vcts=None),
    "aka_vcts holds a number": _open(aka_vcts=[1]),
    "aka_vcts repeats vct": _open(aka_vcts=["urn:example:card"]),
    "cnf is a string": _open(cnf="key"),
    "cnf.jwk is a string": _open(cnf={"jwk": "key"}),
    "cnf.jwk is off the curve": _open(cnf={"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}}),
    "cnf.jwk is private": lambda forge: forge.sign(forge.payload(cnf={"jwk": forge.holder.to_jwk()})),
    "status is a string": _open(status="valid"),
    "status_list is empty": _open(status={"status_list": {}}),
    "exp is a string": _open(exp="2030-01-01"),
    "nbf is true": _open(nbf=True),
    "iat is null": _open(iat=None),
    "JWS in JSON serialisation": lambda forge: json.dumps({"payload": "e30", "signatures": []}),
    "no final tilde": lambda forge: forge.sign(forge.payload())[:-1],
}  # fmt: skip


@pytest.mark.hostile
@pytest.mark.parametrize("defect", MALFORMED)
def test_credentials_against_the_rules_are_refused(defect, forge):
    with pytest.raises(MalformedInput):
        verify(forge, MALFORMED[defect](forge))


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("build", "error"),
    [
        (_open(exp=1), Expired),
        (_open(nbf=4_000_000_000), NotYetValid),
        (_open(iat=4_000_000_000), NotYetValid),
        (_hidden("iat", 4_000_000_000), NotYetValid),
        (_open(_sd_alg="md5"), WrongType),
        (lambda forge: forge.sign(forge.payload(), typ="JWT"), WrongType),
        (lambda forge: forge.sign(forge.payload(), typ=None), WrongType),
        (lambda forge: forge.sign(forge.payload(), forge.disclosure("s", "admin", True)), DigestMismatch),
        (lambda forge: forge.issue({}).replace("~", "x~", 1), MalformedInput),
    ],
    ids=[
        "expired", "not yet valid", "issued in the future", "disclosed iat in the future", "unknown hash algorithm",
        "another typ", "no typ", "disclosure not signed", "signature of another length",
    ],
)  # fmt: skip
def test_credentials_not_to_be_trusted_are_refused(build, error, forge):
    with pytest.raises(error):
        verify(forge, build(forge))


@pytest.mark.hostile
def test_a_credential_of_another_issuer_is_refused(forge, person):
    with pytest.raises(BadSignature):
        verify(forge, forge.issue(person), issuer_key=PrivateKey.generate().public)


@pytest.mark.hostile
@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256", "ES256K", ""])
def test_algorithms_that_are_not_ours_are_refused(algorithm, forge):
    credential = forge.issue({})
    header = forge.raw_disclosure(json.dumps({"alg": algorithm, "typ": "dc+sd-jwt"}))
    with pytest.raises(WrongType):
        verify(forge, header + credential[credential.index(".") :])


@pytest.mark.hostile
@pytest.mark.parametrize("cnf", [..., {}, {"kid": "holder-key"}], ids=["no cnf", "empty cnf", "cnf with kid only"])
def test_a_credential_without_a_key_cannot_prove_its_holder(cnf, forge, binding):
    presentation = forge.bind(forge.sign(forge.payload(cnf=cnf)))
    with pytest.raises(HolderBindingError):
        verify(forge, presentation, binding=binding)


@pytest.mark.hostile
def test_a_presentation_without_the_demanded_key_binding_is_refused(forge, person, binding):
    with pytest.raises(HolderBindingError):
        verify(forge, forge.issue(person), binding=binding)


@pytest.mark.hostile
def test_a_key_in_the_key_binding_header_is_not_looked_at(forge, binding):
    thief = PrivateKey.generate()
    with pytest.raises(BadSignature):
        verify(forge, forge.bind(forge.issue({}), key=thief), binding=binding)


@pytest.mark.hostile
def test_a_key_binding_for_another_credential_of_the_same_holder_is_refused(forge, binding):
    key_binding = forge.present(forge.issue({"a": 1})).rpartition("~")[2]
    with pytest.raises(HolderBindingError):
        verify(forge, forge.issue({"b": 1}) + key_binding, binding=binding)


# --- holding


def test_held_credential_shows_what_a_wallet_needs(forge, person):
    status = StatusReference("https://s.example/1", 7)
    text = forge.issue(person | {"aka_vcts": ["urn:other"]}, status=status, x5c=[b"leaf"])

    held = HeldSdJwtVc.from_text(text)

    assert held.text == text
    assert held.vct == "urn:example:card"
    assert held.types == ("urn:example:card", "urn:other")
    assert {name: held.claims[name] for name in person} == person
    assert held.status == status
    assert held.x5c == (b"leaf",)
    assert held.issued_at == forge.now
    assert held.expires_at == forge.now + timedelta(days=30)
    assert held.holder_key == forge.holder.public
    assert ("address", "geo", "lat") in held.disclosable_paths


def test_no_repr_shows_claims_or_the_credential(forge, person):
    held = HeldSdJwtVc.from_text(forge.issue(person))

    assert repr(held) == "HeldSdJwtVc(vct='urn:example:card')"
    assert "Erika" not in repr(verify(forge, held.text))


@pytest.mark.hostile
def test_a_credential_with_key_binding_is_not_one_for_a_holder(forge, person):
    """RFC 9901 7.2: "If the Holder receives an SD-JWT+KB, it MUST be rejected."."""
    with pytest.raises(MalformedInput):
        HeldSdJwtVc.from_text(forge.present(forge.issue(person)))


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["vct", "cnf", "status", "exp"])
def test_a_credential_that_hides_a_registered_claim_is_not_held(name, forge):
    with pytest.raises(MalformedInput):
        HeldSdJwtVc.from_text(MALFORMED[f"{name} disclosed"](forge))


@pytest.mark.hostile
def test_a_credential_with_an_extra_disclosure_is_not_held(forge, person):
    with pytest.raises(DigestMismatch):
        HeldSdJwtVc.from_text(forge.issue(person) + forge.disclosure("s", "x", 1) + "~")


@pytest.mark.parametrize("name", ["01", "02", "03-pid"])
def test_examples_of_the_draft_are_issued_and_presented(name, vectors, forge, binding):
    example = json.loads((vectors / "sd-jwt-vc/issuing.json").read_text())[name]
    claims = {key: value for key, value in example["claims"].items() if key not in {"vct", "iss"}}
    held = HeldSdJwtVc.from_text(
        forge.issue(claims, [tuple(path) for path in example["disclosable"]], vct=example["claims"]["vct"])
    )
    paths = [("address",), ("is_over_65",)] if name != "03-pid" else [("age_equal_or_over", "18"), ("nationalities", 0)]

    verified = verify(forge, forge.present(held.present(paths)), binding=binding)

    shown = {key: value for key, value in verified.claims.items() if key in claims}
    assert shown == (
        {key: claims[key] for key in ("address", "is_over_65")}
        if name != "03-pid"
        else {"age_equal_or_over": {"18": True}, "nationalities": claims["nationalities"]}
    )


def test_payload_hides_the_values_of_everything_disclosable(forge, person):
    jwt = forge.issue(person).split("~")[0]

    assert "Erika" not in b64u_decode(jwt.split(".")[1]).decode()
