"""SD-JWT VC Type Metadata: what a credential type is called, which claims it has, and which of them may be hidden.

Spec: draft-ietf-oauth-sd-jwt-vc-19 sections 5 (metadata, `extends`) and 6 (integrity). Documents are fetched by the
caller, who also decides whether a type's metadata have to be processed; rendering is not done here.
"""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol, Self

from pydantic import Field, field_validator, model_validator

from byoid.claims import ClaimPath, parse_claim_path
from byoid.errors import ClaimMismatch, DigestMismatch, MalformedInput
from byoid.formats.sd_jwt import ProcessedSdJwt
from byoid.message import Array, Message, parse_message

MAX_TYPES: Final = 8  # in a chain of extended types
MAX_CLAIMS: Final = 1024  # in one document
_STRENGTH: Final = ("sha512", "sha384", "sha256")  # strongest first
_WITHHELD: Final = object()


class Image(Message):
    """A logo, background or SVG template: an https or `data:` URI (5.5.1). Fetch it, then check `integrity`."""

    uri: Annotated[str, Field(pattern="^(https://|data:)")]
    integrity: str | None = Field(default=None, alias="uri#integrity")
    alt_text: str | None = None


class SvgProperties(Message):
    """What an SVG template is made for (5.5.1.2.1)."""

    orientation: Literal["portrait", "landscape"] | None = None
    color_scheme: Literal["light", "dark"] | None = None
    contrast: Literal["normal", "high"] | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.orientation is None and self.color_scheme is None and self.contrast is None:
            raise ValueError("must name at least one property")
        return self


class SvgTemplate(Image):
    """An SVG template (5.5.1.2)."""

    properties: SvgProperties | None = None


class SimpleRendering(Message):
    """Colours and images of a card (5.5.1.1)."""

    logo: Image | None = None
    background_image: Image | None = None
    background_color: str | None = None
    text_color: str | None = None


class Rendering(Message):
    """The rendering methods of a type (5.5.1)."""

    simple: SimpleRendering | None = None
    svg_templates: Array[SvgTemplate] | None = None

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        templates = self.svg_templates or ()
        if len(templates) > 1 and any(each.properties is None for each in templates):
            raise ValueError("several svg_templates must have properties each")
        return self


class TypeDisplay(Message):
    """How a type is shown in one language (5.5)."""

    locale: str
    name: str
    description: str | None = None
    rendering: Rendering | None = None


class ClaimDisplay(Message):
    """How a claim is called in one language (5.6.2)."""

    locale: str
    label: str
    description: str | None = None


class ClaimMetadata(Message):
    """What a type says about the claims at one path (5.6)."""

    path: ClaimPath
    display: Array[ClaimDisplay] = ()
    mandatory: bool = False
    sd: Literal["always", "allowed", "never"] = "allowed"
    svg_id: Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")] | None = None

    @field_validator("path", mode="before")
    @classmethod
    def _path(cls, value: object) -> ClaimPath:
        try:
            return parse_claim_path(value)
        except MalformedInput as error:
            raise ValueError(str(error)) from None

    def extended_by(self, child: Self) -> Self:
        """Return the metadata with the child's properties put over these, each as a whole (5.6.5).

        Raises:
            MalformedInput: the child loosens `sd` or `mandatory` (5.6.5.1).
        """
        stated = {name: getattr(child, name) for name in child.model_fields_set}
        if self.sd != "allowed" and stated.get("sd", self.sd) != self.sd:
            raise MalformedInput(f"an extending type changes sd of a claim from {self.sd}")
        if self.mandatory and not stated.get("mandatory", True):
            raise MalformedInput("an extending type makes a mandatory claim optional")
        return self.model_copy(update=stated)


class TypeMetadata(Message):
    """One type metadata document (5.2)."""

    vct: str
    name: str | None = None
    description: str | None = None
    extends: str | None = None
    extends_integrity: str | None = Field(default=None, alias="extends#integrity")
    display: Array[TypeDisplay] | None = None
    claims: Annotated[Array[ClaimMetadata], Field(max_length=MAX_CLAIMS)] = ()

    @model_validator(mode="after")
    def _unique_ids(self) -> Self:
        _require_unique_ids(self.claims)
        return self


@dataclass(frozen=True, slots=True)
class ResolvedType:
    """A type with everything that it inherits. `types` names it first, then the types that it extends."""

    types: tuple[str, ...]
    display: tuple[TypeDisplay, ...]
    claims: tuple[ClaimMetadata, ...]


def parse_type_metadata(document: bytes) -> TypeMetadata:
    """Parse a document, to see which type it `extends`; it is not believed before `resolve_type` has checked it.

    Raises:
        MalformedInput: not a type metadata document.
    """
    return parse_message(TypeMetadata, document)


def integrity_of(document: bytes) -> str:
    """Return the `#integrity` value of a document that we publish."""
    return f"sha256-{b64encode(hashlib.sha256(document).digest()).decode('ascii')}"


def verify_integrity(document: bytes, integrity: str) -> None:
    """Check a document, exactly as retrieved, against an `#integrity` value (section 6).

    Of several hashes those of the strongest algorithm that we know decide, and one of them must fit.

    Raises:
        DigestMismatch: none fits, or no algorithm is known.
    """
    expected: dict[str, list[bytes]] = {}
    for expression in integrity.split():
        algorithm, _, value = expression.partition("?")[0].partition("-")
        expected.setdefault(algorithm, []).append(_base64(value))
    strongest = next((name for name in _STRENGTH if name in expected), None)
    if strongest is None:
        raise DigestMismatch(f"expected integrity by {', '.join(_STRENGTH)}, got no hash of them")
    if hashlib.new(strongest, document).digest() not in expected[strongest]:
        raise DigestMismatch("a document is not the one whose hash was given")


