"""From a file as found in the wild to an image, or to one short reason why not.

>>> import numpy as np, tempfile, pathlib
>>> path = pathlib.Path(tempfile.mkdtemp()) / "lens.npy"
>>> np.save(path, np.arange(3 * 8 * 8).reshape(3, 8, 8))
>>> read_image(path).shape
(8, 8, 3)
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from lensnet.data.files.bad_file import BadFileError
from lensnet.data.files.band_grids import on_finest_grid
from lensnet.data.files.fits_files import HduName, decode_fits
from lensnet.data.files.jpeg_files import decode_jpeg
from lensnet.data.files.npy_files import decode_npy, decode_npz
from lensnet.data.files.pixels import channels_last, validate_and_fill
from lensnet.data.files.png_files import decode_png

__all__ = [
    "ENDINGS",
    "MAX_FILE_BYTES",
    "DecodedImage",
    "decode",
    "decode_bands",
    "image_ending",
    "image_kind",
    "read_bands",
    "read_example",
    "read_image",
    "stack_bands",
]

_KINDS = {
    ".npy": (".npy",),
    ".npz": (".npz",),
    ".fits": (".fits.gz", ".fits.fz", ".fits", ".fit", ".fts"),
    ".png": (".png",),
    ".jpg": (".jpg", ".jpeg"),
}
ENDINGS = tuple(itertools.chain.from_iterable(_KINDS.values()))
"""The endings of image files, in lower case; case does not matter in a file's name."""

MAX_FILE_BYTES = 2**30
"""Bytes beyond which a file is not a cutout and is refused unread."""


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


def image_kind(name: str) -> str | None:
    """Returns the usual ending of a file's kind, or None if it is not an image.

    >>> image_kind("J0029.FITS.gz"), image_kind("J0029.jpeg"), image_kind("notes.txt")
    ('.fits', '.jpg', None)
    """
    ending = (image_ending(name) or "").lower()
    return next((kind for kind, endings in _KINDS.items() if ending in endings), None)


