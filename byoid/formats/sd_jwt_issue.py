"""The issuer's side of SD-JWT: replace claims by digests of their disclosures.

Spec: RFC 9901 sections 4.1, 4.2 and 9.3 (salts). Claims may be hidden at every level, recursively; digests are sorted,
so that their order says nothing. SHA-256 only: others are accepted, none is better.
"""

import os
from collections.abc import Collection, Iterable, Mapping
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
_RESERVED: Final = frozenset({DIGESTS, PLACEHOLDER, HASH_NAME})
_CONTAINERS: Final = (dict, list)


def conceal(
    claims: Mapping[str, Any], *, disclosable: Paths, always_disclosed: Collection[str] = (), decoys: int = 0
) -> tuple[dict[str, Any], list[str]]:
    """Return the payload with digests in place of the disclosable claims, and their disclosures; see `Concealment`."""
    return Concealment(claims, disclosable=disclosable, always_disclosed=always_disclosed, decoys=decoys).copy()


class Concealment:
    """Claims of which the holder may keep some back, made ready once for any number of copies.

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

    def __init__(
        self, claims: Mapping[str, Any], *, disclosable: Paths, always_disclosed: Collection[str] = (), decoys: int = 0
    ) -> None:
        if disclosable is not ALL:
            disclosable = frozenset(disclosable)
            if wrong := {path[0] for path in disclosable} & set(always_disclosed):
                raise ValueError(f"must not be selectively disclosable: {', '.join(sorted(map(str, wrong)))}")
        self._open = {name: value for name, value in claims.items() if name in always_disclosed}
        others = {name: value for name, value in claims.items() if name not in self._open}
        walk = _Walk(disclosable, decoys)
        self._others = walk.object(others, () if disclosable is ALL else ((),))
        self._count = walk.count
        _refuse_reserved(self._open)

    def copy(self) -> tuple[dict[str, Any], list[str]]:
        """Return a payload and its disclosures, with salts of their own."""
        copy = _Copy(_beginnings(self._count))
        payload = self._open | self._others.conceal(copy)
        if copy.disclosures:
            payload[HASH_NAME] = DEFAULT_HASH
        return payload, copy.disclosures


@dataclass(slots=True)
class _Copy:
    """One copy in the making: how its disclosures begin, each used once, and those that it has."""

    beginnings: list[str]
    disclosures: list[str] = field(default_factory=list)

    def disclose(self, hidden: "Iterable[str | _Nested]") -> list[str]:
        """Add a disclosure of each, and return their digests."""
        rests = [each if isinstance(each, str) else _rest(*each.name, each.value.conceal(self)) for each in hidden]
        made = [self.beginnings.pop() + rest for rest in rests]
        self.disclosures += made
        # 32 bytes and a zero are 44 characters, of which the last stands for zeros only and is no part of the digest.
        text = b64u_encode(b"".join([sha256(each.encode("ascii")).digest() + b"\0" for each in made]))
        return [text[at : at + 43] for at in range(0, len(text), 44)]


@dataclass(slots=True)
class _Object:
    """An object to make copies of: what is the same in all, what has something to hide inside, what is hidden."""

    decoys: int
    open: dict[str, Any] = field(default_factory=dict)
    deeper: "dict[str, _Object | _Array]" = field(default_factory=dict)
    hidden: "list[str | _Nested]" = field(default_factory=list)

    def conceal(self, copy: _Copy) -> dict[str, Any]:
        payload = self.open.copy()
        if self.hidden:
            digests = copy.disclose(self.hidden)
            if self.decoys:
                digests += [b64u_encode(sha256(os.urandom(32)).digest()) for _ in range(self.decoys)]
            digests.sort()  # section 4.2.4.1: the order must not depend on that of the claims
            payload[DIGESTS] = digests
        for name, value in self.deeper.items():
            payload[name] = value.conceal(copy)
        return payload


@dataclass(slots=True)
class _Array:
    """An array to make copies of, as `_Object`."""

    open: list[Any]
    deeper: "dict[int, _Object | _Array]" = field(default_factory=dict)
    hidden: "dict[int, str | _Nested]" = field(default_factory=dict)

    def conceal(self, copy: _Copy) -> list[Any]:
        payload = self.open.copy()
        for index, digest in zip(self.hidden, copy.disclose(self.hidden.values()), strict=True):
            payload[index] = {PLACEHOLDER: digest}
        for index, value in self.deeper.items():
            payload[index] = value.conceal(copy)
        return payload


@dataclass(slots=True)
class _Nested:
    """A hidden member, by its name, or a hidden element that has something to hide inside."""

    name: tuple[str, ...]
    value: _Object | _Array


@dataclass(slots=True)
class _Walk:
    """One walk through the claims.

    `places` are the paths that may name where it is, by index or by null: none where `ALL` is hidden.
    """

    disclosable: frozenset[ClaimPath] | Literal[Disclosable.ALL]
    decoys: int
    count: int = 0

    def object(self, members: Mapping[str, Any], places: tuple[ClaimPath, ...]) -> _Object:
        if not _RESERVED.isdisjoint(members):
            raise ValueError("a claim must not be named _sd, ... or _sd_alg")
        found = _Object(self.decoys)
        for name, value in members.items():
            inner = tuple([(*place, name) for place in places]) if places else places
            deeper = self.inside(value, inner) if isinstance(value, _CONTAINERS) else None
            if self.disclosable is ALL or not self.disclosable.isdisjoint(inner):
                self.count += 1
                found.hidden.append(_Nested((name,), deeper) if deeper else _rest(name, value))
            elif deeper:
                found.deeper[name] = deeper
            else:
                found.open[name] = value
        return found

    def array(self, elements: list[Any], places: tuple[ClaimPath, ...]) -> _Array:
        found = _Array(elements)
        for index, element in enumerate(elements):
            inner = tuple([(*place, at) for place in places for at in (None, index)])
            deeper = self.inside(element, inner) if isinstance(element, _CONTAINERS) else None
            if self.disclosable is ALL or not self.disclosable.isdisjoint(inner):
                self.count += 1
                found.hidden[index] = _Nested((), deeper) if deeper else _rest(element)
            elif deeper:
                found.deeper[index] = deeper
        return found

    def inside(self, value: Any, places: tuple[ClaimPath, ...]) -> _Object | _Array | None:
        """Return an object or array to make copies of; None if every copy has it as it is."""
        found = self.object(value, places) if isinstance(value, dict) else self.array(value, places)
        return found if found.hidden or found.deeper else None


def _beginnings(count: int) -> list[str]:
    """Return `["salt"` in base64url, each with a salt of its own: 27 bytes, so that the rest is encoded by itself."""
    salts = b64u_encode_bytes(os.urandom(SALT_BYTES * count))
    each = [salts[at : at + 24] for at in range(0, len(salts), 24)]
    text = b64u_encode(b'["' + b'"["'.join(each) + b'"')
    return [text[at : at + 36] for at in range(0, 36 * count, 36)]


def _rest(*content: Any) -> str:
    """Return what follows the salt in a disclosure, in base64url."""
    return b64u_encode(b"," + json_dumps(content)[1:])


def _refuse_reserved(value: Any) -> None:
    if isinstance(value, dict):
        if not _RESERVED.isdisjoint(value):
            raise ValueError("a claim must not be named _sd, ... or _sd_alg")
        for member in value.values():
            _refuse_reserved(member)
    elif isinstance(value, list):
        for element in value:
            _refuse_reserved(element)
