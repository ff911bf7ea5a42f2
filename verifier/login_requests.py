"""A login, from the authentication request to the code: begun by a service's client, done by a person with a wallet.

OpenID Connect Core 1.0 3.1.2, RFC 6749 4.1.2, RFC 9207 (`iss`), RFC 9700 2.1 and 4.5. A login belongs to the browser
that began it: only its session sees the page, and gets the code. What was shown is kept sealed for the access token's
time, and the transactions with their results are deleted at once (EUDI ARF topic 52: forward only).
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest
from typing import Any, Final

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import OAuthError
from byoid.message import parse_message
from byoid.oauth.jwt import numeric_date
from byoid.relying_party import Transaction
from byoid.relying_party.messages import TransactionView
from byoid.relying_party.transaction import Mode, State
from byoid.service.seal import Sealer
from byoid.wire_errors import AccessDenied, InvalidRequest
from verifier.context import Verifier
from verifier.errors import AlreadyAnswered, NotFound, UnmetAuthenticationRequirements, WrongSession
from verifier.login_claims import LoginRules, Shown, of_scopes
from verifier.login_messages import RESPONSE_MODES, Answer, AuthenticationRequest, parse_authentication_request
from verifier.logins import NONE
from verifier.tables import LoginState
from verifier.ways import MODES, Ways

LIFETIME: Final = timedelta(minutes=30)  # of a login, in which a person may try as often as she likes
_MEMORY: Final = timedelta(hours=1)  # in which she may still be sent back to the service
CODE_LIFETIME: Final = timedelta(seconds=60)
_RANDOM_BYTES: Final = 32


class Problem(StrEnum):
    """Why there is no code: nothing has come yet, or it is not good enough. The person may try again."""

    WAITING = "waiting"
    ELSEWHERE = "elsewhere"  # answered; the result is for the window that the wallet opened
    DECLINED = "declined"
    UNPROVEN = "unproven"
    UNTRUSTED = "untrusted"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"
    INCOMPLETE = "incomplete"


_PROBLEMS: Final = {
    "Revoked": Problem.REVOKED,
    "Suspended": Problem.SUSPENDED,
    "Expired": Problem.EXPIRED,
    "NotYetValid": Problem.EXPIRED,
    "StatusUnavailable": Problem.UNAVAILABLE,
    "UntrustedIssuer": Problem.UNTRUSTED,
}


@dataclass(frozen=True)
class OpenLogin:
    """A login that was begun in this browser, and its client."""

    row: Any
    client: Any
    request: AuthenticationRequest
    session: str

    def is_over(self, now: datetime) -> bool:
        """Tell whether its time is over, so that only the way back is left."""
        return bool(now >= self.row.open_until)


async def begin(verifier: Verifier, parameters: Mapping[str, str | list[str]], *, session: str) -> str | Answer:
    """Begin a login; return the handle of its page, or the error that goes back to the client.

    Raises:
        InvalidRequest: the client is not known, or has not registered this `redirect_uri`: nobody is redirected there.
    """
    client = await _client(verifier, parameters)
    try:
        request = parse_authentication_request(parameters)
        if client.authentication == NONE and request.code_challenge is None:
            raise InvalidRequest("a client without a secret must send a code_challenge")
    except OAuthError as error:
        return _refusal(verifier, parameters, error)
    handle, now = b64u_encode(secrets.token_bytes(_RANDOM_BYTES)), verifier.clock()
    await verifier.logins.add_request({
        "id_hash": _hash(verifier, "login", handle), "client_id": client.client_id, "service_id": client.service_id,
        "state": LoginState.OPEN.value, "session_hash": _hash(verifier, "login session", session),
        "request": request.to_wire(), "transactions": None, "code_hash": None, "code_expires_at": None,
        "token_hash": None, "token_expires_at": None, "sealed": None,
        "open_until": now + LIFETIME, "expires_at": now + LIFETIME + _MEMORY,
    })  # fmt: skip
    return handle


async def open_login(verifier: Verifier, handle: str, *, session: str) -> OpenLogin:
    """Return a login for its page.

    Raises:
        NotFound: there is none, or it was answered.
        WrongSession: it was begun in another browser.
    """
    row = await verifier.logins.request(_hash(verifier, "login", handle), now=verifier.clock())
    client = await verifier.logins.login(row.client_id) if row else None
    if row is None or client is None or client.service_id != row.service_id or row.state != LoginState.OPEN:
        raise NotFound("This sign-in is over. Go back to the service and start again.")
    if not compare_digest(row.session_hash, _hash(verifier, "login session", session)):
        raise WrongSession("This sign-in was started in another browser. Go back to the service and start again.")
    return OpenLogin(row, client, parse_message(AuthenticationRequest, row.request), session)


async def begin_attempt(
    verifier: Verifier, login: OpenLogin, *, back: str, origin: str
) -> tuple[Ways, Mapping[Mode, Any]]:
    """Ask the person, in place of what was asked before.

    Raises:
        AlreadyAnswered: the login's time is over, or it was answered meanwhile.
        NotFound: the service has no such query any more.
    """
    if login.is_over(verifier.clock()):
        raise AlreadyAnswered("The time for this sign-in is over.")
    if (before := await attempt_of(verifier, login)) is not None:
        await before.forget()
    service = await verifier.services.get(login.client.service_id)
    modes = [mode for mode in MODES if mode is not Mode.CROSS_DEVICE or not login.client.same_device_only]
    ways, started = await Ways.begin(
        verifier, service, query=login.client.query_name, session=login.session, back=back, origin=origin, modes=modes
    )
    if not await verifier.logins.keep_attempt(login.row.id_hash, {mode.value: id_ for mode, id_ in ways.ids.items()}):
        raise AlreadyAnswered("This sign-in was answered.")
    return ways, started


async def attempt_of(verifier: Verifier, login: OpenLogin) -> Ways | None:
    """Return the current attempt, if there is one."""
    if not login.row.transactions:
        return None
    service = await verifier.services.get(login.client.service_id)
    return Ways(verifier, service, {Mode(mode): id_ for mode, id_ in login.row.transactions.items()})


async def complete(verifier: Verifier, login: OpenLogin, *, response_code: str | None) -> Answer | Problem:
    """Give the client a code for what was accepted, or say why there is none yet.

    Raises:
        WrongSession: on the same device, another response code than the one that came back with the person.
        NotFound: the login was answered meanwhile, or its time is over.
    """
    ways = await attempt_of(verifier, login)
    if ways is None:
        return Problem.WAITING
    concluded = await ways.concluded(session=login.session, response_code=response_code)
    if concluded is None:
        return _problem(await ways.views())
    if concluded.outcome is None or concluded.state is not State.ACCEPTED:
        return _named(concluded.outcome.reasons if concluded.outcome else (), Problem.REJECTED)
    rules = parse_message(LoginRules, login.client.rules)
    shown = Shown(rules, concluded.credentials)
    subject = shown.subject(login.client.client_id, keyed_hash=lambda data: _hash(verifier, "login subject", data))
    if subject is None and rules.subject:
        await ways.forget()
        return Problem.INCOMPLETE
    try:
        content = _content(login, shown, subject or b64u_encode(secrets.token_bytes(_RANDOM_BYTES)))
    except UnmetAuthenticationRequirements as error:
        return await _end(verifier, login, error)
    content["auth_time"] = numeric_date(await _accepted_at(verifier, concluded))
    answer = await _code(verifier, login, content)
    await ways.forget()
    return answer


def _problem(views: Sequence[TransactionView]) -> Problem:
    """Say why an attempt that gives no result has none."""
    if any(view.state is State.ACCEPTED for view in views):
        return Problem.ELSEWHERE
    if any(view.state is State.DECLINED for view in views):
        return Problem.DECLINED
    failures = [view.last_failure for view in views if view.last_failure]
    return _named(failures, Problem.UNPROVEN) if failures else Problem.WAITING


def _named(reasons: Iterable[str], otherwise: Problem) -> Problem:
    """Return what the reasons come to, in words that a person knows."""
    text = "; ".join(reasons)
    return next((problem for name, problem in _PROBLEMS.items() if f"{name}:" in text), otherwise)


async def deny(verifier: Verifier, login: OpenLogin) -> Answer:
    """Send the person back without a code.

    Raises:
        NotFound: the login was answered meanwhile.
    """
    over = login.is_over(verifier.clock())
    return await _end(verifier, login, AccessDenied("the time was over" if over else "the person cancelled"))


def _content(login: OpenLogin, shown: Shown, subject: str) -> dict[str, Any]:
    """Return what the client gets to know, in the ID token and at the userinfo endpoint (Core 5.4, 5.5)."""
    asked, claims, acr = login.request.claims, shown.claims, shown.acr
    for name, value, essential in (("sub", subject, False), ("acr", acr, True)):
        demanded = asked.demanded(name, essential=essential)
        if demanded is not None and value not in demanded:
            raise UnmetAuthenticationRequirements(f"the {name} is not the one that was demanded")
    userinfo = of_scopes(claims, login.request.scopes)
    userinfo |= {name: claims[name] for name in asked.userinfo or () if name in claims}
    id_token = {name: claims[name] for name in asked.id_token or () if name in claims}
    return {"sub": subject, "userinfo": userinfo, "id_token": {**id_token, **({"acr": acr} if acr else {})}}


async def _accepted_at(verifier: Verifier, concluded: Transaction) -> datetime:
    """Return when the presentation was accepted: a result is kept for its policy's time from then on."""
    policy = await verifier.policies.policy(concluded.policy_id)
    return verifier.clock() if policy is None else concluded.expires_at - policy.retention


