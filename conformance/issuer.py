"""Our issuer under the plans of the suite in which the suite plays the wallet: OpenID4VCI 1.0, and with HAIP.

Not PASSED, and right: REVIEW of the four modules that end with an error page, since a request that was not pushed, is
unknown, over or another client's is answered with a page and no redirect (RFC 6749 4.1.2.1, RFC 9126 2.2); SKIPPED
is the module on encryption where the variant is `plain`.
"""

import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx2
from playwright.async_api import async_playwright

from byoid.keys import PrivateKey
from conformance.issuer_setup import ASSERTING, ATTESTED, PASSWORD, TLS, USERNAME, Tested, client_key, jwk, serving
from conformance.suite import CHROMIUM, Outcome, Running, Suite, Variant

ALIAS: Final = "byoid-issuer"
HAIP: Final = "oid4vci-1_0-issuer-haip-test-plan"
PLAIN: Final = "oid4vci-1_0-issuer-test-plan"
_FORMATS: Final = ("sd_jwt_vc", "mdoc")
_CONFIGURATIONS: Final = {"sd_jwt_vc": "pid_sd_jwt", "mdoc": "pid_mdoc"}
_CLIENTS: Final = {"client_attestation": ATTESTED, "private_key_jwt": ASSERTING, "mtls": TLS}
_GRANTS: Final = {"authorization_code": "authorization", "pre_authorization_code": "pre-authorized"}
_EXTENSIONS: Final = (
    # Of the EUDI wallet: ETSI TS 119 472-3 4.2.4.2, and TS3 2.4 of its technical specifications. Unknown to the suite.
    "credential_reuse_policy", "preferred_client_status_period",
    # Beside the first, which is in `credential_metadata`, the suite takes these of OpenID4VCI 12.2.4 for unknown too:
    # its schema drops what it has found in an object as soon as one member of it has an unknown one.
    "scope", "cryptographic_binding_methods_supported", "proof_types_supported", "credential_metadata",
)  # fmt: skip

_PATIENCE: Final = 240.0  # seconds for a module


def _haip(format_: str, initiated: str) -> tuple[str, Variant]:
    return HAIP, {"credential_format": format_, "vci_authorization_code_flow_variant": initiated}


def _plain(
    profile: str, client: str, sender: str, start: str, request: str, encryption: str, format_: str
) -> tuple[str, Variant]:
    """Return a choice of the general plan; `start` is who begins, and with which grant."""
    initiated, grant = _STARTS[start]
    return PLAIN, {
        "fapi_profile": profile, "client_auth_type": client, "sender_constrain": sender,
        "vci_authorization_code_flow_variant": initiated, "vci_grant_type": grant,
        "authorization_request_type": request, "vci_credential_encryption": encryption, "credential_format": format_,
        "fapi_request_method": "unsigned", "openid": "plain_oauth", "fapi_response_mode": "plain_response",
    }  # fmt: skip


_STARTS: Final = {
    "wallet": ("wallet_initiated", "authorization_code"),
    "offer": ("issuer_initiated", "authorization_code"),
    "code": ("issuer_initiated", "pre_authorization_code"),
}
PLANS: Final[Sequence[tuple[str, Variant]]] = [
    *(_haip(*each) for each in product(_FORMATS, ("wallet_initiated", "issuer_initiated"))),
    _plain("vci_haip", "client_attestation", "dpop", "wallet", "simple", "encrypted", "sd_jwt_vc"),
    _plain("vci_haip", "private_key_jwt", "dpop", "wallet", "simple", "plain", "sd_jwt_vc"),
    _plain("vci_haip", "mtls", "mtls", "offer", "simple", "plain", "mdoc"),
    # No client_attestation with a pre-authorized code: the suite's negative modules await refusals of a pushed request.
    _plain("vci", "client_attestation", "mtls", "wallet", "simple", "plain", "mdoc"),
    _plain("vci", "client_attestation", "dpop", "offer", "rar", "plain", "sd_jwt_vc"),
    _plain("vci", "private_key_jwt", "dpop", "code", "simple", "plain", "sd_jwt_vc"),
    _plain("vci", "private_key_jwt", "mtls", "offer", "rar", "encrypted", "mdoc"),
    _plain("vci", "mtls", "mtls", "wallet", "rar", "plain", "sd_jwt_vc"),
    _plain("vci", "mtls", "dpop", "code", "rar", "encrypted", "mdoc"),
]


