"""Clients that an operator registers by file: one TOML or JSON file each, in a folder.

    client_id = "wallet.example"
    authentication = "private_key_jwt"    # or "tls_client_auth", "self_signed_tls_client_auth"
    redirect_uris = ["https://wallet.example/callback"]
    [[jwks.keys]]                         # private_key_jwt: the public keys
    kty = "EC"
    ...

With mTLS, `certificates` lists SHA-256 thumbprints (`x5t#S256`), or `subject` names the subject as RFC 4514 writes it,
for certificates whose chain the proxy has verified: it says `Client-Cert-Verified: SUCCESS`, and lets nobody else say
so. A wallet that authenticates by attestation may be registered as well, only to narrow its `redirect_uris`.
RFC 7591 2 gives the names, RFC 8705 2 the two ways of mTLS.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from byoid.encoding import json_loads
from byoid.errors import MalformedInput
from byoid.keys import PublicKey
from byoid.oauth.authorization import require_redirect_uri


class Jwks(BaseModel):
    """Public keys of a client."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    keys: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)]


class RegisteredClient(BaseModel):
    """One client."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    client_id: Annotated[str, Field(min_length=1)]
    authentication: Literal[
        "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "attest_jwt_client_auth"
    ]
    redirect_uris: tuple[str, ...] = ()
    jwks: Jwks | None = None
    certificates: tuple[str, ...] = ()
    subject: str | None = None

    @model_validator(mode="after")
    def _has_what_its_way_needs(self) -> Self:
        if self.authentication == "private_key_jwt" and self.jwks is None:
            raise ValueError("private_key_jwt needs jwks")
        if self.authentication == "tls_client_auth" and not (self.subject or self.certificates):
            raise ValueError("tls_client_auth needs subject or certificates")
        if self.authentication == "self_signed_tls_client_auth" and not self.certificates:
            raise ValueError("self_signed_tls_client_auth needs certificates")
        for uri in self.redirect_uris:
            require_redirect_uri(uri)
        for jwk in self.jwks.keys if self.jwks else ():
            PublicKey.from_jwk(jwk)
        return self

    def key(self, key_id: object) -> PublicKey | None:
        """Return the key that an assertion names by `kid`; the only key needs no name."""
        keys = self.jwks.keys if self.jwks else ()
        found = [jwk for jwk in keys if jwk.get("kid") == key_id]
        if not found and key_id is None and len(keys) == 1:
            found = [keys[0]]
        return PublicKey.from_jwk(found[0]) if len(found) == 1 else None


def load_clients(folder: Path | None) -> Mapping[str, RegisteredClient]:
    """Read all clients of a folder.

    Raises:
        MalformedInput: a file cannot be read or breaks a rule, or two have one id; the message names the file.
    """
    clients: dict[str, RegisteredClient] = {}
    for path in sorted(folder.iterdir()) if folder else ():
        if path.suffix not in {".toml", ".json"}:
            continue
        client = _load(path)
        if client.client_id in clients:
            raise MalformedInput(f"client file {path.name}: the client_id is taken by another file")
        clients[client.client_id] = client
    return clients


def _load(path: Path) -> RegisteredClient:
    try:
        text = path.read_text("utf-8")
        members = tomllib.loads(text) if path.suffix == ".toml" else json_loads(text)
        return RegisteredClient.model_validate(members)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, MalformedInput) as error:
        raise MalformedInput(f"client file {path.name}: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'client'}: {e['msg']}" for e in error.errors())
        raise MalformedInput(f"client file {path.name}: {mistakes}") from None
