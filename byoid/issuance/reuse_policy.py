"""Credential reuse policy: how often a wallet may show one and the same credential.

ETSI TS 119 472-3 4.2.4.2, ARF Annex 2 Topic 10 (ISSU_37 to 57). Four methods: once only (A), limited time (B),
rotating batch (C), per relying party (D). The texts in the field mix hyphen and underscore; both are read. Counting,
falling back and refilling is the wallet's business.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from byoid.errors import PeerError
from byoid.message import Message, NonEmptyArray, parse_message


class ReuseMethod(StrEnum):
    """The methods A to D, in the spelling of TS 119 472-3."""

    ONCE_ONLY = "once_only"
    LIMITED_TIME = "limited_time"
    ROTATING_BATCH = "rotating-batch"
    PER_RELYING_PARTY = "per-relying-party"


_BY_NORMALISED: Final = {method.replace("-", "_"): method for method in ReuseMethod}
_FINAL: Final = frozenset({ReuseMethod.ONCE_ONLY, ReuseMethod.LIMITED_TIME})


def _method(value: Any) -> Any:
    return _BY_NORMALISED.get(value.replace("-", "_"), value) if isinstance(value, str) else value


class ReuseOption(Message):
    """Methods in the issuer's order of preference, with their numbers; lifetimes in seconds."""

    details: NonEmptyArray[Annotated[ReuseMethod, BeforeValidator(_method)]]
    batch_size: Annotated[int, Field(gt=0)] | None = None
    reissue_trigger_unused: Annotated[int, Field(ge=0)] | None = None
    reissue_trigger_lifetime_left: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _methods_and_numbers_agree(self) -> Self:
        methods = set(self.details)
        if len(methods & _FINAL) != 1 or self.details[-1] not in _FINAL or len(methods) != len(self.details):
            raise ValueError("expected exactly one of once_only and limited_time, after any others (ISSU_40)")
        if methods != {ReuseMethod.LIMITED_TIME} and self.batch_size is None:
            raise ValueError("batch_size is missing")
        if ReuseMethod.ONCE_ONLY in methods and self.reissue_trigger_unused is None:
            raise ValueError("reissue_trigger_unused is missing")
        if self.reissue_trigger_unused is not None and self.reissue_trigger_unused >= (self.batch_size or 1):
            raise ValueError("reissue_trigger_unused must be less than batch_size")
        ends = {ReuseMethod.LIMITED_TIME, ReuseMethod.ROTATING_BATCH}
        if methods & ends and self.reissue_trigger_lifetime_left is None:
            raise ValueError("reissue_trigger_lifetime_left is missing")
        return self


class CredentialReusePolicy(Message):
    """The member `credential_reuse_policy` of credential metadata."""

    id: Literal["arf_annex_ii"] = "arf_annex_ii"
    options: NonEmptyArray[ReuseOption]


@dataclass(frozen=True, slots=True)
class ChosenReuse:
    """The method that the wallet will follow, with the numbers of its option."""

    method: ReuseMethod
    option: ReuseOption


def parse_reuse_policy(policy: Mapping[str, Any]) -> CredentialReusePolicy:
    """Parse the policy, as the wallet.

    Raises:
        MalformedInput: another kind of policy, or numbers that do not fit the methods.
    """
    return parse_message(CredentialReusePolicy, policy)


def select_reuse(policy: CredentialReusePolicy, *, supported: Collection[ReuseMethod]) -> ChosenReuse:
    """Return the first method, in the issuer's order, that the wallet supports; A and B are for all wallets (ISSU_37).

    Raises:
        PeerError: the wallet supports none of them.
    """
    for option in policy.options:
        for method in option.details:
            if method in supported:
                return ChosenReuse(method, option)
    raise PeerError("the wallet supports none of the issuer's methods of credential reuse")
