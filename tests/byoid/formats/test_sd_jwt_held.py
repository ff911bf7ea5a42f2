"""RFC 9901 section 7.2: a presentation reveals what was chosen, what that needs, and nothing else."""

import json

import pytest

from byoid.encoding import b64u_decode
from byoid.errors import ClaimMismatch
from byoid.formats.sd_jwt import parse_sd_jwt, process
from byoid.formats.sd_jwt_held import DisclosureIndex
from byoid.formats.sd_jwt_vc import HeldSdJwtVc


@pytest.fixture
def held(forge, person) -> HeldSdJwtVc:
    return HeldSdJwtVc.from_text(forge.issue(person))


def revealed(presentation: str) -> dict:
    sd_jwt = parse_sd_jwt(presentation)
    claims = process(sd_jwt.jws.claims(), sd_jwt.disclosures).claims
    return {name: value for name, value in claims.items() if name not in {"vct", "cnf", "iat", "exp"}}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], {}),
        ([("given_name",)], {"given_name": "Erika"}),
        ([("middle_name",)], {"middle_name": None}),
        ([("address", "country")], {"address": {"country": "DE"}}),
        ([("address", "geo", "lat")], {"address": {"geo": {"lat": 50}}}),
        ([("address",)], {"address": {"locality": "Köln", "country": "DE", "geo": {"lat": 50, "lon": 6}}}),
        ([("address", "country"), ("address", "locality")], {"address": {"locality": "Köln", "country": "DE"}}),
        ([("nationalities", 1)], {"nationalities": ["FR"]}),
        ([("nationalities", None)], {"nationalities": ["DE", "FR", "US"]}),
        ([("nationalities",)], {"nationalities": ["DE", "FR", "US"]}),
        ([("degrees",)], {"degrees": [{"title": "BSc", "year": 2005}, {"title": "MSc", "year": 2007}]}),
        ([("degrees", None, "year")], {"degrees": [{"year": 2005}, {"year": 2007}]}),
        ([("degrees", 1, "year")], {"degrees": [{"year": 2007}]}),
        ([("given_name",), ("given_name",)], {"given_name": "Erika"}),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "claims",  # in ASCII, lest mutmut miss them
)
def test_presentation_reveals_exactly_what_the_paths_select(paths, expected, held):
    assert revealed(held.present(paths)) == expected


def test_nothing_undisclosed_is_in_the_bytes(held, person):
    presentation = held.present([("address", "country")])

    sd_jwt = parse_sd_jwt(presentation)
    texts = [sd_jwt.jws.payload.decode(), *(b64u_decode(each).decode() for each in sd_jwt.disclosures)]
    for secret in ("Erika", "Möbius", "Köln", "1984", "given_name", "locality", "nationalities", "degrees"):
        assert not any(secret in text for text in texts)


def test_claims_that_cannot_be_hidden_need_no_disclosure(forge, person):
    held = HeldSdJwtVc.from_text(forge.issue(person, [("family_name",)]))

    presentation = held.present([("given_name",), ("nationalities", None)])

    assert parse_sd_jwt(presentation).disclosures == ()


def test_presentation_starts_with_the_issuers_bytes_and_ends_with_a_tilde(held):
    jwt = held.text.split("~")[0]

    assert held.present([]) == f"{jwt}~"
    assert held.present([("birthdate",)]).startswith(f"{jwt}~")
    assert held.present([("birthdate",)]).endswith("~")


def test_disclosures_keep_the_issuers_order_whatever_the_order_of_the_paths(held):
    paths = [("given_name",), ("birthdate",), ("nationalities", None)]

    assert held.present(paths) == held.present(list(reversed(paths)))


@pytest.mark.parametrize(
    "path",
    [("email",), ("address", "zip"), ("nationalities", 3), ("given_name", "x"), ("address", None), ("address", 0), ()],
    ids=str,
)
def test_paths_that_select_nothing_are_refused(path, held):
    with pytest.raises(ClaimMismatch):
        held.present([path])


def test_array_decoys_do_not_shift_what_an_index_means(forge):
    items = [forge.disclosure(f"s{number}", {"n": number}) for number in range(2)]
    array = [{"...": "decoy-1"}, {"...": forge.digest(items[0])}, {"...": "decoy-2"}, {"...": forge.digest(items[1])}]
    text = forge.sign(forge.payload(list=array), *items)
    held = HeldSdJwtVc.from_text(text)

    assert held.claims["list"] == [{"n": 0}, {"n": 1}]
    assert parse_sd_jwt(held.present([("list", 1)])).disclosures == (items[1],)
    assert parse_sd_jwt(held.present([("list", 0, "n")])).disclosures == (items[0],)


def test_children_of_open_parents_need_only_their_own_disclosure(forge, person):
    sd_jwt = parse_sd_jwt(forge.issue(person, [("address", "country"), ("address", "geo"), ("address", "geo", "lat")]))
    index = DisclosureIndex.of(sd_jwt, process(sd_jwt.jws.claims(), sd_jwt.disclosures))

    names = [
        json.loads(b64u_decode(each))[1]
        for each in parse_sd_jwt(index.present([("address", "geo", "lat")])).disclosures
    ]

    assert sorted(names) == ["geo", "lat"]
