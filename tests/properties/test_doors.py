"""Whatever comes through the doors: only byoid's errors come out, no flipped bit passes, and joserfc always agrees."""

import json
from collections.abc import Callable
from datetime import UTC, date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe as joserfc_jwe
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from byoid import cbor, cose, encoding, jose
from byoid.errors import ByoidError
from byoid.keys import PrivateKey, PublicKey
from byoid.signing import sign_now

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
JOSERFC_KEY = ECKey.import_key({**KEY.to_jwk()})
JOSERFC_PUBLIC = ECKey.import_key({**KEY.public.jwk})
ENCRYPTIONS = ("A128GCM", "A192GCM", "A256GCM")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)
cbor_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.dates(date(1, 1, 1))
    | st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
    | st.binary().map(cbor.EncodedCbor),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.integers(-(2**63), 2**63) | st.text() | st.binary(), children, max_size=4)
    ),
    max_leaves=20,
)
headers = st.fixed_dictionaries({}, optional={"kid": st.text(), "iss": json_values, "trust_chain": st.lists(st.text())})
texts = st.text(alphabet=st.characters(codec=None), max_size=200) | st.binary(max_size=200).map(encoding.b64u_encode)
compact_texts = st.lists(texts, min_size=1, max_size=6).map(".".join)


def outcome(call: Callable[[], object], *errors: type[Exception]) -> object:
    """Return what a call returns, or None where it refuses."""
    try:
        return call()
    except errors:
        return None


# ---------------------------------------------------------------------------------------- only byoid's errors come out


@given(st.binary(max_size=300) | st.text(alphabet=st.characters(codec=None)))
def test_the_decoders_of_text_raise_only_errors_of_byoid(data: bytes | str) -> None:
    for parse in (encoding.b64u_decode, encoding.json_loads, encoding.json_object):
        outcome(lambda parse=parse: parse(data), ByoidError)


@given(compact_texts)
def test_the_parsers_of_jose_raise_only_errors_of_byoid(compact: str) -> None:
    outcome(lambda: jose.verify_jws(compact, KEY.public, algorithms=jose.SIGNATURE_ALGORITHMS, typ=None), ByoidError)
    outcome(lambda: jose.decrypt(compact, KEY, enc=ENCRYPTIONS), ByoidError)
    outcome(lambda: jose.parse_jwe(compact), ByoidError)


member_names = st.sampled_from(
    ["alg", "enc", "typ", "kid", "epk", "apu", "apv", "zip", "jwk", "x5c", "kty", "crv", "x", "y"]
)
member_values = (
    st.sampled_from(["ES256", "ECDH-ES", "A128GCM", "DEF", "EC", "P-256", "AAAA", KEY.public.jwk]) | json_values
)
likely_headers = st.dictionaries(member_names, member_values | st.dictionaries(member_names, member_values))


@given(likely_headers, st.lists(st.binary(max_size=40), min_size=2, max_size=4))
def test_headers_that_nearly_make_sense_raise_only_errors_of_byoid(header: dict[str, Any], parts: list[bytes]) -> None:
    compact = ".".join([encoding.b64u_encode(part) for part in (encoding.json_dumps(header), *parts)])

    parsed = outcome(lambda: jose.parse_jws(compact), ByoidError)
    if isinstance(parsed, jose.Jws):
        outcome(lambda: parsed.x5c, ByoidError)
        outcome(lambda: jose.verify_jws(parsed, KEY.public, algorithms=jose.SIGNATURE_ALGORITHMS, typ=None), ByoidError)
    outcome(lambda: jose.decrypt(compact, KEY, enc=ENCRYPTIONS), ByoidError)


@given(st.binary(max_size=300) | cbor_values.map(cbor.cbor_dumps))
def test_the_parsers_of_cbor_raise_only_errors_of_byoid(data: bytes) -> None:
    value = outcome(lambda: cbor.cbor_loads(data), ByoidError)
    outcome(lambda: cbor.cbor_loads(b"\x82" + cbor.encode_bytes(bytes(5000)) + data), ByoidError)
    outcome(lambda: cose.cose_key_to_public_key(value), ByoidError)
    for verify, key in ((cose.verify_sign1, KEY.public), (cose.verify_mac0, b"key")):
        options = {"algorithms": ["ES256", "Ed25519"]} if verify is cose.verify_sign1 else {}
        for given_as in (data, value):
            outcome(lambda verify=verify, key=key, given_as=given_as, o=options: verify(given_as, key, **o), ByoidError)


@given(st.lists(cbor_values, min_size=4, max_size=4), cbor_values)
def test_objects_that_are_nearly_cose_raise_only_errors_of_byoid(parts: list[Any], protected: Any) -> None:
    encoded = cbor.cbor_dumps([cbor.cbor_dumps(protected), *parts[1:]])

    parsed = outcome(lambda: cose.parse_sign1(encoded), ByoidError)
    if isinstance(parsed, cose.Sign1):
        outcome(lambda: parsed.x5chain, ByoidError)
        outcome(lambda: cose.verify_sign1(parsed, KEY.public, algorithms=["ES256"]), ByoidError)


