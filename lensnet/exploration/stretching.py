"""Images for the eye: the sky dark, faint arcs visible, a bright galaxy not burnt out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Limits", "colour_picture", "grey_picture", "limits_of"]

_LOW, _SKY_MINUS_SIGMA, _SKY, _HIGH = 1.0, 15.87, 50.0, 99.7
# The asinh is close to linear up to so many sigma of the sky.
_SOFTENING_SIGMAS = 3.0
# White is at least so many sigma above the sky, so that an image of nothing but sky stays dark.
_LEAST_WHITE_SIGMAS = 20.0
_LEAST_SOFTENING, _MOST_SOFTENING, _SOFTENING_WITHOUT_SKY = 1e-4, 1.0, 0.1


def grey_picture(plane: np.ndarray) -> NDArray[np.float64]:
    """Returns one band scaled to [0, 1].

    The 1st percentile of its pixels becomes 0, and the 99.7th 1 or, if that is more, 20 sigma
    above the sky; in between, ``asinh(x / b) / asinh(1 / b)``. The softening b is three sigma of
    the sky, where sigma is the distance of the 16th percentile from the median: bright pixels,
    which are all on the other side, do not change it. An image without noise, as simulations make
    them, has b = 0.1; one of equal pixels becomes zeros. Units do not matter.

    Args:
        plane: (H, W), finite.

    >>> grey_picture(np.full((2, 2), 7.0)).max()
    np.float64(0.0)
    """
    values = np.asarray(plane, np.float64)
    low, high, softening = limits_of(values)
    if not high > low:
        return np.zeros(values.shape)
    return _bent(((values - low) / (high - low)).clip(0, 1), softening)


def colour_picture(
    image: np.ndarray, channels: Sequence[int], brightness: Sequence[float]
) -> NDArray[np.float64]:
    """Returns three bands as red, green and blue, (H, W, 3) in [0, 1].

    Each band is measured from its own sky, in units of its brightness over all images: what is
    of the usual colour is grey, and the colours of two images compare. The mean of the three is
    bent as by `grey_picture`, and each band by the same factor, which keeps the colour of bright
    pixels (Lupton et al. 2004, PASP 116, 133, equation 2).

    Args:
        image: (H, W, C), finite.
        channels: those to be shown as red, green and blue.
        brightness: (C,), what each band is measured in, above 0.
    """
    bands = np.stack(
        [np.asarray(image[..., c], np.float64) / brightness[c] for c in channels], axis=-1
    )
    bands -= np.median(bands, axis=(0, 1))
    intensity = bands.mean(axis=-1)
    low, high, softening = limits_of(intensity)
    if not high > low:
        return np.zeros(bands.shape)
    shown = _bent(((intensity - low) / (high - low)).clip(0, 1), softening)
    above = intensity - low
    factor = np.divide(shown, above, out=np.zeros_like(shown), where=above > 0)
    picture = ((bands - low) * factor[..., np.newaxis]).clip(0, None)
    return picture / np.maximum(picture.max(axis=-1, keepdims=True), 1)


class Limits(NamedTuple):
    """What becomes 0, what becomes 1, and the softening in units of the distance between them."""

    low: float
    high: float
    softening: float


def limits_of(values: np.ndarray) -> Limits:
    """Returns the limits by which `grey_picture` scales these values, of any shape."""
    low, below_sky, sky, high = np.percentile(values, [_LOW, _SKY_MINUS_SIGMA, _SKY, _HIGH])
    if not high > low:
        # Fewer than one pixel in a hundred differ: then these are what there is to see.
        low, high = float(values.min()), float(values.max())
    sigma = sky - below_sky
    if not high > low or not sigma > 0:
        return Limits(float(low), float(high), _SOFTENING_WITHOUT_SKY)
    high = max(high, sky + _LEAST_WHITE_SIGMAS * sigma)
    share = _SOFTENING_SIGMAS * sigma / (high - low)
    softening = float(np.clip(share, _LEAST_SOFTENING, _MOST_SOFTENING))
    return Limits(float(low), float(high), softening)


def _bent(values: np.ndarray, softening: float) -> np.ndarray:
    return np.arcsinh(values / softening) / math.asinh(1 / softening)
