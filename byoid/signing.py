"""Signing in two phases, so that a key may live in an HSM or a cloud KMS: prepare the bytes, then attach a signature.

Everything that byoid signs (JWS, COSE_Sign1, key binding, device signatures, status lists, request objects) is first an
`Unsigned`; `sign` joins it with a `Signer`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from byoid.keys import Jwk, PrivateKey

T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class Signer(Protocol):
    """A key that signs without showing itself.

    `algorithm` is the JOSE name (`ES256` …); `x5c` the certificate chain as DER, leaf first, the trust anchor left out
    (HAIP), empty where the key has no certificate. `sign` returns the raw signature, R‖S for ECDSA.
    """

    @property
    def algorithm(self) -> str:
        """The JOSE algorithm."""
        ...

    @property
    def public_jwk(self) -> Jwk:
        """The public key, without private members."""
        ...

    @property
    def x5c(self) -> Sequence[bytes]:
        """The certificate chain, DER, leaf first, without the anchor."""
        ...

    async def sign(self, data: bytes) -> bytes:
        """Sign `data`, not a digest of it."""
        ...


class Unsigned(Protocol[T_co]):
    """Something that waits for its signature."""

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign."""
        ...

    def attach(self, signature: bytes) -> T_co:
        """Return the finished object. The signature is trusted to be right: it is ours."""
        ...


T = TypeVar("T")


async def sign(unsigned: Unsigned[T], signer: Signer) -> T:
    """Sign with a key that may be far away."""
    return unsigned.attach(await signer.sign(unsigned.signing_input))


def sign_now(unsigned: Unsigned[T], key: PrivateKey) -> T:
    """Sign with a key in this process's memory, without an event loop."""
    return unsigned.attach(key.sign(unsigned.signing_input))


@dataclass(frozen=True)
class SoftwareSigner:
    """A signer whose key is in this process's memory: for tests, demos and holder keys that a vault has opened."""

    key: PrivateKey
    x5c: Sequence[bytes] = field(default=())

    @property
    def algorithm(self) -> str:
        """The JOSE algorithm."""
        return self.key.algorithm

    @property
    def public_jwk(self) -> Jwk:
        """The public key."""
        return self.key.public.jwk

    async def sign(self, data: bytes) -> bytes:
        """Sign with the key in memory."""
        return self.key.sign(data)
