"""Transaction data: what the person authorises together with a presentation.

Spec: OpenID4VP 1.0 sections 5.1 (`transaction_data`), 8.4, 8.5 (errors), B.3.3 (hashes in the key binding JWT).
The hash is over the string as sent. Presentations of an mdoc cannot carry any here (B.2.1 leaves it to document types).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ConfigDict

from byoid.encoding import b64u_decode, b64u_encode, json_dumps, json_object
from byoid.errors import ClaimMismatch, MalformedInput
from byoid.formats.sd_jwt import DEFAULT_HASH, HASH_ALGORITHMS, digest
from byoid.message import Message, parse_message
from byoid.presentation.dcql import SD_JWT_VC, DcqlQuery, Identifier, NonEmpty
from byoid.wire_errors import InvalidTransactionData

SUPPORTED_HASHES: Final = tuple(HASH_ALGORITHMS)


class TransactionData(Message):
    """What every type of transaction data has. Types derive from it; members that a type does not know are refused."""

    model_config = ConfigDict(extra="forbid")

    type: str
    credential_ids: NonEmpty[Identifier]
    transaction_data_hashes_alg: NonEmpty[str] | None = None

    def encode(self) -> str:
        """Return the string that goes into the request."""
        return b64u_encode(json_dumps(self.to_wire()))


@dataclass(frozen=True, slots=True)
class RequestedTransaction:
    """Transaction data that the wallet understands: the object to show, and the string to hash."""

    data: TransactionData
    encoded: str


def parse_transaction_data(
    values: Sequence[str], *, query: DcqlQuery, types: Mapping[str, type[TransactionData]]
) -> tuple[RequestedTransaction, ...]:
    """Read a request's transaction data as a wallet.

    Args:
        values: the strings of the request.
        query: the request's query.
        types: the types that the wallet can show to its person.

    Raises:
        InvalidTransactionData: any of them is malformed, of an unknown type, or for a credential that is not asked for
            or cannot carry it.
    """
    return tuple(_parse(value, query, types) for value in values)


def require_bindable(data: TransactionData, query: DcqlQuery) -> None:
    """Demand that every credential that may carry this data is asked for, as SD-JWT VC with holder binding (B.3.3).

    Raises:
        ClaimMismatch: one is not.
    """
    for query_id in data.credential_ids:
        credential = query.credential(query_id)
        if credential is None:
            raise ClaimMismatch("transaction data name a credential that is not asked for")
        if credential.format != SD_JWT_VC or not credential.require_cryptographic_holder_binding:
            raise ClaimMismatch("transaction data need an SD-JWT VC with holder binding")


def choose_hash(transactions: Sequence[RequestedTransaction]) -> str | None:
    """Return what to put into `transaction_data_hashes_alg`; None where no object names algorithms.

    Raises:
        InvalidTransactionData: no algorithm that byoid knows is allowed by all.
    """
    named = [set(each.data.transaction_data_hashes_alg or (DEFAULT_HASH,)) for each in transactions]
    common = [name for name in SUPPORTED_HASHES if all(name in names for names in named)]
    if not common:
        raise InvalidTransactionData("no hash algorithm is supported for all transaction data")
    return common[0] if any(each.data.transaction_data_hashes_alg for each in transactions) else None


def credential_ids_of(encoded: str) -> tuple[str, ...]:
    """Return the credential queries that may authorise transaction data of our own."""
    return tuple(json_object(b64u_decode(encoded))["credential_ids"])


def authorised_by(claims: Mapping[str, Any], transactions: Iterable[str]) -> tuple[str, ...]:
    """Return those transaction data whose hash a key binding JWT, not believed yet, claims to hold."""
    name, hashes = claims.get("transaction_data_hashes_alg", DEFAULT_HASH), claims.get("transaction_data_hashes")
    if not isinstance(hashes, list) or name not in SUPPORTED_HASHES:
        return ()
    return tuple(each for each in transactions if digest(each, name) in hashes)


def require_all_authorised(transactions: Sequence[str], authorised: Collection[str]) -> None:
    """Demand that every transaction was authorised by one of the presentations that were accepted.

    Raises:
        ClaimMismatch: one was not.
    """
    if missing := sum(each not in authorised for each in transactions):
        raise ClaimMismatch(f"{missing} of {len(transactions)} transactions were not authorised")


def _parse(value: str, query: DcqlQuery, types: Mapping[str, type[TransactionData]]) -> RequestedTransaction:
    try:
        members = json_object(b64u_decode(value))
        kind = members.get("type")
        if not isinstance(kind, str) or kind not in types:
            raise InvalidTransactionData("the type of transaction data is unknown")
        data = parse_message(types[kind], members)
        require_bindable(data, query)
    except MalformedInput as error:
        raise InvalidTransactionData("the transaction data are malformed", detail=str(error)) from None
    except ClaimMismatch as error:
        raise InvalidTransactionData(str(error)) from None
    return RequestedTransaction(data, value)
