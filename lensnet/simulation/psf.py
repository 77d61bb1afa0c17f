"""Convolution with a Gaussian point spread function."""

from __future__ import annotations

import numpy as np

from lensnet.simulation.compilation import compiled
from lensnet.simulation.scene import GaussianPsf, PixelGrid

__all__ = ["blur"]


def blur(image: np.ndarray, psf: GaussianPsf, grid: PixelGrid) -> np.ndarray:
    """Returns an image convolved with a point spread function.

    The same as `scipy.ndimage.gaussian_filter(..., mode="nearest")`, which lenstronomy uses, in
    half of its time: the weights are the Gaussian at whole pixels, up to the truncation rounded
    to a pixel, with a sum of 1; beyond its border the image goes on with the border's values.

    Args:
        image: shape (size, size), float64.
        psf: what to convolve with.
        grid: the image's pixels.

    Returns:
        The same shape.
    """
    sigma = psf.sigma_arcsec / grid.pixel_scale_arcsec
    reach = int(psf.truncation_sigma * sigma + 0.5)
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / sigma))
    return _convolve_rows_and_columns(image, weights / weights.sum())


@compiled
def _convolve_rows_and_columns(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Convolves with the outer product of symmetric weights, a row of the result at a time."""
    rows, columns = image.shape
    reach = weights.size // 2
    result = np.zeros((rows, columns))
    padded = np.empty(columns + 2 * reach)
    for j in range(rows):
        inner = padded[reach : reach + columns]
        inner[:] = 0.0
        for k in range(weights.size):
            row = image[min(max(j + k - reach, 0), rows - 1)]
            for i in range(columns):
                inner[i] += weights[k] * row[i]
        padded[:reach] = inner[0]
        padded[reach + columns :] = inner[columns - 1]
        for k in range(weights.size):
            for i in range(columns):
                result[j, i] += weights[k] * padded[i + k]
    return result
