"""Named queries of services: from what a service defines to the policy that judges.

A definition is compiled when it is made, so that a query that nothing could satisfy, that trusts nobody, or that asks
for more than the service is registered for, is refused there and not when a wallet answers.
"""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from byoid.encoding import b64u_encode
from byoid.errors import MalformedInput
from byoid.message import parse_message
from byoid.presentation.dcql import MSO_MDOC, CredentialQuery, DcqlQuery
from byoid.presentation.issuer_trust import X509Trust, fitting
from byoid.presentation.request import VerifierInfo
from byoid.presentation.same_person import SameClaims, SameHolderKey, SamePerson, require_said
from byoid.presentation.status import StatusPolicy
from byoid.relying_party.messages import QueryDefinition, QueryView, SamePersonRule, TrustRule
from byoid.relying_party.own_query import parse_own_query
from byoid.relying_party.policy import Policy
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.signers import demanded_purposes, is_pid, purposes_of_signers
from byoid.trusted_lists import FollowedTrust
from verifier.errors import NotFound
from verifier.store import NEVER, Store

OTHERS: Final = "*"
Infos: TypeAlias = Callable[[str], Awaitable[Sequence[VerifierInfo]]]  # what a service tells wallets about itself
_ID_BYTES: Final = 12
_MAX_NAMED: Final = 20  # lists, in a message


@dataclass(frozen=True)
class Named:
    """A compiled query with its name."""

    name: str
    service_id: str
    policy: Policy


def compile_policy(
    definition: QueryDefinition,
    *,
    anchors: TrustAnchors,
    verifier_info: Sequence[VerifierInfo] = (),
    lasting: bool = False,
) -> Policy:
    """Make the policy of a definition.

    One that is kept already (`lasting`) may have lost whom it trusts, where a list is overdue or has changed: then it
    accepts nobody.

    Raises:
        MalformedInput: the DCQL query breaks a rule, a pinned certificate cannot be read, there is no trust for a
            credential query, a list is not known, or a rule names what is not asked.
    """
    if lasting:
        query = parse_message(DcqlQuery, definition.dcql_query)
    else:
        query = parse_own_query(definition.dcql_query)
        _require_said(query, definition)
    _require_asked(definition, query)
    lists = {name for rule in definition.trust.values() for name in rule.lists}
    return Policy(
        query=query,
        trust={each.id: _trust(definition, each, anchors, lasting=lasting) for each in query.credentials},
        status=StatusPolicy(frozenset(definition.status.accept_unavailable), frozenset(definition.status.require)),
        status_anchors=TrustAnchors(each for each in anchors.anchors if each.source in lists),
        same_person=tuple(map(_same_person, definition.same_person or ())),
        transaction_data=definition.transaction_data,
        verifier_info=tuple(verifier_info),
        encrypted=definition.encrypted,
        lifetime=timedelta(seconds=definition.lifetime_seconds),
        retention=timedelta(seconds=definition.retention_seconds),
        delete_on_read=definition.delete_on_read,
    )


def _require_said(query: DcqlQuery, definition: QueryDefinition) -> None:
    try:
        require_said(query, definition.same_person)
    except ValueError as error:
        raise MalformedInput(str(error)) from error


def _require_asked(definition: QueryDefinition, query: DcqlQuery) -> None:
    """Refuse rules about credential queries that there are not: a misspelt rule would be no rule."""
    asked = {each.id for each in query.credentials}
    named = {*definition.trust, *definition.status.accept_unavailable, *definition.status.require} - {OTHERS}
    for rule in definition.same_person or ():
        named.update(rule.holder_key or ())
        named.update(*(paths.keys() for paths in rule.claims or ()))
    for data in definition.transaction_data:
        ids = data.get("credential_ids")
        if not isinstance(data.get("type"), str) or not isinstance(ids, list) or not ids:
            raise MalformedInput("transaction_data needs type and credential_ids")
        named.update(map(str, ids))
    if unknown := named - asked:
        raise MalformedInput(f"no credential query is called {', '.join(sorted(unknown))}")


def _trust(
    definition: QueryDefinition, credential: CredentialQuery, anchors: TrustAnchors, *, lasting: bool
) -> X509Trust:
    rule = definition.trust.get(credential.id) or definition.trust.get(OTHERS)
    if rule is None:
        raise MalformedInput(f"trust does not say whose signature counts for {credential.id}")
    mdoc, types = credential.format == MSO_MDOC, credential.types
    purposes = tuple(map(Purpose, rule.purposes)) or demanded_purposes(types, mdoc=mdoc)
    could_be_pid = types is None or is_pid(types)
    listed = TrustAnchors(each for each in anchors.anchors if each.source in rule.lists)
    if not lasting:
        _require_lists(rule, {each.source for each in anchors.anchors})
    # Pinned for this query by name: whatever is asked, these may sign it.
    pinned = frozenset({*purposes, Purpose.PID} if could_be_pid else purposes)
    trusted = listed.union(*(TrustAnchors.from_pem(pem.encode(), pinned, "pinned", pinned=True) for pem in rule.pinned))
    if not lasting and not _somebody_may_sign(trusted, purposes, pid=could_be_pid):
        raise MalformedInput(f"nobody is trusted to sign {credential.id}")
    return _fitting(X509Trust(trusted, purposes), credential, lasting=lasting)


