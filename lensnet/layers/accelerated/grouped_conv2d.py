"""Keras's convolution in groups of channels, computed so that it is fast on a CPU as well."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from lensnet.layers.accelerated.block_convolution import block_convolution
from lensnet.layers.accelerated.strided_pointwise import without_stride

__all__ = ["GroupedConv2D", "convolve_in_groups"]


@keras.saving.register_keras_serializable(package="lensnet")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with `groups`, of the same arguments, weights and answers.

    Keras computes a convolution in groups (Xie et al. 2017, arXiv:1611.05431, section 3.3) by XLA
    where TensorFlow or JAX run on a CPU, many times slower than the plain convolution of all
    channels; this layer computes it by a few plain convolutions there (`block_convolution`).
    Padding is Keras's, which at stride 2 is not symmetric. Once weights are read into it from a
    file, it is Keras's own (`lensnet.layers.accelerate` makes that as fast).

    Args:
        filters, kernel_size and all others: as in `keras.layers.Conv2D`.

    Input shape:
        (batch, height, width, channels); with `data_format="channels_first"`, which is computed
        as Keras does, (batch, channels, height, width).

    Output shape:
        as of `keras.layers.Conv2D`.

    Raises:
        ValueError: as `keras.layers.Conv2D`.

    Example:

    >>> import keras
    >>> images = keras.random.normal((2, 16, 16, 64))
    >>> layer = GroupedConv2D(128, 3, padding="same", groups=16)
    >>> tuple(layer(images).shape), tuple(layer.kernel.shape)
    ((2, 16, 16, 128), (3, 3, 4, 128))
    """

    stock_class = keras.layers.Conv2D

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return convolve_in_groups(self, inputs, kernel)

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        # Not before: Keras looks for a layer's weights under the name of its class.
        self.__class__ = keras.layers.Conv2D


def convolve_in_groups(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any:
    """What `keras.layers.Conv2D.convolution_op` answers, by blocks where that is faster.

    Filters of one pixel go without their stride (`without_stride`).

    Args:
        layer: of the class named or one below it, built.
        inputs: shape (batch, height, width, channels), or as its `data_format` says.
        kernel: shape (height, width, channels / groups, filters).
    """
    if layer.data_format != "channels_last":
        return keras.layers.Conv2D.convolution_op(layer, inputs, kernel)
    if layer.groups == 1:
        read, strides = without_stride(inputs, kernel, layer.strides)
        if read is inputs:
            return keras.layers.Conv2D.convolution_op(layer, inputs, kernel)
        return ops.conv(read, kernel, strides, data_format="channels_last")
    return block_convolution(
        inputs,
        kernel,
        layer.groups,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
    )
