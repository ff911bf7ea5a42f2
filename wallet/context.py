"""Everything that an operation of the wallet may use, made once by `app.py`; and a visit: a citizen who is here now."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from byoid.oauth.jwt import Trust
from wallet.contents import Contents, ContentStore
from wallet.issuer_client import IssuerClient
from wallet.settings import WalletSettings
from wallet.vault.contract import SessionView, VaultDoor
from wallet.vault.keys import PersonId
from wallet.vault.sessions import open_session

if TYPE_CHECKING:
    from wallet.limits import Limits
    from wallet.notices import Notices
    from wallet.provider import WalletProvider
    from wallet.verifier_client import VerifierClient


@dataclass(frozen=True)
class Visit:
    """A citizen who is signed in: their session, and what they keep, readable while the session lives."""

    cookie: str = field(repr=False)
    session: SessionView
    contents: Contents

    @property
    def person(self) -> PersonId:
        """Whose visit it is."""
        return self.session.person


@dataclass(frozen=True)
class Wallet:
    """The wallet of all citizens: what is kept, the door of the vault, the peers, and whom to believe."""

    settings: WalletSettings
    contents: ContentStore
    door: VaultDoor
    issuers: IssuerClient
    verifiers: "VerifierClient"
    provider: "WalletProvider"
    trust: Trust
    notices: "Notices"
    limits: "Limits"
    clock: Callable[[], datetime]

    async def visit(self, cookie: str) -> Visit:
        """Open the session of a cookie.

        Raises:
            NotSignedIn: it has no live session.
        """
        session = await self.door.run(open_session, cookie)
        return Visit(cookie, session, Contents(self.contents, session.person, session.reading_key))
