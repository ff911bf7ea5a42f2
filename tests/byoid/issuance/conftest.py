"""An issuer's metadata, as wire members, that each test changes in one place."""

import copy
from typing import Any

import pytest

from byoid.keys import PrivateKey

ISSUER = "https://issuer.example/tenant"
PROOF_TYPE = {"proof_signing_alg_values_supported": ["ES256"]}


@pytest.fixture(scope="session")
def issuer_encryption_key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture
def metadata_members(issuer_encryption_key: PrivateKey) -> dict[str, Any]:
    members = {
        "credential_issuer": ISSUER,
        "credential_endpoint": f"{ISSUER}/credential",
        "nonce_endpoint": f"{ISSUER}/nonce",
        "batch_credential_issuance": {"batch_size": 4},
        "credential_request_encryption": {
            "jwks": {"keys": [{**issuer_encryption_key.public.jwk, "kid": "e1", "alg": "ECDH-ES", "use": "enc"}]},
            "enc_values_supported": ["A128GCM", "A256GCM"],
            "zip_values_supported": ["DEF"],
            "encryption_required": False,
        },
        "credential_response_encryption": {
            "alg_values_supported": ["ECDH-ES"],
            "enc_values_supported": ["A256GCM"],
            "zip_values_supported": ["DEF"],
            "encryption_required": False,
        },
        "display": [{"name": "Registry", "locale": "en"}, {"name": "Register", "locale": "de"}],
        "credential_configurations_supported": {
            "pid": {
                "format": "dc+sd-jwt",
                "vct": "urn:eudi:pid:1",
                "scope": "pid",
                "cryptographic_binding_methods_supported": ["jwk"],
                "credential_signing_alg_values_supported": ["ES256"],
                "proof_types_supported": {"jwt": PROOF_TYPE, "attestation": PROOF_TYPE},
                "credential_metadata": {
                    "display": [{"name": "Identity", "locale": "en"}],
                    "claims": [{"path": ["given_name"], "mandatory": True}],
                },
            },
            "mdl": {
                "format": "mso_mdoc",
                "doctype": "org.iso.18013.5.1.mDL",
                "scope": "mdl",
                "credential_signing_alg_values_supported": [-7, -9],
                "credential_metadata": {"claims": [{"path": ["org.iso.18013.5.1", "given_name"]}]},
            },
        },
    }
    return copy.deepcopy(members)
