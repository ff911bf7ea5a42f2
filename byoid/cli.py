"""The command `byoid`: look at a credential, verify one in a file, make a demo PKI.

Needs the library alone, no service. `inspect` believes nothing and says so; `verify` checks signature, digests, dates
and trust, but not the status (nothing is fetched) and not who holds the credential. Results are printed as JSON.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from byoid.encoding import b64u_decode, b64u_encode
from byoid.errors import ByoidError, MalformedInput
from byoid.formats.holder_binding import NoHolderBinding
from byoid.formats.mdoc.present import HeldMdoc
from byoid.formats.mdoc.verify import verify_issuer_signed
from byoid.formats.sd_jwt_vc import HeldSdJwtVc, verify_sd_jwt_vc
from byoid.keys import PrivateKey
from byoid.trust.anchors import Purpose, TrustAnchors
from byoid.trust.pki import SubjectName, dns, make_leaf, make_root, to_pem
from byoid.trust.signers import demanded_purposes
from byoid.trust.x509 import TrustedChain, verify_chain

MAX_FILE_BYTES: Final = 4 << 20
SIGNERS: Final = (Purpose.PID, Purpose.ATTESTATION, Purpose.STATUS, Purpose.ACCESS, Purpose.REGISTRATION, Purpose.MDOC)
_TRUST: Final = """[[anchor]]
file = "root.pem"
purposes = ["pid", "attestation", "status", "access", "registration"]
source = "demo"

[[anchor]]
file = "iaca.pem"
purposes = ["pid", "mdoc"]
source = "demo"
"""
Credential: TypeAlias = HeldSdJwtVc | HeldMdoc


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 if it succeeded, 1 if the input was refused, 2 if it was called wrongly."""
    options = _parser().parse_args(arguments)
    try:
        result = options.run(options)
    except (ByoidError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2, ensure_ascii=False, default=_to_json))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="byoid", description="Look at credentials, verify them, make a demo PKI.")
    commands = parser.add_subparsers(required=True, metavar="command")
    look = commands.add_parser("inspect", help="print what is in an SD-JWT VC or mdoc; nothing is believed")
    look.add_argument("file", help="the credential, - for standard input")
    look.set_defaults(run=inspect)
    check = commands.add_parser("verify", help="verify an SD-JWT VC or mdoc against trust anchors")
    check.add_argument("file", help="the credential, - for standard input")
    check.add_argument("--anchors", required=True, type=Path, help="PEM file of the certificates that are trusted")
    check.add_argument("--pinned", action="store_true", help="the anchors are the signers themselves")
    check.set_defaults(run=verify)
    make = commands.add_parser("pki", help="make a root, signers and a trust file for a demo; keys are not encrypted")
    make.add_argument("folder", type=Path, help="where to write; must not exist")
    make.add_argument("--host", default="localhost", help="DNS name in the access certificate")
    make.set_defaults(run=make_pki)
    return parser


def inspect(options: argparse.Namespace) -> dict[str, Any]:
    """Print the structure of a credential."""
    return {**_describe(_read(options.file)), "verified": False}


def verify(options: argparse.Namespace) -> dict[str, Any]:
    """Verify a credential against the anchors in a PEM file."""
    credential, now = _read(options.file), datetime.now(UTC)
    mdoc = isinstance(credential, HeldMdoc)
    types = credential.doctype if isinstance(credential, HeldMdoc) else credential.vct
    (purpose,) = demanded_purposes({types}, mdoc=mdoc)
    anchors = TrustAnchors.from_pem(
        options.anchors.read_bytes(), [purpose], str(options.anchors), pinned=options.pinned
    )
    x5c = credential.x5chain if isinstance(credential, HeldMdoc) else credential.x5c
    chain = verify_chain(x5c, anchors=anchors, purpose=purpose, now=now)
    _verify(credential, chain, now)
    return {
        **_describe(credential),
        "verified": True,
        "issuer": chain.subject_name,
        "trusted_because_of": chain.anchor.source,
        "not_checked": ["status", "holder"],
    }


