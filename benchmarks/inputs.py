"""What is measured: a PID of 27 claims as an SD-JWT VC, an mDL of 25 elements, and the keys and chains around them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from byoid.claims import ClaimPath
from byoid.formats.mdoc.issue import prepare_mdoc
from byoid.formats.sd_jwt_vc import prepare_sd_jwt_vc
from byoid.formats.status_list import StatusReference
from byoid.keys import PrivateKey
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import Authority, SubjectName, dns, make_leaf, make_root, to_der

NOW: Final = datetime.now(UTC).replace(microsecond=0)  # not a fixed time: some peers ask the clock themselves
VALID: Final = timedelta(days=14)
VCT: Final = "urn:eudi:pid:1"
STATUS: Final = StatusReference("https://issuer.example/status/1", 412)
CLIENT_ID: Final = "x509_san_dns:verifier.example"
RESPONSE_URI: Final = "https://verifier.example/response"
NONCE: Final = "n-0S6_WzA2Mjn-0S6_WzA2Mj"

ADDRESS: Final = {
    "street_address": "Heidestraße",
    "house_number": "17",
    "locality": "Köln",
    "region": "NW",
    "postal_code": "51147",
    "country": "DE",
}
PID: Final[dict[str, Any]] = {
    "given_name": "Erika",
    "family_name": "Mustermann",
    "birthdate": "1971-09-01",
    "birth_family_name": "Gabler",
    "place_of_birth": {"locality": "Berlin", "country": "DE"},
    "nationalities": ["DE"],
    "sex": 2,
    "email": "erika.mustermann@example.org",
    "phone_number": "+49123456789",
    "personal_administrative_number": "1234567890",
    "document_number": "L01X00T47",
    "date_of_issuance": "2026-05-20",
    "issuing_authority": "DE",
    "issuing_jurisdiction": "DE-NW",
    "age_equal_or_over": {"18": True},
    "address": ADDRESS,
}
"""15 claims that are disclosed one by one, and an address whose 6 members are; `iss`, `iat`, `exp`, `vct`, `cnf` and
`status` make it 27."""
DISCLOSABLE: Final[tuple[ClaimPath, ...]] = (
    *((name,) for name in PID if name != "address"),
    *(("address", name) for name in ADDRESS),
)
SHOWN: Final[tuple[ClaimPath, ...]] = (
    ("given_name",),
    ("family_name",),
    ("birthdate",),
    ("age_equal_or_over", "18"),
    ("address", "locality"),
)

DOCTYPE: Final = "org.iso.18013.5.1.mDL"
NAMESPACE: Final = "org.iso.18013.5.1"
MDL: Final[dict[str, Any]] = {
    "given_name": "Erika",
    "family_name": "Mustermann",
    "birth_date": date(1971, 9, 1),
    "issue_date": date(2026, 5, 20),
    "expiry_date": date(2036, 5, 19),
    "issuing_country": "DE",
    "issuing_authority": "DE",
    "document_number": "L01X00T47",
    "driving_privileges": [{"vehicle_category_code": "B", "issue_date": date(1990, 3, 5)}],
    "un_distinguishing_sign": "D",
    "administrative_number": "1234567890",
    "sex": 2,
    "height": 165,
    "weight": 60,
    "eye_colour": "blue",
    "hair_colour": "blond",
    "birth_place": "Berlin",
    "resident_address": "Heidestraße 17",
    "resident_city": "Köln",
    "resident_state": "NW",
    "resident_postal_code": "51147",
    "resident_country": "DE",
    "nationality": "DE",
    "age_over_18": True,
    "age_in_years": 54,
}
SHOWN_ELEMENTS: Final = tuple(
    (NAMESPACE, name) for name in ("given_name", "family_name", "birth_date", "age_over_18", "resident_city")
)


@dataclass(frozen=True)
class Inputs:
    """Keys, made once; chains of one certificate below one root; a credential of each format."""

    root: Authority
    issuer: PrivateKey
    holder: PrivateKey
    verifier: PrivateKey
    pid_chain: tuple[bytes, ...]
    mdoc_chain: tuple[bytes, ...]
    access_chain: tuple[bytes, ...]
    anchors: TrustAnchors

    def issue_pid(self) -> str:
        """Issue the PID, signature and all."""
        unsigned = prepare_sd_jwt_vc(
            PID,
            vct=VCT,
            disclosable=DISCLOSABLE,
            algorithm="ES256",
            x5c=self.pid_chain,
            holder_key=self.holder.public.jwk,
            status=STATUS,
            issued_at=NOW,
            expires_at=NOW + VALID,
            issuer="https://issuer.example",
        )
        return sign_now(unsigned, self.issuer)

    def issue_mdl(self) -> bytes:
        """Issue the mDL, signature and all."""
        unsigned = prepare_mdoc(
            {NAMESPACE: MDL},
            doctype=DOCTYPE,
            device_key=self.holder.public,
            x5chain=self.mdoc_chain,
            algorithm="ES256",
            signed=NOW,
            valid_from=NOW,
            valid_until=NOW + VALID,
            status=STATUS,
        )
        return sign_now(unsigned, self.issuer)


def make_inputs() -> Inputs:
    root = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=NOW - timedelta(days=1), path_length=0)
    issuer, verifier = PrivateKey.generate(), PrivateKey.generate()

    def chain(key: PrivateKey, purpose: Purpose, host: str) -> tuple[bytes, ...]:
        subject = SubjectName(host, f"{host} Ltd", f"NTRUT-{host}")
        return to_der(make_leaf(root, subject, key=key.public, purpose=purpose, now=NOW, names=dns(host)))

    return Inputs(
        root=root,
        issuer=issuer,
        holder=PrivateKey.generate(),
        verifier=verifier,
        pid_chain=chain(issuer, Purpose.PID, "issuer.example"),
        mdoc_chain=chain(issuer, Purpose.MDOC, "issuer.example"),
        access_chain=chain(verifier, Purpose.ACCESS, "verifier.example"),
        anchors=root.anchor(*Purpose, source="benchmarks"),
    )
