"""Calibration: does a probability of 0.9 come true nine times in ten?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lensnet.evaluation.checks import FloatArray, IntArray, class_probabilities


@dataclass(frozen=True, eq=False)
class CalibrationBins:
    """Confidence against accuracy in bins of equal width over [0, 1].

    Attributes:
        edges: Bin edges, shape (bins + 1,). A bin holds its upper edge and not its lower one.
        counts: Examples in each bin, shape (bins,).
        confidence: Mean probability of the predicted class in each bin; NaN in an empty bin.
        accuracy: Share of right predictions in each bin; NaN in an empty bin.
    """

    edges: FloatArray
    counts: IntArray
    confidence: FloatArray
    accuracy: FloatArray

    @property
    def error(self) -> float | None:
        """The expected calibration error; None without examples."""
        total = int(self.counts.sum())
        if not total:
            return None
        filled = self.counts > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.sum(self.counts[filled] * gaps) / total)


def bin_of_confidence(confidence: FloatArray, bins: int = 15) -> IntArray:
    """Return which of `bins` bins of equal width over [0, 1] holds each confidence.

    Example:
        >>> bin_of_confidence(np.array([0.0, 0.5, 0.51, 1.0]), 2)
        array([0, 0, 1, 1])
    """
    return np.digitize(confidence, np.linspace(0.0, 1.0, bins + 1)[1:-1], right=True)


def calibration_bins(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 15
) -> CalibrationBins:
    """Sort examples by the probability of their predicted class into bins of equal width.

    The confidence of an example is the probability of its predicted class (the largest), so for
    a binary task it is max(p, 1 - p) and the bins below 0.5 are empty.

    Args:
        labels: Class indices, shape (N,).
        probabilities: Shape (N, K), or (N,) or (N, 1) of class 1 in a binary task.
        bins: Number of bins, at least 1.

    Raises:
        ValueError: `bins` is below 1, or labels and probabilities do not fit each other.
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, but is {bins}")
    classes, values, _ = class_probabilities(labels, probabilities)
    edges = np.linspace(0.0, 1.0, bins + 1)
    confidence = values.max(axis=1)
    right = (values.argmax(axis=1) == classes).astype(np.float64)
    index = bin_of_confidence(confidence, bins)
    counts = np.bincount(index, minlength=bins)
    divisor = np.where(counts > 0, counts, np.nan)
    return CalibrationBins(
        edges=edges,
        counts=counts.astype(np.int64),
        confidence=np.bincount(index, weights=confidence, minlength=bins) / divisor,
        accuracy=np.bincount(index, weights=right, minlength=bins) / divisor,
    )


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 15
) -> float | None:
    """Mean distance between confidence and accuracy, weighted by the examples in each bin.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3:
    ``sum_m |B_m| / n * |acc(B_m) - conf(B_m)|``, over bins of equal width.

    Args:
        labels: Class indices, shape (N,).
        probabilities: Shape (N, K), or (N,) or (N, 1) of class 1 in a binary task.
        bins: Number of bins; the paper uses 15.

    Returns:
        A fraction in [0, 1], or None where there is no example.

    Raises:
        ValueError: As `calibration_bins`.

    Example:
        Two predictions at 0.8, one of them wrong: accuracy 0.5, so the error is 0.3.

        >>> round(expected_calibration_error([1, 0], [0.8, 0.8]), 6)
        0.3
    """
    return calibration_bins(labels, probabilities, bins).error
