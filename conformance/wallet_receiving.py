"""Our wallet receives from the suite's issuer: OpenID4VCI 1.0 and HAIP 1.0 4, by the suite's plans for wallets.

The suite's issuer is known to the wallet as its operator makes an issuer known: a certificate authority in the trust
file, and its identifier among `WALLET_ISSUERS`. A browser opens the suite's offer at the wallet, or the wallet's
catalogue; the person in it agrees (wallet_service.py).
"""

import base64
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlencode

from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root, to_der, to_pem
from conformance.suite import Finding, Outcome, Running, Suite, Variant
from conformance.wallet_service import Anchor, UnattendedWallet, unattended_wallet

ALIAS: Final = "byoid-wallet-vci"
PORT: Final = 9461
TX_CODE: Final = "123456"  # the suite's only one
_HAIP: Final = "oid4vci-1_0-wallet-haip-test-plan"
_PLAIN: Final = "oid4vci-1_0-wallet-test-plan"
_SD_JWT_PID: Final = "eu.europa.ec.eudi.pid.1"
_MDOC_PID: Final = "eu.europa.ec.eudi.pid.mdoc.1"
_MDL: Final = "org.iso.18013.5.1.mDL"
_FAPI: Final = "fapi2-security-profile-final-client-test"
_REFUSED: Final = {  # modules in which the suite misbehaves, so that the wallet must refuse
    f"{_FAPI}-discovery-issuer-mismatch",
    f"{_FAPI}-invalid-authorization-response-iss",
    f"{_FAPI}-remove-authorization-response-iss",
    f"{_FAPI}-ensure-authorization-response-with-invalid-state-fails",
    f"{_FAPI}-ensure-authorization-response-with-invalid-missing-state-fails",
}
_AGE: Final = timedelta(days=1)  # of the suite's certificates: the suite dates an mdoc back to the full hour
_SECONDS: Final = {"waitTimeoutSeconds": 3, "maxWaitForAdditionalRequestSeconds": 2, "maxWaitForNotificationSeconds": 4}
_SIGNED: Final = (Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC, Purpose.STATUS, Purpose.ISSUER_METADATA)


@dataclass(frozen=True)
class _Run:
    """A plan in a variant, and which of the suite's credential configurations is asked for."""

    plan: str
    variant: Variant
    configuration_id: str

    @property
    def label(self) -> str:
        """What it is called in results."""
        return " ".join([self.plan, *self.variant.values(), self.configuration_id])


def _haip(format_: str, flow: str, offer: str, configuration_id: str) -> _Run:
    variant = {
        "credential_format": format_,
        "vci_authorization_code_flow_variant": flow,
        "vci_credential_offer_variant": offer,
    }
    return _Run(_HAIP, variant, configuration_id)


def _plain(
    profile: str, request: str, grant: str, flow: str, format_: str, mode: str, encryption: str, id_: str
) -> _Run:
    variant = {
        "fapi_profile": profile,
        "client_auth_type": "client_attestation",
        "sender_constrain": "dpop",
        "fapi_request_method": "unsigned",
        "authorization_request_type": request,
        "vci_grant_type": grant,
        "vci_authorization_code_flow_variant": flow.partition(" ")[0],
        "vci_credential_offer_variant": flow.partition(" ")[2] or "by_value",
        "credential_format": format_,
        "vci_credential_issuance_mode": mode,
        "vci_credential_encryption": encryption,
    }
    return _Run(_PLAIN, variant, id_)


_CODE: Final = "authorization_code"
_PRE: Final = "pre_authorization_code"
_RUNS: Final = (
    _haip("sd_jwt_vc", "wallet_initiated", "by_value", _SD_JWT_PID),
    _haip("sd_jwt_vc", "issuer_initiated", "by_value", f"{_SD_JWT_PID}.jwt.keyattest"),
    _haip("sd_jwt_vc", "issuer_initiated", "by_reference", f"{_SD_JWT_PID}.attestation.keyattest"),
    _haip("mdoc", "wallet_initiated", "by_value", _MDL),
    _haip("mdoc", "issuer_initiated", "by_value", f"{_MDOC_PID}.jwt.keyattest"),
    _haip("mdoc", "issuer_initiated", "by_reference", _MDOC_PID),
    _plain(
        "vci_haip",
        "simple",
        _CODE,
        "issuer_initiated by_value",
        "sd_jwt_vc",
        "deferred",
        "encrypted",
        f"{_SD_JWT_PID}.attestation",
    ),
    _plain("vci_haip", "simple", _CODE, "wallet_initiated", "mdoc", "immediate", "encrypted", f"{_MDL}.attestation"),
    _plain("vci", "rar", _CODE, "wallet_initiated", "sd_jwt_vc", "immediate", "plain", _SD_JWT_PID),
    _plain("vci", "rar", _CODE, "issuer_initiated by_reference", "mdoc", "deferred", "encrypted", _MDOC_PID),
    _plain(
        "vci",
        "simple",
        _CODE,
        "issuer_initiated by_reference",
        "sd_jwt_vc",
        "immediate",
        "encrypted",
        f"{_SD_JWT_PID}.nobinding",
    ),
    _plain("vci", "simple", _PRE, "issuer_initiated by_value", "sd_jwt_vc", "immediate", "plain", _SD_JWT_PID),
    _plain("vci", "rar", _PRE, "issuer_initiated by_value", "mdoc", "immediate", "plain", f"{_MDOC_PID}.attestation"),
    _plain("vci", "simple", _PRE, "issuer_initiated by_reference", "mdoc", "deferred", "encrypted", _MDL),
)
PLANS: Final[Sequence[tuple[str, Variant]]] = tuple((each.plan, each.variant) for each in _RUNS)


