"""What the verifier's HTTP answers call things that go wrong, and how the library's errors become them.

To a wallet a refused response is a refused response: what exactly was wrong is for the log and for the service.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from byoid.errors import MalformedInput, OAuthError, ResponseRejected, VerificationError
from byoid.relying_party import SessionMismatch, TooManyFailures, TransactionOver, TransactionUnknown
from byoid.wire_errors import InvalidRequest


class NotFound(OAuthError):
    """There is no such thing, for this caller."""

    code = "not_found"
    status = 404


class Unauthorized(OAuthError):
    """No API key, or one that is unknown or was revoked."""

    code = "unauthorized"
    status = 401

    def __init__(self, description: str) -> None:
        super().__init__(description, headers={"WWW-Authenticate": "Bearer"})


class AlreadyAnswered(OAuthError):
    """The transaction was answered already."""

    code = "already_answered"
    status = 409


class WrongSession(OAuthError):
    """The result belongs to another browser session."""

    code = "wrong_session"
    status = 403


class SlowDown(OAuthError):
    """Too many worthless answers to this request. Try again a little later."""

    code = "temporarily_unavailable"
    status = 429


class NotRegistered(OAuthError):
    """The query asks for more than the service is registered for."""

    code = "not_registered"
    status = 403


class LoginRequired(OAuthError):
    """Nobody may be asked, and nobody is known without (OpenID Connect Core 1.0 3.1.2.6)."""

    code = "login_required"


class RegistrationNotSupported(OAuthError):
    """The provider does not take the `registration` parameter (OpenID Connect Core 1.0 3.1.2.6)."""

    code = "registration_not_supported"


class UnmetAuthenticationRequirements(OAuthError):
    """The person who answered is not the one, or not as well known, as was demanded (OpenID Connect Core 1.0 5.5.1)."""

    code = "unmet_authentication_requirements"


class InvalidAccessToken(OAuthError):
    """The access token is missing, unknown, expired or revoked (RFC 6750 3.1)."""

    code = "invalid_token"
    status = 401

    def __init__(self, description: str, *, named: bool = True) -> None:
        challenge = f'Bearer error="{self.code}", error_description="{description}"' if named else "Bearer"
        super().__init__(description, headers={"WWW-Authenticate": challenge})


@contextmanager
def told_to_wallets() -> Iterator[None]:
    """Name the library's errors as wallets may know them."""
    with told_to_services():
        try:
            yield
        except (ResponseRejected, VerificationError, MalformedInput) as error:
            raise InvalidRequest("The response was refused.", detail=str(error)) from error


@contextmanager
def told_to_services() -> Iterator[None]:
    """Name the library's errors as services may know them."""
    try:
        yield
    except TransactionUnknown as error:
        raise NotFound("There is no such transaction, or it has expired.") from error
    except TransactionOver as error:
        raise AlreadyAnswered("This transaction was answered.") from error
    except TooManyFailures as error:
        raise SlowDown("Too many worthless answers.", headers={"Retry-After": "1"}) from error
    except SessionMismatch as error:
        raise WrongSession(str(error)) from error
