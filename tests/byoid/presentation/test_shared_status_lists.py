"""One status list for credentials of several issuers: nobody's word counts for another's (Token Status List 10)."""

from collections.abc import Callable
from typing import Any

import pytest

from byoid.errors import ResponseRejected, StatusUnavailable
from byoid.formats.jwt_vc_issuer import JwkSet
from byoid.keys import PrivateKey
from byoid.presentation.issuer_trust import IssuerTrust, MetadataTrust, UnsafeTrustAnyIssuer, X509Trust
from byoid.presentation.status import StatusPolicy, StatusVerdict
from byoid.trust.anchors import Purpose
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from tests.byoid.presentation.world import LIST_URI, NOW, PID_QUERY, STATUS, Asking, World, verify

LIBRARY = "https://library.example"
CARD = "urn:example:library-card"
CARD_QUERY = {"id": "card", "format": "dc+sd-jwt", "meta": {"vct_values": [CARD]}, "claims": [{"path": ["given_name"]}]}
KEY = PrivateKey.generate()
OTHER_ROOT = make_root(SubjectName("Other root"), key=PrivateKey.generate(), now=NOW)


def leaf(world: World, *, own_root: bool, purpose: Purpose = Purpose.ATTESTATION) -> tuple[bytes, ...]:
    root = OTHER_ROOT if own_root else world.root
    return to_der(make_leaf(root, SubjectName("Library"), key=KEY.public, purpose=purpose, now=NOW))


def under_an_anchor_of_its_own(world: World) -> tuple[IssuerTrust, tuple[bytes, ...], tuple[bytes, ...]]:
    chain = leaf(world, own_root=True)
    return X509Trust(OTHER_ROOT.anchor(Purpose.ATTESTATION), Purpose.ATTESTATION), chain, chain


def with_a_status_signer(world: World) -> tuple[IssuerTrust, tuple[bytes, ...], tuple[bytes, ...]]:
    trust, chain, _ = under_an_anchor_of_its_own(world)
    return trust, chain, leaf(world, own_root=True, purpose=Purpose.STATUS)


def under_the_same_anchor(world: World) -> tuple[IssuerTrust, tuple[bytes, ...], tuple[bytes, ...]]:
    chain = leaf(world, own_root=False)
    return X509Trust(world.anchors, Purpose.ATTESTATION), chain, chain


def by_metadata(_world: World) -> tuple[IssuerTrust, tuple[bytes, ...], tuple[bytes, ...]]:
    return MetadataTrust({LIBRARY: JwkSet(keys=(dict(KEY.public.jwk),))}), (), ()


def whoever_it_is(world: World) -> tuple[IssuerTrust, tuple[bytes, ...], tuple[bytes, ...]]:
    return UnsafeTrustAnyIssuer(), leaf(world, own_root=True), ()


def both(world: World, x5c: tuple[bytes, ...]) -> dict[str, Any]:
    card = world.sd_jwt_vc({"given_name": "Erika"}, vct=CARD, status=STATUS, key=KEY, x5c=x5c, issuer=LIBRARY)
    return {"pid": [world.show(world.sd_jwt_vc(status=STATUS))], "card": [world.show(card, [("given_name",)])]}


@pytest.mark.hostile
@pytest.mark.parametrize(
    "library",
    [under_an_anchor_of_its_own, with_a_status_signer, under_the_same_anchor, by_metadata, whoever_it_is],
)
def test_a_card_of_another_issuer_brings_no_revoked_credential_back_to_life(
    world: World, asking: Asking, library: Callable[[World], Any]
) -> None:
    """The card refers to the list of the PID, and its issuer has signed another in that place."""
    trust, x5c, signer = library(world)
    forged = world.status_list(0, key=KEY, x5c=signer)

    with pytest.raises(ResponseRejected) as rejected:
        verify(
            world, both(world, x5c), asking(PID_QUERY, CARD_QUERY),
            trust={**world.trust, "card": trust}, statuses={LIST_URI: forged},
        )  # fmt: skip
    assert {type(each.error) for each in rejected.value.discarded} == {StatusUnavailable}


def test_a_signer_who_may_speak_for_both_is_believed_for_both(world: World, asking: Asking) -> None:
    trust, x5c, _ = under_the_same_anchor(world)
    response = verify(
        world, both(world, x5c), asking(PID_QUERY, CARD_QUERY),
        trust={**world.trust, "card": trust}, statuses={LIST_URI: world.status_list()},
    )  # fmt: skip

    assert {each.status for shown in response.credentials.values() for each in shown} == {StatusVerdict.VALID}


@pytest.mark.hostile
def test_two_bare_keys_never_sign_one_list(world: World, asking: Asking) -> None:
    agency = "https://agency.example"
    pid = world.sd_jwt_vc(status=STATUS, x5c=(), issuer=agency)
    trust = {
        "pid": MetadataTrust({agency: JwkSet(keys=(dict(world.issuer.public.jwk),))}),
        "card": by_metadata(world)[0],
    }
    response = verify(
        world, {**both(world, ()), "pid": [world.show(pid)]}, asking(PID_QUERY, CARD_QUERY), trust=trust,
        statuses={LIST_URI: world.status_list(x5c=())}, policy=StatusPolicy(frozenset({"pid", "card"})),
    )  # fmt: skip

    assert {each.status for shown in response.credentials.values() for each in shown} == {StatusVerdict.UNAVAILABLE}
