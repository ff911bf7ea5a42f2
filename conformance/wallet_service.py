"""Our wallet as it is shipped, unattended (wallet/README.md), at an https address of this machine, for the suite.

    async with unattended_wallet(folder, port=9461, suite_url="https://localhost:8443") as wallet:
        page = await wallet.open(f"{wallet.url}/credential-offer?…")

With `issuer_port` our own issuer runs beside it, over the demo's register, and `wallet.take("pid_sd_jwt")` puts its
cards into the wallet, by an offer as everybody gets one. Everything is made anew in `folder`, and of no use afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
from fastapi import FastAPI

from byoid.keys import PrivateKey
from byoid.service.trust_files import load_signer
from byoid.trust.anchors import Purpose
from conformance.suite import FRESH, certificate_of
from demo.agency import AgencyClient, create_issuer, publishing, staff_key
from demo.people import make_register
from demo.pki import make_pki
from demo.scenario import choose_person
from demo.servers import running
from demo.state import State, issuer_settings, wallet_settings
from demo.tls import make_certificate
from wallet.app import create_app
from wallet.provider import CLIENT_KEY
from wallet.settings import WalletSettings

HOST: Final = "localhost"
PERSON: Final = "Conformance"
_LOOPBACK: Final = "127.0.0.0/8,::1/128"
_PEOPLE: Final = 200


@dataclass(frozen=True)
class Anchor:
    """A certificate (PEM) that the wallet's operator believes, and for what."""

    name: str
    pem: str
    purposes: Collection[Purpose]


@dataclass(frozen=True)
class UnattendedWallet:
    """A wallet that runs, the person who agrees to everything, and a browser."""

    url: str
    state: State
    browser: httpx2.AsyncClient = field(repr=False)
    agency: AgencyClient | None = field(default=None, repr=False)

    def root(self, name: str) -> str:
        """Return a root certificate (PEM): `agency` certifies cards, `wallet-provider` attestations."""
        return (self.state.pki / f"{name}-root.pem").read_text("ascii")

    @property
    def client_jwk(self) -> dict[str, str]:
        """The key to register for `private_key_jwt`, as `python -m wallet client-key` prints it."""
        key = load_signer(self.state.pki / CLIENT_KEY).key.public
        return {**key.jwk, "kid": key.thumbprint_b64u, "use": "sig", "alg": "ES256"}

    async def open(self, url: str) -> httpx2.Response:
        """Open an address as a browser does, through all redirects; return the last page."""
        return await self.browser.get(url)

    async def take(self, *configuration_ids: str) -> None:
        """Put cards of our own issuer into the wallet, such as `pid_sd_jwt` and `pid_mdoc`.

        Raises:
            RuntimeError: the wallet did not take them.
        """
        if self.agency is None:
            raise RuntimeError("the wallet was started without an issuer")
        offer = await self.agency.offer(choose_person(self.state), list(configuration_ids))
        page = await self.open(f"{offer.wallet_link}&tx_code={offer.tx_code or ''}")
        if 'id="issuance-complete"' not in page.text:
            raise RuntimeError(f"the wallet did not take {', '.join(configuration_ids)}: status {page.status_code}")


@asynccontextmanager
async def unattended_wallet(
    folder: Path,
    *,
    port: int,
    suite_url: str,
    issuer_port: int | None = None,
    anchors: Sequence[Anchor] = (),
    issuing: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[UnattendedWallet]:
    """Run the wallet until the block ends.

    Args:
        folder: for keys, certificates and databases; empty, or not there yet.
        port: where the wallet listens.
        suite_url: the suite, whose certificate the wallet believes for https.
        issuer_port: where our own issuer listens; without it there is none.
        anchors: whom the wallet believes besides the demo's authorities.
        issuing: more of our issuer's settings.
        settings: more of the wallet's settings, such as `issuers`.
    """
    async with AsyncExitStack() as stack:
        ports = {"wallet": port} | ({"issuer": issuer_port} if issuer_port is not None else {})
        state = await asyncio.to_thread(_make_state, folder, ports, suite_url, anchors)
        apps: dict[int, FastAPI] = {port: create_app(_settings(state, settings))}
        offered = issuer_settings(state).model_copy(update=issuing or {}) if issuer_port is not None else None
        issuer = create_issuer(offered, state) if offered is not None else None
        if issuer_port is not None and issuer is not None:
            apps[issuer_port] = issuer
        await stack.enter_async_context(running(apps, host=HOST, tls=state.tls))
        browser = httpx2.AsyncClient(verify=False, follow_redirects=True, timeout=90, limits=FRESH)
        await stack.enter_async_context(browser)
        agency = None
        if issuer is not None:
            await stack.enter_async_context(publishing(issuer))
            agency = AgencyClient(browser, state, await staff_key(issuer))
        yield UnattendedWallet(state.url("wallet"), state, browser, agency)


def _make_state(folder: Path, ports: Mapping[str, int], suite_url: str, anchors: Sequence[Anchor]) -> State:
    now = datetime.now(UTC)
    state = State(folder, HOST, True, dict(ports))
    make_pki(state.pki, host=HOST, now=now)
    authority = make_certificate(folder, host=HOST, now=now)[2]
    with authority.open("a", encoding="ascii") as file:
        file.write(certificate_of(suite_url))
    with (state.pki / "trust.toml").open("a", encoding="utf-8") as file:
        for anchor in anchors:
            (state.pki / f"{anchor.name}.pem").write_text(anchor.pem, "ascii")
            purposes = ", ".join(f'"{purpose}"' for purpose in anchor.purposes)
            file.write(f'\n[[anchor]]\nfile = "{anchor.name}.pem"\npurposes = [{purposes}]\nsource = "suite"\n')
    (state.pki / CLIENT_KEY).write_bytes(PrivateKey.generate().to_pem())
    if "issuer" in ports:
        make_register(state.register, seed=1, count=_PEOPLE)
    return state


def _settings(state: State, more: Mapping[str, Any]) -> WalletSettings:
    usual = wallet_settings(State(state.folder, HOST, True, {"issuer": 0, **state.ports}))
    issuers = (state.url("issuer"),) if "issuer" in state.ports else ()
    chosen = {
        **usual.model_dump(exclude={"allowed_networks"}), "allowed_networks": _LOOPBACK, "issuers": issuers,
        "unattended_person": PERSON, **more,
    }  # fmt: skip
    return WalletSettings.load(**chosen)
