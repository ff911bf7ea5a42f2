"""Mdocs of byoid before implementations written by others, and theirs before byoid."""

import base64
import json
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cbor2
import isomdoc
import openvc.mdoc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from byoid.errors import HolderBindingError
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.session import session_transcript_dc_api, session_transcript_redirect
from byoid.formats.mdoc.structures import parse_device_response
from byoid.formats.mdoc.verify import verify_document, verify_issuer_signed
from byoid.keys import PrivateKey
from byoid.signing import sign_now

pytestmark = pytest.mark.peers

NPM = Path(__file__).parent / "npm"
NOW = datetime.now(UTC).replace(microsecond=0)  # isomdoc and openvc read the clock of the machine
PID = "eu.europa.ec.eudi.pid.1"
TEXTS = {PID: {"family_name": "García", "given_name": "Javier", "sex": 1, "nationality": ["ES"], "adult": True}}
CHOSEN = {PID: {"family_name": "García", "nationality": ["ES"]}}
DOCUMENT_SIGNER = x509.ObjectIdentifier("1.0.18013.5.1.2")
TRANSCRIPT = session_transcript_redirect("x509_san_dns:v.example", "nonce-1", "https://v.example/r", b"\x07" * 32)


class Pki:
    """An IACA and a document signer of the profile in 18013-5 Annex B."""

    def __init__(self) -> None:
        self.root_key, self.key = PrivateKey.generate(), PrivateKey.generate()
        self.root = self.certify("IACA", self.root_key, ca=True)
        self.signer = self.certify("Document signer", self.key, ca=False)
        self.device = PrivateKey.generate()
        self.reader = PrivateKey.generate()

    def certify(self, name: str, key: PrivateKey, *, ca: bool) -> x509.Certificate:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.root_key.public.native)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name(name))
            .issuer_name(self.name("IACA"))
            .public_key(key.public.native)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=300))
            .add_extension(x509.BasicConstraints(ca, 0 if ca else None), True)
            .add_extension(x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **usage), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public.native), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False)
            .add_extension(x509.IssuerAlternativeName([x509.UniformResourceIdentifier("https://i.example")]), False)
        )
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage([DOCUMENT_SIGNER]), True)
        return builder.sign(self.root_key.native, hashes.SHA256())

    def name(self, common_name: str) -> x509.Name:
        return x509.Name(
            [x509.NameAttribute(NameOID.COUNTRY_NAME, "ES"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
        )

    def issue(self, namespaces: dict = TEXTS, digest_algorithm: str = "SHA-256") -> bytes:
        unsigned = prepare_mdoc(
            namespaces,
            doctype=PID,
            device_key=self.device.public,
            x5chain=[der(self.signer)],
            algorithm="ES256",
            signed=NOW,
            valid_from=NOW,
            valid_until=NOW + timedelta(days=14),
            digest_algorithm=digest_algorithm,
        )
        return sign_now(unsigned, self.key)

    def present(self, issued: bytes, elements: dict = CHOSEN) -> bytes:
        chosen = [(namespace, name) for namespace, names in elements.items() for name in names]
        held = HeldMdoc.from_bytes(issued)
        return sign_now(held.prepare_response(chosen, session_transcript=TRANSCRIPT, algorithm="ES256"), self.device)

    def verify(self, response: bytes, **changes):
        [document] = parse_device_response(response).documents
        members = {"issuer_key": self.key.public, "session_transcript": TRANSCRIPT, "now": NOW}
        return verify_document(document, **members | changes, issuer_certificate=self.signer)


@pytest.fixture(scope="module")
def pki():
    return Pki()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def ask(peer: str, command: str, **members):
    """Have a Node peer do something; its answer, or its error as an AssertionError."""
    request = json.dumps({"command": command, **members})
    done = subprocess.run(
        ["node", f"mdoc-{peer}.mjs"], cwd=NPM, input=request, capture_output=True, text=True, check=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert "error" not in answer, answer["error"]
    return answer["result"]


NODE_PEERS = pytest.mark.parametrize("peer", ["owf", "animo"])


def requested(elements: dict) -> dict:
    return {namespace: dict.fromkeys(names, False) for namespace, names in elements.items()}


def peer_issue(pki: Pki, peer: str) -> bytes:
    issued = ask(
        peer, "issue", issuerKey=pki.key.to_jwk(), deviceKey=pki.device.public.jwk, certificate=b64(der(pki.signer)),
        doctype=PID, namespaces=TEXTS, now=NOW.isoformat(),
    )  # fmt: skip
    return base64.b64decode(issued)


def peer_present(pki: Pki, peer: str, issued: bytes, **members) -> bytes:
    response = ask(
        peer, "present", issued=b64(issued), deviceKey=pki.device.to_jwk(), doctype=PID, elements=requested(CHOSEN),
        transcript=b64(TRANSCRIPT), **members,
    )  # fmt: skip
    return base64.b64decode(response)


def peer_verify(pki: Pki, peer: str, response: bytes, transcript: bytes = TRANSCRIPT, **members):
    return ask(
        peer, "verify", response=b64(response), trusted=b64(der(pki.root)), transcript=b64(transcript),
        now=NOW.isoformat(), **members,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ ours before them


@NODE_PEERS
@pytest.mark.parametrize("digest_algorithm", ["SHA-256", "SHA-384", "SHA-512"])
def test_a_node_peer_verifies_our_response(pki, peer, digest_algorithm):
    answer = peer_verify(pki, peer, pki.present(pki.issue(digest_algorithm=digest_algorithm)))

    assert answer == {"failed": [], "namespaces": CHOSEN}


@NODE_PEERS
def test_a_node_peer_refuses_our_response_for_another_session(pki, peer):
    other = session_transcript_redirect("x509_san_dns:v.example", "nonce-2", "https://v.example/r", b"\x07" * 32)

    assert peer_verify(pki, peer, pki.present(pki.issue()), other)["failed"]


def present_with_mac(pki: Pki) -> bytes:
    return HeldMdoc.from_bytes(pki.issue()).respond_with_mac(
        [(PID, "family_name"), (PID, "nationality")],
        session_transcript=TRANSCRIPT,
        device_key=pki.device,
        reader_key=pki.reader.public,
    )


def test_animo_verifies_our_device_mac(pki):
    answer = peer_verify(pki, "animo", present_with_mac(pki), readerKey=pki.reader.to_jwk())

    assert answer == {"failed": [], "namespaces": CHOSEN}


def test_owf_verifies_our_device_mac(pki):
    members = {"response": b64(present_with_mac(pki)), "transcript": b64(TRANSCRIPT)}

    assert ask("owf", "verifyMac", readerKey=pki.reader.to_jwk(), **members)
    assert not ask("owf", "verifyMac", readerKey=PrivateKey.generate().to_jwk(), **members)


@NODE_PEERS
def test_a_node_peer_presents_what_we_issued(pki, peer):
    response = peer_present(pki, peer, pki.issue())

    assert pki.verify(response).namespaces == CHOSEN


def test_owf_accepts_our_credential_at_receipt(pki):
    assert ask("owf", "receive", issued=b64(pki.issue()), trusted=b64(der(pki.root)), now=NOW.isoformat()) == []


def test_isomdoc_verifies_our_response(pki):
    elements = {PID: {**TEXTS[PID], "birth_date": date(1980, 5, 23), "expiry_date": NOW}}

    verified = isomdoc.verify_device_response(pki.present(pki.issue(elements), elements), cbor2.loads(TRANSCRIPT))

    [document] = verified.documents
    for name, value in elements[PID].items():
        assert document.issuer_signed.get_element_value(PID, name) == value


@pytest.mark.parametrize("digest_algorithm", ["SHA-256", "SHA-384", "SHA-512"])
def test_openvc_verifies_our_response_with_its_chain(pki, digest_algorithm):
    response = pki.present(pki.issue(digest_algorithm=digest_algorithm))

    [verified] = openvc.mdoc.verify_device_response(response, trust_anchors=[pki.root], session_transcript=TRANSCRIPT)

    assert verified.elements(PID) == CHOSEN[PID]
    assert verified.device_signed


def test_openvc_and_we_refuse_the_same_session(pki):
    response = pki.present(pki.issue())
    other = session_transcript_dc_api("https://v.example", "nonce-1", None)

    with pytest.raises(openvc.mdoc.MdocDeviceAuthError):
        openvc.mdoc.verify_device_response(response, trust_anchors=[pki.root], session_transcript=other)
    with pytest.raises(HolderBindingError):
        pki.verify(response, session_transcript=other)


# ------------------------------------------------------------------------------------------------ theirs before us


@NODE_PEERS
def test_we_accept_at_receipt_what_a_node_peer_issued_and_present_it_back(pki, peer):
    issued = peer_issue(pki, peer)

    received = verify_issuer_signed(
        issued,
        issuer_key=pki.key.public,
        doctype=PID,
        device_key=pki.device.public,
        now=NOW,
        issuer_certificate=pki.signer,
    )

    assert received.namespaces == TEXTS
    response = pki.present(issued)
    assert pki.verify(response).namespaces == CHOSEN
    assert peer_verify(pki, peer, response) == {"failed": [], "namespaces": CHOSEN}


@NODE_PEERS
def test_we_verify_what_a_node_peer_issued_and_presented(pki, peer):
    response = peer_present(pki, peer, peer_issue(pki, peer))

    assert pki.verify(response).namespaces == CHOSEN
    with pytest.raises(HolderBindingError):
        pki.verify(response, session_transcript=session_transcript_dc_api("https://v.example", "nonce-1", None))


def test_we_verify_the_device_mac_of_animo(pki):
    response = peer_present(pki, "animo", pki.issue(), readerKey=pki.reader.public.jwk)

    assert pki.verify(response, mac_key=pki.reader).namespaces == CHOSEN


def test_we_accept_what_isomdoc_issued(pki):
    mdoc = isomdoc.create_mdoc(PID, [pki.signer], pki.key.native)
    elements = {**TEXTS[PID], "birth_date": date(1980, 5, 23)}
    for name, value in elements.items():
        mdoc.add_data_item(PID, name, value)

    issued = mdoc.generate_credential(pki.device.public.native, NOW, NOW, NOW + timedelta(days=1))

    received = verify_issuer_signed(
        issued, issuer_key=pki.key.public, doctype=PID, device_key=pki.device.public, now=NOW
    )
    assert received.namespaces == {PID: elements}
    assert pki.verify(pki.present(issued)).namespaces == CHOSEN


@pytest.mark.parametrize("thumbprint", [None, b"\x07" * 32])
def test_owf_makes_the_same_session_transcripts(thumbprint):
    encoded = thumbprint and b64(thumbprint)

    redirect = ask("owf", "transcript", clientId="c", nonce="n", responseUri="https://v.example/r", thumbprint=encoded)
    dc_api = ask("owf", "transcript", origin="https://v.example", nonce="n", thumbprint=encoded)

    assert base64.b64decode(redirect) == session_transcript_redirect("c", "n", "https://v.example/r", thumbprint)
    assert base64.b64decode(dc_api) == session_transcript_dc_api("https://v.example", "n", thumbprint)
