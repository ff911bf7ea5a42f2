"""Selecting credentials and claims as a wallet: OpenID4VP 1.0 section 6.4."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from byoid.encoding import b64u_encode
from byoid.errors import ByoidError, ClaimMismatch, HolderBindingError, UntrustedIssuer, WrongType
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from byoid.presentation.selection import answer, match, require_sets
from tests.byoid.presentation.world import CLAIMS, DOCTYPE, MDL_QUERY, NAMESPACE, PID_QUERY, VCT, query_of


@dataclass(frozen=True)
class Held:
    """A credential in a wallet."""

    claims: Mapping[str, Any] = field(default_factory=lambda: CLAIMS)
    types: Collection[str] = (VCT,)
    format: str = "dc+sd-jwt"
    holder_bound: bool = True
    key_identifiers: Collection[bytes] = (b"key",)
    trusted_lists: Collection[str] = ("https://lists.example",)


MDL = Held({NAMESPACE: {"given_name": "Erika", "portrait": b"\x01", "born": date(1990, 1, 2)}}, (DOCTYPE,), "mso_mdoc")


def test_every_credential_that_answers_is_an_option() -> None:
    first, second, stranger = Held(), Held(), Held(types=("urn:other",))

    found = match(query_of(PID_QUERY), [first, stranger, second])

    assert [each.candidate for each in found.answers["pid"]] == [first, second]
    assert found.answers["pid"][0].paths == (("given_name",), ("family_name",))
    assert found.satisfiable


def test_without_claims_nothing_disclosable_is_shown() -> None:
    query = {name: value for name, value in PID_QUERY.items() if name != "claims"}
    assert match(query_of(query), [Held()]).answers["pid"][0].claim_sets == ((),)


def test_a_type_that_the_credential_extends_will_do() -> None:
    assert match(query_of(PID_QUERY), [Held(types=("urn:national", VCT))]).satisfiable


def test_empty_meta_accepts_any_type() -> None:
    assert match(query_of({**PID_QUERY, "meta": {}}), [Held(types=("urn:any",))]).satisfiable


def test_claim_sets_come_in_the_verifiers_order_and_only_those_that_can_be_satisfied() -> None:
    query = parse_message(DcqlQuery, Path("tests/vectors/openid4vp/query_lang/claims_alternatives.json").read_bytes())
    types = query.credentials[0].types or frozenset()
    full = dict.fromkeys(("family_name", "postal_code", "locality", "region", "date_of_birth"), "x")
    part = {name: "x" for name in ("family_name", "postal_code", "date_of_birth")}

    (both, second) = match(query, [Held(full, types), Held(part, types)]).answers["pid"]

    assert [len(paths) for paths in both.claim_sets] == [4, 3]
    assert second.claim_sets == ((("family_name",), ("postal_code",), ("date_of_birth",)),)


def test_of_an_array_only_the_elements_with_the_value_are_shown() -> None:
    claims = [{"path": ["nationalities", None], "values": ["FR"]}]
    assert match(query_of({**PID_QUERY, "claims": claims}), [Held()]).answers["pid"][0].paths == (("nationalities", 1),)


@pytest.mark.parametrize(
    ("element", "value"), [("given_name", "Erika"), ("portrait", b64u_encode(b"\x01")), ("born", "1990-01-02")]
)
def test_values_of_an_mdoc_are_compared_as_json(element: str, value: str) -> None:
    query = {**MDL_QUERY, "claims": [{"path": [NAMESPACE, element], "values": [value]}]}
    assert match(query_of(query), [MDL]).satisfiable


def test_a_time_of_an_mdoc_is_compared_as_text() -> None:
    mdl = Held({NAMESPACE: {"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}}, (DOCTYPE,), "mso_mdoc")
    query = {**MDL_QUERY, "claims": [{"path": [NAMESPACE, "at"], "values": ["2026-01-02T03:04:05Z"]}]}
    assert match(query_of(query), [mdl]).satisfiable


def test_sets_tell_which_options_can_be_satisfied() -> None:
    query = parse_message(
        DcqlQuery, Path("tests/vectors/openid4vp/query_lang/credentials_alternatives.json").read_bytes()
    )
    reduced = [
        Held({"family_name": "x", "given_name": "x"}, ["https://credentials.example.com/reduced_identity_credential"]),
        Held(
            {"postal_code": "x", "locality": "x", "region": "x"},
            ["https://cred.example/residence_credential"],
        ),
    ]

    found = match(query, reduced)

    assert [(each.required, each.options) for each in found.sets] == [
        (True, (("pid_reduced_cred_1", "pid_reduced_cred_2"),)),
        (False, ()),
    ]
    assert found.satisfiable
    assert not match(query, reduced[:1]).satisfiable


def test_both_formats_in_one_query() -> None:
    query = parse_message(DcqlQuery, Path("tests/vectors/openid4vp/query_lang/complex_mdoc.json").read_bytes())
    elements = {"given_name": "x", "family_name": "x", "portrait": b"x", "resident_address": "x"}
    found = match(query, [Held({NAMESPACE: elements}, (DOCTYPE,), "mso_mdoc")])
    assert [choice.options for choice in found.sets] == [(("mdl-id",),), ()]


REFUSALS: list[tuple[str, Held, dict[str, Any], type[ByoidError]]] = [
    ("another format", Held(format="mso_mdoc"), {}, WrongType),
    ("another type", Held(types=("urn:x",)), {}, WrongType),
    ("no holder binding", Held(holder_bound=False), {}, HolderBindingError),
    (
        "another key identifier",
        Held(),
        {"trusted_authorities": [{"type": "aki", "values": ["a2V5Mg"]}]},
        UntrustedIssuer,
    ),
    ("padded key identifier", Held(), {"trusted_authorities": [{"type": "aki", "values": ["a2V5="]}]}, UntrustedIssuer),
    ("no such claim", Held({"given_name": "x"}), {}, ClaimMismatch),
    (
        "a claim of another kind",
        Held({"given_name": "x", "family_name": "y"}),
        {"claims": [{"path": ["given_name", 0]}]},
        ClaimMismatch,
    ),
    ("a boolean for a number", Held({"n": True}), {"claims": [{"path": ["n"], "values": [1]}]}, ClaimMismatch),
    ("an index too far", Held(), {"claims": [{"path": ["nationalities", 2]}]}, ClaimMismatch),
]


@pytest.mark.hostile
@pytest.mark.parametrize(("held", "changes", "error"), [pytest.param(*case[1:], id=case[0]) for case in REFUSALS])
def test_a_credential_that_does_not_answer_says_why(
    held: Held, changes: dict[str, Any], error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        answer(query_of({**PID_QUERY, **changes}).credentials[0], held)
    assert match(query_of({**PID_QUERY, **changes}), [held]).answers["pid"] == ()


@pytest.mark.parametrize(
    ("held", "changes", "complaint"),
    [
        (Held(types=("urn:x",)), {}, "expected a credential of type urn:eudi:pid:1, got urn:x"),
        (Held(), {"claims": [{"path": ["nowhere", None, 1]}]}, r"nowhere\.\*\.1: "),
    ],
    ids=["type", "claim"],
)
def test_what_was_expected_is_named(held: Held, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ByoidError, match=complaint):
        answer(query_of({**PID_QUERY, **changes}).credentials[0], held)


@pytest.mark.parametrize(
    "authority",
    [{"type": "aki", "values": ["x", b64u_encode(b"key")]}, {"type": "etsi_tl", "values": ["https://lists.example"]}],
)
def test_one_trusted_authority_is_enough(authority: dict[str, Any]) -> None:
    authorities = [{"type": "openid_federation", "values": ["https://x"]}, authority]
    assert answer(query_of({**PID_QUERY, "trusted_authorities": authorities}).credentials[0], Held())


def test_required_sets_must_be_answered_in_full() -> None:
    query = query_of(PID_QUERY, MDL_QUERY, credential_sets=[{"options": [["pid", "mdl"], ["mdl"]]}])
    require_sets(query, {"mdl"})
    with pytest.raises(ClaimMismatch):
        require_sets(query, {"pid"})
