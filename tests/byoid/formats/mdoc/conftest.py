"""An issuer, a device and a verifier of mdocs, and a forge that makes any part of a response wrong and signs it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from byoid.cose import public_key_to_cose_key
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.session import session_transcript_redirect
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.mdoc.verify import VerifiedMdoc, verify_document
from byoid.keys import PrivateKey
from byoid.signing import sign_now

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PID = "eu.europa.ec.eudi.pid.1"
DOMESTIC = "eu.europa.ec.eudi.pid.de.1"
NAMESPACES: dict[str, dict[str, Any]] = {
    PID: {
        "family_name": "Garcia",
        "given_name": "Javier",
        "birth_date": date(1980, 5, 23),
        "place_of_birth": {"country": "ES", "locality": "Toledo"},
        "nationality": ["ES", "FR"],
        "portrait": b"\xff\xd8\xff\xe0 portrait",
        "sex": 1,
        "expiry_date": datetime(2031, 1, 1, tzinfo=UTC),
    },
    DOMESTIC: {"municipality": "Toledo", "adult": True},
}


@dataclass
class World:
    """Everybody's keys, the document signer's certificate, and one session."""

    issuer_key: PrivateKey
    device_key: PrivateKey
    certificate: x509.Certificate
    transcript: bytes
    now: datetime = NOW

    @property
    def x5chain(self) -> list[bytes]:
        return [self.certificate.public_bytes(Encoding.DER)]

    def issue(self, namespaces: dict[str, dict[str, Any]] = NAMESPACES, **changes: Any) -> bytes:
        members: dict[str, Any] = {
            "doctype": PID,
            "device_key": self.device_key.public,
            "x5chain": self.x5chain,
            "algorithm": self.issuer_key.algorithm,
            "signed": self.now,
            "valid_from": self.now,
            "valid_until": self.now + timedelta(days=14),
        }
        return sign_now(prepare_mdoc(namespaces, **members | changes), self.issuer_key)

    def present(self, elements: list[tuple[str, str]], held: HeldMdoc | None = None, **changes: Any) -> bytes:
        mdoc = held or HeldMdoc.from_bytes(self.issue())
        members = {"session_transcript": self.transcript, "algorithm": self.device_key.algorithm}
        return sign_now(mdoc.prepare_response(elements, **members | changes), self.device_key)

    def verify(self, response: bytes, **changes: Any) -> VerifiedMdoc:
        [document] = parse_device_response(response).documents
        members: dict[str, Any] = {
            "issuer_key": self.issuer_key.public,
            "session_transcript": self.transcript,
            "now": self.now,
        }
        return verify_document(document, **members | changes)


@dataclass
class Forge:
    """Builds a DeviceResponse with cbor2 alone. `edits` change one stage each; what follows is signed as it then is."""

    world: World
    edits: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    signer: PrivateKey | None = None
    device: PrivateKey | None = None

    def edit(self, stage: str, value: Any) -> Any:
        """Apply the edit of a stage: in place, or by what it returns."""
        changed = self.edits[stage](value) if stage in self.edits else None
        return value if changed is None else changed

    def response(self) -> bytes:
        document = {
            "docType": PID,
            "issuerSigned": self.edit("issuer_signed", self._issuer_signed()),
            "deviceSigned": self.edit("device_signed", self._device_signed()),
        }
        response = {"version": "1.0", "documents": [self.edit("document", document)], "status": 0}
        return bytes(self.edit("bytes", cbor2.dumps(self.edit("response", response))))

    def _issuer_signed(self) -> dict[str, Any]:
        items = {
            namespace: [
                {"digestID": number, "random": bytes([number]) * 16, "elementIdentifier": name, "elementValue": value}
                for number, (name, value) in enumerate(elements.items())
            ]
            for namespace, elements in {PID: {"family_name": "Garcia", "sex": 1}, DOMESTIC: {"adult": True}}.items()
        }
        items = self.edit("items", items)
        mso = self.edit("mso", self._mso(items))
        disclosed = self.edit("disclosed", items)
        tagged = {
            namespace: [cbor2.CBORTag(24, cbor2.dumps(item)) for item in elements]
            for namespace, elements in disclosed.items()
        }
        return {"nameSpaces": self.edit("tagged", tagged), "issuerAuth": self._issuer_auth(mso)}

    def _mso(self, items: Any) -> dict[str, Any]:
        validity = {
            "signed": self.world.now,
            "validFrom": self.world.now,
            "validUntil": self.world.now + timedelta(days=14),
        }
        digests = {
            namespace: {
                item["digestID"]: hashlib.sha256(cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(item)))).digest()
                for item in elements
            }
            for namespace, elements in items.items()
        }
        return {
            "version": "1.0",
            "digestAlgorithm": "SHA-256",
            "valueDigests": digests,
            "deviceKeyInfo": {"deviceKey": public_key_to_cose_key(self.world.device_key.public)},
            "docType": PID,
            "validityInfo": validity,
        }

    def _issuer_auth(self, mso: Any) -> Any:
        payload = self.edit("payload", cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(mso))))
        protected = cbor2.dumps(self.edit("issuer_protected", {1: -7}))
        signature = (self.signer or self.world.issuer_key).sign(cbor2.dumps(["Signature1", protected, b"", payload]))
        return self.edit("issuer_auth", [protected, {33: self.world.x5chain[0]}, payload, signature])

    def _device_signed(self) -> dict[str, Any]:
        tagged = cbor2.CBORTag(24, cbor2.dumps(self.edit("device_namespaces", {})))
        authenticated = ["DeviceAuthentication", cbor2.loads(self.world.transcript), PID, tagged]
        content = cbor2.dumps(cbor2.CBORTag(24, cbor2.dumps(self.edit("device_authentication", authenticated))))
        protected = cbor2.dumps(self.edit("device_protected", {1: -7}))
        signature = (self.device or self.world.device_key).sign(cbor2.dumps(["Signature1", protected, b"", content]))
        auth = {"deviceSignature": self.edit("device_signature", [protected, {}, None, signature])}
        return {"nameSpaces": tagged, "deviceAuth": self.edit("device_auth", auth)}


@pytest.fixture(scope="session")
def world() -> World:
    issuer_key = PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Document signer")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(issuer_key.public.native)
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=300))
        .sign(issuer_key.native, hashes.SHA256())
    )
    transcript = session_transcript_redirect("x509_san_dns:verifier.example", "nonce-1", "https://v.example/r", None)
    return World(issuer_key, PrivateKey.generate(), certificate, transcript)


@pytest.fixture
def forge(world: World) -> Forge:
    return Forge(world)


@pytest.fixture
def held(world: World) -> HeldMdoc:
    return HeldMdoc.from_bytes(world.issue())


@pytest.fixture
def namespaces() -> dict[str, dict[str, Any]]:
    return {namespace: dict(elements) for namespace, elements in NAMESPACES.items()}
