"""A status that byoid does not look up is not "no status": revocation must not fail open (OpenID4VP 1.0 8.6)."""

from dataclasses import replace
from typing import Any

import pytest

from byoid.errors import StatusUnavailable
from byoid.formats.identifier_list import IdentifierReference
from byoid.presentation.authentication import AuthenticPresentation, authenticate
from byoid.presentation.status import StatusPolicy, StatusVerdict, judge_status
from tests.byoid.presentation.world import MDL_QUERY, NOW, PID_QUERY, STATUS, Asking, World

TOLERANT = StatusPolicy(accept_unavailable=frozenset({"pid"}))


@pytest.fixture
def presented(world: World, asking: Asking) -> AuthenticPresentation:
    token = {"pid": (world.show(world.sd_jwt_vc()),)}
    (found,) = authenticate(token, request=asking(), trust=world.trust, now=NOW).presentations
    return found


@pytest.mark.hostile
def test_a_status_of_another_mechanism_is_unavailable_and_not_none(presented: AuthenticPresentation) -> None:
    other = replace(presented, status=None, other_status=True)

    with pytest.raises(StatusUnavailable):
        judge_status(other, statuses={}, now=NOW, policy=StatusPolicy())
    assert judge_status(other, statuses={}, now=NOW, policy=TOLERANT) is StatusVerdict.UNAVAILABLE


def test_a_credential_without_a_status_has_none(presented: AuthenticPresentation) -> None:
    assert not presented.other_status
    assert judge_status(presented, statuses={}, now=NOW, policy=StatusPolicy()) is StatusVerdict.NONE


class OtherMechanism:
    """A reference of a kind that nobody has heard of."""

    @staticmethod
    def to_claim() -> dict[str, Any]:
        return {"other_list": {"id": "x"}}


@pytest.mark.hostile
def test_an_issuer_that_states_a_status_by_other_means_is_heard(world: World, asking: Asking) -> None:
    request = asking(PID_QUERY, MDL_QUERY)
    entry = IdentifierReference("https://issuer.example/identifiers/1", b"\x01")
    token = {
        "pid": (world.show(world.sd_jwt_vc(status=OtherMechanism())),),
        "mdl": (world.show_mdoc(world.mdoc(status=entry), request),),
    }

    found = authenticate(token, request=request, trust=world.trust, now=NOW).presentations

    assert [(each.query_id, each.status, each.other_status) for each in found] == [
        ("pid", None, True),
        ("mdl", None, True),
    ]


def test_an_issuer_that_states_a_status_in_a_list_states_no_other(world: World, asking: Asking) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc(status=STATUS)),)}
    (found,) = authenticate(token, request=asking(), trust=world.trust, now=NOW).presentations

    assert (found.status, found.other_status) == (STATUS, False)
