"""SD-JWT VC: issue with 21 disclosable claims, present 5 of them, verify with a known issuer and by its chain."""

import json
from typing import Any

from benchmarks import floor
from benchmarks.inputs import ADDRESS, CLIENT_ID, NONCE, NOW, PID, SHOWN, Inputs
from benchmarks.yardstick import Operation, Row, installed
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
        Row(
            "sd_jwt_vc.issue",
            inputs.issue_pid,
            goal_y=1.5,
            peers={"floor": floor.issue_sd_jwt_vc(inputs)}
            | installed({"sd-jwt": ("sd_jwt", lambda: _issue_with_sd_jwt(inputs))}),
        ),
        Row(
            "sd_jwt_vc.present",
            lambda: present(inputs, held),
            goal_y=0.8,
            peers={"floor": floor.present_sd_jwt_vc(inputs, held.text)},
        ),
        Row(
            "sd_jwt_vc.verify",
            verify,
            goal_y=3.5,
            peers={"floor": lambda: floor.verify_sd_jwt_vc(presentation, inputs.issuer.public.native)}
            | _verifying_peers(inputs, presentation),
        ),
        Row(
            "sd_jwt_vc.verify_chain",
            verify_by_chain,
            goal_y=5.8,
            peers={"floor": floor.verify_sd_jwt_vc_chain(inputs, presentation)},
        ),
        Row("sd_jwt_vc.verify_chain_cached", lambda: verify_by_chain(cache), goal_y=3.6),
    ]


def present(inputs: Inputs, held: HeldSdJwtVc, *, nonce: str = NONCE) -> str:
    """Present five claims, as a wallet does that has read its credential before."""
    unsigned = prepare_key_binding(
        held.present(SHOWN),
        audience=CLIENT_ID,
        nonce=nonce,
        issued_at=NOW,
        algorithm="ES256",
        hash_name=held.hash_name,
    )
    return sign_now(unsigned, inputs.holder)


def _issue_with_sd_jwt(inputs: Inputs) -> Operation:
    from sd_jwt.common import SDObj
    from sd_jwt.issuer import SDJWTIssuer

    issuer, holder = (_jwcrypto(key.to_jwk()) for key in (inputs.issuer, inputs.holder))
    address = {SDObj(name): value for name, value in ADDRESS.items()}
    claims = {SDObj(name): value for name, value in PID.items() if name != "address"}

    def issue() -> object:
        return SDJWTIssuer({"iss": "https://issuer.example", **claims, "address": address}, issuer, holder)

    return issue


def _verifying_peers(inputs: Inputs, presentation: str) -> dict[str, Operation]:
    return installed(
        {
            "sd-jwt": ("sd_jwt", lambda: _verify_with_sd_jwt(inputs, presentation)),
            "openvc-core": ("openvc", lambda: _verify_with_openvc(inputs, presentation)),
        }
    )


def _verify_with_sd_jwt(inputs: Inputs, presentation: str) -> Operation:
    from sd_jwt.verifier import SDJWTVerifier

    key = _jwcrypto(inputs.issuer.public.jwk)
    return lambda: SDJWTVerifier(presentation, lambda _iss, _header: key, CLIENT_ID, NONCE).get_verified_payload()


def _verify_with_openvc(inputs: Inputs, presentation: str) -> Operation:
    from openvc.proof.sd_jwt import SdJwtVcProofSuite

    jwk, suite = dict(inputs.issuer.public.jwk), SdJwtVcProofSuite()
    return lambda: suite.verify(
        presentation, public_key_jwk=jwk, audience=CLIENT_ID, nonce=NONCE, require_key_binding=True
    )


def _jwcrypto(jwk: dict[str, str]) -> Any:
    from jwcrypto.jwk import JWK

    return JWK.from_json(json.dumps(jwk))
