"""Embedded disclosure policies: to whom the issuer of a card allows it to be shown. The citizen is told, and decides.

Spec: Regulation (EU) 2024/2979 annex III, ETSI TS 119 472-3 4.2.5, ARF EDP_02 to EDP_10. ETSI has not published the
JSON form; this reads the one of the Italian wallet's profile, `credential_metadata.embedded_disclosure_policy`, with
the policy in it or in its `policy_data`. What counts is the registration of who asks (ARF EDP_02, EDP_03), never their
access certificate nor an intermediary. The policy is kept with the card as it was at receipt; nothing is fetched.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from cryptography import x509
from pydantic import AliasChoices, Field

from byoid.errors import MalformedInput
from byoid.message import Array, Message, parse_message
from byoid.trust.registration import Registration
from byoid.trust.signers import is_pid
from wallet.cards import SealedValue

_DECIMAL: Final = 10
_HEXADECIMAL: Final = 16


class AuthorizedParty(Message):
    """Somebody who may see the card: by identifier, or by what they are entitled to.

    ARF EDP_02 wants the identifier of the service too; no registration carries one yet (ETSI TS 119 475 1.2.1).
    """

    identifier: str | None = Field(default=None, validation_alias=AliasChoices("identifier", "sub"))
    entitlement_uri: str | None = None


class TrustedRoot(Message):
    """A certificate in whose name relying parties must be registered."""

    issuer_dn: str
    serial_number: str


class DisclosurePolicy(Message):
    """A policy. `policy_info_url` explains it to people."""

    policy_type: Literal["no_policy", "authorized_rp_only", "specific_root_of_trust"]
    policy_uri: str | None = None
    description: str | None = None
    policy_info_url: str | None = None
    authorized_parties: Array[AuthorizedParty] = ()
    trusted_roots: Array[TrustedRoot] = ()

    def allows(self, registrations: Iterable[Registration]) -> bool:
        """Tell whether somebody with these registrations may see the card, as far as its issuer is asked."""
        if self.policy_type == "no_policy":
            return True
        if self.policy_type == "authorized_rp_only":
            return any(_is(party, found) for party in self.authorized_parties for found in registrations)
        return any(_leads_to(root, found) for root in self.trusted_roots for found in registrations)


class ShownPolicy(SealedValue):
    """What the citizen sees of a policy that does not allow this: whether it can be read, and where it is explained."""

    readable: bool = True
    description: str | None = None
    info_url: str | None = None


def read_policy(found: Mapping[str, Any] | None, *, type_: str) -> DisclosurePolicy | None:
    """Read a policy as it came in the issuer's metadata; person identification data have none (EDP_01).

    Raises:
        MalformedInput: it is of no form that the wallet knows.
    """
    if found is None or is_pid((type_,)):
        return None
    inner = found.get("policy_data", found)
    if not isinstance(inner, Mapping):
        raise MalformedInput("expected a disclosure policy as an object")
    return parse_message(DisclosurePolicy, {str(name): value for name, value in inner.items()})


def objection(
    found: Mapping[str, Any] | None, *, type_: str, registrations: Iterable[Registration]
) -> ShownPolicy | None:
    """Return what to tell the citizen before the card is shown; None if its issuer has nothing against it.

    A policy that can't be read allows nobody: the citizen decides, knowing that.
    """
    try:
        policy = read_policy(found, type_=type_)
    except MalformedInput:
        return ShownPolicy(readable=False)
    if policy is None or policy.allows(registrations):
        return None
    url = policy.policy_info_url or ""
    return ShownPolicy(description=policy.description, info_url=url if url.startswith("https://") else None)


def _is(party: AuthorizedParty, registration: Registration) -> bool:
    claims = registration.claims
    if party.entitlement_uri is not None and party.entitlement_uri in claims.entitlements:
        return True
    return party.identifier == claims.sub


def _leads_to(root: TrustedRoot, registration: Registration) -> bool:
    chain = registration.chain
    try:
        wanted = x509.Name.from_rfc4514_string(root.issuer_dn)
        numbers = {_number(root.serial_number, _DECIMAL), _number(root.serial_number, _HEXADECIMAL)}
    except ValueError:
        return False
    certificates = (*chain.certificates, chain.anchor.certificate)
    return any(each.issuer == wanted and each.serial_number in numbers for each in certificates)


def _number(text: str, base: int) -> int | None:
    try:
        return int(text.replace(":", ""), base)
    except ValueError:
        return None
