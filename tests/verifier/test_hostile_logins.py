"""Sign-in by OpenID Connect with somebody dishonest in it: a client, a browser, a wallet, or the network.

OpenID Connect Core 1.0 3.1.2.6, 16; RFC 6749 10, RFC 6819, RFC 7636, RFC 9207, RFC 9700; OpenID4VP 1.0 13.3. One case
for each rule, named by what breaks it.
"""

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from sqlalchemy import update

from byoid.encoding import b64u_encode, json_dumps
from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.pkce import code_challenge
from byoid.oauth.private_key_jwt import CLIENT_ASSERTION_TYPE, prepare_client_assertion
from byoid.presentation.dcql import DcqlQuery
from byoid.relying_party.messages import QueryDefinition
from byoid.service.reseal import Resealed, reseal
from byoid.service.seal import Sealer
from byoid.signing import sign_now
from tests.conftest import Clock
from tests.verifier.conftest import Run, Running
from tests.verifier.logins import CLIENT, HTML, PERSON, REDIRECT, URL, Relying, add, answered, browser_of, claims_of
from tests.verifier.world import CLAIMS, RESIDENCE_VCT, VCT, Wallet, World, definition
from verifier.login_claims import LoginRules, Shown, default_rules, load_rules, require_answerable
from verifier.login_keys import LoginKeys
from verifier.login_requests import code_hash, open_content
from verifier.login_store import requests
from verifier.policies import define_query
from verifier.sealed import SEALED
from verifier.services import NewService, add_service
from verifier.settings import VerifierSettings

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "nobody"}, {"client_id": None}, {"redirect_uri": None}, {"redirect_uri": f"{REDIRECT}/more"},
        {"redirect_uri": REDIRECT[:-1]}, {"redirect_uri": f"{REDIRECT}?x=1"}, {"redirect_uri": f"{REDIRECT}#x"},
        {"redirect_uri": "https://SHOP.test/callback"}, {"redirect_uri": "https://shop.test/callback/../callback"},
        {"redirect_uri": "https://shop.test@evil.test/callback"},
        {"redirect_uri": "https://shop.test.evil.test/callback"}, {"redirect_uri": "https://shop.test/callback\u200b"},
    ],
    ids=[
        "unknown client", "no client", "no address", "longer", "shorter", "query", "fragment", "upper case", "dots",
        "user", "suffix", "invisible",
    ],
)  # fmt: skip
async def test_nobody_is_sent_to_an_address_that_is_not_registered(
    relying: Relying, changes: dict[str, str | None]
) -> None:
    response = await relying.authorize(**changes)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://shop.test/r"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"claims": "no JSON"}, "invalid_request"),
        ({"claims": '{"userinfo": []}'}, "invalid_request"),
        ({"nonce": "n" * 3000}, "invalid_request"),
    ],
    ids=[
        "no response type", "implicit", "hybrid", "no scope", "not openid", "request object", "request uri",
        "registration", "nobody asked", "contradiction", "fragment", "plain by silence", "plain", "no challenge",
        "short challenge", "claims no JSON", "claims of another form", "oversize",
    ],
)  # fmt: skip
async def test_an_error_of_the_request_goes_back_to_the_client(
    relying: Relying, changes: dict[str, str | None], error: str
) -> None:
    came = answered(await relying.authorize(**changes))
    assert (came["error"], came["state"], came["iss"]) == (error, relying.state, URL)


async def test_an_oversize_request_is_refused(relying: Relying) -> None:
    assert (await relying.authorize(state="s" * 20_000)).status_code == 400
    posted = await relying.browser.post("/login/authorize", data=relying.request(state="s" * 20_000))
    assert posted.status_code == 400


async def test_a_parameter_that_comes_twice_is_refused(relying: Relying) -> None:
    twice = [*relying.request().items(), ("redirect_uri", "https://evil.test/")]
    response = await relying.browser.get("/login/authorize", params=twice, headers=HTML)
    assert (response.status_code, response.headers.get("location")) == (400, None)


