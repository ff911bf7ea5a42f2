"""The relying-party flow in one's own process: begin, serve the request, receive the response, read the result.

    party = RelyingParty(Client.x509_hash(signer), "https://shop.example/byoid", policies={"residence": policy})
    begun = await party.begin("residence", mode=Mode.CROSS_DEVICE)      # show begun.link() as a QR code
    jwt = await party.request_object(request_id)                         # GET/POST {base}/requests/{request_id}
    answer = await party.receive(request_id, form)                       # POST {base}/responses/{request_id}
    result = await party.result(begun.id)                                # claims and verdicts

OpenID4VP 1.0 5.10, 8.2, 8.3, 8.6, 13.3 (session fixation). Statuses are fetched by what is injected; nothing else here
does I/O. The verifier service is this, with a database, tenants and HTTP.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import urlencode

from byoid.errors import ByoidError, ResponseRejected
from byoid.presentation.authentication import Authenticated, PresentationRequest, authenticate
from byoid.presentation.request import AuthorizationRequest, WalletMetadata, parse_json_parameter
from byoid.presentation.response import DirectPostAnswer, ErrorResponse, Response, require_state
from byoid.presentation.status import verify_statuses
from byoid.presentation.verify import VerifiedResponse, accept
from byoid.relying_party.asking import (
    Addresses,
    Wish,
    authorization_request,
    by_reference,
    by_value,
    create_sent,
    digital_request,
    presentation_request,
    random_name,
    random_secret,
    signed_request,
)
from byoid.relying_party.errors import SessionMismatch, TooManyFailures, TransactionOver, TransactionUnknown
from byoid.relying_party.judging import (
    accepted_outcome,
    answered_request,
    hash_text,
    open_digital,
    open_form,
    reason_of,
    reasons_of,
)
from byoid.relying_party.memory import InMemoryTransactions
from byoid.relying_party.policy import Client, FixedPolicies, Policies, Policy
from byoid.relying_party.statuses import NoStatuses, StatusSource
from byoid.relying_party.transaction import Mode, Outcome, Progress, Sent, State, Transaction, TransactionStore
from byoid.service.loopback import is_https
from byoid.trust.x509 import ChainCache

_logger = logging.getLogger(__name__)
FREE_FAILURES: Final = 20  # answers that proved nothing, before they must come no faster than one in FAILURE_PAUSE
FAILURE_PAUSE: Final = timedelta(seconds=1)


@dataclass(frozen=True)
class Begun:
    """A transaction just made: what the service keeps (`id`), and what opens it in a wallet.

    `digital` is for `navigator.credentials.get` where the mode is DC_API; otherwise `parameters` make links.
    """

    id: str
    request_id: str
    expires_at: datetime
    parameters: Mapping[str, str]
    digital: Mapping[str, Any] | None = None

    def link(self, endpoint: str = "openid4vp://") -> str:
        """Return the link for a wallet's authorization endpoint: a custom scheme, or a web wallet's https address."""
        return link(self.parameters, endpoint)


def link(parameters: Mapping[str, str], endpoint: str = "openid4vp://") -> str:
    """Return the link that hands request parameters to a wallet's authorization endpoint."""
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}"


