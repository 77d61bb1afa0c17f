"""What TensorFlow computes slowly on a CPU, computed otherwise there.

The one file of the layers that names a backend: `keras.ops` reaches neither compilation nor a
kernel of one's choice. It imports TensorFlow only where Keras runs on it. Everywhere else, and
where a CPU gains nothing, these functions are what `keras.ops` has.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import keras
from keras import ops

from lensnet.layers.accelerated.devices import on_cpus_alone

__all__ = [
    "depthwise_convolution",
    "fuse_elementwise",
    "fused_batch_normalization",
    "has_fused_batch_normalization",
    "should_fuse",
    "sum_of_products",
    "sum_over_batch",
    "sum_over_rows",
]

Pointwise = TypeVar("Pointwise", bound=Callable[..., Any])

LEAST_VALUES = 8192
"""A tensor of fewer values an example stays in the processor's cache from pass to pass."""

LEAST_COLUMNS = 512
"""Of rows, of which there are as many as the tokens of all examples."""


def _is_tensorflows(x: Any, *dtypes: str) -> bool:
    """Whether a tensor of one of these types is TensorFlow's, and on a CPU."""
    return (
        keras.backend.backend() == "tensorflow"
        and keras.backend.standardize_dtype(x.dtype) in dtypes
        and None not in tuple(x.shape[1:])
        and on_cpus_alone()
    )


# --- pointwise ------------------------------------------------------------------------------------


def should_fuse(x: Any) -> bool:
    """Whether `fuse_elementwise` compiles for a tensor.

    It does for large ones of float32 or float64 on CPUs alone.

    Args:
        x: shape (batch, ...), all but the batch known.
    """
    if not _is_tensorflows(x, "float32", "float64"):
        return False
    return math.prod(x.shape[1:]) >= (LEAST_COLUMNS if len(x.shape) == 2 else LEAST_VALUES)


def fuse_elementwise(function: Pointwise) -> Pointwise:
    """Has a pointwise function read its tensors once and write its answer once.

    TensorFlow goes over memory for every operation, which on a CPU takes longer than the
    arithmetic. Here XLA makes one loop of a function of large tensors (`should_fuse`), once
    for every shape, which takes it a twentieth of a second. Measured with TensorFlow 2.21 on two
    cores, forward and backward of 32 maps of 64x64x96: SiLU 24 ms against 41, hard SiLU 24 against
    48, exact GELU 27 against 72, ReLU, which is one operation as it is, 23. A sum over one axis may
    follow: that of squares over the rows of 32 maps of 32x32x144 takes 1.3 ms against 2.4. Sums
    over several axes are slower by XLA, up to five times.

    Args:
        function: of tensors, by `keras.ops`, of which the first is as large as any. Its derivative
            is not wanted: give it by `keras.ops.custom_gradient`.
    """

    @functools.cache
    def compiled(*specs: Any) -> Any:
        import tensorflow as tf

        # By itself it would trace as well, but warn of as many traces as there are shapes.
        with tf.init_scope():
            traced = tf.function(function, autograph=False, jit_compile=True)
            return traced.get_concrete_function(*(tf.TensorSpec(*spec) for spec in specs))

    @functools.wraps(function)
    def run(x: Any, *others: Any) -> Any:
        if not should_fuse(x):
            return function(x, *others)
        specs = [(tuple(tensor.shape), tensor.dtype) for tensor in (x, *others)]
        return compiled(*specs)(x, *others)

    return run  # type: ignore[return-value]


# --- depthwise convolutions -----------------------------------------------------------------------


def depthwise_convolution(
    inputs: Any,
    kernel: Any,
    strides: int | tuple[int, int] = 1,
    padding: str = "valid",
    dilation_rate: int | tuple[int, int] = 1,
    data_format: str = "channels_last",
) -> Any:
    """What `keras.ops.depthwise_conv` answers, with a gradient that is quick for wide filters.

    For the gradient with respect to filters wider than 3 pixels, TensorFlow's own kernel is quicker
    on a CPU than the one of oneDNN, which it prefers. Explicit padding is what oneDNN's does not
    take. Measured with TensorFlow 2.21 on two cores, 32 maps, in ms against oneDNN's: 5x5 of
    16x16x240: 4.7 against 8.0, of 4x4x1152: 2.5 against 7.3; 7x7 of 32x32x96: 12.8 against 19.1,
    of 4x4x768: 4.4 against 14.6; 3x3 of 64x64x32: 4.4 against 2.0.

    Args:
        inputs: shape (batch, height, width, channels).
        kernel: shape (kernel height, kernel width, channels, multiplier).
        strides, padding, dilation_rate, data_format: as of `keras.ops.depthwise_conv`.

    Returns:
        tensor of shape (batch, new height, new width, channels * multiplier).
    """
    steps = (strides, strides) if isinstance(strides, int) else tuple(strides)
    stock = functools.partial(
        ops.depthwise_conv,
        strides=strides,
        padding=padding,
        dilation_rate=dilation_rate,
        data_format=data_format,
    )
    is_common = data_format == "channels_last" and steps[0] == steps[1]
    if not (
        is_common
        and dilation_rate in (1, (1, 1), [1, 1])
        and kernel.shape[1] > 3
        and _is_tensorflows(inputs, "float32", "float64")
    ):
        return stock(inputs, kernel)
    import tensorflow as tf

    sides = zip(inputs.shape[1:3], kernel.shape[:2], strict=True)
    around = [_padding(side, taps, steps[0], padding) for side, taps in sides]
    options: dict[str, Any] = {
        "strides": (1, *steps, 1),
        "padding": "EXPLICIT",
        "explicit_paddings": [0, 0, *around[0], *around[1], 0, 0],
    }

    @ops.custom_gradient
    def convolve(inputs: Any, kernel: Any) -> tuple[Any, Any]:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            d_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=ops.shape(inputs),
                filter=kernel,
                out_backprop=upstream,
                strides=(1, *steps, 1),
                padding=padding.upper(),
            )
            d_kernel = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=inputs, filter_sizes=kernel.shape, out_backprop=upstream, **options
            )
            return d_inputs, d_kernel

        return stock(inputs, kernel), gradient

    # As a tensor: a custom gradient would want to know of a variable.
    return convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))


