"""SD-JWT VC sections 5 and 6: types that extend each other, integrity, and claims that obey their type."""

import base64
import hashlib
import json
from typing import Any

import pytest

from byoid.encoding import json_dumps
from byoid.errors import ClaimMismatch, DigestMismatch, MalformedInput
from byoid.formats.holder_binding import NoHolderBinding
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, verify_sd_jwt_vc
from byoid.formats.type_metadata import (
    MAX_CLAIMS,
    check_claims,
    integrity_of,
    parse_type_metadata,
    resolve_type,
    verify_integrity,
)

TYPE = "urn:example:card"


def document(vct: str = TYPE, **members: Any) -> bytes:
    return json_dumps({"vct": vct, **members})


def claim(*path: Any, **members: Any) -> dict[str, Any]:
    return {"path": list(path), **members}


def rendering(*templates: dict[str, Any]) -> dict[str, Any]:
    return {"display": [{"locale": "en", "name": "x", "rendering": {"svg_templates": list(templates)}}]}


def resolve(*documents: bytes, **arguments: Any):
    by_type = {json.loads(each)["vct"]: each for each in documents}
    return resolve_type(TYPE, documents=by_type, **arguments)


# --- documents


def test_example_of_the_draft_is_the_one_that_its_credential_vouches_for(vectors):
    raw = (vectors / "sd-jwt-vc/type_metadata.json").read_bytes()
    payload = json.loads((vectors / "sd-jwt-vc/type_metadata_payload.json").read_bytes())

    verify_integrity(raw, payload["vct#integrity"])
    metadata = parse_type_metadata(raw)

    assert metadata.vct == payload["vct"]
    assert metadata.extends == "https://galaxy.example.com/galactic-education-credential/v2"
    assert metadata.extends_integrity is not None
    assert metadata.display is not None
    rendering = metadata.display[0].rendering
    assert rendering is not None
    assert rendering.simple is not None
    assert rendering.simple.logo is not None
    assert [each.path for each in metadata.claims][:3] == [("name",), ("address",), ("address", "street_address")]


def test_example_of_an_extending_type_overrides_per_path(vectors):
    base, custom = ((vectors / "sd-jwt-vc" / f"{name}-type-metadata.json").read_bytes() for name in ("base", "custom"))
    types = {"https://example.com/custom-type-metadata": custom, "https://example.com/base-type-metadata": base}

    resolved = resolve_type("https://example.com/custom-type-metadata", documents=types)

    assert resolved.types == tuple(types)
    assert [(each.path, each.display[0].label) for each in resolved.claims] == [
        (("name",), "Full Name"),
        (("address", "city"), "Town"),
        (("nationalities",), "Nationalities"),
    ]


def test_properties_that_a_child_does_not_name_are_inherited():
    base = document("urn:base", claims=[claim("a", sd="always", mandatory=True, svg_id="a_1"), claim("b")])
    child = document(extends="urn:base", claims=[claim("a", display=[{"locale": "de", "label": "A"}])])

    resolved = resolve(child, base)

    assert [(each.path, each.sd, each.mandatory, each.svg_id) for each in resolved.claims] == [
        (("a",), "always", True, "a_1"),
        (("b",), "allowed", False, None),
    ]
    assert resolved.claims[0].display[0].label == "A"


def test_sd_and_mandatory_may_be_tightened():
    base = document("urn:base", claims=[claim("a"), claim("b", sd="allowed", mandatory=False)])
    child = document(extends="urn:base", claims=[claim("a", sd="never"), claim("b", sd="always", mandatory=True)])

    assert [(each.sd, each.mandatory) for each in resolve(child, base).claims] == [("never", False), ("always", True)]


def test_display_is_inherited_until_a_type_has_its_own():
    mine, inherited = [{"locale": "de", "name": "Karte"}], [{"locale": "en", "name": "Card"}]
    base = document("urn:base", display=inherited)

    assert resolve(document(extends="urn:base"), base).display[0].name == "Card"
    assert resolve(document(extends="urn:base", display=mine), base).display[0].name == "Karte"
    assert resolve(document(extends="urn:base", display=[]), base).display == ()
    assert resolve(document()).display == ()


def test_integrity_is_checked_along_the_chain():
    base = document("urn:base")
    child = document(extends="urn:base", **{"extends#integrity": integrity_of(base)})

    assert resolve(child, base, integrity=integrity_of(child)).types == (TYPE, "urn:base")
    with pytest.raises(DigestMismatch):
        resolve(child, document("urn:base", name="changed"), integrity=integrity_of(child))
    with pytest.raises(DigestMismatch):
        resolve(child + b" ", base, integrity=integrity_of(child))


@pytest.mark.hostile
def test_documents_that_are_missing_or_of_another_type_are_refused():
    with pytest.raises(ClaimMismatch):
        resolve_type(TYPE, documents={})
    with pytest.raises(ClaimMismatch):
        resolve_type(TYPE, documents={TYPE: document("urn:other")})
    with pytest.raises(ClaimMismatch):
        resolve(document(extends="urn:base"))


