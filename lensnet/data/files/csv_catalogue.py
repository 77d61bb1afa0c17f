"""Tables in text files, as people, spreadsheets and other programs write them."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from lensnet.csv_tables import restore_cell
from lensnet.data.files.catalogue_rows import (
    Catalogue,
    Row,
    check_unique,
    tidy_cell,
    translate_table_errors,
)
from lensnet.errors import DataError

__all__ = ["CsvCatalogue"]

_SEPARATORS = (",", ";", "\t")

_SAMPLE_LINES = 100
"""Lines by which the form of a table is judged."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>.)"?\s*')
"""What a spreadsheet writes above a header, to tell itself the separator."""


@dataclass(frozen=True)
class _Form:
    """How a text file is to be read as a table.

    Args:
        separator: what stands between cells.
        columns: the names of the columns.
        header_is_comment: whether they stand in a comment, so that the first line is a row.
        skipped: how many lines of others than comments stand above.
    """

    separator: str
    columns: tuple[str, ...]
    header_is_comment: bool
    skipped: int


@final
class CsvCatalogue(Catalogue):
    """A text file with a line for each row; lines that start with `#` are comments.

    Args:
        path: the file.
        form: how it is to be read.
    """

    def __init__(self, path: Path, form: _Form):
        super().__init__(path, form.columns)
        self._form = form

    @classmethod
    def open(cls, path: Path, wanted: Collection[str] = ()) -> CsvCatalogue:
        """Finds out how a file is to be read.

        Args:
            path: the file.
            wanted: names that its header should hold.

        Raises:
            DataError: it has no header, or cannot be read.
        """
        with translate_table_errors(path), open(path, encoding="utf-8-sig", newline="") as file:
            try:
                form = _form_of(file, set(wanted))
            except csv.Error as error:
                raise ValueError(str(error)) from error
        if not any(form.columns):
            raise DataError(f"The catalogue {path} is empty: its first line names the columns.")
        check_unique(path, form.columns)
        return cls(path, form)

    def rows(self) -> Iterator[Row]:
        """Yields the rows in their order; see `Catalogue`."""
        line = [0]
        form, width = self._form, len(self.columns)
        with (
            translate_table_errors(self.path),
            open(self.path, encoding="utf-8-sig", newline="") as file,
        ):
            lines = itertools.islice(_without_comments(file, line), form.skipped, None)
            reader = _parsed(lines, form.separator)
            if not form.header_is_comment:
                next(reader, None)
            for row in _translated(reader):
                if not any(cell.strip() for cell in row):
                    continue
                row = _without_empty_ends(row, self.columns)
                texts = (tidy_cell(restore_cell(cell)) for cell in row)
                cells = dict(zip(self.columns, texts, strict=False))
                problem = f"it has {len(row)} cells, where the header has {width}"
                if len(row) > width:
                    problem += (
                        f': a cell that holds a "{form.separator}" must stand in quotes, and each '
                        "column needs a name"
                    )
                whole = len(row) == width
                yield Row(f"{self.path.name} line {line[0]}", cells, None if whole else problem)


def _form_of(file: Iterable[str], wanted: set[str]) -> _Form:
    """Judges a text file by its first lines."""
    above, first, sample = _beginning(file)
    skipped, separators = 0, list(_SEPARATORS)
    if first is not None and (told := _SEPARATOR_LINE.fullmatch(first)):
        skipped, separators = 1, [told["separator"]]
        above, first, sample = None, sample[0] if sample else None, sample[1:]
    if first is None:
        return _Form(",", (), False, skipped)
    separator = max(separators, key=lambda one: _fit(one, [first, *sample]))
    header, *rows = _parsed([first, *sample], separator)
    columns = [cell.strip() for cell in header]
    commented = None if above is None else _names_in_comment(above, separator, columns, wanted)
    if commented is not None:
        columns, rows = commented, [header, *rows]
    if _starts_with_row_numbers(rows, len(columns)):
        columns = ["", *columns]
    return _Form(separator, tuple(columns), commented is not None, skipped)


def _beginning(file: Iterable[str]) -> tuple[str | None, str | None, list[str]]:
    """Returns the comment right above the first line, that line, and some of those below it."""
    above: str | None = None
    for line in file:
        if line.startswith("#"):
            above = line
        elif line.strip():
            lines = _without_comments(file, [0])
            return above, line, list(itertools.islice(lines, _SAMPLE_LINES))
        else:
            above = None
    return above, None, []


def _fit(separator: str, lines: Sequence[str]) -> tuple[bool, int, int]:
    """Returns how well a separator explains a table: the larger, the better."""
    header, *rows = _parsed(lines, separator)
    width = len(header)
    agreeing = sum(len(_without_empty_ends(row, header)) == width for row in rows)
    return width > 1, agreeing, width


def _names_in_comment(
    comment: str, separator: str, first: Sequence[str], wanted: set[str]
) -> list[str] | None:
    """Returns the columns that a comment names, or None if the first line below it names them.

    `#id,ra` above the rows is how NumPy and TOPCAT write a header; above another header it would
    be a remark. The names that are asked for tell, or else that a header holds no numbers.
    """
    (names,) = _parsed([comment.lstrip("#")], separator)
    names = [name.strip() for name in names]
    if len(names) != len(first) or not all(names) or len(set(names)) < len(names):
        return None
    found, below = len(wanted & set(names)), len(wanted & set(first))
    if found == below and not (_hold_a_number(first) and not _hold_a_number(names)):
        return None
    return names if found >= below else None


def _hold_a_number(cells: Iterable[str]) -> bool:
    for cell in cells:
        try:
            float(cell)
        except ValueError:
            continue
        return True
    return False


def _starts_with_row_numbers(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Returns whether each row has, before its cells, its number, which the header does not name.

    So R writes a table. Any other cell too many is a fault, and never shifts the others.
    """
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows or any(len(row) != width + 1 for row in rows):
        return False
    numbers = [row[0].strip() for row in rows]
    return any(
        numbers == [str(place) for place in range(first, first + len(rows))] for first in (0, 1)
    ) and any(row[-1].strip() for row in rows)


def _without_empty_ends(row: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Returns a row as wide as the header where separators at the end are all that is between."""
    row = list(row)
    while len(row) > len(columns) and not row[-1].strip():
        row.pop()
    while len(row) < len(columns) and not columns[len(row)].strip():
        row.append("")
    return row


def _parsed(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Parses lines; quotes may stand behind a blank."""
    return iter(csv.reader(lines, delimiter=separator, skipinitialspace=True))


def _translated(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _without_comments(lines: Iterable[str], number: list[int]) -> Iterator[str]:
    """Yields the lines that are none, and counts all into `number`."""
    for line in lines:
        number[0] += 1
        if not line.startswith("#"):
            yield line
