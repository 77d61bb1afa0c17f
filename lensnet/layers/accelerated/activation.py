"""Activations that train faster on a CPU."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import fuse_elementwise, should_fuse

__all__ = ["Activation", "activate"]


@keras.saving.register_keras_serializable(package="lensnet")
class Activation(keras.layers.Activation):
    """`keras.layers.Activation`, of the same arguments and answers.

    TensorFlow takes two to five passes over memory for SiLU, hard SiLU and exact GELU, and more
    for their gradients; in training on a CPU, this layer takes one for each (`fuse_elementwise`).
    What any other activation does, and what happens elsewhere, is Keras's. Read from a saved
    model, it is Keras's own (`lensnet.layers.accelerate` makes that as fast).

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
        return activate(self, inputs, training)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Activation:
        return keras.layers.Activation.from_config(config)


def activate(layer: keras.layers.Activation, inputs: Any, training: bool | None = None) -> Any:
    """What `keras.layers.Activation` answers, in one pass where that is faster.

    Args:
        layer: of the class named or one below it.
        inputs: of its call.
        training: whether gradients will be asked for.
    """
    fused = _FUSED.get(layer.activation)
    if fused is None or not training or not should_fuse(inputs):
        return keras.layers.Activation.call(layer, inputs)
    value, derivative = fused

    @ops.custom_gradient
    def compute(x: Any) -> tuple[Any, Any]:
        return value(x), lambda upstream: derivative(upstream, x)

    return compute(inputs)


def _silu_derivative(upstream: Any, x: Any) -> Any:
    gate = ops.sigmoid(x)
    return upstream * gate * (1 + x * (1 - gate))


def _hard_silu_derivative(upstream: Any, x: Any) -> Any:
    inside = ops.where(x < 3, x / 3 + 0.5, 1)
    return upstream * ops.where(x > -3, inside, 0)


def _gelu_derivative(upstream: Any, x: Any) -> Any:
    below = 0.5 * (1 + ops.erf(x / math.sqrt(2)))
    density = ops.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return upstream * (below + x * density)


_FUSED = {
    value: (fuse_elementwise(value), fuse_elementwise(derivative))
    for value, derivative in (
        (keras.activations.silu, _silu_derivative),
        (keras.activations.hard_silu, _hard_silu_derivative),
        (keras.activations.gelu, _gelu_derivative),
    )
}
"""An activation and its upstream gradient times its derivative."""
