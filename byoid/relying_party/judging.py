"""How an answer is opened, and what is kept of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from byoid.claims import ClaimPath, locate
from byoid.encoding import b64u_encode, sha256
from byoid.errors import ByoidError, ClaimMismatch, Discarded, MalformedInput
from byoid.keys import PrivateKey
from byoid.presentation.dc_api import parse_dc_api_response
from byoid.presentation.dcql import CredentialQuery, DcqlQuery
from byoid.presentation.response import EncryptedResponse, Response, decrypt_response, parse_form
from byoid.presentation.verify import VerifiedResponse
from byoid.relying_party.asking import CONTENT_ENCRYPTION
from byoid.relying_party.policy import Client
from byoid.relying_party.transaction import Outcome, Sent, State


def open_form(client: Client, sent: Sent, form: Mapping[str, str]) -> Response:
    """Read a form that came to the response endpoint (8.2, 8.3).

    Raises:
        MalformedInput, ClaimMismatch, WrongType, BadSignature: it is not a response to this request.
    """
    return _decrypted(client, sent, parse_form(form, encrypted=sent.response_mode.endswith(".jwt")))


def answered_request(client: Client, form: Mapping[str, str]) -> str:
    """Return which request a form at the fixed response URI says that it answers. Nothing of it is believed.

    Raises:
        MalformedInput, ClaimMismatch, WrongType, BadSignature: it is no response to any request of the client.
    """
    response = parse_form(form, encrypted="response" in form)
    if isinstance(response, EncryptedResponse):
        if client.response_key is None:
            return response.kid
        key = client.response_key
        response = decrypt_response(response, key, kid=key.public.thumbprint_b64u, enc=CONTENT_ENCRYPTION)
    return (response.state or "").partition(".")[0]


def open_digital(client: Client, sent: Sent, data: Mapping[str, Any]) -> Response:
    """Read the `data` that came over the Digital Credentials API (A.4).

    Raises:
        MalformedInput, ClaimMismatch, WrongType, BadSignature: it is not a response to this request.
    """
    return _decrypted(client, sent, parse_dc_api_response(data, encrypted=sent.response_mode.endswith(".jwt")))


def _decrypted(client: Client, sent: Sent, response: Response | EncryptedResponse) -> Response:
    """Decrypt with the one key of this request: none is ever tried."""
    if not isinstance(response, EncryptedResponse):
        return response
    if sent.response_key is not None:
        native = load_der_private_key(sent.response_key.pkcs8, None)
        if not isinstance(native, EllipticCurvePrivateKey):
            raise TypeError("expected an EC key as response key")
        key, kid = PrivateKey(native), sent.response_key.kid
    elif client.response_key is not None:
        key, kid = client.response_key, client.response_key.public.thumbprint_b64u
    else:
        raise MalformedInput("expected a response that is not encrypted")
    return decrypt_response(response, key, kid=kid, enc=CONTENT_ENCRYPTION)


def accepted_outcome(verified: VerifiedResponse, query: DcqlQuery, code: str | None) -> Outcome:
    """Return what the service gets of an accepted response: of what was shown, only what was asked."""
    credentials = {
        query_id: [
            {
                "format": each.format,
                "type": each.type,
                "issuer": each.issuer,
                "claims": plain(only_asked(query.credential(query_id), each.claims)),
                "holder_bound": each.holder_bound,
                "status": each.status.value,
            }
            for each in presentations
        ]
        for query_id, presentations in verified.credentials.items()
    }
    code_hash = None if code is None else hash_text(code)
    return Outcome(State.ACCEPTED, credentials, reasons_of(verified.discarded), code_hash)


def only_asked(query: CredentialQuery | None, claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the claims that a credential query names; all, if it names none: then the issuer chose what is open.

    A wallet may show more than was asked, by mistake or since its issuer left it no choice. It is not kept.
    """
    if query is None or query.claims is None:
        return claims
    tree: dict[Any, Any] = {}
    for path in query.paths:
        for concrete, value in _located(claims, path):
            branch = tree
            for component in concrete[:-1]:
                branch = branch.setdefault(component, _Branch())
            branch[concrete[-1]] = value
    return {str(name): _grown(value) for name, value in tree.items()}


class _Branch(dict[Any, Any]):
    """A member that was asked for in parts."""


def _located(claims: Mapping[str, Any], path: ClaimPath) -> Iterable[tuple[ClaimPath, Any]]:
    """Find a path; where array elements were withheld, an index stands for any that is left (RFC 9901 7.1)."""
    for each in (path, tuple(None if isinstance(component, int) else component for component in path)):
        try:
            return locate(claims, each)
        except ClaimMismatch:
            continue
    return ()


def _grown(value: Any) -> Any:
    if not isinstance(value, _Branch):
        return value
    if all(isinstance(name, int) for name in value):
        return [_grown(value[index]) for index in sorted(value)]
    return {name: _grown(each) for name, each in value.items()}


def plain(value: Any) -> Any:
    """Return a claim as JSON has it: an mdoc's dates as ISO 8601 text, its bytes as base64url."""
    if isinstance(value, str):  # most are; an abstract base class is slow to ask
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return b64u_encode(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def reasons_of(discarded: Iterable[Discarded]) -> tuple[str, ...]:
    """Return why presentations were discarded, by credential query."""
    return tuple(f"{each.query_id}: {reason_of(each.error)}" for each in discarded)


def reason_of(error: ByoidError) -> str:
    """Return what the service and the log may know: the class, and its message, which never holds a claim."""
    return f"{type(error).__name__}: {error}"


def hash_text(secret: str) -> str:
    """Return what is kept of a secret that is only compared."""
    return b64u_encode(sha256(secret.encode()))
