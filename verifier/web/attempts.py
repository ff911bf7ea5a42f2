"""The endpoints that the drop-in asks, for the playground: what a service's own back end does over the HTTP API.

One attempt is three transactions of one browser session, one for each way to a wallet: a link on the same device, a QR
code, the Digital Credentials API. Its id is theirs joined, with a tag that only counts in the session that started it,
so that nothing is kept here. OpenID4VP 1.0 13.3.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from byoid.encoding import b64u_encode
from byoid.jose import parse_jws
from byoid.relying_party.messages import TransactionView
from byoid.relying_party.transaction import State
from byoid.service.pages import Pages, origin_of, require_same_origin
from byoid.wire_errors import InvalidRequest
from verifier import results
from verifier.context import Verifier
from verifier.errors import NotFound, told_to_services
from verifier.services import KnownService
from verifier.ways import MODES, Ways, offer
from verifier.web.drop_in import NO_STORE, Attempt, as_json, drop_in_routes
from verifier.web.json_text import pretty

COOKIE: Final = "__Host-byoid-verifier"  # the browser session
_ATTEMPT: Final = "__Host-byoid-attempt"  # which attempt the person comes back to
_TAG_BYTES: Final = 16
Ids: TypeAlias = tuple[str, str, str]  # of the transactions, in the order of MODES
_Handler: TypeAlias = Callable[["Playground", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Playground:
    """The playground's part of the verifier."""

    verifier: Verifier
    pages: Pages

    @classmethod
    def of(cls, request: Request) -> "Playground":
        """Return what `app.py` made."""
        return cls(request.app.state.verifier, request.app.state.pages)

    @property
    def origin(self) -> str:
        """Scheme, host and port of our pages."""
        return origin_of(self.verifier.settings.public_url)

    async def service(self) -> KnownService:
        """Return the service that the playground asks as."""
        return await self.verifier.services.get(self.verifier.settings.playground_service or "")

    def session(self, request: Request) -> str:
        """Return what names this browser session, of a page of ours.

        Raises:
            InvalidRequest: another site asks, or there is no session.
        """
        require_same_origin(request, origin=self.origin)
        session = request.cookies.get(COOKIE)
        if not session:
            raise InvalidRequest("This page is not open in your browser any more. Reload it.")
        return session

    def ids(self, request: Request, attempt: str) -> Ids:
        """Return the transactions of an attempt of this browser session.

        Raises:
            NotFound: no such attempt, or it is another session's.
        """
        *parts, tag = attempt.split(".")
        session = request.cookies.get(COOKIE, "")
        if len(parts) != len(MODES) or not compare_digest(tag.encode(), self.tag(session, parts).encode()):
            raise NotFound("There is no such attempt in this browser.")
        return parts[0], parts[1], parts[2]

    def tag(self, session: str, ids: Sequence[str]) -> str:
        """Return what ties an attempt to a browser session."""
        tied = " ".join((session, *ids)).encode()
        return b64u_encode(self.verifier.sealer.keyed_hash(tied, purpose="attempt")[:_TAG_BYTES])


def attempt_routes(prefix: str) -> list[Route]:
    """Return the endpoints of the drop-in, below `prefix`."""
    one = f"{prefix}/{{attempt}}"
    return [
        Route(prefix, _with(_start), methods=["POST"]),
        Route(f"{prefix}/return", _with(_come_back), methods=["GET"]),
        *drop_in_routes(one, _find),
        Route(f"{one}/request", _with(_show_request), methods=["GET"]),
        Route(f"{one}/result", _with(_result), methods=["GET"]),
    ]


def _with(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        return await handler(Playground.of(request), request)

    return handle


async def _start(playground: Playground, request: Request) -> Response:
    session, service, path = playground.session(request), await playground.service(), request.url.path
    ways, started = await Ways.begin(
        playground.verifier, service, query=request.path_params["name"], session=session,
        back=f"{playground.origin}{path}/return", origin=playground.origin,
    )  # fmt: skip
    ids = tuple(ways.ids[mode] for mode in MODES)
    attempt = ".".join((*ids, playground.tag(session, ids)))
    answer = as_json(offer(started, attempt=attempt, path=path, now=playground.verifier.clock()))
    answer.set_cookie(_ATTEMPT, attempt, path="/", secure=True, httponly=True, samesite="lax")
    return answer


async def _find(request: Request) -> Attempt:
    playground, name = Playground.of(request), request.path_params["name"]
    session = playground.session(request)
    ended = f"/playground/queries/{name}/attempts/{request.path_params['attempt']}/result"
    return Attempt(await _ways_of(playground, _ids(playground, request)), session, ended)


async def _show_request(playground: Playground, request: Request) -> Response:
    """Show the request as a wallet gets it, taken apart."""
    playground.session(request)
    party = playground.verifier.party(await playground.service())
    with told_to_services():
        begun = await party.begun(_ids(playground, request)[1])
        jws = parse_jws(await party.request_object(begun.request_id))
    header = {**jws.header, "x5c": [f"{each[:24]}…" for each in jws.header.get("x5c", ())]}
    text = pretty({"header": header, "payload": jws.claims()})
    return Response(text, media_type="application/json", headers=NO_STORE)


async def _come_back(playground: Playground, request: Request) -> Response:
    """Take the person back from a wallet on the same device."""
    attempt, code = request.cookies.get(_ATTEMPT), request.query_params.get("response_code", "")
    if attempt is None:
        raise InvalidRequest("This request was started in another browser. Start again there.")
    response = await _verdict(playground, request, playground.ids(request, attempt), code)
    response.delete_cookie(_ATTEMPT, path="/", secure=True, httponly=True, samesite="lax")
    return response


async def _result(playground: Playground, request: Request) -> Response:
    return await _verdict(playground, request, _ids(playground, request), None)


async def _verdict(playground: Playground, request: Request, ids: Sequence[str], code: str | None) -> Response:
    session, service = request.cookies.get(COOKIE), await playground.service()
    for view in sorted(await (await _ways_of(playground, ids)).views(), key=_is_open):
        if not _is_open(view) or view.failures:
            found = await results.result(playground.verifier, service, view.id, session=session, response_code=code)
            return playground.pages.render(
                request, "verdict.html", result=found, last_failure=view.last_failure, shown=pretty(found.to_wire())
            )
    return RedirectResponse(f"/playground/queries/{request.path_params['name']}", 303)


def _is_open(view: TransactionView) -> bool:
    return view.state is State.PENDING


async def _ways_of(playground: Playground, ids: Sequence[str]) -> Ways:
    return Ways(playground.verifier, await playground.service(), dict(zip(MODES, ids, strict=True)))


def _ids(playground: Playground, request: Request) -> Ids:
    return playground.ids(request, request.path_params["attempt"])
