"""The page of a request says which cards can't be used and why, and what an issuer has against the sharing."""

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from byoid.service.pages import Pages
from tests.peers.dishonest_verifier import VerifierPeer
from tests.wallet.presenting.test_card_states import STATUS, publish
from tests.wallet.presenting.test_disclosure_policies import PASS, asked, only_for
from wallet.app import WEB
from wallet.asked import ConsentView
from wallet.web.passkey_routes import COOKIE
from wallet.web.request_views import request_view
from wallet.web.site import Site


def page(holder: Any, consent: ConsentView, *, language: str) -> str:
    settings = holder.wallet.settings
    names = {"wallet_name": settings.wallet_name, "origin": settings.public_url}
    site = Site(settings, holder.wallet.door, Pages(WEB, cookie=COOKIE, secret=b"k" * 32, globals_=names))
    headers = [(b"accept-language", language.encode())]
    request = Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})
    view = request_view(consent, site.catalogue(request))
    html = site.render(request, "request.html", request_view=view).body
    return bytes(html).decode()


@pytest.mark.parametrize(("language", "word"), [("en", "revoked"), ("de", "widerrufen")])
async def test_a_withdrawn_card_is_explained(
    new_holder: Any, verifier: VerifierPeer, pki: Path, language: str, word: str
) -> None:
    holder = await new_holder()
    card = await holder.add_sd_jwt(status=STATUS)
    publish(verifier, pki, 1)
    shown = page(holder, await holder.propose(verifier.link), language=language)

    assert f'<a href="/cards/{card}">Personalausweis</a>: {word}' in shown
    assert 'id="nothing-fits"' in shown


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (only_for(), "not among them"),
        ({"policy_type": "?"}, "can’t read"),
        ({**only_for(), "description": "Libraries <only>"}, "Libraries &lt;only&gt;"),
        ({**only_for(), "policy_info_url": "https://issuer.example/p"}, 'href="https://issuer.example/p"'),
    ],
    ids=["no-words", "unreadable", "own-words", "explained"],
)
async def test_the_issuers_objection_stands_beside_the_card(
    new_holder: Any, verifier: VerifierPeer, policy: dict[str, Any], words: str
) -> None:
    holder, consent = await asked(new_holder, verifier, policy, PASS)
    shown = page(holder, consent, language="en")

    assert words in shown[shown.index("objection") :]
    assert 'data-caution="disclosure-policy"' in shown
