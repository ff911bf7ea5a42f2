"""Which cards answer a request, and exactly what of each would be shown.

Spec: OpenID4VP 1.0 sections 6.4 (selection), 6.1.1 (trusted authorities), 11.1 (what the verifier understands). What
is listed for the citizen is read from the presentation itself, so that claims that the issuer left open, and that go
along unasked, are seen too.
"""

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final

from pydantic import Field

from byoid.claims import ClaimPath
from byoid.encoding import b64u_encode
from byoid.errors import ByoidError
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.keys import PublicKey
from byoid.presentation.dcql import CredentialQuery, DcqlQuery
from byoid.presentation.issuer_trust import TrustedIssuer, X509Trust, establish_issuer
from byoid.presentation.request import ClientMetadata
from byoid.presentation.selection import Answer
from byoid.trust.anchors import Purpose
from wallet.cards import MDOC, SD_JWT_VC, Card, Copy, SealedValue, load_cards, load_samples, open_copy
from wallet.context import Visit, Wallet

# What an SD-JWT VC always carries and says nothing about its subject (sd-jwt-vc 2.2.2): not listed for the citizen.
_TECHNICAL: Final = frozenset(
    {"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status", "_sd_alg"}
)
_PURPOSES: Final = {SD_JWT_VC: (Purpose.PID, Purpose.ATTESTATION), MDOC: (Purpose.MDOC,)}
_COSE_NUMBERS: Final = {"ES256": {-7, -9}, "ES384": {-35, -51}, "ES512": {-36, -52}, "Ed25519": {-8, -19}}
_PICTURES: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"\x00\x00\x00\x0cjP": "image/jp2"}
_UTC_SUFFIX: Final = "+00:00"


class ShownClaim(SealedValue):
    """A claim as it would be shown: `labels` by language, `value` as JSON (a picture as `data:` address).

    `asked` is False where it goes along only because the issuer signed it so; `retained` where the verifier says that
    it keeps it.
    """

    path: tuple[str | int, ...]
    labels: dict[str, str] = Field(default_factory=dict)
    value: Any = None
    asked: bool = True
    retained: bool = False


@dataclass(frozen=True)
class HeldCard:
    """A card as a candidate for a query; `copy` is one of its copies, which all say the same, and `sample` its text."""

    wallet: Wallet
    card: Card
    copy: Copy
    sample: HeldSdJwtVc | HeldMdoc

    @property
    def format(self) -> str:
        """The credential format identifier."""
        return self.card.content.format

    @property
    def types(self) -> tuple[str, ...]:
        """The `vct` and what it extends, or the document type."""
        return (self.sample.doctype,) if isinstance(self.sample, HeldMdoc) else self.sample.types

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims."""
        return self.sample.namespaces if isinstance(self.sample, HeldMdoc) else self.sample.claims

    @property
    def x5c(self) -> tuple[bytes, ...]:
        """The certificates of its issuer."""
        return self.sample.x5chain if isinstance(self.sample, HeldMdoc) else self.sample.x5c

    @property
    def holder_bound(self) -> bool:
        """Whether it is bound to a key of ours."""
        return self.copy.content.key_id is not None

    @property
    def key_identifiers(self) -> frozenset[bytes]:
        """The authority key identifiers in its issuer's chain."""
        return self._issuer.key_identifiers if self._issuer else frozenset()

    @property
    def trusted_lists(self) -> frozenset[str]:
        """The trusted lists that its issuer is on."""
        return self._issuer.trusted_lists if self._issuer else frozenset()

    @cached_property
    def _issuer(self) -> TrustedIssuer | None:
        return self.trusted_issuer()

    def trusted_issuer(self) -> TrustedIssuer | None:
        """Return who signed it, if the wallet still trusts them."""
        trust, now = self.wallet.trust, self.wallet.clock()
        policy = X509Trust(trust.anchors, _PURPOSES[self.format])
        try:
            return establish_issuer(policy, x5c=self.x5c, iss=None, kid=None, now=now, cache=trust.cache)
        except ByoidError:
            return None


async def held_cards(wallet: Wallet, visit: Visit, query: DcqlQuery) -> list[HeldCard]:
    """Return the cards that might answer a query, newest first, also those that can't be used just now.

    Cards that can't answer it are not even read, and of the others one copy each.
    """
    samples = await load_samples(visit.contents)
    return [
        HeldCard(wallet, card, copy, open_copy(card, copy))
        for card in await load_cards(visit.contents)
        if any(_may_answer(card, each) for each in query.credentials)
        for copy in samples.get(card.id, ())
    ]


