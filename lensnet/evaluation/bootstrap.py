"""How sure a metric is: confidence intervals by the bootstrap.

Examples are drawn with replacement, of each class as many as there are, and every metric is
measured on each drawing. A drawing is a row of counts, how often it holds each example, and
`lensnet.evaluation.resampled_metrics` measures many rows at once: a thousand drawings of ten
thousand images take seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta  # type: ignore[import-untyped]

from lensnet.evaluation.checks import FloatArray

__all__ = ["LEVEL", "Interval", "confidence_intervals", "exact_interval", "resamples"]

LEVEL = 0.95
"""The share of samples whose interval is to hold the truth."""

Interval = tuple[float, float]
Measure = Callable[[NDArray[np.float64]], Mapping[str, FloatArray]]
"""From counts (B, N) to the metrics of each of the B drawings, (B,); NaN where undefined."""

# Drawings are measured in parts of so many numbers.
_PART = 1 << 21
# The acceleration is estimated from so many groups of examples, each left out once.
_MOST_GROUPS = 200
# A class of one example is drawn again and again: that says nothing of what another would do.
LEAST_OF_A_CLASS = 2


def resamples(strata: np.ndarray, number: int, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """Yields drawings with replacement as counts, a few rows at a time.

    Args:
        strata: (N,), the class of each example; of each, as many are drawn as there are.
        number: of drawings.
        seed: of the random numbers.

    Example:

    >>> [counts] = resamples(np.array([0, 0, 0, 1]), 5)
    >>> counts.shape, counts[:, :3].sum(axis=1), counts[:, 3]
    ((5, 4), array([3., 3., 3., 3., 3.]), array([1., 1., 1., 1., 1.]))
    """
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    rows = max(1, _PART // max(len(strata), 1))
    for start in range(0, number, rows):
        part = min(rows, number - start)
        counts = np.zeros((part, len(strata)))
        for of_class in members:
            drawn = random.integers(0, len(of_class), (part, len(of_class)))
            drawn += np.arange(part)[:, None] * len(of_class)
            flat = np.bincount(drawn.ravel(), minlength=part * len(of_class))
            counts[:, of_class] = flat.reshape(part, len(of_class))
        yield counts


def confidence_intervals(
    measure: Measure, strata: np.ndarray, number: int, seed: int = 0
) -> dict[str, Interval | None]:
    """Returns a 95 % interval for each metric: bias-corrected and accelerated (BCa).

    Efron 1987, "Better bootstrap confidence intervals"; the acceleration from a jackknife that
    leaves out a group of examples at a time. A metric gets None where it is undefined on some
    drawing, and where it is the same on all: then the drawings do not tell how sure it is.

    Args:
        measure: gives the metrics of drawings.
        strata: (N,), the class of each example; zeros for a regression.
        number: of drawings.
        seed: of the random numbers.
    """
    if not len(strata) or not number:
        return {}
    estimate = measure(np.ones((1, len(strata))))
    parts = [measure(counts) for counts in resamples(strata, number, seed)]
    left_out = measure(_without_each_group(strata, seed))
    return {
        name: _bca(
            float(estimate[name][0]), np.concatenate([p[name] for p in parts]), left_out[name]
        )
        for name in estimate
    }


def exact_interval(successes: float, trials: int) -> Interval:
    """Returns the 95 % interval of a share by Clopper and Pearson 1934.

    It is what is said where all of a sample, or nothing of it, has a property, and every drawing
    from it is the same.

    Example:

    >>> low, high = exact_interval(100, 100)
    >>> round(low, 4), high
    (0.9638, 1.0)
    """
    tail = (1 - LEVEL) / 2
    failures = trials - successes
    low = float(beta.ppf(tail, successes, failures + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, failures)) if failures > 0 else 1.0
    return low, high


def _without_each_group(strata: np.ndarray, seed: int) -> NDArray[np.float64]:
    """Counts (G, N) with one group of examples left out of each row, classes spread evenly."""
    number = min(len(strata), _MOST_GROUPS)
    shuffled = np.random.default_rng(seed).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    group = np.empty(len(strata), int)
    group[order] = np.arange(len(strata)) % number
    return (group != np.arange(number)[:, None]).astype(np.float64)


def _bca(estimate: float, drawn: FloatArray, left_out: FloatArray) -> Interval | None:
    if not math.isfinite(estimate) or not np.isfinite(drawn).all():
        return None
    if np.ptp(drawn) <= 1e-12 * max(abs(estimate), 1e-300):
        return None
    normal = NormalDist()
    # Drawings of discrete metrics often equal the estimate: they count half.
    below = np.mean(drawn < estimate) + np.mean(drawn == estimate) / 2
    edge = 0.5 / len(drawn)
    bias = normal.inv_cdf(float(np.clip(below, edge, 1 - edge)))
    acceleration = _acceleration(left_out)
    ends = []
    for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2):
        z = bias + normal.inv_cdf(tail)
        # Beyond it the correction has turned round, and has no meaning.
        corrected = bias + z / max(1 - acceleration * z, 0.1)
        ends.append(float(np.quantile(drawn, normal.cdf(corrected))))
    return ends[0], ends[1]


def _acceleration(left_out: FloatArray) -> float:
    if not np.isfinite(left_out).all():
        return 0.0
    distance = left_out.mean() - left_out
    spread = float(np.sum(distance**2))
    return float(np.sum(distance**3)) / (6 * spread**1.5) if spread > 0 else 0.0
