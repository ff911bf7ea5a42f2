"""Strict base64url and JSON: what is refused, and that exactly one text stands for given bytes."""

import pytest

from byoid.encoding import MAX_JSON_BYTES, b64u_decode, b64u_encode, json_dumps, json_loads, json_object
from byoid.errors import MalformedInput


def test_base64url_has_neither_padding_nor_the_standard_alphabet() -> None:
    assert b64u_encode(b"\xfb\xff\xfe\x00") == "-__-AA"
    assert b64u_decode("-__-AA") == b"\xfb\xff\xfe\x00"
    assert b64u_decode(b"") == b""


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("QQ==", id="padding"),
        pytest.param("QUI=", id="one padding character"),
        pytest.param("A", id="impossible length"),
        pytest.param("QR", id="unused bits set, two characters"),
        pytest.param("QUJ", id="unused bits set, three characters"),
        pytest.param("+/8A", id="standard alphabet"),
        pytest.param("QUJD\n", id="trailing newline"),
        pytest.param("QU\nJD", id="newline inside"),
        pytest.param("QU D", id="space"),
        pytest.param("QUJé", id="not ASCII"),
        pytest.param(b"QUJ\xff", id="byte outside ASCII"),
        pytest.param("QU.D", id="dot"),
        pytest.param("QU\\u0051", id="an escape of JSON"),
        pytest.param('QUJD"', id="impossible length with a quotation mark"),
        pytest.param('QUJD"QUJ"QUJD', id="quotation marks"),
        pytest.param('QU"D', id="a quotation mark"),
        pytest.param("QU\x00D", id="a control character"),
        pytest.param("QU\ud800D", id="half a surrogate pair"),
        pytest.param(bytearray(b"QUJD"), id="a bytearray"),
        pytest.param(7, id="a number"),
        pytest.param(["Q", "U", "J", "D"], id="a list"),
        pytest.param(None, id="nothing"),
    ],
)
def test_base64url_refuses(text: object) -> None:
    with pytest.raises(MalformedInput):
        b64u_decode(text)  # type: ignore[arg-type]  # what comes out of somebody's JSON


@pytest.mark.hostile
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":2}', id="duplicate name"),
        pytest.param(b'{"b":{"a":1,"\\u0061":2}}', id="duplicate name behind an escape"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b"[Infinity]", id="Infinity"),
        pytest.param(b"[-Infinity]", id="minus Infinity"),
        pytest.param(b"[1e999]", id="a number that becomes infinite"),
        pytest.param(b"[-1e999]", id="a number that becomes minus infinite"),
        pytest.param(b"[" + b"9" * 5000 + b"]", id="integer of 5000 digits"),
        pytest.param(b"[" + b"9" * 41 + b"]", id="integer of 41 digits"),
        pytest.param(b'["\\ud800"]', id="half a surrogate pair"),
        pytest.param(b'{"\\uDC00":1}', id="half a surrogate pair in a name"),
        pytest.param('["\ud800"]', id="half a surrogate pair in text"),
        pytest.param(b'["\xff"]', id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf[]", id="byte order mark"),
        pytest.param(b"[" * 33 + b"]" * 33, id="33 levels"),
        pytest.param(b"[" * 200_000, id="200000 levels"),
        pytest.param(b'{"a":' * 100_000, id="100000 objects"),
        pytest.param(b'"' + b"a" * MAX_JSON_BYTES + b'"', id="too big"),
        pytest.param(b"[1] [2]", id="two values"),
        pytest.param(b"[1,]", id="trailing comma"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"[01]", id="leading zero"),
        pytest.param(b'["\x00"]', id="control character"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_json_refuses(text: bytes | str) -> None:
    with pytest.raises(MalformedInput):
        json_loads(text)


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = b'{"a":"' + b'[{\\\\\\"' * 40 + b'"}'

    assert json_loads(text) == {"a": '[{\\"' * 40}


def test_depth_is_counted_to_the_level() -> None:
    assert json_loads(b"[" * 32 + b"]" * 32) is not None
    assert json_loads(b"[[],[],[]]", max_depth=2) == [[], [], []]


def test_escapes_of_whole_characters_are_read() -> None:
    assert json_loads(b'"\\ud83d\\ude00 \\u00e9"') == "\U0001f600 é"


@pytest.mark.hostile
@pytest.mark.parametrize("text", [b"[]", b'"a"', b"1", b"null"])
def test_another_json_value_is_no_object(text: bytes) -> None:
    with pytest.raises(MalformedInput, match="expected a JSON object"):
        json_object(text)


def test_json_is_written_compactly_in_the_order_given() -> None:
    assert json_dumps({"b": 1, "a": ["é", None]}) == '{"b":1,"a":["é",null]}'.encode()


def test_writing_a_number_that_json_lacks_is_our_own_fault() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_dumps({"a": float("nan")})
