"""Batch normalisation that trains faster on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.cpu_kernels import (
    fuse_elementwise,
    fused_batch_normalization,
    has_fused_batch_normalization,
    sum_of_products,
    sum_over_batch,
    sum_over_rows,
)
from lensnet.layers.accelerated.devices import on_cpus_alone

__all__ = [
    "BatchNormalization",
    "batch_moments",
    "normalize",
    "normalize_batch",
    "synchronized_moments",
]


@keras.saving.register_keras_serializable(package="lensnet")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization`, of the same arguments, weights and answers.

    (Ioffe & Szegedy 2015, arXiv:1502.03167.) On a CPU, Keras's takes a third of the training step
    of a residual network, most of it in passes over memory: sums over all positions at once, and
    the gradients of the mean and the variance one by one. Here TensorFlow's fused kernel does it
    all where it can (`fused_batch_normalization`); elsewhere, sums go row by row, and the gradient
    is the one that follows from the definition (ibid., section 3). Measured with TensorFlow 2.21
    on two cores, forward and backward of 32 maps of 64x64x64: fused 22 ms, by rows 29, Keras's 73.

    Outside training, where a device is not a CPU, and with what Keras offers besides (`renorm`,
    `synchronized`, masks, another axis), this is Keras's layer. Read from a saved model, it is
    Keras's own (`lensnet.layers.accelerate` makes that as fast).

    Args:
        momentum, epsilon and all others: as of `keras.layers.BatchNormalization`.

    Input shape:
        (batch, ..., channels).

    Output shape:
        that of the input.

    Example:

    >>> import keras
    >>> layer = BatchNormalization(momentum=0.9)
    >>> outputs = layer(3 + keras.random.normal((8, 5, 5, 4)), training=True)
    >>> abs(float(keras.ops.mean(outputs))) < 1e-5
    True
    """

    stock_class = keras.layers.BatchNormalization

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        return normalize(self, inputs, training, mask)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.BatchNormalization:
        return keras.layers.BatchNormalization.from_config(config)


def normalize(
    layer: keras.layers.BatchNormalization,
    inputs: Any,
    training: bool | None = None,
    mask: Any = None,
) -> Any:
    """What `keras.layers.BatchNormalization` answers, in fewer passes where that is faster.

    Args:
        layer: of the class named or one below it, built.
        inputs, training, mask: of its call.
    """
    if not (training and layer.trainable and mask is None and _has_fast_form(layer, inputs)):
        return keras.layers.BatchNormalization.call(layer, inputs, training=training, mask=mask)
    # Half precision overflows in the squares.
    x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
    gamma, beta, epsilon = layer.gamma, layer.beta, layer.epsilon
    if has_fused_batch_normalization(x):
        outputs, mean, variance = fused_batch_normalization(x, gamma, beta, epsilon)
    else:
        mean, variance = batch_moments(x)
        outputs = normalize_batch(x, mean, variance, gamma, beta, epsilon)
    for moving, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        value = ops.cast(value, moving.dtype)
        moving.assign(moving * layer.momentum + value * (1 - layer.momentum))
    return ops.cast(outputs, layer.compute_dtype)


def _has_fast_form(layer: keras.layers.BatchNormalization, inputs: Any) -> bool:
    special = layer.synchronized or layer.renorm
    return not special and layer.axis in (-1, len(inputs.shape) - 1) and on_cpus_alone()


def batch_moments(x: Any, order: int = 1) -> tuple[Any, Any]:
    """Mean and variance over all axes but the last, and over a field's channels.

    No gradient flows through them: `normalize_batch` has it.

    Args:
        x: shape (batch, ..., fields * order), of float32 or better.
        order: channels of a field.

    Returns:
        two tensors of shape (fields,).
    """
    x = ops.stop_gradient(x)
    count = _count(x, order)
    mean = _by_field(sum_over_batch(x), order) / count
    squares = _squares_by_row(x, _to_channels(mean, order))
    return mean, _by_field(sum_over_rows(squares), order) / count


def synchronized_moments(x: Any, axes: Sequence[int]) -> tuple[Any, Any]:
    """Mean and variance over the batches of all replicas together.

    Keras takes the variance of these as E[x^2] - E[x]^2, of which single precision leaves nothing
    where the mean is some thousand times the deviation. Here it is that of x less its mean.

    Args:
        x: of float32 or better.
        axes: over which they are taken.

    Returns:
        two tensors of the shape that is left.
    """
    found, _ = ops.moments(x, axes, keepdims=True, synchronized=True)
    shift = ops.stop_gradient(found)
    rest, variance = ops.moments(x - shift, axes, synchronized=True)
    return ops.reshape(shift, ops.shape(rest)) + rest, variance


def normalize_batch(
    x: Any, mean: Any, variance: Any, gamma: Any, beta: Any, epsilon: float, order: int = 1
) -> Any:
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, mean and variance being of x itself.

    The gradient with respect to x counts what x does to them.

    Args:
        x: shape (batch, ..., fields * order).
        mean, variance: of `batch_moments(x, order)`.
        gamma, beta: shape (fields,), or None for 1 and 0.
        epsilon: added to the variance.
        order: channels of a field.
    """
    gamma = ops.ones_like(mean) if gamma is None else ops.cast(gamma, x.dtype)
    beta = ops.zeros_like(mean) if beta is None else ops.cast(beta, x.dtype)

    @ops.custom_gradient
    def transform(x: Any, mean: Any, variance: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        inverse = ops.rsqrt(variance + epsilon)
        scale = inverse * gamma

        def gradient(*arguments: Any, upstream: Any = None) -> tuple[Any, ...]:
            # PyTorch's Keras hands over what is saved and names the upstream gradient.
            upstream = arguments[-1] if upstream is None else upstream
            # With z = (x - mean) * inverse and m(.) the mean over the batch, the gradient is
            # scale * (upstream - m(upstream) - z * m(upstream * z)), linear in upstream and x.
            total = _by_field(sum_over_batch(upstream), order)
            product = _by_field(sum_of_products(upstream, x), order)
            d_gamma = inverse * (product - mean * total)
            count = _count(x, order)
            factor = -scale * inverse * d_gamma / count
            offset = -scale * total / count - factor * mean
            by_channel = [_to_channels(values, order) for values in (scale, factor, offset)]
            d_x = _combine(upstream, x, *by_channel)
            return d_x, ops.zeros_like(mean), ops.zeros_like(variance), d_gamma, total

        offset = beta - mean * scale
        return _transform(x, _to_channels(scale, order), _to_channels(offset, order)), gradient

    return transform(x, mean, variance, gamma, beta)


@fuse_elementwise
def _squares_by_row(x: Any, mean: Any) -> Any:
    return ops.sum(ops.square(x - mean), axis=-2)


@fuse_elementwise
def _transform(x: Any, scale: Any, offset: Any) -> Any:
    return x * scale + offset


@fuse_elementwise
def _combine(upstream: Any, x: Any, scale: Any, factor: Any, offset: Any) -> Any:
    return upstream * scale + (x * factor + offset)


def _count(x: Any, order: int) -> Any:
    """The values of a field in a batch, as a number of the values' type."""
    size = ops.size(x) // (x.shape[-1] // order)
    return ops.cast(size, x.dtype)


def _by_field(values: Any, order: int) -> Any:
    return values if order == 1 else ops.sum(ops.reshape(values, (-1, order)), axis=1)


def _to_channels(values: Any, order: int) -> Any:
    return values if order == 1 else ops.repeat(values, order)
