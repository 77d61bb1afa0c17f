"""From a file as found in the wild to an image, or to one short reason why not.

>>> import numpy as np, tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "lens.npy"
>>> np.save(path, np.arange(3 * 8 * 8).reshape(3, 8, 8))
>>> read_image(path).shape
(8, 8, 3)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lensnet.data.bad_file import BadFileError
from lensnet.data.fits_files import decode_fits
from lensnet.data.npy_files import decode_npy
from lensnet.data.png_files import decode_png

__all__ = [
    "ENDINGS",
    "MAX_FILE_BYTES",
    "Examined",
    "examine",
    "examine_bands",
    "image_ending",
    "read_bands",
    "read_example",
    "read_image",
]

_NPY, _PNG = (".npy",), (".png",)
_FITS = (".fits.gz", ".fits.fz", ".fits", ".fit", ".fts")
ENDINGS = _NPY + _FITS + _PNG
"""The endings of image files, in lower case; case does not matter in a file's name."""

MAX_FILE_BYTES = 2**30
"""Bytes beyond which a file is no cutout and is refused unread."""


def image_ending(name: str) -> str | None:
    """Returns the part of a file's name that says it is an image, or None if it is none.

    >>> image_ending("J0029.fits.gz"), image_ending("notes.txt")
    ('.fits.gz', None)
    """
    lower = name.lower()
    for ending in ENDINGS:
        if lower.endswith(ending) and len(lower) > len(ending):
            return name[-len(ending) :]
    return None


