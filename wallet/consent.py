"""Consent: a request is put to the citizen, with exactly what each card would show; they choose, or decline.

Architecture §12 (c), OpenID4VP 1.0 sections 6.4.2 (sets), 8.5; ARF RPA_07, RPA_11, OIA_10. `propose` opens a request
and keeps it, sealed, with every way to answer it; `choose` fixes cards and copies, and puts the exact bytes to sign to
the vault; `wallet.presenting.approve` does the rest; `decline` ends it at any time.
"""

from collections.abc import Mapping, Sequence

from byoid.encoding import json_dumps, sha256
from byoid.errors import OAuthError
from byoid.presentation.dcql import CredentialQuery
from byoid.presentation.selection import Answer, Match, match
from byoid.presentation.transaction_data import choose_hash
from wallet.asked import (
    AskedCredential,
    AskedSet,
    CardOption,
    Choice,
    Chosen,
    ChosenCopy,
    ConsentView,
    PendingConsent,
    UnusableCard,
    require_choice,
)
from wallet.assembling import Picked, Presentation, assemble
from wallet.card_status import UNUSABLE, CardState, current_states
from wallet.cards import Card, find_copy, load_card
from wallet.content_tables import Kind
from wallet.contents import ItemNotFound, Kept
from wallet.context import Visit, Wallet
from wallet.disclosure_policies import objection
from wallet.history import ClaimNames, Entry, Reason, Result, Transaction, record
from wallet.limits import Limited
from wallet.matching import HeldCard, held_cards, shown_claims, understood
from wallet.refusals import refuse
from wallet.requests import Caution, OpenedRequest, accept, authenticate
from wallet.responses import tell_declined
from wallet.transactions import show_transaction
from wallet.vault import gate, proposals
from wallet.vault.contract import Action, Ceremony, Proposal


async def propose(wallet: Wallet, visit: Visit, link: str) -> ConsentView:
    """Open a request and keep it for the citizen's answer.

    Raises:
        MalformedInput, OAuthError, PeerError, VerificationError: as in `wallet.requests.authenticate`.
        RequestRefused: what an authenticated verifier asks breaks a rule; it is in the history, and nobody was told.
        TooManyRequests: the citizen opens links faster than anybody reads them.
    """
    await wallet.limits.spend(Limited.OPEN, visit.person)
    authenticated = await authenticate(wallet, link)
    try:
        opened = await accept(wallet, authenticated)
        choose_hash(opened.request.transactions)
    except OAuthError as error:
        raise await refuse(wallet, visit, authenticated, error) from error
    pending = await _pending(wallet, visit, opened)
    expires_at = wallet.clock() + wallet.settings.consent_lifetime
    async with wallet.contents.transaction() as tx:
        consent_id = await visit.contents.add_pending(tx, Kind.CONSENT, pending.to_value(), expires_at=expires_at)
    return await view(wallet, visit, consent_id)


async def view(wallet: Wallet, visit: Visit, consent_id: str) -> ConsentView:
    """Return what the citizen is asked.

    Raises:
        ItemNotFound: no such request waits for an answer.
    """
    kept, pending = await load(wallet, visit, consent_id)
    return ConsentView(
        id=kept.id,
        asker=pending.asker,
        cautions=pending.cautions,
        credentials=pending.credentials,
        sets=pending.sets,
        transactions=pending.transactions,
        suggested=pending.suggested,
        satisfiable=pending.satisfiable,
        expires_at=kept.expires_at or wallet.clock(),
    )


async def load(wallet: Wallet, visit: Visit, consent_id: str) -> tuple[Kept, PendingConsent]:
    """Return a consent that waits for an answer.

    Raises:
        ItemNotFound: there is none.
    """
    kept = await visit.contents.get(Kind.CONSENT, consent_id, now=wallet.clock())
    return kept, PendingConsent.model_validate(kept.value)


async def choose(wallet: Wallet, visit: Visit, consent_id: str, choice: Choice) -> Ceremony:
    """Fix the cards and copies, and put the exact bytes to sign to the citizen's passkey.

    Raises:
        ItemNotFound: no such request waits, or a card was deleted.
        ChoiceRefused: the choice does not answer the request.
        NoUsableCopy: every copy of a card has expired meanwhile.
        WalletLocked: nothing is shown while the wallet is locked.
    """
    kept, pending = await load(wallet, visit, consent_id)
    options, now = require_choice(pending, choice), wallet.clock()
    picked = [
        await _pick(wallet, visit, pending, query, option)
        for query in pending.authorization_request.query.credentials
        for option in options.get(query.id, ())
    ]
    presentations = assemble(wallet, pending, picked, at=now)
    if pending.chosen is not None:  # an answer to an older choice must not sign any more
        await wallet.door.run(gate.withdraw, visit.cookie, pending.chosen.ceremony)
    ceremony = await wallet.door.run(
        proposals.propose, visit.cookie, _proposal(consent_id, pending, picked, presentations)
    )
    copies = tuple(ChosenCopy(query_id=each.query.id, card_id=each.card.id, copy_id=each.copy.id) for each in picked)
    chosen = Chosen(ceremony=ceremony.ceremony, copies=copies, at=now)
    async with wallet.contents.transaction() as tx:
        await visit.contents.change(tx, kept, pending.model_copy(update={"chosen": chosen}).to_value())
    return ceremony


