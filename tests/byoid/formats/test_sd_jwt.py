"""RFC 9901 sections 4 and 7.1: parsing, disclosures, dates. One hostile case per rule, named by what is wrong."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import MAX_JSON_DEPTH
from byoid.errors import (
    BadSignature,
    ByoidError,
    DigestMismatch,
    Expired,
    MalformedInput,
    NotYetValid,
    WrongType,
)
from byoid.formats.sd_jwt import check_validity, digest, numeric_date, parse_sd_jwt, process, verify_sd_jwt
from byoid.keys import PublicKey

OPEN = frozenset({"iss", "exp", "cnf"})
PRESENTATIONS = json.loads((Path(__file__).parents[2] / "vectors/rfc9901/presentations.json").read_text())


@pytest.fixture(scope="module")
def rfc_issuer_key(vectors) -> PublicKey:
    key = json.loads((vectors / "rfc9901/keys.json").read_text())["issuer_key"]
    return PublicKey.from_jwk({name: value for name, value in key.items() if name != "d"})


@pytest.mark.parametrize("section", PRESENTATIONS)
def test_examples_of_the_rfc_verify_and_give_its_processed_payload(section, rfc_issuer_key):
    example = PRESENTATIONS[section]
    types = {"example+sd-jwt", "vc+sd-jwt"}

    sd_jwt = parse_sd_jwt(example["presentation"])
    _, processed = verify_sd_jwt(
        sd_jwt, issuer_key=rfc_issuer_key, algorithms={"ES256"}, typ=types, always_disclosed=OPEN
    )

    assert processed.claims == example["claims"]
    assert len(processed.disclosed) == len(sd_jwt.disclosures)


@pytest.mark.parametrize("kind", ["object_properties", "array_elements"])
def test_digests_of_the_rfc_are_over_the_disclosure_as_written(kind, vectors):
    example = json.loads((vectors / "rfc9901/disclosures.json").read_text())[kind]

    assert digest(example["disclosure"], "sha-256") == example["digest"]


def test_every_encoding_of_a_disclosure_is_hashed_as_received(vectors):
    example = json.loads((vectors / "rfc9901/disclosures.json").read_text())["object_properties"]

    for disclosure in (example["disclosure"], *example["same_content"]):
        processed = process({"_sd": [digest(disclosure, "sha-256")]}, [disclosure])
        assert processed.claims == {"family_name": "Möbius"}
    with pytest.raises(DigestMismatch):
        process({"_sd": [example["digest"]]}, example["same_content"][:1])


# --- parsing


def test_parsing_tells_sd_jwt_and_sd_jwt_kb_apart_by_the_last_tilde(forge):
    sd_jwt = forge.sign(forge.payload(), forge.disclosure("salt", "name", 1))

    assert parse_sd_jwt(sd_jwt).key_binding_jwt is None
    bound = parse_sd_jwt(forge.bind(sd_jwt))
    assert bound.key_binding_jwt is not None
    assert bound.presented == sd_jwt
    assert bound.x5c == ()


def _without_tilde(forge) -> str:
    return forge.sign(forge.payload())[:-1]


def _disclosure_without_tilde(forge) -> str:
    return forge.sign(forge.payload(), forge.disclosure("salt", "name", 1))[:-1]


def _empty_disclosure(forge) -> str:
    return forge.sign(forge.payload()) + "~"


def _empty_jwt(forge) -> str:
    return "~"


def _jwt_of_two_parts(forge) -> str:
    return "e30.e30~"


def _key_binding_of_four_parts(forge) -> str:
    return forge.sign(forge.payload()) + "a.b.c.d"


def _nothing(forge) -> str:
    return ""


def _too_long(forge) -> str:
    return forge.sign(forge.payload()) + "A" * (1 << 20) + "~"


@pytest.mark.hostile
@pytest.mark.parametrize(
    "defect",
    [
        _without_tilde,
        _disclosure_without_tilde,
        _empty_disclosure,
        _empty_jwt,
        _jwt_of_two_parts,
        _key_binding_of_four_parts,
        _nothing,
        _too_long,
    ],
    ids=lambda defect: defect.__name__.strip("_"),
)
def test_what_is_no_sd_jwt_is_not_parsed(defect, forge):
    with pytest.raises(MalformedInput):
        parse_sd_jwt(defect(forge))


@pytest.mark.parametrize("size", [1, 4 << 20], ids=["small", "larger than any other JWS"])
def test_the_callers_limit_is_the_longest_sd_jwt(size, forge):
    text = forge.sign({"claim": "x" * size})

    assert parse_sd_jwt(text, max_characters=len(text)).presented == text
    with pytest.raises(MalformedInput):
        parse_sd_jwt(text, max_characters=len(text) - 1)


# --- processing: section 7.1 steps 2.5 to 5


def test_flat_nested_recursive_and_array_disclosures_are_put_in_their_places(forge):
    lat = forge.disclosure("s1", "lat", 50)
    address = forge.disclosure("s2", "address", {"country": "DE", "_sd": [forge.digest(lat)]})
    french = forge.disclosure("s3", "FR")
    inner = forge.disclosure("s4", {"title": "MSc", "notes": [{"...": forge.digest(french)}]})
    payload = {"_sd": [forge.digest(address)], "list": [1, {"...": forge.digest(inner)}, {"...": "decoy"}, [2, {}]]}

    processed = process(payload, [french, inner, lat, address])

    assert processed.claims == {
        "list": [1, {"title": "MSc", "notes": ["FR"]}, [2, {}]],
        "address": {"country": "DE", "lat": 50},
    }
    assert processed.disclosed == {
        ("list", 1): 1,
        ("list", 1, "notes", 0): 0,
        ("address",): 3,
        ("address", "lat"): 2,
    }
    assert processed.withheld == {("list", 2)}


def test_what_is_not_disclosed_leaves_no_trace(forge):
    payload = {"open": 1, "_sd": ["x" * 43], "_sd_alg": "sha-256", "list": [{"...": "y" * 43}], "empty": {"_sd": []}}

    assert process(payload, []).claims == {"open": 1, "list": [], "empty": {}}


@pytest.mark.parametrize("name", ["sha-256", "sha-384", "sha-512"])
def test_hash_algorithms_of_the_sha_2_family_are_understood(name, forge):
    disclosure = forge.disclosure("salt", "name", 1)
    payload = {"_sd_alg": name, "_sd": [forge.digest(disclosure, name.replace("-", ""))]}

    processed = process(payload, [disclosure])

    assert processed.claims == {"name": 1}
    assert processed.hash_name == name


def test_the_payload_that_was_verified_is_left_as_it_was(forge):
    disclosure = forge.disclosure("salt", "name", [1])
    payload = {"_sd_alg": "sha-256", "_sd": [forge.digest(disclosure)], "deep": {"_sd": []}}
    before = json.dumps(payload)

    process(payload, [disclosure])

    assert json.dumps(payload) == before


Hidden = tuple[dict[str, Any], list[str]]


def _member(forge, *content: Any) -> Hidden:
    """A payload that hides one disclosure, whatever its content."""
    disclosure = forge.disclosure(*content)
    return {"taken": 1, "_sd": [forge.digest(disclosure)]}, [disclosure]


def _element(forge, *content: Any) -> Hidden:
    disclosure = forge.disclosure(*content)
    return {"list": [{"...": forge.digest(disclosure)}]}, [disclosure]


def _raw(forge, text: str | bytes) -> Hidden:
    disclosure = forge.raw_disclosure(text)
    return {"_sd": [forge.digest(disclosure)]}, [disclosure]


def _text(forge, disclosure: str) -> Hidden:
    return {"_sd": [forge.digest(disclosure)]}, [disclosure]


def _unused(forge) -> Hidden:
    payload, disclosures = _member(forge, "salt", "name", 1)
    return payload, [*disclosures, forge.disclosure("salt", "admin", True)]


def _orphan(forge) -> Hidden:
    child = forge.disclosure("s", "child", 1)
    parent = forge.disclosure("s", "parent", {"_sd": [forge.digest(child)]})
    return {"_sd": [forge.digest(parent)]}, [child]


def _sent_twice(forge) -> Hidden:
    payload, disclosures = _member(forge, "salt", "name", 1)
    return payload, disclosures * 2


def _reencoded(forge) -> Hidden:
    payload, _ = _member(forge, "salt", "name", 1)
    return payload, [forge.raw_disclosure('["salt","name",1]')]


def _padded(forge) -> Hidden:
    payload, (disclosure,) = _member(forge, "salt", "name", 12)
    return payload, [disclosure + "="]


def _swapped_value(forge) -> Hidden:
    payload, _ = _member(forge, "salt", "is_over_18", False)
    return payload, [forge.disclosure("salt", "is_over_18", True)]


def _same_digest_twice_in_one_sd(forge) -> Hidden:
    payload, disclosures = _member(forge, "salt", "name", 1)
    return payload | {"_sd": payload["_sd"] * 2}, disclosures


def _same_decoy_twice(forge) -> Hidden:
    return {"_sd": ["decoy"], "deep": {"_sd": ["decoy"]}}, []


def _same_digest_in_sd_and_array(forge) -> Hidden:
    payload, disclosures = _member(forge, "salt", "name", 1)
    return payload | {"list": [{"...": payload["_sd"][0]}]}, disclosures


def _same_digest_in_a_disclosure(forge) -> Hidden:
    parent = forge.disclosure("s", "parent", {"_sd": ["decoy"]})
    return {"_sd": ["decoy", forge.digest(parent)]}, [parent]


def _two_claims_of_one_name(forge) -> Hidden:
    both = [forge.disclosure("s1", "name", 1), forge.disclosure("s2", "name", 2)]
    return {"_sd": [forge.digest(each) for each in both]}, both


def _deep_recursion(forge) -> Hidden:
    inner = forge.disclosure("s", "a", 1)
    disclosures = [inner]
    for _ in range(40):
        inner = forge.disclosure("s", "a", {"_sd": [forge.digest(inner)]})
        disclosures.append(inner)
    return {"_sd": [forge.digest(inner)]}, disclosures


MALFORMED: dict[str, Callable[[Any], Hidden]] = {
    "claim named _sd": lambda forge: _member(forge, "salt", "_sd", ["x"]),
    "claim named ...": lambda forge: _member(forge, "salt", "...", "x"),
    "claim named _sd_alg": lambda forge: _member(forge, "salt", "_sd_alg", "sha-256"),
    "claim name is there already": lambda forge: _member(forge, "salt", "taken", 2),
    "two disclosures of one claim": _two_claims_of_one_name,
    "claim name is a number": lambda forge: _member(forge, "salt", 7, 1),
    "claim name is null": lambda forge: _member(forge, "salt", None, 1),
    "member with two elements": lambda forge: _member(forge, "salt", "name"),
    "member with four elements": lambda forge: _member(forge, "salt", "name", 1, 2),
    "member with no elements": lambda forge: _member(forge),
    "array element with three elements": lambda forge: _element(forge, "salt", "name", 1),
    "array element with one element": lambda forge: _element(forge, "salt"),
    "salt is a number": lambda forge: _member(forge, 1, "name", 1),
    "salt of an element is null": lambda forge: _element(forge, None, 1),
    "disclosure is an object": lambda forge: _raw(forge, '{"salt":"s","name":"n","value":1}'),
    "disclosure is a string": lambda forge: _raw(forge, '"abc"'),
    "disclosure is not JSON": lambda forge: _raw(forge, "abc"),
    "disclosure is not UTF-8": lambda forge: _raw(forge, b'["salt","name","\xff"]'),
    "disclosure has NaN": lambda forge: _raw(forge, '["salt","name",NaN]'),
    "disclosure has a name twice": lambda forge: _raw(forge, '["salt","name",{"a":1,"a":2}]'),
    "disclosure is two JSON texts": lambda forge: _raw(forge, '["salt","name",1]["salt","other",2]'),
    "disclosure is nested too deep": lambda forge: _raw(forge, '["s","n",' + "[" * 40 + "]" * 40 + "]"),
    "disclosure has a character outside base64url": lambda forge: _text(forge, "WyJz+iwibiIsMV0"),
    "disclosure has padding": lambda forge: _text(forge, "WyJzIiwibiIsMTBd="),
    "disclosure is not ASCII": lambda forge: _text(forge, "WyJzIö"),
    "_sd is a string": lambda forge: ({"_sd": "digest"}, []),
    "_sd is an object": lambda forge: ({"_sd": {"digest": 1}}, []),
    "_sd is null": lambda forge: ({"_sd": None}, []),
    "_sd holds a number": lambda forge: ({"_sd": [1]}, []),
    "_sd holds a list": lambda forge: ({"_sd": [["x"]]}, []),
    "placeholder with another member": lambda forge: ({"list": [{"...": "x", "y": 1}]}, []),
    "placeholder with a number": lambda forge: ({"list": [{"...": 1}]}, []),
    "placeholder outside an array": lambda forge: ({"name": {"...": "x"}}, []),
    "placeholder at the top": lambda forge: ({"...": "x"}, []),
    "_sd_alg within an object": lambda forge: ({"deep": {"_sd_alg": "sha-256"}}, []),
    "_sd_alg within a disclosure": lambda forge: _member(forge, "salt", "name", {"_sd_alg": "sha-256"}),
    "_sd_alg is a number": lambda forge: ({"_sd_alg": 256}, []),
    "_sd_alg is null": lambda forge: ({"_sd_alg": None}, []),
    "same digest twice in one _sd": _same_digest_twice_in_one_sd,
    "same decoy twice": _same_decoy_twice,
    "same digest in _sd and in an array": _same_digest_in_sd_and_array,
    "same digest again in a disclosure": _same_digest_in_a_disclosure,
    "disclosures nested without end": _deep_recursion,
    "exp disclosed": lambda forge: _member(forge, "salt", "exp", 4102444800),
    "cnf disclosed": lambda forge: _member(forge, "salt", "cnf", {}),
    "digests within cnf": lambda forge: ({"cnf": {"jwk": {"_sd": ["x"]}}}, []),
    "placeholder within cnf": lambda forge: ({"cnf": {"keys": [{"...": "x"}]}}, []),
}
UNSIGNED: dict[str, Callable[[Any], Hidden]] = {
    "disclosure that matches no digest": _unused,
    "disclosure without its parent": _orphan,
    "disclosure sent twice": _sent_twice,
    "disclosure encoded anew": _reencoded,
    "disclosure with padding added": _padded,
    "value swapped": _swapped_value,
}


@pytest.mark.hostile
@pytest.mark.parametrize("defect", MALFORMED)
def test_payload_or_disclosures_against_the_rules_are_refused(defect, forge):
    payload, disclosures = MALFORMED[defect](forge)
    with pytest.raises(MalformedInput):
        process(payload, disclosures, always_disclosed=OPEN)


@pytest.mark.hostile
@pytest.mark.parametrize("defect", UNSIGNED)
def test_disclosures_that_the_issuer_did_not_sign_are_refused(defect, forge):
    payload, disclosures = UNSIGNED[defect](forge)
    with pytest.raises(DigestMismatch):
        process(payload, disclosures)


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["md5", "sha-1", "SHA-256", "sha256", "sha3-256", ""])
def test_unknown_hash_algorithms_are_refused(name, forge):
    with pytest.raises(WrongType):
        process({"_sd_alg": name}, [])


@pytest.mark.hostile
def test_a_hash_algorithm_outside_the_callers_list_is_refused():
    with pytest.raises(WrongType):
        process({"_sd_alg": "sha-384"}, [], hash_names=["sha-256"])
    with pytest.raises(WrongType):
        digest("abc", "md5")


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"typ": "other+sd-jwt"}, WrongType),
        ({"algorithms": {"ES384"}}, WrongType),
        ({"hash_names": ["sha-512"]}, WrongType),
        ({"issuer_key": "another"}, BadSignature),
    ],
    ids=["another typ", "algorithm not allowed", "hash algorithm not allowed", "another key"],
)
def test_an_issuer_signed_jwt_that_is_not_as_expected_is_refused(change, error, forge):
    expected = {"issuer_key": forge.issuer.public, "algorithms": {"ES256"}, "typ": "dc+sd-jwt"} | change
    if expected["issuer_key"] == "another":
        expected["issuer_key"] = forge.holder.public
    with pytest.raises(error):
        verify_sd_jwt(parse_sd_jwt(forge.sign(forge.payload())), always_disclosed=OPEN, **expected)


@pytest.mark.hostile
@pytest.mark.parametrize("payload", [b"[]", b"1", b"{", b'{"a":1,"a":2}', b"\xff"], ids=repr)
def test_a_payload_that_is_no_json_object_is_refused(payload, forge):
    sd_jwt = parse_sd_jwt(forge.sign(payload))
    with pytest.raises(MalformedInput):
        verify_sd_jwt(
            sd_jwt, issuer_key=forge.issuer.public, algorithms={"ES256"}, typ="dc+sd-jwt", always_disclosed=OPEN
        )


# --- step 6: dates


def test_dates_are_checked_with_a_leeway(forge):
    minute = timedelta(minutes=1)
    claims = {"iat": forge.seconds + 30, "nbf": forge.seconds + 30, "exp": forge.seconds - 30}

    check_validity(claims, now=forge.now, leeway=minute)
    check_validity({}, now=forge.now, leeway=timedelta(0))
    with pytest.raises(Expired):
        check_validity({"exp": forge.seconds}, now=forge.now, leeway=timedelta(0))
    for name in ("nbf", "iat"):
        check_validity({name: forge.seconds}, now=forge.now, leeway=timedelta(0))
        with pytest.raises(NotYetValid):
            check_validity({name: forge.seconds + 61}, now=forge.now, leeway=minute)


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", [None, True, "1", [], -1, 253_402_300_800, float("inf"), float("nan"), 10**400], ids=repr
)
def test_dates_that_are_none_are_refused(name, value, forge):
    with pytest.raises(MalformedInput):
        check_validity({name: value}, now=forge.now, leeway=timedelta(0))


def test_fractions_of_a_second_are_dates_too():
    moment = numeric_date({"iat": 1.5}, "iat")
    assert moment is not None
    assert moment.timestamp() == 1.5
    assert numeric_date({}, "iat") is None


@pytest.mark.parametrize("value", [0, 253_402_300_799])
def test_dates_reach_from_1970_to_the_end_of_the_year_9999(value):
    moment = numeric_date({"exp": value}, "exp")
    assert moment is not None
    assert moment.timestamp() == value


@pytest.mark.parametrize("leeway", [timedelta(0), timedelta(days=1)])
def test_dates_at_the_ends_of_time_are_dates_whatever_the_leeway(leeway, forge):
    check_validity({"exp": 253_402_300_799, "nbf": 0, "iat": 0}, now=forge.now, leeway=leeway)
    with pytest.raises(NotYetValid):
        check_validity({"nbf": 253_402_300_799}, now=forge.now, leeway=leeway)
    with pytest.raises(Expired):
        check_validity({"exp": 0}, now=forge.now, leeway=leeway)


def test_no_error_shows_a_claim_value(forge):
    secrets = ["Erika", "s3cret-salt"]
    for case in (MALFORMED | UNSIGNED).values():
        payload, disclosures = case(forge)
        with pytest.raises(ByoidError) as caught:
            process(payload | {"who": secrets[0]}, disclosures, always_disclosed=OPEN)
        assert not any(secret in str(caught.value) for secret in secrets)


@pytest.mark.hostile
def test_a_digest_is_remembered_through_the_whole_walk():
    payload = {"first": {"_sd": ["x"]}, "second": {"_sd": ["y"]}, "third": {"_sd": ["x"]}}

    with pytest.raises(MalformedInput):
        process(payload, [])


def test_claims_may_be_nested_as_deep_as_json(forge):
    disclosure = forge.disclosure("salt", "hidden", 1)
    claims: dict[str, Any] = {"open": 1, "_sd": [forge.digest(disclosure)]}
    for _ in range(MAX_JSON_DEPTH):
        claims = {"a": claims}

    assert (("a",) * MAX_JSON_DEPTH + ("hidden",)) in process(claims, [disclosure]).disclosed
    with pytest.raises(MalformedInput):
        process({"a": claims}, [disclosure])
