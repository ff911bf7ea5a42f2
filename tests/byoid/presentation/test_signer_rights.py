"""Which signers count for which credentials: format and type decide, and no way to write trust loosens that."""

from typing import Any

import pytest

from byoid.errors import ResponseRejected, UntrustedIssuer
from byoid.presentation.verify import VerifiedResponse, X509Trust
from byoid.relying_party import Policy
from byoid.trust.anchors import Purpose, TrustAnchors
from tests.byoid.presentation.world import CLAIMS, MDL_QUERY, NAMESPACE, PID_QUERY, VCT, Asking, World, verify

MDOC_PID = "eu.europa.ec.eudi.pid.1"
CARD = "urn:example:card:1"
ATTESTATIONS = (Purpose.ATTESTATION, Purpose.MDOC)


def sd_jwt_query(*types: str) -> dict[str, Any]:
    return {**PID_QUERY, "meta": {"vct_values": list(types)}}


def mdoc_query(doctype: str) -> dict[str, Any]:
    return {**MDL_QUERY, "meta": {"doctype_value": doctype}}


def answer(world: World, asking: Asking, query: dict[str, Any], trust: X509Trust, **changes: Any) -> VerifiedResponse:
    """Answer a query with a credential of ours, and verify it with this trust."""
    request = asking(query)
    if query["format"] == "mso_mdoc":
        shown = world.show_mdoc(world.mdoc(**changes), request, [(NAMESPACE, "given_name")])
    else:
        claims = CLAIMS | ({"aka_vcts": changes.pop("aka")} if "aka" in changes else {})
        shown = world.show(world.sd_jwt_vc(claims, **changes))
    return verify(world, {query["id"]: [shown]}, request, trust={query["id"]: trust})


@pytest.mark.parametrize("purpose", [None, tuple(Purpose)])
@pytest.mark.parametrize("query", [PID_QUERY, MDL_QUERY])
def test_of_all_purposes_those_count_that_signers_of_the_format_have(
    world: World, asking: Asking, query: dict[str, Any], purpose: Any
) -> None:
    assert answer(world, asking, query, X509Trust(world.anchors, purpose)).credentials


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("query", "purpose"),
    [
        pytest.param(MDL_QUERY, Purpose.PID, id="mdoc of a PID provider"),
        pytest.param(MDL_QUERY, (Purpose.PID, Purpose.ATTESTATION), id="mdoc of signers of other formats"),
        pytest.param(PID_QUERY, Purpose.MDOC, id="SD-JWT VC of a document signer"),
        pytest.param(PID_QUERY, Purpose.STATUS, id="SD-JWT VC of a status signer"),
        pytest.param(PID_QUERY, (), id="no purpose at all"),
    ],
)
def test_a_purpose_that_no_signer_of_the_format_has_is_our_own_fault(
    world: World, asking: Asking, query: dict[str, Any], purpose: Any
) -> None:
    trust = X509Trust(world.anchors, purpose)

    with pytest.raises(ValueError, match="and as nothing else"):
        answer(world, asking, query, trust)
    with pytest.raises(ValueError, match="and as nothing else"):
        Policy.of({"credentials": [query]}, trust)
    with pytest.raises(ValueError, match="and as nothing else"):
        Policy.of({"credentials": [query]}, {query["id"]: trust})


SIGNERS: list[tuple[str, dict[str, Any], str]] = [
    ("mdoc of a signer of PIDs", MDL_QUERY, "pid_chain"),
    ("mdoc of a status signer", MDL_QUERY, "status_chain"),
    ("PID of a status signer", PID_QUERY, "status_chain"),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("query", "chain"), [pytest.param(*case[1:], id=case[0]) for case in SIGNERS])
def test_a_signer_of_something_else_under_the_same_anchor_is_refused(
    world: World, asking: Asking, query: dict[str, Any], chain: str
) -> None:
    """The key is the same as the honest signer's here: the certificate alone makes the difference."""
    header = "x5chain" if query is MDL_QUERY else "x5c"
    for purpose in (None, tuple(Purpose), (Purpose.PID, Purpose.MDOC)):
        with pytest.raises(ResponseRejected) as rejected:
            answer(world, asking, query, X509Trust(world.anchors, purpose), **{header: getattr(world, chain)})
        assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


FORGED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("PID", sd_jwt_query(VCT), {}),
    ("PID asked for beside another type", sd_jwt_query(CARD, VCT), {}),
    ("card that calls itself a PID too", sd_jwt_query(VCT), {"vct": CARD, "aka": [VCT]}),
    ("card that calls itself a PID too, asked for as a card", sd_jwt_query(CARD), {"vct": CARD, "aka": [VCT]}),
    ("PID that calls itself a card too", sd_jwt_query(CARD), {"aka": [CARD]}),
    ("national PID", sd_jwt_query("urn:eudi:pid:de:1"), {"vct": "urn:eudi:pid:de:1"}),
    ("PID as mdoc", mdoc_query(MDOC_PID), {"doctype": MDOC_PID}),
]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "purpose",
    [
        pytest.param(None, id="by type"),
        pytest.param((Purpose.PID, *ATTESTATIONS), id="any signer"),
        pytest.param(ATTESTATIONS, id="signers of attestations"),
    ],
)
@pytest.mark.parametrize(("query", "changes"), [pytest.param(*case[1:], id=case[0]) for case in FORGED])
def test_who_signs_attestations_signs_no_pid(
    world: World, asking: Asking, query: dict[str, Any], changes: dict[str, Any], purpose: Any
) -> None:
    def verified(anchors: TrustAnchors) -> VerifiedResponse:
        return answer(world, asking, query, X509Trust(anchors, purpose), **changes)

    with pytest.raises(ResponseRejected) as rejected:
        verified(world.root.anchor(*ATTESTATIONS))
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)
    assert verified(world.root.anchor(Purpose.PID, *ATTESTATIONS)).credentials


@pytest.mark.hostile
def test_who_signs_pids_alone_signs_nothing_else(world: World, asking: Asking) -> None:
    trust = X509Trust(world.root.anchor(Purpose.PID))

    assert answer(world, asking, PID_QUERY, trust).credentials
    with pytest.raises(ResponseRejected) as rejected:
        answer(world, asking, sd_jwt_query(CARD), trust, vct=CARD)
    assert isinstance(rejected.value.discarded[0].error, UntrustedIssuer)


def test_what_is_no_pid_needs_no_pid_provider(world: World, asking: Asking) -> None:
    trust = X509Trust(world.root.anchor(*ATTESTATIONS))

    assert answer(world, asking, sd_jwt_query(CARD), trust, vct=CARD).credentials
    assert answer(world, asking, MDL_QUERY, trust).credentials


def test_one_list_may_trust_for_pids_what_another_trusts_for_mdocs(world: World, asking: Asking) -> None:
    anchors = world.root.anchor(Purpose.MDOC, source="mdocs").union(world.root.anchor(Purpose.PID, source="PIDs"))

    assert answer(world, asking, mdoc_query(MDOC_PID), X509Trust(anchors), doctype=MDOC_PID).credentials
