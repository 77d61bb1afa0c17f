"""What a table of examples is, whatever file it lies in: named columns, and rows of text."""

from __future__ import annotations

import abc
import contextlib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lensnet.csv_tables import name_as_text
from lensnet.data.files.bad_file import reading
from lensnet.errors import DataError, did_you_mean

__all__ = [
    "MISSING_WORDS",
    "Catalogue",
    "Row",
    "check_unique",
    "label_name",
    "number_of",
    "tidy_cell",
    "translate_table_errors",
    "written",
]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")

# How pandas, R, astropy, databases and spreadsheets write that nothing is known. "None" is not
# among them: none of these writes it, and it may well be the name of a class.
MISSING_WORDS = frozenset({"NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "--"})
_NOT_A_NUMBER = frozenset({"nan", "+nan", "-nan"})
_LONGEST = max(map(len, MISSING_WORDS | _NOT_A_NUMBER))

# Whole numbers up to here are told apart by double precision.
_LARGEST_WHOLE = 2.0**53


def tidy_cell(text: str) -> str:
    """Returns a cell without the spaces around it, and "" where it says that nothing is known.

    >>> [tidy_cell(text) for text in (" lens ", "NaN", "<NA>", "none")]
    ['lens', '', '', 'none']
    """
    text = text.strip()
    # No such word is longer; most cells are.
    if len(text) > _LONGEST:
        return text
    return "" if text in MISSING_WORDS or text.lower() in _NOT_A_NUMBER else text


def written(cell: str) -> str:
    """Returns a cell as text that can be written, where it may hold bytes that are none.

    >>> print(written("Gr\\udcf6\\udcdfe"), written("Größe"))
    Gr\\xf6\\xdfe Größe
    """
    try:
        cell.encode()
    except UnicodeEncodeError:
        return name_as_text(cell)
    return cell


def label_name(cell: str) -> str:
    """Returns the name of the class that a cell says: of a number, however written, one name.

    >>> [label_name(cell) for cell in ("1", "1.0", "1.00e+00", "0.50", "001", "lens")]
    ['1', '1', '1', '0.5', '001', 'lens']
    """
    # Digits alone may be a code, such as 001, and not a number.
    if cell.isdecimal() or not _NUMBER.fullmatch(cell):
        return written(cell)
    number = float(cell)
    if number.is_integer() and abs(number) < _LARGEST_WHOLE:
        return str(int(number))
    return repr(number)


def number_of(cell: str) -> float:
    """Returns the finite number that a cell holds.

    Raises:
        ValueError: it holds none; the message says why, and quotes the cell.

    >>> number_of("0,5")
    Traceback (most recent call last):
    ValueError: "0,5", whose decimals stand behind a comma: write a point
    """
    if _DECIMAL_COMMA.fullmatch(cell):
        raise ValueError(f'"{cell}", whose decimals stand behind a comma: write a point')
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f'"{cell}", no finite number')
    return number


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Args:
        place: where it stands, for messages.
        cells: its text by column, without the spaces around it; "" where there is none, where it
            is masked, and where it says that nothing is known, such as `nan`.
        problem: what is wrong with the row itself.
    """

    place: str
    cells: Mapping[str, str]
    problem: str | None = None

    def cell(self, column: str | None) -> str:
        """Returns the text in a column; "" where it is missing, and for no column."""
        # A column may have "" for a name, which must not be taken for one that nobody named.
        return "" if column is None else self.cells.get(column, "")


class Catalogue(abc.ABC):
    """A table whose rows are read as they are asked for, any number of times.

    Args:
        path: the file.
        columns: the names of its columns.
    """

    def __init__(self, path: Path, columns: tuple[str, ...]):
        self.path = path
        self.columns = columns

    @abc.abstractmethod
    def rows(self) -> Iterator[Row]:
        """Yields the rows in their order."""

    def need(self, column: str, option: str) -> str:
        """Returns the name of a column, which must be there.

        Args:
            column: the name.
            option: the option that says it, for the message.

        Raises:
            DataError: there is no such column.
        """
        if column not in self.columns:
            named = [name for name in self.columns if name]
            hint = ""
            if len(named) == 1 and " " in named[0]:
                hint = " Cells are parted by commas, semicolons or tabs, and not by blanks."
            raise DataError(
                f'{self.path} has no column "{column}".{did_you_mean(column, named)} '
                f"It has: {', '.join(named)}. {option} says which one to take.{hint}"
            )
        return column


@contextlib.contextmanager
def translate_table_errors(path: Path) -> Iterator[None]:
    """Turns what goes wrong when a table is read into words."""
    with reading(f"The catalogue {path}", (OSError, ValueError, TypeError)):
        try:
            yield
        except UnicodeDecodeError as error:
            raise DataError(f"The catalogue {path} is not UTF-8 text: save it as such.") from error


def check_unique(path: Path, columns: Collection[str]) -> None:
    """Checks that no two columns share a name.

    Raises:
        DataError: two do.
    """
    names = list(columns)
    doubled = sorted({name for name in names if name and names.count(name) > 1})
    if doubled:
        raise DataError(f'The catalogue {path} has more than one column "{doubled[0]}".')
