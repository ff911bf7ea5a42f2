import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from byoid.errors import ClaimMismatch, MalformedInput, PeerError
from byoid.issuance.configuration import CredentialConfiguration, MdocConfiguration, SdJwtVcConfiguration
from byoid.issuance.metadata import (
    CredentialIssuerMetadata,
    metadata_url,
    require_credential_issuer,
    require_haip,
)
from byoid.keys import PrivateKey
from byoid.message import parse_message

VECTORS = Path(__file__).parents[2] / "vectors" / "openid4vci"
ISSUER = "https://issuer.example/tenant"
Change = Callable[[dict[str, Any]], object]


def test_the_long_example_of_the_spec_is_understood() -> None:
    metadata = parse_message(
        CredentialIssuerMetadata, (VECTORS / "credential_issuer_metadata_sd_jwt_long.json").read_bytes()
    )
    configuration = metadata.credential_configurations_supported["SD_JWT_VC_example_in_OpenID4VCI"]

    assert isinstance(configuration, SdJwtVcConfiguration)
    assert configuration.proof_types_supported is not None
    assert configuration.needs_key
    assert metadata.max_proofs == 10
    assert parse_message(CredentialIssuerMetadata, metadata.to_wire()) == metadata
    assert require_haip(metadata) is metadata


@pytest.mark.parametrize("name", ["credential_metadata_mso_mdoc.json", "credential_metadata_sd_jwt_vc.json"])
def test_the_examples_of_configurations_are_understood(name: str, metadata_members: dict[str, Any]) -> None:
    metadata_members |= json.loads((VECTORS / name).read_text())

    (configuration,) = parse_message(
        CredentialIssuerMetadata, metadata_members
    ).credential_configurations_supported.values()

    assert isinstance(configuration, SdJwtVcConfiguration | MdocConfiguration)
    assert configuration.credential_metadata is not None
    assert configuration.credential_metadata.claims


def test_a_format_that_we_do_not_know_is_no_obstacle(metadata_members: dict[str, Any]) -> None:
    metadata_members["credential_configurations_supported"]["w3c"] = {
        "format": "jwt_vc_json",
        "credential_signing_alg_values_supported": ["ES256"],
        "credential_definition": {"type": ["VerifiableCredential"]},
    }

    metadata = parse_message(CredentialIssuerMetadata, metadata_members)

    assert type(metadata.credential_configurations_supported["w3c"]) is CredentialConfiguration


def test_configurations_keep_their_class_when_built_in_python(metadata_members: dict[str, Any]) -> None:
    metadata_members["credential_configurations_supported"] = {"pid": SdJwtVcConfiguration(vct="urn:x")}

    metadata = parse_message(CredentialIssuerMetadata, metadata_members)

    assert isinstance(metadata.credential_configurations_supported["pid"], SdJwtVcConfiguration)
    assert metadata.to_wire()["credential_configurations_supported"]["pid"] == {"format": "dc+sd-jwt", "vct": "urn:x"}


def test_without_a_batch_one_proof_is_accepted(metadata_members: dict[str, Any]) -> None:
    del metadata_members["batch_credential_issuance"]

    assert parse_message(CredentialIssuerMetadata, metadata_members).max_proofs == 1


def test_the_additions_of_eudi_are_read(metadata_members: dict[str, Any]) -> None:
    metadata_members |= {
        "preferred_client_status_period": 2678400,
        "issuer_info": [{"format": "registration_cert", "data": "eyJ"}],
    }
    proof_type = metadata_members["credential_configurations_supported"]["pid"]["proof_types_supported"]["jwt"]
    proof_type["key_attestations_required"] = {"preferred_key_storage_status_period": 2678400}

    metadata = parse_message(CredentialIssuerMetadata, metadata_members)

    assert metadata.issuer_info is not None
    assert metadata.issuer_info[0].format == "registration_cert"
    assert metadata.preferred_client_status_period == 2678400


def test_metadata_of_the_issuer_that_was_asked_are_used(metadata_members: dict[str, Any]) -> None:
    metadata = parse_message(CredentialIssuerMetadata, metadata_members)

    assert metadata_url(ISSUER) == "https://issuer.example/.well-known/openid-credential-issuer/tenant"
    assert require_credential_issuer(metadata, credential_issuer=ISSUER) is metadata


def test_an_identifier_keeps_its_slash_where_its_metadata_are() -> None:
    assert metadata_url(ISSUER + "/") == "https://issuer.example/.well-known/openid-credential-issuer/tenant/"


@pytest.mark.hostile
@pytest.mark.parametrize("issuer", [ISSUER + "/", "https://Issuer.example/tenant", "https://issuer.example"])
def test_another_issuer_is_refused_without_normalisation(metadata_members: dict[str, Any], issuer: str) -> None:
    with pytest.raises(ClaimMismatch):
        require_credential_issuer(parse_message(CredentialIssuerMetadata, metadata_members), credential_issuer=issuer)


def pid(members: dict[str, Any]) -> Any:
    return members["credential_configurations_supported"]["pid"]


def mdl(members: dict[str, Any]) -> Any:
    return members["credential_configurations_supported"]["mdl"]


