from typing import Any

import pytest

from byoid.errors import MalformedInput
from byoid.message import Message, parse_message
from byoid.oauth.claims_description import MAX_DESCRIPTIONS, ClaimsDescriptions


class Described(Message):
    claims: ClaimsDescriptions


def parse(*paths: Any) -> Described:
    return parse_message(Described, {"claims": [{"path": path} for path in paths]})


def test_descriptions_keep_their_order_and_their_paths() -> None:
    paths = (("name",), ("address",), ("address", "street"), ("degrees", None), ("degrees", None, "type"))

    described = parse(*map(list, paths))

    assert tuple(each.path for each in described.claims) == paths
    assert not described.claims[0].mandatory


def test_as_many_descriptions_as_the_limit_are_read() -> None:
    assert len(parse(*(["a", 2**31 - 1 - n] for n in range(MAX_DESCRIPTIONS))).claims) == MAX_DESCRIPTIONS


@pytest.mark.hostile
@pytest.mark.parametrize(
    "paths",
    [
        pytest.param((["a"], ["a"]), id="the same claim twice"),
        pytest.param((["a", None], ["a", None]), id="the same set twice"),
        pytest.param((["a", None], ["a", 0]), id="all of an array and one of it"),
        pytest.param((["a", None, "b"], ["a", 1, "b"]), id="all of an array and one of it, deeper"),
        pytest.param((["a", None], ["a", "b"]), id="array and object"),
        pytest.param((["a", 0], ["a", "b"]), id="array by index and object"),
        pytest.param((["x", "a", 0], ["x", "a", "b", "c"]), id="array and object, deeper"),
        pytest.param(([],), id="empty path"),
        pytest.param(("a",), id="path as text"),
        pytest.param((["a", -1],), id="negative index"),
        pytest.param((["a", True],), id="boolean"),
        pytest.param((["a", 1.5],), id="fraction"),
        pytest.param((["a", 2**31],), id="index whose hash can be chosen"),
        pytest.param(tuple(["a", n] for n in range(MAX_DESCRIPTIONS + 1)), id="too many"),
        pytest.param((), id="no description"),
    ],
)
def test_repeated_contradictory_or_broken_descriptions_abort(paths: tuple[Any, ...]) -> None:
    with pytest.raises(MalformedInput):
        parse(*paths)


@pytest.mark.hostile
def test_a_language_has_one_display_object() -> None:
    displays = [{"name": "Name", "locale": "de"}, {"name": "Vorname", "locale": "de"}]

    assert parse_message(Described, {"claims": [{"path": ["a"], "display": [displays[0], {"name": "x"}]}]})
    with pytest.raises(MalformedInput, match="two display objects"):
        parse_message(Described, {"claims": [{"path": ["a"], "display": displays}]})