async def test_a_client_without_a_secret_must_use_pkce(provider: Running) -> None:
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, authentication="none"))
        came = answered(await relying.authorize(code_challenge=None, code_challenge_method=None))
    assert came["error"] == "invalid_request"


@pytest.mark.parametrize("path", ["", "/done", "/return?response_code=x"])
async def test_a_login_counts_only_in_the_browser_that_began(relying: Relying, holder: Wallet, path: str) -> None:
    """An attacker's link in the victim's browser shows nothing, nor the victim's link in the attacker's."""
    page = await relying.open()
    await holder.complete((await relying.start(page))["cross_device"]["link"])
    async with browser_of(relying.running) as other:
        assert (await other.get(page + path)).status_code == 403
        await Relying(relying.running, other, None).open()  # with a session of its own
        assert (await other.get(page + path)).status_code == 403
        assert (await other.post(f"{page}/attempts", json={})).status_code == 403


async def test_a_redirect_that_arrives_in_another_browser_gives_no_code(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    back = (await holder.complete((await relying.start(page))["same_device"]["link"])).json()["redirect_uri"]
    async with browser_of(relying.running) as other:
        assert (await other.get(back.removeprefix(URL))).status_code == 403


async def test_on_the_same_device_only_the_response_code_gives_the_code(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    await holder.complete((await relying.start(page))["same_device"]["link"])
    assert (await relying.browser.get(f"{page}/return?response_code=guessed")).status_code == 403
    assert (await relying.browser.get(f"{page}/return")).headers["location"] == f"{page}?problem=elsewhere"


async def test_an_answer_to_another_login_of_the_same_browser_gives_no_code(relying: Relying, holder: Wallet) -> None:
    one, other = await relying.open(), await relying.open(state="s-2")
    attempt = await relying.start(one)
    await relying.start(other)
    await holder.complete(attempt["cross_device"]["link"])
    assert (await relying.browser.get(f"{other}/attempts/{attempt['id']}")).status_code == 404
    assert (await relying.browser.get(f"{other}/done")).headers["location"] == f"{other}?problem=waiting"
    assert answered(await relying.browser.get(f"{one}/done"))["state"] == relying.state


async def test_an_attempt_that_was_replaced_gives_no_code(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    link = (await relying.start(page))["cross_device"]["link"]
    await relying.start(page)
    with pytest.raises(AssertionError):
        await holder.complete(link)


async def test_another_site_can_neither_start_nor_cancel(relying: Relying) -> None:
    page = await relying.open()
    csrf = re.search(r'name="csrf" value="([^"]+)"', (await relying.browser.get(page)).text)
    assert csrf is not None
    foreign = {"Origin": "https://evil.test"}
    for path, body in (("start", {"csrf": csrf[1]}), ("cancel", {"csrf": csrf[1]}), ("attempts", {})):
        assert (await relying.browser.post(f"{page}/{path}", data=body, headers=foreign)).status_code == 400
    assert (await relying.browser.post(f"{page}/cancel", data={"csrf": "0" * 64})).status_code == 400
    assert (await relying.browser.get(page)).status_code == 200


async def test_a_login_is_answered_once(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    await holder.complete((await relying.start(page))["cross_device"]["link"])
    responses = await asyncio.gather(*(relying.browser.get(f"{page}/done") for _ in range(3)))
    assert sum("code=" in each.headers.get("location", "") for each in responses) == 1
    assert (await relying.browser.get(f"{page}/done")).status_code == 404


async def test_a_code_that_comes_twice_revokes_what_it_gave(relying: Relying, holder: Wallet) -> None:
    code = (await relying.sign_in(holder))["code"]
    token = (await relying.redeem(code)).json()["access_token"]
    assert (await relying.userinfo(token)).status_code == 200
    again = await relying.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await relying.userinfo(token)).status_code == 401


async def test_of_many_at_once_at_most_one_redeems_a_code(relying: Relying, holder: Wallet) -> None:
    code = (await relying.sign_in(holder))["code"]
    responses = await asyncio.gather(*(relying.redeem(code) for _ in range(4)))
    assert sum(each.status_code == 200 for each in responses) == 1


async def test_a_code_ends_after_a_minute(relying: Relying, holder: Wallet, clock: Clock) -> None:
    code = (await relying.sign_in(holder))["code"]
    clock.advance(timedelta(seconds=61))
    assert (await relying.redeem(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "another"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"redirect_uri": "https://shop.test/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": "twice"}, "invalid_request"),
    ],
    ids=[
        "code", "no code", "grant type", "no grant type", "another address", "no address", "no verifier",
        "another verifier", "two clients", "two ways",
    ],
)  # fmt: skip
async def test_a_token_request_with_a_defect_is_refused(
    relying: Relying, holder: Wallet, changes: dict[str, str | None], error: str
) -> None:
    response = await relying.redeem((await relying.sign_in(holder))["code"], **changes)
    assert response.json()["error"] == error
    assert "id_token" not in response.text


async def test_a_verifier_where_no_challenge_came_is_refused(relying: Relying, holder: Wallet) -> None:
    """Somebody took the challenge away on its way (RFC 9700 2.1.1)."""
    came = await relying.sign_in(holder, code_challenge=None, code_challenge_method=None)
    assert (await relying.redeem(came["code"])).json()["error"] == "invalid_grant"


async def test_a_code_is_for_its_client_alone(relying: Relying, holder: Wallet) -> None:
    secret = await add(relying.running, client_id="other")
    stolen = (await relying.sign_in(holder))["code"]
    thief = replace(relying, client_id="other", secret=secret)
    assert (await thief.redeem(stolen)).json()["error"] == "invalid_grant"
    assert (await relying.redeem(stolen)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic %%%",
        "Basic " + "c2hvcC13ZWI=",
        "Bearer x",
        "Basic " + "c2hvcC13ZWI6d3Jvbmc=",
        "Basic bm9ib2R5OnNlY3JldA==",
    ],
    ids=["no base64", "no colon", "another scheme", "wrong secret", "unknown client"],
)
async def test_a_client_that_does_not_authenticate_is_refused(relying: Relying, header: str) -> None:
    response = await relying.running.client.post(
        "/login/token", data=relying.grant("any"), headers={"Authorization": header}
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response.headers["www-authenticate"].startswith("Basic")


async def test_a_confidential_client_cannot_go_without_its_secret(relying: Relying, holder: Wallet) -> None:
    code = (await relying.sign_in(holder))["code"]
    bare = replace(relying, secret=None)
    assert (await bare.redeem(code, client_id=CLIENT)).json()["error"] == "invalid_client"
    posted = await bare.redeem(code, client_id=CLIENT, client_secret=relying.secret)
    assert posted.json()["error"] == "invalid_client"  # right, but not in the registered way


async def test_failures_of_one_client_from_one_address_are_slowed(relying: Relying, clock: Clock) -> None:
    wrong = replace(relying, secret="wrong")
    statuses = [(await wrong.redeem("x")).status_code for _ in range(61)]
    assert statuses[0] == 401
    assert (await wrong.redeem("x")).status_code == 429
    clock.advance(timedelta(minutes=1))
    assert (await wrong.redeem("x")).status_code == 401


def forged_assertions(key: PrivateKey, clock: Clock) -> dict[str, str]:
    honest: dict[str, Any] = {
        "client_id": CLIENT, "audience": URL, "jti": "j", "now": clock(), "algorithm": "ES256", "key_id": "k1",
    }  # fmt: skip

    def made(signer: PrivateKey = key, **changes: Any) -> str:
        return sign_now(prepare_client_assertion(**{**honest, **changes}), signer)

    def unsigned(algorithm: str) -> str:
        _, payload, signature = made().split(".")
        header = b64u_encode(json_dumps({"alg": algorithm, "typ": "JWT", "kid": "k1"}))
        return f"{header}.{payload}.{'' if algorithm == 'none' else signature}"

    return {
        "another key": made(PrivateKey.generate()),
        "unknown kid": made(key_id="k2"),
        "no kid among two": made(key_id=None),
        "another audience": made(audience="https://evil.test"),
        "old": made(now=clock() - timedelta(minutes=5)),
        "from the future": made(now=clock() + timedelta(minutes=5)),
        "of another client": made(client_id="nobody"),
        "none": unsigned("none"),
        "HS256": unsigned("HS256"),
        "RS256": unsigned("RS256"),
        "no JWT": "a.b",
        "oversize": made() + "A" * 9000,
    }


@pytest.mark.parametrize("defect", [
    "another key", "unknown kid", "no kid among two", "another audience", "old", "from the future", "of another client",
    "none", "HS256", "RS256", "no JWT", "oversize",
])  # fmt: skip
async def test_an_assertion_with_a_defect_authenticates_nobody(provider: Running, clock: Clock, defect: str) -> None:
    key, second = PrivateKey.generate(), PrivateKey.generate()
    jwks = {"keys": [{**key.public.jwk, "kid": "k1"}, {**second.public.jwk, "kid": "k3"}]}
    await add(provider, authentication="private_key_jwt", jwks=jwks)
    async with browser_of(provider) as browser:
        response = await Relying(provider, browser, None).redeem(
            "any", client_assertion_type=CLIENT_ASSERTION_TYPE, client_assertion=forged_assertions(key, clock)[defect]
        )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_an_assertion_of_another_type_is_refused(provider: Running, clock: Clock) -> None:
    async with browser_of(provider) as browser:
        response = await Relying(provider, browser, None).redeem(
            "any", client_assertion_type="saml", client_assertion="x"
        )
    assert response.json()["error"] == "invalid_client"


async def test_an_assertion_that_is_sent_again_does_not_revoke(provider: Running, holder: Wallet, clock: Clock) -> None:
    key = PrivateKey.generate()
    await add(provider, authentication="private_key_jwt", jwks={"keys": [dict(key.public.jwk)]})
    made = prepare_client_assertion(client_id=CLIENT, audience=URL, jti="j", now=clock(), algorithm="ES256")
    signed = {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": sign_now(made, key)}
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, None)
        code = (await relying.sign_in(holder))["code"]
        token = (await relying.redeem(code, **signed)).json()["access_token"]
        assert (await relying.redeem(code, **signed)).json()["error"] == "invalid_client"
        assert (await relying.userinfo(token)).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}], ids=["none", "unknown", "scheme"]
)
async def test_without_an_access_token_nothing_is_told(provider: Running, headers: dict[str, str]) -> None:
    response = await provider.client.get("/login/userinfo", headers=headers)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_access_token_in_two_ways_or_in_the_address_is_refused(relying: Relying, holder: Wallet) -> None:
    token = (await relying.tokens(holder))["access_token"]
    header = {"Authorization": f"Bearer {token}"}
    client = relying.running.client
    assert (await client.post("/login/userinfo", data={"access_token": token}, headers=header)).status_code == 400
    assert (await client.get("/login/userinfo", params={"access_token": token})).status_code == 401


