"""Claims path pointers: OpenID4VP 1.0 section 7, with its example."""

import pytest

from byoid.claims import ClaimPath, locate, matches, parse_claim_path, select
from byoid.errors import ClaimMismatch, MalformedInput

CREDENTIAL = {
    "name": "Arthur Dent",
    "address": {"street_address": "42 Market Street", "locality": "Milliways", "postal_code": "12345"},
    "degrees": [
        {"type": "Bachelor of Science", "university": "University of Betelgeuse"},
        {"type": "Master of Science", "university": "University of Betelgeuse"},
        {"university": "University of Life"},
    ],
    "nationalities": ["British", "Betelgeusian"],
    "grid": [[1, 2], [3]],
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("name",), ["Arthur Dent"]),
        (("address",), [CREDENTIAL["address"]]),
        (("address", "street_address"), ["42 Market Street"]),
        (("degrees", None, "type"), ["Bachelor of Science", "Master of Science"]),
        (("nationalities", 1), ["Betelgeusian"]),
        (("nationalities", None), ["British", "Betelgeusian"]),
        (("grid", None, 1), [2]),
        (("grid", None, None), [1, 2, 3]),
        (("nothing",), [None]),
    ],
)
def test_a_path_selects_the_claims_that_the_spec_names(path: ClaimPath, expected: list[object]) -> None:
    assert select(CREDENTIAL, path) == expected


def test_concrete_paths_have_no_nulls() -> None:
    assert locate(CREDENTIAL, ("degrees", None, "type")) == [
        (("degrees", 0, "type"), "Bachelor of Science"),
        (("degrees", 1, "type"), "Master of Science"),
    ]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("name", "first"), id="a key below a string"),
        pytest.param(("nationalities", "0"), id="a key below an array"),
        pytest.param(("address", 0), id="an index below an object"),
        pytest.param(("address", None), id="null below an object"),
        pytest.param(("degrees", None, 0), id="an index below objects of an array"),
        pytest.param(("surname",), id="no such key"),
        pytest.param(("nationalities", 2), id="no such index"),
        pytest.param(("degrees", None, "grade"), id="no element has the key"),
        pytest.param(("nothing", "below"), id="a key below null"),
        pytest.param((), id="an empty path"),
    ],
)
def test_a_path_that_does_not_fit_is_an_error(path: ClaimPath) -> None:
    with pytest.raises(ClaimMismatch):
        select(CREDENTIAL, path)


@pytest.mark.hostile
@pytest.mark.parametrize("value", [[], "name", b"name", 3, None, {"a": 1}, [True], [-1], [1.0], [["a"]], [b"a"]])
def test_a_path_of_other_components_is_malformed(value: object) -> None:
    with pytest.raises(MalformedInput):
        parse_claim_path(value)


def test_a_parsed_path_is_a_tuple() -> None:
    assert parse_claim_path(["degrees", None, 0]) == ("degrees", None, 0)


@pytest.mark.parametrize(
    ("value", "expected", "same"),
    [
        ("a", "a", True),
        (1, 1, True),
        (True, True, True),
        (True, 1, False),
        (1, True, False),
        (1.0, 1, False),
        ("1", 1, False),
        (None, "", False),
        (["a"], "a", False),
        ("a", "A", False),
    ],
)
def test_values_match_by_type_and_value(value: object, expected: str | int | bool, same: bool) -> None:
    assert matches(value, expected) is same
