"""The plans in which the suite is a verifier that asks our wallet (OpenID4VP 1.0, HAIP 1.0).

The wallet runs unattended; our own issuer has put cards into it, as everybody gets them. The suite's verifier has an
access certificate of an authority that the wallet's operator believes, and is registered under two client identifiers.
A browser (Chromium) opens what the suite shows as a link or QR code, and goes back to the suite where the wallet sends
it. Pictures of what a citizen reads when the wallet refuses are for the suite's reviewers.

Not run, since OpenID4VP 1.0 rules it out for a wallet in a browser, or since no wallet that obeys it could answer:
- dc_api, dc_api.jwt: browsers give requests of the Digital Credentials API to wallets of the platform; a page is none.
- request_uri_unsigned, and pre_registered with request_uri_signed: the suite's request objects have no `typ` there, and
  a wallet must not process them (5); what a request URI answers is signed, besides (5.10).
- x509_san_dns, x509_hash with url_query: requests of these clients are signed (5.9.3).
- sd_jwt_vc with url_query: the suite leaves the `+` of `dc+sd-jwt` as it is, which means a space in a form-encoded URL
  (RFC 6749 B), so it asks for a format that does not exist.
- decentralized_identifier: not supported by design, refused by name.

`_excuse` has the modules that a plan lists though they can't be run.
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
from conformance.suite import CHROMIUM, Finding, Outcome, Running, Suite, Variant
from conformance.wallet_service import HOST, Anchor, UnattendedWallet, unattended_wallet

ALIAS: Final = "byoid-wallet-vp"
WALLET_PORT: Final = 9471
ISSUER_PORT: Final = 9472
HAIP: Final = "oid4vp-1final-wallet-haip-test-plan"
PLAIN: Final = "oid4vp-1final-wallet-test-plan"
_SIGNED: Final = "request_uri_signed"
_QUERY: Final = "url_query"
_PLAIN: Final = "plain_vp"
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
    made: list[tuple[str, Variant]] = [
        (HAIP, {"credential_format": each, "response_mode": "direct_post.jwt"}) for each in _CARDS
    ]
    signed, unsigned = (
        (("x509_hash", _SIGNED), ("x509_san_dns", _SIGNED)),
        (("pre_registered", _QUERY), ("redirect_uri", _QUERY)),
    )
    ways = {"sd_jwt_vc": signed, "iso_mdl": (*signed, *unsigned)}
    made += [
        (PLAIN, {"vp_profile": profile, "credential_format": format_, "client_id_prefix": prefix,
                 "request_method": method, "response_mode": mode})
        for profile, mode in (("haip", "direct_post.jwt"), (_PLAIN, "direct_post.jwt"), (_PLAIN, "direct_post"))
        for format_ in _CARDS
        for prefix, method in ways[format_]
    ]  # fmt: skip
    return made


PLANS: Final[Sequence[tuple[str, Variant]]] = _plans()


@dataclass(frozen=True)
class Verifier:
    """What the suite's verifier has: an access certificate with its key, and the authority that made it."""

    key: PrivateKey
    chain: tuple[bytes, ...]
    authority: bytes

    @classmethod
    def make(cls, now: datetime) -> "Verifier":
        """Make one, for this machine."""
        root = make_root(SubjectName("Conformance access certificates"), key=PrivateKey.generate(), now=now)
        key, name = PrivateKey.generate(), SubjectName("Conformance suite", "Conformance suite", "NTRUT-1")
        leaf = make_leaf(root, name, key=key.public, purpose=Purpose.ACCESS, now=now, names=dns(HOST))
        return cls(key, to_der(leaf), to_pem(root.certificate))

    @property
    def jwks(self) -> dict[str, Any]:
        """The key as the suite wants it; keys for encryption it makes itself."""
        x5c = [base64.b64encode(each).decode() for each in self.chain]
        return {"keys": [{**self.key.to_jwk(), "use": "sig", "alg": self.key.algorithm, "kid": "access", "x5c": x5c}]}

    def register(self, folder: Path, suite_url: str) -> Path:
        """Write the operator's file of verifiers known beforehand; the suite puts a prefix before their identifiers."""
        uri = f"{suite_url.rstrip('/')}/test/a/{ALIAS}/responseuri"
        entry = f'[[registered]]\nclient_id = "pre_registered:{ALIAS}"\nname = "Suite"\nredirect_uris = ["{uri}"]\n'
        (folder / "verifiers.toml").write_text(entry, "utf-8")
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
        if await page.query_selector("#wallet-error[data-code]"):  # not where the verifier has got an answer
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
    # Outside of HAIP the suite reads a status list only if its key is in the header.
    for key, is_plain in (("x5c", False), ("jwk", True)):
        chosen = [each for each in plans if (each[1].get("vp_profile") == _PLAIN) is is_plain]
        if chosen:
            async with _tested(suite_url, pictures, status_list_key=key) as tested:
                async for found in tested.outcomes(chosen, only):
                    outcomes.append(found)
                    report(*found)
    return outcomes


