"""Answers from what was shown: never more than it says, and None where it says nothing."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.status import StatusVerdict
from byoid.presentation.verify import AcceptedPresentation
from byoid.relying_party.answers import (
    MDL_DOCTYPE,
    PID_DOCTYPE,
    Answers,
    ask_age,
    ask_age_and_residence,
    ask_residence,
)
from byoid.relying_party.messages import CredentialView

TODAY = date(2026, 6, 1)


def shown(claims: dict[str, Any], format: str = "dc+sd-jwt", type_: str = "urn:eudi:pid:1") -> Answers:
    return Answers({"pid": [{"format": format, "type": type_, "claims": claims}]})


@pytest.mark.parametrize(
    ("claims", "years", "expected"),
    [
        ({"age_equal_or_over": {"18": True}}, 18, True),
        ({"age_equal_or_over": {"18": True}}, 16, True),
        ({"age_equal_or_over": {"18": True}}, 21, None),
        ({"age_equal_or_over": {"18": False}}, 18, False),
        ({"age_equal_or_over": {"18": False}}, 21, False),
        ({"age_equal_or_over": {"18": False}}, 16, None),
        ({"age_equal_or_over": {"18": "true"}}, 18, None),
        ({"age_equal_or_over": {"x": True}}, 18, None),
        ({"age_equal_or_over": True}, 18, None),
        ({"birthdate": "2008-06-01"}, 18, True),
        ({"birthdate": "2008-06-02"}, 18, False),
        ({"birthdate": "2008"}, 18, None),
        ({"birthdate": 2008}, 18, None),
        ({"given_name": "Ada"}, 18, None),
    ],
)
def test_whether_somebody_is_over_an_age(claims: dict[str, Any], years: int, expected: bool | None) -> None:
    assert shown(claims).is_over(years, today=TODAY) is expected


@pytest.mark.parametrize(("doctype", "namespace"), [(PID_DOCTYPE, PID_DOCTYPE), (MDL_DOCTYPE, "org.iso.18013.5.1")])
def test_an_mdoc_answers_in_its_own_namespace_only(doctype: str, namespace: str) -> None:
    mdoc = shown({namespace: {"age_over_18": True, "resident_country": "DE"}}, "mso_mdoc", doctype)
    assert mdoc.is_over(18, today=TODAY) is True
    assert mdoc.lives_in("de") is True
    other = shown({"org.example": {"age_over_18": True, "birth_date": "1970-01-01"}}, "mso_mdoc", doctype)
    assert other.is_over(18, today=TODAY) is None


@pytest.mark.parametrize(
    ("claims", "country", "locality", "expected"),
    [
        ({"address": {"country": "DE"}}, "DE", None, True),
        ({"address": {"country": "DE"}}, "FR", None, False),
        ({"address": {"country": "DE"}}, "DE", "Lindenmoor", None),
        ({"address": {"country": "DE", "locality": "LINDENMOOR"}}, "DE", "Lindenmoor", True),
        ({"address": {"country": "DE", "locality": "Moor"}}, "DE", "Lindenmoor", False),
        ({"address": {"country": "AT", "locality": "Lindenmoor"}}, "DE", "Lindenmoor", False),
        ({"address": {"locality": "Lindenmoor"}}, "DE", None, None),
        ({"address": "DE"}, "DE", None, None),
        ({}, "DE", None, None),
    ],
)
def test_whether_somebody_lives_somewhere(
    claims: dict[str, Any], country: str, locality: str | None, expected: bool | None
) -> None:
    assert shown(claims).lives_in(country, locality) is expected


@pytest.mark.parametrize("kind", [AcceptedPresentation, CredentialView])
def test_every_result_of_the_library_can_be_asked(kind: Any) -> None:
    claims = {"birthdate": "2008-06-02", "address": {"country": "DE"}}
    status = StatusVerdict.VALID if kind is AcceptedPresentation else "valid"
    accepted = kind(
        format="dc+sd-jwt", type="urn:eudi:pid:1", claims=claims, issuer="Agency", holder_bound=True, status=status
    )
    answers = Answers({"pid": (accepted,)})
    assert (answers.is_over(18, today=TODAY), answers.lives_in("DE")) == (False, True)


@pytest.mark.parametrize("born", [date(2008, 6, 1), datetime(2008, 6, 1, tzinfo=UTC)])
def test_a_date_of_birth_may_still_be_that_of_an_mdoc(born: date) -> None:
    assert shown({PID_DOCTYPE: {"birth_date": born}}, "mso_mdoc", PID_DOCTYPE).is_over(18, today=TODAY) is True


@pytest.mark.parametrize("format_", ["dc+sd-jwt", "mso_mdoc"])
def test_age_and_residence_are_asked_of_one_credential(format_: str) -> None:
    asked = ask_age_and_residence(18, format=format_, locality=True)
    query = parse_message(DcqlQuery, {"credentials": [asked]})
    preferred, fallback = query.credentials[0].alternatives
    assert [str(claim.path[-1]) for claim in preferred][1:] == [str(claim.path[-1]) for claim in fallback][1:]
    assert "18" in str(preferred[0].path[-1])
    assert "birth" in str(fallback[0].path[-1])
    assert len(preferred) == 3
    assert not query.may_show_several


@pytest.mark.parametrize("format_", ["dc+sd-jwt", "mso_mdoc"])
def test_the_questions_are_queries_that_ask_for_the_least_first(format_: str) -> None:
    query = parse_message(
        DcqlQuery,
        {"credentials": [ask_age(18, format=format_), ask_residence(query_id="home", format=format_, locality=True)]},
    )
    age = query.credential("pid")
    assert age is not None
    assert "18" in str(age.alternatives[0][0].path[-1])
    assert "birth" in str(age.alternatives[1][0].path[-1])
