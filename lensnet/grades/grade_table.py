"""The rows of a file of grades as text, whatever wrote it."""

from __future__ import annotations

import contextlib
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lensnet.csv_tables import name_as_text, restore_cell
from lensnet.data.tables import is_table, open_table
from lensnet.errors import DataError

__all__ = ["GradeTable", "read_grade_table"]

_TEXT_ENDINGS = (".csv", ".tsv", ".txt")
_SEPARATORS = ",;\t"


class GradeTable(NamedTuple):
    """A table whose cells are text.

    Args:
        path: its file.
        columns: the header.
        rows: a cell for each column.
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[dict[str, str]]


def read_grade_table(path: Path) -> GradeTable:
    """Reads a file of grades.

    A text file is read as text and nothing else, so that an id such as 0012 or 1.50 stays what it
    is; any other table as `lensnet.data.tables` reads it.

    Raises:
        DataError: there is no such file, or it is not a table with a header.
    """
    if not path.is_file() and not path.is_dir():
        raise DataError(f"There is no file of grades {path}.")
    if path.name.lower().endswith(_TEXT_ENDINGS):
        found = _read_text(path)
    elif is_table(path):
        table = open_table(path)
        rows = [
            {name: "" if cell is None else str(cell) for name, cell in row.items()}
            for piece in table.pieces()
            for row in piece.to_pylist()
        ]
        found = GradeTable(path, table.column_names, rows)
    else:
        raise DataError(
            f"{path} is not a table. Name CSV files of grades, or an export of Zooniverse."
        )
    if not found.columns:
        raise DataError(f"{path} is empty: the first line of a file of grades names its columns.")
    return found


def _read_text(path: Path) -> GradeTable:
    """Reads a text file whose first line names the columns."""
    try:
        with (
            open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file,
            _long_cells(),
        ):
            lines = (line for line in file if not line.startswith("#"))
            first = next(lines, "")
            separator = max(_SEPARATORS, key=first.count)
            header = next(csv.reader([first], delimiter=separator), [])
            columns = tuple(name_as_text(restore_cell(name)).strip() for name in header)
            rows = [
                _by_column(columns, row)
                for row in csv.reader(lines, delimiter=separator)
                if any(row)
            ]
    except (OSError, csv.Error) as error:
        raise DataError(f"The grades {path} cannot be read ({error}).") from error
    return GradeTable(path, columns, rows)


def _by_column(columns: tuple[str, ...], row: list[str]) -> dict[str, str]:
    cells = [name_as_text(restore_cell(cell)) for cell in row]
    return dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=False))


@contextlib.contextmanager
def _long_cells() -> Iterator[None]:
    """Lets cells be as long as the JSON in an export of Zooniverse may be."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