@given(likely_headers | json_values)
def test_the_loaders_of_keys_raise_only_errors_of_byoid(jwk: Any) -> None:
    outcome(lambda: PublicKey.from_jwk(jwk), ByoidError)
    outcome(lambda: PrivateKey.from_jwk(jwk), ByoidError)


@given(st.binary(max_size=100))
def test_pem_raises_only_errors_of_byoid(pem: bytes) -> None:
    outcome(lambda: PrivateKey.from_pem(pem), ByoidError)
    outcome(
        lambda: PrivateKey.from_pem(b"-----BEGIN PRIVATE KEY-----\n" + pem + b"\n-----END PRIVATE KEY-----"), ByoidError
    )


# ----------------------------------------------------------------------------------------------- what goes in comes out


@given(json_values)
def test_json_survives(value: Any) -> None:
    assert encoding.json_loads(encoding.json_dumps(value)) == value


@given(st.binary())
def test_base64url_survives_in_one_spelling(data: bytes) -> None:
    text = encoding.b64u_encode(data)

    assert encoding.b64u_decode(text) == data


@given(st.text(alphabet="ABCDwxyz0189-_", max_size=12))
def test_a_text_that_decodes_is_the_one_that_encodes(text: str) -> None:
    decoded = outcome(lambda: encoding.b64u_decode(text), ByoidError)

    assert decoded is None or encoding.b64u_encode(decoded) == text  # type: ignore[arg-type]  # bytes, or refused


@given(cbor_values)
def test_cbor_survives(value: Any) -> None:
    encoded = cbor.cbor_dumps(value)

    assert cbor.cbor_loads(encoded) == value
    assert cbor.cbor_dumps(cbor.cbor_loads(encoded)) == encoded


@given(json_values.map(lambda value: {"value": value}), headers)
def test_a_jws_survives(claims: dict[str, Any], header: dict[str, Any]) -> None:
    token = sign_now(jose.prepare_jws(claims, algorithm="ES256", typ="dc+sd-jwt", header=header), KEY)

    verified = jose.verify_jws(token, KEY.public, algorithms={"ES256"}, typ="dc+sd-jwt")

    assert verified.claims == claims
    assert verified.header == {"alg": "ES256", "typ": "dc+sd-jwt", **header}


@given(st.binary(max_size=2000), st.sampled_from(ENCRYPTIONS), st.booleans(), st.none() | st.binary(max_size=20))
def test_a_jwe_survives(plaintext: bytes, enc: str, compress: bool, apu: bytes | None) -> None:
    recipient = {**KEY.public.jwk, "alg": "ECDH-ES"}

    jwe = jose.encrypt(plaintext, recipient, enc=enc, apu=apu, apv=apu, compress=compress)

    assert jose.decrypt(jwe, KEY, enc={enc}).plaintext == plaintext


@given(st.binary(), st.binary(max_size=40), st.booleans())
def test_a_sign1_survives(payload: bytes, external_aad: bytes, detached: bool) -> None:
    unsigned = cose.prepare_sign1(payload, algorithm="ES256", external_aad=external_aad, detached=detached)
    beside = payload if detached else None

    verified = cose.verify_sign1(
        sign_now(unsigned, KEY), KEY.public, algorithms={"ES256"}, payload=beside, external_aad=external_aad
    )

    assert verified.payload == payload


# ------------------------------------------------------------------------------------------------ no flipped bit passes

TOKEN = sign_now(jose.prepare_jws({"vct": "urn:eudi:pid:1"}, algorithm="ES256", typ="dc+sd-jwt"), KEY)
JWE = jose.encrypt(b'{"vp_token":{}}', {**KEY.public.jwk, "alg": "ECDH-ES"}, enc="A128GCM", apv=b"nonce")
SIGN1 = sign_now(cose.prepare_sign1(b"content", algorithm="ES256"), KEY)
MAC0 = cose.create_mac0(b"content", b"key")


def flips(data: bytes) -> list[bytes]:
    """Return `data` with each of its bits flipped, one at a time."""
    return [
        data[:index] + bytes((data[index] ^ 1 << bit,)) + data[index + 1 :]
        for index in range(len(data))
        for bit in range(8)
    ]


@pytest.mark.hostile
def test_no_flipped_bit_of_a_jws_passes() -> None:
    for flipped in flips(TOKEN.encode()):
        with pytest.raises(ByoidError):
            jose.verify_jws(flipped.decode("latin-1"), KEY.public, algorithms={"ES256"}, typ="dc+sd-jwt")


@pytest.mark.hostile
def test_no_flipped_bit_of_a_jwe_passes() -> None:
    for flipped in flips(JWE.encode()):
        with pytest.raises(ByoidError):
            jose.decrypt(flipped.decode("latin-1"), KEY, enc={"A128GCM"})


