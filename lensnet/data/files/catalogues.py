"""Reading tables of examples: CSV files and FITS tables, row by row as text.

>>> import pathlib, tempfile
>>> path = pathlib.Path(tempfile.mkdtemp()) / "lenses.csv"
>>> _ = path.write_text("# survey 1\\nID,is_lens\\n100000,1\\n100001\\n")
>>> table = open_catalogue(path)
>>> table.columns
('ID', 'is_lens')
>>> for row in table.rows():
...     print(row.place, row.cells, row.problem)
lenses.csv line 3 {'ID': '100000', 'is_lens': '1'} None
lenses.csv line 4 {'ID': '100001'} it has 1 cells, where the header has 2
"""

from __future__ import annotations

import abc
import contextlib
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from lensnet.data.files.bad_file import first_words
from lensnet.errors import DataError, did_you_mean

__all__ = ["ENDINGS", "Catalogue", "Row", "open_catalogue"]

_FITS = (".fits", ".fit", ".fts", ".fits.gz")
ENDINGS = (".csv", *_FITS)
"""The endings of tables, in lower case; case does not matter in a file's name."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Args:
        place: where it stands, for messages.
        cells: its text by column, without the spaces around it; "" where there is none.
        problem: what is wrong with the row itself.
    """

    place: str
    cells: Mapping[str, str]
    problem: str | None = None


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
            raise DataError(
                f'{self.path} has no column "{column}".{did_you_mean(column, self.columns)} '
                f"It has: {', '.join(self.columns)}. {option} says which one to take."
            )
        return column


def open_catalogue(path: Path) -> Catalogue:
    """Opens a CSV file or the first table of a FITS file.

    Lines of a CSV file that start with `#` are comments.

    Raises:
        DataError: there is no such file, or it is not a table.
    """
    name = path.name.lower()
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise DataError(f"The catalogue {path} {what}.")
    if not name.endswith(ENDINGS):
        raise DataError(f"The catalogue {path} is not one of {', '.join(ENDINGS)}.")
    return _FitsCatalogue.open(path) if name.endswith(_FITS) else _CsvCatalogue.open(path)


@final
class _CsvCatalogue(Catalogue):
    @classmethod
    def open(cls, path: Path) -> _CsvCatalogue:
        with _words_for(path), open(path, encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(_without_comments(file, [0])), None)
        columns = tuple(cell.strip() for cell in header or ())
        if not any(columns):
            raise DataError(f"The catalogue {path} is empty: its first line names the columns.")
        _check_unique(path, columns)
        return cls(path, columns)

    def rows(self) -> Iterator[Row]:
        line = [0]
        with _words_for(self.path), open(self.path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_without_comments(file, line))
            next(reader)
            for row in reader:
                if not any(cell.strip() for cell in row):
                    continue
                cells = dict(zip(self.columns, (cell.strip() for cell in row), strict=False))
                problem = None
                if len(row) != len(self.columns):
                    problem = f"it has {len(row)} cells, where the header has {len(self.columns)}"
                yield Row(f"{self.path.name} line {line[0]}", cells, problem)


@final
class _FitsCatalogue(Catalogue):
    @classmethod
    def open(cls, path: Path) -> _FitsCatalogue:
        columns = tuple(str(column.name) for column in cls._table(path).columns)
        _check_unique(path, columns)
        return cls(path, columns)

    def rows(self) -> Iterator[Row]:
        data = self._table(self.path).data
        columns = [(name, data[name]) for name in self.columns]
        columns = [(name, values) for name, values in columns if values.ndim == 1]
        for number in range(len(data)):
            cells = {name: _text(values[number]) for name, values in columns}
            yield Row(f"{self.path.name} row {number + 1}", cells)

    @staticmethod
    def _table(path: Path) -> Any:
        from astropy.io import fits

        with _words_for(path), fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU) and hdu.data is not None:
                    return hdu
        raise DataError(f"The catalogue {path} holds no table.")


def _text(value: Any) -> str:
    """Returns a cell of a FITS table as the text that a CSV file would hold."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace").strip()
    item = value.item() if hasattr(value, "item") else value
    # A number that is missing is NaN there, and an empty cell in a CSV file.
    return "" if item != item else str(item).strip()


def _without_comments(lines: Iterator[str] | Any, number: list[int]) -> Iterator[str]:
    """Yields the lines that are none, and counts all into `number`."""
    for line in lines:
        number[0] += 1
        if not line.startswith("#"):
            yield line


@contextlib.contextmanager
def _words_for(path: Path) -> Iterator[None]:
    """Turns what goes wrong when a table is read into words."""
    try:
        yield
    except (OSError, csv.Error, ValueError, TypeError) as error:
        raise DataError(f"The catalogue {path} cannot be read ({first_words(error)}).") from error


def _check_unique(path: Path, columns: tuple[str, ...]) -> None:
    doubled = sorted({name for name in columns if name and columns.count(name) > 1})
    if doubled:
        raise DataError(f'The catalogue {path} has more than one column "{doubled[0]}".')
