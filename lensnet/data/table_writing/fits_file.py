"""Writing a FITS table: a header of what is to come, and the rows behind it as they come.

FITS Standard 4.0, section 7.3: a row is so many bytes, the same for each, so that text needs its
greatest length and the header the number of rows beforehand; both are found by going through the
rows once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lensnet.data.table_writing.content import TableContent, described_as, is_text
from lensnet.errors import DataError

__all__ = ["write"]

# Arrow's type, the letter of FITS, and the type that is wide enough to hold its numbers.
_NUMBERS: tuple[tuple[pa.DataType, str, pa.DataType], ...] = (
    (pa.uint8(), "B", pa.uint8()),
    (pa.int8(), "I", pa.int16()),
    (pa.int16(), "I", pa.int16()),
    (pa.uint16(), "J", pa.int32()),
    (pa.int32(), "J", pa.int32()),
    (pa.uint32(), "K", pa.int64()),
    (pa.int64(), "K", pa.int64()),
    (pa.uint64(), "K", pa.int64()),
    (pa.float32(), "E", pa.float32()),
    (pa.float64(), "D", pa.float64()),
)


@dataclass(frozen=True)
class _Column:
    """A column of a FITS table.

    Args:
        field: of the table.
        form: TFORM.
        kind: the type that its numbers are brought to; None for text and truth values.
        null: TNULL, which stands for a whole number that is not known; None where all are.
    """

    field: pa.Field
    form: str
    kind: pa.DataType | None = None
    null: int | None = None

    def bytes_of(self, column: pa.ChunkedArray) -> Any:
        """Returns the cells as NumPy has them, floats that are not known as NaN.

        Raises:
            DataError: a number is too large for FITS.
        """
        if self.kind is None:
            if self.form == "L":
                return [{True: ord("T"), False: ord("F"), None: 0}[c] for c in column.to_pylist()]
            return [_ascii(cell) for cell in column.to_pylist()]
        try:
            column = column.cast(self.kind)
        except pa.ArrowInvalid:
            raise DataError(
                f"The column {self.field.name} has numbers above 2^63, which FITS does not hold. "
                "Write a Parquet file (.parquet)."
            ) from None
        if column.null_count:
            column = pc.fill_null(column, float("nan") if self.null is None else self.null)
        return column.to_numpy()


def write(path: Path, content: TableContent) -> None:
    """Writes a FITS file with one table.

    Args:
        path: the file, not there yet or empty.
        content: the table. Text that is not ASCII is written with escapes, as `\\xe9`.

    Raises:
        DataError: a number is too large for FITS.
    """
    from astropy.io import fits

    table = content.plain()
    columns = _columns_of(table)
    hdu = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name=_ascii(column.field.name).decode(),
                format=column.form,
                unit=described_as(column.field, "unit"),
                null=column.null,
            )
            for column in columns
        ],
        nrows=0,
        name="SCORES",
    )
    header = hdu.header
    header["NAXIS2"] = table.rows
    for number, column in enumerate(columns, 1):
        words = described_as(column.field, "description")
        if words:
            header[f"TCOMM{number}"] = _ascii(words).decode()
    for name, text in table.about.items():
        header[name.upper()[:8]] = _ascii(text).decode()
    rows = hdu.columns.dtype.newbyteorder(">")
    with fits.StreamingHDU(path, header) as stream:
        for piece in table.pieces():
            block = np.empty(len(piece), rows)
            for place, column in enumerate(columns):
                block[rows.names[place]] = column.bytes_of(piece.column(place))
            stream.write(block.view(np.uint8))


def _columns_of(table: TableContent) -> list[_Column]:
    """Goes through the rows once, for the lengths of text and the numbers that are not known."""
    lengths = dict.fromkeys(table.schema.names, 1)
    has_nulls: set[str] = set()
    for piece in table.pieces():
        for one in table.schema:
            column = piece.column(one.name)
            if column.null_count:
                has_nulls.add(one.name)
            if is_text(one.type):
                longest = max((len(_ascii(cell)) for cell in column.to_pylist()), default=1)
                lengths[one.name] = max(lengths[one.name], longest)
    return [_column(one, lengths[one.name], one.name in has_nulls) for one in table.schema]


def _column(one: pa.Field, length: int, has_nulls: bool) -> _Column:
    if is_text(one.type):
        return _Column(one, f"{length}A")
    if pa.types.is_boolean(one.type):
        return _Column(one, "L")
    form, kind = next((form, wide) for kind, form, wide in _NUMBERS if kind == one.type)
    if not has_nulls or pa.types.is_floating(kind):
        return _Column(one, form, kind)
    if form == "B":  # which has no number to spare
        form, kind = "I", pa.int16()
    return _Column(one, form, kind, int(np.iinfo(kind.to_pandas_dtype()).min))


def _ascii(text: str | None) -> bytes:
    if text is None:
        return b""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return "".join(
        c if c.isascii() and c.isprintable() else c.encode("unicode_escape").decode() for c in text
    ).encode("ascii", "backslashreplace")
