"""The part of a form that says what is offered and how it is delivered: the same for one person and for many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from byoid.errors import OAuthError
from byoid.service.i18n import LANGUAGES
from byoid.wire_errors import InvalidRequest
from issuer.agency_offers import OfferOrder
from issuer.credential_types import in_language
from issuer.delivery import Channel
from issuer.web.office.visit import Visit

_FORMATS: Final = {"dc+sd-jwt": "SD-JWT VC", "mso_mdoc": "mdoc"}
_SAME_WAY: Final = "The code must go another way than the offer."
_INCOMPLETE: Final = "Choose at least one credential, and a number of days from 1 to 365."


@dataclass(frozen=True)
class Choice:
    """A credential configuration that can be offered."""

    id: str
    name: str
    format: str


def order_of(visit: Visit) -> OfferOrder:
    """Return the order that a form holds.

    Raises:
        InvalidRequest: it is not complete, or contradicts itself.
    """
    fields = visit.fields
    delivery = {name: fields.get(name, default) for name, default in _delivery(visit).items()}
    if delivery["offer"] == delivery["code"] != Channel.NONE:
        raise InvalidRequest(_SAME_WAY)
    wanted: dict[str, Any] = {
        "configuration_ids": visit.chosen, "tx_code": "tx_code" in fields, "delivery": delivery,
        "lifetime_days": fields.get("lifetime_days") or None,
    }  # fmt: skip
    try:
        return OfferOrder.model_validate(wanted)
    except ValidationError as error:
        raise InvalidRequest(_INCOMPLETE) from error


def order_view(visit: Visit, problem: OAuthError | None = None) -> Mapping[str, Any]:
    """Return what a template needs for this part: what can be chosen, what was chosen, and what is wrong."""
    settings, fields = visit.agency.issuer.settings, visit.fields
    ways = [Channel.NONE, Channel.LETTER, *([Channel.EMAIL] if settings.smtp_url else [])]
    return {
        "choices": [
            Choice(each.id, in_language(each.type.name, visit.language), _FORMATS[each.format])
            for each in visit.agency.issuer.configurations.values()
        ],
        "chosen": visit.chosen,
        "ways": ways,
        "code_ways": [*ways, *([Channel.WEBHOOK] if settings.code_webhook_url else [])],
        "languages_of_post": LANGUAGES,
        "filled": {"person": "", "lifetime_days": "", **_delivery(visit), **fields},
        "with_code": not fields or "tx_code" in fields,
        "lifetime": settings.offer_lifetime.days,
        "problem": problem.description if problem else None,
    }


def _delivery(visit: Visit) -> dict[str, str]:
    return {"offer": Channel.NONE, "code": Channel.NONE, "language": visit.language}
