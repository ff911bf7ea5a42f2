"""Everything that an operation of the issuer may use, made once by `app.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from byoid.encoding import json_dumps
from byoid.fetch import StatusListCache
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.keys import PrivateKey
from byoid.oauth.jwt import Trust
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.service.pages import Pages
from byoid.service.seal import Sealer
from byoid.signing import Signer
from issuer.attributes import AttributeSource
from issuer.configurations import Configuration
from issuer.events import Events
from issuer.guesses import SignInGuard
from issuer.keys import KeyRing, Signers
from issuer.recognition import PersonRecognition
from issuer.registered_clients import RegisteredClient
from issuer.settings import IssuerSettings
from issuer.store import Store
from issuer.type_documents import TypeDocument

if TYPE_CHECKING:
    from issuer.status_lists import OpenLists
    from issuer.status_serving import ServedLists


@dataclass(frozen=True)
class Issuer:
    """The issuer of one agency."""

    settings: IssuerSettings
    store: Store
    sealer: Sealer
    keys: KeyRing
    configurations: Mapping[str, Configuration]
    types: Mapping[str, TypeDocument]
    metadata: CredentialIssuerMetadata
    server: AuthorizationServerMetadata
    source: AttributeSource
    trust: Trust
    statuses: StatusListCache  # of wallets and their keys
    clients: Mapping[str, RegisteredClient]
    recognition: PersonRecognition | None
    guesses: SignInGuard  # of people at the authorization endpoint
    office_guesses: SignInGuard  # of clerks
    pages: Pages
    encryption_keys: Mapping[str, PrivateKey]  # by `kid`
    events: Events
    open_lists: "OpenLists"
    served_lists: "ServedLists"
    clock: Callable[[], datetime]

    @cached_property
    def metadata_json(self) -> bytes:
        """The credential issuer's metadata as they are served."""
        return json_dumps(self.metadata.to_wire())

    @cached_property
    def server_json(self) -> bytes:
        """The authorization server's metadata as they are served."""
        return json_dumps(self.server.to_wire())

    @property
    def url(self) -> str:
        """The credential issuer identifier, which is the authorization server's issuer too."""
        return self.settings.public_url

    @property
    def signers(self) -> Signers:
        """The agency's keys as they are now: take one, and use it for the whole credential."""
        return self.keys.signers

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port of our pages."""
        parts = urlsplit(self.settings.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    def hash(self, purpose: str, value: bytes) -> bytes:
        """Return the keyed hash under which a secret or a person is stored and looked up."""
        return self.sealer.keyed_hash(value, purpose=purpose)

    def seal(self, plaintext: bytes, *, column: str, row: str | bytes) -> bytes:
        """Encrypt a value for its place: `table.column`, and the row's key."""
        table, _, name = column.partition(".")
        return self.sealer.seal(plaintext, table=table, column=name, row_id=_row_id(row))

    def open(self, sealed: bytes, *, column: str, row: str | bytes) -> bytes:
        """Decrypt a value of its place."""
        table, _, name = column.partition(".")
        return self.sealer.open(sealed, table=table, column=name, row_id=_row_id(row))

    def signer_for(self, configuration: Configuration) -> Signer:
        """Return the key that signs credentials of this format."""
        return self.signers.document if configuration.format == "mso_mdoc" else self.signers.credential

    def until(self, lifetime: timedelta) -> datetime:
        """Return the end of a lifetime that begins now."""
        return self.clock() + lifetime


def _row_id(row: str | bytes) -> str:
    return row if isinstance(row, str) else row.hex()
