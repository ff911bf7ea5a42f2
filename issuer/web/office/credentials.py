"""Pages to look up what was issued (no claims are kept) and to revoke, suspend or reinstate it, with a reason."""

from typing import Any, Final

from starlette.responses import Response

from byoid.wire_errors import InvalidRequest
from issuer.admin import NotFound
from issuer.agency_store import COUNTED, PAGE, Target
from issuer.credential_types import in_language
from issuer.revocation import Selection, change_status
from issuer.tables import CredentialStatus
from issuer.web.office.visit import Visit

TARGETS: Final = (Target.PERSON, Target.CREDENTIAL, Target.BATCH, Target.TYPE)
ACTIONS: Final = {
    "suspend": CredentialStatus.SUSPENDED, "reinstate": CredentialStatus.VALID, "revoke": CredentialStatus.REVOKED,
}  # fmt: skip
_MAX_TEXT: Final = 200
_NO_REASON: Final = "Give a reason. It stands in the journal."
_NO_VALUE: Final = "Say which credentials you mean."


async def show_search(visit: Visit) -> Response:
    """Show the form for looking up, empty."""
    return _results(visit, None, [])


async def look_up(visit: Visit) -> Response:
    """Show what was issued to a person, of a type or in a batch, a page at a time; the journal says who looked."""
    try:
        selection = selection_of(visit)
    except InvalidRequest as error:
        return _results(visit, None, [], problem=error.description, status=error.status)
    agency, after = visit.agency, visit.fields.get("after", "")
    async with agency.issuer.store.transaction() as tx:
        await agency.note(tx, "credentials.looked-up", actor=visit.caller.actor, **selection.described(agency))
    rows = await agency.store.look_up(selection.target, selection.sought(agency), after=after)
    return _results(visit, selection, rows)


async def ask(visit: Visit) -> Response:
    """Show what a change would do, and ask for the reason."""
    return await _ask(visit)


async def change(visit: Visit) -> Response:
    """Change the status, and say how many credentials it was."""
    selection, (action, status) = selection_of(visit), _action(visit)
    reason = visit.fields.get("reason", "").strip()
    if not 0 < len(reason) <= _MAX_TEXT:
        return await _ask(visit, problem=_NO_REASON)
    changed = await change_status(
        visit.agency, selection, status, actor=visit.caller.actor, reason=reason,
        end_reissuance="end_reissuance" in visit.fields and action == "revoke",
    )  # fmt: skip
    return visit.page("status-changed", action=action, changed=changed)


def selection_of(visit: Visit) -> Selection:
    """Return which credentials a form means.

    Raises:
        InvalidRequest: none.
    """
    target, value = visit.fields.get("target", ""), visit.fields.get("value", "").strip()
    if target not in TARGETS or not 0 < len(value) <= _MAX_TEXT:
        raise InvalidRequest(_NO_VALUE)
    return Selection(Target(target), value)


def _action(visit: Visit) -> tuple[str, CredentialStatus]:
    action = visit.fields.get("action", "")
    if action not in ACTIONS:
        raise NotFound("there is no such change")
    return action, ACTIONS[action]


async def _ask(visit: Visit, *, problem: str | None = None) -> Response:
    selection, (action, status) = selection_of(visit), _action(visit)
    count = await visit.agency.store.count_changeable(
        selection.target, selection.sought(visit.agency), status, now=visit.agency.issuer.clock()
    )
    return visit.page(
        "status", status=400 if problem else 200, selection=selection, action=action, count=count,
        counted=COUNTED, problem=problem,
    )  # fmt: skip


def _results(
    visit: Visit, selection: Selection | None, rows: Any, *, problem: str | None = None, status: int = 200
) -> Response:
    kinds = [each.type for each in visit.agency.issuer.configurations.values()]
    types = {kind.id: in_language(kind.name, visit.language) for kind in kinds}
    return visit.page(
        "issued", status=status, selection=selection, rows=rows, types=types, targets=TARGETS, problem=problem,
        next=rows[-1].id if len(rows) == PAGE else None,
    )  # fmt: skip
