"""Identifier lists of mdocs: ISO/IEC 18013-5 second edition 12.3.6."""

from datetime import UTC, datetime, timedelta

import pytest

from byoid.cbor import cbor_dumps
from byoid.cose import TYPE, parse_sign1, prepare_sign1
from byoid.errors import BadSignature, ClaimMismatch, Expired, MalformedInput, NotYetValid, Revoked, WrongType
from byoid.formats.identifier_list import (
    MEDIA_TYPE,
    IdentifierReference,
    prepare_identifier_list,
    verify_identifier_list,
)
from byoid.keys import PrivateKey
from byoid.signing import sign_now

URI = "https://issuer.example/identifiers"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
KEY = PrivateKey.generate()
CLAIMS = {2: URI, 6: SECONDS, 4: SECONDS + 3600, 65530: {"identifiers": {b"one": {}}}}


def sign(claims, *, typ=MEDIA_TYPE, key=KEY):
    protected = {TYPE: typ} if typ else {}
    unsigned = prepare_sign1(cbor_dumps(claims), algorithm="ES256", protected=protected, tagged=True)
    return sign_now(unsigned, key)


def verify(token, **options):
    return verify_identifier_list(token, uri=URI, key=KEY.public, now=NOW, **options)


def test_a_published_list_is_read():
    unsigned = prepare_identifier_list(
        [b"one", b"two"],
        uri=URI,
        issued_at=NOW,
        algorithm="ES256",
        expires_at=NOW + timedelta(days=1),
        ttl=timedelta(hours=1),
        x5chain=[b"leaf", b"ca"],
    )
    token = sign_now(unsigned, KEY)
    identifiers = verify(token)

    assert parse_sign1(token).x5chain == (b"leaf", b"ca")
    assert verify(parse_sign1(token)) == identifiers
    assert (identifiers.uri, identifiers.issued_at, identifiers.ttl) == (URI, NOW, timedelta(hours=1))
    assert identifiers.expires_at == NOW + timedelta(days=1)
    identifiers.require_not_listed(b"three")
    with pytest.raises(Revoked):
        identifiers.require_not_listed(b"two")


def test_an_empty_list_revokes_nobody():
    token = sign_now(prepare_identifier_list([], uri=URI, issued_at=NOW, algorithm="ES256"), KEY)

    verify(token).require_not_listed(b"one")
    assert token[0] == 0xD2
    assert parse_sign1(token).protected.keys() == {1, TYPE}


def test_a_list_may_take_more_than_a_megabyte():
    identifiers = [number.to_bytes(64, "big") for number in range(20_000)]
    token = sign_now(prepare_identifier_list(identifiers, uri=URI, issued_at=NOW, algorithm="ES256"), KEY)

    with pytest.raises(Revoked):
        verify(token).require_not_listed(identifiers[-1])


def test_a_reference_is_written_as_it_is_read():
    reference = IdentifierReference(URI, b"one")
    assert IdentifierReference.from_claim(reference.to_claim()) == reference


def test_a_reference_may_be_as_long_as_the_limits_say():
    reference = IdentifierReference("u" * 2048, b"1" * 64)
    assert IdentifierReference.from_claim(reference.to_claim()) == reference


@pytest.mark.parametrize("claim", [None, {}, {"status_list": {"idx": 1, "uri": URI}}])
def test_an_mdoc_without_identifier_list_has_no_reference(claim):
    assert IdentifierReference.from_claim(claim) is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    "claim",
    [
        "x",
        {"identifier_list": []},
        {"identifier_list": {"id": b"one"}},
        {"identifier_list": {"uri": URI}},
        {"identifier_list": {"id": "one", "uri": URI}},
        {"identifier_list": {"id": b"", "uri": URI}},
        {"identifier_list": {"id": b"one", "uri": ""}},
        {"identifier_list": {"id": b"1" * 65, "uri": URI}},
        {"identifier_list": {"id": b"one", "uri": "u" * 2049}},
    ],
)
def test_a_reference_of_another_form_is_malformed(claim):
    with pytest.raises(MalformedInput):
        IdentifierReference.from_claim(claim)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("token", "error"),
    [
        (b"junk", MalformedInput),
        (sign(CLAIMS, typ=None), WrongType),
        (sign(CLAIMS, typ="application/statuslist+cwt"), WrongType),
        (sign(CLAIMS, key=PrivateKey.generate()), BadSignature),
        (sign([1]), MalformedInput),
        (sign({**CLAIMS, 65533: {"bits": 1, "lst": b""}}), MalformedInput),
        (sign({**CLAIMS, 2: "https://other.example"}), ClaimMismatch),
        (sign({2: URI, 65530: {"identifiers": {}}}), MalformedInput),
        (sign({2: URI, 6: SECONDS}), MalformedInput),
        (sign({**CLAIMS, 65530: []}), MalformedInput),
        (sign({**CLAIMS, 65530: {}}), MalformedInput),
        (sign({**CLAIMS, 65530: {"identifiers": [b"one"]}}), MalformedInput),
        (sign({**CLAIMS, 65530: {"identifiers": {"one": {}}}}), MalformedInput),
        (sign({**CLAIMS, 4: SECONDS - 60}), Expired),
        (sign({**CLAIMS, 6: SECONDS + 61}), NotYetValid),
    ],
)
def test_a_bad_list_is_refused(token, error):
    with pytest.raises(error):
        verify(token)


@pytest.mark.hostile
def test_a_list_older_than_the_policy_allows_is_refused():
    with pytest.raises(Expired):
        verify(sign({**CLAIMS, 6: SECONDS - 7200}), max_age=timedelta(hours=1))
