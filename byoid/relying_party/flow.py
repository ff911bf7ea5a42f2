"""The relying-party flow in one's own process: begin, serve the request, receive the response, read the result.

    party = RelyingParty(Client.x509_hash(signer), "https://shop.example/byoid", policies={"residence": policy})
    begun = await party.begin("residence", mode=Mode.CROSS_DEVICE)      # show begun.link as a QR code
    jwt = await party.request_object(request_id)                         # GET/POST {base}/requests/{request_id}
    answer = await party.receive(request_id, form)                       # POST {base}/responses/{request_id}
    result = await party.result(begun.id)                                # claims and verdicts

OpenID4VP 1.0 5.10, 8.2, 8.3, 8.6, 13.3 (session fixation). Statuses are fetched by what is injected; nothing else here
does I/O. The verifier service is this, with a database, tenants and HTTP.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from byoid.encoding import json_dumps
from byoid.errors import ByoidError, ResponseRejected
from byoid.formats.status_list import StatusList
from byoid.message import parse_message
from byoid.presentation.authentication import Authenticated, PresentationRequest, authenticate
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.request import AuthorizationRequest, WalletMetadata
from byoid.presentation.request_object import encrypt_request_object, prepare_request_object
from byoid.presentation.response import (
    AuthorizationResponse,
    DirectPostAnswer,
    ErrorResponse,
    require_state,
)
from byoid.presentation.status import verify_statuses
from byoid.presentation.verify import VerifiedResponse, accept
from byoid.relying_party.parts import (
    accepted_outcome,
    client_metadata,
    create_sent,
    hash_text,
    open_response,
    random_text,
    reason_of,
    reasons_of,
    response_key,
)
from byoid.relying_party.policy import Client, Policy
from byoid.relying_party.transaction import (
    InMemoryTransactions,
    Mode,
    Outcome,
    State,
    Transaction,
    TransactionStore,
)
from byoid.signing import sign
from byoid.trust.x509 import ChainCache

MAX_FAILURES: Final = 20  # answers that proved nothing, after which a transaction is no longer answerable


class TransactionUnknown(ByoidError):
    """There is no such transaction, or it has expired, or was asked for by somebody else."""


class TransactionOver(ByoidError):
    """The transaction was answered already, or too many worthless answers came."""


class SessionMismatch(ByoidError):
    """The result is asked for in another browser session than the one that started, or without the response code."""


class StatusSource(Protocol):
    """Where status list tokens come from: `byoid.fetch.StatusListCache`, or the caller's own."""

    async def tokens(self, uris: Collection[str], *, now: datetime) -> Mapping[str, bytes | StatusList]:
        """Return, by URI, what could be had: tokens, or lists that were verified before."""
        ...

    def keep(self, statuses: Mapping[str, Any], *, now: datetime) -> None:
        """Remember lists that were verified."""
        ...


class NoStatuses:
    """A source without lists: credentials that have a status are unavailable, which the policy judges."""

    async def tokens(self, uris: Collection[str], *, now: datetime) -> Mapping[str, bytes | StatusList]:
        """Return nothing."""
        return {}

    def keep(self, statuses: Mapping[str, Any], *, now: datetime) -> None:
        """Remember nothing."""


@dataclass(frozen=True)
class Begun:
    """A transaction just made: what the service keeps (`id`), and the link that opens it in a wallet."""

    id: str
    request_id: str
    parameters: Mapping[str, str]

    def link(self, endpoint: str = "openid4vp://") -> str:
        """Return the link for a wallet's authorization endpoint: a custom scheme, or a web wallet's https address."""
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(self.parameters)}"


