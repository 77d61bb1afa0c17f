"""Conformal p-values of the objects of a survey, and candidates with few false ones on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensnet.evaluation.checks import FloatArray

__all__ = ["Selection", "conformal_p_values", "select_by_conformal"]


@dataclass(frozen=True)
class Selection:
    """The objects of a survey that are selected.

    Attributes:
        number: how many.
        threshold: the lowest score among them; None where there is none.
    """

    number: int
    threshold: float | None


def conformal_p_values(scores: FloatArray, negatives: FloatArray) -> FloatArray:
    """Returns (1 + number of negatives that score as much or more) / (1 + number of negatives).

    Of an object that is no different from the negatives it is below p with a probability of p at
    most (Bates et al. 2023, "Testing for outliers with conformal p-values", arXiv:2104.08279,
    equation 1).

    Args:
        scores: of the survey's objects, (N,).
        negatives: scores of objects that are known not to be what is looked for, (M,).

    Example:

    >>> conformal_p_values(np.array([0.95, 0.5]), np.array([0.1, 0.5, 0.9]))
    array([0.25, 0.75])
    """
    order = np.sort(negatives)
    above = len(order) - np.searchsorted(order, scores, "left")
    return np.asarray((1 + above) / (1 + len(order)))


def select_by_conformal(scores: FloatArray, negatives: FloatArray, level: float) -> Selection:
    """Selects objects by the rule of Benjamini and Hochberg 1995 on conformal p-values.

    The share of false ones among the selected is then `level` at most on average over surveys and
    negatives (Jin & Candes 2023, arXiv:2210.01408; Bates et al. 2023, theorem 2), whatever the
    prevalence is. A single survey may have more: that is what a threshold with a confidence is for.

    Args:
        scores: of the survey's objects, (N,).
        negatives: scores of objects that are known not to be what is looked for, (M,).
        level: the share of false ones.

    Example:

    >>> negatives = np.linspace(0, 0.9, 999)
    >>> select_by_conformal(np.array([0.95] * 5 + [0.1] * 95), negatives, 0.1)
    Selection(number=5, threshold=0.95)
    """
    survey, known = np.sort(scores), np.sort(negatives)[::-1]
    # An object has a p-value of (1 + k) / (1 + M) or less if it is above the k-th negative from
    # the top, counted from 0; below all of them it has 1.
    selected = np.append(len(survey) - np.searchsorted(survey, known, "right"), len(survey))
    p_values = np.arange(1, len(known) + 2) / (1 + len(known))
    passing = np.flatnonzero(p_values * len(survey) <= level * selected * (1 + 1e-12))
    number = int(selected[passing[-1]]) if len(passing) else 0
    return Selection(number, float(survey[-number]) if number else None)
