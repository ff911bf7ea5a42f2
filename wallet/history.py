"""The history: every receipt, presentation, refusal, deletion and complaint, as the citizen's own record.

ARF topic 19 (DASH_02 to DASH_06b); the member names are those of the transaction log of ARF TS10 1.2. No entry holds
a value of a claim: names and places only (DASH_03a). Entries are sealed like everything else that the citizen keeps;
nobody but the citizen can delete one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from byoid.errors import MalformedInput
from byoid.service.connection import Connection
from wallet.cards import SealedValue
from wallet.content_tables import Kind
from wallet.contents import Contents, ItemChanged, Kept

MAX_SEARCH: Final = 100
CONTACTS: Final = ("https://", "mailto:", "tel:")  # what a page may link to
_COUNTRY: Final = 2
# Members of TS10 that an entry has under the same name.
_OWN_MEMBERS: Final = frozenset(
    {
        "transactionType", "time", "transactionResult", "reasonOfNoncompletion", "listOfClaimsRequested",
        "listOfClaimsPresented", "purpose", "transactionalData", "credentialNumberRequested", "credentialNumberIssued",
    }
)  # fmt: skip


class Transaction(StrEnum):
    """What an entry is about (TS10 `transactionType`)."""

    PRESENTATION = "Presentation"
    ISSUANCE = "CredentialIssuance"
    REISSUANCE = "CredentialReissuance"
    DELETION = "CredentialDeletion"
    DATA_DELETION_REQUEST = "DataDeletionRequest"
    DPA_REPORT = "DPAReport"
    OTHER = "OtherTransaction"


class Result(StrEnum):
    """How it ended (TS10 `transactionResult`)."""

    COMPLETED = "Completed"
    NOT_COMPLETED = "NotCompleted"


class Reason(StrEnum):
    """Why it was not completed (TS10 `reasonOfNoncompletion`)."""

    SENDING = "sending"  # it is on its way; if this stays, nobody knows whether it arrived
    NO_ANSWER = "no-answer"  # it was sent, and no answer came: it may have arrived
    REFUSED_BY_SERVICE = "refused-by-service"  # it arrived, and the other side did not accept it
    DECLINED = "declined"  # the citizen said no
    NOTHING_FITS = "nothing-fits"  # no card answers what was asked, and the citizen ended it
    BAD_REQUEST = "bad-request"  # the wallet refused what was asked
    FAILED = "failed"  # the issuer did not deliver, or delivered something that is not right


class LogValue(SealedValue):
    """A part of an entry, with the member names of TS10."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)


class Text(LogValue):
    """A text in a language (TS10 `MultiLangString`)."""

    lang: str
    content: str


class PartyIdentifier(LogValue):
    """An identifier of a party, and what kind it is."""

    type: str
    identifier: str


class PrivacyPolicy(LogValue):
    """Where a party says what it does with data."""

    type: str = "privacyPolicy"
    policy_uri: str = Field(alias="policyURI")


class Party(LogValue):
    """Who was on the other side, as its certificate and registration say it.

    `contact` holds mailto, tel or https addresses; `key` is what names the same party again next time.
    """

    key: str
    name: str
    identifier: tuple[PartyIdentifier, ...] = ()
    country: str | None = None
    contact: tuple[str, ...] = ()
    registrar_url: str | None = None
    privacy_policy: str | None = None
    dpa_name: str | None = None
    dpa_country: str | None = None
    dpa_contact: tuple[str, ...] = ()
    intermediary_name: str | None = None
    intermediary_identifier: str | None = None
    signed: bool = True


class ClaimNames(LogValue):
    """Names of claims of one credential (TS10 `ClaimInfo`)."""

    credential_identifier: str
    claims: tuple[tuple[str | int | None, ...], ...] = ()


class Entry(LogValue):
    """One entry. Members that TS10 does not have are at the end.

    For a receipt `list_of_claims_requested` names the credential and the claims in it, and `party` is the issuer.
    """

    transaction_type: Transaction
    time: datetime
    transaction_result: Result = Result.COMPLETED
    reason_of_noncompletion: Reason | None = None
    party: Party
    list_of_claims_requested: tuple[ClaimNames, ...] = ()
    list_of_claims_presented: tuple[ClaimNames, ...] = ()
    purpose: tuple[Text, ...] = ()
    transactional_data: tuple[str, ...] = ()
    credential_number_requested: int | None = None
    credential_number_issued: int | None = None
    is_user_triggered: bool = True
    # Ours: which cards, what the citizen was warned of, what the peer's error code was, and what it belongs to.
    cards: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    about: str | None = None


@dataclass(frozen=True)
class HistoryItem:
    """An entry as it was read."""

    entry: Entry
    kept: Kept

    @property
    def id(self) -> str:
        """Its id."""
        return self.kept.id


async def record(contents: Contents, tx: Connection, entry: Entry) -> str:
    """Keep an entry, in the transaction of what it tells, and return its id."""
    return await contents.add(tx, Kind.HISTORY, entry.to_value())


async def conclude(contents: Contents, item: HistoryItem, **changes: Any) -> HistoryItem:
    """Replace how something ended that was on its way; if the citizen has deleted the entry meanwhile, let it be."""
    entry = item.entry.model_copy(update=changes)
    try:
        async with contents.store.transaction() as tx:
            await contents.change(tx, item.kept, entry.to_value())
    except ItemChanged:
        pass
    return HistoryItem(entry, item.kept)


