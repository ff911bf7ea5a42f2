"""SD-JWT VCs of byoid before implementations written by others, and theirs before byoid.

openvc-core and polaris-oid4vp read the clock of the machine; so do these tests.
"""

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openvc.type_metadata
import pytest
from openvc.errors import OpenvcError
from openvc.keys import P256SigningKey
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from polaris_oid4vp.sdjwt import verify_presentation

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError, MalformedInput
from byoid.formats.holder_binding import HolderBinding, NoHolderBinding
from byoid.formats.sd_jwt_vc import (
    ALL,
    HeldSdJwtVc,
    prepare_key_binding,
    prepare_sd_jwt_vc,
    verify_sd_jwt_vc,
)
from byoid.formats.type_metadata import resolve_type
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.signing import sign_now

pytestmark = pytest.mark.peers

NPM = Path(__file__).parent / "npm"
NOW = datetime.now(UTC).replace(microsecond=0)
VCT = "urn:eudi:pid:1"
ISSUER_URL = "https://issuer.example"
ISSUER, HOLDER = PrivateKey.generate(), PrivateKey.generate()
BINDING = HolderBinding("x509_hash:verifier", "n-0S6_WzA2Mj")
PERSON: dict[str, Any] = {
    "given_name": "Erika",
    "family_name": "Möbius",
    "address": {"locality": "Köln", "country": "DE"},
    "nationalities": ["DE", "FR"],
    "age_equal_or_over": {"18": True},
}
FLAT = [(name,) for name in PERSON]
SUITE = SdJwtVcProofSuite()


def issue(claims: dict[str, Any] = PERSON, disclosable: Any = ALL, **arguments: Any) -> str:
    unsigned = prepare_sd_jwt_vc(
        claims,
        vct=VCT,
        disclosable=disclosable,
        algorithm="ES256",
        holder_key=HOLDER.public.jwk,
        issuer=ISSUER_URL,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=30),
        **arguments,
    )
    return sign_now(unsigned, ISSUER)


def bind(sd_jwt: str) -> str:
    unsigned = prepare_key_binding(
        sd_jwt, audience=BINDING.audience, nonce=BINDING.nonce, issued_at=NOW, algorithm="ES256"
    )
    return sign_now(unsigned, HOLDER)


def verify(presentation: str, binding: HolderBinding | NoHolderBinding = BINDING) -> dict[str, Any]:
    return verify_sd_jwt_vc(presentation, issuer_key=ISSUER.public, binding=binding, now=datetime.now(UTC)).claims


def shown(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name in PERSON}


def openvc_claims(presentation: str) -> dict[str, Any]:
    verified = SUITE.verify(
        presentation,
        public_key_jwk=dict(ISSUER.public.jwk),
        audience=BINDING.audience,
        nonce=BINDING.nonce,
        require_key_binding=True,
        expected_vct=VCT,
    )
    return verified.claims


def polaris_claims(presentation: str) -> dict[str, Any]:
    verdict = verify_presentation(
        presentation,
        expected_nonce=BINDING.nonce,
        expected_audience=BINDING.audience,
        issuer_jwks=[dict(ISSUER.public.jwk)],
        expected_vct=VCT,
    )
    if not verdict.authentic:
        raise ValueError(f"{verdict.code}: {verdict.reason}")
    return verdict.claims


def node(script: str, **given: Any) -> dict[str, Any]:
    run = subprocess.run(
        ["node", script], cwd=NPM, input=json.dumps(given), capture_output=True, text=True, check=False, timeout=60
    )
    if run.returncode:
        raise ValueError(run.stderr[-2000:])
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def npm_claims(presentation: str) -> dict[str, Any]:
    answer = node("sd-jwt-verify.mjs", issuer=ISSUER.public.jwk, presentation=presentation, nonce=BINDING.nonce)
    assert answer["keyBinding"]["aud"] == BINDING.audience
    payload: dict[str, Any] = answer["payload"]
    return payload


VERIFIERS = [openvc_claims, polaris_claims, npm_claims]


# --- ours before theirs


@pytest.mark.parametrize("their_claims", VERIFIERS)
@pytest.mark.parametrize("paths", [[], [("given_name",), ("address", "country"), ("nationalities", 1)], FLAT], ids=len)
def test_what_byoid_presents_is_verified_by_others(their_claims, paths):
    presentation = bind(HeldSdJwtVc.from_text(issue()).present(paths))

    assert shown(their_claims(presentation)) == shown(verify(presentation))


@pytest.mark.parametrize("their_claims", VERIFIERS)
def test_decoys_and_flat_disclosures_are_verified_by_others(their_claims):
    presentation = bind(HeldSdJwtVc.from_text(issue(disclosable=FLAT, decoys=5)).present([("family_name",)]))

    assert shown(their_claims(presentation)) == {"family_name": "Möbius"}


# --- theirs before ours


def test_what_openvc_issues_and_presents_is_verified_by_byoid():
    issuer, holder = P256SigningKey(ISSUER.native, "issuer-key"), P256SigningKey(HOLDER.native, "holder-key")
    credential = SUITE.issue(
        {"iss": ISSUER_URL} | PERSON,
        signing_key=issuer,
        disclosable=list(PERSON),
        holder_jwk=dict(HOLDER.public.jwk),
        vct=VCT,
        expires_in_s=3600,
        decoys=3,
    )
    presentation = SUITE.create_presentation(
        credential, holder_key=holder, audience=BINDING.audience, nonce=BINDING.nonce
    )

    assert shown(verify(presentation)) == PERSON
    chosen = bind(HeldSdJwtVc.from_text(credential).present([("family_name",), ("nationalities",)]))
    assert shown(verify(chosen)) == {"family_name": "Möbius", "nationalities": ["DE", "FR"]}


