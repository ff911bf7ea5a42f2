"""A live session alone presents nothing: only an assertion for exactly this request, this option and these bytes."""

import re
from dataclasses import replace
from typing import Any

import pytest

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_object
from byoid.errors import BadSignature, ByoidError, MalformedInput
from byoid.issuance.reuse_policy import ReuseMethod
from tests.peers.dishonest_verifier import VerifierPeer, sd_jwt
from tests.wallet.world import Citizen, WatchedDoor
from wallet.accounts import lock_wallet
from wallet.asked import Choice, PendingConsent
from wallet.cards import load_card, load_copies, load_copy, mark_used
from wallet.consent import choose, decline
from wallet.content_tables import Kind
from wallet.contents import ItemChanged, ItemNotFound
from wallet.history import load_history
from wallet.presenting import approve
from wallet.vault.contract import NotApproved, NotSignedIn, PagePost, WalletLocked

pytestmark = pytest.mark.hostile


async def nothing_left(holder: Any, verifier: VerifierPeer) -> None:
    """Demand that nothing was sent, and that no copy counts as shown."""
    assert verifier.posted == []
    copies = await load_copies((await holder.visit()).contents, holder.cards["sd_jwt"])
    assert [copy.content.used for copy in copies] == [0]


async def chosen(holder: Any, verifier: VerifierPeer) -> tuple[Any, Any, Any]:
    """Open the request and choose; return visit, consent and what the authenticator is asked."""
    view = await holder.propose(verifier.link)
    visit = await holder.visit()
    ceremony = await choose(holder.wallet, visit, view.id, Choice(cards=view.suggested))
    return visit, view, ceremony


async def _exchange_metadata(holder: Any, consent_id: str) -> None:
    """Another key to encrypt the answer to."""
    visit = await holder.visit()
    kept = await visit.contents.get(Kind.CONSENT, consent_id, now=holder.wallet.clock())
    pending = PendingConsent.model_validate(kept.value)
    async with holder.wallet.contents.transaction() as tx:
        await visit.contents.change(tx, kept, pending.model_copy(update={"metadata": {}}).to_value())


async def _exchange_copy(holder: Any, consent_id: str) -> None:
    """The other copy of the card is next."""
    visit = await holder.visit()
    kept = await visit.contents.get(Kind.CONSENT, consent_id, now=holder.wallet.clock())
    chosen = PendingConsent.model_validate(kept.value).chosen
    assert chosen is not None
    copy = await load_copy(visit.contents, chosen.copies[0].copy_id, now=holder.wallet.clock())
    async with holder.wallet.contents.transaction() as tx:
        await mark_used(visit.contents, tx, copy, relying_party="other")


async def _exchange_nothing(holder: Any, consent_id: str) -> None:
    """The same again."""


@pytest.mark.parametrize(
    ("exchange", "same"), [(_exchange_nothing, True), (_exchange_metadata, False), (_exchange_copy, False)]
)
async def test_the_approval_commits_to_what_no_signature_covers(
    new_holder: Any, verifier: VerifierPeer, exchange: Any, same: bool
) -> None:
    holder = await new_holder()
    holder.wallet = replace(holder.wallet, door=(door := WatchedDoor(holder.wallet.door)))
    await holder.add_sd_jwt(copies=2, reuse=ReuseMethod.ROTATING_BATCH)
    visit, view, _ = await chosen(holder, verifier)
    if exchange is not _exchange_copy:
        await _exchange_copy(holder, view.id)  # so that one copy is next, and not one of two
        await choose(holder.wallet, visit, view.id, Choice(cards=view.suggested))
    await exchange(holder, view.id)
    await choose(holder.wallet, visit, view.id, Choice(cards=view.suggested))

    assert (door.proposals[-1].shown == door.proposals[-2].shown) is same


async def test_without_a_choice_nothing_is_approved(holder: Any, verifier: VerifierPeer) -> None:
    visit, _, ceremony = await chosen(holder, verifier)
    other = await holder.propose(verifier.link)
    with pytest.raises(NotApproved):
        await approve(holder.wallet, visit, other.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda post: post.model_copy(update={"credential": {}}), id="no_assertion"),
        pytest.param(lambda post: _changed(post, signature=b64u_encode(b"0" * 70)), id="another_signature"),
        pytest.param(lambda post: _challenge(post, b"0" * 32), id="another_challenge"),
        pytest.param(lambda post: _flags(post, 0x01), id="without_user_verification"),
        pytest.param(lambda post: post.model_copy(update={"ceremony": "unknown"}), id="an_unknown_ceremony"),
    ],
)
async def test_a_forged_assertion_presents_nothing(holder: Any, verifier: VerifierPeer, forge: Any) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    post = holder.citizen.answer(ceremony)
    with pytest.raises(ByoidError):
        await approve(holder.wallet, visit, view.id, forge(post))
    await nothing_left(holder, verifier)


async def test_a_spent_assertion_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    post = holder.citizen.answer(ceremony)
    with pytest.raises(ByoidError):
        await approve(holder.wallet, visit, view.id, _changed(post, signature=b64u_encode(b"0" * 70)))
    with pytest.raises(NotApproved):
        await approve(holder.wallet, visit, view.id, post)
    await nothing_left(holder, verifier)


async def test_an_assertion_for_an_older_choice_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, first = await chosen(holder, verifier)
    await choose(holder.wallet, visit, view.id, Choice(cards=view.suggested))
    with pytest.raises(NotApproved):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(first))
    await nothing_left(holder, verifier)


