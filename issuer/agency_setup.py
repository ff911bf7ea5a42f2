"""How the agency's side is put together from settings and files; `app.py` calls it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx2

from byoid.service.audit import AuditLog
from byoid.service.database import Database
from byoid.service.outbox import Destination, Outbox
from byoid.service.seal import Sealer
from byoid.service.settings import SettingsError
from issuer.agency import Agency
from issuer.agency_store import AgencyStore
from issuer.agency_tables import audit, outbox
from issuer.attributes import AttributeSource
from issuer.context import Issuer
from issuer.keys import Hsm, KeyRing
from issuer.post import Post
from issuer.recognition import PersonRecognition
from issuer.recognitions import load_recognition
from issuer.settings import IssuerSettings
from issuer.sources.factory import load_source
from issuer.sources.sql import SqlSource
from issuer.webhooks import Webhooks


@dataclass(frozen=True)
class AgencyParts:
    """What the agency's side has before there is an issuer."""

    store: AgencyStore
    sealer: Sealer
    audit: AuditLog
    outbox: Outbox
    webhooks: Webhooks

    def agency(self, issuer: Issuer) -> Agency:
        """Return the agency's side of this issuer."""
        types = {each.type.id: each.type for each in issuer.configurations.values()}
        post = Post(agency=issuer.settings.agency_name, types=types)
        return Agency(issuer, self.store, self.audit, self.outbox, self.webhooks, post)


def agency_parts(
    settings: IssuerSettings, database: Database, *, sealer: Sealer, http: httpx2.AsyncClient
) -> AgencyParts:
    """Make the agency's store, journal and webhooks."""
    store = AgencyStore(database, settings.agency_id)
    directory: list[Webhooks] = []

    async def find(receiver: str) -> Destination | None:
        return await directory[0].destination(receiver)

    box = Outbox(outbox, sealer=sealer, client=http, find=find)
    codes = None
    if settings.code_webhook_url is not None and settings.code_webhook_secret is not None:
        codes = Destination(settings.code_webhook_url, settings.code_webhook_secret.get_secret_value())
    directory.append(Webhooks(store, sealer, box, codes=codes))
    return AgencyParts(store, sealer, AuditLog(audit, sealer), box, directory[0])


def key_ring(settings: IssuerSettings) -> KeyRing:
    """Open the agency's keys.

    Raises:
        MalformedInput: a key, its certificate or the HSM cannot be used.
    """
    password = settings.key_password.get_secret_value().encode() if settings.key_password else None
    return KeyRing(settings.keys, password=password, hsm=hsm_opener(settings))


def hsm_opener(settings: IssuerSettings) -> Callable[[], Hsm] | None:
    """Return what opens the HSM, where the settings have one."""
    library, pin = settings.hsm_library, settings.hsm_pin
    if library is None or pin is None:
        return None

    def open_hsm() -> Hsm:
        from issuer.hsm import Pkcs11Hsm  # the extra [hsm]

        return Pkcs11Hsm.open(library=str(library), token=settings.hsm_token, pin=pin.get_secret_value())

    return open_hsm


@asynccontextmanager
async def configured_source(
    settings: IssuerSettings, *, http: httpx2.AsyncClient, clock: Callable[[], datetime]
) -> AsyncIterator[AttributeSource]:
    """Make the authentic source that the settings name, and close it in the end.

    Raises:
        SettingsError: they name none.
        TypeFileInvalid: its file breaks a rule.
    """
    if settings.source is None:
        raise SettingsError(["ISSUER_SOURCE: expected a file that says where the facts about people come from"])
    source = load_source(settings.source, client=http, clock=clock)
    try:
        yield source
    finally:
        if isinstance(source, SqlSource):
            await source.close()


def configured_recognition(
    settings: IssuerSettings, parts: AgencyParts, *, http: httpx2.AsyncClient, clock: Callable[[], datetime]
) -> PersonRecognition | None:
    """Make the recognition of people that the settings name, if they name one.

    Raises:
        TypeFileInvalid: its file breaks a rule.
    """
    if settings.recognition is None:
        return None
    return load_recognition(
        settings.recognition, settings=settings, store=parts.store, sealer=parts.sealer, http=http, clock=clock
    )
