"""Public and private keys, loaded once and used many times: JWK (RFC 7517), thumbprints (RFC 7638), raw signatures.

Loading a key costs about a third of a signature, so a key is an object that is made once. Signatures are raw R‖S, the
form of JOSE and COSE. Nothing here decides which algorithm is acceptable: callers pass the one that they allow.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, sha256
from byoid.errors import BadSignature, MalformedInput
from byoid.lazy import cached_property

Jwk: TypeAlias = Mapping[str, Any]
NativePublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
NativePrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192  # the time that a verification takes grows with the square, and a stranger chooses the key


@dataclass(frozen=True, slots=True)
class _Curve:
    """An elliptic curve: JWK name, JOSE algorithm, bytes of a coordinate, and how its keys begin in DER."""

    name: str
    algorithms: frozenset[str]
    size: int
    native: ec.EllipticCurve
    signature: ec.ECDSA
    spki_prefix: bytes  # SubjectPublicKeyInfo up to the uncompressed point: the quickest way into OpenSSL


_CURVES: Final = {
    curve.name: curve
    for curve in (
        _Curve("P-256", frozenset({"ES256"}), 32, ec.SECP256R1(), ec.ECDSA(hashes.SHA256()),
               bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")),
        _Curve("P-384", frozenset({"ES384"}), 48, ec.SECP384R1(), ec.ECDSA(hashes.SHA384()),
               bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004")),
        _Curve("P-521", frozenset({"ES512"}), 66, ec.SECP521R1(), ec.ECDSA(hashes.SHA512()),
               bytes.fromhex("30819b301006072a8648ce3d020106052b810400230381860004")),
    )
}  # fmt: skip
_CURVE_OF_NATIVE: Final = {curve.native.name: curve for curve in _CURVES.values()}
_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
_UNCOMPRESSED: Final = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
# The points of small order of Ed25519, by y in all its spellings: whoever likes can sign for such a key.
_WITHOUT_SIGN: Final = 2**255 - 1
_EIGHTH: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER: Final = frozenset({0, 1, _EIGHTH, 2**255 - 19 - _EIGHTH, 2**255 - 20, 2**255 - 19, 2**255 - 18})
_ED_ALGORITHMS: Final = frozenset({"Ed25519", "EdDSA"})


@dataclass(frozen=True)
class PublicKey:
    """A loaded public key: P-256, P-384, P-521, Ed25519, or RSA of at least 2048 bits (PS256 only)."""

    native: NativePublicKey

    @cached_property
    def curve(self) -> _Curve | None:
        """The curve of an EC key."""
        return _CURVE_OF_NATIVE[self.native.curve.name] if isinstance(self.native, ec.EllipticCurvePublicKey) else None

    @classmethod
    def from_native(cls, native: object) -> Self:
        """Wrap a key of `cryptography`.

        Raises:
            MalformedInput: a type, curve or size that byoid does not use.
        """
        if isinstance(native, ec.EllipticCurvePublicKey):
            if native.curve.name not in _CURVE_OF_NATIVE:
                raise MalformedInput(f"expected a key on P-256, P-384 or P-521, got {native.curve.name}")
        elif isinstance(native, rsa.RSAPublicKey):
            if not MIN_RSA_BITS <= native.key_size <= MAX_RSA_BITS:
                raise MalformedInput(
                    f"expected an RSA key of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, got {native.key_size}"
                )
        elif not isinstance(native, ed25519.Ed25519PublicKey):
            raise MalformedInput(f"expected an EC, Ed25519 or RSA public key, got {type(native).__name__}")
        elif int.from_bytes(native.public_bytes_raw(), "little") & _WITHOUT_SIGN in _SMALL_ORDER:
            raise MalformedInput("expected an Ed25519 key that somebody can hold, got a point of small order")
        return cls(native)

    @classmethod
    def from_certificate(cls, certificate: x509.Certificate) -> Self:
        """Return the certificate's subject key. Nothing about the certificate is checked here."""
        try:
            return cls.from_native(certificate.public_key())
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise MalformedInput("the certificate holds no key that can be read") from error

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Load a public JWK; other members (`kid`, `use`, `alg` …) are left to the caller.

        Raises:
            MalformedInput: not a JWK of a kind that byoid uses, a point off the curve, or a private or symmetric key:
                whoever sends us a private key must not use it any more.
        """
        if type(jwk) is not dict and not isinstance(jwk, Mapping):
            raise MalformedInput(f"expected a JWK object, got {type(jwk).__name__}")
        if not PRIVATE_MEMBERS.isdisjoint(jwk):
            raise MalformedInput("expected a public JWK, got one with private members")
        try:
            key = cls(_load_public(jwk))
            if jwk["kty"] == "EC":  # strict base64url: these texts are the only ones for this point
                members = {"kty": "EC", "crv": jwk["crv"], "x": jwk["x"], "y": jwk["y"]}
                vars(key).update(jwk=members, curve=_CURVES[jwk["crv"]])
        except (ValueError, TypeError, KeyError) as error:
            raise MalformedInput(f"the JWK is not a usable public key: {type(error).__name__}") from error
        return key

    @classmethod
    def from_coordinates(cls, curve: str, x: bytes, y: bytes = b"") -> Self:
        """Load raw coordinates, as COSE has them: `x` and `y` on `P-256`, `P-384` or `P-521`, only `x` on `Ed25519`.

        Raises:
            MalformedInput: coordinates of the wrong length, or no point on the curve.
        """
        try:
            return cls(_load_point(curve, x, y))
        except (ValueError, KeyError):
            raise MalformedInput(f"the coordinates are no public key on {curve}") from None

    @property
    def algorithms(self) -> frozenset[str]:
        """The JOSE signature algorithms that fit this key."""
        if self.curve:
            return self.curve.algorithms
        return frozenset({"PS256"}) if isinstance(self.native, rsa.RSAPublicKey) else _ED_ALGORITHMS

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public key as a JWK with just the members that its thumbprint needs."""
        if isinstance(self.native, ec.EllipticCurvePublicKey):
            curve, point = _CURVE_OF_NATIVE[self.native.curve.name], self.native.public_bytes(*_UNCOMPRESSED)
            x, y = b64u_encode(point[1 : 1 + curve.size]), b64u_encode(point[1 + curve.size :])
            return {"kty": "EC", "crv": curve.name, "x": x, "y": y}
        if isinstance(self.native, rsa.RSAPublicKey):
            public = self.native.public_numbers()
            n, e = (b64u_encode(value.to_bytes((value.bit_length() + 7) // 8, "big")) for value in (public.n, public.e))
            return {"kty": "RSA", "n": n, "e": e}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(self.native.public_bytes_raw())}

    @cached_property
    def thumbprint(self) -> bytes:
        """The SHA-256 JWK thumbprint, 32 raw bytes (RFC 7638)."""
        return sha256(json_dumps(dict(sorted(self.jwk.items()))))

    @cached_property
    def thumbprint_b64u(self) -> str:
        """The SHA-256 JWK thumbprint as base64url: a `kid`, or a `jkt` (RFC 9449)."""
        return b64u_encode(self.thumbprint)

    def verify(self, algorithm: str, data: bytes, signature: bytes) -> None:
        """Verify a raw signature made with the JOSE algorithm named.

        Raises:
            BadSignature: it does not verify, has the wrong length, or the algorithm does not fit this key.
        """
        native: Any = self.native
        curve = self.curve
        if algorithm not in (curve.algorithms if curve else self.algorithms):
            raise BadSignature(
                f"algorithm {algorithm} does not fit this key, which takes {', '.join(sorted(self.algorithms))}"
            )
        try:
            if curve:
                if len(signature) != 2 * curve.size:
                    raise BadSignature(f"expected a signature of {2 * curve.size} bytes, got {len(signature)}")
                r, s = int.from_bytes(signature[: curve.size], "big"), int.from_bytes(signature[curve.size :], "big")
                native.verify(encode_dss_signature(r, s), data, curve.signature)
            elif isinstance(native, rsa.RSAPublicKey):
                native.verify(signature, data, _PSS, hashes.SHA256())
            else:
                native.verify(signature, data)
        except (InvalidSignature, ValueError):
            raise BadSignature("the signature does not verify") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.thumbprint == other.thumbprint

    def __hash__(self) -> int:
        return hash(self.thumbprint)


@dataclass(frozen=True)
class PrivateKey:
    """A private key in this process's memory. Production issuers keep theirs in an HSM, behind a `Signer`."""

    native: NativePrivateKey

    @classmethod
    def generate(cls, curve: str = "P-256") -> Self:
        """Generate a key on `P-256`, `P-384`, `P-521` or `Ed25519`."""
        if curve == "Ed25519":
            return cls(ed25519.Ed25519PrivateKey.generate())
        return cls(ec.generate_private_key(_CURVES[curve].native))

    @classmethod
    def from_pem(cls, pem: bytes, password: bytes | None = None) -> Self:
        """Load a PKCS#8 key.

        Raises:
            MalformedInput: not a private key of a kind that byoid uses, or a wrong password.
        """
        try:
            native = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise MalformedInput("the PEM file holds no private key that can be read with this password") from error
        if not isinstance(native, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
            raise MalformedInput(f"expected an EC, Ed25519 or RSA private key, got {type(native).__name__}")
        PublicKey.from_native(native.public_key())
        return cls(native)

    @classmethod
    def from_jwk(cls, jwk: Jwk) -> Self:
        """Load a private EC or Ed25519 JWK.

        Raises:
            MalformedInput: not such a key, or `d` does not belong to `x` and `y`.
        """
        try:
            secret = b64u_decode(jwk["d"])
            if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519":
                key = cls(ed25519.Ed25519PrivateKey.from_private_bytes(secret))
            else:
                key = cls(ec.derive_private_key(int.from_bytes(secret, "big"), _CURVES[jwk["crv"]].native))
        except (ValueError, TypeError, KeyError) as error:
            raise MalformedInput("the JWK is not a usable private key") from error
        if key.public != PublicKey.from_jwk(
            {name: value for name, value in jwk.items() if name not in PRIVATE_MEMBERS}
        ):
            raise MalformedInput("the JWK's private and public parts do not belong together")
        return key

    @cached_property
    def public(self) -> PublicKey:
        """The public half."""
        return PublicKey(self.native.public_key())

    @cached_property
    def algorithm(self) -> str:
        """The JOSE algorithm that this key signs with."""
        return "Ed25519" if "Ed25519" in self.public.algorithms else next(iter(self.public.algorithms))

    def sign(self, data: bytes) -> bytes:
        """Sign with the key's algorithm; return the raw signature."""
        native: Any = self.native
        curve = self.public.curve
        if curve:
            r, s = decode_dss_signature(native.sign(data, curve.signature))
            return r.to_bytes(curve.size, "big") + s.to_bytes(curve.size, "big")
        if isinstance(native, rsa.RSAPrivateKey):
            return native.sign(data, _PSS, hashes.SHA256())
        signature: bytes = native.sign(data)
        return signature

    def exchange(self, peer: PublicKey) -> bytes:
        """Return the ECDH shared secret with a peer on the same curve.

        Raises:
            MalformedInput: the peer's key is on another curve, or is no EC key.
        """
        native: Any = self.native
        try:
            secret: bytes = native.exchange(ec.ECDH(), peer.native)
        except (AttributeError, TypeError):
            raise MalformedInput("ECDH needs two EC keys") from None
        except ValueError:
            raise MalformedInput("ECDH needs two keys on the same curve") from None
        return secret

    def to_pem(self, password: bytes | None = None) -> bytes:
        """Serialise as PKCS#8, encrypted if a password is given."""
        encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        return self.native.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)

    def to_jwk(self) -> dict[str, str]:
        """Serialise as a private JWK (EC and Ed25519)."""
        if isinstance(self.native, ec.EllipticCurvePrivateKey):
            curve = _CURVE_OF_NATIVE[self.native.curve.name]
            secret = self.native.private_numbers().private_value.to_bytes(curve.size, "big")
        elif isinstance(self.native, ed25519.Ed25519PrivateKey):
            secret = self.native.private_bytes_raw()
        else:
            raise MalformedInput("RSA keys are kept as PEM")
        return {**self.public.jwk, "d": b64u_encode(secret)}

    def __repr__(self) -> str:
        return f"PrivateKey({self.algorithm})"


def certificate_hash_b64u(certificate: x509.Certificate) -> str:
    """Return base64url of the SHA-256 of a certificate's DER: the value of an `x509_hash` client identifier."""
    return b64u_encode(hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest())


def _load_public(jwk: Jwk) -> NativePublicKey:
    """Load the key material of a JWK; ValueError, TypeError or KeyError when there is none."""
    match jwk["kty"]:
        case "EC":
            return _load_point(jwk["crv"], b64u_decode(jwk["x"]), b64u_decode(jwk["y"]))
        case "OKP" if jwk["crv"] == "Ed25519":
            return _load_point("Ed25519", b64u_decode(jwk["x"]), b"")
        case "RSA":
            n, e = (int.from_bytes(b64u_decode(jwk[member]), "big") for member in ("n", "e"))
            return PublicKey.from_native(rsa.RSAPublicNumbers(e, n).public_key()).native
        case _:
            raise KeyError("kty")


def _load_point(curve_name: str, x: bytes, y: bytes) -> NativePublicKey:
    """Load coordinates; ValueError or KeyError when they are no key on that curve."""
    if curve_name == "Ed25519" and not y:
        return PublicKey.from_native(ed25519.Ed25519PublicKey.from_public_bytes(x)).native
    curve = _CURVES[curve_name]
    if len(x) != curve.size or len(y) != curve.size:
        raise ValueError
    native: Any = serialization.load_der_public_key(curve.spki_prefix + x + y)  # EC: the prefix says so
    key: ec.EllipticCurvePublicKey = native
    return key
