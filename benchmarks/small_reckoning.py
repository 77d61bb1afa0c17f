"""What the small studies reckon from measured numbers; NumPy and SciPy alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t  # type: ignore[import-untyped]

__all__ = [
    "Spread",
    "committee_sums",
    "images_to_reach",
    "missing_ratio",
    "paired_difference",
    "share_above",
    "spread",
]


@dataclass(frozen=True)
class Spread:
    """Of the seeds' values.

    Args:
        mean: of them.
        deviation: their sample standard deviation, None of a single one.
        count: how many there are.
    """

    mean: float
    deviation: float | None
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """The mean and the sample standard deviation; None of no value.

    >>> spread([0.90, 0.92, 0.94])
    Spread(mean=0.92, deviation=0.02, count=3)
    """
    if not values:
        return None
    array = np.asarray(values, dtype=np.float64)
    deviation = None if len(array) < 2 else round(float(array.std(ddof=1)), 12)
    return Spread(round(float(array.mean()), 12), deviation, len(array))


def images_to_reach(curve: Sequence[Sequence[float]], level: float) -> tuple[float, float] | None:
    """The images seen, and the seconds, by the end of the first epoch that reaches a level.

    Args:
        curve: of each epoch the images seen until then, the seconds, and the value.
        level: of the value.

    >>> images_to_reach([(100, 2.0, 0.7), (200, 4.0, 0.9), (300, 6.0, 0.8)], 0.8)
    (200, 4.0)
    """
    for images, seconds, value in curve:
        if value >= level:
            return images, seconds
    return None


def missing_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """What the mean of ours lacks to 1, over what the mean of theirs lacks; None of nothing.

    >>> missing_ratio([0.97], [0.94])
    0.5
    """
    if not ours or not theirs:
        return None
    missing = 1 - float(np.mean(theirs))
    return None if missing <= 0 else round((1 - float(np.mean(ours))) / missing, 12)


def paired_difference(
    ours: Mapping[int, float], theirs: Mapping[int, float]
) -> tuple[float, float, float] | None:
    """The mean difference over the seeds that both have, and its 95 % interval by Student's t.

    Args:
        ours, theirs: values by seed.

    Returns:
        mean, low, high; None of fewer than two seeds.
    """
    seeds = sorted(set(ours) & set(theirs))
    if len(seeds) < 2:
        return None
    differences = np.array([ours[seed] - theirs[seed] for seed in seeds])
    mean = float(differences.mean())
    half = float(t.ppf(0.975, len(seeds) - 1) * differences.std(ddof=1) / math.sqrt(len(seeds)))
    return mean, mean - half, mean + half


def committee_sums(
    kinds: Mapping[str, Sequence[str]], size: int
) -> dict[str, list[tuple[str, ...]]]:
    """The committees of so many networks: of one kind, by its name, and `mixed` of several.

    Args:
        kinds: the networks of each kind.
        size: of a committee.

    >>> committee_sums({"a": ["a0", "a1"], "b": ["b0"]}, 2)
    {'a': [('a0', 'a1')], 'mixed': [('a0', 'b0'), ('a1', 'b0')]}
    """
    kind_of = {name: kind for kind, names in kinds.items() for name in names}
    found: dict[str, list[tuple[str, ...]]] = {}
    for chosen in itertools.combinations(kind_of, size):
        of = {kind_of[name] for name in chosen}
        found.setdefault(of.pop() if len(of) == 1 else "mixed", []).append(chosen)
    return found


def share_above(scores: Sequence[float], others: Sequence[float], rate: float) -> float | None:
    """The share of scores above the threshold that so large a share of the others is above.

    The threshold is one of the others' scores: at most `rate` of them lie above it. None where
    there are none, or too few of the others for a single one to be let through.

    >>> share_above([0.95, 0.85, 0.2], [number / 100 for number in range(100)], 0.1)
    0.3333333333333333
    """
    # A hair's breadth: 0.07 of 100 are 7, though their product is a little more.
    allowed = math.floor(rate * len(others) + 1e-9)
    if not len(scores) or not allowed:
        return None
    threshold = np.sort(np.asarray(others))[::-1][allowed]
    return float(np.mean(np.asarray(scores) > threshold))
