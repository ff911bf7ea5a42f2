"""The whole walk in one process: the real issuer, the wallet, and the library's relying-party flow."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from byoid.errors import ByoidError
from byoid.fetch import StatusListCache
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party import Client, Mode, Policy, RelyingParty, State
from byoid.relying_party.fastapi import router
from byoid.service.trust_files import load_signer, load_trust
from issuer.context import Issuer
from issuer.offers import create_offer
from issuer.revocation import Selection, Target, change_status
from issuer.status_lists import publish
from issuer.tables import CredentialStatus
from tests.wallet.world import Citizen, open_wallet
from wallet import receiving
from wallet.asked import Choice, ConsentView
from wallet.card_status import CardState, card_statuses
from wallet.cards import load_deck
from wallet.consent import choose, decline, propose
from wallet.context import Wallet
from wallet.history import Reason, Result, Transaction, load_history
from wallet.offers import fetch_offer, open_link
from wallet.presenting import Presented, approve

ISSUER_URL = "https://issuer.test"
SHOP_URL = "https://issuer.test:8443"  # the access certificate of the demo is for this host
MDOC_PID = "eu.europa.ec.eudi.pid.1"
QUERIES: dict[str, Any] = {
    "sd_jwt": {
        "credentials": [
            {
                "id": "pid",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": ["urn:eudi:pid:1"]},
                "claims": [{"path": ["family_name"]}, {"path": ["birthdate"]}],
            }
        ]
    },
    "mdoc": {
        "credentials": [
            {
                "id": "pid",
                "format": "mso_mdoc",
                "meta": {"doctype_value": MDOC_PID},
                "claims": [{"path": [MDOC_PID, "family_name"]}, {"path": [MDOC_PID, "birth_date"]}],
            }
        ]
    },
}


@pytest.fixture
async def shop(pki: Path, issuer_app: FastAPI, clock: Any) -> AsyncIterator[RelyingParty]:
    anchors = load_trust(pki / "trust.toml")
    trust = X509Trust(anchors)
    client = Client.x509_hash(load_signer(pki / "access-shop.key", pki / "access-shop.pem"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(issuer_app)) as http:
        yield RelyingParty(
            client,
            SHOP_URL,
            policies={name: Policy.of(query, trust, status_anchors=anchors) for name, query in QUERIES.items()},
            statuses=StatusListCache(http),
            clock=clock,
        )


@pytest.fixture
async def wallet(
    pki: Path, issuer_app: FastAPI, provider_app: FastAPI, clock: Any, shop: RelyingParty
) -> AsyncIterator[Wallet]:
    app = FastAPI()
    app.include_router(router(shop))
    mounts = {SHOP_URL: httpx2.ASGITransport(app), ISSUER_URL: httpx2.ASGITransport(issuer_app)}
    async with open_wallet(pki, clock=clock, mounts=mounts, issuers=(ISSUER_URL,)) as wallet:
        provider_app.state.wallet = wallet
        yield wallet


@pytest.fixture
async def holder(issuer: Issuer, wallet: Wallet, citizen: Citizen, person: str) -> Citizen:
    """A citizen who has received both PIDs from the issuer."""
    offer = await create_offer(issuer, configuration_ids=["pid_sd_jwt", "pid_mdoc"], person=person)
    visit = await citizen.visit()
    receipt = await fetch_offer(wallet, visit, (await open_link(wallet, visit, offer.link())).id)
    ceremony = await receiving.propose(wallet, visit, receipt.id)
    await receiving.approve(wallet, visit, receipt.id, citizen.answer(ceremony), tx_code=offer.tx_code)
    return citizen


async def present(wallet: Wallet, citizen: Citizen, view: ConsentView) -> Presented:
    visit = await citizen.visit()
    choice = Choice(cards=view.suggested, accepted_cautions=view.cautions)
    ceremony = await choose(wallet, visit, view.id, choice)
    return await approve(wallet, visit, view.id, citizen.answer(ceremony))


@pytest.mark.parametrize("method", [None, "post"])
@pytest.mark.parametrize("name", ["sd_jwt", "mdoc"])
async def test_the_shop_sees_what_the_citizen_saw(
    wallet: Wallet, holder: Citizen, shop: RelyingParty, name: str, method: str | None
) -> None:
    begun = await shop.begin(
        name,
        mode=Mode.SAME_DEVICE,
        session="browser",
        redirect_uri=f"{SHOP_URL}/done",
        request_uri_method=method,
    )
    view = await propose(wallet, await holder.visit(), begun.link())
    assert view.asker.party.name == "Moorladen"

    presented = await present(wallet, holder, view)

    assert presented.delivered
    assert presented.redirect_uri is not None
    code = presented.redirect_uri.partition("response_code=")[2]
    result = await shop.result(begun.id, session="browser", response_code=code)
    assert result.outcome is not None
    assert result.outcome.state is State.ACCEPTED
    claims = result.outcome.credentials["pid"][0]["claims"]
    shown = {claim.path[-1]: claim.value for claim in view.credentials[0].options[0].claims}
    seen = claims.get(MDOC_PID, claims)
    assert {path: seen[path] for path in shown} == shown
    history = await load_history((await holder.visit()).contents, transactions=[Transaction.PRESENTATION])
    assert [item.entry.transaction_result for item in history] == [Result.COMPLETED]


async def states(wallet: Wallet, citizen: Citizen, *, ask: bool = True) -> set[CardState]:
    """How the citizen's cards stand."""
    found = await card_statuses(wallet, await load_deck((await citizen.visit()).contents), ask=ask)
    return {each.state for each in found.values()}


