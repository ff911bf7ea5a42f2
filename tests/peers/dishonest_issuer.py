"""An issuer that is honest until a test bends one thing: what an endpoint answers, or how a credential is made.

It judges nothing that the wallet sends. `tamper` holds by endpoint a function that changes the honest JSON, or returns
a response of its own; `make` says how credentials are made; `seen` and `notifications` are what the wallet sent.
"""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from byoid.encoding import b64u_encode
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.sd_jwt_issue import ALL
from byoid.formats.sd_jwt_vc import prepare_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.issuance.credential import CredentialResponse, CredentialResponseEncryption
from byoid.issuance.encryption import encrypt_response
from byoid.issuance.offer import credential_offer_link, parse_credential_offer
from byoid.jose import decrypt, parse_jws
from byoid.keys import PrivateKey, PublicKey
from byoid.service.trust_files import load_signer
from byoid.signing import SoftwareSigner, sign_now

URL = "https://dishonest.test"
VCT = "urn:eudi:pid:de:1"
DOCTYPE = "eu.europa.ec.eudi.pid.1"
CODE = "pre-authorized-code"
PRE_AUTHORIZED = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
Json = dict[str, Any]


def metadata() -> Json:
    """Honest metadata of the credential issuer."""
    proofs = {"jwt": {"proof_signing_alg_values_supported": ["ES256"]}}
    policy = {
        "id": "arf_annex_ii",
        "options": [{"details": ["once_only"], "batch_size": 3, "reissue_trigger_unused": 1}],
    }
    display = [{"name": "Person identification data", "locale": "en"}]
    sd_jwt = {
        "format": "dc+sd-jwt", "vct": VCT, "scope": "pid", "cryptographic_binding_methods_supported": ["jwk"],
        "credential_signing_alg_values_supported": ["ES256"], "proof_types_supported": proofs,
        "credential_metadata": {
            "display": display,
            "claims": [{"path": ["family_name"], "mandatory": True}, {"path": ["given_name"]}],
            "credential_reuse_policy": policy,
        },
    }  # fmt: skip
    mdoc = {
        "format": "mso_mdoc", "doctype": DOCTYPE, "scope": "pid_mdoc", "proof_types_supported": proofs,
        "cryptographic_binding_methods_supported": ["cose_key"], "credential_signing_alg_values_supported": [-7, -9],
        "credential_metadata": {
            "display": display,
            "claims": [{"path": [DOCTYPE, "family_name"], "mandatory": True}],
            "credential_reuse_policy": policy,
        },
    }  # fmt: skip
    return {
        "credential_issuer": URL, "credential_endpoint": f"{URL}/credential", "nonce_endpoint": f"{URL}/nonce",
        "deferred_credential_endpoint": f"{URL}/deferred", "notification_endpoint": f"{URL}/notification",
        "batch_credential_issuance": {"batch_size": 3}, "display": [{"name": "Agency"}],
        "credential_configurations_supported": {"pid": sd_jwt, "pid_mdoc": mdoc},
    }  # fmt: skip


def server() -> Json:
    """Honest metadata of the authorization server."""
    return {
        "issuer": URL, "authorization_endpoint": f"{URL}/authorize", "token_endpoint": f"{URL}/token",
        "pushed_authorization_request_endpoint": f"{URL}/par", "challenge_endpoint": f"{URL}/challenge",
        "authorization_response_iss_parameter_supported": True, "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", PRE_AUTHORIZED, "refresh_token"],
        "token_endpoint_auth_methods_supported": ["attest_jwt_client_auth"],
        "dpop_signing_alg_values_supported": ["ES256"], "code_challenge_methods_supported": ["S256"],
    }  # fmt: skip


def offer(**changes: Any) -> Json:
    """An honest offer with a pre-authorized code."""
    grants = {PRE_AUTHORIZED: {"pre-authorized_code": CODE}}
    return {"credential_issuer": URL, "credential_configuration_ids": ["pid"], "grants": grants} | changes


def link(members: Json) -> str:
    """The link of an offer by value."""
    return credential_offer_link(parse_credential_offer(json.dumps(members)))


