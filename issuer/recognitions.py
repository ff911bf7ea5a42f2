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
claim = ["personal_administrative_number"]  # where the register's key of the person stands
purpose = "pid"                       # as what its issuer must be trusted (ISSUER_TRUST); else as its type demands
key = "access.key"                    # our access certificate and its key, beside this file
chain = "access.pem"
wallets = ["https://wallet.example/authorize"]  # web wallets; others are reached by openid4vp://
[query]                               # what is asked, in DCQL (OpenID4VP 6)
[[query.credentials]]
id = "pid"
format = "dc+sd-jwt"
meta = { vct_values = ["urn:eudi:pid:1"] }
claims = [{ path = ["personal_administrative_number"] }]
"""

import tomllib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx2
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from byoid.errors import MalformedInput
from byoid.fetch import StatusListCache
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party import Client, Policy, RelyingParty
from byoid.relying_party.sql import SqlTransactions
from byoid.relying_party.transaction import TransactionStore
from byoid.service.seal import Sealer
from byoid.service.trust_files import load_signer, load_trust
from byoid.trust.anchors import Purpose
from issuer.agency_store import AgencyStore
from issuer.agency_tables import transactions
from issuer.credential_types import TypeFileInvalid
from issuer.people import Accounts
from issuer.recognition import PersonRecognition
from issuer.recognition_oidc import OpenIdProvider, Registration
from issuer.recognition_wallet import PATH, POLICY, ByState, WalletRecognition
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


class _Wallet(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["wallet"]
    name: str
    claim: Annotated[tuple[str, ...], Field(min_length=1)]
    purpose: Purpose | None = None
    key: str
    chain: str
    wallets: tuple[str, ...] = ()
    query: dict[str, Any]

    def recognition(
        self, folder: Path, settings: IssuerSettings, store: TransactionStore, statuses: StatusListCache,
        clock: Callable[[], datetime],
    ) -> WalletRecognition:  # fmt: skip
        """Make the relying party that asks."""
        anchors, url = load_trust(settings.trust), settings.public_url + PATH
        policy = Policy.of(self.query, X509Trust(anchors, self.purpose), status_anchors=anchors)
        client = Client.x509_hash(load_signer(folder / self.key, folder / self.chain))
        party = RelyingParty(
            client, url, policies={POLICY: policy}, store=ByState(store), statuses=statuses, clock=clock
        )
        return WalletRecognition(self.name, party, url=url, claim=self.claim, wallets=self.wallets)


_ANY: TypeAdapter[_Accounts | _Oidc | _Wallet] = TypeAdapter(
    Annotated[_Accounts | _Oidc | _Wallet, Field(discriminator="kind")]
)


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
            case _Wallet():
                rows = SqlTransactions(store.database, transactions, sealer)
                return found.recognition(path.parent, settings, rows, StatusListCache(http), clock)
    except MalformedInput as error:
        raise TypeFileInvalid(f"{path.name}: {error}") from None
    except ValidationError as error:
        raise TypeFileInvalid.of(path, error) from None
    except (OSError, ValueError) as error:
        raise TypeFileInvalid(f"{path.name}: {error}") from None
