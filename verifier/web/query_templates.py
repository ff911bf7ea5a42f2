"""Queries to begin with in the playground: each asks for the least that answers its question.

OpenID4VP 1.0 6.1 and 6.2. What may be answered by one of several credentials is a credential set with an option each.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from byoid.presentation.dcql import MSO_MDOC, SD_JWT_VC

FORMATS: Final = (SD_JWT_VC, MSO_MDOC)
PID_VCT: Final = "urn:eudi:pid:1"
PID_DOCTYPE: Final = "eu.europa.ec.eudi.pid.1"
RESIDENCE_VCT: Final = "urn:byoid:residence:1"
RESIDENCE_DOCTYPE: Final = "eu.europa.ec.eudi.cor.1"
MDL_DOCTYPE: Final = "org.iso.18013.5.1.mDL"
MDL_NAMESPACE: Final = "org.iso.18013.5.1"
AGE_DOCTYPE: Final = "eu.europa.ec.av.1"


@dataclass(frozen=True)
class Template:
    """A question. Every group must be answered, each by one of its credential queries, the best one first."""

    id: str
    title: str
    groups: tuple[tuple[dict[str, Any], ...], ...]
    same_person: tuple[dict[str, list[str]], ...] = ()

    def definition(self, formats: Collection[str] = FORMATS) -> dict[str, Any]:
        """Return what a service would define, for wallets that have these formats; all if none of them fits."""
        groups = [_fitting(group, formats) or group for group in self.groups]
        asked = [credential for group in groups for credential in group]
        query: dict[str, Any] = {"credentials": asked}
        if any(len(group) > 1 for group in groups):
            query["credential_sets"] = [{"options": [[each["id"]] for each in group]} for group in groups]
        definition: dict[str, Any] = {"dcql_query": query}
        if self.same_person:
            ids = {each["id"] for each in asked}
            claims = [{name: path for name, path in rule.items() if name in ids} for rule in self.same_person]
            definition["same_person"] = [{"claims": claims}]
        return definition


def _fitting(group: Iterable[dict[str, Any]], formats: Collection[str]) -> tuple[dict[str, Any], ...]:
    return tuple(each for each in group if each["format"] in formats)


def _sd_jwt(query_id: str, vct: str, *paths: list[str]) -> dict[str, Any]:
    return {
        "id": query_id,
        "format": SD_JWT_VC,
        "meta": {"vct_values": [vct]},
        "claims": [{"path": path} for path in paths],
    }


def _mdoc(query_id: str, doctype: str, namespace: str, *elements: str) -> dict[str, Any]:
    claims = [{"path": [namespace, element]} for element in elements]
    return {"id": query_id, "format": MSO_MDOC, "meta": {"doctype_value": doctype}, "claims": claims}


def _same(sd_jwt: str, mdoc: str) -> dict[str, list[str]]:
    """Say where PID and proof of residence name the same fact."""
    return {
        "pid": [sd_jwt], "pid_mdoc": [PID_DOCTYPE, mdoc],
        "residence": [sd_jwt], "residence_mdoc": [RESIDENCE_DOCTYPE, mdoc],
    }  # fmt: skip


_PERSON: Final = (["family_name"], ["given_name"], ["birthdate"])
_PERSON_MDOC: Final = ("family_name", "given_name", "birth_date")

TEMPLATES: Final = {
    each.id: each
    for each in (
        Template("name", "Name, from the personal ID", ((
            _sd_jwt("pid", PID_VCT, ["family_name"], ["given_name"]),
            _mdoc("pid_mdoc", PID_DOCTYPE, PID_DOCTYPE, "family_name", "given_name"),
        ),)),
        Template("age", "Is over 18", ((
            _mdoc("age", AGE_DOCTYPE, AGE_DOCTYPE, "age_over_18"),
            _mdoc("mdl", MDL_DOCTYPE, MDL_NAMESPACE, "age_over_18"),
            _sd_jwt("pid", PID_VCT, ["birthdate"]),
        ),)),
        Template("residence", "Country of residence", ((
            _sd_jwt("pid", PID_VCT, ["address", "country"]),
            _mdoc("pid_mdoc", PID_DOCTYPE, PID_DOCTYPE, "resident_country"),
        ),)),
        Template(
            "person_and_residence", "Personal ID and proof of residence of one person", (
                (_sd_jwt("pid", PID_VCT, *_PERSON), _mdoc("pid_mdoc", PID_DOCTYPE, PID_DOCTYPE, *_PERSON_MDOC)),
                (
                    _sd_jwt("residence", RESIDENCE_VCT, *_PERSON, ["address", "locality"]),
                    _mdoc("residence_mdoc", RESIDENCE_DOCTYPE, RESIDENCE_DOCTYPE, *_PERSON_MDOC, "residence_address"),
                ),
            ),
            same_person=(
                _same("family_name", "family_name"),
                _same("given_name", "given_name"),
                _same("birthdate", "birth_date"),
            ),
        ),
        Template("mdl", "Driving licence", ((
            _mdoc("mdl", MDL_DOCTYPE, MDL_NAMESPACE, "family_name", "given_name", "driving_privileges", "expiry_date"),
        ),)),
    )
}  # fmt: skip
