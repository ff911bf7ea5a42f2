"""JWS and JWE: the RFCs' examples, and one dishonest token for each rule."""

import dataclasses
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from byoid import jose
from byoid.encoding import b64u_decode, b64u_encode, json_dumps
from byoid.errors import BadSignature, ByoidError, MalformedInput, WrongType
from byoid.jose import decrypt, encrypt, parse_jwe, parse_jws, prepare_jws, verify_jws, x5c_header
from byoid.keys import PrivateKey, PublicKey
from byoid.signing import sign_now

VECTORS = Path(__file__).parents[1] / "vectors"
RFC = json.loads((VECTORS / "jose/rfc_examples.json").read_text())
RESPONSE = json.loads((VECTORS / "openid4vp/encrypted_response.json").read_text())
TYP = "dc+sd-jwt"


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


def sign_raw(key: PrivateKey, header: bytes, payload: bytes = b"{}") -> str:
    """Sign whatever header: what an attacker with a key of their own can send."""
    signing_input = f"{b64u_encode(header)}.{b64u_encode(payload)}"
    return f"{signing_input}.{b64u_encode(key.sign(signing_input.encode()))}"


# --------------------------------------------------------------------------------------------------------------- JWS


@pytest.mark.parametrize("vector", RFC["signatures"], ids=lambda vector: vector["origin"])
def test_the_examples_of_the_rfcs_verify(vector: dict[str, Any]) -> None:
    key = PublicKey.from_jwk(vector["jwk"])

    verified = verify_jws(vector["compact"], key, algorithms=[vector["algorithm"]], typ=None)

    assert verified.payload == b64u_decode(vector["compact"].split(".")[1])


@pytest.mark.parametrize(
    ("curve", "algorithm"),
    [
        ("P-256", "ES256"),
        ("P-384", "ES384"),
        ("P-521", "ES512"),
        ("Ed25519", "Ed25519"),
        ("Ed25519", "EdDSA"),
        ("RSA", "PS256"),
    ],
)
def test_every_algorithm_signs_and_verifies(curve: str, algorithm: str) -> None:
    key = PrivateKey(rsa.generate_private_key(65537, 2048)) if curve == "RSA" else PrivateKey.generate(curve)
    token = sign_now(prepare_jws({"a": 1}, algorithm=algorithm, typ=TYP), key)

    assert verify_jws(token, key.public, algorithms={algorithm}, typ=TYP).claims == {"a": 1}
    head, payload, signature = token.split(".")
    tampered = f"{head}.{payload}.{b64u_encode(bytes((b64u_decode(signature)[0] ^ 1,)) + b64u_decode(signature)[1:])}"
    with pytest.raises(BadSignature):
        verify_jws(tampered, key.public, algorithms={algorithm}, typ=TYP)


@pytest.mark.parametrize("typ", [TYP, "DC+SD-JWT", "application/dc+sd-jwt", "Application/Dc+Sd-Jwt"])
def test_a_type_is_compared_as_a_media_type(key: PrivateKey, typ: str) -> None:
    token = sign_now(prepare_jws({}, algorithm="ES256", typ=typ), key)

    assert verify_jws(token, key.public, algorithms={"ES256"}, typ=("vc+sd-jwt", TYP)).payload == b"{}"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt"])
def test_a_token_without_a_type_of_its_own_is_accepted_where_none_is_expected(key: PrivateKey, typ: str | None) -> None:
    token = sign_now(prepare_jws({}, algorithm="ES256", typ=typ), key)

    assert verify_jws(token, key.public, algorithms={"ES256"}, typ=None).header.get("typ") == typ


def test_certificates_travel_in_the_header(key: PrivateKey) -> None:
    header = {"x5c": x5c_header([b"leaf", b"intermediate"])}

    parsed = parse_jws(sign_now(prepare_jws({"iss": "i"}, algorithm="ES256", typ=TYP, header=header), key))

    assert parsed.x5c == (b"leaf", b"intermediate")
    assert (parsed.typ, parsed.algorithm, parsed.claims()) == (TYP, "ES256", {"iss": "i"})


