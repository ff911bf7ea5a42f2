"""The main job, once, for real: issue, keep, show, verify, revoke; then four attacks. Each step says what happened.

Everything goes over HTTP between three servers with databases of their own. Nothing that a step reports is written
here: it is what a service answered.
"""

import asyncio
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from demo.account import Account, Step
from demo.agency import AgencyClient
from demo.attacker import Answer, Attacker
from demo.citizen import Citizen, CitizenError
from demo.pki import LIBRARY, SHOP
from demo.services import BRIEF, BRIEF_SECONDS, ServiceClient
from demo.state import STATUS_TTL_SECONDS, State

PID: Final = "pid_sd_jwt"
_NOT_OFFERED: Final = "not_offered"  # the wallet has seen the new status list before the verifier
_REFUSED: Final = ("rejected", _NOT_OFFERED)
_REVOCATION_PATIENCE: Final = 30.0  # seconds, beyond which a revocation counts as not seen


@dataclass
class Demo:
    """Who takes part."""

    state: State
    http: httpx2.AsyncClient
    agency: AgencyClient
    library: ServiceClient
    shop: ServiceClient
    citizen: Citizen
    account: Account
    person: str


async def run(demo: Demo) -> None:
    """Run all steps; each goes on from what the ones before have left."""
    await _register(demo)
    await _unknown_birth_place(demo)
    await _issue(demo)
    await _show(demo, demo.library, "shown_to_library", f"{LIBRARY.name} asks for name and residence")
    await _show(demo, demo.shop, "shown_to_shop", f"{SHOP.name} asks for the country of residence only")
    await _revoke(demo)
    await _attacks(demo)


def choose_person(state: State) -> str:
    """Return the register's key of the demo's citizen: the first adult who is alive and can be issued a PID."""
    query = (
        "SELECT person_number FROM person WHERE deceased_on IS NULL AND guardian IS NULL "
        "AND (birth_country IS NOT NULL OR birth_locality IS NOT NULL) ORDER BY rowid LIMIT 1"
    )
    return str(_one(state, query))


def person_without_birth_place(state: State) -> str | None:
    """Return somebody of whom the register knows no place of birth, if there is anybody."""
    query = (
        "SELECT person_number FROM person WHERE deceased_on IS NULL AND birth_country IS NULL "
        "AND birth_locality IS NULL LIMIT 1"
    )
    found = _one(state, query)
    return None if found is None else str(found)


def _one(state: State, query: str) -> object:
    with closing(sqlite3.connect(state.register)) as register:
        row = register.execute(query).fetchone()
        return row[0] if row else None


async def _register(demo: Demo) -> None:
    async with demo.account.step("register", "The municipality has a population register") as step:
        with closing(sqlite3.connect(demo.state.register)) as register:
            step.facts["people"] = register.execute("SELECT COUNT(*) FROM person").fetchone()[0]
        step.facts["folder"] = str(demo.state.folder)
        step.ok = step.facts["people"] > 0


async def _unknown_birth_place(demo: Demo) -> None:
    person = person_without_birth_place(demo.state)
    if person is None:
        return
    async with demo.account.step("refused_unknown_birth_place", "Nobody gets a PID with a made-up birth place") as step:
        offer = await demo.agency.offer(person, [PID])
        other = Citizen(demo.http, demo.state.url("wallet"))
        await other.create_wallet("Somebody else")
        preview = await other.open_offer(offer.link)
        try:
            await other.take_offer(preview["receipt_id"], tx_code=offer.tx_code)
        except CitizenError as error:
            step.error = error.code
            step.ok = True
        step.facts["issued"] = await demo.agency.issued_count(person)
        step.ok = step.ok and step.facts["issued"] == 0


async def _issue(demo: Demo) -> None:
    async with demo.account.step("offered", "The agency offers a PID: a link, a QR code, and a code by letter") as step:
        offer = await demo.agency.offer(demo.person, [PID])
        step.facts |= {"link": offer.link, "tx_code_digits": len(offer.tx_code or "")}
        step.ok = bool(offer.tx_code)
    async with demo.account.step("wallet_created", "A citizen opens a wallet with a passkey") as step:
        step.facts["keys_protected_by"] = (await demo.citizen.create_wallet("Demo citizen"))["protection"]
        step.ok = True
    async with demo.account.step("received", "The wallet takes the offer, verifies what it gets, and keeps it") as step:
        preview = await demo.citizen.open_offer(offer.link)
        outcome = await demo.citizen.take_offer(preview["receipt_id"], tx_code=offer.tx_code)
        step.facts["cards"] = len(outcome["card_ids"])
        step.facts["copies"] = await demo.agency.issued_count(demo.person)
        step.ok = step.facts["cards"] == 1 and step.facts["copies"] > 0


