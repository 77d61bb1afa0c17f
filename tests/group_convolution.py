"""Group convolutions by their definition: loops over group elements and positions in the filter.

Positions are rotated by the group's matrices and filters are functions of the plane: no table of
the layers is used.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from lensnet.circular_harmonics import rings
from lensnet.symmetry import Group

__all__ = ["depthwise_convolution", "filter_function", "group_convolution", "output_side"]

Filter = Callable[[float, float], np.ndarray]
"""From x to the right and y upwards, in pixels from the centre, to the weights there."""


def filter_function(weights: np.ndarray, kernel_size: int, *, on_pixels: bool) -> Filter:
    """What a layer's weights mean: taps, or coefficients of rings of circular harmonics."""
    centre = (kernel_size - 1) / 2
    if on_pixels:
        return lambda x, y: weights[round(centre - y), round(centre + x)]

    offsets = np.arange(kernel_size) - centre
    radii = np.hypot(*np.meshgrid(offsets, offsets))

    def profile(ring, radius):
        return np.exp(-((radius - ring.radius) ** 2) / (2 * ring.width**2))

    def at(x, y):
        radius, angle = np.hypot(x, y), np.arctan2(y, x)
        values = []
        for ring in rings(kernel_size):
            values.append(profile(ring, radius) / np.sqrt((profile(ring, radii) ** 2).sum()))
            # The cosine and the sine: half of the squares each, and nothing at the centre.
            off_centre = profile(ring, radii[radii > 0])
            scale = 0 if radius < 1e-6 else profile(ring, radius)
            scale = scale / np.sqrt((off_centre**2).sum() / 2)
            for m in range(1, ring.band_limit + 1):
                values += [scale * np.cos(m * angle), scale * np.sin(m * angle)]
        return np.tensordot(values, weights, axes=1)

    return at


def output_side(side: int, kernel_size: int, strides: int, pad: int, dilation: int) -> int:
    """Pixels along a side of the output."""
    return (side + 2 * pad - dilation * (kernel_size - 1) - 1) // strides + 1


def group_convolution(
    images: np.ndarray,
    weights: Filter,
    bias: np.ndarray,
    group: Group,
    kernel_size: int,
    *,
    lifting: bool = False,
    strides: int = 1,
    pad: int = 0,
    dilation: int = 1,
) -> np.ndarray:
    """out[x, h] = b + sum over (y, j) of in[y, j] w(h^-1 (y - x), h^-1 j)."""
    elements_in = 1 if lifting else group.order
    geometry = (kernel_size, strides, pad, dilation)
    out = 0.0
    for h, rotated, seen in _rotated_taps(images, group, elements_in, *geometry):
        tap = weights(*rotated)
        response = np.zeros((*seen.shape[:3], tap.shape[-1], group.order))
        for j in range(elements_in):
            from_j = 0 if lifting else group.product(group.inverse(h), j)
            response[..., h] += seen[..., j] @ tap[from_j]
        out = out + response
    return (out + bias[:, None]).reshape(*out.shape[:3], -1)


def depthwise_convolution(
    images: np.ndarray,
    weights: Filter,
    bias: np.ndarray,
    group: Group,
    kernel_size: int,
    *,
    strides: int = 1,
    pad: int = 0,
    dilation: int = 1,
) -> np.ndarray:
    """out[x, h] = b + sum over y of in[y, h] w(h^-1 (y - x)), for each field by itself."""
    out = 0.0
    for h, rotated, seen in _rotated_taps(
        images, group, group.order, kernel_size, strides, pad, dilation
    ):
        response = np.zeros(seen.shape)
        response[..., h] = seen[..., h] * weights(*rotated)[0]
        out = out + response
    return (out + bias[:, None]).reshape(*out.shape[:3], -1)


def _rotated_taps(images, group, elements_in, kernel_size, strides, pad, dilation):
    """For each h and tap: h, the tap rotated back by h, and the pixels that the tap meets."""
    batch, height, width, channels = images.shape
    rows = output_side(height, kernel_size, strides, pad, dilation)
    columns = output_side(width, kernel_size, strides, pad, dilation)
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    centre = (kernel_size - 1) / 2
    taps = list(itertools.product(range(kernel_size), repeat=2))
    for h, (row, column) in itertools.product(range(group.order), taps):
        rotated = group.matrix(group.inverse(h)) @ (column - centre, centre - row)
        seen = padded[:, row * dilation :: strides, column * dilation :: strides]
        seen = seen[:, :rows, :columns]
        yield h, rotated, seen.reshape(batch, rows, columns, channels // elements_in, elements_in)
