"""From the numbers that a FITS image stores to its pixels."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.data.files.bad_file import RefusedError

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["FitsScaling"]


@dataclass(frozen=True)
class FitsScaling:
    """Which pixel a stored number means: `zero + scale * number`, or none where it is `blank`.

    astropy reads an image whole in this way, but no part of one that it maps into memory; it makes
    numbers of the blanks of unsigned integers, and of a `BLANK` that is 0; and it scales 16 bits
    in single precision, where a large BZERO drowns what lies upon it.

    Args:
        scale: BSCALE.
        zero: BZERO.
        blank: BLANK, of integers alone; None where every number is a pixel.

    Example:

    >>> from astropy.io.fits import Header
    >>> header = Header({"BITPIX": 16, "BZERO": 32768, "BLANK": -32768})
    >>> scaling = FitsScaling.from_header(header)
    >>> scaling(np.array([-32768, -32767, 32767], np.int16)).tolist()
    [nan, 1.0, 65535.0]
    """

    scale: float = 1.0
    zero: float = 0.0
    blank: int | None = None

    @classmethod
    def from_header(cls, header: Header) -> FitsScaling:
        """Takes what the cards say; of several with one keyword, the last, as astropy does.

        Raises:
            RefusedError: BSCALE or BZERO is not a number.
        """
        blank = _last(header, "BLANK", None)
        is_whole = isinstance(blank, int) or (isinstance(blank, float) and blank.is_integer())
        return cls(
            scale=_number(header, "BSCALE", 1.0),
            zero=_number(header, "BZERO", 0.0),
            blank=int(blank) if is_whole and header.get("BITPIX", 0) > 0 else None,
        )

    def __call__(self, stored: np.ndarray) -> np.ndarray:
        """Returns the pixels of stored numbers, blanks as NaN.

        What is not scaled and has no blanks keeps its type, and unsigned integers are exact. Else
        pixels are floats that hold every digit, of single precision where that does.
        """
        is_blank = stored == self.blank if self.blank is not None else None
        if is_blank is not None and not is_blank.any():
            is_blank = None
        bits = 8 * stored.dtype.itemsize
        pixels = stored
        if self.scale == 1 and self.zero == 2 ** (bits - 1) and stored.dtype.kind == "i":
            # The way in which FITS stores unsigned integers; in floats 64 bits would be rounded.
            pixels = stored.astype(f"=i{bits // 8}").view(f"=u{bits // 8}") ^ 2 ** (bits - 1)
        elif self.scale != 1 or self.zero != 0:
            pixels = stored.astype(self._holding(stored.dtype))
            with np.errstate(over="ignore", invalid="ignore"):
                pixels *= self.scale
                pixels += self.zero
        if is_blank is None:
            return pixels
        if pixels.dtype.kind != "f":
            pixels = pixels.astype(np.float32 if bits <= 16 else np.float64)
        pixels[is_blank] = math.nan
        return pixels

    def _holding(self, stored: np.dtype[Any]) -> type[np.floating[Any]]:
        """Returns the type of float that loses no digit of what is scaled."""
        is_offset = self.scale == 1 and self.zero.is_integer() and abs(self.zero) <= 2**23
        is_short = stored.kind in "iu" and stored.itemsize <= 2
        return np.float32 if is_offset and is_short else np.float64


def _last(header: Header, keyword: str, default: Any) -> Any:
    return header[keyword, header.count(keyword) - 1] if keyword in header else default


def _number(header: Header, keyword: str, default: float) -> float:
    value = _last(header, keyword, default)
    if not isinstance(value, bool) and isinstance(value, int | float):
        with contextlib.suppress(OverflowError):
            return float(value)
    raise RefusedError(f"its {keyword} is {str(value)!r:.40}, not a number")
