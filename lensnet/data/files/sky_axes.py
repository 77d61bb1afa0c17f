"""Where in the sky the pixels of a FITS image lie."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lensnet.data.files.bad_file import RefusedError, first_words

if TYPE_CHECKING:
    from astropy.coordinates import BaseCoordinateFrame
    from astropy.io.fits import Header

__all__ = ["SkyAxes"]

# How old headers name a frame: J2000, B1950.0, FK5 (J2000), FK4/B1950.
_OLD_FRAME = re.compile(r"(FK[45])?\W*([JB])(\d{4}(?:\.\d*)?)\W*")
_YEAR = re.compile(r"([JB]?)(\d{4}(?:\.\d*)?)")

# How much a world coordinate changes along an axis of pixels.
_MATRIX_ELEMENT = re.compile(r"(?:PC|CD)0*(\d+)_0*(\d+)")

# Distortions in tables, and what names the version of the extension that holds the table.
_TABLES = (("D2IMDIS", "D2IMARR", "D2IM"), ("CPDIS", "WCSDVARR", "DP"))


class SkyAxes:
    """The two axes of an image along which longitude and latitude change, in whatever order.

    Whichever of an image's axes they are, the first of them in the header is x, the other y. Any
    further axis, such as frequency or polarisation, must be of length 1.

    Args:
        hdu: the image.
        hdus: the file it is in, which may hold tables of distortion.

    Attributes:
        shape: (height, width) of the image in the sky, in pixels.
        arcsec_per_pixel: along x and y, (2,).

    Raises:
        RefusedError: the header does not say where in the sky the pixels lie, or not in a way that
            is known here.
    """

    shape: tuple[int, int]
    arcsec_per_pixel: np.ndarray

    def __init__(self, hdu: Any, hdus: Any):
        from astropy.wcs.utils import proj_plane_pixel_scales

        header, lengths = hdu.header, hdu.shape[::-1]
        _check_distortion(header, hdus)
        try:
            self._wcs, numbers = _celestial_axes(header, hdus, len(lengths))
        except Exception as error:
            # astropy and wcslib fail in many ways on headers that contradict themselves.
            raise RefusedError(
                f"its header does not make sense of the sky ({_words_of_wcslib(error)})"
            ) from None
        if len(numbers) != 2 or min(self._wcs.wcs.lng, self._wcs.wcs.lat) < 0:
            raise RefusedError(
                "its header does not say where in the sky it lies: it has no pair of axes such as "
                "RA---TAN and DEC--TAN"
            )
        # wcslib finds out where every element is 0, and else gives no place at all.
        if np.linalg.matrix_rank(self._wcs.pixel_scale_matrix) < 2:
            raise RefusedError("its header does not make sense of the sky (its matrix is singular)")
        _check_other_axes(header, lengths, numbers)
        self.arcsec_per_pixel = 3600 * proj_plane_pixel_scales(self._wcs)
        width, height = (lengths[number - 1] for number in numbers)
        self.shape = (height, width)
        self._index: list[slice | int] = [0] * len(lengths)
        self._column_axis, self._row_axis = (len(lengths) - number for number in numbers)
        self._frame = _frame_of(self._wcs, header)

    def within(self, rows: slice, columns: slice) -> tuple[slice | int, ...]:
        """Returns the index of some rows and columns in the array of all axes."""
        index = [*self._index]
        index[self._row_axis], index[self._column_axis] = rows, columns
        return tuple(index)

    def pixels_of(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> np.ndarray:
        """Returns where positions lie, in pixels from the centre of the first, (N, 2) as (x, y).

        Args:
            ra_deg: right ascensions (ICRS) in degrees, (N,).
            dec_deg: declinations in degrees, (N,).

        Returns:
            NaN where a position has no place in the projection.
        """
        from astropy.wcs import NoConvergence

        values = self._world_of(ra_deg, dec_deg)
        try:
            return np.stack(self._wcs.all_world2pix(*values, 0), axis=-1)
        except NoConvergence as error:
            # Positions far off, where the distortion has no inverse.
            found = np.array(error.best_solution, dtype=float)
            for rows in (error.divergent, error.slow_conv):
                if rows is not None:
                    found[rows] = np.nan
            return found

    def sky_of(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns right ascension and declination (ICRS) in degrees of places in pixels, (N, 2).

        Args:
            x: columns, in pixels from the centre of the first, (N,).
            y: rows, (N,).

        Returns:
            NaN where there is no sky.
        """
        from astropy import units
        from astropy.coordinates import SkyCoord

        core = self._wcs.wcs
        world = self._wcs.all_pix2world(x, y, 0)
        lon, lat = (world[axis] * units.Unit(core.cunit[axis]) for axis in _order(core))
        found = np.full((len(lon), 2), np.nan)
        known = np.isfinite(lon) & np.isfinite(lat)
        if known.any():
            there = SkyCoord(lon[known], lat[known], frame=self._frame).transform_to("icrs")
            found[known] = np.stack([there.ra.deg, there.dec.deg], axis=-1)
        return found

    def _world_of(self, ra_deg: np.ndarray, dec_deg: np.ndarray) -> list[np.ndarray]:
        """Returns positions (ICRS) in the header's own frame, units and order of axes."""
        from astropy import coordinates, units

        core = self._wcs.wcs
        lon: Any = np.asarray(ra_deg, float) * units.deg
        lat: Any = np.asarray(dec_deg, float) * units.deg
        # Most mosaics are in this frame, and a transformation takes a millisecond at least.
        if not isinstance(self._frame, coordinates.ICRS):
            positions = coordinates.SkyCoord(lon, lat, frame="icrs")
            angles = positions.transform_to(self._frame).spherical
            lon, lat = angles.lon, angles.lat
        # Not astropy's skycoord_to_pixel, which takes x for the axis of the longitude.
        world = [lon, lat] if core.lng < core.lat else [lat, lon]
        return [angle.to_value(unit) for angle, unit in zip(world, core.cunit, strict=True)]


