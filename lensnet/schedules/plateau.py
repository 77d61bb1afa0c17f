"""A rate that something else lowers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["Reducible"]


@keras.saving.register_keras_serializable(package="lensnet")
class Reducible(keras.optimizers.schedules.LearningRateSchedule):
    """A constant rate times a factor that can be set while a network is trained.

    An optimizer with a schedule does not let its learning rate be set; with this one a warm-up
    and a reduction on plateaus go together. `lensnet.training.plateau` sets the factor.

    Args:
        learning_rate: at a factor of 1.
        factor: to begin with.

    Example:

    >>> schedule = Reducible(0.1)
    >>> _ = schedule.factor.assign(0.5)
    >>> round(float(schedule(1000)), 3)
    0.05
    """

    def __init__(self, learning_rate: float, factor: float = 1.0):
        super().__init__()
        self.learning_rate = learning_rate
        self.factor = keras.Variable(
            factor,
            dtype="float32",
            trainable=False,
            aggregation="only_first_replica",
            name="learning_rate_factor",
        )

    def __call__(self, step: Any) -> Any:
        return self.learning_rate * ops.convert_to_tensor(self.factor)

    def get_config(self) -> dict[str, Any]:
        factor = float(ops.convert_to_numpy(self.factor))
        return {"learning_rate": self.learning_rate, "factor": factor}
