"""Keras's depthwise convolution, whose wide filters train faster on a CPU."""

from __future__ import annotations

from typing import Any

import keras

from lensnet.layers.accelerated.cpu_kernels import depthwise_convolution

__all__ = ["DepthwiseConv2D"]


@keras.saving.register_keras_serializable(package="lensnet")
class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D`, of the same arguments, weights and answers.

    In training on a CPU, the gradient of filters wider than 3 pixels takes TensorFlow half the
    time or less (`depthwise_convolution`).

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
        if not training or self.data_format != "channels_last":
            return super().call(inputs)
        outputs = depthwise_convolution(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
        )
        return self.activation(outputs + self.bias if self.use_bias else outputs)
