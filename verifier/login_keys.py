"""The keys that sign ID tokens: `login.rs256.key` and `login.es256.key` in the folder of keys (PEM).

OpenID Connect Core 1.0 2, 3.1.3.6 and 15.1 (RS256 must be there), RFC 7517 5. Further keys, such as
`login.rs256.next.key` or `login.rs256.old.key`, are published beside them, so that a key can change without a moment in
which nobody knows it.
RS256 is made here and nowhere else in byoid, since OpenID Connect makes it every provider's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from byoid.encoding import b64u_encode_bytes, json_dumps
from byoid.errors import MalformedInput
from byoid.jose import UnsignedJws
from byoid.keys import PrivateKey

RS256: Final = "RS256"
ES256: Final = "ES256"
ALGORITHMS: Final = (RS256, ES256)
_RSA_BITS: Final = 3072


@dataclass(frozen=True)
class LoginKeys:
    """The signing key of each algorithm, and the public keys that clients verify by."""

    signing: Mapping[str, PrivateKey] = field(repr=False)
    jwks: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the keys; None if there are none, which means that there are no logins.

        Raises:
            MalformedInput: a file is no such key, or an RSA key of less than 2048 bits; the message names it.
        """
        if not are_in(folder):
            return None
        found = {
            path: (_load(path, algorithm), algorithm)
            for algorithm in ALGORITHMS
            for path in sorted(folder.glob(f"login.{algorithm.lower()}*.key"))
        }
        signing = {each: found[path][0] for each in ALGORITHMS if (path := _path(folder, each)) in found}
        return cls(signing, {"keys": [_public(key, algorithm) for key, algorithm in found.values()]})

    def sign(self, claims: Mapping[str, Any], *, algorithm: str) -> str:
        """Return an ID token.

        Raises:
            KeyError: there is no key for this algorithm.
        """
        key = self.signing[algorithm]
        header = {"alg": algorithm, "typ": "JWT", "kid": key.public.thumbprint_b64u}
        signing_input = b64u_encode_bytes(json_dumps(header)) + b"." + b64u_encode_bytes(json_dumps(claims))
        if isinstance(key.native, rsa.RSAPrivateKey):
            signature = key.native.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = key.sign(signing_input)
        return UnsignedJws(signing_input).attach(signature)


def are_in(folder: Path) -> bool:
    """Tell whether there are keys, and so logins."""
    return any(_path(folder, each).exists() for each in ALGORITHMS)


def make_keys(folder: Path) -> list[Path]:
    """Make the keys that are missing; return their files."""
    made = []
    for algorithm in ALGORITHMS:
        path = _path(folder, algorithm)
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(_generate(algorithm).to_pem())
            made.append(path)
    return made


def _generate(algorithm: str) -> PrivateKey:
    if algorithm == RS256:
        return PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS))
    return PrivateKey.generate()


def _path(folder: Path, algorithm: str) -> Path:
    return folder / f"login.{algorithm.lower()}.key"


def _load(path: Path, algorithm: str) -> PrivateKey:
    try:
        key = PrivateKey.from_pem(path.read_bytes())
    except (OSError, MalformedInput) as error:
        raise MalformedInput(f"{path.name}: {error}") from error
    if isinstance(key.native, rsa.RSAPrivateKey) != (algorithm == RS256) or key.algorithm not in {"PS256", ES256}:
        raise MalformedInput(f"{path.name}: expected a key for {algorithm}")
    return key


def _public(key: PrivateKey, algorithm: str) -> dict[str, str]:
    return {**key.public.jwk, "kid": key.public.thumbprint_b64u, "use": "sig", "alg": algorithm}
