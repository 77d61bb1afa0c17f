"""Ranger: rectified Adam inside Lookahead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

__all__ = ["Ranger"]


@keras.saving.register_keras_serializable(package="lensnet")
class Ranger(keras.optimizers.Optimizer):
    """Rectified Adam (Liu et al. 2020, arXiv:1908.03265) inside Lookahead (Zhang et al. 2019).

    Rectified Adam steps as Adam does, times `r_t`, once the variance of its adaptive rate can be
    told (algorithm 2, `rho_t > 4`; from the fifth step on with the usual `beta_2`), and before
    that along the mean gradient. Every `sync_period` such steps the slow weights go
    `slow_step_size` of the way to the fast ones, which go on from there (arXiv:1907.08610,
    algorithm 1). Deviation: `epsilon` is added to the root of the second moment, as in Adam.

    Args:
        learning_rate: a number or a schedule.
        beta_1: decay of the mean gradient.
        beta_2: decay of the mean square.
        epsilon: added to the root of the mean square.
        sync_period: steps between those of the slow weights.
        slow_step_size: share of the way that these go; 1 for rectified Adam alone.
        kwargs: see `keras.optimizers.Optimizer`.

    Raises:
        ValueError: an argument out of range.

    Example:

    >>> image = keras.Input((3,))
    >>> model = keras.Model(image, keras.layers.Dense(1)(image))
    >>> model.compile(Ranger(1e-2), "mse")
    >>> float(model.optimizer.learning_rate) == float(ops.cast(1e-2, "float32"))
    True
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        sync_period: int = 6,
        slow_step_size: float = 0.5,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, **kwargs)
        if not 0 < beta_2 < 1:
            raise ValueError(f"beta_2 is above 0 and below 1; got {beta_2!r}.")
        if sync_period < 1 or not 0 < slow_step_size <= 1:
            raise ValueError(
                "sync_period is 1 or more, and slow_step_size above 0 and at most 1; got "
                f"{sync_period!r} and {slow_step_size!r}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.sync_period = sync_period
        self.slow_step_size = slow_step_size

    def build(self, variables: Sequence[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities, self._slow_weights = self.add_optimizer_variables(
            variables, ["momentum", "velocity", "slow"]
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        mean = self.beta_1 * momentum + (1 - self.beta_1) * gradient
        square = self.beta_2 * velocity + (1 - self.beta_2) * ops.square(gradient)
        self.assign(momentum, mean)
        self.assign(velocity, square)
        step = ops.cast(self.iterations + 1, "float32")
        rectifier, is_tractable = self._rectifier(step)
        unbiased = mean / ops.cast(1 - ops.power(self.beta_1, step), variable.dtype)
        root = ops.sqrt(square / ops.cast(self._share_seen(step), variable.dtype))
        adaptive = ops.cast(rectifier, variable.dtype) * unbiased / (root + self.epsilon)
        change = ops.where(is_tractable, adaptive, unbiased)
        fast = variable - ops.cast(learning_rate, variable.dtype) * change
        self._look_ahead(self._slow_weights[index], variable, fast)

    def _look_ahead(self, slow: Any, variable: Any, fast: Any) -> None:
        steps = self.iterations + 1
        # The slow weights begin where the fast ones do, whatever was loaded before the first step.
        held = (ops.convert_to_tensor(each) for each in (variable, slow))
        before = ops.where(ops.equal(steps, 1), *held)
        is_due = ops.equal(steps % self.sync_period, 0)
        after = ops.where(is_due, before + self.slow_step_size * (fast - before), before)
        self.assign(slow, after)
        self.assign(variable, ops.where(is_due, after, fast))

    def _share_seen(self, step: Any) -> Any:
        """`1 - beta_2^t`, which single precision would round at 1e-4 for small t."""
        return -ops.expm1(step * math.log(self.beta_2))

    def _rectifier(self, step: Any) -> tuple[Any, Any]:
        """`r_t`, and whether the variance is tractable."""
        last = 2 / (1 - self.beta_2) - 1
        # rho_t is the small difference of two large numbers, 2 t beta_2^t / (1 - beta_2^t) from
        # its limit. With x = -t log(beta_2), the second is (2 t / x) x / (e^x - 1), so that what
        # is left is g(x) = 1 - x / (e^x - 1), which for small x is a quick series.
        scale = -2 / math.log(self.beta_2)
        x = -step * math.log(self.beta_2)
        near = x * (1 / 2 - x * (1 / 12 - x**2 * (1 / 720 - x**2 * (1 / 30240 - x**2 / 1209600))))
        far = 1 - x * ops.exp(-x) / self._share_seen(step)
        length = (last - scale) + scale * ops.where(x < 0.5, near, far)
        is_tractable = length > 4
        known = ops.maximum(length, 4.0)
        square = (known - 4) * (known - 2) * last / ((last - 4) * (last - 2) * known)
        return ops.sqrt(ops.maximum(square, 0.0)), is_tractable

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "sync_period": self.sync_period,
            "slow_step_size": self.slow_step_size,
        }
