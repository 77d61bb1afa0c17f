"""Dark matter within a main halo: cold subhalos, and the vortex of an axion condensate."""

from __future__ import annotations

import math

import numpy as np

from lensnet.simulation.cosmology import einstein_radius_arcsec
from lensnet.simulation.scene import PointMasses

__all__ = ["draw_power_law", "vortex_half_length_arcsec", "vortex_masses"]


def draw_power_law(
    random: np.random.Generator, slope: float, minimum: float, maximum: float, count: int
) -> np.ndarray:
    """Returns `count` values of density `dN/dM ~ M^slope` between two bounds.

    By inversion of the cumulative distribution, which is a power of M too, or its logarithm where
    the slope is -1.

    >>> masses = draw_power_law(np.random.default_rng(0), -0.9, 1e6, 1e10, 25)
    >>> bool((masses >= 1e6).all() and (masses <= 1e10).all())
    True
    """
    share = random.uniform(size=count)
    power = slope + 1.0
    if abs(power) < 1e-12:
        return minimum * (maximum / minimum) ** share
    low, high = minimum**power, maximum**power
    return (low + (high - low) * share) ** (1.0 / power)


def vortex_half_length_arcsec(axion_mass_ev: float) -> float:
    """Returns the half-length of the vortex of an axion, `0.03 (10^-22 eV / m)` arcseconds.

    The de Broglie wavelength of the axion at redshift 0.5 in the published generator, whence the
    lighter the axion, the longer its vortex.

    >>> vortex_half_length_arcsec(1e-22)
    0.03
    """
    return 0.03 * (1e-22 / axion_mass_ev)


def vortex_masses(
    mass_solar: float,
    count: int,
    axion_mass_ev: float,
    angle_radian: float,
    redshift_lens: float,
    redshift_source: float,
) -> PointMasses:
    """Returns a vortex: equal point masses evenly along a segment centred on the main halo.

    Args:
        mass_solar: mass of the whole vortex.
        count: number of point masses; the first and the last lie on the segment's ends.
        axion_mass_ev: mass of the axion in electronvolts, which sets the segment's length.
        angle_radian: the segment's angle from the x axis.
        redshift_lens: redshift of the vortex.
        redshift_source: redshift of the source.
    """
    half_length = vortex_half_length_arcsec(axion_mass_ev)
    along = np.linspace(-half_length, half_length, count)
    radius = einstein_radius_arcsec(mass_solar / count, redshift_lens, redshift_source)
    return PointMasses(
        einstein_radii_arcsec=np.full(count, radius),
        x_arcsec=along * math.cos(angle_radian),
        y_arcsec=along * math.sin(angle_radian),
    )
