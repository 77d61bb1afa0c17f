"""Plain convolutions, put together into what symmetric ones become when they are folded.

Every function takes the graph, the layer that is folded and its input, and returns the output.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from lensnet.layers.accelerated.block_convolution import number_of_blocks
from lensnet.layers.folding.arrays import to_numpy, to_source
from lensnet.layers.folding.fusable_layers import LinearParts
from lensnet.layers.folding.graph import FoldedGraph

__all__ = ["concatenate", "maximum", "plain_convolution", "plain_depthwise_convolution"]


def plain_convolution(
    graph: FoldedGraph,
    layer: keras.Layer,
    inputs: Any,
    kernel: np.ndarray,
    bias: np.ndarray | None,
    name: str,
    groups: int = 1,
    **options: Any,
) -> Any:
    """A plain convolution; of one in groups, the plain ones that it consists of, concatenated.

    Args:
        graph, layer, inputs: as everywhere here.
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
                graph, layer, x, kernel, bias, f"{name}.block{i}", groups // blocks, **options
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
        return concatenate(graph, layer, outputs, name)
    source, permutation = graph.source(inputs)
    if bias is None and graph.may_absorb(layer):
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
    stock, outputs = graph.add_layer(plain, source, weights=weights)
    if bias is not None:
        graph.mark_fusable(outputs, LinearParts.of(stock, len(bias)))
    return outputs


def plain_depthwise_convolution(
    graph: FoldedGraph,
    layer: keras.Layer,
    inputs: Any,
    kernel: Any,
    bias: Any,
    name: str,
    is_last: bool = True,
    **options: Any,
) -> tuple[Any, np.ndarray | None]:
    """A plain depthwise convolution, of the channels in the order in which they were computed.

    Args:
        graph, layer, inputs: as everywhere here.
        kernel: shape (height, width, channels, 1).
        bias: shape (channels,), or None.
        name: of the stock layer.
        is_last: whether this is what the layer answers, so that a normalisation may follow.
        **options: of `keras.layers.DepthwiseConv2D`.

    Returns:
        the output, and the permutation that `FoldedGraph.permute` is to apply to it.
    """
    source, permutation = graph.source(inputs)
    kernel, bias = to_numpy(kernel), to_numpy(bias)
    if bias is None and is_last and graph.may_absorb(layer):
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
        **options,
    )
    stock, outputs = graph.add_layer(plain, source, weights=weights)
    if bias is not None:
        graph.mark_fusable(outputs, LinearParts.of(stock, len(bias)))
    return outputs, permutation


def _block_diagonal(kernel: np.ndarray, groups: int) -> np.ndarray:
    """The kernel of the plain convolution that equals one in groups, zero between groups."""
    height, width, channels, filters = kernel.shape
    by_group = kernel.reshape(height, width, 1, channels, groups, filters // groups)
    same_group = np.eye(groups, dtype=kernel.dtype)[:, None, :, None]
    return (by_group * same_group).reshape(height, width, groups * channels, filters)


def concatenate(
    graph: FoldedGraph, layer: keras.Layer, tensors: list[Any], name: str | None = None
) -> Any:
    """Tensors concatenated along the channels, as fusable as they were."""
    together = keras.layers.Concatenate(dtype=layer.dtype_policy, name=name or layer.name)
    outputs = graph.add_layer(together, tensors)[1]
    parts = [graph.linear_parts(tensor) for tensor in tensors]
    known = [part for part in parts if part is not None]
    if len(known) == len(tensors):
        channels = [tensor.shape[-1] for tensor in tensors]
        graph.mark_fusable(outputs, LinearParts.of_concatenation(zip(known, channels, strict=True)))
    return outputs


def maximum(graph: FoldedGraph, layer: keras.Layer, responses: list[Any]) -> Any:
    """The maximum of responses, as fusable as they were with scales that are not negative."""
    if len(responses) == 1:
        return responses[0]
    largest = keras.layers.Maximum(dtype=layer.dtype_policy, name=layer.name)
    outputs = graph.add_layer(largest, responses)[1]
    parts = [graph.linear_parts(response) for response in responses]
    known = [part for part in parts if part is not None]
    if len(known) == len(responses):
        graph.mark_fusable(outputs, LinearParts.of_maximum(known))
    return outputs
