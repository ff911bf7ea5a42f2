"""The one door to CBOR and COSE: strict decoding, COSE_Sign1, COSE_Mac0 and COSE_Key.

Spec: RFC 8949 (CBOR), RFC 9052 and 9053 (COSE), RFC 9360 (x5chain), RFC 9864 (`ESP256` and its like). Algorithms have
their JOSE names everywhere in byoid; only this module knows their numbers.
"""

import hmac
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from byoid.errors import BadSignature, MalformedInput, WrongType
from byoid.keys import PublicKey

MAX_CBOR_BYTES: Final = 1 << 20
MAX_CBOR_DEPTH: Final = 16
MAX_CERTIFICATES: Final = 8

ALGORITHM, CRITICAL, CONTENT_TYPE, KEY_ID, TYPE, X5CHAIN = 1, 2, 3, 4, 16, 33  # header parameters
_TAG_MAC0, _TAG_SIGN1, _TAG_CWT = b"\xd1", b"\xd2", b"\xd8\x3d"
_ENCODED_CBOR, _FULL_DATE = 24, 1004

_NUMBER_OF: Final = {"ES256": -7, "ES384": -35, "ES512": -36, "EdDSA": -8, "Ed25519": -8, "PS256": -37}
# The second number of each pair is the fully specified one of RFC 9864: the same algorithm for the keys that fit.
_NAME_OF: Final = {
    -7: "ES256", -9: "ES256", -35: "ES384", -51: "ES384", -36: "ES512", -52: "ES512",
    -8: "Ed25519", -19: "Ed25519", -37: "PS256",
}  # fmt: skip
_HMAC_256: Final = 5
_COSE_CURVES: Final = {1: "P-256", 2: "P-384", 3: "P-521"}


# ------------------------------------------------------------------------------------------------------------- CBOR


@dataclass(frozen=True)
class EncodedCbor:
    """CBOR inside a byte string, tag 24: it is hashed and signed as bytes, so the bytes are what is kept."""

    raw: bytes

    @cached_property
    def value(self) -> Any:
        """The decoded value; MalformedInput if there is none."""
        return cbor_loads(self.raw)

    @cached_property
    def encoded(self) -> bytes:
        """The bytes with their tag and length in front: what digests and signatures are computed over."""
        return encode_tag24(self.raw)


def cbor_head(major: int, argument: int) -> bytes:
    """Encode the head of a data item in its shortest form (RFC 8949 section 3)."""
    if argument < 24:  # noqa: PLR2004
        return bytes((major << 5 | argument,))
    size = next(size for size in (1, 2, 4, 8) if argument < 1 << 8 * size)
    return bytes((major << 5 | 23 + size.bit_length(),)) + argument.to_bytes(size, "big")


def encode_bytes(raw: bytes) -> bytes:
    """Encode a byte string."""
    return cbor_head(2, len(raw)) + raw


def encode_tag24(raw: bytes) -> bytes:
    """Wrap encoded CBOR as `#6.24(bstr .cbor …)`."""
    return b"\xd8\x18" + encode_bytes(raw)


def _encode_own(encoder: Any, value: object) -> None:
    if isinstance(value, EncodedCbor):
        encoder.encode(cbor2.CBORTag(_ENCODED_CBOR, value.raw))
    else:
        raise TypeError(f"CBOR has no form for {type(value).__name__}")


def cbor_dumps(value: Any) -> bytes:
    """Encode deterministically: shortest forms, map keys sorted by length, then bytes (RFC 8949 section 4.2.3).

    EncodedCbor becomes tag 24, an aware datetime tag 0, a date tag 1004 (RFC 8943).
    """
    return cbor2.dumps(
        value, canonical=True, default=_encode_own, encoders={date: _encode_full_date, datetime: _encode_tdate}
    )


def _encode_full_date(encoder: Any, value: date) -> None:
    encoder.encode(cbor2.CBORTag(_FULL_DATE, value.isoformat()))


