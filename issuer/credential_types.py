"""Credential types as files: what `issuer/catalogue/*.toml` says, checked, and made into a person's claims.

A type names attributes of the authentic source and where each stands in an SD-JWT VC (claim path) and in an mdoc
(element). This module knows nothing of signing or of the protocol; `configurations.py` makes issuer metadata of a type.
"""

import tomllib
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from byoid.claims import ClaimPath
from byoid.errors import ByoidError

CATALOGUE: Final = Path(__file__).parent / "catalogue"

Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[dict[str, Text], Field(min_length=1)]


class TypeFileInvalid(ByoidError):
    """A file of the catalogue breaks a rule; the message lists every mistake with its place in the file."""

    @classmethod
    def of(cls, path: Path, error: ValidationError) -> Self:
        """Say every mistake that was found in a file."""
        places = [(".".join(map(str, each["loc"])) or "file", each["msg"]) for each in error.errors(include_url=False)]
        mistakes = [f"  {place}: {message.removeprefix('Value error, ')}" for place, message in places]
        return cls("\n".join([f"{path.name}:", *mistakes]))


class Kind(StrEnum):
    """What an attribute's value is, and so how each format writes it."""

    TEXT = "text"
    TEXTS = "texts"
    DATE = "date"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    COUNTRY = "country"
    COUNTRIES = "countries"
    PLACE = "place"
    IMAGE = "image"
    OBJECT = "object"
    OBJECTS = "objects"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClaimDefinition(_Part):
    """One claim: the source's attribute, its kind, its place in each format and its label.

    `disclosure` is the `sd` rule of the SD-JWT VC type metadata: `always` selectively disclosable, or `never`.
    """

    attribute: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Kind
    required: bool = False
    sd_jwt: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$")] | None = None
    mdoc: Text | None = None
    disclosure: Literal["always", "never"] = "always"
    label: Texts

    @cached_property
    def path(self) -> tuple[str, ...]:
        """The claim path in the SD-JWT VC."""
        return tuple((self.sd_jwt or "").split("."))


class SdJwtVcPart(_Part):
    """How the type is issued as SD-JWT VC. The configuration's id is its OAuth scope too."""

    configuration_id: Text
    vct: Text


class MdocPart(_Part):
    """How the type is issued as mdoc. The configuration's id is its OAuth scope too."""

    configuration_id: Text
    doctype: Text
    namespace: Text


class KeyDemands(_Part):
    """Which attack resistance a key attestation must state for the holder's keys (OpenID4VCI appendix D.2)."""

    key_storage: tuple[Text, ...] = ()
    user_authentication: tuple[Text, ...] = ()


class Reuse(_Part):
    """How often a copy may be shown: ARF annex II methods A (`once_only`) to D (`per-relying-party`)."""

    methods: Annotated[
        tuple[Literal["once_only", "limited_time", "rotating-batch", "per-relying-party"], ...], Field(min_length=1)
    ]
    batch_size: Annotated[int, Field(ge=2, le=100)] | None = None
    reissue_trigger_unused: Annotated[int, Field(ge=1)] | None = None
    reissue_trigger_lifetime_left: Annotated[int, Field(ge=60)] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        methods = set(self.methods)
        if len(methods & {"once_only", "limited_time"}) != 1 or self.methods[-1] not in {"once_only", "limited_time"}:
            raise ValueError("exactly one of once_only and limited_time must be listed, and last")
        if methods - {"limited_time"} and self.batch_size is None:
            raise ValueError("batch_size is needed unless limited_time is the only method")
        if "once_only" in methods and not 0 < (self.reissue_trigger_unused or 0) < (self.batch_size or 0):
            raise ValueError("once_only needs reissue_trigger_unused, smaller than batch_size")
        if methods & {"limited_time", "rotating-batch"} and self.reissue_trigger_lifetime_left is None:
            raise ValueError("limited_time and rotating-batch need reissue_trigger_lifetime_left in seconds")
        return self


