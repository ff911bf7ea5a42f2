"""A citizen who holds cards that a test has issued to them, in both formats."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from byoid.encoding import b64u_encode
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.sd_jwt_vc import ALL, prepare_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.issuance.configuration import CredentialDisplay
from byoid.issuance.reuse_policy import ReuseMethod
from byoid.keys import PublicKey
from byoid.oauth.claims_description import ClaimDisplay, ClaimsDescription
from byoid.service.trust_files import load_signer
from byoid.signing import sign_now
from tests.peers.dishonest_verifier import MDOC_PID, PID
from tests.wallet.world import Citizen
from wallet.asked import Choice, ConsentView
from wallet.cards import MDOC, SD_JWT_VC, CardContent, CopyContent, Format, Reuse, StatusEntry, add_card
from wallet.consent import choose, propose
from wallet.context import Visit, Wallet
from wallet.presenting import Presented, approve
from wallet.vault.holder_keys import create_holder_keys

PERSON = {
    "given_name": "Zoë",
    "family_name": "Lindqvist",
    "birthdate": "1987-03-04",
    "nationalities": ["DE", "SE"],
    "address": {"locality": "Lindenmoor", "postal_code": "27000", "street_address": "Moorweg 1"},
}
LABELS = (
    ClaimsDescription(path=("given_name",), display=(ClaimDisplay(name="Vorname", locale="de"),)),
    ClaimsDescription(path=("address",), display=(ClaimDisplay(name="Anschrift", locale="de"),)),
)


@dataclass
class Holder:
    """A citizen who holds cards."""

    wallet: Wallet
    citizen: Citizen
    pki: Path
    cards: dict[str, str] = field(default_factory=dict)

    async def visit(self) -> Visit:
        return await self.citizen.visit()

    async def add_sd_jwt(self, claims: dict[str, Any] | None = None, **options: Any) -> str:
        """Keep a PID as SD-JWT VC."""
        return await self._add(SD_JWT_VC, options.pop("vct", PID), claims or PERSON, **options)

    async def add_mdoc(self, claims: dict[str, Any] | None = None, **options: Any) -> str:
        """Keep a PID as mdoc."""
        return await self._add(
            MDOC, MDOC_PID, claims or {k: PERSON[k] for k in ("given_name", "family_name")}, **options
        )

    async def propose(self, link: str) -> ConsentView:
        return await propose(self.wallet, await self.visit(), link)

    async def present(self, view: ConsentView, cards: dict[str, tuple[str, ...]] | None = None) -> Presented:
        """Choose and approve, as a page does."""
        visit = await self.visit()
        chosen = Choice(cards=view.suggested if cards is None else cards, accepted_cautions=view.cautions)
        ceremony = await choose(self.wallet, visit, view.id, chosen)
        return await approve(self.wallet, visit, view.id, self.citizen.answer(ceremony))

    async def _add(  # each is one thing about the card
        self,
        format_: Format,
        type_: str,
        claims: dict[str, Any],
        *,
        copies: int = 1,
        reuse: ReuseMethod = ReuseMethod.LIMITED_TIME,
        disclosable: Any = ALL,
        bound: bool = True,
        curve: str = "P-256",
        status: StatusReference | None = None,
        expires_in: timedelta = timedelta(days=30),
        policy: dict[str, Any] | None = None,
    ) -> str:
        visit, now = await self.visit(), self.wallet.clock()
        keys = await self.wallet.door.run(create_holder_keys, self.citizen.cookie, count=copies, curve=curve)
        made = []
        for key in keys:
            if format_ == SD_JWT_VC:
                text = self._sd_jwt(type_, claims, key.public_jwk if bound else None, disclosable, status, expires_in)
            else:
                text = self._mdoc(claims, PublicKey.from_jwk(key.public_jwk), status, expires_in)
            made.append(
                CopyContent(
                    key_id=key.id if bound else None,
                    text=text,
                    expires_at=now + expires_in,
                    status=StatusEntry.of(status),
                )
            )
        card = CardContent(
            format=format_,
            type=type_,
            credential_issuer="https://issuer.test",
            configuration_id="pid",
            signer="Gemeinde Lindenmoor",
            display=(CredentialDisplay(name="Personalausweis", locale="de"),),
            claims=LABELS,
            reuse=Reuse(method=reuse, batch_size=copies),
            disclosure_policy=policy,
            received_at=now,
            expires_at=now + expires_in,
        )
        async with self.wallet.contents.transaction() as tx:
            return await add_card(visit.contents, tx, card, made)

    def _sd_jwt(self, vct, claims, holder, disclosable, status, expires_in) -> str:  # type: ignore[no-untyped-def]  # test
        signer, now = load_signer(self.pki / "credential.key", self.pki / "credential.pem"), self.wallet.clock()
        unsigned = prepare_sd_jwt_vc(
            claims, vct=vct, disclosable=disclosable, algorithm=signer.algorithm, holder_key=holder, x5c=signer.x5c,
            status=status, issued_at=now, expires_at=now + expires_in,
        )  # fmt: skip
        return sign_now(unsigned, signer.key)

    def _mdoc(self, claims, device_key, status, expires_in) -> str:  # type: ignore[no-untyped-def]  # test
        signer = load_signer(self.pki / "document-signer.key", self.pki / "document-signer.pem")
        now = self.wallet.clock()
        unsigned = prepare_mdoc(
            {MDOC_PID: claims}, doctype=MDOC_PID, device_key=device_key, x5chain=signer.x5c,
            algorithm=signer.algorithm, signed=now, valid_from=now, valid_until=now + expires_in, status=status,
        )  # fmt: skip
        return b64u_encode(sign_now(unsigned, signer.key))
