"""Certificate chains: RFC 5280 path validation, HAIP 6.1.1, ISO/IEC 18013-5 Annex B."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from byoid.errors import Expired, MalformedInput, NotYetValid, UntrustedIssuer
from byoid.keys import PrivateKey
from byoid.trust import x509 as module
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, make_intermediate, make_leaf, make_root, to_der
from byoid.trust.profiles import DOCUMENT_SIGNER, STATUS_SIGNER
from byoid.trust.x509 import ChainCache, authority_key_identifiers, verify_chain

DAY = timedelta(days=1)
CERTIFIES = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}


def test_a_chain_leads_over_an_intermediate_to_its_anchor(pki, now):
    chain = verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)

    assert chain.leaf == pki.leaf
    assert chain.certificates == (pki.leaf, pki.intermediate.certificate)
    assert chain.anchor.certificate == pki.root.certificate
    assert chain.anchor.source == "test"
    assert chain.public_key == pki.key.public
    assert chain.purpose is Purpose.ACCESS
    assert chain.not_after == pki.leaf.not_valid_after_utc


def test_a_chain_knows_the_names_of_its_signer(pki, now):
    chain = verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)

    assert chain.subject_name == "Shop Ltd"
    assert chain.organization_identifier == "NTRUT-12345"
    assert chain.dns_names == ("shop.example",)
    assert chain.uris == ("https://shop.example",)


def test_a_signer_without_names_has_none(pki, now, forge):
    x5c = [forge()]
    chain = verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.PID, now=now)

    assert (chain.subject_name, chain.organization_identifier, chain.dns_names) == ("Forged", None, ())


def test_the_key_identifiers_of_a_chain_are_those_of_its_issuers(pki, now):
    def identifier(authority):
        return x509.SubjectKeyIdentifier.from_public_key(authority.key.native.public_key()).digest

    expected = {identifier(pki.root), identifier(pki.intermediate)}
    chain = verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)

    assert chain.key_identifiers == expected
    assert authority_key_identifiers(pki.chain) == expected


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_signers_on_each_curve_are_accepted(pki, now, curve):
    key = PrivateKey.generate(curve)
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(curve), now=now)
    leaf = make_leaf(root, SubjectName("Leaf"), key=key.public, purpose=Purpose.STATUS, now=now)

    chain = verify_chain(to_der(leaf), anchors=root.anchor(Purpose.STATUS), purpose=Purpose.STATUS, now=now)
    assert chain.public_key == key.public


def test_a_document_signer_is_accepted_under_its_iaca(pki, now):
    chain = verify_chain(to_der(pki.document_signer), anchors=pki.anchors, purpose=Purpose.MDOC, now=now)
    assert chain.leaf == pki.document_signer


def test_of_several_purposes_the_first_that_leads_to_an_anchor_counts(pki, now):
    anchors = pki.root.anchor(Purpose.ATTESTATION)
    chain = verify_chain(pki.chain, anchors=anchors, purpose=(Purpose.PID, Purpose.ATTESTATION), now=now)
    assert chain.purpose is Purpose.ATTESTATION


def test_a_pinned_certificate_is_trusted_as_it_is(pki, now):
    key = PrivateKey.generate()
    own = make_root(SubjectName("Alone"), key=key, now=now)
    anchors = TrustAnchors([TrustAnchor(own.certificate, frozenset({Purpose.PID}), "pin", pinned=True)])

    chain = verify_chain([own.der], anchors=anchors, purpose=Purpose.PID, now=now)
    assert chain.certificates == (own.certificate,)
    assert chain.anchor.pinned


def test_the_anchor_in_the_chain_is_tolerated_only_on_request(pki, now):
    x5c = (*pki.chain, pki.root.der)
    chain = verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, allow_anchor=True)
    assert chain.certificates == (pki.leaf, pki.intermediate.certificate)


def test_an_intermediate_can_be_the_anchor(pki, now):
    anchors = pki.intermediate.anchor(Purpose.ACCESS)
    chain = verify_chain(pki.chain[:1], anchors=anchors, purpose=Purpose.ACCESS, now=now)
    assert chain.anchor.certificate == pki.intermediate.certificate


def test_a_certificate_can_be_pinned_by_one_list_and_certify_for_another(pki, now):
    pinned = TrustAnchors(replace(anchor, pinned=True) for anchor in pki.anchors.anchors)
    chain = verify_chain(pki.chain, anchors=pinned.union(pki.anchors), purpose=Purpose.ACCESS, now=now)
    assert not chain.anchor.pinned


def test_a_signer_without_organisation_and_common_name_is_called_by_its_subject(pki, now):
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "UT"), x509.NameAttribute(NameOID.SURNAME, "Doe")])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(pki.root.certificate.subject)
    builder = builder.public_key(pki.key.native.public_key()).serial_number(9).add_extension(usage, critical=True)
    builder = builder.not_valid_before(now - DAY).not_valid_after(now + DAY)
    leaf = builder.sign(pki.root.key.native, hashes.SHA256())
    chain = verify_chain(to_der(leaf), anchors=pki.anchors, purpose=Purpose.PID, now=now)
    assert chain.subject_name == "2.5.4.4=Doe,C=UT"
    assert chain.key_identifiers == frozenset()


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.MDOC])
def test_a_signer_without_key_usage_is_not_restricted(pki, forge, now, purpose):
    """RFC 5280 4.2.1.3: key usage restricts where it is named. Document signers must name it (18013-5 B.1.4)."""
    extended = [STATUS_SIGNER] if purpose is Purpose.STATUS else []
    x5c = [forge(usage={}, extended=extended)]
    chain = verify_chain(x5c, anchors=pki.anchors, purpose=purpose, now=now)
    assert chain.certificates == (x509.load_der_x509_certificate(x5c[0]),)


def test_an_anchor_without_key_usage_certifies(pki, forge, now):
    """RFC 5280 6.1: whoever trusts an anchor has decided; the path is validated below it."""
    root = Authority(x509.load_der_x509_certificate(forge(ca=True, usage={})), pki.key)
    x5c = [forge(issuer=root)]
    chain = verify_chain(x5c, anchors=root.anchor(Purpose.PID), purpose=Purpose.PID, now=now)
    assert chain.anchor.certificate == root.certificate


@pytest.mark.hostile
def test_an_anchor_whose_key_usage_is_another_certifies_nobody(pki, forge, now):
    usage = {"digital_signature": True, "key_cert_sign": False, "crl_sign": True}
    root = Authority(x509.load_der_x509_certificate(forge(ca=True, usage=usage)), pki.key)
    with pytest.raises(UntrustedIssuer):
        verify_chain([forge(issuer=root)], anchors=root.anchor(Purpose.PID), purpose=Purpose.PID, now=now)


def test_who_signs_as_an_anchor_is_told_that_it_must_be_pinned(pki, now):
    with pytest.raises(UntrustedIssuer, match="only if it is pinned"):
        verify_chain([pki.root.der], anchors=pki.anchors, purpose=Purpose.MDOC, now=now)


def test_two_roots_of_the_same_name_are_told_apart(pki, now):
    successor = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=now)
    anchors = successor.anchor(*Purpose).union(pki.anchors)
    chain = verify_chain(pki.chain, anchors=anchors, purpose=Purpose.ACCESS, now=now)
    assert chain.anchor.certificate == pki.root.certificate


# ------------------------------------------------------------------------------------------------------------ hostile


def expired_leaf(pki, forge, now):
    return [forge(end=now - DAY, start=now - 2 * DAY)]


def future_leaf(pki, forge, now):
    return [forge(start=now + DAY)]


def another_root_of_the_same_name(pki, forge, now):
    other = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=now)
    return [forge(issuer=other)]


def signature_of_another_key(pki, forge, now):
    return [forge(signing_key=PrivateKey.generate().native)]


def tampered_leaf(pki, forge, now):
    leaf = bytearray(pki.chain[0])
    leaf[-1] ^= 1
    return [bytes(leaf), pki.chain[1]]


def self_signed_leaf(pki, forge, now):
    key = PrivateKey.generate()
    alone = Authority(x509.load_der_x509_certificate(forge()), key)
    return [forge(issuer=alone, key=key.native.public_key())]


def anchor_included(pki, forge, now):
    return [*pki.chain, pki.root.der]


def anchor_as_leaf(pki, forge, now):
    return [pki.root.der]


def missing_intermediate(pki, forge, now):
    return pki.chain[:1]


def wrong_order(pki, forge, now):
    return pki.chain[::-1]


def unused_certificate(pki, forge, now):
    return [forge(), pki.intermediate.der]


def repeated_certificate(pki, forge, now):
    return [pki.chain[0], pki.chain[1], pki.chain[1]]


def signer_certifies_a_signer(pki, forge, now):
    middle = Authority(pki.document_signer, pki.key)
    return [forge(issuer=middle), middle.der]


def no_ca_certifies(pki, forge, now):
    middle = Authority(x509.load_der_x509_certificate(forge(ca=False)), pki.key)
    return [forge(issuer=middle), middle.der]


def ca_without_key_usage(pki, forge, now):
    middle = Authority(x509.load_der_x509_certificate(forge(ca=True, usage={})), pki.key)
    return [forge(issuer=middle), middle.der]


def ca_without_key_cert_sign(pki, forge, now):
    usage = {"digital_signature": True, "key_cert_sign": False, "crl_sign": True}
    middle = Authority(x509.load_der_x509_certificate(forge(ca=True, usage=usage)), pki.key)
    return [forge(issuer=middle), middle.der]


def path_length_exceeded(pki, forge, now):
    below = make_intermediate(pki.intermediate, SubjectName("Below"), key=pki.key, now=now)
    return [forge(issuer=below), below.der, pki.intermediate.der]


def name_outside_constraints(pki, forge, now):
    names = x509.NameConstraints(permitted_subtrees=[x509.DNSName("inside.example")], excluded_subtrees=None)
    usage = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
    middle = forge(ca=True, usage=usage, extra=[(names, True)])
    issuer = Authority(x509.load_der_x509_certificate(middle), pki.key)
    outside = x509.SubjectAlternativeName([x509.DNSName("outside.example")])
    return [forge(issuer=issuer, extra=[(outside, False)]), middle]


def unknown_critical_extension(pki, forge, now):
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return [forge(extra=[(unknown, True)])]


def key_usage_without_signature(pki, forge, now):
    return [forge(usage={"digital_signature": False, "key_cert_sign": False, "crl_sign": True})]


def key_usage_of_a_ca(pki, forge, now):
    return [forge(usage={"digital_signature": True, "key_cert_sign": True, "crl_sign": False})]


def signer_is_a_ca(pki, forge, now):
    return [forge(ca=True)]


def rsa_leaf(pki, forge, now):
    return [forge(key=rsa.generate_private_key(65537, 2048).public_key())]


def ed25519_leaf(pki, forge, now):
    return [forge(key=ed25519.Ed25519PrivateKey.generate().public_key())]


def rsa_root(pki, forge, now):
    return [forge(signing_key=rsa.generate_private_key(65537, 2048))]


def sha3_signature(pki, forge, now):
    return [forge(digest=hashes.SHA3_256())]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "error"),
    [
        (expired_leaf, Expired),
        (future_leaf, NotYetValid),
        *(
            (defect, UntrustedIssuer)
            for defect in (
                another_root_of_the_same_name,
                signature_of_another_key,
                tampered_leaf,
                self_signed_leaf,
                anchor_included,
                anchor_as_leaf,
                missing_intermediate,
                wrong_order,
                unused_certificate,
                repeated_certificate,
                signer_certifies_a_signer,
                no_ca_certifies,
                ca_without_key_usage,
                ca_without_key_cert_sign,
                path_length_exceeded,
                name_outside_constraints,
                unknown_critical_extension,
                key_usage_without_signature,
                key_usage_of_a_ca,
                signer_is_a_ca,
                rsa_leaf,
                ed25519_leaf,
                rsa_root,
                sha3_signature,
            )
        ),
    ],
)
def test_a_bad_chain_is_refused(pki, forge, now, defect, error):
    with pytest.raises(error):
        verify_chain(defect(pki, forge, now), anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "x5c",
    [(), (b"",), (b"\x30\x00",), (b"\x00" * 8193,), ("text",), (b"\x30\x00",) * 5],
    ids=["empty", "no bytes", "no certificate", "too large", "text", "too many"],
)
def test_what_is_no_chain_is_malformed(pki, now, x5c):
    with pytest.raises(MalformedInput):
        verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)
    with pytest.raises(MalformedInput):
        authority_key_identifiers(x5c)


@pytest.mark.hostile
def test_a_curve_that_byoid_does_not_use_is_malformed(pki, forge, now):
    with pytest.raises(MalformedInput):
        key = ec.generate_private_key(ec.BrainpoolP256R1()).public_key()
        verify_chain([forge(key=key)], anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)


MDOC_DEFECTS = {
    "no extended key usage": {},
    "another extended key usage": {"extended": [ExtendedKeyUsageOID.SERVER_AUTH]},
    "a second extended key usage": {"extended": [DOCUMENT_SIGNER, ExtendedKeyUsageOID.SERVER_AUTH]},
    "no key usage": {"extended": [DOCUMENT_SIGNER], "usage": {}},
    "key usage not critical": {"extended": [DOCUMENT_SIGNER], "usage_critical": False},
    "no authority key identifier": {"extended": [DOCUMENT_SIGNER], "key_identifier": False},
    "another country": {"extended": [DOCUMENT_SIGNER], "country": "XX"},
}


@pytest.mark.hostile
@pytest.mark.parametrize("options", MDOC_DEFECTS.values(), ids=MDOC_DEFECTS.keys())
def test_a_document_signer_that_breaks_its_profile_is_refused(pki, forge, now, options):
    with pytest.raises(UntrustedIssuer):
        verify_chain([forge(**options)], anchors=pki.anchors, purpose=Purpose.MDOC, now=now)


READER = x509.ObjectIdentifier("1.0.18013.5.1.6")
LIST_SIGNER = x509.ObjectIdentifier("0.4.0.2231.3.0")
SERVER, CLIENT, OCSP = (
    ExtendedKeyUsageOID.SERVER_AUTH,
    ExtendedKeyUsageOID.CLIENT_AUTH,
    ExtendedKeyUsageOID.OCSP_SIGNING,
)
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
CREDENTIALS = [Purpose.PID, Purpose.ATTESTATION]
FOREIGN_USAGES = [
    *((purpose, [usage]) for purpose in CREDENTIALS for usage in (STATUS_SIGNER, READER, LIST_SIGNER, OCSP, SERVER)),
    *((Purpose.STATUS, [usage]) for usage in (DOCUMENT_SIGNER, READER, SERVER, ANY)),
    *((purpose, [STATUS_SIGNER]) for purpose in Purpose if purpose is not Purpose.STATUS),
    *((purpose, [DOCUMENT_SIGNER, CLIENT]) for purpose in (Purpose.WALLET_PROVIDER, Purpose.STATUS)),
    *((purpose, [DOCUMENT_SIGNER]) for purpose in (Purpose.REGISTRATION, Purpose.TRUSTED_LIST)),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("purpose", "usages"), FOREIGN_USAGES)
def test_a_certificate_for_something_else_is_refused(pki, forge, now, purpose, usages):
    alone = pki.root.anchor(purpose)
    with pytest.raises(UntrustedIssuer, match="extended key usage"):
        verify_chain([forge(extended=usages)], anchors=alone, purpose=purpose, now=now)


@pytest.mark.parametrize(
    ("purpose", "usages"),
    [
        *((purpose, ()) for purpose in Purpose if purpose is not Purpose.MDOC),
        *((purpose, [usage]) for purpose in CREDENTIALS for usage in (DOCUMENT_SIGNER, ANY)),
        *((purpose, [DOCUMENT_SIGNER, STATUS_SIGNER]) for purpose in (*CREDENTIALS, Purpose.STATUS)),
        *((Purpose.ACCESS, [usage]) for usage in (READER, SERVER, CLIENT, DOCUMENT_SIGNER)),
        (Purpose.ISSUER_METADATA, [DOCUMENT_SIGNER]),
        (Purpose.TRUSTED_LIST, [LIST_SIGNER]),
    ],
)
def test_a_certificate_for_anything_or_for_this_is_accepted(pki, forge, now, purpose, usages):
    chain = verify_chain([forge(extended=usages)], anchors=pki.root.anchor(purpose), purpose=purpose, now=now)
    assert chain.purpose is purpose


def below_a_ca_for(usages, pki, forge):
    key = PrivateKey.generate()
    authority = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
    der = forge(key=key.native.public_key(), ca=True, path_length=0, usage=authority, extended=usages)
    return [forge(issuer=Authority(x509.load_der_x509_certificate(der), key)), der]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("purpose", "usages"),
    [(purpose, usages) for purpose, usages in FOREIGN_USAGES if usages != [ANY] and purpose is not Purpose.MDOC],
)
def test_below_a_ca_for_something_else_nobody_signs(pki, forge, now, purpose, usages):
    with pytest.raises(UntrustedIssuer, match="extended key usage"):
        verify_chain(below_a_ca_for(usages, pki, forge), anchors=pki.root.anchor(purpose), purpose=purpose, now=now)


@pytest.mark.parametrize(
    ("purpose", "usages"),
    [
        *((purpose, ()) for purpose in Purpose if purpose is not Purpose.MDOC),
        *((purpose, [ANY]) for purpose in Purpose if purpose is not Purpose.MDOC),
        *((purpose, [DOCUMENT_SIGNER, STATUS_SIGNER]) for purpose in (*CREDENTIALS, Purpose.STATUS)),
        (Purpose.ACCESS, [CLIENT]),
    ],
)
def test_below_a_ca_for_anything_or_for_this_a_signer_signs(pki, forge, now, purpose, usages):
    chain = verify_chain(below_a_ca_for(usages, pki, forge), anchors=pki.root.anchor(purpose), purpose=purpose, now=now)
    assert chain.purpose is purpose


def policies(*dotted):
    return x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier(each), None) for each in dotted])


@pytest.mark.hostile
@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.ACCESS, Purpose.ISSUER_METADATA}))
def test_an_access_certificate_signs_requests_alone(pki, forge, now, purpose):
    extended = [DOCUMENT_SIGNER] if purpose is Purpose.MDOC else ()

    def verify(policy, purpose=purpose):
        x5c = [forge(extended=extended, extra=[(policies("1.2.3.4", policy), False)])]
        return verify_chain(x5c, anchors=pki.root.anchor(purpose), purpose=purpose, now=now)

    assert verify("0.4.0.2042.1.1")
    with pytest.raises(UntrustedIssuer, match="access certificate"):
        verify("0.4.0.194118.1.2")


def test_an_access_certificate_signs_requests_and_the_metadata_of_issuers(pki, forge, now):
    x5c = [forge(extra=[(policies("0.4.0.194118.1.2"), False)])]
    for purpose in (Purpose.ACCESS, Purpose.ISSUER_METADATA):
        assert verify_chain(x5c, anchors=pki.root.anchor(purpose), purpose=purpose, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize("other", [Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC])
def test_under_the_ca_of_credentials_a_status_signer_must_be_named_as_such(pki, forge, now, other):
    unnamed, named = [forge()], [forge(extended=[STATUS_SIGNER])]
    one_entry = pki.root.anchor(Purpose.STATUS, other)
    two_lists = pki.root.anchor(Purpose.STATUS, source="a").union(pki.root.anchor(other, source="b"))
    for anchors in (one_entry, two_lists):
        assert verify_chain(named, anchors=anchors, purpose=Purpose.STATUS, now=now)
        with pytest.raises(UntrustedIssuer, match="usage of status signers"):
            verify_chain(unnamed, anchors=anchors, purpose=Purpose.STATUS, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize("other", CREDENTIALS)
def test_under_the_ca_of_credentials_their_signer_asks_for_none(pki, forge, now, other):
    signer, reader = [forge(extended=[DOCUMENT_SIGNER])], [forge(extended=[READER])]
    one_entry = pki.root.anchor(Purpose.ACCESS, other)
    two_lists = pki.root.anchor(Purpose.ACCESS, source="a").union(pki.root.anchor(other, source="b"))
    for anchors in (one_entry, two_lists):
        assert verify_chain(reader, anchors=anchors, purpose=Purpose.ACCESS, now=now)
        with pytest.raises(UntrustedIssuer, match="for signing something else"):
            verify_chain(signer, anchors=anchors, purpose=Purpose.ACCESS, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize("other", [Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC])
def test_a_ca_that_has_renewed_its_certificate_is_the_same_ca(pki, forge, now, other):
    """One list knows the old certificate, for credentials, and another the new one, for statuses."""
    renewed = make_root(SubjectName("Root"), key=pki.root.key, now=now)
    anchors = pki.root.anchor(other).union(renewed.anchor(Purpose.STATUS))

    assert anchors.purposes_of(renewed.certificate) == {other, Purpose.STATUS}
    assert verify_chain([forge(extended=[STATUS_SIGNER])], anchors=anchors, purpose=Purpose.STATUS, now=now)
    with pytest.raises(UntrustedIssuer, match="usage of status signers"):
        verify_chain([forge()], anchors=anchors, purpose=Purpose.STATUS, now=now)


def test_under_a_ca_of_its_own_or_pinned_a_status_signer_needs_no_usage(pki, forge, now):
    unnamed = forge()
    pinned = TrustAnchor(x509.load_der_x509_certificate(unnamed), frozenset({Purpose.STATUS}), "pin", pinned=True)
    wallets = pki.root.anchor(Purpose.STATUS, Purpose.WALLET_PROVIDER)
    for anchors in (wallets, pki.root.anchor(Purpose.PID).union(TrustAnchors([pinned]))):
        assert verify_chain([unnamed], anchors=anchors, purpose=Purpose.STATUS, now=now)


@pytest.mark.hostile
def test_a_document_signer_below_an_intermediate_is_refused(pki, forge, now):
    x5c = [forge(issuer=pki.intermediate, extended=[DOCUMENT_SIGNER]), pki.intermediate.der]
    with pytest.raises(UntrustedIssuer, match="at most 1"):
        verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.MDOC, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize("purpose", [Purpose.PID, (), (Purpose.PID, Purpose.STATUS)])
def test_an_anchor_for_another_purpose_gives_no_trust(pki, now, purpose):
    with pytest.raises(UntrustedIssuer):
        verify_chain(pki.chain, anchors=pki.root.anchor(Purpose.ACCESS), purpose=purpose, now=now)


@pytest.mark.hostile
def test_a_pinned_certificate_certifies_nobody(pki, now):
    anchors = TrustAnchors(replace(anchor, pinned=True) for anchor in pki.anchors.anchors)
    with pytest.raises(UntrustedIssuer):
        verify_chain(pki.chain, anchors=anchors, purpose=Purpose.ACCESS, now=now)


@pytest.mark.hostile
def test_a_pinned_certificate_expires(pki, now):
    anchors = TrustAnchors([TrustAnchor(pki.leaf, frozenset({Purpose.PID}), "pin", pinned=True)])
    with pytest.raises(Expired):
        verify_chain(pki.chain[:1], anchors=anchors, purpose=Purpose.PID, now=now + 1000 * DAY)


@pytest.mark.hostile
def test_an_expired_anchor_gives_no_trust(now):
    root = make_root(SubjectName("Short"), key=PrivateKey.generate(), now=now, lifetime=DAY)
    leaf = make_leaf(root, SubjectName("Leaf"), key=PrivateKey.generate().public, purpose=Purpose.PID, now=now)
    cache = ChainCache()
    verify_chain(to_der(leaf), anchors=root.anchor(Purpose.PID), purpose=Purpose.PID, now=now, cache=cache)
    with pytest.raises(UntrustedIssuer):
        verify_chain(
            to_der(leaf), anchors=root.anchor(Purpose.PID), purpose=Purpose.PID, now=now + 2 * DAY, cache=cache
        )


@pytest.mark.hostile
def test_an_anchor_with_an_rsa_key_certifies_nobody(pki, forge, now, rsa_anchor):
    with pytest.raises(UntrustedIssuer):
        verify_chain([forge()], anchors=rsa_anchor, purpose=Purpose.PID, now=now)


@pytest.fixture
def rsa_anchor(pki, now):
    key = rsa.generate_private_key(65537, 2048)
    name = pki.root.certificate.subject
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - DAY).not_valid_after(now + DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    return TrustAnchors([TrustAnchor(certificate, frozenset({Purpose.PID}), "rsa")])


# -------------------------------------------------------------------------------------------------------------- cache


def test_a_remembered_chain_is_the_same_object(pki, now):
    cache = ChainCache()
    first = verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache)
    copy = [bytes(bytearray(der)) for der in pki.chain]
    assert verify_chain(copy, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache) is first


def test_a_remembered_chain_still_expires(pki, now):
    cache = ChainCache()
    verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache)
    for when, error in ((now + 1000 * DAY, Expired), (now - DAY, NotYetValid)):
        with pytest.raises(error):
            verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=when, cache=cache)


def test_a_chain_is_remembered_for_its_purpose_and_anchors_only(pki, now):
    cache = ChainCache()
    verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache)
    others = pki.root.anchor(Purpose.ACCESS, source="another list")
    assert (
        verify_chain(pki.chain, anchors=others, purpose=Purpose.ACCESS, now=now, cache=cache).anchor in others.anchors
    )
    for anchors, purpose in ((TrustAnchors(), Purpose.ACCESS), (others, Purpose.PID)):
        with pytest.raises(UntrustedIssuer):
            verify_chain(pki.chain, anchors=anchors, purpose=purpose, now=now, cache=cache)


def test_a_tolerated_anchor_is_not_remembered_for_the_strict(pki, now):
    cache, x5c = ChainCache(), (*pki.chain, pki.root.der)
    verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache, allow_anchor=True)
    with pytest.raises(UntrustedIssuer):
        verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, cache=cache)


def test_the_cache_forgets_what_was_not_used_for_longest(pki, forge, now):
    cache = ChainCache(max_chains=2)
    chains = [[forge()] for _ in range(3)]

    def verify(x5c):
        return verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.PID, now=now, cache=cache)

    first, second = verify(chains[0]), verify(chains[1])
    assert verify(chains[0]) is first
    verify(chains[2])
    assert len(cache) == 2
    assert verify(chains[0]) is first
    assert verify(chains[1]) is not second


def test_a_cache_has_a_bound_without_being_told(pki, now):
    cache = ChainCache()
    chain = verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)
    for number in range(1100):
        cache.put(((), (), b"%d" % number, False), chain)
    assert len(cache) == 1024


def test_a_set_with_one_anchor_more_is_put_together_once(pki):
    cache, (anchor,) = ChainCache(), pki.root.anchor(Purpose.PID).anchors
    found = cache.trusting(TrustAnchors(), anchor, Purpose.STATUS)

    assert cache.trusting(TrustAnchors(), anchor, Purpose.STATUS) is found
    assert found.anchors[0].purposes == {Purpose.PID, Purpose.STATUS}


def test_a_set_is_remembered_for_what_it_is_made_of_only(pki):
    cache, (anchor,) = ChainCache(), pki.root.anchor(Purpose.PID).anchors
    (of_other_list,) = pki.root.anchor(Purpose.PID, source="another list").anchors
    others = pki.intermediate.anchor(Purpose.STATUS)
    cache.trusting(others, anchor, Purpose.STATUS)

    assert [each.source for each in cache.trusting(TrustAnchors(), of_other_list, Purpose.STATUS).anchors] == [
        "another list"
    ]
    assert len(cache.trusting(TrustAnchors(), anchor, Purpose.STATUS)) == 1
    assert not cache.trusting(others, anchor, Purpose.MDOC).anchors[1].purposes & {Purpose.STATUS}


def test_the_sets_that_are_remembered_have_a_bound(pki):
    cache, (anchor,) = ChainCache(), pki.root.anchor(Purpose.PID).anchors
    first = cache.trusting(TrustAnchors(), anchor, Purpose.STATUS)
    for number in range(100):
        cache.trusting(pki.root.anchor(Purpose.MDOC, source=f"list {number}"), anchor, Purpose.STATUS)

    assert cache.trusting(TrustAnchors(), anchor, Purpose.STATUS) is not first


def test_failures_are_not_remembered(pki, forge, now):
    cache = ChainCache()
    with pytest.raises(UntrustedIssuer):
        verify_chain([forge(ca=True)], anchors=pki.anchors, purpose=Purpose.PID, now=now, cache=cache)
    assert len(cache) == 0


def test_a_period_includes_its_first_and_last_second(pki, forge, now):
    x5c, cache = [forge(start=now, end=now + DAY)], ChainCache()
    for moment in (now, now + DAY, now, now + DAY):
        chain = verify_chain(x5c, anchors=pki.anchors, purpose=Purpose.PID, now=moment, cache=cache)
        assert (chain.not_before, chain.not_after) == (now, now + DAY)


def test_a_chain_may_be_as_long_as_the_limit(pki):
    with pytest.raises(UntrustedIssuer):  # not MalformedInput: it is read, and leads nowhere
        verify_chain([pki.chain[0]] * 4, anchors=pki.anchors, purpose=Purpose.ACCESS, now=pki.leaf.not_valid_after_utc)
    with pytest.raises(MalformedInput):
        verify_chain([pki.chain[0]] * 5, anchors=pki.anchors, purpose=Purpose.ACCESS, now=pki.leaf.not_valid_after_utc)


@pytest.mark.hostile
def test_a_certificate_may_be_as_large_as_the_limit(pki, now, monkeypatch):
    largest = max(map(len, pki.chain))
    monkeypatch.setattr(module, "MAX_CERTIFICATE_BYTES", largest)
    assert verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)
    monkeypatch.setattr(module, "MAX_CERTIFICATE_BYTES", largest - 1)
    with pytest.raises(MalformedInput, match=f"at most {largest - 1}"):
        verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now)


@pytest.mark.parametrize("purpose", [each for each in Purpose if each is not Purpose.MDOC])
def test_below_its_anchor_a_chain_has_three_certificates_at_most(forge, now, purpose):
    authority = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=now, path_length=3)
    anchors, certificates = authority.anchor(purpose), []
    extended = [STATUS_SIGNER] if purpose is Purpose.STATUS else []

    for count in (1, 2, 3, 4):
        x5c = (forge(issuer=authority, extended=extended), *certificates)
        assert len(x5c) == count
        with nullcontext() if count <= 3 else pytest.raises(UntrustedIssuer, match="at most 3 certificates"):
            assert len(verify_chain(x5c, anchors=anchors, purpose=purpose, now=now).certificates) == count
        key = PrivateKey.generate()
        certificates.insert(0, forge(issuer=authority, key=key.native.public_key(), ca=True, usage=CERTIFIES))
        authority = Authority(x509.load_der_x509_certificate(certificates[0]), key)


def test_a_pinned_signer_is_its_whole_chain(pki, now):
    anchors = TrustAnchors([TrustAnchor(pki.leaf, frozenset({Purpose.ACCESS}), "pin", pinned=True)])

    assert verify_chain(pki.chain, anchors=anchors, purpose=Purpose.ACCESS, now=now).certificates == (pki.leaf,)
