"""How a text file is to be read as a table: separator, header, comments above it."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["CsvForm", "form_of", "parsed", "without_comments", "without_empty_ends"]

_SEPARATORS = (",", ";", "\t")

_SAMPLE_LINES = 100
"""Lines by which the form of a table is judged."""

_SEPARATOR_LINE = re.compile(r'"?sep=(?P<separator>.)"?\s*')
"""What a spreadsheet writes above a header, to tell itself the separator."""


@dataclass(frozen=True)
class CsvForm:
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


def form_of(file: Iterable[str], wanted: set[str]) -> CsvForm:
    """Judges a text file by its first lines."""
    above, first, sample = _beginning(file)
    skipped, separators = 0, list(_SEPARATORS)
    if first is not None and (told := _SEPARATOR_LINE.fullmatch(first)):
        skipped, separators = 1, [told["separator"]]
        above, first, sample = None, sample[0] if sample else None, sample[1:]
    if first is None:
        return CsvForm(",", (), False, skipped)
    separator = max(separators, key=lambda one: _fit(one, [first, *sample]))
    header, *rows = parsed([first, *sample], separator)
    columns = [cell.strip() for cell in header]
    commented = None if above is None else _names_in_comment(above, separator, columns, wanted)
    if commented is not None:
        columns, rows = commented, [header, *rows]
    if _starts_with_row_numbers(rows, len(columns)):
        columns = ["", *columns]
    return CsvForm(separator, tuple(columns), commented is not None, skipped)


def _beginning(file: Iterable[str]) -> tuple[str | None, str | None, list[str]]:
    """Returns the comment right above the first line, that line, and some of those below it."""
    above: str | None = None
    for line in file:
        if line.startswith("#"):
            above = line
        elif line.strip():
            lines = without_comments(file, [0])
            return above, line, list(itertools.islice(lines, _SAMPLE_LINES))
        else:
            above = None
    return above, None, []


def _fit(separator: str, lines: Sequence[str]) -> tuple[bool, int, int]:
    """Returns how well a separator explains a table: the larger, the better."""
    header, *rows = parsed(lines, separator)
    width = len(header)
    agreeing = sum(len(without_empty_ends(row, header)) == width for row in rows)
    return width > 1, agreeing, width


def _names_in_comment(
    comment: str, separator: str, first: Sequence[str], wanted: set[str]
) -> list[str] | None:
    """Returns the columns that a comment names, or None if the first line below it names them.

    `#id,ra` above the rows is how NumPy and TOPCAT write a header; above another header it would
    be a remark. The names that are asked for tell, or else that a header holds no numbers.
    """
    (names,) = parsed([comment.lstrip("#")], separator)
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


def without_empty_ends(row: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Returns a row as wide as the header where separators at the end are all that is between."""
    row = list(row)
    while len(row) > len(columns) and not row[-1].strip():
        row.pop()
    while len(row) < len(columns) and not columns[len(row)].strip():
        row.append("")
    return row


def parsed(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    """Parses lines; quotes may stand behind a blank."""
    return iter(csv.reader(lines, delimiter=separator, skipinitialspace=True))


def without_comments(lines: Iterable[str], number: list[int]) -> Iterator[str]:
    """Yields the lines that are none, and counts all into `number`."""
    for line in lines:
        number[0] += 1
        if not line.startswith("#"):
            yield line
