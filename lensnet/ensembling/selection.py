"""Which runs become members, and with which weights, by the validation split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize  # type: ignore[import-untyped]

from lensnet.ensembling.combination import Combination
from lensnet.ensembling.criteria import Criterion

__all__ = ["Selection", "fit_weights", "select"]

# Below it a weight is rounding of the search.
_SMALLEST_WEIGHT = 1e-6
# Two scores that differ by less are the same: sums in another order round otherwise.
_SAME = 1e-12
# For each candidate, with replacement: weights of a few percent are as fine as they need be.
_MOST_STEPS = 5


@dataclass(frozen=True)
class Selection:
    """What a greedy search took.

    Args:
        path: the candidate that was added in each step, up to the best.
        scores: the criterion after each step, more being better.
        counts: (M,) how often each candidate was taken.
    """

    path: list[int]
    scores: list[float]
    counts: np.ndarray


def select(
    parts: np.ndarray,
    labels: np.ndarray,
    combination: Combination,
    criterion: Criterion,
    *,
    replacement: bool,
) -> Selection:
    """Adds, step by step, the candidate with which the mean of those taken is best.

    Ensemble selection (Caruana et al. 2004, "Ensemble selection from libraries of models", ICML):
    the search goes on after a step without gain, and the shortest of the best is kept. Where two
    candidates are equally good by the criterion, as they often are by a rate such as TPR0, that of
    the smaller loss is taken, and else the one that was named first.

    Args:
        parts: what is combined of each candidate, (M, N, K).
        labels: class indices or targets, (N,).
        combination: how they are combined.
        criterion: what is to be best.
        replacement: whether a candidate may be taken again; the search then ends after as many
            steps without gain as there are candidates.
    """
    candidates = len(parts)
    counts = np.zeros(candidates, int)
    path: list[int] = []
    scores: list[float] = []
    for step in range(_MOST_STEPS * candidates if replacement else candidates):
        taken: tuple[tuple[float, float], int] | None = None
        for number in range(candidates):
            if counts[number] and not replacement:
                continue
            weights = counts + (np.arange(candidates) == number)
            rank = _rank(parts, labels, combination, criterion, weights / weights.sum())
            if taken is None or _is_better(rank, taken[0]):
                taken = rank, number
        assert taken is not None  # noqa: S101  # each step has a candidate left
        counts[taken[1]] += 1
        path.append(taken[1])
        scores.append(taken[0][0])
        if step - _first_best(scores) >= candidates:
            break
    length = 1 + _first_best(scores)
    kept = np.bincount(path[:length], minlength=candidates)
    return Selection(path[:length], scores[:length], kept)


def _first_best(scores: list[float]) -> int:
    """The first step after which the score was as good as it ever was."""
    best = max(scores)
    return next(step for step, score in enumerate(scores) if score >= best - _SAME)


def _rank(
    parts: np.ndarray,
    labels: np.ndarray,
    combination: Combination,
    criterion: Criterion,
    weights: np.ndarray,
) -> tuple[float, float]:
    used = np.flatnonzero(weights)
    parts, weights = parts[used], weights[used]
    score = criterion.score(labels, combination.combined(parts, weights))
    return score, -combination.loss(parts, weights, labels)[0]


def _is_better(one: tuple[float, float], other: tuple[float, float]) -> bool:
    for mine, theirs in zip(one, other, strict=True):
        if mine != theirs and abs(mine - theirs) > _SAME * max(1.0, abs(theirs)):
            return mine > theirs
    return False


def fit_weights(parts: np.ndarray, labels: np.ndarray, combination: Combination) -> np.ndarray:
    """Returns the weights, none below 0 and adding up to 1, of the smallest loss.

    The loss is convex in them: what is found is the best there is. It begins with equal weights, so
    that members that answer alike share theirs.

    Args:
        parts: what is combined of each member, (M, N, K).
        labels: class indices or targets, (N,).
        combination: how they are combined, with its loss.
    """
    members = len(parts)
    if members == 1:
        return np.ones(1)
    found = minimize(
        lambda weights: combination.loss(parts, weights, labels),
        np.full(members, 1 / members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * members,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones_like(weights),
        },
        options={"maxiter": 1000, "ftol": 1e-12},
    )
    weights = np.where(found.x > _SMALLEST_WEIGHT, found.x, 0)
    fitted: np.ndarray = weights / weights.sum()
    return fitted
