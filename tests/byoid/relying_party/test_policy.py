"""A policy says what it must before any wallet comes."""

from collections.abc import Sequence
from typing import Any

import pytest

from byoid.presentation.issuer_trust import X509Trust
from byoid.presentation.same_person import SameHolderKey
from byoid.relying_party import Policy
from byoid.trust.anchors import TrustAnchors

PID = {"id": "pid", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}}
HOME = {"id": "home", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:example:residence:1"]}}
TOGETHER = {"credentials": [PID, HOME]}
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
        Policy.of(query, X509Trust(TrustAnchors()))


@pytest.mark.parametrize("said", [(), (SameHolderKey(frozenset({"pid", "home"})),)])
def test_what_binds_several_credentials_is_said(said: Sequence[SameHolderKey]) -> None:
    assert Policy.of(TOGETHER, X509Trust(TrustAnchors()), same_person=said).same_person == said


@pytest.mark.parametrize("query", [{"credentials": [PID]}, {**TOGETHER, "credential_sets": OPTIONS}])
def test_nothing_is_to_be_said_where_only_one_credential_is_shown(query: dict[str, Any]) -> None:
    assert Policy.of(query, X509Trust(TrustAnchors())).same_person is None
