"""Offers that the agency makes: for one person at a time, delivered or handed over. Many at once are in `bulk.py`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from issuer.agency import Agency
from issuer.context import Issuer
from issuer.delivery import Channel, DeliveryOrder, deliver, require_channels, require_reachable
from issuer.offers import CreatedOffer, prepare_offer, require_configurations
from issuer.recipients import Recipient, recipient_of

MAX_LIFETIME_DAYS = 365


class OfferOrder(BaseModel):
    """What is offered, and how: the same for one person and for many."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    configuration_ids: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]
    tx_code: bool = True
    lifetime_days: Annotated[int, Field(ge=1, le=MAX_LIFETIME_DAYS)] | None = None
    delivery: DeliveryOrder = DeliveryOrder()

    @property
    def lifetime(self) -> timedelta | None:
        """How long the offer stands, if not as long as the settings say."""
        return None if self.lifetime_days is None else timedelta(days=self.lifetime_days)


class SingleOffer(OfferOrder):
    """An offer to one person; without a person, the person signs in at the authorization endpoint."""

    person: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    grant: Literal["pre-authorized", "authorization"] = "pre-authorized"


class OfferAnswer(BaseModel):
    """An offer that was made. `tx_code` is here once, and only if nobody else delivers it."""

    id: str
    uri: str
    link: str
    tx_code: str | None
    guardian: bool = Field(description="it goes to the guardian whom the register names")


def require_possible(agency: Agency, order: OfferOrder) -> None:
    """Refuse what this issuer cannot offer or deliver, before anything is made.

    Raises:
        InvalidRequest: an unknown configuration, or a way of delivery without settings.
    """
    require_configurations(agency.issuer, order.configuration_ids)
    require_channels(agency, order.delivery)


async def create(agency: Agency, order: SingleOffer, *, actor: str) -> OfferAnswer:
    """Make one offer.

    Raises:
        InvalidRequest: what is wanted is not possible, or the register has nobody to send it to.
        TemporarilyUnavailable: the register does not answer; no offer was made.
    """
    require_possible(agency, order)
    issuer, types = agency.issuer, credential_types(agency.issuer, order.configuration_ids)
    recipient = await find_recipient(agency, order, order.person, types)
    row, created = prepare_offer(
        issuer, configuration_ids=order.configuration_ids, person=order.person, tx_code=order.tx_code,
        grant=order.grant, lifetime=order.lifetime,
    )  # fmt: skip
    async with issuer.store.transaction() as tx:
        await issuer.store.add_offers(tx, [row])
        await deliver(
            agency, tx, created, order=order.delivery, recipient=recipient, types=types, expires_at=row["expires_at"]
        )
        await agency.note(tx, "offer.created", actor=actor, types=types, **_whom(row))
    return OfferAnswer(
        id=created.id, uri=created.uri, link=created.link(), tx_code=shown_code(created, order),
        guardian=recipient.guardian,
    )  # fmt: skip


def credential_types(issuer: Issuer, configuration_ids: Sequence[str]) -> list[str]:
    """Return the types of configurations, each once."""
    return list(dict.fromkeys(issuer.configurations[each].type.id for each in configuration_ids))


async def find_recipient(agency: Agency, order: OfferOrder, person: str | None, types: Sequence[str]) -> Recipient:
    """Return to whom it goes; the register is asked only if something is delivered.

    Raises:
        InvalidRequest: nobody can be reached.
        TemporarilyUnavailable: the register does not answer.
    """
    if person is None or not order.delivery.needs_recipient:
        return Recipient()
    recipient = await recipient_of(agency.issuer, person, types[0])
    require_reachable(order.delivery, recipient)
    return recipient


def shown_code(created: CreatedOffer, order: OfferOrder) -> str | None:
    """Return the transaction code for who asked, unless it goes another way."""
    return created.tx_code if order.delivery.code is Channel.NONE else None


def _whom(row: dict[str, Any]) -> dict[str, str]:
    return {} if row["person_hash"] is None else {"person": row["person_hash"].hex()}
