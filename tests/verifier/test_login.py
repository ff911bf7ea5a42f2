"""Sign-in by OpenID Connect: an honest client, an honest person, and what each gets.

OpenID Connect Core 1.0, Discovery 1.0; RFC 6749, 7636, 9207. What must not work is in `test_hostile_logins.py`.
"""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select

from byoid.encoding import b64u_encode, json_loads, sha256
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.private_key_jwt import CLIENT_ASSERTION_TYPE, prepare_client_assertion
from byoid.presentation.dc_api import authenticate_dc_api_request, dc_api_response
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption
from byoid.relying_party.transaction import State
from byoid.signing import sign_now
from tests.conftest import Clock
from tests.verifier.conftest import Run, Running
from tests.verifier.logins import (
    BOTH_KEYS,
    CLIENT,
    HTML,
    PERSON,
    REDIRECT,
    URL,
    Relying,
    add,
    answered,
    browser_of,
    claims_of,
)
from tests.verifier.world import CLAIMS, DOCTYPE, VCT, Wallet, World, definition, mdoc_query
from verifier.jobs import expire
from verifier.login_claims import LoginRules, default_rules
from verifier.login_store import requests
from verifier.settings import VerifierSettings
from verifier.tables import transactions
from verifier.web.login import TEXTS


async def test_a_person_signs_in(relying: Relying, holder: Wallet, clock: Clock) -> None:
    came = await relying.sign_in(holder)
    assert came.keys() == {"code", "state", "iss"}
    assert (came["state"], came["iss"]) == (relying.state, URL)

    response = await relying.redeem(came["code"])
    tokens = response.json()

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 600, "openid profile")
    claims = claims_of(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (URL, CLIENT, relying.nonce)
    assert claims["exp"] - claims["iat"] == 600
    assert claims["auth_time"] == int(clock().timestamp())
    assert claims["acr"] == "urn:byoid:acr:pid"
    assert claims["at_hash"] == b64u_encode(sha256(tokens["access_token"].encode())[:16])
    assert "given_name" not in claims
    userinfo = (await relying.userinfo(tokens["access_token"])).json()
    assert userinfo == {"sub": claims["sub"], "given_name": "Ada", "family_name": "Dahl", "birthdate": "1990-05-01"}


@pytest.mark.parametrize("provider", [BOTH_KEYS], indirect=True)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_another_implementation_verifies_the_id_token(provider: Running, holder: Wallet, algorithm: str) -> None:
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, algorithm=algorithm))
        tokens = await relying.tokens(holder)
    described = (await provider.client.get("/.well-known/openid-configuration")).json()
    keys = (await provider.client.get(described["jwks_uri"])).json()
    assert algorithm in described["id_token_signing_alg_values_supported"]

    token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), algorithms=[algorithm])

    registry = jwt.JWTClaimsRegistry(
        now=token.claims["iat"], iss={"essential": True, "value": URL}, aud={"essential": True, "value": CLIENT},
        nonce={"essential": True, "value": relying.nonce}, exp={"essential": True}, sub={"essential": True},
    )  # fmt: skip
    registry.validate(token.claims)


@pytest.mark.parametrize("provider", [BOTH_KEYS], indirect=True)
async def test_the_configuration_says_what_is_offered(provider: Running) -> None:
    response = await provider.client.get("/.well-known/openid-configuration")
    found = response.json()

    assert response.headers["access-control-allow-origin"] == "*"
    assert found["issuer"] == URL
    assert found["subject_types_supported"] == ["pairwise"]
    assert found["response_types_supported"] == ["code"]
    assert "RS256" in found["id_token_signing_alg_values_supported"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert found["request_uri_parameter_supported"] is False
    private = {"d", "p", "q", "dp", "dq", "qi"}
    assert all(private.isdisjoint(key) for key in (await provider.client.get("/login/jwks")).json()["keys"])


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/login/jwks", "/login/authorize"])
async def test_without_keys_there_is_no_provider(run: Run, settings: VerifierSettings, path: str) -> None:
    async with run(settings) as running:
        assert (await running.client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"scope": "openid"}, set()),
        ({"scope": "openid profile address unheard-of"}, {"given_name", "family_name", "birthdate", "address"}),
        ({"scope": "openid email phone"}, set()),
        ({"scope": "openid", "claims": '{"userinfo": {"birthdate": null, "email": null}}'}, {"birthdate"}),
    ],
    ids=["openid alone", "two scopes", "what was not shown", "claims"],
)
async def test_scopes_and_claims_narrow_what_is_told(
    relying: Relying, holder: Wallet, changes: dict[str, str], expected: set[str]
) -> None:
    tokens = await relying.tokens(holder, **changes)
    userinfo = (await relying.userinfo(tokens["access_token"])).json()
    assert userinfo.keys() == {"sub", *expected}
    assert userinfo.get("address", {"country": "DE"}) == {"country": "DE"}


