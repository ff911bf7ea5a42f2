"""The history in plain words: what was agreed to, what was on a card, and a report that says only what happened."""

from datetime import UTC, datetime
from typing import Any

from byoid.service.i18n import Catalogue
from wallet.content_tables import Kind
from wallet.contents import Kept
from wallet.history import ClaimNames, Entry, HistoryItem, Party, PartyIdentifier, Transaction
from wallet.web.history_views import confirm_entry_deletion, entry_view, report_draft

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ENGLISH = Catalogue("en", {})
NUMBER = PartyIdentifier(type="http://data.europa.eu/eudi/id/EUID", identifier="NTRDE-HRB100")


def item(*, identifier: tuple[PartyIdentifier, ...] = (), **entry: Any) -> HistoryItem:
    party = Party(key="k", name="Library", identifier=identifier)
    found = Entry(**{"transaction_type": Transaction.PRESENTATION, "time": NOW, "party": party, **entry})
    return HistoryItem(found, Kept("e", Kind.HISTORY, None, 1, {}, None))


def test_a_transaction_is_named_as_people_name_it() -> None:
    logged = ("urn:eudi:sca:payment:1 8D8AC610", "urn:eudi:sca:account_access:1")

    view = entry_view(item(transactional_data=logged), {}, ENGLISH)

    assert view.transactions == ("A payment (8D8AC610)", "Access to your accounts")


def test_what_is_about_the_credential_is_not_called_something_on_the_card() -> None:
    claims = ClaimNames(credential_identifier="t", claims=(("vct",), ("family_name",), ("status",), ("exp",)))

    view = entry_view(item(transaction_type=Transaction.ISSUANCE, list_of_claims_requested=(claims,)), {}, ENGLISH)

    assert [each.names for each in view.requested] == [("Family name",)]


def test_a_report_says_what_was_asked_and_warned_of() -> None:
    claims = ClaimNames(credential_identifier="t", claims=(("family_name",), ("picture",)))
    asked = item(identifier=(NUMBER,), list_of_claims_requested=(claims,), warnings=("asks-more", "biometric"))

    draft = report_draft(asked, {}, ENGLISH)

    assert draft.subject == "Report about Library (NTRDE-HRB100)"
    assert draft.text.endswith(
        "report it to you.\n\nData asked for: Family name, Picture.\n\nMy wallet warned me: They ask for more than "
        "they have registered, They ask for your photo."
    )


def test_a_report_about_somebody_unknown_without_a_warning_has_no_gaps() -> None:
    draft = report_draft(item(), {}, ENGLISH)

    assert draft.subject == "Report about Library"
    assert "the service Library asked for data" in draft.text
    assert draft.text.endswith("report it to you.")


def test_an_entry_is_not_deleted_by_one_tap() -> None:
    confirm = confirm_entry_deletion("e", ENGLISH)

    assert (confirm.back, confirm.action) == ("/history/e", "/history/e/deletion")
    assert "no longer prove" in confirm.paragraphs[0]
