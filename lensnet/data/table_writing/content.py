"""What is to be written: columns with units, and rows in pieces; and the types all formats have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

__all__ = ["TableContent", "described_as", "is_text", "texts_of"]


@dataclass(frozen=True)
class TableContent:
    """A table, as it goes into a file.

    Args:
        schema: the columns; the metadata of a field may have `unit` and `description`.
        rows: how many rows there are.
        pieces: gives the rows in order, in tables of the schema, each time it is called.
        about: what is said of the whole, under names of at most eight letters.
    """

    schema: pa.Schema
    rows: int
    pieces: Callable[[], Iterator[pa.Table]]
    about: Mapping[str, str] = field(default_factory=dict)

    def plain(self) -> TableContent:
        """Returns the same with truth values, whole numbers, floats and text alone.

        Text files, FITS and VOTable have no more. Times become text, as do lists and structures
        (JSON); what Arrow packs away as a dictionary is unpacked.
        """
        schema = pa.schema([one.with_type(_plain_type(one.type)) for one in self.schema])

        def pieces() -> Iterator[pa.Table]:
            for piece in self.pieces():
                columns = [
                    _as_plain(piece.column(place), one.type) for place, one in enumerate(schema)
                ]
                yield pa.table(columns, schema=schema)

        return TableContent(schema, self.rows, pieces, self.about)


def described_as(one: pa.Field, what: str) -> str | None:
    """Returns the `unit` or the `description` of a column; None where it has none."""
    text = (one.metadata or {}).get(what.encode())
    return None if text is None else text.decode("utf-8", "replace")


def is_text(kind: pa.DataType) -> bool:
    """Returns whether a plain column is of text."""
    return bool(pa.types.is_string(kind))


def texts_of(column: pa.ChunkedArray) -> list[str | None]:
    """Returns the cells of a plain column as text files have them; None where nothing is known.

    Numbers have as many digits as tell them from their neighbours.

    >>> texts_of(pa.chunked_array([pa.array([0.1, None], pa.float32())]))
    ['0.1', None]
    >>> texts_of(pa.chunked_array([pa.array([True, False])]))
    ['True', 'False']
    """
    if pa.types.is_boolean(column.type):
        return [None if cell is None else str(cell) for cell in column.to_pylist()]
    return list(column.cast(pa.string()).to_pylist())


def _plain_type(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if types.is_float16(kind):
        return pa.float32()
    if types.is_decimal(kind):
        return pa.float64()
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return kind
    return pa.string()


def _as_plain(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        cells = [None if cell is None else _json(cell) for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, pa.string())])


def _json(cell: Any) -> str:
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    return json.dumps(cell, default=str)
