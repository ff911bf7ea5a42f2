"""Whatever comes: a status is what was set, no other byte passes, and only byoid's errors come out."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from byoid.errors import ByoidError
from byoid.formats.identifier_list import IdentifierReference, verify_identifier_list
from byoid.formats.status_array import BITS, StatusArray
from byoid.formats.status_list import (
    StatusReference,
    prepare_status_list_cwt,
    prepare_status_list_token,
    verify_status_list_token,
)
from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.crl import Crls
from byoid.trust.pki import SubjectName, make_crl, make_intermediate, make_leaf, make_root, to_der
from byoid.trust.x509 import ChainCache, verify_chain

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
URI = "https://issuer.example/statuslists/1"
KEY = PrivateKey.generate()
ROOT = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=NOW)
MIDDLE = make_intermediate(ROOT, SubjectName("Middle"), key=PrivateKey.generate(), now=NOW)
CHAIN = to_der(make_leaf(MIDDLE, SubjectName("Leaf"), key=KEY.public, purpose=Purpose.PID, now=NOW), MIDDLE.certificate)
ANCHORS = ROOT.anchor(Purpose.PID)
CRL = make_crl(ROOT, [5], number=1, now=NOW)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["idx", "uri", "id"]), inner),
    max_leaves=8,
)


@given(st.data(), st.sampled_from(BITS), st.integers(0, 600))
def test_every_status_is_the_last_that_was_set(data, bits, size):
    array = StatusArray.of_size(size, bits=bits)
    changes = data.draw(st.lists(st.tuples(st.integers(0, max(size - 1, 0)), st.integers(0, (1 << bits) - 1))))
    for index, status in changes if size else ():
        array.set_status(index, status)
    again = StatusArray.from_compressed(array.compress(), bits=bits)

    wanted = dict(changes) if size else {}
    assert [again.status_at(index) for index in range(again.size)] == [wanted.get(i, 0) for i in range(again.size)]


@given(st.binary(max_size=300), st.sampled_from(BITS))
def test_every_array_of_bytes_survives_compression(data, bits):
    assert StatusArray.from_compressed(StatusArray(bits, data).compress(), bits=bits).data == data


@given(st.binary(max_size=200))
def test_bytes_inflate_or_are_malformed(data):
    try:
        StatusArray.from_compressed(data, bits=1, max_bytes=1000)
    except ByoidError:
        pass


def tokens():
    array = StatusArray.of_size(64)
    options = {"uri": URI, "issued_at": NOW, "algorithm": "ES256", "ttl": timedelta(hours=1)}
    return sign_now(prepare_status_list_token(array, **options), KEY), sign_now(
        prepare_status_list_cwt(array, **options), KEY
    )


JWT, CWT = tokens()


@given(st.integers(0, len(CWT) * 8 - 1))
def test_no_flipped_bit_of_a_cwt_passes(bit):
    changed = bytearray(CWT)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ByoidError):
        verify_status_list_token(bytes(changed), uri=URI, key=KEY.public, now=NOW)


@given(st.integers(0, len(JWT) - 1), st.characters())
def test_no_other_character_of_a_jwt_passes(place, character):
    changed = JWT[:place] + character + JWT[place + 1 :]
    if changed != JWT:
        with pytest.raises(ByoidError):
            verify_status_list_token(changed, uri=URI, key=KEY.public, now=NOW)


@given(st.binary() | st.text())
def test_what_is_no_token_is_refused(token):
    with pytest.raises(ByoidError):
        verify_status_list_token(token, uri=URI, key=KEY.public, now=NOW)


@given(st.binary())
def test_what_is_no_identifier_list_is_refused(token):
    with pytest.raises(ByoidError):
        verify_identifier_list(token, uri=URI, key=KEY.public, now=NOW)


@given(values | st.fixed_dictionaries({}, optional={"status_list": values, "identifier_list": values}))
def test_a_status_claim_is_a_reference_or_none_or_malformed(claim):
    for kind in (StatusReference, IdentifierReference):
        try:
            found = kind.from_claim(claim)
        except ByoidError:
            continue
        assert found is None or kind.from_claim(found.to_claim()) == found


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("place", [0, 1])
def test_no_flipped_bit_that_is_signed_passes(place):
    """Every bit. Outside what is signed, a certificate is malleable: the padding of the signature, R and -S."""
    signed = x509.load_der_x509_certificate(CHAIN[place]).tbs_certificate_bytes
    start, cache = CHAIN[place].index(signed), ChainCache()
    verify_chain(CHAIN, anchors=ANCHORS, purpose=Purpose.PID, now=NOW, cache=cache)
    for bit in range(start * 8, (start + len(signed)) * 8):
        changed = [bytearray(der) for der in CHAIN]
        changed[place][bit // 8] ^= 1 << bit % 8
        with pytest.raises(ByoidError):
            verify_chain([bytes(der) for der in changed], anchors=ANCHORS, purpose=Purpose.PID, now=NOW, cache=cache)


@given(st.lists(st.binary(max_size=64), max_size=5))
def test_bytes_are_no_chain(x5c):
    with pytest.raises(ByoidError):
        verify_chain(x5c, anchors=ANCHORS, purpose=Purpose.PID, now=NOW)


@given(st.integers(-4000, 4000))
def test_a_remembered_chain_is_judged_by_its_dates_like_a_new_one(days):
    now, cache = NOW + timedelta(days=days), ChainCache()
    verify_chain(CHAIN, anchors=ANCHORS, purpose=Purpose.PID, now=NOW, cache=cache)

    def outcome(known):
        try:
            return verify_chain(CHAIN, anchors=ANCHORS, purpose=Purpose.PID, now=now, cache=known).leaf
        except ByoidError as error:
            return type(error)

    assert outcome(cache) == outcome(None)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_no_flipped_bit_of_a_revocation_list_passes():
    signed = x509.load_der_x509_crl(CRL).tbs_certlist_bytes
    start = CRL.index(signed)
    for bit in range(start * 8, (start + len(signed)) * 8):
        changed = bytearray(CRL)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ByoidError):
            Crls.from_der([bytes(changed)]).require_not_revoked(MIDDLE.certificate, ROOT.certificate, now=NOW)


@given(st.binary())
def test_bytes_are_no_anchors(pem):
    with pytest.raises(ByoidError):
        TrustAnchors.from_pem(pem, [Purpose.PID], "file")
