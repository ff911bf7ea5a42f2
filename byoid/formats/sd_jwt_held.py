"""The holder's side of SD-JWT: find the disclosures that a choice of claims needs.

Spec: RFC 9901 section 7.2; OpenID4VP 1.0 section 7 (paths). Indexed once, then a presentation is a look-up and a join.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from byoid.claims import ClaimPath, locate
from byoid.formats.sd_jwt import ProcessedSdJwt, SdJwt


@dataclass(frozen=True, slots=True)
class DisclosureIndex:
    """Which disclosures each claim of one SD-JWT needs: those of its parents, its own, and all within it."""

    processed: ProcessedSdJwt
    jwt: str
    disclosures: tuple[str, ...]
    needed: dict[ClaimPath, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, sd_jwt: SdJwt, processed: ProcessedSdJwt) -> "DisclosureIndex":
        """Index an SD-JWT that has all its disclosures."""
        index = cls(processed, f"{sd_jwt.jws.compact}~", tuple(f"{each}~" for each in sd_jwt.disclosures))
        index._add(processed.claims, (), (), ())
        del index.needed[()]  # an empty path selects nothing, and must not select everything
        return index

    def present(self, paths: Collection[ClaimPath]) -> str:
        """Return the SD-JWT with the disclosures that the paths need, and no other (section 7.2, steps 2 and 3).

        A path to an object or array takes everything in it along, since its value is what the path selects.

        Raises:
            ClaimMismatch: a path selects nothing in this credential.
        """
        chosen: set[int] = set()
        for path in paths:
            if path in self.needed:
                chosen.update(self.needed[path])
            else:
                chosen.update(*(self.needed[place] for place, _ in locate(self.processed.claims, path)))
        return self.jwt + "".join([self.disclosures[index] for index in sorted(chosen)])

    def _add(self, value: Any, path: ClaimPath, issued: ClaimPath, above: tuple[int, ...]) -> tuple[int, ...]:
        """Index `value` and what is in it; return its own disclosure and those within.

        `path` counts the elements that are there, `issued` the withheld ones too.
        """
        own = (self.processed.disclosed[issued],) if issued in self.processed.disclosed else ()
        within: tuple[int, ...] = ()
        if isinstance(value, dict):
            for name, member in value.items():
                within += self._add(member, (*path, name), (*issued, name), above + own)
        elif isinstance(value, list):
            position = 0
            for index, element in enumerate(value):
                while (*issued, position) in self.processed.withheld:
                    position += 1
                within += self._add(element, (*path, index), (*issued, position), above + own)
                position += 1
        self.needed[path] = above + own + within
        return own + within
