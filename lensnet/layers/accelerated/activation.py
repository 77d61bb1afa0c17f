"""Activations that train faster on a CPU."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import gains_by_one_pass, one_pass

__all__ = ["Activation"]


@keras.saving.register_keras_serializable(package="lensnet")
class Activation(keras.layers.Activation):
    """`keras.layers.Activation`, of the same arguments and answers.

    TensorFlow takes two to five passes over memory for SiLU, hard SiLU and exact GELU, and more
    for their gradients; in training on a CPU, this layer takes one for each (`one_pass`). What
    any other activation does, and what happens elsewhere, is Keras's.

    Args:
        activation: name or function, as of `keras.layers.Activation`.

    Input shape:
        (batch, ...).

    Output shape:
        that of the input.

    Example:

    >>> import keras
    >>> outputs = Activation("silu")(keras.ops.ones((1, 64, 64, 8)), training=True)
    >>> round(float(keras.ops.max(outputs)), 4)
    0.7311
    """

    stock_class = keras.layers.Activation

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        fast = _IN_ONE_PASS.get(self.activation)
        if fast is None or not training or not gains_by_one_pass(inputs):
            return super().call(inputs)
        value, slope = fast

        @ops.custom_gradient
        def activate(x: Any) -> tuple[Any, Any]:
            return value(x), lambda upstream: slope(upstream, x)

        return activate(inputs)


def _silu_slope(upstream: Any, x: Any) -> Any:
    gate = ops.sigmoid(x)
    return upstream * gate * (1 + x * (1 - gate))


def _hard_silu_slope(upstream: Any, x: Any) -> Any:
    inside = ops.where(x < 3, x / 3 + 0.5, 1)
    return upstream * ops.where(x > -3, inside, 0)


def _gelu_slope(upstream: Any, x: Any) -> Any:
    below = 0.5 * (1 + ops.erf(x / math.sqrt(2)))
    density = ops.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return upstream * (below + x * density)


_IN_ONE_PASS = {
    value: (one_pass(value), one_pass(slope))
    for value, slope in (
        (keras.activations.silu, _silu_slope),
        (keras.activations.hard_silu, _hard_silu_slope),
        (keras.activations.gelu, _gelu_slope),
    )
}
"""An activation and its upstream gradient times its slope."""