@dataclass(frozen=True)
class _Issuer:
    """What the suite signs with."""

    root: Authority
    keys: dict[str, dict[str, Any]]  # private JWKs with `x5c`, by format, and of the authorization server

    @classmethod
    def make(cls, now: datetime) -> "_Issuer":
        subject = SubjectName("Conformance suite's issuers", "Conformance suite", "NTRDE-CS", "DE")
        root = make_root(subject, key=PrivateKey.generate(), now=now, path_length=0, contact="https://localhost")
        purposes = {"sd_jwt_vc": Purpose.PID, "mdoc": Purpose.MDOC, "server": Purpose.STATUS}
        return cls(root, {name: _signing_jwk(root, name, purpose, now) for name, purpose in purposes.items()})

    @property
    def anchor(self) -> Anchor:
        """Who certifies all of them."""
        return Anchor("suite-root", to_pem(self.root.certificate).decode(), _SIGNED)


def _signing_jwk(root: Authority, name: str, purpose: Purpose, now: datetime) -> dict[str, Any]:
    key = PrivateKey.generate()
    subject = SubjectName("Conformance suite", "Conformance suite", "NTRDE-CS", "DE")
    certificate = make_leaf(root, subject, key=key.public, purpose=purpose, now=now)
    x5c = [base64.b64encode(each).decode() for each in to_der(certificate)]
    return {**key.to_jwk(), "kid": name, "use": "sig", "alg": "ES256", "x5c": x5c}


@dataclass
class _Browser:
    """The person's browser in one module: opens the suite's offer, or begins in the wallet's catalogue."""

    wallet: UnattendedWallet
    run: _Run
    page: str | None = None  # the last one

    async def drive(self, running: Running) -> None:
        """Do once what the module waits for."""
        if self.page is None and (url := await self._address(running)):
            self.page = (await self.wallet.open(url)).text

    async def _address(self, running: Running) -> str | None:
        urls = await running.urls()
        if urls:
            await running.visit(urls[0])
            return f"{urls[0]}&tx_code={TX_CODE}"
        if (
            self.run.variant["vci_authorization_code_flow_variant"] != "wallet_initiated"
            and "oid4vci" in running.module
        ):
            return None
        issuer = (await running.exposed())["credential_issuer"]
        wanted = {"credential_issuer": issuer, "configuration_id": self.run.configuration_id}
        return f"{self.wallet.url}/wallet-initiated?{urlencode(wanted)}"

    def judged(self, outcome: Outcome) -> Outcome:
        """Return the outcome, failed where the wallet did not end as it must: the suite does not see its pages."""
        expected = "wallet-error" if outcome.module in _REFUSED else "issuance-complete"
        if f'id="{expected}"' in (self.page or ""):
            return outcome
        finding = Finding("FAILURE", "the wallet's last page", f"expected {expected}", ())
        return replace(outcome, result="FAILED", findings=(*outcome.findings, finding))


async def run(suite_url: str, *, only: str = "*", report: Callable[[str, Outcome], None]) -> list[tuple[str, Outcome]]:
    """Run all plans; `only` is a glob on the names of modules, `report` is told of each as it ends."""
    issuer, found = _Issuer.make(datetime.now(UTC) - _AGE), []
    issuers = (f"{suite_url}/test/a/{ALIAS}/",)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        suite = await stack.enter_async_context(Suite(suite_url))
        wallet = await stack.enter_async_context(
            unattended_wallet(folder, port=PORT, suite_url=suite_url, anchors=[issuer.anchor], issuers=issuers)
        )
        for each in _RUNS:
            plan, modules = await suite.plan(each.plan, each.variant, _configuration(each, issuer, wallet))
            for module, variant in modules:
                if fnmatch(module, only):
                    browser = _Browser(wallet, each)
                    outcome = browser.judged(await suite.run(plan, module, variant, drive=browser.drive))
                    report(each.label, outcome)
                    found.append((each.label, outcome))
    return found


def _configuration(each: _Run, issuer: _Issuer, wallet: UnattendedWallet) -> dict[str, Any]:
    providers = wallet.root("wallet-provider")
    return {
        "alias": ALIAS,
        "description": "byoid wallet",
        "server": {"jwks": {"keys": [issuer.keys["server"]]}},
        "client": {"client_id": "byoid-wallet", "redirect_uri": f"{wallet.url}/callback"},
        "credential": {"signing_jwk": issuer.keys[each.variant["credential_format"]]},
        "client_attestation": {
            "issuer": wallet.url,
            "trust_anchor": providers,
            "key_attestation_trust_anchor_pem": providers,
        },
        "vci": {
            "credential_offer_endpoint": f"{wallet.url}/credential-offer",
            "credential_configuration_id": each.configuration_id,
        },
        **_SECONDS,
    }