async def test_a_revoked_card_is_explained_not_offered_and_refused(
    issuer: Issuer, issuer_app: FastAPI, wallet: Wallet, holder: Citizen, shop: RelyingParty, person: str, clock: Any
) -> None:
    begun = await shop.begin("sd_jwt")
    asked_before = await propose(wallet, await holder.visit(), begun.link())
    await change_status(
        issuer_app.state.agency,
        Selection(Target.PERSON, person),
        CredentialStatus.REVOKED,
        actor="clerk",
        reason="lost",
    )
    await publish(issuer)
    # Until its time is over, the wallet goes by the list that it saw at receipt.
    wallet.verifiers.statuses = StatusListCache(wallet.verifiers._http)

    assert await states(wallet, holder) == {CardState.REVOKED}
    withdrawn = await propose(wallet, await holder.visit(), (await shop.begin("sd_jwt")).link())
    assert [each.reason for asked in withdrawn.credentials for each in asked.unusable] == [CardState.REVOKED]
    assert not withdrawn.satisfiable

    presented = await present(wallet, holder, asked_before)

    assert not presented.delivered
    assert presented.item.entry.reason_of_noncompletion is Reason.REFUSED_BY_SERVICE
    result = await shop.result(begun.id)
    assert result.outcome is not None
    assert result.outcome.state is State.REJECTED


async def test_a_card_is_valid_then_expiring_then_expired(wallet: Wallet, holder: Citizen, clock: Any) -> None:
    for days, state in ((0, CardState.VALID), (12, CardState.EXPIRING), (20, CardState.EXPIRED)):
        clock.advance(timedelta(days=days))
        await holder.sign_in()
        assert await states(wallet, holder, ask=not days) == {state}


@pytest.mark.parametrize("tell", [True, False])
async def test_the_citizen_declines(wallet: Wallet, holder: Citizen, shop: RelyingParty, tell: bool) -> None:
    begun = await shop.begin("sd_jwt")
    visit = await holder.visit()
    view = await propose(wallet, visit, begun.link())

    assert await decline(wallet, visit, view.id, tell=tell) is None

    assert (await shop.result(begun.id)).state is (State.DECLINED if tell else State.PENDING)
    (item,) = await load_history(visit.contents, transactions=[Transaction.PRESENTATION])
    assert item.entry.reason_of_noncompletion is Reason.DECLINED
    with pytest.raises(ByoidError):
        await decline(wallet, visit, view.id, tell=tell)