def label(plan: str, variant: Variant) -> str:
    """Return a plan's name with the values of its variant."""
    return f"{plan} {' '.join(variant.values())}"


async def run(
    suite_url: str, *, only: str = "*", report: Callable[[str, Outcome], None],
    plans: Sequence[tuple[str, Variant]] = PLANS,
) -> list[tuple[str, Outcome]]:  # fmt: skip
    """Run all plans, one module after the other.

    Args:
        suite_url: where the suite is.
        only: a glob on the names of modules.
        report: told of each module that has ended.
        plans: which plans.
    """
    found: list[tuple[str, Outcome]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Suite(suite_url) as suite,
            serving(Path(folder), suite_url=suite_url, callback=_callback(suite_url)) as tested,
        ):
            for plan, variant in plans:
                async for outcome in _outcomes(suite, tested, plan, variant, suite_url=suite_url, only=only):
                    report(label(plan, variant), outcome)
                    found.append((label(plan, variant), outcome))
    return found


async def _outcomes(
    suite: Suite, tested: Tested, plan: str, variant: Variant, *, suite_url: str, only: str
) -> AsyncIterator[Outcome]:
    id_, modules = await suite.plan(plan, variant, configuration(tested, variant, suite_url=suite_url))
    for module, own in modules:
        if fnmatch(module, only):
            staff = Staff(tested, {**variant, **own})
            yield await suite.run(id_, module, own, drive=staff.drive, seconds=_PATIENCE)


def _callback(suite_url: str) -> str:
    return f"{suite_url}/test/a/{ALIAS}/callback"


def configuration(tested: Tested, variant: Variant, *, suite_url: str) -> dict[str, Any]:
    """Return the plan's configuration: the suite's keys, our certificates, and what its browser does on our pages."""
    provider = PrivateKey.from_pem(tested.pem("wallet-provider.key").encode())
    x5c = _x5c(tested.pem("wallet-provider.pem"))
    attester = {"keys": [{**jwk(provider, kid="wallet-provider"), "x5c": x5c}]}
    clients = _CLIENTS[variant.get("client_auth_type", "client_attestation")]
    return {
        "alias": ALIAS,
        "description": "byoid issuer",
        "vci": {
            "credential_issuer_url": tested.url,
            "credential_configuration_id": _CONFIGURATIONS[variant["credential_format"]],
            "allow_unexpected_credential_issuer_metadata_fields": _EXTENSIONS,
        },
        "client_attestation": {
            "issuer": "https://wallet-provider.example", "attester_jwks": attester, "key_attestation_jwks": attester,
        },
        **_client(tested, clients[0], tls=TLS[0], number=""),
        **_client(tested, clients[1], tls=TLS[1], number="2"),
        "credential": {
            "trust_anchor_pem": tested.pem("agency-root.pem"),
            "status_list_trust_anchor_pem": tested.pem("agency-root.pem"),
        },
        "browser": [_browser(tested, suite_url)],
        "override": _overrides(tested, suite_url),
    }  # fmt: skip


def _client(tested: Tested, client_id: str, *, tls: str, number: str) -> dict[str, Any]:
    """Return a client with its keys; an attested one has none of its own but for TLS."""
    name = client_key(tls if client_id in ATTESTED else client_id)
    pem = tested.pem(f"{name}.key")
    key = jwk(PrivateKey.from_pem(pem.encode()), kid=client_id)
    return {
        f"client{number}": {"client_id": client_id, "jwks": {"keys": [key]}},
        f"mtls{number}": {"cert": tested.pem(f"{name}.pem"), "key": pem},
    }


