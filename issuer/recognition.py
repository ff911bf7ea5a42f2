"""How a person is recognised at the authorization endpoint: a plug with two shapes.

By password on our own page (`people.py`), or elsewhere: at an OpenID Provider or by showing a credential, from where
the browser comes back. Either way the answer is the register's key of the person, which the authentic source knows.
"""

import unicodedata
from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

from byoid.errors import ByoidError


class NotRecognised(ByoidError):
    """Nobody was recognised: wrong password, cancelled, or refused elsewhere. The person may try again."""


@runtime_checkable
class PasswordRecognition(Protocol):
    """Accounts of our own. Counting guesses is the authorization endpoint's business, not this one's."""

    async def recognise(self, username: str, password: str) -> str:
        """Return the register's key of the person; takes the same time whether or not there is such an account.

        Raises:
            NotRecognised: no such account, or another password.
        """
        ...


@runtime_checkable
class RedirectRecognition(Protocol):
    """Another place that recognises people, and sends the browser back to `/authorize/return`."""

    @property
    def name(self) -> str:
        """What the button on the sign-in page names, such as `eID`."""
        ...

    async def begin(self, *, state: str, return_uri: str) -> str:
        """Return the URL to send the browser to.

        Args:
            state: unguessable, belongs to this browser and this request; what else must be remembered can be derived
                from it or stored under it.
            return_uri: where the browser must come back to, with `state` as a query parameter.
        """
        ...

    async def finish(self, parameters: Mapping[str, str], *, state: str) -> str:
        """Return the register's key of the person, from the query that the browser came back with.

        Args:
            parameters: the query.
            state: as it was given to `begin`; the caller has seen that it belongs to this browser.

        Raises:
            NotRecognised: the person cancelled, was refused, or is not in the register.
        """
        ...


PersonRecognition: TypeAlias = PasswordRecognition | RedirectRecognition


def fold_name(text: str) -> str:
    """Return a name of an account as it is looked up and counted: neither case nor composition tells two apart."""
    return unicodedata.normalize("NFKC", text).strip().casefold()
