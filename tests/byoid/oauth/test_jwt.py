import pytest

from byoid.errors import ClaimMismatch, MalformedInput
from byoid.oauth.jwt import require_audience, sole_header


def test_a_header_field_that_comes_once_is_returned() -> None:
    assert sole_header(["value"], name="DPoP") == "value"


@pytest.mark.hostile
@pytest.mark.parametrize("values", [[], ["a", "b"], ["a", "a"]], ids=["missing", "two", "the same twice"])
def test_a_header_field_that_does_not_come_once_is_refused(values: list[str]) -> None:
    with pytest.raises(MalformedInput, match="one DPoP header field"):
        sole_header(values, name="DPoP")


def test_an_audience_may_be_text_or_an_array_of_one() -> None:
    require_audience("https://a.example", expected="https://a.example")
    require_audience(("https://a.example",), expected="https://a.example")


@pytest.mark.hostile
@pytest.mark.parametrize("audience", ["https://b.example", [], ["https://a.example", "https://b.example"]])
def test_another_audience_is_refused(audience: str | list[str]) -> None:
    with pytest.raises(ClaimMismatch):
        require_audience(audience, expected="https://a.example")
