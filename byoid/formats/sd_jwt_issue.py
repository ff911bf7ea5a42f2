"""The issuer's side of SD-JWT: replace claims by digests of their disclosures.

Spec: RFC 9901 sections 4.1, 4.2 and 9.3 (salts). Claims may be hidden at every level, recursively; digests are sorted,
so that their order says nothing. SHA-256 only: others are accepted, none is better.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

from byoid.claims import ClaimPath
from byoid.encoding import b64u_encode, b64u_encode_bytes, json_dumps
from byoid.formats.sd_jwt import DEFAULT_HASH, DIGESTS, HASH_NAME, PLACEHOLDER


class Disclosable(Enum):
    """Which claims the holder may keep back, where no list of paths says it."""

    ALL = "all"


ALL: Final = Disclosable.ALL  # every claim, every nested member and every array element
Paths: TypeAlias = Collection[ClaimPath] | Literal[Disclosable.ALL]

SALT_BYTES: Final = 18  # at least 128 bits (section 9.3); 18 bytes are 24 characters without a remainder
_SALT_CHARACTERS: Final = 24
_SALTS_AT_ONCE: Final = 32
_RESERVED: Final = frozenset({DIGESTS, PLACEHOLDER, HASH_NAME})
_CONTAINERS: Final = (dict, list)


def conceal(
    claims: Mapping[str, Any], *, disclosable: Paths, always_disclosed: Collection[str] = (), decoys: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Return the payload with digests in place of the disclosable claims, and their disclosures.

    Args:
        claims: JSON values.
        disclosable: the paths to make selectively disclosable, each by itself; paths that lead nowhere are ignored,
            since a configuration names claims that not everybody has. `ALL` for everything.
        always_disclosed: top-level claims that stay open with everything in them.
        decoys: digests without a claim, added to every `_sd` that the payload gets.

    Raises:
        ValueError: a claim is named like SD-JWT's own (`_sd`, `...`, `_sd_alg`), or a path leads into one that must
            stay open.
    """
    if disclosable is not ALL:
        disclosable = frozenset(disclosable)
        if wrong := {path[0] for path in disclosable} & set(always_disclosed):
            raise ValueError(f"must not be selectively disclosable: {', '.join(sorted(map(str, wrong)))}")
    work = _Concealment(disclosable, decoys)
    open_claims = {name: value for name, value in claims.items() if name in always_disclosed}
    payload = work.object({name: value for name, value in claims.items() if name not in open_claims}, ((),))
    _refuse_reserved(open_claims)
    if work.disclosures:
        payload[HASH_NAME] = DEFAULT_HASH
    return open_claims | payload, work.disclosures


@dataclass(slots=True)
class _Concealment:
    """One walk through the claims. `places` are the paths that may name where it is: by index, or by null."""

    disclosable: frozenset[ClaimPath] | Literal[Disclosable.ALL]
    decoys: int
    disclosures: list[str] = field(default_factory=list)
    salts: list[str] = field(default_factory=list)

    def object(self, members: Mapping[str, Any], places: tuple[ClaimPath, ...]) -> dict[str, Any]:
        if not _RESERVED.isdisjoint(members):
            raise ValueError("a claim must not be named _sd, ... or _sd_alg")
        payload: dict[str, Any] = {}
        digests: list[str] = []
        for name, value in members.items():
            inner = tuple([(*place, name) for place in places])
            concealed = self.value(value, inner) if isinstance(value, _CONTAINERS) else value
            if self.disclosable is ALL or not self.disclosable.isdisjoint(inner):
                digests.append(self.disclose(name, concealed))
            else:
                payload[name] = concealed
        if digests:
            digests += [b64u_encode(sha256(os.urandom(32)).digest()) for _ in range(self.decoys)]
            digests.sort()  # section 4.2.4.1: the order must not depend on that of the claims
            payload[DIGESTS] = digests
        return payload

    def array(self, elements: list[Any], places: tuple[ClaimPath, ...]) -> list[Any]:
        payload: list[Any] = []
        for index, element in enumerate(elements):
            inner = tuple([(*place, at) for place in places for at in (None, index)])
            concealed = self.value(element, inner) if isinstance(element, _CONTAINERS) else element
            if self.disclosable is ALL or not self.disclosable.isdisjoint(inner):
                concealed = {PLACEHOLDER: self.disclose(concealed)}
            payload.append(concealed)
        return payload

    def value(self, value: Any, places: tuple[ClaimPath, ...]) -> Any:
        return self.object(value, places) if isinstance(value, dict) else self.array(value, places)

    def disclose(self, *content: Any) -> str:
        """Keep a disclosure and return its digest. Salts are drawn for many disclosures at once, each is used once."""
        if not self.salts:
            text = b64u_encode(os.urandom(SALT_BYTES * _SALTS_AT_ONCE))
            self.salts = [text[at : at + _SALT_CHARACTERS] for at in range(0, len(text), _SALT_CHARACTERS)]
        disclosure = b64u_encode_bytes(json_dumps((self.salts.pop(), *content)))
        self.disclosures.append(disclosure.decode("ascii"))
        return b64u_encode(sha256(disclosure).digest())


def _refuse_reserved(value: Any) -> None:
    if isinstance(value, dict):
        if not _RESERVED.isdisjoint(value):
            raise ValueError("a claim must not be named _sd, ... or _sd_alg")
        for member in value.values():
            _refuse_reserved(member)
    elif isinstance(value, list):
        for element in value:
            _refuse_reserved(element)
