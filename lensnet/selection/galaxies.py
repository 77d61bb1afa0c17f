"""What an image of a galaxy says of it: where it is, how it is elongated, how noisy its sky is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std

__all__ = ["GalaxyShape", "background_noise", "measure_shape"]

_ITERATIONS = 20


@dataclass(frozen=True)
class GalaxyShape:
    """The light of the galaxy in the middle of an image.

    Attributes:
        center_pixels: (row, column), from the middle of the image.
        axis_ratio: of the light within the window.
        angle_radian: of the major axis from the columns' axis towards the rows'.
    """

    center_pixels: tuple[float, float]
    axis_ratio: float
    angle_radian: float


def background_noise(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns level and standard deviation of the sky in each band, (C,) each.

    Of the pixels along the edges, by medians: objects there count little.

    Args:
        image: (H, W, C).
    """
    width = max(2, min(image.shape[:2]) // 10)
    inner = np.zeros(image.shape[:2], bool)
    inner[width:-width, width:-width] = True
    sky = image[~inner].astype(np.float64)
    return np.median(sky, axis=0), np.atleast_1d(mad_std(sky, axis=0))


def measure_shape(image: np.ndarray, window_pixels: float) -> GalaxyShape:
    """Measures the galaxy in the middle of an image by adaptive moments.

    The window is an ellipse of Gaussian weight that takes the light's own shape (Bernstein &
    Jarvis 2002; Hirata & Seljak 2003), so that it neither rounds nor lengthens it. Where that
    comes to nothing (no galaxy, or a brighter one beside it), it is a round one in the middle.

    Args:
        image: (H, W), its sky subtracted.
        window_pixels: standard deviation of the window to begin with.
    """
    round_one = GalaxyShape((0.0, 0.0), 1.0, 0.0)
    rows, columns = (np.indices(image.shape).astype(np.float64).T - _middle(image)).T
    center, moments = np.zeros(2), np.eye(2) * window_pixels**2
    for _ in range(_ITERATIONS):
        dx, dy = columns - center[1], rows - center[0]
        inverse = np.linalg.inv(moments)
        radius = inverse[0, 0] * dx**2 + 2 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        light = np.where(radius < 20, image * np.exp(-0.5 * radius), 0.0)
        total = light.sum()
        if not total > 0:
            return round_one
        center = center + np.array([(light * dy).sum(), (light * dx).sum()]) / total
        mixed = (light * dx * dy).sum()
        # Of a Gaussian times its own window the moments are half of its own.
        found = (
            2 / total * np.array([[(light * dx**2).sum(), mixed], [mixed, (light * dy**2).sum()]])
        )
        values = np.linalg.eigvalsh(found)
        if values[0] < 0.25 or values[1] > (4 * window_pixels) ** 2:
            return round_one
        if np.abs(center).max() > 2 * window_pixels:
            return round_one
        moments = found
    short, long = np.sqrt(np.linalg.eigvalsh(moments))
    angle = 0.5 * math.atan2(2 * moments[0, 1], moments[0, 0] - moments[1, 1])
    return GalaxyShape((float(center[0]), float(center[1])), float(short / long), angle)


def _middle(image: np.ndarray) -> np.ndarray:
    return np.array([(side - 1) / 2 for side in image.shape])
