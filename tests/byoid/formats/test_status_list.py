"""Status references and Status List Tokens: draft-ietf-oauth-status-list 5, 6, 8.3, 8.4, 9."""

import json
import os
import re
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import pytest

from byoid.cbor import cbor_dumps
from byoid.cose import TYPE, prepare_sign1
from byoid.encoding import b64u_encode
from byoid.errors import (
    BadSignature,
    ClaimMismatch,
    Expired,
    MalformedInput,
    NotYetValid,
    StatusUnavailable,
    WrongType,
)
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import (
    CWT_MEDIA_TYPE,
    JWT_MEDIA_TYPE,
    StatusReference,
    parse_status_list_token,
    prepare_status_list_cwt,
    prepare_status_list_token,
    verify_status_list_token,
)
from byoid.formats.status_list_aggregation import StatusListAggregation
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey, PublicKey
from byoid.message import parse_message
from byoid.signing import sign_now

VECTORS = Path(__file__).parents[2] / "vectors" / "token-status-list"
URI = "https://issuer.example/statuslists/1"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
HOUR = timedelta(hours=1)
PACKED = zlib.compress(b"\x00")
KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
LABELS = {"sub": 2, "exp": 4, "nbf": 5, "iat": 6, "ttl": 65534, "status_list": 65533}


def array():
    statuses = StatusArray.of_size(1000, bits=2)
    statuses.set_status(7, 1)
    statuses.set_status(8, 2)
    return statuses


def prepare(form, **changes):
    options = {"uri": URI, "issued_at": NOW, "algorithm": "ES256", "expires_at": NOW + 24 * HOUR, "ttl": HOUR}
    make = prepare_status_list_token if form == "jwt" else prepare_status_list_cwt
    return make(array(), **{**options, **changes})


def verify(token, *, uri=URI, key=KEY.public, now=NOW, **options):
    return verify_status_list_token(token, uri=uri, key=key, now=now, **options)


def forge(form, *, typ=..., algorithm="ES256", key=KEY, drop=(), **changes):
    """Make a token whose claims are in order but for the changes."""
    status_list = {"bits": 2, "lst": array().compress()}
    claims = {"sub": URI, "iat": SECONDS, "exp": SECONDS + 3600, "ttl": 60, "status_list": status_list, **changes}
    listed = claims["status_list"]
    if form == "jwt" and isinstance(listed, dict) and isinstance(listed.get("lst"), bytes):
        claims["status_list"] = {**listed, "lst": b64u_encode(listed["lst"])}
    claims = {name: value for name, value in claims.items() if name not in drop}
    if form == "jwt":
        typ = "statuslist+jwt" if typ is ... else typ
        return sign_now(prepare_jws(claims, algorithm=algorithm, typ=typ), key)
    payload = cbor_dumps({LABELS[name]: value for name, value in claims.items()})
    protected = {} if typ is None else {TYPE: CWT_MEDIA_TYPE if typ is ... else typ}
    return sign_now(prepare_sign1(payload, algorithm=algorithm, protected=protected, tagged=True), key)


# ---------------------------------------------------------------------------------------------------------- reference


def test_a_reference_is_written_as_it_is_read():
    reference = StatusReference(URI, 42)
    assert reference.to_claim() == {"status_list": {"idx": 42, "uri": URI}}
    assert StatusReference.from_claim(reference.to_claim()) == reference


@pytest.mark.parametrize("claim", [None, {}, {"identifier_list": {"id": b"x", "uri": URI}}])
def test_a_credential_without_status_list_has_no_reference(claim):
    assert StatusReference.from_claim(claim) is None


@pytest.mark.hostile
def test_a_status_that_is_stated_by_other_means_is_not_none():
    reference = StatusReference(URI, 42)

    assert StatusReference.stated(reference.to_claim()) == reference
    assert StatusReference.stated(None) is None
    for claim in ({}, {"other_list": {"id": "x"}}):
        with pytest.raises(StatusUnavailable):
            StatusReference.stated(claim)


def test_the_referenced_cwt_of_the_draft_has_a_reference():
    text = re.sub(r"\s", "", (VECTORS / "referenced_token_cwt.md").read_text())
    claims = cbor2.loads(cbor2.loads(bytes.fromhex(text)).value[2])
    assert StatusReference.from_claim(claims[65535]) == StatusReference("https://example.com/statuslists/1", 0)


