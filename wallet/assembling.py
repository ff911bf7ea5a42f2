"""From the citizen's choice to bytes: presentations that wait for the signatures of the vault.

Spec: OpenID4VP 1.0 appendices B.2 (mdoc), B.3 (SD-JWT VC), 8.4 (transaction data); HAIP 1.0 section 5.3. Everything
here is decided by the consent and the copies, so that the same bytes come out before the approval and after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from byoid.encoding import b64u_encode
from byoid.errors import BadSignature
from byoid.formats.mdoc.present import HeldMdoc, UnsignedResponse
from byoid.formats.mdoc.session import session_transcript_redirect
from byoid.formats.sd_jwt_key_binding import UnsignedPresentation
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, prepare_key_binding
from byoid.keys import PublicKey
from byoid.presentation.dcql import CredentialQuery
from byoid.presentation.response import choose_response_encryption
from byoid.presentation.selection import Answer
from byoid.presentation.transaction_data import RequestedTransaction, choose_hash, parse_transaction_data
from wallet.asked import CardOption, ChoiceRefused, PendingConsent
from wallet.cards import Card, Copy, open_copy
from wallet.context import Wallet
from wallet.matching import HeldCard, holder_key, shown_claims, signature_algorithm
from wallet.transactions import TYPES
from wallet.vault.contract import SigningInput


@dataclass(frozen=True)
class Picked:
    """A copy that will answer a credential query."""

    query: CredentialQuery
    option: CardOption
    card: Card
    copy: Copy


@dataclass(frozen=True)
class Presentation:
    """A presentation that waits for the signature of `key`; `unsigned` is a text where none is needed."""

    picked: Picked
    unsigned: UnsignedPresentation | UnsignedResponse | str
    key: PublicKey | None

    @property
    def signing_input(self) -> SigningInput | None:
        """What the vault is to sign, and with which key."""
        if isinstance(self.unsigned, str) or self.picked.copy.content.key_id is None:
            return None
        return SigningInput(key_id=self.picked.copy.content.key_id, data=self.unsigned.signing_input)

    def attach(self, signature: bytes | None) -> str:
        """Return the presentation as it is sent.

        Raises:
            BadSignature: the signature is not for these bytes by this copy's key; nothing must be sent.
        """
        if isinstance(self.unsigned, str):
            return self.unsigned
        if signature is None or self.key is None:
            raise BadSignature("expected a signature for a presentation that needs one")
        self.key.verify(signature_algorithm(self.key), self.unsigned.signing_input, signature)
        if isinstance(self.unsigned, UnsignedPresentation):
            return self.unsigned.attach(signature)
        return b64u_encode(self.unsigned.attach(signature))


def assemble(wallet: Wallet, pending: PendingConsent, picked: Sequence[Picked], *, at: datetime) -> list[Presentation]:
    """Make the presentations of a choice, each showing what the citizen was shown.

    Raises:
        ChoiceRefused: a copy would show something else than its card did when the citizen was asked.
        MalformedInput: a copy is damaged.
    """
    request = pending.authorization_request
    transactions = parse_transaction_data(request.transaction_data or (), query=request.query, types=TYPES)
    presentations = []
    for each in picked:
        held = open_copy(each.card, each.copy)
        _require_as_shown(wallet, each, held)
        if isinstance(held, HeldMdoc):
            unsigned: UnsignedPresentation | UnsignedResponse | str = _device_response(pending, each, held)
        else:
            unsigned = _key_binding(pending, each, held, _authorised(transactions, each, picked), at=at)
        presentations.append(Presentation(each, unsigned, holder_key(held)))
    return presentations


def _require_as_shown(wallet: Wallet, picked: Picked, held: HeldSdJwtVc | HeldMdoc) -> None:
    """Compare what this copy would show with what the citizen saw, which was read from another copy."""
    candidate = HeldCard(wallet, picked.card, picked.copy, held)
    if shown_claims(picked.query, Answer(candidate, (picked.option.paths,))) != picked.option.claims:
        raise ChoiceRefused("The card has changed since it was shown.")


def _key_binding(
    pending: PendingConsent,
    picked: Picked,
    held: HeldSdJwtVc,
    transactions: Sequence[RequestedTransaction],
    *,
    at: datetime,
) -> UnsignedPresentation | str:
    sd_jwt, key = held.present(picked.option.paths), holder_key(held)
    if key is None or not picked.query.require_cryptographic_holder_binding:
        return sd_jwt  # B.3: nothing is signed where nothing is asked, which is less to recognise somebody by
    return prepare_key_binding(
        sd_jwt,
        audience=pending.asker.client_id,
        nonce=pending.authorization_request.nonce,
        issued_at=at,
        algorithm=signature_algorithm(key),
        transaction_data=[each.encoded for each in transactions],
        transaction_data_hashes_alg=choose_hash(transactions),
    )


def _device_response(pending: PendingConsent, picked: Picked, held: HeldMdoc) -> UnsignedResponse:
    request = pending.authorization_request
    thumbprint = choose_response_encryption(pending.client_metadata).thumbprint if request.encrypted else None
    transcript = session_transcript_redirect(
        pending.asker.client_id, request.nonce, request.response_uri or "", thumbprint
    )
    return held.prepare_response(
        [(str(path[0]), str(path[1])) for path in picked.option.paths],
        session_transcript=transcript,
        algorithm=signature_algorithm(held.device_key),
    )


def _authorised(
    transactions: Sequence[RequestedTransaction], mine: Picked, picked: Sequence[Picked]
) -> list[RequestedTransaction]:
    """Return the transactions that this presentation authorises: one card does, the first that may (8.4)."""
    return [
        each
        for each in transactions
        if mine is next((other for other in picked if other.query.id in each.data.credential_ids), None)
    ]
