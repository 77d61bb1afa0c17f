"""The Sersic profile: its normalisation and its surface brightness."""

from __future__ import annotations

import math

import numpy as np

from lensnet.simulation.compilation import compiled
from lensnet.simulation.scene import SersicLight

__all__ = [
    "amplitude_of_flux",
    "effective_area",
    "reach_arcsec",
    "surface_brightness",
    "total_flux",
]

# As in lenstronomy: within this radius the profile is flat.
SMALLEST_RADIUS_ARCSEC = 1e-4


def concentration(sersic_index: float) -> float:
    """Returns b_n, which makes the half-light radius hold half the light.

    The linear fit of Capaccioli (1989) for indices from 0.5 to 10, which lenstronomy uses.
    """
    return max(1.9992 * sersic_index - 0.3271, 1e-5)


def total_flux(half_light_radius_arcsec: float, sersic_index: float) -> float:
    """Returns the flux of a profile of amplitude 1, integrated to infinity.

    `2 pi n R^2 exp(b) b^(-2n) Gamma(2n)` (Graham & Driver 2005, equation 4).

    >>> round(total_flux(1.0, 1.0), 2)
    11.96
    """
    b = concentration(sersic_index)
    twice = 2.0 * sersic_index
    return (
        math.pi * twice * half_light_radius_arcsec**2 * math.exp(b) * b**-twice * math.gamma(twice)
    )


def effective_area(half_light_radius_arcsec: float, sersic_index: float) -> float:
    """Returns `(integral I)^2 / integral I^2`, the area over which a profile spreads its light.

    For a Gaussian, n = 0.5, it is 4 pi sigma^2; for an exponential disc 8 pi h^2.

    >>> scale_length = 1.0 / (1.9992 - 0.3271)
    >>> round(effective_area(1.0, 1.0) / scale_length**2 / math.pi, 6)
    8.0
    """
    # The integral of I^2 is that of a profile with twice the b_n and the square of the amplitude.
    b = concentration(sersic_index)
    twice = 2.0 * sersic_index
    integral_of_square = (
        math.pi
        * twice
        * half_light_radius_arcsec**2
        * math.exp(2.0 * b)
        * (2.0 * b) ** -twice
        * math.gamma(twice)
    )
    return total_flux(half_light_radius_arcsec, sersic_index) ** 2 / integral_of_square


def amplitude_of_flux(flux: float, half_light_radius_arcsec: float, sersic_index: float) -> float:
    """Returns the amplitude at which a profile has the given total flux."""
    return flux / total_flux(half_light_radius_arcsec, sersic_index)


def reach_arcsec(light: SersicLight, fraction: float) -> float:
    """Returns the distance beyond which the profile is below `fraction` of its amplitude.

    >>> light = SersicLight(amplitude=2.0, half_light_radius_arcsec=0.5, sersic_index=1.0)
    >>> reach_arcsec(light, fraction=1.0)
    0.5
    """
    b = concentration(light.sersic_index)
    radius = light.half_light_radius_arcsec * (1.0 - math.log(fraction) / b) ** light.sersic_index
    modulus = math.hypot(light.e1, light.e2)
    # From the geometric mean of the semi-axes to the longer of them.
    return radius * math.sqrt((1.0 + modulus) / (1.0 - modulus))


def surface_brightness(light: SersicLight, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns `amplitude exp(-b ((R / R_half)^(1/n) - 1))` at points of the sky.

    `R^2 = q u^2 + v^2 / q` with u along the major axis and v across it, so that R_half is the
    geometric mean of the half-light ellipse's semi-axes (Sersic 1963; lenstronomy's convention).

    Args:
        light: the profile.
        x: x in arcseconds, shape (rows, columns).
        y: y in arcseconds, the same shape.

    Returns:
        Flux per square arcsecond, the same shape, float64.
    """
    norm = math.sqrt(1.0 - light.e1**2 - light.e2**2) * light.half_light_radius_arcsec
    smallest = SMALLEST_RADIUS_ARCSEC / light.half_light_radius_arcsec
    values = _squared_radius(
        x,
        y,
        light.center_x_arcsec,
        light.center_y_arcsec,
        (1.0 - light.e1) / norm,
        -light.e2 / norm,
        (1.0 + light.e1) / norm,
        smallest**2,
    )
    # NumPy's power and exp are vectorised where numba's are not. In place, because at these sizes
    # a new array costs as much as the arithmetic on it.
    if light.sersic_index == 1.0:
        np.sqrt(values, out=values)
    else:
        np.power(values, 0.5 / light.sersic_index, out=values)
    b = concentration(light.sersic_index)
    values *= -b
    values += b + math.log(light.amplitude)
    return np.exp(values, out=values)


@compiled
def _squared_radius(
    x: np.ndarray,
    y: np.ndarray,
    center_x: float,
    center_y: float,
    along: float,
    mixed: float,
    across: float,
    smallest: float,
) -> np.ndarray:
    """Returns (R / R_half)^2, no less than `smallest`."""
    squares = np.empty(x.shape)
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            dx = x[j, i] - center_x
            dy = y[j, i] - center_y
            u = along * dx + mixed * dy
            v = mixed * dx + across * dy
            squares[j, i] = max(u * u + v * v, smallest)
    return squares
