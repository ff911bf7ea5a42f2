"""COSE: the published examples, and one dishonest object for each rule."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from byoid.cbor import cbor_dumps, cbor_loads, encode_bytes
from byoid.cose import (
    ALGORITHM,
    X5CHAIN,
    cose_key_to_public_key,
    create_mac0,
    parse_mac0,
    parse_sign1,
    prepare_sign1,
    public_key_to_cose_key,
    verify_mac0,
    verify_sign1,
    x5chain_header,
)
from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import BadSignature, ByoidError, MalformedInput, WrongType
from byoid.keys import PrivateKey, PublicKey
from byoid.signing import sign_now

EXAMPLES = json.loads((Path(__file__).parents[1] / "vectors/cose/cose_wg_examples.json").read_text())["examples"]
# What the working group calls good and byoid refuses, and why.
STRICTER = {
    "sign1-tests/sign-pass-01.json": WrongType,  # the algorithm is not protected
    "mac0-tests/mac-pass-02.json": WrongType,  # the same
    "ecdsa-examples/ecdsa-sig-04.json": BadSignature,  # ES512 with a key on P-256
}
ALGORITHMS = {"ES256", "ES384", "ES512", "Ed25519"}


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


def verify_example(example: dict[str, Any]) -> bytes:
    cbor, external_aad = bytes.fromhex(example["cbor_hex"]), bytes.fromhex(example["external_aad_hex"])
    jwk = example["key"]
    if example["kind"] == "mac0":
        return verify_mac0(cbor, b64u_decode(jwk["k"]), external_aad=external_aad).payload
    if "x_hex" in jwk:
        public = PublicKey.from_coordinates("Ed25519", bytes.fromhex(jwk["x_hex"]))
    else:
        public = PublicKey.from_jwk({name: value for name, value in jwk.items() if name != "d"})
    return verify_sign1(cbor, public, algorithms=ALGORITHMS, external_aad=external_aad).payload


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["file"])
def test_the_published_examples_are_judged_as_published(example: dict[str, Any]) -> None:
    error = STRICTER.get(example["file"])
    if error or example["fail"]:
        with pytest.raises(error or ByoidError):
            verify_example(example)
    else:
        assert verify_example(example) == b"This is the content."


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e["file"] == "sign1-tests/sign-pass-02.json"])
def test_the_bytes_to_sign_are_the_published_ones(example: dict[str, Any]) -> None:
    unsigned = prepare_sign1(
        b"This is the content.", algorithm="ES256", external_aad=bytes.fromhex(example["external_aad_hex"])
    )

    assert unsigned.signing_input.hex() == example["to_be_signed_hex"]


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "Ed25519"), ("Ed25519", "EdDSA")],
)
@pytest.mark.parametrize("tagged", [False, True])
def test_every_algorithm_signs_and_verifies(curve: str, algorithm: str, tagged: bool) -> None:
    key = PrivateKey.generate(curve)
    sign1 = sign_now(prepare_sign1(b"\xa0", algorithm=algorithm, tagged=tagged), key)

    verified = verify_sign1(sign1, key.public, algorithms=ALGORITHMS)

    assert (verified.payload, verified.value) == (b"\xa0", {})
    assert (sign1[0] == 0xD2) == tagged


def sign_as(key: PrivateKey, number: int) -> bytes:
    protected = cbor_dumps({ALGORITHM: number})
    to_be_signed = cbor_dumps(["Signature1", protected, b"", b"content"])
    return cbor_dumps([protected, {}, b"content", key.sign(to_be_signed)])


@pytest.mark.parametrize(
    ("curve", "number", "algorithm"),
    [
        ("P-256", -7, "ES256"),
        ("P-256", -9, "ES256"),
        ("P-384", -35, "ES384"),
        ("P-384", -51, "ES384"),
        ("P-521", -36, "ES512"),
        ("P-521", -52, "ES512"),
        ("Ed25519", -8, "Ed25519"),
        ("Ed25519", -19, "Ed25519"),
    ],
)
def test_both_numbers_of_an_algorithm_mean_the_same(curve: str, number: int, algorithm: str) -> None:
    key = PrivateKey.generate(curve)

    assert parse_sign1(sign_as(key, number)).algorithm == algorithm
    assert verify_sign1(sign_as(key, number), key.public, algorithms={algorithm}).payload == b"content"


def test_a_detached_payload_is_signed_and_not_sent(key: PrivateKey) -> None:
    sign1 = sign_now(prepare_sign1(b"content", algorithm="ES256", detached=True, external_aad=b"aad"), key)

    assert b"content" not in sign1
    assert verify_sign1(sign1, key.public, algorithms={"ES256"}, payload=b"content", external_aad=b"aad")
    for payload, external_aad in ((b"other", b"aad"), (b"content", b"")):
        with pytest.raises(BadSignature):
            verify_sign1(sign1, key.public, algorithms={"ES256"}, payload=payload, external_aad=external_aad)


def test_an_object_inside_another_structure_is_read_as_it_was_decoded(key: PrivateKey) -> None:
    decoded = cbor_loads(b"\x81" + sign_now(prepare_sign1(b"content", algorithm="ES256"), key))[0]

    assert verify_sign1(decoded, key.public, algorithms={"ES256"}).payload == b"content"


@pytest.mark.parametrize("chain", [(b"leaf",), (b"leaf", b"intermediate")])
def test_certificates_travel_unprotected(key: PrivateKey, chain: tuple[bytes, ...]) -> None:
    unsigned = prepare_sign1(b"", algorithm="ES256", unprotected={X5CHAIN: x5chain_header(chain)})

    assert parse_sign1(sign_now(unsigned, key)).x5chain == chain


def test_a_cwt_tag_in_front_is_allowed(key: PrivateKey) -> None:
    sign1 = b"\xd8\x3d" + sign_now(prepare_sign1(b"content", algorithm="ES256", tagged=True), key)

    assert verify_sign1(sign1, key.public, algorithms={"ES256"}).payload == b"content"


Parts = list[Any]


def altered(change: Callable[[Parts], object]) -> Callable[[PrivateKey], bytes]:
    """Return a maker of COSE_Sign1 objects whose four parts are changed after signing."""

    def make(key: PrivateKey) -> bytes:
        parts = cbor_loads(sign_as(key, -7))
        changed = change(parts)
        return cbor_dumps(parts if changed is None else changed)

    return make


def put(index: int, value: object) -> Callable[[PrivateKey], bytes]:
    return altered(lambda parts: [*parts[:index], value, *parts[index + 1 :]])


DEFECTS = [
    ("algorithm missing", put(0, b""), WrongType),
    ("algorithm only unprotected", altered(lambda p: [b"", {1: -7}, *p[2:]]), WrongType),
    ("algorithm HMAC", put(0, cbor_dumps({1: 5})), WrongType),
    ("algorithm RS256", put(0, cbor_dumps({1: -257})), WrongType),
    ("algorithm as text", put(0, cbor_dumps({1: "ES256"})), WrongType),
    ("algorithm true", put(0, cbor_dumps({1: True})), WrongType),
    ("algorithm null", put(0, cbor_dumps({1: None})), WrongType),
    ("algorithm a list", put(0, cbor_dumps({1: [-7]})), WrongType),
    ("algorithm not on this list", put(0, cbor_dumps({1: -35})), WrongType),
    ("algorithm with its other number", put(0, cbor_dumps({1: -9})), BadSignature),
    ("crit", put(0, cbor_dumps({1: -7, 2: [1]})), MalformedInput),
    ("crit unprotected", put(1, {2: [1]}), MalformedInput),
    ("label in both headers", put(1, {1: -7}), MalformedInput),
    ("protected header not encoded", put(0, {1: -7}), MalformedInput),
    ("protected header a list", put(0, cbor_dumps([1])), MalformedInput),
    ("protected header with a label twice", put(0, bytes.fromhex("a201260126")), MalformedInput),
    ("protected header with more behind", put(0, bytes.fromhex("a1012600")), MalformedInput),
    ("unprotected header missing", put(1, None), MalformedInput),
    ("unprotected header a list", put(1, []), MalformedInput),
    ("payload missing", put(2, None), MalformedInput),
    ("payload text", put(2, "content"), MalformedInput),
    ("payload changed", put(2, b"Content"), BadSignature),
    ("signature empty", put(3, b""), BadSignature),
    ("signature short", altered(lambda p: [*p[:3], p[3][:-1]]), BadSignature),
    ("signature long", altered(lambda p: [*p[:3], p[3] + b"\0"]), BadSignature),
    ("signature zero", put(3, bytes(64)), BadSignature),
    ("signature text", put(3, "signature"), MalformedInput),
    ("three parts", altered(lambda p: p[:3]), MalformedInput),
    ("five parts", altered(lambda p: [*p, b""]), MalformedInput),
    ("a map", altered(lambda p: {1: p}), MalformedInput),
    ("tag of a MAC", lambda key: b"\xd1" + sign_as(key, -7), MalformedInput),
    ("tag twice", lambda key: b"\xd2\xd2" + sign_as(key, -7), MalformedInput),
    ("trailing byte", lambda key: sign_as(key, -7) + b"\0", MalformedInput),
    ("another key", lambda key: sign_as(PrivateKey.generate(), -7), BadSignature),
    ("nothing", lambda key: b"", MalformedInput),
    ("a MAC", lambda key: create_mac0(b"content", b"key"), WrongType),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in DEFECTS])
def test_a_dishonest_sign1_is_refused(
    key: PrivateKey, make: Callable[[PrivateKey], bytes], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        verify_sign1(make(key), key.public, algorithms={"ES256"})


@pytest.mark.hostile
@pytest.mark.parametrize("data", [None, 7, "text", {}, [], [b"", {}, b""], (b"", {}, b"", b"", b"")])
def test_what_is_no_array_of_four_is_refused(data: Any) -> None:
    with pytest.raises(MalformedInput):
        parse_sign1(data)


@pytest.mark.hostile
def test_a_payload_must_be_in_one_place(key: PrivateKey) -> None:
    with pytest.raises(MalformedInput, match="either inside"):
        verify_sign1(sign_as(key, -7), key.public, algorithms={"ES256"}, payload=b"content")


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["RS256"], "ES256"])
def test_an_allow_list_cannot_hold_what_must_never_be_allowed(key: PrivateKey, algorithms: Any) -> None:
    with pytest.raises(ValueError, match="algorithms can be"):
        verify_sign1(sign_as(key, -7), key.public, algorithms=algorithms)


@pytest.mark.hostile
@pytest.mark.parametrize("chain", ["leaf", 7, [1], ["leaf"], {1: b"leaf"}, [b"leaf"] * 9])
def test_an_x5chain_is_refused(key: PrivateKey, chain: object) -> None:
    parsed = parse_sign1(put(1, {X5CHAIN: chain})(key))

    with pytest.raises(MalformedInput):
        _ = parsed.x5chain


# -------------------------------------------------------------------------------------------------------------- MAC0


@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("tagged", [False, True])
def test_a_mac_verifies_with_its_key(detached: bool, tagged: bool) -> None:
    mac0 = create_mac0(b"content", b"key", detached=detached, tagged=tagged, external_aad=b"aad")
    payload = b"content" if detached else None

    assert verify_mac0(mac0, b"key", payload=payload, external_aad=b"aad").payload == b"content"
    for key, external_aad in ((b"other", b"aad"), (b"key", b"")):
        with pytest.raises(BadSignature):
            verify_mac0(mac0, key, payload=payload, external_aad=external_aad)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(lambda mac0: mac0[:-1], MalformedInput, id="cut off"),
        pytest.param(lambda mac0: cbor_dumps([*cbor_loads(mac0)[:3], b""]), BadSignature, id="empty"),
        pytest.param(lambda mac0: cbor_dumps([*cbor_loads(mac0)[:3], bytes(31)]), BadSignature, id="short"),
        pytest.param(lambda mac0: cbor_dumps([b"", {}, *cbor_loads(mac0)[2:]]), WrongType, id="no algorithm"),
        pytest.param(lambda mac0: cbor_dumps([b"\xa1\x01\x06", {}, b"", b""]), WrongType, id="another algorithm"),
        pytest.param(lambda mac0: b"\xd2" + mac0, MalformedInput, id="tag of a signature"),
    ],
)
def test_a_dishonest_mac_is_refused(make: Callable[[bytes], bytes], error: type[ByoidError]) -> None:
    with pytest.raises(error):
        verify_mac0(make(create_mac0(b"content", b"key")), b"key")


def test_a_mac_is_parsed_like_a_signature() -> None:
    assert parse_mac0(create_mac0(b"content", b"key")).payload == b"content"


# ---------------------------------------------------------------------------------------------------------- COSE_Key


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521", "Ed25519"])
def test_keys_survive_the_way_through_cose(curve: str) -> None:
    public = PrivateKey.generate(curve).public

    assert cose_key_to_public_key(cbor_loads(cbor_dumps(public_key_to_cose_key(public)))) == public


KEY = PrivateKey.generate().public


def cose_key(**changes: Any) -> dict[int, Any]:
    labels = {"kty": 1, "crv": -1, "x": -2, "y": -3, "d": -4}
    return {**public_key_to_cose_key(KEY), **{labels[name]: value for name, value in changes.items()}}


@pytest.mark.hostile
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="empty"),
        pytest.param(cose_key(kty=4), id="symmetric"),
        pytest.param(cose_key(kty="EC2"), id="kty as text"),
        pytest.param(cose_key(crv=8), id="secp256k1"),
        pytest.param(cose_key(crv=2), id="number of another curve"),
        pytest.param(cose_key(crv=[1]), id="curve a list"),
        pytest.param(cose_key(d=b"secret"), id="private"),
        pytest.param(cose_key(y=bytes(32)), id="off the curve"),
        pytest.param(cose_key(y=True), id="compressed"),
        pytest.param(cose_key(x=bytes(33)), id="long coordinate"),
        pytest.param(cose_key(x=b64u_encode(bytes(32))), id="coordinate as text"),
        pytest.param({1: 1, -1: 4, -2: bytes(32)}, id="X25519"),
        pytest.param({1: 1, -1: 6, -2: bytes(31)}, id="short Ed25519"),
        pytest.param({1: 2, -1: 1, -2: bytes(32)}, id="y missing"),
    ],
)
def test_a_cose_key_is_refused(key: object) -> None:
    with pytest.raises(MalformedInput):
        cose_key_to_public_key(key)


def test_byte_strings_are_framed_as_cbor_frames_them() -> None:
    assert [encode_bytes(bytes(size)) for size in (0, 23, 24, 300)] == [
        cbor_dumps(bytes(size)) for size in (0, 23, 24, 300)
    ]
