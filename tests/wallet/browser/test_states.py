"""What an issuer does to a card is told the citizen: suspended for a while, valid again, revoked for good."""

from datetime import timedelta

import pytest

from issuer.tables import CredentialStatus
from tests.wallet.browser.conftest import Phone

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
CHANGES = (
    (CredentialStatus.SUSPENDED, "suspended"),
    (CredentialStatus.VALID, "valid"),
    (CredentialStatus.REVOKED, "revoked"),
)
HALF_A_DAY = timedelta(hours=13)  # a wallet looks at a status list again


async def test_suspended_and_revoked_cards_are_explained(phone: Phone) -> None:
    page, places = phone.page, phone.places
    await phone.create_wallet()
    await phone.take("pid_sd_jwt", "pid_mdoc", person=places.others[1])
    for turn, (status, state) in enumerate(CHANGES, start=1):
        with places.later(turn * HALF_A_DAY):
            places.set_status(places.others[1], status)
            await phone.sign_in()
            for _ in range(20):  # an issuer that is slow is not waited for
                if await page.locator(f"#cards .card.{state}").count():
                    break
                await phone.go("/")
            else:
                pytest.fail(f"the card never became {state}")
            assert await page.locator("#cards .card").count() == 1  # in two formats, and one card
            if state == "valid":
                continue
            await phone.look(f"30-{state}-dashboard")
            await page.click("#cards .card")
            await page.wait_for_selector("#card-state")
            await phone.look(f"30-{state}")
