"""The plans in which the suite is a verifier that asks our wallet (OpenID4VP 1.0, HAIP 1.0).

The wallet runs unattended; our own issuer has put cards into it, as everybody gets them. The suite's verifier has an
access certificate of an authority that the wallet's operator believes, and is registered under two client identifiers.
A browser (Chromium) opens what the suite shows as a link or QR code, and goes back to the suite where the wallet sends
it. Pictures of what a citizen reads when the wallet refuses are for the suite's reviewers.

Not run, since OpenID4VP 1.0 rules it out for a wallet in a browser, or for anybody:
- dc_api, dc_api.jwt: browsers give requests of the Digital Credentials API to wallets of the platform; a page is none.
- request_uri_unsigned: the answer of a request URI is a signed request object (5.10), and one without `typ` must not be
  processed (5); what the suite sends here is neither signed nor has it a `typ`.
- x509_san_dns, x509_hash with url_query: requests of these clients are signed (5.9.3).
- decentralized_identifier: not supported by design, refused by name.
"""

import base64
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, dns, make_leaf, make_root, to_der, to_pem
from conformance.suite import Outcome, Running, Suite, Variant
from conformance.wallet_service import HOST, Anchor, UnattendedWallet, unattended_wallet

ALIAS: Final = "byoid-wallet-vp"
WALLET_PORT: Final = 9471
ISSUER_PORT: Final = 9472
HAIP: Final = "oid4vp-1final-wallet-haip-test-plan"
PLAIN: Final = "oid4vp-1final-wallet-test-plan"
_SIGNED: Final = "request_uri_signed"
_QUERY: Final = "url_query"
_CHROMIUM: Final = "/usr/bin/chromium"
_PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

# Which card answers for which format, and what is asked of it.
_CARDS: Final = {"sd_jwt_vc": "pid_sd_jwt", "iso_mdl": "pid_mdoc"}
_PID: Final = "eu.europa.ec.eudi.pid.1"
_ASKED: Final[dict[str, dict[str, Any]]] = {
    "sd_jwt_vc": {
        "id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]},
        "claims": [{"path": ["given_name"]}, {"path": ["family_name"]}, {"path": ["address", "country"]}],
    },
    "iso_mdl": {
        "id": "pid", "format": "mso_mdoc", "meta": {"doctype_value": _PID},
        "claims": [{"path": [_PID, "family_name"]}, {"path": [_PID, "given_name"]}, {"path": [_PID, "birth_date"]}],
    },
}  # fmt: skip


def _plans() -> list[tuple[str, Variant]]:
    made: list[tuple[str, Variant]] = []
    for each in _CARDS:
        made.append((HAIP, {"credential_format": each, "response_mode": "direct_post.jwt"}))
    ways = [
        ("x509_hash", _SIGNED), ("x509_san_dns", _SIGNED), ("pre_registered", _SIGNED), ("pre_registered", _QUERY),
        ("redirect_uri", _QUERY),
    ]  # fmt: skip
    for profile, mode in (("haip", "direct_post.jwt"), ("plain_vp", "direct_post.jwt"), ("plain_vp", "direct_post")):
        for each in _CARDS:
            for prefix, method in ways:
                made.append((PLAIN, {"vp_profile": profile, "credential_format": each, "client_id_prefix": prefix,
                                     "request_method": method, "response_mode": mode}))  # fmt: skip
    return made


PLANS: Final[Sequence[tuple[str, Variant]]] = _plans()


@dataclass(frozen=True)
class Verifier:
    """What the suite's verifier has: an access certificate with its key, and the authority that made it."""

    key: PrivateKey
    certificate: bytes
    chain: tuple[bytes, ...]
    authority: bytes

    @classmethod
    def make(cls, now: datetime) -> "Verifier":
        """Make one, for this machine."""
        root = make_root(SubjectName("Conformance access certificates"), key=PrivateKey.generate(), now=now)
        key, name = PrivateKey.generate(), SubjectName("Conformance suite", "Conformance suite", "NTRUT-1")
        leaf = make_leaf(root, name, key=key.public, purpose=Purpose.ACCESS, now=now, names=dns(HOST))
        return cls(key, to_pem(leaf), to_der(leaf), to_pem(root.certificate))

    @property
    def jwks(self) -> dict[str, Any]:
        """The key as the suite wants it; keys for encryption it makes itself."""
        x5c = [base64.b64encode(each).decode() for each in self.chain]
        return {"keys": [{**self.key.to_jwk(), "use": "sig", "alg": self.key.algorithm, "kid": "access", "x5c": x5c}]}

    def register(self, folder: Path, suite_url: str) -> Path:
        """Write the operator's file of verifiers known beforehand: with this key, and without one."""
        (folder / "verifier.pem").write_bytes(self.certificate)
        uri = f"{suite_url.rstrip('/')}/test/a/{ALIAS}/responseuri"
        entries = [
            f'[[registered]]\nclient_id = "pre_registered:{method}"\nname = "Conformance suite"\n'
            f'redirect_uris = ["{uri}"]\n' + ('key = "verifier.pem"\n' if method == _SIGNED else "")
            for method in (_SIGNED, _QUERY)
        ]
        (folder / "verifiers.toml").write_text("\n".join(entries), "utf-8")
        return folder / "verifiers.toml"


