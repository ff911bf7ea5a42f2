"""A service that verifies in its own process, with the library alone: a library card for those who live here."""

from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from byoid.fetch import StatusListCache
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party import Answers, Client, Policy, RelyingParty, Transaction, ask_residence
from byoid.relying_party.fastapi import Door, router
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose


def create_app(url: str, keys: Path, *, town: str, wallet: str, fetching: httpx2.AsyncClient) -> FastAPI:
    """Make the service at `url`. `fetching` must be guarded (`byoid.service.http`): others choose its addresses."""
    trust, signer = (
        load_trust(keys / "trust.toml"),
        load_signer(keys / "access-library.key", keys / "access-library.pem"),
    )
    query = {"credentials": [ask_residence(locality=True)]}
    policy = Policy.of(query, X509Trust(trust, Purpose.PID), status_anchors=trust, lifetime=timedelta(minutes=5))
    party = RelyingParty(
        Client.x509_hash(signer), f"{url}/byoid", policies={"card": policy}, statuses=StatusListCache(fetching)
    )
    app, door = FastAPI(), Door(party)
    app.include_router(router(party), prefix="/byoid")

    @app.get("/card")
    async def ask() -> RedirectResponse:
        """Send the person to the wallet."""
        return await door.redirect("card", wallet, redirect_uri=f"{url}/done")

    @app.get("/done")
    async def done(shown: Annotated[Transaction, Depends(door.result)]) -> HTMLResponse:
        """Greet those who live here."""
        lives_here = Answers(shown.credentials).lives_in("DE", town)
        return HTMLResponse(
            f"<p>{'Here is your card' if lives_here else 'This card is for people from ' + escape(town)}."
        )

    return app
