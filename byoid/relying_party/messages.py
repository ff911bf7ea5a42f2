"""The messages of the verifier's HTTP API for services, which the service and the client in `client` share.

What a service sends is read strictly: a member that nobody knows is refused, since it would be a wish that is not
granted. What the verifier answers may grow, so a client ignores what it does not know.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from byoid.message import Array, Message, NonEmptyArray
from byoid.relying_party.transaction import Mode, State

QueryName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Secret: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[!-~]{16,256}$")]
HttpsUrl: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=2048)]
Origin: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\[\]:-]+$", max_length=300)]
Endpoint: TypeAlias = Annotated[
    str,
    StringConstraints(pattern=r"^(https|openid4vp|haip-vp|eudi-openid4vp|mdoc-openid4vp)://[!-~]*$", max_length=500),
]
MONTH_SECONDS = 30 * 86400
DEFAULT_ENDPOINT = "openid4vp://"


class Wish(Message):
    """Something that a service sends."""

    model_config = ConfigDict(extra="forbid")


class TrustRule(Wish):
    """Whose signature counts for a credential query: signers of named lists, or pinned certificates (PEM)."""

    lists: Array[str] = ()
    pinned: Array[str] = ()
    purposes: Array[Literal["pid", "attestation", "mdoc"]] = ()


class StatusRule(Wish):
    """What to do where a status cannot be had, by credential query."""

    accept_unavailable: Array[str] = ()
    require: Array[str] = ()


class SamePersonRule(Wish):
    """A rule by which credentials belong to one person: one holder key, or claims that say the same."""

    holder_key: Array[str] | None = None
    claims: Array[dict[str, NonEmptyArray[str | int | None]]] | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.holder_key is None) == (self.claims is None):
            raise ValueError("exactly one of holder_key and claims is needed")
        return self


class QueryDefinition(Wish):
    """A named query: what is asked, and how the answer is judged and kept.

    `trust` is by credential query id; `*` stands for those that it does not name. Where an answer may hold several
    credentials, `same_person` must be said: the rules that they belong to one person, or `[]` if they need not.
    """

    dcql_query: dict[str, Any]
    trust: Annotated[dict[str, TrustRule], Field(min_length=1)]
    status: StatusRule = StatusRule()
    same_person: Array[SamePersonRule] | None = None
    transaction_data: Array[dict[str, Any]] = ()
    encrypted: bool = True
    lifetime_seconds: Annotated[int, Field(ge=5, le=3600)] = 600
    retention_seconds: Annotated[int, Field(ge=60, le=MONTH_SECONDS)] = 3600
    delete_on_read: bool = False


class QueryView(Message):
    """A named query as it is kept."""

    name: str
    definition: dict[str, Any]
    created_at: Annotated[datetime, Field(strict=False)]


class QueryList(Message):
    """The named queries of a service."""

    queries: Array[QueryView]


class StartTransaction(Wish):
    """A wish for a transaction.

    `session` names the person's browser session at the service; the result is then given to that session only.
    `redirect_uri` is where the wallet sends the person back on the same device. `origin` is that of the page that calls
    the Digital Credentials API.
    """

    query: QueryName
    mode: Annotated[Mode, Field(strict=False)] = Mode.CROSS_DEVICE
    session: Secret | None = None
    redirect_uri: HttpsUrl | None = None
    request_uri_method: Literal["get", "post"] | None = None
    origin: Origin | None = None
    endpoint: Endpoint = DEFAULT_ENDPOINT
    transaction_data: Array[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _require_whole(self) -> Self:
        if self.mode is Mode.SAME_DEVICE and (self.session is None or self.redirect_uri is None):
            raise ValueError("on the same device session and redirect_uri are needed")
        if self.mode is not Mode.SAME_DEVICE and self.redirect_uri is not None:
            raise ValueError("redirect_uri is for mode same_device alone: no other person is sent back")
        if (self.mode is Mode.DC_API) != (self.origin is not None):
            raise ValueError("origin is needed over the Digital Credentials API, and nowhere else")
        return self


class WalletLink(Message):
    """A web wallet that the operator lists, and the link that opens this request in it.

    `logo` is a picture in itself (`data:`), or its https address.
    """

    name: str
    link: str
    logo: str | None = None


class StartedTransaction(Message):
    """A transaction that waits for a wallet.

    `link` opens it in an installed wallet, `wallets` in a web wallet; `digital` is for `navigator.credentials.get`.
    """

    id: str
    state: Annotated[State, Field(strict=False)]
    expires_at: Annotated[datetime, Field(strict=False)]
    link: str | None = None
    wallets: Array[WalletLink] = ()
    digital: dict[str, Any] | None = None


class TransactionView(Message):
    """How far a transaction has come. `last_failure` says why the last worthless answer was refused."""

    id: str
    query: str
    mode: Annotated[Mode, Field(strict=False)]
    state: Annotated[State, Field(strict=False)]
    failures: int
    last_failure: str | None = None
    declined_with: str | None = None
    created_at: Annotated[datetime, Field(strict=False)]
    expires_at: Annotated[datetime, Field(strict=False)]


class CredentialView(Message):
    """A credential that was accepted: claims and verdicts, nothing else (ARF OIA_16)."""

    format: str
    type: str
    issuer: str
    claims: dict[str, Any] = Field(repr=False)
    holder_bound: bool
    status: str


class ResultView(Message):
    """What came of a transaction: accepted credentials by credential query, or the reasons."""

    id: str
    query: str
    state: Annotated[State, Field(strict=False)]
    credentials: dict[str, Array[CredentialView]] = Field(default_factory=dict, repr=False)
    reasons: Array[str] = ()
    expires_at: Annotated[datetime, Field(strict=False)]


class DigitalResponse(Wish):
    """The credential that the browser gave over the Digital Credentials API, handed on by the service."""

    data: dict[str, Any] = Field(repr=False)
    protocol: str | None = None
    session: Secret | None = None


class ErrorAnswer(Message):
    """What every error looks like."""

    error: str
    error_description: str | None = None