@pytest.mark.hostile
@pytest.mark.parametrize("length", [1, 2, 3])
def test_circles_of_types_are_refused(length):
    names = [TYPE, "urn:b", "urn:c"][:length]
    circle = [document(name, extends=names[(at + 1) % length]) for at, name in enumerate(names)]
    with pytest.raises(MalformedInput):
        resolve(*circle)


@pytest.mark.hostile
def test_endless_chains_of_types_are_refused():
    chain = [document(TYPE, extends="urn:0"), *(document(f"urn:{at}", extends=f"urn:{at + 1}") for at in range(20))]
    with pytest.raises(MalformedInput):
        resolve(*chain)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("base", "child"),
    [
        ({"sd": "always"}, {"sd": "never"}),
        ({"sd": "always"}, {"sd": "allowed"}),
        ({"sd": "never"}, {"sd": "always"}),
        ({"sd": "never"}, {"sd": "allowed"}),
        ({"mandatory": True}, {"mandatory": False}),
    ],
    ids=str,
)
def test_extending_types_must_not_loosen(base, child):
    with pytest.raises(MalformedInput):
        resolve(document(extends="urn:b", claims=[claim("a", **child)]), document("urn:b", claims=[claim("a", **base)]))


@pytest.mark.hostile
@pytest.mark.parametrize(
    "members",
    [
        {"claims": {}}, {"claims": [{}]}, {"claims": [claim()]}, {"claims": [claim(-1)]}, {"claims": [claim(1.5)]},
        {"claims": [claim(True)]}, {"claims": [{"path": "name"}]}, {"claims": [claim("a", sd="sometimes")]},
        {"claims": [claim("a", sd=None)]}, {"claims": [claim("a", mandatory="yes")]},
        {"claims": [claim("a", svg_id="1a")]}, {"claims": [claim("a", svg_id="a-b")]},
        {"claims": [claim("a", svg_id="x"), claim("b", svg_id="x")]},
        {"claims": [claim("a", display=[{"label": "A"}])]}, {"claims": [claim("a", display=[{"locale": "en"}])]},
        {"claims": [claim("a", display={})]}, {"claims": None},
        {"display": [{"name": "Card"}]}, {"display": [{"locale": "en"}]}, {"display": {}},
        {"display": [{"locale": "en", "name": "x", "rendering": {"simple": {"logo": {"uri": "http://x"}}}}]},
        {"display": [{"locale": "en", "name": "x", "rendering": {"simple": {"logo": {"uri": "javascript:x"}}}}]},
        rendering({"uri": "https://x", "properties": {"contrast": "low"}}),
        rendering({"uri": "https://x", "properties": {}}),
        rendering({"uri": "https://x", "properties": {"contrast": "high"}}, {"uri": "https://y"}),
        {"extends": 1}, {"vct": 1}, {"claims": [claim("a", 2**31)]},
    ],
    ids=str,
)  # fmt: skip
def test_documents_against_the_rules_are_refused(members):
    with pytest.raises(MalformedInput):
        parse_type_metadata(json_dumps({"vct": TYPE} | members))


@pytest.mark.hostile
def test_a_type_has_not_more_claims_than_the_limit():
    claims = [claim("a", place) for place in range(MAX_CLAIMS + 1)]

    assert len(parse_type_metadata(document(claims=claims[1:])).claims) == MAX_CLAIMS
    with pytest.raises(MalformedInput):
        parse_type_metadata(document(claims=claims))


@pytest.mark.hostile
@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"vct":"a","vct":"b"}', b"\xff"], ids=repr)
def test_what_is_no_json_object_is_no_type_metadata(raw):
    with pytest.raises(MalformedInput):
        parse_type_metadata(raw)


@pytest.mark.hostile
def test_an_svg_id_is_unique_after_extension_too():
    base = document("urn:base", claims=[claim("a", svg_id="x")])
    with pytest.raises(MalformedInput):
        resolve(document(extends="urn:base", claims=[claim("b", svg_id="x")]), base)


def test_svg_templates_are_told_apart_by_their_properties():
    templates = ({"uri": "https://x", "properties": {"contrast": each}} for each in ("normal", "high"))

    metadata = parse_type_metadata(json_dumps({"vct": TYPE} | rendering(*templates)))

    assert metadata.display is not None
    assert metadata.display[0].rendering is not None
    assert len(metadata.display[0].rendering.svg_templates) == 2
    parse_type_metadata(json_dumps({"vct": TYPE} | rendering({"uri": "data:image/svg+xml,x"})))


def test_unknown_properties_are_ignored():
    assert parse_type_metadata(document(schema={}, claims=[claim("a", colour="red")])).claims[0].path == ("a",)


# --- integrity


def sri(algorithm: str, data: bytes) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_integrity_by_each_algorithm(algorithm):
    verify_integrity(b"document", sri(algorithm, b"document"))
    verify_integrity(b"document", sri(algorithm, b"document") + "?option")
    verify_integrity(b"document", f"  {sri(algorithm, b'other')}\t{sri(algorithm, b'document')} ")
    with pytest.raises(DigestMismatch):
        verify_integrity(b"document ", sri(algorithm, b"document"))


