"""Where in the sky a mosaic lies, by its header alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensnet.data.files.bad_file import BadFileError, RefusedError, first_words
from lensnet.data.files.fits_files import HduName, is_compressed
from lensnet.data.files.mosaics import find_image
from lensnet.data.files.sky_axes import SkyAxes

__all__ = ["Footprint", "read_footprint", "unit_vectors", "zero_point_of"]

_ZERO_POINTS = (
    "MAGZERO",
    "ZEROPOINT",
    "MAGZEROPOINT",
    "MAGZPT",
    "MAGZP",
    "PHOTZP",
    "PHOTZPT",
    "ZPAB",
    "ZP_AB",
    "ZP",
    "FPA.ZP",
)
"""How surveys (DES, Euclid, ZTF, CFHT, Pan-STARRS, ...) call a zero point in magnitudes."""

_FLUX_OF_ZERO = "FLUXMAG0"
"""How Hyper Suprime-Cam calls the counts of an object of magnitude 0."""

# Points along an edge, by which the circle around a footprint is found.
_POINTS = 17


@dataclass(frozen=True, eq=False)
class Footprint:
    """What the header of a mosaic says of it.

    Args:
        axes: between its pixels and the sky.
        centre: unit vector to a point of the sky, (3,).
        radius: of a circle around it that holds the whole mosaic, in radians.
        zero_point: in magnitudes; None where the header says none.
        problem: why its pixels cannot be read, where that is known before reading any.
    """

    axes: SkyAxes
    centre: np.ndarray
    radius: float
    zero_point: float | None
    problem: str | None = None


def read_footprint(path: Path, hdu: HduName | None = None) -> Footprint:
    """Reads the header of a mosaic.

    Args:
        path: the file.
        hdu: number or name of the HDU; None for the first that holds an image.

    Raises:
        BadFileError: there is no such file, or its header does not say where in the sky it lies.
    """
    from astropy.io import fits

    if not path.is_file():
        raise BadFileError(path, "there is no such file")
    try:
        with fits.open(
            path, memmap=True, lazy_load_hdus=True, do_not_scale_image_data=True
        ) as hdus:
            found = find_image(hdus, hdu)
            zero_point = zero_point_of(found.header)
            if zero_point is None:
                zero_point = zero_point_of(hdus[0].header)
            problem = _truncated(path, found)
            axes = SkyAxes(found, hdus)
    except Exception as error:
        # astropy fails in many ways on files that are damaged or none of its kind.
        is_ours = isinstance(error, RefusedError)
        words = str(error) if is_ours else f"not a FITS file, or damaged ({first_words(error)})"
        raise BadFileError(path, words) from None
    return Footprint(axes, *_circle(axes), zero_point, problem)


def zero_point_of(header: Mapping[str, Any]) -> float | None:
    """Returns the zero point that a header says, in magnitudes; None where it says none.

    >>> zero_point_of({"MAGZERO": 30.0}), zero_point_of({"FLUXMAG0": 1e12}), zero_point_of({})
    (30.0, 30.0, None)
    """
    for keyword in _ZERO_POINTS:
        value = header.get(keyword)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    flux = header.get(_FLUX_OF_ZERO)
    if isinstance(flux, int | float) and math.isfinite(flux) and flux > 0:
        return 2.5 * math.log10(flux)
    return None


def unit_vectors(ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
    """Returns positions on the unit sphere, (N, 3), where neither poles nor 360 degrees matter."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _truncated(path: Path, hdu: Any) -> str | None:
    """Returns that a file ends before its pixels do, if so."""
    if path.name.lower().endswith(".gz"):
        return None  # how long it is unpacked, only unpacking tells
    info = hdu.fileinfo()
    length = max(0, info["datSpan"] - 2879) if is_compressed(hdu) else hdu.size
    if info["datLoc"] + length <= path.stat().st_size:
        return None
    return f"truncated: the header announces {hdu.size} bytes of pixels"


def _circle(axes: SkyAxes) -> tuple[np.ndarray, float]:
    """Returns the centre and the radius of a circle that holds an image."""
    height, width = axes.shape
    along_x, along_y = (np.linspace(-0.5, side - 0.5, _POINTS) for side in (width, height))
    x = np.concatenate([along_x, along_x, 0 * along_y - 0.5, 0 * along_y + width - 0.5])
    y = np.concatenate([0 * along_x - 0.5, 0 * along_x + height - 0.5, along_y, along_y])
    sky = axes.sky_of(np.append(x, (width - 1) / 2), np.append(y, (height - 1) / 2))
    vectors = unit_vectors(*sky.T)
    if not np.isfinite(vectors).all():
        # So of images of the whole sky, whose corners are none.
        return np.array([0.0, 0.0, 1.0]), math.pi
    *edge, centre = vectors
    radius = np.arccos(np.clip(np.array(edge) @ centre, -1, 1)).max()
    # Between the points, and where distortion bends an edge, it may reach a little farther.
    margin = 2 * float(axes.arcsec_per_pixel.max()) / 206265
    radius = 1.05 * float(radius) + margin
    return centre, math.pi if radius > 1.2 else radius
