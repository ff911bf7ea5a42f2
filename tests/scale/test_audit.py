"""The audit: an honest world has no fault, and each thing that must never be is found and named."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from benchmarks.load.audit import audit
from benchmarks.load.facts import Facts, Recorded
from benchmarks.load.ledger import Issued, Ledger
from byoid.formats.status_array import StatusArray

ADA, BOB = "Ada", "Bob"


def hash_of(person: str) -> bytes:
    return person.encode()


@dataclass
class World:
    """What clients know, and what is so."""

    ledger: Ledger
    facts: Facts

    def faults(self) -> list[tuple[str, str]]:
        return [(each.verdict, each.what) for each in audit(self.ledger, self.facts, hash_of=hash_of)]


@pytest.fixture
def world() -> World:
    """Ada's credential was revoked, Bob's was shown."""
    ledger = Ledger(
        issued=[Issued(ADA, (("list", 3),), "nonce a"), Issued(BOB, (("list", 7),), "nonce b")],
        presented=["transaction"], revoked={ADA}, revocations_begun={ADA},
    )  # fmt: skip
    published = StatusArray.of_size(1024, bits=2)
    published.set_status(3, 1)
    facts = Facts(
        recorded=[Recorded(b"Ada", "revoked", ("list", 3)), Recorded(b"Bob", "valid", ("list", 7))],
        states={"transaction": "accepted"}, journal=Counter({b"Ada".hex(): 1}), journal_broken=False,
        announced={"transaction": {"message"}}, published={"list": published},
    )  # fmt: skip
    return World(ledger, facts)


def test_an_honest_world_has_no_fault(world: World) -> None:
    assert world.faults() == []


def change(world: World, **facts: object) -> None:
    world.facts = replace(world.facts, **facts)  # type: ignore[arg-type]  # each is of the field's type


def forget_an_issuance(world: World) -> None:
    change(world, recorded=world.facts.recorded[:1])


def share_an_index(world: World) -> None:
    ada, bob = world.facts.recorded
    change(world, recorded=[ada, replace(bob, place=ada.place)])


def deliver_an_index_twice(world: World) -> None:
    world.ledger.issued[1] = replace(world.ledger.issued[1], places=world.ledger.issued[0].places)


def accept_a_nonce_twice(world: World) -> None:
    world.ledger.issued[1] = replace(world.ledger.issued[1], nonce=world.ledger.issued[0].nonce)


def take_a_replay(world: World) -> None:
    world.ledger.taken_twice.append("a nonce")


def record_twice(world: World) -> None:
    change(world, recorded=[*world.facts.recorded, Recorded(b"Bob", "valid", ("list", 9))])


def forget_a_revocation(world: World) -> None:
    ada, bob = world.facts.recorded
    change(world, recorded=[replace(ada, status="valid"), bob])


def revoke_somebody_else(world: World) -> None:
    ada, bob = world.facts.recorded
    change(world, recorded=[ada, replace(bob, status="revoked")])


def keep_a_revocation_out_of_the_journal(world: World) -> None:
    change(world, journal=Counter())


def note_a_revocation_twice(world: World) -> None:
    change(world, journal=Counter({b"Ada".hex(): 2}))


def break_the_journal(world: World) -> None:
    change(world, journal_broken=True)


def publish_a_revoked_credential_as_valid(world: World) -> None:
    change(world, published={"list": StatusArray.of_size(1024, bits=2)})


def publish_a_valid_credential_as_revoked(world: World) -> None:
    world.facts.published["list"].set_status(7, 1)


def publish_no_list(world: World) -> None:
    change(world, published={})


def forget_a_presentation(world: World) -> None:
    change(world, states={})


def reopen_a_presentation(world: World) -> None:
    change(world, states={"transaction": "pending"})


def announce_nothing(world: World) -> None:
    change(world, announced={})


def announce_twice(world: World) -> None:
    change(world, announced={"transaction": {"message", "another"}})


@pytest.mark.parametrize(
    "fault, verdict, what",
    [
        (forget_an_issuance, "lost", "an issuance at ('list', 7) is not recorded"),
        (share_an_index, "duplicated", "a recorded place is there 2 times"),
        (deliver_an_index_twice, "duplicated", "a delivered place is there 2 times"),
        (accept_a_nonce_twice, "duplicated", "a nonce is there 2 times"),
        (take_a_replay, "duplicated", "a nonce was taken twice"),
        (record_twice, "duplicated", "2 rows for 1 credentials of one person"),
        (forget_a_revocation, "lost", "a revocation is not recorded"),
        (revoke_somebody_else, "wrong", "a credential is revoked that nobody revoked"),
        (keep_a_revocation_out_of_the_journal, "lost", "a revocation is in the journal 0 times"),
        (note_a_revocation_twice, "duplicated", "a revocation is in the journal 2 times"),
        (break_the_journal, "wrong", "the journal's chain is broken"),
        (publish_a_revoked_credential_as_valid, "lost", "a published status is not the recorded one"),
        (publish_a_valid_credential_as_revoked, "wrong", "a published status is not the recorded one"),
        (publish_no_list, "lost", "a status list is not published"),
        (forget_a_presentation, "lost", "an accepted presentation is not recorded"),
        (reopen_a_presentation, "lost", "an accepted presentation is not recorded"),
        (announce_nothing, "lost", "0 messages about one presentation"),
        (announce_twice, "duplicated", "2 messages about one presentation"),
    ],
)
def test_the_audit_finds(world: World, fault: Callable[[World], None], verdict: str, what: str) -> None:
    fault(world)

    assert (verdict, what) in world.faults()


def test_a_request_without_an_answer_may_have_counted(world: World) -> None:
    record_twice(world)
    world.ledger.unanswered[BOB] = 1

    assert world.faults() == []
