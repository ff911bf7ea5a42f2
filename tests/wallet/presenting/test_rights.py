"""History, rights towards services, deletion, and taking the wallet elsewhere."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from sqlalchemy import select

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_object
from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from tests.peers.dishonest_verifier import VerifierPeer
from wallet import portability, rights
from wallet.cards import load_cards, load_copies
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound
from wallet.history import Party, Transaction, delete_entry, load_entry, load_history, to_ts10
from wallet.portability import (
    NotAWalletFile,
    WrongPassphrase,
    decrypt,
    encrypt,
    export_history,
    export_wallet,
    import_wallet,
)
from wallet.removal import remove_account, remove_card
from wallet.tables import HolderKey
from wallet.vault import proposals
from wallet.vault.contract import Action, NotApproved, NotSignedIn, Proposal

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portability, "ROUNDS", 1000)


@pytest.fixture
async def item(holder: Any, verifier: VerifierPeer) -> Any:
    """The entry of a presentation."""
    return (await holder.present(await holder.propose(verifier.link))).item


async def test_history_is_searched_by_names_and_parties(holder: Any, item: Any) -> None:
    contents = (await holder.visit()).contents
    for words in ("bücherei", "given_name", "library card", "STADT urn:eudi"):
        assert [found.id for found in await load_history(contents, search=words)] == [item.id]
    assert await load_history(contents, search="Moorladen") == []
    assert await load_history(contents, party="organisation:NTRDE-HRB100") != []
    assert await load_history(contents, transactions=[Transaction.ISSUANCE]) == []


async def test_an_entry_can_be_deleted(holder: Any, item: Any, clock: Any) -> None:
    contents = (await holder.visit()).contents
    assert await delete_entry(contents, item.id)
    assert not await delete_entry(contents, item.id)
    with pytest.raises(ItemNotFound):
        await load_entry(contents, item.id, now=clock())


async def test_an_entry_has_the_names_of_ts10(item: Any) -> None:
    found = to_ts10(item.entry)
    assert found["transactionType"] == "Presentation"
    assert found["transactionResult"] == "Completed"
    assert found["interactingPartyName"] == "Stadtbücherei"
    assert found["interactingPartyContact"][0] == "DE"
    assert found["listOfClaimsPresented"] == [{"credentialIdentifier": "urn:eudi:pid:de:1", "claims": [["given_name"]]}]
    assert found["privacyPolicy"]["policyURI"] == "https://library.example/privacy"
    assert found["registrarURL"] == "https://registrar.example"
    assert found["isIntermediary"] is False
    assert not found.keys() & {"cards", "warnings", "about", "party"}


async def test_data_can_be_asked_to_be_deleted(holder: Any, item: Any) -> None:
    contacts = rights.deletion_contacts(item, rights.default_deletion(item))
    assert [(each.way, each.address) for each in contacts] == [
        (rights.Way.WEB, "https://library.lindenmoor.example/contact"),
        (rights.Way.WEB, "https://library.example/data"),
    ]
    noted = await rights.note_deletion_request(holder.wallet, await holder.visit(), item)
    (found,) = await load_history((await holder.visit()).contents, transactions=[Transaction.DATA_DELETION_REQUEST])
    assert (found.id, found.entry.about) == (noted, item.id)


async def test_a_service_can_be_reported(holder: Any, item: Any) -> None:
    contacts = {each.way: each for each in rights.authority_contacts(item, rights.default_report(item))}
    mail = urlsplit(contacts[rights.Way.MAIL].link)
    assert mail.path == "dpa@example.org"
    assert "Stadtbücherei" in parse_qs(mail.query)["body"][0]
    assert rights.evidence(item)["transaction"]["interactingPartyName"] == "Stadtbücherei"
    await rights.note_report(holder.wallet, await holder.visit(), item)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("address", "links"),
    [
        ("javascript:alert(1)", []),
        ("http://library.example", []),
        ("https://", []),
        ("mailto:", []),
        ("mailto:a@b.example?bcc=spy@evil.test&body=x", ["mailto:a@b.example?subject=s%26x&body=t%0Au"]),
        ("tel:+49 1&x", ["tel:+49%201%26x"]),
    ],
)
def test_an_address_of_a_certificate_does_no_more_than_it_may(item: Any, address: str, links: list[str]) -> None:
    party = item.entry.party.model_copy(update={"contact": (address,)})
    changed = type(item)(item.entry.model_copy(update={"party": party}), item.kept)
    found = rights.deletion_contacts(changed, rights.Draft(subject="s&x", text="t\nu"))
    assert [each.link for each in found] == links
    assert all("spy" not in unquote(each.link) for each in found)


async def test_a_card_is_deleted_with_its_copies_and_keys(holder: Any) -> None:
    visit = await holder.visit()
    card = holder.cards["sd_jwt"]
    await remove_card(holder.wallet, visit, card)
    assert [each.id for each in await load_cards(visit.contents)] == [holder.cards["mdoc"]]
    assert await load_copies(visit.contents, card) == []
    (found,) = await load_history(visit.contents, transactions=[Transaction.DELETION])
    assert found.entry.cards == (card,)
    rows = await holder.wallet.contents.database.fetch(select(vars(HolderKey)["__table__"].c.id))
    assert len(rows.rows) == 1
    with pytest.raises(ItemNotFound):
        await remove_card(holder.wallet, visit, card)


async def test_the_account_is_deleted_completely(holder: Any, item: Any) -> None:
    visit = await holder.visit()
    ceremony = await propose_deletion(holder)
    await remove_account(holder.wallet, holder.citizen.cookie, holder.citizen.answer(ceremony))
    for kind in Kind:
        assert await visit.contents.all(kind) == []
    with pytest.raises(NotSignedIn):
        await holder.visit()


async def test_the_attestations_of_a_deleted_wallet_are_revoked(holder: Any) -> None:
    provider, person = holder.wallet.provider, (await holder.visit()).contents.person
    await provider.create_client_attestation(person, PrivateKey.generate())
    ceremony = await propose_deletion(holder)
    await remove_account(holder.wallet, holder.citizen.cookie, holder.citizen.answer(ceremony))
    assert await provider.revoke(person) == 0  # nothing of this person is left to revoke


@pytest.mark.hostile
async def test_another_approval_does_not_delete_the_account(holder: Any, verifier: VerifierPeer) -> None:
    visit = await holder.visit()
    proposal = Proposal(action=Action.NEW_RECOVERY_CODE, consent_id="x", option="", shown=b"0" * 32)
    ceremony = await holder.wallet.door.run(proposals.propose, visit.cookie, proposal)
    with pytest.raises(NotApproved):
        await remove_account(holder.wallet, visit.cookie, holder.citizen.answer(ceremony))
    assert len(await load_cards((await holder.visit()).contents)) == 2


async def test_a_wallet_moves_to_another(
    holder: Any, item: Any, new_holder: Callable[[], Any], verifier: VerifierPeer
) -> None:
    await holder.add_sd_jwt({"member": "yes"}, vct="urn:example:member", bound=False)
    file = await export_wallet(holder.wallet, await holder.visit(), PASSPHRASE)
    other = await new_holder()

    imported = await import_wallet(other.wallet, await other.visit(), file, PASSPHRASE)

    assert (imported.history, imported.cards, imported.skipped) == (1, 1, 0)
    assert {each.credential_identifier for each in imported.to_request} == {
        "urn:eudi:pid:de:1",
        "eu.europa.ec.eudi.pid.1",
    }
    contents = (await other.visit()).contents
    (card,) = await load_cards(contents)
    assert (card.content.type, card.content.signer) == ("urn:example:member", "Gemeinde Lindenmoor")
    (entry,) = await load_history(contents)
    assert to_ts10(entry.entry) == to_ts10(item.entry)
    again = await import_wallet(other.wallet, await other.visit(), file, PASSPHRASE)
    assert (again.history, again.cards, again.skipped) == (0, 0, 2)


async def test_holder_keys_and_bound_cards_do_not_leave(holder: Any) -> None:
    content = await decrypt(await export_wallet(holder.wallet, await holder.visit(), PASSPHRASE), PASSPHRASE)
    text = json_dumps(content).decode()
    for card in holder.cards.values():
        for copy in await load_copies((await holder.visit()).contents, card):
            assert copy.content.text not in text
            assert copy.content.key_id not in text
    assert "nonDeviceBoundCredentials" in content


async def test_some_entries_of_the_history_are_exported(holder: Any, verifier: VerifierPeer, item: Any) -> None:
    await holder.present(await holder.propose(verifier.link))
    file = await export_history(holder.wallet, await holder.visit(), PASSPHRASE, only=[item.id])
    assert len((await decrypt(file, PASSPHRASE))["transactionLog"]) == 1


@pytest.mark.hostile
async def test_a_card_of_a_stranger_is_not_imported(holder: Any, new_holder: Callable[[], Any]) -> None:
    visit = await holder.visit()
    (bound,) = await load_copies(visit.contents, holder.cards["sd_jwt"])
    header, rest = bound.content.text.split(".", 1)
    forged = f"{header}.{rest[:40]}AAAA{rest[44:]}"
    log = [{"transactionType": "Presentation"}, {"interactingPartyName": 7, "time": "x"}]
    cards = [{"format": "dc+sd-jwt", "credential": text} for text in (bound.content.text, forged, "x")]
    file = await encrypt(json_dumps({"transactionLog": log, "nonDeviceBoundCredentials": cards}), PASSPHRASE)
    other = await new_holder()
    imported = await import_wallet(other.wallet, await other.visit(), file, PASSPHRASE)
    assert (imported.history, imported.cards, imported.skipped) == (0, 0, 5)


_ENTRY: dict[str, Any] = {
    "transactionType": "Presentation",
    "time": "2026-01-01T00:00:00Z",
    "interactingPartyName": "Town hall",
    "interactingPartyContact": ["javascript:alert(1)", "intent://x", "http://town.test", "https://town.test"],
}


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"transactionType": []}, id="type_is_a_list"),
        pytest.param({"reasonOfNoncompletion": {}}, id="reason_is_an_object"),
        pytest.param({"privacyPolicy": "https://town.test"}, id="policy_is_a_text"),
        pytest.param({"interactingPartyIdentifier": "x"}, id="identifier_is_a_text"),
        pytest.param({"time": "0001-01-01T00:00:00+14:00"}, id="time_before_all_time"),
        pytest.param({"time": "9999-12-31T23:59:59-14:00"}, id="time_after_all_time"),
    ],
)
async def test_an_entry_that_cannot_be_read_is_skipped_and_the_others_come(holder: Any, change: dict[str, Any]) -> None:
    file = await encrypt(json_dumps({"transactionLog": [{**_ENTRY, **change}, _ENTRY]}), PASSPHRASE)

    imported = await import_wallet(holder.wallet, await holder.visit(), file, PASSPHRASE)

    assert imported.skipped == 2 - imported.history
    assert _ENTRY["time"] in {
        f"{each.entry.time:%Y-%m-%dT%H:%M:%SZ}" for each in await load_history((await holder.visit()).contents)
    }


@pytest.mark.hostile
async def test_a_file_brings_no_contacts_that_a_page_must_not_link_to(holder: Any) -> None:
    file = await encrypt(json_dumps({"transactionLog": [_ENTRY]}), PASSPHRASE)
    await import_wallet(holder.wallet, await holder.visit(), file, PASSPHRASE)

    (found,) = await load_history((await holder.visit()).contents)

    assert found.entry.party.contact == ("https://town.test",)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("defect", "error"),
    [
        pytest.param(lambda file: file.replace(".", ",", 1), NotAWalletFile, id="no_jwe"),
        pytest.param(lambda file: file.replace(".", ".=", 1), NotAWalletFile, id="no_base64url"),
        pytest.param(lambda file: _header(file, alg="dir"), NotAWalletFile, id="another_algorithm"),
        pytest.param(lambda file: _header(file, enc="A256GCM"), NotAWalletFile, id="another_encryption"),
        pytest.param(lambda file: _header(file, p2c=2_000_000_000), NotAWalletFile, id="endless_rounds"),
        pytest.param(lambda file: _header(file, p2c=1), NotAWalletFile, id="one_round"),
        pytest.param(lambda file: _header(file, p2c=True), NotAWalletFile, id="rounds_are_no_number"),
        pytest.param(lambda file: _header(file, p2s=None), NotAWalletFile, id="no_salt"),
        pytest.param(lambda file: _header(file, zip="DEF"), NotAWalletFile, id="compressed"),
        pytest.param(lambda file: _header(file, crit=["x"]), NotAWalletFile, id="critical_extension"),
        pytest.param(lambda file: _header(file, cty="x"), WrongPassphrase, id="changed_header"),
        pytest.param(lambda file: file[:-6] + "AAAAAA", WrongPassphrase, id="changed_tag"),
    ],
)
async def test_a_file_that_is_not_ours_is_refused(
    holder: Any, defect: Callable[[str], str], error: type[Exception]
) -> None:
    file = await encrypt(b"{}", PASSPHRASE)
    with pytest.raises(error):
        await import_wallet(holder.wallet, await holder.visit(), defect(file), PASSPHRASE)


@pytest.mark.hostile
async def test_another_passphrase_opens_nothing(holder: Any) -> None:
    with pytest.raises(WrongPassphrase):
        await decrypt(await encrypt(b"{}", PASSPHRASE), "another horse battery staple")
    with pytest.raises(MalformedInput):
        await encrypt(b"{}", "short")


async def test_the_file_is_a_jwe_that_others_read() -> None:
    file = await encrypt(b'{"a":1}', PASSPHRASE)
    key = OctKey.import_key(PASSPHRASE.encode())
    algorithms = ["PBES2-HS256+A128KW", "A128GCM"]
    assert jwe.decrypt_compact(file, key, algorithms=algorithms).plaintext == b'{"a":1}'


def test_a_party_without_contact_offers_none(item: Any) -> None:
    party = Party(key="host:x", name="x")
    changed = type(item)(item.entry.model_copy(update={"party": party}), item.kept)
    assert rights.authority_contacts(changed, rights.default_report(changed)) == []


async def propose_deletion(holder: Any) -> Any:
    proposal = Proposal(action=Action.DELETE_ACCOUNT, consent_id="account", option="", shown=b"0" * 32)
    return await holder.wallet.door.run(proposals.propose, holder.citizen.cookie, proposal)


def _header(file: str, **changes: Any) -> str:
    header, rest = file.split(".", 1)
    members = {**json_object(b64u_decode(header)), **changes}
    return f"{b64u_encode(json_dumps({k: v for k, v in members.items() if v is not None}))}.{rest}"
