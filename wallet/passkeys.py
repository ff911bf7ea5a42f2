"""Passkeys: the options that go to the browser, and the checks of what comes back.

Spec: W3C Web Authentication Level 3, §7.1 (registering) and §7.2 (asserting); extension `prf` (§10.1.4). The only file
that imports `webauthn`; what that library leaves open is checked here first. Nothing is stored here: single use of
challenges and keeping of sign counts are writes, and belong to the vault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Final

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn.helpers import (
    bytes_to_base64url,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    options_to_json_dict,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorData,
    AuthenticatorDataFlags,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from byoid.encoding import b64u_decode, b64u_encode, json_object
from byoid.errors import BadSignature, ClaimMismatch, HolderBindingError, MalformedInput, Replayed, WrongType
from byoid.keys import PublicKey

CHALLENGE_BYTES: Final = 32
MAX_RESPONSE_BYTES: Final = 1 << 16
_MAX_CREDENTIAL_ID_BYTES: Final = 1023  # WebAuthn §7.1 step 25
_JOSE_ALGORITHMS: Final = {COSEAlgorithmIdentifier.ECDSA_SHA_256: "ES256", COSEAlgorithmIdentifier.EDDSA: "Ed25519"}
_ALGORITHMS: Final = list(_JOSE_ALGORITHMS)
# Public inputs of the PRF. Fixed for all, so that one prompt is enough on a browser that has never seen the citizen:
# the authenticator mixes in a secret of its own for each credential.
READING_SALT: Final = sha256(b"byoid wallet reading key, version 1").digest()
SIGNING_SALT: Final = sha256(b"byoid wallet signing key, version 1").digest()


@dataclass(frozen=True, slots=True)
class WebAuthnParty:
    """Who we are to authenticators: `id` is the rpId (a host), `origins` the only pages that may ask."""

    id: str
    name: str
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisteredPasskey:
    """A passkey whose registration was verified."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool

    @property
    def id(self) -> str:
        """The credential id as the browser writes it."""
        return b64u_encode(self.credential_id)


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """An assertion by a passkey of ours, with the user verified, for the challenge expected."""

    passkey_id: str
    sign_count: int
    backed_up: bool


def registration_options(
    party: WebAuthnParty, *, challenge: bytes, user_handle: bytes, account_name: str, existing: Sequence[str]
) -> dict[str, Any]:
    """Prepare the options of `navigator.credentials.create`.

    Args:
        party: who we are.
        challenge: fresh random bytes.
        user_handle: opaque; the authenticator returns it with each assertion.
        account_name: what the authenticator shows beside the passkey. It stays on the citizen's devices.
        existing: ids of the passkeys that this person has, so that no device registers twice.
    """
    options = webauthn.generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_name=account_name,
        user_id=user_handle,
        challenge=challenge,
        supported_pub_key_algs=_ALGORITHMS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=b64u_decode(passkey)) for passkey in existing],
    )
    salts = {"first": bytes_to_base64url(READING_SALT), "second": bytes_to_base64url(SIGNING_SALT)}
    return {**options_to_json_dict(options), "extensions": {"credProps": True, "prf": {"eval": salts}}}


def assertion_options(
    party: WebAuthnParty, *, challenge: bytes, allowed: Sequence[str], salts: Sequence[bytes]
) -> dict[str, Any]:
    """Prepare the options of `navigator.credentials.get`.

    Args:
        party: who we are.
        challenge: fresh random bytes, or the commitment that an approval makes.
        allowed: passkey ids; empty lets the citizen choose among the discoverable ones.
        salts: none, one or both of `READING_SALT`, `SIGNING_SALT`: which keys this assertion may unwrap.
    """
    options = webauthn.generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        allow_credentials=[PublicKeyCredentialDescriptor(id=b64u_decode(passkey)) for passkey in allowed],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    if not salts:
        return dict(options_to_json_dict(options))
    inputs = dict(zip(("first", "second"), map(bytes_to_base64url, salts), strict=False))
    prf = {"evalByCredential": dict.fromkeys(allowed, inputs)} if allowed else {"eval": inputs}
    return {**options_to_json_dict(options), "extensions": {"prf": prf}}


