"""The one door to JOSE: JWS compact serialisation and JWE with ECDH-ES.

Spec: RFC 7515 (JWS), RFC 7516 and 7518 section 4.6 (JWE, ECDH-ES direct), RFC 7519 section 5.1 and RFC 8725 section
3.11 (`typ`), RFC 9864 (`Ed25519`). Symmetric signatures, RS* and `none` do not exist here. What makes every request
dearer, verifying ES256 and opening ECDH-ES, goes straight to `cryptography`; the rest goes through joserfc, and a
property test holds the two together. Whose key it is, and whether the claims are right, is the caller's business.
"""

import binascii
import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from byoid.encoding import b64u_decode, b64u_encode, b64u_encode_bytes, json_dumps, json_object
from byoid.errors import BadSignature, MalformedInput, WrongType
from byoid.keys import PRIVATE_MEMBERS, Jwk, PrivateKey, PublicKey
from byoid.lazy import cached_property

SIGNATURE_ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256"})
CONTENT_ENCRYPTION: Final = {"A128GCM": 16, "A192GCM": 24, "A256GCM": 32}  # `enc` and the bytes of its key
KEY_AGREEMENT: Final = "ECDH-ES"

MAX_JWS_BYTES: Final = 4 << 20  # a status list of ten million entries takes about 300 kB
MAX_HEADER_BYTES: Final = 64 << 10  # a key attestation for a batch of keys travels in a header
MAX_HEADER_DEPTH: Final = 8
MAX_PLAINTEXT_BYTES: Final = 4 << 20
MAX_JWE_CHARACTERS: Final = MAX_HEADER_BYTES + 2 * MAX_PLAINTEXT_BYTES
MAX_CERTIFICATES: Final = 8

_GCM_IV: Final = 12
_GCM_TAG: Final = 16
_JWS_PARTS: Final = 3
_JWE_PARTS: Final = 5


@dataclass(frozen=True)
class UnsignedJws:
    """A JWS that waits for its signature."""

    signing_input: bytes

    def attach(self, signature: bytes) -> str:
        """Return the compact serialisation."""
        return f"{self.signing_input.decode('ascii')}.{b64u_encode(signature)}"


