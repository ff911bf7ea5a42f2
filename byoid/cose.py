"""The one door to COSE: COSE_Sign1, COSE_Mac0 and COSE_Key.

Spec: RFC 9052 and 9053 (COSE), RFC 9360 (x5chain), RFC 9864 (`ESP256` and its like). Algorithms have their JOSE names
everywhere in byoid; only this module knows their numbers.
"""

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from byoid.cbor import MAX_CBOR_BYTES, cbor_dumps, cbor_loads, encode_bytes
from byoid.errors import BadSignature, MalformedInput, WrongType
from byoid.keys import PublicKey
from byoid.lazy import cached_property

MAX_CERTIFICATES: Final = 8

ALGORITHM, CRITICAL, CONTENT_TYPE, KEY_ID, TYPE, X5CHAIN = 1, 2, 3, 4, 16, 33  # header parameters
_TAG_MAC0, _TAG_SIGN1, _TAG_CWT = b"\xd1", b"\xd2", b"\xd8\x3d"
_SIGNATURE1, _MAC0 = b"\x84\x6aSignature1", b"\x84\x64MAC0"  # an array of four, and its first element

_NUMBER_OF: Final = {"ES256": -7, "ES384": -35, "ES512": -36, "EdDSA": -8, "Ed25519": -8, "PS256": -37}
# The second number of each pair is the fully specified one of RFC 9864: the same algorithm for the keys that fit.
_NAME_OF: Final = {
    -7: "ES256", -9: "ES256", -35: "ES384", -51: "ES384", -36: "ES512", -52: "ES512",
    -8: "Ed25519", -19: "Ed25519", -37: "PS256",
}  # fmt: skip
_ALGORITHMS: Final = frozenset(_NUMBER_OF)
_HMAC_256: Final = 5
_ES256_HEADER: Final = b"\xa1\x01\x26"
_COSE_CURVES: Final = {1: "P-256", 2: "P-384", 3: "P-521"}
_COSE_CURVE_OF_SIZE: Final = {32: 1, 48: 2, 66: 3}  # by the bytes of a coordinate


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
    """Build a Sig_structure or MAC_structure (RFC 9052 4.4, 6.3): an array of four, its context encoded already."""
    return context + encode_bytes(protected) + encode_bytes(external_aad) + encode_bytes(payload)


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
    signing_input = _to_be_signed(_SIGNATURE1, encoded, external_aad, payload)
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
    if not _ALGORITHMS.issuperset(algorithms):
        raise ValueError(f"algorithms can be {', '.join(_NUMBER_OF)}, and nothing else")
    algorithm = parsed.algorithm
    if algorithm not in algorithms:
        raise WrongType(f"expected a signature with {' or '.join(sorted(algorithms))}, got {algorithm}")
    content = _content(parsed, payload)
    signing_input = _to_be_signed(_SIGNATURE1, parsed.protected_bytes, external_aad, content)
    key.verify(algorithm, signing_input, parsed.signature)
    return VerifiedSign1(parsed.protected, parsed.unprotected, content)


def create_mac0(
    payload: bytes, key: bytes, *, detached: bool = False, external_aad: bytes = b"", tagged: bool = False
) -> bytes:
    """Create a COSE_Mac0 with HMAC 256/256 (RFC 9052 6.2)."""
    protected = cbor_dumps({ALGORITHM: _HMAC_256})
    mac = hmac.digest(key, _to_be_signed(_MAC0, protected, external_aad, payload), "sha256")
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
    expected = hmac.digest(key, _to_be_signed(_MAC0, parsed.protected_bytes, external_aad, content), "sha256")
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
            # Most objects have this header and no other, and the decoder costs more than the comparison.
            parameters = {ALGORITHM: -7} if protected == _ES256_HEADER else cbor_loads(protected) if protected else {}
        case _:
            raise MalformedInput("expected a COSE array of protected, unprotected, payload and signature")
    if not isinstance(parameters, dict) or not parameters.keys().isdisjoint(unprotected):
        raise MalformedInput("expected a protected header that is a map and shares no label with the unprotected one")
    if CRITICAL in parameters or CRITICAL in unprotected:
        raise MalformedInput("the COSE header demands an extension (crit), and byoid knows none")
    return Sign1(protected, parameters, unprotected, payload, signature)


def cose_key_to_public_key(key: object) -> PublicKey:
    """Load a public COSE_Key (RFC 9053 section 7): EC2 on P-256, P-384 or P-521, or OKP Ed25519.

    Raises:
        MalformedInput: another kind of key, a point off the curve, or a private key.
    """
    match key:
        case {-4: _}:
            raise MalformedInput("expected a public COSE_Key, got one with a private part")
        case {1: 2, -1: int() as curve, -2: bytes() as x, -3: bytes() as y} if curve in _COSE_CURVES:
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
    point = native.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)  # 4, x, y
    middle = 1 + len(point) // 2
    return {1: 2, -1: _COSE_CURVE_OF_SIZE[middle - 1], -2: point[1:middle], -3: point[middle:]}
