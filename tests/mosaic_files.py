"""Small mosaics of the sky for tests."""

from __future__ import annotations

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

__all__ = ["write_mosaic"]


def write_mosaic(path, ra, dec, *, side=40, scale=1.0, pixels=None, projection="TAN", **cards):
    """Writes a mosaic around a position.

    Args:
        path: the file.
        ra: right ascension of its centre in degrees.
        dec: declination.
        side: its pixels a side.
        scale: arcseconds a pixel.
        pixels: what it shows; by default noise that is the same for no two paths.
        projection: TAN, TAN-SIP or TPV, the last two with distortions of some pixels.
        cards: of the header, besides.

    Returns:
        Its world coordinate system, by astropy.
    """
    if pixels is None:
        seed = sum(path.name.encode())
        pixels = np.random.default_rng(seed).normal(size=(side, side)).astype(">f4")
    header = fits.Header()
    for axis, (name, value) in enumerate((("RA--", ra), ("DEC-", dec)), start=1):
        header[f"CTYPE{axis}"] = f"{name}-{projection}"
        header[f"CRVAL{axis}"] = value
        header[f"CRPIX{axis}"] = (side + 1) / 2
        header[f"CUNIT{axis}"] = "deg"
    header["CD1_1"], header["CD2_2"] = -scale / 3600, scale / 3600
    header["CD1_2"] = header["CD2_1"] = 0.0
    header["RADESYS"] = "ICRS"
    if projection == "TAN-SIP":
        header["A_ORDER"] = header["B_ORDER"] = 2
        header["A_2_0"], header["B_0_2"] = 4e-3, -3e-3
    if projection == "TPV":
        # Of every coefficient that is not said, the ones of degree 1 are those of no distortion.
        header["PV1_1"], header["PV2_1"] = 1.0, 1.0
        header["PV1_4"] = header["PV2_4"] = 0.02 * 3600 / (scale * side)
    header.update(cards)
    fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
    with fits.open(path) as hdus:
        return WCS(hdus[0].header)