def _may_answer(card: Card, query: CredentialQuery) -> bool:
    """Tell whether format and type fit; an SD-JWT VC may be of further types, which only its text says."""
    content = card.content
    if content.format != query.format:
        return False
    return content.format == SD_JWT_VC or query.types is None or content.type in query.types


def holder_key(held: HeldSdJwtVc | HeldMdoc) -> PublicKey | None:
    """Return the key that a copy is bound to."""
    return held.device_key if isinstance(held, HeldMdoc) else held.holder_key


def signature_algorithm(key: PublicKey) -> str:
    """Return the algorithm that the vault signs with, which the curve decides."""
    return "Ed25519" if "Ed25519" in key.algorithms else next(iter(key.algorithms))


def understood(metadata: ClientMetadata, card: HeldCard) -> bool:
    """Tell whether the verifier understands the holder's signature, as far as it says what it does (B.2.2, B.3.4)."""
    supported = (metadata.vp_formats_supported or {}).get(card.format)
    key = holder_key(card.sample)
    if not supported or key is None:
        return True
    algorithm = signature_algorithm(key)
    if card.format == MDOC:
        numbers = supported.get("deviceauth_alg_values")
        return not isinstance(numbers, list) or not _COSE_NUMBERS.get(algorithm, set()).isdisjoint(numbers)
    names = supported.get("kb-jwt_alg_values")
    return not isinstance(names, list) or algorithm in names


def shown_claims(query: CredentialQuery, answer: Answer[HeldCard]) -> tuple[ShownClaim, ...]:
    """Return everything that the verifier would learn about the person, read from what would be sent.

    In the issuer's order of display: the order in the credential is random, and another one in each copy.
    """
    card = answer.candidate
    disclosed = sorted(_disclosed(card.sample, answer.paths), key=lambda each: _place(card.card, each[0]))
    retained = {claim.path for claim in query.claims or () if claim.intent_to_retain}
    return tuple(
        ShownClaim(
            path=path,
            labels=_labels(card.card, path),
            value=value,
            asked=any(_begins(path, asked) for asked in query.paths),
            retained=path in retained,
        )
        for path, value in disclosed
    )


def _disclosed(held: HeldSdJwtVc | HeldMdoc, paths: Sequence[ClaimPath]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(held, HeldMdoc):
        for namespace, name in paths:
            yield (str(namespace), str(name)), plain(held.namespaces[str(namespace)][str(name)])
        return
    presented = HeldSdJwtVc.from_text(held.present(paths)).claims
    for name, value in presented.items():
        if name not in _TECHNICAL:
            yield from _leaves(value, (name,))


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Return the values with their paths; a list of plain values is one value."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, (*path, str(name)))
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    else:
        yield path, value


def _labels(card: Card, path: tuple[str | int, ...]) -> dict[str, str]:
    """Return what the issuer calls a claim, by language: of the longest description that the path begins with."""
    fitting = [each for each in card.content.claims if _begins(path, each.path) and each.display]
    if not fitting:
        return {}
    nearest = max(fitting, key=lambda each: len(each.path))
    rest = [str(part) for part in path[len(nearest.path) :]]
    return {
        display.locale or "": " · ".join([display.name, *rest]) for display in nearest.display or () if display.name
    }


def _place(card: Card, path: tuple[str | int, ...]) -> tuple[int, list[str]]:
    fitting = (place for place, each in enumerate(card.content.claims) if _begins(path, each.path))
    return next(fitting, len(card.content.claims)), [f"{part:09}" if isinstance(part, int) else part for part in path]


def _begins(path: Sequence[str | int | None], start: Sequence[str | int | None]) -> bool:
    """Tell whether a path is `start` or leads into it; an index or null in `start` fits every index.

    Elements that are not shown leave no gap, so that the index of one that is says nothing.
    """
    if len(start) > len(path) or (start and isinstance(start[0], str) and start[0] != path[0]):
        return False
    return all(
        mine == asked or (not isinstance(asked, str) and isinstance(mine, int))
        for mine, asked in zip(path, start, strict=False)
    )


def plain(value: Any) -> Any:
    """Return a value of an mdoc as JSON: dates as text, a picture as `data:` address, other bytes as base64url."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return _picture(value) or b64u_encode(value)
    if isinstance(value, datetime):
        return value.isoformat().replace(_UTC_SUFFIX, "Z")
    return value.isoformat() if isinstance(value, date) else value


def _picture(data: bytes) -> str | None:
    kind = next((kind for magic, kind in _PICTURES.items() if data.startswith(magic)), None)
    return f"data:{kind};base64,{b64encode(data).decode()}" if kind else None
