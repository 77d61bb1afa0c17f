"""What an image shows, as small frozen values; angles in arcseconds from the image's centre.

x grows along the second axis of the image array, y along the first. Ellipticities and shears are
lenstronomy's: `e1 = (1 - q) / (1 + q) cos(2 phi)`, `e2` with the sine, where q is the axis ratio
and phi the angle of the major axis from the x axis, counterclockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

__all__ = [
    "GaussianPsf",
    "IsothermalLens",
    "PixelGrid",
    "PointMasses",
    "Scene",
    "SersicLight",
    "ellipticity",
]


def ellipticity(axis_ratio: float, angle_radian: float) -> tuple[float, float]:
    """Returns (e1, e2) of an axis ratio and the angle of the major axis.

    >>> ellipticity(1.0, 0.3)
    (0.0, 0.0)
    """
    modulus = (1.0 - axis_ratio) / (1.0 + axis_ratio)
    return modulus * math.cos(2.0 * angle_radian), modulus * math.sin(2.0 * angle_radian)


@dataclass(frozen=True)
class PixelGrid:
    """A square image of square pixels, centred on the origin.

    Attributes:
        size: pixels a side.
        pixel_scale_arcsec: side of a pixel.
        supersampling: points a side at which the light in a pixel is sampled; their mean is the
            pixel's surface brightness.
    """

    size: int
    pixel_scale_arcsec: float
    supersampling: int = 1


@dataclass(frozen=True)
class SersicLight:
    """An elliptical Sersic profile (Sersic 1963), as lenstronomy's SERSIC_ELLIPSE.

    Attributes:
        amplitude: surface brightness at the half-light radius, flux per square arcsecond.
        half_light_radius_arcsec: geometric mean of the half-light ellipse's semi-axes.
        sersic_index: 1 is an exponential disc, 4 a de Vaucouleurs profile.
    """

    amplitude: float
    half_light_radius_arcsec: float
    sersic_index: float
    e1: float = 0.0
    e2: float = 0.0
    center_x_arcsec: float = 0.0
    center_y_arcsec: float = 0.0


@dataclass(frozen=True)
class IsothermalLens:
    """A singular isothermal ellipsoid (Kormann et al. 1994) in an external shear.

    The shear turns about the lens's own centre.
    """

    einstein_radius_arcsec: float
    e1: float = 0.0
    e2: float = 0.0
    gamma1: float = 0.0
    gamma2: float = 0.0
    center_x_arcsec: float = 0.0
    center_y_arcsec: float = 0.0


@dataclass(frozen=True, eq=False)
class PointMasses:
    """Point masses; three float64 arrays of one length."""

    einstein_radii_arcsec: np.ndarray = field(default_factory=lambda: np.empty(0))
    x_arcsec: np.ndarray = field(default_factory=lambda: np.empty(0))
    y_arcsec: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class GaussianPsf:
    """A round Gaussian point spread function, cut off at `truncation_sigma` and normalised."""

    fwhm_arcsec: float
    truncation_sigma: float

    @property
    def sigma_arcsec(self) -> float:
        """The standard deviation on each axis."""
        return self.fwhm_arcsec / math.sqrt(8.0 * math.log(2.0))


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything an image shows before noise.

    Attributes:
        psf: what blurs it.
        lens: deflects the light of `sources`; None leaves it where it is.
        point_masses: deflect it too, in the plane of the lens.
        sources: light behind the lens.
        foreground: light that nothing deflects.
    """

    psf: GaussianPsf
    lens: IsothermalLens | None = None
    point_masses: PointMasses = field(default_factory=PointMasses)
    sources: tuple[SersicLight, ...] = ()
    foreground: tuple[SersicLight, ...] = ()
