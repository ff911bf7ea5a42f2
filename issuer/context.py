"""Everything that an operation of the issuer may use, made once by `app.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.oauth.jwt import Trust
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.service.seal import Sealer
from byoid.signing import Signer
from issuer.attributes import AttributeSource
from issuer.configurations import Configuration
from issuer.settings import IssuerSettings
from issuer.store import Store


@dataclass(frozen=True)
class Signers:
    """The agency's keys, by what they sign."""

    credential: Signer
    document: Signer
    status: Signer
    metadata: Signer


@dataclass(frozen=True)
class Issuer:
    """The issuer of one agency."""

    settings: IssuerSettings
    store: Store
    sealer: Sealer
    signers: Signers
    configurations: Mapping[str, Configuration]
    metadata: CredentialIssuerMetadata
    server: AuthorizationServerMetadata
    source: AttributeSource
    trust: Trust
    clock: Callable[[], datetime]

    @property
    def url(self) -> str:
        """The credential issuer identifier, which is the authorization server's issuer too."""
        return self.settings.public_url

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
