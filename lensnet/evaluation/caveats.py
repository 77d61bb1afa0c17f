"""What metrics do not say by themselves: why one has no value, and when they flatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lensnet.evaluation.checks import class_probabilities, targets_and_predictions
from lensnet.evaluation.metrics import FALSE_POSITIVES, RATES

__all__ = ["why_undefined", "warnings_of_classes", "warnings_of_targets"]


def why_undefined(
    metrics: Mapping[str, float | int | None], labels: np.ndarray, classes: Sequence[str]
) -> dict[str, str]:
    """Returns, for each metric that has no value, the reason why.

    Args:
        metrics: as a task's function of metrics returns them.
        labels: what they were measured on: class indices or targets, (N,).
        classes: the class names; () for a regression.

    Example:

    >>> why_undefined({"accuracy": 0.5, "roc_auc": None}, np.array([1, 1]), ["galaxy", "lens"])
    {'roc_auc': 'there is no image of "galaxy"'}
    """
    counts = np.bincount(labels, minlength=len(classes)).tolist() if classes else []
    missing = [f'"{name}"' for name, count in zip(classes, counts, strict=True) if not count]
    reasons = {}
    for key in (key for key, value in metrics.items() if value is None):
        needed = FALSE_POSITIVES.get(key) or RATES.get(key, 0)
        if not len(labels):
            reason = "there is no image"
        elif missing:
            reason = f"there is no image of {' or of '.join(missing)}"
        elif counts and counts[0] < needed:
            reason = f'it needs {needed:,} images of "{classes[0]}", and there are {counts[0]:,}'
        elif not classes and len(labels) < 2:
            reason = "it needs two images, and there is one"
        elif not classes and np.ptp(labels) == 0:
            reason = "all targets are equal"
        else:
            reason = "it is not defined on these images"
        reasons[key] = reason
    return reasons


def warnings_of_classes(
    labels: np.ndarray, outputs: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """Says where a classifier answers no better than one that looks at no image.

    Args:
        labels: class indices of the test images, (N,).
        outputs: probabilities (N, K), or of class 1 alone, (N, 1).
        classes: the class names.

    Example:

    >>> for words in warnings_of_classes(np.array([0, 1]), np.array([[.6], [.9]]), ["no", "yes"]):
    ...     print(words.split(",")[0])
    The network calls each of the 2 test images "yes"
    """
    truth, values, _ = class_probabilities(labels, outputs)
    counts = np.bincount(truth, minlength=len(classes))
    if np.count_nonzero(counts) < 2:
        return []
    predicted = values.argmax(axis=1)
    right, largest = int(np.sum(predicted == truth)), int(np.argmax(counts))
    if len(np.unique(predicted)) == 1:
        return [
            f'The network calls each of the {len(truth)} test images "{classes[predicted[0]]}", '
            f"which is right for {right}. However well its scores rank the images, it tells no "
            "class from another, and that none changes when the image rotates says nothing. Train "
            "for longer, or balance the classes (data.balance)."
        ]
    if right <= counts[largest]:
        return [
            f"The network is right on {right} of {len(truth)} test images, which is no better than "
            f'always answering "{classes[largest]}" (right on {counts[largest]}). Train for '
            "longer, or, where its scores rank the images well, choose another threshold."
        ]
    return []


def warnings_of_targets(
    targets: np.ndarray, outputs: np.ndarray, classes: Sequence[str]
) -> list[str]:
    """Says where a regression predicts no better than one that looks at no image.

    Args:
        targets: of the test images, (N,).
        outputs: predictions in the same unit, (N, 1), or with their sigma, (N, 2).
        classes: none.

    Example:

    >>> warnings_of_targets(np.array([11.0, 12.0]), np.array([[11.1], [11.9]]), ())
    []
    """
    truth, guess = targets_and_predictions(targets, np.asarray(outputs)[:, :1])
    if len(truth) < 2 or np.ptp(truth) == 0:
        return []
    error, spread = np.mean((guess - truth) ** 2), np.var(truth)
    if error < spread:
        return []
    return [
        f"The predictions are no better than always answering the mean of the test targets "
        f"(typical error {np.sqrt(error):.3g}, spread of the targets {np.sqrt(spread):.3g}). Train "
        "for longer, or ask whether the images tell the target."
    ]