async def test_an_access_token_ends_after_ten_minutes(relying: Relying, holder: Wallet, clock: Clock) -> None:
    token = (await relying.tokens(holder))["access_token"]
    clock.advance(timedelta(minutes=10, seconds=1))
    assert (await relying.userinfo(token)).json()["error"] == "invalid_token"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_a_token_request_is_a_form(provider: Running, content_type: str) -> None:
    response = await provider.client.post("/login/token", content=b"{}", headers={"Content-Type": content_type})
    assert response.json()["error"] == "invalid_request"


async def test_a_form_parameter_that_comes_twice_is_refused(provider: Running) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await provider.client.post("/login/token", content=b"code=a&code=b", headers=form)
    assert response.json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ('{"id_token": {"sub": {"value": "somebody else"}}}', "unmet_authentication_requirements"),
        ('{"id_token": {"acr": {"essential": true, "values": ["urn:other"]}}}', "unmet_authentication_requirements"),
        ('{"id_token": {"acr": {"values": ["urn:other"]}}}', None),
        ('{"id_token": {"acr": {"essential": true, "value": "urn:byoid:acr:pid"}}}', None),
    ],
    ids=["another person", "another level", "another level if possible", "this level"],
)
async def test_who_is_not_the_one_that_was_demanded_gets_no_code(
    relying: Relying, holder: Wallet, claims: str, error: str | None
) -> None:
    assert (await relying.sign_in(holder, claims=claims)).get("error") == error