def header_defect(**changes: Any) -> Callable[[PrivateKey], str]:
    """Return a maker of tokens with a header that is honest but for `changes`; None leaves a member out."""
    header = {name: value for name, value in {"alg": "ES256", "typ": TYP, **changes}.items() if value is not None}
    return lambda key: sign_raw(key, json.dumps(header).encode())


def spelled(text: bytes) -> Callable[[PrivateKey], str]:
    return lambda key: sign_raw(key, text)


def respelled(change: Callable[[str, str, str], str]) -> Callable[[PrivateKey], str]:
    """Return a maker of tokens whose three parts are put together in another way."""
    return lambda key: change(*sign_raw(key, b'{"alg":"ES256","typ":"dc+sd-jwt"}').split("."))


DEFECTS = [
    ("type missing", header_defect(typ=None), WrongType),
    ("type of another token", header_defect(typ="kb+jwt"), WrongType),
    ("type JWT", header_defect(typ="JWT"), WrongType),
    ("type empty", header_defect(typ=""), WrongType),
    ("type is a list", header_defect(typ=[TYP]), MalformedInput),
    ("alg missing", header_defect(alg=None), MalformedInput),
    ("alg is a number", header_defect(alg=1), MalformedInput),
    ("alg is a list", header_defect(alg=["ES256"]), MalformedInput),
    ("alg none", header_defect(alg="none"), WrongType),
    ("alg None", header_defect(alg="None"), WrongType),
    ("alg empty", header_defect(alg=""), WrongType),
    ("alg symmetric", header_defect(alg="HS256"), WrongType),
    ("alg RSA with PKCS#1", header_defect(alg="RS256"), WrongType),
    ("alg not on this list", header_defect(alg="ES384"), WrongType),
    ("alg in lower case", header_defect(alg="es256"), WrongType),
    ("kid is a number", header_defect(kid=7), MalformedInput),
    ("crit with an unknown extension", header_defect(crit=["x"], x=1), MalformedInput),
    ("crit with a registered claim", header_defect(crit=["exp"], exp=1), MalformedInput),
    ("crit empty", header_defect(crit=[]), MalformedInput),
    ("crit that names b64", header_defect(crit=["b64"], b64=True), MalformedInput),
    ("b64 without crit", header_defect(b64=False), MalformedInput),
    ("private key in the header", header_defect(jwk={"kty": "EC", "d": "AA"}), MalformedInput),
    ("symmetric key in the header", header_defect(jwk={"kty": "oct", "k": "AA"}), MalformedInput),
    ("header too big", header_defect(x="a" * (64 << 10)), MalformedInput),
    ("header too deep", header_defect(x=[[[[[[[[1]]]]]]]]), MalformedInput),
    ("header nested 5000 levels", spelled(b'{"alg":"ES256","x":' + b"[" * 5000 + b"]" * 5000 + b"}"), MalformedInput),
    ("header a list", spelled(b"[]"), MalformedInput),
    ("header not JSON", spelled(b"ES256"), MalformedInput),
    ("header not UTF-8", spelled(b'{"alg":"\xff"}'), MalformedInput),
    ("header empty", spelled(b""), MalformedInput),
    ("alg named twice", spelled(b'{"alg":"none","alg":"ES256","typ":"dc+sd-jwt"}'), MalformedInput),
    ("signature empty", respelled(lambda h, p, s: f"{h}.{p}."), BadSignature),
    ("signature of no possible length", respelled(lambda h, p, s: f"{h}.{p}.{s[:81]}"), MalformedInput),
    ("signature of 63 bytes", respelled(lambda h, p, s: f"{h}.{p}.{s[:84]}"), BadSignature),
    ("signature all zero", respelled(lambda h, p, s: f"{h}.{p}.{b64u_encode(bytes(64))}"), BadSignature),
    ("signature padded", respelled(lambda h, p, s: f"{h}.{p}.{s}=="), MalformedInput),
    ("signature in another spelling", respelled(lambda h, p, s: f"{h}.{p}.{s[:-1]}{chr(ord(s[-1]) + 1)}"), ByoidError),
    ("payload of another token", respelled(lambda h, p, s: f"{h}.{b64u_encode(b'[]')}.{s}"), BadSignature),
    ("payload padded", respelled(lambda h, p, s: f"{h}.{p}=.{s}"), MalformedInput),
    ("two parts", respelled(lambda h, p, s: f"{h}.{p}"), MalformedInput),
    ("four parts", respelled(lambda h, p, s: f"{h}.{p}.{s}."), MalformedInput),
    ("five parts", respelled(lambda h, p, s: f"{h}.{p}.{s}.{p}.{s}"), MalformedInput),
    ("newline at the end", respelled(lambda h, p, s: f"{h}.{p}.{s}\n"), MalformedInput),
    ("space between", respelled(lambda h, p, s: f"{h}. {p}.{s}"), MalformedInput),
    ("not ASCII", respelled(lambda h, p, s: f"{h}.é{p}.{s}"), MalformedInput),
    ("half a surrogate pair", respelled(lambda h, p, s: f"{h}.\ud800{p}.{s}"), MalformedInput),
    ("too big", respelled(lambda h, p, s: f"{h}.{'A' * jose.MAX_JWS_BYTES}.{s}"), MalformedInput),
    ("nothing", respelled(lambda h, p, s: ""), MalformedInput),
    ("dots", respelled(lambda h, p, s: ".."), MalformedInput),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in DEFECTS])
