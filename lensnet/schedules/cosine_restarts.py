"""Cosines that begin anew."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

__all__ = ["CosineRestarts"]


@keras.saving.register_keras_serializable(package="lensnet")
class CosineRestarts(keras.optimizers.schedules.LearningRateSchedule):
    """Stochastic gradient descent with warm restarts (Loshchilov & Hutter 2017, arXiv:1608.03983).

    In cycle n, of length `T_n = T_0 cycle_factor^n`, at the step t since its beginning,
    `rate = low + (high peak_factor^n - low) (1 + cos(pi t / T_n)) / 2` (equation 5). Unlike
    `keras.optimizers.schedules.CosineDecayRestarts` it tells exactly in which cycle a step is:
    there a logarithm in single precision may put the first step of a cycle at the end of the one
    before, with the smallest rate in place of the largest.

    Args:
        learning_rate: where the first cycle begins.
        cycle_steps: length of the first cycle, T_0.
        cycle_factor: how much longer each cycle is than the one before, 1 or more.
        peak_factor: how much lower each one begins.
        final_fraction: of the learning rate, where each one ends.

    Example:

    >>> schedule = CosineRestarts(0.1, cycle_steps=10, cycle_factor=2.0)
    >>> [round(float(schedule(step)), 3) for step in (0, 5, 10, 20, 30)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """

    def __init__(
        self,
        learning_rate: float,
        cycle_steps: float,
        cycle_factor: float = 1.0,
        peak_factor: float = 1.0,
        final_fraction: float = 0.0,
    ):
        super().__init__()
        self.learning_rate = learning_rate
        self.cycle_steps = cycle_steps
        self.cycle_factor = cycle_factor
        self.peak_factor = peak_factor
        self.final_fraction = final_fraction

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        cycle = self._cycle_of(step)
        length = self.cycle_steps * ops.power(self.cycle_factor, cycle)
        share = ops.clip((step - self._beginning(cycle)) / length, 0.0, 1.0)
        low = self.learning_rate * self.final_fraction
        high = self.learning_rate * ops.power(self.peak_factor, cycle)
        return low + ops.maximum(high - low, 0.0) * (1 + ops.cos(math.pi * share)) / 2

    def _cycle_of(self, step: Any) -> Any:
        if self.cycle_factor == 1:
            return ops.floor(step / self.cycle_steps)
        grown = 1 + step / self.cycle_steps * (self.cycle_factor - 1)
        cycle = ops.floor(ops.log(grown) / math.log(self.cycle_factor))
        # The logarithm is rounded; where a cycle begins is known to a small part of a step.
        late = self._beginning(cycle + 1) <= step + 1e-3
        early = self._beginning(cycle) > step + 1e-3
        return cycle + ops.cast(late, "float32") - ops.cast(early, "float32")

    def _beginning(self, cycle: Any) -> Any:
        if self.cycle_factor == 1:
            return cycle * self.cycle_steps
        grown = ops.power(self.cycle_factor, cycle) - 1
        return self.cycle_steps * grown / (self.cycle_factor - 1)

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "cycle_steps": self.cycle_steps,
            "cycle_factor": self.cycle_factor,
            "peak_factor": self.peak_factor,
            "final_fraction": self.final_fraction,
        }
