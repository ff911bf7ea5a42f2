"""A policy says what it must before any wallet comes."""

from collections.abc import Sequence
from typing import Any

import pytest

from byoid.errors import MalformedInput
from byoid.presentation.issuer_trust import UnsafeTrustAnyIssuer, X509Trust
from byoid.presentation.same_person import SameClaims, SameHolderKey
from byoid.relying_party import Client, Policy, RelyingParty
from byoid.trust.anchors import Purpose, TrustAnchors

PID = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}}
HOME = {"id": "home", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:example:residence:1"]}}
TOGETHER = {"credentials": [PID, HOME]}
ANYBODY = UnsafeTrustAnyIssuer()
OPTIONS: list[dict[str, Any]] = [{"options": [["pid"], ["home"]]}]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "sets",
    [
        None,
        [{"options": [["pid", "home"], ["pid"]]}],
        [{"options": [["pid"]]}, {"options": [["home"]], "required": False}],
    ],
    ids=["all", "an option of two", "one more if there is one"],
)
def test_two_people_could_answer_where_nothing_is_said(sets: list[dict[str, Any]] | None) -> None:
    query = {**TOGETHER, **({"credential_sets": sets} if sets else {})}
    with pytest.raises(ValueError, match="same_person"):
        Policy.of(query, ANYBODY)


@pytest.mark.parametrize("said", [(), (SameHolderKey(frozenset({"pid", "home"})),)])
def test_what_binds_several_credentials_is_said(said: Sequence[SameHolderKey]) -> None:
    assert Policy.of(TOGETHER, ANYBODY, same_person=said).same_person == said


@pytest.mark.parametrize("query", [{"credentials": [PID]}, {**TOGETHER, "credential_sets": OPTIONS}])
def test_nothing_is_to_be_said_where_only_one_credential_is_shown(query: dict[str, Any]) -> None:
    assert Policy.of(query, ANYBODY).same_person is None


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"clams": [{"path": ["given_name"]}]}, "clams"),
        ({"claims": [{"path": ["address", "country"], "vaules": ["DE"]}]}, "vaules"),
        ({"claims": [{"path": ["given_name"]}, {"path": ["given_name"]}]}, "twice"),
        ({"trusted_authorities": [{"type": "aki", "values": ["x"], "value": ["y"]}]}, "value"),
        ({"format": "vc+sd-jwt"}, "expected the format dc.sd-jwt or mso_mdoc, got vc.sd-jwt"),
    ],
    ids=["misspelt claims", "misspelt values", "claim twice", "misspelt authority", "unknown format"],
)
def test_a_wish_that_would_not_be_granted_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MalformedInput, match=complaint):
        Policy.of({"credentials": [{**PID, **changes}]}, ANYBODY)


def test_what_is_null_is_not_said() -> None:
    assert Policy.of({"credentials": [{**PID, "claims": None}], "credential_sets": None}, ANYBODY).query.sets


@pytest.mark.hostile
@pytest.mark.parametrize(
    "rule",
    [
        SameHolderKey(frozenset({"pdi", "home"})),
        SameClaims(({"pid": ("family_name",), "house": ("family_name",)},)),
        {"holder_key": ["pid", "home"]},
    ],
    ids=["misspelt holder key", "misspelt claims", "not a rule"],
)
def test_a_rule_that_would_bind_nothing_is_refused(rule: Any) -> None:
    with pytest.raises(ValueError, match="same_person"):
        Policy.of(TOGETHER, ANYBODY, same_person=[rule])


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("trust", "complaint"),
    [
        ({"home": ANYBODY}, "expected trust for pid, got it for home"),
        ({"pid": ANYBODY, "pdi": ANYBODY}, "expected trust for pid, got it for pdi or pid"),
        (X509Trust(TrustAnchors()), "nobody is trusted to sign pid: no anchor is for pid"),
        (X509Trust(TrustAnchors(), Purpose.MDOC), "pid"),
        (X509Trust(TrustAnchors(), "pid"), "no anchor is for pid"),  # type: ignore[arg-type]  # as text it is the same
    ],
    ids=["another query", "one too many", "no anchors", "document signers", "purpose as text"],
)
def test_a_query_whose_answers_nobody_could_sign_is_refused(trust: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Policy.of({"credentials": [PID]}, trust)


@pytest.mark.hostile
@pytest.mark.parametrize("url", ["http://shop.example/byoid", "shop.example/byoid"])
def test_wallets_are_asked_and_answer_over_https(url: str) -> None:
    with pytest.raises(ValueError, match="expected an https base_url"):
        RelyingParty(Client.unsigned(), url, policies={})
    assert RelyingParty(Client.unsigned(), "http://localhost:8000/byoid", policies={})
