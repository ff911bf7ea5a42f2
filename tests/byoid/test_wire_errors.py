import inspect

import pytest

from byoid import wire_errors
from byoid.errors import OAuthError

CLASSES = [
    each
    for _, each in inspect.getmembers(wire_errors, inspect.isclass)
    if issubclass(each, OAuthError)
    and each.__module__ == wire_errors.__name__
    and each is not wire_errors.ResourceError
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_wire_error_has_a_code_a_status_and_two_texts(cls: type[OAuthError]) -> None:
    error = cls("What happened.", detail="for the log", headers={"X-Extra": "1"})

    assert error.code == cls.code
    assert 400 <= error.status < 600
    assert (error.description, error.detail, error.headers["X-Extra"]) == ("What happened.", "for the log", "1")


def test_codes_are_unique_except_for_what_a_resource_answers_differently() -> None:
    authorization = [each.code for each in CLASSES if not issubclass(each, wire_errors.ResourceError)]

    assert len(set(authorization)) == len(authorization)


def test_a_resource_error_challenges_with_the_scheme_its_code_and_its_algorithms() -> None:
    error = wire_errors.UseResourceDpopNonce("A nonce is needed.", headers={"DPoP-Nonce": "n1"})

    assert error.status == 401
    assert error.headers == {
        "WWW-Authenticate": 'DPoP error="use_dpop_nonce", error_description="A nonce is needed.", algs="ES256"',
        "DPoP-Nonce": "n1",
    }


def test_without_a_token_the_challenge_names_no_error() -> None:
    assert wire_errors.MissingToken("No token.").headers == {"WWW-Authenticate": 'DPoP algs="ES256"'}


@pytest.mark.hostile
@pytest.mark.parametrize("description", ['a "quote"', "a \\ backslash", "ünïcode", "line\nbreak"])
def test_a_description_outside_the_alphabet_is_refused(description: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        wire_errors.InvalidRequest(description)
