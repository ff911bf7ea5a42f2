"""Statuses of authentic presentations: OpenID4VP 1.0 section 8.6 step 2.5."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from byoid.errors import (
    BadSignature,
    ByoidError,
    ResponseRejected,
    Revoked,
    StatusUnavailable,
    Suspended,
)
from byoid.formats.jwt_vc_issuer import JwkSet
from byoid.formats.status_list import StatusList
from byoid.keys import PrivateKey
from byoid.presentation.authentication import authenticate
from byoid.presentation.status import StatusPolicy, StatusVerdict, verify_statuses
from byoid.presentation.verify import (
    MetadataTrust,
    X509Trust,
    accept,
)
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import SubjectName, make_leaf, make_root, to_der
from byoid.trust.x509 import ChainCache
from tests.byoid.presentation.world import (
    LIST_URI,
    NOW,
    PID_QUERY,
    STATUS,
    Asking,
    World,
    verify,
)

STATUSES: list[tuple[str, dict[str, Any], type[ByoidError]]] = [
    ("revoked", {"value": 1}, Revoked),
    ("suspended", {"value": 2}, Suspended),
    ("a value without a meaning", {"value": 3}, StatusUnavailable),
    ("list for another URI", {"uri": "https://issuer.example/status/2"}, StatusUnavailable),
    ("list signed by another", {"key": PrivateKey.generate()}, StatusUnavailable),
    ("list without a chain", {"x5c": ()}, StatusUnavailable),
    ("expired list", {"expires_at": NOW - timedelta(hours=1)}, StatusUnavailable),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("changes", "error"), [pytest.param(*case[1:], id=case[0]) for case in STATUSES])
def test_a_credential_without_a_good_status_is_discarded(
    world: World, asking: Asking, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}

    with pytest.raises(ResponseRejected) as rejected:
        verify(world, token, asking(), statuses={LIST_URI: world.status_list(**changes)})

    assert [type(each.error) for each in rejected.value.discarded] == [error]


@pytest.mark.hostile
def test_a_place_outside_the_list_is_never_tolerated(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=replace(STATUS, index=4711)))]}
    with pytest.raises(ResponseRejected):
        verify(
            world,
            token,
            asking(),
            statuses={LIST_URI: world.status_list()},
            policy=StatusPolicy(accept_unavailable=frozenset({"pid"})),
        )


def test_an_unknown_status_is_refused_unless_policy_accepts_it(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}

    with pytest.raises(ResponseRejected):
        verify(world, token, asking())
    tolerant = StatusPolicy(accept_unavailable=frozenset({"pid"}))
    assert verify(world, token, asking(), policy=tolerant).credentials["pid"][0].status is StatusVerdict.UNAVAILABLE
    junk = verify(world, token, asking(), policy=tolerant, statuses={LIST_URI: "junk"})
    assert junk.credentials["pid"][0].status is StatusVerdict.UNAVAILABLE


def test_a_status_can_be_demanded(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc())]}

    assert verify(world, token, asking()).credentials["pid"][0].status is StatusVerdict.NONE
    with pytest.raises(ResponseRejected):
        verify(world, token, asking(), policy=StatusPolicy(require_status=frozenset({"pid"})))


def test_only_authentic_presentations_are_asked_for_status_uris(world: World, asking: Asking) -> None:
    forged = world.show(world.sd_jwt_vc(status=STATUS, key=PrivateKey.generate()))
    arguments: dict[str, Any] = {"request": asking(), "trust": world.trust, "now": NOW}

    assert authenticate({"pid": (forged,)}, **arguments).status_uris == frozenset()
    honest = authenticate({"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}, **arguments)
    assert honest.status_uris == {LIST_URI}


@pytest.mark.parametrize("chain", ["pid_chain", "status_chain"])
def test_the_issuer_itself_or_its_status_signer_signs_the_list(world: World, asking: Asking, chain: str) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}
    statuses = {LIST_URI: world.status_list(x5c=getattr(world, chain))}

    assert verify(world, token, asking(), statuses=statuses).credentials


def test_an_issuers_anchor_need_not_be_trusted_for_statuses(world: World, asking: Asking) -> None:
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}
    trust = {"pid": X509Trust(world.root.anchor(Purpose.PID))}

    assert verify(world, token, asking(), trust=trust, statuses={LIST_URI: world.status_list()}).credentials


@pytest.mark.hostile
@pytest.mark.parametrize("anchors", [None, "all"])
@pytest.mark.parametrize("purpose", [Purpose.PID, Purpose.ATTESTATION, Purpose.ACCESS, Purpose.MDOC])
def test_another_signer_under_the_issuers_anchor_signs_no_statuses(
    world: World, asking: Asking, purpose: Purpose, anchors: str | None
) -> None:
    """Another issuer that the same CA certifies could otherwise bring a revoked credential back to life."""
    key = PrivateKey.generate()
    chain = to_der(make_leaf(world.root, SubjectName("Other issuer"), key=key.public, purpose=purpose, now=NOW))
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}
    trusted = world.anchors if anchors else TrustAnchors()

    with pytest.raises(ResponseRejected) as rejected:
        verify(
            world, token, asking(), statuses={LIST_URI: world.status_list(key=key, x5c=chain)}, status_anchors=trusted
        )
    assert isinstance(rejected.value.discarded[0].error, StatusUnavailable)


def test_statuses_are_fetched_between_two_pure_calls(world: World, asking: Asking) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}
    authenticated = authenticate(token, request=asking(), trust=world.trust, now=NOW)
    lists = verify_statuses({LIST_URI: world.status_list()}, authenticated=authenticated, now=NOW)
    again = verify_statuses(lists, authenticated=authenticated, now=NOW)  # type: ignore[arg-type]  # they are lists

    assert accept(authenticated, request=asking(), statuses=again, now=NOW).credentials
    with pytest.raises(ResponseRejected):  # the copy has expired meanwhile
        accept(authenticated, request=asking(), statuses=again, now=NOW + timedelta(hours=2))


def test_a_list_counts_until_the_second_at_which_it_expires(world: World, asking: Asking) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}
    authenticated = authenticate(token, request=asking(), trust=world.trust, now=NOW)
    lists = verify_statuses({LIST_URI: world.status_list()}, authenticated=authenticated, now=NOW)
    end = NOW + timedelta(hours=1)

    assert accept(authenticated, request=asking(), statuses=lists, now=end - timedelta(seconds=1)).credentials
    with pytest.raises(ResponseRejected):
        accept(authenticated, request=asking(), statuses=lists, now=end)


@pytest.mark.hostile
def test_the_issuer_of_another_credential_signs_no_statuses_of_this_one(world: World, asking: Asking) -> None:
    """Both credentials are in one response, and each has a list of its own."""
    key, other = PrivateKey.generate(), "https://other.example/1"
    chain = to_der(make_leaf(world.root, SubjectName("Other"), key=key.public, purpose=Purpose.PID, now=NOW))
    second = world.sd_jwt_vc(status=replace(STATUS, uri=other), key=key, x5c=chain)
    token = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),), "second": (world.show(second),)}
    request = asking(PID_QUERY, {**PID_QUERY, "id": "second"})
    authenticated = authenticate(token, request=request, trust=world.trust, now=NOW)

    forged, own = (world.status_list(uri=uri, key=key, x5c=chain) for uri in (LIST_URI, other))
    found = verify_statuses({LIST_URI: forged, other: own}, authenticated=authenticated, now=NOW)

    assert isinstance(found[LIST_URI], StatusUnavailable)
    assert isinstance(found[other], StatusList)


@pytest.mark.hostile
def test_a_list_that_is_not_to_be_trusted_says_why(world: World, asking: Asking) -> None:
    found = verified_for(world, asking, world.status_list(key=PrivateKey.generate()))
    assert isinstance(found.__cause__, BadSignature)


def verified_for(world: World, asking: Asking, token: Any, **changes: Any) -> Any:
    """Verify a list, fetched or remembered, for somebody with this trust."""
    trust = changes.pop("trust", world.trust)
    shown = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}
    authenticated = authenticate(shown, request=asking(), trust=trust, now=NOW)
    return verify_statuses({LIST_URI: token}, authenticated=authenticated, now=NOW, **changes)[LIST_URI]


@pytest.mark.hostile
def test_a_remembered_list_counts_only_for_who_trusts_its_signer(world: World, asking: Asking) -> None:
    """One cache serves all tenants: what one of them believes must not become the truth of the others."""
    root, key = make_root(SubjectName("Other"), key=PrivateKey.generate(), now=NOW), PrivateKey.generate()
    chain = to_der(make_leaf(root, SubjectName("Status"), key=key.public, purpose=Purpose.STATUS, now=NOW))
    theirs = verified_for(world, asking, world.status_list(key=key, x5c=chain), anchors=root.anchor(Purpose.STATUS))

    assert isinstance(theirs, StatusList)
    assert isinstance(verified_for(world, asking, theirs), StatusUnavailable)
    assert verified_for(world, asking, theirs, anchors=root.anchor(Purpose.STATUS)) is theirs


@pytest.mark.hostile
@pytest.mark.parametrize("changes", [{"uri": "https://issuer.example/2"}, {"key": PrivateKey.generate().public}])
def test_a_remembered_list_of_another_place_or_key_does_not_count(
    world: World, asking: Asking, changes: dict[str, Any]
) -> None:
    ours = verified_for(world, asking, world.status_list())

    assert verified_for(world, asking, ours) is ours
    assert isinstance(verified_for(world, asking, replace(ours, **changes)), StatusUnavailable)


def test_an_issuer_without_a_chain_signs_its_own_list(world: World, asking: Asking) -> None:
    keys = JwkSet(keys=(world.issuer.public.jwk,))
    credential = world.sd_jwt_vc(x5c=(), issuer="https://issuer.example", status=STATUS)
    trust = {"pid": MetadataTrust({"https://issuer.example": keys})}
    statuses = {LIST_URI: world.status_list(x5c=())}

    response = verify(world, {"pid": [world.show(credential)]}, asking(), trust=trust, statuses=statuses)

    assert response.credentials["pid"][0].status is StatusVerdict.VALID


def test_a_status_signer_under_its_own_anchor_is_trusted_if_the_caller_says_so(world: World, asking: Asking) -> None:
    root = make_root(SubjectName("Status root"), key=PrivateKey.generate(), now=NOW)
    key = PrivateKey.generate()
    chain = to_der(make_leaf(root, SubjectName("Status"), key=key.public, purpose=Purpose.STATUS, now=NOW))
    token = {"pid": [world.show(world.sd_jwt_vc(status=STATUS))]}
    statuses = {LIST_URI: world.status_list(key=key, x5c=chain)}

    with pytest.raises(ResponseRejected):
        verify(world, token, asking(), statuses=statuses)
    assert verify(world, token, asking(), statuses=statuses, status_anchors=root.anchor(Purpose.STATUS)).credentials


def test_a_status_signer_counts_only_as_long_as_its_anchor_is_trusted(world: World, asking: Asking) -> None:
    """What a cache remembers of who may sign statuses ends with the trust that it was remembered under."""
    root, cache = make_root(SubjectName("Status root"), key=PrivateKey.generate(), now=NOW), ChainCache()
    key = PrivateKey.generate()
    chain = to_der(make_leaf(root, SubjectName("Status"), key=key.public, purpose=Purpose.STATUS, now=NOW))
    token = world.status_list(key=key, x5c=chain)

    for anchors, kind in ((root.anchor(Purpose.STATUS), StatusList), (TrustAnchors(), StatusUnavailable)) * 2:
        assert isinstance(verified_for(world, asking, token, anchors=anchors, cache=cache), kind)
