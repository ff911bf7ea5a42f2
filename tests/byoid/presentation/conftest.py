"""Fixtures of the presentation tests: one world for all, requests and a wallet's abilities."""

from datetime import timedelta

import pytest

from byoid.keys import PrivateKey
from byoid.presentation.request_object import WalletAbilities
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, dns, make_leaf, make_root, to_der
from tests.byoid.presentation.world import NOW, Asking, Payment, World


@pytest.fixture(scope="session")
def world() -> World:
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=NOW - timedelta(days=1))
    issuer, verifier = PrivateKey.generate(), PrivateKey.generate()

    def chain(key: PrivateKey, purpose: Purpose, name: str, host: str) -> tuple[bytes, ...]:
        subject = SubjectName(name, f"{name} Ltd", f"NTRUT-{name}")
        return to_der(make_leaf(root, subject, key=key.public, purpose=purpose, now=NOW, names=dns(host)))

    return World(
        root=root,
        issuer=issuer,
        holder=PrivateKey.generate(),
        verifier=verifier,
        pid_chain=chain(issuer, Purpose.PID, "Issuer", "issuer.example"),
        mdoc_chain=chain(issuer, Purpose.MDOC, "Issuer", "issuer.example"),
        access_chain=chain(verifier, Purpose.ACCESS, "Verifier", "verifier.example"),
        status_chain=chain(issuer, Purpose.STATUS, "Issuer", "issuer.example"),
        registrar_chain=chain(issuer, Purpose.REGISTRATION, "Registrar", "registrar.example"),
    )


@pytest.fixture
def asking() -> Asking:
    return Asking()


@pytest.fixture
def abilities() -> WalletAbilities:
    return WalletAbilities(frozenset({"dc+sd-jwt", "mso_mdoc"}), {"payment": Payment})
