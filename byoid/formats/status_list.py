"""Token Status List: the state of many credentials as one compressed array of 1, 2, 4 or 8 bits each.

Spec: draft-ietf-oauth-status-list 6 (the reference inside a credential).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from byoid.errors import MalformedInput

MAX_URI_LENGTH: Final = 2048


@dataclass(frozen=True, slots=True)
class StatusReference:
    """Where a credential's status is to be found: the list's URI, and the place in it (6.2, 6.3)."""

    uri: str
    index: int

    @classmethod
    def from_claim(cls, status: object) -> Self | None:
        """Read the `status` claim of a JWT, a CWT or an MSO; None if it has no `status_list`.

        None for an absent claim (`None`) too. Another mechanism than `status_list` gives None: whoever demands a status
        must see that there is none that it can check.

        Raises:
            MalformedInput: not an object, or a `status_list` without a usable `idx` and `uri`.
        """
        if status is None:
            return None
        if not isinstance(status, Mapping):
            raise MalformedInput(f"expected a status object, got {type(status).__name__}")
        if "status_list" not in status:
            return None
        entry = status["status_list"]
        if not isinstance(entry, Mapping):
            raise MalformedInput(f"expected a status_list object, got {type(entry).__name__}")
        index, uri = entry.get("idx"), entry.get("uri")
        if type(index) is not int or index < 0:
            raise MalformedInput("expected a non-negative integer as status_list.idx")
        if not isinstance(uri, str) or not 0 < len(uri) <= MAX_URI_LENGTH:
            raise MalformedInput(f"expected a URI of at most {MAX_URI_LENGTH} characters as status_list.uri")
        return cls(uri=uri, index=index)

    def to_claim(self) -> dict[str, Any]:
        """Return the value of a `status` claim, the same in JSON and CBOR."""
        return {"status_list": {"idx": self.index, "uri": self.uri}}