def make_pki(options: argparse.Namespace) -> dict[str, Any]:
    """Write a root, an IACA and a signer for each purpose, which only their owner can read, and a trust file."""
    folder, now = options.folder, datetime.now(UTC)
    folder.mkdir(mode=0o700, parents=True)
    root = make_root(SubjectName("Demo Root", "byoid demo"), key=PrivateKey.generate(), now=now)
    iaca = make_root(
        SubjectName("Demo IACA", "byoid demo"),
        key=PrivateKey.generate(),
        now=now,
        path_length=0,
        contact="https://byoid.example",
    )
    for name, authority in (("root", root), ("iaca", iaca)):
        _write(folder / f"{name}.pem", to_pem(authority.certificate))
        _write(folder / f"{name}.key", authority.key.to_pem())
    for purpose in SIGNERS:
        key, subject = PrivateKey.generate(), SubjectName(f"Demo {purpose}", "byoid demo", f"NTRUT-{purpose}")
        names = dns(options.host) if purpose is Purpose.ACCESS else ()
        issuer = iaca if purpose is Purpose.MDOC else root
        leaf = make_leaf(issuer, subject, key=key.public, purpose=purpose, now=now, names=names)
        _write(folder / f"{purpose}.pem", to_pem(leaf))
        _write(folder / f"{purpose}.key", key.to_pem())
    _write(folder / "trust.toml", _TRUST.encode())
    return {"folder": str(folder), "files": sorted(path.name for path in folder.iterdir())}


def _read(name: str) -> Credential:
    """Read a credential: text with a tilde is an SD-JWT VC, the rest an IssuerSigned, encoded or as base64url."""
    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    if len(raw) > MAX_FILE_BYTES:
        raise MalformedInput(f"expected a file of at most {MAX_FILE_BYTES} bytes")
    text = raw.decode("ascii").strip() if raw.isascii() else ""
    if "~" in text:
        return HeldSdJwtVc.from_text(text[: text.rindex("~") + 1])  # whose key binding it has does not matter here
    try:
        return HeldMdoc.from_bytes(b64u_decode(text) if text else raw)
    except MalformedInput as error:
        raise MalformedInput(f"expected an SD-JWT VC, which has tildes, or an mdoc's IssuerSigned: {error}") from error


def _verify(credential: Credential, chain: TrustedChain, now: datetime) -> None:
    if isinstance(credential, HeldSdJwtVc):
        verify_sd_jwt_vc(credential.text, issuer_key=chain.public_key, binding=NoHolderBinding(), now=now)
        return
    verify_issuer_signed(
        credential.raw,
        issuer_key=chain.public_key,
        doctype=credential.doctype,
        device_key=credential.device_key,
        now=now,
        issuer_certificate=chain.leaf,
    )


def _describe(credential: Credential) -> dict[str, Any]:
    status = {"uri": credential.status.uri, "index": credential.status.index} if credential.status else None
    if isinstance(credential, HeldMdoc):
        return {
            "format": "mso_mdoc",
            "type": credential.doctype,
            "claims": credential.namespaces,
            "valid_from": credential.validity.valid_from,
            "expires_at": credential.validity.valid_until,
            "holder_key": dict(credential.device_key.jwk),
            "certificates": len(credential.x5chain),
            "status": status,
        }
    return {
        "format": "dc+sd-jwt",
        "type": credential.vct,
        "claims": credential.claims,
        "disclosable": sorted((list(path) for path in credential.disclosable_paths), key=str),
        "issued_at": credential.issued_at,
        "expires_at": credential.expires_at,
        "holder_key": dict(credential.holder_key.jwk) if credential.holder_key else None,
        "certificates": len(credential.x5c),
        "status": status,
    }


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _to_json(value: object) -> object:
    """Show what CBOR has and JSON has not."""
    if isinstance(value, bytes):
        return {"base64url": b64u_encode(value)}
    return value.isoformat() if isinstance(value, date) else str(value)


if __name__ == "__main__":
    sys.exit(main())
