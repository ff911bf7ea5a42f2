"""The back office: pages for the agency's clerks, usable without JavaScript. What they do is in the operations.

A clerk's role is one of the admin API's (`admin.py`). Looking up a person is a form that is posted, so that the
register's key of nobody is in an address, a log or the browser's history.
"""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response
from starlette.routing import Route

from issuer.admin import Permission
from issuer.web.office import bulk, credentials, offers, records, sign_in
from issuer.web.office.visit import PREFIX, Handler, Visit, route

_PAGES: Final[tuple[tuple[str, str, Handler, Permission], ...]] = (
    ("POST", "/sign-out", sign_in.sign_out, Permission.LOOK),
    ("GET", "/offers", offers.show_form, Permission.OPERATE),
    ("POST", "/offers", offers.make, Permission.OPERATE),
    ("POST", "/offers/withdraw", offers.withdraw, Permission.OPERATE),
    ("GET", "/letters", offers.show_letters, Permission.OPERATE),
    ("GET", "/letters/print", offers.print_letters, Permission.OPERATE),
    ("POST", "/letters/printed", offers.forget_letters, Permission.OPERATE),
    ("GET", "/bulk", bulk.show_jobs, Permission.LOOK),
    ("POST", "/bulk", bulk.make_job, Permission.OPERATE),
    ("GET", "/bulk/{job}", bulk.show_job, Permission.LOOK),
    ("POST", "/bulk/{job}/people", bulk.add_people, Permission.OPERATE),
    ("POST", "/bulk/{job}/start", bulk.start, Permission.OPERATE),
    ("POST", "/bulk/{job}/cancel", bulk.cancel, Permission.OPERATE),
    ("GET", "/bulk/{job}/results.csv", bulk.results, Permission.OPERATE),
    ("GET", "/issued", credentials.show_search, Permission.LOOK),
    ("POST", "/issued", credentials.look_up, Permission.LOOK),
    ("POST", "/status", credentials.ask, Permission.OPERATE),
    ("POST", "/status/changed", credentials.change, Permission.OPERATE),
    ("GET", "/journal", records.show_journal, Permission.LOOK),
    ("GET", "/webhooks", records.show_webhooks, Permission.LOOK),
)


async def show_home(visit: Visit) -> Response:
    """Show what can be done here."""
    return visit.page("home")


def office_routes(public_url: str) -> list[Route]:
    """Return the routes of the back office."""
    base = urlsplit(public_url).path
    return [
        route(base, "", show_home, Permission.LOOK),
        Route(f"{base}{PREFIX}/sign-in", sign_in.show_sign_in, methods=["GET"]),
        Route(f"{base}{PREFIX}/sign-in", sign_in.sign_in, methods=["POST"]),
        *(route(base, path, handler, permission, method=method) for method, path, handler, permission in _PAGES),
    ]