def test_what_npm_issues_and_presents_is_verified_by_byoid():
    answer = node(
        "sd-jwt-issue.mjs",
        issuer=ISSUER.to_jwk(),
        holder=HOLDER.to_jwk(),
        claims={"iss": ISSUER_URL, "iat": int(NOW.timestamp()), "vct": VCT, "cnf": {"jwk": HOLDER.public.jwk}} | PERSON,
        frame={
            "_sd": ["given_name", "family_name", "address", "nationalities"],
            "_sd_decoy": 2,
            "address": {"_sd": ["locality", "country"]},
            "nationalities": {"_sd": [0, 1]},
        },
        choice={"given_name": True, "address": {"country": True}, "nationalities": {"1": True}},
        keyBinding={"iat": int(NOW.timestamp()), "aud": BINDING.audience, "nonce": BINDING.nonce},
    )

    expected = {
        "age_equal_or_over": {"18": True},
        "given_name": "Erika",
        "address": {"country": "DE"},
        "nationalities": ["FR"],
    }
    assert shown(verify(answer["presentation"])) == expected
    held = HeldSdJwtVc.from_text(answer["credential"])
    assert shown(held.claims) == PERSON
    assert (
        shown(verify(bind(held.present([("given_name",), ("address", "country"), ("nationalities", 1)])))) == expected
    )


# --- the same bad input before all


def _digest(disclosure: str) -> str:
    return b64u_encode(hashlib.sha256(disclosure.encode()).digest())


def _disclosure(*content: Any) -> str:
    return b64u_encode(json.dumps(list(content)).encode())


def _sign(*disclosures: str, typ: str = "dc+sd-jwt", **claims: Any) -> str:
    payload = {
        "iss": ISSUER_URL, "vct": VCT, "cnf": {"jwk": HOLDER.public.jwk}, "exp": int(NOW.timestamp()) + 3600
    } | claims  # fmt: skip
    jwt = sign_now(prepare_jws(payload, algorithm="ES256", typ=typ), ISSUER)
    sd_jwt = "~".join((jwt, *disclosures, ""))
    binding = {"iat": int(NOW.timestamp()), "aud": BINDING.audience, "nonce": BINDING.nonce, "sd_hash": _digest(sd_jwt)}
    return sd_jwt + sign_now(prepare_jws(binding, algorithm="ES256", typ="kb+jwt"), HOLDER)


def _hidden(*content: Any, **claims: Any) -> str:
    disclosure = _disclosure(*content)
    return _sign(disclosure, _sd=[_digest(disclosure)], **claims)


BAD = {
    "expired": lambda: _sign(exp=1),
    "another typ": lambda: _sign(typ="JWT"),
    "unknown hash algorithm": lambda: _sign(_sd_alg="md5"),
    "disclosure that was not signed": lambda: _sign(_disclosure("s", "admin", True)),
    "claim named _sd": lambda: _hidden("s", "_sd", []),
    "claim that is there already": lambda: _hidden("s", "taken", 1, taken=0),
    "member of two elements": lambda: _hidden("s", "name"),
    "same digest twice": lambda: _sign(_sd=["x" * 43, "x" * 43]),
    "disclosed exp": lambda: _hidden("s", "exp", int(NOW.timestamp()) + 3600, exp=None),
    "disclosed status": lambda: _hidden("s", "status", {}),
}


@pytest.mark.hostile
@pytest.mark.parametrize("defect", BAD)
def test_bad_presentations_are_refused_by_byoid_and_by_the_strict_oracles(defect):
    presentation = BAD[defect]()

    with pytest.raises(ByoidError):
        verify(presentation)
    with pytest.raises((OpenvcError, ValueError)):
        openvc_claims(presentation)
    with pytest.raises(ValueError, match=":"):
        polaris_claims(presentation)


def test_digests_hidden_in_a_status_are_refused_though_others_may_not():
    """SD-JWT VC 2.2.2.3: the registered claims, "including any of their sub-claims, [...] MUST NOT be included in
    Disclosures and therefore MUST NOT be selectively disclosed". What an undisclosed digest hides cannot be checked.
    openvc-core 1.37, polaris-oid4vp 1.0 and @sd-jwt/sd-jwt-vc 0.19 accept it, with an empty status.
    """
    with pytest.raises(MalformedInput):
        verify(_sign(status={"_sd": ["x" * 43]}))


# --- type metadata


def test_openvc_agrees_about_a_chain_of_types():
    base = {"vct": "https://types.example/base", "claims": [{"path": ["given_name"], "mandatory": True}]}
    child = {
        "vct": "https://types.example/card",
        "extends": "https://types.example/base",
        "claims": [{"path": ["nationalities", None], "display": [{"locale": "en", "label": "Nationality"}]}],
    }
    documents = {each["vct"]: json.dumps(each).encode() for each in (base, child)}

    resolved = resolve_type(child["vct"], documents=documents)
    theirs = openvc.type_metadata.validate_type_metadata(
        {"vct": child["vct"]} | PERSON, vct=child["vct"], resolve=lambda url, *_: documents[url]
    )

    assert {tuple(each["path"]) for each in theirs.claims} == {each.path for each in resolved.claims}
