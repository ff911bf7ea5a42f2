"""URLs of endpoints and identifiers: https, written so that two readers cannot see two hosts.

RFC 8414 2, OpenID4VCI 12.2.1. Plain http is accepted for loopback hosts, which only development uses; whoever fetches
decides whether it may be used at all (`allow_loopback_http`).
"""

from ipaddress import ip_address
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from pydantic import AfterValidator

from byoid.errors import MalformedInput


def require_url(url: str) -> str:
    """Return `url` if it is an absolute https URL (or http on a loopback host) without user or fragment.

    Raises:
        ValueError: it is not. Inside a message that becomes `MalformedInput` with the member's name.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL has printable ASCII characters only")
    parts = urlsplit(url)
    if not parts.hostname or (parts.port or 1) < 1 or parts.username is not None or parts.password is not None:
        raise ValueError("expected a URL with a host, a usable port, and no user name")
    if "#" in url:
        raise ValueError("expected a URL without fragment")
    if not url.startswith("https://") and not (url.startswith("http://") and _is_loopback(parts.hostname)):
        raise ValueError("expected an https URL")
    return url


def require_identifier(url: str) -> str:
    """Return `url` if it can identify an issuer or authorization server: as `require_url`, and no query.

    Raises:
        ValueError: it cannot.
    """
    if "?" in url:
        raise ValueError("an identifier has no query")
    return require_url(url)


Url: TypeAlias = Annotated[str, AfterValidator(require_url)]
Identifier: TypeAlias = Annotated[str, AfterValidator(require_identifier)]


def well_known_url(identifier: str, name: str, *, keeps_slash: bool = False) -> str:
    """Insert `/.well-known/{name}` between the host and the path of an identifier.

    A slash at the path's end is removed (RFC 8414 3.1), or kept (OpenID4VCI 12.2.2, which takes the path as it is).

    Raises:
        MalformedInput: the identifier is no https URL, or has a query or fragment.
    """
    try:
        parts = urlsplit(require_identifier(identifier))
    except ValueError as error:
        raise MalformedInput(f"not an identifier: {error}") from None
    path = parts.path if keeps_slash else parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, f"/.well-known/{name}{path}", "", ""))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
