"""What a verifier demands as proof that the presenter holds the credential's key, for every format.

RFC 9901 section 7.3, OpenID4VP 1.0 sections 5.3 and 14.1. The decision comes from the verifier's policy, never from
what the wallet happened to send.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class HolderBinding:
    """Demand proof of the holder's key for this audience and nonce, made not longer than `max_age` ago.

    `audience` is the client identifier, or `origin:` and the origin over the Digital Credentials API.
    """

    audience: str
    nonce: str
    max_age: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class NoHolderBinding:
    """Demand no proof: whoever copied the credential may present it."""


Binding: TypeAlias = HolderBinding | NoHolderBinding
