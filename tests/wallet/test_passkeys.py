"""Dishonest browsers and authenticators: each case breaks one rule of an honest answer."""

import hashlib
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_loads
from byoid.errors import (
    BadSignature,
    ClaimMismatch,
    HolderBindingError,
    MalformedInput,
    Replayed,
    WrongType,
)
from wallet import passkeys
from wallet.authenticator import SoftwareAuthenticator
from wallet.passkeys import RegisteredPasskey, WebAuthnParty

ORIGIN = "https://wallet.test"
PARTY = WebAuthnParty(id="wallet.test", name="Wallet", origins=(ORIGIN,))
HANDLE = b"h" * 16
Answer = dict[str, Any]


class Authenticator(SoftwareAuthenticator):
    """An authenticator that answers options without the vault around them."""

    def register(self, challenge: bytes) -> Answer:
        options = passkeys.registration_options(
            PARTY, challenge=challenge, user_handle=HANDLE, account_name="Ada", existing=()
        )
        return self.create({"ceremony": "c", "options": options, "secrets": ("reading", "signing")})["credential"]

    def assert_(self, challenge: bytes) -> Answer:
        options = passkeys.assertion_options(PARTY, challenge=challenge, allowed=(), salts=())
        return self.get({"ceremony": "c", "options": options, "secrets": ()})["credential"]


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(ORIGIN)


@pytest.fixture
def challenge() -> bytes:
    return os.urandom(32)


@pytest.fixture
def registered(authenticator: Authenticator) -> RegisteredPasskey:
    challenge = os.urandom(32)
    return passkeys.verify_registration(authenticator.register(challenge), party=PARTY, challenge=challenge)


def in_response(answer: Answer, **members: Any) -> Answer:
    return {**answer, "response": {**answer["response"], **members}}


def client_data(answer: Answer, **changes: Any) -> bytes:
    found = json_loads(b64u_decode(answer["response"]["clientDataJSON"]))
    return json_dumps({name: value for name, value in {**found, **changes}.items() if value is not ...})


def with_client_data(**changes: Any) -> Callable[[Answer, Authenticator], Answer]:
    """Change clientDataJSON; an assertion is signed anew, as a phishing page could have it."""

    def defect(answer: Answer, authenticator: Authenticator) -> Answer:
        raw = client_data(answer, **changes)
        changed = in_response(answer, clientDataJSON=b64u_encode(raw))
        if "signature" not in answer["response"]:
            return changed
        return sign_again(changed, authenticator)

    return defect


def sign_again(answer: Answer, authenticator: Authenticator, data: bytes | None = None) -> Answer:
    data = data if data is not None else b64u_decode(answer["response"]["authenticatorData"])
    signed = data + hashlib.sha256(b64u_decode(answer["response"]["clientDataJSON"])).digest()
    signature = authenticator.passkeys[-1].key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return in_response(answer, authenticatorData=b64u_encode(data), signature=b64u_encode(signature))


def with_flags(flags: int, count: int = 9, rp_id: str = "wallet.test") -> Callable[[Answer, Authenticator], Answer]:
    """Authenticator data of our own, signed by the right key."""

    def defect(answer: Answer, authenticator: Authenticator) -> Answer:
        data = hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, count)
        if "signature" in answer["response"]:
            return sign_again(answer, authenticator, data)
        attested = b64u_decode(answer["response"]["attestationObject"])
        found = cbor2.loads(attested)
        found["authData"] = data + found["authData"][37:]
        return in_response(answer, attestationObject=b64u_encode(cbor2.dumps(found)))

    return defect


def with_cose_key(changes: dict[int, Any]) -> Callable[[Answer, Authenticator], Answer]:
    def defect(answer: Answer, authenticator: Authenticator) -> Answer:
        found = cbor2.loads(b64u_decode(answer["response"]["attestationObject"]))
        data = found["authData"]
        start = 37 + 16 + 2 + 32
        key = {**cbor2.loads(data[start:]), **changes}
        found["authData"] = data[:start] + cbor2.dumps({name: value for name, value in key.items() if value != ...})
        return in_response(answer, attestationObject=b64u_encode(cbor2.dumps(found)))

    return defect


def drop(member: str) -> Callable[[Answer, Authenticator], Answer]:
    def defect(answer: Answer, authenticator: Authenticator) -> Answer:
        return {**answer, "response": {k: v for k, v in answer["response"].items() if k != member}}

    return defect


def top(**members: Any) -> Callable[[Answer, Authenticator], Answer]:
    return lambda answer, authenticator: {**answer, **members}


def inner(**members: Any) -> Callable[[Answer, Authenticator], Answer]:
    return lambda answer, authenticator: in_response(answer, **members)


