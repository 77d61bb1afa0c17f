"""Writing a table as CSV that spreadsheets and every other program read back as it was meant."""

from __future__ import annotations

from pathlib import Path

from lensnet.csv_tables import TableWriter, open_for_writing
from lensnet.data.table_writing.content import TableContent, is_text, texts_of

__all__ = ["write"]


def write(path: Path, content: TableContent) -> None:
    """Writes a CSV file; units and descriptions have no place in it.

    Args:
        path: the file.
        content: the table.
    """
    table = content.plain()
    numbers = [one.name for one in table.schema if not is_text(one.type)]
    with open_for_writing(path) as stream:
        writer = TableWriter(stream, table.schema.names, numbers)
        for piece in table.pieces():
            writer.rows(zip(*map(texts_of, piece.columns), strict=True))
