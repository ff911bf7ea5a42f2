"""A status that byoid does not look up is not "no status": revocation must not fail open (OpenID4VP 1.0 8.6)."""

from dataclasses import replace

import pytest

from byoid.errors import StatusUnavailable
from byoid.presentation.authentication import AuthenticPresentation, authenticate
from byoid.presentation.status import StatusPolicy, StatusVerdict, judge_status
from tests.byoid.presentation.world import NOW, Asking, World

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
