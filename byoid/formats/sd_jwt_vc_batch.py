"""Many SD-JWT VCs of one dataset: what they have in common is made ready once.

Spec: draft-ietf-oauth-sd-jwt-vc-19 section 2.2; OpenID4VCI 1.0 3.3.2 (batches: one dataset, different cryptographic
data). Each credential has its own salts, holder key and place in a status list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from byoid.encoding import b64u_encode_bytes, json_dumps
from byoid.formats.sd_jwt_issue import Concealment, Paths
from byoid.formats.status_list import StatusReference
from byoid.jose import UnsignedJws, prepare_jws, x5c_header
from byoid.keys import PRIVATE_MEMBERS, Jwk

TYPE: Final = "dc+sd-jwt"
# Section 2.2.2.3: these claims and everything in them stay open.
ALWAYS_DISCLOSED: Final = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"})
# Set by arguments, so that nobody sets them twice. `iat` may be hidden; ours stays open.
_ARGUMENTS: Final = frozenset({"iss", "iat", "exp", "cnf", "vct", "status"})
_KEY_MEMBERS: Final = ("kty", "crv", "x", "y", "n", "e")


@dataclass(frozen=True, slots=True)
class UnsignedSdJwtVc:
    """An SD-JWT VC that waits for its issuer's signature."""

    jws: UnsignedJws
    disclosures: tuple[str, ...]

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign with the issuer's key."""
        return self.jws.signing_input

    def attach(self, signature: bytes) -> str:
        """Return the SD-JWT with all its disclosures, for the holder."""
        return "~".join((self.jws.attach(signature), *self.disclosures, ""))


class SdJwtVcBatch:
    """One dataset as SD-JWT VC, any number of times; arguments and errors are those of `prepare_sd_jwt_vc`."""

    def __init__(  # noqa: PLR0913 (each is one claim or header parameter of the credentials)
        self,
        claims: Mapping[str, Any],
        *,
        vct: str,
        disclosable: Paths,
        algorithm: str,
        x5c: Sequence[bytes] = (),
        kid: str | None = None,
        issued_at: datetime | None = None,
        expires_at: datetime | None = None,
        issuer: str | None = None,
        decoys: int = 0,
        header: Mapping[str, Any] | None = None,
    ) -> None:
        if doubled := _ARGUMENTS & claims.keys():
            raise ValueError(f"claims that arguments set: {', '.join(sorted(doubled))}")
        self._claims = Concealment(claims, disclosable=disclosable, always_disclosed=ALWAYS_DISCLOSED, decoys=decoys)
        registered: dict[str, Any] = {
            "iss": issuer,
            "iat": _seconds(issued_at),
            "exp": _seconds(expires_at),
            "vct": vct,
        }
        self._registered = {name: value for name, value in registered.items() if value is not None}
        parameters = {"kid": kid, "x5c": x5c_header(x5c) or None}
        protected = {name: value for name, value in parameters.items() if value is not None} | dict(header or {})
        # The header with its dot: what is signed, before there is a payload.
        self._head = prepare_jws(b"", algorithm=algorithm, typ=TYPE, header=protected).signing_input

    def prepare(self, *, holder_key: Jwk | None, status: StatusReference | None = None) -> UnsignedSdJwtVc:
        """Prepare one credential for signing."""
        concealed, disclosures = self._claims.copy()
        payload = dict(self._registered)
        if holder_key is not None:
            payload["cnf"] = {"jwk": _public(holder_key)}
        if status is not None:
            payload["status"] = status.to_claim()
        body = b64u_encode_bytes(json_dumps(payload | concealed))
        return UnsignedSdJwtVc(UnsignedJws(self._head + body), tuple(disclosures))


def _public(jwk: Jwk) -> dict[str, Any]:
    """Return a holder's key with nothing but the key; it was loaded when its proof was verified."""
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("expected the holder's public JWK, got a private one")
    return {name: jwk[name] for name in _KEY_MEMBERS if name in jwk}


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
