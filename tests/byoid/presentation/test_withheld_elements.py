"""Array elements that were kept back leave no gap: what an index of a query finds (OpenID4VP 1.0 7.1, RFC 9901 7.1)."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest

from byoid.claims import ClaimPath
from byoid.errors import ByoidError, ClaimMismatch, ResponseRejected
from byoid.presentation.selection import answer
from tests.byoid.presentation.test_selection import Held
from tests.byoid.presentation.world import PID_QUERY, Asking, World, query_of, verify

COUNTRIES = ["FR", "DE", "IT"]
OPEN = [("given_name",)]
HIDDEN = [*OPEN, ("countries", None)]
# What is asked for, which elements of three are shown, whether any could be withheld at all, and the verdict.
CASES = {
    "the first, shown": ({"path": ["countries", 0], "values": ["FR"]}, [0], True, True),
    "the second alone, shown": ({"path": ["countries", 1], "values": ["DE"]}, [1], True, True),
    "the third alone, shown": ({"path": ["countries", 2], "values": ["IT"]}, [2], True, True),
    "the third and the first": ({"path": ["countries", 2], "values": ["IT"]}, [0, 2], True, True),
    "another for the first": ({"path": ["countries", 0], "values": ["DE"]}, [0, 1], True, False),
    "a later one for an earlier one": ({"path": ["countries", 1], "values": ["IT"]}, [0, 1, 2], True, False),
    "an earlier one for a later one": ({"path": ["countries", 2], "values": ["FR"]}, [0, 1, 2], True, False),
    "further on than all that was withheld": ({"path": ["countries", 3]}, [1, 2], True, False),
    "another in an open array": ({"path": ["countries", 1], "values": ["FR"]}, [0, 1, 2], False, False),
    "beyond an open array": ({"path": ["countries", 3]}, [0, 1, 2], False, False),
}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("claim", "shown", "hidden", "accepted"), [pytest.param(*case, id=name) for name, case in CASES.items()]
)
def test_an_index_finds_its_element_and_no_other(
    world: World, asking: Asking, claim: dict[str, Any], shown: Sequence[int], hidden: bool, accepted: bool
) -> None:
    credential = world.sd_jwt_vc(
        {"given_name": "Erika", "countries": COUNTRIES}, disclosable=HIDDEN if hidden else OPEN
    )
    paths: list[ClaimPath] = [("countries", place) for place in shown]

    with nullcontext() if accepted else pytest.raises(ResponseRejected):
        assert verify(world, {"pid": [world.show(credential, paths)]}, asking({**PID_QUERY, "claims": [claim]}))


WITHHELD = frozenset({("degrees", 0), ("degrees", 2, "courses", 0), ("other", 0), ("other", 1), ("other", 2)})
SHOWN = Held({"degrees": [{"courses": ["a", "b"]}, {"courses": ["c"]}, {"title": "x"}], "other": [1]})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (["degrees", 1, "courses", 0], ("degrees", 1, "courses", 0)),
        (["degrees", 2, "title"], ("degrees", 2, "title")),
        (["degrees", 3, "title"], ("degrees", 2, "title")),
        (["degrees", 1, "courses", 2], ("degrees", 0, "courses", 1)),
        (["degrees", 1, "courses", 1], ("degrees", 1, "courses", 0)),
        (["degrees", None, "courses", 2], ("degrees", 0, "courses", 1)),
        (["degrees", 4, "title"], None),
        (["degrees", 0, "title"], None),
        (["degrees", 1, "courses", 3], None),
        (["other", 3], ("other", 0)),
        (["other", 4], None),
        (["other", 0, "x"], None),
    ],
)
def test_an_index_moves_by_what_is_withheld_in_its_own_array(
    path: list[str | int | None], found: ClaimPath | None
) -> None:
    query = query_of({**PID_QUERY, "claims": [{"path": path}]}).credentials[0]

    with nullcontext() if found else pytest.raises(ClaimMismatch):
        assert found in answer(query, SHOWN, withheld=WITHHELD).paths


def test_a_wallet_withholds_nothing_from_itself() -> None:
    query = query_of({**PID_QUERY, "claims": [{"path": ["other", 3]}]}).credentials[0]

    with pytest.raises(ByoidError):
        answer(query, SHOWN)
