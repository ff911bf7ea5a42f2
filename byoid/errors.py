"""Every error that byoid raises, as one tree.

    ByoidError                          catch-all for library users
    ├── MalformedInput                  cannot be parsed: what was expected and what came
    ├── VerificationError               parsed, but not to be trusted
    │   ├── BadSignature                the signature or MAC does not verify
    │   ├── UntrustedIssuer             no chain to a trusted anchor, or the wrong purpose
    │   ├── WrongType                   another type of token or credential than the one expected
    │   ├── Expired · NotYetValid       outside its period
    │   ├── DigestMismatch              a disclosed value is not the one that was signed
    │   ├── HolderBindingError          wrong nonce, audience or key, or no proof at all
    │   ├── ClaimMismatch               a claim has another value than the verifier expects
    │   ├── Replayed                    a value that may be used once came again
    │   └── StatusError
    │       ├── Revoked · Suspended     the issuer says so
    │       └── StatusUnavailable       nobody can say; never to be read as "valid"
    ├── ResponseRejected                the response as a whole; carries `.discarded`
    ├── OAuthError                      goes to the wire: code, description, status, headers
    └── PeerError                       the other side answered with an error or with nonsense

Which of them a caller handles differently has a class; everything else is a message. No message holds key
material, tokens, codes or claim values. The wire errors are in `byoid.wire_errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final


class ByoidError(Exception):
    """Base of everything that byoid raises on purpose."""


class MalformedInput(ByoidError):
    """The input cannot be parsed. Its sender is at fault; asking again with the same input cannot help."""


class VerificationError(ByoidError):
    """The input was parsed, but must not be trusted. Refuse it; the message is for logs, not for its sender."""


class BadSignature(VerificationError):
    """A signature, MAC or authentication tag does not verify with the expected key and algorithm."""


class UntrustedIssuer(VerificationError):
    """The signer has no chain to an anchor that is trusted for this purpose, or its certificate breaks the profile."""


class WrongType(VerificationError):
    """A token or credential of another type (`typ`, `vct`, doctype, algorithm) than the one expected."""


class Expired(VerificationError):
    """The period of validity is over. An honest holder can get a new one."""


class NotYetValid(VerificationError):
    """The period of validity has not begun, or the token claims to come from the future."""


class DigestMismatch(VerificationError):
    """A disclosed value is not one that the issuer signed."""


class HolderBindingError(VerificationError):
    """The presenter did not prove, for this nonce and audience, that it holds the credential's key."""


class ClaimMismatch(VerificationError):
    """A claim is missing or has another value than the verifier demands (audience, issuer, subject, hash …)."""


class Replayed(VerificationError):
    """A value that may be used once was used before."""


class StatusError(VerificationError):
    """The credential's status forbids its use, or is unknown."""


class Revoked(StatusError):
    """The issuer has revoked the credential for good."""


class Suspended(StatusError):
    """The issuer has suspended the credential; it may become valid again."""


class StatusUnavailable(StatusError):
    """The status could not be established. Never to be read as "valid"; policy decides whether to try again."""


@dataclass(frozen=True, slots=True)
class Discarded:
    """A presentation that was not believed: the credential query that it answered, its place there, and why."""

    query_id: str
    index: int
    error: ByoidError


class ResponseRejected(ByoidError):
    """A response as a whole is refused (OpenID4VP 8.6). `discarded` says what was wrong with its presentations.

    `message` is about the whole; as text, the error tells of the presentations too.
    """

    def __init__(self, message: str, *, discarded: Sequence[Discarded] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.discarded = tuple(discarded)

    def __str__(self) -> str:
        why = (f"{each.query_id}: {type(each.error).__name__}: {each.error}" for each in self.discarded)
        return "; ".join((self.message, *why))


class PeerError(ByoidError):
    """The other side answered with an error, or with something that the protocol does not allow.

    `code` is the error code that it sent, if it sent one; `status` the HTTP status.
    """

    def __init__(self, message: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


_DESCRIPTION_ALPHABET: Final = frozenset(map(chr, range(0x20, 0x7F))) - {'"', "\\"}


class OAuthError(ByoidError):
    """An error of a protocol endpoint, with the two texts that it has.

    `description` goes to the wire (RFC 6749 5.2: printable ASCII without quotes and backslashes, checked here so that a
    test finds a slip); `detail` goes to the log only. Subclasses fix `code` and `status`.
    """

    code: ClassVar[str] = "server_error"
    status: ClassVar[int] = 400

    def __init__(
        self, description: str, *, detail: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if not _DESCRIPTION_ALPHABET.issuperset(description):
            raise ValueError(f"an error description must be printable ASCII without quotes, got {description!r}")
        super().__init__(f"{self.code}: {description}")
        self.description = description
        self.detail = detail
        self.headers = dict(headers or {})
