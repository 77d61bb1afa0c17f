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

from lensnet.layers.devices import on_cpus_alone

__all__ = ["depthwise_convolution", "gains_by_one_pass", "one_pass"]

Pointwise = TypeVar("Pointwise", bound=Callable[..., Any])

LEAST_VALUES = 8192
"""A tensor of fewer values an example stays in the processor's cache from pass to pass."""


def gains_by_one_pass(x: Any) -> bool:
    """Whether `one_pass` compiles for a tensor: a large one of float32 or float64, on CPUs alone.

    Args:
        x: shape (batch, ...), all but the batch known.
    """
    shape = tuple(x.shape[1:])
    return (
        keras.backend.backend() == "tensorflow"
        and keras.backend.standardize_dtype(x.dtype) in ("float32", "float64")
        and None not in shape
        and math.prod(shape) >= LEAST_VALUES
        and on_cpus_alone()
    )


def one_pass(function: Pointwise) -> Pointwise:
    """Has a pointwise function read its tensors once and write its answer once.

    TensorFlow goes over memory for every operation, which on a CPU takes longer than the
    arithmetic. Here XLA makes one loop of a function of large tensors (`gains_by_one_pass`), once
    for every shape, which takes it a twentieth of a second. Measured with TensorFlow 2.21 on two
    cores, forward and backward of 32 maps of 64x64x96: SiLU 24 ms against 41, hard SiLU 24 against
    48, exact GELU 27 against 72, ReLU, which is one operation as it is, 23. Sums over many values
    are slower by XLA, up to five times; they do not belong here.

    Args:
        function: of tensors, by `keras.ops`; the first has the shape of the answer, the others may
            be shorter. Its derivative is not wanted: give it by `keras.ops.custom_gradient`.
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
        if not gains_by_one_pass(x):
            return function(x, *others)
        specs = [(tuple(tensor.shape), tensor.dtype) for tensor in (x, *others)]
        return compiled(*specs)(x, *others)

    return run  # type: ignore[return-value]


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
        and None not in tuple(inputs.shape[1:])
        and keras.backend.backend() == "tensorflow"
        and keras.backend.standardize_dtype(inputs.dtype) in ("float32", "float64")
        and on_cpus_alone()
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