@pytest.mark.parametrize("uri", ["x", "x" * 2048], ids=["shortest", "longest"])
def test_a_reference_has_a_uri_of_1_to_2048_characters(uri):
    assert StatusReference.from_claim({"status_list": {"idx": 0, "uri": uri}}) == StatusReference(uri, 0)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "claim",
    [
        "status",
        [],
        {"status_list": None},
        {"status_list": "x"},
        {"status_list": {"uri": URI}},
        {"status_list": {"idx": 0}},
        {"status_list": {"idx": -1, "uri": URI}},
        {"status_list": {"idx": "0", "uri": URI}},
        {"status_list": {"idx": True, "uri": URI}},
        {"status_list": {"idx": 1.0, "uri": URI}},
        {"status_list": {"idx": 0, "uri": ""}},
        {"status_list": {"idx": 0, "uri": 5}},
        {"status_list": {"idx": 0, "uri": "a" * 2049}},
    ],
)
def test_a_reference_of_another_form_is_malformed(claim):
    with pytest.raises(MalformedInput):
        StatusReference.from_claim(claim)


# -------------------------------------------------------------------------------------------------------------- token


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_a_published_list_is_read(form):
    token = sign_now(prepare(form, aggregation_uri="https://issuer.example/all"), KEY)
    statuses = verify(token)

    assert [statuses.status_at(index) for index in (6, 7, 8)] == [0, 1, 2]
    assert (statuses.uri, statuses.issued_at, statuses.expires_at) == (URI, NOW, NOW + 24 * HOUR)
    assert (statuses.ttl, statuses.aggregation_uri) == (HOUR, "https://issuer.example/all")


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_a_list_needs_neither_exp_nor_ttl(form):
    statuses = verify(sign_now(prepare(form, expires_at=None, ttl=None), KEY))
    assert (statuses.expires_at, statuses.ttl, statuses.aggregation_uri) == (None, None, None)


def test_the_tokens_have_the_headers_of_the_draft():
    jwt = parse_status_list_token(sign_now(prepare("jwt", x5c=[b"leaf", b"ca"], header={"kid": "12"}), KEY))
    assert (jwt.parts.header["typ"], jwt.parts.header["kid"]) == ("statuslist+jwt", "12")
    assert (jwt.media_type, jwt.x5c, jwt.jwk) == (JWT_MEDIA_TYPE, (b"leaf", b"ca"), None)

    raw = sign_now(prepare("cwt", x5chain=[b"leaf"], key_id=b"12"), KEY)
    cwt = parse_status_list_token(raw)
    assert raw[0] == 0xD2
    assert cwt.parts.protected[16] == "application/statuslist+cwt"
    assert cwt.parts.unprotected == {4: b"12", 33: b"leaf"}
    assert (cwt.media_type, cwt.x5c, cwt.jwk) == (CWT_MEDIA_TYPE, (b"leaf",), None)


def test_a_token_without_chain_and_key_names_neither():
    assert parse_status_list_token(sign_now(prepare("jwt"), KEY)).parts.header.keys() == {"alg", "typ"}
    assert parse_status_list_token(sign_now(prepare("cwt"), KEY)).parts.unprotected == {}


@pytest.mark.parametrize(("form", "chain"), [("jwt", {"x5c": [b"leaf"]}), ("cwt", {"x5chain": [b"leaf"]})])
def test_a_list_tells_whose_it_is(form, chain):
    statuses = verify(sign_now(prepare(form, **chain), KEY))

    assert (statuses.key, statuses.x5c) == (KEY.public, (b"leaf",))


def test_a_token_can_carry_its_key_for_those_who_pinned_it():
    token = parse_status_list_token(sign_now(prepare("jwt", header={"jwk": KEY.public.jwk}), KEY))
    assert PublicKey.from_jwk(token.jwk) == KEY.public
    assert verify(token).uri == URI


def test_a_jwt_can_come_as_bytes():
    assert verify(sign_now(prepare("jwt"), KEY).encode()).uri == URI


