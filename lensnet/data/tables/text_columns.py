"""Columns of text: what in them is missing, and whether all of them are numbers."""

from __future__ import annotations

import itertools
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from lensnet.csv_tables import restore_cell
from lensnet.data.files.catalogue_rows import MISSING_WORDS, tidy_cell

__all__ = ["ColumnType", "tidy", "typed"]

_NAN = ["".join(cases) for cases in itertools.product(*zip("nan", "NAN", strict=True))]
_NOTHING = pa.array(
    ["", *sorted(MISSING_WORDS), *(sign + word for sign in ("", "+", "-") for word in _NAN)]
)

# Digits behind a zero are a code, such as 0012, and not the number 12.
_CODE = r"^[+-]?0([0-9]+$|[xX])"

# More digits than double precision holds.
_LONG = r"^[+-]?[0-9]{16,}$"


def tidy(column: pa.Array) -> pa.Array:
    """Returns text without the spaces around it, null where it says that nothing is known.

    It says what `tidy_cell` says of a single cell, and undoes what keeps a cell of a CSV table
    from being a formula.

    >>> tidy(pa.array([" lens ", "NaN", "", "'=A1"])).to_pylist()
    ['lens', None, None, '=A1']
    """
    if pc.any(pc.starts_with(column, "'")).as_py():
        cells = (None if cell is None else restore_cell(cell) for cell in column.to_pylist())
        column = pa.array(
            [None if cell is None else tidy_cell(cell) for cell in cells], pa.string()
        )
    column = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(column, value_set=_NOTHING), pa.scalar(None, pa.string()), column)


@final
class ColumnType:
    """Finds out whether a column of text holds whole numbers, numbers, or words.

    Numbers that would not read back are text: codes with zeros in front, and whole numbers of 16
    digits and more among others that are not whole.

    >>> kind = ColumnType()
    >>> kind.see(pa.array(["1", None, "22"]))
    >>> kind.found
    DataType(int64)
    >>> kind.see(pa.array(["-1.5e3"]))
    >>> kind.found
    DataType(double)
    >>> kind.see(pa.array(["0012"]))
    >>> kind.found
    DataType(string)
    """

    def __init__(self) -> None:
        self.found: pa.DataType = pa.string()
        self._is_text = self._has_long = False

    def see(self, column: pa.Array) -> None:
        """Takes note of a part of the column, tidied."""
        known = column.drop_null()
        if self._is_text or not len(known):
            return
        self._has_long |= _any_matches(known, _LONG)
        wanted = [pa.float64()] if self.found == pa.float64() else [pa.int64(), pa.float64()]
        for kind in [] if _any_matches(known, _CODE) else wanted:
            try:
                typed(known, kind)
            except pa.ArrowInvalid:
                continue
            if kind == pa.float64() and self._has_long:
                break
            self.found = kind
            return
        self.found, self._is_text = pa.string(), True


def typed(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Returns a column of tidied text as values of a type.

    Raises:
        ArrowInvalid: one of them is not of this type.
    """
    if kind == pa.string():
        return column
    if pa.types.is_boolean(kind):
        return pc.cast(pc.utf8_lower(column), kind)
    return pc.cast(pc.replace_substring_regex(column, r"^\+([0-9.])", r"\1"), kind)


def _any_matches(column: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, pattern)).as_py())
