"""Transaction data that the wallet can show: what the citizen authorises together with a presentation.

Spec: OpenID4VP 1.0 sections 5.1 and 8.4; ARF TS12 1.0 (payment, login, account access, e-mandate). A type that is not
here, or a payload that does not fit, is refused (`invalid_transaction_data`): nobody agrees to what they can't read.
Every member of the payload becomes a line, so that nothing is agreed to unseen.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from byoid.message import Message
from byoid.presentation.transaction_data import RequestedTransaction, TransactionData
from wallet.cards import SealedValue

Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Part(Message):
    """A part of a payload. Members that we don't know are refused, as they could change its meaning."""

    model_config = ConfigDict(extra="forbid")


class Payee(Part):
    """Who is paid."""

    name: Line
    id: Line
    website: Line | None = None
    logo: Line | None = None


class Provider(Part):
    """A provider that acts for the citizen: of payment initiation, or of account information."""

    legal_name: Line
    brand_name: Line
    domain_name: Line


class Recurrence(Part):
    """How often a payment is made."""

    frequency: Line
    start_date: Line | None = None
    end_date: Line | None = None
    number: int | None = None
    mit_options: dict[str, str | int | float | bool] | None = None


class PaymentPayload(Part):
    """A payment."""

    transaction_id: Line
    payee: Payee
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    amount: Annotated[float, Field(ge=0.00001, lt=1e13)]  # as ISO 20022 writes it, and exact to the cent as a number
    date_time: Line | None = None
    execution_date: Line | None = None
    pisp: Provider | None = None
    amount_estimated: bool | None = None
    amount_earmarked: bool | None = None
    sct_inst: bool | None = None
    recurrence: Recurrence | None = None


class LoginPayload(Part):
    """A login, or another risky act at a service."""

    transaction_id: Line
    action: Line
    date_time: Line | None = None
    service: Line | None = None


class AccountAccessPayload(Part):
    """Access to accounts by a provider."""

    transaction_id: Line
    date_time: Line | None = None
    aisp: Provider | None = None
    description: Line | None = None


class MandatePayload(Part):
    """A mandate to debit an account."""

    transaction_id: Line
    creditor_id: Line | None = None
    reference_number: Line | None = None
    purpose: Line | None = None
    date_time: Line | None = None
    start_date: Line | None = None
    end_date: Line | None = None
    payment_payload: PaymentPayload | None = None


class Payment(TransactionData):
    """`urn:eudi:sca:payment:1`."""

    payload: PaymentPayload


class Login(TransactionData):
    """`urn:eudi:sca:login_risk_transaction:1`."""

    payload: LoginPayload


class AccountAccess(TransactionData):
    """`urn:eudi:sca:account_access:1`."""

    payload: AccountAccessPayload


class Mandate(TransactionData):
    """`urn:eudi:sca:emandate:1`."""

    payload: MandatePayload


TYPES: Final[Mapping[str, type[TransactionData]]] = {
    "urn:eudi:sca:payment:1": Payment,
    "urn:eudi:sca:login_risk_transaction:1": Login,
    "urn:eudi:sca:account_access:1": AccountAccess,
    "urn:eudi:sca:emandate:1": Mandate,
}


class ShownLine(SealedValue):
    """One line: the member's name (`payee.name`), for which the page has a text, and its value as text."""

    name: str
    value: str


class ShownTransaction(SealedValue):
    """A transaction in plain structure, and the credential queries of which one must authorise it."""

    type: str
    credential_ids: tuple[str, ...]
    lines: tuple[ShownLine, ...]

    @property
    def log(self) -> str:
        """What may be kept in the history: the type and the number of the transaction, as TS12 allows."""
        number = next((line.value for line in self.lines if line.name == "transaction_id"), "")
        return f"{self.type} {number}".strip()


def show_transaction(transaction: RequestedTransaction) -> ShownTransaction:
    """Write a transaction as lines."""
    payload = transaction.data.to_wire()["payload"]
    return ShownTransaction(
        type=transaction.data.type,
        credential_ids=transaction.data.credential_ids,
        lines=tuple(ShownLine(name=name, value=value) for name, value in _lines(payload, ())),
    )


def _lines(value: Any, path: tuple[str, ...]) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [line for name, each in value.items() for line in _lines(each, (*path, name))]
    return [(".".join(path), _text(value))]


def _text(value: object) -> str:
    """Write a number so that no digit of it is lost, an amount with its cents."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value == round(value, 2):
        return f"{value:.2f}"
    return str(value)
