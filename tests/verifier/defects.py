"""What a dishonest wallet may do to a presentation: each defect breaks one rule of an honest one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from byoid.cbor import cbor_dumps, cbor_loads
from byoid.encoding import b64u_decode, b64u_encode, json_dumps
from byoid.formats.identifier_list import IdentifierReference
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, prepare_key_binding
from byoid.formats.status_list import StatusReference
from byoid.jose import prepare_jws
from byoid.keys import PrivateKey
from byoid.presentation.authentication import PresentationRequest
from byoid.signing import sign_now
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from tests.verifier.world import DOCTYPE, ELEMENTS, NAMESPACE, VCT, Wallet

PATHS = [("given_name",), ("address", "country")]
NAMES = [(NAMESPACE, "given_name"), (NAMESPACE, "age_over_18")]


@dataclass(frozen=True)
class Mischief:
    """The wallet, and what its presentation should be bound to."""

    wallet: Wallet
    bound: PresentationRequest

    @property
    def issuer(self) -> Any:
        return self.wallet.world.issuer

    @property
    def now(self) -> Any:
        return self.wallet.world.clock()

    def show(self, credential: str | None = None, paths: Any = PATHS, **changes: Any) -> str:
        """Show an SD-JWT VC, honestly but for the changes."""
        shown = HeldSdJwtVc.from_text(credential or self.wallet.sd_jwts[VCT]).present(paths)
        return self.bind(shown, **changes)

    def bind(self, shown: str, **changes: Any) -> str:
        options: dict[str, Any] = {
            "audience": self.bound.binding.audience, "nonce": self.bound.nonce, "issued_at": self.now,
            "algorithm": "ES256",
        }  # fmt: skip
        key = changes.pop("key", self.wallet.holder)
        return sign_now(prepare_key_binding(shown, **{**options, **changes}), key)

    def show_mdoc(self, issuer_signed: bytes | None = None, names: Any = NAMES, **changes: Any) -> str:
        """Show an mdoc, honestly but for the changes of what it is bound to."""
        key = changes.pop("key", self.wallet.holder)
        held = HeldMdoc.from_bytes(issuer_signed or self.wallet.mdocs[DOCTYPE])
        transcript = replace(self.bound, **changes).session_transcript
        return b64u_encode(
            sign_now(held.prepare_response(names, session_transcript=transcript, algorithm="ES256"), key)
        )

    def stranger(self, purpose: Purpose) -> tuple[PrivateKey, tuple[bytes, ...]]:
        """Make a signer whom nobody trusts."""
        root = make_root(SubjectName("Stranger"), key=PrivateKey.generate(), now=self.now - timedelta(days=1))
        key = PrivateKey.generate()
        return key, to_der(make_leaf(root, SubjectName("Pid"), key=key.public, purpose=purpose, now=self.now))


Make = Callable[[Mischief], str]


@dataclass(frozen=True)
class Defect:
    """A defect, by which name the log has it, and whether it is authentic enough to end the transaction."""

    make: Make
    reason: str
    ends: bool = False

    @property
    def name(self) -> str:
        return self.make.__name__


# --- SD-JWT VC ---


def signed_by_a_stranger(m: Mischief) -> str:
    key, x5c = m.stranger(Purpose.PID)
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, key=key, x5c=x5c))


def signed_by_another_key_than_the_certificate_says(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, key=PrivateKey.generate()))


def signed_by_the_holder(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, key=m.wallet.holder))


def signed_without_a_certificate(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, x5c=(), kid="1", issuer="https://issuer.test"))


def signed_by_a_signer_for_another_purpose(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, key=m.issuer.attestation, x5c=m.issuer.attestation_chain))


def expired(m: Mischief) -> str:
    past = m.now - timedelta(days=2)
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, issued_at=past, expires_at=past + timedelta(days=1)))


def of_another_type(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, vct="urn:eudi:other:1"))


def with_a_changed_claim(m: Mischief) -> str:
    jwt, *disclosures, _ = m.wallet.sd_jwts[VCT].split("~")
    changed = []
    for each in disclosures:
        salt, *rest = json.loads(b64u_decode(each))
        if rest[0] == "given_name":
            each = b64u_encode(json_dumps([salt, "given_name", "Eve"]))
        if rest[0] in ("given_name", "address", "country"):
            changed.append(each)
    return m.bind("~".join([jwt, *changed, ""]))


def with_an_invented_claim(m: Mischief) -> str:
    shown = HeldSdJwtVc.from_text(m.wallet.sd_jwts[VCT]).present(PATHS)
    return m.bind(shown + b64u_encode(json_dumps(["c2FsdHNhbHRzYWx0c2E", "is_rich", True])) + "~")


def with_a_disclosure_twice(m: Mischief) -> str:
    shown = HeldSdJwtVc.from_text(m.wallet.sd_jwts[VCT]).present(PATHS)
    return m.bind(shown + shown.split("~")[1] + "~")


def with_a_changed_payload(m: Mischief) -> str:
    header, payload, rest = m.wallet.sd_jwts[VCT].split(".", 2)
    claims = json.loads(b64u_decode(payload))
    changed = b64u_encode(json_dumps({**claims, "exp": claims["exp"] + 1}))
    return m.show(".".join([header, changed, rest]))


def with_algorithm_none(m: Mischief) -> str:
    header, payload, rest = m.wallet.sd_jwts[VCT].split(".", 2)
    unsigned = b64u_encode(json_dumps({**json.loads(b64u_decode(header)), "alg": "none"}))
    return m.bind(".".join([unsigned, payload, "~" + rest.partition("~")[2]]))


def with_a_symmetric_algorithm(m: Mischief) -> str:
    header, payload, rest = m.wallet.sd_jwts[VCT].split(".", 2)
    keyed = b64u_encode(json_dumps({**json.loads(b64u_decode(header)), "alg": "HS256"}))
    return m.bind(".".join([keyed, payload, rest]))


def with_another_token_type(m: Mischief) -> str:
    header, payload, rest = m.wallet.sd_jwts[VCT].split(".", 2)
    typed = {**json.loads(b64u_decode(header)), "typ": "JWT"}
    claims = json.loads(b64u_decode(payload))
    jws = sign_now(prepare_jws(claims, algorithm="ES256", typ="JWT", header={"x5c": typed["x5c"]}), m.issuer.pid)
    return m.bind("~".join([jws, rest.partition("~")[2]]))


def without_a_claim_that_was_asked(m: Mischief) -> str:
    return m.show(paths=[("given_name",)])


def without_holder_binding(m: Mischief) -> str:
    return HeldSdJwtVc.from_text(m.wallet.sd_jwts[VCT]).present(PATHS)


def for_a_holder_without_a_key(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(None))


def bound_by_another_key(m: Mischief) -> str:
    return m.show(key=PrivateKey.generate())


def bound_to_another_audience(m: Mischief) -> str:
    return m.show(audience="x509_hash:somebody-else")


def bound_to_another_nonce(m: Mischief) -> str:
    return m.show(nonce="n" * 43)


def bound_to_no_nonce(m: Mischief) -> str:
    return m.show(nonce="")


def bound_long_ago(m: Mischief) -> str:
    return m.show(issued_at=m.now - timedelta(hours=1))


def bound_in_the_future(m: Mischief) -> str:
    return m.show(issued_at=m.now + timedelta(hours=1))


def bound_to_other_disclosures(m: Mischief) -> str:
    honest = m.show(paths=[("given_name",)])
    held = HeldSdJwtVc.from_text(m.wallet.sd_jwts[VCT]).present(PATHS)
    return held + honest.rpartition("~")[2]


def bound_by_a_token_of_another_type(m: Mischief) -> str:
    shown, _, key_binding = m.show().rpartition("~")
    claims = json.loads(b64u_decode(key_binding.split(".")[1]))
    return f"{shown}~{sign_now(prepare_jws(claims, algorithm='ES256', typ='JWT'), m.wallet.holder)}"


def another_persons_copy(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(PrivateKey.generate()))


def no_sd_jwt_at_all(m: Mischief) -> str:
    return "e30.e30.e30"


def an_mdoc_in_place_of_an_sd_jwt(m: Mischief) -> str:
    return b64u_encode(m.wallet.mdocs[DOCTYPE])


def revoked(m: Mischief) -> str:
    m.issuer.array.set_status(1, 1)
    m.issuer.array.set_status(2, 1)
    return m.show()


def suspended(m: Mischief) -> str:
    m.issuer.array.set_status(1, 2)
    m.issuer.array.set_status(2, 2)
    return m.show()


def outside_its_status_list(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, status=StatusReference("https://issuer.test/status/1", 5000)))


def with_a_status_list_that_cannot_be_had(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, status=StatusReference("https://issuer.test/status/9", 1)))


def with_a_status_list_on_an_internal_address(m: Mischief) -> str:
    return m.show(m.issuer.sd_jwt_vc(m.wallet.holder, status=StatusReference("https://127.0.0.1/status", 1)))


def with_a_status_list_signed_by_a_wrong_key(m: Mischief) -> str:
    m.issuer.token = m.issuer.status_token(PrivateKey.generate())
    return m.show()


def with_a_status_list_signed_by_a_stranger(m: Mischief) -> str:
    key, x5c = m.stranger(Purpose.STATUS)
    m.issuer.token = m.issuer.status_token(key, x5c=x5c)
    return m.show()


def with_a_status_list_signed_by_a_signer_of_credentials(m: Mischief) -> str:
    m.issuer.token = m.issuer.status_token(m.issuer.attestation, x5c=m.issuer.attestation_chain)
    return m.show()


def with_a_status_list_that_is_expired(m: Mischief) -> str:
    past = m.now - timedelta(days=3)
    m.issuer.token = m.issuer.status_token(issued_at=past, expires_at=past + timedelta(days=1))
    return m.show()


def with_a_status_list_of_another_address(m: Mischief) -> str:
    m.issuer.token = m.issuer.status_token(uri="https://issuer.test/status/2")
    return m.show()


def with_a_status_list_that_is_junk(m: Mischief) -> str:
    m.issuer.token = b"junk"
    return m.show()


def with_a_status_of_another_kind(m: Mischief) -> str:
    header, payload, rest = m.wallet.sd_jwts[VCT].split(".", 2)
    x5c = json.loads(b64u_decode(header))["x5c"]
    claims = {**json.loads(b64u_decode(payload)), "status": {"another_list": {"place": 1}}}
    jws = sign_now(prepare_jws(claims, algorithm="ES256", typ="dc+sd-jwt", header={"x5c": x5c}), m.issuer.pid)
    return m.show("~".join([jws, rest.partition("~")[2]]))


SD_JWT_DEFECTS = (
    Defect(signed_by_a_stranger, "UntrustedIssuer"),
    Defect(signed_by_another_key_than_the_certificate_says, "BadSignature"),
    Defect(signed_by_the_holder, "BadSignature"),
    Defect(signed_without_a_certificate, "UntrustedIssuer: expected a certificate chain"),
    Defect(signed_by_a_signer_for_another_purpose, "UntrustedIssuer"),
    Defect(expired, "Expired"),
    Defect(of_another_type, "WrongType: expected a credential of type"),
    Defect(with_a_changed_claim, "DigestMismatch"),
    Defect(with_an_invented_claim, "DigestMismatch"),
    Defect(with_a_disclosure_twice, "DigestMismatch"),
    Defect(with_a_changed_payload, "BadSignature"),
    Defect(with_algorithm_none, "WrongType"),
    Defect(with_a_symmetric_algorithm, "WrongType"),
    Defect(with_another_token_type, "WrongType"),
    Defect(without_a_claim_that_was_asked, "ClaimMismatch"),
    Defect(without_holder_binding, "HolderBindingError: expected a key binding JWT"),
    Defect(for_a_holder_without_a_key, "HolderBindingError"),
    Defect(bound_by_another_key, "BadSignature"),
    Defect(bound_to_another_audience, "HolderBindingError: the key binding JWT has another aud"),
    Defect(bound_to_another_nonce, "ResponseRejected: a presentation was made for another nonce"),
    Defect(bound_to_no_nonce, "ResponseRejected: a presentation was made for another nonce"),
    Defect(bound_long_ago, "HolderBindingError: the key binding JWT was not made just now"),
    Defect(bound_in_the_future, "HolderBindingError: the key binding JWT was not made just now"),
    Defect(bound_to_other_disclosures, "HolderBindingError: the key binding JWT has another sd_hash"),
    Defect(bound_by_a_token_of_another_type, "WrongType"),
    Defect(another_persons_copy, "BadSignature"),
    Defect(no_sd_jwt_at_all, "MalformedInput"),
    Defect(an_mdoc_in_place_of_an_sd_jwt, "MalformedInput"),
    Defect(revoked, "Revoked", ends=True),
    Defect(suspended, "Suspended", ends=True),
    Defect(outside_its_status_list, "StatusUnavailable", ends=True),
    Defect(with_a_status_list_that_cannot_be_had, "StatusUnavailable: the status list was not fetched", ends=True),
    Defect(with_a_status_list_on_an_internal_address, "StatusUnavailable: the status list was not fetched", ends=True),
    Defect(
        with_a_status_list_signed_by_a_wrong_key, "StatusUnavailable: the status list is not to be trusted", ends=True
    ),
    Defect(
        with_a_status_list_signed_by_a_stranger, "StatusUnavailable: the status list is not to be trusted", ends=True
    ),
    Defect(
        with_a_status_list_signed_by_a_signer_of_credentials,
        "StatusUnavailable: the status list is not to be trusted",
        ends=True,
    ),
    Defect(with_a_status_list_that_is_expired, "StatusUnavailable: the status list is not to be trusted", ends=True),
    Defect(with_a_status_list_of_another_address, "StatusUnavailable: the status list is not to be trusted", ends=True),
    Defect(with_a_status_list_that_is_junk, "StatusUnavailable: the status list is not to be trusted", ends=True),
    Defect(with_a_status_of_another_kind, "StatusUnavailable: the credential's status is of a kind", ends=True),
)


# --- mdoc ---


def mdoc_signed_by_a_stranger(m: Mischief) -> str:
    key, x5chain = m.stranger(Purpose.MDOC)
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, key=key, x5chain=x5chain))


def mdoc_signed_by_another_key(m: Mischief) -> str:
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, key=PrivateKey.generate()))


def mdoc_signed_by_a_signer_for_another_purpose(m: Mischief) -> str:
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, key=m.issuer.pid, x5chain=m.issuer.pid_chain))


def mdoc_expired(m: Mischief) -> str:
    certified = m.now - timedelta(hours=12)
    changes = {"signed": certified, "valid_from": certified, "valid_until": certified + timedelta(hours=1)}
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, **changes))


def mdoc_not_yet_valid(m: Mischief) -> str:
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, valid_from=m.now + timedelta(days=1)))


def mdoc_of_another_type(m: Mischief) -> str:
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, doctype="org.example.other"))


def _changed(encoded: str, change: Callable[[dict[str, Any]], None]) -> str:
    response = cbor_loads(b64u_decode(encoded))
    change(response["documents"][0])
    return b64u_encode(cbor_dumps(response))


def mdoc_with_a_changed_element(m: Mischief) -> str:
    forged = m.issuer.mdoc_pid(m.wallet.holder, elements={**ELEMENTS, "given_name": "Eve"})
    false_items = cbor_loads(b64u_decode(m.show_mdoc(forged)))["documents"][0]["issuerSigned"]["nameSpaces"]

    def change(document: dict[str, Any]) -> None:
        document["issuerSigned"]["nameSpaces"] = false_items

    return _changed(m.show_mdoc(), change)


def mdoc_with_a_changed_type(m: Mischief) -> str:
    def change(document: dict[str, Any]) -> None:
        document["docType"] = "org.example.other"

    return _changed(m.show_mdoc(), change)


def mdoc_with_another_mso(m: Mischief) -> str:
    other = cbor_loads(b64u_decode(m.show_mdoc(m.issuer.mdoc_pid(PrivateKey.generate()))))["documents"][0]

    def change(document: dict[str, Any]) -> None:
        document["issuerSigned"]["issuerAuth"] = other["issuerSigned"]["issuerAuth"]

    return _changed(m.show_mdoc(), change)


def mdoc_without_device_authentication(m: Mischief) -> str:
    def change(document: dict[str, Any]) -> None:
        document["deviceSigned"]["deviceAuth"] = {}

    return _changed(m.show_mdoc(), change)


def mdoc_without_an_element_that_was_asked(m: Mischief) -> str:
    return m.show_mdoc(names=NAMES[:1])


def mdoc_bound_by_another_key(m: Mischief) -> str:
    return m.show_mdoc(key=PrivateKey.generate())


def mdoc_bound_to_another_nonce(m: Mischief) -> str:
    return m.show_mdoc(nonce="n" * 43)


def mdoc_bound_to_another_verifier(m: Mischief) -> str:
    if m.bound.origin is not None:
        return m.show_mdoc(origin="https://evil.test")
    return m.show_mdoc(client_id="x509_hash:somebody-else")


def mdoc_bound_to_another_address(m: Mischief) -> str:
    if m.bound.origin is not None:
        return m.show_mdoc(origin=None)
    return m.show_mdoc(response_uri="https://evil.test/responses/1")


def mdoc_bound_to_another_response_key(m: Mischief) -> str:
    return m.show_mdoc(encryption_key={**PrivateKey.generate().public.jwk, "alg": "ECDH-ES"})


def mdoc_of_another_person(m: Mischief) -> str:
    return m.show_mdoc(m.issuer.mdoc_pid(PrivateKey.generate()))


def mdoc_with_two_documents(m: Mischief) -> str:
    response = cbor_loads(b64u_decode(m.show_mdoc()))
    response["documents"] = response["documents"] * 2
    return b64u_encode(cbor_dumps(response))


def mdoc_with_bytes_behind_it(m: Mischief) -> str:
    return b64u_encode(b64u_decode(m.show_mdoc()) + b"\x00")


def mdoc_that_is_junk(m: Mischief) -> str:
    return b64u_encode(b"\xff\xff\xff")


def mdoc_that_is_an_sd_jwt(m: Mischief) -> str:
    return m.show()


def mdoc_revoked(m: Mischief) -> str:
    revoked(m)
    return m.show_mdoc()


def mdoc_suspended(m: Mischief) -> str:
    suspended(m)
    return m.show_mdoc()


def mdoc_with_a_status_list_signed_by_a_wrong_key(m: Mischief) -> str:
    with_a_status_list_signed_by_a_wrong_key(m)
    return m.show_mdoc()


def mdoc_with_a_status_list_that_is_expired(m: Mischief) -> str:
    with_a_status_list_that_is_expired(m)
    return m.show_mdoc()


def mdoc_with_a_status_list_that_cannot_be_had(m: Mischief) -> str:
    reference = StatusReference("https://issuer.test/status/9", 1)
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, status=reference))


def mdoc_with_a_status_of_another_kind(m: Mischief) -> str:
    entry = IdentifierReference("https://issuer.test/identifiers/1", b"\x01\x02")
    return m.show_mdoc(m.issuer.mdoc_pid(m.wallet.holder, status=entry))


MDOC_DEFECTS = (
    Defect(mdoc_signed_by_a_stranger, "UntrustedIssuer"),
    Defect(mdoc_signed_by_another_key, "BadSignature"),
    Defect(mdoc_signed_by_a_signer_for_another_purpose, "UntrustedIssuer"),
    Defect(mdoc_expired, "Expired"),
    Defect(mdoc_not_yet_valid, "NotYetValid"),
    Defect(mdoc_of_another_type, "WrongType: expected a credential of type"),
    Defect(mdoc_with_a_changed_element, "DigestMismatch"),
    Defect(mdoc_with_a_changed_type, "WrongType|ClaimMismatch|HolderBindingError"),
    Defect(mdoc_with_another_mso, "DigestMismatch|BadSignature|HolderBindingError"),
    Defect(mdoc_without_device_authentication, "MalformedInput|HolderBindingError"),
    Defect(mdoc_without_an_element_that_was_asked, "ClaimMismatch"),
    Defect(mdoc_bound_by_another_key, "HolderBindingError|BadSignature"),
    Defect(mdoc_bound_to_another_nonce, "HolderBindingError|BadSignature"),
    Defect(mdoc_bound_to_another_verifier, "HolderBindingError|BadSignature"),
    Defect(mdoc_bound_to_another_address, "HolderBindingError|BadSignature"),
    Defect(mdoc_bound_to_another_response_key, "HolderBindingError|BadSignature"),
    Defect(mdoc_of_another_person, "HolderBindingError|BadSignature"),
    Defect(mdoc_with_two_documents, "MalformedInput: expected one document"),
    Defect(mdoc_with_bytes_behind_it, "MalformedInput"),
    Defect(mdoc_that_is_junk, "MalformedInput"),
    Defect(mdoc_that_is_an_sd_jwt, "MalformedInput"),
    Defect(mdoc_revoked, "Revoked", ends=True),
    Defect(mdoc_suspended, "Suspended", ends=True),
    Defect(mdoc_with_a_status_list_signed_by_a_wrong_key, "StatusUnavailable", ends=True),
    Defect(mdoc_with_a_status_list_that_is_expired, "StatusUnavailable", ends=True),
    Defect(mdoc_with_a_status_list_that_cannot_be_had, "StatusUnavailable", ends=True),
    Defect(mdoc_with_a_status_of_another_kind, "StatusUnavailable: the credential's status is of a kind", ends=True),
)
