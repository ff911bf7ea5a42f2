"""Fixtures of the relying-party tests: the verifier tests' world, and a party in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from byoid.formats.status_list import StatusList
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party import Policy
from byoid.service.trust_files import load_signer, load_trust
from byoid.signing import SoftwareSigner
from byoid.trust.anchors import Purpose
from tests.conftest import Clock
from tests.verifier.world import World, make_world, mdoc_query, sd_jwt_query


class Lists:
    """The world's status list, without a network."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked = 0
        self.kept: dict[str, Any] = {}

    async def tokens(self, uris: Any, *, now: Any) -> Mapping[str, bytes | StatusList]:
        self.asked += 1
        return {uri: self._world.issuer.status_token() for uri in uris}

    def keep(self, statuses: Mapping[str, Any], *, now: Any) -> None:
        self.kept.update(statuses)


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> World:
    folder = tmp_path / "keys"
    folder.mkdir()
    return make_world(folder, clock)


@pytest.fixture
def lists(world: World) -> Lists:
    return Lists(world)


@pytest.fixture
def shop(world: World) -> SoftwareSigner:
    return load_signer(world.folder / "access-shop.key", world.folder / "access-shop.pem")


@pytest.fixture
def policies(world: World) -> dict[str, Policy]:
    anchors = load_trust(world.folder / "trust.toml")
    pid, mdoc = X509Trust(anchors, Purpose.PID), X509Trust(anchors, Purpose.MDOC)
    return {
        "pid": Policy.of(sd_jwt_query(), pid, status_anchors=anchors),
        "open": Policy.of(sd_jwt_query(), pid, status_anchors=anchors, encrypted=False),
        "once": Policy.of(sd_jwt_query(), pid, status_anchors=anchors, delete_on_read=True),
        "mdoc": Policy.of(mdoc_query(), mdoc, status_anchors=anchors),
    }
