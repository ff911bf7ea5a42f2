"""The admin API under `/admin`: thin routes, an API key with a role for each, every call in the journal."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from fastapi.security import HTTPBearer

from byoid.encoding import json_dumps
from issuer import admin, bulk, delivery, rotation, updates
from issuer import admin_messages as messages
from issuer.admin import Caller, NotFound, Permission
from issuer.agency import WRITER, Agency
from issuer.agency_offers import OfferAnswer, OfferOrder, SingleOffer, create
from issuer.agency_store import Target
from issuer.offers import cancel_offer
from issuer.revocation import Selection, change_status
from issuer.tables import CredentialStatus

_ERRORS: Final = {
    400: "the request cannot be carried out as it is", 401: "no API key", 403: "the role does not allow it",
    404: "there is no such thing", 413: "the request is too large", 503: "a register or an HSM does not answer",
}  # fmt: skip
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": messages.AdminError, "description": text} for status, text in _ERRORS.items()
}
_bearer: Final = HTTPBearer(auto_error=False, description="an API key: byoid_…")
admin_router: Final = APIRouter(prefix="/admin", tags=["admin"], responses=_RESPONSES, dependencies=[Depends(_bearer)])


async def the_agency(request: Request) -> Agency:
    """Return the agency's side that `app.py` made."""
    found: Agency = request.app.state.agency
    return found


AgencyContext = Annotated[Agency, Depends(the_agency)]


def _caller(permission: Permission) -> Callable[[Request, Agency], Awaitable[Caller]]:
    async def permitted(request: Request, agency: AgencyContext) -> Caller:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        caller = await admin.authenticate(agency, key.strip() if scheme.lower() == "bearer" else None)
        call = f"{request.method} {request.scope['route'].path}"
        await admin.permit(agency, caller, permission, call=call)
        return caller

    return permitted


Looks = Annotated[Caller, Depends(_caller(Permission.LOOK))]
ChangesFacts = Annotated[Caller, Depends(_caller(Permission.CHANGE_FACTS))]
Operates = Annotated[Caller, Depends(_caller(Permission.OPERATE))]
Administers = Annotated[Caller, Depends(_caller(Permission.ADMINISTER))]


@admin_router.post("/offers", status_code=201)
async def create_offer(agency: AgencyContext, caller: Operates, order: SingleOffer) -> OfferAnswer:
    """Make an offer to one person."""
    return await create(agency, order, actor=caller.actor)


@admin_router.delete("/offers/{offer_id}", status_code=204)
async def withdraw_offer(agency: AgencyContext, caller: Operates, offer_id: str) -> None:
    """Withdraw an offer that nobody has taken."""
    if not await cancel_offer(agency.issuer, offer_id):
        raise NotFound("there is no such offer, or it was taken")


@admin_router.get("/bulk-offers")
async def list_jobs(agency: AgencyContext, caller: Looks) -> list[messages.Job]:
    """List the newest bulk jobs."""
    return [messages.Job.model_validate(job) for job in await bulk.jobs(agency)]


@admin_router.post("/bulk-offers", status_code=201)
async def create_job(agency: AgencyContext, caller: Operates, order: OfferOrder) -> messages.Created:
    """Make a bulk job without people."""
    return messages.Created(id=await bulk.create(agency, order, actor=caller.actor))


@admin_router.post("/bulk-offers/{job_id}/people", status_code=204)
async def add_people(agency: AgencyContext, caller: Operates, job_id: str, part: messages.People) -> None:
    """Add people, in parts of any size; a part that is sent twice counts once."""
    await bulk.add_people(agency, job_id, part.people, first=part.first)


@admin_router.post("/bulk-offers/{job_id}/start")
async def start_job(agency: AgencyContext, caller: Operates, job_id: str) -> messages.Job:
    """Let the workers make the offers."""
    await bulk.start(agency, job_id, actor=caller.actor)
    return messages.Job.model_validate(await bulk.require_job(agency, job_id))


@admin_router.get("/bulk-offers/{job_id}")
async def job_progress(agency: AgencyContext, caller: Looks, job_id: str) -> messages.Job:
    """Tell how far a bulk job has come."""
    return messages.Job.model_validate(await bulk.require_job(agency, job_id))


@admin_router.delete("/bulk-offers/{job_id}", status_code=204)
async def cancel_job(agency: AgencyContext, caller: Operates, job_id: str) -> None:
    """Stop a bulk job; what was offered stays offered."""
    await bulk.cancel(agency, job_id, actor=caller.actor)


@admin_router.get("/bulk-offers/{job_id}/results", response_class=Response)
async def job_results(agency: AgencyContext, caller: Operates, job_id: str) -> Response:
    """Return what became of each person, as one JSON object a line: links, and codes that nobody else delivers."""
    await bulk.require_job(agency, job_id)

    async def lines() -> AsyncIterator[bytes]:
        async for result in bulk.results(agency, job_id):
            yield json_dumps(result) + b"\n"

    return StreamingResponse(lines(), media_type="application/jsonl", headers={"Cache-Control": "no-store"})


@admin_router.get("/issued")
async def issued(
    agency: AgencyContext, caller: Looks, query: Annotated[messages.IssuedQuery, Query()]
) -> messages.Issued:
    """Look up what was issued; no claims are kept."""
    value = agency.issuer.settings.agency_id if query.target is Target.ALL else query.value
    rows = await agency.store.look_up(query.target, Selection(query.target, value).sought(agency), after=query.after)
    return messages.Issued(
        credentials=[messages.IssuedCredential.model_validate(row) for row in rows], next=rows[-1].id if rows else None
    )