def test_a_dishonest_token_is_refused(
    key: PrivateKey, make: Callable[[PrivateKey], str], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        verify_jws(make(key), key.public, algorithms={"ES256"}, typ=TYP)


@pytest.mark.hostile
def test_a_token_that_names_its_purpose_is_not_taken_for_an_untyped_one(key: PrivateKey) -> None:
    token = sign_now(prepare_jws({}, algorithm="ES256", typ="kb+jwt"), key)

    with pytest.raises(WrongType):
        verify_jws(token, key.public, algorithms={"ES256"}, typ=None)


@pytest.mark.hostile
def test_the_signature_of_another_key_is_refused(key: PrivateKey) -> None:
    token = sign_raw(PrivateKey.generate(), b'{"alg":"ES256","typ":"dc+sd-jwt"}')

    with pytest.raises(BadSignature):
        verify_jws(token, key.public, algorithms={"ES256"}, typ=TYP)


@pytest.mark.hostile
@pytest.mark.parametrize("algorithm", ["ES384", "Ed25519", "PS256"])
def test_an_accepted_algorithm_that_does_not_fit_the_key_is_refused(key: PrivateKey, algorithm: str) -> None:
    token = sign_raw(key, json.dumps({"alg": algorithm, "typ": TYP}).encode())

    with pytest.raises(BadSignature):
        verify_jws(token, key.public, algorithms=jose.SIGNATURE_ALGORITHMS, typ=TYP)


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["RS256"], ["ES256", "none"], "ES256", ["ES256K"]])
def test_an_allow_list_cannot_hold_what_must_never_be_allowed(key: PrivateKey, algorithms: Any) -> None:
    with pytest.raises(ValueError, match="algorithms can be"):
        verify_jws(sign_raw(key, b'{"alg":"ES256"}'), key.public, algorithms=algorithms, typ=None)


def test_an_empty_allow_list_allows_nothing(key: PrivateKey) -> None:
    with pytest.raises(WrongType):
        verify_jws(sign_raw(key, b'{"alg":"ES256"}'), key.public, algorithms=[], typ=None)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", ""])
def test_byoid_does_not_sign_with_what_it_would_refuse(algorithm: str) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        prepare_jws({}, algorithm=algorithm, typ=None)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "x5c",
    [
        pytest.param("TUlJ", id="text"),
        pytest.param([1], id="numbers"),
        pytest.param(["TUlJ!"], id="not base64"),
        pytest.param(["TUl-"], id="base64url"),
        pytest.param(["TUlJTQ"], id="no padding"),
        pytest.param(["TUlJ\n"], id="line break"),
        pytest.param(["é"], id="not ASCII"),
        pytest.param(["TUlJ"] * 9, id="nine certificates"),
        pytest.param({"0": "TUlJ"}, id="an object"),
    ],
)
def test_an_x5c_header_is_refused(key: PrivateKey, x5c: object) -> None:
    parsed = parse_jws(sign_raw(key, json.dumps({"alg": "ES256", "x5c": x5c}).encode()))

    with pytest.raises(MalformedInput):
        _ = parsed.x5c


