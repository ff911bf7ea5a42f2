"""The base of protocol messages: strict members, unknown ones ignored, complaints without values."""

from typing import Any

import pytest
from pydantic import ConfigDict, ValidationError

from byoid.errors import MalformedInput
from byoid.message import MAX_NAME, Array, Message, NonEmptyArray, parse_message


class Note(Message):
    """A message for this test."""

    text: str
    count: int = 0
    tags: Array[str] = ()


def test_unknown_members_are_ignored_and_arrays_become_tuples() -> None:
    assert parse_message(Note, b'{"text": "a", "tags": ["b"], "new": 1}') == Note(text="a", tags=("b",))


def test_a_message_is_written_without_what_is_none() -> None:
    assert Note(text="a").to_wire() == {"text": "a", "count": 0, "tags": []}


def test_a_message_does_not_change() -> None:
    with pytest.raises(ValidationError):
        Note(text="a").text = "b"  # type: ignore[misc]  # that is the point


@pytest.mark.hostile
@pytest.mark.parametrize(
    "members",
    [
        pytest.param({}, id="missing"),
        pytest.param({"text": 1}, id="number for text"),
        pytest.param({"text": "a", "count": "1"}, id="text for number"),
        pytest.param({"text": "a", "count": True}, id="boolean for number"),
        pytest.param({"text": "a", "tags": "b"}, id="text for array"),
        pytest.param({"text": "a", "tags": [1]}, id="number in an array of texts"),
        pytest.param("[]", id="an array"),
        pytest.param('{"text": "a", "text": "b"}', id="a member twice"),
    ],
)
def test_a_message_of_another_shape_is_malformed(members: Any) -> None:
    with pytest.raises(MalformedInput):
        parse_message(Note, members)


def test_a_complaint_names_the_member_and_not_its_value() -> None:
    with pytest.raises(MalformedInput) as error:
        parse_message(Note, {"text": "a", "count": "secret"})
    assert "count" in str(error.value)
    assert "secret" not in str(error.value)


class Scores(Message):
    """A message whose sender chooses names."""

    scores: dict[str, int]


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("name", "shown"),
    [("a" * MAX_NAME, "a" * MAX_NAME), ("a" * (MAX_NAME + 1), "?"), ("a\nb", "?"), ("\x1b[31m", "?"), ("", "")],
)
def test_a_name_that_its_sender_chose_neither_floods_a_log_nor_breaks_its_lines(name: str, shown: str) -> None:
    with pytest.raises(MalformedInput) as error:
        parse_message(Scores, {"scores": {name: "x"}})
    assert str(error.value).startswith(f"Scores: scores.{shown}: ")


def test_a_complaint_speaks_of_json_and_of_the_innermost_mistake() -> None:
    class Strict(Message):
        model_config = ConfigDict(extra="forbid")
        notes: NonEmptyArray[Note]

    with pytest.raises(MalformedInput) as error:
        parse_message(Strict, {"notes": [{"text": "a", "tags": "b"}], "more": 1})
    assert str(error.value) == ("Strict: notes.0.tags: Input should be a valid array; more: there is no such member")
