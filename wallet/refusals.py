"""Requests that the wallet itself refuses: noted, and told to the verifier only if the citizen wants that.

Spec: OpenID4VP 1.0 sections 8.2 and 8.5 (which errors), 15.1 (no error is returned without the citizen's consent). The
answer is packed at once and waits, sealed, as long as a request would.
"""

from byoid.errors import ByoidError, OAuthError
from byoid.presentation.request_object import AuthenticatedRequest
from wallet.cards import SealedValue
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound
from wallet.context import Visit, Wallet
from wallet.history import Entry, Reason, Result, Transaction, record
from wallet.requests import party_of
from wallet.responses import refusal_form


class RequestRefused(ByoidError):
    """What an authenticated verifier asks breaks a rule. `refusal_id`: its answer, if it may be told."""

    def __init__(self, error: OAuthError, refusal_id: str | None) -> None:
        super().__init__(f"the request was refused: {error}")
        self.error = error
        self.refusal_id = refusal_id


class Refusal(SealedValue):
    """The answer to a refused request, and where it would go."""

    response_uri: str
    form: dict[str, str]


async def refuse(
    wallet: Wallet, visit: Visit, authenticated: AuthenticatedRequest, error: OAuthError
) -> RequestRefused:
    """Note a request that the wallet refuses, and keep the answer, if the verifier may have one."""
    refused = Entry(
        transaction_type=Transaction.PRESENTATION,
        time=wallet.clock(),
        transaction_result=Result.NOT_COMPLETED,
        reason_of_noncompletion=Reason.BAD_REQUEST,
        party=party_of(authenticated),
        error=error.code,
    )
    form, uri = refusal_form(wallet, authenticated, error), authenticated.request.response_uri or ""
    refusal_id = None
    async with wallet.contents.transaction() as tx:
        await record(visit.contents, tx, refused)
        if form is not None:
            kept = Refusal(response_uri=uri, form=dict(form)).to_value()
            expires_at = wallet.clock() + wallet.settings.consent_lifetime
            refusal_id = await visit.contents.add_pending(tx, Kind.REFUSAL, kept, expires_at=expires_at)
    return RequestRefused(error, refusal_id)


async def tell(wallet: Wallet, visit: Visit, refusal_id: str) -> str | None:
    """Tell the verifier, as the citizen wants; return where the browser is to go, if anywhere.

    Raises:
        ItemNotFound: nothing waits to be told, or it was told already.
        PeerError: the verifier does not take it.
    """
    kept = await visit.contents.get(Kind.REFUSAL, refusal_id, now=wallet.clock())
    refusal = Refusal.model_validate(kept.value)
    async with wallet.contents.transaction() as tx:
        if not await visit.contents.delete(tx, Kind.REFUSAL, kept.id):
            raise ItemNotFound("this was told meanwhile")
    return await wallet.verifiers.respond(refusal.response_uri, refusal.form)