@pytest.mark.parametrize("name", ["status_list_jwt_raw", "status_list_cwt"])
def test_the_signed_tokens_of_the_draft_verify(name):
    text = re.sub(r"\s", "", (VECTORS / f"{name}.md").read_text())
    token = bytes.fromhex(text) if name.endswith("cwt") else text
    key = PublicKey.from_jwk(json.loads((VECTORS / "key.json").read_text()))
    statuses = verify(token, uri="https://example.com/statuslists/1", key=key)

    assert statuses.array == StatusArray(1, bytes.fromhex("b9a3"))
    assert statuses.ttl == timedelta(seconds=43200)


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_clocks_may_differ_a_little(form):
    token = forge(form, nbf=SECONDS)
    assert verify(token, now=NOW - timedelta(seconds=59)).uri == URI
    assert verify(token, now=NOW + HOUR + timedelta(seconds=59)).uri == URI
    assert verify(forge(form, iat=SECONDS + 60, nbf=SECONDS + 60)).uri == URI
    assert verify(forge(form, iat=SECONDS - 3660), max_age=HOUR).uri == URI


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_times_reach_from_1970_to_the_end_of_the_year_9999(form):
    statuses = verify(forge(form, iat=0, exp=253_402_300_799, ttl=1))

    assert (statuses.issued_at, statuses.ttl) == (datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1))
    assert statuses.expires_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_list_of_ten_million_is_within_the_limits():
    statuses = StatusArray.of_size(10_000_000)
    statuses.data[::100] = b"\x04" * len(statuses.data[::100])
    options = {"uri": URI, "issued_at": NOW, "algorithm": "ES256"}
    for prepared in (prepare_status_list_token(statuses, **options), prepare_status_list_cwt(statuses, **options)):
        assert verify(sign_now(prepared, KEY)).status_at(9_999_202) == statuses.status_at(9_999_202)


@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_a_list_that_cannot_be_compressed_may_take_more_than_a_megabyte(form):
    status_list = {"bits": 8, "lst": zlib.compress(os.urandom(5 << 18))}

    assert verify(forge(form, status_list=status_list)).array.size == 5 << 18


def test_a_ttl_of_one_second_is_published():
    assert verify(sign_now(prepare("jwt", ttl=timedelta(seconds=1)), KEY)).ttl == timedelta(seconds=1)


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-5), timedelta(milliseconds=5)])
def test_a_ttl_that_is_not_positive_is_not_published(ttl):
    with pytest.raises(ValueError, match="positive"):
        prepare("jwt", ttl=ttl)


# ------------------------------------------------------------------------------------------------------------ hostile

DEFECTS = {
    "another key": ({"key": OTHER}, BadSignature),
    "another type": ({"typ": "kb+jwt"}, WrongType),
    "no type": ({"typ": None}, WrongType),
    "no sub": ({"drop": ["sub"]}, MalformedInput),
    "another sub": ({"sub": "https://issuer.example/statuslists/2"}, ClaimMismatch),
    "sub in other letters": ({"sub": URI.upper()}, ClaimMismatch),
    "sub no text": ({"sub": 5}, ClaimMismatch),
    "no iat": ({"drop": ["iat"]}, MalformedInput),
    "iat no number": ({"iat": "now"}, MalformedInput),
    "iat boolean": ({"iat": True}, MalformedInput),
    "iat null": ({"iat": None}, MalformedInput),
    "iat in the future": ({"iat": SECONDS + 61}, NotYetValid),
    "iat beyond time": ({"iat": 1 << 62}, MalformedInput),
    "nbf in the future": ({"nbf": SECONDS + 61}, NotYetValid),
    "expired": ({"exp": SECONDS - 60}, Expired),
    "exp negative": ({"exp": -1}, MalformedInput),
    "exp null": ({"exp": None}, MalformedInput),
    "ttl zero": ({"ttl": 0}, MalformedInput),
    "ttl negative": ({"ttl": -1}, MalformedInput),
    "ttl text": ({"ttl": "60"}, MalformedInput),
    "ttl boolean": ({"ttl": True}, MalformedInput),
    "no status list": ({"drop": ["status_list"]}, MalformedInput),
    "status list no object": ({"status_list": [1]}, MalformedInput),
    "no bits": ({"status_list": {"lst": PACKED}}, MalformedInput),
    "three bits": ({"status_list": {"bits": 3, "lst": PACKED}}, MalformedInput),
    "bits boolean": ({"status_list": {"bits": True, "lst": PACKED}}, MalformedInput),
    "no lst": ({"status_list": {"bits": 1}}, MalformedInput),
    "lst no base64url": ({"status_list": {"bits": 1, "lst": "%%"}}, MalformedInput),
    "lst a number": ({"status_list": {"bits": 1, "lst": 5}}, MalformedInput),
    "lst not compressed": ({"status_list": {"bits": 1, "lst": b"plain"}}, MalformedInput),
    "lst a bomb": ({"status_list": {"bits": 1, "lst": zlib.compress(bytes(20 << 20), 1)}}, MalformedInput),
}


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
@pytest.mark.parametrize(("changes", "error"), DEFECTS.values(), ids=DEFECTS.keys())
def test_a_bad_token_is_refused(form, changes, error):
    with pytest.raises(error):
        verify(forge(form, **changes))


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_an_aggregation_uri_is_text(form):
    status_list = {"bits": 2, "lst": array().compress(), "aggregation_uri": 5}
    with pytest.raises(MalformedInput, match="aggregation_uri"):
        verify(forge(form, status_list=status_list))


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_an_algorithm_that_was_not_allowed_is_refused(form):
    with pytest.raises(WrongType):
        verify(forge(form), algorithms={"ES384"})


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_a_list_older_than_the_policy_allows_is_refused(form):
    token = forge(form, iat=SECONDS - 7200)
    assert verify(token, max_age=2 * HOUR).uri == URI
    with pytest.raises(Expired, match="older"):
        verify(token, max_age=HOUR)


