"""How filters rotate: the constant arrays behind the symmetric convolutions, in NumPy.

No array here depends on a weight, so each is computed once for a layer and held as a constant.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from lensnet.layers.spatial.inscribed_disk import inscribed_disk
from lensnet.symmetry import Group

__all__ = ["expansion_index", "filter_rotations"]


@functools.cache
def expansion_index(group: Group, kernel_size: int, lifting: bool) -> np.ndarray:
    """Where each tap of an expanded group filter comes from in the filter's own taps.

    A group convolution of regular fields is `out[x, h] = sum_(y, j) in[y, j] w(h^-1 (y - x),
    h^-1 j)` (Cohen & Welling 2016, equations 10 and 11). As a plain convolution its kernel is
    `K[p, j, h] = w[h^-1 p, h^-1 j]`, with p the position in the filter.

    Args:
        group: a group that maps the pixel grid onto itself, or any where the filter is one tap.
        kernel_size: taps along a side.
        lifting: the input is an image of scalar channels, not of regular fields.

    Returns:
        int32 array of shape (kernel_size ** 2, elements in, order): the row of the filter,
        flattened to (kernel_size ** 2 * elements in, ...), that stands at (p, j, h).
    """
    elements_in = 1 if lifting else group.order
    index = np.empty((kernel_size**2, elements_in, group.order), dtype="int32")
    for h in range(group.order):
        position = (
            np.zeros(1, dtype=int) if kernel_size == 1 else group.grid_permutation(h, kernel_size)
        )
        element = np.zeros(1, dtype=int) if lifting else group.regular_permutation(h)
        index[:, :, h] = position[:, None] * elements_in + element[None, :]
    index.setflags(write=False)
    return index


@functools.cache
def filter_rotations(kernel_size: int, rotations: int, masked: bool) -> np.ndarray:
    """The matrices that rotate a filter by multiples of `360 / rotations` degrees.

    Counter-clockwise. Multiples of 90 degrees move taps and are exact. Other angles interpolate
    bilinearly between the four taps around the rotated position; outside the filter there is
    nothing.

    Args:
        kernel_size: taps along a side.
        rotations: how many rotations.
        masked: keep only the taps within the circle that the filter encloses, so that no angle
            has corners that the others lack.

    Returns:
        float32 array of shape (rotations, taps, taps); `matrix @ taps` rotates a flattened filter.
    """
    size, taps = kernel_size, kernel_size**2
    matrices = np.zeros((rotations, taps, taps))
    centre = (size - 1) / 2
    rows, columns = np.divmod(np.arange(taps), size)
    for k in range(rotations):
        if 4 * k % rotations == 0:
            source = Group(4).grid_permutation(4 * k // rotations, size)
            matrices[k, np.arange(taps), source] = 1.0
            continue
        angle = 2 * math.pi * k / rotations
        # A tap of the rotated filter looks back, by the inverse rotation, at where it came from.
        x, y = columns - centre, centre - rows
        source_column = centre + math.cos(angle) * x + math.sin(angle) * y
        source_row = centre + math.sin(angle) * x - math.cos(angle) * y
        for row_offset in (0, 1):
            for column_offset in (0, 1):
                row = np.floor(source_row).astype(int) + row_offset
                column = np.floor(source_column).astype(int) + column_offset
                weight = (1 - np.abs(source_row - row)) * (1 - np.abs(source_column - column))
                inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
                target = np.arange(taps)[inside]
                matrices[k, target, (row * size + column)[inside]] += weight[inside]
    if masked:
        disk = inscribed_disk(size, size).reshape(-1)
        matrices = disk[:, None] * matrices * disk[None, :]
    matrices = matrices.astype("float32")
    matrices.setflags(write=False)
    return matrices
