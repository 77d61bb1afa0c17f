"""Keras's Adam and AdamW, whose step takes half as long on a CPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from lensnet.optimizers.cpu_kernels import decay_weights, has_adam_kernel, take_adam_steps

__all__ = ["Adam", "AdamW"]


class _FusedSteps:
    """Steps by TensorFlow's kernel where there is one to be had, and by Keras's elsewhere.

    State, arguments and answers are Keras's, but for rounding.
    """

    amsgrad: bool
    built: bool
    weight_decay: float | None

    def _backend_update_step(
        self, grads: Iterable[Any], trainable_variables: Iterable[Any], learning_rate: Any
    ) -> None:
        own: Any = self
        grads, variables = list(grads), list(trainable_variables)
        if self.amsgrad or not has_adam_kernel(variables, grads):
            super()._backend_update_step(grads, variables, learning_rate)  # type: ignore[misc]
            return
        places = [own._get_variable_index(variable) for variable in variables]
        take_adam_steps(
            variables,
            grads,
            [own._momentums[place] for place in places],
            [own._velocities[place] for place in places],
            learning_rate,
            own.iterations + 1,
            own.beta_1,
            own.beta_2,
            own.epsilon,
        )

    def _apply_weight_decay(self, variables: Iterable[Any]) -> None:
        own: Any = self
        variables = list(variables)
        if not self.weight_decay or not has_adam_kernel(variables, ()):
            super()._apply_weight_decay(variables)  # type: ignore[misc]
            return
        decaying = [variable for variable in variables if own._use_weight_decay(variable)]
        decay_weights(decaying, own.learning_rate, self.weight_decay)


@keras.saving.register_keras_serializable(package="lensnet")
class Adam(_FusedSteps, keras.optimizers.Adam):
    """Adam (Kingma & Ba 2015): `keras.optimizers.Adam`, computed otherwise on a CPU.

    Args:
        kwargs: see `keras.optimizers.Adam`.

    Example:

    >>> Adam(learning_rate=0.01).beta_2
    0.999
    """


@keras.saving.register_keras_serializable(package="lensnet")
class AdamW(_FusedSteps, keras.optimizers.AdamW):
    """AdamW (Loshchilov & Hutter 2019): `keras.optimizers.AdamW`, computed otherwise on a CPU.

    Args:
        kwargs: see `keras.optimizers.AdamW`.

    Example:

    >>> AdamW(learning_rate=0.01, weight_decay=0.1).weight_decay
    0.1
    """
