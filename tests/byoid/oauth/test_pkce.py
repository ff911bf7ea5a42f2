import pytest

from byoid.errors import ByoidError, ClaimMismatch, MalformedInput
from byoid.oauth.pkce import code_challenge, create_code_verifier, require_code_verifier

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 Appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_challenge_is_the_one_of_the_rfc() -> None:
    assert code_challenge(VERIFIER) == CHALLENGE


def test_the_verifier_of_the_challenge_is_accepted() -> None:
    require_code_verifier(VERIFIER, challenge=CHALLENGE)


def test_verifiers_are_fresh_and_well_formed() -> None:
    first, second = create_code_verifier(), create_code_verifier()

    assert first != second
    require_code_verifier(first, challenge=code_challenge(first))


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("verifier", "error"),
    [
        pytest.param(None, MalformedInput, id="missing"),
        pytest.param("", MalformedInput, id="empty"),
        pytest.param("a" * 42, MalformedInput, id="too short"),
        pytest.param("a" * 129, MalformedInput, id="too long"),
        pytest.param("a" * 42 + "ä", MalformedInput, id="character outside"),
        pytest.param(VERIFIER + "\n", MalformedInput, id="line end"),
        pytest.param("a" * 43, ClaimMismatch, id="another one"),
        pytest.param(CHALLENGE, ClaimMismatch, id="the challenge itself, as method plain would have it"),
    ],
)
def test_any_other_verifier_is_refused(verifier: str | None, error: type[ByoidError]) -> None:
    with pytest.raises(error):
        require_code_verifier(verifier, challenge=CHALLENGE)
