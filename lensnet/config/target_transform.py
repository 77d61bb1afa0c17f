"""In what form the targets of a regression are learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TargetTransform"]


@dataclass(frozen=True)
class TargetTransform:
    """From a target in its own unit to the number that a network learns, and back.

    `learned = (t - mean) / std`, where t is the target or its logarithm to base 10.

    Args:
        is_logarithmic: whether t is the logarithm.
        mean: of t, over the training targets.
        std: its standard deviation, or 1.

    Example:

    >>> masses = TargetTransform(is_logarithmic=True, mean=12.0, std=0.5)
    >>> float(masses.learned(np.array(10.0**13))), masses.std
    (2.0, 0.5)
    """

    is_logarithmic: bool = False
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def fit(cls, name: str, targets: np.ndarray) -> TargetTransform:
        """Returns the transform of a name of `data.target_transform`.

        Args:
            name: `"standardised"`, `"log10"` or `"none"`.
            targets: those of the training split; for `"log10"` above 0.

        Example:

        >>> TargetTransform.fit("standardised", np.array([1.0, 3.0]))
        TargetTransform(is_logarithmic=False, mean=2.0, std=1.0)
        """
        if name == "none":
            return cls()
        values = np.log10(targets) if name == "log10" else targets
        # Targets that are all equal are learned as they are.
        return cls(name == "log10", float(np.mean(values)), float(np.std(values)) or 1.0)

    def learned(self, targets: Any, log10: Callable[[Any], Any] = np.log10) -> Any:
        """Returns what is learned of targets, arrays or tensors.

        Args:
            targets: in their own unit.
            log10: of such arrays.
        """
        return ((log10(targets) if self.is_logarithmic else targets) - self.mean) / self.std

    def in_own_unit(self, learned: Any) -> Any:
        """Returns targets in their own unit, of arrays or tensors of what is learned."""
        values = learned * self.std + self.mean
        return 10.0**values if self.is_logarithmic else values
