"""One credential request: nonce, key proofs signed by the vault under the citizen's approval, encryption.

OpenID4VCI 1.0 7 (nonce), 8.2 (request), 10 (encryption), Appendix D and F (proofs, key attestations); EUDI TS3 (one
proof by the first key, with an attestation of all).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from byoid.errors import PeerError
from byoid.issuance.configuration import ProofType
from byoid.issuance.credential import CredentialRequest, CredentialResponse, CredentialResponseEncryption
from byoid.issuance.metadata import CredentialIssuerMetadata
from byoid.issuance.proofs import Proofs, prepare_key_proof
from byoid.jose import CONTENT_ENCRYPTION, KEY_AGREEMENT, UnsignedJws
from byoid.keys import PrivateKey, PublicKey
from wallet.context import Visit, Wallet
from wallet.issuer_client import Issuance
from wallet.receipts import Supported, UnsupportedCredential
from wallet.vault.contract import HolderKeyView, SigningInput
from wallet.vault.gate import sign_key_proofs

_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "Ed25519": "Ed25519", "EdDSA": "Ed25519"}
_PROOF_TYPES: Final = ("jwt", "attestation")  # in our order of preference


@dataclass(frozen=True)
class Wish:
    """One request's worth: which credential, by which name, for which keys, under which grant of the vault."""

    configuration_id: str
    configuration: Supported
    identifier: str | None
    keys: tuple[HolderKeyView, ...]
    grant: str
    client_id: str | None


def choose_curve(configuration: Supported) -> str:
    """Return the curve for holder keys that the issuer accepts proofs by.

    Raises:
        UnsupportedCredential: it accepts none of ours.
    """
    if not configuration.proof_types_supported:
        return "P-256"
    algorithms = choose_proof_type(configuration)[1].proof_signing_alg_values_supported
    for algorithm, curve in _CURVES.items():
        if algorithm in algorithms:
            return curve
    raise UnsupportedCredential("the issuer accepts no key proofs with an algorithm that this wallet has")


def choose_proof_type(configuration: Supported) -> tuple[str, ProofType]:
    """Return the type of proofs to send.

    Raises:
        UnsupportedCredential: the issuer accepts none of ours.
    """
    for name in _PROOF_TYPES:
        if name in (configuration.proof_types_supported or {}):
            return name, (configuration.proof_types_supported or {})[name]
    raise UnsupportedCredential("the issuer accepts no type of key proofs that this wallet has")


async def request_credentials(wallet: Wallet, visit: Visit, issuance: Issuance, wish: Wish) -> CredentialResponse:
    """Request credentials; once more with another nonce where the issuer wants that.

    Raises:
        PeerError: refused, or the answer is not what was asked for.
        NotSignedIn, NotApproved, WalletLocked: the vault does not sign (any more).
    """
    try:
        return await _request(wallet, visit, issuance, wish)
    except PeerError as error:
        if error.code != "invalid_nonce":
            raise
    return await _request(wallet, visit, issuance, wish)


async def _request(wallet: Wallet, visit: Visit, issuance: Issuance, wish: Wish) -> CredentialResponse:
    encryption, key = prepare_encryption(issuance.issuer.metadata)
    request = CredentialRequest(
        credential_identifier=wish.identifier,
        credential_configuration_id=wish.configuration_id if wish.identifier is None else None,
        proofs=await _proofs(wallet, visit, issuance, wish),
        credential_response_encryption=encryption,
    )
    keys = len(wish.keys) if wish.configuration.needs_key else 1
    return await issuance.request(request, keys=keys, decryption_key=key)


def prepare_encryption(
    metadata: CredentialIssuerMetadata,
) -> tuple[CredentialResponseEncryption | None, PrivateKey | None]:
    """Ask for an encrypted response with a key for this answer alone, where the issuer can do that both ways (10).

    Raises:
        UnsupportedCredential: it must be encrypted, in a way that the wallet does not have.
    """
    support = metadata.credential_response_encryption
    if support is None or (metadata.credential_request_encryption is None and not support.encryption_required):
        return None, None
    enc = next((each for each in reversed(CONTENT_ENCRYPTION) if each in support.enc_values_supported), None)
    if enc is None or KEY_AGREEMENT not in support.alg_values_supported:
        if support.encryption_required:
            raise UnsupportedCredential("the issuer encrypts in no way that this wallet has")
        return None, None
    key = PrivateKey.generate()
    jwk = {**key.public.jwk, "kid": key.public.thumbprint_b64u, "use": "enc", "alg": KEY_AGREEMENT}
    zip_ = "DEF" if "DEF" in (support.zip_values_supported or ()) else None
    return CredentialResponseEncryption(jwk=jwk, enc=enc, zip=zip_), key


async def _proofs(wallet: Wallet, visit: Visit, issuance: Issuance, wish: Wish) -> Proofs | None:
    if not wish.configuration.proof_types_supported:
        return None
    name, proof_type = choose_proof_type(wish.configuration)
    nonce = await issuance.nonce()
    attestation = None
    if name == "attestation" or proof_type.key_attestations_required is not None:
        attestation = await wallet.provider.create_key_attestation(visit.person, wish.keys, nonce=nonce)
        if name == "attestation":
            return Proofs(attestation=(attestation,))
    signers = wish.keys[:1] if attestation is not None else wish.keys
    unsigned = [_key_proof(wallet, issuance, wish, key, nonce, attestation) for key in signers]
    return Proofs(jwt=await _sign(wallet, visit, wish.grant, signers, unsigned))


def _key_proof(
    wallet: Wallet, issuance: Issuance, wish: Wish, key: HolderKeyView, nonce: str | None, attestation: str | None
) -> UnsignedJws:
    public = PublicKey.from_jwk(key.public_jwk)
    accepted = choose_proof_type(wish.configuration)[1].proof_signing_alg_values_supported
    return prepare_key_proof(
        key=public,
        algorithm=next(each for each in accepted if each in public.algorithms),
        issuer=issuance.issuer.metadata.credential_issuer,
        now=wallet.clock(),
        nonce=nonce,
        client_id=wish.client_id,
        key_attestation=attestation,
    )


async def _sign(
    wallet: Wallet, visit: Visit, grant: str, keys: Sequence[HolderKeyView], unsigned: Sequence[UnsignedJws]
) -> tuple[str, ...]:
    inputs = [SigningInput(key_id=key.id, data=each.signing_input) for key, each in zip(keys, unsigned, strict=True)]
    signatures = await wallet.door.run(sign_key_proofs, visit.cookie, grant, inputs)
    return tuple(each.attach(signature) for each, signature in zip(unsigned, signatures, strict=True))
