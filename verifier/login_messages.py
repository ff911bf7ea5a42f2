"""The messages of a login: the authentication request, and the answer to it.

OpenID Connect Core 1.0 3.1.2.1 (request), 3.1.2.6 (errors), 5.5 (`claims`); RFC 7636 4.3; RFC 9207; OAuth 2.0 Form Post
Response Mode 1.0. Members that we don't use (`display`, `login_hint`, `id_token_hint`, `acr_values`) are ignored, as
3.1.2.1 lets a provider do; `max_age` and `prompt=login` are met by every login, since each is a fresh presentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import StringConstraints, model_validator

from byoid.errors import MalformedInput
from byoid.message import Message, parse_message
from byoid.oauth.pkce import CodeChallenge
from byoid.wire_errors import (
    InvalidRequest,
    InvalidScope,
    RequestNotSupported,
    RequestUriNotSupported,
    UnsupportedResponseType,
)
from verifier.errors import LoginRequired, RegistrationNotSupported

RESPONSE_MODES: Final = ("query", "form_post")
_NOT_SUPPORTED: Final = {
    "request": RequestNotSupported,
    "request_uri": RequestUriNotSupported,
    "registration": RegistrationNotSupported,
}
_Text: TypeAlias = Annotated[str, StringConstraints(max_length=2048)]
_Wishes: TypeAlias = dict[str, dict[str, Any] | None]


class ClaimsParameter(Message):
    """Single claims that are asked for, and where they are to be given (5.5)."""

    userinfo: _Wishes | None = None
    id_token: _Wishes | None = None

    def demanded(self, name: str, *, essential: bool) -> tuple[Any, ...] | None:
        """Return the values that a claim of the ID token must have one of; None if none is demanded (5.5.1)."""
        wish = (self.id_token or {}).get(name)
        if wish is None or (essential and wish.get("essential") is not True):
            return None
        if "value" in wish:
            return (wish["value"],)
        values = wish.get("values")
        return tuple(values) if isinstance(values, list) else None


class AuthenticationRequest(Message):
    """What a client asks for (3.1.2.1)."""

    redirect_uri: str
    response_mode: Literal["query", "form_post"] = "query"
    scope: _Text
    state: _Text | None = None
    nonce: _Text | None = None
    prompt: _Text = ""
    ui_locales: _Text = ""
    claims: ClaimsParameter = ClaimsParameter()
    code_challenge: CodeChallenge | None = None
    code_challenge_method: Literal["S256"] | None = None

    @model_validator(mode="after")
    def _require_whole_challenge(self) -> Self:
        """A challenge without a method would be a `plain` one (RFC 7636 4.3)."""
        if (self.code_challenge is None) != (self.code_challenge_method is None):
            raise ValueError("a code_challenge comes with code_challenge_method=S256, and the other way round")
        return self

    @property
    def scopes(self) -> tuple[str, ...]:
        """The single scopes; what is not known is ignored."""
        return tuple(self.scope.split())


@dataclass(frozen=True)
class Answer:
    """What goes back to the client through the browser: a code or an error."""

    redirect_uri: str
    response_mode: str
    parameters: Mapping[str, str] = field(repr=False)


def parse_authentication_request(parameters: Mapping[str, str | list[str]]) -> AuthenticationRequest:
    """Parse a request whose client and `redirect_uri` are known to belong together.

    Raises:
        RequestNotSupported, RequestUriNotSupported, RegistrationNotSupported: a parameter that we don't take.
        UnsupportedResponseType: something else than a code is wanted.
        InvalidScope: it is no request of OpenID Connect.
        LoginRequired: nobody may be asked.
        InvalidRequest: it is malformed otherwise.
    """
    for name, refusal in _NOT_SUPPORTED.items():
        if name in parameters:
            raise refusal(f"{name} is not supported")
    if "response_type" not in parameters:
        raise InvalidRequest("the response_type is missing")
    if parameters["response_type"] != "code":
        raise UnsupportedResponseType("the response_type must be code")
    try:
        request = parse_message(AuthenticationRequest, {"scope": "", **parameters, **_claims(parameters.get("claims"))})
    except MalformedInput as error:
        raise InvalidRequest("the authentication request is malformed", detail=str(error)) from error
    if "openid" not in request.scopes:
        raise InvalidScope("the scope must have openid")
    _require_prompt(request.prompt.split())
    return request


def _claims(text: object) -> dict[str, object]:
    return {"claims": parse_message(ClaimsParameter, text)} if isinstance(text, str) else {}


def _require_prompt(prompts: list[str]) -> None:
    if "none" not in prompts:
        return
    if len(prompts) > 1:
        raise InvalidRequest("prompt none comes alone")
    raise LoginRequired("the person must open a wallet")