@pytest.mark.hostile
def test_no_flipped_bit_of_a_cose_object_passes() -> None:
    for flipped in flips(SIGN1):
        with pytest.raises(ByoidError):
            cose.verify_sign1(flipped, KEY.public, algorithms={"ES256"})
    for flipped in flips(MAC0):
        with pytest.raises(ByoidError):
            cose.verify_mac0(flipped, b"key")


# --------------------------------------------------------------------------------------------------- joserfc agrees


def joserfc_payload(token: str, key: ECKey = JOSERFC_PUBLIC) -> object:
    registry = joserfc_jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    registry.max_header_length = registry.max_payload_length = 1 << 20
    return outcome(
        lambda: joserfc_jws.deserialize_compact(token, key, registry=registry).payload,
        JoseError, ValueError, KeyError, TypeError,
    )  # fmt: skip


def our_payload(token: str) -> object:
    typ = outcome(lambda: jose.parse_jws(token).typ, ByoidError)
    return outcome(
        lambda: jose.verify_jws(token, KEY.public, algorithms={"ES256"}, typ=typ or None).payload,  # type: ignore[arg-type]  # a text or nothing
        ByoidError,
    )


def splice(token: str, position: int, text: str) -> str:
    index = position % (len(token) + 1)
    return token[:index] + text + token[index + len(text) :]


@given(st.binary(max_size=100), headers)
def test_what_we_sign_joserfc_accepts(payload: bytes, header: dict[str, Any]) -> None:
    token = sign_now(jose.prepare_jws(payload, algorithm="ES256", typ="x+jwt", header=header), KEY)

    assert joserfc_payload(token) == our_payload(token) == payload


@given(st.binary(max_size=100), st.fixed_dictionaries({}, optional={"kid": st.text(), "typ": st.text(min_size=1)}))
def test_what_joserfc_signs_we_accept(payload: bytes, header: dict[str, Any]) -> None:
    token = joserfc_jws.serialize_compact({"alg": "ES256", **header}, payload, JOSERFC_KEY, algorithms=["ES256"])

    assert our_payload(token) == joserfc_payload(token) == payload


@settings(max_examples=300)
@given(st.integers(0, 400), st.text(alphabet="AQgwz09-_.=+/ \n", max_size=3))
def test_of_a_spoilt_token_joserfc_and_we_think_the_same(position: int, text: str) -> None:
    token = splice(TOKEN, position, text)

    assert joserfc_payload(token) == our_payload(token)


@given(st.sampled_from(["ES256", "ES384", "HS256", "none", "RS256", "EdDSA", "PS256", "", "es256"]), st.booleans())
def test_of_a_token_with_another_algorithm_joserfc_and_we_think_the_same(algorithm: str, own_key: bool) -> None:
    signing_input = f"{encoding.b64u_encode(json.dumps({'alg': algorithm}).encode())}.e30"
    signature = (KEY if own_key else OTHER).sign(signing_input.encode())
    token = f"{signing_input}.{encoding.b64u_encode(signature)}"

    assert joserfc_payload(token) == our_payload(token) == (b"{}" if algorithm == "ES256" and own_key else None)


def joserfc_plaintext(jwe: str) -> object:
    registry = joserfc_jwe.JWERegistry(algorithms=["ECDH-ES", *ENCRYPTIONS], strict_check_header=False)
    return outcome(
        lambda: joserfc_jwe.decrypt_compact(jwe, JOSERFC_KEY, registry=registry).plaintext,
        JoseError, ValueError, KeyError, TypeError,
    )  # fmt: skip


def our_plaintext(jwe: str) -> object:
    return outcome(lambda: jose.decrypt(jwe, KEY, enc=ENCRYPTIONS).plaintext, ByoidError)


@given(st.binary(max_size=300), st.sampled_from(ENCRYPTIONS), st.none() | st.binary(min_size=1, max_size=20))
def test_a_jwe_opens_in_both(plaintext: bytes, enc: str, party: bytes | None) -> None:
    header = {"alg": "ECDH-ES", "enc": enc} | ({"apv": encoding.b64u_encode(party)} if party else {})
    registry = joserfc_jwe.JWERegistry(algorithms=["ECDH-ES", enc])

    theirs = joserfc_jwe.encrypt_compact(header, plaintext, JOSERFC_PUBLIC, registry=registry)
    ours = jose.encrypt(plaintext, {**KEY.public.jwk, "alg": "ECDH-ES"}, enc=enc, apv=party)

    assert (
        our_plaintext(theirs)
        == joserfc_plaintext(theirs)
        == our_plaintext(ours)
        == joserfc_plaintext(ours)
        == plaintext
    )


@settings(max_examples=300)
@given(st.integers(0, 700), st.text(alphabet="AQgwz09-_.=+/ \n", max_size=3))
def test_of_a_spoilt_jwe_joserfc_and_we_think_the_same(position: int, text: str) -> None:
    jwe = splice(JWE, position, text)

    assert joserfc_plaintext(jwe) == our_plaintext(jwe)


def test_the_constants_of_this_file_are_honest() -> None:
    assert our_payload(TOKEN) is not None
    assert our_plaintext(JWE) is not None
