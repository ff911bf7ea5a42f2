"""The verifier under the suite's verifier plans: the suite is a web wallet, ours is who asks.

OpenID4VP 1.0, HAIP 1.0 section 5. A plan is run in up to three ways: through the verifier's own pages in a browser
(`playground`), as a service with the HTTP API (`api`), and with the library in the service's process (`library`). A
module is good only if our verdict agrees with it: a happy flow must give claims, any other must give none.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from playwright.async_api import Browser, Page, async_playwright

from byoid.encoding import json_dumps
from byoid.relying_party.transaction import State
from conformance.suite import CHROMIUM, Finding, Outcome, Running, Suite, Variant
from conformance.verifier_setup import (
    PREFIXES,
    SERVICE,
    VERIFIER,
    Files,
    Places,
    Verdict,
    definition,
    document_signer,
    make_files,
    query_name,
    serving,
)
from verifier.app import utc_now

ALIAS: Final = "byoid-verifier"
HAIP: Final = "oid4vp-1final-verifier-haip-test-plan"
PLAIN: Final = "oid4vp-1final-verifier-test-plan"
_FORMATS: Final = ("sd_jwt_vc", "iso_mdl")
_PHONE: Final = {"width": 390, "height": 844}
_MODULE: Final = "oid4vp-1final-verifier-"
_POST: Final = "request-uri-method-post"
# What our side must say: None for an answer to be accepted, else why it is refused. The suite cannot see that.
EXPECTED: Final[Mapping[str, str | None]] = {
    "happy-flow": None,
    "minimal-cnf-jwk": None,
    _POST: None,
    "request-uri-fetched-twice": None,
    "invalid-session-transcript": "HolderBindingError: the device did not authenticate this session",
    "invalid-kb-jwt-signature": "BadSignature",
    "invalid-credential-signature": "BadSignature",
    "invalid-sd-hash": "HolderBindingError: the key binding JWT has another sd_hash",
    "invalid-kb-jwt-nonce": "ResponseRejected: a presentation was made for another nonce",
    "invalid-kb-jwt-aud": "HolderBindingError: the key binding JWT has another aud",
    "kb-jwt-iat-in-past": "HolderBindingError: the key binding JWT was not made just now",
    "kb-jwt-iat-in-future": "HolderBindingError: the key binding JWT was not made just now",
}
Way: TypeAlias = str


def _plain(profile: str, credential_format: str, prefix: str, response_mode: str) -> tuple[str, Variant]:
    method = "url_query" if prefix == "redirect_uri" else "request_uri_signed"  # 5.9.3: without a key, no signature
    return PLAIN, {
        "vp_profile": profile, "credential_format": credential_format, "client_id_prefix": prefix,
        "request_method": method, "response_mode": response_mode,
    }  # fmt: skip


PLANS: Final[Sequence[tuple[str, Variant]]] = (
    *((HAIP, {"credential_format": each, "response_mode": "direct_post.jwt"}) for each in _FORMATS),
    *(
        _plain("plain_vp", each, prefix, mode)
        for each in _FORMATS
        for prefix in PREFIXES
        for mode in ("direct_post.jwt", "direct_post")
    ),
    # HAIP 5 knows x509_hash alone; the suite lets the other prefixes run under its rules too.
    *(_plain("haip", each, prefix, "direct_post.jwt") for each in _FORMATS for prefix in PREFIXES),
)


def ways(plan: str) -> tuple[Way, ...]:
    """Return the ways in which a plan is run."""
    return ("playground", "api", "library") if plan == HAIP else ("api",)


@dataclass
class Asking:
    """Asks the suite's wallet in one way, and looks at our verdict afterwards."""

    way: Way
    places: Places
    browser: Browser
    variant: Variant
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # by test id

    async def __call__(self, running: Running) -> None:
        """Drive a module: once, since all that it waits for afterwards is a picture."""
        if running.id in self.verdicts:
            return
        wallet = (await running.exposed())["authorization_endpoint"]
        context = await self.browser.new_context(ignore_https_errors=True, viewport=_PHONE)  # type: ignore[arg-type]  # a TypedDict
        try:
            page = await context.new_page()
            verdict = await self._ask(page, wallet, post=running.module.endswith(_POST))
            self.verdicts[running.id] = replace(verdict, shown=await page.locator("dt code").all_text_contents())
            await running.show(await page.screenshot(full_page=True))
        finally:
            await context.close()

    async def _ask(self, page: Page, wallet: str, *, post: bool) -> Verdict:
        if self.way == "playground":
            return await self._ask_in_playground(page)
        prefix = self.variant.get("client_id_prefix", PREFIXES[0])
        place = f"{SERVICE}/library" if self.way == "library" else f"{SERVICE}/shop/{prefix}"
        parameters = {"wallet": wallet, **({"method": "post"} if post else {})}
        async with page.expect_response(lambda answer: answer.url.startswith(place)) as begun:
            await page.goto(f"{place}/{self._query_name()}?{urlencode(parameters)}")
        transaction_id = (await (await begun.value).all_headers())["x-transaction"]
        if self.way == "library":
            return await self.places.library_verdict(transaction_id)
        return await self.places.verdict(transaction_id, prefix=prefix)

    async def _ask_in_playground(self, page: Page) -> Verdict:
        """Fill the form, use the drop-in, and choose the wallet."""
        asked = definition(self.variant["credential_format"], encrypted=self._encrypted)
        await page.goto(f"{VERIFIER}/playground")
        await page.locator("#definition").fill(json_dumps(asked.to_wire()).decode())
        await page.locator("#use-query").click()
        async with page.expect_response(lambda answer: answer.url.endswith("/attempts")) as begun:
            await page.locator("#byoid-identify").click()
        attempt, asking = str((await (await begun.value).json())["id"]), page.url
        async with page.expect_navigation(wait_until="load"):
            await page.locator("[data-wallet]").click()
        if not page.url.startswith(VERIFIER):  # refused: the wallet sends nobody back
            await page.goto(f"{asking}/attempts/{attempt}/result")
        return await self.places.verdict(attempt.partition(".")[0], prefix=PREFIXES[0])

    @property
    def _encrypted(self) -> bool:
        return self.variant["response_mode"].endswith(".jwt")

    def _query_name(self) -> str:
        return query_name(self.variant["credential_format"], encrypted=self._encrypted)


