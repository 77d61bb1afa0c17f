"""What the images are compared by: their classes, or quarters of a regression's targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Groups"]

_QUARTERS = (25, 50, 75)


@dataclass(frozen=True)
class Groups:
    """The groups of images that tables and figures have a row for.

    Args:
        names: of the groups, in order.
        edges: for a regression, where one group of targets ends and the next begins; None for
            classes.

    >>> Groups.by_class(["galaxy", "lens"]).of(np.array([1, 0])).tolist()
    [1, 0]
    >>> groups = Groups.by_target(np.arange(1.0, 9.0))
    >>> groups.names
    ('1 to 2.75', '2.75 to 4.5', '4.5 to 6.25', '6.25 to 8')
    >>> groups.of(np.array([0.0, 4.0, 9.0])).tolist()
    [0, 1, 3]
    """

    names: tuple[str, ...]
    edges: tuple[float, ...] | None = None

    @classmethod
    def by_class(cls, classes: Sequence[str]) -> Groups:
        """Returns a group for each class."""
        return cls(tuple(classes))

    @classmethod
    def by_target(cls, targets: np.ndarray) -> Groups:
        """Returns a group for each quarter of the training targets, fewer where many are equal.

        Args:
            targets: (N,).
        """
        low, high = float(np.min(targets)), float(np.max(targets))
        quarters = np.unique(np.percentile(targets, _QUARTERS))
        edges = tuple(float(edge) for edge in quarters if low < edge < high)
        bounds = [low, *edges, high]
        names = tuple(
            f"{one:.4g} to {other:.4g}" for one, other in zip(bounds, bounds[1:], strict=False)
        )
        return cls(names, edges)

    def __len__(self) -> int:
        return len(self.names)

    def of(self, labels: np.ndarray) -> np.ndarray:
        """Returns the group of each label or target, (N,) int64."""
        if self.edges is None:
            return labels.astype(np.int64)
        return np.searchsorted(np.array(self.edges), labels, side="right").astype(np.int64)
