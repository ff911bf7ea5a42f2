import pytest

from byoid.errors import MalformedInput
from byoid.oauth.authorization import AuthorizationRequest
from byoid.oauth.authorization_details import AuthorizationDetail
from byoid.oauth.form import MAX_PARAMETERS, parse_form, to_form
from byoid.oauth.pkce import code_challenge


def test_a_form_is_parsed_and_empty_values_count_as_absent() -> None:
    assert parse_form(b"a=1&b=%20x+y&tx_code=&c=%C3%A4") == {"a": "1", "b": " x y", "c": "ä"}
    assert parse_form("") == {}


def test_what_may_be_repeated_becomes_a_list() -> None:
    assert parse_form("resource=https://a.example&resource=https://b.example&resource=") == {
        "resource": ["https://a.example", "https://b.example"]
    }


@pytest.mark.hostile
@pytest.mark.parametrize(
    "body",
    [
        b"code=a&code=b",
        b"code=a&code=a",
        b"code=&code=a",
        b"code=\xff",
        b"\xff=1",
        b"code=%FF",
        b"no value",
        b"a=1&&b=2",
        b"&".join(b"a%d=1" % number for number in range(MAX_PARAMETERS + 1)),
        b"a=" + b"x" * (300 << 10),
    ],
    ids=["twice", "the same twice", "twice, once empty", "raw bytes", "raw name", "escaped bytes", "no equals sign",
         "empty field", "too many", "too large"],
)  # fmt: skip
def test_a_form_with_a_defect_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedInput):
        parse_form(body)


def test_a_message_becomes_a_form_and_comes_back() -> None:
    request = AuthorizationRequest(
        client_id="wallet",
        redirect_uri="https://wallet.example/cb",
        code_challenge=code_challenge("v"),
        authorization_details=(AuthorizationDetail(credential_configuration_id="pid"),),
        resource=("https://issuer.example",),
    )

    form = to_form(request)

    assert form["authorization_details"] == '[{"type":"openid_credential","credential_configuration_id":"pid"}]'
    assert form["resource"] == ["https://issuer.example"]
    assert form["code_challenge_method"] == "S256"
    assert "state" not in form
