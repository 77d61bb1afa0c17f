"""The disk inscribed in a map, an image or a filter."""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["inscribed_disk"]


@functools.cache
def inscribed_disk(height: int, width: int, edge_width_pixels: float = 0.0) -> np.ndarray:
    """How much of each pixel belongs to the inscribed disk.

    With R half of the shorter side, a pixel whose centre lies at radius r counts 1 for `r <= R`;
    with an edge of width w, `(1 + cos(pi (r - R + w) / w)) / 2` for `R - w < r < R`, 1 within and
    0 beyond.

    Args:
        height, width: in pixels.
        edge_width_pixels: over how many pixels the disk falls from 1 to 0, inwards from R.

    Returns:
        float32 array of shape (height, width), not to be written to.

    Example:

    >>> float(inscribed_disk(5, 5).sum())
    21.0
    """
    rows, columns = (np.arange(side) - (side - 1) / 2 for side in (height, width))
    inwards = min(height, width) / 2 - np.hypot(rows[:, None], columns[None, :])
    if edge_width_pixels > 0:
        inwards = np.clip(inwards / edge_width_pixels, 0, 1)
        disk = (1 - np.cos(np.pi * inwards)) / 2
    else:
        disk = inwards >= 0
    disk = disk.astype("float32")
    disk.setflags(write=False)
    return disk
