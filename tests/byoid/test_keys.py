"""Keys: JWK in and out, thumbprints of the RFCs, raw signatures, and keys that must be refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature, MalformedInput
from byoid.keys import PrivateKey, PublicKey

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/jose/rfc_examples.json").read_text())
CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "Ed25519"}


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="module")
def rsa_key() -> PrivateKey:
    return PrivateKey(rsa.generate_private_key(65537, 2048))


@pytest.mark.parametrize("vector", VECTORS["thumbprints"], ids=lambda vector: vector["origin"])
def test_thumbprints_are_those_of_the_rfcs(vector: dict[str, Any]) -> None:
    assert PublicKey.from_jwk(vector["jwk"]).thumbprint_b64u == vector["thumbprint"]


@pytest.mark.parametrize("curve", CURVES)
def test_keys_survive_the_way_through_jwk_and_pem(curve: str) -> None:
    key = PrivateKey.generate(curve)

    assert PrivateKey.from_jwk(key.to_jwk()).public == key.public
    assert PrivateKey.from_pem(key.to_pem(b"secret"), b"secret").public == key.public
    assert PublicKey.from_jwk(key.public.jwk) == key.public
    assert "d" not in key.public.jwk


@pytest.mark.parametrize(("curve", "algorithm"), CURVES.items())
def test_a_signature_verifies_with_its_key_and_no_other(curve: str, algorithm: str) -> None:
    key, other = PrivateKey.generate(curve), PrivateKey.generate(curve)
    signature = key.sign(b"content")

    assert key.algorithm == algorithm
    key.public.verify(algorithm, b"content", signature)
    for public, content in ((other.public, b"content"), (key.public, b"other content")):
        with pytest.raises(BadSignature):
            public.verify(algorithm, content, signature)


def test_rsa_signs_with_pss(rsa_key: PrivateKey) -> None:
    rsa_key.public.verify("PS256", b"content", rsa_key.sign(b"content"))
    assert PublicKey.from_jwk(rsa_key.public.jwk) == rsa_key.public


@pytest.mark.hostile
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda signature: b"", id="empty"),
        pytest.param(lambda signature: signature[:-1], id="a byte short"),
        pytest.param(lambda signature: signature + b"\0", id="a byte long"),
        pytest.param(lambda signature: bytes(64), id="all zero"),
        pytest.param(lambda signature: b"\xff" * 64, id="all ones"),
        pytest.param(lambda signature: signature[32:] + signature[:32], id="R and S swapped"),
        pytest.param(lambda signature: signature[:32] + bytes(32), id="S zero"),
    ],
)
def test_a_spoilt_signature_is_refused(key: PrivateKey, spoil: Any) -> None:
    with pytest.raises(BadSignature):
        key.public.verify("ES256", b"content", spoil(key.sign(b"content")))


@pytest.mark.hostile
@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES384", "EdDSA", ""])
def test_an_algorithm_that_does_not_fit_the_key_is_refused(key: PrivateKey, algorithm: str) -> None:
    with pytest.raises(BadSignature):
        key.public.verify(algorithm, b"content", key.sign(b"content"))


def public_jwk(**changes: Any) -> dict[str, Any]:
    return {**VECTORS["signatures"][0]["jwk"], **changes}


@pytest.mark.hostile
@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param("{}", id="text"),
        pytest.param({}, id="empty"),
        pytest.param(public_jwk(kty="oct"), id="symmetric"),
        pytest.param({"kty": "oct", "k": "AAAA"}, id="symmetric secret"),
        pytest.param(public_jwk(kty=["EC"]), id="kty is a list"),
        pytest.param(public_jwk(crv="secp256k1"), id="another curve"),
        pytest.param(public_jwk(crv="P-384"), id="the name of another curve"),
        pytest.param(public_jwk(crv=["P-256"]), id="crv is a list"),
        pytest.param(public_jwk(d="AAAA"), id="private member"),
        pytest.param(public_jwk(d=None), id="private member without a value"),
        pytest.param(public_jwk(y=b64u_encode(bytes(32))), id="point off the curve"),
        pytest.param(public_jwk(x=b64u_encode(bytes(32)), y=b64u_encode(bytes(32))), id="point at zero"),
        pytest.param(public_jwk(x=b64u_encode(b"\xff" * 32)), id="coordinate beyond the field"),
        pytest.param(public_jwk(x="AA" + public_jwk()["x"]), id="coordinate with more bytes"),
        pytest.param(public_jwk(x=public_jwk()["x"] + "="), id="padded coordinate"),
        pytest.param(public_jwk(x=7), id="coordinate is a number"),
        pytest.param(public_jwk(x=["A", "B", "C", "D"]), id="coordinate is a list"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": public_jwk()["x"]}, id="y missing"),
        pytest.param({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, id="short Ed25519 key"),
        pytest.param({"kty": "OKP", "crv": "X25519", "x": b64u_encode(bytes(32))}, id="X25519"),
        pytest.param({"kty": "RSA", "n": b64u_encode(b"\xff" * 128), "e": "AQAB"}, id="RSA of 1024 bits"),
        pytest.param({"kty": "RSA", "n": b64u_encode(b"\xff" * 1100), "e": "AQAB"}, id="RSA of 8800 bits"),
        pytest.param({"kty": "RSA", "n": b64u_encode(b"\xff" * 256), "e": "Ag"}, id="even RSA exponent"),
        pytest.param({"kty": "RSA", "n": "", "e": ""}, id="empty RSA"),
    ],
)
def test_a_jwk_is_refused(jwk: object) -> None:
    with pytest.raises(MalformedInput):
        PublicKey.from_jwk(jwk)


SMALL_ORDER = {
    "zero": "00" * 32,
    "one": "01" + "00" * 31,
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, negative": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "minus one": "ec" + "ff" * 30 + "7f",
    "zero in another spelling": "ed" + "ff" * 30 + "7f",
    "one in another spelling": "ee" + "ff" * 30 + "7f",
}


@pytest.mark.hostile
@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_a_key_for_which_anybody_can_sign_is_refused(point: str, sign: int) -> None:
    x = bytes.fromhex(point)
    x = x[:31] + bytes((x[31] | sign,))
    with pytest.raises(MalformedInput):
        PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(x)})
    with pytest.raises(MalformedInput):
        PublicKey.from_coordinates("Ed25519", x)
    with pytest.raises(MalformedInput):
        PublicKey.from_native(ed25519.Ed25519PublicKey.from_public_bytes(x))


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"d": None}, id="no secret"),
        pytest.param({"d": b64u_encode(bytes(32))}, id="secret zero"),
        pytest.param({"d": b64u_encode(b"\xff" * 32)}, id="secret beyond the order"),
        pytest.param({"d": b64u_encode(b"\xff" * 4000)}, id="huge secret"),
        pytest.param({"d": b64u_encode(b"\x01" * 32)}, id="secret of another key"),
        pytest.param({"crv": "P-384"}, id="another curve"),
        pytest.param({"kty": "OKP", "crv": "Ed25519"}, id="another kind"),
    ],
)
def test_a_private_jwk_is_refused(key: PrivateKey, change: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        PrivateKey.from_jwk({**key.to_jwk(), **change})


@pytest.mark.hostile
@pytest.mark.parametrize(
    "native",
    [
        pytest.param(lambda: ec.generate_private_key(ec.SECP256K1()).public_key(), id="secp256k1"),
        pytest.param(lambda: dsa.generate_private_key(1024).public_key(), id="DSA"),
        pytest.param(lambda: "key", id="text"),
    ],
)
def test_a_foreign_kind_of_key_is_refused(native: Any) -> None:
    with pytest.raises(MalformedInput):
        PublicKey.from_native(native())


@pytest.mark.hostile
def test_a_wrong_password_and_a_foreign_pem_are_refused(key: PrivateKey) -> None:
    for pem, password in ((key.to_pem(b"a"), b"b"), (key.to_pem(b"a"), None), (b"nothing", None)):
        with pytest.raises(MalformedInput):
            PrivateKey.from_pem(pem, password)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("curve", "x", "y"),
    [
        pytest.param("P-256", bytes(31), bytes(32), id="short x"),
        pytest.param("P-256", bytes(32), b"", id="no y"),
        pytest.param("P-256", bytes(32), bytes(32), id="off the curve"),
        pytest.param("Ed25519", bytes(31), b"", id="short Ed25519"),
        pytest.param("Ed25519", bytes(32), bytes(32), id="Ed25519 with y"),
        pytest.param("P-257", bytes(32), bytes(32), id="unknown curve"),
    ],
)
def test_coordinates_are_refused(curve: str, x: bytes, y: bytes) -> None:
    with pytest.raises(MalformedInput):
        PublicKey.from_coordinates(curve, x, y)


def test_key_agreement_needs_the_same_curve() -> None:
    p256, p384, ed25519 = (PrivateKey.generate(curve) for curve in ("P-256", "P-384", "Ed25519"))

    assert p256.exchange(p256.public) == p256.exchange(p256.public)
    for mine, peer in ((p256, p384), (p256, ed25519), (ed25519, p256)):
        with pytest.raises(MalformedInput):
            mine.exchange(peer.public)


def test_a_private_key_does_not_show_itself(key: PrivateKey) -> None:
    assert key.to_jwk()["d"] not in repr(key)
    assert repr(key) == "PrivateKey(ES256)"
