"""Writing a table as ECSV: CSV below a header with types, units and descriptions.

The header is astropy's own (APE 6, https://github.com/astropy/astropy-APEs); the rows are added to
it as they come.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa

from lensnet.csv_tables import open_for_writing
from lensnet.data.table_writing.content import TableContent, is_text, texts_of
from lensnet.data.table_writing.empty_table import empty_table

__all__ = ["write"]

# A line is a row, whatever stands in a cell.
_ONE_LINE = str.maketrans({"\n": "\\n", "\r": "\\r"})


def write(path: Path, content: TableContent) -> None:
    """Writes an ECSV file.

    Args:
        path: the file.
        content: the table.
    """
    table = content.plain()
    header = io.StringIO()
    empty_table(table).write(header, format="ascii.ecsv", delimiter=",")
    with open_for_writing(path) as stream:
        stream.write(header.getvalue().rstrip("\n") + "\n")
        writer = csv.writer(stream, lineterminator="\n")
        for piece in table.pieces():
            writer.writerows(zip(*map(_cells, piece.columns), strict=True))


def _cells(column: pa.ChunkedArray) -> list[str | None]:
    texts = texts_of(column)
    if not is_text(column.type):
        return texts
    return [None if text is None else text.translate(_ONE_LINE) for text in texts]
