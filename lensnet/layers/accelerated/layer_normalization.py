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
    x: Any, gamma: Any, beta: Any, epsilon: float, training: bool | None, ones: Any = None
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
        ones: what a row of ones is in the basis of the channels, shape (channels,), of the same
            length: the part along it is taken away, and beta is added along it. None for ones.
    """
    if not training or not should_fuse(x):
        if ones is not None:
            centred, factor = _centred(x, epsilon, ones)
            outputs = centred * factor if gamma is None else centred * factor * gamma
            return outputs if beta is None else outputs + beta * ones
        return ops.layer_normalization(x, gamma=gamma, beta=beta, axis=-1, epsilon=epsilon)

    @ops.custom_gradient
    def compute(x: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        small = ops.convert_to_tensor(epsilon, dtype=x.dtype)
        along = () if ones is None else (ones,)

        def gradient(upstream: Any) -> tuple[Any, Any, Any]:
            d_x, products = _gradient(upstream, x, gamma, small, *along)
            d_beta = sum_over_batch(upstream)
            d_beta = d_beta if ones is None else d_beta * ones
            return d_x, sum_over_batch(products), d_beta

        return _normalized(x, gamma, beta, small, *along), gradient

    channels = x.shape[-1:]
    # As tensors: a custom gradient would want to know of a variable.
    gamma = ops.ones(channels, x.dtype) if gamma is None else ops.cast(gamma, x.dtype)
    beta = ops.zeros(channels, x.dtype) if beta is None else ops.cast(beta, x.dtype)
    return compute(x, ops.convert_to_tensor(gamma), ops.convert_to_tensor(beta))


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


def _part_along(x: Any, ones: Any) -> Any:
    """What of each row is along the row of ones."""
    if ones is None:
        return ops.mean(x, axis=-1, keepdims=True)
    return ops.mean(x * ones, axis=-1, keepdims=True) * ones


def _centred(x: Any, epsilon: Any, ones: Any) -> tuple[Any, Any]:
    """Values without their mean, and one over their standard deviation."""
    centred = x - _part_along(x, ones)
    variance = ops.mean(centred * centred, axis=-1, keepdims=True)
    return centred, ops.rsqrt(variance + epsilon)


@fuse_elementwise
def _normalized(x: Any, gamma: Any, beta: Any, epsilon: Any, ones: Any = None) -> Any:
    centred, factor = _centred(x, epsilon, ones)
    return centred * factor * gamma + (beta if ones is None else beta * ones)


@fuse_elementwise
def _gradient(upstream: Any, x: Any, gamma: Any, epsilon: Any, ones: Any = None) -> tuple[Any, Any]:
    """The gradient of x, and the products whose sums are that of gamma."""
    centred, factor = _centred(x, epsilon, ones)
    normal, scaled = centred * factor, upstream * gamma
    along = ops.mean(scaled * normal, axis=-1, keepdims=True)
    return factor * (scaled - _part_along(scaled, ones) - normal * along), upstream * normal