@pytest.mark.hostile
def test_claims_that_are_no_object_are_refused(key: PrivateKey) -> None:
    token = sign_raw(key, b'{"alg":"ES256"}', b'{"sub":"a","sub":"b"}')

    with pytest.raises(MalformedInput):
        _ = verify_jws(token, key.public, algorithms={"ES256"}, typ=None).claims
    with pytest.raises(MalformedInput):
        parse_jws(token).claims()


# --------------------------------------------------------------------------------------------------------------- JWE


@pytest.fixture(scope="module")
def recipient() -> PrivateKey:
    return PrivateKey.generate()


def jwk_of(recipient: PrivateKey, **more: object) -> dict[str, object]:
    return {**recipient.public.jwk, "alg": "ECDH-ES", "kid": "response-key", **more}


def test_the_example_of_openid4vp_opens() -> None:
    decrypted = decrypt(RESPONSE["response"], PrivateKey.from_jwk(RESPONSE["private_jwk"]), enc={"A128GCM"})

    assert json.loads(decrypted.plaintext) == RESPONSE["plaintext"]
    assert parse_jwe(RESPONSE["response"]).header["kid"] == RESPONSE["private_jwk"]["kid"]


def test_the_key_agreement_of_rfc_7518_is_reproduced() -> None:
    """Its derived key must open a JWE that was encrypted, without byoid, under that very key."""
    example = RFC["key_agreement"]
    header = {"alg": "ECDH-ES", "enc": "A128GCM", **{name: example[name] for name in ("apu", "apv", "epk")}}
    head = b64u_encode(json_dumps(header))
    sealed = AESGCM(b64u_decode(example["derived_key"])).encrypt(bytes(12), b"content", head.encode())
    jwe = f"{head}..{b64u_encode(bytes(12))}.{b64u_encode(sealed[:-16])}.{b64u_encode(sealed[-16:])}"

    assert decrypt(jwe, PrivateKey.from_jwk(example["private_jwk"]), enc={"A128GCM"}).plaintext == b"content"


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
@pytest.mark.parametrize("enc", ["A128GCM", "A192GCM", "A256GCM"])
@pytest.mark.parametrize("compress", [False, True])
def test_what_is_encrypted_opens(curve: str, enc: str, compress: bool) -> None:
    recipient = PrivateKey.generate(curve)
    jwe = encrypt(b"content" * 100, jwk_of(recipient), enc=enc, apu=b"\x00\xff", apv=b"nonce", compress=compress)

    assert decrypt(jwe, recipient, enc={enc}).plaintext == b"content" * 100
    assert parse_jwe(jwe).header["kid"] == "response-key"


def seal(recipient: PrivateKey, plaintext: bytes = b"{}", **changes: Any) -> str:
    """Encrypt by hand, with a header that may lie."""
    ephemeral = PrivateKey.generate()
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "epk": ephemeral.public.jwk, **changes}
    header = {name: value for name, value in header.items() if value is not None}
    honest = {"enc": "A256GCM"} | {name: header[name] for name in ("apu", "apv") if isinstance(header.get(name), str)}
    content_key = jose._derive_key(honest, ephemeral.exchange(recipient.public))
    head = b64u_encode(json_dumps(header))
    sealed = AESGCM(content_key).encrypt(bytes(12), plaintext, head.encode())
    return f"{head}..{b64u_encode(bytes(12))}.{b64u_encode(sealed[:-16])}.{b64u_encode(sealed[-16:])}"


