"""Every error that the wallet raises has words for a citizen."""

import pytest

from byoid import errors
from byoid.errors import ByoidError, PeerError
from wallet import contents, portability, receipts, receiving
from wallet.messages import MESSAGE_IDS, UNKNOWN, message_id
from wallet.vault import contract


def classes() -> list[type[ByoidError]]:
    found = {
        each
        for module in (errors, contents, receipts, receiving, contract)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, ByoidError) and each is not ByoidError
    }
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("error", classes(), ids=lambda each: each.__name__)
def test_every_error_has_a_message(error: type[ByoidError]) -> None:
    assert message_id(error("what went wrong")) in MESSAGE_IDS - {UNKNOWN}


def test_a_peers_code_says_more_than_that_it_refused() -> None:
    assert message_id(PeerError("refused", code="invalid_grant")) == "error-offer-used"
    assert message_id(PeerError("refused", code="something_else")) == "error-peer"


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_no_longer_there_is_no_fault_of_the_other_side(status: int) -> None:
    assert message_id(PeerError("refused", status=status)) == "error-gone"
    assert message_id(PeerError("refused", code="invalid_grant", status=status)) == "error-offer-used"


def test_a_mistyped_password_is_not_called_a_forgery() -> None:
    assert message_id(portability.WrongPassphrase("another one")) == "error-file-password"
    assert message_id(portability.NotAWalletFile("no JWE")) == "error-file"


def test_our_own_class_says_more_than_a_peers_code() -> None:
    assert message_id(receiving.TransactionCodeRefused("refused", code="invalid_grant")) == "error-transaction-code"


def test_what_nobody_foresaw_has_a_message_too() -> None:
    assert message_id(RuntimeError("oh")) == UNKNOWN
