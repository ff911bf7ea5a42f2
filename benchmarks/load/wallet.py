"""A light wallet: real keys, proofs, DPoP, key binding and encrypted responses, made by the library. It has no pages.

Keys are made once for each wallet, so that the generator spends its time on what the protocols ask for each time.
"""

import secrets
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from benchmarks.load.ledger import Place
from byoid.encoding import json_dumps
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, parse_sd_jwt_vc, prepare_key_binding
from byoid.issuance.proofs import prepare_key_proof
from byoid.jose import parse_jws
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.dpop import prepare_dpop_proof
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption, encrypt_response
from byoid.signing import sign_now
from demo.pki import LIBRARY

CONFIGURATION: Final = "pid_sd_jwt"
PRE_AUTHORIZED: Final = "urn:ietf:params:oauth:grant-type:pre-authorized_code"


class Wallet:
    """One person's wallet at a time."""

    def __init__(self, issuer_url: str) -> None:
        self._issuer = issuer_url
        self._dpop, self._holder = PrivateKey.generate(), PrivateKey.generate()
        self.credential: str | None = None

    def token_request(self, code: str, tx_code: str | None) -> tuple[bytes, dict[str, str]]:
        """Return form and headers of a token request."""
        form = {"grant_type": PRE_AUTHORIZED, "pre-authorized_code": code}
        if tx_code is not None:
            form["tx_code"] = tx_code
        return urlencode(form).encode(), {"DPoP": self._proof_of_possession("/token")}

    def credential_request(self, token: str, nonce: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of a credential request for one key."""
        unsigned = prepare_key_proof(
            key=self._holder.public, algorithm="ES256", issuer=self._issuer, now=datetime.now(UTC), nonce=nonce
        )
        body = {"credential_configuration_id": CONFIGURATION, "proofs": {"jwt": [sign_now(unsigned, self._holder)]}}
        proof = self._proof_of_possession("/credential", token)
        return json_dumps(body), {"Authorization": f"DPoP {token}", "DPoP": proof}

    def keep(self, credentials: list[dict[str, str]]) -> tuple[Place, ...]:
        """Keep the first credential; return the places of all in status lists."""
        self.credential = credentials[0]["credential"]
        return tuple(_place(each["credential"]) for each in credentials)

    def answer(self, request_object: str) -> tuple[str, bytes]:
        """Return where the answer to a request goes, and its form: everything that was asked, encrypted."""
        request = parse_message(AuthorizationRequest, parse_jws(request_object).claims())
        assert self.credential is not None and request.client_metadata is not None and request.response_uri
        shown = HeldSdJwtVc.from_text(self.credential).present([tuple(path) for path in LIBRARY.claims])
        key_binding = prepare_key_binding(
            shown, audience=str(request.client_id), nonce=request.nonce, issued_at=datetime.now(UTC), algorithm="ES256"
        )
        query_id, presentation = LIBRARY.query["credentials"][0]["id"], sign_now(key_binding, self._holder)
        response = AuthorizationResponse(vp_token={query_id: (presentation,)}, state=request.state)
        jwe = encrypt_response(response, choose_response_encryption(request.client_metadata))
        return urlsplit(request.response_uri).path, urlencode({"response": jwe}).encode()

    def _proof_of_possession(self, path: str, token: str | None = None) -> str:
        unsigned = prepare_dpop_proof(
            key=self._dpop.public, algorithm="ES256", method="POST", url=self._issuer + path,
            jti=secrets.token_hex(8), now=datetime.now(UTC), access_token=token,
        )  # fmt: skip
        return sign_now(unsigned, self._dpop)


def request_path(link: str) -> str:
    """Return the path of the request object that a link refers to."""
    return urlsplit(dict(parse_qsl(urlsplit(link).query))["request_uri"]).path


def _place(credential: str) -> Place:
    entry = parse_sd_jwt_vc(credential).jws.claims()["status"]["status_list"]
    return entry["uri"].rpartition("/")[2], entry["idx"]
