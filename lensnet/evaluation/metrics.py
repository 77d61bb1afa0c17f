"""The figures of merit of each task, on NumPy arrays.

One rule holds where a figure is undefined: its value is None (null in JSON), never NaN, and no
warning is given; `lensnet.evaluation.caveats` says why. That is so

- for every figure of a split without examples;
- for `roc_auc`, `roc_auc_ovo`, `f1`, `tpr0`, `tpr10` and `average_precision` where some class
  has no example in the split, since they compare classes;
- for `tpr0` and `tpr10` with fewer examples of class 0 than the false positives they count, since
  every example of class 1 would be found by construction;
- for a rate such as `tpr_at_fpr_1e-3` with fewer examples of class 0 than make one false positive
  at that rate;
- for `r2` with fewer than two examples, or where a target has the same value throughout.

Where a selection compares candidates by one figure, `only` names it, and no other is computed.

scikit-learn computes what it has; the rest (calibration, what ranks above the first false
positive) is written here from the papers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from itertools import permutations
from typing import SupportsFloat

import numpy as np
import sklearn.metrics  # type: ignore[import-untyped]
from numpy.typing import ArrayLike

from lensnet.evaluation.calibration import expected_calibration_error
from lensnet.evaluation.checks import (
    FloatArray,
    IntArray,
    binary_labels_and_probabilities,
    binary_labels_and_scores,
    finite_array,
    labels_and_probabilities,
    targets_and_predictions,
)

__all__ = [
    "binary_metrics",
    "classification_metrics",
    "expected_calibration_error",
    "regression_metrics",
    "regression_metrics_with_sigma",
    "true_positive_rate_at",
    "true_positive_rate_at_fpr",
]

Metrics = dict[str, float | int | None]
Figures = Mapping[str, Callable[[], SupportsFloat | None]]

# Keras clips here too. Without it one saturated mistake makes the log loss infinite, and the
# clip of scikit-learn changes with the dtype.
SMALLEST_PROBABILITY = 1e-7

FALSE_POSITIVES = {"tpr0": 1, "tpr10": 10}
"""The false positive above which each of these rates counts what it has found."""

RATES = {"tpr_at_fpr_1e-2": 100, "tpr_at_fpr_1e-3": 1000, "tpr_at_fpr_1e-4": 10_000}
"""The number of examples of class 0 among which each of these rates allows one false positive."""

# What compares classes, and so needs an example of each.
_COMPARING = ("roc_auc", "roc_auc_ovo", "f1", *FALSE_POSITIVES, *RATES, "average_precision")


def classification_metrics(
    labels: ArrayLike, probabilities: ArrayLike, *, only: Collection[str] | None = None
) -> Metrics:
    """Measure a classifier of K exclusive classes.

    Args:
        labels: Class indices in 0..K-1, shape (N,).
        probabilities: Shape (N, K), rows summing to one.
        only: The figures that are wanted. Default: all.

    Returns:
        `accuracy`; `roc_auc`, the mean over classes of the area under one class's ROC curve
        against all others; `roc_auc_ovo`, the mean over ordered pairs of classes (Hand & Till
        2001, equation 7); `f1`, the mean over classes; `log_loss` in nats, probabilities clipped
        to at least 1e-7; `ece`, the expected calibration error (Guo et al. 2017, 15 bins);
        `examples`. None where undefined, see the module's docstring.

    Raises:
        ValueError: Shapes disagree, a label is out of range, or the probabilities are not finite,
            not in [0, 1] or do not sum to one within 0.01.

    Example:
        >>> metrics = classification_metrics([0, 1, 2], [[.8, .1, .1], [.2, .7, .1], [.5, .1, .4]])
        >>> round(metrics["accuracy"], 3), metrics["roc_auc"]
        (0.667, 1.0)
    """
    classes, values = labels_and_probabilities(labels, probabilities)
    predicted = values.argmax(axis=1)
    figures: Figures = {
        "accuracy": lambda: np.mean(predicted == classes),
        "roc_auc": lambda: _roc_auc_one_vs_rest(classes, values),
        "roc_auc_ovo": lambda: _roc_auc_one_vs_one(classes, values),
        "f1": lambda: sklearn.metrics.f1_score(classes, predicted, average="macro"),
        "log_loss": lambda: _log_loss(classes, values),
        "ece": lambda: expected_calibration_error(classes, values),
    }
    return _measured(figures, len(classes), only, _undefined(classes, values.shape[1]))


def binary_metrics(
    labels: ArrayLike, probabilities: ArrayLike, *, only: Collection[str] | None = None
) -> Metrics:
    """Measure a finder of one class (1, such as lenses) among another (0).

    Args:
        labels: 0 or 1, shape (N,).
        probabilities: Probability of class 1, shape (N,) or (N, 1).
        only: The figures that are wanted. Default: all.

    Returns:
        `accuracy` and `f1` of class 1, both counting as class 1 what has a probability above
        0.5; `roc_auc`; `log_loss` in nats, probabilities clipped to [1e-7, 1 - 1e-7]; `ece`
        (Guo et al. 2017, 15 bins); `tpr0` and `tpr10` (see `true_positive_rate_at`);
        `tpr_at_fpr_1e-2`, `tpr_at_fpr_1e-3` and `tpr_at_fpr_1e-4`, the largest share of class 1
        above any threshold at which no larger share of class 0 lies above it;
        `average_precision`; `examples`. None where undefined, see the module's docstring.

    Raises:
        ValueError: Shapes disagree, a label is neither 0 nor 1, or a probability is not finite
            or not in [0, 1].

    Example:
        >>> metrics = binary_metrics([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
        >>> metrics["accuracy"], metrics["roc_auc"], metrics["tpr0"]
        (0.5, 0.75, 0.5)
    """
    classes, positive = binary_labels_and_probabilities(labels, probabilities)
    predicted = positive > 0.5
    figures: Figures = {
        "accuracy": lambda: np.mean(predicted == classes),
        "roc_auc": lambda: _roc_auc(classes, positive),
        "f1": lambda: sklearn.metrics.f1_score(classes, predicted),
        "log_loss": lambda: _log_loss(classes, np.stack([1 - positive, positive], axis=1)),
        "ece": lambda: expected_calibration_error(classes, positive),
        **{
            name: partial(true_positive_rate_at, classes, positive, false_positives)
            for name, false_positives in FALSE_POSITIVES.items()
        },
        **{
            name: partial(true_positive_rate_at_fpr, classes, positive, one_in)
            for name, one_in in RATES.items()
        },
        "average_precision": lambda: sklearn.metrics.average_precision_score(classes, positive),
    }
    return _measured(figures, len(classes), only, _undefined(classes, 2))


def regression_metrics(
    targets: ArrayLike, predictions: ArrayLike, *, only: Collection[str] | None = None
) -> Metrics:
    """Measure the prediction of one quantity or several.

    Args:
        targets: Shape (N,) or (N, T), in any unit.
        predictions: The same shape and unit; (N, 1) goes with (N,).
        only: The figures that are wanted. Default: all.

    Returns:
        `mse` (unit squared), `mae` and `rmse` (in the unit), each the mean over examples and
        targets (`rmse` is the root of `mse`); `r2`, the mean over targets of the share of
        variance explained; `examples`. None where undefined, see the module's docstring.

    Raises:
        ValueError: Shapes disagree, or a value is not finite.

    Example:
        >>> metrics = regression_metrics([11.0, 12.0, 13.0], [11.0, 12.0, 12.0])
        >>> round(metrics["rmse"], 4), metrics["r2"]
        (0.5774, 0.5)
    """
    truth, guess = targets_and_predictions(targets, predictions)
    figures: Figures = {
        "mse": lambda: sklearn.metrics.mean_squared_error(truth, guess),
        "mae": lambda: sklearn.metrics.mean_absolute_error(truth, guess),
        "rmse": lambda: math.sqrt(sklearn.metrics.mean_squared_error(truth, guess)),
        "r2": lambda: sklearn.metrics.r2_score(truth, guess),
    }
    undefined: Collection[str] = () if truth.size else figures
    if truth.size and (len(truth) < 2 or not (np.ptp(truth, axis=0) > 0).all()):
        undefined = ("r2",)
    return _measured(figures, len(truth), only, undefined)


def regression_metrics_with_sigma(
    targets: ArrayLike, outputs: ArrayLike, *, only: Collection[str] | None = None
) -> Metrics:
    """Measure the prediction of a quantity that comes with its standard deviation.

    Args:
        targets: Shape (N,), in any unit.
        outputs: Predictions and their standard deviations in the same unit, shape (N, 2).
        only: The figures that are wanted. Default: all.

    Returns:
        What `regression_metrics` gives; `nll`, the mean negative logarithm of the Gaussian
        likelihood of the targets (in nats; a target's unit enters through its logarithm); and
        `coverage_68`, the share of targets within one standard deviation of the prediction, which
        is 0.683 where errors are Gaussian and sigma is right.

    Raises:
        ValueError: Shapes disagree, a value is not finite, or a standard deviation is negative.

    Example:
        >>> metrics = regression_metrics_with_sigma([1.0, 2.0], [[1.0, 1.0], [4.0, 1.0]])
        >>> round(metrics["nll"], 4), metrics["coverage_68"]
        (1.9189, 0.5)
    """
    array = finite_array(outputs, "outputs")
    if array.ndim != 2 or array.shape[1] != 2 or (array[:, 1] < 0).any():
        raise ValueError(
            "outputs must be predictions and standard deviations of 0 or more, shape (N, 2), but "
            f"came as {array.shape}"
        )
    metrics = regression_metrics(targets, array[:, :1], only=only)
    # A sigma that single precision has rounded to zero is no certainty.
    sigma = np.maximum(array[:, 1], np.finfo(np.float32).tiny)
    pull = (np.asarray(targets, dtype=np.float64).reshape(-1) - array[:, 0]) / sigma
    figures: Figures = {
        "nll": lambda: np.mean(pull**2 / 2 + np.log(sigma) + math.log(2 * math.pi) / 2),
        "coverage_68": lambda: np.mean(np.abs(pull) <= 1),
    }
    return metrics | _measured(figures, len(array), only)


def true_positive_rate_at(
    labels: ArrayLike, scores: ArrayLike, false_positives: int
) -> float | None:
    """The share of class 1 (the lenses of a search) ranked above the m-th false positive.

    Metcalf et al. 2019 ("The strong gravitational lens finding challenge", A&A 625, A119) rank
    finders by TPR0, the share of lenses found before a single false positive, and TPR10, the
    share found with fewer than ten. Here m is `false_positives`, and 0 means the first, as 1
    does. A lens that ties with that false positive is not above it.

    Args:
        labels: 0 or 1, shape (N,).
        scores: Any finite score that grows with the belief in class 1, shape (N,).
        false_positives: 0 for TPR0, 10 for TPR10.

    Returns:
        A fraction in [0, 1], or None without any lens or with fewer than m non-lenses: every lens
        would be found by construction.

    Raises:
        ValueError: `false_positives` is negative, shapes disagree, a label is neither 0 nor 1,
            or a score is not finite.

    Example:
        >>> true_positive_rate_at([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6], false_positives=0)
        0.6666666666666666
    """
    if false_positives < 0:
        raise ValueError(f"false_positives must be 0 or more, but is {false_positives}")
    classes, values = binary_labels_and_scores(labels, scores)
    lenses, others = values[classes == 1], values[classes == 0]
    rank = max(false_positives, 1)
    if not len(lenses) or len(others) < rank:
        return None
    threshold = np.partition(others, len(others) - rank)[len(others) - rank]
    return float(np.mean(lenses > threshold))


def true_positive_rate_at_fpr(labels: ArrayLike, scores: ArrayLike, one_in: int) -> float | None:
    """The largest share of class 1 above a threshold that lets through one in so many of class 0.

    Args:
        labels: 0 or 1, shape (N,).
        scores: Any finite score that grows with the belief in class 1, shape (N,).
        one_in: The false-positive rate's inverse: 100 for a rate of 1e-2.

    Returns:
        A fraction in [0, 1]; None without any of class 1, or with fewer than `one_in` of class 0.

    Raises:
        ValueError: As `true_positive_rate_at`.

    Example:
        >>> labels, scores = [1] * 3 + [0] * 100, [0.9, 0.6, 0.3, 0.8, 0.5] + [0.1] * 98
        >>> round(true_positive_rate_at_fpr(labels, scores, one_in=100), 3)
        0.667
    """
    classes, values = binary_labels_and_scores(labels, scores)
    allowed = int(np.sum(classes == 0)) // one_in
    return true_positive_rate_at(classes, values, allowed + 1) if allowed else None


def _measured(
    figures: Figures,
    examples: int,
    only: Collection[str] | None,
    undefined: Collection[str] = (),
) -> Metrics:
    """Computes the figures that are wanted and defined, in their order, and adds `examples`."""
    metrics: Metrics = {
        name: None if not examples or name in undefined else _as_float(figure())
        for name, figure in figures.items()
        if only is None or name in only
    }
    if only is None or "examples" in only:
        metrics["examples"] = examples
    return metrics


def _as_float(value: SupportsFloat | None) -> float | None:
    return None if value is None else float(value)


def _undefined(classes: IntArray, num_classes: int) -> Collection[str]:
    """The figures that have no value where some class has no example."""
    return () if len(np.unique(classes)) == num_classes else _COMPARING


def _roc_auc_one_vs_rest(classes: IntArray, values: FloatArray) -> float:
    return float(np.mean([_roc_auc(classes == k, values[:, k]) for k in range(values.shape[1])]))


def _roc_auc(positive: IntArray | np.ndarray, scores: FloatArray) -> float:
    return float(sklearn.metrics.roc_auc_score(positive, scores))


def _roc_auc_one_vs_one(classes: IntArray, values: FloatArray) -> float:
    # Pair by pair rather than by multi_class="ovo", which refuses rows that miss one by 1e-5, as
    # those of a half-precision softmax do.
    areas = []
    for one, other in permutations(range(values.shape[1]), 2):
        pair = (classes == one) | (classes == other)
        areas.append(_roc_auc(classes[pair] == one, values[pair, one]))
    return float(np.mean(areas))


def _log_loss(classes: IntArray, values: FloatArray) -> float:
    clipped = values.clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    normalised = clipped / clipped.sum(axis=1, keepdims=True)
    labels = np.arange(values.shape[1])
    return float(sklearn.metrics.log_loss(classes, normalised, labels=labels))
