"""The vault's journeys: register, sign in, sign after an approval, passkeys, recovery, lock, deletion."""

from collections.abc import Awaitable, Callable
from typing import Any

from byoid.keys import PublicKey
from wallet.vault import gate, proposals, sessions
from wallet.vault.context import Vault

NewCitizen = Callable[..., Awaitable[Any]]


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
