"""Columns of right ascension and declination as degrees: decimal, sexagesimal, in any unit.

>>> import pyarrow as pa
>>> right_ascensions(pa.array(["10:30:00", "157d30m", "157.5", None]))
array([157.5, 157.5, 157.5,   nan])
>>> declinations(pa.array(["-00 30 00", "91", "+45.25"]))
array([-0.5 ,   nan, 45.25])
"""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["declinations", "right_ascensions"]

_SEXAGESIMAL = (
    r"^(?P<sign>[+\-\x{2212}]?)(?P<whole>\d{1,3})(?P<mark>\s*[hHdD°:]\s*|\s+)"
    r"(?P<minutes>\d{1,2}(?:\.\d*)?)(?:\s*[mM'′:]\s*|\s+|$)"
    r"(?:(?P<seconds>\d{1,2}(?:\.\d*)?)\s*(?:[sS\"″]|'')?)?$"
)
_DECIMAL = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_HOURS = frozenset({"h", "hr", "hour", "hours", "hourangle"})


def right_ascensions(column: pa.Array, unit: str | None = None) -> np.ndarray:
    """Returns right ascensions in degrees from 0 to 360, (N,) float64; NaN where there is none.

    Sexagesimal ones are in hours, unless they say degrees (`157d30m`).

    Args:
        column: numbers or text.
        unit: of numbers, as the table says it; None for degrees.
    """
    degrees = _degrees(column, unit, sexagesimal_factor=15.0)
    degrees[~(np.abs(degrees) <= 360)] = math.nan
    return np.mod(degrees, 360.0)


def declinations(column: pa.Array, unit: str | None = None) -> np.ndarray:
    """Returns declinations in degrees, (N,) float64; NaN where there is none.

    Args:
        column: numbers or text.
        unit: of numbers, as the table says it; None for degrees.
    """
    degrees = _degrees(column, unit, sexagesimal_factor=1.0)
    degrees[~(np.abs(degrees) <= 90)] = math.nan
    return degrees


def _degrees(column: pa.Array, unit: str | None, sexagesimal_factor: float) -> np.ndarray:
    factor = _factor_of(unit)
    if pa.types.is_string(column.type):
        is_decimal = pc.match_substring_regex(column, _DECIMAL)
        decimal = pc.if_else(is_decimal, column, pa.scalar(None, pa.string()))
        numbers = pc.cast(pc.replace_substring_regex(decimal, r"^\+", ""), pa.float64())
        found = _floats(numbers) * factor
        if numbers.null_count > column.null_count:
            found = np.where(np.isnan(found), _sexagesimal(column, sexagesimal_factor), found)
        return found
    try:
        return _floats(pc.cast(column, pa.float64(), safe=False)) * factor
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return np.full(len(column), math.nan)


def _factor_of(unit: str | None) -> float:
    """Returns how many degrees a unit is."""
    if unit is None or not unit.strip():
        return 1.0
    if unit.strip().lower() in _HOURS:
        return 15.0
    from astropy import units

    with contextlib.suppress(Exception):
        return float(units.Unit(unit).to(units.deg))
    return 1.0


def _sexagesimal(column: pa.Array, factor: float) -> np.ndarray:
    parts = pc.extract_regex(column, _SEXAGESIMAL)
    sign, whole, mark, minutes, seconds = (
        parts.field(parts.type.get_field_index(name)).filter(parts.is_valid())
        for name in ("sign", "whole", "mark", "minutes", "seconds")
    )
    found = np.full(len(column), math.nan)
    if not len(whole):
        return found
    numbers = [
        _floats(pc.cast(pc.if_else(pc.equal(part, ""), "0", part), pa.float64()))
        for part in (whole, minutes, seconds)
    ]
    value = numbers[0] + numbers[1] / 60 + numbers[2] / 3600
    value[(numbers[1] >= 60) | (numbers[2] > 60)] = math.nan
    value *= np.where(_flags(pc.is_in(sign, pa.array(["", "+"]))), 1.0, -1.0)
    says_degrees = _flags(pc.match_substring_regex(mark, "[dD°]"))
    found[_flags(parts.is_valid())] = value * np.where(says_degrees, 1.0, factor)
    return found


def _floats(column: pa.Array) -> np.ndarray:
    """Returns a column as a fresh array, NaN for nulls."""
    return np.array(column.to_numpy(zero_copy_only=False), dtype=float)


def _flags(column: pa.Array) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=bool)
