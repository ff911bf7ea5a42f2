"""A software authenticator: makes real WebAuthn responses, with user verification and the `prf` extension.

Spec: W3C Web Authentication Level 3, §6.1 (authenticator data), §6.5 (attestation `none`), §10.1.4 (`prf`). Used by
tests and by the unattended mode; the vault cannot tell it from another authenticator and gives it no bypass. Keys live
in this object's memory only.
"""

import hmac
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from byoid.cbor import cbor_dumps
from byoid.encoding import b64u_decode, b64u_encode, json_dumps
from wallet.vault.keys import derive

_PRESENT, _VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP, _ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
_AAGUID: Final = bytes(16)


@dataclass
class SoftwarePasskey:
    """One discoverable credential, as an authenticator keeps it."""

    rp_id: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    prf_seed: bytes = field(default_factory=lambda: os.urandom(32))
    sign_count: int = 0

    def prf(self, salt: bytes) -> bytes:
        """Return the PRF output: the salt is hashed with its context, as browsers do, then goes to hmac-secret."""
        return hmac.digest(self.prf_seed, sha256(b"WebAuthn PRF\x00" + salt).digest(), "sha256")


@dataclass
class SoftwareAuthenticator:
    """An authenticator together with its browser: `create` and `get` return what the wallet's page posts.

    Args:
        origin: the page that asks.
        prf: whether it has the extension; without it the vault key is wrapped by the HSM.
    """

    origin: str
    prf: bool = True
    passkeys: list[SoftwarePasskey] = field(default_factory=list)

    def create(self, ceremony: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.create`: what the page posts for a ceremony."""
        options = ceremony["options"]
        passkey = SoftwarePasskey(options["rp"]["id"], b64u_decode(options["user"]["id"]))
        self.passkeys.append(passkey)
        public = passkey.key.public_key().public_numbers()
        cose_key = {1: 2, 3: -7, -1: 1, -2: public.x.to_bytes(32, "big"), -3: public.y.to_bytes(32, "big")}
        attested = _AAGUID + struct.pack(">H", 32) + passkey.credential_id + cbor_dumps(cose_key)
        data = _authenticator_data(passkey, _ATTESTED) + attested
        response = {
            "clientDataJSON": b64u_encode(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": b64u_encode(cbor_dumps({"fmt": "none", "attStmt": {}, "authData": data})),
        }
        return self._post(ceremony, passkey, response, inputs=options["extensions"]["prf"]["eval"])

    def get(self, ceremony: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.get` with the newest passkey that is allowed: what the page posts.

        Raises:
            LookupError: it has none.
        """
        options = ceremony["options"]
        allowed = {descriptor["id"] for descriptor in options.get("allowCredentials", ())}
        fitting = [p for p in self.passkeys if p.rp_id == options["rpId"] and (not allowed or _id(p) in allowed)]
        if not fitting:
            raise LookupError("no passkey fits the request")
        passkey = fitting[-1]
        passkey.sign_count += 1
        client_data = self._client_data("webauthn.get", options["challenge"])
        data = _authenticator_data(passkey, 0)
        response = {
            "clientDataJSON": b64u_encode(client_data),
            "authenticatorData": b64u_encode(data),
            "signature": b64u_encode(passkey.key.sign(data + sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))),
            "userHandle": b64u_encode(passkey.user_handle),
        }
        prf = options.get("extensions", {}).get("prf", {})
        return self._post(
            ceremony, passkey, response, inputs=prf.get("eval") or prf.get("evalByCredential", {}).get(_id(passkey), {})
        )

    def _post(
        self,
        ceremony: Mapping[str, Any],
        passkey: SoftwarePasskey,
        response: Mapping[str, str],
        *,
        inputs: Mapping[str, str],
    ) -> dict[str, Any]:
        secrets = self._secrets(passkey, inputs, ceremony["secrets"])
        return {"ceremony": ceremony["ceremony"], "credential": _credential(passkey, response), "secrets": secrets}

    def _client_data(self, kind: str, challenge: str) -> bytes:
        return json_dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False})

    def _secrets(self, passkey: SoftwarePasskey, inputs: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
        """Derive what the page sends in place of the PRF outputs, by the name of the key that each unwraps."""
        if not self.prf:
            return {}
        outputs = [passkey.prf(b64u_decode(salt)) for salt in inputs.values()]
        return {name: b64u_encode(page_secret(output, name)) for name, output in zip(names, outputs, strict=True)}


def page_secret(prf_output: bytes, name: str) -> bytes:
    """Derive what the page sends for the key `name` (`reading`, `signing`), as `passkey.js` does."""
    return derive(prf_output, f"page {name}")


def _authenticator_data(passkey: SoftwarePasskey, flags: int) -> bytes:
    flags |= _PRESENT | _VERIFIED | _BACKUP_ELIGIBLE | _BACKED_UP
    return sha256(passkey.rp_id.encode()).digest() + struct.pack(">BI", flags, passkey.sign_count)


def _credential(passkey: SoftwarePasskey, response: Mapping[str, str]) -> dict[str, Any]:
    found = {"id": _id(passkey), "rawId": _id(passkey), "type": "public-key", "response": dict(response)}
    return {**found, "clientExtensionResults": {"prf": {"enabled": True}}}


def _id(passkey: SoftwarePasskey) -> str:
    return b64u_encode(passkey.credential_id)