async def test_the_pid_is_not_said_to_be_shown_where_something_else_was(provider: Running, holder: Wallet) -> None:
    meta, claims = {"vct_values": [RESIDENCE_VCT]}, [{"path": ["given_name"]}]
    home = {"id": "home", "format": "dc+sd-jwt", "meta": meta, "claims": claims}
    await provider.define("home", definition({"credentials": [home]}))
    rules = LoginRules.model_validate({"claims": {"given_name": [{"credential": "home", "path": ["given_name"]}]}})
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, query="home", rules=rules))
        assert "acr" not in claims_of((await relying.tokens(holder))["id_token"])


async def test_who_does_not_show_what_makes_the_subject_gets_no_code(
    provider: Running, holder: Wallet, world: World
) -> None:
    one_or_other = {**PERSON["credentials"][0], "claims": [
        {"id": "name", "path": ["given_name"]}, {"id": "birth", "path": ["birthdate"]},
    ], "claim_sets": [["birth"], ["name"]]}  # fmt: skip
    await provider.define("person", definition({"credentials": [one_or_other]}))
    secret = await add(provider, subject=("birthdate",))
    nameless = replace(holder)
    nameless.sd_jwts = {VCT: world.issuer.sd_jwt_vc(holder.holder, claims={"given_name": "Ada"})}
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, secret)
        page = await relying.open()
        request = await nameless.fetch((await relying.start(page))["cross_device"]["link"])
        only_name = request.model_copy(update={"dcql_query": _asking(request, ["given_name"])})
        await nameless.post(request, nameless.answer(only_name).form())
        assert (await browser.get(f"{page}/done")).headers["location"] == f"{page}?problem=incomplete"