async def load_history(
    contents: Contents,
    *,
    search: str = "",
    transactions: Collection[Transaction] = (),
    party: str | None = None,
    shown: Callable[["HistoryItem"], str] | None = None,
) -> list[HistoryItem]:
    """Return entries, newest first.

    Args:
        contents: the citizen's.
        search: words that must all occur in who it was, what it was about or why; any case.
        transactions: only these.
        party: only with the party of this key.
        shown: what a page shows of an entry, in the citizen's language; it is searched too.
    """
    words = search[:MAX_SEARCH].casefold().split()
    found = [_item(kept) for kept in await contents.all(Kind.HISTORY)]
    chosen = (
        item
        for item in found
        if (not transactions or item.entry.transaction_type in transactions)
        and (party is None or item.entry.party.key == party)
        and _contains(item.entry, words, shown(item) if shown and words else "")
    )
    return sorted(chosen, key=lambda item: item.entry.time, reverse=True)


async def load_entry(contents: Contents, entry_id: str, *, now: datetime) -> HistoryItem:
    """Return one entry.

    Raises:
        ItemNotFound: there is none.
    """
    return _item(await contents.get(Kind.HISTORY, entry_id, now=now))


async def delete_entry(contents: Contents, entry_id: str) -> bool:
    """Delete an entry, which the citizen may do at any time after a warning (DASH_06a); False if it was gone."""
    async with contents.store.transaction() as tx:
        return await contents.delete(tx, Kind.HISTORY, entry_id)


def to_ts10(entry: Entry) -> dict[str, Any]:
    """Return an entry as an element of TS10's `TransactionLog`; what TS10 doesn't know is left out."""
    value = entry.to_value()
    for ours in ("cards", "warnings", "error", "about"):
        value.pop(ours, None)
    return value | _party_members(value.pop("party"))


def from_ts10(value: Mapping[str, Any]) -> Entry:
    """Read an element of a `TransactionLog`, of this or another wallet; what we don't know is left out.

    Raises:
        MalformedInput: it does not say when, what and with whom.
    """
    try:
        return _entry_of(value)
    except (ValidationError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise MalformedInput(f"expected an entry of a transaction log: {type(error).__name__}") from None


def _entry_of(value: Mapping[str, Any]) -> Entry:
    found = {name: each for name, each in value.items() if name in _OWN_MEMBERS}
    if found.get("transactionType") not in set(Transaction):
        found["transactionType"] = Transaction.OTHER
    if found.get("reasonOfNoncompletion") not in set(Reason):
        found.pop("reasonOfNoncompletion", None)
    entry = Entry.model_validate({**found, "party": _party_of(value)})
    time = entry.time if entry.time.tzinfo else entry.time.replace(tzinfo=UTC)
    return entry.model_copy(update={"time": time.astimezone(UTC)})  # or one at the end of time would break every page


def _party_of(value: Mapping[str, Any]) -> dict[str, Any]:
    contact = [each for each in value.get("interactingPartyContact") or () if isinstance(each, str)]
    identifiers = value.get("interactingPartyIdentifier") or ()
    policy = value.get("privacyPolicy") or {}
    identifier = next((each["identifier"] for each in identifiers), None)
    return {
        "key": f"organisation:{identifier}" if identifier else f"name:{value['interactingPartyName']}",
        "name": value["interactingPartyName"],
        "identifier": [{"type": each["type"], "identifier": each["identifier"]} for each in identifiers],
        "contact": [each for each in contact if each.startswith(CONTACTS)],
        "country": next((each for each in contact if len(each) == _COUNTRY), None),
        "registrarUrl": value.get("registrarURL"),
        "privacyPolicy": policy.get("policyURI"),
        "dpaName": value.get("dpaName"),
        "dpaCountry": value.get("dpaCountry"),
        "dpaContact": value.get("dpaContact") or (),
        "intermediaryName": value.get("intermediaryName"),
    }


def _party_members(party: Mapping[str, Any]) -> dict[str, Any]:
    contact = [each for each in (party.get("country"), *party.get("contact", ())) if each]
    members = {
        "interactingPartyName": party["name"],
        "interactingPartyIdentifier": party.get("identifier") or None,
        "interactingPartyContact": contact or None,
        "isIntermediary": "intermediaryName" in party,
        "intermediaryName": party.get("intermediaryName"),
        "intermediaryIdentifier": party.get("intermediaryIdentifier"),
        "registrarURL": party.get("registrarUrl"),
        "dpaName": party.get("dpaName"),
        "dpaCountry": party.get("dpaCountry"),
        "dpaContact": party.get("dpaContact") or None,
        "privacyPolicy": PrivacyPolicy(policy_uri=policy).to_value()
        if (policy := party.get("privacyPolicy"))
        else None,
    }
    return {name: value for name, value in members.items() if value is not None}


def _contains(entry: Entry, words: Sequence[str], shown: str) -> bool:
    if not words:
        return True
    claims = (*entry.list_of_claims_requested, *entry.list_of_claims_presented)
    names = [str(part) for each in claims for path in each.claims for part in path if part is not None]
    texts = [entry.party.name, *(text.content for text in entry.purpose), *names]
    texts += [each.credential_identifier for each in claims]
    haystack = " ".join([*texts, shown]).casefold()
    return all(word in haystack for word in words)


def _item(kept: Kept) -> HistoryItem:
    return HistoryItem(Entry.model_validate(kept.value), kept)