@admin_router.post("/revoke")
async def revoke(agency: AgencyContext, caller: Operates, change: messages.StatusChange) -> messages.Changed:
    """Revoke for good: one credential, or all of a person, a type or a batch."""
    return await _change(agency, caller, change, CredentialStatus.REVOKED)


@admin_router.post("/suspend")
async def suspend(agency: AgencyContext, caller: Operates, change: messages.StatusChange) -> messages.Changed:
    """Suspend until reinstated."""
    return await _change(agency, caller, change, CredentialStatus.SUSPENDED)


@admin_router.post("/reinstate")
async def reinstate(agency: AgencyContext, caller: Operates, change: messages.StatusChange) -> messages.Changed:
    """End a suspension."""
    return await _change(agency, caller, change, CredentialStatus.VALID)


@admin_router.post("/people/changed")
async def person_changed(
    agency: AgencyContext, caller: ChangesFacts, message: messages.PersonChanged
) -> messages.Changed:
    """Compare what a person has with the register, which says that something has changed."""
    return messages.Changed(changed=await updates.take_change(agency, message.person, actor=caller.actor))


@admin_router.get("/letters", response_class=Response, responses={200: {"content": {"text/html": {}}}})
async def letters(agency: AgencyContext, caller: Operates) -> HTMLResponse:
    """Return the letters that wait, as one HTML document to print; their ids are those of its articles."""
    html = agency.post.letters(await delivery.waiting_letters(agency))
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})


@admin_router.post("/letters/printed", status_code=204)
async def letters_printed(agency: AgencyContext, caller: Operates, printed: messages.Printed) -> None:
    """Forget letters that were printed."""
    await delivery.letters_printed(agency, printed.ids, actor=caller.actor)


@admin_router.get("/api-keys")
async def api_keys(agency: AgencyContext, caller: Administers) -> list[messages.ApiKeyEntry]:
    """List the API keys."""
    return [messages.ApiKeyEntry.model_validate(row) for row in await agency.store.api_keys()]


@admin_router.post("/api-keys", status_code=201)
async def add_api_key(agency: AgencyContext, caller: Administers, new: messages.NewApiKey) -> messages.ShownApiKey:
    """Make an API key."""
    made = await admin.add_key(agency, name=new.name, role=new.role, actor=caller.actor)
    return messages.ShownApiKey(id=made.id, key=made.key)


@admin_router.delete("/api-keys/{key_id}", status_code=204)
async def revoke_api_key(agency: AgencyContext, caller: Administers, key_id: str) -> None:
    """End an API key."""
    await admin.revoke_key(agency, key_id, actor=caller.actor)


@admin_router.get("/webhooks")
async def webhooks(agency: AgencyContext, caller: Looks) -> list[messages.WebhookEntry]:
    """List who is told what becomes of credentials."""
    return [messages.WebhookEntry.model_validate(row) for row in await agency.store.webhooks()]


@admin_router.post("/webhooks", status_code=201)
async def add_webhook(agency: AgencyContext, caller: Administers, new: messages.NewWebhook) -> messages.ShownWebhook:
    """Tell another system what becomes of credentials (Standard Webhooks)."""
    webhook_id, secret = await admin.add_webhook(agency, url=new.url, events=new.events, actor=caller.actor)
    return messages.ShownWebhook(id=webhook_id, secret=secret)


@admin_router.delete("/webhooks/{webhook_id}", status_code=204)
async def delete_webhook(agency: AgencyContext, caller: Administers, webhook_id: str) -> None:
    """Tell another system nothing any more."""
    await admin.delete_webhook(agency, webhook_id, actor=caller.actor)


@admin_router.post("/keys/{name}/rotation", status_code=201)
async def begin_rotation(agency: AgencyContext, caller: Administers, name: rotation.KeyName) -> messages.Rotation:
    """Make a new key beside the one in use, and ask for its certificate."""
    request = await rotation.begin(agency, name, actor=caller.actor)
    return messages.Rotation(request=request.decode())


@admin_router.post("/keys/{name}/certificate", status_code=204)
async def complete_rotation(
    agency: AgencyContext, caller: Administers, name: rotation.KeyName, certificate: messages.Certificate
) -> None:
    """Take the new key's certificate, and use the new key from now on."""
    await rotation.complete(agency, name, certificate.chain.encode(), actor=caller.actor)


@admin_router.get("/journal")
async def journal(agency: AgencyContext, caller: Looks, after: Annotated[int, Query(ge=0)] = 0) -> messages.Journal:
    """Return a page of the journal, verified against the entry before it; `python -m issuer journal` verifies all."""
    page = await agency.audit.page(agency.issuer.store.database, writer=WRITER, after=after)
    return messages.Journal(
        entries=[messages.JournalEntry.model_validate(row) for row in page.entries],
        head=str(page.head) if page.head else None,
    )


async def _change(
    agency: Agency, caller: Caller, change: messages.StatusChange, status: CredentialStatus
) -> messages.Changed:
    changed = await change_status(
        agency, Selection(change.target, change.value), status, actor=caller.actor, reason=change.reason,
        end_reissuance=change.end_reissuance,
    )  # fmt: skip
    return messages.Changed(changed=changed)
