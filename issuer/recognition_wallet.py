"""People recognised by a credential that their wallet shows, while it is issued another (presentation during issuance).

The library's relying-party flow does the work (OpenID4VP 1.0, 8.2, 13.3). The wallet that asked for a credential opened
this browser, so it is on this device, and only there is it asked: a request that could be carried to another device
would let somebody lure a stranger into signing in for them. The transaction is found again by the `state`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from byoid.claims import ClaimPath, select
from byoid.errors import ClaimMismatch
from byoid.relying_party import Mode, RelyingParty, SessionMismatch, State, TransactionUnknown
from byoid.relying_party.judging import hash_text
from byoid.relying_party.transaction import Transaction, TransactionStore
from issuer.recognition import NotRecognised

POLICY: Final = "sign-in"
PATH: Final = "/recognition"


@dataclass(frozen=True)
class Link:
    """A way to a wallet."""

    name: str
    url: str


class ByState:
    """A store whose transactions are found by the browser session that they belong to: here, by the `state`."""

    def __init__(self, inner: TransactionStore) -> None:
        self._inner = inner
        self.by_request, self.by_id, self.progress = inner.by_request, inner.by_id, inner.progress
        self.conclude, self.decline = inner.conclude, inner.decline
        self.count_failure, self.forget = inner.count_failure, inner.forget

    async def add(self, transaction: Transaction) -> None:
        """Keep a new transaction, in place of one that was begun for the same session before."""
        id_ = transaction.session_hash or transaction.id
        await self._inner.forget(id_, service_id=transaction.service_id)
        await self._inner.add(replace(transaction, id=id_))


class WalletRecognition:
    """A credential that says who somebody is; a `RedirectRecognition`.

    Args:
        name: what the button on the sign-in page says.
        party: asks, under the policy `sign-in`; its store is a `ByState`.
        url: of the page that shows the links.
        claim: where the register's key of the person stands in the credential.
        wallets: https authorization endpoints of web wallets; others are reached by the custom scheme.
    """

    def __init__(
        self, name: str, party: RelyingParty, *, url: str, claim: ClaimPath, wallets: Sequence[str] = ()
    ) -> None:
        self._name = name
        self.party = party
        self._url = url
        self._claim = claim
        self._wallets = wallets

    @property
    def name(self) -> str:
        """What the button on the sign-in page names."""
        return self._name

    async def begin(self, *, state: str, return_uri: str) -> str:
        """Return the URL of our own page with the links to wallets."""
        back = f"{return_uri}?{urlencode({'state': state})}"
        await self.party.begin(POLICY, mode=Mode.SAME_DEVICE, session=state, redirect_uri=back)
        return f"{self._url}?{urlencode({'state': state})}"

    async def links(self, state: str) -> list[Link]:
        """Return the ways to wallets for a sign-in that was begun.

        Raises:
            TransactionUnknown, TransactionOver: it was not begun, has expired, or was answered.
        """
        begun = await self.party.begun(hash_text(state))
        web = [Link(endpoint.partition("://")[2].partition("/")[0], begun.link(endpoint)) for endpoint in self._wallets]
        return [*web, Link("", begun.link())]

    async def finish(self, parameters: Mapping[str, str], *, state: str) -> str:
        """Return the register's key of the person.

        Raises:
            NotRecognised: nothing was shown, or it was not accepted, or the answer belongs to another browser.
        """
        id_ = hash_text(state)
        try:
            found = await self.party.result(id_, session=state, response_code=parameters.get("response_code"))
        except (TransactionUnknown, SessionMismatch) as error:
            raise NotRecognised("no answer of a wallet belongs to this sign-in") from error
        if found.state is not State.ACCEPTED or found.outcome is None:
            raise NotRecognised(f"the wallet has shown nothing that was accepted: {found.state}")
        await self.party.forget(id_)
        return self._person(found.outcome.credentials)

    def _person(self, credentials: Mapping[str, Any]) -> str:
        shown = [credential["claims"] for each in credentials.values() for credential in each]
        try:
            values = [value for claims in shown for value in select(claims, self._claim)]
        except ClaimMismatch as error:
            raise NotRecognised("the credential does not say who this is") from error
        if len(values) != 1 or not isinstance(values[0], str) or not values[0]:
            raise NotRecognised("the credential does not say who this is")
        return values[0]
