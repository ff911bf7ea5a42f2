import pytest

from byoid.errors import HolderBindingError, MalformedInput
from byoid.oauth.access_token import parse_authorization, require_scheme


@pytest.mark.parametrize(
    ("value", "dpop"), [("DPoP abc", True), ("dpop  abc", True), ("BEARER abc", False), ("Bearer abc", False)]
)
def test_the_scheme_counts_without_case(value: str, dpop: bool) -> None:
    token = parse_authorization(value)

    assert (token.value, token.dpop) == ("abc", dpop)
    assert "abc" not in repr(token)
    assert require_scheme(token, bound=dpop) is token


@pytest.mark.hostile
@pytest.mark.parametrize(
    "value", ["", "abc", "Basic abc", "DPoP", "DPoP a b", "DPoP a=b", "DPoP ä", "DPoP abc\n", "DPoP " + "a" * 9000]
)
def test_what_is_no_access_token_is_refused(value: str) -> None:
    with pytest.raises(MalformedInput):
        parse_authorization(value)


@pytest.mark.hostile
def test_a_bound_token_cannot_be_used_as_a_bearer_token_nor_the_other_way() -> None:
    with pytest.raises(HolderBindingError):
        require_scheme(parse_authorization("Bearer abc"), bound=True)
    with pytest.raises(HolderBindingError):
        require_scheme(parse_authorization("DPoP abc"), bound=False)
