"""Tables in FITS files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np

from lensnet.data.files.bad_file import reading
from lensnet.data.files.catalogue_rows import (
    Catalogue,
    Row,
    check_unique,
    tidy_cell,
)
from lensnet.errors import DataError

__all__ = ["FitsCatalogue", "missing_values", "name_columns"]


@final
class FitsCatalogue(Catalogue):
    """The first table of a FITS file."""

    @classmethod
    def open(cls, path: Path) -> FitsCatalogue:
        """Reads the names of the columns.

        Raises:
            DataError: it is not a FITS file, or holds no table.
        """
        with reading(f"The catalogue {path}"):
            columns = tuple(str(column.name) for column in cls._table(path).columns)
        check_unique(path, columns)
        return cls(path, columns)

    def rows(self) -> Iterator[Row]:
        """Yields the rows in their order; see `Catalogue`."""
        from astropy.io import fits

        with reading(f"The catalogue {self.path}"):
            table = self._table(self.path)
            is_text_table = isinstance(table, fits.TableHDU)
            columns = [
                (name, values, missing_values(table.columns[name], table.data, is_text_table))
                for name, values in ((name, _values(table.data, name)) for name in self.columns)
                if values.ndim == 1
            ]
        for number in range(len(table.data)):
            cells = {
                name: "" if missing[number] else _text(values[number])
                for name, values, missing in columns
            }
            yield Row(f"{self.path.name} row {number + 1}", cells)

    @staticmethod
    def _table(path: Path) -> Any:
        from astropy.io import fits

        with reading(f"The catalogue {path}"), fits.open(path, memmap=False) as hdus:
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    name_columns(hdu.header)
                    if hdu.data is not None:
                        return hdu
        raise DataError(f"The catalogue {path} holds no table.")


def name_columns(header: Any) -> None:
    """Gives columns that have no name one by their place, for astropy reads no others."""
    for place in range(1, int(header.get("TFIELDS", 0)) + 1):
        if not str(header.get(f"TTYPE{place}", "")).strip():
            header[f"TTYPE{place}"] = f"col{place}"


def _values(data: Any, name: str) -> Any:
    """Returns a column as astropy converts it."""
    from astropy.utils.exceptions import AstropyUserWarning

    with warnings.catch_warnings():
        # That a logical value that is neither T nor F becomes False: `missing_values` knows of it.
        warnings.simplefilter("ignore", AstropyUserWarning)
        return data[name]


def missing_values(column: Any, data: Any, is_text_table: bool) -> np.ndarray:
    """Returns which values of a column are masked, (N,) bool.

    What TNULL names is the number as it is stored, before TSCAL and TZERO. astropy's columns keep
    it as any other number, and make 0 of a text table's.

    Args:
        column: what astropy knows of the column.
        data: the table's rows, or some of them, as astropy reads them.
        is_text_table: whether the table's numbers are stored as text.
    """
    stored = data.view(np.ndarray)
    none = np.zeros(len(data), bool)
    if column.name not in (stored.dtype.names or ()):  # a column of no width
        return none
    raw = stored[column.name]
    if is_text_table:
        if raw.dtype.kind != "S":
            return none
        raw = np.char.strip(raw)
        # The standard reads a blank number as 0; whoever left it blank did not measure 0.
        return np.isin(raw, [b"", str(column.null).strip().encode()] if column.null else [b""])
    if raw.ndim != 1:
        return none
    if column.format.format == "L":
        return np.asarray(raw == 0) if raw.dtype.kind in "iu" else none
    if column.null is None or raw.dtype.kind not in "iu":
        return none
    return np.asarray(raw == int(column.null))


def _text(value: Any) -> str:
    """Returns a cell as the text that a CSV file would hold."""
    if isinstance(value, bytes):
        # Bytes that are not text may be the name of a file.
        return tidy_cell(value.decode("utf-8", "surrogateescape"))
    return tidy_cell(str(value.item() if hasattr(value, "item") else value))
