"""What the tests of the library share: the time, and a wallet provider with its chain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from byoid.jose import prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.oauth.jwt import Trust
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root

Forge = Callable[..., str]


@dataclass(frozen=True)
class Attester:
    """Somebody who signs with a certificate, and the trust that leads to it."""

    root: Authority
    key: PrivateKey
    x5c: tuple[bytes, ...]
    trust: Trust

    def sign(self, claims: Mapping[str, Any], typ: str | None, **header: Any) -> str:
        members = {"x5c": x5c_header(self.x5c), **header}
        return sign_now(prepare_jws(claims, algorithm="ES256", typ=typ, header=members), self.key)


def make_attester(name: str, purpose: Purpose, now: datetime) -> Attester:
    root = make_root(SubjectName(f"{name} Root"), key=PrivateKey.generate(), now=now)
    key = PrivateKey.generate()
    leaf = make_leaf(root, SubjectName(name), key=key.public, purpose=purpose, now=now)
    return Attester(root, key, (leaf.public_bytes(Encoding.DER),), Trust(root.anchor(purpose)))


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2026, 11, 22, 9, tzinfo=UTC)


@pytest.fixture(scope="session")
def wallet_provider(now: datetime) -> Attester:
    return make_attester("Wallet Provider", Purpose.WALLET_PROVIDER, now)


@pytest.fixture(scope="session")
def stranger(now: datetime) -> Attester:
    """A provider that nobody trusts."""
    return make_attester("Stranger", Purpose.WALLET_PROVIDER, now)


@pytest.fixture(scope="session")
def metadata_signer(now: datetime) -> Attester:
    return make_attester("Issuer", Purpose.ISSUER_METADATA, now)


@pytest.fixture(scope="session")
def forge() -> Forge:
    """Sign any claims with any header and key, whether they make sense or not."""

    def sign(claims: Mapping[str, Any], *, key: PrivateKey, typ: str | None, **header: Any) -> str:
        return sign_now(prepare_jws(claims, algorithm=key.algorithm, typ=typ, header=header), key)

    return sign
