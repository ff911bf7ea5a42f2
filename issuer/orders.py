"""What is to be issued: the outcome of a checked credential request, now or deferred."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from byoid.keys import PublicKey
from issuer.configurations import Configuration


@dataclass(frozen=True)
class Order:
    """What is to be made: one credential of a configuration for each key, for the person of a grant.

    `wallet_status` is where the status of the wallet and of its keys stands, as claims; `maintained_until` is until
    when their provider keeps it, which no credential may outlive (TS3, ISSU_12c).
    """

    grant: Any
    configuration: Configuration
    keys: Sequence[PublicKey]
    wallet_status: Sequence[dict[str, Any]]
    maintained_until: datetime | None
