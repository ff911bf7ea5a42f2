"""Revocation lists: RFC 5280 5 and 6.3."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding

from byoid.errors import MalformedInput, UntrustedIssuer
from byoid.keys import PrivateKey
from byoid.trust import crl as module
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.crl import Crls
from byoid.trust.pki import Authority, SubjectName, make_crl, make_root
from byoid.trust.x509 import ChainCache, verify_chain

DAY = timedelta(days=1)


def verify(pki, now, crls, **options):
    return verify_chain(pki.chain, anchors=pki.anchors, purpose=Purpose.ACCESS, now=now, crls=crls, **options)


def lists(pki, now, *, root=(), intermediate=(), **options):
    crls = [make_crl(pki.root, root, number=1, now=now), make_crl(pki.intermediate, intermediate, number=1, now=now)]
    return Crls.from_der(crls, **options)


def test_a_chain_that_nobody_revoked_is_accepted(pki, now):
    crls = lists(pki, now, root=[1], intermediate=[2])
    assert verify(pki, now, crls).leaf == pki.leaf
    assert verify(pki, now, crls).leaf == pki.leaf


def test_without_lists_a_chain_is_accepted_only_by_policy(pki, now):
    assert verify(pki, now, Crls(accept_missing=True)).leaf == pki.leaf
    with pytest.raises(UntrustedIssuer, match="no current revocation list"):
        verify(pki, now, Crls())


def test_where_lists_are_missing_is_accepted_the_lists_that_are_there_need_not_be_all(pki, now):
    of_the_root = make_crl(pki.root, [], number=1, now=now)
    assert verify(pki, now, Crls.from_der([of_the_root], accept_missing=True)).leaf == pki.leaf
    with pytest.raises(UntrustedIssuer, match="no current revocation list"):
        verify(pki, now, Crls.from_der([of_the_root]))


def test_a_pinned_signer_has_no_issuer_to_revoke_it(pki, now):
    anchors = TrustAnchors([TrustAnchor(pki.leaf, frozenset({Purpose.ACCESS}), "pin", pinned=True)])
    chain = verify_chain(pki.chain[:1], anchors=anchors, purpose=Purpose.ACCESS, now=now, crls=Crls())
    assert chain.anchor.pinned


@pytest.mark.hostile
def test_a_revoked_signer_is_refused(pki, now):
    with pytest.raises(UntrustedIssuer, match="revoked"):
        verify(pki, now, lists(pki, now, intermediate=[pki.leaf.serial_number], accept_missing=True))


@pytest.mark.hostile
def test_a_revoked_authority_is_refused(pki, now):
    with pytest.raises(UntrustedIssuer, match="revoked"):
        verify(pki, now, lists(pki, now, root=[pki.intermediate.certificate.serial_number]))


@pytest.mark.hostile
def test_a_remembered_chain_is_checked_again(pki, now):
    cache = ChainCache()
    verify(pki, now, None, cache=cache)
    with pytest.raises(UntrustedIssuer, match="revoked"):
        verify(pki, now, lists(pki, now, intermediate=[pki.leaf.serial_number]), cache=cache)


@pytest.mark.hostile
@pytest.mark.parametrize("later", [timedelta(days=8), timedelta(minutes=-1)], ids=["overdue", "from the future"])
def test_a_list_that_is_not_current_counts_as_missing(pki, now, later):
    crls = lists(pki, now, intermediate=[pki.leaf.serial_number])
    with pytest.raises(UntrustedIssuer, match="no current revocation list"):
        verify(pki, now + later, crls)


def test_a_list_is_current_from_its_first_second_to_its_last(pki, now):
    crls = lists(pki, now)
    for moment in (now, now + timedelta(days=7)):
        assert verify(pki, moment, crls).leaf == pki.leaf
    with pytest.raises(UntrustedIssuer, match="no current revocation list"):
        verify(pki, now + timedelta(days=7, seconds=1), crls)


@pytest.mark.hostile
def test_a_list_that_another_key_signed_counts_as_missing(pki, now):
    thief = Authority(pki.intermediate.certificate, PrivateKey.generate())
    crls = Crls.from_der([make_crl(pki.root, [], number=1, now=now), make_crl(thief, [], number=9, now=now)])
    with pytest.raises(UntrustedIssuer, match="no current revocation list"):
        verify(pki, now, crls)


@pytest.mark.hostile
def test_a_list_without_next_update_counts_as_missing(pki, now):
    der = make_crl(pki.root, [], number=1, now=now)
    crl = x509.load_der_x509_crl(der)

    class Endless:
        next_update_utc = None

        def __getattr__(self, name):
            return getattr(crl, name)

        def __iter__(self):
            return iter(crl)

    with pytest.raises(UntrustedIssuer):
        Crls([Endless()]).require_not_revoked(pki.document_signer, pki.root.certificate, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize("usage", [{}, {"digital_signature": True, "key_cert_sign": True, "crl_sign": False}])
def test_a_list_of_an_issuer_that_may_not_sign_lists_counts_as_missing(pki, forge, now, usage):
    issuer = Authority(x509.load_der_x509_certificate(forge(ca=True, usage=usage)), pki.key)
    crls = Crls.from_der([make_crl(issuer, [], number=1, now=now)])
    with pytest.raises(UntrustedIssuer):
        crls.require_not_revoked(pki.leaf, issuer.certificate, now=now)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048).public_key(), x25519.X25519PrivateKey.generate().public_key()],
    ids=["RSA", "X25519"],
)
def test_a_list_that_does_not_fit_its_issuers_key_counts_as_missing(pki, forge, now, key):
    usage = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
    issuer = x509.load_der_x509_certificate(forge(ca=True, usage=usage, key=key))
    crls = Crls.from_der([make_crl(Authority(issuer, pki.key), [], number=1, now=now)])
    with pytest.raises(UntrustedIssuer):
        crls.require_not_revoked(pki.leaf, issuer, now=now)


def critical(pki, now, *, entry):
    builder = x509.CertificateRevocationListBuilder().issuer_name(pki.root.certificate.subject)
    builder = builder.last_update(now).next_update(now + DAY)
    revoked = x509.RevokedCertificateBuilder().serial_number(5).revocation_date(now)
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    if entry:
        revoked = revoked.add_extension(unknown, critical=True)
    else:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    crl = builder.add_revoked_certificate(revoked.build()).sign(pki.root.key.native, hashes.SHA256())
    return crl.public_bytes(Encoding.DER)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "der",
    [
        lambda pki, now: b"junk",
        lambda pki, now: make_crl(pki.root, [], number=1, now=now).replace(b"Root", b"R\xff\xfft"),
        lambda pki, now: critical(pki, now, entry=False),
        lambda pki, now: critical(pki, now, entry=True),
    ],
    ids=["junk", "name no text", "delta list", "critical entry"],
)
def test_what_is_no_usable_list_is_malformed(pki, now, der):
    with pytest.raises(MalformedInput):
        Crls.from_der([der(pki, now)])


@pytest.mark.hostile
def test_the_size_of_a_list_is_bounded(pki, now, monkeypatch):
    der = make_crl(pki.root, [], number=1, now=now)
    monkeypatch.setattr(module, "MAX_CRL_BYTES", len(der))
    assert Crls.from_der([der])
    monkeypatch.setattr(module, "MAX_CRL_BYTES", len(der) - 1)
    with pytest.raises(MalformedInput, match=f"at most {len(der) - 1}"):
        Crls.from_der([der])


@pytest.mark.hostile
def test_authorities_have_ec_keys(now):
    with pytest.raises(MalformedInput):
        make_root(SubjectName("Root"), key=PrivateKey(ed25519.Ed25519PrivateKey.generate()), now=now)
