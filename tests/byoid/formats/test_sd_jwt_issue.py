"""RFC 9901 sections 4.1, 4.2 and 9.3: what an issuer hides, and how."""

import hashlib
import json
from typing import Any

import pytest

from byoid.encoding import b64u_decode, b64u_encode
from byoid.formats.sd_jwt import process
from byoid.formats.sd_jwt_issue import ALL, Concealment, conceal

OPEN = frozenset({"vct", "cnf"})


def contents(disclosures: list[str]) -> list[list[Any]]:
    return [json.loads(b64u_decode(each)) for each in disclosures]


def test_everything_is_hidden_at_every_level_and_comes_back(person):
    payload, disclosures = conceal({"vct": "urn:x"} | person, disclosable=ALL, always_disclosed=OPEN)

    assert payload.keys() == {"vct", "_sd", "_sd_alg"}
    assert process(payload, disclosures).claims == {"vct": "urn:x"} | person
    assert len(process(payload, disclosures).disclosed) == 9 + 5 + 3 + 2 + 4


def test_paths_hide_members_elements_and_members_of_elements(person):
    paths = [
        ("family_name",),
        ("address", "country"),
        ("nationalities", None),
        ("degrees", 1),
        ("degrees", None, "year"),
    ]

    payload, disclosures = conceal(person, disclosable=paths)

    assert process(payload, []).claims == {
        "given_name": "Erika",
        "birthdate": "1984-01-26",
        "height": 1.72,
        "resident": True,
        "middle_name": None,
        "address": {"locality": "Köln", "geo": {"lat": 50, "lon": 6}},
        "nationalities": [],
        "degrees": [{"title": "BSc"}],
    }
    assert process(payload, disclosures).claims == person


def test_paths_that_lead_nowhere_hide_nothing(person):
    payload, disclosures = conceal(person, disclosable=[("email",), ("given_name", "x"), ("nationalities", 7)])

    assert payload == person
    assert disclosures == []


def test_a_payload_without_disclosures_has_no_digests_even_with_decoys(person):
    payload, disclosures = conceal(person, disclosable=(), decoys=3)

    assert payload == person
    assert disclosures == []


def test_disclosures_are_arrays_of_salt_name_and_value(person):
    payload, disclosures = conceal(person, disclosable=[("family_name",), ("nationalities", 1)])

    member, element = contents(disclosures)
    assert member[1:] == ["family_name", "Möbius"]
    assert element[1:] == ["FR"]
    assert payload["_sd"] == [b64u_encode(hashlib.sha256(disclosures[0].encode()).digest())]
    assert payload["nationalities"][1] == {"...": b64u_encode(hashlib.sha256(disclosures[1].encode()).digest())}
    assert payload["_sd_alg"] == "sha-256"


def test_salts_have_128_bits_and_never_repeat():
    claims = {f"claim_{number}": 1 for number in range(200)}

    _, first = conceal(claims, disclosable=ALL)
    _, second = conceal(claims, disclosable=ALL)

    salts = [content[0] for content in contents(first + second)]
    assert len(set(salts)) == 400
    assert all(len(b64u_decode(salt)) >= 16 for salt in salts)
    assert not {salt[1:] for salt in salts} & {salt[:-1] for salt in salts}


def test_order_of_digests_says_nothing_about_order_of_claims():
    claims = {f"claim_{number}": 1 for number in range(20)}

    payload, _ = conceal(claims, disclosable=ALL, decoys=5)

    assert payload["_sd"] == sorted(payload["_sd"])


def test_decoys_look_like_digests_and_go_where_digests_are(person):
    payload, disclosures = conceal(person, disclosable=[("given_name",), ("address", "country")], decoys=4)

    assert len(payload["_sd"]) == len(payload["address"]["_sd"]) == 5
    assert "_sd" not in payload["address"]["geo"]
    assert {len(digest) for digest in payload["_sd"]} == {43}
    assert process(payload, disclosures).claims == person


def test_what_must_stay_open_stays_open_with_all_that_is_in_it():
    claims = {"cnf": {"jwk": {"kty": "EC"}}, "vct": "urn:x", "name": "Erika"}

    payload, _ = conceal(claims, disclosable=ALL, always_disclosed=OPEN)

    assert payload["cnf"] == claims["cnf"]
    assert payload["vct"] == "urn:x"


def test_claims_of_the_caller_are_left_as_they_were(person):
    before = json.dumps(person)

    conceal(person, disclosable=ALL, decoys=1)

    assert json.dumps(person) == before


def test_copies_say_the_same_and_share_no_salt_and_no_digest(person):
    concealment = Concealment(person, disclosable=ALL, decoys=1)

    copies = [concealment.copy() for _ in range(3)]

    salts = [content[0] for _, disclosures in copies for content in contents(disclosures)]
    assert len(set(salts)) == len(salts) == 3 * 23
    assert len({digest for payload, _ in copies for digest in payload["_sd"]}) == 3 * (9 + 1)
    for payload, disclosures in copies:
        assert process(payload, disclosures).claims == person


def test_changing_a_copy_leaves_the_next_one_as_it_was(person):
    concealment = Concealment(person, disclosable=[("address", "country"), ("nationalities", 0)])
    payload, _ = concealment.copy()
    payload["address"].clear()
    payload["nationalities"].clear()

    assert process(*concealment.copy()).claims == person


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["_sd", "...", "_sd_alg"])
@pytest.mark.parametrize("where", [(), ("deep",), ("cnf",)], ids=["top", "nested", "open"])
def test_claims_named_like_sd_jwts_own_are_refused(name, where):
    claims: dict[str, Any] = {name: 1}
    for step in where:
        claims = {step: [claims]}

    with pytest.raises(ValueError, match="must not be named"):
        conceal(claims, disclosable=(), always_disclosed=OPEN)


@pytest.mark.hostile
@pytest.mark.parametrize("path", [("cnf",), ("cnf", "jwk"), ("vct",)])
def test_paths_into_claims_that_must_stay_open_are_refused(path):
    with pytest.raises(ValueError, match="must not be selectively disclosable"):
        conceal({"name": 1}, disclosable=[path], always_disclosed=OPEN)


@pytest.mark.hostile
def test_values_that_json_does_not_have_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        conceal({"name": float("nan")}, disclosable=ALL)


def test_inputs_of_the_rfc_and_of_sd_jwt_vc_are_issued_and_come_back(vectors):
    for folder in ("rfc9901", "sd-jwt-vc"):
        for name, example in json.loads((vectors / folder / "issuing.json").read_text()).items():
            paths = [tuple(path) for path in example["disclosable"]]

            payload, disclosures = conceal(example["claims"], disclosable=paths)

            assert len(disclosures) == len(paths), name
            processed = process(payload, disclosures)
            assert processed.claims == example["claims"], name
            assert set(processed.disclosed) == set(paths), name
