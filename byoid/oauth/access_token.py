"""The `Authorization` header field with an access token (RFC 6750 2.1, RFC 9449 7.1)."""

import re
from dataclasses import dataclass, field
from typing import Final

from byoid.errors import HolderBindingError, MalformedInput

_CREDENTIALS: Final = re.compile(r"(?P<scheme>bearer|dpop) +(?P<token>[A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
MAX_TOKEN_BYTES: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token as it came, not believed."""

    value: str = field(repr=False)
    dpop: bool  # the scheme was DPoP, so a proof must come with it


def parse_authorization(value: str) -> AccessToken:
    """Parse the value of the header field; the scheme counts without case.

    Raises:
        MalformedInput: another scheme, or no `token68`.
    """
    found = _CREDENTIALS.fullmatch(value) if len(value) <= MAX_TOKEN_BYTES else None
    if found is None:
        raise MalformedInput("expected the DPoP or Bearer scheme with an access token")
    return AccessToken(found["token"], dpop=found["scheme"].lower() == "dpop")


def require_scheme(token: AccessToken, *, bound: bool) -> AccessToken:
    """Demand the DPoP scheme for a token that is bound to a key, and Bearer for any other.

    Raises:
        HolderBindingError: a bound token came as a bearer token, which would be the way to use a stolen one, or a
            bearer token came as if it were bound.
    """
    if token.dpop != bound:
        raise HolderBindingError(f"expected the scheme {'DPoP' if bound else 'Bearer'} for this access token")
    return token
