"""Honest parties of the formats, and a forge for SD-JWTs that no honest issuer would sign."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.formats.sd_jwt_vc import ALL, prepare_key_binding, prepare_sd_jwt_vc
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.signing import sign_now

VECTORS = Path(__file__).parents[2] / "vectors"


def b64u(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Forge:
    """Builds SD-JWTs piece by piece with the real keys, so that a test can break exactly one rule."""

    issuer: PrivateKey
    holder: PrivateKey
    now: datetime

    audience = "x509_hash:verifier"
    nonce = "n-0S6_WzA2Mj"

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())

    def payload(self, **claims: Any) -> dict[str, Any]:
        cnf = {"jwk": self.holder.public.jwk}
        payload = {"iss": "https://issuer.example", "vct": "urn:example:card", "cnf": cnf} | claims
        return {name: value for name, value in payload.items() if value is not ...}

    @staticmethod
    def disclosure(*content: Any) -> str:
        return b64u(json.dumps(list(content)).encode())

    @staticmethod
    def raw_disclosure(text: str | bytes) -> str:
        return b64u(text if isinstance(text, bytes) else text.encode())

    @staticmethod
    def digest(disclosure: str, name: str = "sha256") -> str:
        return b64u(hashlib.new(name, disclosure.encode()).digest())

    def sign(self, payload: Mapping[str, Any] | bytes, *disclosures: str, typ: str | None = "dc+sd-jwt") -> str:
        jwt = sign_now(prepare_jws(payload, algorithm="ES256", typ=typ), self.issuer)
        return "~".join((jwt, *disclosures, ""))

    def bind(self, sd_jwt: str, *, key: PrivateKey | None = None, typ: str = "kb+jwt", **claims: Any) -> str:
        """Append a key binding JWT; `...` as a claim leaves it out."""
        own = {"iat": self.seconds, "aud": self.audience, "nonce": self.nonce, "sd_hash": self.digest(sd_jwt)}
        claims = {name: value for name, value in (own | claims).items() if value is not ...}
        return sd_jwt + sign_now(prepare_jws(claims, algorithm="ES256", typ=typ), key or self.holder)

    def issue(self, claims: Mapping[str, Any], disclosable: Any = ALL, **arguments: Any) -> str:
        arguments = {
            "vct": "urn:example:card",
            "algorithm": "ES256",
            "holder_key": self.holder.public.jwk,
            "issued_at": self.now,
            "expires_at": self.now + timedelta(days=30),
        } | arguments
        return sign_now(prepare_sd_jwt_vc(claims, disclosable=disclosable, **arguments), self.issuer)

    def present(self, sd_jwt: str, **arguments: Any) -> str:
        arguments = {
            "audience": self.audience,
            "nonce": self.nonce,
            "issued_at": self.now,
            "algorithm": "ES256",
        } | arguments
        return sign_now(prepare_key_binding(sd_jwt, **arguments), self.holder)


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge(PrivateKey.generate(), PrivateKey.generate(), datetime(2026, 11, 22, 12, 0, tzinfo=UTC))


@pytest.fixture(scope="session")
def person() -> dict[str, Any]:
    """Claims with every kind of nesting."""
    return {
        "given_name": "Erika",
        "family_name": "Möbius",
        "birthdate": "1984-01-26",
        "height": 1.72,
        "resident": True,
        "middle_name": None,
        "address": {"locality": "Köln", "country": "DE", "geo": {"lat": 50, "lon": 6}},
        "nationalities": ["DE", "FR", "US"],
        "degrees": [{"title": "BSc", "year": 2005}, {"title": "MSc", "year": 2007}],
    }


@pytest.fixture(scope="session")
def vectors() -> Path:
    return VECTORS