async def decline(wallet: Wallet, visit: Visit, consent_id: str, *, tell: bool) -> str | None:
    """End a request; with `tell` the verifier hears of it. Return where the browser is to go, if anywhere.

    Raises:
        ItemNotFound: no such request waits for an answer.
    """
    kept, pending = await load(wallet, visit, consent_id)
    reason = Reason.DECLINED if pending.satisfiable else Reason.NOTHING_FITS
    async with wallet.contents.transaction() as tx:
        if not await visit.contents.delete(tx, Kind.CONSENT, kept.id):
            raise ItemNotFound("there is no such consent")
        await record(visit.contents, tx, entry(wallet, pending, reason=reason))
    if pending.chosen is not None:
        await wallet.door.run(gate.withdraw, visit.cookie, pending.chosen.ceremony)
    return await tell_declined(wallet, pending) if tell else None


def entry(
    wallet: Wallet, pending: PendingConsent, picked: Sequence[Picked] = (), *, reason: Reason | None = None
) -> Entry:
    """Describe a presentation, or that there was none, for the history: names, never values."""
    return Entry(
        transaction_type=Transaction.PRESENTATION,
        time=wallet.clock(),
        transaction_result=Result.NOT_COMPLETED if reason else Result.COMPLETED,
        reason_of_noncompletion=reason,
        party=pending.asker.party,
        list_of_claims_requested=tuple(
            ClaimNames(credential_identifier=each.type, claims=each.requested) for each in pending.credentials
        ),
        list_of_claims_presented=tuple(
            ClaimNames(credential_identifier=each.option.type, claims=tuple(c.path for c in each.option.claims))
            for each in picked
        ),
        purpose=pending.asker.purpose,
        transactional_data=tuple(each.log for each in pending.transactions),
        cards=tuple(each.card.id for each in picked),
        warnings=tuple(pending.cautions),
    )


async def _pending(wallet: Wallet, visit: Visit, opened: OpenedRequest) -> PendingConsent:
    """Find the cards that answer. Those that are not in order are named with the reason, and never offered."""
    request, query = opened.request, opened.request.request.query
    held = [card for card in await held_cards(wallet, visit, query) if understood(request.metadata, card)]
    states = {card_id: each.state for card_id, each in (await current_states(wallet, held)).items()}
    found: Match[HeldCard] = match(query, [card for card in held if states[card.card.id] not in UNUSABLE])
    missed: Match[HeldCard] = match(query, [card for card in held if states[card.card.id] in UNUSABLE])
    credentials = tuple(
        _asked(opened, each, found.answers[each.id], _unusable(missed.answers[each.id], states))
        for each in query.credentials
    )
    against = any(option.objection for each in credentials for option in each.options)
    return PendingConsent(
        request=request.request.to_wire(),
        metadata=request.metadata.to_wire(),
        asker=opened.asker,
        cautions=(*opened.cautions, Caution.DISCLOSURE_POLICY) if against else opened.cautions,
        credentials=credentials,
        sets=tuple(AskedSet(required=each.required, options=each.options) for each in found.sets),
        transactions=tuple(show_transaction(each) for each in request.transactions),
        opened_at=wallet.clock(),
    )


def _asked(
    opened: OpenedRequest,
    query: CredentialQuery,
    answers: Sequence[Answer[HeldCard]],
    unusable: tuple[UnusableCard, ...],
) -> AskedCredential:
    options = [_option(opened, query, answer) for answer in answers]
    return AskedCredential(
        id=query.id,
        multiple=query.multiple,
        type=next(iter(sorted(query.types or ())), query.format),
        requested=query.paths,
        options=tuple(sorted(options, key=lambda option: option.objection is not None)),  # welcome ones first
        unusable=unusable,
    )


def _unusable(answers: Sequence[Answer[HeldCard]], states: Mapping[str, CardState]) -> tuple[UnusableCard, ...]:
    cards = [answer.candidate.card for answer in answers]
    return tuple(UnusableCard(card_id=each.id, names=_names(each), reason=states[each.id]) for each in cards)


def _names(card: Card) -> dict[str, str]:
    return {display.locale or "": display.name for display in card.content.display}


def _option(opened: OpenedRequest, query: CredentialQuery, answer: Answer[HeldCard]) -> CardOption:
    content = answer.candidate.card.content
    return CardOption(
        card_id=answer.candidate.card.id,
        format=content.format,
        type=content.type,
        issuer=content.signer,
        names=_names(answer.candidate.card),
        paths=answer.paths,
        claims=shown_claims(query, answer),
        objection=objection(
            content.disclosure_policy, type_=content.type, registrations=opened.request.registration.registrations
        ),
    )


async def _pick(
    wallet: Wallet, visit: Visit, pending: PendingConsent, query: CredentialQuery, option: CardOption
) -> Picked:
    now = wallet.clock()
    card = await load_card(visit.contents, option.card_id, now=now)
    copy = await find_copy(visit.contents, card, relying_party=pending.asker.party.key, now=now)
    return Picked(query, option, card, copy)


def _proposal(
    consent_id: str, pending: PendingConsent, picked: Sequence[Picked], presentations: Sequence[Presentation]
) -> Proposal:
    """Say what will be done: the digest is over all that was shown, and all that decides what is sent and to whom.

    A presentation without a holder's signature has no bytes among the inputs, and the signature of an mdoc doesn't
    cover what is released: option and copy do.
    """
    shown = {
        "request": pending.request,
        "metadata": pending.metadata,
        "asker": pending.asker.to_value(),
        "cautions": list(pending.cautions),
        "transactions": [each.to_value() for each in pending.transactions],
        "options": [[each.query.id, each.option.to_value(), each.copy.id] for each in picked],
    }
    return Proposal(
        action=Action.PRESENT,
        consent_id=consent_id,
        option=_name(picked),
        shown=sha256(json_dumps(shown)),
        inputs=tuple(each.signing_input for each in presentations if each.signing_input is not None),
    )


def _name(picked: Sequence[Picked]) -> str:
    """Name the chosen option: the card for each query."""
    return json_dumps([[each.query.id, each.card.id] for each in picked]).decode()