def _order(core: Any) -> tuple[int, int]:
    """Returns which axes are longitude and latitude, of the two that lie in the sky."""
    return (0, 1) if core.lng < core.lat else (1, 0)


def _celestial_axes(header: Header, hdus: Any, count: int) -> tuple[Any, list[int]]:
    """Returns the coordinates of the sky alone, and which axes of the header they belong to.

    Args:
        header: of an image in a file that is open for reading alone; it is changed.
        hdus: the file.
        count: how many axes the image has.
    """
    from astropy.wcs import WCS, WCSSUB_CELESTIAL

    if count == 2:
        # Most are as simple as that. Polynomials are refused where the header has a third axis.
        with contextlib.suppress(Exception):
            wcs = WCS(header, hdus)
            if wcs.naxis == 2:
                return wcs, [1, 2]
    # Taking axes out renumbers those that are left: their names tell which they were.
    for number in range(1, count + 1):
        header[f"CNAME{number}"] = str(number)
    wcs = WCS(header, hdus, naxis=[WCSSUB_CELESTIAL])
    return wcs, [int(name) for name in wcs.wcs.cname if name.isdecimal()]


def _words_of_wcslib(error: Exception) -> str:
    """Returns what is wrong, without the functions and lines of code in which it was found."""
    lines = [line for line in str(error).splitlines() if line and not line.startswith("ERROR ")]
    return first_words(ValueError(lines[0])) if lines else first_words(error)


def _check_distortion(header: Header, hdus: Any) -> None:
    """Checks that what distorts the image can be taken into account.

    Raises:
        RefusedError: it is of a kind that astropy would leave out, or its table is not in the file.
    """
    needed = {("D2IMARR", 1): "AXISCORR"} if "AXISCORR" in header else {}
    for keyword, extension, parameter in _TABLES:
        for axis in (1, 2):
            card = f"{keyword}{axis}"
            kind = str(header.get(card, "")).strip()
            if kind and kind.lower() != "lookup":
                raise RefusedError(
                    f"its distortion {card} is {kind!r:.40}; polynomials of SIP and lookup tables "
                    "can be read"
                )
            if kind:
                needed[extension, header.get(f"{parameter}{axis}.EXTVER", 1)] = card
    for (extension, version), card in needed.items():
        if (extension, version) not in hdus:
            raise RefusedError(
                f"its distortion {card} stands in an extension {extension},{version:g}, which the "
                "file does not hold: take the image together with it"
            )


