"""Where http may be spoken."""

import pytest

from byoid.service.loopback import is_https


@pytest.mark.parametrize(
    ("url", "https", "with_loopback"),
    [
        ("https://shop.example/x", True, True),
        ("http://localhost:8000/x", False, True),
        ("http://a.localhost", False, True),
        ("http://127.0.0.1", False, True),
        ("http://shop.example", False, False),
        ("http://localhost.evil.example", False, False),
        ("http://localhost@evil.example", False, False),
        ("ftp://localhost", False, False),
        ("https://", False, False),
        ("https://[", False, False),
        ("localhost", False, False),
    ],
)
def test_http_is_for_this_machine_alone_and_only_where_it_is_allowed(
    url: str, https: bool, with_loopback: bool
) -> None:
    assert (is_https(url, loopback_http=False), is_https(url, loopback_http=True)) == (https, with_loopback)