async def test_claims_are_in_the_id_token_if_they_are_asked_for_there(relying: Relying, holder: Wallet) -> None:
    tokens = await relying.tokens(holder, claims='{"id_token": {"family_name": {"essential": true}, "iss": null}}')
    assert claims_of(tokens["id_token"])["family_name"] == "Dahl"


async def test_the_subject_is_stable_and_of_one_client_alone(provider: Running, holder: Wallet, world: World) -> None:
    rules = ("family_name", "given_name", "birthdate")
    subjects = []
    for client_id in ("one", "other"):
        secret = await add(provider, client_id=client_id, subject=rules)
        for wallet in (holder, Wallet(world, provider.client)):  # the same person with a new card
            async with browser_of(provider) as browser:
                tokens = await Relying(provider, browser, secret, client_id).tokens(wallet)
            subjects.append(claims_of(tokens["id_token"])["sub"])
    assert subjects[0] == subjects[1] != subjects[2] == subjects[3]


async def test_the_subject_is_another_for_another_person(provider: Running, holder: Wallet, world: World) -> None:
    secret = await add(provider, subject=("birthdate",))
    twin = replace(holder)
    twin.sd_jwts = {VCT: world.issuer.sd_jwt_vc(holder.holder, claims={**CLAIMS, "birthdate": "1990-05-02"})}
    found = []
    for wallet in (holder, twin):
        async with browser_of(provider) as browser:
            found.append(claims_of((await Relying(provider, browser, secret).tokens(wallet))["id_token"])["sub"])
    assert found[0] != found[1]


async def test_without_a_rule_the_subject_is_new_each_time(relying: Relying, holder: Wallet) -> None:
    first, second = [claims_of((await relying.tokens(holder))["id_token"])["sub"] for _ in range(2)]
    assert first != second


async def test_an_mdoc_gives_the_same_claims(provider: Running, holder: Wallet) -> None:
    await provider.define("mdoc", definition(mdoc_query("given_name", "age_over_18", "resident_country")))
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, query="mdoc"))
        tokens = await relying.tokens(holder, scope="openid profile address")
    userinfo = (await relying.userinfo(tokens["access_token"])).json()
    assert (userinfo["given_name"], userinfo["age_over_18"], userinfo["address"]) == ("Ada", True, {"country": "DE"})


async def test_an_operator_says_which_claim_comes_from_where(provider: Running, holder: Wallet) -> None:
    sources = [{"credential": "pid", "path": ["given_name"]}]
    rules = LoginRules.model_validate({"claims": {"nickname": sources}})
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, rules=rules))
        tokens = await relying.tokens(holder)
    assert (await relying.userinfo(tokens["access_token"])).json().keys() == {"sub", "nickname"}


def test_the_usual_names_are_those_of_the_query() -> None:
    both = {"credentials": [*PERSON["credentials"], *({**each, "id": "m"} for each in mdoc_query()["credentials"])]}
    rules = default_rules(parse_message(DcqlQuery, both))

    assert [each.credential for each in rules.claims["given_name"]] == ["pid", "m"]
    assert rules.claims["age_over_18"][0].path == (DOCTYPE, "age_over_18")
    assert "email" not in rules.claims