def credential_id(response: Mapping[str, Any]) -> str:
    """Return the id of the passkey that a response says it comes from; nothing is believed yet.

    Raises:
        MalformedInput: there is none.
    """
    found = response.get("id")
    if not isinstance(found, str) or not 0 < len(b64u_decode(found)) <= _MAX_CREDENTIAL_ID_BYTES:
        raise MalformedInput("expected the id of a passkey")
    return found


def verify_registration(response: Mapping[str, Any], *, party: WebAuthnParty, challenge: bytes) -> RegisteredPasskey:
    """Verify what `navigator.credentials.create` returned (WebAuthn §7.1).

    Raises:
        MalformedInput: not a registration response, or a public key that is none (off its curve, wrong kind).
        WrongType: the response of another ceremony.
        ClaimMismatch: another challenge, origin, frame or rpId, or the user was not verified.
        BadSignature: the attestation does not verify.
    """
    members = _members(response, "clientDataJSON", "attestationObject")
    _check_client_data(members["clientDataJSON"], kind="webauthn.create", party=party, challenge=challenge)
    try:
        verified = webauthn.verify_registration_response(
            credential=_bare(response, members),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            require_user_verification=False,  # the flags are judged below, with an error that names them
            supported_pub_key_algs=_ALGORITHMS,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise BadSignature(f"the registration does not verify: {type(error).__name__}") from error
    flags = _checked_flags(parse_attestation_object(verified.attestation_object).auth_data.flags)
    _require_usable(verified.credential_public_key)
    if verified.credential_id != b64u_decode(credential_id(response)):
        raise ClaimMismatch("the attested credential id is not the id of the response")
    return RegisteredPasskey(verified.credential_id, verified.credential_public_key, verified.sign_count, flags.be)


def verify_assertion(
    response: Mapping[str, Any],
    *,
    party: WebAuthnParty,
    challenge: bytes,
    passkey: RegisteredPasskey,
    user_handle: bytes,
    identified: bool,
) -> VerifiedAssertion:
    """Verify what `navigator.credentials.get` returned (WebAuthn §7.2), by a passkey of the person `user_handle`.

    The caller has looked the passkey up by `credential_id(response)`, and keeps the new sign count. `identified` tells
    whether we knew before whose passkey it must be; where not, the authenticator must say it (§7.2 step 6).

    Raises:
        MalformedInput: not an assertion.
        WrongType: the response of another ceremony.
        HolderBindingError: another person's passkey.
        ClaimMismatch: another challenge, origin, frame or rpId, or the user was not verified.
        Replayed: the sign count went back: the passkey was cloned, or the assertion is an old one.
        BadSignature: the signature does not verify.
    """
    members = _members(response, "clientDataJSON", "authenticatorData", "signature")
    if credential_id(response) != passkey.id:
        raise HolderBindingError("the assertion was made by another passkey")
    _check_user_handle(response, user_handle, required=not identified)
    _check_client_data(members["clientDataJSON"], kind="webauthn.get", party=party, challenge=challenge)
    data = _authenticator_data(members["authenticatorData"])
    if not compare_digest(data.rp_id_hash, sha256(party.id.encode()).digest()):
        raise ClaimMismatch("the assertion was made for another rpId")
    flags = _checked_flags(data.flags)
    if flags.be != passkey.backup_eligible:
        raise ClaimMismatch("the passkey's backup eligibility changed, which it never may (WebAuthn §7.2 step 19)")
    if (data.sign_count or passkey.sign_count) and data.sign_count <= passkey.sign_count:
        raise Replayed(f"the sign count is {data.sign_count}, it was {passkey.sign_count} before")
    try:
        webauthn.verify_authentication_response(
            credential=_bare(response, members),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=list(party.origins),
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise BadSignature(f"the assertion does not verify: {type(error).__name__}") from error
    return VerifiedAssertion(passkey.id, data.sign_count, flags.bs)


def _members(response: Mapping[str, Any], *names: str) -> dict[str, bytes]:
    """Return the members of `response.response` decoded, bounded before anything is parsed."""
    if response.get("type") != "public-key" or response.get("rawId") != credential_id(response):
        raise MalformedInput("expected a public-key credential whose id and rawId are the same")
    results = response.get("clientExtensionResults")
    if isinstance(results, Mapping) and isinstance(prf := results.get("prf"), Mapping) and prf.get("results"):
        raise MalformedInput("the output of the PRF must stay in the page; only what is derived from it may be sent")
    inner = response.get("response")
    if not isinstance(inner, Mapping):
        raise MalformedInput("expected a member `response`")
    texts = {name: inner.get(name) for name in names}
    if any(not isinstance(text, str) or len(text) > MAX_RESPONSE_BYTES for text in texts.values()):
        raise MalformedInput(f"expected the texts {', '.join(names)}, each of at most {MAX_RESPONSE_BYTES} characters")
    return {name: b64u_decode(str(text)) for name, text in texts.items()}


def _bare(response: Mapping[str, Any], members: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the response reduced to what the library needs: what it doesn't see, it can't trip over."""
    inner = {name: b64u_encode(value) for name, value in members.items()}
    return {"id": response["id"], "rawId": response["rawId"], "type": "public-key", "response": inner}


def _check_client_data(raw: bytes, *, kind: str, party: WebAuthnParty, challenge: bytes) -> None:
    """Check `clientDataJSON` (§7.1 steps 6 to 11, §7.2 steps 10 to 15). No frame of another site may ask, ever."""
    client_data = json_object(raw, max_bytes=MAX_RESPONSE_BYTES)
    if client_data.get("type") != kind:
        raise WrongType(f"expected the ceremony {kind}")
    if not compare_digest(str(client_data.get("challenge")).encode(), b64u_encode(challenge).encode()):
        raise ClaimMismatch("the response answers another challenge")
    if client_data.get("origin") not in party.origins:
        raise ClaimMismatch(f"the response comes from another origin than {', '.join(party.origins)}")
    if client_data.get("crossOrigin", False) is not False or "topOrigin" in client_data:
        raise ClaimMismatch("the ceremony ran in a frame of another site")


def _check_user_handle(response: Mapping[str, Any], user_handle: bytes, *, required: bool) -> None:
    """A discoverable passkey says whose it is; where we had named the passkeys, the browser may leave it out."""
    found = response["response"].get("userHandle")
    if found is None and not required:
        return
    if not isinstance(found, str):
        raise MalformedInput("expected userHandle to be a text")
    if not compare_digest(b64u_decode(found), user_handle):
        raise HolderBindingError("the passkey belongs to another person")


def _authenticator_data(raw: bytes) -> AuthenticatorData:
    try:
        return parse_authenticator_data(raw)
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise MalformedInput("the authenticator data cannot be parsed") from error


def _checked_flags(flags: AuthenticatorDataFlags) -> AuthenticatorDataFlags:
    """Check the flags of both ceremonies: the user was there and verified; backed up only what can be."""
    if not flags.up or not flags.uv:
        raise ClaimMismatch("the authenticator did not verify its user")
    if flags.bs and not flags.be:
        raise ClaimMismatch("the passkey is backed up and says that it can't be")
    return flags


def _require_usable(cose_key: bytes) -> None:
    """Load the key now: a point off the curve would register, and fail at every sign-in."""
    try:
        decoded = decode_credential_public_key(cose_key)
        native = decoded_public_key_to_cryptography(decoded)
    except (WebAuthnException, ValueError, KeyError, TypeError, UnsupportedAlgorithm) as error:
        raise MalformedInput("the passkey's public key cannot be used") from error
    if _JOSE_ALGORITHMS.get(decoded.alg) not in PublicKey.from_native(native).algorithms:
        raise MalformedInput("expected a passkey on P-256 or Ed25519, with the algorithm of its key")
