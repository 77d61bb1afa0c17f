"""A linear warm-up before any schedule."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["WarmUp"]


@keras.saving.register_keras_serializable(package="lensnet")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to where a schedule begins, then follows it (Goyal et al. 2017).

    `rate(t) = (1 + (W - 1) t / W) s(0) / W` for the first W steps, so from `s(0) / W` and not from
    zero, for the first step would be lost; then `s(t - W)`.

    Args:
        schedule: what comes after the warm-up: a Keras schedule, or a number.
        warmup_steps: W.

    Example:

    >>> schedule = WarmUp(0.8, warmup_steps=4)
    >>> [round(float(schedule(step)), 3) for step in (0, 2, 4, 40)]
    [0.2, 0.5, 0.8, 0.8]
    """

    def __init__(self, schedule: Any, warmup_steps: int = 0):
        super().__init__()
        self.schedule = schedule
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "int32")
        after = self._follow(ops.maximum(step - self.warmup_steps, 0))
        if not self.warmup_steps:
            return after
        share = ops.cast(step, "float32") * ((self.warmup_steps - 1) / self.warmup_steps)
        rising = self._follow(ops.zeros_like(step)) * (1 + share) / self.warmup_steps
        return ops.where(step < self.warmup_steps, rising, after)

    def _follow(self, step: Any) -> Any:
        if callable(self.schedule):
            return self.schedule(step)
        return ops.convert_to_tensor(self.schedule, "float32")

    def get_config(self) -> dict[str, Any]:
        schedule = self.schedule
        if callable(schedule):
            schedule = keras.saving.serialize_keras_object(schedule)
        return {"schedule": schedule, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> WarmUp:
        schedule = config["schedule"]
        if isinstance(schedule, dict):
            schedule = keras.saving.deserialize_keras_object(schedule)
        return cls(schedule, config["warmup_steps"])
