"""Registers as CSV files (RFC 4180): UTF-8, a head line with the columns' names, comma or semicolon."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_csv(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a CSV file.

    Raises:
        ValueError: not UTF-8, or a row has more or fewer cells than the head line.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from read_csv_lines(file)


def read_csv_lines(lines: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows of CSV lines; the head line says by which character cells are separated.

    Raises:
        ValueError: a row has more or fewer cells than the head line, or there is no head line.
    """
    iterator = iter(lines)
    head = next(iterator, "")
    delimiter = ";" if head.count(";") > head.count(",") else ","
    try:
        names = next(csv.reader([head], delimiter=delimiter), [])
        if not names or len(set(names)) != len(names):
            raise ValueError("expected a head line with the columns' names, each once")
        for cells in csv.reader(iterator, delimiter=delimiter, strict=True):
            if cells:
                yield dict(zip((name.strip() for name in names), (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
