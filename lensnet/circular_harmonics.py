"""Filters that can be rotated by any angle: rings of circular harmonics, sampled on the pixel grid.

A filter is a sum of functions `G(r) cos(m phi)` and `G(r) sin(m phi)`, with `G` a Gaussian ring
around the filter's centre. Such a function is defined between the pixels too, so that it can be
evaluated at rotated coordinates: nothing is interpolated. (Worrall et al. 2017, "Harmonic
Networks", arXiv:1612.04642; Weiler, Hamprecht & Storath 2018, "Learning Steerable Filters for
Rotation Equivariant CNNs", arXiv:1711.07289, section 2.1; Weiler & Cesa 2019, arXiv:1911.08251,
appendix E.)

How well a rotated filter sees on the grid what the filter sees depends on how finely each function
is sampled. A harmonic of order m has 2 m extrema around its ring, of circumference 2 pi r pixels;
above m = pi r they are closer than pixels and alias. The band limit here is 2 r, and r on the
outermost ring (at least 2), which the square cuts. It leaves 11 functions in a filter of 5x5
pixels, 6 in one of 3x3, 22 in one of 7x7. With a limit of 2 r there too, 15 in 5x5, networks of
c16 changed 2.4 times as much under rotations (`benchmarks/invariance.py`, random weights).

A deliberate deviation from the sources, which put the outermost ring on the outermost pixels: all
rings are drawn in a little, and the outermost is thinner, so that less of it falls off the square
filter on the sides than at the corners. Measured as the change of the filter's response under a
turn, root mean square over a white spectrum of up to half the Nyquist frequency, 45 and 22.5
degrees and all functions, in a filter of 5x5 pixels: 2.0 %, where rings on the pixels and a width
of 0.6 throughout give 8.1 % and an outermost width of 0.4 gives 4.2 %.

The arrays depend on no weight: they are computed once, in NumPy.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from lensnet.symmetry import Group

__all__ = ["Ring", "circular_harmonics", "rings"]

INSET_PIXELS = 0.15
"""How far the outermost ring lies within the outermost pixels; the others in proportion."""

WIDTH_PIXELS = 0.6
"""Standard deviation of a ring's Gaussian profile."""

OUTER_WIDTH_PIXELS = 0.5
"""That of the outermost ring."""


@dataclass(frozen=True)
class Ring:
    """A Gaussian ring and the harmonics on it.

    Args:
        radius: of its ridge, in pixels.
        width: standard deviation of its profile, in pixels.
        band_limit: the largest m of `cos(m phi)` and `sin(m phi)`.
    """

    radius: float
    width: float
    band_limit: int


@functools.cache
def rings(kernel_size: int) -> tuple[Ring, ...]:
    """The rings of a filter: one a pixel from the centre outwards.

    Args:
        kernel_size: pixels along a side. An odd filter has a ring of radius 0, an even one starts
            half a pixel from its centre.

    Example:

    >>> for ring in rings(5):
    ...     print(f"{ring.radius:.3f} {ring.width} {ring.band_limit}")
    0.000 0.6 0
    0.925 0.6 2
    1.850 0.5 2
    """
    outermost = (kernel_size - 1) / 2
    on_pixels = np.arange(outermost % 1, outermost + 1)
    drawn_in = 1 - INSET_PIXELS / outermost if outermost else 1
    return tuple(
        Ring(
            radius=float(radius * drawn_in),
            width=OUTER_WIDTH_PIXELS if radius == outermost else WIDTH_PIXELS,
            band_limit=_band_limit(radius, is_outermost=radius == outermost),
        )
        for radius in on_pixels
    )


def _band_limit(radius: float, *, is_outermost: bool) -> int:
    largest = int(2 * radius)
    return min(largest, max(2, int(radius))) if is_outermost else largest


@functools.cache
def circular_harmonics(group: Group, kernel_size: int) -> np.ndarray:
    """The basis of a group's filters, in each of the group's orientations.

    Orientation h of a function B is `B(h^-1 p)` at pixel p. Each function is scaled such that the
    sum of its squares over the pixels is 1, for the cosine and the sine of a ring and order
    together on average. Then independent weights of variance v give taps whose squares sum to
    `v * functions` on average, as `functions` independent taps of a plain filter would: an
    initializer that looks at the shape of the weights, such as `he_normal`, does what it does for
    a plain convolution.

    Args:
        group: any group.
        kernel_size: pixels along a side.

    Returns:
        float64 array of shape (order, kernel_size ** 2, functions).

    Example:

    >>> circular_harmonics(Group(8), 5).shape
    (8, 25, 11)
    """
    offset = np.arange(kernel_size) - (kernel_size - 1) / 2
    pixels = np.stack([np.tile(offset, kernel_size), np.repeat(-offset, kernel_size)])
    radius = np.hypot(*pixels)
    basis = []
    for h in range(group.order):
        x, y = group.matrix(group.inverse(h)) @ pixels
        basis.append(_functions(kernel_size, radius, np.arctan2(y, x)))
    stacked = np.stack(basis)
    stacked.setflags(write=False)
    return stacked


def _functions(kernel_size: int, radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Every basis function at the given polar coordinates, shape (points, functions)."""
    columns = []
    for ring in rings(kernel_size):
        profile = np.exp(-0.5 * ((radius - ring.radius) / ring.width) ** 2)
        columns.append(profile / np.linalg.norm(profile))
        # At the centre there is no angle, and an angular function has no value but 0.
        profile = np.where(radius > 0, profile, 0)
        norm = np.linalg.norm(profile) / np.sqrt(2)
        for m in range(1, ring.band_limit + 1):
            columns.append(profile * np.cos(m * angle) / norm)
            columns.append(profile * np.sin(m * angle) / norm)
    return np.stack(columns, axis=-1)
