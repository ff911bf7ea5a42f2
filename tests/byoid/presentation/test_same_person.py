"""Credentials that belong together, by a rule of the verifier."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from byoid.errors import ClaimMismatch, ResponseRejected
from byoid.formats.sd_jwt_vc import HeldSdJwtVc
from byoid.keys import PrivateKey
from byoid.presentation.authentication import authenticate
from byoid.presentation.same_person import SameClaims, SameHolderKey, require_same_person
from byoid.presentation.verify import (
    PresentationRequest,
    verify_vp_token,
)
from tests.byoid.presentation.world import (
    CLAIMS,
    NOW,
    PID_QUERY,
    Asking,
    World,
    verify,
)


def _two(world: World, asking: Asking, *, other_holder: bool, name: str = "Erika") -> tuple[Any, PresentationRequest]:
    holder = PrivateKey.generate() if other_holder else world.holder
    second = world.sd_jwt_vc({**CLAIMS, "given_name": name}, holder_key=holder.public.jwk)
    token = {"pid": [world.show(world.sd_jwt_vc())], "second": [world.show(second, key=holder)]}
    return token, asking(PID_QUERY, {**PID_QUERY, "id": "second"})


def test_one_holder_key_proves_one_person(world: World, asking: Asking) -> None:
    rule = SameHolderKey(frozenset({"pid", "second"}))
    token, request = _two(world, asking, other_holder=False)
    assert verify(world, token, request, same_person=[rule]).credentials

    token, request = _two(world, asking, other_holder=True)
    with pytest.raises(ResponseRejected, match="same key"):
        verify(world, token, request, same_person=[rule])


def test_equal_claims_prove_one_person_if_the_verifier_says_so(world: World, asking: Asking) -> None:
    rule = SameClaims(({"pid": ("given_name",), "second": ("given_name",)},))
    token, request = _two(world, asking, other_holder=True)
    assert verify(world, token, request, same_person=[rule]).credentials

    token, request = _two(world, asking, other_holder=True, name="Max")
    with pytest.raises(ResponseRejected, match="must be the same"):
        verify(world, token, request, same_person=[rule])


COMPARED: list[tuple[str, Any, Any, bool]] = [
    ("a date and its text", date(1990, 1, 2), "1990-01-02", True),
    ("dates that differ", date(1990, 1, 2), date(1990, 1, 3), False),
    ("a number and its text", 1, "1", False),
    ("a number and a boolean", 1, True, False),
    ("numbers that are the same", 1, 1, True),
]


@pytest.mark.parametrize(("mine", "other", "same"), [pytest.param(*case[1:], id=case[0]) for case in COMPARED])
def test_claims_are_the_same_in_type_and_value_and_dates_are_text(
    world: World, asking: Asking, mine: Any, other: Any, same: bool
) -> None:
    token = {"pid": (world.show(world.sd_jwt_vc()),)}
    (shown,) = authenticate(token, request=asking(), trust=world.trust, now=NOW).presentations
    presentations = [replace(shown, query_id=name, claims={"x": value}) for name, value in (("a", mine), ("b", other))]
    rule = SameClaims(({"a": ("x",), "b": ("x",)},))

    with nullcontext() if same else pytest.raises(ClaimMismatch):
        require_same_person(presentations, rule)


def test_a_holder_who_proved_no_key_is_not_the_same_person(world: World, asking: Asking) -> None:
    query = {**PID_QUERY, "require_cryptographic_holder_binding": False}
    shown = HeldSdJwtVc.from_text(world.sd_jwt_vc()).present([("given_name",), ("family_name",)])
    with pytest.raises(ResponseRejected, match="same key"):
        verify(world, {"pid": [shown]}, asking(query), same_person=[SameHolderKey(frozenset({"pid"}))])


@pytest.mark.hostile
def test_two_people_never_answer_together_because_nothing_was_said(world: World, asking: Asking) -> None:
    token, request = _two(world, asking, other_holder=True)
    with pytest.raises(ValueError, match="expected same_person"):
        verify_vp_token(token, request=request, trust=world.trust, statuses={}, now=NOW)
