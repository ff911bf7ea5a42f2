"""JWS and JWE: a proof whose key is in its header, and an encrypted response of 2.7 kB."""

from typing import Any

from joserfc import jwe as joserfc_jwe
from joserfc import jws as joserfc_jws
from joserfc.jwk import ECKey

from benchmarks import floor
from benchmarks.inputs import Inputs
from benchmarks.yardstick import Operation, Row
from byoid.jose import decrypt, encrypt, parse_jws, prepare_jws, verify_jws
from byoid.keys import PublicKey
from byoid.signing import sign_now

TYPE = "openid4vci-proof+jwt"


def rows(inputs: Inputs) -> list[Row]:
    claims = {"aud": "https://issuer.example", "iat": 1780315200, "nonce": "n-0S6_WzA2Mj" * 3}
    header = {"jwk": inputs.holder.public.jwk}
    proof = sign_now(prepare_jws(claims, algorithm="ES256", typ=TYPE, header=header), inputs.holder)
    response = encrypt(b"x" * 2700, {**inputs.verifier.public.jwk, "alg": "ECDH-ES", "kid": "1"}, enc="A128GCM")

    def verify_proof() -> dict[str, Any]:
        jws = parse_jws(proof)
        key = PublicKey.from_jwk(jws.header["jwk"])
        return verify_jws(jws, key, algorithms=("ES256",), typ=TYPE).claims

    def verify_known() -> dict[str, Any]:
        return verify_jws(proof, inputs.holder.public, algorithms=("ES256",), typ=TYPE).claims

    return [
        Row("jws.verify", verify_known, peers={"joserfc": _verify_with_joserfc(inputs, proof)}),
        Row(
            "jws.verify_key_in_header",
            verify_proof,
            goal_y=1.5,
            peers={"floor": lambda: floor.verify_proof(proof, TYPE)},
        ),
        Row(
            "jwe.decrypt",
            lambda: decrypt(response, inputs.verifier, enc=("A128GCM", "A256GCM")),
            goal_y=1.5,
            peers={
                "floor": lambda: floor.open_jwe(response, {"1": inputs.verifier.native}),
                "joserfc": _decrypt_with_joserfc(inputs, response),
            },
        ),
    ]


def _verify_with_joserfc(inputs: Inputs, proof: str) -> Operation:
    key = ECKey.import_key({**inputs.holder.public.jwk})
    return lambda: joserfc_jws.deserialize_compact(proof, key, algorithms=["ES256"])


def _decrypt_with_joserfc(inputs: Inputs, response: str) -> Operation:
    key = ECKey.import_key({**inputs.verifier.to_jwk()})
    return lambda: joserfc_jwe.decrypt_compact(response, key, algorithms=["ECDH-ES", "A128GCM"])
