"""The population register of Lindenmoor, a municipality that does not exist, as an SQLite file.

A seeded generator: the same seed gives the same people. The first people are the difficult ones that every real
register has; the rest are drawn from lists. Nobody in it is real.
"""

import io
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import astuple, dataclass, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw

COUNT: Final = 240
MUNICIPALITY: Final = "Lindenmoor"
COUNTRY: Final = "DE"
_HAVE_EMAIL, _HAVE_PHONE, _HAVE_PORTRAIT = 8, 7, 9  # of ten people
_TODAY: Final = date(2026, 11, 1)  # ages are counted from here, so that a seed gives the same people on any day

_GIVEN: Final = (
    "Anna", "Björn", "Çağla", "Dženana", "Élodie", "Fátima", "Grzegorz", "Håkon", "İlker", "Jürgen", "Kateřina",
    "Łucja", "María José", "Ngọc", "Oleksandr", "Þórdís", "Quentin", "Renée", "Søren", "Tomáš", "Ülkü", "Václav",
    "Wim", "Xenia", "Yağmur", "Zoë", "Giorgos", "Siobhán", "Jean-Pierre", "Ana-Maria",
)  # fmt: skip
_FAMILY: Final = (
    "Müller", "Nowak", "Ó Briain", "van den Berg", "d'Angelo", "Šimůnek", "Łukasiewicz", "Yılmaz", "Sørensen",
    "Fernández", "Gruber-Öztürk", "Nguyễn", "Þorsteinsdóttir", "Papadopoulou", "Kovačević", "Żebrowska", "El Amrani",
    "Ružička", "Lefèvre", "von der Heide", "Szczęsny", "Bērziņš", "Jõgi", "Vâlcu",
)  # fmt: skip
_STREETS: Final = ("Lindenallee", "Am Moor", "Schulstraße", "Brückenweg", "Rosengasse", "Mühlbachstraße", "Kirchplatz")
_BIRTH_PLACES: Final = (
    ("DE", "Lindenmoor"), ("DE", "Köln"), ("PL", "Łódź"), ("TR", "İzmir"), ("FR", "Besançon"), ("ES", "A Coruña"),
    ("UA", "Київ"), ("VN", "Đà Nẵng"), ("GR", "Θεσσαλονίκη"), ("CZ", "Plzeň"), ("IS", "Reykjavík"), ("MA", "الرباط"),
)  # fmt: skip
_NATIONALITIES: Final = (
    ("DE",), ("DE",), ("DE",), ("DE", "PL"), ("FR",), ("DE", "TR"), ("PL",), ("ES",), ("UA",), ("DE", "FR", "IT"),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A row of the register, as a register keeps it: not as a credential wants it."""

    person_number: str
    given_names: str
    family_name: str
    birth_family_name: str | None
    birthdate: str
    birth_country: str | None
    birth_locality: str | None
    nationalities: str  # a JSON array of alpha-2 codes; QS stateless, QU unknown
    sex: int  # 0 not known, 1 male, 2 female, 5 diverse
    street: str | None
    house_number: str | None
    postal_code: str
    locality: str
    country: str
    email: str | None
    phone: str | None
    guardian: str | None  # person number of a parent, for minors
    deceased_on: str | None
    portrait: bytes | None


def make_register(path: Path, *, seed: int = 1, count: int = COUNT) -> int:
    """Write the register to `path`, which must not exist yet, and return how many people are in it."""
    columns = ", ".join(field.name for field in fields(Person))
    marks = ", ".join("?" for _ in fields(Person))
    with closing(sqlite3.connect(path)) as register, register:
        register.execute(f"CREATE TABLE person ({columns}, PRIMARY KEY (person_number))")
        people = [astuple(person) for person in generate(seed=seed, count=count)]
        register.executemany(f"INSERT INTO person VALUES ({marks})", people)  # noqa: S608 - our own field names
    return len(people)


def generate(*, seed: int, count: int) -> Iterator[Person]:
    """Yield `count` people; the difficult ones come first."""
    draw = random.Random(seed)
    usual = [_person(draw, number) for number in range(count)]
    parent = usual[0].person_number
    for number, person in enumerate(usual):
        changed = replace(person, **_DIFFICULT[number]) if number < len(_DIFFICULT) else person
        minor = date.fromisoformat(changed.birthdate) > _TODAY - timedelta(days=18 * 365.25)
        yield replace(changed, guardian=parent) if minor else changed


_LONG: Final = (
    "Maria de los Ángeles Guadalupe Esperanza Concepción Inmaculada Trinidad Dolores Remedios Consuelo Milagros "
    "Rosario Purificación Asunción Encarnación"
)
_DIFFICULT: Final[tuple[dict[str, Any], ...]] = (
    # The demo's citizen: complete, several given names, two nationalities.
    {"given_names": "Zoë Katarzyna", "family_name": "Öztürk-Łukasiewicz", "birthdate": "1991-04-23", "sex": 2,
     "nationalities": '["DE", "PL"]', "birth_country": "PL", "birth_locality": "Łódź", "deceased_on": None},
    {"birthdate": "2004-02-29"},  # born on a leap day
    {"birth_country": None, "birth_locality": None},  # birth place unknown: no PID can be issued
    {"birth_country": "SY", "birth_locality": None, "nationalities": '["QS"]'},  # stateless, only the country known
    {"given_names": _LONG[:150], "family_name": "Wolfeschlegelsteinhausenbergerdorff-Hohenzollern-Sigmaringen"},
    {"portrait": None},  # opted out of the portrait
    {"birthdate": "2015-06-30"},  # a minor, whose guardian takes the offer
    {"nationalities": '["DE", "FR", "IT"]'},
    {"given_names": "Nguyễn Thị Ngọc Ánh", "family_name": "Trần", "birth_locality": "Đà Nẵng", "birth_country": "VN"},
    {"street": None, "house_number": None},  # no fixed address: known to live in the municipality
    {"deceased_on": "2026-03-14"},
    {"birthdate": "1919-12-31", "email": None, "phone": None},
    {"family_name": "O'Neill d’Arc", "birth_family_name": "Ní Bhriain"},
    {"sex": 5, "nationalities": '["QU"]'},
)  # fmt: skip


def _person(draw: random.Random, number: int) -> Person:
    given = " ".join(draw.sample(_GIVEN, k=draw.choice((1, 1, 2, 3))))
    country, locality = draw.choice(_BIRTH_PLACES)
    birthdate = _TODAY - timedelta(days=draw.randrange(200, 36_000))
    family = draw.choice(_FAMILY)
    return Person(
        person_number=_person_number(number),
        given_names=given,
        family_name=family,
        birth_family_name=draw.choice((None, None, draw.choice(_FAMILY))),
        birthdate=birthdate.isoformat(),
        birth_country=country,
        birth_locality=locality,
        nationalities=json.dumps(draw.choice(_NATIONALITIES)),
        sex=draw.choice((1, 2)),
        street=draw.choice(_STREETS),
        house_number=f"{draw.randrange(1, 180)}{draw.choice(('', '', 'a', ' B'))}",
        postal_code=f"99{draw.randrange(100, 199)}",
        locality=MUNICIPALITY,
        country=COUNTRY,
        email=f"person{number}@mail.example" if draw.randrange(10) < _HAVE_EMAIL else None,
        phone=f"+49301{draw.randrange(10**6, 10**7)}" if draw.randrange(10) < _HAVE_PHONE else None,
        guardian=None,
        deceased_on=None,
        portrait=_portrait(draw) if draw.randrange(10) < _HAVE_PORTRAIT else None,
    )


def _person_number(number: int) -> str:
    """Return a ten-digit number with a check digit (ISO 7064 would be nicer; registers are rarely nice)."""
    digits = f"{100_000_007 + number * 8_191:09d}"
    return digits + str(sum((place + 2) * int(digit) for place, digit in enumerate(digits)) % 11 % 10)


def _portrait(draw: random.Random) -> bytes:
    """Draw a face that is nobody's, as a small JPEG."""
    skin, hair, coat = ((draw.randrange(low, high), draw.randrange(low, high - 20), draw.randrange(low - 20, high - 40))
                        for low, high in ((120, 250), (30, 120), (50, 200)))  # fmt: skip
    image = Image.new("RGB", (120, 150), (222, 228, 234))
    pen = ImageDraw.Draw(image)
    pen.ellipse((10, 108, 110, 210), fill=coat)
    pen.ellipse((30, 22, 90, 78), fill=hair)
    pen.ellipse((36, 32, 84, 104), fill=skin)
    for x in (50, 70):
        pen.ellipse((x - 3, 60, x + 3, 66), fill=(40, 40, 48))
    pen.arc((50, 74, 70, 90), 20, 160, fill=(120, 60, 60), width=2)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=70)
    return buffer.getvalue()
