"""Sets of trust anchors."""

import pytest
from cryptography import x509

from byoid.errors import MalformedInput, UntrustedIssuer
from byoid.keys import PrivateKey
from byoid.trust import anchors as module
from byoid.trust.anchors import PinnedKey, Purpose, TrustAnchor, TrustAnchors, country_names
from byoid.trust.pki import to_pem


def test_anchors_are_found_by_purpose(pki):
    pid = TrustAnchor(pki.root.certificate, frozenset({Purpose.PID}), "one")
    status = TrustAnchor(pki.leaf, frozenset({Purpose.STATUS}), "two", pinned=True)
    anchors = TrustAnchors([pid, status, pid])

    assert anchors.for_purpose(Purpose.PID) == (pid,)
    assert anchors.for_purpose(Purpose.STATUS) == (status,)
    assert anchors.for_purpose(Purpose.ACCESS) == ()
    assert len(anchors) == 2


def test_an_anchor_is_found_by_its_exact_bytes_and_purpose(pki):
    anchors = pki.root.anchor(Purpose.PID)
    assert anchors.find(pki.root.der, Purpose.PID) == anchors.anchors[0]
    assert anchors.find(pki.root.der, Purpose.STATUS) is None
    assert anchors.find(pki.intermediate.der, Purpose.PID) is None
    assert anchors.find(pki.root.der, Purpose.PID, pinned=True) is None


def test_every_certificate_of_a_pem_file_becomes_an_anchor(pki):
    pem = to_pem(pki.root.certificate, pki.intermediate.certificate)
    anchors = TrustAnchors.from_pem(pem, [Purpose.ACCESS], "file.pem")

    assert [anchor.certificate for anchor in anchors.anchors] == [pki.root.certificate, pki.intermediate.certificate]
    assert {anchor.source for anchor in anchors.anchors} == {"file.pem"}
    assert not any(anchor.pinned for anchor in anchors.anchors)


def test_a_union_trusts_what_either_set_trusts(pki):
    key = PinnedKey(PrivateKey.generate().public, frozenset({Purpose.STATUS}), "pin")
    union = pki.root.anchor(Purpose.PID).union(pki.intermediate.anchor(Purpose.MDOC), TrustAnchors(keys=[key]))

    assert {anchor.certificate for anchor in union.anchors} == {pki.root.certificate, pki.intermediate.certificate}
    assert union.require_key(key.key, purpose=Purpose.STATUS) == key


def test_the_identity_tells_apart_what_trusts_differently(pki):
    certificate, key = pki.root.certificate, PrivateKey.generate().public
    sets = [
        TrustAnchors(),
        TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.PID}), "a")]),
        TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.MDOC}), "a")]),
        TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.PID}), "b")]),
        TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.PID}), "a", pinned=True)]),
        TrustAnchors([TrustAnchor(pki.intermediate.certificate, frozenset({Purpose.PID}), "a")]),
        TrustAnchors(keys=[PinnedKey(key, frozenset({Purpose.PID}), "a")]),
    ]
    assert len({anchors.identity for anchors in sets}) == len(sets)
    assert pki.root.anchor(Purpose.PID, Purpose.MDOC).identity == pki.root.anchor(Purpose.MDOC, Purpose.PID).identity


@pytest.mark.hostile
def test_a_key_is_trusted_only_for_the_purpose_that_it_was_pinned_for():
    key, stranger = PrivateKey.generate().public, PrivateKey.generate().public
    anchors = TrustAnchors(keys=[PinnedKey(key, frozenset({Purpose.STATUS}), "pin")])
    for other, purpose in ((key, Purpose.PID), (stranger, Purpose.STATUS)):
        with pytest.raises(UntrustedIssuer):
            anchors.require_key(other, purpose=purpose)


@pytest.mark.hostile
@pytest.mark.parametrize("pem", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates_is_malformed(pem):
    with pytest.raises(MalformedInput):
        TrustAnchors.from_pem(pem, [Purpose.PID], "file.pem")


@pytest.mark.hostile
def test_the_number_of_anchors_is_bounded(pki, monkeypatch):
    monkeypatch.setattr(module, "MAX_ANCHORS", 1)
    with pytest.raises(MalformedInput):
        TrustAnchors(pki.root.anchor(Purpose.PID).union().anchors + pki.intermediate.anchor(Purpose.PID).anchors)


def test_pinned_keys_count_like_certificates(pki):
    purposes = frozenset({Purpose.PID})
    keys = [PinnedKey(pki.key.public, purposes, "pin"), PinnedKey(pki.root.key.public, purposes, "pin")]

    assert len(TrustAnchors([TrustAnchor(pki.leaf, purposes, "list")], keys=keys)) == 3


def test_the_number_of_anchors_is_bounded_keys_and_certificates_together(pki, monkeypatch):
    monkeypatch.setattr("byoid.trust.anchors.MAX_ANCHORS", 2)
    anchor = TrustAnchor(pki.leaf, frozenset({Purpose.PID}), "list")
    keys = [PinnedKey(key, anchor.purposes, "pin") for key in (pki.key.public, pki.root.key.public)]

    assert len(TrustAnchors([anchor], keys=keys[:1])) == 2
    with pytest.raises(MalformedInput):
        TrustAnchors([anchor], keys=keys)


def test_certificates_of_a_file_can_be_pinned_and_are_not_unless_asked(pki):
    pem = to_pem(pki.leaf)

    assert [a.pinned for a in TrustAnchors.from_pem(pem, [Purpose.PID], "file", pinned=True).anchors] == [True]
    assert [a.pinned for a in TrustAnchors.from_pem(pem, [Purpose.PID], "file").anchors] == [False]


def test_countries_are_compared_in_upper_case(pki):
    assert country_names(pki.leaf) == ("UT",)


def test_a_certificate_on_no_list_is_trusted_for_nothing(pki):
    anchors = pki.root.anchor(Purpose.PID)

    assert anchors.purposes_of(pki.root.certificate) == {Purpose.PID}
    assert anchors.purposes_of(pki.intermediate.certificate) == frozenset()


def test_an_anchor_whose_key_nobody_knows_is_on_its_list_all_the_same(pki, forge):
    ec_key, unknown_key = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209")
    strange = x509.load_der_x509_certificate(forge().replace(ec_key, unknown_key))
    anchors = TrustAnchors([TrustAnchor(strange, frozenset({Purpose.PID}), "a")]).union(pki.root.anchor(Purpose.MDOC))

    assert anchors.purposes_of(strange) == {Purpose.PID}
    assert anchors.purposes_of(pki.root.certificate) == {Purpose.MDOC}
