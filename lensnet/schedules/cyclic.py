"""Rises and falls in straight lines."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["Cyclic"]


@keras.saving.register_keras_serializable(package="lensnet")
class Cyclic(keras.optimizers.schedules.LearningRateSchedule):
    """The cyclical learning rate of Smith 2017 (arXiv:1506.01186, section 3.2).

    Up from `minimum_fraction` of the learning rate to all of it in the first half of a cycle, and
    down again in the second; with `"triangular2"` the height above the lowest halves each cycle.

    Args:
        learning_rate: the largest.
        cycle_steps: of a whole cycle, twice the paper's step size.
        mode: `"triangular"` or `"triangular2"`.
        minimum_fraction: of the learning rate.

    Raises:
        ValueError: an unknown mode.

    Example:

    >>> schedule = Cyclic(1.0, cycle_steps=10, mode="triangular2", minimum_fraction=0.1)
    >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 15)]
    [0.1, 1.0, 0.1, 0.55]
    """

    def __init__(
        self,
        learning_rate: float,
        cycle_steps: float,
        mode: str = "triangular",
        minimum_fraction: float = 0.1,
    ):
        super().__init__()
        if mode not in ("triangular", "triangular2"):
            raise ValueError(f'mode is "triangular" or "triangular2"; got {mode!r}.')
        self.learning_rate = learning_rate
        self.cycle_steps = cycle_steps
        self.mode = mode
        self.minimum_fraction = minimum_fraction

    def __call__(self, step: Any) -> Any:
        cycles = ops.cast(step, "float32") / self.cycle_steps
        cycle = ops.floor(cycles)
        height = 1 - ops.abs(2 * (cycles - cycle) - 1)
        if self.mode == "triangular2":
            height = height * ops.power(0.5, cycle)
        lowest = self.minimum_fraction
        return self.learning_rate * (lowest + (1 - lowest) * height)

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "cycle_steps": self.cycle_steps,
            "mode": self.mode,
            "minimum_fraction": self.minimum_fraction,
        }
