"""What a service wants to know, asked with the least data and answered from what was shown.

"Is this person over 18?" asks for `age_equal_or_over.18` (PID as SD-JWT VC) or `age_over_18` (mdocs), not for the date
of birth; "does this person live in …" asks for country and locality, not for the address. An answer is True or False
only if something that was shown says so, else None: whoever shows nothing is not young.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from byoid.presentation.dcql import MSO_MDOC, SD_JWT_VC

PID_VCT: Final = "urn:eudi:pid:1"
PID_DOCTYPE: Final = "eu.europa.ec.eudi.pid.1"
MDL_DOCTYPE: Final = "org.iso.18013.5.1.mDL"
MDL_NAMESPACE: Final = "org.iso.18013.5.1"
_NAMESPACES: Final = {PID_DOCTYPE: PID_DOCTYPE, MDL_DOCTYPE: MDL_NAMESPACE}
_BIRTH: Final = ("birthdate", "birth_date")


def ask_age(over: int, *, query_id: str = "pid", format: str = SD_JWT_VC, doctype: str = PID_DOCTYPE) -> dict[str, Any]:
    """Return a credential query that asks whether a person is at least so old, and falls back to the date of birth.

    The wallet takes the first set of claims that it can show, which is the age alone.
    """
    if format == SD_JWT_VC:
        wanted, birth = ["age_equal_or_over", str(over)], ["birthdate"]
    else:
        wanted, birth = [_NAMESPACES[doctype], f"age_over_{over:02d}"], [_NAMESPACES[doctype], "birth_date"]
    claims = [{"id": "age", "path": wanted}, {"id": "birth", "path": birth}]
    return {**_credential(query_id, format, doctype), "claims": claims, "claim_sets": [["age"], ["birth"]]}


def ask_age_and_residence(
    over: int, *, query_id: str = "pid", format: str = SD_JWT_VC, doctype: str = PID_DOCTYPE, locality: bool = False
) -> dict[str, Any]:
    """Return one credential query that asks both, so that one credential answers and nothing need bind two.

    A wallet holds copies of a credential with a key each, so two queries for it are seldom answered with one key.
    """
    age = ask_age(over, query_id=query_id, format=format, doctype=doctype)
    home = ask_residence(query_id=query_id, format=format, doctype=doctype, locality=locality)
    claims = [{"id": f"home{number}", **each} for number, each in enumerate(home["claims"])]
    ids = [each["id"] for each in claims]
    return {**age, "claims": age["claims"] + claims, "claim_sets": [[*each, *ids] for each in age["claim_sets"]]}


def ask_residence(
    *, query_id: str = "pid", format: str = SD_JWT_VC, doctype: str = PID_DOCTYPE, locality: bool = False
) -> dict[str, Any]:
    """Return a credential query that asks in which country, and if wanted in which place, a person lives."""
    if format == SD_JWT_VC:
        paths = [["address", "country"], ["address", "locality"]]
    else:
        namespace = _NAMESPACES[doctype]
        paths = [[namespace, "resident_country"], [namespace, "resident_city"]]
    return {
        **_credential(query_id, format, doctype),
        "claims": [{"path": path} for path in paths[: 2 if locality else 1]],
    }


@dataclass(frozen=True)
class Answers:
    """Answers from `credentials` that were accepted: by `verify_vp_token`, in a transaction, over the HTTP API."""

    credentials: Mapping[str, Iterable[Any]]

    def is_over(self, years: int, *, today: date) -> bool | None:
        """Tell whether the person is at least `years` old; None if nothing that was shown says so.

        An age that was attested for more years proves fewer, one that was denied for fewer years disproves more.
        """
        for claims in self._claims():
            if (born := _date(claims)) is not None:
                return _age(born, today) >= years
            verdicts = _attested_ages(claims)
            if any(holds and n >= years for n, holds in verdicts.items()):
                return True
            if any(not holds and n <= years for n, holds in verdicts.items()):
                return False
        return None

    def lives_in(self, country: str, locality: str | None = None) -> bool | None:
        """Tell whether the person lives in a country (ISO 3166-1 alpha-2), and there in a place; None if unknown."""
        for claims in self._claims():
            found = _residence(claims)
            if found is None or (locality is not None and found[1] is None):
                continue
            here = found[0].upper() == country.upper()
            return here and (locality is None or str(found[1]).casefold() == locality.casefold())
        return None

    def _claims(self) -> Iterable[Mapping[str, Any]]:
        """Return the claims of each credential; an mdoc's by element, of the namespace that is about the person."""
        for presentations in self.credentials.values():
            for each in presentations:
                format, type_, claims = _shown(each)
                yield claims.get(_NAMESPACES.get(type_, ""), {}) if format == MSO_MDOC else claims


def _credential(query_id: str, format: str, doctype: str) -> dict[str, Any]:
    meta = {"vct_values": [PID_VCT]} if format == SD_JWT_VC else {"doctype_value": doctype}
    return {"id": query_id, "format": format, "meta": meta}


def _shown(each: Any) -> tuple[str, str, Mapping[str, Any]]:
    """Return format, type and claims of a credential: JSON has them as members, the library's types as attributes."""
    if isinstance(each, Mapping):
        return each["format"], each["type"], each["claims"]
    return each.format, each.type, each.claims


def _date(claims: Mapping[str, Any]) -> date | None:
    found = next((claims[name] for name in _BIRTH if name in claims), None)
    if isinstance(found, date):  # a CBOR date, where the claims are an mdoc's own
        return found
    try:
        return date.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _attested_ages(claims: Mapping[str, Any]) -> dict[int, bool]:
    nested = claims.get("age_equal_or_over")
    named = dict(nested) if isinstance(nested, Mapping) else {}
    named |= {name.removeprefix("age_over_"): value for name, value in claims.items() if name.startswith("age_over_")}
    return {int(years): holds for years, holds in named.items() if years.isdecimal() and isinstance(holds, bool)}


def _residence(claims: Mapping[str, Any]) -> tuple[str, str | None] | None:
    address = claims.get("address")
    if isinstance(address, Mapping):
        country, locality = address.get("country"), address.get("locality")
    else:
        country, locality = claims.get("resident_country"), claims.get("resident_city")
    return (country, locality) if isinstance(country, str) else None
