"""A citizen's rights towards a service: "delete my data" and "report this service", from an entry of the history.

ARF TS7 (data deletion requests: web form, e-mail draft, telephone), TS8 (reports to the authority, with an excerpt that
a machine can read), DATA_DLT_01 to 08, RPT_DPA_01 to 06. The wallet prepares; the citizen sends it themselves, so that
nothing leaves that they don't see. That they did is in the history.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote, urlsplit

from wallet.cards import SealedValue
from wallet.context import Visit, Wallet
from wallet.history import Entry, HistoryItem, Transaction, record, to_ts10

_MAX_TEXT: Final = 1500  # what mail programs still take in a link


class Way(StrEnum):
    """How a party can be reached."""

    WEB = "web"
    MAIL = "mail"
    PHONE = "phone"


class Contact(SealedValue):
    """A way to reach somebody; `link` opens it, a mail with subject and text filled in."""

    way: Way
    address: str
    link: str


class Draft(SealedValue):
    """A text for the citizen to send; the pages have it in their language."""

    subject: str
    text: str


def deletion_contacts(item: HistoryItem, draft: Draft) -> list[Contact]:
    """Return how to ask the service of an entry to delete data; empty where its certificate names no way."""
    return list(_contacts(item.entry.party.contact, draft))


def authority_contacts(item: HistoryItem, draft: Draft) -> list[Contact]:
    """Return how to reach the authority that supervises the service of an entry."""
    return list(_contacts(item.entry.party.dpa_contact, draft))


def evidence(item: HistoryItem) -> dict[str, Any]:
    """Return what a machine may read about the matter: the entry, and what the wallet warned of; no values."""
    return {"transaction": to_ts10(item.entry), "warnings": list(item.entry.warnings)}


def shared_names(item: HistoryItem) -> list[str]:
    """Return the names of what was shown, for a draft."""
    paths = (path for each in item.entry.list_of_claims_presented for path in each.claims)
    return list(dict.fromkeys(".".join(str(part) for part in path if part is not None) for path in paths))


def default_deletion(item: HistoryItem, *, names: Sequence[str] = ()) -> Draft:
    """Return a request for deletion in English; with `names` for these data only."""
    wanted = ", ".join(names or shared_names(item)) or "all data"
    day = f"{item.entry.time:%Y-%m-%d}"
    text = (
        f"Dear Sir or Madam,\n\non {day} I showed you data from my identity wallet: {wanted}.\n"
        "I ask you to delete these data (Article 17 of Regulation (EU) 2016/679) and to confirm that you have done so."
    )
    return Draft(subject=f"Request to delete my data of {day}", text=text)


def default_report(item: HistoryItem) -> Draft:
    """Return a report to the authority in English."""
    party, day = item.entry.party, f"{item.entry.time:%Y-%m-%d}"
    identifiers = ", ".join(each.identifier for each in party.identifier)
    warnings = ", ".join(item.entry.warnings) or "none"
    text = (
        f"Dear Sir or Madam,\n\non {day} the service {party.name} {identifiers} asked for data from my identity wallet."
        f"\nMy wallet warned of: {warnings}.\nI consider this request unlawful or suspicious, and report it to you."
    )
    return Draft(subject=f"Report about {party.name}", text=text)


async def note_deletion_request(wallet: Wallet, visit: Visit, item: HistoryItem) -> str:
    """Note that the citizen asked for deletion (DATA_DLT_06)."""
    return await _note(wallet, visit, item, Transaction.DATA_DELETION_REQUEST)


async def note_report(wallet: Wallet, visit: Visit, item: HistoryItem) -> str:
    """Note that the citizen reported the service (RPT_DPA_06)."""
    return await _note(wallet, visit, item, Transaction.DPA_REPORT)


async def _note(wallet: Wallet, visit: Visit, item: HistoryItem, transaction: Transaction) -> str:
    noted = Entry(
        transaction_type=transaction,
        time=wallet.clock(),
        party=item.entry.party,
        list_of_claims_presented=item.entry.list_of_claims_presented,
        about=item.id,
    )
    async with wallet.contents.transaction() as tx:
        return await record(visit.contents, tx, noted)


def _contacts(addresses: Sequence[str], draft: Draft) -> Iterable[Contact]:
    for address in addresses:
        parts = urlsplit(address)
        match parts.scheme:
            case "https" if parts.hostname:
                yield Contact(way=Way.WEB, address=address, link=address)
            case "mailto" if "@" in parts.path:  # whatever else the certificate's address would fill in is left out
                text = quote(draft.text[:_MAX_TEXT])
                link = f"mailto:{quote(parts.path, safe='@.+-_')}?subject={quote(draft.subject)}&body={text}"
                yield Contact(way=Way.MAIL, address=parts.path, link=link)
            case "tel" if parts.path:
                yield Contact(way=Way.PHONE, address=parts.path, link=f"tel:{quote(parts.path, safe='+')}")
            case _:
                continue
