"""Registration certificates of relying parties (WRPRC): who asks, and what they registered to ask for.

Spec: ETSI TS 119 475 5.2 (form and claims of the JWT `rc-wrp+jwt`), ARF topic 44. The certificate is believed only
beside the access certificate of the same relying party. Its `status` claim is the caller's to check, against a list.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import AliasChoices, Field

from byoid.errors import ClaimMismatch, Expired, MalformedInput, NotYetValid
from byoid.jose import UnsignedJws, parse_jws, prepare_jws, verify_jws, x5c_header
from byoid.message import Array, Message, NonEmptyArray, parse_message
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.crl import Crls
from byoid.trust.x509 import ChainCache, TrustedChain, verify_chain

TYPE: Final = "rc-wrp+jwt"
POLICY_ID: Final = "0.4.0.19475.3.1"
ENTITLEMENT: Final = "https://uri.etsi.org/19475/Entitlement/"
MAX_BYTES: Final = 256 << 10
LEEWAY: Final = timedelta(seconds=60)
ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512"})


class LocalizedText(Message):
    """A text in one language."""

    lang: str
    value: str


class RegisteredClaim(Message):
    """A claim that may be asked for."""

    path: NonEmptyArray[str | int | None]


class RegisteredCredential(Message):
    """A credential that may be asked for; `claim` lists the claims, and what is not listed is not registered."""

    format: str
    meta: dict[str, Any] = Field(default_factory=dict)
    claim: Array[RegisteredClaim] = Field(default=(), validation_alias=AliasChoices("claim", "claims"))


class Intermediary(Message):
    """The relying party that asks on behalf of this one."""

    sub: str
    sname: str | None = None


class SupervisoryAuthority(Message):
    """Where to complain."""

    email: str | None = None
    phone: str | None = None
    uri: str | None = None


class RegistrationClaims(Message):
    """The claims of a registration certificate (5.2.4)."""

    name: str | None = None
    sub: str
    sub_ln: str | None = None
    sub_gn: str | None = None
    sub_fn: str | None = None
    country: str | None = None
    registry_uri: str | None = None
    srv_description: Array[Array[LocalizedText]] = ()
    entitlements: NonEmptyArray[str]
    privacy_policy: str | None = None
    info_uri: str | None = None
    support_uri: str | None = None
    supervisory_authority: SupervisoryAuthority | None = None
    policy_id: Array[str] | str | None = None
    certificate_policy: str | None = None
    iat: int = Field(ge=0)
    exp: int | None = Field(default=None, ge=0, le=253_402_300_799)
    status: dict[str, Any] | None = None
    provides_attestations: Array[RegisteredCredential] = ()
    credentials: Array[RegisteredCredential] = ()
    purpose: Array[LocalizedText] = ()
    intended_use_id: str | None = None
    public_body: bool | None = None
    intermediary: Intermediary | None = None


@dataclass(frozen=True)
class Excess:
    """Something that a request asks for beyond the registration; `path` None means the credential itself."""

    query_id: str
    path: tuple[str | int | None, ...] | None


@dataclass(frozen=True)
class Registration:
    """A registration certificate that was verified and belongs to the relying party that asks."""

    claims: RegistrationClaims
    chain: TrustedChain

    @property
    def name(self) -> str:
        """What to call the relying party: its trade name, else its legal or family name, else its identifier."""
        return self.claims.name or self.claims.sub_ln or self.claims.sub_fn or self.claims.sub

    @property
    def status(self) -> Mapping[str, Any] | None:
        """The `status` claim, for `StatusReference.from_claim`."""
        return self.claims.status

    def excess(self, query: Mapping[str, Any]) -> tuple[Excess, ...]:
        """Say what a DCQL query asks for that is not registered; empty if everything is.

        The query is the plain JSON object, in the right shape already. A credential that is asked for without naming
        its type exceeds every registration.
        """
        found: list[Excess] = []
        for asked in query["credentials"]:
            wanted = _types(asked["format"], asked.get("meta") or {})
            matching = [[c for c in self.claims.credentials if _registers(c, asked["format"], kind)] for kind in wanted]
            if not wanted or not all(matching):
                found.append(Excess(asked["id"], None))
                continue
            paths = [tuple(claim["path"]) for claim in asked.get("claims") or ()]
            found += [Excess(asked["id"], path) for path in paths if not all(_covers(m, path) for m in matching)]
        return tuple(found)


def prepare_registration(claims: RegistrationClaims, *, algorithm: str, x5c: Sequence[bytes]) -> UnsignedJws:
    """Prepare a registration certificate, for a registrar."""
    return prepare_jws(claims.to_wire(), algorithm=algorithm, typ=TYPE, header={"x5c": x5c_header(x5c)})


def verify_registration(
    jwt: str,
    *,
    access: TrustedChain,
    anchors: TrustAnchors,
    now: datetime,
    leeway: timedelta = LEEWAY,
    algorithms: Collection[str] = ALGORITHMS,
    crls: Crls | None = None,
    cache: ChainCache | None = None,
) -> Registration:
    """Verify a registration certificate beside the access certificate that signed the request.

    Args:
        jwt: the certificate.
        access: the verified chain of the request's signer.
        anchors: who may register, for the purpose REGISTRATION.
        now: the time of the check.
        leeway: how far clocks may differ.
        algorithms: the signature algorithms that are acceptable.
        crls: revocation lists for the registrar's chain.
        cache: chains that were verified before.

    Raises:
        MalformedInput: not such a JWT, or its claims have the wrong form.
        WrongType: another type of token, or an algorithm that is not acceptable.
        UntrustedIssuer: the signer is no trusted registrar.
        BadSignature: the signature does not verify.
        ClaimMismatch: the registration of another relying party than the one that asks.
        Expired: the certificate, or its signer's, is expired.
        NotYetValid: it comes from the future.
    """
    parsed = parse_jws(jwt, max_bytes=MAX_BYTES)
    chain = verify_chain(parsed.x5c, anchors=anchors, purpose=Purpose.REGISTRATION, now=now, crls=crls, cache=cache)
    verified = verify_jws(parsed, chain.public_key, algorithms=algorithms, typ=TYPE)
    claims = parse_message(RegistrationClaims, verified.claims)
    _require_same_party(claims, access)
    if claims.iat > (now + leeway).timestamp():
        raise NotYetValid("the registration certificate comes from the future")
    if claims.exp is not None and claims.exp <= (now - leeway).timestamp():
        raise Expired(
            f"the registration certificate was valid until {datetime.fromtimestamp(claims.exp, UTC):%Y-%m-%d}"
        )
    return Registration(claims, chain)


def _require_same_party(claims: RegistrationClaims, access: TrustedChain) -> None:
    """Demand the identifier of the access certificate: the registered party's, or its intermediary's (5.2.4)."""
    registered = {claims.sub, claims.intermediary.sub} if claims.intermediary else {claims.sub}
    if access.organization_identifier not in registered:
        raise ClaimMismatch("the registration certificate belongs to another relying party than the access certificate")


def _types(credential_format: str, meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the credential types that a query or a registration names."""
    if credential_format == "mso_mdoc":
        named = [meta["doctype_value"]] if "doctype_value" in meta else []
    else:
        named = meta.get("vct_values", [])
    if not isinstance(named, list | tuple) or not all(isinstance(name, str) for name in named):
        raise MalformedInput("expected credential types as text")
    return tuple(named)


def _registers(credential: RegisteredCredential, credential_format: str, kind: str) -> bool:
    return credential.format == credential_format and kind in _types(credential.format, credential.meta)


def _covers(credentials: Sequence[RegisteredCredential], path: tuple[str | int | None, ...]) -> bool:
    """Say whether a registered path is this one, a part of it from the root, or the same with every element (null)."""
    return any(_reaches(claim.path, path) for credential in credentials for claim in credential.claim)


def _reaches(registered: tuple[str | int | None, ...], path: tuple[str | int | None, ...]) -> bool:
    if len(registered) > len(path):
        return False
    return all(
        mine == asked or (mine is None and isinstance(asked, int))
        for mine, asked in zip(registered, path, strict=False)
    )
