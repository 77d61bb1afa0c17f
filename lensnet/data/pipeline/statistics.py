"""Statistics of all pixels of many images, a batch at a time, each band by itself.

Memory does not grow with the number of images, and units do not matter: no bins are laid over a
range, and nothing is squared before its mean is taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lensnet.data.files.pixels import to_float32

__all__ = ["extent", "moments", "percentiles"]

Batches = Callable[[], Iterable[np.ndarray]]
Bands = tuple[float, ...]

_HALF = 16
_BINS = 2**_HALF


def extent(batches: Batches) -> tuple[Bands, Bands]:
    """Returns the smallest and the largest pixel of each band.

    Args:
        batches: gives the images anew each time it is called, (N, H, W, C) at a time.

    >>> extent(lambda: [np.arange(8.0).reshape(1, 2, 2, 2)])
    ((0.0, 1.0), (6.0, 7.0))
    """
    lowest, highest = np.inf, -np.inf
    for pixels in _pixels(batches):
        lowest = np.minimum(lowest, pixels.min(axis=0))
        highest = np.maximum(highest, pixels.max(axis=0))
    return _bands(lowest), _bands(highest)


def moments(batches: Batches) -> tuple[Bands, Bands]:
    """Returns mean and standard deviation of each band, in double precision.

    Means and variances of the batches are merged pairwise (Chan, Golub & LeVeque 1983), which
    keeps their digits where the mean is far from zero.

    Args:
        batches: as of `extent`.
    """
    count, mean, squares = 0, 0.0, 0.0
    for pixels in _pixels(batches):
        here = pixels.astype(np.float64)
        number, mean_here = len(here), here.mean(axis=0)
        squares_here = np.square(here - mean_here).sum(axis=0)
        difference, total = mean_here - mean, count + number
        mean = mean + difference * number / total
        squares = squares + squares_here + difference**2 * count * number / total
        count = total
    return _bands(mean), _bands(np.sqrt(np.asarray(squares) / count))


def percentiles(batches: Batches, shares: Sequence[float]) -> list[Bands]:
    """Returns percentiles of each band, exactly: the smallest pixel with so many at or below it.

    That is NumPy's method "inverted_cdf". The images are gone through twice: floats are ordered as
    their bits are (but for the sign), so counting by the upper half of the bits finds the upper
    half of each percentile, and counting the lower halves of those that share it the rest.

    Args:
        batches: as of `extent`.
        shares: percentages, 0 to 100.

    >>> percentiles(lambda: [np.arange(101.0).reshape(1, 101, 1, 1)], [0, 25, 100])
    [(0.0,), (25.0,), (100.0,)]
    """
    upper: np.ndarray | None = None
    for keys in map(_ordered_bits, _pixels(batches)):
        if upper is None:
            upper = np.zeros((keys.shape[1], _BINS), np.int64)
        for band, counts in enumerate(upper):
            counts += np.bincount(keys[:, band] >> _HALF, minlength=_BINS)
    if upper is None:
        raise ValueError("there are no images")
    total = int(upper[0].sum())
    ranks = [min(max(math.ceil(share / 100 * total) - 1, 0), total - 1) for share in shares]
    cumulative = upper.cumsum(axis=1)
    # By band and share: the upper half of the bits, and the rank among those that have it.
    halves = np.array([np.searchsorted(row, ranks, side="right") for row in cumulative])
    before = np.take_along_axis(cumulative - upper, halves, axis=1)
    remaining = np.array(ranks) - before
    lower = np.zeros((*halves.shape, _BINS), np.int64)
    for keys in map(_ordered_bits, _pixels(batches)):
        for band in range(keys.shape[1]):
            high, low = keys[:, band] >> _HALF, keys[:, band] & (_BINS - 1)
            for number, half in enumerate(halves[band]):
                lower[band, number] += np.bincount(low[high == half], minlength=_BINS)
    found = np.empty(halves.shape, np.uint32)
    for at in np.ndindex(halves.shape):
        rest = np.searchsorted(lower[at].cumsum(), remaining[at], side="right")
        found[at] = (int(halves[at]) << _HALF) + int(rest)
    values = _floats(found)
    return [_bands(values[:, number]) for number in range(len(shares))]


def _pixels(batches: Batches) -> Iterable[np.ndarray]:
    """Yields the pixels of each batch, (M, C) float32, as they are when they are preprocessed."""
    for batch in batches():
        yield to_float32(batch).reshape(-1, batch.shape[-1])


def _ordered_bits(pixels: np.ndarray) -> np.ndarray:
    """Returns integers in the order of floats: uint32 of float32."""
    bits = np.ascontiguousarray(pixels).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(2**31))


def _floats(keys: np.ndarray) -> np.ndarray:
    """Returns the floats that `_ordered_bits` gave these integers."""
    return np.where(keys >> 31, keys & np.uint32(2**31 - 1), ~keys).view(np.float32)


def _bands(values: np.ndarray | float) -> Bands:
    return tuple(map(float, np.asarray(values)))