async def _code(verifier: Verifier, login: OpenLogin, content: Mapping[str, Any]) -> Answer:
    code, now = b64u_encode(secrets.token_bytes(_RANDOM_BYTES)), verifier.clock()
    sealed = seal_content(verifier.sealer, login.row.id_hash, content)
    until = now + CODE_LIFETIME
    if not await verifier.logins.answer(
        login.row.id_hash, code=code_hash(verifier, code), content=sealed, until=until, now=now
    ):
        raise NotFound("This sign-in is over. Go back to the service and start again.")
    return _answer(verifier, login.request, {"code": code})


async def _end(verifier: Verifier, login: OpenLogin, error: OAuthError) -> Answer:
    if not await verifier.logins.deny(login.row.id_hash):
        raise NotFound("This sign-in is over. Go back to the service and start again.")
    if (ways := await attempt_of(verifier, login)) is not None:
        await ways.forget()
    return _answer(verifier, login.request, _error(error))


async def _client(verifier: Verifier, parameters: Mapping[str, str | list[str]]) -> Any:
    """Find the client, and demand one of its own addresses, character by character (RFC 9700 2.1)."""
    client = await verifier.logins.login(str(parameters.get("client_id", "")))
    if client is None:
        raise InvalidRequest("This service is not known here.")
    if parameters.get("redirect_uri") not in client.redirect_uris:
        raise InvalidRequest("The service asks to send you to an address that it has not registered.")
    return client


