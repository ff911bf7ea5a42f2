"""A transaction as the citizen sees it: who gets how much first, and nothing of it left out."""

from typing import Any

import pytest

from byoid.service.i18n import Catalogue
from wallet.transactions import ShownLine, ShownTransaction
from wallet.web.claim_lines import Foreign
from wallet.web.request_views import _transaction, _wanted, nearest

PAYMENT = {
    "transaction_id": "8D8A",
    "payee.name": "Library",
    "payee.id": "DE02",
    "currency": "EUR",
    "amount": "1234.50",
}


def shown(type_: str, values: dict[str, str], language: str = "en") -> dict[str, str]:
    lines = tuple(ShownLine(name=name, value=value) for name, value in values.items())
    transaction = ShownTransaction(type=type_, credential_ids=("c",), lines=lines)
    return {line.label: line.text for line in _transaction(transaction, Catalogue(language, {})).lines}


@pytest.mark.parametrize(("language", "amount"), [("en", "1,234.50\u00a0EUR"), ("de", "1.234,50\u00a0EUR")])
def test_a_payment_says_first_who_gets_how_much(language: str, amount: str) -> None:
    found = shown("urn:eudi:sca:payment:1", PAYMENT, language)

    assert list(found.items()) == [
        ("To", "Library"), ("Amount", amount), ("Account or number of the recipient", "DE02"),
        ("Number of the transaction", "8D8A"),
    ]  # fmt: skip


@pytest.mark.parametrize("amount", ["0.00001", "0.125", "10.00", "99999999.99", "9999999999999.99"])
def test_no_digit_of_an_amount_is_lost(amount: str) -> None:
    found = shown("urn:eudi:sca:payment:1", {**PAYMENT, "amount": amount})

    assert found["Amount"].replace(",", "") == f"{amount}\u00a0EUR"


def test_a_mandate_shows_its_payment_and_its_own_number() -> None:
    payment = {f"payment_payload.{name}": value for name, value in PAYMENT.items()}
    values = {**payment, "transaction_id": "M1", "creditor_id": "DE98", "payment_payload.amount_estimated": "yes"}
    lines = tuple(ShownLine(name=name, value=value) for name, value in values.items())
    mandate = ShownTransaction(type="urn:eudi:sca:emandate:1", credential_ids=("c",), lines=lines)

    view: Any = _transaction(mandate, Catalogue("en", {}))

    assert [line.text for line in view.lines] == ["DE98", "M1", "Library", "1,234.50\u00a0EUR", "DE02", "Yes", "8D8A"]


def test_a_member_without_a_word_of_ours_is_shown_under_its_own_name() -> None:
    assert shown("urn:eudi:sca:payment:1", {**PAYMENT, "sct_inst": "no"})["Sct inst"] == "No"


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("eu.europa.ec.eudi.pid.1", "Person identification data"),
        ("org.iso.18013.5.1.mDL", "Driving licence"),
        ("urn:example:diploma:1", "Diploma"),
        ("https://university.example/types/student_card", "Student card"),
        ("1", "1"),
    ],
)
def test_a_card_that_is_missing_has_a_name_that_people_know(type_: str, name: str) -> None:
    assert _wanted(type_, Catalogue("en", {})) == name


def test_a_text_in_another_language_says_which() -> None:
    texts = {"de-AT": "Ausweis", "fr": "Carte"}

    assert nearest(texts, "fr") == "Carte"
    assert not isinstance(nearest(texts, "de"), Foreign)
    found = nearest(texts, "es")
    assert isinstance(found, Foreign)
    assert (found, found.lang) == ("Ausweis", "de-AT")
