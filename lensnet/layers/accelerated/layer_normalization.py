"""Layer normalisation that trains faster on a CPU."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import (
    fuse_elementwise,
    should_fuse,
    sum_over_batch,
)

__all__ = ["layer_normalization", "normalize_positions"]


def layer_normalization(
    x: Any, gamma: Any, beta: Any, epsilon: float, training: bool | None
) -> Any:
    """What `keras.ops.layer_normalization` answers over the last axis, trained with fewer passes.

    TensorFlow goes over memory for every step of it, and more often for its gradient. In training
    on a CPU, this reads and writes each tensor once. Measured with TensorFlow 2.21, one thread of a
    Xeon with AVX-512, forward and backward: 64 rows of 65 tokens of 192 channels in 7.2 ms against
    13.9, 32 maps of 32x32x96 in 33 ms against 54.

    Args:
        x: shape (batch, ..., channels).
        gamma, beta: shape (channels,), or None for 1 and 0.
        epsilon: added to the variance.
        training: whether gradients will be asked for.
    """
    if not training or not should_fuse(x):
        return ops.layer_normalization(x, gamma=gamma, beta=beta, axis=-1, epsilon=epsilon)

    @ops.custom_gradient
    def compute(x: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        small = ops.convert_to_tensor(epsilon, dtype=x.dtype)

        def gradient(upstream: Any) -> tuple[Any, Any, Any]:
            d_x, products = _gradient(upstream, x, gamma, small)
            return d_x, sum_over_batch(products), sum_over_batch(upstream)

        return _normalized(x, gamma, beta, small), gradient

    channels = x.shape[-1:]
    # As tensors: a custom gradient would want to know of a variable.
    gamma = ops.ones(channels, x.dtype) if gamma is None else ops.convert_to_tensor(gamma)
    beta = ops.zeros(channels, x.dtype) if beta is None else ops.convert_to_tensor(beta)
    return compute(x, ops.cast(gamma, x.dtype), ops.cast(beta, x.dtype))


def normalize_positions(
    layer: keras.layers.LayerNormalization, inputs: Any, training: bool | None = None
) -> Any:
    """What `keras.layers.LayerNormalization` answers, in fewer passes where that is faster.

    Args:
        layer: of the class named or one below it.
        inputs: of its call.
        training: whether gradients will be asked for.
    """
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    is_last = axes in ([-1], [len(inputs.shape) - 1])
    if not training or not is_last or getattr(layer, "rms_scaling", False):
        return keras.layers.LayerNormalization.call(layer, inputs)
    outputs = layer_normalization(inputs, layer.gamma, layer.beta, layer.epsilon, training)
    return ops.cast(outputs, layer.compute_dtype)


def _centred(x: Any, epsilon: Any) -> tuple[Any, Any]:
    """Values without their mean, and one over their standard deviation."""
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return centred, ops.rsqrt(variance + epsilon)


@fuse_elementwise
def _normalized(x: Any, gamma: Any, beta: Any, epsilon: Any) -> Any:
    centred, factor = _centred(x, epsilon)
    return centred * factor * gamma + beta


@fuse_elementwise
def _gradient(upstream: Any, x: Any, gamma: Any, epsilon: Any) -> tuple[Any, Any]:
    """The gradient of x, and the products whose sums are that of gamma."""
    centred, factor = _centred(x, epsilon)
    normal, scaled = centred * factor, upstream * gamma
    mean = ops.mean(scaled, axis=-1, keepdims=True)
    along = ops.mean(scaled * normal, axis=-1, keepdims=True)
    return factor * (scaled - mean - normal * along), upstream * normal