def read_image(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    max_nonfinite: float = 0.05,
) -> np.ndarray:
    """Reads one image from a `.npy`, `.npz`, FITS, PNG or JPEG file.

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
    found = decode(path, hdu=hdu, max_nonfinite=max_nonfinite)
    return found.image, found.extras


class DecodedImage(NamedTuple):
    """An image and all that its files say of it.

    Args:
        image: (H, W, C) float32.
        extras: the numbers stored beside it.
        filled: how many of its pixels were not finite and have been filled.
        orientation: what its EXIF tag says of how to turn it, 1 to 8, where 1 is not at all. It is
            not turned: rows and columns are those of the file.
    """

    image: np.ndarray
    extras: tuple[float, ...]
    filled: int
    orientation: int = 1


class _Stored(NamedTuple):
    """The array of a file as it is stored, and what the file says beside it."""

    pixels: np.ndarray
    extras: tuple[float, ...] = ()
    orientation: int = 1


def decode(
    path: str | os.PathLike[str],
    *,
    hdu: HduName | None = None,
    max_nonfinite: float = 0.05,
    mask_value: float | None = None,
) -> DecodedImage:
    """Reads one image, the numbers beside it, and how much of it had to be filled.

    Args:
        path: the file.
        hdu: number or name of the FITS extension; None for the first that holds an image.
        max_nonfinite: share of the pixels that may be NaN, infinite or masked.
        mask_value: the value of masked pixels, which are filled like those that are not finite;
            None where there are none.

    Raises:
        BadFileError: as `read_image`.
    """
    stored = _stored_array(path, hdu)
    try:
        image, filled = validate_and_fill(channels_last(stored.pixels), max_nonfinite, mask_value)
    except ValueError as error:
        raise BadFileError(path, str(error)) from None
    return DecodedImage(image, stored.extras, filled, stored.orientation)


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
    return decode_bands(paths, hdu=hdu, max_nonfinite=max_nonfinite).image


def decode_bands(
    paths: Sequence[str | os.PathLike[str]],
    *,
    hdu: int | str | Sequence[HduName | None] | None = None,
    max_nonfinite: float = 0.05,
    mask_value: float | None = None,
    finest_grid: bool = False,
) -> DecodedImage:
    """Reads the bands of an image, and how much of them had to be filled.

    Args:
        paths: a file for each band, in the order of the channels; the same one more than once
            where it holds several bands.
        hdu: number or name of the FITS extension, one for all bands or one for each; None for the
            first that holds an image.
        max_nonfinite: share of the pixels, of all bands together, that may be NaN, infinite or
            masked.
        mask_value: the value of masked pixels; None where there are none.
        finest_grid: whether bands of larger pixels are brought to the grid of the finest.

    Raises:
        BadFileError: as `read_bands`.
        ValueError: there are not as many HDUs as paths.
    """
    hdus = [hdu] * len(paths) if hdu is None or isinstance(hdu, int | str) else list(hdu)
    orientations: set[int] = set()

    def planes() -> Iterator[tuple[str | os.PathLike[str], np.ndarray]]:
        for path, part in zip(paths, hdus, strict=True):
            stored = _stored_array(path, part)
            orientations.add(stored.orientation)
            yield path, stored.pixels

    found = stack_bands(
        on_finest_grid(planes()) if finest_grid else planes(),
        max_nonfinite=max_nonfinite,
        mask_value=mask_value,
    )
    return found._replace(orientation=max(orientations))


def stack_bands(
    planes: Iterable[tuple[str | os.PathLike[str], np.ndarray]],
    *,
    max_nonfinite: float = 0.05,
    mask_value: float | None = None,
) -> DecodedImage:
    """Makes an image of one array for each band.

    Args:
        planes: where each band is from, and its pixels as they are stored.
        max_nonfinite: share of the pixels, of all bands together, that may be NaN, infinite or
            masked.
        mask_value: the value of masked pixels; None where there are none.

    Raises:
        BadFileError: as `read_bands`.
    """
    sources: list[str | os.PathLike[str]] = []
    bands: list[np.ndarray] = []
    for path, pixels in planes:
        try:
            band = channels_last(pixels)
        except ValueError as error:
            raise BadFileError(path, str(error)) from None
        if band.shape[2] != 1:
            raise BadFileError(path, f"holds {band.shape[2]} channels, where a band has one")
        if bands and band.shape != bands[0].shape:
            raise BadFileError(
                path,
                f"shape {band.shape[:2]}, but {os.path.basename(sources[0])} has "
                f"{bands[0].shape[:2]}",
            )
        sources.append(path)
        bands.append(band)
    try:
        image, filled = validate_and_fill(np.concatenate(bands, axis=2), max_nonfinite, mask_value)
    except ValueError as error:
        # Of all bands the one with the most gaps.
        masks = np.nan if mask_value is None else mask_value
        gaps = [np.count_nonzero(~np.isfinite(band) | (band == masks)) for band in bands]
        raise BadFileError(sources[int(np.argmax(gaps))], str(error)) from None
    return DecodedImage(image, (), filled)


def _stored_array(path: str | os.PathLike[str], hdu: HduName | None) -> _Stored:
    """Returns the array of a file as it is stored."""
    kind = image_kind(os.path.basename(os.fspath(path)))
    if kind is None:
        raise BadFileError(path, f"not one of the known kinds of image: {', '.join(ENDINGS)}")
    data = _read_bytes(path)
    try:
        match kind:
            case ".npy":
                return _Stored(*decode_npy(data))
            case ".npz":
                return _Stored(*decode_npz(data))
            case ".png":
                pixels, orientation = decode_png(data)
                return _Stored(pixels, orientation=orientation)
            case ".jpg":
                pixels, orientation = decode_jpeg(data)
                return _Stored(pixels, orientation=orientation)
            case _:
                return _Stored(decode_fits(data, hdu))
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
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        broken = os.path.islink(path)
        raise BadFileError(path, "a broken link" if broken else "there is no such file") from None
    except PermissionError:
        raise BadFileError(path, "no permission to read it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadFileError(path, f"cannot be read ({reason})") from None
