import pytest

from byoid.errors import MalformedInput
from byoid.oauth.url import require_identifier, require_url, well_known_url


@pytest.mark.parametrize(
    "url",
    [
        "https://issuer.example",
        "https://issuer.example:8443/tenant/a?x=1",
        "http://localhost:8001/credential",
        "http://127.0.0.1:8001",
        "http://[::1]:8001/",
    ],
)
def test_https_urls_and_loopback_are_accepted(url: str) -> None:
    assert require_url(url) == url


@pytest.mark.hostile
@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "HTTPS://issuer.example",
        "ftp://issuer.example",
        "javascript:alert(1)",
        "//issuer.example",
        "https://",
        "https:///path",
        "https://issuer.example#fragment",
        "https://issuer.example/#",
        "https://user@issuer.example",
        "https://user:secret@issuer.example",
        "https://issuer.example:99999",
        "https://issuer.example:x",
        "https://issuer.example\\@evil.example",
        "https://issuer.example/a b",
        "https://issuer.example/\n",
        "https://issüer.example",
        "https://[::1",
        "",
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        require_url(url)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "url", ["https://issuer.example?tenant=1", "https://issuer.example/?", "http://issuer.example"]
)
def test_an_identifier_has_no_query(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        require_identifier(url)


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [  # OpenID4VCI 12.2.2, RFC 8414 3.1
        ("https://issuer.example.com/tenant", "https://issuer.example.com/.well-known/thing/tenant"),
        ("https://tenant.issuer.example.com", "https://tenant.issuer.example.com/.well-known/thing"),
        ("https://issuer.example.com/a/b", "https://issuer.example.com/.well-known/thing/a/b"),
        ("https://issuer.example.com/", "https://issuer.example.com/.well-known/thing"),
        ("http://localhost:8001/issuer", "http://localhost:8001/.well-known/thing/issuer"),
    ],
)
def test_the_well_known_part_is_inserted_between_host_and_path(identifier: str, expected: str) -> None:
    assert well_known_url(identifier, "thing") == expected


@pytest.mark.hostile
def test_there_is_no_well_known_url_of_something_else() -> None:
    with pytest.raises(MalformedInput):
        well_known_url("https://issuer.example?x", "thing")
