"""Our wallet receives from the suite's issuer: OpenID4VCI 1.0 and HAIP 1.0 4, by the suite's plans for wallets.

The suite's issuer is known to the wallet as its operator makes an issuer known: a certificate authority in the trust
file, and its identifier among `WALLET_ISSUERS`. A browser opens the suite's offer at the wallet, or the wallet's
catalogue; the person in it agrees (wallet_service.py).
"""

import base64
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import Authority, SubjectName, make_leaf, make_root, to_der, to_pem
from conformance.suite import Outcome, Running, Suite, Variant
from conformance.wallet_service import Anchor, UnattendedWallet, unattended_wallet

ALIAS: Final = "byoid-wallet-vci"
PORT: Final = 9461
TX_CODE: Final = "123456"  # the suite's only one
_HAIP: Final = "oid4vci-1_0-wallet-haip-test-plan"
_PLAIN: Final = "oid4vci-1_0-wallet-test-plan"
_SECONDS: Final = {"waitTimeoutSeconds": 3, "maxWaitForAdditionalRequestSeconds": 2, "maxWaitForNotificationSeconds": 4}
_SIGNED: Final = (Purpose.PID, Purpose.ATTESTATION, Purpose.MDOC, Purpose.STATUS, Purpose.ISSUER_METADATA)


@dataclass(frozen=True)
class _Run:
    """A plan in a variant; the configuration is what the issuer offers, the suite's default if None."""

    plan: str
    variant: Variant
    configuration_id: str | None = None

    @property
    def label(self) -> str:
        """What it is called in results."""
        return " ".join(
            [self.plan, *self.variant.values(), *([self.configuration_id] if self.configuration_id else [])]
        )


def _haip(format_: str, flow: str, offer: str, configuration_id: str | None = None) -> _Run:
    variant = {
        "credential_format": format_, "vci_authorization_code_flow_variant": flow, "vci_credential_offer_variant": offer,
    }  # fmt: skip
    return _Run(_HAIP, variant, configuration_id)


_RUNS: Final = (
    _haip("sd_jwt_vc", "wallet_initiated", "by_value"),
    _haip("sd_jwt_vc", "issuer_initiated", "by_value", "eu.europa.ec.eudi.pid.1.jwt.keyattest"),
    _haip("sd_jwt_vc", "issuer_initiated", "by_reference", "eu.europa.ec.eudi.pid.1.attestation.keyattest"),
    _haip("mdoc", "wallet_initiated", "by_value", "org.iso.18013.5.1.mDL"),
    _haip("mdoc", "issuer_initiated", "by_value", "eu.europa.ec.eudi.pid.mdoc.1.jwt.keyattest"),
    _haip("mdoc", "issuer_initiated", "by_reference"),
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
class _Driver:
    """The browser of the person: opens what the suite wants opened, or begins at the wallet."""

    wallet: UnattendedWallet
    begun: set[str] = field(default_factory=set)

    async def __call__(self, running: Running) -> None:
        """Do once what the module waits for."""
        if running.id in self.begun:
            return
        if url := await self._address(running):
            self.begun.add(running.id)
            await self.wallet.open(url)

    async def _address(self, running: Running) -> str | None:
        flow = running.variant.get("vci_authorization_code_flow_variant", "wallet_initiated")
        if flow != "wallet_initiated":
            urls = await running.urls()
            for url in urls:
                await running.visit(url)
            return f"{urls[0]}&tx_code={TX_CODE}" if urls else None
        exposed = await running.exposed()
        wanted = {
            "credential_issuer": exposed["credential_issuer"],
            "configuration_id": exposed.get("credential_configuration_id_hint", "eu.europa.ec.eudi.pid.1"),
        }
        query = "&".join(f"{name}={value}" for name, value in wanted.items())
        return f"{self.wallet.url}/wallet-initiated?{query}"


async def run(suite_url: str, *, only: str = "*", report: Callable[[str, Outcome], None]) -> list[tuple[str, Outcome]]:
    """Run all plans; `only` is a glob on the names of modules, `report` is told of each as it ends."""
    issuer, found = _Issuer.make(datetime.now(UTC)), []
    identifier = f"{suite_url}/test/a/{ALIAS}/"
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Suite(suite_url) as suite,
            unattended_wallet(
                Path(folder), port=PORT, suite_url=suite_url, anchors=[issuer.anchor], issuers=(identifier,)
            ) as wallet,
        ):
            for each in _RUNS:
                plan, modules = await suite.plan(each.plan, each.variant, _configuration(each, issuer, wallet))
                for module, variant in modules:
                    if fnmatch(module, only):
                        outcome = await suite.run(plan, module, {**variant}, drive=_Driver(wallet))
                        report(each.label, outcome)
                        found.append((each.label, outcome))
    return found


def _configuration(each: _Run, issuer: _Issuer, wallet: UnattendedWallet) -> dict[str, Any]:
    providers = wallet.root("wallet-provider")
    chosen = {"credential_configuration_id": each.configuration_id} if each.configuration_id else {}
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
        "vci": {"credential_offer_endpoint": f"{wallet.url}/credential-offer", **chosen},
        **_SECONDS,
    }
