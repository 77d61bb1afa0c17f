"""Tables in text files: CSV, TSV and ECSV."""

from __future__ import annotations

import contextlib
import csv
import functools
import gzip
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO, final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lensnet.data.files.catalogue_rows import check_unique, translate_table_errors, written
from lensnet.data.files.csv_form import CsvForm, form_of, parsed, without_empty_ends
from lensnet.data.tables.ecsv_header import read_ecsv_header
from lensnet.data.tables.table import Table, with_problems
from lensnet.data.tables.text_columns import ColumnType, tidy, typed
from lensnet.errors import DataError

__all__ = ["TextTable"]

Line = tuple[int, str]
"""A line of the file, and its number there."""

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@final
class TextTable(Table):
    """A text file with a line for each row; lines that start with `#` are comments.

    Separators, headers and comments are judged as of `CsvCatalogue`. A line with more or fewer
    cells than the header is a faulty row. Bytes that are not UTF-8 are written as `\\xff`.

    Args:
        path: the file; `.gz` is unpacked as it is read.
        form: how it is to be read.
        fields: the columns that an ECSV header declares; None for a file that declares none.
    """

    def __init__(self, path: Path, form: CsvForm, fields: Sequence[pa.Field] | None = None):
        names = (name or f"col{place}" for place, name in enumerate(form.columns, start=1))
        super().__init__(path, tuple(names))
        check_unique(path, self.column_names)
        self._form = form
        self._declared = fields

    @classmethod
    def open(cls, path: Path) -> TextTable:
        """Finds out how a file is to be read.

        Raises:
            DataError: it has no header, or cannot be read.
        """
        with translate_table_errors(path), _opened(path) as file:
            declared = read_ecsv_header(file)
        with translate_table_errors(path), _opened(path) as file:
            if declared is not None:
                separator, fields = declared
                return cls(
                    path, CsvForm(separator, tuple(f.name for f in fields), False, 0), fields
                )
            try:
                form = form_of(file, set())
            except csv.Error as error:
                raise ValueError(str(error)) from error
        if not any(form.columns):
            raise DataError(f"The table {path} is empty: its first line names the columns.")
        return cls(path, form)

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The types of the columns; see `Table`."""
        kinds = [ColumnType() for _ in self.column_names]
        declared = self._declared or [pa.field(name, pa.null()) for name in self.column_names]
        for piece in self._texts(65536):
            for kind, column, field in zip(kinds, piece.columns, declared, strict=True):
                if field.type == pa.null():
                    kind.see(column.combine_chunks())
        return pa.schema(
            field.with_type(kind.found) if field.type == pa.null() else field
            for kind, field in zip(kinds, declared, strict=True)
        )

    def pieces(self, rows: int = 65536) -> Iterator[pa.Table]:
        """Yields the rows; see `Table`."""
        schema = self.schema
        for piece in self._texts(rows):
            try:
                columns = [
                    typed(column.combine_chunks(), field.type)
                    for column, field in zip(piece.columns, schema, strict=True)
                ]
            except pa.ArrowInvalid as error:
                raise DataError(
                    f"The table {self.path} is not what its header says: {error}."
                ) from error
            yield pa.table(columns, schema=schema.with_metadata(piece.schema.metadata))

    def _texts(self, rows: int) -> Iterator[pa.Table]:
        """Yields pieces of tidied text."""
        with translate_table_errors(self.path), _opened(self.path) as file:
            lines = itertools.islice(_without_comments(file), self._form.skipped, None)
            if not self._form.header_is_comment:
                next(parsed((line for _, line in lines), self._form.separator), None)
            while some := list(itertools.islice(lines, rows)):
                piece = self._read_plain(some)
                yield self._read_cells(some, lines) if piece is None else piece

    def _read_plain(self, lines: Sequence[Line]) -> pa.Table | None:
        """Reads lines of as many cells as the header has; None for others.

        Quotes must enclose whole cells, on one line and without a blank before them: all else is
        left to Python's reader, which takes ten times as long.
        """
        text = "".join(line for _, line in lines)
        has_quotes = '"' in text
        if has_quotes and (
            f'{self._form.separator} "' in text or any(line.count('"') % 2 for _, line in lines)
        ):
            return None
        try:
            found = pyarrow.csv.read_csv(
                pa.BufferReader(text.encode()),
                pyarrow.csv.ReadOptions(
                    column_names=self.column_names, block_size=max(1, 4 * len(text))
                ),
                pyarrow.csv.ParseOptions(
                    delimiter=self._form.separator, quote_char='"' if has_quotes else False
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(self.column_names, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except (pa.ArrowInvalid, UnicodeEncodeError):
            return None
        return self._tidied(found)

    def _read_cells(self, lines: Sequence[Line], following: Iterator[Line]) -> pa.Table:
        """Reads lines one by one, and those that follow as far as a quoted cell reaches."""
        taken, last = 0, 0

        def feed() -> Iterator[str]:
            nonlocal taken, last
            for number, line in itertools.chain(lines, following):
                taken, last = taken + 1, number
                yield line

        reader = parsed(feed(), self._form.separator)
        width = len(self.column_names)
        rows: list[list[str]] = []
        problems: dict[int, str] = {}
        while taken < len(lines):
            first = lines[taken][0]
            try:
                row = without_empty_ends(next(reader, []), self._form.columns)
            except csv.Error as error:
                raise ValueError(f"line {first}: {error}; is a quote left open there?") from error
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != width:
                problems[len(rows)] = self._words_of_width(last, len(row))
            rows.append(
                [cell if cell.isascii() else written(cell) for cell in row[:width]]
                + [""] * (width - len(row))
            )
        columns = zip(*rows, strict=True) if rows else [()] * width
        arrays = [pa.array(column, pa.string()) for column in columns]
        return with_problems(self._tidied(pa.table(arrays, names=self.column_names)), problems)

    def _words_of_width(self, line: int, cells: int) -> str:
        width, separator = len(self.column_names), self._form.separator
        words = f"{self.path.name} line {line}: it has {cells} cells, where the header has {width}"
        if cells > width:
            words += f': a cell that holds a "{separator}" must stand in quotes'
        return words

    def _tidied(self, texts: pa.Table) -> pa.Table:
        """Returns text tidied, without the rows that are nothing but separators."""
        columns = [column.combine_chunks() for column in texts.columns]
        blank = pc.equal(pc.utf8_trim_whitespace(columns[0]), "")
        if pc.any(blank).as_py():
            for column in columns[1:]:
                blank = pc.and_(blank, pc.equal(pc.utf8_trim_whitespace(column), ""))
            columns = [column.filter(pc.invert(blank)) for column in columns]
        return pa.table([tidy(column) for column in columns], names=self.column_names)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Opens a file as text; what a spreadsheet calls Unicode text is UTF-16, and says so."""
    unpack = gzip.open if path.name.lower().endswith(".gz") else open
    with unpack(path, "rb") as file:
        encoding = "utf-16" if file.read(2) in _UTF_16 else "utf-8-sig"
    with unpack(path, "rt", encoding=encoding, errors="surrogateescape", newline="") as text:
        yield text


def _without_comments(file: TextIO) -> Iterator[Line]:
    return (line for line in enumerate(file, start=1) if not line[1].startswith("#"))
