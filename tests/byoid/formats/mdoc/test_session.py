"""Session transcripts against the examples of OpenID4VP 1.0, and the key of a device MAC."""

import hashlib
import hmac
import json
from pathlib import Path

import cbor2
import pytest

from byoid.errors import MalformedInput
from byoid.formats.mdoc.session import (
    agree_mac_key,
    device_authentication_bytes,
    session_transcript_dc_api,
    session_transcript_redirect,
)
from byoid.keys import PrivateKey, PublicKey

VECTORS = Path(__file__).parents[3] / "vectors" / "openid4vp" / "session_transcript.json"


@pytest.fixture
def vector():
    return json.loads(VECTORS.read_text())


@pytest.fixture
def thumbprint(vector):
    return PublicKey.from_jwk(vector["encryption_jwk"]).thumbprint


def test_the_transcript_of_redirects_is_the_example(vector, thumbprint):
    request = vector["redirect"]

    made = session_transcript_redirect(request["client_id"], vector["nonce"], request["response_uri"], thumbprint)

    assert made.hex() == request["session_transcript_hex"]
    assert cbor2.loads(made)[2][1] == hashlib.sha256(bytes.fromhex(request["handover_info_hex"])).digest()


def test_the_transcript_of_the_dc_api_is_the_example(vector, thumbprint):
    made = session_transcript_dc_api(vector["dc_api"]["origin"], vector["nonce"], thumbprint)

    assert made.hex() == vector["dc_api"]["session_transcript_hex"]


def test_an_unencrypted_response_has_null_in_place_of_the_thumbprint():
    expected = hashlib.sha256(cbor2.dumps(["https://v.example", "n", None])).digest()

    transcript = cbor2.loads(session_transcript_dc_api("https://v.example", "n", None))

    assert transcript == [None, None, ["OpenID4VPDCAPIHandover", expected]]


@pytest.mark.parametrize("thumbprint", [b"", b"\x01" * 31, b"x" * 43])
def test_a_thumbprint_that_is_not_of_32_raw_bytes_is_our_own_fault(thumbprint):
    with pytest.raises(ValueError, match="32 raw bytes"):
        session_transcript_redirect("client", "n", "https://v.example/r", thumbprint)
    with pytest.raises(ValueError, match="32 raw bytes"):
        session_transcript_dc_api("https://v.example", "n", thumbprint)


def test_device_authentication_takes_its_parts_over_byte_for_byte():
    transcript, namespaces = b"\x83\xf6\xf6\x80", b"\xd8\x18\x41\xa0"

    made = device_authentication_bytes(transcript, "org.example.doc", namespaces)

    inner = cbor2.loads(made).value
    assert transcript in inner
    assert inner.endswith(namespaces)
    assert cbor2.loads(inner)[::2] == ["DeviceAuthentication", "org.example.doc"]


def test_both_sides_agree_on_the_mac_key_of_a_session_only():
    device, reader = PrivateKey.generate(), PrivateKey.generate()

    key = agree_mac_key(device, reader.public, b"\x80")

    assert len(key) == 32
    assert key == agree_mac_key(reader, device.public, b"\x80")
    assert key != agree_mac_key(reader, device.public, b"\x81\x00")


def test_the_mac_key_is_derived_as_the_standard_says():
    """18013-5 9.1.3.5: HKDF with SHA-256, salted with the hash of SessionTranscriptBytes, info "EMacKey"."""
    device, reader = PrivateKey.generate(), PrivateKey.generate()

    extracted = hmac.digest(hashlib.sha256(b"\xd8\x18\x41\x80").digest(), device.exchange(reader.public), "sha256")

    assert agree_mac_key(device, reader.public, b"\x80") == hmac.digest(extracted, b"EMacKey\x01", "sha256")


def test_keys_on_different_curves_have_no_mac_key():
    with pytest.raises(MalformedInput):
        agree_mac_key(PrivateKey.generate(), PrivateKey.generate("P-384").public, b"\x80")
