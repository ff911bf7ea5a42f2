"""Which host names mean this machine: the one place where http may be spoken, in demos and on a developer's machine."""

from typing import Final
from urllib.parse import urlsplit

LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this machine (RFC 6761, RFC 8252 7.3)."""
    return host in LOOPBACK_HOSTS or (host or "").endswith(".localhost")


def is_https(url: str, *, loopback_http: bool) -> bool:
    """Tell whether an absolute URL is https, or http to this machine where that is allowed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "http":
        return loopback_http and is_loopback(parts.hostname)
    return parts.scheme == "https" and bool(parts.hostname)
