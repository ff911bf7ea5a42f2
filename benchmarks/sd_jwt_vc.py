"""SD-JWT VC: issue with 21 disclosable claims, present 5 of them, verify with a known issuer and by its chain."""

import json

from jwcrypto.jwk import JWK
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from sd_jwt.common import SDObj
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

from benchmarks.inputs import ADDRESS, CLIENT_ID, NONCE, NOW, PID, SHOWN, Inputs
from benchmarks.yardstick import Operation, Row
from byoid.formats.holder_binding import HolderBinding
from byoid.formats.sd_jwt_vc import (
    HeldSdJwtVc,
    VerifiedSdJwtVc,
    parse_sd_jwt_vc,
    prepare_key_binding,
    verify_sd_jwt_vc,
)
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import ChainCache, verify_chain


def rows(inputs: Inputs) -> list[Row]:
    held = HeldSdJwtVc.from_text(inputs.issue_pid())
    presentation = present(inputs, held)

    def verify() -> VerifiedSdJwtVc:
        return verify_sd_jwt_vc(
            presentation, issuer_key=inputs.issuer.public, binding=HolderBinding(CLIENT_ID, NONCE), now=NOW
        )

    def verify_by_chain(cache: ChainCache | None = None) -> VerifiedSdJwtVc:
        credential = parse_sd_jwt_vc(presentation)
        chain = verify_chain(credential.x5c, anchors=inputs.anchors, purpose=Purpose.PID, now=NOW, cache=cache)
        return verify_sd_jwt_vc(
            credential, issuer_key=chain.public_key, binding=HolderBinding(CLIENT_ID, NONCE), now=NOW
        )

    cache = ChainCache()
    return [
        Row("sd_jwt_vc.issue", inputs.issue_pid, goal_y=1.5, peers={"sd-jwt": _issue_with_sd_jwt(inputs)}),
        Row("sd_jwt_vc.present", lambda: present(inputs, held), goal_y=0.8),
        Row("sd_jwt_vc.verify", verify, goal_y=3.5, peers=_verifying_peers(inputs, presentation)),
        Row("sd_jwt_vc.verify_chain", verify_by_chain, goal_y=5.8),
        Row("sd_jwt_vc.verify_chain_cached", lambda: verify_by_chain(cache), goal_y=3.6),
    ]


def present(inputs: Inputs, held: HeldSdJwtVc, *, nonce: str = NONCE) -> str:
    """Present five claims, as a wallet does that has read its credential before."""
    unsigned = prepare_key_binding(
        held.present(SHOWN), audience=CLIENT_ID, nonce=nonce, issued_at=NOW, algorithm="ES256"
    )
    return sign_now(unsigned, inputs.holder)


def _issue_with_sd_jwt(inputs: Inputs) -> Operation:
    issuer, holder = (_jwcrypto(key.to_jwk()) for key in (inputs.issuer, inputs.holder))
    address = {SDObj(name): value for name, value in ADDRESS.items()}
    claims = {SDObj(name): value for name, value in PID.items() if name != "address"}

    def issue() -> object:
        return SDJWTIssuer({"iss": "https://issuer.example", **claims, "address": address}, issuer, holder)

    return issue


def _verifying_peers(inputs: Inputs, presentation: str) -> dict[str, Operation]:
    jwk, suite = dict(inputs.issuer.public.jwk), SdJwtVcProofSuite()
    loaded = _jwcrypto(jwk)
    return {
        "sd-jwt": lambda: SDJWTVerifier(
            presentation, lambda _issuer, _header: loaded, CLIENT_ID, NONCE
        ).get_verified_payload(),
        "openvc-core": lambda: suite.verify(
            presentation, public_key_jwk=jwk, audience=CLIENT_ID, nonce=NONCE, require_key_binding=True
        ),
    }


def _jwcrypto(jwk: dict[str, str]) -> JWK:
    return JWK.from_json(json.dumps(jwk))
