"""A dishonest wallet: it holds an honest credential of its own and answers requests wrongly, one way at a time.

Only the demo and tests use it. It speaks real HTTP and is built on the library alone.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx2

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_loads, json_object
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, prepare_key_binding
from byoid.issuance.offer import OfferReference, parse_credential_offer, parse_credential_offer_link
from byoid.issuance.proofs import prepare_key_proof
from byoid.jose import parse_jws
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.oauth.dpop import prepare_dpop_proof
from byoid.oauth.token import PRE_AUTHORIZED_CODE
from byoid.presentation.request import AuthorizationRequest
from byoid.presentation.response import AuthorizationResponse, choose_response_encryption, encrypt_response
from byoid.signing import sign_now


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Answer:
    """An answer to a request, ready to be posted: where, what, and the presentation in it."""

    response_uri: str
    presentation: str
    query_id: str
    request: AuthorizationRequest

    @property
    def form(self) -> dict[str, str]:
        """The form of `direct_post.jwt`."""
        return answer_form(self.request, {self.query_id: (self.presentation,)})


def answer_form(request: AuthorizationRequest, vp_token: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Encrypt a VP Token for a request."""
    metadata = request.client_metadata
    if metadata is None:
        raise ValueError("the request has no client metadata to encrypt with")
    response = AuthorizationResponse.model_validate({"vp_token": vp_token, "state": request.state})
    return {"response": encrypt_response(response, choose_response_encryption(metadata))}


class Attacker:
    """Somebody with a valid credential, a wallet of their own making, and bad intentions."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._dpop = PrivateKey.generate()
        self._key = PrivateKey.generate()
        self._credential: HeldSdJwtVc | None = None

    async def obtain(self, link: str, tx_code: str | None) -> None:
        """Take an offer of an SD-JWT VC as any wallet would."""
        reference = parse_credential_offer_link(link)
        if not isinstance(reference, OfferReference):
            raise TypeError("expected an offer by reference")
        offer = parse_credential_offer((await self._http.get(reference.uri)).content)
        issuer = offer.credential_issuer
        grant = offer.grants.pre_authorized_code if offer.grants else None
        if grant is None:
            raise ValueError("expected a pre-authorized offer")
        form = {"grant_type": PRE_AUTHORIZED_CODE, "pre-authorized_code": grant.pre_authorized_code}
        token_url, credential_url = f"{issuer}/token", f"{issuer}/credential"
        token = await self._http.post(
            token_url, data={**form, **({"tx_code": tx_code} if tx_code else {})}, headers=self._proof(token_url)
        )
        access_token = token.raise_for_status().json()["access_token"]
        nonce = (await self._http.post(f"{issuer}/nonce")).json()["c_nonce"]
        unsigned = prepare_key_proof(
            key=self._key.public, algorithm=self._key.algorithm, issuer=issuer, now=_now(), nonce=nonce
        )
        body = {
            "credential_configuration_id": offer.credential_configuration_ids[0],
            "proofs": {"jwt": [sign_now(unsigned, self._key)]},
        }
        headers = {"Authorization": f"DPoP {access_token}", **self._proof(credential_url, access_token)}
        answer = await self._http.post(credential_url, json=body, headers=headers)
        self._credential = HeldSdJwtVc.from_text(answer.raise_for_status().json()["credentials"][0]["credential"])

    async def read(self, link: str) -> AuthorizationRequest:
        """Fetch a request by its link, and believe it."""
        parameters = dict(parse_qsl(urlsplit(link).query))
        fetched = await self._http.get(parameters["request_uri"], headers={"Accept": "application/oauth-authz-req+jwt"})
        return parse_message(AuthorizationRequest, parse_jws(fetched.raise_for_status().text).claims())

    def answer(self, request: AuthorizationRequest, *, audience: str | None = None, changed: bool = False) -> Answer:
        """Answer a request with everything that it asks for.

        Args:
            request: as read.
            audience: make the presentation for somebody else.
            changed: change the value of one disclosed claim.
        """
        if self._credential is None:
            raise ValueError("obtain a credential first")
        query = request.query.credentials[0]
        presented = self._credential.present(query.paths)
        if changed:
            presented = _with_one_changed_claim(presented)
        unsigned = prepare_key_binding(
            presented, audience=audience or request.client_id or "", nonce=request.nonce, issued_at=_now(),
            algorithm=self._key.algorithm,
        )  # fmt: skip
        return Answer(request.response_uri or "", sign_now(unsigned, self._key), query.id, request)

    async def post(self, answer: Answer) -> httpx2.Response:
        """Post an answer."""
        return await self._http.post(answer.response_uri, data=answer.form)

    def _proof(self, url: str, access_token: str | None = None) -> dict[str, str]:
        unsigned = prepare_dpop_proof(
            key=self._dpop.public, algorithm=self._dpop.algorithm, method="POST", url=url,
            jti=secrets.token_urlsafe(16), now=_now(), access_token=access_token,
        )  # fmt: skip
        return {"DPoP": sign_now(unsigned, self._dpop)}


def _with_one_changed_claim(presented: str) -> str:
    """Change the value in the last disclosure, which then no longer has the digest that the issuer signed."""
    jwt, *disclosures, end = presented.split("~")
    content = json_loads(b64u_decode(disclosures[-1]))
    content[-1] = "XX" if isinstance(content[-1], str) else {"country": "XX"}
    return "~".join([jwt, *disclosures[:-1], b64u_encode(json_dumps(content)), end])


def claims_of(token: str) -> dict[str, object]:
    """Return a JWT's claims, unverified."""
    return json_object(parse_jws(token).payload)