def _encode_tdate(encoder: Any, value: datetime) -> None:
    if value.tzinfo is None:
        raise ValueError("expected an aware datetime")
    # ISO 18013-5 9.1.2.4 (tdate): no fraction of a second, UTC as Z.
    encoder.encode(cbor2.CBORTag(0, value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")))


def cbor_loads(data: bytes, *, max_bytes: int = MAX_CBOR_BYTES) -> Any:
    """Decode strictly: one item, no duplicate keys, no indefinite lengths, bounded depth, only tags that byoid uses.

    Tag 0 becomes an aware datetime, tag 1004 a date, tag 24 an EncodedCbor; every other tag is refused.

    Raises:
        MalformedInput: anything else.
    """
    if len(data) > max_bytes:
        raise MalformedInput(f"CBOR of {len(data)} bytes, at most {max_bytes} are accepted")
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream, max_depth=MAX_CBOR_DEPTH, allow_indefinite=False, allow_duplicate_keys=False,
        tag_hook=_refuse_tag, semantic_decoders=_TAGS,
    )  # fmt: skip
    try:
        value = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise MalformedInput("not CBOR that byoid accepts") from error
    if stream.tell() != len(data):
        raise MalformedInput(f"{len(data) - stream.tell()} bytes follow the CBOR item")
    return value


def _encoded_cbor(value: object, _immutable: bool) -> EncodedCbor:
    if not isinstance(value, bytes):
        raise ValueError("tag 24 holds a byte string")
    return EncodedCbor(value)


def _refuse_tag(_value: object, _immutable: bool) -> Any:
    raise ValueError("a tag that byoid does not use")


# cbor2 has decoders for these, and would use them.
_DANGEROUS_TAGS: Final = (1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 43000, 55799)
_TAGS: Final = {_ENCODED_CBOR: _encoded_cbor, **dict.fromkeys(_DANGEROUS_TAGS, _refuse_tag)}


# ------------------------------------------------------------------------------------------------------------- COSE


@dataclass(frozen=True)
class UnsignedSign1:
    """A COSE_Sign1 that waits for its signature."""

    signing_input: bytes
    protected: bytes
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    tagged: bool

    def attach(self, signature: bytes) -> bytes:
        """Return the encoded COSE_Sign1."""
        payload = b"\xf6" if self.payload is None else encode_bytes(self.payload)
        tag = _TAG_SIGN1 if self.tagged else b""
        parts = (encode_bytes(self.protected), cbor_dumps(self.unprotected), payload, encode_bytes(signature))
        return tag + b"\x84" + b"".join(parts)


@dataclass(frozen=True)
class Sign1:
    """A COSE_Sign1 or COSE_Mac0 in its parts. Nothing in it is believed yet."""

    protected_bytes: bytes
    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes | None
    signature: bytes

    @property
    def algorithm(self) -> str:
        """The JOSE name of the algorithm in the protected header; WrongType for one that byoid does not know."""
        number = self.protected.get(ALGORITHM)
        if not isinstance(number, int) or number not in _NAME_OF:
            raise WrongType("the COSE object is not signed with an algorithm that byoid uses")
        return _NAME_OF[number]

    @cached_property
    def x5chain(self) -> tuple[bytes, ...]:
        """The certificates as DER, leaf first; empty without x5chain (RFC 9360)."""
        chain = self.unprotected.get(X5CHAIN, self.protected.get(X5CHAIN, []))
        certificates = [chain] if isinstance(chain, bytes) else chain
        if (
            not isinstance(certificates, list)
            or len(certificates) > MAX_CERTIFICATES
            or not all(isinstance(certificate, bytes) for certificate in certificates)
        ):
            raise MalformedInput(f"expected x5chain to be at most {MAX_CERTIFICATES} byte strings")
        return tuple(certificates)


@dataclass(frozen=True)
class VerifiedSign1:
    """A COSE object whose algorithm and signature (or MAC) are right."""

    protected: Mapping[Any, Any]
    unprotected: Mapping[Any, Any]
    payload: bytes

    @cached_property
    def value(self) -> Any:
        """The payload decoded; MalformedInput if it is not CBOR."""
        return cbor_loads(self.payload)


def _to_be_signed(context: bytes, protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    """Build a Sig_structure or MAC_structure (RFC 9052 4.4, 6.3): an array of four."""
    head = b"\x84" + cbor_head(3, len(context)) + context
    return head + encode_bytes(protected) + encode_bytes(external_aad) + encode_bytes(payload)


def prepare_sign1(
    payload: bytes,
    *,
    algorithm: str,
    protected: Mapping[Any, Any] | None = None,
    unprotected: Mapping[Any, Any] | None = None,
    detached: bool = False,
    external_aad: bytes = b"",
    tagged: bool = False,
) -> UnsignedSign1:
    """Prepare a COSE_Sign1 for signing.

    Args:
        payload: the bytes to sign.
        algorithm: JOSE name; it goes into the protected header.
        protected: more protected header parameters.
        unprotected: unprotected header parameters, such as X5CHAIN.
        detached: leave the payload out of the result.
        external_aad: signed, not sent (RFC 9052 4.3).
        tagged: put tag 18 in front.
    """
    encoded = cbor_dumps({ALGORITHM: _NUMBER_OF[algorithm], **(protected or {})})
    signing_input = _to_be_signed(b"Signature1", encoded, external_aad, payload)
    return UnsignedSign1(signing_input, encoded, dict(unprotected or {}), None if detached else payload, tagged)


def x5chain_header(certificates: Sequence[bytes]) -> bytes | list[bytes]:
    """Return DER certificates, leaf first, as the value of X5CHAIN: one alone is no array (RFC 9360 section 2)."""
    return certificates[0] if len(certificates) == 1 else list(certificates)


def parse_sign1(data: bytes | Sequence[Any], *, max_bytes: int = MAX_CBOR_BYTES) -> Sign1:
    """Take a COSE_Sign1 apart, tagged or not, encoded or already decoded as part of something bigger.

    Raises:
        MalformedInput: not such an array of four, or a header parameter that is critical, twice there, or of no kind.
    """
    return _parse(data, _TAG_SIGN1, max_bytes)


def verify_sign1(
    sign1: Sign1 | bytes | Sequence[Any],
    key: PublicKey,
    *,
    algorithms: Collection[str],
    payload: bytes | None = None,
    external_aad: bytes = b"",
) -> VerifiedSign1:
    """Verify a COSE_Sign1 with a key that the caller trusts for this purpose.

    Args:
        sign1: parsed, or what parse_sign1 takes.
        key: the one key.
        algorithms: what the caller accepts, JOSE names.
        payload: the detached payload; None when the object carries its own.
        external_aad: signed, not sent.

    Raises:
        MalformedInput: not a COSE_Sign1, or its payload is not where it was expected.
        WrongType: the algorithm is not acceptable.
        BadSignature: the signature does not verify.
    """
    parsed = sign1 if isinstance(sign1, Sign1) else parse_sign1(sign1)
    if not _NUMBER_OF.keys() >= set(algorithms):
        raise ValueError(f"algorithms can be {', '.join(_NUMBER_OF)}, and nothing else")
    if parsed.algorithm not in algorithms:
        raise WrongType(f"expected a signature with {' or '.join(sorted(algorithms))}, got {parsed.algorithm}")
    content = _content(parsed, payload)
    signing_input = _to_be_signed(b"Signature1", parsed.protected_bytes, external_aad, content)
    key.verify(parsed.algorithm, signing_input, parsed.signature)
    return VerifiedSign1(parsed.protected, parsed.unprotected, content)


def create_mac0(
    payload: bytes, key: bytes, *, detached: bool = False, external_aad: bytes = b"", tagged: bool = False
) -> bytes:
    """Create a COSE_Mac0 with HMAC 256/256 (RFC 9052 6.2)."""
    protected = cbor_dumps({ALGORITHM: _HMAC_256})
    mac = hmac.digest(key, _to_be_signed(b"MAC0", protected, external_aad, payload), "sha256")
    content = b"\xf6" if detached else encode_bytes(payload)
    return (_TAG_MAC0 if tagged else b"") + b"\x84" + encode_bytes(protected) + b"\xa0" + content + encode_bytes(mac)


def parse_mac0(data: bytes | Sequence[Any], *, max_bytes: int = MAX_CBOR_BYTES) -> Sign1:
    """Take a COSE_Mac0 apart: the same four parts, the MAC in the place of the signature.

    Raises:
        MalformedInput: as parse_sign1.
    """
    return _parse(data, _TAG_MAC0, max_bytes)


def verify_mac0(
    mac0: Sign1 | bytes | Sequence[Any], key: bytes, *, payload: bytes | None = None, external_aad: bytes = b""
) -> VerifiedSign1:
    """Verify a COSE_Mac0 with HMAC 256/256.

    Raises:
        MalformedInput: not a COSE_Mac0, or its payload is not where it was expected.
        WrongType: another algorithm.
        BadSignature: the MAC is wrong.
    """
    parsed = mac0 if isinstance(mac0, Sign1) else parse_mac0(mac0)
    if parsed.protected.get(ALGORITHM) != _HMAC_256:
        raise WrongType("expected a MAC with HMAC 256/256, got another algorithm")
    content = _content(parsed, payload)
    expected = hmac.digest(key, _to_be_signed(b"MAC0", parsed.protected_bytes, external_aad, content), "sha256")
    if not hmac.compare_digest(expected, parsed.signature):
        raise BadSignature("the MAC does not verify")
    return VerifiedSign1(parsed.protected, parsed.unprotected, content)


def _content(parsed: Sign1, detached: bytes | None) -> bytes:
    """Return the payload, which must be in exactly one place."""
    if (parsed.payload is None) == (detached is None):
        raise MalformedInput("expected the payload either inside the COSE object or beside it")
    return parsed.payload if detached is None else detached  # type: ignore[return-value]  # one of them is bytes


def _parse(data: bytes | Sequence[Any], tag: bytes, max_bytes: int) -> Sign1:
    value = data
    if isinstance(data, bytes):
        value = cbor_loads(data.removeprefix(_TAG_CWT).removeprefix(tag), max_bytes=max_bytes)
    match value:
        case [bytes() as protected, dict() as unprotected, bytes() | None as payload, bytes() as signature]:
            parameters = cbor_loads(protected) if protected else {}
        case _:
            raise MalformedInput("expected a COSE array of protected, unprotected, payload and signature")
    if not isinstance(parameters, dict) or not parameters.keys().isdisjoint(unprotected):
        raise MalformedInput("expected a protected header that is a map and shares no label with the unprotected one")
    if CRITICAL in parameters or CRITICAL in unprotected:
        raise MalformedInput("the COSE header demands an extension (crit), and byoid knows none")
    return Sign1(protected, parameters, unprotected, payload, signature)


# --------------------------------------------------------------------------------------------------------- COSE_Key


def cose_key_to_public_key(key: object) -> PublicKey:
    """Load a public COSE_Key (RFC 9053 section 7): EC2 on P-256, P-384 or P-521, or OKP Ed25519.

    Raises:
        MalformedInput: another kind of key, a point off the curve, or a private key.
    """
    match key:
        case {-4: _}:
            raise MalformedInput("expected a public COSE_Key, got one with a private part")
        case {1: 2, -1: curve, -2: bytes() as x, -3: bytes() as y} if curve in _COSE_CURVES:
            return PublicKey.from_coordinates(_COSE_CURVES[curve], x, y)
        case {1: 1, -1: 6, -2: bytes() as x}:
            return PublicKey.from_coordinates("Ed25519", x)
        case _:
            raise MalformedInput("expected a public COSE_Key on P-256, P-384, P-521 or Ed25519")


def public_key_to_cose_key(key: PublicKey) -> dict[int, Any]:
    """Return an EC or Ed25519 public key as a COSE_Key."""
    native = key.native
    if isinstance(native, ed25519.Ed25519PublicKey):
        return {1: 1, -1: 6, -2: native.public_bytes_raw()}
    if not isinstance(native, ec.EllipticCurvePublicKey):
        raise MalformedInput("expected an EC or Ed25519 key")
    crv, size = key.jwk["crv"], (native.curve.key_size + 7) // 8
    number = next(number for number, name in _COSE_CURVES.items() if name == crv)
    numbers = native.public_numbers()
    return {1: 2, -1: number, -2: numbers.x.to_bytes(size, "big"), -3: numbers.y.to_bytes(size, "big")}
