"""Tables in VOTable files (https://www.ivoa.net/documents/VOTable/)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa

from lensnet.data.files.bad_file import reading
from lensnet.data.files.catalogue_rows import check_unique
from lensnet.data.files.fits_files import without_astropy_warnings
from lensnet.data.tables.numpy_columns import arrow_column
from lensnet.data.tables.table import Table, described

__all__ = ["VOTable", "votable_fields"]


@final
class VOTable(Table):
    """The first table of a VOTable file.

    The format can only be read whole: of tables of many million rows, Parquet is the better one.
    """

    @classmethod
    def open(cls, path: Path) -> VOTable:
        """Reads a file.

        Raises:
            DataError: it is not a VOTable file, or is damaged.
        """
        with reading(f"The table {path}"), without_astropy_warnings():
            from astropy.io.votable import parse_single_table

            found = parse_single_table(str(path), verify="ignore")
            content = _arrow_table(found)
        check_unique(path, content.column_names)
        table = cls(path, tuple(content.column_names))
        table._content = content
        return table

    _content: pa.Table

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """The types of the columns; see `Table`."""
        return self._content.schema

    def pieces(self, rows: int = 65536) -> Iterator[pa.Table]:
        """Yields the rows; see `Table`."""
        for start in range(0, self._content.num_rows, rows):
            yield self._content.slice(start, rows)


def _arrow_table(table: Any) -> pa.Table:
    arrays, fields = [], []
    for field, name in zip(table.fields, table.array.dtype.names or (), strict=True):
        values = table.array[name]
        mask = np.ma.getmaskarray(values)
        missing = mask if mask.ndim == 1 and mask.any() else None
        column = arrow_column(np.ma.getdata(values), missing)
        if column is not None:
            arrays.append(column)
            fields.append(_described(pa.field(field.name or field.ID, column.type), field))
    return pa.table(arrays, schema=pa.schema(fields))


def _described(column: pa.Field, field: Any) -> pa.Field:
    unit = None if field.unit is None else str(field.unit)
    return described(column, unit, None if field.description is None else str(field.description))


def votable_fields(document: bytes) -> dict[str, pa.Field]:
    """Returns what a VOTable without rows says of columns: names, units, descriptions.

    So Parquet files of the Virtual Observatory describe theirs.
    """
    import io

    from astropy.io.votable import parse

    with without_astropy_warnings():
        found = next(parse(io.BytesIO(document), verify="ignore").iter_tables(), None)
    fields = () if found is None else found.fields
    return {field.name: _described(pa.field(field.name, pa.null()), field) for field in fields}