def _asking(request: Any, path: list[str]) -> Any:
    (credential,) = request.query.credentials
    claims = tuple(each for each in credential.claims if list(each.path) == path)
    return request.query.model_copy(
        update={"credentials": (credential.model_copy(update={"claims": claims, "claim_sets": None}),)}
    )


async def test_a_wallet_that_declines_leaves_the_login_open(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    request = await holder.fetch((await relying.start(page))["cross_device"]["link"])
    await holder.post(request, {"error": "access_denied", "state": request.state or ""})
    assert (await relying.browser.get(f"{page}/done")).headers["location"] == f"{page}?problem=declined"
    assert (await relying.browser.get(page)).status_code == 200


async def test_an_answer_that_proves_nothing_is_said_to(relying: Relying, holder: Wallet, world: World) -> None:
    page = await relying.open()
    stranger = replace(holder)
    stranger.sd_jwts = {VCT: world.issuer.sd_jwt_vc(holder.holder, key=PrivateKey.generate())}
    assert (await stranger.complete((await relying.start(page))["cross_device"]["link"])).status_code == 400
    assert (await relying.browser.get(f"{page}/done")).headers["location"] == f"{page}?problem=unproven"


async def test_a_row_that_was_moved_to_another_login_does_not_open(
    relying: Relying, holder: Wallet, provider: Running
) -> None:
    one, other = (await relying.sign_in(holder))["code"], (await relying.sign_in(holder))["code"]
    database = provider.verifier.store.database
    row = await provider.verifier.logins.for_code(code_hash(provider.verifier, one))
    await database.execute(
        update(requests).where(requests.c.code_hash == code_hash(provider.verifier, other)).values(sealed=row.sealed)
    )
    assert (await relying.redeem(other)).status_code == 500


async def test_what_is_kept_of_a_login_is_sealed_anew(relying: Relying, holder: Wallet, provider: Running) -> None:
    code = (await relying.sign_in(holder))["code"]
    (old,) = provider.settings.sealing_keys
    new = SecretStr("new:" + b64u_encode(bytes(range(32))))
    both = Sealer.from_settings(provider.settings.model_copy(update={"sealing_keys": (new, old)}))
    assert await reseal(provider.verifier.store.database, both, SEALED) == Resealed(1, 0)
    row = await provider.verifier.logins.for_code(code_hash(provider.verifier, code))
    assert b"Dahl" in open_content(both, row)


async def test_a_client_id_that_another_service_has_now_inherits_nothing(
    relying: Relying, holder: Wallet, provider: Running
) -> None:
    page, code = await relying.open(), (await relying.sign_in(holder))["code"]
    new = NewService("library", "Library", key_name="access-library")
    await add_service(provider.verifier.store, provider.verifier.sealer, new, now=provider.verifier.clock())
    assert await provider.verifier.logins.delete_login(CLIENT)
    body = parse_message(QueryDefinition, definition(PERSON))
    await define_query(provider.verifier.store, "library", "person", body, now=provider.verifier.clock())
    heir = replace(relying, secret=await add(provider, service_id="library"))
    assert (await heir.redeem(code)).json()["error"] == "invalid_grant"
    assert (await relying.browser.get(page)).status_code == 404


async def test_without_the_key_that_signs_no_code_is_spent(relying: Relying, holder: Wallet, provider: Running) -> None:
    code = (await relying.sign_in(holder))["code"]
    keys = provider.verifier.login_keys
    assert keys is not None
    object.__setattr__(provider.verifier, "login_keys", replace(keys, signing={}))
    assert (await relying.redeem(code)).json()["error"] == "server_error"
    object.__setattr__(provider.verifier, "login_keys", keys)
    assert (await relying.redeem(code)).status_code == 200


async def test_a_removed_login_ends_what_it_began(relying: Relying, provider: Running) -> None:
    page = await relying.open()
    assert await provider.verifier.logins.delete_login(CLIENT)
    assert (await relying.browser.get(page)).status_code == 404
    assert (await relying.authorize()).status_code == 400


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"service_id": "nobody"}, "there is no service"),
        ({"query": "nothing"}, "no query nothing"),
        ({"client_id": "a b"}, "expected a client id"),
        ({"redirect_uris": ()}, "--redirect-uri"),
        ({"redirect_uris": ("http://shop.test/callback",)}, "expected https"),
        ({"redirect_uris": ("javascript:alert(1)",)}, "absolute URI"),
        ({"redirect_uris": ("https://shop.test/#x",)}, "absolute URI"),
        ({"authentication": "client_secret_jwt"}, "client_secret_jwt"),
        ({"authentication": "private_key_jwt"}, "public keys"),
        ({"jwks": {"keys": []}}, "public keys"),
        ({"authentication": "private_key_jwt", "jwks": {"keys": []}}, "1 to 20"),
        ({"authentication": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "AA"}]}}, "private"),
        ({"algorithm": "HS256"}, "HS256"),
        ({"subject": ("email",)}, "there is no claim email"),
        ({"query": "home"}, "no PID's claim"),
        ({"client_id": CLIENT}, "already"),
    ],
    ids=[
        "service", "query", "client id", "no address", "http", "script", "fragment", "way", "no keys", "keys of nobody",
        "empty keys", "secret key", "algorithm", "subject", "no PID", "twice",
    ],
)  # fmt: skip
async def test_a_login_that_could_not_work_is_not_added(
    relying: Relying, members: dict[str, Any], complaint: str
) -> None:
    meta, claims = {"vct_values": [RESIDENCE_VCT]}, [{"path": ["given_name"]}]
    home = {"id": "home", "format": "dc+sd-jwt", "meta": meta, "claims": claims}
    await relying.running.define("home", definition({"credentials": [home]}))
    with pytest.raises((ValueError, MalformedInput), match=complaint):
        await add(relying.running, **{"client_id": "another", **members})


