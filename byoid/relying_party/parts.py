"""What a transaction is made of: the secrets of a request, the metadata in it, the opened response, the outcome."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.errors import ByoidError, MalformedInput
from byoid.keys import PrivateKey, PublicKey
from byoid.presentation.authentication import Authenticated
from byoid.presentation.request import ClientMetadata, Jwks
from byoid.presentation.response import EncryptedResponse, Response, decrypt_response, parse_form
from byoid.presentation.verify import VerifiedResponse
from byoid.relying_party.policy import Policy
from byoid.relying_party.transaction import Outcome, Sent, State, Transaction

CONTENT_ENCRYPTION: Final = ("A256GCM", "A128GCM")
_RANDOM_BYTES: Final = 32
_VP_FORMATS: Final[dict[str, dict[str, Any]]] = {
    "dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]},
    "mso_mdoc": {"issuerauth_alg_values": [-7, -9], "deviceauth_alg_values": [-7, -9]},
}


def create_sent(policy: Policy, redirect_uri: str | None) -> Sent:
    """Make the secrets of a request and note what it asks."""
    return Sent(
        nonce=random_text(),
        state=random_text(),
        response_key=PrivateKey.generate().to_jwk() if policy.encrypted else None,
        dcql_query=policy.query.to_wire(),
        transaction_data=tuple(b64u_encode(json_dumps(each)) for each in policy.transaction_data),
        redirect_uri=redirect_uri,
    )


def response_key(sent: Sent) -> dict[str, str] | None:
    """Return the public half of the response key, as wallets get it: named by its thumbprint (8.3)."""
    if sent.response_key is None:
        return None
    members = {name: value for name, value in sent.response_key.items() if name != "d"}
    return {**members, "kid": PublicKey.from_jwk(members).thumbprint_b64u, "use": "enc", "alg": "ECDH-ES"}


def client_metadata(sent: Sent) -> ClientMetadata:
    """Return the metadata of a request: the key for its answer alone, and the formats that are understood."""
    public = response_key(sent)
    if public is None:
        return ClientMetadata(vp_formats_supported=_VP_FORMATS)
    return ClientMetadata(
        jwks=Jwks(keys=(public,)),
        encrypted_response_enc_values_supported=CONTENT_ENCRYPTION,
        vp_formats_supported=_VP_FORMATS,
    )


def open_response(transaction: Transaction, form: Mapping[str, str]) -> Response:
    """Read the form of a response and decrypt it with the key of its request.

    Raises:
        MalformedInput, ClaimMismatch, WrongType, BadSignature: it is not a response to this request.
    """
    private = transaction.sent.response_key
    response = parse_form(form, encrypted=private is not None)
    if not isinstance(response, EncryptedResponse):
        return response
    if private is None:
        raise MalformedInput("expected a response that is not encrypted")
    key = PrivateKey.from_jwk(private)
    return decrypt_response(response, key, kid=key.public.thumbprint_b64u, enc=CONTENT_ENCRYPTION)


def accepted_outcome(verified: VerifiedResponse, code: str | None) -> Outcome:
    """Return what the service gets of an accepted response."""
    credentials = {
        query_id: [
            {
                "format": each.format,
                "type": each.type,
                "issuer": each.issuer,
                "claims": plain(each.claims),
                "holder_bound": each.holder_bound,
                "status": each.status,
            }
            for each in presentations
        ]
        for query_id, presentations in verified.credentials.items()
    }
    reasons = tuple(reason_of(each.error) for each in verified.discarded)
    return Outcome(State.ACCEPTED, credentials, reasons, None if code is None else hash_text(code))


def plain(value: Any) -> Any:
    """Return a claim as JSON has it: an mdoc's dates as ISO 8601 text, its bytes as base64url."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return b64u_encode(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def reasons_of(authenticated: Authenticated) -> tuple[str, ...]:
    """Return why presentations were discarded."""
    return tuple(reason_of(each.error) for each in authenticated.discarded)


def reason_of(error: ByoidError) -> str:
    """Return what the service and the log may know: the class, and its message, which never holds a claim."""
    return f"{type(error).__name__}: {error}"


def random_text() -> str:
    """Return 256 random bits as base64url."""
    return b64u_encode(secrets.token_bytes(_RANDOM_BYTES))


def hash_text(secret: str) -> str:
    """Return what is kept of a secret that is only compared."""
    return b64u_encode(sha256(secret.encode()))
