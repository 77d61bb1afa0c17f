"""Whether two models differ by more than chance, measured on the same examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest, t  # type: ignore[import-untyped]

from lensnet.evaluation.bootstrap import LEVEL
from lensnet.evaluation.checks import FloatArray, class_probabilities, targets_and_predictions

__all__ = [
    "Difference",
    "accuracy_difference",
    "auc_difference",
    "auc_standard_error",
    "error_difference",
    "holm",
]

_TWO_SIDED = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Difference:
    """By how much one model exceeds another.

    Args:
        value: the difference, second model less first.
        low, high: its 95 % interval.
        p_value: how often chance alone makes a difference as large, where there is none; None
            where the two give the same and nothing can be tested.
    """

    value: float
    low: float
    high: float
    p_value: float | None


def auc_difference(labels: ArrayLike, first: np.ndarray, second: np.ndarray) -> Difference | None:
    """Compares two areas under the ROC curve on the same examples.

    DeLong, DeLong & Clarke-Pearson 1988 ("Comparing the areas under two or more correlated
    receiver operating characteristic curves", Biometrics 44, 837). With more than two classes it
    is the mean area of each class against the rest, whose variance follows in the same way: each
    example's placement among the others, summed over the classes, within each class.

    Args:
        labels: class indices, (N,).
        first, second: probabilities (N, K), or of class 1 alone, (N,) or (N, 1).

    Returns:
        None where a class has fewer than two examples.
    """
    areas, influences = [], []
    for outputs in (first, second):
        classes, values, is_binary = class_probabilities(labels, outputs)
        if np.bincount(classes, minlength=values.shape[1]).min() < 2:
            return None
        columns = [1] if is_binary else list(range(values.shape[1]))
        placed = [_placements(classes == k, values[:, k]) for k in columns]
        areas.append(float(np.mean([area for area, _ in placed])))
        influences.append(np.mean([influence for _, influence in placed], axis=0))
    variance = _variance_within(classes, influences[1] - influences[0])
    return _normal(areas[1] - areas[0], math.sqrt(variance))


def auc_standard_error(labels: ArrayLike, outputs: np.ndarray) -> tuple[float, float]:
    """Returns the area under the ROC curve and its standard error, as DeLong et al. 1988 have it.

    Args:
        labels: class indices, (N,), of each class two at least.
        outputs: probabilities (N, K), or of class 1 alone, (N,) or (N, 1).
    """
    classes, values, is_binary = class_probabilities(labels, outputs)
    columns = [1] if is_binary else list(range(values.shape[1]))
    placed = [_placements(classes == k, values[:, k]) for k in columns]
    influence = np.mean([influence for _, influence in placed], axis=0)
    error = math.sqrt(_variance_within(classes, influence))
    return float(np.mean([area for area, _ in placed])), error


def accuracy_difference(labels: ArrayLike, first: np.ndarray, second: np.ndarray) -> Difference:
    """Compares two accuracies on the same examples: McNemar's test, exact.

    McNemar 1947: of the examples that one model has right and the other wrong, as many are
    expected of either kind; the p-value is that of the binomial distribution, both sides.

    Args:
        labels: class indices, (N,).
        first, second: probabilities (N, K), or of class 1 alone, (N,) or (N, 1).

    Example:

    >>> labels = np.ones(6, int)
    >>> result = accuracy_difference(labels, np.full(6, 0.9), np.array([0.1] * 5 + [0.9]))
    >>> round(result.value, 3), result.p_value
    (-0.833, 0.0625)
    """
    rights = []
    for outputs in (first, second):
        classes, values, _ = class_probabilities(labels, outputs)
        rights.append(values.argmax(axis=1) == classes)
    lost = int(np.sum(rights[0] & ~rights[1]))
    gained = int(np.sum(~rights[0] & rights[1]))
    number = max(len(classes), 1)
    value = (gained - lost) / number
    error = math.sqrt(max(gained + lost - (gained - lost) ** 2 / number, 0)) / number
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else None
    return Difference(value, value - _TWO_SIDED * error, value + _TWO_SIDED * error, p_value)


def error_difference(targets: ArrayLike, first: ArrayLike, second: ArrayLike) -> Difference | None:
    """Compares the mean absolute errors of two regressions on the same examples: a paired t-test.

    Args:
        targets: (N,).
        first, second: predictions, (N,) or (N, 1).

    Returns:
        None with fewer than two examples.
    """
    errors: list[FloatArray] = []
    for predictions in (first, second):
        truth, guess = targets_and_predictions(targets, predictions)
        errors.append(np.abs(guess - truth)[:, 0])
    change = errors[1] - errors[0]
    if len(change) < 2:
        return None
    value, error = float(change.mean()), float(change.std(ddof=1)) / math.sqrt(len(change))
    freedom = len(change) - 1
    reach = float(t.ppf((1 + LEVEL) / 2, freedom)) * error
    p_value = float(2 * t.sf(abs(value) / error, freedom)) if error > 0 else None
    return Difference(value, value - reach, value + reach, p_value)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Returns p-values corrected for how many there are (Holm 1979).

    Example:

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected


def _placements(positive: np.ndarray, scores: FloatArray) -> tuple[float, FloatArray]:
    """The area, and by how much each example moves it: (N,), centred within either class."""
    ours, others = np.sort(scores[positive]), np.sort(scores[~positive])
    of_ours = _share_below(others, scores[positive])
    of_others = 1 - _share_below(ours, scores[~positive])
    area = float(of_ours.mean())
    influence = np.empty(len(scores))
    influence[positive] = (of_ours - area) / len(ours)
    influence[~positive] = (of_others - area) / len(others)
    return area, influence


def _share_below(ascending: FloatArray, scores: FloatArray) -> FloatArray:
    """The share of some scores that lies below each of others, ties counting half."""
    left = np.searchsorted(ascending, scores, "left")
    right = np.searchsorted(ascending, scores, "right")
    return (left + right) / (2 * len(ascending))


def _variance_within(classes: np.ndarray, influence: FloatArray) -> float:
    """The variance of a sum of influences where the size of each class is given."""
    total = 0.0
    for of_class in np.unique(classes):
        own = influence[classes == of_class]
        total += len(own) * float(own.var(ddof=1))
    return total


def _normal(value: float, error: float) -> Difference:
    p_value = math.erfc(abs(value) / error / math.sqrt(2)) if error > 0 else None
    return Difference(value, value - _TWO_SIDED * error, value + _TWO_SIDED * error, p_value)
