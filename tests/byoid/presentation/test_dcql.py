"""DCQL messages: OpenID4VP 1.0 section 6, with the example queries of the spec."""

import json
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import MalformedInput
from byoid.message import parse_message
from byoid.presentation.dcql import DcqlQuery
from tests.byoid.presentation.world import MDL_QUERY, PID_QUERY

VECTORS = sorted(Path("tests/vectors/openid4vp/query_lang").glob("*.json"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_the_queries_of_the_spec_are_read_and_written_back(path: Path) -> None:
    query = parse_message(DcqlQuery, path.read_bytes())

    assert parse_message(DcqlQuery, query.to_wire()) == query
    assert len(query.credentials) == len(json.loads(path.read_bytes())["credentials"])


def test_defaults_are_those_of_the_spec() -> None:
    query = parse_message(DcqlQuery, {"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {}}]}).credentials[0]

    assert (query.multiple, query.require_cryptographic_holder_binding, query.types) == (False, True, None)
    assert query.alternatives == ((),)


def test_unknown_members_are_ignored_everywhere() -> None:
    claim = {"path": ["a"], "x": 1}
    members = {"credentials": [{**PID_QUERY, "claims": [claim], "new": {}}], "also_new": 1}
    assert parse_message(DcqlQuery, members).credentials[0].paths == (("a",),)


def test_an_unknown_format_is_only_unanswerable() -> None:
    members = {"credentials": [{"id": "a", "format": "ldp_vc", "meta": {"type_values": [["x"]]}}]}
    assert parse_message(DcqlQuery, members).credentials[0].types is None


def test_a_claim_that_is_named_twice_counts_once_but_our_own_query_must_not_do_so() -> None:
    members = {"credentials": [{**PID_QUERY, "claims": [{"path": ["a"], "values": [1]}, {"path": ["a"]}]}]}
    query = parse_message(DcqlQuery, members)

    assert [[claim.values for claim in claims] for claims in query.credentials[0].alternatives] == [[(1,)]]
    with pytest.raises(ValueError, match="used twice"):
        query.require_distinct_claims()


def test_without_sets_all_credentials_are_one_required_set() -> None:
    (only,) = parse_message(DcqlQuery, {"credentials": [PID_QUERY, MDL_QUERY]}).sets
    assert (only.required, only.options) == (True, (("pid", "mdl"),))


CREDENTIAL_DEFECTS: list[tuple[str, dict[str, Any]]] = [
    ("id with a space", {"id": "p d"}),
    ("id with a line end", {"id": "pid\n"}),
    ("empty id", {"id": ""}),
    ("id is a number", {"id": 1}),
    ("no format", {"format": None}),
    ("no meta", {"meta": None}),
    ("meta is an array", {"meta": []}),
    ("meta without vct_values", {"meta": {"other": 1}}),
    ("vct_values empty", {"meta": {"vct_values": []}}),
    ("vct_values a text", {"meta": {"vct_values": "urn:x"}}),
    ("vct_values with a number", {"meta": {"vct_values": [1]}}),
    ("vct_values with an empty text", {"meta": {"vct_values": [""]}}),
    ("multiple is a text", {"multiple": "true"}),
    ("holder binding is a number", {"require_cryptographic_holder_binding": 1}),
    ("claims empty", {"claims": []}),
    ("claims an object", {"claims": {}}),
    ("claim without path", {"claims": [{"id": "a"}]}),
    ("path empty", {"claims": [{"path": []}]}),
    ("path a text", {"claims": [{"path": "given_name"}]}),
    ("path with a negative index", {"claims": [{"path": ["a", -1]}]}),
    ("path with a boolean", {"claims": [{"path": ["a", True]}]}),
    ("path with a fraction", {"claims": [{"path": ["a", 1.5]}]}),
    ("path with an object", {"claims": [{"path": ["a", {}]}]}),
    ("path without end", {"claims": [{"path": ["a"] * 17}]}),
    ("values empty", {"claims": [{"path": ["a"], "values": []}]}),
    ("values with null", {"claims": [{"path": ["a"], "values": [None]}]}),
    ("values with a fraction", {"claims": [{"path": ["a"], "values": [1.5]}]}),
    ("claim id with a dot", {"claims": [{"id": "a.b", "path": ["a"]}]}),
    ("claim id twice", {"claims": [{"id": "a", "path": ["a"]}, {"id": "a", "path": ["b"]}]}),
    ("claim_sets without claims", {"claims": None, "claim_sets": [["a"]]}),
    ("claim_sets empty", {"claims": [{"id": "a", "path": ["a"]}], "claim_sets": []}),
    ("an empty claim set", {"claims": [{"id": "a", "path": ["a"]}], "claim_sets": [[]]}),
    ("claim_sets without claim ids", {"claims": [{"path": ["a"]}], "claim_sets": [["a"]]}),
    ("claim set with an unknown id", {"claims": [{"id": "a", "path": ["a"]}], "claim_sets": [["b"]]}),
    ("trusted_authorities empty", {"trusted_authorities": []}),
    ("authority without values", {"trusted_authorities": [{"type": "aki", "values": []}]}),
    ("authority without type", {"trusted_authorities": [{"values": ["x"]}]}),
    ("authority value a number", {"trusted_authorities": [{"type": "aki", "values": [1]}]}),
    ("mdoc without doctype", {"format": "mso_mdoc", "meta": {"x": 1}, "claims": None}),
    ("mdoc with an empty doctype", {"format": "mso_mdoc", "meta": {"doctype_value": ""}, "claims": None}),
    ("mdoc path of one", {"format": "mso_mdoc", "meta": {}, "claims": [{"path": ["a"]}]}),
    ("mdoc path of three", {"format": "mso_mdoc", "meta": {}, "claims": [{"path": ["a", "b", "c"]}]}),
    ("mdoc path with null", {"format": "mso_mdoc", "meta": {}, "claims": [{"path": ["a", None]}]}),
    ("intent_to_retain a text", {"claims": [{"path": ["a"], "intent_to_retain": "no"}]}),
    ("too many claims", {"claims": [{"path": [f"a{index}"]} for index in range(129)]}),
]


@pytest.mark.hostile
@pytest.mark.parametrize("changes", [pytest.param(case[1], id=case[0]) for case in CREDENTIAL_DEFECTS])
def test_a_credential_query_that_breaks_a_rule_is_malformed(changes: dict[str, Any]) -> None:
    credential = {name: value for name, value in {**PID_QUERY, **changes}.items() if value is not None}
    with pytest.raises(MalformedInput):
        parse_message(DcqlQuery, {"credentials": [credential]})


QUERY_DEFECTS: list[tuple[str, dict[str, Any]]] = [
    ("no credentials", {}),
    ("credentials empty", {"credentials": []}),
    ("credentials an object", {"credentials": {"a": PID_QUERY}}),
    ("id twice", {"credentials": [PID_QUERY, PID_QUERY]}),
    ("credential_sets empty", {"credentials": [PID_QUERY], "credential_sets": []}),
    ("set without options", {"credentials": [PID_QUERY], "credential_sets": [{}]}),
    ("options empty", {"credentials": [PID_QUERY], "credential_sets": [{"options": []}]}),
    ("an empty option", {"credentials": [PID_QUERY], "credential_sets": [{"options": [[]]}]}),
    ("option with an unknown id", {"credentials": [PID_QUERY], "credential_sets": [{"options": [["x"]]}]}),
    ("required a text", {"credentials": [PID_QUERY], "credential_sets": [{"options": [["pid"]], "required": "no"}]}),
]


@pytest.mark.hostile
@pytest.mark.parametrize("members", [pytest.param(case[1], id=case[0]) for case in QUERY_DEFECTS])
def test_a_query_that_breaks_a_rule_is_malformed(members: dict[str, Any]) -> None:
    with pytest.raises(MalformedInput):
        parse_message(DcqlQuery, members)


def test_a_complaint_names_the_member_and_never_its_value() -> None:
    with pytest.raises(MalformedInput) as error:
        parse_message(DcqlQuery, {"credentials": [{**PID_QUERY, "id": "very secret"}]})
    assert "credentials.0.id" in str(error.value)
    assert "secret" not in str(error.value)
