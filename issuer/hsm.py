"""Keys in an HSM by PKCS#11 v2.40 (ECDSA). Needs the extra [hsm].

python-pkcs11 is not thread-safe, and dies of it: one lock for the process, as there is one library for the process.
"""

import asyncio
import hashlib
import threading
from dataclasses import dataclass
from typing import Any, Final

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11.exceptions import PKCS11Error, UserAlreadyLoggedIn
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from byoid.errors import MalformedInput
from byoid.keys import Jwk, PublicKey
from byoid.wire_errors import TemporarilyUnavailable

_HASHES: Final = {"ES256": hashlib.sha256, "ES384": hashlib.sha384, "ES512": hashlib.sha512}
_LOCK: Final = threading.Lock()


@dataclass(frozen=True, repr=False)
class Pkcs11Hsm:
    """A session with a token of an HSM."""

    session: Any  # a pkcs11 session; the package has no types

    @classmethod
    def open(cls, *, library: str, token: str, pin: str) -> "Pkcs11Hsm":
        """Log in to a token.

        Raises:
            MalformedInput: no such library or token, or a wrong PIN.
        """
        try:
            found = pkcs11.lib(library).get_token(token_label=token)
            try:
                return cls(found.open(user_pin=pin, rw=True))
            except UserAlreadyLoggedIn:  # this process has a session already, and a login is for the process
                return cls(found.open(rw=True))
        except (PKCS11Error, RuntimeError) as error:
            raise MalformedInput(f"the HSM's token {token!r} cannot be used: {type(error).__name__}") from error

    def generate(self, label: str) -> PublicKey:
        """Make a P-256 key that never leaves the HSM; return its public half."""
        template = {pkcs11.Attribute.EXTRACTABLE: False, pkcs11.Attribute.SENSITIVE: True}
        curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        with _LOCK:
            parameters = self.session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
            public, _ = parameters.generate_keypair(store=True, label=label, private_template=template)
            return PublicKey.from_native(load_der_public_key(encode_ec_public_key(public)))

    def signer(self, label: str, chain: tuple[bytes, ...]) -> "Pkcs11Signer":
        """Return the signer of a key; see `issuer.keys.Hsm`."""
        with _LOCK:
            try:
                key = self.session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=label)
                public = encode_ec_public_key(
                    self.session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, label=label)
                )
            except PKCS11Error as error:
                raise MalformedInput(f"the HSM has no key {label!r}: {type(error).__name__}") from error
        certified = PublicKey.from_certificate(x509.load_der_x509_certificate(chain[0])) if chain else None
        if certified is None or _spki(certified) != public:
            raise MalformedInput(f"the certificate is for another key than {label!r}")
        return Pkcs11Signer(self, key, certified, chain)


@dataclass(frozen=True, repr=False)
class Pkcs11Signer:
    """A key in an HSM."""

    hsm: Pkcs11Hsm
    key: Any
    public: PublicKey
    x5c: tuple[bytes, ...]

    @property
    def algorithm(self) -> str:
        """The JOSE algorithm."""
        return next(iter(self.public.algorithms))

    @property
    def public_jwk(self) -> Jwk:
        """The public key."""
        return self.public.jwk

    async def sign(self, data: bytes) -> bytes:
        """Sign inside the HSM.

        Raises:
            TemporarilyUnavailable: the HSM does not answer as it should.
        """
        digest = _HASHES[self.algorithm](data).digest()
        try:
            return await asyncio.to_thread(self._run, digest)
        except PKCS11Error as error:
            raise TemporarilyUnavailable("signing is not possible now, try again later", detail=repr(error)) from error

    def _run(self, digest: bytes) -> bytes:
        with _LOCK:
            signature: bytes = self.key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
            return signature


def _spki(key: PublicKey) -> bytes:
    return key.native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
