"""What lensing makes of a source's light, and the same light spread over unlensed galaxies."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from lensnet.simulation.deflection import axis_coordinates
from lensnet.simulation.psf import blur
from lensnet.simulation.rendering import render_unblurred
from lensnet.simulation.scene import (
    GaussianPsf,
    IsothermalLens,
    PixelGrid,
    Scene,
    SersicLight,
    ellipticity,
)
from lensnet.simulation.sersic import effective_area, total_flux

__all__ = ["LensedLight", "draw_companions", "measure_lensed_light"]

# By how much companions may be larger or smaller than the image's magnification makes them.
SIZE_FACTOR_RANGE = (0.5, 3.0)


@dataclass(frozen=True, eq=False)
class LensedLight:
    """The image of a source behind a lens, in numbers.

    Attributes:
        source: the source, its amplitude such that its image has the flux that was asked for.
        magnification: flux of the image over flux of the source.
        blurred_area_arcsec2: `(sum I)^2 / sum I^2` of the image as the telescope sees it: the area
            over which its light is spread.
        distances_arcsec: distances from the lens of the pixels of the image, ascending.
        cumulative_light: share of the image's light within each distance, before blurring.
    """

    source: SersicLight
    magnification: float
    blurred_area_arcsec2: float
    distances_arcsec: np.ndarray
    cumulative_light: np.ndarray

    def draw_distance(self, random: np.random.Generator) -> float:
        """Draws a distance from the lens as the light of the image is distributed."""
        place = int(np.searchsorted(self.cumulative_light, random.uniform()))
        return float(self.distances_arcsec[min(place, self.distances_arcsec.size - 1)])


def measure_lensed_light(
    lens: IsothermalLens, source: SersicLight, flux: float, psf: GaussianPsf, grid: PixelGrid
) -> LensedLight:
    """Scales a source so that its image has a total flux, and measures the image.

    Args:
        lens: the lens.
        source: the source; its amplitude does not matter.
        flux: total flux of the image.
        psf: the point spread function.
        grid: a stamp, centred on the lens, large enough to hold the image.
    """
    centered_lens = replace(lens, center_x_arcsec=0.0, center_y_arcsec=0.0)
    centered_source = replace(
        source,
        amplitude=1.0,
        center_x_arcsec=source.center_x_arcsec - lens.center_x_arcsec,
        center_y_arcsec=source.center_y_arcsec - lens.center_y_arcsec,
    )
    image = render_unblurred(Scene(psf, lens=centered_lens, sources=(centered_source,)), grid)
    blurred = blur(image, psf, grid)
    axis = axis_coordinates(replace(grid, supersampling=1))
    distances = np.hypot(axis, axis[:, np.newaxis]).ravel()
    order = np.argsort(distances)
    cumulative = np.cumsum(image.ravel()[order])
    image_flux = float(cumulative[-1])
    source_flux = total_flux(source.half_light_radius_arcsec, source.sersic_index)
    spread = float(np.sum(blurred) ** 2 / np.sum(np.square(blurred)))
    return LensedLight(
        source=replace(source, amplitude=flux / image_flux),
        magnification=image_flux / source_flux,
        blurred_area_arcsec2=spread * grid.pixel_scale_arcsec**2,
        distances_arcsec=distances[order],
        cumulative_light=cumulative / image_flux,
    )


def draw_companions(
    random: np.random.Generator,
    light: LensedLight,
    shares: np.ndarray,
    psf: GaussianPsf,
    axis_ratio_range: tuple[float, float],
    center_arcsec: tuple[float, float],
) -> tuple[SersicLight, ...]:
    """Hands the light of a lensed image to galaxies that nothing deflects.

    Lensing conserves surface brightness: an image is as bright as its source, over an area that
    the magnification has enlarged. So companions have the source's profile, and areas that are
    their shares of the image's. That would do for a perfect telescope. A blurred arc is fainter
    than a blurred ellipse of its area, because it is thin: all companions are made larger (or
    smaller) by one factor, such that they spread their light over the area over which the arc's is
    spread. Their distances from the galaxy follow the light of the image; directions and
    orientations are random.

    Args:
        random: the generator to draw from.
        light: the lensed image.
        shares: the companions' shares of its flux, which add up to 1.
        psf: the point spread function.
        axis_ratio_range: least and greatest axis ratio of the companions.
        center_arcsec: x and y of the galaxy beside which they stand.
    """
    source = light.source
    axis_ratios = random.uniform(*axis_ratio_range, size=len(shares))
    radii = source.half_light_radius_arcsec * np.sqrt(light.magnification * shares)
    factor = _size_factor(light, shares, radii, axis_ratios, psf)
    companions = []
    for radius, axis_ratio in zip(radii.tolist(), axis_ratios.tolist(), strict=True):
        distance = light.draw_distance(random)
        direction = random.uniform(0.0, 2.0 * math.pi)
        e1, e2 = ellipticity(axis_ratio, random.uniform(0.0, math.pi))
        companions.append(
            SersicLight(
                # The share of the flux stays what it is.
                amplitude=source.amplitude / factor**2,
                half_light_radius_arcsec=radius * factor,
                sersic_index=source.sersic_index,
                e1=e1,
                e2=e2,
                center_x_arcsec=center_arcsec[0] + distance * math.cos(direction),
                center_y_arcsec=center_arcsec[1] + distance * math.sin(direction),
            )
        )
    return tuple(companions)


def _size_factor(
    light: LensedLight,
    shares: np.ndarray,
    radii: np.ndarray,
    axis_ratios: np.ndarray,
    psf: GaussianPsf,
) -> float:
    """Returns the factor on the radii that gives companions the image's blurred area.

    Each companion is taken for the Gaussian of its effective area, `4 pi sigma^2`, for which
    blurring adds up variances; that companions may overlap is left out.
    """
    variances = effective_area(1.0, light.source.sersic_index) * np.square(radii) / (4.0 * math.pi)
    blurring = psf.sigma_arcsec**2

    def excess(log_factor: float) -> float:
        scaled = variances * math.exp(2.0 * log_factor)
        areas = (
            4.0
            * math.pi
            * np.sqrt((scaled / axis_ratios + blurring) * (scaled * axis_ratios + blurring))
        )
        return float(np.sum(np.square(shares) / areas)) - 1.0 / light.blurred_area_arcsec2

    low, high = (math.log(bound) for bound in SIZE_FACTOR_RANGE)
    # The larger the companions, the less concentrated: excess falls with the factor.
    if excess(low) <= 0.0:
        return SIZE_FACTOR_RANGE[0]
    if excess(high) >= 0.0:
        return SIZE_FACTOR_RANGE[1]
    return math.exp(optimize.brentq(excess, low, high, xtol=1e-4))