class Colours(_Part):
    """Colours of the card."""

    background: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
    text: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class CredentialType(_Part):
    """One type of credential, in one or two formats."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    stability: Literal["official", "profile", "pilot", "own"]
    name: Texts
    description: Texts
    colours: Colours
    logo: str | None = None
    validity_days: Annotated[int, Field(ge=1, le=3660)]
    status: bool
    sd_jwt_vc: SdJwtVcPart | None = None
    mdoc: MdocPart | None = None
    keys: KeyDemands | None = None
    reuse: Reuse
    claims: Annotated[tuple[ClaimDefinition, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.sd_jwt_vc is None and self.mdoc is None:
            raise ValueError("the type needs a section [sd_jwt_vc], [mdoc] or both")
        _require_languages(self)
        _require_unique("sd_jwt", [claim.sd_jwt for claim in self.claims if claim.sd_jwt])
        _require_unique("mdoc", [claim.mdoc for claim in self.claims if claim.mdoc])
        for claim in self.claims:
            if not (claim.sd_jwt and self.sd_jwt_vc) and not (claim.mdoc and self.mdoc):
                raise ValueError(f"claim {claim.attribute!r} stands in no format of this type")
        return self

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What the claims are made from; `age_over_…` is made from the date of birth."""
        return frozenset({claim.attribute for claim in self.claims} | {"birth_date"})

    @cached_property
    def in_sd_jwt(self) -> tuple[ClaimDefinition, ...]:
        """The claims of the SD-JWT VC."""
        return tuple(claim for claim in self.claims if claim.sd_jwt)

    @property
    def disclosable(self) -> list[ClaimPath]:
        """The claim paths of the SD-JWT VC that the holder may disclose or hold back."""
        return [claim.path for claim in self.in_sd_jwt if claim.disclosure == "always"]


def _require_languages(kind: CredentialType) -> None:
    """Whoever reads the name in their language reads all else in it too."""
    texts = {"description": kind.description, **{f"label of {claim.attribute!r}": claim.label for claim in kind.claims}}
    for place, found in texts.items():
        if found.keys() != kind.name.keys():
            raise ValueError(
                f"{place}: expected the languages of name ({', '.join(kind.name)}), got {', '.join(found)}"
            )


def in_language(texts: Mapping[str, str], language: str) -> str:
    """Return the text in a language, else in English, else in the first that there is."""
    return texts.get(language) or texts.get("en") or next(iter(texts.values()))


def _require_unique(member: str, values: Sequence[str]) -> None:
    twice = {value for value in values if values.count(value) > 1}
    if twice:
        raise ValueError(f"{member} names a place twice: {', '.join(sorted(twice))}")


def load_type(path: Path) -> CredentialType:
    """Read one type file.

    Raises:
        TypeFileInvalid: not TOML, or a rule of the catalogue is broken; all mistakes at once.
    """
    try:
        kind = CredentialType.model_validate(tomllib.loads(path.read_text("utf-8")))
        return kind.model_copy(update={"logo": _embedded(path.parent / kind.logo)}) if kind.logo else kind
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TypeFileInvalid(f"{path.name}: not TOML: {error}") from None
    except ValidationError as error:
        raise TypeFileInvalid.of(path, error) from None
    except OSError as error:
        raise TypeFileInvalid(f"{error.filename}: {error.strerror}") from None


_LOGO_TYPES: Final = {".png": "image/png", ".svg": "image/svg+xml"}
_MAX_LOGO_BYTES: Final = 10_000  # it stands in the metadata once for each language and format


def _embedded(logo: Path) -> str:
    """Return a picture as a `data:` URL: one at an address would tell its server who looks at a card."""
    content = logo.read_bytes()
    if logo.suffix not in _LOGO_TYPES or len(content) > _MAX_LOGO_BYTES:
        raise TypeFileInvalid(f"{logo.name}: expected a .png or .svg file of at most {_MAX_LOGO_BYTES} bytes")
    return f"data:{_LOGO_TYPES[logo.suffix]};base64,{b64encode(content).decode('ascii')}"


def load_catalogue(folder: Path = CATALOGUE) -> dict[str, CredentialType]:
    """Read every type of a folder, by id.

    Raises:
        TypeFileInvalid: there is none, one is wrong, or two claim the same id or configuration.
    """
    types = [load_type(path) for path in sorted(folder.glob("*.toml"))]
    if not types:
        raise TypeFileInvalid(f"{folder}: expected a folder with files of credential types (.toml)")
    parts = [part.configuration_id for kind in types for part in (kind.sd_jwt_vc, kind.mdoc) if part]
    try:
        _require_unique("id", [kind.id for kind in types])
        _require_unique("configuration_id", parts)
    except ValueError as error:
        raise TypeFileInvalid(str(error)) from None
    return {kind.id: kind for kind in types}