RULES: dict[str, Any] = {"claims": {"given_name": [{"credential": "pid", "path": ["given_name"]}]}}


@pytest.mark.parametrize(
    "changes",
    [
        {"claims": {"sub": [{"credential": "pid", "path": ["given_name"]}]}},
        {"claims": {"address.planet": [{"credential": "pid", "path": ["address", "country"]}]}},
        {"claims": {"x": [{"credential": "nobody", "path": ["given_name"]}]}},
        {"claims": {"x": [{"credential": "pid", "path": ["email"]}]}},
        {**RULES, "subject": ["birthdate"]},
    ],
    ids=["ours", "no member of an address", "no such credential", "not asked", "subject of nothing"],
)
def test_rules_about_what_is_not_asked_are_refused(changes: dict[str, Any]) -> None:
    query = parse_message(DcqlQuery, PERSON)
    require_answerable(parse_message(LoginRules, RULES), query)
    with pytest.raises(MalformedInput):
        require_answerable(parse_message(LoginRules, changes), query)


@pytest.mark.parametrize("text", ["claims = 1", "[claims]\nx = {path = ['a']}", "[claims", "[claims]\n[other]"])
def test_a_file_of_rules_with_a_defect_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    with pytest.raises(MalformedInput, match=r"claims\.toml"):
        load_rules(path)


