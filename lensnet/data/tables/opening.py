"""Which kind of table a file or folder is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from lensnet.data.tables.fits_table import FitsTable
from lensnet.data.tables.parquet_table import ENDINGS as PARQUET
from lensnet.data.tables.parquet_table import ParquetTable, parquet_files
from lensnet.data.tables.table import Table, problems_of, with_problems
from lensnet.data.tables.text_table import TextTable
from lensnet.data.tables.votable import VOTable
from lensnet.errors import DataError

__all__ = ["ENDINGS", "is_table", "open_table", "read_table"]

_KINDS: dict[tuple[str, ...], Callable[[Path], Table]] = {
    (".csv", ".tsv", ".ecsv", ".csv.gz", ".tsv.gz", ".ecsv.gz"): TextTable.open,
    (".fits", ".fit", ".fts", ".fits.gz"): FitsTable.open,
    (".vot", ".xml", ".votable", ".vot.gz"): VOTable.open,
    PARQUET: ParquetTable.open,
}

ENDINGS = tuple(ending for endings in _KINDS for ending in endings)
"""The endings of tables, in lower case; case does not matter in a file's name."""


def is_table(path: Path) -> bool:
    """Returns whether a file's name, or what a folder holds, says that it is a table.

    A FITS file may be an image instead, and an XML file anything.

    >>> is_table(Path("galaxies.ecsv")), is_table(Path("galaxy.npy"))
    (True, False)
    """
    if path.is_dir():
        return bool(parquet_files(path))
    return path.name.lower().endswith(ENDINGS)


def open_table(path: Path) -> Table:
    """Opens a table without reading it: CSV, TSV, ECSV, FITS, VOTable, Parquet, or HATS.

    Args:
        path: the file; or a folder of Parquet files, such as a HATS catalogue.

    Raises:
        DataError: there is no such file, or it is not a table.
    """
    if not path.exists():
        raise DataError(f"The table {path} does not exist.")
    if path.is_dir():
        return ParquetTable.open(path)
    name = path.name.lower()
    for endings, open_one in _KINDS.items():
        if name.endswith(endings):
            return open_one(path)
    raise DataError(f"The table {path} is not one of {', '.join(ENDINGS)}.")


def read_table(path: Path) -> pa.Table:
    """Reads a table whole, as `open_table` opens it; `problems_of` it says which rows are faulty.

    Raises:
        DataError: there is no such file, or it is not a table.
    """
    table = open_table(path)
    pieces, start = [table.schema.empty_table()], 0
    problems: dict[int, str] = {}
    for piece in table.pieces():
        problems |= {start + row: reason for row, reason in problems_of(piece).items()}
        start += piece.num_rows
        pieces.append(piece.replace_schema_metadata(None))
    return with_problems(pa.concat_tables(pieces), problems)
