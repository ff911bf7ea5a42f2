"""An operator of a list of trusted entities, who publishes it over HTTP."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root, to_der, to_pem
from byoid.trust.trusted_list import ListedService, prepare_trusted_list

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OPERATOR = SubjectName("List signer", "List Operator")


def authority(name: str) -> Authority:
    return make_root(SubjectName(name), key=PrivateKey.generate(), now=START - DAY)


@dataclass
class Operator(httpx2.AsyncBaseTransport):
    """Publishes a list, and counts who asks."""

    root: Authority = field(default_factory=lambda: authority("Operators"))
    key: PrivateKey = field(default_factory=PrivateKey.generate)
    content: bytes = b""
    status: int = 200
    media_type: str = "application/jose"
    asked: int = 0

    def __post_init__(self) -> None:
        self.leaf = make_leaf(
            self.root, OPERATOR, key=self.key.public, purpose=Purpose.TRUSTED_LIST, now=START, lifetime=400 * DAY
        )

    @property
    def signers(self) -> TrustAnchors:
        return TrustAnchors.from_pem(to_pem(self.leaf), [Purpose.TRUSTED_LIST], "journal", pinned=True)

    def publish(self, number: int, *listed: Authority, at: datetime = START, **changes: Any) -> None:
        arguments: dict[str, Any] = {
            "list_type": "EUPIDProvidersList",
            "service_type": "PID/Issuance",
            "key": self.key,
            "valid": 10 * DAY,
            **changes,
        }
        services = [
            ListedService("Provider", arguments["service_type"], [each.certificate], "https://provider.test")
            for each in listed
        ]
        unsigned = prepare_trusted_list(
            services, list_type=arguments["list_type"], operator="List Operator", territory="UT",
            sequence_number=number, issued_at=at, next_update=at + arguments["valid"],
            signer=("ES256", to_der(self.leaf)),
        )  # fmt: skip
        self.content = sign_now(unsigned, arguments["key"]).encode()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        return httpx2.Response(self.status, content=self.content, headers={"content-type": self.media_type})
