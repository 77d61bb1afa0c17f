"""Bands whose pixels are of other sizes, on the grid of the finest."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from lensnet.data.files.bad_file import BadFileError

__all__ = ["Plane", "on_finest_grid"]

Plane = tuple[str | os.PathLike[str], np.ndarray]
"""Where a band is from, and its pixels, (H, W) as they are stored."""


def on_finest_grid(planes: Iterable[Plane]) -> list[Plane]:
    """Returns bands of the same field, each pixel of a coarse one repeated over the finest's.

    The fields have their middle in common, and differ by less than a coarse pixel: what sticks out
    is cut off on both sides. So 66 x 66 pixels of 0.3 arcsec become 198 x 198 of 0.1, and of
    200 x 200 the 198 x 198 in the middle stay. Nothing is interpolated, so that a rotated image
    becomes the same, rotated.

    Raises:
        BadFileError: a band is not square or has other axes, or its field is not that of the
            finest.

    >>> coarse, fine = np.array([[1, 2], [3, 4]]), np.zeros((4, 4))
    >>> on_finest_grid([("coarse", coarse), ("fine", fine)])[0][1].tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    """
    bands = list(planes)
    for path, pixels in bands:
        if pixels.ndim != 2 or pixels.shape[0] != pixels.shape[1] or not pixels.size:
            raise BadFileError(path, f"shape {pixels.shape}, where a band is a square")
    finest = max((len(pixels) for _, pixels in bands), default=0)
    repeated = []
    for path, pixels in bands:
        factor = finest // len(pixels)
        beyond = finest - factor * len(pixels)
        if beyond >= factor or beyond % 2:
            raise BadFileError(
                path,
                f"{len(pixels)} x {len(pixels)} pixels are not those of the finest band, "
                f"{finest} x {finest}, in whole numbers",
            )
        repeated.append((path, pixels.repeat(factor, axis=0).repeat(factor, axis=1)))
    side = min((len(pixels) for _, pixels in repeated), default=0)
    cut = []
    for path, pixels in repeated:
        start = (len(pixels) - side) // 2
        cut.append((path, pixels[start : start + side, start : start + side]))
    return cut
