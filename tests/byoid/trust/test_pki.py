"""The maker of certificates: what it makes carries what the profiles ask for."""

from datetime import timedelta

import pytest
from cryptography import x509

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, make_crl, make_leaf, make_root, to_der, to_pem
from byoid.trust.profiles import DOCUMENT_SIGNER


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def test_a_root_is_a_ca_with_the_path_length_asked_for(now):
    root = make_root(SubjectName("IACA"), key=PrivateKey.generate(), now=now, path_length=0, contact="mailto:a@b.test")
    constraints = extension(root.certificate, x509.BasicConstraints)

    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert extension(root.certificate, x509.KeyUsage).value.crl_sign
    assert extension(root.certificate, x509.IssuerAlternativeName)
    assert root.certificate.issuer == root.certificate.subject


def test_a_document_signer_has_its_extended_key_usage_and_others_have_none(pki):
    usage = extension(pki.document_signer, x509.ExtendedKeyUsage)
    assert list(usage.value) == [DOCUMENT_SIGNER]
    with pytest.raises(x509.ExtensionNotFound):
        extension(pki.leaf, x509.ExtendedKeyUsage)


def test_a_signer_says_where_its_revocation_list_is(pki):
    point = extension(pki.leaf, x509.CRLDistributionPoints).value[0]
    assert point.full_name[0].value == "https://root.example/crl"


def test_a_signer_points_to_its_issuers_key(pki):
    issuer = extension(pki.intermediate.certificate, x509.SubjectKeyIdentifier).value.digest
    assert extension(pki.leaf, x509.AuthorityKeyIdentifier).value.key_identifier == issuer


def test_names_are_in_the_subject(pki):
    assert pki.leaf.subject.rfc4514_string() == "CN=Shop,2.5.4.97=NTRUT-12345,O=Shop Ltd,C=UT"


def test_periods_begin_a_little_earlier(now):
    lifetime = timedelta(days=3)
    key = PrivateKey.generate()
    root = make_root(SubjectName("Root"), key=key, now=now)
    leaf = make_leaf(root, SubjectName("Leaf"), key=key.public, purpose=Purpose.PID, now=now, lifetime=lifetime)
    assert now - timedelta(minutes=10) < leaf.not_valid_before_utc < now
    assert leaf.not_valid_after_utc == now + lifetime


def test_certificates_are_written_as_pem_and_der(pki):
    assert x509.load_pem_x509_certificates(to_pem(pki.leaf, pki.root.certificate)) == [pki.leaf, pki.root.certificate]
    assert [x509.load_der_x509_certificate(der) for der in to_der(pki.leaf)] == [pki.leaf]


def test_an_authority_needs_an_ec_key(pki, now):
    with pytest.raises(MalformedInput):
        make_root(SubjectName("Root"), key=PrivateKey.generate("Ed25519"), now=now)
    with pytest.raises(MalformedInput):
        make_crl(Authority(pki.root.certificate, PrivateKey.generate("Ed25519")), [], number=1, now=now)


def flags(usage):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign")  # fmt: skip
    assert all(getattr(usage, name) in (True, False) for name in names)
    return {name for name in names if getattr(usage, name)}


def test_a_key_may_do_one_thing_only(pki):
    signer, authority = extension(pki.leaf, x509.KeyUsage), extension(pki.root.certificate, x509.KeyUsage)

    assert flags(signer.value) == {"digital_signature"}
    assert flags(authority.value) == {"key_cert_sign", "crl_sign"}


def test_what_a_verifier_must_understand_is_critical_and_nothing_else(pki):
    critical = {
        type(found.value)
        for certificate in (pki.root.certificate, pki.intermediate.certificate, pki.leaf, pki.document_signer)
        for found in certificate.extensions
        if found.critical
    }
    others = {
        type(found.value)
        for certificate in (pki.root.certificate, pki.intermediate.certificate, pki.leaf, pki.document_signer)
        for found in certificate.extensions
        if not found.critical
    }
    assert critical == {x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage}
    assert critical.isdisjoint(others)


def test_an_intermediate_certifies_signers_only_and_a_root_one_level_of_authorities(pki, now):
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=now)

    assert extension(root.certificate, x509.BasicConstraints).value.path_length == 1
    assert extension(pki.intermediate.certificate, x509.BasicConstraints).value.path_length == 0


def test_pem_files_hold_nothing_but_certificates(pki):
    lines = to_pem(pki.leaf, pki.root.certificate).decode().splitlines()

    assert [line for line in lines if "-----" in line] == [
        "-----BEGIN CERTIFICATE-----",
        "-----END CERTIFICATE-----",
    ] * 2


def test_an_authoritys_anchors_say_where_they_came_from(pki):
    assert [anchor.source for anchor in pki.root.anchor(Purpose.PID).anchors] == ["pki"]