def duplicated_member(answer: Answer, authenticator: Authenticator) -> Answer:
    raw = client_data(answer)[:-1] + b',"origin":"https://evil.test"}'
    return in_response(answer, clientDataJSON=b64u_encode(raw))


def signed_by_another_key(answer: Answer, authenticator: Authenticator) -> Answer:
    authenticator.passkeys[-1].key = ec.generate_private_key(ec.SECP256R1())
    return sign_again(answer, authenticator)


OFF_CURVE = {-2: b"\1" * 32, -3: b"\2" * 32}
RSA = {1: 3, 3: -257, -1: b"\1" * 256, -2: b"\1\0\1", -3: ...}
COMMON = {
    "another origin": (with_client_data(origin="https://evil.test"), ClaimMismatch),
    "an origin with a port": (with_client_data(origin=ORIGIN + ":8443"), ClaimMismatch),
    "an origin that is a prefix of ours": (with_client_data(origin="https://wallet.test.evil.test"), ClaimMismatch),
    "no origin": (with_client_data(origin=...), ClaimMismatch),
    "another challenge": (with_client_data(challenge=b64u_encode(b"x" * 32)), ClaimMismatch),
    "no challenge": (with_client_data(challenge=...), ClaimMismatch),
    "a frame of another site": (with_client_data(crossOrigin=True, topOrigin="https://evil.test"), ClaimMismatch),
    "a frame of another site that hides": (with_client_data(crossOrigin=True), ClaimMismatch),
    "a top origin alone": (with_client_data(topOrigin="https://evil.test"), ClaimMismatch),
    "cross origin as a text": (with_client_data(crossOrigin="false"), ClaimMismatch),
    "no type": (with_client_data(type=...), WrongType),
    "type of a payment": (with_client_data(type="payment.get"), WrongType),
    "a member twice in the client data": (duplicated_member, MalformedInput),
    "client data that is no JSON": (inner(clientDataJSON=b64u_encode(b"{")), MalformedInput),
    "client data with padding": (inner(clientDataJSON="e30="), MalformedInput),
    "client data of 5 MB": (inner(clientDataJSON="A" * 5_000_000), MalformedInput),
    "no client data": (drop("clientDataJSON"), MalformedInput),
    "no response": (top(response=None), MalformedInput),
    "another rawId": (top(rawId=b64u_encode(b"r" * 32)), MalformedInput),
    "no id": (top(id=None), MalformedInput),
    "an empty id": (top(id="", rawId=""), MalformedInput),
    "another type of credential": (top(type="password"), MalformedInput),
    "the output of the PRF": (
        top(clientExtensionResults={"prf": {"results": {"first": b64u_encode(b"s" * 32)}}}),
        MalformedInput,
    ),
}
REGISTRATION = COMMON | {
    "an assertion in place of a registration": (with_client_data(type="webauthn.get"), WrongType),
    "no user verification": (with_flags(0x59), ClaimMismatch),
    "no user presence": (with_flags(0x5C), BadSignature),
    "backed up without being able to": (with_flags(0x55), BadSignature),
    "another rpId": (with_flags(0x5D, rp_id="evil.test"), BadSignature),
    "a point off its curve": (with_cose_key(OFF_CURVE), MalformedInput),
    "a coordinate that is too short": (with_cose_key({-2: b"\1" * 31}), MalformedInput),
    "an RSA key": (with_cose_key(RSA), BadSignature),
    "an algorithm that does not fit the key": (with_cose_key({3: -8}), MalformedInput),
    "no key": (with_cose_key({-2: ..., -3: ...}), BadSignature),
    "CBOR that nests too deep": (inner(attestationObject=b64u_encode(b"\x81" * 5000 + b"\1")), BadSignature),
    "an attestation object that is none": (inner(attestationObject=b64u_encode(b"\xa0")), BadSignature),
    "bytes behind the attestation object": (inner(attestationObject=b64u_encode(b"\xa0\0")), BadSignature),
    "another id than the attested one": (
        top(id=b64u_encode(b"i" * 32), rawId=b64u_encode(b"i" * 32)),
        ClaimMismatch,
    ),
}
ASSERTION = COMMON | {
    "a registration in place of an assertion": (with_client_data(type="webauthn.create"), WrongType),
    "no user verification": (with_flags(0x19), ClaimMismatch),
    "no user presence": (with_flags(0x1C), ClaimMismatch),
    "backed up without being able to": (with_flags(0x15), ClaimMismatch),
    "another backup eligibility": (with_flags(0x05), ClaimMismatch),
    "another rpId": (with_flags(0x1D, rp_id="evil.test"), ClaimMismatch),
    "a sign count that went back": (with_flags(0x1D, count=0), Replayed),
    "authenticator data that is too short": (inner(authenticatorData=b64u_encode(b"x" * 36)), MalformedInput),
    "the signature of another key": (signed_by_another_key, BadSignature),
    "a signature that is none": (inner(signature=b64u_encode(b"x" * 70)), BadSignature),
    "an empty signature": (inner(signature=""), BadSignature),
    "no signature": (drop("signature"), MalformedInput),
    "another person's user handle": (inner(userHandle=b64u_encode(b"x" * 16)), HolderBindingError),
    "no user handle": (drop("userHandle"), MalformedInput),
    "a user handle that is no text": (inner(userHandle=5), MalformedInput),
    "another passkey's id": (top(id=b64u_encode(b"i" * 32), rawId=b64u_encode(b"i" * 32)), HolderBindingError),
}


