"""The loss against the learning rate of a range test, and which rate it suggests."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

__all__ = ["LearningRateCurve"]

_SMOOTHING = 0.02
"""Width of the smoothing, the standard deviation of a Gaussian, as a share of the whole ramp."""


@dataclass(frozen=True, eq=False)
class LearningRateCurve:
    """The loss after a step at each of ascending learning rates.

    Args:
        rates: (N,) ascending.
        losses: (N,) of the batch that follows a step at that rate.
        steps: those of the whole ramp; N of them or fewer were taken.
        end: why there are no more, in words; "" where all were taken.
    """

    rates: np.ndarray
    losses: np.ndarray
    steps: int
    end: str = ""

    @functools.cached_property
    def smoothed(self) -> np.ndarray:
        """The losses, (N,), each a mean over its neighbours on both sides.

        So that it lags behind on neither, as a running mean would.
        """
        places = np.arange(len(self.losses))
        distance = (places[:, np.newaxis] - places) / max(_SMOOTHING * self.steps, 1e-6)
        weights = np.exp(-0.5 * distance**2)
        return np.asarray(weights @ self.losses / weights.sum(axis=1))

    @property
    def lowest(self) -> int:
        """The place of the lowest smoothed loss."""
        return int(np.argmin(self.smoothed))

    @property
    def lowest_rate(self) -> float:
        """The rate of the lowest smoothed loss, beyond which training becomes unstable."""
        return float(self.rates[self.lowest])

    @property
    def steepest_rate(self) -> float:
        """The rate at which the smoothed loss falls fastest, by the logarithm of the rate."""
        before = self.smoothed[: self.lowest + 1]
        if len(before) < 2:
            return self.lowest_rate
        slopes = np.gradient(before, np.log(self.rates[: len(before)]))
        return float(self.rates[int(np.argmin(slopes))])

    @property
    def falls(self) -> bool:
        """Whether the loss falls anywhere by more than it scatters from batch to batch."""
        if self.lowest == 0:
            return False
        first = max(len(self.losses) // 10, 1)
        start = float(np.mean(self.losses[:first]))
        until = slice(0, self.lowest + 1)
        scatter = float(np.std(self.losses[until] - self.smoothed[until]))
        return start - float(self.smoothed[self.lowest]) > scatter

    @property
    def suggestion(self) -> float | None:
        """A tenth of the rate of the lowest loss, to two digits; None where the loss never falls.

        >>> rates = np.geomspace(1e-4, 1, 41)
        >>> losses = (np.log10(rates) + 1) ** 2
        >>> LearningRateCurve(rates, losses, 41).suggestion
        0.01
        """
        return float(f"{self.lowest_rate / 10:.1e}") if self.falls else None