def test_the_strongest_known_algorithm_decides():
    right, wrong = sri("sha256", b"document"), sri("sha512", b"other")

    verify_integrity(b"document", f"md5-abc {right}")
    verify_integrity(b"document", f"{sri('sha256', b'other')} {sri('sha512', b'document')}")
    with pytest.raises(DigestMismatch):
        verify_integrity(b"document", f"{right} {wrong}")


def test_integrity_may_be_written_in_the_alphabet_of_urls():
    data = next(bytes([at]) for at in range(256) if {"+", "/"} <= set(sri("sha256", bytes([at]))))

    verify_integrity(data, "sha256-" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode())


@pytest.mark.hostile
def test_characters_that_belong_to_no_alphabet_are_not_skipped():
    with pytest.raises(DigestMismatch):
        verify_integrity(b"document", sri("sha256", b"document").replace("-", "-!"))


@pytest.mark.hostile
@pytest.mark.parametrize("value", ["", "md5-abc", "sha256", "sha256-", "sha256-!!!", "sha256-abc", "SHA256-abc"])
def test_integrity_that_says_nothing_is_refused(value):
    with pytest.raises(DigestMismatch):
        verify_integrity(b"document", value)


# --- claims against their type


def check(credential, *claims: dict[str, Any], complete: bool = True) -> None:
    check_claims(resolve(document(claims=list(claims))), credential, complete=complete)


@pytest.fixture
def held(forge, person) -> HeldSdJwtVc:
    return HeldSdJwtVc.from_text(
        forge.issue(person, [("given_name",), ("address", "country"), ("nationalities", None)])
    )


@pytest.fixture
def shown(forge, held):
    """The same credential at a verifier, with one nationality and the name held back."""
    return verify_sd_jwt_vc(
        held.present([("nationalities", 1)]),
        issuer_key=forge.issuer.public,
        binding=NoHolderBinding(),
        now=forge.now,
    )


def test_claims_that_obey_their_type_are_accepted(held, shown):
    rules = [
        claim("vct", sd="never", mandatory=True),
        claim("given_name", sd="always", mandatory=True),
        claim("family_name", sd="never", mandatory=True),
        claim("address", sd="never"),
        claim("address", "country", sd="always"),
        claim("nationalities", None, sd="always"),
        claim("nationalities", 2, sd="always", mandatory=True),
        claim("degrees", None, "title", sd="never", mandatory=True),
        claim("degrees", 5),
        claim("email", sd="always"),
        claim("email", "domain"),
    ]
    check(held, *rules)
    check(shown, *rules, complete=False)


def test_an_element_that_is_held_back_counts_and_has_unknown_contents(forge):
    item = forge.disclosure("s", {"name": "B"})
    items = [{"...": "x" * 43}, {"...": forge.digest(item)}, {"name": "C"}]
    shown = verify_sd_jwt_vc(
        forge.sign(forge.payload(items=items, nested=[[{"...": "y" * 43}], 1]), item),
        issuer_key=forge.issuer.public,
        binding=NoHolderBinding(),
        now=forge.now,
    )

    check(shown, claim("items", 0, sd="always"), claim("items", 1, sd="always"), claim("items", 2, sd="never"))
    check(shown, claim("items", 0, "name", sd="always"), claim("items", None, "name", sd="never"))
    check(shown, claim("nested", 0, 0, sd="always"), claim("items", 3, sd="always"), complete=False)
    for wrong in (claim("items", 0, sd="never"), claim("items", 2, sd="always"), claim("items", None, sd="always")):
        with pytest.raises(ClaimMismatch):
            check(shown, wrong, complete=False)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "rule",
    [
        claim("given_name", sd="never"),
        claim("family_name", sd="always"),
        claim("address", sd="always"),
        claim("address", "country", sd="never"),
        claim("address", "locality", sd="always"),
        claim("nationalities", None, sd="never"),
        claim("nationalities", 0, sd="never"),
        claim("email", mandatory=True),
        claim("address", "zip", mandatory=True),
        claim("nationalities", 3, mandatory=True),
        claim("given_name", "first"),
        claim("address", None),
        claim("address", 0),
        claim("nationalities", "de"),
    ],
    ids=str,
)
def test_claims_that_disobey_their_type_are_refused(rule, held):
    with pytest.raises(ClaimMismatch):
        check(held, rule)


@pytest.mark.hostile
def test_the_claim_that_breaks_its_type_is_named(held):
    with pytest.raises(ClaimMismatch, match=r"degrees\.\*\.honours is missing"):
        check(held, claim("degrees", None, "honours", mandatory=True))


def test_a_verifier_does_not_take_what_is_held_back_for_missing(shown):
    check(shown, claim("given_name", mandatory=True), claim("given_name", sd="always", mandatory=True), complete=False)


@pytest.mark.hostile
def test_a_verifier_misses_a_mandatory_claim_that_could_not_be_held_back(shown):
    with pytest.raises(ClaimMismatch):
        check(shown, claim("given_name", sd="never", mandatory=True), complete=False)