@pytest.mark.hostile
@pytest.mark.parametrize(("defect", "error"), REGISTRATION.values(), ids=REGISTRATION)
def test_a_registration_with_one_defect_is_refused(
    authenticator: Authenticator, challenge: bytes, defect: Any, error: type[Exception]
) -> None:
    answer = defect(authenticator.register(challenge), authenticator)

    with pytest.raises(error):
        passkeys.verify_registration(answer, party=PARTY, challenge=challenge)


@pytest.mark.hostile
@pytest.mark.parametrize(("defect", "error"), ASSERTION.values(), ids=ASSERTION)
def test_an_assertion_with_one_defect_is_refused(
    authenticator: Authenticator,
    registered: RegisteredPasskey,
    challenge: bytes,
    defect: Any,
    error: type[Exception],
) -> None:
    authenticator.passkeys[-1].sign_count = 5
    known = RegisteredPasskey(registered.credential_id, registered.public_key, 5, registered.backup_eligible)
    answer = defect(authenticator.assert_(challenge), authenticator)

    with pytest.raises(error):
        passkeys.verify_assertion(
            answer, party=PARTY, challenge=challenge, passkey=known, user_handle=HANDLE, identified=False
        )


def test_an_honest_registration_gives_the_passkey(authenticator: Authenticator, challenge: bytes) -> None:
    found = passkeys.verify_registration(authenticator.register(challenge), party=PARTY, challenge=challenge)

    assert found.credential_id == authenticator.passkeys[-1].credential_id
    assert found.backup_eligible


@pytest.mark.parametrize("user_handle", [b64u_encode(HANDLE), None], ids=["discoverable", "left out by the browser"])
def test_an_honest_assertion_gives_the_new_sign_count(
    authenticator: Authenticator, registered: RegisteredPasskey, challenge: bytes, user_handle: str | None
) -> None:
    answer = in_response(authenticator.assert_(challenge), userHandle=user_handle)

    found = passkeys.verify_assertion(
        answer, party=PARTY, challenge=challenge, passkey=registered, user_handle=HANDLE, identified=True
    )

    assert (found.sign_count, found.backed_up) == (1, True)


def test_an_authenticator_that_does_not_count_stays_welcome(
    authenticator: Authenticator, registered: RegisteredPasskey, challenge: bytes
) -> None:
    authenticator.passkeys[-1].sign_count = -1

    found = passkeys.verify_assertion(
        authenticator.assert_(challenge),
        party=PARTY,
        challenge=challenge,
        passkey=registered,
        user_handle=HANDLE,
        identified=True,
    )

    assert found.sign_count == 0


def test_options_always_demand_a_verified_user_and_a_discoverable_passkey() -> None:
    creation = passkeys.registration_options(
        PARTY, challenge=b"c" * 32, user_handle=HANDLE, account_name="Ada", existing=["aWQ"]
    )
    request = passkeys.assertion_options(PARTY, challenge=b"c" * 32, allowed=["aWQ"], salts=[passkeys.READING_SALT])

    assert creation["authenticatorSelection"]["userVerification"] == request["userVerification"] == "required"
    assert creation["authenticatorSelection"]["residentKey"] == "required"
    assert creation["excludeCredentials"][0]["id"] == "aWQ"
    assert request["extensions"]["prf"]["evalByCredential"]["aWQ"]["first"] == b64u_encode(passkeys.READING_SALT)


def test_only_one_file_of_the_wallet_imports_the_webauthn_library() -> None:
    root = Path(__file__).parents[2] / "wallet"
    importers = {
        file.name for file in root.rglob("*.py") if re.search(r"^\s*(import|from) webauthn\b", file.read_text(), re.M)
    }

    assert importers == {"passkeys.py"}
