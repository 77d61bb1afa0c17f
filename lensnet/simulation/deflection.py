"""Deflection of light by an isothermal ellipsoid, an external shear and point masses."""

from __future__ import annotations

import functools
import math

import numpy as np

from lensnet.simulation.compilation import compiled
from lensnet.simulation.scene import IsothermalLens, PixelGrid, PointMasses

__all__ = ["axis_coordinates", "source_plane_positions"]

# As in lenstronomy, whose singular ellipsoid has this core.
CORE_RADIUS_ARCSEC = 1e-10
SMALLEST_DISTANCE_ARCSEC = 1e-25


def axis_coordinates(grid: PixelGrid) -> np.ndarray:
    """Returns the coordinates of the sampling points along an axis, in arcseconds, ascending."""
    points = grid.size * grid.supersampling
    step = grid.pixel_scale_arcsec / grid.supersampling
    return (np.arange(points) - (points - 1) / 2.0) * step


def source_plane_positions(
    grid: PixelGrid, lens: IsothermalLens, masses: PointMasses
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the light seen at each sampling point comes from, in arcseconds.

    `beta = theta - alpha(theta)`, alpha the sum of all deflections.

    Args:
        grid: the sampling points.
        lens: the ellipsoid and its shear.
        masses: any number of point masses.

    Returns:
        x and y, two arrays of shape (points, points), the first axis along y.
    """
    unit_x, unit_y = _unit_isothermal_deflection(
        grid, lens.e1, lens.e2, lens.center_x_arcsec, lens.center_y_arcsec
    )
    return _source_plane_positions(
        axis_coordinates(grid),
        unit_x,
        unit_y,
        lens.einstein_radius_arcsec,
        lens.gamma1,
        lens.gamma2,
        lens.center_x_arcsec,
        lens.center_y_arcsec,
        *_in_fours(masses),
    )


# The deflection is proportional to the Einstein radius, so the main lens of a DeepLense set, whose
# shape never changes, is worked out once. More than one entry would only hold memory.
@functools.lru_cache(maxsize=1)
def _unit_isothermal_deflection(
    grid: PixelGrid, e1: float, e2: float, center_x: float, center_y: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the deflection by an ellipsoid of Einstein radius 1, x and y, read-only arrays.

    Kormann, Schneider & Bartelmann 1994, in the form of Keeton & Kochanek 1998, section 2. The
    Einstein radius is the geometric mean of the critical curve's semi-axes, whence sqrt(q).
    """
    modulus = min(math.hypot(e1, e2), 0.9999)
    axis_ratio = (1.0 - modulus) / (1.0 + modulus)
    scale = math.sqrt(axis_ratio)
    core = CORE_RADIUS_ARCSEC / scale
    # The formula is singular at q = 1; its limit is not.
    q = min(axis_ratio, 0.99999999)
    f = math.sqrt(1.0 - q * q)
    angle = 0.5 * math.atan2(e2, e1)
    cosine, sine = math.cos(angle), math.sin(angle)
    axis = axis_coordinates(grid)
    dx, dy = axis - center_x, (axis - center_y)[:, np.newaxis]
    major = cosine * dx + sine * dy
    minor = cosine * dy - sine * dx
    psi = np.sqrt(q * q * (core * core + major * major) + minor * minor)
    along = scale / f * np.arctan(f * major / (psi + core))
    across = scale / f * np.arctanh(f * minor / (psi + q * q * core))
    deflection = cosine * along - sine * across, sine * along + cosine * across
    for component in deflection:
        component.setflags(write=False)
    return deflection


def _in_fours(masses: PointMasses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns strengths, x and y, filled up with masses of zero to a multiple of four."""
    missing = -masses.x_arcsec.size % 4
    strengths = np.square(masses.einstein_radii_arcsec)
    return (
        np.pad(strengths, (0, missing)),
        np.pad(masses.x_arcsec, (0, missing)),
        np.pad(masses.y_arcsec, (0, missing)),
    )


@compiled
def _source_plane_positions(
    axis: np.ndarray,
    unit_x: np.ndarray,
    unit_y: np.ndarray,
    einstein_radius: float,
    gamma1: float,
    gamma2: float,
    center_x: float,
    center_y: float,
    strengths: np.ndarray,
    xs: np.ndarray,
    ys: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Subtracts all deflections; that of a point mass is `strength * d / |d|^2`, d the distance.

    A row at a time, which stays in the nearest cache while all masses pull at it; and four masses
    at a time, so that four reciprocals cost one division (1/a = b c d / (a b c d)), because
    dividing is what takes the time. The loops over a row are vectorised.
    """
    points = axis.size
    tiny = SMALLEST_DISTANCE_ARCSEC**2
    source_x = np.empty((points, points))
    source_y = np.empty((points, points))
    for j in range(points):
        row_x = source_x[j]
        row_y = source_y[j]
        dy = axis[j] - center_y
        for i in range(points):
            dx = axis[i] - center_x
            row_x[i] = axis[i] - gamma1 * dx - gamma2 * dy - einstein_radius * unit_x[j, i]
            row_y[i] = axis[j] - gamma2 * dx + gamma1 * dy - einstein_radius * unit_y[j, i]
        for k in range(0, strengths.size, 4):
            dy0 = axis[j] - ys[k]
            dy1 = axis[j] - ys[k + 1]
            dy2 = axis[j] - ys[k + 2]
            dy3 = axis[j] - ys[k + 3]
            # The summand keeps a mass that lies on a sampling point from dividing by zero.
            rest0 = dy0 * dy0 + tiny
            rest1 = dy1 * dy1 + tiny
            rest2 = dy2 * dy2 + tiny
            rest3 = dy3 * dy3 + tiny
            for i in range(points):
                dx0 = axis[i] - xs[k]
                dx1 = axis[i] - xs[k + 1]
                dx2 = axis[i] - xs[k + 2]
                dx3 = axis[i] - xs[k + 3]
                square0 = dx0 * dx0 + rest0
                square1 = dx1 * dx1 + rest1
                square2 = dx2 * dx2 + rest2
                square3 = dx3 * dx3 + rest3
                square01 = square0 * square1
                square23 = square2 * square3
                inverse = 1.0 / (square01 * square23)
                inverse01 = inverse * square23
                inverse23 = inverse * square01
                pull0 = strengths[k] * square1 * inverse01
                pull1 = strengths[k + 1] * square0 * inverse01
                pull2 = strengths[k + 2] * square3 * inverse23
                pull3 = strengths[k + 3] * square2 * inverse23
                row_x[i] -= pull0 * dx0 + pull1 * dx1 + pull2 * dx2 + pull3 * dx3
                row_y[i] -= pull0 * dy0 + pull1 * dy1 + pull2 * dy2 + pull3 * dy3
    return source_x, source_y