class AttributeMissing(ByoidError):
    """The source has no value, or none that this kind allows, for an attribute that the type demands."""

    def __init__(self, attribute: str, expected: str) -> None:
        super().__init__(f"attribute {attribute!r}: expected {expected}")
        self.attribute = attribute


def sd_jwt_claims(credential_type: CredentialType, record: Mapping[str, Any], *, today: date) -> dict[str, Any]:
    """Make the claims of an SD-JWT VC from a person's record.

    Raises:
        AttributeMissing: a required attribute is missing, or a value is not of its kind.
    """
    claims: dict[str, Any] = {}
    for definition, value in _values(credential_type.in_sd_jwt, record, today):
        *parents, name = definition.path
        place = claims
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = _json_value(definition.kind, value)
    return claims


def mdoc_elements(
    credential_type: CredentialType, record: Mapping[str, Any], *, today: date
) -> dict[str, dict[str, Any]]:
    """Make the data elements of an mdoc, by namespace, from a person's record.

    Raises:
        AttributeMissing: a required attribute is missing, or a value is not of its kind.
    """
    if credential_type.mdoc is None:
        raise ValueError(f"type {credential_type.id} is not issued as mdoc")
    found = _values((c for c in credential_type.claims if c.mdoc), record, today)
    return {credential_type.mdoc.namespace: {definition.mdoc or "": value for definition, value in found}}


def _values(
    definitions: Iterable[ClaimDefinition], record: Mapping[str, Any], today: date
) -> Iterable[tuple[ClaimDefinition, Any]]:
    for definition in definitions:
        value = record.get(definition.attribute)
        if value is None and definition.attribute.startswith("age_over_"):
            value = _age_over(int(definition.attribute.removeprefix("age_over_")), record, today)
        if value is not None:
            yield definition, _require_kind(definition, value)
        elif definition.required:
            raise AttributeMissing(definition.attribute, "a value, the source has none")


def _age_over(years: int, record: Mapping[str, Any], today: date) -> bool | None:
    born = record.get("birth_date")
    if not isinstance(born, date):
        return None
    # Somebody born on 29 February is a year older on 1 March of a common year, which this comparison gives.
    return (today.year - born.year, today.month, today.day) >= (years, born.month, born.day)


_MAX_TEXT: Final = 150  # characters, PID rulebook 3.1.1
_PLACE_MEMBERS: Final = {"country", "region", "locality"}


def _is_country(value: object) -> bool:
    return isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper()  # noqa: PLR2004


def _is_place(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and set(value) <= _PLACE_MEMBERS and all(value.values())


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, kind) for item in value)


_EXPECTED: Final[Mapping[Kind, tuple[Callable[[Any], bool], str]]] = {
    Kind.TEXT: (lambda v: isinstance(v, str) and 0 < len(v) <= _MAX_TEXT, f"a text of 1 to {_MAX_TEXT} characters"),
    Kind.TEXTS: (lambda v: _is_list(v, str), "a list of texts"),
    Kind.DATE: (lambda v: type(v) is date, "a date"),
    Kind.INTEGER: (lambda v: type(v) is int, "a whole number"),
    Kind.BOOLEAN: (lambda v: type(v) is bool, "yes or no"),
    Kind.COUNTRY: (_is_country, "a country code of two letters"),
    Kind.COUNTRIES: (lambda v: isinstance(v, list) and bool(v) and all(map(_is_country, v)), "a list of country codes"),
    Kind.PLACE: (_is_place, "a place with a country, a region or a locality"),
    Kind.IMAGE: (lambda v: isinstance(v, bytes) and v[:3] in (b"", b"\xff\xd8\xff"), "a JPEG image"),
    Kind.OBJECT: (lambda v: isinstance(v, Mapping) and bool(v), "an object"),
    Kind.OBJECTS: (lambda v: _is_list(v, Mapping), "a list of objects"),
}


def _require_kind(definition: ClaimDefinition, value: Any) -> Any:
    fits, expected = _EXPECTED[definition.kind]
    if not fits(value):
        raise AttributeMissing(definition.attribute, expected)
    return value


def _json_value(kind: Kind, value: Any) -> Any:
    if kind is Kind.DATE:
        return value.isoformat()
    if kind is Kind.IMAGE:
        return _data_url(value)
    return value


def _data_url(image: bytes) -> str:
    """Write a JPEG as PID rulebook 4.1 asks; a citizen who opted out of the portrait has an empty one."""
    return f"data:image/jpeg;base64,{b64encode(image).decode('ascii')}" if image else ""
