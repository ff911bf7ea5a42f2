"""The profile's demands on presentation requests: HAIP 1.0 section 5."""

from typing import Any

import pytest

from byoid.errors import ByoidError
from byoid.keys import PrivateKey
from byoid.presentation.haip import require_haip
from byoid.wire_errors import InvalidRequest, VpFormatsNotSupported
from tests.byoid.presentation.world import authorization_request

JWK = {**PrivateKey.generate().public.jwk, "kid": "1", "alg": "ECDH-ES", "use": "enc"}
METADATA = {"jwks": {"keys": [JWK]}, "encrypted_response_enc_values_supported": ["A128GCM", "A256GCM"]}
HONEST = {"client_id": "x509_hash:abc", "response_mode": "direct_post.jwt", "client_metadata": METADATA}


def test_an_honest_request_fits_the_profile() -> None:
    require_haip(authorization_request(**HONEST), signed=True)
    require_haip(authorization_request(**{**HONEST, "response_mode": "dc_api.jwt", "client_id": None}), signed=False)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("changes", "signed", "error"),
    [
        pytest.param({"response_mode": "direct_post"}, True, InvalidRequest, id="in the clear"),
        pytest.param({"response_mode": "dc_api"}, True, InvalidRequest, id="in the clear over the DC API"),
        pytest.param({}, False, InvalidRequest, id="unsigned by redirect"),
        pytest.param({"client_id": "x509_san_dns:a.example"}, True, InvalidRequest, id="another prefix"),
        pytest.param({"client_metadata": None}, True, InvalidRequest, id="no key"),
        pytest.param({"client_metadata": {"jwks": {"keys": [JWK]}}}, True, InvalidRequest, id="one algorithm"),
        pytest.param(
            {"dcql_query": {"credentials": [{"id": "a", "format": "ldp_vc", "meta": {}}]}},
            True,
            VpFormatsNotSupported,
            id="another format",
        ),
    ],
)
def test_a_request_outside_the_profile_is_refused(
    changes: dict[str, Any], signed: bool, error: type[ByoidError]
) -> None:
    with pytest.raises(error):
        require_haip(authorization_request(**{**HONEST, **changes}), signed=signed)