class RelyingParty:
    """One relying party. `base_url` is where the application serves `requests/` and `responses/`."""

    def __init__(
        self,
        client: Client,
        base_url: str,
        *,
        policies: Mapping[str, Policy],
        store: TransactionStore | None = None,
        statuses: StatusSource | None = None,
        service_id: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache: ChainCache | None = None,
    ) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._policies = policies
        self._store = store or InMemoryTransactions()
        self._statuses = statuses or NoStatuses()
        self._service_id = service_id
        self._clock = clock
        self._cache = cache or ChainCache()

    async def begin(
        self,
        policy_id: str,
        *,
        mode: Mode = Mode.CROSS_DEVICE,
        session: str | None = None,
        redirect_uri: str | None = None,
        request_uri_method: str | None = None,
    ) -> Begun:
        """Make a transaction.

        Args:
            policy_id: what to ask.
            mode: where the wallet is.
            session: what names the person's browser session at the application; needed on the same device, where
                only that session may see the result (13.3).
            redirect_uri: where the wallet sends the person back, on the same device.
            request_uri_method: `post` to let wallets send a nonce and their metadata.

        Raises:
            ValueError: no session or redirect_uri on the same device.
        """
        if mode is Mode.SAME_DEVICE and (session is None or redirect_uri is None):
            raise ValueError("on the same device the browser session and a redirect_uri are needed")
        policy = self._policies[policy_id]
        now = self._clock()
        transaction = Transaction(
            id=random_text(),
            request_id=random_text(),
            service_id=self._service_id,
            policy_id=policy_id,
            mode=mode,
            sent=create_sent(policy, redirect_uri),
            session_hash=None if session is None else hash_text(session),
            created_at=now,
            expires_at=now + policy.lifetime,
        )
        await self._store.add(transaction)
        return Begun(transaction.id, transaction.request_id, self._parameters(transaction, policy, request_uri_method))

    async def request_object(
        self, request_id: str, *, wallet_metadata: WalletMetadata | None = None, wallet_nonce: str | None = None
    ) -> str:
        """Return the signed request, as often as a wallet asks until it is answered (5.10).

        Raises:
            TransactionUnknown: no such transaction.
            TransactionOver: it was answered.
        """
        transaction = await self._open(request_id)
        signer = self._client.signer
        if signer is None:
            raise TransactionUnknown("requests of this client go by value")
        request = self._request(transaction, self._policies[transaction.policy_id])
        unsigned = prepare_request_object(
            request, algorithm=signer.algorithm, issued_at=self._clock(), x5c=signer.x5c,
            attestation=self._client.attestation, wallet_nonce=wallet_nonce,
            audience=(wallet_metadata.issuer if wallet_metadata else None) or "https://self-issued.me/v2",
        )  # fmt: skip
        signed = await sign(unsigned, signer)
        return encrypt_request_object(signed, wallet_metadata) if wallet_metadata else signed

    async def receive(self, request_id: str, form: Mapping[str, str]) -> DirectPostAnswer:
        """Judge a response (8.2, 8.3, 8.6).

        Raises:
            TransactionUnknown: no such transaction.
            TransactionOver: it was answered.
            ResponseRejected, MalformedInput, VerificationError: nothing was believed, or what was believed is not
                good enough. The wallet learns no more than that.
        """
        transaction = await self._open(request_id)
        try:
            response = open_response(transaction, form)
            require_state(response, transaction.sent.state)
        except ByoidError as error:
            await self._store.count_failure(request_id, reason_of(error))
            raise
        if isinstance(response, ErrorResponse):
            await self._conclude(transaction, Outcome(State.DECLINED, reasons=(response.error,)))
            return self._answer(transaction, None)
        return await self._judge(transaction, response)

    async def result(
        self, transaction_id: str, *, session: str | None = None, response_code: str | None = None
    ) -> Transaction:
        """Return the transaction with its outcome, if it has one.

        Raises:
            TransactionUnknown: no such transaction of this service.
            SessionMismatch: asked for in another session, or on the same device without the response code.
        """
        found = await self._store.by_id(transaction_id, service_id=self._service_id, now=self._clock())
        if found is None:
            raise TransactionUnknown("there is no such transaction")
        if found.session_hash is not None and not compare_digest(found.session_hash, hash_text(session or "")):
            raise SessionMismatch("the result belongs to the browser session that started the transaction")
        expected = found.outcome.response_code_hash if found.outcome else None
        if expected is not None and not compare_digest(expected, hash_text(response_code or "")):
            raise SessionMismatch("the result is given for the response code that came back with the person")
        return found

    async def forget(self, transaction_id: str) -> None:
        """Delete a transaction with its result."""
        await self._store.forget(transaction_id, service_id=self._service_id)

    async def _open(self, request_id: str) -> Transaction:
        found = await self._store.by_request(request_id, now=self._clock())
        if found is None or found.service_id != self._service_id:
            raise TransactionUnknown("there is no such request, or it has expired")
        if found.outcome is not None or found.failures >= MAX_FAILURES:
            raise TransactionOver("this request was answered")
        return found

    async def _judge(self, transaction: Transaction, response: AuthorizationResponse) -> DirectPostAnswer:
        policy, now = self._policies[transaction.policy_id], self._clock()
        sent = self._as_sent(transaction)
        try:
            authenticated = authenticate(
                response.vp_token, request=sent, trust=policy.trust_for(sent.dcql_query), now=now, cache=self._cache
            )
        except ResponseRejected as error:
            await self._store.count_failure(transaction.request_id, reason_of(error))
            raise
        if not authenticated.presentations:  # nobody proved anything: a stranger must not end the transaction
            reasons = reasons_of(authenticated)
            await self._store.count_failure(transaction.request_id, "; ".join(reasons))
            raise ResponseRejected("none of the presentations is authentic", discarded=authenticated.discarded)
        try:
            verified = await self._accept(authenticated, sent, policy, now)
        except ResponseRejected as error:
            reasons = tuple(reason_of(each.error) for each in error.discarded) or (reason_of(error),)
            await self._conclude(transaction, Outcome(State.REJECTED, reasons=reasons))
            raise
        code = random_text() if transaction.mode is Mode.SAME_DEVICE else None
        await self._conclude(transaction, accepted_outcome(verified, code))
        return self._answer(transaction, code)

    async def _accept(
        self, authenticated: Authenticated, sent: PresentationRequest, policy: Policy, now: datetime
    ) -> VerifiedResponse:
        tokens = await self._statuses.tokens(authenticated.status_uris, now=now)
        statuses = verify_statuses(
            tokens, authenticated=authenticated, now=now, anchors=policy.status_anchors, cache=self._cache
        )
        self._statuses.keep(statuses, now=now)
        return accept(
            authenticated, request=sent, statuses=statuses, now=now, policy=policy.status,
            same_person=policy.same_person,
        )  # fmt: skip

    async def _conclude(self, transaction: Transaction, outcome: Outcome) -> None:
        if not await self._store.conclude(transaction.request_id, outcome):
            raise TransactionOver("this request was answered")

    def _answer(self, transaction: Transaction, code: str | None) -> DirectPostAnswer:
        uri = transaction.sent.redirect_uri
        if transaction.mode is not Mode.SAME_DEVICE or uri is None:
            return DirectPostAnswer()
        if code is None:
            return DirectPostAnswer(redirect_uri=uri)
        return DirectPostAnswer(redirect_uri=f"{uri}{'&' if '?' in uri else '?'}{urlencode({'response_code': code})}")

    def _response_uri(self, transaction: Transaction) -> str:
        return f"{self._base_url}/responses/{transaction.request_id}"

    def _client_id(self, transaction: Transaction) -> str:
        signed = self._client.signer is not None
        return self._client.client_id if signed else f"redirect_uri:{self._response_uri(transaction)}"

    def _request(self, transaction: Transaction, policy: Policy) -> AuthorizationRequest:
        sent = transaction.sent
        return AuthorizationRequest(
            response_type="vp_token",
            response_mode=policy.response_mode,
            nonce=sent.nonce,
            client_id=self._client_id(transaction),
            state=sent.state,
            dcql_query=parse_message(DcqlQuery, sent.dcql_query),
            response_uri=self._response_uri(transaction),
            client_metadata=client_metadata(sent),
            transaction_data=sent.transaction_data or None,
            verifier_info=tuple(policy.verifier_info) or None,
        )

    def _as_sent(self, transaction: Transaction) -> PresentationRequest:
        sent = transaction.sent
        return PresentationRequest(
            client_id=self._client_id(transaction),
            nonce=sent.nonce,
            dcql_query=parse_message(DcqlQuery, sent.dcql_query),
            response_uri=self._response_uri(transaction),
            encryption_key=response_key(sent),
            transaction_data=sent.transaction_data,
        )

    def _parameters(self, transaction: Transaction, policy: Policy, method: str | None) -> Mapping[str, str]:
        if self._client.signer is None:
            wire = self._request(transaction, policy).to_wire()
            return {name: v if isinstance(v, str) else json_dumps(v).decode() for name, v in wire.items()}
        reference = {
            "client_id": self._client.client_id,
            "request_uri": f"{self._base_url}/requests/{transaction.request_id}",
        }
        return reference if method is None else {**reference, "request_uri_method": method}