@dataclass(frozen=True)
class Jws:
    """A JWS in its parts. Nothing in it is believed yet."""

    compact: str
    header: dict[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """The `alg` that the token claims."""
        algorithm: str = self.header["alg"]
        return algorithm

    @property
    def typ(self) -> str | None:
        """The `typ` that the token claims."""
        return self.header.get("typ")

    @cached_property
    def x5c(self) -> tuple[bytes, ...]:
        """The certificates of the header as DER, leaf first; empty without `x5c` (RFC 7515 4.1.6)."""
        return _certificates(self.header.get("x5c", []))

    def claims(self) -> dict[str, Any]:
        """Return the payload as JSON, not believed: to find out whose key to verify with."""
        return json_object(self.payload, max_bytes=MAX_JWS_BYTES)


@dataclass(frozen=True)
class VerifiedJws:
    """A JWS whose type, algorithm and signature are right. Its claims are still to be judged."""

    header: dict[str, Any]
    payload: bytes

    @cached_property
    def claims(self) -> dict[str, Any]:
        """The payload as a JSON object; MalformedInput if it is none."""
        return json_object(self.payload, max_bytes=MAX_JWS_BYTES)


def x5c_header(certificates: Sequence[bytes]) -> list[str]:
    """Encode DER certificates, leaf first, for an `x5c` header: base64 with padding, not base64url."""
    return [binascii.b2a_base64(certificate, newline=False).decode("ascii") for certificate in certificates]


def prepare_jws(
    payload: Mapping[str, Any] | bytes, *, algorithm: str, typ: str | None, header: Mapping[str, Any] | None = None
) -> UnsignedJws:
    """Prepare a JWS for signing; a mapping becomes compact JSON, bytes go in as they are."""
    if algorithm not in SIGNATURE_ALGORITHMS:
        raise ValueError(f"expected one of {', '.join(sorted(SIGNATURE_ALGORITHMS))}, got {algorithm}")
    protected = {"alg": algorithm, **({"typ": typ} if typ else {}), **(header or {})}
    body = payload if isinstance(payload, bytes) else json_dumps(payload)
    return UnsignedJws(b64u_encode_bytes(json_dumps(protected)) + b"." + b64u_encode_bytes(body))


def parse_jws(compact: str, *, max_bytes: int = MAX_JWS_BYTES) -> Jws:
    """Take a compact JWS apart. Shape only: nothing is verified.

    Raises:
        MalformedInput: too big, not three parts of base64url, a header that is no object, has no `alg`, carries a
            private key, or demands an extension (`crit`, `b64`): byoid knows none.
    """
    if len(compact) > max_bytes:
        raise MalformedInput(f"a JWS of {len(compact)} bytes, at most {max_bytes} are accepted")
    parts = compact.split(".", _JWS_PARTS)
    if len(parts) != _JWS_PARTS:
        raise MalformedInput("expected a JWS of three parts")
    header, payload, signature = _header(parts[0]), b64u_decode(parts[1]), b64u_decode(parts[2])
    return Jws(compact, header, payload, compact[: -len(parts[2]) - 1].encode("ascii"), signature)


def verify_jws(
    jws: Jws | str, key: PublicKey, *, algorithms: Collection[str], typ: str | Collection[str] | None
) -> VerifiedJws:
    """Verify a JWS with a key that the caller trusts for this purpose.

    Args:
        jws: parsed, or the compact serialisation.
        key: the one key; a hint in the header never chooses it.
        algorithms: what the caller accepts, from SIGNATURE_ALGORITHMS.
        typ: the type, or types, one of which the header must name; None for a token without a type of its own
            (no `typ`, or `JWT`).

    Raises:
        MalformedInput: not a JWS that byoid understands.
        WrongType: another `typ`, or an algorithm that is not acceptable.
        BadSignature: the signature does not verify.
    """
    if algorithms is not SIGNATURE_ALGORITHMS and not SIGNATURE_ALGORITHMS.issuperset(algorithms):
        raise ValueError(f"algorithms can be {', '.join(sorted(SIGNATURE_ALGORITHMS))}, and nothing else")
    if isinstance(jws, str):
        jws = parse_jws(jws)
    if jws.header.get("typ") != typ:
        _require_type(jws.header, typ)
    algorithm = jws.algorithm
    if algorithm not in algorithms:
        raise WrongType(f"expected a JWS signed with {' or '.join(sorted(algorithms))}, got another algorithm")
    if algorithm == "ES256":
        key.verify("ES256", jws.signing_input, jws.signature)
    else:
        _verify_with_joserfc(jws, key)
    return VerifiedJws(jws.header, jws.payload)


@dataclass(frozen=True)
class DecryptedJwe:
    """What a JWE held. Encrypted is not signed: anyone may have made it."""

    header: dict[str, Any]
    plaintext: bytes


def encrypt(
    plaintext: bytes,
    recipient: Jwk,
    *,
    enc: str,
    apu: bytes | None = None,
    apv: bytes | None = None,
    compress: bool = False,
    header: Mapping[str, Any] | None = None,
) -> str:
    """Encrypt to a public JWK whose `alg` is ECDH-ES; its `kid` goes into the header (OpenID4VP 8.3).

    Raises:
        MalformedInput: the JWK is no public EC key for ECDH-ES.
        WrongType: the JWK's `alg` or `use`, or `enc`, is not one that byoid encrypts with.
    """
    if recipient.get("alg") != KEY_AGREEMENT or recipient.get("use", "enc") != "enc" or enc not in CONTENT_ENCRYPTION:
        raise WrongType(f"expected a key for {KEY_AGREEMENT} and one of {', '.join(CONTENT_ENCRYPTION)}")
    protected = {"alg": KEY_AGREEMENT, "enc": enc, **(header or {})}
    if "kid" in recipient:
        protected["kid"] = recipient["kid"]
    protected |= {name: b64u_encode(party) for name, party in (("apu", apu), ("apv", apv)) if party is not None}
    if compress:
        protected["zip"] = "DEF"
    return _encrypt_with_joserfc(plaintext, PublicKey.from_jwk(recipient), protected)


@dataclass(frozen=True)
class Jwe:
    """A compact JWE whose header was read, to find the key by its `kid`; the other parts are as received."""

    header: dict[str, Any]
    protected: str
    encrypted_key: str
    iv: str
    ciphertext: str
    tag: str


def parse_jwe(compact: str, *, max_characters: int = MAX_JWE_CHARACTERS) -> Jwe:
    """Take a compact JWE apart and read its header. Nothing in it is believed.

    Raises:
        MalformedInput: too big, not five parts, or a header that byoid does not understand.
    """
    if len(compact) > max_characters:
        raise MalformedInput(f"a JWE of {len(compact)} characters, at most {max_characters} are accepted")
    parts = compact.split(".", _JWE_PARTS)
    if len(parts) != _JWE_PARTS:
        raise MalformedInput("expected a JWE of five parts")
    return Jwe(_header(parts[0]), *parts)


def decrypt(
    jwe: Jwe | str, key: PrivateKey, *, enc: Collection[str], max_plaintext: int = MAX_PLAINTEXT_BYTES
) -> DecryptedJwe:
    """Open a compact JWE made with ECDH-ES and AES-GCM.

    Args:
        jwe: parsed, or the compact serialisation.
        key: our EC key.
        enc: the content encryption algorithms that we asked for.
        max_plaintext: bytes, after decompression.

    Raises:
        MalformedInput: not such a JWE, an ephemeral key off our curve, or too big.
        WrongType: another `alg`, `enc` or `zip`.
        BadSignature: the authentication tag is wrong: another key, or tampered with.
    """
    if not CONTENT_ENCRYPTION.keys() >= set(enc):
        raise ValueError(f"enc can be {', '.join(CONTENT_ENCRYPTION)}, and nothing else")
    if isinstance(jwe, str):
        jwe = parse_jwe(jwe, max_characters=MAX_HEADER_BYTES + 2 * max_plaintext)
    header = jwe.header
    if header["alg"] != KEY_AGREEMENT or header.get("enc") not in tuple(enc) or header.get("zip", "DEF") != "DEF":
        raise WrongType(f"expected a JWE with {KEY_AGREEMENT} and {' or '.join(sorted(enc))}, got another algorithm")
    size = len(jwe.ciphertext) * 3 // 4
    if size > max_plaintext:
        raise MalformedInput(f"a JWE with {size} bytes of content, at most {max_plaintext} are accepted")
    iv, ciphertext, tag = b64u_decode(jwe.iv), b64u_decode(jwe.ciphertext), b64u_decode(jwe.tag)
    if jwe.encrypted_key or len(iv) != _GCM_IV or len(tag) != _GCM_TAG:
        raise MalformedInput("expected a JWE with no encrypted key, an IV of 12 bytes and a tag of 16 bytes")
    content_key = _derive_key(header, key.exchange(PublicKey.from_jwk(header.get("epk"))))
    try:
        plaintext = AESGCM(content_key).decrypt(iv, ciphertext + tag, jwe.protected.encode("ascii"))
    except InvalidTag:
        raise BadSignature("the JWE's authentication tag is wrong") from None
    return DecryptedJwe(header, _inflate(plaintext, max_plaintext) if "zip" in header else plaintext)


def _header(part: str) -> dict[str, Any]:
    """Parse a protected header and demand what JWS and JWE have in common."""
    if len(part) > MAX_HEADER_BYTES:
        raise MalformedInput(f"a JOSE header of {len(part)} bytes, at most {MAX_HEADER_BYTES} are accepted")
    header = json_object(b64u_decode(part), max_depth=MAX_HEADER_DEPTH)
    if not (type(header.get("alg")) is type(header.get("typ", "")) is type(header.get("kid", "")) is str):
        raise MalformedInput("expected a JOSE header whose alg, typ and kid are text")
    if "crit" in header or "b64" in header:
        raise MalformedInput("the JOSE header demands an extension (crit, b64), and byoid knows none")
    jwk = header.get("jwk")
    if isinstance(jwk, dict) and not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise MalformedInput("the JOSE header carries a private key")
    return header


def _require_type(header: Mapping[str, Any], expected: str | Collection[str] | None) -> None:
    """Accept another way to write the type that is expected, or one of several."""
    found = _media_type(header.get("typ", "JWT" if expected is None else ""))
    accepted = ("JWT",) if expected is None else (expected,) if isinstance(expected, str) else expected
    if all(found != _media_type(name) for name in accepted):
        raise WrongType(f"expected a token of type {' or '.join(accepted)}, got another or none")


def _media_type(typ: str) -> str:
    """Normalise as RFC 7515 4.1.9 compares: without case, and `application/` may be left out."""
    return typ.lower().removeprefix("application/")


def _certificates(x5c: object) -> tuple[bytes, ...]:
    if not isinstance(x5c, list) or len(x5c) > MAX_CERTIFICATES or not all(isinstance(text, str) for text in x5c):
        raise MalformedInput(f"expected x5c to be a list of at most {MAX_CERTIFICATES} texts")
    try:
        return tuple(binascii.a2b_base64(text, strict_mode=True) for text in x5c)
    except ValueError:
        raise MalformedInput("a certificate in x5c is not base64") from None


def _derive_key(header: Mapping[str, Any], shared_secret: bytes) -> bytes:
    """Concat KDF (RFC 7518 4.6.2). Keys of AES-GCM are no longer than one round of SHA-256."""
    enc = header["enc"]
    size = CONTENT_ENCRYPTION[enc]
    other_info = _with_length(enc.encode("ascii")) + _party(header, "apu") + _party(header, "apv")
    digest = hashlib.sha256(b"\x00\x00\x00\x01" + shared_secret + other_info + (size * 8).to_bytes(4, "big")).digest()
    return digest[:size]


def _party(header: Mapping[str, Any], name: str) -> bytes:
    """Return `apu` or `apv`, of which b64u_decode demands that it is text."""
    return _with_length(b64u_decode(header[name])) if name in header else bytes(4)


def _with_length(text: bytes) -> bytes:
    return len(text).to_bytes(4, "big") + text


def _inflate(compressed: bytes, max_bytes: int) -> bytes:
    """Undo `DEF` (RFC 7516 4.1.3: raw DEFLATE), never to more than `max_bytes`: a kilobyte can stand for a megabyte."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plaintext = inflater.decompress(compressed, max_bytes + 1)
    except zlib.error:
        raise MalformedInput("the JWE's content is not DEFLATE") from None
    if len(plaintext) > max_bytes or not inflater.eof or inflater.unused_data:
        raise MalformedInput(f"the JWE's content is not one DEFLATE stream of at most {max_bytes} bytes")
    return plaintext


def _verify_with_joserfc(jws: Jws, key: PublicKey) -> None:
    # Imported here: ES256 does not need joserfc, whose import is dear.
    from joserfc.jwk import import_key
    from joserfc.jws import JWSRegistry

    if jws.algorithm not in key.algorithms:
        raise BadSignature(f"algorithm {jws.algorithm} does not fit this key")
    if not JWSRegistry.algorithms[jws.algorithm].verify(jws.signing_input, jws.signature, import_key(dict(key.jwk))):
        raise BadSignature("the signature does not verify")


def _encrypt_with_joserfc(plaintext: bytes, recipient: PublicKey, header: dict[str, Any]) -> str:
    from joserfc import errors, jwe, jwk

    registry = jwe.JWERegistry(algorithms=[KEY_AGREEMENT, *CONTENT_ENCRYPTION, "DEF"], strict_check_header=False)
    try:
        return jwe.encrypt_compact(header, plaintext, jwk.import_key(dict(recipient.jwk)), registry=registry)
    except (errors.JoseError, ValueError) as error:
        raise MalformedInput("the JWK is no EC key to encrypt to") from error