@dataclass
class _Citizen:
    """A browser that opens what the suite shows; where the wallet refuses, it keeps a picture for the reviewers."""

    browser: Browser
    folder: Path | None = None
    pages: list[Page] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)

    async def drive(self, running: Running) -> None:
        """Open what a module wants opened; show a refusal wherever it asks for that."""
        for url in await running.urls():
            await self._open(url, running)
            await running.visit(url)
        if running.id in self.pictures:
            await running.show(self.pictures[running.id])

    async def _open(self, url: str, running: Running) -> None:
        page = await self.browser.new_page(viewport=_PHONE, ignore_https_errors=True)
        self.pages.append(page)  # it stays open: the wallet sends it on to the verifier's page
        await page.goto(url, wait_until="domcontentloaded")
        if await page.query_selector("#wallet-error"):
            path = self.folder / f"{running.module}-{running.id}.png" if self.folder else None
            self.pictures[running.id] = await page.screenshot(path=path)

    async def leave(self) -> None:
        """Close the pages."""
        for page in self.pages:
            await page.close()
        self.pages.clear()


async def run(
    suite_url: str,
    *,
    only: str = "*",
    report: Callable[[str, Outcome], None],
    plans: Sequence[tuple[str, Variant]] = PLANS,
    pictures: Path | None = None,
) -> list[tuple[str, Outcome]]:
    """Run the plans; return each module's outcome with the label of its plan."""
    outcomes: list[tuple[str, Outcome]] = []
    async with _wallet(suite_url) as (wallet, verifier), _citizen(pictures) as citizen, Suite(suite_url) as suite:
        for name, variant in plans:
            plan_label = label(name, variant)
            await wallet.take(_CARDS[variant["credential_format"]])
            plan, modules = await suite.plan(name, variant, _configuration(wallet, verifier, variant))
            for module, extra in modules:
                if fnmatch(module, only):
                    outcome = await suite.run(plan, module, extra, drive=citizen.drive, seconds=45)
                    await citizen.leave()
                    outcomes.append((plan_label, outcome))
                    report(plan_label, outcome)
    return outcomes


def label(name: str, variant: Variant) -> str:
    """Name a plan and its variant."""
    return f"{name}[{', '.join(variant.values())}]"


def _configuration(wallet: UnattendedWallet, verifier: Verifier, variant: Mapping[str, str]) -> dict[str, Any]:
    authority = wallet.root("agency")
    client: dict[str, Any] = {
        "jwks": verifier.jwks,
        "dcql": {"credentials": [_ASKED[variant["credential_format"]]]},
    }
    if variant.get("client_id_prefix") == "pre_registered":
        client["client_id"] = variant["request_method"]
    return {
        "alias": ALIAS,
        "description": "byoid wallet",
        "server": {"authorization_endpoint": f"{wallet.url}/authorize"},
        "client": client,
        "credential": {"trust_anchor_pem": authority, "status_list_trust_anchor_pem": authority},
    }


@asynccontextmanager
async def _wallet(suite_url: str) -> AsyncIterator[tuple[UnattendedWallet, Verifier]]:
    """Run the wallet with our issuer; its operator believes who certified the suite's verifier."""
    verifier = Verifier.make(datetime.now(UTC))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        anchor = Anchor("suite-access", verifier.authority.decode("ascii"), (Purpose.ACCESS,))
        wallet = await stack.enter_async_context(
            unattended_wallet(
                folder / "state",
                port=WALLET_PORT,
                suite_url=suite_url,
                issuer_port=ISSUER_PORT,
                anchors=[anchor],
                verifiers=verifier.register(folder, suite_url),
                limit_factor=1000,
            )
        )
        yield wallet, verifier


@asynccontextmanager
async def _citizen(pictures: Path | None) -> AsyncIterator[_Citizen]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield _Citizen(browser, pictures)
        await browser.close()