@pytest.mark.hostile
def test_the_list_of_a_cwt_is_no_text():
    with pytest.raises(MalformedInput, match="bits and lst"):
        verify(forge("cwt", status_list={"bits": 1, "lst": b64u_encode(PACKED)}))


@pytest.mark.hostile
def test_an_sd_jwt_vc_has_its_status_in_a_jwt():
    with pytest.raises(WrongType):
        verify(forge("cwt"), media_types=[JWT_MEDIA_TYPE])


@pytest.mark.hostile
@pytest.mark.parametrize(
    "token",
    [b"\xd8\x3d" + forge("cwt"), forge("cwt")[1:], b"", "", "a.b", b"\xd2", b"\xd2\x84\x40\xa0\x40", b"\xff", "é.é.é"],
    ids=[
        "CWT tag",
        "no tag",
        "no bytes",
        "no text",
        "two parts",
        "tag alone",
        "cut short",
        "no ASCII",
        "no ASCII text",
    ],
)
def test_what_is_no_token_is_malformed(token):
    with pytest.raises(MalformedInput):
        verify(token)


@pytest.mark.hostile
def test_claims_of_a_cwt_are_a_map():
    unsigned = prepare_sign1(cbor_dumps([1]), algorithm="ES256", protected={TYPE: CWT_MEDIA_TYPE}, tagged=True)
    with pytest.raises(MalformedInput, match="map"):
        verify(sign_now(unsigned, KEY))


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_the_size_of_a_token_is_bounded(form):
    padding = "x" * (5 << 20)
    with pytest.raises(MalformedInput, match="at most"):
        verify(padding if form == "jwt" else b"\xd2" + padding.encode())


@pytest.mark.hostile
@pytest.mark.parametrize("form", ["jwt", "cwt"])
def test_a_place_outside_the_list_is_no_status(form):
    with pytest.raises(StatusUnavailable):
        verify(forge(form)).status_at(1000)


# ------------------------------------------------------------------------------------------- caching, history, others


@pytest.mark.parametrize(
    ("ttl", "exp", "minutes"), [(600, 7200, 10), (7200, 1800, 30), (5, 7200, 1), (None, 7200, 60), (99999, 99999, 60)]
)
def test_a_copy_is_fresh_as_long_as_issuer_and_caller_agree(ttl, exp, minutes):
    statuses = verify(forge("jwt", ttl=ttl, exp=SECONDS + exp, drop=["ttl"] if ttl is None else []))
    until = statuses.fresh_until(NOW, minimum=timedelta(minutes=1), maximum=HOUR)
    assert until == NOW + timedelta(minutes=minutes)


def test_a_list_that_never_expires_is_fresh_for_its_ttl():
    statuses = verify(forge("jwt", drop=["exp"]))
    assert statuses.fresh_until(NOW, minimum=timedelta(0), maximum=HOUR) == NOW + timedelta(seconds=60)


def test_an_enormous_ttl_does_no_harm():
    assert verify(forge("jwt", ttl=1e300)).ttl == timedelta(days=3650)


def test_history_is_covered_between_iat_and_exp():
    statuses = verify(forge("jwt"))
    for time in (NOW, NOW + timedelta(minutes=30), NOW + HOUR):
        statuses.require_covers(time)
    for time in (NOW - timedelta(seconds=1), NOW + 2 * HOUR):
        with pytest.raises(StatusUnavailable):
            statuses.require_covers(time)
    with pytest.raises(StatusUnavailable):
        verify(forge("jwt", drop=["exp"])).require_covers(NOW)


def test_an_aggregation_names_lists():
    aggregation = parse_message(StatusListAggregation, b'{"status_lists": ["https://a.example/1"], "more": 1}')
    assert aggregation.status_lists == ("https://a.example/1",)
    assert aggregation.to_wire() == {"status_lists": ["https://a.example/1"]}
    with pytest.raises(MalformedInput):
        parse_message(StatusListAggregation, b'{"status_lists": [1]}')
