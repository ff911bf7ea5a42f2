"""Authentic sources: where the facts about a person come from, and what can go wrong there.

A source turns a person's key in the agency's register into a record: attribute name → value, with the names that the
files of `issuer/catalogue/` use. The issuer keeps no record: it asks when a credential is made, and forgets.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from byoid.errors import ByoidError

Record: TypeAlias = Mapping[str, Any]


class SourceError(ByoidError):
    """The source cannot give the record that was asked for."""


class PersonUnknown(SourceError):
    """The register has nobody with this key. Nothing will be issued."""


class NotReady(SourceError):
    """The record is being prepared; ask again later. Issuance becomes deferred."""


class Refused(SourceError):
    """The source says that this person must not get this credential, and why: the reason is shown to the citizen."""


class SourceUnavailable(SourceError):
    """The source does not answer. Nothing is issued, nothing is lost: the wallet may try again."""


class AttributeSource(Protocol):
    """A register that knows people."""

    async def record(self, person: str, credential_type: str) -> Record:
        """Return what the register knows of a person that this type of credential needs.

        Args:
            person: the register's key of the person.
            credential_type: id of the type, for sources that keep types apart.

        Raises:
            PersonUnknown: nobody has this key.
            NotReady: not yet.
            Refused: not for this person.
            SourceUnavailable: the source does not answer.
        """
        ...
