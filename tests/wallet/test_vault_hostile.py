"""Attacks on the vault: stolen sessions, swapped proposals, replays, changed rows; one named error stops each."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import BadSignature, ClaimMismatch, Expired, HolderBindingError, MalformedInput, Replayed
from wallet import accounts, recovery, store
from wallet.authenticator import SoftwareAuthenticator
from wallet.vault import actions, ceremonies, gate, holder_keys, journal, proposals, sessions
from wallet.vault.context import Vault
from wallet.vault.contract import (
    Action,
    KeyProofs,
    LastPasskey,
    NotApproved,
    NotSignedIn,
    PagePost,
    Secrets,
    SigningInput,
    TooEarly,
    WalletLocked,
)
from wallet.vault.keys import PersonId, ReadingKey, SigningKey

pytestmark = pytest.mark.hostile
NewCitizen = Callable[..., Awaitable[Any]]
ORIGIN = "https://wallet.test"
ISSUER = "https://issuer.test"


async def proposed(citizen: Any, **changes: Any) -> tuple[Any, Any]:
    key = await citizen.holder_key()
    return key, await proposals.propose(citizen.vault, citizen.cookie, citizen.proposal(key, **changes))


# --- sessions


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 44, "ä" * 43, b64u_encode(b"s" * 31)])
async def test_a_cookie_that_is_none_opens_nothing(vault: Vault, ada: Any, cookie: str) -> None:
    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, cookie)


@pytest.mark.parametrize("wait", [{"minutes": 16}, {"hours": 13}], ids=["idle", "too old"])
async def test_a_session_ends_by_time(vault: Vault, ada: Any, clock: Any, wait: dict[str, float]) -> None:
    clock.advance(**wait)

    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, ada.cookie)


async def test_a_session_ends_at_its_age_even_if_it_is_used_all_the_time(vault: Vault, ada: Any, clock: Any) -> None:
    for _ in range(12 * 6 - 1):
        clock.advance(minutes=10)
        await sessions.open_session(vault, ada.cookie)
    clock.advance(minutes=10)

    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, ada.cookie)


async def test_a_session_row_moved_to_another_person_opens_nothing(
    vault: Vault, ada: Any, new_citizen: NewCitizen
) -> None:
    eve = await new_citizen()
    await vault.store.database.execute(
        update(store.SESSION).where(store.SESSION.c.person_id == eve.person).values(person_id=ada.person)
    )

    with pytest.raises(NotSignedIn):
        await sessions.open_session(vault, eve.cookie)


# --- signing in


async def test_a_challenge_is_answered_once(vault: Vault, ada: Any) -> None:
    ceremony = await ceremonies.begin_sign_in(vault)
    post = ada.answer(ceremony)
    await ceremonies.sign_in(vault, post, label="")

    with pytest.raises(Replayed):
        await ceremonies.sign_in(vault, post, label="")


async def test_a_wrong_answer_spends_the_challenge(vault: Vault, ada: Any) -> None:
    ceremony = await ceremonies.begin_sign_in(vault)
    post = ada.answer(ceremony)
    with pytest.raises(BadSignature):
        await ceremonies.sign_in(vault, post.model_copy(update={"secrets": Secrets(reading="A" * 43)}), label="")

    with pytest.raises(Replayed):
        await ceremonies.sign_in(vault, post, label="")


async def test_a_challenge_ends_by_time(vault: Vault, ada: Any, clock: Any) -> None:
    ceremony = await ceremonies.begin_sign_in(vault)
    clock.advance(minutes=6)

    with pytest.raises(Expired):
        await ceremonies.sign_in(vault, ada.answer(ceremony), label="")


async def test_a_challenge_for_registering_does_not_sign_in(vault: Vault, ada: Any) -> None:
    ceremony = await ceremonies.begin_registration(vault, account_name="Ada")
    sign_in = await ceremonies.begin_sign_in(vault)
    post = ada.answer(sign_in).model_copy(update={"ceremony": ceremony.ceremony})

    with pytest.raises(Replayed):
        await ceremonies.sign_in(vault, post, label="")


async def test_an_answer_to_another_challenge_is_refused(vault: Vault, ada: Any) -> None:
    first, second = await ceremonies.begin_sign_in(vault), await ceremonies.begin_sign_in(vault)
    post = ada.answer(first).model_copy(update={"ceremony": second.ceremony})

    with pytest.raises(ClaimMismatch):
        await ceremonies.sign_in(vault, post, label="")


async def test_an_unknown_passkey_is_refused(vault: Vault, ada: Any) -> None:
    ada.authenticator.passkeys[-1].credential_id = os.urandom(32)

    with pytest.raises(HolderBindingError):
        await ada.sign_in()


async def test_a_passkey_of_one_person_with_the_handle_of_another_is_refused(ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()
    eve.authenticator.passkeys[-1].user_handle = b64u_decode(ada.person)

    with pytest.raises(HolderBindingError):
        await eve.sign_in()


async def test_a_cloned_passkey_is_noticed(ada: Any) -> None:
    await ada.sign_in()
    ada.authenticator.passkeys[-1].sign_count = 0

    with pytest.raises(Replayed):
        await ada.sign_in()


async def test_a_page_on_another_origin_is_refused(ada: Any) -> None:
    ada.authenticator.origin = "https://evil.test"

    with pytest.raises(ClaimMismatch):
        await ada.sign_in()


async def test_a_verified_assertion_without_the_prf_secret_opens_nothing(vault: Vault, ada: Any) -> None:
    ceremony = await ceremonies.begin_sign_in(vault)
    post = ada.answer(ceremony).model_copy(update={"secrets": Secrets()})

    with pytest.raises(MalformedInput):
        await ceremonies.sign_in(vault, post, label="")


async def test_the_signing_secret_does_not_open_what_the_reading_secret_does(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    signing = ada.answer(consent).secrets.signing
    ceremony = await ceremonies.begin_sign_in(vault)
    post = ada.answer(ceremony).model_copy(update={"secrets": Secrets(reading=signing)})

    with pytest.raises(BadSignature):
        await ceremonies.sign_in(vault, post, label="")


async def test_a_passkey_is_registered_once(vault: Vault, ada: Any) -> None:
    ceremony = await ceremonies.begin_registration(vault, account_name="Eve")
    clone = SoftwareAuthenticator(ORIGIN)
    created = clone.create(ceremony.model_dump())
    await ceremonies.register(vault, PagePost(**created), name="", label="")
    again = await ceremonies.begin_registration(vault, account_name="Eve")
    fixed = clone.passkeys[-1].credential_id

    class Fixed(SoftwareAuthenticator):
        def create(self, ceremony: Any) -> Any:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("wallet.authenticator.os.urandom", lambda size: fixed[:size])
                return super().create(ceremony)

    with pytest.raises(Replayed):
        await ceremonies.register(vault, PagePost(**Fixed(ORIGIN).create(again.model_dump())), name="", label="")


async def test_one_secret_of_two_is_refused(vault: Vault) -> None:
    ceremony = await ceremonies.begin_registration(vault, account_name="Ada")
    created = SoftwareAuthenticator(ORIGIN).create(ceremony.model_dump())
    del created["secrets"]["signing"]

    with pytest.raises(MalformedInput):
        await ceremonies.register(vault, PagePost(**created), name="", label="")


def test_an_unknown_member_of_a_post_is_refused() -> None:
    with pytest.raises(ValidationError):
        PagePost(ceremony="c", credential={}, vault_key="x")  # type: ignore[call-arg]  # that is the point


# --- the gate


async def test_a_live_session_alone_signs_nothing(vault: Vault, ada: Any) -> None:
    """With the cookie, every row, every server secret and the reading key: no assertion, no signature."""
    key, consent = await proposed(ada)
    made_up = {"id": b64u_encode(b"i" * 32), "rawId": b64u_encode(b"i" * 32), "type": "public-key", "response": {}}

    with pytest.raises(HolderBindingError):
        await gate.approve(vault, ada.cookie, PagePost(ceremony=consent.ceremony, credential=made_up))
    with pytest.raises(NotApproved):
        await gate.sign_key_proofs(vault, ada.cookie, consent.ceremony, [SigningInput(key_id=key.id, data=b"x.y")])


async def test_the_keys_of_a_live_session_open_no_holder_key(vault: Vault, ada: Any) -> None:
    key = await ada.holder_key()
    session = await sessions.open_session(vault, ada.cookie)
    row = (
        await vault.store.database.fetch(store.HOLDER_KEY_BY_ID, {"of_person_id": ada.person, "of_id": key.id})
    ).first()

    with pytest.raises(BadSignature):
        SigningKey(session.reading_secret).open_holder_key(row.sealed, person=session.person, key_id=key.id)


async def test_an_assertion_for_signing_in_approves_nothing(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    sign_in = await ceremonies.begin_sign_in(vault)
    post = ada.answer(sign_in).model_copy(update={"ceremony": consent.ceremony})

    with pytest.raises(ClaimMismatch):
        await gate.approve(vault, ada.cookie, post)


async def test_an_assertion_for_one_proposal_approves_no_other(vault: Vault, ada: Any) -> None:
    _, first = await proposed(ada)
    _, second = await proposed(ada, option="everything")
    post = ada.answer(first).model_copy(update={"ceremony": second.ceremony})

    with pytest.raises(ClaimMismatch):
        await gate.approve(vault, ada.cookie, post)


async def test_an_approval_is_spent_by_its_first_answer(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    await gate.approve(vault, ada.cookie, ada.answer(consent))

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_an_approval_is_spent_by_a_wrong_answer_too(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    with pytest.raises(ClaimMismatch):
        await gate.approve(vault, ada.cookie, _wrong_origin(ada, consent))

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


def _wrong_origin(citizen: Any, ceremony: Any) -> PagePost:
    citizen.authenticator.origin = "https://evil.test"
    post = citizen.answer(ceremony)
    citizen.authenticator.origin = ORIGIN
    return post


async def test_an_approval_ends_by_time(vault: Vault, ada: Any, clock: Any) -> None:
    _, consent = await proposed(ada)
    clock.advance(minutes=5)

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_an_approval_belongs_to_one_session(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    await ada.sign_in()

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_an_approval_belongs_to_one_person(vault: Vault, ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()
    _, consent = await proposed(ada)
    eve_ceremony = await ceremonies.begin_sign_in(vault)
    post = eve.answer(eve_ceremony).model_copy(update={"ceremony": consent.ceremony})

    with pytest.raises(HolderBindingError):
        await gate.approve(vault, ada.cookie, post)


async def test_a_withdrawn_proposal_cannot_be_approved(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    await gate.withdraw(vault, ada.cookie, consent.ceremony)

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_a_proposal_changed_in_the_database_is_refused(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    _, other = await proposed(ada, option="everything")
    rows = {
        row.id: row.proposal_sealed
        for row in await vault.store.database.fetch(store.select(store.APPROVAL.c.id, store.APPROVAL.c.proposal_sealed))
    }
    await vault.store.database.execute(
        update(store.APPROVAL)
        .where(store.APPROVAL.c.id == consent.ceremony)
        .values(proposal_sealed=rows[other.ceremony])
    )

    with pytest.raises(NotApproved):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_an_approval_without_the_signing_secret_signs_nothing(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    post = ada.answer(consent).model_copy(update={"secrets": Secrets()})

    with pytest.raises(MalformedInput):
        await gate.approve(vault, ada.cookie, post)


async def test_nobody_signs_with_another_persons_key(vault: Vault, ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()
    key = await ada.holder_key()
    consent = await proposals.propose(vault, eve.cookie, eve.proposal(key))

    with pytest.raises(NotApproved):
        await gate.approve(vault, eve.cookie, eve.answer(consent))


async def test_a_holder_key_moved_to_another_person_does_not_open(
    vault: Vault, ada: Any, new_citizen: NewCitizen
) -> None:
    eve = await new_citizen()
    key, consent = await proposed(eve)
    stolen = await ada.holder_key()
    row = (
        await vault.store.database.fetch(store.HOLDER_KEY_BY_ID, {"of_person_id": ada.person, "of_id": stolen.id})
    ).first()
    await vault.store.database.execute(
        update(store.HOLDER_KEY).where(store.HOLDER_KEY.c.id == key.id).values(sealed=row.sealed)
    )

    with pytest.raises(BadSignature):
        await gate.approve(vault, eve.cookie, eve.answer(consent))


async def test_a_replaced_public_key_is_noticed_before_signing(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    await vault.store.database.execute(update(store.PERSON).values(signing_public=SigningKey.generate().public))

    with pytest.raises(BadSignature):
        await gate.approve(vault, ada.cookie, ada.answer(consent))


async def test_a_replaced_inbox_key_is_noticed_at_sign_in(vault: Vault, ada: Any) -> None:
    await vault.store.database.execute(update(store.PERSON).values(inbox_public=ReadingKey.generate().inbox_public))

    with pytest.raises(BadSignature):
        await ada.sign_in()


async def test_a_key_proof_cannot_be_proposed_as_a_presentation(
    vault: Vault, ada: Any, build_signing_input: Callable[..., bytes]
) -> None:
    key = await ada.holder_key()
    proof = build_signing_input({"typ": "openid4vci-proof+jwt", "alg": "ES256"}, {"aud": ISSUER})

    with pytest.raises(NotApproved):
        await proposals.propose(vault, ada.cookie, ada.proposal(key, proof))


@pytest.mark.parametrize("data", [b"\x84\x6aSignature1\x43abc", b"no signing input", b"e30.e30"])
async def test_bytes_that_are_no_presentation_are_not_put_to_the_citizen(vault: Vault, ada: Any, data: bytes) -> None:
    key = await ada.holder_key()

    with pytest.raises((NotApproved, MalformedInput)):
        await proposals.propose(vault, ada.cookie, ada.proposal(key, data))


@pytest.mark.parametrize(
    "changes",
    [
        {"action": Action.RECEIVE},
        {"action": Action.UNLOCK},
        {"key_proofs": KeyProofs(audience=ISSUER, key_ids=("k",))},
    ],
    ids=["receiving signs presentations", "unlocking signs", "presenting signs key proofs"],
)
async def test_a_proposal_that_mixes_actions_is_refused(vault: Vault, ada: Any, changes: dict[str, Any]) -> None:
    key = await ada.holder_key()

    with pytest.raises(MalformedInput):
        await proposals.propose(vault, ada.cookie, ada.proposal(key, **changes))


async def test_a_passkey_cannot_be_smuggled_into_a_proposal(vault: Vault, ada: Any) -> None:
    with pytest.raises(NotApproved):
        await ada.act(Action.ADD_PASSKEY, option="x")


# --- key proofs


PROOF = {"typ": "openid4vci-proof+jwt", "alg": "ES256"}
NOW = 1795334400
PROOF_DEFECTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another issuer": ({}, {"aud": "https://evil.test"}),
    "no audience": ({}, {"aud": None}),
    "two audiences": ({}, {"aud": [ISSUER, "https://evil.test"]}),
    "a key binding": ({"typ": "kb+jwt"}, {}),
    "no type": ({"typ": None}, {}),
    "another algorithm": ({"alg": "none"}, {}),
    "another key": ({"jwk": {"kty": "EC"}}, {}),
    "a certificate": ({"x5c": ["MII"]}, {}),
    "from yesterday": ({}, {"iat": NOW - 86400}),
    "from tomorrow": ({}, {"iat": NOW + 86400}),
    "no time": ({}, {"iat": None}),
}


@pytest.mark.parametrize(("header", "claims"), PROOF_DEFECTS.values(), ids=PROOF_DEFECTS)
async def test_a_grant_signs_key_proofs_only(
    vault: Vault,
    ada: Any,
    build_signing_input: Callable[..., bytes],
    header: dict[str, Any],
    claims: dict[str, Any],
) -> None:
    key = await ada.holder_key()
    grant = await ada.grant(key)
    data = build_signing_input(PROOF | {"jwk": key.public_jwk} | header, {"aud": ISSUER, "iat": NOW} | claims)

    with pytest.raises(NotApproved):
        await gate.sign_key_proofs(vault, ada.cookie, grant, [SigningInput(key_id=key.id, data=data)])


async def test_a_grant_covers_its_own_keys_only(
    vault: Vault, ada: Any, build_signing_input: Callable[..., bytes]
) -> None:
    key, other = await ada.holder_key(), await ada.holder_key()
    grant = await ada.grant(key)
    data = build_signing_input(PROOF | {"jwk": other.public_jwk}, {"aud": ISSUER, "iat": NOW})

    with pytest.raises(NotApproved):
        await gate.sign_key_proofs(vault, ada.cookie, grant, [SigningInput(key_id=other.id, data=data)])


async def test_a_grant_ends_by_time_and_with_its_session(vault: Vault, ada: Any, clock: Any) -> None:
    key = await ada.holder_key()
    grant = await ada.grant(key)
    await ada.sign_in()
    with pytest.raises(NotApproved):
        await gate.sign_key_proofs(vault, ada.cookie, grant, [])

    grant = await ada.grant(key)
    for _ in range(3):
        clock.advance(minutes=10)
        await sessions.open_session(vault, ada.cookie)
    with pytest.raises(NotApproved):
        await gate.sign_key_proofs(vault, ada.cookie, grant, [])


# --- passkeys and lock


async def test_the_last_passkey_cannot_be_removed(ada: Any) -> None:
    with pytest.raises(LastPasskey):
        await ada.act(Action.REMOVE_PASSKEY, option=b64u_encode(ada.authenticator.passkeys[-1].credential_id))


async def test_nobody_removes_another_persons_passkey(ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()

    with pytest.raises(NotApproved):
        await eve.act(Action.REMOVE_PASSKEY, option=b64u_encode(ada.authenticator.passkeys[-1].credential_id))


async def test_a_new_passkey_alone_cannot_agree_to_itself(vault: Vault, ada: Any) -> None:
    creation = await actions.begin_adding_passkey(vault, ada.cookie, account_name="Ada")
    thief = SoftwareAuthenticator(ORIGIN)
    created = PagePost(**thief.create(creation.model_dump()))
    consent = (await actions.propose_passkey(vault, ada.cookie, created, name="mine")).model_dump()
    consent["options"]["allowCredentials"] = []
    consent["options"]["extensions"] = {"prf": {"eval": creation.options["extensions"]["prf"]["eval"]}}

    with pytest.raises(HolderBindingError):
        await gate.approve(vault, ada.cookie, PagePost(**thief.get(consent), new_secrets=created.secrets))


async def test_another_passkey_than_the_approved_one_is_not_added(vault: Vault, ada: Any) -> None:
    """Two registrations wait; an assertion for the one does not add the other."""
    waiting = []
    for _ in range(2):
        creation = await actions.begin_adding_passkey(vault, ada.cookie, account_name="Ada")
        created = PagePost(**SoftwareAuthenticator(ORIGIN).create(creation.model_dump()))
        waiting.append(await actions.propose_passkey(vault, ada.cookie, created, name="same name"))
    post = ada.answer(waiting[0]).model_copy(update={"ceremony": waiting[1].ceremony})

    with pytest.raises(ClaimMismatch):
        await gate.approve(vault, ada.cookie, post)


@pytest.mark.parametrize("action", [Action.NEW_RECOVERY_CODE, Action.RECEIVE, Action.PRESENT])
async def test_a_locked_wallet_does_nothing_but_unlock(vault: Vault, ada: Any, action: Action) -> None:
    await journal.lock_by_operator(vault, ada.person, operator="clerk 7", reason="reported stolen")
    await ada.sign_in()

    with pytest.raises(WalletLocked):
        await ada.act(action, key_proofs=KeyProofs(audience=ISSUER, key_ids=("k",)))


async def test_a_lock_stops_an_approval_that_is_under_way(vault: Vault, ada: Any) -> None:
    _, consent = await proposed(ada)
    post = ada.answer(consent)
    await vault.store.database.execute(store.SET_LOCK, {"of_id": ada.person, "locked_at": vault.clock()})

    with pytest.raises(WalletLocked):
        await gate.approve(vault, ada.cookie, post)


# --- recovery


async def code_of(citizen: Any) -> str:
    code = (await citizen.act(Action.NEW_RECOVERY_CODE)).recovery_code
    assert isinstance(code, str)
    return code


@pytest.mark.parametrize(
    "slip",
    [
        lambda code: code[:-1],
        lambda code: code + "0",
        lambda code: code[:-1] + ("0" if code[-1] != "0" else "2"),
        lambda code: code[1] + code[0] + code[2:] if code[0] != code[1] else "Z" + code[1:],
        lambda code: code.replace("-", "U", 1),
        lambda code: "",
    ],
    ids=["too short", "too long", "another last character", "swapped", "a letter that no code has", "empty"],
)
async def test_a_slip_in_the_recovery_code_is_found(vault: Vault, ada: Any, slip: Callable[[str], str]) -> None:
    code = await code_of(ada)

    with pytest.raises(MalformedInput):
        await recovery.begin_recovery(vault, slip(code))


async def test_an_unknown_code_is_refused(vault: Vault, ada: Any) -> None:
    with pytest.raises(NotApproved):
        await recovery.begin_recovery(vault, recovery.RecoveryCode.generate().text)


async def test_a_replaced_code_is_void(vault: Vault, ada: Any) -> None:
    old = await code_of(ada)
    await code_of(ada)

    with pytest.raises(NotApproved):
        await recovery.begin_recovery(vault, old)


async def test_recovery_waits(vault: Vault, ada: Any, clock: Any) -> None:
    code = await code_of(ada)
    await recovery.begin_recovery(vault, code)
    clock.advance(days=2.9)

    with pytest.raises(TooEarly):
        await recovery.begin_recovery_passkey(vault, code, account_name="Eve")


async def test_recovery_that_was_not_begun_gives_no_passkey(vault: Vault, ada: Any) -> None:
    code = await code_of(ada)

    with pytest.raises(NotApproved):
        await recovery.begin_recovery_passkey(vault, code, account_name="Eve")


async def test_a_cancelled_recovery_voids_the_code(vault: Vault, ada: Any, clock: Any) -> None:
    code = await code_of(ada)
    await recovery.begin_recovery(vault, code)
    await recovery.cancel_recovery(vault, ada.cookie)
    clock.advance(days=4)

    with pytest.raises(NotApproved):
        await recovery.begin_recovery_passkey(vault, code, account_name="Eve")


async def test_a_code_recovers_only_its_own_wallet(vault: Vault, ada: Any, new_citizen: NewCitizen, clock: Any) -> None:
    eve = await new_citizen()
    codes = await code_of(ada), await code_of(eve)
    for code in codes:
        await recovery.begin_recovery(vault, code)
    clock.advance(days=4)
    ceremony = await recovery.begin_recovery_passkey(vault, codes[1], account_name="Eve")
    post = PagePost(**SoftwareAuthenticator(ORIGIN).create(ceremony.model_dump()))

    with pytest.raises(NotApproved):
        await recovery.recover(vault, codes[0], post, name="", label="")


async def test_a_recovery_code_works_once(vault: Vault, ada: Any, clock: Any) -> None:
    code = await code_of(ada)
    await recovery.begin_recovery(vault, code)
    clock.advance(days=4)
    ceremony = await recovery.begin_recovery_passkey(vault, code, account_name="Ada")
    post = PagePost(**SoftwareAuthenticator(ORIGIN).create(ceremony.model_dump()))
    await recovery.recover(vault, code, post, name="", label="")

    with pytest.raises(NotApproved):
        await recovery.begin_recovery(vault, code)


# --- operators


@pytest.mark.parametrize(("operator", "reason"), [("", "why"), ("clerk 7", "")])
async def test_an_operator_acts_only_with_name_and_reason(vault: Vault, ada: Any, operator: str, reason: str) -> None:
    with pytest.raises(MalformedInput):
        await journal.lock_by_operator(vault, ada.person, operator=operator, reason=reason)


@pytest.mark.parametrize("count", [0, 101])
async def test_keys_are_made_in_bounded_numbers(vault: Vault, ada: Any, count: int) -> None:
    with pytest.raises(MalformedInput):
        await holder_keys.create_holder_keys(vault, ada.cookie, count=count)


def test_the_digest_commits_to_everything_that_is_done(ada: Any) -> None:
    key = type("Key", (), {"id": "k"})()
    honest = ada.proposal(key)
    changed = [
        honest.model_copy(update={"action": Action.RECEIVE}),
        honest.model_copy(update={"shown": sha256(b"something else").digest()}),
        honest.model_copy(update={"inputs": (SigningInput(key_id="j", data=honest.inputs[0].data),)}),
        honest.model_copy(update={"inputs": (SigningInput(key_id="k", data=b"other"),)}),
        honest.model_copy(update={"inputs": honest.inputs * 2}),
        honest.model_copy(update={"key_proofs": KeyProofs(audience=ISSUER, key_ids=("k",))}),
        honest.model_copy(update={"consent_id": "consent-2"}),
        honest.model_copy(update={"consent_id": "consent-", "option": "1option-1"}),
        honest.model_copy(update={"option": "option-2"}),
    ]

    assert len({each.challenge(b"f" * 32) for each in [honest, *changed]}) == len(changed) + 1


async def test_passkeys_are_bounded_in_number(vault: Vault, ada: Any) -> None:
    few = replace(vault, policy=replace(vault.policy, max_passkeys=1))

    with pytest.raises(MalformedInput):
        await actions.begin_adding_passkey(few, ada.cookie, account_name="Ada")


async def test_operators_act_on_wallets_that_exist(vault: Vault) -> None:
    with pytest.raises(MalformedInput):
        await journal.lock_by_operator(vault, PersonId("nobody"), operator="clerk 7", reason="why")
    with pytest.raises(MalformedInput):
        await journal.note_by_operator(vault, PersonId("nobody"), operator="clerk 7", note="what")


async def test_a_passkey_is_renamed_by_its_owner_only(vault: Vault, ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()

    with pytest.raises(MalformedInput):
        await accounts.rename_passkey(
            vault, eve.cookie, b64u_encode(ada.authenticator.passkeys[-1].credential_id), name="mine"
        )


async def test_another_browser_is_signed_out_by_its_owner_only(vault: Vault, ada: Any, new_citizen: NewCitizen) -> None:
    eve = await new_citizen()
    target = (await sessions.open_session(vault, ada.cookie)).id
    await sessions.end_session(vault, eve.cookie, session_id=target)

    assert (await sessions.open_session(vault, ada.cookie)).id == target
