"""Properties of mdocs: exactly what was chosen is shown, no signed bit can change, no input surprises the parser."""

import contextlib
import hashlib
from datetime import UTC, date, datetime, timedelta

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byoid.errors import ByoidError
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.session import session_transcript_dc_api
from byoid.formats.mdoc.structures import parse_device_response, parse_issuer_signed
from byoid.formats.mdoc.verify import verify_document
from byoid.keys import PrivateKey
from byoid.signing import sign_now

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ISSUER, DEVICE = PrivateKey.generate(), PrivateKey.generate()
TRANSCRIPT = session_transcript_dc_api("https://v.example", "nonce-1", None)

scalars = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=300),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
    st.dates(date(1000, 1, 1)),
    st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
names = st.text(min_size=1, max_size=40)
mdocs = st.dictionaries(names, st.dictionaries(names, values, min_size=1, max_size=30), min_size=1, max_size=3)


def issue(namespaces, **members):
    unsigned = prepare_mdoc(
        namespaces, doctype="org.example.doc", device_key=DEVICE.public, x5chain=[b"leaf"], algorithm="ES256",
        signed=NOW, valid_from=NOW, valid_until=NOW + timedelta(1), **members,
    )  # fmt: skip
    return sign_now(unsigned, ISSUER)


def present(issued, elements):
    prepared = HeldMdoc.from_bytes(issued).prepare_response(elements, session_transcript=TRANSCRIPT, algorithm="ES256")
    return sign_now(prepared, DEVICE)


def verify(response):
    [document] = parse_device_response(response).documents
    return verify_document(document, issuer_key=ISSUER.public, session_transcript=TRANSCRIPT, now=NOW)


@given(mdocs, st.data())
@settings(deadline=None, max_examples=60)
def test_a_verifier_sees_exactly_the_chosen_elements(namespaces, data):
    held = sorted((namespace, name) for namespace, elements in namespaces.items() for name in elements)
    chosen = data.draw(st.lists(st.sampled_from(held), unique=True))

    shown = verify(present(issue(namespaces), chosen)).namespaces

    expected = {}
    for namespace, name in chosen:
        expected.setdefault(namespace, {})[name] = namespaces[namespace][name]
    assert shown == expected


@given(st.sets(st.integers(0, 11)), st.sampled_from(["SHA-256", "SHA-384", "SHA-512"]))
@settings(deadline=None, max_examples=40)
def test_nothing_that_was_not_chosen_is_in_the_bytes(numbers, digest_algorithm):
    secrets = {f"element-{number:03}": hashlib.sha256(bytes([number])).hexdigest() for number in range(12)}
    issued = issue({"ns": secrets}, digest_algorithm=digest_algorithm)
    items = [cbor2.loads(item.value) for item in cbor2.loads(issued)["nameSpaces"]["ns"]]

    response = present(issued, [("ns", f"element-{number:03}") for number in numbers])

    for item in items:
        is_chosen = int(item["elementIdentifier"][-3:]) in numbers
        assert (item["elementValue"].encode() in response) == is_chosen
        assert (item["elementIdentifier"].encode() in response) == is_chosen
        assert (item["random"] in response) == is_chosen


RESPONSE = present(issue({"ns": {"a": "value", "b": 7, "c": date(2020, 1, 1)}}), [("ns", "a"), ("ns", "c")])


def signed_ranges():
    """Where the signed bytes are: items, MSO with header, signatures, document type, device namespaces with header."""
    [document] = cbor2.loads(RESPONSE)["documents"]
    protected, _, payload, signature = document["issuerSigned"]["issuerAuth"]
    device_protected, _, _, device_signature = document["deviceSigned"]["deviceAuth"]["deviceSignature"]
    parts = [cbor2.dumps(item) for item in document["issuerSigned"]["nameSpaces"]["ns"]]
    parts += [b"issuerAuth\x84" + cbor2.dumps(protected), cbor2.dumps(payload), cbor2.dumps(signature)]
    parts += [b"deviceSignature\x84" + cbor2.dumps(device_protected), cbor2.dumps(device_signature)]
    parts += [b"\x67docType" + cbor2.dumps("org.example.doc"), b"nameSpaces" + cbor2.dumps(cbor2.CBORTag(24, b"\xa0"))]
    for part in parts:
        assert RESPONSE.count(part) == 1 or part.startswith(b"\x67docType")
        start = RESPONSE.index(part)
        yield from range(start, start + len(part))


SIGNED = sorted(set(signed_ranges()))


@pytest.mark.hostile
@given(st.sampled_from(SIGNED), st.integers(0, 7))
@settings(deadline=None, max_examples=400)
def test_a_flipped_bit_in_anything_signed_is_refused(position, bit):
    changed = bytearray(RESPONSE)
    changed[position] ^= 1 << bit

    with pytest.raises(ByoidError):
        verify(bytes(changed))


@pytest.mark.hostile
@given(st.integers(0, len(RESPONSE) - 1), st.integers(0, 7))
@settings(deadline=None, max_examples=300)
def test_a_flipped_bit_anywhere_never_changes_what_is_believed(position, bit):
    changed = bytearray(RESPONSE)
    changed[position] ^= 1 << bit

    try:
        believed = verify(bytes(changed))
    except ByoidError:
        return
    # Which elements come is the presenter's choice and not signed: a member that is renamed is not there any more.
    assert believed.namespaces in ({}, {"ns": {"a": "value", "c": date(2020, 1, 1)}})


@pytest.mark.hostile
@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_the_parsers_raise_only_errors_of_byoid(data):
    for parse in (parse_device_response, parse_issuer_signed, HeldMdoc.from_bytes):
        with pytest.raises(ByoidError):
            parse(data)


keys = st.one_of(
    st.sampled_from(
        [
            "version",
            "documents",
            "status",
            "docType",
            "issuerSigned",
            "deviceSigned",
            "nameSpaces",
            "issuerAuth",
            "deviceAuth",
        ]
    ),
    st.integers(-5, 40),
)
tagged = st.binary(max_size=20).map(lambda raw: cbor2.CBORTag(24, raw))
trees = st.recursive(
    st.one_of(st.none(), st.integers(-3, 30), st.text(max_size=4), st.binary(max_size=8), st.just("1.0"), tagged),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.hostile
@given(
    trees,
    st.sampled_from(["documents", "docType", "issuerSigned", "deviceSigned", "nameSpaces", "issuerAuth", "deviceAuth"]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_a_response_with_any_tree_in_the_place_of_a_member_raises_only_errors_of_byoid(tree, member):
    response = cbor2.loads(RESPONSE)
    document = response["documents"][0]
    for structure in (response, document, document["issuerSigned"], document["deviceSigned"]):
        if member in structure:
            structure[member] = tree

    with contextlib.suppress(ByoidError):
        verify(cbor2.dumps(response))
