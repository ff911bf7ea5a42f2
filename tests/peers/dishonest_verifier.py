"""A verifier that speaks to a wallet over (in-process) HTTP, honest until a test changes something about it.

Everything that it serves is made when it is asked, from members that a defect may have changed: the parameters of the
link, the claims and header of the request object, the key, and the answers of its two endpoints.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx2

from byoid.encoding import b64u_encode, json_dumps, sha256
from byoid.jose import parse_jwe, prepare_jws, x5c_header
from byoid.keys import PrivateKey
from byoid.presentation.client_id import REQUEST_OBJECT_TYPE
from byoid.presentation.request import ClientMetadata
from byoid.presentation.response import EncryptedResponse, decrypt_response
from byoid.service.trust_files import load_signer
from byoid.signing import SoftwareSigner, sign_now
from byoid.trust.registration import RegisteredClaim, RegisteredCredential, RegistrationClaims, prepare_registration

URL = "https://verifier.test"
PID = "urn:eudi:pid:de:1"
MDOC_PID = "eu.europa.ec.eudi.pid.1"
REGISTERED = ("given_name", "family_name", "birthdate", "address")


@dataclass
class VerifierPeer:
    """A relying party with an access certificate. `posted` is what wallets sent, form by form."""

    keys: Path
    clock: Callable[[], datetime]
    signer: SoftwareSigner = field(init=False)
    response_key: PrivateKey = field(default_factory=PrivateKey.generate)
    claims: dict[str, Any] = field(init=False)
    header: dict[str, Any] = field(init=False)
    parameters: dict[str, str] = field(init=False)
    posted: list[dict[str, str]] = field(default_factory=list)
    requested: list[httpx2.Request] = field(default_factory=list)
    scheme: str = "openid4vp://"
    # What a defect may replace: the whole link, how claims become a request object, and the two answers.
    link_text: str | None = None
    make_jwt: Callable[["VerifierPeer", dict[str, Any]], str] | None = None
    answer_request: Callable[[httpx2.Request, str], httpx2.Response] | None = None
    answer_response: Callable[[httpx2.Request], httpx2.Response] | None = None
    echo_nonce: bool = True
    status_list: str | None = None  # of the registrar, served here for simplicity

    def __post_init__(self) -> None:
        self.signer = load_signer(self.keys / "access-library.key", self.keys / "access-library.pem")
        client_id = f"x509_hash:{b64u_encode(sha256(self.signer.x5c[0]))}"
        now = int(self.clock().timestamp())
        self.claims = {
            "response_type": "vp_token",
            "response_mode": "direct_post.jwt",
            "client_id": client_id,
            "response_uri": f"{URL}/responses/1",
            "nonce": secrets.token_urlsafe(32),
            "state": secrets.token_urlsafe(32),
            "aud": "https://self-issued.me/v2",
            "iat": now,
            "exp": now + 300,
            "dcql_query": query(sd_jwt("pid", "given_name")),
            "client_metadata": {
                "jwks": {"keys": [self.response_jwk()]},
                "encrypted_response_enc_values_supported": ["A256GCM", "A128GCM"],
                "vp_formats_supported": {
                    "dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]},
                    "mso_mdoc": {"issuerauth_alg_values": [-7], "deviceauth_alg_values": [-7]},
                },
            },
            "verifier_info": [{"format": "registration_cert", "data": self.registration()}],
        }
        self.header = {"x5c": x5c_header(self.signer.x5c)}
        self.parameters = {"client_id": client_id, "request_uri": f"{URL}/requests/1"}

    def response_jwk(self) -> dict[str, str]:
        return {**self.response_key.public.jwk, "kid": "1", "use": "enc", "alg": "ECDH-ES"}

    def registration(
        self,
        *,
        sub: str = "NTRDE-HRB100",
        intermediary: dict[str, str] | None = None,
        status: dict[str, Any] | None = None,
    ) -> str:
        """Return the registration certificate of the library, or with another `sub` of somebody else."""
        registrar = load_signer(self.keys / "registrar.key", self.keys / "registrar.pem")
        certificate = RegistrationClaims.model_validate(
            {
                "name": "Stadtbücherei",
                "sub": sub,
                "country": "DE",
                "registry_uri": "https://registrar.example",
                "entitlements": ("https://uri.etsi.org/19475/Entitlement/Service_Provider",),
                "privacy_policy": "https://library.example/privacy",
                "support_uri": "https://library.example/data",
                "supervisory_authority": {"email": "dpa@example.org", "uri": "https://dpa.example"},
                "purpose": ({"lang": "de", "value": "Büchereiausweis"}, {"lang": "en", "value": "Library card"}),
                "credentials": (
                    RegisteredCredential(
                        format="dc+sd-jwt",
                        meta={"vct_values": [PID]},
                        claim=tuple(RegisteredClaim(path=(each,)) for each in REGISTERED),
                    ),
                    RegisteredCredential(
                        format="mso_mdoc",
                        meta={"doctype_value": MDOC_PID},
                        claim=(RegisteredClaim(path=(MDOC_PID, "family_name")),),
                    ),
                ),
                "iat": int(self.clock().timestamp()),
                "exp": int(self.clock().timestamp()) + 86400,
                "intermediary": intermediary,
                "status": status,
            }
        )
        return sign_now(
            prepare_registration(certificate, algorithm=registrar.algorithm, x5c=registrar.x5c), registrar.key
        )

    def ask(self, *credentials: dict[str, Any], **query_members: Any) -> "VerifierPeer":
        """Ask for other credentials."""
        self.claims["dcql_query"] = query(*credentials, **query_members)
        return self

    @property
    def link(self) -> str:
        """The link that the citizen opens."""
        return self.link_text or f"{self.scheme}?{urlencode(self.parameters)}"

    def by_value(self) -> str:
        """Return a link with the parameters themselves: an unsigned request."""
        plain = {k: v if isinstance(v, str) else json_dumps(v).decode() for k, v in self.claims.items()}
        for name in ("aud", "iat", "exp"):
            plain.pop(name, None)
        return f"{self.scheme}?{urlencode(plain)}"

    def unsigned(self) -> "VerifierPeer":
        """Become a client that proves nothing: `redirect_uri`, by value."""
        self.claims["client_id"] = f"redirect_uri:{self.claims['response_uri']}"
        self.claims.pop("verifier_info", None)
        self.link_text = self.by_value()
        return self

    def request_object(self, wallet_nonce: str | None = None) -> str:
        """Sign the request."""
        claims = dict(self.claims)
        if wallet_nonce is not None and self.echo_nonce:
            claims.setdefault("wallet_nonce", wallet_nonce)
        if self.make_jwt is not None:
            return self.make_jwt(self, claims)
        return sign_request(claims, self.signer, self.header)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        """Answer as the verifier's server."""
        self.requested.append(request)
        if request.url.path.startswith("/requests/"):
            form = _form(request)
            jwt = self.request_object(form.get("wallet_nonce"))
            if self.answer_request is not None:
                return self.answer_request(request, jwt)
            return httpx2.Response(200, content=jwt, headers={"Content-Type": "application/oauth-authz-req+jwt"})
        if request.url.path == "/status":
            token = (self.status_list or "").encode()
            return httpx2.Response(200, content=token, headers={"Content-Type": "application/statuslist+jwt"})
        self.posted.append(_form(request))
        if self.answer_response is not None:
            return self.answer_response(request)
        return httpx2.Response(200, json={"redirect_uri": f"{URL}/done#response_code=1"})

    def opened(self, position: int = -1) -> dict[str, Any]:
        """Return what a wallet posted, decrypted."""
        form = self.posted[position]
        if "response" not in form:
            return form
        encrypted = EncryptedResponse(parse_jwe(form["response"]), "1")
        return decrypt_response(encrypted, self.response_key, kid="1", enc=("A256GCM", "A128GCM")).to_wire()

    @property
    def metadata(self) -> ClientMetadata:
        return ClientMetadata.model_validate(self.claims["client_metadata"])


def sign_request(
    claims: Mapping[str, Any],
    signer: SoftwareSigner,
    header: Mapping[str, Any],
    *,
    typ: str = REQUEST_OBJECT_TYPE,
    key: PrivateKey | None = None,
) -> str:
    """Sign claims as a request object."""
    unsigned = prepare_jws(claims, algorithm=signer.algorithm, typ=typ, header=dict(header))
    return sign_now(unsigned, key or signer.key)


def query(*credentials: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"credentials": list(credentials), **members}


def sd_jwt(query_id: str, *names: str, **members: Any) -> dict[str, Any]:
    """Ask for claims of a PID as SD-JWT VC."""
    asked = {"claims": [{"path": name.split(".")} for name in names]} if names else {}
    return {"id": query_id, "format": "dc+sd-jwt", "meta": {"vct_values": [PID]}, **asked, **members}


def mdoc(query_id: str, *names: str, **members: Any) -> dict[str, Any]:
    """Ask for elements of a PID as mdoc."""
    asked = {"claims": [{"path": [MDOC_PID, name]} for name in names]} if names else {}
    return {"id": query_id, "format": "mso_mdoc", "meta": {"doctype_value": MDOC_PID}, **asked, **members}


def _form(request: httpx2.Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
