"""What clients find out by themselves: the provider's configuration.

OpenID Connect Discovery 1.0 3, RFC 8414 2, RFC 9207 3.
"""

from typing import Any, Final

from byoid.jose import SIGNATURE_ALGORITHMS
from byoid.oauth.pkce import CODE_CHALLENGE_METHOD
from byoid.oauth.token import AUTHORIZATION_CODE
from byoid.service.i18n import LANGUAGES
from verifier.login_claims import PID_SHOWN, SCOPES, STANDARD
from verifier.login_keys import LoginKeys
from verifier.login_messages import RESPONSE_MODES
from verifier.logins import AUTHENTICATIONS, TOKEN_PATH

CONFIGURATION_PATH: Final = "/.well-known/openid-configuration"
JWKS_PATH: Final = "/login/jwks"
AUTHORIZE_PATH: Final = "/login/authorize"
USERINFO_PATH: Final = "/login/userinfo"


def configuration(issuer: str, keys: LoginKeys) -> dict[str, Any]:
    """Return the configuration. Only the code flow is offered, and no request objects."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE_PATH,
        "token_endpoint": issuer + TOKEN_PATH,
        "userinfo_endpoint": issuer + USERINFO_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [AUTHORIZATION_CODE],
        "acr_values_supported": [PID_SHOWN],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": list(keys.signing),
        "token_endpoint_auth_methods_supported": list(AUTHENTICATIONS),
        "token_endpoint_auth_signing_alg_values_supported": sorted(SIGNATURE_ALGORITHMS),
        "claim_types_supported": ["normal"],
        "claims_supported": list(STANDARD),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "code_challenge_methods_supported": [CODE_CHALLENGE_METHOD],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": list(LANGUAGES),
    }
