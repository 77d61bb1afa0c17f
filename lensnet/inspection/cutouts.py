"""Cutouts as a page holds them: a byte a pixel and band, that keeps faint and bright alike.

Of a float image of N bands a page would need 4 N bytes a pixel, most of them noise. A byte is
enough, spaced like the noise: a quarter of its sigma at the sky, as in images that fpack
compresses (Pence et al. 2010, PASP 122, 1065), and wider on bright pixels, by asinh. What is lost
is less than the eye sees after any of the page's stretches.
"""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["BandScale", "Cutout", "central", "encode", "quantise"]

_LEVELS = 255
_STEPS_A_SIGMA = 4
# Softenings that are tried, in sigma of the noise: the largest at which all values fit is the most
# linear one.
_SOFTENINGS = (64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0)
# An image without noise has as many steps below a hundredth of its range as above it, and more.
_SOFTENING_WITHOUT_NOISE = 0.01


@dataclass(frozen=True)
class BandScale:
    """What a byte q of a band means: `sky + softening * sinh(start + step * q)`.

    Args:
        sky: the median, in units of the image.
        softening: below which the scale is linear, in units of the image.
        start: of the scale.
        step: of the scale.
    """

    sky: float
    softening: float
    start: float
    step: float

    def values(self, bytes_: np.ndarray) -> np.ndarray:
        """Returns what bytes mean, float64."""
        return np.asarray(self.sky + self.softening * np.sinh(self.start + self.step * bytes_))


@dataclass(frozen=True)
class Cutout:
    """An image of which a page can make pictures.

    Args:
        pixels: (bands, H, W) uint8.
        scales: what they mean, for each band.
    """

    pixels: np.ndarray
    scales: tuple[BandScale, ...]

    @property
    def content(self) -> dict[str, Any]:
        """What the page holds: the size, the scales, and the bytes deflated in base64."""
        _, height, width = self.pixels.shape
        packed = zlib.compress(self.pixels.tobytes(), 9)
        return {
            "width": width,
            "height": height,
            "bands": [
                [float(f"{value:.9g}") for value in (s.sky, s.softening, s.start, s.step)]
                for s in self.scales
            ],
            "data": base64.b64encode(packed).decode("ascii"),
        }


def central(image: np.ndarray, pixels: int | None, most: int = 256) -> np.ndarray:
    """Returns the centre of an image, and that made smaller if it is still too large for a page.

    Args:
        image: (H, W, C).
        pixels: how many of a side to keep; None for all.
        most: of a larger image blocks of pixels are averaged, until no side has more.
    """
    height, width = image.shape[:2]
    if pixels is not None:
        top, left = (max(0, (side - pixels) // 2) for side in (height, width))
        image = image[top : top + pixels, left : left + pixels]
        height, width = image.shape[:2]
    block = math.ceil(max(height, width) / most)
    if block < 2:
        return image
    rows, columns = max(1, height // block), max(1, width // block)
    # A side shorter than a block is one.
    tall, wide = min(block, height), min(block, width)
    kept = image[: rows * tall, : columns * wide]
    shape = (rows, tall, columns, wide, image.shape[2])
    return np.asarray(kept.reshape(shape).mean(axis=(1, 3)))


def encode(image: np.ndarray) -> Cutout:
    """Returns an image of any number of bands as a page holds it.

    Args:
        image: (H, W, C), finite.
    """
    bands = [quantise(image[..., band]) for band in range(image.shape[2])]
    return Cutout(np.stack([pixels for pixels, _ in bands]), tuple(scale for _, scale in bands))


def quantise(plane: np.ndarray) -> tuple[np.ndarray, BandScale]:
    """Returns a band as bytes, (H, W) uint8, and what they mean.

    Args:
        plane: (H, W), finite.
    """
    values = np.asarray(plane, np.float64)
    sky = np.median(values)
    sigma, offset = _noise(values), values - sky
    lowest, highest = float(offset.min()), float(offset.max())
    if not highest > lowest:
        return np.zeros(values.shape, np.uint8), BandScale(float(sky), 0.0, 0.0, 0.0)
    softening = (highest - lowest) * _SOFTENING_WITHOUT_NOISE
    step = 0.0
    if sigma > 0:
        for sigmas in _SOFTENINGS:
            softening = sigmas * sigma
            step = 1 / (_STEPS_A_SIGMA * sigmas)
            reach = math.asinh(highest / softening) - math.asinh(lowest / softening)
            if reach <= _LEVELS * step:
                break
    start, end = math.asinh(lowest / softening), math.asinh(highest / softening)
    step = max(step, (end - start) / _LEVELS)
    bytes_ = np.rint((np.arcsinh(offset / softening) - start) / step).clip(0, _LEVELS)
    return bytes_.astype(np.uint8), BandScale(float(sky), float(softening), start, step)


def _noise(values: np.ndarray) -> float:
    """Returns the sigma of the noise, that of structure left out; 0 where there is none.

    From differences along rows, over two pixels because neighbours share noise after resampling
    (DER_SNR, Stoehr et al. 2008, ASP Conf. Ser. 394, 505).
    """
    if values.shape[1] < 5:
        return 0.0
    differences = 2 * values[:, 2:-2] - values[:, :-4] - values[:, 4:]
    return float(1.482602 / math.sqrt(6) * np.median(np.abs(differences)))
