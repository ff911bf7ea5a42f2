"""How a clerk comes into the back office, and leaves it. Guesses are counted as those of citizens are."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from byoid.service.address_limits import address_of
from byoid.service.pages import set_cookie
from issuer import clerks
from issuer.agency import Agency
from issuer.guesses import BADGE_LIFETIME, Guess
from issuer.recognition import NotRecognised
from issuer.web.authorization_pages import BADGE, COOKIE, WRONG
from issuer.web.office.visit import Visit, office_path, read_form, show


async def show_sign_in(request: Request) -> Response:
    """Show the sign-in page."""
    return show(request, request.app.state.agency, "sign-in", problem=None, username="")


async def sign_in(request: Request) -> Response:
    """Take the form of the sign-in page; the browser gets a new session."""
    agency: Agency = request.app.state.agency
    issuer, (fields, _, _) = agency.issuer, await read_form(request, agency)
    guess = Guess(
        fields.get("username", ""), address_of(request.scope, issuer.settings.is_proxy), request.cookies.get(BADGE)
    )
    await issuer.office_guesses.count(issuer.store.database, guess, now=issuer.clock())
    try:
        secret = await clerks.sign_in(agency, guess.name, fields.get("password", ""))
    except NotRecognised:
        return show(request, agency, "sign-in", status=400, problem=WRONG, username=guess.name)
    response = RedirectResponse(_back(request, agency), 303, headers={"Cache-Control": "no-store"})
    badge = await issuer.office_guesses.succeeded(issuer.store.database, guess)
    set_cookie(response, BADGE, badge, max_age=int(BADGE_LIFETIME.total_seconds()))
    set_cookie(response, COOKIE, secret)
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    await clerks.sign_out(visit.agency, visit.request.cookies[COOKIE])
    response = visit.go("/sign-in")
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


def _back(request: Request, agency: Agency) -> str:
    """Return where the clerk wanted to go, if that is in the office."""
    office, back = office_path(agency), request.query_params.get("back", "")
    inside = back.startswith(f"{office}/") and "\\" not in back and "//" not in back
    return back if inside else office