class RelyingParty:
    """One relying party. `base_url` is where the application serves `requests/` and `responses/`."""

    def __init__(
        self,
        client: Client,
        base_url: str,
        *,
        policies: Mapping[str, Policy] | Policies,
        store: TransactionStore | None = None,
        statuses: StatusSource | None = None,
        service_id: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache: ChainCache | None = None,
    ) -> None:
        if not is_https(base_url, loopback_http=True):
            raise ValueError(f"expected an https base_url (http is only for this machine), got {base_url}")
        self._client = client
        self._addresses = Addresses(base_url.rstrip("/"), fixed=client.has_fixed_response_uri)
        self._policies = FixedPolicies(policies) if isinstance(policies, Mapping) else policies
        self._store = store or InMemoryTransactions()
        self._statuses = statuses or NoStatuses()
        self._service_id = service_id
        self._clock = clock
        self._cache = ChainCache() if cache is None else cache  # an empty cache is falsy

    async def begin(
        self,
        policy_id: str,
        *,
        mode: Mode = Mode.CROSS_DEVICE,
        session: str | None = None,
        redirect_uri: str | None = None,
        request_uri_method: str | None = None,
        origin: str | None = None,
        transaction_data: Sequence[Mapping[str, Any]] | None = None,
    ) -> Begun:
        """Make a transaction.

        Args:
            policy_id: what to ask.
            mode: where the wallet is.
            session: what names the person's browser session at the application; needed on the same device, where
                only that session may see the result (13.3).
            redirect_uri: where the wallet sends the person back, on the same device.
            request_uri_method: `post` to let wallets send a nonce and their metadata.
            origin: of the page that calls the Digital Credentials API.
            transaction_data: what the person is to authorise, in place of the policy's.

        Raises:
            TransactionUnknown: no such policy.
            ValueError: no session or redirect_uri on the same device, a redirect_uri elsewhere, no origin for the
                Digital Credentials API.
        """
        wish = Wish(mode, session, redirect_uri, request_uri_method, origin, transaction_data)
        wish.require_whole()
        policy, now, request_id = await self._policy(policy_id), self._clock(), random_name()
        response_uri = self._addresses.response(request_id)
        sent = create_sent(self._client, policy, wish, request_id=request_id, response_uri=response_uri)
        transaction = Transaction(
            id=random_name(),
            request_id=request_id,
            service_id=self._service_id,
            policy_id=policy_id,
            mode=mode,
            sent=sent,
            session_hash=None if session is None else hash_text(session),
            created_at=now,
            expires_at=now + policy.lifetime,
        )
        await self._store.add(transaction)
        return await self._begun(transaction, sent, policy)

    async def begun(self, transaction_id: str) -> Begun:
        """Return once more what `begin` returned, as long as the transaction may be answered.

        Raises:
            TransactionUnknown: no such transaction of this service.
            TransactionOver: it was answered.
        """
        transaction = await self._mine(transaction_id)
        sent = _require_open(transaction)
        return await self._begun(transaction, sent, await self._policy(transaction.policy_id))

    async def request_object(self, request_id: str, form: Mapping[str, str] | None = None) -> str:
        """Return the signed request, as often as a wallet asks until it is answered (5.10).

        Args:
            request_id: what the request URI names.
            form: of a POST request: `wallet_nonce` and `wallet_metadata`.

        Raises:
            TransactionUnknown: no such transaction.
            TransactionOver: it was answered.
            MalformedInput, InvalidRequest: of the form.
        """
        form = form or {}
        metadata = parse_json_parameter(WalletMetadata, form, "wallet_metadata")
        transaction = await self._theirs(request_id)
        sent = _require_open(transaction)
        signer = self._client.signer
        if signer is None or sent.origin is not None:
            raise TransactionUnknown("this request is not fetched")
        request = self._request(transaction, sent, await self._policy(transaction.policy_id))
        return await signed_request(
            request, self._client, signer, now=self._clock(), wallet_metadata=metadata,
            wallet_nonce=form.get("wallet_nonce"),
        )  # fmt: skip

    async def receive(self, request_id: str | None, form: Mapping[str, str]) -> DirectPostAnswer:
        """Judge a response that a wallet posted (8.2, 8.3, 8.6).

        Args:
            request_id: what the response URI names; None at the one that all requests of a client share whom wallets
                know by registration or attestation.
            form: what was posted.

        Raises:
            TransactionUnknown: no such transaction.
            TransactionOver: it was answered.
            TooManyFailures: worthless answers come too fast.
            ResponseRejected, MalformedInput, VerificationError: nothing was believed, or what was believed is not
                good enough. The wallet learns no more than that.
        """
        transaction = await self._theirs(request_id or answered_request(self._client, form))
        sent = self._require_answerable(transaction)
        try:
            if sent.origin is not None:
                raise ResponseRejected("this request is answered over the Digital Credentials API")
            response = open_form(self._client, sent, form)
            require_state(response, sent.state)
        except ByoidError as error:
            await self._fail(transaction, reason_of(error))
            raise
        return await self._take(transaction, sent, response)

    async def receive_digital(
        self, transaction_id: str, data: Mapping[str, Any], *, session: str | None = None
    ) -> DirectPostAnswer:
        """Judge a response that the page got over the Digital Credentials API and its service handed on.

        Args:
            transaction_id: the service's name for the transaction.
            data: the `data` of the credential that the browser gave.
            session: of the browser that handed it to the service, if the transaction has one.

        Raises:
            SessionMismatch: another session than the one that started.
            TransactionUnknown, TransactionOver, TooManyFailures, ResponseRejected, MalformedInput, VerificationError:
                as of `receive`.
        """
        transaction = await self._mine(transaction_id)
        sent = self._require_answerable(transaction)
        _require_session(transaction, session)
        try:
            if sent.origin is None:
                raise ResponseRejected("this request is not answered over the Digital Credentials API")
            response = open_digital(self._client, sent, data)
        except ByoidError as error:
            await self._fail(transaction, reason_of(error))
            raise
        return await self._take(transaction, sent, response)

    async def progress(self, transaction_id: str) -> Progress:
        """Tell how far a transaction has come.

        Raises:
            TransactionUnknown: no such transaction of this service.
        """
        found = await self._store.progress(transaction_id, service_id=self._service_id, now=self._clock())
        if found is None:
            raise TransactionUnknown("there is no such transaction")
        return found

    async def result(
        self, transaction_id: str, *, session: str | None = None, response_code: str | None = None
    ) -> Transaction:
        """Return the transaction with its outcome, if it has one; deletes it if its policy says so.

        Raises:
            TransactionUnknown: no such transaction of this service.
            SessionMismatch: asked for in another session, or on the same device without the response code.
        """
        found = await self._mine(transaction_id)
        _require_session(found, session)
        if found.outcome is None:
            return found
        expected = found.outcome.response_code_hash
        if expected is not None and not compare_digest(expected, hash_text(response_code or "")):
            raise SessionMismatch("the result is given for the response code that came back with the person")
        policy = await self._policies.policy(found.policy_id)
        if policy is not None and policy.delete_on_read and not await self.forget(found.id):
            raise TransactionUnknown("the result was read already")
        return found

    async def forget(self, transaction_id: str) -> bool:
        """Delete a transaction with its result. False if it was gone."""
        return await self._store.forget(transaction_id, service_id=self._service_id)

    async def _policy(self, policy_id: str) -> Policy:
        found = await self._policies.policy(policy_id)
        if found is None:
            raise TransactionUnknown("there is no such policy")
        return found

    async def _mine(self, transaction_id: str) -> Transaction:
        found = await self._store.by_id(transaction_id, service_id=self._service_id, now=self._clock())
        if found is None:
            raise TransactionUnknown("there is no such transaction")
        return found

    async def _theirs(self, request_id: str) -> Transaction:
        found = await self._store.by_request(request_id, now=self._clock())
        if found is None or found.service_id != self._service_id:
            raise TransactionUnknown("there is no such request, or it has expired")
        return found

    def _require_answerable(self, transaction: Transaction) -> Sent:
        sent = _require_open(transaction)
        allowed = FREE_FAILURES + (self._clock() - transaction.created_at) // FAILURE_PAUSE
        if transaction.failures >= allowed:
            raise TooManyFailures("worthless answers to this request come too fast")
        return sent

    async def _take(self, transaction: Transaction, sent: Sent, response: Response) -> DirectPostAnswer:
        if isinstance(response, ErrorResponse):
            _logger.info("transaction %s: the wallet declined: %s", transaction.id, response.error)
            await self._store.decline(transaction, response.error, now=self._clock())
            return DirectPostAnswer(redirect_uri=_back(transaction, sent, None))
        policy, now = await self._policy(transaction.policy_id), self._clock()
        request = presentation_request(transaction, sent, client=self._client, policy=policy, addresses=self._addresses)
        try:
            authenticated = authenticate(
                response.vp_token, request=request, trust=policy.trust_for(request.dcql_query), now=now,
                cache=self._cache,
            )  # fmt: skip
            if not authenticated.presentations:  # nobody proved anything: a stranger must not end the transaction
                raise ResponseRejected("no presentation is authentic", discarded=authenticated.discarded)
        except ResponseRejected as error:
            await self._fail(transaction, "; ".join(_reasons(error)))
            raise
        try:
            verified = await self._accept(authenticated, request, policy, now)
        except ResponseRejected as error:
            await self._conclude(transaction, policy, Outcome(State.REJECTED, reasons=_reasons(error)))
            raise
        code = random_secret() if transaction.mode is Mode.SAME_DEVICE else None
        await self._conclude(transaction, policy, accepted_outcome(verified, request.dcql_query, code))
        return DirectPostAnswer(redirect_uri=_back(transaction, sent, code))

    async def _accept(
        self, authenticated: Authenticated, request: PresentationRequest, policy: Policy, now: datetime
    ) -> VerifiedResponse:
        tokens = await self._statuses.tokens(authenticated.status_uris, now=now)
        statuses = verify_statuses(
            tokens, authenticated=authenticated, now=now, anchors=policy.status_anchors, cache=self._cache
        )
        self._statuses.keep(statuses, now=now)
        return accept(
            authenticated, request=request, statuses=statuses, now=now, policy=policy.status,
            same_person=policy.same_person or (),
        )  # fmt: skip

    async def _fail(self, transaction: Transaction, reason: str) -> None:
        _logger.info("transaction %s: an answer proved nothing: %s", transaction.id, reason)
        await self._store.count_failure(transaction, reason)

    async def _conclude(self, transaction: Transaction, policy: Policy, outcome: Outcome) -> None:
        now = self._clock()
        concluded = replace(transaction, sent=None, outcome=outcome, expires_at=now + policy.retention)
        if not await self._store.conclude(concluded, now=now):
            raise TransactionOver("this request was answered")
        _logger.info("transaction %s: %s %s", transaction.id, outcome.state, "; ".join(outcome.reasons))

    async def _begun(self, transaction: Transaction, sent: Sent, policy: Policy) -> Begun:
        if transaction.mode is Mode.DC_API:
            request = self._request(transaction, sent, policy)
            digital = await digital_request(request, self._client, now=self._clock())
            return Begun(transaction.id, transaction.request_id, transaction.expires_at, {}, digital)
        if self._client.signer is None:
            parameters = by_value(self._request(transaction, sent, policy))
        else:
            parameters = by_reference(sent, self._addresses.request(transaction.request_id))
        return Begun(transaction.id, transaction.request_id, transaction.expires_at, parameters)

    def _request(self, transaction: Transaction, sent: Sent, policy: Policy) -> AuthorizationRequest:
        return authorization_request(transaction, sent, client=self._client, policy=policy, addresses=self._addresses)


def _require_open(transaction: Transaction) -> Sent:
    if transaction.outcome is not None or transaction.sent is None:
        raise TransactionOver("this request was answered")
    return transaction.sent


def _require_session(transaction: Transaction, session: str | None) -> None:
    expected = transaction.session_hash
    if expected is not None and not compare_digest(expected, hash_text(session or "")):
        raise SessionMismatch("the result belongs to the browser session that started the transaction")


def _reasons(error: ResponseRejected) -> tuple[str, ...]:
    """Return why a response was refused: the response as a whole, and each presentation that was discarded."""
    return (f"{type(error).__name__}: {error.message}", *reasons_of(error.discarded))


def _back(transaction: Transaction, sent: Sent, code: str | None) -> str | None:
    """Return where the wallet sends the person: on the same device only, with the code that proves the way (13.3)."""
    uri = sent.redirect_uri
    if transaction.mode is not Mode.SAME_DEVICE or uri is None or code is None:
        return uri if transaction.mode is Mode.SAME_DEVICE else None
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'response_code': code})}"