@dataclass
class Making:
    """How one credential is made. `keys` are those that the wallet proved; `place` counts within the batch."""

    signer: SoftwareSigner
    document_signer: SoftwareSigner
    now: datetime
    keys: Sequence[PublicKey]
    place: int
    signing_key: PrivateKey | None = None
    vct: str = VCT
    doctype: str = DOCTYPE
    claims: Json = field(default_factory=lambda: {"family_name": "Öztürk", "given_name": "Zoë"})
    issued_at: datetime | None = None
    expires_in: timedelta = timedelta(days=14)
    begins_in: timedelta = timedelta(0)
    holder_key: PublicKey | None = None
    status: StatusReference | None = None
    header: Json = field(default_factory=dict)
    x5c: Sequence[bytes] | None = None

    def sd_jwt_vc(self) -> str:
        """Make an SD-JWT VC."""
        unsigned = prepare_sd_jwt_vc(
            self.claims, vct=self.vct, disclosable=ALL, algorithm="ES256", status=self.status,
            holder_key=self.holder_key.jwk if self.holder_key else None,
            x5c=self.signer.x5c if self.x5c is None else self.x5c,
            issued_at=self.issued_at or self.now, expires_at=self.now + self.expires_in, header=self.header or None,
        )  # fmt: skip
        return sign_now(unsigned, self.signing_key or self.signer.key)

    def mdoc(self) -> str:
        """Make an mdoc."""
        assert self.holder_key is not None
        unsigned = prepare_mdoc(
            {DOCTYPE: self.claims}, doctype=self.doctype, device_key=self.holder_key,
            x5chain=self.document_signer.x5c if self.x5c is None else self.x5c, algorithm="ES256",
            signed=self.issued_at or self.now, valid_from=self.now + self.begins_in,
            valid_until=self.now + self.expires_in, status=self.status,
        )  # fmt: skip
        return b64u_encode(sign_now(unsigned, self.signing_key or self.document_signer.key))


