"""How the agency recognises people, from a file.

kind = "accounts"                     # people.py: names and passwords of our own

kind = "oidc"                         # recognition_oidc.py: an upstream OpenID Provider
name = "eID"                          # what the button on the sign-in page says
issuer = "https://idp.example"
client_id = "issuer"
client_secret = "$IDP_SECRET"         # "$NAME" is taken from the environment
scope = "openid"
claim = "sub"                         # the claim that holds the register's key of the person

kind = "wallet"                       # recognition_wallet.py: a credential shown from the wallet
name = "Wallet"
credential = "pid.toml"               # DCQL query and trust, beside this file
claim = "personal_administrative_number"
key = "access.key"                    # access certificate and its key, beside this file
chain = "access.pem"
"""

import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import httpx2
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from byoid.service.seal import Sealer
from issuer.agency_store import AgencyStore
from issuer.credential_types import TypeFileInvalid
from issuer.people import Accounts
from issuer.recognition import PersonRecognition
from issuer.recognition_oidc import OpenIdProvider, Registration
from issuer.settings import IssuerSettings
from issuer.sources.factory import from_environment


class _Accounts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["accounts"]


class _Oidc(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["oidc"]
    name: str
    issuer: str
    client_id: str
    client_secret: str
    scope: str = "openid"
    claim: str = "sub"


_ANY: TypeAdapter[_Accounts | _Oidc] = TypeAdapter(Annotated[_Accounts | _Oidc, Field(discriminator="kind")])


def load_recognition(  # what the three ways need, each a part of it
    path: Path,
    *,
    settings: IssuerSettings,
    store: AgencyStore,
    sealer: Sealer,
    http: httpx2.AsyncClient,
    clock: Callable[[], datetime],
) -> PersonRecognition:
    """Read a recognition file. Nobody is asked yet.

    Raises:
        TypeFileInvalid: the file breaks a rule; all mistakes at once.
    """
    try:
        found = _ANY.validate_python(tomllib.loads(path.read_text("utf-8")))
        match found:
            case _Accounts():
                return Accounts(store, sealer)
            case _Oidc():
                registration = Registration(
                    issuer=found.issuer, client_id=found.client_id, client_secret=from_environment(found.client_secret),
                    scope=found.scope, claim=found.claim,
                )  # fmt: skip
                return OpenIdProvider(
                    found.name, registration, sealer=sealer, http=http, clock=clock,
                    redirect_uri=f"{settings.public_url}/authorize/return",
                )  # fmt: skip
    except ValidationError as error:
        mistakes = [f"  {'.'.join(map(str, m['loc']))}: {m['msg']}" for m in error.errors(include_url=False)]
        raise TypeFileInvalid("\n".join([f"{path.name}:", *mistakes])) from None
    except (OSError, ValueError) as error:
        raise TypeFileInvalid(f"{path.name}: {error}") from None
