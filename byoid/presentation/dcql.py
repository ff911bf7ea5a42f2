"""The Digital Credentials Query Language: its messages and the rules that hold within one query.

Spec: OpenID4VP 1.0 section 6, B.2.3 and B.2.4 (mdoc), B.3.5 (SD-JWT VC). Which credentials answer a query is
`byoid.presentation.selection`. Sizes are bounded, since a query comes from a stranger.
"""

from collections.abc import Iterable
from functools import cached_property  # the one that pydantic knows
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import Field, Strict, StringConstraints, model_validator

from byoid.claims import ClaimPath
from byoid.formats import MSO_MDOC as MSO_MDOC
from byoid.formats import SD_JWT_VC as SD_JWT_VC
from byoid.message import Message

MAX_ITEMS: Final = 128
MAX_PATH: Final = 16

T = TypeVar("T")
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$", max_length=256)]
NonEmpty = Annotated[tuple[T, ...], Strict(False), Field(min_length=1, max_length=MAX_ITEMS)]
Index = Annotated[int, Field(ge=0)]


class TrustedAuthority(Message):
    """A condition on the credential's issuer (6.1.1): `aki`, `etsi_tl` or `openid_federation`."""

    type: str
    values: NonEmpty[str]


class ClaimsQuery(Message):
    """One claim that is asked for (6.3). `intent_to_retain` is mdoc's (B.2.4)."""

    id: Identifier | None = None
    path: Annotated[tuple[str | Index | None, ...], Strict(False), Field(min_length=1, max_length=MAX_PATH)]
    values: NonEmpty[str | int | bool] | None = None
    intent_to_retain: bool | None = None


class CredentialQuery(Message):
    """One credential, or with `multiple` several, that is asked for (6.1)."""

    id: Identifier
    format: str
    multiple: bool = False
    meta: dict[str, Any]
    trusted_authorities: NonEmpty[TrustedAuthority] | None = None
    require_cryptographic_holder_binding: bool = True
    claims: NonEmpty[ClaimsQuery] | None = None
    claim_sets: NonEmpty[NonEmpty[str]] | None = None

    @cached_property
    def types(self) -> frozenset[str] | None:
        """The accepted `vct` values or the doctype; None if any type will do."""
        if self.format == MSO_MDOC and self.meta:
            return frozenset({self.meta["doctype_value"]})
        return frozenset(self.meta["vct_values"]) if self.format == SD_JWT_VC and self.meta else None

    @cached_property
    def paths(self) -> tuple[ClaimPath, ...]:
        """Every path that is asked for, in any claim set."""
        return tuple(claim.path for claim in self.claims or ())

    @cached_property
    def alternatives(self) -> tuple[tuple[ClaimsQuery, ...], ...]:
        """The combinations of claims that would do, the preferred one first (6.4.1).

        Without `claims` that is one empty combination. A claim that is named twice counts once (6.1).
        """
        if self.claim_sets is None:
            return (tuple({claim.path: claim for claim in reversed(self.claims or ())}.values())[::-1],)
        by_id = {claim.id: claim for claim in self.claims or ()}
        return tuple(tuple(by_id[claim_id] for claim_id in claim_set) for claim_set in self.claim_sets)

    @model_validator(mode="after")
    def _require_type(self) -> Self:
        if self.format == SD_JWT_VC and self.meta and not _is_texts(self.meta.get("vct_values")):
            raise ValueError("meta of dc+sd-jwt needs vct_values, a non-empty array of non-empty strings")
        if self.format == MSO_MDOC and self.meta and not _is_text(self.meta.get("doctype_value")):
            raise ValueError("meta of mso_mdoc needs doctype_value, a non-empty string")
        return self

    @model_validator(mode="after")
    def _require_mdoc_paths(self) -> Self:
        if self.format == MSO_MDOC and not all(len(path) == 2 and _is_texts(path) for path in self.paths):  # noqa: PLR2004
            raise ValueError("a path into an mdoc is a namespace and an element identifier")
        return self

    @model_validator(mode="after")
    def _require_claim_ids(self) -> Self:
        known = [claim.id for claim in self.claims or () if claim.id is not None]
        _require_unique(known, "id in claims")
        if self.claim_sets is None:
            return self
        if self.claims is None:
            raise ValueError("claim_sets needs claims")
        if len(known) != len(self.claims):
            raise ValueError("claim_sets needs an id in every claim")
        _require_known(self.claim_sets, known, "claim_sets")
        return self


class CredentialSetQuery(Message):
    """Alternative sets of credentials for one purpose, the preferred one first (6.2)."""

    options: NonEmpty[NonEmpty[str]]
    required: bool = True


class DcqlQuery(Message):
    """A query for presentations (6)."""

    credentials: NonEmpty[CredentialQuery]
    credential_sets: NonEmpty[CredentialSetQuery] | None = None

    def credential(self, query_id: str) -> CredentialQuery | None:
        """Return the credential query of this id, if there is one."""
        return next((query for query in self.credentials if query.id == query_id), None)

    @cached_property
    def sets(self) -> tuple[CredentialSetQuery, ...]:
        """The credential sets; without any, one required set of all credentials (6.4.2)."""
        everything = (tuple(each.id for each in self.credentials),)
        return self.credential_sets or (CredentialSetQuery.model_construct(options=everything, required=True),)

    @property
    def may_show_several(self) -> bool:
        """Whether an answer may hold presentations for more than one credential query."""
        return len(self.sets) > 1 or any(len(option) > 1 for option in self.sets[0].options)

    @model_validator(mode="after")
    def _require_ids(self) -> Self:
        known = [query.id for query in self.credentials]
        _require_unique(known, "id in credentials")
        for credential_set in self.credential_sets or ():
            _require_known(credential_set.options, known, "credential_sets")
        return self

    def require_distinct_claims(self) -> None:
        """Refuse a query of our own that names a claim twice; one of a stranger is tolerated (6.1).

        Raises:
            ValueError: a credential query names a path twice.
        """
        for query in self.credentials:
            _require_unique(query.paths, f"path in credential query {query.id}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(map(_is_text, value))


def _require_unique(values: Iterable[object], what: str) -> None:
    values = tuple(values)
    if len(set(values)) != len(values):
        raise ValueError(f"the same {what} is used twice")


def _require_known(sets: Iterable[Iterable[str]], known: Iterable[str], where: str) -> None:
    if not set().union(*sets) <= set(known):
        raise ValueError(f"{where} names an id that the query does not have")
