"""The metadata of the credential issuer (OpenID4VCI 12.2) and of its authorization server (RFC 8414)."""

from collections.abc import Mapping

from byoid.issuance.metadata import BatchCredentialIssuance, CredentialIssuerMetadata, IssuerDisplay
from byoid.oauth.metadata import AuthorizationServerMetadata
from byoid.oauth.token import AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE, REFRESH_TOKEN
from issuer.configurations import PROOF_ALGORITHMS, Configuration
from issuer.settings import IssuerSettings


def issuer_metadata(settings: IssuerSettings, configurations: Mapping[str, Configuration]) -> CredentialIssuerMetadata:
    """Return the credential issuer's metadata."""
    url = settings.public_url
    return CredentialIssuerMetadata(
        credential_issuer=url,
        credential_endpoint=f"{url}/credential",
        nonce_endpoint=f"{url}/nonce",
        deferred_credential_endpoint=f"{url}/deferred",
        notification_endpoint=f"{url}/notification",
        batch_credential_issuance=BatchCredentialIssuance(batch_size=settings.max_batch_size),
        display=(IssuerDisplay(name=settings.agency_name),),
        credential_configurations_supported={each.id: each.metadata for each in configurations.values()},
    )


def server_metadata(
    settings: IssuerSettings, configurations: Mapping[str, Configuration]
) -> AuthorizationServerMetadata:
    """Return the authorization server's metadata."""
    url = settings.public_url
    return AuthorizationServerMetadata(
        issuer=url,
        authorization_endpoint=f"{url}/authorize",
        token_endpoint=f"{url}/token",
        pushed_authorization_request_endpoint=f"{url}/par",
        challenge_endpoint=f"{url}/challenge",
        require_pushed_authorization_requests=True,
        authorization_response_iss_parameter_supported=True,
        scopes_supported=tuple(configurations),
        response_types_supported=("code",),
        grant_types_supported=(AUTHORIZATION_CODE, PRE_AUTHORIZED_CODE, REFRESH_TOKEN),
        token_endpoint_auth_methods_supported=("attest_jwt_client_auth",),
        code_challenge_methods_supported=("S256",),
        authorization_details_types_supported=("openid_credential",),
        dpop_signing_alg_values_supported=PROOF_ALGORITHMS,
        client_attestation_signing_alg_values_supported=PROOF_ALGORITHMS,
        client_attestation_pop_signing_alg_values_supported=PROOF_ALGORITHMS,
        pre_authorized_grant_anonymous_access_supported=not settings.require_client_attestation,
        status_list_aggregation_endpoint=f"{url}/status",
    )