def resolve_type(vct: str, *, documents: Mapping[str, bytes], integrity: str | None = None) -> ResolvedType:
    """Put a type's metadata together with those of the types that it extends (5.4, 5.5.2, 5.6.5).

    Args:
        vct: of the credential.
        documents: the documents as retrieved, by type.
        integrity: `vct#integrity` of the credential.

    Raises:
        ClaimMismatch: a document is missing, or is another type's (5.3).
        DigestMismatch: a document is not the one that credential or extending type vouch for.
        MalformedInput: not type metadata, a circle of types, or a rule loosened by an extending type.
    """
    chain: list[TypeMetadata] = []
    wanted: str | None = vct
    while wanted is not None:
        if any(known.vct == wanted for known in chain) or len(chain) == MAX_TYPES:
            raise MalformedInput(f"types extend each other in a circle, or more than {MAX_TYPES} deep")
        metadata = _document(wanted, documents, integrity)
        chain.append(metadata)
        wanted, integrity = metadata.extends, metadata.extends_integrity
    claims: dict[ClaimPath, ClaimMetadata] = {}
    for metadata in reversed(chain):
        for claim in metadata.claims:
            inherited = claims.get(claim.path)
            claims[claim.path] = claim if inherited is None else inherited.extended_by(claim)
    display = next((metadata.display for metadata in chain if metadata.display is not None), ())
    _require_unique_ids(tuple(claims.values()))
    return ResolvedType(tuple(metadata.vct for metadata in chain), display, tuple(claims.values()))


class ProcessedCredential(Protocol):
    """A verified or held SD-JWT VC."""

    @property
    def processed(self) -> ProcessedSdJwt:
        """Its processed payload."""
        ...


def check_claims(metadata: ResolvedType, credential: ProcessedCredential, *, complete: bool) -> None:
    """Check a credential's claims against its type (5.6: `path`, `mandatory`, `sd`).

    Args:
        metadata: of the credential's type.
        credential: verified or held.
        complete: all disclosures are there, as at the holder's. A verifier cannot tell a claim that is kept back from
            one that was never issued, save where `sd` is `never`.

    Raises:
        ClaimMismatch: the credential breaks its type's rules, and must be rejected (5.7).
    """
    processed = credential.processed
    issued = _as_issued(processed)
    hidden = processed.disclosed.keys() | processed.withheld
    for claim in metadata.claims:
        selected = _select(issued, claim.path)
        visible = complete or (claim.sd == "never" and len(claim.path) == 1)
        if claim.mandatory and visible and not selected:
            raise ClaimMismatch(f"the mandatory claim {_name(claim.path)} is missing")
        wrong = {"always": set(selected) - hidden, "never": hidden & set(selected), "allowed": ()}[claim.sd]
        if wrong:
            raise ClaimMismatch(f"selective disclosure of the claim {_name(claim.path)} is to be {claim.sd}")


def _document(vct: str, documents: Mapping[str, bytes], integrity: str | None) -> TypeMetadata:
    document = documents.get(vct)
    if document is None:
        raise ClaimMismatch("the metadata of a type are missing")
    if integrity is not None:
        verify_integrity(document, integrity)
    metadata = parse_type_metadata(document)
    if metadata.vct != vct:
        raise ClaimMismatch("the metadata are of another type than the one asked for")
    return metadata


def _require_unique_ids(claims: Sequence[ClaimMetadata]) -> None:
    ids = [claim.svg_id for claim in claims if claim.svg_id is not None]
    if len(ids) != len(set(ids)):
        raise MalformedInput("an svg_id is used twice")


def _base64(value: str) -> bytes:
    """Decode a hash of an integrity value, which may be written in either alphabet; what is none fits nothing."""
    try:
        return b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return b""


def _as_issued(processed: ProcessedSdJwt) -> Any:
    """Return the claims with the elements put back that are withheld, so that indices are those of the issuer."""
    return _restore(processed.claims, (), processed.withheld)


def _restore(value: Any, path: ClaimPath, withheld: Any) -> Any:
    if isinstance(value, dict):
        return {name: _restore(member, (*path, name), withheld) for name, member in value.items()}
    if not isinstance(value, list):
        return value
    restored: list[Any] = []
    for element in value:
        _restore_withheld(restored, path, withheld)
        restored.append(_restore(element, (*path, len(restored)), withheld))
    _restore_withheld(restored, path, withheld)
    return restored


def _restore_withheld(restored: list[Any], path: ClaimPath, withheld: Any) -> None:
    """Append what was withheld at the next places of an array."""
    while (*path, len(restored)) in withheld:
        restored.append(_WITHHELD)


def _select(issued: Any, path: ClaimPath) -> dict[ClaimPath, Any]:
    """Apply a path to the claims as issued (5.6.1.2); nothing selected is no error here.

    Raises:
        ClaimMismatch: a component meets an element of another kind.
    """
    selected: dict[ClaimPath, Any] = {(): issued}
    for component in path:
        kind = dict if isinstance(component, str) else list
        known = {place: element for place, element in selected.items() if element is not _WITHHELD}
        if not all(isinstance(element, kind) for element in known.values()):
            raise ClaimMismatch(f"the path {_name(path)} of the type does not fit the claims")
        selected = {
            (*place, key): element[key] for place, element in known.items() for key in _keys(element, component)
        }
    return selected


def _keys(element: Any, component: str | int | None) -> Sequence[Any]:
    if component is None:
        return range(len(element))
    exists = component in element if isinstance(component, str) else component < len(element)
    return (component,) if exists else ()


def _name(path: ClaimPath) -> str:
    return ".".join("*" if component is None else str(component) for component in path)
