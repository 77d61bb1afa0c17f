"""Keras's depthwise convolution, whose wide filters train faster on a CPU."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.accelerated.cpu_kernels import depthwise_convolution

__all__ = ["DepthwiseConv2D", "convolve"]


@keras.saving.register_keras_serializable(package="lensnet")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`, of the same arguments, weights and answers.

    In training on a CPU, the gradient of filters wider than 3 pixels takes TensorFlow half the
    time or less (`depthwise_convolution`). Read from a saved model, it is Keras's own
    (`lensnet.layers.accelerate` makes that as fast).

    Args:
        kernel_size and all others: as of `keras.layers.DepthwiseConv2D`.

    Input shape:
        (batch, height, width, channels); with `data_format="channels_first"`, which is computed
        as Keras does, (batch, channels, height, width).

    Output shape:
        as of `keras.layers.DepthwiseConv2D`.

    Raises:
        ValueError: as `keras.layers.DepthwiseConv2D`.

    Example:

    >>> import keras
    >>> layer = DepthwiseConv2D(5, strides=2, padding="same")
    >>> tuple(layer(keras.random.normal((2, 17, 17, 8)), training=True).shape)
    (2, 9, 9, 8)
    """

    stock_class = keras.layers.DepthwiseConv2D

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return convolve(self, inputs, training)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.DepthwiseConv2D:
        return keras.layers.DepthwiseConv2D.from_config(config)


def convolve(layer: keras.layers.DepthwiseConv2D, inputs: Any, training: bool | None = None) -> Any:
    """What `keras.layers.DepthwiseConv2D` answers, with a gradient that is faster for wide filters.

    Args:
        layer: of the class named or one below it, built.
        inputs: of its call.
        training: whether gradients will be asked for.
    """
    if not training or layer.data_format != "channels_last":
        return keras.layers.DepthwiseConv2D.call(layer, inputs)
    outputs = depthwise_convolution(
        inputs,
        layer.kernel,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
    )
    return layer.activation(outputs + layer.bias if layer.use_bias else outputs)
