"""What lies near what: distances between directions of features, and the nearest so far.

Distances are Euclidean between features divided by their length, from 0 (the same direction) to 2.
That of an image to its k-th nearest training image tells how unlike the training images it is (Sun
et al. 2022, "Out-of-distribution detection with deep nearest neighbors", arXiv:2204.06507, section
4: features of unit length; a sample of the training images is enough).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Closest", "distance_to_kth", "distances", "unit_length"]


def unit_length(features: np.ndarray) -> np.ndarray:
    """Returns features (N, D) divided by their length, in float64; zeros stay zeros."""
    values = np.asarray(features, np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)


def distances(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the distances (N, M) between unit features (N, D) and (M, D).

    Example:

    >>> distances(np.eye(2), np.eye(2)).round(3).tolist()
    [[0.0, 1.414], [1.414, 0.0]]
    """
    squares = (one**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * one @ others.T
    # What rounding leaves of the distance between equal features is not seen.
    return np.asarray(np.sqrt(np.where(squares > 1e-14, squares, 0)))


def distance_to_kth(
    features: np.ndarray, reference: np.ndarray, k: int, same: np.ndarray | None = None
) -> np.ndarray:
    """Returns the distance of each image to its k-th nearest of the reference, (N,).

    Args:
        features: (N, D).
        reference: (M, D), of unit length.
        k: from 1; of a reference that has fewer the last.
        same: (N, M), where an image is the reference's own, which does not count; None for nowhere.

    Example:

    >>> distance_to_kth(np.eye(2)[:1], np.eye(2), 2).round(3)
    array([1.414])
    """
    found = distances(unit_length(features), reference)
    if same is not None:
        found = np.where(same, np.inf, found)
    place = min(k, found.shape[1]) - 1
    kth = np.partition(found, place, axis=1)[:, place]
    return np.asarray(np.where(np.isfinite(kth), kth, np.nan))


@dataclass
class Closest:
    """Keeps the items with the smallest keys of all that go by.

    Args:
        count: how many to keep.

    Example:

    >>> closest = Closest(2)
    >>> closest.add([3.0, 1.0, 2.0], ["c", "a", "b"])
    >>> closest.found
    [(1.0, 'a'), (2.0, 'b')]
    """

    count: int
    found: list[tuple[float, Any]] = field(default_factory=list)

    def add(self, keys: Any, items: Any) -> None:
        """Looks at some more; of equal keys the earlier stays. NaN is never kept."""
        last = self.found[-1][0] if len(self.found) >= self.count else np.inf
        pairs = zip(keys, items, strict=True)
        new = [(float(key), item) for key, item in pairs if key < last]
        if new:
            both = [*self.found, *new]
            self.found = sorted(both, key=lambda pair: pair[0])[: self.count]
