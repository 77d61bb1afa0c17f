"""Columns of NumPy arrays, as astropy reads them, as Arrow's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from lensnet.data.files.catalogue_rows import written
from lensnet.data.tables.text_columns import tidy

__all__ = ["arrow_column"]


def arrow_column(values: Any, missing: np.ndarray | None = None) -> pa.Array | None:
    """Returns a column as Arrow's array, where NaN is null; None for complex numbers.

    Args:
        values: (N, ...); numbers, text, bytes or arrays of different lengths.
        missing: (N,) bool, which are masked.
    """
    values = np.asarray(values)
    if values.dtype.kind in "US":
        return tidy(_texts(values, missing)) if values.ndim == 1 else _lists(values)
    if values.dtype.kind == "O":
        return _objects(values, missing)
    if values.dtype.kind not in "biufmM":
        return None
    values = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False))
    if values.ndim > 1:
        return _lists(values)
    return pa.array(values, mask=missing, from_pandas=True)


def _texts(values: np.ndarray, missing: np.ndarray | None) -> pa.Array:
    if values.dtype.kind == "U":
        return pa.array(values, pa.string(), mask=missing)
    found = pa.array(values, pa.binary(), mask=missing)
    try:
        return found.cast(pa.string())
    except pa.ArrowInvalid:
        # Bytes that are not text may be the name of a file.
        return pa.array([_written(cell) for cell in found.to_pylist()], pa.string())


def _written(cell: bytes | str | None) -> str | None:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "surrogateescape")
    return None if cell is None else written(cell)


def _objects(values: np.ndarray, missing: np.ndarray | None) -> pa.Array | None:
    hidden = np.zeros(len(values), bool) if missing is None else missing
    cells = [None if hide else cell for cell, hide in zip(values.tolist(), hidden, strict=True)]
    if all(cell is None or isinstance(cell, str | bytes) for cell in cells):
        return tidy(pa.array([_written(cell) for cell in cells], pa.string()))
    try:
        return pa.array([None if cell is None else np.asarray(cell).tolist() for cell in cells])
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None


def _lists(values: np.ndarray) -> pa.Array | None:
    """Returns a column of arrays of one shape as lists of their values, row by row."""
    flat = arrow_column(values.reshape(-1))
    length = int(np.prod(values.shape[1:]))
    if flat is None or not length:
        return None
    return pa.FixedSizeListArray.from_arrays(flat, length)
