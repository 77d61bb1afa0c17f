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

from collections.abc import Collection
from pathlib import Path

from lensnet.data.files.catalogue_rows import (
    Catalogue,
    Row,
    label_name,
    number_of,
    written,
)
from lensnet.data.files.csv_catalogue import CsvCatalogue
from lensnet.data.files.fits_catalogue import FitsCatalogue
from lensnet.errors import DataError

__all__ = [
    "ENDINGS",
    "TEXT_ENDINGS",
    "Catalogue",
    "Row",
    "label_name",
    "number_of",
    "open_catalogue",
    "written",
]

TEXT_ENDINGS = (".csv", ".tsv")
_FITS = (".fits", ".fit", ".fts", ".fits.gz")
ENDINGS = (*TEXT_ENDINGS, *_FITS)
"""The endings of tables, in lower case; case does not matter in a file's name."""


def open_catalogue(path: Path, wanted: Collection[str] = ()) -> Catalogue:
    """Opens a CSV file or the first table of a FITS file.

    Cells of a CSV file are parted by commas, semicolons or tabs. Lines that start with `#` are
    comments, but for one right above the rows that names the columns.

    Args:
        path: the file.
        wanted: names of columns that it should have, which tell such a header from a comment.

    Raises:
        DataError: there is no such file, or it is not a table.
    """
    name = path.name.lower()
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise DataError(f"The catalogue {path} {what}.")
    if not name.endswith(ENDINGS):
        raise DataError(f"The catalogue {path} is not one of {', '.join(ENDINGS)}.")
    return FitsCatalogue.open(path) if name.endswith(_FITS) else CsvCatalogue.open(path, wanted)