def test_values_cannot_be_shifted_between_the_parts_of_a_subject() -> None:
    """`Ann` `Ax` and `AnnA` `x` are two people."""
    rules = LoginRules(
        **{**default_rules(parse_message(DcqlQuery, PERSON)).model_dump(), "subject": ("given_name", "family_name")}
    )

    def subject(given: str, family: str, issuer: str = "A") -> str | None:
        claims = {"given_name": given, "family_name": family}
        return Shown(rules, {"pid": [{"issuer": issuer, "claims": claims}]}).subject("c", keyed_hash=lambda data: data)

    assert len({subject("Ann", "Ax"), subject("AnnA", "x"), subject("Ann", "Ax", "B")}) == 3


@pytest.mark.parametrize("defect", ["short", "another kind", "no key"])
async def test_keys_that_cannot_sign_id_tokens_are_named_at_start(
    run: Run, settings: VerifierSettings, world: World, defect: str
) -> None:
    made = {
        "short": PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=1024)).to_pem(),
        "another kind": PrivateKey.generate().to_pem(),
        "no key": b"nothing",
    }
    (world.folder / "login.rs256.key").write_bytes(made[defect])
    with pytest.raises(MalformedInput, match=r"login\.rs256\.key"):
        async with run(settings):
            pass


def test_keys_that_change_are_published_beside_each_other(login_keys: Path, tmp_path: Path) -> None:
    for path in login_keys.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "login.es256.next.key").write_bytes(PrivateKey.generate().to_pem())
    keys = LoginKeys.load(tmp_path)
    assert keys is not None
    assert [each["alg"] for each in keys.jwks["keys"]] == ["RS256", "ES256", "ES256"]


async def test_logs_hold_neither_codes_nor_claims(
    relying: Relying, holder: Wallet, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="verifier"), caplog.at_level("DEBUG", logger="byoid"):
        code = (await relying.sign_in(holder))["code"]
        await relying.redeem(code)
        await relying.redeem(code)
    assert code not in caplog.text
    assert CLAIMS["family_name"] not in caplog.text
    assert relying.secret is not None
    assert relying.secret not in caplog.text
    assert code_challenge(relying.verifier) not in caplog.text
