"""Convolution in groups of channels, by plain convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from lensnet.layers.accelerated.devices import on_cpus_alone
from lensnet.layers.accelerated.strided_pointwise import without_stride

__all__ = ["block_convolution", "number_of_blocks"]

LEAST_BLOCK_CHANNELS = 16
"""A plain convolution of fewer channels than this costs as much as one of this many."""


def number_of_blocks(groups: int, channels: int) -> int:
    """How many plain convolutions to compute a grouped convolution by.

    One for each group wastes time where groups are narrow, one for all multiplies by zeros.
    Measured (TensorFlow 2.21, two CPU cores, a training step of a 3x3 convolution): blocks of 16
    to 32 channels are the fastest from 64 channels in 8 groups to 1024 in 32, at 0.05 to 0.43
    times the plain convolution of all channels; Keras's own grouped convolution, which compiles,
    takes 7 to 95 times the plain one. Sums of depthwise convolutions take 2 to 8 times as long as
    blocks, and products with unfolded patches 7 to 16 times.

    Args:
        groups: groups of channels.
        channels: of the input, in all.

    Returns:
        the largest divisor of `groups` that leaves 16 channels or more to a block; 1 if none does.

    Example:

    >>> number_of_blocks(32, 128), number_of_blocks(4, 256), number_of_blocks(4, 8)
    (8, 4, 1)
    """
    return max(
        blocks
        for blocks in range(1, groups + 1)
        if groups % blocks == 0 and (blocks == 1 or channels // blocks >= LEAST_BLOCK_CHANNELS)
    )


def block_convolution(inputs: Any, kernel: Any, groups: int, **options: Any) -> Any:
    """What `keras.ops.conv` answers to a kernel of fewer input channels, fast on a CPU as well.

    The input's channels are cut into `groups`, and so are the filters; each group of filters sees
    its group of channels. (Xie et al. 2017, arXiv:1611.05431, section 3.3.) TensorFlow's and JAX's
    own is XLA's, whose gradients are slow on a CPU. Where all devices are CPUs, several groups
    share one plain convolution whose kernel is zero between different groups; elsewhere this is
    `keras.ops.conv`.

    Args:
        inputs: shape (batch, height, width, channels).
        kernel: shape (height, width, channels / groups, filters).
        groups: how many.
        **options: of `keras.ops.conv`: `strides`, `padding`, `dilation_rate`.

    Returns:
        tensor of shape (batch, new height, new width, filters).

    Raises:
        ValueError: channels or filters cannot be cut into that many groups.

    Example:

    >>> import keras
    >>> images, kernel = keras.ops.ones((1, 8, 8, 64)), keras.ops.ones((3, 3, 8, 128))
    >>> tuple(block_convolution(images, kernel, 8, padding="same").shape)
    (1, 8, 8, 128)
    """
    height, width, channels, filters = kernel.shape
    if inputs.shape[-1] != channels * groups or filters % groups:
        raise ValueError(
            f"A kernel of shape {tuple(kernel.shape)} in {groups} groups needs {channels * groups} "
            f"input channels and a multiple of {groups} filters; got {inputs.shape[-1]} channels."
        )
    options = {"data_format": "channels_last", **options}
    if not on_cpus_alone():
        return ops.conv(inputs, kernel, **options)
    strides = options.get("strides", (1, 1))
    inputs, options["strides"] = without_stride(
        inputs, kernel, (strides, strides) if isinstance(strides, int) else strides
    )
    blocks = number_of_blocks(groups, channels * groups)
    shared = groups // blocks
    # (height, width, group seen, its channels, block, group of filters, its filters)
    kernel = ops.reshape(
        kernel, (height, width, 1, channels, blocks, shared, filters // groups)
    ) * ops.cast(np.eye(shared)[:, None, None, :, None], kernel.dtype)
    kernel = ops.reshape(kernel, (height, width, shared * channels, filters))
    if blocks == 1:
        return ops.conv(inputs, kernel, **options)
    outputs = [
        ops.conv(block, filters_of_block, **options)
        for block, filters_of_block in zip(
            ops.split(inputs, blocks, axis=-1), ops.split(kernel, blocks, axis=-1), strict=True
        )
    ]
    return ops.concatenate(outputs, axis=-1)
