"""One rise and one fall."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

__all__ = ["OneCycle"]


@keras.saving.register_keras_serializable(package="lensnet")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """The one-cycle policy (Smith & Topin 2018, arXiv:1708.07120), for super-convergence.

    From `initial_fraction` of the learning rate up to all of it, over `rise_fraction` of the
    steps, then down to `final_fraction`, where it stays. Deviation from the paper: momentum stays
    as it is, which matters to plain gradient descent alone.

    Args:
        learning_rate: the largest.
        total_steps: of rise and fall together.
        rise_fraction: of the steps.
        initial_fraction: of the learning rate.
        final_fraction: of the learning rate.
        shape: of rise and fall: `"cosine"`, as most implementations have it, or `"linear"`.

    Raises:
        ValueError: an unknown shape.

    Example:

    >>> schedule = OneCycle(1.0, total_steps=100, rise_fraction=0.2, shape="linear")
    >>> [round(float(schedule(step)), 3) for step in (0, 10, 20, 60, 100)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        learning_rate: float,
        total_steps: float,
        rise_fraction: float = 0.3,
        initial_fraction: float = 0.04,
        final_fraction: float = 4e-6,
        shape: str = "cosine",
    ):
        super().__init__()
        if shape not in ("cosine", "linear"):
            raise ValueError(f'shape is "cosine" or "linear"; got {shape!r}.')
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.rise_fraction = rise_fraction
        self.initial_fraction = initial_fraction
        self.final_fraction = final_fraction
        self.shape = shape

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, "float32") / self.total_steps
        rise = self._between(self.initial_fraction, 1.0, done / self.rise_fraction)
        fall = self._between(
            1.0, self.final_fraction, (done - self.rise_fraction) / (1 - self.rise_fraction)
        )
        return self.learning_rate * ops.where(done < self.rise_fraction, rise, fall)

    def _between(self, first: float, last: float, share: Any) -> Any:
        share = ops.clip(share, 0.0, 1.0)
        if self.shape == "cosine":
            share = (1 - ops.cos(math.pi * share)) / 2
        # A sum that is exact at both ends: a small last value is no difference of large ones.
        return first * (1 - share) + last * share

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "total_steps": self.total_steps,
            "rise_fraction": self.rise_fraction,
            "initial_fraction": self.initial_fraction,
            "final_fraction": self.final_fraction,
            "shape": self.shape,
        }
