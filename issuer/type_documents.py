"""SD-JWT VC type metadata of the agency's types, served at `/types/{id}` and bound by `vct#integrity` (SD-JWT VC 5, 6).

A credential names the digest only where its `vct` is the URL of our document: nobody could fetch it for a URN.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from byoid.encoding import json_dumps
from byoid.formats.type_metadata import (
    ClaimDisplay,
    ClaimMetadata,
    Rendering,
    SimpleRendering,
    TypeDisplay,
    TypeMetadata,
    integrity_of,
)
from issuer.credential_types import CredentialType, in_language


@dataclass(frozen=True)
class TypeDocument:
    """A document as its bytes are served, and their digest."""

    content: bytes
    integrity: str


def type_documents(types: Mapping[str, CredentialType], *, public_url: str) -> dict[str, TypeDocument]:
    """Return the document of every type that is issued as SD-JWT VC, by the type's id."""
    found = {}
    for kind in types.values():
        if kind.sd_jwt_vc is not None:
            content = json_dumps(_metadata(kind, vct=vct_of(kind, public_url=public_url)).to_wire())
            found[kind.id] = TypeDocument(content, integrity_of(content))
    return found


def vct_of(kind: CredentialType, *, public_url: str) -> str:
    """Return the type's `vct`; in a type file, `{public_url}` stands for this issuer's own address."""
    return kind.sd_jwt_vc.vct.replace("{public_url}", public_url) if kind.sd_jwt_vc else ""


def type_url(kind: CredentialType, *, public_url: str) -> str:
    """Return where the document is served."""
    return f"{public_url}/types/{kind.id}"


def _metadata(kind: CredentialType, *, vct: str) -> TypeMetadata:
    colours = SimpleRendering(background_color=kind.colours.background, text_color=kind.colours.text)
    return TypeMetadata(
        vct=vct,
        name=in_language(kind.name, "en"),
        description=in_language(kind.description, "en"),
        display=tuple(
            TypeDisplay(
                locale=locale, name=name, description=kind.description[locale], rendering=Rendering(simple=colours)
            )
            for locale, name in kind.name.items()
        ),
        claims=tuple(
            ClaimMetadata(
                path=claim.path,
                display=tuple(ClaimDisplay(locale=locale, label=label) for locale, label in claim.label.items()),
                mandatory=claim.required,
                sd=claim.disclosure,
            )
            for claim in kind.claims
            if claim.sd_jwt
        ),
    )