def request_keys(members: dict[str, Any]) -> Any:
    return members["credential_request_encryption"]["jwks"]["keys"]


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: m.pop("credential_issuer"), id="no credential_issuer"),
        pytest.param(lambda m: m.update(credential_issuer="http://issuer.example"), id="issuer without https"),
        pytest.param(lambda m: m.update(credential_issuer="https://issuer.example?a"), id="issuer with query"),
        pytest.param(lambda m: m.pop("credential_endpoint"), id="no credential_endpoint"),
        pytest.param(lambda m: m.update(nonce_endpoint="http://issuer.example/n"), id="endpoint without https"),
        pytest.param(lambda m: m.update(authorization_servers=[]), id="no authorization server in the list"),
        pytest.param(lambda m: m.update(authorization_servers=["server"]), id="authorization server that is no URL"),
        pytest.param(lambda m: m.pop("credential_configurations_supported"), id="no configurations"),
        pytest.param(lambda m: m.update(credential_configurations_supported=[]), id="configurations as array"),
        pytest.param(lambda m: m.update(credential_configurations_supported={"a": 1}), id="configuration no object"),
        pytest.param(lambda m: m.update(batch_credential_issuance={"batch_size": 1}), id="batch of one"),
        pytest.param(lambda m: m.update(batch_credential_issuance={}), id="batch without size"),
        pytest.param(lambda m: m.update(display=[]), id="empty display"),
        pytest.param(lambda m: m["display"].append({"locale": "de"}), id="language twice"),
        pytest.param(lambda m: m["credential_request_encryption"].pop("encryption_required"), id="required or not?"),
        pytest.param(lambda m: m["credential_request_encryption"].pop("jwks"), id="no keys to encrypt to"),
        pytest.param(lambda m: request_keys(m).clear(), id="empty keys to encrypt to"),
        pytest.param(lambda m: request_keys(m)[0].pop("kid"), id="key without kid"),
        pytest.param(lambda m: request_keys(m)[0].pop("alg"), id="key without alg"),
        pytest.param(lambda m: request_keys(m).append(request_keys(m)[0]), id="kid twice"),
        pytest.param(lambda m: request_keys(m)[0].update(PrivateKey.generate().to_jwk()), id="private key"),
        pytest.param(lambda m: m["credential_response_encryption"].update(alg_values_supported=[]), id="no alg"),
        pytest.param(lambda m: m["credential_response_encryption"].pop("enc_values_supported"), id="no enc"),
        pytest.param(lambda m: pid(m).pop("format"), id="no format"),
        pytest.param(lambda m: pid(m).pop("vct"), id="no vct"),
        pytest.param(lambda m: mdl(m).pop("doctype"), id="no doctype"),
        pytest.param(
            lambda m: mdl(m).update(credential_signing_alg_values_supported=["ES256"]), id="JOSE name in mdoc"
        ),
        pytest.param(lambda m: pid(m).update(credential_signing_alg_values_supported=[-7]), id="COSE number in SD-JWT"),
        pytest.param(lambda m: pid(m).update(cryptographic_binding_methods_supported=[]), id="empty binding methods"),
        pytest.param(lambda m: pid(m)["proof_types_supported"].update(jwt={}), id="proof type without algorithms"),
        pytest.param(
            lambda m: pid(m)["proof_types_supported"].update(jwt={"proof_signing_alg_values_supported": []}),
            id="proof type with empty algorithms",
        ),
        pytest.param(
            lambda m: pid(m)["proof_types_supported"]["jwt"].update(key_attestations_required={"key_storage": []}),
            id="empty key_storage",
        ),
        pytest.param(lambda m: pid(m)["credential_metadata"]["display"].append({}), id="display without name"),
        pytest.param(
            lambda m: pid(m)["credential_metadata"]["display"].append({"name": "x", "locale": "en"}),
            id="language of a credential twice",
        ),
        pytest.param(
            lambda m: pid(m)["credential_metadata"]["display"][0].update(logo={"alt_text": "x"}), id="logo without uri"
        ),
        pytest.param(
            lambda m: pid(m)["credential_metadata"]["claims"].append({"path": ["given_name"]}), id="claim twice"
        ),
        pytest.param(
            lambda m: (
                pid(m)["credential_metadata"]["claims"].append({"path": ["given_name", 0]})
                or pid(m)["credential_metadata"]["claims"].append({"path": ["given_name", None]})
            ),
            id="contradictory claims",
        ),
        pytest.param(
            lambda m: mdl(m)["credential_metadata"].update(claims=[{"path": ["given_name"]}]), id="mdoc path too short"
        ),
        pytest.param(
            lambda m: mdl(m)["credential_metadata"].update(claims=[{"path": ["a", None]}]),
            id="mdoc path without element",
        ),
    ],
)
def test_metadata_with_a_defect_are_refused(metadata_members: dict[str, Any], change: Change) -> None:
    assert parse_message(CredentialIssuerMetadata, metadata_members)
    change(metadata_members)

    with pytest.raises(MalformedInput):
        parse_message(CredentialIssuerMetadata, metadata_members)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda m: pid(m).pop("scope"), id="no scope"),
        pytest.param(lambda m: m.pop("nonce_endpoint"), id="no nonce endpoint"),
        pytest.param(lambda m: pid(m).pop("proof_types_supported"), id="binding without proof types"),
        pytest.param(lambda m: pid(m).pop("cryptographic_binding_methods_supported"), id="proof types without binding"),
    ],
)
def test_metadata_that_lack_what_haip_demands_are_refused(metadata_members: dict[str, Any], change: Change) -> None:
    assert require_haip(parse_message(CredentialIssuerMetadata, metadata_members))
    change(metadata_members)

    with pytest.raises(PeerError):
        require_haip(parse_message(CredentialIssuerMetadata, metadata_members))


def test_claims_are_shown_in_the_order_of_the_issuer(metadata_members: dict[str, Any]) -> None:
    pid(metadata_members)["credential_metadata"]["claims"] = [{"path": ["b"]}, {"path": ["a"]}]

    configuration = parse_message(CredentialIssuerMetadata, metadata_members).credential_configurations_supported["pid"]

    assert configuration.credential_metadata is not None
    assert [each.path for each in configuration.credential_metadata.claims or ()] == [("b",), ("a",)]