def _padding(side: int, taps: int, step: int, padding: str) -> tuple[int, int]:
    """The zeros before and behind a side that TensorFlow's named padding puts there."""
    if padding == "valid":
        return 0, 0
    zeros = max((-(-side // step) - 1) * step + taps - side, 0)
    return zeros // 2, zeros - zeros // 2


# --- sums over a batch ----------------------------------------------------------------------------


def sum_over_batch(x: Any) -> Any:
    """The sum over all axes but the last, shape (channels,).

    Row by row first: TensorFlow takes twice as long for all at once, and its rounding is ten
    times as large.

    Args:
        x: shape (batch, ..., channels).
    """
    return sum_over_rows(ops.sum(x, axis=-2))


def sum_over_rows(rows: Any) -> Any:
    """What `sum_over_batch` does after its first step, shape (channels,).

    Args:
        rows: sums over the last axis but one, shape (..., channels).
    """
    axes = tuple(range(len(rows.shape) - 1))
    return ops.sum(rows, axis=axes) if axes else rows


def sum_of_products(x: Any, y: Any) -> Any:
    """The sum of `x * y` over all axes but the last, shape (channels,).

    Of maps in TensorFlow on a CPU, without a tensor of the products: it is the gradient of a
    depthwise convolution of 1x1 pixels with respect to its filters. Measured with TensorFlow 2.21
    on two cores, 32 maps of 64x64x64: 3.2 ms against 5.3. No gradient is wanted of it.

    Args:
        x, y: shape (batch, ..., channels).
    """
    if len(x.shape) != 4 or not _is_tensorflows(x, "float32", "float64"):
        return sum_over_batch(x * y)
    import tensorflow as tf

    channels = x.shape[-1]
    sums = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=x,
        filter_sizes=(1, 1, channels, 1),
        out_backprop=y,
        strides=(1, 1, 1, 1),
        padding="EXPLICIT",
        explicit_paddings=[0] * 8,
    )
    return ops.reshape(sums, (channels,))


# --- batch normalisation --------------------------------------------------------------------------


def has_fused_batch_normalization(x: Any) -> bool:
    """Whether `fused_batch_normalization` takes a tensor: maps of float32, on CPUs alone."""
    return len(x.shape) == 4 and _is_tensorflows(x, "float32")


def fused_batch_normalization(
    x: Any, gamma: Any, beta: Any, epsilon: float
) -> tuple[Any, Any, Any]:
    """Batch normalisation in training by TensorFlow's own kernel, which `keras.ops` does not use.

    Measured with TensorFlow 2.21 on two cores, forward and backward: 32 maps of 64x64x64 in 22 ms,
    against 29 by passes over memory. Its sums are less precise: the variance of 131,072 values is
    right to 1e-5 of it, by Keras's layer to 5e-6.

    Args:
        x: shape (batch, height, width, channels), float32.
        gamma, beta: shape (channels,), or None for 1 and 0.
        epsilon: added to the variance.

    Returns:
        the normalised maps, and the mean and the variance of each channel, through which no
        gradient flows.
    """
    import tensorflow as tf

    @ops.custom_gradient
    def normalize(x: Any, gamma: Any, beta: Any) -> tuple[Any, Any]:
        nothing = tf.zeros((0,), x.dtype)
        found = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=gamma,
            offset=beta,
            mean=nothing,
            variance=nothing,
            epsilon=epsilon,
            exponential_avg_factor=1.0,
            is_training=True,
        )

        def gradient(upstream: Any, *of_statistics: Any) -> tuple[Any, Any, Any]:
            back = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=upstream,
                x=x,
                scale=gamma,
                reserve_space_1=found.reserve_space_1,
                reserve_space_2=found.reserve_space_2,
                reserve_space_3=found.reserve_space_3,
                epsilon=epsilon,
                is_training=True,
            )
            return back.x_backprop, back.scale_backprop, back.offset_backprop

        return (found.y, found.batch_mean, found.batch_variance), gradient

    gamma = tf.ones(x.shape[-1:]) if gamma is None else gamma
    beta = tf.zeros(x.shape[-1:]) if beta is None else beta
    outputs, mean, variance = normalize(*map(tf.convert_to_tensor, (x, gamma, beta)))
    # It divides by one value less than there are, as is right for a sample.
    count = ops.cast(ops.size(x) // x.shape[-1], x.dtype)
    return outputs, mean, variance * ((count - 1) / count)
