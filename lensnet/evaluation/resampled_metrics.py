"""The metrics of many drawings from one sample at once, for `lensnet.evaluation.bootstrap`.

A drawing is a row of counts, how often it holds each example. What does not depend on the drawing
(the order of the scores, the bins of the calibration) is worked out once; the rest are sums of
counts, along rows or as a product of matrices. Each class of this module gives, on counts of one,
what `lensnet.evaluation.metrics` gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lensnet.evaluation.calibration import bin_of_confidence
from lensnet.evaluation.checks import (
    FloatArray,
    IntArray,
    class_probabilities,
    finite_array,
    targets_and_predictions,
)
from lensnet.evaluation.metrics import (
    FALSE_POSITIVES,
    RATES,
    SMALLEST_PROBABILITY,
)

__all__ = ["Ranking", "resampled_classes", "resampled_means", "resampled_targets"]

Counts = NDArray[np.float64]
Measured = dict[str, FloatArray]
Measure = Callable[[Counts], Measured]


class Ranking:
    """How the scores of one class stand to those of another, on each drawing.

    Args:
        positive: (N,) bool.
        scores: (N,).
    """

    def __init__(self, positive: np.ndarray, scores: FloatArray):
        self._positive = _ascending(np.flatnonzero(positive), scores)
        self._negative = _ascending(np.flatnonzero(~positive), scores)
        of_positive, of_negative = scores[self._positive], scores[self._negative]
        # Of each positive: how many negatives lie below, and how many do not lie above.
        self._below = np.searchsorted(of_negative, of_positive, "left")
        self._not_above = np.searchsorted(of_negative, of_positive, "right")
        self._positives_below = np.searchsorted(of_positive, of_positive, "left")
        # Of each negative: how many positives do not lie above.
        self._positives_not_above = np.searchsorted(of_positive, of_negative, "right")

    def drawn(self, counts: Counts) -> DrawnRanking:
        """Returns the same on drawings (B, N)."""
        return DrawnRanking(
            positives=counts[:, self._positive],
            up_to_positive=_cumulated(counts[:, self._positive]),
            up_to_negative=_cumulated(counts[:, self._negative]),
            below=self._below,
            not_above=self._not_above,
            positives_below=self._positives_below,
            positives_not_above=self._positives_not_above,
        )


class DrawnRanking:
    """A ranking on drawings, from which its figures of merit follow; each is (B,)."""

    def __init__(
        self,
        *,
        positives: Counts,
        up_to_positive: Counts,
        up_to_negative: Counts,
        below: IntArray,
        not_above: IntArray,
        positives_below: IntArray,
        positives_not_above: IntArray,
    ):
        self._weights = positives
        self._up_to_positive, self._up_to_negative = up_to_positive, up_to_negative
        self._below, self._not_above = below, not_above
        self._positives_below = positives_below
        self._positives_not_above = positives_not_above
        self._num_positive, self._num_negative = up_to_positive[:, -1], up_to_negative[:, -1]

    def roc_auc(self) -> FloatArray:
        """The area under the ROC curve, ties counting half."""
        ranked = self._up_to_negative[:, self._below] + self._up_to_negative[:, self._not_above]
        pairs = 2 * self._num_positive * self._num_negative
        return _quotient(np.einsum("bi,bi->b", self._weights, ranked), pairs)

    def average_precision(self) -> FloatArray:
        """The mean purity over the positives, each at its own score."""
        true = self._num_positive[:, None] - self._up_to_positive[:, self._positives_below]
        false = self._num_negative[:, None] - self._up_to_negative[:, self._below]
        purity = _quotient(true, true + false)
        # A positive that is not drawn has no purity, and no weight.
        total = np.einsum("bi,bi->b", self._weights, np.where(self._weights > 0, purity, 0))
        return _quotient(total, self._num_positive)

    def true_positive_rate_above(self, false_positive: int) -> FloatArray:
        """The share of positives above the m-th false positive, the first being 1."""
        from_above = self._num_negative[:, None] - self._up_to_negative[:, :-1]
        reaches = from_above >= false_positive
        # The last place from which on so many negatives are left: there stands the m-th.
        place = reaches.shape[1] - 1 - np.argmax(reaches[:, ::-1], axis=1)
        rows = np.arange(len(place))
        found = self._num_positive - self._up_to_positive[rows, self._positives_not_above[place]]
        return np.where(reaches[rows, place], _quotient(found, self._num_positive), np.nan)


def resampled_classes(labels: ArrayLike, outputs: np.ndarray) -> Measure:
    """Returns what measures a classifier on drawings.

    Args:
        labels: class indices, (N,).
        outputs: probabilities (N, K), or of class 1 alone, (N,) or (N, 1).

    Example:

    >>> measure = resampled_classes([0, 0, 1, 1], np.array([0.1, 0.6, 0.4, 0.9]))
    >>> found = measure(np.array([[1.0, 1, 1, 1], [2, 0, 0, 2]]))
    >>> found["accuracy"], found["roc_auc"]
    (array([0.5, 1. ]), array([0.75, 1.  ]))
    """
    classes, values, is_binary = class_probabilities(labels, outputs)
    number = values.shape[1]
    predicted, truth = values.argmax(axis=1), np.arange(number)
    own = values[np.arange(len(classes)), classes]
    clipped = values.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    loss = -np.log(own.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY) / clipped.sum(axis=1))
    means = resampled_means({"accuracy": predicted == classes, "log_loss": loss})
    right = ((predicted == classes)[:, None] & (classes[:, None] == truth)).astype(float)
    given = (predicted[:, None] == truth).astype(float)
    of_class = (classes[:, None] == truth).astype(float)
    gaps = _calibration_gaps(classes, values)
    every_class = len(np.unique(classes)) == number
    rankings = _rankings(classes, values, is_binary) if every_class else {}

    def measure(counts: Counts) -> Measured:
        found = means(counts)
        total = counts.sum(axis=1)
        found["ece"] = _quotient(np.abs(counts @ gaps).sum(axis=1), total)
        if not every_class:
            return found
        both = counts @ given + counts @ of_class
        f1 = _quotient(2 * (counts @ right), both, otherwise=0.0)
        found["f1"] = f1[:, 1] if is_binary else f1.mean(axis=1)
        for name, of_name in rankings.items():
            found[name] = np.mean([r.drawn(counts).roc_auc() for r in of_name], axis=0)
        if is_binary:
            drawn = rankings["roc_auc"][0].drawn(counts)
            found["average_precision"] = drawn.average_precision()
            others = int(np.sum(classes == 0))
            for name, false_positive in FALSE_POSITIVES.items():
                if others >= false_positive:
                    found[name] = drawn.true_positive_rate_above(false_positive)
            for name, one_in in RATES.items():
                if others >= one_in:
                    found[name] = drawn.true_positive_rate_above(others // one_in + 1)
        return found

    return measure


def resampled_targets(targets: ArrayLike, outputs: np.ndarray) -> Measure:
    """Returns what measures a regression on drawings.

    Args:
        targets: (N,).
        outputs: predictions (N, 1), or with their sigma, (N, 2).

    Example:

    >>> measure = resampled_targets([1.0, 2.0, 3.0], np.array([[1.0], [2.0], [2.0]]))
    >>> measure(np.ones((1, 3)))["r2"]
    array([0.5])
    """
    array = finite_array(outputs, "outputs")
    truth, guess = (pair[:, 0] for pair in targets_and_predictions(targets, array[:, :1]))
    columns = {"mse": (guess - truth) ** 2, "mae": np.abs(guess - truth)}
    if array.shape[1] > 1:
        sigma = np.maximum(array[:, 1], np.finfo(np.float32).tiny)
        pull = (truth - guess) / sigma
        columns["nll"] = pull**2 / 2 + np.log(sigma) + math.log(2 * math.pi) / 2
        columns["coverage_68"] = np.abs(pull) <= 1
    means = resampled_means(columns)
    # About their mean, else squares of large numbers with small differences would cancel.
    centred = truth - truth.mean() if len(truth) else truth

    def measure(counts: Counts) -> Measured:
        found = means(counts)
        found["rmse"] = np.sqrt(found["mse"])
        total = counts.sum(axis=1)
        spread = counts @ centred**2 - _quotient((counts @ centred) ** 2, total)
        spread = np.where(spread > 1e-12 * (counts @ centred**2), spread, np.nan)
        found["r2"] = 1 - _quotient(found["mse"] * total, spread)
        return found

    return measure


def resampled_means(columns: dict[str, np.ndarray]) -> Measure:
    """Returns what gives the mean of each column of numbers (N,) on drawings.

    Example:

    >>> resampled_means({"hit": np.array([True, False])})(np.array([[1.0, 1], [2, 0]]))
    {'hit': array([0.5, 1. ])}
    """
    names = list(columns)
    table = np.stack([np.asarray(columns[name], dtype=np.float64) for name in names], axis=1)

    def measure(counts: Counts) -> Measured:
        means = _quotient(counts @ table, counts.sum(axis=1, keepdims=True))
        return {name: means[:, place] for place, name in enumerate(names)}

    return measure


def _rankings(
    classes: IntArray, values: FloatArray, is_binary: bool
) -> dict[str, list[Ranking | PairRanking]]:
    """The rankings whose mean area each of the metrics is."""
    if is_binary:
        return {"roc_auc": [Ranking(classes == 1, values[:, 1])]}
    every = range(values.shape[1])
    return {
        "roc_auc": [Ranking(classes == k, values[:, k]) for k in every],
        "roc_auc_ovo": [
            PairRanking(classes, values[:, i], i, j) for i, j in permutations(every, 2)
        ],
    }


class PairRanking:
    """A ranking of two classes among more."""

    def __init__(self, classes: IntArray, scores: FloatArray, one: int, other: int):
        self._members = np.flatnonzero((classes == one) | (classes == other))
        self._ranking = Ranking(classes[self._members] == one, scores[self._members])

    def drawn(self, counts: Counts) -> DrawnRanking:
        """Returns the same on drawings (B, N)."""
        return self._ranking.drawn(counts[:, self._members])


def _calibration_gaps(classes: IntArray, values: FloatArray) -> FloatArray:
    """Of each example in its bin, by how much its confidence misses its outcome: (N, bins)."""
    confidence = values.max(axis=1)
    right = values.argmax(axis=1) == classes
    bins = bin_of_confidence(confidence)
    gaps = np.zeros((len(classes), int(bins.max(initial=0)) + 1))
    gaps[np.arange(len(classes)), bins] = right - confidence
    return gaps


def _ascending(members: np.ndarray, scores: FloatArray) -> np.ndarray:
    return members[np.argsort(scores[members], kind="stable")]


def _cumulated(counts: Counts) -> Counts:
    """Sums of the first 0, 1, ... columns: (B, n + 1)."""
    total = np.zeros((counts.shape[0], counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=total[:, 1:])
    return total


def _quotient(above: FloatArray, below: FloatArray, otherwise: float = np.nan) -> FloatArray:
    """A quotient, and what it is where nothing is divided by."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    return np.divide(above, below, out=np.full(shape, otherwise), where=np.asarray(below) != 0)
