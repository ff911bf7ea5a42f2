"""What the tests of the services' base share."""

import base64
import os
from typing import Any

import pytest

from byoid.service.seal import Sealer
from byoid.service.settings import ServiceSettings


def random_key(key_id: str) -> str:
    return f"{key_id}:{base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip('=')}"


@pytest.fixture
def values() -> dict[str, Any]:
    """Settings that production accepts."""
    return {
        "profile": "production",
        "public_url": "https://issuer.example",
        "database_url": "sqlite:///issuer.db",
        "sealing_keys": f"{random_key('b')},{random_key('a')}",
    }


@pytest.fixture
def settings(values: dict[str, Any]) -> ServiceSettings:
    return ServiceSettings.load(**values)


@pytest.fixture
def sealing_keys() -> dict[str, bytes]:
    return {"new": os.urandom(32), "old": os.urandom(32)}


@pytest.fixture
def sealer(sealing_keys: dict[str, bytes]) -> Sealer:
    return Sealer(sealing_keys)