async def test_the_person_comes_back_from_a_wallet_on_the_same_device(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    attempt = await relying.start(page)

    back = (await holder.complete(attempt["same_device"]["link"])).json()["redirect_uri"]

    look = (await relying.browser.get(f"{page}/attempts/{attempt['id']}")).json()
    assert look == {"state": "answered"}
    assert (await relying.browser.get(f"{page}/done")).headers["location"] == f"{page}?problem=elsewhere"
    assert "Go on in the window" in (await relying.browser.get(f"{page}?problem=elsewhere")).text
    assert "code" in answered(await relying.browser.get(back.removeprefix(URL)))


async def test_the_browser_may_find_the_wallet(relying: Relying, holder: Wallet, world: World) -> None:
    page = await relying.open()
    attempt = await relying.start(page)
    path = f"{page}/attempts/{attempt['id']}"
    (asked,) = (await relying.browser.post(f"{path}/digital")).json()["requests"]
    request = authenticate_dc_api_request(
        asked["protocol"], asked["data"], origin=URL, trust=world.trust, now=world.clock()
    ).request
    bound = holder.bound(request, origin=URL)
    token = AuthorizationResponse(vp_token={"pid": (holder.present(bound, "pid"),)})
    data = dc_api_response(token, choose_response_encryption(request.client_metadata))

    given = await relying.browser.post(f"{path}/digital/response", json={"protocol": asked["protocol"], "data": data})

    assert given.status_code == 204
    events = (await relying.browser.get(f"{path}/events")).text
    assert json_loads(events.removeprefix("data: ")) == {"state": "accepted", "continue": f"{page}/done"}
    assert "code" in answered(await relying.browser.get(f"{page}/done"))


async def test_an_attempt_may_be_given_up_and_another_begun(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    path = f"{page}/attempts/{(await relying.start(page))['id']}"
    assert (await relying.browser.get(f"{path}/qr.svg")).headers["content-type"] == "image/svg+xml"
    assert (await relying.browser.delete(path)).status_code == 204
    assert (await relying.browser.get(path)).json() == {"state": "expired"}
    await holder.complete((await relying.start(page))["cross_device"]["link"])
    assert "code" in answered(await relying.browser.get(f"{page}/done"))


async def test_the_answer_may_be_posted_by_a_form(relying: Relying, holder: Wallet) -> None:
    page = await relying.open(response_mode="form_post")
    await holder.complete((await relying.start(page))["cross_device"]["link"])
    response = await relying.browser.get(f"{page}/done", headers=HTML)

    assert f'action="{REDIRECT}"' in response.text
    assert "form-action 'self' https://shop.test" in response.headers["content-security-policy"]
    code = re.search(r'name="code" value="([^"]+)"', response.text)
    assert code is not None
    assert (await relying.redeem(code[1])).status_code == 200


async def test_a_request_may_be_posted(relying: Relying) -> None:
    response = await relying.browser.post("/login/authorize", data=relying.request())
    assert response.status_code == 303
    shown = await relying.browser.get(response.headers["location"])
    assert shown.headers["location"].startswith("/login/")


async def test_the_page_is_in_the_language_that_the_service_asks_for(relying: Relying) -> None:
    page = await relying.open(ui_locales="xx de-AT en")
    assert "Anmelden bei shop" in (await relying.browser.get(page)).text
    relying.browser.cookies.set("byoid-language", "es")
    assert "Iniciar sesión en shop" in (await relying.browser.get(page)).text


async def test_the_page_works_without_scripts(relying: Relying, holder: Wallet) -> None:
    page = await relying.open()
    text = (await relying.browser.get(page)).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', text)
    assert csrf is not None

    await relying.browser.post(f"{page}/start", data={"csrf": csrf[1]})
    links = re.findall(r'href="(https://wallet.test/authorize\?[^"]+)"', (await relying.browser.get(page)).text)
    waiting = await relying.browser.get(f"{page}/done")
    assert waiting.headers["location"] == f"{page}?problem=waiting"
    assert "has not answered yet" in (await relying.browser.get(waiting.headers["location"])).text

    back = (await holder.complete(links[0].replace("&amp;", "&"))).json()["redirect_uri"]
    assert "code" in answered(await relying.browser.get(back.removeprefix(URL)))


async def test_who_cancels_is_sent_back(relying: Relying) -> None:
    page = await relying.open()
    csrf = re.search(r'name="csrf" value="([^"]+)"', (await relying.browser.get(page)).text)
    assert csrf is not None

    came = answered(await relying.browser.post(f"{page}/cancel", data={"csrf": csrf[1]}))

    assert (came["error"], came["state"], came["iss"]) == ("access_denied", relying.state, URL)
    assert (await relying.browser.get(page)).status_code == 404


async def test_a_person_may_try_again_after_a_refusal(
    relying: Relying, holder: Wallet, world: World, clock: Clock
) -> None:
    page = await relying.open()
    world.issuer.array.set_status(1, 1)
    attempt = await relying.start(page)
    assert (await holder.complete(attempt["cross_device"]["link"])).status_code == 400
    look = (await relying.browser.get(f"{page}/attempts/{attempt['id']}")).json()
    assert look == {"state": State.REJECTED, "continue": f"{page}/done"}
    refused = await relying.browser.get(look["continue"])
    assert refused.headers["location"] == f"{page}?problem=revoked"
    assert TEXTS["revoked"] in (await relying.browser.get(refused.headers["location"])).text

    world.issuer.array.set_status(1, 0)
    clock.advance(timedelta(hours=0, minutes=20))
    again = await relying.start(page)
    assert (await holder.complete(again["cross_device"]["link"])).status_code == 200
    assert "code" in answered(await relying.browser.get(f"{page}/done"))


async def test_after_its_time_a_login_only_leads_back(relying: Relying, clock: Clock) -> None:
    page = await relying.open()
    clock.advance(timedelta(minutes=31))
    shown = (await relying.browser.get(page)).text
    csrf = re.search(r'name="csrf" value="([^"]+)"', shown)
    assert "The time for this sign-in is over" in shown
    assert csrf is not None
    assert (await relying.browser.post(f"{page}/attempts", json={})).status_code == 409
    came = answered(await relying.browser.post(f"{page}/cancel", data={"csrf": csrf[1]}))
    assert came["error_description"] == "the time was over"


async def test_nothing_is_left_when_a_login_is_over(
    relying: Relying, holder: Wallet, provider: Running, clock: Clock
) -> None:
    tokens = await relying.tokens(holder)
    database = provider.verifier.store.database
    assert (await database.fetch(select(requests))).first() is not None
    assert (await database.fetch(select(transactions))).rows == []  # with the code, what was shown is deleted there
    row = (await database.fetch(select(requests))).first()
    assert b"Dahl" not in bytes(row.sealed)

    clock.advance(timedelta(minutes=11))
    await expire(provider.verifier)

    assert (await database.fetch(select(requests))).rows == []
    assert (await relying.userinfo(tokens["access_token"])).status_code == 401


async def test_a_client_without_a_secret_signs_people_in_with_pkce(provider: Running, holder: Wallet) -> None:
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, authentication="none"))
        code = (await relying.sign_in(holder))["code"]
        response = await relying.redeem(code, client_id=CLIENT)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"


