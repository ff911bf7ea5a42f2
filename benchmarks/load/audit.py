"""The audit: what clients were told against what is so. Every acknowledged change is there, and none is there twice."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.load.facts import Facts
from benchmarks.load.ledger import Ledger, Place
from byoid.formats.status_array import StatusArray

_ACCEPTED = "accepted"
_REVOKED = "revoked"
Verdict: TypeAlias = Literal["lost", "duplicated", "wrong"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must never be."""

    verdict: Verdict
    what: str


def audit(ledger: Ledger, facts: Facts, *, hash_of: Callable[[str], bytes]) -> list[Fault]:
    """Return every fault.

    Args:
        ledger: what the clients know.
        facts: what is so.
        hash_of: under which hash the issuer keeps a person.
    """
    faults = [
        *_issuances(ledger, facts), *_copies(ledger, facts, hash_of), *_revocations(ledger, facts, hash_of),
        *_lists(facts), *_presentations(ledger, facts),
        *(Fault("duplicated", f"{what} was taken twice") for what in ledger.taken_twice),
    ]  # fmt: skip
    if facts.journal_broken:
        faults.append(Fault("wrong", "the journal's chain is broken"))
    return faults


def _issuances(ledger: Ledger, facts: Facts) -> Iterator[Fault]:
    """Each credential that a wallet has is recorded; no place in a list and no nonce served two."""
    recorded = {each.place for each in facts.recorded}
    delivered = [place for each in ledger.issued for place in each.places]
    for place in delivered:
        if place not in recorded:
            yield Fault("lost", f"an issuance at {place} is not recorded")
    yield from _twice(delivered, "delivered place")
    yield from _twice((each.place for each in facts.recorded), "recorded place")
    yield from _twice((each.nonce for each in ledger.issued), "nonce")


def _copies(ledger: Ledger, facts: Facts, hash_of: Callable[[str], bytes]) -> Iterator[Fault]:
    """Nobody has more rows than deliveries, and requests that may have counted though no answer came."""
    rows = Counter(each.person_hash for each in facts.recorded)
    delivered: Counter[str] = Counter()
    for issued in ledger.issued:
        delivered[issued.person] += len(issued.places)
    for person, count in delivered.items():
        if rows[hash_of(person)] > count + ledger.unanswered[person]:
            yield Fault("duplicated", f"{rows[hash_of(person)]} rows for {count} credentials of one person")


def _revocations(ledger: Ledger, facts: Facts, hash_of: Callable[[str], bytes]) -> Iterator[Fault]:
    """What was revoked is revoked in every row and in the journal once; what was not is not."""
    status = {each.place: each.status for each in facts.recorded}
    for issued in ledger.issued:
        states = {status.get(place, _REVOKED) for place in issued.places}  # rows that are gone are `_issuances`' matter
        if issued.person in ledger.revoked and states != {_REVOKED}:
            yield Fault("lost", "a revocation is not recorded")
        if issued.person not in ledger.revocations_begun and _REVOKED in states & set(map(status.get, issued.places)):
            yield Fault("wrong", "a credential is revoked that nobody revoked")
    for person in ledger.revoked & {each.person for each in ledger.issued}:
        entries = facts.journal[hash_of(person).hex()]
        if entries != 1:
            yield Fault("duplicated" if entries else "lost", f"a revocation is in the journal {entries} times")


def _lists(facts: Facts) -> Iterator[Fault]:
    """The published lists say what the rows say."""
    for each in facts.recorded:
        published = facts.published.get(each.place[0])
        if published is None:
            yield Fault("lost", "a status list is not published")
        elif (each.status == _REVOKED) != _is_revoked(published, each.place):
            yield Fault("lost" if each.status == _REVOKED else "wrong", "a published status is not the recorded one")


def _presentations(ledger: Ledger, facts: Facts) -> Iterator[Fault]:
    """Each presentation that was accepted is there, and was announced to its service under one id."""
    yield from _twice(ledger.presented, "transaction")
    for transaction in ledger.presented:
        if facts.states.get(transaction) != _ACCEPTED:
            yield Fault("lost", "an accepted presentation is not recorded")
        announcements = len(facts.announced.get(transaction, ()))
        if announcements != 1:
            yield Fault("duplicated" if announcements else "lost", f"{announcements} messages about one presentation")


def _is_revoked(published: StatusArray, place: Place) -> bool:
    return published.status_at(place[1]) == 1


def _twice(values: Iterable[object], what: str) -> Iterator[Fault]:
    for _, count in Counter(values).items():
        if count > 1:
            yield Fault("duplicated", f"a {what} is there {count} times")
