"""Tables in text files, as people, spreadsheets and other programs write them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Collection, Iterator
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
from lensnet.data.files.csv_form import (
    CsvForm,
    form_of,
    parsed,
    without_comments,
    without_empty_ends,
)
from lensnet.errors import DataError

__all__ = ["CsvCatalogue"]


@final
class CsvCatalogue(Catalogue):
    """A text file with a line for each row; lines that start with `#` are comments.

    Args:
        path: the file.
        form: how it is to be read.
    """

    def __init__(self, path: Path, form: CsvForm):
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
                form = form_of(file, set(wanted))
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
            lines = itertools.islice(without_comments(file, line), form.skipped, None)
            reader = parsed(lines, form.separator)
            if not form.header_is_comment:
                next(reader, None)
            for row in _translated(reader):
                if not any(cell.strip() for cell in row):
                    continue
                row = without_empty_ends(row, self.columns)
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


def _translated(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ValueError(str(error)) from error
