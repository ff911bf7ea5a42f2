"""Properties of DCQL: what a wallet selects is what it shows, and what it shows is what the verifier asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from byoid.claims import ClaimPath, locate, matches, select
from byoid.errors import ClaimMismatch, MalformedInput
from byoid.formats.holder_binding import NoHolderBinding
from byoid.formats.sd_jwt_vc import ALL, HeldSdJwtVc, prepare_sd_jwt_vc, verify_sd_jwt_vc
from byoid.keys import PrivateKey
from byoid.message import parse_message
from byoid.presentation.dcql import CredentialQuery, DcqlQuery
from byoid.presentation.selection import answer
from byoid.signing import sign_now

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
KEY = PrivateKey.generate()

names = st.sampled_from(["a", "b", "c", "d"])
scalars = st.sampled_from(["x", "", 0, 1, -1, True, False])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
claim_sets = st.dictionaries(names, values, min_size=1, max_size=4)
paths = st.lists(names | st.integers(0, 2) | st.none(), min_size=1, max_size=4).map(tuple)
claims_queries = st.fixed_dictionaries(
    {"path": paths.map(list)}, optional={"values": st.lists(scalars, min_size=1, max_size=3)}
)


@dataclass(frozen=True)
class Shown:
    """A credential with these claims, which the wallet holds or the verifier was shown."""

    claims: Mapping[str, Any]
    format: str = "dc+sd-jwt"
    types: tuple[str, ...] = ("urn:x",)
    holder_bound: bool = True
    key_identifiers: tuple[bytes, ...] = ()
    trusted_lists: tuple[str, ...] = ()


def credential_query(asked: list[dict[str, Any]]) -> CredentialQuery:
    members = {"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:x"]}, "claims": asked}
    return parse_message(CredentialQuery, members)


@given(claim_sets, paths)
def test_a_concrete_path_selects_exactly_its_value(claims: dict[str, Any], path: ClaimPath) -> None:
    try:
        found = locate(claims, path)
    except ClaimMismatch:
        return
    assert found
    for concrete, value in found:
        assert None not in concrete
        assert select(claims, concrete) == [value]


@given(scalars, scalars)
def test_values_match_as_json_does(value: str | int | bool, expected: str | int | bool) -> None:
    assert matches(value, expected) == ((type(value), value) == (type(expected), expected))


@given(st.lists(claims_queries, min_size=1, max_size=3))
def test_a_query_is_written_as_it_was_read(asked: list[dict[str, Any]]) -> None:
    query = parse_message(DcqlQuery, {"credentials": [credential_query(asked).to_wire()]})
    assert parse_message(DcqlQuery, query.to_wire()) == query


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["credentials", "id", "format", "meta", "claims", "path", "credential_sets", "options"]
                ),
                inner,
            )
        ),
    )
)
def test_whatever_comes_is_a_query_or_malformed(junk: Any) -> None:
    try:
        parse_message(DcqlQuery, junk)
    except MalformedInput:
        pass


@given(claim_sets, st.lists(claims_queries, min_size=1, max_size=3))
def test_what_a_wallet_shows_satisfies_the_verifier_and_nothing_else_is_shown(
    claims: dict[str, Any], asked: list[dict[str, Any]]
) -> None:
    query = credential_query(asked)
    credential = prepare_sd_jwt_vc(claims, vct="urn:x", disclosable=ALL, algorithm="ES256", holder_key=None)
    held = HeldSdJwtVc.from_text(sign_now(credential, KEY))
    try:
        chosen = answer(query, Shown(held.claims)).paths
    except ClaimMismatch:
        return

    shown = verify_sd_jwt_vc(held.present(chosen), issuer_key=KEY.public, binding=NoHolderBinding(), now=NOW)

    answer(query, Shown(shown.claims), withheld=shown.processed.withheld)
    needed = {path[:length] for path in chosen for length in range(1, len(path) + 1)}
    for path in shown.disclosed_paths:
        assert path in needed or any(path[: len(each)] == each for each in chosen)