def _refusal(verifier: Verifier, parameters: Mapping[str, Any], error: OAuthError) -> Answer:
    mode = parameters.get("response_mode")
    given = {"state": parameters["state"]} if isinstance(parameters.get("state"), str) else {}
    returned = {**_error(error), **given, "iss": verifier.settings.public_url}
    return Answer(parameters["redirect_uri"], mode if mode in RESPONSE_MODES else "query", returned)


def _answer(verifier: Verifier, request: AuthenticationRequest, parameters: Mapping[str, str]) -> Answer:
    state = {} if request.state is None else {"state": request.state}
    complete = {**parameters, **state, "iss": verifier.settings.public_url}
    return Answer(request.redirect_uri, request.response_mode, complete)


def _error(error: OAuthError) -> dict[str, str]:
    return {"error": error.code, "error_description": error.description}


def code_hash(verifier: Verifier, code: str) -> bytes:
    """Return what a code is looked up by."""
    return _hash(verifier, "login code", code)


def token_hash(verifier: Verifier, token: str) -> bytes:
    """Return what an access token is looked up by."""
    return _hash(verifier, "login token", token)


def seal_content(sealer: Sealer, id_hash: bytes, content: Mapping[str, Any]) -> bytes:
    """Seal what the client gets to know."""
    return sealer.seal(json_dumps(content), table="login_request", column="sealed", row_id=id_hash.hex())


def open_content(sealer: Sealer, row: Any) -> bytes:
    """Open what the client gets to know."""
    return sealer.open(row.sealed, table="login_request", column="sealed", row_id=row.id_hash.hex())


def _hash(verifier: Verifier, purpose: str, value: str | bytes) -> bytes:
    return verifier.sealer.keyed_hash(value, purpose=purpose)
