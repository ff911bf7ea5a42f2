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


# A line is a run: the values of the plan's variants, and the suite's credential configuration.
_HAIP_VARIANTS: Final = ("credential_format", "vci_authorization_code_flow_variant", "vci_credential_offer_variant")
_HAIP_RUNS: Final = """
    sd_jwt_vc  wallet_initiated  by_value      eu.europa.ec.eudi.pid.1
    sd_jwt_vc  issuer_initiated  by_value      eu.europa.ec.eudi.pid.1.jwt.keyattest
    sd_jwt_vc  issuer_initiated  by_reference  eu.europa.ec.eudi.pid.1.attestation.keyattest
    mdoc       wallet_initiated  by_value      org.iso.18013.5.1.mDL
    mdoc       issuer_initiated  by_value      eu.europa.ec.eudi.pid.mdoc.1.jwt.keyattest
    mdoc       issuer_initiated  by_reference  eu.europa.ec.eudi.pid.mdoc.1
"""
_PLAIN_VARIANTS: Final = (
    "fapi_profile", "client_auth_type", "authorization_request_type", "vci_grant_type", "credential_format",
    "vci_credential_issuance_mode", "vci_credential_encryption", "vci_authorization_code_flow_variant",
    "vci_credential_offer_variant",
)  # fmt: skip
# Not run: "simple pre_authorization_code" with another credential than the PID as SD-JWT VC. The suite names that
# one in its token whatever was offered, and the wallet takes no token that does not reach what was approved (6.2, 8.2).
# Skipped: batches with `.jwt.keyattest`, where one proof attests all keys (HAIP 4.5.1) and the suite gives one
# credential all the same (F.1: it should give one for each key); with `.nobinding`, where there is no key.
_ALWAYS: Final = {"sender_constrain": "dpop", "fapi_request_method": "unsigned"}
_PLAIN_RUNS: Final = """
    vci_haip client_attestation simple authorization_code     sd_jwt_vc deferred  encrypted issuer_initiated by_value     eu.europa.ec.eudi.pid.1.attestation
    vci_haip client_attestation simple authorization_code     mdoc      immediate encrypted wallet_initiated by_value     org.iso.18013.5.1.mDL.attestation
    vci      client_attestation rar    authorization_code     sd_jwt_vc immediate plain     wallet_initiated by_value     eu.europa.ec.eudi.pid.1
    vci      client_attestation rar    authorization_code     mdoc      deferred  encrypted issuer_initiated by_reference eu.europa.ec.eudi.pid.mdoc.1
    vci      client_attestation simple authorization_code     sd_jwt_vc immediate encrypted issuer_initiated by_reference eu.europa.ec.eudi.pid.1.nobinding
    vci      client_attestation simple pre_authorization_code sd_jwt_vc immediate plain     issuer_initiated by_value     eu.europa.ec.eudi.pid.1
    vci      client_attestation rar    pre_authorization_code mdoc      immediate plain     issuer_initiated by_value     eu.europa.ec.eudi.pid.mdoc.1.attestation
    vci      client_attestation rar    pre_authorization_code mdoc      deferred  encrypted issuer_initiated by_reference org.iso.18013.5.1.mDL
    vci      private_key_jwt    simple authorization_code     sd_jwt_vc immediate plain     wallet_initiated by_value     eu.europa.ec.eudi.pid.1
    vci      private_key_jwt    rar    pre_authorization_code sd_jwt_vc deferred  plain     issuer_initiated by_reference eu.europa.ec.eudi.pid.1
    vci_haip private_key_jwt    simple authorization_code     mdoc      immediate encrypted issuer_initiated by_value     eu.europa.ec.eudi.pid.mdoc.1
"""  # noqa: E501 (a table)


def _runs(plan: str, names: Sequence[str], table: str, always: Variant) -> list[_Run]:
    lines = [line.split() for line in table.strip().splitlines()]
    return [_Run(plan, {**dict(zip(names, line[:-1], strict=True)), **always}, line[-1]) for line in lines]


_RUNS: Final = (
    *_runs(_HAIP, _HAIP_VARIANTS, _HAIP_RUNS, {}),
    *_runs(_PLAIN, _PLAIN_VARIANTS, _PLAIN_RUNS, _ALWAYS),
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
        "client": {
            "client_id": "byoid-wallet",
            "redirect_uri": f"{wallet.url}/callback",
            "jwks": {"keys": [wallet.client_jwk]},
        },
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