async def run(suite_url: str, *, only: str = "*", report: Callable[[str, Outcome], None]) -> list[tuple[str, Outcome]]:
    """Run every plan in every way; `report` is told each outcome at once."""
    outcomes = []
    wallet = f"{suite_url.rstrip('/')}/test/a/{ALIAS}/authorize"
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder), suite_url=suite_url, now=utc_now())
        async with Suite(suite_url) as suite, _browser() as browser:
            await _learn_document_signer(suite, files, browser, wallet=wallet)
            async with serving(files, wallet=wallet) as places:
                for plan, variant in PLANS:
                    for way in ways(plan):
                        asking = Asking(way, places, browser, variant)
                        async for label, outcome in _run_plan(suite, files, plan, asking, only=only):
                            report(label, outcome)
                            outcomes.append((label, outcome))
    return outcomes


async def _run_plan(
    suite: Suite, files: Files, plan: str, asking: Asking, *, only: str
) -> AsyncIterator[tuple[str, Outcome]]:
    label = " ".join((plan, *asking.variant.values(), asking.way))
    plan_id, modules = await suite.plan(plan, asking.variant, _configuration(files, label))
    for module, variant in modules:
        if fnmatch(module, only):
            outcome = await suite.run(plan_id, module, variant, drive=asking)
            yield label, judged(outcome, asking.verdicts.get(outcome.test_id))


def judged(outcome: Outcome, verdict: Verdict | None) -> Outcome:
    """Return the outcome with our verdict; FAILED where the verdict is not what the module is about."""
    if verdict is None or outcome.result == "SKIPPED":
        return outcome
    told = f"our verdict: {verdict.state}; shown to the service: {len(verdict.shown)} claims; refused: {verdict.reason}"
    agrees = _agrees(verdict, outcome.module)
    found = Finding("INFO" if agrees else "FAILURE", "Verdict", told, ())
    return replace(outcome, result=outcome.result if agrees else "FAILED", findings=(*outcome.findings, found))


def _agrees(verdict: Verdict, module: str) -> bool:
    reason = EXPECTED[module.removeprefix(_MODULE)]
    if reason is None:
        return verdict.state == State.ACCEPTED and "family_name" in verdict.shown
    return verdict.state != State.ACCEPTED and not verdict.shown and verdict.failures == 1 and reason in verdict.reason


def _configuration(files: Files, description: str) -> Mapping[str, Any]:
    return {
        "alias": ALIAS,
        "description": description,
        "client": {"client_id": "localhost", "request_object_trust_anchor_pem": files.access_root},
        "credential": {"signing_jwk": files.signing_jwk},
    }


async def _learn_document_signer(suite: Suite, files: Files, browser: Browser, *, wallet: str) -> None:
    """Let the suite show an mdoc once, and put its signer, which nobody certifies, into the trust file."""
    plan, variant = _plain("plain_vp", "iso_mdl", PREFIXES[0], "direct_post.jwt")
    shown: list[Mapping[str, Any]] = []

    async with serving(files, wallet=wallet) as places:
        asking = Asking("api", places, browser, variant)
        plan_id, modules = await suite.plan(plan, variant, _configuration(files, "whose mdocs are shown"))
        outcome = await suite.run(plan_id, modules[0][0], modules[0][1], drive=asking)
        shown += await Running(suite, outcome.test_id, outcome.module, variant).log()
    responses = [str(each["mdoc_b64"]) for each in shown if "mdoc_b64" in each]
    if not responses:
        raise RuntimeError("the suite has shown no mdoc")
    files.trust_document_signer(document_signer(responses[0]))


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()
