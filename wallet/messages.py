"""Which message a citizen sees for an error: ids only, the texts are the pages'.

An id says what the citizen can do about it, not what went wrong inside; several errors share one. The error itself is
for the log.
"""

from typing import Final

from byoid.errors import (
    BadSignature,
    ByoidError,
    ClaimMismatch,
    DigestMismatch,
    Expired,
    HolderBindingError,
    MalformedInput,
    NotYetValid,
    OAuthError,
    PeerError,
    Replayed,
    ResponseRejected,
    Revoked,
    StatusUnavailable,
    Suspended,
    UntrustedIssuer,
    VerificationError,
    WrongType,
)
from byoid.service.rate_limits import TooManyRequests
from wallet.cards import NoUsableCopy
from wallet.contents import ItemChanged, ItemNotFound
from wallet.notices import MailNotOffered
from wallet.refusals import RequestRefused
from wallet.subscriptions import CodeRefused, NoSuchSubscription
from wallet.vault.contract import LastPasskey, NotApproved, NotSignedIn, TooEarly, WalletLocked

UNKNOWN: Final = "error-unknown"

# Of an error of a peer that named its code: what it means to a citizen.
_BY_CODE: Final = {
    "access_denied": "error-peer-denied",
    "credential_request_denied": "error-issuer-denied",
    "invalid_grant": "error-offer-used",
    "invalid_tx_code": "error-transaction-code",
    "invalid_transaction_id": "error-promise-gone",
    "invalid_client": "error-wallet-not-accepted",
    "invalid_client_attestation": "error-wallet-not-accepted",
    "use_fresh_attestation": "error-wallet-not-accepted",
}
_GONE: Final = {404, 410}  # what a link or a code led to is no longer there
# The narrowest class that is named here decides.
_BY_CLASS: Final[dict[str, str]] = {
    "TransactionCodeNeeded": "error-transaction-code-missing",
    "TransactionCodeRefused": "error-transaction-code",
    "IssuerUnavailable": "error-try-again",
    "NoAnswer": "error-no-answer",
    "UnsupportedCredential": "error-not-supported",
    "OutOfTurn": "error-out-of-turn",
    "NotAWalletFile": "error-file",
    "WrongPassphrase": "error-file-password",
    NoUsableCopy.__name__: "error-no-usable-copy",
    ItemNotFound.__name__: "error-not-found",
    ItemChanged.__name__: "error-out-of-turn",
    NotSignedIn.__name__: "error-not-signed-in",
    NotApproved.__name__: "error-not-approved",
    WalletLocked.__name__: "error-locked",
    TooEarly.__name__: "error-too-early",
    LastPasskey.__name__: "error-last-passkey",
    MalformedInput.__name__: "error-malformed",
    UntrustedIssuer.__name__: "error-untrusted",
    BadSignature.__name__: "error-forged",
    DigestMismatch.__name__: "error-forged",
    WrongType.__name__: "error-wrong-type",
    Expired.__name__: "error-expired",
    NotYetValid.__name__: "error-not-yet-valid",
    HolderBindingError.__name__: "error-not-yours",
    ClaimMismatch.__name__: "error-mismatch",
    Replayed.__name__: "error-replayed",
    Revoked.__name__: "error-revoked",
    Suspended.__name__: "error-suspended",
    StatusUnavailable.__name__: "error-status-unavailable",
    VerificationError.__name__: "error-not-trusted",
    ResponseRejected.__name__: "error-not-trusted",
    TooManyRequests.__name__: "error-too-many",
    RequestRefused.__name__: "error-bad-request",
    MailNotOffered.__name__: "error-no-mail",
    NoSuchSubscription.__name__: "error-not-found",
    CodeRefused.__name__: "error-mail-code",
    PeerError.__name__: "error-peer",
    OAuthError.__name__: "error-refused",
    ByoidError.__name__: UNKNOWN,
}
MESSAGE_IDS: Final = frozenset({*_BY_CODE.values(), *_BY_CLASS.values(), "error-gone"})


def message_id(error: Exception) -> str:
    """Return the id of the message for an error."""
    if type(error) is PeerError and error.code in _BY_CODE:
        return _BY_CODE[error.code]
    if type(error) is PeerError and error.status in _GONE:
        return "error-gone"
    names = (cls.__name__ for cls in type(error).__mro__)
    return next((_BY_CLASS[name] for name in names if name in _BY_CLASS), UNKNOWN)
