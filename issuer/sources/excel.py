"""Registers as Excel workbooks (.xlsx): the first sheet, with the columns' names in its first row."""

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException


def read_excel(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a workbook; formulas count by the value that was last computed.

    Raises:
        ValueError: not a workbook, or no names in the first row.
    """
    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, BadZipFile, KeyError) as error:
        raise ValueError("expected an Excel workbook (.xlsx)") from error
    try:
        rows = workbook.worksheets[0].iter_rows(values_only=True)
        names = [str(name).strip() if name is not None else "" for name in next(rows, ())]
        if not any(names):
            raise ValueError("expected the columns' names in the first row")
        for cells in rows:
            if any(cell is not None for cell in cells):
                yield {name: _plain(cell) for name, cell in zip(names, cells, strict=False) if name}
    finally:
        workbook.close()


def _plain(cell: Any) -> Any:
    """Return what the cell means: Excel has no dates without a time, and no whole numbers."""
    if isinstance(cell, datetime):
        return cell.date() if cell.time() == time() else cell
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell if isinstance(cell, date) or cell is None else cell.strip() if isinstance(cell, str) else cell
