"""Drawing the mass of a galaxy that lenses, and where the source behind it lies."""

from __future__ import annotations

import math

import numpy as np

from lensnet.simulation.scene import IsothermalLens, ellipticity

__all__ = ["draw_lens", "draw_source_position"]

# Flatter masses than that are not seen in galaxies that lens.
_LEAST_AXIS_RATIO = 0.3


def draw_lens(
    random: np.random.Generator,
    einstein_radius_arcsec: float,
    light: tuple[float, float],
    center_arcsec: tuple[float, float],
    *,
    axis_ratio_scatter: float,
    angle_scatter_radian: float,
    shear_max: float,
) -> IsothermalLens:
    """Draws an isothermal ellipsoid in a shear around the light of its galaxy.

    Args:
        random: the generator to draw from.
        einstein_radius_arcsec: of the mass.
        light: axis ratio of the galaxy's light, and the angle of its major axis in radian.
        center_arcsec: x and y of the galaxy.
        axis_ratio_scatter: standard deviation of the mass's axis ratio around the light's.
        angle_scatter_radian: standard deviation of the mass's angle around the light's.
        shear_max: the external shear is uniform in strength up to this, in a random direction.
    """
    axis_ratio = light[0] + random.normal(0.0, axis_ratio_scatter)
    angle = light[1] + random.normal(0.0, angle_scatter_radian)
    e1, e2 = ellipticity(min(max(axis_ratio, _LEAST_AXIS_RATIO), 1.0), angle)
    shear = random.uniform(0.0, shear_max)
    shear_angle = random.uniform(0.0, math.pi)
    return IsothermalLens(
        einstein_radius_arcsec=einstein_radius_arcsec,
        e1=e1,
        e2=e2,
        gamma1=shear * math.cos(2.0 * shear_angle),
        gamma2=shear * math.sin(2.0 * shear_angle),
        center_x_arcsec=center_arcsec[0],
        center_y_arcsec=center_arcsec[1],
    )


def draw_source_position(
    random: np.random.Generator, lens: IsothermalLens, offset_max: float
) -> tuple[float, float]:
    """Draws a place that is uniform in a disc around the lens, (x, y) in arcseconds.

    Args:
        random: the generator to draw from.
        lens: what lies before it.
        offset_max: the disc's radius, in Einstein radii. Within about 1 there are several images.
    """
    # The square root makes places uniform in area.
    distance = lens.einstein_radius_arcsec * offset_max * math.sqrt(random.uniform())
    direction = random.uniform(0.0, 2.0 * math.pi)
    return (
        lens.center_x_arcsec + distance * math.cos(direction),
        lens.center_y_arcsec + distance * math.sin(direction),
    )
