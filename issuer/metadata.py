"""The metadata of the credential issuer (OpenID4VCI 12.2) and of its authorization server (RFC 8414)."""

from collections.abc import Collection, Mapping
from typing import Final

from byoid.issuance.metadata import (
    BatchCredentialIssuance,
    CredentialIssuerMetadata,
    CredentialRequestEncryption,
    CredentialResponseEncryptionSupport,
    EncryptionKeySet,
    IssuerDisplay,
)
from byoid.jose import CONTENT_ENCRYPTION, KEY_AGREEMENT
from byoid.keys import PrivateKey
from byoid.oauth.client_attestation import AUTH_METHOD, AUTH_METHOD_DPOP
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.oauth.token import AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE, REFRESH_TOKEN
from issuer.configurations import PROOF_ALGORITHMS, Configuration
from issuer.registered_clients import RegisteredClient
from issuer.settings import IssuerSettings

_STATUS_PERIOD: Final = 31 * 24 * 3600  # TS3: so long should a wallet's status be maintained still, in seconds
_ASSERTION_ALGORITHMS: Final = ("ES256", "PS256")  # FAPI 2.0 5.4: what registered clients have


def issuer_metadata(
    settings: IssuerSettings, configurations: Mapping[str, Configuration], *, encryption_keys: Mapping[str, PrivateKey]
) -> CredentialIssuerMetadata:
    """Return the credential issuer's metadata."""
    url, required = settings.public_url, settings.encryption == "required"
    offered = settings.encryption != "off"
    jwks = [{**key.public.jwk, "kid": kid, "alg": KEY_AGREEMENT, "use": "enc"} for kid, key in encryption_keys.items()]
    return CredentialIssuerMetadata(
        credential_issuer=url,
        credential_endpoint=f"{url}/credential",
        nonce_endpoint=f"{url}/nonce",
        deferred_credential_endpoint=f"{url}/deferred",
        notification_endpoint=f"{url}/notification",
        credential_request_encryption=CredentialRequestEncryption(
            jwks=EncryptionKeySet(keys=tuple(jwks)), enc_values_supported=tuple(CONTENT_ENCRYPTION),
            zip_values_supported=("DEF",), encryption_required=required,
        ) if offered else None,
        credential_response_encryption=CredentialResponseEncryptionSupport(
            alg_values_supported=(KEY_AGREEMENT,), enc_values_supported=tuple(CONTENT_ENCRYPTION),
            zip_values_supported=("DEF",), encryption_required=required,
        ) if offered else None,
        preferred_client_status_period=_STATUS_PERIOD,
        batch_credential_issuance=BatchCredentialIssuance(batch_size=settings.max_batch_size),
        display=(IssuerDisplay(name=settings.agency_name),),
        credential_configurations_supported={each.id: each.metadata for each in configurations.values()},
    )  # fmt: skip


def server_metadata(
    settings: IssuerSettings,
    configurations: Mapping[str, Configuration],
    *,
    clients: Collection[RegisteredClient],
    sign_in: bool,
) -> AuthorizationServerMetadata:
    """Return the authorization server's metadata; without a way to sign in there is no authorization endpoint."""
    url, demanded = settings.public_url, settings.require_client_attestation
    registered = sorted({each.authentication for each in clients} - {"attest_jwt_client_auth"})
    return AuthorizationServerMetadata(
        issuer=url,
        authorization_endpoint=f"{url}/authorize" if sign_in else None,
        token_endpoint=f"{url}/token",
        pushed_authorization_request_endpoint=f"{url}/par" if sign_in else None,
        challenge_endpoint=f"{url}/challenge",
        require_pushed_authorization_requests=True,
        authorization_response_iss_parameter_supported=True,
        scopes_supported=tuple(configurations),
        response_types_supported=("code",),
        grant_types_supported=(*((AUTHORIZATION_CODE,) if sign_in else ()), PRE_AUTHORIZED_CODE, REFRESH_TOKEN),
        token_endpoint_auth_methods_supported=(AUTH_METHOD, AUTH_METHOD_DPOP, *registered),
        token_endpoint_auth_signing_alg_values_supported=_ASSERTION_ALGORITHMS,
        code_challenge_methods_supported=("S256",),
        authorization_details_types_supported=("openid_credential",),
        dpop_signing_alg_values_supported=PROOF_ALGORITHMS,
        client_attestation_signing_alg_values_supported=PROOF_ALGORITHMS,
        client_attestation_pop_signing_alg_values_supported=PROOF_ALGORITHMS,
        tls_client_certificate_bound_access_tokens=bool(settings.trusted_proxies) or None,  # who tell of certificates
        pre_authorized_grant_anonymous_access_supported=not demanded,
        status_list_aggregation_endpoint=f"{url}/status",
    )
