"""AdamW without a schedule, as published."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

__all__ = ["ScheduleFreeAdamW"]


@keras.saving.register_keras_serializable(package="lensnet")
class ScheduleFreeAdamW(keras.optimizers.ScheduleFreeAdamW):
    """Schedule-free AdamW (Defazio et al. 2024, arXiv:2405.15682, algorithm 1).

    Keras's class, but for its step: with TensorFlow, Keras 3.15 takes the mean x out of the weights
    by a sequence z that it has changed already, and so follows another mean from the second step
    on; and it decays the weights that x is taken out of. A test says when Keras's own will do.
    Deviation, as in Keras: each step counts alike in the mean, which is the paper's rule where the
    learning rate is constant.

    Args:
        kwargs: see `keras.optimizers.ScheduleFreeAdamW`.

    Example:

    >>> optimizer = ScheduleFreeAdamW(learning_rate=0.0025, weight_decay=0.01)
    >>> optimizer.beta_1, optimizer.weight_decay
    (0.9, 0.01)
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        sequence, velocity = self._momentums[index], self._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        # What the variables hold now, of which nothing changes when these are assigned to.
        y, z = (ops.copy(ops.convert_to_tensor(each)) for each in (variable, sequence))
        square = self.beta_2 * velocity + (1 - self.beta_2) * ops.square(gradient)
        self.assign(velocity, square)
        x = (y - (1 - self.beta_1) * z) / self.beta_1
        change = gradient / (ops.sqrt(square / (1 - ops.power(self.beta_2, step))) + self.epsilon)
        if self.weight_decay and self._use_weight_decay(variable):
            change = change + self.weight_decay * y
        z = z - rate * change
        x = x + (z - x) / step
        self.assign(sequence, z)
        self.assign(variable, (1 - self.beta_1) * z + self.beta_1 * x)

    def _apply_weight_decay(self, variables: Iterable[Any]) -> None:
        """Leaves it to the step."""