def _check_other_axes(header: Header, lengths: Sequence[int], numbers: Sequence[int]) -> None:
    """Checks that the axes of an image other than those in the sky can be left out.

    Args:
        header: of the image.
        lengths: of its axes, in the order of the header.
        numbers: which of them, counted from 1, lie in the sky.

    Raises:
        RefusedError: there is more than one plane, or where a plane lies depends on which it is.
    """
    for number, length in enumerate(lengths, start=1):
        if length > 1 and number not in numbers:
            name = str(header.get(f"CTYPE{number}", "")).strip()
            raise RefusedError(
                f"it has {length} planes along axis {number}{f' ({name})' if name else ''}, where "
                "a mosaic has one"
            )
    for keyword in header:
        element = _MATRIX_ELEMENT.fullmatch(keyword)
        if element and int(element[1]) in numbers and int(element[2]) not in numbers:
            if header[keyword] != 0:
                raise RefusedError(
                    f"its position in the sky depends on axis {element[2]}, which does not lie "
                    f"in it ({keyword})"
                )


def _frame_of(wcs: Any, header: Header) -> BaseCoordinateFrame:
    """Returns the frame of the sky that a header's coordinates are in.

    RADESYS and EQUINOX belong to right ascension alone, whatever else bears them.

    Raises:
        RefusedError: it is none that is known here.
    """
    from astropy import coordinates
    from astropy.time import Time

    longitude = wcs.wcs.ctype[wcs.wcs.lng]
    if longitude.startswith("GLON"):
        return coordinates.Galactic()
    if longitude.startswith("SLON"):
        return coordinates.Supergalactic()
    if longitude.startswith("ELON"):
        _, year = _equinox(header)
        return coordinates.BarycentricMeanEcliptic(equinox=Time(year or 2000.0, format="jyear"))
    if not longitude.startswith("RA--"):
        raise RefusedError(
            f"its coordinates are {longitude}; right ascension, and galactic, ecliptic and "
            "supergalactic longitude can be read"
        )
    name = str(header.get("RADESYS", header.get("RADECSYS", ""))).strip().upper()
    old = _OLD_FRAME.fullmatch(name)
    if name.startswith("ICR"):
        return coordinates.ICRS()
    letter, year = (old[2], float(old[3])) if old else _equinox(header)
    if old or not name:
        if year is None:
            return coordinates.ICRS()
        is_besselian = letter == "B" or (not letter and year < 1984)
        name = (old and old[1]) or ("FK4" if is_besselian else "FK5")
    if name == "FK5":
        return coordinates.FK5(equinox=Time(year or 2000.0, format="jyear"))
    if name in ("FK4", "FK4-NO-E"):
        frame = coordinates.FK4 if name == "FK4" else coordinates.FK4NoETerms
        return frame(equinox=Time(year or 1950.0, format="byear"))
    raise RefusedError(
        f"its RADESYS is {name!r:.40}; ICRS, FK5, FK4, FK4-NO-E, J2000 and B1950 can be read"
    )


def _equinox(header: Header) -> tuple[str, float | None]:
    """Returns the letter (J, B or none) and the year of the equinox; None where none is given.

    Raises:
        RefusedError: what is given is not a year.
    """
    for keyword in ("EQUINOX", "EPOCH"):
        value = header.get(keyword)
        if isinstance(value, int | float | str) and str(value).strip():
            match = _YEAR.fullmatch(str(value).strip().upper())
            if match is None:
                raise RefusedError(f"its {keyword} is {str(value)!r:.40}, not a year")
            return match[1], float(match[2])
    return "", None
