"""What a search yields: how many of what is looked for, for how many objects inspected.

A sample of a test has far more of them than the sky. What a survey would have follows from the
rates at which a threshold lets through either class, and from the prevalence there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta  # type: ignore[import-untyped]

from lensnet.evaluation.bootstrap import LEVEL
from lensnet.evaluation.checks import FloatArray, binary_labels_and_scores

__all__ = ["PurityCurve", "describe_search", "found_among_top", "purity_curve"]

COMPLETENESS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""The shares found at which a search is described."""


@dataclass(frozen=True)
class PurityCurve:
    """Purity against completeness as a threshold falls, at some prevalence.

    Args:
        completeness: share of the class that is found, (T,), rising.
        purity: share of the class among what is found, (T,).
        low, high: its 95 % interval by that of the false-positive rate (Clopper & Pearson), (T,).
        prevalence: share of the class among all.
    """

    completeness: FloatArray
    purity: FloatArray
    low: FloatArray
    high: FloatArray
    prevalence: float

    def at(self, completeness: float) -> int:
        """Returns the place of the highest threshold that finds so large a share."""
        return int(np.searchsorted(self.completeness, completeness - 1e-12))


def purity_curve(labels: ArrayLike, scores: ArrayLike, prevalence: float) -> PurityCurve:
    """Follows a threshold from the highest score of class 1 to its lowest.

    With prevalence q, true-positive rate t and false-positive rate f the purity is
    q t / (q t + (1 - q) f).

    Args:
        labels: 0 or 1, (N,), some of each.
        scores: any finite score that grows with the belief in class 1, (N,).
        prevalence: share of class 1 where the search is to be made.

    Example:

    Half of the lenses are found where a tenth of the galaxies are; one in a hundred is a lens:

    >>> curve = purity_curve([1, 1] + [0] * 10, [0.9, 0.1, 0.95] + [0.0] * 9, 0.01)
    >>> curve.completeness, curve.purity.round(3)
    (array([0.5, 1. ]), array([0.048, 0.092]))
    """
    classes, values = binary_labels_and_scores(labels, scores)
    ours, others = np.sort(values[classes == 1]), np.sort(values[classes == 0])
    thresholds = np.unique(ours)[::-1]
    true = (len(ours) - np.searchsorted(ours, thresholds, "left")) / len(ours)
    false = len(others) - np.searchsorted(others, thresholds, "left")
    tail = (1 - LEVEL) / 2
    number = len(others)
    least = np.where(false > 0, beta.ppf(tail, np.maximum(false, 1), number - false + 1), 0.0)
    most = np.where(
        false < number, beta.ppf(1 - tail, false + 1, np.maximum(number - false, 1)), 1.0
    )

    def purity(false_positive_rate: FloatArray) -> FloatArray:
        found = prevalence * true
        return np.asarray(found / (found + (1 - prevalence) * false_positive_rate))

    return PurityCurve(true, purity(false / number), purity(most), purity(least), prevalence)


def found_among_top(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, FloatArray]:
    """Counts class 1 among the N objects with the highest scores, for every N.

    Objects of one score stand in no order: they count as they would on average.

    Returns:
        N from 1 on, and how many are found, both (number of objects,).

    Example:

    >>> found_among_top([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])[1]
    array([1. , 1.5, 2. , 2. ])
    """
    classes, values = binary_labels_and_scores(labels, scores)
    order = np.argsort(-values, kind="stable")
    _, group, sizes = np.unique(-values[order], return_inverse=True, return_counts=True)
    share = np.bincount(group, weights=classes[order]) / sizes
    return np.arange(1, len(values) + 1), np.cumsum(share[group]).round(9)


def describe_search(
    labels: ArrayLike, scores: ArrayLike, prevalence: float | None = None
) -> dict[str, Any]:
    """Returns what a search yields as `metrics.json` holds it.

    Args:
        labels: 0 or 1, (N,).
        scores: any finite score that grows with the belief in class 1, (N,).
        prevalence: share of class 1 where the search is to be made; None for the sample alone.

    Returns:
        `top`: how many are found among the first N. `inspected_per_found`: objects to inspect for
        each one found, down to where a share of them (`completeness`) is found, in the sample and,
        with `purity` and its interval, `at_prevalence`. Empty where a class has no example.

    Example:

    >>> found = describe_search([1, 0, 1, 0], [0.9, 0.7, 0.5, 0.1])
    >>> found["top"], found["inspected_per_found"][-1]
    ([{'top': 1, 'found': 1.0}], {'completeness': 0.9, 'inspected': 1.5})
    """
    classes, values = binary_labels_and_scores(labels, scores)
    if len(np.unique(classes)) < 2:
        return {}
    numbers, found = found_among_top(classes, values)
    steps = [step * 10**power for power in range(7) for step in (1, 3)]
    described: dict[str, Any] = {
        "top": [
            {"top": step, "found": round(float(found[step - 1]), 2)}
            for step in steps
            if step <= len(numbers) / 2
        ],
        "inspected_per_found": [
            {"completeness": share, "inspected": round(float(numbers[at] / found[at]), 4)}
            for share in COMPLETENESS
            for at in [int(np.searchsorted(found, share * found[-1] - 1e-9))]
        ],
    }
    if prevalence is not None:
        curve = purity_curve(classes, values, prevalence)
        described["prevalence"] = prevalence
        described["at_prevalence"] = [
            {
                "completeness": share,
                "purity": float(curve.purity[at]),
                "interval": [float(curve.low[at]), float(curve.high[at])],
                "inspected": float(1 / curve.purity[at]),
            }
            for share in COMPLETENESS
            for at in [curve.at(share)]
        ]
    return described
