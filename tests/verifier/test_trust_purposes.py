"""Which anchors count for which credentials: a signer of other attestations, or another IACA, may never make a PID."""

from typing import Any

import pytest

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey
from byoid.presentation.issuer_trust import X509Trust
from byoid.relying_party.messages import QueryDefinition
from byoid.trust.anchors import Purpose, TrustAnchor, TrustAnchors
from byoid.trust.pki import SubjectName, make_root, to_pem
from tests.verifier.world import World, definition, mdoc_query, sd_jwt_query
from verifier.policies import compile_policy

PID, OTHER = "urn:eudi:pid:1", "urn:example:residence:1"


def anchors(world: World, *purposes: Purpose) -> TrustAnchors:
    certificate = make_root(SubjectName("Root"), key=PrivateKey.generate(), now=world.clock()).certificate
    return TrustAnchors([TrustAnchor(certificate, frozenset(purposes), "issuers")])


def compiled(world: World, query: dict[str, Any], *purposes: Purpose, **members: Any) -> X509Trust:
    wanted = QueryDefinition.model_validate(definition(query, **members))
    trust = compile_policy(wanted, anchors=anchors(world, *purposes)).trust
    assert isinstance(trust, dict)
    found = trust["pid"]
    assert isinstance(found, X509Trust)
    return found


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("query", "purposes"),
    [
        pytest.param(mdoc_query(), (Purpose.MDOC,), id="PID as mdoc under an IACA of others"),
        pytest.param(mdoc_query(meta={}), (Purpose.MDOC,), id="any mdoc under an IACA of others"),
        pytest.param(sd_jwt_query(), (Purpose.ATTESTATION,), id="PID of a signer of attestations"),
        pytest.param(
            sd_jwt_query(meta={"vct_values": [PID, OTHER]}), (Purpose.ATTESTATION,), id="PID asked for beside another"
        ),
        pytest.param(sd_jwt_query(meta={}), (Purpose.ATTESTATION,), id="any type"),
    ],
)
def test_whoever_is_not_trusted_for_pids_cannot_sign_what_could_be_one(
    world: World, query: dict[str, Any], purposes: tuple[Purpose, ...]
) -> None:
    with pytest.raises(MalformedInput, match="nobody is trusted"):
        compiled(world, query, *purposes)
    assert compiled(world, query, *purposes, Purpose.PID)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("query", "purposes"),
    [
        pytest.param(mdoc_query(), ["mdoc"], id="PID as mdoc under an IACA of others"),
        pytest.param(sd_jwt_query(), ["attestation"], id="PID of a signer of attestations"),
    ],
)
def test_purposes_of_a_service_do_not_replace_the_trust_for_pids(
    world: World, query: dict[str, Any], purposes: list[str]
) -> None:
    rule = {"*": {"lists": ["issuers"], "purposes": purposes}}
    with pytest.raises(MalformedInput, match="nobody is trusted"):
        compiled(world, query, *map(Purpose, purposes), trust=rule)
    assert compiled(world, query, *map(Purpose, purposes), Purpose.PID, trust=rule).purpose == tuple(purposes)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("query", "purpose", "possible"),
    [
        pytest.param(mdoc_query(), "pid", "mdoc", id="mdoc of a signer of other formats"),
        pytest.param(sd_jwt_query(), "mdoc", "pid or attestation", id="SD-JWT VC of a document signer"),
    ],
)
def test_a_signer_of_another_format_is_refused_with_the_purposes_that_fit(
    world: World, query: dict[str, Any], purpose: str, possible: str
) -> None:
    rule = {"*": {"lists": ["issuers"], "purposes": [purpose]}}
    with pytest.raises(MalformedInput, match=f"can be trusted as {possible}, and as nothing else"):
        compiled(world, query, Purpose.PID, Purpose.MDOC, trust=rule)


def test_a_pinned_signer_may_sign_what_the_query_asks_for(world: World) -> None:
    pem = make_root(SubjectName("Signer"), key=PrivateKey.generate(), now=world.clock())
    rule = {"*": {"pinned": [to_pem(pem.certificate).decode()]}}
    (anchor,) = compiled(world, mdoc_query(), trust=rule).anchors.anchors
    assert anchor.purposes == {Purpose.MDOC, Purpose.PID}


def test_another_credential_needs_no_trust_for_pids(world: World) -> None:
    query = sd_jwt_query(meta={"vct_values": [OTHER]})
    assert compiled(world, query, Purpose.ATTESTATION).purpose == (Purpose.ATTESTATION,)
