"""One pass over all images: a few numbers of each, and means, profiles and samples of the groups.

A batch of images is in memory at a time. What is kept of each image is 40 bytes a band; what is
kept of a group does not grow with the number of images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lensnet.exploration.duplicates import Forms

__all__ = ["NUMBERS", "Batch", "RadialRings", "Sample", "Survey", "survey"]

NUMBERS = (
    "lowest",
    "percentile_1",
    "percentile_16",
    "median",
    "percentile_99",
    "highest",
    "mean",
    "std",
)
"""What is noted of each band of each image."""

# Profiles kept of a group, for the median and the spread of them.
_MOST_PROFILES = 1000
_PROFILE_BYTES = 64 * 2**20


class Batch(NamedTuple):
    """Some of the images.

    Args:
        first: position of the first of them among all images.
        images: (N, H, W, C) float32, raw.
        is_training: whether they are of the training split.
    """

    first: int
    images: np.ndarray
    is_training: bool


@dataclass(frozen=True)
class Sample:
    """An image to be shown.

    Args:
        id: of the example.
        image: (H, W, C) float32.
    """

    id: str
    image: np.ndarray


@dataclass
class Survey:
    """What a pass over all N images has found.

    Args:
        numbers: (N, C, 8) float32, for each image and band those of `NUMBERS`.
        zeros: (N, C), how many pixels are 0.
        highest: (N, C), how many pixels have the highest value of their image and band.
        forms: for finding duplicates.
        is_whole: (C,) whether all pixels of the training images are whole numbers.
        means: (G, H, W, C) float64, the mean training image of each group.
        radii: (R,) in pixels, those of the profiles.
        profiles: of each group (P, R, C) float32: of up to 1,000 training images the mean pixel at
            each radius.
        samples: of each group the images to be shown, in the order in which they were asked for.
    """

    numbers: np.ndarray
    zeros: np.ndarray
    highest: np.ndarray
    forms: Forms
    is_whole: np.ndarray
    means: np.ndarray
    radii: np.ndarray
    profiles: list[np.ndarray]
    samples: list[list[Sample]] = field(default_factory=list)

    def of(self, name: str) -> np.ndarray:
        """Returns one of `NUMBERS` of each image and band, (N, C)."""
        return np.asarray(self.numbers[..., NUMBERS.index(name)])


class RadialRings:
    """The pixels of an image by their distance from its centre, in rings one pixel wide.

    Rings that the image's edge cuts are left out.

    Args:
        height: of the images, in pixels.
        width: of the images, in pixels.

    >>> rings = RadialRings(3, 3)
    >>> rings.radii.tolist()
    [0.0, 1.0]
    >>> rings.profiles(np.arange(9.0).reshape(1, 3, 3, 1))[0, :, 0].tolist()
    [4.0, 4.0]
    """

    def __init__(self, height: int, width: int):
        rows, columns = np.mgrid[:height, :width]
        distance = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2)
        ring = np.rint(distance).astype(np.int64).ravel()
        order = np.argsort(ring, kind="stable")
        order = order[ring[order] <= (min(height, width) - 1) / 2]
        rings, self._starts, self._counts = np.unique(
            ring[order], return_index=True, return_counts=True
        )
        self._order = order
        self.radii = rings.astype(np.float64)

    def profiles(self, images: np.ndarray) -> np.ndarray:
        """Returns the mean pixel of each ring of images (N, H, W, C): (N, R, C) float64."""
        pixels = images.reshape(len(images), -1, images.shape[-1])[:, self._order]
        sums = np.add.reduceat(pixels.astype(np.float64), self._starts, axis=1)
        return sums / self._counts[:, np.newaxis]


def survey(
    batches: Iterable[Batch],
    *,
    image_shape: tuple[int, int, int],
    groups: np.ndarray,
    num_groups: int,
    ids: np.ndarray,
    shown: list[list[int]],
) -> Survey:
    """Goes through all images once.

    Args:
        batches: all images, in order.
        image_shape: (H, W, C).
        groups: (N,) the group of each image.
        num_groups: G.
        ids: (N,) of the examples.
        shown: of each group the positions of the training images to be kept.
    """
    height, width, channels = image_shape
    total = len(groups)
    numbers = np.empty((total, channels, len(NUMBERS)), np.float32)
    zeros = np.empty((total, channels), np.int32)
    highest = np.empty((total, channels), np.int32)
    forms = Forms.room_for(total)
    is_whole = np.ones(channels, bool)
    sums, counts = np.zeros((num_groups, *image_shape)), np.zeros(num_groups)
    rings = RadialRings(height, width)
    room = _PROFILE_BYTES // (4 * num_groups * len(rings.radii) * channels)
    kept = _Profiles(num_groups, min(_MOST_PROFILES, max(room, 1)))
    wanted = {position for of_group in shown for position in of_group}
    found: dict[int, Sample] = {}
    for first, images, is_training in batches:
        here = slice(first, first + len(images))
        planes = np.ascontiguousarray(np.moveaxis(images, -1, 1)).reshape(
            len(images), channels, height * width
        )
        numbers[here] = _numbers(planes)
        zeros[here] = np.count_nonzero(planes == 0, axis=-1)
        largest = planes.max(axis=-1, keepdims=True)
        highest[here] = np.count_nonzero(planes == largest, axis=-1)
        forms.add(images)
        if not is_training:
            continue
        if is_whole.any():
            is_whole &= (planes == np.rint(planes)).all(axis=(0, 2))
        for group in np.unique(groups[here]):
            of_group = images[groups[here] == group]
            sums[group] += of_group.sum(axis=0, dtype=np.float64)
            counts[group] += len(of_group)
            kept.add(int(group), rings, of_group)
        for position in wanted.intersection(range(here.start, here.stop)):
            found[position] = Sample(str(ids[position]), images[position - first].copy())
    return Survey(
        numbers=numbers,
        zeros=zeros,
        highest=highest,
        forms=forms,
        is_whole=is_whole,
        means=sums / np.maximum(counts, 1)[:, np.newaxis, np.newaxis, np.newaxis],
        radii=rings.radii,
        profiles=kept.of_groups(),
        samples=[[found[position] for position in of_group] for of_group in shown],
    )


class _Profiles:
    """The profiles of the first images of each group: records lie in an order that is random."""

    def __init__(self, num_groups: int, most: int):
        self._most = most
        self._kept: list[list[np.ndarray]] = [[] for _ in range(num_groups)]
        self._counts = [0] * num_groups

    def add(self, group: int, rings: RadialRings, images: np.ndarray) -> None:
        room = self._most - self._counts[group]
        if room > 0:
            self._kept[group].append(rings.profiles(images[:room]).astype(np.float32))
            self._counts[group] += len(self._kept[group][-1])

    def of_groups(self) -> list[np.ndarray]:
        return [np.concatenate(of_group) for of_group in self._kept]


def _numbers(planes: np.ndarray) -> np.ndarray:
    """Returns those of `NUMBERS`, (N, C, 8), of pixels (N, C, P).

    Percentiles are pixels: those at the nearest rank.
    """
    last = planes.shape[-1] - 1
    ranks = [round(share * last) for share in (0.01, 0.1587, 0.5, 0.99)]
    # NumPy sorts float32 by vector instructions, several times faster than it partitions.
    ordered = np.sort(planes, axis=-1)
    exact = planes.astype(np.float64)
    found = [ordered[..., rank] for rank in (0, *ranks, last)]
    return np.stack([*found, exact.mean(axis=-1), exact.std(axis=-1)], axis=-1)