def read_image(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> np.ndarray:
    """Reads one image from a `.npy`, FITS or PNG file.

    An array of two dimensions has one channel. Of three, the channels are the axis that is
    shorter than both others, and it must be the first or the last: (1, 150, 150), (3, 64, 64)
    and (64, 64, 3) are read; (64, 3, 64) and (5, 5, 5) are refused.

    Pixels may be of any byte order, integer (scaled ones are scaled back) or float. NaN, infinite
    and, in float32, unrepresentably large pixels are filled with the median of their band's
    finite pixels, as long as they are few.

    Args:
        path: the file.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN or infinite.

    Returns:
        The image, (H, W, C) float32.

    Raises:
        BadFileError: the file cannot be read, or holds no usable image.
    """
    return read_example(path, hdu=hdu, max_nonfinite=max_nonfinite)[0]


def read_example(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Reads one image and the numbers stored beside it, as in an object array `[image, mass]`.

    Args:
        path: the file.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN or infinite.

    Returns:
        The image, (H, W, C) float32, and the numbers, which most files do not have.

    Raises:
        BadFileError: as `read_image`.
    """
    found = examine(path, hdu=hdu, max_nonfinite=max_nonfinite)
    return found.image, found.extras


class Examined(NamedTuple):
    """An image and all that its files say of it.

    Args:
        image: (H, W, C) float32.
        extras: the numbers stored beside it.
        filled: how many of its pixels were not finite and have been filled.
    """

    image: np.ndarray
    extras: tuple[float, ...]
    filled: int


def examine(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> Examined:
    """Reads one image, the numbers beside it, and how much of it had to be filled.

    Args:
        path: the file.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN or infinite.

    Raises:
        BadFileError: as `read_image`.
    """
    pixels, extras = _decode(path, hdu)
    try:
        image, filled = _finish(_channels_last(pixels), max_nonfinite)
    except ValueError as error:
        raise BadFileError(path, str(error)) from None
    return Examined(image, extras, filled)


def read_bands(
    paths: Sequence[str | os.PathLike[str]],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> np.ndarray:
    """Reads an image whose bands have a file each, and stacks them as channels.

    Args:
        paths: a file for each band, in the order of the channels.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels, of all bands together, that may be NaN or infinite.

    Returns:
        The image, (H, W, bands) float32.

    Raises:
        BadFileError: one of the files cannot be read, has more than one channel, or is not of the
            first one's shape.
    """
    return examine_bands(paths, hdu=hdu, max_nonfinite=max_nonfinite).image


def examine_bands(
    paths: Sequence[str | os.PathLike[str]],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> Examined:
    """Reads the bands of an image, and how much of them had to be filled.

    Args:
        paths: a file for each band, in the order of the channels.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels, of all bands together, that may be NaN or infinite.

    Raises:
        BadFileError: as `read_bands`.
    """
    bands: list[np.ndarray] = []
    for path in paths:
        pixels, _ = _decode(path, hdu)
        try:
            band = _channels_last(pixels)
        except ValueError as error:
            raise BadFileError(path, str(error)) from None
        if band.shape[2] != 1:
            raise BadFileError(path, f"holds {band.shape[2]} channels, where a band has one")
        if bands and band.shape != bands[0].shape:
            raise BadFileError(
                path,
                f"shape {band.shape[:2]}, but {os.path.basename(paths[0])} has "
                f"{bands[0].shape[:2]}",
            )
        bands.append(band)
    try:
        image, filled = _finish(np.concatenate(bands, axis=2), max_nonfinite)
    except ValueError as error:
        raise BadFileError(paths[0], str(error)) from None
    return Examined(image, (), filled)


def _decode(
    path: str | os.PathLike[str], hdu: int | str | None
) -> tuple[np.ndarray, tuple[float, ...]]:
    """Returns the array of a file as it is stored."""
    ending = image_ending(os.path.basename(os.fspath(path)))
    if ending is None:
        raise BadFileError(path, f"not one of the known kinds of image: {', '.join(ENDINGS)}")
    data = _read_bytes(path)
    try:
        if ending.lower() in _NPY:
            return decode_npy(data)
        if ending.lower() in _PNG:
            return decode_png(data), ()
        return decode_fits(data, hdu), ()
    except ValueError as error:
        raise BadFileError(path, str(error)) from None


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise BadFileError(path, "a directory, not a file")
        # A pipe or a device would keep the reader waiting for ever.
        if not stat.S_ISREG(status.st_mode):
            raise BadFileError(path, "not a regular file")
        if status.st_size == 0:
            raise BadFileError(path, "the file is empty")
        if status.st_size > MAX_FILE_BYTES:
            raise BadFileError(path, f"{status.st_size} bytes, too large for a cutout")
        return Path(path).read_bytes()
    except FileNotFoundError:
        broken = os.path.islink(path)
        raise BadFileError(path, "a broken link" if broken else "there is no such file") from None
    except PermissionError:
        raise BadFileError(path, "no permission to read it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFileError(path, f"cannot be read ({reason})") from None


def _channels_last(pixels: np.ndarray) -> np.ndarray:
    """Returns an array of numbers as (H, W, C).

    Raises:
        ValueError: it has other dimensions, or its channel axis cannot be told.
    """
    if pixels.dtype.kind not in "buif":
        raise ValueError(f"holds {pixels.dtype.name} values, not numbers")
    if 0 in pixels.shape:
        raise ValueError(f"shape {pixels.shape} holds no pixels")
    if pixels.ndim == 2:
        return pixels[:, :, np.newaxis]
    if pixels.ndim != 3:
        raise ValueError(f"{pixels.ndim} dimensions, where an image has two or three")
    first, middle, last = pixels.shape
    if first < min(middle, last):
        return np.moveaxis(pixels, 0, -1)
    if last < min(first, middle):
        return pixels
    raise ValueError(
        f"shape {pixels.shape} does not tell the channels: they are the shortest axis, first or "
        "last"
    )


def _finish(pixels: np.ndarray, max_nonfinite: float) -> tuple[np.ndarray, int]:
    """Returns (H, W, C) pixels as native float32, without gaps, and how many had been gaps.

    Raises:
        ValueError: too many are not finite, or all are one value.
    """
    filled = 0
    with np.errstate(over="ignore", invalid="ignore"):
        image = np.ascontiguousarray(pixels, dtype=np.float32)
        # A sum is finite if all terms are (and hardly ever overflows): one pass, nothing stored.
        if not np.isfinite(np.sum(image)):
            image, filled = _fill(image, max_nonfinite)
    if np.all(image == image[0, 0]):
        raise ValueError("all pixels have one value")
    return image, filled


def _fill(image: np.ndarray, max_nonfinite: float) -> tuple[np.ndarray, int]:
    finite = np.isfinite(image)
    share = 1 - np.count_nonzero(finite) / image.size
    if share > max_nonfinite:
        raise ValueError(
            f"{100 * share:.3g} % of its pixels are not finite; {100 * max_nonfinite:.3g} % may be"
        )
    image = image.copy()
    for band in range(image.shape[2]):
        known = finite[:, :, band]
        if not known.any():
            raise ValueError(f"channel {band} has no finite pixel")
        image[:, :, band][~known] = np.median(image[:, :, band][known])
    return image, int(np.count_nonzero(~finite))
