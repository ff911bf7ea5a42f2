"""The floor: the same work written by hand for this one input.

Straight on `cryptography`, hashlib, a fast JSON codec and cbor2, with the checks that the specs ask of a verifier. What
careful Python can reach, and no product: ES256 and SHA-256 only, no messages, no limits, no second format. Each figure
of byoid stands beside it, measured in the same run.
"""

import os
import zlib
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pydantic_core import from_json, to_json

from benchmarks.inputs import (
    ADDRESS,
    CLIENT_ID,
    NONCE,
    NOW,
    PID,
    RESPONSE_URI,
    STATUS,
    VALID,
    VCT,
    Inputs,
)
from benchmarks.yardstick import Operation
from byoid.jose import x5c_header

ES256: Final = ec.ECDSA(hashes.SHA256())
P256: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ECDH: Final = ec.ECDH()
SIGNATURE_BYTES: Final = 64
TIME: Final = int(NOW.timestamp())
END: Final = int((NOW + VALID).timestamp())
TAG_24: Final = b"\xd8\x18\x58"


@dataclass(frozen=True)
class Asked:
    """What a request says, and its answer must."""

    nonce: str = NONCE
    state: str = "s" * 22
    client_id: str = CLIENT_ID
    response_uri: str = RESPONSE_URI
    time: int = TIME


ASKED: Final = Asked()


