"""PKCE: the client that redeems a code is the one that asked for it. Only `S256` (RFC 7636 4, FAPI 2.0)."""

import re
import secrets
from hmac import compare_digest
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from byoid.encoding import b64u_encode, sha256
from byoid.errors import ClaimMismatch, MalformedInput

CODE_CHALLENGE_METHOD: Final = "S256"
CodeChallenge: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]  # 4.2: base64url of a SHA-256 digest
_CODE_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")  # 4.1


def create_code_verifier() -> str:
    """Return a fresh code verifier of 256 random bits (4.1)."""
    return secrets.token_urlsafe(32)


def code_challenge(verifier: str) -> str:
    """Return the `S256` challenge of a verifier (4.2)."""
    return b64u_encode(sha256(verifier.encode("ascii")))


def require_code_verifier(verifier: str | None, *, challenge: str) -> None:
    """Demand the verifier that belongs to the challenge of the authorization request (4.6).

    Raises:
        MalformedInput: it is missing, or not 43 to 128 unreserved characters.
        ClaimMismatch: it is another one.
    """
    if verifier is None or not _CODE_VERIFIER.fullmatch(verifier):
        raise MalformedInput("expected a code verifier of 43 to 128 unreserved characters")
    if not compare_digest(code_challenge(verifier), challenge):
        raise ClaimMismatch("the code verifier does not belong to the code challenge")