@dataclass(frozen=True)
class _Tested:
    """Our wallet, and all who take part in testing it."""

    suite: Suite
    wallet: UnattendedWallet
    verifier: Verifier
    citizen: _Citizen

    async def outcomes(self, plans: Sequence[tuple[str, Variant]], only: str) -> AsyncIterator[tuple[str, Outcome]]:
        """Run plans module by module."""
        for name, variant in plans:
            await self.wallet.take(_CARDS[variant["credential_format"]])
            config = _configuration(self.wallet, self.verifier, variant)
            plan, modules = await self.suite.plan(name, variant, config)
            for module, extra in modules:
                if fnmatch(module, only):
                    yield label(name, variant), await self._outcome(plan, module, extra, _excuse(module, variant))

    async def _outcome(self, plan: str, module: str, extra: Variant, excuse: str | None) -> Outcome:
        if excuse is not None:
            return Outcome(module, extra, "", "SKIPPED", 0, (Finding("INFO", "not run", excuse, ()),))
        outcome = await self.suite.run(plan, module, extra, drive=self.citizen.drive, seconds=45)
        await self.citizen.leave()
        return outcome


def _excuse(module: str, variant: Variant) -> str | None:
    """Say why a module of a plan is not run."""
    name, way = module.removeprefix("oid4vp-1final-wallet-"), variant.get("request_method", _SIGNED)
    if name == "multisigned-one-invalid-signature":
        return "only for multi-signed requests, as it says itself; without them the suite stops with an exception"
    if name == "negative-test-response-uri-not-client-id" and variant["client_id_prefix"] != "redirect_uri":
        return "only for redirect_uri, as it says itself: other clients may name any address that is theirs"
    if name == "alternate-happy-flow" and variant["response_mode"] == "direct_post":
        return "the suite stops with an exception: it changes the encryption, and there is none"
    if name.startswith("negative-") and name != "negative-test-invalid-client-id-prefix" and way == _QUERY:
        return "never ends: the suite waits for its request_uri to be fetched, and there is none"
    return None


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
        client["client_id"] = ALIAS
    return {
        "alias": ALIAS,
        "description": "byoid wallet",
        "server": {"authorization_endpoint": f"{wallet.url}/authorize"},
        "client": client,
        "credential": {"trust_anchor_pem": authority, "status_list_trust_anchor_pem": authority},
    }


@asynccontextmanager
async def _tested(suite_url: str, pictures: Path | None, *, status_list_key: str) -> AsyncIterator[_Tested]:
    """Run the wallet with our issuer; its operator believes who certified the suite's verifier."""
    verifier = Verifier.make(datetime.now(UTC))
    anchor = Anchor("suite-access", verifier.authority.decode("ascii"), (Purpose.ACCESS,))
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        wallet = await stack.enter_async_context(
            unattended_wallet(
                folder / "state",
                port=WALLET_PORT,
                suite_url=suite_url,
                issuer_port=ISSUER_PORT,
                anchors=[anchor],
                issuing={"status_list_key": status_list_key},
                verifiers=verifier.register(folder, suite_url),
                limit_factor=1000,
            )
        )
        citizen = await stack.enter_async_context(_citizen(pictures))
        yield _Tested(await stack.enter_async_context(Suite(suite_url)), wallet, verifier, citizen)


@asynccontextmanager
async def _citizen(pictures: Path | None) -> AsyncIterator[_Citizen]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield _Citizen(browser, pictures)
        await browser.close()
