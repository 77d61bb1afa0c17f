"""Populations of galaxies as a ground survey sees them in the r band."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lensnet.simulation.scene import SersicLight, ellipticity
from lensnet.simulation.sersic import amplitude_of_flux
from lensnet.simulation.validation import check_number, check_range

__all__ = ["GalaxyPopulation", "draw_log_uniform", "draw_magnitudes"]


def draw_log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    """Draws a number that is uniform in its logarithm."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def draw_magnitudes(
    random: np.random.Generator, slope: float, brightest: float, faintest: float, count: int
) -> np.ndarray:
    """Draws magnitudes of number density ~ 10^(slope m) between two limits, by inversion."""
    share = random.uniform(size=count)
    if slope == 0.0:
        return brightest + (faintest - brightest) * share
    growth = 10.0 ** (slope * (faintest - brightest))
    return brightest + np.log10(1.0 + (growth - 1.0) * share) / slope


@dataclass(frozen=True, kw_only=True)
class GalaxyPopulation:
    """Sersic profiles with independent sizes, shapes and orientations.

    Args:
        radius_range_arcsec: least and greatest half-light radius, uniform in the logarithm.
        sersic_index_range: least and greatest Sersic index, uniform.
        axis_ratio_range: least and greatest axis ratio, uniform.

    Raises:
        ValueError: a range is no pair, is reversed, or reaches beyond what a galaxy can have.
    """

    radius_range_arcsec: tuple[float, float]
    sersic_index_range: tuple[float, float]
    axis_ratio_range: tuple[float, float]

    def __post_init__(self) -> None:
        check_range("radius_range_arcsec", self.radius_range_arcsec, above=0.0)
        check_range("sersic_index_range", self.sersic_index_range, minimum=0.3, maximum=8.0)
        check_range("axis_ratio_range", self.axis_ratio_range, minimum=0.05, maximum=1.0)

    def draw(
        self, random: np.random.Generator, flux: float, x_arcsec: float, y_arcsec: float
    ) -> SersicLight:
        """Draws a galaxy of a total flux at a place."""
        check_number("flux", flux, above=0.0)
        radius = draw_log_uniform(random, *self.radius_range_arcsec)
        index = random.uniform(*self.sersic_index_range)
        e1, e2 = ellipticity(random.uniform(*self.axis_ratio_range), random.uniform(0.0, math.pi))
        return SersicLight(
            amplitude=amplitude_of_flux(flux, radius, index),
            half_light_radius_arcsec=radius,
            sersic_index=index,
            e1=e1,
            e2=e2,
            center_x_arcsec=x_arcsec,
            center_y_arcsec=y_arcsec,
        )
