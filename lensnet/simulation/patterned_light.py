"""Rings and spiral arms: light of galaxies that no Sersic profile describes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

__all__ = ["PatternedLight", "pattern_brightness"]


@dataclass(frozen=True, kw_only=True)
class PatternedLight:
    """A disc's ring or its arms, seen at an inclination.

    In the plane of the disc, at radius r and azimuth phi, the brightness is

        exp(-(r - ring_radius)^2 / (2 width^2)) * exp(contrast (cos(theta) - 1))
        theta = arms * (phi - phase - ln(r / ring_radius) / tan(pitch))

    a Gaussian ring that a logarithmic spiral of so many arms modulates (von Mises's profile across
    an arm). A contrast of 0 leaves the ring whole; a wide ring of high contrast is a pair of arms.

    Attributes:
        flux: of all of it.
        ring_radius_arcsec: where it is brightest, along the major axis.
        width_arcsec: standard deviation of the ring across, in the plane.
        axis_ratio: of the projected circles, the cosine of the inclination.
        angle_radian: of the major axis from the x axis.
        arms: how many; 1 for a tail or a lopsided ring.
        pitch_radian: angle between the arms and circles.
        contrast: how much of the light is in the arms.
        phase_radian: azimuth of an arm at the ring's radius.
        center_x_arcsec, center_y_arcsec: its centre.
    """

    flux: float
    ring_radius_arcsec: float
    width_arcsec: float
    axis_ratio: float = 1.0
    angle_radian: float = 0.0
    arms: int = 2
    pitch_radian: float = math.pi / 2
    contrast: float = 0.0
    phase_radian: float = 0.0
    center_x_arcsec: float = 0.0
    center_y_arcsec: float = 0.0


def pattern_brightness(light: PatternedLight, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the shape of the surface brightness at points of the sky, its highest near 1.

    Args:
        light: the ring or the arms.
        x: x in arcseconds, any shape.
        y: y in arcseconds, the same shape.

    Returns:
        The same shape, float64, of no particular flux: see `PatternedLight`.
    """
    dx, dy = x - light.center_x_arcsec, y - light.center_y_arcsec
    cosine, sine = math.cos(light.angle_radian), math.sin(light.angle_radian)
    along, across = cosine * dx + sine * dy, (cosine * dy - sine * dx) / light.axis_ratio
    radius = np.maximum(np.hypot(along, across), 1e-3 * light.ring_radius_arcsec)
    ring = np.exp(-0.5 * np.square((radius - light.ring_radius_arcsec) / light.width_arcsec))
    if light.contrast == 0.0:
        return ring
    winding = np.log(radius / light.ring_radius_arcsec) / math.tan(light.pitch_radian)
    theta = light.arms * (np.arctan2(across, along) - light.phase_radian - winding)
    found: np.ndarray = ring * np.exp(light.contrast * (np.cos(theta) - 1.0))
    return found
