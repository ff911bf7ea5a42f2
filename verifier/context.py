"""Everything that an operation of the verifier may use, made once by `app.py`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from byoid.fetch import StatusListCache
from byoid.relying_party import RelyingParty
from byoid.relying_party.sql import SqlTransactions
from byoid.service.outbox import Outbox
from byoid.service.seal import Sealer
from byoid.trust.anchors import TrustAnchors
from byoid.trust.x509 import ChainCache
from byoid.trusted_lists import FollowedTrust
from verifier.login_keys import LoginKeys
from verifier.login_store import LoginStore
from verifier.policies import SqlPolicies
from verifier.services import KnownService, Services
from verifier.settings import VerifierSettings
from verifier.store import Store

WALLETS = "/w"


@dataclass(frozen=True)
class Verifier:
    """The verifier: all its services over one database."""

    settings: VerifierSettings
    store: Store
    logins: LoginStore
    login_keys: LoginKeys | None
    services: Services
    policies: SqlPolicies
    transactions: SqlTransactions
    sealer: Sealer
    trust: FollowedTrust
    statuses: StatusListCache
    cache: ChainCache
    outbox: Outbox
    clock: Callable[[], datetime]
    _parties: dict[str, tuple[KnownService, RelyingParty]] = field(default_factory=dict)

    @property
    def anchors(self) -> TrustAnchors:
        """Whom the verifier trusts now: its own trust file's, and those of the lists that it follows."""
        return self.trust.anchors

    def party(self, service: KnownService) -> RelyingParty:
        """Return the relying-party flow of a service, as long as nothing else is known of the service."""
        known = self._parties.get(service.id)
        if known is None or known[0] is not service:
            known = self._parties[service.id] = service, self._party(service)
        return known[1]

    def _party(self, service: KnownService) -> RelyingParty:
        return RelyingParty(
            service.client,
            f"{self.settings.public_url}{WALLETS}/{service.id}",
            policies=self.policies,
            store=self.transactions,
            statuses=self.statuses,
            service_id=service.id,
            clock=self.clock,
            cache=self.cache,
        )