async def _show(demo: Demo, service: ServiceClient, name: str, title: str) -> None:
    async with demo.account.step(name, title) as step:
        started = await service.ask()
        request = await demo.citizen.open_request(started["link"])
        step.facts |= {"asked_by": request["asker"]["party"]["name"], "why": request["asker"]["purpose"][0]["content"]}
        await demo.citizen.share(request)
        result = await service.result(started["id"])
        credential = result["credentials"]["pid"][0]
        step.facts |= {"verdict": result["state"], "status": credential["status"], "claims": credential["claims"]}
        asked = {tuple(path) for path in service.service.claims}
        step.ok = result["state"] == "accepted" and _leaves(credential["claims"]) == asked


def _leaves(claims: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, value in claims.items():
        found |= _leaves(value, (*path, name)) if isinstance(value, dict) else {(*path, name)}
    return found


async def _revoke(demo: Demo) -> None:
    async with demo.account.step("revoked", "The agency revokes, and publishes the status list") as step:
        begin = time.monotonic()
        step.facts["credentials"] = await demo.agency.revoke(demo.person, reason="the demo's person has moved")
        step.ok = step.facts["credentials"] > 0
    async with demo.account.step("refused_revoked", "The next presentation is refused") as step:
        # A verifier may use its copy of the list for `ttl` seconds; ask until it has seen the new one.
        while time.monotonic() - begin < _REVOCATION_PATIENCE:
            result = await _share_once(demo)
            if result["state"] in _REFUSED:
                break
            await asyncio.sleep(0.5)
        reason = result["reasons"][-1] if result["reasons"] else ""
        step.error = _named(reason)
        step.facts |= {
            "verdict": result["state"], "reason": reason,
            "status_list_ttl_seconds": STATUS_TTL_SECONDS,
            "seconds_until_refused": round(time.monotonic() - begin, 1),
        }  # fmt: skip
        step.ok = result["state"] in _REFUSED and step.error == "Revoked"


def _named(reason: str) -> str | None:
    """Return the error that a reason names: `outer: … inner: …` is the inner one."""
    names = re.findall(r"\b([A-Z][A-Za-z]+):", reason)
    return names[-1] if names else None


async def _share_once(demo: Demo) -> dict[str, Any]:
    started = await demo.shop.ask()
    request = await demo.citizen.open_request(started["link"])
    if withdrawn := [each["reason"] for asked in request["credentials"] for each in asked["unusable"]]:
        return {"state": _NOT_OFFERED, "reasons": [f"{withdrawn[0].title()}: the wallet does not offer the card"]}
    try:
        await demo.citizen.share(request)
    except CitizenError:  # the verifier has said no; the service learns why
        pass
    return await demo.shop.result(started["id"])


async def _attacks(demo: Demo) -> None:
    attacker = Attacker(demo.http)
    async with demo.account.step("attacker_ready", "Somebody with a valid card builds a dishonest wallet") as step:
        offer = await demo.agency.offer(demo.person, [PID])
        await attacker.obtain(offer.link, offer.tx_code)
        started = await demo.shop.ask()
        honest = attacker.answer(await attacker.read(started["link"]))
        step.facts["honest_answer"] = (await attacker.post(honest)).status_code
        step.ok = (await demo.shop.result(started["id"]))["state"] == "accepted"
    await _attack(demo, attacker, "refused_replay", "It replays a presentation that was accepted before", honest)
    await _attack(demo, attacker, "refused_other_audience", "It shows one that was made for another service")
    await _attack(demo, attacker, "refused_changed_claim", "It changes one claim")
    await _expired(demo, attacker)


async def _attack(demo: Demo, attacker: Attacker, name: str, title: str, honest: Answer | None = None) -> None:
    async with demo.account.step(name, title) as step:
        started = await demo.shop.ask()
        request = await attacker.read(started["link"])
        if honest is not None:
            answer = Answer(request.response_uri or "", honest.presentation, honest.query_id, request)
        elif name == "refused_other_audience":
            other = await attacker.read((await demo.library.ask())["link"])
            answer = attacker.answer(request, audience=other.client_id)
        else:
            answer = attacker.answer(request, changed=True)
        posted = await attacker.post(answer)
        await _judge(demo, step, started["id"], posted)


async def _judge(demo: Demo, step: Step, transaction_id: str, posted: httpx2.Response) -> None:
    view = await demo.shop.look(transaction_id)
    reason = view.get("last_failure") or ""
    step.error = _named(reason)
    step.facts |= {"answer": posted.status_code, "reason": reason, "still_answerable": view["state"] == "pending"}
    step.ok = posted.is_client_error and view["state"] == "pending" and step.error is not None


async def _expired(demo: Demo, attacker: Attacker) -> None:
    async with demo.account.step("refused_expired_request", "It answers a request that has expired") as step:
        started = await demo.shop.ask(BRIEF)
        answer = attacker.answer(await attacker.read(started["link"]))
        await asyncio.sleep(BRIEF_SECONDS + 1)
        posted = await attacker.post(answer)
        step.error = posted.json().get("error")
        step.facts |= {"answer": posted.status_code, "reason": posted.json().get("error_description")}
        step.ok = posted.is_client_error and step.error is not None
