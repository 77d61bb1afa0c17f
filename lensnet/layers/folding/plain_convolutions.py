"""Plain convolutions, put together into what symmetric ones become when they are folded.

Every function takes the folding, the layer that is folded and its input, and returns the output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.block_convolution import number_of_blocks
from lensnet.layers.convolution.base_conv import SymmetricConv2D
from lensnet.layers.convolution.base_rectangular_conv import RectangularConv2D
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.fusable_layers import LinearParts

if TYPE_CHECKING:
    from lensnet.layers.folding.graph import Folding

__all__ = [
    "convolve",
    "convolve_depthwise",
    "convolve_rectangle",
    "largest",
    "pad",
    "plain_convolution",
    "side_by_side",
]


def pad(folding: Folding, layer: SymmetricConv2D, inputs: Any) -> tuple[Any, str]:
    """The input with as many zeros as a layer puts there by hand, and the padding after that."""
    pixels, padding = layer.pads(inputs.shape)
    if not pixels:
        return inputs, padding
    zeros = keras.layers.ZeroPadding2D(
        pixels, data_format="channels_last", dtype=layer.dtype_policy, name=f"{layer.name}.pad"
    )
    return folding.put_by_channel(zeros, inputs), padding


def _options(layer: SymmetricConv2D) -> dict[str, Any]:
    """Those that the stock convolution shares with the layer."""
    return {"strides": layer.plain_strides, "dilation_rate": layer.dilation_rate}


def convolve(
    folding: Folding,
    layer: SymmetricConv2D,
    padded: tuple[Any, str],
    kernel: Any,
    bias: Any,
    name: str,
    groups: int = 1,
) -> Any:
    """The plain convolution with a kernel and the stride of a layer.

    Args:
        folding, layer: as everywhere here.
        padded: what `pad` returns.
        kernel, bias: of the layer, as plain ones; the bias may be None.
        name: of the stock layer.
        groups: as in `plain_convolution`.
    """
    inputs, padding = padded
    kernel, bias = to_numpy(layer.over_means(kernel)), to_numpy(bias)
    options = {"padding": padding, **_options(layer)}
    outputs = plain_convolution(
        folding, layer, inputs, kernel, bias, name, groups=groups, **options
    )
    return _strided(folding, layer, outputs, name)


def convolve_depthwise(
    folding: Folding,
    layer: SymmetricConv2D,
    padded: tuple[Any, str],
    kernel: Any,
    bias: Any,
    name: str,
    is_last: bool = True,
) -> Any:
    """The plain depthwise convolution with a kernel and the stride of a layer.

    Args:
        folding, layer, padded, kernel, bias, name: as of `convolve`.
        is_last: whether this is what the layer answers, so that a normalisation may follow.
    """
    inputs, padding = padded
    source, permutation = folding.source(inputs)
    kernel, bias = to_numpy(layer.over_means(kernel)), to_numpy(bias)
    if bias is None and is_last and folding.may_merge(layer):
        bias = np.zeros(kernel.shape[2], "float32")
    weights = [to_source(kernel, permutation, axis=2)]
    if bias is not None:
        weights.append(to_source(bias, permutation))
    plain = keras.layers.DepthwiseConv2D(
        kernel.shape[:2],
        use_bias=bias is not None,
        data_format="channels_last",
        dtype=layer.dtype_policy,
        name=name,
        padding=padding,
        **_options(layer),
    )
    stock, outputs = folding.put(plain, source, weights=weights)
    if bias is not None:
        folding.leave_open(outputs, LinearParts.of(stock, len(bias)))
    return folding.permute(_strided(folding, layer, outputs, name), permutation)


def convolve_rectangle(
    folding: Folding, layer: RectangularConv2D, inputs: Any, kernel: Any, bias: Any, name: str
) -> Any:
    """The plain convolution with one orientation of a rectangular filter."""
    crop = layer.crop_pixels(kernel)
    if any(crop):
        cropping = keras.layers.Cropping2D(
            crop, data_format="channels_last", dtype=layer.dtype_policy, name=f"{name}.crop"
        )
        inputs = folding.put_by_channel(cropping, inputs)
    kernel, bias = to_numpy(kernel), to_numpy(bias)
    return plain_convolution(folding, layer, inputs, kernel, bias, name, padding=layer.padding)


def _strided(folding: Folding, layer: SymmetricConv2D, outputs: Any, name: str) -> Any:
    """Every n-th pixel, of a layer with a stride and a dilation."""
    step = layer.strides // layer.plain_strides
    if step == 1:
        return outputs
    pool = keras.layers.MaxPooling2D(
        1,
        strides=step,
        data_format="channels_last",
        dtype=layer.dtype_policy,
        name=f"{name}.stride",
    )
    return folding.hand_on(outputs, folding.put(pool, outputs)[1])


def plain_convolution(
    folding: Folding,
    layer: keras.Layer,
    inputs: Any,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    name: str,
    groups: int = 1,
    **options: Any,
) -> Any:
    """A plain convolution; of one in groups, the plain ones side by side that it consists of.

    Args:
        folding, layer, inputs: as everywhere here.
        kernel: shape (height, width, channels / groups, filters).
        bias: shape (filters,), or None.
        name: of the stock layer.
        groups: how many groups the channels and filters are cut into.
        **options: of `keras.layers.Conv2D`.
    """
    blocks = number_of_blocks(groups, inputs.shape[-1])
    if blocks > 1:
        biases = [None] * blocks if bias is None else np.split(bias, blocks)
        outputs = [
            plain_convolution(
                folding, layer, x, kernel, bias, f"{name}.block{i}", groups // blocks, **options
            )
            for i, (x, kernel, bias) in enumerate(
                zip(
                    ops.split(inputs, blocks, axis=-1),
                    np.split(kernel, blocks, axis=-1),
                    biases,
                    strict=True,
                )
            )
        ]
        return side_by_side(folding, layer, outputs, name)
    source, permutation = folding.source(inputs)
    if bias is None and folding.may_merge(layer):
        bias = np.zeros(kernel.shape[-1], "float32")
    weights = [to_source(_block_diagonal(kernel, groups), permutation, axis=2)]
    if bias is not None:
        weights.append(bias)
    plain = keras.layers.Conv2D(
        kernel.shape[-1],
        kernel.shape[:2],
        use_bias=bias is not None,
        data_format="channels_last",
        dtype=layer.dtype_policy,
        name=name,
        **options,
    )
    stock, outputs = folding.put(plain, source, weights=weights)
    if bias is not None:
        folding.leave_open(outputs, LinearParts.of(stock, len(bias)))
    return outputs


def _block_diagonal(kernel: np.ndarray, groups: int) -> np.ndarray:
    """The kernel of the plain convolution that equals one in groups, zero between groups."""
    height, width, channels, filters = kernel.shape
    by_group = kernel.reshape(height, width, 1, channels, groups, filters // groups)
    same_group = np.eye(groups, dtype=kernel.dtype)[:, None, :, None]
    return (by_group * same_group).reshape(height, width, groups * channels, filters)


def side_by_side(
    folding: Folding, layer: keras.Layer, tensors: list[Any], name: str | None = None
) -> Any:
    """Tensors put together along the channels, as open to a normalisation as they were."""
    row = keras.layers.Concatenate(dtype=layer.dtype_policy, name=name or layer.name)
    outputs = folding.put(row, tensors)[1]
    parts = [folding.linear_parts(tensor) for tensor in tensors]
    known = [part for part in parts if part is not None]
    if len(known) == len(tensors):
        channels = [tensor.shape[-1] for tensor in tensors]
        folding.leave_open(outputs, LinearParts.of_row(zip(known, channels, strict=True)))
    return outputs


def largest(folding: Folding, layer: keras.Layer, responses: list[Any]) -> Any:
    """The maximum of responses, as open to a normalisation of positive scale as they were."""
    if len(responses) == 1:
        return responses[0]
    maximum = keras.layers.Maximum(dtype=layer.dtype_policy, name=layer.name)
    outputs = folding.put(maximum, responses)[1]
    parts = [folding.linear_parts(response) for response in responses]
    known = [part for part in parts if part is not None]
    if len(known) == len(responses):
        folding.leave_open(outputs, LinearParts.of_largest(known))
    return outputs
