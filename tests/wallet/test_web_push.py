"""Web Push: an independent implementation opens what we encrypt, and a push service can check who sent it."""

import json
from datetime import UTC, datetime
from typing import Any

import http_ece  # type: ignore[import-untyped]  # has no types
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import MalformedInput
from byoid.jose import verify_jws
from byoid.keys import PublicKey
from wallet.web_push import PushAddress, PushSender, encrypt_push

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ENDPOINT = "https://push.test/send/abc"


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )  # fmt: skip


def browser() -> tuple[ec.EllipticCurvePrivateKey, dict[str, str]]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, {"endpoint": ENDPOINT, "p256dh": b64u_encode(point(key)), "auth": b64u_encode(b"s" * 16)}


def test_another_implementation_opens_the_message() -> None:
    key, subscription = browser()

    sealed = encrypt_push(b'{"kind":"security"}', PushAddress.parse(**subscription))

    opened = http_ece.decrypt(sealed, private_key=key, auth_secret=b"s" * 16, version="aes128gcm")
    assert json.loads(opened) == {"kind": "security"}


def test_no_two_messages_look_alike() -> None:
    address = PushAddress.parse(**browser()[1])

    assert encrypt_push(b"x", address) != encrypt_push(b"x", address)


def test_the_sender_is_signed_for_one_push_service_and_a_day() -> None:
    sender = PushSender.derive(b"k" * 32, contact="https://wallet.test")

    scheme, _, rest = sender.authorization(ENDPOINT, now=NOW).partition(" ")
    token, public = rest.removeprefix("t=").split(", k=")

    assert (scheme, public) == ("vapid", sender.public_b64u)
    raw = b64u_decode(public)
    key = PublicKey.from_coordinates("P-256", raw[1:33], raw[33:])
    claims = verify_jws(token, key, algorithms={"ES256"}, typ=None).claims
    assert claims["aud"] == "https://push.test"
    assert 0 < claims["exp"] - NOW.timestamp() <= 86400
    assert claims["sub"] == "https://wallet.test"


def test_every_worker_derives_the_same_key() -> None:
    made = {PushSender.derive(b"k" * 32, contact="https://wallet.test").public_b64u for _ in range(2)}

    assert len(made) == 1
    assert PushSender.derive(b"l" * 32, contact="https://wallet.test").public_b64u not in made


@pytest.mark.hostile
@pytest.mark.parametrize(
    "defect",
    [
        {"endpoint": "http://push.test/x"},
        {"endpoint": "ftp://push.test/x"},
        {"endpoint": "https:///x"},
        {"endpoint": "https://push.test/" + "x" * 3000},
        {"p256dh": b64u_encode(b"\x04" + b"\x01" * 64)},
        {"p256dh": b64u_encode(b"\x00")},
        {"p256dh": "not base64url!"},
        {"auth": b64u_encode(b"short")},
    ],
    ids=["http", "ftp", "no-host", "endless", "off-the-curve", "infinity", "no-base64url", "short-secret"],
)  # fmt: skip
def test_a_strange_subscription_is_refused(defect: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        PushAddress.parse(**{**browser()[1], **defect})