def _browser(tested: Tested, suite_url: str, *, answer: str = "consent-approve") -> dict[str, Any]:
    """Say how the suite's browser signs in and answers, by the ids of our forms."""
    ours = f"{tested.url}/authorize*"
    back = f"{_callback(suite_url)}*"
    sign_in = [
        ["text", "id", "username", USERNAME], ["text", "id", "password", PASSWORD], ["click", "id", "login"],
    ]  # fmt: skip
    return {
        "match": ours,
        "tasks": [
            {"task": "sign in", "match": ours, "commands": sign_in},
            {"task": "answer", "match": ours, "commands": [["click", "id", answer]]},
            {"task": "end", "match": back, "commands": [["wait", "id", "submission_complete", 10]]},
        ],
    }


def _overrides(tested: Tested, suite_url: str) -> dict[str, Any]:
    """Say what the browser does in the modules in which nobody agrees, or not the first time."""
    agree = _browser(tested, suite_url)
    look = {"match": agree["match"], "match-limit": 1, "tasks": [{"task": "look", "match": agree["match"]}]}
    browsers: dict[str, list[Any]] = {
        "user-rejects-authentication": [_browser(tested, suite_url, answer="consent-deny")],
        "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": [look, agree],
        # An error page at the end: a person looks at it, which is `Staff.drive` with a real browser.
        "par-attempt-reuse-request_uri": [{**agree, "match-limit": 1}],
        "par-attempt-to-use-expired-request_uri": [],
        "par-attempt-to-use-request_uri-for-different-client": [],
        "ensure-unsigned-authorization-request-without-using-par-fails": [],
    }
    return {f"fapi2-security-profile-final-{module}": {"browser": each} for module, each in browsers.items()}


class Staff:
    """The agency's staff during one module: they make the offers that the suite's wallet waits for."""

    def __init__(self, tested: Tested, variant: Variant) -> None:
        self._tested, self._variant = tested, variant
        self._offers = 0
        self._tx_code: str | None = None

    async def drive(self, running: Running) -> None:
        """Do what the module waits for."""
        for url in await running.urls():
            picture = await _picture(url)
            await running.visit(url)
            await running.show(picture)
        shown = await running.exposed()
        if self._tx_code and (endpoint := shown.get("tx_code_endpoint")):
            code, self._tx_code = self._tx_code, None
            await _open(endpoint, {"code": code})
        elif endpoint := shown.get("credential_offer_endpoint"):
            asked = sum(each.get("src") == "VCIWaitForCredentialOffer" for each in await running.log())
            if asked > self._offers:
                self._offers = asked
                await self._offer(endpoint)

    async def _offer(self, endpoint: str) -> None:
        grant = _GRANTS[self._variant.get("vci_grant_type", "authorization_code")]
        made = await self._tested.offer(_CONFIGURATIONS[self._variant["credential_format"]], grant=grant)
        self._tx_code = made["tx_code"]
        await _open(endpoint, {"credential_offer_uri": made["uri"]})


async def _picture(url: str) -> bytes:
    """Open an address in a real browser, as on a phone, and return what is to be seen."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            page = await browser.new_page(ignore_https_errors=True, viewport={"width": 390, "height": 844})
            await page.goto(url)
            return await page.screenshot()
        finally:
            await browser.close()


async def _open(url: str, parameters: Mapping[str, str]) -> None:
    async with httpx2.AsyncClient(verify=False, timeout=60) as browser:  # the suite's own certificate
        await browser.get(url, params=parameters)


def _x5c(pem: str) -> list[str]:
    return ["".join(each.split("-----")[0].split()) for each in pem.split("-----BEGIN CERTIFICATE-----")[1:]]
