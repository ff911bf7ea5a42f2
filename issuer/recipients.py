"""To whom an offer goes: the person, or for a minor the guardian whom the register names."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from byoid.wire_errors import InvalidRequest, TemporarilyUnavailable, ascii_text
from issuer.attributes import NotReady, PersonUnknown, Record, Refused, SourceUnavailable
from issuer.context import Issuer

_OF_AGE: Final = 18


@dataclass(frozen=True)
class Recipient:
    """Where a person can be reached, as far as the register knows; `guardian` if it is a minor's guardian."""

    name: str = ""
    email: str | None = None
    address: str | None = None
    guardian: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, for a sealed row."""
        return {"name": self.name, "email": self.email, "address": self.address, "guardian": self.guardian}


async def recipient_of(issuer: Issuer, person: str, credential_type: str) -> Recipient:
    """Ask the register where a person can be reached.

    Raises:
        InvalidRequest: the register has nobody with this key, refuses, or a minor has no guardian there.
        TemporarilyUnavailable: the register does not answer, or prepares the record.
    """
    try:
        record = await issuer.source.record(person, credential_type)
        if not is_minor(record, today=issuer.clock().date()):
            return _recipient(record, guardian=False)
        guardian = record.get("guardian")
        if not guardian:
            raise InvalidRequest("the register names no guardian of this minor")
        return _recipient(await issuer.source.record(str(guardian), credential_type), guardian=True)
    except (PersonUnknown, Refused) as error:
        raise InvalidRequest(ascii_text(str(error))) from error
    except (SourceUnavailable, NotReady) as error:
        raise TemporarilyUnavailable("the register does not answer, try again later", detail=str(error)) from error


def is_minor(record: Record, *, today: date) -> bool:
    """Tell whether the person of a record is a minor; without a date of birth, nobody is."""
    born = record.get("birth_date")
    if not isinstance(born, date):
        return False
    return (today.year - born.year, today.month, today.day) < (_OF_AGE, born.month, born.day)


def _recipient(record: Record, *, guardian: bool) -> Recipient:
    name = " ".join(str(record[part]) for part in ("given_name", "family_name") if record.get(part))
    return Recipient(name, record.get("email"), record.get("resident_address"), guardian)
