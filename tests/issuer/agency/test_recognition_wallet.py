"""People recognised by a credential from their wallet: bound to the browser, accepted once, and only if it says who."""

from pathlib import Path
from typing import Any

import pytest

from byoid.presentation.issuer_trust import X509Trust
from byoid.presentation.request_object import WalletAbilities, verify_request
from byoid.relying_party import Client, Policy, RelyingParty
from byoid.relying_party.sql import SqlTransactions
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose
from issuer.agency_tables import transactions
from issuer.recognition import NotRecognised, RedirectRecognition
from issuer.recognition_wallet import POLICY, ByState, WalletRecognition
from tests.issuer.agency.conftest import Office
from tests.verifier.world import Wallet, World, make_world, sd_jwt_query

BASE = "https://issuer.test/recognition"
RETURN = "https://issuer.test/authorize/return"


class Lists:
    def __init__(self, world: World) -> None:
        self._world = world

    async def tokens(self, uris: Any, *, now: Any) -> Any:
        return {uri: self._world.issuer.status_token() for uri in uris}

    def keep(self, statuses: Any, *, now: Any) -> None:
        pass


@pytest.fixture
def world(tmp_path: Path, clock: Any) -> World:
    (tmp_path / "world").mkdir()
    return make_world(tmp_path / "world", clock)


@pytest.fixture
def recognition(office: Office, world: World, clock: Any) -> WalletRecognition:
    anchors = load_trust(world.folder / "trust.toml")
    policy = Policy.of(sd_jwt_query(), X509Trust(anchors, Purpose.PID), status_anchors=anchors)
    signer = load_signer(world.folder / "access-shop.key", world.folder / "access-shop.pem")
    rows = SqlTransactions(office.agency.store.database, transactions, office.peer.issuer.sealer)
    party = RelyingParty(
        Client.x509_hash(signer),
        BASE,
        policies={POLICY: policy},
        store=ByState(rows),
        statuses=Lists(world),
        clock=clock,
    )
    return WalletRecognition("Wallet", party, url=BASE, claim=("given_name",), wallets=["https://w.test/a"])


async def _show(recognition: WalletRecognition, world: World, state: str = "state") -> dict[str, str]:
    """Let a wallet answer; return the query that the browser comes back with."""
    from urllib.parse import parse_qs, urlsplit

    page = await recognition.begin(state=state, return_uri=RETURN)
    assert page.startswith(f"{BASE}?state=")
    web, scheme = await recognition.links(state)
    assert web.url.startswith("https://w.test/a?") and scheme.url.startswith("openid4vp://")
    query = {name: value[0] for name, value in parse_qs(urlsplit(scheme.url).query).items()}
    request_id = query["request_uri"].rpartition("/")[2]
    jwt = await recognition.party.request_object(request_id)
    abilities = WalletAbilities(frozenset({"dc+sd-jwt"}), {})
    request = verify_request(
        jwt, client_id=query["client_id"], trust=world.trust, abilities=abilities, now=world.clock()
    )
    sent = request.request.model_copy(update={"client_metadata": request.metadata})
    wallet = Wallet(world, None)  # type: ignore[arg-type]  # it talks to nobody here
    answer = await recognition.party.receive(request_id, wallet.answer(sent).form())
    assert answer.redirect_uri is not None and answer.redirect_uri.startswith(RETURN)
    return {name: value[0] for name, value in parse_qs(urlsplit(answer.redirect_uri).query).items()}


async def test_a_shown_credential_recognises_its_holder_once(recognition: WalletRecognition, world: World) -> None:
    assert isinstance(recognition, RedirectRecognition)
    await recognition.begin(state="state", return_uri=RETURN)  # and begun again: the first one is forgotten
    back = await _show(recognition, world)
    assert back["state"] == "state"
    assert await recognition.finish(back, state="state") == "Ada"
    with pytest.raises(NotRecognised):
        await recognition.finish(back, state="state")


@pytest.mark.hostile
@pytest.mark.parametrize("defect", ["nothing shown", "another browser", "no response code", "another code", "no claim"])
async def test_nobody_is_recognised_by_what_is_not_theirs(
    recognition: WalletRecognition, world: World, defect: str
) -> None:
    state = "state"
    if defect == "nothing shown":
        await recognition.begin(state=state, return_uri=RETURN)
        back = {"state": state}
    else:
        back = await _show(recognition, world)
    if defect == "another browser":
        await recognition.begin(state="other", return_uri=RETURN)
        state = "other"
    if defect == "no response code":
        del back["response_code"]
    if defect == "another code":
        back["response_code"] = "x"
    if defect == "no claim":
        recognition._claim = ("personal_administrative_number",)
    with pytest.raises(NotRecognised):
        await recognition.finish(back, state=state)