def b64u(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def unb64u(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def raw_signature(key: Any, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ES256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def check(key: Any, signature: bytes, data: bytes) -> None:
    assert len(signature) == SIGNATURE_BYTES
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(encode_dss_signature(r, s), data, ES256)


def verify_proof(jws: str, typ: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Verify a JWT by the key in its header; return key and claims."""
    signed, _, signature = jws.rpartition(".")
    head, _, body = signed.partition(".")
    header = from_json(unb64u(head))
    assert header["alg"] == "ES256" and header["typ"] == typ and "crit" not in header
    check(public_key(header["jwk"]), unb64u(signature), signed.encode())
    return header["jwk"], from_json(unb64u(body))


def public_key(jwk: dict[str, str]) -> Any:
    assert jwk["kty"] == "EC" and jwk["crv"] == "P-256" and "d" not in jwk
    return load_der_public_key(P256 + unb64u(jwk["x"]) + unb64u(jwk["y"]))


def open_jwe(jwe: str, keys: Mapping[str, Any]) -> bytes:
    head, nothing, iv, ciphertext, tag = jwe.split(".")
    header = from_json(unb64u(head))
    assert header["alg"] == "ECDH-ES" and header["enc"] == "A128GCM" and not nothing
    secret = keys[header["kid"]].exchange(ECDH, public_key(header["epk"]))
    content_key = sha256(b"\0\0\0\1" + secret + b"\0\0\0\7A128GCM" + bytes(8) + b"\0\0\0\x80").digest()[:16]
    return AESGCM(content_key).decrypt(unb64u(iv), unb64u(ciphertext) + unb64u(tag), head.encode())


def issue_sd_jwt_vc(inputs: Inputs) -> Operation:
    issue, jwk = sd_jwt_vc_issuer(inputs), inputs.holder.public.jwk
    return lambda: issue(jwk, STATUS.index)


def sd_jwt_vc_issuer(inputs: Inputs) -> Callable[[dict[str, Any], int], bytes]:
    header = b64u(to_json({"alg": "ES256", "typ": "dc+sd-jwt", "x5c": x5c_header(inputs.pid_chain)}))
    key = inputs.issuer.native
    fixed = {"iss": "https://issuer.example", "iat": TIME, "exp": END, "vct": VCT}
    plain = {name: value for name, value in PID.items() if name != "address"}

    def hide(claims: dict[str, Any], salts: bytes, disclosures: list[bytes]) -> list[str]:
        digests = []
        for at, (name, value) in enumerate(claims.items()):
            salt = salts[24 * at : 24 * at + 24]
            disclosure = b64u(b'["%s","%s",%s]' % (salt, name.encode(), to_json(value)))
            disclosures.append(disclosure)
            digests.append(b64u(sha256(disclosure).digest()).decode())
        return sorted(digests)

    def issue(jwk: dict[str, Any], index: int) -> bytes:
        status = {"status_list": {"idx": index, "uri": STATUS.uri}}
        salts = urlsafe_b64encode(os.urandom(18 * 21))
        disclosures: list[bytes] = []
        digests = hide(plain, salts, disclosures)
        address = {"_sd": hide(ADDRESS, salts[24 * 15 :], disclosures)}
        payload = fixed | {
            "cnf": {"jwk": jwk},
            "status": status,
            "_sd": digests,
            "address": address,
            "_sd_alg": "sha-256",
        }
        signing_input = header + b"." + b64u(to_json(payload))
        return b"~".join((signing_input + b"." + b64u(raw_signature(key, signing_input)), *disclosures, b""))

    return issue


def present_sd_jwt_vc(inputs: Inputs, credential: str) -> Operation:
    """The wallet knows which of the disclosures to send."""
    jwt, *disclosures, _ = credential.split("~")
    key, header = inputs.holder.native, b64u(to_json({"alg": "ES256", "typ": "kb+jwt"}))

    def present() -> str:
        shown = "~".join((jwt, *disclosures[:5], ""))
        digest = b64u(sha256(shown.encode()).digest()).decode()
        claims = b64u(to_json({"iat": TIME, "aud": CLIENT_ID, "nonce": NONCE, "sd_hash": digest}))
        signing_input = header + b"." + claims
        return shown + (signing_input + b"." + b64u(raw_signature(key, signing_input))).decode()

    return present


def _walk(node: dict[str, Any], by_digest: dict[str, str]) -> dict[str, Any]:
    claims = {}
    for name, value in node.items():
        claims[name] = _walk(value, by_digest) if type(value) is dict else value
    for digest in claims.pop("_sd", ()):
        if (disclosure := by_digest.pop(digest, None)) is not None:
            _salt, name, value = from_json(unb64u(disclosure))
            assert name not in claims and name not in ("_sd", "...")
            claims[name] = _walk(value, by_digest) if type(value) is dict else value
    return claims


def verify_sd_jwt_vc(presentation: str, issuer: Any, sent: Asked = ASKED) -> dict[str, Any]:
    sd_jwt, _, key_binding = presentation.rpartition("~")
    jwt, *disclosures = sd_jwt.split("~")
    signed, _, signature = jwt.rpartition(".")
    head, _, body = signed.partition(".")
    header = from_json(unb64u(head))
    assert header["alg"] == "ES256" and header["typ"] == "dc+sd-jwt"
    check(issuer, unb64u(signature), signed.encode())
    payload = from_json(unb64u(body))
    assert payload.pop("_sd_alg") == "sha-256"
    by_digest = {b64u(sha256(each.encode()).digest()).decode(): each for each in disclosures}
    assert len(by_digest) == len(disclosures)
    claims = _walk(payload, by_digest)
    assert not by_digest and claims["iat"] <= sent.time < claims["exp"] and claims["vct"] == VCT
    holder = public_key(claims["cnf"]["jwk"])
    signed, _, signature = key_binding.rpartition(".")
    head, _, body = signed.partition(".")
    assert from_json(unb64u(head)) == {"alg": "ES256", "typ": "kb+jwt"}
    check(holder, unb64u(signature), signed.encode())
    proof = from_json(unb64u(body))
    assert proof["nonce"] == sent.nonce and proof["aud"] == sent.client_id
    assert sent.time - 600 < proof["iat"] <= sent.time
    assert proof["sd_hash"] == b64u(sha256(presentation[: len(sd_jwt) + 1].encode()).digest()).decode()
    return claims


def verify_sd_jwt_vc_chain(inputs: Inputs, presentation: str) -> Operation:
    issuer, x5c = inputs.issuer.public.native, inputs.pid_chain[0]

    def verify_chain() -> Any:
        check_chain(inputs, x5c)
        return verify_sd_jwt_vc(presentation, issuer)

    return verify_chain


def check_chain(inputs: Inputs, der: bytes) -> None:
    """One certificate below one root: signature, dates, and the extensions that RFC 5280 has a verifier look at."""
    leaf = x509.load_der_x509_certificate(der)
    assert leaf.not_valid_before_utc <= NOW <= leaf.not_valid_after_utc
    extensions = leaf.extensions
    assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    leaf.verify_directly_issued_by(inputs.root.certificate)
    leaf.public_key()


def fresh_key() -> tuple[Any, dict[str, str]]:
    """Make the key of one response, and what the request says of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = b64u(point[1:33]).decode(), b64u(point[33:]).decode()
    return key, {"kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ECDH-ES", "use": "enc", "kid": "key"}


def request_header(inputs: Inputs) -> bytes:
    return b64u(to_json({"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": x5c_header(inputs.access_chain)}))


def signed_request(asked: Asked, header: bytes, signer: Any, jwk: dict[str, str], query: dict[str, Any]) -> str:
    request = {
        "response_type": "vp_token", "response_mode": "direct_post.jwt", "client_id": asked.client_id,
        "nonce": asked.nonce, "state": asked.state, "dcql_query": query, "response_uri": asked.response_uri,
        "iat": asked.time, "exp": asked.time + 300,
        "client_metadata": {
            "jwks": {"keys": [jwk]}, "encrypted_response_enc_values_supported": ["A128GCM"],
            "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}},
        },
        "aud": "https://self-issued.me/v2",
    }  # fmt: skip
    signing_input = header + b"." + b64u(to_json(request))
    return (signing_input + b"." + b64u(raw_signature(signer, signing_input))).decode()


@dataclass(frozen=True)
class Judge:
    """What is known before an answer comes: the chain, whose signature it vouches for, and the status list."""

    anchored: dict[bytes, tuple[datetime, datetime]]
    issuer: Any
    lists: dict[str, bytes]
    query: dict[str, Any]

    def claims(self, sent: Asked, jwe: str, key: Any) -> dict[str, Any]:
        """Open and judge an answer."""
        response = from_json(open_jwe(jwe, {"key": key}))
        assert response["state"] == sent.state
        ((query_id, (presentation,)),) = response["vp_token"].items()
        asked = next(each for each in self.query["credentials"] if each["id"] == query_id)
        x5c = from_json(unb64u(presentation.partition(".")[0]))["x5c"]
        begins, ends = self.anchored[b"".join(map(b64decode, x5c))]
        assert begins <= NOW <= ends
        claims = verify_sd_jwt_vc(presentation, self.issuer, sent)
        assert claims["vct"] in asked["meta"]["vct_values"]
        for claim in asked["claims"]:
            value: Any = claims
            for component in claim["path"]:
                value = value[component]
        place = claims["status"]["status_list"]
        assert not self.lists[place["uri"]][place["idx"] >> 3] >> (place["idx"] & 7) & 1
        return claims


def judge(inputs: Inputs, query: dict[str, Any], lists: dict[str, bytes]) -> Judge:
    return Judge({b"".join(inputs.pid_chain): (NOW - VALID, NOW + VALID)}, inputs.issuer.public.native, lists, query)


def transaction(inputs: Inputs, form: dict[str, str], key: Any, query: dict[str, Any], revoked: bytes) -> Operation:
    """Ask with a fresh response key; open an answer and judge it, the chain and the status list were seen before."""
    header, signer = request_header(inputs), inputs.verifier.native
    judging = judge(inputs, query, {STATUS.uri: revoked})

    def run() -> dict[str, Any]:
        _, jwk = fresh_key()
        signed_request(ASKED, header, signer, jwk, query)
        return judging.claims(ASKED, form["response"], key)

    return run


def read_status_list(inputs: Inputs, token: str) -> Operation:
    issuer = inputs.issuer.public.native

    def read() -> bytes:
        signed, _, signature = token.rpartition(".")
        head, _, body = signed.partition(".")
        header = from_json(unb64u(head))
        assert header["alg"] == "ES256" and header["typ"] == "statuslist+jwt"
        check(issuer, unb64u(signature), signed.encode())
        claims = from_json(unb64u(body))
        assert claims["sub"] == STATUS.uri and claims["iat"] <= TIME < claims["exp"]
        inflater, status_list = zlib.decompressobj(), claims["status_list"]
        statuses = inflater.decompress(unb64u(status_list["lst"]), 1 << 24)
        assert status_list["bits"] == 1 and inflater.eof and not inflater.unused_data
        return statuses

    return read
