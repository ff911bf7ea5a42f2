"""A verifier's whole transaction without HTTP: ask, find the open request that an answer belongs to, judge the answer.

Asking is a request object, signed, with a fresh response key. Judging is all of OpenID4VP 8.6 for an encrypted response
with one SD-JWT VC, whose issuer's chain and status list were seen before. It must not grow with the open requests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import floor
from benchmarks.inputs import CLIENT_ID, NONCE, NOW, RESPONSE_URI, STATUS, VCT, Inputs
from benchmarks.sd_jwt_vc import present
from benchmarks.yardstick import Row
from byoid.encoding import json_dumps
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.formats.status_array import StatusArray
from byoid.formats.status_list import StatusList, prepare_status_list_token, verify_status_list_token
from byoid.jose import encrypt
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.request import AuthorizationRequest, ClientMetadata, Jwks
from byoid.presentation.request_object import prepare_request_object
from byoid.presentation.response import AuthorizationResponse, EncryptedResponse, decrypt_response, parse_form
from byoid.presentation.verify import PresentationRequest, VerifiedResponse, X509Trust, verify_vp_token
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import ChainCache

QUERY: dict[str, Any] = {
    "credentials": [
        {
            "id": "pid",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": [VCT]},
            "claims": [
                {"path": ["given_name"]},
                {"path": ["family_name"]},
                {"path": ["birthdate"]},
                {"path": ["age_equal_or_over", "18"]},
                {"path": ["address", "locality"]},
            ],
        }
    ]
}
OPEN = {"": 0, ".open10": 10, ".open100k": 100_000}


@dataclass(frozen=True)
class OpenRequest:
    """What a verifier keeps of a request until it is answered."""

    request: PresentationRequest
    key: PrivateKey


def rows(inputs: Inputs) -> list[Row]:
    key = PrivateKey.generate()
    form = {"response": _answer(inputs, key)}
    by_hand = floor.transaction(inputs, form, key.native, QUERY, bytes(1 << 17))
    return [
        Row(
            f"presentation.in_process{name}",
            transaction(inputs, key, form, open_requests=count),
            goal_y=7.5,
            peers={} if count else {"floor": by_hand},
        )
        for name, count in OPEN.items()
    ]


def transaction(
    inputs: Inputs, key: PrivateKey, form: dict[str, str], *, open_requests: int
) -> Callable[[], VerifiedResponse]:
    """Return a transaction that starts one request and answers another, which waits among many.

    The query is parsed once, as a relying party has it.
    """
    other, query = PrivateKey.generate(), parse_message(DcqlQuery, QUERY)
    waiting = dict.fromkeys(map(str, range(open_requests)), OpenRequest(_request(other, query), other))
    waiting["key"] = OpenRequest(_request(key, query), key)
    cache = ChainCache()
    trust = {"pid": X509Trust(inputs.anchors, Purpose.PID)}
    statuses = {STATUS.uri: _status_list(inputs)}

    def run() -> VerifiedResponse:
        response_key = PrivateKey.generate()
        request = _authorization_request(response_key, query)
        unsigned = prepare_request_object(request, algorithm="ES256", issued_at=NOW, x5c=inputs.access_chain)
        sign_now(unsigned, inputs.verifier)

        encrypted = parse_form(form, encrypted=True)
        assert isinstance(encrypted, EncryptedResponse)
        found = waiting[encrypted.kid]
        response = decrypt_response(encrypted, found.key, kid=encrypted.kid, enc=("A128GCM", "A256GCM"))
        assert isinstance(response, AuthorizationResponse)
        return verify_vp_token(
            response.vp_token, request=found.request, trust=trust, statuses=statuses, now=NOW, cache=cache
        )

    return run


def _status_list(inputs: Inputs) -> StatusList:
    unsigned = prepare_status_list_token(
        StatusArray.of_size(1 << 20), uri=STATUS.uri, issued_at=NOW, algorithm="ES256", x5c=inputs.pid_chain
    )
    return verify_status_list_token(
        sign_now(unsigned, inputs.issuer), uri=STATUS.uri, key=inputs.issuer.public, now=NOW
    )


def _authorization_request(response_key: PrivateKey, query: DcqlQuery) -> AuthorizationRequest:
    jwk = {**response_key.public.jwk, "alg": "ECDH-ES", "use": "enc", "kid": "key"}
    return AuthorizationRequest(
        response_type="vp_token",
        response_mode="direct_post.jwt",
        client_id=CLIENT_ID,
        nonce=NONCE,
        state="s" * 22,
        response_uri=RESPONSE_URI,
        dcql_query=query,
        client_metadata=ClientMetadata(
            jwks=Jwks(keys=(jwk,)),
            encrypted_response_enc_values_supported=("A128GCM", "A256GCM"),
            vp_formats_supported={"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}},
        ),
    )


def _request(key: PrivateKey, query: DcqlQuery) -> PresentationRequest:
    return PresentationRequest.of(_authorization_request(key, query), encryption_key=key.public.jwk)


def _answer(inputs: Inputs, key: PrivateKey) -> str:
    shown = present(inputs, HeldSdJwtVc.from_text(inputs.issue_pid()))
    content = json_dumps({"vp_token": {"pid": [shown]}, "state": "s" * 22})
    return encrypt(content, {**key.public.jwk, "alg": "ECDH-ES", "kid": "key"}, enc="A128GCM")