@dataclass
class DishonestIssuer:
    """The issuer. Without any change it is honest."""

    keys: Path
    clock: Callable[[], datetime]
    tamper: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    make: Callable[[Making], Making] = lambda making: making
    finish: Callable[[str], str] = lambda credential: credential
    defer: int = 0  # how often the deferred endpoint says: not yet
    refresh_token: str | None = None
    encryption_key: PrivateKey | None = None
    seen: list[tuple[str, Any]] = field(default_factory=list)
    notifications: list[Json] = field(default_factory=list)
    _promised: list[PublicKey] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        """The application."""
        wells = "/.well-known/openid-credential-issuer", "/.well-known/oauth-authorization-server"
        posts = {
            "/par": self._par, "/token": self._token, "/nonce": self._nonce, "/challenge": self._challenge,
            "/credential": self._credential, "/deferred": self._deferred, "/notification": self._notification,
        }  # fmt: skip
        return Starlette(
            routes=[
                Route(wells[0], self._metadata),
                Route(wells[1], self._server),
                Route("/offer", self._offer),
                *(Route(path, endpoint, methods=["POST"]) for path, endpoint in posts.items()),
            ]
        )

    def paths(self) -> list[str]:
        """What the wallet asked for, in order."""
        return [path for path, _ in self.seen]

    def _answer(self, name: str, honest: Any, status: int = 200) -> Response:
        answer = self.tamper[name](honest) if name in self.tamper else honest
        return answer if isinstance(answer, Response) else JSONResponse(answer, status)

    async def _metadata(self, request: Request) -> Response:
        self.seen.append(("metadata", None))
        honest = metadata()
        if self.encryption_key is not None:
            jwk = {**self.encryption_key.public.jwk, "kid": "enc-1", "alg": "ECDH-ES", "use": "enc"}
            honest["credential_request_encryption"] = {
                "jwks": {"keys": [jwk]}, "enc_values_supported": ["A256GCM"], "encryption_required": True,
            }  # fmt: skip
            honest["credential_response_encryption"] = {
                "alg_values_supported": ["ECDH-ES"], "enc_values_supported": ["A256GCM"], "encryption_required": True,
            }  # fmt: skip
        return self._answer("metadata", honest)

    async def _server(self, request: Request) -> Response:
        return self._answer("server", server())

    async def _offer(self, request: Request) -> Response:
        self.seen.append(("offer", None))
        return self._answer("offer", offer())

    async def _par(self, request: Request) -> Response:
        self.seen.append(("par", parse_qs((await request.body()).decode())))
        return self._answer("par", {"request_uri": "urn:ietf:params:oauth:request_uri:1", "expires_in": 60}, 201)

    async def _token(self, request: Request) -> Response:
        self.seen.append(("token", parse_qs((await request.body()).decode())))
        honest = {"access_token": "access", "token_type": "DPoP", "expires_in": 300}
        if self.refresh_token is not None:
            honest["refresh_token"] = self.refresh_token
        return self._answer("token", honest)

    async def _nonce(self, request: Request) -> Response:
        return self._answer("nonce", {"c_nonce": secrets.token_urlsafe(16)})

    async def _challenge(self, request: Request) -> Response:
        return self._answer("challenge", {"attestation_challenge": secrets.token_urlsafe(16)})

    async def _credential(self, request: Request) -> Response:
        members = self._opened(await request.body(), request)
        self.seen.append(("credential", members))
        keys = _proved_keys(members)
        if self.defer:
            self._promised = keys
            return self._encrypted("credential", {"transaction_id": "later", "interval": 5}, members, 202)
        return self._encrypted("credential", self._issued(keys, members["credential_configuration_id"]), members)

    async def _deferred(self, request: Request) -> Response:
        members = self._opened(await request.body(), request)
        self.seen.append(("deferred", members))
        self.defer -= 1
        if self.defer > 0:
            return self._encrypted("deferred", {"transaction_id": "later", "interval": 5}, members, 202)
        return self._encrypted("deferred", self._issued(self._promised, "pid"), members)

    async def _notification(self, request: Request) -> Response:
        self.notifications.append(await request.json())
        return self._answer("notification", Response(status_code=204))

    def _issued(self, keys: list[PublicKey], configuration_id: str) -> Json:
        made = [self.made(keys, place, configuration_id) for place in range(len(keys))]
        return {"credentials": [{"credential": each} for each in made], "notification_id": "n-1"}

    def made(self, keys: list[PublicKey], place: int, configuration_id: str) -> str:
        """Make one credential."""
        making = Making(
            signer=load_signer(self.keys / "credential.key", self.keys / "credential.pem"),
            document_signer=load_signer(self.keys / "document-signer.key", self.keys / "document-signer.pem"),
            now=self.clock(), keys=keys, place=place, holder_key=keys[place],
            status=StatusReference(f"{URL}/status/1", 1000 + place),
        )  # fmt: skip
        made = self.make(making)
        return self.finish(made.mdoc() if configuration_id == "pid_mdoc" else made.sd_jwt_vc())

    def _opened(self, body: bytes, request: Request) -> Json:
        if self.encryption_key is not None:
            assert request.headers["content-type"] == "application/jwt"
            body = decrypt(body.decode(), self.encryption_key, enc=["A256GCM"]).plaintext
        members: Json = json.loads(body)
        return members

    def _encrypted(self, name: str, honest: Json, members: Json, status: int = 200) -> Response:
        answer = self._answer(name, honest, status)
        wanted = members.get("credential_response_encryption")
        if wanted is None or name in self.tamper:
            return answer
        encryption = CredentialResponseEncryption.model_validate(wanted)
        jwe = encrypt_response(CredentialResponse.model_validate(honest), encryption=encryption)
        return Response(jwe, status, media_type="application/jwt")


def _proved_keys(members: Json) -> list[PublicKey]:
    proofs = members.get("proofs", {})
    keys = []
    for jwt in proofs.get("jwt", ()):
        header = parse_jws(jwt).header
        if "key_attestation" in header:
            return _attested_keys(header["key_attestation"])
        keys.append(PublicKey.from_jwk(header["jwk"]))
    return keys or [key for jwt in proofs.get("attestation", ()) for key in _attested_keys(jwt)]


def _attested_keys(jwt: str) -> list[PublicKey]:
    return [PublicKey.from_jwk(jwk) for jwk in parse_jws(jwt).claims()["attested_keys"]]
