"""What can be wrong with asking for a transaction, apart from what is wrong with a response."""

from byoid.errors import ByoidError


class TransactionUnknown(ByoidError):
    """There is no such transaction, or it has expired, or was asked for by somebody else."""


class TransactionOver(ByoidError):
    """The transaction was answered already."""


class TooManyFailures(ByoidError):
    """Worthless answers to this request come too fast. It may be answered a little later."""


class SessionMismatch(ByoidError):
    """The result is asked for in another browser session than the one that started, or without the response code."""
