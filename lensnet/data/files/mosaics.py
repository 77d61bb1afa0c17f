"""Cutting images out of larger ones, by right ascension and declination."""

from __future__ import annotations

import contextlib
import re
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.data.files.bad_file import BadFileError, RefusedError, first_words
from lensnet.data.files.fits_files import HduName, decode_fits, is_compressed
from lensnet.data.files.fits_scaling import FitsScaling
from lensnet.data.files.sky_axes import SkyAxes

__all__ = ["CutoutSize", "Mosaic", "find_image", "opened", "split_hdu"]

_BRACKETED = re.compile(r"(?P<path>.+)\[(?P<hdu>[^\[\]]+)\]")


def split_hdu(name: str) -> tuple[str, HduName | None]:
    """Returns the path and the HDU that a name such as `file.fits[SCI]` says; None for no HDU.

    >>> split_hdu("a.fits[SCI,2]"), split_hdu("a.fits[3]"), split_hdu("a.fits")
    (('a.fits', ('SCI', 2)), ('a.fits', 3), ('a.fits', None))
    """
    match = _BRACKETED.fullmatch(name)
    if match is None:
        return name, None
    extension, _, version = (part.strip() for part in match["hdu"].partition(","))
    if extension.isdecimal():
        return match["path"], int(extension)
    return match["path"], (extension, int(version)) if version.isdecimal() else extension


SMALL_BYTES = 16 * 2**20
"""Compressed files up to this size are unpacked whole, where their decoder can do no harm."""


@dataclass(frozen=True)
class CutoutSize:
    """How large an image to cut out, in one unit or the other.

    Args:
        pixels: pixels a side.
        arcsec: arcseconds a side, which are as many pixels as they are nearest to.
    """

    pixels: int | None = None
    arcsec: float | None = None

    def of(self, arcsec_per_pixel: np.ndarray) -> tuple[int, int]:
        """Returns the pixels (height, width), given the scales of the axes (x, y)."""
        if self.arcsec is None:
            return self.pixels or 0, self.pixels or 0
        width, height = (max(1, round(self.arcsec / float(scale))) for scale in arcsec_per_pixel)
        return height, width


class Mosaic:
    """A FITS image with a world coordinate system, opened without being read.

    Its methods may be called from several threads.

    Args:
        path: the file.
        hdu: number or name of the HDU; None for the first that holds an image.

    Raises:
        BadFileError: it cannot be read, has more than one plane, or does not say where in the sky
            it lies.
    """

    def __init__(self, path: Path, hdu: HduName | None = None):
        from astropy.io import fits

        self.path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise BadFileError(path, "there is no such file")
        try:
            # What astropy scales itself it will not map into memory.
            self._hdus = fits.open(
                path, memmap=True, lazy_load_hdus=True, do_not_scale_image_data=True
            )
        except Exception as error:
            # astropy fails in many ways on files that are damaged or none of its kind.
            raise BadFileError(path, f"not a FITS file ({first_words(error)})") from None
        try:
            self._hdu = find_image(self._hdus, hdu)
            self._axes = SkyAxes(self._hdu, self._hdus)
            self._scaling = FitsScaling.from_header(self._hdu.header)
            self._stored = self._readable()
        except Exception as error:
            self._hdus.close()
            is_ours = isinstance(error, RefusedError)
            raise BadFileError(
                path, str(error) if is_ours else f"damaged ({first_words(error)})"
            ) from None
        # Whoever holds a mosaic for as long as its data set need not close it.
        weakref.finalize(self, self._hdus.close)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self._axes.shape

    @property
    def arcsec_per_pixel(self) -> np.ndarray:
        """The scales of the axes (x, y)."""
        return self._axes.arcsec_per_pixel

    def close(self) -> None:
        """Closes the file."""
        self._hdus.close()

    def pixels_of(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Returns where positions in degrees, (N,) each, lie in pixels, (N, 2); see `SkyAxes`."""
        with self._lock:
            return self._axes.pixels_of(ra_deg, dec_deg)

    def cut(self, x: float, y: float, size: CutoutSize) -> np.ndarray:
        """Returns the image around a place.

        Args:
            x: column, in pixels from the centre of the first.
            y: row.
            size: how large an image.

        Raises:
            ValueError: it would reach over the edge; the message is a reason for the quarantine.
        """
        from astropy.nddata import NoOverlapError, PartialOverlapError, overlap_slices

        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError("the position is not on it")
        axes = self._axes
        try:
            (rows, columns), _ = overlap_slices(
                axes.shape, size.of(axes.arcsec_per_pixel), (y, x), mode="strict"
            )
        except NoOverlapError:
            raise ValueError("the position is not on it") from None
        except PartialOverlapError:
            raise ValueError("the cutout reaches over its edge") from None
        try:
            with self._lock:
                stored = np.array(self._stored[axes.within(rows, columns)])
        except Exception as error:
            # Decoders fail in many ways on damaged tiles.
            raise ValueError(f"damaged ({first_words(error)})") from None
        return self._scaling(stored)

    def _readable(self) -> Any:
        """Returns what gives the stored numbers when it is sliced, without reading the others."""
        if not is_compressed(self._hdu):
            try:
                stored = self._hdu.data
            except (OSError, TypeError, ValueError):
                raise RefusedError(
                    f"truncated: the header announces {self._hdu.size} bytes of pixels"
                ) from None
            if getattr(stored, "shape", None) != self._hdu.shape:
                raise RefusedError("holds no image")
            return stored
        if self.path.stat().st_size > SMALL_BYTES:
            return self._hdu.section
        # An image of one object, which may be damaged as any: see `compressed_fits`.
        place = self._hdus.index_of(self._hdu)
        try:
            pixels = decode_fits(self.path.read_bytes(), place)
        except ValueError as error:
            raise RefusedError(str(error)) from None
        self._scaling = FitsScaling()  # is done already
        return pixels.reshape(self._hdu.shape)


def find_image(hdus: Any, hdu: HduName | None) -> Any:
    """Returns the HDU of a name, or the first that holds an image.

    Raises:
        RefusedError: there is none, or it is not an image.
    """
    if hdu is None:
        found = next((h for h in hdus if h.is_image and len(h.shape) >= 2), None)
        if found is None:
            raise RefusedError("no HDU holds an image")
    else:
        try:
            found = hdus[hdu]
        except (KeyError, IndexError):
            raise RefusedError(f"it has no HDU {hdu!r}") from None
    if not found.is_image or len(found.shape) < 2:
        raise RefusedError("holds no image of two axes")
    return found


@contextlib.contextmanager
def opened(path: Path, hdu: HduName | None) -> Iterator[Mosaic]:
    """Opens a file for as long as it is needed."""
    mosaic = Mosaic(path, hdu)
    try:
        yield mosaic
    finally:
        mosaic.close()
