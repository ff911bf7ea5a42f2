"""The key binding JWT: the holder's signature over one presentation, for one verifier and one nonce.

Spec: RFC 9901 sections 4.3 and 7.3 step 5; OpenID4VP 1.0 appendix B.3.3.1 (hashes of transaction data). The key comes
from the credential and from nowhere else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from byoid.encoding import b64u_decode, json_object
from byoid.errors import BadSignature, HolderBindingError, MalformedInput
from byoid.formats.holder_binding import HolderBinding
from byoid.formats.sd_jwt import DEFAULT_HASH, HASH_ALGORITHMS, SdJwt, digest, hash_name_of, numeric_date
from byoid.jose import UnsignedJws, VerifiedJws, prepare_jws, verify_jws
from byoid.keys import PublicKey

KEY_BINDING_TYPE: Final = "kb+jwt"
TRANSACTION_DATA_HASHES: Final = "transaction_data_hashes"
TRANSACTION_DATA_HASHES_ALG: Final = "transaction_data_hashes_alg"


@dataclass(frozen=True, slots=True)
class UnsignedPresentation:
    """An SD-JWT whose key binding JWT waits for the holder's signature."""

    sd_jwt: str
    key_binding: UnsignedJws

    @property
    def signing_input(self) -> bytes:
        """The bytes to sign with the holder's key."""
        return self.key_binding.signing_input

    def attach(self, signature: bytes) -> str:
        """Return the SD-JWT+KB."""
        return self.sd_jwt + self.key_binding.attach(signature)


def prepare_key_binding(
    sd_jwt: str,
    *,
    audience: str,
    nonce: str,
    issued_at: datetime,
    algorithm: str,
    hash_name: str | None = None,
    transaction_data: Sequence[str] = (),
    transaction_data_hashes_alg: str | None = None,
) -> UnsignedPresentation:
    """Prepare the key binding JWT of a presentation (section 4.3).

    Args:
        sd_jwt: the SD-JWT with the chosen disclosures, as `HeldSdJwtVc.present` returns it.
        audience: who shall believe it: client identifier, or `origin:` and the origin.
        nonce: the verifier's.
        issued_at: now.
        algorithm: of the holder's key.
        hash_name: the SD-JWT's `_sd_alg`, of whoever has read it before (`HeldSdJwtVc.hash_name`); else it is read.
        transaction_data: strings of the request that this presentation authorises, as received.
        transaction_data_hashes_alg: one of those that the request names; None where it names none.

    Raises:
        MalformedInput: not an SD-JWT that ends with a tilde, or its payload is not JSON.
    """
    if not sd_jwt.endswith("~") or sd_jwt.count(".") != 2:  # noqa: PLR2004 (those of one JWT)
        raise MalformedInput("expected an SD-JWT without key binding, which ends with a tilde")
    if hash_name is None:
        hash_name = hash_name_of(json_object(b64u_decode(sd_jwt.split(".")[1])))
    claims: dict[str, Any] = {
        "iat": int(issued_at.timestamp()),
        "aud": audience,
        "nonce": nonce,
        "sd_hash": digest(sd_jwt, hash_name),
    }
    if transaction_data:
        name = transaction_data_hashes_alg or DEFAULT_HASH
        claims[TRANSACTION_DATA_HASHES] = [digest(each, name) for each in transaction_data]
        if transaction_data_hashes_alg:
            claims[TRANSACTION_DATA_HASHES_ALG] = name
    return UnsignedPresentation(sd_jwt, prepare_jws(claims, algorithm=algorithm, typ=KEY_BINDING_TYPE))


def verify_key_binding(
    sd_jwt: SdJwt,
    *,
    holder_key: PublicKey,
    hash_name: str,
    binding: HolderBinding,
    now: datetime,
    leeway: timedelta,
    algorithms: Collection[str],
    transaction_data: Sequence[str] = (),
) -> VerifiedJws:
    """Verify the key binding JWT of a presentation (section 7.3, steps 2 and 5).

    Args:
        sd_jwt: the presentation.
        holder_key: the key of the credential's `cnf` (5.1).
        hash_name: the hash algorithm of the SD-JWT.
        binding: the audience and nonce of this transaction.
        now: the time.
        leeway: by how much clocks may differ.
        algorithms: acceptable signature algorithms.
        transaction_data: the strings of the request that the presentation must authorise, in their order.

    Raises:
        HolderBindingError: no key binding JWT, or one for another nonce, audience, time, presentation or transaction.
        WrongType: another `typ` or algorithm.
        BadSignature: the signature is not the holder's.
        MalformedInput: not a JWT, or claims of the wrong kind.
    """
    if sd_jwt.key_binding_jwt is None:
        raise HolderBindingError("expected a key binding JWT, the presentation has none")  # 7.3 step 2
    try:  # 5.2 to 5.4
        verified = verify_jws(sd_jwt.key_binding_jwt, holder_key, algorithms=algorithms, typ=KEY_BINDING_TYPE)
    except BadSignature as error:
        raise BadSignature("the key binding JWT is not signed by the key that the credential is bound to") from error
    claims = verified.claims
    issued = numeric_date(claims, "iat")
    if issued is None or not now - binding.max_age - leeway <= issued <= now + leeway:  # 5.5
        raise HolderBindingError("the key binding JWT was not made just now, or does not say when")
    expected = {"nonce": binding.nonce, "aud": binding.audience, "sd_hash": digest(sd_jwt.presented, hash_name)}
    for name, value in expected.items():  # 5.6, 5.7
        if claims.get(name) != value:
            raise HolderBindingError(f"the key binding JWT has another {name} than expected, or none")
    if transaction_data:
        _require_transaction_data(claims, transaction_data)
    return verified


def _require_transaction_data(claims: dict[str, Any], transaction_data: Sequence[str]) -> None:
    """Compare hashes over the strings as they were sent, one for each, in their order (OpenID4VP B.3.3.1)."""
    allowed = [_hash_names(each) for each in transaction_data]
    accepted = [name for name in HASH_ALGORITHMS if all(name in (names or (DEFAULT_HASH,)) for names in allowed)]
    name = claims.get(TRANSACTION_DATA_HASHES_ALG, None if any(allowed) else DEFAULT_HASH)
    if name not in accepted:
        raise HolderBindingError(f"expected {TRANSACTION_DATA_HASHES_ALG} to be one of {', '.join(accepted)}")
    if claims.get(TRANSACTION_DATA_HASHES) != [digest(each, name) for each in transaction_data]:
        raise HolderBindingError("the key binding JWT is not for the transaction data that were sent")


def _hash_names(transaction_data: str) -> list[str] | None:
    """Return the hash algorithms that a transaction data object allows; None if it does not say."""
    names = json_object(b64u_decode(transaction_data)).get(TRANSACTION_DATA_HASHES_ALG)
    if names is None:
        return None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise MalformedInput(f"expected {TRANSACTION_DATA_HASHES_ALG} to be a list of texts")
    return names
