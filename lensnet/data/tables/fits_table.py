"""Tables in FITS files."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa

from lensnet.data.files.bad_file import reading
from lensnet.data.files.catalogue_rows import check_unique
from lensnet.data.files.fits_catalogue import missing_values, name_columns
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.tables.numpy_columns import arrow_column
from lensnet.data.tables.table import Table, described
from lensnet.errors import DataError

__all__ = ["FitsTable"]


@final
class FitsTable(Table):
    """The first table of a FITS file, mapped into memory, never read whole.

    That of a file compressed by gzip is unpacked whole. Columns of complex numbers are left out.
    """

    @classmethod
    def open(cls, path: Path) -> FitsTable:
        """Reads the names of the columns.

        Raises:
            DataError: it is not a FITS file, or holds no table.
        """
        with _opened(path) as table:
            names = tuple(
                str(column.name)
                for column in table.columns
                if column.format.format not in "CM"  # complex
            )
        check_unique(path, names)
        return cls(path, names)

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The types of the columns; see `Table`."""
        with _opened(self.path) as table:
            arrays = self._columns(table, 0, 1)
            return pa.schema(
                described(pa.field(name, array.type), *_unit_and_description(table, name))
                for name, array in zip(self.column_names, arrays, strict=True)
            )

    def pieces(self, rows: int = 65536) -> Iterator[pa.Table]:
        """Yields the rows; see `Table`."""
        schema, start, length = self.schema, 0, 1
        while start < length:
            # Opened anew, so that the pages that were read need not stay in memory; but for what
            # would be unpacked anew.
            with _opened(self.path) as table:
                length = len(table.data)
                once = self.path.name.lower().endswith(".gz")
                end = length if once else min(start + rows, length)
                for first in range(start, end, rows):
                    arrays = self._columns(table, first, min(first + rows, end))
                    yield pa.table(
                        [
                            array.cast(field.type)
                            for array, field in zip(arrays, schema, strict=True)
                        ],
                        schema=schema,
                    )
            start = end

    def _columns(self, table: Any, start: int, end: int) -> list[pa.Array]:
        from astropy.io import fits

        is_text_table = isinstance(table, fits.TableHDU)
        with reading(f"The table {self.path}"), warnings.catch_warnings():
            # That a logical value that is neither T nor F becomes False: it is masked.
            warnings.simplefilter("ignore")
            part, arrays = table.data[start:end], []
            for name in self.column_names:
                column = table.columns[name]
                missing = missing_values(column, part, is_text_table)
                stored = part.view(np.ndarray)
                is_bytes = not is_text_table and column.format.format == "A"
                has_width = name in (stored.dtype.names or ())
                values = stored[name] if is_bytes and has_width else part[name]
                found = arrow_column(values, missing if missing.any() else None)
                arrays.append(pa.nulls(end - start, pa.string()) if found is None else found)
        return arrays


def _unit_and_description(table: Any, name: str) -> tuple[str | None, str | None]:
    place = table.columns.names.index(name) + 1
    comment = table.header.get(f"TCOMM{place}")
    return table.columns[name].unit, None if comment is None else str(comment)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Opens a file at its first table.

    Raises:
        DataError: it holds none, or cannot be read.
    """
    from astropy.io import fits

    with contextlib.ExitStack() as stack:
        with reading(f"The table {path}"):
            stack.enter_context(without_astropy_warnings())
            hdus = stack.enter_context(fits.open(path, memmap=True, lazy_load_hdus=True))
            found = None
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    name_columns(hdu.header)
                    found = hdu
                    break
            if found is None or found.data is None:
                raise DataError(f"The catalogue {path} holds no table.")
        yield found
