"""Files of credential types: the agency's own languages, logo and pictures; and what is wrong with a file, in words."""

from base64 import b64encode
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from byoid.service.settings import SettingsError
from issuer.configurations import configurations
from issuer.credential_types import (
    CATALOGUE,
    AttributeMissing,
    TypeFileInvalid,
    in_language,
    load_catalogue,
    load_type,
    sd_jwt_claims,
)
from issuer.settings import IssuerSettings
from issuer.type_documents import type_documents

URL = "https://issuer.test"
JPEG = b"\xff\xd8\xff\xe0picture"
PERMIT = """
id = "permit"
stability = "own"
name = { de = "Angelschein", nl = "Visvergunning" }
description = { de = "Angeln.", nl = "Vissen." }
colours = { background = "#102030", text = "#ffffff" }
logo = "fish.png"
validity_days = 30
status = true
[sd_jwt_vc]
configuration_id = "permit"
vct = "{public_url}/types/permit"
[reuse]
methods = ["once_only"]
batch_size = 10
reissue_trigger_unused = 3
[[claims]]
attribute = "portrait"
kind = "image"
required = true
sd_jwt = "picture"
label = { de = "Bild", nl = "Foto" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    (tmp_path / "fish.png").write_bytes(b"png")

    def write_(*replaced: tuple[str, str]) -> Path:
        text = PERMIT
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "permit.toml").write_text(text, "utf-8")
        return tmp_path / "permit.toml"

    return write_


def test_a_type_has_the_languages_of_its_name_and_its_logo_in_itself(write: Callable[..., Path]) -> None:
    kind = load_type(write())
    documents = type_documents({kind.id: kind}, public_url=URL)
    metadata = configurations([kind], public_url=URL, documents=documents)["permit"].metadata.credential_metadata
    assert metadata is not None
    shown = {each.locale: (each.name, each.logo and each.logo.uri) for each in metadata.display or ()}
    logo = f"data:image/png;base64,{b64encode(b'png').decode()}"
    assert shown == {"de": ("Angelschein", logo), "nl": ("Visvergunning", logo)}
    assert b'"name":"Angelschein"' in documents["permit"].content


def test_a_page_in_another_language_shows_english_or_else_the_first() -> None:
    assert in_language({"de": "a", "en": "b"}, "de") == "a"
    assert in_language({"de": "a", "en": "b"}, "fr") == "b"
    assert in_language({"de": "a", "nl": "c"}, "fr") == "a"


def test_the_shipped_types_speak_all_languages_of_the_pages() -> None:
    for kind in load_catalogue(CATALOGUE).values():
        assert set(kind.name) == {"en", "de", "fr", "es"}


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('nl = "Foto"', 'en = "Photo"', "label of 'portrait': expected the languages of name (de, nl), got de, en"),
        (', nl = "Vissen."', "", "description: expected the languages of name (de, nl), got de"),
        ("fish.png", "none.png", "none.png: No such file"),
        ("fish.png", "permit.toml", "permit.toml: expected a .png or .svg file"),
        ("[sd_jwt_vc]", "[sd_jwt]", "sd_jwt: Extra inputs"),
        ('id = "permit"\nst', "st", "id: Field required"),
        ("[reuse]", "[reuse", "not TOML"),
    ],
)
def test_a_mistake_in_a_type_is_named_with_its_place(write: Callable[..., Path], old: str, new: str, said: str) -> None:
    with pytest.raises(TypeFileInvalid) as error:
        load_type(write((old, new)))
    assert said in str(error.value)
    assert "Value error" not in str(error.value)


@pytest.mark.hostile
def test_a_logo_that_is_too_large_for_metadata_is_refused(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write()
    (tmp_path / "fish.png").write_bytes(bytes(10_001))
    with pytest.raises(TypeFileInvalid, match="at most 10000 bytes"):
        load_type(path)


@pytest.mark.hostile
def test_a_picture_that_is_no_jpeg_is_not_issued_as_one(write: Callable[..., Path]) -> None:
    kind = load_type(write())
    today = date(2026, 1, 1)
    assert sd_jwt_claims(kind, {"portrait": JPEG}, today=today)["picture"].startswith("data:image/jpeg;base64,/9j/")
    assert sd_jwt_claims(kind, {"portrait": b""}, today=today) == {"picture": ""}  # opted out of the portrait
    with pytest.raises(AttributeMissing, match="a JPEG image"):
        sd_jwt_claims(kind, {"portrait": b"\x89PNG"}, today=today)


@pytest.mark.hostile
def test_a_folder_without_types_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeFileInvalid, match="expected a folder with files"):
        load_catalogue(tmp_path)


@pytest.mark.parametrize("text", ["pid,mdl", '["pid", "mdl"]', "pid, mdl,"])
def test_lists_in_settings_are_written_with_commas_or_as_json(
    issuer_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ISSUER_CREDENTIAL_TYPES", text)
    assert IssuerSettings.load(**issuer_settings).credential_types == ("pid", "mdl")


@pytest.mark.hostile
async def test_a_type_that_the_catalogue_has_not_is_named(open_issuer: Callable[..., Any]) -> None:
    with pytest.raises(SettingsError, match=r"ISSUER_CREDENTIAL_TYPES: .*got passport"):
        async with open_issuer(credential_types=("pid", "passport")):
            pass
