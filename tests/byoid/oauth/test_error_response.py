import pytest

from byoid.oauth.error_response import peer_error


def test_the_code_is_taken_from_the_body() -> None:
    error = peer_error(status=400, body=b'{"error":"invalid_nonce","error_description":"<b>old</b>"}')

    assert (error.code, error.status) == ("invalid_nonce", 400)
    assert "<b>" not in str(error)


def test_the_code_of_a_protected_resource_is_taken_from_its_challenge() -> None:
    error = peer_error(status=401, body=b"", www_authenticate='DPoP error="use_dpop_nonce", error_description="x"')

    assert (error.code, error.status) == ("use_dpop_nonce", 401)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("body", "challenge"),
    [
        (b"", ""),
        (b"<html>", "Basic realm=x"),
        (b"[]", 'DPoP error_description="error"'),
        (b'{"error":1}', ""),
        (b'{"error":"with \\" quote"}', ""),
        (b'{"error":"' + b"x" * 65 + b'"}', 'DPoP error=""'),
        (b'{"error":"a\\n"}', ""),
    ],
)
def test_an_answer_that_names_no_error_is_still_one(body: bytes, challenge: str) -> None:
    assert peer_error(status=502, body=body, www_authenticate=challenge).code is None