def _somebody_may_sign(trusted: TrustAnchors, purposes: Sequence[Purpose], *, pid: bool) -> bool:
    candidates = [anchor.certificate for purpose in purposes for anchor in trusted.for_purpose(purpose)]
    return any(not pid or Purpose.PID in trusted.purposes_of(each) for each in candidates)


def _fitting(trust: X509Trust, credential: CredentialQuery, *, lasting: bool) -> X509Trust:
    try:
        fitting(trust, credential)
    except ValueError as error:
        if lasting:  # defined before this was a mistake: it accepts nobody
            return X509Trust(TrustAnchors(), purposes_of_signers(mdoc=credential.format == MSO_MDOC))
        raise MalformedInput(str(error)) from error
    return trust


def _require_lists(rule: TrustRule, known: Collection[str]) -> None:
    if unknown := set(rule.lists) - set(known):
        raise MalformedInput(f"no list of trust anchors is called {', '.join(sorted(unknown))}; there {_are(known)}")


def _are(names: Collection[str]) -> str:
    return f"are {', '.join(sorted(names)[:_MAX_NAMED])}" if names else "is none"


def _same_person(rule: SamePersonRule) -> SamePerson:
    if rule.holder_key is not None:
        return SameHolderKey(frozenset(rule.holder_key))
    return SameClaims(tuple(rule.claims or ()))


class SqlPolicies:
    """The policies of all services, by the id of their row, which never changes.

    Each worker compiles them once, and anew when trust has changed.
    """

    def __init__(self, store: Store, *, trust: FollowedTrust, infos: Infos, max_policies: int) -> None:
        self._store = store
        self._trust = trust
        self._anchors = trust.anchors
        self._infos = infos
        self._max = max_policies
        self._compiled: OrderedDict[str, Named] = OrderedDict()
        self._current: dict[tuple[str, str], str] = {}

    async def policy(self, policy_id: str) -> Policy | None:
        """Return a policy, retired or not."""
        found = await self.named(policy_id)
        return found.policy if found else None

    async def current(self, service_id: str, name: str, *, anew: bool = False) -> str | None:
        """Return which query a name stands for, as far as this worker knows; `anew` asks the database.

        Nothing tells a worker that another has taken a name away: a transaction begins only if its query still has it.
        """
        query_id = None if anew else self._current.get((service_id, name))
        if query_id is None:
            query_id = await self._store.query_id(service_id, name)
            if len(self._current) >= self._max:
                self._current.clear()
            if query_id is not None:
                self._current[service_id, name] = query_id
        return query_id

    async def name(self, policy_id: str) -> str | None:
        """Return what a policy is called, without making it."""
        if (found := self._compiled.get(policy_id)) is not None:
            return found.name
        row = await self._store.query(policy_id)
        return row.name if row else None

    async def named(self, policy_id: str) -> Named | None:
        """Return a policy with its name."""
        if self._anchors is not self._trust.anchors:
            self._anchors = self._trust.anchors
            self._compiled.clear()
        found = self._compiled.get(policy_id)
        if found is None:
            row = await self._store.query(policy_id)
            if row is None:
                return None
            found = Named(row.name, row.service_id, await self._policy(row.service_id, row.definition, lasting=True))
            while len(self._compiled) >= self._max:
                self._compiled.popitem(last=False)
            self._compiled[policy_id] = found
        return found

    async def compile(self, service_id: str, definition: dict[str, Any]) -> Policy:
        """Make the policy of a new definition for a service, with its registration."""
        return await self._policy(service_id, definition, lasting=False)

    async def _policy(self, service_id: str, definition: dict[str, Any], *, lasting: bool) -> Policy:
        parsed, infos = parse_message(QueryDefinition, definition), await self._infos(service_id)
        return compile_policy(parsed, anchors=self._trust.anchors, verifier_info=infos, lasting=lasting)


async def define_query(
    store: Store, service_id: str, name: str, definition: QueryDefinition, *, now: datetime
) -> tuple[QueryView, bool]:
    """Keep a definition that was compiled already. True if the name is new."""
    shown = definition.to_wire()
    row = {
        "id": b64u_encode(secrets.token_bytes(_ID_BYTES)),
        "service_id": service_id,
        "name": name,
        "definition": shown,
        "created_at": now,
        "retired_at": None,
        "expires_at": NEVER,
    }
    replaced = await store.replace_query(row, now=now, until=_end_of_use(now))
    return QueryView(name=name, definition=shown, created_at=now), not replaced


async def find_query(store: Store, service_id: str, name: str) -> QueryView:
    """Return a named query.

    Raises:
        NotFound: the service has none of this name.
    """
    row = await store.named_query(service_id, name)
    if row is None:
        raise NotFound("There is no query of this name.")
    return view_of(row)


async def retire_query(store: Store, service_id: str, name: str, *, now: datetime) -> None:
    """Delete a named query; transactions that were begun with it go on.

    Raises:
        NotFound: the service has none of this name.
    """
    if not await store.retire_query(service_id, name, now=now, until=_end_of_use(now)):
        raise NotFound("There is no query of this name.")


def view_of(row: Any) -> QueryView:
    """Return a row as the API shows it."""
    return QueryView(name=row.name, definition=row.definition, created_at=row.created_at)


def _end_of_use(now: datetime) -> datetime:
    return now + timedelta(days=32)  # longer than the longest result is kept
