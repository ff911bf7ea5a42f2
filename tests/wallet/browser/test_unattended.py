"""Unattended mode: a conformance tool drives the wallet by plain HTTP, with a person who agrees by real assertions."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from byoid.encoding import b64u_encode
from byoid.service.settings import SettingsError
from tests.wallet.browser.places import Places, open_places
from wallet.settings import WalletSettings

PERSON = {"unattended_person": "Conformance"}


@pytest.fixture(scope="module")
def unattended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with open_places(tmp_path_factory.mktemp("unattended"), **PERSON) as places:
        yield places


@pytest.fixture
def tool() -> Iterator[httpx2.Client]:
    with httpx2.Client(follow_redirects=True, timeout=20) as client:
        yield client


def test_offers_and_requests_are_answered_without_anybody(unattended: Places, tool: httpx2.Client) -> None:
    offer = unattended.offer("pid_sd_jwt", tx_code=False)
    page = tool.get(unattended.offer_link(offer))
    assert 'id="issuance-complete"' in page.text

    asked = httpx2.get(f"{unattended.service}/library/ask/name", follow_redirects=False)
    shared = tool.get(asked.headers["location"])

    assert 'id="presentation-complete"' in shared.text
    assert shared.headers["refresh"].startswith(f"1; url={unattended.service}/library/done")
    assert "data-back-to-service" not in shared.text  # else the page's script would go there a second time


def test_a_transaction_code_is_typed_into_a_form(unattended: Places, tool: httpx2.Client) -> None:
    offer = unattended.offer("pid_mdoc")
    page = tool.get(unattended.offer_link(offer))
    assert 'id="offer-form"' in page.text
    action = re.search(r'action="(/offers/[^"]+/unattended)"', page.text)
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert action
    assert csrf
    cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}  # over http clients drop what is Secure

    done = tool.post(
        unattended.wallet + action[1], data={"csrf": csrf[1], "tx_code": offer.tx_code or ""}, headers=cookie
    )

    assert 'id="issuance-complete"' in done.text


def test_a_broken_request_ends_at_the_error_page(unattended: Places, tool: httpx2.Client) -> None:
    page = tool.get(f"{unattended.wallet}/authorize?client_id=x509_hash:nobody&request=e30.e30.x")

    assert page.status_code == 400
    assert 'id="wallet-error"' in page.text


def test_what_no_card_answers_is_declined(unattended: Places, tool: httpx2.Client) -> None:
    asked = httpx2.get(f"{unattended.service}/library/ask/diploma", follow_redirects=False)

    page = tool.get(asked.headers["location"])

    assert 'id="wallet-error"' in page.text
    assert "You had no card for it." in page.text


def test_production_refuses_the_mode(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="consents by itself"):
        WalletSettings.load(
            profile="production", public_url="https://wallet.example", database_url="postgresql://w@db/w",
            sealing_keys=f"k:{b64u_encode(os.urandom(32))}", trust=tmp_path, keys=tmp_path,
            kek="pkcs11:/lib.so", unattended_person="Eve",
        )  # fmt: skip
