"""What the tests of dishonest issuers share: ways to bend answers and credentials, and what must be true after."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.responses import JSONResponse

from byoid.errors import (
    ByoidError,
)
from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from tests.peers.dishonest_issuer import (
    Making,
)
from wallet.history import Result, load_history
from wallet.messages import MESSAGE_IDS, UNKNOWN, message_id

NOTHING = {"cards": 0, "copies": 0, "promises": 0, "keys": 0}
Tamper = Callable[[Any], Any]


def require_message(error: ByoidError) -> None:
    """Every error has words for a citizen."""
    assert message_id(error) in MESSAGE_IDS - {UNKNOWN}


async def require_nothing_kept(citizen: Any, caught: ByoidError) -> None:
    """Nothing that could be used is there, the receipt is gone, and the history says that it failed."""
    require_message(caught)
    assert await citizen.holdings() == NOTHING
    assert await citizen.receipts() == []
    items = await load_history((await citizen.visit()).contents)
    assert [item.entry.transaction_result for item in items] == [Result.NOT_COMPLETED]


# --- answers


def error(code: str, status: int = 400, *, dpop_nonce: str | None = None) -> Tamper:
    headers = {"DPoP-Nonce": dpop_nonce} if dpop_nonce else {}
    return lambda _: JSONResponse({"error": code}, status, headers)


def without(name: str) -> Tamper:
    return lambda honest: {key: value for key, value in honest.items() if key != name}


def with_pid(**changes: Any) -> Tamper:
    def tamper(honest: dict[str, Any]) -> dict[str, Any]:
        honest["credential_configurations_supported"]["pid"] |= changes
        return honest

    return tamper


# --- credentials


def strange_chain(making: Making, purpose: Purpose, key: PrivateKey, **root: Any) -> tuple[bytes, ...]:
    begin = making.now - timedelta(days=1)
    authority = make_root(SubjectName("Stranger"), key=PrivateKey.generate(), now=begin)
    leaf = make_leaf(authority, SubjectName("S"), key=key.public, purpose=purpose, now=begin, **root)
    return to_der(leaf)


def set_(**changes: Any) -> Callable[[Making], Making]:
    return lambda making: replace(making, **changes)


def of_second(**changes: Any) -> Callable[[Making], Making]:
    """Change the second credential of the batch only."""
    return lambda making: replace(making, **changes) if making.place == 1 else making


def by_stranger(purpose: Purpose) -> Callable[[Making], Making]:
    def make(making: Making) -> Making:
        key = PrivateKey.generate()
        return replace(making, signing_key=key, x5c=strange_chain(making, purpose, key))

    return make


def to_stranger(making: Making) -> Making:
    return replace(making, holder_key=PrivateKey.generate().public)
