"""Whose signature counts, and by which mechanism: the verifier's policy."""

import pytest

from byoid.errors import (
    MalformedInput,
    ResponseRejected,
    UntrustedIssuer,
)
from byoid.formats.jwt_vc_issuer import JwkSet
from byoid.presentation.issuer_trust import establish_issuer
from byoid.presentation.verify import (
    MetadataTrust,
    UnsafeTrustAnyIssuer,
    X509Trust,
)
from byoid.trust.anchors import Purpose
from byoid.trust.crl import Crls
from tests.byoid.presentation.world import (
    NOW,
    Asking,
    World,
    foreign_chain,
    verify,
)


def test_issuer_metadata_count_only_for_the_issuers_that_policy_names(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=({**world.issuer.public.jwk, "kid": "1"},))
    credential = world.sd_jwt_vc(x5c=(), issuer="https://issuer.example", kid="1")
    token = {"pid": [world.show(credential)]}

    named = MetadataTrust({"https://issuer.example": keys})
    assert verify(world, token, asking(), trust={"pid": named}).credentials["pid"][0].issuer == "https://issuer.example"
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), trust={"pid": MetadataTrust({"https://other.example": keys})})
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_the_key_id_chooses_among_an_issuers_keys(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=({**world.holder.public.jwk, "kid": "1"}, {**world.issuer.public.jwk, "kid": "2"}))
    trust = {"pid": MetadataTrust({"https://issuer.example": keys})}

    def answer(kid: str) -> dict[str, list[str]]:
        return {"pid": [world.show(world.sd_jwt_vc(x5c=(), issuer="https://issuer.example", kid=kid))]}

    assert verify(world, answer("2"), asking(), trust=trust).credentials
    with pytest.raises(ResponseRejected):
        verify(world, answer("1"), asking(), trust=trust)


def test_a_key_id_that_is_no_text_chooses_no_key(world: World) -> None:
    trust = MetadataTrust({"https://issuer.example": JwkSet(keys=(world.issuer.public.jwk,))})

    found = establish_issuer(trust, x5c=(), iss="https://issuer.example", kid=7, now=NOW)
    assert (found.key, found.name, found.chain) == (world.issuer.public, "https://issuer.example", None)


@pytest.mark.hostile
def test_an_issuer_whose_revocation_nobody_can_rule_out_is_refused(world: World, asking: Asking) -> None:
    trust = {"pid": X509Trust(world.anchors, Purpose.PID, crls=Crls())}

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(), trust=trust)
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_metadata_are_used_as_policy_says_although_a_chain_came_along(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=(world.issuer.public.jwk,))
    token = {"pid": [world.show(world.sd_jwt_vc(issuer="https://issuer.example"))]}

    assert verify(world, token, asking(), trust={"pid": MetadataTrust({"https://issuer.example": keys})}).credentials


def test_trusting_anyone_has_to_be_typed_by_name(world: World, asking: Asking) -> None:
    key, chain = foreign_chain(Purpose.PID)
    token = {"pid": [world.show(world.sd_jwt_vc(key=key, x5c=chain))]}

    (pid,) = verify(world, token, asking(), trust={"pid": UnsafeTrustAnyIssuer()}).credentials["pid"]

    assert pid.issuer == "unproven"


@pytest.mark.hostile
def test_trusting_anyone_still_needs_a_certificate(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(x5c=()))]}
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), trust={"pid": UnsafeTrustAnyIssuer()})
    assert isinstance(rejected.value.discarded[0].error, MalformedInput)


@pytest.mark.hostile
def test_an_anchor_for_another_purpose_does_not_count(world: World, asking: Asking) -> None:
    attestations_only = X509Trust(world.root.anchor(Purpose.ATTESTATION), Purpose.PID)
    with pytest.raises(ResponseRejected) as rejected:
        verify(world, {"pid": [world.show(world.sd_jwt_vc())]}, asking(), trust={"pid": attestations_only})
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_pinned_issuers_are_anchors_too(world: World, asking: Asking) -> None:
    key, chain = foreign_chain(Purpose.PID)
    pinned = type(world.anchors).from_pem(_pem(chain[0]), [Purpose.PID], "pinned", pinned=True)
    token = {"pid": [world.show(world.sd_jwt_vc(key=key, x5c=chain))]}

    assert verify(world, token, asking(), trust={"pid": X509Trust(pinned, Purpose.PID)}).credentials


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
