"""The vault's journeys: register, sign in, sign after an approval, passkeys, recovery, lock, deletion."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from byoid.encoding import b64u_encode
from byoid.keys import PublicKey
from wallet import accounts, recovery, store
from wallet.authenticator import SoftwareAuthenticator
from wallet.vault import gate, holder_keys, journal, proposals, sessions
from wallet.vault.context import Vault
from wallet.vault.contract import Action, LocalDoor, NotSignedIn, PagePost, SigningInput
from wallet.vault.journal import Actor, Event
from wallet.vault.kek import Protection

NewCitizen = Callable[..., Awaitable[Any]]
ORIGIN = "https://wallet.test"
NOW = 1795334400


async def test_a_citizen_registers_and_signs_in_again(vault: Vault, ada: Any) -> None:
    first = await sessions.open_session(vault, ada.cookie)
    await ada.sign_in()
    second = await sessions.open_session(vault, ada.cookie)

    assert (first.person, first.reading_secret) == (second.person, second.reading_secret)
    assert first.id != second.id


async def test_an_approval_signs_exactly_the_proposed_bytes(
    vault: Vault, ada: Any, build_key_binding: Callable[..., bytes]
) -> None:
    key = await ada.holder_key()
    data = build_key_binding()
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))

    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)


async def test_one_approval_signs_for_several_keys_in_their_order(
    vault: Vault, ada: Any, build_key_binding: Callable[..., bytes]
) -> None:
    keys = await holder_keys.create_holder_keys(vault, ada.cookie, count=3)
    inputs = tuple(SigningInput(key_id=key.id, data=build_key_binding(nonce=key.id)) for key in reversed(keys))
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(keys[0], inputs=inputs))

    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    for key, each, signature in zip(reversed(keys), inputs, approved.signatures, strict=True):
        PublicKey.from_jwk(key.public_jwk).verify("ES256", each.data, signature)


@pytest.mark.parametrize(
    ("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384"), ("P-521", "ES512"), ("Ed25519", "Ed25519")]
)
async def test_holder_keys_are_of_every_curve_that_issuers_ask_for(
    vault: Vault, ada: Any, build_key_binding: Callable[..., bytes], curve: str, algorithm: str
) -> None:
    (key,) = await holder_keys.create_holder_keys(vault, ada.cookie, count=1, curve=curve)
    data = build_key_binding()
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))

    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    PublicKey.from_jwk(key.public_jwk).verify(algorithm, data, *approved.signatures)


async def test_a_device_authentication_is_signed(vault: Vault, ada: Any) -> None:
    key = await ada.holder_key()
    data = b"\x84\x6aSignature1\x43\xa1\x01\x26\x40\x58\x20\xd8\x18\x58\x1c\x84\x74DeviceAuthentication..."
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))

    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)


async def test_a_grant_signs_key_proofs_again_for_another_nonce(
    vault: Vault, ada: Any, build_signing_input: Callable[..., bytes]
) -> None:
    key = await ada.holder_key()
    grant = await ada.grant(key)
    for nonce in ("first", "second"):
        data = build_signing_input(
            {"typ": "openid4vci-proof+jwt", "alg": "ES256", "jwk": key.public_jwk},
            {"aud": "https://issuer.test", "iat": NOW, "nonce": nonce},
        )
        signatures = await gate.sign_key_proofs(vault, ada.cookie, grant, [SigningInput(key_id=key.id, data=data)])

        PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *signatures)


async def test_spent_keys_are_deleted(vault: Vault, ada: Any) -> None:
    key = await ada.holder_key()

    assert await holder_keys.delete_holder_keys(vault, ada.cookie, [key.id, "unknown"]) == 1


async def test_without_a_prf_the_wallet_works_and_says_who_could_open_it(
    vault: Vault, new_citizen: NewCitizen, build_key_binding: Callable[..., bytes]
) -> None:
    bob = await new_citizen(prf=False)
    await bob.sign_in()
    key = await bob.holder_key()
    data = build_key_binding()
    ceremony = await proposals.propose(vault, bob.cookie, bob.proposal(key, data))
    approved = await gate.approve(vault, bob.cookie, bob.answer(ceremony))
    account = await accounts.view_account(vault, bob.cookie)

    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)
    assert account.passkeys[0].protection is Protection.KEY_FILE


async def test_a_second_passkey_opens_the_same_wallet(
    vault: Vault, ada: Any, build_key_binding: Callable[..., bytes]
) -> None:
    key, data, laptop = await ada.holder_key(), build_key_binding(), SoftwareAuthenticator(ORIGIN)
    before = await sessions.open_session(vault, ada.cookie)
    await ada.add_passkey(laptop)
    ada.authenticator = laptop
    await ada.sign_in()
    after = await sessions.open_session(vault, ada.cookie)
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))
    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    assert after.reading_secret == before.reading_secret
    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)


async def test_removing_a_lost_device_ends_its_sessions(vault: Vault, ada: Any) -> None:
    lost, stolen_cookie, laptop = ada.authenticator, ada.cookie, SoftwareAuthenticator(ORIGIN)
    await ada.add_passkey(laptop)
    ada.authenticator = laptop
    await ada.sign_in()
    await ada.act(Action.REMOVE_PASSKEY, option=b64u_encode(lost.passkeys[-1].credential_id))

    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, stolen_cookie)
    account = await accounts.view_account(vault, ada.cookie)
    assert [passkey.name for passkey in account.passkeys] == ["Ada's laptop"]


async def test_the_account_shows_names_that_only_its_owner_reads(vault: Vault, ada: Any) -> None:
    account = await accounts.view_account(vault, ada.cookie)
    await accounts.rename_passkey(vault, ada.cookie, account.passkeys[0].id, name="Old phone")
    renamed = await accounts.view_account(vault, ada.cookie)

    assert (account.passkeys[0].name, renamed.passkeys[0].name) == ("Ada's phone", "Old phone")
    assert [(each.label, each.current) for each in account.browsers] == [("Firefox on Android", True)]


async def test_signing_out_ends_one_session_or_all(vault: Vault, ada: Any) -> None:
    first = ada.cookie
    await ada.sign_in()
    second = ada.cookie
    await sessions.end_session(vault, first)
    assert (await sessions.open_session(vault, second)).person == ada.person
    await ada.sign_in()

    assert await sessions.end_all_sessions(vault, ada.cookie) == 2
    for cookie in (first, second, ada.cookie):
        with pytest.raises(NotSignedIn):
            await sessions.open_session(vault, cookie)


async def test_an_expired_session_leaves_no_row(vault: Vault, ada: Any, clock: Any) -> None:
    clock.advance(minutes=20)
    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, ada.cookie)

    assert not (await vault.store.database.fetch(store.SESSIONS_OF, {"of_person_id": ada.person})).rows


async def test_use_keeps_a_session_alive(vault: Vault, ada: Any, clock: Any) -> None:
    for _ in range(4):
        clock.advance(minutes=10)
        assert (await sessions.open_session(vault, ada.cookie)).person == ada.person


async def test_what_is_over_is_swept_away(vault: Vault, ada: Any, clock: Any) -> None:
    key = await ada.holder_key()
    await proposals.propose(vault, ada.cookie, ada.proposal(key))
    clock.advance(hours=13)

    assert await vault.store.expire(now=clock()) == 2


async def test_a_locked_wallet_is_unlocked_by_a_passkey(vault: Vault, ada: Any) -> None:
    await accounts.lock_wallet(vault, ada.cookie)
    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, ada.cookie)
    await ada.sign_in()
    locked = await sessions.open_session(vault, ada.cookie)
    await ada.act(Action.UNLOCK)

    assert locked.locked
    assert not (await sessions.open_session(vault, ada.cookie)).locked


async def test_an_operators_lock_is_in_the_journal_with_name_and_reason(vault: Vault, ada: Any, clock: Any) -> None:
    clock.advance(minutes=1)
    await journal.lock_by_operator(vault, ada.person, operator="clerk 7", reason="reported stolen")
    await ada.sign_in()

    (entry, *_) = await journal.read_journal(vault, ada.cookie)
    assert (entry.actor, entry.event, entry.detail) == (Actor.OPERATOR, Event.LOCKED, "clerk 7: reported stolen")


async def test_recovery_waits_warns_and_gives_a_new_passkey(
    vault: Vault, ada: Any, clock: Any, build_key_binding: Callable[..., bytes]
) -> None:
    key, data = await ada.holder_key(), build_key_binding()
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code
    begun = await recovery.begin_recovery(vault, code.lower().replace("-", " "))
    again = await recovery.begin_recovery(vault, code)
    warned = await sessions.open_session(vault, ada.cookie)
    old_cookie, new = ada.cookie, SoftwareAuthenticator(ORIGIN)
    clock.advance(days=3)
    ceremony = await recovery.begin_recovery_passkey(vault, code, account_name="Ada")
    post = PagePost(**new.create(ceremony.model_dump()))
    recovered = await recovery.recover(vault, code, post, name="New phone", label="Safari")
    ada.cookie, ada.authenticator = recovered.signed_in.cookie, new
    ceremony = await proposals.propose(vault, ada.cookie, ada.proposal(key, data))
    approved = await gate.approve(vault, ada.cookie, ada.answer(ceremony))

    assert (begun.usable_at, begun.new) == (again.usable_at, not again.new)
    assert warned.recovery_usable_at == begun.usable_at
    assert recovered.recovery_code != code
    PublicKey.from_jwk(key.public_jwk).verify("ES256", data, *approved.signatures)
    assert [each.name for each in (await accounts.view_account(vault, ada.cookie)).passkeys] == ["New phone"]
    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, old_cookie)


async def test_whoever_holds_the_code_locks_the_wallet_at_once(vault: Vault, ada: Any) -> None:
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code
    await recovery.lock_with_code(vault, code)
    await ada.sign_in()

    assert (await sessions.open_session(vault, ada.cookie)).locked


async def test_cancelling_when_nothing_is_under_way_keeps_the_code(vault: Vault, ada: Any) -> None:
    code = (await ada.act(Action.NEW_RECOVERY_CODE)).recovery_code

    assert not await recovery.cancel_recovery(vault, ada.cookie)
    assert (await recovery.begin_recovery(vault, code)).person == ada.person


async def test_deleting_the_account_leaves_no_row(vault: Vault, ada: Any) -> None:
    await ada.holder_key()
    await ada.act(Action.NEW_RECOVERY_CODE)
    await ada.act(Action.DELETE_ACCOUNT)

    for table in store.TABLES:
        assert not (await vault.store.database.fetch(select(table))).rows, table.name


async def test_recovery_codes_read_back_from_how_people_write(vault: Vault) -> None:
    for _ in range(50):
        code = recovery.RecoveryCode.generate()
        sloppy = code.text.lower().replace("0", "o").replace("1", "l").replace("-", " ")

        assert recovery.RecoveryCode.parse(sloppy) == recovery.RecoveryCode.parse(code.text) == code
        assert len(code.text) == 34


async def test_the_local_door_runs_operations(vault: Vault, ada: Any) -> None:
    session = await LocalDoor(vault).run(sessions.open_session, ada.cookie)

    assert session.person == ada.person


async def test_the_policy_is_the_operators(vault: Vault, ada: Any, clock: Any) -> None:
    short = replace(vault, policy=replace(vault.policy, session_idle=vault.policy.session_idle / 15))
    clock.advance(minutes=2)

    with pytest.raises(NotSignedIn):
        await sessions.open_session(short, ada.cookie)


@pytest.mark.parametrize(("prf", "protection"), [(True, Protection.PASSKEY), (False, Protection.KEY_FILE)])
async def test_a_holder_key_says_what_opens_it(new_citizen: Any, prf: bool, protection: Protection) -> None:
    citizen = await new_citizen(prf=prf)

    assert (await citizen.holder_key()).protection is protection
