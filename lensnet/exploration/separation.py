"""How well a single number of an image tells its class, or follows its target."""

from __future__ import annotations

import numpy as np

__all__ = ["follows_target", "tells_apart"]


def tells_apart(values: np.ndarray, groups: np.ndarray, num_groups: int) -> float | None:
    """Returns the area under the ROC curve of one number for the class that it tells best.

    Each class is set against all others; 0.5 says nothing, 1 that a threshold divides them.
    Images of which the number is not known are left out.

    Args:
        values: (N,), NaN where not known.
        groups: (N,) the class of each image.
        num_groups: how many classes there are.

    Returns:
        0.5 to 1; None where the number is known of fewer than two classes.

    >>> tells_apart(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 1, 0, 0]), 2)
    1.0
    """
    from scipy.stats import rankdata

    known = np.isfinite(values)
    values, groups = values[known], groups[known]
    if len(np.unique(groups)) < 2:
        return None
    ranks = rankdata(values)
    best = 0.5
    for group in range(num_groups):
        inside = groups == group
        number = int(inside.sum())
        if 0 < number < len(values):
            wins = ranks[inside].sum() - number * (number + 1) / 2
            area = float(wins / (number * (len(values) - number)))
            best = max(best, area, 1 - area)
    return best


def follows_target(values: np.ndarray, targets: np.ndarray) -> float | None:
    """Returns the size of the rank correlation (Spearman) of a number with the target, 0 to 1.

    Args:
        values: (N,), NaN where not known.
        targets: (N,).

    Returns:
        None where the number is known of fewer than three images, or is always the same.

    >>> round(follows_target(np.array([1.0, 4.0, 9.0]), np.array([3.0, 2.0, 1.0])), 6)
    1.0
    """
    from scipy.stats import rankdata

    known = np.isfinite(values)
    if known.sum() < 3 or len(np.unique(values[known])) < 2 or len(np.unique(targets[known])) < 2:
        return None
    return abs(float(np.corrcoef(rankdata(values[known]), rankdata(targets[known]))[0, 1]))