async def test_a_confidential_client_may_leave_pkce_and_nonce_out(relying: Relying, holder: Wallet) -> None:
    came = await relying.sign_in(holder, code_challenge=None, code_challenge_method=None, nonce=None, state=None)
    assert came.keys() == {"code", "iss"}
    tokens = (await relying.redeem(came["code"], code_verifier=None)).json()
    assert "nonce" not in claims_of(tokens["id_token"])


async def test_a_secret_may_be_posted(provider: Running, holder: Wallet) -> None:
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, None)
        secret = await add(provider, authentication="client_secret_post")
        code = (await relying.sign_in(holder))["code"]
        response = await relying.redeem(code, client_id=CLIENT, client_secret=secret)
    assert response.status_code == 200


@pytest.mark.parametrize("audience", [URL, f"{URL}/login/token"], ids=["issuer", "token endpoint"])
async def test_a_client_may_sign_who_it_is(provider: Running, holder: Wallet, clock: Clock, audience: str) -> None:
    key = PrivateKey.generate()
    await add(provider, authentication="private_key_jwt", jwks={"keys": [{**key.public.jwk, "kid": "k1"}]})
    assertion = sign_now(
        prepare_client_assertion(
            client_id=CLIENT, audience=audience, jti="j1", now=clock(), algorithm="ES256", key_id="k1"
        ),
        key,
    )
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, None)
        signed = {"client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": assertion}
        first = await relying.redeem((await relying.sign_in(holder))["code"], **signed)
        second = await relying.redeem((await relying.sign_in(holder))["code"], **signed)
    assert first.status_code == 200
    assert (second.status_code, second.json()["error"]) == (401, "invalid_client")


async def test_claims_may_be_asked_by_post(relying: Relying, holder: Wallet) -> None:
    token = (await relying.tokens(holder))["access_token"]
    posted = await relying.running.client.post("/login/userinfo", data={"access_token": token})
    assert posted.json() == (await relying.userinfo(token)).json()


async def test_a_browser_of_another_origin_may_ask(provider: Running) -> None:
    response = await provider.client.options("/login/userinfo")
    assert response.headers["access-control-allow-headers"] == "Authorization, Content-Type"
    refused = await provider.client.get("/login/userinfo")
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


async def test_a_login_may_offer_no_other_device(provider: Running) -> None:
    async with browser_of(provider) as browser:
        relying = Relying(provider, browser, await add(provider, same_device_only=True))
        attempt = await relying.start(await relying.open())
        assert "cross_device" not in attempt
        assert attempt["same_device"]["link"]


async def test_several_workers_share_a_login(
    run: Run, on_disk: VerifierSettings, provider: Running, world: World
) -> None:
    async with run(on_disk) as one, run(on_disk) as other:
        await one.define("person", definition(PERSON))
        secret = await add(one)
        async with browser_of(one) as browser:
            relying = Relying(other, browser, secret)
            tokens = await relying.tokens(Wallet(world, other.client))
        assert tokens["id_token"]


async def test_a_login_works_on_every_database(
    run: Run, settings: VerifierSettings, provider: Running, world: World, database_url: str
) -> None:
    async with run(settings.model_copy(update={"database_url": database_url})) as running:
        await running.define("person", definition(PERSON))
        async with browser_of(running) as browser:
            relying = Relying(running, browser, await add(running))
            came = await relying.sign_in(Wallet(world, running.client))
            token = (await relying.redeem(came["code"])).json()["access_token"]
            assert (await relying.userinfo(token)).json()["given_name"] == "Ada"
            assert (await relying.redeem(came["code"])).json()["error"] == "invalid_grant"
            assert (await relying.userinfo(token)).status_code == 401