async def test_somebody_elses_session_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    _, view, ceremony = await chosen(holder, verifier)
    thief = await Citizen(holder.wallet).register()
    with pytest.raises(ItemNotFound):
        await approve(holder.wallet, await thief.visit(), view.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


async def test_another_session_of_the_same_person_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    _, view, ceremony = await chosen(holder, verifier)
    post = holder.citizen.answer(ceremony)
    await holder.citizen.sign_in()
    with pytest.raises(NotApproved):
        await approve(holder.wallet, await holder.visit(), view.id, post)
    await nothing_left(holder, verifier)


async def test_a_passkey_of_somebody_else_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    thief = await Citizen(holder.wallet).register()
    asked = ceremony.model_dump()
    asked["options"]["allowCredentials"], asked["secrets"] = [], ()
    with pytest.raises(ByoidError):
        await approve(holder.wallet, visit, view.id, PagePost(**thief.authenticator.get(asked)))
    await nothing_left(holder, verifier)


async def test_a_locked_wallet_presents_nothing(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    await holder.wallet.door.run(lock_wallet, visit.cookie)
    with pytest.raises((NotSignedIn, WalletLocked)):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(ceremony))
    await holder.citizen.sign_in()
    with pytest.raises(WalletLocked):
        await choose(holder.wallet, await holder.visit(), view.id, Choice(cards=view.suggested))
    await nothing_left(holder, verifier)


async def test_an_approval_comes_too_late(holder: Any, verifier: VerifierPeer, clock: Any) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    clock.advance(minutes=6)
    with pytest.raises(NotApproved):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


async def test_a_request_that_the_server_exchanged_is_not_what_was_approved(
    holder: Any, verifier: VerifierPeer
) -> None:
    """The web part could change what it keeps; the vault signs the bytes that the citizen approved, and no others."""
    visit, view, ceremony = await chosen(holder, verifier)
    kept = await visit.contents.get(Kind.CONSENT, view.id, now=holder.wallet.clock())
    pending = PendingConsent.model_validate(kept.value)
    request = {**pending.request, "nonce": "a-nonce-of-another-verifier"}
    async with holder.wallet.contents.transaction() as tx:
        await visit.contents.change(tx, kept, pending.model_copy(update={"request": request}).to_value())

    with pytest.raises(BadSignature):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


async def test_two_browsers_show_the_same_copy_once(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    real = visit.contents.delete

    async def meanwhile(*args: Any) -> bool:
        card = await load_card(visit.contents, holder.cards["sd_jwt"], now=holder.wallet.clock())
        (copy,) = await load_copies(visit.contents, card.id)
        found = await real(*args)
        await mark_used(visit.contents, args[0], copy, relying_party="other")
        return found

    visit.contents.delete = meanwhile
    with pytest.raises(ItemChanged):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


async def test_a_declined_request_cannot_be_approved(holder: Any, verifier: VerifierPeer) -> None:
    visit, view, ceremony = await chosen(holder, verifier)
    await decline(holder.wallet, visit, view.id, tell=False)
    with pytest.raises(ItemNotFound):
        await approve(holder.wallet, visit, view.id, holder.citizen.answer(ceremony))
    await nothing_left(holder, verifier)


async def test_nothing_undisclosed_leaves(holder: Any, verifier: VerifierPeer) -> None:
    """Search everything that a verifier ever got, decrypted and decoded, for what was not to be shown."""
    await holder.present(await holder.propose(verifier.ask(sd_jwt("pid", "given_name", "address.locality")).link))
    sent = _decoded(json_dumps(verifier.opened()).decode())
    assert "Zoë" in sent
    assert "Lindenmoor" in sent
    for secret in (
        "Lindqvist",
        "1987-03-04",
        "Moorweg",
        "27000",
        "family_name",
        "birthdate",
        "street_address",
        "nationalities",
    ):
        assert secret not in sent
    assert _decoded(verifier.posted[0]["response"]).find("Zoë") == -1
    fetched = [str(request.url) + request.content.decode() for request in verifier.requested[:-1]]
    assert not any(secret in text for text in fetched for secret in ("Zo%C3%AB", "Zoë", holder.cards["sd_jwt"]))


async def test_the_history_has_names_and_no_values(holder: Any, verifier: VerifierPeer) -> None:
    await holder.present(await holder.propose(verifier.link))
    (item,) = await load_history((await holder.visit()).contents)
    text = json_dumps(item.entry.to_value()).decode()
    assert "given_name" in text
    assert "Zoë" not in text


def _decoded(text: str) -> str:
    """Return a text with every base64url part of it decoded too."""
    parts = [text]
    for each in re.findall(r"[A-Za-z0-9_-]{8,}", text):
        try:
            parts.append(b64u_decode(each).decode("utf-8", "replace"))
        except MalformedInput:
            continue
    return "\n".join(parts)


def _changed(post: PagePost, **response: str) -> PagePost:
    credential = {**post.credential, "response": {**post.credential["response"], **response}}
    return post.model_copy(update={"credential": credential})


def _challenge(post: PagePost, challenge: bytes) -> PagePost:
    data = json_object(b64u_decode(post.credential["response"]["clientDataJSON"]))
    return _changed(post, clientDataJSON=b64u_encode(json_dumps({**data, "challenge": b64u_encode(challenge)})))


def _flags(post: PagePost, flags: int) -> PagePost:
    data = bytearray(b64u_decode(post.credential["response"]["authenticatorData"]))
    data[32] = flags
    return _changed(post, authenticatorData=b64u_encode(bytes(data)))
