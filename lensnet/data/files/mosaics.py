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

from lensnet.data.files.bad_file import BadFileError, first_words
from lensnet.data.files.fits_files import HduName, decode_fits, is_compressed

__all__ = ["CutoutSize", "Mosaic", "opened", "split_hdu"]

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


# Compressed files up to this size are unpacked whole, where their decoder can do no harm.
_SMALL_BYTES = 16 * 2**20


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
        BadFileError: it cannot be read, is not an image of two axes, or says nothing of the sky.
    """

    def __init__(self, path: Path, hdu: HduName | None = None):
        from astropy.io import fits
        from astropy.wcs import WCS
        from astropy.wcs.utils import proj_plane_pixel_scales

        self.path = path
        self._lock = threading.Lock()
        if not path.is_file():
            raise BadFileError(path, "there is no such file")
        try:
            self._hdus = fits.open(path, memmap=True, lazy_load_hdus=True)
        except Exception as error:
            # astropy fails in many ways on files that are damaged or none of its kind.
            raise BadFileError(path, f"not a FITS file ({first_words(error)})") from None
        try:
            self._hdu = self._find(hdu)
            # What WCS offers to ask this, and to leave other axes out, parses the header anew.
            self._wcs = WCS(self._hdu.header)
            if self._wcs.naxis != 2 or min(self._wcs.wcs.lng, self._wcs.wcs.lat) < 0:
                raise ValueError("its header does not say where in the sky it lies")
            self.shape: tuple[int, int] = tuple(self._hdu.shape)
            self.arcsec_per_pixel = 3600 * proj_plane_pixel_scales(self._wcs)
            self._pixels = self._readable()
        except Exception as error:
            self._hdus.close()
            reason = str(error) if type(error) is ValueError else f"damaged ({first_words(error)})"
            raise BadFileError(path, reason) from None
        # Whoever holds a mosaic for as long as its data set need not close it.
        weakref.finalize(self, self._hdus.close)

    def close(self) -> None:
        """Closes the file."""
        self._hdus.close()

    def pixels_of(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Returns where positions lie, in pixels from the centre of the first, (N, 2) as (x, y).

        Args:
            ra_deg: right ascensions (ICRS) in degrees, (N,).
            dec_deg: declinations in degrees, (N,).

        Returns:
            NaN where a position has no place in the projection.
        """
        from astropy import units
        from astropy.coordinates import SkyCoord
        from astropy.wcs import NoConvergence
        from astropy.wcs.utils import skycoord_to_pixel

        with self._lock:
            positions = SkyCoord(ra_deg, dec_deg, unit=units.deg, frame="icrs")
            try:
                return np.stack(skycoord_to_pixel(positions, self._wcs, origin=0), axis=-1)
            except NoConvergence as error:
                # Positions far off, where the distortion has no inverse.
                found = np.array(error.best_solution, dtype=float)
                for rows in (error.divergent, error.slow_conv):
                    if rows is not None:
                        found[rows] = np.nan
                return found

    def cut(self, x: float, y: float, size: CutoutSize) -> np.ndarray:
        """Returns the image around a place.

        Args:
            x: column, in pixels from the centre of the first.
            y: row.
            size: how large an image.

        Raises:
            ValueError: it would reach over the edge; the message is a reason for the quarantine.
        """
        from astropy.nddata import Cutout2D, NoOverlapError, PartialOverlapError

        if not (np.isfinite(x) and np.isfinite(y)):
            raise ValueError("the position is not on it")
        try:
            with self._lock:
                cutout = Cutout2D(
                    self._pixels, (x, y), size.of(self.arcsec_per_pixel), mode="strict", copy=True
                )
        except NoOverlapError:
            raise ValueError("the position is not on it") from None
        except PartialOverlapError:
            raise ValueError("the cutout reaches over its edge") from None
        return np.asarray(cutout.data)

    def _find(self, hdu: HduName | None) -> Any:
        if hdu is None:
            found = next((h for h in self._hdus if h.is_image and len(h.shape) >= 2), None)
            if found is None:
                raise ValueError("no HDU holds an image")
        else:
            try:
                found = self._hdus[hdu]
            except (KeyError, IndexError):
                raise ValueError(f"it has no HDU {hdu!r}") from None
        if not found.is_image or len(found.shape) != 2:
            raise ValueError("holds no image of two axes")
        return found

    def _readable(self) -> Any:
        """Returns what gives pixels when it is sliced, without the others being read."""
        if is_compressed(self._hdu) and self.path.stat().st_size <= _SMALL_BYTES:
            # An image of one object, which may be damaged as any: see `compressed_fits`.
            place = self._hdus.index_of(self._hdu)
            return decode_fits(self.path.read_bytes(), place)
        header = self._hdu.header
        plain = header["BITPIX"] < 0 and type(self._hdu).__name__ in ("PrimaryHDU", "ImageHDU")
        if plain and "BSCALE" not in header and "BZERO" not in header:
            return self._hdu.data
        return self._hdu.section


@contextlib.contextmanager
def opened(path: Path, hdu: HduName | None) -> Iterator[Mosaic]:
    """Opens a file for as long as it is needed."""
    mosaic = Mosaic(path, hdu)
    try:
        yield mosaic
    finally:
        mosaic.close()
