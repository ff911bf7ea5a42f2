"""The base of every protocol message: a frozen model with the wire's member names, unknown members ignored.

Members are checked strictly (`"1"` is no number, `1` is no boolean). JSON arrays are declared `Array[T]`, a tuple.
Semantic rules are validators of the message that has them; their `ValueError` becomes a `MalformedInput` that names the
member and the rule, never the value.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from byoid.encoding import json_object
from byoid.errors import MalformedInput

MAX_NAME: Final = 64  # characters of a member's name in an error
_MAX_LOOKED_AT: Final = 20  # mistakes of one message
T = TypeVar("T")
Array: TypeAlias = Annotated[tuple[T, ...], Strict(False)]  # a JSON array is a list to Python; we keep a tuple
NonEmptyArray: TypeAlias = Annotated[tuple[T, ...], Strict(False), Field(min_length=1)]


class Message(BaseModel):
    """A protocol message. Protocol endpoints ignore members that they do not know, as the specs demand."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)

    def to_wire(self) -> dict[str, Any]:
        """Return the message as JSON values, by their wire names; what is None is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


M = TypeVar("M", bound=Message)


def parse_message(cls: type[M], data: bytes | str | Mapping[str, object]) -> M:
    """Parse a message from JSON text, or from members that strict JSON or a form gave.

    Raises:
        MalformedInput: not a JSON object, or a member is missing, has another type or breaks a rule. Members are
            named, values never.
    """
    members = json_object(data) if isinstance(data, bytes | str) else data
    try:
        return cls.model_validate(members)
    except ValidationError as error:
        raise MalformedInput(f"{cls.__name__}: {_complaints(error)}") from None


_WORDS: Final = (
    ("Value error, ", ""),
    ("Extra inputs are not permitted", "there is no such member"),
    ("valid tuple", "valid array"),
)


def _complaints(error: ValidationError) -> str:
    """Name members and rules in JSON's words; an array that is short only since its elements are wrong is not named."""
    found = error.errors(include_url=False, include_input=False, include_context=False)[:_MAX_LOOKED_AT]
    inner = [each for each in found if not any(_holds(each["loc"], other["loc"]) for other in found)]
    return "; ".join(f"{'.'.join(map(_name, each['loc'])) or 'message'}: {_rule(each['msg'])}" for each in inner[:3])


def _holds(place: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
    return len(place) < len(other) and other[: len(place)] == place


def _rule(message: str) -> str:
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    return message


def _name(part: str | int) -> str:
    """Return a part of a place; a name that its sender chose freely may not flood a log, nor break its lines."""
    name = str(part)
    return name if len(name) <= MAX_NAME and name.isprintable() else "?"
