"""New keys for old: a key is made beside the one in use, certified elsewhere, and used when its chain is here.

What the old key signed stays good: its certificate is in every credential. Status lists are signed anew at the next
publication. The old key is destroyed by whoever looks after the folder or the HSM, when nothing needs it.
"""

import asyncio
import os
import secrets
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from byoid.errors import MalformedInput
from byoid.keys import PrivateKey, PublicKey
from byoid.wire_errors import InvalidRequest
from issuer.agency import Agency

KeyName: TypeAlias = Literal["credential", "document-signer", "status", "metadata"]


async def begin(agency: Agency, name: KeyName, *, actor: str) -> bytes:
    """Make a new key in a file, and return a certificate signing request for it (PKCS#10, PEM).

    Raises:
        InvalidRequest: the key in use is in an HSM: make the new one there, and put its `.hsm` and `.pem` in place.
    """
    settings = agency.issuer.settings
    if (settings.keys / f"{name}.hsm").exists():
        raise InvalidRequest("this key is in an HSM: python -m issuer rotate-keys makes the new one")
    key = PrivateKey.generate()
    password = settings.key_password.get_secret_value().encode() if settings.key_password else None
    await asyncio.to_thread(write_secret, _next(settings.keys, name), key.to_pem(password))
    async with agency.issuer.store.transaction() as tx:
        await agency.note(tx, "key.made", actor=actor, key=name, thumbprint=key.public.thumbprint_b64u)
    return signing_request(key, settings.agency_name, settings.agency_country)


async def complete(agency: Agency, name: KeyName, chain: bytes, *, actor: str) -> None:
    """Put a new key and its chain in the place of the ones in use.

    Raises:
        InvalidRequest: no rotation was begun, or the certificate is for another key, or not valid now.
    """
    settings = agency.issuer.settings
    waiting = _next(settings.keys, name)
    password = settings.key_password.get_secret_value().encode() if settings.key_password else None
    try:
        key = PrivateKey.from_pem(waiting.read_bytes(), password)
        certificates = x509.load_pem_x509_certificates(chain)
    except OSError as error:
        raise InvalidRequest("no rotation of this key was begun") from error
    except (ValueError, MalformedInput) as error:
        raise InvalidRequest("expected a certificate chain as PEM") from error
    require_certified(certificates, key.public, agency)
    await asyncio.to_thread(_install, settings.keys, name, chain)
    async with agency.issuer.store.transaction() as tx:
        await agency.note(tx, "key.rotated", actor=actor, key=name, thumbprint=key.public.thumbprint_b64u)
    agency.issuer.keys.refresh()


def require_certified(certificates: list[x509.Certificate], key: PublicKey, agency: Agency) -> None:
    """Refuse a chain that is not for a key, or not valid now.

    Raises:
        InvalidRequest: it is.
    """
    now = agency.issuer.clock()
    if not certificates or PublicKey.from_certificate(certificates[0]) != key:
        raise InvalidRequest("the first certificate is for another key")
    if any(not each.not_valid_before_utc <= now < each.not_valid_after_utc for each in certificates):
        raise InvalidRequest("a certificate of the chain is not valid now")
    for child, parent in pairwise(certificates):
        try:
            child.verify_directly_issued_by(parent)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise InvalidRequest("the chain is not in order: the leaf first, each followed by its issuer") from error


def signing_request(key: PrivateKey, organization: str, country: str) -> bytes:
    """Return a certificate signing request (PKCS#10) as PEM."""
    if not isinstance(key.native, ec.EllipticCurvePrivateKey):
        raise MalformedInput("expected an EC key")
    name = x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, country),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, organization),
    ])  # fmt: skip
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key.native, hashes.SHA256())
    return request.public_bytes(Encoding.PEM)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, all of it or nothing."""
    waiting = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)


def _next(folder: Path, name: str) -> Path:
    return folder / f"{name}.next.key"


def _install(folder: Path, name: str, chain: bytes) -> None:
    _next(folder, name).replace(
        folder / f"{name}.key"
    )  # first: until the chain is there too, the old pair stays in use
    write_secret(folder / f"{name}.pem", chain)
