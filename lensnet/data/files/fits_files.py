"""Reading the image of a FITS file."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import warnings
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from lensnet.data.files.bad_file import RefusedError, first_words
from lensnet.data.files.compressed_fits import unpack_apart
from lensnet.data.files.fits_scaling import FitsScaling

__all__ = ["HduName", "decode_fits", "is_compressed", "without_astropy_warnings"]

HduName = int | str | tuple[str, int]
"""What names a part of a FITS file: its number, EXTNAME, or EXTNAME and EXTVER."""

_CARD, _BLOCK = 80, 2880
_END = b"END".ljust(_CARD)
_FLOATS: dict[int | None, np.dtype] = {-32: np.dtype(">f4"), -64: np.dtype(">f8")}

MAX_BYTES = 2**30
"""Bytes beyond which a file is not a cutout, when unpacked."""

# Gzip makes of 1032 equal bytes one, and no image of the sky is as simple.
_MOST_COMPRESSED = 2000


def decode_fits(data: bytes, hdu: HduName | None = None) -> np.ndarray:
    """Returns the pixels of one HDU, scaled by BSCALE and BZERO, with BLANK as NaN.

    Gzip and tile compression are undone, whatever the file's name says. Of more than three axes
    those of length 1 are left out, such as frequency and polarisation in images of CASA.

    Args:
        data: the whole file.
        hdu: number or name (EXTNAME) of the HDU; None for the first that holds an image.

    Raises:
        ValueError: the bytes are not a FITS file, are damaged, or hold no such image; the message
            is a reason for the quarantine.
    """
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data)
    if data[:6] != b"SIMPLE":
        raise ValueError("not a FITS file: its first bytes are others")
    plain = _plain_primary_image(data) if hdu is None else None
    if plain is not None:
        return plain
    from astropy.io import fits

    try:
        with fits.open(
            io.BytesIO(data), memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
        ) as hdus:
            found = _first_image(hdus) if hdu is None else _named(hdus, hdu)
            if found.size > _room(found, len(data)):
                raise RefusedError(f"truncated: the header announces {found.size} bytes of pixels")
            scaling = FitsScaling.from_header(found.header)
            apart = is_compressed(found)
            if apart:
                place, how = hdus.index_of(found), str(getattr(found, "compression_type", ""))
            else:
                stored = found.data
    except RefusedError:
        raise
    except Exception as error:
        # astropy fails in many ways on damaged headers and on files that were cut off.
        raise ValueError(f"damaged FITS file ({first_words(error)})") from error
    if apart:
        stored = unpack_apart(data, place, how)
    if not isinstance(stored, np.ndarray):
        raise ValueError("the HDU holds no image")
    pixels = scaling(stored)
    return pixels.squeeze() if pixels.ndim > 3 else pixels


@contextlib.contextmanager
def without_astropy_warnings() -> Iterator[None]:
    """Keeps astropy from warning of what is wrong with files: the reasons given here say it.

    Warnings are a matter of the whole process, so this belongs around the reading of many files,
    not into the threads that read one each.
    """
    from astropy.utils.exceptions import AstropyWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield


def _gunzip(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"damaged gzip file ({first_words(error)})") from error
    if len(unpacked) > MAX_BYTES:
        raise ValueError(f"unpacks to more than {MAX_BYTES} bytes")
    return unpacked


def _plain_primary_image(data: bytes) -> np.ndarray | None:
    """Returns the image of the primary HDU where it is stored as plain floats, else None.

    astropy takes a millisecond to parse the header of a survey's cutout, most of it history; this
    takes 20 microseconds, and leaves to astropy whatever is not as plain as can be.
    """
    end = data.find(_END)
    while end % _CARD and end >= 0:
        end = data.find(_END, end + 1)
    if end < 0:
        return None
    # astropy knows keywords in lower case, too.
    header = data[:end].upper()
    if _integer(header, b"SIMPLE", b"T") is None or any(
        _places(header, keyword) for keyword in (b"BSCALE", b"BZERO", b"GROUPS")
    ):
        return None
    dtype = _FLOATS.get(_integer(header, b"BITPIX"))
    count = _integer(header, b"NAXIS")
    if dtype is None or count not in (2, 3):
        return None
    lengths = [_integer(header, b"NAXIS%d" % (axis + 1)) for axis in range(count)]
    if any(length is None or not 0 < length < 2**31 for length in lengths):
        return None
    shape = tuple(length for length in reversed(lengths) if length is not None)
    start = -(-(end + _CARD) // _BLOCK) * _BLOCK
    number = math.prod(shape)
    if start + number * dtype.itemsize > len(data):
        return None
    return np.frombuffer(data, dtype, number, offset=start).reshape(shape)


def _places(header: bytes, keyword: bytes) -> list[int]:
    """Returns where the cards of a keyword start: nowhere, or more than once in a faulty header."""
    start = keyword.ljust(8) + b"="
    places = []
    at = header.find(start)
    while at >= 0:
        if at % _CARD == 0:
            places.append(at)
        at = header.find(start, at + 1)
    return places


def _integer(header: bytes, keyword: bytes, literal: bytes | None = None) -> int | None:
    """Returns the integer that the one card of a keyword gives in fixed format.

    It is 1 where the card gives the literal; None where there is no such card, or several.
    """
    places = _places(header, keyword)
    if len(places) != 1:
        return None
    (at,) = places
    value = header[at + 10 : at + 30].strip()
    if literal is not None:
        return 1 if value == literal else None
    try:
        return int(value)
    except ValueError:
        return None


def _first_image(hdus: Any) -> Any:
    for candidate in hdus:
        if candidate.is_image and len(candidate.shape) >= 2:
            return candidate
    raise RefusedError("no HDU holds an image")


def _named(hdus: Any, hdu: HduName) -> Any:
    try:
        found = hdus[hdu]
    except (KeyError, IndexError):
        raise RefusedError(f"it has no HDU {hdu!r}") from None
    if not found.is_image or len(found.shape) < 2:
        raise RefusedError(f"HDU {hdu!r} holds no image")
    return found


def _room(hdu: Any, length: int) -> int:
    """Returns how many bytes of pixels can stand in a file of so many bytes."""
    if is_compressed(hdu):
        return min(MAX_BYTES, _MOST_COMPRESSED * length)
    return length - int(hdu.fileinfo()["datLoc"])


def is_compressed(hdu: Any) -> bool:
    """Returns whether the pixels of an HDU are compressed tile by tile."""
    return "ZCMPTYPE" in getattr(hdu, "_header", {}) or type(hdu).__name__ == "CompImageHDU"
