"""The authorization code flow with its pages, driven as a person would."""

from datetime import timedelta

import pytest

from byoid.wire_errors import InvalidRequestUri
from issuer.authorization import deny, open_request, sign_in
from issuer.guesses import Guess
from tests.issuer.conftest import PASSWORDS, authorize_url
from tests.peers.dishonest_wallet.wallet import query_of

VERIFIER = "v" * 43
WISH = {"scope": "pid_sd_jwt"}


async def test_a_person_signs_in_and_agrees(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.json()["expires_in"] < 600
    async with peer.browser() as browser:
        page = await browser.open(authorize_url(wallet, pushed))
        assert 'id="username"' in page.text
        answer = await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        assert answer.status_code == 303
        page = await browser.follow()
        assert "Family name" in page.text
        assert "https://wallet.test" in page.headers["content-security-policy"]
        answer = await browser.press("consent-approve")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(wallet.redirect_uri)
        found = query_of(answer)
    assert found["state"] == "state-1"
    assert found["iss"] == wallet.issuer
    assert found["from"] == "issuer"
    assert (await wallet.redeem_code(found["code"], VERIFIER)).status_code == 200
    assert wallet.token["scope"] == "pid_sd_jwt"
    assert (await wallet.request({"credential_configuration_id": "pid_sd_jwt"})).status_code == 200


async def test_authorization_details_bring_identifiers(peer) -> None:
    wallet = peer.wallet()
    details = '[{"type":"openid_credential","credential_configuration_id":"pid_mdoc"}]'
    found = await peer.consent(wallet, authorization_details=details)
    await wallet.redeem_code(found["code"], VERIFIER)
    (detail,) = wallet.token["authorization_details"]
    answer = await wallet.request({"credential_identifier": detail["credential_identifiers"][0]})
    assert answer.status_code == 200


async def test_an_offer_can_start_the_flow(peer) -> None:
    offer, _ = await peer.offer("residence_sd_jwt", grant="authorization", person=None)
    wallet = peer.wallet()
    found = await peer.consent(wallet, issuer_state=offer["grants"]["authorization_code"]["issuer_state"])
    await wallet.redeem_code(found["code"], VERIFIER)
    assert wallet.token["scope"] == "residence_sd_jwt"


async def test_an_offer_for_somebody_else_is_refused_after_sign_in(peer) -> None:
    offer, _ = await peer.offer("pid_sd_jwt", grant="authorization")
    wallet = peer.wallet()
    pushed = await wallet.push(issuer_state=offer["grants"]["authorization_code"]["issuer_state"])
    async with peer.browser() as browser:
        await browser.open(authorize_url(wallet, pushed))
        answer = await browser.press("login", username="bob", password=PASSWORDS["bob"][0])
        assert answer.status_code == 400
        assert "somebody else" in answer.text


@pytest.mark.parametrize("button", ["sign-in-cancel", "consent-deny"])
async def test_a_refusal_goes_back_to_the_wallet(peer, button) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser:
        await browser.open(authorize_url(wallet, pushed))
        if button == "consent-deny":
            await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
            await browser.follow()
        found = query_of(await browser.press(button))
        assert (found["error"], found["state"], found["iss"]) == ("access_denied", "state-1", wallet.issuer)
        assert (await browser.open(authorize_url(wallet, pushed))).status_code == 400


async def test_a_request_is_consumed_by_its_answer_and_not_before(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser:
        for _ in range(2):
            assert (await browser.open(authorize_url(wallet, pushed))).status_code == 200
        await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        for _ in range(2):
            await browser.open(authorize_url(wallet, pushed))
        await browser.press("consent-approve")
        assert (await browser.open(authorize_url(wallet, pushed))).status_code == 400


async def test_another_browser_cannot_use_the_sign_in(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser, peer.browser() as other:
        await browser.open(authorize_url(wallet, pushed))
        await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        page = await other.open(authorize_url(wallet, pushed))
        assert 'id="username"' in page.text
        assert 'id="consent-approve"' not in page.text


async def test_a_wrong_password_says_so_and_too_many_lock(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser:
        await browser.open(authorize_url(wallet, pushed))
        for _ in range(5):
            page = await browser.press("login", username="ada", password="guess")
            assert page.status_code == 400
            assert 'role="alert"' in page.text
        await browser.open(authorize_url(wallet, pushed))
        page = await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        assert page.status_code == 429
        peer.clock.advance(timedelta(seconds=10))
        await browser.open(authorize_url(wallet, pushed))
        page = await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        assert page.status_code == 303


async def test_guesses_elsewhere_do_not_lock_the_owner_out(open_issuer) -> None:
    async with open_issuer(trusted_proxies="127.0.0.1") as peer:
        wallet = peer.wallet()
        pushed = await wallet.push(**WISH)
        async with peer.browser() as stranger, peer.browser() as owner:
            stranger.http.headers["X-Forwarded-For"] = "1.1.1.1, 192.0.2.66"
            owner.http.headers["X-Forwarded-For"] = "192.0.2.66, 198.51.100.7"
            await stranger.open(authorize_url(wallet, pushed))
            for _ in range(5):
                assert (await stranger.press("login", username="ada", password="guess")).status_code == 400
                await stranger.open(authorize_url(wallet, pushed))
            stranger.http.headers["X-Forwarded-For"] = "203.0.113.1, 192.0.2.66"  # says something else, and is the same
            assert (await stranger.press("login", username="Ada ", password="guess")).status_code == 429
            await owner.open(authorize_url(wallet, pushed))
            assert (await owner.press("login", username="ada", password=PASSWORDS["ada"][0])).status_code == 303


@pytest.mark.hostile
async def test_a_name_that_all_the_world_guesses_at_is_open_to_its_owners_browser_only(open_issuer) -> None:
    async with open_issuer(trusted_proxies="127.0.0.1") as peer:
        wallet = peer.wallet()
        await peer.consent(wallet)  # in another browser: its badge counts there only
        pushed = await wallet.push(**WISH)
        async with peer.browser() as owner, peer.browser() as stranger:
            await owner.open(authorize_url(wallet, pushed))
            await owner.press("login", username="ada", password=PASSWORDS["ada"][0])
            for number in range(100):
                guess = Guess("ada", f"192.0.2.{number}")
                await peer.issuer.guesses.count(peer.issuer.store.database, guess, now=peer.clock())
            again = await wallet.push(**WISH)
            await stranger.open(authorize_url(wallet, again))
            assert (await stranger.press("login", username="ada", password=PASSWORDS["ada"][0])).status_code == 429
            await owner.open(authorize_url(wallet, again))
            assert (await owner.press("login", username="ada", password=PASSWORDS["ada"][0])).status_code == 303


@pytest.mark.hostile
async def test_only_the_browser_of_the_sign_in_can_say_no(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser, peer.browser() as other:
        await browser.open(authorize_url(wallet, pushed))
        await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        await other.open(authorize_url(wallet, pushed))
        assert (await other.press("sign-in-cancel")).status_code == 400
        await browser.follow()
        assert query_of(await browser.press("consent-deny"))["error"] == "access_denied"


@pytest.mark.hostile
@pytest.mark.parametrize("button", ["login", "sign-in-cancel", "consent-approve", "consent-deny"])
async def test_an_expired_request_cannot_be_answered(peer, button) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    fields = {"username": "ada", "password": PASSWORDS["ada"][0]}
    async with peer.browser() as browser:
        await browser.open(authorize_url(wallet, pushed))
        if button.startswith("consent"):
            await browser.press("login", **fields)
            await browser.follow()
        peer.clock.advance(timedelta(hours=1))
        answer = await browser.press(button, **(fields if button == "login" else {}))
        assert (answer.status_code, "location" in answer.headers) == (400, False)


@pytest.mark.hostile
async def test_an_expired_request_is_not_answered_by_who_was_just_looking(peer) -> None:
    """The page is read before the end and answered after it, inside one request."""
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    row = await open_request(peer.issuer, client_id=wallet.client_id, request_uri=pushed.json()["request_uri"])
    peer.clock.advance(timedelta(minutes=10))
    with pytest.raises(InvalidRequestUri):
        await deny(peer.issuer, row, session="s")
    with pytest.raises(InvalidRequestUri):
        await sign_in(peer.issuer, row, person="1", session="s")


async def test_the_issuer_itself_may_be_named_as_resource(peer) -> None:
    found = await peer.consent(wallet := peer.wallet(), resource=peer.issuer.url, **WISH)
    wallet.spoil = {"form@token": lambda form: {**form, "resource": peer.issuer.url}}
    assert (await wallet.redeem_code(found["code"], VERIFIER)).status_code == 200


async def test_a_code_that_comes_twice_revokes_what_it_gave(peer) -> None:
    wallet = peer.wallet()
    found = await peer.consent(wallet)
    assert (await wallet.redeem_code(found["code"], VERIFIER)).status_code == 200
    assert (await wallet.redeem_code(found["code"], VERIFIER)).json()["error"] == "invalid_grant"
    answer = await wallet.request({"credential_configuration_id": "pid_sd_jwt"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_a_code_is_good_for_a_minute(peer) -> None:
    wallet = peer.wallet()
    found = await peer.consent(wallet)
    peer.clock.advance(timedelta(seconds=61))
    assert (await wallet.redeem_code(found["code"], VERIFIER)).json()["error"] == "invalid_grant"


async def test_a_request_that_is_not_pushed_gets_a_page_and_no_redirect(peer) -> None:
    async with peer.browser() as browser:
        for query in ("", "?client_id=wallet.test", "?client_id=x&redirect_uri=https://evil.test&response_type=code"):
            page = await browser.open(f"{peer.issuer.url}/authorize{query}")
            assert page.status_code == 400
            assert "location" not in page.headers
            assert page.headers["content-type"].startswith("text/html")


async def test_a_form_of_another_site_is_refused(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser:
        await browser.open(authorize_url(wallet, pushed))
        await browser.press("login", username="ada", password=PASSWORDS["ada"][0])
        url, form = authorize_url(wallet, pushed), {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await browser.http.post(url, content="step=approve", headers=form)
        assert answer.status_code == 400
        answer = await browser.http.post(url, content="step=approve", headers={**form, "Origin": "https://evil.test"})
        assert answer.status_code == 400


async def test_the_pages_speak_the_citizens_language(peer) -> None:
    wallet = peer.wallet()
    pushed = await wallet.push(**WISH)
    async with peer.browser() as browser:
        page = await browser.open(authorize_url(wallet, pushed), **{"Accept-Language": "de-AT"})
        assert "Anmelden" in page.text
        back = await browser.open(f"{peer.issuer.origin}/language/fr?back=/authorize%3Fclient_id%3Da%26request_uri%3Db")
        assert back.headers["location"] == "/authorize?client_id=a&request_uri=b"
        page = await browser.open(authorize_url(wallet, pushed))
        assert "Se connecter" in page.text


@pytest.mark.parametrize("back", ["//evil.test", "https://evil.test", "/\\evil.test"])
async def test_the_choice_of_language_leads_nowhere_else(peer, back) -> None:
    answer = await peer.http.get("/language/de", params={"back": back})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("language", ["de", "fr", "es"])
async def test_no_text_is_missing(peer, language) -> None:
    import re
    from pathlib import Path

    texts = set()
    web = Path("issuer/web")
    for template in web.glob("templates/*.html"):
        texts |= set(re.findall(r'_\("((?:[^"\\]|\\.)*)"', template.read_text("utf-8")))
    for module in web.glob("*.py"):
        texts |= set(re.findall(r'^_[A-Z]+: Final = "([^"]+)"', module.read_text("utf-8"), re.M))
    catalogue = peer.issuer.pages.catalogues[language]
    assert not sorted(text for text in texts if text not in catalogue.texts)
