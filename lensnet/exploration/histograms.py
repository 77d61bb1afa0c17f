"""How often each pixel value comes, in each group and band: over its core and over its whole range.

The bins follow from what the survey noted of each image, so that a second pass can fill them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lensnet.exploration.survey import Batch, Survey

__all__ = ["BandRange", "Histograms", "band_ranges", "fill_histograms"]

_BINS = 100
# From so many sigma of the sky on, a linear axis would show the sky as a single line.
_WIDE_SIGMAS = 100.0


@dataclass(frozen=True)
class BandRange:
    """The values of one band in the training images.

    Args:
        lowest: of all pixels.
        highest: of all pixels.
        low: the 1st percentile of three quarters of the images lies above it.
        high: the 99th percentile of three quarters of the images lies below it.
        sky: the median over images of their median.
        noise: sigma of the sky: the median over images of the distance from the 16th percentile to
            the median. Where that is 0, of the distance to the 99th, and then the whole range;
            never 0.
        brightness: the median over images of the distance from the median to the highest pixel;
            never 0.
        is_whole: whether all pixels are whole numbers.
    """

    lowest: float
    highest: float
    low: float
    high: float
    sky: float
    noise: float
    brightness: float
    is_whole: bool

    @property
    def is_wide(self) -> bool:
        """Whether the whole range needs an axis that is bent by asinh."""
        return max(self.highest - self.sky, self.sky - self.lowest) > _WIDE_SIGMAS * self.noise

    def core_edges(self) -> np.ndarray:
        """Returns bins of equal width over the core, (B + 1,) float64."""
        return self._fitting(np.linspace(self.low, self.high, _BINS + 1))

    def whole_edges(self) -> np.ndarray:
        """Returns bins over all values, of equal width on the axis they are shown on."""
        if not self.is_wide:
            return self._fitting(np.linspace(self.lowest, self.highest, _BINS + 1))
        ends = np.arcsinh((np.array([self.lowest, self.highest]) - self.sky) / self.noise)
        edges = self.sky + self.noise * np.sinh(np.linspace(ends[0], ends[1], _BINS + 1))
        edges[[0, -1]] = self.lowest, self.highest
        return self._fitting(edges)

    def _fitting(self, edges: np.ndarray) -> np.ndarray:
        """Returns edges that lie between whole numbers, where pixels are such."""
        if edges[0] == edges[-1]:
            reach = abs(float(edges[0])) / 2 or 0.5
            return np.array([edges[0] - reach, edges[0] + reach])
        if not self.is_whole:
            return np.unique(edges)
        between = np.floor(edges) + 0.5
        between[0] -= 1
        if edges[-1] - edges[0] <= _BINS:
            return np.arange(between[0], between[-1] + 1)
        # Bins of the same number of whole numbers, where they are of equal width at all: else
        # some would count one more than their neighbours.
        steps = np.diff(edges)
        if np.allclose(steps, steps[0]):
            step = np.ceil(steps[0])
            return np.arange(between[0], between[-1] + step, step)
        return np.unique(between)


@dataclass(frozen=True)
class Histograms:
    """How often values come in one band.

    Args:
        range: of the band.
        core: (G, B) counts within `core_edges`.
        core_edges: (B + 1,).
        whole: (G, B') counts within `whole_edges`.
        whole_edges: (B' + 1,).
        pixels: (G,) how many pixels each group has.
    """

    range: BandRange
    core: np.ndarray
    core_edges: np.ndarray
    whole: np.ndarray
    whole_edges: np.ndarray
    pixels: np.ndarray


def band_ranges(found: Survey, training: np.ndarray) -> list[BandRange]:
    """Returns the range of each band.

    Args:
        found: of all images.
        training: (N,) which of them are of the training split.
    """
    numbers = {
        name: found.of(name)[training].astype(np.float64)
        for name in ("lowest", "percentile_1", "percentile_16", "median")
        + ("percentile_99", "highest")
    }
    ranges = []
    for band in range(found.numbers.shape[1]):
        of_band = {name: values[:, band] for name, values in numbers.items()}
        lowest, highest = float(of_band["lowest"].min()), float(of_band["highest"].max())
        low = float(np.percentile(of_band["percentile_1"], 25))
        high = float(np.percentile(of_band["percentile_99"], 75))
        noise = float(np.median(of_band["median"] - of_band["percentile_16"]))
        if not noise > 0:
            noise = float(np.median(of_band["percentile_99"] - of_band["median"]))
        if not high > low:
            low, high = lowest, highest
        ranges.append(
            BandRange(
                lowest=lowest,
                highest=highest,
                low=low,
                high=high,
                sky=float(np.median(of_band["median"])),
                noise=noise if noise > 0 else (highest - lowest) or 1.0,
                brightness=float(np.median(of_band["highest"] - of_band["median"])) or 1.0,
                is_whole=bool(found.is_whole[band]),
            )
        )
    return ranges


def fill_histograms(
    batches: Iterable[Batch], ranges: list[BandRange], groups: np.ndarray, num_groups: int
) -> list[Histograms]:
    """Counts the pixels of the training images by value.

    Args:
        batches: the training images, in order.
        ranges: of each band.
        groups: (N,) the group of each image.
        num_groups: G.
    """
    made = [
        Histograms(
            range=of_band,
            core=np.zeros((num_groups, len(of_band.core_edges()) - 1), np.int64),
            core_edges=of_band.core_edges(),
            whole=np.zeros((num_groups, len(of_band.whole_edges()) - 1), np.int64),
            whole_edges=of_band.whole_edges(),
            pixels=np.zeros(num_groups, np.int64),
        )
        for of_band in ranges
    ]
    for first, images, _ in batches:
        here = groups[first : first + len(images)]
        for group in np.unique(here):
            of_group = images[here == group]
            for band, into in enumerate(made):
                # Sorted once, few edges are found among many pixels: several times faster than many
                # pixels among few edges.
                pixels = np.sort(of_group[..., band], axis=None)
                into.core[group] += _counts(pixels, into.core_edges)
                into.whole[group] += _counts(pixels, into.whole_edges)
                into.pixels[group] += pixels.size
    return made


def _counts(pixels: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts sorted pixels in each bin; the last one holds its upper edge too."""
    below = np.searchsorted(pixels, edges[:-1], side="left")
    up_to_last = np.searchsorted(pixels, edges[-1], side="right")
    return np.diff(np.append(below, up_to_last))
