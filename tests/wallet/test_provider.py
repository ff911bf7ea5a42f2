"""The wallet provider: attestations that issuers accept, and status lists that tell the truth about them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import ClaimMismatch
from byoid.formats.status_array import INVALID, VALID
from byoid.formats.status_list import StatusReference, parse_status_list_token, verify_status_list_token
from byoid.keys import PrivateKey
from byoid.oauth.client_attestation import verify_client_attestation, verify_client_attestation_pop
from byoid.oauth.jwt import Trust
from byoid.oauth.key_attestation import verify_key_attestation
from byoid.service.trust_files import load_trust
from byoid.trust.anchors import Purpose
from byoid.trust.x509 import verify_chain
from demo.pki import make_pki
from tests.wallet.world import WALLET_URL, open_wallet
from wallet.provider import ATTESTATION, NoSuchList, WalletProvider
from wallet.vault.contract import HolderKeyView
from wallet.vault.doctor import examine
from wallet.vault.kek import Protection
from wallet.vault.keys import PersonId

SERVER = "https://issuer.test"
ZOE, LEA = PersonId("zoe"), PersonId("lea")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.wallet.conftest import Clock

    folder = tmp_path_factory.mktemp("provider") / "pki"
    make_pki(folder, host="wallet.test", now=Clock().now - timedelta(hours=1))
    return folder


@pytest.fixture
def trust(pki: Path) -> Trust:
    return Trust(load_trust(pki / "trust.toml"))


@pytest.fixture
async def provider(pki: Path, clock: Any) -> Any:
    async with open_wallet(pki, clock=clock, mounts={}) as wallet:
        yield wallet.provider


@pytest.fixture
def instance_key() -> PrivateKey:
    return PrivateKey.generate()


async def status_of(provider: WalletProvider, reference: StatusReference, trust: Trust) -> int:
    token = parse_status_list_token(await provider.status_list_token(reference.uri.rpartition("/")[2]))
    chain = verify_chain(token.x5c, anchors=trust.anchors, purpose=Purpose.STATUS, now=provider.clock())
    found = verify_status_list_token(token, uri=reference.uri, key=chain.public_key, now=provider.clock())
    return found.status_at(reference.index)


async def test_a_client_attestation_names_the_product_and_not_the_person(
    provider: WalletProvider, trust: Trust, instance_key: PrivateKey, clock: Any
) -> None:
    jwt = await provider.create_client_attestation(ZOE, instance_key)
    found = verify_client_attestation(jwt, trust=trust, now=clock(), client_id="byoid-wallet")

    assert found.key == instance_key.public
    assert found.expires_at - clock() < timedelta(hours=24)
    assert found.status_maintained_until is not None
    assert found.status_maintained_until - clock() > timedelta(days=31)
    assert "zoe" not in str(found.claims)


async def test_the_proof_of_possession_is_for_one_server_and_challenge(
    provider: WalletProvider, trust: Trust, instance_key: PrivateKey, clock: Any
) -> None:
    attest = provider.attest_client(ZOE, instance_key)
    attestation, proof = await attest(SERVER, "challenge-1")
    again, _ = await attest(SERVER, "challenge-2")
    verified = verify_client_attestation(attestation, trust=trust, now=clock())

    assert again == attestation
    found = verify_client_attestation_pop(
        proof, attestation=verified, audience=SERVER, now=clock(), challenges=["challenge-1"]
    )
    assert found.challenge == "challenge-1"
    with pytest.raises(ClaimMismatch):
        verify_client_attestation_pop(proof, attestation=verified, audience="https://other.test", now=clock())


async def test_a_key_attestation_lists_the_keys_with_the_nonce(
    provider: WalletProvider, trust: Trust, clock: Any
) -> None:
    keys = [PrivateKey.generate().public for _ in range(2)]
    views = [
        HolderKeyView(id=str(place), public_jwk=key.jwk, protection=Protection.PASSKEY)
        for place, key in enumerate(keys)
    ]
    jwt = await provider.create_key_attestation(ZOE, views, nonce="nonce-1")
    found = verify_key_attestation(jwt, trust=trust, now=clock(), max_keys=2)

    assert list(found.keys) == keys
    assert found.nonce == "nonce-1"
    assert found.key_storage == ("iso_18045_basic",)


@pytest.mark.parametrize(
    ("protections", "storage"),
    [
        ([Protection.PASSKEY, Protection.PASSKEY], ("iso_18045_enhanced-basic",)),
        ([Protection.PASSKEY, Protection.HSM], ("iso_18045_moderate",)),
        ([Protection.KEY_FILE, Protection.HSM], ()),
    ],
)
async def test_a_key_attestation_says_of_its_weakest_key_what_the_operator_can_prove(
    provider: WalletProvider, trust: Trust, clock: Any, protections: list[Protection], storage: tuple[str, ...]
) -> None:
    levels = {"passkey_storage_level": "iso_18045_enhanced-basic", "hsm_storage_level": "iso_18045_moderate"}
    provider.settings = provider.settings.model_copy(update=levels)
    views = [
        HolderKeyView(id=each, public_jwk=PrivateKey.generate().public.jwk, protection=each) for each in protections
    ]
    jwt = await provider.create_key_attestation(ZOE, views, nonce=None)
    found = verify_key_attestation(jwt, trust=trust, now=clock(), max_keys=2)

    assert found.key_storage == storage
    assert found.user_authentication == (("iso_18045_basic",) if storage else ())


async def test_a_revoked_wallet_is_revoked_everywhere_and_nobody_else_is(
    provider: WalletProvider, trust: Trust, instance_key: PrivateKey, clock: Any
) -> None:
    references = {}
    for person in (ZOE, LEA):
        jwt = await provider.create_client_attestation(person, instance_key)
        references[person] = verify_client_attestation(jwt, trust=trust, now=clock()).status
    zoe, lea = references[ZOE], references[LEA]
    assert zoe is not None
    assert lea is not None
    assert await status_of(provider, zoe, trust) == VALID

    assert await provider.revoke(ZOE) == 1

    assert await status_of(provider, zoe, trust) == INVALID
    assert await status_of(provider, lea, trust) == VALID


async def test_no_place_is_given_twice(
    provider: WalletProvider, trust: Trust, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wallet.provider.LIST_SIZE", 2)
    attestations = [await provider.create_client_attestation(ZOE, PrivateKey.generate()) for _ in range(5)]
    found = {verify_client_attestation(jwt, trust=trust, now=clock()).status for jwt in attestations}

    assert len(found) == 5
    assert len({reference.uri for reference in found if reference}) >= 3


async def test_an_unknown_list_is_not_there(provider: WalletProvider) -> None:
    with pytest.raises(NoSuchList):
        await provider.status_list_token("client-1999-01-1")


async def test_a_list_is_served_from_memory_until_its_ttl_is_over(
    provider: WalletProvider, trust: Trust, instance_key: PrivateKey, clock: Any
) -> None:
    status = verify_client_attestation(
        await provider.create_client_attestation(ZOE, instance_key), trust=trust, now=clock()
    ).status
    assert status is not None
    list_id = status.uri.removeprefix(f"{WALLET_URL}/attestations/status/")
    first = await provider.status_list_token(list_id)

    assert await provider.status_list_token(list_id) == first
    clock.advance(minutes=6)
    assert await provider.status_list_token(list_id) != first


async def test_attestations_are_forgotten_when_their_status_is_no_longer_maintained(
    provider: WalletProvider, instance_key: PrivateKey, clock: Any
) -> None:
    await provider.create_client_attestation(ZOE, instance_key)
    assert await provider.expire() == 0
    clock.advance(days=401)

    assert await provider.expire() == 1


async def test_the_doctor_finds_nothing_in_what_the_provider_keeps(
    provider: WalletProvider, instance_key: PrivateKey
) -> None:
    await provider.create_client_attestation(ZOE, instance_key)

    assert await examine(provider.database, [ATTESTATION]) == []
