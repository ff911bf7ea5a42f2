"""Certificates that `cryptography` reads only in part: every reader of strangers' certificates refuses them alike."""

import pytest
from cryptography import x509

from byoid.errors import MalformedInput
from byoid.presentation.issuer_trust import UnsafeTrustAnyIssuer, establish_issuer
from byoid.trust.anchors import Purpose
from byoid.trust.certificate import parse_certificate
from byoid.trust.x509 import authority_key_identifiers, verify_chain

VERSION_3, VERSION_5 = bytes.fromhex("a003020102"), bytes.fromhex("a003020104")
UNREADABLE = {
    "an alternative name of X.400": ("2.5.29.17", "3004a3023000"),
    "an alternative name of EDI": ("2.5.29.18", "3004a5023000"),
    "an unknown TLS feature": ("1.3.6.1.5.5.7.1.24", "3003020163"),
    "a name of the wrong type in the key identifier": (
        "2.5.29.35",
        "302b800461626364a120a41e301c310b3009060355040603025554310d300b06035504030c04526f6f74820105",
    ),
    "distribution points that are none": ("2.5.29.31", "0101ff"),
}  # fmt: skip


def with_version_5(der: bytes) -> bytes:
    return der.replace(VERSION_3, VERSION_5, 1)


def with_a_doubled_extension(forge) -> bytes:
    first, second = "1.2.3.4", "1.2.3.5"
    extra = [(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x05\x00"), False) for oid in (first, second)]
    return forge(extra=extra).replace(bytes.fromhex("06032a0305"), bytes.fromhex("06032a0304"))


@pytest.fixture(params=[*UNREADABLE, "version 5", "an extension twice", "a name that is no text"])
def unreadable(request, forge) -> bytes:
    if request.param == "version 5":
        return with_version_5(forge())
    if request.param == "a name that is no text":
        return forge().replace(b"Forged", b"\xff" * 6)
    if request.param == "an extension twice":
        return with_a_doubled_extension(forge)
    oid, value = UNREADABLE[request.param]
    own = {"key_identifier": False} if oid == "2.5.29.35" else {}
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), bytes.fromhex(value))
    return forge(extra=[(extension, False)], **own)


def test_a_certificate_that_can_be_read_is_returned(pki, forge):
    assert parse_certificate(forge()).issuer == pki.root.certificate.subject


@pytest.mark.hostile
def test_a_certificate_that_cannot_be_read_is_malformed_for_everybody(pki, now, unreadable):
    with pytest.raises(MalformedInput):
        parse_certificate(unreadable)
    with pytest.raises(MalformedInput):
        verify_chain([unreadable], anchors=pki.anchors, purpose=Purpose.PID, now=now)
    with pytest.raises(MalformedInput):
        authority_key_identifiers([unreadable])
    with pytest.raises(MalformedInput):
        establish_issuer(UnsafeTrustAnyIssuer(), x5c=(unreadable,), iss=None, kid=None, now=now)