def deflate(plaintext: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(plaintext) + compressor.flush()


def part(index: int, change: Callable[[bytes], bytes]) -> Callable[[PrivateKey], str]:
    def make(recipient: PrivateKey) -> str:
        parts = seal(recipient).split(".")
        parts[index] = b64u_encode(change(b64u_decode(parts[index])))
        return ".".join(parts)

    return make


def lying(**changes: Any) -> Callable[[PrivateKey], str]:
    return lambda recipient: seal(recipient, **changes)


def flip(raw: bytes) -> bytes:
    return bytes((raw[0] ^ 1,)) + raw[1:]


P256 = RFC["key_agreement"]["epk"]
JWE_DEFECTS = [
    ("alg missing", lying(alg=None), MalformedInput),
    ("alg is a list", lying(alg=["ECDH-ES"]), MalformedInput),
    ("alg with key wrapping", lying(alg="ECDH-ES+A128KW"), WrongType),
    ("alg dir", lying(alg="dir"), WrongType),
    ("alg RSA1_5", lying(alg="RSA1_5"), WrongType),
    ("enc missing", lying(enc=None), WrongType),
    ("enc not asked for", lying(enc="A128GCM"), WrongType),
    ("enc with CBC", lying(enc="A256CBC-HS512"), WrongType),
    ("enc is a list", lying(enc=["A256GCM"]), WrongType),
    ("enc is an object", lying(enc={"A256GCM": 1}), WrongType),
    ("zip unknown", lying(zip="GZIP"), WrongType),
    ("zip is a list", lying(zip=[]), WrongType),
    ("crit", lying(crit=["exp"]), MalformedInput),
    ("crit empty", lying(crit=[]), MalformedInput),
    ("epk missing", lying(epk=None), MalformedInput),
    ("epk is text", lying(epk="key"), MalformedInput),
    ("epk off the curve", lying(epk={**P256, "y": b64u_encode(bytes(32))}), MalformedInput),
    ("epk at zero", lying(epk={**P256, "x": b64u_encode(bytes(32)), "y": b64u_encode(bytes(32))}), MalformedInput),
    ("epk on another curve", lying(epk=PrivateKey.generate("P-384").public.jwk), MalformedInput),
    ("epk Ed25519", lying(epk=PrivateKey.generate("Ed25519").public.jwk), MalformedInput),
    ("epk X25519", lying(epk={"kty": "OKP", "crv": "X25519", "x": b64u_encode(bytes(32))}), MalformedInput),
    ("epk private", lying(epk={**P256, "d": "AA"}), MalformedInput),
    ("epk of somebody else", lying(epk=P256), BadSignature),
    ("apu is a number", lying(apu=1), MalformedInput),
    ("apv not base64url", lambda recipient: seal_with_bad_party(recipient), MalformedInput),
    ("header changed", part(0, lambda raw: raw.replace(b'"alg"', b' "alg"')), BadSignature),
    ("encrypted key present", part(1, lambda raw: b"key"), MalformedInput),
    ("IV of 16 bytes", part(2, lambda raw: bytes(16)), MalformedInput),
    ("IV empty", part(2, lambda raw: b""), MalformedInput),
    ("IV changed", part(2, flip), BadSignature),
    ("ciphertext changed", part(3, flip), BadSignature),
    ("ciphertext empty", part(3, lambda raw: b""), BadSignature),
    ("tag changed", part(4, flip), BadSignature),
    ("tag short", part(4, lambda raw: raw[:-1]), MalformedInput),
    ("tag empty", part(4, lambda raw: b""), MalformedInput),
    ("four parts", lambda recipient: seal(recipient).rsplit(".", 1)[0], MalformedInput),
    ("six parts", lambda recipient: seal(recipient) + ".", MalformedInput),
    ("padded", lambda recipient: seal(recipient) + "==", MalformedInput),
    ("not ASCII", lambda recipient: seal(recipient) + "é", MalformedInput),
    ("nothing", lambda recipient: "", MalformedInput),
    ("not deflated", lambda recipient: seal(recipient, b"\xff\xff", zip="DEF"), MalformedInput),
    ("deflate cut off", lambda recipient: seal(recipient, deflate(b"content" * 9)[:-3], zip="DEF"), MalformedInput),
    ("bytes after deflate", lambda recipient: seal(recipient, deflate(b"content") + b"x", zip="DEF"), MalformedInput),
    ("deflate bomb", lambda recipient: seal(recipient, deflate(bytes(8 << 20)), zip="DEF"), MalformedInput),
]


def seal_with_bad_party(recipient: PrivateKey) -> str:
    head, *rest = seal(recipient).split(".")
    header = {**json.loads(b64u_decode(head)), "apv": "=="}
    return ".".join([b64u_encode(json_dumps(header)), *rest])


@pytest.mark.hostile
@pytest.mark.parametrize(("make", "error"), [pytest.param(*case[1:], id=case[0]) for case in JWE_DEFECTS])
def test_a_dishonest_jwe_is_refused(
    recipient: PrivateKey, make: Callable[[PrivateKey], str], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        decrypt(make(recipient), recipient, enc={"A256GCM"})


def test_a_jwe_sealed_by_hand_opens(recipient: PrivateKey) -> None:
    """The honest twin of the dishonest ones."""
    assert decrypt(seal(recipient, apu="AAAA"), recipient, enc={"A256GCM"}).plaintext == b"{}"
    assert decrypt(seal(recipient, deflate(b"{}"), zip="DEF"), recipient, enc={"A256GCM"}).plaintext == b"{}"


@pytest.mark.hostile
def test_a_jwe_for_another_key_stays_shut(recipient: PrivateKey) -> None:
    with pytest.raises(BadSignature):
        decrypt(seal(recipient), PrivateKey.generate(), enc={"A256GCM"})


def test_a_jwe_that_was_parsed_to_find_its_key_opens_like_its_text(recipient: PrivateKey) -> None:
    jwe = encrypt(b"content", {**recipient.public.jwk, "alg": "ECDH-ES", "kid": "1"}, enc="A256GCM")
    parsed = parse_jwe(jwe)

    assert parsed.header["kid"] == "1"
    assert decrypt(parsed, recipient, enc={"A256GCM"}) == decrypt(jwe, recipient, enc={"A256GCM"})


@pytest.mark.hostile
def test_the_content_of_a_parsed_jwe_is_bounded_before_it_is_decoded(recipient: PrivateKey) -> None:
    parsed = dataclasses.replace(parse_jwe(seal(recipient)), ciphertext="!" * 2000)

    with pytest.raises(MalformedInput, match="1500 bytes of content, at most 1000"):
        decrypt(parsed, recipient, enc={"A256GCM"}, max_plaintext=1000)


@pytest.mark.hostile
def test_a_jwe_beyond_the_limit_is_not_even_taken_apart(recipient: PrivateKey) -> None:
    with pytest.raises(MalformedInput, match="at most 67536"):
        decrypt("A" * 200_000, recipient, enc={"A256GCM"}, max_plaintext=1000)
    with pytest.raises(MalformedInput, match="at most 1000"):
        decrypt(seal(recipient, bytes(1001)), recipient, enc={"A256GCM"}, max_plaintext=1000)


@pytest.mark.parametrize("enc", [["A128CBC-HS256"], ["none"], "A256GCM"])
def test_an_encryption_that_byoid_lacks_cannot_be_asked_for(recipient: PrivateKey, enc: Any) -> None:
    with pytest.raises(ValueError, match="enc can be"):
        decrypt(seal(recipient), recipient, enc=enc)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param({"alg": "RSA-OAEP"}, WrongType, id="alg of another kind"),
        pytest.param({"alg": None}, WrongType, id="no alg"),
        pytest.param({"use": "sig"}, WrongType, id="a key for signing"),
        pytest.param({"d": "AA"}, MalformedInput, id="a private key"),
        pytest.param({"y": b64u_encode(bytes(32))}, MalformedInput, id="a point off the curve"),
        pytest.param({"kid": 7}, MalformedInput, id="kid is a number"),
        pytest.param({**PrivateKey.generate("Ed25519").public.jwk}, MalformedInput, id="a key for signatures"),
    ],
)
def test_nothing_is_encrypted_to_an_unfit_key(
    recipient: PrivateKey, change: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        encrypt(b"content", {**jwk_of(recipient), **change}, enc="A256GCM")
